//! A market in which there is nothing to learn.

use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::candles::{CandleWriter, bridge_extremes};
use super::market::{MarketShape, SyntheticMarket};
use super::normal::{class_probabilities, normal_quantile};
use super::parameter::{not_negative, positive};
use super::planted::{check_horizon, check_threshold, finely_quoted};
use super::random::generator;
use super::threads;
use crate::error::MarketDataError;
use crate::series::CandleSeries;

/// Pure noise: independent Gaussian log returns of constant deviation and independent volumes.
///
/// Neither the direction nor the size of any later return depends on anything that came before, so the
/// best possible forecast is the same for every candle. Who finds more here has leaked the future.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NoiseMarket {
    /// Candles h over which the return is classified.
    pub horizon: usize,
    /// Class threshold θ on the log return; where absent, the one at which each class has 1/3.
    pub threshold: Option<f64>,
    /// Standard deviation σ of a candle's log return.
    pub deviation: f64,
    /// Standard deviation of a candle's log volume.
    pub volume_deviation: f64,
    /// Median base volume of a candle.
    pub base_volume: f64,
}

impl Default for NoiseMarket {
    fn default() -> Self {
        Self { horizon: 4, threshold: None, deviation: 0.002, volume_deviation: 0.5, base_volume: 1_000.0 }
    }
}

impl NoiseMarket {
    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        check_horizon(self.horizon)?;
        check_threshold(self.threshold)?;
        positive("deviation", self.deviation)?;
        not_negative("volume_deviation", self.volume_deviation)?;
        positive("base_volume", self.base_volume)
    }

    /// Variance of the h-candle log return: σ² h.
    pub fn return_variance(&self) -> f64 {
        self.deviation.powi(2) * self.horizon as f64
    }

    /// The class threshold θ: the configured one, or Φ⁻¹(2/3) deviations of the return.
    pub fn class_threshold(&self) -> f64 {
        self.threshold.unwrap_or_else(|| normal_quantile(2.0 / 3.0) * self.return_variance().sqrt())
    }

    /// Probabilities `[sell, hold, buy]` after any candle.
    pub fn probabilities(&self) -> [f64; 3] {
        class_probabilities(0.0, self.return_variance().sqrt(), self.class_threshold())
    }

    /// The market of `shape` with its constant probabilities; price and volume grids are refined as in
    /// [`super::PlantedMarket`].
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] for parameters or a shape out of range.
    pub fn generate(&self, shape: &MarketShape) -> Result<SyntheticMarket, MarketDataError> {
        self.validate()?;
        shape.validate()?;
        let count = shape.symbols.len();
        let series = threads::each(count, threads::available(), |index| self.series(shape, index))?;
        Ok(SyntheticMarket {
            series,
            probabilities: Some(vec![vec![self.probabilities(); shape.candles]; count]),
            regimes: None,
            description: format!(
                "pure noise (horizon {}, threshold {:.6}): {}",
                self.horizon,
                self.class_threshold(),
                shape.describe()
            ),
        })
    }

    fn series(&self, shape: &MarketShape, index: usize) -> Result<CandleSeries, MarketDataError> {
        let symbol = finely_quoted(&shape.symbols[index]);
        let mut rng = generator(shape.seed, "noise", index as u64);
        let mut writer = CandleWriter::new(shape, &symbol);
        let mut open = symbol.start_price.ln();
        for _ in 0..shape.candles {
            let shock: f64 = StandardNormal.sample(&mut rng);
            let close = open + self.deviation * shock;
            let (low, high) = bridge_extremes(open, close, self.deviation.powi(2), &mut rng);
            let trade: f64 = StandardNormal.sample(&mut rng);
            writer.push(low, high, close, self.base_volume * (self.volume_deviation * trade).exp());
            open = close;
        }
        writer.finish(shape, &symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_classes_are_thirds() {
        assert!(NoiseMarket::default().probabilities().iter().all(|p| (p - 1.0 / 3.0).abs() < 1e-12));
        let narrow = NoiseMarket { threshold: Some(0.0), ..Default::default() };
        assert_eq!(narrow.probabilities(), [0.5, 0.0, 0.5]);
    }

    #[test]
    fn nonsense_is_refused_with_the_name_of_the_parameter() {
        let market = NoiseMarket { deviation: 0.0, ..Default::default() };
        let error = market.generate(&MarketShape::default()).unwrap_err().to_string();
        assert!(error.contains("deviation"), "{error}");
    }
}
