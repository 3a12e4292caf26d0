//! Indicators of the library `yata`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use yata::core::{Error, IndicatorConfig, IndicatorInstance, OHLCV};

use super::Indicator;
use crate::bar::Bar;

/// The first `N` values of an indicator of `yata`.
///
/// `yata` begins as if the first candle had been there for ever, so that there are values from the first
/// candle on; the warm-up of the columns masks those that depend on it. A value that is not finite, which
/// `yata` gives where it divides by zero, counts as 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(
    serialize = "C: Serialize, C::Instance: Serialize",
    deserialize = "C: DeserializeOwned, C::Instance: DeserializeOwned"
))]
pub(crate) struct FromYata<C: IndicatorConfig, const N: usize> {
    config: C,
    instance: Option<C::Instance>,
}

impl<C: IndicatorConfig, const N: usize> FromYata<C, N> {
    pub(crate) const fn new(config: C) -> Self {
        Self { config, instance: None }
    }
}

impl OHLCV for Bar {
    fn open(&self) -> f64 {
        self.open
    }

    fn high(&self) -> f64 {
        self.high
    }

    fn low(&self) -> f64 {
        self.low
    }

    fn close(&self) -> f64 {
        self.close
    }

    fn volume(&self) -> f64 {
        self.volume
    }
}

impl<C: IndicatorConfig + Clone, const N: usize> Indicator for FromYata<C, N> {
    type Values = [f64; N];

    fn push(&mut self, bar: &Bar) -> [f64; N] {
        if self.instance.is_none() {
            let begun: Result<C::Instance, Error> = self.config.clone().init(bar);
            self.instance = begun.ok();
        }
        let Some(instance) = &mut self.instance else { return [f64::NAN; N] };
        let result = instance.next(bar);
        let mut values = [0.0; N];
        for (out, value) in values.iter_mut().zip(result.values()) {
            *out = if value.is_finite() { *value } else { 0.0 };
        }
        values
    }
}
