//! `--device`: what computes networks.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use super::Run;

/// What computes the networks. Policies are always computed on the processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum DeviceName {
    /// The processor
    #[default]
    Cpu,
    /// An NVIDIA GPU; the programs are built with the feature `cuda`
    Cuda,
}

/// Programs that compute networks, and the setting that says on what.
const SETTINGS: [(&str, &str); 2] = [("train-supervised", "device"), ("simulate", "walk_forward.device")];

impl DeviceName {
    /// What cargo is told.
    pub(super) fn features(self) -> Option<String> {
        let features = || SETTINGS.map(|(program, _)| format!("{program}/cuda")).join(",");
        (self == Self::Cuda).then(features)
    }

    /// What a program is told; `--set` comes later on its command line, and wins.
    pub(super) fn setting(self, program: &str) -> Option<String> {
        let (_, key) = SETTINGS.iter().find(|(name, _)| *name == program)?;
        (self == Self::Cuda).then(|| format!("{key}=gpu"))
    }
}

/// What computed, by the settings in force: a program never takes another device than it is told. Null where nothing was
/// computed.
pub(super) fn record(run: &Run) -> Value {
    let of = |(program, key): (&str, &str), result: &Value| match result {
        Value::Null => Value::Null,
        _ => run.setting(program, key).cloned().unwrap_or(Value::Null),
    };
    let [model, walk_forward] = SETTINGS;
    json!({
        "asked": run.arguments.device,
        "model": of(model, &run.model.training),
        "walk_forward": of(walk_forward, &run.walk_forward),
        "policy": if run.policy.training.is_null() { Value::Null } else { "flex".into() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::resume::Version;

    #[test]
    fn only_programs_with_networks_are_told_of_the_gpu() {
        let cuda = DeviceName::Cuda;
        assert_eq!(cuda.features().as_deref(), Some("train-supervised/cuda,simulate/cuda"));
        assert_eq!(cuda.setting("train-supervised").as_deref(), Some("device=gpu"));
        assert_eq!(cuda.setting("simulate").as_deref(), Some("walk_forward.device=gpu"));
        assert_eq!(cuda.setting("train-rl"), None);
        assert_eq!((DeviceName::Cpu.features(), DeviceName::Cpu.setting("simulate")), (None, None));
    }

    #[test]
    fn what_did_not_compute_has_no_device() {
        let root = tempfile::tempdir().unwrap();
        let mut run = crate::train::record::tests::example(root.path());
        for (program, key) in SETTINGS {
            let values = [(key.to_owned(), json!("gpu"))].into_iter().collect();
            run.versions.insert(program, Version { bytes: String::new(), settings: String::new(), values });
        }
        let device = |run: &Run| {
            let record = record(run);
            ["model", "walk_forward", "policy"].map(|part| record[part].as_str().unwrap_or("none").to_owned())
        };
        assert_eq!(device(&run), ["gpu", "none", "flex"]);
        run.walk_forward = json!({});
        (run.model.training, run.policy.training) = (Value::Null, Value::Null);
        assert_eq!(device(&run), ["none", "gpu", "none"]);
    }

    /// A feature that a manifest lacks would only be seen where somebody has a GPU.
    #[test]
    fn the_manifests_have_the_feature() {
        for (program, _) in SETTINGS {
            let path = format!("{}/../bins/{program}/Cargo.toml", env!("CARGO_MANIFEST_DIR"));
            let manifest: toml::Table = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            assert_eq!(manifest["features"]["cuda"][0].as_str(), Some("supervised/cuda"));
        }
    }
}
