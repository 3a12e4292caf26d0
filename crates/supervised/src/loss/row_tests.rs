//! What the tests of the row losses share: rows with known answers, and the comparison with finite
//! differences.

use proptest::prelude::*;

use super::RowLoss;
use super::softmax::Softmax;

/// Logits and targets of the rows whose losses come from PyTorch; all exact in `f32`.
pub(super) const LOGITS: [[f64; 3]; 6] = [
    [0.5, -1.25, 2.0],
    [3.0, 3.0, -4.0],
    [-0.75, 0.125, 0.25],
    [1000.0, -1000.0, 0.0],
    [-1000.0, 1000.0, 1000.0],
    [12.0, -3.5, 0.0],
];
pub(super) const TARGETS: [u8; 6] = [0, 1, 2, 1, 2, 0];
/// Of the focal loss in those rows.
pub(super) const ALPHA: [f64; 3] = [1.5, 0.5, 0.8];
pub(super) const GAMMA: [f64; 3] = [1.0, 2.0, 0.5];

pub(super) fn golden_row(row: usize) -> (Softmax, usize) {
    (Softmax::of(LOGITS[row]), usize::from(TARGETS[row]))
}

/// To 10 digits; PyTorch's own logarithm has no more where p_c is near 1.
pub(super) fn assert_golden(loss: RowLoss, golden: (f64, [f64; 3])) {
    let near = |seen: f64, golden: f64| (seen - golden).abs() <= 1e-10 * golden.abs() + 1e-15;
    assert!(near(loss.value, golden.0), "{loss:?} instead of {golden:?}");
    for (seen, wanted) in loss.gradient.into_iter().zip(golden.1) {
        assert!(near(seen, wanted), "{loss:?} instead of {golden:?}");
    }
}

pub(super) fn logits() -> impl Strategy<Value = [f64; 3]> {
    [-8.0..8.0_f64, -8.0..8.0_f64, -8.0..8.0_f64]
}

/// The gradient against central differences, and its sum against 0: adding a number to all logits changes
/// nothing.
pub(super) fn assert_slope(
    logits: [f64; 3],
    loss: impl Fn(&Softmax) -> RowLoss,
) -> Result<(), TestCaseError> {
    const STEP: f64 = 1e-5;
    let RowLoss { gradient, .. } = loss(&Softmax::of(logits));
    for class in 0..3 {
        let at = |step: f64| {
            let mut moved = logits;
            moved[class] += step;
            loss(&Softmax::of(moved)).value
        };
        let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
        prop_assert!(
            (slope - gradient[class]).abs() < 1e-8 * (1.0 + slope.abs()),
            "class {class}: slope {slope}, gradient {gradient:?}"
        );
    }
    prop_assert!(gradient.iter().sum::<f64>().abs() < 1e-13, "{gradient:?}");
    Ok(())
}
