//! The multilayer perceptron, by hand.

use pulp::Arch;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::initialisation::{Initialisation, orthogonal, uniform};
use super::kernel::{LayerBackward, LayerForward};
use super::{Network, SequenceBatch};
use crate::error::RlError;
use crate::random::generator;

/// What follows a hidden layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Hyperbolic tangent; Stable-Baselines3's for A2C and PPO.
    #[default]
    Tanh,
    /// What is positive; Stable-Baselines3's for DQN.
    Relu,
}

/// Shape of an MLP. The default is Stable-Baselines3's `MlpPolicy` of A2C and PPO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// Widths of the hidden layers, from the input on; none: one linear layer.
    pub hidden: Vec<usize>,
    /// What follows each of them.
    pub activation: Activation,
    /// How weights are drawn.
    pub initialisation: Initialisation,
}

impl Default for MlpConfig {
    fn default() -> Self {
        let (activation, initialisation) = (Activation::Tanh, Initialisation::Orthogonal);
        Self { hidden: vec![64, 64], activation, initialisation }
    }
}

impl MlpConfig {
    /// # Errors
    /// [`RlError::Config`] for a layer without a unit.
    pub fn validate(&self) -> Result<(), RlError> {
        if self.hidden.contains(&0) {
            return Err(RlError::config(
                "hidden",
                format!("{:?}", self.hidden),
                "give each layer at least 1 unit",
            ));
        }
        Ok(())
    }
}

/// Outputs that are drawn together: with orthogonal initialisation each head has its own gain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputHead {
    /// How many.
    pub outputs: usize,
    /// Gain of its orthogonal weights: Stable-Baselines3 takes 0.01 for actions and 1 for values.
    pub gain: f32,
}

/// Fully connected layers; all heads are columns of the last, linear one.
///
/// Parameters: of each layer from the input on, weights `[inputs, outputs]`, then biases `[outputs]`.
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Vec<Layer>,
    activation: Activation,
    parameters: Vec<f32>,
    arch: Arch,
    /// Inputs of each layer in the last forward, `[rows, inputs]`.
    remembered: Vec<Vec<f32>>,
    /// Outputs and inputs of a layer, turn about; of a step or a backward.
    scratch: [Vec<f32>; 2],
    transposed: Vec<f32>,
}

#[derive(Clone, Copy, Debug)]
struct Layer {
    inputs: usize,
    outputs: usize,
    /// Of its weights in the parameters.
    offset: usize,
}

impl Layer {
    fn length(self) -> usize {
        (self.inputs + 1) * self.outputs
    }

    fn weight_and_bias(self, parameters: &[f32]) -> (&[f32], &[f32]) {
        parameters[self.offset..self.offset + self.length()].split_at(self.inputs * self.outputs)
    }
}

impl Mlp {
    /// The outputs are those of the heads, one head after the other. `purpose` tells networks of one seed
    /// apart.
    ///
    /// # Errors
    /// [`RlError::Shape`] without inputs or outputs; [`RlError::Config`] for a configuration that is refused.
    pub fn new(
        inputs: usize,
        heads: &[OutputHead],
        config: &MlpConfig,
        seed: u64,
        purpose: &str,
    ) -> Result<Self, RlError> {
        config.validate()?;
        if inputs == 0 || heads.is_empty() || heads.iter().any(|head| head.outputs == 0) {
            return Err(RlError::shape("an MLP", "it has no input, no head, or a head without outputs"));
        }
        let mut layers = Vec::new();
        let (mut width, mut offset) = (inputs, 0);
        let outputs = heads.iter().map(|head| head.outputs).sum();
        for &next in config.hidden.iter().chain([&outputs]) {
            let layer = Layer { inputs: width, outputs: next, offset };
            offset += layer.length();
            width = next;
            layers.push(layer);
        }
        let mut parameters = vec![0.0; offset];
        for (index, layer) in layers.iter().enumerate() {
            let mut generator = generator(seed, purpose, index as u64);
            let parameters = &mut parameters[layer.offset..layer.offset + layer.length()];
            if config.initialisation == Initialisation::Uniform {
                uniform(parameters, 1.0 / (layer.inputs as f32).sqrt(), &mut generator);
                continue;
            }
            let hidden = [OutputHead { outputs: layer.outputs, gain: std::f32::consts::SQRT_2 }];
            let heads = if index + 1 == layers.len() { heads } else { &hidden };
            let (weight, _) = parameters.split_at_mut(layer.inputs * layer.outputs);
            let mut column = 0;
            for head in heads {
                orthogonal(weight, layer.outputs, column, head.outputs, head.gain, &mut generator);
                column += head.outputs;
            }
        }
        let remembered = vec![Vec::new(); layers.len()];
        Ok(Self {
            layers,
            activation: config.activation,
            parameters,
            arch: Arch::new(),
            remembered,
            scratch: [Vec::new(), Vec::new()],
            transposed: Vec::new(),
        })
    }

    /// What follows the layer of `index`.
    fn activation(&self, index: usize) -> Option<Activation> {
        (index + 1 < self.layers.len()).then_some(self.activation)
    }

    fn check(
        &self,
        what: &'static str,
        rows: usize,
        observations: usize,
        outputs: usize,
    ) -> Result<(), RlError> {
        let (inputs, width) = (self.inputs(), self.outputs());
        if observations != rows * inputs || outputs != rows * width {
            let problem = format!(
                "{rows} rows need {} inputs and {} outputs, not {observations} and {outputs}",
                rows * inputs,
                rows * width
            );
            return Err(RlError::shape(what, problem));
        }
        Ok(())
    }
}

/// Makes room without clearing what is overwritten anyway.
fn resize(values: &mut Vec<f32>, length: usize) {
    if values.len() != length {
        values.resize(length, 0.0);
    }
}

impl Network for Mlp {
    fn inputs(&self) -> usize {
        self.layers.first().map_or(0, |layer| layer.inputs)
    }

    fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.outputs)
    }

    fn state_width(&self) -> usize {
        0
    }

    fn initial_state(&self, _: &mut [f32]) {}

    fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    fn parameters_mut(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    fn step(&mut self, observations: &[f32], _: &mut [f32], outputs: &mut [f32]) -> Result<(), RlError> {
        let rows = observations.len() / self.inputs();
        self.check("a step of an MLP", rows, observations.len(), outputs.len())?;
        let last = self.layers.len() - 1;
        for index in 0..=last {
            let (layer, activation) = (self.layers[index], self.activation(index));
            let (weight, bias) = layer.weight_and_bias(&self.parameters);
            let [here, there] = &mut self.scratch;
            let input = if index == 0 { observations } else { &here[..rows * layer.inputs] };
            let out = if index == last {
                &mut *outputs
            } else {
                resize(there, (rows * layer.outputs).max(there.len()));
                &mut there[..rows * layer.outputs]
            };
            LayerForward { input, weight, bias, activation, out }.run(self.arch);
            self.scratch.swap(0, 1);
        }
        Ok(())
    }

    fn forward(&mut self, batch: &SequenceBatch<'_>, outputs: &mut [f32]) -> Result<(), RlError> {
        let rows = batch.sequences * batch.time;
        self.check("a batch of an MLP", rows, batch.observations.len(), outputs.len())?;
        for (layer, remembered) in self.layers.iter().zip(&mut self.remembered) {
            resize(remembered, rows * layer.inputs);
        }
        self.remembered[0].copy_from_slice(batch.observations);
        for (index, layer) in self.layers.iter().enumerate() {
            let (weight, bias) = layer.weight_and_bias(&self.parameters);
            let activation = self.activation(index);
            let (input, rest) = self.remembered[index..].split_at_mut(1);
            let out = rest.first_mut().map_or(&mut *outputs, |next| next.as_mut_slice());
            LayerForward { input: &input[0], weight, bias, activation, out }.run(self.arch);
        }
        Ok(())
    }

    fn backward(&mut self, output_gradient: &[f32], gradient: &mut [f32]) -> Result<(), RlError> {
        let rows = self.remembered[0].len() / self.inputs();
        if rows == 0
            || output_gradient.len() != rows * self.outputs()
            || gradient.len() != self.parameters.len()
        {
            let problem = format!(
                "{} output gradients and {} parameters do not fit the {rows} rows of the last forward",
                output_gradient.len(),
                gradient.len()
            );
            return Err(RlError::shape("a derivative of an MLP", problem));
        }
        let widest = self.layers.iter().map(|layer| layer.outputs).max().unwrap_or(0) * rows;
        self.scratch.iter_mut().for_each(|values| resize(values, widest.max(values.len())));
        self.scratch[0][..output_gradient.len()].copy_from_slice(output_gradient);
        for (index, &layer) in self.layers.iter().enumerate().rev() {
            let activation = self.activation(index);
            let size = if index == 0 { 0 } else { layer.inputs * layer.outputs };
            resize(&mut self.transposed, size);
            if index > 0 {
                transpose(layer.weight_and_bias(&self.parameters).0, layer.outputs, &mut self.transposed);
            }
            let [here, there] = &mut self.scratch;
            LayerBackward {
                input: &self.remembered[index],
                output: self.remembered.get(index + 1).map_or(&[], Vec::as_slice),
                activation,
                output_gradient: &mut here[..rows * layer.outputs],
                gradient: &mut gradient[layer.offset..layer.offset + layer.length()],
                transposed: &self.transposed,
                input_gradient: &mut there[..if index == 0 { 0 } else { rows * layer.inputs }],
                inputs: layer.inputs,
                outputs: layer.outputs,
            }
            .run(self.arch);
            self.scratch.swap(0, 1);
        }
        Ok(())
    }
}

/// `[rows, columns]` to `[columns, rows]`.
fn transpose(matrix: &[f32], columns: usize, out: &mut [f32]) {
    let rows = matrix.len() / columns;
    for (row, values) in matrix.chunks_exact(columns).enumerate() {
        for (value, place) in values.iter().zip((row..).step_by(rows)) {
            out[place] = *value;
        }
    }
}

#[cfg(test)]
mod tests;
