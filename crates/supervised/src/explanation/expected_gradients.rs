//! Expected gradients: SHAP values of networks, without sampling of the paths.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attributions::{Attributions, Completeness};
use super::differentiable_model::DifferentiableModel;
use super::path::{PathEnds, PathSums, Paths, evaluate};
use super::quadrature::gauss_legendre;
use super::windows::Windows;
use crate::error::SupervisedError;

/// Windows whose paths are worked on together. It bounds memory, and does not depend on the size of a batch,
/// which is then free of influence on the order of sums.
const GROUP: usize = 32;

/// How paths are integrated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PathConfig {
    /// Gradient evaluations of a segment (nodes of a Gauss-Legendre rule), from 2 to 64. A path begins as one
    /// segment; segments that do not add up are cut in halves. Between random windows, an untrained xLSTM of
    /// default size took 20 to 24 evaluations per path within the default tolerance for 6 to 16 nodes, and
    /// 31 for 4. More also leave less room for errors that cancel.
    pub nodes: usize,
    /// The most gradient evaluations of one path, those of cut segments included. What a path that ends there
    /// misses is reported.
    pub maximum_nodes: usize,
    /// How far attributions of a window may be from adding up to output minus expectation, in units of the
    /// output. Each path has to be within half of it, but for the rounding of inputs and outputs to f32.
    pub tolerance: f64,
    /// Windows that the model gets at a time; at least `2 * nodes`.
    pub batch: usize,
}

impl Default for PathConfig {
    fn default() -> Self {
        Self { nodes: 8, maximum_nodes: 512, tolerance: 1e-3, batch: 256 }
    }
}

impl PathConfig {
    /// Refuses what cannot be integrated with.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        if !(2..=64).contains(&self.nodes) {
            return Err(SupervisedError::config("path.nodes", self.nodes, "give a number from 2 to 64"));
        }
        if self.maximum_nodes < self.nodes {
            let remedy = "give at least `path.nodes`, the evaluations of a path that is not cut";
            return Err(SupervisedError::config("path.maximum_nodes", self.maximum_nodes, remedy));
        }
        if !(self.tolerance.is_finite() && self.tolerance > 0.0) {
            let remedy = "give a number above 0, in units of the outputs";
            return Err(SupervisedError::config("path.tolerance", self.tolerance, remedy));
        }
        if self.batch < 2 * self.nodes {
            let remedy = "give at least twice `path.nodes`: the halves of a segment are judged together";
            return Err(SupervisedError::config("path.batch", self.batch, remedy));
        }
        Ok(())
    }
}

/// Attributions by expected gradients, whether they add up, and what they cost.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedGradients {
    /// The values.
    pub attributions: Attributions,
    /// Whether they add up within the tolerance asked for.
    pub completeness: Completeness,
    /// Evaluations and paths.
    pub cost: PathCost,
}

/// What paths took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathCost {
    /// Pairs of a window and a background window.
    pub paths: u64,
    /// Points at which gradients (of all outputs) were taken, over all paths.
    pub gradient_evaluations: u64,
    /// The most of these on one path.
    pub most_nodes: u64,
    /// Paths that needed more than one segment.
    pub cut_paths: u64,
    /// Paths that were given up at `maximum_nodes`, before they added up as each path should.
    pub unfinished_paths: u64,
}

impl PathCost {
    fn add(&mut self, nodes: usize, sums: &PathSums) {
        let count = |holds: &mut dyn Iterator<Item = bool>| holds.filter(|holds| *holds).count() as u64;
        self.paths += sums.nodes.len() as u64;
        self.gradient_evaluations += sums.nodes.iter().sum::<usize>() as u64;
        self.most_nodes = sums.nodes.iter().fold(self.most_nodes, |most, used| most.max(*used as u64));
        self.cut_paths += count(&mut sums.nodes.iter().map(|used| *used > nodes));
        self.unfinished_paths += count(&mut sums.unfinished.iter().copied());
    }
}

/// SHAP values of a differentiable model by expected gradients (Erion et al. 2021, "Improving performance of
/// deep learning models with axiomatic attribution priors and expected gradients", equation 3): for every
/// window x, input i and output k
///
/// `φ_k(x)_i = E_b [(x_i − b_i) ∫₀¹ ∂F_k/∂x_i (b + a (x − b)) da]`,
///
/// the mean over all `background` windows b. By the fundamental theorem the inputs' values add up to `F_k(x)
/// − E_b F_k(b)` (completeness; Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep networks",
/// proposition 1). The paper draws a and b at random, which adds up only in the limit; here all b are gone
/// through, and every path is integrated by Gauss-Legendre quadrature that is refined until the path adds up.
///
/// Adding up is necessary, not sufficient: errors of single inputs could cancel in a sum. Refinement judges
/// every segment and every output by itself, which leaves little room for that.
///
/// `progress` is told the share done, from 0 to 1. Results for different sizes of batch differ by the
/// rounding of the model alone; the same size gives the same bits, for any number of threads.
///
/// # Errors
/// [`SupervisedError::Config`] as [`PathConfig::validate`]; [`SupervisedError::Data`] where there are no
/// windows or no background, where their shapes differ, and where the model gives values that are not finite
/// or too few; those of the model.
pub fn expected_gradients(
    model: &dyn DifferentiableModel,
    windows: Windows<'_>,
    background: Windows<'_>,
    config: &PathConfig,
    progress: &mut dyn FnMut(f64),
) -> Result<ExpectedGradients, SupervisedError> {
    config.validate()?;
    check_shapes(model, windows, background)?;
    let outputs = model.outputs();
    let rule = gauss_legendre(config.nodes);
    let background_outputs = evaluate(model, background, config.batch)?;
    let window_outputs = evaluate(model, windows, config.batch)?;
    let paths = (windows.count() * background.count()) as f64;
    let mut values = Vec::with_capacity(windows.values().len() * outputs);
    let (mut cost, mut done) = (PathCost::default(), 0.0);
    for (group, group_outputs) in windows.chunks(GROUP).zip(window_outputs.chunks(GROUP * outputs)) {
        let group = Paths {
            model,
            config,
            ends: PathEnds { rule: &rule, windows: group, background, outputs },
            window_outputs: group_outputs,
            background_outputs: &background_outputs,
        };
        let sums = group.integrate(&mut |length| {
            done += length;
            progress((done / paths).min(1.0));
        })?;
        values.extend(sums.values.iter().map(|sum| (sum / background.count() as f64) as f32));
        cost.add(config.nodes, &sums);
    }
    let (expectation, error) = expectation(&background_outputs, outputs);
    let shape = [windows.count(), outputs, windows.time(), windows.features()];
    let attributions = Attributions::new(shape, values, window_outputs, expectation, error)?;
    let completeness = attributions.completeness(config.tolerance);
    Ok(ExpectedGradients { attributions, completeness, cost })
}

fn check_shapes(
    model: &dyn DifferentiableModel,
    windows: Windows<'_>,
    background: Windows<'_>,
) -> Result<(), SupervisedError> {
    if windows.count() == 0 || background.count() == 0 || model.outputs() == 0 {
        let reason = format!(
            "{} windows, {} background windows and {} outputs: at least one of each is needed",
            windows.count(),
            background.count(),
            model.outputs()
        );
        return Err(SupervisedError::data("an explanation", reason));
    }
    let shape = |windows: Windows<'_>| [windows.time(), windows.features()];
    if shape(windows) != shape(background) {
        let reason = format!(
            "they are of [time, features] {:?}, but the windows to explain of {:?}",
            shape(background),
            shape(windows)
        );
        return Err(SupervisedError::data("background windows", reason));
    }
    Ok(())
}

/// Mean of each output, and its standard error where there is more than one row.
fn expectation(values: &[f32], outputs: usize) -> (Vec<f64>, Option<Vec<f64>>) {
    let rows = (values.len() / outputs) as f64;
    let column = |output| values.iter().skip(output).step_by(outputs).copied().map(f64::from);
    let mean: Vec<f64> = (0..outputs).map(|output| column(output).sum::<f64>() / rows).collect();
    let error = |output: usize| {
        let squares: f64 = column(output).map(|value| (value - mean[output]).powi(2)).sum();
        (squares / (rows - 1.0) / rows).sqrt()
    };
    let errors = (rows > 1.0).then(|| (0..outputs).map(error).collect());
    (mean, errors)
}

#[cfg(test)]
mod tests;
