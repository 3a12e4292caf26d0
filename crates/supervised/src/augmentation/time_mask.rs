//! Spans of steps that a network does not see.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BatchKey;
use crate::error::SupervisedError;
use crate::random::generator;

/// Time masking (Park et al. 2019, "SpecAugment", arXiv 1904.08779, section 2): in some samples all features
/// of a random span of steps are set to 0, the mean of scaled features.
///
/// Only inputs change. Labels stay, also those of masked steps where every step is supervised: the network
/// answers there from what it saw before. The span may cover the last step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TimeMaskConfig {
    /// Probability that a sample is masked, in [0, 1]; default 0, which is off.
    pub probability: f64,
    /// Most steps (candles) that a span covers, at least 1; each length from 1 to this many (or the window)
    /// is as likely. Default 8: a few candles, so that a window of usual length stays mostly visible.
    pub maximum_span: u32,
}

impl Default for TimeMaskConfig {
    fn default() -> Self {
        Self { probability: 0.0, maximum_span: 8 }
    }
}

impl TimeMaskConfig {
    pub(super) fn validate(&self) -> Result<(), SupervisedError> {
        if !(0.0..=1.0).contains(&self.probability) {
            let remedy = "give a probability from 0 to 1; 0 is off";
            return Err(SupervisedError::config(
                "augmentation.time_mask.probability",
                self.probability,
                remedy,
            ));
        }
        if self.maximum_span == 0 {
            let remedy = "give at least 1 step; to switch masks off set `probability` to 0";
            return Err(SupervisedError::config("augmentation.time_mask.maximum_span", 0, remedy));
        }
        Ok(())
    }
}

/// Masks spans of `inputs` `[batch, time, features]`: length uniform over 1 to `maximum_span`, start uniform
/// over all places where the span fits.
pub fn mask_time(inputs: &mut [f32], time: usize, features: usize, config: &TimeMaskConfig, key: BatchKey) {
    let longest = time.min(config.maximum_span as usize);
    if config.probability <= 0.0 || longest == 0 || features == 0 {
        return;
    }
    let mut rng = generator(key.seed, "augmentation/time-mask", key.batch);
    for sample in inputs.chunks_mut(time * features) {
        if rng.random::<f64>() >= config.probability {
            continue;
        }
        let span = rng.random_range(1..=longest);
        let start = rng.random_range(0..=time - span);
        sample[start * features..(start + span) * features].fill(0.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `(start, span)` of the steps that are 0 in a sample of ones; `None` if there are none.
    fn masked_span(sample: &[f32], features: usize) -> Option<(usize, usize)> {
        let steps: Vec<bool> = sample
            .chunks(features)
            .map(|row| {
                assert!(row.iter().all(|x| *x == row[0]), "a step is masked in all features or in none");
                row[0] == 0.0
            })
            .collect();
        let start = steps.iter().position(|&masked| masked)?;
        let span = steps.iter().filter(|&&masked| masked).count();
        assert!(steps[start..start + span].iter().all(|&masked| masked), "one span");
        Some((start, span))
    }

    #[test]
    fn spans_are_as_often_as_long_and_as_placed_as_asked() {
        let (samples, time, features) = (60_000, 10, 2);
        let mut inputs = vec![1.0_f32; samples * time * features];
        let config = TimeMaskConfig { probability: 0.3, maximum_span: 4 };
        mask_time(&mut inputs, time, features, &config, BatchKey { seed: 9, batch: 1 });
        let spans: Vec<_> =
            inputs.chunks(time * features).filter_map(|sample| masked_span(sample, features)).collect();
        let close = |count: usize, p: f64, n: usize| {
            let n = n as f64;
            (count as f64 / n - p).abs() < 5.0 * (p * (1.0 - p) / n).sqrt()
        };
        assert!(close(spans.len(), 0.3, samples), "{}", spans.len());
        for length in 1..=4 {
            let starts: Vec<_> = spans.iter().filter(|span| span.1 == length).map(|span| span.0).collect();
            assert!(close(starts.len(), 0.25, spans.len()), "length {length}");
            let places = time - length + 1;
            for place in 0..places {
                let count = starts.iter().filter(|&&start| start == place).count();
                assert!(close(count, 1.0 / places as f64, starts.len()), "length {length} at {place}");
            }
        }
    }

    proptest! {
        #[test]
        fn at_most_one_span_that_fits(
            time in 1_usize..12, features in 1_usize..4, maximum_span in 1_u32..20, seed: u64,
        ) {
            let mut inputs = vec![1.0_f32; 5 * time * features];
            let config = TimeMaskConfig { probability: 1.0, maximum_span };
            mask_time(&mut inputs, time, features, &config, BatchKey { seed, batch: 0 });
            for sample in inputs.chunks(time * features) {
                let (_, span) = masked_span(sample, features).expect("all are masked at probability 1");
                prop_assert!(span <= maximum_span as usize);
            }
        }
    }
}
