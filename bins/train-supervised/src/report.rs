//! What is written to stdout.

use std::path::Path;

use anyhow::Context;
use command_line::{CommonArguments, Table, print_json, print_text};
use market_data::store::write_file;
use serde::Serialize;
use supervised::metrics::BootstrapInterval;
use supervised::{Assessment, Skill};

use crate::training::TrainReport;

/// Writes a document beside what it tells about.
pub(crate) fn write<T: Serialize>(path: &Path, document: &T) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(document).context("cannot write JSON")?;
    Ok(write_file(path, (text + "\n").as_bytes())?)
}

pub(crate) fn print_training(report: &TrainReport, common: &CommonArguments) -> anyhow::Result<()> {
    if common.is_json() {
        return print_json(report);
    }
    let mut table = Table::new(HEADER);
    for seed in &report.seeds {
        for (part, assessment) in [("validation", &seed.validation), ("test", &seed.test)] {
            table.row(row(&format!("seed {} {part}", seed.seed), assessment));
        }
    }
    table.print()?;
    for seed in &report.seeds {
        print_text(&format!(
            "seed {}: epoch {} of {} kept{}; test: {}\n",
            seed.seed,
            seed.best_epoch + 1,
            seed.epochs,
            seed.seconds_per_epoch.map_or(String::new(), |seconds| format!(", {seconds:.1} s an epoch")),
            verdict(&seed.test),
        ))?;
    }
    print_text(&format!("bundle: {}\n", report.bundle.display()))
}

pub(crate) const HEADER: [&str; 12] = [
    "rows of",
    "rows",
    "accuracy",
    "balanced",
    "macro-F1",
    "MCC",
    "log-loss",
    "of shares",
    "Brier",
    "ECE",
    "predicted S/H/B",
    "true S/H/B",
];

/// The figures of one assessment.
pub(crate) fn row(name: &str, assessment: &Assessment) -> [String; 12] {
    let metrics = &assessment.decided;
    let shares = |shares: [f64; 3]| {
        let [sell, hold, buy] = shares.map(|share| format!("{:.1}", 100.0 * share));
        format!("{sell}/{hold}/{buy} %")
    };
    [
        name.to_owned(),
        metrics.rows.to_string(),
        format!("{:.4}", metrics.accuracy),
        format!("{:.4}", metrics.balanced_accuracy),
        format!("{:.4}", metrics.macro_f1),
        format!("{:+.4}", metrics.mcc),
        format!("{:.4}", metrics.log_loss),
        format!("{:.4}", metrics.prior_log_loss),
        format!("{:.4}", metrics.brier),
        format!("{:.4}", metrics.expected_calibration_error),
        shares(metrics.predicted_shares),
        shares(metrics.true_shares),
    ]
}

/// What the assessment says in a sentence.
pub(crate) fn verdict(assessment: &Assessment) -> String {
    let said = match assessment.skill {
        Skill::Better => "knows more than the class shares",
        Skill::Unclear => "cannot be told from the class shares",
        Skill::Worse => "knows less than the class shares: do not trade it",
    };
    let auc = |value: Option<f64>| value.map_or("unknown".to_owned(), |value| format!("{value:.4}"));
    let direction = match Skill::of(assessment.direction_advantage) {
        Skill::Better => "it knows something of the direction",
        Skill::Unclear => "its direction cannot be told from a coin",
        Skill::Worse => "its direction is worse than a coin",
    };
    format!(
        "{said} ({}); whether it moves: AUC {}; where to: AUC {}, {direction} ({})",
        nats(assessment.advantage),
        auc(assessment.move_auc),
        auc(assessment.direction_auc),
        nats(assessment.direction_advantage),
    )
}

fn nats(interval: Option<BootstrapInterval>) -> String {
    interval.map_or_else(
        || "too few rows for an interval".to_owned(),
        |interval| {
            format!(
                "{:+.5} nats a row, 95 % interval {:+.5} to {:+.5}",
                interval.mean, interval.lower, interval.upper
            )
        },
    )
}
