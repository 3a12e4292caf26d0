//! Fewer points and candles than there are, without losing a high or a low.

use super::data::{Curve, ReportCandle};

/// Points of a drawn curve; a wide chart has about as many pixels.
pub(super) const DRAWN_POINTS: usize = 1_200;

/// At most about `most` points: first, lowest, highest and last of equal stretches, so that no drawdown gets lost.
pub(super) fn thin_curve(curve: &Curve, most: usize) -> Curve {
    let count = curve.values.len();
    if count <= most {
        return curve.clone();
    }
    let stretch = count.div_ceil((most / 4).max(1));
    let mut thin = Curve::default();
    for (times, values) in curve.times.chunks(stretch).zip(curve.values.chunks(stretch)) {
        let indices = || 0..values.len();
        let by_value = |a: &usize, b: &usize| {
            values.get(*a).partial_cmp(&values.get(*b)).unwrap_or(std::cmp::Ordering::Equal)
        };
        let mut kept: Vec<usize> =
            [Some(0), indices().min_by(by_value), indices().max_by(by_value), indices().last()]
                .into_iter()
                .flatten()
                .collect();
        kept.sort_unstable();
        kept.dedup();
        for index in kept {
            if let (Some(time), Some(value)) = (times.get(index), values.get(index)) {
                thin.times.push(*time);
                thin.values.push(*value);
            }
        }
    }
    thin
}

/// At most `most` candles, and how many spans of the least distance each covers: one, unless there are too many.
///
/// A drawn candle is first open, highest high, lowest low and last close of the candles of its span; spans lie on multiples
/// of their length since the epoch and one without candles stays empty, so that gaps remain where they are.
pub(super) fn thin_candles(candles: &[ReportCandle], most: usize) -> (Vec<ReportCandle>, i64) {
    let step = candles
        .windows(2)
        .filter_map(|pair| match pair {
            [before, after] => Some(after.time - before.time),
            _ => None,
        })
        .min()
        .unwrap_or(1)
        .max(1);
    let (Some(first), Some(last)) = (candles.first(), candles.last()) else { return (Vec::new(), 1) };
    if candles.len() <= most {
        return (candles.to_vec(), 1);
    }
    let spans = (last.time - first.time) / step + 1;
    // One less, since the first and the last span may be cut.
    let factor = (spans as u64).div_ceil((most.max(2) - 1) as u64) as i64;
    let mut thin: Vec<ReportCandle> = Vec::new();
    let mut current = None;
    for candle in candles {
        let span = candle.time.div_euclid(step.saturating_mul(factor));
        match thin.last_mut() {
            Some(joined) if current == Some(span) => {
                joined.high = joined.high.max(candle.high);
                joined.low = joined.low.min(candle.low);
                joined.close = candle.close;
            }
            _ => thin.push(*candle),
        }
        current = Some(span);
    }
    (thin, factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_survive() {
        let mut values: Vec<f64> = (0..10_000).map(|index| f64::from(index % 7)).collect();
        values[4_321] = -50.0;
        values[7_777] = 99.0;
        let curve = Curve { times: (0..10_000).collect(), values };
        let thin = thin_curve(&curve, 400);
        assert!(thin.values.len() <= 400, "{}", thin.values.len());
        assert!(thin.times.windows(2).all(|pair| pair[0] < pair[1]));
        for (time, value) in thin.times.iter().zip(&thin.values) {
            assert_eq!(curve.values[*time as usize], *value);
        }
        assert!(thin.times.contains(&4_321) && thin.times.contains(&7_777));
        assert_eq!((thin.times[0], thin.times.last()), (0, Some(&9_999)));
        assert_eq!(thin_curve(&curve, 10_000), curve);
    }

    #[test]
    fn candles_are_joined_by_spans_of_time() {
        let candle = |time, open, high, low, close| ReportCandle { time, open, high, low, close };
        let candles = [
            candle(0, 1.0, 5.0, 1.0, 2.0),
            candle(10, 2.0, 3.0, 0.5, 3.0),
            // 20 to 50 are missing.
            candle(60, 7.0, 8.0, 6.0, 7.5),
            candle(70, 7.5, 9.0, 7.0, 8.0),
            candle(80, 8.0, 8.5, 4.0, 4.5),
        ];
        // From 0 to 80 in steps of 10 are 9 spans; 9 / (4 − 1) = 3 of them, 30 ms, to a candle: 0..30, 30..60 (none),
        // 60..90.
        let (thin, factor) = thin_candles(&candles, 4);
        assert_eq!(factor, 3);
        assert_eq!(thin, [candle(0, 1.0, 5.0, 0.5, 3.0), candle(60, 7.0, 9.0, 4.0, 4.5)]);
        assert_eq!(thin_candles(&candles, 5), (candles.to_vec(), 1));
    }
}
