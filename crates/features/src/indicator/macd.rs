//! Moving average convergence/divergence.

use serde::{Deserialize, Serialize};

use super::Indicator;
use crate::bar::Bar;
use crate::smoothing::Ema;

/// Appel's MACD: `ema(fast) − ema(slow)` of the close, its own exponential average (the signal), and the
/// difference of the two (the histogram), in quote currency (TA-Lib MACD).
///
/// All three begin together with the signal. The fast average begins with the mean of the `fast` closes that
/// end where the slow one's first mean ends, as in TA-Lib: it does not use the closes before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
    /// Closes that the fast average still leaves out.
    left_out: usize,
}

impl Macd {
    /// `fast` is shorter than `slow`.
    pub(crate) fn new(fast: usize, slow: usize, signal: usize) -> Self {
        Self {
            fast: Ema::new(fast),
            slow: Ema::new(slow),
            signal: Ema::new(signal),
            left_out: slow.saturating_sub(fast),
        }
    }
}

impl Indicator for Macd {
    /// MACD, signal, histogram.
    type Values = [f64; 3];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 3] {
        let slow = self.slow.push(bar.close);
        if self.left_out > 0 {
            self.left_out -= 1;
            return [f64::NAN; 3];
        }
        let fast = self.fast.push(bar.close);
        let (Some(fast), Some(slow)) = (fast, slow) else { return [f64::NAN; 3] };
        let macd = fast - slow;
        let Some(signal) = self.signal.push(macd) else { return [f64::NAN; 3] };
        [macd, signal, macd - signal]
    }
}
