//! Tables of candles and the labels that follow from the definitions, worked out by hand.

use labels::{
    Absence, AbsenceCounts, AdaptiveThreshold, Ambiguous, BarrierUnit, FixedThreshold, HorizonReturn, Label,
    LabelSeries, LabelTable, OnTimeout, Threshold, TrendScanning, TripleBarrier, class_shares,
};
use market_data::CandleSeries;
use market_data::store::TableColumn;

use crate::candles::{closes, table};

/// `+`, `0`, `-` for Buy, Hold, Sell; `w`, `g`, `e`, `a` for warm-up, gap, end of series, ambiguous.
fn letters(labels: &LabelSeries) -> String {
    let letter = |index| match (labels.label(index), labels.absence(index)) {
        (Some(Label::Buy), None) => '+',
        (Some(Label::Hold), None) => '0',
        (Some(Label::Sell), None) => '-',
        (None, Some(Absence::WarmUp)) => 'w',
        (None, Some(Absence::Gap)) => 'g',
        (None, Some(Absence::EndOfSeries)) => 'e',
        (None, Some(Absence::Ambiguous)) => 'a',
        other => panic!("{other:?}"),
    };
    (0..labels.len()).map(letter).collect()
}

fn known_at(labels: &LabelSeries) -> Vec<u32> {
    labels.iter().map(|(_, row)| row.known_at_index).collect()
}

fn fixed(horizon: u32, value: f64, sell: Option<f64>) -> HorizonReturn {
    HorizonReturn { horizon, threshold: Threshold::Fixed(FixedThreshold { value, sell }) }
}

#[test]
fn horizon_returns_with_a_fixed_threshold() {
    // ln 1.1 = 0.0953, ln 0.9 = -0.105
    let tenth = 1.1_f64.ln();
    let up = [(0, 10.0), (1, 11.0), (2, 11.0), (3, 9.9)];
    let gap = [(0, 10.0), (1, 11.0), (3, 12.1), (4, 13.31), (5, 10.0)];
    for (name, rows, labeler, expected, known) in [
        ("beyond, flat, beyond, end", &up[..], fixed(1, 0.09, None), "+0-e", vec![1, 2, 3]),
        ("exactly at the threshold is Hold", &up, fixed(1, tenth, None), "00-e", vec![1, 2, 3]),
        ("two candles ahead", &up, fixed(2, 0.09, None), "+-ee", vec![2, 3]),
        ("a threshold for each side", &up, fixed(1, 0.2, Some(0.1)), "00-e", vec![1, 2, 3]),
        ("a threshold of zero holds a zero return", &up, fixed(1, 0.0, None), "+0-e", vec![1, 2, 3]),
        ("longer than the series", &up, fixed(9, 0.1, None), "eeee", vec![]),
        ("as long as an index", &up, fixed(u32::MAX, 0.1, None), "eeee", vec![]),
        ("a gap in the span", &gap, fixed(1, 0.09, None), "+g+-e", vec![1, 3, 4]),
        ("a gap in a longer span", &gap, fixed(2, 0.09, None), "gg-ee", vec![4]),
        ("no candles", &[], fixed(1, 0.1, None), "", vec![]),
    ] {
        let labels = labeler.label(&closes(rows)).unwrap();
        assert_eq!(letters(&labels), expected, "{name}");
        assert_eq!(known_at(&labels), known, "{name}");
    }
    let labels = fixed(1, 0.09, None).label(&closes(&gap)).unwrap();
    assert_eq!(labels.absences(), AbsenceCounts { gap: 1, end_of_series: 1, ..Default::default() });
    assert_eq!(class_shares(&labels), [1.0 / 3.0, 0.0, 2.0 / 3.0]);
    assert!((labels.get(3).unwrap().forward_return - (10.0 / 13.31_f64).ln()).abs() < 1e-15);
}

#[test]
fn horizon_returns_with_an_adaptive_threshold() {
    // Returns a, -a, a, … with a = ln 1.1: over two of them the sample deviation is a √2. The fifth
    // candle rises by 3a: over (a, 3a) the deviation is again a √2.
    let a = 1.1_f64.ln();
    let price = |returns: i32| 10.0 * (a * f64::from(returns)).exp();
    let rows = [(0, price(0)), (1, price(1)), (2, price(0)), (3, price(1)), (4, price(4)), (5, price(3))];
    let labeler = |multiplier, minimum, maximum, sell_multiplier| HorizonReturn {
        horizon: 1,
        threshold: Threshold::Adaptive(AdaptiveThreshold {
            multiplier,
            sell_multiplier,
            minimum,
            maximum,
            volatility_window: 2,
        }),
    };
    for (name, labeler, expected) in [
        ("a is below a √2, 3a above", labeler(1.0, 0.0, 9.0, None), "ww0+0e"),
        ("0.7 × a √2 is just below a", labeler(0.7, 0.0, 9.0, None), "ww++-e"),
        ("0.72 × a √2 is just above a", labeler(0.72, 0.0, 9.0, None), "ww0+0e"),
        ("never below the minimum", labeler(0.0, 3.1 * a, 9.0, None), "ww000e"),
        ("never above the maximum", labeler(99.0, 0.0, 0.9 * a, None), "ww++-e"),
        ("each side its own", labeler(0.7, 0.0, 9.0, Some(1.0)), "ww++0e"),
    ] {
        let labels = labeler.label(&closes(&rows)).unwrap();
        assert_eq!(letters(&labels), expected, "{name}");
    }
    let thresholds = labeler(1.5, 0.0, 9.0, Some(0.5)).thresholds(&closes(&rows)).unwrap();
    assert_eq!(thresholds[..2], [None, None]);
    let deviation = a * 2.0_f64.sqrt();
    let found = thresholds[5].unwrap();
    // The last two returns are 3a and -a: deviation 4a / √2 = 2 × a √2.
    assert!((found.buy - 3.0 * deviation).abs() < 1e-12 && (found.sell - deviation).abs() < 1e-12);
    // After a gap the window fills anew; √horizon scales.
    let mut cut = rows;
    (3..6).for_each(|at| cut[at].0 += 7);
    assert_eq!(letters(&labeler(1.0, 0.0, 9.0, None).label(&closes(&cut)).unwrap()), "wwgwwe");
    let longer = HorizonReturn { horizon: 4, ..labeler(1.0, 0.0, 9.0, None) };
    assert!((longer.thresholds(&closes(&rows)).unwrap()[2].unwrap().buy - 2.0 * deviation).abs() < 1e-12);
}

/// What becomes of the first candle, whose close is 100, when others follow; with `calm` after them the
/// window is whole.
fn first(
    labeler: &TripleBarrier,
    rows: &[(f64, f64, f64, f64)],
    calm: bool,
) -> (char, Option<u32>, Option<f64>) {
    let mut all = vec![(0, 100.0, 100.0, 100.0, 100.0)];
    let after = [(100.0, 100.0, 100.0, 100.0); 3];
    let rows = rows.iter().chain(after.iter().filter(|_| calm));
    all.extend((1..).zip(rows).map(|(at, row)| (at, row.0, row.1, row.2, row.3)));
    let labels = labeler.label(&table(&all)).unwrap();
    let row = labels.get(0);
    let exit = row.map(|row| (100.0 * row.forward_return.exp() * 1e9).round() / 1e9);
    (letters(&labels).remove(0), row.map(|row| row.known_at_index), exit)
}

#[test]
fn triple_barriers() {
    let long = TripleBarrier { time_limit: 3, take_profit: 0.1, stop_loss: 0.05, ..Default::default() };
    let short = TripleBarrier { ambiguous: Ambiguous::PessimisticShort, ..long };
    let careful = TripleBarrier { ambiguous: Ambiguous::NoLabel, ..long };
    let sign = TripleBarrier { on_timeout: OnTimeout::Sign, ..long };
    let calm = (100.0, 102.0, 98.0, 101.0);
    let weak = (101.0, 102.0, 98.0, 99.0);
    let both = (100.0, 115.0, 90.0, 100.0);
    for (name, labeler, rows, expected) in [
        (
            "the upper is touched",
            long,
            &[calm, (101.0, 111.0, 100.0, 105.0)][..],
            ('+', Some(2), Some(110.0)),
        ),
        ("the lower is touched", long, &[(100.0, 101.0, 94.0, 100.0)], ('-', Some(1), Some(95.0))),
        ("exactly at the lower", long, &[(100.0, 101.0, 95.0, 100.0)], ('-', Some(1), Some(95.0))),
        ("just above the lower", long, &[(100.0, 101.0, 95.1, 100.0)], ('0', Some(3), Some(100.0))),
        ("the first touch counts", long, &[(100.0, 101.0, 94.0, 100.0), both], ('-', Some(1), Some(95.0))),
        ("time-out", long, &[calm, calm, weak], ('0', Some(3), Some(99.0))),
        ("time-out by sign", sign, &[calm, calm, weak], ('-', Some(3), Some(99.0))),
        ("time-out by sign, up", sign, &[weak, calm, calm], ('+', Some(3), Some(101.0))),
        (
            "time-out by sign, unchanged",
            sign,
            &[calm, calm, (101.0, 102.0, 98.0, 100.0)],
            ('0', Some(3), Some(100.0)),
        ),
        ("a touch after the time limit", long, &[calm, calm, calm, both], ('0', Some(3), Some(101.0))),
        (
            "a touch at the time limit",
            long,
            &[calm, calm, (101.0, 110.5, 98.0, 101.0)],
            ('+', Some(3), Some(110.0)),
        ),
        ("the series ends first", long, &[calm, calm], ('e', None, None)),
        ("both in one candle, long", long, &[calm, both], ('-', Some(2), Some(95.0))),
        ("both in one candle, short", short, &[calm, both], ('+', Some(2), Some(110.0))),
        ("both in one candle, no label", careful, &[calm, both], ('a', None, None)),
        ("gap through the upper", careful, &[(112.0, 113.0, 111.0, 112.0)], ('+', Some(1), Some(112.0))),
        (
            "gap through the upper, then the lower",
            long,
            &[(112.0, 113.0, 90.0, 91.0)],
            ('+', Some(1), Some(112.0)),
        ),
        (
            "gap through the lower, then the upper",
            short,
            &[(93.0, 115.0, 92.0, 99.0)],
            ('-', Some(1), Some(93.0)),
        ),
    ] {
        assert_eq!(first(&labeler, rows, name != "the series ends first"), expected, "{name}");
    }
    // A touch counts only where the whole window is there.
    assert_eq!(first(&long, &[(100.0, 101.0, 94.0, 100.0), calm], false), ('e', None, None));
    assert_eq!(first(&long, &[(100.0, 101.0, 94.0, 100.0), calm, calm], false), ('-', Some(1), Some(95.0)));
}

#[test]
fn triple_barriers_before_a_gap() {
    let labeler = TripleBarrier { time_limit: 2, take_profit: 0.1, stop_loss: 0.1, ..Default::default() };
    let (calm, touch) = (|at| (at, 100.0, 101.0, 99.0, 100.0), |at| (at, 100.0, 111.0, 99.0, 100.0));
    // The window of the first candle ends before the gap; those of the next two reach into it, although the
    // second sees the touch.
    let labels = labeler.label(&table(&[calm(0), calm(1), touch(2), calm(4), calm(5), calm(6)])).unwrap();
    assert_eq!(letters(&labels), "+gg0ee");
    assert_eq!(known_at(&labels), [2, 5]);
}

#[test]
fn triple_barriers_in_true_ranges() {
    // True ranges of 2 throughout, so the ATR of 3 candles is 2 from candle 3 on; after the gap from 8 on.
    let calm = |at| (at, 100.0, 101.0, 99.0, 100.0);
    let mut rows: Vec<_> = (0..5).chain(6..12).map(calm).collect();
    rows[9] = (10, 100.0, 103.0, 99.0, 100.0);
    let labeler = TripleBarrier {
        time_limit: 1,
        take_profit: 1.5,
        stop_loss: 1.5,
        unit: BarrierUnit::Atr { period: 3 },
        ..Default::default()
    };
    let labels = labeler.label(&table(&rows)).unwrap();
    assert_eq!(letters(&labels), "www0gwww+0e");
    // At 1.6 true ranges the barrier stands at 103.2.
    let wider = TripleBarrier { take_profit: 1.6, ..labeler };
    assert_eq!(letters(&wider.label(&table(&rows)).unwrap()), "www0gwww00e");
}

#[test]
fn trend_scanning() {
    let line = |rate: f64| move |at: i64| (at, 100.0 * (rate * at as f64).exp());
    let scan = |t_threshold| TrendScanning { minimum_window: 3, maximum_window: 4, t_threshold };
    let of = |labeler: TrendScanning, rows: &[(i64, f64)]| letters(&labeler.label(&closes(rows)).unwrap());
    let rows = |price: &dyn Fn(i64) -> (i64, f64)| (0..6).map(price).collect::<Vec<_>>();
    assert_eq!(of(scan(2.0), &rows(&line(0.01))), "+++eee");
    assert_eq!(of(scan(2.0), &rows(&line(-0.01))), "---eee");
    assert_eq!(of(scan(2.0), &rows(&line(0.0))), "000eee");
    // ln close / 100 = 0, 1, 1, 2. Three: β = 1/2, SSE = 1/6, S_xx = 2, t = √3; four: t = 3 √2 = 4.243.
    let steps = [0.0, 1.0, 1.0, 2.0].map(|value: f64| (value / 100.0).exp() * 50.0);
    let rows: Vec<_> = (0..).zip(steps).collect();
    assert_eq!(of(scan(4.24), &rows), "+eee");
    assert_eq!(of(scan(4.25), &rows), "0eee");
    let labels = scan(4.0).label(&closes(&rows)).unwrap();
    let row = labels.get(0).unwrap();
    assert_eq!(row.known_at_index, 3);
    assert!((row.forward_return - 0.02).abs() < 1e-12);
    // A strong short window wins over a weak long one, and the label still waits for the long one.
    let turn: Vec<_> = (0..).zip([50.0, 51.0, 52.02, 40.0]).collect();
    let labels = scan(2.0).label(&closes(&turn)).unwrap();
    let row = labels.get(0).unwrap();
    assert_eq!((row.label, row.known_at_index), (Label::Buy, 3));
    assert!((row.forward_return - (52.02_f64 / 50.0).ln()).abs() < 1e-12);
    // Candle 1 … 4 reach across the gap between 2 and 3.
    let gap: Vec<_> = [0, 1, 2, 4, 5, 6, 7].map(line(0.01)).to_vec();
    assert_eq!(of(scan(2.0), &gap), "ggg+eee");
}

#[test]
fn labels_as_columns_and_back() {
    let rows: Vec<_> = [0, 1, 2, 4, 5, 6, 7].map(|at| (at, 100.0 + (at * at % 5) as f64)).to_vec();
    let labels = fixed(2, 0.005, None).label(&closes(&rows)).unwrap();
    let table = LabelTable::of(&labels);
    assert_eq!((table.len(), &table.index), (3, &vec![0, 3, 4]));
    // The window of two candles, the first of them a minute after: known three minutes after the open.
    assert_eq!(table.known_at[1].since(table.open_time[1]), 3 * 60_000);
    assert_eq!(table.known_at, table.window_end);
    let columns: Vec<_> =
        table.clone().into_columns().into_iter().map(|(name, column)| (name.to_owned(), column)).collect();
    assert_eq!(LabelTable::from_columns(columns.clone()).unwrap(), table);
    let names = ["index", "open_time", "label", "known_at", "window_end", "uniqueness", "forward_return"];
    assert_eq!(columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
    for (at, name) in names.into_iter().enumerate() {
        let mut fewer = columns.clone();
        fewer.remove(at);
        let error = LabelTable::from_columns(fewer).unwrap_err().to_string();
        assert!(error.contains(name), "{name}: {error}");
    }
    let mut other = columns;
    other[2].1 = TableColumn::Integers(vec![0, 1, 3]);
    assert!(LabelTable::from_columns(other).unwrap_err().to_string().contains("label"));
}

#[test]
fn uniqueness_of_overlapping_labels() {
    // Horizon 2 over 5 candles: spans {1,2}, {2,3}, {3,4}; concurrency of 1..=4 is 1, 2, 2, 1.
    let series: CandleSeries = closes(&[(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0)]);
    let labels = fixed(2, 0.1, None).label(&series).unwrap();
    let found: Vec<f64> = labels.iter().map(|(_, row)| row.uniqueness).collect();
    assert_eq!(found, [0.75, 0.5, 0.75]);
}
