//! `burn-flex`, the default CPU backend.

use super::host::{HostBackend, Number};
use burn::tensor::{Shape, TensorData};
use burn_flex::{Flex, FlexTensor};

impl HostBackend for Flex {
    fn contiguous(tensor: FlexTensor) -> FlexTensor {
        tensor.to_contiguous()
    }

    fn slice<T: Number>(tensor: &FlexTensor) -> &[T] {
        // The storage may be longer than the tensor, as after `narrow`.
        let elements = tensor.layout().shape().num_elements();
        if tensor.dtype() == T::TYPE { &tensor.storage::<T>()[..elements] } else { &[] }
    }

    fn into_vec<T: Number>(tensor: FlexTensor) -> Vec<T> {
        tensor.into_data().try_into_vec().unwrap_or_default()
    }

    fn edit<T: Number, R>(tensor: FlexTensor, change: impl FnOnce(&mut [T]) -> R) -> (FlexTensor, R) {
        let elements = tensor.layout().shape().num_elements();
        // The tensor given is let go before its memory is asked for: otherwise it counts as shared.
        let contiguous = tensor.to_contiguous();
        drop(tensor);
        let mut tensor = contiguous;
        let result = change(&mut tensor.storage_mut::<T>()[..elements]);
        (tensor, result)
    }

    fn tensor<T: Number>(values: Vec<T>, shape: Shape) -> FlexTensor {
        FlexTensor::from_data(TensorData::new(values, shape))
    }
}
