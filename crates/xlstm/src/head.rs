//! From the outputs of the stack to classes or values.

use crate::error::XlstmError;
use crate::initialisation::Initialiser;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the steps of a sequence become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The last step.
    #[default]
    Last,
    /// The mean of all steps.
    Mean,
    /// A learned weighted mean: weights are the softmax over time of a learned score per step.
    Attention,
}

/// Bounds logits in the first steps of training, while the network still moves far: a logit x becomes
/// `c tanh(x / c)`, with c growing from `limit` by doubling every `doubling` steps, and no bound after `steps`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogitClipping {
    /// c at step 0.
    pub limit: f64,
    /// Training steps in which c doubles.
    pub doubling: usize,
    /// Training steps after which logits are free.
    pub steps: usize,
}

impl LogitClipping {
    /// c at a training step, counted from 0; none when logits are free.
    #[must_use]
    pub fn limit_at(&self, step: usize) -> Option<f64> {
        (step < self.steps).then(|| self.limit * (step as f64 / self.doubling as f64).exp2())
    }
}

/// Sizes and choices of a head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadConfig {
    /// Classes, or values.
    pub outputs: usize,
    /// How a sequence becomes one vector; [`Head::every_step`] needs none.
    pub pooling: Pooling,
    /// Bound of the logits at the start of training.
    pub clipping: Option<LogitClipping>,
    /// Seed of the initial weights.
    pub seed: u64,
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self { outputs: 3, pooling: Pooling::Last, clipping: None, seed: 0 }
    }
}

impl HeadConfig {
    /// Makes a head on outputs of `width`.
    ///
    /// # Errors
    /// [`XlstmError::Head`] where a number is out of range.
    pub fn init(&self, width: usize, device: &Device) -> Result<Head, XlstmError> {
        let fault = |reason: String| Err(XlstmError::Head { reason });
        if self.outputs == 0 || width == 0 {
            return fault("`outputs` and the width must be at least 1".to_owned());
        }
        if let Some(clipping) = &self.clipping
            && !(clipping.limit.is_finite() && clipping.limit > 0.0 && clipping.doubling > 0)
        {
            return fault("`clipping.limit` must be above 0 and `clipping.doubling` at least 1".to_owned());
        }
        // Another stream than the stack's, which draws from the same seed.
        let mut initialiser = Initialiser::new(self.seed ^ 0x4845_4144, device, width, 1);
        let linear = crate::block::linear(
            initialiser.fan_in([width, self.outputs], width),
            Some(initialiser.constant([self.outputs], 0.0)),
        );
        let score = (self.pooling == Pooling::Attention).then(|| initialiser.small([width]));
        Ok(Head { linear, score, config: self.clone() })
    }
}

/// A linear layer on pooled outputs.
#[derive(Module, Debug)]
pub struct Head {
    /// Width to outputs.
    pub linear: Linear,
    /// Score of a step for attention pooling, `[width]`.
    pub score: Option<Param<Tensor<1>>>,
    #[module(skip)]
    config: HeadConfig,
}

impl Head {
    /// What the head was made from.
    #[must_use]
    pub fn config(&self) -> &HeadConfig {
        &self.config
    }

    /// One row of logits per sequence. `lengths`: how many steps of each sequence count, where sequences were padded at
    /// their end. `training_step` turns logit clipping on; inference leaves it out.
    ///
    /// # Shapes
    /// `hidden` `[batch, time, width]`, result `[batch, outputs]`.
    ///
    /// # Errors
    /// [`XlstmError::Head`] where `lengths` does not fit: one number from 1 to time per sequence.
    pub fn forward(
        &self,
        hidden: Tensor<3>,
        lengths: Option<&[usize]>,
        training_step: Option<usize>,
    ) -> Result<Tensor<2>, XlstmError> {
        Ok(self.classify(self.pool(hidden, lengths)?, training_step))
    }

    /// Logits of pooled vectors.
    ///
    /// # Shapes
    /// `pooled` `[batch, width]`, result `[batch, outputs]`.
    #[must_use]
    pub fn classify(&self, pooled: Tensor<2>, training_step: Option<usize>) -> Tensor<2> {
        self.clip(self.linear.forward(pooled), training_step)
    }

    /// Logits of every step: T targets for the price of one window.
    ///
    /// # Shapes
    /// `hidden` `[batch, time, width]`, result `[batch, time, outputs]`.
    #[must_use]
    pub fn every_step(&self, hidden: Tensor<3>, training_step: Option<usize>) -> Tensor<3> {
        self.clip(self.linear.forward(hidden), training_step)
    }

    /// Sets the bias to the logarithms of class shares, so that an untrained head says what is known without looking:
    /// the first steps of training do not go into learning the base rates.
    ///
    /// # Errors
    /// [`XlstmError::Head`] where there is not one positive share per output.
    pub fn set_class_priors(&mut self, shares: &[f64]) -> Result<(), XlstmError> {
        let outputs = self.config.outputs;
        if shares.len() != outputs || shares.iter().any(|share| !(share.is_finite() && *share > 0.0)) {
            let reason = format!("class priors {shares:?} must be {outputs} numbers above 0");
            return Err(XlstmError::Head { reason });
        }
        let sum: f64 = shares.iter().sum();
        let logarithms: Vec<f32> = shares.iter().map(|share| (share / sum).ln() as f32).collect();
        let device = self.linear.weight.val().device();
        let number_type = self.linear.weight.val().dtype();
        let bias = Tensor::<1>::from_floats(logarithms.as_slice(), &device).cast(number_type);
        self.linear.bias = Some(Param::from_tensor(bias));
        Ok(())
    }

    fn clip<const D: usize>(&self, logits: Tensor<D>, training_step: Option<usize>) -> Tensor<D> {
        let clipping = self.config.clipping.as_ref();
        match training_step.and_then(|step| clipping?.limit_at(step)) {
            Some(limit) => (logits / limit).tanh() * limit,
            None => logits,
        }
    }

    /// One vector per sequence, as the configured pooling says; `lengths` as in [`Self::forward`].
    ///
    /// # Shapes
    /// `hidden` `[batch, time, width]`, result `[batch, width]`.
    ///
    /// # Errors
    /// As [`Self::forward`].
    pub fn pool(&self, hidden: Tensor<3>, lengths: Option<&[usize]>) -> Result<Tensor<2>, XlstmError> {
        let [batch, time, width] = hidden.dims();
        let device = hidden.device();
        if let Some(lengths) = lengths
            && (lengths.len() != batch || lengths.iter().any(|length| !(1..=time).contains(length)))
        {
            let reason = format!("lengths {lengths:?} must be {batch} numbers from 1 to {time}");
            return Err(XlstmError::Head { reason });
        }
        let row = |weight: &dyn Fn(usize, usize) -> f32| {
            let mut weights = vec![0.0; batch * time];
            for (sequence, steps) in weights.chunks_exact_mut(time).enumerate() {
                let length = lengths.map_or(time, |lengths| lengths[sequence]);
                for (step, value) in steps.iter_mut().enumerate() {
                    *value = weight(step, length);
                }
            }
            Tensor::<1>::from_floats(weights.as_slice(), &device).reshape([batch, time]).cast(hidden.dtype())
        };
        let pooled = match (self.config.pooling, &self.score) {
            (Pooling::Last, _) if lengths.is_none() => {
                return Ok(hidden.narrow(1, time - 1, 1).reshape([batch, width]));
            }
            (Pooling::Last, _) => row(&|step, length| if step + 1 == length { 1.0 } else { 0.0 }),
            (Pooling::Attention, Some(score)) => {
                let scores = hidden.clone().matmul(score.val().reshape([1, width, 1])).reshape([batch, time]);
                let unseen = row(&|step, length| if step < length { 0.0 } else { -1e9 });
                activation::softmax(scores + unseen, 1)
            }
            _ => row(&|step, length| if step < length { 1.0 / length as f32 } else { 0.0 }),
        };
        Ok(pooled.reshape([batch, 1, time]).matmul(hidden).reshape([batch, width]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden() -> Tensor<3> {
        let values: Vec<f32> = (0..12).map(|value| value as f32).collect();
        Tensor::<1>::from_floats(values.as_slice(), &Device::flex()).reshape([2, 3, 2])
    }

    fn pooled(pooling: Pooling, lengths: Option<&[usize]>) -> Vec<f32> {
        let config = HeadConfig { pooling, ..HeadConfig::default() };
        let head = config.init(2, &Device::flex()).unwrap();
        head.pool(hidden(), lengths).unwrap().into_data().try_to_vec().unwrap()
    }

    #[test]
    fn pools_the_steps_that_count() {
        assert_eq!(pooled(Pooling::Last, None), [4.0, 5.0, 10.0, 11.0]);
        assert_eq!(pooled(Pooling::Last, Some(&[1, 3])), [0.0, 1.0, 10.0, 11.0]);
        assert_eq!(pooled(Pooling::Mean, None), [2.0, 3.0, 8.0, 9.0]);
        assert_eq!(pooled(Pooling::Mean, Some(&[2, 1])), [1.0, 2.0, 6.0, 7.0]);
        assert_eq!(pooled(Pooling::Attention, Some(&[1, 1])), [0.0, 1.0, 6.0, 7.0]);
    }

    #[test]
    fn priors_are_what_an_untrained_head_says() {
        let mut head = HeadConfig::default().init(2, &Device::flex()).unwrap();
        head.set_class_priors(&[1.0, 2.0, 1.0]).unwrap();
        let zeros = Tensor::zeros([1, 1, 2], &Device::flex());
        let logits = head.forward(zeros, None, None).unwrap();
        let shares: Vec<f32> = activation::softmax(logits, 1).into_data().try_to_vec().unwrap();
        assert!(shares.iter().zip([0.25, 0.5, 0.25]).all(|(found, wanted)| (found - wanted).abs() < 1e-6));
        assert!(head.set_class_priors(&[1.0, 0.0, 1.0]).is_err());
    }

    #[test]
    fn logits_are_bounded_early_and_free_later() {
        let clipping = LogitClipping { limit: 2.0, doubling: 10, steps: 30 };
        assert_eq!(clipping.limit_at(0), Some(2.0));
        assert_eq!(clipping.limit_at(20), Some(8.0));
        assert_eq!(clipping.limit_at(30), None);
        let config = HeadConfig { clipping: Some(clipping), ..HeadConfig::default() };
        let head = config.init(2, &Device::flex()).unwrap();
        let largest = |step| {
            let logits = head.forward(hidden() * 1e4, None, step).unwrap();
            logits.abs().max().into_scalar::<f32>()
        };
        assert!(largest(Some(0)) <= 2.0);
        assert!(largest(Some(30)) > 8.0);
        assert!(largest(None) > 8.0);
    }
}
