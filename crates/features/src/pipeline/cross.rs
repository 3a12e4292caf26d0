//! Rolling relation of the symbol to a reference.

use std::collections::VecDeque;

use market_data::{Candle, Timeframe, Timestamp};
use serde::{Deserialize, Serialize};

use crate::rolling::Window;

/// Below this variance of log returns (their squares are around 1e-7) a price does not move: what is left is
/// rounding.
const LEAST_VARIANCE: f64 = 1e-24;
/// Reference candles kept for a symbol that lags behind, at most.
const LONGEST_QUEUE: usize = 10_000;

/// Pairs of log returns of the reference and the symbol over several windows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CrossAsset {
    timeframe: Timeframe,
    windows: Vec<usize>,
    /// Closes of the reference that the symbol has not reached yet.
    ahead: VecDeque<(Timestamp, f64)>,
    /// The reference's candle before the next one in `ahead`.
    last: Option<(Timestamp, f64)>,
    reference: Window,
    own: Window,
    /// The symbol's candle before the next one.
    own_last: Option<(Timestamp, f64)>,
    /// Consecutive pairs so far.
    pairs: usize,
}

impl CrossAsset {
    pub(crate) fn new(timeframe: Timeframe, windows: &[usize]) -> Self {
        let longest = windows.iter().copied().max().unwrap_or(1);
        Self {
            timeframe,
            windows: windows.to_vec(),
            ahead: VecDeque::new(),
            last: None,
            reference: Window::new(longest),
            own: Window::new(longest),
            own_last: None,
            pairs: 0,
        }
    }

    /// When the newest candle of the reference opens.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.ahead.back().or(self.last.as_ref()).map(|(time, _)| *time)
    }

    /// The reference's next candle. Candles that are known already are left out.
    pub(crate) fn tell(&mut self, candle: &Candle) {
        if self.newest().is_some_and(|newest| candle.open_time <= newest) {
            return;
        }
        if self.ahead.len() == LONGEST_QUEUE {
            self.last = self.ahead.pop_front();
        }
        self.ahead.push_back((candle.open_time, candle.close));
    }

    /// Values per candle.
    pub(crate) fn width(&self) -> usize {
        3 * self.windows.len()
    }

    /// Takes the symbol's next candle; three values per window, NaN while unknown.
    pub(crate) fn push(&mut self, candle: &Candle, out: &mut [f64]) {
        let open_time = candle.open_time;
        let follows = |before: Timestamp| open_time.since(before) == self.timeframe.millis();
        let own_return = self.own_last.filter(|(before, _)| follows(*before));
        let own_return = own_return.map(|(_, previous)| (candle.close / previous).ln());
        self.own_last = Some((open_time, candle.close));
        let mut reference_return = None;
        while let Some(&(time, close)) = self.ahead.front()
            && time <= open_time
        {
            if time == open_time
                && let Some((before, previous)) = self.last
                && time.since(before) == self.timeframe.millis()
            {
                reference_return = Some((close / previous).ln());
            }
            self.last = Some((time, close));
            self.ahead.pop_front();
        }
        if let Some((reference_return, own_return)) = reference_return.zip(own_return) {
            self.reference.push(reference_return);
            self.own.push(own_return);
            self.pairs += 1;
        } else {
            self.pairs = 0;
        }
        for (&window, out) in self.windows.iter().zip(out.chunks_exact_mut(3)) {
            let values = if self.pairs >= window { self.relation(window) } else { [f64::NAN; 3] };
            out.copy_from_slice(&values);
        }
    }

    /// Correlation, beta and relative strength over the last `window` pairs, in two passes: a running sum
    /// would keep the rounding of large moves long after they left.
    fn relation(&self, window: usize) -> [f64; 3] {
        let n = window as f64;
        let pairs = || (0..window).map(|age| (self.reference.back(age), self.own.back(age)));
        let (sum_x, sum_y) = pairs().fold((0.0, 0.0), |(x, y), pair| (x + pair.0, y + pair.1));
        let (mean_x, mean_y) = (sum_x / n, sum_y / n);
        let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
        for (x, y) in pairs() {
            let (x, y) = (x - mean_x, y - mean_y);
            xx += x * x;
            yy += y * y;
            xy += x * y;
        }
        let moves = |sum: f64| sum > LEAST_VARIANCE * n;
        let correlation =
            if moves(xx) && moves(yy) { (xy / (xx.sqrt() * yy.sqrt())).clamp(-1.0, 1.0) } else { 0.0 };
        let beta = if moves(xx) { xy / xx } else { 0.0 };
        [correlation, beta, sum_y - sum_x]
    }
}
