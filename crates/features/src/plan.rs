//! An indicator together with the description of its columns, and the checks that groups share.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::column::{ColumnInfo, Group, Unit};
use crate::error::FeatureError;
use crate::indicator::{Indicator, Node, Values};

/// An indicator and the columns that its values become, in the order of the values.
pub(crate) struct Planned {
    pub(crate) node: Box<dyn Node>,
    pub(crate) columns: Vec<ColumnInfo>,
}

impl Planned {
    /// `columns` describes each of the indicator's values.
    pub(crate) fn new<I, const N: usize>(indicator: I, columns: [ColumnInfo; N]) -> Self
    where
        I: Indicator<Values = [f64; N]> + Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        debug_assert_eq!(I::Values::WIDTH, N);
        Self { node: Box::new(indicator), columns: columns.into() }
    }
}

impl ColumnInfo {
    /// A column without unit, bounds or warm-up; see the methods that follow.
    pub(crate) fn new(
        group: Group,
        name: impl Into<String>,
        formula: impl Into<String>,
        source: &'static str,
    ) -> Self {
        Self {
            name: name.into(),
            group,
            formula: formula.into(),
            source,
            unit: Unit::Plain,
            warm_up: 0,
            waits: false,
            minimum: f64::NEG_INFINITY,
            maximum: f64::INFINITY,
        }
    }

    pub(crate) fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Candles of a run that must pass before the value is used: 0 when the first candle's value is.
    pub(crate) fn warm_up(mut self, candles: usize) -> Self {
        self.warm_up = candles;
        self
    }

    /// See [`ColumnInfo::waits`].
    pub(crate) fn waits(mut self) -> Self {
        self.waits = true;
        self
    }

    pub(crate) fn between(mut self, minimum: f64, maximum: f64) -> Self {
        self.minimum = minimum;
        self.maximum = maximum;
        self
    }
}

/// Candles after which an exponential average with weight `alpha` on the newest value has forgotten all but
/// one part in ten million of where it began.
pub(crate) fn memory_of(alpha: f64) -> usize {
    const FORGOTTEN: f64 = 1e-7;
    (FORGOTTEN.ln() / (1.0 - alpha).ln()).ceil() as usize
}

/// The weight of an exponential average over `period` candles, 2 / (period + 1).
pub(crate) fn ema_alpha(period: usize) -> f64 {
    2.0 / (period as f64 + 1.0)
}

/// The longest period that a specification may ask for.
pub(crate) const LONGEST_PERIOD: usize = 10_000;

/// Refuses a period outside `shortest` to [`LONGEST_PERIOD`].
pub(crate) fn check_period(field: &str, period: usize, shortest: usize) -> Result<(), FeatureError> {
    if (shortest..=LONGEST_PERIOD).contains(&period) {
        return Ok(());
    }
    Err(FeatureError::spec(
        field,
        period,
        format!("give a period from {shortest} to {LONGEST_PERIOD} candles"),
    ))
}

/// [`check_period`] for a list, which may be empty but names no period twice.
pub(crate) fn check_periods(field: &str, periods: &[usize], shortest: usize) -> Result<(), FeatureError> {
    for (index, &period) in periods.iter().enumerate() {
        check_period(field, period, shortest)?;
        if periods[..index].contains(&period) {
            return Err(FeatureError::spec(field, period, "name each period once"));
        }
    }
    Ok(())
}
