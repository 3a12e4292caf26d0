//! The metrics that a configuration can name.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;

/// A single number of [`Metrics`](super::Metrics), for early stopping and for the choice among models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MetricName {
    /// The training criterion on these rows, as the trainer computed it.
    Loss,
    /// Mean negative log-likelihood.
    LogLoss,
    /// Brier score.
    Brier,
    /// Expected calibration error.
    ExpectedCalibrationError,
    /// Share of the prior's log-loss that the model saves.
    Skill,
    /// Share of rows predicted right.
    Accuracy,
    /// Mean recall of the classes that occur.
    BalancedAccuracy,
    /// Mean F1 of the three classes.
    MacroF1,
    /// Matthews' correlation coefficient.
    Mcc,
}

impl MetricName {
    /// All names, in the order of declaration.
    pub const ALL: [Self; 9] = [
        Self::Loss,
        Self::LogLoss,
        Self::Brier,
        Self::ExpectedCalibrationError,
        Self::Skill,
        Self::Accuracy,
        Self::BalancedAccuracy,
        Self::MacroF1,
        Self::Mcc,
    ];

    /// The name as configurations spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::LogLoss => "log-loss",
            Self::Brier => "brier",
            Self::ExpectedCalibrationError => "expected-calibration-error",
            Self::Skill => "skill",
            Self::Accuracy => "accuracy",
            Self::BalancedAccuracy => "balanced-accuracy",
            Self::MacroF1 => "macro-f1",
            Self::Mcc => "mcc",
        }
    }

    /// Whether a higher value is the better one.
    pub const fn higher_is_better(self) -> bool {
        match self {
            Self::Loss | Self::LogLoss | Self::Brier | Self::ExpectedCalibrationError => false,
            Self::Skill | Self::Accuracy | Self::BalancedAccuracy | Self::MacroF1 | Self::Mcc => true,
        }
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for MetricName {
    type Err = SupervisedError;

    fn from_str(text: &str) -> Result<Self, SupervisedError> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            SupervisedError::config("metric", text, &format!("give one of {known}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_serde_spell_alike() {
        for name in MetricName::ALL {
            assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
            assert_eq!(name.to_string().parse::<MetricName>().unwrap(), name);
        }
        let error = "f1".parse::<MetricName>().unwrap_err().to_string();
        assert!(error.contains("`metric` is f1") && error.contains("macro-f1"), "{error}");
    }
}
