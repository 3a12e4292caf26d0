//! Volatility that is known at a candle's close: rolling deviation of returns, average true range.

use market_data::CandleSeries;

/// Count, mean and sum of squared deviations; merging needs no subtraction of large sums, so the window
/// over a flat price has a deviation of exactly zero whatever came before it.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Welford's update.
    fn with(self, value: f64) -> Self {
        let count = self.count + 1.0;
        let delta = value - self.mean;
        let mean = self.mean + delta / count;
        Self { count, mean, squares: self.squares + delta * (value - mean) }
    }

    /// Chan, Golub & LeVeque (1979): moments of two samples together.
    fn merge(self, other: Self) -> Self {
        let count = self.count + other.count;
        let delta = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + delta * other.count / count,
            squares: self.squares + other.squares + delta * delta * self.count * other.count / count,
        }
    }
}

/// Sample standard deviation (divisor `window - 1`) of the last `window` log returns at every candle,
/// NaN until a run of consecutive candles has that many. The value at `i` uses candles up to `i` only.
///
/// O(1) per candle: a window is the end of one block of `window` returns and the start of the next.
pub(crate) fn rolling_deviation(series: &CandleSeries, window: usize) -> Vec<f64> {
    let close = &series.columns().close;
    let mut deviation = vec![f64::NAN; close.len()];
    for run in series.gaps().runs(close.len()) {
        let mut block = Vec::with_capacity(window.min(run.len()));
        let mut of_block = Moments::default();
        // At `k`: the moments of the block before without its first k returns.
        let mut ends_of_previous: Vec<Moments> = Vec::new();
        for index in run.start + 1..run.end {
            let log_return = (close[index] / close[index - 1]).ln();
            block.push(log_return);
            of_block = of_block.with(log_return);
            let moments = if block.len() == window {
                Some(of_block)
            } else {
                ends_of_previous.get(block.len()).map(|end| end.merge(of_block))
            };
            if let Some(moments) = moments {
                deviation[index] = (moments.squares / (window as f64 - 1.0)).sqrt();
            }
            if block.len() == window {
                ends_of_previous = ends(&block);
                block.clear();
                of_block = Moments::default();
            }
        }
    }
    deviation
}

/// Moments of every end of the block: at `k` without its first `k` values.
fn ends(block: &[f64]) -> Vec<Moments> {
    let mut ends = vec![Moments::default(); block.len()];
    let mut moments = Moments::default();
    for (end, &value) in ends.iter_mut().zip(block).rev() {
        moments = moments.with(value);
        *end = moments;
    }
    ends
}

/// Average true range in quote currency (Wilder, *New Concepts in Technical Trading Systems*, 1978): the
/// mean of the first `period` true ranges, then `(ATR × (period − 1) + TR) / period`.
///
/// A true range needs the close before it, so the first value of a run of consecutive candles stands at
/// its candle `period` (from 0); before that NaN. The value at `i` uses candles up to `i` only.
pub(crate) fn average_true_range(series: &CandleSeries, period: usize) -> Vec<f64> {
    let columns = series.columns();
    let mut range = vec![f64::NAN; columns.len()];
    let length = period as f64;
    for run in series.gaps().runs(columns.len()) {
        let (mut sum, mut average) = (0.0, 0.0);
        for (index, value) in range.iter_mut().enumerate().take(run.end).skip(run.start + 1) {
            let (high, low, before) = (columns.high[index], columns.low[index], columns.close[index - 1]);
            let true_range = (high - low).max((high - before).abs()).max((low - before).abs());
            let count = index - run.start;
            if count <= period {
                sum += true_range;
                average = sum / length;
            } else {
                average = (average * (length - 1.0) + true_range) / length;
            }
            if count >= period {
                *value = average;
            }
        }
    }
    range
}

#[cfg(test)]
mod tests {
    use market_data::{Candle, CandleColumns, Market, SeriesKey, Symbol, Timeframe, Timestamp, Venue};

    use super::*;

    /// `(minute, high, low, close)`; the open is the close.
    fn series(rows: &[(i64, f64, f64, f64)]) -> CandleSeries {
        let mut columns = CandleColumns::default();
        for &(minute, high, low, close) in rows {
            let open_time = Timestamp::from_millis(minute * 60_000);
            columns.push(&Candle { open_time, open: close, high, low, close, volume: 1.0, turnover: None });
        }
        let symbol = Symbol::parse_on("BTCUSDT", Market::Linear).unwrap();
        CandleSeries::new(SeriesKey::new(Venue::synthetic(), symbol, Timeframe::M1), columns).unwrap()
    }

    /// Closes with a gap after 40 and a flat stretch behind a wild one.
    fn walk() -> CandleSeries {
        let close = |step: i64| if step >= 60 { 70.0 } else { 100.0 + 30.0 * (step as f64 * 1.7).sin() };
        let minute = |step: i64| if step > 40 { step + 3 } else { step };
        let rows: Vec<_> = (0..90).map(|step| (minute(step), 200.0, 1.0, close(step))).collect();
        series(&rows)
    }

    #[test]
    fn the_deviation_is_that_of_the_definition() {
        let series = walk();
        let close = &series.columns().close;
        for window in [2, 3, 7, 20, 39, 40, 60] {
            let found = rolling_deviation(&series, window);
            for (index, &found) in found.iter().enumerate() {
                let first = index as i64 - window as i64;
                if first < 0 || series.gaps().spanned_by(first as usize..index + 1) {
                    assert!(found.is_nan(), "{window} {index}");
                    continue;
                }
                let returns: Vec<f64> =
                    (first as usize..index).map(|at| (close[at + 1] / close[at]).ln()).collect();
                let mean = returns.iter().sum::<f64>() / window as f64;
                let squares: f64 = returns.iter().map(|value| (value - mean).powi(2)).sum();
                let expected = (squares / (window as f64 - 1.0)).sqrt();
                assert!((found - expected).abs() < 1e-14, "{window} {index} {} {expected}", found);
            }
        }
        // From candle 60 on every return is 0: after the window has passed, so is the deviation, exactly.
        assert_eq!(rolling_deviation(&series, 7)[67..], [0.0; 23]);
    }

    /// Wilder, period 3, by hand: true ranges 4, 6, 5 give 5; then (5 × 2 + 2) / 3 = 4. The second 6 counts
    /// from the close before. After the gap it begins anew.
    #[test]
    fn the_true_range_is_that_of_wilder() {
        let series = series(&[
            (0, 11.0, 9.0, 10.0),
            (1, 12.0, 8.0, 12.0),
            (2, 18.0, 15.0, 16.0),
            (3, 19.0, 14.0, 15.0),
            (4, 16.0, 14.0, 16.0),
            (6, 99.0, 1.0, 50.0),
            (7, 51.0, 49.0, 50.0),
            (8, 51.0, 49.0, 50.0),
            (9, 51.0, 46.0, 50.0),
        ]);
        let found = average_true_range(&series, 3);
        let expected = [None, None, None, Some(5.0), Some(4.0), None, None, None, Some(3.0)];
        for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
            match expected {
                Some(expected) => assert!((found - expected).abs() < 1e-12, "{index} {found}"),
                None => assert!(found.is_nan(), "{index} {found}"),
            }
        }
    }

    #[test]
    fn what_comes_later_changes_nothing() {
        let series = walk();
        let (deviation, range) = (rolling_deviation(&series, 7), average_true_range(&series, 5));
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        for len in 0..series.len() {
            let columns = series.columns().slice(0..len);
            let known = CandleSeries::new(series.key().clone(), columns).unwrap();
            assert_eq!(bits(&rolling_deviation(&known, 7)), bits(&deviation[..len]));
            assert_eq!(bits(&average_true_range(&known, 5)), bits(&range[..len]));
        }
    }
}
