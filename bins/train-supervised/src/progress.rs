//! What is seen of a training while it runs: a progress bar, JSON lines, TensorBoard events, log lines.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use command_line::{Bar, CommonArguments, now_millis};
use serde::Serialize;
use supervised::metrics::MetricName;
use supervised::tensor_board::EventWriter;
use supervised::{EpochReport, Observer, StepReport, SupervisedConfig, SupervisedError};

/// Units of the progress bar in an epoch.
const UNITS: u64 = 1_000;

/// Follows one training.
pub(crate) struct Recorder {
    epochs: usize,
    bar: Bar,
    lines: PathBuf,
    events: EventWriter,
    begun: Instant,
    last_epoch: Instant,
    /// Seconds of the epochs that this process has seen.
    seconds: Vec<f64>,
}

/// One line of `metrics.jsonl`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// Seconds that the epoch took, validation included.
    seconds: f64,
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
        let events = EventWriter::create(&directory.join("tensorboard"), wall_time(), "matrela")?;
        let label = format!("seed {}", config.seed);
        let bar = common.progress().bar(config.epochs as u64 * UNITS, label);
        let now = Instant::now();
        Ok(Self {
            epochs: config.epochs,
            bar,
            lines: directory.join("metrics.jsonl"),
            events,
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
        self.write_line(report, seconds)?;
        let now = wall_time();
        let validation = &report.validation;
        let mut scalar = |tag: &str, value: f64| {
            self.events.scalar(report.epoch as u64, now, tag, value as f32)
        };
        scalar("training/loss", report.training_loss)?;
        scalar("training/learning_rate", report.learning_rate)?;
        scalar("training/gradient_norm", report.gradient_norm)?;
        scalar("training/seconds", seconds)?;
        for name in MetricName::ALL {
            scalar(&format!("validation/{name}"), validation.get(name))?;
        }
        for (index, class) in ["sell", "hold", "buy"].into_iter().enumerate() {
            scalar(&format!("validation_f1/{class}"), validation.f1[index])?;
            scalar(&format!("validation_predicted_share/{class}"), validation.predicted_shares[index])?;
        }
        self.events.flush()?;
        Ok(())
    }

    /// Appends one line. Lines of this epoch and later ones, which a stopped run may have left behind its last
    /// checkpoint, are dropped first.
    fn write_line(&self, report: &EpochReport, seconds: f64) -> anyhow::Result<()> {
        let shown = self.lines.display();
        let kept = match std::fs::read_to_string(&self.lines) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("{shown}: cannot read")),
        };
        let earlier: Vec<&str> = kept.lines().take(report.epoch).collect();
        let line = serde_json::to_string(&Line { seconds, report })?;
        if earlier.len() == kept.lines().count() {
            let mut file: File = OpenOptions::new().create(true).append(true).open(&self.lines)?;
            return writeln!(file, "{line}").with_context(|| format!("{shown}: cannot write"));
        }
        let mut text = earlier.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        std::fs::write(&self.lines, text + &line + "\n").with_context(|| format!("{shown}: cannot write"))
    }
}

/// Seconds since 1970; 0 where the clock stands before it.
fn wall_time() -> f64 {
    now_millis().map_or(0.0, |millis| millis as f64 / 1e3)
}

impl Observer for Recorder {
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
        self.write(report, seconds).map_err(|error| SupervisedError::File {
            path: self.lines.clone(),
            reason: format!("the epoch cannot be noted down: {error:#}"),
        })?;
        Ok(true)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.bar.finish();
        tracing::debug!("{:.1} s in all", self.begun.elapsed().as_secs_f64());
    }
}
