//! What a strategy comes to with other fees and other latencies.

use rayon::prelude::*;
use rust_decimal::Decimal;
use trading::TradingError;
use trading::strategy::Strategy;

use super::{BacktestConfig, BacktestInstrument, BacktestResult, run_backtest};
use crate::error::SimError;

/// Total return for multiples of fees (rows) and latencies (columns).
#[derive(Clone, Debug, PartialEq)]
pub struct Sensitivity {
    /// What maker's and taker's fees are multiplied by.
    pub fee_factors: Vec<Decimal>,
    /// Latencies in milliseconds.
    pub latencies_ms: Vec<u32>,
    /// As fractions, `[fee_factors, latencies_ms]` by rows; absent where nothing was left to divide by.
    pub total_returns: Vec<Option<f64>>,
}

impl BacktestResult {
    /// Equity at the end over that at the start, less 1; absent where there was none at the start.
    #[must_use]
    pub fn total_return(&self) -> Option<f64> {
        let (first, last) = (self.curve.equity.first()?, self.curve.equity.last()?);
        Some(last / first - 1.0).filter(|value| value.is_finite())
    }
}

/// Runs a strategy for each pair of a fee factor and a latency. `result` is its run with the settings as they are, which is not
/// run again; `build` makes it before its first candle; `done` is called after each pair, from several threads.
///
/// # Errors
/// Those of [`run_backtest`].
pub fn fee_and_latency_sensitivity(
    config: &BacktestConfig,
    instruments: &[BacktestInstrument<'_>],
    result: &BacktestResult,
    fee_factors: &[Decimal],
    latencies_ms: &[u32],
    build: &(dyn Fn() -> Result<Box<dyn Strategy + Send>, TradingError> + Sync),
    done: &(dyn Fn() + Sync),
) -> Result<Sensitivity, SimError> {
    let cells: Vec<(Decimal, u32)> = fee_factors
        .iter()
        .flat_map(|factor| latencies_ms.iter().map(|latency| (*factor, *latency)))
        .collect();
    let run = |(factor, latency): &(Decimal, u32)| {
        let is_known = *factor == Decimal::ONE && *latency == config.venue.latency_ms;
        let total_return = if is_known {
            result.total_return()
        } else {
            let mut config = config.clone();
            config.venue.latency_ms = *latency;
            let scaled: Vec<BacktestInstrument<'_>> =
                instruments.iter().map(|one| scale_fees(one, *factor)).collect();
            run_backtest(&config, build()?, &scaled, &mut |_| ())?.total_return()
        };
        done();
        Ok::<_, SimError>(total_return)
    };
    let total_returns = cells.par_iter().map(run).collect::<Result<_, _>>()?;
    Ok(Sensitivity { fee_factors: fee_factors.to_vec(), latencies_ms: latencies_ms.to_vec(), total_returns })
}

fn scale_fees<'a>(one: &BacktestInstrument<'a>, factor: Decimal) -> BacktestInstrument<'a> {
    let mut scaled = one.clone();
    scaled.terms.maker_fee = (scaled.terms.maker_fee * factor).round_dp(10);
    scaled.terms.taker_fee = (scaled.terms.taker_fee * factor).round_dp(10);
    scaled
}
