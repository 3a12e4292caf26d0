//! What `config/data-loader.toml`, the environment and `--set` can say.

use std::path::PathBuf;

use market_data::import::ImportOptions;
use market_data::store::OnConflict;
use market_data::synthetic::{MarketShape, SyntheticModel};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The configuration of this program. Arguments on the command line win over it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Configuration {
    /// Directory of the store.
    pub(crate) store: PathBuf,
    /// What happens when a new candle differs from the stored one.
    pub(crate) on_conflict: OnConflict,
    /// How files are read and judged.
    pub(crate) import: ImportOptions,
    /// What `generate` makes.
    pub(crate) generate: Generate,
}

/// A synthetic market.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Generate {
    /// The law that it follows.
    pub(crate) market: SyntheticModel,
    /// How large it is.
    pub(crate) shape: MarketShape,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            store: PathBuf::from("datasets/store"),
            on_conflict: OnConflict::default(),
            import: ImportOptions::default(),
            generate: Generate::default(),
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
        for (name, text) in ConfigLoader::<Configuration>::new("data-loader").documents().unwrap() {
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
        let shipped = ConfigLoader::<Configuration>::new("data-loader")
            .directory(directory)
            .environment(none)
            .load()
            .unwrap();
        let defaults = Configuration::default();
        assert_eq!(serde_json::to_value(&shipped.config).unwrap(), serde_json::to_value(&defaults).unwrap());
    }
}
