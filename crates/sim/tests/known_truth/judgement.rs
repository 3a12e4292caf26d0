//! Whole episodes of new markets, and what came of them.

use std::sync::Arc;

use market_data::synthetic::generator;
use rand::RngExt;
use rl::{Actions, Outcomes, VecEnvironment};
use sim::market_environment::MarketFrames;

use super::{Fallible, Kind, STEPS};

/// Chooses an action for each row of observations.
pub(crate) trait Chooses {
    fn choose(&mut self, observations: &[f32], width: usize, chosen: &mut Vec<usize>) -> Fallible<()>;
}

/// What an episode came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Played {
    /// After costs, in quote currency.
    pub(crate) profit: f64,
    /// Notional that traded over the equity before, mean of all steps.
    pub(crate) turnover: f64,
    /// Share of steps after which a position is open.
    pub(crate) exposed: f64,
}

/// A mean and half the width of its 95 % interval, 1.96 standard errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    pub(crate) half_width: f64,
}

impl Estimate {
    pub(crate) fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self { mean, half_width: 1.96 * (squares / (count - 1.0) / count).sqrt() }
    }
}

/// An episode of each market, [`STEPS`] long.
pub(crate) fn play(
    kind: Kind,
    frames: &Arc<MarketFrames>,
    agent: &mut impl Chooses,
) -> Fallible<Vec<Played>> {
    let mut environment = kind.judging(Arc::clone(frames))?;
    let (count, width) = (environment.len(), environment.observation_space().width());
    let cash = environment.config().cash;
    let mut observations = vec![0.0; count * width];
    let mut outcomes = Outcomes::default();
    let mut played = vec![Played::default(); count];
    for _ in 0..STEPS {
        environment.observe(&mut observations);
        let mut chosen = Vec::with_capacity(count);
        agent.choose(&observations, width, &mut chosen)?;
        let equity = environment.equity().to_vec();
        environment.step(&Actions::Discrete(chosen), &mut outcomes)?;
        // The data has a row more, so that an episode that is over was ruined.
        if outcomes.steps.iter().any(|step| step.terminated || step.truncated) {
            return Err("an account was ruined, which 250 steps of these markets cannot do".into());
        }
        for (played, lots) in played.iter_mut().zip(environment.lots()) {
            played.exposed += f64::from(u8::from(*lots != 0.0)) / STEPS as f64;
        }
        for fill in environment.fills() {
            let lot = frames.portfolio(fill.environment)[fill.asset].lot;
            let notional = (fill.lots * lot * fill.price).abs();
            played[fill.environment].turnover += notional / equity[fill.environment] / STEPS as f64;
        }
    }
    for (played, equity) in played.iter_mut().zip(environment.equity()) {
        played.profit = equity - cash;
    }
    Ok(played)
}

/// The same of an agent that chooses each level as often.
pub(crate) fn play_at_random(kind: Kind, frames: &Arc<MarketFrames>, seed: u64) -> Fallible<Vec<Played>> {
    struct Dice<R>(R);
    impl<R: RngExt> Chooses for Dice<R> {
        fn choose(&mut self, observations: &[f32], width: usize, chosen: &mut Vec<usize>) -> Fallible<()> {
            chosen.extend((0..observations.len() / width).map(|_| self.0.random_range(0..3_usize)));
            Ok(())
        }
    }
    play(kind, frames, &mut Dice(generator(seed, "known-markets/random", 0)))
}
