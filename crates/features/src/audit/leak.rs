//! A leak made on purpose, to see an audit fail.

use market_data::CandleSeries;

use super::FeatureSource;
use crate::column::{ColumnInfo, Group};
use crate::error::FeatureError;
use crate::frame::FeatureFrame;
use crate::pipeline::Outside;
use crate::spec::{FeatureSpec, PriceScale};

/// A specification with one more column, `planted_leak`, which is the *next* candle's return.
///
/// A pipeline cannot have such a column: it never holds the next candle. This one is computed over the whole
/// series, as most published leaks are. It exists for audits only; no frame that a program stores has it.
#[derive(Clone, Debug)]
pub struct PlantedLeak(pub FeatureSpec);

impl FeatureSource for PlantedLeak {
    fn unmasked(&self, series: &CandleSeries, outside: Outside<'_>) -> Result<FeatureFrame, FeatureError> {
        let mut frame = self.0.unmasked(series, outside)?;
        let close = &series.columns().close;
        let next = |row: usize| close.get(row + 1).map_or(0.0, |next| next / close[row] - 1.0);
        let column = ColumnInfo::new(
            Group::Price,
            "planted_leak",
            "return of the next candle: a leak on purpose",
            "an audit",
        );
        frame.append(column, (0..close.len()).map(next).collect());
        Ok(frame)
    }

    fn scale(&self) -> PriceScale {
        self.0.scale
    }

    fn live(&self, _: &CandleSeries, _: Outside<'_>, _: usize) -> Result<Option<FeatureFrame>, FeatureError> {
        Ok(None)
    }
}
