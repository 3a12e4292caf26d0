//! While nothing is open and nothing is wanted, a candle allocates nothing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use market_data::{Candle, Instrument, Timeframe, Timestamp};
use rust_decimal::Decimal;
use trading::account::{AccountConfig, InstrumentTerms, MarginTiers};
use trading::strategy::{Direction, MovingAverageCrossover, MovingAverageCrossoverConfig, Strategy};
use trading::{Engine, EngineConfig, Event, InstrumentIndex, MarketUpdate, MarketView};

fn terms(symbol: &str) -> InstrumentTerms {
    let text = format!(
        "venue = \"bybit-spot\"\nsymbol = \"{symbol}\"\n[[rules]]\nvalid_from = \"2020-01-01\"\ntick_size = \"0.1\"\n\
         lot_size = \"0.001\"\nminimum_quantity = \"0.001\"\nminimum_notional = \"5\"\n"
    );
    InstrumentTerms {
        instrument: Instrument::from_toml(&text).unwrap(),
        maker_fee: Decimal::new(1, 3),
        taker_fee: Decimal::new(1, 3),
        leverage: Decimal::ONE,
        tiers: MarginTiers::default(),
    }
}

fn updates(step: usize, price: f64) -> [MarketUpdate; 2] {
    let open_time = "2024-01-01".parse::<Timestamp>().unwrap().plus_millis(step as i64 * 3_600_000);
    let candle =
        Candle { open_time, open: price, high: price, low: price, close: price, volume: 1.0, turnover: None };
    [0, 1].map(|index| MarketUpdate::new(InstrumentIndex(index), candle))
}

fn step<S: Strategy>(engine: &mut Engine<S>, updates: &[MarketUpdate]) -> usize {
    let time = updates[0].candle.open_time.plus_millis(3_600_000);
    engine.step(Event::Candles(MarketView { time, updates })).unwrap().commands.len()
}

#[test]
fn a_candle_while_flat_allocates_nothing() {
    let config = EngineConfig {
        account: AccountConfig { settlement: "USDT".to_owned(), ..AccountConfig::default() },
        ..EngineConfig::default()
    };
    let config_of_strategy =
        MovingAverageCrossoverConfig { direction: Direction::LongOnly, ..Default::default() };
    let strategy = MovingAverageCrossover::new(&config_of_strategy, 2).unwrap();
    let warm_up = strategy.warm_up();
    let mut engine = Engine::new(
        strategy,
        config,
        Timeframe::H1,
        vec![terms("BTC/USDT"), terms("ETH/USDT")],
        Decimal::from(10_000),
    )
    .unwrap();
    // Falling: the fast average is below the slow one, and spot is never short.
    let falling = |at: usize| updates(at, 50_000.0 - at as f64);
    for at in 0..warm_up + 10 {
        assert_eq!(step(&mut engine, &falling(at)), 0);
    }
    let later: Vec<_> = (warm_up + 10..warm_up + 1010).map(falling).collect();
    let counted = allocation_counter::measure(|| {
        for updates in &later {
            assert_eq!(step(&mut engine, updates), 0);
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
    // The counter counts: an order needs memory.
    let counted = allocation_counter::measure(|| {
        let mut orders = 0;
        for at in 0..200 {
            orders += step(&mut engine, &updates(warm_up + 1010 + at, 50_000.0 + 500.0 * at as f64));
        }
        assert!(orders > 0);
    });
    assert!(counted.count_total > 0);
}
