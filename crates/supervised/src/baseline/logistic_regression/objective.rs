//! Loss and gradient of the multinomial logistic regression.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Gradient};
use rayon::prelude::*;

use crate::baseline::Table;

/// Rows whose losses are summed by one thread. Fixed, so that the order of the sums is, too.
const BLOCK: usize = 4096;
/// Sums kept apart in a product of two rows, so that they vectorise.
const LANES: usize = 4;

/// `W x + b` of one row; `coefficients` `[3, columns]`.
pub(super) fn class_scores(row: &[f32], coefficients: &[f64], intercepts: [f64; 3]) -> [f64; 3] {
    let columns = row.len();
    let (first, rest) = coefficients.split_at(columns);
    let (second, third) = rest.split_at(columns);
    let mut lanes = [[0.0_f64; LANES]; 3];
    let (chunks, end) = row.as_chunks::<LANES>();
    let [first, second, third] = [first, second, third].map(|weights| weights.as_chunks::<LANES>().0);
    let weights = first.iter().zip(second).zip(third);
    for (values, ((one, two), three)) in chunks.iter().zip(weights) {
        for lane in 0..LANES {
            let value = f64::from(values[lane]);
            lanes[0][lane] += value * one[lane];
            lanes[1][lane] += value * two[lane];
            lanes[2][lane] += value * three[lane];
        }
    }
    let at = columns - end.len();
    std::array::from_fn(|class| {
        let weights = &coefficients[class * columns + at..(class + 1) * columns];
        let beyond: f64 = end.iter().zip(weights).map(|(&value, weight)| f64::from(value) * weight).sum();
        intercepts[class] + lanes[class].iter().sum::<f64>() + beyond
    })
}

/// Softmax of three scores and the logarithm of the sum of their exponentials.
pub(super) fn softmax(scores: [f64; 3]) -> ([f64; 3], f64) {
    let highest = scores[0].max(scores[1]).max(scores[2]);
    let powers = scores.map(|score| (score - highest).exp());
    let sum: f64 = powers.iter().sum();
    (powers.map(|power| power / sum), highest + sum.ln())
}

/// A point, its loss and its gradient. Parameters are `[3, columns]` coefficients and three intercepts.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) parameters: Vec<f64>,
    pub(super) loss: f64,
    pub(super) gradient: Vec<f64>,
}

/// The penalised mean loss over the rows of a table.
pub(super) struct Objective<'a> {
    table: Table<'a>,
    targets: &'a [u8],
    /// `1 / (C rows)`.
    penalty: f64,
}

impl<'a> Objective<'a> {
    pub(super) fn new(table: Table<'a>, targets: &'a [u8], inverse_regularisation: f64) -> Self {
        Self { table, targets, penalty: 1.0 / (inverse_regularisation * table.rows() as f64) }
    }

    /// Loss and gradient in one pass: blocks of rows side by side, summed in their order.
    pub(super) fn at(&self, parameters: &[f64]) -> Point {
        let columns = self.table.columns();
        let parts: Vec<(f64, Vec<f64>)> = self
            .table
            .values()
            .par_chunks(BLOCK * columns)
            .zip(self.targets.par_chunks(BLOCK))
            .map(|(values, targets)| block(values, targets, parameters))
            .collect();
        let count = self.table.rows() as f64;
        let mut loss = 0.0;
        let mut gradient = vec![0.0; parameters.len()];
        for (part, of_part) in parts {
            loss += part;
            gradient.iter_mut().zip(of_part).for_each(|(sum, value)| *sum += value);
        }
        gradient.iter_mut().for_each(|sum| *sum /= count);
        let coefficients = &parameters[..3 * columns];
        for (sum, coefficient) in gradient.iter_mut().zip(coefficients) {
            *sum += self.penalty * coefficient;
        }
        let squares: f64 = coefficients.iter().map(|coefficient| coefficient * coefficient).sum();
        let loss = loss / count + 0.5 * self.penalty * squares;
        Point { parameters: parameters.to_vec(), loss, gradient }
    }
}

/// Sum of the rows' losses and of their gradients.
fn block(values: &[f32], targets: &[u8], parameters: &[f64]) -> (f64, Vec<f64>) {
    let columns = values.len() / targets.len();
    let (coefficients, intercepts) = parameters.split_at(3 * columns);
    let intercepts = [intercepts[0], intercepts[1], intercepts[2]];
    let mut loss = 0.0;
    let mut gradient = vec![0.0; parameters.len()];
    let (first, rest) = gradient.split_at_mut(columns);
    let (second, rest) = rest.split_at_mut(columns);
    let (third, of_intercepts) = rest.split_at_mut(columns);
    for (row, &target) in values.chunks_exact(columns).zip(targets) {
        let class = usize::from(target);
        let scores = class_scores(row, coefficients, intercepts);
        let (mut errors, log_sum) = softmax(scores);
        loss += log_sum - scores[class];
        errors[class] -= 1.0;
        let sums = first.iter_mut().zip(second.iter_mut()).zip(third.iter_mut());
        for (&value, ((one, two), three)) in row.iter().zip(sums) {
            let value = f64::from(value);
            *one += value * errors[0];
            *two += value * errors[1];
            *three += value * errors[2];
        }
        of_intercepts.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error);
    }
    (loss, gradient)
}

/// What the solver sees. It asks for loss and gradient of one point one after the other; both come from one
/// pass.
pub(super) struct Problem<'a, F> {
    objective: &'a Objective<'a>,
    state: RefCell<Seen<F>>,
}

struct Seen<F> {
    last: Point,
    best: Point,
    passes: usize,
    /// Told the number of passes over the rows.
    report: F,
}

impl<'a, F: FnMut(usize)> Problem<'a, F> {
    pub(super) fn new(objective: &'a Objective<'a>, start: &[f64], report: F) -> Self {
        let point = objective.at(start);
        let seen = Seen { last: point.clone(), best: point, passes: 0, report };
        Self { objective, state: RefCell::new(seen) }
    }

    /// The point of the lowest loss; of equal ones the last.
    pub(super) fn into_best(self) -> Point {
        self.state.into_inner().best
    }

    fn visit<T>(&self, parameters: &[f64], read: impl Fn(&Point) -> T) -> T {
        let mut seen = self.state.borrow_mut();
        if seen.last.parameters != parameters {
            let point = self.objective.at(parameters);
            if point.loss <= seen.best.loss {
                seen.best = point.clone();
            }
            seen.last = point;
            seen.passes += 1;
            let passes = seen.passes;
            (seen.report)(passes);
        }
        read(&seen.last)
    }
}

impl<F: FnMut(usize)> CostFunction for &Problem<'_, F> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, parameters: &Self::Param) -> Result<f64, Error> {
        Ok(self.visit(parameters, |point| point.loss))
    }
}

impl<F: FnMut(usize)> Gradient for &Problem<'_, F> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, parameters: &Self::Param) -> Result<Vec<f64>, Error> {
        Ok(self.visit(parameters, |point| point.gradient.clone()))
    }
}
