//! Where results go, and what must not be written over.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use market_data::store::write_file;

use crate::configuration::Configuration;
use crate::figure;
use crate::report::PROGRAM;

/// The files to write; whatever stands in their places was written by this program.
pub(crate) struct Outputs {
    pub(crate) out: PathBuf,
    pub(crate) figure: PathBuf,
}

impl Outputs {
    /// Refuses to write over what this program did not write.
    pub(crate) fn prepare(configuration: &Configuration) -> anyhow::Result<Self> {
        let out = configuration.out.clone();
        let figure = configuration.figure.clone().unwrap_or_else(|| out.with_extension("svg"));
        ensure!(
            figure != out,
            "{}: results and figure have the same name; give --figure another",
            out.display()
        );
        let ending = figure.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        ensure!(
            matches!(ending, "svg" | "html"),
            "--figure {}: give a name that ends in .svg or .html",
            figure.display()
        );
        let ours = |text: &str| {
            let document: Option<serde_json::Value> = serde_json::from_str(text).ok();
            document.is_some_and(|document| document["program"] == PROGRAM)
        };
        refuse_foreign(&out, "--out", &ours)?;
        refuse_foreign(&figure, "--figure", &|text| text.contains(figure::MARK))?;
        Ok(Self { out, figure })
    }

    /// Makes the directories, when there are candles to search.
    pub(crate) fn create_directories(&self) -> anyhow::Result<()> {
        for path in [&self.out, &self.figure] {
            if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) {
                std::fs::create_dir_all(parent)
                    .with_context(|| format!("{}: cannot create the directory", parent.display()))?;
            }
        }
        Ok(())
    }

    /// Writes both, each whole or not at all.
    pub(crate) fn write(&self, document: &str, drawing: &str) -> anyhow::Result<()> {
        let is_html = self.figure.extension().is_some_and(|ending| ending == "html");
        let figure = if is_html { figure::page(drawing) } else { drawing.to_owned() };
        write_file(&self.out, document.as_bytes())?;
        write_file(&self.figure, figure.as_bytes())?;
        Ok(())
    }
}

fn refuse_foreign(path: &Path, option: &str, ours: &dyn Fn(&str) -> bool) -> anyhow::Result<()> {
    // A device or a pipe may never come to an end.
    if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        bail!("{}: it is no file and cannot be written over; give {option} another name", path.display());
    }
    match std::fs::read(path) {
        Ok(content) if ours(&String::from_utf8_lossy(&content)) => Ok(()),
        Ok(_) => bail!(
            "{}: the file exists and is no result of {PROGRAM}; move it away, or give {option} another name",
            path.display()
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{}: cannot be written over", path.display())),
    }
}
