//! What is wanted of the exits of a position.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;

/// Most rungs of a ladder.
pub const LARGEST_LADDER: usize = 4;

/// By how much the shares of a ladder may exceed 1: three thirds written as floats still are one position.
const SHARE_TOLERANCE: f64 = 1e-9;

/// How far away a stop lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum StopRule {
    /// A fraction of the price that it is measured from: 0.02 is 2 %. Above 0, below 1.
    Fraction(f64),
    /// A multiple of the average true range, see [`crate::indicator::AverageTrueRange`].
    Atr {
        /// How many average true ranges; above 0.
        multiple: f64,
    },
}

/// How much profit, as a distance of the price from the average entry price.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ProfitRule {
    /// A fraction of the entry price; above 0.
    Fraction(f64),
    /// A multiple of the average true range at the entry.
    Atr {
        /// How many average true ranges; above 0.
        multiple: f64,
    },
    /// A multiple of the initial risk R: the distance from the entry price to the first place of `stop`.
    Risk {
        /// How many R; above 0.
        multiple: f64,
    },
}

/// A stop that follows the most favourable price and never goes back.
///
/// With [`StopRule::Atr`] it is the chandelier exit (LeBeau): most favourable price less a multiple of the
/// ATR of now, or of the last one known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrailingStop {
    /// How far behind the most favourable price; a fraction is one of that price.
    pub distance: StopRule,
    /// The profit that must have been seen before it starts; none starts it with the position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<ProfitRule>,
}

/// Moves the stop to the entry price once there was a profit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakEven {
    /// The profit that must have been seen.
    pub activation: ProfitRule,
    /// How far beyond the entry price the stop goes, as a fraction of it: what fees and slippage of both
    /// trades cost.
    #[serde(default)]
    pub offset: f64,
}

/// One rung of the ladder of targets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfitTarget {
    /// Where it lies.
    pub distance: ProfitRule,
    /// The share of the position that leaves there; above 0, at most 1.
    pub share: f64,
}

/// Closes a position because of its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeStop {
    /// Candles after which it is closed; at least 1. Additions do not make a position younger.
    pub candles: u32,
    /// Only while the close is no better than the entry price, before fees. A position that is in profit when
    /// its time comes is closed by the first later candle that closes without one.
    #[serde(default)]
    pub unless_in_profit: bool,
}

/// How a position is left. The default does nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExitPlan {
    /// The first stop, measured from the average entry price. Its distance is the initial risk R.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopRule>,
    /// A stop that follows the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trailing: Option<TrailingStop>,
    /// A stop at the entry price after a profit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub break_even: Option<BreakEven>,
    /// The ladder, without gaps; rungs are numbered in this order from 0. What its shares do not cover is
    /// left to the stop.
    #[serde(with = "targets")]
    #[schemars(with = "Vec<ProfitTarget>", length(max = LARGEST_LADDER))]
    pub targets: [Option<ProfitTarget>; LARGEST_LADDER],
    /// Closes by age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_stop: Option<TimeStop>,
    /// Whether a signal for the other direction closes the position.
    pub opposite_signal: bool,
}

impl ExitPlan {
    /// Whether every number makes sense.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), TradingError> {
        if let Some(rule) = self.stop {
            stop_rule("exits.stop", rule)?;
        }
        if let Some(trailing) = self.trailing {
            stop_rule("exits.trailing.distance", trailing.distance)?;
            if let Some(rule) = trailing.activation {
                self.profit_rule("exits.trailing.activation", rule)?;
            }
        }
        if let Some(break_even) = self.break_even {
            self.profit_rule("exits.break_even.activation", break_even.activation)?;
            let offset = break_even.offset;
            let remedy = "give a fraction of the entry price from 0 to below 1, such as 0.001";
            require((0.0..1.0).contains(&offset), "exits.break_even.offset", offset, remedy)?;
            if let ProfitRule::Fraction(activation) = break_even.activation {
                let remedy =
                    "give less than break_even.activation, or the stop is beyond the price when it is set";
                require(offset < activation, "exits.break_even.offset", offset, remedy)?;
            }
        }
        let candles = self.time_stop.map_or(1, |stop| stop.candles);
        require(
            candles >= 1,
            "exits.time_stop.candles",
            f64::from(candles),
            "give at least 1, or leave it out",
        )?;
        self.ladder()
    }

    /// Whether some distance is measured in average true ranges, so that the plan cannot be placed before one is known.
    #[must_use]
    pub fn needs_average_true_range(&self) -> bool {
        let in_stop = |rule: &StopRule| matches!(rule, StopRule::Atr { .. });
        let in_profit = |rule: &ProfitRule| matches!(rule, ProfitRule::Atr { .. });
        let trailing = self.trailing.as_ref();
        self.stop.as_ref().is_some_and(in_stop)
            || trailing.is_some_and(|trailing| in_stop(&trailing.distance))
            || trailing.and_then(|trailing| trailing.activation.as_ref()).is_some_and(in_profit)
            || self.break_even.as_ref().is_some_and(|break_even| in_profit(&break_even.activation))
            || self.targets.iter().flatten().any(|target| in_profit(&target.distance))
    }

    fn ladder(&self) -> Result<(), TradingError> {
        let rungs = self.targets.iter().flatten().count();
        let gapless = self.targets.iter().take(rungs).all(Option::is_some);
        require(
            gapless,
            "exits.targets",
            rungs as f64,
            "give the rungs from the first place on, without gaps",
        )?;
        let mut sum = 0.0;
        for target in self.targets.iter().flatten() {
            self.profit_rule("exits.targets.distance", target.distance)?;
            let sound = target.share > 0.0 && target.share <= 1.0;
            require(sound, "exits.targets.share", target.share, "give a share above 0, at most 1")?;
            sum += target.share;
        }
        require(sum <= 1.0 + SHARE_TOLERANCE, "exits.targets.share", sum, "give shares that sum to at most 1")
    }

    /// Whether the shares cover the whole position.
    pub(super) fn covers_all(&self) -> bool {
        self.targets.iter().flatten().map(|target| target.share).sum::<f64>() >= 1.0 - SHARE_TOLERANCE
    }

    fn profit_rule(&self, field: &'static str, rule: ProfitRule) -> Result<(), TradingError> {
        let value = match rule {
            ProfitRule::Fraction(value) => value,
            ProfitRule::Atr { multiple } => multiple,
            ProfitRule::Risk { multiple } => {
                let remedy = "state exits.stop, whose distance is R, or measure by fraction or ATR";
                require(self.stop.is_some(), field, multiple, remedy)?;
                multiple
            }
        };
        require(value > 0.0 && value.is_finite(), field, value, "give a number above 0")
    }
}

fn stop_rule(field: &'static str, rule: StopRule) -> Result<(), TradingError> {
    match rule {
        StopRule::Fraction(value) => require(
            value > 0.0 && value < 1.0,
            field,
            value,
            "give a fraction above 0 and below 1: 0.02 is 2 %",
        ),
        StopRule::Atr { multiple } => {
            require(multiple > 0.0 && multiple.is_finite(), field, multiple, "give a multiple above 0")
        }
    }
}

fn require(sound: bool, field: &'static str, value: f64, remedy: &'static str) -> Result<(), TradingError> {
    if sound { Ok(()) } else { Err(TradingError::config(field, value, remedy)) }
}

/// A ladder is written as a list of its rungs, since TOML has no word for an empty place.
mod targets {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::{LARGEST_LADDER, ProfitTarget};

    type Targets = [Option<ProfitTarget>; LARGEST_LADDER];

    pub(super) fn serialize<S: Serializer>(targets: &Targets, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(targets.iter().flatten())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Targets, D::Error> {
        let given = Vec::<ProfitTarget>::deserialize(deserializer)?;
        if given.len() > LARGEST_LADDER {
            let problem = format!("exits.targets has {} rungs: give at most {LARGEST_LADDER}", given.len());
            return Err(D::Error::custom(problem));
        }
        let mut targets = Targets::default();
        targets.iter_mut().zip(given).for_each(|(place, target)| *place = Some(target));
        Ok(targets)
    }
}
