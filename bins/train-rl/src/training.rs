//! From a model and candles to policies.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use command_line::{CommonArguments, Outcome};
use market_data::store::write_file;
use serde::{Deserialize, Serialize};
use sim::market_environment::MarketFrame;
use sim::policy::{PolicyBundle, PolicyOrigin, PolicyTraining, Validation};
use supervised::{CandleSource, Interval, Predictor};

use crate::Train;
use crate::configuration::Configuration;
use crate::data;
use crate::progress::Recorder;
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
    pub(crate) training: Vec<Interval>,
    pub(crate) validation: Vec<Interval>,
    pub(crate) columns: usize,
    pub(crate) seeds: Vec<SeedReport>,
}

/// What training of all seeds starts from.
struct Job {
    predictor: Predictor,
    model: PathBuf,
    configuration: Configuration,
    candles: CandleSource,
    training: Vec<MarketFrame>,
    validation: Vec<MarketFrame>,
    intervals: [Vec<Interval>; 2],
}

/// The progress of a training on disk.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    lines: usize,
    training: Vec<u8>,
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
    ensure!(configuration.checkpoint_every > 0, "checkpoint_every = 0: give at least 1 iteration");
    let out = arguments.out.clone().unwrap_or_else(|| configuration.out.clone());
    let directory = directory_of(&out, &arguments.name)?;
    check(&directory, arguments)?;
    let model = arguments.bundle.clone().context("--bundle is required")?;
    let predictor = Predictor::load(&model)?;
    let candles = data::read(&arguments.input, &configuration, &predictor, common)?;
    let frames = data::frames(configuration.policy.inputs, &predictor, &candles, common)?;
    let intervals = [data::part(&predictor, "training")?, data::part(&predictor, "validation")?];
    let window = configuration.policy.environment.window;
    let [training, validation] =
        [&intervals[0], &intervals[1]].map(|part| data::within(&frames, part, window));
    for (part, frames) in [("training", &training), ("validation", &validation)] {
        ensure!(
            !frames.is_empty(),
            "no candle of --data lies in the {part} time of the model; give those that it was trained on"
        );
    }
    drop(frames);
    if arguments.overwrite {
        remove(&directory)?;
    }
    let job = Job { predictor, model, configuration, candles, training, validation, intervals };
    let mut seeds = Vec::new();
    for number in 0..u64::from(arguments.seeds) {
        seeds.push(of_seed(&job, arguments.seed.wrapping_add(number), &directory, arguments, common)?);
    }
    let report = summary(&job, &directory, arguments, seeds)?;
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
        let text = std::fs::read_to_string(&finished).with_context(|| finished.display().to_string())?;
        return serde_json::from_str(&text).with_context(|| finished.display().to_string());
    }
    std::fs::create_dir_all(&own)
        .with_context(|| format!("{}: cannot create the directory", own.display()))?;
    let config = &job.configuration.policy;
    let (bundle, training, validation) =
        (job.predictor.bundle(), job.training.clone(), job.validation.clone());
    let mut training = PolicyTraining::new(config.clone(), bundle, training, validation, seed)?;
    let checkpoint = own.join("checkpoint.json");
    let resumed = arguments.resume && checkpoint.exists();
    let (stages, steps) = (training.stages(), training.steps_per_stage());
    let mut recorder = Recorder::start(&own, seed, stages, steps, resumed, common)?;
    let mut iterations = 0;
    if resumed {
        let bytes = std::fs::read(&checkpoint).with_context(|| checkpoint.display().to_string())?;
        let saved: Checkpoint =
            serde_json::from_slice(&bytes).with_context(|| checkpoint.display().to_string())?;
        training.restore(&saved.training).with_context(|| checkpoint.display().to_string())?;
        recorder.keep_lines(saved.lines)?;
        iterations = saved.lines;
    }
    let begun = std::time::Instant::now();
    while let Some(advance) = training.advance()? {
        recorder.note(&advance)?;
        iterations += 1;
        if (iterations as u64).is_multiple_of(job.configuration.checkpoint_every) {
            let saved = Checkpoint { lines: iterations, training: training.to_bytes()? };
            write_file(&checkpoint, &serde_json::to_vec(&saved)?)?;
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    drop(recorder);
    let best =
        training.validations().iter().rfind(|one| one.best).copied().context("no validation was played")?;
    let origin = PolicyOrigin {
        name: arguments.name.clone(),
        seed,
        config: config.clone(),
        columns: job.training.first().map_or(0, |frame| frame.columns),
        series: job.candles.keys.iter().map(ToString::to_string).collect(),
        training: job.intervals[0].clone(),
        validation: job.intervals[1].clone(),
        validations: training.validations().to_vec(),
        trials: arguments.trials.or(job.configuration.trials),
        commit: arguments.commit.clone(),
    };
    let bundle = PolicyBundle::new(origin, job.predictor.clone(), training.agent_bytes()?)?;
    bundle.write(&job.model, &policy, true)?;
    let all_steps = (steps * stages as u64) as f64;
    let report = SeedReport {
        seed,
        policy,
        steps: best.steps,
        validation: best,
        steps_per_second: (!resumed).then_some(all_steps / seconds),
    };
    write_file(&finished, serde_json::to_string_pretty(&report)?.as_bytes())?;
    // What it took to go on is of no use any more.
    if checkpoint.exists() {
        std::fs::remove_file(&checkpoint).with_context(|| checkpoint.display().to_string())?;
    }
    Ok(report)
}

fn summary(
    job: &Job,
    directory: &Path,
    arguments: &Train,
    seeds: Vec<SeedReport>,
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
        series: job.candles.keys.iter().map(ToString::to_string).collect(),
        refused: job.candles.refused.clone(),
        training: job.intervals[0].clone(),
        validation: job.intervals[1].clone(),
        columns: job.training.first().map_or(0, |frame| frame.columns),
        seeds,
    })
}

/// `out`/`name`, where the name is one.
fn directory_of(out: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let sound = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    ensure!(
        sound && !name.starts_with('.'),
        "--name {name}: give letters, digits, `-`, `_` and `.`, and not a dot first"
    );
    Ok(out.join(name))
}

/// Sees that nothing is in the way.
fn check(directory: &Path, arguments: &Train) -> anyhow::Result<()> {
    if !directory.exists() || arguments.resume {
        return Ok(());
    }
    let shown = directory.display();
    ensure!(
        arguments.overwrite,
        "{shown}: there is a policy of this name; go on with --resume, replace it with --overwrite, or give another --name"
    );
    let entries = std::fs::read_dir(directory).with_context(|| format!("{shown}: cannot list"))?;
    let names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    ensure!(
        names.is_empty() || names.iter().any(|name| name.starts_with("seed-")),
        "{shown}: it holds no policy of this program, so it is not replaced; give another --name or --out"
    );
    Ok(())
}

fn remove(directory: &Path) -> anyhow::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{}: cannot remove", directory.display()))
        }
        _ => Ok(()),
    }
}
