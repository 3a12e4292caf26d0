//! How a program ends.

use std::io::{self, Write};
use std::process::ExitCode;

/// What a program found, when it could do its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to object to: exit code 0.
    #[default]
    Fine,
    /// The work was done and something is wrong with what it looked at (a refused file, a leak, a
    /// drift, a failed gate): exit code 1.
    Finding,
}

impl Outcome {
    /// [`Finding`](Self::Finding) when `found`, else [`Fine`](Self::Fine).
    #[must_use]
    pub const fn finding_if(found: bool) -> Self {
        if found { Self::Finding } else { Self::Fine }
    }

    /// The worse of the two.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fine, Self::Fine) => Self::Fine,
            _ => Self::Finding,
        }
    }

    /// The exit code as a number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Finding => 1,
        }
    }
}

/// The exit code of a program that could not do its work; clap uses the same one for wrong usage.
const ERROR: u8 = 2;

/// Runs a program's body and turns its result into an exit code.
///
/// An error is written to stderr with its chain of causes, one a line.
///
/// ```no_run
/// # use command_line::Outcome;
/// fn main() -> std::process::ExitCode {
///     command_line::run(|| Ok(Outcome::Fine))
/// }
/// ```
pub fn run(main: impl FnOnce() -> anyhow::Result<Outcome>) -> ExitCode {
    match main() {
        Ok(outcome) => ExitCode::from(outcome.code()),
        Err(error) => {
            // With stderr closed there is nobody left to tell; the exit code still says it.
            _ = write_error(&mut io::stderr().lock(), &error);
            ExitCode::from(ERROR)
        }
    }
}

fn write_error(to: &mut impl Write, error: &anyhow::Error) -> io::Result<()> {
    writeln!(to, "error: {error}")?;
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Many error types already quote their source; saying it twice helps nobody.
        if !said.contains(&cause) {
            writeln!(to, "  caused by: {}", cause.replace('\n', "\n    "))?;
        }
        said = cause;
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn exit_codes_are_those_of_the_design() {
        assert_eq!(run(|| Ok(Outcome::Fine)), ExitCode::from(0));
        assert_eq!(run(|| Ok(Outcome::Finding)), ExitCode::from(1));
        assert_eq!(run(|| Err(anyhow!("broken"))), ExitCode::from(2));
    }

    #[test]
    fn a_finding_is_never_lost() {
        assert_eq!(Outcome::Fine.and(Outcome::Fine), Outcome::Fine);
        assert_eq!(Outcome::Fine.and(Outcome::Finding), Outcome::Finding);
        assert_eq!(Outcome::Finding.and(Outcome::Fine), Outcome::Finding);
        assert_eq!(Outcome::finding_if(true), Outcome::Finding);
    }

    #[test]
    fn an_error_is_written_with_its_causes_and_none_twice() {
        let error =
            anyhow!("disk full").context("cannot write a.parquet: disk full").context("import stopped");
        let mut text = Vec::new();
        write_error(&mut text, &error).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "error: import stopped\n  caused by: cannot write a.parquet: disk full\n"
        );
    }
}
