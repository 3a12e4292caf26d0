//! From a path of log prices to candles that an exchange could have reported.

use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, Exp1, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::market::{MarketShape, SyntheticSymbol};
use super::parameter::{between, finite, not_negative};
use super::random::generator;
use crate::error::MarketDataError;
use crate::series::{CandleColumns, CandleSeries};
use crate::timestamp::Timestamp;

/// Log prices are held within ± this, so that no product of price and volume leaves the range of `f64`.
const FARTHEST_LOG_PRICE: f64 = 300.0;

/// Added to the relative range inside the logarithm, so that a candle that hardly moved still trades.
const CALM: f64 = 0.05;

/// How volume follows the candles.
///
/// ln V_t = ln V̄ + `volume_elasticity` · ln(range_t/σ̄ + 0.05) + u_t, where range is ln(high/low), σ̄ the typical
/// standard deviation of a candle and u an AR(1) process: volume moves with volatility (Karpoff 1987,
/// "The relation between price changes and trading volume") and has a memory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CandleStyle {
    /// Elasticity of volume to the candle's range; 0 unlinks them.
    pub volume_elasticity: f64,
    /// AR(1) coefficient, per candle, of the part of log volume that the range does not explain.
    pub volume_persistence: f64,
    /// Stationary standard deviation of that part.
    pub volume_deviation: f64,
}

impl Default for CandleStyle {
    fn default() -> Self {
        Self { volume_elasticity: 0.8, volume_persistence: 0.9, volume_deviation: 0.45 }
    }
}

impl CandleStyle {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        finite("volume_elasticity", self.volume_elasticity)?;
        between("volume_persistence", self.volume_persistence, -1.0, 1.0)?;
        not_negative("volume_deviation", self.volume_deviation)
    }
}

/// Logarithms `(low, high)` of a Brownian path's extremes between two known ends, sampled from their laws.
///
/// Given the ends a and b and the variance v of the path over the candle, the maximum is
/// (a + b + √((b − a)² + 2 v E))/2 with E ~ Exp(1), exactly (Karatzas and Shreve 1991, problem 2.8.9;
/// Glasserman 2003, equation 6.48), and the minimum mirrors it. Each is exact by itself; the two are
/// drawn independently, which their joint law is not quite.
pub fn bridge_extremes(a: f64, b: f64, variance: f64, rng: &mut impl rand::Rng) -> (f64, f64) {
    let upper: f64 = Exp1.sample(rng);
    let lower: f64 = Exp1.sample(rng);
    let (sum, square) = (a + b, (b - a) * (b - a));
    let low = 0.5 * (sum - (square + 2.0 * variance * lower).sqrt());
    let high = 0.5 * (sum + (square + 2.0 * variance * upper).sqrt());
    (low, high)
}

/// Writes candles onto their grids, each opening where the one before closed.
pub(super) struct CandleWriter {
    columns: CandleColumns,
    turnover: Vec<f64>,
    time: Timestamp,
    step: i64,
    open: f64,
    ticks_per_unit: f64,
    lots_per_unit: f64,
    tick: f64,
    lot: f64,
}

impl CandleWriter {
    pub(super) fn new(shape: &MarketShape, symbol: &SyntheticSymbol) -> Self {
        let mut writer = Self {
            columns: CandleColumns::with_capacity(shape.candles, false),
            turnover: Vec::with_capacity(shape.candles),
            time: shape.start,
            step: shape.timeframe.millis(),
            open: symbol.start_price,
            ticks_per_unit: 10_f64.powi(symbol.price_decimals as i32),
            lots_per_unit: 10_f64.powi(symbol.volume_decimals as i32),
            tick: 10_f64.powi(-(symbol.price_decimals as i32)),
            lot: 10_f64.powi(-(symbol.volume_decimals as i32)),
        };
        writer.open = writer.on_tick(symbol.start_price);
        writer
    }

    /// The nearest price on the grid, and never zero.
    fn on_tick(&self, price: f64) -> f64 {
        // Dividing a whole number by a power of ten gives the f64 nearest to the decimal, multiplying by
        // 0.01 does not.
        ((price * self.ticks_per_unit).round() / self.ticks_per_unit).max(self.tick)
    }

    /// Adds the candle that ends at `close_log`; logarithms of prices, base volume.
    pub(super) fn push(&mut self, low_log: f64, high_log: f64, close_log: f64, volume: f64) {
        let price = |log: f64| log.clamp(-FARTHEST_LOG_PRICE, FARTHEST_LOG_PRICE).exp();
        let open = self.open;
        let close = self.on_tick(price(close_log));
        // The open was rounded a candle ago, and exp need not be monotonic to the last bit.
        let high = self.on_tick(price(high_log)).max(open).max(close);
        let low = self.on_tick(price(low_log)).min(open).min(close);
        let volume = ((volume * self.lots_per_unit).round() / self.lots_per_unit).max(self.lot);
        self.columns.open_time.push(self.time);
        self.columns.open.push(open);
        self.columns.high.push(high);
        self.columns.low.push(low);
        self.columns.close.push(close);
        self.columns.volume.push(volume);
        // The mean of the four prices is a price between low and high.
        self.turnover.push(volume * 0.25 * (open + high + low + close));
        self.open = close;
        self.time = self.time.plus_millis(self.step);
    }

    pub(super) fn finish(
        self,
        shape: &MarketShape,
        symbol: &SyntheticSymbol,
    ) -> Result<CandleSeries, MarketDataError> {
        let columns = CandleColumns { turnover: Some(self.turnover), ..self.columns };
        CandleSeries::new(shape.key(symbol), columns)
    }
}

/// Adds the bridge's extremes and the volume of [`CandleStyle`] to closes.
pub(super) struct CandlePainter {
    writer: CandleWriter,
    style: CandleStyle,
    innovation: f64,
    log_volume: f64,
    excess: f64,
    per_deviation: f64,
    rng: Xoshiro256PlusPlus,
}

impl CandlePainter {
    /// A painter for the symbol at `index`; `typical_deviation` is σ̄ of [`CandleStyle`].
    pub(super) fn new(shape: &MarketShape, index: usize, style: CandleStyle, typical_deviation: f64) -> Self {
        let symbol = &shape.symbols[index];
        let mut rng = generator(shape.seed, "candles", index as u64);
        let start: f64 = StandardNormal.sample(&mut rng);
        Self {
            writer: CandleWriter::new(shape, symbol),
            style,
            innovation: style.volume_deviation * (1.0 - style.volume_persistence.powi(2)).sqrt(),
            log_volume: symbol.typical_volume(shape.timeframe).ln(),
            excess: style.volume_deviation * start,
            per_deviation: 1.0 / typical_deviation,
            rng,
        }
    }

    /// Adds a candle from `open_log` to `close_log` whose path has `variance`; `season` is added to log volume.
    #[inline]
    pub(super) fn push(&mut self, open_log: f64, close_log: f64, variance: f64, season: f64) {
        let (low, high) = bridge_extremes(open_log, close_log, variance, &mut self.rng);
        let shock: f64 = StandardNormal.sample(&mut self.rng);
        self.excess = self.style.volume_persistence * self.excess + self.innovation * shock;
        let range = (high - low) * self.per_deviation;
        let log_volume =
            self.log_volume + self.style.volume_elasticity * (range + CALM).ln() + self.excess + season;
        let volume = log_volume.clamp(-FARTHEST_LOG_PRICE, FARTHEST_LOG_PRICE).exp();
        self.writer.push(low, high, close_log, volume);
    }

    pub(super) fn finish(
        self,
        shape: &MarketShape,
        symbol: &SyntheticSymbol,
    ) -> Result<CandleSeries, MarketDataError> {
        self.writer.finish(shape, symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(price_decimals: u32) -> MarketShape {
        let usual = MarketShape::default();
        let symbol = SyntheticSymbol { price_decimals, start_price: 1.0, ..usual.symbols[0].clone() };
        MarketShape { symbols: vec![symbol], candles: 1_000, ..usual }
    }

    #[test]
    fn the_bridge_has_the_law_of_its_maximum() {
        // P(max > m) = exp(-2 (m - a)(m - b)/v) for m above both ends.
        let (a, b, v) = (0.3, -0.2, 0.5);
        let mut rng = generator(11, "bridge-test", 0);
        let count = 200_000;
        let draws: Vec<_> = (0..count).map(|_| bridge_extremes(a, b, v, &mut rng)).collect();
        for level in [0.4, 0.7, 1.1] {
            let above = (-2.0 * (level - a) * (level - b) / v).exp();
            let below_level = a + b - level;
            let seen = draws.iter().filter(|(_, high)| *high > level).count() as f64;
            let mirrored = draws.iter().filter(|(low, _)| *low < below_level).count() as f64;
            let error = (above * (1.0 - above) / f64::from(count)).sqrt();
            assert!((seen / f64::from(count) - above).abs() < 4.5 * error, "high {level}");
            assert!((mirrored / f64::from(count) - above).abs() < 4.5 * error, "low {level}");
        }
        assert!(draws.iter().all(|(low, high)| *low <= b && *high >= a));
    }

    #[test]
    fn prices_stay_on_the_grid_and_above_zero() {
        let shape = shape(2);
        let mut painter = CandlePainter::new(&shape, 0, CandleStyle::default(), 0.1);
        let mut log_price = 0.0;
        for step in 0..shape.candles {
            // Down to nothing, then up beyond every bound.
            let next = if step < 500 { log_price - 1.0 } else { log_price + 3.0 };
            painter.push(log_price, next, 0.01, 0.0);
            log_price = next;
        }
        let series = painter.finish(&shape, &shape.symbols[0]).unwrap();
        let lowest = series.columns().low.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(lowest, 0.01);
        for candle in series.iter().filter(|candle| candle.high < 1e9) {
            for price in [candle.open, candle.high, candle.low, candle.close] {
                assert_eq!(format!("{price:.2}").parse::<f64>().unwrap(), price);
            }
        }
    }

    #[test]
    fn a_candle_is_possible_whatever_it_is_made_from() {
        let shape = shape(4);
        let mut writer = CandleWriter::new(&shape, &shape.symbols[0]);
        // "High" below and "low" above both ends.
        writer.push(0.3, -0.3, 0.1, 1.0);
        writer.push(0.3, -0.3, 0.0, 0.0);
        let series = writer.finish(&shape, &shape.symbols[0]).unwrap();
        assert_eq!(series.len(), 2);
        assert_eq!((series.get(0).low, series.get(0).high), (1.0, 1.1052));
        assert_eq!(series.get(1).volume, 0.001);
    }

    #[test]
    fn turnover_is_volume_at_a_price_inside_the_candle() {
        let shape = shape(4);
        let mut painter = CandlePainter::new(&shape, 0, CandleStyle::default(), 0.01);
        for step in 0..shape.candles {
            let at = |step: usize| 0.01 * (step as f64).sin();
            painter.push(at(step), at(step + 1), 1e-4, 0.0);
        }
        let series = painter.finish(&shape, &shape.symbols[0]).unwrap();
        for (index, candle) in series.iter().enumerate() {
            let price = candle.turnover.unwrap() / candle.volume;
            assert!(candle.low * (1.0 - 1e-12) <= price && price <= candle.high * (1.0 + 1e-12));
            assert!(candle.volume > 0.0);
            if index > 0 {
                assert_eq!(candle.open, series.get(index - 1).close);
            }
        }
    }
}
