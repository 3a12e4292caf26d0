//! Two models on the rows that both have judged.

use std::collections::HashMap;

use market_data::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ClusteredMcNemar, McNemar, PairedComparison, PairedRows, clustered_mcnemar, compare, mcnemar};
use crate::assessment::JudgedRows;
use crate::dataset::CLASSES;
use crate::error::SupervisedError;
use crate::metrics::BootstrapConfig;

/// Blocks that there must be for an interval or a test over them to be believed.
const LEAST_BLOCKS: u64 = 20;

/// What a model is worth beside another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Rows that both judged.
    pub rows: u64,
    /// Differences with intervals; absent where there are fewer than twenty blocks of time.
    pub paired: Option<PairedComparison>,
    /// McNemar's test with single rows taken for independent, which overlapping labels are not.
    pub mcnemar: McNemar,
    /// The same over blocks of time: the one to trust. Absent as `paired`.
    pub clustered: Option<ClusteredMcNemar>,
}

/// What the 99 % interval of a macro-F1 difference says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advantage {
    /// The first is better, beyond chance.
    First,
    /// It cannot be told.
    Unclear,
    /// The second is better, beyond chance.
    Second,
}

impl Comparison {
    /// Compares decisions and probabilities on the rows that both have: same series, same candle. `block` are the candles that
    /// depend on each other, several times the window of the labels; `seed` is that of the bootstrap.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where no row is common, or where the two have different classes for one.
    pub fn of(
        first: &JudgedRows,
        second: &JudgedRows,
        block: usize,
        seed: u64,
    ) -> Result<Self, SupervisedError> {
        let pairs = common_rows(first, second)?;
        let (left, right): (Vec<usize>, Vec<usize>) = pairs.into_iter().unzip();
        let open_times: Vec<i64> =
            left.iter().map(|row| first.rows().open_times()[*row].as_millis()).collect();
        let targets = picked(first.rows().targets(), &left);
        let (classes_a, classes_b) = (picked(first.classes(), &left), picked(second.classes(), &right));
        let rows = PairedRows {
            open_times: &open_times,
            targets: &targets,
            classes_a: &classes_a,
            classes_b: &classes_b,
        };
        // The outermost percentiles take more resamples.
        let config = BootstrapConfig { block_length: block.max(1), resamples: 4_000, seed };
        let times = {
            let mut times = open_times.clone();
            times.sort_unstable();
            times.dedup();
            times.len() as u64
        };
        let enough = times >= LEAST_BLOCKS * config.block_length as u64;
        let of_rows = |judged: &JudgedRows, rows: &[usize]| -> Vec<f32> {
            rows.iter().flat_map(|row| &judged.probabilities()[row * CLASSES..][..CLASSES]).copied().collect()
        };
        let (probabilities_a, probabilities_b) = (of_rows(first, &left), of_rows(second, &right));
        let probabilities = Some((probabilities_a.as_slice(), probabilities_b.as_slice()));
        let right_alone = |one: &[u8], other: &[u8]| {
            let of_row = |(target, (one, other))| target == one && target != other;
            targets.iter().zip(one.iter().zip(other)).filter(|row| of_row(*row)).count() as u64
        };
        Ok(Self {
            rows: targets.len() as u64,
            paired: enough.then(|| compare(&rows, probabilities, &config)).transpose()?,
            mcnemar: mcnemar(right_alone(&classes_a, &classes_b), right_alone(&classes_b, &classes_a)),
            clustered: enough.then(|| clustered_mcnemar(&rows, config.block_length)).transpose()?,
        })
    }

    /// Which has the higher macro-F1.
    #[must_use]
    pub fn advantage(&self) -> Advantage {
        match &self.paired {
            Some(paired) if paired.macro_f1.claim_lower > 0.0 => Advantage::First,
            Some(paired) if paired.macro_f1.claim_upper < 0.0 => Advantage::Second,
            _ => Advantage::Unclear,
        }
    }
}

fn picked(values: &[u8], rows: &[usize]) -> Vec<u8> {
    rows.iter().map(|row| values[*row]).collect()
}

/// Positions in both of the rows of the same series and candle.
fn common_rows(first: &JudgedRows, second: &JudgedRows) -> Result<Vec<(usize, usize)>, SupervisedError> {
    type Place<'a> = (Option<&'a str>, Timestamp);
    let place = |judged: &JudgedRows, row: usize| (row, judged.rows().open_times()[row]);
    let mut of_second: HashMap<Place<'_>, usize> = HashMap::with_capacity(second.rows().len());
    for row in 0..second.rows().len() {
        let (row, time) = place(second, row);
        of_second.insert((second.rows().series_of(row), time), row);
    }
    let mut pairs = Vec::with_capacity(first.rows().len());
    for row in 0..first.rows().len() {
        let (row, time) = place(first, row);
        let Some(other) = of_second.get(&(first.rows().series_of(row), time)) else { continue };
        if first.rows().targets()[row] != second.rows().targets()[*other] {
            let what = format!("the candle of {time}");
            let reason = "the two models were judged by different labels; judge both by the same labeler";
            return Err(SupervisedError::data(what, reason));
        }
        pairs.push((row, *other));
    }
    if pairs.is_empty() {
        let reason = "the two models have no candle in common; judge both on the same candles";
        return Err(SupervisedError::data("a comparison", reason));
    }
    Ok(pairs)
}
