//! `train-supervised compare`

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use command_line::{CommonArguments, Outcome, Table, print_json, print_text};
use market_data::quality::{Policy, SignKind};
use rayon::prelude::*;
use serde::Serialize;
use supervised::comparison::Comparison;
use supervised::{Assessment, JudgedRows, ModelBundle, Predictor, ScoredRows, TimeRange, assess_judged};

use crate::Input;
use crate::baselines::{ModelSummary, PARTS};
use crate::configuration::Configuration;
use crate::data;
use crate::report::{beside, spread};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Directories of models, with all their seeds, or of single bundles; the first is what the others are compared with
    #[arg(required = true, num_args = 1.., value_name = "DIR")]
    models: Vec<PathBuf>,

    /// Judge all of them on these candles, on those alone that none of them saw, and compare them pair by pair; without it the
    /// figures of their own test parts are shown
    #[arg(long, num_args = 1.., value_name = "PATH")]
    data: Vec<PathBuf>,

    /// Only this series, with --data; repeatable
    #[arg(long, value_name = "SERIES", requires = "data")]
    series: Vec<String>,

    /// What happens to rows with findings, with --data: reject (the file), drop (the rows), keep-first
    #[arg(long, value_name = "POLICY", requires = "data")]
    findings: Option<Policy>,

    /// Take series with this sign of a false record, with --data; repeatable
    #[arg(long, value_name = "SIGN", value_delimiter = ',', requires = "data")]
    accept: Vec<SignKind>,
}

/// A model and its seeds.
struct Model {
    name: String,
    directory: PathBuf,
    /// Its bundle: that of the median seed.
    chosen: PathBuf,
    bundles: Vec<ModelBundle>,
}

/// What one model is.
#[derive(Debug, Serialize)]
struct ModelReport {
    name: String,
    directory: PathBuf,
    seeds: Vec<u64>,
    /// On its own test part.
    summary: ModelSummary,
    test: Vec<TimeRange>,
    data_hash: String,
    /// Trials of a search before it, where there was one.
    trials: Option<u64>,
    /// In what it differs from the first, so that their figures cannot be set side by side.
    differs: Vec<&'static str>,
    /// On the candles of `--data`.
    on_data: Option<OnData>,
}

/// Judged on candles that were given.
#[derive(Debug, Serialize)]
struct OnData {
    assessment: Assessment,
    /// The first model minus this one; absent for the first.
    comparison: Option<Comparison>,
}

/// The document on stdout.
#[derive(Debug, Serialize)]
struct Report {
    command: &'static str,
    models: Vec<ModelReport>,
    /// Files of `--data` that were refused, and why.
    refused: Vec<(String, String)>,
}

pub(crate) fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    let models: Vec<Model> =
        arguments.models.iter().map(|path| Model::read(path)).collect::<Result<_, _>>()?;
    let first = models.first().context("no model")?;
    let mut reports = Vec::with_capacity(models.len());
    for model in &models {
        reports.push(model.report(first)?);
    }
    let refused = if arguments.data.is_empty() {
        Vec::new()
    } else {
        judge(arguments, configuration, common, &models, &mut reports)?
    };
    let report = Report { command: "compare", models: reports, refused };
    if common.is_json() {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(Outcome::finding_if(!report.refused.is_empty()))
}

impl Model {
    /// A bundle, or a model with a bundle for each seed.
    fn read(directory: &Path) -> anyhow::Result<Self> {
        let device = supervised::DeviceKind::default().device()?;
        let name = directory
            .file_name()
            .map_or_else(|| directory.display().to_string(), |name| name.to_string_lossy().into_owned());
        let is_bundle = |path: &Path| path.join("bundle.json").exists();
        if is_bundle(directory) {
            let bundles = vec![ModelBundle::read(directory, &device)?];
            return Ok(Self { name, directory: directory.to_owned(), chosen: directory.to_owned(), bundles });
        }
        let chosen = directory.join("bundle");
        ensure!(
            is_bundle(&chosen),
            "{}: neither a bundle nor a model; give a directory that `train-supervised` wrote",
            directory.display()
        );
        let mut seeds = Vec::new();
        let entries =
            std::fs::read_dir(directory).with_context(|| format!("{}: cannot list", directory.display()))?;
        for entry in entries.flatten() {
            let of_seed = entry.file_name().to_string_lossy().strip_prefix("seed-").map(str::parse::<u64>);
            if let Some(Ok(seed)) = of_seed
                && is_bundle(&entry.path().join("bundle"))
            {
                seeds.push((seed, entry.path().join("bundle")));
            }
        }
        seeds.sort_unstable();
        let mut bundles = Vec::with_capacity(seeds.len());
        for (_, path) in seeds {
            bundles.push(ModelBundle::read(&path, &device)?);
        }
        ensure!(!bundles.is_empty(), "{}: it has no seed with a bundle", directory.display());
        Ok(Self { name, directory: directory.to_owned(), chosen, bundles })
    }

    fn one(&self) -> anyhow::Result<&ModelBundle> {
        self.bundles.first().context("no bundle")
    }

    fn report(&self, first: &Self) -> anyhow::Result<ModelReport> {
        let (own, other) = (self.one()?, first.one()?);
        let test = |bundle: &ModelBundle| bundle.origin.intervals.get(PARTS[1]).cloned().unwrap_or_default();
        let mut differs = Vec::new();
        for (what, same) in [
            ("test time", test(own) == test(other)),
            ("series", own.origin.series == other.origin.series),
            ("labels", own.labeler == other.labeler),
            ("timeframe", own.origin.timeframe == other.origin.timeframe),
        ] {
            if !same {
                differs.push(what);
            }
        }
        let tests: Option<Vec<&Assessment>> =
            self.bundles.iter().map(|bundle| bundle.metrics.get(PARTS[1])).collect();
        let tests =
            tests.with_context(|| format!("{}: a bundle has no test figures", self.directory.display()))?;
        Ok(ModelReport {
            name: self.name.clone(),
            directory: self.directory.clone(),
            seeds: self.bundles.iter().map(|bundle| bundle.origin.config.seed).collect(),
            summary: ModelSummary::of(tests.into_iter())?,
            test: test(own),
            data_hash: own.origin.data_hash.clone(),
            trials: own.origin.trials,
            differs,
            on_data: None,
        })
    }
}

/// Judges the chosen bundle of every model on the candles, where none of them looked before.
fn judge(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
    models: &[Model],
    reports: &mut [ModelReport],
) -> anyhow::Result<Vec<(String, String)>> {
    let mut configuration = configuration.clone();
    let predictors: Vec<Predictor> =
        models.iter().map(|model| Predictor::load(&model.chosen)).collect::<Result<_, _>>()?;
    let input = Input {
        data: arguments.data.clone(),
        timeframe: predictors.first().map(|predictor| predictor.bundle().origin.timeframe),
        series: arguments.series.clone(),
        findings: arguments.findings,
        accept: arguments.accept.clone(),
    };
    configuration.take(&input);
    let (mut first, mut refused): (Option<JudgedRows>, _) = (None, Vec::new());
    for ((predictor, model), report) in predictors.iter().zip(models).zip(reports) {
        let bundle = predictor.bundle();
        let candles = data::read(&input, &configuration.import, &bundle.spec, common)
            .with_context(|| model.directory.display().to_string())?;
        refused.clone_from(&candles.refused);
        let score = |key| {
            let labels = candles.labels(key, &bundle.labeler)?;
            let saw = |row: usize| {
                let window = labels.window(row);
                window.is_some_and(|window| predictors.iter().any(|one| one.bundle().origin.saw(&window)))
            };
            let frame = candles.frame(key, &bundle.spec)?;
            let logits = predictor.logits(&frame, |row| !saw(row))?;
            let mut rows = ScoredRows::default();
            rows.extend(&logits, &labels, |row| !saw(row))?;
            anyhow::Ok(rows)
        };
        let mut rows = ScoredRows::default();
        for scored in candles.keys.par_iter().map(score).collect::<Vec<_>>() {
            rows.append(scored?);
        }
        ensure!(!rows.is_empty(), "one of the models saw all of these candles; give later ones");
        let judged = JudgedRows::new(rows, &bundle.calibration)?;
        let (block, seed) = (10 * bundle.labeler.window() as usize, bundle.origin.config.seed);
        let comparison = first
            .as_ref()
            .map(|first| Comparison::of(first, &judged, block, seed))
            .transpose()
            .with_context(|| {
                format!("{} beside {}", model.name, models.first().map_or("", |model| &model.name))
            })?;
        let assessment = assess_judged(&judged, bundle.origin.prior, block, seed)?;
        report.on_data = Some(OnData { assessment, comparison });
        first.get_or_insert(judged);
    }
    Ok(refused)
}

fn print(report: &Report) -> anyhow::Result<()> {
    let mut table = Table::new([
        "model, its test part",
        "seeds",
        "macro-F1",
        "MCC",
        "log-loss",
        "direction AUC",
        "trials",
        "differs in",
    ]);
    for model in &report.models {
        table.row([
            model.name.clone(),
            model.seeds.len().to_string(),
            spread(&model.summary.macro_f1),
            spread(&model.summary.mcc),
            spread(&model.summary.log_loss),
            model.summary.direction_auc.as_ref().map_or("-".to_owned(), spread),
            model.trials.map_or("-".to_owned(), |trials| trials.to_string()),
            model.differs.join(", "),
        ]);
    }
    table.print()?;
    if report.models.iter().any(|model| !model.differs.is_empty()) {
        print_text(
            "models that differ in what they were tested on cannot be told apart by these figures; judge them on the same candles with --data\n",
        )?;
    }
    if report.models.iter().all(|model| model.on_data.is_none()) {
        return Ok(());
    }
    let mut table =
        Table::new(["model, the same candles", "rows", "macro-F1", "MCC", "log-loss", "of shares"]);
    for model in &report.models {
        let Some(OnData { assessment, .. }) = &model.on_data else { continue };
        let metrics = &assessment.decided;
        table.row([
            model.name.clone(),
            metrics.rows.to_string(),
            format!("{:.4}", metrics.macro_f1),
            format!("{:+.4}", metrics.mcc),
            format!("{:.4}", metrics.log_loss),
            format!("{:.4}", metrics.prior_log_loss),
        ]);
    }
    table.print()?;
    for model in &report.models {
        if let Some(OnData { comparison: Some(comparison), .. }) = &model.on_data {
            let first = report.models.first().map_or("", |model| &model.name);
            print_text(&beside(first, &model.name, comparison))?;
        }
    }
    Ok(())
}
