//! Venue and account without an engine: orders are written as text, and trades read back as text.

use market_data::{Candle, Instrument, Timeframe, Timestamp};
use rust_decimal::Decimal;
use trading::account::{Account, AccountConfig, InstrumentTerms, MarginTier, MarginTiers};
use trading::orders::{Fill, OrderReportKind};
use trading::{
    ClientOrderId, Command, InstrumentIndex, Liquidity, OrderIntent, OrderKind, PositionSide, Purpose, Side,
    TimeInForce,
};

use crate::venue::{PathModel, Slippage, Venue, VenueCandle, VenueConfig, VenueEvent};

pub(super) const BTC: InstrumentIndex = InstrumentIndex(0);
pub(super) const SPOT: InstrumentIndex = InstrumentIndex(1);
pub(super) const ETH: InstrumentIndex = InstrumentIndex(2);

pub(super) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

pub(super) fn terms() -> Vec<InstrumentTerms> {
    let rules = "[[rules]]\nvalid_from = \"2020-01-01\"\ntick_size = \"0.5\"\nlot_size = \"0.001\"\n\
                 minimum_quantity = \"0.01\"\nmaximum_quantity = \"1000\"\nminimum_notional = \"5\"\n";
    let tier = MarginTier {
        up_to: decimal("1000000"),
        maintenance_rate: decimal("0.005"),
        maximum_leverage: decimal("100"),
    };
    let tiers = MarginTiers::new(vec![tier]).unwrap();
    let one = |head: &str, leverage: &str, tiers: MarginTiers| InstrumentTerms {
        instrument: Instrument::from_toml(&format!("{head}{rules}")).unwrap(),
        maker_fee: decimal("0.0002"),
        taker_fee: decimal("0.0006"),
        leverage: decimal(leverage),
        tiers,
    };
    vec![
        one("venue = \"bybit-linear\"\nsymbol = \"BTC/USDT:USDT\"\n", "10", tiers.clone()),
        one("venue = \"bybit-spot\"\nsymbol = \"ETH/USDT\"\n", "1", MarginTiers::default()),
        one("venue = \"bybit-linear\"\nsymbol = \"ETH/USDT:USDT\"\n", "10", tiers),
    ]
}

pub(super) fn plain(path: PathModel) -> VenueConfig {
    VenueConfig { path, slippage: Slippage::None, volume_share: None, ..VenueConfig::default() }
}

pub(super) struct Bench {
    pub venue: Venue,
    pub account: Account,
    pub time: Timestamp,
    pub fills: Vec<Fill>,
    sent: u32,
}

impl Bench {
    pub(super) fn new(config: VenueConfig) -> Self {
        Self::with(config, AccountConfig::default(), terms(), "10000")
    }

    pub(super) fn with(
        config: VenueConfig,
        account: AccountConfig,
        terms: Vec<InstrumentTerms>,
        cash: &str,
    ) -> Self {
        let venue = Venue::new(config, &terms).unwrap();
        let account = Account::new(account, terms, decimal(cash)).unwrap();
        Self { venue, account, time: "2024-01-01".parse().unwrap(), fills: Vec::new(), sent: 0 }
    }

    /// `[spot|eth] buy|sell QUANTITY market|limit P|stop T|stop-limit T P|take-profit T [ioc|fok|post] [reduce] [long|short]`.
    pub(super) fn intent(&mut self, text: &str) -> OrderIntent {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (instrument, words) = match words[0] {
            "spot" => (SPOT, &words[1..]),
            "eth" => (ETH, &words[1..]),
            _ => (BTC, &words[..]),
        };
        let has = |word: &str| words.contains(&word);
        let kind = match words[2] {
            "market" => OrderKind::Market,
            "limit" => OrderKind::Limit { price: decimal(words[3]) },
            "stop" => OrderKind::Stop { trigger: decimal(words[3]) },
            "stop-limit" => OrderKind::StopLimit { trigger: decimal(words[3]), price: decimal(words[4]) },
            "take-profit" => OrderKind::TakeProfit { trigger: decimal(words[3]) },
            other => panic!("{other}"),
        };
        let time_in_force = match () {
            () if has("ioc") => TimeInForce::ImmediateOrCancel,
            () if has("fok") => TimeInForce::FillOrKill,
            () if has("post") => TimeInForce::PostOnly,
            () => TimeInForce::GoodTillCancelled,
        };
        self.sent += 1;
        OrderIntent {
            client_order_id: format!("o{}", self.sent).parse().unwrap(),
            instrument,
            position_side: if has("long") {
                PositionSide::Long
            } else if has("short") {
                PositionSide::Short
            } else {
                PositionSide::Net
            },
            side: if words[0] == "buy" { Side::Buy } else { Side::Sell },
            kind,
            quantity: decimal(words[1]),
            time_in_force,
            reduce_only: has("reduce"),
            purpose: Purpose::Entry,
        }
    }

    /// Sends an order; the answer in words.
    pub(super) fn send(&mut self, text: &str) -> String {
        let intent = self.intent(text);
        self.place(intent)
    }

    pub(super) fn place(&mut self, intent: OrderIntent) -> String {
        let mut out = Vec::new();
        self.venue.place(intent, self.time, &self.account, &mut out).unwrap();
        assert_eq!(out.len(), 1);
        self.take(&out[0])
    }

    pub(super) fn cancel(&mut self, number: u32) -> Vec<String> {
        let client_order_id: ClientOrderId = format!("o{number}").parse().unwrap();
        self.command(Command::Cancel { instrument: BTC, client_order_id })
    }

    pub(super) fn command(&mut self, command: Command) -> Vec<String> {
        let mut out = Vec::new();
        self.venue.submit(command, self.time, &self.account, &mut out).unwrap();
        out.iter().map(|event| self.take(event)).collect()
    }

    /// An hour with volume 1000; what happened in words.
    pub(super) fn candle(&mut self, prices: [f64; 4]) -> Vec<String> {
        self.candle_of(BTC, prices, 1000.0, &[])
    }

    pub(super) fn candle_of(
        &mut self,
        instrument: InstrumentIndex,
        prices: [f64; 4],
        volume: f64,
        detail: &[[f64; 4]],
    ) -> Vec<String> {
        let events = self.walk(instrument, prices, volume, detail);
        let words = events.iter().map(words).collect();
        self.time = Timeframe::H1.close_of(self.time);
        if self.account.positions().any(|position| position.instrument == instrument) {
            self.account.mark(instrument, Decimal::try_from(prices[3]).unwrap()).unwrap();
        }
        self.account.check("a card").unwrap();
        words
    }

    pub(super) fn walk(
        &mut self,
        instrument: InstrumentIndex,
        [open, high, low, close]: [f64; 4],
        volume: f64,
        detail: &[[f64; 4]],
    ) -> Vec<VenueEvent> {
        let open_time = self.time;
        let candle = Candle { open_time, open, high, low, close, volume, turnover: None };
        let length = 3_600_000 / detail.len().max(1) as i64;
        let detail: Vec<Candle> = detail
            .iter()
            .enumerate()
            .map(|(at, &[open, high, low, close])| Candle {
                open_time: open_time.plus_millis(length * at as i64),
                volume: volume / detail.len() as f64,
                open,
                high,
                low,
                close,
                turnover: None,
            })
            .collect();
        let close_time = Timeframe::H1.close_of(open_time);
        let input = VenueCandle { instrument, candle, close_time, detail: &detail, relative_spread: None };
        self.venue.begin_candle(&input, &self.account).unwrap();
        let mut events = Vec::new();
        while let Some(event) = self.venue.next_event(&self.account).unwrap() {
            self.take(&event);
            events.push(event);
        }
        events
    }

    pub(super) fn take(&mut self, event: &VenueEvent) -> String {
        if let Some(fill) = event.fill() {
            self.account.fill(fill).unwrap();
            self.fills.push(*fill);
        }
        words(event)
    }

    pub(super) fn last_fee(&self) -> String {
        self.fills.last().unwrap().fee.normalize().to_string()
    }

    pub(super) fn held(&self) -> String {
        self.account.position(BTC, PositionSide::Net).quantity.normalize().to_string()
    }

    pub(super) fn equity(&self) -> String {
        self.account.equity().normalize().to_string()
    }
}

pub(super) fn words(event: &VenueEvent) -> String {
    let fill_words = |what: &str, fill: &Fill| {
        let side = if fill.side == Side::Buy { "buy" } else { "sell" };
        let by = if fill.liquidity == Liquidity::Maker { "maker" } else { "taker" };
        format!("{what}{side} {} @ {} {by}", fill.quantity.normalize(), fill.price.normalize())
    };
    match event {
        VenueEvent::Liquidation(fill) => fill_words("liquidation: ", fill),
        VenueEvent::Report(report) => match &report.kind {
            OrderReportKind::Fill(fill) => fill_words(&format!("{} ", report.client_order_id), fill),
            OrderReportKind::Accepted { .. } => "accepted".to_owned(),
            OrderReportKind::AcceptedUntriggered { .. } => "asleep".to_owned(),
            OrderReportKind::Triggered { .. } => format!("{} triggered", report.client_order_id),
            OrderReportKind::Rejected { reason } => format!("{} refused {reason:?}", report.client_order_id),
            OrderReportKind::Cancelled { cumulative_filled: Some(filled) } => {
                format!("{} cancelled after {}", report.client_order_id, filled.normalize())
            }
            OrderReportKind::Expired { cumulative_filled: Some(filled) } => {
                format!("{} expired after {}", report.client_order_id, filled.normalize())
            }
            other => format!("{other:?}"),
        },
    }
}
