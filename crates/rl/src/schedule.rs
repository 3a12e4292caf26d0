//! Values that change while training goes on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::RlError;

/// A value over the course of training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// The same throughout.
    Constant {
        /// The value.
        value: f64,
    },
    /// A straight line.
    Linear {
        /// In the beginning.
        start: f64,
        /// At the end.
        end: f64,
    },
    /// Half a period of a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5, without
    /// restarts).
    Cosine {
        /// In the beginning.
        start: f64,
        /// At the end.
        end: f64,
    },
}

impl Schedule {
    /// The same throughout.
    #[must_use]
    pub const fn constant(value: f64) -> Self {
        Self::Constant { value }
    }

    /// The value when `progress` of the training is done, 0 to 1; beyond that it stays.
    #[must_use]
    pub fn at(&self, progress: f64) -> f64 {
        let progress = progress.clamp(0.0, 1.0);
        match *self {
            Self::Constant { value } => value,
            Self::Linear { start, end } => start + (end - start) * progress,
            Self::Cosine { start, end } => {
                end + (start - end) * 0.5 * (1.0 + (std::f64::consts::PI * progress).cos())
            }
        }
    }

    /// Refuses what is not a finite number, or below 0.
    pub(crate) fn validate(&self, field: &'static str) -> Result<(), RlError> {
        let bad = [self.at(0.0), self.at(1.0)].into_iter().find(|value| !value.is_finite() || *value < 0.0);
        bad.map_or(Ok(()), |value| Err(RlError::config(field, value, "give finite numbers of at least 0")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_computed_by_hand() {
        let cases = [
            (Schedule::constant(3.0), [3.0, 3.0, 3.0, 3.0]),
            (Schedule::Linear { start: 1.0, end: 0.2 }, [1.0, 0.8, 0.6, 0.2]),
            // cos(π/4) = 0.70710678
            (Schedule::Cosine { start: 1.0, end: 0.2 }, [1.0, 0.882_842_712_474_619, 0.6, 0.2]),
        ];
        for (schedule, expected) in cases {
            for (progress, expected) in [0.0, 0.25, 0.5, 1.5].into_iter().zip(expected) {
                assert!((schedule.at(progress) - expected).abs() < 1e-12, "{schedule:?} {progress}");
            }
        }
    }

    #[test]
    fn what_is_negative_or_not_finite_is_refused() {
        assert!(Schedule::constant(f64::NAN).validate("rate").is_err());
        let error = Schedule::Linear { start: 1.0, end: -1.0 }.validate("rate").unwrap_err().to_string();
        assert!(error.contains("rate") && error.contains("-1"), "{error}");
    }
}
