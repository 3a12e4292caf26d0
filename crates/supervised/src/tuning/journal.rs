//! A file of lines that several processes append to.
//!
//! Whoever reads or writes holds the file's lock, so a line without its end is not being written but was left
//! by a process that was killed, or by a full disk. It counts for nothing. The next line that is appended is
//! preceded by a mark at the end of the unfinished one, which from then on says that it was set aside. The
//! mark can be cut short itself: the line then still has no end. An unfinished line that has no mark is an
//! error where the file is read, as its text is no event.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;

/// Ends a line that was set aside. No event ends so: they end with a brace.
const MARK: &[u8] = b" <- unfinished, set aside";

/// A line that its writer did not finish. It counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Number in the file, from 1.
    pub line: usize,
    /// What there is of it.
    pub text: String,
}

/// The file, and how far it has been read.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Bytes read, up to the end of a whole line.
    read_bytes: u64,
    /// Whole lines read.
    read_lines: usize,
    /// Lines read or written that were not set aside.
    events: usize,
    set_aside: Vec<SetAside>,
    /// The bytes after the last whole line, when it was last read.
    unfinished: Vec<u8>,
}

impl Journal {
    /// Opens a file for reading and appending, making it where it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, SupervisedError> {
        Self::of(path, OpenOptions::new().read(true).append(true).create(true).open(path))
    }

    /// Opens a file that must be there, for reading.
    pub(super) fn open_to_read(path: &Path) -> Result<Self, SupervisedError> {
        Self::of(path, File::open(path))
    }

    fn of(path: &Path, file: std::io::Result<File>) -> Result<Self, SupervisedError> {
        let file = file.map_err(|error| SupervisedError::file(path, format!("cannot be opened: {error}")))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            read_bytes: 0,
            read_lines: 0,
            events: 0,
            set_aside: Vec::new(),
            unfinished: Vec::new(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether no line but those set aside has been read or written.
    pub(super) fn has_no_events(&self) -> bool {
        self.events == 0
    }

    fn failed(&self, what: &str, error: &std::io::Error) -> SupervisedError {
        SupervisedError::file(&self.path, format!("{what}: {error}"))
    }

    /// Waits until no other handle holds the file, and holds it alone until [`unlock`](Self::unlock).
    pub(super) fn lock(&self) -> Result<(), SupervisedError> {
        self.file.lock().map_err(|error| self.failed("cannot be locked", &error))
    }

    /// Waits until no other handle writes, and keeps writers out until [`unlock`](Self::unlock).
    pub(super) fn lock_to_read(&self) -> Result<(), SupervisedError> {
        self.file.lock_shared().map_err(|error| self.failed("cannot be locked", &error))
    }

    pub(super) fn unlock(&self) -> Result<(), SupervisedError> {
        self.file.unlock().map_err(|error| self.failed("cannot be unlocked", &error))
    }

    /// The whole lines that were not read before, each with its number from 1, without those set aside. The
    /// caller holds the lock.
    pub(super) fn read_new(&mut self) -> Result<Vec<(usize, String)>, SupervisedError> {
        let length = self.file.metadata().map_err(|error| self.failed("cannot be read", &error))?.len();
        if length < self.read_bytes {
            let reason = format!("has shrunk from {} to {length} bytes while it was open", self.read_bytes);
            return Err(SupervisedError::file(&self.path, reason));
        }
        let mut bytes = Vec::new();
        self.file
            .seek(SeekFrom::Start(self.read_bytes))
            .and_then(|_| self.file.read_to_end(&mut bytes))
            .map_err(|error| self.failed("cannot be read", &error))?;
        let mut lines = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            self.read_lines += 1;
            self.read_bytes += end as u64 + 1;
            if let Some(unfinished) = line.strip_suffix(MARK) {
                let text = String::from_utf8_lossy(unfinished).into_owned();
                self.set_aside.push(SetAside { line: self.read_lines, text });
                continue;
            }
            let text = std::str::from_utf8(line).map_err(|_| self.broken(self.read_lines, "is not UTF-8"))?;
            lines.push((self.read_lines, text.to_owned()));
            self.events += 1;
        }
        self.unfinished = rest.to_vec();
        Ok(lines)
    }

    /// Appends one line in one write. The caller holds the lock and has read all that is new. After an error
    /// the file may end with an unfinished line, which the next reading finds.
    pub(super) fn append(&mut self, line: &str) -> Result<(), SupervisedError> {
        let mut bytes = Vec::new();
        if !self.unfinished.is_empty() {
            bytes.extend_from_slice(MARK);
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        self.file
            .write_all(&bytes)
            .and_then(|()| self.file.flush())
            .map_err(|error| self.failed("cannot be written", &error))?;
        if !self.unfinished.is_empty() {
            self.read_lines += 1;
            let text = String::from_utf8_lossy(&self.unfinished).into_owned();
            self.set_aside.push(SetAside { line: self.read_lines, text });
        }
        self.read_lines += 1;
        self.events += 1;
        self.read_bytes += (self.unfinished.len() + bytes.len()) as u64;
        self.unfinished.clear();
        Ok(())
    }

    /// Lines that were not finished: those with the mark, and the end of the file where it has no line end.
    pub(super) fn set_aside(&self) -> Vec<SetAside> {
        let mut all = self.set_aside.clone();
        if !self.unfinished.is_empty() {
            let text = String::from_utf8_lossy(&self.unfinished).into_owned();
            all.push(SetAside { line: self.read_lines + 1, text });
        }
        all
    }

    /// The error of a line that cannot be used.
    pub(super) fn broken(&self, line: usize, reason: &str) -> SupervisedError {
        SupervisedError::file(
            &self.path,
            format!(
                "line {line} {reason}; the file was changed by something else: restore it or begin another study"
            ),
        )
    }
}
