//! What comes from outside counts from when it was known.

use features::{FeatureError, FeaturePipeline, FeatureSpec, Outside};
use market_data::{CandleSeries, ExogenousSeries, KnownAfter, Timeframe, Timestamp, resample};

use crate::folds::short;
use crate::markets::{one, two, with_gaps};

#[test]
fn longer_timeframes_hold_completed_candles_only() {
    let series = one(3_000, Timeframe::M5, 11);
    let spec = short();
    let frame = spec.frame(&series, Outside::default()).unwrap();
    let (long, _) = resample(&series, Timeframe::M15).unwrap();
    // The same columns computed on the long candles themselves.
    let mut of_long = FeatureSpec::from_toml(
        "[price]\nlog_return = [1]\ngeometry = false\n[cycle]\nenabled = false\n[pattern]\nenabled = false\n\
         [level]\nenabled = false\n[time]\nenabled = false\n[higher_timeframe]\nenabled = false\n\
         [trend]\nema = []\nsma = [20]\ndema = []\ntema = []\nmacd = []\nkama = []\nsupertrend = []\nadx = []\n\
         aroon = []\nsar = []\nlinear_regression_slope = []\n\
         [volume]\nobv = []\nmfi = []\nadosc = []\ncmf = [20]\nvwap_distance = []\nvwap_day = false\n\
         volume_z = []\nrelative_volume = []\namihud = []",
    )
    .unwrap();
    of_long.momentum = toml::from_str(
        "rsi = []\ncmo = []\nroc = [10]\ncci = []\nstoch = []\nstoch_rsi = []\nwillr = [14]\nultosc = []\n\
         trix = []\nppo = []",
    )
    .unwrap();
    of_long.volatility = toml::from_str(
        "atr = []\nnatr = []\nstddev = [20]\nbollinger = []\nkeltner = []\ndonchian = []\nparkinson = []\n\
         garman_klass = []\nyang_zhang = []\newma = []",
    )
    .unwrap();
    let direct = of_long.frame(&long, Outside::default()).unwrap();
    let mut compared = 0;
    for row in (0..frame.len()).filter(|row| frame.is_valid(*row)) {
        let known_at = Timeframe::M5.close_of(frame.open_times()[row]);
        // The last long candle that has closed by then.
        let closed =
            long.columns().open_time.partition_point(|time| Timeframe::M15.close_of(*time) <= known_at);
        for (column, values) in direct.columns().iter().zip(direct.values()) {
            let seen = frame.column(&format!("15m_{}", column.name)).unwrap()[row];
            assert_eq!(seen.to_bits(), values[closed - 1].to_bits(), "{} at {row}", column.name);
            compared += 1;
        }
    }
    assert!(compared > 10_000, "{compared}");
}

#[test]
fn a_symbol_moves_with_itself() {
    let pair = two(2_000, Timeframe::M5, 12);
    let mut spec = short();
    spec.cross_asset.enabled = true;
    spec.cross_asset.windows = vec![30];
    let itself = Outside { reference: Some(&pair[0]), exogenous: &[] };
    let frame = spec.frame(&pair[0], itself).unwrap();
    let last = frame.len() - 1;
    let value = |name: &str| frame.column(name).unwrap()[last];
    assert!((value("reference_correlation_30") - 1.0).abs() < 1e-12);
    assert!((value("reference_beta_30") - 1.0).abs() < 1e-12);
    assert_eq!(value("relative_strength_30"), 0.0);
    // Against another symbol: as computed here, directly from the closes.
    let other = Outside { reference: Some(&pair[1]), exogenous: &[] };
    let frame = spec.frame(&pair[0], other).unwrap();
    let returns = |series: &CandleSeries| -> Vec<f64> {
        let close = &series.columns().close[last - 30..=last];
        close.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect()
    };
    let (y, x) = (returns(&pair[0]), returns(&pair[1]));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / 30.0;
    let (mean_x, mean_y) = (mean(&x), mean(&y));
    let sum =
        |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(&y).map(|(x, y)| f(x - mean_x, y - mean_y)).sum::<f64>();
    let (xx, yy, xy) = (sum(&|x, _| x * x), sum(&|_, y| y * y), sum(&|x, y| x * y));
    let value = |name: &str| frame.column(name).unwrap()[last];
    assert!((value("reference_correlation_30") - xy / (xx * yy).sqrt()).abs() < 1e-12);
    assert!((value("reference_beta_30") - xy / xx).abs() < 1e-9);
    let strength = y.iter().sum::<f64>() - x.iter().sum::<f64>();
    assert!((value("relative_strength_30") - strength).abs() < 1e-12);
}

#[test]
fn a_missing_reference_candle_masks_and_a_missing_reference_is_an_error() {
    let pair = two(1_000, Timeframe::M5, 13);
    let mut spec = short();
    spec.cross_asset.enabled = true;
    spec.cross_asset.windows = vec![10];
    assert!(matches!(
        spec.frame(&pair[0], Outside::default()).unwrap_err(),
        FeatureError::MissingOutside { .. }
    ));
    let reference = with_gaps(&pair[1], &[700]);
    let frame = spec.frame(&pair[0], Outside { reference: Some(&reference), exogenous: &[] }).unwrap();
    // The pair of 700 and that of 701, whose return reaches across the hole, are missing; then 10 pairs pass.
    let masked: Vec<usize> = (600..800).filter(|row| !frame.is_valid(*row)).collect();
    assert_eq!(masked, (700..=710).collect::<Vec<_>>());
    assert_eq!(frame.masked().waiting, 11);
    assert_eq!(frame.masked().faulty, 0);
}

fn funding(times: &[Timestamp]) -> ExogenousSeries {
    let values = (0..times.len()).map(|index| 1.0 + index as f64).collect();
    ExogenousSeries::new(
        "funding_x",
        vec!["rate".to_owned()],
        times.to_vec(),
        vec![values],
        KnownAfter::Millis(60_000),
    )
    .unwrap()
}

#[test]
fn a_value_counts_from_the_first_close_after_it_was_known() {
    let series = one(1_000, Timeframe::M5, 14);
    let time = |row: usize| series.columns().open_time[row];
    // Described at the open of 500 and known a minute later: candle 499 closed before, 500 closes after that.
    let exogenous = [funding(&[time(100), time(500), time(600)])];
    let mut spec = short();
    spec.exogenous = toml::from_str(
        "columns = [{ series = \"funding_x\", field = \"rate\" }, \
                    { series = \"funding_x\", field = \"rate\", transform = \"change\", max_age_hours = 10 }]",
    )
    .unwrap();
    let outside = Outside { reference: None, exogenous: &exogenous };
    let frame = spec.frame(&series, outside).unwrap();
    let rate = frame.column("funding_x_rate").unwrap();
    let change = frame.column("funding_x_rate_change").unwrap();
    assert_eq!([rate[500], change[500], rate[599], rate[600]], [2.0, 1.0, 2.0, 3.0]);
    // Before the second value there is no change, so no row. The last one is known a minute after candle 600
    // opens; candle 720 closes ten hours and four minutes later.
    assert!(!frame.is_valid(499) && frame.is_valid(500));
    assert!(frame.is_valid(719) && !frame.is_valid(720));
    assert_eq!(frame.masked().faulty, 0);

    // The same, told value by value as live.
    let mut pipeline = FeaturePipeline::new(&spec, Timeframe::M5).unwrap();
    for (known_at, value) in exogenous[0].known_at().iter().zip(&exogenous[0].columns()[0]) {
        // All at once, long before their time: they count from then only.
        assert!(pipeline.tell_exogenous("funding_x", "rate", *known_at, *value));
    }
    for (index, candle) in series.iter().enumerate() {
        let row = pipeline.push(&candle).unwrap();
        assert_eq!(row.is_some(), frame.is_valid(index), "row {index}");
        if let Some(row) = row {
            assert_eq!(*row.values.last().unwrap(), change[index]);
        }
    }
}

/// History and live values meet in the same column, also where the specification leaves the symbol open.
#[test]
fn a_value_is_told_under_the_name_that_the_history_had() {
    let series = one(1_000, Timeframe::M5, 15);
    let time = |index: usize| series.columns().open_time[index];
    let mut spec = short();
    spec.exogenous =
        toml::from_str("columns = [{ series = \"funding_{symbol}\", field = \"rate\" }]").unwrap();
    let named = |times: &[Timestamp]| {
        let values = (0..times.len()).map(|at| at as f64 + 1.0).collect();
        let fields = vec!["rate".to_owned()];
        ExogenousSeries::new("funding_BTCUSDT", fields, times.to_vec(), vec![values], KnownAfter::Immediately)
            .unwrap()
    };
    let past = [named(&[time(100), time(500)])];
    let history = series.between(time(0), time(800));
    let mut pipeline = FeaturePipeline::new(&spec, Timeframe::M5).unwrap();
    pipeline.extend(&history, Outside { reference: None, exogenous: &past }).unwrap();
    assert!(pipeline.tell_exogenous("funding_BTCUSDT", "rate", time(900), 3.0));
    for (name, field) in [("funding_BTCUSDT", "price"), ("funding_", "rate"), ("spot_BTCUSDT", "rate")] {
        assert!(!pipeline.tell_exogenous(name, field, time(900), 4.0), "{name} {field}");
    }
    for index in 800..1_000 {
        let row = pipeline.push(&series.get(index)).unwrap().unwrap();
        // Candle 899 closes when the value is known.
        let expected = if index < 899 { 2.0 } else { 3.0 };
        assert_eq!(*row.values.last().unwrap(), expected, "candle {index}");
    }
}

#[test]
fn a_series_that_is_missing_is_named() {
    let series = one(1_000, Timeframe::M5, 15);
    let named = "[exogenous]\ncolumns = [{ series = \"funding_{symbol}\", field = \"rate\" }]";
    let mut spec = FeatureSpec::from_toml(named).unwrap();
    let error = spec.frame(&series, Outside::default()).unwrap_err().to_string();
    assert!(error.contains("funding_BTCUSDT") && error.contains("import"), "{error}");
    let exogenous = [funding(&[series.columns().open_time[0]])];
    spec.exogenous = toml::from_str("columns = [{ series = \"funding_x\", field = \"price\" }]").unwrap();
    let error =
        spec.frame(&series, Outside { reference: None, exogenous: &exogenous }).unwrap_err().to_string();
    assert!(error.contains("`price`") && error.contains("rate"), "{error}");
}
