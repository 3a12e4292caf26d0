//! What a learned policy wants of each candle.

use std::sync::Arc;

use command_line::CommonArguments;
use market_data::{CandleSeries, Timestamp};
use sim::SimError;
use sim::funding::funding_of;
use sim::market_environment::MarketFrames;
use sim::policy::{Player, PolicyBundle, SeriesFrame, play, policy_actions};
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
    let end = Timestamp::from_millis(i64::MAX);
    let traded: Vec<SeriesFrame> =
        whole.iter().filter_map(|frame| frame.within(from, end, config.environment.window)).collect();
    let frames = traded.iter().map(|one| one.frame.clone()).collect();
    let frames = Arc::new(MarketFrames::of_single(frames)?);
    let mut agent = policy.agent()?;
    let paths = play(&config.environment, &frames, &mut Player::Agent(&mut *agent))?;
    for path in paths.iter().filter(|path| path.terminated) {
        let key = traded.get(path.portfolio).map(|one| one.key.to_string()).unwrap_or_default();
        tracing::warn!(
            "{key}: the account of the policy {} was ended; it wants nothing after that",
            policy.origin.name
        );
    }
    for (portfolio, SeriesFrame { key, frame }) in traded.iter().enumerate() {
        let Some(signals) = said.signals.get_mut(key) else { continue };
        let times = &candles.candles(key)?.columns().open_time;
        for (row, action) in policy_actions(&paths, portfolio, frame.len()).into_iter().enumerate() {
            // Rows are found by their time, so that none can slip.
            let at = times.binary_search_by_key(&frame.open_times[row], |time| time.as_millis());
            if let Some(signal) = at.ok().and_then(|at| signals.get_mut(at)) {
                signal.action = action;
            }
        }
    }
    spinner.finish();
    Ok(())
}
