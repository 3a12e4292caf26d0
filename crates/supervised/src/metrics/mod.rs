//! How good predictions are, and how sure one can be of it.
//!
//! [`Metrics`] scores probabilities and decisions against the true classes; [`Reliability`] compares
//! confidence and accuracy bin by bin; [`block_bootstrap`] puts an interval around the mean of values that
//! depend on each other in time, such as those of [`log_loss_advantage`].

mod bootstrap;
mod confusion;
mod metric_name;
mod ranking;
mod reliability;

use serde::{Deserialize, Serialize};

pub use bootstrap::{BootstrapConfig, BootstrapInterval, block_bootstrap};
pub(crate) use bootstrap::{distributions, percentile, standard_deviation};
pub use confusion::Confusion;
pub use metric_name::MetricName;
pub use ranking::area_under_curve;
pub use reliability::{RELIABILITY_BINS, Reliability, ReliabilityBin};

use crate::error::SupervisedError;
use crate::prediction_rows::{check_class, check_probabilities, check_row_counts, rows_of_three};
use reliability::ReliabilitySums;

/// How far the shares of a prior may be from 1 in all.
const PRIOR_TOLERANCE: f64 = 1e-6;

/// Scores of predictions on a set of rows. Arrays are in class order `[Sell, Hold, Buy]`.
///
/// Where scikit-learn defines a score, this is that score with `labels=[0, 1, 2]` and `zero_division=0`.
/// Accuracy, F1 and their kin are those of the decisions; log-loss, Brier score and calibration error are
/// those of the probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Number of rows.
    pub rows: u64,
    /// The training criterion on these rows, which only the trainer knows and fills in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Share of rows whose class was predicted.
    pub accuracy: f64,
    /// Mean recall over the classes that occur.
    pub balanced_accuracy: f64,
    /// Mean of `f1` over all three classes; a class that does not occur counts 0.
    pub macro_f1: f64,
    /// Harmonic mean of precision and recall of each class.
    pub f1: [f64; 3],
    /// Of the rows predicted as a class, the share that are; 0 for a class never predicted.
    pub precision: [f64; 3],
    /// Of the rows of a class, the share predicted as such; 0 for a class that does not occur.
    pub recall: [f64; 3],
    /// Matthews' correlation coefficient for three classes (Gorodkin 2004); 0 where it is not defined.
    pub mcc: f64,
    /// Rows by true and predicted class.
    pub confusion: Confusion,
    /// Share of each predicted class.
    pub predicted_shares: [f64; 3],
    /// Share of each true class.
    pub true_shares: [f64; 3],
    /// Mean negative logarithm (base e) of the probability of the true class. The probability is widened to
    /// 64 bits and kept within `[ε, 1 − ε]` with ε = 2⁻⁵² as scikit-learn does with 64-bit probabilities, so
    /// that one certain and wrong row costs 36.04. (Given 32-bit ones, scikit-learn clips at 2⁻²³, or 15.94.)
    pub log_loss: f64,
    /// Squared distance of the probabilities from the true class (1 for it, 0 for the others), added over the
    /// classes and averaged over the rows (Brier 1950), from 0 to 2.
    pub brier: f64,
    /// Expected calibration error over 15 bins of the highest probability; see [`Reliability`].
    pub expected_calibration_error: f64,
    /// `log_loss` of one who always gives the prior.
    pub prior_log_loss: f64,
    /// `1 − log_loss / prior_log_loss`: 0 knows no more than the prior, 1 knows all, below 0 knows less.
    pub skill: f64,
}

/// Negative logarithm of a probability kept within `[ε, 1 − ε]`.
#[inline]
pub(crate) fn surprise(probability: f64) -> f64 {
    -probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

fn check_prior(prior: [f64; 3]) -> Result<(), SupervisedError> {
    let sum: f64 = prior.iter().sum();
    // Comparisons with NaN are false.
    if prior.iter().all(|&share| share >= 0.0) && (sum - 1.0).abs() <= PRIOR_TOLERANCE {
        return Ok(());
    }
    Err(SupervisedError::data("prior", format!("{prior:?} are no three shares that add up to 1")))
}

impl Metrics {
    /// Scores `probabilities` (`[rows, 3]`) and the decisions `predicted` (`[rows]`, which need not be the
    /// most probable classes) against the true classes `targets` (`[rows]`), in one pass. `prior` are the
    /// class shares of the training rows, which the log-loss is compared with.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for no rows, different lengths, a class other than 0, 1, 2, a row that is no
    /// distribution (it names the row), and a prior that is none.
    pub fn of(
        probabilities: &[f32],
        targets: &[u8],
        predicted: &[u8],
        prior: [f64; 3],
    ) -> Result<Self, SupervisedError> {
        let rows = rows_of_three(probabilities, "probabilities")?;
        check_row_counts("probabilities", rows.len(), "targets", targets.len())?;
        check_row_counts("probabilities", rows.len(), "predicted classes", predicted.len())?;
        check_prior(prior)?;
        let mut confusion = Confusion::default();
        let mut reliability = ReliabilitySums::default();
        let (mut log_loss, mut brier) = (0.0, 0.0);
        for (row, ((&values, &target), &decision)) in rows.iter().zip(targets).zip(predicted).enumerate() {
            check_probabilities(row, values)?;
            check_class("targets", row, target)?;
            check_class("predicted classes", row, decision)?;
            let class = usize::from(target);
            confusion.counts[class][usize::from(decision)] += 1;
            reliability.add(values, target);
            let wide = values.map(f64::from);
            log_loss += surprise(wide[class]);
            // Σ (p − y)² = Σ p² − 2 p_true + 1, but without its cancellation.
            let others: f64 =
                (0..3).filter(|&other| other != class).map(|other| wide[other] * wide[other]).sum();
            brier += (1.0 - wide[class]) * (1.0 - wide[class]) + others;
        }
        let count = rows.len() as f64;
        let calibration_error = reliability.table().expected_calibration_error();
        Ok(Self::assemble(confusion, log_loss / count, brier / count, calibration_error, prior))
    }

    fn assemble(
        confusion: Confusion,
        log_loss: f64,
        brier: f64,
        expected_calibration_error: f64,
        prior: [f64; 3],
    ) -> Self {
        let true_shares = confusion.true_shares();
        let prior_log_loss: f64 =
            true_shares.iter().zip(prior).map(|(share, prior)| share * surprise(prior)).sum();
        Self {
            rows: confusion.rows(),
            loss: None,
            accuracy: confusion.accuracy(),
            balanced_accuracy: confusion.balanced_accuracy(),
            macro_f1: confusion.macro_f1(),
            f1: confusion.f1(),
            precision: confusion.precision(),
            recall: confusion.recall(),
            mcc: confusion.mcc(),
            confusion,
            predicted_shares: confusion.predicted_shares(),
            true_shares,
            log_loss,
            brier,
            expected_calibration_error,
            prior_log_loss,
            // Never a division by 0: a clipped probability always surprises a little.
            skill: 1.0 - log_loss / prior_log_loss,
        }
    }

    /// The metric of that name; NaN for [`MetricName::Loss`] while the trainer has not filled it in.
    pub fn get(&self, name: MetricName) -> f64 {
        match name {
            MetricName::Loss => self.loss.unwrap_or(f64::NAN),
            MetricName::LogLoss => self.log_loss,
            MetricName::Brier => self.brier,
            MetricName::ExpectedCalibrationError => self.expected_calibration_error,
            MetricName::Skill => self.skill,
            MetricName::Accuracy => self.accuracy,
            MetricName::BalancedAccuracy => self.balanced_accuracy,
            MetricName::MacroF1 => self.macro_f1,
            MetricName::Mcc => self.mcc,
        }
    }
}

/// By how much each row's log-loss is below that of the prior, in nats: `ln p_true − ln prior_true`, both
/// clipped as for [`Metrics::log_loss`]. Its mean is `prior_log_loss − log_loss`. Input of
/// [`block_bootstrap`].
///
/// # Errors
/// As [`Metrics::of`].
pub fn log_loss_advantage(
    probabilities: &[f32],
    targets: &[u8],
    prior: [f64; 3],
) -> Result<Vec<f64>, SupervisedError> {
    let rows = rows_of_three(probabilities, "probabilities")?;
    check_row_counts("probabilities", rows.len(), "targets", targets.len())?;
    check_prior(prior)?;
    let of_prior = prior.map(surprise);
    let advantage = |(row, (&values, &target)): (usize, (&[f32; 3], &u8))| {
        check_probabilities(row, values)?;
        check_class("targets", row, target)?;
        let class = usize::from(target);
        Ok(of_prior[class] - surprise(f64::from(values[class])))
    };
    rows.iter().zip(targets).enumerate().map(advantage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores that scikit-learn 1.9.1 gives for the same 32-bit probabilities widened to 64 bits; the
    /// calibration error is from a transcription of Guo et al. into NumPy.
    struct Golden {
        name: &'static str,
        probabilities: &'static [f32],
        targets: &'static [u8],
        predicted: &'static [u8],
        prior: [f64; 3],
        /// Accuracy, balanced accuracy, macro F1, MCC, log-loss, Brier, calibration error, prior's log-loss.
        scores: [f64; 8],
        precision: [f64; 3],
        recall: [f64; 3],
        f1: [f64; 3],
        confusion: [[u64; 3]; 3],
    }

    const GOLDEN: &[Golden] = &[
        Golden {
            name: "decided by a rule",
            probabilities: &[
                0.7, 0.2, 0.1, 0.1, 0.6, 0.3, 0.25, 0.35, 0.4, 0.05, 0.9, 0.05, 0.45, 0.5, 0.05, 0.3, 0.3,
                0.4, 0.15, 0.05, 0.8, 0.34, 0.36, 0.3, 0.2, 0.7, 0.1, 0.6, 0.1, 0.3,
            ],
            targets: &[0, 1, 2, 1, 0, 2, 2, 0, 1, 1],
            predicted: &[0, 1, 2, 1, 0, 0, 2, 2, 1, 0],
            prior: [0.3, 0.4, 0.3],
            scores: [
                0.7,
                0.6944444444444443,
                0.6984126984126983,
                0.5606060606060606,
                0.7565163470129714,
                0.41752000625014335,
                0.31600000858306887,
                1.0888999753452235,
            ],
            precision: [0.5, 1.0, 0.6666666666666666],
            recall: [0.6666666666666666, 0.75, 0.6666666666666666],
            f1: [0.5714285714285714, 0.8571428571428571, 0.6666666666666666],
            confusion: [[2, 0, 1], [1, 3, 0], [1, 0, 2]],
        },
        Golden {
            name: "a class that does not occur",
            probabilities: &[
                0.7, 0.2, 0.1, 0.1, 0.6, 0.3, 0.25, 0.35, 0.4, 0.05, 0.9, 0.05, 0.45, 0.5, 0.05, 0.3, 0.3,
                0.4,
            ],
            targets: &[0, 1, 1, 1, 0, 0],
            predicted: &[0, 1, 2, 1, 1, 2],
            prior: [0.3, 0.4, 0.3],
            scores: [
                0.5,
                0.5,
                0.38888888888888884,
                0.30151134457776363,
                0.6708606193289635,
                0.3925000038122141,
                0.35000000397364295,
                1.0601317681000455,
            ],
            precision: [1.0, 0.6666666666666666, 0.0],
            recall: [0.3333333333333333, 0.6666666666666666, 0.0],
            f1: [0.5, 0.6666666666666666, 0.0],
            confusion: [[1, 1, 1], [0, 2, 1], [0, 0, 0]],
        },
        Golden {
            name: "a class neither true nor predicted",
            probabilities: &[0.7, 0.2, 0.1, 0.1, 0.6, 0.3, 0.25, 0.35, 0.4, 0.05, 0.9, 0.05, 0.45, 0.5, 0.05],
            targets: &[0, 1, 1, 0, 1],
            predicted: &[0, 1, 0, 1, 1],
            prior: [0.5, 0.5, 0.0],
            scores: [
                0.6,
                0.5833333333333333,
                0.38888888888888884,
                0.16666666666666666,
                1.121240425147909,
                0.6429999909251932,
                0.49999999403953554,
                std::f64::consts::LN_2,
            ],
            precision: [0.5, 0.6666666666666666, 0.0],
            recall: [0.5, 0.6666666666666666, 0.0],
            f1: [0.5, 0.6666666666666666, 0.0],
            confusion: [[1, 1, 0], [1, 2, 0], [0, 0, 0]],
        },
        Golden {
            name: "all predicted as one class",
            probabilities: &[
                0.7, 0.2, 0.1, 0.1, 0.6, 0.3, 0.25, 0.35, 0.4, 0.05, 0.9, 0.05, 0.45, 0.5, 0.05, 0.3, 0.3,
                0.4, 0.15, 0.05, 0.8, 0.34, 0.36, 0.3, 0.2, 0.7, 0.1, 0.6, 0.1, 0.3,
            ],
            targets: &[0, 1, 2, 1, 0, 2, 2, 0, 1, 1],
            predicted: &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
            prior: [0.2, 0.6, 0.2],
            scores: [
                0.4,
                0.3333333333333333,
                0.19047619047619047,
                0.0,
                0.7565163470129714,
                0.41752000625014335,
                0.31600000858306887,
                1.1699929969668563,
            ],
            precision: [0.0, 0.4, 0.0],
            recall: [0.0, 1.0, 0.0],
            f1: [0.0, 0.5714285714285714, 0.0],
            confusion: [[0, 3, 0], [0, 4, 0], [0, 3, 0]],
        },
        Golden {
            name: "all of one class, predicted otherwise",
            probabilities: &[0.7, 0.2, 0.1, 0.1, 0.6, 0.3, 0.25, 0.35, 0.4, 0.05, 0.9, 0.05],
            targets: &[2, 2, 2, 2],
            predicted: &[0, 1, 2, 1],
            prior: [0.25, 0.5, 0.25],
            scores: [
                0.25,
                0.25,
                0.13333333333333333,
                0.0,
                1.8546452045770538,
                1.1149999846145513,
                0.6999999955296516,
                1.3862943611198906,
            ],
            precision: [0.0, 0.0, 1.0],
            recall: [0.0, 0.0, 0.25],
            f1: [0.0, 0.0, 0.4],
            confusion: [[0, 0, 0], [0, 0, 0], [1, 2, 1]],
        },
        Golden {
            name: "perfect and certain",
            probabilities: &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0],
            targets: &[0, 1, 2, 1],
            predicted: &[0, 1, 2, 1],
            prior: [0.25, 0.5, 0.25],
            scores: [1.0, 1.0, 1.0, 1.0, 2.220446049250313e-16, 0.0, 0.0, 1.0397207708399179],
            precision: [1.0, 1.0, 1.0],
            recall: [1.0, 1.0, 1.0],
            f1: [1.0, 1.0, 1.0],
            confusion: [[1, 0, 0], [0, 2, 0], [0, 0, 1]],
        },
        Golden {
            name: "certain and wrong",
            probabilities: &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0],
            targets: &[1, 2, 0, 1],
            predicted: &[0, 1, 2, 1],
            prior: [0.25, 0.5, 0.25],
            scores: [
                0.25,
                0.16666666666666666,
                0.16666666666666666,
                -0.2,
                27.032740041837865,
                1.5,
                0.75,
                1.0397207708399179,
            ],
            precision: [0.0, 0.5, 0.0],
            recall: [0.0, 0.5, 0.0],
            f1: [0.0, 0.5, 0.0],
            confusion: [[0, 0, 1], [1, 1, 0], [0, 1, 0]],
        },
        Golden {
            name: "one row",
            probabilities: &[0.7, 0.2, 0.1],
            targets: &[0],
            predicted: &[0],
            prior: [0.3, 0.4, 0.3],
            scores: [
                1.0,
                1.0,
                0.3333333333333333,
                0.0,
                0.35667496096863105,
                0.14000000864267365,
                0.30000001192092896,
                1.2039728043259361,
            ],
            precision: [1.0, 0.0, 0.0],
            recall: [1.0, 0.0, 0.0],
            f1: [1.0, 0.0, 0.0],
            confusion: [[1, 0, 0], [0, 0, 0], [0, 0, 0]],
        },
        Golden {
            name: "one row, wrong",
            probabilities: &[0.7, 0.2, 0.1],
            targets: &[2],
            predicted: &[0],
            prior: [0.3, 0.4, 0.3],
            scores: [
                0.0,
                0.0,
                0.0,
                0.0,
                2.3025850780928847,
                1.3399999818205834,
                0.699999988079071,
                1.2039728043259361,
            ],
            precision: [0.0, 0.0, 0.0],
            recall: [0.0, 0.0, 0.0],
            f1: [0.0, 0.0, 0.0],
            confusion: [[0, 0, 0], [0, 0, 0], [1, 0, 0]],
        },
    ];

    fn of(golden: &Golden) -> Metrics {
        Metrics::of(golden.probabilities, golden.targets, golden.predicted, golden.prior).unwrap()
    }

    #[test]
    fn scores_are_those_of_scikit_learn() {
        let near = |name: &str, seen: &[f64], wanted: &[f64]| {
            assert_eq!(seen.len(), wanted.len());
            for (seen, wanted) in seen.iter().zip(wanted) {
                assert!((seen - wanted).abs() < 1e-14, "{name}: {seen} is not {wanted}");
            }
        };
        for golden in GOLDEN {
            let seen = of(golden);
            let scores = [
                seen.accuracy,
                seen.balanced_accuracy,
                seen.macro_f1,
                seen.mcc,
                seen.log_loss,
                seen.brier,
                seen.expected_calibration_error,
                seen.prior_log_loss,
            ];
            near(golden.name, &scores, &golden.scores);
            near(golden.name, &seen.precision, &golden.precision);
            near(golden.name, &seen.recall, &golden.recall);
            near(golden.name, &seen.f1, &golden.f1);
            near(golden.name, &[seen.skill], &[1.0 - golden.scores[4] / golden.scores[7]]);
            assert_eq!(seen.confusion.counts, golden.confusion, "{}", golden.name);
            assert_eq!(seen.rows as usize, golden.targets.len());
        }
    }

    #[test]
    fn each_name_gets_its_own_field() {
        let mut metrics = of(&GOLDEN[0]);
        assert!(metrics.get(MetricName::Loss).is_nan());
        metrics.loss = Some(0.25);
        let seen = MetricName::ALL.map(|name| metrics.get(name));
        let [accuracy, balanced, macro_f1, mcc, log_loss, brier, calibration, prior] = GOLDEN[0].scores;
        let skill = 1.0 - log_loss / prior;
        let wanted = [0.25, log_loss, brier, calibration, skill, accuracy, balanced, macro_f1, mcc];
        for (seen, wanted) in seen.iter().zip(wanted) {
            assert!((seen - wanted).abs() < 1e-14);
        }
    }

    #[test]
    fn advantage_is_the_prior_less_the_model_row_by_row() {
        for golden in GOLDEN {
            let rows = log_loss_advantage(golden.probabilities, golden.targets, golden.prior).unwrap();
            let mean = rows.iter().sum::<f64>() / rows.len() as f64;
            let wanted = golden.scores[7] - golden.scores[4];
            assert!((mean - wanted).abs() < 1e-14, "{}: {mean} is not {wanted}", golden.name);
        }
    }

    #[test]
    fn bad_rows_are_named() {
        let even = [0.25, 0.5, 0.25];
        let bad = |probabilities: &[f32], targets: &[u8], predicted: &[u8], prior| {
            Metrics::of(probabilities, targets, predicted, prior).unwrap_err().to_string()
        };
        let two = [0.5, 0.5, 0.0, 0.0, 0.5, 0.5];
        assert!(bad(&[], &[], &[], even).contains("no rows"));
        assert!(bad(&two[..5], &[0, 1], &[0, 1], even).contains("probabilities: 5 values"));
        assert!(bad(&two, &[0], &[0, 1], even).contains("2 rows, but 1 of targets"));
        assert!(bad(&two, &[0, 1], &[0], even).contains("2 rows, but 1 of predicted"));
        assert!(bad(&two, &[0, 3], &[0, 1], even).contains("targets, row 1"));
        assert!(bad(&two, &[0, 1], &[0, 4], even).contains("predicted classes, row 1"));
        assert!(bad(&[0.5, 0.5, f32::NAN], &[0], &[0], even).contains("probabilities, row 0"));
        assert!(bad(&two, &[0, 1], &[0, 1], [0.5, 0.4, 0.3]).contains("prior"));
        assert!(bad(&two, &[0, 1], &[0, 1], [f64::NAN, 0.5, 0.5]).contains("prior"));
        assert!(log_loss_advantage(&two, &[0, 3], even).is_err());
    }

    #[test]
    fn stored_metrics_come_back() {
        for loss in [None, Some(0.1)] {
            let metrics = Metrics { loss, ..of(&GOLDEN[0]) };
            let text = serde_json::to_string(&metrics).unwrap();
            assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), metrics);
        }
    }
}
