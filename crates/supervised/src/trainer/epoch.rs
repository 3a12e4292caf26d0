//! The state of a training, and one epoch of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use networks::NetworkState;

use super::batch::{Batch, NOWHERE};
use super::checkpoint::{BEST, Checkpoint, LAST, Progress};
use super::every_step::SegmentFeed;
use super::feed::prefetch;
use super::last_step::WindowFeed;
use super::step::{Pass, PassSettings, pass};
use super::{Checkpoints, EpochReport, Observer, StepReport, Trained, evaluate};
use crate::calibration::softmax;
use crate::classifier::{Classifier, ClassifierConfig};
use crate::config::{Objective, SupervisedConfig};
use crate::dataset::{CLASSES, Dataset, Part};
use crate::error::SupervisedError;
use crate::metrics::Metrics;
use crate::optimiser::{Optimiser, OptimiserState, perturb};
use crate::prediction_rows::most_probable_class;
use crate::sampling::HardPool;

const PARAMETERS: &str = "parameters";
const BEST_PARAMETERS: &str = "best_parameters";
const LOSSES: &str = "losses";
/// In front of the names of the optimiser's vectors.
const OPTIMISER: &str = "optimiser.";

/// Where batches come from.
enum Feed<'a> {
    Windows(Box<WindowFeed<'a>>),
    Segments(Box<SegmentFeed<'a>>),
}

/// A training between two epochs.
pub(super) struct Training<'a> {
    dataset: &'a Dataset,
    config: &'a SupervisedConfig,
    classifier: &'a ClassifierConfig,
    device: Device,
    data_hash: &'a str,
    directory: Option<PathBuf>,
    prior: [f64; CLASSES],
    feed: Feed<'a>,
    current: Current,
    /// Latest loss of each sample; NaN where it was not seen yet.
    losses: Vec<f32>,
    hard: Option<HardPool>,
    epochs: usize,
    best: Option<(usize, Vec<f32>)>,
    history: Vec<EpochReport>,
}

/// What every step changes.
struct Current {
    /// On a device with gradients; always with the values of `parameters`.
    classifier: Classifier,
    parameters: Vec<f32>,
    optimiser: Optimiser,
    steps: u64,
    /// State after the last chunk, for the objective that carries it.
    state: Option<NetworkState>,
}

/// Sums over the steps of an epoch.
#[derive(Default)]
struct Sums {
    loss: f64,
    weight: f64,
    labels: u64,
    gradient_norm: f64,
    updates: u64,
    clipped: u64,
    skipped: u64,
    learning_rate: f64,
}

impl<'a> Training<'a> {
    pub(super) fn begin(
        dataset: &'a Dataset,
        config: &'a SupervisedConfig,
        classifier_config: &'a ClassifierConfig,
        device: &Device,
        data_hash: &'a str,
        checkpoints: Checkpoints<'_>,
    ) -> Result<Self, SupervisedError> {
        config.validate()?;
        let prior = dataset.class_shares(Part::Training)?;
        dataset.class_shares(Part::Validation)?;
        let feed = match config.objective {
            Objective::LastStep => Feed::Windows(Box::new(WindowFeed::new(dataset, config)?)),
            Objective::EveryStep => Feed::Segments(Box::new(SegmentFeed::new(dataset, config)?)),
        };
        let mut classifier = classifier_config.init(&device.clone().autodiff())?;
        if config.network.class_priors {
            let shares =
                if config.sampling.class_balanced { config.sampling.target_class_ratios } else { prior };
            // A class that never occurs still needs a logarithm.
            classifier.head.set_class_priors(&shares.map(|share| share.max(1e-6)))?;
        }
        let parameters = classifier.parameters()?;
        let optimiser = Optimiser::new(&config.optimiser, classifier.layout()?, &parameters)?;
        let places = feed.places();
        let mut training = Self {
            dataset,
            config,
            classifier: classifier_config,
            device: device.clone(),
            data_hash,
            directory: checkpoints.directory.map(Path::to_owned),
            prior,
            feed,
            current: Current { classifier, parameters, optimiser, steps: 0, state: None },
            losses: vec![f32::NAN; places],
            hard: None,
            epochs: 0,
            best: None,
            history: Vec::new(),
        };
        training.open(checkpoints.resume)?;
        Ok(training)
    }

    /// Takes up the checkpoint, or sees that there is none.
    fn open(&mut self, resume: bool) -> Result<(), SupervisedError> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let path = directory.join(LAST);
        match (path.exists(), resume) {
            (true, true) => self.restore(&path),
            (true, false) => Err(SupervisedError::file(
                &path,
                "a training was begun here; go on with --resume, name another directory, or remove the file",
            )),
            (false, _) => std::fs::create_dir_all(directory).map_err(|error| {
                SupervisedError::file(directory, format!("cannot create the directory: {error}"))
            }),
        }
    }

    fn restore(&mut self, path: &Path) -> Result<(), SupervisedError> {
        let mut checkpoint = Checkpoint::read(path)?;
        checkpoint.progress.check(self.config, self.classifier, self.data_hash, path)?;
        let mut vectors = BTreeMap::new();
        for name in checkpoint.vectors.keys().cloned().collect::<Vec<_>>() {
            if let Some(of_optimiser) = name.strip_prefix(OPTIMISER) {
                vectors.insert(of_optimiser.to_owned(), checkpoint.take(&name, path)?);
            }
        }
        let parameters = checkpoint.take(PARAMETERS, path)?;
        let best = checkpoint.take(BEST_PARAMETERS, path)?;
        let losses = checkpoint.take(LOSSES, path)?;
        if losses.len() != self.losses.len() {
            return Err(SupervisedError::file(path, "it is of other data; begin anew without --resume"));
        }
        let Progress { epochs, steps, best_epoch, history, counters, hard, .. } = checkpoint.progress;
        self.current.classifier = self.current.classifier.clone().with_parameters(&parameters)?;
        self.current.parameters = parameters;
        self.current.optimiser.restore(OptimiserState { numbers: counters, vectors })?;
        self.current.steps = steps;
        self.losses = losses;
        self.hard = hard;
        self.epochs = epochs;
        self.best = best_epoch.map(|epoch| (epoch, best));
        self.history = history;
        Ok(())
    }

    fn checkpoint(&self) -> Checkpoint {
        let OptimiserState { numbers, vectors } = self.current.optimiser.state();
        let mut named: BTreeMap<String, Vec<f32>> =
            vectors.into_iter().map(|(name, vector)| (format!("{OPTIMISER}{name}"), vector)).collect();
        named.insert(PARAMETERS.to_owned(), self.current.parameters.clone());
        let best = self.best.as_ref().map(|(_, parameters)| parameters.clone()).unwrap_or_default();
        named.insert(BEST_PARAMETERS.to_owned(), best);
        named.insert(LOSSES.to_owned(), self.losses.clone());
        let progress = Progress {
            config: self.config.clone(),
            classifier: self.classifier.clone(),
            data_hash: self.data_hash.to_owned(),
            epochs: self.epochs,
            steps: self.current.steps,
            best_epoch: self.best.as_ref().map(|(epoch, _)| *epoch),
            history: self.history.clone(),
            counters: numbers,
            hard: self.hard.clone(),
        };
        Checkpoint { progress, vectors: named }
    }

    pub(super) fn run(mut self, observer: &mut dyn Observer) -> Result<Trained, SupervisedError> {
        observer.begin(&self.history)?;
        let mut go_on = true;
        while go_on && self.epochs < self.config.epochs && !self.out_of_patience() {
            let report = self.epoch(observer)?;
            self.epochs += 1;
            self.history.push(report.clone());
            if let Some(directory) = &self.directory {
                let checkpoint = self.checkpoint();
                if report.best {
                    checkpoint.write(&directory.join(BEST))?;
                }
                checkpoint.write(&directory.join(LAST))?;
            }
            go_on = observer.epoch(&report)?;
        }
        let Some((best_epoch, parameters)) = self.best else {
            return Err(SupervisedError::Diverged {
                epoch: self.epochs.saturating_sub(1),
                reason: format!("`{}` was never a number", self.config.validation.metric),
            });
        };
        let classifier = judged(self.classifier, &self.device, &parameters)?;
        Ok(Trained { classifier, best_epoch, history: self.history, prior: self.prior })
    }

    fn out_of_patience(&self) -> bool {
        let patience = self.config.validation.patience;
        let since = self.best.as_ref().map_or(0, |(best, _)| self.epochs.saturating_sub(best + 1));
        patience > 0 && since >= patience
    }

    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<EpochReport, SupervisedError> {
        let epoch = self.epochs;
        let mining = &self.config.sampling.hard_negatives;
        if mining.refresh_due(epoch) {
            self.hard = Some(self.feed.hard_pool(&self.losses)?);
        }
        let mut sums = Sums::default();
        let Self { feed, config, device, current, losses, hard, .. } = self;
        let device = device.clone().autodiff();
        current.state = None;
        let consume = |batch: Batch| {
            let loss = current.take(&batch, config, &device, epoch, losses, &mut sums)?;
            observer.step(StepReport { epoch, done: batch.done, loss });
            Ok(())
        };
        prefetch(|send| feed.produce(epoch, hard.as_ref(), send), consume)?;
        if sums.updates == 0 {
            let reason = "no gradient of the epoch was finite".to_owned();
            return Err(SupervisedError::Diverged { epoch, reason });
        }
        let validation = self.validate()?;
        let metric = self.config.validation.metric;
        let value = validation.get(metric);
        let best = match &self.best {
            _ if value.is_nan() => false,
            None => true,
            Some((best, _)) => {
                let of_best = self.history[*best].validation.get(metric);
                if metric.higher_is_better() { value > of_best } else { value < of_best }
            }
        };
        if best {
            self.best = Some((epoch, self.judged_parameters().to_vec()));
        }
        Ok(EpochReport {
            epoch,
            steps: self.current.steps,
            labels: sums.labels,
            learning_rate: sums.learning_rate,
            training_loss: sums.loss / sums.weight.max(f64::MIN_POSITIVE),
            gradient_norm: sums.gradient_norm / sums.updates.max(1) as f64,
            clipped: sums.clipped,
            skipped: sums.skipped,
            hard_share: mining_share(self.config, epoch, self.hard.is_some()),
            validation,
            best,
        })
    }

    /// The parameters that validation judges: averaged ones where there are, and they are asked for.
    fn judged_parameters(&self) -> &[f32] {
        let average = self.current.optimiser.average().filter(|_| self.config.validation.use_average);
        average.unwrap_or(&self.current.parameters)
    }

    fn validate(&self) -> Result<Metrics, SupervisedError> {
        let classifier = judged(self.classifier, &self.device, self.judged_parameters())?;
        let rows = evaluate(&classifier, self.dataset, Part::Validation, self.config)?;
        if rows.logits.iter().any(|logit| !logit.is_finite()) {
            let reason = "the network gives numbers that are not finite on validation rows".to_owned();
            return Err(SupervisedError::Diverged { epoch: self.epochs, reason });
        }
        let probabilities = softmax(&rows.logits)?;
        let (by_row, _) = probabilities.as_chunks::<CLASSES>();
        let predicted: Vec<u8> = by_row.iter().map(|row| most_probable_class(*row)).collect();
        let mut metrics = Metrics::of(&probabilities, &rows.targets, &predicted, self.prior)?;
        let weights = vec![1.0; rows.len()];
        let mut unused = vec![0.0; rows.logits.len()];
        let loss = self.config.loss.at_epoch((self.epochs + 1) as f64);
        let normaliser = rows.len() as f64;
        let value = loss.accumulate(&rows.logits, &rows.targets, &weights, normaliser, &mut unused, None)?;
        metrics.loss = Some(value.total());
        Ok(metrics)
    }
}

fn mining_share(config: &SupervisedConfig, epoch: usize, mined: bool) -> f64 {
    if mined { config.sampling.hard_negatives.share(epoch) } else { 0.0 }
}

/// A classifier without gradients that has these parameters.
fn judged(
    config: &ClassifierConfig,
    device: &Device,
    parameters: &[f32],
) -> Result<Classifier, SupervisedError> {
    config.init(device)?.with_parameters(parameters)
}

impl Current {
    /// Learns from one batch; its loss.
    fn take(
        &mut self,
        batch: &Batch,
        config: &SupervisedConfig,
        device: &Device,
        epoch: usize,
        losses: &mut [f32],
        sums: &mut Sums,
    ) -> Result<f64, SupervisedError> {
        let progress = epoch as f64 + batch.done;
        let loss = config.loss.at_epoch(progress);
        let settings = PassSettings { config, loss: &loss, device, step: self.steps };
        let state = if batch.begins { None } else { self.state.take() };
        let first = pass(&self.classifier, batch, state.clone(), &settings)
            .map_err(|error| diverged(error, epoch))?;
        let Pass { value, triplet, gradients, losses: found, state: next } = first;
        self.state = next;
        let Some(mut gradients) = gradients else { return Ok(0.0) };
        for (place, loss) in batch.places.iter().zip(&found) {
            if *place != NOWHERE && !loss.is_nan() {
                losses[*place as usize] = *loss;
            }
        }
        let sharpness = &config.optimiser.sharpness;
        if sharpness.enabled && gradients.iter().all(|gradient| gradient.is_finite()) {
            let mut perturbed = self.parameters.clone();
            // The way back is not needed: the parameters themselves were never moved.
            let _ = perturb(&mut perturbed, &gradients, sharpness.radius)?;
            let elsewhere = self.classifier.clone().with_parameters(&perturbed)?;
            let second = pass(&elsewhere, batch, state, &settings).map_err(|error| diverged(error, epoch))?;
            gradients = second.gradients.unwrap_or(gradients);
        }
        let learning_rate = config.learning_rate.at(progress, config.epochs as f64);
        let report = self.optimiser.step(learning_rate, &mut self.parameters, &mut gradients)?;
        self.classifier = self.classifier.clone().with_parameters(&self.parameters)?;
        self.steps += 1;
        let total = value.total() + triplet;
        let weight = batch.normaliser();
        sums.loss += total * weight;
        sums.weight += weight;
        sums.labels += batch.weights.iter().filter(|weight| **weight > 0.0).count() as u64;
        sums.updates += u64::from(!report.skipped);
        sums.skipped += u64::from(report.skipped);
        sums.clipped += u64::from(report.clipped);
        sums.gradient_norm += if report.skipped { 0.0 } else { report.gradient_norm };
        sums.learning_rate = learning_rate;
        Ok(total)
    }
}

/// Losses refuse outputs that are not finite; in training that is divergence.
fn diverged(error: SupervisedError, epoch: usize) -> SupervisedError {
    match error {
        SupervisedError::Data { what, reason } if what.starts_with("network output") => {
            SupervisedError::Diverged { epoch, reason: format!("{what}: {reason}") }
        }
        other => other,
    }
}

impl Feed<'_> {
    fn places(&self) -> usize {
        match self {
            Self::Windows(feed) => feed.places(),
            Self::Segments(feed) => feed.places(),
        }
    }

    fn hard_pool(&self, losses: &[f32]) -> Result<HardPool, SupervisedError> {
        match self {
            Self::Windows(feed) => feed.hard_pool(losses),
            Self::Segments(feed) => feed.hard_pool(losses),
        }
    }

    fn produce(
        &self,
        epoch: usize,
        hard: Option<&HardPool>,
        send: &mut dyn FnMut(Batch) -> bool,
    ) -> Result<(), SupervisedError> {
        match self {
            Self::Windows(feed) => feed.produce(epoch, hard, send),
            Self::Segments(feed) => feed.produce(epoch, hard, send),
        }
    }
}
