//! What the seed does to a score.

use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;

/// A score over models that differ in their seed only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedSummary {
    /// Number of seeds.
    pub seeds: u64,
    /// Mean of the scores.
    pub mean: f64,
    /// Sample standard deviation (division by seeds − 1); none for one seed.
    pub standard_deviation: Option<f64>,
    /// Lowest score.
    pub minimum: f64,
    /// Highest score.
    pub maximum: f64,
    /// Position of the model in the middle: that of the lower median, equal scores in their order. The
    /// model to look at, since the best one is chosen by luck.
    pub median_model: usize,
}

impl SeedSummary {
    /// Sums up one score for each seed.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for no scores, and for one that is not finite.
    pub fn of(scores: &[f64]) -> Result<Self, SupervisedError> {
        if let Some(at) = scores.iter().position(|score| !score.is_finite()) {
            let reason = format!("{} is not finite", scores[at]);
            return Err(SupervisedError::data(format!("scores, seed {at}"), reason));
        }
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&one, &other| scores[one].total_cmp(&scores[other]));
        let (Some(&lowest), Some(&highest)) = (order.first(), order.last()) else {
            return Err(SupervisedError::data("scores", "there are none; at least one seed is needed"));
        };
        let count = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / count;
        let squares: f64 = scores.iter().map(|score| (score - mean) * (score - mean)).sum();
        Ok(Self {
            seeds: scores.len() as u64,
            mean,
            standard_deviation: (scores.len() > 1).then(|| (squares / (count - 1.0)).sqrt()),
            minimum: scores[lowest],
            maximum: scores[highest],
            median_model: order[(order.len() - 1) / 2],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_summed_up() {
        // numpy.mean, numpy.std(ddof=1) of [0.4, 0.1, 0.3, 0.2]; the lower median is 0.2.
        let seen = SeedSummary::of(&[0.4, 0.1, 0.3, 0.2]).unwrap();
        assert_eq!((seen.seeds, seen.minimum, seen.maximum, seen.median_model), (4, 0.1, 0.4, 3));
        assert!((seen.mean - 0.25).abs() < 1e-15);
        assert!((seen.standard_deviation.unwrap() - 0.129_099_444_873_580_57).abs() < 1e-15);
        assert_eq!(SeedSummary::of(&[3.0, 1.0, 2.0]).unwrap().median_model, 2);
        assert_eq!(SeedSummary::of(&[2.0, 1.0, 1.0, 1.0]).unwrap().median_model, 2);
        assert_eq!(SeedSummary::of(&[7.0]).unwrap().standard_deviation, None);
    }

    #[test]
    fn what_cannot_be_summed_up_is_refused() {
        assert!(SeedSummary::of(&[]).unwrap_err().to_string().contains("there are none"));
        assert!(SeedSummary::of(&[1.0, f64::NAN]).unwrap_err().to_string().contains("seed 1"));
    }
}
