//! `--resume`: finds the run to take up, and passes over each stage that is done for the same inputs.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::content::{hash_at, hash_of};
use super::identifier::iso;
use super::ledger::{self, Decision, Document, Inputs, Ledger};
use super::{Arguments, Finished, Run, Stage, without_values};
use crate::say;
use crate::workspace::Workspace;

/// Where runs lie, relative to the root of the clone.
pub(super) const RUNS: &str = "artifacts/runs";
/// What `--resume` alone says.
pub(super) const NEWEST: &str = "newest";

/// A stage whose work can be passed over: what it reads and leaves.
pub(super) struct Kept {
    pub(super) reads: fn(&Run) -> Reads,
    /// Files and directories in that of the run that this stage alone writes.
    pub(super) writes: &'static [&'static str],
    /// Whether its program goes on from where it was cut off; without that the stage begins anew.
    pub(super) goes_on: bool,
    /// What later stages need of it.
    pub(super) save: fn(&Run) -> Value,
    /// Gives that back.
    pub(super) restore: fn(&mut Run, Value) -> Result<()>,
}

/// What a stage reads, beside the candles.
#[derive(Debug, Default)]
pub(super) struct Reads {
    pub(super) programs: &'static [&'static str],
    /// What it tells them beside their settings, as far as that is not the same in every run.
    pub(super) words: Vec<String>,
    /// Files and directories of earlier stages, relative to the root of the clone.
    pub(super) files: Vec<PathBuf>,
}

/// A hash of what the user asked for, by which runs of the same arguments are known.
pub(super) fn identity(workspace: &Workspace, arguments: &Arguments, store: &Path) -> String {
    let mut same = arguments.clone();
    same.resume = None;
    for path in &mut same.data {
        *path = workspace.user_path(path);
    }
    same.store = None;
    hash_of([format!("{same:?}").as_str(), &store.to_string_lossy()])
}

impl Run {
    /// Opens the run that `--resume` names, where it is given.
    pub(super) fn take_up(&mut self) -> Result<()> {
        let Some(named) = self.arguments.resume.clone() else { return Ok(()) };
        let runs = self.workspace.root.join(RUNS);
        let name = if named == NEWEST { newest(&runs, &self.identity)? } else { named_run(&runs, &named)? };
        let mut ledger = Ledger::open(&runs.join(&name))?;
        if ledger.document.identity != self.identity {
            bail!(
                "run {name} was begun with other arguments, `{}`; give the same beside --resume, or start a new run",
                ledger.document.line
            );
        }
        ledger.document.resumed.push(iso(self.started));
        ledger.save()?;
        say(&format!("run {name} of {} is taken up", ledger.document.started));
        self.ledger = Some(ledger);
        self.directory = Some(Path::new(RUNS).join(name));
        Ok(())
    }

    /// The ledger of this run, begun with its directory.
    fn open_ledger(&mut self) -> Result<&mut Ledger> {
        let directory = self.directory()?;
        if self.ledger.is_none() {
            let words: Vec<String> = std::env::args().skip(1).collect();
            let line = without_values(&format!("cargo xtask {}", words.join(" ")), &self.arguments.set);
            let document = Document::new(self.identity.clone(), line, iso(self.started));
            self.ledger = Some(Ledger::create(&self.workspace.root.join(directory), document)?);
        }
        self.ledger.as_mut().context("the ledger was just opened")
    }

    /// Runs a stage, or passes over it where it is done for the same inputs.
    pub(super) fn step(&mut self, stage: &Stage) -> Result<Finished> {
        let begun = Instant::now();
        let Some(kept) = &stage.kept else {
            let verdict = (stage.run)(self)?;
            let seconds = begun.elapsed().as_secs_f64();
            return Ok(Finished { name: stage.name, seconds, verdict, skipped: false });
        };
        let inputs = self.inputs(&(kept.reads)(self))?;
        let decision = self.open_ledger()?.decide(stage.name, &inputs)?;
        match decision {
            Decision::Skip { result, seconds, verdict } => {
                (kept.restore)(self, result)?;
                say(&format!("skipped: done before for the same inputs, in {seconds:.1} s"));
                return Ok(Finished { name: stage.name, seconds, verdict, skipped: true });
            }
            Decision::GoOn(why) => {
                say(&format!("not skipped: {why}"));
                self.goes_on = kept.goes_on;
            }
            Decision::Run(why) => {
                if let Some(why) = why {
                    say(&format!("not skipped: {why}"));
                }
                self.goes_on = false;
            }
        }
        let goes_on = self.goes_on;
        self.open_ledger()?.begin(stage.name, inputs, kept.writes, goes_on)?;
        let verdict = (stage.run)(self)?;
        let seconds = begun.elapsed().as_secs_f64();
        let result = (kept.save)(self);
        self.open_ledger()?.finish(stage.name, kept.writes, &result, seconds, verdict)?;
        Ok(Finished { name: stage.name, seconds, verdict, skipped: false })
    }

    /// What a stage is given, by what it is.
    fn inputs(&self, reads: &Reads) -> Result<Inputs> {
        let mut inputs = Inputs::new();
        for program in reads.programs {
            let version = self.versions.get(program);
            let version = version.with_context(|| format!("the settings of `{program}` were not read"))?;
            inputs.insert(format!("program {program}"), version.bytes.clone());
            inputs.insert(format!("settings of {program}"), version.settings.clone());
        }
        inputs.insert("arguments".to_owned(), hash_of(reads.words.iter().map(String::as_str)));
        // Candles of which no hash is known are never the same.
        let candles = self.candles.clone().unwrap_or_else(|| format!("{:?}", SystemTime::now()));
        inputs.insert("candles".to_owned(), candles);
        let series = self.data()?.report.series().map(|series| series.key.name());
        inputs.insert("series".to_owned(), series.collect::<Vec<_>>().join(", "));
        for path in &reads.files {
            let shown = self.directory.as_ref().and_then(|directory| path.strip_prefix(directory).ok());
            let shown = shown.unwrap_or(path).display().to_string();
            inputs.insert(shown, hash_at(&self.workspace.root.join(path))?);
        }
        Ok(inputs)
    }
}

/// A program as it stands, and the settings in force for it.
#[derive(Clone, Debug)]
pub(super) struct Version {
    /// The hash of its file: commits do not tell what is not committed.
    pub(super) bytes: String,
    /// Of all settings.
    pub(super) settings: String,
    pub(super) values: BTreeMap<String, Value>,
}

/// A run by its name, or by the path of its directory.
fn named_run(runs: &Path, named: &str) -> Result<String> {
    let name = Path::new(named).file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.filter(|name| runs.join(name).is_dir());
    name.with_context(|| format!("--resume {named}: there is no such run in {}", runs.display()))
}

/// The newest run of these arguments; names begin with the time.
fn newest(runs: &Path, identity: &str) -> Result<String> {
    let entries = match fs::read_dir(runs) {
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        listed => {
            let listed = listed.with_context(|| format!("cannot list {}", runs.display()))?;
            listed.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        }
    };
    let same = |name: &String| {
        // What cannot be read is of another version, and not meant.
        ledger::read(&runs.join(name)).ok().flatten().is_some_and(|document| document.identity == identity)
    };
    entries.into_iter().filter(same).max().with_context(|| {
        format!("--resume: no run of these arguments in {}; start one without --resume", runs.display())
    })
}

#[cfg(test)]
mod tests;
