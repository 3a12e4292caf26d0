//! Cards: each row is one candle, `candle | probabilities | action | more | position => target | votes`.
//!
//! - candle: `close` or `high/low/close`; one hour each, the first closes on Monday 2024-01-01 at 00:00 UTC;
//! - probabilities of sell and buy (hold is the rest), or `-`; action: sell, hold, buy, a target, or `-`;
//! - more: `spread=`, `gap`, `t=` (the close time), or `-`;
//! - position: `long` or `short`, with `held=`, `entry=`, `profit=`; or `-`;
//! - target: `-` for none named, `flat`, `long 0.6` and `short -` with the win probability, `+0.5` for an exposure;
//! - votes: `voter stance value threshold`, all of them, in order.

mod cards;
mod invariants;
mod truth_table;

use market_data::{Candle, Timestamp};

use super::*;
use crate::market::{PolicyAction, Signal};

const HOUR: i64 = 3_600_000;
const MONDAY: i64 = 1_704_067_200_000;

fn config(text: &str) -> HybridConfig {
    toml::from_str(text).unwrap()
}

fn strategy(text: &str) -> HybridStrategy {
    HybridStrategy::new(config(text), 1).unwrap()
}

fn candle(high: f64, low: f64, close: f64) -> Candle {
    let open_time = Timestamp::from_millis(0);
    Candle { open_time, open: close, high, low, close, volume: 1.0, turnover: None }
}

fn position(quantity: f64) -> PositionView {
    PositionView {
        instrument: InstrumentIndex(0),
        quantity,
        entry_price: 100.0,
        mark_price: 100.0,
        exposure: quantity,
        unrealised: 0.0,
        candles_held: 1,
    }
}

fn update(candle: Candle, probabilities: Option<[f32; 3]>, action: Option<PolicyAction>) -> MarketUpdate {
    MarketUpdate {
        instrument: InstrumentIndex(0),
        candle,
        mark_price: None,
        relative_spread: None,
        after_gap: false,
        signal: Signal { probabilities, action },
    }
}

fn decide(
    strategy: &mut HybridStrategy,
    time: Timestamp,
    update: MarketUpdate,
    position: Option<PositionView>,
) -> Decision {
    let mut decision = Decision::default();
    let portfolio = PortfolioView { equity: 1000.0, free: 1000.0, positions: position.as_slice() };
    strategy.decide(&MarketView { time, updates: &[update] }, &portfolio, &mut decision);
    decision
}

/// Plays the rows and compares each with what it says; returns what the last one explains.
fn play(strategy: &mut HybridStrategy, rows: &str) -> String {
    let mut explanation = String::new();
    for (index, row) in rows.lines().map(str::trim).filter(|row| !row.is_empty()).enumerate() {
        let (inputs, expected) = row.split_once("=>").unwrap();
        let inputs: Vec<&str> = inputs.split('|').map(str::trim).collect();
        let (target, votes) = expected.split_once('|').unwrap();
        let [prices, probabilities, action, more, held] = inputs[..] else { panic!("row {row}") };
        let mut time = Timestamp::from_millis(MONDAY + index as i64 * HOUR);
        let prices: Vec<f64> = prices.split('/').map(number).collect();
        let close = prices[prices.len() - 1];
        let bar =
            if prices.len() == 3 { candle(prices[0], prices[1], close) } else { candle(close, close, close) };
        let mut update = update(bar, read_probabilities(probabilities), read_action(action));
        for word in more.split_whitespace().filter(|word| *word != "-") {
            match word.split_once('=') {
                Some(("spread", value)) => update.relative_spread = Some(number(value)),
                Some(("t", value)) => time = value.parse().unwrap(),
                _ if word == "gap" => update.after_gap = true,
                _ => panic!("{word} in {row}"),
            }
        }
        let decision = decide(strategy, time, update, read_position(held));
        assert_eq!(show_targets(&decision), target.trim(), "target of row {index}: {row}");
        assert_votes(&decision.votes, votes, row);
        explanation = explain(&decision.votes).to_string();
    }
    explanation
}

fn number(text: &str) -> f64 {
    text.trim().parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

fn read_probabilities(text: &str) -> Option<[f32; 3]> {
    let (sell, buy) = text.split_once(' ')?;
    let (sell, buy) = (sell.parse::<f32>().unwrap(), buy.trim().parse::<f32>().unwrap());
    Some([sell, 1.0 - sell - buy, buy])
}

fn read_action(text: &str) -> Option<PolicyAction> {
    match text {
        "-" => None,
        "sell" => Some(PolicyAction::Sell),
        "hold" => Some(PolicyAction::Hold),
        "buy" => Some(PolicyAction::Buy),
        target => Some(PolicyAction::Target(target.parse().unwrap())),
    }
}

fn read_position(text: &str) -> Option<PositionView> {
    let mut words = text.split_whitespace();
    let mut view = match words.next()? {
        "long" => position(2.0),
        "short" => position(-2.0),
        _ => return None,
    };
    for word in words {
        match word.split_once('=').unwrap() {
            ("held", value) => view.candles_held = value.parse().unwrap(),
            ("entry", value) => view.entry_price = number(value),
            ("profit", value) => view.unrealised = number(value),
            _ => panic!("{word} in {text}"),
        }
    }
    Some(view)
}

fn show_targets(decision: &Decision) -> String {
    let edge = |name: &str, edge: Edge| match edge.win_probability {
        Some(probability) => format!("{name} {probability:.2}"),
        None => format!("{name} -"),
    };
    match decision.targets[..] {
        [] => "-".to_owned(),
        [target] => match target.position {
            TargetPosition::Flat => "flat".to_owned(),
            TargetPosition::Exposure(share) => format!("{share:+}"),
            TargetPosition::Long(of) => edge("long", of),
            TargetPosition::Short(of) => edge("short", of),
        },
        _ => panic!("more than one target: {decision:?}"),
    }
}

fn assert_votes(votes: &[Vote], expected: &str, row: &str) {
    let expected: Vec<&str> = expected.split(';').map(str::trim).collect();
    assert_eq!(votes.len(), expected.len(), "votes of {row}: {votes:?}");
    for (vote, expected) in votes.iter().zip(expected) {
        let [voter, stance, value, threshold] = expected.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{expected} in {row}")
        };
        assert_eq!(name(&vote.voter), voter, "{row}: {vote:?}");
        assert_eq!(name(&vote.stance), stance, "{row}: {vote:?}");
        for (got, wanted) in [(vote.value, number(value)), (vote.threshold, number(threshold))] {
            assert!((got - wanted).abs() <= 1e-6, "{row}: {vote:?} is not {expected}");
        }
    }
}

/// The name as it is serialized.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap().trim_matches('"').to_owned()
}
