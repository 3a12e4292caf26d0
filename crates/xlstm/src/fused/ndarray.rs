//! `burn-ndarray`, the older CPU backend.
#![expect(deprecated, reason = "Burn deprecates this backend in favour of flex; it stays selectable")]

use super::host::{HostBackend, Number};
use burn::backend::TensorMetadata;
use burn::tensor::{Shape, TensorData};
use burn_ndarray::{NdArray, NdArrayTensor};

/// The storage's type has no public name.
macro_rules! standard {
    ($storage:expr) => {
        if $storage.view().is_standard_layout() {
            $storage
        } else {
            $storage.view().as_standard_layout().into_owned().into_shared().into()
        }
    };
}

impl HostBackend for NdArray {
    fn contiguous(tensor: NdArrayTensor) -> NdArrayTensor {
        match tensor {
            NdArrayTensor::F32(storage) => NdArrayTensor::F32(standard!(storage)),
            NdArrayTensor::F64(storage) => NdArrayTensor::F64(standard!(storage)),
            other => other,
        }
    }

    fn slice<T: Number>(tensor: &NdArrayTensor) -> &[T] {
        match tensor {
            NdArrayTensor::F32(storage) if T::TYPE == f32::TYPE => {
                storage.view().to_slice().map(bytemuck::try_cast_slice)
            }
            NdArrayTensor::F64(storage) if T::TYPE == f64::TYPE => {
                storage.view().to_slice().map(bytemuck::try_cast_slice)
            }
            _ => None,
        }
        .and_then(Result::ok)
        .unwrap_or_default()
    }

    fn into_vec<T: Number>(tensor: NdArrayTensor) -> Vec<T> {
        Self::slice(&Self::contiguous(tensor)).to_vec()
    }

    fn edit<T: Number, R>(tensor: NdArrayTensor, change: impl FnOnce(&mut [T]) -> R) -> (NdArrayTensor, R) {
        let shape = tensor.shape();
        let mut values = Self::into_vec::<T>(tensor);
        let result = change(&mut values);
        (Self::tensor(values, shape), result)
    }

    fn tensor<T: Number>(values: Vec<T>, shape: Shape) -> NdArrayTensor {
        NdArrayTensor::from_data(TensorData::new(values, shape))
    }
}
