//! What observations and actions look like, in Gymnasium's terms.

use serde::{Deserialize, Serialize};

use crate::error::RlError;

/// A space of observations or actions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "space", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Space {
    /// One of `count` choices, counted from 0.
    Discrete {
        /// At least 1.
        count: usize,
    },
    /// Several choices at once.
    MultiDiscrete {
        /// How many there are of each, at least 1.
        counts: Vec<usize>,
    },
    /// Numbers between bounds, which may be infinite.
    Continuous {
        /// Lower bounds.
        low: Vec<f32>,
        /// Upper bounds, above the lower ones.
        high: Vec<f32>,
    },
}

impl Space {
    /// Numbers without bounds.
    #[must_use]
    pub fn unbounded(width: usize) -> Self {
        Self::Continuous { low: vec![f32::NEG_INFINITY; width], high: vec![f32::INFINITY; width] }
    }

    /// How many numbers (or choices) one element has.
    #[must_use]
    pub fn width(&self) -> usize {
        match self {
            Self::Discrete { .. } => 1,
            Self::MultiDiscrete { counts } => counts.len(),
            Self::Continuous { low, .. } => low.len(),
        }
    }

    /// Refuses spaces without an element.
    ///
    /// # Errors
    /// [`RlError::Shape`] says what is wrong.
    pub fn validate(&self) -> Result<(), RlError> {
        let problem = match self {
            Self::Discrete { count: 0 } => "there is no choice; give at least 1",
            Self::MultiDiscrete { counts } if counts.is_empty() || counts.contains(&0) => {
                "there is nothing to choose in one of its parts; give each at least 1"
            }
            Self::Continuous { low, high } if low.len() != high.len() || low.is_empty() => {
                "lower and upper bounds are not as many; give one of each per number"
            }
            Self::Continuous { low, high } if !low.iter().zip(high).all(|(low, high)| low < high) => {
                "a lower bound is not below its upper bound"
            }
            _ => return Ok(()),
        };
        Err(RlError::shape("a space", problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths() {
        assert_eq!(Space::Discrete { count: 7 }.width(), 1);
        assert_eq!(Space::MultiDiscrete { counts: vec![2, 5, 3] }.width(), 3);
        assert_eq!(Space::unbounded(4).width(), 4);
    }

    #[test]
    fn spaces_without_an_element_are_refused() {
        let good = [
            Space::Discrete { count: 1 },
            Space::MultiDiscrete { counts: vec![1, 4] },
            Space::unbounded(1),
            Space::Continuous { low: vec![-1.0, 0.0], high: vec![1.0, f32::INFINITY] },
        ];
        good.iter().for_each(|space| space.validate().unwrap());
        let bad = [
            Space::Discrete { count: 0 },
            Space::MultiDiscrete { counts: vec![] },
            Space::MultiDiscrete { counts: vec![3, 0] },
            Space::unbounded(0),
            Space::Continuous { low: vec![0.0], high: vec![1.0, 2.0] },
            Space::Continuous { low: vec![1.0], high: vec![1.0] },
            Space::Continuous { low: vec![f32::NAN], high: vec![1.0] },
        ];
        bad.iter().for_each(|space| assert!(space.validate().is_err(), "{space:?}"));
    }

    #[test]
    fn read_as_written() {
        let space = Space::Continuous { low: vec![-1.5], high: vec![2.0] };
        let text = serde_json::to_string(&space).unwrap();
        assert_eq!(text, r#"{"space":"continuous","low":[-1.5],"high":[2.0]}"#);
        assert_eq!(serde_json::from_str::<Space>(&text).unwrap(), space);
        assert!(serde_json::from_str::<Space>(r#"{"space":"discrete","count":2,"extra":1}"#).is_err());
    }
}
