//! What `config/label-candles.toml`, the environment and `--set` can say.

use std::path::PathBuf;

use anyhow::Context;
use labels::Labeler;
use labels::splits::SplitSetting;
use market_data::import::ImportOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Work;

/// The configuration of this program. Arguments on the command line win over it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Configuration {
    /// File with the labeler.
    pub(crate) labeler: Option<PathBuf>,
    /// Directory for the labels.
    pub(crate) out: PathBuf,
    /// The series with the most candles; absent: all.
    pub(crate) max_symbols: Option<u32>,
    /// What is counted as training and as test.
    pub(crate) split: SplitSetting,
    /// How files are read and judged.
    pub(crate) import: ImportOptions,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            labeler: None,
            out: PathBuf::from("datasets/labels"),
            max_symbols: None,
            split: SplitSetting::default(),
            import: ImportOptions::default(),
        }
    }
}

impl Configuration {
    /// Puts what the command line says on top.
    pub(crate) fn take(&mut self, arguments: &Work) {
        if let Some(out) = &arguments.out {
            self.out.clone_from(out);
        }
        if let Some(policy) = arguments.findings {
            self.import.policy = policy;
        }
        self.labeler = arguments.labeler.clone().or(self.labeler.take());
        self.max_symbols = arguments.max_symbols.or(self.max_symbols);
        self.import.plausibility.accept.extend(arguments.accept.iter().copied());
    }

    /// The labeler of the file; an error where none is named, because no default fits every market.
    pub(crate) fn read_labeler(&self) -> anyhow::Result<Labeler> {
        let path = self.labeler.as_ref().context(
            "no labeler; give --labeler a file with lines such as `labeler = \"triple-barrier\"`, which `optimize-labels` prints",
        )?;
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
        Labeler::from_toml(&text).with_context(|| path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use command_line::ConfigLoader;

    use super::*;

    #[test]
    fn reference_and_schema_are_those_of_the_types() {
        let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration/");
        for (name, text) in ConfigLoader::<Configuration>::new("label-candles").documents().unwrap() {
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
        let shipped = ConfigLoader::<Configuration>::new("label-candles")
            .directory(directory)
            .environment(none)
            .load()
            .unwrap();
        let defaults = Configuration::default();
        assert_eq!(serde_json::to_value(&shipped.config).unwrap(), serde_json::to_value(&defaults).unwrap());
        let text = std::fs::read_to_string(format!("{directory}/label-candles.toml")).unwrap();
        let stated: toml::Table = toml::from_str(&text).unwrap();
        assert!(stated.contains_key("out") && stated.contains_key("split"), "{text}");
    }
}
