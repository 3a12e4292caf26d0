//! Names that count, of orders and executions.

use std::fmt::Write;
use std::str::FromStr;

/// A name that counts, made without allocating: `v17`.
pub(super) fn numbered<T: FromStr>(letter: char, number: u64) -> Result<T, T::Err> {
    let mut text = Text { bytes: [0; 24], length: 0 };
    // A letter and 20 digits at most.
    let _ = write!(text, "{letter}{number}");
    std::str::from_utf8(text.bytes.get(..text.length).unwrap_or_default()).unwrap_or_default().parse()
}

/// Text in place.
struct Text {
    bytes: [u8; 24],
    length: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
