//! The sizes that a threshold cuts in two, sorted once.

use crate::error::LabelError;
use crate::horizon_return::{HorizonReturn, Threshold};
use crate::labeler::Labeler;
use crate::splits::TrainCandles;
use crate::triple_barrier::TripleBarrier;

/// The **critical value** of every label in training time: the label is no Hold under exactly the thresholds
/// below it.
///
/// | labeler | critical value |
/// |---|---|
/// | horizon return, fixed | `abs(r_i)` |
/// | horizon return, adaptive | `abs(r_i) / (σ_i √horizon)`; 0 or infinite where `minimum` or `maximum` alone decide |
/// | trend scanning | `abs(t_i)` |
/// | triple barrier | the furthest that a high or low of the window is from the entry, in `unit` |
///
/// For the first two kinds the sign of the return or of the t-value is the side. For barriers the side depends
/// on which is touched first, and so on the distance: there the values say only what is a Hold.
#[derive(Clone, Debug)]
pub struct CriticalValues {
    pub(super) series: Vec<SeriesCritical>,
    has_sides: bool,
}

/// Those of one series, each list in increasing order.
#[derive(Clone, Debug)]
pub(super) struct SeriesCritical {
    pub(super) name: String,
    pub(super) labels: usize,
    /// Of labels that can be a Sell; empty without sides.
    pub(super) sell: Vec<f64>,
    /// Of labels that can be a Buy; without sides of all labels.
    pub(super) buy: Vec<f64>,
}

/// How the critical values lie: Sell to the left of zero, Buy to the right.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Histogram {
    /// Where the first bin begins.
    pub from: f64,
    /// Where the last bin ends.
    pub to: f64,
    /// Values per bin; all bins are equally wide.
    pub counts: Vec<usize>,
    /// Values beyond the bins, infinite ones among them.
    pub outside: usize,
}

impl CriticalValues {
    /// Those of `labeler`, whose thresholds do not matter, in training time.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`].
    pub fn of(labeler: &Labeler, candles: &[TrainCandles<'_>]) -> Result<Self, LabelError> {
        labeler.validate()?;
        let series = candles.iter().map(|candles| match labeler {
            Labeler::HorizonReturn(labeler) => of_horizon(labeler, candles),
            Labeler::TrendScanning(labeler) => {
                let log_close: Vec<f64> =
                    candles.series().columns().close.iter().map(|close| close.ln()).collect();
                collect(candles, labeler.maximum_window as usize - 1, |index, last| {
                    let t_value = labeler.strongest_trend(&log_close[index..=last]).0;
                    Some((t_value.abs(), t_value))
                })
            }
            Labeler::TripleBarrier(labeler) => of_barrier(labeler, candles),
        });
        let has_sides = !matches!(labeler, Labeler::TripleBarrier(_));
        Ok(Self { series: series.collect(), has_sides })
    }

    /// Whether the values know Sell from Buy: not those of a triple barrier.
    pub const fn has_sides(&self) -> bool {
        self.has_sides
    }

    /// How many labels there are in training time.
    pub fn labels(&self) -> usize {
        self.series.iter().map(|series| series.labels).sum()
    }

    /// The values of all series together in `bins` bins of equal width that reach as far as 99 % of them;
    /// without sides from 0 on. Sizes of zero, which no threshold makes anything but a Hold, count on the right.
    pub fn histogram(&self, bins: usize) -> Histogram {
        let bins = bins.max(1);
        let sides = || self.series.iter().flat_map(|series| [(&series.sell, -1.0), (&series.buy, 1.0)]);
        let mut finite: Vec<f64> = sides()
            .flat_map(|(values, _)| values.iter().copied())
            .filter(|value| value.is_finite())
            .collect();
        let rank = (finite.len() * 99 / 100).min(finite.len().saturating_sub(1));
        let reach = if finite.is_empty() {
            1.0
        } else {
            let (_, reach, _) = finite.select_nth_unstable_by(rank, f64::total_cmp);
            if *reach > 0.0 { *reach } else { 1.0 }
        };
        let from = if self.has_sides { -reach } else { 0.0 };
        let mut histogram = Histogram { from, to: reach, counts: vec![0; bins], outside: 0 };
        let width = (reach - from) / bins as f64;
        for (values, sign) in sides() {
            for value in values {
                let bin = (sign * value - from) / width;
                match histogram.counts.get_mut(bin.floor() as usize) {
                    Some(count) if bin >= 0.0 => *count += 1,
                    // The end of the last bin belongs to it.
                    _ if sign * value == reach => histogram.counts[bins - 1] += 1,
                    _ => histogram.outside += 1,
                }
            }
        }
        histogram
    }

    /// The thresholds, of both sides alike, under which these shares of all labels are a Hold, as nearly as the
    /// values allow; a share at which no threshold stands is left out.
    pub fn hold_thresholds(&self, shares: &[f64]) -> Vec<f64> {
        let (mut critical, labels) = self.pooled(Side::Both);
        critical.sort_unstable_by(f64::total_cmp);
        let of = |share: &f64| {
            let cut = ((share * labels as f64).round().max(0.0) as usize).min(labels);
            let lower = critical.get(cut.checked_sub(1)?)?;
            let upper = critical.get(cut)?;
            (lower.is_finite() && upper.is_finite()).then(|| lower + (upper - lower) / 2.0)
        };
        shares.iter().filter_map(of).collect()
    }

    #[cfg(test)]
    pub(super) const fn for_test(series: Vec<SeriesCritical>) -> Self {
        Self { series, has_sides: true }
    }

    /// Series with labels; an error where there are none.
    pub(super) fn require_labels(&self) -> Result<(), LabelError> {
        if self.labels() == 0 {
            return Err(LabelError::NothingToSearch { series: self.series.len() });
        }
        Ok(())
    }

    /// All values, and how many labels there are: of one side, or of both.
    pub(super) fn pooled(&self, side: Side) -> (Vec<f64>, usize) {
        (self.series.iter().flat_map(|series| side.of(series)).copied().collect(), self.labels())
    }
}

/// Which critical values are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Sell,
    Buy,
    /// Those of Sell and Buy, which are no Hold.
    Both,
}

impl Side {
    pub(super) fn of(self, series: &SeriesCritical) -> impl Iterator<Item = &f64> {
        let (sell, buy) = (self != Self::Buy, self != Self::Sell);
        let of = |wanted: bool, values| if wanted { values } else { [].as_slice() };
        of(sell, series.sell.as_slice()).iter().chain(of(buy, series.buy.as_slice()))
    }
}

/// Asks `find(i, last of its window)` for size and sign of every label in training time.
fn collect(
    candles: &TrainCandles<'_>,
    window: usize,
    mut find: impl FnMut(usize, usize) -> Option<(f64, f64)>,
) -> SeriesCritical {
    let series = candles.series();
    let mut found =
        SeriesCritical { name: candles.key().to_string(), labels: 0, sell: Vec::new(), buy: Vec::new() };
    for run in series.gaps().runs(series.len()) {
        for index in run.start..run.end.saturating_sub(window) {
            let last = index + window;
            if !candles.admits(index, last) {
                continue;
            }
            if let Some((size, sign)) = find(index, last) {
                found.labels += 1;
                // A sign of zero is a size of zero: no threshold makes it a Sell.
                if sign < 0.0 { found.sell.push(size) } else { found.buy.push(size) }
            }
        }
    }
    found.sell.sort_unstable_by(f64::total_cmp);
    found.buy.sort_unstable_by(f64::total_cmp);
    found
}

fn of_horizon(labeler: &HorizonReturn, candles: &TrainCandles<'_>) -> SeriesCritical {
    let rows = labeler.rows(candles.series());
    let run = 0..candles.series().len();
    collect(candles, labeler.horizon as usize, |index, _| {
        // The window lies inside one run of candles, so the whole series can stand for it.
        let (forward_return, scale, _) = rows.get(index, &run).ok()?;
        Some((critical_value(forward_return.abs(), scale, &labeler.threshold), forward_return))
    })
}

/// The value below which a threshold must lie for a return of this size to be beyond it.
fn critical_value(size: f64, scale: f64, threshold: &Threshold) -> f64 {
    match threshold {
        Threshold::Fixed(_) => size,
        Threshold::Adaptive(adaptive) if size <= adaptive.minimum => 0.0,
        Threshold::Adaptive(adaptive) if size > adaptive.maximum => f64::INFINITY,
        // Without volatility the threshold is the minimum, whatever the multiplier; x / 0 says so.
        Threshold::Adaptive(_) => size / scale,
    }
}

fn of_barrier(labeler: &TripleBarrier, candles: &TrainCandles<'_>) -> SeriesCritical {
    let rows = labeler.rows(candles.series());
    let window = labeler.time_limit as usize;
    let columns = candles.series().columns();
    let (highest, lowest) = (
        rolling(&columns.high, window, |old, new| new >= old),
        rolling(&columns.low, window, |old, new| new <= old),
    );
    collect(candles, window, |index, last| {
        let entry = columns.close[index];
        let unit = rows.unit(index).ok()?;
        let furthest = (highest[last] - entry).max(entry - lowest[last]).max(0.0);
        Some((furthest / unit, 1.0))
    })
}

/// At every index the extreme of the last `window` values, in O(1) per value: indices of candidates, the best
/// first, from which each value drives out those that it beats.
fn rolling(values: &[f64], window: usize, beats: impl Fn(f64, f64) -> bool) -> Vec<f64> {
    let mut candidates = std::collections::VecDeque::new();
    let mut extremes = Vec::with_capacity(values.len());
    for (index, &value) in values.iter().enumerate() {
        while candidates.back().is_some_and(|&last: &usize| beats(values[last], value)) {
            candidates.pop_back();
        }
        candidates.push_back(index);
        while candidates.front().is_some_and(|&first| first + window <= index) {
            candidates.pop_front();
        }
        extremes.push(candidates.front().map_or(value, |&first| values[first]));
    }
    extremes
}
