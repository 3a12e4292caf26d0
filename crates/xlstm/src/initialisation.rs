//! Initial weights, drawn on the host from one seed: the same on every backend.
//!
//! Sources: "small init" of Nguyen and Salazar 2019 (arXiv 1910.05895), "wang init" of Wang and Komatsuzaki 2021
//! (GPT-J), forget-gate biases of Beck et al. 2024 (arXiv 2405.04517).

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// Draws initial parameters for one network.
pub(crate) struct Initialiser {
    generator: StdRng,
    device: Device,
    /// Width of the residual stream.
    width: usize,
    /// Number of blocks.
    blocks: usize,
}

impl Initialiser {
    pub(crate) fn new(seed: u64, device: &Device, width: usize, blocks: usize) -> Self {
        Self { generator: StdRng::seed_from_u64(seed), device: device.clone(), width, blocks }
    }

    pub(crate) fn constant<const D: usize>(&self, shape: [usize; D], value: f32) -> Param<Tensor<D>> {
        self.values(shape, vec![value; shape.iter().product()])
    }

    pub(crate) fn values<const D: usize>(&self, shape: [usize; D], values: Vec<f32>) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    pub(crate) fn normal<const D: usize>(
        &mut self,
        shape: [usize; D],
        mean: f64,
        deviation: f64,
    ) -> Param<Tensor<D>> {
        let count = shape.iter().product();
        let mut draw = || {
            let normal: f64 = StandardNormal.sample(&mut self.generator);
            (mean + deviation * normal) as f32
        };
        let values = (0..count).map(|_| draw()).collect();
        self.values(shape, values)
    }

    pub(crate) fn uniform<const D: usize>(&mut self, shape: [usize; D], bound: f64) -> Param<Tensor<D>> {
        let count = shape.iter().product();
        let values = (0..count).map(|_| self.generator.random_range(-bound..bound) as f32).collect();
        self.values(shape, values)
    }

    /// "Small init": N(0, 2 / (5 E)), for everything that reads the residual stream.
    pub(crate) fn small<const D: usize>(&mut self, shape: [usize; D]) -> Param<Tensor<D>> {
        self.normal(shape, 0.0, (2.0 / (5.0 * self.width as f64)).sqrt())
    }

    /// "Wang init": N(0, (2 / (blocks sqrt(E)))²), for everything that writes to the residual stream.
    pub(crate) fn wang<const D: usize>(&mut self, shape: [usize; D]) -> Param<Tensor<D>> {
        self.normal(shape, 0.0, 2.0 / (self.blocks as f64 * (self.width as f64).sqrt()))
    }

    /// Uniform within 1/sqrt(fan in), as PyTorch draws convolutions and linear layers.
    pub(crate) fn fan_in<const D: usize>(&mut self, shape: [usize; D], fan_in: usize) -> Param<Tensor<D>> {
        self.uniform(shape, 1.0 / (fan_in as f64).sqrt())
    }
}

/// `count` values evenly spaced from the first to the second bound, both included.
pub(crate) fn evenly_spaced([low, high]: [f64; 2], count: usize) -> Vec<f32> {
    let step = if count > 1 { (high - low) / (count - 1) as f64 } else { 0.0 };
    (0..count).map(|index| (low + step * index as f64) as f32).collect()
}

/// Forget-gate biases of an sLSTM head of `dim` units: `5 - 12 (d / (D - 1))^(0.3 + 1.3 l)` with l = block / (blocks - 1).
/// They fall from 5 (half-life of 103 steps) to -7 (under one step).
pub(crate) fn power_law_biases(dim: usize, block: usize, blocks: usize) -> Vec<f32> {
    let depth = if blocks > 1 { block as f64 / (blocks - 1) as f64 } else { 0.0 };
    let exponent = 0.3 + 1.3 * depth;
    let place = |unit: usize| if dim > 1 { unit as f64 / (dim - 1) as f64 } else { 0.0 };
    (0..dim).map(|unit| (5.0 - 12.0 * place(unit).powf(exponent)) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn biases_of_the_papers() {
        assert_eq!(evenly_spaced([3.0, 6.0], 4), [3.0, 4.0, 5.0, 6.0]);
        assert_eq!(evenly_spaced([3.0, 6.0], 1), [3.0]);
        let biases = power_law_biases(3, 1, 2);
        assert_eq!((biases[0], biases[2]), (5.0, -7.0));
        assert!((f64::from(biases[1]) - (5.0 - 12.0 * 0.5_f64.powf(1.6))).abs() < 1e-6);
    }

    #[test]
    fn draws_have_the_stated_spread_and_repeat() {
        let device = Device::flex();
        let draw = |seed| {
            let mut initialiser = Initialiser::new(seed, &device, 90, 3);
            let small = initialiser.small([100, 100]).val();
            let wang = initialiser.wang([100, 100]).val();
            (small.into_data().try_to_vec::<f32>().unwrap(), wang.into_data().try_to_vec::<f32>().unwrap())
        };
        let (small, wang) = draw(7);
        let deviation = |values: &[f32]| {
            (values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
        };
        assert!((deviation(&small) / (2.0_f64 / 450.0).sqrt() - 1.0).abs() < 0.03);
        assert!((deviation(&wang) / (2.0 / (3.0 * 90.0_f64.sqrt())) - 1.0).abs() < 0.03);
        assert_eq!(draw(7).0, small);
        assert_ne!(draw(8).0, small);
    }
}
