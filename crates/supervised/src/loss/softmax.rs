//! Softmax of one row, safe for logits of any size.

use super::CLASSES;

/// Probabilities and their logarithms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Softmax {
    /// ln p_j: finite, and exact to the last digits both where p_j nears 0 and where it nears 1.
    pub(super) log: [f64; CLASSES],
    /// p_j.
    pub(super) probability: [f64; CLASSES],
}

impl Softmax {
    /// Of finite logits.
    pub(super) fn of(logits: [f64; CLASSES]) -> Self {
        let mut top = 0;
        for class in 1..CLASSES {
            if logits[class] > logits[top] {
                top = class;
            }
        }
        let shifted = logits.map(|logit| logit - logits[top]);
        let mut exponential = [1.0; CLASSES];
        let mut others = 0.0;
        for step in 1..CLASSES {
            let class = (top + step) % CLASSES;
            exponential[class] = shifted[class].exp();
            others += exponential[class];
        }
        // The largest term is exactly 1, so a small rest keeps its digits in ln(1 + rest).
        let log_sum = others.ln_1p();
        Self {
            log: shifted.map(|shifted| shifted - log_sum),
            probability: exponential.map(|exponential| exponential / (1.0 + others)),
        }
    }

    /// 1 − p_class, added up from the other classes because a difference from 1 loses its digits.
    pub(super) fn rest(&self, class: usize) -> f64 {
        self.probability[(class + 1) % CLASSES] + self.probability[(class + 2) % CLASSES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_logits_keep_their_digits() {
        let softmax = Softmax::of([-1000.0, 1000.0, 0.0]);
        assert_eq!(softmax.log, [-2000.0, 0.0, -1000.0]);
        assert_eq!(softmax.probability, [0.0, 1.0, 0.0]);
        // ln p = -ln(1 + 2e^-50) ≈ -2e^-50, which a plain logarithm would round to 0.
        let softmax = Softmax::of([50.0, 0.0, 0.0]);
        let rest = 2.0 * (-50.0_f64).exp();
        assert!((softmax.log[0] / -rest - 1.0).abs() < 1e-15, "{}", softmax.log[0]);
        assert!((softmax.rest(0) / rest - 1.0).abs() < 1e-15, "{}", softmax.rest(0));
    }

    #[test]
    fn the_largest_finite_logits_give_finite_logarithms() {
        let large = f64::from(f32::MAX);
        let softmax = Softmax::of([large, -large, large]);
        assert!(softmax.log.iter().all(|log| log.is_finite()));
        assert_eq!(softmax.probability, [0.5, 0.0, 0.5]);
    }
}
