//! Markets whose truth is known, what is learned on them, and how far that is from the best.
//!
//! - *Clairvoyant*: independent returns, of which the next one (or two) can be seen. The best after costs can be computed.
//! - *Noise*: the same returns, of which only past ones can be seen. The best is not to trade.
//!
//! Training and judging never share a market: a market is of a seed, and the ranges of seeds do not meet.

mod judgement;
mod learner;
mod market;
mod optimum;

use std::sync::Arc;

pub(crate) use self::judgement::{Estimate, Played, play, play_at_random};
pub(crate) use self::learner::{Algorithm, Settings};
pub(crate) use self::market::{DEVIATION, Fault, Kind, STEPS, frames};
pub(crate) use self::optimum::{InformedPolicy, best_with_foresight};

pub(crate) type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// First seed of the markets that settings were chosen on.
pub(crate) const CHOSEN_ON: u64 = 500_000;
/// First seed of the markets that results are of.
pub(crate) const JUDGED_ON: u64 = 900_000;
/// How many markets judge.
pub(crate) const JUDGES: usize = 64;

/// One training run and its judgement.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) kind: Kind,
    /// Next returns that the clairvoyant market shows, 1 or 2.
    pub(crate) foresight: usize,
    /// What is broken on purpose.
    pub(crate) fault: Option<Fault>,
    pub(crate) seed: u64,
    /// First seed of the markets that judge.
    pub(crate) judged_on: u64,
    pub(crate) settings: Settings,
}

/// What a trial showed, over new markets.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// Of the clairvoyant market.
    Earned {
        /// Profit over that of the best path with all prices known, mean over markets.
        of_perfect_foresight: Estimate,
        /// The same of the best policy that sees what the learner sees.
        best_informed: Estimate,
        /// Profit over that of the best policy that sees the same, all markets together.
        of_best_informed: f64,
    },
    /// Of the noise market.
    Traded {
        /// Turnover over that of a uniformly random agent, mean over markets.
        of_random: Estimate,
        /// Share of steps with an open position.
        exposed: f64,
        /// Notional per step over equity.
        turnover: f64,
        /// That of the random agent.
        random_turnover: f64,
    },
}

/// Share of the best profit, lower end of the interval, that a clairvoyant must reach.
pub(crate) const LEAST_SHARE: f64 = 0.9;
/// Share of a random agent's turnover, upper end of the interval, that is left on noise.
pub(crate) const MOST_TURNOVER: f64 = 0.01;
/// Share of steps with a position that is left on noise: who opens one and keeps it has as little turnover, but is not flat.
pub(crate) const MOST_EXPOSED: f64 = 0.05;

impl Verdict {
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Earned { of_perfect_foresight: share, .. } => share.mean - share.half_width >= LEAST_SHARE,
            Self::Traded { of_random: share, exposed, .. } => {
                share.mean + share.half_width <= MOST_TURNOVER && *exposed <= MOST_EXPOSED
            }
        }
    }
}

impl Trial {
    /// Learns, and judges on new markets.
    pub(crate) fn run(&self) -> Fallible<Verdict> {
        let trained_on = frames(self.kind, self.foresight, self.fault, self.training_seeds())?;
        let mut learned = self.settings.learn(self.kind, self.fault, trained_on, self.seed)?;
        let seeds = self.judged_on..self.judged_on + JUDGES as u64;
        let judges = frames(self.kind, self.foresight, self.fault, seeds)?;
        // Judges charge the costs in any case: who learned without them has not learned the market.
        let played = play(self.kind, &judges, &mut learned)?;
        match self.kind {
            Kind::Clairvoyant => self.earned(&judges, &played),
            Kind::Noise => {
                let random = play_at_random(self.kind, &judges, self.judged_on)?;
                let shares: Vec<f64> =
                    played.iter().zip(&random).map(|(one, random)| one.turnover / random.turnover).collect();
                Ok(Verdict::Traded {
                    of_random: Estimate::of(&shares),
                    exposed: mean(&played, |one| one.exposed),
                    turnover: mean(&played, |one| one.turnover),
                    random_turnover: mean(&random, |one| one.turnover),
                })
            }
        }
    }

    fn earned(
        &self,
        judges: &Arc<sim::market_environment::MarketFrames>,
        played: &[Played],
    ) -> Fallible<Verdict> {
        let optimum = best_with_foresight(judges)?;
        let mut informed = InformedPolicy::of(self.foresight);
        let best = play(self.kind, judges, &mut informed)?;
        let shares = |played: &[Played]| -> Vec<f64> {
            played.iter().zip(&optimum).map(|(one, optimum)| one.profit / optimum).collect()
        };
        Ok(Verdict::Earned {
            of_perfect_foresight: Estimate::of(&shares(played)),
            best_informed: Estimate::of(&shares(&best)),
            of_best_informed: mean(played, |one| one.profit) / mean(&best, |one| one.profit),
        })
    }

    /// 16 markets for each seed.
    fn training_seeds(&self) -> std::ops::Range<u64> {
        self.seed * 16..self.seed * 16 + 16
    }
}

fn mean(played: &[Played], value: impl Fn(&Played) -> f64) -> f64 {
    played.iter().map(value).sum::<f64>() / played.len() as f64
}
