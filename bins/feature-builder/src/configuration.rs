//! What `config/feature-builder.toml`, the environment and `--set` can say.

use std::path::PathBuf;

use features::FeatureSpec;
use features::audit::AuditOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The configuration of this program. Arguments on the command line win over it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Configuration {
    /// Where the candles come from when no `--data` is given: a store.
    pub(crate) store: PathBuf,
    /// What is computed.
    pub(crate) features: FeatureSpec,
    /// How thoroughly an audit looks.
    pub(crate) audit: AuditOptions,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            store: PathBuf::from("datasets/store"),
            features: FeatureSpec::default(),
            audit: AuditOptions::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use command_line::ConfigLoader;

    use super::*;

    #[test]
    fn reference_and_schema_are_those_of_the_types() {
        let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration/");
        for (name, text) in ConfigLoader::<Configuration>::new("feature-builder").documents().unwrap() {
            let kept = std::fs::read_to_string(format!("{book}{name}")).unwrap_or_default();
            assert!(
                kept == text,
                "docs/configuration/{name} is out of date; write it anew: cargo xtask reference"
            );
        }
    }

    #[test]
    fn the_shipped_file_states_the_defaults() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config");
        let none: [(&str, &str); 0] = [];
        let shipped = ConfigLoader::<Configuration>::new("feature-builder")
            .directory(directory)
            .environment(none)
            .load()
            .unwrap();
        let defaults = Configuration::default();
        assert_eq!(serde_json::to_value(&shipped.config).unwrap(), serde_json::to_value(&defaults).unwrap());
    }
}
