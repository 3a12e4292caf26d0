//! What the account must know: of itself, and of each instrument.

use market_data::{Instrument, Market};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::margin::MarginTiers;
use crate::error::TradingError;
use crate::money::amount;
use crate::order::Liquidity;

/// How many positions an instrument has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PositionMode {
    /// One, long or short.
    #[default]
    OneWay,
    /// A long and a short one beside each other (perpetuals; spot has one holding in either mode).
    Hedge,
}

/// What backs a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MarginMode {
    /// All cash and the unrealised profit of all perpetuals.
    Cross,
    /// What was set aside for it when it opened; a liquidation loses no more than that.
    #[default]
    Isolated,
}

/// How an account works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccountConfig {
    /// The one currency of cash: what spot is quoted in and perpetuals settle in.
    pub settlement: String,
    /// One position of an instrument, or two.
    pub position_mode: PositionMode,
    /// What backs positions.
    pub margin_mode: MarginMode,
    /// Whether spot holdings at their marks back positions in cross mode, without haircut. Off: only cash and unrealised
    /// profit do.
    pub spot_collateral: bool,
}

impl Default for AccountConfig {
    fn default() -> Self {
        Self {
            settlement: "USDT".to_owned(),
            position_mode: PositionMode::default(),
            margin_mode: MarginMode::default(),
            spot_collateral: false,
        }
    }
}

impl AccountConfig {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field.
    pub fn validate(&self) -> Result<(), TradingError> {
        let code = &self.settlement;
        if code.is_empty() || !code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
            let remedy = "give the code of a currency in capitals, such as USDT";
            return Err(TradingError::config("account.settlement", code, remedy));
        }
        if self.spot_collateral && self.margin_mode == MarginMode::Isolated {
            let remedy =
                "set account.margin_mode to cross, or leave spot_collateral off: isolated margin is cash";
            return Err(TradingError::config("account.spot_collateral", true, remedy));
        }
        Ok(())
    }
}

/// What one instrument costs and how it is margined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentTerms {
    /// The instrument.
    pub instrument: Instrument,
    /// Fee of what stood in the book as a fraction of notional: 0.0002 is two basis points, negative is a rebate.
    pub maker_fee: Decimal,
    /// Fee of what took from the book as a fraction of notional.
    pub taker_fee: Decimal,
    /// Leverage that perpetuals open with; 1 on spot.
    pub leverage: Decimal,
    /// Margin tiers of a linear perpetual; empty on spot.
    #[serde(default)]
    pub tiers: MarginTiers,
}

impl InstrumentTerms {
    /// Whether they make sense in an account of this settlement currency.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field.
    pub fn validate(&self, settlement: &str) -> Result<(), TradingError> {
        let symbol = self.instrument.symbol();
        let currency = match self.instrument.venue().market() {
            Market::Spot => Some(symbol.quote()),
            Market::Linear => symbol.settle(),
            Market::Inverse => {
                let remedy = "inverse perpetuals cannot be accounted; trade the linear one";
                return Err(TradingError::config("terms.instrument", symbol, remedy));
            }
        };
        if currency != Some(settlement)
            || self.instrument.venue().market() == Market::Linear && currency != Some(symbol.quote())
        {
            let remedy = "give instruments that are quoted and settled in account.settlement";
            return Err(TradingError::config("terms.instrument", symbol, remedy));
        }
        for (field, fee) in [("terms.maker_fee", self.maker_fee), ("terms.taker_fee", self.taker_fee)] {
            if fee.abs() > Decimal::new(5, 2) {
                let remedy = "give a fraction of notional of at most 0.05: 0.00055 is 5.5 basis points";
                return Err(TradingError::config(field, fee, remedy));
            }
        }
        self.validate_leverage()
    }

    fn validate_leverage(&self) -> Result<(), TradingError> {
        let most = match (self.is_spot(), self.tiers.tiers().first()) {
            (true, Some(tier)) => {
                let remedy = "leave the tiers of a spot instrument away";
                return Err(TradingError::config("terms.tiers", tier.up_to, remedy));
            }
            (true, None) => Decimal::ONE,
            (false, None) => {
                let remedy = "give a perpetual at least one margin tier";
                return Err(TradingError::config("terms.tiers", "empty", remedy));
            }
            (false, Some(tier)) => tier.maximum_leverage,
        };
        if self.leverage < Decimal::ONE || self.leverage > most {
            let remedy = "give at least 1 and at most what the first margin tier allows; 1 on spot";
            return Err(TradingError::config("terms.leverage", self.leverage, remedy));
        }
        Ok(())
    }

    /// Whether coins change hands, rather than a perpetual being opened.
    #[must_use]
    pub fn is_spot(&self) -> bool {
        self.instrument.venue().market() == Market::Spot
    }

    /// The fee of a fill of this `notional`, in quote currency; negative is a rebate.
    #[must_use]
    pub fn fee(&self, notional: Decimal, liquidity: Liquidity) -> Decimal {
        amount(notional * if liquidity == Liquidity::Maker { self.maker_fee } else { self.taker_fee })
    }

    /// Margin that opening `opened` of notional takes where the whole position then has `total`: the leverage is the one
    /// stated, or what the tier of `total` allows where that is less. Zero on spot, which is paid in full.
    #[must_use]
    pub fn opening_margin(&self, opened: Decimal, total: Decimal) -> Decimal {
        self.tiers
            .of(total)
            .map_or(Decimal::ZERO, |(tier, _)| amount(opened / self.leverage.min(tier.maximum_leverage)))
    }
}
