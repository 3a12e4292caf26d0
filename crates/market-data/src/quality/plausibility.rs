//! Whether a series can be the record of a market at all.
//!
//! Public repositories sell random walks, test-net candles and mislabelled tickers as market data, and
//! their rows are sound one by one. What gives them away is statistics. Each sign below was measured on
//! 121 real candle files (12 venues and markets, 1m to 1d, 2015 to 2026): the limit lies well outside of
//! all of them. The gate refuses a series with a sign that its user has not accepted.

use std::collections::BTreeSet;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{MarketDataError, Place};
use crate::series::{CandleColumns, CandleSeries};
use crate::symbol::SeriesKey;

use super::reference_price::{SLACK, band};
use super::{Inspected, Policy, Refusal};

/// Fewer candles than this say nothing about their statistics, and may be somebody's small example.
const ENOUGH: usize = 500;

/// A way in which a series differs from every market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignKind {
    /// Prices contradict the known history of the symbol.
    KnownPrices,
    /// Returns and volumes have none of the traits of a market: no fat tails, no clustering, no relation
    /// of volume and range.
    RandomWalk,
    /// Opens stand in no relation to the closes before them.
    OpensIgnoreCloses,
    /// Candles close where they open although prices moved in between.
    NoBody,
    /// Prices bounce between far ends: a dead book, as on test networks.
    DeadBook,
}

impl SignKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::KnownPrices, Self::RandomWalk, Self::OpensIgnoreCloses, Self::NoBody, Self::DeadBook];

    /// The name by which a user accepts it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KnownPrices => "known-prices",
            Self::RandomWalk => "random-walk",
            Self::OpensIgnoreCloses => "opens-ignore-closes",
            Self::NoBody => "no-body",
            Self::DeadBook => "dead-book",
        }
    }
}

impl FromStr for SignKind {
    type Err = MarketDataError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            MarketDataError::request("accept", format!("`{text}` is unknown; use {}", known.join(", ")))
        })
    }
}

/// One sign with what was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sign {
    /// Which one.
    pub kind: SignKind,
    /// What was measured, and what markets show.
    pub message: String,
}

/// The gate: refuses series with signs, unless they are accepted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Plausibility {
    /// Signs that the user knows about.
    pub accept: BTreeSet<SignKind>,
}

impl Plausibility {
    /// Adds the signs to the report, and refuses the series when one of them is not accepted.
    /// Markets that say of themselves that they are synthetic are not judged.
    ///
    /// # Errors
    /// [`MarketDataError::Refused`] with the measured signs.
    pub fn check(&self, mut inspected: Inspected) -> Result<Inspected, MarketDataError> {
        if inspected.series.key().venue.is_synthetic() {
            return Ok(inspected);
        }
        inspected.report.signs = assess(&inspected.series);
        let refused_signs: Vec<Sign> =
            inspected.report.signs.iter().filter(|sign| !self.accept.contains(&sign.kind)).cloned().collect();
        if refused_signs.is_empty() {
            return Ok(inspected);
        }
        let report = inspected.report;
        Err(MarketDataError::Refused(Box::new(Refusal { report, policy: Policy::Reject, refused_signs })))
    }
}

/// Looks for every sign in a series.
pub fn assess(series: &CandleSeries) -> Vec<Sign> {
    assess_columns(series.key(), series.columns())
}

/// [`assess`] for columns that may be off the grid; each candle must be possible by itself.
pub(super) fn assess_columns(key: &SeriesKey, columns: &CandleColumns) -> Vec<Sign> {
    let mut signs: Vec<Sign> = Vec::new();
    if columns.len() >= ENOUGH {
        signs.extend(known_prices(key, columns));
        let traits = match sample(columns.len()) {
            None => Traits::of(columns, key.timeframe.millis()),
            Some(rows) => Traits::of(&columns.select(&rows), key.timeframe.millis()),
        };
        signs.extend(
            [traits.random_walk(), traits.opens(), traits.no_body(), traits.dead_book()]
                .into_iter()
                .flatten(),
        );
    }
    signs
}

fn known_prices(key: &SeriesKey, columns: &CandleColumns) -> Option<Sign> {
    let symbol = &key.symbol;
    let mut outside = 0_usize;
    let mut judged = 0_usize;
    let mut worst: Option<(f64, usize, (f64, f64))> = None;
    // The calendar is asked once a day of candles.
    let (mut day, mut known) = (i64::MIN, None);
    for (row, (time, close)) in columns.open_time.iter().zip(&columns.close).enumerate() {
        let its_day = time.as_millis().div_euclid(86_400_000);
        if its_day != day {
            let (year, month) = time.year_month();
            (day, known) = (its_day, band(symbol.base(), Some(symbol.quote()), year, month));
        }
        let Some((low, high)) = known else { continue };
        judged += 1;
        let excess = (close / high).max(low / close);
        if excess > SLACK {
            outside += 1;
            if worst.as_ref().is_none_or(|(known, _, _)| excess > *known) {
                worst = Some((excess, row, (low, high)));
            }
        }
    }
    // Single wicks and crashed venues are real; a whole stretch is not.
    if outside * 100 <= judged {
        return None;
    }
    let (_, row, (low, high)) = worst?;
    Some(Sign {
        kind: SignKind::KnownPrices,
        message: format!(
            "{outside} of {judged} closes contradict the known prices of {}: {} on {}, when it traded between {low} and {high}",
            symbol.base(),
            columns.close[row],
            columns.open_time[row]
        ),
    })
}

/// Checks the values of an index whose range is known (DXY, VIX) by the words of its name.
pub(crate) fn check_index_range(
    file: &str,
    name: &str,
    values: &[f64],
    lines: &[u32],
    gate: &Plausibility,
) -> Result<(), MarketDataError> {
    if gate.accept.contains(&SignKind::KnownPrices) {
        return Ok(());
    }
    let known = name.split(['_', '-', '.']).find_map(|word| Some((word, band(word, None, 2000, 1)?)));
    let Some((index, (low, high))) = known else { return Ok(()) };
    let outside = |value: &f64| !(low..=high).contains(value);
    let count = values.iter().filter(|value| outside(value)).count();
    let Some(row) = values.iter().position(outside).filter(|_| count * 100 > values.len()) else {
        return Ok(());
    };
    Err(MarketDataError::Unreadable {
        place: Place::at(file, u64::from(lines.get(row).copied().unwrap_or(0)), Some("close")),
        problem: format!(
            "this is not {index}: {count} of {} values, {} the first, lie outside of {low} and {high}, between which {index} has always been",
            values.len(),
            values[row]
        ),
        remedy:
            "it may be another ticker under that name; if you know why, take it with --accept known-prices"
                .to_owned(),
    })
}

/// Rows of evenly spaced blocks of a long series, which say as much about its statistics as all of it at a
/// fraction of the time; `None` for a series that is short enough to be taken whole.
fn sample(len: usize) -> Option<Vec<usize>> {
    const BLOCKS: usize = 8;
    const BLOCK: usize = 3_000;
    if len <= BLOCKS * BLOCK {
        return None;
    }
    let start = |block: usize| block * (len - BLOCK) / (BLOCKS - 1);
    Some((0..BLOCKS).flat_map(|block| start(block)..start(block) + BLOCK).collect())
}

/// Statistics of a series that tell a market from an imitation.
struct Traits {
    excess_kurtosis: f64,
    /// Correlation of |return| with the one before: volatility clusters.
    volatility_clustering: f64,
    /// Rank correlation of volume and range; NaN where the series has no volume.
    volume_and_range: f64,
    /// Correlation of log volume with the one before; NaN where the series has no volume.
    volume_persistence: f64,
    /// Correlation of a return with the one before.
    return_persistence: f64,
    /// Rank correlation of a return with the one before, which a single crash does not move.
    return_rank_persistence: f64,
    return_deviation: f64,
    /// Smallest move of the close over its median, the size of a tick.
    tick: f64,
    /// Median of |ln(open / close before)| over the candle's range.
    open_distance: f64,
    /// Share of candles with a range that close exactly where they open.
    closed_at_open: f64,
    /// Share of candles that traded at a single price.
    single_price: f64,
}

impl Traits {
    fn of(columns: &CandleColumns, step: i64) -> Self {
        let len = columns.len();
        let mut returns = Vec::with_capacity(len);
        let mut distances = Vec::with_capacity(len);
        for row in 1..len {
            let range = (columns.high[row] / columns.low[row]).ln();
            // What happened across a hole is no return of one candle.
            if columns.open_time[row].since(columns.open_time[row - 1]) != step {
                continue;
            }
            returns.push((columns.close[row] / columns.close[row - 1]).ln());
            if range > 0.0 {
                distances.push((columns.open[row] / columns.close[row - 1]).ln().abs() / range);
            }
        }
        let absolute: Vec<f64> = returns.iter().map(|value| value.abs()).collect();
        let ranges: Vec<f64> = (0..len).map(|row| columns.high[row] / columns.low[row]).collect();
        let log_volume: Vec<f64> = columns.volume.iter().map(|volume| (volume + 1e-12).ln()).collect();
        let moving = (0..len).filter(|&row| columns.high[row] > columns.low[row]).count();
        let bodiless = (0..len)
            .filter(|&row| columns.high[row] > columns.low[row] && columns.open[row] == columns.close[row])
            .count();
        Self {
            excess_kurtosis: excess_kurtosis(&returns),
            volatility_clustering: lagged(&absolute),
            volume_and_range: correlation(&ranks(&columns.volume), &ranks(&ranges)),
            volume_persistence: lagged(&log_volume),
            return_persistence: lagged(&returns),
            return_rank_persistence: lagged(&ranks(&returns)),
            return_deviation: variance(&returns).sqrt(),
            tick: tick_of(&columns.close),
            open_distance: median(&mut distances),
            closed_at_open: bodiless as f64 / moving.max(1) as f64,
            single_price: (len - moving) as f64 / len as f64,
        }
    }

    /// Real files: kurtosis ≥ 2.8, clustering ≥ 0.13, volume and range ≥ 0.15, persistence ≥ 0.13.
    fn random_walk(&self) -> Option<Sign> {
        let absent = [
            below(self.excess_kurtosis, 1.0),
            below(self.volatility_clustering, 0.05),
            below(self.volume_and_range, 0.05),
            below(self.volume_persistence, 0.05),
        ];
        (absent.iter().filter(|absent| **absent).count() >= 3).then(|| Sign {
            kind: SignKind::RandomWalk,
            message: format!(
                "returns and volumes are those of a random walk: excess kurtosis {:.1} (markets: above 2), clustering of volatility {:.2} (above 0.1), volume with range {:.2} (above 0.1), volume with the volume before {:.2} (above 0.1)",
                self.excess_kurtosis,
                self.volatility_clustering,
                self.volume_and_range,
                self.volume_persistence
            ),
        })
    }

    /// Real files: at most 0.11; 500 candles of one whose price has few digits: 0.50.
    fn opens(&self) -> Option<Sign> {
        (self.open_distance > 0.7).then(|| Sign {
            kind: SignKind::OpensIgnoreCloses,
            message: format!(
                "opens do not follow the closes before them: the typical distance is {:.0} % of a candle's range (markets: below 15 %)",
                self.open_distance * 100.0
            ),
        })
    }

    /// Real files: at most 0.22.
    fn no_body(&self) -> Option<Sign> {
        (self.closed_at_open > 0.9).then(|| Sign {
            kind: SignKind::NoBody,
            message: format!(
                "{:.0} % of the candles that moved close exactly where they open (markets: below 25 %)",
                self.closed_at_open * 100.0
            ),
        })
    }

    /// Roll (1984): bounces between bid and ask make returns correlate negatively, and
    /// 2 √(−covariance) estimates the spread. Real files: correlation ≥ −0.20. Pieces of real files fall
    /// below when they hold a crash with its rebound, which ranks do not see, or when a tick is a large part
    /// of the price, which is why the spread must be several ticks.
    fn dead_book(&self) -> Option<Sign> {
        if self.single_price > 0.99 {
            return Some(Sign {
                kind: SignKind::DeadBook,
                message: format!(
                    "{:.1} % of the candles have a single price: nothing moved",
                    self.single_price * 100.0
                ),
            });
        }
        let spread = 2.0 * (-self.return_persistence).max(0.0).sqrt() * self.return_deviation;
        let bounces = self.return_persistence < -0.3 && self.return_rank_persistence < -0.25;
        (bounces && spread > 0.01 && spread > 3.0 * self.tick).then(|| Sign {
            kind: SignKind::DeadBook,
            message: format!(
                "prices bounce as in a dead book or a test network: returns correlate {:.2} with the one before (markets: above -0.2), which implies a bid-ask spread of {:.1} %; {:.0} % of the candles have a single price",
                self.return_persistence,
                spread * 100.0,
                self.single_price * 100.0
            ),
        })
    }
}

/// Whether a statistic is below a limit, or cannot be told because nothing varies.
fn below(value: f64, limit: f64) -> bool {
    value.is_nan() || value < limit
}

/// The smallest move between neighbouring closes, relative to their median.
fn tick_of(closes: &[f64]) -> f64 {
    let moves = closes.windows(2).map(|pair| (pair[1] - pair[0]).abs()).filter(|step| *step > 0.0);
    moves.fold(f64::INFINITY, f64::min).min(f64::MAX) / median(&mut closes.to_vec())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64
}

fn excess_kurtosis(values: &[f64]) -> f64 {
    let mean = mean(values);
    let fourth = values.iter().map(|value| (value - mean).powi(4)).sum::<f64>() / values.len() as f64;
    fourth / variance(values).powi(2) - 3.0
}

/// Pearson correlation; NaN where one of the two does not vary.
fn correlation(left: &[f64], right: &[f64]) -> f64 {
    let (left_mean, right_mean) = (mean(left), mean(right));
    let (mut both, mut left_square, mut right_square) = (0.0, 0.0, 0.0);
    for (l, r) in left.iter().zip(right) {
        both += (l - left_mean) * (r - right_mean);
        left_square += (l - left_mean).powi(2);
        right_square += (r - right_mean).powi(2);
    }
    both / (left_square * right_square).sqrt()
}

/// Correlation of each value with the one before.
fn lagged(values: &[f64]) -> f64 {
    if values.len() < 3 { f64::NAN } else { correlation(&values[1..], &values[..values.len() - 1]) }
}

/// Ranks, with the mean rank for equal values.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&left, &right| values[left].total_cmp(&values[right]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let mut end = start + 1;
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        for &index in &order[start..end] {
            ranks[index] = (start + end - 1) as f64 / 2.0;
        }
        start = end;
    }
    ranks
}

fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_equal_their_definitions() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [2.5, 0.0, 2.5, 1.0]);
        assert!((correlation(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]) - 1.0).abs() < 1e-12);
        // Two equally likely values have kurtosis 1.
        assert!((excess_kurtosis(&[1.0, -1.0, 1.0, -1.0]) + 2.0).abs() < 1e-12);
        assert!((lagged(&[1.0, -1.0, 1.0, -1.0, 1.0]) + 1.0).abs() < 1e-12);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn a_sample_covers_both_ends_without_repetition() {
        assert_eq!(sample(24_000), None);
        for len in [24_001, 100_000, 10_000_000] {
            let rows = sample(len).unwrap();
            assert_eq!((rows[0], rows[rows.len() - 1]), (0, len - 1));
            assert!(rows.windows(2).all(|pair| pair[0] < pair[1]), "{len}");
        }
    }

    #[test]
    fn every_sign_reads_back() {
        for kind in SignKind::ALL {
            assert_eq!(kind.as_str().parse::<SignKind>().unwrap(), kind);
        }
        assert!("everything".parse::<SignKind>().unwrap_err().to_string().contains("known-prices"));
    }
}
