//! Returns and the shape of the newest candle.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::{ColumnInfo, Group};
use crate::error::FeatureError;
use crate::indicator::candle_geometry::CandleGeometry;
use crate::indicator::log_return::LogReturns;
use crate::plan::{Planned, check_periods};

/// Which returns to compute, and whether the candle's shape. An empty list gives no columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PriceOptions {
    /// Whether the group gives any columns.
    pub enabled: bool,
    /// Numbers of candles over which to take logarithmic returns, at least 1.
    pub log_return: Vec<usize>,
    /// Whether to describe the shape of the newest candle: body, range, wicks, location of the close, gap.
    pub geometry: bool,
}

impl Default for PriceOptions {
    fn default() -> Self {
        Self { enabled: true, log_return: vec![1, 2, 3, 5, 20, 60], geometry: true }
    }
}

impl PriceOptions {
    /// The indicators with the descriptions of their columns.
    ///
    /// # Errors
    ///
    /// [`FeatureError::InvalidSpec`] names the option that is out of range, if the group is enabled.
    pub(crate) fn plan(&self) -> Result<Vec<Planned>, FeatureError> {
        if !self.enabled {
            return Ok(Vec::new());
        }
        check_periods("price.log_return", &self.log_return, 1)?;
        let mut planned = log_returns(&self.log_return);
        if self.geometry {
            planned.push(geometry());
        }
        Ok(planned)
    }
}

/// Returns over up to eight periods share one indicator, and with it the logarithm.
fn log_returns(mut periods: &[usize]) -> Vec<Planned> {
    let mut planned = Vec::new();
    while !periods.is_empty() {
        let (node, taken) = match *periods {
            [a, b, c, d, e, f, g, h, ..] => (log_returns_over([a, b, c, d, e, f, g, h]), 8),
            [a, b, c, d, e, f, g] => (log_returns_over([a, b, c, d, e, f, g]), 7),
            [a, b, c, d, ..] => (log_returns_over([a, b, c, d]), 4),
            [a, b, ..] => (log_returns_over([a, b]), 2),
            [a, ..] => (log_returns_over([a]), 1),
            [] => break,
        };
        planned.push(node);
        periods = &periods[taken..];
    }
    planned
}

fn log_returns_over<const N: usize>(periods: [usize; N]) -> Planned {
    let columns = periods.map(|period| {
        let formula = format!("ln(close / close {period} candles before)");
        column(&format!("log_return_{period}"), &formula).warm_up(period)
    });
    Planned::new(LogReturns::new(periods), columns)
}

fn column(name: &str, formula: &str) -> ColumnInfo {
    ColumnInfo::new(Group::Price, name, formula, "definition")
}

fn geometry() -> Planned {
    let infinity = f64::INFINITY;
    Planned::new(
        CandleGeometry,
        [
            column("candle_body", "(close - open) / open").between(-1.0, infinity),
            column("candle_range", "(high - low) / close").between(0.0, infinity),
            column("upper_wick", "(high - max(open, close)) / (high - low); 0 without a range")
                .between(0.0, 1.0),
            column("lower_wick", "(min(open, close) - low) / (high - low); 0 without a range")
                .between(0.0, 1.0),
            column("close_location", "(close - low) / (high - low); 0.5 without a range").between(0.0, 1.0),
            column("opening_gap", "open / previous close - 1").warm_up(1).between(-1.0, infinity),
            column("relative_true_range", "(max(high, previous close) - min(low, previous close)) / close")
                .warm_up(1)
                .between(0.0, infinity),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::plan_checks::{check, names, refused_field};

    #[test]
    fn the_columns_by_default() {
        let plan = PriceOptions::default().plan().unwrap();
        assert_eq!(
            names(&plan),
            [
                "log_return_1",
                "log_return_2",
                "log_return_3",
                "log_return_5",
                "log_return_20",
                "log_return_60",
                "candle_body",
                "candle_range",
                "upper_wick",
                "lower_wick",
                "close_location",
                "opening_gap",
                "relative_true_range",
            ]
        );
        check(&plan);
    }

    #[test]
    fn any_number_of_returns() {
        for count in 0..20 {
            let options = PriceOptions {
                log_return: (1..=count).collect(),
                geometry: false,
                ..PriceOptions::default()
            };
            let expected: Vec<String> = (1..=count).map(|period| format!("log_return_{period}")).collect();
            assert_eq!(names(&options.plan().unwrap()), expected);
        }
    }

    #[test]
    fn a_group_that_is_off_has_no_columns_and_no_faults() {
        let options = PriceOptions { enabled: false, log_return: vec![0], geometry: true };
        assert!(options.plan().unwrap().is_empty());
        assert!(toml::from_str::<PriceOptions>("log_returns = [1]").is_err());
    }

    #[test]
    fn options_out_of_range_are_refused_by_name() {
        for periods in [[0, 1], [3, 3]] {
            let options = PriceOptions { log_return: periods.into(), ..PriceOptions::default() };
            assert_eq!(refused_field(options.plan()), "price.log_return");
        }
    }
}
