//! Every synthetic market behind one name, for configuration files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::candles::CandleStyle;
use super::diffusion::{GeometricBrownianMotion, MertonJumpDiffusion, OrnsteinUhlenbeck};
use super::fractional::FractionalBrownianMotion;
use super::market::{MarketShape, SyntheticMarket};
use super::noise::NoiseMarket;
use super::planted::PlantedMarket;
use super::price_model::PriceModel;
use super::regime_market::RegimeMarket;
use super::square_root::{CoxIngersollRoss, Heston};
use crate::error::MarketDataError;

/// A model of a market, named in its field `model`; what is left out keeps its default:
///
/// ```toml
/// model = "planted"
/// horizon = 8
/// strength = 0.3
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "model", rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "one per run, not many in a row")]
pub enum SyntheticModel {
    /// Regimes, a common factor, fat tails, clustering volatility.
    Regime(RegimeMarket),
    /// Geometric Brownian motion.
    Gbm(GeometricBrownianMotion),
    /// Stochastic volatility.
    Heston(Heston),
    /// Brownian motion with log-normal jumps.
    Merton(MertonJumpDiffusion),
    /// Mean-reverting logarithm of the price.
    OrnsteinUhlenbeck(OrnsteinUhlenbeck),
    /// Mean-reverting price.
    Cir(CoxIngersollRoss),
    /// Exponential of fractional Brownian motion.
    FractionalBrownian(FractionalBrownianMotion),
    /// A signal of known law.
    Planted(PlantedMarket),
    /// No signal at all.
    Noise(NoiseMarket),
}

impl Default for SyntheticModel {
    fn default() -> Self {
        Self::Regime(RegimeMarket::default())
    }
}

impl SyntheticModel {
    /// The name in the field `model`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Regime(_) => "regime",
            Self::Gbm(_) => "gbm",
            Self::Heston(_) => "heston",
            Self::Merton(_) => "merton",
            Self::OrnsteinUhlenbeck(_) => "ornstein-uhlenbeck",
            Self::Cir(_) => "cir",
            Self::FractionalBrownian(_) => "fractional-brownian",
            Self::Planted(_) => "planted",
            Self::Noise(_) => "noise",
        }
    }

    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        match self {
            Self::Regime(market) => market.validate(),
            Self::Planted(market) => market.validate(),
            Self::Noise(market) => market.validate(),
            Self::Gbm(model) => model.validate(),
            Self::Heston(model) => model.validate(),
            Self::Merton(model) => model.validate(),
            Self::OrnsteinUhlenbeck(model) => model.validate(),
            Self::Cir(model) => PriceModel::Cir(*model).validate(),
            Self::FractionalBrownian(model) => model.validate(),
        }
    }

    /// The market of `shape`; the same model, shape and seed give the same bytes.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] for parameters or a shape out of range.
    pub fn generate(&self, shape: &MarketShape) -> Result<SyntheticMarket, MarketDataError> {
        let process = match *self {
            Self::Regime(market) => return market.generate(shape),
            Self::Planted(market) => return market.generate(shape),
            Self::Noise(market) => return market.generate(shape),
            Self::Gbm(model) => PriceModel::Gbm(model),
            Self::Heston(model) => PriceModel::Heston(model),
            Self::Merton(model) => PriceModel::Merton(model),
            Self::OrnsteinUhlenbeck(model) => PriceModel::Ou(model),
            Self::Cir(model) => PriceModel::Cir(model),
            Self::FractionalBrownian(model) => PriceModel::Fbm(model),
        };
        process.generate(shape, &CandleStyle::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> Vec<SyntheticModel> {
        vec![
            SyntheticModel::default(),
            SyntheticModel::Gbm(GeometricBrownianMotion::default()),
            SyntheticModel::Heston(Heston::default()),
            SyntheticModel::Merton(MertonJumpDiffusion::default()),
            SyntheticModel::OrnsteinUhlenbeck(OrnsteinUhlenbeck::default()),
            SyntheticModel::Cir(CoxIngersollRoss::default()),
            SyntheticModel::FractionalBrownian(FractionalBrownianMotion::default()),
            SyntheticModel::Planted(PlantedMarket::default()),
            SyntheticModel::Noise(NoiseMarket::default()),
        ]
    }

    #[test]
    fn a_name_alone_means_the_defaults() {
        for model in models() {
            let text = format!("model = \"{}\"", model.name());
            assert_eq!(toml::from_str::<SyntheticModel>(&text).unwrap(), model, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for model in models() {
            let text = serde_json::to_string(&model).unwrap();
            assert_eq!(serde_json::from_str::<SyntheticModel>(&text).unwrap(), model, "{text}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused() {
        for model in models() {
            let text = format!("model = \"{}\"\nvolatilty = 1.0", model.name());
            let error = toml::from_str::<SyntheticModel>(&text).unwrap_err().to_string();
            assert!(error.contains("volatilty"), "{error}");
        }
        assert!(toml::from_str::<SyntheticModel>("model = \"magic\"").is_err());
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        let shape = MarketShape { candles: 300, ..Default::default() };
        for model in models() {
            let hashes = |shape: &MarketShape| -> Vec<String> {
                let market = model.generate(shape).unwrap();
                assert!(market.series.iter().all(|series| series.key().venue.is_synthetic()));
                market.series.iter().map(|series| series.columns().content_hash()).collect()
            };
            let first = hashes(&shape);
            assert_eq!(first, hashes(&shape), "{}", model.name());
            let other = hashes(&MarketShape { seed: 1, ..shape.clone() });
            assert!(first.iter().zip(&other).all(|(a, b)| a != b), "{}", model.name());
        }
    }

    #[test]
    fn a_symbol_does_not_depend_on_those_behind_it() {
        let shape = MarketShape { candles: 300, ..Default::default() };
        let fewer = MarketShape { symbols: shape.symbols[..2].to_vec(), ..shape.clone() };
        for model in models() {
            let (all, some) = (model.generate(&shape).unwrap(), model.generate(&fewer).unwrap());
            assert_eq!(all.series[..2], some.series[..], "{}", model.name());
        }
    }
}
