//! What actions mean.

use rl::{Action, Actions, RlError, Space};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::SimError;

/// What actions mean. Positions are signed shares; see [`super::Sizing`] for what they are shares of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scheme", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ActionScheme {
    /// Of each asset: 0 holds, 1 buys, 2 sells. Buying wants `exposure`, selling wants it short (nothing where shorts are not
    /// allowed).
    BuySellHold {
        /// The share, above 0.
        exposure: f64,
    },
    /// Of each asset: one of some target positions.
    TargetLevels {
        /// The positions, as -1, 0, 1.
        levels: Vec<f64>,
    },
    /// Of each asset: any target position between `-maximum` (0 where shorts are not allowed) and `maximum`. What lies outside is
    /// brought to the border.
    ContinuousTarget {
        /// The largest position, above 0.
        maximum: f64,
    },
    /// One asset and its target position; the others stay as they are.
    AssetAndSize {
        /// The positions.
        sizes: Vec<f64>,
    },
    /// Of each asset: target position, stop and profit target. The bracket holds from the fill that opens (or turns) the position
    /// until it is closed; choices in between change the size only. A stop trades as a taker at its price, or at the open beyond
    /// it; a profit target where the price went beyond it; both in one candle is the stop. Distance 0 is no stop (or target).
    Brackets {
        /// The positions.
        levels: Vec<f64>,
        /// Distances of the stop as fractions of the entry price.
        stops: Vec<f64>,
        /// Distances of the profit target as fractions of the entry price.
        targets: Vec<f64>,
    },
    /// Of each asset: a base position and what is added to it, `deviation` times a number between -1 and 1.
    BasePortfolio {
        /// Positions without action, one per asset.
        base: Vec<f64>,
        /// The largest deviation, above 0.
        deviation: f64,
    },
}

/// What an action wants of one asset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Intention {
    /// Signed share; not a number to leave the position as it is.
    pub share: f64,
    pub stop: f64,
    pub target: f64,
}

impl Intention {
    pub(super) const HOLD: Self = Self { share: f64::NAN, stop: 0.0, target: 0.0 };

    const fn position(share: f64) -> Self {
        Self { share, stop: 0.0, target: 0.0 }
    }
}

impl ActionScheme {
    pub(super) fn validate(&self) -> Result<(), SimError> {
        let above_zero = |field: &'static str, value: f64| {
            if value.is_finite() && value > 0.0 {
                return Ok(());
            }
            Err(SimError::config(field, value, "give a share above 0, such as 1"))
        };
        let positions = |field: &'static str, levels: &[f64]| {
            if !levels.is_empty() && levels.iter().all(|level| level.is_finite()) {
                return Ok(());
            }
            Err(SimError::config(
                field,
                format!("{levels:?}"),
                "give at least one finite position, as -1, 0, 1",
            ))
        };
        let distances = |field: &'static str, values: &[f64]| {
            if !values.is_empty() && values.iter().all(|value| (0.0..1.0).contains(value)) {
                return Ok(());
            }
            let remedy = "give at least one fraction from 0 (none) to below 1, as 0, 0.01, 0.02";
            Err(SimError::config(field, format!("{values:?}"), remedy))
        };
        match self {
            Self::BuySellHold { exposure } => above_zero("actions.exposure", *exposure),
            Self::TargetLevels { levels } => positions("actions.levels", levels),
            Self::ContinuousTarget { maximum } => above_zero("actions.maximum", *maximum),
            Self::AssetAndSize { sizes } => positions("actions.sizes", sizes),
            Self::Brackets { levels, stops, targets } => {
                positions("actions.levels", levels)?;
                distances("actions.stops", stops)?;
                distances("actions.targets", targets)
            }
            Self::BasePortfolio { base, deviation } => {
                positions("actions.base", base)?;
                above_zero("actions.deviation", *deviation)
            }
        }
    }

    /// The space of actions over `assets`.
    pub(super) fn space(&self, assets: usize, shorts: bool) -> Result<Space, SimError> {
        let choices = |count: usize| {
            if assets == 1 {
                Space::Discrete { count }
            } else {
                Space::MultiDiscrete { counts: vec![count; assets] }
            }
        };
        let between = |low: f64, high: f64| Space::Continuous {
            low: vec![low as f32; assets],
            high: vec![high as f32; assets],
        };
        Ok(match self {
            Self::BuySellHold { .. } => choices(3),
            Self::TargetLevels { levels } => choices(levels.len()),
            Self::ContinuousTarget { maximum } => between(if shorts { -maximum } else { 0.0 }, *maximum),
            Self::AssetAndSize { sizes } => Space::MultiDiscrete { counts: vec![assets, sizes.len()] },
            Self::Brackets { levels, stops, targets } => {
                Space::MultiDiscrete { counts: [levels.len(), stops.len(), targets.len()].repeat(assets) }
            }
            Self::BasePortfolio { base, .. } if base.len() != assets => {
                let remedy = "give one position for each series of a portfolio";
                return Err(SimError::config("actions.base", format!("{base:?}"), remedy));
            }
            Self::BasePortfolio { .. } => between(-1.0, 1.0),
        })
    }

    /// What one action wants of each asset. [`check`] came before: choices that the scheme does not have hold.
    pub(super) fn decode(&self, action: Action<'_>, wanted: &mut [Intention]) {
        wanted.fill(Intention::HOLD);
        let level = |levels: &[f64], choice: usize| {
            levels.get(choice).map_or(Intention::HOLD, |share| Intention::position(*share))
        };
        match (self, action) {
            (_, Action::Discrete(choice)) => {
                if let Some(one) = wanted.first_mut() {
                    *one = self.choice(choice);
                }
            }
            (Self::AssetAndSize { sizes }, Action::MultiDiscrete(&[asset, size])) => {
                if let Some(one) = wanted.get_mut(asset) {
                    *one = level(sizes, size);
                }
            }
            (Self::Brackets { levels, stops, targets }, Action::MultiDiscrete(choices)) => {
                for (one, choice) in wanted.iter_mut().zip(choices.chunks_exact(3)) {
                    let distance = |all: &[f64], at: usize| all.get(at).copied().unwrap_or(0.0);
                    *one = Intention {
                        stop: distance(stops, choice[1]),
                        target: distance(targets, choice[2]),
                        ..level(levels, choice[0])
                    };
                }
            }
            (_, Action::MultiDiscrete(choices)) => {
                for (one, choice) in wanted.iter_mut().zip(choices) {
                    *one = self.choice(*choice);
                }
            }
            (Self::BasePortfolio { base, deviation }, Action::Continuous(values)) => {
                for ((one, base), value) in wanted.iter_mut().zip(base).zip(values) {
                    *one = Intention::position(base + deviation * f64::from(value.clamp(-1.0, 1.0)));
                }
            }
            (Self::ContinuousTarget { maximum }, Action::Continuous(values)) => {
                for (one, value) in wanted.iter_mut().zip(values) {
                    *one = Intention::position(f64::from(*value).clamp(-maximum, *maximum));
                }
            }
            (_, Action::Continuous(_)) => {}
        }
    }

    fn choice(&self, choice: usize) -> Intention {
        match self {
            Self::BuySellHold { exposure } => match choice {
                1 => Intention::position(*exposure),
                2 => Intention::position(-exposure),
                _ => Intention::HOLD,
            },
            Self::TargetLevels { levels } => {
                levels.get(choice).map_or(Intention::HOLD, |share| Intention::position(*share))
            }
            _ => Intention::HOLD,
        }
    }
}

/// Whether there is an action of the space for each environment.
pub(super) fn check(space: &Space, environments: usize, actions: &Actions) -> Result<(), RlError> {
    let problem = match (space, actions) {
        (Space::Discrete { count }, Actions::Discrete(all)) if all.len() == environments => {
            all.iter().position(|choice| choice >= count)
        }
        (Space::MultiDiscrete { counts }, Actions::MultiDiscrete(all, parts))
            if *parts == counts.len() && all.len() == environments * parts =>
        {
            let outside = |row: &[usize]| row.iter().zip(counts).any(|(choice, count)| choice >= count);
            all.chunks_exact(*parts).position(outside)
        }
        (Space::Continuous { low, .. }, Actions::Continuous(all, width))
            if *width == low.len() && all.len() == environments * width =>
        {
            all.chunks_exact(*width).position(|row| row.iter().any(|value| !value.is_finite()))
        }
        _ => {
            let problem = format!("they are not one of {space:?} for each of {environments} environments");
            return Err(RlError::Shape { what: "the actions", problem });
        }
    };
    problem.map_or(Ok(()), |index| {
        let problem = format!("that of environment {index} is not of {space:?}; give choices that there are");
        Err(RlError::Shape { what: "the actions", problem })
    })
}
