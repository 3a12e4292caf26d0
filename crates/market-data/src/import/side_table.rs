//! Tables that are not candles: a time, some numbers and some texts per row.

use polars::prelude::DataFrame;

use crate::error::{MarketDataError, Place};
use crate::quality::Policy;
use crate::read::{DelimitedText, TimeRules, frame_numbers, frame_texts, frame_times, read_number, trim};
use crate::timestamp::Timestamp;

#[derive(Clone, Debug, Default)]
pub(super) struct SideTable {
    pub(super) times: Vec<Timestamp>,
    pub(super) lines: Vec<u32>,
    pub(super) numbers: Vec<Vec<f64>>,
    pub(super) texts: Vec<Vec<String>>,
    pub(super) notes: Vec<String>,
}

impl SideTable {
    pub(super) fn of_text(
        text: &mut DelimitedText<'_>,
        rules: TimeRules,
        numbers: &[usize],
        texts: &[usize],
        time: usize,
    ) -> Result<Self, MarketDataError> {
        let name = text.name.clone();
        let header = text.sniffed.header.clone().unwrap_or_default();
        let column = |index: usize| header.get(index).cloned().unwrap_or_else(|| (index + 1).to_string());
        let mut table = Self {
            numbers: vec![Vec::new(); numbers.len()],
            texts: vec![Vec::new(); texts.len()],
            ..Self::default()
        };
        let mut naive = false;
        text.for_each_row(&mut |record, line| {
            let unreadable = |index: usize, problem: String, remedy: &str| MarketDataError::Unreadable {
                place: Place::at(&name, line, Some(&column(index))),
                problem,
                remedy: remedy.to_owned(),
            };
            let read = rules
                .read(record.get(time).unwrap_or_default())
                .map_err(|(problem, remedy)| unreadable(time, problem, remedy))?;
            naive |= read.style == crate::read::TimeStyle::Naive;
            table.times.push(Timestamp::from_millis(read.millis));
            table.lines.push(u32::try_from(line).unwrap_or(u32::MAX));
            for (values, &index) in table.numbers.iter_mut().zip(numbers) {
                let cell = record.get(index).unwrap_or_default();
                values.push(read_number(cell).ok_or_else(|| {
                    let shown = String::from_utf8_lossy(cell);
                    unreadable(index, format!("`{shown}` is no number"), "correct the cell or remove the row")
                })?);
            }
            for (values, &index) in table.texts.iter_mut().zip(texts) {
                let cell = trim(record.get(index).unwrap_or_default());
                values.push(String::from_utf8_lossy(cell).into_owned());
            }
            Ok(())
        })?;
        if table.times.is_empty() {
            return Err(MarketDataError::Unreadable {
                place: Place::file(name),
                problem: "the table has a header but no row".to_owned(),
                remedy: "fetch the file again, or leave it out".to_owned(),
            });
        }
        if text.empty_rows > 0 {
            table.notes.push(format!("{} rows of empty cells were passed over", text.empty_rows));
        }
        if naive && rules.is_utc() {
            table.notes.push("times carry no zone and were read as UTC".to_owned());
        }
        if !naive && !rules.is_utc() {
            return Err(MarketDataError::request(
                "UTC offset",
                format!(
                    "the times of {name} state their zone or count from the epoch, so an offset has no effect; leave it out"
                ),
            ));
        }
        Ok(table)
    }

    pub(super) fn of_frame(
        name: &str,
        frame: &DataFrame,
        rules: TimeRules,
        numbers: &[usize],
        texts: &[usize],
        time: usize,
    ) -> Result<Self, MarketDataError> {
        let columns = frame.columns();
        let (times, _, _) = frame_times(name, &columns[time], rules)?;
        let numbers = numbers
            .iter()
            .map(|&index| frame_numbers(name, columns[index].clone()))
            .collect::<Result<_, _>>()?;
        let texts = texts
            .iter()
            .map(|&index| {
                let column = frame_texts(name, &columns[index])?;
                let cells = column
                    .str()
                    .map_err(MarketDataError::table(std::path::Path::new(name), "cannot read a column"))?;
                Ok(cells.iter().map(|cell| cell.unwrap_or_default().to_owned()).collect())
            })
            .collect::<Result<_, MarketDataError>>()?;
        let lines = (1..=u32::try_from(times.len()).unwrap_or(u32::MAX)).collect();
        Ok(Self { times, lines, numbers, texts, notes: Vec::new() })
    }

    /// One table per combination of the named text columns, in the order of their first rows.
    pub(super) fn split_by(self, labels: &[Option<usize>]) -> Vec<(Self, Vec<Option<String>>)> {
        let mut parts: Vec<(Self, Vec<Option<String>>)> = Vec::new();
        for row in 0..self.times.len() {
            let label: Vec<Option<String>> = labels
                .iter()
                .map(|column| {
                    column.map(|column| self.texts[column][row].clone()).filter(|text| !text.is_empty())
                })
                .collect();
            let index = match parts.iter().position(|(_, known)| *known == label) {
                Some(index) => index,
                None => {
                    parts.push((
                        Self { numbers: vec![Vec::new(); self.numbers.len()], ..Self::default() },
                        label,
                    ));
                    parts.len() - 1
                }
            };
            let part = &mut parts[index].0;
            part.times.push(self.times[row]);
            part.lines.push(self.lines[row]);
            for (to, from) in part.numbers.iter_mut().zip(&self.numbers) {
                to.push(from[row]);
            }
        }
        parts
    }

    /// Rows in order of time without repetitions and holes, as the policy allows.
    pub(super) fn in_order(mut self, file: &str, policy: Policy) -> Result<Self, MarketDataError> {
        let back = self.times.windows(2).filter(|pair| pair[1] < pair[0]).count();
        if back * 2 > self.times.len() {
            self.select(&(0..self.times.len()).rev().collect::<Vec<_>>());
        }
        let mut out = vec![false; self.times.len()];
        let mut latest: Option<Timestamp> = None;
        for row in 0..self.times.len() {
            let problem = if let Some(column) = self.numbers.iter().find(|column| !column[row].is_finite()) {
                Some(format!("a value is {}", column[row]))
            } else if latest.is_some_and(|latest| self.times[row] <= latest) {
                Some(format!("{} does not come after the row before it", self.times[row]))
            } else {
                None
            };
            if let Some(problem) = problem {
                if policy == Policy::Reject {
                    return Err(MarketDataError::Unreadable {
                        place: Place::at(file, u64::from(self.lines[row]), None),
                        problem,
                        remedy: "correct the row, or leave such rows out with --findings drop".to_owned(),
                    });
                }
                out[row] = true;
            } else {
                latest = Some(self.times[row]);
            }
        }
        let kept: Vec<usize> = (0..out.len()).filter(|row| !out[*row]).collect();
        if kept.len() * 2 < out.len() {
            let first =
                out.iter().position(|out| *out).and_then(|row| self.lines.get(row)).copied().unwrap_or(0);
            return Err(MarketDataError::Unreadable {
                place: Place::at(file, u64::from(first), None),
                problem: format!("{} of {} rows would be left out", out.len() - kept.len(), out.len()),
                remedy: "this is no matter of single rows; correct the order and the stamps of the file"
                    .to_owned(),
            });
        }
        self.select(&kept);
        Ok(self)
    }

    fn select(&mut self, rows: &[usize]) {
        self.times = rows.iter().map(|&row| self.times[row]).collect();
        self.lines = rows.iter().map(|&row| self.lines[row]).collect();
        for column in &mut self.numbers {
            *column = rows.iter().map(|&row| column[row]).collect();
        }
        for column in &mut self.texts {
            *column = rows.iter().map(|&row| column[row].clone()).collect();
        }
    }
}
