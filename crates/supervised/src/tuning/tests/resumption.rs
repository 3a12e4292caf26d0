//! A study that was interrupted equals one that was not.

use std::fs;

use proptest::prelude::*;

use super::{cost, definition};
use crate::error::SupervisedError;
use crate::tuning::{
    Advice, Assignment, HyperbandConfig, MedianConfig, PrunerConfig, Study, StudyDefinition, StudyRecord,
    Trial, TrialHandle, TrialState, tune,
};

const TRIALS: usize = 24;

/// Nine steps that fall to the cost; values far out diverge after the first.
fn objective(assignment: &Assignment, handle: &mut TrialHandle<'_>) -> Result<f64, SupervisedError> {
    let value = cost(assignment);
    for step in 1..=9 {
        if step == 2 && value > 7.0 {
            return Ok(f64::NAN);
        }
        if handle.report(step, value + 3.0 / step as f64)? == Advice::Prune {
            return Ok(0.0);
        }
    }
    Ok(value)
}

fn pruners() -> [PrunerConfig; 2] {
    [
        PrunerConfig::Median(MedianConfig { startup_trials: 3, warm_up_steps: 3 }),
        PrunerConfig::Hyperband(HyperbandConfig { min_resource: 1, max_resource: 9, eta: 3 }),
    ]
}

/// What must be equal: all but who ran it, and how often it was begun.
fn results(trials: &[Trial]) -> Vec<Trial> {
    trials.iter().cloned().map(|trial| Trial { attempt: 1, process: String::new(), ..trial }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn resumed_is_uninterrupted(places in prop::collection::vec(0.0..1.0_f64, 1..4)) {
        for pruner in pruners() {
            let folder = tempfile::tempdir().unwrap();
            let definition = StudyDefinition { pruner, ..definition(2) };
            let path = folder.path().join("whole.jsonl");
            let mut study = Study::open(&path, &definition, "one").unwrap();
            tune(&mut study, TRIALS, objective, |_| {}).unwrap();
            let whole = study.record().clone();
            prop_assert!(whole.counts().pruned > 0 && whole.counts().diverged > 0, "{:?}", whole.counts());
            // Killed at any byte, several times over.
            let path = folder.path().join("cut.jsonl");
            fs::copy(folder.path().join("whole.jsonl"), &path).unwrap();
            for place in &places {
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..(bytes.len() as f64 * place) as usize]).unwrap();
                let mut study = Study::open(&path, &definition, "two").unwrap();
                for trial in study.running() {
                    study.abandon(trial).unwrap();
                }
                let outcome = tune(&mut study, TRIALS, objective, |_| {}).unwrap();
                prop_assert_eq!(outcome.counts, whole.counts());
                prop_assert_eq!(results(&study.record().trials), results(&whole.trials));
                prop_assert_eq!(&StudyRecord::read(&path).unwrap(), study.record());
            }
        }
    }
}

#[test]
fn a_longer_study_continues_a_shorter_one() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let mut study = Study::open(&whole, &definition(2), "").unwrap();
    tune(&mut study, 12, objective, |_| {}).unwrap();
    for trials in [3, 3, 8, 12, 5] {
        let mut part = Study::open(&parts, &definition(2), "").unwrap();
        tune(&mut part, trials, objective, |_| {}).unwrap();
    }
    assert_eq!(fs::read(whole).unwrap(), fs::read(parts).unwrap());
}

#[test]
fn an_error_ends_the_search_and_its_trial_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study");
    let mut study = Study::open(&path, &definition(2), "").unwrap();
    let mut seen = Vec::new();
    let mut failing = |assignment: &Assignment, handle: &mut TrialHandle<'_>| match handle.number() {
        2 => Err(SupervisedError::data("disk", "full")),
        _ => objective(assignment, handle),
    };
    let error = tune(&mut study, 5, &mut failing, |trial| seen.push(trial.number)).unwrap_err();
    assert_eq!(error.to_string(), "disk: full");
    assert_eq!(study.record().trials[2].state, TrialState::Failed("disk: full".into()));
    let outcome = tune(&mut study, 5, &mut failing, |trial| seen.push(trial.number)).unwrap();
    assert_eq!((outcome.counts.settled(), outcome.counts.failed), (5, 1));
    assert_eq!(seen, [0, 1, 3, 4, 5]);
}

#[test]
fn reports_that_mean_nothing_are_refused_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study");
    let mut study = Study::open(&path, &definition(2), "").unwrap();
    tune::<SupervisedError>(
        &mut study,
        1,
        |_, handle| {
            assert!(handle.report(0, 1.0).is_err());
            assert!(handle.report(1, f64::NAN).is_err());
            assert_eq!(handle.report(2, 1.0)?, Advice::Continue);
            assert!(handle.report(2, 1.0).unwrap_err().to_string().contains("step 2 after step 2"));
            Ok(1.0)
        },
        |_| {},
    )
    .unwrap();
    assert_eq!(StudyRecord::read(&path).unwrap().trials[0].reports.len(), 1);
}
