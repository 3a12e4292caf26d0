//! Models beside the xLSTM, as a user asks for them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use market_data::store::{OnConflict, Store};
use market_data::synthetic::{MarketShape, SyntheticModel};
use serde_json::Value;

const SETTINGS: &str = r#"
validation_days = 5
[features]
cycle.enabled = false
pattern.enabled = false
level.enabled = false
time.enabled = false
higher_timeframe.enabled = false
[supervised]
epochs = 1
preparation.minimum_rows_per_series = 500
network = { width = 16, heads = 2, mlstm.round_to = 16, slstm.round_to = 16 }
[baselines]
perceptron = { width = 16, lags = [0, 1] }
convolutional = { width = 8, layers = 2 }
lstm = { width = 8, layers = 1 }
transformer = { width = 8, heads = 2, layers = 1, window = 4 }
random_forest = { trees = 20, depth = 6 }
gradient_boosting = { rounds = 20 }
nearest_neighbours = { maximum_training_rows = 1000 }
"#;
const MODELS: [&str; 10] = [
    "majority",
    "stratified-random",
    "logistic-regression",
    "nearest-neighbours",
    "random-forest",
    "gradient-boosting",
    "perceptron",
    "convolutional",
    "lstm",
    "transformer",
];

fn run(directory: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_train-supervised"));
    command.current_dir(directory).env_remove("RUST_LOG").stdin(Stdio::null());
    command.args(["--config", "tiny.toml"]).args(words).output().unwrap()
}

fn json(directory: &Path, words: &[&str]) -> (i32, Value) {
    let output = run(directory, &[words, &["--output-format", "json"]].concat());
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{words:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), document)
}

fn store(directory: &Path, name: &str, law: &str, seed: u64) {
    let model: SyntheticModel = toml::from_str(&format!("model = \"{law}\"")).unwrap();
    let mut shape = MarketShape { candles: 13_000, seed, ..Default::default() };
    shape.symbols.truncate(2);
    let store = Store::new(directory.join(name));
    for series in model.generate(&shape).unwrap().series {
        store.append(&series, OnConflict::Refuse).unwrap();
    }
}

fn prepared(law: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tiny.toml"), SETTINGS).unwrap();
    store(directory.path(), "store", law, 3);
    directory
}

fn number(value: &Value, place: &str) -> f64 {
    value.pointer(place).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {place}: {value}"))
}

fn of<'a>(document: &'a Value, model: &str) -> &'a Value {
    let list = document["baselines"].as_array().unwrap();
    list.iter().find(|one| one["model"] == model).unwrap_or_else(|| panic!("no {model}: {document}"))
}

/// All models are fitted, judged on the same rows, saved with the bundle, and judged again to the same figures.
#[test]
fn all_models_stand_beside_the_xlstm_and_are_saved_with_it() {
    let directory = prepared("planted");
    let directory = directory.path();
    let (code, document) =
        json(directory, &["--data", "store", "--name", "all", "--baselines", "--seeds", "2"]);
    assert_eq!(code, 0, "{document}");
    let rows = number(&document, "/seeds/0/test/decided/rows");
    let bundle = format!("artifacts/models/all/seed-{}/bundle", document["median_seed"]);
    let (code, again) = json(directory, &["evaluate", "--bundle", &bundle, "--data", "store"]);
    assert!(code <= 1, "{again}");
    let median = usize::from(document["median_seed"] == 2);
    for model in MODELS {
        let baseline = of(&document, model);
        assert_eq!(baseline["seeds"].as_array().unwrap().len(), 2, "{model}");
        let seed = &baseline["seeds"][median];
        assert_eq!(number(seed, "/test/decided/rows"), rows, "{model} was judged on other rows");
        let paired = &seed["comparison"]["paired"]["macro_f1"];
        assert!(number(paired, "/lower") <= number(paired, "/difference"), "{paired}");
        assert!(number(paired, "/difference") <= number(paired, "/upper"), "{paired}");
        let test = number(&document, &format!("/seeds/{median}/test/decided/macro_f1"));
        let difference = test - number(seed, "/test/decided/macro_f1");
        assert!((number(paired, "/difference") - difference).abs() < 1e-12, "{model}: {paired}");
        // What `evaluate` finds with the saved model is what training found.
        let judged = of(&again, model);
        for place in ["/decided/macro_f1", "/decided/log_loss", "/decided/rows"] {
            let (then, now) = (number(&seed["test"], place), number(&judged["assessment"], place));
            assert!((then - now).abs() < 1e-9, "{model} {place}: {then} in training, {now} judged again");
        }
    }
    // One byte of a saved model is another model.
    let file = directory.join(&bundle).join("baselines/random-forest.msgpack");
    let sound = std::fs::read(&file).unwrap();
    let mut changed = sound.clone();
    changed[sound.len() / 2] ^= 1;
    std::fs::write(&file, changed).unwrap();
    let output = run(directory, &["evaluate", "--bundle", &bundle, "--data", "store"]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && message.contains("random-forest.msgpack"), "{message}");
    std::fs::write(&file, sound).unwrap();
    // The planted direction is no secret to a linear model or to trees.
    for model in ["logistic-regression", "random-forest", "gradient-boosting"] {
        assert!(number(of(&document, model), "/seeds/0/test/decided/mcc") > 0.1, "{model}");
    }
    assert!(number(of(&document, "stratified-random"), "/seeds/0/test/decided/mcc").abs() < 0.06);
    assert_eq!(number(of(&document, "majority"), "/seeds/0/test/decided/mcc"), 0.0);
    // A seed changes what it should and nothing else.
    let same = |model: &str| {
        let seeds = of(&document, model)["seeds"].as_array().unwrap();
        seeds[0]["test"]["decided"] == seeds[1]["test"]["decided"]
    };
    assert!(same("logistic-regression") && same("nearest-neighbours") && same("majority"));
    assert!(!same("random-forest") && !same("lstm") && !same("stratified-random"));
}

/// A resumed run takes up the fits that are there, and only where they are of the same settings.
#[test]
fn fits_are_taken_up_again() {
    let directory = prepared("planted");
    let directory = directory.path();
    let words = ["--data", "store", "--name", "again", "--baselines=random-forest,perceptron"];
    let (_, first) = json(directory, &words);
    assert_eq!(first["baselines"].as_array().unwrap().len(), 2);
    let own = directory.join("artifacts/models/again/seed-1/baselines");
    let forest = own.join("random-forest/model.msgpack");
    let stamp = || std::fs::metadata(&forest).unwrap().modified().unwrap();
    let before = stamp();
    let (_, second) = json(directory, &[words.as_slice(), &["--resume"]].concat());
    assert_eq!(stamp(), before, "the forest was fitted again");
    assert_eq!(first["baselines"], second["baselines"]);
    let other = ["--resume", "--set", "baselines.random_forest.trees=10"];
    let (_, third) = json(directory, &[words.as_slice(), &other].concat());
    assert_ne!(stamp(), before, "a forest of other settings was taken for the same");
    assert_ne!(of(&first, "random-forest")["seeds"], of(&third, "random-forest")["seeds"]);
}

#[test]
fn the_median_seed_is_kept() {
    let directory = prepared("planted");
    let directory = directory.path();
    let (_, document) = json(directory, &["--data", "store", "--name", "three", "--seeds", "3"]);
    let metric = |seed: &Value| number(seed, "/validation/decided/log_loss");
    let mut seeds: Vec<&Value> = document["seeds"].as_array().unwrap().iter().collect();
    seeds.sort_by(|left, right| metric(left).total_cmp(&metric(right)));
    assert_eq!(document["median_seed"], seeds[1]["seed"]);
    let summary = &document["summary"]["macro_f1"];
    let scores: Vec<f64> = seeds.iter().map(|seed| number(seed, "/test/decided/macro_f1")).collect();
    let mean = scores.iter().sum::<f64>() / 3.0;
    let deviation = (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
    assert!((number(summary, "/mean") - mean).abs() < 1e-12);
    assert!((number(summary, "/standard_deviation") - deviation).abs() < 1e-12);
    let chosen = |path: &str| std::fs::read(directory.join("artifacts/models/three").join(path)).unwrap();
    let of_median = format!("seed-{}/bundle/weights.safetensors", document["median_seed"]);
    assert_eq!(chosen("bundle/weights.safetensors"), chosen(&of_median));
}

#[test]
fn models_are_compared_on_the_same_candles() {
    let directory = prepared("planted");
    let directory = directory.path();
    json(directory, &["--data", "store", "--name", "one", "--seeds", "2"]);
    json(directory, &["--data", "store", "--name", "two", "--set", "supervised.seed=7"]);
    json(directory, &["--data", "store", "--name", "other", "--set", "labels.horizon=6"]);
    let one = "artifacts/models/one";
    let (code, document) =
        json(directory, &["compare", one, "artifacts/models/two", "artifacts/models/other"]);
    assert_eq!(code, 0);
    let models = document["models"].as_array().unwrap();
    assert_eq!(models[0]["seeds"], serde_json::json!([1, 2]));
    assert_eq!(models[1]["differs"], serde_json::json!([]));
    assert!(models[2]["differs"].as_array().unwrap().iter().any(|what| what == "labels"));
    let words = ["compare", one, "artifacts/models/two", "--data", "store"];
    let (_, document) = json(directory, &words);
    let on_data = &document["models"][1]["on_data"];
    let scores = ["/models/0", "/models/1"]
        .map(|model| number(&document, &format!("{model}/on_data/assessment/decided/macro_f1")));
    let difference = number(on_data, "/comparison/paired/macro_f1/difference");
    assert!((difference - (scores[0] - scores[1])).abs() < 1e-12);
    for (words, part) in [
        (["compare", "store"].as_slice(), "neither a bundle nor a model"),
        (&["compare", one, "artifacts/models/other", "--data", "store"], "different labels"),
        (&["--data", "store", "--baselines=lstmm"], "logistic-regression"),
        (&["--data", "store", "--name", "x", "--baselines", "--set", "baselines.models=[]"], "names none"),
        (
            &["--data", "store", "--name", "x", "--baselines", "--set", "baselines.lstm.width=0"],
            "`lstm.width`",
        ),
    ] {
        let output = run(directory, words);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {message}");
        assert!(message.contains(part), "{words:?}: {message}");
    }
}

/// Columns are chosen on the training rows, and the bundle knows which and why.
#[test]
fn columns_that_say_most_are_kept() {
    let directory = prepared("planted");
    let directory = directory.path();
    let mut kept = Vec::new();
    for method in ["mutual-information", "tree-importance", "recursive-elimination"] {
        let ranking = format!("supervised.preparation.ranking={{ method = \"{method}\", keep = 6 }}");
        let words = ["--data", "store", "--name", method, "--set", &ranking];
        let (code, document) = json(directory, &words);
        assert_eq!((code, &document["columns"]), (0, &serde_json::json!(6)), "{document}");
        let inputs = directory.join(format!("artifacts/models/{method}/bundle/inputs.json"));
        let inputs: Value = serde_json::from_str(&std::fs::read_to_string(inputs).unwrap()).unwrap();
        assert_eq!(inputs["selection"]["names"].as_array().unwrap().len(), 6);
        let dropped = inputs["selection"]["dropped"].as_array().unwrap();
        assert!(dropped.iter().any(|one| one["reason"]["score"]["rank"] == 7), "{dropped:?}");
        kept.push(inputs["selection"]["names"].clone());
        let bundle = format!("artifacts/models/{method}/bundle");
        assert!(json(directory, &["evaluate", "--bundle", &bundle, "--data", "store"]).0 <= 1);
    }
    assert!(kept.iter().any(|names| *names != kept[0]), "all methods keep the same: {kept:?}");
}

/// On noise no model is told from chance; the gain of this one over random draws must not be clear.
#[test]
fn noise_teaches_nothing() {
    let directory = prepared("noise");
    let words = ["--data", "store", "--name", "noise", "--baselines=stratified-random,gradient-boosting"];
    let (_, document) = json(directory.path(), &words);
    let seed = &of(&document, "stratified-random")["seeds"][0];
    let gain = &seed["comparison"]["paired"]["macro_f1"];
    assert!(number(gain, "/claim_lower") <= 0.0, "{gain}");
    assert_ne!(document["seeds"][0]["test"]["skill"], "better");
    assert_ne!(of(&document, "gradient-boosting")["seeds"][0]["test"]["skill"], "better");
}
