//! The reference of all columns, as a document.

use std::fmt::Write;

use market_data::Timeframe;

use crate::column::{ColumnInfo, Group, Unit};
use crate::error::FeatureError;
use crate::group::{ExogenousColumn, Transform};
use crate::spec::FeatureSpec;

/// The timeframe that the document shows.
const TIMEFRAME: Timeframe = Timeframe::M5;

/// The reference as Markdown: name, formula, source, warm-up and range of each column of the default
/// specification, with the optional groups switched on, on candles of five minutes.
///
/// # Errors
/// As [`FeatureSpec::columns`].
pub fn markdown() -> Result<String, FeatureError> {
    let default = FeatureSpec::default().columns(TIMEFRAME)?;
    let mut whole = FeatureSpec::default();
    whole.cross_asset.enabled = true;
    whole.yata.enabled = true;
    whole.exogenous.columns = vec![ExogenousColumn {
        series: "funding_bybit_{symbol}".to_owned(),
        field: "funding_rate".to_owned(),
        transform: Transform::Level,
        max_age_hours: None,
    }];
    let columns = whole.columns(TIMEFRAME)?;
    let mut text = String::from(HEAD);
    let longest = default.iter().map(|column| column.warm_up).max().unwrap_or(0);
    // Writing to a string cannot fail.
    _ = writeln!(
        text,
        "The default specification gives **{} columns** on {TIMEFRAME} candles; a row is masked for the first **{longest}** candles of a run, the longest warm-up.\n",
        default.len()
    );
    let mut group: Option<Group> = None;
    for column in &columns {
        if group != Some(column.group) {
            group = Some(column.group);
            let (title, about) = title_of(column.group);
            _ = write!(
                text,
                "\n## {title}\n\n{about}\n\n| name | formula | unit | source | warm-up | range |\n|---|---|---|---|---:|---|\n"
            );
        }
        let cell = |text: &str| text.replace('|', "\\|");
        _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} |",
            column.name,
            cell(&column.formula),
            unit_of(column.unit),
            cell(column.source),
            column.warm_up,
            range_of(column),
        );
    }
    Ok(text)
}

const HEAD: &str = "# Feature reference

Written by `cargo run --bin feature-builder -- reference`; a test holds this file to it. Do not edit it by hand.

Every column is a fold over closed candles: the value of a row is known when its candle closes and uses nothing
later. *Warm-up* is the number of candles of a run (a stretch without gaps) that pass before the column is used;
from there on its value does not depend on where the run began, to one part in a million, which
`feature-builder audit` measures on your own candles (limits: [features.md](features.md#limits)). *Range* is that of the formula's own value.

*Unit* says how the value becomes comparable between symbols (`scale` in the specification):

| unit | `scale = \"close\"` (default) | `scale = \"atr\"` | `scale = \"raw\"` |
|---|---|---|---|
| plain | the value | the value | the value |
| level | (value − close) / close | (value − close) / mean true range of 14 candles | the value, in quote currency |
| difference | value / close | value / mean true range of 14 candles | the value, in quote currency |
| volume | value / mean volume of 50 candles | the same | the value, in base currency |

On a longer timeframe (`1h_sma_20`) close, range and volume are those of the last complete candle of that timeframe.

";

const fn title_of(group: Group) -> (&'static str, &'static str) {
    match group {
        Group::Price => ("`[price]` Returns and candle geometry", "What the candle itself says."),
        Group::Trend => ("`[trend]` Trend", "Moving averages and the direction of the price."),
        Group::Momentum => ("`[momentum]` Momentum", "Oscillators."),
        Group::Volatility => ("`[volatility]` Volatility", "The size of movements."),
        Group::Volume => ("`[volume]` Volume", "Volume and where it went."),
        Group::Cycle => ("`[cycle]` Cycle", "Ehlers' Hilbert transform, computed once for all columns."),
        Group::Pattern => {
            ("`[pattern]` Candlestick patterns", "TA-Lib's values: 100 bullish, -100 bearish, 0 none.")
        }
        Group::Level => {
            ("`[level]` Support and resistance", "From pivots, each known only when it is confirmed.")
        }
        Group::Time => ("`[time]` Time", "Of the candle's close, in UTC."),
        Group::Yata => (
            "`[yata]` Indicators of the library yata",
            "Off by default (`enabled = true` switches it on); settings are yata's own.",
        ),
        Group::HigherTimeframe => (
            "`[higher_timeframe]` Longer timeframes",
            "From complete candles of the longer timeframe; the warm-up counts short candles.",
        ),
        Group::CrossAsset => (
            "`[cross_asset]` Relation to a reference symbol",
            "Off by default (`enabled = true` switches it on): needs the reference's candles.",
        ),
        Group::Exogenous => (
            "`[exogenous]` Series from outside the market",
            "Empty by default; an example column is shown. Values count from when they were known.",
        ),
    }
}

const fn unit_of(unit: Unit) -> &'static str {
    match unit {
        Unit::Plain => "plain",
        Unit::PriceLevel => "level",
        Unit::PriceDifference => "difference",
        Unit::Volume => "volume",
    }
}

fn range_of(column: &ColumnInfo) -> String {
    let bound = |value: f64| {
        if value == f64::INFINITY {
            "∞".to_owned()
        } else if value == f64::NEG_INFINITY {
            "−∞".to_owned()
        } else {
            format!("{value}")
        }
    };
    format!("{} … {}", bound(column.minimum), bound(column.maximum))
}
