//! Progress bars on stderr, or nothing at all.

use std::io::{self, IsTerminal};
use std::sync::LazyLock;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressFinish, ProgressStyle};

/// All bars of the program; the logs need it to write above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

const ITEMS: &str = "{msg:24} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";
const BYTES: &str = "{msg:24} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const SPINNER: &str = "{spinner} {msg} {human_pos} {elapsed}";

/// Makes progress bars that are drawn only where somebody can see them.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    drawn: bool,
}

impl Progress {
    /// Bars that are drawn when stderr is a terminal.
    pub fn on_terminal() -> Self {
        Self { drawn: io::stderr().is_terminal() }
    }

    /// Bars that are never drawn.
    pub const fn hidden() -> Self {
        Self { drawn: false }
    }

    /// A bar over `length` items.
    pub fn bar(&self, length: u64, label: impl Into<String>) -> Bar {
        self.start(Some(length), label.into(), ITEMS)
    }

    /// A bar over `length` bytes.
    pub fn bytes(&self, length: u64, label: impl Into<String>) -> Bar {
        self.start(Some(length), label.into(), BYTES)
    }

    /// Something that moves while the length of the work is unknown.
    pub fn spinner(&self, label: impl Into<String>) -> Bar {
        self.start(None, label.into(), SPINNER)
    }

    fn start(&self, length: Option<u64>, label: String, template: &str) -> Bar {
        if !self.drawn {
            return Bar(None);
        }
        let style =
            if length.is_some() { ProgressStyle::default_bar() } else { ProgressStyle::default_spinner() };
        let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let bar = BARS.add(bar.with_finish(ProgressFinish::AndClear));
        // The templates are constants and a test reads them; a broken one costs only its looks.
        bar.set_style(style.clone().template(template).unwrap_or(style));
        bar.set_message(label);
        bar.enable_steady_tick(Duration::from_millis(120));
        Bar(Some(bar))
    }
}

/// One progress bar. It disappears when its last clone is dropped.
#[derive(Clone, Debug)]
#[must_use = "a bar disappears when it is dropped"]
pub struct Bar(Option<ProgressBar>);

impl Bar {
    /// A bar that is never drawn, for library callers and tests.
    pub const fn hidden() -> Self {
        Self(None)
    }

    /// Moves on by `count` items or bytes.
    pub fn advance(&self, count: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(count);
        }
    }

    /// Moves to `position`.
    pub fn set_position(&self, position: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(position);
        }
    }

    /// Corrects the length once it is known better.
    pub fn set_length(&self, length: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(length);
        }
    }

    /// Replaces the label.
    pub fn set_label(&self, label: impl Into<String>) {
        if let Some(bar) = &self.0 {
            bar.set_message(label.into());
        }
    }

    /// Takes the bar off the screen.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Runs `write` while no bar is on the screen.
pub(crate) fn suspended<R>(write: impl FnOnce() -> R) -> R {
    BARS.suspend(write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_understood() {
        for template in [ITEMS, BYTES, SPINNER] {
            assert!(ProgressStyle::default_bar().template(template).is_ok(), "{template}");
        }
    }

    #[test]
    fn hidden_progress_makes_no_bar() {
        let bar = Progress::hidden().bar(3, "rows");
        assert!(bar.0.is_none());
        // Each call must be harmless on a bar that is not there.
        bar.advance(1);
        bar.set_position(2);
        bar.set_length(4);
        bar.set_label("other");
        bar.finish();
    }
}
