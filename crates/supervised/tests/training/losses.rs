//! What a training learns from, held against what an evaluation sees: every label once, with its weight, its row and
//! the state before it.

use burn::tensor::{Device, Tensor, TensorData};
use supervised::augmentation::{BatchKey, MixSpace, draw_mix, mix_rows};
use supervised::dataset::{Dataset, Part, SampleWindow};
use supervised::metrics::MetricName;
use supervised::sampling::{HardPool, Sample, Sampler, StepRows, StepWeights};
use supervised::{
    Checkpoints, EpochReport, Objective, Observer, RowLogits, StepReport, SupervisedConfig, SupervisedError,
    evaluate, train,
};

use crate::markets::{OBJECTIVES, config, dataset, gapped, parameters, trained};

/// A training that moves nothing and whose loss is the weighted log-loss.
fn still(objective: Objective) -> SupervisedConfig {
    let mut config = config(objective);
    config.epochs = 1;
    config.learning_rate.warmup_epochs = 0.0;
    (config.learning_rate.base, config.learning_rate.minimum) = (1e-30, 0.0);
    config.network.dropout = xlstm::DropoutConfig::default();
    (config.loss.smoothing, config.loss.asymmetric_focal) = (0.0, false);
    config.optimiser.average.enabled = false;
    config.sampling.class_balanced = false;
    config
}

/// How often and with which weight training takes each row in an epoch; the pool of an epoch that mines is of these
/// losses.
fn weights(
    dataset: &Dataset,
    config: &SupervisedConfig,
    rows: &RowLogits,
    losses: &[f32],
    epoch: usize,
) -> Vec<f32> {
    let mining = &config.sampling.hard_negatives;
    match config.objective {
        Objective::LastStep => {
            let samples = dataset.samples(Part::Training, config.sequence_length);
            assert_eq!(rows.row, samples.iter().map(|sample| sample.row).collect::<Vec<_>>());
            let sampler = Sampler::new(&config.sampling, &samples, config.seed).unwrap();
            let pool = HardPool::from_losses(&samples, losses, mining).unwrap();
            let mut weights = vec![0.0; samples.len()];
            for batch in sampler.epoch(epoch, Some(&pool)).unwrap().batches() {
                for sample in batch {
                    weights[*sample as usize] += sampler.sample_weights()[*sample as usize];
                }
            }
            weights
        }
        Objective::EveryStep => {
            let of = |series: &supervised::dataset::DatasetSeries| {
                series.parts().iter().map(|part| *part == Part::Training).collect::<Vec<_>>()
            };
            let supervised: Vec<_> = dataset.series().iter().map(of).collect();
            let classes: Vec<_> = dataset.series().iter().map(|series| series.classes().to_vec()).collect();
            let uniqueness: Vec<_> =
                dataset.series().iter().map(|series| series.uniqueness().to_vec()).collect();
            let all = StepRows { supervised: &supervised, classes: &classes, uniqueness: &uniqueness };
            let places =
                || rows.series.iter().zip(&rows.row).map(|(series, row)| (*series as usize, *row as usize));
            let mut by_row: Vec<Vec<f32>> = classes.iter().map(|rows| vec![f32::NAN; rows.len()]).collect();
            places().zip(losses).for_each(|((series, row), loss)| by_row[series][row] = *loss);
            let pool = HardPool::from_step_losses(&classes, &by_row, mining).unwrap();
            let weights = StepWeights::new(&config.sampling, all, epoch, Some(&pool)).unwrap().into_weights();
            places().map(|(series, row)| weights[series][row]).collect()
        }
    }
}

fn log_loss(logits: &[f32], target: u8) -> f64 {
    let logits: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
    logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[usize::from(target)]
}

/// The weighted mean log-loss of the training rows in every epoch, under the weights that training gives them.
fn expected(dataset: &Dataset, config: &SupervisedConfig) -> Vec<f64> {
    let classifier = trained(dataset, config).unwrap().classifier;
    let rows = evaluate(&classifier, dataset, Part::Training, config).unwrap();
    let pairs = rows.logits.chunks(3).zip(&rows.targets);
    let losses: Vec<f32> = pairs.map(|(logits, target)| log_loss(logits, *target) as f32).collect();
    let of_epoch = |epoch| {
        let weights = weights(dataset, config, &rows, &losses, epoch);
        let sum: f64 = losses.iter().zip(&weights).map(|(loss, weight)| f64::from(loss * weight)).sum();
        sum / weights.iter().map(|weight| f64::from(*weight)).sum::<f64>()
    };
    (0..config.epochs).map(of_epoch).collect()
}

#[test]
fn every_label_counts_once_with_its_own_weight_and_state() {
    for objective in OBJECTIVES {
        let mut config = still(objective);
        // So long that each segment begins with its run: its state is the one of the whole run.
        (config.segments.burn_in, config.segments.supervised_steps) = (1_000, 200);
        config.validation.context = 1_000;
        for balanced in [false, true] {
            config.sampling.class_balanced = balanced;
            let (dataset, _) = dataset(&gapped(500), &config);
            let loss = expected(&dataset, &config)[0];
            let epoch = trained(&dataset, &config).unwrap().history.remove(0);
            assert!(
                (epoch.training_loss - loss).abs() < 1e-5,
                "{objective:?}: {} {loss}",
                epoch.training_loss
            );
            let rows = match objective {
                Objective::LastStep => dataset.samples(Part::Training, config.sequence_length).len() as u64,
                Objective::EveryStep => dataset.rows(Part::Training),
            };
            assert_eq!(epoch.labels, rows);
        }
    }
}

#[test]
fn the_rows_that_were_hard_count_more() {
    for objective in OBJECTIVES {
        let mut config = still(objective);
        config.epochs = 3;
        (config.segments.burn_in, config.segments.supervised_steps) = (1_000, 200);
        config.validation.context = 1_000;
        let mining = &mut config.sampling.hard_negatives;
        (mining.enabled, mining.start_epoch, mining.share_start, mining.share_end) = (true, 1, 0.5, 0.5);
        let (dataset, _) = dataset(&gapped(500), &config);
        let losses = expected(&dataset, &config);
        let history = trained(&dataset, &config).unwrap().history;
        for (epoch, loss) in history.iter().zip(&losses) {
            let found = epoch.training_loss;
            assert!((found - loss).abs() < 1e-4, "{objective:?} {}: {found} {loss}", epoch.epoch);
            assert_eq!(epoch.hard_share, if epoch.epoch == 0 { 0.0 } else { 0.5 });
        }
        assert!(losses[1] > losses[0] + 0.01, "{losses:?}");
    }
}

/// The windows and the mix of the first epoch, made anew from what is public.
#[test]
fn mixed_samples_have_mixed_labels() {
    for space in [MixSpace::Inputs, MixSpace::Embeddings] {
        let mut config = still(Objective::LastStep);
        (config.augmentation.mix_up.alpha, config.augmentation.mix_up.space) = (1.0, space);
        let (dataset, _) = dataset(&gapped(500), &config);
        let trained = trained(&dataset, &config).unwrap();
        let classifier = trained.classifier;
        let samples = dataset.samples(Part::Training, config.sequence_length);
        let sampler = Sampler::new(&config.sampling, &samples, config.seed).unwrap();
        let (window, width) = (config.sequence_length * dataset.width(), config.network.width);
        let (mut sum, mut total) = (0.0, 0.0);
        for (number, batch) in sampler.epoch(0, None).unwrap().batches().enumerate() {
            let key = BatchKey { seed: config.seed, batch: number as u64 };
            let mix = draw_mix(batch.len(), &config.augmentation.mix_up, key).unwrap().unwrap();
            let mut inputs = vec![0.0; batch.len() * window];
            for (sample, inputs) in batch.iter().zip(inputs.chunks_mut(window)) {
                let Sample { series, row, .. } = samples[*sample as usize];
                let start = row + 1 - config.sequence_length as u32;
                dataset.copy_window(SampleWindow { series, start }, inputs).unwrap();
            }
            if space == MixSpace::Inputs {
                mix_rows(&mut inputs, window, &mix).unwrap();
            }
            let shape = [batch.len(), config.sequence_length, dataset.width()];
            let inputs = Tensor::<3>::from_data(TensorData::new(inputs, shape), &Device::flex());
            let hidden = classifier.network.forward(inputs).unwrap();
            let pooled = classifier.head.pool(hidden, None).unwrap();
            let mut pooled: Vec<f32> = pooled.into_data().try_into_vec().unwrap();
            if space == MixSpace::Embeddings {
                mix_rows(&mut pooled, width, &mix).unwrap();
            }
            let pooled =
                Tensor::<2>::from_data(TensorData::new(pooled, [batch.len(), width]), &Device::flex());
            let logits: Vec<f32> = classifier.head.classify(pooled, None).into_data().try_into_vec().unwrap();
            for (index, logits) in logits.chunks(3).enumerate() {
                let of = |position: u32, share: f32| {
                    let sample = batch[position as usize] as usize;
                    let weight = sampler.sample_weights()[sample];
                    f64::from(share * weight) * log_loss(logits, samples[sample].class)
                };
                sum += of(index as u32, mix.share[index]) + of(mix.partner[index], 1.0 - mix.share[index]);
                total += f64::from(sampler.sample_weights()[batch[index] as usize]);
            }
        }
        let found = trained.history[0].training_loss;
        assert!((found - sum / total).abs() < 1e-5, "{space:?}: {found} {}", sum / total);
    }
}

#[test]
fn a_sharpness_of_no_radius_changes_nothing() {
    for objective in OBJECTIVES {
        let mut config = config(objective);
        let (dataset, _) = dataset(&gapped(500), &config);
        let mut losses = |enabled, radius| -> Vec<f64> {
            (config.optimiser.sharpness.enabled, config.optimiser.sharpness.radius) = (enabled, radius);
            trained(&dataset, &config).unwrap().history.iter().map(|epoch| epoch.training_loss).collect()
        };
        let (without, none, some) = (losses(false, 0.1), losses(true, 1e-12), losses(true, 0.5));
        let far = |left: &[f64], right: &[f64]| {
            left.iter().zip(right).map(|(left, right)| (left - right).abs()).fold(0.0, f64::max)
        };
        // Same state and same dropout in the second pass, or this would be far off.
        assert!(far(&without, &none) < 1e-5, "{objective:?}: {without:?} {none:?}");
        assert!(far(&without, &some) > 1e-3, "{objective:?}: {without:?} {some:?}");
    }
}

struct Steps(Vec<StepReport>);

impl Observer for Steps {
    fn step(&mut self, report: StepReport) {
        self.0.push(report);
    }

    fn epoch(&mut self, _report: &EpochReport) -> Result<bool, SupervisedError> {
        Ok(true)
    }
}

#[test]
fn steps_are_told_and_the_rate_follows_its_schedule() {
    for objective in OBJECTIVES {
        let mut config = config(objective);
        (config.segments.burn_in, config.segments.supervised_steps) = (0, 64);
        let (dataset, _) = dataset(&gapped(500), &config);
        let mut steps = Steps(Vec::new());
        let checkpoints = Checkpoints::default();
        let trained = train(&dataset, &config, &Device::flex(), "data", checkpoints, &mut steps).unwrap();
        for (epoch, report) in trained.history.iter().enumerate() {
            let own: Vec<f64> =
                steps.0.iter().filter(|step| step.epoch == epoch).map(|step| step.done).collect();
            assert!(own.is_sorted() && own[0] > 0.0 && (own[own.len() - 1] - 1.0).abs() < 1e-12, "{own:?}");
            let rate = config.learning_rate.at(epoch as f64 + 1.0, 3.0);
            assert!((report.learning_rate - rate).abs() < 1e-12, "{} {rate}", report.learning_rate);
        }
        assert!(trained.history[2].learning_rate <= 1.001e-5);
        assert!(trained.history[2].training_loss < trained.history[0].training_loss);
    }
}

#[test]
fn state_is_carried_from_chunk_to_chunk_and_padding_counts_nothing() {
    let loss = |chunk, batch| {
        let mut config = still(Objective::EveryStep);
        (config.segments.chunk, config.segments.batch) = (chunk, batch);
        let (dataset, _) = dataset(&gapped(500), &config);
        let epoch = trained(&dataset, &config).unwrap().history.remove(0);
        assert_eq!(epoch.labels, dataset.rows(Part::Training));
        epoch.training_loss
    };
    // One segment at a time in one piece: neither chunks nor padding.
    let whole = loss(64, 1);
    for (chunk, batch) in [(1, 4), (5, 1), (16, 8), (16, 100), (64, 100)] {
        let found = loss(chunk, batch);
        assert!((found - whole).abs() < 1e-5, "{chunk} {batch}: {found} {whole}");
    }
}

#[test]
fn burn_in_fills_the_state() {
    let loss = |burn_in| {
        let mut config = still(Objective::EveryStep);
        config.segments.burn_in = burn_in;
        let (dataset, _) = dataset(&gapped(500), &config);
        let epoch = trained(&dataset, &config).unwrap().history.remove(0);
        assert_eq!(epoch.labels, dataset.rows(Part::Training));
        epoch.training_loss
    };
    let (none, some, more) = (loss(0), loss(16), loss(17));
    assert!((none - some).abs() > 1e-5, "{none} {some}");
    assert!((some - more).abs() < (none - some).abs(), "{none} {some} {more}");
}

#[test]
fn what_is_kept_is_what_was_validated() {
    for objective in OBJECTIVES {
        let mut config = config(objective);
        config.optimiser.average.decay = 0.9;
        let (dataset, _) = dataset(&gapped(500), &config);
        let averaged = trained(&dataset, &config).unwrap();
        let best = &averaged.history[averaged.best_epoch];
        let rows = evaluate(&averaged.classifier, &dataset, Part::Validation, &config).unwrap();
        let probabilities = supervised::calibration::softmax(&rows.logits).unwrap();
        let predicted = vec![1; rows.len()];
        let metrics =
            supervised::metrics::Metrics::of(&probabilities, &rows.targets, &predicted, averaged.prior)
                .unwrap();
        assert_eq!(metrics.log_loss.to_bits(), best.validation.log_loss.to_bits());
        assert_eq!(metrics.rows, best.validation.rows);
        // The average is judged only where it is asked for.
        config.validation.use_average = false;
        let last = trained(&dataset, &config).unwrap();
        config.optimiser.average.enabled = false;
        let without = trained(&dataset, &config).unwrap();
        assert_eq!(last.history, without.history);
        assert_eq!(parameters(&last), parameters(&without));
        assert_eq!(last.history[0].training_loss, averaged.history[0].training_loss);
        assert_ne!(last.history[0].validation, averaged.history[0].validation);
    }
}

#[test]
fn the_best_epoch_is_the_best_of_its_metric() {
    for metric in [MetricName::LogLoss, MetricName::MacroF1, MetricName::Loss] {
        let mut config = config(Objective::LastStep);
        (config.epochs, config.validation.metric) = (8, metric);
        // So fast that epochs are better and worse by turns.
        config.learning_rate.base = 0.03;
        config.learning_rate.minimum = 0.02;
        config.optimiser.average.enabled = false;
        let (dataset, _) = dataset(&gapped(400), &config);
        let whole = trained(&dataset, &config).unwrap();
        let values: Vec<f64> = whole.history.iter().map(|epoch| epoch.validation.get(metric)).collect();
        let better =
            |left: f64, right: f64| if metric.higher_is_better() { left > right } else { left < right };
        let best =
            (0..values.len()).reduce(|best, one| if better(values[one], values[best]) { one } else { best });
        assert_eq!(whole.best_epoch, best.unwrap(), "{values:?}");
        for (epoch, report) in whole.history.iter().enumerate() {
            let record = values[..epoch].iter().all(|value| better(values[epoch], *value));
            assert_eq!((report.epoch, report.best), (epoch, record));
        }
        assert!(values.windows(2).any(|two| better(two[0], two[1])), "no epoch was worse: {values:?}");
        // Patience stops it, and what comes out is the same.
        config.validation.patience = 1;
        let stopped = trained(&dataset, &config).unwrap();
        let first_worse = (1..8).find(|epoch| !whole.history[*epoch].best).unwrap();
        assert_eq!(stopped.history, whole.history[..=first_worse]);
        assert_eq!(stopped.best_epoch, first_worse - 1);
    }
}

#[test]
fn a_rate_beyond_reason_is_refused_or_diverges() {
    for objective in OBJECTIVES {
        let mut config = config(objective);
        let (dataset, _) = dataset(&gapped(400), &config);
        config.learning_rate.base = 1e6;
        let error = trained(&dataset, &config).unwrap_err().to_string();
        assert!(error.contains("`learning_rate.base` is 1000000"), "{error}");
        config.optimiser.weight_decay = 0.0;
        for base in [1e6, 1e20, 1e37] {
            config.learning_rate.base = base;
            match trained(&dataset, &config) {
                Err(error) => assert!(matches!(error, SupervisedError::Diverged { .. }), "{base}: {error}"),
                Ok(trained) => {
                    let finite = trained.history.iter().all(|epoch| epoch.training_loss.is_finite());
                    assert!(finite && base < 1e10, "{base}: {:?}", trained.history);
                }
            }
        }
    }
}

#[test]
fn what_one_objective_has_not_is_refused() {
    let mut last = config(Objective::LastStep);
    last.sampling.maximum_samples_per_epoch = Some(500);
    last.augmentation.time_shift.maximum_steps = 1;
    last.augmentation.smote.enabled = true;
    last.network.pooling = xlstm::Pooling::Mean;
    last.validate().unwrap();
    let refused = |change: &dyn Fn(&mut SupervisedConfig)| {
        let mut config = config(Objective::EveryStep);
        config.validate().unwrap();
        change(&mut config);
        match config.validate().unwrap_err() {
            SupervisedError::Config { field, .. } => field,
            error => panic!("{error}"),
        }
    };
    assert_eq!(
        refused(&|config| config.sampling = last.sampling.clone()),
        "sampling.maximum_samples_per_epoch"
    );
    let shift =
        |config: &mut SupervisedConfig| config.augmentation.time_shift = last.augmentation.time_shift.clone();
    assert_eq!(refused(&shift), "augmentation.time_shift.maximum_steps");
    assert_eq!(refused(&|config| config.augmentation.smote.enabled = true), "augmentation.smote.enabled");
    assert_eq!(refused(&|config| config.network.pooling = xlstm::Pooling::Mean), "network.pooling");
    assert_eq!(refused(&|config| config.sequence_length = 0), "sequence_length");
    assert_eq!(refused(&|config| config.segments.chunk = 0), "segments.chunk");
    assert_eq!(refused(&|config| config.sampling.batch_size = 0), "sampling.batch_size");
    assert_eq!(refused(&|config| config.learning_rate.warmup_epochs = 3.0), "learning_rate.warmup_epochs");
}
