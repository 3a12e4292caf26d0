//! What is seen of a training while it runs: a progress bar, JSON lines, TensorBoard events, log lines.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use command_line::{Bar, CommonArguments, now_millis};
use market_data::store::write_file;
use serde::{Deserialize, Serialize};
use sim::policy::{Advance, KINDS, Validation};
use supervised::tensor_board::EventWriter;

/// Stands in the names of event files, where other programs put the machine's.
const HOST: &str = "matrela";

/// Follows one training.
pub(crate) struct Recorder {
    bar: Bar,
    lines: PathBuf,
    events: EventWriter,
    begun: Instant,
    steps_per_stage: u64,
    stages: usize,
    /// Steps that were taken before this process.
    first_steps: u64,
    noted: Noted,
}

/// How far the files of a training reach.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Noted {
    /// Lines of `progress.jsonl`.
    pub(crate) lines: usize,
    /// Steps of all stages.
    pub(crate) steps: u64,
}

/// One line of `progress.jsonl`.
#[derive(Serialize)]
struct Line<'a> {
    stage: usize,
    /// Steps of all environments a second, in this process.
    steps_per_second: f64,
    #[serde(flatten)]
    progress: &'a rl::Progress,
    validation: Option<Validation>,
}

impl Recorder {
    /// Begins the files anew, or goes on behind what a checkpoint holds.
    pub(crate) fn start(
        directory: &Path,
        seed: u64,
        stages: usize,
        steps_per_stage: u64,
        noted: Option<Noted>,
        common: &CommonArguments,
    ) -> anyhow::Result<Self> {
        let (lines, board) = (directory.join("progress.jsonl"), directory.join("tensorboard"));
        let events = match noted {
            Some(noted) => {
                let text = std::fs::read_to_string(&lines).with_context(|| lines.display().to_string())?;
                let kept: String = text.lines().take(noted.lines).flat_map(|line| [line, "\n"]).collect();
                write_file(&lines, kept.as_bytes())?;
                // TensorBoard drops what it holds from this step on: it is computed again.
                EventWriter::resume(&board, wall_time(), HOST, noted.steps + 1)?
            }
            None => {
                write_file(&lines, b"")?;
                if board.exists() {
                    std::fs::remove_dir_all(&board)
                        .with_context(|| format!("{}: cannot remove", board.display()))?;
                }
                EventWriter::create(&board, wall_time(), HOST)?
            }
        };
        let bar = common.progress().bar(steps_per_stage * stages as u64, format!("seed {seed}"));
        let first_steps = noted.map_or(0, |noted| noted.steps);
        let noted = noted.unwrap_or_default();
        Ok(Self { bar, lines, events, begun: Instant::now(), steps_per_stage, stages, first_steps, noted })
    }

    /// What was noted down so far.
    pub(crate) fn noted(&self) -> Noted {
        self.noted
    }

    pub(crate) fn note(&mut self, advance: &Advance) -> anyhow::Result<()> {
        let Advance { stage, progress, validation } = advance;
        let done = self.steps_per_stage * *stage as u64 + progress.steps.min(self.steps_per_stage);
        self.bar.set_position(done);
        let seconds = self.begun.elapsed().as_secs_f64();
        let steps_per_second = done.saturating_sub(self.first_steps) as f64 / seconds.max(1e-9);
        let line = Line { stage: *stage, steps_per_second, progress, validation: *validation };
        let mut file = OpenOptions::new().create(true).append(true).open(&self.lines)?;
        writeln!(file, "{}", serde_json::to_string(&line)?)?;
        self.write_events(done, advance, steps_per_second)?;
        self.noted = Noted { lines: self.noted.lines + 1, steps: done };
        let Some(validation) = validation else { return Ok(()) };
        let of_stage = match self.stages {
            1 => String::new(),
            _ => format!("{}: ", KINDS.get(*stage).copied().unwrap_or("selector")),
        };
        tracing::info!(
            "{of_stage}{} of {} steps, {steps_per_second:.0}/s, mean return {}, validation: log return {:+.4}, turnover {:.4} a step{}",
            progress.steps,
            self.steps_per_stage,
            progress.mean_return.map_or("unknown".to_owned(), |mean| format!("{mean:+.4}")),
            validation.log_return,
            validation.turnover,
            if validation.best { ", the best so far" } else { "" },
        );
        Ok(())
    }

    fn write_events(&mut self, step: u64, advance: &Advance, steps_per_second: f64) -> anyhow::Result<()> {
        let now = wall_time();
        let progress = &advance.progress;
        let mut scalar = |tag: &str, value: Option<f64>| match value {
            Some(value) => self.events.scalar(step, now, tag, value as f32),
            None => Ok(()),
        };
        scalar("rollout/mean_return", progress.mean_return)?;
        scalar("rollout/mean_length", progress.mean_length)?;
        scalar("rollout/exploration", progress.exploration)?;
        scalar("train/loss", progress.loss)?;
        scalar("train/learning_rate", Some(progress.learning_rate))?;
        scalar("train/gradient_norm", progress.gradient_norm.map(f64::from))?;
        scalar("train/mean_value", progress.mean_value)?;
        scalar("train/explained_variance", progress.explained_variance.map(f64::from))?;
        if let Some(losses) = &progress.losses {
            scalar("train/policy_loss", Some(f64::from(losses.policy)))?;
            scalar("train/value_loss", Some(f64::from(losses.value)))?;
            scalar("train/entropy", Some(f64::from(losses.entropy)))?;
            scalar("train/approximate_kl", Some(f64::from(losses.approximate_kl)))?;
            scalar("train/clip_fraction", Some(f64::from(losses.clip_fraction)))?;
        }
        scalar("time/steps_per_second", Some(steps_per_second))?;
        scalar("validation/log_return", advance.validation.map(|one| one.log_return))?;
        scalar("validation/turnover", advance.validation.map(|one| one.turnover))?;
        self.events.flush()?;
        Ok(())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.bar.finish();
    }
}

/// Seconds since 1970; 0 where the clock stands before it.
fn wall_time() -> f64 {
    now_millis().map_or(0.0, |millis| millis as f64 / 1e3)
}
