//! Tests of whether two classifiers are right equally often.

use serde::{Deserialize, Serialize};

use super::PairedRows;
use super::timeline::Timeline;
use crate::error::SupervisedError;

/// Rows on which exactly one is right, below which the binomial distribution is summed.
const EXACT_BELOW: u64 = 25;

/// McNemar's test on single rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McNemar {
    /// Rows that only the first classifier gets right, `b`.
    pub only_first: u64,
    /// Rows that only the second classifier gets right, `c`.
    pub only_second: u64,
    /// `(|b − c| − 1)² / (b + c)`; none where the binomial distribution was summed instead.
    pub chi_square: Option<f64>,
    /// Probability of a difference at least as large between two that are right equally often.
    pub p_value: f64,
}

/// McNemar's test on the number of rows that only the one or only the other gets right (McNemar 1947, "Note on the
/// sampling error of the difference between correlated proportions or percentages"): the exact binomial test,
/// two-sided, for fewer than 25 such rows, otherwise the chi-square with one degree of freedom and the continuity
/// correction of Edwards (1948), which is left out where both numbers are equal. It is statsmodels' `mcnemar`
/// with `exact` so chosen.
///
/// **It takes rows for independent.** Labels that overlap and series that move together are not: of a thousand
/// such rows hardly some dozen may say something of their own, and this p-value is then far too small. It is here
/// because it is the known one; the one to trust is [`clustered_mcnemar`], or the interval of
/// [`super::compare`], which is about macro F1.
pub fn mcnemar(only_first: u64, only_second: u64) -> McNemar {
    let (b, c) = (only_first, only_second);
    let rows = b.saturating_add(c);
    let (chi_square, p_value) = if rows < EXACT_BELOW {
        (None, two_sided_binomial(b.min(c), rows))
    } else {
        let beyond = b.abs_diff(c).saturating_sub(1) as f64;
        let chi_square = beyond * beyond / rows as f64;
        (Some(chi_square), two_sided_normal(chi_square.sqrt()))
    };
    McNemar { only_first, only_second, chi_square, p_value }
}

/// `2 P(X ≤ smaller)` of `rows` tosses of a fair coin, at most 1.
fn two_sided_binomial(smaller: u64, rows: u64) -> f64 {
    let (mut ways, mut sum) = (1.0, 0.0);
    for heads in 0..=smaller {
        sum += ways;
        ways *= (rows - heads) as f64 / (heads + 1) as f64;
    }
    (2.0 * sum * 0.5_f64.powi(rows as i32)).min(1.0)
}

/// `P(|Z| ≥ |z|)` of a standard normal Z.
fn two_sided_normal(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// McNemar's test on blocks of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusteredMcNemar {
    /// Rows that only the first classifier gets right.
    pub only_first: u64,
    /// Rows that only the second classifier gets right.
    pub only_second: u64,
    /// Number of blocks.
    pub blocks: u64,
    /// `Σ d / √(Σ d²)` over the blocks; above 0 the first is right more often, 0 where no block differs.
    pub z: f64,
    /// Probability of so large a |z| between two that are right equally often, from the normal distribution.
    pub p_value: f64,
}

/// McNemar's test with blocks of time as what is independent: `d` of a block is the number of rows that only
/// the first gets right less those that only the second does, all series together, and `z = Σ d / √(Σ d²)`. With
/// blocks of one size `z²` is the statistic of Durkalski et al. (2003, "Analysis of clustered matched-pair data"),
/// which divides each `d` by the rows of its block. Obuchowski (1998, "On the comparison of correlated proportions
/// for clustered data") takes the variance about the mean instead of about 0, which is the same where both are
/// equally good. With blocks of one row it is McNemar's z without correction.
///
/// A block is `block_length` (from 1) consecutive different times; the last one may be shorter. Take blocks several
/// times as long as a label reaches ahead, so that what crosses their borders is little, and at least some thirty
/// of them: z is only then about normal. This is the test to trust for whether two models are right equally often.
///
/// # Errors
/// [`SupervisedError::Config`] for empty blocks; [`SupervisedError::Data`] for columns of different lengths,
/// classes other than 0, 1, 2, and fewer than two blocks.
pub fn clustered_mcnemar(
    rows: &PairedRows<'_>,
    block_length: usize,
) -> Result<ClusteredMcNemar, SupervisedError> {
    rows.validate()?;
    if block_length == 0 {
        return Err(SupervisedError::config(
            "block_length",
            0,
            "give the number of times in a block, from 1",
        ));
    }
    let timeline = Timeline::new(rows);
    let times = timeline.times();
    if times <= block_length {
        let reason = format!("{times} different times are fewer than two blocks of {block_length}");
        return Err(SupervisedError::data("open times", reason));
    }
    let (mut only_first, mut only_second, mut blocks) = (0, 0, 0);
    let (mut sum, mut squares) = (0.0, 0.0);
    for from in (0..times).step_by(block_length) {
        let (mut first, mut second) = (0_u64, 0_u64);
        for row in timeline.rows(from, (from + block_length).min(times)) {
            let right = |classes: &[u8]| classes[row] == rows.targets[row];
            let (a, b) = (right(rows.classes_a), right(rows.classes_b));
            first += u64::from(a & !b);
            second += u64::from(b & !a);
        }
        let difference = first as f64 - second as f64;
        sum += difference;
        squares += difference * difference;
        only_first += first;
        only_second += second;
        blocks += 1;
    }
    let z = if squares == 0.0 { 0.0 } else { sum / squares.sqrt() };
    Ok(ClusteredMcNemar { only_first, only_second, blocks, z, p_value: two_sided_normal(z) })
}

#[cfg(test)]
mod tests;
