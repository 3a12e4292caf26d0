//! Accounts worked out by hand. BTC and ETH are perpetuals, COIN is spot. Tiers of BTC: 0.5 % to 2 million, 1 % to 10 million
//! (deduction 2,000,000 × 0.005 = 10,000), 1.5 % beyond (10,000 + 10,000,000 × 0.005 = 60,000), with leverage to 100, 50 and
//! 25; of ETH: 1 % to 1 million, 2 % beyond.

use super::script::run;

const TRADES: &[(&str, &str)] = &[
    (
        "a long round trip with fees",
        "account one-way isolated 10x cash 1000
         # notional 3000, margin 3000 / 10; cash 1000 − 300 − 1.80
         BTC buy 0.1 @ 30000 fee 1.80  | cash 698.2, margin 300, equity 998.2, free 698.2, opened 0.1, closed 0
         # 0.1 × (31000 − 30000)
         BTC mark 31000                | unrealised 100, equity 1098.2, exposure 3100, due nobody
         # 698.2 + 300 + 100 − 1.86
         BTC sell 0.1 @ 31000 fee 1.86 | realised 100, cash 1096.34, equity 1096.34, flat yes, all-fees 3.66",
    ),
    (
        "a short round trip",
        "account one-way cross 10x cash 1000
         # 2 × 2000 / 10 of initial margin; cross margin stays in cash; free 997.8 − 400
         ETH sell 2 @ 2000 fee 2.2     | cash 997.8, initial 400, free 597.8, quantity -2, cost -4000
         # 2 × (2000 − 1900)
         ETH mark 1900                 | unrealised 200, equity 1197.8, free 797.8, exposure -3800, gross 3800
         ETH buy 2 @ 1900 fee 2.09     | realised 200, cash 1195.71, flat yes",
    ),
    (
        "adding averages the entry",
        "account one-way isolated 5x cash 10000
         BTC buy 0.1 @ 30000           | margin 600, entry 30000
         # (3000 + 9600) / 0.4; margin 600 + 1920
         BTC buy 0.3 @ 32000           | cost 12600, entry 31500, margin 2520, cash 7480
         BTC sell 0.4 @ 31500          | realised 0, cash 10000, flat yes",
    ),
    (
        "a partial close takes its share of the cost and leaves the rest",
        "account one-way isolated 10x cash 1000
         ETH buy 1 @ 333               | margin 33.3
         ETH buy 1 @ 333               | margin 66.6
         ETH buy 1 @ 334               | cost 1000, margin 100, cash 900
         # a third of 1000 at 12 places: 333.333333333333; 400 − that; margin 33.333333333333 comes back
         ETH sell 1 @ 400              | realised 66.666666666667, cost 666.666666666667, margin 66.666666666667, cash 1000
         # 800 − 666.666666666667; 1000 + 66.666666666667 + 133.333333333333
         ETH sell 2 @ 400              | realised 133.333333333333, cash 1200, all-realised 200, flat yes",
    ),
    (
        "a fill larger than the position turns it around",
        "account one-way isolated 10x cash 10000
         BTC buy 0.2 @ 30000           | margin 600, cash 9400
         # 0.2 closes with 0.2 × 1000; 0.3 opens for 9300 with 930; 9400 + 600 + 200 − 930 − 7.75 (the fee is one)
         BTC sell 0.5 @ 31000 fee 7.75 | closed 0.2, opened 0.3, realised 200, quantity -0.3, cost -9300, margin 930, cash 9262.25, fee 7.75
         # 0.3 × 1000; 9262.25 + 930 + 300 − 4.5
         BTC buy 0.3 @ 30000 fee 4.5   | realised 300, cash 10487.75, flat yes",
    ),
    (
        "hedge mode holds both sides",
        "account hedge cross 10x cash 10000
         BTC long buy 0.2 @ 30000      | quantity 0.2
         BTC short sell 0.1 @ 30500    | quantity -0.1, initial 905
         # 0.2 × 1000 − 0.1 × 500; 6200 − 3100
         BTC mark 31000                | unrealised 150, exposure 3100, gross 9300, equity 10150
         BTC long sell 0.3 @ 31000     | refused closes 0.3 of 0.2 long
         BTC short buy 0.2 @ 31000     | refused closes 0.2 of 0.1 short
         BTC buy 0.1 @ 31000           | refused no position Net
         BTC short buy 0.1 @ 31000     | realised -50, cash 9950, exposure 6200
         BTC long sell 0.2 @ 31000     | realised 200, cash 10150, flat yes",
    ),
    (
        "a rebate is received",
        "account one-way isolated 10x cash 1000
         BTC buy 0.1 @ 30000 fee -0.3  | cash 700.3, fee -0.3, all-fees -0.3
         BTC sell 0.1 @ 30000 fee -0.3 | cash 1000.6, all-fees -0.6, realised 0",
    ),
    (
        "funding: long pays, short receives, flat neither",
        "account one-way isolated 10x cash 1000
         BTC funding 0.0001 @ 30000    | received 0, cash 1000
         BTC buy 0.2 @ 30000           | cash 400
         # 0.2 × 31000 × 0.0001
         BTC funding 0.0001 @ 31000    | received -0.62, cash 399.38, unrealised 0
         BTC sell 0.1 @ 30000          | cash 699.38
         # what is left after the partial close: 0.1 × 31000 × 0.0001
         BTC funding 0.0001 @ 31000    | received -0.31, cash 699.07
         BTC funding -0.0003 @ 30000   | received 0.9, cash 699.97
         BTC sell 0.2 @ 30000          | quantity -0.1, cash 699.97
         BTC funding 0.0001 @ 30000    | received 0.3, cash 700.27
         BTC funding -0.0002 @ 30000   | received -0.6, cash 699.67
         COIN funding 0.0001 @ 100     | refused spot has no funding
         # 699.67 + 300; −0.62 − 0.31 + 0.9 + 0.3 − 0.6
         BTC buy 0.1 @ 30000           | cash 999.67, all-funding -0.33",
    ),
];

const SPOT: &[(&str, &str)] = &[
    (
        "a fee in base coin makes the holding smaller",
        "account one-way isolated 10x cash 10000
         # 0.002 coins at 100 are a fee of 0.2; 1.998 coins cost the other 199.8
         COIN buy 2 @ 100 coin-fee 0.002      | quantity 1.998, cost 199.8, cash 9800, fee 0.2, equity 9999.8
         # 1.998 × 110; less 199.8
         COIN mark 110                        | value 219.78, unrealised 19.98, equity 10019.78
         # 9800 + 219.78 − 0.21978
         COIN sell 1.998 @ 110 fee 0.21978    | realised 19.98, cash 10019.56022, flat yes, all-fees 0.41978",
    ),
    (
        "a fee in coin on a sale is sold as well",
        "account one-way isolated 10x cash 10000
         COIN buy 2 @ 100                     | cash 9800
         # 1.001 of 2 coins go, cost 100.1; 1 brings 100 of cash and 0.001 pays the fee of 0.1
         COIN sell 1 @ 100 coin-fee 0.001     | quantity 0.999, closed 1.001, realised 0, fee 0.1, cash 9900, cost 99.9, equity 9999.9
         COIN buy 1 @ 100 coin-fee 1          | refused its fee is all",
    ),
    (
        "spot cannot be short",
        "account hedge cross 10x cash 1000
         COIN sell 1 @ 100                    | refused sells 1 of 0 held
         COIN buy 1 @ 100                     | quantity 1, cash 900, initial 0, maintenance 0
         COIN sell 2 @ 100                    | refused sells 2 of 1 held
         COIN sell 1 @ 100 coin-fee 0.001     | refused sells 1 of 1 held
         COIN short sell 1 @ 100              | refused no position Short
         COIN sell 1 @ 100 liquidated         | refused a liquidation
         BTC long buy 0.01 @ 30000 coin-fee 1 | refused no fee in base
         COIN sell 0.4 @ 90                   | realised -4, cash 936, quantity 0.6",
    ),
    (
        "spot beside a perpetual, deposits and withdrawals",
        "account one-way cross 10x cash 1000
         COIN buy 5 @ 100                     | cash 500, equity 1000, free 500
         # 3000 / 10 is bound: 500 − 300; the holding backs nothing
         BTC buy 0.1 @ 30000                  | cash 500, free 200, equity 1000
         COIN mark 200                        | equity 1500, free 200, unrealised 500, gross 4000
         # 500 − 100 − 300; (3000 − 500) / (0.1 × 0.995) = 25125.628140703517…: the coins do not count
         BTC mark 29000                       | free 100, liquidation 25125.62814070351
         withdraw 100.01                      | refused 100.01 is more than the 100
         withdraw 0                           | refused not an amount above zero
         withdraw 100                         | cash 400, free 0, equity 1300
         deposit 50                           | cash 450, free 50, equity 1350",
    ),
];

const LIQUIDATIONS: &[(&str, &str)] = &[
    (
        "an isolated long in the first tier loses its margin",
        "account one-way isolated 10x cash 1000
         # (3000 − 300) / (0.1 × 0.995) = 27135.678391959798…, and (3000 − 300) / 0.1
         BTC buy 0.1 @ 30000               | liquidation 27135.67839195979, bankruptcy 27000, maintenance 15
         BTC mark 27135.7                  | due nobody
         # 2713.56 × 0.005; 300 − 286.44 = 13.56 is less
         BTC mark 27135.6                  | due BTC, maintenance 13.5678, unrealised -286.44
         BTC sell 0.2 @ 27000 liquidated   | refused a liquidation of 0.2 where 0.1 is open
         BTC sell 0.1 @ 27000 liquidated   | realised -300, insurance 0, cash 700, flat yes",
    ),
    (
        "insurance bears what the margin does not",
        "account one-way isolated 10x cash 1000
         BTC buy 0.1 @ 30000                       | cash 700
         # 0.1 × 3500 + 1.5 are lost of a margin of 300
         BTC sell 0.1 @ 26500 fee 1.5 liquidated   | realised -350, insurance 51.5, cash 700, all-insurance 51.5
         # a stop that fills there is the trader's own loss: 700 − 350
         BTC buy 0.1 @ 30000                       | cash 400
         BTC sell 0.1 @ 26500                      | insurance 0, cash 350",
    ),
    (
        "half a liquidation frees half the margin",
        "account one-way isolated 10x cash 1000
         BTC buy 0.1 @ 30000                | cash 700
         # 150 of margin against a loss of 0.05 × 2900
         BTC sell 0.05 @ 27100 liquidated   | realised -145, insurance 0, cash 705, margin 150
         # (1500 − 150) / (0.05 × 0.995) = 27135.678391959798…: the price stays
         BTC mark 27200                     | due nobody, liquidation 27135.6783919597",
    ),
    (
        "an isolated long in the second tier",
        "account one-way isolated 20x cash 1000000
         # 5,000,000 × 1 % − 10,000; (5,000,000 − 250,000 − 10,000) / (100 × 0.99)
         BTC buy 100 @ 50000               | maintenance 40000, margin 250000, liquidation 47878.787878787878
         BTC mark 47878.8                  | due nobody
         BTC mark 47878.7                  | due BTC",
    ),
    (
        "an isolated short in the third tier",
        "account one-way isolated 20x cash 1000000
         # 12,500,000 × 1.5 % − 60,000; (12,500,000 + 625,000 + 60,000) / (250 × 1.015), and 13,125,000 / 250
         BTC sell 250 @ 50000              | maintenance 127500, liquidation 51960.591133004927, bankruptcy 52500
         BTC mark 51960.5                  | due nobody
         BTC mark 51960.6                  | due BTC",
    ),
    (
        "a short grows into the second tier, a long shrinks into the first",
        "account one-way isolated 10x cash 1000000
         # 1,950,000 at the entry, 2,133,663 when it is due: (1,950,000 + 195,000 + 10,000) / (39 × 1.01)
         BTC sell 39 @ 50000               | maintenance 9750, liquidation 54709.31708555471
         # 41 × 50000 is in the second tier, 1,863,316 in the first: (2,050,000 − 205,000) / (41 × 0.995)
         BTC buy 80 @ 50000                | quantity 41, maintenance 10500, liquidation 45226.130653266331",
    ),
    (
        "a large position opens with the leverage of its tier",
        "account one-way isolated 40x cash 1000000
         # 1,000,000 / 40, then 11,500,000 / 25 because 12,500,000 is in the third tier
         BTC buy 20 @ 50000                | margin 25000
         BTC buy 230 @ 50000               | margin 485000, cash 515000",
    ),
    (
        "no price makes a long of full margin due",
        "account one-way isolated 1x cash 10000
         BTC buy 0.1 @ 30000               | margin 3000, liquidation none, bankruptcy none
         ETH sell 1 @ 2000                 | margin 2000, liquidation 3960.396039603961, bankruptcy 4000
         COIN buy 1 @ 100                  | liquidation none, bankruptcy none
         # (2000 + 2000) / 1.01 = 3960.396039603960396…, upward at 12 places
         ETH mark 3960.39                  | due nobody, liquidation 3960.396039603961",
    ),
    (
        "in cross mode both positions stand for each other",
        "account one-way cross 10x cash 2000
         BTC buy 0.2 @ 30000               | maintenance 30
         # BTC 30 + ETH 100; ETH: (10000 + 2000 − 30) / (5 × 1.01)
         ETH sell 5 @ 2000                 | maintenance 130, liquidation 2370.297029702971, bankruptcy 2400
         # (6000 − 2000 + 100) / (0.2 × 0.995); (6000 − 2000) / 0.2
         BTC mark 30000                    | liquidation 20603.01507537688, bankruptcy 20000
         # −1000; 25 + 100
         BTC mark 25000                    | equity 1000, maintenance 125, due nobody
         # −1000 − 850; 25 + 108.5
         ETH mark 2170                     | equity 150, maintenance 133.5, due nobody
         # −1000 − 900 leaves 100; 25 + 109: the larger one first
         ETH mark 2180                     | equity 100, maintenance 134, due ETH+BTC
         # 2000 − 900 − 5.995; then 1094.005 − 1000 against 25
         ETH buy 5 @ 2180 fee 5.995 liquidated | cash 1094.005, equity 94.005, insurance 0, due nobody
         # 1094.005 − 1200
         BTC mark 24000                    | equity -105.995, due BTC
         BTC sell 0.2 @ 24000 liquidated   | realised -1200, insurance 105.995, cash 0, flat yes",
    ),
    (
        "in cross hedge mode both sides move with one price",
        "account hedge cross 10x cash 1000
         BTC long buy 0.3 @ 30000          | quantity 0.3
         # below: 1000 + 0.2 × (P − 30000) = 0.4 × P × 0.005, so P = 5000 / 0.198 = 25252.5252…; above there is none
         BTC short sell 0.1 @ 30000        | liquidation none, bankruptcy none
         BTC mark 25252.6                  | due nobody
         BTC mark 25252.5                  | due BTC+BTC
         BTC long sell 0.3 @ 25252.5 liquidated | quantity 0, realised -1424.25, cash -424.25, equity 50.5, insurance 0
         BTC short buy 0.1 @ 25252.5       | realised 474.75, cash 50.5, flat yes",
    ),
    (
        "in isolated hedge mode each side has its own margin",
        "account hedge isolated 10x cash 1000
         BTC long buy 0.1 @ 30000          | liquidation 27135.67839195979
         # (3000 + 300) / (0.1 × 1.005) = 32835.820895522388…, upward
         BTC short sell 0.1 @ 30000        | liquidation 32835.82089552239, cash 400
         BTC mark 33000                    | due BTC, unrealised 0
         BTC short buy 0.1 @ 33000 liquidated | realised -300, cash 400, insurance 0, due nobody
         BTC long sell 0.1 @ 33000         | realised 300, cash 1000",
    ),
];

#[test]
fn trades_and_funding_are_accounted_as_by_hand() {
    TRADES.iter().for_each(|(name, card)| run(name, card));
}

#[test]
fn spot_is_accounted_as_by_hand() {
    SPOT.iter().for_each(|(name, card)| run(name, card));
}

#[test]
fn liquidations_are_accounted_as_by_hand() {
    LIQUIDATIONS.iter().for_each(|(name, card)| run(name, card));
}
