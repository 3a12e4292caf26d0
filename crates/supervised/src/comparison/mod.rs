//! Whether one classifier is better than another on the same rows.
//!
//! Rows of market data depend on each other: labels overlap, and several series move together. The interval of
//! [`compare`] and the test [`clustered_mcnemar`] take time, in blocks, for what is drawn; [`mcnemar`] takes single
//! rows for it and is far too sure of itself here. [`SeedSummary`] says how much of a difference is the
//! seed's.

mod bootstrap;
mod mcnemar;
mod models;
mod seeds;
#[cfg(test)]
mod simulation;
mod timeline;

pub use bootstrap::{PairedComparison, PairedDifference, compare};
pub use mcnemar::{ClusteredMcNemar, McNemar, clustered_mcnemar, mcnemar};
pub use models::{Advantage, Comparison};
pub use seeds::SeedSummary;

use crate::error::SupervisedError;
use crate::prediction_rows::{check_class, check_row_counts};

/// Two classifiers on the same rows, of one or several series, in any order.
#[derive(Clone, Copy, Debug)]
pub struct PairedRows<'a> {
    /// Time of each row in milliseconds since 1970, `[rows]`. Rows of one time are never parted.
    pub open_times: &'a [i64],
    /// True classes, `[rows]`.
    pub targets: &'a [u8],
    /// Decisions of the first classifier, `[rows]`.
    pub classes_a: &'a [u8],
    /// Decisions of the second classifier, `[rows]`.
    pub classes_b: &'a [u8],
}

impl PairedRows<'_> {
    fn validate(&self) -> Result<(), SupervisedError> {
        let rows = self.targets.len();
        check_row_counts("targets", rows, "open times", self.open_times.len())?;
        check_row_counts("targets", rows, "classes of the first", self.classes_a.len())?;
        check_row_counts("targets", rows, "classes of the second", self.classes_b.len())?;
        let columns = [
            ("targets", self.targets),
            ("classes of the first", self.classes_a),
            ("classes of the second", self.classes_b),
        ];
        for (what, classes) in columns {
            classes.iter().enumerate().try_for_each(|(row, &class)| check_class(what, row, class))?;
        }
        Ok(())
    }
}
