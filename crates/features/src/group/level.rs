//! Columns of support and resistance.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::{ColumnInfo, Group, Unit};
use crate::error::FeatureError;
use crate::indicator::pivot_level::PivotLevels;
use crate::plan::{Planned, check_period, check_periods};

/// Which columns of support and resistance there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LevelOptions {
    /// Whether there are columns of this group at all.
    pub enabled: bool,
    /// Orders of pivots: how many candles before and after a pivot none goes beyond it. A list without
    /// entries gives no column.
    pub orders: Vec<usize>,
    /// For how many candles a pivot is remembered.
    pub lookback: usize,
}

impl Default for LevelOptions {
    fn default() -> Self {
        Self { enabled: true, orders: vec![5, 20], lookback: 200 }
    }
}

impl LevelOptions {
    fn check(&self) -> Result<(), FeatureError> {
        check_periods("level.orders", &self.orders, 1)?;
        check_period("level.lookback", self.lookback, 2)?;
        match self.orders.iter().max() {
            Some(&order) if self.lookback <= 2 * order => {
                let remedy = format!("give more than twice the largest order, {order}");
                Err(FeatureError::spec("level.lookback", self.lookback, remedy))
            }
            _ => Ok(()),
        }
    }

    /// The indicators of these options and what their columns are.
    pub(crate) fn plan(&self) -> Result<Vec<Planned>, FeatureError> {
        if !self.enabled {
            return Ok(vec![]);
        }
        self.check()?;
        Ok(self.orders.iter().map(|&order| plan_pivots(order, self.lookback)).collect())
    }
}

fn plan_pivots(order: usize, lookback: usize) -> Planned {
    let info = |name: &str, formula: String| {
        ColumnInfo::new(
            Group::Level,
            format!("{name}_{order}"),
            formula,
            "own definition; pivots as Williams 1995",
        )
        .warm_up(PivotLevels::lookback(order, lookback))
    };
    let columns = [
        info(
            "resistance",
            format!(
                "lowest of the pivot highs above the close, or else the highest high, of {lookback} candles; a \
                 pivot high is above the {order} highs before and not below the {order} after it"
            ),
        )
        .unit(Unit::PriceLevel)
        .between(0.0, f64::INFINITY),
        info(
            "support",
            format!(
                "highest of the pivot lows below the close, or else the lowest low, of {lookback} candles; a \
                 pivot low is below the {order} lows before and not above the {order} after it"
            ),
        )
        .unit(Unit::PriceLevel)
        .between(0.0, f64::INFINITY),
        info(
            "pivot_high_age",
            format!("candles since the newest pivot high / {lookback}; 1 where there is none"),
        )
        .between(0.0, 1.0),
        info(
            "pivot_low_age",
            format!("candles since the newest pivot low / {lookback}; 1 where there is none"),
        )
        .between(0.0, 1.0),
    ];
    Planned::new(PivotLevels::new(order, lookback), columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::extreme_series::assert_sound;

    fn names(options: &LevelOptions) -> Vec<String> {
        let planned = options.plan().unwrap();
        planned.into_iter().flat_map(|planned| planned.columns).map(|info| info.name).collect()
    }

    #[test]
    fn the_default_columns() {
        assert_eq!(
            names(&LevelOptions::default()),
            [
                "resistance_5",
                "support_5",
                "pivot_high_age_5",
                "pivot_low_age_5",
                "resistance_20",
                "support_20",
                "pivot_high_age_20",
                "pivot_low_age_20",
            ]
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |text: &str| {
            let options: LevelOptions = toml::from_str(text).unwrap();
            options.plan().err().unwrap().to_string()
        };
        assert_eq!(
            refused("lookback = 40"),
            "`level.lookback` is 40; give more than twice the largest order, 20"
        );
        assert!(refused("orders = [0]").contains("level.orders"));
        assert!(refused("orders = [5, 5]").contains("name each period once"));
        assert!(toml::from_str::<LevelOptions>("order = [5]").is_err());
        assert!(names(&toml::from_str("enabled = false\norders = [0]").unwrap()).is_empty());
        assert!(names(&toml::from_str("orders = []").unwrap()).is_empty());
    }

    #[test]
    fn values_are_finite_and_forget_where_they_began() {
        assert_sound(|| LevelOptions::default().plan().unwrap());
    }
}
