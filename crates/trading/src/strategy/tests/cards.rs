//! Cards that a trader can check: each line is a moment.
//!
//! Left of the bar: the close of each instrument (`-` where it is missing) and events: `gap` (candles are
//! missing before this one), `refused` (orders of this moment fail), `holds=x,y` (what the account holds was
//! changed from outside before this moment). Right of the bar what is named for each instrument: `.` nothing,
//! `flat`, or the exposure.

use super::replay::{Close, Replay};
use crate::strategy::{StrategyConfig, TargetPosition};

fn play(config: &str, card: &str) {
    let config: StrategyConfig = toml::from_str(config).unwrap();
    let lines: Vec<&str> = card.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let wanted = |line: &str| -> Vec<String> {
        line.split_once('|')
            .unwrap()
            .1
            .split("//")
            .next()
            .unwrap()
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    };
    let instruments = wanted(lines[0]).len();
    let mut replay = Replay::new(&config, instruments);
    for line in lines {
        let words: Vec<&str> = line.split_once('|').unwrap().0.split_whitespace().collect();
        let after_gap = words.contains(&"gap");
        replay.is_refusing = words.contains(&"refused");
        for (name, value) in words.iter().filter_map(|word| word.split_once('=')) {
            assert_eq!(name, "holds", "{line}");
            replay.exposures = value.split(',').map(|share| share.parse().unwrap()).collect();
        }
        let closes: Vec<Option<Close>> = words[..instruments]
            .iter()
            .map(|word| (*word != "-").then(|| Close { price: word.parse().unwrap(), after_gap }))
            .collect();
        let decision = replay.step(&closes);
        assert_eq!(decision.votes.len(), closes.iter().flatten().count(), "each update has a vote: {line}");
        for (at, expected) in wanted(line).iter().enumerate() {
            let named: Vec<TargetPosition> = decision
                .targets
                .iter()
                .filter(|target| target.instrument.get() == at)
                .map(|target| target.position)
                .collect();
            let is_right = match (expected.as_str(), named.as_slice()) {
                (".", []) | ("flat", [TargetPosition::Flat]) => true,
                (share, [TargetPosition::Exposure(exposure)]) => {
                    share.parse::<f64>().is_ok_and(|share| (share - exposure).abs() < 1e-4)
                }
                _ => false,
            };
            assert!(is_right, "instrument {at} at `{line}`: {named:?}");
        }
    }
}

#[test]
fn card_1_buy_and_hold_buys_once_after_its_warm_up() {
    play(
        "kind = 'buy-and-hold'\nexposure = 0.8\nwarm_up = 3",
        "
        100                | .
        110                | .
        120  refused       | 0.8   // third candle; the order fails
        120                | 0.8   // so it is named again
        240  holds=1.1     | .     // grown to 1.1 of equity: not rebalanced
         60  gap           | .     // a gap changes nothing
         60  holds=0       | .     // liquidated: not bought again
        ",
    );
}

#[test]
fn card_2_buy_and_hold_gives_each_instrument_an_equal_share() {
    play(
        "kind = 'buy-and-hold'",
        "
        100  -             | 0.5  .
        110  -             | .    .
        110  7             | .    0.5   // listed later: its share of the equity then
        ",
    );
}

#[test]
fn card_3_simple_averages_cross() {
    // fast = mean of 2, slow = mean of 3
    play(
        "kind = 'moving-average-crossover'\nfast = 2\nslow = 3",
        "
        10                 | .
        11                 | .
        12  refused        | 1     // 11.5 > 11; the order fails
        13                 | 1     // 12.5 > 12; again
        13                 | .     // 13 > 12.6667; held
         9                 | -1    // 11 < 11.6667
        11                 | .     // 10 < 11
        12                 | 1     // 11.5 > 10.6667
        10                 | .     // 11 = 33 / 3: equal, stays long
         9  gap            | .     // begins anew, what is held stays
         8                 | .
         7                 | -1    // 7.5 < 8
        ",
    );
}

#[test]
fn card_4_exponential_averages_long_only_with_a_stop_from_outside() {
    // fast: a + 2/3 (x - a) from mean(10, 12) = 11; slow: a + 1/2 (x - a) from mean(10, 12, 11) = 11
    play(
        "kind = 'moving-average-crossover'\naverage = 'exponential'\nfast = 2\nslow = 3
         direction = 'long-only'",
        "
        10                 | .
        12                 | .
        11                 | .     // fast 11 + 2/3 0 = 11, slow 11: equal, nothing to leave
        13                 | 1     // fast 11 + 2/3 2 = 12.3333, slow 12
        14                 | .     // fast 13.4444, slow 13: held
        13  holds=0        | .     // fast 13.1481, slow 13: closed from outside, the heading is the same
         8                 | flat  // fast 13.1481 - 2/3 5.1481 = 9.7160, slow 10.5
         8                 | .     // fast 8.5720, slow 9.25
        12                 | 1     // fast 8.5720 + 2/3 3.4280 = 10.8573, slow 10.625
        ",
    );
}

#[test]
fn card_5_a_band_keeps_averages_that_are_close_from_trading() {
    play(
        "kind = 'moving-average-crossover'\nfast = 1\nslow = 2\nband = 0.05",
        "
        100                | .
        104                | .     // 104 / 102 - 1 = 0.0196
        120                | 1     // 120 / 112 - 1 = 0.0714
        112                | .     // 112 / 116 - 1 = -0.0345
        100                | -1    // 100 / 106 - 1 = -0.0566
        ",
    );
}

#[test]
fn card_6_mean_reversion_enters_leaves_and_waits() {
    // z = (close - mean) / sqrt(sum of squares / 5) of the last 5
    play(
        "kind = 'mean-reversion'\nwindow = 5\nentry = 1.0\nexit = 0.3\nstop = 1.8",
        "
        10                 | .
        12                 | .
        10                 | .
        12                 | .
         9                 | 1     // mean 10.6, squares  7.2, z -1.3333
         9                 | .     // mean 10.4, squares  9.2, z -1.0321
        11                 | flat  // mean 10.2, squares  6.8, z  0.6860: through the exit
        14                 | -1    // mean 11.0, squares 18.0, z  1.5811
        13                 | .     // mean 11.2, squares 20.8, z  0.8825
        11                 | flat  // mean 11.6, squares 15.2, z -0.3441
         6                 | .     // mean 11.0, squares 38.0, z -1.8137: beyond the stop, not entered
         6                 | .     // mean 10.0, squares 58.0, z -1.1744: waits until within the entry
         7                 | .     // mean  8.6, squares 41.2, z -0.5574
         9                 | .     // mean  7.8, squares 18.8, z  0.6189
        12                 | -1    // mean  8.0, squares 26.0, z  1.7541
        ",
    );
}

#[test]
fn card_7_mean_reversion_stops_and_forgets_at_a_gap() {
    play(
        "kind = 'mean-reversion'\nwindow = 5\nentry = 1.0\nexit = 0.3\nstop = 1.8",
        "
        10                 | .
        12                 | .
        10                 | .
        12                 | .
         9                 | 1     // z -1.3333
         1                 | flat  // mean 8.8, squares  82.8, z -1.9167: stopped
         1                 | .     // mean 6.6, squares 109.2, z -1.1983: waits
         3                 | .     // mean 5.2, squares 100.8, z -0.4900: the wait is over
        12                 | -1    // mean 5.2, squares 100.8, z  1.5145
        12  gap refused    | flat  // the mean is not known any more; the order fails
        12                 | flat  // so it is named again, while the window fills
        12                 | .
        12                 | .
        12                 | .     // equal closes: z = 0
        ",
    );
}

#[test]
fn card_8_mean_reversion_turns_at_once_or_long_only_goes_flat() {
    let closes = |last: &str| {
        format!(
            "
        10                 | .
        10                 | .
        10                 | .
        10                 | .
        14                 | .     // mean 10.8, squares 12.8, z  2.0000: beyond the stop
        13                 | .     // mean 11.4, squares 15.2, z  0.9177
        12                 | .     // mean 11.8, squares 12.8, z  0.1250
         9                 | 0.5   // mean 11.6, squares 17.2, z -1.4018
         6                 | .     // mean 10.8, squares 42.8, z -1.6406
         9                 | .     // mean  9.8, squares 30.8, z -0.3223: not yet at the exit
        13                 | {last} // mean  9.8, squares 30.8, z  1.2893
        "
        )
    };
    let config = "kind = 'mean-reversion'\nwindow = 5\nentry = 1.0\nexit = 0.3\nstop = 1.8\nexposure = 0.5";
    play(config, &closes("-0.5"));
    play(&format!("{config}\ndirection = 'long-only'"), &closes("flat"));
}

#[test]
fn card_9_equal_risk_weights_are_inverse_to_the_deviation_of_two() {
    // Log returns in ln 1.1: + - + - ... and 2 (+ + - - ...). In any 8 moments means are 0 and deviations 1 : 2, so
    // w1 = 2 / (1 + 2).
    play(
        "kind = 'equal-risk-contribution'\nwindow = 8\nevery = 4\nexposure = 0.9",
        "
        100  100                   | .    .
        110  121                   | .    .
        100  146.41                | .    .
        110  121                   | .    .
        100  100                   | .    .
        110  121                   | .    .
        100  146.41                | .    .
        110  121                   | .    .
        100  100                   | 0.6  0.3   // ninth moment: eight returns
        110  121                   | .    .
        100  146.41  holds=0.64,0.3 | .    .    // drifted by 0.04, within the band of 0.05
        110  121                   | .    .
        100  100                   | 0.6  0.3   // four moments later
        110  121     holds=0.54,0.3 | 0.6  0.3  // drifted by 0.06
        100  146.41                | .    .
        ",
    );
}

#[test]
fn card_10_nearest_neighbours_learn_that_up_is_followed_by_down() {
    // Features from the fourth candle on. Its outcome, ln(100 / 110) = -0.0953, is known at the fifth, that of the
    // fifth, +0.0953, at the sixth: two learned. Then the nearest to "up" is "up", with distance 0.
    // Costs 0.01 x 2 = 0.02.
    let config = |cost: f64, horizon: usize| {
        format!(
            "kind = 'nearest-neighbours'\nlags = [1]\nfast_volatility = 2\nslow_volatility = 3
             range = 2\nhorizon = {horizon}
             neighbours = 1\nmemory = 3\nminimum_memory = 2\nround_trip_cost = {cost}\nthreshold_factor = 2.0"
        )
    };
    play(
        &config(0.01, 1),
        "
        110                | .
        100                | .
        100                | .
        110                | .
        100                | .     // one learned
        110                | -1    // two learned: the last one from here went down
        100                | 1
        110                | -1
        100  gap           | flat  // no features, and the horizon cannot be counted
        110                | .
        100                | .
        110                | -1    // what was learned stays
        ",
    );
    // Costs 0.05 x 2 = 0.1 are more than 0.0953.
    play(
        &config(0.05, 1),
        "
        110                | .
        100                | .
        100                | .
        110                | .
        100                | .
        110                | .
        100                | .
        ",
    );
}

#[test]
fn card_11_a_position_with_exits_is_named_once() {
    // Opened and stopped within one candle, it looks like an order that failed; only "flat" is repeated.
    play(
        "kind = 'moving-average-crossover'\nfast = 1\nslow = 2\ndirection = 'long-only'\nexits = {}",
        "
        10                 | .
        11  refused        | 1     // 11 > 10.5
        12                 | .     // 12 > 11.5: not held and not named again
        11                 | flat  // 11 < 11.5
        12                 | 1     // 12 > 11.5
        11  refused        | flat  // 11 < 11.5; the order fails
        10                 | flat  // 10 < 10.5: still held
         9                 | .     // 9 < 9.5
        ",
    );
}

#[test]
fn card_12_nearest_neighbours_hold_for_their_horizon() {
    // With a memory of one moment the expectation is the outcome that became known last: the log return of the last
    // two candles. It is held against costs of 0.05.
    play(
        "kind = 'nearest-neighbours'\nlags = [1]\nfast_volatility = 2\nslow_volatility = 3
             range = 2\nhorizon = 2
         neighbours = 1\nmemory = 1\nminimum_memory = 1\nround_trip_cost = 0.05\nthreshold_factor = 1.0",
        "
        110                | .
        100                | .
        100                | .
        110                | .     // first features
        100                | .
        110                | .     // ln(110 / 110) = 0
        121                | 1     // ln(121 / 100) = 0.1906: for two candles from here
        112                | .     // ln(112 / 110) = 0.0180, less than the costs: first candle
        118                | flat  // ln(118 / 121) = -0.0251: second candle, the horizon is over
        120  refused       | 1     // ln(120 / 112) = 0.0690; the order fails
        121                | 1     // ln(121 / 118) = 0.0251: named again within the horizon
        119                | flat  // ln(119 / 120) = -0.0084: the horizon is over
        130                | 1     // ln(130 / 121) = 0.0717
        126                | .     // ln(126 / 119) = 0.0572: speaks for it anew
        129                | .     // ln(129 / 130) = -0.0077: first candle after
        127                | flat  // ln(127 / 126) = 0.0079: second candle after
        114                | -1    // ln(114 / 129) = -0.1236
        300  gap           | flat  // nothing is learned across the gap,
        300                | .
        300                | .
        300                | -1    // so the last outcome is still -0.1236, not ln(300 / 127)
        ",
    );
}
