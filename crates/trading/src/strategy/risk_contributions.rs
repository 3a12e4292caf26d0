//! The weights at which every asset brings the same risk.

use crate::error::TradingError;

/// Shares of the risk that the solution brings agree within this.
const AGREEMENT: f64 = 1e-10;
/// Rounds over all assets before steps over all coordinates at once follow. Usual matrices need some tens.
const MAXIMUM_CYCLES: usize = 300;
/// Such steps before the solver gives up.
const MAXIMUM_STEPS: usize = 300;
/// How far, in correlations, a matrix may be from symmetric and from having no negative eigenvalue.
const TOLERANCE: f64 = 1e-9;
const FIELD: &str = "equal_risk_contribution.covariance";

/// Weights, all above zero and one in sum, at which each of `n` assets brings the same share of the
/// portfolio's variance: `w_i · (Σw)_i` is the same for all i (Maillard, Roncalli and Teïletche 2010, "The
/// properties of equally weighted risk contribution portfolios").
///
/// `covariance` has shape `[n, n]`, row by row, in any unit.
///
/// Method: cyclical coordinate descent (Griveau-Billion, Richard and Roncalli 2013, "A fast algorithm for
/// computing high-dimensional risk parity portfolios"). It is taken on `½ yᵀCy − Σ ln y_i` (Spinu 2013, "An
/// algorithm for computing risk parity weights"), whose minimum has the same direction as that of the paper's
/// `√(yᵀCy) − λ Σ ln y_i`; in one coordinate its minimum is the positive root of `y_i² + β_i y_i − 1 = 0`
/// with `β_i = Σ_{j≠i} C_ij y_j`, so that every step goes down. C is the correlation matrix; `w_i` is
/// proportional to `y_i / σ_i`. The end is where the shares of the risk agree within 1e-10. Where 300 rounds
/// do not bring that, as with assets that hedge each other well, damped steps of Newton's method on the same
/// function go on from there.
///
/// # Errors
/// [`TradingError::Config`] where the matrix is not `[n, n]`, not finite, not symmetric, has a variance that
/// is not above zero or a negative eigenvalue, or where assets hedge each other so well that the shares do
/// not come to agree.
pub fn equal_risk_contribution(covariance: &[f64], n: usize) -> Result<Vec<f64>, TradingError> {
    let deviations = deviations_of(covariance, n)?;
    let correlation = correlation_of(covariance, &deviations)?;
    check_semidefinite(&correlation, n)?;
    // Exact where all rows have the same sum, as with two assets or equal correlations.
    let mean_row = correlation.iter().sum::<f64>() / n as f64;
    let start = if mean_row > 0.0 { mean_row.sqrt().recip().min(1e3) } else { 1.0 };
    let mut solution = vec![start; n];
    for round in 0..MAXIMUM_CYCLES + MAXIMUM_STEPS {
        if disagreement(&correlation, &solution) <= AGREEMENT {
            return normalised(&solution, &deviations);
        }
        if round < MAXIMUM_CYCLES {
            cycle(&correlation, &mut solution);
        } else if newton_step(&correlation, &mut solution).is_none() {
            break;
        }
    }
    let problem = format!("no agreement of risk within {AGREEMENT}");
    Err(TradingError::config(
        FIELD,
        problem,
        "leave out one of the assets that hedge each other almost fully",
    ))
}

/// Takes each coordinate in turn to its minimum, the others held.
fn cycle(correlation: &[f64], solution: &mut [f64]) {
    for (asset, row) in correlation.chunks_exact(solution.len()).enumerate() {
        let others = row.iter().zip(&*solution).enumerate();
        let beta = others.fold(0.0, |sum, (other, (c, y))| if other == asset { sum } else { sum + c * y });
        if let Some(y) = solution.get_mut(asset) {
            *y = positive_root(beta);
        }
    }
}

/// A damped step of Newton's method on `½ yᵀCy − Σ ln y_i`: with gradient g, Hessian H and decrement `λ =
/// √(gᵀH⁻¹g)` it goes `1 / (1 + λ)` of the way, or all of it where λ is small. The function is
/// self-concordant, so that all y stay above zero and it converges from anywhere (Nesterov and Nemirovskii
/// 1994; Spinu 2013, section 3).
fn newton_step(correlation: &[f64], solution: &mut [f64]) -> Option<()> {
    let n = solution.len();
    let gradient: Vec<f64> = correlation
        .chunks_exact(n)
        .zip(&*solution)
        .map(|(row, own)| row.iter().zip(&*solution).fold(0.0, |sum, (c, y)| sum + c * y) - own.recip())
        .collect();
    let mut hessian = correlation.to_vec();
    for (diagonal, y) in hessian.iter_mut().step_by(n + 1).zip(&*solution) {
        *diagonal += (y * y).recip();
    }
    let lower = cholesky(&hessian, n).ok()?;
    let mut step = gradient.clone();
    for row in 0..n {
        let known = (0..row).fold(0.0, |sum, k| sum + lower[row * n + k] * step[k]);
        step[row] = (step[row] - known) / lower[row * n + row];
    }
    for row in (0..n).rev() {
        let known = (row + 1..n).fold(0.0, |sum, k| sum + lower[k * n + row] * step[k]);
        step[row] = (step[row] - known) / lower[row * n + row];
    }
    let decrement = gradient.iter().zip(&step).fold(0.0, |sum, (g, s)| sum + g * s).max(0.0).sqrt();
    let share = if decrement < 0.25 { 1.0 } else { (1.0 + decrement).recip() };
    for (y, s) in solution.iter_mut().zip(&step) {
        *y -= share * s;
    }
    solution.iter().all(|y| y.is_finite() && *y > 0.0).then_some(())
}

/// The positive root of `y² + βy − 1 = 0`, without cancellation for either sign.
fn positive_root(beta: f64) -> f64 {
    let root = beta.hypot(2.0);
    if beta > 0.0 { 2.0 / (beta + root) } else { (root - beta) / 2.0 }
}

/// Largest minus smallest share of the variance.
fn disagreement(correlation: &[f64], solution: &[f64]) -> f64 {
    let (mut least, mut most, mut total) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
    for (row, own) in correlation.chunks_exact(solution.len()).zip(solution) {
        let contribution = own * row.iter().zip(solution).fold(0.0, |sum, (c, y)| sum + c * y);
        least = contribution.min(least);
        most = contribution.max(most);
        total += contribution;
    }
    let difference = (most - least) / total;
    // What is not positive risk is no agreement.
    if total > 0.0 && difference.is_finite() { difference } else { f64::INFINITY }
}

fn normalised(solution: &[f64], deviations: &[f64]) -> Result<Vec<f64>, TradingError> {
    // Relative to the least deviation, so that no unit makes the quotients overflow.
    let least = deviations.iter().copied().fold(f64::INFINITY, f64::min);
    let mut weights: Vec<f64> =
        solution.iter().zip(deviations).map(|(y, sigma)| y * (least / sigma)).collect();
    let sum: f64 = weights.iter().sum();
    for weight in &mut weights {
        *weight /= sum;
    }
    if weights.iter().all(|weight| weight.is_finite() && *weight > 0.0) {
        return Ok(weights);
    }
    let remedy = "leave out the asset whose variance is of another magnitude than all others";
    Err(TradingError::config(FIELD, format!("weights {weights:?}"), remedy))
}

fn deviations_of(covariance: &[f64], n: usize) -> Result<Vec<f64>, TradingError> {
    if n == 0 || n.checked_mul(n) != Some(covariance.len()) {
        let value = format!("{} numbers for {n} assets", covariance.len());
        return Err(TradingError::config(
            FIELD,
            value,
            "give n × n numbers, row by row, for at least one asset",
        ));
    }
    if let Some(at) = covariance.iter().position(|value| !value.is_finite()) {
        let value = format!("{:?} in row {}, column {}", covariance.get(at), at / n, at % n);
        return Err(TradingError::config(FIELD, value, "leave out assets whose returns are not all known"));
    }
    let diagonal = covariance.iter().step_by(n + 1);
    if let Some((asset, variance)) = diagonal.clone().enumerate().find(|(_, variance)| **variance <= 0.0) {
        let value = format!("variance {variance} of asset {asset}");
        return Err(TradingError::config(FIELD, value, "leave out assets that do not move"));
    }
    Ok(diagonal.map(|variance| variance.sqrt()).collect())
}

fn correlation_of(covariance: &[f64], deviations: &[f64]) -> Result<Vec<f64>, TradingError> {
    let n = deviations.len();
    let mut correlation = vec![0.0; n * n];
    for (row, sigma_row) in deviations.iter().enumerate() {
        for (column, sigma_column) in deviations.iter().enumerate() {
            // Each division by itself: the product of two small deviations could underflow.
            let above = covariance[row * n + column] / sigma_row / sigma_column;
            let below = covariance[column * n + row] / sigma_row / sigma_column;
            if (above - below).abs() > TOLERANCE {
                let value =
                    format!("{above} in row {row}, column {column} but {below} across (as correlations)");
                return Err(TradingError::config(FIELD, value, "give a symmetric matrix"));
            }
            correlation[row * n + column] = if row == column { 1.0 } else { (above + below) / 2.0 };
        }
    }
    Ok(correlation)
}

/// Refuses a matrix that has an eigenvalue below minus [`TOLERANCE`].
fn check_semidefinite(correlation: &[f64], n: usize) -> Result<(), TradingError> {
    let mut raised = correlation.to_vec();
    for diagonal in raised.iter_mut().step_by(n + 1) {
        *diagonal += TOLERANCE;
    }
    cholesky(&raised, n).map(drop).map_err(|asset| {
        let value = format!("a negative eigenvalue (found at asset {asset})");
        TradingError::config(FIELD, value, "estimate all covariances from the same rows")
    })
}

/// The lower triangle L with `LLᵀ = matrix`; the row at which that fails where the matrix is not positive
/// definite.
fn cholesky(matrix: &[f64], n: usize) -> Result<Vec<f64>, usize> {
    let mut lower = vec![0.0; n * n];
    for row in 0..n {
        for column in 0..=row {
            let product = (0..column).fold(0.0, |sum, k| sum + lower[row * n + k] * lower[column * n + k]);
            let rest = matrix[row * n + column] - product;
            if row != column {
                lower[row * n + column] = rest / lower[column * n + column];
                continue;
            }
            if rest.is_nan() || rest <= 0.0 {
                return Err(row);
            }
            lower[row * n + row] = rest.sqrt();
        }
    }
    Ok(lower)
}
