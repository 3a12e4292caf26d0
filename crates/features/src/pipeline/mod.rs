//! The fold over candles.

mod batch;
mod cross;
mod higher;
mod outside;
mod scaling;
mod set;
mod state;

use std::sync::Arc;

use market_data::{Candle, Timeframe, Timestamp};

pub(crate) use batch::Masking;
pub use outside::Outside;

use crate::column::ColumnInfo;
use crate::error::FeatureError;
use crate::spec::FeatureSpec;
use cross::CrossAsset;
use higher::HigherTimeframe;
use outside::ExogenousInput;
use set::IndicatorSet;

/// The features of one candle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeatureRow<'a> {
    /// When the candle opens.
    pub open_time: Timestamp,
    /// When the candle closes: from then on the row is known.
    pub known_at: Timestamp,
    /// The values in the order of [`FeaturePipeline::columns`], all finite.
    pub values: &'a [f64],
}

/// A fold over the candles of one symbol: a candle in, its features out.
///
/// - [`FeaturePipeline::push`] takes one candle, as live; [`FeaturePipeline::extend`] a whole series. Both
///   run the same arithmetic in the same order, so that live equals batch to the bit.
/// - It never sees a candle before it is pushed, so it cannot look ahead.
/// - A gap begins a new run: everything is forgotten, and rows are masked until the longest warm-up of the
///   columns has passed ([`FeaturePipeline::warm_up`]). Nothing is filled.
#[derive(Clone)]
pub struct FeaturePipeline {
    timeframe: Timeframe,
    hash: String,
    columns: Arc<[ColumnInfo]>,
    warm_up: usize,
    own: IndicatorSet,
    higher: Vec<HigherTimeframe>,
    cross: Option<CrossAsset>,
    exogenous: Vec<ExogenousInput>,
    last: Option<Timestamp>,
    /// Candles of this run so far.
    seen: usize,
    row: Vec<f64>,
}

impl std::fmt::Debug for FeaturePipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeaturePipeline")
            .field("timeframe", &self.timeframe)
            .field("hash", &self.hash)
            .field("columns", &self.columns.len())
            .field("last", &self.last)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl FeaturePipeline {
    /// A pipeline for candles of `timeframe` that has seen none.
    ///
    /// # Errors
    /// [`FeatureError::InvalidSpec`] names the field and its range; [`FeatureError::NoColumns`] where all
    /// groups are off.
    pub fn new(spec: &FeatureSpec, timeframe: Timeframe) -> Result<Self, FeatureError> {
        let own = IndicatorSet::new(spec.plan()?, spec.scale);
        let mut columns = own.columns().to_vec();
        let mut higher = Vec::new();
        if spec.higher_timeframe.enabled {
            for longer in spec.higher_timeframe.timeframes_of(timeframe) {
                let scale = spec.scale;
                let plan = spec.higher_timeframe.plan()?;
                let set = HigherTimeframe::new(timeframe, longer, plan, scale)?;
                columns.extend(set.columns());
                higher.push(set);
            }
        }
        let cross_columns = spec.cross_asset.columns()?;
        let cross =
            (!cross_columns.is_empty()).then(|| CrossAsset::new(timeframe, &spec.cross_asset.windows));
        columns.extend(cross_columns);
        let exogenous_columns = spec.exogenous.columns()?;
        let exogenous = if exogenous_columns.is_empty() {
            Vec::new()
        } else {
            spec.exogenous.columns.iter().map(ExogenousInput::new).collect()
        };
        columns.extend(exogenous_columns);
        if columns.is_empty() {
            return Err(FeatureError::NoColumns);
        }
        for (index, column) in columns.iter().enumerate() {
            if columns[..index].iter().any(|other| other.name == column.name) {
                return Err(FeatureError::spec(
                    "columns",
                    &column.name,
                    "it is given twice; name each period and each timeframe once",
                ));
            }
        }
        let warm_up = columns.iter().map(|column| column.warm_up).max().unwrap_or(0);
        Ok(Self {
            timeframe,
            hash: spec.hash(timeframe)?,
            row: vec![f64::NAN; columns.len()],
            columns: columns.into(),
            warm_up,
            own,
            higher,
            cross,
            exogenous,
            last: None,
            seen: 0,
        })
    }

    /// The columns of a row, in their order.
    pub fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    /// Length of the candles that it takes.
    pub const fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// [`FeatureSpec::hash`] of what it was made from.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Candles of a run that give no row: the longest warm-up of the columns.
    pub const fn warm_up(&self) -> usize {
        self.warm_up
    }

    /// When the last candle pushed opens.
    pub const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// Takes the next candle, once it is **closed**; gives its features unless they are masked: within the
    /// warm-up of a run, while a value from outside is unknown, or (which would be a fault of this crate) where
    /// a value is not finite.
    ///
    /// # Errors
    /// [`FeatureError::UnsoundCandle`] for a candle that is impossible, off the grid or not later than the
    /// last one; the pipeline is then as before.
    pub fn push(&mut self, candle: &Candle) -> Result<Option<FeatureRow<'_>>, FeatureError> {
        self.check(candle)?;
        let known_at = self.timeframe.close_of(candle.open_time);
        self.begin(candle.open_time);
        let own = self.own.columns().len();
        self.own.push(known_at, candle, &mut self.row[..own]);
        let mut first = own;
        for higher in &mut self.higher {
            higher.push(candle);
            let values = higher.latest();
            self.row[first..first + values.len()].copy_from_slice(values);
            first += values.len();
        }
        let mut values = std::mem::take(&mut self.row);
        self.push_outside(candle, known_at, &mut values[first..]);
        self.row = values;
        let finite = self.row.iter().all(|value| value.is_finite());
        self.seen += 1;
        let warm = self.seen > self.warm_up;
        Ok((warm && finite).then_some(FeatureRow {
            open_time: candle.open_time,
            known_at,
            values: &self.row,
        }))
    }

    /// The reference symbol's next closed candle, for specifications with `cross_asset`. Tell it before the
    /// symbol's own candle of the same time is pushed; else that row is masked, and with it all until the longest
    /// window is full again.
    pub fn tell_reference(&mut self, candle: &Candle) {
        if let Some(cross) = &mut self.cross {
            cross.tell(candle);
        }
    }

    /// A new value of an exogenous series, which counts for candles that close at `known_at` or later. Tell
    /// values in the order in which they become known, and of a series whose name has `{symbol}` in the specification only that of
    /// the pipeline's own symbol. Gives whether some column takes the value: one that is never told keeps its last value.
    #[must_use = "a value that no column takes is lost; look at the name of the series"]
    pub fn tell_exogenous(&mut self, series: &str, field: &str, known_at: Timestamp, value: f64) -> bool {
        let mut is_taken = false;
        for input in &mut self.exogenous {
            if input.is_of(series) && input.field() == field {
                input.tell(known_at, value);
                is_taken = true;
            }
        }
        is_taken
    }

    /// Refuses a candle that cannot come next.
    fn check(&self, candle: &Candle) -> Result<(), FeatureError> {
        let unsound =
            |reason: String| FeatureError::UnsoundCandle { time: candle.open_time.to_string(), reason };
        if let Some(fault) = candle.fault() {
            return Err(unsound(format!("it is impossible ({fault:?})")));
        }
        if !self.timeframe.is_aligned(candle.open_time) {
            return Err(unsound(format!("it does not open on the {} grid", self.timeframe)));
        }
        if let Some(last) = self.last
            && candle.open_time <= last
        {
            return Err(unsound(format!("the one pushed before it opens at {last}")));
        }
        Ok(())
    }

    /// Begins a new run unless the candle that opens at `open_time` follows the last one.
    fn begin(&mut self, open_time: Timestamp) {
        if self.last.is_some_and(|last| open_time.since(last) != self.timeframe.millis()) {
            self.own.reset();
            self.higher.iter_mut().for_each(HigherTimeframe::reset);
            self.seen = 0;
        }
        self.last = Some(open_time);
    }

    /// The values of the columns from outside.
    fn push_outside(&mut self, candle: &Candle, known_at: Timestamp, out: &mut [f64]) {
        let mut out = out;
        if let Some(cross) = &mut self.cross {
            let (own, rest) = std::mem::take(&mut out).split_at_mut(cross.width());
            cross.push(candle, own);
            out = rest;
        }
        for (input, value) in self.exogenous.iter_mut().zip(out) {
            *value = input.at(known_at);
        }
    }
}
