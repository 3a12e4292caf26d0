//! What a learned policy wants of each candle.

use std::sync::Arc;

use command_line::CommonArguments;
use market_data::{CandleSeries, Timestamp};
use sim::SimError;
use sim::funding::funding_of;
use sim::market_environment::{MarketFrame, MarketFrames};
use sim::policy::{AccountPath, Player, PolicyBundle, play, policy_actions};
use supervised::CandleSource;

use crate::model::Said;

/// Lets the policy trade its own account from `from` on, and adds what it wants to the signals of each series.
pub(crate) fn add_actions(
    policy: &PolicyBundle,
    candles: &CandleSource,
    from: Timestamp,
    said: &mut Said,
    common: &CommonArguments,
) -> anyhow::Result<()> {
    let spinner = common.progress().spinner("policy");
    let config = &policy.origin.config;
    let funding =
        |series: &CandleSeries| -> Result<_, SimError> { Ok(funding_of(series, candles.exogenous())?.rates) };
    let whole = config.inputs.frames(&policy.predictor, candles, &funding)?;
    let before = config.environment.window.saturating_sub(1);
    let cut: Vec<MarketFrame> =
        whole.iter().map(|frame| frame.between(from.as_millis(), i64::MAX, before)).collect();
    let tradable = |frame: &MarketFrame| frame.valid.iter().filter(|valid| **valid).count() > before + 1;
    // Portfolios are the series that have something to trade, in their order.
    let traded: Vec<usize> = (0..cut.len()).filter(|at| tradable(&cut[*at])).collect();
    let frames = Arc::new(MarketFrames::of_single(traded.iter().map(|at| cut[*at].clone()).collect())?);
    let paths: Vec<AccountPath> =
        play(&config.environment, &frames, &mut Player::Agent(&mut *policy.agent()?))?;
    for path in paths.iter().filter(|path| path.terminated) {
        let key = traded.get(path.portfolio).and_then(|at| candles.keys.get(*at));
        let key = key.map(ToString::to_string).unwrap_or_default();
        tracing::warn!(
            "{key}: the account of the policy {} was ended; it wants nothing after that",
            policy.origin.name
        );
    }
    for (portfolio, at) in traded.into_iter().enumerate() {
        let key = &candles.keys[at];
        let (rows, first) = (cut[at].len(), whole[at].len() - cut[at].len());
        let Some(signals) = said.signals.get_mut(key) else { continue };
        for (signal, action) in signals.iter_mut().skip(first).zip(policy_actions(&paths, portfolio, rows)) {
            signal.action = action;
        }
    }
    spinner.finish();
    Ok(())
}
