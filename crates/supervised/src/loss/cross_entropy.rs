//! Cross-entropy with label smoothing.

use super::softmax::Softmax;
use super::{CLASSES, RowLoss};

/// −Σ_j y_j ln p_j with y_j = (1 − ε)·\[j = c\] + ε/3 (Szegedy et al. 2016, "Rethinking the inception
/// architecture", arXiv 1512.00567, section 7), where ε is `smoothing` and c is `target`: the definition of
/// PyTorch's `cross_entropy`, whose uniform part covers the true class too. The derivative with respect to
/// z_j is p_j − y_j.
pub(super) fn cross_entropy(softmax: &Softmax, target: usize, smoothing: f64) -> RowLoss {
    let mut wanted = [smoothing / CLASSES as f64; CLASSES];
    wanted[target] += 1.0 - smoothing;
    let mut loss = RowLoss { value: 0.0, gradient: softmax.probability };
    for ((slope, wanted), log) in loss.gradient.iter_mut().zip(wanted).zip(softmax.log) {
        *slope -= wanted;
        loss.value -= wanted * log;
    }
    loss
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::row_tests::{assert_golden, assert_slope, golden_row, logits};
    use super::*;

    /// `torch.nn.functional.cross_entropy` of PyTorch 2.15 in double precision and its autograd gradient, for
    /// the rows of [`golden_row`] without smoothing and with `label_smoothing=0.1`.
    const PLAIN: [(f64, [f64; 3]); 6] = [
        (1.7326219831020326, [-0.8231798178925557, 0.030726740326436432, 0.7924530775661193]),
        (0.693603017633216, [0.4997721334023318, -0.5002278665976683, 0.0004557331953362921]),
        (0.8110974661208562, [0.1634746304511117, 0.39215525217957337, -0.5556298826306852]),
        (2000.0, [1.0, -1.0, 0.0]),
        (std::f64::consts::LN_2, [0.0, 0.5, -0.5]),
        (6.329731456827469e-06, [-6.329711424113427e-06, 1.8553796185240734e-07, 6.144173462237082e-06]),
    ];
    const SMOOTHED: [(f64, [f64; 3]); 6] = [
        (1.740955316435366, [-0.756513151225889, -0.0026065930068969005, 0.7591197442327859]),
        (0.9269363509665494, [0.46643880006899846, -0.43356119993100156, -0.03287760013799704]),
        (0.8485974661208563, [0.1301412971177784, 0.35882191884624004, -0.4889632159640186]),
        (1900.0, [0.9666666666666667, -0.9333333333333333, -0.03333333333333333]),
        (67.3598138472266, [-0.03333333333333333, 0.4666666666666667, -0.43333333333333335]),
        (0.9166729963981236, [0.06666033695524254, -0.03333314779537148, -0.033327189159871096]),
    ];

    #[test]
    fn agrees_with_pytorch() {
        for row in 0..6 {
            let (softmax, target) = golden_row(row);
            assert_golden(cross_entropy(&softmax, target, 0.0), PLAIN[row]);
            assert_golden(cross_entropy(&softmax, target, 0.1), SMOOTHED[row]);
        }
    }

    proptest! {
        #[test]
        fn the_gradient_is_the_slope(logits in logits(), target in 0_usize..3, smoothing in 0.0..0.9_f64) {
            assert_slope(logits, |softmax| cross_entropy(softmax, target, smoothing))?;
            prop_assert!(cross_entropy(&Softmax::of(logits), target, smoothing).value >= 0.0);
        }
    }
}
