//! Every `slstm_*` golden file: whole sequences and steps, f64 and f32, all instruction levels.

use crate::cases::{Golden, error, golden_files, max_abs};
use xlstm::kernel::math::Real;
use xlstm::kernel::slstm::{
    SlstmInputs, SlstmRecurrence, SlstmShape, SlstmState, SlstmStepInputs, backward, forward, step,
};
use xlstm::kernel::{ForgetGate, Level};

/// f64 1e-9; f32 5e-5, the stricter of the README's figures, for every file.
fn tolerance<T: Real>() -> f64 {
    if std::mem::size_of::<T>() == 8 { 1e-9 } else { 5e-5 }
}

fn one_file<T: Real>(golden: &Golden, level: Level) -> Vec<(String, f64)> {
    let s = golden.shape("x");
    let shape = SlstmShape { batch: s[0], time: s[1], heads: s[3], dim: s[4] };
    let (x, r, b, dy) =
        (golden.real::<T>("x"), golden.real::<T>("R"), golden.real::<T>("b"), golden.real::<T>("dy"));
    let initial = golden.has("y0").then(|| SlstmState {
        output: golden.real("y0"),
        cell: golden.real("c0"),
        normaliser: golden.real("n0"),
        stabiliser: golden.real("m0"),
    });
    let recurrence = SlstmRecurrence::pack(shape.heads, shape.dim, &r, &b).unwrap();
    let inputs = SlstmInputs {
        input: &x,
        recurrence: &recurrence,
        reset: None,
        initial: initial.as_ref(),
        forget_gate: ForgetGate::Sigmoid,
        recurrent_mask: None,
    };
    let result = forward(level, shape, &inputs).unwrap();
    let found = backward(&inputs, &result.saved, &dy, None).unwrap();
    let mut errors = Vec::new();
    let mut check = |tensor: &str, found: &[T], scale: Option<f64>| {
        let exact = golden.f64(tensor);
        let scale = scale.unwrap_or_else(|| max_abs(&exact));
        errors.push((format!("{} {tensor}", level.name()), error(found, &exact, scale)));
    };
    check("y", &result.output, None);
    check("y_last", &result.state.output, None);
    check("c_last", &result.state.cell, None);
    check("n_last", &result.state.normaliser, None);
    check("m_last", &result.state.stabiliser, None);
    check("dx", &found.input, None);
    check("dR", &found.recurrent_weights, None);
    check("db", &found.bias, None);
    if let Some(initial) = &found.initial {
        check("dy0", &initial.output, None);
        check("dc0", &initial.cell, None);
        check("dn0", &initial.normaliser, None);
        // Zero up to rounding: measured against the gradient that it cancels from.
        check("dm0", &initial.stabiliser, Some(max_abs(&golden.f64("dn0"))));
    }
    let mut state = initial.unwrap_or_else(|| SlstmState::empty(shape.batch, shape.heads, shape.dim));
    let width = shape.heads * shape.dim;
    let mut output = vec![T::ZERO; shape.batch * width];
    let mut all = vec![T::ZERO; shape.output_len()];
    for t in 0..shape.time {
        let input: Vec<T> = x
            .chunks(shape.time * 4 * width)
            .flat_map(|row| row[t * 4 * width..(t + 1) * 4 * width].to_vec())
            .collect();
        let inputs = SlstmStepInputs {
            batch: shape.batch,
            heads: shape.heads,
            dim: shape.dim,
            input: &input,
            recurrence: &recurrence,
            reset: None,
            forget_gate: ForgetGate::Sigmoid,
            recurrent_mask: None,
        };
        step(level, &inputs, &mut state, &mut output).unwrap();
        for b in 0..shape.batch {
            let to = (b * shape.time + t) * width;
            all[to..to + width].copy_from_slice(&output[b * width..(b + 1) * width]);
        }
    }
    assert_eq!(all, result.output, "steps and sequence are the same computation");
    assert_eq!(state, result.state);
    errors
}

#[expect(clippy::print_stdout, reason = "the largest errors, for whoever asks with --nocapture")]
fn all_files<T: Real>() {
    for golden in golden_files("slstm_") {
        let bound = tolerance::<T>();
        let errors: Vec<_> =
            Level::available().into_iter().flat_map(|level| one_file::<T>(&golden, level)).collect();
        let worst = errors.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        println!(
            "{:<32} f{} worst {:.2e} at {} (bound {bound:.0e})",
            golden.name,
            8 * std::mem::size_of::<T>(),
            worst.1,
            worst.0
        );
        let red: Vec<_> = errors.iter().filter(|(_, error)| *error > bound).collect();
        assert!(red.is_empty(), "{}: {red:?}", golden.name);
    }
}

#[test]
fn every_slstm_file_in_f64() {
    all_files::<f64>();
}

#[test]
fn every_slstm_file_in_f32() {
    all_files::<f32>();
}
