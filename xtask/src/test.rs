//! `cargo xtask test`: every test of the workspace, in the one profile, and the commands of the documents; with `--peers`
//! also the outside references.

mod documents;
mod environment;
mod peers;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::say;
use crate::verdict::Verdict;
use crate::workspace::{Workspace, run};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Compare with outside references too, in a virtual environment of Python that is made from a pinned list
    #[arg(long)]
    peers: bool,
    /// Run the commands of the documents alone, and no test
    #[arg(long, conflicts_with_all = ["peers", "further"])]
    documents: bool,
    /// Further arguments for `cargo test`, for example `-- -p market-data -- gap`
    #[arg(last = true, value_name = "ARGUMENTS")]
    further: Vec<OsString>,
}

pub(crate) fn test(workspace: &Workspace, arguments: &Arguments) -> Result<Verdict> {
    if arguments.documents {
        let (verdict, not_run) = documents::run(workspace)?;
        say(&format!("not run: {not_run}"));
        return Ok(verdict);
    }
    say(&real_data(&workspace.root));
    let mut cargo = workspace.cargo();
    cargo.arg("test");
    let named = std::env::var_os(BROWSER);
    let found =
        named.clone().or_else(|| program_on(std::env::var_os("PATH").as_deref(), &BROWSERS).map(Into::into));
    if let Some(found) = &found {
        say(&format!("note: reports are opened in {}", Path::new(found).display()));
        if named.is_none() {
            cargo.env(BROWSER, found);
        }
    }
    // A package named by the user would be lost among all the others.
    if !arguments.further.iter().any(|word| word == "-p" || word == "--package") {
        cargo.arg("--workspace");
    }
    let mut verdict = run(cargo.args(&arguments.further), Verdict::Finding)?;
    // Who names some tests wants these.
    let documents = if arguments.further.is_empty() {
        let (documents, not_run) = documents::run(workspace).unwrap_or_else(|error| {
            say(&format!("error: {error:#}"));
            (Verdict::Error, "the commands of the documents, because of the error above".to_owned())
        });
        verdict = verdict.max(documents);
        not_run
    } else {
        "the commands of the documents, since arguments for `cargo test` are given; --documents runs them alone".to_owned()
    };
    if arguments.peers {
        verdict = verdict.max(peers::compare(workspace)?);
    }
    // At the end, where it is not lost above the output of all tests.
    for line in not_run(documents, found.is_some(), arguments.peers) {
        say(&format!("not run: {line}"));
    }
    Ok(verdict)
}

/// Names the browser that reports are opened in.
const BROWSER: &str = "MATRELA_BROWSER";
/// Browsers that can be run without a screen and print what they made of a page, by the names of their programs.
const BROWSERS: [&str; 5] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// The first such program in the directories of `path`.
fn program_on(path: Option<&OsStr>, names: &[&str]) -> Option<PathBuf> {
    let directories: Vec<PathBuf> = std::env::split_paths(path?).collect();
    let in_each =
        |name: &&str| directories.iter().map(|directory| directory.join(name)).find(|file| file.is_file());
    names.iter().find_map(in_each)
}

/// What this command did not run, and why.
fn not_run(documents: String, has_browser: bool, has_peers: bool) -> Vec<String> {
    let mut lines = vec![
        "the kernels on a GPU, which need one and another build (docs/xlstm.md has the command)".to_owned(),
        documents,
    ];
    if !has_browser {
        lines.push(format!(
            "reports in a browser, because there is none of {}; install one, or name it in {BROWSER}",
            BROWSERS.join(", ")
        ));
    }
    if !has_peers {
        lines.push(format!(
            "comparisons with outside references ({}), which need Python and the network; ask for them with --peers",
            peers::names()
        ));
    }
    lines
}

/// Says what the tests run on, because with less data they prove less.
fn real_data(root: &Path) -> String {
    if root.join("../shared/data/MANIFEST.json").is_file() {
        "note: real candles found in ../shared/data; the tests on real data use them".to_owned()
    } else {
        "note: no real candles in ../shared/data; the tests on real data use synthetic candles instead"
            .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{BROWSERS, not_run, program_on, real_data};
    use std::path::Path;

    #[test]
    fn absent_data_is_said() {
        let note = real_data(Path::new("/no/such/clone"));
        assert!(note.contains("no real candles") && note.contains("synthetic"), "{note}");
    }
    #[test]
    fn a_program_is_found_on_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = std::env::join_paths([Path::new("/no/such/directory"), directory.path()]).unwrap();
        assert_eq!(program_on(Some(&path), &BROWSERS), None);
        let program = directory.path().join("google-chrome");
        std::fs::write(&program, "").unwrap();
        assert_eq!(program_on(Some(&path), &BROWSERS).as_deref(), Some(program.as_path()));
        assert_eq!(program_on(None, &BROWSERS), None);
    }

    #[test]
    fn what_does_not_run_is_listed_with_its_reason() {
        let beginnings = |has_browser, has_peers| {
            let first = |line: &String| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
            not_run("the commands".to_owned(), has_browser, has_peers).iter().map(first).collect::<Vec<_>>()
        };
        assert_eq!(beginnings(true, true), ["the kernels", "the commands"]);
        assert_eq!(beginnings(false, true), ["the kernels", "the commands", "reports in"]);
        assert_eq!(beginnings(true, false), ["the kernels", "the commands", "comparisons with"]);
        let all = not_run(String::new(), false, false).join("\n");
        for reason in ["need one and another build", "none of chromium", "Python and the network", "PyTorch"]
        {
            assert!(all.contains(reason), "{reason}: {all}");
        }
    }
}
