//! A study: a file of trials that can be resumed and shared.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::definition::StudyDefinition;
use super::event::{Event, FORMAT, apply, check_report};
use super::journal::{Journal, SetAside};
use super::pruner;
use super::sampler::suggest;
use super::trial::{Trial, TrialCounts, TrialState};
use crate::error::SupervisedError;

/// What a study file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyRecord {
    /// What is searched, and how.
    pub definition: StudyDefinition,
    /// All trials by their number.
    pub trials: Vec<Trial>,
    /// Lines that a process did not finish, which count for nothing.
    pub set_aside: Vec<SetAside>,
}

impl StudyRecord {
    /// Reads a study file without changing it.
    ///
    /// # Errors
    /// [`SupervisedError::File`] for a file that is not there, is no study or is broken (it names the line).
    pub fn read(path: &Path) -> Result<Self, SupervisedError> {
        let mut journal = Journal::open_to_read(path)?;
        journal.lock_to_read()?;
        let lines = journal.read_new();
        journal.unlock()?;
        let mut lines = lines?.into_iter();
        let Some((line, text)) = lines.next() else {
            return Err(SupervisedError::file(path, "is empty; a study begins with `tune`"));
        };
        let definition = first_line(&journal, line, &text)?;
        let mut trials = Vec::new();
        for (line, text) in lines {
            read_event(&journal, line, &text, &definition, &mut trials)?;
        }
        Ok(Self { definition, trials, set_aside: journal.set_aside() })
    }

    /// How many trials stand where.
    pub fn counts(&self) -> TrialCounts {
        TrialCounts::of(&self.trials)
    }
}

/// A study file that is open for trials. Several handles, in one process or in several, may work on the same
/// file: each looks at what the others have added before it decides and adds, alone, under the file's lock.
/// (The lock is that of [`std::fs::File::lock`]; network file systems may not have it.)
#[derive(Debug)]
pub struct Study {
    journal: Journal,
    record: StudyRecord,
    process: String,
}

/// What the next trial is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This one, which has begun.
    Trial(usize),
    /// None: enough are settled.
    Enough,
    /// None: with those that run there will be enough.
    Busy,
}

impl Study {
    /// Opens a study, or begins it where the file is not there or empty. `process` is written beside each
    /// trial that this handle starts, for people: a host and a process id, say.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] for a definition that is refused, [`SupervisedError::File`] for a file
    /// that belongs to another definition (it names the difference), is no study, is broken (it names the
    /// line) or cannot be used.
    pub fn open(path: &Path, definition: &StudyDefinition, process: &str) -> Result<Self, SupervisedError> {
        definition.validate()?;
        let journal = Journal::open(path)?;
        let record =
            StudyRecord { definition: definition.clone(), trials: Vec::new(), set_aside: Vec::new() };
        let mut study = Self { journal, record, process: process.to_owned() };
        study.alone(Self::begin)?;
        Ok(study)
    }

    /// What the file said when this handle last looked.
    pub fn record(&self) -> &StudyRecord {
        &self.record
    }

    /// Looks at what other handles have added.
    ///
    /// # Errors
    /// [`SupervisedError::File`].
    pub fn refresh(&mut self) -> Result<(), SupervisedError> {
        self.alone(|_| Ok(()))
    }

    /// Gives up the attempt at a running trial whose process is gone. The next start takes the trial up again
    /// with the same number and parameters, so that the study goes on as if nothing had happened. Should the
    /// process be alive after all, what it reports from then on is refused.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where the trial is not running, [`SupervisedError::File`].
    pub fn abandon(&mut self, trial: usize) -> Result<(), SupervisedError> {
        self.alone(|study| match study.record.trials.get(trial) {
            Some(found) if found.state == TrialState::Running => study.add(Event::Abandoned { trial }),
            _ => Err(SupervisedError::data(format!("trial {trial}"), "is not running; look at the study")),
        })
    }

    /// Numbers of the trials that have begun and not ended.
    pub fn running(&self) -> Vec<usize> {
        let running = self.record.trials.iter().filter(|trial| trial.state == TrialState::Running);
        running.map(|trial| trial.number).collect()
    }

    /// Does something while no other handle can, after reading what others have added.
    fn alone<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, SupervisedError>,
    ) -> Result<T, SupervisedError> {
        self.journal.lock()?;
        let result = self.catch_up().and_then(|()| work(self));
        self.record.set_aside = self.journal.set_aside();
        self.journal.unlock()?;
        result
    }

    fn catch_up(&mut self) -> Result<(), SupervisedError> {
        let at_beginning = self.journal.has_no_events();
        let mut lines = self.journal.read_new()?.into_iter();
        if at_beginning && let Some((line, text)) = lines.next() {
            let found = first_line(&self.journal, line, &text)?;
            if let Some(difference) = found.difference(&self.record.definition) {
                let reason =
                    format!("is another study: there {difference}; name another file, or search as there");
                return Err(SupervisedError::file(self.journal.path(), reason));
            }
        }
        for (line, text) in lines {
            let definition = &self.record.definition;
            read_event(&self.journal, line, &text, definition, &mut self.record.trials)?;
        }
        Ok(())
    }

    /// Writes the first line where there is none.
    fn begin(&mut self) -> Result<(), SupervisedError> {
        if !self.journal.has_no_events() {
            return Ok(());
        }
        let definition = self.record.definition.clone();
        let space_hash = definition.space_hash()?;
        self.write(&Event::Study { format: FORMAT, space_hash, definition })
    }

    fn write(&mut self, event: &Event) -> Result<(), SupervisedError> {
        let text = serde_json::to_string(event)
            .map_err(|error| SupervisedError::file(self.journal.path(), error.to_string()))?;
        self.journal.append(&text)
    }

    /// Writes an event and applies it. That it can be applied is for the caller to know, who holds the lock.
    fn add(&mut self, event: Event) -> Result<(), SupervisedError> {
        self.write(&event)?;
        apply(event, &self.record.definition, &mut self.record.trials)
            .map_err(|reason| SupervisedError::data("study", reason))
    }

    /// Begins a trial where fewer than `trials` are settled or running: the lowest that waits, or a new one.
    pub(super) fn start(&mut self, trials: usize) -> Result<Next, SupervisedError> {
        self.alone(|study| {
            let counts = study.record.counts();
            if counts.settled() >= trials {
                return Ok(Next::Enough);
            }
            if counts.settled() + counts.running >= trials {
                return Ok(Next::Busy);
            }
            let known = &study.record.trials;
            let waiting = known.iter().find(|trial| trial.state == TrialState::Waiting);
            let (trial, parameters) = match waiting {
                Some(trial) => (trial.number, trial.parameters.clone()),
                None => (known.len(), suggest(&study.record.definition, known.len(), known)?),
            };
            study.add(Event::Started { trial, process: study.process.clone(), parameters })?;
            Ok(Next::Trial(trial))
        })
    }

    /// Adds a report, and the end of the trial where the pruner wants it. Says whether it does.
    pub(super) fn report(
        &mut self,
        number: usize,
        attempt: u32,
        step: u64,
        value: f64,
    ) -> Result<bool, SupervisedError> {
        self.alone(|study| {
            let trial = study.own(number, attempt)?;
            check_report(trial, step, value).map_err(|reason| {
                SupervisedError::data(
                    "report",
                    format!("{reason}; steps must grow from 1 on and values be finite"),
                )
            })?;
            study.add(Event::Report { trial: number, step, value })?;
            let StudyRecord { definition, trials, .. } = &study.record;
            let ends = pruner::ends(&definition.pruner, definition.direction, trials, number);
            if ends {
                study.add(Event::Pruned { trial: number })?;
            }
            Ok(ends)
        })
    }

    /// Ends a trial. `Err` is the text of the objective's error.
    pub(super) fn end(
        &mut self,
        number: usize,
        attempt: u32,
        result: Result<f64, String>,
    ) -> Result<(), SupervisedError> {
        self.alone(|study| {
            study.own(number, attempt)?;
            study.add(match result {
                Ok(value) if value.is_finite() => Event::Finished { trial: number, value },
                Ok(_) => Event::Diverged { trial: number },
                Err(reason) => Event::Failed { trial: number, reason },
            })
        })
    }

    /// The trial, where this attempt at it still is the running one.
    fn own(&self, number: usize, attempt: u32) -> Result<&Trial, SupervisedError> {
        match self.record.trials.get(number) {
            Some(trial) if trial.attempt == attempt && trial.state == TrialState::Running => Ok(trial),
            _ => Err(SupervisedError::data(
                format!("trial {number}"),
                "has ended, or was abandoned by another process; its result is not added",
            )),
        }
    }
}

fn first_line(journal: &Journal, line: usize, text: &str) -> Result<StudyDefinition, SupervisedError> {
    let event =
        serde_json::from_str(text).map_err(|error| journal.broken(line, &format!("is no study: {error}")))?;
    let Event::Study { format, space_hash, definition } = event else {
        return Err(journal.broken(line, "does not begin a study"));
    };
    if format != FORMAT {
        let reason = format!("has format {format}; this program reads format {FORMAT}");
        return Err(SupervisedError::file(journal.path(), reason));
    }
    if definition.space_hash()? != space_hash {
        return Err(journal.broken(line, "has a search space that its hash does not fit"));
    }
    Ok(definition)
}

fn read_event(
    journal: &Journal,
    line: usize,
    text: &str,
    definition: &StudyDefinition,
    trials: &mut Vec<Trial>,
) -> Result<(), SupervisedError> {
    let event =
        serde_json::from_str(text).map_err(|error| journal.broken(line, &format!("is no event: {error}")))?;
    apply(event, definition, trials)
        .map_err(|reason| journal.broken(line, &format!("does not follow from those before it: {reason}")))
}
