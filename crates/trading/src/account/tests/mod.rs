//! Accounts to test with, and fills by hand.

mod bisection;
mod cards;
mod laws;
mod script;
mod terms;

use market_data::{Instrument, Timestamp};
use rust_decimal::Decimal;

use super::{Account, AccountConfig, InstrumentTerms, MarginMode, MarginTier, MarginTiers, PositionMode};
use crate::order::{InstrumentIndex, Liquidity, PositionSide, Purpose, Side};
use crate::orders::{FeeCurrency, Fill};

pub(super) const BTC: InstrumentIndex = InstrumentIndex(0);
pub(super) const ETH: InstrumentIndex = InstrumentIndex(1);
pub(super) const COIN: InstrumentIndex = InstrumentIndex(2);

pub(super) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

pub(super) fn instrument(venue: &str, symbol: &str) -> Instrument {
    Instrument::from_toml(&format!(
        "venue = '{venue}'\nsymbol = '{symbol}'\n[[rules]]\nvalid_from = '2020-01-01'\ntick_size = '0.0000001'\n\
         lot_size = '0.000001'\nminimum_quantity = '0.000001'\nminimum_notional = '0'\n"
    ))
    .unwrap()
}

/// Tiers from rows of notional, maintenance rate and leverage.
pub(super) fn tiers(rows: &[(&str, &str, &str)]) -> MarginTiers {
    let tier = |(up_to, rate, leverage): &(&str, &str, &str)| MarginTier {
        up_to: decimal(up_to),
        maintenance_rate: decimal(rate),
        maximum_leverage: decimal(leverage),
    };
    MarginTiers::new(rows.iter().map(tier).collect()).unwrap()
}

pub(super) fn terms(venue: &str, symbol: &str, leverage: &str, tiers: MarginTiers) -> InstrumentTerms {
    InstrumentTerms {
        instrument: instrument(venue, symbol),
        maker_fee: decimal("-0.0001"),
        taker_fee: decimal("0.00055"),
        leverage: decimal(leverage),
        tiers,
    }
}

/// An account of two perpetuals and one coin.
pub(super) fn account(
    position_mode: PositionMode,
    margin_mode: MarginMode,
    leverage: &str,
    cash: &str,
    btc: MarginTiers,
    eth: MarginTiers,
) -> Account {
    let config = AccountConfig { position_mode, margin_mode, ..AccountConfig::default() };
    let terms = vec![
        terms("bybit-linear", "BTC/USDT:USDT", leverage, btc),
        terms("bybit-linear", "ETH/USDT:USDT", leverage, eth),
        terms("bybit-spot", "SOL/USDT", "1", MarginTiers::default()),
    ];
    Account::new(config, terms, decimal(cash)).unwrap()
}

pub(super) fn fill(
    instrument: InstrumentIndex,
    position_side: PositionSide,
    side: Side,
    quantity: Decimal,
    price: Decimal,
) -> Fill {
    Fill {
        execution_id: "e".parse().unwrap(),
        client_order_id: None,
        instrument,
        position_side,
        side,
        price,
        quantity,
        fee: Decimal::ZERO,
        fee_currency: FeeCurrency::Quote,
        liquidity: Liquidity::Taker,
        purpose: Purpose::Entry,
        time: Timestamp::from_millis(1_704_067_200_000),
    }
}
