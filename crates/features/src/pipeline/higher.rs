//! The same indicators on a longer timeframe, from completed candles only.

use market_data::{Candle, Resampler, Timeframe};
use serde::{Deserialize, Serialize};

use super::set::{IndicatorSet, SetState};
use crate::column::{ColumnInfo, Group};
use crate::error::FeatureError;
use crate::plan::Planned;
use crate::spec::PriceScale;

/// Indicators on candles of a longer timeframe; between two of these their values stay.
#[derive(Clone)]
pub(crate) struct HigherTimeframe {
    base: Timeframe,
    timeframe: Timeframe,
    resampler: Resampler,
    /// The resampler before the first candle.
    pristine: Resampler,
    set: IndicatorSet,
    latest: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct HigherState {
    resampler: Resampler,
    set: SetState,
    latest: Vec<f64>,
}

impl HigherTimeframe {
    pub(crate) fn new(
        base: Timeframe,
        timeframe: Timeframe,
        plan: Vec<Planned>,
        scale: PriceScale,
    ) -> Result<Self, FeatureError> {
        let resampler = Resampler::new(base, timeframe).map_err(|error| {
            FeatureError::spec("higher_timeframe.timeframes", timeframe, error.to_string())
        })?;
        let set = IndicatorSet::new(plan, scale);
        let latest = vec![f64::NAN; set.columns().len()];
        Ok(Self { base, timeframe, pristine: resampler.clone(), resampler, set, latest })
    }

    /// The columns as seen from the short timeframe.
    pub(crate) fn columns(&self) -> Vec<ColumnInfo> {
        // A run may begin in the middle of a long candle, which is then left out.
        let ratio = (self.timeframe.millis() / self.base.millis()) as usize;
        let of_long = |column: &ColumnInfo| ColumnInfo {
            name: format!("{}_{}", self.timeframe, column.name),
            group: Group::HigherTimeframe,
            formula: format!("on the last complete {} candle: {}", self.timeframe, column.formula),
            warm_up: (column.warm_up + 2) * ratio - 2,
            ..column.clone()
        };
        self.set.columns().iter().map(of_long).collect()
    }

    /// Values per candle.
    pub(crate) fn width(&self) -> usize {
        self.latest.len()
    }

    /// Forgets all candles.
    pub(crate) fn reset(&mut self) {
        self.resampler = self.pristine.clone();
        self.set.reset();
        self.latest.fill(f64::NAN);
    }

    /// Takes one short candle; gives whether it completed a long one, so that [`HigherTimeframe::latest`] changed.
    #[inline]
    pub(crate) fn push(&mut self, candle: &Candle) -> bool {
        let Some(long) = self.resampler.push(candle) else { return false };
        self.set.push(self.timeframe.close_of(long.open_time), &long, &mut self.latest);
        true
    }

    /// The values of the last long candle that is complete; NaN before there is one.
    pub(crate) fn latest(&self) -> &[f64] {
        &self.latest
    }

    pub(crate) fn save(&self) -> Result<HigherState, FeatureError> {
        Ok(HigherState {
            resampler: self.resampler.clone(),
            set: self.set.save()?,
            latest: self.latest.clone(),
        })
    }

    pub(crate) fn restore(&mut self, state: HigherState) -> Result<(), FeatureError> {
        self.resampler = state.resampler;
        self.latest = state.latest;
        self.set.restore(state.set)
    }
}
