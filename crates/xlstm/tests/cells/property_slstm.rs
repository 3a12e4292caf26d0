//! sLSTM over random shapes: fused = reference, whole = pieces = steps, finite differences, extreme gates, threads.

use crate::cases::{Random, cast, error, max_abs};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use xlstm::kernel::math::Real;
use xlstm::kernel::slstm::reference::{self, ReferenceInputs};
use xlstm::kernel::slstm::{
    SlstmForward, SlstmGradients, SlstmInputs, SlstmRecurrence, SlstmShape, SlstmState, SlstmStepInputs,
    backward, backward_into, forward, forward_into, step,
};
use xlstm::kernel::{ForgetGate, Level};

#[derive(Clone)]
struct Case {
    shape: SlstmShape,
    x: Vec<f64>,
    r: Vec<f64>,
    b: Vec<f64>,
    dy: Vec<f64>,
    reset: Option<Vec<bool>>,
    initial: Option<SlstmState<f64>>,
    final_gradient: Option<SlstmState<f64>>,
    forget_gate: ForgetGate,
    mask: Option<Vec<f64>>,
}

impl Case {
    fn new(shape: SlstmShape, seed: u64, reset: bool, initial: bool, final_gradient: bool) -> Self {
        let mut random = Random(seed);
        let length = shape.state_len();
        let mut state = || SlstmState {
            output: random.normals(length, 0.0, 0.5),
            cell: random.normals(length, 0.0, 1.0),
            normaliser: random.normals(length, 0.0, 1.0),
            stabiliser: random.normals(length, 0.0, 1.0),
        };
        let (mut first, last) = (state(), state());
        for n in &mut first.normaliser {
            *n = 0.5 + n.abs();
        }
        Self {
            shape,
            x: random.normals(shape.input_len(), 0.3, 1.5),
            r: random.normals(4 * shape.heads * shape.dim * shape.dim, 0.0, 0.4),
            b: random.normals(4 * shape.heads * shape.dim, 0.5, 1.0),
            dy: random.normals(shape.output_len(), 0.0, 1.0),
            reset: reset.then(|| (0..shape.batch * shape.time).map(|_| random.uniform() < 0.2).collect()),
            initial: initial.then_some(first),
            final_gradient: final_gradient.then_some(last),
            forget_gate: if random.uniform() < 0.7 { ForgetGate::Sigmoid } else { ForgetGate::Exponential },
            mask: (random.uniform() < 0.4)
                .then(|| (0..length).map(|_| if random.uniform() < 0.3 { 0.0 } else { 1.25 }).collect()),
        }
    }
}

fn cast_state<T: Real>(state: &SlstmState<f64>) -> SlstmState<T> {
    SlstmState {
        output: cast(&state.output),
        cell: cast(&state.cell),
        normaliser: cast(&state.normaliser),
        stabiliser: cast(&state.stabiliser),
    }
}

type Named<T> = Vec<(&'static str, Vec<T>)>;

fn push_state<T>(all: &mut Named<T>, names: [&'static str; 4], state: SlstmState<T>) {
    all.extend(names.into_iter().zip([state.output, state.cell, state.normaliser, state.stabiliser]));
}

const LAST: [&str; 4] = ["y_last", "c_last", "n_last", "m_last"];
const FIRST: [&str; 4] = ["dy0", "dc0", "dn0", "dm0"];

fn fused<T: Real>(case: &Case, level: Level) -> Named<T> {
    let SlstmShape { heads, dim, .. } = case.shape;
    let recurrence = SlstmRecurrence::pack(heads, dim, &cast::<T>(&case.r), &cast::<T>(&case.b)).unwrap();
    let (input, initial) = (cast::<T>(&case.x), case.initial.as_ref().map(cast_state));
    let mask = case.mask.as_deref().map(cast::<T>);
    let inputs = SlstmInputs {
        input: &input,
        recurrence: &recurrence,
        reset: case.reset.as_deref(),
        initial: initial.as_ref(),
        forget_gate: case.forget_gate,
        recurrent_mask: mask.as_deref(),
    };
    let result = forward(level, case.shape, &inputs).unwrap();
    let gradient: Option<SlstmState<T>> = case.final_gradient.as_ref().map(cast_state);
    let last = gradient.as_ref().map(|gradient| (&result.state, gradient));
    let found = backward(&inputs, &result.saved, &cast::<T>(&case.dy), last).unwrap();
    let mut all = vec![("y", result.output.clone())];
    push_state(&mut all, LAST, result.state.clone());
    all.extend([("dx", found.input), ("dR", found.recurrent_weights), ("db", found.bias)]);
    if let Some(initial) = found.initial {
        push_state(&mut all, FIRST, initial);
    }
    all
}

fn plain(case: &Case) -> Named<f64> {
    let inputs = ReferenceInputs {
        input: &case.x,
        weights: &case.r,
        bias: &case.b,
        reset: case.reset.as_deref(),
        initial: case.initial.as_ref(),
        forget_gate: case.forget_gate,
        recurrent_mask: case.mask.as_deref(),
    };
    let (output, state) = reference::forward(case.shape, &inputs);
    let found = reference::backward(case.shape, &inputs, &case.dy, case.final_gradient.as_ref());
    let mut all = vec![("y", output)];
    push_state(&mut all, LAST, state);
    all.extend([("dx", found.input), ("dR", found.weights), ("db", found.bias)]);
    if case.initial.is_some() {
        push_state(&mut all, FIRST, found.initial);
    }
    all
}

fn worst<T: Real>(found: &Named<T>, exact: &Named<f64>) -> (&'static str, f64) {
    let mut worst = ("", 0.0);
    assert_eq!(found.len(), exact.len());
    for ((name, found), (_, exact)) in found.iter().zip(exact) {
        let error = error(found, exact, max_abs(exact).max(1e-2));
        if error > worst.1 {
            worst = (name, error);
        }
    }
    worst
}

fn shapes() -> impl Strategy<Value = SlstmShape> {
    (
        prop_oneof![1usize..6, Just(17usize), Just(66)],
        1usize..3,
        1usize..12,
        prop_oneof![Just(1usize), 2usize..20],
    )
        .prop_map(|(batch, heads, time, dim)| SlstmShape { batch, time, heads, dim })
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn fused_is_the_reference(shape in shapes(), seed in any::<u64>(), flags in any::<[bool; 3]>()) {
        let case = Case::new(shape, seed, flags[0], flags[1], flags[2]);
        let exact = plain(&case);
        for level in Level::available() {
            let (name, error) = worst(&fused::<f64>(&case, level), &exact);
            prop_assert!(error < 1e-9, "f64 {name} {error:e} {level:?}");
            let (name, error) = worst(&fused::<f32>(&case, level), &exact);
            prop_assert!(error < 5e-5, "f32 {name} {error:e} {level:?}");
        }
    }

    /// Steps, and the sequence in two calls, are the whole sequence, to the bit.
    #[test]
    fn sequence_is_pieces_and_steps(shape in shapes(), seed in any::<u64>(), flags in any::<[bool; 2]>(), cut in 1usize..12) {
        let case = Case::new(shape, seed, flags[0], flags[1], false);
        let whole = fused::<f32>(&case, Level::detect());
        for length in [1, cut.min(shape.time)] {
            let (output, state) = in_pieces(&case, length);
            prop_assert_eq!(&output, &whole[0].1);
            prop_assert_eq!(&state.output, &whole[1].1);
            prop_assert_eq!(&state.cell, &whole[2].1);
            prop_assert_eq!(&state.normaliser, &whole[3].1);
            prop_assert_eq!(&state.stabiliser, &whole[4].1);
        }
    }

    #[test]
    fn extreme_gates_stay_finite(shape in shapes(), seed in any::<u64>(), flags in any::<[bool; 3]>()) {
        let mut case = Case::new(shape, seed, flags[0], flags[1], flags[2]);
        let mut random = Random(seed ^ 1);
        let sizes = [0.0, 30.0, -30.0, 100.0, -100.0, 1000.0, -1000.0];
        for gate in &mut case.x {
            *gate = sizes[(random.next() % 7) as usize];
        }
        for level in Level::available() {
            for (name, values) in fused::<f32>(&case, level) {
                prop_assert!(values.iter().all(|v| v.is_finite()), "{name} {level:?}");
            }
        }
        for (name, values) in fused::<f64>(&case, Level::detect()) {
            prop_assert!(values.iter().all(|v| v.is_finite()), "{name} f64");
        }
    }
}

/// The sequence in calls of `length` steps (by [`step`] where that is 1), the state carried.
fn in_pieces(case: &Case, length: usize) -> (Vec<f32>, SlstmState<f32>) {
    let SlstmShape { batch, time, heads, dim } = case.shape;
    let (width, x) = (heads * dim, cast::<f32>(&case.x));
    let mask = case.mask.as_deref().map(cast::<f32>);
    let (forget_gate, recurrent_mask) = (case.forget_gate, mask.as_deref());
    let recurrence = SlstmRecurrence::pack(heads, dim, &cast::<f32>(&case.r), &cast::<f32>(&case.b)).unwrap();
    let mut state = case.initial.as_ref().map_or_else(|| SlstmState::empty(batch, heads, dim), cast_state);
    let mut all = vec![0.0; batch * time * width];
    for start in (0..time).step_by(length) {
        let count = length.min(time - start);
        let input: Vec<f32> = x
            .chunks(time * 4 * width)
            .flat_map(|row| row[start * 4 * width..(start + count) * 4 * width].to_vec())
            .collect();
        let reset: Option<Vec<bool>> = case
            .reset
            .as_ref()
            .map(|mask| mask.chunks(time).flat_map(|row| row[start..start + count].to_vec()).collect());
        let output = if length == 1 {
            let mut output = vec![0.0; batch * width];
            let inputs = SlstmStepInputs {
                batch,
                heads,
                dim,
                input: &input,
                recurrence: &recurrence,
                reset: reset.as_deref(),
                forget_gate,
                recurrent_mask,
            };
            step(Level::detect(), &inputs, &mut state, &mut output).unwrap();
            output
        } else {
            let inputs = SlstmInputs {
                input: &input,
                recurrence: &recurrence,
                reset: reset.as_deref(),
                initial: Some(&state),
                forget_gate,
                recurrent_mask,
            };
            let shape = SlstmShape { batch, time: count, heads, dim };
            let result = forward(Level::detect(), shape, &inputs).unwrap();
            state = result.state;
            result.output
        };
        for (b, part) in output.chunks(count * width).enumerate() {
            let to = (b * time + start) * width;
            all[to..to + count * width].copy_from_slice(part);
        }
    }
    (all, state)
}

/// sum(y dy) + the final state times its gradient, in f64.
fn loss(case: &Case) -> f64 {
    let SlstmShape { heads, dim, .. } = case.shape;
    let recurrence = SlstmRecurrence::pack(heads, dim, &case.r, &case.b).unwrap();
    let inputs = SlstmInputs {
        input: &case.x,
        recurrence: &recurrence,
        reset: case.reset.as_deref(),
        initial: case.initial.as_ref(),
        forget_gate: case.forget_gate,
        recurrent_mask: case.mask.as_deref(),
    };
    let result = forward(Level::detect(), case.shape, &inputs).unwrap();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut total = dot(&result.output, &case.dy);
    if let Some(gradient) = &case.final_gradient {
        total += dot(&result.state.output, &gradient.output)
            + dot(&result.state.cell, &gradient.cell)
            + dot(&result.state.normaliser, &gradient.normaliser)
            + dot(&result.state.stabiliser, &gradient.stabiliser);
    }
    total
}

fn input_named<'a>(case: &'a mut Case, name: &str) -> Option<&'a mut Vec<f64>> {
    match name {
        "dx" => Some(&mut case.x),
        "dR" => Some(&mut case.r),
        "db" => Some(&mut case.b),
        "dy0" => case.initial.as_mut().map(|s| &mut s.output),
        "dc0" => case.initial.as_mut().map(|s| &mut s.cell),
        "dn0" => case.initial.as_mut().map(|s| &mut s.normaliser),
        "dm0" => case.initial.as_mut().map(|s| &mut s.stabiliser),
        _ => None,
    }
}

#[test]
fn gradients_are_finite_differences() {
    let mut checked = 0;
    for seed in 0..24 {
        let mut random = Random(seed);
        let mut pick = |n: u64| 1 + (random.next() % n) as usize;
        let shape = SlstmShape { batch: pick(3), time: pick(8), heads: pick(2), dim: pick(5) };
        let case = Case::new(shape, seed + 100, seed % 4 == 1, seed % 2 == 0, seed % 3 != 1);
        let analytic = fused::<f64>(&case, Level::detect());
        for (name, gradient) in &analytic[5..] {
            for _ in 0..8 {
                let at = (random.next() % gradient.len() as u64) as usize;
                let mut moved = case.clone();
                let step = 1e-5;
                input_named(&mut moved, name).unwrap()[at] += step;
                let up = loss(&moved);
                input_named(&mut moved, name).unwrap()[at] -= 2.0 * step;
                let down = loss(&moved);
                let numeric = (up - down) / (2.0 * step);
                let scale = max_abs(gradient).max(1.0);
                assert!(
                    (numeric - gradient[at]).abs() < 1e-6 * scale,
                    "seed {seed} {shape:?} {name}[{at}]: {numeric} against {}",
                    gradient[at]
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 700, "{checked}");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let shape = SlstmShape { batch: 37, time: 31, heads: 3, dim: 13 };
    let case = Case::new(shape, 9, true, true, true);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fused::<f32>(&case, Level::detect()))
    };
    let one = run(1);
    for threads in [2, 3] {
        for ((name, a), (_, b)) in one.iter().zip(&run(threads)) {
            assert!(a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()), "{name}, {threads} threads");
        }
    }
}

/// Buffers of earlier calls, of the same and of another shape, change nothing.
#[test]
fn used_buffers_give_the_same_bits() {
    let (mut output, mut gradients) = (SlstmForward::default(), SlstmGradients::default());
    for (round, (batch, dim)) in [(17, 9), (17, 9), (3, 24), (66, 3), (17, 9)].into_iter().enumerate() {
        let shape = SlstmShape { batch, time: 6, heads: 2, dim };
        let case = Case::new(shape, 50 + round as u64, round % 2 == 1, true, false);
        let fresh = fused::<f32>(&case, Level::detect());
        let recurrence = SlstmRecurrence::pack(2, dim, &cast::<f32>(&case.r), &cast::<f32>(&case.b)).unwrap();
        let (input, initial) = (cast::<f32>(&case.x), case.initial.as_ref().map(cast_state));
        let reset = case.reset.as_deref();
        let mask = case.mask.as_deref().map(cast::<f32>);
        let inputs = SlstmInputs {
            input: &input,
            recurrence: &recurrence,
            reset,
            initial: initial.as_ref(),
            forget_gate: case.forget_gate,
            recurrent_mask: mask.as_deref(),
        };
        forward_into(Level::detect(), shape, &inputs, &mut output).unwrap();
        backward_into(&inputs, &output.saved, &cast::<f32>(&case.dy), None, &mut gradients).unwrap();
        let mut found = vec![("y", output.output.clone())];
        push_state(&mut found, LAST, output.state.clone());
        let g = gradients.clone();
        found.extend([("dx", g.input), ("dR", g.recurrent_weights), ("db", g.bias)]);
        push_state(&mut found, FIRST, g.initial.unwrap());
        assert_eq!(found, fresh, "round {round}");
    }
}

#[test]
fn wrong_sizes_are_errors() {
    let shape = SlstmShape { batch: 1, time: 2, heads: 1, dim: 3 };
    let case = Case::new(shape, 1, false, false, false);
    let recurrence = SlstmRecurrence::pack(1, 3, &case.r, &case.b).unwrap();
    assert!(SlstmRecurrence::pack(1, 4, &case.r, &case.b).is_err());
    let inputs = SlstmInputs {
        input: &case.x,
        recurrence: &recurrence,
        reset: None,
        initial: None,
        forget_gate: case.forget_gate,
        recurrent_mask: None,
    };
    let short = SlstmInputs { recurrent_mask: Some(&case.dy[..2]), ..inputs };
    assert!(forward(Level::detect(), shape, &short).is_err());
    assert!(forward(Level::detect(), SlstmShape { time: 3, ..shape }, &inputs).is_err());
    assert!(forward(Level::detect(), SlstmShape { batch: 0, ..shape }, &inputs).is_err());
    let result = forward(Level::detect(), shape, &inputs).unwrap();
    assert!(backward(&inputs, &result.saved, &case.dy[1..], None).is_err());
}
