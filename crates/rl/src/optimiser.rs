//! First-order optimisers over flat slices.

use pulp::Arch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codec::{Reader, Writer};
use crate::error::RlError;
use crate::network::{Network, ParameterGroup};

/// Which optimiser, without its learning rate, which algorithms schedule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OptimiserConfig {
    /// Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1).
    Adam {
        /// Decay of the mean of gradients.
        beta1: f32,
        /// Decay of the mean of their squares.
        beta2: f32,
        /// Added to the root.
        epsilon: f32,
    },
    /// RMSprop as `torch.optim.RMSprop`: squares start at 0, epsilon is added to the root.
    RmsProp {
        /// Decay of the mean of squared gradients.
        alpha: f32,
        /// Added to the root.
        epsilon: f32,
    },
    /// RMSprop as TensorFlow's, Stable-Baselines3's `RMSpropTFLike`: squares start at 1, epsilon is added
    /// within the root.
    RmsPropTfLike {
        /// Decay of the mean of squared gradients.
        alpha: f32,
        /// Added within the root.
        epsilon: f32,
    },
}

impl OptimiserConfig {
    /// Adam with the betas of the paper.
    #[must_use]
    pub const fn adam(epsilon: f32) -> Self {
        Self::Adam { beta1: 0.9, beta2: 0.999, epsilon }
    }

    /// # Errors
    /// [`RlError::Config`] for a decay outside [0, 1) or an epsilon that is not above 0.
    pub fn validate(&self) -> Result<(), RlError> {
        let (decays, epsilon) = match *self {
            Self::Adam { beta1, beta2, epsilon } => ([beta1, beta2], epsilon),
            Self::RmsProp { alpha, epsilon } | Self::RmsPropTfLike { alpha, epsilon } => {
                ([alpha; 2], epsilon)
            }
        };
        if let Some(bad) = decays.into_iter().find(|decay| !(0.0..1.0).contains(decay)) {
            return Err(RlError::config("optimiser (a decay)", bad, "give at least 0 and less than 1"));
        }
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(RlError::config(
                "optimiser.epsilon",
                epsilon,
                "give a small number above 0, as 1e-5",
            ));
        }
        Ok(())
    }
}

/// Refuses a network whose groups are not as many parameters as it has.
pub(crate) fn check_groups(network: &dyn Network) -> Result<(), RlError> {
    let sum: usize = network.parameter_groups().iter().map(|group| group.parameters).sum();
    let count = network.parameters().len();
    if sum == count {
        return Ok(());
    }
    let problem = format!("they are of {sum} parameters, the network has {count}; name a group for each");
    Err(RlError::shape("the groups of parameters", problem))
}

/// An optimiser and what it remembers.
#[derive(Clone, Debug)]
pub struct Optimiser {
    config: OptimiserConfig,
    steps: u64,
    /// Means of gradients; Adam alone.
    first: Vec<f32>,
    /// Means of squared gradients.
    second: Vec<f32>,
    /// Neighbours differ in their factors.
    groups: Vec<ParameterGroup>,
    arch: Arch,
}

impl Optimiser {
    /// For parameters that learn at these paces.
    ///
    /// # Errors
    /// [`RlError::Shape`] for a factor that is negative or not finite.
    pub fn new(config: OptimiserConfig, groups: &[ParameterGroup]) -> Result<Self, RlError> {
        let mut merged: Vec<ParameterGroup> = Vec::new();
        for group in groups {
            let factor = group.learning_rate_factor;
            if !(0.0..f32::INFINITY).contains(&factor) {
                let problem =
                    format!("a learning rate is multiplied by {factor}; give a finite number from 0");
                return Err(RlError::shape("the groups of parameters", problem));
            }
            match merged.last_mut() {
                Some(last) if last.learning_rate_factor == factor => last.parameters += group.parameters,
                _ => merged.push(*group),
            }
        }
        let parameters = merged.iter().map(|group| group.parameters).sum();
        let (first, second) = match config {
            OptimiserConfig::Adam { .. } => (parameters, 0.0),
            OptimiserConfig::RmsProp { .. } => (0, 0.0),
            OptimiserConfig::RmsPropTfLike { .. } => (0, 1.0),
        };
        let (first, second) = (vec![0.0; first], vec![second; parameters]);
        Ok(Self { config, steps: 0, first, second, groups: merged, arch: Arch::new() })
    }

    /// [`clip_by_global_norm`] of what is not frozen; the gradient of what is becomes 0, whatever it was.
    ///
    /// # Errors
    /// [`RlError::Shape`] where the lengths do not fit.
    pub fn clip(&self, gradient: &mut [f32], limit: f32) -> Result<f32, RlError> {
        self.check(self.second.len(), gradient.len())?;
        let mut rest = &mut *gradient;
        for group in &self.groups {
            let (here, after) = rest.split_at_mut(group.parameters);
            if group.learning_rate_factor == 0.0 {
                here.fill(0.0);
            }
            rest = after;
        }
        Ok(clip_by_global_norm(gradient, limit))
    }

    /// Moves the parameters, given in pieces, against the gradient, which is as long as all pieces together.
    ///
    /// # Errors
    /// [`RlError::Shape`] where the lengths do not fit.
    pub fn step(
        &mut self,
        pieces: &mut [&mut [f32]],
        gradient: &[f32],
        learning_rate: f64,
    ) -> Result<(), RlError> {
        self.check(pieces.iter().map(|piece| piece.len()).sum(), gradient.len())?;
        self.steps += 1;
        let mut groups = self.groups.iter().copied();
        let (mut left, mut factor, mut offset) = (0, 1.0, 0);
        for piece in pieces {
            let mut rest = &mut **piece;
            while !rest.is_empty() {
                if left == 0 {
                    // Groups sum to the parameters, so there is one more.
                    let Some(next) = groups.next() else { break };
                    (left, factor) = (next.parameters, f64::from(next.learning_rate_factor));
                    continue;
                }
                let (here, after) = rest.split_at_mut(left.min(rest.len()));
                let range = offset..offset + here.len();
                (left, offset, rest) = (left - here.len(), range.end, after);
                if factor > 0.0 {
                    let (config, rate, arch) = (self.config, learning_rate * factor, self.arch);
                    let first = self.first.get_mut(range.clone()).unwrap_or_default();
                    let (gradient, second) = (&gradient[range.clone()], &mut self.second[range]);
                    Run { config, steps: self.steps, rate, arch }.step(here, gradient, first, second);
                }
            }
        }
        Ok(())
    }

    fn check(&self, parameters: usize, gradients: usize) -> Result<(), RlError> {
        if parameters == gradients && parameters == self.second.len() {
            return Ok(());
        }
        let problem =
            format!("{parameters} parameters, {gradients} gradients, {} moments", self.second.len());
        Err(RlError::shape("a step of the optimiser", problem))
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.u64(self.steps);
        writer.f32s(&self.first);
        writer.f32s(&self.second);
    }

    pub(crate) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        self.steps = reader.u64()?;
        let (first, second) = (reader.f32s()?, reader.f32s()?);
        if first.len() != self.first.len() || second.len() != self.second.len() {
            return Err(RlError::checkpoint(
                "its optimiser is another, or of another network; configure the same",
            ));
        }
        (self.first, self.second) = (first, second);
        Ok(())
    }
}

/// One step of parameters that follow each other.
struct Run {
    config: OptimiserConfig,
    steps: u64,
    rate: f64,
    arch: Arch,
}

impl Run {
    fn step(self, values: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
        let rate = self.rate as f32;
        match self.config {
            OptimiserConfig::Adam { beta1, beta2, epsilon } => {
                // As PyTorch: the rate carries the bias of the first moment, the root that of the second.
                let power = i32::try_from(self.steps).unwrap_or(i32::MAX);
                let rate = (self.rate / (1.0 - f64::from(beta1).powi(power))) as f32;
                let correction = (1.0 - f64::from(beta2).powi(power)).sqrt() as f32;
                self.arch.dispatch(|| {
                    for (((value, gradient), first), second) in
                        values.iter_mut().zip(gradient).zip(first).zip(second)
                    {
                        *first += (1.0 - beta1) * (gradient - *first);
                        *second = beta2 * *second + (1.0 - beta2) * gradient * gradient;
                        *value -= rate * *first / (second.sqrt() / correction + epsilon);
                    }
                });
            }
            OptimiserConfig::RmsProp { alpha, epsilon } => {
                let root = |square: f32| square.sqrt() + epsilon;
                root_mean_square(self.arch, values, gradient, second, rate, alpha, root);
            }
            OptimiserConfig::RmsPropTfLike { alpha, epsilon } => {
                let root = |square: f32| (square + epsilon).sqrt();
                root_mean_square(self.arch, values, gradient, second, rate, alpha, root);
            }
        }
    }
}

#[inline(always)]
fn root_mean_square(
    arch: Arch,
    piece: &mut [f32],
    gradient: &[f32],
    second: &mut [f32],
    rate: f32,
    alpha: f32,
    root: impl Fn(f32) -> f32,
) {
    arch.dispatch(
        #[inline(always)]
        || {
            for ((value, gradient), second) in piece.iter_mut().zip(gradient).zip(second) {
                *second = alpha * *second + (1.0 - alpha) * gradient * gradient;
                *value -= rate * gradient / root(*second);
            }
        },
    );
}

/// Scales the gradient down to a Euclidean norm of `limit`, as `torch.nn.utils.clip_grad_norm_`; gives the
/// norm before.
pub fn clip_by_global_norm(gradient: &mut [f32], limit: f32) -> f32 {
    // In f64 over eight sums: exact enough for any length, and the compiler makes vectors of it.
    let (chunks, rest) = gradient.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*value) * f64::from(*value);
        }
    }
    let rest: f64 = rest.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
    let norm = (sums.iter().sum::<f64>() + rest).sqrt() as f32;
    let factor = limit / (norm + 1e-6);
    if factor < 1.0 {
        gradient.iter_mut().for_each(|value| *value *= factor);
    }
    norm
}

#[cfg(test)]
mod tests;
