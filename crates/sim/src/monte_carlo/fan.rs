//! Quantiles of the equity over time, for a chart.

use serde::{Deserialize, Serialize};

use super::paths::PathSummary;
use super::too_large;
use crate::error::SimError;
use crate::luck::quantile;

/// Levels of the quantiles.
pub const FAN_LEVELS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

/// Most points in time of a fan.
const MOST_TIMES: usize = 200;

/// Quantiles of the equity at some points in time; each is taken at its time, and no path need follow any of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fan {
    /// Returns made so far, ascending: from 0 to the path's length, at most 200 of them.
    pub times: Vec<usize>,
    /// Equity over the starting equity, `equity[level][time]`, levels as in [`FAN_LEVELS`].
    pub equity: [Vec<f64>; 5],
}

impl Fan {
    pub(super) fn new(times: &[usize], paths: &[PathSummary]) -> Result<Self, SimError> {
        let mut equity: [Vec<f64>; 5] = Default::default();
        let mut column = Vec::with_capacity(paths.len());
        for at in 0..times.len() {
            column.clear();
            column.extend(paths.iter().filter_map(|path| path.fan_logs.get(at)).map(|log| log.exp()));
            column.sort_by(f64::total_cmp);
            for (quantiles, level) in equity.iter_mut().zip(FAN_LEVELS) {
                quantiles.push(quantile(&column, level));
            }
            if column.last().is_none_or(|largest| !largest.is_finite()) {
                return Err(too_large("equity"));
            }
        }
        Ok(Self { times: times.to_vec(), equity })
    }
}

/// Times that are evenly spread over a path of `steps` steps, both ends included.
pub(super) fn fan_times(steps: usize) -> Vec<usize> {
    let intervals = steps.clamp(1, MOST_TIMES - 1);
    // In 128 bits: steps times 199 may leave 64.
    (0..=intervals).map(|at| (at as u128 * steps as u128 / intervals as u128) as usize).collect()
}
