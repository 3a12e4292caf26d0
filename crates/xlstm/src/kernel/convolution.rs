//! Causal depthwise convolution with bias, followed by SiLU, over one sequence: forward, backward and single steps.
//!
//! With K taps per channel, tap K−1 being the present step:
//!
//! ```text
//! y_t[c] = b[c] + sum over j of w[c][j] x_(t-K+1+j)[c]          a_t = silu(y_t) = y_t sigmoid(y_t)
//! dy = da sigmoid(y) (1 + y (1 - sigmoid(y)))
//! db += dy_t     dw[c][j] += dy_t x_(t-K+1+j)     dx_s += sum over d of w[c][K-1-d] dy_(s+d)
//! ```
//!
//! The K−1 rows before the sequence are the *window*; it is zero where there is none, and a reset empties it.
//! Channels lie innermost. Forward goes row by row, so memory is read in order; backward works through blocks of one
//! vector, each block over all of time, so the weight gradients stay in registers. What a channel gets does not
//! depend on the block it falls in.

#![expect(clippy::too_many_arguments, reason = "loops over rows take their sizes and slices one by one")]

use crate::kernel::level::{Level, dispatched};
use crate::kernel::math::{Arithmetic, Real};
use crate::kernel::product::SHORT;

/// The number of taps that the loops are unrolled for.
const USUAL_TAPS: usize = 4;

/// The widest vector's lanes: rows of the scratch.
const BLOCK: usize = 16;

/// Weights as the loops read them.
#[derive(Clone, Copy)]
pub(crate) struct Taps<'a, T> {
    /// K, at least 1.
    pub taps: usize,
    /// C.
    pub channels: usize,
    /// `[K, C]`, made by [`pack_taps`].
    pub weight: &'a [T],
    /// `[C]`.
    pub bias: &'a [T],
}

/// One sequence.
#[derive(Clone, Copy)]
pub(crate) struct Sequence<'a, T> {
    /// T.
    pub time: usize,
    /// `[T, C]`, rows `stride` elements apart.
    pub input: &'a [T],
    /// Distance between rows of the input.
    pub stride: usize,
    /// `[K-1, C]`: the rows before the first, oldest first; `None`: zero.
    pub window: Option<&'a [T]>,
    /// `[T]`: true where the window is emptied before that step.
    pub reset: Option<&'a [bool]>,
}

/// Gradients of the weights, added to.
pub(crate) struct TapGradients<'a, T> {
    /// `[K, C]`; see [`unpack_taps`].
    pub weight: &'a mut [T],
    /// `[C]`.
    pub bias: &'a mut [T],
}

impl<'a, T> Sequence<'a, T> {
    /// Row `step - back` of the input; rows before the first are the window's.
    #[inline(always)]
    fn row(&self, taps: usize, channels: usize, step: usize, back: usize) -> &'a [T] {
        match (step.checked_sub(back), self.window) {
            (Some(row), _) => &self.input[row * self.stride..],
            (None, Some(window)) => &window[(taps - 1 + step - back) * channels..],
            // Not reached: without a window the past begins with the first row.
            (None, None) => self.input,
        }
    }
    /// Past rows that count at the first step, before its reset.
    #[inline(always)]
    fn first_past(&self, taps: usize) -> usize {
        if self.window.is_some() { taps - 1 } else { 0 }
    }
    #[inline(always)]
    fn resets(&self, step: usize) -> bool {
        self.reset.is_some_and(|mask| mask[step])
    }
}

/// `[C, K]` to `[K, C]`.
pub(crate) fn pack_taps<T: Real>(taps: usize, weight: &[T], packed: &mut [T]) {
    let channels = weight.len() / taps;
    for (channel, row) in weight.chunks_exact(taps).enumerate() {
        for (tap, value) in row.iter().enumerate() {
            packed[tap * channels + channel] = *value;
        }
    }
}

/// `[K, C]` to `[C, K]`.
pub(crate) fn unpack_taps<T: Real>(taps: usize, packed: &[T], weight: &mut [T]) {
    let channels = weight.len() / taps;
    for (channel, row) in weight.chunks_exact_mut(taps).enumerate() {
        for (tap, value) in row.iter_mut().enumerate() {
            *value = packed[tap * channels + channel];
        }
    }
}

/// Elements of the scratch that [`convolve_backward`] asks for.
pub(crate) fn scratch_len(time: usize) -> usize {
    time * BLOCK
}

dispatched! {
    /// `a = silu(y)` for every step, to `output`, `[T, C]` without gaps.
    fn convolve(taps: Taps<'_, T>, sequence: Sequence<'_, T>, output: &mut [T]) = convolve_body;
}

#[inline(always)]
fn convolve_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    taps: Taps<'_, T>,
    sequence: Sequence<'_, T>,
    output: &mut [T],
) {
    rows_forward::<T, A, LANES, false>(taps, sequence, output, &mut []);
}

dispatched! {
    /// As [`convolve`], and silu'(y) to `slopes`, also `[T, C]`, for [`convolve_backward`].
    fn convolve_with_slopes(
        taps: Taps<'_, T>,
        sequence: Sequence<'_, T>,
        output: &mut [T],
        slopes: &mut [T],
    ) = convolve_with_slopes_body;
}

#[inline(always)]
fn convolve_with_slopes_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    taps: Taps<'_, T>,
    sequence: Sequence<'_, T>,
    output: &mut [T],
    slopes: &mut [T],
) {
    rows_forward::<T, A, LANES, true>(taps, sequence, output, slopes);
}

/// Row after row, so that memory is read in order.
#[inline(always)]
fn rows_forward<T: Real, A: Arithmetic, const LANES: usize, const SLOPES: bool>(
    taps: Taps<'_, T>,
    sequence: Sequence<'_, T>,
    output: &mut [T],
    slopes: &mut [T],
) {
    let channels = taps.channels;
    let mut past = sequence.first_past(taps.taps);
    for step in 0..sequence.time {
        past = if sequence.resets(step) { 0 } else { past };
        let own = step * channels..(step + 1) * channels;
        let out = &mut output[own.clone()];
        let slopes = if SLOPES { &mut slopes[own] } else { &mut [] };
        let mut channel = 0;
        if taps.taps == USUAL_TAPS && past == USUAL_TAPS - 1 && step >= past {
            channel = usual_row::<T, A, LANES, SLOPES>(taps, sequence, step, out, slopes);
        }
        while channel + LANES <= channels {
            let y = before_silu::<T, A, LANES>(taps, sequence, channel, step, past);
            write_silu::<T, A, LANES, SLOPES>(y, channel, out, slopes);
            channel += LANES;
        }
        while channel < channels {
            let y = before_silu::<T, A, 1>(taps, sequence, channel, step, past);
            write_silu::<T, A, 1, SLOPES>(y, channel, out, slopes);
            channel += 1;
        }
        past = (past + 1).min(taps.taps - 1);
    }
}

/// A row whose past lies in the sequence, with the usual number of taps; returns how many channels are done.
#[inline(always)]
fn usual_row<T: Real, A: Arithmetic, const LANES: usize, const SLOPES: bool>(
    taps: Taps<'_, T>,
    sequence: Sequence<'_, T>,
    step: usize,
    out: &mut [T],
    slopes: &mut [T],
) -> usize {
    let Taps { channels, weight, bias, .. } = taps;
    let whole = channels / LANES * LANES;
    let first = step + 1 - USUAL_TAPS;
    let row = |tap: usize| &sequence.input[(first + tap) * sequence.stride..][..whole];
    let rows: [&[T]; USUAL_TAPS] = [row(0), row(1), row(2), row(3)];
    let weights = |tap: usize| &weight[tap * channels..][..whole];
    let weights: [&[T]; USUAL_TAPS] = [weights(0), weights(1), weights(2), weights(3)];
    for channel in (0..whole).step_by(LANES) {
        let mut y = [T::ZERO; LANES];
        y.copy_from_slice(&bias[channel..channel + LANES]);
        for (x, w) in rows.iter().zip(&weights) {
            let (x, w) = (&x[channel..channel + LANES], &w[channel..channel + LANES]);
            for lane in 0..LANES {
                y[lane] = x[lane].multiply_add::<A>(w[lane], y[lane]);
            }
        }
        write_silu::<T, A, LANES, SLOPES>(y, channel, out, slopes);
    }
    whole
}

#[inline(always)]
fn write_silu<T: Real, A: Arithmetic, const N: usize, const SLOPES: bool>(
    y: [T; N],
    channel: usize,
    out: &mut [T],
    slopes: &mut [T],
) {
    let out = &mut out[channel..channel + N];
    let mut open = [T::ZERO; N];
    for lane in 0..N {
        open[lane] = y[lane].sigmoid::<A>();
        out[lane] = y[lane] * open[lane];
    }
    if SLOPES {
        let slopes = &mut slopes[channel..channel + N];
        for lane in 0..N {
            slopes[lane] = (y[lane] * open[lane]).multiply_add::<A>(T::ONE - open[lane], open[lane]);
        }
    }
}

/// y of one step, of which `past` past rows count.
#[inline(always)]
fn before_silu<T: Real, A: Arithmetic, const LANES: usize>(
    taps: Taps<'_, T>,
    sequence: Sequence<'_, T>,
    channel: usize,
    step: usize,
    past: usize,
) -> [T; LANES] {
    let mut y = [T::ZERO; LANES];
    y.copy_from_slice(&taps.bias[channel..channel + LANES]);
    // Oldest row first, whatever the number of rows. The usual case has a loop of known length.
    if past == USUAL_TAPS - 1 && step >= past {
        for back in (0..USUAL_TAPS).rev() {
            add_tap::<T, A, LANES>(taps, sequence, channel, step, back, &mut y);
        }
    } else {
        for back in (0..=past).rev() {
            add_tap::<T, A, LANES>(taps, sequence, channel, step, back, &mut y);
        }
    }
    y
}

#[inline(always)]
fn add_tap<T: Real, A: Arithmetic, const LANES: usize>(
    taps: Taps<'_, T>,
    sequence: Sequence<'_, T>,
    channel: usize,
    step: usize,
    back: usize,
    y: &mut [T; LANES],
) {
    let Taps { taps: count, channels, weight, .. } = taps;
    let x = &sequence.row(count, channels, step, back)[channel..][..LANES];
    let w = &weight[(count - 1 - back) * channels + channel..][..LANES];
    for lane in 0..LANES {
        y[lane] = x[lane].multiply_add::<A>(w[lane], y[lane]);
    }
}

dispatched! {
    /// From `output_gradient` (da, `[T, C]` without gaps) adds to the weights' gradients and to `input_gradient`
    /// (dx, rows `gradient_stride` apart). `slopes` are those of [`convolve_with_slopes`], or empty: then y is
    /// computed again. The window gets no gradient. `scratch` holds [`scratch_len`] elements.
    fn convolve_backward(
        taps: Taps<'_, T>,
        sequence: Sequence<'_, T>,
        slopes: &[T],
        output_gradient: &[T],
        gradients: &mut TapGradients<'_, T>,
        input_gradient: &mut [T],
        gradient_stride: usize,
        scratch: &mut [T],
    ) = convolve_backward_body;
}

#[inline(always)]
fn convolve_backward_body<T: Real, A: Arithmetic, const TILE_ROWS: usize, const LANES: usize>(
    taps: Taps<'_, T>,
    sequence: Sequence<'_, T>,
    slopes: &[T],
    output_gradient: &[T],
    gradients: &mut TapGradients<'_, T>,
    input_gradient: &mut [T],
    gradient_stride: usize,
    scratch: &mut [T],
) {
    let channels = taps.channels;
    let mut channel = 0;
    while channel + LANES <= channels {
        let scratch = scratch.as_chunks_mut::<LANES>().0;
        gradient_before_silu::<T, A, LANES>(
            taps,
            sequence,
            channel,
            slopes,
            output_gradient,
            gradients,
            scratch,
        );
        weight_gradient::<T, A, LANES>(taps, sequence, channel, gradients, scratch);
        row_gradient::<T, A, LANES>(taps, sequence, channel, input_gradient, gradient_stride, scratch);
        channel += LANES;
    }
    while LANES > SHORT && channel + SHORT <= channels {
        let scratch = scratch.as_chunks_mut::<SHORT>().0;
        gradient_before_silu::<T, A, SHORT>(
            taps,
            sequence,
            channel,
            slopes,
            output_gradient,
            gradients,
            scratch,
        );
        weight_gradient::<T, A, SHORT>(taps, sequence, channel, gradients, scratch);
        row_gradient::<T, A, SHORT>(taps, sequence, channel, input_gradient, gradient_stride, scratch);
        channel += SHORT;
    }
    while channel < channels {
        let scratch = scratch.as_chunks_mut::<1>().0;
        gradient_before_silu::<T, A, 1>(taps, sequence, channel, slopes, output_gradient, gradients, scratch);
        weight_gradient::<T, A, 1>(taps, sequence, channel, gradients, scratch);
        row_gradient::<T, A, 1>(taps, sequence, channel, input_gradient, gradient_stride, scratch);
        channel += 1;
    }
}

/// dy of every step to `scratch`, and db.
#[inline(always)]
fn gradient_before_silu<T: Real, A: Arithmetic, const LANES: usize>(
    taps: Taps<'_, T>,
    sequence: Sequence<'_, T>,
    channel: usize,
    slopes: &[T],
    output_gradient: &[T],
    gradients: &mut TapGradients<'_, T>,
    scratch: &mut [[T; LANES]],
) {
    let channels = taps.channels;
    let mut past = sequence.first_past(taps.taps);
    let mut sum = [T::ZERO; LANES];
    for (step, dy) in scratch.iter_mut().enumerate().take(sequence.time) {
        past = if sequence.resets(step) { 0 } else { past };
        let own = step * channels + channel..step * channels + channel + LANES;
        let mut slope = [T::ZERO; LANES];
        if slopes.is_empty() {
            let y = before_silu::<T, A, LANES>(taps, sequence, channel, step, past);
            for lane in 0..LANES {
                let open = y[lane].sigmoid::<A>();
                slope[lane] = (y[lane] * open).multiply_add::<A>(T::ONE - open, open);
            }
        } else {
            slope.copy_from_slice(&slopes[own.clone()]);
        }
        let da = &output_gradient[own];
        for lane in 0..LANES {
            dy[lane] = da[lane] * slope[lane];
            sum[lane] += dy[lane];
        }
        past = (past + 1).min(taps.taps - 1);
    }
    let total = &mut gradients.bias[channel..channel + LANES];
    for lane in 0..LANES {
        total[lane] += sum[lane];
    }
}

/// dw, tap by tap.
#[inline(always)]
fn weight_gradient<T: Real, A: Arithmetic, const LANES: usize>(
    taps: Taps<'_, T>,
    sequence: Sequence<'_, T>,
    channel: usize,
    gradients: &mut TapGradients<'_, T>,
    scratch: &[[T; LANES]],
) {
    let Taps { taps: count, channels, .. } = taps;
    for back in 0..count {
        let mut past = sequence.first_past(count);
        let mut sum = [T::ZERO; LANES];
        for (step, dy) in scratch.iter().enumerate().take(sequence.time) {
            past = if sequence.resets(step) { 0 } else { past };
            if past >= back {
                let x = &sequence.row(count, channels, step, back)[channel..][..LANES];
                for lane in 0..LANES {
                    sum[lane] = dy[lane].multiply_add::<A>(x[lane], sum[lane]);
                }
            }
            past = (past + 1).min(count - 1);
        }
        let total = &mut gradients.weight[(count - 1 - back) * channels + channel..][..LANES];
        for lane in 0..LANES {
            total[lane] += sum[lane];
        }
    }
}

/// dx, last row first: a row reaches the steps after it up to the next reset.
#[inline(always)]
fn row_gradient<T: Real, A: Arithmetic, const LANES: usize>(
    taps: Taps<'_, T>,
    sequence: Sequence<'_, T>,
    channel: usize,
    input_gradient: &mut [T],
    gradient_stride: usize,
    scratch: &[[T; LANES]],
) {
    let mut ahead = 0;
    for step in (0..sequence.time).rev() {
        let target = &mut input_gradient[step * gradient_stride + channel..][..LANES];
        let mut sum = [T::ZERO; LANES];
        sum.copy_from_slice(target);
        if ahead == USUAL_TAPS - 1 {
            let following: &[[T; LANES]] = &scratch[step..step + USUAL_TAPS];
            for (later, dy) in following.iter().enumerate() {
                add_later::<T, A, LANES>(taps, channel, later, dy, &mut sum);
            }
        } else {
            for (later, dy) in scratch[step..=step + ahead].iter().enumerate() {
                add_later::<T, A, LANES>(taps, channel, later, dy, &mut sum);
            }
        }
        target.copy_from_slice(&sum);
        ahead = if sequence.resets(step) { 0 } else { (ahead + 1).min(taps.taps - 1) };
    }
}

/// What a row gets from dy of `later` steps after it.
#[inline(always)]
fn add_later<T: Real, A: Arithmetic, const LANES: usize>(
    taps: Taps<'_, T>,
    channel: usize,
    later: usize,
    dy: &[T; LANES],
    sum: &mut [T; LANES],
) {
    let w = &taps.weight[(taps.taps - 1 - later) * taps.channels + channel..][..LANES];
    for lane in 0..LANES {
        sum[lane] = dy[lane].multiply_add::<A>(w[lane], sum[lane]);
    }
}

/// One step of one sequence: `input` is `[C]`, `output` gets a, and the window, `[K-1, C]`, moves on by one row
/// (emptied first where `reset`).
pub(crate) fn convolve_step<T: Real>(
    level: Level,
    taps: Taps<'_, T>,
    input: &[T],
    reset: bool,
    window: &mut [T],
    output: &mut [T],
) {
    if reset {
        window.fill(T::ZERO);
    }
    let sequence = Sequence { time: 1, input, stride: taps.channels, window: Some(window), reset: None };
    convolve(level, taps, sequence, output);
    push_row(taps.channels, input, window);
}

/// Moves a window on by one row.
fn push_row<T: Real>(channels: usize, row: &[T], window: &mut [T]) {
    if let Some(kept) = window.len().checked_sub(channels) {
        window.copy_within(channels.., 0);
        window[kept..].copy_from_slice(&row[..channels]);
    }
}

/// The window after the sequence, `[K-1, C]`.
pub(crate) fn leaving_window<T: Real>(taps: Taps<'_, T>, sequence: Sequence<'_, T>, window: &mut [T]) {
    let Taps { taps: count, channels, .. } = taps;
    let mut past = sequence.first_past(count);
    for step in 0..sequence.time {
        past = if sequence.resets(step) { 0 } else { past };
        past = (past + 1).min(count - 1);
    }
    let last = sequence.time - 1;
    for (index, to) in window.chunks_exact_mut(channels).enumerate() {
        let back = count - 2 - index;
        if back < past {
            to.copy_from_slice(&sequence.row(count, channels, last, back)[..channels]);
        } else {
            to.fill(T::ZERO);
        }
    }
}

#[cfg(test)]
mod tests;
