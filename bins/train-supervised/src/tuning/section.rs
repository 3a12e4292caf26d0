//! What the section `tuning` of the configuration can say.

use anyhow::{Context, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use supervised::metrics::MetricName;
use supervised::tuning::{
    Assignment, Direction, HyperbandConfig, MedianConfig, Parameter, PrunerConfig, SamplerConfig,
    SearchSpace, StudyDefinition, TpeConfig, assign,
};
use supervised::{Objective, SupervisedConfig};
use toml::Value;

/// Integers of fewer values than this are all tried out before a study begins, of others the ends alone.
const FEW_VALUES: i64 = 64;

/// How settings are searched. Flat, so that configuration layers can change one value without the others: a table of a
/// sampler or a pruner that is not chosen does nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TuningSection {
    /// Walk-forward folds of `validation_days` each; the last is that of a training.
    pub(crate) folds: u32,
    /// The seed of what is tried. That of the trainings is `supervised.seed`, the same in each trial.
    pub(crate) seed: u64,
    /// How values are suggested.
    pub(crate) sampler: SamplerKind,
    /// Its options.
    pub(crate) tpe: TpeConfig,
    /// When a trial is given up.
    pub(crate) pruner: PrunerKind,
    /// Its options.
    pub(crate) median: MedianConfig,
    /// Its options.
    pub(crate) hyperband: HyperbandSection,
    /// What is searched: paths of values in the section `supervised`.
    pub(crate) space: Vec<Parameter>,
}

/// A sampler by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SamplerKind {
    /// Tree-structured Parzen estimators.
    #[default]
    Tpe,
    /// Evenly over the space.
    Random,
}

/// A pruner by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PrunerKind {
    /// The median rule.
    #[default]
    Median,
    /// Hyperband.
    Hyperband,
    /// No trial is given up.
    None,
}

/// Hyperband without its largest resource, which is folds × epochs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HyperbandSection {
    /// Epochs before the first decision.
    pub(crate) min_resource: u64,
    /// One of so many goes on at each rung.
    pub(crate) eta: u64,
}

impl Default for HyperbandSection {
    fn default() -> Self {
        let HyperbandConfig { min_resource, eta, .. } = HyperbandConfig::default();
        Self { min_resource, eta }
    }
}

impl Default for TuningSection {
    fn default() -> Self {
        Self {
            folds: 2,
            seed: 1,
            sampler: SamplerKind::default(),
            tpe: TpeConfig::default(),
            pruner: PrunerKind::default(),
            median: MedianConfig::default(),
            hyperband: HyperbandSection::default(),
            space: default_space(),
        }
    }
}

/// What decides most by the ablations: the rates, the size, and what keeps the network from learning noise by heart.
fn default_space() -> Vec<Parameter> {
    let float =
        |key: &str, low: f64, high: f64, log: bool| Parameter::Float { key: key.into(), low, high, log };
    let choice = |key: &str, values: &[i64]| Parameter::Choice {
        key: key.into(),
        values: values.iter().copied().map(Value::Integer).collect(),
    };
    vec![
        float("learning_rate.base", 1e-4, 5e-3, true),
        float("optimiser.weight_decay", 1e-2, 10.0, true),
        choice("network.width", &[32, 48, 64, 96]),
        float("network.dropout.input", 0.0, 0.5, false),
        float("network.dropout.output", 0.0, 0.5, false),
        float("loss.smoothing", 0.0, 0.1, false),
        float("augmentation.mix_up.alpha", 0.0, 0.8, false),
        choice("segments.batch", &[16, 32, 64]),
    ]
}

impl TuningSection {
    /// The study of this section.
    pub(super) fn definition(&self, config: &SupervisedConfig, context: String) -> StudyDefinition {
        let metric = config.validation.metric;
        StudyDefinition {
            metric: metric.to_string(),
            direction: if metric.higher_is_better() { Direction::Maximise } else { Direction::Minimise },
            seed: self.seed,
            sampler: match self.sampler {
                SamplerKind::Tpe => SamplerConfig::Tpe(self.tpe.clone()),
                SamplerKind::Random => SamplerConfig::Random {},
            },
            pruner: match self.pruner {
                PrunerKind::Median => PrunerConfig::Median(self.median.clone()),
                PrunerKind::Hyperband => PrunerConfig::Hyperband(HyperbandConfig {
                    min_resource: self.hyperband.min_resource,
                    max_resource: u64::from(self.folds) * config.epochs as u64,
                    eta: self.hyperband.eta,
                }),
                PrunerKind::None => PrunerConfig::None {},
            },
            context,
            space: SearchSpace { parameters: self.space.clone() },
        }
    }

    /// Refuses what cannot be searched, before any candle is read: options out of range, keys that are none of the section
    /// `supervised` or whose search would mean nothing, and ends, choices or pairs of them that no training takes.
    ///
    /// # Errors
    /// They name the option or the values.
    pub(super) fn validate(&self, config: &SupervisedConfig) -> anyhow::Result<()> {
        ensure!((1..=20).contains(&self.folds), "`tuning.folds` is {}: give 1 to 20", self.folds);
        self.definition(config, String::new()).validate().context("section `tuning`")?;
        for parameter in &self.space {
            check_key(parameter.key(), config, &self.space)?;
        }
        let base = table(config)?;
        let tried: Vec<(&str, Vec<Value>)> =
            self.space.iter().map(|parameter| (parameter.key(), ends(parameter))).collect();
        for (at, (key, values)) in tried.iter().enumerate() {
            for value in values {
                let one = Assignment::from([((*key).to_owned(), value.clone())]);
                check_assignment(&base, &one)?;
                for (other, others) in &tried[..at] {
                    for second in others {
                        let mut both = one.clone();
                        both.insert((*other).to_owned(), second.clone());
                        check_assignment(&base, &both)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The section `supervised` as a table.
pub(super) fn table(config: &SupervisedConfig) -> anyhow::Result<toml::Table> {
    toml::Table::try_from(config).context("section `supervised`")
}

/// The configuration of a trial.
///
/// # Errors
/// Where the values are none of a configuration, or do not fit together.
pub(super) fn assigned(base: &toml::Table, assignment: &Assignment) -> anyhow::Result<SupervisedConfig> {
    let mut table = base.clone();
    assign(assignment, &mut table)?;
    let config: SupervisedConfig = table.try_into()?;
    config.validate()?;
    Ok(config)
}

fn check_assignment(base: &toml::Table, assignment: &Assignment) -> anyhow::Result<()> {
    let shown: Vec<String> = assignment.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    assigned(base, assignment)
        .map(drop)
        .with_context(|| format!("`tuning.space` allows {}, which no training takes", shown.join(" with ")))
}

/// The values of a parameter that are tried out before a study begins.
fn ends(parameter: &Parameter) -> Vec<Value> {
    match parameter {
        Parameter::Float { low, high, .. } => vec![Value::Float(*low), Value::Float(*high)],
        Parameter::Integer { low, high, step, .. } if (high - low) / step < FEW_VALUES => {
            (0..=(high - low) / step).map(|steps| Value::Integer(low + steps * step)).collect()
        }
        Parameter::Integer { low, high, .. } => vec![Value::Integer(*low), Value::Integer(*high)],
        Parameter::Choice { values, .. } => values.clone(),
    }
}

/// Refuses keys that would make trials incomparable, or that change no trial's value.
fn check_key(key: &str, config: &SupervisedConfig, space: &[Parameter]) -> anyhow::Result<()> {
    let of = |table: &str| key == table || key.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'));
    let refused = [
        ("seed", "trials are compared on the same draws, and a lucky seed is no setting"),
        ("epochs", "trials are compared epoch by epoch; set `supervised.epochs`"),
        ("preparation", "the data are prepared once for all trials"),
        ("validation.metric", "it is what trials are compared by; set `supervised.validation.metric`"),
        ("validation.batch", "it changes no result"),
        ("validation.context", "it is a part of how trials are judged"),
        ("calibration", "it is fitted after training, and changes the value of no trial"),
    ];
    for (table, reason) in refused {
        ensure!(!of(table), "`tuning.space` has `{key}`, which cannot be searched: {reason}");
    }
    ensure!(
        !(of("loss") && config.validation.metric == MetricName::Loss),
        "`tuning.space` has `{key}`, and `supervised.validation.metric` is the loss, which it changes: judge by log-loss"
    );
    if space.iter().any(|parameter| parameter.key() == "objective") {
        return Ok(());
    }
    let idle: &[(&str, &str)] = match config.objective {
        Objective::EveryStep => {
            &[("sampling.batch_size", "segments.batch"), ("sequence_length", "segments.chunk")]
        }
        Objective::LastStep => &[("segments", "sampling.batch_size")],
    };
    for (table, instead) in idle {
        ensure!(
            !of(table),
            "`tuning.space` has `{key}`, which does nothing with this `supervised.objective`; take it out, or search `{instead}`"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(space: &str, change: impl FnOnce(&mut SupervisedConfig)) -> String {
        let section: TuningSection = toml::from_str(&format!("space = [{space}]")).unwrap();
        let mut config = SupervisedConfig::default();
        change(&mut config);
        section.validate(&config).map_err(|error| format!("{error:#}")).unwrap_err()
    }

    #[test]
    fn the_default_space_gives_trainings_at_all_its_corners() {
        let section = TuningSection::default();
        let config = SupervisedConfig::default();
        section.validate(&config).unwrap();
        // All combinations, and not only the pairs that `validate` looks at.
        let base = table(&config).unwrap();
        let mut corners = vec![Assignment::new()];
        for parameter in &section.space {
            corners = corners
                .iter()
                .flat_map(|corner| {
                    ends(parameter).into_iter().map(|value| {
                        let mut corner = corner.clone();
                        corner.insert(parameter.key().to_owned(), value);
                        corner
                    })
                })
                .collect();
        }
        assert_eq!(corners.len(), 64 * 12);
        for corner in corners {
            assigned(&base, &corner).unwrap();
        }
    }

    #[test]
    fn what_means_nothing_is_not_searched() {
        let rate = r#"{ kind = "float", key = "learning_rate.base", low = 1e-4, high = 1e-3 }"#;
        let integer = |key: &str| format!(r#"{{ kind = "integer", key = "{key}", low = 1, high = 4 }}"#);
        let cases = [
            (integer("seed"), "same draws"),
            (integer("epochs"), "epoch by epoch"),
            (integer("preparation.minimum_rows_per_series"), "prepared once"),
            (integer("calibration.temperature"), "after training"),
            (integer("sampling.batch_size"), "`segments.batch`"),
            (integer("network.widht"), "widht"),
            (integer("network.heads"), "network.heads = 3"),
            (format!("{rate}, {rate}"), "there twice"),
            (String::new(), "at least one"),
        ];
        for (space, part) in cases {
            let message = refused(&space, |_| ());
            assert!(message.contains(part), "{space}: {message}");
        }
        let message = refused(&integer("segments.batch"), |config| config.objective = Objective::LastStep);
        assert!(message.contains("`sampling.batch_size`"), "{message}");
        let smoothing = r#"{ kind = "float", key = "loss.smoothing", low = 0, high = 0.1 }"#;
        let message = refused(smoothing, |config| config.validation.metric = MetricName::Loss);
        assert!(message.contains("judge by log-loss"), "{message}");
        // Each alone is fine, both together turn the decay's sign.
        let both = r#"{ kind = "float", key = "learning_rate.base", low = 1e-4, high = 0.9 },
            { kind = "float", key = "optimiser.weight_decay", low = 0.0, high = 2.0 }"#;
        let message = refused(both, |config| config.optimiser.weight_decay = 0.1);
        assert!(message.contains("learning_rate.base = 0.9 with optimiser.weight_decay = 2.0"), "{message}");
    }
}
