//! Bull and bear markets by the filter of Lunde and Timmermann.

use std::ops::Range;

use super::{MarketRegime, RegimeConfig};
use crate::error::SimError;
use crate::metrics::simple_return;

/// Where the market heads while it is followed, and the extreme reached.
#[derive(Clone, Copy)]
enum Phase {
    /// Neither threshold was passed yet: places of the lowest and of the highest close.
    Unknown { lowest: usize, highest: usize },
    /// Place of the highest close of the bull market.
    Rising { highest: usize },
    /// Place of the lowest close of the bear market.
    Falling { lowest: usize },
}

/// The regime of each day after the first, from daily closes: `[days]` to `[days − 1]`, element i being that
/// of the change from close i to close i + 1.
///
/// Lunde and Timmermann 2004, "Duration dependence in stock prices: an analysis of bull and bear markets",
/// Journal of Business & Economic Statistics 22(3), pages 253 to 273: a bull market lasts from a low to the
/// last high before a fall by `fall` from that high, a bear market from there to the last low before a rise
/// by `rise` from that low. Their filter knows two states. Here days are sideways in which it says one of
/// them out of inertia:
///
/// - where a bull market makes no new high for more than `pause_days` days (or a bear market no new low), the
///   days between the two highs, but for the one of the new high, and likewise those after the last extreme
///   of the data;
/// - before the first low or high from which a threshold is passed, and all days where none ever is.
///
/// It looks ahead by design: a peak is known as one only when the fall from it is done. Use it to attribute
/// results, never to decide.
///
/// # Errors
/// [`SimError::Trading`] for the configuration; [`SimError::Data`] for a close that is not a finite number
/// above 0.
pub fn label_days(closes: &[f64], config: &RegimeConfig) -> Result<Vec<MarketRegime>, SimError> {
    config.validate()?;
    if let Some(at) = closes.iter().position(|close| !(*close > 0.0 && close.is_finite())) {
        let problem = "it is not a finite number above 0; correct it or leave the day out";
        return Err(SimError::data(format!("daily close {at} of the benchmark"), problem));
    }
    let mut labels = vec![MarketRegime::Sideways; closes.len().saturating_sub(1)];
    let mut phase = Phase::Unknown { lowest: 0, highest: 0 };
    for (day, close) in closes.iter().enumerate().skip(1) {
        let at = |place: usize| closes.get(place).copied().unwrap_or(f64::NAN);
        // The change is divided, because 1.1 · 100 is more than 110 in floats.
        let has_risen = |lowest: usize| simple_return(at(lowest), *close) >= config.rise;
        let has_fallen = |highest: usize| simple_return(at(highest), *close) <= -config.fall;
        phase = match phase {
            Phase::Unknown { lowest, highest } => {
                if has_risen(lowest) {
                    follow(&mut labels, closes, lowest, day, MarketRegime::Bull, config);
                    Phase::Rising { highest: day }
                } else if has_fallen(highest) {
                    follow(&mut labels, closes, highest, day, MarketRegime::Bear, config);
                    Phase::Falling { lowest: day }
                } else {
                    let lowest = if *close <= at(lowest) { day } else { lowest };
                    Phase::Unknown { lowest, highest: if *close >= at(highest) { day } else { highest } }
                }
            }
            Phase::Rising { highest } if *close >= at(highest) => {
                between(&mut labels, highest, day, MarketRegime::Bull, config);
                Phase::Rising { highest: day }
            }
            Phase::Rising { highest } if has_fallen(highest) => {
                follow(&mut labels, closes, highest, day, MarketRegime::Bear, config);
                Phase::Falling { lowest: day }
            }
            Phase::Falling { lowest } if *close <= at(lowest) => {
                between(&mut labels, lowest, day, MarketRegime::Bear, config);
                Phase::Falling { lowest: day }
            }
            Phase::Falling { lowest } if has_risen(lowest) => {
                follow(&mut labels, closes, lowest, day, MarketRegime::Bull, config);
                Phase::Rising { highest: day }
            }
            unchanged => unchanged,
        };
    }
    let last = closes.len().saturating_sub(1);
    match phase {
        Phase::Unknown { .. } => {}
        Phase::Rising { highest } => open_end(&mut labels, highest, last, MarketRegime::Bull, config),
        Phase::Falling { lowest } => open_end(&mut labels, lowest, last, MarketRegime::Bear, config),
    }
    Ok(labels)
}

/// Labels the days from the extreme at `from` to the close at `until`, by which a market of this regime was
/// confirmed, from one of its extremes to the next.
fn follow(
    labels: &mut [MarketRegime],
    closes: &[f64],
    from: usize,
    until: usize,
    regime: MarketRegime,
    config: &RegimeConfig,
) {
    let mut extreme = from;
    for day in from + 1..=until {
        let (Some(close), Some(reached)) = (closes.get(day), closes.get(extreme)) else { return };
        let is_further = if regime == MarketRegime::Bull { close >= reached } else { close <= reached };
        if is_further {
            between(labels, extreme, day, regime, config);
            extreme = day;
        }
    }
}

/// Labels the days after the extreme at `before` up to the next one at `extreme`, whose own day is the
/// market's again, however long it took.
fn between(
    labels: &mut [MarketRegime],
    before: usize,
    extreme: usize,
    regime: MarketRegime,
    config: &RegimeConfig,
) {
    let last = extreme.saturating_sub(1);
    fill(
        labels,
        before..last,
        if extreme - before > config.pause_days { MarketRegime::Sideways } else { regime },
    );
    fill(labels, last..extreme, regime);
}

/// Labels the days after the extreme at `before` up to `last`, after which no further extreme is known.
fn open_end(
    labels: &mut [MarketRegime],
    before: usize,
    last: usize,
    regime: MarketRegime,
    config: &RegimeConfig,
) {
    fill(
        labels,
        before..last,
        if last - before > config.pause_days { MarketRegime::Sideways } else { regime },
    );
}

fn fill(labels: &mut [MarketRegime], days: Range<usize>, regime: MarketRegime) {
    if let Some(days) = labels.get_mut(days) {
        days.fill(regime);
    }
}
