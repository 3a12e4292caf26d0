//! p-values of many tests at once.

use crate::error::SimError;

/// p-values adjusted by Holm's step-down, in the order given: rejecting those at or below α keeps the probability of even
/// one false rejection at α, however the tests depend on each other (Holm 1979).
///
/// # Errors
/// [`SimError::Data`] for a p-value outside [0, 1].
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>, SimError> {
    let order = ascending(p_values)?;
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, (test, p)) in order.into_iter().enumerate() {
        largest = largest.max((p * (p_values.len() - rank) as f64).min(1.0));
        if let Some(slot) = adjusted.get_mut(test) {
            *slot = largest;
        }
    }
    Ok(adjusted)
}

/// p-values adjusted by Benjamini and Hochberg's step-up, in the order given: rejecting those at or below α keeps the
/// expected share of false ones among the rejected at α, for tests that are independent or positively dependent
/// (Benjamini and Hochberg 1995).
///
/// # Errors
/// [`SimError::Data`] for a p-value outside [0, 1].
pub fn benjamini_hochberg(p_values: &[f64]) -> Result<Vec<f64>, SimError> {
    let order = ascending(p_values)?;
    let mut adjusted = vec![0.0; p_values.len()];
    let mut smallest = 1.0_f64;
    for (rank, (test, p)) in order.into_iter().enumerate().rev() {
        smallest = smallest.min(p * p_values.len() as f64 / (rank + 1) as f64);
        if let Some(slot) = adjusted.get_mut(test) {
            *slot = smallest;
        }
    }
    Ok(adjusted)
}

fn ascending(p_values: &[f64]) -> Result<Vec<(usize, f64)>, SimError> {
    if let Some((test, p)) = p_values.iter().enumerate().find(|(_, p)| !(0.0..=1.0).contains(*p)) {
        return Err(SimError::data(format!("p-value of test {test}"), format!("{p} is not between 0 and 1")));
    }
    let mut order: Vec<(usize, f64)> = p_values.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    Ok(order)
}
