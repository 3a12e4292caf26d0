//! Settings of the hybrid decision.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::session::SessionFilter;
use crate::exit::ExitPlan;

/// Settings of the hybrid decision. Each filter that is stated is on; without one, nothing is filtered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HybridConfig {
    /// How the model and the policy become one direction.
    pub combination: Combination,
    /// Of `combination = "weighted"` alone: smallest |score| that is a direction, in (0, 1]; 0.5 where none is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_score: Option<f64>,
    /// When class probabilities are a direction.
    pub model: ModelThresholds,
    /// When an action is a direction.
    pub policy: PolicyThresholds,
    /// What forbids new positions.
    pub filters: HybridFilters,
    /// What a direction does to the position.
    pub position: HybridPosition,
    /// How positions are left between decisions; none leaves that to later decisions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exits: Option<ExitPlan>,
}

/// How the model and the policy become one direction. Who is not asked writes no vote. A voter that is asked and has
/// nothing to say abstains. `-` is a hold (see [`OnHold`]); `silent` opens nothing and leaves an open position as it is;
/// `(long)` closes a short position and opens nothing.
///
/// | model | policy | unanimous | model-only | policy-only | model-with-policy-veto |
/// |---|---|---|---|---|---|
/// | long | long | long | long | long | long |
/// | long | flat | - | long | - | long |
/// | long | short | - | long | short | (long) |
/// | long | abstains | silent | long | silent | long |
/// | flat | long | - | - | long | - |
/// | flat | flat | - | - | - | - |
/// | flat | short | - | - | short | - |
/// | flat | abstains | silent | - | silent | - |
/// | abstains | long | silent | silent | long | silent |
/// | abstains | flat | silent | silent | - | silent |
/// | abstains | short | silent | silent | short | silent |
/// | abstains | abstains | silent | silent | silent | silent |
///
/// and the same with long and short exchanged. `weighted` takes the score (w_m·m + w_p·p) / (w_m + w_p) with +1 for long, -1
/// for short and 0 otherwise: a direction where its absolute value reaches `minimum_score`, else a hold; silent where both
/// abstain. Who abstains keeps its weight in the denominator, so that a missing voter never makes a trade easier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Combination {
    /// Both want the same.
    #[default]
    Unanimous,
    /// The weighted mean of both.
    Weighted,
    /// The model alone.
    ModelOnly,
    /// The policy alone.
    PolicyOnly,
    /// The model, unless the policy wants the opposite.
    ModelWithPolicyVeto,
}

impl Combination {
    pub(super) const fn asks_model(self) -> bool {
        !matches!(self, Self::PolicyOnly)
    }

    pub(super) const fn asks_policy(self) -> bool {
        !matches!(self, Self::ModelOnly)
    }
}

/// When class probabilities are a direction: the likelier of sell and buy, if it is likely enough.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModelThresholds {
    /// Smallest probability of the class, in (0, 1].
    pub minimum_probability: f64,
    /// How much likelier it must be than the opposite class, in [0, 1]. Equally likely is never a direction.
    pub minimum_margin: f64,
    /// Weight, of `combination = "weighted"` alone; 1 where none is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}

impl Default for ModelThresholds {
    fn default() -> Self {
        Self { minimum_probability: 0.5, minimum_margin: 0.1, weight: None }
    }
}

/// When an action is a direction: sell and buy are one, hold is none, a target is one by its sign. A target within the dead
/// band is a hold: a policy of targets, which wants nothing by a target of 0, goes with `on_hold = "close"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyThresholds {
    /// A target up to this share of equity, either way, is no direction; in [0, 1).
    pub dead_band: f64,
    /// Weight, of `combination = "weighted"` alone; 1 where none is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
}

impl Default for PolicyThresholds {
    fn default() -> Self {
        Self { dead_band: 0.1, weight: None }
    }
}

/// What forbids opening and flipping; never closing. A filter that knows too little yet forbids them too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HybridFilters {
    /// Only with the trend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trend: Option<TrendFilter>,
    /// Only while the market trends, or only while it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regime: Option<RegimeFilter>,
    /// Only while prices move by so much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volatility: Option<VolatilityFilter>,
    /// Only while the spread is narrow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<SpreadFilter>,
    /// Only what is wanted for several candles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<ConfirmationFilter>,
    /// Not soon after a position was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cool_down: Option<CoolDownFilter>,
    /// Only at certain hours and days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionFilter>,
}

/// Lets pass long positions while close / EMA - 1 lies above `minimum_distance` and the EMA has risen over `slope_candles`;
/// short ones the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TrendFilter {
    /// Period of the EMA in candles (weight 2 / (period + 1), begun with the mean of the first `period` closes).
    pub period: u32,
    /// Candles over which its slope is taken. Over one candle it always has the sign of price minus EMA.
    pub slope_candles: u32,
    /// Smallest relative distance of the close from the EMA, at least 0.
    pub minimum_distance: f64,
}

impl Default for TrendFilter {
    fn default() -> Self {
        Self { period: 200, slope_candles: 10, minimum_distance: 0.0 }
    }
}

/// Which markets are traded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// Markets that go somewhere.
    #[default]
    Trending,
    /// Markets that do not.
    Flat,
}

/// Kaufman's efficiency ratio (P. Kaufman, Smarter Trading, 1995): |c_t - c_(t-n)| / Σ |c_i - c_(i-1)|, from 0 to 1; 0 where
/// the price did not move.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegimeFilter {
    /// n, in candles.
    pub period: u32,
    /// From this ratio on the market is trending, in (0, 1].
    pub trending_from: f64,
    /// Which regime is traded.
    pub trade: Regime,
}

impl Default for RegimeFilter {
    fn default() -> Self {
        Self { period: 20, trending_from: 0.3, trade: Regime::Trending }
    }
}

/// What volatility is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VolatilityMeasure {
    /// Wilder's average true range over the close (J. W. Wilder, New Concepts in Technical Trading Systems, 1978), begun with
    /// the mean of the first `period` true ranges.
    #[default]
    Atr,
    /// Root of the exponentially weighted mean of squared log returns (RiskMetrics Technical Document, 1996, equation 5.3)
    /// with λ = (period - 1) / (period + 1), begun with the mean of the first `period`. Per candle, not per year.
    Ewma,
}

/// Lets pass what is between two bounds, both included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VolatilityFilter {
    /// What is measured.
    pub measure: VolatilityMeasure,
    /// In candles.
    pub period: u32,
    /// Lower bound, as a share of the price.
    pub minimum: f64,
    /// Upper bound, as a share of the price.
    pub maximum: f64,
}

impl Default for VolatilityFilter {
    fn default() -> Self {
        Self { measure: VolatilityMeasure::Atr, period: 14, minimum: 0.0005, maximum: 0.05 }
    }
}

/// What an unknown spread does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnknownSpread {
    /// It forbids new positions.
    #[default]
    Vetoes,
    /// It does not matter.
    Passes,
}

/// Lets pass spreads up to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SpreadFilter {
    /// Largest spread as a share of the price.
    pub maximum: f64,
    /// What an unknown spread does; a negative one is unknown.
    pub unknown: UnknownSpread,
}

impl Default for SpreadFilter {
    fn default() -> Self {
        Self { maximum: 0.001, unknown: UnknownSpread::Vetoes }
    }
}

/// Lets pass a direction that was wanted at this candle and those before it without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConfirmationFilter {
    /// How many, this one included; at least 2.
    pub candles: u32,
}

impl Default for ConfirmationFilter {
    fn default() -> Self {
        Self { candles: 2 }
    }
}

/// A pause after a position was closed, by whom ever. It counts the candles of the instrument after the one at whose close the
/// position was first seen to be gone; a gap does not end it.
///
/// The portfolio view does not tell what a closed position brought. It counts as losing if it was losing when it was last seen,
/// or if its entry was worse than the close of the candle in which it went. A position that came and went between two
/// decisions is never seen and starts no pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CoolDownFilter {
    /// Candles after any position.
    pub candles: u32,
    /// Candles after a losing one; at least `candles`.
    pub candles_after_loss: u32,
}

impl Default for CoolDownFilter {
    fn default() -> Self {
        Self { candles: 1, candles_after_loss: 6 }
    }
}

/// Which positions may be opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AllowedSides {
    /// Long ones; the direction short only closes.
    #[default]
    LongOnly,
    /// Both.
    LongAndShort,
}

/// What the opposite direction does to an open position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnOpposite {
    /// Closes it.
    #[default]
    Close,
    /// Turns it round; where the opposite may not be opened, closes it.
    Flip,
    /// Nothing.
    Ignore,
}

/// What a hold does to an open position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnHold {
    /// Nothing.
    #[default]
    Keep,
    /// Closes it.
    Close,
}

/// How large positions are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum HybridSize {
    /// A fixed share of equity.
    Exposure {
        /// Notional over equity, above 0; above 1 needs leverage.
        share: f64,
    },
    /// As the risk gate sizes them by [`crate::strategy::Edge`]: the win probability is that of the model's class, if it was asked.
    Sizer {
        /// What a trade wins over what it loses: the distance of the target over that of the stop; none where unknown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payoff_ratio: Option<f64>,
    },
}

impl Default for HybridSize {
    fn default() -> Self {
        Self::Sizer { payoff_ratio: None }
    }
}

/// What a direction does to the position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HybridPosition {
    /// Which positions may be opened.
    pub sides: AllowedSides,
    /// What the opposite direction does.
    pub on_opposite: OnOpposite,
    /// What a hold does.
    pub on_hold: OnHold,
    /// A position younger than this many candles is not closed by directions or holds; its exits are not held back.
    pub minimum_holding: u32,
    /// How large positions are.
    pub size: HybridSize,
}

impl HybridConfig {
    /// The smallest score that is a direction.
    pub(super) fn minimum_score(&self) -> f64 {
        self.minimum_score.unwrap_or(0.5)
    }

    /// Candles after which every filter has something to say.
    pub(super) fn warm_up(&self) -> usize {
        let filters = &self.filters;
        [
            filters.trend.map(|trend| trend.period + trend.slope_candles),
            filters.regime.map(|regime| regime.period + 1),
            filters.volatility.map(|volatility| volatility.period + 1),
            filters.confirmation.map(|confirmation| confirmation.candles),
        ]
        .into_iter()
        .flatten()
        .fold(1, |longest, candles| longest.max(candles as usize))
    }
}
