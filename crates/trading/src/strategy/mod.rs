//! What wants positions: the trait, what it answers, and the strategies that come with the crate.

mod buy_and_hold;
mod config;
mod equal_risk_contribution;
mod hybrid;
mod mean_reversion;
mod moving_average_crossover;
mod nearest_neighbours;
mod neighbour_memory;
mod risk_contributions;
mod rolling;
#[cfg(test)]
mod tests;
mod wish;

use serde::{Deserialize, Serialize};

pub use buy_and_hold::{BuyAndHold, BuyAndHoldConfig};
pub use config::{Direction, StrategyConfig};
pub use equal_risk_contribution::{EqualRiskContribution, EqualRiskContributionConfig};
pub use hybrid::*;
pub use mean_reversion::{MeanReversion, MeanReversionConfig};
pub use moving_average_crossover::{AverageKind, MovingAverageCrossover, MovingAverageCrossoverConfig};
pub use nearest_neighbours::{NearestNeighbours, NearestNeighboursConfig};
pub use risk_contributions::equal_risk_contribution;

use crate::exit::ExitPlan;
use crate::market::{MarketView, PortfolioView};
use crate::order::InstrumentIndex;

/// Something that decides after each moment at which candles closed.
///
/// It is a fold: what it knows of the past it remembers itself, and it sees nothing else. It has no clock and draws no random
/// numbers, so the same views lead to the same decisions in a backtest and live.
pub trait Strategy {
    /// A short name of letters and digits; its first six go into the names of orders.
    fn name(&self) -> &str;

    /// Candles of each instrument that it must have seen before it can want anything.
    fn warm_up(&self) -> usize;

    /// Writes what it wants into `decision`, which is empty at first. An instrument that is not named is left as it is.
    /// Called at every moment, also while it warms up.
    fn decide(&mut self, market: &MarketView<'_>, portfolio: &PortfolioView<'_>, decision: &mut Decision);
}

impl<S: Strategy + ?Sized> Strategy for Box<S> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn warm_up(&self) -> usize {
        (**self).warm_up()
    }

    fn decide(&mut self, market: &MarketView<'_>, portfolio: &PortfolioView<'_>, decision: &mut Decision) {
        (**self).decide(market, portfolio, decision);
    }
}

/// What a strategy wants, by instrument. The engine keeps one and reuses its memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// At most one of each instrument.
    pub targets: Vec<Target>,
    /// Why: the votes of all targets, named by instrument.
    pub votes: Vec<Vote>,
}

impl Decision {
    /// Forgets everything but its memory.
    pub fn clear(&mut self) {
        self.targets.clear();
        self.votes.clear();
    }

    /// Wants a position.
    pub fn want(&mut self, instrument: InstrumentIndex, position: TargetPosition, exits: Option<ExitPlan>) {
        self.targets.push(Target { instrument, position, exits });
    }
}

/// The position wanted in one instrument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// In what.
    pub instrument: InstrumentIndex,
    /// How much of it.
    pub position: TargetPosition,
    /// How it is left again; none leaves that to later decisions.
    pub exits: Option<ExitPlan>,
}

/// How much of an instrument is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetPosition {
    /// Nothing.
    Flat,
    /// Notional as a signed share of equity: -0.5 is short for half of what the account is worth.
    Exposure(f64),
    /// A direction; how much is left to the sizing of the risk gate.
    Long(Edge),
    /// As [`TargetPosition::Long`].
    Short(Edge),
}

/// What is expected of a trade, for sizing by edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Probability that it wins, where there is an estimate.
    pub win_probability: Option<f64>,
    /// What it wins over what it loses, where there is an estimate.
    pub payoff_ratio: Option<f64>,
}

/// Who spoke in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Voter {
    /// The class probabilities.
    Model,
    /// The learned policy.
    Policy,
    /// The trend filter.
    Trend,
    /// The regime filter.
    Regime,
    /// The volatility filter.
    Volatility,
    /// The spread filter.
    Spread,
    /// Confirmation over several candles.
    Confirmation,
    /// The pause after a trade.
    CoolDown,
    /// Hours and days of trading.
    Session,
    /// A strategy's own rule.
    Rule,
}

/// What a voter said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stance {
    /// For a long position.
    Long,
    /// For a short position.
    Short,
    /// For none.
    Flat,
    /// Lets pass what others want.
    Allows,
    /// Forbids new positions.
    Vetoes,
    /// Knows too little to say anything.
    Abstains,
}

/// One vote, with the number that led to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// About what.
    pub instrument: InstrumentIndex,
    /// Who.
    pub voter: Voter,
    /// What it says.
    pub stance: Stance,
    /// The number behind it: a probability, an exposure, a ratio; documented by the voter.
    pub value: f64,
    /// What the number was held against.
    pub threshold: f64,
}
