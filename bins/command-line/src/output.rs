//! Writing data to stdout.

use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};

use anyhow::Context;
use serde::Serialize;

/// Writes `value` to stdout as one indented JSON document.
///
/// A reader that has gone (`program | head`) is no error: the rest of the output is dropped and the
/// program goes on to its own exit code.
///
/// # Errors
///
/// When `value` cannot be written as JSON, or stdout fails otherwise.
pub fn print_json<T: Serialize + ?Sized>(value: &T) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    text.push('\n');
    print_text(&text)
}

/// Writes `text` to stdout as it is. A reader that has gone is no error, as with [`print_json`].
///
/// # Errors
///
/// When stdout fails for another reason than a closed pipe.
pub fn print_text(text: &str) -> anyhow::Result<()> {
    print_with(|stdout| stdout.write_all(text.as_bytes()))
}

pub(crate) fn print_with(
    write: impl FnOnce(&mut BufWriter<StdoutLock<'static>>) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    let result = write(&mut stdout).and_then(|()| stdout.flush());
    // What is still buffered could only fail again, on drop.
    _ = stdout.into_parts();
    unless_closed(result).context("cannot write to stdout")
}

fn unless_closed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_closed_pipe_is_forgiven() {
        assert!(unless_closed(Err(ErrorKind::BrokenPipe.into())).is_ok());
        assert!(unless_closed(Err(ErrorKind::StorageFull.into())).is_err());
        assert!(unless_closed(Ok(())).is_ok());
    }
}
