//! `cargo xtask test --peers`: what outside references say, beside what this repository keeps of them or computes.
//!
//! Each is a script in `tests/peers` that compares and says how far the values are apart. A script that did not come
//! to a result did not run, and that fails the command.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::environment::{self, PYTHON, Places};
use crate::say;
use crate::verdict::Verdict;
use crate::workspace::{Workspace, executable, shown};

/// The directory of the scripts and of the pinned lists.
const DIRECTORY: &str = "tests/peers";

/// An outside reference.
struct Peer {
    name: &'static str,
    script: &'static str,
    /// Examples of this workspace whose programs the script is given.
    programs: &'static [&'static str],
}

const fn peer(name: &'static str, script: &'static str, programs: &'static [&'static str]) -> Peer {
    Peer { name, script, programs }
}

const PEERS: &[Peer] = &[
    peer("TA-Lib", "against_ta_lib.py", &[]),
    peer("QuantStats", "against_quantstats.py", &["curve_metrics"]),
    peer("backtesting.py", "against_backtesting.py", &["crossover"]),
    peer("scikit-learn, statsmodels", "against_scikit_learn.py", &[]),
    peer("scikit-learn, LightGBM, XGBoost, shap", "against_tree_libraries.py", &[]),
    peer("Optuna", "against_optuna.py", &[]),
    peer("Gymnasium", "against_gymnasium.py", &[]),
    peer("Stable-Baselines3", "against_stable_baselines3.py", &[]),
    peer("PyTorch, shap", "against_pytorch.py", &[]),
];

/// How a comparison ended.
#[derive(Debug, PartialEq)]
enum Outcome {
    Agrees(String),
    Differs(String),
    DidNotRun(String),
}

impl Outcome {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Agrees(_) => Verdict::Fine,
            Self::Differs(_) => Verdict::Finding,
            Self::DidNotRun(_) => Verdict::Error,
        }
    }

    fn line(&self, name: &str) -> String {
        match self {
            Self::Agrees(said) => format!("{name}: agrees: {said}"),
            Self::Differs(said) => format!("{name}: differs: {said}"),
            Self::DidNotRun(why) => format!("{name}: did not run: {why}"),
        }
    }
}

/// The names of all references, in one line.
pub(super) fn names() -> String {
    PEERS.iter().map(|peer| peer.name).collect::<Vec<_>>().join("; ")
}

/// Makes the environment, builds the programs, and compares with each reference, also after one has differed.
pub(super) fn compare(workspace: &Workspace) -> Result<Verdict> {
    let lists = workspace.root.join(DIRECTORY);
    let (named, path) = (std::env::var_os(PYTHON), std::env::var_os("PATH"));
    let target = workspace.metadata()?.target_directory.join("peers");
    let python = environment::python(&Places {
        lists: &lists,
        environment: &target,
        named_python: named.as_deref(),
        search_path: path.as_deref(),
    });
    let outcomes = match python {
        Err(error) => {
            PEERS.iter().map(|peer| (peer, Outcome::DidNotRun(format!("{error:#}")))).collect::<Vec<_>>()
        }
        Ok(python) => {
            let programs = programs(workspace);
            if let Err(error) = &programs {
                say(&format!("error: {error:#}"));
            }
            let programs = programs.unwrap_or_default();
            PEERS.iter().map(|peer| (peer, one(peer, &python, &lists, &programs))).collect()
        }
    };
    let mut verdict = Verdict::Fine;
    for (peer, outcome) in outcomes {
        say(&outcome.line(peer.name));
        verdict = verdict.max(outcome.verdict());
    }
    Ok(verdict)
}

fn one(peer: &Peer, python: &Path, scripts: &Path, programs: &BTreeMap<&str, PathBuf>) -> Outcome {
    let mut command = Command::new(python);
    command.arg(scripts.join(peer.script)).stdin(Stdio::null());
    for name in peer.programs {
        let Some(program) = programs.get(name) else {
            return Outcome::DidNotRun(format!("the example `{name}` was not built"));
        };
        command.arg(program);
    }
    // One thread, so that sums are the same on every machine; and nothing of the user's own Python.
    command.envs([
        ("OMP_NUM_THREADS", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PYTHONNOUSERSITE", "1"),
        ("PYTHONUTF8", "1"),
        ("MPLBACKEND", "Agg"),
    ]);
    command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
    say(&format!("$ {}", shown(&command)));
    match command.output() {
        Ok(output) => outcome(&output.stdout, &output.stderr, output.status.code()),
        Err(error) => Outcome::DidNotRun(format!("cannot start Python: {error}")),
    }
}

/// Reads the result in the last line of stdout, which must say the same as the exit status.
fn outcome(stdout: &[u8], stderr: &[u8], code: Option<i32>) -> Outcome {
    #[derive(Deserialize)]
    struct Said {
        agrees: bool,
        said: String,
    }
    let last = |text: &[u8]| {
        let text = String::from_utf8_lossy(text).into_owned();
        text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
    };
    let said = last(stdout).and_then(|line| serde_json::from_str::<Said>(&line).ok());
    match (said, code) {
        (Some(Said { agrees: true, said }), Some(0)) => Outcome::Agrees(said),
        (Some(Said { agrees: false, said }), Some(1)) => Outcome::Differs(said),
        _ => {
            let ended = code.map_or("a signal".to_owned(), |code| format!("exit status {code}"));
            let why = last(stderr).unwrap_or_else(|| "it said nothing".to_owned());
            Outcome::DidNotRun(format!("{why} ({ended})"))
        }
    }
}

/// The programs that the scripts are given.
fn programs(workspace: &Workspace) -> Result<BTreeMap<&'static str, PathBuf>> {
    let mut cargo = workspace.cargo();
    // As the tests select it, so that nothing is compiled twice.
    cargo.args(["build", "--workspace", "--examples", "--message-format=json-render-diagnostics"]);
    say(&format!("$ {}", shown(&cargo)));
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the examples do not build; see cargo's messages above");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let names = PEERS.iter().flat_map(|peer| peer.programs);
    Ok(names.filter_map(|name| Some((*name, executable(&messages, name, "example")?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_listed_and_every_listed_script_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let files = std::fs::read_dir(root.join(DIRECTORY)).unwrap();
        let mut found: Vec<String> =
            files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        found.retain(|name| name.starts_with("against_"));
        found.sort();
        let mut listed: Vec<&str> = PEERS.iter().map(|peer| peer.script).collect();
        listed.sort_unstable();
        assert_eq!(found, listed);
    }

    #[test]
    fn only_a_result_that_fits_the_exit_status_counts() {
        let agrees = br#"{"agrees": true, "said": "3 values"}"#;
        let differs = b"first\n{\"agrees\": false, \"said\": \"1 of 3\"}\n";
        assert_eq!(outcome(agrees, b"a warning", Some(0)), Outcome::Agrees("3 values".to_owned()));
        assert_eq!(outcome(differs, b"", Some(1)), Outcome::Differs("1 of 3".to_owned()));
        let nothing = b"".as_slice();
        let traceback = b"Traceback\nModuleNotFoundError: x\n\n".as_slice();
        let cases = [
            (agrees.as_slice(), nothing, Some(1), "it said nothing (exit status 1)"),
            (differs, nothing, Some(0), "it said nothing (exit status 0)"),
            (nothing, traceback, Some(1), "ModuleNotFoundError: x (exit status 1)"),
            (nothing, nothing, Some(0), "it said nothing (exit status 0)"),
            (br#"{"said": "3 values"}"#, nothing, Some(0), "it said nothing (exit status 0)"),
            (agrees, b"Killed", None, "Killed (a signal)"),
        ];
        for (stdout, stderr, code, why) in cases {
            assert_eq!(outcome(stdout, stderr, code), Outcome::DidNotRun(why.to_owned()));
        }
    }

    #[test]
    fn what_did_not_run_is_worse_than_what_differs() {
        let [agrees, differs, did_not] =
            [Outcome::Agrees, Outcome::Differs, Outcome::DidNotRun].map(|outcome| outcome("x".to_owned()));
        assert_eq!(agrees.line("A"), "A: agrees: x");
        assert_eq!(differs.line("A"), "A: differs: x");
        assert_eq!(did_not.line("A"), "A: did not run: x");
        let verdicts = [agrees, differs, did_not].map(|outcome| outcome.verdict());
        assert_eq!(verdicts, [Verdict::Fine, Verdict::Finding, Verdict::Error]);
    }

    #[test]
    fn without_its_program_a_peer_does_not_run() {
        let needy = peer("A", "a.py", &["curve_metrics"]);
        let outcome = one(&needy, Path::new("/no/python"), Path::new("/no"), &BTreeMap::new());
        assert_eq!(outcome, Outcome::DidNotRun("the example `curve_metrics` was not built".to_owned()));
        let outcome =
            one(&peer("B", "b.py", &[]), Path::new("/no/python"), Path::new("/no"), &BTreeMap::new());
        assert!(
            matches!(&outcome, Outcome::DidNotRun(why) if why.contains("cannot start Python")),
            "{outcome:?}"
        );
    }
}
