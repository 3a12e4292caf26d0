//! Multinomial logistic regression with a quadratic penalty.

mod objective;

use argmin::core::{Executor, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::table::{Table, check_targets};
use crate::error::SupervisedError;
use objective::{Objective, Problem, class_scores, softmax};

/// Pairs of steps and changes of the gradient that L-BFGS keeps; 10 as in SciPy, which scikit-learn calls.
const MEMORY: usize = 10;

/// How [`LogisticRegression`] is fitted. The defaults are scikit-learn's, with a tenth of its tolerance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticRegressionConfig {
    /// C, above 0: the sum of the rows' losses counts C times against half the squared coefficients. Smaller
    /// is stronger. 1 by default, which is next to nothing for hundreds of thousands of rows.
    pub inverse_regularisation: f64,
    /// Steps of L-BFGS at most, from 1. 300 by default: on standardised columns 30 to 100 are enough.
    pub maximum_iterations: u64,
    /// Length of the gradient of the mean loss at which the fit is done, above 0. 1e-5 by default, at which
    /// probabilities have settled to some four digits. Below 1e-7 the rounding of the loss ends the fit first.
    pub gradient_tolerance: f64,
}

impl Default for LogisticRegressionConfig {
    fn default() -> Self {
        Self { inverse_regularisation: 1.0, maximum_iterations: 300, gradient_tolerance: 1e-5 }
    }
}

impl LogisticRegressionConfig {
    /// Refuses numbers out of range.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        let positive = |field, value: f64| {
            let fine = value.is_finite() && value > 0.0;
            if fine { Ok(()) } else { Err(SupervisedError::config(field, value, "give a number above 0")) }
        };
        positive("inverse_regularisation", self.inverse_regularisation)?;
        positive("gradient_tolerance", self.gradient_tolerance)?;
        if self.maximum_iterations == 0 {
            return Err(SupervisedError::config("maximum_iterations", 0, "give at least 1"));
        }
        Ok(())
    }

    /// Minimises the mean negative log-likelihood plus `‖W‖² / (2 C rows)` (Hastie, Tibshirani and Friedman
    /// 2009, "The elements of statistical learning", section 4.4; scikit-learn's `LogisticRegression`) by L-BFGS
    /// (Liu and Nocedal 1989) with the line search of Moré and Thuente (1994). Intercepts are not penalised. `table`
    /// is `[rows, columns]`, `targets` `[rows]`; `progress` is given the share done of `maximum_iterations` and at
    /// last 1. The fit draws nothing, so the seed has no effect.
    ///
    /// Columns of very different sizes make it slow and the penalty unfair: standardise them before.
    ///
    /// A fit that ends before its tolerance is returned all the same; see [`LogisticRegression::converged`].
    ///
    /// # Errors
    /// [`SupervisedError::Config`] as [`Self::validate`]; [`SupervisedError::Data`] for targets that do not fit
    /// the table, and where the loss leaves the finite numbers.
    pub fn fit(
        &self,
        table: &Table<'_>,
        targets: &[u8],
        _seed: u64,
        progress: &mut dyn FnMut(f64),
    ) -> Result<LogisticRegression, SupervisedError> {
        self.validate()?;
        check_targets(table, targets)?;
        let start = vec![0.0; 3 * (table.columns() + 1)];
        let objective = Objective::new(*table, targets, self.inverse_regularisation);
        let most = self.maximum_iterations as f64;
        let problem = Problem::new(&objective, &start, |iteration| {
            progress((iteration as f64 / most).min(1.0));
        });
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY)
            .with_tolerance_grad(self.gradient_tolerance)
            .map_err(|error| SupervisedError::data("logistic regression", error.to_string()))?;
        // An error is a line search at the end of what rounding allows; the best point seen is kept either way.
        let run = Executor::new(&problem, solver)
            .configure(|state| state.param(start).max_iters(self.maximum_iterations))
            .timer(false)
            .run();
        let iterations = run.map_or(0, |result| result.state.get_iter());
        let best = problem.into_best();
        if !best.loss.is_finite() {
            let reason = format!("the loss is {}; standardise the columns", best.loss);
            return Err(SupervisedError::data("logistic regression", reason));
        }
        let gradient_norm = best.gradient.iter().map(|part| part * part).sum::<f64>().sqrt();
        let (coefficients, intercepts) = best.parameters.split_at(3 * table.columns());
        progress(1.0);
        Ok(LogisticRegression {
            coefficients: coefficients.to_vec(),
            intercepts: [intercepts[0], intercepts[1], intercepts[2]],
            iterations,
            gradient_norm,
            converged: gradient_norm <= self.gradient_tolerance,
        })
    }
}

/// A fitted multinomial logistic regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogisticRegression {
    coefficients: Vec<f64>,
    intercepts: [f64; 3],
    iterations: u64,
    gradient_norm: f64,
    converged: bool,
}

impl LogisticRegression {
    /// Coefficients, `[3, columns]`. Over the classes they add up to 0.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// One for each class; they add up to 0.
    pub fn intercepts(&self) -> [f64; 3] {
        self.intercepts
    }

    /// Steps that the fit took; 0 also where its last line search found nothing better.
    pub fn iterations(&self) -> u64 {
        self.iterations
    }

    /// Length of the gradient of the mean loss at the end.
    pub fn gradient_norm(&self) -> f64 {
        self.gradient_norm
    }

    /// Whether the gradient came below the tolerance. If not, raise `maximum_iterations` or standardise the
    /// columns.
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// `softmax(W x + b)` of each row, `[rows, 3]`.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for other columns than those of the fit.
    pub fn probabilities(&self, table: &Table<'_>) -> Result<Vec<f32>, SupervisedError> {
        table.expect_columns(self.coefficients.len() / 3)?;
        let mut probabilities = vec![0.0_f32; table.rows() * 3];
        let rows = table.values().par_chunks_exact(table.columns());
        probabilities.par_chunks_exact_mut(3).zip(rows).for_each(|(out, row)| {
            let (shares, _) = softmax(class_scores(row, &self.coefficients, self.intercepts));
            out.copy_from_slice(&shares.map(|share| share as f32));
        });
        Ok(probabilities)
    }
}

#[cfg(test)]
mod tests;
