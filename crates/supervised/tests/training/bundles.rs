//! Bundles: the same model comes back, or the file at fault is named.

use std::path::Path;

use burn::tensor::Device;
use features::Outside;
use supervised::transform::{Transform, Transforms};
use supervised::{ModelBundle, Objective, Predictor, SupervisedError};
use xlstm::{AttentionConfig, Pooling};

use crate::markets::{OBJECTIVES, bits, config, gapped, spec};
use crate::predictions::model;

const DIRECTORY: &str = "MATRELA_TEST_KILLED_BUNDLE";
const FILES: [&str; 7] = [
    "bundle.json",
    "weights.safetensors",
    "features.toml",
    "inputs.json",
    "labeler.toml",
    "calibration.json",
    "metrics.json",
];

fn bundle(objective: Objective) -> ModelBundle {
    let mut config = config(objective);
    config.network.attention = Some(AttentionConfig { after: vec![0], heads: 2, window: 5 });
    if objective == Objective::LastStep {
        config.network.pooling = Pooling::Attention;
    }
    config.calibration.transforms =
        Transforms(vec![Transform::Noise { deviation: 0.1 }, Transform::Scale { factor: 1.1 }]);
    // Numbers that no short decimal is equal to.
    config.learning_rate.base = 1e-3 / 3.0;
    model(&gapped(400), &config).0
}

fn read(directory: &Path) -> Result<ModelBundle, SupervisedError> {
    ModelBundle::read(directory, &Device::flex())
}

#[test]
fn a_bundle_comes_back_to_the_bit() {
    for objective in OBJECTIVES {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model");
        let written = bundle(objective);
        written.write(&path, false).unwrap();
        let found = read(&path).unwrap();
        let parameters = |bundle: &ModelBundle| bits(&bundle.classifier.parameters().unwrap());
        assert_eq!(parameters(&found), parameters(&written));
        assert_eq!((&found.spec, &found.fit, found.labeler), (&written.spec, &written.fit, written.labeler));
        assert_eq!((found.calibration, &found.metrics), (written.calibration, &written.metrics));
        assert_eq!(found.origin, written.origin);
        let frame = spec().frame(&gapped(400)[0], Outside::default()).unwrap();
        let of = |predictor: Predictor| {
            let found = predictor.predict(&frame).unwrap();
            let values: Vec<u32> =
                found.predictions.iter().flat_map(|one| bits(&one.probabilities)).collect();
            (found.rows.clone(), values, found)
        };
        assert_eq!(of(Predictor::load(&path).unwrap()), of(Predictor::new(written).unwrap()));
        // Nothing is left beside it, and nothing but its files in it.
        let names = |path: &Path| {
            let entries = std::fs::read_dir(path).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        assert_eq!(names(directory.path()), ["model"]);
        let mut expected = FILES.map(str::to_owned);
        expected.sort();
        assert_eq!(names(&path), expected);
    }
}

#[test]
fn every_file_is_checked_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    bundle(Objective::LastStep).write(&path, false).unwrap();
    for name in FILES {
        let file = path.join(name);
        let whole = std::fs::read(&file).unwrap();
        let refused = |what: &str| {
            let error = read(&path).err().unwrap_or_else(|| panic!("{name}: {what}")).to_string();
            assert!(error.contains(name), "{name}, {what}: {error}");
        };
        std::fs::remove_file(&file).unwrap();
        refused("missing");
        for cut in [0, whole.len() / 2, whole.len() - 2] {
            std::fs::write(&file, &whole[..cut]).unwrap();
            refused("cut");
        }
        for place in (0..whole.len()).step_by((whole.len() / 40).max(1)) {
            let mut changed = whole.clone();
            // A digit becomes another digit, so that the text stays one that can be read.
            changed[place] =
                if whole[place].is_ascii_digit() { b'0' + (whole[place] + 1) % 10 } else { whole[place] ^ 1 };
            std::fs::write(&file, &changed).unwrap();
            // Blanks between the words of the manifest mean nothing.
            if name != "bundle.json" || !whole[place].is_ascii_whitespace() {
                refused(&format!("byte {place}"));
            }
        }
        std::fs::write(&file, &whole).unwrap();
        read(&path).unwrap();
    }
    assert!(read(&directory.path().join("nowhere")).unwrap_err().to_string().contains("nowhere"));
}

#[test]
fn what_decides_predictions_cannot_be_changed_in_the_manifest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    bundle(Objective::LastStep).write(&path, false).unwrap();
    let file = path.join("bundle.json");
    let whole = std::fs::read_to_string(&file).unwrap();
    for (was, is, named) in [
        ("\"version\": 1", "\"version\": 2", "version 2"),
        ("matrela-bundle", "another-bundle", "another-bundle"),
        ("\"sequence_length\": 8", "\"sequence_length\": 9", "checksum"),
        ("\"objective\": \"last-step\"", "\"objective\": \"every-step\"", "checksum"),
        ("\"name\": \"model\"", "\"name\": \"other\"", "checksum"),
        ("\"sell\",", "\"hold\",", "checksum"),
    ] {
        assert_eq!(whole.matches(was).count(), 1, "{was}");
        std::fs::write(&file, whole.replace(was, is)).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("bundle.json") && error.contains(named), "{error}");
    }
}

#[test]
fn only_a_bundle_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    let written = bundle(Objective::EveryStep);
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("notes.txt"), "mine").unwrap();
    for replace in [false, true] {
        let error = written.write(&path, replace).unwrap_err().to_string();
        assert!(error.contains("model") && error.contains("name another directory"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(path.join("notes.txt")).unwrap(), "mine");
    std::fs::remove_dir_all(&path).unwrap();
    written.write(&path, false).unwrap();
    std::fs::write(path.join("notes.txt"), "forgotten").unwrap();
    assert!(written.write(&path, false).is_err());
    let mut other = written;
    other.origin.name = "other".to_owned();
    other.write(&path, true).unwrap();
    assert_eq!(read(&path).unwrap().origin.name, "other");
    assert!(!path.join("notes.txt").exists());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// The second process. Without its environment it is no test and has nothing to do.
#[test]
fn writer() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let mut bundle = bundle(Objective::EveryStep);
    bundle.origin.name = "new".to_owned();
    bundle.write(Path::new(&directory), true).unwrap();
}

/// A process that writes more into a file than it may is killed in the midst of it.
#[cfg(unix)]
#[test]
fn a_bundle_appears_whole_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    let killed = |blocks: usize| {
        let mut command = std::process::Command::new("sh");
        let limited =
            format!("ulimit -c 0; ulimit -f {blocks}; exec \"$0\" --exact bundles::writer --test-threads=1");
        command.args(["-c", &limited]).arg(std::env::current_exe().unwrap()).env(DIRECTORY, &path);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        !command.status().unwrap().success()
    };
    assert!(killed(8) && !path.exists());
    bundle(Objective::EveryStep).write(&path, false).unwrap();
    // The old one stays, whichever file the writer dies at.
    for blocks in [0, 1, 8] {
        assert!(killed(blocks));
        assert_eq!(read(&path).unwrap().origin.name, "model");
    }
    // Who comes next finds nothing in the way.
    assert!(!killed(1_000_000));
    assert_eq!(read(&path).unwrap().origin.name, "new");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}
