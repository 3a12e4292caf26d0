//! `train-supervised evaluate`

use std::path::PathBuf;

use anyhow::Context;
use command_line::{CommonArguments, Outcome, Table, print_json, print_text};
use labels::LabelSeries;
use market_data::store::{TableColumn, write_columns};
use market_data::{SeriesKey, Timestamp};
use rayon::prelude::*;
use serde::Serialize;
use supervised::baseline::BaselineKind;
use supervised::calibration::Calibration;
use supervised::comparison::Comparison;
use supervised::dataset::{Part, prepare_rows};
use supervised::{
    Assessment, CandleSource, FrameLogits, JudgedRows, ModelBundle, Predictor, ScoredRows, StoredBaseline,
    assess, assess_judged,
};

use crate::Input;
use crate::configuration::Configuration;
use crate::data;
use crate::report::{HEADER, beside, row, verdict};

/// How far predicted shares may be from the true ones, as a factor.
const COLLAPSE: f64 = 2.0;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,

    /// Directory of the model bundle
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,

    /// Judge only candles that open at this time or later
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,

    /// Judge only candles that open before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,

    /// Compare with the best possible probabilities, which `data-loader generate --model planted` stores beside its
    /// candles
    #[arg(long)]
    optimum: bool,

    /// Directory for the predictions that were judged: a Parquet file per series with probabilities, the class predicted
    /// and the true one; files of the same names are replaced
    #[arg(long, value_name = "DIR")]
    predictions: Option<PathBuf>,

    /// Judge candles of the training and validation time too; what they show is no skill
    #[arg(long)]
    seen: bool,

    /// Leave out the baselines that are saved with the bundle
    #[arg(long)]
    without_baselines: bool,
}

/// A baseline of the bundle on the same candles.
#[derive(Debug, Serialize)]
struct JudgedBaseline {
    model: BaselineKind,
    assessment: Assessment,
    /// The bundle's model minus this one.
    comparison: Comparison,
}

/// The document on stdout.
#[derive(Debug, Serialize)]
struct Report {
    command: &'static str,
    bundle: PathBuf,
    name: String,
    feature_hash: String,
    series: Vec<String>,
    refused: Vec<(String, String)>,
    /// Rows with prediction and label that were left out because training or validation saw their time.
    seen_rows: usize,
    /// Whether they were judged all the same.
    seen_judged: bool,
    /// Classes predicted at less than half or more than twice their true share.
    collapsed: Vec<String>,
    assessment: Assessment,
    /// The models that were saved with the bundle, on the same rows.
    baselines: Vec<JudgedBaseline>,
    /// What no model can beat on these rows, where it is known and was asked for.
    optimum: Option<Assessment>,
}

pub(crate) fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    let mut configuration = configuration.clone();
    configuration.take(&arguments.input);
    let predictor = Predictor::load(&arguments.bundle)?;
    let bundle = predictor.bundle();
    let mut input = arguments.input.clone();
    input.timeframe.get_or_insert(bundle.origin.timeframe);
    let candles = data::read(&input, &configuration.import, &bundle.spec, common)
        .with_context(|| format!("the bundle takes candles of {}", bundle.origin.timeframe))?;
    let bar = common.progress().bar(candles.keys.len() as u64, "predictions");
    let judge = |key: &SeriesKey| {
        let judged = Judged::of(key, &candles, &predictor, arguments);
        bar.advance(1);
        judged
    };
    let (mut rows, mut best) = (ScoredRows::default(), ScoredRows::default());
    let (mut seen_rows, mut predictions) = (0, Vec::new());
    for judged in candles.keys.par_iter().map(judge).collect::<Vec<_>>() {
        let judged = judged?;
        rows.append(judged.rows);
        best.append(judged.best);
        seen_rows += judged.seen_rows;
        predictions.extend(judged.predictions);
    }
    bar.finish();
    if seen_rows > 0 && !arguments.seen {
        tracing::warn!(
            "{seen_rows} rows lie in the training or validation time of the bundle and were left out; --seen judges them too"
        );
    }
    let block = 10 * bundle.labeler.window() as usize;
    let seed = bundle.origin.config.seed;
    let judged = JudgedRows::new(rows, &bundle.calibration)?;
    let assessment = assess_judged(&judged, bundle.origin.prior, block, seed).with_context(|| {
        if seen_rows > 0 {
            "the bundle saw all of this time; give later candles, or judge these all the same with --seen"
        } else {
            "nothing to judge"
        }
    })?;
    if let Some(directory) = &arguments.predictions {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("{}: cannot create the directory", directory.display()))?;
        predictions.iter().try_for_each(|one| write_columns(&directory.join(&one.file), &one.columns))?;
    }
    let baselines = if arguments.without_baselines {
        Vec::new()
    } else {
        judge_baselines(arguments, &configuration, &candles, bundle, &judged)?
    };
    let optimum = if arguments.optimum {
        // The best probabilities need no calibration, and their most probable class is the best decision.
        Some(assess(&best, &Calibration::default(), bundle.origin.prior, block, seed)?)
    } else {
        None
    };
    let report = Report {
        command: "evaluate",
        bundle: arguments.bundle.clone(),
        name: bundle.origin.name.clone(),
        feature_hash: bundle.feature_hash().to_owned(),
        series: candles.keys.iter().map(ToString::to_string).collect(),
        refused: candles.refused.clone(),
        seen_rows,
        seen_judged: arguments.seen,
        collapsed: collapsed(&assessment),
        assessment,
        baselines,
        optimum,
    };
    if common.is_json() {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(Outcome::finding_if(!report.refused.is_empty() || !report.collapsed.is_empty()))
}

/// What the baselines of the bundle say of the rows that it was judged on.
fn judge_baselines(
    arguments: &Arguments,
    configuration: &Configuration,
    candles: &CandleSource,
    bundle: &ModelBundle,
    judged: &JudgedRows,
) -> anyhow::Result<Vec<JudgedBaseline>> {
    let stored = ModelBundle::read_baselines(&arguments.bundle)?;
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    let device = configuration.device.device()?;
    let labelled = candles.labelled(&bundle.spec, &bundle.labeler)?;
    let dataset = prepare_rows(labelled, &bundle.fit, |labels, row| wanted(arguments, bundle, labels, row))?;
    let (block, seed) = (10 * bundle.labeler.window() as usize, bundle.origin.config.seed);
    let judge = |stored: StoredBaseline| {
        let of = stored.baseline.judge(&dataset, Part::Test, &bundle.origin.config, &device)?;
        Ok(JudgedBaseline {
            model: stored.baseline.kind,
            assessment: assess_judged(&of, bundle.origin.prior, block, seed)?,
            comparison: Comparison::of(judged, &of, block, seed)?,
        })
    };
    stored.into_iter().map(judge).collect()
}

/// Whether the command line asks for a row.
fn asked_for(arguments: &Arguments, labels: &LabelSeries, row: usize) -> bool {
    let Some(window) = labels.window(row) else { return false };
    arguments.from.is_none_or(|from| window.start >= from) && arguments.to.is_none_or(|to| window.start < to)
}

/// Whether a row is to be judged.
fn wanted(arguments: &Arguments, bundle: &ModelBundle, labels: &LabelSeries, row: usize) -> bool {
    let seen = || labels.window(row).is_some_and(|window| bundle.origin.saw(&window));
    asked_for(arguments, labels, row) && (arguments.seen || !seen())
}

/// The rows of one series.
#[derive(Default)]
struct Judged {
    rows: ScoredRows,
    best: ScoredRows,
    seen_rows: usize,
    predictions: Option<Predictions>,
}

/// What `--predictions` leaves of one series.
struct Predictions {
    file: String,
    columns: Vec<(&'static str, TableColumn)>,
}

impl Judged {
    fn of(
        key: &SeriesKey,
        candles: &CandleSource,
        predictor: &Predictor,
        arguments: &Arguments,
    ) -> anyhow::Result<Self> {
        let bundle = predictor.bundle();
        let labels = candles.labels(key, &bundle.labeler)?;
        let seen = |row: usize| labels.window(row).is_some_and(|window| bundle.origin.saw(&window));
        let wanted = |row: usize| wanted(arguments, bundle, &labels, row);
        let frame = candles.frame(key, &bundle.spec)?;
        let logits = predictor.logits(&frame, wanted)?;
        let mut judged = Self::default();
        judged.rows.extend(&logits, &labels, wanted)?;
        judged.seen_rows = (0..frame.len())
            .filter(|row| frame.is_valid(*row) && asked_for(arguments, &labels, *row) && seen(*row))
            .count();
        if arguments.optimum {
            judged.best.extend(&data::optimum(&arguments.input, candles, key, &logits)?, &labels, wanted)?;
        }
        judged.predictions =
            arguments.predictions.is_some().then(|| Predictions::of(&logits, &labels, &bundle.calibration));
        Ok(judged)
    }
}

impl Predictions {
    /// A row for each prediction: times in milliseconds, probabilities, classes 0 sell, 1 hold, 2 buy.
    fn of(found: &FrameLogits, labels: &LabelSeries, calibration: &Calibration) -> Self {
        let mut times = Vec::with_capacity(found.rows.len());
        let (mut predicted, mut classes) = (Vec::new(), Vec::new());
        let mut probabilities = [Vec::new(), Vec::new(), Vec::new()];
        for (row, logits) in found.rows.iter().zip(&found.logits) {
            let (Some(time), Some(label)) = (labels.open_time(*row), labels.label(*row)) else { continue };
            let (of_row, class) = calibration.apply_row(*logits);
            times.push(time.as_millis());
            predicted.push(i64::from(class));
            classes.push(label.index() as i64);
            for (column, value) in probabilities.iter_mut().zip(of_row) {
                column.push(f64::from(value));
            }
        }
        let [sell, hold, buy] = probabilities;
        let columns = vec![
            ("open_time", TableColumn::Integers(times)),
            ("sell", TableColumn::Numbers(sell)),
            ("hold", TableColumn::Numbers(hold)),
            ("buy", TableColumn::Numbers(buy)),
            ("predicted", TableColumn::Integers(predicted)),
            ("label", TableColumn::Integers(classes)),
        ];
        Self { file: format!("{}.parquet", found.key.file_stem()), columns }
    }
}

/// The classes whose predicted share has left the bounds.
fn collapsed(assessment: &Assessment) -> Vec<String> {
    let metrics = &assessment.decided;
    let classes = ["sell", "hold", "buy"]
        .into_iter()
        .zip(metrics.predicted_shares.into_iter().zip(metrics.true_shares));
    classes
        .filter(|(_, (predicted, truth))| *predicted > COLLAPSE * truth || *predicted < truth / COLLAPSE)
        .map(|(class, _)| class.to_owned())
        .collect()
}

fn print(report: &Report) -> anyhow::Result<()> {
    let mut table = Table::new(HEADER);
    table.row(row("all together", &report.assessment));
    for baseline in &report.baselines {
        table.row(row(baseline.model.name(), &baseline.assessment));
    }
    if let Some(optimum) = &report.optimum {
        table.row(row("best possible", optimum));
    }
    table.print()?;
    let mut series = Table::new(["series", "rows", "macro-F1", "MCC", "log-loss", "of shares"]);
    for (name, metrics) in &report.assessment.series {
        series.row([
            name.clone(),
            metrics.rows.to_string(),
            format!("{:.4}", metrics.macro_f1),
            format!("{:+.4}", metrics.mcc),
            format!("{:.4}", metrics.log_loss),
            format!("{:.4}", metrics.prior_log_loss),
        ]);
    }
    series.print()?;
    for baseline in &report.baselines {
        print_text(&beside("the model", baseline.model.name(), &baseline.comparison))?;
    }
    print_text(&format!("the model {}\n", verdict(&report.assessment)))?;
    if let Some(optimum) = &report.optimum {
        let share = 100.0 * report.assessment.decided.macro_f1 / optimum.decided.macro_f1;
        print_text(&format!("macro-F1: {share:.2} % of the best possible one\n"))?;
    }
    if !report.collapsed.is_empty() {
        print_text(&format!(
            "collapsed: {} predicted at less than half or more than twice the true share\n",
            report.collapsed.join(", ")
        ))?;
    }
    Ok(())
}
