//! A market of several symbols with regimes, a common factor, fat tails and volatility that clusters.

use rand::Rng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{ChiSquared, Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::candles::{CandlePainter, CandleStyle};
use super::market::{MarketShape, SyntheticMarket, SyntheticSymbol};
use super::parameter::{between, finite, not_negative};
use super::random::generator;
use super::regime::{Regime, RegimeProfiles};
use super::threads;
use crate::error::MarketDataError;
use crate::series::CandleSeries;

const HOURS: usize = 24;
const HOUR_MILLIS: i64 = 3_600_000;
/// Crypto trades most in the afternoon of Europe, when New York opens.
const BUSIEST_HOUR: f64 = 15.0;

/// Regime-switching market: what the whole system is exercised on.
///
/// The log return of symbol i over a candle of dt years in regime k is
///
/// r_i = β_i (μ_k dt + σ_k √c_k √dt · s · e^{x₀/2} F) + q_i σ_k √(1 − c_k) √dt · s · e^{x_i/2} E_i − a dt · ln(P_i/P_i⁰)
///
/// with drift μ, volatility σ and correlation c of the regime, Student-t factor F and own shocks E_i of unit
/// variance, the hour's season s, and log variances x that follow AR(1) processes per candle (stochastic
/// volatility: Taylor 1986, "Modelling financial time series", chapter 3), shifted so that E\[e^x\] = 1.
/// The last term, weak by default, keeps long histories within reach of their tick grid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RegimeMarket {
    /// The regimes and how they follow each other.
    pub regimes: RegimeProfiles,
    /// Degrees of freedom ν > 2 of the Student-t shocks; the tail index of returns.
    pub tail_degrees: f64,
    /// Stationary standard deviation of a log variance x.
    pub log_variance_deviation: f64,
    /// AR(1) coefficient of a log variance per candle.
    pub log_variance_persistence: f64,
    /// Amplitude of the hour of day in log volatility; no effect from 1 day on.
    pub volatility_seasonality: f64,
    /// Amplitude of the hour of day in log volume, beyond what volatility brings; no effect from 1 day on.
    pub volume_seasonality: f64,
    /// How volume follows the candles.
    pub style: CandleStyle,
    /// Pull a of the log price towards its start, per year.
    pub anchor: f64,
}

impl Default for RegimeMarket {
    fn default() -> Self {
        Self {
            regimes: RegimeProfiles::default(),
            tail_degrees: 7.0,
            log_variance_deviation: 1.0,
            log_variance_persistence: 0.98,
            volatility_seasonality: 0.15,
            volume_seasonality: 0.25,
            style: CandleStyle::default(),
            anchor: 0.5,
        }
    }
}

impl RegimeMarket {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        self.regimes.validate()?;
        between("tail_degrees", self.tail_degrees, 2.0, 1e6)?;
        not_negative("log_variance_deviation", self.log_variance_deviation)?;
        between("log_variance_persistence", self.log_variance_persistence, -1.0, 1.0)?;
        finite("volatility_seasonality", self.volatility_seasonality)?;
        finite("volume_seasonality", self.volume_seasonality)?;
        not_negative("anchor", self.anchor)?;
        self.style.validate()
    }

    /// The market of `shape`, on as many threads as the machine has.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] for parameters or a shape out of range.
    pub fn generate(&self, shape: &MarketShape) -> Result<SyntheticMarket, MarketDataError> {
        self.generate_on(shape, threads::available())
    }

    /// [`RegimeMarket::generate`] on at most `threads` threads; the market does not depend on them.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] for parameters or a shape out of range.
    pub fn generate_on(
        &self,
        shape: &MarketShape,
        threads: usize,
    ) -> Result<SyntheticMarket, MarketDataError> {
        self.validate()?;
        shape.validate()?;
        let common = self.common(shape)?;
        let series = threads::each(shape.symbols.len(), threads, |index| self.series(shape, &common, index))?;
        Ok(SyntheticMarket {
            series,
            probabilities: None,
            regimes: Some(common.regimes),
            description: format!("regime-switching market: {}", shape.describe()),
        })
    }

    /// Long-run correlation of the log returns of two symbols:
    /// Σ_k π_k σ_k² c_k β_i β_j / √(v_i v_j) with v the long-run variances.
    ///
    /// Regimes, seasons and volatilities average out; the regimes' drifts and the anchor add next to nothing.
    pub fn implied_correlation(&self, first: &SyntheticSymbol, second: &SyntheticSymbol) -> f64 {
        let shares = self.regimes.stationary_shares();
        let shared: f64 = Regime::ALL
            .into_iter()
            .map(|regime| {
                let profile = self.regimes.of(regime);
                shares[regime.index()] * profile.volatility.powi(2) * profile.correlation
            })
            .sum();
        let variances = self.yearly_variance(first) * self.yearly_variance(second);
        shared * first.beta * second.beta / variances.sqrt()
    }

    /// Long-run variance of a symbol's log returns, per year: Σ_k π_k σ_k² (β² c_k + q² (1 − c_k)).
    pub fn yearly_variance(&self, symbol: &SyntheticSymbol) -> f64 {
        let shares = self.regimes.stationary_shares();
        let (beta2, own2) = (symbol.beta.powi(2), symbol.idiosyncratic.powi(2));
        Regime::ALL
            .into_iter()
            .map(|regime| {
                let profile = self.regimes.of(regime);
                let mixed = beta2 * profile.correlation + own2 * (1.0 - profile.correlation);
                shares[regime.index()] * profile.volatility.powi(2) * mixed
            })
            .sum()
    }

    /// What all symbols share: regimes, factor, seasons.
    fn common(&self, shape: &MarketShape) -> Result<Common, MarketDataError> {
        let dt = shape.years_per_candle();
        let mut chain = generator(shape.seed, "regime/chain", 0);
        let regimes = self.regimes.simulate(shape.candles, dt, &mut chain);
        let seasons = Seasons::new(self, shape);
        let mut shocks = ClusteredShocks::new(self, generator(shape.seed, "regime/factor", 0))?;
        let per_regime = Regime::ALL.map(|regime| {
            let profile = self.regimes.of(regime);
            let deviation = profile.volatility * dt.sqrt();
            (
                profile.drift * dt,
                deviation * profile.correlation.sqrt(),
                deviation * (1.0 - profile.correlation).sqrt(),
            )
        });
        let steps = regimes
            .iter()
            .enumerate()
            .map(|(candle, regime)| {
                let (drift, common, own) = per_regime[regime.index()];
                let season = seasons.volatility(candle);
                let (scale, shock) = shocks.next();
                let deviation = common * season * scale;
                CommonStep {
                    log_return: drift + deviation * shock,
                    variance: deviation * deviation,
                    own_deviation: own * season,
                }
            })
            .collect();
        Ok(Common { regimes, steps, seasons })
    }

    fn series(
        &self,
        shape: &MarketShape,
        common: &Common,
        index: usize,
    ) -> Result<CandleSeries, MarketDataError> {
        let symbol = &shape.symbols[index];
        let dt = shape.years_per_candle();
        let typical = (self.yearly_variance(symbol) * dt).sqrt();
        let mut painter = CandlePainter::new(shape, index, self.style, typical);
        let mut shocks = ClusteredShocks::new(self, generator(shape.seed, "regime/own", index as u64))?;
        // A pull of more than the whole way in one candle would overshoot.
        let pull = (self.anchor * dt).min(1.0);
        let start = symbol.start_price.ln();
        let mut open = start;
        for (candle, step) in common.steps.iter().enumerate() {
            let (scale, shock) = shocks.next();
            let own = step.own_deviation * symbol.idiosyncratic * scale;
            let close = open + symbol.beta * step.log_return + own * shock - pull * (open - start);
            let variance = symbol.beta * symbol.beta * step.variance + own * own;
            painter.push(open, close, variance, common.seasons.volume(candle));
            open = close;
        }
        painter.finish(shape, symbol)
    }
}

/// What all symbols of the market share.
struct Common {
    regimes: Vec<Regime>,
    steps: Vec<CommonStep>,
    seasons: Seasons,
}

/// The common part of one candle.
struct CommonStep {
    /// Drift and factor, for β = 1.
    log_return: f64,
    /// Variance of the factor, given its volatility.
    variance: f64,
    /// Standard deviation of a symbol's own part before its own volatility.
    own_deviation: f64,
}

/// Student-t shocks of unit variance with a log-AR(1) volatility of unit mean square.
struct ClusteredShocks {
    chi_squared: ChiSquared<f64>,
    /// ν − 2, which scales a Student-t to unit variance.
    spread: f64,
    persistence: f64,
    innovation: f64,
    /// −s²/4, by which e^{x/2} gets the mean square 1.
    shift: f64,
    log_variance: f64,
    rng: Xoshiro256PlusPlus,
}

impl ClusteredShocks {
    fn new(market: &RegimeMarket, mut rng: Xoshiro256PlusPlus) -> Result<Self, MarketDataError> {
        let chi_squared = ChiSquared::new(market.tail_degrees)
            .map_err(|error| MarketDataError::request("tail_degrees", error.to_string()))?;
        let deviation = market.log_variance_deviation;
        let start = normal(&mut rng);
        Ok(Self {
            chi_squared,
            spread: market.tail_degrees - 2.0,
            persistence: market.log_variance_persistence,
            innovation: deviation * (1.0 - market.log_variance_persistence.powi(2)).sqrt(),
            shift: -0.25 * deviation * deviation,
            log_variance: deviation * start,
            rng,
        })
    }

    /// The volatility of the next candle, and its shock of unit variance.
    #[inline]
    fn next(&mut self) -> (f64, f64) {
        let scale = (0.5 * self.log_variance + self.shift).exp();
        let chi_squared: f64 = self.chi_squared.sample(&mut self.rng);
        let shock = normal(&mut self.rng) * (self.spread / chi_squared).sqrt();
        self.log_variance = self.persistence * self.log_variance + self.innovation * normal(&mut self.rng);
        (scale, shock)
    }
}

#[inline]
fn normal(rng: &mut impl Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// The hour of day in volatility and volume.
struct Seasons {
    /// Factors of mean square 1.
    volatility: [f64; HOURS],
    /// Addends to log volume of mean 0.
    volume: [f64; HOURS],
    start: i64,
    step: i64,
}

impl Seasons {
    fn new(market: &RegimeMarket, shape: &MarketShape) -> Self {
        let step = shape.timeframe.millis();
        let within_day = step < HOURS as i64 * HOUR_MILLIS;
        let wave: [f64; HOURS] = std::array::from_fn(|hour| {
            let angle = std::f64::consts::TAU * (hour as f64 - BUSIEST_HOUR) / HOURS as f64;
            if within_day { angle.cos() } else { 0.0 }
        });
        let volatility = wave.map(|height| (market.volatility_seasonality * height).exp());
        let square = volatility.iter().map(|factor| factor * factor).sum::<f64>() / HOURS as f64;
        Self {
            volatility: volatility.map(|factor| factor / square.sqrt()),
            volume: wave.map(|height| market.volume_seasonality * height),
            start: shape.start.as_millis(),
            step,
        }
    }

    #[inline]
    fn hour(&self, candle: usize) -> usize {
        let time = self.start.wrapping_add((candle as i64).wrapping_mul(self.step));
        time.div_euclid(HOUR_MILLIS).rem_euclid(HOURS as i64) as usize
    }

    #[inline]
    fn volatility(&self, candle: usize) -> f64 {
        self.volatility[self.hour(candle)]
    }

    #[inline]
    fn volume(&self, candle: usize) -> f64 {
        self.volume[self.hour(candle)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeframe::Timeframe;

    #[test]
    fn shocks_have_unit_variance() {
        let market = RegimeMarket { tail_degrees: 10.0, ..Default::default() };
        let mut shocks = ClusteredShocks::new(&market, generator(1, "shock-test", 0)).unwrap();
        let count = 400_000;
        let (mut square, mut scale2) = (0.0, 0.0);
        for _ in 0..count {
            let (scale, shock) = shocks.next();
            square += shock * shock;
            scale2 += scale * scale;
        }
        assert!((square / f64::from(count) - 1.0).abs() < 0.015, "{square}");
        assert!((scale2 / f64::from(count) - 1.0).abs() < 0.06, "{scale2}");
    }

    /// A market in which all regimes are alike.
    fn calm_market(volatility_seasonality: f64) -> RegimeMarket {
        let mut regimes = RegimeProfiles::default();
        let calm = regimes.sideways;
        regimes = RegimeProfiles { bull: calm, bear: calm, crash: calm, sideways: calm };
        RegimeMarket { regimes, volatility_seasonality, ..Default::default() }
    }

    #[test]
    fn the_own_part_has_its_hours() {
        let market = calm_market(0.4);
        let shape = MarketShape { timeframe: Timeframe::H1, candles: 100, ..Default::default() };
        let steps = market.common(&shape).unwrap().steps;
        let ratio = steps[15].own_deviation / steps[3].own_deviation;
        assert!((ratio - 0.8_f64.exp()).abs() < 1e-9, "{ratio}");
    }

    #[test]
    fn the_factor_clusters_as_its_parameters_say() {
        let market = calm_market(0.0);
        let calm = market.regimes.sideways;
        let shape = MarketShape { candles: 200_000, ..Default::default() };
        let common = market.common(&shape).unwrap();
        let logs: Vec<f64> = common.steps.iter().map(|step| step.variance.ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let moment = |lag: usize| {
            let products = logs.windows(lag + 1).map(|w| (w[0] - mean) * (w[lag] - mean));
            products.sum::<f64>() / (logs.len() - lag) as f64
        };
        let expected = market.log_variance_deviation.powi(2);
        assert!((moment(0) / expected - 1.0).abs() < 0.1, "{}", moment(0));
        let decay = market.log_variance_persistence.powi(20);
        assert!((moment(20) / moment(0) - decay).abs() < 0.05, "{}", moment(20));
        assert!(common.steps.iter().all(|step| {
            let own = calm.volatility.powi(2) * (1.0 - calm.correlation) * shape.years_per_candle();
            (step.own_deviation.powi(2) / own - 1.0).abs() < 1e-9
        }));
    }

    #[test]
    fn the_hour_shows_in_the_volume_and_the_anchor_holds() {
        let shape = MarketShape { timeframe: Timeframe::H1, candles: 20_000, ..Default::default() };
        let held = RegimeMarket { anchor: 100.0, ..Default::default() };
        let free = RegimeMarket { anchor: 0.0, ..Default::default() };
        let farthest = |market: &RegimeMarket| {
            let made = market.generate(&shape).unwrap();
            let close = &made.series[0].columns().close;
            let volume = &made.series[0].columns().volume;
            let at =
                |hour: usize| -> f64 { volume.iter().skip(hour).step_by(24).map(|volume| volume.ln()).sum() };
            assert!(at(15) > at(3) + 0.3 * 833.0, "{} {}", at(15), at(3));
            close.iter().map(|price| (price / 42_000.0).ln().abs()).fold(0.0, f64::max)
        };
        assert!(2.0 * farthest(&held) < farthest(&free));
    }

    #[test]
    fn seasons_average_out_and_stop_at_a_day() {
        let shape = MarketShape { timeframe: Timeframe::H1, ..Default::default() };
        let seasons = Seasons::new(&RegimeMarket::default(), &shape);
        let square: f64 = (0..24).map(|candle| seasons.volatility(candle).powi(2)).sum();
        assert!((square / 24.0 - 1.0).abs() < 1e-12);
        assert!(seasons.volume(15) > seasons.volume(3));
        let daily = MarketShape { timeframe: Timeframe::D1, ..shape };
        let seasons = Seasons::new(&RegimeMarket::default(), &daily);
        assert_eq!((seasons.volatility(5), seasons.volume(5)), (1.0, 0.0));
    }

    #[test]
    fn one_symbol_of_beta_one_correlates_as_its_regime_says() {
        let mut market = RegimeMarket::default();
        for profile in [
            &mut market.regimes.bull,
            &mut market.regimes.bear,
            &mut market.regimes.sideways,
            &mut market.regimes.crash,
        ] {
            profile.correlation = 0.4;
        }
        let symbol = SyntheticSymbol::new("A/USDT:USDT", 1.0).unwrap();
        assert!((market.implied_correlation(&symbol, &symbol) - 0.4).abs() < 1e-12);
    }

    #[test]
    fn nonsense_is_refused_with_the_name_of_the_parameter() {
        let shape = MarketShape::default();
        for (market, word) in [
            (RegimeMarket { tail_degrees: 2.0, ..Default::default() }, "tail_degrees"),
            (RegimeMarket { log_variance_persistence: 1.0, ..Default::default() }, "persistence"),
            (RegimeMarket { anchor: f64::NAN, ..Default::default() }, "anchor"),
        ] {
            assert!(market.generate(&shape).unwrap_err().to_string().contains(word));
        }
    }
}
