//! What the program is asked for in vain, its help, and outputs that nobody reads.

use super::{Path, PathBuf, command, document, prepared, run, training};

#[path = "../../../command-line/tests/program/mod.rs"]
mod program;

use program::{NO_CANDLES, Program};

const PATH: &str = env!("CARGO_BIN_EXE_train-rl");

/// A directory of its own beside the model and the candles, which other tests use at the same time.
fn own() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    copy(prepared(), directory.path());
    directory
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, target).unwrap();
        }
    }
}

#[test]
fn the_help_of_each_command_names_its_options() {
    let directory = tempfile::tempdir().unwrap();
    let input = "data timeframe series findings accept";
    Program::new(PATH, directory.path()).helps(&[
        (
            "",
            &format!("{input} bundle algorithm seeds seed env steps name out resume overwrite trials commit"),
        ),
        ("evaluate", &format!("{input} policy from to seen taker-fee slippage")),
    ]);
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let directory = own();
    let directory = directory.path();
    std::fs::create_dir_all(directory.join("void/candles")).unwrap();
    std::fs::write(directory.join("file"), "dear").unwrap();
    let program = Program::new(PATH, directory);
    program.refuses_all(
        &["--bundle", "bundle", "--data", "candles", "--accept", "random-walk"],
        &[
            ("--epochs 3", "'--epochs'"),
            ("--seeds 0", "--seeds"),
            ("--seed -1", "-1"),
            ("--steps 0", "--steps"),
            ("--steps many", "many"),
            ("--resume --overwrite", "--overwrite"),
            ("--env =5", "--env"),
            ("--env window=many", "policy.environment.window|many"),
            ("--env window=-1", "policy.environment.window"),
            ("--env window=999999", "window"),
            ("--env environments=0", "environments"),
            ("--env episode.length=0", "length"),
            ("--set policy.recipe.ppo.learning_rate.value=nan", "section `policy`|no number"),
            ("--set policy.recipe.ppo.batch_size=0", "batch_size"),
            ("--set policy.recipe.ppo.discount=1.5", "discount"),
            ("--set policy.recipe.algorithm=sarsa", "sarsa"),
            ("--set checkpoint_seconds=-1", "checkpoint_seconds"),
            ("--set random_agent=1", "random_agent|random_agents"),
            ("--name .", "--name"),
            ("--name a/b", "--name a/b"),
            ("--out file", "file|cannot"),
            ("--out /proc/none", "/proc/none|cannot"),
            ("--timeframe 1h", "no candles"),
            ("--config absent.toml", "absent.toml"),
        ],
    );
    program.refuses_all(
        &[],
        &[
            ("", "Usage"),
            ("learn", "learn"),
            ("--data candles", "--bundle"),
            ("--bundle bundle", "--data"),
            ("--bundle absent --data candles", "absent"),
            ("--bundle file --data candles", "file"),
            ("--bundle bundle --data absent", "absent"),
            ("--bundle bundle --data void", "no candles"),
            ("--bundle bundle --data none*.csv", "none*.csv|no file has such a name"),
            ("evaluate --data candles", "--policy"),
            ("evaluate --policy absent --data candles", "absent|no policy|train-rl"),
            ("evaluate --policy file --data candles", "file|no policy"),
            ("evaluate --policy bundle --data candles --from yesterday", "yesterday"),
            ("evaluate --policy bundle --data candles --taker-fee much", "much"),
        ],
    );
    for (name, content, part) in NO_CANDLES {
        std::fs::write(directory.join(name), content).unwrap();
        program.refuses(&["--bundle", "bundle", "--data", name], &format!("{name}|{part}"));
    }
    for name in ["bundle.json", "weights.safetensors", "features.toml"] {
        let path = directory.join("bundle").join(name);
        let bytes = std::fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        program.refuses(&["--bundle", "bundle", "--data", "candles"], name);
        std::fs::remove_file(&path).unwrap();
        program.refuses(&["--bundle", "bundle", "--data", "candles"], "bundle");
        std::fs::write(&path, bytes).unwrap();
    }
    program.refuses_variable(
        "MATRELA__POLICY__ENVIRONMENT__WINDW",
        "3",
        "MATRELA__POLICY__ENVIRONMENT__WINDW|window",
    );
    program.refuses_variable("MATRELA__RANDOM_AGENT", "3", "MATRELA__RANDOM_AGENT|random_agents");
}

#[test]
fn of_a_policy_nothing_may_be_missing_or_changed() {
    let directory = own();
    let directory = directory.path();
    let program = Program::new(PATH, directory);
    let made = program.ends(&training("one", ".", &[]), 0, "");
    let report = document(&made);
    assert_eq!(report["refused"].as_array().map(Vec::len), Some(0), "{report}");
    let judge = ["evaluate", "--policy", "one", "--data", "candles", "--accept", "random-walk"];
    program.refuses_all(
        &judge,
        &[
            ("--from 2030-01-01", "no candle"),
            ("--to 2020-01-01", "--to"),
            ("--taker-fee -1", "-1"),
            ("--taker-fee=-1", "fee"),
            ("--taker-fee nan", "fee"),
            ("--slippage 2", "slippage"),
            ("--slippage inf", "slippage"),
            ("--set random_agents=0", "random_agents"),
            ("--policy one bundle", "bundle"),
        ],
    );
    program.refuses(&training("one", ".", &[]), "one|--resume|--overwrite");
    program.refuses(&training("candles", ".", &["--overwrite"]), "candles|no policy of this program");
    let policy = directory.join("one/seed-1/policy");
    for name in ["policy.json", "agent.msgpack", "model/bundle.json", "model/weights.safetensors"] {
        let path = policy.join(name);
        let bytes = std::fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 2] ^= 1;
        let shown = path.file_name().unwrap().to_str().unwrap();
        for damaged in [Some(&flipped[..]), Some(&bytes[..bytes.len() / 2]), Some(&[]), None] {
            match damaged {
                Some(damaged) => std::fs::write(&path, damaged).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            program.refuses(&judge, shown);
        }
        std::fs::write(&path, bytes).unwrap();
    }
    program.survives_its_readers(&judge, 0);
    program.survives_its_readers(&[&judge[..], &["--output-format", "json"]].concat(), 0);
    program.survives_its_readers(&["config"], 0);
}

/// A checkpoint in which one bit is another, in the learner or in the counts beside it.
#[test]
fn a_checkpoint_that_was_changed_is_refused() {
    let directory = own();
    let directory = directory.path();
    let program = Program::new(PATH, directory);
    let long = ["--steps", "200000"];
    let begun: Vec<&str> =
        training("cut", ".", &[]).into_iter().filter(|word| !["--steps", "2048"].contains(word)).collect();
    let words = [&begun[..], &long].concat();
    let mut child =
        command(&words).current_dir(directory).stdout(std::process::Stdio::null()).spawn().unwrap();
    let checkpoint: PathBuf = directory.join("cut/seed-1/checkpoint.bin");
    while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let bytes = std::fs::read(&checkpoint).unwrap();
    let resume = [&words[..], &["--resume"]].concat();
    // In the checksum, in the number of lines, in the training.
    for place in [0, 74, bytes.len() / 2, bytes.len() - 1] {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1;
        std::fs::write(&checkpoint, flipped).unwrap();
        program.refuses(&resume, "cut/seed-1/checkpoint.bin|changed or cut short|remove it");
    }
    for damaged in [&bytes[..bytes.len() / 2], &bytes[..3], &[]] {
        std::fs::write(&checkpoint, damaged).unwrap();
        program.refuses(&resume, "cut/seed-1/checkpoint.bin|changed or cut short|remove it");
    }
    std::fs::write(&checkpoint, &bytes).unwrap();
    program.refuses(&[&resume[..], &["--env", "window=2"]].concat(), "checkpoint.bin|other settings");
}

#[test]
fn a_refused_file_is_a_finding_beside_others() {
    let directory = own();
    let directory = directory.path();
    let (name, content, _) = NO_CANDLES[5];
    std::fs::write(directory.join("candles").join(name), content).unwrap();
    let program = Program::new(PATH, directory);
    let made = program.ends(&training("one", ".", &[]), 1, name);
    let report: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!(report["refused"].as_array().map(Vec::len), Some(1), "{report}");
    assert_eq!(run(&["--version"]).status.code(), Some(0));
}
