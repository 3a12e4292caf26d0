//! Normalisation and the gate of the feed-forward part.

use burn::tensor::Tensor;
use std::f64::consts::FRAC_1_SQRT_2;

/// Normalises groups of the last axis on their own: `(x - mean) / sqrt(variance + epsilon) * (1 + weight)`, with
/// the variance of the group itself (not of a sample). One group is a layer norm without bias (Ba et al. 2016,
/// arXiv 1607.06450), one group per head the head norm of xLSTM.
///
/// # Shapes
/// `x` `[batch, time, channels]`, `weight` `[channels]`; `groups` divides `channels`.
#[must_use]
pub fn group_norm(x: Tensor<3>, weight: Tensor<1>, groups: usize, epsilon: f64) -> Tensor<3> {
    let [batch, time, channels] = x.dims();
    let grouped = x.reshape([batch, time, groups, channels / groups]);
    let centred = grouped.clone() - grouped.mean_dim(3);
    let variance = centred.clone().square().mean_dim(3);
    let normed = (centred / (variance + epsilon).sqrt()).reshape([batch, time, channels]);
    normed * (weight + 1.0).reshape([1, 1, channels])
}

/// `gelu(g) * u` with the exact (error-function) GELU (Hendrycks and Gimpel 2016, arXiv 1606.08415), where
/// `[g, u]` are the halves of the last axis.
///
/// # Shapes
/// `x` `[batch, time, 2 · width]`, result `[batch, time, width]`.
#[must_use]
pub fn gated_gelu(x: Tensor<3>) -> Tensor<3> {
    let width = x.dims()[2] / 2;
    let gate = x.clone().narrow(2, 0, width);
    // Spelled out: where a backend has no own `gelu`, the gradient of Burn 0.22.1 is that of the approximation by
    // tanh, off by 4e-4.
    let gelu = gate.clone() * ((gate * FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
    gelu * x.narrow(2, width, width)
}
