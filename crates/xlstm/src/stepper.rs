//! A network over plain slices, for live inference: one step for one or many sequences, state in place, no
//! allocation, no tensors.

use crate::config::XlstmConfig;
use crate::error::XlstmError;
use crate::kernel::error::expect_length;
use crate::kernel::linear::PackedLinear;
use crate::kernel::mlstm::Form;
use crate::kernel::mlstm_layer::{
    self, MlstmLayerOptions, MlstmLayerShape, MlstmLayerState, MlstmLayerStepInputs, MlstmLayerWeights,
};
use crate::kernel::slstm_layer::{
    self, SlstmConvolutionWeights, SlstmLayerPacked, SlstmLayerShape, SlstmLayerState, SlstmLayerStepInputs,
    SlstmLayerWeights,
};
use crate::kernel::{ForgetGate, KernelError, Level, gated_gelu, layer_norm};
use crate::layer::{MlstmLayer, NORM_EPSILON, SlstmLayer};
use crate::stack::{Embedding, Layer, Xlstm};
use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{DType, Tensor};

/// A network with its weights packed for steps. Made from an [`Xlstm`] on any device; later changes of that network do
/// not reach it.
///
/// ```
/// use burn::tensor::Device;
/// use xlstm::{Stepper, XlstmConfig};
///
/// let network = XlstmConfig { inputs: 3, width: 16, heads: 2, ..XlstmConfig::default() };
/// let stepper = Stepper::new(&network.init(&Device::flex())?)?;
/// let mut state = stepper.empty_state(1);
/// let mut output = [0.0; 16];
/// for candle in [[0.1, 0.2, 0.3], [0.2, 0.1, 0.0]] {
///     stepper.step(&candle, None, &mut state, &mut output)?;
/// }
/// assert!(output.iter().all(|value| value.is_finite()));
/// # Ok::<(), xlstm::XlstmError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Stepper {
    config: XlstmConfig,
    embedding: PackedLinear<f32>,
    layers: Vec<PackedLayer>,
    norm: Vec<f32>,
    level: Level,
}

/// State of a [`Stepper`] for a number of sequences, with the room that a step works in.
#[derive(Debug, Clone)]
pub struct StepperState {
    batch: usize,
    layers: Vec<PackedState>,
    residual: Vec<f32>,
    normed: Vec<f32>,
    wide: Vec<f32>,
    inner: Vec<f32>,
}

#[derive(Debug, Clone)]
enum PackedLayer {
    Mlstm(Box<PackedMlstm>),
    Slstm(Box<PackedSlstm>),
}

#[derive(Debug, Clone)]
enum PackedState {
    Mlstm(MlstmLayerState<f32>),
    Slstm(SlstmLayerState<f32>),
}

#[derive(Debug, Clone)]
struct PackedMlstm {
    norm: Vec<f32>,
    up: PackedLinear<f32>,
    down: PackedLinear<f32>,
    shape: MlstmLayerShape,
    options: MlstmLayerOptions,
    /// In the order of [`MlstmLayerWeights`].
    weights: [Vec<f32>; 11],
}

#[derive(Debug, Clone)]
struct PackedSlstm {
    norm: Vec<f32>,
    layer: SlstmLayerPacked<f32>,
    heads: usize,
    dim: usize,
    taps: usize,
    gate: ForgetGate,
    feed_forward_norm: Vec<f32>,
    up: PackedLinear<f32>,
    down: PackedLinear<f32>,
}

impl PackedMlstm {
    fn weights(&self) -> MlstmLayerWeights<'_, f32> {
        let [
            convolution,
            convolution_bias,
            query,
            key,
            value,
            input,
            input_bias,
            forget,
            forget_bias,
            norm,
            skip,
        ] = &self.weights;
        MlstmLayerWeights {
            conv_weight: convolution,
            conv_bias: convolution_bias,
            query,
            key,
            value,
            input_gate_weight: input,
            input_gate_bias: input_bias,
            forget_gate_weight: forget,
            forget_gate_bias: forget_bias,
            norm,
            skip,
        }
    }
}

fn values<const D: usize>(param: &Param<Tensor<D>>) -> Vec<f32> {
    let data = param.val().detach().cast(DType::F32).into_data();
    data.try_into_vec().unwrap_or_default()
}

fn pack_linear(linear: &Linear) -> Result<PackedLinear<f32>, KernelError> {
    let [inputs, outputs] = linear.weight.dims();
    let bias = linear.bias.as_ref().map(values);
    PackedLinear::pack(inputs, outputs, &values(&linear.weight), bias.as_deref())
}

fn pack_mlstm_layer(
    layer: &MlstmLayer,
    level: Level,
) -> (MlstmLayerShape, MlstmLayerOptions, [Vec<f32>; 11]) {
    let [inner, taps] = layer.convolution_weight.dims();
    let [_, block, _] = layer.query.dims();
    let shape = MlstmLayerShape { batch: 1, time: 1, heads: layer.heads, inner, block, taps };
    let options = MlstmLayerOptions {
        form: Form::Recurrent,
        forget: layer.gate,
        soft_cap: layer.soft_cap,
        final_state: true,
        keep: false,
        level,
    };
    let weights = [
        values(&layer.convolution_weight),
        values(&layer.convolution_bias),
        values(&layer.query),
        values(&layer.key),
        values(&layer.value),
        values(&layer.input_gate),
        values(&layer.input_gate_bias),
        values(&layer.forget_gate),
        values(&layer.forget_gate_bias),
        values(&layer.norm),
        values(&layer.skip),
    ];
    (shape, options, weights)
}

fn pack_slstm_layer(layer: &SlstmLayer) -> Result<(SlstmLayerPacked<f32>, [usize; 3]), KernelError> {
    let [_, heads, dim] = layer.bias.dims();
    let taps = layer.convolution_weight.as_ref().map_or(0, |weight| weight.dims()[1]);
    let convolution = layer.convolution_weight.as_ref().map(values);
    let convolution_bias = layer.convolution_bias.as_ref().map(values);
    let weights = SlstmLayerWeights {
        convolution: convolution
            .as_deref()
            .zip(convolution_bias.as_deref())
            .map(|(weight, bias)| SlstmConvolutionWeights { weight, bias }),
        gates: &values(&layer.gates),
        recurrent: &values(&layer.recurrent),
        bias: &values(&layer.bias),
        norm: &values(&layer.norm),
    };
    Ok((SlstmLayerPacked::pack(heads, dim, taps, &weights)?, [heads, dim, taps]))
}

impl Stepper {
    /// Packs the weights of a network.
    ///
    /// # Errors
    /// [`XlstmError::State`] for networks with attention or feature groups, which only [`Xlstm::step`] runs.
    pub fn new(network: &Xlstm) -> Result<Self, XlstmError> {
        let config = network.config().clone();
        let level = Level::detect();
        let Embedding::Linear(embedding) = &network.embedding else {
            return Err(unsupported("feature groups"));
        };
        let mut layers = Vec::with_capacity(network.layers.len());
        for layer in &network.layers {
            layers.push(match layer {
                Layer::Mlstm(block) => {
                    let (shape, options, weights) = pack_mlstm_layer(&block.layer, level);
                    let (up, down) = (pack_linear(&block.up)?, pack_linear(&block.down)?);
                    let norm = values(&block.norm.weight);
                    PackedLayer::Mlstm(Box::new(PackedMlstm { norm, up, down, shape, options, weights }))
                }
                Layer::Slstm(block) => {
                    let (layer, [heads, dim, taps]) = pack_slstm_layer(&block.layer)?;
                    PackedLayer::Slstm(Box::new(PackedSlstm {
                        norm: values(&block.norm.weight),
                        layer,
                        heads,
                        dim,
                        taps,
                        gate: block.layer.gate,
                        feed_forward_norm: values(&block.feed_forward.norm.weight),
                        up: pack_linear(&block.feed_forward.up)?,
                        down: pack_linear(&block.feed_forward.down)?,
                    }))
                }
                Layer::Attention(_) => return Err(unsupported("self-attention")),
            });
        }
        let (embedding, norm) = (pack_linear(embedding)?, values(&network.norm.weight));
        Ok(Self { config, embedding, layers, norm, level })
    }

    /// What the network was made from.
    #[must_use]
    pub fn config(&self) -> &XlstmConfig {
        &self.config
    }

    /// The state before the first step of `batch` sequences.
    #[must_use]
    pub fn empty_state(&self, batch: usize) -> StepperState {
        let width = self.config.width;
        let (mut wide, mut inner) = (0, 0);
        let layers = self.layers.iter().map(|layer| match layer {
            PackedLayer::Mlstm(layer) => {
                (wide, inner) = (wide.max(layer.up.outputs()), inner.max(layer.down.inputs()));
                PackedState::Mlstm(MlstmLayerState::empty(&MlstmLayerShape { batch, ..layer.shape }))
            }
            PackedLayer::Slstm(layer) => {
                (wide, inner) = (wide.max(layer.up.outputs()), inner.max(layer.down.inputs()));
                let PackedSlstm { heads, dim, taps, .. } = **layer;
                PackedState::Slstm(SlstmLayerState::empty(&SlstmLayerShape {
                    batch,
                    time: 1,
                    heads,
                    dim,
                    taps,
                }))
            }
        });
        let layers = layers.collect();
        StepperState {
            batch,
            layers,
            residual: vec![0.0; batch * width],
            normed: vec![0.0; batch * width],
            wide: vec![0.0; batch * wide],
            inner: vec![0.0; batch * inner.max(width)],
        }
    }

    /// One step: reads `inputs` `[batch, inputs]`, moves `state` on, writes `outputs` `[batch, width]`. `reset`, `[batch]`:
    /// true where a sequence begins anew before the step. Small batches allocate nothing after a thread's first call.
    ///
    /// # Errors
    /// [`XlstmError::State`] for a state of another network; [`XlstmError::Kernel`] where a slice does not fit. The state
    /// is unchanged then.
    pub fn step(
        &self,
        inputs: &[f32],
        reset: Option<&[bool]>,
        state: &mut StepperState,
        outputs: &mut [f32],
    ) -> Result<(), XlstmError> {
        self.check(inputs, reset, state, outputs)?;
        let StepperState { batch, layers, residual, normed, wide, inner } = state;
        let level = self.level;
        let norm = |weight: &[f32], from: &[f32], to: &mut [f32]| {
            layer_norm::forward(level, NORM_EPSILON, from, weight, to, &mut [])
        };
        self.embedding.apply(level, inputs, false, residual)?;
        for (layer, state) in self.layers.iter().zip(layers) {
            match (layer, state) {
                (PackedLayer::Mlstm(layer), PackedState::Mlstm(state)) => {
                    norm(&layer.norm, residual, normed)?;
                    let wide = &mut wide[..*batch * layer.up.outputs()];
                    let inner = &mut inner[..*batch * layer.down.inputs()];
                    layer.up.apply(level, normed, false, wide)?;
                    let shape = MlstmLayerShape { batch: *batch, ..layer.shape };
                    let inputs = MlstmLayerStepInputs { projected: wide, reset };
                    mlstm_layer::step(shape, &layer.weights(), &inputs, layer.options, state, inner)?;
                    layer.down.apply(level, inner, true, residual)?;
                }
                (PackedLayer::Slstm(layer), PackedState::Slstm(state)) => {
                    norm(&layer.norm, residual, normed)?;
                    let added = &mut inner[..residual.len()];
                    self.slstm(layer, reset, normed, state, added, residual)?;
                    norm(&layer.feed_forward_norm, residual, normed)?;
                    let wide = &mut wide[..*batch * layer.up.outputs()];
                    let inner = &mut inner[..*batch * layer.down.inputs()];
                    layer.up.apply(level, normed, false, wide)?;
                    gated_gelu::forward(level, layer.down.inputs(), wide, inner)?;
                    layer.down.apply(level, inner, true, residual)?;
                }
                // `check` has seen that the kinds agree.
                _ => {}
            }
        }
        Ok(norm(&self.norm, residual, outputs)?)
    }

    fn slstm(
        &self,
        layer: &PackedSlstm,
        reset: Option<&[bool]>,
        normed: &[f32],
        state: &mut SlstmLayerState<f32>,
        added: &mut [f32],
        residual: &mut [f32],
    ) -> Result<(), KernelError> {
        let batch = residual.len() / self.config.width;
        let inputs = SlstmLayerStepInputs {
            batch,
            input: normed,
            reset,
            recurrent_mask: None,
            forget_gate: layer.gate,
        };
        slstm_layer::step(self.level, &layer.layer, &inputs, state, added)?;
        for (sum, value) in residual.iter_mut().zip(added.iter()) {
            *sum += *value;
        }
        Ok(())
    }

    fn check(
        &self,
        inputs: &[f32],
        reset: Option<&[bool]>,
        state: &StepperState,
        outputs: &[f32],
    ) -> Result<(), XlstmError> {
        let batch = state.batch;
        expect_length("inputs", batch * self.config.inputs, inputs.len())?;
        expect_length("outputs", batch * self.config.width, outputs.len())?;
        if let Some(reset) = reset {
            expect_length("reset", batch, reset.len())?;
        }
        let fits = state.layers.len() == self.layers.len()
            && state.residual.len() == batch * self.config.width
            && self.layers.iter().zip(&state.layers).all(|(layer, state)| match (layer, state) {
                (PackedLayer::Mlstm(layer), PackedState::Mlstm(state)) => {
                    let MlstmLayerShape { heads, inner, taps, .. } = layer.shape;
                    state.window.len() == batch * (taps - 1) * inner
                        && state.cell.memory.len() == batch * inner * inner / heads
                }
                (PackedLayer::Slstm(layer), PackedState::Slstm(state)) => {
                    let width = layer.heads * layer.dim;
                    state.window.len() == batch * layer.taps.saturating_sub(1) * width
                        && state.cell.cell.len() == batch * width
                }
                _ => false,
            });
        if fits {
            Ok(())
        } else {
            let reason = "it was made by a stepper of another network".to_owned();
            Err(XlstmError::State { reason })
        }
    }
}

fn unsupported(what: &str) -> XlstmError {
    XlstmError::State { reason: format!("the stepper has no {what}: use `Xlstm::step` for this network") }
}
