//! What the columns of a table mean.
//!
//! Every exchange, archive and library names its columns in its own way. This module knows the names,
//! and tells tables of candles from what only resembles them (trades, order books, quotes).

use serde::Serialize;

use crate::symbol::is_known_coin;

/// What a table holds, as far as its header tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableKind {
    /// Candles.
    Candles,
    /// Funding rates of perpetual futures.
    Funding,
    /// One value per time: a macro or sentiment series.
    Values,
    /// News headlines.
    Headlines,
    /// Single trades.
    Trades,
    /// Order book snapshots or updates.
    OrderBook,
    /// Bid and ask bars.
    Quotes,
}

impl TableKind {
    /// The kind in words, for messages.
    pub const fn describe(&self) -> &'static str {
        match self {
            Self::Candles => "candles",
            Self::Funding => "funding rates",
            Self::Values => "a value series",
            Self::Headlines => "news headlines",
            Self::Trades => "single trades",
            Self::OrderBook => "an order book",
            Self::Quotes => "bid and ask quotes",
        }
    }
}

/// The columns of one candle group: one symbol's in a wide table, all symbols' in a long one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CandleGroup {
    /// The symbol that a wide table's column names state.
    pub(crate) symbol: Option<String>,
    pub(crate) open: usize,
    pub(crate) high: usize,
    pub(crate) low: usize,
    pub(crate) close: usize,
    pub(crate) volume: Option<usize>,
    pub(crate) turnover: Option<usize>,
}

/// Where the candles of a table stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CandleLayout {
    pub(crate) time: usize,
    pub(crate) groups: Vec<CandleGroup>,
    pub(crate) symbol: Option<usize>,
    pub(crate) venue: Option<usize>,
    pub(crate) market: Option<usize>,
    pub(crate) timeframe: Option<usize>,
    /// Column names as the file writes them; `1`, `2`, … where it has no header.
    pub(crate) names: Vec<String>,
    /// Names of columns that no one reads.
    pub(crate) ignored: Vec<String>,
}

impl CandleLayout {
    /// The name of a column for a message.
    pub(crate) fn name(&self, column: usize) -> &str {
        self.names.get(column).map_or("?", String::as_str)
    }

    fn note_ignored(mut self) -> Self {
        let mut used = vec![false; self.names.len()];
        let mut mark = |column: Option<usize>| {
            if let Some(seen) = column.and_then(|column| used.get_mut(column)) {
                *seen = true;
            }
        };
        mark(Some(self.time));
        for column in [self.symbol, self.venue, self.market, self.timeframe] {
            mark(column);
        }
        for group in &self.groups {
            for column in [group.open, group.high, group.low, group.close] {
                mark(Some(column));
            }
            mark(group.volume);
            mark(group.turnover);
        }
        self.ignored =
            self.names.iter().zip(&used).filter(|(_, used)| !**used).map(|(name, _)| name.clone()).collect();
        self
    }
}

const TIME: [&str; 45] = [
    // What is called an opening comes first: beside it, `timestamp` may be the close.
    "open_time",
    "opentime",
    "timeopen",
    "time_open",
    "open_timestamp",
    "start_time",
    "starttime",
    "start",
    "start_at",
    "startat",
    "period_start",
    "time_period_start",
    "candle_begin_time",
    "begin",
    // Settlement times of funding.
    "calc_time",
    "funding_time",
    "fundingtime",
    "fundingratetimestamp",
    "funding_rate_timestamp",
    // Numbers come before calendar times.
    "unix",
    "unix_timestamp",
    "epoch",
    "timestamp",
    "timestamp_ms",
    "timestamp_utc",
    "ts",
    "time",
    "datetime",
    "date_time",
    "date",
    "observation_date",
    "time_utc",
    "date_utc",
    "datetime_utc",
    "gmt_time",
    "local_time",
    "t",
    "snapped_at",
    // Of headlines.
    "published_at",
    "published_on",
    // What pandas calls an index without a name.
    "unnamed_0",
    "index",
    "index_level_0",
    "level_0",
    "day",
];
const OPEN: [&str; 6] = ["open", "o", "open_price", "price_open", "openprice", "opening_price"];
const HIGH: [&str; 7] = ["high", "h", "high_price", "price_high", "highprice", "max", "highest_price"];
const LOW: [&str; 7] = ["low", "l", "low_price", "price_low", "lowprice", "min", "lowest_price"];
const CLOSE: [&str; 7] = ["close", "c", "close_price", "price_close", "closeprice", "closing_price", "last"];
const VOLUME: [&str; 10] = [
    "volume",
    "vol",
    "v",
    "base_volume",
    "volume_base",
    "basevolume",
    "volumefrom",
    "volume_from",
    "volume_traded",
    "base_asset_volume",
];
const TURNOVER: [&str; 14] = [
    "turnover",
    "quote_volume",
    "quote_asset_volume",
    "quotevolume",
    "quoteassetvolume",
    "volume_quote",
    "volumeto",
    "volume_to",
    "amount_quote",
    "quote_vol",
    "volccyquote",
    "volume_notional",
    "qv",
    "value_quote",
];
const SYMBOL: [&str; 9] =
    ["symbol", "pair", "ticker", "instrument", "instid", "inst_id", "instrument_id", "symbol_id", "tic"];
/// Columns of funding rates, and those that say whose rate a column `rate` is.
pub(crate) const FUNDING: [&str; 3] = ["funding_rate", "fundingrate", "last_funding_rate"];
const FUNDED: [&str; 7] =
    ["symbol", "pair", "instrument", "instid", "funding_time", "funding_interval_hours", "mark_price"];
const VENUE: [&str; 3] = ["exchange", "venue", "exchange_id"];
const MARKET: [&str; 4] = ["market_type", "contract", "contract_type", "category"];
const TIMEFRAME: [&str; 4] = ["timeframe", "interval", "period", "granularity"];

/// `Volume USD` → `volume_usd`, `Date(UTC)` → `date_utc`.
pub(crate) fn normalise(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for character in name.trim().trim_start_matches('\u{feff}').chars() {
        if character.is_alphanumeric() {
            normal.extend(character.to_lowercase());
        } else if !normal.is_empty() && !normal.ends_with('_') {
            normal.push('_');
        }
    }
    normal.truncate(normal.trim_end_matches('_').len());
    normal
}

fn find(names: &[String], wanted: &[&str]) -> Option<usize> {
    wanted.iter().find_map(|wanted| names.iter().position(|name| name == wanted))
}

/// The column of times, or the unnamed first one that pandas writes for its index.
fn find_time(names: &[String]) -> Option<usize> {
    find(names, &TIME).or_else(|| names.first().is_some_and(String::is_empty).then_some(0))
}

/// What kind of table has these column names; `None` when they are nothing known, or no names at all.
pub(crate) fn kind_of(raw: &[String]) -> Option<TableKind> {
    let names: Vec<String> = raw.iter().map(|name| normalise(name)).collect();
    let has = |wanted: &[&str]| find(&names, wanted).is_some();
    let any = |test: &dyn Fn(&str) -> bool| names.iter().any(|name| test(name));
    if any(&|name| name.starts_with("asks_0") || name.starts_with("bids_0") || name == "ask_price_0")
        || has(&["update_type", "first_update_id"])
    {
        return Some(TableKind::OrderBook);
    }
    find_time(&names)?;
    if has(&["bid_open", "ask_open", "bidopen", "askopen"]) {
        return Some(TableKind::Quotes);
    }
    // Part of the prices is still a table of candles, so that the message names the missing column.
    let prices = [has(&["open"]), has(&["high"]), has(&["low"]), has(&["close"])];
    let short = has(&OPEN) && has(&HIGH) && has(&LOW) && has(&CLOSE);
    if short || prices.iter().filter(|found| **found).count() >= 2 || wide_groups(raw).is_some() {
        return Some(TableKind::Candles);
    }
    if has(&["price"]) && has(&["side", "amount", "qty", "quantity", "size", "is_buyer_maker"]) {
        return Some(TableKind::Trades);
    }
    // A bare `rate` may be any rate (exchange, interest, unemployment) where nothing names what it belongs to.
    if has(&FUNDING) || has(&["rate"]) && has(&FUNDED) {
        return Some(TableKind::Funding);
    }
    if has(&["title", "headline"]) {
        return Some(TableKind::Headlines);
    }
    // A time and one column of any name, as statistical offices publish their series.
    if has(&["value", "close", "price"]) || names.len() == 2 {
        return Some(TableKind::Values);
    }
    None
}

/// Whether these are the names of a table of candles that lacks a known column of times.
pub(crate) fn is_header_without_time(raw: &[String]) -> bool {
    let names: Vec<String> = raw.iter().map(|name| normalise(name)).collect();
    let prices =
        [&OPEN[..], &HIGH, &LOW, &CLOSE].iter().filter(|wanted| find(&names, wanted).is_some()).count();
    prices >= 2 && find_time(&names).is_none()
}

/// The index of a column for tables that are not candles.
pub(crate) fn find_column(raw: &[String], wanted: &[&str]) -> Option<usize> {
    let names: Vec<String> = raw.iter().map(|name| normalise(name)).collect();
    find(&names, wanted)
}

/// The column of times in any table.
pub(crate) fn find_time_column(raw: &[String]) -> Option<usize> {
    let names: Vec<String> = raw.iter().map(|name| normalise(name)).collect();
    find_time(&names)
}

/// The candle columns of a table with these names, or the name of what is missing.
pub(crate) fn candle_layout(raw: &[String]) -> Result<CandleLayout, &'static str> {
    let names: Vec<String> = raw.iter().map(|name| normalise(name)).collect();
    let time = find_time(&names).ok_or("a column of open times (timestamp, date, open_time, unix, …)")?;
    let layout = CandleLayout {
        time,
        groups: Vec::new(),
        symbol: find(&names, &SYMBOL),
        venue: find(&names, &VENUE),
        market: find(&names, &MARKET),
        timeframe: find(&names, &TIMEFRAME),
        names: raw.to_vec(),
        ignored: Vec::new(),
    };
    if let Some(groups) = wide_groups(raw) {
        return Ok(CandleLayout { groups, ..layout }.note_ignored());
    }
    for (wanted, what) in [
        (&OPEN[..], "a single column `open`"),
        (&HIGH, "a single column `high`"),
        (&LOW, "a single column `low`"),
        (&CLOSE, "a single column `close`"),
        (&VOLUME, "a single column `volume`"),
    ] {
        let first = find(&names, wanted);
        if first.is_some_and(|first| names.iter().filter(|name| **name == names[first]).count() > 1) {
            return Err(what);
        }
    }
    let (volume, turnover) = volume_columns(&names);
    let group = CandleGroup {
        symbol: None,
        open: find(&names, &OPEN).ok_or("a column `open`")?,
        high: find(&names, &HIGH).ok_or("a column `high`")?,
        low: find(&names, &LOW).ok_or("a column `low`")?,
        close: find(&names, &CLOSE).ok_or("a column `close`")?,
        volume,
        turnover,
    };
    Ok(CandleLayout { groups: vec![group], ..layout }.note_ignored())
}

/// Which columns are base volume and turnover.
///
/// CryptoDataDownload names the volume after its asset, and gives the bare name `volume` to the other
/// one: `volume_btc, volume` (base, quote) but also `volume, Volume USD` (base, quote). Beside a bare
/// `volume`, only the name of a well-known coin is taken for an asset: `volume_sma` is an indicator.
fn volume_columns(names: &[String]) -> (Option<usize>, Option<usize>) {
    let turnover = find(names, &TURNOVER);
    let plain = find(names, &VOLUME);
    let suffixed = |wanted: &dyn Fn(&str) -> bool| {
        names.iter().position(|name| {
            let known_role = VOLUME.contains(&name.as_str()) || TURNOVER.contains(&name.as_str());
            let asset = name.strip_prefix("volume_").or_else(|| name.strip_prefix("vol_"));
            !known_role && asset.is_some_and(|asset| !is_indicator(asset) && wanted(asset))
        })
    };
    let quote = suffixed(&is_quote_like);
    let base = suffixed(&|asset| !is_quote_like(asset) && (plain.is_none() || is_known_coin(asset)));
    match (base, quote) {
        (Some(base), Some(quote)) => (Some(base), turnover.or(Some(quote))),
        (Some(base), None) => (Some(base), turnover.or(plain)),
        (None, quote) => (plain, turnover.or(quote)),
    }
}

/// Words that follow `volume_` in tables with indicators.
fn is_indicator(asset: &str) -> bool {
    const WORDS: [&str; 27] = [
        "ma",
        "sma",
        "ema",
        "wma",
        "avg",
        "average",
        "mean",
        "median",
        "std",
        "stdev",
        "z",
        "zscore",
        "delta",
        "obv",
        "change",
        "ratio",
        "pct",
        "roc",
        "osc",
        "imbalance",
        "buy",
        "sell",
        "norm",
        "log",
        "rank",
        "trend",
        "weighted",
    ];
    asset.contains('_')
        || asset.len() > 10
        || WORDS.iter().any(|word| {
            asset.strip_prefix(word).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        })
}

fn is_quote_like(asset: &str) -> bool {
    asset.contains("usd") || matches!(asset, "eur" | "gbp" | "dai" | "jpy" | "quote" | "currency")
}

/// Column groups of a wide table (`BTC:open`, `BTC:high`, …), at least one of them whole.
fn wide_groups(raw: &[String]) -> Option<Vec<CandleGroup>> {
    let mut assets: Vec<(&str, Vec<(String, usize)>)> = Vec::new();
    for (index, name) in raw.iter().enumerate() {
        let Some((asset, field)) = name.trim().rsplit_once([':', '.', '|']) else { continue };
        let entry = (normalise(field), index);
        match assets.iter_mut().find(|(known, _)| *known == asset) {
            Some((_, fields)) => fields.push(entry),
            None => assets.push((asset, vec![entry])),
        }
    }
    let groups: Vec<CandleGroup> = assets
        .into_iter()
        .filter_map(|(asset, fields)| {
            let get = |wanted: &[&str]| {
                fields.iter().find(|(name, _)| wanted.contains(&name.as_str())).map(|(_, index)| *index)
            };
            Some(CandleGroup {
                symbol: Some(asset.trim().to_owned()),
                open: get(&OPEN)?,
                high: get(&HIGH)?,
                low: get(&LOW)?,
                close: get(&CLOSE)?,
                volume: get(&VOLUME),
                turnover: get(&TURNOVER),
            })
        })
        .collect();
    (!groups.is_empty()).then_some(groups)
}

/// The layout of a table without a header, from explicit column names or from its width.
///
/// Six columns are time, open, high, low, close, volume everywhere. Seven add the turnover in Bybit's
/// arrays but the number of trades in Kraken's archive; nine are OKX's array, twelve Binance's.
pub(crate) fn headerless_layout(width: usize, columns: Option<&[String]>) -> Result<CandleLayout, String> {
    if let Some(columns) = columns {
        if columns.len() != width {
            return Err(format!("{} columns are named, but the rows have {width} fields", columns.len()));
        }
        return candle_layout(columns).map_err(|missing| format!("the named columns lack {missing}"));
    }
    let turnover = match width {
        6 => None,
        7 => Some(6),
        9 | 12 => Some(7),
        _ => return Err(format!("rows of {width} fields and no header are no known candle layout")),
    };
    let group = CandleGroup { symbol: None, open: 1, high: 2, low: 3, close: 4, volume: Some(5), turnover };
    let names = (1..=width).map(|number| number.to_string()).collect();
    Ok(CandleLayout { time: 0, groups: vec![group], names, ..CandleLayout::default() }.note_ignored())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(header: &str) -> CandleLayout {
        let names: Vec<String> = header.split(',').map(str::to_owned).collect();
        assert_eq!(kind_of(&names), Some(TableKind::Candles), "{header}");
        candle_layout(&names).unwrap()
    }

    /// (header, time, open, volume, turnover)
    #[test]
    fn knows_the_common_headers() {
        for (header, time, open, volume, turnover) in [
            ("timestamp,open,high,low,close,volume,turnover,symbol", 0, 1, Some(5), Some(6)),
            ("unix,date,symbol,open,high,low,close,volume,Volume USD", 0, 3, Some(7), Some(8)),
            ("date,symbol,open,high,low,close,volume_btc,volume", 0, 2, Some(6), Some(7)),
            ("Date,Symbol,Open,High,Low,Close,Volume SHIB,Volume USDT,tradecount", 0, 2, Some(6), Some(7)),
            ("Date,Symbol,Open,High,Low,Close,VolumeFrom,VolumeTo", 0, 2, Some(6), Some(7)),
            (
                "open_time,open,high,low,close,volume,close_time,quote_asset_volume,trades",
                0,
                1,
                Some(5),
                Some(7),
            ),
            ("Date,Close,High,Low,Open,Volume", 0, 4, Some(5), None),
            ("timestamp,open,high,low,close,volume,volume_sma,volume_z,vol_20", 0, 1, Some(5), None),
            ("timestamp,open_time,open,high,low,close,volume", 1, 2, Some(6), None),
            (",open,high,low,close", 0, 1, None, None),
            ("\u{feff}Time,O,H,L,C,V", 0, 1, Some(5), None),
        ] {
            let layout = layout(header);
            let group = &layout.groups[0];
            assert_eq!(
                (layout.time, group.open, group.volume, group.turnover),
                (time, open, volume, turnover),
                "{header}"
            );
        }
    }

    #[test]
    fn two_columns_of_one_name_are_ambiguous() {
        let names = ["timestamp", "open", "high", "low", "close", "volume", "Volume"].map(str::to_owned);
        assert_eq!(candle_layout(&names), Err("a single column `volume`"));
    }

    #[test]
    fn says_what_it_ignores() {
        assert_eq!(
            layout("timestamp,open,high,low,close,volume,trades,sentiment").ignored,
            ["trades", "sentiment"]
        );
    }

    #[test]
    fn reads_wide_tables() {
        let layout = layout(
            ",BTC:open,BTC:high,BTC:low,BTC:close,BTC:volume,ETH:open,ETH:high,ETH:low,ETH:close,ETH:volume",
        );
        let symbols: Vec<_> = layout.groups.iter().map(|group| group.symbol.clone().unwrap()).collect();
        assert_eq!(symbols, ["BTC", "ETH"]);
        assert_eq!((layout.time, layout.groups[1].close, layout.groups[1].volume), (0, 9, Some(10)));
    }

    #[test]
    fn tells_candles_from_what_resembles_them() {
        for (header, expected) in [
            ("exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount", TableKind::OrderBook),
            (
                "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu",
                TableKind::OrderBook,
            ),
            ("exchange,symbol,timestamp,local_timestamp,id,side,price,amount", TableKind::Trades),
            (",timestamp,id,type,side,price,amount,cost,date", TableKind::Trades),
            ("Symbol,Date,Funding Rate", TableKind::Funding),
            ("timestamp,symbol,venue,funding_rate", TableKind::Funding),
            ("timestamp,value,series", TableKind::Values),
            ("observation_date,FEDFUNDS", TableKind::Values),
            ("calc_time,funding_interval_hours,last_funding_rate", TableKind::Funding),
            ("timestamp,source,title,subject,sentiment_label,polarity", TableKind::Headlines),
        ] {
            let names: Vec<String> = header.split(',').map(str::to_owned).collect();
            assert_eq!(kind_of(&names), Some(expected), "{header}");
        }
        assert_eq!(kind_of(&["a".to_owned(), "b".to_owned()]), None);
    }

    #[test]
    fn headerless_widths() {
        assert_eq!(headerless_layout(7, None).unwrap().groups[0].turnover, Some(6));
        assert_eq!(headerless_layout(12, None).unwrap().groups[0].turnover, Some(7));
        assert!(headerless_layout(11, None).is_err());
        let named: Vec<String> = ["time", "low", "high", "open", "close", "volume"].map(str::to_owned).into();
        assert_eq!(headerless_layout(6, Some(&named)).unwrap().groups[0].open, 3);
        assert!(headerless_layout(5, Some(&named)).is_err());
    }
}
