//! Which trials are given up.

use super::{definition, reference};
use crate::error::SupervisedError;
use crate::tuning::{
    Advice, Direction, HyperbandConfig, MedianConfig, PrunerConfig, Study, StudyDefinition, Trial,
    TrialState, tune,
};

/// Runs the curves one after the other; the trials that come of it.
fn run(pruner: &PrunerConfig, curves: &[Vec<f64>], direction: Direction) -> Vec<Trial> {
    let folder = tempfile::tempdir().unwrap();
    let definition = StudyDefinition { pruner: pruner.clone(), direction, ..definition(0) };
    let mut study = Study::open(&folder.path().join("study"), &definition, "").unwrap();
    let sign = if direction == Direction::Minimise { 1.0 } else { -1.0 };
    tune::<SupervisedError>(
        &mut study,
        curves.len(),
        |_, handle| {
            let curve = &curves[handle.number()];
            for (step, value) in curve.iter().enumerate() {
                if handle.report(step as u64 + 1, sign * value)? == Advice::Prune {
                    // A report more is refused.
                    assert!(handle.report(step as u64 + 2, 0.0).is_err());
                    return Ok(f64::NAN);
                }
            }
            Ok(sign * curve[curve.len() - 1])
        },
        |_| {},
    )
    .unwrap();
    study.record().trials.clone()
}

/// The step at which each trial was given up, or 0.
fn pruned_at(trials: &[Trial]) -> Vec<u64> {
    let at = |trial: &Trial| match trial.state {
        TrialState::Pruned => trial.reports.last().unwrap().step,
        _ => 0,
    };
    trials.iter().map(at).collect()
}

fn pruners() -> [PrunerConfig; 3] {
    [
        PrunerConfig::Median(MedianConfig { startup_trials: 4, warm_up_steps: 3 }),
        PrunerConfig::Hyperband(HyperbandConfig { min_resource: 2, max_resource: 10, eta: 2 }),
        PrunerConfig::Hyperband(HyperbandConfig { min_resource: 1, max_resource: 10, eta: 3 }),
    ]
}

#[test]
fn the_median_rule_is_that_of_optuna() {
    let reference = reference();
    for direction in [Direction::Minimise, Direction::Maximise] {
        let trials = run(&pruners()[0], &reference.curves, direction);
        assert_eq!(pruned_at(&trials), reference.median);
    }
}

#[test]
fn the_best_curve_is_never_given_up_and_hopeless_ones_are() {
    let curves = reference().curves;
    for pruner in pruners() {
        for direction in [Direction::Minimise, Direction::Maximise] {
            let trials = run(&pruner, &curves, direction);
            // Levels 0.3 and 1.9: the best and the worst of the table.
            assert!(matches!(trials[6].state, TrialState::Finished(_)), "{pruner:?}");
            let pruned = trials.iter().filter(|trial| trial.state == TrialState::Pruned).count();
            assert!((3..14).contains(&pruned), "{pruner:?} gives up {pruned}");
        }
    }
    for pruner in &pruners()[..2] {
        let trials = run(pruner, &curves, Direction::Minimise);
        assert_eq!(trials[12].state, TrialState::Pruned, "{pruner:?}");
    }
    let unpruned = run(&PrunerConfig::None {}, &curves, Direction::Minimise);
    assert_eq!(pruned_at(&unpruned), vec![0; curves.len()]);
}

#[test]
fn options_are_checked() {
    let refused = [
        PrunerConfig::Median(MedianConfig { startup_trials: 0, ..Default::default() }),
        PrunerConfig::Hyperband(HyperbandConfig { min_resource: 0, ..Default::default() }),
        PrunerConfig::Hyperband(HyperbandConfig { min_resource: 5, max_resource: 5, eta: 2 }),
        PrunerConfig::Hyperband(HyperbandConfig { eta: 1, ..Default::default() }),
    ];
    for pruner in refused {
        assert!(pruner.validate().is_err(), "{pruner:?}");
    }
    for text in ["kind = \"none\"", "kind = \"median\"\nwarm_up_steps = 2", "kind = \"hyperband\"\neta = 2"] {
        toml::from_str::<PrunerConfig>(text).unwrap().validate().unwrap();
    }
    for text in ["kind = \"none\"\neta = 2", "kind = \"median\"\neta = 2", "kind = \"halving\""] {
        assert!(toml::from_str::<PrunerConfig>(text).is_err(), "{text}");
    }
}
