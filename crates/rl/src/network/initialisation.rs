//! First values of the weights of a layer.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the weights of a layer are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Initialisation {
    /// Orthogonal (Saxe et al. 2014, arXiv 1312.6120) with the gain of the layer, biases 0: Stable-Baselines3
    /// for A2C and PPO.
    #[default]
    Orthogonal,
    /// Weights and biases uniform within ±1/√inputs, gains are not used: PyTorch's `nn.Linear`,
    /// Stable-Baselines3 for DQN.
    Uniform,
}

/// Writes an orthogonal matrix times `gain` into columns `column..column + columns` of `weight`, `[rows,
/// width]`.
///
/// Gram and Schmidt's method gives the factor Q of a QR decomposition with a positive diagonal of R, which
/// `torch.nn.init.orthogonal_` makes by signs. In f64, twice, so that it is orthogonal to the last bit of
/// f32.
pub(crate) fn orthogonal(
    weight: &mut [f32],
    width: usize,
    column: usize,
    columns: usize,
    gain: f32,
    generator: &mut impl Rng,
) {
    let rows = weight.len() / width;
    let (count, length) = (rows.min(columns), rows.max(columns));
    let mut vectors: Vec<Vec<f64>> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut vector: Vec<f64> = (0..length).map(|_| StandardNormal.sample(generator)).collect();
        for _ in 0..2 {
            for earlier in &vectors {
                let along: f64 = earlier.iter().zip(&vector).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(earlier).for_each(|(value, other)| *value -= along * other);
            }
        }
        let norm = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|value| *value /= norm);
        vectors.push(vector);
    }
    for (row, values) in weight.chunks_exact_mut(width).enumerate() {
        for (index, value) in values[column..column + columns].iter_mut().enumerate() {
            let (vector, place) = if rows >= columns { (index, row) } else { (row, index) };
            *value = (vectors[vector][place] * f64::from(gain)) as f32;
        }
    }
}

/// Draws uniformly within ±`bound`.
pub(crate) fn uniform(values: &mut [f32], bound: f32, generator: &mut impl Rng) {
    values.iter_mut().for_each(|value| *value = (2.0 * generator.random::<f32>() - 1.0) * bound);
}
