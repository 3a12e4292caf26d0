//! Indicators as folds: the one trait, and what the pipeline needs of it.

pub(crate) mod aroon;
pub(crate) mod calendar;
pub(crate) mod candle_geometry;
pub(crate) mod candlestick;
pub(crate) mod commodity_channel;
pub(crate) mod deviation;
pub(crate) mod directional_movement;
pub(crate) mod donchian;
#[cfg(test)]
pub(crate) mod extreme_series;
mod extremes;
pub(crate) mod from_yata;
#[cfg(test)]
mod generated_candles;
#[cfg(test)]
pub(crate) mod generated_series;
pub(crate) mod hilbert;
pub(crate) mod kama;
pub(crate) mod log_return;
pub(crate) mod macd;
pub(crate) mod money_flow;
pub(crate) mod moving_average;
pub(crate) mod parabolic_sar;
pub(crate) mod percentage_oscillator;
pub(crate) mod pivot_level;
pub(crate) mod range_volatility;
pub(crate) mod rate_of_change;
pub(crate) mod regression;
pub(crate) mod relative_strength;
pub(crate) mod stochastic;
pub(crate) mod supertrend;
#[cfg(test)]
mod ta_lib_cycle;
#[cfg(test)]
mod ta_lib_momentum;
#[cfg(test)]
mod ta_lib_pattern;
#[cfg(test)]
pub(crate) mod ta_lib_trend;
#[cfg(test)]
mod ta_lib_volatility;
#[cfg(test)]
mod ta_lib_volume;
pub(crate) mod traded_volume;
pub(crate) mod true_range;
pub(crate) mod ultimate_oscillator;
pub(crate) mod vwap;
pub(crate) mod window_fold;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bar::Bar;
use crate::error::FeatureError;

/// Candles that are taken at a time in a batch. Small enough that bars and results stay in the first cache.
pub(crate) const BLOCK: usize = 128;

/// A fold over candles with a fixed number of values per candle.
///
/// An indicator sees one closed candle at a time and keeps what it needs, so that it cannot look ahead. It
/// gives NaN in all values that it does not yet have, and after that only finite numbers. It allocates only
/// when it is made. Its whole state is serialisable, so that a fold can be stopped and resumed to the bit.
pub(crate) trait Indicator {
    /// The values of one candle: `[f64; N]`.
    type Values: Values;

    /// Takes the next candle of a run without gaps and gives its values.
    fn push(&mut self, bar: &Bar) -> Self::Values;
}

/// A fixed number of values: `[f64; N]`.
pub(crate) trait Values: AsRef<[f64]> {
    /// How many there are.
    const WIDTH: usize;
}

impl<const N: usize> Values for [f64; N] {
    const WIDTH: usize = N;
}

/// An [`Indicator`] of any width, as a pipeline holds it.
pub(crate) trait Node: Send + Sync {
    /// Values per candle.
    fn width(&self) -> usize;
    /// Takes one candle; `out` has room for [`Node::width`] values.
    fn push(&mut self, bar: &Bar, out: &mut [f64]);
    /// Takes up to [`BLOCK`] candles; `out` holds one column per value, each as long as `bars`.
    /// The same as [`Node::push`] for each of them.
    fn run(&mut self, bars: &[Bar], out: &mut [&mut [f64]]);
    /// The whole state.
    fn save(&self) -> Result<Vec<u8>, FeatureError>;
    /// Goes on from a saved state.
    fn restore(&mut self, state: &[u8]) -> Result<(), FeatureError>;
    /// A copy of the whole state.
    fn boxed(&self) -> Box<dyn Node>;
}

impl<I> Node for I
where
    I: Indicator + Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    fn width(&self) -> usize {
        I::Values::WIDTH
    }

    fn push(&mut self, bar: &Bar, out: &mut [f64]) {
        out.copy_from_slice(Indicator::push(self, bar).as_ref());
    }

    fn run(&mut self, bars: &[Bar], out: &mut [&mut [f64]]) {
        let Ok(block) = <&[Bar; BLOCK]>::try_from(bars) else {
            for (index, bar) in bars.iter().enumerate() {
                let values = Indicator::push(self, bar);
                for (column, value) in out.iter_mut().zip(values.as_ref()) {
                    column[index] = *value;
                }
            }
            return;
        };
        // Results go through an array on the stack, which nothing else can point to: so the compiler may keep
        // the state of the indicator in registers from one candle to the next.
        let rows: [I::Values; BLOCK] = std::array::from_fn(|index| Indicator::push(self, &block[index]));
        for (number, column) in out.iter_mut().enumerate() {
            for (place, values) in column.iter_mut().zip(&rows) {
                *place = values.as_ref()[number];
            }
        }
    }

    fn save(&self) -> Result<Vec<u8>, FeatureError> {
        rmp_serde::to_vec(self).map_err(|error| FeatureError::UnreadableState { reason: error.to_string() })
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), FeatureError> {
        *self = rmp_serde::from_slice(state)
            .map_err(|error| FeatureError::UnreadableState { reason: error.to_string() })?;
        Ok(())
    }

    fn boxed(&self) -> Box<dyn Node> {
        Box::new(self.clone())
    }
}
