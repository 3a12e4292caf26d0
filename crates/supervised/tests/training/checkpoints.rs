//! Checkpoints that were cut short, changed, or written for something else; and writers that are killed.

use std::path::Path;

use burn::tensor::Device;
use supervised::dataset::Dataset;
use supervised::{
    Checkpoints, EpochReport, Objective, Observer, StepReport, SupervisedConfig, SupervisedError, Trained,
    train,
};

use crate::markets::{StopAfter, config, dataset, gapped, parameters, trained};

const DIRECTORY: &str = "MATRELA_TEST_KILLED_TRAINING";
const ABORT_AT: &str = "MATRELA_TEST_KILLED_AT_STEP";

fn small() -> (SupervisedConfig, Dataset) {
    let config = config(Objective::LastStep);
    let (dataset, _) = dataset(&gapped(400), &config);
    (config, dataset)
}

fn resume(
    directory: &Path,
    (config, dataset): &(SupervisedConfig, Dataset),
    observer: &mut dyn Observer,
) -> Result<Trained, SupervisedError> {
    let checkpoints = Checkpoints { directory: Some(directory), resume: true };
    train(dataset, config, &Device::flex(), "data", checkpoints, observer)
}

/// Refused, with the name of the file and what to do.
fn refused(result: Result<Trained, SupervisedError>, what: &str) -> String {
    assert!(result.is_err(), "{what} was taken");
    let error = result.unwrap_err();
    assert!(
        matches!(&error, SupervisedError::File { path, .. } if path.ends_with("last.safetensors")),
        "{what}: {error}"
    );
    let text = error.to_string();
    assert!(text.contains("begin anew"), "{what}: {text}");
    text
}

#[test]
fn a_file_that_was_cut_or_changed_is_refused() {
    let training = small();
    let directory = tempfile::tempdir().unwrap();
    resume(directory.path(), &training, &mut StopAfter(1)).unwrap();
    let path = directory.path().join("last.safetensors");
    let whole = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let few = [0, 1, 7, 8, 9, header - 1, header, header + 1, whole.len() - 1];
    for cut in (0..whole.len()).step_by(whole.len() / 20).chain(few) {
        std::fs::write(&path, &whole[..cut]).unwrap();
        refused(resume(directory.path(), &training, &mut ()), &format!("cut at {cut}"));
    }
    let spread = |from: usize, to: usize, count: usize| (from..to).step_by(((to - from) / count).max(1));
    for place in (0..8).chain(spread(8, header, 60)).chain(spread(header, whole.len(), 20)) {
        for flip in [0x01, 0x80] {
            let mut changed = whole.clone();
            changed[place] ^= flip;
            std::fs::write(&path, &changed).unwrap();
            refused(
                resume(directory.path(), &training, &mut ()),
                &format!("byte {place} of {header}, {flip}"),
            );
        }
    }
    std::fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
    refused(resume(directory.path(), &training, &mut ()), "a byte more");
    // Whole again, and with what a killed writer left beside it, it goes on.
    std::fs::write(&path, &whole).unwrap();
    std::fs::write(directory.path().join(".unfinished-abc"), &whole[..100]).unwrap();
    let found = resume(directory.path(), &training, &mut ()).unwrap();
    let expected = trained(&training.1, &training.0).unwrap();
    assert_eq!(found.history, expected.history);
    assert_eq!(parameters(&found), parameters(&expected));
}

#[test]
fn another_configuration_or_other_data_are_refused_by_name() {
    let training = small();
    let directory = tempfile::tempdir().unwrap();
    resume(directory.path(), &training, &mut StopAfter(1)).unwrap();
    let changed = |change: &dyn Fn(&mut SupervisedConfig)| {
        let mut config = training.0.clone();
        change(&mut config);
        refused(resume(directory.path(), &(config, training.1.clone()), &mut ()), "another configuration")
    };
    let text = changed(&|config| config.learning_rate.base = 0.002);
    assert!(text.contains("`learning_rate.base` was 0.001, now it is 0.002"), "{text}");
    assert!(changed(&|config| config.seed = 9).contains("`seed` was 1, now it is 9"));
    assert!(changed(&|config| config.epochs = 9).contains("`epochs`"));
    assert!(changed(&|config| config.optimiser.average.decay = 0.5).contains("`optimiser.average.decay`"));
    assert!(
        changed(&|config| config.learning_rate.epochs = Some(2.0))
            .contains("`learning_rate.epochs` was null")
    );
    let checkpoints = Checkpoints { directory: Some(directory.path()), resume: true };
    let (config, dataset) = &training;
    let other = train(dataset, config, &Device::flex(), "other data", checkpoints, &mut ());
    assert!(refused(other, "other data").contains("other candles, features or labels"));
}

/// Dies at a step, as from a kill: no destructor runs, no buffer is flushed.
struct AbortAt(u64);

impl Observer for AbortAt {
    fn step(&mut self, _report: StepReport) {
        if self.0 == 0 {
            std::process::abort();
        }
        self.0 -= 1;
    }

    fn epoch(&mut self, _report: &EpochReport) -> Result<bool, SupervisedError> {
        Ok(true)
    }
}

/// The second process. Without its environment it is no test and has nothing to do.
#[test]
fn trainer() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let abort_at = std::env::var(ABORT_AT).map_or(u64::MAX, |step| step.parse().unwrap());
    resume(Path::new(&directory), &small(), &mut AbortAt(abort_at)).unwrap();
}

/// Runs [`trainer`] in a process of its own, through a shell that sets limits.
#[cfg(unix)]
fn killed(directory: &Path, limits: &str, abort_at: Option<u64>) -> bool {
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("{limits} exec \"$0\" --exact checkpoints::trainer --test-threads=1")]);
    command.arg(std::env::current_exe().unwrap()).env(DIRECTORY, directory);
    if let Some(step) = abort_at {
        command.env(ABORT_AT, step.to_string());
    }
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    !command.status().unwrap().success()
}

#[cfg(unix)]
#[test]
fn a_kill_costs_at_most_the_epoch_that_it_hits() {
    let training = small();
    let whole = trained(&training.1, &training.0).unwrap();
    let (first, last) = (whole.history[0].steps, whole.history[2].steps);
    for step in [0, first - 1, first, first + 1, last - 1] {
        let directory = tempfile::tempdir().unwrap();
        assert!(killed(directory.path(), "", Some(step)), "step {step}");
        // What goes on from there has one epoch to do that was begun, and those that were not.
        let next = resume(directory.path(), &training, &mut StopAfter(1)).unwrap().history.len() as u64;
        assert_eq!(next, step / first + 1, "step {step}");
        let found = resume(directory.path(), &training, &mut ()).unwrap();
        assert_eq!(found.history, whole.history);
        assert_eq!(parameters(&found), parameters(&whole));
    }
}

/// A process that writes more into a file than it may is killed in the midst of it.
#[cfg(unix)]
#[test]
fn a_kill_while_a_checkpoint_is_written_leaves_the_one_before() {
    let training = small();
    let whole = trained(&training.1, &training.0).unwrap();
    let path = |directory: &Path| directory.join("last.safetensors");
    for blocks in [0, 1, 20] {
        let directory = tempfile::tempdir().unwrap();
        resume(directory.path(), &training, &mut StopAfter(1)).unwrap();
        let before = std::fs::read(path(directory.path())).unwrap();
        assert!(before.len() > 3 * 20 * 1024);
        assert!(killed(directory.path(), &format!("ulimit -c 0; ulimit -f {blocks};"), None));
        assert_eq!(std::fs::read(path(directory.path())).unwrap(), before);
        let unfinished = std::fs::read_dir(directory.path()).unwrap().count();
        assert!(unfinished > 2, "the writer was killed before it began");
        let found = resume(directory.path(), &training, &mut ()).unwrap();
        assert_eq!(found.history, whole.history);
        assert_eq!(parameters(&found), parameters(&whole));
    }
}
