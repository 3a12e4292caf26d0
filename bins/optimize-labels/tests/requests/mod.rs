//! What the program is asked for in vain, its help, and outputs that nobody reads.

use super::{Timeframe, file, json, market};

#[path = "../../../command-line/tests/program/mod.rs"]
mod program;

use program::{NO_CANDLES, Program};

const PATH: &str = env!("CARGO_BIN_EXE_optimize-labels");

#[test]
fn the_help_names_its_options() {
    let directory = tempfile::tempdir().unwrap();
    let options = "data target horizon labeler max-symbols timeframe series objective symmetry tolerance out figure findings accept";
    Program::new(PATH, directory.path()).helps(&[("", options)]);
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let series = market("gbm", 1_000, Timeframe::M5);
    let path = file(directory, &series[0]);
    std::fs::rename(path, directory.join("btc.csv")).unwrap();
    std::fs::create_dir_all(directory.join("void/candles")).unwrap();
    std::fs::write(directory.join("file"), "dear").unwrap();
    let program = Program::new(PATH, directory);
    program.refuses_all(
        &["--data", "btc.csv"],
        &[
            ("--targets 0.3,0.4,0.3", "'--targets'|'--target'"),
            ("--target 0.3,0.4,x", "--target|x"),
            ("--target 0.5,-0.5,1", "--target"),
            ("--target nan,nan,nan", "--target"),
            ("--target 1,1,1", "--target|3"),
            ("--horizon -3", "-3"),
            ("--tolerance nan", "tolerance"),
            ("--set tolerance=-0.1", "tolerance"),
            ("--set horizon=many", "horizon|many"),
            ("--set splt.share=0.1", "splt|split"),
            ("--set split.share=nan", "share"),
            ("--set trend_scanning.minimum_window=500", "minimum_window"),
            ("--max-symbols many", "many"),
            ("--out file/deep.json", "file|cannot"),
            ("--out void", "void: it is no file|--out"),
            ("--out /dev/null", "/dev/null: it is no file|--out"),
            ("--out /proc/none/r.json", "/proc/none|cannot create the directory"),
            ("--out file", "file|--out"),
            ("--figure picture", ".svg or .html"),
            ("--figure file/deep.svg", "file|cannot"),
            ("--findings repair", "repair|keep-first"),
            ("--accept all", "all|known-prices"),
            ("--config file", "file"),
        ],
    );
    program.refuses_all(
        &[],
        &[
            ("", "Usage"),
            ("--data", "--data"),
            ("--data void", "no candles"),
            ("--data void --out new/deep.json", "no candles"),
            ("--data none*.csv", "none*.csv|no file has such a name"),
            ("--data btc.csv btc.csv", "two of the sources hold this series"),
            ("sweep", "sweep"),
        ],
    );
    // Whatever was found before is told, and then what cannot be.
    for horizon in ["999", "4294967295"] {
        program.ends(&["--data", "btc.csv", "--horizon", horizon, "--out", "far.json"], 2, "horizon");
    }
    for (name, content, part) in NO_CANDLES {
        std::fs::write(directory.join(name), content).unwrap();
        program.refuses(&["--data", name, "--out", "new/deep.json"], &format!("{name}|{part}"));
    }
    program.refuses_variable("MATRELA__HORIZN", "5", "MATRELA__HORIZN|horizon");
    program.refuses_variable("MATRELA__SPLIT__SHARE", "much", "MATRELA__SPLIT__SHARE|much");
}

#[test]
fn readers_that_leave_and_disks_that_are_full_end_it_quietly_or_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let path = file(directory, &market("gbm", 1_000, Timeframe::M5)[0]);
    let data = path.file_name().unwrap().to_str().unwrap();
    let program = Program::new(PATH, directory);
    let work = ["--data", data, "--labeler", "horizon"];
    assert_eq!(json(directory, &work).0, 0);
    program.survives_its_readers(&work, 0);
    program.survives_its_readers(&[&work[..], &["--output-format", "json"]].concat(), 0);
    program.survives_its_readers(&["config"], 0);
}
