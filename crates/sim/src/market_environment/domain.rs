//! Markets of many laws, so that what is learned on them is not one law.

use market_data::CandleSeries;
use market_data::synthetic::{CandleStyle, MarketShape, PriceModel};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::error::SimError;
use crate::luck::{below, generator};

/// Markets of which each follows one of some processes, with volatility (and that of variance) multiplied by a factor of its own.
/// Features are made of them as of any other series, see [`super::MarketFrame::of_series`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainRandomisation {
    /// The processes; all are as likely.
    pub processes: Vec<PriceModel>,
    /// The lowest factor.
    pub lowest_volatility_factor: f64,
    /// The highest factor. Its logarithm is drawn evenly between both.
    pub highest_volatility_factor: f64,
}

impl DomainRandomisation {
    /// The market of number `index`: candles, timeframe, start and first symbol of `shape`; its seed is replaced.
    ///
    /// # Errors
    /// [`SimError::Config`] for no process or factors out of order, [`SimError::Data`] for what the process refuses.
    pub fn market(&self, shape: &MarketShape, seed: u64, index: u64) -> Result<CandleSeries, SimError> {
        let (low, high) = (self.lowest_volatility_factor, self.highest_volatility_factor);
        if !(low > 0.0 && low <= high && high.is_finite()) {
            let remedy = "give factors with 0 < lowest <= highest, such as 0.5 and 2";
            return Err(SimError::config("domain.lowest_volatility_factor", low, remedy));
        }
        let mut rng = generator(seed, "market-environment/domain", index);
        if self.processes.is_empty() {
            return Err(SimError::config("domain.processes", "[]", "name at least one process"));
        }
        let process = self.processes[below(self.processes.len(), &mut rng)];
        let factor = (low.ln() + (high / low).ln() * rng.random::<f64>()).exp();
        let shape = MarketShape {
            symbols: shape.symbols.iter().take(1).cloned().collect(),
            seed: rng.next_u64(),
            ..shape.clone()
        };
        let fault = |error: market_data::MarketDataError| {
            SimError::data(format!("synthetic market {index}"), error.to_string())
        };
        let market = scaled(process, factor).generate(&shape, &CandleStyle::default()).map_err(fault)?;
        market.series.into_iter().next().ok_or_else(|| {
            SimError::data(format!("synthetic market {index}"), "its shape names no symbol; name one")
        })
    }
}

fn scaled(mut process: PriceModel, factor: f64) -> PriceModel {
    match &mut process {
        PriceModel::Gbm(model) => model.volatility *= factor,
        PriceModel::Merton(model) => {
            model.volatility *= factor;
            model.jump_deviation *= factor;
        }
        PriceModel::Heston(model) => {
            // The volatility of variance scales as its root, so that the shape of the variance's law stays.
            model.start_variance *= factor * factor;
            model.long_run_variance *= factor * factor;
            model.volatility_of_variance *= factor;
        }
        PriceModel::Ou(model) => model.volatility *= factor,
        PriceModel::Cir(model) => model.volatility *= factor,
        PriceModel::Fbm(model) => model.volatility *= factor,
    }
    process
}
