//! The commands of the documents: those of the programs are run as they stand, the others are checked.
//!
//! A command that a reader would paste is run by a shell in a directory of its document, with the programs that were
//! built. What it takes hours or a GPU for is not run: there all that a command names has to exist. Settings in blocks
//! of TOML have to be taken by a program.

mod blocks;
mod calls;
mod commands;
mod presupposed;
mod running;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::say;
use crate::train::programs;
use crate::verdict::Verdict;
use crate::workspace::{Metadata, Workspace};
use blocks::{Block, blocks};
use calls::{Call, call, check};
use commands::{Command, commands};
use presupposed::{TRANSLATIONS, only_checked, presupposed};
use running::Places;

/// Something that is wrong with a document.
#[derive(Debug)]
struct Fault {
    /// Counted from 1.
    line: usize,
    what: String,
}

impl Fault {
    fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

/// What was done with the commands of the documents.
#[derive(Debug, Default)]
struct Tally {
    ran: usize,
    settings: usize,
    /// How many commands were only checked, for each reason.
    checked: BTreeMap<String, usize>,
    /// A document, a line and what is wrong there.
    faults: Vec<String>,
}

const BUILDS: &str = "calls of cargo and Python, which would build, test or train for long";

/// Runs and checks the commands of all documents; also says what was not run and why.
pub(super) fn run(workspace: &Workspace) -> Result<(Verdict, String)> {
    let metadata = workspace.metadata()?;
    let documents = read(&workspace.root)?;
    // Several clones may share a target directory.
    let own = format!("documents-{}", std::process::id());
    let places =
        Places::new(metadata.target_directory.join(own), &workspace.root, programs(workspace, None)?)?;
    let stage = Stage { root: &workspace.root, metadata: &metadata, places: &places };
    let mut tally = Tally::default();
    for (path, text) in &documents {
        if let Err(fault) = stage.document(path, text, &mut tally)? {
            tally.faults.push(format!("{path}:{}: {}", fault.line, fault.what));
        }
    }
    translations(&documents, &mut tally);
    for fault in &tally.faults {
        say(&format!("error: {fault}"));
    }
    if tally.faults.is_empty() {
        places.remove()?;
    } else {
        say(&format!("note: what the commands left lies in {}", places.directory.display()));
    }
    say(&tally.sentence());
    let verdict = if tally.faults.is_empty() { Verdict::Fine } else { Verdict::Finding };
    Ok((verdict, tally.not_run()))
}

/// The Markdown files in the root and in `docs`, by their paths with slashes.
fn read(root: &Path) -> Result<BTreeMap<String, String>> {
    let mut documents = BTreeMap::new();
    for directory in ["", "docs", "docs/decisions"] {
        let shown = || format!("cannot read the documents in {}", root.join(directory).display());
        for entry in fs::read_dir(root.join(directory)).with_context(shown)? {
            let path = Path::new(directory).join(entry.with_context(shown)?.file_name());
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(root.join(&path)).with_context(shown)?;
                documents.insert(path.display().to_string(), text);
            }
        }
    }
    Ok(documents)
}

struct Stage<'stage> {
    root: &'stage Path,
    metadata: &'stage Metadata,
    places: &'stage Places,
}

impl Stage<'_> {
    /// Works through a document until something is wrong with it, since later commands build on earlier ones.
    fn document(&self, path: &str, text: &str, tally: &mut Tally) -> Result<Result<(), Fault>> {
        let blocks = match blocks(text) {
            Ok(blocks) => blocks,
            Err(fault) => return Ok(Err(fault)),
        };
        let is_read = |block: &&Block| ["sh", "toml"].contains(&block.language.as_str());
        let is_translation = TRANSLATIONS.iter().any(|(translation, _)| *translation == path);
        if is_translation || !blocks.iter().any(|block| is_read(&block)) {
            return Ok(Ok(()));
        }
        let directory = self.places.directory_for(path)?;
        for text in presupposed(path) {
            let ended = self.places.shell(text, &directory)?;
            if ended.code != Some(0) {
                let what = format!("`{text}`, which makes what this document presupposes: {}", ended.said());
                return Ok(Err(Fault::new(1, what)));
            }
        }
        for block in blocks.iter().filter(is_read) {
            let result = if block.language == "toml" {
                self.settings(block, &directory).map(|()| tally.settings += 1)
            } else {
                self.block(path, block, &directory, tally)?
            };
            if let Err(fault) = result {
                return Ok(Err(fault));
            }
        }
        Ok(Ok(()))
    }

    fn block(
        &self,
        path: &str,
        block: &Block,
        directory: &Path,
        tally: &mut Tally,
    ) -> Result<Result<(), Fault>> {
        let commands = match commands(&block.text, block.line) {
            Ok(commands) => commands,
            Err(fault) => return Ok(Err(fault)),
        };
        let names = self.places.names();
        let left_out = block.not_run.as_deref().or_else(|| only_checked(path));
        for command in commands {
            let wrong = |what: String| Fault::new(command.line, format!("`{}`: {what}", command.shown()));
            let call = match call(&command.words, &names) {
                Ok(call) => call,
                Err(what) => {
                    return Ok(Err(wrong(format!(
                        "{what}; `sh not-run: REASON` marks a block that cannot run"
                    ))));
                }
            };
            let is_run = left_out.is_none() && matches!(call, Call::Program(..) | Call::Shell);
            let result = if is_run {
                self.command(path, &command, call, directory)?
            } else {
                *tally.checked.entry(left_out.unwrap_or(BUILDS).to_owned()).or_default() += 1;
                match call {
                    Call::Program(name, arguments) => self.places.takes(name, arguments, directory),
                    _ => check(call, self.root, self.metadata),
                }
            };
            if let Err(what) = result {
                return Ok(Err(wrong(what)));
            }
            tally.ran += usize::from(is_run);
        }
        Ok(Ok(()))
    }

    fn command(
        &self,
        path: &str,
        command: &Command,
        call: Call<'_>,
        directory: &Path,
    ) -> Result<Result<(), String>> {
        let ended = self.places.shell(&command.text, directory)?;
        let seconds = ended.took.as_secs_f64();
        say(&format!("{path}:{}: {seconds:.1} s: {}", command.line, command.shown()));
        Ok(if ended.is_fine(call) { Ok(()) } else { Err(ended.said()) })
    }

    /// Settings that a program takes, or dependencies that lie where they are said to.
    fn settings(&self, block: &Block, directory: &Path) -> Result<(), Fault> {
        let fault = |what: String| Fault::new(block.line, format!("these settings: {what}"));
        let table: toml::Table = toml::from_str(&block.text).map_err(|error| fault(error.to_string()))?;
        if let Some(dependencies) = table.get("dependencies").and_then(toml::Value::as_table) {
            let mut paths = dependencies.values().filter_map(|value| value.get("path")?.as_str());
            return match paths.find(|path| !self.root.join(path).join("Cargo.toml").is_file()) {
                Some(absent) => Err(fault(format!("there is no package in {absent}"))),
                None => Ok(()),
            };
        }
        let file = PathBuf::from("settings-of-the-document.toml");
        fs::write(directory.join(&file), &block.text).map_err(|error| fault(error.to_string()))?;
        match self.places.taker(&file, directory) {
            Ok(_) => Ok(()),
            Err(said) => Err(fault(format!("no program takes them\n{said}"))),
        }
    }
}

/// Holds the commands of translations against those of what they translate.
fn translations(documents: &BTreeMap<String, String>, tally: &mut Tally) {
    let of = |path: &str| {
        let text = documents.get(path).map_or("", String::as_str);
        let blocks = blocks(text).unwrap_or_default();
        let shells = blocks.iter().filter(|block| block.language == "sh");
        shells.filter_map(|block| commands(&block.text, block.line).ok()).flatten().collect::<Vec<_>>()
    };
    for (translation, original) in TRANSLATIONS {
        if let Some(fault) = first_difference(&of(translation), &of(original)) {
            tally.faults.push(format!("{translation}:{}: {} in {original}", fault.line, fault.what));
        }
    }
}

fn first_difference(translation: &[Command], original: &[Command]) -> Option<Fault> {
    for (ours, theirs) in translation.iter().zip(original) {
        if ours.words != theirs.words {
            return Some(Fault::new(ours.line, format!("`{}` is `{}`", ours.shown(), theirs.shown())));
        }
    }
    let (ours, theirs) = (translation.len(), original.len());
    (ours != theirs).then(|| Fault::new(1, format!("{ours} commands here, and {theirs}")))
}

impl Tally {
    fn sentence(&self) -> String {
        let (ran, checked, settings) = (self.ran, self.checked.values().sum::<usize>(), self.settings);
        let faults = match self.faults.len() {
            0 => "nothing is wrong".to_owned(),
            count => format!("{count} documents are wrong, see above"),
        };
        format!(
            "documents: {ran} commands were run, {checked} checked, {settings} blocks of settings taken; {faults}"
        )
    }

    fn not_run(&self) -> String {
        let reasons = self.checked.iter().map(|(reason, count)| format!("{count}: {reason}"));
        let reasons = reasons.collect::<Vec<_>>().join("; ");
        format!("commands of the documents of which only names and arguments were checked ({reasons})")
    }
}

#[cfg(test)]
mod tests;
