//! Windows that end earlier than the row of their label.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BatchKey;
use crate::error::SupervisedError;
use crate::random::generator;

/// Shift of whole windows into the past, for labels of the last step only.
///
/// The label stays that of the row at which the unshifted window ends, so a shifted sample says "some steps
/// later this was the outcome". That is label noise by design: it keeps a network from resting on the exact
/// candle. A window is never shifted towards the future, which would show rows after the decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TimeShiftConfig {
    /// Most steps (candles) that a window is shifted; each of 0 to this many is as likely. Default 0, which
    /// is off.
    pub maximum_steps: u32,
}

impl TimeShiftConfig {
    pub(super) fn validate(&self) -> Result<(), SupervisedError> {
        if self.maximum_steps <= 10_000 {
            return Ok(());
        }
        let remedy = "give at most 10000 candles; a shift is meant to be small beside the window";
        Err(SupervisedError::config("augmentation.time_shift.maximum_steps", self.maximum_steps, remedy))
    }
}

/// For each sample, by how many rows its window is to be gathered earlier: uniform over 0 to `maximum_steps`.
///
/// `rows_before[sample]` says how many rows stand directly before the sample's window, in the same series and
/// without a gap; where that is fewer than `maximum_steps`, the draw is uniform over 0 to that many. Returns
/// one shift per sample.
pub fn draw_time_shifts(rows_before: &[u32], config: &TimeShiftConfig, key: BatchKey) -> Vec<u32> {
    if config.maximum_steps == 0 {
        return vec![0; rows_before.len()];
    }
    let mut rng = generator(key.seed, "augmentation/time-shift", key.batch);
    rows_before.iter().map(|&rows| rng.random_range(0..=config.maximum_steps.min(rows))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_are_uniform_and_never_reach_before_the_rows_there_are() {
        let mut rows_before = vec![100_u32; 60_000];
        rows_before.extend([0; 1_000]);
        rows_before.extend([2; 30_000]);
        let config = TimeShiftConfig { maximum_steps: 5 };
        let shifts = draw_time_shifts(&rows_before, &config, BatchKey { seed: 3, batch: 0 });
        let share = |shifts: &[u32], step: u32| {
            shifts.iter().filter(|&&shift| shift == step).count() as f64 / shifts.len() as f64
        };
        // Five standard errors of a share.
        let close = |seen: f64, p: f64, n: f64| (seen - p).abs() < 5.0 * (p * (1.0 - p) / n).sqrt();
        for step in 0..=5 {
            assert!(close(share(&shifts[..60_000], step), 1.0 / 6.0, 60_000.0), "{step}");
        }
        assert!(shifts[60_000..61_000].iter().all(|&shift| shift == 0));
        for step in 0..=2 {
            assert!(close(share(&shifts[61_000..], step), 1.0 / 3.0, 30_000.0), "{step}");
        }
        assert!(shifts.iter().zip(&rows_before).all(|(shift, rows)| shift <= rows && *shift <= 5));
    }

    #[test]
    fn no_shift_where_it_is_off() {
        assert_eq!(
            draw_time_shifts(&[9, 9], &TimeShiftConfig::default(), BatchKey { seed: 0, batch: 0 }),
            [0, 0]
        );
    }
}
