//! Integrals of gradients along straight paths from background windows to explained ones.
//!
//! A path begins as one segment with one Gauss-Legendre rule. What the integral along a segment should be is
//! known: the difference of the outputs at its ends. A segment that misses it by more than it may is cut in
//! two halves, each with a rule of its own, and so on where it is needed: a steep place costs the logarithm
//! of its steepness, and a kink (of a ReLU, of the denominator of an mLSTM cell), at which rules of more
//! nodes hardly gain, is cornered.

use std::collections::VecDeque;

use rayon::prelude::*;

use super::differentiable_model::DifferentiableModel;
use super::expected_gradients::PathConfig;
use super::quadrature::QuadratureRule;
use super::windows::Windows;
use crate::error::SupervisedError;

/// Share of the tolerance that a path may miss; the rest is for the rounding of the model's outputs.
const PATH_SHARE: f64 = 0.5;

/// All paths from the background to some windows.
pub(super) struct Paths<'a> {
    pub(super) model: &'a dyn DifferentiableModel,
    pub(super) config: &'a PathConfig,
    pub(super) ends: PathEnds<'a>,
    /// `[windows, outputs]`
    pub(super) window_outputs: &'a [f32],
    /// `[background, outputs]`
    pub(super) background_outputs: &'a [f32],
}

/// Where paths lead, and the rule along them: all that threads share, as a model need not bear being shared.
#[derive(Clone, Copy)]
pub(super) struct PathEnds<'a> {
    pub(super) rule: &'a QuadratureRule,
    pub(super) windows: Windows<'a>,
    pub(super) background: Windows<'a>,
    pub(super) outputs: usize,
}

/// What the integrals add up to.
pub(super) struct PathSums {
    /// Sums over the background, `[windows, outputs, time, features]`.
    pub(super) values: Vec<f64>,
    /// Gradient evaluations of each path, `[windows, background]`.
    pub(super) nodes: Vec<usize>,
    /// Whether a path was given up at `maximum_nodes`, `[windows, background]`.
    pub(super) unfinished: Vec<bool>,
}

/// A piece of a path: one segment (the whole path), or two halves that share what they may miss.
struct Stretch {
    window: usize,
    background: usize,
    start: f64,
    end: f64,
    segments: usize,
    /// What the segments may miss together, in units of the outputs.
    budget: f64,
    /// Outputs at the ends of the segments, `[segments + 1, outputs]`.
    outputs: Vec<f32>,
}

impl Stretch {
    fn segment(&self, index: usize) -> (f64, f64) {
        if self.segments == 1 {
            return (self.start, self.end);
        }
        let middle = 0.5 * (self.start + self.end);
        if index == 0 { (self.start, middle) } else { (middle, self.end) }
    }
}

impl PathEnds<'_> {
    /// `background + share (window − background)`
    fn write_point(&self, stretch: &Stretch, share: f64, point: &mut [f32]) {
        let ends = self.background.window(stretch.background).iter().zip(self.windows.window(stretch.window));
        for (value, (from, to)) in point.iter_mut().zip(ends) {
            let (from, to) = (f64::from(*from), f64::from(*to));
            *value = (from + share * (to - from)) as f32;
        }
    }

    /// Writes `(window − background) ∫ ∇output` of one segment, `[outputs, time, features]`; gives the most
    /// that an output misses beyond what rounding explains.
    ///
    /// The inputs at the ends of a segment are rounded to f32, which shifts its outputs; the next segment is
    /// shifted by as much the other way. Without allowing for that, a steep model would have its paths cut
    /// for nothing. The shift is estimated from the mean gradient, with independent errors of the inputs.
    fn integrate_segment(
        &self,
        segments: &[(&Stretch, usize)],
        at: usize,
        gradients: &[f32],
        integral: &mut [f64],
    ) -> f64 {
        let (stretch, index) = segments[at];
        let (size, nodes, outputs) = (self.windows.size(), self.rule.nodes.len(), self.outputs);
        let (from, to) = (self.background.window(stretch.background), self.windows.window(stretch.window));
        let (start, end) = stretch.segment(index);
        let mut most = 0.0_f64;
        for (output, part) in integral.chunks_exact_mut(size).enumerate() {
            let first = (output * segments.len() + at) * nodes * size;
            let rows = gradients[first..first + nodes * size].chunks_exact(size);
            for (gradient, weight) in rows.zip(&self.rule.weights) {
                let weight = weight * (end - start);
                part.iter_mut()
                    .zip(gradient)
                    .for_each(|(sum, gradient)| *sum += weight * f64::from(*gradient));
            }
            let (mut total, mut shift) = (0.0, 0.0);
            for ((sum, from), to) in part.iter_mut().zip(from).zip(to) {
                shift += (*sum * f64::from(from.abs().max(to.abs()))).powi(2);
                *sum *= f64::from(*to) - f64::from(*from);
                total += *sum;
            }
            let end_output = |end: usize| f64::from(stretch.outputs[(index + end) * outputs + output]);
            let rounding = shift.sqrt() / (end - start) + end_output(0).abs() + end_output(1).abs();
            let missed = (total - (end_output(1) - end_output(0))).abs();
            if !missed.is_finite() {
                return f64::NAN;
            }
            most = most.max(missed - f64::from(f32::EPSILON) * rounding);
        }
        most
    }
}

impl Paths<'_> {
    /// Integrates all paths. `finished` is told the length of each piece that is done, in paths.
    pub(super) fn integrate(&self, finished: &mut dyn FnMut(f64)) -> Result<PathSums, SupervisedError> {
        let per_window = self.ends.outputs * self.ends.windows.size();
        let paths = self.ends.windows.count() * self.ends.background.count();
        let mut sums = PathSums {
            values: vec![0.0; self.ends.windows.count() * per_window],
            nodes: vec![self.config.nodes; paths],
            unfinished: vec![false; paths],
        };
        let mut queue = self.whole_paths();
        while !queue.is_empty() {
            let stretches = self.next_batch(&mut queue);
            let segments: Vec<(&Stretch, usize)> = stretches
                .iter()
                .flat_map(|stretch| (0..stretch.segments).map(move |index| (stretch, index)))
                .collect();
            let gradients = self.gradients(&segments)?;
            let mut integrals = vec![0.0; segments.len() * per_window];
            let ends = self.ends;
            let residuals: Vec<f64> = integrals
                .par_chunks_mut(per_window)
                .enumerate()
                .map(|(at, integral)| ends.integrate_segment(&segments, at, &gradients, integral))
                .collect();
            if residuals.iter().any(|residual| !residual.is_finite()) {
                return Err(SupervisedError::data(
                    "gradients of the model",
                    "some are not finite; the model overflows between a background window and an explained one",
                ));
            }
            queue.extend(self.settle(&stretches, &residuals, &integrals, &mut sums, finished)?);
        }
        Ok(sums)
    }

    fn whole_paths(&self) -> VecDeque<Stretch> {
        let outputs = self.ends.outputs;
        let path = |window: usize, background: usize| Stretch {
            window,
            background,
            start: 0.0,
            end: 1.0,
            segments: 1,
            budget: PATH_SHARE * self.config.tolerance,
            outputs: [
                &self.background_outputs[background * outputs..(background + 1) * outputs],
                &self.window_outputs[window * outputs..(window + 1) * outputs],
            ]
            .concat(),
        };
        (0..self.ends.windows.count())
            .flat_map(|window| {
                (0..self.ends.background.count()).map(move |background| path(window, background))
            })
            .collect()
    }

    /// As many as fill a batch. What is cut further comes to the end of the queue, so that the order of a
    /// path's pieces is the same for any size of batch.
    fn next_batch(&self, queue: &mut VecDeque<Stretch>) -> Vec<Stretch> {
        let (mut rows, mut batch) = (0, Vec::new());
        while let Some(stretch) = queue.pop_front() {
            rows += stretch.segments * self.config.nodes;
            if rows > self.config.batch {
                queue.push_front(stretch);
                break;
            }
            batch.push(stretch);
        }
        batch
    }

    /// Gradients at the nodes of the segments, `[outputs, segments * nodes, time, features]`.
    fn gradients(&self, segments: &[(&Stretch, usize)]) -> Result<Vec<f32>, SupervisedError> {
        let (size, nodes) = (self.ends.windows.size(), self.ends.rule.nodes.len());
        let mut points = vec![0.0; segments.len() * nodes * size];
        let ends = self.ends;
        points.par_chunks_mut(size).enumerate().for_each(|(row, point)| {
            let (stretch, index) = segments[row / nodes];
            let (start, end) = stretch.segment(index);
            ends.write_point(stretch, start + ends.rule.nodes[row % nodes] * (end - start), point);
        });
        let gradients = self.model.output_gradients(self.ends.windows.like(&points))?;
        check_length("gradients of the model", gradients.len(), self.ends.outputs * points.len())?;
        Ok(gradients)
    }

    /// Adds what is good enough, or may not be cut further, to the sums; gives the rest, cut in halves.
    fn settle(
        &self,
        stretches: &[Stretch],
        residuals: &[f64],
        integrals: &[f64],
        sums: &mut PathSums,
        finished: &mut dyn FnMut(f64),
    ) -> Result<Vec<Stretch>, SupervisedError> {
        let per_window = self.ends.outputs * self.ends.windows.size();
        let (mut at, mut cut) = (0, Vec::new());
        for stretch in stretches {
            let path = stretch.window * self.ends.background.count() + stretch.background;
            let budgets = budgets_of_cut(&residuals[at..at + stretch.segments], stretch.budget);
            for (index, budget) in budgets.into_iter().take(stretch.segments).enumerate() {
                let may_cut = sums.nodes[path] + 2 * self.config.nodes <= self.config.maximum_nodes;
                if let (Some(budget), true) = (budget, may_cut) {
                    sums.nodes[path] += 2 * self.config.nodes;
                    cut.push(self.cut(stretch, index, budget));
                } else {
                    sums.unfinished[path] |= budget.is_some();
                    let values = &mut sums.values[stretch.window * per_window..][..per_window];
                    let integral = &integrals[(at + index) * per_window..][..per_window];
                    values.iter_mut().zip(integral).for_each(|(sum, value)| *sum += value);
                    let (start, end) = stretch.segment(index);
                    finished(end - start);
                }
            }
            at += stretch.segments;
        }
        self.evaluate_middles(&mut cut)?;
        Ok(cut)
    }

    /// A segment as a stretch of two halves, without the outputs between them.
    fn cut(&self, stretch: &Stretch, index: usize, budget: f64) -> Stretch {
        let (start, end) = stretch.segment(index);
        let outputs = self.ends.outputs;
        let outputs = stretch.outputs[index * outputs..(index + 2) * outputs].to_vec();
        let (window, background) = (stretch.window, stretch.background);
        Stretch { window, background, start, end, segments: 2, budget, outputs }
    }

    fn evaluate_middles(&self, stretches: &mut [Stretch]) -> Result<(), SupervisedError> {
        if stretches.is_empty() {
            return Ok(());
        }
        let (size, outputs) = (self.ends.windows.size(), self.ends.outputs);
        let mut points = vec![0.0; stretches.len() * size];
        for (stretch, point) in stretches.iter().zip(points.chunks_exact_mut(size)) {
            self.ends.write_point(stretch, 0.5 * (stretch.start + stretch.end), point);
        }
        let middles = evaluate(self.model, self.ends.windows.like(&points), self.config.batch)?;
        for (stretch, middle) in stretches.iter_mut().zip(middles.chunks_exact(outputs)) {
            stretch.outputs.splice(outputs..outputs, middle.iter().copied());
        }
        Ok(())
    }
}

/// The outputs of all windows, `batch` at a time, `[windows, outputs]`.
pub(super) fn evaluate(
    model: &dyn DifferentiableModel,
    windows: Windows<'_>,
    batch: usize,
) -> Result<Vec<f32>, SupervisedError> {
    let mut outputs = Vec::with_capacity(windows.count() * model.outputs());
    for part in windows.chunks(batch) {
        let values = model.evaluate(part)?;
        check_length("outputs of the model", values.len(), part.count() * model.outputs())?;
        outputs.extend(values);
    }
    if outputs.iter().any(|output| !output.is_finite()) {
        return Err(SupervisedError::data(
            "outputs of the model",
            "some are not finite and cannot be explained",
        ));
    }
    Ok(outputs)
}

fn check_length(what: &str, length: usize, wanted: usize) -> Result<(), SupervisedError> {
    if length == wanted {
        return Ok(());
    }
    Err(SupervisedError::data(what, format!("they are {length} values, not {wanted}")))
}

/// What each segment of a stretch may miss after a cut; none where it is good enough as it is. What all of
/// them miss in the end is never above the budget: an accepted segment takes from it what it misses.
fn budgets_of_cut(residuals: &[f64], budget: f64) -> [Option<f64>; 2] {
    let (first, second) = (residuals[0], residuals.get(1).copied().unwrap_or(0.0));
    if first + second <= budget {
        [None, None]
    } else if residuals.len() == 1 || (second <= first && second <= 0.5 * budget) {
        [Some(budget - second), None]
    } else if first <= 0.5 * budget {
        [None, Some(budget - first)]
    } else {
        [Some(0.5 * budget), Some(0.5 * budget)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_is_cut() {
        assert_eq!(budgets_of_cut(&[1.0], 1.0), [None, None]);
        assert_eq!(budgets_of_cut(&[1.5], 1.0), [Some(1.0), None]);
        assert_eq!(budgets_of_cut(&[0.5, 0.5], 1.0), [None, None]);
        assert_eq!(budgets_of_cut(&[0.25, 2.0], 1.0), [None, Some(0.75)]);
        assert_eq!(budgets_of_cut(&[2.0, 0.25], 1.0), [Some(0.75), None]);
        assert_eq!(budgets_of_cut(&[0.5, 0.625], 1.0), [None, Some(0.5)]);
        assert_eq!(budgets_of_cut(&[0.75, 0.625], 1.0), [Some(0.5), Some(0.5)]);
    }

    proptest! {
        #[test]
        fn a_budget_is_never_overdrawn(first in 0.0..3.0_f64, second in 0.0..3.0_f64, budget in 0.01..2.0_f64) {
            let budgets = budgets_of_cut(&[first, second], budget);
            let spent: f64 = [first, second].iter().zip(budgets).map(|(own, cut)| cut.unwrap_or(*own)).sum();
            prop_assert!(spent <= budget * (1.0 + 1e-12));
            prop_assert!(budgets.iter().flatten().all(|left| *left >= 0.5 * budget));
        }
    }
}
