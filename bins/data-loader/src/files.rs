//! Files in directories.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// Endings by which files of a directory are taken. JSON files must be named one by one: many of them
/// are manifests.
pub(crate) const ENDINGS: [&str; 8] = ["csv", "gz", "zip", "parquet", "feather", "arrow", "tsv", "txt"];

/// The data files directly in a directory, in order of their names.
pub(crate) fn in_directory(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(path).with_context(|| format!("{}: cannot list", path.display()))?;
    let (mut files, mut left_out) = (Vec::new(), 0);
    for entry in entries {
        let path = entry?.path();
        let known = path
            .extension()
            .is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)));
        if known && path.is_file() {
            files.push(path);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        tracing::warn!(directory = %path.display(), left_out, "files of other endings and directories were left out");
    }
    files.sort();
    Ok(files)
}
