//! What the program is asked for in vain, its help, and outputs that nobody reads.

use super::{LABELER, json, prepared};

#[path = "../../../command-line/tests/program/mod.rs"]
mod program;

use program::{NO_CANDLES, Program};

const PATH: &str = env!("CARGO_BIN_EXE_label-candles");

#[test]
fn the_help_names_its_options() {
    let directory = tempfile::tempdir().unwrap();
    let options = "data labeler out max-symbols timeframe series findings accept";
    Program::new(PATH, directory.path()).helps(&[("", options)]);
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    prepared(directory);
    std::fs::create_dir_all(directory.join("void/candles")).unwrap();
    for (name, content) in [
        ("file", "dear".to_owned()),
        ("empty.toml", String::new()),
        ("torn.toml", "labeler = \"triple".to_owned()),
        ("other.toml", LABELER.replace("triple-barrier", "oracle")),
        ("negative.toml", LABELER.replace("take_profit = 2.0", "take_profit = -2.0")),
        ("nan.toml", LABELER.replace("take_profit = 2.0", "take_profit = nan")),
        ("huge.toml", LABELER.replace("time_limit = 12", "time_limit = 4294967296")),
    ] {
        std::fs::write(directory.join(name), content).unwrap();
    }
    let program = Program::new(PATH, directory);
    program.refuses_all(
        &["--data", "store", "--out", "new", "--labeler", "labeler.toml"],
        &[
            ("--labelers x", "'--labelers'|'--labeler'"),
            ("--labeler void", "void"),
            ("--labeler empty.toml", "empty.toml|labeler"),
            ("--labeler torn.toml", "torn.toml"),
            ("--labeler other.toml", "other.toml|oracle"),
            ("--labeler negative.toml", "negative.toml|take_profit"),
            ("--labeler nan.toml", "nan.toml|take_profit"),
            ("--labeler huge.toml", "huge.toml|4294967296"),
            ("--out file", "file: cannot list|--out"),
            ("--out file/deep", "file/deep: cannot list|--out"),
            ("--out /proc/none", "/proc/none: cannot create the directory"),
            ("--max-symbols 0", "--max-symbols|0"),
            ("--timeframe 1d", "no candles"),
            ("--findings repair", "repair|keep-first"),
            ("--set split.share=1.5", "share"),
            ("--set split.split=thirds", "thirds"),
            ("--config absent.toml", "absent.toml"),
        ],
    );
    program.refuses_all(
        &[],
        &[
            ("", "Usage"),
            ("--data void --labeler labeler.toml --out new", "no candles"),
            ("--data none*.csv --labeler labeler.toml --out new", "none*.csv|no file has such a name"),
            ("--data store store --labeler labeler.toml --out new", "two of the sources hold this series"),
            ("--data store --labeler labeler.toml --out a --out b", "--out|multiple times"),
        ],
    );
    for (name, content, part) in NO_CANDLES {
        std::fs::write(directory.join(name), content).unwrap();
        let words = ["--data", name, "--labeler", "labeler.toml", "--out", "new"];
        program.refuses(&words, &format!("{name}|{part}"));
    }
    program.refuses_variable("MATRELA__LABELR", "x", "MATRELA__LABELR|labeler");
    program.refuses_variable("MATRELA__SPLIT__SHARE", "much", "MATRELA__SPLIT__SHARE|much");
}

#[test]
fn a_refused_file_is_a_finding_beside_others() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    prepared(directory);
    let (name, content, _) = NO_CANDLES[5];
    std::fs::write(directory.join(name), content).unwrap();
    let words = ["--data", "store", name, "--labeler", "labeler.toml", "--out", "new"];
    let (code, document) = json(directory, &words);
    assert_eq!((code, document["refused"].as_array().unwrap().len()), (1, 1), "{document}");
}

#[test]
fn readers_that_leave_and_disks_that_are_full_end_it_quietly_or_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    prepared(directory);
    let program = Program::new(PATH, directory);
    let work = ["--data", "store", "--labeler", "labeler.toml", "--out", "new"];
    program.survives_its_readers(&work, 0);
    program.survives_its_readers(&[&work[..], &["--output-format", "json"]].concat(), 0);
    program.survives_its_readers(&["config"], 0);
}
