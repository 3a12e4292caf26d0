//! From gradients to better parameters.
//!
//! All parameters of the network stand in one flat `f32` vector, the gradients in another; a
//! [`ParameterLayout`] says which part is which. [`Optimiser::step`] clips the gradients, takes a step of
//! AdamW, and keeps slow weights and an average of the weights. Nothing here is random, and the sums have a
//! fixed order, so that equal gradients give equal parameters.

mod adamw;
mod adaptive_clipping;
mod average;
mod clipping;
mod config;
mod layout;
mod lookahead;
mod norm;
mod schedule;
mod sharpness;
mod state;
#[cfg(test)]
mod tests;

use crate::error::SupervisedError;
use adamw::AdamW;
use adaptive_clipping::AdaptiveClipping;
use norm::norm;

pub use adaptive_clipping::AdaptiveClippingConfig;
pub use average::AverageConfig;
pub use clipping::NormClippingConfig;
pub use config::OptimiserConfig;
pub use layout::{ParameterInfo, ParameterLayout, UnitOrder, decays, unit_order};
pub use lookahead::LookaheadConfig;
pub use schedule::LearningRate;
pub use sharpness::{Perturbation, SharpnessConfig, perturb};
pub use state::OptimiserState;

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepReport {
    /// Norm of the gradient as given, before any clipping; not finite where the gradient is not.
    pub gradient_norm: f64,
    /// Units whose gradient adaptive clipping shrank.
    pub adaptive_clipped_units: usize,
    /// Whether the norm of the whole gradient was clipped.
    pub clipped: bool,
    /// The distance that the parameters went, slow weights included; 0 where the step was skipped.
    pub update_norm: f64,
    /// Whether the step was left out because of its gradient.
    pub skipped: bool,
}

/// AdamW with clipping before it and slow and averaged weights after it.
#[derive(Clone, Debug)]
pub struct Optimiser {
    config: OptimiserConfig,
    layout: ParameterLayout,
    adaptive_clipping: Option<AdaptiveClipping>,
    /// Steps done, without those skipped.
    steps: u64,
    first_moment: Vec<f32>,
    second_moment: Vec<f32>,
    slow_weights: Option<Vec<f32>>,
    average: Option<Vec<f32>>,
    /// The parameters before the step, then how far each went.
    moved: Vec<f32>,
}

impl Optimiser {
    /// An optimiser at the start of training; slow and averaged weights begin at `initial`,
    /// `[layout.total()]`.
    ///
    /// # Errors
    /// Names the field of the configuration that is out of range or does not fit the layout; refuses initial
    /// parameters that are not as many as the layout's, or not finite.
    pub fn new(
        config: &OptimiserConfig,
        layout: ParameterLayout,
        initial: &[f32],
    ) -> Result<Self, SupervisedError> {
        config.validate()?;
        let total = layout.total();
        require_length("initial parameters", initial, total)?;
        if !norm(initial).is_finite() {
            return Err(SupervisedError::data("initial parameters", "not all are finite"));
        }
        let clipping = &config.adaptive_clipping;
        let adaptive_clipping =
            clipping.enabled.then(|| AdaptiveClipping::new(clipping, &layout)).transpose()?;
        Ok(Self {
            adaptive_clipping,
            layout,
            steps: 0,
            first_moment: vec![0.0; total],
            second_moment: vec![0.0; total],
            slow_weights: config.lookahead.enabled.then(|| initial.to_vec()),
            average: config.average.enabled.then(|| initial.to_vec()),
            moved: vec![0.0; total],
            config: config.clone(),
        })
    }

    /// One step of training: adaptive clipping, clipping by the norm, AdamW, slow weights, average.
    ///
    /// `parameters` and `gradients` are `[layout.total()]`; afterwards `gradients` holds what was left of
    /// them by the clipping.
    ///
    /// A gradient that is not finite, or whose square passes f32 even after clipping, is no reason to end a
    /// training: the step is skipped, neither the parameters nor anything the optimiser remembers changes,
    /// and the report says so. The caller decides how many of these are too many.
    ///
    /// # Errors
    /// A slice has another length than the layout; the learning rate is negative or not finite, or so large
    /// that the weight decay of one step would turn the parameters' signs. Nothing has changed then.
    pub fn step(
        &mut self,
        learning_rate: f64,
        parameters: &mut [f32],
        gradients: &mut [f32],
    ) -> Result<StepReport, SupervisedError> {
        require_length("parameters", parameters, self.layout.total())?;
        require_length("gradients", gradients, self.layout.total())?;
        let decay = learning_rate * self.config.weight_decay;
        if !(learning_rate.is_finite() && learning_rate >= 0.0 && decay <= 1.0) {
            let reason = format!("{learning_rate} is negative, not finite, or above 1 / weight decay");
            return Err(SupervisedError::data("learning rate", reason));
        }
        let mut report = StepReport { gradient_norm: norm(gradients), ..StepReport::default() };
        if !(report.gradient_norm.is_finite() && self.clip(parameters, gradients, &mut report)) {
            report.skipped = true;
            return Ok(report);
        }
        self.moved.copy_from_slice(parameters);
        self.update(learning_rate, parameters, gradients);
        self.follow(parameters);
        for (moved, &parameter) in self.moved.iter_mut().zip(&*parameters) {
            *moved -= parameter;
        }
        report.update_norm = norm(&self.moved);
        Ok(report)
    }

    /// The moving average of the weights, `[layout.total()]`, where it is enabled.
    #[must_use]
    pub fn average(&self) -> Option<&[f32]> {
        self.average.as_deref()
    }

    /// The slow weights of Lookahead, `[layout.total()]`, where it is enabled.
    #[must_use]
    pub fn slow_weights(&self) -> Option<&[f32]> {
        self.slow_weights.as_deref()
    }

    /// Steps done, without those skipped.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Clips finite gradients and says whether the second moment can hold their squares.
    fn clip(&mut self, parameters: &[f32], gradients: &mut [f32], report: &mut StepReport) -> bool {
        let mut left = report.gradient_norm;
        if let Some(clipping) = &mut self.adaptive_clipping {
            report.adaptive_clipped_units = clipping.clip(parameters, gradients);
            left = norm(gradients);
        }
        let clipping = &self.config.norm_clipping;
        if clipping.enabled && clipping::clip_norm(gradients, left, clipping.maximum_norm) {
            report.clipped = true;
            left = clipping.maximum_norm;
        }
        // An infinite second moment would never come back. Half leaves room for rounding.
        left * left <= 0.5 * f64::from(f32::MAX)
    }

    fn update(&mut self, learning_rate: f64, parameters: &mut [f32], gradients: &[f32]) {
        self.steps += 1;
        for part in self.layout.parts() {
            let adamw = AdamW {
                learning_rate,
                weight_decay: if part.decay { self.config.weight_decay } else { 0.0 },
                betas: self.config.betas,
                epsilon: self.config.epsilon,
                step: self.steps,
            };
            let range = part.range.clone();
            adamw.update(
                &mut parameters[range.clone()],
                &gradients[range.clone()],
                &mut self.first_moment[range.clone()],
                &mut self.second_moment[range],
            );
        }
    }

    /// Slow weights and average after the step of AdamW.
    fn follow(&mut self, parameters: &mut [f32]) {
        let lookahead = &self.config.lookahead;
        if let Some(slow) = &mut self.slow_weights
            && self.steps.is_multiple_of(lookahead.steps)
        {
            lookahead::meet(slow, parameters, lookahead.alpha);
        }
        if let Some(average) = &mut self.average {
            average::follow(average, parameters, self.config.average.decay_at(self.steps - 1));
        }
    }
}

fn require_length(what: &str, values: &[f32], total: usize) -> Result<(), SupervisedError> {
    if values.len() == total {
        return Ok(());
    }
    Err(SupervisedError::data(what, format!("there are {}, the layout has {total}", values.len())))
}
