//! The one place where programs read the clock of candles.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch (UTC), against which unfinished candles are found; `None` where the machine's
/// clock stands before 1970.
pub fn now_millis() -> Option<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}
