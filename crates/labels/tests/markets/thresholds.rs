//! Thresholds reach the class ratio asked for, and look at training time only.

use labels::splits::{LastDays, SplitPlan, TimeRange, TrainCandles};
use labels::threshold_search::{Symmetry, search_barrier_distance, search_horizon_threshold};
use labels::{
    AdaptiveThreshold, Ambiguous, BarrierUnit, HorizonReturn, LabelError, Labeler, OnTimeout, Threshold,
    TripleBarrier, class_shares,
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
                    let report = search_horizon_threshold(&labeler, &candles, target, symmetry).unwrap();
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
                let report = search_barrier_distance(&labeler, &candles, target, 1e-3).unwrap();
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
            search_horizon_threshold(&labeler, candles, target, Symmetry::Asymmetric).unwrap()
        };
        assert_eq!(find(&candles), find(&others));
        let whole = everything(&market.series);
        assert_ne!(find(&candles), find(&training(&whole, &market.series)));
    }
    let barrier = TripleBarrier::default();
    let find =
        |candles: &[TrainCandles<'_>]| search_barrier_distance(&barrier, candles, target, 1e-3).unwrap();
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
        let found = search_horizon_threshold(&labeler, &candles, target, symmetry).unwrap().labeler;
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
        search_horizon_threshold(labeler, &candles, target, symmetry).unwrap_err()
    };
    let narrow = AdaptiveThreshold { minimum: 0.0, maximum: 1e-6, ..Default::default() };
    let narrow = HorizonReturn { threshold: Threshold::Adaptive(narrow), ..Default::default() };
    let unreachable = |error: &LabelError| matches!(error, LabelError::TargetUnreachable { .. });
    assert!(unreachable(&horizon(&narrow, [0.25, 0.5, 0.25], Symmetry::Symmetric)));
    assert!(unreachable(&horizon(&adaptive(), [0.9, 0.05, 0.05], Symmetry::Asymmetric)));
    let error = horizon(&adaptive(), [0.5, 0.6, 0.1], Symmetry::Symmetric).to_string();
    assert!(error.contains("target"), "{error}");
    let barrier = |labeler: &TripleBarrier, tolerance| {
        search_barrier_distance(labeler, &candles, [0.25, 0.5, 0.25], tolerance).unwrap_err()
    };
    let sign = TripleBarrier { on_timeout: OnTimeout::Sign, ..Default::default() };
    assert!(barrier(&sign, 1e-3).to_string().contains("on_timeout"));
    assert!(barrier(&TripleBarrier::default(), 0.0).to_string().contains("tolerance"));
    let long = TripleBarrier { time_limit: 2_000, ..Default::default() };
    let error = barrier(&long, 1e-3);
    assert!(unreachable(&error) || matches!(error, LabelError::NothingToSearch { .. }), "{error}");
    let nothing = search_horizon_threshold(&adaptive(), &[], [0.25, 0.5, 0.25], Symmetry::Symmetric);
    assert_eq!(nothing, Err(LabelError::NothingToSearch { series: 0 }));
}
