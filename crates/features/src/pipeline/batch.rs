//! The same fold over a whole series.

use std::ops::Range;

use market_data::{Candle, CandleSeries, Timestamp};

use super::FeaturePipeline;
use super::higher::HigherTimeframe;
use super::outside::Outside;
use crate::bar::Bar;
use crate::buffer::ColumnBuffer;
use crate::error::FeatureError;
use crate::frame::{FeatureFrame, Masked};
use crate::indicator::BLOCK;
use crate::spec::FeatureSpec;

impl FeatureSpec {
    /// The features of a whole series, from its first candle.
    ///
    /// # Errors
    /// As [`FeaturePipeline::new`] and [`FeaturePipeline::extend`].
    pub fn frame(&self, series: &CandleSeries, outside: Outside<'_>) -> Result<FeatureFrame, FeatureError> {
        FeaturePipeline::new(self, series.key().timeframe)?.extend(series, outside)
    }
}

impl FeaturePipeline {
    /// Takes the candles of `series`, which follow those pushed before, and gives their features: to the bit
    /// what [`FeaturePipeline::push`] gives for each of them.
    ///
    /// # Errors
    /// [`FeatureError::Mismatch`] for another timeframe, [`FeatureError::MissingOutside`] where a column needs a
    /// reference or a series that `outside` does not hold, [`FeatureError::UnsoundCandle`] where the series does
    /// not follow what was pushed. The pipeline is then as before.
    pub fn extend(
        &mut self,
        series: &CandleSeries,
        outside: Outside<'_>,
    ) -> Result<FeatureFrame, FeatureError> {
        self.extend_masked(series, outside, Masking::Applied)
    }

    /// [`FeaturePipeline::extend`], where for an audit the values of masked rows can be kept.
    pub(crate) fn extend_masked(
        &mut self,
        series: &CandleSeries,
        outside: Outside<'_>,
        masking: Masking,
    ) -> Result<FeatureFrame, FeatureError> {
        if series.key().timeframe != self.timeframe {
            return Err(FeatureError::mismatch(
                format!("series {}", series.key()),
                format!("timeframe {}", self.timeframe),
                series.key().timeframe,
            ));
        }
        if let Some((first, _)) = series.range()
            && self.last.is_some_and(|last| first <= last)
        {
            self.check(&series.get(0))?;
        }
        let symbol = series.key().symbol.exchange_id();
        let mut feeds = Feeds::new(self, outside, &symbol)?;
        let rows = series.len();
        let mut frame = FeatureFrame::zeros(series, &self.hash, self.columns.clone());
        let mut bars = Vec::with_capacity(BLOCK);
        for run in series.gaps().runs(rows) {
            let mut start = run.start;
            while start < run.end {
                let block = start..run.end.min(start + BLOCK);
                start = block.end;
                self.run_block(series, block, &mut bars, &mut feeds, &mut frame, masking);
            }
        }
        Ok(frame)
    }

    /// The first `candles` candles of a series, pushed one by one into a new pipeline which is saved and
    /// restored on the way: what a live program sees.
    pub(crate) fn push_all(
        spec: &FeatureSpec,
        series: &CandleSeries,
        outside: Outside<'_>,
        candles: usize,
    ) -> Result<FeatureFrame, FeatureError> {
        let timeframe = series.key().timeframe;
        let mut pipeline = Self::new(spec, timeframe)?;
        let mut feeds = Feeds::new(&pipeline, outside, &series.key().symbol.exchange_id())?;
        let first = series.columns().slice(0..candles.min(series.len()));
        let first = CandleSeries::new(series.key().clone(), first)
            .map_err(|error| FeatureError::mismatch("a part of the series", "a sound series", error))?;
        let mut frame = FeatureFrame::zeros(&first, &pipeline.hash, pipeline.columns.clone());
        for (index, candle) in first.iter().enumerate() {
            if index == first.len() / 2 {
                pipeline = Self::restore(spec, timeframe, &pipeline.save()?)?;
            }
            feeds.tell_until(&mut pipeline, &candle);
            match pipeline.push(&candle)? {
                Some(row) => {
                    for (column, value) in frame.values_mut().iter_mut().zip(row.values) {
                        column[index] = *value;
                    }
                }
                None => frame.mask(&[(index, Masked::WarmUp)], Masking::Applied),
            }
        }
        Ok(frame)
    }

    /// Takes up to [`BLOCK`] candles of one run.
    fn run_block(
        &mut self,
        series: &CandleSeries,
        block: Range<usize>,
        bars: &mut Vec<Bar>,
        feeds: &mut Feeds<'_>,
        frame: &mut FeatureFrame,
        masking: Masking,
    ) {
        let candles = series.columns();
        self.begin(candles.open_time[block.start]);
        bars.clear();
        for index in block.clone() {
            let values = [
                candles.open[index],
                candles.high[index],
                candles.low[index],
                candles.close[index],
                candles.volume[index],
            ];
            bars.push(self.own.bar(self.timeframe.close_of(candles.open_time[index]), values));
        }
        let mut poison = [0.0; BLOCK];
        let poison = &mut poison[..block.len()];
        let own = self.own.columns().len();
        let columns = frame.values_mut();
        self.own.run(bars, &mut columns[..own], block.start, poison);
        let mut first = own;
        for higher in &mut self.higher {
            let columns = &mut columns[first..first + higher.width()];
            run_higher(higher, series, block.clone(), columns, poison);
            first += higher.width();
        }
        if first < columns.len() {
            let mut row = vec![0.0; columns.len() - first];
            for (index, poison) in block.clone().zip(poison.iter_mut()) {
                let candle = series.get(index);
                feeds.tell_until(self, &candle);
                self.push_outside(&candle, self.timeframe.close_of(candle.open_time), &mut row);
                for (column, value) in columns[first..].iter_mut().zip(&row) {
                    column[index] = *value;
                    *poison += value * 0.0;
                }
            }
        }
        self.last = Some(candles.open_time[block.end - 1]);
        let masked: Vec<(usize, Masked)> = block
            .zip(poison)
            .filter_map(|(row, poison)| {
                self.seen += 1;
                if self.seen <= self.warm_up {
                    Some((row, Masked::WarmUp))
                } else {
                    poison.is_nan().then(|| (row, frame.reason(row)))
                }
            })
            .collect();
        frame.mask(&masked, masking);
    }
}

/// The values of one longer timeframe for a block of candles. They change with its candles only, so that whole
/// stretches are filled.
fn run_higher(
    higher: &mut HigherTimeframe,
    series: &CandleSeries,
    block: Range<usize>,
    columns: &mut [ColumnBuffer<f64>],
    poison: &mut [f64],
) {
    let mut fill = |rows: Range<usize>, values: &[f64]| {
        for (column, value) in columns.iter_mut().zip(values) {
            column[rows.clone()].fill(*value);
        }
        if values.iter().any(|value| !value.is_finite()) {
            poison[rows.start - block.start..rows.end - block.start].fill(f64::NAN);
        }
    };
    let mut values = higher.latest().to_vec();
    let mut start = block.start;
    for index in block.clone() {
        if higher.push(&series.get(index)) {
            fill(start..index, &values);
            start = index;
            values.copy_from_slice(higher.latest());
        }
    }
    fill(start..block.end, &values);
}

/// Whether the values of masked rows are replaced by NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Masking {
    /// As everybody should see them.
    Applied,
    /// Kept, for an audit that measures how long a warm-up must be.
    Lifted,
}

/// Positions in the series from outside, which move on with the candles.
struct Feeds<'a> {
    outside: Outside<'a>,
    next_reference: usize,
    /// For each exogenous column: known times, values, the next one to tell.
    exogenous: Vec<(&'a [Timestamp], &'a [f64], usize)>,
}

impl<'a> Feeds<'a> {
    fn new(pipeline: &FeaturePipeline, outside: Outside<'a>, symbol: &str) -> Result<Self, FeatureError> {
        let mut next_reference = 0;
        if let Some(cross) = &pipeline.cross {
            let Some(reference) = outside.reference else {
                return Err(FeatureError::MissingOutside {
                    what: "a reference symbol's candles".to_owned(),
                    column: "group cross_asset".to_owned(),
                    remedy: "give them, or set `cross_asset.enabled = false`".to_owned(),
                });
            };
            if reference.key().timeframe != pipeline.timeframe {
                return Err(FeatureError::mismatch(
                    format!("reference {}", reference.key()),
                    format!("timeframe {}", pipeline.timeframe),
                    reference.key().timeframe,
                ));
            }
            let told = cross.newest();
            next_reference = reference.columns().open_time.partition_point(|time| Some(*time) <= told);
        }
        let mut exogenous = Vec::with_capacity(pipeline.exogenous.len());
        for input in &pipeline.exogenous {
            let name = input.series().replace("{symbol}", symbol);
            let missing = |what: String, remedy: String| FeatureError::MissingOutside {
                what,
                column: format!("the exogenous column of `{}`", input.field()),
                remedy,
            };
            let Some(found) = outside.exogenous.iter().find(|series| series.name() == name) else {
                return Err(missing(
                    format!("the exogenous series `{name}`"),
                    "import it, or take the column out of the specification".to_owned(),
                ));
            };
            let Some(values) = found.column(input.field()) else {
                return Err(missing(
                    format!("field `{}` of series `{name}`", input.field()),
                    format!("it has {}", found.fields().join(", ")),
                ));
            };
            let next = found.known_at().partition_point(|time| Some(*time) <= input.newest());
            exogenous.push((found.known_at(), values, next));
        }
        Ok(Self { outside, next_reference, exogenous })
    }

    /// Tells the pipeline what is known when `candle` closes.
    fn tell_until(&mut self, pipeline: &mut FeaturePipeline, candle: &Candle) {
        if let Some(reference) = self.outside.reference.filter(|_| pipeline.cross.is_some()) {
            while self.next_reference < reference.len()
                && reference.columns().open_time[self.next_reference] <= candle.open_time
            {
                pipeline.tell_reference(&reference.get(self.next_reference));
                self.next_reference += 1;
            }
        }
        let known_at = pipeline.timeframe.close_of(candle.open_time);
        for (input, (times, values, next)) in pipeline.exogenous.iter_mut().zip(&mut self.exogenous) {
            while times.get(*next).is_some_and(|time| *time <= known_at) {
                input.tell(times[*next], values[*next]);
                *next += 1;
            }
        }
    }
}
