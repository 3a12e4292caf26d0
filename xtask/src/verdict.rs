//! How a command ends; the worse of two wins.

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Exit code 0.
    Fine,
    /// The work was done and something is wrong with what was looked at: exit code 1.
    Finding,
    /// The work, or a part of it, could not be done: exit code 2.
    Error,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        Self::from(match verdict {
            Verdict::Fine => 0,
            Verdict::Finding => 1,
            Verdict::Error => 2,
        })
    }
}
