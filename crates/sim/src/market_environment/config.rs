//! How environments are set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::ActionScheme;
use super::reward::{RewardTerm, WeightedReward};
use crate::error::SimError;

/// How environments are set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MarketEnvironmentConfig {
    /// How many step together.
    pub environments: usize,
    /// Rows of the frame in an observation, the decision's own included.
    pub window: usize,
    /// Cash at the start of an episode, in quote currency.
    pub cash: f64,
    /// What actions mean.
    pub actions: ActionScheme,
    /// What positions are shares of.
    pub sizing: Sizing,
    /// Whether positions below zero are allowed; without it they are wanted as zero, as on spot.
    pub shorts: bool,
    /// Notional of all positions together that is wanted at most, as a share of equity. More is scaled down.
    pub maximum_exposure: f64,
    /// A change of a position smaller than this share of equity is left alone, unless it opens, closes or turns it.
    pub rebalance_band: f64,
    /// What is rewarded: the weighted sum.
    pub rewards: Vec<WeightedReward>,
    /// What trading costs.
    pub costs: CostConfig,
    /// When an account ends.
    pub margin: MarginConfig,
    /// Where episodes begin and end.
    pub episode: EpisodeConfig,
    /// How observations are blurred in training.
    pub augmentation: Augmentation,
    /// What is seen of positions and account.
    pub account: ObservedAccount,
}

/// What is seen of positions and account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ObservedAccount {
    /// Of each asset exposure (signed notional over equity), unrealised return on its cost and candles in trade over the episode's
    /// length; of the account the logarithm of equity over the cash at the start, the drawdown, and the share of the episode that is
    /// left.
    #[default]
    Episode,
    /// Of each asset exposure, unrealised return and `h / (h + 100)` for h candles in trade. Nothing of it depends on when an episode
    /// began or how long it lasts: for a policy that is to trade without an end.
    Positions,
}

/// What positions are shares of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sizing {
    /// Of equity at the close of the decision, as [`trading::strategy::TargetPosition::Exposure`].
    #[default]
    ShareOfEquity,
    /// Of the quantity that the cash of the start buys at the close of the episode's first row (before costs). Gains are not
    /// reinvested, so what a path of positions earns is a plain sum.
    FixedQuantity,
}

/// A cost that is drawn evenly between two bounds at the start of each episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostRange {
    /// The lowest.
    pub from: f64,
    /// The highest; equal to the lowest for a cost that is always the same.
    pub to: f64,
}

impl CostRange {
    /// Always the same.
    #[must_use]
    pub const fn fixed(value: f64) -> Self {
        Self { from: value, to: value }
    }
}

/// What trading costs, as fractions of notional.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CostConfig {
    /// Fee of a taker.
    pub taker_fee: CostRange,
    /// How much worse than the market a taker trades, before the price is rounded to the tick against the order.
    pub slippage: CostRange,
    /// Lower costs at the beginning of training; absent for none.
    pub curriculum: Option<CostCurriculum>,
}

/// Costs that rise while one learns. Steps are counted per environment from the last reset; an episode keeps what it began with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CostCurriculum {
    /// Share of the costs at first.
    pub start: f64,
    /// Steps until costs are whole; they rise in a straight line.
    pub steps: u64,
}

/// When an account ends. Both ends terminate the episode.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MarginConfig {
    /// Everything is liquidated where equity falls to this share of the notional of all positions. All prices are taken to go
    /// straight from the open to the worst of the candle together, which with several assets is worse than what can be known.
    pub maintenance_rate: f64,
    /// What the venue takes for it, as a fraction of notional.
    pub liquidation_fee: f64,
    /// The account is ruined at this share of its cash at the start.
    pub ruin: f64,
}

/// Where episodes begin and end. Each lies within one run of rows without gap; data that end truncate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum EpisodeConfig {
    /// Begins at a random row of a random series, all as likely, and lasts `length` steps. Of a run that is shorter, all.
    RandomWindow {
        /// Steps, at least 1.
        length: usize,
    },
    /// Whole runs, one after the other: the first environment begins with the first, and so on.
    WholeSeries,
}

/// How observations are blurred in training; prices and accounts stay exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Standard deviation of the noise on each feature, 0 for none. A number of a row has the same noise in all windows of an
    /// episode. It is the sum of four uniform numbers, nearly normal and never beyond 3.5 deviations.
    pub feature_noise: f32,
    /// The window ends up to so many rows before the decision, drawn for each episode. It never ends after it.
    pub time_shift: usize,
}

impl Default for CostConfig {
    /// Bybit's taker fee of linear perpetuals (0.055 %), and slippage of two basis points.
    fn default() -> Self {
        Self { taker_fee: CostRange::fixed(0.000_55), slippage: CostRange::fixed(0.000_2), curriculum: None }
    }
}

impl Default for MarginConfig {
    fn default() -> Self {
        Self { maintenance_rate: 0.005, liquidation_fee: 0.0, ruin: 0.1 }
    }
}

impl Default for MarketEnvironmentConfig {
    fn default() -> Self {
        Self {
            environments: 64,
            window: 60,
            cash: 10_000.0,
            actions: ActionScheme::TargetLevels { levels: vec![-1.0, 0.0, 1.0] },
            sizing: Sizing::default(),
            shorts: true,
            maximum_exposure: 1.0,
            rebalance_band: 0.05,
            rewards: vec![WeightedReward { reward: RewardTerm::LogEquity, weight: 1.0 }],
            costs: CostConfig::default(),
            margin: MarginConfig::default(),
            episode: EpisodeConfig::RandomWindow { length: 1000 },
            augmentation: Augmentation::default(),
            account: ObservedAccount::default(),
        }
    }
}

impl MarketEnvironmentConfig {
    /// Spaces of observations and actions over portfolios of so many assets with so many columns.
    ///
    /// # Errors
    /// [`SimError::Config`] for a scheme of actions that does not fit.
    pub fn spaces(&self, assets: usize, columns: usize) -> Result<(rl::Space, rl::Space), SimError> {
        let width = assets * self.window * columns + self.account.width(assets);
        Ok((rl::Space::unbounded(width), self.actions.space(assets, self.shorts)?))
    }

    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`SimError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), SimError> {
        let check = |fits: bool, field: &'static str, value: f64, remedy: &'static str| {
            if fits { Ok(()) } else { Err(SimError::config(field, value, remedy)) }
        };
        let positive = |value: f64| value.is_finite() && value > 0.0;
        check(self.environments > 0, "environments", self.environments as f64, "give at least 1")?;
        check(self.window > 0, "window", self.window as f64, "give at least 1 row")?;
        check(positive(self.cash), "cash", self.cash, "give an amount above 0")?;
        let exposure = self.maximum_exposure;
        check(positive(exposure), "maximum_exposure", exposure, "give a share of equity above 0, such as 1")?;
        let band = self.rebalance_band;
        check(
            (0.0..1.0).contains(&band),
            "rebalance_band",
            band,
            "give a share of equity from 0 to below 1",
        )?;
        self.actions.validate()?;
        if self.rewards.is_empty() {
            return Err(SimError::config("rewards", "[]", "give at least one term"));
        }
        self.rewards.iter().try_for_each(WeightedReward::validate)?;
        self.costs.validate()?;
        let MarginConfig { maintenance_rate, liquidation_fee, ruin } = self.margin;
        let fraction = "give a fraction from 0 to below 1";
        check((0.0..1.0).contains(&maintenance_rate), "margin.maintenance_rate", maintenance_rate, fraction)?;
        check((0.0..1.0).contains(&liquidation_fee), "margin.liquidation_fee", liquidation_fee, fraction)?;
        check((0.0..1.0).contains(&ruin), "margin.ruin", ruin, fraction)?;
        if let EpisodeConfig::RandomWindow { length: 0 } = self.episode {
            return Err(SimError::config("episode.length", 0, "give at least 1 step"));
        }
        let noise = self.augmentation.feature_noise;
        let fits = noise.is_finite() && noise >= 0.0;
        check(fits, "augmentation.feature_noise", f64::from(noise), "give a deviation of at least 0")
    }
}

impl CostConfig {
    fn validate(&self) -> Result<(), SimError> {
        for (field, range) in [("costs.taker_fee", self.taker_fee), ("costs.slippage", self.slippage)] {
            // Rebates are for makers, and here everything takes.
            if !(range.from >= 0.0 && range.from <= range.to && range.to < 0.5) {
                let remedy = "give fractions of notional with 0 <= from <= to < 0.5";
                return Err(SimError::config(field, format!("{} to {}", range.from, range.to), remedy));
            }
        }
        match self.curriculum {
            Some(CostCurriculum { start, .. }) if !(0.0..=1.0).contains(&start) => {
                Err(SimError::config("costs.curriculum.start", start, "give a share from 0 to 1"))
            }
            _ => Ok(()),
        }
    }
}
