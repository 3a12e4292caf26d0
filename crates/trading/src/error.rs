//! What can go wrong in the kernel.

use market_data::Timestamp;
use rust_decimal::Decimal;

/// Why the kernel cannot do what it was asked for. Each message names the thing, what is wrong with it and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TradingError {
    /// A setting makes no sense.
    #[error("{field} = {value}: {remedy}")]
    Config {
        /// The field, as `section.key`.
        field: &'static str,
        /// Its value.
        value: String,
        /// What to give instead.
        remedy: &'static str,
    },
    /// An order contradicts itself or the rules of its instrument.
    #[error("order {order}: {problem}; {remedy}")]
    Order {
        /// The client order id, or what is known of the order.
        order: String,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// An instrument did not trade at a time.
    #[error("{symbol} has no rules at {time}; state them, or do not trade it then")]
    NoRules {
        /// The symbol.
        symbol: String,
        /// When.
        time: Timestamp,
    },
    /// A report of the venue contradicts what is known and cannot be accounted.
    #[error("report about {subject}: {problem}; reconcile with the venue before going on")]
    Report {
        /// What it is about.
        subject: String,
        /// The contradiction.
        problem: String,
    },
    /// A number is too large to be accounted without rounding.
    #[error("{what} = {value} is beyond what can be accounted exactly; check the quantity and the price")]
    Magnitude {
        /// The number's name.
        what: &'static str,
        /// The number.
        value: Decimal,
    },
    /// The books do not add up: a defect of this crate, never of its input.
    #[error("the ledger is off by {difference} after {after}; this is a defect: stop trading and report it")]
    Conservation {
        /// By how much, in settlement currency.
        difference: Decimal,
        /// The event after which it was found.
        after: String,
    },
}

impl TradingError {
    pub(crate) fn config(field: &'static str, value: impl std::fmt::Display, remedy: &'static str) -> Self {
        Self::Config { field, value: value.to_string(), remedy }
    }

    pub(crate) fn order(
        order: impl std::fmt::Display,
        problem: impl Into<String>,
        remedy: &'static str,
    ) -> Self {
        Self::Order { order: order.to_string(), problem: problem.into(), remedy }
    }

    pub(crate) fn report(subject: impl std::fmt::Display, problem: impl Into<String>) -> Self {
        Self::Report { subject: subject.to_string(), problem: problem.into() }
    }
}
