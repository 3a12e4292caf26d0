//! From a model and candles to policies.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, ensure};
use command_line::{CommonArguments, Outcome, check_named_directory, named_directory, remove_directory};
use market_data::store::write_file;
use serde::{Deserialize, Serialize};
use sim::market_environment::MarketFrame;
use sim::policy::{PolicyBundle, PolicyOrigin, PolicyTraining, Validation};
use supervised::{Predictor, TimeRange};

use crate::Train;
use crate::configuration::Configuration;
use crate::data;
use crate::progress::{Noted, Recorder};
use crate::report;

/// What one seed gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SeedReport {
    pub(crate) seed: u64,
    pub(crate) policy: PathBuf,
    /// Steps after which it was taken, of the last stage.
    pub(crate) steps: u64,
    pub(crate) validation: Validation,
    /// Steps a second over the whole training, validations included; none where it was resumed.
    pub(crate) steps_per_second: Option<f64>,
}

/// The document on stdout.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TrainReport {
    pub(crate) command: &'static str,
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    pub(crate) algorithm: String,
    /// The policy of the seed in the middle, by validation: the best one is chosen by luck.
    pub(crate) policy: PathBuf,
    pub(crate) median_seed: u64,
    pub(crate) model: String,
    pub(crate) series: Vec<String>,
    pub(crate) refused: Vec<(String, String)>,
    /// What there is to say of funding.
    pub(crate) funding: Option<String>,
    pub(crate) training: Vec<TimeRange>,
    pub(crate) validation: Vec<TimeRange>,
    pub(crate) columns: usize,
    pub(crate) seeds: Vec<SeedReport>,
}

/// What training of all seeds starts from.
struct Job {
    predictor: Predictor,
    model: PathBuf,
    model_hash: String,
    configuration: Configuration,
    /// That have something to trade.
    series: Vec<String>,
    training: Vec<MarketFrame>,
    validation: Vec<MarketFrame>,
    intervals: [Vec<TimeRange>; 2],
}

pub(crate) fn run(
    arguments: &Train,
    mut configuration: Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    if let Some(algorithm) = arguments.algorithm {
        algorithm.choose(&mut configuration.policy.recipe);
    }
    if let Some(steps) = arguments.steps {
        configuration.policy.recipe.set_total_steps(steps);
    }
    configuration.policy.validate().context("section `policy`")?;
    let out = arguments.out.clone().unwrap_or_else(|| configuration.out.clone());
    let directory = named_directory(&out, &arguments.name)?;
    check_named_directory(&directory, "policy", arguments.resume, arguments.overwrite)?;
    let model = arguments.bundle.clone().context("--bundle is required")?;
    let model_hash = PolicyBundle::model_hash(&model)?;
    let predictor = Predictor::load(&model)?;
    let candles = data::read(&arguments.input, &configuration, &predictor, common)?;
    data::check(
        &candles,
        configuration.policy.environment.shorts,
        "set `policy.environment.shorts = false` (and `policy.environment.costs.taker_fee` to the fee there)",
    )?;
    let funding = data::funding_note(&candles)?;
    let frames = data::frames(configuration.policy.inputs, &predictor, &candles, common)?;
    let intervals = [data::part(&predictor, "training")?, data::part(&predictor, "validation")?];
    let window = configuration.policy.environment.window;
    let [training, validation] =
        [&intervals[0], &intervals[1]].map(|part| data::within(&frames, part, window));
    for (part, frames) in [("training", &training), ("validation", &validation)] {
        ensure!(
            !frames.is_empty(),
            "no candle of --data can be traded in the {part} time of the model; give those that it was trained on, more than \
             `policy.environment.window` = {window} of them"
        );
    }
    drop(frames);
    if arguments.overwrite {
        remove_directory(&directory)?;
    }
    let series: BTreeSet<String> = training.iter().map(|one| one.key.to_string()).collect();
    let [training, validation] =
        [training, validation].map(|part| part.into_iter().map(|one| one.frame).collect::<Vec<_>>());
    let series = series.into_iter().collect();
    let job = Job { predictor, model, model_hash, configuration, series, training, validation, intervals };
    let mut seeds = Vec::new();
    for number in 0..u64::from(arguments.seeds) {
        seeds.push(of_seed(&job, arguments.seed.wrapping_add(number), &directory, arguments, common)?);
    }
    let report = summary(&job, &directory, arguments, seeds, candles.refused, funding)?;
    write_file(&directory.join("summary.json"), serde_json::to_string_pretty(&report)?.as_bytes())?;
    report::print_training(&report, common)?;
    Ok(Outcome::finding_if(!report.refused.is_empty()))
}

fn of_seed(
    job: &Job,
    seed: u64,
    directory: &Path,
    arguments: &Train,
    common: &CommonArguments,
) -> anyhow::Result<SeedReport> {
    let own = directory.join(format!("seed-{seed}"));
    let (policy, finished) = (own.join("policy"), own.join("report.json"));
    if arguments.resume && finished.exists() {
        let origin = PolicyBundle::read_origin(&policy)?;
        ensure!(
            origin == PolicyOrigin { validations: origin.validations.clone(), ..job.origin(seed, arguments) },
            "{}: it was trained with other settings, another model or other candles; say the same, or train under another --name",
            policy.display()
        );
        let text = std::fs::read_to_string(&finished).with_context(|| finished.display().to_string())?;
        return serde_json::from_str(&text).with_context(|| finished.display().to_string());
    }
    let config = &job.configuration.policy;
    let mut training = PolicyTraining::new(
        config.clone(),
        job.predictor.bundle(),
        job.training.clone(),
        &job.validation,
        seed,
    )?;
    std::fs::create_dir_all(&own)
        .with_context(|| format!("{}: cannot create the directory", own.display()))?;
    let (stages, steps) = (training.stages(), training.steps_per_stage());
    let checkpoint = own.join("checkpoint.bin");
    let noted = match arguments.resume && checkpoint.exists() {
        true => Some(restore(&checkpoint, &mut training)?),
        false => None,
    };
    let mut recorder = Recorder::start(&own, seed, stages, steps, noted, common)?;
    let (begun, mut saved) = (Instant::now(), Instant::now());
    while let Some(advance) = training.advance()? {
        recorder.note(&advance)?;
        if saved.elapsed().as_secs() >= job.configuration.checkpoint_seconds {
            save(&checkpoint, recorder.noted(), &training)?;
            saved = Instant::now();
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    drop(recorder);
    let best =
        training.validations().iter().rfind(|one| one.best).copied().context("no validation was played")?;
    let origin = PolicyOrigin { validations: training.validations().to_vec(), ..job.origin(seed, arguments) };
    let bundle = PolicyBundle::new(origin, job.predictor.clone(), training.agent_bytes()?)?;
    bundle.write(&job.model, &policy, true)?;
    let all_steps = (steps * stages as u64) as f64;
    let report = SeedReport {
        seed,
        policy,
        steps: best.steps,
        validation: best,
        steps_per_second: noted.is_none().then_some(all_steps / seconds),
    };
    write_file(&finished, serde_json::to_string_pretty(&report)?.as_bytes())?;
    // What it took to go on is of no use any more.
    if checkpoint.exists() {
        std::fs::remove_file(&checkpoint).with_context(|| checkpoint.display().to_string())?;
    }
    Ok(report)
}

/// The checksum of all that follows it, a line that says how far the files reach, then the training.
fn save(path: &Path, noted: Noted, training: &PolicyTraining) -> anyhow::Result<()> {
    let mut content = serde_json::to_vec(&noted)?;
    content.push(b'\n');
    content.extend(training.to_bytes()?);
    let checksum = blake3::hash(&content).to_hex();
    Ok(write_file(path, &[checksum.as_bytes(), b"\n", &content].concat())?)
}

fn restore(path: &Path, training: &mut PolicyTraining) -> anyhow::Result<Noted> {
    let shown = || path.display().to_string();
    // The learner has a checksum of its own; what stands beside it would be taken without a word.
    let changed = || {
        format!("{}: it was changed or cut short; restore it, or remove it to begin this seed anew", shown())
    };
    let bytes = std::fs::read(path).with_context(shown)?;
    let (checksum, content) = divide(&bytes).with_context(changed)?;
    ensure!(blake3::hash(content).to_hex().as_bytes() == checksum, changed());
    let (noted, trained) = divide(content).with_context(changed)?;
    training.restore(trained).with_context(shown)?;
    serde_json::from_slice(noted).with_context(shown)
}

/// The first line, and what follows it.
fn divide(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

impl Job {
    /// Where the policy of a seed comes from, its validations aside.
    fn origin(&self, seed: u64, arguments: &Train) -> PolicyOrigin {
        PolicyOrigin {
            name: arguments.name.clone(),
            seed,
            config: self.configuration.policy.clone(),
            model: self.model_hash.clone(),
            columns: self.training.first().map_or(0, |frame| frame.columns),
            series: self.series.clone(),
            training: self.intervals[0].clone(),
            validation: self.intervals[1].clone(),
            validations: Vec::new(),
            trials: arguments.trials.or(self.configuration.trials),
            commit: arguments.commit.clone(),
        }
    }
}

fn summary(
    job: &Job,
    directory: &Path,
    arguments: &Train,
    seeds: Vec<SeedReport>,
    refused: Vec<(String, String)>,
    funding: Option<String>,
) -> anyhow::Result<TrainReport> {
    let scores: Vec<f64> = seeds.iter().map(|seed| seed.validation.log_return).collect();
    let middle = supervised::comparison::SeedSummary::of(&scores)?.median_model;
    let chosen = seeds.get(middle).context("no seed")?;
    Ok(TrainReport {
        command: "train",
        name: arguments.name.clone(),
        directory: directory.to_owned(),
        algorithm: job.configuration.policy.recipe.algorithm.to_string(),
        policy: chosen.policy.clone(),
        median_seed: chosen.seed,
        model: job.predictor.bundle().origin.name.clone(),
        series: job.series.clone(),
        refused,
        funding,
        training: job.intervals[0].clone(),
        validation: job.intervals[1].clone(),
        columns: job.training.first().map_or(0, |frame| frame.columns),
        seeds,
    })
}
