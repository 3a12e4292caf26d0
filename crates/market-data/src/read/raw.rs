//! Rows become raw series: columns as the file has them, before anyone judges them.

use std::collections::{BTreeSet, HashMap};

use crate::error::{MarketDataError, Place};
use crate::series::CandleColumns;
use crate::timestamp::Timestamp;

use super::header::{CandleGroup, CandleLayout};
use super::time_cell::{TimeRules, TimeStyle, read_number, trim};

/// The candles of one symbol as a file has them: any order, any values.
#[derive(Clone, Debug, Default)]
pub struct RawSeries {
    /// The file's word for the symbol, where it has one.
    pub symbol: Option<String>,
    /// The file's word for the exchange, where it has one.
    pub exchange: Option<String>,
    /// The file's word for the market (`spot`, `perpetual`, …), where it has one.
    pub market: Option<String>,
    /// The file's word for the timeframe, where it has one.
    pub timeframe: Option<String>,
    /// The values.
    pub columns: CandleColumns,
    /// For each candle its line (text), row (tables) or element (JSON) number, from 1.
    pub lines: Vec<u32>,
    /// Candles whose time says more than milliseconds can hold.
    pub finer_times: Vec<usize>,
    /// Whether the file has a volume column at all.
    pub has_volume: bool,
}

/// What one file (or one member of an archive) holds.
#[derive(Clone, Debug, Default)]
pub struct RawTable {
    /// The file as the user named it, with the archive member where there is one.
    pub file: String,
    /// One entry per symbol.
    pub series: Vec<RawSeries>,
    /// What a reader of the report should know: unit of the times, skipped lines, ignored columns.
    pub notes: Vec<String>,
}

/// A row of cells by column number.
pub(crate) trait Row {
    /// The cell, or `None` when the row is too short.
    fn cell(&self, column: usize) -> Option<&[u8]>;
}

impl Row for csv::ByteRecord {
    #[inline]
    fn cell(&self, column: usize) -> Option<&[u8]> {
        self.get(column)
    }
}

impl Row for Vec<String> {
    fn cell(&self, column: usize) -> Option<&[u8]> {
        self.get(column).map(String::as_bytes)
    }
}

/// Collects rows into one raw series per symbol.
pub(crate) struct RowAssembler {
    file: String,
    layout: CandleLayout,
    rules: TimeRules,
    styles: BTreeSet<TimeStyle>,
    by_label: HashMap<Vec<u8>, usize>,
    /// Label of the last row and its series: long tables are mostly sorted by symbol.
    last: Option<(Vec<u8>, usize)>,
    series: Vec<RawSeries>,
    /// Rows of a wide table in which a symbol had no cell filled.
    absent: Vec<u64>,
    label: Vec<u8>,
}

impl RowAssembler {
    pub(crate) fn new(file: String, layout: CandleLayout, rules: TimeRules) -> Self {
        let groups = layout.groups.len();
        Self {
            file,
            layout,
            rules,
            styles: BTreeSet::new(),
            by_label: HashMap::new(),
            last: None,
            series: Vec::new(),
            absent: vec![0; groups],
            label: Vec::new(),
        }
    }

    fn unreadable(&self, line: u64, column: usize, problem: String, remedy: &str) -> MarketDataError {
        MarketDataError::Unreadable {
            place: Place::at(&self.file, line, Some(self.layout.name(column))),
            problem,
            remedy: remedy.to_owned(),
        }
    }

    fn number(&self, row: &impl Row, line: u64, column: usize) -> Result<f64, MarketDataError> {
        let cell = row.cell(column).unwrap_or_default();
        read_number(cell).ok_or_else(|| {
            let text = String::from_utf8_lossy(cell);
            let remedy = if text.contains(',') {
                "write numbers with a decimal point and without thousands separators"
            } else {
                "correct the cell or remove the row"
            };
            self.unreadable(line, column, format!("`{text}` is no number"), remedy)
        })
    }

    /// Adds one row; `line` is where it stands in the file, from 1.
    pub(crate) fn push(&mut self, row: &impl Row, line: u64) -> Result<(), MarketDataError> {
        let cell = row.cell(self.layout.time).unwrap_or_default();
        let time = self
            .rules
            .read(cell)
            .map_err(|(problem, remedy)| self.unreadable(line, self.layout.time, problem, remedy))?;
        if !self.styles.contains(&time.style) {
            self.styles.insert(time.style);
        }
        for group in 0..self.layout.groups.len() {
            let columns = self.layout.groups[group].clone_indices();
            if self.layout.groups.len() > 1 && is_absent(row, &columns) {
                self.absent[group] += 1;
                continue;
            }
            let open = self.number(row, line, columns.open)?;
            let high = self.number(row, line, columns.high)?;
            let low = self.number(row, line, columns.low)?;
            let close = self.number(row, line, columns.close)?;
            let volume = match columns.volume {
                Some(column) => self.number(row, line, column)?,
                None => 0.0,
            };
            let turnover = match columns.turnover {
                Some(column) => Some(self.number(row, line, column)?),
                None => None,
            };
            let index = self.series_of(row, group, columns.volume.is_some());
            let series = &mut self.series[index];
            if time.finer {
                series.finer_times.push(series.columns.len());
            }
            series.columns.open_time.push(Timestamp::from_millis(time.millis));
            series.columns.open.push(open);
            series.columns.high.push(high);
            series.columns.low.push(low);
            series.columns.close.push(close);
            series.columns.volume.push(volume);
            if let Some(turnover) = turnover {
                series.columns.turnover.get_or_insert_default().push(turnover);
            }
            series.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    /// The series that a row's labels belong to.
    fn series_of(&mut self, row: &impl Row, group: usize, has_volume: bool) -> usize {
        let layout = &self.layout;
        let label_columns = [layout.symbol, layout.venue, layout.market, layout.timeframe];
        self.label.clear();
        self.label.extend_from_slice(&group.to_le_bytes());
        for column in label_columns.into_iter().flatten() {
            self.label.extend_from_slice(trim(row.cell(column).unwrap_or_default()));
            self.label.push(0);
        }
        if let Some((label, index)) = &self.last
            && *label == self.label
        {
            return *index;
        }
        let index = match self.by_label.get(&self.label) {
            Some(index) => *index,
            None => {
                let text = |column: Option<usize>| {
                    let cell = trim(row.cell(column?)?);
                    (!cell.is_empty()).then(|| String::from_utf8_lossy(cell).into_owned())
                };
                self.series.push(RawSeries {
                    symbol: layout.groups[group].symbol.clone().or_else(|| text(layout.symbol)),
                    exchange: text(layout.venue),
                    market: text(layout.market),
                    timeframe: text(layout.timeframe),
                    has_volume,
                    ..RawSeries::default()
                });
                let index = self.series.len() - 1;
                self.by_label.insert(self.label.clone(), index);
                index
            }
        };
        self.last = Some((self.label.clone(), index));
        index
    }

    /// The series and the notes about them.
    pub(crate) fn finish(mut self) -> Result<RawTable, MarketDataError> {
        if self.series.is_empty() {
            return Err(MarketDataError::Unreadable {
                place: Place::file(self.file),
                problem: "the table has a header but no row".to_owned(),
                remedy: "fetch the file again, or leave it out".to_owned(),
            });
        }
        let mut notes = Vec::new();
        let styles: Vec<&str> = self.styles.iter().map(|style| style.describe()).collect();
        if !styles.is_empty() {
            notes.push(format!(
                "times read from `{}`: {}",
                self.layout.name(self.layout.time),
                styles.join(" and ")
            ));
        }
        let naive = self.styles.contains(&TimeStyle::Naive);
        if naive && self.rules.zone == 0 {
            notes.push("times carry no zone and were read as UTC".to_owned());
        }
        if !naive && self.rules.zone != 0 {
            return Err(MarketDataError::request(
                "UTC offset",
                format!(
                    "the times of {} state their zone or count from the epoch, so an offset has no effect; leave it out",
                    self.file
                ),
            ));
        }
        if !self.layout.ignored.is_empty() {
            notes.push(format!("columns not read: {}", self.layout.ignored.join(", ")));
        }
        for (group, absent) in self.layout.groups.iter().zip(&self.absent) {
            if *absent > 0 {
                let symbol = group.symbol.as_deref().unwrap_or("?");
                notes.push(format!("{absent} rows have no candle of {symbol} (all its cells empty)"));
            }
        }
        if self.layout.groups.len() == 1 {
            let group = &self.layout.groups[0];
            if group.volume.is_none() {
                notes.push("the file has no volume column".to_owned());
            }
            for series in &mut self.series {
                series.mend_empty_columns(&mut notes);
            }
        }
        Ok(RawTable { file: self.file, series: self.series, notes })
    }
}

impl CandleGroup {
    /// The column numbers without the symbol's text.
    fn clone_indices(&self) -> Self {
        Self { symbol: None, ..*self }
    }
}

/// Whether every cell of a group is empty in this row.
fn is_absent(row: &impl Row, group: &CandleGroup) -> bool {
    let empty = |column: usize| trim(row.cell(column).unwrap_or_default()).is_empty();
    [group.open, group.high, group.low, group.close].into_iter().all(empty)
}

impl RawSeries {
    /// A column that is empty in every row says that the source does not have it.
    pub(super) fn mend_empty_columns(&mut self, notes: &mut Vec<String>) {
        if let Some(turnover) = &self.columns.turnover
            && turnover.iter().all(|value| value.is_nan())
        {
            self.columns.turnover = None;
        }
        if self.has_volume && self.columns.volume.iter().all(|value| value.is_nan()) {
            self.columns.volume.fill(0.0);
            self.has_volume = false;
            notes.push("the volume column is empty throughout".to_owned());
        }
    }
}
