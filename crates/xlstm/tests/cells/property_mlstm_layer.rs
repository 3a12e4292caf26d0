//! The mLSTM layer over random shapes: fused = reference, whole = pieces = steps, finite differences, threads.

use crate::cases::{Random, cast, error, max_abs};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use xlstm::kernel::math::Real;
use xlstm::kernel::mlstm::{Form, MlstmState};
use xlstm::kernel::mlstm_layer::{
    MlstmLayerForward, MlstmLayerGradients, MlstmLayerInputs, MlstmLayerOptions, MlstmLayerShape,
    MlstmLayerState, MlstmLayerStepInputs, MlstmLayerWeights, backward_into, forward_into, reference, step,
};
use xlstm::kernel::{ForgetGate, Level};

/// The weights in the order of their fields, then the projected rows.
const NAMES: [&str; 12] = [
    "conv_weight",
    "conv_bias",
    "query",
    "key",
    "value",
    "input_gate_weight",
    "input_gate_bias",
    "forget_gate_weight",
    "forget_gate_bias",
    "norm",
    "skip",
    "projected",
];

#[derive(Clone)]
struct Case {
    shape: MlstmLayerShape,
    /// As [`NAMES`].
    values: Vec<Vec<f64>>,
    gradient: Vec<f64>,
    reset: Option<Vec<bool>>,
    initial: Option<MlstmLayerState<f64>>,
    forget: ForgetGate,
    soft_cap: Option<f64>,
}

impl Case {
    fn new(shape: MlstmLayerShape, seed: u64, flags: [bool; 4]) -> Self {
        let mut random = Random(seed);
        let MlstmLayerShape { batch, time, heads, inner, block, taps } = shape;
        let dim = shape.dim();
        let wide = 1.0 / (3.0 * inner as f64).sqrt();
        let forget_bias = if flags[2] { -0.3 } else { 2.0 };
        let mut draw = |count: usize, mean: f64, deviation: f64| random.normals(count, mean, deviation);
        let values = vec![
            draw(inner * taps, 0.0, 0.6),
            draw(inner, 0.0, 0.3),
            draw(inner * block, 0.0, 0.7),
            draw(inner * block, 0.0, 0.7),
            draw(inner * block, 0.0, 0.7),
            draw(heads * 3 * inner, 0.0, wide),
            draw(heads, 0.0, 0.5),
            draw(heads * 3 * inner, 0.0, wide),
            draw(heads, forget_bias, 0.5),
            draw(inner, 0.0, 0.3),
            draw(inner, 1.0, 0.3),
            draw(shape.projected_len(), 0.0, 1.0),
        ];
        let initial = MlstmLayerState {
            window: draw(batch * shape.window_len(), 0.0, 1.0),
            cell: MlstmState {
                memory: draw(batch * heads * dim * dim, 0.0, 0.5),
                normaliser: draw(batch * inner, 0.0, 0.5),
                stabiliser: draw(batch * heads, 0.5, 1.0),
            },
        };
        let gradient = draw(shape.output_len(), 0.0, 1.0);
        Self {
            shape,
            values,
            gradient,
            reset: flags[0].then(|| (0..batch * time).map(|_| random.uniform() < 0.2).collect()),
            initial: flags[1].then_some(initial),
            forget: if flags[2] { ForgetGate::Exponential } else { ForgetGate::Sigmoid },
            soft_cap: flags[3].then_some(1.5),
        }
    }

    fn options(&self, form: Form, level: Level) -> MlstmLayerOptions {
        let (forget, soft_cap) = (self.forget, self.soft_cap);
        MlstmLayerOptions { form, forget, soft_cap, final_state: true, keep: true, level }
    }
}

/// The case in another number type, so that inputs can be borrowed from it.
struct Typed<T> {
    values: Vec<Vec<T>>,
    gradient: Vec<T>,
    initial: Option<MlstmLayerState<T>>,
}

impl<T: Real> Typed<T> {
    fn new(case: &Case) -> Self {
        Self {
            values: case.values.iter().map(|v| cast(v)).collect(),
            gradient: cast(&case.gradient),
            initial: case.initial.as_ref().map(|state| MlstmLayerState {
                window: cast(&state.window),
                cell: MlstmState {
                    memory: cast(&state.cell.memory),
                    normaliser: state.cell.normaliser.clone(),
                    stabiliser: cast(&state.cell.stabiliser),
                },
            }),
        }
    }
    fn weights(&self) -> MlstmLayerWeights<'_, T> {
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
    fn inputs<'a>(&'a self, case: &'a Case) -> MlstmLayerInputs<'a, T> {
        MlstmLayerInputs {
            projected: &self.values[11],
            reset: case.reset.as_deref(),
            initial: self.initial.as_ref(),
        }
    }
}

/// Outputs, final state and gradients (in the order of [`NAMES`]) by name.
type Named<T> = Vec<(&'static str, Vec<T>)>;

fn named<T: Real>(output: Vec<T>, state: MlstmLayerState<T>, g: MlstmLayerGradients<T>) -> Named<T> {
    let w = g.weights;
    let gradients = [
        w.conv_weight,
        w.conv_bias,
        w.query,
        w.key,
        w.value,
        w.input_gate_weight,
        w.input_gate_bias,
        w.forget_gate_weight,
        w.forget_gate_bias,
        w.norm,
        w.skip,
        g.projected,
    ];
    let mut all = vec![
        ("out", output),
        ("window", state.window),
        ("C", state.cell.memory),
        ("n", cast(&state.cell.normaliser)),
        ("m", state.cell.stabiliser),
    ];
    all.extend(NAMES.into_iter().zip(gradients));
    all
}

fn fused<T: Real>(case: &Case, form: Form, level: Level) -> Named<T> {
    let typed = Typed::<T>::new(case);
    let (weights, inputs) = (typed.weights(), typed.inputs(case));
    let (mut output, mut gradients) = (MlstmLayerForward::default(), MlstmLayerGradients::default());
    forward_into(case.shape, &weights, &inputs, case.options(form, level), &mut output).unwrap();
    backward_into(&weights, &inputs, &output.saved, &typed.gradient, &mut gradients).unwrap();
    let mut of_input = MlstmLayerGradients::of_input();
    backward_into(&weights, &inputs, &output.saved, &typed.gradient, &mut of_input).unwrap();
    assert!(of_input.projected == gradients.projected, "without the weights' gradients: {:?}", case.shape);
    named(output.output, output.state.unwrap(), gradients)
}

fn plain<T: Real>(case: &Case) -> Named<T> {
    let typed = Typed::<T>::new(case);
    let (weights, inputs) = (typed.weights(), typed.inputs(case));
    let options = case.options(Form::Parallel, Level::detect());
    let (output, state) = reference::forward(case.shape, &weights, &inputs, &options);
    let gradients = reference::backward(case.shape, &weights, &inputs, &options, &typed.gradient);
    named(output, state, gradients)
}

/// Largest error over all tensors, each measured against its own largest number, gradients at least against 1e-3 of
/// the largest of all (those of the gates may be sums that cancel to rounding).
fn worst<T: Real>(found: &Named<T>, exact: &Named<f64>) -> (&'static str, f64) {
    let largest = exact[5..].iter().map(|t| max_abs(&t.1)).fold(0.0, f64::max);
    let mut worst = ("", 0.0);
    for (index, ((name, found), (_, exact))) in found.iter().zip(exact).enumerate() {
        let scale = if index >= 5 { max_abs(exact).max(1e-3 * largest) } else { max_abs(exact) };
        let error = error(found, exact, scale);
        if error > worst.1 {
            worst = (name, error);
        }
    }
    worst
}

/// Widths of all kinds: blocks that lie in two heads, heads that are no whole number of vectors, other block sizes.
fn shapes() -> impl Strategy<Value = MlstmLayerShape> {
    let widths = prop_oneof![
        Just((1usize, 4usize, 4usize)),
        Just((2, 24, 4)),
        Just((4, 192, 4)),
        Just((2, 40, 4)),
        Just((2, 12, 4)),
        Just((4, 96, 4)),
        Just((2, 64, 4)),
        Just((3, 15, 5)),
        Just((1, 6, 1)),
        Just((2, 16, 8)),
        Just((3, 6, 2)),
    ];
    (1usize..7, prop_oneof![Just(1usize), 2usize..20], widths, 1usize..6).prop_map(
        |(batch, time, (heads, inner, block), taps)| MlstmLayerShape {
            batch,
            time,
            heads,
            inner,
            block,
            taps,
        },
    )
}

fn forms() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::Parallel), Just(Form::Recurrent), (1usize..12).prop_map(Form::Chunkwise)]
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn fused_is_the_reference_in_f64(shape in shapes(), form in forms(), seed in any::<u64>(), flags in any::<[bool; 4]>()) {
        let case = Case::new(shape, seed, flags);
        let exact = plain::<f64>(&case);
        for level in Level::available() {
            let (name, error) = worst(&fused::<f64>(&case, form, level), &exact);
            prop_assert!(error < 1e-8, "{name} {error:e} {form:?} {level:?}");
        }
    }

    /// In f32 within a multiple of what rounding in the plain layer does.
    #[test]
    fn fused_f32_is_stable(shape in shapes(), form in forms(), seed in any::<u64>(), flags in any::<[bool; 4]>()) {
        let case = Case::new(shape, seed, flags);
        let exact = plain::<f64>(&case);
        let (_, inherent) = worst(&plain::<f32>(&case), &exact);
        for level in Level::available() {
            let (name, error) = worst(&fused::<f32>(&case, form, level), &exact);
            prop_assert!(error < 2e-5 + 30.0 * inherent, "{name} {error:e}, plain {inherent:e}, {form:?} {level:?}");
        }
    }

    #[test]
    fn sequence_is_pieces_and_steps(shape in shapes(), seed in any::<u64>(), cut in any::<usize>(), flags in any::<[bool; 4]>()) {
        let case = Case::new(shape, seed, flags);
        let whole = fused::<f64>(&case, Form::Parallel, Level::detect());
        let mut ways = vec![pieces(&case, 1, true), pieces(&case, 1, false)];
        ways.push(pieces(&case, 1 + cut % shape.time, false));
        for (output, state) in ways {
            let found = [output, state.window, state.cell.memory, state.cell.normaliser, state.cell.stabiliser];
            for ((name, exact), found) in whole.iter().zip(&found) {
                let off = error(found, exact, max_abs(exact));
                prop_assert!(off < 1e-8, "{name} {off:e}");
            }
        }
    }
}

/// The sequence in calls of `length` steps (the last may be shorter), through [`step`] or [`forward_into`].
fn pieces(case: &Case, length: usize, by_step: bool) -> (Vec<f64>, MlstmLayerState<f64>) {
    let typed = Typed::<f64>::new(case);
    let MlstmLayerShape { batch, time, inner, .. } = case.shape;
    let mut state = typed.initial.clone().unwrap_or_else(|| MlstmLayerState::empty(&case.shape));
    let mut all = vec![0.0; case.shape.output_len()];
    for start in (0..time).step_by(length) {
        let count = length.min(time - start);
        let shape = MlstmLayerShape { time: count, ..case.shape };
        let rows = |x: &[f64], width: usize| -> Vec<f64> {
            x.chunks(time * width).flat_map(|r| r[start * width..(start + count) * width].to_vec()).collect()
        };
        let projected = rows(&typed.values[11], 2 * inner);
        let reset: Option<Vec<bool>> = case
            .reset
            .as_ref()
            .map(|mask| mask.chunks(time).flat_map(|r| r[start..start + count].to_vec()).collect());
        let options = MlstmLayerOptions { keep: false, ..case.options(Form::Chunkwise(3), Level::detect()) };
        let output = if by_step {
            let mut output = vec![0.0; batch * inner];
            let inputs = MlstmLayerStepInputs { projected: &projected, reset: reset.as_deref() };
            step(shape, &typed.weights(), &inputs, options, &mut state, &mut output).unwrap();
            output
        } else {
            let mut output = MlstmLayerForward::default();
            let inputs =
                MlstmLayerInputs { projected: &projected, reset: reset.as_deref(), initial: Some(&state) };
            forward_into(shape, &typed.weights(), &inputs, options, &mut output).unwrap();
            state = output.state.unwrap();
            output.output
        };
        for (row, output) in output.chunks(count * inner).enumerate() {
            let to = (row * time + start) * inner;
            all[to..to + count * inner].copy_from_slice(output);
        }
    }
    (all, state)
}

fn loss(case: &Case, form: Form) -> f64 {
    let typed = Typed::<f64>::new(case);
    let mut output = MlstmLayerForward::default();
    let options = case.options(form, Level::detect());
    forward_into(case.shape, &typed.weights(), &typed.inputs(case), options, &mut output).unwrap();
    output.output.iter().zip(&case.gradient).map(|(a, b)| a * b).sum()
}

#[test]
fn gradients_are_finite_differences() {
    for seed in 0..24 {
        let mut random = Random(seed);
        let mut pick = |n: u64| 1 + (random.next() % n) as usize;
        let (heads, inner, block) = [(2, 8, 4), (2, 12, 4), (1, 6, 2), (3, 15, 5)][(seed % 4) as usize];
        let shape = MlstmLayerShape { batch: pick(5), time: pick(8), heads, inner, block, taps: pick(4) };
        let form = [Form::Parallel, Form::Chunkwise(3), Form::Recurrent][(seed % 3) as usize];
        let flags = [seed % 4 == 1, seed % 2 == 0, seed % 5 < 2, seed % 3 == 0];
        let case = Case::new(shape, seed + 100, flags);
        let analytic = fused::<f64>(&case, form, Level::detect());
        for (index, (name, gradient)) in analytic[5..].iter().enumerate() {
            for _ in 0..5 {
                let at = (random.next() % gradient.len() as u64) as usize;
                let mut moved = case.clone();
                let mut difference = |by: f64| {
                    moved.values[index][at] += by;
                    loss(&moved, form)
                };
                let by = 1e-5;
                let up = difference(by);
                let down = difference(-2.0 * by);
                let numeric = (up - down) / (2.0 * by);
                let scale = max_abs(gradient).max(1.0);
                assert!(
                    (numeric - gradient[at]).abs() < 1e-5 * scale,
                    "seed {seed} {form:?} {shape:?} {name}[{at}]: {numeric} against {}",
                    gradient[at]
                );
            }
        }
    }
}

/// Also: buffers of earlier calls change nothing, and a call that keeps nothing gives the same output.
#[test]
fn any_number_of_threads_and_used_buffers_give_the_same_bits() {
    let (mut output, mut gradients) = (MlstmLayerForward::default(), MlstmLayerGradients::default());
    for (round, form) in [Form::Parallel, Form::Chunkwise(16), Form::Parallel].into_iter().enumerate() {
        let shape = MlstmLayerShape { batch: 11, time: 40, heads: 4, inner: 96, block: 4, taps: 4 };
        let case = Case::new(shape, 3, [round > 0, true, false, true]);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fused::<f32>(&case, form, Level::detect()))
        };
        let one = run(1);
        assert_eq!(one, run(2));
        assert_eq!(one, run(3));
        let typed = Typed::<f32>::new(&case);
        let (weights, inputs) = (typed.weights(), typed.inputs(&case));
        let options = case.options(form, Level::detect());
        forward_into(shape, &weights, &inputs, options, &mut output).unwrap();
        backward_into(&weights, &inputs, &output.saved, &typed.gradient, &mut gradients).unwrap();
        assert_eq!(one, named(output.output.clone(), output.state.clone().unwrap(), gradients.clone()));
        let options = MlstmLayerOptions { keep: false, ..options };
        forward_into(shape, &weights, &inputs, options, &mut output).unwrap();
        assert_eq!(one[0].1, output.output);
        assert!(backward_into(&weights, &inputs, &output.saved, &typed.gradient, &mut gradients).is_err());
    }
}

/// Many sequences in one call: each is what it would be alone.
#[test]
fn steps_of_many_sequences_are_steps_of_one() {
    let shape = MlstmLayerShape { batch: 71, time: 1, heads: 2, inner: 24, block: 4, taps: 4 };
    let case = Case::new(shape, 5, [true, true, false, true]);
    let typed = Typed::<f32>::new(&case);
    let mut all = vec![0.0; shape.output_len()];
    let mut state = typed.initial.clone().unwrap();
    let inputs = MlstmLayerStepInputs { projected: &typed.values[11], reset: case.reset.as_deref() };
    let options = case.options(Form::Recurrent, Level::detect());
    step(shape, &typed.weights(), &inputs, options, &mut state, &mut all).unwrap();
    let (one, first, reset) =
        (MlstmLayerShape { batch: 1, ..shape }, typed.initial.clone().unwrap(), case.reset.clone().unwrap());
    for row in 0..shape.batch {
        let part = |x: &[f32]| x[row * x.len() / 71..(row + 1) * x.len() / 71].to_vec();
        let cell = MlstmState {
            memory: part(&first.cell.memory),
            normaliser: first.cell.normaliser[row * 24..(row + 1) * 24].to_vec(),
            stabiliser: part(&first.cell.stabiliser),
        };
        let mut alone = MlstmLayerState { window: part(&first.window), cell };
        let (projected, mut out) = (part(&typed.values[11]), vec![0.0; 24]);
        let inputs = MlstmLayerStepInputs { projected: &projected, reset: Some(&reset[row..=row]) };
        step(one, &typed.weights(), &inputs, options, &mut alone, &mut out).unwrap();
        assert_eq!(out, part(&all));
        assert_eq!(alone.window, part(&state.window));
        assert_eq!(alone.cell.memory, part(&state.cell.memory));
        assert_eq!(alone.cell.normaliser, state.cell.normaliser[row * 24..(row + 1) * 24]);
    }
}

#[test]
fn wrong_sizes_are_errors() {
    let shape = MlstmLayerShape { batch: 1, time: 2, heads: 2, inner: 8, block: 4, taps: 3 };
    let case = Case::new(shape, 1, [false; 4]);
    let typed = Typed::<f32>::new(&case);
    let options = case.options(Form::Parallel, Level::detect());
    let (weights, inputs) = (typed.weights(), typed.inputs(&case));
    let mut output = MlstmLayerForward::default();
    for wrong in [
        MlstmLayerShape { time: 3, ..shape },
        MlstmLayerShape { taps: 0, ..shape },
        MlstmLayerShape { heads: 3, ..shape },
        MlstmLayerShape { block: 3, ..shape },
        MlstmLayerShape { block: 0, ..shape },
    ] {
        assert!(forward_into(wrong, &weights, &inputs, options, &mut output).is_err(), "{wrong:?}");
    }
    let short = MlstmLayerWeights { skip: &weights.skip[1..], ..weights };
    assert!(forward_into(shape, &short, &inputs, options, &mut output).is_err());
    forward_into(shape, &weights, &inputs, options, &mut output).unwrap();
    let mut gradients = MlstmLayerGradients::default();
    assert!(backward_into(&weights, &inputs, &output.saved, &typed.gradient[1..], &mut gradients).is_err());
    let state = MlstmLayerState::empty(&shape);
    let with_state = MlstmLayerInputs { initial: Some(&state), ..inputs };
    assert!(backward_into(&weights, &with_state, &output.saved, &typed.gradient, &mut gradients).is_err());
    let mut state = MlstmLayerState::empty(&shape);
    let step_inputs = MlstmLayerStepInputs { projected: &typed.values[11], reset: None };
    assert!(step(shape, &weights, &step_inputs, options, &mut state, &mut [0.0; 16]).is_err());
}
