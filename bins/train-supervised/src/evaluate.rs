//! `train-supervised evaluate`

use std::cell::Cell;
use std::path::PathBuf;

use anyhow::Context;
use command_line::{CommonArguments, Outcome, Table, print_json, print_text};
use market_data::Timestamp;
use serde::Serialize;
use supervised::calibration::Calibration;
use supervised::{Assessment, Predictor, ScoredRows, assess};

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
    let (mut rows, mut best) = (ScoredRows::default(), ScoredRows::default());
    let mut seen_rows = 0;
    let bar = common.progress().bar(candles.keys.len() as u64, "predictions");
    for key in &candles.keys {
        let labels = candles.labels(key, &bundle.labeler)?;
        let logits = predictor.logits(&candles.frame(key, &bundle.spec)?)?;
        let seen_here = Cell::new(0);
        let wanted = |index| {
            let Some(window) = labels.window(index) else { return false };
            let asked_for = arguments.from.is_none_or(|from| window.start >= from)
                && arguments.to.is_none_or(|to| window.start < to);
            if asked_for && bundle.origin.saw(&window) {
                seen_here.set(seen_here.get() + 1);
                return arguments.seen;
            }
            asked_for
        };
        if arguments.optimum {
            best.extend(&candles.optimum(key, &logits)?, &labels, wanted)?;
        }
        seen_here.set(0);
        rows.extend(&logits, &labels, wanted)?;
        seen_rows += seen_here.get();
        bar.advance(1);
    }
    bar.finish();
    if seen_rows > 0 && !arguments.seen {
        tracing::warn!(
            "{seen_rows} rows lie in the training or validation time of the bundle and were left out; --seen judges them too"
        );
    }
    let block = 10 * bundle.labeler.window() as usize;
    let seed = bundle.origin.config.seed;
    let assessment = assess(&rows, &bundle.calibration, bundle.origin.prior, block, seed).with_context(|| {
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

/// The classes whose predicted share has left the bounds.
fn collapsed(assessment: &Assessment) -> Vec<String> {
    let metrics = &assessment.decided;
    let classes = ["sell", "hold", "buy"].into_iter().zip(metrics.predicted_shares.into_iter().zip(metrics.true_shares));
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
