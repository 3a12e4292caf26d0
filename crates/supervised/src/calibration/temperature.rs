//! One number by which all logits are divided, so that confidence and accuracy agree.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;
use crate::prediction_rows::{check_class, check_logits, check_row_counts, check_two_classes, rows_of_three};

/// Lowest temperature that a fit gives. Perfectly separated rows would want 0.
pub const MIN_TEMPERATURE: f64 = 0.05;
/// Highest temperature that a fit gives. Logits worse than chance would want infinity, or a negative one.
pub const MAX_TEMPERATURE: f64 = 20.0;

/// Rows whose sums are taken together; fixed, so that the number of threads does not change the rounding.
const ROWS_PER_SUM: usize = 8192;
/// Newton with a bracket needs some ten steps, halving the bracket alone some forty.
const MAX_STEPS: usize = 200;
/// Relative change of the inverse temperature that ends the fit.
const TOLERANCE: f64 = 1e-12;

/// Softmax of logits divided by a temperature (Guo, Pleiss, Sun and Weinberger 2017, "On calibration of
/// modern neural networks", arXiv 1706.04599, equation 9). Above 1 it makes the model less sure, below 1
/// surer. The most probable class stays the same.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemperatureScaling {
    /// The divisor, above 0; 1 changes nothing.
    pub temperature: f64,
}

impl Default for TemperatureScaling {
    fn default() -> Self {
        Self { temperature: 1.0 }
    }
}

/// Probabilities (`[rows, 3]`) of `logits` (`[rows, 3]`), computed in 64 bits.
///
/// # Errors
/// [`SupervisedError::Data`] names a row that is not finite.
pub fn softmax(logits: &[f32]) -> Result<Vec<f32>, SupervisedError> {
    TemperatureScaling::default().apply(logits)
}

impl TemperatureScaling {
    /// The temperature with the lowest mean negative log-likelihood of `targets` (`[rows]`) under `logits`
    /// (`[rows, 3]`), within [[`MIN_TEMPERATURE`], [`MAX_TEMPERATURE`]].
    ///
    /// The likelihood is concave in the inverse temperature; its slope is brought to 0 by Newton's method
    /// within a bracket. Where all temperatures do equally well (logits that are equal within each row) it is
    /// 1. Never worse on these rows than 1.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for no rows, different lengths, targets all of one class (of which one can
    /// always be surer), a target that is no class, and logits that are not finite; it names the row.
    pub fn fit(logits: &[f32], targets: &[u8]) -> Result<Self, SupervisedError> {
        let rows = rows_of_three(logits, "logits")?;
        check_row_counts("logits", rows.len(), "targets", targets.len())?;
        for (row, (&values, &target)) in rows.iter().zip(targets).enumerate() {
            check_logits(row, values)?;
            check_class("targets", row, target)?;
        }
        check_two_classes(targets)?;
        let inverse = best_inverse(rows, targets);
        // Rounding near 1 must not cost what the fit is for.
        let better = likelihood(rows, targets, inverse).loss <= likelihood(rows, targets, 1.0).loss;
        Ok(if better { Self { temperature: 1.0 / inverse } } else { Self::default() })
    }

    /// Whether a fit ended at a bound: the rows are perfectly separated, or the logits are worse than chance.
    pub fn is_at_bound(&self) -> bool {
        !(MIN_TEMPERATURE * (1.0 + TOLERANCE)..MAX_TEMPERATURE * (1.0 - TOLERANCE))
            .contains(&self.temperature)
    }

    /// Refuses a temperature that divides nothing or turns the order round.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        if self.temperature.is_finite() && self.temperature > 0.0 {
            return Ok(());
        }
        Err(SupervisedError::config(
            "temperature",
            self.temperature,
            "give a number above 0; 1 changes nothing",
        ))
    }

    /// Probabilities (`[rows, 3]`) of `logits` (`[rows, 3]`), computed in 64 bits.
    ///
    /// No class with a lower logit gets a higher probability; 32 bits may make neighbours equal.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] names a row that is not finite.
    pub fn apply(&self, logits: &[f32]) -> Result<Vec<f32>, SupervisedError> {
        let rows = rows_of_three(logits, "logits")?;
        let mut probabilities = Vec::with_capacity(logits.len());
        for (row, &values) in rows.iter().enumerate() {
            check_logits(row, values)?;
            probabilities.extend(self.apply_row(values));
        }
        Ok(probabilities)
    }

    /// Probabilities of one row of logits, without a check: one that holds NaN or
    /// positive infinity gives NaN.
    pub fn apply_row(&self, logits: [f32; 3]) -> [f32; 3] {
        let powers = below_highest(logits).map(|logit| (logit / self.temperature).exp());
        let sum: f64 = powers.iter().sum();
        powers.map(|power| (power / sum) as f32)
    }
}

/// Logits less the highest of them, so that no power overflows.
#[inline]
fn below_highest(logits: [f32; 3]) -> [f64; 3] {
    let [sell, hold, buy] = logits.map(f64::from);
    let highest = sell.max(hold).max(buy);
    [sell - highest, hold - highest, buy - highest]
}

/// Mean negative log-likelihood at one inverse temperature, and its derivatives by it.
#[derive(Clone, Copy, Default)]
struct Likelihood {
    loss: f64,
    slope: f64,
    curvature: f64,
}

/// With β = 1/T, z the logits and p = softmax(βz): loss `ln Σ exp(βz) − βz_y`, slope `E_p[z] − z_y`,
/// curvature `Var_p[z]`, each averaged over the rows.
fn likelihood(rows: &[[f32; 3]], targets: &[u8], inverse: f64) -> Likelihood {
    let of_rows = |(rows, targets): (&[[f32; 3]], &[u8])| {
        let mut sum = Likelihood::default();
        for (&row, &target) in rows.iter().zip(targets) {
            let logits = below_highest(row);
            let powers = logits.map(|logit| (inverse * logit).exp());
            let total: f64 = powers.iter().sum();
            let expected = (0..3).map(|class| powers[class] * logits[class]).sum::<f64>() / total;
            let spread = |class: usize| powers[class] * (logits[class] - expected).powi(2);
            let truth = logits[usize::from(target)];
            sum.loss += total.ln() - inverse * truth;
            sum.slope += expected - truth;
            sum.curvature += (0..3).map(spread).sum::<f64>() / total;
        }
        sum
    };
    let parts: Vec<Likelihood> =
        rows.par_chunks(ROWS_PER_SUM).zip(targets.par_chunks(ROWS_PER_SUM)).map(of_rows).collect();
    let mean = |part: fn(&Likelihood) -> f64| parts.iter().map(part).sum::<f64>() / rows.len() as f64;
    Likelihood {
        loss: mean(|sum| sum.loss),
        slope: mean(|sum| sum.slope),
        curvature: mean(|sum| sum.curvature),
    }
}

/// The inverse temperature at which the slope is 0, or the bound towards which it falls.
fn best_inverse(rows: &[[f32; 3]], targets: &[u8]) -> f64 {
    let (mut low, mut high) = (1.0 / MAX_TEMPERATURE, 1.0 / MIN_TEMPERATURE);
    let mut inverse = 1.0;
    let mut here = likelihood(rows, targets, inverse);
    if here.slope > 0.0 && likelihood(rows, targets, low).slope >= 0.0 {
        return low;
    }
    if here.slope < 0.0 && likelihood(rows, targets, high).slope <= 0.0 {
        return high;
    }
    for _ in 0..MAX_STEPS {
        if here.slope == 0.0 {
            break;
        }
        if here.slope > 0.0 {
            high = inverse;
        } else {
            low = inverse;
        }
        let newton = inverse - here.slope / here.curvature;
        // Not a number where the curvature underflows, and then outside as well.
        let next = if low < newton && newton < high { newton } else { (low * high).sqrt() };
        let step = (next - inverse).abs();
        inverse = next;
        if step <= TOLERANCE * inverse {
            break;
        }
        here = likelihood(rows, targets, inverse);
    }
    inverse
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn loss(logits: &[f32], targets: &[u8], temperature: f64) -> f64 {
        likelihood(logits.as_chunks::<3>().0, targets, 1.0 / temperature).loss
    }

    const LOGITS: &[f32] = &[
        2.69, -3.69, 3.13, 1.01, 1.36, -0.27, -0.76, 0.93, 2.85, -0.41, 0.89, 1.37, -1.74, -1.83, 0.79,
        -1.34, -2.64, -1.63, -0.94, -2.39, -1.78, 1.27, 1.79, -0.47, -1.49, 1.97, 1.43, 0.6, 1.09, 2.09,
        -0.41, -0.43, 0.7, 0.5, 2.2, -1.37, -1.32, -0.48, -3.47, 1.45, 1.06, -1.48, 2.77, 2.84, 1.25, 2.0,
        1.91, -2.66,
    ];
    const TARGETS: &[u8] = &[0, 0, 2, 1, 1, 1, 2, 0, 1, 0, 1, 2, 1, 0, 1, 0];

    #[test]
    fn temperature_is_that_of_scipy() {
        // scipy.optimize.brentq on the slope of the likelihood, in 64 bits.
        let fitted = TemperatureScaling::fit(LOGITS, TARGETS).unwrap();
        assert!((fitted.temperature / 4.056863471089815 - 1.0).abs() < 1e-10, "{fitted:?}");
        assert!((loss(LOGITS, TARGETS, fitted.temperature) - 1.0552886281451381).abs() < 1e-12);
        assert!((loss(LOGITS, TARGETS, 1.0) - 1.2812538545562158).abs() < 1e-12);
        assert!(!fitted.is_at_bound());
    }

    #[test]
    fn softmax_is_that_of_scipy() {
        // scipy.special.softmax of the same 32-bit logits, rounded to 32 bits.
        let logits = [1.0, 2.0, 3.0, 1000.0, -1000.0, 999.0, -0.5, 0.25, 0.125];
        let wanted: [f32; 9] = [
            0.09003057, 0.24472848, 0.66524094, 0.7310586, 0.0, 0.26894143, 0.2005919, 0.42465308, 0.37475502,
        ];
        assert_eq!(softmax(&logits).unwrap(), wanted);
    }

    #[test]
    fn slope_and_curvature_are_the_derivatives_of_the_loss() {
        let (rows, targets) = (LOGITS.as_chunks::<3>().0, TARGETS);
        for inverse in [0.1, 0.7, 1.0, 3.0] {
            let step = 1e-5;
            let at = |inverse| likelihood(rows, targets, inverse);
            let (below, here, above) = (at(inverse - step), at(inverse), at(inverse + step));
            assert!(((above.loss - below.loss) / (2.0 * step) - here.slope).abs() < 1e-9);
            assert!(((above.slope - below.slope) / (2.0 * step) - here.curvature).abs() < 1e-8);
        }
    }

    #[test]
    fn what_has_no_optimum_ends_at_a_bound() {
        let logits = [2.0, 0.0, 1.0, 0.0, 2.0, 1.0];
        let separated = TemperatureScaling::fit(&logits, &[0, 1]).unwrap();
        assert!((separated.temperature - MIN_TEMPERATURE).abs() < 1e-12 && separated.is_at_bound());
        let inverted = TemperatureScaling::fit(&logits, &[1, 0]).unwrap();
        assert!((inverted.temperature - MAX_TEMPERATURE).abs() < 1e-12 && inverted.is_at_bound());
        // Steep logits: every power but one underflows.
        let steep = logits.map(|logit| logit * 1e30);
        let separated = TemperatureScaling::fit(&steep, &[0, 1]).unwrap();
        assert!(separated.temperature.is_finite());
        // All temperatures do equally well.
        let flat = TemperatureScaling::fit(&[3.0; 6], &[0, 1]).unwrap();
        assert_eq!((flat.temperature, flat.is_at_bound()), (1.0, false));
    }

    #[test]
    fn bad_rows_are_named() {
        let bad = |logits: &[f32], targets: &[u8]| {
            TemperatureScaling::fit(logits, targets).unwrap_err().to_string()
        };
        assert!(bad(&[], &[]).contains("no rows"));
        assert!(bad(&[0.0; 6], &[0]).contains("2 rows, but 1"));
        assert!(bad(&[0.0; 6], &[1, 1]).contains("one class"));
        assert!(bad(&[0.0; 6], &[0, 3]).contains("targets, row 1"));
        assert!(bad(&[0.0, 0.0, 0.0, 0.0, f32::INFINITY, 0.0], &[0, 1]).contains("logits, row 1"));
        assert!(softmax(&[0.0, f32::NAN, 0.0]).unwrap_err().to_string().contains("logits, row 0"));
    }

    #[test]
    fn any_number_of_threads_fits_the_same() {
        let logits: Vec<f32> = (0..90_000).map(|index| ((index * 37 % 101) as f32 / 20.0).sin()).collect();
        let targets: Vec<u8> = (0..30_000_u32).map(|index| (index * 7 % 5 % 3) as u8).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| TemperatureScaling::fit(&logits, &targets).unwrap())
        };
        assert_eq!(run(1), run(3));
    }

    proptest! {
        #[test]
        fn never_worse_than_no_scaling_nor_than_any_other(
            rows in prop::collection::vec((prop::array::uniform3(-8.0_f32..8.0), 0_u8..3), 2..60),
        ) {
            let logits: Vec<f32> = rows.iter().flat_map(|row| row.0).collect();
            let targets: Vec<u8> = rows.iter().map(|row| row.1).collect();
            prop_assume!(targets.iter().any(|&target| target != targets[0]));
            let fitted = TemperatureScaling::fit(&logits, &targets).unwrap();
            let best = loss(&logits, &targets, fitted.temperature);
            prop_assert!(best <= loss(&logits, &targets, 1.0));
            for step in 0..60 {
                let other = MIN_TEMPERATURE * (MAX_TEMPERATURE / MIN_TEMPERATURE).powf(f64::from(step) / 59.0);
                prop_assert!(best <= loss(&logits, &targets, other) + 1e-12);
            }
            let probabilities = fitted.apply(&logits).unwrap();
            let rows = probabilities.as_chunks::<3>().0.iter().zip(logits.as_chunks::<3>().0);
            for (values, logits) in rows {
                prop_assert!((values.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                for (one, other) in [(0, 1), (0, 2), (1, 2)] {
                    prop_assert!(logits[one] > logits[other] || values[one] <= values[other]);
                    prop_assert!(logits[one] < logits[other] || values[one] >= values[other]);
                }
            }
        }
    }
}
