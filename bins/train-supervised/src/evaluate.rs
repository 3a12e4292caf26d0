//! `train-supervised evaluate`

use std::path::{Path, PathBuf};

use anyhow::Context;
use command_line::{CommonArguments, Outcome, Table, print_json, print_text};
use labels::LabelSeries;
use market_data::store::{TableColumn, write_columns};
use market_data::{SeriesKey, Timestamp};
use rayon::prelude::*;
use serde::Serialize;
use supervised::calibration::Calibration;
use supervised::{Assessment, FrameLogits, Predictor, ScoredRows, assess};

use crate::Input;
use crate::configuration::Configuration;
use crate::data::Candles;
use crate::report::{HEADER, row, verdict};

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
    let candles = Candles::read(&input, &configuration.import, &bundle.spec, common)
        .with_context(|| format!("the bundle takes candles of {}", bundle.origin.timeframe))?;
    if let Some(directory) = &arguments.predictions {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("{}: cannot create the directory", directory.display()))?;
    }
    let bar = common.progress().bar(candles.keys.len() as u64, "predictions");
    let judge = |key: &SeriesKey| {
        let judged = Judged::of(key, &candles, &predictor, arguments);
        bar.advance(1);
        judged
    };
    let (mut rows, mut best) = (ScoredRows::default(), ScoredRows::default());
    let mut seen_rows = 0;
    for judged in candles.keys.par_iter().map(judge).collect::<Vec<_>>() {
        let judged = judged?;
        rows.append(judged.rows);
        best.append(judged.best);
        seen_rows += judged.seen_rows;
    }
    bar.finish();
    if seen_rows > 0 && !arguments.seen {
        tracing::warn!(
            "{seen_rows} rows lie in the training or validation time of the bundle and were left out; --seen judges them too"
        );
    }
    let block = 10 * bundle.labeler.window() as usize;
    let seed = bundle.origin.config.seed;
    let assessment =
        assess(&rows, &bundle.calibration, bundle.origin.prior, block, seed).with_context(|| {
            if seen_rows > 0 {
                "the bundle saw all of this time; give later candles, or judge these all the same with --seen"
            } else {
                "nothing to judge"
            }
        })?;
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
        optimum,
    };
    if common.is_json() {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(Outcome::finding_if(!report.refused.is_empty() || !report.collapsed.is_empty()))
}

/// The rows of one series.
#[derive(Default)]
struct Judged {
    rows: ScoredRows,
    best: ScoredRows,
    seen_rows: usize,
}

impl Judged {
    fn of(
        key: &SeriesKey,
        candles: &Candles,
        predictor: &Predictor,
        arguments: &Arguments,
    ) -> anyhow::Result<Self> {
        let bundle = predictor.bundle();
        let labels = candles.labels(key, &bundle.labeler)?;
        let asked_for = |row: usize| {
            let Some(window) = labels.window(row) else { return false };
            arguments.from.is_none_or(|from| window.start >= from)
                && arguments.to.is_none_or(|to| window.start < to)
        };
        let seen = |row: usize| labels.window(row).is_some_and(|window| bundle.origin.saw(&window));
        let wanted = |row: usize| asked_for(row) && (arguments.seen || !seen(row));
        let frame = candles.frame(key, &bundle.spec)?;
        let logits = predictor.logits(&frame, wanted)?;
        let mut judged = Self::default();
        judged.rows.extend(&logits, &labels, wanted)?;
        judged.seen_rows =
            (0..frame.len()).filter(|row| frame.is_valid(*row) && asked_for(*row) && seen(*row)).count();
        if arguments.optimum {
            judged.best.extend(&candles.optimum(key, &logits)?, &labels, wanted)?;
        }
        if let Some(directory) = &arguments.predictions {
            write_predictions(directory, &logits, &labels, &bundle.calibration)?;
        }
        Ok(judged)
    }
}

/// Writes a row for each prediction: times in milliseconds, probabilities, classes 0 sell, 1 hold, 2 buy.
fn write_predictions(
    directory: &Path,
    found: &FrameLogits,
    labels: &LabelSeries,
    calibration: &Calibration,
) -> anyhow::Result<()> {
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
    let path = directory.join(format!("{}.parquet", found.key.file_stem()));
    let columns = [
        ("open_time", TableColumn::Integers(times)),
        ("sell", TableColumn::Numbers(sell)),
        ("hold", TableColumn::Numbers(hold)),
        ("buy", TableColumn::Numbers(buy)),
        ("predicted", TableColumn::Integers(predicted)),
        ("label", TableColumn::Integers(classes)),
    ];
    Ok(write_columns(&path, &columns)?)
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
