//! A name for a run: when it started, and of what.

use std::time::{SystemTime, UNIX_EPOCH};

/// `20240131T235959Z-1a2b3c4d`: sorts by time, and equal inputs end alike.
pub(super) fn identifier(started: SystemTime, inputs: &[&[u8]]) -> String {
    // A clock before 1970 is wrong anyway; the run need not fail for it.
    let seconds = started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let [year, month, day, hour, minute, second] = civil(seconds);
    let hash = short_hash(inputs);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z-{hash:08x}")
}

/// ISO 8601, in whole seconds.
pub(super) fn iso(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let [year, month, day, hour, minute, second] = civil(seconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month, day, hour, minute, second in UTC. Counts years from March, so that the leap day is the
/// last of its year (Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
fn civil(seconds: u64) -> [u64; 6] {
    const DAYS_FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    const DAYS_OF_ERA: u64 = 146_097;
    let days = seconds / 86_400 + DAYS_FROM_MARCH_OF_YEAR_0;
    let (era, day_of_era) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let time = seconds % 86_400;
    [year, month, day, time / 3_600, time / 60 % 60, time % 60]
}

/// Seconds since 1970 of an ISO 8601 time in UTC, `2024-01-31T23:59:59Z`, or of a day's beginning, `2024-01-31`; what is
/// smaller than a second is left out. `None` where it is of another form.
pub(super) fn seconds_of(time: &str) -> Option<i64> {
    let (day, clock) = time.split_once('T').unwrap_or((time, "00:00:00"));
    let part = |text: Option<&str>| text?.parse::<i64>().ok();
    let mut date = day.split('-');
    let (year, month, day) = (part(date.next())?, part(date.next())?, part(date.next())?);
    let mut clock = clock.trim_end_matches('Z').split(['.', ':']);
    let (hour, minute, second) = (part(clock.next())?, part(clock.next())?, part(clock.next())?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // The inverse of `civil`: `days_from_civil` in the same source.
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// FNV-1a folded to 32 bits: enough to tell runs apart, and the same on every machine and compiler.
fn short_hash(inputs: &[&[u8]]) -> u32 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for input in inputs {
        // The terminator keeps `ab`, `c` from being `a`, `bc`.
        for byte in input.iter().chain(&[0xff]) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    ((hash >> 32) ^ (hash & 0xffff_ffff)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_agree_with_the_calendar() {
        // Pairs from `date -u -d @SECONDS`.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_704_067_199, "2023-12-31T23:59:59Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(iso(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
            assert_eq!(seconds_of(expected), Some(seconds as i64));
        }
        assert_eq!(seconds_of("2024-02-29"), Some(1_709_164_800));
        assert_eq!(seconds_of("2024-02-29T00:00:01.500Z"), Some(1_709_164_801));
        for other in ["", "2024", "2024-13-01", "soon", "2024-01-01T00"] {
            assert_eq!(seconds_of(other), None, "{other}");
        }
    }

    #[test]
    fn the_identifier_depends_on_every_input_and_its_bounds() {
        let name = |inputs: &[&[u8]]| identifier(UNIX_EPOCH, inputs);
        assert_eq!(name(&[b"a", b"b"]), name(&[b"a", b"b"]));
        assert_ne!(name(&[b"a", b"b"]), name(&[b"ab"]));
        assert_ne!(name(&[b"a", b"b"]), name(&[b"b", b"a"]));
        assert!(name(&[]).starts_with("19700101T000000Z-"));
    }
}
