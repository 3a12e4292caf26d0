//! A set of indicators over one timeframe.

use market_data::{Candle, Timestamp};
use serde::{Deserialize, Serialize};

use super::scaling::{Measure, Scaling};
use crate::bar::Bar;
use crate::buffer::ColumnBuffer;
use crate::column::{ColumnInfo, Unit};
use crate::error::FeatureError;
use crate::indicator::{BLOCK, Node};
use crate::plan::Planned;
use crate::spec::PriceScale;

/// The most columns of one indicator.
const WIDEST: usize = 16;

/// Indicators of one timeframe, their columns side by side, and what these are measured against.
pub(crate) struct IndicatorSet {
    nodes: Vec<Box<dyn Node>>,
    /// The indicators before the first candle.
    pristine: Vec<Box<dyn Node>>,
    columns: Vec<ColumnInfo>,
    units: Vec<Unit>,
    scale: PriceScale,
    scaling: Scaling,
    previous_close: Option<f64>,
}

/// What changes as candles pass.
#[derive(Serialize, Deserialize)]
pub(crate) struct SetState {
    nodes: Vec<Vec<u8>>,
    scaling: Scaling,
    previous_close: Option<f64>,
}

impl Clone for IndicatorSet {
    fn clone(&self) -> Self {
        Self {
            nodes: self.nodes.iter().map(|node| node.boxed()).collect(),
            pristine: self.pristine.iter().map(|node| node.boxed()).collect(),
            columns: self.columns.clone(),
            units: self.units.clone(),
            scale: self.scale,
            scaling: self.scaling.clone(),
            previous_close: self.previous_close,
        }
    }
}

impl IndicatorSet {
    pub(crate) fn new(plan: Vec<Planned>, scale: PriceScale) -> Self {
        let mut pristine = Vec::with_capacity(plan.len());
        let mut columns = Vec::new();
        for planned in plan {
            debug_assert!(planned.node.width() == planned.columns.len() && planned.columns.len() <= WIDEST);
            pristine.push(planned.node);
            columns.extend(planned.columns.into_iter().map(|mut column| {
                column.warm_up = column.warm_up.max(Scaling::warm_up(scale, column.unit));
                column
            }));
        }
        let units = columns.iter().map(|column| column.unit).collect();
        let nodes = pristine.iter().map(|node| node.boxed()).collect();
        Self { nodes, pristine, columns, units, scale, scaling: Scaling::new(scale), previous_close: None }
    }

    pub(crate) fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    /// Forgets all candles.
    pub(crate) fn reset(&mut self) {
        self.nodes = self.pristine.iter().map(|node| node.boxed()).collect();
        self.scaling = Scaling::new(self.scale);
        self.previous_close = None;
    }

    /// The next candle of the run as a bar.
    #[inline]
    pub(crate) fn bar(&mut self, close_time: Timestamp, values: [f64; 5]) -> Bar {
        let bar = Bar::new(close_time, values, self.previous_close);
        self.previous_close = Some(bar.close);
        bar
    }

    /// Takes one candle that closes at `close_time`.
    pub(crate) fn push(&mut self, close_time: Timestamp, candle: &Candle, out: &mut [f64]) {
        let values = [candle.open, candle.high, candle.low, candle.close, candle.volume];
        let bar = self.bar(close_time, values);
        let measure = self.scaling.push(&bar);
        let mut first = 0;
        for node in &mut self.nodes {
            let width = node.width();
            node.push(&bar, &mut out[first..first + width]);
            first += width;
        }
        for (value, unit) in out.iter_mut().zip(&self.units) {
            *value = self.scaling.apply_one(*unit, *value, &measure);
        }
    }

    /// Takes up to [`BLOCK`] bars, made with [`IndicatorSet::bar`], and writes rows `from..from + bars.len()` of
    /// `columns`. `poison` becomes NaN for each bar with a value that is not finite.
    pub(crate) fn run(
        &mut self,
        bars: &[Bar],
        columns: &mut [ColumnBuffer<f64>],
        from: usize,
        poison: &mut [f64],
    ) {
        let mut measures = [Measure::NONE; BLOCK];
        for (measure, bar) in measures.iter_mut().zip(bars) {
            *measure = self.scaling.push(bar);
        }
        let measures = &measures[..bars.len()];
        let rows = from..from + bars.len();
        let mut rest = columns;
        let mut units = self.units.as_slice();
        for node in &mut self.nodes {
            let width = node.width();
            let (own, others) = std::mem::take(&mut rest).split_at_mut(width);
            rest = others;
            let mut slices: [&mut [f64]; WIDEST] = std::array::from_fn(|_| <&mut [f64]>::default());
            for (slice, column) in slices.iter_mut().zip(own) {
                *slice = &mut column[rows.clone()];
            }
            node.run(bars, &mut slices[..width]);
            let (own_units, other_units) = units.split_at(width);
            units = other_units;
            for (values, unit) in slices.iter_mut().zip(own_units) {
                self.scaling.apply(*unit, values, measures);
                if !are_finite(values) {
                    for (poison, value) in poison.iter_mut().zip(values.iter()) {
                        *poison += value * 0.0;
                    }
                }
            }
        }
    }

    pub(crate) fn save(&self) -> Result<SetState, FeatureError> {
        let nodes = self.nodes.iter().map(|node| node.save()).collect::<Result<_, _>>()?;
        Ok(SetState { nodes, scaling: self.scaling.clone(), previous_close: self.previous_close })
    }

    pub(crate) fn restore(&mut self, state: SetState) -> Result<(), FeatureError> {
        if state.nodes.len() != self.nodes.len() {
            return Err(FeatureError::UnreadableState { reason: "it has other indicators".to_owned() });
        }
        for (node, state) in self.nodes.iter_mut().zip(&state.nodes) {
            node.restore(state)?;
        }
        self.scaling = state.scaling;
        self.previous_close = state.previous_close;
        Ok(())
    }
}

/// Whether all values are finite. What is not stays so when multiplied by zero; this loop has no branch and four
/// sums at a time.
#[inline]
fn are_finite(values: &[f64]) -> bool {
    let mut lanes = [0.0; 4];
    let chunks = values.chunks_exact(4);
    let rest: f64 = chunks.remainder().iter().map(|value| value * 0.0).sum();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value * 0.0;
        }
    }
    (lanes.iter().sum::<f64>() + rest) == 0.0
}
