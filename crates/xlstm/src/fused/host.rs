//! Tensors of CPU backends as slices.

use crate::kernel::math::Real;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use burn::tensor::{DType, Element, Shape};

/// A number type of the kernels, as Burn and as bytes.
pub(crate) trait Number: Real + Element + bytemuck::Pod {
    /// The type's name in Burn.
    const TYPE: DType;
}

impl Number for f32 {
    const TYPE: DType = DType::F32;
}

impl Number for f64 {
    const TYPE: DType = DType::F64;
}

/// A backend whose tensors lie in the memory of the host.
pub(crate) trait HostBackend: Backend {
    /// The same values, row-major and from the start of their memory; no copy where that is so already.
    fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
    /// The elements of a contiguous tensor; empty where it is of another number type.
    fn slice<T: Number>(tensor: &FloatTensor<Self>) -> &[T];
    /// The elements of a tensor as a vector of its own; no copy where nobody else holds it.
    fn into_vec<T: Number>(tensor: FloatTensor<Self>) -> Vec<T>;
    /// The tensor with its elements changed in place; a copy only where somebody else holds it.
    fn edit<T: Number, R>(
        tensor: FloatTensor<Self>,
        change: impl FnOnce(&mut [T]) -> R,
    ) -> (FloatTensor<Self>, R);
    /// A tensor of these values, without a copy.
    fn tensor<T: Number>(values: Vec<T>, shape: Shape) -> FloatTensor<Self>;
}

/// `tensor` as the number type T: itself, or converted.
pub(crate) fn as_type<B: HostBackend, T: Number>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let tensor = if tensor.dtype() == T::TYPE { tensor } else { B::float_cast(tensor, T::TYPE.into()) };
    B::contiguous(tensor)
}

/// Runs a kernel on the sizes of tensors that have been checked before; a refusal is a fault of this crate.
#[expect(
    clippy::panic,
    reason = "a graph's operation has no way to report an error, and the shapes were checked"
)]
pub(crate) fn checked<R>(result: Result<R, crate::kernel::KernelError>) -> R {
    result.unwrap_or_else(|error| panic!("xlstm: shapes passed the checks of the network, but {error}"))
}

/// Calls a function for the number type of a tensor: f32 or f64, which the network has checked.
macro_rules! typed {
    ($tensor:expr, $function:ident::<$backend:ty>($($argument:expr),* $(,)?)) => {
        match burn::backend::TensorMetadata::dtype(&$tensor) {
            burn::tensor::DType::F64 => $function::<$backend, f64>($($argument),*),
            _ => $function::<$backend, f32>($($argument),*),
        }
    };
}
pub(crate) use typed;
