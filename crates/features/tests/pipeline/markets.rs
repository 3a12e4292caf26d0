//! Candles for tests, all generated.

use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{
    Candle, CandleColumns, CandleSeries, Market, SeriesKey, Symbol, Timeframe, Timestamp, Venue,
};

/// A generated market of `candles` candles of the first two symbols.
pub(crate) fn two(candles: usize, timeframe: Timeframe, seed: u64) -> Vec<CandleSeries> {
    let mut shape = MarketShape { candles, timeframe, seed, ..MarketShape::default() };
    shape.symbols.truncate(2);
    SyntheticModel::default().generate(&shape).unwrap().series
}

/// The first symbol of [`two`].
pub(crate) fn one(candles: usize, timeframe: Timeframe, seed: u64) -> CandleSeries {
    two(candles, timeframe, seed).remove(0)
}

/// Without the candles at `missing`.
pub(crate) fn with_gaps(series: &CandleSeries, missing: &[usize]) -> CandleSeries {
    let kept: Vec<usize> = (0..series.len()).filter(|index| !missing.contains(index)).collect();
    CandleSeries::new(series.key().clone(), series.columns().select(&kept)).unwrap()
}

/// Candles of 5 minutes from prices and volumes `[open, high, low, close, volume]`.
pub(crate) fn of(values: impl IntoIterator<Item = [f64; 5]>) -> CandleSeries {
    let venue = Venue::new("bybit", Market::Linear).unwrap();
    let key = SeriesKey::new(venue, Symbol::new("T", "USDT", Some("USDT")).unwrap(), Timeframe::M5);
    let mut columns = CandleColumns::default();
    for (index, [open, high, low, close, volume]) in values.into_iter().enumerate() {
        let open_time = Timestamp::from_millis(1_704_067_200_000 + index as i64 * 300_000);
        columns.push(&Candle { open_time, open, high, low, close, volume, turnover: None });
    }
    CandleSeries::new(key, columns).unwrap()
}

/// Markets that break careless arithmetic, by name.
pub(crate) fn extremes(candles: usize) -> Vec<(&'static str, CandleSeries)> {
    // A small generator of its own, so that the cases stay the same whatever libraries do.
    let mut state = 12_345_u64;
    let mut step = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut walk = |price: f64, tick: f64, volume: f64| -> Vec<[f64; 5]> {
        let mut close = price;
        (0..candles)
            .map(|_| {
                let open = close;
                close = (open + (step(3) as f64 - 1.0) * tick).max(tick);
                let high = open.max(close) + step(2) as f64 * tick;
                let low = (open.min(close) - step(2) as f64 * tick).max(tick);
                [open, high, low, close, volume * step(5) as f64]
            })
            .collect()
    };
    let constant = |price: f64, volume: f64| vec![[price, price, price, price, volume]; candles];
    let mut spikes = walk(100.0, 0.01, 1.0);
    for candle in spikes.iter_mut().step_by(97) {
        candle[1] = 1e6;
        candle[4] = 1e18;
    }
    let mut flat_runs = walk(100.0, 0.5, 10.0);
    for (index, candle) in flat_runs.iter_mut().enumerate() {
        if (index / 200) % 2 == 1 {
            *candle = [100.0, 100.0, 100.0, 100.0, 0.0];
        }
    }
    let rise: Vec<[f64; 5]> = (0..candles)
        .map(|index| {
            let price = 1.0 + index as f64 * 0.01;
            [price, price + 0.01, price, price + 0.01, 1.0]
        })
        .collect();
    let mut quiet_after_storm = walk(1e5, 1e3, 1e12);
    for candle in quiet_after_storm.iter_mut().skip(candles / 4) {
        *candle = [1e5, 1e5, 1e5, 1e5, 0.0];
    }
    vec![
        ("constant price", of(constant(0.1, 5.0))),
        ("constant price, no volume", of(constant(123.456, 0.0))),
        ("one-tick moves", of(walk(100.0, 0.01, 1.0))),
        ("tiny prices", of(walk(1e-5, 1e-8, 1e9))),
        ("huge prices", of(walk(1e9, 1.0, 1e-3))),
        ("largest prices", of(walk(1e12, 1e9, 1e15))),
        ("no volume", of(walk(50.0, 0.5, 0.0))),
        ("spikes", of(spikes)),
        ("flat runs", of(flat_runs)),
        ("only rising", of(rise)),
        ("quiet after a storm", of(quiet_after_storm)),
    ]
}
