//! Rows of three values, one per class `[Sell, Hold, Buy]`, beside the true class of each row.

use crate::error::SupervisedError;

/// How far the sum of a row of probabilities may be from 1: room for the rounding of `f32` and of ensembles.
const SUM_TOLERANCE: f32 = 1e-3;

/// The class of the highest value: `argmax` over `[Sell, Hold, Buy]`.
///
/// Among equal values Hold goes before Sell and Sell before Buy, so that a model that knows nothing
/// does nothing. (NumPy and PyTorch take the first, which would be Sell.)
pub(crate) const fn most_probable_class(values: [f32; 3]) -> u8 {
    let [sell, hold, buy] = values;
    class_of_highest([sell as f64, hold as f64, buy as f64])
}

/// [`most_probable_class`] without a branch: the search for a decision rule runs it some 10⁹ times.
#[inline]
pub(crate) const fn class_of_highest([sell, hold, buy]: [f64; 3]) -> u8 {
    let sells = (sell > hold) & (sell >= buy);
    let buys = (buy > hold) & (buy > sell);
    1 + buys as u8 - sells as u8
}

/// `values` of shape `[rows, 3]` row by row.
///
/// # Errors
/// [`SupervisedError::Data`] if the length is not divisible by three.
pub(crate) fn rows_of_three<'a>(values: &'a [f32], what: &str) -> Result<&'a [[f32; 3]], SupervisedError> {
    let (rows, rest) = values.as_chunks::<3>();
    if rest.is_empty() {
        return Ok(rows);
    }
    Err(SupervisedError::data(what, format!("{} values are no rows of three classes", values.len())))
}

/// Refuses two columns of different lengths, and empty ones.
pub(crate) fn check_row_counts(
    what: &str,
    rows: usize,
    other: &str,
    others: usize,
) -> Result<(), SupervisedError> {
    if rows != others {
        return Err(SupervisedError::data(what, format!("{rows} rows, but {others} of {other}")));
    }
    if rows == 0 {
        return Err(SupervisedError::data(what, "there are no rows; at least one is needed"));
    }
    Ok(())
}

/// Refuses a class other than 0, 1, 2.
#[inline]
pub(crate) fn check_class(what: &str, row: usize, class: u8) -> Result<(), SupervisedError> {
    if class < 3 {
        return Ok(());
    }
    Err(SupervisedError::data(
        format!("{what}, row {row}"),
        format!("class {class} is none of 0 (Sell), 1 (Hold), 2 (Buy)"),
    ))
}

/// Refuses a row that is no distribution over the classes: a value below 0 or not a number, or a sum that is
/// not 1.
#[inline]
pub(crate) fn check_probabilities(row: usize, values: [f32; 3]) -> Result<(), SupervisedError> {
    let [sell, hold, buy] = values;
    let far = (sell + hold + buy - 1.0).abs();
    // Comparisons with NaN are false.
    if (sell >= 0.0) & (hold >= 0.0) & (buy >= 0.0) & (far <= SUM_TOLERANCE) {
        return Ok(());
    }
    Err(SupervisedError::data(
        format!("probabilities, row {row}"),
        format!("{values:?} are no three numbers from 0 that add up to 1"),
    ))
}

/// Refuses a row of logits with an infinite value or one that is not a number.
#[inline]
pub(crate) fn check_logits(row: usize, values: [f32; 3]) -> Result<(), SupervisedError> {
    if values.iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    Err(SupervisedError::data(format!("logits, row {row}"), format!("{values:?} are not all finite")))
}

/// Refuses targets that hold fewer than two classes, from which nothing can be calibrated.
pub(crate) fn check_two_classes(targets: &[u8]) -> Result<(), SupervisedError> {
    if targets.iter().any(|&target| Some(&target) != targets.first()) {
        return Ok(());
    }
    Err(SupervisedError::data(
        "targets",
        format!("all {} rows are of one class; give rows of at least two classes", targets.len()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_value_wins_and_hold_wins_ties() {
        assert_eq!(most_probable_class([0.5, 0.2, 0.3]), 0);
        assert_eq!(most_probable_class([0.2, 0.5, 0.3]), 1);
        assert_eq!(most_probable_class([0.2, 0.3, 0.5]), 2);
        assert_eq!(most_probable_class([1.0, 1.0, 1.0]), 1);
        assert_eq!(most_probable_class([0.4, 0.4, 0.2]), 1);
        assert_eq!(most_probable_class([0.2, 0.4, 0.4]), 1);
        assert_eq!(most_probable_class([0.4, 0.2, 0.4]), 0);
    }

    #[test]
    fn what_is_no_row_is_refused_and_named() {
        assert!(rows_of_three(&[0.0; 4], "logits").unwrap_err().to_string().contains("logits: 4 values"));
        assert!(check_row_counts("a", 2, "b", 3).is_err());
        assert!(check_row_counts("a", 0, "b", 0).is_err());
        assert!(check_class("targets", 7, 3).unwrap_err().to_string().starts_with("targets, row 7:"));
        for bad in [[f32::NAN, 0.5, 0.5], [-0.1, 0.6, 0.5], [0.5, 0.5, 0.5], [f32::INFINITY, 0.0, 0.0]] {
            assert!(check_probabilities(9, bad).unwrap_err().to_string().contains("row 9"), "{bad:?}");
        }
        assert!(check_probabilities(0, [0.333_333_4, 0.333_333_4, 0.333_333_4]).is_ok());
        assert!(check_logits(4, [0.0, f32::NEG_INFINITY, 0.0]).unwrap_err().to_string().contains("row 4"));
        assert!(check_two_classes(&[1, 1, 1]).is_err());
        assert!(check_two_classes(&[]).is_err());
        assert!(check_two_classes(&[1, 1, 2]).is_ok());
    }
}
