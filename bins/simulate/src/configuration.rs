//! What `config/simulate.toml`, the environment and `--set` can say.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::bail;
use market_data::import::ImportOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim::backtest::{BacktestConfig, CostAssumptions};
use sim::luck::SkillGate;
use sim::metrics::{MetricsConfig, Targets};
use sim::monte_carlo::{CandleMonteCarloConfig, MonteCarloConfig};
use sim::regime::RegimeConfig;
use sim::retraining::WalkForwardConfig;
use trading::TradingError;
use trading::strategy::{
    BuyAndHoldConfig, Combination, EqualRiskContributionConfig, HybridConfig, HybridStrategy,
    MeanReversionConfig, ModelThresholds, MovingAverageCrossoverConfig, NearestNeighboursConfig, OnHold,
    PolicyThresholds, Strategy, StrategyConfig,
};

use crate::Work;
use crate::retraining::PurgedPathsSection;

/// The configuration of this program. Arguments on the command line win over it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Configuration {
    /// Directory for the reports.
    pub(crate) out: Output,
    /// Settings that were tried before this run.
    pub(crate) trials: u64,
    /// Engine, venue and cash.
    pub(crate) backtest: BacktestConfig,
    /// Fees, leverage and margin.
    pub(crate) costs: CostAssumptions,
    /// How results are measured.
    pub(crate) metrics: MetricsConfig,
    /// What is wanted of a strategy.
    pub(crate) targets: Targets,
    /// What a strategy must show to be promoted.
    pub(crate) gate: SkillGate,
    /// Resampled paths.
    pub(crate) monte_carlo: MonteCarloConfig,
    /// Markets made from the candles, where `--candle-paths` asks for them.
    pub(crate) candle_monte_carlo: CandleMonteCarloConfig,
    /// When a market is a bull or a bear.
    pub(crate) regime: RegimeConfig,
    /// How `--walk-forward` divides time.
    pub(crate) walk_forward: WalkForwardConfig,
    /// How time is divided to choose strategies, and by `--purged-paths` to train models.
    pub(crate) purged_paths: PurgedPathsSection,
    /// Settings of each strategy.
    pub(crate) strategies: Strategies,
    /// How files are read and judged.
    pub(crate) import: ImportOptions,
}

/// Where reports go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub(crate) struct Output(pub(crate) PathBuf);

impl Default for Output {
    fn default() -> Self {
        Self(PathBuf::from("artifacts/backtests"))
    }
}

/// Settings of each strategy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Strategies {
    pub(crate) buy_and_hold: BuyAndHoldConfig,
    pub(crate) moving_average_crossover: MovingAverageCrossoverConfig,
    pub(crate) mean_reversion: MeanReversionConfig,
    pub(crate) equal_risk_contribution: EqualRiskContributionConfig,
    pub(crate) nearest_neighbours: NearestNeighboursConfig,
    pub(crate) hybrid: HybridConfig,
}

impl Default for Strategies {
    fn default() -> Self {
        // Without a policy a veto never comes; and of three classes one is rarely more probable than not.
        let model = ModelThresholds { minimum_probability: 0.4, ..ModelThresholds::default() };
        Self {
            buy_and_hold: BuyAndHoldConfig::default(),
            moving_average_crossover: MovingAverageCrossoverConfig::default(),
            mean_reversion: MeanReversionConfig::default(),
            equal_risk_contribution: EqualRiskContributionConfig::default(),
            nearest_neighbours: NearestNeighboursConfig::default(),
            hybrid: HybridConfig {
                combination: Combination::ModelWithPolicyVeto,
                model,
                ..HybridConfig::default()
            },
        }
    }
}

/// A strategy by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StrategyName {
    Classic,
    BuyAndHold,
    MovingAverageCrossover,
    MeanReversion,
    EqualRiskContribution,
    NearestNeighbours,
    Hybrid,
    /// The model of the hybrid alone.
    Model,
    /// The policy of the hybrid alone.
    Policy,
}

const NAMES: [(StrategyName, &str); 9] = [
    (StrategyName::Classic, "classic"),
    (StrategyName::BuyAndHold, "buy-and-hold"),
    (StrategyName::MovingAverageCrossover, "moving-average-crossover"),
    (StrategyName::MeanReversion, "mean-reversion"),
    (StrategyName::EqualRiskContribution, "equal-risk-contribution"),
    (StrategyName::NearestNeighbours, "nearest-neighbours"),
    (StrategyName::Hybrid, "hybrid"),
    (StrategyName::Model, "model"),
    (StrategyName::Policy, "policy"),
];

impl fmt::Display for StrategyName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(name, _)| name == self).map_or("", |(_, text)| text);
        formatter.write_str(name)
    }
}

impl FromStr for StrategyName {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((name, _)) = NAMES.iter().find(|(_, name)| *name == text) else {
            let all: Vec<&str> = NAMES.iter().map(|(_, name)| *name).collect();
            bail!("no strategy `{text}`; there are {}", all.join(", "));
        };
        Ok(*name)
    }
}

impl StrategyName {
    /// Those that need no model.
    pub(crate) const CLASSIC: [Self; 5] = [
        Self::BuyAndHold,
        Self::MovingAverageCrossover,
        Self::MeanReversion,
        Self::EqualRiskContribution,
        Self::NearestNeighbours,
    ];

    /// Whether it trades what a model says.
    pub(crate) const fn hears_model(self) -> bool {
        matches!(self, Self::Hybrid | Self::Model)
    }

    /// Whether it needs signals that belong to the recorded candles.
    pub(crate) const fn needs_signals(self) -> bool {
        matches!(self, Self::Hybrid | Self::Model | Self::Policy)
    }

    /// With `classic` spelled out, each once, in the order asked for.
    pub(crate) fn expand(names: &[Self]) -> Vec<Self> {
        let mut found = Vec::new();
        for name in names {
            let all: &[Self] =
                if *name == Self::Classic { &Self::CLASSIC } else { std::slice::from_ref(name) };
            for one in all {
                if !found.contains(one) {
                    found.push(*one);
                }
            }
        }
        found
    }
}

impl Configuration {
    /// Puts what the command line says on top.
    pub(crate) fn take(&mut self, arguments: &Work) {
        if let Some(out) = &arguments.out {
            self.out = Output(out.clone());
        }
        if let Some(policy) = arguments.findings {
            self.import.policy = policy;
        }
        if let Some(trials) = arguments.trials {
            self.trials = trials;
        }
        if let Some(paths) = arguments.monte_carlo {
            self.monte_carlo.paths = paths;
        }
        if let Some(paths) = arguments.candle_paths.flatten() {
            self.candle_monte_carlo.paths = paths;
        }
        self.import.plausibility.accept.extend(arguments.accept.iter().copied());
    }

    /// A strategy before its first candle, over so many instruments.
    pub(crate) fn strategy(
        &self,
        name: StrategyName,
        instruments: usize,
    ) -> Result<Box<dyn Strategy + Send>, TradingError> {
        match self.classic(name) {
            Some(classic) => classic.build(instruments),
            None => {
                let mut hybrid = self.strategies.hybrid.clone();
                // Who is not asked has no settings.
                if matches!(name, StrategyName::Model | StrategyName::Policy) {
                    hybrid.minimum_score = None;
                }
                if name == StrategyName::Model {
                    hybrid.combination = Combination::ModelOnly;
                    (hybrid.policy, hybrid.model.weight) = (PolicyThresholds::default(), None);
                }
                if name == StrategyName::Policy {
                    hybrid.combination = Combination::PolicyOnly;
                    (hybrid.model, hybrid.policy.weight) = (ModelThresholds::default(), None);
                    // A target of 0 is a decision to be out, and not to leave things as they are.
                    hybrid.position.on_hold = OnHold::Close;
                }
                Ok(Box::new(HybridStrategy::new(hybrid, instruments)?))
            }
        }
    }

    /// The settings of a strategy that needs no model.
    fn classic(&self, name: StrategyName) -> Option<StrategyConfig> {
        let strategies = self.strategies.clone();
        Some(match name {
            StrategyName::Classic | StrategyName::Hybrid | StrategyName::Model | StrategyName::Policy => {
                return None;
            }
            StrategyName::BuyAndHold => StrategyConfig::BuyAndHold(strategies.buy_and_hold),
            StrategyName::MovingAverageCrossover => {
                StrategyConfig::MovingAverageCrossover(strategies.moving_average_crossover)
            }
            StrategyName::MeanReversion => StrategyConfig::MeanReversion(strategies.mean_reversion),
            StrategyName::EqualRiskContribution => {
                StrategyConfig::EqualRiskContribution(strategies.equal_risk_contribution)
            }
            StrategyName::NearestNeighbours => {
                StrategyConfig::NearestNeighbours(strategies.nearest_neighbours)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use command_line::ConfigLoader;

    use super::*;

    #[test]
    fn reference_and_schema_are_those_of_the_types() {
        let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration/");
        for (name, text) in ConfigLoader::<Configuration>::new("simulate").documents().unwrap() {
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
        let shipped = ConfigLoader::<Configuration>::new("simulate")
            .directory(directory)
            .environment(none)
            .load()
            .unwrap();
        let defaults = Configuration::default();
        assert_eq!(serde_json::to_value(&shipped.config).unwrap(), serde_json::to_value(&defaults).unwrap());
        let text = std::fs::read_to_string(format!("{directory}/simulate.toml")).unwrap();
        let stated: toml::Table = toml::from_str(&text).unwrap();
        for section in [
            "out",
            "trials",
            "backtest",
            "costs",
            "metrics",
            "targets",
            "gate",
            "monte_carlo",
            "candle_monte_carlo",
            "regime",
            "walk_forward",
            "purged_paths",
            "strategies",
        ] {
            assert!(stated.contains_key(section), "{section}");
        }
    }

    #[test]
    fn every_kind_can_be_set_over_the_shipped_file() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config");
        let set = |variables: &[(&str, &str)]| {
            let loader = ConfigLoader::<Configuration>::new("simulate").directory(directory);
            loader
                .environment(variables.to_vec())
                .load()
                .map(|loaded| serde_json::to_value(&loaded.config).unwrap())
        };
        let slippage = "MATRELA__BACKTEST__VENUE__SLIPPAGE__";
        let (kind, coefficient) = (format!("{slippage}KIND"), format!("{slippage}COEFFICIENT"));
        let found = set(&[(&coefficient, "0.5"), (&kind, "square-root")]).unwrap();
        assert_eq!(found["backtest"]["venue"]["slippage"]["kind"], "square-root");
        let found = set(&[("MATRELA__BACKTEST__ENGINE__SIZING__METHOD", "kelly")]).unwrap();
        assert_eq!(found["backtest"]["engine"]["sizing"]["method"], "kelly");
        let found = set(&[("MATRELA__MONTE_CARLO__METHOD__KIND", "shuffle")]).unwrap();
        assert_eq!(found["monte_carlo"]["method"]["kind"], "shuffle");
        // The same kind keeps what the file says of it.
        let found = set(&[(&kind, "fixed")]).unwrap();
        assert_eq!(found["backtest"]["venue"]["slippage"]["fraction"], "0.0002");
        assert!(set(&[(&kind, "square-root"), (&format!("{slippage}FRACTION"), "0.1")]).is_err());
    }

    /// Also where what they leave out is set.
    #[test]
    fn the_parts_of_the_hybrid_stand_alone() {
        let mut configuration = Configuration::default();
        let hybrid = &mut configuration.strategies.hybrid;
        hybrid.combination = Combination::Weighted;
        (hybrid.model.weight, hybrid.policy.weight, hybrid.minimum_score) = (Some(2.0), Some(1.0), Some(0.6));
        hybrid.policy.dead_band = 0.2;
        for name in [StrategyName::Hybrid, StrategyName::Model, StrategyName::Policy] {
            configuration.strategy(name, 2).unwrap();
        }
    }

    #[test]
    fn names_are_read_and_spelled_out() {
        let names: Vec<StrategyName> =
            ["hybrid", "classic", "buy-and-hold"].iter().map(|name| name.parse().unwrap()).collect();
        let expanded = StrategyName::expand(&names);
        assert_eq!(expanded.len(), 6);
        assert_eq!(expanded[0].to_string(), "hybrid");
        let error = "hold".parse::<StrategyName>().unwrap_err().to_string();
        assert!(error.contains("buy-and-hold"), "{error}");
    }
}
