//! Labels by the return over a fixed horizon.

use std::ops::Range;

use market_data::CandleSeries;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{LabelError, require};
use crate::label::Label;
use crate::label_series::{Absence, Found, LabelSeries, look_ahead};
use crate::volatility::rolling_deviation;

/// The sign of the log return from the close of candle `i` to the close of candle `i + horizon`, where
/// it goes beyond a threshold:
///
/// `r_i = ln(close[i + horizon] / close[i])`; Buy when `r_i > θ_buy`, Sell when `r_i < −θ_sell`, else Hold.
/// A return of exactly the threshold is a Hold. Known at the close of candle `i + horizon`.
///
/// ```toml
/// horizon = 12                     # FUTURE_WINDOW, in candles
/// threshold.fixed.value = 0.005    # PRICE_CHANGE_THRESHOLD, a log return
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HorizonReturn {
    /// How far ahead, in candles (`FUTURE_WINDOW`); at least 1.
    pub horizon: u32,
    /// How large a return must be.
    pub threshold: Threshold,
}

/// How large a return must be to be more than a Hold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Threshold {
    /// The same at every candle.
    Fixed(FixedThreshold),
    /// In proportion to the volatility known at the candle.
    Adaptive(AdaptiveThreshold),
}

/// A threshold that is the same at every candle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FixedThreshold {
    /// `θ_buy`, a log return (`PRICE_CHANGE_THRESHOLD`); 0 or more.
    pub value: f64,
    /// `θ_sell`, a log return; 0 or more. Absent: the same as `value`.
    pub sell: Option<f64>,
}

/// A threshold in proportion to volatility:
/// `θ_i = clamp(multiplier × σ_i × √horizon, minimum, maximum)`.
///
/// `σ_i` is the sample standard deviation of the last `volatility_window` log returns, the last of them
/// that of candle `i` itself, so it is known at the close of `i`. Candles for which the window is not
/// full, at the start and after a gap, have no label.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveThreshold {
    /// For `θ_buy`, without unit; 0 or more.
    pub multiplier: f64,
    /// For `θ_sell`, without unit; 0 or more. Absent: the same as `multiplier`.
    pub sell_multiplier: Option<f64>,
    /// Smallest threshold, a log return; 0 or more.
    pub minimum: f64,
    /// Largest threshold, a log return; at least `minimum`.
    pub maximum: f64,
    /// How many returns, at least 2.
    pub volatility_window: u32,
}

impl Default for HorizonReturn {
    /// 12 candles ahead, half a percent.
    fn default() -> Self {
        Self { horizon: 12, threshold: Threshold::Fixed(FixedThreshold::default()) }
    }
}

impl Default for FixedThreshold {
    fn default() -> Self {
        Self { value: 0.005, sell: None }
    }
}

impl Default for AdaptiveThreshold {
    fn default() -> Self {
        Self { multiplier: 1.0, sell_multiplier: None, minimum: 0.001, maximum: 0.05, volatility_window: 100 }
    }
}

/// The thresholds of one candle, both as log returns of 0 or more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// A return below `-sell` is a Sell.
    pub sell: f64,
    /// A return above `buy` is a Buy.
    pub buy: f64,
}

impl Thresholds {
    /// The class of a log return.
    pub fn classify(&self, forward_return: f64) -> Label {
        if forward_return > self.buy {
            Label::Buy
        } else if forward_return < -self.sell {
            Label::Sell
        } else {
            Label::Hold
        }
    }
}

impl Threshold {
    fn validate(&self) -> Result<(), LabelError> {
        const RETURN: &str = "give a log return of 0 or more, for example 0.005";
        const FACTOR: &str = "give a number of 0 or more, for example 1.0";
        let sound = |value: f64| value.is_finite() && value >= 0.0;
        match self {
            Self::Fixed(fixed) => {
                require(sound(fixed.value), "threshold.fixed.value", fixed.value, RETURN)?;
                let sell = fixed.sell.unwrap_or(fixed.value);
                require(sound(sell), "threshold.fixed.sell", sell, RETURN)
            }
            Self::Adaptive(adaptive) => {
                let AdaptiveThreshold { multiplier, minimum, maximum, .. } = *adaptive;
                require(sound(multiplier), "threshold.adaptive.multiplier", multiplier, FACTOR)?;
                let sell = adaptive.sell_multiplier.unwrap_or(multiplier);
                require(sound(sell), "threshold.adaptive.sell_multiplier", sell, FACTOR)?;
                require(sound(minimum), "threshold.adaptive.minimum", minimum, RETURN)?;
                require(
                    maximum.is_finite() && maximum >= minimum,
                    "threshold.adaptive.maximum",
                    maximum,
                    "give a log return of at least `minimum`",
                )?;
                require(
                    adaptive.volatility_window >= 2,
                    "threshold.adaptive.volatility_window",
                    adaptive.volatility_window,
                    "a standard deviation needs 2 returns or more",
                )
            }
        }
    }

    /// The thresholds where the expected deviation over the horizon is `scale`.
    pub(crate) fn at(&self, scale: f64) -> Thresholds {
        match self {
            Self::Fixed(fixed) => Thresholds { sell: fixed.sell.unwrap_or(fixed.value), buy: fixed.value },
            Self::Adaptive(adaptive) => {
                let of = |multiplier: f64| (multiplier * scale).clamp(adaptive.minimum, adaptive.maximum);
                Thresholds {
                    sell: of(adaptive.sell_multiplier.unwrap_or(adaptive.multiplier)),
                    buy: of(adaptive.multiplier),
                }
            }
        }
    }
}

/// What labelling by horizon needs of a series, computed once.
pub(crate) struct HorizonRows<'a> {
    close: &'a [f64],
    horizon: usize,
    /// `σ_i √horizon`, NaN in warm-up; `None` where thresholds are fixed.
    scale: Option<Vec<f64>>,
}

impl HorizonRows<'_> {
    /// The scale at `index`: 1 where thresholds are fixed, `None` in warm-up.
    fn scale(&self, index: usize) -> Option<f64> {
        match &self.scale {
            None => Some(1.0),
            Some(scale) => scale.get(index).copied().filter(|scale| !scale.is_nan()),
        }
    }

    /// Forward return, scale and the index at which the return is known.
    pub(crate) fn get(&self, index: usize, run: &Range<usize>) -> Result<(f64, f64, usize), Absence> {
        let scale = self.scale(index).ok_or(Absence::WarmUp)?;
        let last = look_ahead(index, self.horizon, run, self.close.len())?;
        Ok(((self.close[last] / self.close[index]).ln(), scale, last))
    }
}

impl HorizonReturn {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] names the field and its range.
    pub fn validate(&self) -> Result<(), LabelError> {
        require(self.horizon >= 1, "horizon", self.horizon, "look at least 1 candle ahead")?;
        self.threshold.validate()
    }

    /// The label of every candle.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`], or [`LabelError::SeriesTooLong`].
    pub fn label(&self, series: &CandleSeries) -> Result<LabelSeries, LabelError> {
        self.validate()?;
        let rows = self.rows(series);
        LabelSeries::collect(series, self.horizon, |index, run| {
            let (forward_return, scale, known_at) = rows.get(index, run)?;
            Ok(Found { label: self.threshold.at(scale).classify(forward_return), known_at, forward_return })
        })
    }

    /// The thresholds of every candle, known at its close; `None` while the volatility window fills.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`].
    pub fn thresholds(&self, series: &CandleSeries) -> Result<Vec<Option<Thresholds>>, LabelError> {
        self.validate()?;
        let rows = self.rows(series);
        let at = |index| rows.scale(index).map(|scale| self.threshold.at(scale));
        Ok((0..series.len()).map(at).collect())
    }

    pub(crate) fn rows<'a>(&self, series: &'a CandleSeries) -> HorizonRows<'a> {
        let scale = match &self.threshold {
            Threshold::Fixed(_) => None,
            Threshold::Adaptive(adaptive) => {
                let mut scale = rolling_deviation(series, adaptive.volatility_window as usize);
                let root = f64::from(self.horizon).sqrt();
                scale.iter_mut().for_each(|value| *value *= root);
                Some(scale)
            }
        };
        HorizonRows { close: &series.columns().close, horizon: self.horizon as usize, scale }
    }
}
