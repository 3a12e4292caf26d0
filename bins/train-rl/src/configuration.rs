//! What `config/train-rl.toml`, the environment and `--set` can say.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::bail;
use market_data::import::ImportOptions;
use rl::recipe::{Algorithm, Recipe};
use rl::{A2cConfig, DqnConfig, NormalisationConfig, PpoConfig, Schedule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim::market_environment::{
    EpisodeConfig, MarketEnvironmentConfig, ObservedAccount, RewardTerm, WeightedReward,
};
use sim::policy::PolicyConfig;

use crate::Input;

/// The configuration of this program. Arguments on the command line win over it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Configuration {
    /// Directory for policies.
    pub(crate) out: PathBuf,
    /// How many settings were tried before these.
    pub(crate) trials: Option<u64>,
    /// Seconds between two checkpoints; 0 writes one after each iteration of the algorithm.
    pub(crate) checkpoint_seconds: u64,
    /// Random agents that `evaluate` sets beside the policies.
    pub(crate) random_agents: u64,
    /// How a policy is trained.
    pub(crate) policy: PolicyConfig,
    /// How files are read and judged.
    pub(crate) import: ImportOptions,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            out: PathBuf::from("artifacts/policies"),
            trials: None,
            checkpoint_seconds: 60,
            random_agents: 10,
            policy: PolicyConfig { recipe: recipe(), environment: environment(), ..PolicyConfig::default() },
            import: ImportOptions::default(),
        }
    }
}

/// A policy that sees the present row of what the model says, and trades without an end.
fn environment() -> MarketEnvironmentConfig {
    MarketEnvironmentConfig {
        environments: 32,
        window: 1,
        episode: EpisodeConfig::RandomWindow { length: 500 },
        account: ObservedAccount::Positions,
        // In percent: values of thousandths would drown in what an untrained network says.
        rewards: vec![WeightedReward { reward: RewardTerm::LogEquity, weight: 100.0 }],
        ..MarketEnvironmentConfig::default()
    }
}

/// Rewards of a market are small and noisy: long rollouts, large minibatches, a short horizon, normalised rewards.
fn recipe() -> Recipe {
    let normalisation =
        NormalisationConfig { observations: true, rewards: true, ..NormalisationConfig::default() };
    Recipe {
        ppo: PpoConfig {
            total_steps: 500_000,
            steps: 256,
            batch_size: 1024,
            epochs: 4,
            discount: 0.95,
            gae_lambda: 0.9,
            entropy_coefficient: 0.005,
            normalisation,
            ..PpoConfig::default()
        },
        a2c: A2cConfig {
            total_steps: 500_000,
            steps: 32,
            sequence: 32,
            discount: 0.95,
            gae_lambda: 0.9,
            entropy_coefficient: 0.005,
            normalisation,
            ..A2cConfig::default()
        },
        dqn: DqnConfig {
            total_steps: 500_000,
            learning_rate: Schedule::constant(1e-4),
            learning_starts: 10_000,
            batch_size: 128,
            discount: 0.95,
            train_frequency: 4,
            target_update_interval: 5_000,
            double: true,
            ..DqnConfig::default()
        },
        ..Recipe::default()
    }
}

/// Who learns, by the name on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlgorithmName {
    /// As configured.
    Plain(Algorithm),
    /// A2C with an experience buffer and random actions.
    A2cExperience,
}

impl AlgorithmName {
    /// Puts it into a recipe.
    pub(crate) fn choose(self, recipe: &mut Recipe) {
        match self {
            Self::Plain(algorithm) => recipe.algorithm = algorithm,
            Self::A2cExperience => {
                let preset = A2cConfig::with_experience_buffer();
                recipe.algorithm = Algorithm::A2c;
                // What is set stays.
                recipe.a2c.experience = recipe.a2c.experience.take().or(preset.experience);
                recipe.a2c.exploration = recipe.a2c.exploration.take().or(preset.exploration);
            }
        }
    }
}

impl FromStr for AlgorithmName {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "a2c-experience" {
            return Ok(Self::A2cExperience);
        }
        let Some(algorithm) = Algorithm::ALL.into_iter().find(|one| one.name() == text) else {
            bail!("no algorithm `{text}`; there are ppo, a2c, a2c-experience and dqn");
        };
        Ok(Self::Plain(algorithm))
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

#[cfg(test)]
mod tests {
    use command_line::ConfigLoader;

    use super::*;

    #[test]
    fn reference_and_schema_are_those_of_the_types() {
        let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration/");
        for (name, text) in ConfigLoader::<Configuration>::new("train-rl").documents().unwrap() {
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
        let loader = ConfigLoader::<Configuration>::new("train-rl").directory(directory);
        let shipped = loader.environment(none).load().unwrap();
        let defaults = serde_json::to_value(Configuration::default()).unwrap();
        assert_eq!(serde_json::to_value(&shipped.config).unwrap(), defaults);
        let text = std::fs::read_to_string(format!("{directory}/train-rl.toml")).unwrap();
        let stated: toml::Table = toml::from_str(&text).unwrap();
        for section in ["out", "checkpoint_seconds", "random_agents", "policy"] {
            assert!(stated.contains_key(section), "{section}");
        }
        Configuration::default().policy.validate().unwrap();
    }

    #[test]
    fn every_kind_can_be_set_over_the_shipped_file() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config");
        let set = |variables: &[(&str, &str)]| {
            let loader = ConfigLoader::<Configuration>::new("train-rl").directory(directory);
            loader
                .environment(variables.to_vec())
                .load()
                .map(|loaded| serde_json::to_value(&loaded.config).unwrap())
        };
        let found = set(&[("MATRELA__POLICY__ENVIRONMENT__EPISODE__KIND", "whole-series")]).unwrap();
        assert_eq!(found["policy"]["environment"]["episode"]["kind"], "whole-series");
        let scheme = "MATRELA__POLICY__ENVIRONMENT__ACTIONS__SCHEME";
        let maximum = ("MATRELA__POLICY__ENVIRONMENT__ACTIONS__MAXIMUM", "1.0");
        let found = set(&[(scheme, "continuous-target"), maximum]).unwrap();
        assert_eq!(found["policy"]["environment"]["actions"]["maximum"], 1.0);
        let found = set(&[("MATRELA__POLICY__RECIPE__POLICY__ACTOR__NETWORK", "sequence")]).unwrap();
        assert_eq!(found["policy"]["recipe"]["policy"]["actor"]["memory"], true);
        let found = set(&[("MATRELA__POLICY__RECIPE__ALGORITHM", "dqn")]).unwrap();
        assert_eq!(found["policy"]["recipe"]["algorithm"], "dqn");
    }
}
