//! What the program is asked for in vain, its help, and outputs that nobody reads.

use super::{Path, prepared};

#[path = "../../../command-line/tests/program/mod.rs"]
mod program;

use program::{NO_CANDLES, Program};

const PATH: &str = env!("CARGO_BIN_EXE_simulate");

/// A directory of its own with the model and the candles, which other tests use at the same time.
fn own() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["bundle", "candles"] {
        copy(&prepared().join(name), &directory.path().join(name));
    }
    directory
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn the_help_of_each_command_names_its_options() {
    let directory = tempfile::tempdir().unwrap();
    let options = "data strategy bundle policy explanation walk-forward purged-paths candle-paths detail from to monte-carlo out trials timeframe series findings accept";
    Program::new(PATH, directory.path()).helps(&[("", options), ("compare", "")]);
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let directory = own();
    let directory = directory.path();
    std::fs::create_dir_all(directory.join("void/candles")).unwrap();
    std::fs::create_dir_all(directory.join("wrong")).unwrap();
    std::fs::write(directory.join("wrong/summary.json"), "{}").unwrap();
    std::fs::create_dir_all(directory.join("torn")).unwrap();
    std::fs::write(directory.join("torn/summary.json"), "{\"command\": \"simu").unwrap();
    std::fs::write(directory.join("file"), "dear").unwrap();
    let program = Program::new(PATH, directory);
    program.refuses_all(
        &["--data", "candles", "--accept", "random-walk", "--monte-carlo", "0"],
        &[
            ("--strategies classic", "'--strategies'|'--strategy'"),
            ("--strategy policy --bundle bundle", "--policy|train-rl"),
            ("--strategy model", "--bundle"),
            ("--strategy hybrid --bundle absent", "absent"),
            ("--strategy hybrid --policy bundle", "policy.json|train-rl"),
            ("--strategy hybrid --policy absent", "absent"),
            ("--policy bundle --bundle bundle", "--bundle"),
            ("--walk-forward", "--walk-forward|--bundle"),
            ("--walk-forward --bundle bundle --from 2024-01-02", "--from"),
            ("--purged-paths --bundle bundle", "--purged-paths|hybrid"),
            ("--explanation void", "--explanation|--bundle"),
            ("--candle-paths 0", "candle_monte_carlo.paths = 0"),
            ("--candle-paths 999999999", "candle_monte_carlo.paths"),
            ("--candle-paths -1", "-1"),
            ("--monte-carlo 1000000000", "monte_carlo.paths"),
            ("--trials many", "many"),
            ("--from 2024-01-05 --to 2024-01-04", "no candle|--from|--to"),
            ("--to 999999-01-01", "999999-01-01"),
            ("--out file", "file|cannot write"),
            ("--out /proc/none", "/proc/none|cannot write"),
            ("--detail absent", "absent"),
            ("--set backtest.cash=0", "cash = 0"),
            ("--set backtest.cash=nan", "cash"),
            ("--set backtest.cash=1e400", "cash"),
            ("--set costs.perpetual_taker_fee=-1", "fee"),
            ("--set costs.perpetual_taker_fee=2", "fee"),
            ("--set backtest.venue.latency_ms=-1", "latency_ms"),
            (
                "--set walk_forward.train_days=0 --walk-forward --bundle bundle --strategy hybrid",
                "train_days",
            ),
            (
                "--set walk_forward.train_days=4000 --walk-forward --bundle bundle --strategy hybrid",
                "section `walk_forward`|4000 days",
            ),
            ("--set gate.minimum_trades=many", "gate.minimum_trades"),
            ("--set regime.days=0", "regime"),
            ("--config absent.toml", "absent.toml"),
        ],
    );
    program.refuses_all(
        &[],
        &[
            ("--data", "--data"),
            ("--data void", "no candles"),
            ("--data none*.csv", "none*.csv|no file has such a name"),
            ("--data candles candles --accept random-walk", "two of the sources hold this series"),
            ("compare wrong", "wrong/summary.json|not a summary"),
            ("compare torn", "torn/summary.json|not a summary"),
            ("compare file", "file/summary.json|cannot read"),
            ("replay", "replay"),
        ],
    );
    for (name, content, part) in NO_CANDLES {
        std::fs::write(directory.join(name), content).unwrap();
        program.refuses(&["--data", name], &format!("{name}|{part}"));
    }
    program.refuses_variable("MATRELA__BACKTEST__CSH", "3", "MATRELA__BACKTEST__CSH|cash");
    program.refuses_variable("MATRELA__COSTS__LEVERAGE", "much", "MATRELA__COSTS__LEVERAGE|much");
}

#[test]
fn of_a_bundle_nothing_may_be_missing_or_changed() {
    let directory = own();
    let directory = directory.path();
    let program = Program::new(PATH, directory);
    let work = ["--data", "candles", "--accept", "random-walk", "--strategy", "hybrid", "--bundle", "bundle"];
    for entry in std::fs::read_dir(directory.join("bundle")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        program.refuses(&work, name);
        std::fs::remove_file(&path).unwrap();
        program.refuses(&work, name);
        std::fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn readers_that_leave_and_disks_that_are_full_end_it_quietly_or_in_words() {
    let directory = own();
    let program = Program::new(PATH, directory.path());
    let work =
        ["--data", "candles", "--accept", "random-walk", "--monte-carlo", "0", "--strategy", "buy-and-hold"];
    // No strategy passes the gate on twelve days: a finding.
    program.survives_its_readers(&work, 1);
    let out = directory.path().join("artifacts/backtests");
    let reports = [work.as_slice(), &["--out", "kept", "--output-format", "json"]].concat();
    program.survives_its_readers(&reports, 1);
    assert!(directory.path().join("kept/summary.json").is_file(), "{}", out.display());
    program.survives_its_readers(&["compare", "kept"], 0);
    program.survives_its_readers(&["compare", "kept", "--output-format", "json"], 0);
    program.survives_its_readers(&["config"], 0);
}
