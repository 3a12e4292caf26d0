//! Resumed is uninterrupted, and threads change nothing.

use burn::tensor::Device;
use supervised::augmentation::MixSpace;
use supervised::{Checkpoints, Objective, SupervisedConfig, SupervisedError, Trained, train};

use crate::markets::{OBJECTIVES, StopAfter, config, dataset, gapped, parameters, trained};

/// Every technique that the objective has.
pub(crate) fn everything(objective: Objective, space: MixSpace) -> SupervisedConfig {
    let mut config = config(objective);
    config.epochs = 4;
    config.network.dropout.input = 0.1;
    config.loss.entropy_penalty = 0.05;
    config.loss.triplet.weight = 0.2;
    let mining = &mut config.sampling.hard_negatives;
    (mining.enabled, mining.start_epoch, mining.full_epoch, mining.refresh_epochs) = (true, 1, 3, 2);
    config.sampling.curriculum_epochs = 3.0;
    config.optimiser.average.enabled = true;
    config.optimiser.sharpness.enabled = true;
    config.optimiser.lookahead.enabled = true;
    config.optimiser.adaptive_clipping.enabled = true;
    let augmentation = &mut config.augmentation;
    augmentation.noise.deviation = 0.05;
    (augmentation.time_mask.probability, augmentation.time_mask.maximum_span) = (0.3, 3);
    (augmentation.mix_up.alpha, augmentation.mix_up.space) = (0.4, space);
    if objective == Objective::LastStep {
        augmentation.smote.enabled = true;
        augmentation.time_shift.maximum_steps = 2;
        config.sampling.maximum_samples_per_epoch = Some(400);
    }
    config
}

fn same(left: &Trained, right: &Trained) {
    assert_eq!(left.history, right.history);
    assert_eq!(left.best_epoch, right.best_epoch);
    assert_eq!(left.prior, right.prior);
    assert_eq!(parameters(left), parameters(right));
}

#[test]
fn resumed_is_uninterrupted_to_the_bit() {
    for objective in OBJECTIVES {
        for space in [MixSpace::Inputs, MixSpace::Embeddings] {
            let config = everything(objective, space);
            let (dataset, _) = dataset(&gapped(500), &config);
            let whole = trained(&dataset, &config).unwrap();
            assert_eq!(whole.history.len(), 4);
            assert!(whole.history[0].hard_share == 0.0 && whole.history[3].hard_share > 0.0);
            let directory = tempfile::tempdir().unwrap();
            // Stopped after every single epoch.
            for stop in 1..=4 {
                let checkpoints = Checkpoints { directory: Some(directory.path()), resume: stop > 1 };
                let observer = &mut StopAfter(stop);
                let part = train(&dataset, &config, &Device::flex(), "data", checkpoints, observer).unwrap();
                assert_eq!(part.history, whole.history[..stop], "{objective:?} {space:?}");
                if stop == 4 {
                    same(&part, &whole);
                }
            }
            // Resuming what is finished gives it again.
            let checkpoints = Checkpoints { directory: Some(directory.path()), resume: true };
            same(&train(&dataset, &config, &Device::flex(), "data", checkpoints, &mut ()).unwrap(), &whole);
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    for objective in OBJECTIVES {
        let mut config = everything(objective, MixSpace::Inputs);
        config.epochs = 2;
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (dataset, fit) = dataset(&gapped(500), &config);
                (trained(&dataset, &config).unwrap(), fit)
            })
        };
        let ((one, fit), (three, other_fit)) = (run(1), run(3));
        same(&one, &three);
        assert_eq!(fit, other_fit);
        // Outside of any pool batches are made ahead, which changes nothing either.
        let (dataset, _) = dataset(&gapped(500), &config);
        same(&one, &trained(&dataset, &config).unwrap());
    }
}

#[test]
fn the_seed_changes_everything() {
    for objective in OBJECTIVES {
        let mut config = config(objective);
        config.epochs = 1;
        config.learning_rate.warmup_epochs = 0.0;
        let (dataset, _) = dataset(&gapped(400), &config);
        let first = trained(&dataset, &config).unwrap();
        same(&first, &trained(&dataset, &config).unwrap());
        let other = trained(&dataset, &SupervisedConfig { seed: 2, ..config }).unwrap();
        assert_ne!(parameters(&first), parameters(&other));
    }
}

#[test]
fn a_directory_that_holds_a_training_is_not_begun_anew() {
    let config = config(Objective::EveryStep);
    let (dataset, _) = dataset(&gapped(400), &config);
    let directory = tempfile::tempdir().unwrap();
    let begin = |resume| {
        let checkpoints = Checkpoints { directory: Some(directory.path()), resume };
        train(&dataset, &config, &Device::flex(), "data", checkpoints, &mut StopAfter(1))
    };
    // Nothing is there yet, so that a resumed training begins.
    assert_eq!(begin(true).unwrap().history.len(), 1);
    let error = begin(false).unwrap_err();
    assert!(
        matches!(&error, SupervisedError::File { path, .. } if path.ends_with("last.safetensors")),
        "{error}"
    );
    assert!(error.to_string().contains("--resume"), "{error}");
}
