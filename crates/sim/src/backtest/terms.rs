//! How instruments trade where nobody says so.

use market_data::{CandleSeries, Instrument, InstrumentRules, Market};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trading::account::{InstrumentTerms, MarginTier, MarginTiers};

use crate::error::SimError;

/// Fees, leverage and margin that are assumed where an instrument states none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CostAssumptions {
    /// Fee of a maker on spot, as a fraction of the notional.
    pub spot_maker_fee: Decimal,
    /// Fee of a taker on spot.
    pub spot_taker_fee: Decimal,
    /// Fee of a maker on perpetuals.
    pub perpetual_maker_fee: Decimal,
    /// Fee of a taker on perpetuals.
    pub perpetual_taker_fee: Decimal,
    /// Leverage of perpetuals, at least 1; spot has none.
    pub leverage: Decimal,
    /// Maintenance margin of perpetuals, as a fraction of the notional.
    pub maintenance_rate: Decimal,
    /// Smallest notional of an order, in quote currency.
    pub minimum_notional: Decimal,
}

impl Default for CostAssumptions {
    /// Bybit's fees without a discount (0.1 % on spot, 0.02 % and 0.055 % on perpetuals), leverage 1, 0.5 % maintenance, 5 USDT.
    fn default() -> Self {
        Self {
            spot_maker_fee: Decimal::new(1, 3),
            spot_taker_fee: Decimal::new(1, 3),
            perpetual_maker_fee: Decimal::new(2, 4),
            perpetual_taker_fee: Decimal::new(55, 5),
            leverage: Decimal::ONE,
            maintenance_rate: Decimal::new(5, 3),
            minimum_notional: Decimal::from(5),
        }
    }
}

/// Places after the point beyond which prices are not looked at.
const MOST_PLACES: u32 = 10;

/// Terms of an instrument of which only candles are known: the tick is the coarsest power of ten that all its prices lie on, the lot
/// the power of ten that is worth about one unit of quote currency at its lowest price, and both hold at all times. The venue's own
/// rules changed over the years; where they matter, state them.
///
/// # Errors
/// [`SimError::Data`] for a series without candles, [`SimError::Trading`] for costs that make no sense.
pub fn assumed_terms(series: &CandleSeries, costs: &CostAssumptions) -> Result<InstrumentTerms, SimError> {
    let key = series.key();
    let columns = series.columns();
    let lowest = columns.low.iter().copied().fold(f64::INFINITY, f64::min);
    let (Some(first), true) = (columns.open_time.first(), lowest.is_finite()) else {
        return Err(SimError::data(format!("series {key}"), "it holds no candle; give a longer one"));
    };
    let prices = [&columns.open, &columns.high, &columns.low, &columns.close];
    let places = prices
        .iter()
        .flat_map(|column| column.iter())
        .fold(0, |places, price| places.max(places_of(*price, places)));
    // One lot is worth at most about one unit of quote currency.
    let lot_places = lowest.log10().ceil().clamp(-6.0, 8.0) as i32;
    let lot = if lot_places >= 0 {
        Decimal::new(1, lot_places as u32)
    } else {
        Decimal::from(10_i64.pow((-lot_places) as u32))
    };
    let is_spot = key.venue.market() == Market::Spot;
    let rules = InstrumentRules {
        valid_from: *first,
        valid_until: None,
        tick_size: Decimal::new(1, places),
        lot_size: lot,
        minimum_quantity: lot,
        maximum_quantity: None,
        minimum_notional: costs.minimum_notional,
        maximum_leverage: None,
    };
    let instrument = Instrument::new(key.venue.clone(), key.symbol.clone(), vec![rules])
        .map_err(|error| SimError::data(format!("series {key}"), error.to_string()))?;
    let tier = MarginTier {
        // Far beyond any position; the same rate for all of it.
        up_to: Decimal::from(1_000_000_000_000_i64),
        maintenance_rate: costs.maintenance_rate,
        maximum_leverage: Decimal::ONE_HUNDRED,
    };
    let (maker_fee, taker_fee) = if is_spot {
        (costs.spot_maker_fee, costs.spot_taker_fee)
    } else {
        (costs.perpetual_maker_fee, costs.perpetual_taker_fee)
    };
    Ok(InstrumentTerms {
        instrument,
        maker_fee,
        taker_fee,
        leverage: if is_spot { Decimal::ONE } else { costs.leverage },
        tiers: if is_spot { MarginTiers::default() } else { MarginTiers::new(vec![tier])? },
    })
}

/// The fewest places from `from` on with which a price is printed; prices are floats of printed decimals.
fn places_of(price: f64, from: u32) -> u32 {
    (from..MOST_PLACES)
        .find(|places| {
            let scaled = price * 10_f64.powi(*places as i32);
            (scaled - scaled.round()).abs() <= scaled.abs() * 1e-12 + 1e-9
        })
        .unwrap_or(MOST_PLACES)
}
