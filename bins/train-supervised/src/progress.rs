//! What is seen of a training while it runs: a progress bar, JSON lines, TensorBoard events, log lines.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use command_line::{Bar, CommonArguments, now_millis};
use market_data::store::write_file;
use serde::Serialize;
use supervised::metrics::MetricName;
use supervised::tensor_board::EventWriter;
use supervised::{EpochReport, Observer, StepReport, SupervisedConfig, SupervisedError};

/// Stands in the names of event files, where other programs put the machine's.
const HOST: &str = "matrela";
/// Units of the progress bar in an epoch.
const UNITS: u64 = 1_000;

/// Follows one training.
pub(crate) struct Recorder {
    epochs: usize,
    bar: Bar,
    lines: PathBuf,
    tensor_board: PathBuf,
    /// Opened when training begins.
    events: Option<EventWriter>,
    begun: Instant,
    last_epoch: Instant,
    /// Seconds of the epochs that this process has seen.
    seconds: Vec<f64>,
}

/// One line of `metrics.jsonl`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// Seconds that the epoch took, validation included; absent where its process was killed before it could say so.
    seconds: Option<f64>,
    #[serde(flatten)]
    report: &'a EpochReport,
}

impl Recorder {
    /// Makes the directory and what is written into it.
    pub(crate) fn start(
        directory: &Path,
        config: &SupervisedConfig,
        common: &CommonArguments,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("{}: cannot create the directory", directory.display()))?;
        let label = format!("seed {}", config.seed);
        let bar = common.progress().bar(config.epochs as u64 * UNITS, label);
        let now = Instant::now();
        Ok(Self {
            epochs: config.epochs,
            bar,
            lines: directory.join("metrics.jsonl"),
            tensor_board: directory.join("tensorboard"),
            events: None,
            begun: now,
            last_epoch: now,
            seconds: Vec::new(),
        })
    }

    /// Mean over the epochs of this process.
    pub(crate) fn seconds_per_epoch(&self) -> Option<f64> {
        let count = self.seconds.len();
        (count > 0).then(|| self.seconds.iter().sum::<f64>() / count as f64)
    }

    fn write(&mut self, report: &EpochReport, seconds: f64) -> anyhow::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.lines)?;
        writeln!(file, "{}", line(report, Some(seconds))?)?;
        self.write_events(report, Some(seconds))
    }

    fn write_events(&mut self, report: &EpochReport, seconds: Option<f64>) -> anyhow::Result<()> {
        let Some(events) = &mut self.events else { return Ok(()) };
        let now = wall_time();
        let validation = &report.validation;
        let mut scalar = |tag: &str, value: f64| events.scalar(report.epoch as u64, now, tag, value as f32);
        scalar("training/loss", report.training_loss)?;
        scalar("training/learning_rate", report.learning_rate)?;
        scalar("training/gradient_norm", report.gradient_norm)?;
        if let Some(seconds) = seconds {
            scalar("training/seconds", seconds)?;
        }
        for name in MetricName::ALL {
            scalar(&format!("validation/{name}"), validation.get(name))?;
        }
        for (index, class) in ["sell", "hold", "buy"].into_iter().enumerate() {
            scalar(&format!("validation_f1/{class}"), validation.f1[index])?;
            scalar(&format!("validation_predicted_share/{class}"), validation.predicted_shares[index])?;
        }
        events.flush()?;
        Ok(())
    }

    /// Leaves exactly the lines of `history` in the file. A run that was killed may have left one too many, or, between
    /// its last checkpoint and the line, one too few.
    fn write_history(&mut self, history: &[EpochReport]) -> anyhow::Result<()> {
        let left = match std::fs::read_to_string(&self.lines) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error.into()),
        };
        let mut of_epoch: BTreeMap<u64, &str> = BTreeMap::new();
        for line in left.lines() {
            // A line that was cut short is none.
            let value: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            if let Some(epoch) = value["epoch"].as_u64() {
                of_epoch.insert(epoch, line);
            }
        }
        let noted = |report: &EpochReport| of_epoch.get(&(report.epoch as u64));
        let known = history.iter().take_while(|report| noted(report).is_some()).count();
        let directory = &self.tensor_board;
        self.events = Some(if directory.exists() {
            EventWriter::resume(directory, wall_time(), HOST, known as u64)?
        } else {
            EventWriter::create(directory, wall_time(), HOST)?
        });
        let mut text = String::new();
        for report in history {
            text += &noted(report).map_or_else(|| line(report, None), |line| Ok((*line).to_owned()))?;
            text.push('\n');
        }
        for report in &history[known..] {
            self.write_events(report, None)?;
        }
        if text != left {
            write_file(&self.lines, text.as_bytes())?;
        }
        Ok(())
    }

    fn fault(&self, error: &anyhow::Error) -> SupervisedError {
        let reason = format!("the epochs cannot be noted down: {error:#}");
        SupervisedError::File { path: self.lines.clone(), reason }
    }
}

/// The text of one line.
fn line(report: &EpochReport, seconds: Option<f64>) -> anyhow::Result<String> {
    Ok(serde_json::to_string(&Line { seconds, report })?)
}

/// Seconds since 1970; 0 where the clock stands before it.
fn wall_time() -> f64 {
    now_millis().map_or(0.0, |millis| millis as f64 / 1e3)
}

impl Observer for Recorder {
    fn begin(&mut self, history: &[EpochReport]) -> Result<(), SupervisedError> {
        self.write_history(history).map_err(|error| self.fault(&error))
    }

    fn step(&mut self, report: StepReport) {
        let position = (report.epoch as f64 + report.done) * UNITS as f64;
        self.bar.set_position(position as u64);
    }

    fn epoch(&mut self, report: &EpochReport) -> Result<bool, SupervisedError> {
        let seconds = self.last_epoch.elapsed().as_secs_f64();
        self.last_epoch = Instant::now();
        self.seconds.push(seconds);
        let validation = &report.validation;
        self.bar.set_label(format!("loss {:.4} f1 {:.4}", report.training_loss, validation.macro_f1));
        tracing::info!(
            "epoch {} of {}: {seconds:.1} s, {} steps, loss {:.4}, validation: log-loss {:.4} (skill {:+.4}), macro-F1 {:.4}, MCC {:+.4}, predicted {:.2?}{}",
            report.epoch + 1,
            self.epochs,
            report.steps,
            report.training_loss,
            validation.log_loss,
            validation.skill,
            validation.macro_f1,
            validation.mcc,
            validation.predicted_shares,
            if report.best { ", the best so far" } else { "" },
        );
        self.write(report, seconds).map_err(|error| self.fault(&error))?;
        Ok(true)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.bar.finish();
        tracing::debug!("{:.1} s in all", self.begun.elapsed().as_secs_f64());
    }
}
