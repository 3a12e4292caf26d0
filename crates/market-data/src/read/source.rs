//! From a path to text, JSON or a table, whatever the file is called.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;

use crate::error::{MarketDataError, Place};

/// How much of a text is looked at to learn what it is.
pub(crate) const PREFIX: usize = 64 * 1024;

/// First bytes of what is not read inside of an archive: Parquet, Arrow, zip, gzip, and UTF-16.
const INNER_MAGIC: [&[u8]; 6] = [b"PAR1", b"ARROW1", b"PK\x03\x04", b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff"];

/// One readable thing: a plain file, or a member of an archive.
pub(crate) struct Member<'a> {
    /// The file as the user named it, with the member of an archive behind a `!`.
    pub(crate) name: String,
    pub(crate) content: Content<'a>,
}

pub(crate) enum Content<'a> {
    Delimited(Box<dyn BufRead + 'a>),
    Json(Box<dyn BufRead + 'a>),
    Parquet(File),
    Arrow(File),
}

/// Opens `path` and hands each member to `read`, in the order of the archive.
///
/// The kind is told by the first bytes, never by the name: archives are renamed, and a `.csv` may be
/// anything.
pub(crate) fn for_each_member(
    path: &Path,
    read: &mut dyn FnMut(Member<'_>) -> Result<(), MarketDataError>,
) -> Result<(), MarketDataError> {
    let mut file = File::open(path).map_err(MarketDataError::io(path, "cannot open"))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(MarketDataError::request(
            path.display().to_string(),
            "this is a directory; name the files in it",
        ));
    }
    let mut magic = [0_u8; 8];
    let len = read_up_to(&mut file, &mut magic).map_err(MarketDataError::io(path, "cannot read"))?;
    file.rewind().map_err(MarketDataError::io(path, "cannot read"))?;
    let name = path.display().to_string();
    match &magic[..len] {
        [] => Err(empty(&name)),
        [0x1f, 0x8b, ..] => {
            let decoder = flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file));
            text_member(name, BufReader::with_capacity(1 << 17, decoder), read)
        }
        [b'P', b'K', 3, 4, ..] => zip_members(path, file, read),
        [b'P', b'A', b'R', b'1', ..] => read(Member { name, content: Content::Parquet(file) }),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => read(Member { name, content: Content::Arrow(file) }),
        [b'F', b'E', b'A', b'1', ..] => Err(MarketDataError::Unreadable {
            place: Place::file(name),
            problem: "this is Feather version 1".to_owned(),
            remedy: "write it again as Feather version 2 (Arrow IPC) or Parquet".to_owned(),
        }),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X', ..] => {
            Err(MarketDataError::Unreadable {
                place: Place::file(name),
                problem: "this compression is not read".to_owned(),
                remedy: "unpack it, or pack it as gzip or zip".to_owned(),
            })
        }
        _ => text_member(name, BufReader::with_capacity(1 << 17, file), read),
    }
}

fn zip_members(
    path: &Path,
    file: File,
    read: &mut dyn FnMut(Member<'_>) -> Result<(), MarketDataError>,
) -> Result<(), MarketDataError> {
    let broken = |error: zip::result::ZipError| MarketDataError::Unreadable {
        place: Place::file(path.display().to_string()),
        problem: format!("the zip archive is damaged ({error})"),
        remedy: "fetch it again".to_owned(),
    };
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    let mut members = 0;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(broken)?;
        let inner = entry.name().map_err(broken)?.into_owned();
        let lower = inner.to_ascii_lowercase();
        let is_document = [".md", ".pdf", ".html", ".checksum"].iter().any(|ending| lower.ends_with(ending))
            || lower.contains("readme");
        if !entry.is_file() || inner.starts_with("__MACOSX") || is_document {
            continue;
        }
        members += 1;
        let name = format!("{}!{inner}", path.display());
        text_member(name, BufReader::with_capacity(1 << 17, entry), read)?;
    }
    if members == 0 {
        return Err(empty(&path.display().to_string()));
    }
    Ok(())
}

fn text_member<'a>(
    name: String,
    mut reader: impl BufRead + 'a,
    read: &mut dyn FnMut(Member<'_>) -> Result<(), MarketDataError>,
) -> Result<(), MarketDataError> {
    let mut prefix = vec![0_u8; PREFIX];
    let len = read_up_to(&mut reader, &mut prefix).map_err(|error| damaged(&name, &error))?;
    prefix.truncate(len);
    let first =
        prefix.iter().copied().find(|byte| !byte.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(byte));
    let content = match first {
        None => return Err(empty(&name)),
        // A table or an archive inside an archive.
        _ if INNER_MAGIC.iter().any(|magic| prefix.starts_with(magic)) => {
            return Err(MarketDataError::Unreadable {
                place: Place::file(name),
                problem: "this is a table or an archive inside of an archive, or text in UTF-16".to_owned(),
                remedy: "unpack it, or write it as UTF-8".to_owned(),
            });
        }
        Some(b'[' | b'{') => {
            let whole = std::io::Cursor::new(prefix).chain(reader);
            Content::Json(Box::new(BufReader::with_capacity(1 << 16, whole)))
        }
        Some(0) => {
            return Err(MarketDataError::Unreadable {
                place: Place::file(name),
                problem: "this is neither text nor a known table format".to_owned(),
                remedy: "give CSV (plain, gzip or zip), JSON, Parquet or Arrow IPC (Feather 2)".to_owned(),
            });
        }
        Some(_) => Content::Delimited(Box::new(std::io::Cursor::new(prefix).chain(reader))),
    };
    read(Member { name, content })
}

/// Fills `buffer` as far as the source goes.
pub(crate) fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// An archive that ends early or fails its checksum.
pub(crate) fn damaged(name: &str, error: &std::io::Error) -> MarketDataError {
    MarketDataError::Unreadable {
        place: Place::file(name),
        problem: format!("the file cannot be read to its end ({error})"),
        remedy: "fetch or copy it again".to_owned(),
    }
}

fn empty(name: &str) -> MarketDataError {
    MarketDataError::Unreadable {
        place: Place::file(name),
        problem: "the file is empty".to_owned(),
        remedy: "remove it, or fetch it again".to_owned(),
    }
}
