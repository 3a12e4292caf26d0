//! What the program is asked for in vain, its help, and outputs that nobody reads.

use super::{DATA, names, prepared, run, text, train};

#[path = "../../../command-line/tests/program/mod.rs"]
mod program;

use program::{NO_CANDLES, Program};

const PATH: &str = env!("CARGO_BIN_EXE_train-supervised");
const BUNDLE: &str = "artifacts/models/model/bundle";

#[test]
fn the_help_of_each_command_names_its_options() {
    let directory = tempfile::tempdir().unwrap();
    let input = "data timeframe series findings accept";
    let training = format!("{input} labeler spec name seeds baselines trials out resume overwrite commit");
    Program::new(PATH, directory.path()).helps(&[
        ("", &training),
        ("compare", "data series findings accept"),
        ("evaluate", &format!("{input} bundle from to optimum predictions seen without-baselines")),
        ("ablate", &format!("{training} techniques")),
        ("tune", &format!("{input} labeler spec trials study out process reclaim")),
        (
            "explain",
            &format!(
                "{input} bundle model out overwrite from to seen windows steps background seed earlier-background permutation"
            ),
        ),
    ]);
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let directory = prepared();
    let directory = directory.path();
    std::fs::create_dir_all(directory.join("void/candles")).unwrap();
    std::fs::write(directory.join("file"), "dear").unwrap();
    std::fs::write(directory.join("empty.toml"), "").unwrap();
    let program = Program::new(PATH, directory);
    program.refuses_all(
        &DATA,
        &[
            ("--epochs 3", "'--epochs'"),
            ("--seeds 101", "--seeds|100"),
            ("--seeds one", "one"),
            ("--name .hidden", "--name .hidden"),
            ("--name a/b", "--name a/b"),
            ("--name größe", "--name größe"),
            ("--out file", "file|cannot"),
            ("--out /proc/none", "/proc/none|cannot"),
            ("--baselines=oracle", "oracle|majority"),
            ("--labeler empty.toml", "empty.toml"),
            ("--labeler void", "void"),
            ("--spec empty.toml", "empty.toml|the file is empty"),
            ("--config absent.toml", "absent.toml"),
            ("--trials -1", "-1"),
            ("--set supervised.epochs=0", "epochs"),
            ("--set supervised.epochs=-1", "supervised.epochs"),
            ("--set supervised.epochs=many", "supervised.epochs|many"),
            ("--set supervised.sequence_length=0", "sequence_length"),
            ("--set supervised.network.width=0", "width"),
            ("--set supervised.network.dropout.output=1.5", "dropout"),
            ("--set supervised.learning_rate.base=nan", "learning_rate"),
            ("--set supervised.learning_rate.base=-1", "learning_rate"),
            ("--set supervised.loss.smoothing=1.5", "smoothing"),
            ("--set split.share=1.5", "share"),
            ("--set validation_days=0", "validation_days"),
            ("--set labels.horizon=0", "horizon"),
            ("--set labels.horizon=5000", "horizon"),
            ("--set labels.target=[0.9,0.9,0.9]", "target"),
        ],
    );
    program.refuses_all(
        &[],
        &[
            ("", "Usage"),
            ("learn", "learn"),
            ("--data void", "no candles"),
            ("--data none*.csv", "none*.csv|no file has such a name"),
            ("--data store store", "two of the sources hold this series"),
            ("evaluate --bundle absent --data store", "absent|no `bundle.json`"),
            ("evaluate --bundle file --data store", "file"),
            ("compare", "<DIR>"),
            ("compare absent", "absent"),
            ("compare void", "void"),
            ("compare absent --series x", "--data"),
            ("explain --bundle absent --data store --out new", "absent|no `bundle.json`"),
            ("explain --bundle absent --data store", "--out"),
            ("explain --bundle absent --data store --out new --windows 0", "windows"),
            ("explain --bundle absent --data store --out new --model oracle", "oracle|gradient-boosting"),
            ("tune --data store", "--study"),
            ("tune --data store --study new/s.jsonl --trials 0", "--trials"),
            ("tune --data absent --study new/s.jsonl", "absent"),
            ("tune --config tiny.toml --data store --study void", "void"),
            ("ablate --data store --techniques magic", "magic"),
            ("ablate --data absent --name x", "absent"),
        ],
    );
    for (name, content, part) in NO_CANDLES {
        std::fs::write(directory.join(name), content).unwrap();
        program.refuses(&["--data", name], &format!("{name}|{part}"));
    }
    program.refuses_variable("MATRELA__SUPERVISED__EPOCS", "3", "MATRELA__SUPERVISED__EPOCS|epochs");
    program.refuses_variable("MATRELA__SUPERVISD__EPOCHS", "3", "MATRELA__SUPERVISD__EPOCHS|supervised");
}

#[test]
fn of_a_bundle_nothing_may_be_missing_or_changed() {
    let directory = prepared();
    let directory = directory.path();
    train(directory, "model", &[]);
    let program = Program::new(PATH, directory);
    program.refuses_all(
        &["evaluate", "--bundle", BUNDLE, "--data", "store"],
        &[
            ("--from 2030-01-01 --predictions new", "nothing to judge"),
            ("--from 2024-01-09 --to 2024-01-08", "nothing to judge"),
            ("--from yesterday", "yesterday"),
            ("--predictions tiny.toml", "tiny.toml|cannot create the directory"),
            ("--timeframe 1h", "candles of 5m"),
            ("--optimum", "bayes_|--optimum"),
            ("--bundle artifacts", "artifacts|no `bundle.json`"),
        ],
    );
    for name in names(&directory.join(BUNDLE)) {
        let path = directory.join(BUNDLE).join(&name);
        let bytes = std::fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        for damaged in [Some(&flipped[..]), Some(&bytes[..bytes.len() / 2]), Some(&[]), None] {
            match damaged {
                Some(damaged) => std::fs::write(&path, damaged).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            program.refuses(&["evaluate", "--bundle", BUNDLE, "--data", "store"], &name);
        }
        std::fs::write(&path, bytes).unwrap();
    }
    let evaluate = ["evaluate", "--bundle", BUNDLE, "--data", "store"];
    let code = run(directory, &evaluate).status.code().unwrap();
    assert!(code < 2, "{code}");
    program.survives_its_readers(&evaluate, code);
    program.survives_its_readers(&["compare", "artifacts/models/model", "--output-format", "json"], 0);
    program.survives_its_readers(&["config"], 0);
    let said = text(&run(directory, &["compare", "artifacts/models/model"]).stdout);
    assert!(said.contains("model"), "{said}");
}
