//! What is known of strategies that were tried together.

use super::bootstrap::{BootstrapConfig, Statistic, bootstrap_interval};
use super::gate::SkillEvidence;
use super::overfitting::backtest_overfitting;
use super::sharpe::{
    TrackRecord, deflated_sharpe_ratio, minimum_track_record_length, probabilistic_sharpe_ratio,
    variance_of_sharpes,
};

/// Blocks of the cross-validation behind the probability of overfitting.
const BLOCKS: usize = 10;
const CONFIDENCE: f64 = 0.95;

/// The evidence for each of the strategies of a run. `returns[n]` are those of strategy n, per day: bars of minutes are neither normal
/// nor independent. `trades[n]` are its closed trades; `tried_before` are the configurations that were tried before this run, each
/// of which could have been shown instead.
///
/// The Sharpe ratios of the run's own strategies are the sample from which the variance over trials is taken, and the probability
/// of overfitting is that of choosing the best of them. What cannot be measured (too few days, returns that do not vary, a single
/// strategy) is absent, and the gate does not count it in a strategy's favour. One trial of one strategy has nothing to deflate by:
/// there the probabilistic Sharpe ratio above 0 stands for the deflated one.
#[must_use]
pub fn skill_evidence(returns: &[Vec<f64>], trades: &[usize], tried_before: usize) -> Vec<SkillEvidence> {
    let trials = tried_before + returns.len();
    let records: Vec<Option<TrackRecord>> =
        returns.iter().map(|returns| TrackRecord::from_returns(returns).ok()).collect();
    let sharpes: Vec<f64> = records.iter().flatten().map(TrackRecord::sharpe).collect();
    let variance = variance_of_sharpes(&sharpes).ok();
    let overfitting = overfitting(returns);
    let of = |(at, (returns, record)): (usize, (&Vec<f64>, &Option<TrackRecord>))| SkillEvidence {
        trials,
        trades: trades.get(at).copied().unwrap_or(0),
        observations: returns.len(),
        deflated_sharpe: record.as_ref().and_then(|record| deflated(record, trials, variance)),
        minimum_track_record: record
            .as_ref()
            .and_then(|record| minimum_track_record_length(record, 0.0, CONFIDENCE).ok().flatten()),
        overfitting,
        sharpe_low: bootstrap_interval(returns, Statistic::Sharpe, &BootstrapConfig::default())
            .ok()
            .map(|interval| interval.low),
    };
    returns.iter().zip(&records).enumerate().map(of).collect()
}

fn deflated(record: &TrackRecord, trials: usize, variance: Option<f64>) -> Option<f64> {
    match variance {
        Some(variance) if trials > 1 => {
            deflated_sharpe_ratio(record, trials as f64, variance).ok().map(|found| found.probability)
        }
        _ if trials == 1 => probabilistic_sharpe_ratio(record, 0.0).ok(),
        _ => None,
    }
}

/// Combinatorially symmetric cross-validation, where there are enough days and strategies of the same days.
fn overfitting(returns: &[Vec<f64>]) -> Option<f64> {
    let same = returns.windows(2).all(|pair| pair[0].len() == pair[1].len());
    if returns.len() < 2 || !same {
        return None;
    }
    backtest_overfitting(returns, BLOCKS).ok().map(|found| found.probability)
}
