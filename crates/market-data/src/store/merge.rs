//! New candles meet stored ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::candle::Candle;
use crate::error::MarketDataError;
use crate::series::CandleColumns;
use crate::symbol::SeriesKey;

use super::Appended;

/// What to do when a new candle differs from the stored one of the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// Take nothing, and name the first difference.
    #[default]
    Refuse,
    /// Leave the new value out.
    KeepStored,
    /// Put the new value in place of the stored one.
    Replace,
}

impl std::str::FromStr for OnConflict {
    type Err = MarketDataError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "keep-stored" => Ok(Self::KeepStored),
            "replace" => Ok(Self::Replace),
            _ => Err(MarketDataError::request(
                "on-conflict",
                format!("`{text}` is unknown; use refuse, keep-stored or replace"),
            )),
        }
    }
}

/// Whether two records of a candle agree. A turnover that only one source states is no disagreement.
fn agree(stored: &Candle, new: &Candle) -> bool {
    let turnover = match (stored.turnover, new.turnover) {
        (Some(stored), Some(new)) => stored.to_bits() == new.to_bits(),
        _ => true,
    };
    turnover && Candle { turnover: None, ..*stored } == Candle { turnover: None, ..*new }
}

/// Both in one, in order of time.
pub(super) fn merge(
    key: &SeriesKey,
    stored: &CandleColumns,
    new: &CandleColumns,
    on_conflict: OnConflict,
    counts: &mut Appended,
) -> Result<CandleColumns, MarketDataError> {
    let mut merged = CandleColumns::with_capacity(stored.len() + new.len(), stored.turnover.is_some());
    let (mut old, mut fresh) = (0, 0);
    while old < stored.len() || fresh < new.len() {
        let stored_time = stored.open_time.get(old);
        let new_time = new.open_time.get(fresh);
        match (stored_time, new_time) {
            (Some(stored_time), Some(new_time)) if stored_time == new_time => {
                let (left, right) = (stored.get(old), new.get(fresh));
                merged.push(&one_of(key, &left, &right, on_conflict, counts)?);
                old += 1;
                fresh += 1;
            }
            (Some(stored_time), new_time) if new_time.is_none_or(|new_time| stored_time < new_time) => {
                merged.push(&stored.get(old));
                old += 1;
            }
            _ => {
                merged.push(&new.get(fresh));
                counts.added += 1;
                fresh += 1;
            }
        }
    }
    Ok(merged)
}

fn one_of(
    key: &SeriesKey,
    stored: &Candle,
    new: &Candle,
    on_conflict: OnConflict,
    counts: &mut Appended,
) -> Result<Candle, MarketDataError> {
    if agree(stored, new) {
        counts.already_stored += 1;
        return Ok(Candle { turnover: stored.turnover.or(new.turnover), ..*stored });
    }
    counts.conflicts += 1;
    match on_conflict {
        OnConflict::KeepStored => Ok(*stored),
        OnConflict::Replace => Ok(*new),
        OnConflict::Refuse => Err(MarketDataError::Conflict {
            what: format!("{key} at {}", stored.open_time),
            difference: format!("the stored candle differs: stored {}, new {}", shown(stored), shown(new)),
        }),
    }
}

fn shown(candle: &Candle) -> String {
    let turnover = candle.turnover.map_or_else(String::new, |turnover| format!(" turnover {turnover}"));
    format!(
        "open {} high {} low {} close {} volume {}{turnover}",
        candle.open, candle.high, candle.low, candle.close, candle.volume
    )
}
