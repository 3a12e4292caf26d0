//! Penalty of confident predictions.

use super::softmax::Softmax;
use super::{CLASSES, RowLoss};

/// ln 3, the entropy of the uniform distribution in nats.
const LARGEST_ENTROPY: f64 = 1.098_612_288_668_109_8;

/// ln 3 − H(p) = KL(p ‖ uniform), in nats, from 0 where all classes are equally likely to ln 3 where one is
/// certain.
///
/// Added with a weight λ this is the confidence penalty −λ H(p) of Pereyra et al. (2017, "Regularizing neural
/// networks by penalizing confident output distributions", arXiv 1701.06548, section 3) plus the constant λ
/// ln 3, which keeps the loss from falling below 0 and changes no gradient. The derivative with respect to
/// z_j is p_j (ln p_j + H(p)).
pub(super) fn confidence_penalty(softmax: &Softmax) -> RowLoss {
    let entropy: f64 = (0..CLASSES).map(|class| -softmax.probability[class] * softmax.log[class]).sum();
    let mut gradient = [0.0; CLASSES];
    for (class, slope) in gradient.iter_mut().enumerate() {
        *slope = softmax.probability[class] * (softmax.log[class] + entropy);
    }
    // Rounding takes a uniform row a few units in the last place below 0.
    RowLoss { value: (LARGEST_ENTROPY - entropy).max(0.0), gradient }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::row_tests::{assert_golden, assert_slope, golden_row, logits};
    use super::*;

    /// PyTorch 2.15 in double precision: `math.log(3) + (p * log_softmax(z)).sum(-1)` and its autograd
    /// gradient, for the rows of [`golden_row`].
    const GOLDEN: [(f64, [f64; 3]); 6] = [
        (0.5008981263439922, [-0.2006746075451137, -0.08864381347474862, 0.2893184210198623]),
        (0.4018191386675398, [0.001594339259068392, 0.001594339259068392, -0.003188678518136725]),
        (0.07502078557369529, [-0.12873724628379438, 0.03431124613357471, 0.09442600015021965]),
        (1.0986122886681098, [0.0, 0.0, 0.0]),
        (0.4054651081081645, [0.0, 0.0, 0.0]),
        (1.0985293530166973, [7.660543506216326e-05, -2.8758241954060594e-06, -7.372961086678454e-05]),
    ];

    #[test]
    fn agrees_with_pytorch() {
        for (row, golden) in GOLDEN.into_iter().enumerate() {
            assert_golden(confidence_penalty(&golden_row(row).0), golden);
        }
        assert_eq!(LARGEST_ENTROPY, 3.0_f64.ln());
    }

    #[test]
    fn descending_moves_towards_the_uniform_distribution() {
        let softmax = Softmax::of([2.0, 0.0, -1.0]);
        let slope = confidence_penalty(&softmax).gradient;
        assert!(slope[0] > 0.0 && slope[1] < 0.0 && slope[2] < 0.0, "{slope:?}");
        assert!(confidence_penalty(&Softmax::of([0.3; 3])).value.abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn the_gradient_is_the_slope(logits in logits()) {
            assert_slope(logits, confidence_penalty)?;
            let value = confidence_penalty(&Softmax::of(logits)).value;
            prop_assert!((0.0..=LARGEST_ENTROPY).contains(&value));
        }
    }
}
