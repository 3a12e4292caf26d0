//! From an indicator's own units to values that are comparable between symbols.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::column::Unit;
use crate::indicator::window_fold::WindowSum;
use crate::spec::PriceScale;

/// Candles of the mean true range that [`PriceScale::Atr`] divides by.
const ATR_PERIOD: usize = 14;
/// Candles of the mean volume that volumes are divided by.
const VOLUME_PERIOD: usize = 50;
/// The least average true range, as a share of the close.
const LEAST_ATR: f64 = 1e-6;

/// What the values of one candle are measured against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure {
    close: f64,
    per_price: f64,
    per_volume: f64,
}

impl Measure {
    pub(crate) const NONE: Self = Self { close: 1.0, per_price: 1.0, per_volume: 1.0 };
}

/// The running measures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Scaling {
    scale: PriceScale,
    true_range: WindowSum,
    volume: WindowSum,
}

impl Scaling {
    pub(crate) fn new(scale: PriceScale) -> Self {
        Self { scale, true_range: WindowSum::new(ATR_PERIOD), volume: WindowSum::new(VOLUME_PERIOD) }
    }

    /// Candles until values of `unit` can be measured.
    pub(crate) fn warm_up(scale: PriceScale, unit: Unit) -> usize {
        match (scale, unit) {
            (PriceScale::Raw, _) | (_, Unit::Plain) => 0,
            (_, Unit::Volume) => VOLUME_PERIOD - 1,
            (PriceScale::Close, _) => 0,
            // The first candle of a run has no true range.
            (PriceScale::Atr, _) => ATR_PERIOD,
        }
    }

    /// Takes the next candle.
    #[inline]
    pub(crate) fn push(&mut self, bar: &Bar) -> Measure {
        let per_price = match self.scale {
            PriceScale::Close | PriceScale::Raw => 1.0 / bar.close,
            PriceScale::Atr => {
                let sum = if bar.first { None } else { self.true_range.push(bar.true_range) };
                sum.map_or(f64::NAN, |sum| 1.0 / (sum / ATR_PERIOD as f64).max(LEAST_ATR * bar.close))
            }
        };
        let per_volume = match self.volume.push(bar.volume) {
            None => f64::NAN,
            Some(sum) if sum > 0.0 => VOLUME_PERIOD as f64 / sum,
            Some(_) => 0.0,
        };
        Measure { close: bar.close, per_price, per_volume }
    }

    /// One value of a candle, measured.
    #[inline]
    pub(crate) fn apply_one(&self, unit: Unit, value: f64, measure: &Measure) -> f64 {
        match unit {
            _ if self.scale == PriceScale::Raw => value,
            Unit::Plain => value,
            Unit::PriceLevel => (value - measure.close) * measure.per_price,
            Unit::PriceDifference => value * measure.per_price,
            Unit::Volume => value * measure.per_volume,
        }
    }

    /// The values of one column, measured; the same as [`Scaling::apply_one`] for each.
    #[inline]
    pub(crate) fn apply(&self, unit: Unit, values: &mut [f64], measures: &[Measure]) {
        if self.scale == PriceScale::Raw {
            return;
        }
        let pairs = values.iter_mut().zip(measures);
        match unit {
            Unit::Plain => {}
            Unit::PriceLevel => pairs.for_each(|(value, m)| *value = (*value - m.close) * m.per_price),
            Unit::PriceDifference => pairs.for_each(|(value, m)| *value *= m.per_price),
            Unit::Volume => pairs.for_each(|(value, m)| *value *= m.per_volume),
        }
    }
}
