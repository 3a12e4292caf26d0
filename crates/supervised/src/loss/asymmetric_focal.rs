//! Focal loss with a weight and a focusing exponent per true class.

use super::softmax::Softmax;
use super::{CLASSES, RowLoss};

/// α_c (1 − p_c)^γ_c (−ln p_c) for the true class c: the focal loss (Lin et al. 2017, "Focal loss for dense
/// object detection", arXiv 1708.02002, equation 5) on a softmax, with γ as well as α depending on the true
/// class.
///
/// The asymmetric loss of Ridnik et al. (2021, arXiv 2009.14119, "asymmetric focusing") gives each label of a
/// multi-label problem, a sigmoid of its own, one exponent where it is present (γ₊) and another where it is
/// absent (γ₋). Behind a softmax the absent classes of a row add nothing by themselves: the authors'
/// single-label version, without its smoothing, is −(1 − p_c)^γ₊ ln p_c, whatever γ₋. What can be asymmetric
/// here is one class against another, and that keeps the idea: the frequent, easy class (Hold) takes the
/// larger exponent, so that its many easy rows stop drowning the rare ones. Their probability shifting has no
/// place either; it discards negatives.
///
/// With q = 1 − p_c the derivative with respect to z_j is
/// α_c q^γ (γ p_c ln p_c / q − 1) (\[j = c\] − p_j).
pub(super) fn asymmetric_focal(softmax: &Softmax, target: usize, alpha: f64, gamma: f64) -> RowLoss {
    let log = softmax.log[target];
    let rest = softmax.rest(target);
    let scale = alpha * rest.powf(gamma);
    // Tends to −1 where p_c → 1; written as a ratio, so that exponents below 1 do not divide by zero there.
    let ratio = if rest > 0.0 { softmax.probability[target] * log / rest } else { -1.0 };
    let slope = scale * (gamma * ratio - 1.0);
    let mut gradient: [f64; CLASSES] = softmax.probability.map(|probability| -slope * probability);
    gradient[target] = slope * rest;
    RowLoss { value: -scale * log, gradient }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cross_entropy::cross_entropy;
    use super::super::row_tests::{ALPHA, GAMMA, assert_golden, assert_slope, golden_row, logits};
    use super::*;

    /// PyTorch 2.15 in double precision: `alpha[t] * (1 - p) ** gamma[t] * -log_softmax(z)[t]` with
    /// 1 − p = −expm1(log_softmax(z)\[t\]), and its autograd gradient, for the rows of [`golden_row`].
    const GOLDEN: [(f64, [f64; 3]); 6] = [
        (2.139389172789855, [-1.3947247020098286, 0.05206073182799541, 1.3426639701818333]),
        (0.08677941969107157, [0.14918931730337506, -0.14932536035127744, 0.00013604304790233802]),
        (0.483677437549848, [0.12910203354793107, 0.3096996786790433, -0.4388017122269745]),
        (1000.0, [0.5, -0.5, 0.0]),
        (0.3921032573874189, [0.0, 0.38086852682147376, -0.38086852682147376]),
        (6.009806027083484e-11, [-1.201955499362842e-10, 3.5231996950052104e-12, 1.1667235024082445e-10]),
    ];

    #[test]
    fn agrees_with_pytorch() {
        for (row, golden) in GOLDEN.into_iter().enumerate() {
            let (softmax, target) = golden_row(row);
            assert_golden(asymmetric_focal(&softmax, target, ALPHA[target], GAMMA[target]), golden);
        }
    }

    #[test]
    fn certainty_is_finite_for_any_exponent() {
        for gamma in [0.0, 1e-3, 0.5, 1.0, 2.0, 10.0] {
            for distance in [0.0, 30.0, 700.0, 745.0, 2000.0] {
                for sign in [-1.0, 1.0] {
                    let softmax = Softmax::of([sign * distance, 0.0, 0.0]);
                    let loss = asymmetric_focal(&softmax, 0, 1.0, gamma);
                    assert!(loss.value.is_finite() && loss.value >= 0.0, "{gamma} {distance} {loss:?}");
                    assert!(
                        loss.gradient.iter().all(|slope| slope.is_finite()),
                        "{gamma} {distance} {loss:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn near_certainty_keeps_its_digits() {
        // q = 1 − p = 2e^−50 is below the spacing of numbers near 1; the loss tends to q^γ · q.
        let rest = 2.0 * (-50.0_f64).exp();
        let loss = asymmetric_focal(&Softmax::of([50.0, 0.0, 0.0]), 0, 1.0, 0.5);
        assert!((loss.value / rest.powf(1.5) - 1.0).abs() < 1e-12, "{loss:?}");
        assert!((loss.gradient[0] / (-1.5 * rest.powf(1.5)) - 1.0).abs() < 1e-12, "{loss:?}");
    }

    #[test]
    fn a_larger_exponent_quietens_easy_rows_most() {
        let ratio = |logit: f64| {
            let softmax = Softmax::of([logit, 0.0, 0.0]);
            asymmetric_focal(&softmax, 0, 1.0, 2.0).value / asymmetric_focal(&softmax, 0, 1.0, 1.0).value
        };
        assert!(ratio(4.0) < 0.05 && ratio(-4.0) > 0.95);
    }

    proptest! {
        #[test]
        fn the_gradient_is_the_slope(
            logits in logits(),
            target in 0_usize..3,
            alpha in 0.1..3.0_f64,
            gamma in 0.0..5.0_f64,
        ) {
            assert_slope(logits, |softmax| asymmetric_focal(softmax, target, alpha, gamma))?;
            prop_assert!(asymmetric_focal(&Softmax::of(logits), target, alpha, gamma).value >= 0.0);
        }

        #[test]
        fn without_weight_and_focus_it_is_the_cross_entropy(logits in logits(), target in 0_usize..3) {
            let softmax = Softmax::of(logits);
            let focal = asymmetric_focal(&softmax, target, 1.0, 0.0);
            let cross_entropy = cross_entropy(&softmax, target, 0.0);
            prop_assert_eq!(focal.value, cross_entropy.value);
            for (left, right) in focal.gradient.into_iter().zip(cross_entropy.gradient) {
                prop_assert!((left - right).abs() < 1e-15);
            }
        }
    }
}
