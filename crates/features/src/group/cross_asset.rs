//! Group `cross_asset`: how the symbol moves with another one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::{ColumnInfo, Group};
use crate::error::FeatureError;
use crate::plan::check_periods;

/// Correlation, beta and strength relative to a reference symbol of the same timeframe.
///
/// The reference's candles are given with [`crate::Outside`] or [`crate::FeaturePipeline::tell_reference`]. A
/// candle for which the reference has none masks the row, and its windows begin anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CrossAssetOptions {
    /// Whether there are such columns.
    pub enabled: bool,
    /// The reference symbol, for programs that look for its candles in a store: `BTC/USDT:USDT`, `BTCUSDT`.
    pub reference: String,
    /// Windows of candles.
    pub windows: Vec<usize>,
}

impl Default for CrossAssetOptions {
    fn default() -> Self {
        Self { enabled: false, reference: "BTCUSDT".to_owned(), windows: vec![30, 120] }
    }
}

impl CrossAssetOptions {
    /// The columns, window by window; none where the group is off.
    pub(crate) fn columns(&self) -> Result<Vec<ColumnInfo>, FeatureError> {
        if !self.enabled {
            return Ok(Vec::new());
        }
        check_periods("cross_asset.windows", &self.windows, 2)?;
        let mut columns = Vec::new();
        for &window in &self.windows {
            let column = |name: &str, formula: String, source: &'static str| {
                ColumnInfo::new(Group::CrossAsset, format!("{name}_{window}"), formula, source)
                    .warm_up(window)
                    .waits()
            };
            let pair = format!("the log returns of {window} candles of the symbol (y) and the reference (x)");
            columns.push(
                column(
                    "reference_correlation",
                    format!("Pearson correlation of {pair}; 0 where one does not move"),
                    "Pearson (1895)",
                )
                .between(-1.0, 1.0),
            );
            columns.push(column(
                "reference_beta",
                format!("cov(x, y) / var(x) of {pair}; 0 where the reference does not move"),
                "Sharpe (1964)",
            ));
            columns.push(column(
                "relative_strength",
                format!("log return over {window} candles minus that of the reference"),
                "own definition",
            ));
        }
        Ok(columns)
    }
}
