//! What a candle costs the engine, per symbol: `cargo bench -p trading --bench engine`.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use divan::counter::ItemsCount;
use market_data::{Candle, Instrument, Timeframe, Timestamp};
use rust_decimal::Decimal;
use trading::account::{AccountConfig, InstrumentTerms, MarginTier, MarginTiers};
use trading::orders::{FeeCurrency, Fill, OrderReport, OrderReportKind};
use trading::strategy::{Decision, Strategy, TargetPosition};
use trading::{
    Command, Engine, EngineConfig, Event, InstrumentIndex, Liquidity, MarketUpdate, MarketView, PortfolioView,
};

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

const CANDLES: usize = 10_000;

fn main() {
    divan::main();
}

/// Wants one position at the first candle where it is told to, and nothing ever after.
struct Once {
    wanted: bool,
}

impl Strategy for Once {
    fn name(&self) -> &str {
        "once"
    }
    fn warm_up(&self) -> usize {
        0
    }
    fn decide(&mut self, market: &MarketView<'_>, _: &PortfolioView<'_>, decision: &mut Decision) {
        if std::mem::take(&mut self.wanted) {
            for update in market.updates {
                decision.want(update.instrument, TargetPosition::Exposure(0.1), None);
            }
        }
    }
}

fn terms(symbols: usize) -> Vec<InstrumentTerms> {
    let tier = MarginTier {
        up_to: Decimal::from(10_000_000),
        maintenance_rate: Decimal::new(5, 3),
        maximum_leverage: Decimal::from(100),
    };
    (0..symbols)
        .map(|number| InstrumentTerms {
            instrument: Instrument::from_toml(&format!(
                "venue = \"bybit-linear\"\nsymbol = \"C{number}/USDT:USDT\"\n[[rules]]\nvalid_from = \"2020-01-01\"\n\
                 tick_size = \"0.1\"\nlot_size = \"0.001\"\nminimum_quantity = \"0.001\"\nminimum_notional = \"5\"\n"
            ))
            .unwrap(),
            maker_fee: Decimal::new(2, 4),
            taker_fee: Decimal::new(6, 4),
            leverage: Decimal::TWO,
            tiers: MarginTiers::new(vec![tier]).unwrap(),
        })
        .collect()
}

fn engine(symbols: usize, wanted: bool) -> Engine<Once> {
    let config = EngineConfig {
        account: AccountConfig { settlement: "USDT".to_owned(), ..AccountConfig::default() },
        ..EngineConfig::default()
    };
    Engine::new(Once { wanted }, config, Timeframe::H1, terms(symbols), Decimal::from(100_000)).unwrap()
}

/// A market of `symbols` that walks up and down.
fn market(symbols: usize) -> Vec<Vec<MarketUpdate>> {
    let start: Timestamp = "2024-01-01".parse().unwrap();
    (0..CANDLES)
        .map(|step| {
            let open_time = start.plus_millis(step as i64 * 3_600_000);
            (0..symbols)
                .map(|symbol| {
                    let price = 40_000.0 + ((step * 37 + symbol * 11) % 200) as f64 * 0.1;
                    let candle = Candle {
                        open_time,
                        open: price,
                        high: price + 5.0,
                        low: price - 5.0,
                        close: price + 0.5,
                        volume: 10.0,
                        turnover: None,
                    };
                    MarketUpdate::new(InstrumentIndex(symbol as u16), candle)
                })
                .collect()
        })
        .collect()
}

fn run(engine: &mut Engine<Once>, market: &[Vec<MarketUpdate>]) {
    for updates in market {
        let time = updates[0].candle.open_time.plus_millis(3_600_000);
        let commands = engine.step(Event::Candles(MarketView { time, updates })).unwrap();
        assert!(commands.commands.is_empty());
    }
}

/// Opens a position in every symbol.
fn fill_all(engine: &mut Engine<Once>, first: &[MarketUpdate]) {
    let time = first[0].candle.open_time.plus_millis(3_600_000);
    let commands = engine.step(Event::Candles(MarketView { time, updates: first })).unwrap();
    let orders: Vec<_> = commands
        .commands
        .drain(..)
        .filter_map(|command| match command {
            Command::Submit(order) => Some(order.into_inner()),
            _ => None,
        })
        .collect();
    assert_eq!(orders.len(), first.len(), "{:?}", commands.notices);
    for (number, order) in orders.into_iter().enumerate() {
        let fill = Fill {
            execution_id: format!("x{number}").parse().unwrap(),
            client_order_id: Some(order.client_order_id),
            instrument: order.instrument,
            position_side: order.position_side,
            side: order.side,
            price: Decimal::from(40_000),
            quantity: order.quantity,
            fee: Decimal::ZERO,
            fee_currency: FeeCurrency::Quote,
            liquidity: Liquidity::Taker,
            purpose: order.purpose,
            time,
        };
        let report =
            OrderReport { client_order_id: order.client_order_id, time, kind: OrderReportKind::Fill(fill) };
        engine.step(Event::Report(report)).unwrap();
    }
    assert_eq!(engine.account().positions().count(), first.len());
}

#[divan::bench(args = [1, 10])]
fn flat(bencher: divan::Bencher<'_, '_>, symbols: usize) {
    let market = market(symbols);
    bencher
        .counter(ItemsCount::new(CANDLES * symbols))
        .with_inputs(|| engine(symbols, false))
        .bench_local_refs(|engine| run(engine, &market));
}

#[divan::bench(args = [1, 10])]
fn holding(bencher: divan::Bencher<'_, '_>, symbols: usize) {
    let market = market(symbols);
    bencher
        .counter(ItemsCount::new((CANDLES - 1) * symbols))
        .with_inputs(|| {
            let mut engine = engine(symbols, true);
            fill_all(&mut engine, &market[0]);
            engine
        })
        .bench_local_refs(|engine| run(engine, &market[1..]));
}
