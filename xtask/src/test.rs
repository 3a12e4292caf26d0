//! `cargo xtask test`: every test of the workspace, in the one profile.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::say;
use crate::verdict::Verdict;
use crate::workspace::{Workspace, run};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Further arguments for `cargo test`, for example `-- -p market-data -- gap`
    #[arg(last = true, value_name = "ARGUMENTS")]
    further: Vec<OsString>,
}

pub(crate) fn test(workspace: &Workspace, arguments: &Arguments) -> Result<Verdict> {
    say(&real_data(&workspace.root));
    let mut cargo = workspace.cargo();
    cargo.arg("test");
    let named = std::env::var_os(BROWSER);
    let found = named.clone().or_else(|| browser_on(std::env::var_os("PATH").as_deref()).map(Into::into));
    say(&browser(found.as_deref().map(Path::new)));
    if let (None, Some(found)) = (named, found) {
        cargo.env(BROWSER, found);
    }
    // A package named by the user would be lost among all the others.
    if !arguments.further.iter().any(|word| word == "-p" || word == "--package") {
        cargo.arg("--workspace");
    }
    run(cargo.args(&arguments.further), Verdict::Finding)
}

/// Names the browser that reports are opened in.
const BROWSER: &str = "MATRELA_BROWSER";
/// Browsers that can be run without a screen and print what they made of a page, by the names of their programs.
const BROWSERS: [&str; 5] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// The first such browser in the directories of `path`.
fn browser_on(path: Option<&OsStr>) -> Option<PathBuf> {
    let directories: Vec<PathBuf> = std::env::split_paths(path?).collect();
    let in_each =
        |name: &&str| directories.iter().map(|directory| directory.join(name)).find(|file| file.is_file());
    BROWSERS.iter().find_map(in_each)
}

fn browser(found: Option<&Path>) -> String {
    match found {
        Some(program) => format!("note: reports are opened in {}", program.display()),
        None => format!(
            "note: not run: reports in a browser, because there is none of {}; install one, or name it in {BROWSER}",
            BROWSERS.join(", ")
        ),
    }
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
    use super::{browser, browser_on, real_data};
    use std::path::Path;

    #[test]
    fn absent_data_is_said() {
        let note = real_data(Path::new("/no/such/clone"));
        assert!(note.contains("no real candles") && note.contains("synthetic"), "{note}");
    }
    #[test]
    fn a_browser_is_found_on_the_path_or_its_absence_said() {
        let directory = tempfile::tempdir().unwrap();
        let path = std::env::join_paths([Path::new("/no/such/directory"), directory.path()]).unwrap();
        assert_eq!(browser_on(Some(&path)), None);
        assert!(browser(None).contains("not run: reports in a browser"), "{}", browser(None));
        let program = directory.path().join("google-chrome");
        std::fs::write(&program, "").unwrap();
        assert_eq!(browser_on(Some(&path)).as_deref(), Some(program.as_path()));
        assert!(browser(Some(&program)).ends_with("google-chrome"));
        assert_eq!(browser_on(None), None);
    }
}
