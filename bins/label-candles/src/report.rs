//! What was labelled: one JSON document, or tables.

use anyhow::Context;
use command_line::{CommonArguments, Table, print_text};
use labels::splits::{Split, SplitPlan, SplitSetting, TimeRange};
use labels::{AbsenceCounts, LabelSeries, Labeler};
use market_data::import::Gathered;
use market_data::{SeriesKey, Timeframe};
use serde::Serialize;

use crate::configuration::Configuration;

/// The name of this program; directories that it wrote carry it.
pub(crate) const PROGRAM: &str = "label-candles";

/// A run of this program.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    program: &'static str,
    labeler: Labeler,
    /// The same as TOML.
    toml: String,
    /// How many candles after its own a label may look at.
    window: u32,
    timeframe: Timeframe,
    split: SplitSetting,
    /// Training and test time.
    train: Vec<String>,
    test: Vec<String>,
    pub(crate) series: Vec<Labelled>,
    /// All series together.
    pooled: Classes,
    left_out: Vec<String>,
    refused: Vec<Refused>,
    notes: Vec<String>,
    out: String,
}

/// A file whose data were refused.
#[derive(Clone, Debug, Serialize)]
struct Refused {
    path: String,
    reason: String,
}

/// Classes of some labels, in class order: sell, hold, buy.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Classes {
    counts: [usize; 3],
    /// Zeros where there is no label.
    shares: [f64; 3],
}

impl Classes {
    fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    fn of(counts: [usize; 3]) -> Self {
        let total = counts.iter().sum::<usize>().max(1) as f64;
        Self { counts, shares: counts.map(|count| count as f64 / total) }
    }
}

/// One series.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Labelled {
    series: String,
    pub(crate) file: String,
    candles: usize,
    pub(crate) labels: usize,
    classes: Classes,
    /// Of the labels that may be trained on, and of those that are tested.
    train: Classes,
    test: Classes,
    /// Labels that open in training time with a window that reaches out of it, in an embargo, and in test time
    /// with a window that reaches out of it.
    purged: usize,
    embargoed: usize,
    cut: usize,
    /// Candles without a label, by reason.
    absences: AbsenceCounts,
    /// Mean average uniqueness of the labels: 1 where none overlap.
    mean_uniqueness: f64,
}

impl Labelled {
    /// How many labels may be trained on.
    pub(crate) fn train_labels(&self) -> usize {
        self.train.total()
    }

    pub(crate) fn of(labels: &LabelSeries, split: &Split, file: String) -> Self {
        let classes = |indices: &[usize]| {
            let mut counts = [0; 3];
            for label in indices.iter().filter_map(|index| labels.label(*index)) {
                counts[label.index()] += 1;
            }
            Classes::of(counts)
        };
        let counts = labels.class_counts();
        let total: usize = counts.iter().sum();
        let uniqueness: f64 = labels.iter().map(|(_, row)| row.uniqueness).sum();
        Self {
            series: labels.key().to_string(),
            file,
            candles: labels.len(),
            labels: total,
            classes: Classes::of(counts),
            train: classes(split.train().indices()),
            test: classes(split.test()),
            purged: split.purged(),
            embargoed: split.embargoed(),
            cut: split.cut(),
            absences: labels.absences(),
            mean_uniqueness: uniqueness / total.max(1) as f64,
        }
    }
}

impl Report {
    pub(crate) fn new(
        configuration: &Configuration,
        labeler: &Labeler,
        timeframe: Timeframe,
        gathered: &Gathered,
        left_out: &[SeriesKey],
        plan: &SplitPlan,
        series: Vec<Labelled>,
    ) -> Self {
        let shown = |ranges: &[TimeRange]| ranges.iter().map(ToString::to_string).collect();
        let refused = gathered
            .refused
            .iter()
            .map(|(path, error)| Refused { path: path.display().to_string(), reason: error.to_string() });
        let mut pooled = [0; 3];
        for one in &series {
            one.classes.counts.iter().zip(&mut pooled).for_each(|(count, sum)| *sum += count);
        }
        Self {
            program: PROGRAM,
            labeler: *labeler,
            toml: labeler.to_toml(),
            window: labeler.window(),
            timeframe,
            split: configuration.split,
            train: shown(plan.train()),
            test: shown(plan.test()),
            series,
            pooled: Classes::of(pooled),
            left_out: left_out.iter().map(ToString::to_string).collect(),
            refused: refused.collect(),
            notes: gathered.notes.clone(),
            out: configuration.out.display().to_string(),
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
        let mut classes = Table::new(["series", "labels", "sell", "hold", "buy", "uniqueness"]);
        let mut split = Table::new(["series", "train", "purged", "embargoed", "test", "cut"]);
        let mut absent =
            Table::new(["series", "candles", "warm-up", "gap", "end of series", "ambiguous", "no range"]);
        let row = |name: &str, found: &Classes| {
            let labels: usize = found.counts.iter().sum();
            let shares = found.shares.map(|share| format!("{:.2} %", 100.0 * share));
            let mut cells = vec![name.to_owned(), labels.to_string()];
            cells.extend(if labels == 0 { ["-"; 3].map(str::to_owned) } else { shares });
            cells
        };
        classes.row(row("all together", &self.pooled));
        for one in &self.series {
            let mut cells = row(&one.series, &one.classes);
            cells.push(format!("{:.3}", one.mean_uniqueness));
            classes.row(cells);
            let sum = |classes: &Classes| classes.counts.iter().sum::<usize>();
            let counts = [sum(&one.train), one.purged, one.embargoed, sum(&one.test), one.cut];
            split.row(std::iter::once(one.series.clone()).chain(counts.map(|count| count.to_string())));
            let AbsenceCounts { warm_up, gap, end_of_series, ambiguous, no_range } = one.absences;
            let counts = [one.candles, warm_up, gap, end_of_series, ambiguous, no_range];
            absent.row(std::iter::once(one.series.clone()).chain(counts.map(|count| count.to_string())));
        }
        let mut text = format!("{}\n{classes}\nlabels by time\n{split}\n", self.toml);
        text += &format!("train: {}\ntest: {}\n", self.train.join("; "), self.test.join("; "));
        text += &format!("\ncandles without a label\n{absent}");
        for series in &self.left_out {
            text += &format!("left out, fewer candles: {series}\n");
        }
        for Refused { path, reason } in &self.refused {
            text += &format!("refused: {path}\n  {reason}\n");
        }
        text + &format!("\nlabels: {}\n", self.out)
    }
}
