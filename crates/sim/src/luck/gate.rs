//! The gate between a backtest and money: promote or not, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trading::TradingError;

/// What a strategy must show to be promoted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SkillGate {
    /// Least deflated Sharpe ratio, a probability.
    pub minimum_deflated_sharpe: f64,
    /// Largest probability of backtest overfitting, where more than one configuration was tried; 0.05 by the custom of
    /// significance tests.
    pub maximum_overfitting: f64,
    /// Fewest closed trades.
    pub minimum_trades: usize,
    /// Least lower end of the bootstrap interval of the Sharpe ratio, per observation.
    pub minimum_sharpe_low: f64,
}

impl Default for SkillGate {
    fn default() -> Self {
        Self {
            minimum_deflated_sharpe: 0.95,
            maximum_overfitting: 0.05,
            minimum_trades: 100,
            minimum_sharpe_low: 0.0,
        }
    }
}

/// What is known about a strategy; what was not measured is absent, and does not count in its favour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SkillEvidence {
    /// Configurations tried, this one included.
    pub trials: usize,
    /// Closed trades out of sample.
    pub trades: usize,
    /// Returns in the record.
    pub observations: usize,
    /// Deflated Sharpe ratio ([`super::deflated_sharpe_ratio`]).
    pub deflated_sharpe: Option<f64>,
    /// Observations that the record should have ([`super::minimum_track_record_length`]).
    pub minimum_track_record: Option<f64>,
    /// Probability of backtest overfitting ([`super::backtest_overfitting`]).
    pub overfitting: Option<f64>,
    /// Lower end of the bootstrap interval of the Sharpe ratio ([`super::bootstrap_interval`]).
    pub sharpe_low: Option<f64>,
}

/// One requirement and whether it is met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Whether it is met.
    pub passed: bool,
    /// What was found and what was asked for, in words.
    pub words: String,
}

/// Whether to promote a strategy, with all reasons, met or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillVerdict {
    /// Whether all requirements are met.
    pub promote: bool,
    /// One per requirement.
    pub reasons: Vec<Reason>,
}

impl SkillGate {
    /// Refuses thresholds that are no thresholds.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the setting, its value and the remedy.
    pub fn validate(&self) -> Result<(), TradingError> {
        let refuse =
            |field, value: f64, remedy| Err(TradingError::Config { field, value: value.to_string(), remedy });
        if !(self.minimum_deflated_sharpe > 0.0 && self.minimum_deflated_sharpe < 1.0) {
            let remedy = "give a probability between 0 and 1, such as 0.95";
            return refuse("skill_gate.minimum_deflated_sharpe", self.minimum_deflated_sharpe, remedy);
        }
        if !(0.0..1.0).contains(&self.maximum_overfitting) {
            let remedy = "give a probability from 0 to below 1, such as 0.05";
            return refuse("skill_gate.maximum_overfitting", self.maximum_overfitting, remedy);
        }
        if !self.minimum_sharpe_low.is_finite() {
            return refuse(
                "skill_gate.minimum_sharpe_low",
                self.minimum_sharpe_low,
                "give a finite number, such as 0",
            );
        }
        Ok(())
    }

    /// Judges the evidence; a number that is missing or not a number fails its requirement.
    pub fn judge(&self, evidence: &SkillEvidence) -> SkillVerdict {
        let reasons = vec![
            self.judge_trials(evidence),
            self.judge_trades(evidence),
            self.judge_deflated_sharpe(evidence),
            Self::judge_track_record(evidence),
            self.judge_overfitting(evidence),
            self.judge_interval(evidence),
        ];
        SkillVerdict { promote: reasons.iter().all(|reason| reason.passed), reasons }
    }

    fn judge_trials(&self, evidence: &SkillEvidence) -> Reason {
        let passed = evidence.trials > 0;
        let words = if passed {
            format!("{} configurations were tried and counted", evidence.trials)
        } else {
            "the number of configurations tried is 0; count this one and all others, or luck cannot be judged"
                .to_owned()
        };
        Reason { passed, words }
    }

    fn judge_trades(&self, evidence: &SkillEvidence) -> Reason {
        let (found, asked) = (evidence.trades, self.minimum_trades);
        compare(found >= asked, &format!("{found} trades"), &format!("at least {asked}"))
    }

    fn judge_deflated_sharpe(&self, evidence: &SkillEvidence) -> Reason {
        let asked = self.minimum_deflated_sharpe;
        measured(probability(evidence.deflated_sharpe), "deflated Sharpe ratio", |found| {
            compare(
                found >= asked,
                &format!("deflated Sharpe ratio {found:.4}"),
                &format!("at least {asked}"),
            )
        })
    }

    fn judge_track_record(evidence: &SkillEvidence) -> Reason {
        measured(evidence.minimum_track_record, "minimum track record length", |needed| {
            let found = evidence.observations;
            let asked = format!("at least {:.0} for this Sharpe ratio", needed.ceil());
            compare(found as f64 >= needed, &format!("{found} observations"), &asked)
        })
    }

    fn judge_overfitting(&self, evidence: &SkillEvidence) -> Reason {
        if evidence.trials == 1 && evidence.overfitting.is_none() {
            let words =
                "one configuration was tried, so none was selected and there is no overfitting to measure";
            return Reason { passed: true, words: words.to_owned() };
        }
        let asked = self.maximum_overfitting;
        measured(probability(evidence.overfitting), "probability of backtest overfitting", |found| {
            let words = format!("probability of backtest overfitting {found:.4}");
            compare(found <= asked, &words, &format!("at most {asked}"))
        })
    }

    fn judge_interval(&self, evidence: &SkillEvidence) -> Reason {
        let asked = self.minimum_sharpe_low;
        measured(evidence.sharpe_low, "bootstrap interval of the Sharpe ratio", |found| {
            let words = format!("lower end {found:.6} of the Sharpe ratio's bootstrap interval");
            compare(found >= asked, &words, &format!("at least {asked}"))
        })
    }
}

fn compare(passed: bool, found: &str, asked: &str) -> Reason {
    let verdict = if passed { "passes" } else { "fails" };
    Reason { passed, words: format!("{found} {verdict}: {asked} is asked for") }
}

/// A number that is no probability is no measurement of one.
fn probability(value: Option<f64>) -> Option<f64> {
    value.filter(|value| (0.0..=1.0).contains(value))
}

fn measured(value: Option<f64>, name: &str, judge: impl FnOnce(f64) -> Reason) -> Reason {
    match value {
        Some(value) if !value.is_nan() => judge(value),
        _ => Reason {
            passed: false,
            words: format!("the {name} was not measured; measure it before promoting"),
        },
    }
}
