//! The network and its head, step by step on plain slices.

use burn::tensor::{Device, Tensor, TensorData};
use networks::values;
use networks::{Network, NetworkRun, NetworkState};
use xlstm::{Pooling, Stepper, StepperState};

use crate::classifier::Classifier;
use crate::dataset::CLASSES;
use crate::error::SupervisedError;

/// A classifier with its weights packed for steps.
#[derive(Debug)]
pub(super) struct StepNetwork {
    body: Body,
    width: usize,
    /// `[width, 3]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
    pooling: Pooling,
    /// Score of a step, for attention pooling.
    score: Option<Vec<f32>>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one for each model")]
enum Body {
    Packed(Stepper),
    /// Networks with self-attention, which the stepper has not, and all but the xLSTM.
    Tensors(Network, Device),
}

/// State of a number of sequences.
#[derive(Clone, Debug)]
pub(super) enum StepState {
    Packed(StepperState),
    Tensors(NetworkState),
}

impl StepNetwork {
    pub(super) fn new(classifier: &Classifier) -> Result<Self, SupervisedError> {
        let network = &classifier.network;
        let linear = &classifier.head.linear;
        let device = linear.weight.val().device();
        let body = match network {
            Network::Xlstm(network) if network.config().attention.is_none() => {
                Body::Packed(Stepper::new(network)?)
            }
            _ => Body::Tensors(network.clone(), device),
        };
        let bias = linear.bias.as_ref().map(|bias| values(bias.val().detach())).transpose()?;
        let score = classifier.head.score.as_ref().map(|score| values(score.val().detach())).transpose()?;
        Ok(Self {
            body,
            width: network.architecture().width(),
            weight: values(linear.weight.val().detach())?,
            bias: bias.unwrap_or_else(|| vec![0.0; CLASSES]),
            pooling: classifier.head.config().pooling,
            score,
        })
    }

    /// Outputs of one step.
    pub(super) const fn width(&self) -> usize {
        self.width
    }

    pub(super) fn empty_state(&self, batch: usize) -> StepState {
        match &self.body {
            Body::Packed(stepper) => StepState::Packed(stepper.empty_state(batch)),
            Body::Tensors(network, device) => StepState::Tensors(network.empty_state(batch, device)),
        }
    }

    /// One step of `batch` sequences: `inputs` `[batch, inputs]`, `outputs` `[batch, width]`.
    pub(super) fn step(
        &self,
        inputs: &[f32],
        state: &mut StepState,
        outputs: &mut [f32],
    ) -> Result<(), SupervisedError> {
        match (&self.body, state) {
            (Body::Packed(stepper), StepState::Packed(state)) => {
                Ok(stepper.step(inputs, None, state, outputs)?)
            }
            (Body::Tensors(network, device), StepState::Tensors(state)) => {
                let batch = outputs.len() / self.width;
                let shape = [batch, 1, inputs.len() / batch.max(1)];
                let input = Tensor::<3>::from_data(TensorData::new(inputs.to_vec(), shape), device);
                let run =
                    NetworkRun { state: Some(state.clone()), keep_state: true, ..NetworkRun::default() };
                let (output, next) = network.run(input, run)?;
                outputs.copy_from_slice(&values(output)?);
                *state = next.ok_or_else(|| SupervisedError::data("the state", "the network kept none"))?;
                Ok(())
            }
            _ => Err(SupervisedError::data("the state", "it is of another network")),
        }
    }

    /// The logits of one sequence from its outputs `[time, width]`, pooled as the head says.
    pub(super) fn logits(&self, outputs: &[f32]) -> [f32; CLASSES] {
        match self.pooling {
            Pooling::Last => self.linear(&outputs[outputs.len() - self.width..]),
            _ => self.linear(&self.pooled(outputs)),
        }
    }

    /// What the logits are made from, `[width]`.
    pub(super) fn pooled(&self, outputs: &[f32]) -> Vec<f32> {
        match (self.pooling, &self.score) {
            (Pooling::Last, _) => outputs[outputs.len() - self.width..].to_vec(),
            (Pooling::Attention, Some(score)) => {
                let rows = outputs.chunks_exact(self.width);
                let scores: Vec<f32> =
                    rows.map(|row| row.iter().zip(score).map(|(x, s)| x * s).sum()).collect();
                let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let shares: Vec<f32> = scores.iter().map(|score| (score - highest).exp()).collect();
                self.mean(outputs, &shares)
            }
            _ => self.mean(outputs, &vec![1.0; outputs.len() / self.width]),
        }
    }

    fn mean(&self, outputs: &[f32], shares: &[f32]) -> Vec<f32> {
        let mut mean = vec![0.0; self.width];
        let sum: f32 = shares.iter().sum();
        for (row, share) in outputs.chunks_exact(self.width).zip(shares) {
            for (mean, value) in mean.iter_mut().zip(row) {
                *mean += value * share / sum;
            }
        }
        mean
    }

    fn linear(&self, pooled: &[f32]) -> [f32; CLASSES] {
        let mut logits = [self.bias[0], self.bias[1], self.bias[2]];
        for (value, weights) in pooled.iter().zip(self.weight.chunks_exact(CLASSES)) {
            for (logit, weight) in logits.iter_mut().zip(weights) {
                *logit += value * weight;
            }
        }
        logits
    }
}
