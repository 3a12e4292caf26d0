//! Candle series from wherever they lie: files, directories of files, patterns, stores.

use std::path::{Path, PathBuf};

use super::{ImportOptions, Imported, ImportedTable, import_file};
use crate::error::MarketDataError;
use crate::exogenous::ExogenousSeries;
use crate::series::CandleSeries;
use crate::store::{Appended, OnConflict, Store, merge_records};
use crate::symbol::SeriesKey;
use crate::timeframe::Timeframe;
use crate::timestamp::Timestamp;

/// Endings by which files of a directory are taken.
const ENDINGS: [&str; 8] = ["csv", "gz", "zip", "parquet", "feather", "arrow", "tsv", "txt"];

/// Candle series, and what was not taken.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Sound series, in order of their keys; no key stands twice.
    pub series: Vec<CandleSeries>,
    /// Exogenous series that files hold, and the daily polarity of headlines; several records of one series are joined. Those of
    /// stores are read by name, see [`Gathered::add_exogenous`].
    pub exogenous: Vec<ExogenousSeries>,
    /// Files whose data were refused, with the reason.
    pub refused: Vec<(PathBuf, MarketDataError)>,
    /// What was assumed or left out.
    pub notes: Vec<String>,
}

/// Reads the candles of every path, of which each is a file, a directory of files, a pattern for the names of
/// files (`*` stands for any characters, `?` for one) or a [`Store`]. Series that `wanted` does not take are
/// left out; headlines are taken as their mean polarity per day.
///
/// Nothing is stored. A file whose data are at fault is among the refused, and the others are read.
///
/// # Errors
/// When a path does not exist or cannot be read, a store is damaged, two sources hold the same candles, or two
/// records of an exogenous series disagree.
pub fn gather_candles(
    paths: &[PathBuf],
    options: &ImportOptions,
    now: Option<Timestamp>,
    wanted: &dyn Fn(&SeriesKey) -> bool,
) -> Result<Gathered, MarketDataError> {
    let mut gathered = Gathered::default();
    for path in paths {
        if path.join("candles").is_dir() {
            let store = Store::new(path);
            for key in store.keys()?.iter().filter(|key| wanted(key)) {
                gathered.series.push(store.read(key)?);
            }
            continue;
        }
        for file in files_of(path, &mut gathered.notes)? {
            match import_file(&file, options, now) {
                Ok(tables) => {
                    for table in tables {
                        gathered.take(table, wanted)?;
                    }
                }
                Err(error) if error.is_finding() => gathered.refused.push((file, error)),
                Err(error) => return Err(error),
            }
        }
    }
    gathered.series.sort_by(|left, right| left.key().cmp(right.key()));
    for pair in gathered.series.windows(2) {
        if pair[0].key() == pair[1].key() {
            return Err(MarketDataError::request(
                pair[0].key().to_string(),
                "two of the sources hold this series; give one of them, or join both with `data-loader import` and give the store",
            ));
        }
    }
    Ok(gathered)
}

impl Gathered {
    /// The timeframe of all series, for what counts in candles.
    ///
    /// # Errors
    /// When there is no series, or they have several timeframes.
    pub fn one_timeframe(&self) -> Result<Timeframe, MarketDataError> {
        let mut timeframes: Vec<Timeframe> =
            self.series.iter().map(|series| series.key().timeframe).collect();
        timeframes.sort_unstable();
        timeframes.dedup();
        match timeframes.as_slice() {
            [one] => Ok(*one),
            [] if !self.refused.is_empty() => Err(MarketDataError::request(
                "no candles",
                format!(
                    "all that was found was refused: {}",
                    self.refused.iter().map(|(_, error)| error.to_string()).collect::<Vec<_>>().join("; ")
                ),
            )),
            [] => Err(MarketDataError::request(
                "no candles",
                "none of the sources holds a series that was asked for; list them with `data-loader inspect`",
            )),
            many => {
                let many: Vec<&str> = many.iter().map(|timeframe| timeframe.as_str()).collect();
                let reason =
                    "what is counted in candles is not the same in each; choose one with --timeframe";
                Err(MarketDataError::request(format!("series of {}", many.join(", ")), reason))
            }
        }
    }

    /// Keeps the `count` series with the most candles, the first of equals in order of their keys, and says
    /// which were left out.
    pub fn keep_longest(&mut self, count: usize) -> Vec<SeriesKey> {
        let mut by_length: Vec<(usize, &SeriesKey)> =
            self.series.iter().map(|series| (series.len(), series.key())).collect();
        by_length.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.cmp(right.1)));
        let left_out: Vec<SeriesKey> = by_length.iter().skip(count).map(|(_, key)| (*key).clone()).collect();
        self.series.retain(|series| !left_out.contains(series.key()));
        left_out
    }

    /// Checks that every series named is there.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the first one that is not.
    pub fn require(&self, names: &[String]) -> Result<(), MarketDataError> {
        let held = |name: &String| self.series.iter().any(|series| series.key().to_string() == *name);
        match names.iter().find(|name| !held(name)) {
            None => Ok(()),
            Some(name) => Err(MarketDataError::request(
                format!("series '{name}'"),
                "no source holds it; list them with `data-loader inspect`",
            )),
        }
    }

    /// Adds the exogenous series `names` that stores hold.
    ///
    /// # Errors
    /// When a store is damaged, or disagrees with a file about a value.
    pub fn add_exogenous(&mut self, paths: &[PathBuf], names: &[String]) -> Result<(), MarketDataError> {
        for store in paths.iter().filter(|path| path.is_dir()).map(Store::new) {
            for name in names {
                if let Some(series) = store.find_exogenous(name)? {
                    self.join(series, &store.root().display().to_string())?;
                }
            }
        }
        Ok(())
    }

    /// Takes a record in: what is known of the same series is joined with it, where both say the same of the same time.
    fn join(&mut self, record: ExogenousSeries, source: &str) -> Result<(), MarketDataError> {
        let Some(known) = self.exogenous.iter_mut().find(|known| known.name() == record.name()) else {
            self.exogenous.push(record);
            return Ok(());
        };
        let counts = &mut Appended::default();
        *known = merge_records(known, &record, OnConflict::Refuse, counts).map_err(|error| match error {
            MarketDataError::Conflict { what, difference } => MarketDataError::request(
                what,
                format!(
                    "{source} and a source before it disagree ({difference}); give one of them, or join both with `data-loader import --on-conflict` and give the store"
                ),
            ),
            other => other,
        })?;
        Ok(())
    }

    fn take(
        &mut self,
        table: ImportedTable,
        wanted: &dyn Fn(&SeriesKey) -> bool,
    ) -> Result<(), MarketDataError> {
        let ImportedTable { file, content, notes } = table;
        match content {
            Imported::Candles(all) => {
                for one in all {
                    if wanted(one.series.key()) {
                        self.notes.extend(one.report.notes.iter().map(|note| format!("{file}: {note}")));
                        self.series.push(one.series);
                    }
                }
            }
            Imported::Exogenous(all) => {
                self.notes.extend(notes.iter().map(|note| format!("{file}: {note}")));
                for one in all {
                    self.join(one, &file)?;
                }
            }
            Imported::Headlines(headlines) => {
                let polarity = headlines.daily_polarity()?;
                self.notes.push(format!(
                    "{file}: of the headlines their mean polarity per day is taken, as {}",
                    polarity.name()
                ));
                self.join(polarity, &file)?;
            }
        }
        Ok(())
    }
}

/// The files that a path stands for: itself, those of a directory by their endings, or those whose names fit its
/// pattern of `*` and `?`. What is left out of a directory is noted.
///
/// # Errors
/// When a directory cannot be listed or holds no file of a known ending, or no name fits a pattern.
pub fn files_of(path: &Path, notes: &mut Vec<String>) -> Result<Vec<PathBuf>, MarketDataError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is_pattern = !path.exists() && name.contains(['*', '?']);
    if !path.is_dir() && !is_pattern {
        return Ok(vec![path.to_owned()]);
    }
    let directory = match path.parent() {
        Some(parent) if is_pattern && parent != Path::new("") => parent,
        _ if is_pattern => Path::new("."),
        _ => path,
    };
    let listing = |error| MarketDataError::io(directory, "cannot list")(error);
    let (mut files, mut left_out) = (Vec::new(), 0);
    for entry in std::fs::read_dir(directory).map_err(listing)? {
        let path = entry.map_err(listing)?.path();
        let own_name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let known = path
            .extension()
            .is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)));
        let takes = if is_pattern { matches(name.as_bytes(), own_name.as_bytes()) } else { known };
        if takes && path.is_file() {
            files.push(path);
        } else if !is_pattern {
            left_out += 1;
        }
    }
    if files.is_empty() {
        let reason = if is_pattern {
            "no file has such a name".to_owned()
        } else {
            format!(
                "the directory is no store and holds no file with a known ending ({})",
                ENDINGS.join(", ")
            )
        };
        return Err(MarketDataError::request(path.display().to_string(), reason));
    }
    if left_out > 0 {
        notes.push(format!(
            "{}: {left_out} files of other endings and directories were left out",
            path.display()
        ));
    }
    files.sort();
    Ok(files)
}

/// Whether a name fits a pattern of `*` and `?`.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    // Where the last `*` stood, and how much of the name it has taken so far.
    let (mut at, mut taken, mut star) = (0, 0, None);
    while taken < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, taken));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[taken] => (at, taken) = (at + 1, taken + 1),
            _ => {
                let Some((position, before)) = star else { return false };
                star = Some((position, before + 1));
                (at, taken) = (position + 1, before + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OnConflict;

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*_5m_*.csv.gz", "BTC_5m_x.csv.gz", true),
            ("*_5m_*.csv.gz", "BTC_15m_x.csv.gz", false),
            ("*5m*.csv", "5m5m.csv", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("abc", "abcd", false),
            ("", "", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn records_of_one_series_are_joined_and_must_agree() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        const HOURS: i64 = 8 * 3_600_000;
        let funding = |from: i64, to: i64, shift: f64| {
            let row = |at: i64| {
                format!("{},BTCUSDT,bybit,{}\n", 1_704_067_200_000 + at * HOURS, at as f64 / 1e5 + shift)
            };
            "timestamp,symbol,venue,funding_rate\n".to_owned() + &(from..to).map(row).collect::<String>()
        };
        std::fs::write(root.join("b_january.csv"), funding(0, 20, 0.0)).unwrap();
        std::fs::write(root.join("a_february.csv"), funding(15, 40, 0.0)).unwrap();
        std::fs::write(
            root.join("news.csv"),
            "timestamp,title,polarity\n2024-01-01T10:00:00Z,up,1\n2024-01-01T11:00:00Z,down,0\n",
        )
        .unwrap();
        let gather = |paths: &[PathBuf]| gather_candles(paths, &ImportOptions::default(), None, &|_| true);
        let found = gather(&[root.to_owned()]).unwrap();
        let named = |name: &str| found.exogenous.iter().find(|one| one.name() == name).unwrap();
        let rates = named("funding_bybit_BTCUSDT");
        assert_eq!((found.exogenous.len(), rates.len()), (2, 40));
        assert!(rates.columns()[0].iter().enumerate().all(|(at, rate)| *rate == at as f64 / 1e5));
        assert_eq!(named("news_daily_polarity").column("polarity").unwrap(), [0.5]);
        // What a store holds comes on top, and its headlines, too.
        let store = Store::new(root.join("store"));
        for table in
            crate::import::import_file(&root.join("a_february.csv"), &ImportOptions::default(), None).unwrap()
        {
            let Imported::Exogenous(all) = table.content else { panic!("funding") };
            store.append_exogenous(&all[0], OnConflict::Refuse).unwrap();
        }
        for table in
            crate::import::import_file(&root.join("news.csv"), &ImportOptions::default(), None).unwrap()
        {
            let Imported::Headlines(all) = table.content else { panic!("headlines") };
            store.append_headlines(&all).unwrap();
        }
        let mut january = gather(&[root.join("b_january.csv")]).unwrap();
        let names = ["funding_bybit_BTCUSDT", "news_daily_polarity", "absent"].map(str::to_owned);
        january.add_exogenous(&[store.root().to_owned()], &names).unwrap();
        assert_eq!(january.exogenous.iter().map(ExogenousSeries::len).collect::<Vec<_>>(), [40, 1]);
        std::fs::write(root.join("a_february.csv"), funding(15, 40, 1e-4)).unwrap();
        let error = gather(&[root.to_owned()]).unwrap_err().to_string();
        assert!(error.contains("funding_bybit_BTCUSDT") && error.contains("disagree"), "{error}");
    }

    #[test]
    fn a_torn_table_is_refused_and_the_others_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let mut columns = crate::CandleColumns::default();
        for minute in 0..50 {
            columns.push(&crate::Candle {
                open_time: Timestamp::from_millis(1_704_067_200_000 + minute * 60_000),
                open: 1.0,
                high: 2.0,
                low: 0.5,
                close: 1.0 + minute as f64 / 100.0,
                volume: minute as f64,
                turnover: None,
            });
        }
        for base in ["AAA", "TORN"] {
            let path = directory.path().join(format!("bybit-linear_{base}USDT_1m.parquet"));
            let mut file = std::fs::File::create(&path).unwrap();
            crate::store::write_parquet(&columns, &path, &mut file).unwrap();
        }
        let torn = directory.path().join("bybit-linear_TORNUSDT_1m.parquet");
        let whole = std::fs::read(&torn).unwrap();
        let gather = || {
            gather_candles(&[directory.path().to_owned()], &ImportOptions::default(), None, &|_| true)
                .unwrap()
        };
        assert_eq!((gather().series.len(), gather().refused.len()), (2, 0));
        for length in (4..whole.len()).step_by(97).chain([whole.len() - 1]) {
            std::fs::write(&torn, &whole[..length]).unwrap();
            let found = gather();
            assert_eq!((found.series.len(), found.refused.len()), (1, 1), "cut after {length}");
            let reason = found.refused[0].1.to_string();
            assert!(reason.contains("TORN") && reason.contains("anew"), "{reason}");
        }
    }

    #[test]
    fn files_directories_patterns_and_stores() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let rows = |close: f64| {
            let row =
                |minute: i64| format!("{},1,2,0.5,{close},1\n", 1_704_067_200_000_i64 + minute * 60_000);
            format!("timestamp,open,high,low,close,volume\n{}{}{}", row(0), row(1), row(2))
        };
        for (name, text) in [
            ("bybit-linear_AAAUSDT_1m.csv", rows(1.0)),
            ("bybit-linear_BBBUSDT_1m.csv", rows(1.5)),
            ("bybit-linear_BADUSDT_1m.csv", rows(1.0) + "1704067200000,1,2,0.5,1,1\n"),
            ("readme.md", String::new()),
        ] {
            std::fs::write(root.join(name), text).unwrap();
        }
        let all = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(|path| root.join(path)).collect();
            gather_candles(&paths, &ImportOptions::default(), None, &|_| true)
        };
        let names = |gathered: &Gathered| -> Vec<String> {
            gathered.series.iter().map(|series| series.key().symbol.base().to_owned()).collect()
        };
        let found = all(&[""]).unwrap();
        assert_eq!((names(&found), found.refused.len()), (vec!["AAA".to_owned(), "BBB".to_owned()], 1));
        assert!(
            found.notes.iter().any(|note| note.contains("1 files of other endings")),
            "{:?}",
            found.notes
        );
        assert_eq!(names(&all(&["*_BBBUSDT_1m.csv"]).unwrap()), ["BBB"]);
        let twice = all(&["*_BBBUSDT_1m.csv", "bybit-linear_BBBUSDT_1m.csv"]).unwrap_err().to_string();
        assert!(twice.contains("data-loader import"), "{twice}");
        for absent in ["*.parquet", "absent.csv"] {
            assert!(all(&[absent]).is_err(), "{absent}");
        }
        assert_eq!(found.one_timeframe().unwrap(), Timeframe::M1);
        let mut fewer = all(&[""]).unwrap();
        fewer.series[1] = fewer.series[1].between(Timestamp::MIN, fewer.series[1].close_time(0));
        let left_out = fewer.keep_longest(1);
        assert_eq!((names(&fewer), left_out[0].symbol.base()), (vec!["AAA".to_owned()], "BBB"));
        assert!(fewer.keep_longest(9).is_empty());
        assert_eq!(fewer.keep_longest(0).len(), 1);
        assert!(fewer.one_timeframe().is_err());
        let (longer, _) = crate::resample(&found.series[0], Timeframe::M3).unwrap();
        fewer.series = vec![found.series[0].clone(), longer];
        assert!(fewer.one_timeframe().unwrap_err().to_string().contains("1m, 3m"));
        let store = Store::new(root.join("store"));
        for series in &found.series {
            store.append(series, OnConflict::Refuse).unwrap();
        }
        let stored = all(&["store"]).unwrap();
        assert_eq!(stored.series[1].columns(), found.series[1].columns());
        let wanted = |key: &SeriesKey| key.symbol.base() == "BBB";
        let one = gather_candles(&[root.join("store")], &ImportOptions::default(), None, &wanted).unwrap();
        assert_eq!(names(&one), ["BBB"]);
    }
}
