//! Cards that a trader can check by hand, and what is refused.

use market_data::{Candle, InstrumentRules, Timestamp};
use rust_decimal::Decimal;

use super::properties::full_plan;
use super::*;
use crate::grid::Grid;
use crate::order::Side;

/// One card a string. Lines: `plan` (TOML, may repeat), `grid tick lot minimum` (else 0.1 0.001 0.001), `open
/// long|short quantity @ price [atr a]`, `candle open high low close [atr a] => action`, `fill rung
/// quantity`, `reduce quantity`, `add quantity @ price [atr a]`, `signal => action`; and what must hold then:
/// `stop price`, `risk price`, `rungs number:priceXquantity ..`. After `#` stands the arithmetic.
const CARDS: &[&str] = &[
    "fixed stop long
     plan stop = { fraction = 0.02 }
     open long 1 @ 100.05
     stop 98.1                            # 100.05 x 0.98 = 98.049, up
     risk 1.95                            # 100.05 - 98.1
     candle 100 130 98.2 129 => none      # a fixed stop stays
     candle 129 130 98.1 100 => none      # touched: the venue's affair
     stop 98.1",
    "fixed stop short
     plan stop = { fraction = 0.02 }
     open short 1 @ 100.05
     stop 102.0                           # 100.05 x 1.02 = 102.051, down
     risk 1.95
     candle 100 101.9 60 61 => none
     stop 102.0",
    "ATR stop long
     plan stop = { atr = { multiple = 2.0 } }
     open long 1 @ 100 atr 1.23
     stop 97.6                            # 100 - 2.46 = 97.54, up
     candle 100 101 99 100 atr 0.1 => none   # it is not measured again
     stop 97.6",
    "ATR stop short
     plan stop = { atr = { multiple = 2.0 } }
     open short 1 @ 100 atr 1.23
     stop 102.4                           # 102.46, down",
    "stop and target nearer than a tick are one tick away
     plan stop = { fraction = 0.0001 }
     plan targets = [{ distance = { fraction = 0.0001 }, share = 1.0 }]
     open long 1 @ 100                    # 99.99 up is 100, where it would trade at once
     stop 99.9
     rungs 0:100.1x1                      # 100.01 up",
    "stop below zero lies on the lowest price; short target below zero is left out
     plan stop = { atr = { multiple = 3.0 } }
     open long 1 @ 100 atr 50
     stop 0.1                             # 100 - 150 = -50",
    "short target below zero is left out, the other stays
     plan targets = [{ distance = { fraction = 1.5 }, share = 0.5 }, { distance = { fraction = 0.1 }, share = 0.5 }]
     open short 1 @ 100
     stop none
     rungs 1:90x0.5                       # 100 x (1 - 1.5) = -50",
    "trailing long
     plan trailing = { distance = { fraction = 0.05 } }
     open long 1 @ 100
     stop 95                              # from the start: 100 x 0.95
     candle 100 104 99 103 => move 98.8   # 104 x 0.95
     candle 103 103.5 99 100 => none      # lower high: never loosens
     stop 98.8
     candle 100 110.3 99.5 109 => move 104.8   # 110.3 x 0.95 = 104.785, up",
    "trailing short
     plan trailing = { distance = { fraction = 0.05 } }
     open short 1 @ 100
     stop 105
     candle 100 101 96 97 => move 100.8   # 96 x 1.05
     candle 97 100 97 99 => none
     candle 99 99.5 90.1 92 => move 94.6  # 90.1 x 1.05 = 94.605, down",
    "trailing over a gap: the candle opens beyond the stop, whatever it did later
     plan trailing = { distance = { fraction = 0.05 } }
     open long 1 @ 100
     candle 100 110 99 109 => move 104.5
     candle 101 120 100 119 => none
     stop 104.5                           # its high of 120 does not count
     candle 119 119.5 118 119 => move 113.6   # still held: 119.5 x 0.95 = 113.525, up",
    "the stop of a candle's own high does not count against its low
     plan trailing = { distance = { fraction = 0.05 } }
     open long 1 @ 100
     candle 100 110 96 109 => move 104.5  # the low of 96 was above 95, the stop at that time",
    "chandelier never loosens when the ATR grows; the last ATR stays where there is none
     plan trailing = { distance = { atr = { multiple = 2.0 } } }
     open long 1 @ 100 atr 2
     stop 96
     candle 100 110 99 109 atr 2 => move 106   # 110 - 4
     candle 109 110 108 109 atr 10 => none     # 110 - 20 = 90
     stop 106
     candle 109 110 108 109 atr 1 => move 108  # 110 - 2; the low of 108 came before
     candle 109 112 108.5 112 => move 110      # 112 - 2",
    "trailing starts after 1.5 R
     plan stop = { fraction = 0.02 }
     plan trailing = { distance = { fraction = 0.01 }, activation = { risk = { multiple = 1.5 } } }
     open long 1 @ 100
     stop 98
     risk 2
     candle 100 102.9 99 102.5 => none    # 2.9 < 1.5 x 2
     candle 102.5 103 102 102.9 => move 102    # 103 x 0.99 = 101.97, up",
    "a trailing stop at or beyond the close closes at market and stays where it was
     plan trailing = { distance = { fraction = 0.05 } }
     open long 1 @ 100
     candle 100 110 99 104.5 => close stop     # 110 x 0.95 = 104.5 is the close
     stop 95
     candle 104.5 106 104 104.4 => close stop  # not closed yet: asked again
     candle 104.4 106 104 105 => move 104.5",
    "break-even long covers fees
     plan stop = { fraction = 0.02 }
     plan break_even = { activation = { risk = { multiple = 1.0 } }, offset = 0.001 }
     open long 1 @ 100.05
     stop 98.1
     candle 100 101.9 99 101 => none      # 1.85 < R = 1.95
     candle 101 102 100.5 101 => move 100.2    # 102 - 100.05 = R; 100.05 x 1.001 = 100.15005, up
     candle 101 105 100.5 104 => none     # once
     stop 100.2",
    "break-even short covers fees
     plan stop = { fraction = 0.02 }
     plan break_even = { activation = { risk = { multiple = 1.0 } }, offset = 0.001 }
     open short 1 @ 100.05
     stop 102
     candle 100 101 98.1 99 => move 99.9  # 100.05 - 98.1 = R; 100.05 x 0.999 = 99.94995, down",
    "break-even missed by the close closes
     plan break_even = { activation = { atr = { multiple = 2.0 } } }
     open long 1 @ 100 atr 1
     stop none
     candle 100 102 99 99.5 => close stop # seen 2 ATR, fell back below the entry",
    "ladder of thirds in lots, fills and a reduction
     plan stop = { fraction = 0.02 }
     plan targets = [{ distance = { risk = { multiple = 1.0 } }, share = 0.3333333333 },
                     { distance = { risk = { multiple = 2.0 } }, share = 0.3333333333 },
                     { distance = { risk = { multiple = 3.0 } }, share = 0.3333333333 }]
     open long 0.010 @ 100
     rungs 0:102x0.003 1:104x0.003 2:106x0.004    # 3.33, 6.67 and 10 lots in all: 3, 6, 10
     fill 0 0.003
     rungs 1:104x0.003 2:106x0.004
     fill 1 0.001
     rungs 1:104x0.002 2:106x0.004
     reduce 0.003                         # half of 6 lots: shares 2.67 and 3.33 become 1.33 and 1.67
     rungs 1:104x0.001 2:106x0.002
     stop 98
     reduce 0.003
     rungs none
     stop none",
    "a share that misses a lot by a rounded decimal has that lot
     plan targets = [{ distance = { fraction = 0.01 }, share = 0.33333333 },
                     { distance = { fraction = 0.02 }, share = 0.33333333 }]
     open long 0.030 @ 100
     rungs 0:101x0.01 1:102x0.01          # 9.9999999 and 19.9999998 lots",
    "what the ladder does not cover stays with the stop
     plan targets = [{ distance = { fraction = 0.01 }, share = 0.25 }, { distance = { fraction = 0.03 }, share = 0.25 }]
     open short 1 @ 100.05
     rungs 0:99x0.25 1:97x0.25            # 99.0495 and 97.0485, down",
    "rungs are ordered by price and keep their numbers
     plan targets = [{ distance = { atr = { multiple = 3.0 } }, share = 0.4 }, { distance = { fraction = 0.01 }, share = 0.5 }]
     open long 1 @ 100 atr 1
     rungs 1:101x0.5 0:103x0.4",
    "a rung below the minimum goes on to the next; the last one stays with the stop
     grid 0.1 0.001 0.004
     plan targets = [{ distance = { fraction = 0.01 }, share = 0.2 }, { distance = { fraction = 0.02 }, share = 0.4 },
                     { distance = { fraction = 0.03 }, share = 0.2 }]
     open long 0.010 @ 100
     rungs 1:102x0.006                    # 2 lots are less than 4; 2 + 4; 2 lots again
     fill 1 0.006
     rungs none
     add 0.010 @ 100                      # 4 lots become 14: the share of 2 becomes 7
     rungs 2:103x0.007",
    "what is left of a touched rung may be smaller than the minimum
     grid 0.1 0.001 0.004
     plan targets = [{ distance = { fraction = 0.01 }, share = 0.5 }, { distance = { fraction = 0.02 }, share = 0.5 }]
     open long 0.010 @ 100
     fill 0 0.003
     rungs 0:101x0.002 1:102x0.005
     fill 0 0.002
     rungs 1:102x0.005",
    "time stop
     plan time_stop = { candles = 3 }
     open long 1 @ 100
     candle 100 101 99 100.5 => none
     candle 100 101 99 100.5 => none
     candle 100 101 99 100.5 => close time
     candle 100 101 99 100.5 => close time",
    "time stop before a move of the stop; the stop does not move unseen
     plan time_stop = { candles = 1 }
     plan trailing = { distance = { fraction = 0.05 } }
     open long 1 @ 100
     candle 100 110 99 109 => close time
     stop 95",
    "time stop only without profit
     plan time_stop = { candles = 2, unless_in_profit = true }
     open short 1 @ 100
     candle 100 101 99 100.5 => none      # too young
     candle 100 101 99 99.9 => none       # in profit
     candle 100 101 99 100 => close time  # at the entry price is none",
    "opposite signal
     plan opposite_signal = true
     open long 1 @ 100
     signal => close opposite-signal
     reduce 1
     signal => none",
    "opposite signal not asked for
     plan stop = { fraction = 0.02 }
     open long 1 @ 100
     signal => none",
    "addition tightens
     plan stop = { fraction = 0.02 }
     plan targets = [{ distance = { risk = { multiple = 2.0 } }, share = 0.5 }]
     open long 1 @ 100
     rungs 0:104x0.5
     add 1 @ 110
     stop 102.9                           # (100 + 110) / 2 = 105; 105 x 0.98
     risk 2.1
     rungs 0:109.2x1                      # 105 + 2 x 2.1",
    "addition never loosens
     plan stop = { fraction = 0.02 }
     open long 1 @ 100
     add 1 @ 99
     stop 98                              # 99.5 x 0.98 = 97.51 is farther
     risk 1.9                             # 99.5 - 97.6",
    "addition never loosens a short
     plan stop = { fraction = 0.02 }
     open short 1 @ 100
     add 3 @ 101
     stop 102                             # 100.75 x 1.02 = 102.765
     add 4 @ 90
     stop 97.2                            # (4 x 100.75 + 4 x 90) / 8 = 95.375; x 1.02 = 97.2825, down",
    "addition under a smaller ATR does not put the stop beyond the market
     plan stop = { atr = { multiple = 1.0 } }
     open long 1 @ 100 atr 10
     stop 90
     add 1 @ 91 atr 2                     # 95.5 - 2 = 93.5 is above 91
     stop 90",
    "an older high does not earn break-even for an addition
     plan break_even = { activation = { fraction = 0.05 }, offset = 0.001 }
     open long 1 @ 100
     candle 100 106 99 101 => move 100.1
     add 3 @ 101                          # entry 100.75, activation at 105.7875, below the old high of 106
     candle 101 103 100.5 102 => none
     stop 100.1
     candle 102 105.8 101 105 => move 100.9    # 100.75 x 1.001 = 100.85075, up",
    "break-even is earned anew after an addition
     plan break_even = { activation = { fraction = 0.05 }, offset = 0.001 }
     open long 1 @ 100
     candle 100 105 99 104 => move 100.1
     add 1 @ 104                          # entry 102, activation at 107.1
     candle 104 107 103 106 => none
     candle 106 107.1 103 106 => move 102.2    # 102 x 1.001 = 102.102, up",
];

pub(super) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

pub(super) fn grid(tick: &str, lot: &str, minimum: &str) -> Grid {
    Grid::new(&InstrumentRules {
        valid_from: Timestamp::default(),
        valid_until: None,
        tick_size: decimal(tick),
        lot_size: decimal(lot),
        minimum_quantity: decimal(minimum),
        maximum_quantity: None,
        minimum_notional: Decimal::ZERO,
        maximum_leverage: None,
    })
}

pub(super) fn candle(open: f64, high: f64, low: f64, close: f64) -> Candle {
    Candle { open_time: Timestamp::default(), open, high, low, close, volume: 1.0, turnover: None }
}

fn written(action: ExitAction) -> String {
    match action {
        ExitAction::None => "none".to_owned(),
        ExitAction::MoveStop(price) => format!("move {}", price.normalize()),
        ExitAction::Close(CloseReason::Stop) => "close stop".to_owned(),
        ExitAction::Close(CloseReason::Time) => "close time".to_owned(),
        ExitAction::Close(CloseReason::OppositeSignal) => "close opposite-signal".to_owned(),
        ExitAction::Close(
            reason @ (CloseReason::Decision | CloseReason::Halt | CloseReason::Unprotected),
        ) => {
            panic!("{reason:?} is said by the engine, not by exits")
        }
    }
}

fn optional(price: Option<Decimal>) -> String {
    price.map_or("none".to_owned(), |price| price.normalize().to_string())
}

fn rungs(state: &ExitState) -> String {
    let rungs = state
        .rungs()
        .map(|rung| format!("{}:{}x{}", rung.number, rung.price.normalize(), rung.quantity.normalize()));
    let rungs = rungs.collect::<Vec<_>>().join(" ");
    if rungs.is_empty() { "none".to_owned() } else { rungs }
}

/// The number after `word`.
fn after(words: &[&str], word: &str) -> Option<f64> {
    let at = words.iter().position(|candidate| *candidate == word)?;
    Some(words[at + 1].parse().unwrap())
}

struct Player {
    plan: String,
    grid: Grid,
    state: Option<ExitState>,
}

impl Player {
    /// Does what a line says; what was expected and what came out, where it expects something.
    fn play(&mut self, line: &str) -> Option<(String, String)> {
        let (event, expected) = line.split_once(" => ").unwrap_or((line, ""));
        let words: Vec<&str> = event.split_whitespace().collect();
        let atr = after(&words, "atr");
        if words[0] == "grid" {
            self.grid = grid(words[1], words[2], words[3]);
            return None;
        }
        if words[0] == "open" {
            let plan: ExitPlan = toml::from_str(&self.plan).unwrap();
            let side = if words[1] == "long" { Side::Buy } else { Side::Sell };
            let (quantity, price) = (decimal(words[2]), decimal(words[4]));
            self.state = Some(ExitState::open(&plan, side, price, quantity, atr, &self.grid).unwrap());
            return None;
        }
        let Some(state) = self.state.as_mut() else { panic!("`{line}` before `open`") };
        let rest = event.split_once(' ').map_or("", |(_, rest)| rest).trim().to_owned();
        match words[0] {
            "stop" => return Some((rest, optional(state.stop()))),
            "risk" => return Some((rest, optional(state.initial_risk()))),
            "rungs" => return Some((rest, rungs(state))),
            "candle" => {
                let [open, high, low, close] = [1, 2, 3, 4].map(|at| words[at].parse().unwrap());
                let action = state.on_candle(&candle(open, high, low, close), atr, &self.grid);
                return Some((expected.to_owned(), written(action)));
            }
            "signal" => return Some((expected.to_owned(), written(state.on_opposite_signal()))),
            "fill" => {
                state.on_rung_filled(words[1].parse().unwrap(), decimal(words[2]), &self.grid).unwrap();
            }
            "reduce" => state.on_reduction(decimal(words[1]), &self.grid).unwrap(),
            "add" => state.on_addition(decimal(words[3]), decimal(words[1]), atr, &self.grid).unwrap(),
            word => panic!("no card knows `{word}`"),
        }
        None
    }
}

#[test]
fn cards() {
    let mut faults = Vec::new();
    for card in CARDS {
        let (name, lines) = card.split_once('\n').unwrap();
        let mut player = Player { plan: String::new(), grid: grid("0.1", "0.001", "0.001"), state: None };
        let mut checks = 0;
        for line in lines.lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            // A plan may go on for lines, until the next event.
            if let Some(toml) = line.strip_prefix("plan ").or(line.starts_with('{').then_some(line)) {
                player.plan.push_str(toml);
                player.plan.push('\n');
                continue;
            }
            if line.is_empty() {
                continue;
            }
            let Some((expected, found)) = player.play(line) else { continue };
            checks += 1;
            let expected = normalised(&expected);
            if expected != found {
                faults.push(format!("{name}: `{line}`: expected {expected}, found {found}"));
            }
        }
        assert!(checks > 0, "{name} checks nothing");
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// `move 104.50` as `move 104.5`, `102.0` as `102`.
fn normalised(expected: &str) -> String {
    let word =
        |word: &str| word.parse::<Decimal>().map_or(word.to_owned(), |value| value.normalize().to_string());
    expected.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn senseless_plans_are_refused() {
    for (plan, part) in [
        ("stop = { fraction = 1.0 }", "exits.stop = 1: give a fraction above 0"),
        ("stop = { fraction = nan }", "exits.stop = NaN"),
        ("stop = { atr = { multiple = 0.0 } }", "exits.stop = 0"),
        ("trailing = { distance = { fraction = -0.1 } }", "exits.trailing.distance = -0.1"),
        (
            "trailing = { distance = { fraction = 0.1 }, activation = { risk = { multiple = 1.0 } } }",
            "state exits.stop",
        ),
        (
            "break_even = { activation = { fraction = 0.01 }, offset = 0.01 }",
            "exits.break_even.offset = 0.01",
        ),
        (
            "break_even = { activation = { fraction = 0.01 }, offset = -0.1 }",
            "exits.break_even.offset = -0.1",
        ),
        ("time_stop = { candles = 0 }", "exits.time_stop.candles = 0"),
        ("targets = [{ distance = { fraction = 0.01 }, share = 0.0 }]", "exits.targets.share = 0"),
        (
            "targets = [{ distance = { fraction = 0.01 }, share = 0.6 }, { distance = { fraction = 0.02 }, share = 0.6 }]",
            "exits.targets.share = 1.2",
        ),
        ("targets = [{ distance = { fraction = inf }, share = 0.6 }]", "exits.targets.distance = inf"),
    ] {
        let error = toml::from_str::<ExitPlan>(plan).unwrap().validate().unwrap_err().to_string();
        assert!(error.contains(part), "{plan}: {error}");
    }
    let rung = "{ distance = { fraction = 0.01 }, share = 0.1 }";
    let five = format!("targets = [{}]", [rung; 5].join(", "));
    assert!(toml::from_str::<ExitPlan>(&five).unwrap_err().to_string().contains("at most 4"));
    for text in [
        "stops = 1",
        "stop = { fractions = 0.1 }",
        "trailing = { distance = { fraction = 0.1 }, activate = 1 }",
    ] {
        assert!(toml::from_str::<ExitPlan>(text).is_err(), "{text}");
    }
    let target = ProfitTarget { distance: ProfitRule::Fraction(0.1), share: 0.1 };
    let gap = ExitPlan { targets: [None, Some(target), None, None], ..ExitPlan::default() };
    assert!(gap.validate().unwrap_err().to_string().contains("without gaps"));
}

#[test]
fn what_cannot_be_followed_is_refused_and_changes_nothing() {
    let grid = grid("0.1", "0.001", "0.001");
    let one = Decimal::ONE;
    let open = |plan: &str, price: &str, quantity: &str, atr: Option<f64>| {
        ExitState::open(
            &toml::from_str(plan).unwrap(),
            Side::Buy,
            decimal(price),
            decimal(quantity),
            atr,
            &grid,
        )
    };
    for (plan, price, quantity, atr, part) in [
        ("stop = { atr = { multiple = 2.0 } }", "100", "1", None, "there is no ATR yet"),
        ("stop = { atr = { multiple = 2.0 } }", "100", "1", Some(f64::NAN), "there is no ATR yet"),
        (
            "trailing = { distance = { atr = { multiple = 2.0 } } }",
            "100",
            "1",
            None,
            "exits.trailing.distance = 2 ATR",
        ),
        (
            "break_even = { activation = { atr = { multiple = 2.0 } } }",
            "100",
            "1",
            None,
            "exits.break_even.activation",
        ),
        (
            "targets = [{ distance = { atr = { multiple = 2.0 } }, share = 1.0 }]",
            "100",
            "1",
            None,
            "exits.targets.distance",
        ),
        ("stop = { fraction = 0.5 }", "0.1", "1", None, "no price that near zero"),
        ("", "0", "1", None, "entry price of a position"),
        ("", "100", "-1", None, "quantity of a position"),
        ("", "100", "100000000000000", None, "quantity = 100000000000000 is beyond"),
    ] {
        let error = open(plan, price, quantity, atr).unwrap_err().to_string();
        assert!(error.contains(part), "{plan}: {error}");
    }
    let mut state = open("stop = { fraction = 0.02 }", "100", "1", None).unwrap();
    let before = state;
    assert!(state.on_reduction(decimal("1.001"), &grid).is_err());
    assert!(state.on_rung_filled(0, one, &grid).is_err());
    assert!(state.on_addition(Decimal::ZERO, one, None, &grid).is_err());
    assert!(state.on_addition(one, decimal("99999999999999"), None, &grid).is_err());
    assert_eq!(state, before);
    // A candle that cannot have happened only counts as time.
    assert_eq!(state.on_candle(&candle(f64::NAN, 1.0, 1.0, 1.0), None, &grid), ExitAction::None);
    assert_eq!((state.stop(), state.candles_held()), (before.stop(), 1));
    state.on_reduction(one, &grid).unwrap();
    assert!(state.on_addition(one, one, None, &grid).is_err());
    let text = serde_json::to_string(&before).unwrap();
    assert_eq!(serde_json::from_str::<ExitState>(&text).unwrap(), before);
}

#[test]
fn plans_survive_being_written() {
    assert_eq!(toml::from_str::<ExitPlan>("").unwrap(), ExitPlan::default());
    let plan = full_plan(0.02, 0.05, 0.3);
    let text = toml::to_string(&plan).unwrap();
    assert_eq!(toml::from_str::<ExitPlan>(&text).unwrap(), plan, "{text}");
}
