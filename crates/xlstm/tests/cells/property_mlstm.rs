//! mLSTM over random shapes: fused = reference, whole = chunks = steps, finite differences, extreme gates, threads.

use crate::cases::{Random, cast, error, max_abs};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use xlstm::kernel::math::Real;
use xlstm::kernel::mlstm::{
    FinalStateGradient, Form, MlstmForward, MlstmGradients, MlstmInputs, MlstmOptions, MlstmShape,
    MlstmState, MlstmStepInputs, backward, backward_into, forward, forward_into, reference, step,
};
use xlstm::kernel::{ForgetGate, Level};

#[derive(Clone)]
struct Case {
    shape: MlstmShape,
    q: Vec<f64>,
    k: Vec<f64>,
    v: Vec<f64>,
    i: Vec<f64>,
    f: Vec<f64>,
    dh: Vec<f64>,
    reset: Option<Vec<bool>>,
    initial: Option<MlstmState<f64>>,
    final_gradient: Option<MlstmState<f64>>,
    forget: ForgetGate,
}

impl Case {
    fn new(shape: MlstmShape, seed: u64, reset: bool, initial: bool, final_gradient: bool) -> Self {
        let mut random = Random(seed);
        let (sequence, gates) = (shape.sequence_len(), shape.gate_len());
        let mut state = |mean| MlstmState {
            memory: random.normals(shape.rows() * shape.dim * shape.dim, 0.0, 0.5),
            normaliser: random.normals(shape.rows() * shape.dim, 0.0, 0.5),
            stabiliser: random.normals(shape.rows(), mean, 1.0),
        };
        let (first, last) = (state(0.5), state(0.0));
        // Every third case has the exponential forget gate, with factors on both sides of 1.
        let (forget, mean) =
            if seed.is_multiple_of(3) { (ForgetGate::Exponential, -0.5) } else { (ForgetGate::Sigmoid, 2.0) };
        Self {
            shape,
            q: random.normals(sequence, 0.0, 1.0),
            k: random.normals(sequence, 0.0, 1.0),
            v: random.normals(sequence, 0.0, 1.0),
            i: random.normals(gates, 0.0, 1.5),
            f: random.normals(gates, mean, if seed.is_multiple_of(3) { 0.7 } else { 2.0 }),
            dh: random.normals(sequence, 0.0, 1.0),
            reset: reset.then(|| (0..shape.batch * shape.time).map(|_| random.uniform() < 0.2).collect()),
            initial: initial.then_some(first),
            final_gradient: final_gradient.then_some(last),
            forget,
        }
    }

    fn options(&self, form: Form, level: Level) -> MlstmOptions {
        MlstmOptions { form, forget: self.forget, final_state: true, level }
    }
}

impl Case {
    /// The same case with every number moved by half a unit in f32's last place, up or down.
    fn rounded(&self, seed: u64) -> Self {
        let (mut case, mut random) = (self.clone(), Random(seed));
        let mut all = vec![&mut case.q, &mut case.k, &mut case.v, &mut case.i, &mut case.f, &mut case.dh];
        for state in [&mut case.initial, &mut case.final_gradient].into_iter().flatten() {
            all.extend([&mut state.memory, &mut state.normaliser, &mut state.stabiliser]);
        }
        for value in all.into_iter().flatten() {
            let sign = if random.next() % 2 == 0 { 1.0 } else { -1.0 };
            *value *= 1.0 + sign * f64::from(f32::EPSILON) / 2.0;
        }
        case
    }
}

fn cast_state<T: Real>(state: &MlstmState<f64>) -> MlstmState<T> {
    MlstmState {
        memory: cast(&state.memory),
        normaliser: cast::<T>(&state.normaliser).into_iter().map(Real::to_f64).collect(),
        stabiliser: cast(&state.stabiliser),
    }
}

/// The case in another number type, so that inputs can be borrowed from it.
struct Typed<T> {
    q: Vec<T>,
    k: Vec<T>,
    v: Vec<T>,
    i: Vec<T>,
    f: Vec<T>,
    dh: Vec<T>,
    initial: Option<MlstmState<T>>,
    final_gradient: Option<MlstmState<T>>,
}

impl<T: Real> Typed<T> {
    fn new(case: &Case) -> Self {
        Self {
            q: cast(&case.q),
            k: cast(&case.k),
            v: cast(&case.v),
            i: cast(&case.i),
            f: cast(&case.f),
            dh: cast(&case.dh),
            initial: case.initial.as_ref().map(cast_state),
            final_gradient: case.final_gradient.as_ref().map(cast_state),
        }
    }
    fn inputs<'a>(&'a self, case: &'a Case) -> MlstmInputs<'a, T> {
        MlstmInputs {
            query: &self.q,
            key: &self.k,
            value: &self.v,
            input_gate: &self.i,
            forget_gate: &self.f,
            reset: case.reset.as_deref(),
            initial: self.initial.as_ref(),
        }
    }
}

/// Outputs and gradients under one roof, by name.
type Named<T> = Vec<(&'static str, Vec<T>)>;

fn named<T: Real>(hidden: Vec<T>, state: MlstmState<T>, g: MlstmGradients<T>) -> Named<T> {
    let mut all = vec![
        ("h", hidden),
        ("C", state.memory),
        ("n", cast(&state.normaliser)),
        ("m", state.stabiliser),
        ("dq", g.query),
        ("dk", g.key),
        ("dv", g.value),
        ("di", g.input_gate),
        ("df", g.forget_gate),
    ];
    if let Some(initial) = g.initial {
        all.push(("dC0", initial.memory));
        all.push(("dn0", cast(&initial.normaliser)));
        all.push(("dm0", initial.stabiliser));
    }
    all
}

fn fused<T: Real>(case: &Case, form: Form, level: Level) -> Named<T> {
    let typed = Typed::<T>::new(case);
    let inputs = typed.inputs(case);
    let output = forward(case.shape, &inputs, case.options(form, level)).unwrap();
    let state = output.state.unwrap();
    let last = typed.final_gradient.as_ref().map(|gradient| FinalStateGradient { state: &state, gradient });
    let gradients = backward(&inputs, &output.hidden, &output.saved, &typed.dh, last).unwrap();
    named(output.hidden, state.clone(), gradients)
}

fn plain<T: Real>(case: &Case) -> Named<T> {
    let typed = Typed::<T>::new(case);
    let inputs = typed.inputs(case);
    let (hidden, state) = reference::forward(case.shape, &inputs, case.forget);
    let gradients =
        reference::backward(case.shape, &inputs, case.forget, &typed.dh, typed.final_gradient.as_ref());
    named(hidden, state, gradients)
}

/// Largest error over all tensors, each measured against its own largest number; gradients at least against the
/// largest of dv and dC0, because those of q, k, the gates and m0 are sums that may cancel to nothing but rounding
/// (exactly so for T = 1, D = 1).
fn worst<T: Real>(found: &Named<T>, exact: &Named<f64>) -> (&'static str, f64) {
    let size = |name: &str| exact.iter().find(|t| t.0 == name).map_or(0.0, |t| max_abs(&t.1));
    let gradients = size("dv").max(size("dC0"));
    let mut worst = ("", 0.0);
    for ((name, found), (_, exact)) in found.iter().zip(exact) {
        let scale = if name.starts_with('d') { gradients.max(max_abs(exact)) } else { max_abs(exact) };
        let error = error(found, exact, scale);
        if error > worst.1 {
            worst = (name, error);
        }
    }
    worst
}

fn shapes() -> impl Strategy<Value = MlstmShape> {
    (1usize..3, 1usize..3, prop_oneof![Just(1usize), 2usize..40], prop_oneof![Just(1usize), 2usize..35])
        .prop_map(|(batch, heads, time, dim)| MlstmShape { batch, heads, time, dim })
}

fn forms() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::Parallel), Just(Form::Recurrent), (1usize..20).prop_map(Form::Chunkwise)]
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn fused_is_the_reference_in_f64(shape in shapes(), form in forms(), seed in any::<u64>(), flags in any::<[bool; 3]>()) {
        let case = Case::new(shape, seed, flags[0], flags[1], flags[2]);
        let exact = plain::<f64>(&case);
        for level in Level::available() {
            let (name, error) = worst(&fused::<f64>(&case, form, level), &exact);
            prop_assert!(error < 1e-9, "{name} {error:e} {form:?} {level:?}");
        }
    }

    /// f32 results may be off by a small multiple of what rounding the inputs to f32 does to the exact results
    /// (much where |q.n| nearly cancels, 1e-7 elsewhere).
    #[test]
    fn fused_f32_is_stable(shape in shapes(), form in forms(), seed in any::<u64>(), flags in any::<[bool; 3]>()) {
        let case = Case::new(shape, seed, flags[0], flags[1], flags[2]);
        let exact = plain::<f64>(&case);
        let inherent = (0..4).map(|n| worst(&plain::<f64>(&case.rounded(n)), &exact).1).fold(0.0, f64::max);
        for level in Level::available() {
            let (name, error) = worst(&fused::<f32>(&case, form, level), &exact);
            prop_assert!(error < 1e-5 + 30.0 * inherent, "{name} {error:e}, rounded inputs {inherent:e}, {form:?} {level:?}");
        }
    }

    #[test]
    fn sequence_is_steps(shape in shapes(), form in forms(), seed in any::<u64>(), flags in any::<[bool; 2]>()) {
        let case = Case::new(shape, seed, flags[0], flags[1], false);
        let whole = fused::<f64>(&case, form, Level::detect());
        let (hidden, state) = by_steps(&case);
        prop_assert!(error(&hidden, &whole[0].1, max_abs(&whole[0].1)) < 1e-9);
        prop_assert!(error(&state.memory, &whole[1].1, max_abs(&whole[1].1)) < 1e-9);
        prop_assert!(error(&state.normaliser, &whole[2].1, max_abs(&whole[2].1)) < 1e-9);
        prop_assert!(error(&state.stabiliser, &whole[3].1, 1.0) < 1e-9);
    }

    /// Two calls with the state carried over are one call, to the bit, where the cut falls between chunks.
    #[test]
    fn calls_in_pieces_are_one_call(batch in 1usize..3, dim in 1usize..20, length in 1usize..9, pieces in 2usize..4, seed in any::<u64>()) {
        let shape = MlstmShape { batch, heads: 2, time: length * pieces, dim };
        let case = Case::new(shape, seed, false, true, false);
        let whole = fused::<f32>(&case, Form::Chunkwise(length), Level::detect());
        let (hidden, state) = in_pieces(&case, length);
        prop_assert_eq!(&hidden, &whole[0].1);
        prop_assert_eq!(&state.memory, &whole[1].1);
        prop_assert_eq!(&cast::<f32>(&state.normaliser), &whole[2].1);
        prop_assert_eq!(&state.stabiliser, &whole[3].1);
    }

    #[test]
    fn extreme_gates_stay_finite(shape in shapes(), form in forms(), seed in any::<u64>(), flags in any::<[bool; 3]>()) {
        let mut case = Case::new(shape, seed, flags[0], flags[1], flags[2]);
        let mut random = Random(seed ^ 1);
        let sizes = [0.0, 30.0, -30.0, 100.0, -100.0, 1000.0, -1000.0];
        for gate in case.i.iter_mut().chain(&mut case.f) {
            *gate = sizes[(random.next() % 7) as usize];
        }
        for level in Level::available() {
            for (name, values) in fused::<f32>(&case, form, level) {
                prop_assert!(values.iter().all(|v| v.is_finite()), "{name} {level:?}");
            }
        }
        for (name, values) in fused::<f64>(&case, form, Level::detect()) {
            prop_assert!(values.iter().all(|v| v.is_finite()), "{name} f64");
        }
        let (hidden, _) = by_steps(&case);
        prop_assert!(hidden.iter().all(|v| v.is_finite()));
    }
}

fn part<T: Copy>(x: &[T], row: usize, range: std::ops::Range<usize>) -> Vec<T> {
    x.chunks(row).flat_map(|r| r[range.clone()].to_vec()).collect()
}

fn by_steps(case: &Case) -> (Vec<f64>, MlstmState<f64>) {
    let MlstmShape { batch, heads, time, dim } = case.shape;
    let mut state = case.initial.clone().unwrap_or_else(|| MlstmState::empty(batch, heads, dim));
    let mut all = vec![0.0; case.q.len()];
    let mut hidden = vec![0.0; batch * heads * dim];
    for t in 0..time {
        let vector = |x: &[f64]| part(x, time * dim, t * dim..(t + 1) * dim);
        let reset = case.reset.as_ref().map(|mask| part(mask, time, t..t + 1));
        let inputs = MlstmStepInputs {
            batch,
            heads,
            dim,
            query: &vector(&case.q),
            key: &vector(&case.k),
            value: &vector(&case.v),
            input_gate: &part(&case.i, time, t..t + 1),
            forget_gate: &part(&case.f, time, t..t + 1),
            forget: case.forget,
            reset: reset.as_deref(),
        };
        step(Level::detect(), &inputs, &mut state, &mut hidden).unwrap();
        for (row, hidden) in hidden.chunks(dim).enumerate() {
            all[(row * time + t) * dim..(row * time + t + 1) * dim].copy_from_slice(hidden);
        }
    }
    (all, state)
}

fn in_pieces(case: &Case, length: usize) -> (Vec<f32>, MlstmState<f32>) {
    let MlstmShape { batch, heads, time, dim } = case.shape;
    let typed = Typed::<f32>::new(case);
    let mut state = typed.initial.clone().unwrap();
    let mut all = vec![0.0; case.q.len()];
    for start in (0..time).step_by(length) {
        let vector = |x: &[f32]| part(x, time * dim, start * dim..(start + length) * dim);
        let scalar = |x: &[f32]| part(x, time, start..start + length);
        let (q, k, v, i, f) =
            (vector(&typed.q), vector(&typed.k), vector(&typed.v), scalar(&typed.i), scalar(&typed.f));
        let inputs = MlstmInputs {
            query: &q,
            key: &k,
            value: &v,
            input_gate: &i,
            forget_gate: &f,
            reset: None,
            initial: Some(&state),
        };
        let shape = MlstmShape { batch, heads, time: length, dim };
        let options = case.options(Form::Parallel, Level::detect());
        let output = forward(shape, &inputs, options).unwrap();
        for (row, hidden) in output.hidden.chunks(length * dim).enumerate() {
            let to = (row * time + start) * dim;
            all[to..to + length * dim].copy_from_slice(hidden);
        }
        state = output.state.unwrap();
    }
    (all, state)
}

/// sum(h dh) + <C', dC'> + n'.dn' + m' dm', in f64.
fn loss(case: &Case, form: Form) -> f64 {
    let typed = Typed::<f64>::new(case);
    let options = case.options(form, Level::detect());
    let output = forward(case.shape, &typed.inputs(case), options).unwrap();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut total = dot(&output.hidden, &case.dh);
    if let (Some(state), Some(gradient)) = (&output.state, &case.final_gradient) {
        total += dot(&state.memory, &gradient.memory)
            + dot(&state.normaliser, &gradient.normaliser)
            + dot(&state.stabiliser, &gradient.stabiliser);
    }
    total
}

fn input_named<'a>(case: &'a mut Case, name: &str) -> Option<&'a mut Vec<f64>> {
    match name {
        "dq" => Some(&mut case.q),
        "dk" => Some(&mut case.k),
        "dv" => Some(&mut case.v),
        "di" => Some(&mut case.i),
        "df" => Some(&mut case.f),
        "dC0" => case.initial.as_mut().map(|s| &mut s.memory),
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
        let pick = |random: &mut Random, n: u64| 1 + (random.next() % n) as usize;
        let shape = MlstmShape {
            batch: pick(&mut random, 2),
            heads: pick(&mut random, 2),
            time: pick(&mut random, 9),
            dim: pick(&mut random, 5),
        };
        let form = [Form::Parallel, Form::Chunkwise(3), Form::Recurrent][(seed % 3) as usize];
        let case = Case::new(shape, seed + 100, seed % 4 == 1, seed % 2 == 0, seed % 3 != 1);
        let analytic = fused::<f64>(&case, form, Level::detect());
        for (name, gradient) in &analytic[4..] {
            for _ in 0..6 {
                let at = (random.next() % gradient.len() as u64) as usize;
                let mut moved = case.clone();
                let difference = |moved: &mut Case, by: f64| {
                    input_named(moved, name).unwrap()[at] += by;
                    loss(moved, form)
                };
                let step = 1e-5;
                let up = difference(&mut moved, step);
                let down = difference(&mut moved, -2.0 * step);
                let numeric = (up - down) / (2.0 * step);
                let scale = max_abs(gradient).max(1.0);
                assert!(
                    (numeric - gradient[at]).abs() < 2e-6 * scale,
                    "seed {seed} {form:?} {shape:?} {name}[{at}]: {numeric} against {}",
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
    for (dim, form, reset) in [(24, Form::Parallel, false), (17, Form::Chunkwise(16), true)] {
        let shape = MlstmShape { batch: 7, heads: 3, time: 61, dim };
        let case = Case::new(shape, 9, reset, true, true);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| fused::<f32>(&case, form, Level::detect()))
        };
        let one = run(1);
        for threads in [2, 3] {
            for ((name, a), (_, b)) in one.iter().zip(&run(threads)) {
                assert!(
                    a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()),
                    "{name}, {threads} threads"
                );
            }
        }
    }
}

/// The empty state handed in as an initial state is no initial state, and has finite gradients of its own.
#[test]
fn the_empty_state_is_no_state() {
    let shape = MlstmShape { batch: 2, heads: 1, time: 9, dim: 5 };
    let without = Case::new(shape, 3, false, false, true);
    let with = Case { initial: Some(MlstmState::empty(2, 1, 5)), ..without.clone() };
    for form in [Form::Parallel, Form::Chunkwise(4)] {
        let (a, b) =
            (fused::<f32>(&without, form, Level::detect()), fused::<f32>(&with, form, Level::detect()));
        for ((name, a), (_, b)) in a.iter().zip(&b) {
            let exact: Vec<f64> = a.iter().map(|v| v.to_f64()).collect();
            assert!(error(b, &exact, max_abs(&exact)) < 1e-6, "{name}");
        }
        assert!(b.iter().flat_map(|t| &t.1).all(|v| v.is_finite()));
    }
}

/// Buffers of earlier calls, of the same and of another shape, change nothing.
#[test]
fn used_buffers_give_the_same_bits() {
    let (mut output, mut gradients) = (MlstmForward::default(), MlstmGradients::default());
    for (round, (time, dim)) in [(20, 9), (20, 9), (7, 24), (33, 3), (20, 9)].into_iter().enumerate() {
        let shape = MlstmShape { batch: 2, heads: 2, time, dim };
        let case = Case::new(shape, 50 + round as u64, round % 2 == 1, true, true);
        for form in [Form::Parallel, Form::Chunkwise(6)] {
            let fresh = fused::<f32>(&case, form, Level::detect());
            let typed = Typed::<f32>::new(&case);
            let inputs = typed.inputs(&case);
            let options = case.options(form, Level::detect());
            forward_into(shape, &inputs, options, &mut output).unwrap();
            let state = output.state.as_ref().unwrap();
            let last = typed.final_gradient.as_ref().map(|gradient| FinalStateGradient { state, gradient });
            backward_into(&inputs, &output.hidden, &output.saved, &typed.dh, last, &mut gradients).unwrap();
            assert_eq!(
                named(output.hidden.clone(), state.clone(), gradients.clone()),
                fresh,
                "round {round} {form:?}"
            );
        }
    }
}

#[test]
fn wrong_sizes_are_errors() {
    let shape = MlstmShape { batch: 1, heads: 1, time: 2, dim: 3 };
    let case = Case::new(shape, 1, false, false, false);
    let typed = Typed::<f32>::new(&case);
    let options = case.options(Form::Parallel, Level::detect());
    let inputs = typed.inputs(&case);
    assert!(forward(MlstmShape { time: 3, ..shape }, &inputs, options).is_err());
    assert!(forward(MlstmShape { dim: 0, ..shape }, &inputs, options).is_err());
    assert!(forward(shape, &inputs, MlstmOptions { form: Form::Chunkwise(0), ..options }).is_err());
    let output = forward(shape, &inputs, options).unwrap();
    assert!(backward(&inputs, &output.hidden, &output.saved, &typed.dh[1..], None).is_err());
    let state = MlstmState::empty(1, 1, 3);
    let with_state = MlstmInputs { initial: Some(&state), ..inputs };
    assert!(backward(&with_state, &output.hidden, &output.saved, &typed.dh, None).is_err());
}

/// n carries more digits than f32 holds, in steps and between calls: no one rounds it on the way. (D = 7, so that the
/// factor 1/sqrt(D) fills all digits.)
#[test]
fn the_normaliser_is_never_rounded_to_f32() {
    let shape = MlstmShape { batch: 1, heads: 1, time: 1, dim: 7 };
    let rounded = |state: &MlstmState<f32>| state.normaliser.iter().any(|n| f64::from(*n as f32) == *n);
    let mut stepped = MlstmState::empty(1, 1, 7);
    let mut chunked = MlstmState::empty(1, 1, 7);
    for seed in 0..5 {
        let case = Case::new(shape, 3 * seed + 1, false, false, false);
        let typed = Typed::<f32>::new(&case);
        let inputs = MlstmStepInputs {
            batch: 1,
            heads: 1,
            dim: 7,
            query: &typed.q,
            key: &typed.k,
            value: &typed.v,
            input_gate: &typed.i,
            forget_gate: &typed.f,
            forget: case.forget,
            reset: None,
        };
        step(Level::detect(), &inputs, &mut stepped, &mut [0.0; 7]).unwrap();
        let inputs = MlstmInputs { initial: Some(&chunked), ..typed.inputs(&case) };
        chunked =
            forward(shape, &inputs, case.options(Form::Parallel, Level::detect())).unwrap().state.unwrap();
        assert!(!rounded(&stepped) && !rounded(&chunked), "step {seed}");
    }
}
