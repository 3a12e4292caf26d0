//! What came of a study: a table, a configuration file, pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use charts::{Bar, BarChart, ChartStyle, Joined, LineChart, ParallelAxis, ParallelCoordinates, Series};
use command_line::{CommonArguments, Table, print_json, print_text};
use market_data::store::write_file;
use serde::Serialize;
use supervised::tuning::{
    Assignment, AxisScale, Direction, ImportanceBar, ImportanceConfig, StudyRecord, Trial, TrialCounts,
    best_trials, history, importance, parallel_coordinates,
};
use supervised::{SupervisedConfig, TimeRange, TrainingJob};
use toml::Value;

use super::section::{assigned, table};
use crate::configuration::Configuration;

/// The configuration file of the best trial.
const BEST: &str = "best.toml";
/// Trials in the table.
const SHOWN: usize = 10;

/// The document on stdout.
#[derive(Debug, Serialize)]
pub(super) struct TuneReport {
    command: &'static str,
    study: PathBuf,
    metric: String,
    direction: Direction,
    counts: TrialCounts,
    /// Trials tried to a result, those of earlier searches among them that the configuration knows of.
    trials: u64,
    /// Trials that run in other processes, or whose process is gone.
    running: Vec<RunningTrial>,
    folds: Vec<Fold>,
    data_hash: String,
    /// The best ten.
    best: Vec<BestTrial>,
    /// Nothing before two trials are finished.
    importance: Vec<ImportanceBar>,
    /// What was written: the configuration file first.
    files: Vec<PathBuf>,
}

/// The time of a fold.
#[derive(Debug, Serialize)]
pub(super) struct Fold {
    pub(super) training: Vec<TimeRange>,
    pub(super) validation: Vec<TimeRange>,
}

#[derive(Debug, Serialize)]
struct RunningTrial {
    trial: usize,
    process: String,
}

#[derive(Debug, Serialize)]
struct BestTrial {
    trial: usize,
    value: f64,
    parameters: Assignment,
}

impl TuneReport {
    pub(super) fn of(
        study: &Path,
        record: &StudyRecord,
        folds: Vec<Fold>,
        job: &TrainingJob,
        before: u64,
    ) -> Self {
        let counts = record.counts();
        let running =
            record.trials.iter().filter(|trial| trial.state == supervised::tuning::TrialState::Running);
        let best = best_trials(record, SHOWN).into_iter().filter_map(|trial| {
            let (trial, value, parameters) = (trial.number, trial.value()?, trial.parameters.clone());
            Some(BestTrial { trial, value, parameters })
        });
        Self {
            command: "tune",
            study: study.to_owned(),
            metric: record.definition.metric.clone(),
            direction: record.definition.direction,
            counts,
            trials: before + counts.settled() as u64,
            running: running
                .map(|trial| RunningTrial { trial: trial.number, process: trial.process.clone() })
                .collect(),
            folds,
            data_hash: job.data_hash.clone(),
            best: best.collect(),
            // Of fewer than two finished trials there is none.
            importance: importance(record, &ImportanceConfig::default()).unwrap_or_default(),
            files: Vec::new(),
        }
    }

    /// Whether a trial came to a value.
    pub(super) const fn has_finished(&self) -> bool {
        self.counts.finished > 0
    }

    /// Writes the configuration file and the pictures, where a trial is finished.
    pub(super) fn write_files(
        &mut self,
        out: &Path,
        record: &StudyRecord,
        configuration: &Configuration,
        job: &TrainingJob,
    ) -> anyhow::Result<()> {
        let Some(best) = best_trials(record, 1).into_iter().next() else { return Ok(()) };
        let path = out.join(BEST);
        let text = self.best_file(best, configuration, job)?;
        write_file(&path, text.as_bytes())?;
        self.files.push(path);
        for (name, svg) in pictures(record, &self.importance)? {
            let path = out.join(name);
            write_file(&path, svg.as_bytes())?;
            self.files.push(path);
        }
        Ok(())
    }

    /// The whole configuration of the search with the values of its best trial: features, labels and split, too, so that
    /// the file alone trains what was judged.
    fn best_file(
        &self,
        best: &Trial,
        configuration: &Configuration,
        job: &TrainingJob,
    ) -> anyhow::Result<String> {
        let supervised: SupervisedConfig = assigned(&table(&configuration.supervised)?, &best.parameters)?;
        let chosen = Configuration {
            trials: Some(self.trials),
            supervised,
            features: job.spec.clone(),
            ..configuration.clone()
        };
        let TrialCounts { finished, pruned, diverged, .. } = self.counts;
        let values: String =
            best.parameters.iter().map(|(key, value)| format!("#   supervised.{key} = {value}\n")).collect();
        let number = best.number;
        let value = best.value().unwrap_or(f64::NAN);
        let mut text = first_line(&self.study);
        text += &format!(
            "# Trial {number} of {} ({finished} finished, {pruned} pruned, {diverged} diverged): validation {} {value:.6},\n\
             # mean over {} folds. The test was not looked at. It tried\n{values}\
             # Train with it: train-supervised --config {BEST} --data …, with the same --labeler, --series and --timeframe as\n\
             # the search had. `trials` goes into the bundle: how much was tried decides what a result is worth.\n\n",
            finished + pruned + diverged,
            self.metric,
            self.folds.len(),
        );
        // By way of a table, so that values stand in front of tables.
        let table = toml::Table::try_from(&chosen).context("the configuration of the best trial")?;
        text += &toml::to_string(&table).context("the configuration of the best trial")?;
        Ok(text)
    }

    pub(super) fn print(&self, common: &CommonArguments) -> anyhow::Result<()> {
        if common.is_json() {
            return print_json(self);
        }
        let keys: Vec<&String> =
            self.best.first().map_or(Vec::new(), |best| best.parameters.keys().collect());
        let header = ["trial".to_owned(), format!("validation {}", self.metric)];
        let mut rows = Table::new(header.into_iter().chain(keys.iter().map(|key| (*key).clone())));
        for best in &self.best {
            let cells = [best.trial.to_string(), format!("{:.6}", best.value)];
            rows.row(cells.into_iter().chain(best.parameters.values().map(shown)));
        }
        if !rows.is_empty() {
            rows.print()?;
        }
        if !self.importance.is_empty() {
            print_text("\n")?;
            let mut bars = Table::new(["parameter", "importance"]);
            for bar in &self.importance {
                bars.row([bar.key.clone(), format!("{:.3}", bar.share)]);
            }
            bars.print()?;
        }
        let TrialCounts { finished, pruned, diverged, failed, .. } = self.counts;
        print_text(&format!(
            "\n{} trials: {finished} finished, {pruned} pruned, {diverged} diverged; besides {failed} failed, {} running\n",
            finished + pruned + diverged,
            self.running.len(),
        ))?;
        for file in &self.files {
            print_text(&format!("{}\n", file.display()))?;
        }
        Ok(())
    }
}

/// Sees that files of another study, or of nobody's, are not replaced.
pub(super) fn check_out(out: &Path, study: &Path) -> anyhow::Result<()> {
    let path = out.join(BEST);
    let Ok(found) = std::fs::read_to_string(&path) else { return Ok(()) };
    ensure!(
        found.starts_with(&first_line(study)),
        "{}: it is not of the study {}, so it is not replaced; give another --out",
        path.display(),
        study.display()
    );
    Ok(())
}

/// By it a file is known as that of a study.
fn first_line(study: &Path) -> String {
    let name = study.file_name().unwrap_or(study.as_os_str()).to_string_lossy();
    format!("# The best trial of the study {name}.\n")
}

/// A value for people: four digits of numbers.
fn shown(value: &Value) -> String {
    match value {
        Value::Float(number) if *number != 0.0 && number.abs() < 1e-3 => format!("{number:.3e}"),
        Value::Float(number) => format!("{number:.4}"),
        other => other.to_string(),
    }
}

/// The pictures by the names of their files.
fn pictures(
    record: &StudyRecord,
    importance: &[ImportanceBar],
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let style = ChartStyle::default();
    let mut pictures = vec![
        ("parallel-coordinates.svg", parallel_picture(record, &style)?),
        ("history.svg", history_picture(record, &style)?),
    ];
    if !importance.is_empty() {
        let bars: Vec<Bar<'_>> = importance
            .iter()
            .map(|bar| Bar { label: &bar.key, value: bar.share, ..Bar::default() })
            .collect();
        let chart = BarChart {
            title: "Which settings decide whether a trial is among the best",
            value_label: "share of the importance (PED-ANOVA)",
            bars: &bars,
            groups: &[],
        };
        pictures.insert(1, ("importance.svg", chart.svg(&style)?));
    }
    Ok(pictures)
}

fn parallel_picture(record: &StudyRecord, style: &ChartStyle) -> anyhow::Result<String> {
    let found = parallel_coordinates(record)?;
    let mut lines: Vec<_> = found.lines.iter().collect();
    lines.sort_by_key(|line| line.trial);
    let values: Vec<Vec<f64>> =
        (0..found.axes.len()).map(|axis| lines.iter().map(|line| line.values[axis]).collect()).collect();
    let labels: Vec<Vec<&str>> = found
        .axes
        .iter()
        .map(|axis| match &axis.scale {
            AxisScale::Choices { labels } => labels.iter().map(String::as_str).collect(),
            AxisScale::Linear | AxisScale::Logarithmic => Vec::new(),
        })
        .collect();
    let metric = format!("validation {}", record.definition.metric);
    let last = found.axes.len() - 1;
    let axes: Vec<ParallelAxis<'_>> = found
        .axes
        .iter()
        .enumerate()
        .map(|(at, axis)| ParallelAxis {
            name: if at == last { &metric } else { &axis.name },
            scale: match axis.scale {
                AxisScale::Linear => charts::AxisScale::Linear,
                AxisScale::Logarithmic => charts::AxisScale::Logarithmic,
                AxisScale::Choices { .. } => charts::AxisScale::Categories(&labels[at]),
            },
            values: &values[at],
        })
        .collect();
    let numbers: Vec<usize> = lines.iter().map(|line| line.trial).collect();
    let chart = ParallelCoordinates {
        title: "Finished trials",
        axes: &axes,
        objective: &values[last],
        objective_label: &metric,
        larger_is_better: record.definition.direction == Direction::Maximise,
        trials: &numbers,
        ..ParallelCoordinates::default()
    };
    Ok(chart.svg(style)?)
}

fn history_picture(record: &StudyRecord, style: &ChartStyle) -> anyhow::Result<String> {
    let found = history(record);
    let numbers: Vec<f64> = found.iter().map(|point| point.trial as f64).collect();
    let values: Vec<f64> = found.iter().map(|point| point.value).collect();
    let best: Vec<f64> = found.iter().map(|point| point.best).collect();
    let of = |name, y, joined| Series { name, x: &numbers, y, joined, ..Series::default() };
    let series = [of("trial", &values, Joined::No), of("best so far", &best, Joined::Steps)];
    let chart = LineChart {
        title: "The search, trial by trial",
        x_label: "number of the trial",
        y_label: &format!("validation {}", record.definition.metric),
        series: &series,
        ..LineChart::default()
    };
    Ok(chart.svg(style)?)
}
