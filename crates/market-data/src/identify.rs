//! Which series a table holds: from what the user says, the file's columns, its name, and its times.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{MarketDataError, Place};
use crate::read::RawSeries;
use crate::symbol::{Market, SeriesKey, Symbol, Venue, is_known_coin};
use crate::timeframe::Timeframe;
use crate::timestamp::Timestamp;

/// Exchanges that are recognised in file names. Others are named with an explicit venue.
const EXCHANGES: [&str; 19] = [
    // CryptoDataDownload, whose files name no exchange.
    "cdd", "binance", "bybit", "okx", "okex", "coinbase", "kraken", "bitstamp", "bitfinex", "kucoin", "gate",
    "gateio", "mexc", "huobi", "htx", "bitget", "deribit", "bitmex", "gemini",
];

/// What the user states about a file; each statement wins over what the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hints {
    /// Where the candles traded.
    pub venue: Option<Venue>,
    /// What traded, in any spelling.
    pub symbol: Option<String>,
    /// How long each candle is.
    pub timeframe: Option<Timeframe>,
    /// Quote currency of symbols that the file names by their base alone (`BTC`).
    pub quote: Option<String>,
}

/// A series' key, and what had to be assumed to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The key.
    pub key: SeriesKey,
    /// Assumptions that the user should know.
    pub notes: Vec<String>,
}

/// Finds the key of a raw series that was read from `file`.
///
/// # Errors
/// Names what is missing (symbol, timeframe) or contradictory, and the option that states it.
pub fn identify(raw: &RawSeries, file: &str, hints: &Hints) -> Result<Identity, MarketDataError> {
    let name = FileName::of(file);
    let mut notes = Vec::new();
    let venue = match &hints.venue {
        Some(venue) => venue.clone(),
        None => venue_of(raw, &name, file, &mut notes)?,
    };
    let symbol = symbol_of(raw, &name, file, hints, venue.market())?;
    let timeframe = timeframe_of(raw, &name, file, hints)?;
    Ok(Identity { key: SeriesKey::new(venue, symbol, timeframe), notes })
}

/// Whether a series is of a pair that trades, as far as the user, the file or its name tell.
pub(crate) fn is_pair(raw: &RawSeries, file: &str, hints: &Hints) -> bool {
    match &raw.symbol {
        _ if hints.symbol.is_some() => true,
        Some(label) => Symbol::parse_on(label, Market::Linear).is_ok(),
        None => FileName::of(file).symbol(Market::Linear).is_some(),
    }
}

/// The exchange and the perpetual that a file's name states.
pub(crate) fn perpetual_in_name(file: &str) -> (Option<String>, Option<String>) {
    let name = FileName::of(file);
    let symbol = name.symbol(Market::Linear).map(|symbol| symbol.exchange_id());
    (name.exchange(), symbol)
}

fn venue_of(
    raw: &RawSeries,
    name: &FileName,
    file: &str,
    notes: &mut Vec<String>,
) -> Result<Venue, MarketDataError> {
    // `bybit-linear_BTCUSDT_…`: a name that begins with a venue states it whole.
    if raw.exchange.is_none()
        && let Some(venue) = name.stem.split('_').next().and_then(|first| first.parse::<Venue>().ok())
        && !is_symbol_like(venue.exchange())
    {
        return Ok(venue);
    }
    // ccxt's ids state exchange and market in one word: binanceusdm.
    let label = raw.exchange.as_deref().map(|label| label.trim().to_lowercase().replace(' ', "_"));
    if let Some(venue) = label.as_deref().and_then(|label| label.parse::<Venue>().ok()) {
        return Ok(venue);
    }
    let exchange = label.or_else(|| name.exchange());
    let market = raw
        .market
        .as_deref()
        .and_then(Market::from_word)
        .or_else(|| name.market())
        .or_else(|| raw.symbol.as_deref().filter(|symbol| symbol.contains(':')).map(|_| Market::Linear));
    let named = exchange.as_deref().unwrap_or("unknown");
    let found =
        Venue::new(named, market.unwrap_or(Market::Spot)).map_err(|_| MarketDataError::Unreadable {
            place: Place::file(file),
            problem: format!("`{named}` is no name of an exchange"),
            remedy: "state the venue with --venue, for example --venue gate-spot".to_owned(),
        })?;
    if exchange.is_none() || market.is_none() {
        notes.push(format!("the venue is not stated and was taken as {found}; state it with --venue"));
    }
    Ok(found)
}

/// Whether the first word of a name is a symbol (`BTC-USDT-SWAP_1D.csv`) rather than an exchange.
fn is_symbol_like(exchange: &str) -> bool {
    let known = exchange.split(['-', '_']).any(|word| EXCHANGES.contains(&word));
    !known && (Symbol::parse_on(exchange, Market::Spot).is_ok() || is_known_coin(exchange))
}

fn symbol_of(
    raw: &RawSeries,
    name: &FileName,
    file: &str,
    hints: &Hints,
    market: Market,
) -> Result<Symbol, MarketDataError> {
    if let Some(symbol) = &hints.symbol {
        return Symbol::parse_on(symbol, market);
    }
    let unreadable = |problem: String, remedy: &str| MarketDataError::Unreadable {
        place: Place::file(file),
        problem,
        remedy: remedy.to_owned(),
    };
    if let Some(label) = &raw.symbol {
        if let Some(quote) = &hints.quote
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && Symbol::parse_on(label, market).is_err()
        {
            return Symbol::parse_on(&format!("{label}/{quote}"), market);
        }
        return Symbol::parse_on(label, market).map_err(|_| {
            if market == Market::Spot && label.contains(':') {
                return unreadable(
                    format!("`{label}` is a perpetual, but the venue is a spot market"),
                    "state the venue with --venue, for example --venue bybit-linear",
                );
            }
            unreadable(
                format!("`{label}` is no symbol that can be cut into base and quote"),
                "state the quote currency with --quote USD, or the whole symbol with --symbol BTC/USD",
            )
        });
    }
    if name.is_dated_future() {
        return Err(unreadable(
            "the name is that of a dated future".to_owned(),
            "only spot and perpetual series are taken; if it is one, state it with --symbol",
        ));
    }
    let by_quote = || {
        let base = name.words.iter().find(|word| is_known_coin(word))?;
        Symbol::parse_on(&format!("{base}/{}", hints.quote.as_ref()?), market).ok()
    };
    name.symbol(market).or_else(by_quote).ok_or_else(|| {
        unreadable(
            "neither a column nor the file's name says which symbol this is".to_owned(),
            "state it with --symbol, for example --symbol BTC/USDT:USDT",
        )
    })
}

fn timeframe_of(
    raw: &RawSeries,
    name: &FileName,
    file: &str,
    hints: &Hints,
) -> Result<Timeframe, MarketDataError> {
    let unreadable = |problem: String, remedy: &str| MarketDataError::Unreadable {
        place: Place::file(file),
        problem,
        remedy: remedy.to_owned(),
    };
    let seen = usual_distance(&raw.columns.open_time);
    let timeframe = match (hints.timeframe, seen) {
        (Some(stated), Some(distance)) if raw.columns.len() >= 3 && distance != stated.millis() => {
            return Err(unreadable(
                format!("--timeframe says {stated}, but most candles are {} s apart", distance / 1_000),
                "state the timeframe of the file; resample the series afterwards",
            ));
        }
        (Some(stated), _) => stated,
        (None, seen) => {
            let label = raw.timeframe.as_deref().and_then(|text| text.parse().ok());
            let named = label.or_else(|| name.timeframe(seen.and_then(Timeframe::from_millis)));
            match (seen.map(|distance| (distance, Timeframe::from_millis(distance))), named) {
                (Some((_, Some(seen))), None) => seen,
                (Some((_, Some(seen))), Some(named)) if seen == named => seen,
                (None, Some(named)) => named,
                (Some((distance, _)), Some(named)) => {
                    return Err(unreadable(
                        format!(
                            "the name or a column says {named}, but most candles are {} s apart",
                            distance / 1_000
                        ),
                        "state the true one with --timeframe",
                    ));
                }
                (Some((distance, None)), None) => {
                    return Err(unreadable(
                        format!("most candles are {} s apart, which is no timeframe", distance / 1_000),
                        "these may not be candles; timeframes are 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1w",
                    ));
                }
                (None, None) => {
                    return Err(unreadable(
                        "a single candle does not tell its timeframe".to_owned(),
                        "state it with --timeframe",
                    ));
                }
            }
        }
    };
    match longer_run(&raw.columns.open_time, timeframe) {
        None => Ok(timeframe),
        Some((row, distance)) => Err(MarketDataError::Unreadable {
            place: Place {
                file: file.to_owned(),
                line: raw.lines.get(row).map(|line| u64::from(*line)),
                column: None,
            },
            problem: format!(
                "from here on candles are {} s apart, while most of the file is {timeframe}: it mixes timeframes",
                distance / 1_000
            ),
            remedy: "give each timeframe in a file of its own".to_owned(),
        }),
    }
}

/// Where a run of candles begins that are all equally far apart, but farther than the timeframe.
fn longer_run(times: &[Timestamp], timeframe: Timeframe) -> Option<(usize, i64)> {
    const RUN: usize = 20;
    let (mut length, mut last) = (0, 0);
    for (row, pair) in times.windows(2).enumerate() {
        let distance = pair[1].since(pair[0]).abs();
        length = if distance == last { length + 1 } else { 1 };
        last = distance;
        if length == RUN && distance > timeframe.millis() {
            return Some((row + 1 - RUN, distance));
        }
    }
    None
}

/// The most frequent distance between neighbouring times, in ms.
fn usual_distance(times: &[Timestamp]) -> Option<i64> {
    let mut counts: HashMap<i64, usize> = HashMap::new();
    for pair in times.windows(2).take(100_000) {
        let distance = pair[1].since(pair[0]).abs();
        if distance > 0 {
            *counts.entry(distance).or_default() += 1;
        }
    }
    // The smaller of two equally frequent ones, so that the result does not depend on hashing.
    counts.into_iter().max_by_key(|(distance, count)| (*count, std::cmp::Reverse(*distance))).map(|(d, _)| d)
}

/// What a file's name says, taken apart. An archive member's own name comes before the archive's.
struct FileName {
    stem: String,
    words: Vec<String>,
}

impl FileName {
    fn of(file: &str) -> Self {
        let (outer, inner) = match file.split_once('!') {
            Some((outer, inner)) => (outer, Some(inner)),
            None => (file, None),
        };
        let stem = stem(outer);
        let mut words = Vec::new();
        for part in inner.map(self::stem).into_iter().chain([stem.clone()]) {
            words.extend(
                part.split(|character: char| !character.is_ascii_alphanumeric())
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned),
            );
        }
        Self { stem, words }
    }

    fn exchange(&self) -> Option<String> {
        self.words
            .iter()
            .map(|word| word.to_ascii_lowercase())
            .find(|word| EXCHANGES.contains(&word.as_str()))
    }

    fn market(&self) -> Option<Market> {
        // freqtrade names a perpetual BTC_USDT_USDT.
        let settled = self.words.windows(2).any(|pair| pair[0] == pair[1] && is_quote(&pair[0]));
        // Short words (um, cm, coin) may be part of any name.
        let long = self.words.iter().filter(|word| word.len() >= 4 && !word.eq_ignore_ascii_case("coin"));
        long.into_iter().find_map(|word| Market::from_word(word)).or(settled.then_some(Market::Linear))
    }

    /// The timeframe that the name states: the one that fits the candles, if the name has several words
    /// that could be one (`last_7d_1h`), else the first.
    fn timeframe(&self, seen: Option<Timeframe>) -> Option<Timeframe> {
        let stated: Vec<Timeframe> = self
            .words
            .iter()
            .filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit()))
            // A lone lower-case letter is more often part of a name than a day or a week.
            .filter(|word| word.len() > 1 || matches!(word.as_str(), "D" | "W"))
            .filter_map(|word| word.parse().ok())
            .collect();
        seen.filter(|seen| stated.contains(seen)).or_else(|| stated.first().copied())
    }

    /// `BTCUSDT_240329`: a symbol with the day of its delivery.
    fn is_dated_future(&self) -> bool {
        self.words.windows(2).any(|pair| {
            let date = pair[1].as_bytes();
            let two = |at: usize| {
                date.get(at..at + 2).and_then(|two| std::str::from_utf8(two).ok()?.parse::<u8>().ok())
            };
            date.len() == 6
                && date.iter().all(u8::is_ascii_digit)
                && two(2).is_some_and(|month| (1..=12).contains(&month))
                && two(4).is_some_and(|day| (1..=31).contains(&day))
                && Symbol::parse_on(&pair[0], Market::Spot).is_ok()
        })
    }

    fn symbol(&self, market: Market) -> Option<Symbol> {
        let is_coin = |word: &str| !is_dollar(word) && word.bytes().any(|byte| byte.is_ascii_alphabetic());
        let is_base = |word: &str| {
            is_coin(word)
                && !is_market_word(word)
                && !EXCHANGES.contains(&word.to_ascii_lowercase().as_str())
                && word.parse::<Timeframe>().is_err()
        };
        let pair = self.words.windows(2).find_map(|pair| {
            let (base, quote) = (pair[0].as_str(), pair[1].as_str());
            // In lower case only dollars are told from other words.
            let upper = !base.bytes().any(|byte| byte.is_ascii_lowercase());
            let quoted = is_quote(quote) && upper || is_dollar(&quote.to_ascii_uppercase());
            (base != quote && is_base(base) && quoted).then(|| format!("{base}/{quote}"))
        });
        if let Some(pair) = pair {
            return Symbol::parse_on(&pair, market).ok();
        }
        // Joined with its quote in capitals a base may well read like a timeframe, a market or an exchange: H, D, W, PERP, COIN and
        // HTX are coins.
        self.words.iter().find_map(|word| {
            let upper = !word.bytes().any(|byte| byte.is_ascii_lowercase());
            let symbol = Symbol::parse_on(word, market).ok()?;
            let is_base = if upper { is_coin(symbol.base()) } else { is_base(symbol.base()) };
            let sound = is_base && !is_dollar(word) && (upper || is_dollar(symbol.quote()));
            sound.then_some(symbol)
        })
    }
}

/// Words of a name that say what kind of market it is, and are no coins.
fn is_market_word(word: &str) -> bool {
    Market::from_word(word).is_some()
}

fn is_dollar(word: &str) -> bool {
    matches!(word, "USDT" | "USDC" | "USD" | "BUSD" | "FDUSD" | "TUSD" | "DAI")
}

fn is_quote(word: &str) -> bool {
    is_dollar(word) || matches!(word, "BTC" | "ETH" | "EUR" | "BNB")
}

/// The name without directories and without its endings.
fn stem(path: &str) -> String {
    let mut name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    while let Some((rest, ending)) = name.rsplit_once('.') {
        let known =
            ["gz", "zip", "csv", "json", "parquet", "feather", "arrow", "txt", "tsv", "data", "ipc", "pq"];
        if !known.contains(&ending.to_ascii_lowercase().as_str()) {
            break;
        }
        name = rest;
    }
    name.to_owned()
}

/// A name for a series that is no pair: the words of a file's name that are neither its timeframe nor
/// its venue, in upper case (`macro/dxy_1d.csv.gz` → `DXY`).
pub(crate) fn series_name_of(file: &str) -> String {
    let stem = stem(file.split('!').next().unwrap_or(file));
    let words: Vec<String> = stem
        .split(['_', ' ', '.'])
        // Digits alone may be minutes, and are more often part of the name: US_TREASURY_5_YEAR.
        .filter(|word| !word.is_empty())
        .filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()) || word.parse::<Timeframe>().is_err())
        .map(str::to_ascii_uppercase)
        .collect();
    words.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candle::Candle;

    fn minutes(step: i64) -> RawSeries {
        let mut raw = RawSeries { has_volume: true, ..RawSeries::default() };
        for index in 0..5 {
            raw.columns.push(&Candle {
                open_time: Timestamp::from_millis(index * step * 60_000),
                open: 1.0,
                high: 1.0,
                low: 1.0,
                close: 1.0,
                volume: 1.0,
                turnover: None,
            });
        }
        raw
    }

    #[test]
    fn names_of_files_tell_the_series() {
        for (file, step, expected) in [
            ("data/bybit-linear_BTCUSDT_5m_dkotl.csv.gz", 5, "bybit-linear BTC/USDT:USDT 5m"),
            ("binance-usdm_ADAUSDT_1m_typhonun.csv.gz", 1, "binance-linear ADA/USDT:USDT 1m"),
            ("binance-spot_BTCUSDT_1h_nic.csv.gz", 60, "binance-spot BTC/USDT 1h"),
            ("cdd-usd-spot_BTCUSD_1h_gymtradingenv.csv.gz", 60, "cdd-usd-spot BTC/USD 1h"),
            ("BTCUSDT-1m-2024-01.zip!BTCUSDT-1m-2024-01.csv", 1, "unknown-spot BTC/USDT 1m"),
            ("freqtrade_ADA_USDT_USDT-5m-futures.feather", 5, "unknown-linear ADA/USDT:USDT 5m"),
            ("BTC_USDT-1h.feather", 60, "unknown-spot BTC/USDT 1h"),
            (
                "lean_bybit_linear_20221213_trade.zip!20221213_btcusdt_minute_trade_perp.csv",
                1,
                "bybit-linear BTC/USDT:USDT 1m",
            ),
            ("bybit_XRPUSDT_D_date-only.csv.gz", 1440, "bybit-spot XRP/USDT 1d"),
            ("binance_12-column_klines_1h_BTCUSDT.csv.gz", 60, "binance-spot BTC/USDT 1h"),
            ("noheader_BNBUSDT_1d_20230315T.csv.gz", 1440, "unknown-spot BNB/USDT 1d"),
            ("BTC_BUSD-1d.csv", 1440, "unknown-spot BTC/BUSD 1d"),
            ("WBTC_USDT-1d.json", 1440, "unknown-spot WBTC/USDT 1d"),
            ("ETH_BTC-1d.json", 1440, "unknown-spot ETH/BTC 1d"),
            ("bybit-linear_HUSDT_5m.csv.gz", 5, "bybit-linear H/USDT:USDT 5m"),
            ("bybit-spot_WUSDT_1h.csv", 60, "bybit-spot W/USDT 1h"),
            ("DUSDT_D.csv", 1440, "unknown-spot D/USDT 1d"),
            ("bybit-linear_HTXUSDT_5m.csv", 5, "bybit-linear HTX/USDT:USDT 5m"),
            ("binance-usdm_PERPUSDT_1h.csv", 60, "binance-linear PERP/USDT:USDT 1h"),
            ("btc_usdt_1d.csv", 1440, "unknown-spot BTC/USDT 1d"),
            ("BTC-EUR.csv", 1440, "unknown-spot BTC/EUR 1d"),
            ("SPOT-BTC-USDT-1h.csv", 60, "unknown-spot BTC/USDT 1h"),
            ("2024-01 BTC-USDT perp.csv", 60, "unknown-linear BTC/USDT:USDT 1h"),
            ("BTC-USDT-SWAP_1D.csv", 1440, "unknown-linear BTC/USDT:USDT 1d"),
            ("BTCUSDT-perp_1d.csv", 1440, "unknown-linear BTC/USDT:USDT 1d"),
            ("XBTUSD_1440.csv", 1440, "unknown-spot XBT/USD 1d"),
            ("BTCUSDT_last_7d_1h.csv", 60, "unknown-spot BTC/USDT 1h"),
        ] {
            let found = identify(&minutes(step), file, &Hints::default()).unwrap();
            assert_eq!(found.key.to_string(), expected, "{file}");
        }
    }

    #[test]
    fn hints_win() {
        let hints = Hints {
            venue: Some("bybit-inverse".parse().unwrap()),
            symbol: Some("ETHUSD".to_owned()),
            timeframe: Some(Timeframe::M5),
            quote: None,
        };
        let found = identify(&minutes(5), "binance-spot_BTCUSDT_1h.csv", &hints).unwrap();
        assert_eq!(found.key.to_string(), "bybit-inverse ETH/USD:ETH 5m");
    }

    #[test]
    fn says_what_is_missing_or_contradictory() {
        let refused =
            |raw: &RawSeries, file: &str, hints: &Hints| identify(raw, file, hints).unwrap_err().to_string();
        let none = Hints::default();
        assert!(refused(&minutes(5), "candles.csv", &none).contains("--symbol"));
        assert!(refused(&minutes(5), "BTCUSDT_1h.csv", &none).contains("1h, but most candles are 300 s"));
        assert!(refused(&minutes(7), "BTCUSDT.csv", &none).contains("420 s apart"));
        let wrong = Hints { timeframe: Some(Timeframe::H1), ..Hints::default() };
        assert!(refused(&minutes(5), "BTCUSDT.csv", &wrong).contains("--timeframe says 1h"));
        // A shorter one would make gaps of everything.
        let short = Hints { timeframe: Some(Timeframe::M1), ..Hints::default() };
        assert!(refused(&minutes(5), "BTCUSDT.csv", &short).contains("--timeframe says 1m"));
        for name in ["BTCUSDT_240329-1d.csv", "bitstampUSD_1-day_data.csv", "coinbaseUSD_1d.csv"] {
            let message = refused(&minutes(1440), name, &none);
            assert!(message.contains("--symbol"), "{name}: {message}");
        }
        let base_only = RawSeries { symbol: Some("BTC".to_owned()), ..minutes(5) };
        assert!(refused(&base_only, "x.csv", &none).contains("--quote"));
        let quoted = Hints { quote: Some("USD".to_owned()), ..Hints::default() };
        assert_eq!(identify(&base_only, "x.csv", &quoted).unwrap().key.symbol.to_string(), "BTC/USD");
    }

    #[test]
    fn mixed_timeframes_are_refused() {
        let mut mixed = RawSeries { has_volume: true, ..RawSeries::default() };
        let days = (0..30).map(|day| day * 1_440);
        for minute in days.chain((0..300).map(|hour| 30 * 1_440 + hour * 60)) {
            let candle = minutes(1).columns.get(0);
            mixed.columns.push(&Candle { open_time: Timestamp::from_millis(minute * 60_000), ..candle });
        }
        mixed.lines = (1..=330).collect();
        let error = identify(&mixed, "BTCUSDT.csv", &Hints::default()).unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("mixes timeframes"), "{error}");
    }

    #[test]
    fn names_of_other_series() {
        assert_eq!(series_name_of("macro/dxy_1d.csv.gz"), "DXY");
        assert_eq!(series_name_of("btc_hashrate_1d.csv.gz"), "BTC_HASHRATE");
    }
}
