//! Running moments of observations and returns, as Stable-Baselines3's `VecNormalize`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::{Reader, Writer};
use crate::error::RlError;

/// What is normalised. The default is nothing; limits and epsilon are those of `VecNormalize`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NormalisationConfig {
    /// Observations become (x − mean) / √(variance + epsilon).
    pub observations: bool,
    /// Rewards become r / √(variance of the discounted return + epsilon).
    pub rewards: bool,
    /// Observations are cut off here, on both sides.
    pub observation_limit: f32,
    /// Rewards are cut off here, on both sides.
    pub reward_limit: f32,
    /// Keeps what never changes from being divided by 0.
    pub epsilon: f64,
}

impl Default for NormalisationConfig {
    fn default() -> Self {
        Self {
            observations: false,
            rewards: false,
            observation_limit: 10.0,
            reward_limit: 10.0,
            epsilon: 1e-8,
        }
    }
}

impl NormalisationConfig {
    /// # Errors
    /// [`RlError::Config`] for limits or an epsilon that are not above 0.
    pub fn validate(&self) -> Result<(), RlError> {
        for (field, value) in [
            ("normalisation.observation_limit", f64::from(self.observation_limit)),
            ("normalisation.reward_limit", f64::from(self.reward_limit)),
            ("normalisation.epsilon", self.epsilon),
        ] {
            if value.is_nan() || value <= 0.0 {
                return Err(RlError::config(field, value, "give a number above 0"));
            }
        }
        Ok(())
    }
}

/// Mean and variance of rows seen so far (Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise
/// algorithm").
#[derive(Clone, Debug, PartialEq)]
pub struct RunningMoments {
    mean: Vec<f64>,
    variance: Vec<f64>,
    count: f64,
}

impl RunningMoments {
    /// Mean 0 and variance 1 with the weight of 1/10 000 of a row, as Stable-Baselines3.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self { mean: vec![0.0; width], variance: vec![1.0; width], count: 1e-4 }
    }

    /// Takes rows in, `[rows, width]`.
    pub fn update(&mut self, rows: &[f32]) {
        let width = self.mean.len();
        let count = (rows.len() / width) as f64;
        if count == 0.0 {
            return;
        }
        let total = self.count + count;
        for (index, (mean, variance)) in self.mean.iter_mut().zip(&mut self.variance).enumerate() {
            let column = || rows.iter().skip(index).step_by(width).map(|value| f64::from(*value));
            let batch_mean = column().sum::<f64>() / count;
            let batch_variance = column().map(|value| (value - batch_mean).powi(2)).sum::<f64>() / count;
            let delta = batch_mean - *mean;
            let squares =
                *variance * self.count + batch_variance * count + delta * delta * self.count * count / total;
            *mean += delta * count / total;
            *variance = squares / total;
        }
        self.count = total;
    }

    /// Means of each number.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Variances of each number (of the population).
    #[must_use]
    pub fn variance(&self) -> &[f64] {
        &self.variance
    }

    fn save(&self, writer: &mut Writer) {
        writer.f64s(&self.mean);
        writer.f64s(&self.variance);
        writer.f64(self.count);
    }

    fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        let (mean, variance, count) = (reader.f64s()?, reader.f64s()?, reader.f64()?);
        if mean.len() != self.mean.len() || variance.len() != self.mean.len() {
            return Err(RlError::checkpoint(
                "its normalisation has another width; use the same observations",
            ));
        }
        *self = Self { mean, variance, count };
        Ok(())
    }
}

/// Moments of observations and returns, and the rule how they are used.
#[derive(Clone, Debug)]
pub struct Normalisation {
    config: NormalisationConfig,
    observations: RunningMoments,
    returns: RunningMoments,
}

impl Normalisation {
    /// For observations of so many numbers.
    ///
    /// # Errors
    /// [`RlError::Config`] as of [`NormalisationConfig::validate`].
    pub fn new(config: NormalisationConfig, width: usize) -> Result<Self, RlError> {
        config.validate()?;
        Ok(Self { config, observations: RunningMoments::new(width), returns: RunningMoments::new(1) })
    }

    /// The rule.
    #[must_use]
    pub fn config(&self) -> &NormalisationConfig {
        &self.config
    }

    /// Moments of observations.
    #[must_use]
    pub fn observations(&self) -> &RunningMoments {
        &self.observations
    }

    /// Learns from raw observations, `[rows, width]`.
    pub(crate) fn learn_observations(&mut self, rows: &[f32]) {
        if self.config.observations {
            self.observations.update(rows);
        }
    }

    /// Normalises observations in place, `[rows, width]`.
    pub(crate) fn normalise_observations(&self, rows: &mut [f32]) {
        if !self.config.observations {
            return;
        }
        let (moments, limit) = (&self.observations, self.config.observation_limit);
        for row in rows.chunks_exact_mut(moments.mean.len()) {
            for ((value, mean), variance) in row.iter_mut().zip(&moments.mean).zip(&moments.variance) {
                let scaled = (f64::from(*value) - mean) / (variance + self.config.epsilon).sqrt();
                *value = (scaled as f32).clamp(-limit, limit);
            }
        }
    }

    /// Learns from the discounted returns so far, one per environment.
    pub(crate) fn learn_returns(&mut self, returns: &[f32]) {
        if self.config.rewards {
            self.returns.update(returns);
        }
    }

    pub(crate) fn normalise_reward(&self, reward: f32) -> f32 {
        if !self.config.rewards {
            return reward;
        }
        let variance: f64 = self.returns.variance.iter().sum();
        let scaled = f64::from(reward) / (variance + self.config.epsilon).sqrt();
        (scaled as f32).clamp(-self.config.reward_limit, self.config.reward_limit)
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        self.observations.save(writer);
        self.returns.save(writer);
    }

    pub(crate) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        self.observations.restore(reader)?;
        self.returns.restore(reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_pieces_are_those_of_the_whole() {
        let rows: Vec<f32> = (0..60).map(|index| ((index * 37) % 23) as f32 - 100.0).collect();
        let mut moments = RunningMoments::new(2);
        for piece in [&rows[..2], &rows[2..30], &rows[30..60]] {
            moments.update(piece);
        }
        for column in 0..2 {
            let values: Vec<f64> =
                rows.iter().skip(column).step_by(2).map(|value| f64::from(*value)).collect();
            let mean = values.iter().sum::<f64>() / 30.0;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 30.0;
            // The first weight of 1e-4 at mean 0 is felt.
            assert!((moments.mean()[column] - mean).abs() < 1e-3, "{} {mean}", moments.mean()[column]);
            assert!(
                (moments.variance()[column] - variance).abs() < 5e-2,
                "{:?} {variance}",
                moments.variance()
            );
        }
    }

    #[test]
    fn normalised_values_are_those_of_the_formula_and_cut_off() {
        let config =
            NormalisationConfig { observations: true, rewards: true, ..NormalisationConfig::default() };
        let mut normalisation = Normalisation::new(config, 1).unwrap();
        normalisation.observations = RunningMoments { mean: vec![2.0], variance: vec![4.0], count: 10.0 };
        normalisation.returns = RunningMoments { mean: vec![50.0], variance: vec![0.25], count: 10.0 };
        let mut rows = [5.0, -1.0, 1000.0];
        normalisation.normalise_observations(&mut rows);
        assert_eq!(rows, [1.5, -1.5, 10.0]);
        // Rewards keep their sign: no mean is taken off.
        assert!((normalisation.normalise_reward(1.0) - 2.0).abs() < 1e-6);
        assert_eq!(normalisation.normalise_reward(-100.0), -10.0);
    }

    #[test]
    fn comes_back_to_the_bit_and_refuses_another_width() {
        let config = NormalisationConfig { observations: true, ..NormalisationConfig::default() };
        let mut one = Normalisation::new(config, 2).unwrap();
        one.learn_observations(&[1.0, 2.0, 3.0, 5.0]);
        let mut writer = Writer::default();
        one.save(&mut writer);
        let bytes = writer.finish();
        let mut other = Normalisation::new(config, 2).unwrap();
        other.restore(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(one.observations, other.observations);
        assert!(Normalisation::new(config, 3).unwrap().restore(&mut Reader::new(&bytes)).is_err());
    }
}
