//! What is learned from, and what must not be.

use labels::Labeler;
use labels::splits::{LastShare, SplitPlan, TimeRange};
use market_data::CandleSeries;
use supervised::dataset::{
    Dataset, FeatureFit, NO_CLASS, Part, PreparationConfig, SampleWindow, prepare, prepare_with,
};
use supervised::{Objective, SupervisedError};

use crate::markets::{
    HORIZON, WARM_UP, config, gapped, labeler, labelled, plan, planted, trained, two, with_threshold,
};

const LENGTH: usize = 8;

fn preparation() -> PreparationConfig {
    config(Objective::LastStep).preparation
}

fn prepared(series: &[CandleSeries], labeler: &Labeler, plan: &SplitPlan) -> (Dataset, FeatureFit) {
    prepare(labelled(series, labeler), plan, &preparation()).unwrap()
}

#[test]
fn no_window_crosses_a_gap_or_a_masked_row() {
    let series = gapped(600);
    let (dataset, _) = prepared(&series, &labeler(), &plan(&series));
    let mut windows = 0;
    for part in [Part::Training, Part::Validation] {
        for sample in dataset.samples(part, LENGTH) {
            let of = &dataset.series()[sample.series as usize];
            let row = sample.row as usize;
            let first = row + 1 - LENGTH;
            assert!((first..=row).all(|row| of.frame().is_valid(row)));
            let step = of.key().timeframe.millis();
            assert!((first..row).all(|row| of.open_time(row + 1).since(of.open_time(row)) == step));
            assert_eq!((of.parts()[row], of.classes()[row]), (part, sample.class));
            assert_eq!(of.uniqueness()[row], sample.weight);
            let mut values = vec![0.0; LENGTH * dataset.width()];
            let at = SampleWindow { series: sample.series, start: first as u32 };
            dataset.copy_window(at, &mut values).unwrap();
            assert!(values.iter().all(|value| value.is_finite()));
            for (column, values) in of.frame().columns().iter().enumerate() {
                assert_eq!(values[row].to_bits(), values_at(&dataset, at, column).to_bits());
            }
            windows += 1;
        }
        // All that could be taken was taken: every run gives its rows but the first seven.
        let mut expected = 0;
        for of in dataset.series() {
            for run in of.runs() {
                let full = run.start + LENGTH - 1..run.end;
                expected +=
                    full.filter(|row| of.parts()[*row] == part && of.classes()[*row] != NO_CLASS).count();
            }
        }
        assert_eq!(dataset.samples(part, LENGTH).len(), expected);
        // Of every run with such a row, from its beginning to the last of them.
        for run in dataset.runs_with(part) {
            let of = &dataset.series()[run.series as usize];
            let rows = run.start as usize..(run.start + run.length) as usize;
            assert!(of.runs().iter().any(|whole| whole.start == rows.start && rows.end <= whole.end));
            assert_eq!(of.parts()[rows.end - 1], part);
        }
    }
    assert!(windows > 700, "{windows}");
    let runs: Vec<usize> = dataset.series().iter().map(|series| series.runs().len()).collect();
    assert_eq!(runs, [3, 2]);
    let row = dataset.series()[0].runs()[1].start;
    assert_eq!(row, 200 + WARM_UP);
    let at = SampleWindow { series: 9, start: 0 };
    assert!(dataset.copy_window(at, &mut [0.0; 4]).is_err());
}

/// A value of the last row of a window.
fn values_at(dataset: &Dataset, at: SampleWindow, column: usize) -> f32 {
    let mut values = vec![0.0; LENGTH * dataset.width()];
    dataset.copy_window(at, &mut values).unwrap();
    values[(LENGTH - 1) * dataset.width() + column]
}

#[test]
fn training_validation_and_test_share_no_time() {
    let series = gapped(800);
    let labeler = labeler();
    let share = LastShare { share: 0.25 };
    let outer = share.plan(TimeRange::covering(&series).unwrap()).unwrap().remove(0);
    let inner = share.plan(outer.train()[0]).unwrap().remove(0);
    let (learned, fit) = prepared(&series, &labeler, &inner);
    let judged = prepare_with(labelled(&series, &labeler), &outer, &fit).unwrap();
    let (validation, test) = (inner.test()[0], outer.test()[0]);
    let mut seen = [0; 3];
    for (index, candles) in series.iter().enumerate() {
        let labels = labeler.label(candles).unwrap();
        let (of, later) = (&learned.series()[index], &judged.series()[index]);
        assert_eq!(of.key(), candles.key());
        for row in 0..candles.len() {
            let part = of.parts()[row];
            match part {
                Part::Training => {
                    let window = labels.window(row).unwrap();
                    assert!(!validation.overlaps(&window) && !test.overlaps(&window), "row {row}");
                    seen[0] += 1;
                }
                Part::Validation => {
                    assert!(validation.covers(&labels.window(row).unwrap()), "row {row}");
                    seen[1] += 1;
                }
                Part::Test | Part::None => assert_ne!(part, Part::Test),
            }
            if later.parts()[row] == Part::Test {
                assert!(part == Part::None && test.covers(&labels.window(row).unwrap()), "row {row}");
                seen[2] += 1;
            }
            // A row without features or without a label is of no part.
            if !of.frame().is_valid(row) || labels.label(row).is_none() {
                assert_eq!((part, later.parts()[row]), (Part::None, Part::None));
            }
            let class = labels.label(row).map_or(NO_CLASS, |label| label.index() as u8);
            assert_eq!(of.classes()[row], class);
        }
        // The rows just before the validation are purged.
        let first = of.parts().iter().position(|part| *part == Part::Validation).unwrap();
        assert!((first - HORIZON as usize..first).all(|row| of.parts()[row] == Part::None));
        assert_eq!(of.parts()[first - HORIZON as usize - 1], Part::Training);
    }
    assert_eq!(seen[0], learned.rows(Part::Training) as usize);
    assert_eq!(seen[1], learned.rows(Part::Validation) as usize);
    assert_eq!(seen[2], judged.rows(Part::Test) as usize);
    assert!(seen.iter().all(|rows| *rows > 200), "{seen:?}");
    assert_eq!(learned.class_counts(Part::Test), [0; 3]);
}

/// Prices and volumes of some candles, changed beyond recognition.
fn spoiled(series: &[CandleSeries], rows: impl Fn(usize) -> std::ops::Range<usize>) -> Vec<CandleSeries> {
    let spoil = |series: &CandleSeries| {
        let mut columns = series.columns().clone();
        for row in rows(series.len()) {
            columns.volume[row] *= 1.0 + (row % 7) as f64;
            columns.high[row] *= 1.5;
        }
        CandleSeries::new(series.key().clone(), columns).unwrap()
    };
    series.iter().map(spoil).collect()
}

#[test]
fn what_is_fitted_sees_training_rows_only() {
    let series = two(&planted(), 600, 3);
    let plan = plan(&series);
    let (_, fit) = prepared(&series, &labeler(), &plan);
    // From the first candle of the validation time on. Labels of training look four candles ahead at most.
    let middle = series[0].indices_between(plan.test()[0].from, plan.test()[0].to).start;
    let (_, after) = prepared(&spoiled(&series, |end| middle..end), &labeler(), &plan);
    assert_eq!(fit, after);
    let purged = middle - HORIZON as usize;
    let (_, after) = prepared(&spoiled(&series, |end| purged..end), &labeler(), &plan);
    assert_eq!(fit, after);
    let (_, before) = prepared(&spoiled(&series, |_| purged - 1..purged), &labeler(), &plan);
    assert_ne!(fit, before);
}

#[test]
fn short_series_are_left_out_and_reported() {
    let mut series = two(&planted(), 600, 3);
    let range = plan(&series);
    series[1] = CandleSeries::new(series[1].key().clone(), series[1].columns().slice(300..600)).unwrap();
    let config = PreparationConfig { minimum_rows_per_series: 200, ..preparation() };
    let (dataset, fit) = prepare(labelled(&series, &labeler()), &range, &config).unwrap();
    assert_eq!(dataset.series().len(), 1);
    assert_eq!(dataset.series()[0].key(), series[0].key());
    let [excluded] = dataset.excluded() else { panic!("{:?}", dataset.excluded()) };
    assert_eq!(excluded.series, series[1].key().to_string());
    // 150 candles of training time, of which 19 are warm-up and 4 are purged.
    let reason = "127 usable, labelled training rows, and `minimum_rows_per_series` asks for 200";
    assert_eq!(excluded.reason, reason);
    // It has no part in the fit either.
    let (_, alone) = prepare(labelled(&series[..1], &labeler()), &range, &config).unwrap();
    assert_eq!(fit, alone);
    // With the very number it stays.
    let config = PreparationConfig { minimum_rows_per_series: 127, ..config };
    assert!(prepare(labelled(&series, &labeler()), &range, &config).unwrap().0.excluded().is_empty());
    let config = PreparationConfig { minimum_rows_per_series: 10_000, ..config };
    let error = prepare(labelled(&series, &labeler()), &range, &config).unwrap_err().to_string();
    assert!(error.contains("none is left") && error.contains("127 usable"), "{error}");
}

#[test]
fn one_class_only_is_refused_by_name() {
    let series = two(&planted(), 400, 3);
    let (dataset, _) = prepared(&series, &with_threshold(10.0), &plan(&series));
    for objective in crate::markets::OBJECTIVES {
        let error = trained(&dataset, &config(objective)).unwrap_err();
        assert!(matches!(error, SupervisedError::Data { .. }));
        let text = error.to_string();
        assert!(text.contains("training part") && text.contains("labels are hold"), "{text}");
    }
}

#[test]
fn features_and_labels_of_different_series_are_refused() {
    let series = two(&planted(), 400, 3);
    let mut labelled = labelled(&series, &labeler());
    let (left, right) = labelled.split_at_mut(1);
    std::mem::swap(&mut left[0].labels, &mut right[0].labels);
    let error = prepare(labelled, &plan(&series), &preparation()).unwrap_err().to_string();
    assert!(error.contains("ETH") && error.contains("BTC"), "{error}");
}

#[test]
fn series_come_in_the_order_of_their_keys() {
    let mut series = two(&planted(), 400, 3);
    let plan = plan(&series);
    let (dataset, fit) = prepared(&series, &labeler(), &plan);
    series.reverse();
    let (other, other_fit) = prepared(&series, &labeler(), &plan);
    let keys = |dataset: &Dataset| dataset.series().iter().map(|one| one.key().clone()).collect::<Vec<_>>();
    assert_eq!(keys(&dataset), keys(&other));
    assert!(keys(&dataset).is_sorted());
    assert_eq!(fit, other_fit);
    series.push(series[0].clone());
    let error = prepare(labelled(&series, &labeler()), &plan, &preparation()).unwrap_err().to_string();
    assert!(error.contains("ETH") && error.contains("twice"), "{error}");
}
