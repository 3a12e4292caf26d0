//! Gets the candles into the store: the files that were given, or a synthetic market.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::content::{hash_at, hash_of};
use super::report::Report;
use super::{Arguments, Data, Run, Stage, without_values};
use crate::say;
use crate::verdict::Verdict;
use crate::workspace::{Workspace, shown};

pub(super) const STAGE: Stage = Stage { name: "data", run, kept: None };

fn run(run: &mut Run) -> Result<Verdict> {
    let mut loader = Command::new(run.program("data-loader")?);
    loader
        .args(words(&run.workspace, &run.arguments, &run.store))
        .current_dir(&run.workspace.root)
        .stdin(Stdio::null())
        // Logs and progress bars go straight to the terminal; stdout is the report.
        .stderr(Stdio::inherit());
    say(&format!("$ {}", without_values(&shown(&loader), &run.arguments.set)));
    let output = loader.output().context("cannot start data-loader")?;
    let (data, verdict) = read(&output.stdout, output.status.code())?;
    run.data = Some(data);
    run.candles = stored(run)?;
    Ok(verdict)
}

/// A hash of all that the store holds, since programs read more of it than the series of this run: the candles by the hashes
/// that `data-loader` reports, other series by their files. None where the store cannot be inspected.
fn stored(run: &Run) -> Result<Option<String>> {
    let mut loader = Command::new(run.program("data-loader")?);
    loader.args(["inspect", "--output-format", "json", "--store"]).arg(&run.store);
    // What is wrong with the store is not said a second time: the programs that read it say it.
    loader.current_dir(&run.workspace.root).stdin(Stdio::null()).stderr(Stdio::null());
    let output = loader.output().context("cannot start data-loader")?;
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let Some(mut parts) = hashes_of(&document) else { return Ok(None) };
    for kind in ["exogenous", "headlines"] {
        parts.push(hash_at(&run.workspace.root.join(&run.store).join(kind))?);
    }
    Ok(Some(hash_of(parts.iter().map(String::as_str))))
}

/// Every stored series with its hash; none where one is missing.
fn hashes_of(document: &Value) -> Option<Vec<String>> {
    let series = document["series"].as_array()?.iter().map(|series| {
        let hash = series["content_hash"].as_str().filter(|hash| !hash.is_empty())?;
        Some(format!("{} {hash}", series["key"]))
    });
    series.collect()
}

fn words(workspace: &Workspace, arguments: &Arguments, store: &std::path::Path) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    let mut say = |more: &[&str]| words.extend(more.iter().map(OsString::from));
    if arguments.data.is_empty() {
        let (symbols, candles) =
            (arguments.profile.symbols().to_string(), arguments.profile.candles().to_string());
        say(&["generate", "--model", arguments.profile.market(), "--timeframe", "5m"]);
        say(&["--symbols", &symbols, "--candles", &candles]);
        say(&["--seed", &arguments.seed.to_string()]);
    } else {
        say(&["import"]);
        for finding in &arguments.accept {
            say(&["--accept", finding]);
        }
        if let Some(policy) = &arguments.findings {
            say(&["--findings", policy]);
        }
    }
    for assignment in arguments.settings_of("data-loader") {
        say(&["--set", assignment]);
    }
    say(&["--output-format", "json", "--store"]);
    words.push(store.into());
    if !arguments.data.is_empty() {
        // After the two dashes a file may have any name.
        words.push("--".into());
        words.extend(arguments.data.iter().map(|path| workspace.user_path(path).into()));
    }
    words
}

/// Makes sense of what the program left: the report decides, unless its exit code says worse.
fn read(stdout: &[u8], code: Option<i32>) -> Result<(Data, Verdict)> {
    let exit = match code {
        Some(0) => Verdict::Fine,
        Some(1) => Verdict::Finding,
        _ => Verdict::Error,
    };
    let ended = code.map_or("was killed".to_owned(), |code| format!("ended with code {code}"));
    if exit == Verdict::Error && stdout.trim_ascii().is_empty() {
        bail!("data-loader {ended}; its own message stands above");
    }
    let broken = || format!("data-loader {ended} and wrote no report that can be read");
    let document: serde_json::Value = serde_json::from_slice(stdout).with_context(broken)?;
    let report: Report = serde_json::from_value(document.clone()).with_context(broken)?;
    if report.files.is_empty() && exit != Verdict::Error {
        bail!("data-loader {ended} and reported no file and no series");
    }
    let verdict = exit.max(report.verdict());
    Ok((Data { report, document }, verdict))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::report::tests::DOCUMENT;
    use clap::Parser;
    use std::path::Path;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn line(current: &str, typed: &str) -> String {
        let workspace = Workspace { root: "/clone".into(), current: current.into() };
        let typed = ["train"].into_iter().chain(typed.split_whitespace());
        let Program { arguments } = Program::try_parse_from(typed).unwrap();
        let words = words(&workspace, &arguments, Path::new("datasets/x"));
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn without_files_a_market_is_generated() {
        assert_eq!(
            line("/clone", "--seed 7 --set generate.b=1"),
            "generate --model planted --timeframe 5m --symbols 4 --candles 50000 --seed 7 \
             --set generate.b=1 --output-format json --store datasets/x"
        );
    }

    #[test]
    fn larger_markets_are_like_real_ones() {
        for profile in ["standard", "full"] {
            let line = line("/clone", &format!("--profile {profile}"));
            assert!(line.starts_with("generate --model regime "), "{line}");
        }
    }

    #[test]
    fn files_are_imported_from_where_the_user_stands() {
        assert_eq!(
            line("/clone", "--data a.csv ../b.csv --findings drop --accept gap --accept duplicate"),
            "import --accept gap --accept duplicate --findings drop \
             --output-format json --store datasets/x -- a.csv ../b.csv"
        );
        assert!(line("/data", "--data a.csv").ends_with("-- /data/a.csv"));
    }

    #[test]
    fn the_worse_of_report_and_exit_code_counts() {
        let fine = br#"{"files":[{"status":"imported"}]}"#;
        let verdict = |stdout: &[u8], code| read(stdout, code).map(|(_, verdict)| verdict);
        assert_eq!(verdict(fine, Some(0)).unwrap(), Verdict::Fine);
        assert_eq!(verdict(fine, Some(1)).unwrap(), Verdict::Finding);
        assert_eq!(verdict(fine, Some(2)).unwrap(), Verdict::Error);
        assert_eq!(verdict(fine, None).unwrap(), Verdict::Error);
        assert_eq!(verdict(DOCUMENT.as_bytes(), Some(0)).unwrap(), Verdict::Finding);
    }

    #[test]
    fn a_store_without_hashes_is_like_no_other() {
        let series = |hash: &str| serde_json::json!({ "key": { "symbol": "A" }, "content_hash": hash });
        let document = |hashes: &[&str]| serde_json::json!({ "series": hashes.iter().map(|hash| series(hash)).collect::<Vec<_>>() });
        assert_eq!(hashes_of(&document(&["ab"])).unwrap(), [r#"{"symbol":"A"} ab"#]);
        assert_eq!(hashes_of(&document(&["ab", ""])), None);
        assert_eq!(hashes_of(&Value::Null), None);
    }

    #[test]
    fn silence_and_nonsense_are_errors() {
        for (stdout, code, expected) in [
            ("", Some(2), "ended with code 2"),
            ("", None, "was killed"),
            ("", Some(0), "wrote no report"),
            ("panicked", Some(101), "wrote no report"),
            ("{\"files\":[]}", Some(0), "no file and no series"),
        ] {
            let Err(error) = read(stdout.as_bytes(), code) else { panic!("{stdout:?} was read") };
            assert!(error.to_string().contains(expected), "{stdout:?}: {error}");
        }
    }
}
