//! The whole network.

use crate::block::{FeatureGroups, MlstmBlock, Pass, SelfAttention, SlstmBlock, linear, project};
use crate::config::{DropoutConfig, Kernel, XlstmConfig};
use crate::dropout;
use crate::error::XlstmError;
use crate::initialisation::Initialiser;
use crate::norm::Norm;
use crate::state::{LayerState, ResetMask, XlstmState};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{DType, Device, Tensor};
use rand::Rng;

/// From features to the width of the residual stream.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a network holds a handful of them and never moves them in a loop"
)]
pub enum Embedding {
    /// One linear layer.
    Linear(Linear),
    /// Attention between groups of features.
    Groups(FeatureGroups),
}

/// One layer of the stack.
#[derive(Module, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a network holds a handful of them and never moves them in a loop"
)]
pub enum Layer {
    /// Matrix memory.
    Mlstm(MlstmBlock),
    /// Scalar memory.
    Slstm(SlstmBlock),
    /// Self-attention over the last steps.
    Attention(SelfAttention),
}

/// An xLSTM network: embedding, blocks in the configured order, a final norm. Made by [`XlstmConfig::init`].
///
/// Steps are causal: the output of a step depends on it and the steps before it only.
#[derive(Module, Debug)]
pub struct Xlstm {
    /// The input.
    pub embedding: Embedding,
    /// The residual stream.
    pub layers: Vec<Layer>,
    /// After the last layer.
    pub norm: Norm,
    #[module(skip)]
    config: XlstmConfig,
}

/// What a call may do besides computing outputs. The default starts empty, drops nothing and keeps no state.
#[derive(Default)]
pub struct Run<'a> {
    /// State before the first step; empty without one.
    pub state: Option<XlstmState>,
    /// Where sequences begin anew.
    pub reset: Option<&'a ResetMask>,
    /// Makes dropout happen, and says with which numbers.
    pub dropout: Option<&'a mut dyn Rng>,
    /// Whether the state after the last step is wanted.
    pub keep_state: bool,
    /// Gives the output of the last step alone, `[batch, 1, width]`: what comes after the last recurrence is computed for
    /// that step only, a quarter of the work of the default network. Gradients are those of the same function.
    pub last_only: bool,
}

impl XlstmConfig {
    /// Makes a network with initial weights drawn from `seed`, equal on every backend.
    ///
    /// # Errors
    /// [`XlstmError::Config`] where the sizes do not fit together.
    pub fn init(&self, device: &Device) -> Result<Xlstm, XlstmError> {
        self.validate()?;
        let initialiser = &mut Initialiser::new(self.seed, device, self.width, self.blocks);
        let embedding = match &self.feature_groups {
            Some(groups) => {
                Embedding::Groups(FeatureGroups::init(groups, self.width, self.kernel, initialiser))
            }
            None => Embedding::Linear(linear(
                initialiser.fan_in([self.inputs, self.width], self.inputs),
                Some(initialiser.fan_in([self.width], self.inputs)),
            )),
        };
        let mut layers = Vec::new();
        for block in 0..self.blocks {
            layers.push(if self.is_slstm(block) {
                Layer::Slstm(SlstmBlock::init(self, block, initialiser))
            } else {
                Layer::Mlstm(MlstmBlock::init(self, initialiser))
            });
            if let Some(attention) = self.attention.as_ref().filter(|_| self.has_attention_after(block)) {
                let layer = SelfAttention::init(attention, self.width, self.kernel, initialiser);
                layers.push(Layer::Attention(layer));
            }
        }
        let norm = Norm::init(self.width, self.kernel, initialiser);
        Ok(Xlstm { embedding, layers, norm, config: self.clone() })
    }
}

impl Xlstm {
    /// What the network was made from.
    #[must_use]
    pub fn config(&self) -> &XlstmConfig {
        &self.config
    }

    /// The state before the first step of `batch` sequences.
    #[must_use]
    pub fn empty_state(&self, batch: usize) -> XlstmState {
        let device = &self.norm.weight.val().device();
        let layers = self.layers.iter().map(|layer| match layer {
            Layer::Mlstm(block) => LayerState::Mlstm(block.layer.empty_state(batch, device)),
            Layer::Slstm(block) => LayerState::Slstm(block.layer.empty_state(batch, device)),
            Layer::Attention(layer) => LayerState::Attention(layer.empty_state(batch, device)),
        });
        XlstmState { layers: layers.collect() }
    }

    /// Outputs of every step of whole sequences, from an empty state.
    ///
    /// # Shapes
    /// `input` `[batch, time, inputs]`, result `[batch, time, width]`.
    ///
    /// # Errors
    /// [`XlstmError::Shape`] or [`XlstmError::NumberType`] where the input does not fit.
    pub fn forward(&self, input: Tensor<3>) -> Result<Tensor<3>, XlstmError> {
        Ok(self.run(input, Run::default())?.0)
    }

    /// Outputs of one step, and the state after it: what a live system calls for every candle.
    ///
    /// # Shapes
    /// `input` `[batch, inputs]`, result `[batch, width]`.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn step(&self, input: Tensor<2>, state: XlstmState) -> Result<(Tensor<2>, XlstmState), XlstmError> {
        let run = Run { state: Some(state), keep_state: true, ..Run::default() };
        let (output, state) = self.run(input.unsqueeze_dim(1), run)?;
        let [batch, _, width] = output.dims();
        Ok((output.reshape([batch, width]), state.unwrap_or(XlstmState { layers: Vec::new() })))
    }

    /// Outputs of every step, from a given state, with resets, dropout and the state afterwards as asked for.
    /// Cutting a sequence into pieces and handing the state on gives the same outputs; gradients stop at the cut.
    ///
    /// # Shapes
    /// `input` `[batch, time, inputs]`, result `[batch, time, width]`, or `[batch, 1, width]` where `last_only` asks for
    /// that.
    ///
    /// # Errors
    /// [`XlstmError::Shape`], [`XlstmError::State`] or [`XlstmError::NumberType`] where input, mask or state do not
    /// fit the network.
    pub fn run(&self, input: Tensor<3>, run: Run<'_>) -> Result<(Tensor<3>, Option<XlstmState>), XlstmError> {
        self.check(&input, &run)?;
        let Run { state, reset, dropout: mut generator, keep_state, last_only } = run;
        let mut x = match &self.embedding {
            Embedding::Linear(linear) => project(linear, input, self.config.kernel),
            Embedding::Groups(groups) => groups.forward(input),
        };
        let share = self.config.dropout.input;
        x = dropout::apply(x, share, generator.as_deref_mut());
        let dropout = &self.config.dropout;
        let mut pass = Pass { reset, generator, dropout, keep_state, last_only: false };
        let mut states = state.map(|state| state.layers.into_iter());
        let mut left = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            pass.last_only = last_only && index + 1 == self.layers.len();
            let state = states.as_mut().and_then(Iterator::next);
            let next;
            (x, next) = match (layer, state) {
                (Layer::Mlstm(block), Some(LayerState::Mlstm(state))) => {
                    wrap(block.forward(x, Some(state), &mut pass), LayerState::Mlstm)
                }
                (Layer::Slstm(block), Some(LayerState::Slstm(state))) => {
                    wrap(block.forward(x, Some(state), &mut pass), LayerState::Slstm)
                }
                (Layer::Attention(block), Some(LayerState::Attention(state))) => {
                    wrap(block.forward(x, Some(state), &mut pass), LayerState::Attention)
                }
                // `check` has seen that a state, where there is one, is of the layer's kind.
                (Layer::Mlstm(block), _) => wrap(block.forward(x, None, &mut pass), LayerState::Mlstm),
                (Layer::Slstm(block), _) => wrap(block.forward(x, None, &mut pass), LayerState::Slstm),
                (Layer::Attention(block), _) => {
                    wrap(block.forward(x, None, &mut pass), LayerState::Attention)
                }
            };
            left.extend(next);
        }
        Ok((self.norm.forward(x), keep_state.then_some(XlstmState { layers: left })))
    }

    fn check(&self, input: &Tensor<3>, run: &Run<'_>) -> Result<(), XlstmError> {
        let [batch, time, inputs] = input.dims();
        if batch == 0 || time == 0 || inputs != self.config.inputs {
            return Err(XlstmError::Shape {
                what: "the input",
                found: vec![batch, time, inputs],
                expected: format!("[batch, time, {}], batch and time at least 1", self.config.inputs),
            });
        }
        let number_type = input.dtype();
        if self.config.kernel == Kernel::Fused && !matches!(number_type, DType::F32 | DType::F64) {
            return Err(XlstmError::NumberType { what: "the input", found: format!("{number_type:?}") });
        }
        // Graphics devices claim f64 and compute something else.
        if crate::fused::is_cube(&input.device()) && number_type == DType::F64 {
            return Err(XlstmError::NumberType { what: "the input on a GPU", found: "F64".to_owned() });
        }
        if let Some(reset) = run.reset
            && reset.dims() != [batch, time]
        {
            return Err(XlstmError::Shape {
                what: "the reset mask",
                found: reset.dims().to_vec(),
                expected: format!("[{batch}, {time}] like the input"),
            });
        }
        run.state.as_ref().map_or(Ok(()), |state| self.check_state(state, batch))
    }

    fn check_state(&self, state: &XlstmState, batch: usize) -> Result<(), XlstmError> {
        let fault = |reason: String| Err(XlstmError::State { reason });
        if state.layers.len() != self.layers.len() {
            return fault(format!("it has {} layers, the network {}", state.layers.len(), self.layers.len()));
        }
        for (index, (layer, state)) in self.layers.iter().zip(&state.layers).enumerate() {
            if state.batch() != batch {
                return fault(format!("it holds {} sequences, the input {batch}", state.batch()));
            }
            let fits = match (layer, state) {
                (Layer::Mlstm(block), LayerState::Mlstm(state)) => {
                    let [inner, taps] = block.layer.convolution_weight.dims();
                    let heads = block.layer.heads;
                    let dim = inner / heads;
                    state.window.dims() == [batch, taps - 1, inner]
                        && state.memory.dims() == [batch, heads, dim, dim]
                        && state.normaliser.dims() == [batch, heads, dim]
                        && state.stabiliser.dims() == [batch, heads]
                }
                (Layer::Slstm(block), LayerState::Slstm(state)) => {
                    let [_, heads, dim] = block.layer.bias.dims();
                    let taps = block.layer.convolution_weight.as_ref().map_or(1, |weight| weight.dims()[1]);
                    let unit = [batch, heads, dim];
                    state.window.dims() == [batch, taps - 1, heads * dim]
                        && [&state.output, &state.cell, &state.normaliser, &state.stabiliser]
                            .iter()
                            .all(|part| part.dims() == unit)
                }
                (Layer::Attention(_), LayerState::Attention(state)) => {
                    let kept = self.config.attention.as_ref().map_or(0, |attention| attention.window - 1);
                    state.keys.dims() == [batch, kept, self.config.width]
                        && state.values.dims() == [batch, kept, self.config.width]
                        && state.present.dims() == [batch, kept]
                }
                _ => return fault(format!("layer {index} is of another kind")),
            };
            if !fits {
                return fault(format!("the sizes of layer {index} differ"));
            }
        }
        Ok(())
    }
}

impl Layer {
    /// One layer on its own, residual included, from an empty state and without dropout.
    ///
    /// # Shapes
    /// `x` and the result `[batch, time, width]`.
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let dropout = &DropoutConfig::default();
        let mut pass = Pass { reset: None, generator: None, dropout, keep_state: false, last_only: false };
        match self {
            Self::Mlstm(block) => block.forward(x, None, &mut pass).0,
            Self::Slstm(block) => block.forward(x, None, &mut pass).0,
            Self::Attention(layer) => layer.forward(x, None, &mut pass).0,
        }
    }
}

fn wrap<S>(
    (x, state): (Tensor<3>, Option<S>),
    kind: impl Fn(S) -> LayerState,
) -> (Tensor<3>, Option<LayerState>) {
    (x, state.map(kind))
}
