//! Candles for tests.

use labels::{AdaptiveThreshold, Ambiguous, BarrierUnit, HorizonReturn, Labeler, OnTimeout, Threshold};
use labels::{TrendScanning, TripleBarrier};
use market_data::{
    Candle, CandleColumns, CandleSeries, Market, SeriesKey, Symbol, Timeframe, Timestamp, Venue,
};
use proptest::prelude::*;

pub(crate) fn key(timeframe: Timeframe) -> SeriesKey {
    SeriesKey::new(Venue::synthetic(), Symbol::parse_on("BTCUSDT", Market::Linear).unwrap(), timeframe)
}

/// Candles `(position on the grid, open, high, low, close)`.
pub(crate) fn table(rows: &[(i64, f64, f64, f64, f64)]) -> CandleSeries {
    let mut columns = CandleColumns::default();
    for &(position, open, high, low, close) in rows {
        let open_time = Timestamp::from_millis(position * Timeframe::M1.millis());
        columns.push(&Candle { open_time, open, high, low, close, volume: 1.0, turnover: None });
    }
    CandleSeries::new(key(Timeframe::M1), columns).unwrap()
}

/// Candles that are nothing but a close, at `(position, close)`.
pub(crate) fn closes(rows: &[(i64, f64)]) -> CandleSeries {
    let rows: Vec<_> = rows.iter().map(|&(at, close)| (at, close, close, close, close)).collect();
    table(&rows)
}

/// A random walk of hourly candles with a gap here and there. Opens jump, so barriers are gapped through.
pub(crate) fn walks(len: std::ops::Range<usize>) -> impl Strategy<Value = CandleSeries> {
    let step =
        (prop_oneof![30 => Just(1_i64), 1 => 2_i64..40], -0.02..0.02, -0.005..0.005, 0.0..0.01, 0.0..0.01);
    prop::collection::vec(step, len).prop_map(|steps| {
        let mut columns = CandleColumns::default();
        let (mut hour, mut before) = (480_000, 100.0_f64);
        for (hours, move_, jump, above, below) in steps {
            let (open, close): (f64, f64) = (before * f64::exp(jump), before * f64::exp(move_));
            let (high, low) = (open.max(close) * (1.0 + above), open.min(close) * (1.0 - below));
            let open_time = Timestamp::from_millis(hour * Timeframe::H1.millis());
            columns.push(&Candle { open_time, open, high, low, close, volume: 1.0, turnover: None });
            hour += hours;
            before = close;
        }
        CandleSeries::new(key(Timeframe::H1), columns).unwrap()
    })
}

/// One labeler of every kind and option.
pub(crate) fn labelers() -> Vec<Labeler> {
    let horizon = HorizonReturn { horizon: 5, ..Default::default() };
    let adaptive = AdaptiveThreshold { volatility_window: 9, multiplier: 0.5, ..Default::default() };
    let barrier = TripleBarrier { time_limit: 8, ..Default::default() };
    let multiples = TripleBarrier {
        take_profit: 1.5,
        stop_loss: 1.0,
        unit: BarrierUnit::Atr { period: 6 },
        on_timeout: OnTimeout::Sign,
        ..barrier
    };
    vec![
        Labeler::HorizonReturn(horizon),
        Labeler::HorizonReturn(HorizonReturn { threshold: Threshold::Adaptive(adaptive), ..horizon }),
        Labeler::TripleBarrier(TripleBarrier { take_profit: 0.02, stop_loss: 0.03, ..barrier }),
        Labeler::TripleBarrier(multiples),
        Labeler::TripleBarrier(TripleBarrier { ambiguous: Ambiguous::NoLabel, ..multiples }),
        Labeler::TripleBarrier(TripleBarrier { ambiguous: Ambiguous::PessimisticShort, ..multiples }),
        Labeler::TrendScanning(TrendScanning { minimum_window: 3, maximum_window: 9, t_threshold: 4.0 }),
    ]
}

/// `series` with everything from candle `from` on replaced by other prices at the same times.
pub(crate) fn noise_from(series: &CandleSeries, from: usize, factor: f64) -> CandleSeries {
    let mut columns = series.columns().clone();
    for at in from..columns.len() {
        let level = factor * (1.0 + 0.1 * (at as f64 * 2.3).sin());
        for column in [&mut columns.open, &mut columns.high, &mut columns.low, &mut columns.close] {
            column[at] *= level;
        }
    }
    CandleSeries::new(series.key().clone(), columns).unwrap()
}
