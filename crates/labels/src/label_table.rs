//! Labels as the columns of a table.

use market_data::Timestamp;
use market_data::store::TableColumn;

use crate::error::LabelError;
use crate::label::Label;
use crate::label_series::LabelSeries;

const INDEX: &str = "index";
const OPEN_TIME: &str = "open_time";
const LABEL: &str = "label";
const KNOWN_AT: &str = "known_at";
const WINDOW_END: &str = "window_end";
const UNIQUENESS: &str = "uniqueness";
const FORWARD_RETURN: &str = "forward_return";

/// The labelled candles of one series, row by row; candles without a label have no row.
///
/// As columns: `index` (of the candle in its series, from 0), `open_time` (of the candle), `label` (0 Sell,
/// 1 Hold, 2 Buy), `known_at` (close at which the label became known), `window_end` (the latest close at which it
/// could have), `uniqueness` (weight, 0 to 1), `forward_return` (log return to where the label ended). Times are
/// milliseconds since the epoch, UTC.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelTable {
    /// Index of the candle in its series.
    pub index: Vec<u32>,
    /// When the candle opens.
    pub open_time: Vec<Timestamp>,
    /// The class.
    pub label: Vec<Label>,
    /// When the label became known.
    pub known_at: Vec<Timestamp>,
    /// When it would have been known at the latest.
    pub window_end: Vec<Timestamp>,
    /// Average uniqueness.
    pub uniqueness: Vec<f64>,
    /// Realised log return.
    pub forward_return: Vec<f64>,
}

impl LabelTable {
    /// The labels of a series.
    pub fn of(labels: &LabelSeries) -> Self {
        let mut table = Self::default();
        for (index, row) in labels.iter() {
            let (Some(span), Some(window)) = (labels.span(index), labels.window(index)) else { continue };
            // An index of a label series fits: longer series are refused.
            table.index.push(u32::try_from(index).unwrap_or(u32::MAX));
            table.open_time.push(span.start);
            table.label.push(row.label);
            table.known_at.push(span.end);
            table.window_end.push(window.end);
            table.uniqueness.push(row.uniqueness);
            table.forward_return.push(row.forward_return);
        }
        table
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.label.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.label.is_empty()
    }

    /// The columns, for [`market_data::store::write_columns`].
    pub fn into_columns(self) -> Vec<(&'static str, TableColumn)> {
        let times = |times: Vec<Timestamp>| {
            TableColumn::Integers(times.into_iter().map(Timestamp::as_millis).collect())
        };
        let classes = self.label.into_iter().map(|label| label.index() as i64);
        vec![
            (INDEX, TableColumn::Integers(self.index.into_iter().map(i64::from).collect())),
            (OPEN_TIME, times(self.open_time)),
            (LABEL, TableColumn::Integers(classes.collect())),
            (KNOWN_AT, times(self.known_at)),
            (WINDOW_END, times(self.window_end)),
            (UNIQUENESS, TableColumn::Numbers(self.uniqueness)),
            (FORWARD_RETURN, TableColumn::Numbers(self.forward_return)),
        ]
    }

    /// The table of columns that [`market_data::store::read_columns`] has read; further columns are ignored.
    ///
    /// # Errors
    /// [`LabelError::NoLabelTable`] names the column that is absent or holds what it must not.
    pub fn from_columns(columns: Vec<(String, TableColumn)>) -> Result<Self, LabelError> {
        let mut table = Self::default();
        let mut missing = vec![INDEX, OPEN_TIME, LABEL, KNOWN_AT, WINDOW_END, UNIQUENESS, FORWARD_RETURN];
        for (name, column) in columns {
            let wrong = || LabelError::NoLabelTable { column: name.clone() };
            match (name.as_str(), column) {
                (INDEX, TableColumn::Integers(values)) => {
                    let index = values.into_iter().map(|value| u32::try_from(value).map_err(|_| wrong()));
                    table.index = index.collect::<Result<_, _>>()?;
                }
                (LABEL, TableColumn::Integers(values)) => {
                    let label = |value| usize::try_from(value).ok().and_then(Label::from_index);
                    let labels = values.into_iter().map(|value| label(value).ok_or_else(wrong));
                    table.label = labels.collect::<Result<_, _>>()?;
                }
                (OPEN_TIME, TableColumn::Integers(values)) => table.open_time = times(values),
                (KNOWN_AT, TableColumn::Integers(values)) => table.known_at = times(values),
                (WINDOW_END, TableColumn::Integers(values)) => table.window_end = times(values),
                (UNIQUENESS, TableColumn::Numbers(values)) => table.uniqueness = values,
                (FORWARD_RETURN, TableColumn::Numbers(values)) => table.forward_return = values,
                (known, _) if missing.contains(&known) => return Err(wrong()),
                _ => continue,
            }
            missing.retain(|absent| *absent != name);
        }
        match missing.first() {
            None => Ok(table),
            Some(column) => Err(LabelError::NoLabelTable { column: (*column).to_owned() }),
        }
    }
}

fn times(values: Vec<i64>) -> Vec<Timestamp> {
    values.into_iter().map(Timestamp::from_millis).collect()
}
