//! What holds for any orders and candles, and what settings are refused.

use proptest::prelude::*;
use rust_decimal::Decimal;
use trading::account::PositionMode;
use trading::exit::{ExitPlan, ProfitRule, ProfitTarget, StopRule, TrailingStop};
use trading::{EntryStyle, Liquidity, PositionSide, Purpose, Side};

use super::bench::{BTC, Bench, decimal, plain};
use super::desk::Desk;
use crate::venue::{LiquidationPrice, PathModel, Slippage, VenueConfig, VenueEvent};

fn price() -> impl Strategy<Value = f64> {
    (180_u32..=220).prop_map(|halves| f64::from(halves) / 2.0)
}

fn candle() -> impl Strategy<Value = [f64; 4]> {
    [price(), price(), price(), price()].prop_map(|[a, b, c, d]| {
        let (high, low) = (a.max(b).max(c).max(d), a.min(b).min(c).min(d));
        [a, high, low, d]
    })
}

/// Finer candles whose extremes are those of the candle that they make up.
fn detailed() -> impl Strategy<Value = ([f64; 4], Vec<[f64; 4]>)> {
    prop_oneof![
        candle().prop_map(|candle| (candle, Vec::new())),
        proptest::collection::vec(candle(), 4).prop_map(|detail| {
            let high = detail.iter().fold(f64::MIN, |high, one| high.max(one[1]));
            let low = detail.iter().fold(f64::MAX, |low, one| low.min(one[2]));
            ([detail[0][0], high, low, detail[3][3]], detail)
        }),
    ]
}

fn order() -> impl Strategy<Value = String> {
    let kind = prop_oneof![
        Just("market".to_owned()),
        price().prop_map(|price| format!("limit {price}")),
        price().prop_map(|price| format!("stop {price}")),
        price().prop_map(|price| format!("take-profit {price}")),
        (price(), price()).prop_map(|(trigger, price)| format!("stop-limit {trigger} {price}")),
    ];
    let force =
        prop_oneof![Just(""), Just("ioc"), Just("fok"), Just("post"), Just("reduce"), Just("reduce ioc")];
    (any::<bool>(), 1_u32..400, kind, force).prop_map(|(buys, tenths, kind, force)| {
        format!("{} {} {kind} {force}", if buys { "buy" } else { "sell" }, f64::from(tenths) / 10.0)
    })
}

fn check(
    bench: &Bench,
    events: &[VenueEvent],
    [_, high, low, _]: [f64; 4],
    volume: f64,
) -> Result<(), TestCaseError> {
    let share = bench.venue.config().volume_share.unwrap();
    let slips = bench.venue.config().slippage != Slippage::None;
    let mut traded = Decimal::ZERO;
    for fill in events.iter().filter_map(VenueEvent::fill) {
        if fill.purpose == Purpose::Liquidation {
            continue;
        }
        traded += fill.quantity;
        let (high, low) = (Decimal::try_from(high).unwrap(), Decimal::try_from(low).unwrap());
        let slipped = slips && fill.liquidity == Liquidity::Taker;
        let above = fill.price > high && !(slipped && fill.side == Side::Buy);
        let below = fill.price < low && !(slipped && fill.side == Side::Sell);
        prop_assert!(!above && !below, "{fill:?} outside {low} to {high}");
    }
    prop_assert!(traded <= share * Decimal::try_from(volume).unwrap(), "{traded} of {volume}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_trades_outside_its_candle_or_beyond_its_volume(
        hours in proptest::collection::vec((proptest::collection::vec(order(), 0..5), detailed(), 0_u32..300), 1..8),
        adaptive in any::<bool>(),
        slips in any::<bool>(),
        latency_ms in prop_oneof![Just(0_u32), Just(500)],
        touch_fills in any::<bool>(),
    ) {
        let path = if adaptive { PathModel::Adaptive } else { PathModel::Pessimistic };
        let slippage = if slips { Slippage::Fixed { fraction: decimal("0.01") } } else { Slippage::None };
        let volume_share = Some(decimal("0.1"));
        let config = VenueConfig { slippage, volume_share, latency_ms, touch_fills, ..plain(path) };
        let mut bench = Bench::new(config);
        for (orders, (prices, detail), volume) in hours {
            for order in orders {
                bench.send(&order);
            }
            let volume = f64::from(volume);
            let events = bench.walk(BTC, prices, volume, &detail);
            check(&bench, &events, prices, volume)?;
            for pair in events.windows(2) {
                prop_assert!(pair[0].time() <= pair[1].time(), "{pair:?}");
            }
            bench.time = bench.time.plus_millis(3_600_000);
            bench.account.check("an hour").unwrap();
            let reduced = bench.fills.iter().all(|fill| fill.quantity > Decimal::ZERO);
            prop_assert!(reduced);
        }
    }

    /// A whole engine with stops and targets, under any way of the price: nothing contradicts, nothing runs in circles, an isolated
    /// account never owes, and nothing stays at the venue of a position that is gone. One direction only: a stale
    /// entry that turns a position around opens the rest of it without exits in the kernel.
    #[test]
    fn engine_and_venue_agree(
        hours in proptest::collection::vec((candle(), proptest::option::of(0.0..3.0_f64)), 5..40),
        adaptive in any::<bool>(),
        limit_entries in any::<bool>(),
        hedge in any::<bool>(),
        short in any::<bool>(),
        latency_ms in prop_oneof![Just(0_u32), Just(500)],
        share in prop_oneof![Just("0.0005"), Just("0.01"), Just("1")],
        distance in 0.005..0.1_f64,
    ) {
        let path = if adaptive { PathModel::Adaptive } else { PathModel::Pessimistic };
        let slippage = Slippage::Volatility { multiple: decimal("0.05") };
        let config = VenueConfig { slippage, volume_share: Some(decimal(share)), latency_ms, ..plain(path) };
        let mut desk = Desk::new(config, "1000", |engine| {
            if limit_entries {
                engine.execution.entry = EntryStyle::Limit { offset: 0.01, post_only: hedge };
            }
            if hedge {
                engine.account.position_mode = PositionMode::Hedge;
            }
        });
        let half = Some(ProfitTarget { distance: ProfitRule::Fraction(distance), share: 0.5 });
        let trailing = TrailingStop { distance: StopRule::Fraction(distance), activation: None };
        let exits = ExitPlan {
            stop: Some(StopRule::Fraction(distance)),
            trailing: Some(trailing),
            targets: [half, None, None, None],
            ..ExitPlan::default()
        };
        for (prices, wanted) in hours {
            if let Some(share) = wanted {
                desk.want(BTC, if short { -share } else { share }, Some(exits));
            }
            desk.candle(prices);
            prop_assert!(desk.engine.account().equity() >= Decimal::ZERO);
        }
        // Wanting nothing for long enough: orders end, and positions are closed, a little in each hour.
        for _ in 0..400 {
            if desk.engine.account().is_flat() && desk.venue.open_orders() == 0 {
                break;
            }
            desk.want(BTC, 0.0, None).candle([100.0; 4]);
        }
        // What a partial fill left below the smallest quantity (0.01), the risk gate does not let go.
        let rest = [PositionSide::Net, PositionSide::Long, PositionSide::Short]
            .map(|side| desk.engine.account().position(BTC, side).quantity.abs());
        prop_assert!(rest.iter().all(|rest| *rest < decimal("0.01")), "{rest:?}");
        if desk.engine.account().is_flat() {
            prop_assert_eq!(desk.venue.open_orders(), 0);
        }
    }

    /// One order, one candle: the later it arrives, the worse it trades.
    #[test]
    fn latency_never_helps_a_single_order(
        prices in candle(),
        buys in any::<bool>(),
        limit in proptest::option::of(price()),
        adaptive in any::<bool>(),
    ) {
        let path = if adaptive { PathModel::Adaptive } else { PathModel::Pessimistic };
        let kind = limit.map_or("market".to_owned(), |limit| format!("limit {limit}"));
        let text = format!("{} 1 {kind}", if buys { "buy" } else { "sell" });
        let run = |latency_ms: u32| {
            let mut bench = Bench::new(VenueConfig { latency_ms, ..plain(path) });
            bench.send(&text);
            bench.walk(BTC, prices, 100.0, &[]);
            bench.fills.first().map(|fill| fill.side.signed(fill.price))
        };
        let (prompt, late) = (run(0), run(500));
        if let Some(late) = late {
            prop_assert!(prompt.is_some_and(|prompt| prompt <= late), "{prompt:?} {late:?}");
        }
    }
}

#[test]
fn settings_are_read_and_checked() {
    let read = |text: &str| toml::from_str::<VenueConfig>(text);
    assert_eq!(read("").unwrap(), VenueConfig::default());
    let config = read(
        "path = \"adaptive\"\nlatency_ms = 250\nvolume_share = \"0.05\"\n\
         slippage = { kind = \"square-root\", coefficient = \"0.8\" }\nliquidation = { kind = \"maintenance\", fee = \"0.01\" }\n",
    )
    .unwrap();
    assert_eq!(config.slippage, Slippage::SquareRoot { coefficient: decimal("0.8") });
    config.validate().unwrap();
    assert!(read("pathh = \"adaptive\"").is_err());
    let refused = |edit: fn(&mut VenueConfig), field: &str| {
        let mut config = VenueConfig::default();
        edit(&mut config);
        let error = config.validate().unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    };
    refused(|config| config.volume_share = Some(Decimal::ZERO), "venue.volume_share = 0");
    refused(|config| config.volume_share = Some(Decimal::TWO), "venue.volume_share = 2");
    refused(
        |config| config.slippage = Slippage::Fixed { fraction: Decimal::ONE },
        "venue.slippage.fraction = 1",
    );
    refused(
        |config| config.slippage = Slippage::Volatility { multiple: -Decimal::ONE },
        "venue.slippage.multiple = -1",
    );
    refused(
        |config| config.liquidation = LiquidationPrice::Maintenance { fee: Decimal::ONE },
        "venue.liquidation.fee = 1",
    );
}

#[test]
fn a_candle_that_cannot_have_happened_is_refused() {
    let mut bench = Bench::new(plain(PathModel::Pessimistic));
    bench.send("buy 1 market");
    let candle = market_data::Candle {
        open_time: bench.time,
        open: 100.0,
        high: 99.0,
        low: 98.0,
        close: 99.0,
        volume: 1.0,
        turnover: None,
    };
    let close_time = bench.time.plus_millis(1);
    let input =
        crate::venue::VenueCandle { instrument: BTC, candle, close_time, detail: &[], relative_spread: None };
    let error = bench.venue.begin_candle(&input, &bench.account).unwrap_err().to_string();
    assert!(error.contains("judge the data"), "{error}");
}
