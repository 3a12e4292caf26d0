//! What the program is asked for in vain, its help, and outputs that nobody reads.

use super::{json, run, store, text};

#[path = "../../../command-line/tests/program/mod.rs"]
mod program;

use program::{NO_CANDLES, Program};

const PATH: &str = env!("CARGO_BIN_EXE_feature-builder");

#[test]
fn the_help_of_each_command_names_its_options() {
    let directory = tempfile::tempdir().unwrap();
    Program::new(PATH, directory.path()).helps(&[
        ("", ""),
        ("build", "data symbol timeframe series spec out overwrite"),
        ("audit", "data symbol timeframe series spec last all plant-leak"),
        ("columns", "timeframe"),
        ("reference", ""),
    ]);
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    store(directory, 1_000);
    std::fs::create_dir_all(directory.join("void/candles")).unwrap();
    std::fs::write(directory.join("file"), "dear").unwrap();
    std::fs::write(directory.join("torn.toml"), "[trend\n").unwrap();
    std::fs::write(directory.join("text.toml"), "[trend]\nema = \"five\"\n").unwrap();
    // Of two files one is in the way.
    std::fs::create_dir(directory.join("mine")).unwrap();
    std::fs::write(directory.join("mine/synthetic-linear_ETHUSDT_5m.parquet"), "mine").unwrap();
    let program = Program::new(PATH, directory);
    program.refuses_all(
        &[],
        &[
            ("", "Usage"),
            ("make", "unrecognized subcommand 'make'"),
            ("build --datas datasets/store", "'--datas'|'--data'"),
            ("build --overwrite", "--out <DIR>"),
            ("build --data absent", "absent"),
            ("build --data absent*.csv", "absent*.csv|no file has such a name"),
            ("build --data void", "void|no sound candle series"),
            ("build --data datasets/store datasets/store", "two of the sources hold this series"),
            ("build --timeframe 1h", "--timeframe"),
            ("build --timeframe 7m", "7m"),
            ("build --spec absent.toml", "absent.toml: cannot read"),
            ("build --spec torn.toml", "torn.toml"),
            ("build --spec text.toml", "text.toml|ema"),
            ("build --spec void", "void: cannot read"),
            ("build --out file", "file|cannot create the directory"),
            ("build --out file/deep", "file/deep|cannot create the directory"),
            ("build --out mine", "ETHUSDT|the file exists|--overwrite"),
            ("build --set features.trend.ema=[-1]", "features.trend.ema"),
            ("build --set features.trend.ema=[999999999]", "trend.ema"),
            ("build --set features.cross_asset.enabled=perhaps", "features.cross_asset.enabled|perhaps"),
            ("build --set audit.cuts=many", "audit.cuts|many"),
            ("build --config absent.toml", "absent.toml"),
            ("audit --last 0", "--last 0"),
            ("audit --last -5", "-5"),
            ("columns --timeframe 7m", "7m"),
            ("columns --set features.trend.ema=[0]", "trend.ema"),
        ],
    );
    program.refuses(&["build", "--series", "synthetic-linear BTC/USDT 5m"], "synthetic-linear BTC/USDT 5m");
    program.refuses_variable("MATRELA__FEATURES__TREND__EMMA", "[5]", "MATRELA__FEATURES__TREND__EMMA|ema");
    program.refuses_variable("MATRELA__AUDT__CUTS", "5", "MATRELA__AUDT__CUTS|audit");
}

#[test]
fn files_without_candles_are_findings_beside_others() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    store(directory, 1_000);
    let program = Program::new(PATH, directory);
    for (name, content, part) in NO_CANDLES {
        std::fs::write(directory.join(name), content).unwrap();
        program.refuses(&["build", "--data", name, "--out", "new"], &format!("{name}|{part}"));
        std::fs::remove_file(directory.join(name)).unwrap();
    }
    std::fs::write(directory.join(NO_CANDLES[5].0), NO_CANDLES[5].1).unwrap();
    let small = ["--data", "datasets/store", NO_CANDLES[5].0, "--spec", "short.toml"];
    std::fs::write(directory.join("short.toml"), "[higher_timeframe]\nenabled = false\n").unwrap();
    let (code, document) = json(directory, &[&["build"], &small[..]].concat());
    assert_eq!((code, document["refused"].as_array().unwrap().len()), (1, 1), "{document}");
}

#[test]
fn a_damaged_store_is_refused_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    store(directory, 1_000);
    let program = Program::new(PATH, directory);
    let series = directory.join("datasets/store/candles/synthetic-linear/BTC_USDT_USDT/5m");
    for entry in std::fs::read_dir(series).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        // The lock of writers holds nothing.
        if bytes.is_empty() {
            continue;
        }
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        let name = path.file_name().unwrap().to_str().unwrap();
        for damaged in [&flipped[..], &bytes[..bytes.len() / 2], &[]] {
            std::fs::write(&path, damaged).unwrap();
            program.refuses(&["build", "--out", "new"], name);
        }
        std::fs::write(&path, bytes).unwrap();
    }
}

#[test]
fn readers_that_leave_and_disks_that_are_full_end_it_quietly_or_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    store(directory, 2_500);
    let program = Program::new(PATH, directory);
    program.survives_its_readers(&["reference"], 0);
    program.survives_its_readers(&["columns"], 0);
    program.survives_its_readers(&["columns", "--output-format", "json"], 0);
    let build = ["build", "--set", "features.higher_timeframe.enabled=false"];
    program.survives_its_readers(&build, 0);
    // What a person reads and what a program reads are of the same columns.
    let (_, columns) = json(directory, &["columns"]);
    let shown = text(&run(directory, &["columns"]).stdout);
    assert!(columns.as_array().unwrap().iter().all(|one| shown.contains(one["name"].as_str().unwrap())));
}
