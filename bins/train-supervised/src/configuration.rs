//! What `config/train-supervised.toml`, the environment and `--set` can say.

use std::path::{Path, PathBuf};

use anyhow::Context;
use features::FeatureSpec;
use labels::splits::{SplitPlan, SplitSetting};
use labels::threshold_search::{Goal, Objective, Symmetry};
use labels::{AdaptiveThreshold, HorizonReturn, Labeler, Threshold, TrendScanning, TripleBarrier};
use market_data::import::ImportOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use supervised::baseline::BaselinesConfig;
use supervised::{CandleSource, DeviceKind, SupervisedConfig};

use crate::Input;
use crate::explain::ExplanationSection;
use crate::tuning::TuningSection;

/// The configuration of this program. Arguments on the command line win over it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Configuration {
    /// Directory for models.
    pub(crate) out: PathBuf,
    /// How many trials a search took to find these settings, for the bundle; `tune` writes it.
    pub(crate) trials: Option<u64>,
    /// What computes: flex, ndarray or gpu.
    pub(crate) device: DeviceKind,
    /// What is computed from candles.
    pub(crate) features: FeatureSpec,
    /// What the classes mean, where no file with a labeler is given.
    pub(crate) labels: LabelSection,
    /// Which time is the test: held out, and judged once at the end.
    pub(crate) split: SplitSetting,
    /// The last days of what is not the test: the validation.
    pub(crate) validation_days: u32,
    /// The training.
    pub(crate) supervised: SupervisedConfig,
    /// The models that `--baselines` sets beside it.
    pub(crate) baselines: BaselinesConfig,
    /// How `tune` searches.
    pub(crate) tuning: TuningSection,
    /// How models are explained.
    pub(crate) explanation: ExplanationSection,
    /// How files are read and judged.
    pub(crate) import: ImportOptions,
}

/// A labeler whose thresholds are searched on the training time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LabelSection {
    /// Which one.
    pub(crate) labeler: LabelerKind,
    /// How many candles ahead it looks.
    pub(crate) horizon: u32,
    /// Shares of sell, hold and buy that the thresholds are to give.
    pub(crate) target: [f64; 3],
}

/// A labeler by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LabelerKind {
    /// The return over the horizon, with a threshold that follows the volatility.
    #[default]
    HorizonReturn,
    /// The barrier that is touched first.
    TripleBarrier,
    /// The most significant trend.
    TrendScanning,
}

impl Default for LabelSection {
    fn default() -> Self {
        Self { labeler: LabelerKind::default(), horizon: 12, target: [0.33, 0.34, 0.33] }
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            out: PathBuf::from("artifacts/models"),
            trials: None,
            device: DeviceKind::default(),
            features: FeatureSpec::default(),
            labels: LabelSection::default(),
            split: SplitSetting::default(),
            validation_days: 30,
            supervised: SupervisedConfig::default(),
            baselines: BaselinesConfig::default(),
            tuning: TuningSection::default(),
            explanation: ExplanationSection::default(),
            import: ImportOptions::default(),
        }
    }
}

impl Configuration {
    /// Puts what the command line says about reading on top.
    pub(crate) fn take(&mut self, input: &Input) {
        if let Some(policy) = input.findings {
            self.import.policy = policy;
        }
        self.import.plausibility.accept.extend(input.accept.iter().copied());
    }
}

impl LabelSection {
    /// The labeler, its thresholds not yet found.
    pub(crate) fn unfitted(&self) -> Labeler {
        match self.labeler {
            LabelerKind::HorizonReturn => Labeler::HorizonReturn(HorizonReturn {
                horizon: self.horizon,
                threshold: Threshold::Adaptive(AdaptiveThreshold::default()),
            }),
            LabelerKind::TripleBarrier => Labeler::TripleBarrier(TripleBarrier::unfitted(self.horizon)),
            LabelerKind::TrendScanning => Labeler::TrendScanning(TrendScanning {
                // A window of closes begins with the candle itself.
                maximum_window: self.horizon.saturating_add(1),
                ..TrendScanning::default()
            }),
        }
    }

    /// The labeler with thresholds that were found on the training time of `plan`.
    pub(crate) fn search(&self, candles: &CandleSource, plan: &SplitPlan) -> anyhow::Result<Labeler> {
        let goal = self.goal();
        goal.validate().context("section `labels`")?;
        let unfitted = self.unfitted();
        unfitted.validate().context("section `labels`")?;
        candles
            .search_labeler(&unfitted, &goal, plan)
            .context("searching the thresholds of the labels on the training time")
    }

    /// What the search aims at.
    pub(crate) fn goal(&self) -> Goal {
        let symmetry = match self.labeler {
            LabelerKind::TrendScanning => Symmetry::Symmetric,
            _ => Symmetry::Asymmetric,
        };
        Goal { target: self.target, symmetry, objective: Objective::Pooled, tolerance: 0.02 }
    }
}

/// The labeler of a file.
pub(crate) fn read_labeler(path: &Path) -> anyhow::Result<Labeler> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
    Labeler::from_toml(&text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use command_line::ConfigLoader;

    use super::*;

    #[test]
    fn reference_and_schema_are_those_of_the_types() {
        let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration/");
        for (name, text) in ConfigLoader::<Configuration>::new("train-supervised").documents().unwrap() {
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
        let shipped = ConfigLoader::<Configuration>::new("train-supervised")
            .directory(directory)
            .environment(none)
            .load()
            .unwrap();
        let defaults = serde_json::to_value(Configuration::default()).unwrap();
        assert_eq!(serde_json::to_value(&shipped.config).unwrap(), defaults);
        // Every value that has a default is stated, and every other one stands there as a comment. What other programs
        // have too stands in their files.
        let text = std::fs::read_to_string(format!("{directory}/train-supervised.toml")).unwrap();
        let stated = serde_json::to_value(toml::from_str::<toml::Table>(&text).unwrap()).unwrap();
        let (mut values, mut nulls) = (Vec::new(), Vec::new());
        leaves("", &defaults, &mut values, &mut nulls);
        values.retain(|key| !key.starts_with("/features/") && !key.starts_with("/import/"));
        nulls.retain(|key| !key.starts_with("/features/") && !key.starts_with("/import/"));
        assert!(values.len() > 100, "{values:?}");
        let missing: Vec<&String> = values.iter().filter(|key| stated.pointer(key).is_none()).collect();
        assert!(missing.is_empty(), "not in the file: {missing:?}");
        for key in nulls {
            let name = key.rsplit('/').next().unwrap();
            assert!(text.lines().any(|line| line.starts_with(&format!("# {name} = "))), "{key}");
        }
    }

    #[test]
    fn the_guide_states_the_defaults() {
        let guide = include_str!("../../../docs/supervised.md");
        let defaults = serde_json::to_value(SupervisedConfig::default()).unwrap();
        let mut compared = 0;
        for row in guide.lines().skip_while(|line| !line.starts_with("| earlier key |")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let [_, _, keys, values, ..] = cells.as_slice() else { continue };
            // Cells of words state no value.
            let values: Result<Vec<serde_json::Value>, _> =
                values.split("; ").map(serde_json::from_str).collect();
            let Ok(values) = values else { continue };
            let keys: Vec<&str> = keys.split(", ").map(|key| key.trim_matches('`')).collect();
            assert_eq!(keys.len(), values.len(), "{row}");
            for (key, value) in keys.iter().zip(&values) {
                assert_eq!(defaults.pointer(&format!("/{}", key.replace('.', "/"))), Some(value), "{key}");
                compared += 1;
            }
        }
        assert!(compared > 50, "{compared}");
    }

    /// The places of all values in a document, and of all that are absent.
    fn leaves(place: &str, value: &serde_json::Value, values: &mut Vec<String>, nulls: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(table) => {
                for (name, value) in table {
                    leaves(&format!("{place}/{name}"), value, values, nulls);
                }
            }
            serde_json::Value::Null => nulls.push(place.to_owned()),
            _ => values.push(place.to_owned()),
        }
    }

    #[test]
    fn defaults_are_valid() {
        Configuration::default().supervised.validate().unwrap();
        LabelSection::default().unfitted().validate().unwrap();
    }
}
