//! What `import`, `inspect` and `generate` say about files: one JSON document, or tables.

use command_line::{CommonArguments, Table, print_json, print_text};
use market_data::Timestamp;
use market_data::store::{Appended, SourceOther};
use serde::Serialize;
use serde_json::Value;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It was read and stored.
    Imported,
    /// It was read; nothing was to be stored.
    Sound,
    /// The same file was imported before, with the same options.
    AlreadyStored,
    /// The data are at fault.
    Refused,
    /// The system or the request is at fault.
    Failed,
    /// It was generated and stored.
    Generated,
}

impl Status {
    const fn describe(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::Sound => "sound",
            Self::AlreadyStored => "already stored",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Generated => "generated",
        }
    }
}

/// One file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct File {
    pub(crate) path: Option<String>,
    pub(crate) status: Status,
    pub(crate) error: Option<String>,
    /// Quality reports of candle series.
    pub(crate) series: Vec<Value>,
    pub(crate) exogenous: Vec<SourceOther>,
    pub(crate) notes: Vec<String>,
    /// What the store did with the rows.
    pub(crate) stored: Option<Appended>,
}

impl File {
    pub(crate) fn new(path: Option<String>, status: Status) -> Self {
        Self {
            path,
            status,
            error: None,
            series: Vec::new(),
            exogenous: Vec::new(),
            notes: Vec::new(),
            stored: None,
        }
    }
}

/// All files of a command.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) command: &'static str,
    pub(crate) store: Option<String>,
    pub(crate) files: Vec<File>,
    pub(crate) totals: Totals,
}

/// Sums over all files.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Totals {
    pub(crate) files: u64,
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) series: u64,
    pub(crate) rows: u64,
    pub(crate) missing: u64,
}

impl Report {
    pub(crate) fn new(command: &'static str, store: Option<String>, files: Vec<File>) -> Self {
        let count = |status: Status| files.iter().filter(|file| file.status == status).count() as u64;
        let sum = |pointer: &str| -> u64 {
            files
                .iter()
                .flat_map(|file| &file.series)
                .filter_map(|series| series.pointer(pointer).and_then(Value::as_u64))
                .sum()
        };
        let totals = Totals {
            files: files.len() as u64,
            refused: count(Status::Refused),
            failed: count(Status::Failed),
            series: files.iter().map(|file| file.series.len() as u64).sum(),
            rows: sum("/rows"),
            missing: sum("/gaps/missing"),
        };
        Self { command, store, files, totals }
    }

    pub(crate) fn print(&self, common: &CommonArguments) -> anyhow::Result<()> {
        if common.is_json() {
            return print_json(self);
        }
        for table in [self.candle_table(), self.exogenous_table()] {
            if !table.is_empty() {
                table.print()?;
                print_text("\n")?;
            }
        }
        for file in &self.files {
            if let Some(error) = &file.error {
                let name = file.path.as_deref().unwrap_or("");
                print_text(&format!("{} {name}\n  {error}\n\n", file.status.describe()))?;
            }
        }
        for (note, about) in self.notes() {
            print_text(&format!("note: {about}: {note}\n"))?;
        }
        let totals = &self.totals;
        print_text(&format!(
            "{} files ({} refused, {} failed), {} series, {} candles, {} missing in gaps\n",
            totals.files, totals.refused, totals.failed, totals.series, totals.rows, totals.missing
        ))?;
        match &self.store {
            Some(store) => print_text(&format!("store: {store}\n")),
            None => Ok(()),
        }
    }

    /// Each note once, with the series or file that it is about, or how many.
    fn notes(&self) -> Vec<(String, String)> {
        let mut notes: Vec<(String, Vec<String>)> = Vec::new();
        let mut add = |note: &str, about: String| match notes.iter_mut().find(|(known, _)| known == note) {
            Some((_, all)) => all.push(about),
            None => notes.push((note.to_owned(), vec![about])),
        };
        for file in &self.files {
            let name = file.path.as_deref().unwrap_or("synthetic market");
            for series in &file.series {
                let of_series = series.pointer("/notes").and_then(Value::as_array).into_iter().flatten();
                for note in of_series.filter_map(Value::as_str) {
                    add(note, name.to_owned());
                }
            }
            for note in &file.notes {
                add(note, name.to_owned());
            }
        }
        let counted = |all: Vec<String>| match all.as_slice() {
            [one] => one.clone(),
            many => format!("{} series", many.len()),
        };
        notes.into_iter().map(|(note, all)| (note, counted(all))).collect()
    }

    fn candle_table(&self) -> Table {
        let mut table = Table::new([
            "series", "candles", "first", "last", "gaps", "missing", "removed", "findings", "status",
        ]);
        for file in &self.files {
            for series in &file.series {
                let text = |pointer: &str| match series.pointer(pointer) {
                    Some(Value::String(text)) => text.clone(),
                    Some(Value::Null) | None => String::new(),
                    Some(other) => other.to_string(),
                };
                let findings = series.pointer("/findings").and_then(Value::as_object).map_or_else(
                    String::new,
                    |findings| {
                        let counts = findings.iter().map(|(kind, found)| {
                            let count = found.pointer("/count").and_then(Value::as_u64).unwrap_or(0);
                            format!("{kind} {count}")
                        });
                        counts.collect::<Vec<_>>().join(", ")
                    },
                );
                table.row([
                    format!("{} {} {}", text("/key/venue"), text("/key/symbol"), text("/key/timeframe")),
                    text("/rows"),
                    text("/first"),
                    text("/last"),
                    text("/gaps/count"),
                    text("/gaps/missing"),
                    text("/removed"),
                    findings,
                    file.status.describe().to_owned(),
                ]);
            }
        }
        table
    }

    fn exogenous_table(&self) -> Table {
        let mut table = Table::new(["exogenous series", "rows", "first", "last", "status"]);
        let shown = |time: Option<Timestamp>| time.map_or_else(String::new, |time| time.to_string());
        for file in &self.files {
            for series in &file.exogenous {
                table.row([
                    series.name.clone(),
                    series.rows.to_string(),
                    shown(series.first),
                    shown(series.last),
                    file.status.describe().to_owned(),
                ]);
            }
        }
        table
    }
}
