//! What was found: one JSON document, or tables.

use anyhow::Context;
use command_line::{CommonArguments, Table, print_text};
use labels::Labeler;
use labels::splits::{SplitPlan, SplitSetting};
use labels::threshold_search::{Histogram, Objective, SeriesShares, SweepRow, Symmetry, ThresholdReport};
use market_data::import::Gathered;
use market_data::{Timeframe, Timestamp};
use serde::Serialize;

use crate::configuration::Configuration;
use crate::output::Outputs;
use crate::search::spans;

/// The name of this program; results carry it, and only such are replaced.
pub(crate) const PROGRAM: &str = "optimize-labels";

/// A run of this program.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) program: &'static str,
    pub(crate) target: [f64; 3],
    pub(crate) tolerance: f64,
    pub(crate) objective: Objective,
    pub(crate) symmetry: Symmetry,
    pub(crate) horizon: u32,
    pub(crate) timeframe: Timeframe,
    pub(crate) split: SplitSetting,
    /// The time that was looked at.
    pub(crate) searched: Vec<String>,
    /// The time that was not.
    pub(crate) held_out: Vec<String>,
    pub(crate) series: Vec<Candles>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) notes: Vec<String>,
    pub(crate) labelers: Vec<Tried>,
    pub(crate) out: String,
    pub(crate) figure: String,
}

/// A series that was looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Candles {
    pub(crate) series: String,
    pub(crate) candles: usize,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
}

/// A series that `--max-symbols` left out.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LeftOut {
    pub(crate) series: String,
    pub(crate) candles: usize,
}

/// A file whose data were refused.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Refused {
    pub(crate) path: String,
    pub(crate) reason: String,
}

/// What became of one labeler.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Tried {
    pub(crate) name: &'static str,
    /// Whether the pooled shares are within the tolerance.
    pub(crate) reached: bool,
    /// Why not.
    pub(crate) problem: Option<String>,
    /// Whether the search could not be done at all.
    #[serde(skip)]
    pub(crate) failed: bool,
    /// The labeler with its thresholds; absent where none was found.
    pub(crate) labeler: Option<Labeler>,
    /// The same as TOML, ready for `label-candles`.
    pub(crate) toml: Option<String>,
    pub(crate) pooled: Option<SeriesShares>,
    pub(crate) series: Vec<SeriesShares>,
    /// The series furthest from the target.
    pub(crate) worst: Option<SeriesShares>,
    /// How the sizes that thresholds cut lie.
    pub(crate) histogram: Histogram,
    /// The classes at thresholds across their range.
    pub(crate) sweep: Vec<SweepRow>,
}

impl Tried {
    pub(crate) fn found(
        found: ThresholdReport,
        tolerance: f64,
        histogram: Histogram,
        sweep: Vec<SweepRow>,
    ) -> Self {
        let toml = found.to_toml();
        let reached = found.pooled.deviation <= tolerance;
        let problem = (!reached).then(|| {
            format!(
                "the pooled shares are {}, {:.4} from the target; give a target nearer to them, another horizon, --objective pooled, or a larger --tolerance",
                percents(found.pooled.shares).join(", "),
                found.pooled.deviation
            )
        });
        Self {
            name: found.labeler.name(),
            reached,
            problem,
            failed: false,
            labeler: Some(found.labeler),
            toml: Some(toml),
            worst: found.series.get(found.worst).cloned(),
            pooled: Some(found.pooled),
            series: found.series,
            histogram,
            sweep,
        }
    }

    pub(crate) fn unreachable(
        name: &'static str,
        problem: String,
        histogram: Histogram,
        sweep: Vec<SweepRow>,
    ) -> Self {
        Self {
            name,
            reached: false,
            problem: Some(problem),
            failed: false,
            labeler: None,
            toml: None,
            pooled: None,
            series: Vec::new(),
            worst: None,
            histogram,
            sweep,
        }
    }

    pub(crate) fn failed(name: &'static str, problem: String, histogram: Histogram) -> Self {
        Self { failed: true, ..Self::unreachable(name, problem, histogram, Vec::new()) }
    }
}

impl Report {
    pub(crate) fn new(
        configuration: &Configuration,
        timeframe: Timeframe,
        gathered: &Gathered,
        left_out: Vec<LeftOut>,
        plan: &SplitPlan,
        labelers: Vec<Tried>,
        outputs: &Outputs,
    ) -> Self {
        let candles = gathered.series.iter().map(|series| {
            let (first, last) = series.range().unzip();
            Candles { series: series.key().to_string(), candles: series.len(), first, last }
        });
        let refused = gathered
            .refused
            .iter()
            .map(|(path, error)| Refused { path: path.display().to_string(), reason: error.to_string() });
        let (searched, held_out) = spans(plan);
        Self {
            program: PROGRAM,
            target: configuration.target,
            tolerance: configuration.tolerance,
            objective: configuration.objective,
            symmetry: configuration.symmetry,
            horizon: configuration.horizon,
            timeframe,
            split: configuration.split,
            searched,
            held_out,
            series: candles.collect(),
            left_out,
            refused: refused.collect(),
            notes: gathered.notes.clone(),
            labelers,
            out: outputs.out.display().to_string(),
            figure: outputs.figure.display().to_string(),
        }
    }

    /// As JSON.
    pub(crate) fn document(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self).context("cannot write JSON")? + "\n")
    }

    pub(crate) fn print(&self, common: &CommonArguments) -> anyhow::Result<()> {
        if common.is_json() {
            return print_text(&self.document()?);
        }
        print_text(&self.text())
    }

    fn text(&self) -> String {
        let mut text = format!(
            "target: sell, hold, buy {} ({:?}); {} candles of {} ahead\n",
            percents(self.target).join(", "),
            self.objective,
            self.horizon,
            self.timeframe
        )
        .replace("(Pooled)", "of all series together")
        .replace("(Worst)", "of the series furthest from it");
        text += &format!("searched: {}\n", self.searched.join("; "));
        for held_out in &self.held_out {
            text += &format!("held out and not looked at: {held_out}\n");
        }
        for LeftOut { series, candles } in &self.left_out {
            text += &format!("left out, fewer candles: {series} ({candles})\n");
        }
        for Refused { path, reason } in &self.refused {
            text += &format!("refused: {path}\n  {reason}\n");
        }
        for tried in &self.labelers {
            text += &tried.text(self.tolerance);
        }
        text + &format!("\nresults: {}\nfigure: {}\n", self.out, self.figure)
    }
}

impl Tried {
    fn text(&self, tolerance: f64) -> String {
        let mut text = format!("\n== {}\n", self.name);
        if let Some(pooled) = &self.pooled {
            let mut table = Table::new(["series", "labels", "sell", "hold", "buy", "off"]);
            table.row(row("all together", pooled));
            for series in &self.series {
                table.row(row(&series.name, series));
            }
            if let Some(worst) = &self.worst {
                table.row(row(&format!("furthest: {}", worst.name), worst));
            }
            text += &table.to_string();
        }
        match &self.problem {
            None => text += &format!("met within {tolerance}\n"),
            Some(problem) => text += &format!("missed: {problem}\n"),
        }
        if let Some(toml) = &self.toml {
            text += "\n";
            text += toml;
        }
        text
    }
}

fn row(name: &str, shares: &SeriesShares) -> Vec<String> {
    let labels: usize = shares.counts.iter().sum();
    let mut cells = vec![name.to_owned(), labels.to_string()];
    if labels == 0 {
        cells.extend(["-"; 4].map(str::to_owned));
    } else {
        cells.extend(percents(shares.shares));
        cells.push(percent(shares.deviation));
    }
    cells
}

pub(crate) fn percents(shares: [f64; 3]) -> [String; 3] {
    shares.map(percent)
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
