//! Networks of tensors behind [`Network`]: LSTM, convolutions, transformer, perceptron over lags, xLSTM.
//!
//! An observation is a window of rows, oldest first, then whatever else there is (as the state of an account). The body runs
//! over the rows; its last output and what else there is go through dense layers to the heads.
//!
//! Without memory each observation begins with an empty state. With memory an observation is one row, and the state goes on
//! from step to step: derivatives run through a sequence, not into the state that it began with.

use std::sync::Arc;

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor, TensorData};
use networks::{
    Architecture, LstmConfig, NetworkRun, parameter_gradients, parameters, values, with_parameters,
};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::initialisation::orthogonal;
use super::{Activation, Network, OutputHead, ParameterGroup, SequenceBatch};
use crate::error::RlError;
use crate::random::{derived_seed, generator};

/// Sizes of a [`SequenceNetwork`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SequenceConfig {
    /// The body. Its dropout has to be 0: what explores here is the policy. Columns and seed of an xLSTM are set from the
    /// observations and the seed of the learner.
    pub architecture: Architecture,
    /// Rows of the window in an observation; 1 with memory.
    pub rows: usize,
    /// Columns of a row; 0 for all that there is, divided by `rows`.
    pub columns: usize,
    /// Whether the state goes on from step to step.
    pub memory: bool,
    /// Units of each dense layer between body and heads.
    pub hidden: Vec<usize>,
    /// What follows each of them.
    pub activation: Activation,
    /// What the learning rate of the body is multiplied by; 0 leaves it as it is.
    pub body_learning_rate: f32,
    /// Parameters that the body begins with, as [`networks::parameters`] gives them: those of a trained network. No part of a file.
    #[serde(skip)]
    pub body: Option<Arc<[f32]>>,
}

impl Default for SequenceConfig {
    /// A recurrent LSTM of 64 units.
    fn default() -> Self {
        Self {
            architecture: Architecture::Lstm(LstmConfig { width: 64, layers: 1, dropout: 0.0 }),
            rows: 1,
            columns: 0,
            memory: true,
            hidden: vec![64],
            activation: Activation::default(),
            body_learning_rate: 1.0,
            body: None,
        }
    }
}

impl SequenceConfig {
    /// # Errors
    /// [`RlError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), RlError> {
        self.architecture.validate().map_err(refused)?;
        if self.architecture.drops() {
            let remedy = "set its dropout to 0: nothing is dropped in reinforcement learning";
            return Err(RlError::config("architecture", format!("{:?}", self.architecture), remedy));
        }
        if self.rows == 0 || (self.memory && self.rows != 1) {
            let remedy = "give 1 with memory, where rows come one by one, or at least 1 without";
            return Err(RlError::config("rows", self.rows, remedy));
        }
        if self.hidden.contains(&0) {
            return Err(RlError::config(
                "hidden",
                format!("{:?}", self.hidden),
                "give each layer a unit at least",
            ));
        }
        if !(self.body_learning_rate >= 0.0 && self.body_learning_rate.is_finite()) {
            let remedy = "give a factor of at least 0";
            return Err(RlError::config("body_learning_rate", self.body_learning_rate, remedy));
        }
        Ok(())
    }

    /// Columns of a row, for observations of so many numbers.
    fn columns_of(&self, inputs: usize) -> Result<usize, RlError> {
        let columns = if self.columns == 0 { inputs / self.rows.max(1) } else { self.columns };
        let uneven = self.columns == 0 && columns * self.rows != inputs;
        if columns == 0 || columns * self.rows > inputs || uneven {
            let problem = format!(
                "they have {inputs} numbers, which hold no window of {} rows of {columns} columns; change `rows` or `columns`",
                self.rows
            );
            return Err(RlError::shape("the observations", problem));
        }
        Ok(columns)
    }
}

/// Body, dense layers and heads, on one device.
#[derive(Module, Debug)]
struct Layers {
    body: networks::Network,
    dense: Vec<Linear>,
    #[module(skip)]
    activation: Activation,
}

/// A network of tensors as a function over flat parameters: those of the body, then of the dense layers.
pub struct SequenceNetwork {
    config: SequenceConfig,
    inputs: usize,
    outputs: usize,
    columns: usize,
    body_parameters: usize,
    parameters: Vec<f32>,
    /// Whether the two below have other parameters than `parameters`.
    plain_is_old: bool,
    tracked_is_old: bool,
    /// For steps, without a graph.
    plain: Layers,
    /// For derivatives.
    tracked: Layers,
    initial_state: Vec<f32>,
    /// Outputs of the last forward, with their graph.
    remembered: Option<Tensor<2>>,
}

impl std::fmt::Debug for SequenceNetwork {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = formatter.debug_struct("SequenceNetwork");
        parts
            .field("config", &self.config)
            .field("parameters", &self.parameters.len())
            .finish_non_exhaustive()
    }
}

impl SequenceNetwork {
    /// The outputs are those of the heads, one head after the other. `purpose` tells networks of one seed apart.
    ///
    /// # Errors
    /// [`RlError::Config`] for what is refused, [`RlError::Shape`] for observations that hold no window.
    pub fn new(
        inputs: usize,
        heads: &[OutputHead],
        config: &SequenceConfig,
        seed: u64,
        purpose: &str,
    ) -> Result<Self, RlError> {
        config.validate()?;
        let columns = config.columns_of(inputs)?;
        let outputs: usize = heads.iter().map(|head| head.outputs).sum();
        if heads.is_empty() || heads.iter().any(|head| head.outputs == 0) {
            return Err(RlError::shape("a network", "it has no head, or a head without outputs"));
        }
        let mut config = config.clone();
        if let Architecture::Xlstm(xlstm) = &mut config.architecture {
            (xlstm.inputs, xlstm.seed) = (columns, derived_seed(seed, purpose, 0));
        }
        let build = |device: &Device| -> Result<Layers, RlError> {
            let mut random = generator(seed, purpose, 0);
            let body = config.architecture.init(columns, &mut random, device).map_err(refused)?;
            let (mut width, mut dense) =
                (config.architecture.width() + inputs - config.rows * columns, Vec::new());
            for &units in &config.hidden {
                let head = OutputHead { outputs: units, gain: std::f32::consts::SQRT_2 };
                dense.push(linear(width, &[head], device, &mut random));
                width = units;
            }
            dense.push(linear(width, heads, device, &mut random));
            Ok(Layers { body, dense, activation: config.activation })
        };
        let (plain, tracked) = (build(&Device::flex())?, build(&Device::flex().autodiff())?);
        let parameters = parameters(&plain).map_err(refused)?;
        let body_parameters = plain.body.num_params();
        let initial_state = match config.memory {
            true => plain.body.empty_state(1, &Device::flex()).to_rows().map_err(refused)?,
            false => Vec::new(),
        };
        let body = config.body.take();
        let mut new = Self {
            config,
            inputs,
            outputs,
            columns,
            body_parameters,
            parameters,
            plain_is_old: false,
            tracked_is_old: false,
            plain,
            tracked,
            initial_state,
            remembered: None,
        };
        if let Some(body) = body {
            let own = new.body_mut();
            if body.len() != own.len() {
                let problem =
                    format!("{} for a body of {}; give those of the same network", body.len(), own.len());
                return Err(RlError::shape("the parameters to begin with", problem));
            }
            own.copy_from_slice(&body);
        }
        Ok(new)
    }

    /// What it was made from; columns and seed of an xLSTM are those that it got.
    #[must_use]
    pub fn config(&self) -> &SequenceConfig {
        &self.config
    }

    /// The parameters of the body, as [`networks::parameters`] of such a network gives them: to start from a trained one.
    #[must_use]
    pub fn body_mut(&mut self) -> &mut [f32] {
        (self.plain_is_old, self.tracked_is_old) = (true, true);
        &mut self.parameters[..self.body_parameters]
    }

    /// Takes the place of the layers whose parameters are old.
    fn refresh(layers: &mut Layers, old: &mut bool, parameters: &[f32]) -> Result<(), RlError> {
        if std::mem::take(old) {
            *layers = with_parameters(layers.clone(), parameters).map_err(refused)?;
        }
        Ok(())
    }

    /// What is beside the window in each of n observations, `[n, rest]`; none where the window is all.
    fn rest(&self, observations: &[f32], device: &Device) -> Option<Tensor<2>> {
        let window = self.config.rows * self.columns;
        if window == self.inputs {
            return None;
        }
        let rest: Vec<f32> =
            observations.chunks_exact(self.inputs).flat_map(|row| &row[window..]).copied().collect();
        let shape = [observations.len() / self.inputs, self.inputs - window];
        Some(Tensor::from_data(TensorData::new(rest, shape), device))
    }

    /// The windows of n observations, `[n, rows, columns]`.
    fn windows(&self, observations: &[f32], device: &Device) -> Tensor<3> {
        let window = self.config.rows * self.columns;
        let rows = observations.chunks_exact(self.inputs).flat_map(|row| &row[..window]).copied().collect();
        let shape = [observations.len() / self.inputs, self.config.rows, self.columns];
        Tensor::from_data(TensorData::new::<f32, _>(rows, shape), device)
    }

    /// Hidden vectors `[sequences · time, width]` of sequences whose state goes on.
    ///
    /// Sequences are cut where an episode begins. Pieces run beside each other, filled up behind their end, where nothing looks at
    /// them: a network sees what was before only.
    fn recurrent(&self, batch: &SequenceBatch<'_>, device: &Device) -> Result<Tensor<2>, RlError> {
        let (time, width) = (batch.time, self.initial_state.len());
        let pieces = pieces(batch);
        let longest = pieces.iter().map(|piece| piece.to - piece.from).max().unwrap_or(0);
        let mut rows = vec![0.0; pieces.len() * longest * self.columns];
        let mut states = Vec::with_capacity(pieces.len() * width);
        let mut places = vec![0_i64; batch.sequences * time];
        for (index, piece) in pieces.iter().enumerate() {
            let sequence = piece.from / time;
            states.extend_from_slice(match piece.begins {
                true => &self.initial_state,
                false => &batch.states[sequence * width..(sequence + 1) * width],
            });
            for (step, row) in (piece.from..piece.to).enumerate() {
                let place = index * longest + step;
                let from = &batch.observations[row * self.inputs..row * self.inputs + self.columns];
                rows[place * self.columns..(place + 1) * self.columns].copy_from_slice(from);
                places[row] = place as i64;
            }
        }
        let shape = [pieces.len(), longest, self.columns];
        let input = Tensor::<3>::from_data(TensorData::new(rows, shape), device);
        let body = &self.tracked.body;
        let state = body.state_from_rows(&states, pieces.len(), device).map_err(refused)?;
        let run = NetworkRun { state: Some(state), ..NetworkRun::default() };
        let (hidden, _) = body.run(input, run).map_err(refused)?;
        let hidden = hidden.reshape([pieces.len() * longest, self.config.architecture.width()]);
        let count = places.len();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [count]), device);
        Ok(hidden.select(0, places))
    }
}

/// A part of a sequence within one episode: rows of the batch, and whether the episode begins with it.
struct Piece {
    from: usize,
    to: usize,
    begins: bool,
}

fn pieces(batch: &SequenceBatch<'_>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for sequence in 0..batch.sequences {
        let (mut from, end) = (sequence * batch.time, (sequence + 1) * batch.time);
        for row in from + 1..end {
            if batch.starts[row] {
                pieces.push(Piece { from, to: row, begins: batch.starts[from] });
                from = row;
            }
        }
        pieces.push(Piece { from, to: end, begins: batch.starts[from] });
    }
    pieces
}

impl Layers {
    /// From hidden vectors `[n, width]` and what is beside them to the outputs.
    fn outputs(&self, hidden: Tensor<2>, rest: Option<Tensor<2>>) -> Tensor<2> {
        let mut x = match rest {
            Some(rest) => Tensor::cat(vec![hidden, rest], 1),
            None => hidden,
        };
        let last = self.dense.len().saturating_sub(1);
        for (index, layer) in self.dense.iter().enumerate() {
            x = layer.forward(x);
            if index < last {
                x = match self.activation {
                    Activation::Tanh => x.tanh(),
                    Activation::Relu => burn::tensor::activation::relu(x),
                };
            }
        }
        x
    }

    fn windowed(&self, windows: Tensor<3>) -> Result<Tensor<2>, RlError> {
        let run = NetworkRun { last_only: true, ..NetworkRun::default() };
        let (hidden, _) = self.body.run(windows, run).map_err(refused)?;
        let [rows, _, width] = hidden.dims();
        Ok(hidden.reshape([rows, width]))
    }
}

/// A layer with orthogonal weights, head by head, and a bias of 0.
fn linear(inputs: usize, heads: &[OutputHead], device: &Device, random: &mut impl Rng) -> Linear {
    let outputs: usize = heads.iter().map(|head| head.outputs).sum();
    let mut weight = vec![0.0; inputs * outputs];
    let mut column = 0;
    for head in heads {
        orthogonal(&mut weight, outputs, column, head.outputs, head.gain, random);
        column += head.outputs;
    }
    let param = |values: Vec<f32>| {
        burn::module::Param::from_tensor(Tensor::from_data(TensorData::new(values, [outputs]), device))
    };
    Linear {
        weight: burn::module::Param::from_tensor(Tensor::from_data(
            TensorData::new(weight, [inputs, outputs]),
            device,
        )),
        bias: Some(param(vec![0.0; outputs])),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in for a conversion")]
fn refused(error: networks::NetworkError) -> RlError {
    RlError::shape("a sequence network", error.to_string())
}

impl Network for SequenceNetwork {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn state_width(&self) -> usize {
        self.initial_state.len()
    }

    fn initial_state(&self, state: &mut [f32]) {
        state.copy_from_slice(&self.initial_state);
    }

    fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut [f32] {
        (self.plain_is_old, self.tracked_is_old) = (true, true);
        &mut self.parameters
    }

    fn parameter_groups(&self) -> Vec<ParameterGroup> {
        let group = |parameters, learning_rate_factor| ParameterGroup { parameters, learning_rate_factor };
        let dense = self.parameters.len() - self.body_parameters;
        vec![group(self.body_parameters, self.config.body_learning_rate), group(dense, 1.0)]
    }

    fn step(&mut self, observations: &[f32], states: &mut [f32], outputs: &mut [f32]) -> Result<(), RlError> {
        let rows = self.rows_of(observations.len(), outputs.len())?;
        if states.len() != rows * self.state_width() {
            let problem =
                format!("{rows} rows need {} numbers, not {}", rows * self.state_width(), states.len());
            return Err(RlError::shape("the states of a sequence network", problem));
        }
        if rows == 0 {
            return Ok(());
        }
        Self::refresh(&mut self.plain, &mut self.plain_is_old, &self.parameters)?;
        let device = Device::flex();
        let windows = self.windows(observations, &device);
        let hidden = if self.config.memory {
            let state = self.plain.body.state_from_rows(states, rows, &device).map_err(refused)?;
            let run = NetworkRun { state: Some(state), keep_state: true, ..NetworkRun::default() };
            let (hidden, next) = self.plain.body.run(windows, run).map_err(refused)?;
            let next = next.ok_or_else(|| RlError::shape("a sequence network", "it kept no state"))?;
            states.copy_from_slice(&next.to_rows().map_err(refused)?);
            hidden.reshape([rows, self.config.architecture.width()])
        } else {
            self.plain.windowed(windows)?
        };
        let result = self.plain.outputs(hidden, self.rest(observations, &device));
        outputs.copy_from_slice(&values(result).map_err(refused)?);
        Ok(())
    }

    fn forward(&mut self, batch: &SequenceBatch<'_>, outputs: &mut [f32]) -> Result<(), RlError> {
        let rows = self.rows_of(batch.observations.len(), outputs.len())?;
        let states = batch.sequences * self.state_width();
        let memory = self.config.memory;
        if rows != batch.sequences * batch.time
            || (memory && (batch.starts.len(), batch.states.len()) != (rows, states))
        {
            let problem = format!(
                "{rows} rows, {} flags and {} numbers of state are not a batch of {} × {}",
                batch.starts.len(),
                batch.states.len(),
                batch.sequences,
                batch.time
            );
            return Err(RlError::shape("a batch of sequences", problem));
        }
        Self::refresh(&mut self.tracked, &mut self.tracked_is_old, &self.parameters)?;
        let device = Device::flex().autodiff();
        let hidden = match memory {
            true => self.recurrent(batch, &device)?,
            false => self.tracked.windowed(self.windows(batch.observations, &device))?,
        };
        let result = self.tracked.outputs(hidden, self.rest(batch.observations, &device));
        outputs.copy_from_slice(&values(result.clone().detach()).map_err(refused)?);
        self.remembered = Some(result);
        Ok(())
    }

    fn backward(&mut self, output_gradient: &[f32], gradient: &mut [f32]) -> Result<(), RlError> {
        let Some(result) = self.remembered.take() else {
            return Err(RlError::shape("a derivative", "no forward went before; call it first"));
        };
        let shape = result.dims();
        if output_gradient.len() != shape[0] * shape[1] || gradient.len() != self.parameters.len() {
            let problem = format!(
                "{} derivatives of outputs and {} of parameters do not fit the last forward",
                output_gradient.len(),
                gradient.len()
            );
            return Err(RlError::shape("a derivative", problem));
        }
        let upstream = TensorData::new(output_gradient.to_vec(), shape);
        let upstream = Tensor::<2>::from_data(upstream, &result.device());
        let gradients = (result * upstream).sum().backward();
        let own = parameter_gradients(&self.tracked, &gradients).map_err(refused)?;
        gradient.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        Ok(())
    }
}

impl SequenceNetwork {
    /// How many observations there are, where they fit the outputs.
    fn rows_of(&self, observations: usize, outputs: usize) -> Result<usize, RlError> {
        let rows = observations / self.inputs;
        if rows * self.inputs != observations || rows * self.outputs != outputs {
            let problem = format!(
                "{observations} inputs and {outputs} outputs are not whole rows of {} and {}",
                self.inputs, self.outputs
            );
            return Err(RlError::shape("a sequence network", problem));
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests;
