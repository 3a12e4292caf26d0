//! What is fitted sees training rows only.

use features::{FeatureFrame, Outside, ScalerOptions, SelectionOptions, TrainingFrame};
use market_data::{SeriesKey, Timeframe, TrainingRows};

use crate::folds::short;
use crate::markets::{one, two};

/// Rows stated by hand, as a split would.
struct Rows(SeriesKey, usize, Vec<usize>);

impl TrainingRows for Rows {
    fn series(&self) -> &SeriesKey {
        &self.0
    }
    fn candles(&self) -> usize {
        self.1
    }
    fn indices(&self) -> &[usize] {
        &self.2
    }
}

fn first_half(frame: &FeatureFrame) -> Rows {
    Rows(frame.key().clone(), frame.len(), (0..frame.len() / 2).collect())
}

#[test]
fn the_future_does_not_move_a_scaler_or_a_selection() {
    let series = one(3_000, Timeframe::M5, 20);
    let mut columns = series.columns().clone();
    // Another second half: a hundred times the price, no volume.
    for index in 1_500..3_000 {
        for column in [&mut columns.open, &mut columns.high, &mut columns.low, &mut columns.close] {
            column[index] *= 100.0;
        }
        columns.volume[index] = 0.0;
    }
    let other = market_data::CandleSeries::new(series.key().clone(), columns).unwrap();
    let spec = short();
    let frames = [series, other].map(|series| spec.frame(&series, Outside::default()).unwrap());
    for options in [
        ScalerOptions::default(),
        ScalerOptions::Standard { clip: None },
        ScalerOptions::MinMax { clip: true },
    ] {
        let [here, there] = [0, 1].map(|index| {
            options.fit(&[TrainingFrame::new(&frames[index], &first_half(&frames[index])).unwrap()]).unwrap()
        });
        assert_eq!(here, there, "{options:?}");
        // It reads back from what it is stored as.
        let stored = serde_json::to_string(&here).unwrap();
        assert_eq!(serde_json::from_str::<features::Scaler>(&stored).unwrap(), here);
        // A row scaled alone is the row of the frame.
        let scaled = here.scale(&frames[0]).unwrap();
        let (mut row, mut out) = (vec![0.0; here.columns().len()], vec![0.0; here.columns().len()]);
        assert!(frames[0].copy_row(2_000, &mut row).unwrap());
        here.scale_row(&row, &mut out).unwrap();
        assert!(scaled.iter().zip(&out).all(|(column, value)| column[2_000].to_bits() == value.to_bits()));
    }
    let [here, there] = [0, 1].map(|index| {
        let training = first_half(&frames[index]);
        SelectionOptions::default().fit(&[TrainingFrame::new(&frames[index], &training).unwrap()]).unwrap()
    });
    assert_eq!(here, there);
    assert!(!here.dropped().is_empty());
}

#[test]
fn standard_scaling_gives_mean_zero_and_deviation_one_over_all_series() {
    let spec = short();
    let frames: Vec<_> = two(2_000, Timeframe::M5, 21)
        .iter()
        .map(|series| spec.frame(series, Outside::default()).unwrap())
        .collect();
    let training: Vec<_> =
        frames.iter().map(|frame| TrainingFrame::new(frame, &first_half(frame)).unwrap()).collect();
    let scaler = ScalerOptions::Standard { clip: None }.fit(&training).unwrap();
    assert_eq!(scaler.rows(), training.iter().map(|frame| frame.rows().len()).sum::<usize>());
    for column in 0..scaler.columns().len() {
        let mut values = Vec::new();
        for frame in &training {
            let scaled = scaler.scale(frame.frame()).unwrap();
            values.extend(frame.rows().iter().map(|row| f64::from(scaled[column][*row])));
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
        let name = &scaler.columns()[column].name;
        assert!(mean.abs() < 1e-4, "{name}: mean {mean}");
        assert!((deviation - 1.0).abs() < 1e-4 || deviation == 0.0, "{name}: deviation {deviation}");
    }
}

#[test]
fn twins_and_constants_are_left_out() {
    let series = one(3_000, Timeframe::M5, 22);
    let mut spec = short();
    // NATR is ATR relative to the close, times a hundred: a twin by definition.
    spec.volatility.atr = vec![7];
    spec.volatility.natr = vec![7];
    let frame = spec.frame(&series, Outside::default()).unwrap();
    let training = first_half(&frame);
    let selection =
        SelectionOptions::default().fit(&[TrainingFrame::new(&frame, &training).unwrap()]).unwrap();
    assert!(selection.names().iter().any(|name| name == "atr_7"));
    let dropped = selection.dropped().iter().find(|dropped| dropped.name == "natr_7").unwrap();
    assert!(format!("{:?}", dropped.reason).contains("atr_7"), "{dropped:?}");
    assert_eq!(selection.names().len() + selection.dropped().len(), frame.columns().len());
    let names: Vec<&String> = selection
        .pick(&frame.columns().iter().map(|column| column.name.clone()).collect::<Vec<_>>())
        .cloned()
        .collect::<Vec<_>>()
        .leak()
        .iter()
        .collect();
    assert_eq!(names, selection.names().iter().collect::<Vec<_>>());
    let none = SelectionOptions {
        minimum_variance: None,
        maximum_correlation: None,
        minimum_cycles: None,
        ..Default::default()
    };
    assert!(none.fit(&[TrainingFrame::new(&frame, &training).unwrap()]).unwrap().dropped().is_empty());
}

/// Five days of training hold five days and no three weeks: where in the week, the month or the year a candle lies is a date.
#[test]
fn calendars_that_were_not_seen_are_left_out() {
    let series = one(4_320, Timeframe::M5, 22);
    let frame = features::FeatureSpec::default().frame(&series, Outside::default()).unwrap();
    let rows = Rows(frame.key().clone(), frame.len(), (2_800..2_800 + 5 * 288).collect());
    let training = [TrainingFrame::new(&frame, &rows).unwrap()];
    let calendar = |options: &SelectionOptions| {
        let dropped = options.fit(&training).unwrap().dropped().to_vec();
        let mut names: Vec<String> = dropped
            .iter()
            .filter(|one| matches!(one.reason, features::DropReason::Cycles(_)))
            .map(|one| one.name.clone())
            .collect();
        names.sort();
        names
    };
    let long = [
        "day_of_month_cos",
        "day_of_month_sin",
        "day_of_week_cos",
        "day_of_week_sin",
        "month_of_year_cos",
        "month_of_year_sin",
        "weekend",
    ];
    assert_eq!(calendar(&SelectionOptions::default()), long);
    let of = |minimum_cycles: Option<f64>| SelectionOptions { minimum_cycles, ..Default::default() };
    assert_eq!(calendar(&of(Some(5.1))).len(), 12);
    assert!(calendar(&of(None)).is_empty());
    assert!(of(Some(-1.0)).fit(&training).unwrap_err().to_string().contains("minimum_cycles"));
}

#[test]
fn rows_of_another_series_are_refused() {
    let spec = short();
    let pair = two(1_000, Timeframe::M5, 23);
    let frames: Vec<_> = pair.iter().map(|series| spec.frame(series, Outside::default()).unwrap()).collect();
    assert!(TrainingFrame::new(&frames[0], &first_half(&frames[1])).is_err());
    let longer = Rows(frames[0].key().clone(), 1_001, vec![0]);
    assert!(TrainingFrame::new(&frames[0], &longer).is_err());
    // All of it masked: nothing to fit on.
    let early = Rows(frames[0].key().clone(), 1_000, vec![0, 1, 2]);
    let training = TrainingFrame::new(&frames[0], &early).unwrap();
    let error = ScalerOptions::default().fit(&[training]).unwrap_err().to_string();
    assert!(error.contains("at least 2") && error.contains("there are 0"), "{error}");
    // A scaler refuses a frame of another specification.
    let scaler = ScalerOptions::default()
        .fit(&[TrainingFrame::new(&frames[0], &first_half(&frames[0])).unwrap()])
        .unwrap();
    let mut other = spec;
    other.trend.ema = vec![6];
    assert!(scaler.scale(&other.frame(&pair[0], Outside::default()).unwrap()).is_err());
}
