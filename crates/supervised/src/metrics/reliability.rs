//! Whether predictions made with a confidence of 70 % are right 70 % of the time.

use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;
use crate::prediction_rows::{
    check_class, check_probabilities, check_row_counts, most_probable_class, rows_of_three,
};

/// Number of bins, the M of Guo et al. (2017).
pub const RELIABILITY_BINS: usize = 15;

/// The rows whose highest probability lies in one bin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReliabilityBin {
    /// Probabilities above this belong to the bin.
    pub lower: f64,
    /// Probabilities up to and with this belong to the bin.
    pub upper: f64,
    /// Number of rows.
    pub count: u64,
    /// Mean of the highest probability; none without rows.
    pub mean_confidence: Option<f64>,
    /// Share of rows whose most probable class is the true one; none without rows.
    pub accuracy: Option<f64>,
}

/// Reliability table: [`RELIABILITY_BINS`] equal bins `(m/M, (m+1)/M]` of the highest probability of a row
/// (Guo, Pleiss, Sun and Weinberger 2017, "On calibration of modern neural networks", arXiv 1706.04599,
/// section 2).
///
/// It speaks of the probabilities: what counts as right is the most probable class
/// (`most_probable_class`), not what a decision rule made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// The bins in rising order, also those without rows.
    pub bins: Vec<ReliabilityBin>,
}

impl Reliability {
    /// The table of `probabilities` (`[rows, 3]`) against the true classes `targets` (`[rows]`).
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for no rows, different lengths, a target that is no class and a row that is
    /// no distribution; it names the row.
    pub fn of(probabilities: &[f32], targets: &[u8]) -> Result<Self, SupervisedError> {
        let rows = rows_of_three(probabilities, "probabilities")?;
        check_row_counts("probabilities", rows.len(), "targets", targets.len())?;
        let mut sums = ReliabilitySums::default();
        for (row, (&values, &target)) in rows.iter().zip(targets).enumerate() {
            check_probabilities(row, values)?;
            check_class("targets", row, target)?;
            sums.add(values, target);
        }
        Ok(sums.table())
    }

    /// Mean distance of accuracy and confidence over the bins, weighted by their rows (equation 3 of Guo et
    /// al.); 0 is perfect.
    pub fn expected_calibration_error(&self) -> f64 {
        let rows: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let distance = |bin: &ReliabilityBin| {
            let (confidence, accuracy) = bin.mean_confidence.zip(bin.accuracy)?;
            Some(bin.count as f64 * (accuracy - confidence).abs())
        };
        if rows == 0 { 0.0 } else { self.bins.iter().filter_map(distance).sum::<f64>() / rows as f64 }
    }
}

/// The sums of each bin, taken row by row.
#[derive(Default)]
pub(super) struct ReliabilitySums {
    count: [u64; RELIABILITY_BINS],
    hits: [u64; RELIABILITY_BINS],
    confidence: [f64; RELIABILITY_BINS],
}

impl ReliabilitySums {
    /// Counts one row, which has been checked.
    #[inline]
    pub(super) fn add(&mut self, values: [f32; 3], target: u8) {
        let class = most_probable_class(values);
        let confidence = f64::from(values[usize::from(class)]);
        // Exact: the product of 24 and 4 bits fits into a double. The clamp is for a sum rounded above 1.
        let bin = ((confidence * RELIABILITY_BINS as f64).ceil() as usize).clamp(1, RELIABILITY_BINS) - 1;
        self.count[bin] += 1;
        self.hits[bin] += u64::from(class == target);
        self.confidence[bin] += confidence;
    }

    pub(super) fn table(&self) -> Reliability {
        let bin = |index: usize| {
            let count = self.count[index];
            let mean = |sum: f64| (count > 0).then(|| sum / count as f64);
            ReliabilityBin {
                lower: index as f64 / RELIABILITY_BINS as f64,
                upper: (index + 1) as f64 / RELIABILITY_BINS as f64,
                count,
                mean_confidence: mean(self.confidence[index]),
                accuracy: mean(self.hits[index] as f64),
            }
        };
        Reliability { bins: (0..RELIABILITY_BINS).map(bin).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_falls_into_its_bin() {
        // 0.6 of 32 bits lies above 9/15, 0.4 above 6/15, and 1 in the last bin.
        let probabilities = [0.6, 0.2, 0.2, 0.4, 0.3, 0.3, 1.0, 0.0, 0.0, 0.59, 0.21, 0.2];
        let table = Reliability::of(&probabilities, &[0, 1, 0, 0]).unwrap();
        let counts: Vec<u64> = table.bins.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 1]);
        assert_eq!(table.bins[6].accuracy, Some(0.0));
        assert_eq!(table.bins[6].mean_confidence, Some(f64::from(0.4_f32)));
        assert_eq!(table.bins[0].accuracy, None);
        assert_eq!((table.bins[14].upper, table.bins[14].accuracy), (1.0, Some(1.0)));
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<Reliability>(&text).unwrap(), table);
    }

    #[test]
    fn bad_rows_are_named() {
        let bad = |probabilities: &[f32], targets: &[u8]| {
            Reliability::of(probabilities, targets).unwrap_err().to_string()
        };
        assert!(bad(&[], &[]).contains("no rows"));
        assert!(bad(&[0.5, 0.5, 0.0], &[0, 1]).contains("1 rows, but 2"));
        assert!(bad(&[0.5, 0.5, 0.0, 0.5, f32::NAN, 0.5], &[0, 0]).contains("probabilities, row 1"));
        assert!(bad(&[0.5, 0.5, 0.0, 0.5, 0.5, 0.0], &[0, 9]).contains("targets, row 1"));
    }
}
