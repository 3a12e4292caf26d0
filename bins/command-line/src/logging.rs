//! Logs go to stderr, in colour only where a terminal shows them and `NO_COLOR` does not forbid it.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, anyhow};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::progress;

pub(crate) fn start(verbose: u8, quiet: bool) -> anyhow::Result<()> {
    let variable = std::env::var("RUST_LOG").ok();
    let directives = directives(verbose, quiet, variable.as_deref());
    let filter = EnvFilter::builder().parse(&directives).with_context(|| {
        format!("RUST_LOG is `{directives}`; write for example RUST_LOG=debug or RUST_LOG=market_data=trace")
    })?;
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(AboveProgress)
        .with_ansi(colour)
        .with_target(verbose > 1)
        .without_time()
        .try_init()
        .map_err(|error| anyhow!("logging was started twice: {error}"))
}

/// An argument given now says more than a variable exported some time ago.
fn directives(verbose: u8, quiet: bool, variable: Option<&str>) -> String {
    match (quiet, verbose) {
        (true, _) => "error".to_owned(),
        (_, 1) => "info".to_owned(),
        (_, 2) => "debug".to_owned(),
        (_, 3..) => "trace".to_owned(),
        _ => variable.filter(|text| !text.is_empty()).unwrap_or("warn").to_owned(),
    }
}

/// Writes log lines above the progress bars instead of through them.
struct AboveProgress;

impl<'writer> MakeWriter<'writer> for AboveProgress {
    type Writer = Self;

    fn make_writer(&'writer self) -> Self {
        Self
    }
}

impl Write for AboveProgress {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        // A closed stderr must not end the program, so what cannot be written counts as written.
        progress::suspended(|| _ = io::stderr().lock().write_all(buffer));
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::directives;

    #[test]
    fn arguments_win_over_the_variable_and_the_variable_over_the_default() {
        assert_eq!(directives(0, false, None), "warn");
        assert_eq!(directives(0, false, Some("")), "warn");
        assert_eq!(directives(0, false, Some("market_data=trace")), "market_data=trace");
        assert_eq!(directives(1, false, Some("trace")), "info");
        assert_eq!(directives(2, false, None), "debug");
        assert_eq!(directives(9, false, None), "trace");
        assert_eq!(directives(0, true, Some("trace")), "error");
    }
}
