//! Files that are there whole or not at all.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::MarketDataError;

/// Prefix of files that are still being written.
pub(super) const UNFINISHED: &str = ".unfinished-";

pub(super) fn create_directory(path: &Path) -> Result<(), MarketDataError> {
    std::fs::create_dir_all(path).map_err(MarketDataError::io(path, "cannot create the directory"))
}

/// Writes `path` by way of a temporary file beside it: readers see the old content or the new one. The
/// content is on disk when this returns; the name is after the next [`sync_directory`].
pub(super) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<(), MarketDataError>,
) -> Result<(), MarketDataError> {
    // The parent of a bare name is the empty path, which names no directory.
    let directory = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or_else(|| Path::new("."));
    let failed = |action| MarketDataError::io(path, action);
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    // As readable as any other new file: the umask takes away what it must.
    #[cfg(unix)]
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(everybody);
    let mut file = builder.tempfile_in(directory).map_err(failed("cannot create a file beside it"))?;
    write(file.as_file_mut())?;
    // The content must be on disk before the name points to it.
    file.as_file().sync_all().map_err(failed("cannot write to disk"))?;
    file.persist(path).map_err(|error| MarketDataError::io(path, "cannot replace")(error.error))?;
    Ok(())
}

/// Puts the renames in a directory on disk. Only Unix can open directories; elsewhere the rename itself is durable enough.
#[cfg(unix)]
pub(super) fn sync_directory(path: &Path) -> Result<(), MarketDataError> {
    let failed = MarketDataError::io(path, "cannot write the directory to disk");
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed)
}

#[cfg(not(unix))]
pub(super) fn sync_directory(_: &Path) -> Result<(), MarketDataError> {
    Ok(())
}

pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), MarketDataError> {
    write_whole(path, |file| {
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(|error| MarketDataError::io(path, "cannot write as JSON")(error.into()))?;
        text.push(b'\n');
        file.write_all(&text).map_err(MarketDataError::io(path, "cannot write"))
    })?;
    sync_directory(path.parent().unwrap_or_else(|| Path::new(".")))
}

/// Reads a JSON file; `None` where there is none.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, MarketDataError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(MarketDataError::io(path, "cannot read")(error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| MarketDataError::Store {
        path: path.to_owned(),
        problem: format!("the file is damaged or from another version ({error})"),
        remedy: "restore it from a copy, or remove its directory and import again".to_owned(),
    })
}

/// Takes the writer's lock of a directory; it is released when the file is dropped, also by a kill.
pub(super) fn lock(directory: &Path) -> Result<File, MarketDataError> {
    create_directory(directory)?;
    let path = directory.join(".lock");
    let file = File::create(&path).map_err(MarketDataError::io(&path, "cannot create the lock"))?;
    file.lock().map_err(MarketDataError::io(&path, "cannot take the lock"))?;
    Ok(file)
}

/// Removes data files that the manifest does not name, which an interrupted commit left behind.
pub(super) fn sweep(directory: &Path, named: &dyn Fn(&str) -> bool) -> Result<usize, MarketDataError> {
    let failed = |action| MarketDataError::io(directory, action);
    let mut removed = 0;
    for entry in std::fs::read_dir(directory).map_err(failed("cannot list"))? {
        let entry = entry.map_err(failed("cannot list"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_data = name.ends_with(".parquet") || name.starts_with(UNFINISHED);
        if is_data && !named(&name) {
            std::fs::remove_file(entry.path())
                .map_err(MarketDataError::io(&entry.path(), "cannot remove a left-over file"))?;
            removed += 1;
        }
    }
    Ok(removed)
}
