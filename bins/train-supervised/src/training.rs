//! From candles to model bundles.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use command_line::{CommonArguments, Outcome, check_named_directory, named_directory, remove_directory};
use labels::Labeler;
use serde::Serialize;
use supervised::comparison::SeedSummary;
use supervised::dataset::{Excluded, Part};
use supervised::{
    Assessment, Checkpoints, FinishedModel, ModelBundle, SupervisedConfig, TimeRange, TrainingJob, train,
};

use crate::baselines::{self, BaselineReport, Baselines, ModelSummary, reports};
use crate::configuration::{Configuration, read_labeler};
use crate::data::{self, specification};
use crate::progress::Recorder;
use crate::report;
use crate::{Source, Train};

/// What one seed gave.
#[derive(Debug, Serialize)]
pub(crate) struct SeedReport {
    pub(crate) seed: u64,
    pub(crate) bundle: PathBuf,
    /// The epoch whose weights were kept, counted from 0.
    pub(crate) best_epoch: usize,
    pub(crate) epochs: usize,
    pub(crate) steps: u64,
    /// Labels learned from per epoch.
    pub(crate) labels_per_epoch: u64,
    /// Seconds of a training epoch, validation included; mean over the epochs of this process.
    pub(crate) seconds_per_epoch: Option<f64>,
    pub(crate) validation: Assessment,
    pub(crate) test: Assessment,
}

/// The document on stdout.
#[derive(Debug, Serialize)]
pub(crate) struct TrainReport {
    pub(crate) command: &'static str,
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    /// The bundle of the seed in the middle, by the validation metric: the best one is chosen by luck.
    pub(crate) bundle: PathBuf,
    /// Its seed.
    pub(crate) median_seed: u64,
    /// Scores on the test part over all seeds.
    pub(crate) summary: ModelSummary,
    pub(crate) series: Vec<String>,
    pub(crate) excluded: Vec<Excluded>,
    pub(crate) refused: Vec<(String, String)>,
    pub(crate) columns: usize,
    pub(crate) intervals: BTreeMap<String, Vec<TimeRange>>,
    pub(crate) labels: BTreeMap<&'static str, [u64; 3]>,
    pub(crate) labeler: Labeler,
    pub(crate) data_hash: String,
    pub(crate) config: SupervisedConfig,
    pub(crate) seeds: Vec<SeedReport>,
    /// The models to compare with, where they were asked for.
    pub(crate) baselines: Vec<BaselineReport>,
}

/// Reads, labels and divides what the arguments and settings name.
pub(crate) fn prepare(
    source: &Source,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<TrainingJob> {
    let spec = specification(source.spec.as_ref(), &configuration.features)?;
    let candles = data::read(&source.input, &configuration.import, &spec, common)?;
    let periods = data::periods(configuration, candles.range()?)?;
    let labeler = match &source.labeler {
        Some(path) => read_labeler(path)?,
        None => configuration.labels.search(&candles, &periods.inner)?,
    };
    let spinner = common.progress().spinner("features and labels");
    let training = periods.inner.train().first().map(ToString::to_string).unwrap_or_default();
    let preparation = &configuration.supervised.preparation;
    let job =
        TrainingJob::prepare(Arc::new(candles), spec, labeler, periods, preparation).with_context(|| {
            format!(
                "training on {training}, which is what `split` and `validation_days` = {} leave",
                configuration.validation_days
            )
        })?;
    spinner.finish();
    for excluded in job.dataset.excluded() {
        tracing::warn!("{} is left out: {}", excluded.series, excluded.reason);
    }
    Ok(job)
}

pub(crate) fn run(
    arguments: &Train,
    mut configuration: Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    configuration.take(&arguments.source.input);
    configuration.supervised.validate().context("section `supervised`")?;
    if let Some(models) = arguments.baselines.as_ref().filter(|models| !models.is_empty()) {
        configuration.baselines.models.clone_from(models);
    }
    if arguments.baselines.is_some() {
        baselines::check(&configuration.baselines)?;
    }
    let device = configuration.device.device()?;
    let out = arguments.out.clone().unwrap_or_else(|| configuration.out.clone());
    let directory = named_directory(&out, &arguments.name)?;
    check_named_directory(&directory, "model", arguments.resume, arguments.overwrite)?;
    let job = prepare(&arguments.source, &configuration, common)?;
    // The old model goes only when there is something to put in its place.
    if arguments.overwrite {
        remove_directory(&directory)?;
    }
    open(&directory)?;
    let mut baselines = match &arguments.baselines {
        Some(_) => Some(Baselines::prepare(&job, &configuration.baselines, &device, arguments.resume)?),
        None => None,
    };
    let (mut seeds, mut compared) = (Vec::new(), Vec::new());
    for number in 0..u64::from(arguments.seeds) {
        let mut config = configuration.supervised.clone();
        config.seed = configuration.supervised.seed.wrapping_add(number);
        let own = directory.join(format!("seed-{}", config.seed));
        let bundle = own.join("bundle");
        let mut recorder = Recorder::start(&own, &config, common)?;
        let checkpoints = own.join("checkpoints");
        let checkpoints = Checkpoints { directory: Some(&checkpoints), resume: arguments.resume };
        let trained = train(&job.dataset, &config, &device, &job.data_hash, checkpoints, &mut recorder)?;
        let history = trained.history.clone();
        let commit = arguments.commit.clone();
        let FinishedModel { bundle: finished, judged } =
            job.finish(trained, &config, &arguments.name, commit, arguments.trials.or(configuration.trials))?;
        let stored = match &mut baselines {
            Some(baselines) => baselines.of_seed(&own, &config, &judged, common)?,
            None => Vec::new(),
        };
        finished.write_with_baselines(&stored, &bundle, true)?;
        compared.push((config.seed, stored));
        let assessed = |part: &str| finished.metrics.get(part).cloned().context("a part was not judged");
        seeds.push(SeedReport {
            seed: config.seed,
            bundle,
            best_epoch: finished.origin.epoch,
            epochs: history.len(),
            steps: history.last().map_or(0, |epoch| epoch.steps),
            labels_per_epoch: history.last().map_or(0, |epoch| epoch.labels),
            seconds_per_epoch: recorder.seconds_per_epoch(),
            validation: assessed("validation")?,
            test: assessed("test")?,
        });
    }
    let chosen = median(&seeds, &configuration.supervised)?;
    let bundle = directory.join("bundle");
    ModelBundle::copy(&chosen.bundle, &bundle, true)?;
    let median_seed = chosen.seed;
    drop(baselines);
    let dataset = &job.dataset;
    let labels = BTreeMap::from([
        ("training", dataset.class_counts(Part::Training)),
        ("validation", dataset.class_counts(Part::Validation)),
    ]);
    let report = TrainReport {
        command: "train",
        name: arguments.name.clone(),
        directory: directory.clone(),
        bundle,
        median_seed,
        summary: ModelSummary::of(seeds.iter().map(|seed| &seed.test))?,
        series: dataset.series().iter().map(|series| series.key().to_string()).collect(),
        excluded: dataset.excluded().to_vec(),
        refused: job.candles.refused.clone(),
        columns: dataset.width(),
        intervals: job.periods.intervals(),
        labels,
        labeler: job.labeler,
        data_hash: job.data_hash.clone(),
        config: configuration.supervised,
        seeds,
        baselines: reports(&compared)?,
    };
    report::write(&directory.join("summary.json"), &report)?;
    report::print_training(&report, common)?;
    Ok(Outcome::finding_if(!report.refused.is_empty()))
}

fn open(directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("{}: cannot create the directory", directory.display()))
}

/// The seed in the middle by the validation metric, of two the lower: what this data and this recipe give, where the best
/// one would be chosen by luck.
fn median<'a>(seeds: &'a [SeedReport], config: &SupervisedConfig) -> anyhow::Result<&'a SeedReport> {
    let metric = config.validation.metric;
    let value = |seed: &SeedReport| {
        let value = seed.validation.decided.get(metric);
        if metric.higher_is_better() { value } else { -value }
    };
    let summary = SeedSummary::of(&seeds.iter().map(value).collect::<Vec<_>>())?;
    seeds.get(summary.median_model).context("no seed")
}
