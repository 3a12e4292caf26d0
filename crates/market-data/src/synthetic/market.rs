//! What is asked of a generator and what it gives: symbols, shape, market.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parameter::{not_negative, positive};
use super::regime::Regime;
use crate::error::MarketDataError;
use crate::series::CandleSeries;
use crate::symbol::{SeriesKey, Symbol, Venue};
use crate::timeframe::Timeframe;
use crate::timestamp::Timestamp;

/// Decimals beyond which a grid is finer than an `f64` can tell apart at usual prices.
const MOST_DECIMALS: u32 = 15;

/// Candles per symbol beyond which a request is a slip of the pen: 380 years of minutes, 11 GB per symbol.
const MOST_CANDLES: usize = 200_000_000;

/// One symbol of a synthetic market and the grids on which it trades.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SyntheticSymbol {
    /// The symbol, in ccxt's spelling.
    pub symbol: Symbol,
    /// Price at which the first candle opens (quote currency).
    pub start_price: f64,
    /// Decimals of a price: 2 is a tick of 0.01.
    #[serde(default = "SyntheticSymbol::usual_price_decimals")]
    pub price_decimals: u32,
    /// Decimals of a volume: 3 is a lot of 0.001.
    #[serde(default = "SyntheticSymbol::usual_volume_decimals")]
    pub volume_decimals: u32,
    /// Typical turnover per day (quote currency).
    #[serde(default = "SyntheticSymbol::usual_daily_turnover")]
    pub daily_turnover: f64,
    /// Exposure β to the common factor; only [`super::RegimeMarket`] uses it.
    #[serde(default = "SyntheticSymbol::usual_exposure")]
    pub beta: f64,
    /// Size of the symbol's own moves relative to a symbol of β = 1; only [`super::RegimeMarket`] uses it.
    #[serde(default = "SyntheticSymbol::usual_exposure")]
    pub idiosyncratic: f64,
}

impl SyntheticSymbol {
    const fn usual_price_decimals() -> u32 {
        4
    }
    const fn usual_volume_decimals() -> u32 {
        3
    }
    const fn usual_daily_turnover() -> f64 {
        1e8
    }
    const fn usual_exposure() -> f64 {
        1.0
    }

    /// A symbol that starts at `start_price` with the usual grids and exposure.
    ///
    /// # Errors
    /// [`MarketDataError::UnknownSymbol`] when `symbol` is not in ccxt's spelling (`BTC/USDT:USDT`).
    pub fn new(symbol: &str, start_price: f64) -> Result<Self, MarketDataError> {
        Ok(Self {
            symbol: symbol.parse()?,
            start_price,
            price_decimals: Self::usual_price_decimals(),
            volume_decimals: Self::usual_volume_decimals(),
            daily_turnover: Self::usual_daily_turnover(),
            beta: Self::usual_exposure(),
            idiosyncratic: Self::usual_exposure(),
        })
    }

    /// Base volume of a typical candle of `timeframe`.
    pub(super) fn typical_volume(&self, timeframe: Timeframe) -> f64 {
        let days = 365.0 / timeframe.per_year();
        self.daily_turnover * days / self.start_price
    }

    fn validate(&self) -> Result<(), MarketDataError> {
        let name = |field: &str| format!("{} {field}", self.symbol);
        positive(&name("start_price"), self.start_price)?;
        positive(&name("daily_turnover"), self.daily_turnover)?;
        positive(&name("beta"), self.beta)?;
        not_negative(&name("idiosyncratic"), self.idiosyncratic)?;
        for (field, decimals) in
            [("price_decimals", self.price_decimals), ("volume_decimals", self.volume_decimals)]
        {
            if decimals > MOST_DECIMALS {
                let reason = format!("is {decimals}, must be at most {MOST_DECIMALS}");
                return Err(MarketDataError::request(name(field), reason));
            }
        }
        let tick = 10_f64.powi(-(self.price_decimals as i32));
        if self.start_price < tick {
            let reason = format!("{} lies below the tick {tick}; add price_decimals", self.start_price);
            return Err(MarketDataError::request(name("start_price"), reason));
        }
        Ok(())
    }
}

/// How large a market is to be, and from which seed it grows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MarketShape {
    /// The symbols; each is a series of its own.
    pub symbols: Vec<SyntheticSymbol>,
    /// Candles per symbol.
    pub candles: usize,
    /// Length of a candle.
    pub timeframe: Timeframe,
    /// Open time of the first candle; it must lie on the timeframe's grid.
    pub start: Timestamp,
    /// The seed from which every generator is derived.
    pub seed: u64,
}

impl Default for MarketShape {
    /// BTC, ETH, SOL and XRP perpetuals near their prices of early 2024, 100 000 candles of 5 minutes from
    /// 2024-01-01.
    fn default() -> Self {
        let symbols = [
            ("BTC", 42_000.0, 1, 3, 1.2e10, 1.0, 0.7),
            ("ETH", 2_300.0, 2, 2, 6e9, 1.1, 0.9),
            ("SOL", 100.0, 3, 1, 2.5e9, 1.35, 1.5),
            ("XRP", 0.62, 4, 0, 1e9, 1.1, 1.3),
        ];
        let symbols = symbols.into_iter().filter_map(
            |(base, start_price, price_decimals, volume_decimals, daily_turnover, beta, idiosyncratic)| {
                // The codes are letters, so none is ever left out; a test counts them.
                let symbol = Symbol::new(base, "USDT", Some("USDT")).ok()?;
                Some(SyntheticSymbol {
                    symbol,
                    start_price,
                    price_decimals,
                    volume_decimals,
                    daily_turnover,
                    beta,
                    idiosyncratic,
                })
            },
        );
        Self {
            symbols: symbols.collect(),
            candles: 100_000,
            timeframe: Timeframe::M5,
            start: Timestamp::from_millis(1_704_067_200_000),
            seed: 0,
        }
    }
}

impl MarketShape {
    /// Refuses a shape that cannot be generated.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the field and what to write instead.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        if self.symbols.is_empty() {
            return Err(MarketDataError::request("symbols", "is empty; name at least one"));
        }
        let mut seen = BTreeSet::new();
        for symbol in &self.symbols {
            symbol.validate()?;
            if !seen.insert(&symbol.symbol) {
                let reason = format!("{} stands twice; name each symbol once", symbol.symbol);
                return Err(MarketDataError::request("symbols", reason));
            }
        }
        if !(1..=MOST_CANDLES).contains(&self.candles) {
            let reason = format!("is {}, must be from 1 to {MOST_CANDLES}", self.candles);
            return Err(MarketDataError::request("candles", reason));
        }
        if !self.timeframe.is_aligned(self.start) {
            let aligned = self.timeframe.floor(self.start);
            let reason = format!("{} is not on the {} grid; write {aligned}", self.start, self.timeframe);
            return Err(MarketDataError::request("start", reason));
        }
        let end = i64::try_from(self.candles)
            .ok()
            .and_then(|candles| candles.checked_mul(self.timeframe.millis()))
            .and_then(|length| length.checked_add(self.start.as_millis()));
        // What has no date in the calendar could be stored and never read again.
        let is_date = |time: i64| Timestamp::from_millis(time).to_string().parse::<Timestamp>().is_ok();
        if !end.is_some_and(is_date) {
            let reason = "reach beyond the end of the calendar; ask for fewer, or an earlier `start`";
            return Err(MarketDataError::request("candles", reason));
        }
        Ok(())
    }

    /// Length of a candle in years of 365 days.
    pub fn years_per_candle(&self) -> f64 {
        1.0 / self.timeframe.per_year()
    }

    pub(super) fn key(&self, symbol: &SyntheticSymbol) -> SeriesKey {
        SeriesKey::new(Venue::synthetic(), symbol.symbol.clone(), self.timeframe)
    }

    /// The shape in words: `4 symbols x 100000 candles of 5m from 2024-01-01T00:00:00Z, seed 0`.
    pub(super) fn describe(&self) -> String {
        format!(
            "{} symbols x {} candles of {} from {}, seed {}",
            self.symbols.len(),
            self.candles,
            self.timeframe,
            self.start,
            self.seed
        )
    }
}

/// A generated market, with what is known about it because it was generated.
#[derive(Clone, Debug, PartialEq)]
pub struct SyntheticMarket {
    /// One series per symbol, in the order of the shape; venue [`Venue::synthetic`].
    pub series: Vec<CandleSeries>,
    /// Bayes-optimal probabilities `[sell, hold, buy]` per series and candle, given everything up to the
    /// close of that candle, where the model has a known law.
    pub probabilities: Option<Vec<Vec<[f64; 3]>>>,
    /// The true regime of each candle, where the model has regimes; all symbols share it.
    pub regimes: Option<Vec<Regime>>,
    /// The model and the shape in one line.
    pub description: String,
}

impl SyntheticMarket {
    /// What the best possible classifier achieves on average over all series and candles, where the law is
    /// known.
    pub fn bayes(&self) -> Option<BayesOptimum> {
        let rows = self.probabilities.as_ref()?;
        Some(BayesOptimum::of(rows.iter().flatten()))
    }
}

/// What a classifier that knows the law achieves in expectation: no model can do better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BayesOptimum {
    /// Mean of the largest class probability: expected accuracy of the best classifier.
    pub accuracy: f64,
    /// Mean entropy in nats: expected log loss of the best probabilities.
    pub log_loss: f64,
    /// Largest mean class probability: expected accuracy of always naming the commonest class.
    pub majority: f64,
}

impl BayesOptimum {
    /// Averages over rows of `[sell, hold, buy]`; NaN when there are none.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a [f64; 3]>) -> Self {
        let (mut count, mut best, mut entropy, mut mass) = (0.0, 0.0, 0.0, [0.0; 3]);
        for row in rows {
            count += 1.0;
            best += row.iter().copied().fold(0.0, f64::max);
            for (total, p) in mass.iter_mut().zip(row) {
                *total += p;
                // p ln p tends to 0, which the product 0 · −∞ would miss.
                if *p > 0.0 {
                    entropy -= p * p.ln();
                }
            }
        }
        Self {
            accuracy: best / count,
            log_loss: entropy / count,
            majority: mass.iter().copied().fold(0.0, f64::max) / count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_market_has_its_four_symbols() {
        let shape = MarketShape::default();
        assert_eq!(shape.symbols.len(), 4);
        assert_eq!(shape.symbols[0].symbol.to_string(), "BTC/USDT:USDT");
        shape.validate().unwrap();
    }

    #[test]
    fn a_shape_is_read_from_a_few_lines() {
        let text = "candles = 10\ntimeframe = \"1h\"\nstart = \"2024-02-01T00:00:00Z\"\n\
            [[symbols]]\nsymbol = \"BTC/USDT:USDT\"\nstart_price = 100.0\n";
        let shape: MarketShape = toml::from_str(text).unwrap();
        shape.validate().unwrap();
        assert_eq!((shape.candles, shape.timeframe, shape.seed), (10, Timeframe::H1, 0));
        assert_eq!(shape.symbols, [SyntheticSymbol::new("BTC/USDT:USDT", 100.0).unwrap()]);
        assert!(toml::from_str::<MarketShape>("candels = 10").is_err());
    }

    #[test]
    fn impossible_shapes_are_refused_by_name() {
        let usual = MarketShape::default();
        let twice = vec![usual.symbols[0].clone(), usual.symbols[0].clone()];
        let free = SyntheticSymbol { start_price: 0.0, ..usual.symbols[0].clone() };
        let coarse = SyntheticSymbol { start_price: 0.01, ..usual.symbols[0].clone() };
        for (shape, word) in [
            (MarketShape { symbols: vec![], ..usual.clone() }, "symbols"),
            (MarketShape { symbols: twice, ..usual.clone() }, "twice"),
            (MarketShape { symbols: vec![free], ..usual.clone() }, "start_price"),
            (MarketShape { symbols: vec![coarse], ..usual.clone() }, "tick"),
            (MarketShape { candles: 0, ..usual.clone() }, "candles"),
            (MarketShape { candles: usize::MAX, ..usual.clone() }, "candles"),
            (MarketShape { start: "9999-12-30T00:00:00Z".parse().unwrap(), ..usual.clone() }, "calendar"),
            (MarketShape { start: usual.start.plus_millis(1), ..usual }, "grid"),
        ] {
            let error = shape.validate().unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn the_optimum_of_simple_laws() {
        let coin = BayesOptimum::of(&[[0.5, 0.0, 0.5]]);
        assert_eq!((coin.accuracy, coin.majority), (0.5, 0.5));
        assert!((coin.log_loss - 2_f64.ln()).abs() < 1e-15);
        let certain = BayesOptimum::of(&[[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_eq!((certain.accuracy, certain.majority, certain.log_loss), (1.0, 0.5, 0.0));
    }
}
