//! Importance, best trials, plots' data.

use super::{definition, reference};
use crate::tuning::{
    AxisScale, Direction, ImportanceConfig, StudyDefinition, StudyRecord, Trial, TrialState, best_trials,
    history, importance, parallel_coordinates,
};

fn record(direction: Direction) -> StudyRecord {
    let sign = if direction == Direction::Minimise { 1.0 } else { -1.0 };
    let trials = reference().importance.trials.into_iter().enumerate().map(|(number, trial)| Trial {
        number,
        attempt: 1,
        parameters: trial.parameters,
        process: String::new(),
        reports: Vec::new(),
        state: TrialState::Finished(sign * trial.value),
    });
    let trials = trials.collect();
    StudyRecord { definition: StudyDefinition { direction, ..definition(0) }, trials, set_aside: Vec::new() }
}

#[test]
fn importance_is_that_of_optuna() {
    for (share, expected) in reference().importance.shares {
        for direction in [Direction::Minimise, Direction::Maximise] {
            let config = ImportanceConfig { best_share: share.parse().unwrap() };
            let bars = importance(&record(direction), &config).unwrap();
            assert_eq!(bars.len(), expected.len());
            for bar in &bars {
                let there = expected[&bar.key];
                assert!((bar.share - there).abs() < 1e-9, "{} {} {there}", bar.key, bar.share);
            }
            assert!(bars.is_sorted_by(|left, right| left.share >= right.share));
        }
    }
}

#[test]
fn importance_wants_finished_trials() {
    let mut record = record(Direction::Minimise);
    for trial in &mut record.trials[1..] {
        trial.state = TrialState::Pruned;
    }
    assert!(importance(&record, &ImportanceConfig::default()).unwrap_err().to_string().contains("too few"));
    for best_share in [0.0, 1.0, f64::NAN] {
        assert!(ImportanceConfig { best_share }.validate().is_err());
    }
}

#[test]
fn best_trials_and_history_go_the_way_of_the_metric() {
    let mut record = record(Direction::Maximise);
    record.trials.truncate(6);
    let states = [3.0, 1.0, 5.0, 5.0, 9.0, 4.0].map(TrialState::Finished);
    for (trial, state) in record.trials.iter_mut().zip(states) {
        trial.state = state;
    }
    record.trials[4].state = TrialState::Pruned;
    let numbers =
        |record: &StudyRecord| best_trials(record, 3).iter().map(|trial| trial.number).collect::<Vec<_>>();
    assert_eq!(numbers(&record), [2, 3, 5]);
    let best = |record: &StudyRecord| history(record).iter().map(|step| step.best).collect::<Vec<_>>();
    assert_eq!(best(&record), [3.0, 3.0, 5.0, 5.0, 5.0]);
    record.definition.direction = Direction::Minimise;
    assert_eq!(numbers(&record), [1, 0, 5]);
    assert_eq!(best(&record), [3.0, 1.0, 1.0, 1.0, 1.0]);
}

#[test]
fn parallel_coordinates_hold_all_finished_trials() {
    let mut record = record(Direction::Minimise);
    record.trials[10].state = TrialState::Diverged;
    let plot = parallel_coordinates(&record).unwrap();
    assert_eq!(plot.axes.len(), 7);
    assert_eq!(plot.lines.len(), 59);
    assert_eq!(plot.axes[2].scale, AxisScale::Logarithmic);
    assert!((plot.axes[2].place(10_f64.powf(-2.5)) - 0.5).abs() < 1e-12);
    let AxisScale::Choices { labels } = &plot.axes[5].scale else { panic!("{:?}", plot.axes[5]) };
    assert_eq!(labels, &["\"a\"", "\"b\"", "\"c\""]);
    assert_eq!(plot.axes[6].name, "cost");
    let last = &plot.lines[58];
    assert_eq!(last.trial, best_trials(&record, 1)[0].number);
    assert_eq!(plot.axes[6].place(last.values[6]), 0.0);
    for line in &plot.lines {
        for (axis, &value) in plot.axes.iter().zip(&line.values) {
            assert!((-1e-12..=1.0 + 1e-12).contains(&axis.place(value)), "{} {value}", axis.name);
        }
    }
    let text = serde_json::to_string(&plot).unwrap();
    assert_eq!(serde_json::from_str::<crate::tuning::ParallelCoordinates>(&text).unwrap(), plot);
    record.trials.clear();
    assert!(parallel_coordinates(&record).is_err());
}
