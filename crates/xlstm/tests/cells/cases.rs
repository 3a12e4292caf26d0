//! Golden files, comparison and random numbers for the integration tests.

use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use xlstm::kernel::math::Real;

/// One golden file: every tensor is F64.
pub(crate) struct Golden {
    pub(crate) name: String,
    bytes: Vec<u8>,
}

impl Golden {
    fn open(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Self { name, bytes: std::fs::read(path).unwrap() }
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap()
    }

    pub(crate) fn shape(&self, tensor: &str) -> Vec<usize> {
        self.tensors().tensor(tensor).unwrap().shape().to_vec()
    }

    pub(crate) fn has(&self, tensor: &str) -> bool {
        self.tensors().tensor(tensor).is_ok()
    }

    pub(crate) fn f64(&self, tensor: &str) -> Vec<f64> {
        let tensors = self.tensors();
        let view = tensors.tensor(tensor).unwrap_or_else(|_| panic!("{}: no tensor {tensor}", self.name));
        assert_eq!(view.dtype(), safetensors::Dtype::F64, "{}: {tensor}", self.name);
        view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
    }

    pub(crate) fn real<T: Real>(&self, tensor: &str) -> Vec<T> {
        self.f64(tensor).into_iter().map(T::from_f64).collect()
    }
}

/// Every golden file whose name starts with `prefix`; fails where there is none.
pub(crate) fn golden_files(prefix: &str) -> Vec<Golden> {
    let directory = std::env::var_os("XLSTM_FIXTURES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures"), PathBuf::from);
    let mut paths: Vec<_> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension().is_some_and(|e| e == "safetensors")
                && path.file_name().unwrap().to_string_lossy().starts_with(prefix)
        })
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no {prefix}*.safetensors in {}", directory.display());
    paths.iter().map(|path| Golden::open(path)).collect()
}

pub(crate) fn max_abs(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, v| v.abs().max(m))
}

/// Largest difference, relative to `scale` (absolute where the scale is 0).
pub(crate) fn error<T: Real>(found: &[T], exact: &[f64], scale: f64) -> f64 {
    assert_eq!(found.len(), exact.len());
    let scale = if scale == 0.0 { 1.0 } else { scale };
    let mut worst = 0.0_f64;
    for (found, exact) in found.iter().zip(exact) {
        let found = found.to_f64();
        assert!(found.is_finite(), "found {found}, exact {exact}");
        worst = worst.max((found - exact).abs() / scale);
    }
    worst
}

/// A small generator of our own: SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
    pub(crate) fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
    /// Numbers that are exact in f32, so that f32 and f64 runs see the same inputs.
    pub(crate) fn normals(&mut self, count: usize, mean: f64, deviation: f64) -> Vec<f64> {
        (0..count).map(|_| f64::from((mean + deviation * self.normal()) as f32)).collect()
    }
}

pub(crate) fn cast<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|v| T::from_f64(*v)).collect()
}
