//! Whether volume went with rising or with falling prices.
//!
//! Sums over windows are taken by [`WindowSums`], which forgets what has left; TA-Lib's running sums keep the
//! rounding of the largest volume that they ever saw, and differ from these by that.

use serde::{Deserialize, Serialize};

use crate::bar::Bar;
use crate::indicator::Indicator;
use crate::indicator::window_fold::WindowSums;

/// `part / whole`, or 0 where there is nothing.
#[inline]
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// The volume, with the sign of the change of the close: On Balance Volume's summand.
///
/// Without branches, because whether a price rises is as good as unpredictable.
#[inline]
fn signed_volume(bar: &Bar) -> f64 {
    let rose = f64::from(u8::from(bar.close > bar.previous_close));
    let fell = f64::from(u8::from(bar.close < bar.previous_close));
    (rose - fell) * bar.volume
}

/// Chaikin's money flow volume: the volume times where the close lies in the candle, from −1 at the low to
/// 1 at the high; 0 in a candle without range.
#[inline]
fn money_flow_volume(bar: &Bar) -> f64 {
    let range = bar.high - bar.low;
    if range > 0.0 { (bar.close - bar.low - (bar.high - bar.close)) / range * bar.volume } else { 0.0 }
}

/// On Balance Volume of the last candles alone: volume of rising less that of falling closes, divided by the
/// whole volume; 0 where there is none.
///
/// The summands are TA-Lib OBV's (Joseph Granville, 1963), whose own sum never forgets where it began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VolumeBalance {
    /// Of the signed volume and of the volume.
    sums: WindowSums,
}

impl VolumeBalance {
    pub(crate) fn new(period: usize) -> Self {
        Self { sums: WindowSums::new(period) }
    }
}

impl Indicator for VolumeBalance {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        if bar.first {
            return [f64::NAN];
        }
        let sums = self.sums.push([signed_volume(bar), bar.volume]);
        [sums.map_or(f64::NAN, |[signed, volume]| share(signed, volume))]
    }
}

/// On Balance Volume and the Accumulation/Distribution line since the first candle, in base currency.
///
/// TA-Lib OBV and AD. Their level depends on where the run began, for good.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct CumulativeVolume {
    on_balance: f64,
    accumulation: f64,
}

impl Indicator for CumulativeVolume {
    type Values = [f64; 2];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 2] {
        self.on_balance += if bar.first { bar.volume } else { signed_volume(bar) };
        self.accumulation += money_flow_volume(bar);
        [self.on_balance, self.accumulation]
    }
}

/// Chaikin Money Flow: Σ money flow volume / Σ volume, 0 where there is no volume.
///
/// TA-Lib CMF; Marc Chaikin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChaikinMoneyFlow {
    /// Of the money flow volume and of the volume.
    sums: WindowSums,
}

impl ChaikinMoneyFlow {
    pub(crate) fn new(period: usize) -> Self {
        Self { sums: WindowSums::new(period) }
    }
}

impl Indicator for ChaikinMoneyFlow {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let sums = self.sums.push([money_flow_volume(bar), bar.volume]);
        [sums.map_or(f64::NAN, |[money_flow, volume]| share(money_flow, volume))]
    }
}

/// Two typical prices nearer to each other than this share of their sum have not moved, for
/// [`MoneyFlowIndex`].
const UNMOVED: f64 = 1e-14;

/// Money Flow Index, 0 to 100: the share of the money (typical price × volume) that moved in candles whose
/// typical price rose, among those in which it moved; 0 where no money moved.
///
/// TA-Lib MFI; Gene Quong and Avrum Soudack, Technical Analysis of Stocks & Commodities, March 1989.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MoneyFlowIndex {
    /// Of the money in rising and in falling candles.
    sums: WindowSums,
    /// The typical price of the candle before.
    previous: f64,
}

impl MoneyFlowIndex {
    pub(crate) fn new(period: usize) -> Self {
        Self { sums: WindowSums::new(period), previous: 0.0 }
    }
}

impl Indicator for MoneyFlowIndex {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        let typical = bar.typical();
        let (change, scale) = (typical - self.previous, typical + self.previous);
        self.previous = typical;
        if bar.first {
            return [f64::NAN];
        }
        let money = if change.abs() <= UNMOVED * scale { 0.0 } else { typical * bar.volume };
        let rising = if change > 0.0 { money } else { 0.0 };
        let sums = self.sums.push([rising, money - rising]);
        [sums.map_or(f64::NAN, |[rising, falling]| 100.0 * share(rising, rising + falling))]
    }
}

/// How far the Accumulation/Distribution line is above an exponential average of itself.
///
/// From EMA' = k EMA + (1 − k) (AD + m) follows AD' − EMA' = k (AD − EMA + m), with the money flow volume m
/// of the candle: so the level of the line, and with it its rounding, is not needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct AccumulationAhead {
    kept: f64,
    ahead: f64,
}

impl AccumulationAhead {
    fn new(period: usize) -> Self {
        Self { kept: (period as f64 - 1.0) / (period as f64 + 1.0), ahead: 0.0 }
    }

    #[inline]
    fn push(&mut self, money_flow_volume: f64) -> f64 {
        self.ahead = self.kept * (self.ahead + money_flow_volume);
        self.ahead
    }
}

/// Chaikin A/D Oscillator, in base currency: fast less slow exponential average of the
/// Accumulation/Distribution line, both beginning with the line's first value.
///
/// TA-Lib ADOSC; Marc Chaikin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChaikinOscillator {
    fast: AccumulationAhead,
    slow: AccumulationAhead,
    missing: usize,
}

impl ChaikinOscillator {
    pub(crate) fn new(fast: usize, slow: usize) -> Self {
        Self {
            fast: AccumulationAhead::new(fast),
            slow: AccumulationAhead::new(slow),
            missing: Self::lookback(fast, slow),
        }
    }

    /// Index of the first value.
    pub(crate) fn lookback(fast: usize, slow: usize) -> usize {
        fast.max(slow) - 1
    }
}

impl Indicator for ChaikinOscillator {
    type Values = [f64; 1];

    #[inline(always)]
    fn push(&mut self, bar: &Bar) -> [f64; 1] {
        if !bar.first {
            // The first candle only sets the level of the line and of both averages.
            let flow = money_flow_volume(bar);
            let (fast, slow) = (self.fast.push(flow), self.slow.push(flow));
            self.missing = self.missing.saturating_sub(1);
            if self.missing == 0 {
                return [slow - fast];
            }
        }
        [f64::NAN]
    }
}
