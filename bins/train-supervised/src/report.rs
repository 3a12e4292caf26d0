//! What is written to stdout.

use std::path::Path;

use anyhow::Context;
use command_line::{CommonArguments, Table, print_json, print_text};
use market_data::store::write_file;
use serde::Serialize;
use supervised::comparison::{Advantage, Comparison, SeedSummary};
use supervised::metrics::BootstrapInterval;
use supervised::{Assessment, Skill};

use crate::baselines::{BaselineReport, ModelSummary};
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
    if report.seeds.len() > 1 || !report.baselines.is_empty() {
        print_models(&report.summary, &report.baselines)?;
    }
    print_text(&format!("bundle (seed {}, the median): {}\n", report.median_seed, report.bundle.display()))
}

/// The xLSTM and its baselines on the test part, over all seeds.
fn print_models(model: &ModelSummary, baselines: &[BaselineReport]) -> anyhow::Result<()> {
    let mut table = Table::new([
        "model, test part",
        "seeds",
        "macro-F1",
        "MCC",
        "log-loss",
        "direction AUC",
        "xLSTM - it, macro-F1",
        "widest interval",
        "clear at 99 % for",
        "McNemar p, in blocks",
    ]);
    let cells = |name: &str, summary: &ModelSummary| {
        vec![
            name.to_owned(),
            summary.macro_f1.seeds.to_string(),
            spread(&summary.macro_f1),
            spread(&summary.mcc),
            spread(&summary.log_loss),
            summary.direction_auc.as_ref().map_or("-".to_owned(), spread),
        ]
    };
    let rest = |cells: Vec<String>, more: [String; 4]| -> [String; 10] {
        let mut all: [String; 10] = std::array::from_fn(|_| String::new());
        for (place, cell) in all.iter_mut().zip(cells.into_iter().chain(more)) {
            *place = cell;
        }
        all
    };
    table.row(rest(cells("xlstm", model), std::array::from_fn(|_| String::new())));
    for baseline in baselines {
        let row = cells(baseline.model.name(), &baseline.summary);
        table.row(rest(row, beside_all(baseline)));
    }
    table.print()?;
    Ok(())
}

pub(crate) fn spread(summary: &SeedSummary) -> String {
    match summary.standard_deviation {
        Some(deviation) => format!("{:.4} ± {deviation:.4}", summary.mean),
        None => format!("{:.4}", summary.mean),
    }
}

/// Difference of the macro-F1, mean over the seeds; the outermost limits of their intervals; the seeds for which one is clearly
/// better; the median p-value.
fn beside_all(baseline: &BaselineReport) -> [String; 4] {
    let paired: Vec<_> = baseline
        .seeds
        .iter()
        .filter_map(|seed| seed.comparison.paired.as_ref())
        .map(|one| one.macro_f1)
        .collect();
    if paired.is_empty() {
        return ["too few rows".to_owned(), String::new(), String::new(), String::new()];
    }
    let mean = paired.iter().map(|one| one.difference).sum::<f64>() / paired.len() as f64;
    let lower = paired.iter().map(|one| one.lower).fold(f64::INFINITY, f64::min);
    let upper = paired.iter().map(|one| one.upper).fold(f64::NEG_INFINITY, f64::max);
    let of = |advantage: Advantage| {
        baseline.seeds.iter().filter(|seed| seed.comparison.advantage() == advantage).count()
    };
    let mut p: Vec<f64> =
        baseline.seeds.iter().filter_map(|seed| seed.comparison.clustered).map(|test| test.p_value).collect();
    p.sort_unstable_by(f64::total_cmp);
    [
        format!("{mean:+.4}"),
        format!("{lower:+.4} to {upper:+.4}"),
        format!("xLSTM {}, it {}, of {}", of(Advantage::First), of(Advantage::Second), paired.len()),
        p.get(p.len().saturating_sub(1) / 2).map_or(String::new(), |p| format!("{p:.4}")),
    ]
}

/// A model beside another one, in a sentence.
pub(crate) fn beside(first: &str, name: &str, comparison: &Comparison) -> String {
    let (Some(paired), Some(clustered)) = (&comparison.paired, &comparison.clustered) else {
        return format!("{first} beside {name}: too few rows to compare\n");
    };
    let said = match comparison.advantage() {
        Advantage::First => "better",
        Advantage::Unclear => "not to be told from it",
        Advantage::Second => "worse",
    };
    let difference = paired.macro_f1;
    format!(
        "{first} beside {name}: {said}, macro-F1 {:+.4}, 95 % interval {:+.4} to {:+.4}; McNemar p {:.4} in blocks of time ({:.4} if rows were independent)\n",
        difference.difference,
        difference.lower,
        difference.upper,
        clustered.p_value,
        comparison.mcnemar.p_value
    )
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
