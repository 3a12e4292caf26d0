//! A writer that is killed leaves the old state or the new one, and the next one carries on.
//!
//! The test starts itself as a second process (`writer`), which aborts without any cleaning up at the
//! n-th step of its commits. Abort is what a kill is: no destructor runs, no buffer is flushed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use market_data::store::{OnConflict, Store};
use market_data::synthetic::{MarketShape, SyntheticModel};
use market_data::{CandleSeries, Timestamp};

const STORE: &str = "MATRELA_TEST_KILLED_STORE";
const ABORT_AT: &str = "MATRELA_TEST_KILLED_STEP";

/// Three months of hourly candles, so that a commit has several partitions.
fn market() -> CandleSeries {
    let mut shape = MarketShape {
        candles: 24 * 80,
        timeframe: market_data::Timeframe::H1,
        seed: 7,
        ..MarketShape::default()
    };
    shape.symbols.truncate(1);
    SyntheticModel::default().generate(&shape).unwrap().series.remove(0)
}

fn split_at() -> Timestamp {
    "2024-02-10".parse().unwrap()
}

/// The second process. Without its environment it is no test and has nothing to do.
#[test]
fn writer() {
    let (Some(store), Ok(step)) = (std::env::var_os(STORE), std::env::var(ABORT_AT)) else { return };
    let abort_at: usize = step.parse().unwrap();
    let steps = AtomicUsize::new(0);
    let store = Store::new(store).with_observer(move |_| {
        if steps.fetch_add(1, Ordering::SeqCst) == abort_at {
            std::process::abort();
        }
    });
    store.append(&market(), OnConflict::Refuse).unwrap();
}

#[test]
fn a_kill_at_any_step_leaves_the_old_or_the_new() {
    let whole = market();
    let old = whole.between(Timestamp::MIN, split_at());
    let (mut killed, mut left_old, mut left_new) = (0, 0, 0);
    for step in 0.. {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path());
        store.append(&old, OnConflict::Refuse).unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--test-threads=1"])
            .env(STORE, directory.path())
            .env(ABORT_AT, step.to_string())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        let found = store.read(whole.key()).unwrap();
        if status.success() {
            // The writer made fewer steps than this: every step has been a place of death.
            assert_eq!(found, whole);
            break;
        }
        killed += 1;
        assert!(found == old || found == whole, "after step {step} the store holds {} candles", found.len());
        left_old += usize::from(found == old);
        left_new += usize::from(found == whole);
        // Whoever comes next finds nothing in the way, and cleans up.
        store.append(&whole, OnConflict::Refuse).unwrap();
        assert_eq!(store.read(whole.key()).unwrap(), whole);
        let manifest = store.manifest(whole.key()).unwrap().unwrap();
        let files = walk(directory.path()).filter(|name| name.ends_with(".parquet")).count();
        assert_eq!(files, manifest.partitions.len(), "left-over files after step {step}");
        assert_eq!(walk(directory.path()).filter(|name| name.starts_with(".unfinished")).count(), 0);
    }
    // February is rewritten and March is new: both data files, the manifest before and after, the old
    // February removed.
    assert!(killed >= 5 && left_old >= 3 && left_new >= 1, "{killed} {left_old} {left_new}");
}

fn walk(root: &std::path::Path) -> impl Iterator<Item = String> {
    let mut names = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else {
                names.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    names.into_iter()
}
