//! Thresholds reach the class ratio asked for, and look at training time only.

use labels::splits::{LastDays, SplitPlan, TimeRange, TrainCandles};
use labels::threshold_search::{
    CriticalValues, Goal, Objective, Symmetry, ThresholdPair, search_barrier_distance,
    search_horizon_threshold, search_threshold, search_trend_threshold, sweep,
};
use labels::{
    AdaptiveThreshold, Ambiguous, BarrierUnit, FixedThreshold, HorizonReturn, LabelError, Labeler, OnTimeout,
    Threshold, TrendScanning, TripleBarrier, class_shares,
};
use market_data::CandleSeries;
use market_data::synthetic::{MarketShape, SyntheticMarket, SyntheticModel};

use crate::candles::{closes, noise_from};

const MODELS: [&str; 5] = ["regime", "gbm", "heston", "planted", "noise"];

fn market(model: &str, candles: usize) -> SyntheticMarket {
    let model: SyntheticModel = toml::from_str(&format!("model = \"{model}\"")).unwrap();
    model.generate(&MarketShape { candles, seed: 11, ..Default::default() }).unwrap()
}

fn everything(series: &[CandleSeries]) -> SplitPlan {
    SplitPlan::everything(TimeRange::covering(series).unwrap())
}

fn training<'a>(plan: &SplitPlan, series: &'a [CandleSeries]) -> Vec<TrainCandles<'a>> {
    series.iter().map(|series| plan.train_candles(series)).collect()
}

fn exact(target: [f64; 3], symmetry: Symmetry) -> Goal {
    Goal { symmetry, ..within(target, 0.0) }
}

fn within(target: [f64; 3], tolerance: f64) -> Goal {
    Goal { tolerance, ..Goal::pooled(target) }
}

fn adaptive() -> HorizonReturn {
    let threshold =
        AdaptiveThreshold { minimum: 0.0, maximum: 1.0, volatility_window: 50, ..Default::default() };
    HorizonReturn { threshold: Threshold::Adaptive(threshold), ..Default::default() }
}

#[test]
fn horizon_thresholds_reach_the_target_to_one_candle() {
    for model in MODELS {
        let market = market(model, 4_000);
        let plan = everything(&market.series);
        let candles = training(&plan, &market.series);
        for labeler in [HorizonReturn::default(), adaptive()] {
            for target in [[0.25, 0.5, 0.25], [0.1, 0.7, 0.2], [0.35, 0.31, 0.34]] {
                for symmetry in [Symmetry::Symmetric, Symmetry::Asymmetric] {
                    let report =
                        search_horizon_threshold(&labeler, &candles, &exact(target, symmetry)).unwrap();
                    let labels: usize = report.pooled.counts.iter().sum();
                    let reached = match symmetry {
                        Symmetry::Symmetric => (report.pooled.shares[1] - target[1]).abs(),
                        Symmetry::Asymmetric => report.pooled.deviation,
                    };
                    let what = format!("{model} {symmetry:?} {target:?} {}", report.to_toml());
                    // Rounding the two sides to whole candles leaves Hold up to one candle off.
                    assert!(reached <= 1.0 / labels as f64 + 1e-12, "{reached} {what}");
                    check_report(&report.labeler, &report, &market.series);
                }
            }
        }
    }
}

/// The shares reported are those that the labeler gives, and the worst series is the worst.
fn check_report(labeler: &Labeler, report: &labels::threshold_search::ThresholdReport, all: &[CandleSeries]) {
    let mut counts = [0; 3];
    for (series, reported) in all.iter().zip(&report.series) {
        let labels = labeler.label(series).unwrap();
        assert_eq!(reported.shares, class_shares(&labels));
        assert!(reported.deviation <= report.series[report.worst].deviation);
        labels.class_counts().iter().zip(&mut counts).for_each(|(count, sum)| *sum += count);
    }
    assert_eq!(report.pooled.counts, counts);
    assert_eq!(&toml::from_str::<Labeler>(&report.to_toml()).unwrap(), labeler);
}

#[test]
fn barrier_distances_reach_the_target_within_the_tolerance() {
    for model in MODELS {
        let market = market(model, 2_000);
        let plan = everything(&market.series);
        let candles = training(&plan, &market.series);
        for (unit, ambiguous) in [
            (BarrierUnit::Fraction, Ambiguous::PessimisticLong),
            (BarrierUnit::Atr { period: 14 }, Ambiguous::PessimisticShort),
            (BarrierUnit::Atr { period: 14 }, Ambiguous::NoLabel),
        ] {
            let labeler = TripleBarrier { unit, ambiguous, ..Default::default() };
            for hold in [0.2, 0.5, 0.8] {
                let target = [(1.0 - hold) / 2.0, hold, (1.0 - hold) / 2.0];
                let report = search_barrier_distance(&labeler, &candles, &within(target, 1e-3)).unwrap();
                let reached = (report.pooled.shares[1] - hold).abs();
                assert!(reached <= 1e-3, "{model} {reached} {}", report.to_toml());
                check_report(&report.labeler, &report, &market.series);
                let Labeler::TripleBarrier(found) = report.labeler else { panic!("another labeler") };
                assert_eq!(found.take_profit, found.stop_loss);
            }
        }
    }
}

#[test]
fn what_comes_after_training_changes_no_threshold() {
    let market = market("regime", 3_000);
    let range = TimeRange::covering(&market.series).unwrap();
    let plan = LastDays { validation_days: 4 }.plan(range).unwrap().remove(0);
    let end = market.series[0].indices_between(range.from, plan.test()[0].from).end;
    let noisy: Vec<_> = market.series.iter().map(|series| noise_from(series, end, 1.5)).collect();
    let (candles, others) = (training(&plan, &market.series), training(&plan, &noisy));
    let target = [0.3, 0.4, 0.3];
    for labeler in [HorizonReturn::default(), adaptive()] {
        let find = |candles: &[TrainCandles<'_>]| {
            search_horizon_threshold(&labeler, candles, &exact(target, Symmetry::Asymmetric)).unwrap()
        };
        assert_eq!(find(&candles), find(&others));
        let whole = everything(&market.series);
        assert_ne!(find(&candles), find(&training(&whole, &market.series)));
    }
    let barrier = TripleBarrier::default();
    let find = |candles: &[TrainCandles<'_>]| {
        search_barrier_distance(&barrier, candles, &within(target, 1e-3)).unwrap()
    };
    assert_eq!(find(&candles), find(&others));
}

/// Returns of 1, 2, 3, 4, 5 percent: for 2 Holds of 5 the threshold stands in the middle of 2 and 3.
#[test]
fn the_threshold_is_the_quantile() {
    let mut close = vec![(0, 100.0)];
    for (at, percent) in [(1, 0.03), (2, -0.01), (3, -0.05), (4, 0.02), (5, 0.04)] {
        close.push((at, close[close.len() - 1].1 * f64::exp(percent)));
    }
    let series = [closes(&close)];
    let plan = everything(&series);
    let candles = training(&plan, &series);
    let labeler = HorizonReturn { horizon: 1, ..Default::default() };
    let target = [0.2, 0.4, 0.4];
    let fixed = |symmetry| {
        let found = search_horizon_threshold(&labeler, &candles, &exact(target, symmetry)).unwrap().labeler;
        let Labeler::HorizonReturn(HorizonReturn { threshold: Threshold::Fixed(fixed), .. }) = found else {
            panic!("another labeler")
        };
        (fixed.value, fixed.sell)
    };
    let (value, sell) = fixed(Symmetry::Symmetric);
    assert!((value - 0.025).abs() < 1e-12 && sell.is_none(), "{value} {sell:?}");
    let (buy, sell) = fixed(Symmetry::Asymmetric);
    assert!((buy - 0.025).abs() < 1e-12 && (sell.unwrap() - 0.03).abs() < 1e-12, "{buy} {sell:?}");
}

#[test]
fn what_cannot_be_reached_is_refused() {
    let market = market("gbm", 1_000);
    let plan = everything(&market.series);
    let candles = training(&plan, &market.series);
    let horizon = |labeler: &HorizonReturn, target, symmetry| {
        search_horizon_threshold(labeler, &candles, &exact(target, symmetry)).unwrap_err()
    };
    let narrow = AdaptiveThreshold { minimum: 0.0, maximum: 1e-6, ..Default::default() };
    let narrow = HorizonReturn { threshold: Threshold::Adaptive(narrow), ..Default::default() };
    let unreachable = |error: &LabelError| matches!(error, LabelError::TargetUnreachable { .. });
    assert!(unreachable(&horizon(&narrow, [0.25, 0.5, 0.25], Symmetry::Symmetric)));
    assert!(unreachable(&horizon(&adaptive(), [0.9, 0.05, 0.05], Symmetry::Asymmetric)));
    let error = horizon(&adaptive(), [0.5, 0.6, 0.1], Symmetry::Symmetric).to_string();
    assert!(error.contains("target"), "{error}");
    let barrier = |labeler: &TripleBarrier, tolerance| {
        search_barrier_distance(labeler, &candles, &within([0.25, 0.5, 0.25], tolerance)).unwrap_err()
    };
    let sign = TripleBarrier { on_timeout: OnTimeout::Sign, ..Default::default() };
    assert!(barrier(&sign, 1e-3).to_string().contains("on_timeout"));
    assert!(barrier(&TripleBarrier::default(), -0.1).to_string().contains("tolerance"));
    let long = TripleBarrier { time_limit: 2_000, ..Default::default() };
    let error = barrier(&long, 1e-3);
    assert!(unreachable(&error) || matches!(error, LabelError::NothingToSearch { .. }), "{error}");
    let nothing = search_horizon_threshold(&adaptive(), &[], &Goal::pooled([0.25, 0.5, 0.25]));
    assert_eq!(nothing, Err(LabelError::NothingToSearch { series: 0 }));
}

#[test]
fn barriers_and_trends_are_quantiles_too() {
    for model in MODELS {
        let market = market(model, 3_000);
        let plan = everything(&market.series);
        let candles = training(&plan, &market.series);
        for hold in [0.1, 0.34, 0.6, 0.9] {
            let target = [(1.0 - hold) / 2.0, hold, (1.0 - hold) / 2.0];
            for unit in [BarrierUnit::Fraction, BarrierUnit::Atr { period: 14 }] {
                let labeler = TripleBarrier { unit, ..Default::default() };
                let report = search_barrier_distance(&labeler, &candles, &within(target, 0.0)).unwrap();
                let labels: usize = report.pooled.counts.iter().sum();
                let off = (report.pooled.shares[1] - hold).abs();
                assert!(off <= 0.5 / labels as f64 + 1e-12, "{model} {hold} {unit:?} {off}");
            }
            let report =
                search_trend_threshold(&TrendScanning::default(), &candles, &within(target, 0.0)).unwrap();
            let labels: usize = report.pooled.counts.iter().sum();
            let off = (report.pooled.shares[1] - hold).abs();
            assert!(off <= 0.5 / labels as f64 + 1e-12, "{model} {hold} {off}");
            check_report(&report.labeler, &report, &market.series);
        }
    }
}

/// A distance for each barrier meets all three shares, also where the target leans to one side.
#[test]
fn a_distance_for_each_barrier_meets_all_three_shares() {
    for model in MODELS {
        let market = market(model, 2_000);
        let plan = everything(&market.series);
        let candles = training(&plan, &market.series);
        for target in [[0.33, 0.34, 0.33], [0.2, 0.5, 0.3], [0.45, 0.2, 0.35], [0.1, 0.8, 0.1]] {
            for (unit, ambiguous) in [
                (BarrierUnit::Fraction, Ambiguous::PessimisticShort),
                (BarrierUnit::Atr { period: 14 }, Ambiguous::PessimisticLong),
            ] {
                let labeler = TripleBarrier { time_limit: 12, unit, ambiguous, ..Default::default() };
                let goal = Goal { symmetry: Symmetry::Asymmetric, ..within(target, 0.01) };
                let report = search_barrier_distance(&labeler, &candles, &goal).unwrap();
                let labels: usize = report.pooled.counts.iter().sum();
                let off = report.pooled.deviation;
                assert!(off <= 3.0 / labels as f64, "{model} {target:?} {off} {}", report.to_toml());
            }
        }
    }
    let market = market("gbm", 500);
    let plan = everything(&market.series);
    let candles = training(&plan, &market.series);
    let goal = Goal { symmetry: Symmetry::Asymmetric, ..within([0.3, 0.4, 0.3], 0.01) };
    let careful = TripleBarrier { ambiguous: Ambiguous::NoLabel, ..Default::default() };
    for (labeler, goal) in
        [(careful, goal), (TripleBarrier::default(), Goal { objective: Objective::Worst, ..goal })]
    {
        let error = search_barrier_distance(&labeler, &candles, &goal).unwrap_err().to_string();
        assert!(error.contains("symmetric"), "{error}");
    }
    let only_sells = Goal { target: [1.0, 0.0, 0.0], ..goal };
    // A stop next to the entry makes nearly every candle a Sell, and the report says how nearly.
    let report = search_barrier_distance(&TripleBarrier::default(), &candles, &only_sells).unwrap();
    assert!((0.99..1.0).contains(&report.pooled.shares[0]), "{}", report.to_toml());
}

/// Half and twice the volatility under one fixed threshold: pooled, both series are far off; the fairest
/// threshold leaves the worst of them nearer, and no other threshold does better.
#[test]
fn the_worst_series_is_as_near_as_one_threshold_allows() {
    let market = market("gbm", 4_000);
    let wild = stretched(&market.series[0], 2.0);
    let calm = stretched(&market.series[1], 0.5);
    let series = [wild.clone(), wild.clone(), wild, calm];
    let plan = everything(&series);
    let candles = training(&plan, &series);
    let target = [0.33, 0.34, 0.33];
    let trends = TrendScanning { minimum_window: 5, maximum_window: 12, t_threshold: 2.0 };
    let mut better = 0;
    for labeler in [
        Labeler::HorizonReturn(HorizonReturn::default()),
        Labeler::HorizonReturn(adaptive()),
        Labeler::TripleBarrier(TripleBarrier::default()),
        Labeler::TrendScanning(trends),
    ] {
        let goal = |objective| Goal { objective, ..within(target, 1e-3) };
        // A barrier's search looks at Hold alone.
        let only_hold = matches!(labeler, Labeler::TripleBarrier(_));
        let worst = |report: &labels::threshold_search::ThresholdReport| {
            let hold = |series: &labels::threshold_search::SeriesShares| (series.shares[1] - target[1]).abs();
            let of = |series| if only_hold { hold(series) } else { series.deviation };
            report.series.iter().map(of).fold(0.0, f64::max)
        };
        let pooled = search_threshold(&labeler, &candles, &goal(Objective::Pooled)).unwrap();
        let fair = search_threshold(&labeler, &candles, &goal(Objective::Worst)).unwrap();
        assert!(worst(&fair) <= worst(&pooled) + 1e-12, "{}", labeler.to_toml());
        better += usize::from(worst(&fair) < worst(&pooled) - 0.02);
        for factor in [0.5, 0.8, 0.95, 0.99, 1.01, 1.05, 1.2, 2.0] {
            let other = scaled(&fair.labeler, factor);
            let other = labels::threshold_search::ThresholdReport::measure(other, target, &candles).unwrap();
            assert!(worst(&other) >= worst(&fair) - 1e-12, "{factor} {}", labeler.to_toml());
        }
    }
    assert!(better >= 2, "{better}");
}

/// The same walk with `factor` times its log returns.
fn stretched(series: &CandleSeries, factor: f64) -> CandleSeries {
    let mut columns = series.columns().clone();
    let first = columns.close[0];
    for column in [&mut columns.open, &mut columns.high, &mut columns.low, &mut columns.close] {
        column.iter_mut().for_each(|price| *price = first * (factor * (*price / first).ln()).exp());
    }
    CandleSeries::new(series.key().clone(), columns).unwrap()
}

fn scaled(labeler: &Labeler, factor: f64) -> Labeler {
    let mut labeler = *labeler;
    match &mut labeler {
        Labeler::HorizonReturn(HorizonReturn { threshold: Threshold::Fixed(fixed), .. }) => {
            fixed.value *= factor;
        }
        Labeler::HorizonReturn(HorizonReturn { threshold: Threshold::Adaptive(adaptive), .. }) => {
            adaptive.multiplier *= factor;
        }
        Labeler::TripleBarrier(barrier) => {
            barrier.take_profit *= factor;
            barrier.stop_loss *= factor;
        }
        Labeler::TrendScanning(trend) => trend.t_threshold *= factor,
    }
    labeler
}

/// A sweep gives what labelling with each pair gives.
#[test]
fn a_sweep_is_exact() {
    let market = market("regime", 3_000);
    let plan = everything(&market.series);
    let candles = training(&plan, &market.series);
    let target = [0.3, 0.4, 0.3];
    let thresholds = [0.0, 1e-4, 0.0011, 0.0023, 0.005, 0.0123, 0.5];
    let pairs: Vec<ThresholdPair> =
        thresholds.iter().flat_map(|&sell| thresholds.map(|buy| ThresholdPair { sell, buy })).collect();
    let narrow = AdaptiveThreshold { minimum: 0.002, maximum: 0.01, ..Default::default() };
    for (factor, labeler) in [
        (1.0, HorizonReturn::default()),
        (200.0, adaptive()),
        (200.0, HorizonReturn { threshold: Threshold::Adaptive(narrow), ..Default::default() }),
    ] {
        let values = CriticalValues::of(&Labeler::HorizonReturn(labeler), &candles).unwrap();
        let scaled =
            |pair: &ThresholdPair| ThresholdPair { sell: factor * pair.sell, buy: factor * pair.buy };
        let pairs: Vec<ThresholdPair> = pairs.iter().map(scaled).collect();
        for (row, pair) in sweep(&values, &pairs, target).unwrap().iter().zip(&pairs) {
            let threshold = match labeler.threshold {
                Threshold::Fixed(_) => {
                    Threshold::Fixed(FixedThreshold { value: pair.buy, sell: Some(pair.sell) })
                }
                Threshold::Adaptive(adaptive) => Threshold::Adaptive(AdaptiveThreshold {
                    multiplier: pair.buy,
                    sell_multiplier: Some(pair.sell),
                    ..adaptive
                }),
            };
            let labeler = Labeler::HorizonReturn(HorizonReturn { threshold, ..labeler });
            let report =
                labels::threshold_search::ThresholdReport::measure(labeler, target, &candles).unwrap();
            assert_eq!(
                (row.counts, row.deviation),
                (report.pooled.counts, report.pooled.deviation),
                "{pair:?}"
            );
            let worst = &report.series[report.worst];
            assert_eq!((row.worst_deviation, &row.worst), (worst.deviation, &worst.name));
        }
    }
    let trend = CriticalValues::of(&Labeler::TrendScanning(TrendScanning::default()), &candles).unwrap();
    let rows = sweep(&trend, &[ThresholdPair { sell: 2.5, buy: 2.5 }], target).unwrap();
    let labeler = Labeler::TrendScanning(TrendScanning { t_threshold: 2.5, ..Default::default() });
    let report = labels::threshold_search::ThresholdReport::measure(labeler, target, &candles).unwrap();
    assert_eq!(rows[0].counts, report.pooled.counts);
    let histogram = trend.histogram(50);
    assert_eq!(histogram.counts.iter().sum::<usize>() + histogram.outside, trend.labels());
    assert!(histogram.outside <= trend.labels() / 90, "{histogram:?}");
    let barriers = CriticalValues::of(&Labeler::TripleBarrier(TripleBarrier::default()), &candles).unwrap();
    assert!(sweep(&barriers, &pairs, target).unwrap_err().to_string().contains("triple-barrier"));
    assert!(sweep(&trend, &[ThresholdPair { sell: -1.0, buy: 1.0 }], target).is_err());
}

/// Half of the closes are as the one before: then no threshold gives fewer Holds, and the nearest share is taken
/// only where it is near enough.
#[test]
fn prices_that_stand_still() {
    let rows: Vec<_> = (0..400).map(|at| (at, 100.0 + (at / 2 % 2) as f64)).collect();
    let series = [closes(&rows), closes(&rows[..1]), closes(&[(0, 7.0), (1, 7.0), (2, 7.0)])];
    let plan = everything(&series);
    let candles = training(&plan, &series);
    let labeler = HorizonReturn { horizon: 1, ..Default::default() };
    let search =
        |tolerance| search_horizon_threshold(&labeler, &candles, &within([0.3, 0.4, 0.3], tolerance));
    let error = search(0.02).unwrap_err().to_string();
    assert!(error.contains("no movement"), "{error}");
    let report = search(0.2).unwrap();
    assert!((report.pooled.shares[1] - 0.5).abs() < 0.01, "{}", report.to_toml());
    // Where the price has not moved there is no range to measure barriers in, and no label.
    let still = [closes(&(0..60).map(|at| (at, 100.0)).collect::<Vec<_>>())];
    let candles = training(&plan, &still);
    let ranges = TripleBarrier { unit: BarrierUnit::Atr { period: 14 }, ..Default::default() };
    let labels = ranges.label(&still[0]).unwrap();
    assert_eq!((labels.class_counts(), labels.absences().no_range), ([0; 3], 60 - 14));
    for labeler in [
        Labeler::TripleBarrier(ranges),
        Labeler::TripleBarrier(TripleBarrier::default()),
        Labeler::TrendScanning(TrendScanning::default()),
        Labeler::HorizonReturn(adaptive()),
    ] {
        let error = search_threshold(&labeler, &candles, &within([0.33, 0.34, 0.33], 0.02)).unwrap_err();
        assert!(!error.to_string().contains("NaN"), "{error}");
    }
}
