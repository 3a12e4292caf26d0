//! The two cells as operations of Burn, without the layers around them: what a GPU has a kernel for.
//!
//! One node of the graph per cell. State that enters and state that leaves are constants for the gradient
//! (truncated back-propagation). Nothing but the inputs and the output is kept from the forward to the backward
//! pass: the backward kernels compute anew what else they need.
//!
//! CUDA and graphics devices run the kernels of `fused::cube`, which take f32 and heads of at most
//! [`GPU_DIM_LIMIT`] elements; CPU devices run [`crate::kernel`], in f32 and f64. Any other call runs as the plain
//! reference ([`crate::reference`]); f64 only where the device computes in it, which graphics devices do not.
#![cfg_attr(
    feature = "ndarray",
    expect(deprecated, reason = "Burn deprecates this backend in favour of flex; it stays selectable")
)]

mod autodiff;
mod calls;
mod host;

pub use calls::{GPU_DIM_LIMIT, mlstm_cell, slstm_cell};

#[cfg(feature = "fusion")]
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, backend_extension};

/// What an mLSTM cell reads: sequences, gates, and the state before the first step.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct MlstmCellInputs<B: Backend> {
    /// q, `[batch, heads, time, dim]`.
    pub query: FloatTensor<B>,
    /// k, `[batch, heads, time, dim]`.
    pub key: FloatTensor<B>,
    /// v, `[batch, heads, time, dim]`.
    pub value: FloatTensor<B>,
    /// Pre-activation of the input gate, `[batch, heads, time]`, finite.
    pub input_gate: FloatTensor<B>,
    /// Pre-activation of the forget gate, `[batch, heads, time]`, finite.
    pub forget_gate: FloatTensor<B>,
    /// `[batch, time]`: not zero where the state is emptied before that step.
    pub reset: FloatTensor<B>,
    /// C, `[batch, heads, dim of keys, dim of values]`; carries the 1/sqrt(dim) of the keys.
    pub memory: FloatTensor<B>,
    /// n, `[batch, heads, dim]`.
    pub normaliser: FloatTensor<B>,
    /// m, `[batch, heads]`; -inf where the state is empty.
    pub stabiliser: FloatTensor<B>,
}

/// What an mLSTM cell gives back.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct MlstmCellOutputs<B: Backend> {
    /// h, `[batch, heads, time, dim]`.
    pub hidden: FloatTensor<B>,
    /// C after the last step.
    pub memory: FloatTensor<B>,
    /// n after the last step.
    pub normaliser: FloatTensor<B>,
    /// m after the last step.
    pub stabiliser: FloatTensor<B>,
}

/// Gradients of the sequences and gates of an mLSTM cell, in the shapes of the inputs.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct MlstmCellGradients<B: Backend> {
    /// dq.
    pub query: FloatTensor<B>,
    /// dk.
    pub key: FloatTensor<B>,
    /// dv.
    pub value: FloatTensor<B>,
    /// di.
    pub input_gate: FloatTensor<B>,
    /// df.
    pub forget_gate: FloatTensor<B>,
}

/// What an sLSTM cell reads; gates in the order i, f, z, o.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct SlstmCellInputs<B: Backend> {
    /// Pre-activations from the input, `[batch, time, 4, heads, dim]`, finite.
    pub input: FloatTensor<B>,
    /// R, `[4, heads, dim of outputs, dim of inputs]`.
    pub recurrent: FloatTensor<B>,
    /// b, `[4, heads, dim]`.
    pub bias: FloatTensor<B>,
    /// Factors of the output of the step before, in front of R, `[batch, heads, dim]`.
    pub recurrent_mask: FloatTensor<B>,
    /// `[batch, time]`: not zero where the state is emptied before that step.
    pub reset: FloatTensor<B>,
    /// y of the step before, `[batch, heads, dim]`.
    pub output: FloatTensor<B>,
    /// c, `[batch, heads, dim]`.
    pub cell: FloatTensor<B>,
    /// n, `[batch, heads, dim]`; 0 where the unit is empty, whatever its m.
    pub normaliser: FloatTensor<B>,
    /// m, `[batch, heads, dim]`.
    pub stabiliser: FloatTensor<B>,
}

/// What an sLSTM cell gives back.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct SlstmCellOutputs<B: Backend> {
    /// y of every step, `[batch, time, heads, dim]`.
    pub hidden: FloatTensor<B>,
    /// y of the last step.
    pub output: FloatTensor<B>,
    /// c after the last step.
    pub cell: FloatTensor<B>,
    /// n after the last step.
    pub normaliser: FloatTensor<B>,
    /// m after the last step.
    pub stabiliser: FloatTensor<B>,
}

/// Gradients of the input and the weights of an sLSTM cell, in the shapes of the inputs.
#[derive(ExtensionType, Clone, Debug)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub struct SlstmCellGradients<B: Backend> {
    /// dx.
    pub input: FloatTensor<B>,
    /// dR.
    pub recurrent: FloatTensor<B>,
    /// db.
    pub bias: FloatTensor<B>,
}

/// The cells, per backend: on GPUs in f32 and for heads of at most [`GPU_DIM_LIMIT`] elements, on CPUs in f32 and f64
/// for any. [`mlstm_cell`] and [`slstm_cell`] know this and run any other call as the plain reference.
///
/// `exponential_forget`: log f is the gate's pre-activation itself instead of its log sigmoid
/// ([`crate::kernel::ForgetGate`]).
#[backend_extension(
    Autodiff,
    Flex,
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Fusion: cfg(feature = "fusion")
)]
pub trait CellOps: Backend {
    /// mLSTM forward; see [`crate::kernel::mlstm`] for the equations.
    #[fusion(meta = mlstm_outputs)]
    fn mlstm_cell(
        #[extension_type] inputs: MlstmCellInputs<Self>,
        exponential_forget: bool,
    ) -> MlstmCellOutputs<Self>;

    /// mLSTM backward; `inputs` and `hidden` are those of the forward call, `gradient` that of `hidden`.
    #[fusion(meta = mlstm_gradients)]
    fn mlstm_cell_backward(
        #[extension_type] inputs: MlstmCellInputs<Self>,
        hidden: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        exponential_forget: bool,
    ) -> MlstmCellGradients<Self>;

    /// sLSTM forward; see [`crate::kernel::slstm`] for the equations.
    #[fusion(meta = slstm_outputs)]
    fn slstm_cell(
        #[extension_type] inputs: SlstmCellInputs<Self>,
        exponential_forget: bool,
    ) -> SlstmCellOutputs<Self>;

    /// sLSTM backward; `inputs` and `hidden` are those of the forward call, `gradient` that of `hidden`.
    #[fusion(meta = slstm_gradients)]
    fn slstm_cell_backward(
        #[extension_type] inputs: SlstmCellInputs<Self>,
        hidden: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        exponential_forget: bool,
    ) -> SlstmCellGradients<Self>;
}

// Shapes and number types of what the operations return, which lazy backends need before they run.

#[cfg(feature = "fusion")]
fn mlstm_outputs(inputs: &MlstmCellInputsMetadata, _exponential_forget: &bool) -> MlstmCellOutputsMetadata {
    MlstmCellOutputsMetadata {
        hidden: inputs.query.clone(),
        memory: inputs.memory.clone(),
        normaliser: inputs.normaliser.clone(),
        stabiliser: inputs.stabiliser.clone(),
    }
}

#[cfg(feature = "fusion")]
fn mlstm_gradients(
    inputs: &MlstmCellInputsMetadata,
    _hidden: &TensorSpec,
    _gradient: &TensorSpec,
    _exponential_forget: &bool,
) -> MlstmCellGradientsMetadata {
    MlstmCellGradientsMetadata {
        query: inputs.query.clone(),
        key: inputs.key.clone(),
        value: inputs.value.clone(),
        input_gate: inputs.input_gate.clone(),
        forget_gate: inputs.forget_gate.clone(),
    }
}

#[cfg(feature = "fusion")]
fn slstm_outputs(inputs: &SlstmCellInputsMetadata, _exponential_forget: &bool) -> SlstmCellOutputsMetadata {
    let [batch, time, _, heads, dim] = inputs.input.shape.dims();
    SlstmCellOutputsMetadata {
        hidden: TensorSpec::new([batch, time, heads, dim].into(), inputs.input.dtype),
        output: inputs.output.clone(),
        cell: inputs.cell.clone(),
        normaliser: inputs.normaliser.clone(),
        stabiliser: inputs.stabiliser.clone(),
    }
}

#[cfg(feature = "fusion")]
fn slstm_gradients(
    inputs: &SlstmCellInputsMetadata,
    _hidden: &TensorSpec,
    _gradient: &TensorSpec,
    _exponential_forget: &bool,
) -> SlstmCellGradientsMetadata {
    SlstmCellGradientsMetadata {
        input: inputs.input.clone(),
        recurrent: inputs.recurrent.clone(),
        bias: inputs.bias.clone(),
    }
}
