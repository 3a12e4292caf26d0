//! The two networks of random network distillation, and what normalises them.

use rand::RngExt;

use super::CuriosityConfig;
use crate::codec::{Reader, Writer};
use crate::error::RlError;
use crate::network::{Mlp, Network, OutputHead, SequenceBatch};
use crate::normalisation::{Normalisation, NormalisationConfig};
use crate::on_policy::fingerprint;
use crate::optimiser::Optimiser;
use crate::random::generator;
use crate::value_policy::restore_parameters;

/// Added to the variance that novelty is divided by, so that what never varies does not divide by 0.
const EPSILON: f64 = 1e-8;

/// How new observations are, and what that is worth.
#[derive(Debug)]
pub(super) struct Novelty {
    config: CuriosityConfig,
    seed: u64,
    target: Mlp,
    predictor: Mlp,
    optimiser: Optimiser,
    /// Moments of observations, and of the sums below.
    normalisation: Normalisation,
    /// Discounted sums of novelty, `[environments]`.
    sums: Vec<f32>,
    /// Steps of the vector so far.
    steps: u64,
    /// Raw observations kept for the next update, `[rows, width]`.
    kept: Vec<f32>,
    room: Room,
}

/// Buffers.
#[derive(Debug, Default)]
struct Room {
    normalised: Vec<f32>,
    targets: Vec<f32>,
    predictions: Vec<f32>,
    errors: Vec<f32>,
    starts: Vec<bool>,
    gradient: Vec<f32>,
}

impl Novelty {
    pub(super) fn new(
        config: CuriosityConfig,
        environments: usize,
        width: usize,
        seed: u64,
    ) -> Result<Self, RlError> {
        let head = [OutputHead { outputs: config.outputs, gain: 1.0 }];
        let target = Mlp::new(width, &head, &config.network, seed, "curiosity-target")?;
        let predictor = Mlp::new(width, &head, &config.network, seed, "curiosity-predictor")?;
        let normalisation = NormalisationConfig {
            observations: true,
            rewards: true,
            observation_limit: config.observation_limit,
            reward_limit: f32::INFINITY,
            epsilon: EPSILON,
        };
        Ok(Self {
            optimiser: Optimiser::new(config.optimiser, &predictor.parameter_groups())?,
            normalisation: Normalisation::new(normalisation, width)?,
            config,
            seed,
            target,
            predictor,
            sums: vec![0.0; environments],
            steps: 0,
            kept: Vec::new(),
            room: Room::default(),
        })
    }

    pub(super) fn config(&self) -> &CuriosityConfig {
        &self.config
    }

    /// Mean squared errors of the predictor, `[n]`, for raw observations `[n, width]`.
    pub(super) fn errors(&mut self, observations: &[f32], errors: &mut Vec<f32>) -> Result<(), RlError> {
        let Room { normalised, targets, predictions, .. } = &mut self.room;
        let (rows, outputs) = (observations.len() / self.target.inputs(), self.config.outputs);
        normalised.clear();
        normalised.extend_from_slice(observations);
        self.normalisation.normalise_observations(normalised);
        targets.resize(rows * outputs, 0.0);
        predictions.resize(rows * outputs, 0.0);
        self.target.step(normalised, &mut [], targets)?;
        self.predictor.step(normalised, &mut [], predictions)?;
        errors.clear();
        let rows = targets.chunks_exact(outputs).zip(predictions.chunks_exact(outputs));
        errors.extend(rows.map(|(targets, predictions)| {
            let squares =
                targets.iter().zip(predictions).map(|(target, prediction)| (prediction - target).powi(2));
            squares.sum::<f32>() / outputs as f32
        }));
        Ok(())
    }

    /// What is added to the rewards of a step, `[environments]`, for the raw observations that followed it;
    /// all is learned from them that is to be learned.
    pub(super) fn rewards(&mut self, observations: &[f32]) -> Result<&[f32], RlError> {
        self.normalisation.learn_observations(observations);
        let mut errors = std::mem::take(&mut self.room.errors);
        self.errors(observations, &mut errors)?;
        if let Some(bad) = errors.iter().find(|error| !error.is_finite()) {
            let reason = format!("the novelty of an observation is {bad}");
            return Err(RlError::Diverged { step: self.steps * self.sums.len() as u64, reason });
        }
        let warm = self.steps >= self.config.warm_up;
        if warm {
            for (sum, error) in self.sums.iter_mut().zip(&errors) {
                *sum = *sum * self.config.discount + error;
            }
            self.normalisation.learn_returns(&self.sums);
        }
        for error in &mut errors {
            let worth = self.config.coefficient * self.normalisation.normalise_reward(*error);
            *error = if warm { worth } else { 0.0 };
        }
        self.room.errors = errors;
        self.keep(observations);
        self.steps += 1;
        if self.steps.is_multiple_of(self.config.update_every as u64) {
            if warm {
                self.learn()?;
            }
            self.kept.clear();
        }
        Ok(&self.room.errors)
    }

    /// Keeps a share of the observations.
    fn keep(&mut self, observations: &[f32]) {
        let mut random = generator(self.seed, "curiosity", self.steps);
        for row in observations.chunks_exact(self.target.inputs()) {
            if random.random::<f32>() < self.config.share {
                self.kept.extend_from_slice(row);
            }
        }
    }

    /// Moves the predictor towards the target on what was kept: the gradient of the mean of squared errors.
    fn learn(&mut self) -> Result<(), RlError> {
        let rows = self.kept.len() / self.target.inputs();
        if rows == 0 {
            return Ok(());
        }
        self.normalisation.normalise_observations(&mut self.kept);
        let Room { targets, predictions, starts, gradient, .. } = &mut self.room;
        let length = rows * self.config.outputs;
        targets.resize(length, 0.0);
        predictions.resize(length, 0.0);
        starts.resize(rows, true);
        gradient.resize(self.predictor.parameters().len(), 0.0);
        self.target.step(&self.kept, &mut [], targets)?;
        for _ in 0..self.config.passes {
            let observations = &self.kept;
            let batch = SequenceBatch { sequences: rows, time: 1, observations, starts, states: &[] };
            self.predictor.forward(&batch, predictions)?;
            for (prediction, target) in predictions.iter_mut().zip(&*targets) {
                *prediction = 2.0 * (*prediction - target) / length as f32;
            }
            gradient.fill(0.0);
            self.predictor.backward(predictions, gradient)?;
            let parameters = &mut [self.predictor.parameters_mut()];
            self.optimiser.step(parameters, gradient, self.config.learning_rate)?;
        }
        Ok(())
    }

    pub(super) fn save(&self, writer: &mut Writer) -> Result<(), RlError> {
        writer.bytes(fingerprint(&self.config)?.as_bytes());
        writer.u64(self.seed);
        writer.u64(self.steps);
        writer.f32s(self.target.parameters());
        writer.f32s(self.predictor.parameters());
        self.optimiser.save(writer);
        self.normalisation.save(writer);
        writer.f32s(&self.sums);
        writer.f32s(&self.kept);
        Ok(())
    }

    pub(super) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        if reader.bytes()? != fingerprint(&self.config)?.as_bytes() {
            return Err(RlError::checkpoint("its curiosity is configured otherwise; configure the same"));
        }
        (self.seed, self.steps) = (reader.u64()?, reader.u64()?);
        restore_parameters(self.target.parameters_mut(), reader)?;
        restore_parameters(self.predictor.parameters_mut(), reader)?;
        self.optimiser.restore(reader)?;
        self.normalisation.restore(reader)?;
        let (sums, kept) = (reader.f32s()?, reader.f32s()?);
        if sums.len() != self.sums.len() || !kept.len().is_multiple_of(self.target.inputs()) {
            return Err(RlError::checkpoint("its curiosity is of other environments; make the same"));
        }
        (self.sums, self.kept) = (sums, kept);
        Ok(())
    }
}
