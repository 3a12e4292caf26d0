//! Time of the sLSTM layer on one thread: `cargo bench -p xlstm --bench slstm_layer`.
//!
//! One item of `training` and `forward_only` is one (batch, head) of T = 60, batch 128, 4 heads, 4 taps; one item of
//! `one_step` is one sequence.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "../../market-data/benches/machine/mod.rs"]
mod machine;

use divan::Bencher;
use divan::counter::ItemsCount;
use xlstm::kernel::slstm_layer::{
    SlstmConvolutionWeights, SlstmLayerForward, SlstmLayerGradients, SlstmLayerInputs, SlstmLayerOptions,
    SlstmLayerPacked, SlstmLayerShape, SlstmLayerState, SlstmLayerStepInputs, SlstmLayerWeights,
    backward_into, forward_into, step,
};
use xlstm::kernel::{ForgetGate, Level};

fn main() {
    machine::print_header("slstm_layer");
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().unwrap();
    divan::main();
}

/// Numbers that look normal enough: a fixed linear congruence, so runs compare.
fn numbers(count: usize, mean: f32, width: f32) -> Vec<f32> {
    let mut state = 1u64;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            mean + width * ((state >> 40) as f32 / (1u32 << 24) as f32 - 0.5) * 3.4
        })
        .collect()
}

fn packed(shape: &SlstmLayerShape) -> SlstmLayerPacked<f32> {
    let SlstmLayerShape { heads, dim, taps, .. } = *shape;
    let width = shape.width();
    let weights = SlstmLayerWeights {
        convolution: Some(SlstmConvolutionWeights {
            weight: &numbers(width * taps, 0.0, 0.3),
            bias: &numbers(width, 0.0, 0.3),
        }),
        gates: &numbers(4 * width * dim, 0.0, 0.2),
        recurrent: &numbers(4 * width * dim, 0.0, 0.2),
        bias: &numbers(4 * width, 0.0, 1.0),
        norm: &numbers(width, 0.0, 0.1),
    };
    SlstmLayerPacked::pack(heads, dim, taps, &weights).unwrap()
}

#[divan::bench(args = [8, 16, 24, 32, 48])]
fn training(bencher: Bencher, dim: usize) {
    whole(bencher, 128, dim, true);
}

#[divan::bench(args = [8, 16, 24, 32, 48])]
fn forward_only(bencher: Bencher, dim: usize) {
    whole(bencher, 128, dim, false);
}

/// One sequence of 60 steps, 4 heads of 24, nothing kept; one item = the whole of it.
#[divan::bench(args = [1, 4, 8])]
fn one_window(bencher: Bencher, batch: usize) {
    whole(bencher, batch, 24, false);
}

fn whole(bencher: Bencher, batch: usize, dim: usize, training: bool) {
    let shape = SlstmLayerShape { batch, time: 60, heads: 4, dim, taps: 4 };
    let (input, gradient) =
        (numbers(shape.sequence_len(), 0.0, 1.0), numbers(shape.sequence_len(), 0.0, 1.0));
    let packed = packed(&shape);
    let inputs = SlstmLayerInputs { input: &input, reset: None, initial: None, recurrent_mask: None };
    let options =
        SlstmLayerOptions { forget_gate: ForgetGate::Sigmoid, save: training, level: Level::detect() };
    let (mut output, mut gradients) = (SlstmLayerForward::default(), SlstmLayerGradients::default());
    bencher.counter(ItemsCount::new(shape.batch * shape.heads)).bench_local(|| {
        forward_into(shape, &packed, &inputs, options, &mut output).unwrap();
        if training {
            backward_into(&packed, &inputs, &output.saved, &gradient, &mut gradients).unwrap();
        }
    });
}

#[divan::bench(args = [1, 8, 1000])]
fn one_step(bencher: Bencher, batch: usize) {
    let shape = SlstmLayerShape { batch, time: 1, heads: 4, dim: 24, taps: 4 };
    let (input, packed) = (numbers(shape.sequence_len(), 0.0, 1.0), packed(&shape));
    let mut state = SlstmLayerState::empty(&shape);
    let mut output = vec![0.0; shape.sequence_len()];
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        let inputs = SlstmLayerStepInputs {
            batch,
            input: &input,
            reset: None,
            recurrent_mask: None,
            forget_gate: ForgetGate::Sigmoid,
        };
        step(Level::detect(), &packed, &inputs, &mut state, &mut output).unwrap();
    });
}
