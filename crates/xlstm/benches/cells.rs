//! Time of the cells on one thread, per (batch, head): `cargo bench --workspace --bench cells`.
//!
//! One item of `mlstm_*` is one (batch, head), forward + backward unless the name says otherwise.

#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

#[path = "../../market-data/benches/machine/mod.rs"]
mod machine;

use divan::Bencher;
use divan::counter::ItemsCount;
use xlstm::kernel::mlstm::{
    Form, MlstmForward, MlstmGradients, MlstmInputs, MlstmOptions, MlstmShape, MlstmState, MlstmStepInputs,
    backward_into, forward_into, step,
};
use xlstm::kernel::mlstm_layer::{
    self, MlstmLayerForward, MlstmLayerGradients, MlstmLayerInputs, MlstmLayerOptions, MlstmLayerShape,
    MlstmLayerState, MlstmLayerStepInputs, MlstmLayerWeights,
};
use xlstm::kernel::slstm::{
    self, SlstmForward, SlstmGradients, SlstmInputs, SlstmRecurrence, SlstmShape, SlstmState,
};
use xlstm::kernel::{ForgetGate, Level};

fn main() {
    machine::print_header("cells");
    print_level();
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().unwrap();
    divan::main();
}

#[expect(clippy::print_stderr, reason = "a measurement names its instruction level")]
fn print_level() {
    eprintln!("level: {}, one thread", Level::detect().name());
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

struct Case {
    shape: MlstmShape,
    vectors: Vec<f32>,
    input_gate: Vec<f32>,
    forget_gate: Vec<f32>,
}

impl Case {
    /// Gates as at initialisation: i ~ 0.1, f about 4.5.
    fn new(time: usize, dim: usize) -> Self {
        let shape = MlstmShape { batch: 8, heads: 4, time, dim };
        Self {
            shape,
            vectors: numbers(4 * shape.sequence_len(), 0.0, 1.0),
            input_gate: numbers(shape.gate_len(), 0.0, 1.0),
            forget_gate: numbers(shape.gate_len(), 4.5, 1.0),
        }
    }
    fn inputs(&self) -> MlstmInputs<'_, f32> {
        let n = self.shape.sequence_len();
        MlstmInputs {
            query: &self.vectors[..n],
            key: &self.vectors[n..2 * n],
            value: &self.vectors[2 * n..3 * n],
            input_gate: &self.input_gate,
            forget_gate: &self.forget_gate,
            reset: None,
            initial: None,
        }
    }
}

const SHAPES: [(usize, usize); 9] =
    [(60, 8), (60, 24), (60, 32), (60, 48), (60, 96), (128, 48), (256, 16), (256, 48), (512, 48)];

fn options(form: Form) -> MlstmOptions {
    MlstmOptions { form, forget: ForgetGate::Sigmoid, final_state: false, level: Level::detect() }
}

fn training(bencher: Bencher, (time, dim): (usize, usize), form: Form) {
    let case = Case::new(time, dim);
    let gradient = &case.vectors[3 * case.shape.sequence_len()..];
    let (mut output, mut gradients) = (MlstmForward::default(), MlstmGradients::default());
    bencher.counter(ItemsCount::new(case.shape.rows())).bench_local(|| {
        let inputs = case.inputs();
        let options = options(form);
        forward_into(case.shape, &inputs, options, &mut output).unwrap();
        backward_into(&inputs, &output.hidden, &output.saved, gradient, None, &mut gradients).unwrap();
    });
}

#[divan::bench(args = SHAPES)]
fn mlstm_parallel(bencher: Bencher, shape: (usize, usize)) {
    training(bencher, shape, Form::Parallel);
}

#[divan::bench(args = SHAPES)]
fn mlstm_chunks_of_32(bencher: Bencher, shape: (usize, usize)) {
    training(bencher, shape, Form::Chunkwise(32));
}

#[divan::bench(args = SHAPES)]
fn mlstm_chunks_of_64(bencher: Bencher, shape: (usize, usize)) {
    training(bencher, shape, Form::Chunkwise(64));
}

#[divan::bench(args = SHAPES)]
fn mlstm_forward_only_parallel(bencher: Bencher, (time, dim): (usize, usize)) {
    let case = Case::new(time, dim);
    let mut output = MlstmForward::default();
    bencher.counter(ItemsCount::new(case.shape.rows())).bench_local(|| {
        let options = options(Form::Parallel);
        forward_into(case.shape, &case.inputs(), options, &mut output).unwrap();
    });
}

/// One item = one (batch, head) of T = 60, batch 128, 4 heads, forward + backward.
#[divan::bench(args = [8, 16, 24, 32, 48])]
fn slstm_training(bencher: Bencher, dim: usize) {
    slstm_whole(bencher, dim, true);
}

/// As above, forward only.
#[divan::bench(args = [8, 16, 24, 32, 48])]
fn slstm_forward_only(bencher: Bencher, dim: usize) {
    slstm_whole(bencher, dim, false);
}

fn slstm_whole(bencher: Bencher, dim: usize, with_backward: bool) {
    let shape = SlstmShape { batch: 128, time: 60, heads: 4, dim };
    let (input, gradient) = (numbers(shape.input_len(), 0.5, 1.0), numbers(shape.output_len(), 0.0, 1.0));
    let weights = numbers(4 * 4 * dim * dim, 0.0, 0.2);
    let recurrence = SlstmRecurrence::pack(4, dim, &weights, &numbers(16 * dim, 0.0, 1.0)).unwrap();
    let inputs = SlstmInputs {
        input: &input,
        recurrence: &recurrence,
        reset: None,
        initial: None,
        forget_gate: ForgetGate::Sigmoid,
        recurrent_mask: None,
    };
    let (mut output, mut gradients) = (SlstmForward::default(), SlstmGradients::default());
    bencher.counter(ItemsCount::new(shape.batch * shape.heads)).bench_local(|| {
        slstm::forward_into(Level::detect(), shape, &inputs, &mut output).unwrap();
        if with_backward {
            slstm::backward_into(&inputs, &output.saved, &gradient, None, &mut gradients).unwrap();
        }
    });
}

/// One item = one sequence (4 heads of 24), one step.
#[divan::bench(args = [1, 8, 1000])]
fn slstm_one_step(bencher: Bencher, batch: usize) {
    let (heads, dim) = (4, 24);
    let input = numbers(batch * 4 * heads * dim, 0.5, 1.0);
    let weights = numbers(4 * heads * dim * dim, 0.0, 0.2);
    let recurrence =
        SlstmRecurrence::pack(heads, dim, &weights, &numbers(4 * heads * dim, 0.0, 1.0)).unwrap();
    let mut state = SlstmState::empty(batch, heads, dim);
    let mut output = vec![0.0; batch * heads * dim];
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        let inputs = slstm::SlstmStepInputs {
            batch,
            heads,
            dim,
            input: &input,
            recurrence: &recurrence,
            reset: None,
            forget_gate: ForgetGate::Sigmoid,
            recurrent_mask: None,
        };
        slstm::step(Level::detect(), &inputs, &mut state, &mut output).unwrap();
    });
}

#[divan::bench(args = [8, 24, 48, 96])]
fn mlstm_one_step(bencher: Bencher, dim: usize) {
    let case = Case::new(1, dim);
    let n = case.shape.sequence_len();
    let mut state = MlstmState::empty(case.shape.batch, case.shape.heads, dim);
    let mut hidden = vec![0.0; n];
    bencher.counter(ItemsCount::new(case.shape.rows())).bench_local(|| {
        let inputs = MlstmStepInputs {
            batch: case.shape.batch,
            heads: case.shape.heads,
            dim,
            query: &case.vectors[..n],
            key: &case.vectors[n..2 * n],
            value: &case.vectors[2 * n..3 * n],
            input_gate: &case.input_gate,
            forget_gate: &case.forget_gate,
            forget: ForgetGate::Sigmoid,
            reset: None,
        };
        step(Level::detect(), &inputs, &mut state, &mut hidden).unwrap();
    });
}

/// Weights and rows of an mLSTM layer of four heads, blocks of 4 and 4 taps.
struct LayerCase {
    shape: MlstmLayerShape,
    values: Vec<Vec<f32>>,
    projected: Vec<f32>,
    gradient: Vec<f32>,
}

impl LayerCase {
    fn new(batch: usize, time: usize, inner: usize) -> Self {
        let shape = MlstmLayerShape { batch, time, heads: 4, inner, block: 4, taps: 4 };
        let values = vec![
            numbers(4 * inner, 0.0, 0.5),
            numbers(inner, 0.0, 0.2),
            numbers(4 * inner, 0.0, 0.5),
            numbers(4 * inner, 0.1, 0.5),
            numbers(4 * inner, -0.1, 0.5),
            numbers(12 * inner, 0.0, 0.02),
            numbers(4, 0.0, 0.1),
            numbers(12 * inner, 0.0, 0.02),
            numbers(4, 4.5, 1.0),
            numbers(inner, 0.0, 0.2),
            numbers(inner, 1.0, 0.2),
        ];
        let projected = numbers(shape.projected_len(), 0.0, 1.0);
        let gradient = numbers(shape.output_len(), 0.0, 1.0);
        Self { shape, values, projected, gradient }
    }
    fn weights(&self) -> MlstmLayerWeights<'_, f32> {
        let v = &self.values;
        MlstmLayerWeights {
            conv_weight: &v[0],
            conv_bias: &v[1],
            query: &v[2],
            key: &v[3],
            value: &v[4],
            input_gate_weight: &v[5],
            input_gate_bias: &v[6],
            forget_gate_weight: &v[7],
            forget_gate_bias: &v[8],
            norm: &v[9],
            skip: &v[10],
        }
    }
    fn options(&self, keep: bool) -> MlstmLayerOptions {
        MlstmLayerOptions {
            form: Form::Parallel,
            forget: ForgetGate::Sigmoid,
            soft_cap: None,
            final_state: false,
            keep,
            level: Level::detect(),
        }
    }
}

fn layer(bencher: Bencher, inner: usize, with_backward: bool) {
    let case = LayerCase::new(128, 60, inner);
    let (mut output, mut gradients) = (MlstmLayerForward::default(), MlstmLayerGradients::default());
    let inputs = MlstmLayerInputs { projected: &case.projected, reset: None, initial: None };
    let (weights, options) = (case.weights(), case.options(with_backward));
    bencher.counter(ItemsCount::new(case.shape.batch * case.shape.heads)).bench_local(|| {
        mlstm_layer::forward_into(case.shape, &weights, &inputs, options, &mut output).unwrap();
        if with_backward {
            let (saved, gradient) = (&output.saved, &case.gradient);
            mlstm_layer::backward_into(&weights, &inputs, saved, gradient, &mut gradients).unwrap();
        }
    });
}

/// One item = one (batch, head) of T = 60, batch 128, 4 heads, forward + backward; argument: inner width.
#[divan::bench(args = [96, 192])]
fn mlstm_layer_training(bencher: Bencher, inner: usize) {
    layer(bencher, inner, true);
}

/// As above, forward only and nothing kept.
#[divan::bench(args = [96, 192])]
fn mlstm_layer_forward_only(bencher: Bencher, inner: usize) {
    layer(bencher, inner, false);
}

/// One item = one sequence (inner width 192), one step.
#[divan::bench(args = [1, 8, 1000])]
fn mlstm_layer_one_step(bencher: Bencher, batch: usize) {
    let case = LayerCase::new(batch, 1, 192);
    let mut state = MlstmLayerState::empty(&case.shape);
    let mut output = vec![0.0; case.shape.output_len()];
    let inputs = MlstmLayerStepInputs { projected: &case.projected, reset: None };
    let (weights, options) = (case.weights(), case.options(false));
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        mlstm_layer::step(case.shape, &weights, &inputs, options, &mut state, &mut output).unwrap();
    });
}
