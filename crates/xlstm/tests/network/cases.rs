//! Devices, golden files and comparison.

use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use xlstm::Kernel;

/// Every CPU backend, by name.
#[cfg_attr(
    feature = "ndarray",
    expect(deprecated, reason = "Burn deprecates ndarray in favour of flex; it stays selectable")
)]
pub(crate) fn devices() -> Vec<(&'static str, Device)> {
    vec![
        ("flex", Device::flex()),
        #[cfg(feature = "ndarray")]
        ("ndarray", Device::ndarray()),
    ]
}

pub(crate) const KERNELS: [Kernel; 2] = [Kernel::Reference, Kernel::Fused];

/// The directory of golden files.
pub(crate) fn fixtures() -> PathBuf {
    std::env::var_os("XLSTM_FIXTURES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"), PathBuf::from)
}

/// A golden file in f64.
pub(crate) struct Golden(Vec<u8>);

impl Golden {
    pub(crate) fn open(path: &Path) -> Self {
        Self(std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    pub(crate) fn values(&self, name: &str) -> (Vec<usize>, Vec<f64>) {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let view = tensors.tensor(name).unwrap_or_else(|_| panic!("no tensor {name}"));
        let data = view.data().as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        (view.shape().to_vec(), data)
    }

    pub(crate) fn tensor<const D: usize>(
        &self,
        name: &str,
        number_type: DType,
        device: &Device,
    ) -> Tensor<D> {
        let (shape, data) = self.values(name);
        Tensor::<D>::from_data(TensorData::new(data, shape), (device, DType::F64)).cast(number_type)
    }
}

pub(crate) fn to_vec<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    // Widened here, not on the device, which may not know f64.
    tensor.to_data().iter::<f64>().collect()
}

/// Largest difference, relative to the largest expected value.
pub(crate) fn error(found: &[f64], exact: &[f64]) -> f64 {
    assert_eq!(found.len(), exact.len());
    assert!(found.iter().all(|value| value.is_finite()));
    let scale = exact.iter().fold(0.0_f64, |m, v| v.abs().max(m));
    let scale = if scale == 0.0 { 1.0 } else { scale };
    found.iter().zip(exact).fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs())) / scale
}

#[track_caller]
pub(crate) fn assert_close<const D: usize>(what: &str, found: &Tensor<D>, exact: &Tensor<D>, tolerance: f64) {
    assert_eq!(found.dims(), exact.dims(), "{what}");
    let error = error(&to_vec(found), &to_vec(exact));
    assert!(error <= tolerance, "{what}: {error:e} above {tolerance:e}");
}

/// Normal random numbers that are exact in f32.
pub(crate) fn random<const D: usize>(
    generator: &mut StdRng,
    shape: [usize; D],
    number_type: DType,
    device: &Device,
) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let draw = |generator: &mut StdRng| {
        let (a, b): (f64, f64) = (generator.random(), generator.random());
        ((-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()) as f32
    };
    let values: Vec<f32> = (0..count).map(|_| draw(generator)).collect();
    Tensor::<D>::from_data(TensorData::new(values, shape), device).cast(number_type)
}

pub(crate) fn generator(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}
