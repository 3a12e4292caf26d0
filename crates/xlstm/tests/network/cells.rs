//! The cells as operations of their own, on the CPU backends: kernel against plain reference.

use crate::cases::devices;
use crate::cell_cases::{By, Kind, Start, compare, mlstm_case, run_mlstm, run_slstm, slstm_case};
use burn::tensor::{DType, Device};
use xlstm::kernel::ForgetGate;

/// f32 is bounded by rounding in both, with plain gates.
const BOUNDS: [(DType, f64); 2] = [(DType::F64, 1e-9), (DType::F32, 5e-5)];

fn kinds(sizes: &[[usize; 4]]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for (index, sizes) in sizes.iter().enumerate() {
        for (offset, start) in [Start::Empty, Start::Given, Start::Mixed].into_iter().enumerate() {
            for gate in [ForgetGate::Sigmoid, ForgetGate::Exponential] {
                let seed = (index * 3 + offset) as u64;
                let resets = if offset == 1 { 0.0 } else { 0.2 };
                kinds.push(Kind { seed, sizes: *sizes, gates: 1.0, resets, start, gate });
            }
        }
    }
    kinds
}

#[test]
fn the_mlstm_cell_equals_the_plain_one() {
    for (backend, device) in devices() {
        for kind in kinds(&[[1, 1, 1, 1], [2, 3, 7, 5], [2, 1, 33, 12]]) {
            let case = mlstm_case(&kind);
            // The plain reference always on flex: functions of `burn-ndarray` are coarse.
            let exact = run_mlstm(By::Reference, &case, DType::F64, &Device::flex());
            for (number_type, bound) in BOUNDS {
                let found = run_mlstm(By::Kernel, &case, number_type, &device);
                let error = compare(&format!("{backend} {kind:?}"), &found, &exact, &[]);
                assert!(error <= bound, "{backend} {number_type:?} {kind:?}: {error:e}");
            }
        }
    }
}

#[test]
fn the_slstm_cell_equals_the_plain_one() {
    for (backend, device) in devices() {
        for kind in kinds(&[[1, 1, 1, 1], [3, 7, 2, 5], [5, 33, 1, 12]]) {
            let case = slstm_case(&kind);
            let exact = run_slstm(By::Reference, &case, DType::F64, &Device::flex());
            for (number_type, bound) in BOUNDS {
                let found = run_slstm(By::Kernel, &case, number_type, &device);
                let error = compare(&format!("{backend} {kind:?}"), &found, &exact, &[]);
                assert!(error <= bound, "{backend} {number_type:?} {kind:?}: {error:e}");
            }
        }
    }
}
