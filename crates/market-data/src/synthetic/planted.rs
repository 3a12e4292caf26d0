//! A market whose next move is partly known, and exactly how much.

use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::candles::{CandleWriter, bridge_extremes};
use super::market::{MarketShape, SyntheticMarket, SyntheticSymbol};
use super::normal::{class_probabilities, normal_quantile};
use super::parameter::{between, finite, positive};
use super::random::generator;
use super::threads;
use crate::error::MarketDataError;
use crate::series::CandleSeries;

/// Digits to which prices are kept: rounding must not blur a law stated in closed form.
const SIGNIFICANT_DIGITS: i32 = 12;
/// Decimals of a volume, fine enough to read the driver to a billionth.
const VOLUME_DECIMALS: u32 = 9;

/// Planted signal: the direction of the next candles follows from the observable past by a known law.
///
/// A driver s, AR(1) with coefficient φ and unit stationary variance, can be read off each candle's volume,
/// V_t = V̄ exp(w s_t), and moves later returns: ln(C_{t+1}/C_t) = a σ s_{t−L} + σ ε_{t+1}, ε ~ N(0, 1).
/// Before the first candle the driver counts as 0, so that nothing unobserved ever matters.
///
/// **Law.** Let R be the log return from the close of candle t over the next h candles. It contains
/// s_{t−L}, …, s_{t−L+h−1}. Of these the first k = min(h, L + 1) are known at the close of t. The other
/// Q = h − k lie ahead, with E\[s_{t+q} | s_t\] = φ^q s_t, and shock t+i enters the sum of the Q with weight
/// √(1 − φ²) (1 + φ + … + φ^{Q−i}). So R given the past is normal with
///
/// - mean a σ (s_{t−L} + … + s_{t−L+k−1} + s_t (φ + … + φ^Q)),
/// - variance σ² h + a² σ² (1 − φ²) Σ_{n=1}^{Q} (1 + φ + … + φ^{n−1})².
///
/// Classes are sell (R < −θ), hold and buy (R > θ).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PlantedMarket {
    /// Candles h over which the return is classified.
    pub horizon: usize,
    /// Class threshold θ on the log return; where absent, the one at which each class has 1/3.
    pub threshold: Option<f64>,
    /// Strength a of the signal: drift per candle in units of σ and of the driver's deviation.
    pub strength: f64,
    /// AR(1) coefficient φ of the driver per candle.
    pub persistence: f64,
    /// Lag L in candles between the driver and its effect, beyond the one that causality asks for.
    pub lag: usize,
    /// Standard deviation σ of a candle's log return without the signal.
    pub deviation: f64,
    /// Exponent w by which the driver shows in the volume.
    pub volume_scale: f64,
    /// Base volume V̄ of a candle at s = 0.
    pub base_volume: f64,
}

impl Default for PlantedMarket {
    fn default() -> Self {
        Self {
            horizon: 4,
            threshold: None,
            strength: 0.5,
            persistence: 0.9,
            lag: 1,
            deviation: 0.002,
            volume_scale: 0.5,
            base_volume: 1_000.0,
        }
    }
}

/// Coefficients of the conditional law, the same for every candle.
struct Law {
    /// How many of the driver's values that matter are already known (k).
    known: usize,
    /// φ + … + φ^Q.
    ahead: f64,
    /// Standard deviation of the return given the past.
    deviation: f64,
    threshold: f64,
}

impl PlantedMarket {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        check_horizon(self.horizon)?;
        check_threshold(self.threshold)?;
        finite("strength", self.strength)?;
        between("persistence", self.persistence, -1.0, 1.0)?;
        positive("deviation", self.deviation)?;
        between("volume_scale", self.volume_scale, 0.0, 5.0)?;
        positive("base_volume", self.base_volume)?;
        if self.lag > MOST_CANDLES_OF_MEMORY {
            let reason = format!("is {}, must be at most {MOST_CANDLES_OF_MEMORY} candles", self.lag);
            return Err(MarketDataError::request("lag", reason));
        }
        Ok(())
    }

    /// Long-run variance of the h-candle log return: σ² h + a² σ² (h + 2 Σ_{j=1}^{h−1} (h − j) φ^j).
    pub fn return_variance(&self) -> f64 {
        let h = self.horizon as f64;
        let mut sum = h;
        let mut power = 1.0;
        for j in 1..self.horizon {
            power *= self.persistence;
            sum += 2.0 * (h - j as f64) * power;
        }
        self.deviation.powi(2) * (h + self.strength.powi(2) * sum)
    }

    /// The class threshold θ: the configured one, or Φ⁻¹(2/3) long-run deviations of the return.
    pub fn class_threshold(&self) -> f64 {
        self.threshold.unwrap_or_else(|| normal_quantile(2.0 / 3.0) * self.return_variance().sqrt())
    }

    /// The market of `shape` with its Bayes-optimal probabilities.
    ///
    /// Price and volume decimals of the shape are refined where they would blur the law; every symbol has
    /// a driver of its own.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] for parameters or a shape out of range.
    pub fn generate(&self, shape: &MarketShape) -> Result<SyntheticMarket, MarketDataError> {
        self.validate()?;
        shape.validate()?;
        let made =
            threads::each(shape.symbols.len(), threads::available(), |index| self.series(shape, index))?;
        let (series, probabilities) = made.into_iter().unzip();
        Ok(SyntheticMarket {
            series,
            probabilities: Some(probabilities),
            regimes: None,
            description: format!(
                "planted signal (horizon {}, threshold {:.6}, strength {}, lag {}): {}",
                self.horizon,
                self.class_threshold(),
                self.strength,
                self.lag,
                shape.describe()
            ),
        })
    }

    /// Bayes-optimal probabilities `[sell, hold, buy]` after each candle, from the candles' volumes alone:
    /// the proof that the law is observable.
    ///
    /// `series` must be one that this model generated, whole from its first candle.
    pub fn probabilities_from(&self, series: &CandleSeries) -> Vec<[f64; 3]> {
        let volumes = &series.columns().volume;
        let driver: Vec<f64> =
            volumes.iter().map(|volume| (volume / self.base_volume).ln() / self.volume_scale).collect();
        self.probabilities(&driver)
    }

    fn law(&self) -> Law {
        let known = self.horizon.min(self.lag + 1);
        let (mut ahead, mut power, mut weight, mut square) = (0.0, 1.0, 0.0, 0.0);
        for _ in known..self.horizon {
            // `weight` is 1 + φ + … before `power` moves on to the next φ^q.
            weight += power;
            square += weight * weight;
            power *= self.persistence;
            ahead += power;
        }
        let pending = self.strength.powi(2) * (1.0 - self.persistence.powi(2)) * square;
        Law {
            known,
            ahead,
            deviation: self.deviation * (self.horizon as f64 + pending).sqrt(),
            threshold: self.class_threshold(),
        }
    }

    fn probabilities(&self, driver: &[f64]) -> Vec<[f64; 3]> {
        let law = self.law();
        let scale = self.strength * self.deviation;
        (0..driver.len())
            .map(|t| {
                // Positions below 0 lie before the first candle, where the driver counts as 0.
                let first = t.saturating_sub(self.lag);
                let end = (t + law.known).saturating_sub(self.lag);
                let known: f64 = driver[first..end].iter().sum();
                let mean = scale * (known + driver[t] * law.ahead);
                class_probabilities(mean, law.deviation, law.threshold)
            })
            .collect()
    }

    fn series(
        &self,
        shape: &MarketShape,
        index: usize,
    ) -> Result<(CandleSeries, Vec<[f64; 3]>), MarketDataError> {
        let symbol = finely_quoted(&shape.symbols[index]);
        let mut rng = generator(shape.seed, "planted/driver", index as u64);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let innovation = (1.0 - self.persistence.powi(2)).sqrt();
        let mut value = normal();
        let mut driver = Vec::with_capacity(shape.candles);
        for _ in 0..shape.candles {
            driver.push(value);
            value = self.persistence * value + innovation * normal();
        }
        let mut rng = generator(shape.seed, "planted/price", index as u64);
        let mut writer = CandleWriter::new(shape, &symbol);
        let mut open = symbol.start_price.ln();
        for (t, now) in driver.iter().enumerate() {
            // Candle t moves with the driver of candle t - 1 - L.
            let past = t.checked_sub(1 + self.lag).map_or(0.0, |at| driver[at]);
            let shock: f64 = StandardNormal.sample(&mut rng);
            let close = open + self.deviation * (self.strength * past + shock);
            let (low, high) = bridge_extremes(open, close, self.deviation.powi(2), &mut rng);
            let volume = self.base_volume * (self.volume_scale * now).exp();
            writer.push(low, high, close, volume);
            open = close;
        }
        Ok((writer.finish(shape, &symbol)?, self.probabilities(&driver)))
    }
}

/// Horizon and lag beyond which the closed forms' sums would take longer than the market.
const MOST_CANDLES_OF_MEMORY: usize = 10_000;

pub(super) fn check_horizon(horizon: usize) -> Result<(), MarketDataError> {
    if (1..=MOST_CANDLES_OF_MEMORY).contains(&horizon) {
        return Ok(());
    }
    let reason = format!("is {horizon}, must be from 1 to {MOST_CANDLES_OF_MEMORY} candles");
    Err(MarketDataError::request("horizon", reason))
}

pub(super) fn check_threshold(threshold: Option<f64>) -> Result<(), MarketDataError> {
    threshold.map_or(Ok(()), |threshold| super::parameter::not_negative("threshold", threshold))
}

/// The symbol with grids so fine that rounding does not show in the law.
pub(super) fn finely_quoted(symbol: &SyntheticSymbol) -> SyntheticSymbol {
    let whole_digits = symbol.start_price.log10().floor() as i32 + 1;
    let decimals = u32::try_from(SIGNIFICANT_DIGITS - whole_digits).unwrap_or(0);
    SyntheticSymbol {
        price_decimals: symbol.price_decimals.max(decimals),
        volume_decimals: symbol.volume_decimals.max(VOLUME_DECIMALS),
        ..symbol.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The conditional law by brute force: condition the joint covariance of driver shocks numerically.
    fn simulated_law(market: &PlantedMarket, past: &[f64], count: u32) -> (f64, f64) {
        let mut rng = generator(9, "planted-test", market.horizon as u64);
        let innovation = (1.0 - market.persistence.powi(2)).sqrt();
        let returns: Vec<f64> = (0..count)
            .map(|_| {
                let mut driver = past.to_vec();
                let mut total = 0.0;
                for _ in 0..market.horizon {
                    let t = driver.len() - 1;
                    let effect = t.checked_sub(market.lag).map_or(0.0, |at| driver[at]);
                    let shock: f64 = StandardNormal.sample(&mut rng);
                    total += market.deviation * (market.strength * effect + shock);
                    let step: f64 = StandardNormal.sample(&mut rng);
                    driver.push(market.persistence * driver[t] + innovation * step);
                }
                total
            })
            .collect();
        let mean = returns.iter().sum::<f64>() / f64::from(count);
        let square = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / f64::from(count);
        (mean, square)
    }

    #[test]
    fn the_law_agrees_with_simulation_for_any_lag_and_horizon() {
        let past = [0.4, -1.1, 0.8, 1.7];
        let count = 100_000;
        for (lag, horizon) in [(0, 1), (0, 5), (1, 4), (2, 2), (3, 1), (3, 9), (6, 4), (6, 12)] {
            let market = PlantedMarket { lag, horizon, strength: 0.8, ..Default::default() };
            let law = market.law();
            let (mean, square) = simulated_law(&market, &past, count);
            let t = past.len() - 1;
            let at = |index: i64| usize::try_from(index).map_or(0.0, |index| past[index]);
            let known: f64 = (0..law.known).map(|j| at(t as i64 - lag as i64 + j as i64)).sum();
            let expected = market.strength * market.deviation * (known + past[t] * law.ahead);
            let error = (square / f64::from(count)).sqrt();
            assert!((mean - expected).abs() < 4.5 * error, "{lag} {horizon}: {mean} {expected}");
            let ratio = square / law.deviation.powi(2);
            assert!((ratio - 1.0).abs() < 4.5 * (2.0 / f64::from(count)).sqrt(), "{lag} {horizon} {ratio}");
        }
    }

    #[test]
    fn the_volumes_alone_give_the_probabilities() {
        for (lag, horizon) in [(0, 1), (1, 4), (5, 3)] {
            let market = PlantedMarket { lag, horizon, ..Default::default() };
            let shape = MarketShape { candles: 5_000, ..Default::default() };
            let made = market.generate(&shape).unwrap();
            let probabilities = made.probabilities.unwrap();
            for (series, rows) in made.series.iter().zip(&probabilities) {
                let again = market.probabilities_from(series);
                assert_eq!(again.len(), rows.len());
                for (row, other) in rows.iter().zip(&again) {
                    for (p, q) in row.iter().zip(other) {
                        assert!((p - q).abs() < 1e-6);
                    }
                }
            }
        }
    }

    #[test]
    fn the_usual_threshold_makes_thirds() {
        let market = PlantedMarket::default();
        let all = class_probabilities(0.0, market.return_variance().sqrt(), market.class_threshold());
        assert!(all.iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-12));
        // The law of total variance, with the driver's covariances φ^|i−j| summed one by one: what is
        // known of the drift and what is not add up to the variance of the return.
        for (lag, horizon) in [(0, 1), (0, 6), (2, 2), (2, 7), (5, 3)] {
            let market = PlantedMarket { lag, horizon, ..market };
            let law = market.law();
            // Weights of s_{t−L}, …, s_{t−L+k−1}, s_t in the conditional mean.
            let mut weights: Vec<(i32, f64)> = (0..law.known).map(|j| (j as i32 - lag as i32, 1.0)).collect();
            weights.push((0, law.ahead));
            let mut known = 0.0;
            for (i, a) in &weights {
                for (j, b) in &weights {
                    known += a * b * market.persistence.powi((i - j).abs());
                }
            }
            let explained = (market.strength * market.deviation).powi(2) * known;
            let total = explained + law.deviation.powi(2);
            assert!((market.return_variance() / total - 1.0).abs() < 1e-12, "{lag} {horizon}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_name_of_the_parameter() {
        for (market, word) in [
            (PlantedMarket { horizon: 0, ..Default::default() }, "horizon"),
            (PlantedMarket { persistence: 1.0, ..Default::default() }, "persistence"),
            (PlantedMarket { threshold: Some(-1.0), ..Default::default() }, "threshold"),
            (PlantedMarket { lag: usize::MAX, ..Default::default() }, "lag"),
        ] {
            assert!(market.validate().unwrap_err().to_string().contains(word));
        }
    }
}
