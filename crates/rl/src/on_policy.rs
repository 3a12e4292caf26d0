//! What A2C and PPO share: a policy, its environments, and one step of its optimiser.

use serde::Serialize;

use crate::actor_critic::ActorCritic;
use crate::codec::{Reader, Writer};
use crate::collection::{Behaviour, Collector};
use crate::environment::VecEnvironment;
use crate::error::RlError;
use crate::normalisation::NormalisationConfig;
use crate::objective::{Evaluation, LossTerms, Objective, OutputGradients};
use crate::optimiser::{Optimiser, OptimiserConfig};
use crate::policy::Policy;
use crate::rollout::{Minibatch, Rollout, RolloutShape};
use crate::training::Progress;

/// Settings of both.
pub(crate) struct Setup {
    pub(crate) steps: usize,
    pub(crate) sequence: usize,
    pub(crate) optimiser: OptimiserConfig,
    pub(crate) normalisation: NormalisationConfig,
    pub(crate) seed: u64,
}

pub(crate) struct OnPolicy {
    pub(crate) policy: Policy,
    pub(crate) collector: Collector,
    pub(crate) rollout: Rollout,
    pub(crate) seed: u64,
    /// Rollouts that have been learned from.
    pub(crate) iterations: u64,
    pub(crate) progress: Progress,
    /// What is learned from next.
    pub(crate) minibatch: Minibatch,
    optimiser: Optimiser,
    room: Room,
}

/// Buffers of an update.
#[derive(Default)]
struct Room {
    outputs: Vec<f32>,
    values: Vec<f32>,
    output_gradient: Vec<f32>,
    value_gradient: Vec<f32>,
    gradient: Vec<f32>,
}

impl OnPolicy {
    pub(crate) fn new(
        model: ActorCritic,
        environments: Box<dyn VecEnvironment>,
        setup: &Setup,
    ) -> Result<Self, RlError> {
        let state_width = model.state_width();
        let shape = RolloutShape {
            environments: environments.len(),
            steps: setup.steps,
            inputs: model.inputs(),
            action_width: model.distribution().action_width(),
            state_width,
            // Without memory each step stands alone.
            sequence: if state_width == 0 { 1 } else { setup.sequence },
        };
        let optimiser = Optimiser::new(setup.optimiser, &model.parameter_groups())?;
        let mut policy = Policy::new(model, setup.normalisation)?;
        let collector = Collector::new(environments, &mut policy, setup.seed)?;
        let (rollout, progress) = (Rollout::new(shape)?, Progress::default());
        let (seed, iterations, room, minibatch) = (setup.seed, 0, Room::default(), Minibatch::default());
        Ok(Self { policy, collector, rollout, seed, iterations, progress, minibatch, optimiser, room })
    }

    /// Copies some sequences of the rollout into the minibatch.
    pub(crate) fn gather(&mut self, sequences: &[usize]) {
        self.rollout.gather(sequences, &mut self.minibatch);
    }

    /// One step of the optimiser on the minibatch; none where the divergence is above `kl_limit`.
    pub(crate) fn update(
        &mut self,
        objective: &Objective,
        learning_rate: f64,
        gradient_limit: f32,
        kl_limit: f32,
    ) -> Result<(LossTerms, bool), RlError> {
        let model = &mut self.policy.model;
        let Room { outputs, values, output_gradient, value_gradient, gradient } = &mut self.room;
        let minibatch = &self.minibatch;
        let (rows, per_row) = (minibatch.rows(), model.distribution().outputs());
        for (buffer, length) in [
            (&mut *outputs, rows * per_row),
            (&mut *output_gradient, rows * per_row),
            (&mut *values, rows),
            (&mut *value_gradient, rows),
        ] {
            buffer.resize(length, 0.0);
        }
        model.forward(&minibatch.batch(), outputs, values)?;
        gradient.clear();
        gradient.resize(model.parameter_count(), 0.0);
        let logs = model.log_deviations();
        let evaluation =
            Evaluation { distribution: model.distribution(), outputs, values, log_deviations: logs };
        let networks = gradient.len() - logs.len();
        let log_deviations = &mut gradient[networks..];
        let mut gradients =
            OutputGradients { outputs: output_gradient, values: value_gradient, log_deviations };
        let terms = objective.derivative(minibatch, &evaluation, &mut gradients);
        if !terms.total(objective).is_finite() {
            return Err(RlError::Diverged { step: self.collector.steps, reason: format!("{terms:?}") });
        }
        if terms.approximate_kl > kl_limit {
            return Ok((terms, false));
        }
        model.backward(output_gradient, value_gradient, gradient)?;
        let norm = self.optimiser.clip(gradient, gradient_limit)?;
        self.progress.gradient_norm = Some(norm);
        if !norm.is_finite() {
            let reason = format!("a gradient of norm {norm}");
            return Err(RlError::Diverged { step: self.collector.steps, reason });
        }
        self.optimiser.step(&mut model.parameters_mut(), gradient, learning_rate)?;
        self.progress.updates += 1;
        Ok((terms, true))
    }

    /// Fills the rollout.
    pub(crate) fn collect(
        &mut self,
        discount: f32,
        lambda: f32,
        behaviour: Option<Behaviour>,
    ) -> Result<(), RlError> {
        self.collector.collect(&mut self.policy, &mut self.rollout, discount, lambda, behaviour)
    }

    /// Counts the iteration and says where training stands.
    pub(crate) fn finish(
        &mut self,
        losses: LossTerms,
        objective: &Objective,
        learning_rate: f64,
        epochs: usize,
        total_steps: u64,
    ) -> Progress {
        self.iterations += 1;
        self.progress.losses = Some(losses);
        self.progress.loss = Some(f64::from(losses.total(objective)));
        (self.progress.learning_rate, self.progress.epochs) = (learning_rate, Some(epochs));
        let values = &self.rollout.values;
        let sum = values.iter().map(|value| f64::from(*value)).sum::<f64>();
        self.progress.mean_value = Some(sum / values.len() as f64);
        let means = self.collector.statistics.means();
        self.progress.steps = self.collector.steps;
        self.progress.total_steps = total_steps;
        self.progress.episodes = self.collector.statistics.episodes();
        self.progress.mean_return = means.map(|means| means.0);
        self.progress.mean_length = means.map(|means| means.1);
        let explained = self.rollout.explained_variance();
        self.progress.explained_variance = (!explained.is_nan()).then_some(explained);
        self.progress
    }

    /// `more` writes what the algorithm has beside.
    pub(crate) fn to_bytes(
        &self,
        algorithm: &str,
        config: &impl Serialize,
        more: impl FnOnce(&mut Writer),
    ) -> Result<Vec<u8>, RlError> {
        let mut writer = Writer::default();
        writer.bytes(algorithm.as_bytes());
        writer.bytes(fingerprint(config)?.as_bytes());
        writer.u64(self.iterations);
        writer.u64(self.progress.updates);
        self.policy.save(&mut writer);
        self.optimiser.save(&mut writer);
        self.collector.save(&mut writer)?;
        more(&mut writer);
        Ok(writer.finish_with_checksum())
    }

    /// `more` reads what the algorithm has beside.
    pub(crate) fn restore(
        &mut self,
        bytes: &[u8],
        algorithm: &str,
        config: &impl Serialize,
        more: impl FnOnce(&mut Reader<'_>) -> Result<(), RlError>,
    ) -> Result<(), RlError> {
        let mut reader = Reader::with_checksum(bytes)?;
        let config = fingerprint(config)?;
        for (what, expected) in [("algorithm", algorithm), ("configuration", &config)] {
            let found = String::from_utf8_lossy(reader.bytes()?);
            if found != expected {
                let problem = format!("its {what} is {found}, not {expected}; configure the same");
                return Err(RlError::checkpoint(problem));
            }
        }
        (self.iterations, self.progress.updates) = (reader.u64()?, reader.u64()?);
        self.policy.restore(&mut reader)?;
        self.optimiser.restore(&mut reader)?;
        self.collector.restore(&mut reader)?;
        self.seed = self.collector.seed();
        more(&mut reader)?;
        reader.finish()
    }
}

/// A configuration, to tell checkpoints of others apart.
pub(crate) fn fingerprint(config: &impl Serialize) -> Result<String, RlError> {
    serde_json::to_string(config).map_err(|error| RlError::checkpoint(error.to_string()))
}

/// Refuses what lies outside `low..=high`.
pub(crate) fn expect_within(field: &'static str, value: f32, low: f32, high: f32) -> Result<(), RlError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    let remedy = if high == 1.0 { "give a number from 0 to 1" } else { "give a finite number of at least 0" };
    Err(RlError::config(field, value, remedy))
}

/// Refuses 0.
pub(crate) fn expect_positive(field: &'static str, value: u64) -> Result<(), RlError> {
    if value == 0 { Err(RlError::config(field, value, "give at least 1")) } else { Ok(()) }
}
