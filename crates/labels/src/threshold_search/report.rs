//! What a search found.

use serde::Serialize;

use crate::error::LabelError;
use crate::label_series::shares_of_counts;
use crate::labeler::Labeler;
use crate::splits::TrainCandles;

/// A labeler with the thresholds found, and the classes that it gives on the training time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThresholdReport {
    /// The labeler, ready for use.
    pub labeler: Labeler,
    /// The shares asked for, in class order.
    pub target: [f64; 3],
    /// All series together.
    pub pooled: SeriesShares,
    /// Each series, in the order given.
    pub series: Vec<SeriesShares>,
    /// Position in `series` of the one that is furthest from the target.
    pub worst: usize,
}

/// The classes of one series, or of all together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeriesShares {
    /// Key of the series, or `pooled`.
    pub name: String,
    /// Number of labels per class, in class order.
    pub counts: [usize; 3],
    /// Shares of the classes, in class order; zeros where there is no label.
    pub shares: [f64; 3],
    /// Largest absolute difference between a share and its target; 0 where there is no label.
    pub deviation: f64,
}

impl SeriesShares {
    fn of(name: String, counts: [usize; 3], target: [f64; 3]) -> Self {
        Self { name, counts, shares: shares_of_counts(counts), deviation: Self::deviation(counts, target) }
    }

    /// Largest absolute difference between a share and its target; 0 where there is no label.
    pub(super) fn deviation(counts: [usize; 3], target: [f64; 3]) -> f64 {
        if counts == [0; 3] {
            return 0.0;
        }
        let difference = |(share, target): (&f64, &f64)| (share - target).abs();
        shares_of_counts(counts).iter().zip(&target).map(difference).fold(0.0, f64::max)
    }
}

impl ThresholdReport {
    /// Labels the training time with `labeler` as it is and counts.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`], or [`LabelError::SeriesTooLong`].
    pub fn measure(
        labeler: Labeler,
        target: [f64; 3],
        candles: &[TrainCandles<'_>],
    ) -> Result<Self, LabelError> {
        let mut pooled = [0; 3];
        let mut series = Vec::with_capacity(candles.len());
        for candles in candles {
            let mut counts = [0; 3];
            for (index, row) in labeler.label(candles.series())?.iter() {
                if candles.admits(index, row.window_end_index as usize) {
                    counts[row.label.index()] += 1;
                    pooled[row.label.index()] += 1;
                }
            }
            series.push(SeriesShares::of(candles.key().to_string(), counts, target));
        }
        let mut worst = 0;
        for (index, shares) in series.iter().enumerate() {
            if shares.deviation > series[worst].deviation {
                worst = index;
            }
        }
        Ok(Self {
            labeler,
            target,
            pooled: SeriesShares::of("pooled".to_owned(), pooled, target),
            series,
            worst,
        })
    }

    /// The labeler as lines of a TOML table ([`Labeler::to_toml`]), behind comments that say what it gives.
    pub fn to_toml(&self) -> String {
        let percent = |shares: [f64; 3]| shares.map(|share| format!("{:.2} %", 100.0 * share)).join(", ");
        let mut text = format!("# sell, hold, buy: wanted {}\n", percent(self.target));
        let mut line = |what: &str, shares: &SeriesShares| {
            let labels: usize = shares.counts.iter().sum();
            text.push_str(&format!("# {what}: {} of {labels} labels\n", percent(shares.shares)));
        };
        line("all series", &self.pooled);
        if let Some(worst) = self.series.get(self.worst) {
            line(&format!("furthest, {}", worst.name), worst);
        }
        text + &self.labeler.to_toml()
    }
}
