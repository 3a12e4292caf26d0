//! The loss of a batch and its gradient.

use std::ops::AddAssign;

use super::asymmetric_focal::asymmetric_focal;
use super::confidence_penalty::confidence_penalty;
use super::cross_entropy::cross_entropy;
use super::softmax::Softmax;
use super::{CLASSES, require_length, require_row};
use crate::SupervisedError;

/// The loss at one moment of the schedule, from [`LossConfig::at_epoch`](super::LossConfig::at_epoch).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochLoss {
    pub(super) smoothing: f64,
    pub(super) cross_entropy_share: f64,
    pub(super) alpha: [f64; CLASSES],
    pub(super) gamma: [f64; CLASSES],
    pub(super) entropy_penalty: f64,
}

/// The loss of a batch (nats) by parts. Each part is what it adds to the total, so with its share or weight
/// in it; a part that is switched off is 0. None is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossValue {
    /// Share times cross-entropy.
    pub cross_entropy: f64,
    /// Share times focal loss.
    pub focal: f64,
    /// Weight times confidence penalty.
    pub confidence_penalty: f64,
}

impl LossValue {
    /// The sum of the parts, whose gradient is given.
    pub fn total(&self) -> f64 {
        self.cross_entropy + self.focal + self.confidence_penalty
    }
}

/// Adds up what several calls of [`EpochLoss::accumulate`] gave.
impl AddAssign for LossValue {
    fn add_assign(&mut self, other: Self) {
        self.cross_entropy += other.cross_entropy;
        self.focal += other.focal;
        self.confidence_penalty += other.confidence_penalty;
    }
}

impl EpochLoss {
    /// Share of the cross-entropy in the mixture, 0 to 1.
    pub fn cross_entropy_share(&self) -> f64 {
        self.cross_entropy_share
    }

    /// The loss Σ_i w_i ℓ(z_i, c_i) / `normaliser` of rows with logits z_i (`logits`, `[rows, 3]`), targets
    /// c_i (`targets`, `[rows]`, 0 to 2) and weights w_i (`weights`, `[rows]`, 0 or more). A row of weight 0
    /// does not count, whatever its logits and target are.
    ///
    /// Adds the gradient of this value to `gradient` (`[rows, 3]`), and w_i ℓ_i, not divided by the
    /// normaliser, to `per_row` (`[rows]`). Everything is linear in the weights, so MixUp is two calls, with
    /// weights λw for one target and (1 − λ)w for the other; `per_row` divided by w is then the row's mixed
    /// loss.
    ///
    /// `normaliser` is above 0, usually the sum of all weights of the batch, so of both calls of MixUp. A
    /// batch in which no row counts has no loss and is to be skipped.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for slices of different lengths, a normaliser that is not above 0, a weight
    /// that is negative or not finite, and, in a row that counts, a target above 2 or a logit that is not
    /// finite. Nothing is added then.
    pub fn accumulate(
        &self,
        logits: &[f32],
        targets: &[u8],
        weights: &[f32],
        normaliser: f64,
        gradient: &mut [f32],
        mut per_row: Option<&mut [f32]>,
    ) -> Result<LossValue, SupervisedError> {
        let rows = targets.len();
        require_length("logits", logits.len(), CLASSES * rows)?;
        require_length("weights", weights.len(), rows)?;
        require_length("gradient of the logits", gradient.len(), CLASSES * rows)?;
        require_length("losses of the rows", per_row.as_ref().map_or(rows, |per_row| per_row.len()), rows)?;
        if !(normaliser.is_finite() && normaliser > 0.0) {
            return Err(SupervisedError::data("normaliser", format!("{normaliser} is not above 0")));
        }
        let (logits, _) = logits.as_chunks::<CLASSES>();
        let (gradient, _) = gradient.as_chunks_mut::<CLASSES>();
        for row in 0..rows {
            require_row(row, weights[row], targets[row], &logits[row])?;
        }
        let mut sum = LossValue::default();
        for row in 0..rows {
            if weights[row] == 0.0 {
                continue;
            }
            let weight = f64::from(weights[row]);
            let (value, slope) = self.row(logits[row].map(f64::from), usize::from(targets[row]));
            sum.cross_entropy += weight * value.cross_entropy;
            sum.focal += weight * value.focal;
            sum.confidence_penalty += weight * value.confidence_penalty;
            for (into, slope) in gradient[row].iter_mut().zip(slope) {
                *into += (weight / normaliser * slope) as f32;
            }
            if let Some(per_row) = &mut per_row {
                per_row[row] += (weight * value.total()) as f32;
            }
        }
        Ok(LossValue {
            cross_entropy: sum.cross_entropy / normaliser,
            focal: sum.focal / normaliser,
            confidence_penalty: sum.confidence_penalty / normaliser,
        })
    }

    /// The loss of one row and its gradient.
    fn row(&self, logits: [f64; CLASSES], target: usize) -> (LossValue, [f64; CLASSES]) {
        let softmax = Softmax::of(logits);
        let mut value = LossValue::default();
        let mut gradient = [0.0; CLASSES];
        let mut add = |share: f64, slope: [f64; CLASSES]| {
            for (into, slope) in gradient.iter_mut().zip(slope) {
                *into += share * slope;
            }
        };
        let share = self.cross_entropy_share;
        if share > 0.0 {
            let part = cross_entropy(&softmax, target, self.smoothing);
            value.cross_entropy = share * part.value;
            add(share, part.gradient);
        }
        if share < 1.0 {
            let part = asymmetric_focal(&softmax, target, self.alpha[target], self.gamma[target]);
            value.focal = (1.0 - share) * part.value;
            add(1.0 - share, part.gradient);
        }
        if self.entropy_penalty > 0.0 {
            let part = confidence_penalty(&softmax);
            value.confidence_penalty = self.entropy_penalty * part.value;
            add(self.entropy_penalty, part.gradient);
        }
        (value, gradient)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::LossConfig;
    use super::super::row_tests::{ALPHA, GAMMA, LOGITS, TARGETS, assert_slope};
    use super::super::{RowLoss, row_tests};
    use super::*;

    /// Share 0.7, smoothing 0.1, the exponents of the golden rows, penalty 0.05.
    fn mixture() -> EpochLoss {
        let config = LossConfig {
            smoothing: 0.1,
            alpha: ALPHA,
            gamma: GAMMA,
            ce_weight_start: 0.7,
            ce_weight_end: 0.7,
            entropy_penalty: 0.05,
            asymmetric_focal: true,
            ..LossConfig::default()
        };
        config.at_epoch(0.0)
    }

    fn golden_logits() -> Vec<f32> {
        LOGITS.iter().flatten().map(|logit| *logit as f32).collect()
    }

    const WEIGHTS: [f32; 6] = [1.0, 0.5, 2.0, 0.25, 0.75, 1.5];
    /// PyTorch 2.15 in double precision: `0.7 * cross_entropy + 0.3 * focal + 0.05 * (ln 3 - H)` of the
    /// golden rows times these weights over 6, row by row and in total, and the gradient of the total.
    const ROWS: [f64; 6] = [
        0.31425506327648534,
        0.05791501904310692,
        0.24762416560941283,
        67.91895544226806,
        5.9112217407100305,
        0.1741493912868877,
    ];
    const TOTAL: f64 = 74.62412082219399;
    const GRADIENT: [[f64; 3]; 6] = [
        [-0.1596683911397211, 0.0015602356283055596, 0.15810815551141552],
        [0.0309453060168554, -0.029017560924510907, -0.001927745092344505],
        [0.04113088524421148, 0.11526693636758657, -0.1563978216117981],
        [0.034444444444444444, -0.03347222222222222, -0.0009722222222222221],
        [-0.0029166666666666664, 0.0551159030891386, -0.052199236422471935],
        [0.01166651652609105, -0.00583333681172821, -0.00583317971436285],
    ];

    #[test]
    fn a_batch_agrees_with_pytorch() {
        let (mut gradient, mut per_row) = ([0.0_f32; 18], [0.0_f32; 6]);
        let value = mixture()
            .accumulate(&golden_logits(), &TARGETS, &WEIGHTS, 6.0, &mut gradient, Some(&mut per_row))
            .unwrap();
        assert!((value.total() - TOTAL).abs() < 1e-12 * TOTAL, "{value:?}");
        for (seen, golden) in gradient.iter().zip(GRADIENT.as_flattened()) {
            assert!((f64::from(*seen) - golden).abs() < 1e-7 * golden.abs(), "{seen} instead of {golden}");
        }
        for (seen, golden) in per_row.iter().zip(ROWS) {
            assert!((f64::from(*seen) - 6.0 * golden).abs() < 1e-7 * 6.0 * golden, "{seen} and {golden}");
        }
    }

    #[test]
    fn parts_that_are_off_are_absent() {
        let run = |config: LossConfig| {
            let mut gradient = [0.0; 18];
            config
                .at_epoch(0.0)
                .accumulate(&golden_logits(), &TARGETS, &WEIGHTS, 6.0, &mut gradient, None)
                .unwrap()
        };
        let plain =
            run(LossConfig { asymmetric_focal: false, ce_weight_start: 0.5, ..LossConfig::default() });
        assert!(plain.cross_entropy > 0.0 && plain.focal == 0.0 && plain.confidence_penalty == 0.0);
        let focal = run(LossConfig {
            asymmetric_focal: true,
            ce_weight_start: 0.0,
            ce_weight_end: 0.0,
            ..LossConfig::default()
        });
        assert!(focal.cross_entropy == 0.0 && focal.focal > 0.0);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_adds_nothing() {
        let loss = mixture();
        let refused =
            |logits: &[f32], targets: &[u8], weights: &[f32], normaliser, gradient: usize, rows: usize| {
                let (mut gradient, mut per_row) = (vec![7.0; gradient], vec![7.0; rows]);
                let result =
                    loss.accumulate(logits, targets, weights, normaliser, &mut gradient, Some(&mut per_row));
                assert!(gradient.iter().chain(&per_row).all(|value| *value == 7.0));
                result.unwrap_err().to_string()
            };
        let (logits, targets, weights) = ([0.5, 1.0, -1.0, 0.0, 2.0, 1.0], [2, 0], [1.0, 1.0]);
        let nan = [0.5, 1.0, -1.0, 0.0, f32::NAN, 1.0];
        assert!(refused(&logits[..5], &targets, &weights, 1.0, 6, 2).starts_with("logits"));
        assert!(refused(&logits, &targets, &weights[..1], 1.0, 6, 2).starts_with("weights"));
        assert!(refused(&logits, &targets, &weights, 1.0, 5, 2).starts_with("gradient"));
        assert!(refused(&logits, &targets, &weights, 1.0, 6, 3).starts_with("losses"));
        assert!(refused(&logits, &targets, &weights, 0.0, 6, 2).starts_with("normaliser"));
        assert!(refused(&logits, &targets, &weights, f64::NAN, 6, 2).starts_with("normaliser"));
        assert!(refused(&logits, &[2, 3], &weights, 1.0, 6, 2).starts_with("target of row 1"));
        assert!(refused(&logits, &targets, &[1.0, -1.0], 1.0, 6, 2).starts_with("weight of row 1"));
        assert!(refused(&logits, &targets, &[1.0, f32::NAN], 1.0, 6, 2).starts_with("weight of row 1"));
        assert!(refused(&nan, &targets, &weights, 1.0, 6, 2).starts_with("network output of row 1"));
    }

    /// Rows of `(logits, target, weight)`.
    fn batch() -> impl Strategy<Value = Vec<([f32; 3], u8, f32)>> {
        let logits = prop_oneof![
            4 => [-6.0..6.0_f32, -6.0..6.0_f32, -6.0..6.0_f32],
            1 => [-1000.0..1000.0_f32, -1000.0..1000.0_f32, -1000.0..1000.0_f32],
        ];
        let weight = prop_oneof![3 => 0.1..3.0_f32, 1 => Just(0.0)];
        prop::collection::vec((logits, 0_u8..3, weight), 1..12)
    }

    struct Run {
        value: LossValue,
        gradient: Vec<f32>,
        per_row: Vec<f32>,
    }

    impl Run {
        fn empty(rows: usize) -> Self {
            Self {
                value: LossValue::default(),
                gradient: vec![0.0; CLASSES * rows],
                per_row: vec![0.0; rows],
            }
        }

        fn add(&mut self, batch: &[([f32; 3], u8, f32)], normaliser: f64) {
            let logits: Vec<f32> = batch.iter().flat_map(|row| row.0).collect();
            let targets: Vec<u8> = batch.iter().map(|row| row.1).collect();
            let weights: Vec<f32> = batch.iter().map(|row| row.2).collect();
            let (gradient, per_row) = (&mut self.gradient, Some(self.per_row.as_mut_slice()));
            self.value +=
                mixture().accumulate(&logits, &targets, &weights, normaliser, gradient, per_row).unwrap();
        }

        fn of(batch: &[([f32; 3], u8, f32)], normaliser: f64) -> Self {
            let mut run = Self::empty(batch.len());
            run.add(batch, normaliser);
            run
        }
    }

    fn near(left: f32, right: f32) -> bool {
        (left - right).abs() <= 1e-6 + 1e-5 * right.abs()
    }

    proptest! {
        #[test]
        fn the_gradient_of_the_mixture_is_the_slope(
            logits in row_tests::logits(),
            target in 0_usize..3,
            share in 0.0..1.0_f64,
            entropy_penalty in 0.0..1.0_f64,
        ) {
            let loss = EpochLoss { cross_entropy_share: share, entropy_penalty, ..mixture() };
            // The parts see the softmax alone, and any logits with these logarithms have this softmax.
            assert_slope(logits, |softmax| {
                let (value, gradient) = loss.row(softmax.log, target);
                RowLoss { value: value.total(), gradient }
            })?;
        }

        #[test]
        fn values_are_finite_and_not_negative_and_rows_of_the_gradient_add_up_to_zero(batch in batch()) {
            let run = Run::of(&batch, 2.5);
            let LossValue { cross_entropy, focal, confidence_penalty } = run.value;
            prop_assert!([cross_entropy, focal, confidence_penalty].iter().all(|part| *part >= 0.0));
            prop_assert!(run.value.total().is_finite());
            for row in run.gradient.chunks(3) {
                prop_assert!(row.iter().all(|slope| slope.is_finite()));
                prop_assert!(row.iter().sum::<f32>().abs() < 1e-6);
            }
            let sum: f64 = run.per_row.iter().map(|loss| f64::from(*loss)).sum();
            prop_assert!((sum / 2.5 - run.value.total()).abs() <= 1e-5 * sum);
        }

        #[test]
        fn rows_without_weight_do_not_count_whatever_they_hold(batch in batch()) {
            let mut spoiled = batch.clone();
            for row in spoiled.iter_mut().filter(|row| row.2 == 0.0) {
                (row.0, row.1) = ([f32::NAN, f32::INFINITY, 1e30], 255);
            }
            let counted: Vec<_> = batch.iter().copied().filter(|row| row.2 > 0.0).collect();
            let run = Run::of(&spoiled, 3.0);
            prop_assert_eq!(run.value, Run::of(&counted, 3.0).value);
            for (row, slope) in batch.iter().zip(run.gradient.chunks(3)) {
                prop_assert!(row.2 > 0.0 || slope == [0.0; 3]);
            }
        }

        #[test]
        fn it_is_linear_in_the_weights_and_scales_with_the_normaliser(
            batch in batch(),
            share in 0.0..1.0_f32,
            factor in 0.2..5.0_f64,
        ) {
            let whole = Run::of(&batch, 3.0);
            let scaled = |by: f32| batch.iter().map(|row| (row.0, row.1, by * row.2)).collect::<Vec<_>>();
            let mut mixed = Run::empty(batch.len());
            mixed.add(&scaled(share), 3.0);
            mixed.add(&scaled(1.0 - share), 3.0);
            prop_assert!((mixed.value.total() - whole.value.total()).abs() <= 1e-5 * whole.value.total());
            let divided = Run::of(&batch, 3.0 * factor);
            let expected = whole.value.total() / factor;
            prop_assert!((divided.value.total() - expected).abs() <= 1e-12 * expected);
            for index in 0..whole.gradient.len() {
                prop_assert!(near(mixed.gradient[index], whole.gradient[index]));
                let expected = f64::from(whole.gradient[index]) / factor;
                prop_assert!(near(divided.gradient[index], expected as f32));
            }
            for (row, (mixed, whole)) in mixed.per_row.iter().zip(&whole.per_row).enumerate() {
                prop_assert!(near(*mixed, *whole), "row {}: {} and {}", row, mixed, whole);
            }
        }
    }
}
