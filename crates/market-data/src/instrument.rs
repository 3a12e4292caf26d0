//! What an exchange allows for a symbol, and since when.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::error::MarketDataError;
use crate::symbol::{Symbol, Venue};
use crate::timestamp::Timestamp;

/// The grid and the limits of orders in one symbol during one stretch of time.
///
/// Exchanges change these: a backtest over years must use the rules of each day, or it trades sizes that
/// were not possible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentRules {
    /// From when on these rules hold (inclusive).
    pub valid_from: Timestamp,
    /// Until when they hold (exclusive); absent for the rules of today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// Prices are multiples of this, in quote currency.
    pub tick_size: Decimal,
    /// Quantities are multiples of this, in base currency.
    pub lot_size: Decimal,
    /// Smallest quantity of an order, in base currency.
    pub minimum_quantity: Decimal,
    /// Largest quantity of a limit order, in base currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_quantity: Option<Decimal>,
    /// Smallest price × quantity of an order, in quote currency.
    pub minimum_notional: Decimal,
    /// Largest leverage; absent on spot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_leverage: Option<Decimal>,
}

impl InstrumentRules {
    /// Whether these rules hold at `time`.
    pub fn holds_at(&self, time: Timestamp) -> bool {
        self.valid_from <= time && self.valid_until.is_none_or(|until| time < until)
    }

    /// Whether `price` lies on the grid of ticks.
    pub fn is_price(&self, price: Decimal) -> bool {
        price > Decimal::ZERO && (price % self.tick_size).is_zero()
    }

    /// Whether `quantity` lies on the grid of lots and within the limits.
    pub fn is_quantity(&self, quantity: Decimal) -> bool {
        quantity >= self.minimum_quantity
            && self.maximum_quantity.is_none_or(|maximum| quantity <= maximum)
            && (quantity % self.lot_size).is_zero()
    }

    fn fault(&self) -> Option<String> {
        for (name, value) in [("tick_size", self.tick_size), ("lot_size", self.lot_size)] {
            if value <= Decimal::ZERO {
                return Some(format!("{name} is {value}; it must be above zero"));
            }
        }
        for (name, value) in
            [("minimum_quantity", self.minimum_quantity), ("minimum_notional", self.minimum_notional)]
        {
            if value < Decimal::ZERO {
                return Some(format!("{name} is {value}; it must not be negative"));
            }
        }
        if self.maximum_quantity.is_some_and(|maximum| maximum < self.minimum_quantity) {
            return Some("maximum_quantity is below minimum_quantity".to_owned());
        }
        if self.maximum_leverage.is_some_and(|maximum| maximum < Decimal::ONE) {
            return Some("maximum_leverage is below 1".to_owned());
        }
        if self.valid_until.is_some_and(|until| until <= self.valid_from) {
            return Some(format!("the rules from {} end before they begin", self.valid_from));
        }
        None
    }
}

/// A symbol on a venue with the history of its rules.
///
/// Invariants: the stretches do not overlap and stand in order, and every number makes sense. Between
/// stretches the symbol did not trade.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "InstrumentFile")]
pub struct Instrument {
    venue: Venue,
    symbol: Symbol,
    rules: Vec<InstrumentRules>,
}

/// An instrument as a file states it, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstrumentFile {
    venue: Venue,
    symbol: Symbol,
    rules: Vec<InstrumentRules>,
}

impl TryFrom<InstrumentFile> for Instrument {
    type Error = MarketDataError;
    fn try_from(file: InstrumentFile) -> Result<Self, Self::Error> {
        Self::new(file.venue, file.symbol, file.rules)
    }
}

impl Instrument {
    /// An instrument from its rules, earliest first.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidInstrument`] names what contradicts itself.
    pub fn new(venue: Venue, symbol: Symbol, rules: Vec<InstrumentRules>) -> Result<Self, MarketDataError> {
        let invalid =
            |reason: String| MarketDataError::InvalidInstrument { symbol: symbol.to_string(), reason };
        if rules.is_empty() {
            return Err(invalid("there are no rules; state at least one stretch".to_owned()));
        }
        if let Some(fault) = rules.iter().find_map(InstrumentRules::fault) {
            return Err(invalid(fault));
        }
        for pair in rules.windows(2) {
            match pair[0].valid_until {
                None => {
                    return Err(invalid(format!(
                        "the rules from {} have no end but others follow; state valid_until",
                        pair[0].valid_from
                    )));
                }
                Some(until) if until > pair[1].valid_from => {
                    return Err(invalid(format!(
                        "the rules from {} reach beyond the start of those from {}",
                        pair[0].valid_from, pair[1].valid_from
                    )));
                }
                Some(_) => {}
            }
        }
        Ok(Self { venue, symbol, rules })
    }

    /// Reads an instrument from TOML.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] with the line and column of what is wrong.
    pub fn from_toml(text: &str) -> Result<Self, MarketDataError> {
        toml::from_str(text).map_err(|error| MarketDataError::request("instrument", error.to_string()))
    }

    /// Where it trades.
    pub const fn venue(&self) -> &Venue {
        &self.venue
    }

    /// What trades.
    pub const fn symbol(&self) -> &Symbol {
        &self.symbol
    }

    /// All rules, earliest first.
    pub fn rules(&self) -> &[InstrumentRules] {
        &self.rules
    }

    /// The rules that held at `time`; `None` when the symbol did not trade then.
    pub fn rules_at(&self, time: Timestamp) -> Option<&InstrumentRules> {
        let next = self.rules.partition_point(|rules| rules.valid_from <= time);
        self.rules.get(next.checked_sub(1)?).filter(|rules| rules.holds_at(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BTC: &str = r#"
        venue = "bybit-linear"
        symbol = "BTC/USDT:USDT"
        [[rules]]
        valid_from = "2020-03-25"
        valid_until = "2023-01-01"
        tick_size = "0.5"
        lot_size = "0.001"
        minimum_quantity = "0.001"
        minimum_notional = "0"
        [[rules]]
        valid_from = "2023-02-01"
        tick_size = "0.1"
        lot_size = "0.001"
        minimum_quantity = "0.001"
        maximum_quantity = "100"
        minimum_notional = "5"
        maximum_leverage = "100"
    "#;

    #[test]
    fn rules_are_those_of_the_day() {
        let instrument = Instrument::from_toml(BTC).unwrap();
        let tick =
            |time: &str| instrument.rules_at(time.parse().unwrap()).map(|rules| rules.tick_size.to_string());
        assert_eq!(tick("2020-03-24"), None);
        assert_eq!(tick("2020-03-25").as_deref(), Some("0.5"));
        assert_eq!(tick("2022-12-31T23:59:59Z").as_deref(), Some("0.5"));
        assert_eq!(tick("2023-01-01"), None);
        assert_eq!(tick("2031-01-01").as_deref(), Some("0.1"));
    }

    #[test]
    fn grids_are_exact() {
        let instrument = Instrument::from_toml(BTC).unwrap();
        let rules = &instrument.rules()[1];
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        assert!(rules.is_price(decimal("61737.3")) && !rules.is_price(decimal("61737.35")));
        assert!(rules.is_quantity(decimal("0.003")) && !rules.is_quantity(decimal("0.0035")));
        assert!(!rules.is_quantity(decimal("0")) && !rules.is_quantity(decimal("100.001")));
    }

    #[test]
    fn contradictions_are_named() {
        for (from, to, part) in [
            ("valid_until = \"2023-01-01\"", "", "no end"),
            ("valid_until = \"2023-01-01\"", "valid_until = \"2024-01-01\"", "reach beyond"),
            ("valid_until = \"2023-01-01\"", "valid_until = \"2019-01-01\"", "end before they begin"),
            ("tick_size = \"0.5\"", "tick_size = \"0\"", "tick_size is 0"),
            ("maximum_leverage = \"100\"", "maximum_leverage = \"0.5\"", "below 1"),
            ("lot_size", "lotsize", "lotsize"),
        ] {
            let error = Instrument::from_toml(&BTC.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
