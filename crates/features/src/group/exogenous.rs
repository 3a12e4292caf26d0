//! Group `exogenous`: series from outside the market.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::{ColumnInfo, Group};
use crate::error::FeatureError;

/// Columns from series outside the market: funding, macro figures, sentiment.
///
/// A value counts from the moment at which it was **known** ([`market_data::ExogenousSeries::known_at`]), never
/// from the time that it describes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExogenousOptions {
    /// Whether there are such columns.
    pub enabled: bool,
    /// The columns.
    pub columns: Vec<ExogenousColumn>,
}

impl Default for ExogenousOptions {
    fn default() -> Self {
        Self { enabled: true, columns: Vec::new() }
    }
}

/// One column from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExogenousColumn {
    /// Name of the series in the store; `{symbol}` stands for the symbol as exchanges write it, `BTCUSDT`.
    pub series: String,
    /// Name of the value in it.
    pub field: String,
    /// What is made of the value.
    #[serde(default)]
    pub transform: Transform,
    /// Hours after which a value that was not renewed is no longer used and masks the row; never by default.
    #[serde(default)]
    pub max_age_hours: Option<f64>,
}

/// What is made of a value from outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transform {
    /// The value itself.
    #[default]
    Level,
    /// Its difference from the value known before it.
    Change,
    /// Its relative difference from the value known before it: `(new - old) / |old|`, 0 where the old one is 0.
    RelativeChange,
}

impl ExogenousColumn {
    /// The name of the column: `funding_rate`, `cpi_value_change`.
    pub(crate) fn name(&self) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
        let clean = |text: &str| {
            let text: String = text.replace("{symbol}", "").chars().map(letter).collect();
            text.trim_matches('_').to_owned()
        };
        let suffix = match self.transform {
            Transform::Level => "",
            Transform::Change => "_change",
            Transform::RelativeChange => "_relative_change",
        };
        format!("{}_{}{suffix}", clean(&self.series), clean(&self.field))
    }
}

impl ExogenousOptions {
    /// The columns; none where the group is off.
    pub(crate) fn columns(&self) -> Result<Vec<ColumnInfo>, FeatureError> {
        if !self.enabled {
            return Ok(Vec::new());
        }
        let mut columns: Vec<ColumnInfo> = Vec::new();
        for column in &self.columns {
            if let Some(hours) = column.max_age_hours
                && !(hours > 0.0 && hours.is_finite())
            {
                return Err(FeatureError::spec(
                    "exogenous.columns.max_age_hours",
                    hours,
                    "give hours above 0, or leave it out",
                ));
            }
            let name = column.name();
            if columns.iter().any(|other| other.name == name) {
                return Err(FeatureError::spec("exogenous.columns", name, "name each column once"));
            }
            let what = match column.transform {
                Transform::Level => "last known value",
                Transform::Change => "last known value minus the one known before it",
                Transform::RelativeChange => "(last known value - the one before) / |the one before|",
            };
            let formula = format!("{what} of `{}` in `{}`", column.field, column.series);
            columns.push(
                ColumnInfo::new(Group::Exogenous, name, formula, "as-of join by the time of knowledge")
                    .waits(),
            );
        }
        Ok(columns)
    }
}
