//! What the program is asked for in vain, its help, and outputs that nobody reads.

use super::{Value, json, run, text};

#[path = "../../../command-line/tests/program/mod.rs"]
mod program;

use program::{NO_CANDLES, Program};

const PATH: &str = env!("CARGO_BIN_EXE_data-loader");

/// Options of what reads files.
const READING: &str =
    "kind venue symbol timeframe quote findings accept columns utc-offset date-order known-after name now";

#[test]
fn the_help_of_each_command_names_its_options() {
    let directory = tempfile::tempdir().unwrap();
    Program::new(PATH, directory.path()).helps(&[
        ("", ""),
        ("import", &format!("store on-conflict {READING}")),
        ("generate", "model symbols candles timeframe start seed store on-conflict"),
        ("inspect", &format!("store {READING}")),
        ("resample", "to store on-conflict venue symbol timeframe"),
        ("export", "out store format from to overwrite venue symbol timeframe"),
    ]);
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    run(directory, &["generate", "--symbols", "2", "--candles", "300", "--store", "s", "--timeframe", "1m"]);
    std::fs::create_dir(directory.join("void")).unwrap();
    std::fs::write(directory.join("file"), "dear").unwrap();
    std::fs::write(directory.join("bad.toml"), "store = [\n").unwrap();
    std::fs::create_dir(directory.join("out")).unwrap();
    std::fs::write(directory.join("out/synthetic-linear_ETHUSDT_1m.csv"), "mine").unwrap();
    let program = Program::new(PATH, directory);
    program.refuses_all(
        &[],
        &[
            ("", "Usage"),
            ("fetch", "unrecognized subcommand 'fetch'"),
            ("generate --sed 1", "'--sed'|'--seed'"),
            ("generate --seed one", "one|--seed"),
            ("generate --seed -1", "-1"),
            ("generate --symbols 0", "--symbols 0|1 to 1000"),
            ("generate --symbols 1001", "--symbols 1001"),
            ("generate --candles 99999999999999999999", "--candles"),
            ("generate --candles 9999999999999", "candles"),
            ("generate --start 999999-01-01", "--start|999999-01-01"),
            ("generate --candles 10 --start 292000000-01-01", "292000000"),
            ("generate --timeframe 7m", "--timeframe"),
            ("generate --store file --candles 10", "file/candles|Not a directory"),
            ("generate --store /proc/none --candles 10", "/proc/none|cannot create"),
            ("generate --set generate.shape.candles=many", "generate.shape.candles"),
            ("generate --set generate.market.daily_volatility=-1", "daily_volatility"),
            ("generate --set generate.market.daily_volatility=nan", "daily_volatility"),
            ("generate --set store", "--set|section.key=value"),
            ("generate --config absent.toml", "absent.toml"),
            ("generate --config bad.toml", "bad.toml"),
            ("generate --output-format xml", "xml|json"),
            ("generate -v -q", "--quiet"),
            ("generate --store s --symbols 3 --candles 300 --timeframe 1m --seed 77", "--on-conflict"),
            ("import", "<PATH>"),
            ("import void", "void|no file with a known ending"),
            ("import file --columns", "--columns"),
            ("import file --kind prices", "prices|candles"),
            ("import file --known-after 1y", "--known-after 1y"),
            ("import file --utc-offset +99:00", "+99:00"),
            ("import file --now yesterday", "yesterday"),
            ("inspect --store file", "file|no such directory"),
            ("inspect --store void", "void|it holds nothing"),
            ("generate --start 9999-12-30 --candles 5000", "calendar"),
            ("inspect --store s file", "cannot be used with"),
            ("resample --store s", "--to"),
            ("resample --store void --to 1h", "void|holds no candles"),
            ("resample --store s --to 1m", "1m|multiple"),
            ("resample --store s --to 5m --symbol NONE", "none of its 2 series"),
            ("export --store s", "--out"),
            ("export --store s --out file", "file|cannot create the directory"),
            ("export --store s --out file/deep", "file/deep|cannot create the directory"),
            ("export --store s --out out", "ETHUSDT|the file exists|--overwrite"),
            ("export --store s --out new --from 2030-01-01", "no candle|--from"),
            ("export --store s --out new --from 2024-01-02 --to 2023-01-01", "no candle|--to"),
            ("export --store s --out - --output-format json", "--output-format"),
            ("export --store s --out new --format xlsx", "xlsx|parquet"),
            ("export --store void --out new", "void|holds no candles"),
        ],
    );
    program
        .refuses(&["export", "--store", "s", "--out", "a name", "--symbol", "NO NE"], "none of its 2 series");
    program.refuses_variable("MATRELA__ON_CONFLCT", "refuse", "MATRELA__ON_CONFLCT|on_conflict");
    program.refuses_variable("MATRELA__ON_CONFLICT", "perhaps", "MATRELA__ON_CONFLICT|perhaps");
    program.refuses_variable(
        "MATRELA__GENERATE__SHAPE__CANDLES",
        "many",
        "MATRELA__GENERATE__SHAPE__CANDLES",
    );
    program.refuses_variable("MATRELA__", "x", "MATRELA__");
}

/// Files without candles are findings where they are files of candles, errors where they are none; sound ones go on, and nothing
/// of the others is stored.
#[test]
fn files_without_candles_are_told_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    std::fs::create_dir(directory.join("all")).unwrap();
    for (name, content, part) in NO_CANDLES {
        std::fs::write(directory.join("all").join(name), content).unwrap();
        let path = format!("all/{name}");
        for command in ["import", "inspect"] {
            let (code, document) = json(directory, &[command, &path]);
            let file = &document["files"][0];
            assert!(code == 1 || code == 2, "{document}");
            let wanted = if code == 1 { "refused" } else { "failed" };
            assert_eq!(file["status"], wanted, "{command} {document}");
            let error = file["error"].as_str().unwrap();
            assert!(error.contains(name) && error.contains(part), "{command} {name}: {error}");
            assert!(!error.contains("Os {") && !error.contains("panicked"), "{error}");
        }
    }
    // One candle has no length of its own, but the name says it.
    let sound = "timestamp,open,high,low,close,volume\n1704067200000,1,2,0.5,1,1\n";
    std::fs::write(directory.join("all/bybit-linear_ÄÖUSDT_1m_one.csv"), sound).unwrap();
    std::fs::write(directory.join("all/bybit-linear_ZUSDT_1m_one.csv"), sound).unwrap();
    let (code, document) = json(directory, &["import", "all"]);
    assert_ne!(code, 0, "{document}");
    let imported =
        document["files"].as_array().unwrap().iter().filter(|file| file["status"] == "imported").count();
    let (_, store) = json(directory, &["inspect"]);
    let stored = store["series"].as_array().unwrap();
    assert!(imported >= 1 && stored.len() == imported, "{document} {store}");
    assert!(stored.iter().all(|series| series["rows"] == 1 && series["error"] == Value::Null), "{store}");
}

#[test]
fn readers_that_leave_and_disks_that_are_full_end_it_quietly_or_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    run(directory, &["generate", "--symbols", "2", "--candles", "5000"]);
    let program = Program::new(PATH, directory);
    for words in [
        &["config"][..],
        &["config", "--output-format", "json"],
        &["inspect"],
        &["export", "--out", "-"],
        &["generate", "--symbols", "1", "--candles", "5000"],
    ] {
        program.survives_its_readers(words, 0);
    }
    // Half a market is not stored: the second symbol has other candles than before.
    run(directory, &["generate", "--symbols", "2", "--candles", "50", "--store", "t", "--seed", "5"]);
    let btc = directory.join("t/candles/synthetic-linear/BTC_USDT_USDT");
    std::fs::remove_dir_all(&btc).unwrap();
    program
        .refuses_all(&[], &[("generate --symbols 2 --candles 50 --store t --seed 6", "ETH|--on-conflict")]);
    assert!(!btc.exists());
    let said = text(&run(directory, &["inspect", "--store", "t"]).stdout);
    assert!(said.contains("whole") && !said.contains("BTC"), "{said}");
}
