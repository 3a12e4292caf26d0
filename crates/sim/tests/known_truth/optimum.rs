//! The best that can be done on the clairvoyant market: by who knows all prices, and by who knows the next return or two.

use std::sync::Arc;

use market_data::synthetic::normal_quantile;
use sim::market_environment::{CostConfig, MarketEnvironmentConfig, MarketFrames, optimal_path};

use super::judgement::Chooses;
use super::{DEVIATION, Fallible, JUDGES, STEPS};

/// Positions of the three actions.
const POSITIONS: [f64; 3] = [-1.0, 0.0, 1.0];
/// Returns that the law of a candle's return is made of, each as likely.
const GRID: usize = 61;

/// Profit of the best path in each market, all prices known, in quote currency.
pub(crate) fn best_with_foresight(frames: &Arc<MarketFrames>) -> Fallible<Vec<f64>> {
    let MarketEnvironmentConfig { cash, costs: CostConfig { taker_fee, slippage, .. }, .. } =
        MarketEnvironmentConfig::default();
    let one = |market: usize| -> Fallible<f64> {
        let frame = frames.portfolio(market).first().ok_or("a market without a series")?;
        let unit = (cash / (frame.prices[0].close * frame.lot)).floor();
        let lots = POSITIONS.map(|position| position * unit);
        Ok(optimal_path(frame, 0, STEPS, &lots, taker_fee.from, slippage.from)?.profit)
    };
    (0..JUDGES).map(one).collect()
}

/// The best policy of who knows the next `foresight` returns, by value iteration (Bellman 1957; relative, without discount: Puterman
/// 1994, section 8.5.5). Returns are independent, so that position and known returns are all of the state.
#[derive(Clone, Debug)]
pub(crate) struct InformedPolicy {
    foresight: usize,
    /// Cost of a change by a whole position, in deviations.
    cost: f64,
    /// The returns of the law, in deviations.
    returns: Vec<f64>,
    /// What it is worth to hold a position when the next candle is over, relative: `[3, GRID^(foresight − 1)]`, by the returns that
    /// are known of the candles after it.
    worth: Vec<f64>,
    /// Profit of a step in the long run, in deviations.
    pub(crate) gain: f64,
}

impl InformedPolicy {
    pub(crate) fn of(foresight: usize) -> Self {
        let costs = CostConfig::default();
        let cost = (costs.taker_fee.from + costs.slippage.from) / DEVIATION;
        Self::at_cost(foresight, cost)
    }

    pub(crate) fn at_cost(foresight: usize, cost: f64) -> Self {
        let returns = normal_grid();
        let tails = GRID.pow(foresight as u32 - 1);
        let mut policy = Self { foresight, cost, returns, worth: vec![0.0; 3 * tails], gain: 0.0 };
        loop {
            let mut worth = vec![0.0; 3 * tails];
            for (position, row) in worth.chunks_exact_mut(tails).enumerate() {
                for (tail, value) in row.iter_mut().enumerate() {
                    // The known returns and one that is drawn are what one decides by next.
                    let next = |drawn: usize| {
                        let state = tail * GRID + drawn;
                        let (first, rest) = (state / tails, state % tails);
                        policy.best(position, policy.returns[first], rest).1
                    };
                    *value = (0..GRID).map(next).sum::<f64>() / GRID as f64;
                }
            }
            policy.gain = worth[tails];
            let change = worth.iter().zip(&policy.worth).map(|(new, old)| (new - policy.gain - old).abs());
            let change = change.fold(0.0, f64::max);
            // Flat, in the first of the known returns, is the reference.
            policy.worth = worth.iter().map(|value| value - policy.gain).collect();
            if change < 1e-10 {
                return policy;
            }
        }
    }

    /// Action and its value.
    fn best(&self, position: usize, next_return: f64, rest: usize) -> (usize, f64) {
        let tails = self.worth.len() / 3;
        let value = |wanted: usize| {
            let change = (POSITIONS[wanted] - POSITIONS[position]).abs();
            POSITIONS[wanted] * next_return - self.cost * change + self.worth[wanted * tails + rest]
        };
        // What is held stays where nothing is better.
        [position, 0, 1, 2]
            .map(|wanted| (wanted, value(wanted)))
            .into_iter()
            .fold((position, f64::NEG_INFINITY), |best, one| if one.1 > best.1 + 1e-12 { one } else { best })
    }

    fn nearest(&self, value: f64) -> usize {
        let above = self.returns.partition_point(|one| *one < value);
        match (above.checked_sub(1).map(|at| self.returns[at]), self.returns.get(above)) {
            (Some(below), Some(next)) if value - below < next - value => above - 1,
            (Some(_), None) => above - 1,
            _ => above,
        }
    }
}

/// The means of [`GRID`] equally likely parts of the normal law: of the part from a to b `GRID (φ(a) − φ(b))`.
fn normal_grid() -> Vec<f64> {
    let density = |part: usize| {
        let border = normal_quantile(part as f64 / GRID as f64);
        (-0.5 * border * border).exp() / std::f64::consts::TAU.sqrt()
    };
    (0..GRID).map(|part| GRID as f64 * (density(part) - density(part + 1))).collect()
}

impl Chooses for InformedPolicy {
    /// Reads returns and position from what a learner sees.
    fn choose(&mut self, observations: &[f32], width: usize, chosen: &mut Vec<usize>) -> Fallible<()> {
        for row in observations.chunks_exact(width) {
            let (returns, account) = row.split_at(self.foresight);
            let position = if account[0] > 0.1 { 2 } else { usize::from(account[0] >= -0.1) };
            let rest =
                returns[1..].iter().fold(0, |rest, known| rest * GRID + self.nearest(f64::from(*known)));
            chosen.push(self.best(position, f64::from(returns[0]), rest).0);
        }
        Ok(())
    }
}
