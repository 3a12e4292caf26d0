//! Initial weights and dropout, drawn on the host: the same on every backend.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, RngExt};

/// Draws the initial weights of one network.
pub(crate) struct Initial<'a> {
    random: &'a mut dyn Rng,
    device: Device,
}

impl<'a> Initial<'a> {
    pub(crate) fn new(random: &'a mut dyn Rng, device: &Device) -> Self {
        Self { random, device: device.clone() }
    }

    pub(crate) fn values<const D: usize>(&self, shape: [usize; D], values: Vec<f32>) -> Param<Tensor<D>> {
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    /// U(−b, b) with b = 1 / sqrt(fan-in) (LeCun et al. 1998, "Efficient BackProp", section 4.6, as PyTorch has it).
    pub(crate) fn uniform<const D: usize>(&mut self, shape: [usize; D], fan_in: usize) -> Param<Tensor<D>> {
        let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
        let count = shape.iter().product();
        let values = (0..count).map(|_| self.random.random_range(-bound..bound) as f32).collect();
        self.values(shape, values)
    }

    /// A linear layer with a bias of 0.
    pub(crate) fn linear(&mut self, inputs: usize, outputs: usize) -> Linear {
        let weight = self.uniform([inputs, outputs], inputs);
        Linear { weight, bias: Some(self.values([outputs], vec![0.0; outputs])) }
    }
}

/// Inverted dropout (Srivastava et al. 2014) where there are numbers for it.
pub(crate) fn drop_share(x: Tensor<3>, share: f64, generator: Option<&mut (dyn Rng + '_)>) -> Tensor<3> {
    let Some(generator) = generator.filter(|_| share > 0.0) else { return x };
    let shape = x.dims();
    let threshold = (share * (f64::from(u32::MAX) + 1.0)) as u32;
    let kept = (1.0 / (1.0 - share)) as f32;
    let count: usize = shape.iter().product();
    let mask: Vec<f32> =
        (0..count).map(|_| if generator.next_u32() < threshold { 0.0 } else { kept }).collect();
    let mask = Tensor::from_data(TensorData::new(mask, shape), &x.device());
    x * mask
}
