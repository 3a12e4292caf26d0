//! The table of targets.

use super::*;
use crate::metrics::{Bound, Target, Targets, Verdict};

/// Metrics in which every figure of the table is at its threshold.
fn at_thresholds() -> Metrics {
    // 100 → 85 → 120 over a year: a drawdown of 15 %, a return of 20 %.
    let mut of = curve("2023-01-01", DAY, &[100.0, 85.0, 120.0]);
    of.times[2] = time("2024-01-01");
    let mut found = metrics(&of, &MetricsConfig::default());
    found.trades.count = 20;
    found.trades.win_rate = Some(11.0 / 20.0);
    found.trades.profit_factor = Some(1.5);
    found.trades.average_return = Some(0.005);
    found.activity.unfilled_share = Some(0.3);
    if let Some(daily) = found.daily.as_mut() {
        daily.sharpe = Some(1.5);
    }
    found
}

#[test]
fn thresholds_are_met_and_just_missed() {
    let outcomes = Targets::default().judge(&at_thresholds()).unwrap();
    let table: Vec<_> =
        outcomes.iter().map(|row| (row.target, row.bound, row.threshold, row.verdict)).collect();
    let (least, most, met) = (Bound::AtLeast, Bound::AtMost, Verdict::Met);
    assert_eq!(
        table,
        [
            (Target::Sharpe, least, 1.5, met),
            (Target::MaximumDrawdown, most, 0.15, met),
            (Target::YearlyReturn, least, 0.2, met),
            (Target::WinRate, least, 0.55, met),
            (Target::ProfitFactor, least, 1.5, met),
            (Target::AverageProfit, least, 0.005, met),
            (Target::Unfilled, most, 0.3, met),
        ]
    );
    let mut missed = at_thresholds();
    missed.daily.as_mut().unwrap().sharpe = Some(1.4999);
    missed.drawdown.maximum = Some(0.1501);
    missed.cagr = Some(0.1999);
    missed.trades.win_rate = Some(0.5499);
    missed.trades.profit_factor = Some(1.4999);
    missed.trades.average_return = Some(0.004999);
    missed.activity.unfilled_share = Some(0.3001);
    let outcomes = Targets::default().judge(&missed).unwrap();
    assert!(
        outcomes.iter().all(|row| row.verdict == Verdict::NotMet && row.reason.is_none()),
        "{outcomes:?}"
    );
}

#[test]
fn what_is_not_known_is_not_met_and_says_why() {
    let found = metrics(&curve("2024-01-01", DAY, &[100.0; 74]), &MetricsConfig::default());
    let outcomes = Targets::default().judge(&found).unwrap();
    let table: Vec<_> =
        outcomes.iter().map(|row| (row.verdict, row.reason.as_deref().unwrap_or("-"))).collect();
    let unknown = Verdict::NotKnown;
    assert_eq!(
        table,
        [
            (unknown, "returns do not vary"),
            (Verdict::Met, "-"),
            (unknown, "0.200 years, fewer than 1, are not made annual"),
            (unknown, "no closed trade"),
            (unknown, "no closed trade"),
            (unknown, "no closed trade"),
            (unknown, "no order came to an end"),
        ]
    );
}

#[test]
fn thresholds_are_checked_and_outcomes_are_read_back() {
    let error = Targets { maximum_drawdown: 15.0, ..Targets::default() }.judge(&at_thresholds()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "targets.maximum_drawdown = 15: give a fraction from 0 to 1: 0.15 for 15 %"
    );
    let found = at_thresholds();
    let outcomes = Targets::default().judge(&found).unwrap();
    let text = serde_json::to_string(&outcomes).unwrap();
    assert!(text.starts_with(
        r#"[{"target":"sharpe","bound":"at-least","threshold":1.5,"value":1.5,"verdict":"met""#
    ));
    assert_eq!(serde_json::from_str::<Vec<crate::metrics::TargetOutcome>>(&text).unwrap(), outcomes);
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), found);
}
