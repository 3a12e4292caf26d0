//! Hashes of what lies on the disk: equal bytes under equal names have equal hashes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

/// Directories of this kind hold the state of a training, which is no result.
const STATE: &str = "checkpoints";
/// What the hash of a file or directory is where there is none.
pub(super) const ABSENT: &str = "absent";

/// BLAKE3 of some parts and their bounds.
pub(super) fn hash_of<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// BLAKE3 of a file's bytes, or of a directory's files with their names; [`ABSENT`] where there is neither.
pub(super) fn hash_at(path: &Path) -> Result<String> {
    let files = files_at(path, Path::new(""))?;
    match files.get("") {
        Some(file) => Ok(file.clone()),
        None if files.is_empty() => Ok(ABSENT.to_owned()),
        None => Ok(hash_of(files.iter().flat_map(|(name, hash)| [name.as_str(), hash.as_str()]))),
    }
}

/// The hash of each file at or below `relative` in `root`, by its path from there; states of trainings are left out.
pub(super) fn files_at(root: &Path, relative: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut open = vec![relative.to_owned()];
    while let Some(relative) = open.pop() {
        let path = if relative.as_os_str().is_empty() { root.to_owned() } else { root.join(&relative) };
        let reading = || format!("cannot read {}", path.display());
        match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(reading),
            Ok(metadata) if metadata.is_dir() => {
                for entry in fs::read_dir(&path).with_context(reading)? {
                    let name = entry.with_context(reading)?.file_name();
                    if !name.to_string_lossy().starts_with(STATE) {
                        open.push(relative.join(name));
                    }
                }
            }
            Ok(_) => {
                let mut hasher = blake3::Hasher::new();
                let file = File::open(&path).with_context(reading)?;
                hasher.update_reader(file).with_context(reading)?;
                found.insert(relative.to_string_lossy().into_owned(), hasher.finalize().to_hex().to_string());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_bytes_both_count_and_states_do_not() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path();
        assert_eq!(hash_at(&path.join("none")).unwrap(), ABSENT);
        fs::create_dir_all(path.join("a/checkpoints-1")).unwrap();
        fs::write(path.join("a/x"), "").unwrap();
        // The digest of no bytes, from the specification of BLAKE3.
        let empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(hash_at(&path.join("a/x")).unwrap(), empty);
        let before = hash_at(&path.join("a")).unwrap();
        fs::write(path.join("a/checkpoints-1/state"), "1").unwrap();
        assert_eq!(hash_at(&path.join("a")).unwrap(), before);
        fs::rename(path.join("a/x"), path.join("a/y")).unwrap();
        assert_ne!(hash_at(&path.join("a")).unwrap(), before);
        let files = files_at(path, Path::new("a")).unwrap();
        assert_eq!(files.into_iter().collect::<Vec<_>>(), [("a/y".to_owned(), empty.to_owned())]);
        assert_ne!(hash_of(["ab", "c"]), hash_of(["a", "bc"]));
    }
}
