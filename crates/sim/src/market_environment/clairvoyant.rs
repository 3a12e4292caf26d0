//! What could have been earned by one who knew the future.

use super::account::taker_price;
use super::frame::MarketFrame;
use crate::error::SimError;

/// The best that can be done on a known path.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimalPath {
    /// Profit after costs, in quote currency, marked at the last close.
    pub profit: f64,
    /// The index of the position that is chosen at each close but the last.
    pub choices: Vec<usize>,
}

/// The best path of positions from the close of row `first` to the close of row `last`, from flat, by dynamic programming (Bellman
/// 1957) over positions: the value of holding a position is the best over the positions before it, less what the change costs at the
/// open. It trades as [`super::MarketEnvironment`] with [`super::Sizing::FixedQuantity`] and no band does, and knows no liquidation.
///
/// `lots` are the positions in signed whole lots. Among equally good paths it is the one of the lowest indices, seen from the end.
///
/// # Errors
/// [`SimError::Data`] for rows that the frame does not have, or no position.
pub fn optimal_path(
    frame: &MarketFrame,
    first: usize,
    last: usize,
    lots: &[f64],
    taker_fee: f64,
    slippage: f64,
) -> Result<OptimalPath, SimError> {
    if first >= last || last >= frame.len() || lots.is_empty() || lots.iter().any(|lots| !lots.is_finite()) {
        let problem = format!(
            "rows {first} to {last} of {} and {} positions leave nothing to choose; give at least two rows and one finite position",
            frame.len(),
            lots.len()
        );
        return Err(SimError::data("a known path", problem));
    }
    // Before the first choice it is flat.
    let mut held = vec![0.0];
    let mut values = vec![0.0];
    let mut came_from: Vec<Vec<usize>> = Vec::with_capacity(last - first);
    for row in first + 1..=last {
        let (mut next, mut from) = (Vec::with_capacity(lots.len()), Vec::with_capacity(lots.len()));
        for wanted in lots {
            let mut best = (f64::NEG_INFINITY, 0);
            for (at, (value, held)) in values.iter().zip(&held).enumerate() {
                let reached = value + earned(frame, row, *held, *wanted, taker_fee, slippage);
                if reached > best.0 {
                    best = (reached, at);
                }
            }
            next.push(best.0);
            from.push(best.1);
        }
        came_from.push(from);
        held = lots.to_vec();
        values = next;
    }
    let best = values
        .iter()
        .enumerate()
        .fold((0, f64::NEG_INFINITY), |best, (at, value)| if *value > best.1 { (at, *value) } else { best });
    let mut choices = vec![best.0; last - first];
    for at in (1..choices.len()).rev() {
        choices[at - 1] = came_from[at][choices[at]];
    }
    Ok(OptimalPath { profit: best.1, choices })
}

/// What one candle earns, from close to close, where `held` lots become `wanted` at its open.
fn earned(frame: &MarketFrame, row: usize, held: f64, wanted: f64, taker_fee: f64, slippage: f64) -> f64 {
    let (prices, before) = (&frame.prices[row], frame.prices[row - 1].close);
    let change = wanted - held;
    let price = if change == 0.0 {
        prices.open
    } else {
        taker_price(prices.open, slippage, frame.tick, change > 0.0)
    };
    let funding = frame.funding.get(row).map_or(0.0, |rate| held * prices.open * rate);
    let kept = held * (prices.close - before);
    let traded = change * (prices.close - price) - change.abs() * price * taker_fee;
    frame.lot * (kept + traded - funding)
}
