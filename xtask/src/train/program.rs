//! Runs a program of the workspace on series of this run's store.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Run, without_values};
use crate::say;
use crate::verdict::Verdict;
use crate::workspace::shown;

impl Run {
    /// Runs program `name` with `words` on these series, with what `--set` says to it; its document, null where
    /// it wrote none, and how it ended.
    pub(super) fn call(&self, name: &str, words: &[OsString], series: &[String]) -> Result<(Value, Verdict)> {
        let mut program = Command::new(self.program(name)?);
        program.args(words).args(["--output-format", "json", "--data"]).arg(&self.store);
        for series in series {
            program.args(["--series", series]);
        }
        for assignment in self.arguments.device.setting(name).iter().chain(self.arguments.settings_of(name)) {
            program.args(["--set", assignment]);
        }
        // Logs and progress bars go straight to the terminal; stdout is the document.
        program.current_dir(&self.workspace.root).stderr(Stdio::inherit());
        match &self.ledger {
            Some(ledger) => program.stdin(ledger.input()?),
            None => program.stdin(Stdio::null()),
        };
        say(&format!("$ {}", without_values(&shown(&program), &self.arguments.set)));
        let output = program.output().with_context(|| format!("cannot start {name}"))?;
        read(name, &output.stdout, output.status.code())
    }
}

fn read(name: &str, stdout: &[u8], code: Option<i32>) -> Result<(Value, Verdict)> {
    let verdict = match code {
        Some(0) => Verdict::Fine,
        Some(1) => Verdict::Finding,
        _ => Verdict::Error,
    };
    if verdict == Verdict::Error && stdout.trim_ascii().is_empty() {
        return Ok((Value::Null, verdict));
    }
    let document = serde_json::from_slice(stdout)
        .with_context(|| format!("{name} wrote no document that can be read"))?;
    Ok((document, verdict))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_verdict() {
        let verdict = |stdout: &str, code| read("x", stdout.as_bytes(), code).map(|(_, verdict)| verdict);
        assert_eq!(verdict("{}", Some(0)).unwrap(), Verdict::Fine);
        assert_eq!(verdict("{}", Some(1)).unwrap(), Verdict::Finding);
        assert_eq!(verdict("", Some(2)).unwrap(), Verdict::Error);
        assert_eq!(verdict("{}", None).unwrap(), Verdict::Error);
        assert!(verdict("", Some(0)).is_err());
        assert!(verdict("panicked", Some(1)).is_err());
    }
}
