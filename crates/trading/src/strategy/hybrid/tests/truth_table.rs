//! Every row of the truth table, what counts as a vote and how it reads, and the configuration.

use super::super::model_vote::{Opinion, combine};
use super::*;

use Direction::{Long, Short};

fn opinion(word: &str) -> Opinion {
    match word {
        "long" => Opinion::Towards(Long),
        "short" => Opinion::Towards(Short),
        "flat" => Opinion::Hold,
        "abstains" => Opinion::Abstains,
        _ => panic!("{word}"),
    }
}

fn combined(word: &str) -> Combined {
    match word {
        "long" => Combined::Towards { direction: Long, vetoed: false },
        "short" => Combined::Towards { direction: Short, vetoed: false },
        "(long)" => Combined::Towards { direction: Long, vetoed: true },
        "(short)" => Combined::Towards { direction: Short, vetoed: true },
        "-" => Combined::Hold,
        "silent" => Combined::Silent,
        _ => panic!("{word}"),
    }
}

/// `weighted` with weights 0.6 and 0.4 and minimum score 0.5: scores ±1, ±0.6, ±0.4, ±0.2, 0.
const TABLE: &str = "
    model    policy    unanimous model-only policy-only model-with-policy-veto weighted
    long     long      long      long       long        long                   long
    long     flat      -         long       -           long                   long
    long     short     -         long       short       (long)                 -
    long     abstains  silent    long       silent      long                   long
    flat     long      -         -          long        -                      -
    flat     flat      -         -          -           -                      -
    flat     short     -         -          short       -                      -
    flat     abstains  silent    -          silent      -                      -
    short    long      -         short      long        (short)                -
    short    flat      -         short      -           short                  short
    short    short     short     short      short       short                  short
    short    abstains  silent    short      silent      short                  short
    abstains long      silent    silent     long        silent                 -
    abstains flat      silent    silent     -           silent                 -
    abstains short     silent    silent     short       silent                 -
    abstains abstains  silent    silent     silent      silent                 silent
";

#[test]
fn the_truth_table_holds_row_by_row() {
    let mut lines = TABLE.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let head = lines.by_ref().find(|words| !words.is_empty()).unwrap();
    let rows: Vec<_> = lines.filter(|words| !words.is_empty()).collect();
    assert_eq!(rows.len(), 16);
    for row in rows {
        for (name, expected) in head.iter().zip(&row).skip(2) {
            let mut config = config(&format!("combination = \"{name}\""));
            (config.model.weight, config.policy.weight) = (Some(0.6), Some(0.4));
            let got = combine(&config, opinion(row[0]), opinion(row[1]));
            assert_eq!(got, combined(expected), "{name}: {row:?}");
        }
    }
}

#[test]
fn weights_and_the_minimum_score_decide() {
    // (3·1 + 1·(-1)) / 4 = 0.5; (1·1 + 3·(-1)) / 4 = -0.5; (1·1 + 1·0) / 2 = 0.5.
    for (model, policy, minimum, votes, expected) in [
        (3.0, 1.0, 0.5, ("long", "short"), "long"),
        (3.0, 1.0, 0.51, ("long", "short"), "-"),
        (1.0, 3.0, 0.5, ("long", "short"), "short"),
        (1.0, 1.0, 0.5, ("long", "flat"), "long"),
        (1.0, 1.0, 0.6, ("long", "abstains"), "-"),
        (1.0, 1.0, 1.0, ("short", "short"), "short"),
    ] {
        let mut config = config("combination = \"weighted\"");
        (config.model.weight, config.policy.weight) = (Some(model), Some(policy));
        config.minimum_score = Some(minimum);
        let got = combine(&config, opinion(votes.0), opinion(votes.1));
        assert_eq!(got, combined(expected), "{model} {policy} {minimum} {votes:?}");
    }
}

#[test]
fn a_class_needs_its_probability_and_its_margin() {
    let thresholds = ModelThresholds { minimum_probability: 0.55, minimum_margin: 0.3, weight: None };
    for (probabilities, expected, value, needed) in [
        ([0.1, 0.28, 0.62], "long", 0.62, 0.55),
        ([0.62, 0.28, 0.1], "short", 0.62, 0.55),
        ([0.1, 0.36, 0.54], "flat", 0.54, 0.55),
        // The opposite class and the margin need 0.35 + 0.3 = 0.65.
        ([0.35, 0.03, 0.62], "flat", 0.62, 0.65),
        // Hold is the likeliest, but no one's opposite.
        ([0.1, 0.8, 0.1], "flat", 0.1, 0.55),
    ] {
        let heard = hear_model(&thresholds, Some(probabilities));
        assert_eq!(heard.opinion, opinion(expected), "{probabilities:?}");
        assert!((heard.value - value).abs() < 1e-6 && (heard.threshold - needed).abs() < 1e-6, "{heard:?}");
    }
    // 0.7 in f32 is less than 0.7 in f64; a trader who reads 0.7 ≥ 0.7 is right.
    let seven = ModelThresholds { minimum_probability: 0.7, minimum_margin: 0.0, weight: None };
    assert_eq!(hear_model(&seven, Some([0.1, 0.2, 0.7])).opinion, opinion("long"));
    // Equally likely is no direction, whatever the margin.
    let none = ModelThresholds { minimum_probability: 0.1, minimum_margin: 0.0, weight: None };
    assert_eq!(hear_model(&none, Some([0.4, 0.2, 0.4])).opinion, opinion("flat"));
    for unusable in [None, Some([f32::NAN, 0.5, 0.5]), Some([0.9, 0.9, 0.9]), Some([-0.1, 0.1, 1.0])] {
        assert_eq!(hear_model(&none, unusable).opinion, opinion("abstains"), "{unusable:?}");
    }
}

#[test]
fn an_action_is_a_direction_outside_the_dead_band() {
    let thresholds = PolicyThresholds { dead_band: 0.2, weight: None };
    for (action, expected, value) in [
        (Some(PolicyAction::Buy), "long", 1.0),
        (Some(PolicyAction::Sell), "short", -1.0),
        (Some(PolicyAction::Hold), "flat", 0.0),
        (Some(PolicyAction::Target(0.21)), "long", 0.21),
        (Some(PolicyAction::Target(0.2)), "flat", 0.2),
        (Some(PolicyAction::Target(-0.2)), "flat", -0.2),
        (Some(PolicyAction::Target(-0.21)), "short", -0.21),
        (Some(PolicyAction::Target(f32::NAN)), "abstains", 0.0),
        (None, "abstains", 0.0),
    ] {
        let heard = hear_policy(&thresholds, action);
        assert_eq!(heard.opinion, opinion(expected), "{action:?}");
        assert!((heard.value - value).abs() < 1e-6, "{heard:?}");
    }
}

#[test]
fn a_configuration_survives_toml() {
    let text = r#"
        combination = "weighted"
        minimum_score = 0.7
        [model]
        minimum_probability = 0.6
        weight = 2.0
        [policy]
        dead_band = 0.05
        [filters]
        regime = { period = 30, trade = "flat" }
        volatility = { measure = "ewma", maximum = 0.02 }
        spread = { unknown = "passes" }
        trend = {}
        cool_down = { candles = 2 }
        confirmation = { candles = 3 }
        [filters.session]
        weekdays = ["monday", "friday"]
        hours = [{ from = 22, until = 2 }]
        [position]
        sides = "long-and-short"
        on_opposite = "flip"
        on_hold = "close"
        minimum_holding = 4
        size = { kind = "exposure", share = 0.25 }
        [exits]
        opposite_signal = true
    "#;
    let read = config(text);
    read.validate().unwrap();
    assert_eq!(
        read.filters.regime,
        Some(RegimeFilter { period: 30, trending_from: 0.3, trade: Regime::Flat })
    );
    assert_eq!(read.position.size, HybridSize::Exposure { share: 0.25 });
    assert!(read.exits.is_some());
    for original in [read, HybridConfig::default()] {
        assert_eq!(config(&toml::to_string(&original).unwrap()), original);
        original.validate().unwrap();
    }
}

#[test]
fn nonsense_is_refused_by_name() {
    for (text, field) in [
        ("[model]\nminimum_probability = 0.0", "hybrid.model.minimum_probability = 0:"),
        ("[model]\nminimum_probability = nan", "hybrid.model.minimum_probability = NaN:"),
        ("[model]\nminimum_margin = 1.5", "hybrid.model.minimum_margin = 1.5:"),
        ("[policy]\ndead_band = 1.0", "hybrid.policy.dead_band = 1:"),
        ("[model]\nweight = 2.0", "hybrid.model.weight = 2:"),
        ("combination = \"weighted\"\n[policy]\nweight = -1.0", "hybrid.policy.weight = -1:"),
        ("minimum_score = 0.4", "hybrid.minimum_score = 0.4:"),
        ("combination = \"weighted\"\nminimum_score = 0.0", "hybrid.minimum_score = 0:"),
        ("combination = \"policy-only\"\n[model]\nminimum_margin = 0.2", "hybrid.combination = PolicyOnly:"),
        ("combination = \"model-only\"\n[policy]\ndead_band = 0.2", "hybrid.combination = ModelOnly:"),
        ("[filters.trend]\nperiod = 1", "hybrid.filters.trend.period = 1:"),
        ("[filters.trend]\nslope_candles = 1", "hybrid.filters.trend.slope_candles = 1:"),
        ("[filters.trend]\nminimum_distance = -0.1", "hybrid.filters.trend.minimum_distance = -0.1:"),
        ("[filters.regime]\nperiod = 0", "hybrid.filters.regime.period = 0:"),
        ("[filters.regime]\ntrending_from = 1.1", "hybrid.filters.regime.trending_from = 1.1:"),
        ("[filters.volatility]\nperiod = 4000000000", "hybrid.filters.volatility.period = 4000000000:"),
        ("[filters.volatility]\nminimum = inf", "hybrid.filters.volatility.minimum = inf:"),
        ("[filters.volatility]\nminimum = 0.2", "hybrid.filters.volatility.maximum = 0.05:"),
        ("[filters.spread]\nmaximum = -0.1", "hybrid.filters.spread.maximum = -0.1:"),
        ("[filters.confirmation]\ncandles = 1", "hybrid.filters.confirmation.candles = 1:"),
        ("[filters.cool_down]\ncandles = 9", "hybrid.filters.cool_down.candles_after_loss = 6:"),
        ("[filters.session]\nhours = []", "hybrid.filters.session.hours = []:"),
        ("[filters.session]\nhours = [{ from = 5, until = 5 }]", "hybrid.filters.session.hours = 5 to 5:"),
        ("[filters.session]\nhours = [{ from = 24, until = 5 }]", "hybrid.filters.session.hours = 24 to 5:"),
        ("[filters.session]\nweekdays = []", "hybrid.filters.session.weekdays = []:"),
        ("[position]\non_opposite = \"flip\"", "hybrid.position.on_opposite = flip:"),
        (
            "[position]\nsides = \"long-and-short\"\non_opposite = \"flip\"\n[exits]\nstop = { fraction = 0.1 }",
            "hybrid.exits.opposite_signal = false:",
        ),
        ("[position]\nsize = { kind = \"exposure\", share = 0.0 }", "hybrid.position.size.share = 0:"),
        (
            "[position]\nsize = { kind = \"sizer\", payoff_ratio = -1.0 }",
            "hybrid.position.size.payoff_ratio = -1:",
        ),
    ] {
        let message = HybridStrategy::new(config(text), 1).unwrap_err().to_string();
        assert!(message.starts_with(field), "{text}: {message}");
    }
    for unread in
        ["colour = 1", "[filters]\ntend = {}", "[position]\nsize = { kind = \"sizer\", share = 1.0 }"]
    {
        assert!(toml::from_str::<HybridConfig>(unread).is_err(), "{unread}");
    }
}

#[test]
fn votes_read_as_plain_english() {
    use Stance::{Abstains, Allows, Flat, Vetoes};
    for (voter, stance, value, threshold, expected) in [
        (Voter::Model, Stance::Long, 0.62, 0.55, "model: long, probability 0.62 ≥ 0.55"),
        // Two decimals would read 0.55 < 0.55.
        (Voter::Model, Flat, 0.5496, 0.55, "model: flat, probability 0.5496 < 0.5500"),
        (Voter::Model, Flat, 0.4, 0.4, "model: flat, probability 0.40 is that of the opposite class too"),
        (Voter::Policy, Flat, -0.05, 0.1, "policy: flat, exposure -0.050 within ±0.10"),
        (Voter::Policy, Abstains, 0.0, 0.1, "policy: abstains, no usable action"),
        (
            Voter::Trend,
            Vetoes,
            0.012,
            0.02,
            "trend: vetoes, price 1.20 % above its rising average, needs more than 2.00 % above",
        ),
        (Voter::Trend, Vetoes, 0.012, -0.02, "trend: vetoes, price 1.20 % above its rising average"),
        (Voter::Trend, Vetoes, 0.0, 0.02, "trend: vetoes, price and slope of the average do not agree"),
        (Voter::Regime, Abstains, 12.0, 21.0, "regime: abstains, 12 of 21 candles seen"),
        (Voter::Volatility, Vetoes, 0.06, 0.05, "volatility: vetoes, 0.060 > 0.050 of the price per candle"),
        (
            Voter::Volatility,
            Vetoes,
            0.0002,
            0.0005,
            "volatility: vetoes, 0.00020 < 0.00050 of the price per candle",
        ),
        (Voter::Spread, Allows, 0.0001, 0.0005, "spread: allows, 0.00010 ≤ 0.00050 of the price"),
        (Voter::Confirmation, Allows, 0.0, 3.0, "confirmation: allows, no direction to confirm"),
        (
            Voter::CoolDown,
            Vetoes,
            2.0,
            6.0,
            "cool-down: vetoes, candles since a position closed: 2, needed: 6",
        ),
        (Voter::CoolDown, Allows, -1.0, 6.0, "cool-down: allows, no position was closed yet"),
        (Voter::Session, Allows, 119.5, 122.0, "session: allows, Fri 23:30 UTC, until Sat 02:00 UTC"),
        (Voter::Rule, Allows, 6.0, 5.0, "rule: allows, the position may close: 6 of at least 5 candles"),
        (Voter::Rule, Stance::Short, 2.19756, 2.0, "rule: short, 2.1976 against 2.0000"),
        (Voter::Rule, Abstains, 7.0, 50.0, "rule: abstains, candles seen: 7, needed: 50"),
    ] {
        let vote = Vote { instrument: InstrumentIndex(0), voter, stance, value, threshold };
        assert_eq!(explain(&[vote]).to_string(), expected);
    }
    assert_eq!(explain(&[]).to_string(), "");
}
