//! Arguments that say how files are read, shared by `import` and `inspect`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use command_line::now_millis;
use market_data::import::{ImportOptions, Kind, files_of};
use market_data::quality::{Policy, SignKind};
use market_data::read::{DateOrder, ReadOptions};
use market_data::{KnownAfter, Timeframe, Timestamp, Venue};

/// How files are read and judged.
#[derive(Args, Clone, Debug, Default)]
#[command(about = None, long_about = None)]
pub(crate) struct Reading {
    /// What the files hold, where their columns do not tell: auto, candles, funding, values, headlines
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,

    /// Where the candles traded, as exchange-market: bybit-linear, binance-spot, …
    #[arg(long, value_name = "VENUE")]
    venue: Option<Venue>,

    /// What traded, in any spelling: BTC/USDT:USDT, BTCUSDT, …
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,

    /// How long each candle is: 1m … 1w
    #[arg(long, value_name = "TIMEFRAME")]
    timeframe: Option<Timeframe>,

    /// Quote currency of symbols that a file names by their base alone
    #[arg(long, value_name = "CURRENCY")]
    quote: Option<String>,

    /// What happens to rows with findings: reject (the file), drop (the rows), keep-first
    #[arg(long, value_name = "POLICY")]
    findings: Option<Policy>,

    /// Take series with this sign of a false record (known-prices, random-walk, …); repeatable
    #[arg(long, value_name = "SIGN", value_delimiter = ',')]
    accept: Vec<SignKind>,

    /// Names of the columns, for files without a header: time,open,high,low,close,volume
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Option<Vec<String>>,

    /// Clock of times that state no zone: +03:00
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true)]
    utc_offset: Option<String>,

    /// Order of day and month where the year stands last: dmy or mdy
    #[arg(long, value_name = "ORDER")]
    date_order: Option<DateOrder>,

    /// How long after the time they describe exogenous values are known: 0, 1d, 8h
    #[arg(long, value_name = "TIME")]
    known_after: Option<String>,

    /// Name of an exogenous series, instead of the file's own
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// The time against which unfinished candles are found (default: now)
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
}

impl Reading {
    /// The configured options with what the command line says on top.
    pub(crate) fn options(&self, configured: &ImportOptions) -> anyhow::Result<ImportOptions> {
        let mut options = configured.clone();
        let mut hints = options.hints.clone();
        hints.venue = self.venue.clone().or(hints.venue);
        hints.symbol = self.symbol.clone().or(hints.symbol);
        hints.timeframe = self.timeframe.or(hints.timeframe);
        hints.quote = self.quote.clone().or(hints.quote);
        options.hints = hints;
        options.kind = self.kind.unwrap_or(options.kind);
        options.policy = self.findings.unwrap_or(options.policy);
        options.plausibility.accept.extend(self.accept.iter().copied());
        options.read.columns = self.columns.clone().or(options.read.columns);
        options.read.date_order = self.date_order.or(options.read.date_order);
        if let Some(offset) = &self.utc_offset {
            options.read.utc_offset_minutes = ReadOptions::parse_utc_offset(offset)?;
        }
        if let Some(text) = &self.known_after {
            options.known_after = Some(known_after(text)?);
        }
        options.name = self.name.clone().or(options.name);
        Ok(options)
    }

    /// The time that counts as now.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        self.now.or_else(|| now_millis().map(Timestamp::from_millis))
    }
}

/// Reads `0`, `90m`, `8h`, `1d`.
fn known_after(text: &str) -> anyhow::Result<KnownAfter> {
    if text == "0" {
        return Ok(KnownAfter::Immediately);
    }
    let (number, unit) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
    let length = match unit {
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => anyhow::bail!("--known-after {text}: write a number with m, h or d, or 0"),
    };
    let count: i64 =
        number.parse().with_context(|| format!("--known-after {text}: `{number}` is no number"))?;
    anyhow::ensure!(count >= 0, "--known-after {text}: nothing is known before the time it describes");
    let millis = count.checked_mul(length).filter(|millis| *millis <= 1_000 * 365 * 86_400_000);
    millis
        .map(KnownAfter::Millis)
        .with_context(|| format!("--known-after {text}: that is beyond a thousand years"))
}

/// Files and directories given by the user, as files.
pub(crate) fn expand(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut expanded = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut notes = Vec::new();
            expanded.extend(files_of(path, &mut notes)?);
            for note in notes {
                tracing::warn!("{note}");
            }
        } else {
            expanded.push(path.clone());
        }
    }
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_until_known() {
        assert_eq!(known_after("0").unwrap(), KnownAfter::Immediately);
        assert_eq!(known_after("8h").unwrap(), KnownAfter::Millis(28_800_000));
        for text in ["", "1", "1y", "-1d", "xd", "9223372036854775807d"] {
            assert!(known_after(text).is_err(), "{text}");
        }
    }
}
