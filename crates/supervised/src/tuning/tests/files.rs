//! The study file: shared, cut short, changed.

use std::fs;
use std::path::{Path, PathBuf};

use super::{cost, definition};
use crate::error::SupervisedError;
use crate::tuning::{
    Direction, PrunerConfig, SamplerConfig, Study, StudyDefinition, StudyRecord, TrialState, tune,
};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.jsonl");
    (folder, path)
}

fn run(path: &Path, trials: usize, process: &str) -> Study {
    let mut study = Study::open(path, &definition(7), process).unwrap();
    for trial in study.running() {
        study.abandon(trial).unwrap();
    }
    tune::<SupervisedError>(
        &mut study,
        trials,
        |assignment, handle| {
            let value = cost(assignment);
            let _ = handle.report(1, value)?;
            Ok(value)
        },
        |_| {},
    )
    .unwrap();
    study
}

#[test]
fn handles_that_share_a_file_lose_nothing() {
    let (_folder, path) = folder();
    // Each thread has its own open file, and locks belong to open files: to the system they are processes.
    let studies =
        ["first", "second", "third"].map(|process| Study::open(&path, &definition(7), process).unwrap());
    let together = std::sync::Barrier::new(studies.len());
    std::thread::scope(|scope| {
        for mut study in studies {
            let together = &together;
            scope.spawn(move || {
                together.wait();
                tune::<SupervisedError>(
                    &mut study,
                    40,
                    |assignment, handle| {
                        for step in 1..=5 {
                            let _ = handle.report(step, step as f64 + handle.number() as f64)?;
                        }
                        Ok(cost(assignment))
                    },
                    |_| {},
                )
                .unwrap();
            });
        }
    });
    // Reading checks that numbers follow each other, none twice, and that no event is out of place.
    let record = StudyRecord::read(&path).unwrap();
    assert_eq!(record.counts().finished, 40);
    assert_eq!(record.trials.len(), 40);
    assert!(record.set_aside.is_empty());
    for trial in &record.trials {
        let reported: Vec<f64> = trial.reports.iter().map(|report| report.value).collect();
        assert_eq!(reported, [1, 2, 3, 4, 5].map(|step| (step + trial.number) as f64));
        assert_eq!(trial.value(), Some(cost(&trial.parameters)));
    }
    let lines = fs::read_to_string(&path).unwrap().lines().count();
    assert_eq!(lines, 1 + 40 * 7);
}

#[test]
fn a_process_counts_what_others_run() {
    let (_folder, path) = folder();
    let mut first = Study::open(&path, &definition(7), "first").unwrap();
    let mut second = Study::open(&path, &definition(7), "second").unwrap();
    let outcome = tune::<SupervisedError>(
        &mut first,
        1,
        |_, handle| {
            // While trial 0 runs, the other needs one trial of two, and none of one.
            assert_eq!(handle.number(), 0);
            let idle = tune::<SupervisedError>(&mut second, 1, |_, _| panic!("not needed"), |_| {})?;
            assert_eq!(idle.running_elsewhere, [0]);
            let one =
                tune::<SupervisedError>(&mut second, 2, |_, handle| Ok(handle.number() as f64), |_| {})?;
            assert_eq!((one.counts.finished, one.counts.running), (1, 1));
            Ok(5.0)
        },
        |_| {},
    )
    .unwrap();
    assert_eq!((outcome.counts.finished, outcome.counts.running), (2, 0));
    assert_eq!(outcome.running_elsewhere, [0_usize; 0]);
}

#[test]
fn a_line_cut_short_anywhere_is_set_aside_and_the_study_goes_on() {
    let (folder, path) = folder();
    let whole = run(&path, 3, "first").record().clone();
    let bytes = fs::read(&path).unwrap();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    let cut = folder.path().join("cut.jsonl");
    // Of the last line, of the first one, and of a report in the middle.
    for count in [lines.len(), 1, 3] {
        let before: usize = lines[..count - 1].iter().map(|line| line.len()).sum();
        for kept in 0..lines[count - 1].len() {
            fs::write(&cut, &bytes[..before + kept]).unwrap();
            let study = run(&cut, 3, "second");
            let record = study.record();
            let set_aside = &record.set_aside;
            if kept == 0 {
                assert!(set_aside.is_empty());
            } else {
                assert_eq!(set_aside.len(), 1, "{kept} bytes kept");
                assert_eq!(set_aside[0].line, count);
                assert_eq!(set_aside[0].text.as_bytes(), &lines[count - 1][..kept]);
            }
            assert_eq!(&StudyRecord::read(&cut).unwrap(), record);
            for (found, expected) in record.trials.iter().zip(&whole.trials) {
                assert_eq!(found.parameters, expected.parameters);
                assert_eq!(found.state, expected.state);
                assert_eq!(found.reports, expected.reports);
            }
            assert_eq!(record.trials.len(), 3);
        }
    }
}

#[test]
fn what_marks_an_unfinished_line_may_be_cut_short_itself() {
    let (folder, path) = folder();
    run(&path, 2, "first");
    let bytes = fs::read(&path).unwrap();
    let torn = folder.path().join("torn.jsonl");
    fs::write(&torn, &bytes[..bytes.len() - 5]).unwrap();
    let length = bytes.len() - 5;
    run(&torn, 3, "second");
    let after = fs::read(&torn).unwrap();
    // The next append was the mark, a line end and an event; it may have ended anywhere.
    let next = length + after[length..].iter().position(|&byte| byte == b'\n').unwrap() + 1;
    let event = next + after[next..].iter().position(|&byte| byte == b'\n').unwrap() + 1;
    for end in length..=event {
        fs::write(&torn, &after[..end]).unwrap();
        let record = StudyRecord::read(&torn).unwrap();
        let expected = if end <= next || end == event { 1 } else { 2 };
        assert_eq!(record.set_aside.len(), expected, "{end}");
        assert_eq!(fs::read(&torn).unwrap(), &after[..end], "reading changes nothing");
        let study = run(&torn, 3, "third");
        assert_eq!(study.record().counts().finished, 3);
        assert_eq!(&StudyRecord::read(&torn).unwrap(), study.record());
    }
}

#[test]
fn an_open_handle_finds_the_line_that_another_left() {
    let (_folder, path) = folder();
    let mut open = run(&path, 2, "first");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend_from_slice(b"{\"event\":\"star\xc3");
    fs::write(&path, &bytes).unwrap();
    open.refresh().unwrap();
    assert_eq!(open.record().set_aside[0].text, "{\"event\":\"star\u{fffd}");
    tune::<SupervisedError>(&mut open, 3, |_, _| Ok(1.0), |_| {}).unwrap();
    assert_eq!(open.record().set_aside.len(), 1);
    assert_eq!(&StudyRecord::read(&path).unwrap(), open.record());
}

#[test]
fn a_broken_line_in_the_middle_is_named() {
    let (_folder, path) = folder();
    run(&path, 2, "first");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let with = |at: usize, line: &str| {
        let mut changed = lines.clone();
        changed[at] = line;
        changed.join("\n") + "\n"
    };
    let without = |at: usize| {
        let mut changed = lines.clone();
        changed.remove(at);
        changed.join("\n") + "\n"
    };
    let cases = [
        (with(2, &lines[2][..12]), "line 3 is no event"),
        (with(2, ""), "line 3 is no event"),
        (with(0, lines[1]), "line 1 does not begin a study"),
        (with(0, &lines[0].replace("512", "511")), "line 1 has a search space that its hash does not fit"),
        (with(0, &lines[0].replace("\"format\":1", "\"format\":2")), "format 2"),
        (with(3, lines[0]), "line 4 does not follow from those before it: a second first line"),
        (with(1, &lines[1].replace("\"trial\":0", "\"trial\":1")), "trial 1 begins after 0 trials"),
        (with(1, &lines[1].replace("\"kind\":", "\"type\":")), "line 2 does not follow"),
        (with(4, lines[1]), "trial 0 begins a second time"),
        (without(1), "line 2 does not follow from those before it: there is no trial 0"),
        (with(2, lines[3]), "line 4 does not follow from those before it: trial 0 is not running"),
        (with(3, lines[2]), "reports step 1 after step 1"),
    ];
    for (text, expected) in cases {
        fs::write(&path, text).unwrap();
        let opened = Study::open(&path, &definition(7), "second").map(|study| study.record().clone());
        for result in [opened, StudyRecord::read(&path)] {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(expected), "{expected}\n{message}");
        }
    }
}

#[test]
fn another_study_is_refused_with_the_difference() {
    let (_folder, path) = folder();
    run(&path, 1, "first");
    let before = fs::read(&path).unwrap();
    let same = definition(7);
    let mut wider = same.clone();
    wider.space.parameters[4] =
        crate::tuning::Parameter::Integer { key: "width".into(), low: 8, high: 1024, step: 1, log: true };
    let mut fewer = same.clone();
    fewer.space.parameters.remove(1);
    let mut more = same.clone();
    more.space.parameters[1] =
        crate::tuning::Parameter::Float { key: "z".into(), low: 0.0, high: 1.0, log: false };
    more.space.parameters.push(same.space.parameters[1].clone());
    let mut turned = same.clone();
    turned.space.parameters.swap(0, 1);
    let cases = [
        (StudyDefinition { metric: "loss".into(), ..same.clone() }, "the metric is cost, not loss"),
        (StudyDefinition { direction: Direction::Maximise, ..same.clone() }, "Minimise, not Maximise"),
        (StudyDefinition { seed: 8, ..same.clone() }, "the seed is 7, not 8"),
        (StudyDefinition { context: "data 9".into(), ..same.clone() }, "`data 1, split 2`, not `data 9`"),
        (StudyDefinition { sampler: SamplerConfig::Random {}, ..same.clone() }, "the sampler is"),
        (StudyDefinition { pruner: PrunerConfig::default(), ..same }, "the pruner is None"),
        (wider, "`width` as"),
        (fewer, "`y` in addition"),
        (more, "has no `z`"),
        (turned, "another order"),
    ];
    for (other, expected) in cases {
        let message = Study::open(&path, &other, "second").unwrap_err().to_string();
        assert!(message.contains(expected), "{expected}\n{message}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    assert!(StudyRecord::read(&path.with_extension("none")).is_err());
}

#[test]
fn an_abandoned_process_cannot_add_to_a_trial_that_another_has_taken_up() {
    let (_folder, path) = folder();
    let mut first = Study::open(&path, &definition(7), "first").unwrap();
    let mut second = Study::open(&path, &definition(7), "second").unwrap();
    let result = tune::<SupervisedError>(
        &mut first,
        2,
        |assignment, handle| {
            let _ = handle.report(1, 9.0)?;
            second.refresh()?;
            second.abandon(0)?;
            assert!(second.abandon(0).unwrap_err().to_string().contains("not running"));
            tune::<SupervisedError>(
                &mut second,
                1,
                |again, second| {
                    assert_eq!((again, second.number()), (assignment, 0));
                    // It runs, but not here.
                    assert!(handle.report(2, 9.0).unwrap_err().to_string().contains("abandoned"));
                    Ok(1.0)
                },
                |_| {},
            )?;
            assert!(handle.report(2, 9.0).unwrap_err().to_string().contains("abandoned"));
            Ok(2.0)
        },
        |_| {},
    );
    assert!(result.unwrap_err().to_string().contains("abandoned"));
    let record = StudyRecord::read(&path).unwrap();
    assert_eq!(record.trials.len(), 1);
    assert_eq!(record.trials[0].state, TrialState::Finished(1.0));
    assert_eq!((record.trials[0].attempt, record.trials[0].process.as_str()), (2, "second"));
    assert!(record.trials[0].reports.is_empty(), "the reports of the first attempt are gone");
}
