//! The section `explanation`.

use anyhow::{Context, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use supervised::explanation::{BackgroundConfig, PathConfig, PermutationConfig};

use super::Arguments;

/// How models are explained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ExplanationSection {
    /// Windows that are explained.
    pub(crate) windows: usize,
    /// Rows of a window, for models that were trained on every step: what lies further back is left out, so it should be long
    /// beside the memory of the model.
    pub(crate) steps: usize,
    /// Which training windows the explained ones are compared with.
    pub(crate) background: BackgroundConfig,
    /// How exactly networks are explained.
    pub(crate) path: PathConfig,
    /// How features are shuffled.
    pub(crate) permutation: PermutationConfig,
    /// The most windows of a beeswarm.
    pub(crate) beeswarm_windows: usize,
    /// The most features of a beeswarm.
    pub(crate) beeswarm_features: usize,
}

impl Default for ExplanationSection {
    fn default() -> Self {
        Self {
            windows: 200,
            steps: 64,
            background: BackgroundConfig::default(),
            path: PathConfig::default(),
            permutation: PermutationConfig::default(),
            beeswarm_windows: 500,
            beeswarm_features: 20,
        }
    }
}

impl ExplanationSection {
    /// With what the command line says on top.
    pub(crate) fn with(&self, arguments: &Arguments) -> anyhow::Result<Self> {
        let mut settings = self.clone();
        settings.windows = arguments.windows.unwrap_or(settings.windows);
        settings.background.windows = arguments.background.unwrap_or(settings.background.windows);
        if let Some(seed) = arguments.seed {
            (settings.background.seed, settings.permutation.seed) = (seed, seed);
        }
        settings.validate().context("section `explanation`")?;
        ensure!(arguments.steps != Some(0), "--steps 0: give at least 1");
        Ok(settings)
    }

    fn validate(&self) -> anyhow::Result<()> {
        let sizes = [
            ("windows", self.windows),
            ("steps", self.steps),
            ("beeswarm_windows", self.beeswarm_windows),
            ("beeswarm_features", self.beeswarm_features),
        ];
        for (name, size) in sizes {
            ensure!(size > 0, "`{name}` is 0: give at least 1");
        }
        self.background.validate()?;
        self.path.validate()?;
        Ok(self.permutation.validate()?)
    }
}
