//! The directory of the labels: ours, or empty.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::report::PROGRAM;

/// Names what is in the directory.
const MANIFEST: &str = "labels.json";

pub(crate) struct Directory {
    path: PathBuf,
    /// Files of the run before, by its manifest.
    before: Vec<String>,
}

impl Directory {
    /// Refuses a directory that holds something else, before the work; one that is not there is made by [`Self::create`].
    pub(crate) fn prepare(path: &Path) -> anyhow::Result<Self> {
        let mut entries = match std::fs::read_dir(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { path: path.to_owned(), before: Vec::new() });
            }
            entries => entries.with_context(|| {
                format!("{}: cannot list; give --out a directory, new or empty", path.display())
            })?,
        };
        let before = match std::fs::read_to_string(path.join(MANIFEST)) {
            Ok(text) => files_of(&text),
            Err(_) if entries.next().is_none() => Some(Vec::new()),
            Err(_) => None,
        };
        let Some(before) = before else {
            bail!(
                "{}: the directory holds other things than labels; give --out a new or empty one",
                path.display()
            );
        };
        Ok(Self { path: path.to_owned(), before })
    }

    /// Makes the directory, when there is something to write.
    pub(crate) fn create(&self) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.path)
            .with_context(|| format!("{}: cannot create the directory", self.path.display()))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes the manifest, which makes the files before it the labels, and removes those of the run before
    /// that are none any more.
    pub(crate) fn finish(&self, document: &str, files: &[&str]) -> anyhow::Result<()> {
        market_data::store::write_file(&self.path.join(MANIFEST), document.as_bytes())?;
        for old in self.before.iter().filter(|old| !files.contains(&old.as_str())) {
            let path = self.path.join(old);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| {
                        format!("{}: cannot remove labels of the run before", path.display())
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The files that a manifest of this program names; `None` for any other text.
fn files_of(text: &str) -> Option<Vec<String>> {
    let document: Value = serde_json::from_str(text).ok()?;
    if document["program"] != PROGRAM {
        return None;
    }
    let file = |series: &Value| {
        let name = series["file"].as_str()?;
        // A manifest that was tampered with must not name files elsewhere.
        (Path::new(name).file_name()? == name && name.ends_with(".parquet")).then(|| name.to_owned())
    };
    Some(document["series"].as_array()?.iter().filter_map(file).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_files_are_known() {
        let text = r#"{"program":"label-candles","series":[{"file":"a.parquet"},{"file":"../b.parquet"},{"file":"c.txt"},{}]}"#;
        assert_eq!(files_of(text), Some(vec!["a.parquet".to_owned()]));
        assert_eq!(files_of(r#"{"program":"other","series":[]}"#), None);
        assert_eq!(files_of("no json"), None);
    }
}
