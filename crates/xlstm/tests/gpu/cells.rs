//! The cells' kernels against the plain reference in f64: many shapes, resets, starting states, extreme gates.

use crate::cell_cases::{By, Kind, Start, compare, mlstm_case, run_mlstm, run_slstm, slstm_case};
use crate::device::device;
use burn::tensor::{DType, Device};
use xlstm::fused::GPU_DIM_LIMIT;
use xlstm::kernel::ForgetGate::{Exponential, Sigmoid};

const fn kind(seed: u64, sizes: [usize; 4], gates: f64, resets: f64, start: Start) -> Kind {
    Kind { seed, sizes, gates, resets, start, gate: Sigmoid }
}

#[test]
fn the_mlstm_kernels_equal_the_plain_cell() {
    let Some(device) = device("the_mlstm_kernels_equal_the_plain_cell") else { return };
    for kind in [
        kind(1, [1, 1, 1, 1], 1.0, 0.0, Start::Empty),
        kind(2, [1, 1, 1, 1], 1.0, 0.0, Start::Given),
        kind(3, [2, 3, 7, 5], 1.0, 0.0, Start::Mixed),
        kind(4, [2, 2, 33, 8], 1.0, 0.1, Start::Mixed),
        kind(5, [1, 2, 70, 24], 1.0, 0.0, Start::Given),
        kind(6, [2, 1, 97, 33], 3.0, 0.05, Start::Mixed),
        kind(7, [1, 1, 64, 48], 1.0, 0.02, Start::Empty),
        kind(8, [1, 1, 40, 96], 1.0, 0.05, Start::Given),
        kind(9, [1, 1, 20, GPU_DIM_LIMIT], 1.0, 0.1, Start::Given),
        Kind { gate: Exponential, ..kind(10, [2, 2, 45, 6], 1.0, 0.1, Start::Mixed) },
        Kind { gate: Exponential, ..kind(11, [1, 2, 65, 1], 1.0, 0.1, Start::Mixed) },
        kind(12, [3, 1, 2, 31], 1.0, 0.5, Start::Mixed),
        kind(13, [1, 1, 300, 7], 1.0, 0.0, Start::Empty),
    ] {
        let case = mlstm_case(&kind);
        let exact = run_mlstm(By::Reference, &case, DType::F64, &Device::flex());
        let found = run_mlstm(By::Kernel, &case, DType::F32, &device);
        let error = compare(&format!("{kind:?}"), &found, &exact, &[]);
        assert!(error <= 1e-4, "{kind:?}: {error:e}");
    }
}

/// Gates of ±30 to ±300: denominators cancel, so the bound is that of the golden files with such gates.
#[test]
fn the_mlstm_kernels_bear_wild_gates() {
    let Some(device) = device("the_mlstm_kernels_bear_wild_gates") else { return };
    for (seed, gates) in [(21, 30.0), (22, 100.0), (23, 30.0), (24, 100.0), (25, 300.0)] {
        let mut case = mlstm_case(&kind(seed, [2, 2, 50, 9], gates, 0.03, Start::Mixed));
        for (index, gate) in case.input_gate.iter_mut().chain(&mut case.forget_gate).enumerate() {
            *gate = if (index * 7 + seed as usize).is_multiple_of(3) { gates } else { -gates };
        }
        let exact = run_mlstm(By::Reference, &case, DType::F64, &Device::flex());
        let found = run_mlstm(By::Kernel, &case, DType::F32, &device);
        let error = compare(&format!("gates ±{gates}"), &found, &exact, &[]);
        assert!(error <= 3e-4, "±{gates}, seed {seed}: {error:e}");
    }
}

/// Denominators so small that eps weighs: the path through the stabiliser must be there.
#[test]
fn the_mlstm_kernels_follow_the_stabiliser() {
    let Some(device) = device("the_mlstm_kernels_follow_the_stabiliser") else { return };
    let mut case = mlstm_case(&kind(41, [2, 2, 40, 6], 1.0, 0.05, Start::Mixed));
    case.query.iter_mut().for_each(|value| *value = f64::from((*value * 1e-4) as f32));
    case.input_gate.iter_mut().for_each(|value| *value = f64::from((*value + 14.0) as f32));
    let exact = run_mlstm(By::Reference, &case, DType::F64, &Device::flex());
    let found = run_mlstm(By::Kernel, &case, DType::F32, &device);
    let error = compare("small denominators", &found, &exact, &[]);
    assert!(error <= 1e-3, "{error:e}");
}

#[test]
fn the_slstm_kernels_equal_the_plain_cell() {
    let Some(device) = device("the_slstm_kernels_equal_the_plain_cell") else { return };
    for kind in [
        kind(1, [1, 1, 1, 1], 1.0, 0.0, Start::Empty),
        kind(2, [1, 1, 1, 1], 1.0, 0.0, Start::Given),
        kind(3, [3, 7, 2, 5], 1.0, 0.0, Start::Mixed),
        kind(4, [9, 16, 2, 8], 1.0, 0.1, Start::Mixed),
        kind(5, [5, 30, 1, 24], 3.0, 0.05, Start::Mixed),
        kind(6, [2, 20, 2, 48], 1.0, 0.05, Start::Given),
        kind(7, [5, 12, 1, 96], 1.0, 0.1, Start::Mixed),
        kind(8, [3, 6, 1, GPU_DIM_LIMIT], 1.0, 0.1, Start::Mixed),
        Kind { gate: Exponential, ..kind(9, [4, 33, 2, 7], 1.0, 0.1, Start::Mixed) },
        kind(10, [600, 5, 2, 6], 1.0, 0.1, Start::Mixed),
        kind(11, [4, 20, 2, 5], 30.0, 0.1, Start::Mixed),
        kind(12, [4, 20, 2, 5], 100.0, 0.1, Start::Mixed),
    ] {
        let case = slstm_case(&kind);
        let exact = run_slstm(By::Reference, &case, DType::F64, &Device::flex());
        let found = run_slstm(By::Kernel, &case, DType::F32, &device);
        let error = compare(&format!("{kind:?}"), &found, &exact, &[]);
        assert!(error <= 1e-4, "{kind:?}: {error:e}");
    }
}

/// A stabiliser of thousands is rounded to 2e-4: outputs and gradients must not see it. (c and n do: they belong to
/// the rounded stabiliser.)
#[test]
fn the_slstm_kernels_bear_a_large_stabiliser() {
    let Some(device) = device("the_slstm_kernels_bear_a_large_stabiliser") else { return };
    let mut case = slstm_case(&kind(42, [3, 40, 2, 5], 1.0, 0.0, Start::Given));
    case.stabiliser.iter_mut().for_each(|value| *value = f64::from((*value + 3000.0) as f32));
    // Then with input gates of the stabiliser's size, so that both gates have a say.
    for shift in [0.0, 2998.0] {
        let [_, _, heads, dim] = case.sizes;
        for (index, value) in case.input.iter_mut().enumerate() {
            if index / (heads * dim) % 4 == 0 {
                *value = f64::from((*value + shift) as f32);
            }
        }
        let exact = run_slstm(By::Reference, &case, DType::F64, &Device::flex());
        let found = run_slstm(By::Kernel, &case, DType::F32, &device);
        let error = compare(&format!("shift {shift}"), &found, &exact, &["y", "dx", "dR", "db"]);
        assert!(error <= 1e-4, "shift {shift}: {error:e}");
    }
}

#[test]
fn the_same_call_twice_gives_the_same_bits() {
    let Some(device) = device("the_same_call_twice_gives_the_same_bits") else { return };
    let case = mlstm_case(&kind(31, [2, 2, 70, 12], 2.0, 0.05, Start::Mixed));
    let run = || run_mlstm(By::Kernel, &case, DType::F32, &device);
    assert!(run() == run(), "mLSTM");
    let case = slstm_case(&kind(32, [6, 20, 2, 12], 2.0, 0.05, Start::Mixed));
    let run = || run_slstm(By::Kernel, &case, DType::F32, &device);
    assert!(run() == run(), "sLSTM");
}

/// What the kernels do not take runs as the plain reference: wide heads, and f64. (Not on graphics devices: they take
/// f64 without complaint and compute nonsense.)
#[test]
fn what_has_no_kernel_runs_as_the_plain_cell() {
    let Some(device) = device("what_has_no_kernel_runs_as_the_plain_cell") else { return };
    let mut calls = vec![(DType::F32, GPU_DIM_LIMIT + 2, 1e-4)];
    if cfg!(not(feature = "wgpu")) {
        calls.push((DType::F64, 6, 1e-9));
    }
    for (number_type, dim, bound) in calls {
        let case = mlstm_case(&kind(51, [2, 1, 3, dim], 1.0, 0.3, Start::Mixed));
        let exact = run_mlstm(By::Reference, &case, DType::F64, &Device::flex());
        let found = run_mlstm(By::Kernel, &case, number_type, &device);
        let error = compare(&format!("mLSTM {number_type:?} {dim}"), &found, &exact, &[]);
        assert!(error <= bound, "mLSTM {number_type:?} {dim}: {error:e}");
        let case = slstm_case(&kind(52, [2, 3, 1, dim], 1.0, 0.3, Start::Mixed));
        let exact = run_slstm(By::Reference, &case, DType::F64, &Device::flex());
        let found = run_slstm(By::Kernel, &case, number_type, &device);
        let error = compare(&format!("sLSTM {number_type:?} {dim}"), &found, &exact, &[]);
        assert!(error <= bound, "sLSTM {number_type:?} {dim}: {error:e}");
    }
}
