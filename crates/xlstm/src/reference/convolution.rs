//! Causal depthwise convolution.

use crate::state::ResetMask;
use burn::tensor::{Device, Tensor};

/// `silu(b + sum_j w_j x_(t - K + 1 + j))`, each channel on its own; before the first step stands `window`. A step
/// sees nothing from before the last reset.
///
/// # Shapes
/// `x` `[batch, time, channels]`, `window` `[batch, K - 1, channels]`, `weight` `[channels, K]` (the last tap is the
/// present step), `bias` `[channels]`.
#[must_use]
#[expect(clippy::needless_pass_by_value, reason = "tensors are handles, passed by value as Burn does")]
pub fn causal_convolution(
    x: Tensor<3>,
    window: Tensor<3>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    reset: Option<&ResetMask>,
) -> Tensor<3> {
    let [_, time, channels] = x.dims();
    let (device, number_type) = (x.device(), x.dtype());
    let taps = weight.dims()[1];
    let joined = Tensor::cat(vec![window, x], 1);
    let mut sum = bias.reshape([1, 1, channels]);
    for tap in 0..taps {
        let coefficient = weight.clone().narrow(1, tap, 1).reshape([1, 1, channels]);
        let mut seen = joined.clone().narrow(1, tap, time);
        if let Some(reset) = reset {
            seen = seen * same_sequence(reset, taps - 1 - tap, &device).cast(number_type);
        }
        sum = sum + seen * coefficient;
    }
    burn::tensor::activation::silu(sum)
}

/// 1 where the step `distance` back belongs to the same sequence, else 0; `[batch, time, 1]`.
fn same_sequence(reset: &ResetMask, distance: usize, device: &Device) -> Tensor<3> {
    let [batch, time] = reset.dims();
    let segments = reset.segments();
    let mut same = Vec::with_capacity(batch * time);
    for row in segments.chunks_exact(time) {
        for (step, segment) in row.iter().enumerate() {
            // What came before the first step belongs to segment 0.
            let earlier = step.checked_sub(distance).map_or(0, |earlier| row[earlier]);
            same.push(f32::from(u8::from(earlier == *segment)));
        }
    }
    Tensor::<1>::from_floats(same.as_slice(), device).reshape([batch, time, 1])
}

/// The last `K - 1` inputs, to be the window of the next call; zero where they lie before the last reset.
///
/// # Shapes
/// `window` and the result `[batch, K - 1, channels]`, `x` `[batch, time, channels]`.
#[must_use]
pub fn leaving_window(x: Tensor<3>, window: Tensor<3>, reset: Option<&ResetMask>) -> Tensor<3> {
    let [batch, time, _] = x.dims();
    let length = window.dims()[1];
    if length == 0 {
        return window;
    }
    let (device, number_type) = (x.device(), x.dtype());
    let last = Tensor::cat(vec![window, x], 1).narrow(1, time, length);
    let Some(reset) = reset else { return last };
    let mut kept = Vec::with_capacity(batch * length);
    for row in reset.segments().chunks_exact(time) {
        for place in 0..length {
            let segment = (place + time).checked_sub(length).map_or(0, |step| row[step]);
            kept.push(f32::from(u8::from(segment == row[time - 1])));
        }
    }
    let kept = Tensor::<1>::from_floats(kept.as_slice(), &device).cast(number_type);
    last * kept.reshape([batch, length, 1])
}
