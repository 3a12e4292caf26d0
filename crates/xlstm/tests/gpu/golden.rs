//! Every golden file of the cells, values, gradients and states.

use crate::cell_cases::{By, Mlstm, Outcome, Slstm, relative_error, run_mlstm, run_slstm};
use crate::cell_files::{Golden, golden_files, max_abs};
use crate::device::device;
use burn::tensor::DType;
use xlstm::kernel::ForgetGate;

/// Holds what was found against the file's tensors of these names; returns the worst error over its bound.
#[expect(clippy::print_stdout, reason = "the errors, for whoever asks with --nocapture")]
fn compare(golden: &Golden, found: &Outcome, names: &[(&str, String)], bound: f64) -> f64 {
    let mut worst = 0.0_f64;
    for (name, stored) in names.iter().filter(|(_, stored)| golden.has(stored)) {
        let exact = golden.f64(stored);
        // df may be all but zero: measured by di, as the files' README says.
        let scale = if *name == "df" { max_abs(&golden.f64(&stored.replace("df", "di"))) } else { 1e-30 };
        let values = &found.iter().find(|(own, _)| own == name).unwrap().1;
        let error = relative_error(values, &exact, scale);
        let bound = if matches!(*name, "di" | "df") { bound.max(2e-4) } else { bound };
        println!("{:<36} {stored:7} {error:.1e} of {bound:.0e}", golden.name);
        worst = worst.max(error / bound);
    }
    worst
}

fn or(golden: &Golden, tensor: &str, length: usize) -> Vec<f64> {
    if golden.has(tensor) { golden.f64(tensor) } else { vec![0.0; length] }
}

#[test]
fn every_mlstm_file() {
    let Some(device) = device("every_mlstm_file") else { return };
    for golden in golden_files("mlstm_") {
        let sizes: [usize; 4] = golden.shape("q").try_into().unwrap();
        let [b, h, _, d] = sizes;
        let case = Mlstm {
            sizes,
            query: golden.f64("q"),
            key: golden.f64("k"),
            value: golden.f64("v"),
            input_gate: golden.f64("i"),
            forget_gate: golden.f64("f"),
            reset: None,
            // The files' step form starts from zeros, m too.
            memory: or(&golden, "C0", b * h * d * d),
            normaliser: or(&golden, "n0", b * h * d),
            stabiliser: or(&golden, "m0", b * h),
            gradient: golden.f64("dh"),
            gate: ForgetGate::Sigmoid,
        };
        let form = if golden.has("C0") { "rec" } else { "par" };
        let mut names = ["dq", "dk", "dv"].map(|name| (name, format!("{form}_{name}"))).to_vec();
        names.extend(["h", "C", "n", "m", "di", "df"].map(|name| (name, format!("rec_{name}"))));
        // Where q.n cancels to a thousandth, the error of exp counts a thousandfold: 3e-4 as the README allows, and a
        // little more for graphics devices, whose exp is right to 3 units in the last place.
        let cancels = ["i_pm30", "pm100", "reset_m1000"].iter().any(|part| golden.name.contains(part));
        let room = if cfg!(feature = "wgpu") { 4e-4 } else { 3e-4 };
        let found = run_mlstm(By::Kernel, &case, DType::F32, &device);
        let worst = compare(&golden, &found, &names, if cancels { room } else { 5e-5 });
        assert!(worst <= 1.0, "{}: {worst} of the bound", golden.name);
    }
}

#[test]
fn every_slstm_file() {
    let Some(device) = device("every_slstm_file") else { return };
    for golden in golden_files("slstm_") {
        let [b, t, _, h, d]: [usize; 5] = golden.shape("x").try_into().unwrap();
        let units = b * h * d;
        let case = Slstm {
            sizes: [b, t, h, d],
            input: golden.f64("x"),
            recurrent: golden.f64("R"),
            bias: golden.f64("b"),
            mask: None,
            reset: None,
            output: or(&golden, "y0", units),
            cell: or(&golden, "c0", units),
            normaliser: or(&golden, "n0", units),
            stabiliser: or(&golden, "m0", units),
            gradient: golden.f64("dy"),
            gate: ForgetGate::Sigmoid,
        };
        let names = ["y", "y_last", "c_last", "n_last", "m_last", "dx", "dR", "db"]
            .map(|name| (name, name.to_owned()));
        let found = run_slstm(By::Kernel, &case, DType::F32, &device);
        let worst = compare(&golden, &found, &names, 5e-5);
        assert!(worst <= 1.0, "{}: {worst} of the bound", golden.name);
    }
}
