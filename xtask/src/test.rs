//! `cargo xtask test`: every test of the workspace, in the one profile.

use std::ffi::OsString;
use std::path::Path;

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
    // A package named by the user would be lost among all the others.
    if !arguments.further.iter().any(|word| word == "-p" || word == "--package") {
        cargo.arg("--workspace");
    }
    run(cargo.args(&arguments.further), Verdict::Finding)
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
    use super::real_data;
    use std::path::Path;

    #[test]
    fn absent_data_is_said() {
        let note = real_data(Path::new("/no/such/clone"));
        assert!(note.contains("no real candles") && note.contains("synthetic"), "{note}");
    }
}
