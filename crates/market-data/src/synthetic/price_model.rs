//! Any of the scalar processes as a market of candles.

use serde::{Deserialize, Serialize};

use super::candles::{CandlePainter, CandleStyle};
use super::diffusion::{GeometricBrownianMotion, MertonJumpDiffusion, OrnsteinUhlenbeck};
use super::fractional::FractionalBrownianMotion;
use super::market::{MarketShape, SyntheticMarket};
use super::random::generator;
use super::square_root::{CoxIngersollRoss, Heston};
use super::threads;
use crate::error::MarketDataError;
use crate::series::CandleSeries;

/// A price process by name; the symbols of a market follow it independently of each other.
///
/// Prices are relative: whatever the process starts from, the candles start from their symbol's own price.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "process", rename_all = "lowercase")]
pub enum PriceModel {
    /// Geometric Brownian motion.
    Gbm(GeometricBrownianMotion),
    /// Stochastic volatility.
    Heston(Heston),
    /// Brownian motion with log-normal jumps.
    Merton(MertonJumpDiffusion),
    /// The *logarithm* of the price reverts to a mean.
    Ou(OrnsteinUhlenbeck),
    /// The price itself reverts to a mean, with a variance in proportion to it.
    Cir(CoxIngersollRoss),
    /// Exponential of fractional Brownian motion.
    Fbm(FractionalBrownianMotion),
}

/// Log prices at the candles' boundaries, relative to the start, and what the bridge needs between them.
struct LogPath {
    log_price: Vec<f64>,
    variance: BridgeVariance,
}

/// Variance of the log price over one candle.
enum BridgeVariance {
    /// The same for every candle.
    Constant(f64),
    /// One per candle.
    Each(Vec<f64>),
}

impl PriceModel {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        match self {
            Self::Gbm(model) => model.validate(),
            Self::Heston(model) => model.validate(),
            Self::Merton(model) => model.validate(),
            Self::Ou(model) => model.validate(),
            Self::Cir(model) => {
                model.validate()?;
                // A level of zero has no logarithm, and no symbol starts at that price.
                super::parameter::positive("start", model.start)
            }
            Self::Fbm(model) => model.validate(),
        }
    }

    /// The market of `shape`, each symbol on its own path.
    ///
    /// High and low come from the Brownian bridge between the closes ([`super::bridge_extremes`]), with the
    /// process's own variance over the candle; for fractional Brownian motion with H ≠ 1/2 and for
    /// jumps that bridge is an approximation, the closes are exact all the same.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] for parameters or a shape out of range.
    pub fn generate(
        &self,
        shape: &MarketShape,
        style: &CandleStyle,
    ) -> Result<SyntheticMarket, MarketDataError> {
        self.validate()?;
        style.validate()?;
        shape.validate()?;
        let series = threads::each(shape.symbols.len(), threads::available(), |index| {
            self.series(shape, style, index)
        })?;
        Ok(SyntheticMarket {
            series,
            probabilities: None,
            regimes: None,
            description: format!("{}: {}", self.name(), shape.describe()),
        })
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Gbm(_) => "geometric Brownian motion",
            Self::Heston(_) => "Heston stochastic volatility",
            Self::Merton(_) => "Merton jump diffusion",
            Self::Ou(_) => "Ornstein-Uhlenbeck log price",
            Self::Cir(_) => "Cox-Ingersoll-Ross price",
            Self::Fbm(_) => "fractional Brownian motion",
        }
    }

    fn series(
        &self,
        shape: &MarketShape,
        style: &CandleStyle,
        index: usize,
    ) -> Result<CandleSeries, MarketDataError> {
        let symbol = &shape.symbols[index];
        let path = self.path(shape, index);
        let typical = self.typical_variance(shape.years_per_candle()).sqrt();
        let mut painter = CandlePainter::new(shape, index, *style, typical);
        let base = symbol.start_price.ln();
        for (candle, ends) in path.log_price.windows(2).enumerate() {
            let variance = match &path.variance {
                BridgeVariance::Constant(variance) => *variance,
                BridgeVariance::Each(variances) => variances[candle],
            };
            painter.push(base + ends[0], base + ends[1], variance, 0.0);
        }
        painter.finish(shape, symbol)
    }

    fn path(&self, shape: &MarketShape, index: usize) -> LogPath {
        let dt = shape.years_per_candle();
        let mut rng = generator(shape.seed, "price-model/path", index as u64);
        let steps = shape.candles;
        let mut path = match self {
            Self::Gbm(model) => LogPath {
                log_price: model.simulate_log(steps, dt, &mut rng),
                variance: BridgeVariance::Constant(model.log_return_variance(dt)),
            },
            Self::Merton(model) => LogPath {
                log_price: model.simulate_log(steps, dt, &mut rng),
                variance: BridgeVariance::Constant(model.volatility.powi(2) * dt),
            },
            Self::Ou(model) => LogPath {
                log_price: model.simulate(steps, dt, &mut rng),
                variance: BridgeVariance::Constant(model.volatility.powi(2) * dt),
            },
            Self::Fbm(model) => LogPath {
                log_price: model.simulate_log(steps, dt, &mut rng),
                variance: BridgeVariance::Constant(model.log_variance(dt)),
            },
            Self::Heston(model) => {
                let (log_price, variance) = model.simulate_log(steps, dt, &mut rng);
                let means = variance.windows(2).map(|ends| 0.5 * (ends[0] + ends[1]) * dt);
                LogPath { log_price, variance: BridgeVariance::Each(means.collect()) }
            }
            Self::Cir(model) => {
                // The level may touch zero where 2κθ < σ²; its logarithm stops at one part in 10¹².
                let levels = model.simulate(steps, dt, &mut rng);
                let log_price: Vec<f64> = levels.into_iter().map(|level| level.max(1e-12).ln()).collect();
                let square = model.volatility.powi(2) * dt;
                let variances = log_price.windows(2).map(|ends| {
                    // Itô: ln X has the local variance σ²/X.
                    square * (-0.5 * (ends[0] + ends[1])).exp()
                });
                let variance = BridgeVariance::Each(variances.collect());
                LogPath { log_price, variance }
            }
        };
        let start = path.log_price.first().copied().unwrap_or(0.0);
        for value in &mut path.log_price {
            *value -= start;
        }
        path
    }

    /// Variance of a typical candle's log return.
    fn typical_variance(&self, dt: f64) -> f64 {
        match self {
            Self::Gbm(model) => model.log_return_variance(dt),
            Self::Heston(model) => model.long_run_variance * dt,
            Self::Merton(model) => model.log_return_variance(dt),
            Self::Ou(model) => model.volatility.powi(2) * dt,
            Self::Cir(model) => model.volatility.powi(2) / model.mean * dt,
            Self::Fbm(model) => model.log_variance(dt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeframe::Timeframe;

    fn models() -> Vec<PriceModel> {
        vec![
            PriceModel::Gbm(GeometricBrownianMotion::default()),
            PriceModel::Heston(Heston::default()),
            PriceModel::Merton(MertonJumpDiffusion::default()),
            PriceModel::Ou(OrnsteinUhlenbeck::default()),
            PriceModel::Cir(CoxIngersollRoss::default()),
            PriceModel::Fbm(FractionalBrownianMotion::default()),
        ]
    }

    #[test]
    fn every_process_makes_sound_candles_of_its_size() {
        let shape = MarketShape { candles: 20_000, timeframe: Timeframe::H1, ..Default::default() };
        for model in models() {
            let market = model.generate(&shape, &CandleStyle::default()).unwrap();
            assert_eq!(market.series.len(), 4);
            for (series, symbol) in market.series.iter().zip(&shape.symbols) {
                assert_eq!((series.len(), series.gaps().len()), (20_000, 0));
                assert_eq!(series.columns().open[0], symbol.start_price);
            }
            // Candles of BTC, whose tick is fine, move as much as the process says.
            let closes = &market.series[0].columns().close;
            let square: f64 = closes.windows(2).map(|pair| (pair[1] / pair[0]).ln().powi(2)).sum();
            let seen = square / (closes.len() - 1) as f64;
            let expected = model.typical_variance(shape.years_per_candle());
            assert!((seen / expected - 1.0).abs() < 0.35, "{}: {seen} {expected}", model.name());
        }
    }

    #[test]
    fn volume_follows_the_range() {
        let shape = MarketShape { candles: 5_000, ..Default::default() };
        let market = models()[0].generate(&shape, &CandleStyle::default()).unwrap();
        let columns = market.series[0].columns();
        let ranges: Vec<f64> =
            columns.high.iter().zip(&columns.low).map(|(high, low)| (high / low).ln()).collect();
        let middle = {
            let mut sorted = ranges.clone();
            sorted.sort_by(f64::total_cmp);
            sorted[sorted.len() / 2]
        };
        let mean_log_volume = |wide: bool| {
            let chosen = columns.volume.iter().zip(&ranges).filter(|(_, range)| (**range > middle) == wide);
            let logs: Vec<f64> = chosen.map(|(volume, _)| volume.ln()).collect();
            logs.iter().sum::<f64>() / logs.len() as f64
        };
        assert!(mean_log_volume(true) > mean_log_volume(false) + 0.2);
    }

    #[test]
    fn where_the_process_starts_does_not_show() {
        let shape = MarketShape { candles: 100, ..Default::default() };
        let closes = |start: f64| {
            let model = PriceModel::Gbm(GeometricBrownianMotion { start, ..Default::default() });
            let market = model.generate(&shape, &CandleStyle::default()).unwrap();
            market.series[0].columns().close.clone()
        };
        for (one, other) in closes(1.0).iter().zip(&closes(50.0)) {
            assert!((one - other).abs() < 0.11, "{one} {other}");
        }
    }

    #[test]
    fn a_dear_mean_reverting_price_moves_less() {
        let process = CoxIngersollRoss { start: 4.0, mean: 4.0, ..Default::default() };
        let shape = MarketShape { candles: 1_000, ..Default::default() };
        let model = PriceModel::Cir(process);
        let typical = model.typical_variance(shape.years_per_candle());
        let BridgeVariance::Each(variances) = model.path(&shape, 0).variance else {
            panic!("the variance of this process depends on its level");
        };
        assert!(variances.iter().all(|variance| (variance / typical - 1.0).abs() < 0.5));
    }

    #[test]
    fn a_price_cannot_start_at_zero() {
        let model = PriceModel::Cir(CoxIngersollRoss { start: 0.0, ..Default::default() });
        assert!(model.generate(&MarketShape::default(), &CandleStyle::default()).is_err());
    }
}
