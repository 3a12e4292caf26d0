//! What `config/optimize-labels.toml`, the environment and `--set` can say.

use std::path::PathBuf;

use clap::ValueEnum;
use labels::splits::SplitSetting;
use labels::threshold_search::{Goal, Objective, Symmetry};
use labels::{
    AdaptiveThreshold, Ambiguous, BarrierUnit, FixedThreshold, HorizonReturn, Labeler, OnTimeout, Threshold,
    TrendScanning, TripleBarrier,
};
use market_data::import::ImportOptions;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The configuration of this program. Arguments on the command line win over it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Configuration {
    /// Shares of sell, hold and buy.
    pub(crate) target: [f64; 3],
    /// How far ahead every labeler looks, in candles.
    pub(crate) horizon: u32,
    /// Which labelers.
    pub(crate) labeler: Which,
    /// The series with the most candles; absent: all.
    pub(crate) max_symbols: Option<u32>,
    /// Whose shares count.
    pub(crate) objective: Objective,
    /// One threshold for both sides, or one for each.
    pub(crate) symmetry: Symmetry,
    /// How far a pooled share may be from its target.
    pub(crate) tolerance: f64,
    /// Where the results are written.
    pub(crate) out: PathBuf,
    /// Where the figure is written; absent: beside the results.
    pub(crate) figure: Option<PathBuf>,
    /// Which time is searched.
    pub(crate) split: SplitSetting,
    /// Horizon returns.
    pub(crate) horizon_return: HorizonSection,
    /// Triple barriers.
    pub(crate) triple_barrier: BarrierSection,
    /// Trend scanning.
    pub(crate) trend_scanning: TrendSection,
    /// How files are read and judged.
    pub(crate) import: ImportOptions,
}

/// Which labelers are optimised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Which {
    /// The return over a fixed horizon.
    Horizon,
    /// The barrier that is touched first.
    TripleBarrier,
    /// The most significant trend ahead.
    TrendScanning,
    /// All three.
    #[default]
    All,
}

/// What of a horizon return is not sought.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HorizonSection {
    /// Whether the threshold follows the volatility.
    adaptive: bool,
    /// Smallest adaptive threshold, log return.
    minimum: f64,
    /// Largest adaptive threshold, log return.
    maximum: f64,
    /// How many returns the volatility is of.
    volatility_window: u32,
}

/// What of a triple barrier is not sought.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BarrierSection {
    /// What distances are measured in.
    unit: Unit,
    /// Period of the average true range.
    atr_period: u32,
    /// What is assumed where one candle touches both barriers.
    ambiguous: Ambiguous,
}

/// What the distance of a barrier is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    /// Multiples of the average true range.
    Atr,
    /// A fraction of the price.
    Fraction,
}

/// What of trend scanning is not sought.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TrendSection {
    /// Shortest window in closes.
    pub(crate) minimum_window: u32,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            target: [0.33, 0.34, 0.33],
            horizon: 12,
            labeler: Which::default(),
            max_symbols: None,
            objective: Objective::default(),
            symmetry: Symmetry::Asymmetric,
            tolerance: 0.02,
            out: PathBuf::from("threshold_sweep_results.json"),
            figure: None,
            split: SplitSetting::default(),
            horizon_return: HorizonSection::default(),
            triple_barrier: BarrierSection::default(),
            trend_scanning: TrendSection::default(),
            import: ImportOptions::default(),
        }
    }
}

impl Default for HorizonSection {
    fn default() -> Self {
        let AdaptiveThreshold { minimum, maximum, volatility_window, .. } = AdaptiveThreshold::default();
        Self { adaptive: true, minimum, maximum, volatility_window }
    }
}

impl Default for BarrierSection {
    fn default() -> Self {
        Self { unit: Unit::Atr, atr_period: 14, ambiguous: Ambiguous::default() }
    }
}

impl Default for TrendSection {
    fn default() -> Self {
        Self { minimum_window: 5 }
    }
}

impl Configuration {
    /// Puts what the command line says on top.
    pub(crate) fn take(&mut self, arguments: &crate::Search) {
        fn put<T: Clone>(into: &mut T, given: Option<&T>) {
            if let Some(given) = given {
                into.clone_from(given);
            }
        }
        put(&mut self.target, arguments.target.as_ref());
        put(&mut self.horizon, arguments.horizon.as_ref());
        put(&mut self.labeler, arguments.labeler.as_ref());
        put(&mut self.objective, arguments.objective.as_ref());
        put(&mut self.symmetry, arguments.symmetry.as_ref());
        put(&mut self.tolerance, arguments.tolerance.as_ref());
        put(&mut self.out, arguments.out.as_ref());
        put(&mut self.import.policy, arguments.findings.as_ref());
        self.max_symbols = arguments.max_symbols.or(self.max_symbols);
        self.figure = arguments.figure.clone().or(self.figure.take());
        self.import.plausibility.accept.extend(arguments.accept.iter().copied());
    }

    /// The labelers to optimise; their thresholds are yet to be found.
    pub(crate) fn labelers(&self) -> Vec<Labeler> {
        let HorizonSection { adaptive, minimum, maximum, volatility_window } = self.horizon_return;
        let threshold = if adaptive {
            let rest = AdaptiveThreshold::default();
            Threshold::Adaptive(AdaptiveThreshold { minimum, maximum, volatility_window, ..rest })
        } else {
            Threshold::Fixed(FixedThreshold::default())
        };
        let BarrierSection { unit, atr_period, ambiguous } = self.triple_barrier;
        let unit = match unit {
            Unit::Atr => BarrierUnit::Atr { period: atr_period },
            Unit::Fraction => BarrierUnit::Fraction,
        };
        let all = [
            (Which::Horizon, Labeler::HorizonReturn(HorizonReturn { horizon: self.horizon, threshold })),
            (
                Which::TripleBarrier,
                Labeler::TripleBarrier(TripleBarrier {
                    unit,
                    ambiguous,
                    on_timeout: OnTimeout::Hold,
                    ..TripleBarrier::unfitted(self.horizon)
                }),
            ),
            (
                Which::TrendScanning,
                Labeler::TrendScanning(TrendScanning {
                    minimum_window: self.trend_scanning.minimum_window,
                    // A window of closes begins with the candle itself.
                    maximum_window: self.horizon.saturating_add(1),
                    ..TrendScanning::default()
                }),
            ),
        ];
        let wanted = |which: Which| self.labeler == Which::All || self.labeler == which;
        all.into_iter().filter(|(which, _)| wanted(*which)).map(|(_, labeler)| labeler).collect()
    }

    /// What is sought for `labeler`.
    pub(crate) fn goal(&self, labeler: &Labeler) -> Goal {
        let has_two = match labeler {
            Labeler::HorizonReturn(_) => true,
            // Its distances depend on each other, and are sought in turns only where each is a quantile.
            Labeler::TripleBarrier(barrier) => {
                barrier.ambiguous != Ambiguous::NoLabel && self.objective == Objective::Pooled
            }
            Labeler::TrendScanning(_) => false,
        };
        Goal {
            target: self.target,
            symmetry: if has_two { self.symmetry } else { Symmetry::Symmetric },
            objective: self.objective,
            tolerance: self.tolerance,
        }
    }
}

/// Reads `0.33,0.34,0.33`.
pub(crate) fn target(text: &str) -> Result<[f64; 3], String> {
    let shares: Result<Vec<f64>, _> = text.split(',').map(|share| share.trim().parse::<f64>()).collect();
    let shares = shares.ok().and_then(|shares| <[f64; 3]>::try_from(shares).ok());
    let Some(shares) = shares.filter(|shares| shares.iter().all(|share| (0.0..=1.0).contains(share))) else {
        return Err(
            "give three shares from 0 to 1 for sell, hold and buy, for example 0.33,0.34,0.33".to_owned()
        );
    };
    check_sum(shares).map(|()| shares)
}

/// Refuses shares that are not together 1; they are not scaled, because what was meant is not known.
pub(crate) fn check_sum(shares: [f64; 3]) -> Result<(), String> {
    let sum: f64 = shares.iter().sum();
    if (sum - 1.0).abs() <= 1e-6 {
        return Ok(());
    }
    let remedy = if sum > 0.0 {
        let [sell, hold, _] = shares.map(|share| (share / sum * 1e4).round() / 1e4);
        format!("in the same proportion they are {sell},{hold},{:.4}", 1.0 - sell - hold)
    } else {
        "for example 0.33,0.34,0.33".to_owned()
    };
    Err(format!("the shares of sell, hold and buy sum to {sum:.6}, not to 1; {remedy}"))
}

/// Reads a word that `T` knows in configuration files, so that both have the same words.
pub(crate) fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use command_line::ConfigLoader;

    use super::*;

    #[test]
    fn reference_and_schema_are_those_of_the_types() {
        let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration/");
        for (name, text) in ConfigLoader::<Configuration>::new("optimize-labels").documents().unwrap() {
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
        let path = format!("{directory}/optimize-labels.toml");
        let shipped = ConfigLoader::<Configuration>::new("optimize-labels")
            .directory(directory)
            .environment(none)
            .load()
            .unwrap();
        let defaults = Configuration::default();
        assert_eq!(serde_json::to_value(&shipped.config).unwrap(), serde_json::to_value(&defaults).unwrap());
        // Every value that has a default is stated.
        let text = std::fs::read_to_string(path).unwrap();
        let stated: toml::Table = toml::from_str(&text).unwrap();
        for key in ["target", "horizon", "labeler", "objective", "symmetry", "tolerance", "out", "split"] {
            assert!(stated.contains_key(key), "{key}");
        }
    }

    #[test]
    fn targets() {
        assert_eq!(target("0.33,0.34,0.33").unwrap(), [0.33, 0.34, 0.33]);
        assert_eq!(target("1, 0, 0").unwrap(), [1.0, 0.0, 0.0]);
        for (text, part) in [
            ("0.3,0.3,0.3", "0.3333,0.3333,0.3334"),
            ("0.33,0.33,0.33", "0.990000"),
            ("0.5,0.5", "three shares"),
            ("a,b,c", "three shares"),
            ("-0.5,1,0.5", "three shares"),
            ("nan,0.5,0.5", "three shares"),
            ("0,0,0", "for example"),
        ] {
            let error = target(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn every_labeler_looks_as_far_as_the_horizon() {
        let configuration = Configuration { horizon: 7, ..Default::default() };
        let windows: Vec<u32> = configuration.labelers().iter().map(Labeler::window).collect();
        assert_eq!(windows, [7, 7, 7]);
        let one = Configuration { labeler: Which::TripleBarrier, ..configuration };
        assert_eq!(one.labelers()[0].name(), "triple-barrier");
    }
}
