//! Trains a model on the labels found, through `train-supervised`, and shows what each seed gave.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use serde_json::{Value, json};

use super::resume::{Kept, Reads};
use super::summary::grouped;
use super::{Arguments, Run, Stage, print};
use crate::say;
use crate::table::table;
use crate::verdict::Verdict;

pub(super) const STAGE: Stage = Stage { name: "model", run, kept: Some(KEPT) };

const KEPT: Kept = Kept {
    reads: |run| Reads {
        programs: &[PROGRAM],
        words: size_words(&run.arguments),
        files: run.labels.labeler.iter().cloned().collect(),
    },
    writes: &["models"],
    goes_on: true,
    save: |run| run.model.training.clone(),
    restore: |run, result| {
        run.model.training = result;
        Ok(())
    },
};

pub(super) const PROGRAM: &str = "train-supervised";
/// Epochs on the synthetic market of the demo: enough to find the planted signal.
const DEMO_EPOCHS: u32 = 4;

/// What this stage and the next leave behind.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// What `train-supervised` wrote.
    pub(super) training: Value,
    /// What `train-supervised evaluate` wrote.
    pub(super) evaluation: Value,
}

fn run(run: &mut Run) -> Result<Verdict> {
    let Some(labeler) = run.labels.labeler.clone() else {
        say("no thresholds, no model");
        return Ok(Verdict::Fine);
    };
    let models = run.directory()?.join("models");
    // An epoch may take minutes: `--verbose` says what each has shown.
    let mut words: Vec<OsString> = vec!["--verbose".into(), "--labeler".into(), labeler.into()];
    words.extend(["--name".into(), run.arguments.labeler.word().into(), "--out".into(), models.into()]);
    words.extend(size_words(&run.arguments).into_iter().map(OsString::from));
    if let Some(commit) = commit(&run.workspace.root) {
        words.extend(["--commit".into(), commit.into()]);
    }
    if run.goes_on {
        words.push("--resume".into());
    }
    let (document, verdict) = run.call(PROGRAM, &words, &run.labels.series)?;
    run.model.training = document;
    if run.model.training.is_null() {
        say(&format!("{PROGRAM} trained no model; its own message stands above"));
        return Ok(verdict);
    }
    print(&text(&run.model.training))?;
    Ok(verdict)
}

/// The model's bundle, as what a later stage reads.
pub(super) fn bundle_files(run: &Run) -> Vec<PathBuf> {
    run.model.training["bundle"].as_str().map(PathBuf::from).into_iter().collect()
}

/// How much is trained. What the user sets comes later on the command line, and wins.
fn size_words(arguments: &Arguments) -> Vec<String> {
    let mut words = vec!["--seeds".to_owned(), arguments.seeds.to_string()];
    words.extend(["--set".to_owned(), format!("supervised.seed={}", arguments.seed)]);
    if let Some(epochs) = arguments.epochs.or(arguments.is_demo().then_some(DEMO_EPOCHS)) {
        words.extend(["--set".to_owned(), format!("supervised.epochs={epochs}")]);
    }
    match arguments.baselines.as_str() {
        "none" => {}
        "all" => words.push("--baselines".to_owned()),
        models => words.push(format!("--baselines={models}")),
    }
    words
}

/// The commit of the clone, with `-dirty` where files differ from it; none where it is no clone of git.
pub(super) fn commit(root: &Path) -> Option<String> {
    if !root.join(".git").exists() {
        return None;
    }
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]);
    let output = git.current_dir(root).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let hash = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !hash.is_empty()).then_some(hash)
}

/// Every seed on validation and test rows, what was left out, and where the model is.
fn text(document: &Value) -> String {
    let empty = Vec::new();
    let seeds = document["seeds"].as_array().unwrap_or(&empty);
    let mut rows = Vec::new();
    for seed in seeds {
        for part in ["validation", "test"] {
            let name = format!("seed {}, {part}", seed["seed"]);
            rows.push(assessment_row(name, &seed[part]["decided"]));
        }
    }
    let mut text = table(ASSESSMENT, ASSESSMENT_NUMBERS, &rows);
    for one in document["excluded"].as_array().unwrap_or(&empty) {
        let word = |field: &str| one[field].as_str().unwrap_or("-").to_owned();
        text += &format!("left out: {}: {}\n", word("series"), word("reason"));
    }
    for seed in seeds {
        let epoch = seed["best_epoch"].as_u64().map_or(0, |epoch| epoch + 1);
        let seconds = seed["seconds_per_epoch"].as_f64();
        text += &format!(
            "seed {}: epoch {epoch} of {} kept, {} labels an epoch{}\n",
            seed["seed"],
            seed["epochs"],
            grouped(seed["labels_per_epoch"].as_u64().unwrap_or(0)),
            seconds.map_or_else(String::new, |seconds| format!(", {seconds:.1} s an epoch")),
        );
    }
    text + &format!("bundle: {}\n", document["bundle"].as_str().unwrap_or("-"))
}

pub(super) const ASSESSMENT: [&str; 8] =
    ["rows of", "rows", "macro-F1", "MCC", "log-loss", "of shares", "predicted S/H/B", "true S/H/B"];
pub(super) const ASSESSMENT_NUMBERS: &[usize] = &[1, 2, 3, 4, 5, 6, 7];

/// The figures of one part or series.
pub(super) fn assessment_row(name: String, metrics: &Value) -> [String; 8] {
    let number = |field: &str| metrics[field].as_f64();
    let four = |field: &str| number(field).map_or("-".to_owned(), |value| format!("{value:.4}"));
    let shares = |field: &str| {
        let share = |class: usize| metrics[field][class].as_f64();
        match (share(0), share(1), share(2)) {
            (Some(sell), Some(hold), Some(buy)) => {
                format!("{:.1}/{:.1}/{:.1} %", 100.0 * sell, 100.0 * hold, 100.0 * buy)
            }
            _ => "-".to_owned(),
        }
    };
    [
        name,
        grouped(metrics["rows"].as_u64().unwrap_or(0)),
        four("macro_f1"),
        number("mcc").map_or("-".to_owned(), |value| format!("{value:+.4}")),
        four("log_loss"),
        four("prior_log_loss"),
        shares("predicted_shares"),
        shares("true_shares"),
    ]
}

/// What the record says of the model; the whole lies beside it.
pub(super) fn record(run: &Run) -> Value {
    let training = &run.model.training;
    if training.is_null() {
        return Value::Null;
    }
    let empty = Vec::new();
    let seeds = training["seeds"].as_array().unwrap_or(&empty).iter().map(|seed| {
        json!({
            "seed": seed["seed"], "bundle": seed["bundle"], "epochs": seed["epochs"],
            "best_epoch": seed["best_epoch"], "labels_per_epoch": seed["labels_per_epoch"],
            "seconds_per_epoch": seed["seconds_per_epoch"],
            "validation": figures(&seed["validation"]), "test": figures(&seed["test"]),
        })
    });
    json!({
        "name": training["name"], "bundle": training["bundle"], "columns": training["columns"],
        "intervals": training["intervals"], "labels": training["labels"], "excluded": training["excluded"],
        "data_hash": training["data_hash"], "seeds": seeds.collect::<Vec<_>>(),
        "summary": training["summary"], "median_seed": training["median_seed"],
    })
}

/// The figures of one assessment that the record keeps, with what they say of its skill.
pub(super) fn figures(assessment: &Value) -> Value {
    let mut figures = metric_figures(&assessment["decided"]);
    for field in ["skill", "advantage", "move_auc", "direction_auc", "direction_advantage"] {
        figures[field] = assessment[field].clone();
    }
    figures
}

/// The figures of some rows that the record keeps.
pub(super) fn metric_figures(metrics: &Value) -> Value {
    json!({
        "rows": metrics["rows"], "macro_f1": metrics["macro_f1"], "mcc": metrics["mcc"],
        "log_loss": metrics["log_loss"], "log_loss_of_shares": metrics["prior_log_loss"],
        "predicted_shares": metrics["predicted_shares"], "true_shares": metrics["true_shares"],
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn words(typed: &str) -> String {
        let words = ["train"].into_iter().chain(typed.split_whitespace());
        size_words(&Program::try_parse_from(words).unwrap().arguments).join(" ")
    }

    /// What the program writes, as far as this one reads it.
    pub(in crate::train) fn training() -> Value {
        let metrics = json!({
            "rows": 39952, "macro_f1": 0.34456, "mcc": 0.03998, "log_loss": 1.09326, "prior_log_loss": 1.09856,
            "predicted_shares": [0.455, 0.141, 0.404], "true_shares": [0.336, 0.345, 0.319],
        });
        let assessment = json!({ "decided": metrics, "skill": "better", "advantage": { "mean": 0.005, "lower": 0.003, "upper": 0.008 } });
        json!({
            "name": "triple-barrier", "bundle": "artifacts/runs/x/models/triple-barrier/bundle",
            "intervals": { "test": [{ "from": "2024-05-18T21:20:00Z", "to": "2024-06-22T14:40:00Z" }] },
            "excluded": [{ "series": "bybit-linear NEW/USDT:USDT 5m", "reason": "7 rows" }],
            "seeds": [{
                "seed": 3, "best_epoch": 1, "epochs": 4, "labels_per_epoch": 118072, "seconds_per_epoch": 4.007,
                "bundle": "artifacts/runs/x/models/triple-barrier/seed-3/bundle",
                "validation": assessment, "test": assessment,
            }],
        })
    }

    #[test]
    fn every_seed_is_shown_on_both_parts() {
        let expected = "\
rows of               rows  macro-F1      MCC  log-loss  of shares   predicted S/H/B        true S/H/B
seed 3, validation  39,952    0.3446  +0.0400    1.0933     1.0986  45.5/14.1/40.4 %  33.6/34.5/31.9 %
seed 3, test        39,952    0.3446  +0.0400    1.0933     1.0986  45.5/14.1/40.4 %  33.6/34.5/31.9 %
left out: bybit-linear NEW/USDT:USDT 5m: 7 rows
seed 3: epoch 2 of 4 kept, 118,072 labels an epoch, 4.0 s an epoch
bundle: artifacts/runs/x/models/triple-barrier/bundle
";
        assert_eq!(text(&training()), expected);
        // A document of another form is no panic.
        assert!(text(&json!({ "seeds": [{}] })).contains("bundle: -"));
    }

    #[test]
    fn the_demo_is_short_and_everything_else_as_configured() {
        assert_eq!(
            words(""),
            format!(
                "--seeds 1 --set supervised.seed=1 --set supervised.epochs={DEMO_EPOCHS} --baselines=stratified-random,logistic-regression,gradient-boosting"
            )
        );
        let none = "--baselines none";
        let of = |typed: &str| words(&format!("{typed} {none}"));
        assert_eq!(of("--profile standard --seed 5"), "--seeds 1 --set supervised.seed=5");
        assert_eq!(of("--data a.csv"), "--seeds 1 --set supervised.seed=1");
        assert_eq!(
            of("--data a.csv --epochs 2 --seeds 3"),
            "--seeds 3 --set supervised.seed=1 --set supervised.epochs=2"
        );
        assert!(of("--epochs 9").ends_with("supervised.epochs=9"));
        assert!(words("--data a.csv --baselines all").ends_with(" --baselines"));
        assert!(words("--data a.csv --baselines lstm").ends_with(" --baselines=lstm"));
    }

    #[test]
    fn a_directory_outside_git_has_no_commit() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(commit(directory.path()), None);
    }
}
