//! What is traded and where: symbols, venues, and the key of a series.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::MarketDataError;
use crate::timeframe::Timeframe;

/// Quote currencies by which a spelling without separator (`BTCUSDT`) is cut, longest match first.
const KNOWN_QUOTES: [&str; 19] = [
    "FDUSD", "USDT", "USDC", "USDE", "USDD", "DAI", "USD1", "USD", "EUR", "GBP", "JPY", "TRY", "BRL", "AUD",
    "BTC", "ETH", "BNB", "SOL", "XRP",
];

/// Quotes that end in another one: `DOTUSD` is DOT in dollars, `BTCTUSD` is BTC in TUSD. They are taken only
/// when a well-known coin stands before them.
const LONGER_QUOTES: [&str; 2] = ["TUSD", "BUSD"];

/// Coins that are known by name, where a spelling alone is ambiguous.
const KNOWN_COINS: [&str; 44] = [
    "AAVE", "ADA", "ALGO", "APE", "APT", "ARB", "ATOM", "AVAX", "AXS", "BCH", "BNB", "BTC", "DOGE", "DOT",
    "EOS", "ETC", "ETH", "FIL", "FTM", "GALA", "HBAR", "ICP", "LINK", "LTC", "LUNA", "MATIC", "NEAR", "OP",
    "PEPE", "POL", "SAND", "SHIB", "SOL", "STX", "SUI", "TON", "TRX", "UNI", "VET", "XBT", "XLM", "XMR",
    "XRP", "XTZ",
];

fn is_perpetual_word(word: &str) -> bool {
    ["SWAP", "PERP", "PERPETUAL"].iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether this is the code of a well-known coin, in any case.
pub(crate) fn is_known_coin(code: &str) -> bool {
    KNOWN_COINS.iter().any(|coin| coin.eq_ignore_ascii_case(code))
}

/// Where a spelling without separator is cut.
fn cut(joined: &str) -> Option<(&str, &str)> {
    let before = |quote: &str| joined.strip_suffix(quote).filter(|base| !base.is_empty());
    for quote in LONGER_QUOTES {
        if let Some(base) = before(quote).filter(|base| is_known_coin(base)) {
            return Some((base, quote));
        }
    }
    let quote = KNOWN_QUOTES.iter().copied().find(|quote| before(quote).is_some())?;
    let base = before(quote)?;
    // WBTC and STETH are coins, not pairs.
    let is_coin_quote = matches!(quote, "BTC" | "ETH" | "BNB" | "SOL" | "XRP");
    let has_letter = base.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_fragment = is_coin_quote && base.len() < 3;
    (has_letter && !is_fragment && !LONGER_QUOTES.contains(&joined)).then_some((base, quote))
}

/// What kind of contract a venue trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Market {
    /// Coins change hands.
    Spot,
    /// Perpetual future, margined and settled in the quote currency.
    Linear,
    /// Perpetual future, margined and settled in the base currency.
    Inverse,
}

impl Market {
    /// `spot`, `linear` or `inverse`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Linear => "linear",
            Self::Inverse => "inverse",
        }
    }

    /// Reads the words that exchanges and archives use for a market.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "spot" | "cash" => Self::Spot,
            "linear" | "usdm" | "um" | "perpetual" | "perp" | "swap" | "futures" | "future" => Self::Linear,
            "inverse" | "coinm" | "cm" | "coin" => Self::Inverse,
            _ => return None,
        })
    }
}

/// An exchange and one of its markets, written `bybit-linear` or `binance-spot`.
///
/// The same symbol on two venues is two series; prices are never mixed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Venue {
    exchange: String,
    market: Market,
}

impl Venue {
    /// A venue from the exchange's name (letters, digits, `_`) and its market.
    pub fn new(exchange: &str, market: Market) -> Result<Self, MarketDataError> {
        let exchange = exchange.trim().to_ascii_lowercase();
        let sound = !exchange.is_empty()
            && exchange.len() <= 40
            && exchange.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if !sound {
            return Err(MarketDataError::UnknownVenue { text: exchange });
        }
        Ok(Self { exchange, market })
    }

    /// The venue under which generated markets are stored; it never names a real exchange.
    pub fn synthetic() -> Self {
        Self { exchange: "synthetic".to_owned(), market: Market::Linear }
    }

    /// Whether candles of this venue are generated rather than traded.
    pub fn is_synthetic(&self) -> bool {
        self.exchange == "synthetic"
    }

    /// The exchange's name in lower case.
    pub fn exchange(&self) -> &str {
        &self.exchange
    }

    /// The market of that exchange.
    pub const fn market(&self) -> Market {
        self.market
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.exchange, self.market.as_str())
    }
}

impl FromStr for Venue {
    type Err = MarketDataError;

    /// Reads `bybit-linear`, `binance-usdm`, `binance:spot`, and ccxt's `binanceusdm`, `binancecoinm`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().to_ascii_lowercase();
        match text.as_str() {
            "binanceusdm" => return Self::new("binance", Market::Linear),
            "binancecoinm" => return Self::new("binance", Market::Inverse),
            _ => {}
        }
        let (exchange, word) = text
            .rsplit_once(['-', ':', '/'])
            .ok_or_else(|| MarketDataError::UnknownVenue { text: text.clone() })?;
        let market =
            Market::from_word(word).ok_or_else(|| MarketDataError::UnknownVenue { text: text.clone() })?;
        Self::new(exchange, market)
    }
}

impl TryFrom<String> for Venue {
    type Error = MarketDataError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Venue> for String {
    fn from(venue: Venue) -> Self {
        venue.to_string()
    }
}

/// What is traded, in ccxt's unified spelling: `BTC/USDT` on spot, `BTC/USDT:USDT` for a linear and
/// `BTC/USD:BTC` for an inverse perpetual (the part after the colon is the settlement currency).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol {
    base: String,
    quote: String,
    settle: Option<String>,
}

impl Symbol {
    /// A symbol from its parts. Codes are letters and digits; lower case is raised.
    pub fn new(base: &str, quote: &str, settle: Option<&str>) -> Result<Self, MarketDataError> {
        let code = |text: &str| -> Option<String> {
            let text = text.trim();
            let sound =
                !text.is_empty() && text.len() <= 30 && text.bytes().all(|b| b.is_ascii_alphanumeric());
            sound.then(|| text.to_ascii_uppercase())
        };
        // Dated futures put a date where the quote stands: BTC-27DEC24.
        let currency = |text: &str| code(text).filter(|code| code.as_bytes()[0].is_ascii_alphabetic());
        let parts = (code(base), currency(quote), settle.map(currency));
        match parts {
            (Some(base), Some(quote), None) => Ok(Self { base, quote, settle: None }),
            (Some(base), Some(quote), Some(Some(settle))) => Ok(Self { base, quote, settle: Some(settle) }),
            _ => Err(MarketDataError::UnknownSymbol {
                text: match settle {
                    Some(settle) => format!("{base}/{quote}:{settle}"),
                    None => format!("{base}/{quote}"),
                },
            }),
        }
    }

    /// Reads any common spelling of a symbol on a venue of kind `market`: `BTC/USDT:USDT`, `BTC/USDT`,
    /// `BTC-USDT`, `BTC_USDT`, `BTC_USDT_USDT` (freqtrade), `BTC-USDT-SWAP` (OKX) and `BTCUSDT`.
    ///
    /// # Errors
    /// [`MarketDataError::UnknownSymbol`] when a spelling without separator ends in no known quote
    /// currency, and for dated futures and options, which this project does not trade.
    pub fn parse_on(text: &str, market: Market) -> Result<Self, MarketDataError> {
        let unknown = || MarketDataError::UnknownSymbol { text: text.to_owned() };
        let trimmed = text.trim();
        if let Some((pair, settle)) = trimmed.split_once(':') {
            let (base, quote) = pair.split_once('/').ok_or_else(unknown)?;
            return Self::new(base, quote, Some(settle)).and_then(|symbol| symbol.on(market));
        }
        let mut parts: Vec<&str> = trimmed.split(['/', '-', '_']).collect();
        // `BTC-USDT-SWAP`, `BTCUSD_PERP`: the last word says what the venue says.
        if parts.len() > 1 && parts.last().is_some_and(|word| is_perpetual_word(word)) {
            parts.pop();
        }
        let symbol = match parts.as_slice() {
            [base, quote] => Self::new(base, quote, None)?,
            [base, quote, settle] if settle.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                Self::new(base, quote, Some(settle))?
            }
            [joined] => {
                // Bitfinex writes tBTCUSD.
                let joined = match joined.strip_prefix('t') {
                    Some(rest) if rest.len() >= 5 && rest.bytes().all(|byte| byte.is_ascii_uppercase()) => {
                        rest
                    }
                    _ => joined,
                };
                let joined = joined.to_ascii_uppercase();
                // Bybit's USDC perpetuals are called BTCPERP; BTCUSDTPERP says only that it is one.
                let perpetual = joined.strip_suffix("PERP").filter(|base| !base.is_empty());
                match (perpetual.map(|base| (base, cut(base))), cut(&joined)) {
                    (Some((_, Some((base, quote)))), _) | (None, Some((base, quote))) => {
                        Self::new(base, quote, None)?
                    }
                    (Some((base, None)), _) => Self::new(base, "USDC", Some("USDC"))?,
                    (None, None) => return Err(unknown()),
                }
            }
            _ => return Err(unknown()),
        };
        symbol.on(market)
    }

    /// The same pair as it is settled on `market`.
    fn on(mut self, market: Market) -> Result<Self, MarketDataError> {
        match market {
            Market::Spot => match &self.settle {
                None => {}
                Some(_) => return Err(MarketDataError::UnknownSymbol { text: format!("{self} on spot") }),
            },
            Market::Linear => {
                self.settle.get_or_insert_with(|| self.quote.clone());
            }
            Market::Inverse => {
                self.settle.get_or_insert_with(|| self.base.clone());
            }
        }
        Ok(self)
    }

    /// Base currency: what is bought and sold.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Quote currency: what prices are stated in.
    pub fn quote(&self) -> &str {
        &self.quote
    }

    /// Settlement currency of a perpetual; `None` on spot.
    pub fn settle(&self) -> Option<&str> {
        self.settle.as_deref()
    }

    /// The exchange's own spelling, without separators: `BTCUSDT`; `BTCPERP` for Bybit's USDC perpetuals
    /// is left to the exchange crate.
    pub fn exchange_id(&self) -> String {
        format!("{}{}", self.base, self.quote)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.settle {
            Some(settle) => write!(f, "{}/{}:{settle}", self.base, self.quote),
            None => write!(f, "{}/{}", self.base, self.quote),
        }
    }
}

impl FromStr for Symbol {
    type Err = MarketDataError;

    /// Reads ccxt's spelling (`BTC/USDT`, `BTC/USDT:USDT`); other spellings need the market they are
    /// traded on, see [`Symbol::parse_on`].
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pair, settle) = match text.split_once(':') {
            Some((pair, settle)) => (pair, Some(settle)),
            None => (text, None),
        };
        let (base, quote) =
            pair.split_once('/').ok_or_else(|| MarketDataError::UnknownSymbol { text: text.to_owned() })?;
        Self::new(base, quote, settle)
    }
}

impl TryFrom<String> for Symbol {
    type Error = MarketDataError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        symbol.to_string()
    }
}

/// What identifies a series: venue, symbol and timeframe.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesKey {
    /// Where it trades.
    pub venue: Venue,
    /// What trades.
    pub symbol: Symbol,
    /// How long each candle is.
    pub timeframe: Timeframe,
}

impl SeriesKey {
    /// A key from its parts.
    pub const fn new(venue: Venue, symbol: Symbol, timeframe: Timeframe) -> Self {
        Self { venue, symbol, timeframe }
    }

    /// Whether `text` names its symbol, in any spelling of its market.
    pub fn is_of(&self, text: &str) -> bool {
        Symbol::parse_on(text, self.venue.market()).is_ok_and(|symbol| symbol == self.symbol)
    }

    /// The name of its files without their ending, which an import understands: `bybit-linear_BTCUSDT_5m`.
    pub fn file_stem(&self) -> String {
        format!("{}_{}_{}", self.venue, self.symbol.exchange_id(), self.timeframe)
    }
}

impl fmt::Display for SeriesKey {
    /// `bybit-linear BTC/USDT:USDT 5m`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.venue, self.symbol, self.timeframe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_spellings_to_ccxt() {
        for (text, market, expected) in [
            ("BTCUSDT", Market::Linear, "BTC/USDT:USDT"),
            ("BTCUSDT", Market::Spot, "BTC/USDT"),
            ("BTCUSD", Market::Inverse, "BTC/USD:BTC"),
            ("BTC/USDT:USDT", Market::Linear, "BTC/USDT:USDT"),
            ("btc-usdt", Market::Spot, "BTC/USDT"),
            ("BTC_USDT_USDT", Market::Linear, "BTC/USDT:USDT"),
            ("BTC-USDT-SWAP", Market::Linear, "BTC/USDT:USDT"),
            ("BTCPERP", Market::Linear, "BTC/USDC:USDC"),
            ("SHIB1000USDT", Market::Linear, "SHIB1000/USDT:USDT"),
            ("ETHBTC", Market::Spot, "ETH/BTC"),
            ("BTCFDUSD", Market::Spot, "BTC/FDUSD"),
            ("DOTUSD", Market::Spot, "DOT/USD"),
            ("DOTUSD", Market::Inverse, "DOT/USD:DOT"),
            ("XBTUSD", Market::Spot, "XBT/USD"),
            ("BNBUSD", Market::Spot, "BNB/USD"),
            ("SHIBUSD", Market::Spot, "SHIB/USD"),
            ("BTCBUSD", Market::Spot, "BTC/BUSD"),
            ("BTCTUSD", Market::Spot, "BTC/TUSD"),
            ("BTCUSD_PERP", Market::Inverse, "BTC/USD:BTC"),
            ("BTCUSDTPERP", Market::Linear, "BTC/USDT:USDT"),
            ("tBTCUSD", Market::Spot, "BTC/USD"),
        ] {
            assert_eq!(Symbol::parse_on(text, market).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_cut() {
        for text in [
            "",
            "BTC",
            "USDT",
            "BTC-27DEC24",
            "BTC/US DT",
            "BTC-27DEC24-50000-C",
            "BUSD",
            "WETH",
            "WBTC",
            "STETH",
            "BTC-PERPETUAL",
        ] {
            assert!(Symbol::parse_on(text, Market::Linear).is_err(), "{text}");
        }
        assert!(Symbol::parse_on("BTC/USDT:USDT", Market::Spot).is_err());
    }

    #[test]
    fn venues_read_back() {
        for (text, expected) in [
            ("bybit-linear", "bybit-linear"),
            ("binance-usdm", "binance-linear"),
            ("binanceusdm", "binance-linear"),
            ("cdd-usd-spot", "cdd-usd-spot"),
            ("Binance:Spot", "binance-spot"),
        ] {
            assert_eq!(text.parse::<Venue>().unwrap().to_string(), expected);
        }
        for text in ["bybit", "", "../x-spot", "a b-spot"] {
            assert!(text.parse::<Venue>().is_err(), "{text}");
        }
    }
}
