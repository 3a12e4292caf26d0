//! The LSTM of 1997.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation};
use rand::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::NetworkError;
use crate::initial::{Initial, drop_share};
use crate::network::{NetworkRun, NetworkState, at_least_one, droppable, foreign_state};

/// Sizes of an [`Lstm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LstmConfig {
    /// Units of every layer.
    pub width: usize,
    /// Layers.
    pub layers: usize,
    /// Share of the outputs of every layer dropped in training.
    pub dropout: f64,
}

impl Default for LstmConfig {
    fn default() -> Self {
        Self { width: 64, layers: 2, dropout: 0.2 }
    }
}

impl LstmConfig {
    /// Refuses sizes outside their range.
    ///
    /// # Errors
    /// [`NetworkError::Config`] names the field.
    pub fn validate(&self) -> Result<(), NetworkError> {
        at_least_one("width", self.width)?;
        at_least_one("layers", self.layers)?;
        droppable(self.dropout)
    }

    pub(crate) fn init(
        &self,
        inputs: usize,
        random: &mut dyn Rng,
        device: &Device,
    ) -> Result<Lstm, NetworkError> {
        self.validate()?;
        let mut initial = Initial::new(random, device);
        let mut layers = Vec::with_capacity(self.layers);
        let mut before = inputs;
        for _ in 0..self.layers {
            let mut input = initial.linear(before, 4 * self.width);
            // The forget gates begin open (Jozefowicz, Zaremba and Sutskever 2015).
            let bias = (0..4 * self.width).map(|unit| if unit / self.width == 1 { 1.0 } else { 0.0 });
            input.bias = Some(initial.values([4 * self.width], bias.collect()));
            let weight = initial.uniform([self.width, 4 * self.width], self.width);
            let recurrent = Linear { weight, bias: None };
            layers.push(LstmLayer { input, recurrent });
            before = self.width;
        }
        Ok(Lstm { layers, inputs, config: self.clone() })
    }
}

/// One layer; its columns are the gates i, f, g, o, as PyTorch orders them.
#[derive(Module, Debug)]
pub(crate) struct LstmLayer {
    input: Linear,
    /// Without bias.
    recurrent: Linear,
}

/// State of one layer.
#[derive(Clone, Debug)]
pub struct LstmLayerState {
    /// h, `[batch, width]`.
    pub hidden: Tensor<2>,
    /// c, `[batch, width]`.
    pub cell: Tensor<2>,
}

/// Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000:
/// `c' = σ(f) c + σ(i) tanh(g)`, `h = σ(o) tanh(c')`, gates `W x + R h + b`.
#[derive(Module, Debug)]
pub struct Lstm {
    layers: Vec<LstmLayer>,
    #[module(skip)]
    inputs: usize,
    #[module(skip)]
    config: LstmConfig,
}

impl Lstm {
    /// What it was made from.
    #[must_use]
    pub fn config(&self) -> &LstmConfig {
        &self.config
    }

    #[cfg(test)]
    pub(crate) fn layers_mut(&mut self) -> &mut [LstmLayer] {
        &mut self.layers
    }

    pub(crate) fn empty_state(&self, batch: usize, device: &Device) -> Vec<LstmLayerState> {
        let zeros = || Tensor::zeros([batch, self.config.width], device);
        self.layers.iter().map(|_| LstmLayerState { hidden: zeros(), cell: zeros() }).collect()
    }

    pub(crate) fn run(
        &self,
        input: Tensor<3>,
        run: NetworkRun<'_>,
    ) -> Result<(Tensor<3>, Option<NetworkState>), NetworkError> {
        let [batch, time, inputs] = input.dims();
        if inputs != self.inputs {
            let reason = format!("they have {inputs} columns, the network takes {}", self.inputs);
            return Err(NetworkError::data("the inputs", reason));
        }
        let NetworkRun { state, mut dropout, keep_state, last_only } = run;
        let mut state = match state {
            Some(NetworkState::Lstm(state)) => state,
            None => self.empty_state(batch, &input.device()),
            Some(_) => return Err(foreign_state()),
        };
        let fits = |state: &LstmLayerState| {
            state.hidden.dims() == [batch, self.config.width] && state.cell.dims() == state.hidden.dims()
        };
        if state.len() != self.layers.len() || !state.iter().all(fits) {
            return Err(foreign_state());
        }
        let mut x = input;
        for (layer, state) in self.layers.iter().zip(&mut state) {
            x = drop_share(layer.run(x, state), self.config.dropout, dropout.as_deref_mut());
        }
        if last_only {
            x = x.narrow(1, time - 1, 1);
        }
        Ok((x, keep_state.then_some(NetworkState::Lstm(state))))
    }
}

impl LstmLayer {
    #[cfg(test)]
    pub(crate) fn parts_mut(&mut self) -> (&mut Linear, &mut Linear) {
        (&mut self.input, &mut self.recurrent)
    }

    /// All steps; the state is the one after the last, cut off from the gradients.
    fn run(&self, x: Tensor<3>, state: &mut LstmLayerState) -> Tensor<3> {
        let [batch, time, _] = x.dims();
        let [width, _] = self.recurrent.weight.dims();
        let gates = self.input.forward(x);
        let recurrent = self.recurrent.weight.val();
        let (mut hidden, mut cell) = (state.hidden.clone(), state.cell.clone());
        let mut outputs = Vec::with_capacity(time);
        for step in 0..time {
            let gates = gates.clone().narrow(1, step, 1).reshape([batch, 4 * width])
                + hidden.matmul(recurrent.clone());
            let gate = |index: usize| gates.clone().narrow(1, index * width, width);
            cell = activation::sigmoid(gate(1)) * cell + activation::sigmoid(gate(0)) * gate(2).tanh();
            hidden = activation::sigmoid(gate(3)) * cell.clone().tanh();
            outputs.push(hidden.clone().reshape([batch, 1, width]));
        }
        *state = LstmLayerState { hidden: hidden.detach(), cell: cell.detach() };
        Tensor::cat(outputs, 1)
    }
}
