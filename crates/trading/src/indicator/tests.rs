//! Held against TA-Lib's recursions in numpy. The candles (i = 0..39), rounded to two places:
//!
//! ```python
//! close = 100 + 8*sin(0.7*i) + 0.35*i; open = previous close (100 at first)
//! high = max(open, close) + 0.5 + 0.4*(i % 3); low = min(open, close) - 0.3 - 0.35*(i % 4)
//! ```

use market_data::{Candle, Timestamp};

use super::*;

const N: usize = 5;

#[rustfmt::skip]
const CANDLES: [[f64; 4]; 40] = [
    [100.0, 100.5, 99.7, 100.0],
    [100.0, 106.4, 99.35, 105.5],
    [105.5, 109.88, 104.5, 108.58],
    [108.58, 109.08, 106.61, 107.96],
    [107.96, 108.86, 103.78, 104.08],
    [104.08, 105.38, 98.29, 98.94],
    [98.94, 99.44, 94.13, 95.13],
    [95.13, 96.03, 93.24, 94.59],
    [94.59, 99.05, 94.29, 97.75],
    [97.75, 103.78, 97.1, 103.28],
    [103.28, 109.66, 102.28, 108.76],
    [108.76, 113.06, 107.41, 111.76],
    [111.76, 112.26, 110.74, 111.04],
    [111.04, 111.94, 106.45, 107.1],
    [107.1, 108.4, 100.97, 101.97],
    [101.97, 102.47, 96.86, 98.21],
    [98.21, 99.11, 97.47, 97.77],
    [97.77, 102.3, 97.12, 101.0],
    [101.0, 107.07, 100.0, 106.57],
    [106.57, 112.91, 105.22, 112.01],
    [112.01, 116.22, 111.71, 114.92],
    [114.92, 115.42, 113.47, 114.12],
    [114.12, 115.02, 109.12, 110.12],
    [110.12, 111.42, 103.64, 104.99],
    [104.99, 105.49, 101.0, 101.3],
    [101.3, 102.2, 100.29, 100.94],
    [100.94, 105.56, 99.94, 104.26],
    [104.26, 110.35, 102.91, 109.85],
    [109.85, 116.16, 109.55, 115.26],
    [115.26, 119.39, 114.61, 118.09],
    [118.09, 118.59, 116.19, 117.19],
    [117.19, 118.09, 111.8, 113.15],
    [113.15, 114.45, 107.72, 108.02],
    [108.02, 108.52, 103.74, 104.39],
    [104.39, 105.29, 103.13, 104.13],
    [104.13, 108.82, 102.78, 107.52],
    [107.52, 113.64, 107.22, 113.14],
    [113.14, 119.4, 112.49, 118.5],
    [118.5, 122.56, 117.5, 121.26],
    [121.26, 121.76, 118.92, 120.27],
];

fn candles() -> impl Iterator<Item = Candle> + Clone {
    CANDLES.iter().map(|&[open, high, low, close]| Candle {
        open_time: Timestamp::default(),
        open,
        high,
        low,
        close,
        volume: 1.0,
        turnover: None,
    })
}

/// The first answer comes with candle `expected[0].0`, and these candles have these answers.
fn golden(name: &str, mut push: impl FnMut(&Candle) -> Option<f64>, expected: [(usize, f64); 4]) {
    let found: Vec<Option<f64>> = candles().map(|candle| push(&candle)).collect();
    let first = expected[0].0;
    assert!(found[..first].iter().all(Option::is_none), "{name} speaks too early");
    assert!(found[first..].iter().all(Option::is_some), "{name} is silent");
    for (at, value) in expected {
        let found = found[at].unwrap();
        assert!((found - value).abs() < 1e-9, "{name} of candle {at}: {found}, expected {value}");
    }
}

#[test]
fn average_true_range() {
    // tr = np.maximum(H[1:], C[:-1]) - np.minimum(L[1:], C[:-1]); a = [tr[:5].mean()]
    // for x in tr[5:]: a.append((a[-1]*4 + x)/5)
    let mut atr = AverageTrueRange::new(N).unwrap();
    golden(
        "ATR",
        |candle| atr.push(candle),
        [(5, 5.414), (6, 5.3932), (22, 5.0112437650918), (39, 4.9495033464148)],
    );
    assert!((atr.value().unwrap() - 4.949503346414841).abs() < 1e-9);
}

#[test]
fn averages() {
    // e = [C[:5].mean()]; for x in C[5:]: e.append((x - e[-1])*2/6 + e[-1])
    let mut ema = ExponentialMovingAverage::new(N).unwrap();
    golden(
        "EMA",
        |candle| ema.push(candle.close),
        [(4, 105.224), (5, 103.12933333333), (22, 110.50242403936), (39, 117.01230988003)],
    );
    // np.lib.stride_tricks.sliding_window_view(C, 5).mean(axis=1)
    let mut average = SimpleMovingAverage::new(N).unwrap();
    golden(
        "SMA",
        |candle| average.push(candle.close),
        [(4, 105.224), (5, 105.012), (22, 111.548), (39, 116.138)],
    );
}

#[test]
fn volatilities() {
    // np.lib.stride_tricks.sliding_window_view(C, 5).std(axis=1)
    let mut deviation = StandardDeviation::new(N).unwrap();
    golden(
        "deviation",
        |candle| deviation.push(candle.close),
        [(4, 3.0797246630178), (5, 3.4466586718154), (22, 3.0006226020611), (39, 5.1409197620659)],
    );
    assert!((deviation.mean().unwrap() - 116.138).abs() < 1e-9);
    // r = np.diff(np.log(C)); v = [np.mean(r[:5]**2)]; for x in r[5:]: v.append(.94*v[-1] + .06*x*x); np.sqrt(v)
    let mut volatility = EwmaVolatility::new(0.94, N).unwrap();
    golden(
        "EWMA",
        |candle| volatility.push(candle.close),
        [(5, 0.039069553769101), (6, 0.03908156302677), (22, 0.037212787267001), (39, 0.035562743300625)],
    );
}

#[test]
fn trends() {
    // [abs(C[k] - C[k-5]) / np.abs(np.diff(C[k-5:k+1])).sum() for k in range(5, 40)]
    let mut ratio = EfficiencyRatio::new(N).unwrap();
    golden(
        "efficiency ratio",
        |candle| ratio.push(candle.close),
        [(5, 0.058177826564215), (6, 0.62734422262553), (22, 0.48717948717949), (39, 0.89072847682119)],
    );
    // up = np.diff(H); dn = -np.diff(L); pdm = where((up>dn)&(up>0), up, 0); mdm = where((dn>up)&(dn>0), dn, 0)
    // P, M, T = pdm[:4].sum(), mdm[:4].sum(), tr[:4].sum(); for k in range(4, 39):
    //     P = P - P/5 + pdm[k]; M = M - M/5 + mdm[k]; T = T - T/5 + tr[k]; p, m = 100*P/T, 100*M/T
    //     dx.append(100*abs(p-m)/(p+m))
    // a = [np.mean(dx[:5])]; for x in dx[5:]: a.append((a[-1]*4 + x)/5)
    let mut index = AverageDirectionalIndex::new(N).unwrap();
    golden(
        "ADX",
        |candle| index.push(candle),
        [(9, 17.994630719426), (10, 24.371376863351), (24, 31.390692821915), (39, 39.620013219789)],
    );
}

#[test]
fn after_a_gap_they_start_anew() {
    fn check<F: Clone + PartialEq + std::fmt::Debug>(
        fresh: &F,
        reset: impl Fn(&mut F),
        push: impl Fn(&mut F, &Candle) -> Option<f64>,
    ) {
        let broken = Candle { close: f64::NAN, ..candles().next().unwrap() };
        for gap in [false, true] {
            let mut used = fresh.clone();
            candles().for_each(|candle| {
                push(&mut used, &candle);
            });
            assert_ne!(&used, fresh);
            if gap {
                assert_eq!(push(&mut used, &broken), None);
            } else {
                reset(&mut used);
            }
            let mut other = fresh.clone();
            for candle in candles() {
                assert_eq!(push(&mut used, &candle), push(&mut other, &candle));
            }
        }
    }
    check(&AverageTrueRange::new(N).unwrap(), AverageTrueRange::reset, AverageTrueRange::push);
    check(
        &AverageDirectionalIndex::new(N).unwrap(),
        AverageDirectionalIndex::reset,
        AverageDirectionalIndex::push,
    );
    let ema = ExponentialMovingAverage::new(N).unwrap();
    check(&ema, ExponentialMovingAverage::reset, |fold, candle| fold.push(candle.close));
    let average = SimpleMovingAverage::new(N).unwrap();
    check(&average, SimpleMovingAverage::reset, |fold, candle| fold.push(candle.close));
    let deviation = StandardDeviation::new(N).unwrap();
    check(&deviation, StandardDeviation::reset, |fold, candle| fold.push(candle.close));
    let volatility = EwmaVolatility::new(0.94, N).unwrap();
    check(&volatility, EwmaVolatility::reset, |fold, candle| fold.push(candle.close));
    let ratio = EfficiencyRatio::new(N).unwrap();
    check(&ratio, EfficiencyRatio::reset, |fold, candle| fold.push(candle.close));
}

#[test]
fn a_window_forgets_what_left_it() {
    // A running sum would keep the rounding of 1e16, and answer 0 or 2 instead of 1.
    let mut average = SimpleMovingAverage::new(3).unwrap();
    let mut deviation = StandardDeviation::new(3).unwrap();
    for value in [1e16, 1.0, 1.0, 1.0] {
        average.push(value);
        deviation.push(value);
    }
    assert_eq!((average.push(1.0), deviation.push(1.0)), (Some(1.0), Some(0.0)));
}

#[test]
fn a_market_that_stands_still_has_no_trend() {
    let mut ratio = EfficiencyRatio::new(3).unwrap();
    let mut index = AverageDirectionalIndex::new(3).unwrap();
    let still = Candle { open: 7.0, high: 7.0, low: 7.0, close: 7.0, ..candles().next().unwrap() };
    let mut last = (None, None);
    for _ in 0..10 {
        last = (ratio.push(still.close), index.push(&still));
    }
    assert_eq!(last, (Some(0.0), Some(0.0)));
    // Straight up: all of the path is the way, and all movement goes up.
    for step in 1..20 {
        let price = 7.0 + f64::from(step);
        let up = Candle { open: price, high: price, low: price, close: price, ..still };
        last = (ratio.push(price), index.push(&up));
    }
    assert_eq!(last.0, Some(1.0));
    assert!(last.1.unwrap() > 99.0);
}

#[test]
fn senseless_periods_are_refused() {
    let errors = [
        AverageTrueRange::new(0).err(),
        AverageDirectionalIndex::new(1).err(),
        ExponentialMovingAverage::new(0).err(),
        SimpleMovingAverage::new(usize::MAX).err(),
        StandardDeviation::new(1).err(),
        EwmaVolatility::new(1.0, 5).err(),
        EwmaVolatility::new(f64::NAN, 5).err(),
        EwmaVolatility::new(0.9, 0).err(),
        EfficiencyRatio::new(0).err(),
    ];
    assert!(errors.iter().all(Option::is_some), "{errors:?}");
}
