//! Statistics that tell luck from skill.
//!
//! A backtest's Sharpe ratio is an estimate, and the best of many estimates flatters. [`probabilistic_sharpe_ratio`] and
//! [`bootstrap_interval`] say how uncertain one is, [`deflated_sharpe_ratio`] takes the number of trials into account,
//! [`backtest_overfitting`] and [`selection_paths`] say what choosing the best trial was worth, [`skill_evidence`]
//! gathers it for the strategies of a run, and [`SkillGate`] makes one decision of it all.
//! Sharpe ratios are per observation throughout, never annualised.

mod bootstrap;
mod evidence;
mod gate;
mod multiple_testing;
mod normal;
mod overfitting;
mod purged_paths;
mod random;
mod selection_paths;
mod sharpe;
#[cfg(test)]
mod tests;

pub use bootstrap::{
    BootstrapConfig, BootstrapInterval, Statistic, automatic_block_length, bootstrap_interval,
};
pub(crate) use bootstrap::{FEWEST_RETURNS, StationaryBlocks, mean_block, quantile};
pub use evidence::skill_evidence;
pub use gate::{Reason, SkillEvidence, SkillGate, SkillVerdict};
pub use multiple_testing::{benjamini_hochberg, holm};
pub use overfitting::{BacktestOverfitting, Degradation, backtest_overfitting};
pub use purged_paths::{PurgedPaths, PurgedPathsConfig, PurgedSplit};
pub(crate) use random::{below, generator};
pub use selection_paths::{SelectionPath, SelectionPaths, SplitChoice, selection_paths};
pub use sharpe::{
    DeflatedSharpe, TrackRecord, deflated_sharpe_ratio, effective_trials, expected_maximum_sharpe,
    mean_correlation, minimum_track_record_length, probabilistic_sharpe_ratio, sharpe_ratio,
    variance_of_sharpes,
};
