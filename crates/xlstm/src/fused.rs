//! The fused operations as Burn knows them: one node of the graph per layer, with its own backward pass.
//!
//! CPU backends run the kernels of [`crate::kernel`] over the tensors' own memory, a whole layer as one operation.
//! On a GPU (features `cuda` and `wgpu`) the cell alone is one operation, [`CellOps`], and the layer around it is made
//! of ordinary tensor operations. What a device has no kernel for runs as the plain reference
//! ([`crate::reference`]): never something else, never silently wrong.

mod cells;
#[cfg(feature = "cube")]
mod cube;
mod flex;
mod host;
mod mlstm;
#[cfg(feature = "ndarray")]
mod ndarray;
mod pointwise;
mod slstm;

pub use cells::{
    CellOps, GPU_DIM_LIMIT, MlstmCellGradients, MlstmCellInputs, MlstmCellOutputs, SlstmCellGradients,
    SlstmCellInputs, SlstmCellOutputs, mlstm_cell, slstm_cell,
};
pub use mlstm::{MlstmCall, MlstmCarried, MlstmOps, MlstmResult, MlstmTensors};
pub use pointwise::{Normalised, PointwiseOps};
pub use slstm::{RecurrentMask, SlstmCall, SlstmCarried, SlstmOps, SlstmResult, SlstmTensors};

pub(crate) use mlstm::mlstm_layer;
pub(crate) use pointwise::{gated_gelu, layer_norm, linear};
pub(crate) use slstm::slstm_layer;

use burn::backend::DispatchDevice;
use burn::tensor::Device;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Every fused operation, on any backend that has them all.
pub trait FusedOps: PointwiseOps + MlstmOps + SlstmOps {}

impl<B: PointwiseOps + MlstmOps + SlstmOps> FusedOps for B {}

/// Whether the slices of the kernels are the memory of this device.
pub(crate) fn is_host(device: &Device) -> bool {
    let device = device.clone().inner();
    #[cfg(feature = "ndarray")]
    if matches!(device.as_dispatch(), DispatchDevice::NdArray(_)) {
        return true;
    }
    matches!(device.as_dispatch(), DispatchDevice::Flex(_))
}

/// Whether the GPU kernels run on this device.
#[cfg(feature = "cube")]
pub(crate) fn is_cube(device: &Device) -> bool {
    matches!(device.clone().inner().as_dispatch(), DispatchDevice::Cube(_))
}

/// Whether the GPU kernels run on this device: there are none.
#[cfg(not(feature = "cube"))]
pub(crate) const fn is_cube(_device: &Device) -> bool {
    false
}

/// What a forward pass keeps for the backward pass: a value of the kernels, opaque to Burn.
#[derive(Clone)]
pub struct Saved(Arc<dyn Any + Send + Sync>);

impl Saved {
    fn new<S: Send + Sync + 'static>(value: S) -> Self {
        Self(Arc::new(value))
    }

    fn get<S: 'static>(&self) -> Option<&S> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Saved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Saved")
    }
}

/// Burn differentiates once: nobody asks for the gradient of a gradient.
#[expect(clippy::panic, reason = "an operation of a graph has no way to report an error")]
fn first_order_only() -> ! {
    panic!(
        "xlstm: the gradient of a gradient was asked for; Burn's automatic differentiation is first order only"
    )
}
