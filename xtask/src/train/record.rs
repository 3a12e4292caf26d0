//! Writes down what was run on what, and how it ended: `artifacts/runs/<id>/`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use super::identifier::{identifier, iso};
use super::report::Status;
use super::resume::RUNS;
use super::{Run, Stage, backtest, device, evaluation, labels, model, outcome, policy, print, walk_forward};
use crate::verdict::Verdict;

pub(super) const STAGE: Stage = Stage { name: "record", run, kept: None };

fn run(run: &mut Run) -> Result<Verdict> {
    let relative = run.directory()?;
    let directory = run.workspace.root.join(&relative);
    write(&directory.join("data-quality.json"), &run.data()?.document)?;
    if let Some(features) = &run.features {
        write(&directory.join("features.json"), features)?;
    }
    if !run.model.evaluation.is_null() {
        write(&directory.join("evaluation.json"), &run.model.evaluation)?;
    }
    if !run.policy.evaluation.is_null() {
        write(&directory.join("policy-evaluation.json"), &run.policy.evaluation)?;
    }
    let name = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
    write(&directory.join("summary.json"), &summary(run, &name)?)?;
    print(&format!("{}{}run: {}\n", outcome::text(run), made(run), relative.display()))?;
    Ok(Verdict::Fine)
}

/// What the run made, as far as it came.
fn made(run: &Run) -> String {
    let bundle = run.model.training["bundle"].as_str();
    let of = [
        ("bundle", bundle),
        ("policy", run.policy.directory()),
        ("walk-forward", walk_forward::report(run)),
        ("report", backtest::report(run)),
    ];
    of.iter().filter_map(|(name, path)| path.map(|path| format!("{name}: {path}\n"))).collect()
}

impl Run {
    /// Where this run leaves what it makes, relative to the root of the clone. It exists; without a summary in it
    /// the run has not ended.
    pub(super) fn directory(&mut self) -> Result<PathBuf> {
        if let Some(directory) = &self.directory {
            return Ok(directory.clone());
        }
        let id = run_identifier(self)?;
        let runs = Path::new(RUNS);
        let made = fresh_directory(&self.workspace.root.join(runs), &id)?;
        let directory = runs.join(made.file_name().unwrap_or_default());
        self.directory = Some(directory.clone());
        Ok(directory)
    }
}

/// Runs with the same arguments on the same candles end alike.
fn run_identifier(run: &Run) -> Result<String> {
    let arguments = format!("{:?} {:?}", run.arguments, run.store);
    let mut inputs = vec![arguments.as_bytes()];
    let hashes = run.data()?.report.series().filter_map(|series| series.content_hash.as_deref());
    inputs.extend(hashes.map(str::as_bytes));
    Ok(identifier(run.started, &inputs))
}

/// Two runs may start within one second; the second gets a number.
fn fresh_directory(parent: &Path, id: &str) -> Result<PathBuf> {
    fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let names = std::iter::once(id.to_owned()).chain((2_u32..).map(|n| format!("{id}-{n}")));
    for name in names {
        let directory = parent.join(name);
        match fs::create_dir(&directory) {
            Ok(()) => return Ok(directory),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot create {}", directory.display()));
            }
        }
    }
    unreachable!("the numbers do not end")
}

fn summary(run: &Run, id: &str) -> Result<serde_json::Value> {
    let report = &run.data()?.report;
    let stored = report.files.iter().filter(|file| file.status.verdict() == Verdict::Fine);
    let rows: u64 = stored.clone().flat_map(|file| &file.series).map(|series| series.rows).sum();
    let series: usize = stored.map(|file| file.series.len()).sum();
    let not_stored: Vec<_> = report
        .files
        .iter()
        .filter(|file| file.status.verdict() != Verdict::Fine)
        .map(|file| json!({"path": file.path, "status": file.status.name(), "reason": file.error}))
        .collect();
    let arguments = &run.arguments;
    Ok(json!({
        "id": id,
        "started": run.ledger.as_ref().map_or_else(|| iso(run.started), |ledger| ledger.document.started.clone()),
        "resumed": run.ledger.as_ref().map_or_else(Vec::new, |ledger| ledger.document.resumed.clone()),
        "device": device::record(run),
        "verdict": run.verdict(),
        "profile": arguments.profile,
        "seed": arguments.seed,
        "seeds": arguments.seeds,
        "epochs": arguments.epochs,
        "data": arguments.data,
        "findings": arguments.findings,
        "policy_algorithm": arguments.policy_algorithm.map(policy::AlgorithmName::word),
        "policy_seeds": arguments.policy_seeds,
        "policy_steps": arguments.policy_steps,
        "accept": arguments.accept,
        // Only the keys: a value may be a secret.
        "set": arguments.set.iter().map(|text| text.split('=').next()).collect::<Vec<_>>(),
        "store": run.store,
        "stages": run.stages,
        "features": super::features::record(run),
        "totals": {
            "series": series,
            "candles": rows,
            "files": report.files.len(),
            "imported": report.count(Status::Imported),
            "already_stored": report.count(Status::AlreadyStored),
            "refused": report.count(Status::Refused),
            "failed": report.count(Status::Failed) + report.count(Status::Unknown),
        },
        "not_stored": not_stored,
        "labels": labels::record(run),
        "model": model::record(run),
        "evaluation": evaluation::record(run),
        "policy": policy::record(run),
        "backtest": backtest::record(run),
        "walk_forward": walk_forward::record(run),
    }))
}

/// A reader never sees half a document: it is written beside its place and moved there.
pub(super) fn write(path: &Path, document: &serde_json::Value) -> Result<()> {
    let mut text = serde_json::to_string_pretty(document).context("cannot write JSON")?;
    text.push('\n');
    let beside = path.with_extension("json.tmp");
    fs::write(&beside, text)
        .and_then(|()| fs::rename(&beside, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::train::model::Model;
    use crate::train::model::tests::training;
    use crate::train::policy::Policy;
    use crate::train::policy::tests as learned;
    use crate::train::report::tests::DOCUMENT;
    use crate::train::thresholds::Labels;
    use crate::train::{Arguments, Data, Finished};
    use crate::workspace::Workspace;
    use clap::Parser;
    use std::collections::BTreeMap;
    use std::time::UNIX_EPOCH;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    pub(in crate::train) fn example(root: &Path) -> Run {
        let typed = ["train", "--data", "a.csv", "--set", "venue.api_key=hunter2"];
        Run {
            workspace: Workspace { root: root.to_owned(), current: root.to_owned() },
            arguments: Program::try_parse_from(typed).unwrap().arguments,
            started: UNIX_EPOCH,
            store: "datasets/store".into(),
            programs: BTreeMap::new(),
            versions: BTreeMap::new(),
            identity: "i".to_owned(),
            candles: Some("c".to_owned()),
            walk_forward: serde_json::Value::Null,
            ledger: None,
            goes_on: false,
            data: Some(Data {
                report: serde_json::from_str(DOCUMENT).unwrap(),
                document: serde_json::from_str(DOCUMENT).unwrap(),
            }),
            features: None,
            labels: Labels {
                thresholds: json!({"labelers": [{"reached": true, "pooled": {"shares": [0.3, 0.4, 0.3]}}]}),
                labels: json!({"series": [{"series": "a", "classes": {"shares": [0.2, 0.5, 0.3]}}]}),
                ..Labels::default()
            },
            backtest: json!({"strategies": [
                {"strategy": "buy-and-hold", "promote": true, "report": "b/report.html"},
                {"strategy": "policy", "promote": false, "report": "p/report.html"},
                {"strategy": "hybrid", "promote": false, "report": "h/report.html"},
            ]}),
            policy: Policy { training: learned::training(), evaluation: learned::evaluation() },
            model: Model {
                training: training(),
                evaluation: json!({"collapsed": ["hold"], "assessment": {
                    "skill": "better", "series": {"a": training()["seeds"][0]["test"]["decided"]},
                }}),
            },
            directory: None,
            stages: vec![Finished { name: "data", seconds: 1.0, verdict: Verdict::Finding, skipped: false }],
        }
    }

    #[test]
    fn the_record_holds_the_verdict_and_the_whole_report() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let mut run = example(root);
        super::run(&mut run).unwrap();
        // Another run of the same second.
        run.directory = None;
        super::run(&mut run).unwrap();
        let runs: Vec<_> =
            fs::read_dir(root.join("artifacts/runs")).unwrap().map(|run| run.unwrap().path()).collect();
        assert_eq!(runs.len(), 2);
        for directory in runs {
            let read = |name: &str| {
                let text = fs::read_to_string(directory.join(name)).unwrap();
                serde_json::from_str::<serde_json::Value>(&text).unwrap()
            };
            assert_eq!(read("data-quality.json"), run.data.as_ref().unwrap().document);
            let summary = read("summary.json");
            assert_eq!(summary["verdict"], "finding");
            assert_eq!(summary["totals"]["candles"], 57_320);
            assert_eq!(summary["totals"]["refused"], 1);
            assert_eq!(summary["not_stored"][0]["path"], "data/walk.csv");
            assert_eq!(summary["labels"]["pooled"], json!([0.3, 0.4, 0.3]));
            assert_eq!(summary["labels"]["series"][0]["shares"], json!([0.2, 0.5, 0.3]));
            let seed = &summary["model"]["seeds"][0];
            assert_eq!((&seed["seed"], &seed["seconds_per_epoch"]), (&json!(3), &json!(4.007)));
            assert_eq!(seed["test"]["macro_f1"], 0.34456);
            assert_eq!(seed["test"]["log_loss_of_shares"], 1.09856);
            assert_eq!(summary["evaluation"]["all"]["skill"], "better");
            assert_eq!(summary["evaluation"]["series"]["a"]["mcc"], 0.03998);
            assert_eq!(read("evaluation.json")["collapsed"], json!(["hold"]));
            let policy = &summary["policy"];
            assert_eq!((&policy["algorithm"], &policy["median_seed"]), (&json!("ppo"), &json!(1)));
            assert_eq!(policy["seeds"][0]["validation"]["log_return"], 0.01);
            assert_eq!(policy["players"][1]["total_return"]["mean"], 0.2);
            assert_eq!(policy["edge"], "none-shown");
            assert_eq!(read("policy-evaluation.json")["players"][0]["kind"], "policy");
            assert_eq!(summary["backtest"]["promoted"], json!(["buy-and-hold"]));
            assert!(!summary.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn the_end_names_what_was_made() {
        let root = tempfile::tempdir().unwrap();
        let mut run = example(root.path());
        assert_eq!(
            made(&run),
            "bundle: artifacts/runs/x/models/triple-barrier/bundle\n\
             policy: artifacts/runs/x/policy/seed-1/policy\nreport: h/report.html\n"
        );
        run.policy = Policy::default();
        run.backtest = serde_json::Value::Null;
        assert_eq!(made(&run), "bundle: artifacts/runs/x/models/triple-barrier/bundle\n");
        run.model = Model::default();
        assert_eq!(made(&run), "");
    }
}
