//! The files of an explanation, and what is printed.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use command_line::{Table, print_text};
use market_data::Timestamp;
use market_data::store::write_file;
use serde::Serialize;
use supervised::explanation::{ExplanationReport, Importance, PathCost, Ranking, ReportNames};

use super::model::Permutation;
use super::pictures::{self, is_picture};
use super::rows::BackgroundOrigin;
use super::settings::ExplanationSection;
use crate::report;

const DOCUMENT: &str = "explanation.json";
/// Features in the printed table.
const PRINTED: usize = 15;

/// `explanation.json`, and the document on stdout.
#[derive(Debug, Serialize)]
pub(crate) struct Document {
    pub(crate) command: &'static str,
    pub(crate) bundle: PathBuf,
    pub(crate) name: String,
    pub(crate) model: &'static str,
    pub(crate) feature_hash: String,
    pub(crate) series: Vec<String>,
    pub(crate) refused: Vec<(String, String)>,
    pub(crate) settings: ExplanationSection,
    /// The rows that make a window, in the order of the model's input: 0 is the row of the prediction. For networks a window
    /// begins with an empty state, so that what lies before it counts nothing.
    pub(crate) rows_back: Vec<usize>,
    /// Rows that might have been explained.
    pub(crate) candidates: usize,
    /// Whether rows of the training and validation time are among them.
    pub(crate) seen_explained: bool,
    /// Absent for trees, which know what they were trained on.
    pub(crate) background: Option<BackgroundOrigin>,
    pub(crate) cost: Option<PathCost>,
    pub(crate) timing: Timing,
    pub(crate) explanation: ExplanationReport,
    pub(crate) permutation: Option<Permutation>,
    /// What was explained.
    pub(crate) windows: Vec<ExplainedWindow>,
}

/// How long the contributions took: all else is the same for the same seed.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Timing {
    pub(crate) seconds: f64,
    pub(crate) explanations_per_second: f64,
}

/// One prediction.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ExplainedWindow {
    pub(crate) series: String,
    /// When the candle of the last row opens.
    pub(crate) open_time: Timestamp,
    /// What is explained: its parts add up to these minus the expectation.
    pub(crate) outputs: Vec<f32>,
    /// Calibrated probabilities of sell, hold, buy.
    pub(crate) probabilities: [f32; 3],
    pub(crate) predicted: String,
    pub(crate) label: String,
}

/// Sees that nothing is in the way.
pub(crate) fn check(directory: &Path, overwrite: bool) -> anyhow::Result<()> {
    let shown = directory.display();
    let names = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.and_then(Iterator::collect::<std::io::Result<Vec<_>>>),
    };
    let names: Vec<_> = names
        .with_context(|| format!("{shown}: cannot list; give a directory"))?
        .into_iter()
        .map(|entry| entry.file_name())
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    ensure!(
        names.iter().any(|name| name == DOCUMENT),
        "{shown}: it is not empty and holds no explanation, so it is left alone; give another --out"
    );
    ensure!(
        overwrite,
        "{shown}: there is an explanation already; replace it with --overwrite, or give another --out"
    );
    Ok(())
}

impl Document {
    /// Writes the document and its pictures, and removes pictures of an earlier explanation.
    pub(crate) fn write(&self, directory: &Path, names: &ReportNames) -> anyhow::Result<()> {
        let pictures = pictures::all(self, names)?;
        let shown = directory.display();
        std::fs::create_dir_all(directory)
            .with_context(|| format!("{shown}: cannot create the directory"))?;
        for entry in std::fs::read_dir(directory).with_context(|| format!("{shown}: cannot list"))? {
            let entry = entry.with_context(|| format!("{shown}: cannot list"))?;
            if entry.file_name().to_str().is_some_and(is_picture) {
                let path = entry.path();
                std::fs::remove_file(&path).with_context(|| format!("{}: cannot remove", path.display()))?;
            }
        }
        report::write(&directory.join(DOCUMENT), self)?;
        for (name, svg) in &pictures {
            write_file(&directory.join(name), svg.as_bytes())?;
        }
        Ok(())
    }

    pub(crate) fn print(&self, directory: &Path) -> anyhow::Result<()> {
        let report = &self.explanation;
        ranking("feature", &report.features, &report.outputs).print()?;
        ranking("group", &report.groups, &report.outputs).print()?;
        if let Some(permutation) = &self.permutation {
            let mut table = Table::new(["shuffled", "rise of log-loss", "deviation", "fall of macro-F1"]);
            for one in permutation.groups.iter().chain(permutation.features.iter().take(PRINTED)) {
                table.row([
                    one.name.clone(),
                    format!("{:+.5}", one.log_loss_rise.mean),
                    format!("{:.5}", one.log_loss_rise.standard_deviation),
                    format!("{:+.4}", one.macro_f1_drop.mean),
                ]);
            }
            table.print()?;
        }
        let completeness = &report.completeness;
        print_text(&format!(
            "{} windows of {} rows by {}, in {} ({:.1} a second); contributions {} to outputs minus expectation: \
             at most {:.2e} missing, {:.0e} allowed\nexplanation: {}\n",
            report.windows,
            self.rows_back.len(),
            self.model,
            report.quantity,
            self.timing.explanations_per_second,
            if completeness.complete { "add up" } else { "DO NOT add up" },
            completeness.maximum_residual,
            completeness.tolerance,
            directory.display(),
        ))
    }
}

fn ranking(what: &str, ranking: &Ranking, classes: &[String]) -> Table {
    let mut header = vec![what.to_owned(), "importance".to_owned()];
    header.extend(classes.iter().cloned());
    let mut table = Table::new(header);
    for one in ranking.overall.iter().take(PRINTED) {
        let mut cells = vec![one.name.clone(), format!("{:.5}", one.importance)];
        let of_class = |ranked: &Vec<Importance>| {
            ranked
                .iter()
                .find(|other| other.name == one.name)
                .map_or_else(String::new, |found| format!("{:.5}", found.importance))
        };
        cells.extend(ranking.by_output.iter().map(of_class));
        table.row(cells);
    }
    table
}
