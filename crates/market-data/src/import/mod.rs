//! From a file to sound series: read, identify, inspect, judge.
//!
//! A file is taken whole or not at all: if one of its series is refused, none is returned, and the
//! error names the reason.

mod gather;
mod side_table;
mod wanted;

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::candle::{Candle, CandleFault};
use crate::error::{MarketDataError, Place};
use crate::exogenous::{
    ExogenousSeries, Headline, HeadlineSeries, KnownAfter, check_settlement_clock, clean_name, funding_name,
    settlement_hours,
};
use crate::identify::{Hints, identify, is_pair, perpetual_in_name, series_name_of};
use crate::quality::{Inspected, Plausibility, Policy, check_index_range, inspect};
use crate::read::{
    Content, DelimitedText, Member, RawSeries, RawTable, ReadOptions, TableKind, candles_of_frame,
    column_names, for_each_member, kind_of, read_delimited, read_frame, read_json,
};
use crate::symbol::Market;
use crate::timestamp::Timestamp;

pub use gather::{Gathered, files_of, gather_candles};

use side_table::SideTable;
use wanted::Wanted;

/// What a file is read as, where its header does not tell or tells wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What the columns say.
    #[default]
    Auto,
    /// Candles.
    Candles,
    /// Funding rates.
    Funding,
    /// One value per time.
    Values,
    /// News headlines.
    Headlines,
}

impl std::str::FromStr for Kind {
    type Err = MarketDataError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "candles" => Self::Candles,
            "funding" => Self::Funding,
            "values" => Self::Values,
            "headlines" => Self::Headlines,
            _ => {
                return Err(MarketDataError::request(
                    "kind",
                    format!("`{text}` is unknown; use auto, candles, funding, values or headlines"),
                ));
            }
        })
    }
}

/// How files are imported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ImportOptions {
    /// What the files hold.
    pub kind: Kind,
    /// What the user states about them.
    pub hints: Hints,
    /// How their text is read.
    pub read: ReadOptions,
    /// What happens to rows with findings.
    pub policy: Policy,
    /// Which signs of a false record are accepted.
    pub plausibility: Plausibility,
    /// When values of exogenous series become known; by default what their kind implies.
    pub known_after: Option<KnownAfter>,
    /// The name of an exogenous series, where the file's own is not wanted.
    pub name: Option<String>,
}

/// What one table of a file became.
#[derive(Clone, Debug)]
pub enum Imported {
    /// Sound candle series with their reports.
    Candles(Vec<Inspected>),
    /// Exogenous series.
    Exogenous(Vec<ExogenousSeries>),
    /// Headlines.
    Headlines(HeadlineSeries),
}

/// One table of a file, and what to know about it.
#[derive(Clone, Debug)]
pub struct ImportedTable {
    /// The file, with the archive member where there is one.
    pub file: String,
    /// What it holds.
    pub content: Imported,
    /// Notes of the reader; those about single candle series are in their reports.
    pub notes: Vec<String>,
}

/// Imports every table of a file. `now` is the time against which unfinished candles are found.
///
/// # Errors
/// Whatever keeps the file from being taken whole, with file, line, column and remedy.
pub fn import_file(
    path: &Path,
    options: &ImportOptions,
    now: Option<Timestamp>,
) -> Result<Vec<ImportedTable>, MarketDataError> {
    let mut tables = Vec::new();
    for_each_member(path, &mut |member| {
        tables.push(Importer { options, now }.import(member)?);
        Ok(())
    })?;
    Ok(tables)
}

struct Importer<'a> {
    options: &'a ImportOptions,
    now: Option<Timestamp>,
}

impl Importer<'_> {
    fn import(&self, member: Member<'_>) -> Result<ImportedTable, MarketDataError> {
        let rules = self.options.read.time_rules(&member.name);
        let columns = self.options.read.columns.as_deref();
        let name = member.name;
        match member.content {
            Content::Json(text) => {
                self.expect_candles(&name)?;
                self.candles(read_json(&name, text, rules, columns)?)
            }
            Content::Delimited(text) => {
                let mut text = DelimitedText::open(name.clone(), text, &rules, columns)?;
                let seen = columns.and_then(kind_of).unwrap_or_else(|| text.sniffed.kind.clone());
                match self.kind(&name, &seen)? {
                    TableKind::Candles => self.candles(read_delimited(text, rules, columns)?),
                    kind => {
                        let width = text.sniffed.width;
                        if let Some(named) = columns.filter(|named| named.len() != width) {
                            let reason = format!(
                                "{} are named, but the rows of {name} have {width} fields",
                                named.len()
                            );
                            return Err(MarketDataError::request("columns", reason));
                        }
                        let own = text.sniffed.header.clone().unwrap_or_default();
                        let header = columns.map_or(own, <[String]>::to_vec);
                        let wanted = Wanted::of(&kind, &header, text.sniffed.width);
                        let table = SideTable::of_text(
                            &mut text,
                            rules,
                            &wanted.numbers,
                            &wanted.texts,
                            wanted.time,
                        )?;
                        self.side(&name, &kind, &wanted, table)
                    }
                }
            }
            Content::Parquet(file) => self.frame(&name, read_frame(&name, file, true)?, rules),
            Content::Arrow(file) => self.frame(&name, read_frame(&name, file, false)?, rules),
        }
    }

    fn frame(
        &self,
        name: &str,
        frame: polars::prelude::DataFrame,
        rules: crate::read::TimeRules,
    ) -> Result<ImportedTable, MarketDataError> {
        let own = column_names(&frame);
        if let Some(named) = self.options.read.columns.as_ref().filter(|named| named.len() != own.len()) {
            let reason = format!("{} are named, but {name} has {} columns", named.len(), own.len());
            return Err(MarketDataError::request("columns", reason));
        }
        let names = self.options.read.columns.clone().unwrap_or(own);
        let seen = kind_of(&names).unwrap_or(TableKind::Candles);
        match self.kind(name, &seen)? {
            TableKind::Candles => self.candles(candles_of_frame(
                name.to_owned(),
                frame,
                rules,
                self.options.read.columns.as_deref(),
            )?),
            kind => {
                let wanted = Wanted::of(&kind, &names, names.len());
                let table =
                    SideTable::of_frame(name, &frame, rules, &wanted.numbers, &wanted.texts, wanted.time)?;
                self.side(name, &kind, &wanted, table)
            }
        }
    }

    /// What a table is read as.
    fn kind(&self, name: &str, seen: &TableKind) -> Result<TableKind, MarketDataError> {
        let kind = match self.options.kind {
            Kind::Auto => seen.clone(),
            Kind::Candles => TableKind::Candles,
            Kind::Funding => TableKind::Funding,
            Kind::Values => TableKind::Values,
            Kind::Headlines => TableKind::Headlines,
        };
        let remedy = match kind {
            TableKind::Trades => "aggregate the trades to candles first; candles are what is imported",
            TableKind::OrderBook => "candles are what is imported; give candles of traded prices",
            TableKind::Quotes => "give candles of traded prices instead of bid and ask bars",
            _ => return Ok(kind),
        };
        Err(MarketDataError::Unreadable {
            place: Place::at(name, 1, None),
            problem: format!("this is {}, not candles", kind.describe()),
            remedy: remedy.to_owned(),
        })
    }

    fn expect_candles(&self, name: &str) -> Result<(), MarketDataError> {
        match self.options.kind {
            Kind::Auto | Kind::Candles => Ok(()),
            _ => Err(MarketDataError::request(
                "kind",
                format!("{name} is JSON, which is read as candles only"),
            )),
        }
    }

    /// Candles, or an index without volume, or funding in the dress of candles.
    fn candles(&self, table: RawTable) -> Result<ImportedTable, MarketDataError> {
        let auto = self.options.kind == Kind::Auto;
        if auto && is_funding_in_candles(&table) {
            return self.funding_in_candles(table);
        }
        if auto && table.series.iter().all(|raw| self.is_index(raw, &table.file)) {
            return self.index(table);
        }
        if let Some(raw) = table.series.iter().find(|raw| !raw.has_volume) {
            let symbol = raw.symbol.as_deref().unwrap_or("the series");
            return Err(MarketDataError::Unreadable {
                place: Place::file(table.file.clone()),
                problem: format!("{symbol} has no volume, which candles of a market have"),
                remedy: "restore the volume; if this is an index, import it with --kind values".to_owned(),
            });
        }
        let RawTable { file, series, notes } = table;
        let mut inspected = Vec::with_capacity(series.len());
        for mut raw in series {
            let identity = identify(&raw, &file, &self.options.hints)?;
            let turned = identity.key.venue.market() == Market::Inverse && state_in_base(&mut raw);
            let mut one = inspect(raw, identity.key, &file, self.options.policy, self.now)?;
            one.report.notes.extend(notes.iter().cloned());
            one.report.notes.extend(identity.notes);
            for (option, given) in [
                ("--name", self.options.name.is_some()),
                ("--known-after", self.options.known_after.is_some()),
            ] {
                if given {
                    one.report
                        .notes
                        .push(format!("{option} is for exogenous series and has no effect on candles"));
                }
            }
            if one.report.key.venue.market() == Market::Inverse && one.series.columns().turnover.is_none() {
                let note = "exchanges count inverse contracts in quote currency; without a turnover the column volume was taken as base currency";
                one.report.notes.push(note.to_owned());
            }
            if turned {
                let note = "inverse contracts are counted in quote currency; the columns volume and turnover were read the other way round";
                one.report.notes.push(note.to_owned());
            }
            inspected.push(self.options.plausibility.check(one)?);
        }
        if let Some((first, second)) = same_key(&inspected) {
            return Err(MarketDataError::Unreadable {
                place: Place::file(file),
                problem: format!("two symbols of the file are the same series {first} ({second})"),
                remedy: "leave --symbol out for files with many symbols".to_owned(),
            });
        }
        Ok(ImportedTable { file, content: Imported::Candles(inspected), notes: Vec::new() })
    }

    /// An index (VIX, DXY) has prices but no volume: it is no market that could be traded here.
    fn index(&self, table: RawTable) -> Result<ImportedTable, MarketDataError> {
        let RawTable { file, series, mut notes } = table;
        notes.push("without volume this is an index, imported as an exogenous series".to_owned());
        let mut imported = Vec::with_capacity(series.len());
        for raw in series {
            let name = self
                .options
                .name
                .clone()
                .or_else(|| raw.symbol.clone())
                .unwrap_or_else(|| series_name_of(&file));
            notes.extend(check_index_rows(&file, &raw)?);
            let side = SideTable {
                times: raw.columns.open_time,
                lines: raw.lines,
                numbers: vec![raw.columns.open, raw.columns.high, raw.columns.low, raw.columns.close],
                ..SideTable::default()
            };
            let fields = ["open", "high", "low", "close"].map(str::to_owned).to_vec();
            imported.push(self.exogenous(&file, &clean_name(&name), fields, side, KnownAfter::Period)?);
        }
        one_per_name(&file, &imported)?;
        Ok(ImportedTable { file, content: Imported::Exogenous(imported), notes })
    }

    /// Prices without volume are an index, unless they are of a pair: that is a market whose volume is
    /// missing. A volume of zero throughout says as little as none where the name is no pair.
    fn is_index(&self, raw: &RawSeries, file: &str) -> bool {
        let silent = !raw.has_volume || raw.columns.volume.iter().all(|volume| *volume == 0.0);
        silent && !is_pair(raw, file, &self.options.hints)
    }

    /// freqtrade keeps funding rates as candles whose open is the rate and whose rest is zero.
    fn funding_in_candles(&self, table: RawTable) -> Result<ImportedTable, MarketDataError> {
        let RawTable { file, series, mut notes } = table;
        notes.push("funding rates were read from the column `open`; the rest is zero".to_owned());
        let mut imported = Vec::new();
        for raw in series {
            let side = SideTable {
                times: raw.columns.open_time,
                lines: raw.lines,
                numbers: vec![raw.columns.open],
                ..SideTable::default()
            };
            imported.push(self.funding_series(&file, side, [None, None], &mut notes)?);
        }
        Ok(ImportedTable { file, content: Imported::Exogenous(imported), notes })
    }

    fn side(
        &self,
        file: &str,
        kind: &TableKind,
        wanted: &Wanted,
        table: SideTable,
    ) -> Result<ImportedTable, MarketDataError> {
        let mut notes = table.notes.clone();
        if *kind == TableKind::Funding
            && let Some(label) = wanted.label_of_numbers.as_deref().filter(|label| label.contains('%'))
        {
            return Err(MarketDataError::Unreadable {
                place: Place::column(file, label),
                problem: "the rates are in per cent".to_owned(),
                remedy: "divide them by 100 and call the column funding_rate: rates are fractions here, such as 0.0001"
                    .to_owned(),
            });
        }
        let rows = table.times.len();
        let content = match kind {
            TableKind::Headlines => self.headlines(file, wanted, &table)?,
            TableKind::Funding => {
                let labels = [wanted.text("symbol"), wanted.text("venue")];
                let mut series = Vec::new();
                for (part, label) in table.split_by(&labels) {
                    let [symbol, venue] = &label[..] else { continue };
                    let of = [venue.as_deref(), symbol.as_deref()];
                    series.push(self.funding_series(file, part, of, &mut notes)?);
                }
                Imported::Exogenous(series)
            }
            _ => {
                let mut series = Vec::new();
                for (part, label) in table.split_by(&[wanted.text("series")]) {
                    let name = self.options.name.clone().or_else(|| label.into_iter().flatten().next());
                    let name = clean_name(&name.unwrap_or_else(|| series_name_of(file)));
                    series.push(self.exogenous(
                        file,
                        &name,
                        vec!["value".to_owned()],
                        part,
                        KnownAfter::Period,
                    )?);
                }
                Imported::Exogenous(series)
            }
        };
        notes.extend(self.hints_without_effect(kind));
        if let Imported::Exogenous(series) = &content {
            one_per_name(file, series)?;
            let kept: usize = series.iter().map(ExogenousSeries::len).sum();
            if kept < rows {
                notes.push(format!("{} of {rows} rows were left out by the policy", rows - kept));
            }
        }
        Ok(ImportedTable { file: file.to_owned(), content, notes })
    }

    /// Statements about candles that say nothing about another kind of table.
    fn hints_without_effect(&self, kind: &TableKind) -> Option<String> {
        let hints = &self.options.hints;
        // Venue and symbol name a funding series.
        let funding = *kind == TableKind::Funding;
        let given: Vec<&str> = [
            ("--venue", hints.venue.is_some() && !funding),
            ("--symbol", hints.symbol.is_some() && !funding),
            ("--timeframe", hints.timeframe.is_some()),
            ("--quote", hints.quote.is_some()),
            // A headline is known when it is published, and says when that was.
            ("--known-after", self.options.known_after.is_some() && *kind == TableKind::Headlines),
        ]
        .into_iter()
        .filter_map(|(option, without_effect)| without_effect.then_some(option))
        .collect();
        (!given.is_empty()).then(|| format!("{} have no effect on {}", given.join(", "), kind.describe()))
    }

    fn funding_series(
        &self,
        file: &str,
        part: SideTable,
        [venue, symbol]: [Option<&str>; 2],
        notes: &mut Vec<String>,
    ) -> Result<ExogenousSeries, MarketDataError> {
        let (venue_of_name, symbol_of_name) = perpetual_in_name(file);
        let exchange = self.options.hints.venue.as_ref().map(|venue| venue.exchange().to_owned());
        let exchange = exchange.or_else(|| venue.map(str::to_owned)).or(venue_of_name);
        let symbol = self.options.hints.symbol.clone().or_else(|| symbol.map(str::to_owned));
        let symbol = symbol.or(symbol_of_name);
        let name = self
            .options
            .name
            .clone()
            .unwrap_or_else(|| funding_name(exchange.as_deref(), symbol.as_deref(), Path::new(file)));
        let part = part.in_order(file, self.options.policy)?;
        let known = match settlement_hours(&part.times) {
            Some(_) => KnownAfter::Immediately,
            None => KnownAfter::Period,
        };
        if known == KnownAfter::Period && self.options.known_after.is_none() {
            notes.push(format!(
                "{name}: its rows are not 1, 2, 4 or 8 hours apart, so that each counts as known when its period is over, and not at its time; state another rule with --known-after"
            ));
        }
        if exchange.is_none() && self.options.name.is_none() {
            notes.push(format!(
                "{name}: the venue is not stated, and a backtest looks for funding by venue and symbol; state it with --venue bybit-linear"
            ));
        }
        check_settlement_clock(file, &part.lines, &part.times)?;
        self.exogenous(file, &name, vec!["funding_rate".to_owned()], part, known)
    }

    fn exogenous(
        &self,
        file: &str,
        name: &str,
        fields: Vec<String>,
        part: SideTable,
        known: KnownAfter,
    ) -> Result<ExogenousSeries, MarketDataError> {
        let part = part.in_order(file, self.options.policy)?;
        if let Some(last) = part.numbers.last() {
            check_index_range(file, name, last, &part.lines, &self.options.plausibility)?;
        }
        ExogenousSeries::new(
            name,
            fields,
            part.times,
            part.numbers,
            self.options.known_after.unwrap_or(known),
        )
    }

    fn headlines(&self, file: &str, wanted: &Wanted, table: &SideTable) -> Result<Imported, MarketDataError> {
        let text = |column: Option<usize>, row: usize| {
            column.map_or_else(String::new, |column| table.texts[column][row].clone())
        };
        let headlines = (0..table.times.len())
            .map(|row| Headline {
                published_at: table.times[row],
                source: text(wanted.text("source"), row),
                title: text(wanted.text("title"), row),
                subject: text(wanted.text("subject"), row),
                label: text(wanted.text("label"), row),
                polarity: table.numbers.first().map(|column| column[row]).filter(|value| value.is_finite()),
            })
            .collect();
        let name = self.options.name.clone().unwrap_or_else(|| series_name_of(file).to_lowercase());
        Ok(Imported::Headlines(HeadlineSeries::new(&clean_name(&name), headlines)?))
    }
}

/// Two series of one name would be mixed in the store.
fn one_per_name(file: &str, series: &[ExogenousSeries]) -> Result<(), MarketDataError> {
    let mut names = std::collections::BTreeSet::new();
    match series.iter().find(|one| !names.insert(one.name())) {
        None => Ok(()),
        Some(twice) => Err(MarketDataError::Unreadable {
            place: Place::file(file),
            problem: format!("several series of the file would be called {}", twice.name()),
            remedy: "leave --name out, or give each series in a file of its own".to_owned(),
        }),
    }
}

/// Inverse contracts are counted in quote currency (one dollar each), and their turnover is in base
/// currency. Here volume is base and turnover quote on every market, so the two change places where that
/// fits the prices.
fn state_in_base(raw: &mut RawSeries) -> bool {
    let columns = &mut raw.columns;
    let Some(turnover) = &mut columns.turnover else { return false };
    let fits = |base: &[f64], quote: &[f64]| {
        (0..base.len())
            .filter(|&row| base[row] > 0.0)
            .filter(|&row| {
                let price = quote[row] / base[row];
                price >= columns.low[row] * 0.9 && price <= columns.high[row] * 1.1
            })
            .count()
    };
    let turned = fits(turnover, &columns.volume) > fits(&columns.volume, turnover);
    if turned {
        std::mem::swap(&mut columns.volume, turnover);
    }
    turned
}

/// Rows of an index whose open or close lies outside of low to high. Published indices have some (the VIX
/// of the nineties opens outside of its range), so few are a note; many are columns in another order.
fn check_index_rows(file: &str, raw: &RawSeries) -> Result<Option<String>, MarketDataError> {
    let columns = &raw.columns;
    let is_impossible = |row: &usize| {
        let candle = Candle { volume: 0.0, turnover: None, ..columns.get(*row) };
        matches!(candle.fault(), Some(CandleFault::ImpossibleOhlc | CandleFault::NonPositivePrice))
    };
    let impossible: Vec<usize> = (0..columns.len()).filter(is_impossible).collect();
    let Some(first) = impossible.first() else { return Ok(None) };
    let line = u64::from(raw.lines.get(*first).copied().unwrap_or(0));
    let what = format!(
        "{} of {} rows have an open or close outside of low to high",
        impossible.len(),
        columns.len()
    );
    if impossible.len() * 20 <= columns.len() {
        return Ok(Some(format!("{what}, first line {line}; kept as published")));
    }
    Err(MarketDataError::Unreadable {
        place: Place::at(file, line, Some("open, high, low, close")),
        problem: what,
        remedy: "correct the rows, or name the columns in their order with --columns".to_owned(),
    })
}

fn is_funding_in_candles(table: &RawTable) -> bool {
    table.file.to_lowercase().contains("funding")
        && table.series.iter().all(|raw| {
            let columns = &raw.columns;
            [&columns.high, &columns.low, &columns.close, &columns.volume]
                .iter()
                .all(|column| column.iter().all(|value| *value == 0.0))
        })
}

/// Two series of one file with the same key, if there are any.
fn same_key(inspected: &[Inspected]) -> Option<(String, String)> {
    let mut seen = std::collections::BTreeMap::new();
    inspected.iter().enumerate().find_map(|(index, one)| {
        let key = one.series.key();
        seen.insert(key.clone(), index)
            .map(|before| (key.to_string(), format!("symbols {} and {}", before + 1, index + 1)))
    })
}

#[cfg(test)]
mod tests;
