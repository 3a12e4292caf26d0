//! `stages.json` of a run: what each stage was given and what it left, so that a run can be taken up.
//!
//! Invariants: the file is replaced whole, never half. A stage stands in it as begun before it does anything, and as done only
//! after its result and the hashes of its files are known. What a stage left of other inputs is removed before it runs.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::content::files_at;
use super::record::write;
use crate::verdict::Verdict;

pub(super) const FILE: &str = "stages.json";
/// The results of stages, one document each.
const RESULTS: &str = "stages";

/// What a stage was given, by what it is: hashes, or words.
pub(super) type Inputs = BTreeMap<String, String>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Document {
    /// A hash of the arguments and the store.
    pub(super) identity: String,
    /// The command line, without the values that `--set` gave.
    pub(super) line: String,
    pub(super) started: String,
    /// When the run was taken up.
    pub(super) resumed: Vec<String>,
    stages: BTreeMap<String, Entry>,
}

impl Document {
    /// Of a run that begins.
    pub(super) fn new(identity: String, line: String, started: String) -> Self {
        Self { identity, line, started, ..Self::default() }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    inputs: Inputs,
    state: State,
    seconds: f64,
    verdict: Verdict,
    /// Hashes of files, by their path in the run's directory.
    outputs: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Interrupted, unless it is just running.
    Begun,
    /// Its program could not do its work.
    Failed,
    Done,
}

/// What is to be done about a stage.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    Skip {
        result: Value,
        seconds: f64,
        verdict: Verdict,
    },
    /// It was interrupted or failed on the same inputs: its program may go on, where it can.
    GoOn(&'static str),
    /// It runs from its beginning; why it is not skipped, where it ran before.
    Run(Option<String>),
}

/// The document, its place, and the lock that keeps others from it.
#[derive(Debug)]
pub(super) struct Ledger {
    directory: PathBuf,
    pub(super) document: Document,
    lock: File,
}

impl Ledger {
    /// Of a new run.
    pub(super) fn create(directory: &Path, document: Document) -> Result<Self> {
        let ledger = Self { directory: directory.to_owned(), document, lock: lock(directory)? };
        ledger.save()?;
        Ok(ledger)
    }

    /// Of a run that is taken up.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        let lock = lock(directory)?;
        let document = read(directory)?.with_context(|| {
            format!("{}: there is no {FILE}, so it cannot be taken up; start a new run", directory.display())
        })?;
        Ok(Self { directory: directory.to_owned(), document, lock })
    }

    /// The lock as the standard input of a program, which reads nothing from it: a run whose xtask was killed stays locked
    /// while a program of it still writes.
    pub(super) fn input(&self) -> Result<File> {
        self.lock.try_clone().context("cannot hand on the run's lock")
    }

    pub(super) fn decide(&self, stage: &str, inputs: &Inputs) -> Result<Decision> {
        let Some(entry) = self.document.stages.get(stage) else { return Ok(Decision::Run(None)) };
        let differing = differing(&entry.inputs, inputs);
        if !differing.is_empty() {
            return Ok(Decision::Run(Some(format!("other than before: {}", differing.join(", ")))));
        }
        match entry.state {
            State::Begun => return Ok(Decision::GoOn("it was interrupted")),
            State::Failed => return Ok(Decision::GoOn("it failed")),
            State::Done => {}
        }
        for (path, known) in &entry.outputs {
            let now = files_at(&self.directory, Path::new(path))?;
            let trouble = match now.get(path) {
                None => "is missing",
                Some(hash) if hash != known => "was changed",
                Some(_) => continue,
            };
            return Ok(Decision::Run(Some(format!("what it wrote {trouble}: {path}"))));
        }
        let path = self.directory.join(result_path(stage));
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let result =
            serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", path.display()))?;
        Ok(Decision::Skip { result, seconds: entry.seconds, verdict: entry.verdict })
    }

    /// Notes that a stage begins. Unless it goes on, what it left before is removed.
    pub(super) fn begin(
        &mut self,
        stage: &str,
        inputs: Inputs,
        writes: &[&str],
        goes_on: bool,
    ) -> Result<()> {
        if !goes_on {
            // In this order: a kill between two steps leaves nothing that looks like a result of these inputs.
            self.document.stages.remove(stage);
            self.save()?;
            for path in writes {
                remove(&self.directory.join(path))?;
            }
        }
        let entry = Entry {
            inputs,
            state: State::Begun,
            seconds: 0.0,
            verdict: Verdict::Fine,
            outputs: BTreeMap::new(),
        };
        self.document.stages.insert(stage.to_owned(), entry);
        self.save()
    }

    /// Notes how a stage ended, with its result and the hashes of what it wrote.
    pub(super) fn finish(
        &mut self,
        stage: &str,
        writes: &[&str],
        result: &Value,
        seconds: f64,
        verdict: Verdict,
    ) -> Result<()> {
        let path = result_path(stage);
        let absolute = self.directory.join(&path);
        if let Some(parent) = absolute.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        write(&absolute, result)?;
        let mut outputs = files_at(&self.directory, Path::new(&path))?;
        for path in writes {
            outputs.extend(files_at(&self.directory, Path::new(path))?);
        }
        let entry =
            self.document.stages.get_mut(stage).with_context(|| format!("`{stage}` did not begin"))?;
        // Of an error nothing is known that could be taken for a result.
        entry.state = if verdict == Verdict::Error { State::Failed } else { State::Done };
        (entry.seconds, entry.verdict, entry.outputs) = (seconds, verdict, outputs);
        self.save()
    }

    pub(super) fn save(&self) -> Result<()> {
        let document = serde_json::to_value(&self.document).context("cannot write JSON")?;
        write(&self.directory.join(FILE), &document)
    }
}

/// The document of a run; none where it has none.
pub(super) fn read(directory: &Path) -> Result<Option<Document>> {
    let path = directory.join(FILE);
    match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        Ok(text) => {
            let broken = || format!("{} is not of this version; start a new run", path.display());
            serde_json::from_slice(&text).map(Some).with_context(broken)
        }
    }
}

/// How often a lock is tried: whatever is being started at this moment holds copies of all open files until it has begun, the lock of a
/// run that has just ended among them.
const LOCK_ATTEMPTS: u32 = 100;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

fn lock(directory: &Path) -> Result<File> {
    let path = directory.join("stages.lock");
    let what = || format!("cannot lock {}", path.display());
    let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.with_context(what)?;
    for attempt in 1.. {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => std::thread::sleep(BETWEEN_ATTEMPTS),
            Err(TryLockError::WouldBlock) => bail!(
                "{}: this run is still going on, or a program of it is; wait for it, or end it",
                directory.display()
            ),
            Err(TryLockError::Error(error)) => return Err(error).with_context(what),
        }
    }
    Ok(file)
}

fn result_path(stage: &str) -> String {
    format!("{RESULTS}/{stage}.json")
}

/// The names of inputs that are not the same.
fn differing(before: &Inputs, now: &Inputs) -> Vec<String> {
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort();
    names.dedup();
    names.into_iter().filter(|name| before.get(*name) != now.get(*name)).cloned().collect()
}

fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
