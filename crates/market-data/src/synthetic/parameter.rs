//! Checks of parameters, each with a message that says what to write instead.

use crate::error::MarketDataError;

fn check(sound: bool, what: &str, value: f64, wanted: &str) -> Result<(), MarketDataError> {
    if sound { Ok(()) } else { Err(MarketDataError::request(what, format!("is {value}, must be {wanted}"))) }
}

pub(super) fn finite(what: &str, value: f64) -> Result<(), MarketDataError> {
    check(value.is_finite(), what, value, "a finite number")
}

pub(super) fn positive(what: &str, value: f64) -> Result<(), MarketDataError> {
    check(value.is_finite() && value > 0.0, what, value, "finite and above 0")
}

pub(super) fn not_negative(what: &str, value: f64) -> Result<(), MarketDataError> {
    check(value.is_finite() && value >= 0.0, what, value, "finite and at least 0")
}

/// `low < value < high`.
pub(super) fn between(what: &str, value: f64, low: f64, high: f64) -> Result<(), MarketDataError> {
    check(low < value && value < high, what, value, &format!("above {low} and below {high}"))
}

/// `low <= value <= high`.
pub(super) fn within(what: &str, value: f64, low: f64, high: f64) -> Result<(), MarketDataError> {
    check((low..=high).contains(&value), what, value, &format!("from {low} to {high}"))
}
