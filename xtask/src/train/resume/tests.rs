use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::train::record::tests::example;
use crate::verdict::Verdict;

/// A stage that reads `source`, may fail, and writes what it read in capitals; the root keeps a log of what ran.
fn work(run: &mut Run, name: &str, source: &Path, target: &str) -> Result<Verdict> {
    let root = run.workspace.root.clone();
    let directory = root.join(run.directory()?);
    let log = root.join("log");
    let going_on = if run.goes_on { "+" } else { "" };
    let known = fs::read_to_string(&log).unwrap_or_default();
    fs::write(&log, format!("{known}{name}{going_on} "))?;
    assert_eq!(directory.join("part").exists() && name == "second", run.goes_on && name == "second");
    if name == "second" {
        fs::write(directory.join("part"), "half")?;
    }
    if root.join(format!("{name} errs")).exists() {
        return Ok(Verdict::Error);
    }
    anyhow::ensure!(!root.join(format!("{name} fails")).exists(), "{name} was told to fail");
    let text = fs::read_to_string(source)?;
    fs::write(directory.join(target), text.to_uppercase())?;
    run.walk_forward[name] = json!(text);
    Ok(Verdict::Finding)
}

fn restore(run: &mut Run, name: &str, result: Value) -> Result<()> {
    run.walk_forward[name] = result;
    Ok(())
}

fn in_run(run: &Run, name: &str) -> Vec<PathBuf> {
    run.directory.iter().map(|directory| directory.join(name)).collect()
}

fn absolute(run: &mut Run, name: &str) -> Result<PathBuf> {
    let directory = run.directory()?;
    Ok(run.workspace.root.join(directory).join(name))
}

const FIRST: Stage = Stage {
    name: "first",
    run: |run| {
        let source = run.workspace.root.join("input");
        work(run, "first", &source, "one")
    },
    kept: Some(Kept {
        reads: |run| Reads {
            programs: &["p"],
            words: run.arguments.set.clone(),
            files: vec!["input".into()],
        },
        writes: &["one"],
        goes_on: true,
        save: |run| run.walk_forward["first"].clone(),
        restore: |run, result| restore(run, "first", result),
    }),
};

const SECOND: Stage = Stage {
    name: "second",
    run: |run| {
        let source = absolute(run, "one")?;
        work(run, "second", &source, "two")
    },
    kept: Some(Kept {
        reads: |run| Reads { files: in_run(run, "one"), ..Reads::default() },
        writes: &["two", "part"],
        goes_on: true,
        save: |run| run.walk_forward["second"].clone(),
        restore: |run, result| restore(run, "second", result),
    }),
};

const THIRD: Stage = Stage {
    name: "third",
    run: |run| {
        let source = absolute(run, "two")?;
        work(run, "third", &source, "three")
    },
    kept: Some(Kept {
        reads: |run| Reads { files: in_run(run, "two"), ..Reads::default() },
        writes: &["three"],
        goes_on: false,
        save: |run| run.walk_forward["third"].clone(),
        restore: |run, result| restore(run, "third", result),
    }),
};

/// A process: it runs the three stages, and says which it skipped and what is known in the end.
fn process(
    root: &Path,
    resume: Option<&str>,
    change: impl FnOnce(&mut Run),
) -> Result<(Vec<&'static str>, Value)> {
    let mut run = example(root);
    run.arguments.resume = resume.map(str::to_owned);
    let version = Version { bytes: "b".into(), settings: "s".into(), values: BTreeMap::new() };
    run.versions.insert("p", version);
    change(&mut run);
    run.take_up()?;
    for stage in [FIRST, SECOND, THIRD] {
        let finished = run.step(&stage)?;
        assert!(matches!(finished.verdict, Verdict::Finding | Verdict::Error));
        run.stages.push(finished);
    }
    let skipped = run.stages.iter().filter(|stage| stage.skipped).map(|stage| stage.name).collect();
    Ok((skipped, run.walk_forward))
}

fn same(_: &mut Run) {}

fn log(root: &Path) -> String {
    let path = root.join("log");
    let text = fs::read_to_string(&path).unwrap_or_default();
    _ = fs::remove_file(path);
    text
}

fn only_run(root: &Path) -> PathBuf {
    let runs: Vec<_> = fs::read_dir(root.join(RUNS)).unwrap().map(|run| run.unwrap().path()).collect();
    assert_eq!(runs.len(), 1);
    runs[0].clone()
}

#[test]
fn a_failed_run_is_taken_up_and_ends_as_if_it_had_not_failed() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::write(root.join("input"), "a").unwrap();
    fs::write(root.join("second fails"), "").unwrap();
    assert!(process(root, None, same).unwrap_err().to_string().contains("told to fail"));
    assert_eq!(log(root), "first second ");
    fs::remove_file(root.join("second fails")).unwrap();
    let (skipped, known) = process(root, Some(NEWEST), same).unwrap();
    // The second goes on from what it left, which a stage that begins anew must not find.
    assert_eq!((log(root).as_str(), skipped), ("second+ third ", vec!["first"]));
    assert_eq!(known, json!({ "first": "a", "second": "A", "third": "A" }));
    let directory = only_run(root);
    assert_eq!(fs::read_to_string(directory.join("three")).unwrap(), "A");
    let name = directory.file_name().unwrap().to_str().unwrap().to_owned();
    let (skipped, again) = process(root, Some(&name), same).unwrap();
    assert_eq!((log(root).as_str(), skipped.len(), again), ("", 3, known));
    let document = ledger::read(&directory).unwrap().unwrap();
    assert_eq!(document.resumed.len(), 2);
    assert!(!fs::read_to_string(directory.join(ledger::FILE)).unwrap().contains("hunter2"));
}

#[test]
fn an_error_that_does_not_end_the_run_is_no_result() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::write(root.join("input"), "a").unwrap();
    fs::write(root.join("third errs"), "").unwrap();
    process(root, None, same).unwrap();
    fs::remove_file(root.join("third errs")).unwrap();
    log(root);
    process(root, Some(NEWEST), same).unwrap();
    // Its program cannot go on, so it begins anew, and what it left is gone.
    assert_eq!(log(root), "third ");
}

#[test]
fn what_differs_runs_again_and_only_what_depends_on_it() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::write(root.join("input"), "a").unwrap();
    process(root, None, same).unwrap();
    let directory = only_run(root);
    let again = |change: fn(&mut Run)| {
        log(root);
        process(root, Some(NEWEST), change).unwrap();
        log(root)
    };
    assert_eq!(again(same), "");
    fs::write(root.join("input"), "b").unwrap();
    assert_eq!(again(same), "first second third ");
    // Other bytes that lead to the same result: the next stage reads the same.
    fs::write(root.join("input"), "B").unwrap();
    assert_eq!(again(same), "first ");
    // What was written is damaged, or gone.
    fs::write(directory.join("two"), "x").unwrap();
    assert_eq!(again(same), "second ");
    fs::remove_file(directory.join("three")).unwrap();
    assert_eq!(again(same), "third ");
    fs::write(directory.join("stages/first.json"), "7").unwrap();
    assert_eq!(again(same), "first ");
    // A program, its settings, the candles.
    for change in [(|run| run.versions.get_mut("p").unwrap().bytes = "other".into()) as fn(&mut Run), |run| {
        run.versions.get_mut("p").unwrap().settings = "other".into();
    }] {
        assert_eq!(again(change), "first ");
        assert_eq!(again(same), "first ");
    }
    assert_eq!(again(|run| run.candles = Some("other".into())), "first second third ");
    // Of candles without a hash nobody knows whether they are the same.
    assert_eq!(again(|run| run.candles = None), "first second third ");
    assert_eq!(again(|run| run.candles = None), "first second third ");
}

#[test]
fn a_stage_says_why_it_is_not_skipped() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::write(root.join("input"), "a").unwrap();
    process(root, None, same).unwrap();
    let directory = only_run(root);
    let ledger = Ledger::open(&directory).unwrap();
    let mut run = example(root);
    run.directory = Some(Path::new(RUNS).join(directory.file_name().unwrap()));
    let version = Version { bytes: "b".into(), settings: "s".into(), values: BTreeMap::new() };
    run.versions.insert("p", version);
    let reads = |stage: &Stage, run: &Run| run.inputs(&(stage.kept.as_ref().unwrap().reads)(run)).unwrap();
    let mut inputs = reads(&FIRST, &run);
    assert!(matches!(ledger.decide("first", &inputs).unwrap(), Decision::Skip { .. }));
    inputs.insert("candles".into(), "other".into());
    inputs.insert("settings of p".into(), "other".into());
    let Decision::Run(Some(why)) = ledger.decide("first", &inputs).unwrap() else { panic!("skipped") };
    assert_eq!(why, "other than before: candles, settings of p");
    fs::remove_file(directory.join("two")).unwrap();
    let Decision::Run(Some(why)) = ledger.decide("second", &reads(&SECOND, &run)).unwrap() else {
        panic!("skipped")
    };
    assert_eq!(why, "what it wrote is missing: two");
    assert_eq!(ledger.decide("unknown", &Inputs::new()).unwrap(), Decision::Run(None));
    // While somebody holds the run, nobody else gets it.
    assert!(Ledger::open(&directory).unwrap_err().to_string().contains("still going on"));
    let held = ledger.input().unwrap();
    drop(ledger);
    assert!(Ledger::open(&directory).is_err());
    drop(held);
    Ledger::open(&directory).unwrap();
}

#[test]
fn only_a_run_of_the_same_arguments_is_taken_up() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    fs::write(root.join("input"), "a").unwrap();
    let error =
        |resume: &str, change: fn(&mut Run)| process(root, Some(resume), change).unwrap_err().to_string();
    assert!(error(NEWEST, same).contains("no run of these arguments"));
    process(root, None, same).unwrap();
    let name = only_run(root).file_name().unwrap().to_str().unwrap().to_owned();
    assert!(error(NEWEST, |run| run.identity = "other".into()).contains("no run of these arguments"));
    assert!(error(&name, |run| run.identity = "other".into()).contains("begun with other arguments"));
    assert!(error("2024", same).contains("no such run"));
    assert!(error("../../..", same).contains("no such run"));
    // A newer run of other arguments does not stand in the way, and a newer one of the same is taken.
    let (older, newer) = (only_run(root), root.join(RUNS).join("20990101T000000Z-0"));
    fs::create_dir_all(&newer).unwrap();
    process(root, Some(NEWEST), same).unwrap();
    assert_eq!(ledger::read(&older).unwrap().unwrap().resumed.len(), 1);
    fs::copy(older.join(ledger::FILE), newer.join(ledger::FILE)).unwrap();
    assert_eq!(newest(&root.join(RUNS), "i").unwrap(), "20990101T000000Z-0");
}

#[test]
fn the_identity_is_that_of_arguments_and_store_and_not_of_the_place_or_of_resume() {
    let root = tempfile::tempdir().unwrap();
    let of = |change: fn(&mut Run)| {
        let mut run = example(root.path());
        change(&mut run);
        identity(&run.workspace, &run.arguments, &run.store)
    };
    assert_eq!(of(same), of(|run| run.arguments.resume = Some(NEWEST.into())));
    for change in [
        (|run| run.arguments.seed = 7) as fn(&mut Run),
        |run| run.arguments.set.clear(),
        |run| run.store = "other".into(),
        |run| run.arguments.data = vec!["b.csv".into()],
        |run| run.arguments.no_walk_forward = true,
    ] {
        assert_ne!(of(same), of(change));
    }
}
