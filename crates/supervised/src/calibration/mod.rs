//! From logits to probabilities that can be believed, and from those to decisions.
//!
//! Both are fitted on validation rows only: on training rows the model is surer than it may be, and on test
//! rows the fit would know what it is judged by.

mod decision;
mod decision_search;
mod temperature;

use serde::{Deserialize, Serialize};

pub use decision::{DecisionConfig, DecisionObjective, DecisionRule};
pub use temperature::{MAX_TEMPERATURE, MIN_TEMPERATURE, TemperatureScaling, softmax};

use crate::error::SupervisedError;

/// What stands between a network's logits and its decisions. The default changes nothing: softmax and the
/// most probable class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Logits to probabilities.
    pub temperature: TemperatureScaling,
    /// Probabilities to classes.
    pub decision: DecisionRule,
}

impl Calibration {
    /// Refuses a stored temperature or rule that cannot have been fitted.
    ///
    /// # Errors
    /// Those of [`TemperatureScaling::validate`] and [`DecisionRule::validate`].
    pub fn validate(&self) -> Result<(), SupervisedError> {
        self.temperature.validate()?;
        self.decision.validate()
    }

    /// Probabilities (`[rows, 3]`) and classes (`[rows]`) of `logits` (`[rows, 3]`).
    ///
    /// # Errors
    /// [`SupervisedError::Data`] names a row of logits that is not finite.
    pub fn apply(&self, logits: &[f32]) -> Result<(Vec<f32>, Vec<u8>), SupervisedError> {
        let probabilities = self.temperature.apply(logits)?;
        let classes = self.decision.apply(&probabilities)?;
        Ok((probabilities, classes))
    }

    /// Probabilities and class of one row of logits, without a check: one that holds NaN or
    /// positive infinity gives NaN and Hold.
    pub fn apply_row(&self, logits: [f32; 3]) -> ([f32; 3], u8) {
        let probabilities = self.temperature.apply_row(logits);
        (probabilities, self.decision.decide(probabilities))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_alone_and_together_agree() {
        let calibration = Calibration {
            temperature: TemperatureScaling { temperature: 1.7 },
            decision: DecisionRule { weights: [0.5, 0.2, 0.3] },
        };
        let logits = [0.3, 1.0, -0.2, 2.0, 0.1, 0.4, -1.0, -1.0, 3.0];
        let (probabilities, classes) = calibration.apply(&logits).unwrap();
        assert_eq!(classes, [0, 0, 2]);
        for (row, values) in logits.as_chunks::<3>().0.iter().enumerate() {
            let (alone, class) = calibration.apply_row(*values);
            assert_eq!(alone, probabilities[3 * row..3 * row + 3]);
            assert_eq!(class, classes[row]);
        }
        assert!(calibration.apply(&[0.0, f32::NAN, 0.0]).unwrap_err().to_string().contains("row 0"));
        assert_eq!(Calibration::default().apply_row([f32::NAN, 9.0, 0.0]).1, 1);
    }

    #[test]
    fn stored_calibration_comes_back_and_is_checked() {
        let calibration = Calibration {
            temperature: TemperatureScaling { temperature: 1.234_567_890_123 },
            decision: DecisionRule { weights: [0.1, 0.2, 0.7] },
        };
        let text = serde_json::to_string(&calibration).unwrap();
        assert_eq!(serde_json::from_str::<Calibration>(&text).unwrap(), calibration);
        assert!(calibration.validate().is_ok() && Calibration::default().validate().is_ok());
        let zero = TemperatureScaling { temperature: 0.0 };
        assert!(Calibration { temperature: zero, ..calibration }.validate().is_err());
        let negative = DecisionRule { weights: [-1.0, 1.0, 1.0] };
        assert!(Calibration { decision: negative, ..calibration }.validate().is_err());
    }
}
