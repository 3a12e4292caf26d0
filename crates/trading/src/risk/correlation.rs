//! Correlation of returns, estimated as they come.

use super::limits::CorrelationLimit;

/// Exponentially weighted moments of one pair, of the candles that both have.
#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    first: f64,
    second: f64,
    product: f64,
    observations: u32,
}

/// Exponentially weighted correlations of log returns with mean zero: RiskMetrics Technical Document (J.P. Morgan, 1996,
/// section 5.2.1), `s_ij ← λ·s_ij + (1 − λ)·r_i·r_j`, `ρ_ij = s_ij / √(s_ii·s_jj)`.
///
/// Each pair keeps its own variances over the candles that both have, so that a correlation lies within −1 and 1. It starts at
/// the first product; there is nothing to unbias, as numerator and denominator weigh alike.
#[derive(Clone, Debug)]
pub(super) struct Correlations {
    settings: CorrelationLimit,
    /// Of i < j, by j·(j − 1)/2 + i.
    pairs: Box<[Pair]>,
}

impl Correlations {
    pub(super) fn new(settings: CorrelationLimit, instruments: usize) -> Self {
        let pairs = instruments * instruments.saturating_sub(1) / 2;
        Self { settings, pairs: vec![Pair::default(); pairs].into_boxed_slice() }
    }

    /// Log returns of one moment, by instrument; not a number where there is none.
    pub(super) fn push(&mut self, log_returns: &[f64]) {
        let decay = self.settings.decay;
        let mut pairs = self.pairs.iter_mut();
        for (index, second) in log_returns.iter().enumerate() {
            for (first, pair) in log_returns.iter().take(index).zip(pairs.by_ref()) {
                if !(first.is_finite() && second.is_finite()) {
                    continue;
                }
                let fade = if pair.observations == 0 { 0.0 } else { decay };
                let weigh = |old: f64, new: f64| fade * old + (1.0 - fade) * new;
                pair.first = weigh(pair.first, first * first);
                pair.second = weigh(pair.second, second * second);
                pair.product = weigh(pair.product, first * second);
                pair.observations = pair.observations.saturating_add(1);
            }
        }
    }

    /// The correlation of two instruments, once enough is known of it.
    pub(super) fn of(&self, one: usize, other: usize) -> Option<f64> {
        if one == other {
            return Some(1.0);
        }
        let (low, high) = (one.min(other), one.max(other));
        let pair = self.pairs.get(high * (high - 1) / 2 + low)?;
        let scale = (pair.first * pair.second).sqrt();
        let known = pair.observations >= self.settings.minimum_observations && scale > 0.0;
        known.then(|| (pair.product / scale).clamp(-1.0, 1.0))
    }

    /// Whether two instruments count as one: some with the same sign, some against each other.
    pub(super) fn moves_together(&self, one: usize, other: usize) -> Option<bool> {
        let correlation = self.of(one, other)?;
        (correlation.abs() >= self.settings.threshold).then_some(correlation > 0.0)
    }
}
