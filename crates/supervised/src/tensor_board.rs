//! Event files that TensorBoard reads: scalars over steps.
//!
//! A file is a row of TFRecords, each an `Event` in protocol-buffer encoding. The few fields that scalars
//! need are encoded here, by hand. The crates for it do not fit: `tboard` compiles the message definitions
//! with `protoc`, an outer program, at every build; `tensorboard-rs` brings an image library; `tfrecord` has
//! over a hundred dependencies; and all three, like `syntaxdot-summary`, read the clock and the host's name
//! by themselves. Checksums come from `crc32c`.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::SupervisedError;

/// Says which version of the format the file has; every file starts with it.
const FILE_VERSION: &str = "brain.Event:2";

/// `SessionLog.START` of `event.proto`.
const SESSION_START: u64 = 1;

/// Writes one event file.
///
/// TensorBoard merges all event files of a directory, in the order of their names, which start with the time.
/// A run that is continued therefore opens a new file with [`EventWriter::resume`]; files are never appended
/// to or overwritten, so that a record torn by a crash stays the last of its file, where TensorBoard passes
/// over it.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: BufWriter<File>,
    /// Reused, so that a scalar allocates nothing.
    record: Vec<u8>,
}

impl EventWriter {
    /// Opens a new file `events.out.tfevents.<seconds>.<host>` in `directory`, which is made if absent.
    ///
    /// `wall_time_seconds` is the time now, in seconds since 1970, and `host` names the machine. If a file of
    /// that name is there, `.1` and so on to `.9` is added.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] if the time is not finite and from 0 on, the host's name is empty or has
    /// other characters than letters, digits, `-`, `_` and `.`, or the file cannot be made.
    pub fn create(directory: &Path, wall_time_seconds: f64, host: &str) -> Result<Self, SupervisedError> {
        let known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if host.is_empty() || !host.chars().all(known) {
            let reason = "give letters, digits, `-`, `_` and `.` as the host's name";
            return Err(SupervisedError::data(format!("host `{host}`"), reason));
        }
        if !(wall_time_seconds.is_finite() && wall_time_seconds >= 0.0) {
            let what = format!("time {wall_time_seconds}");
            return Err(SupervisedError::data(what, "give seconds since 1970"));
        }
        std::fs::create_dir_all(directory).map_err(|error| failure(directory, &error))?;
        let (path, file) = open_new(directory, &format!("{:010}.{host}", wall_time_seconds as u64))?;
        let mut writer = Self { path, file: BufWriter::new(file), record: Vec::new() };
        writer.write(wall_time_seconds, 0, Content::FileVersion)?;
        writer.flush()?;
        Ok(writer)
    }

    /// Opens a further file for a run that is continued from a checkpoint: TensorBoard drops what earlier
    /// files of the directory hold from step `first_step` on, which is now computed again.
    /// `wall_time_seconds` must be later than that of those files.
    ///
    /// # Errors
    /// As [`EventWriter::create`]; also if `first_step` needs more than 63 bits.
    pub fn resume(
        directory: &Path,
        wall_time_seconds: f64,
        host: &str,
        first_step: u64,
    ) -> Result<Self, SupervisedError> {
        let mut writer = Self::create(directory, wall_time_seconds, host)?;
        writer.write(wall_time_seconds, first_step, Content::SessionStart)?;
        writer.flush()?;
        Ok(writer)
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the `value` that `tag` has at `step`. A slash in a tag groups charts (`loss/training`).
    /// TensorBoard shows NaN and infinities as such. `wall_time_seconds` is the time now, in seconds since
    /// 1970.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] if `step` needs more than 63 bits or the file cannot be written.
    pub fn scalar(
        &mut self,
        step: u64,
        wall_time_seconds: f64,
        tag: &str,
        value: f32,
    ) -> Result<(), SupervisedError> {
        self.write(wall_time_seconds, step, Content::Scalar { tag, value })
    }

    /// Hands what was written to the operating system, so that a running TensorBoard sees it. Also done on
    /// drop, but there errors are lost.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] if the file cannot be written.
    pub fn flush(&mut self) -> Result<(), SupervisedError> {
        self.file.flush().map_err(|error| failure(&self.path, &error))
    }

    fn write(&mut self, wall_time: f64, step: u64, content: Content<'_>) -> Result<(), SupervisedError> {
        // The field is a signed number, and a negative step would sort before all others.
        if i64::try_from(step).is_err() {
            return Err(SupervisedError::data(format!("step {step}"), "give a step of at most 63 bits"));
        }
        self.record.clear();
        append_record(&mut self.record, wall_time, step, content);
        self.file.write_all(&self.record).map_err(|error| failure(&self.path, &error))
    }
}

fn failure(path: &Path, error: &std::io::Error) -> SupervisedError {
    SupervisedError::data(path.display().to_string(), error.to_string())
}

fn open_new(directory: &Path, name: &str) -> Result<(PathBuf, File), SupervisedError> {
    let mut path = directory.join(format!("events.out.tfevents.{name}"));
    let mut attempt = 0;
    loop {
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            // One digit at most: TensorBoard orders by name, and `.10` would come before `.2`.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && attempt < 9 => {
                attempt += 1;
                path = directory.join(format!("events.out.tfevents.{name}.{attempt}"));
            }
            Err(error) => return Err(failure(&path, &error)),
        }
    }
}

/// What an event says besides its time and step.
#[derive(Clone, Copy)]
enum Content<'a> {
    FileVersion,
    SessionStart,
    Scalar { tag: &'a str, value: f32 },
}

/// Appends one TFRecord (tensorflow/core/lib/io/record_writer.h): length, masked checksum of the length,
/// data, masked checksum of the data, all little-endian.
fn append_record(record: &mut Vec<u8>, wall_time: f64, step: u64, content: Content<'_>) {
    let start = record.len();
    record.extend([0; 12]);
    append_event(record, wall_time, step, content);
    let length = ((record.len() - start - 12) as u64).to_le_bytes();
    record[start..start + 8].copy_from_slice(&length);
    record[start + 8..start + 12].copy_from_slice(&masked_checksum(&length).to_le_bytes());
    let checksum = masked_checksum(&record[start + 12..]);
    record.extend(checksum.to_le_bytes());
}

/// CRC-32C, rotated right by 15 bits plus a constant (tensorflow/core/lib/hash/crc32c.h, `Mask`).
fn masked_checksum(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The message `Event` of tensorflow/core/util/event.proto: `double wall_time = 1`, `int64 step = 2` (absent
/// if 0), `string file_version = 3`, `Summary summary = 5`, `SessionLog session_log = 7`.
fn append_event(event: &mut Vec<u8>, wall_time: f64, step: u64, content: Content<'_>) {
    append_key(event, 1, WireType::Fixed64);
    event.extend(wall_time.to_le_bytes());
    if step != 0 {
        append_key(event, 2, WireType::Varint);
        append_varint(event, step);
    }
    match content {
        Content::FileVersion => append_bytes(event, 3, FILE_VERSION.as_bytes()),
        Content::SessionStart => {
            append_key(event, 7, WireType::LengthDelimited);
            // `SessionLog { SessionStatus status = 1 }`: a key and a value of one byte each.
            append_varint(event, 2);
            append_key(event, 1, WireType::Varint);
            append_varint(event, SESSION_START);
        }
        Content::Scalar { tag, value } => append_summary(event, tag, value),
    }
}

/// `Summary { repeated Value value = 1 }` with one `Value { string tag = 1; float simple_value = 2 }`
/// (tensorflow/core/framework/summary.proto).
fn append_summary(event: &mut Vec<u8>, tag: &str, value: f32) {
    let tag_length = tag.len() as u64;
    // Each key is one byte.
    let of_value = 1 + varint_length(tag_length) + tag_length + 1 + 4;
    let of_summary = 1 + varint_length(of_value) + of_value;
    append_key(event, 5, WireType::LengthDelimited);
    append_varint(event, of_summary);
    append_key(event, 1, WireType::LengthDelimited);
    append_varint(event, of_value);
    append_bytes(event, 1, tag.as_bytes());
    append_key(event, 2, WireType::Fixed32);
    event.extend(value.to_le_bytes());
}

/// How protocol buffers store a field, by its number in the encoding.
#[derive(Clone, Copy)]
enum WireType {
    Varint = 0,
    Fixed64 = 1,
    LengthDelimited = 2,
    Fixed32 = 5,
}

/// For field numbers below 16, whose key is one byte.
fn append_key(message: &mut Vec<u8>, field: u8, wire_type: WireType) {
    message.push(field << 3 | wire_type as u8);
}

fn append_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    append_key(message, field, WireType::LengthDelimited);
    append_varint(message, bytes.len() as u64);
    message.extend(bytes);
}

/// Seven bits per byte, lowest first; the top bit says that more follow.
fn append_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn varint_length(value: u64) -> u64 {
    u64::from(value.max(1).ilog2()) / 7 + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Written by `RecordWriter` and the messages of Python's tensorboard 2.21.0 (protobuf 7.36.2): file
    /// version at 1700000000.25; session start at 1700000000.25, step 300; `loss/training` 0 at 1700000001.5,
    /// step 0; `loss/validation` 1.0986123 at 1700000002.75, step 300. The last is also what
    /// `SummaryWriter.add_scalar` of tensorboardX 2.6.5 writes.
    const VERSION: &str = "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9";
    const START: &str = "100000000000000095fbfe180900001040fc54d94110ac023a0208016b3b88f1";
    const FIRST: &str = "2100000000000000017becf60900006040fc54d9412a160a140a0d6c6f73732f747261696e696e6715\
                         00000000a58725dd";
    const SECOND: &str = "2600000000000000734fe300090000b040fc54d94110ac022a180a160a0f6c6f73732f\
                          76616c69646174696f6e15549f8c3f948aa83a";

    fn hexadecimal(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn files_hold_the_bytes_that_python_writes() {
        let directory = tempfile::tempdir().unwrap();
        let runs = directory.path().join("runs/one");
        let mut writer = EventWriter::resume(&runs, 1_700_000_000.25, "host-1", 300).unwrap();
        writer.scalar(0, 1_700_000_001.5, "loss/training", 0.0).unwrap();
        writer.scalar(300, 1_700_000_002.75, "loss/validation", 1.098_612_3).unwrap();
        writer.flush().unwrap();
        assert_eq!(writer.path(), runs.join("events.out.tfevents.1700000000.host-1"));
        let bytes = std::fs::read(writer.path()).unwrap();
        assert_eq!(hexadecimal(&bytes), format!("{VERSION}{START}{FIRST}{SECOND}"));
        let fresh = EventWriter::create(&runs, 1_700_000_000.25, "host-2").unwrap();
        assert_eq!(hexadecimal(&std::fs::read(fresh.path()).unwrap()), VERSION);
    }

    #[test]
    fn no_file_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let open =
            || EventWriter::create(directory.path(), 12.0, "host").map(|writer| writer.path().to_owned());
        let paths: Vec<PathBuf> = (0..10).map(|_| open().unwrap()).collect();
        assert!(paths[0].ends_with("events.out.tfevents.0000000012.host"));
        assert!(paths.is_sorted() && paths.windows(2).all(|pair| pair[0] != pair[1]), "{paths:?}");
        assert!(open().is_err());
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let open = |time, host| EventWriter::create(directory.path(), time, host);
        for host in ["", "a/b", "../up", "ä"] {
            assert!(open(1.0, host).is_err(), "{host}");
        }
        assert!(open(f64::NAN, "host").is_err() && open(-1.0, "host").is_err());
        assert!(open(1.0, "host").unwrap().scalar(1 << 63, 1.0, "tag", 0.0).is_err());
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(EventWriter::create(&file, 1.0, "host").is_err());
    }

    /// Reads a varint by the rule of the encoding's documentation.
    fn read_varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    proptest! {
        #[test]
        fn a_scalar_reads_back(step in 0..=i64::MAX as u64, time: f64, tag in ".{0,200}", bits: u32) {
            let mut record = Vec::new();
            let content = Content::Scalar { tag: &tag, value: f32::from_bits(bits) };
            append_record(&mut record, time, step, content);
            let data = &record[12..record.len() - 4];
            prop_assert_eq!(u64::from_le_bytes(record[..8].try_into().unwrap()), data.len() as u64);
            let mut rest = data;
            prop_assert_eq!(&rest[..9], [&[9][..], &time.to_le_bytes()].concat());
            rest = &rest[9..];
            if step != 0 {
                prop_assert_eq!(rest[0], 2 << 3);
                rest = &rest[1..];
                prop_assert_eq!(read_varint(&mut rest), step);
            }
            for field in [5_u8, 1] {
                prop_assert_eq!(rest[0], field << 3 | 2);
                rest = &rest[1..];
                prop_assert_eq!(read_varint(&mut rest), rest.len() as u64);
            }
            prop_assert_eq!(rest[0], 1 << 3 | 2);
            rest = &rest[1..];
            prop_assert_eq!(read_varint(&mut rest), tag.len() as u64);
            prop_assert_eq!(&rest[..tag.len()], tag.as_bytes());
            prop_assert_eq!(&rest[tag.len()..], [&[2 << 3 | 5][..], &bits.to_le_bytes()].concat());
        }

        #[test]
        fn lengths_of_varints_are_known_beforehand(value: u64, shift in 0_u32..64) {
            let mut bytes = Vec::new();
            append_varint(&mut bytes, value >> shift);
            prop_assert_eq!(varint_length(value >> shift), bytes.len() as u64);
        }
    }
}
