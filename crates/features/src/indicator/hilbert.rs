//! The Hilbert transform's cycle indicators, all from one pass.

use std::f64::consts::{FRAC_1_SQRT_2, PI, TAU};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::Indicator;
use crate::bar::Bar;

/// The longest dominant cycle, and so the most candles that a phase or a trend line looks back on.
const LONGEST_CYCLE: usize = 50;

/// Index of the first candle that the transform of the period and the phasor takes in, in TA-Lib.
const PERIOD_START: u64 = 12;
/// Index of the first candle that the transform of the phase, the sine and the trend mode takes in, in
/// TA-Lib.
const PHASE_START: u64 = 37;
/// TA-Lib's lookback of `HT_DCPERIOD` and `HT_PHASOR`.
pub(crate) const PERIOD_LOOKBACK: usize = 32;
/// TA-Lib's lookback of `HT_DCPHASE`, `HT_SINE` and `HT_TRENDMODE`.
pub(crate) const PHASE_LOOKBACK: usize = 63;

const DEGREES_PER_RADIAN: f64 = 180.0 / PI;
const RADIANS_PER_DEGREE: f64 = 1.0 / DEGREES_PER_RADIAN;

/// Candles of a cycle that are summed at a time.
const CHUNK: usize = 4;
/// [`LONGEST_CYCLE`] in whole chunks.
const CYCLE_ROOM: usize = LONGEST_CYCLE.next_multiple_of(CHUNK);

/// Sine, cosine and 1 at each candle of a cycle of as many candles as the index says, with zeros after it
/// that fill the last chunk: the cycle's length changes often, and loops of any length would be mispredicted
/// as often.
static CYCLE_WAVES: LazyLock<Vec<Vec<[[f64; 3]; CHUNK]>>> = LazyLock::new(|| {
    (0..=LONGEST_CYCLE)
        .map(|period| {
            let wave = |candle: usize| {
                let angle = candle as f64 * TAU / period as f64;
                if candle < period { [angle.sin(), angle.cos(), 1.0] } else { [0.0; 3] }
            };
            (0..period.div_ceil(CHUNK))
                .map(|chunk| std::array::from_fn(|candle| wave(chunk * CHUNK + candle)))
                .collect()
        })
        .collect()
});

/// Average of the last four prices with the weights 4, 3, 2, 1, added up in the order of TA-Lib.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Smoother {
    /// The last three prices, newest first.
    last: [f64; 3],
    seen: u32,
    sum: f64,
    weighted_sum: f64,
    /// The price that leaves the sum with the next one.
    leaving: f64,
}

impl Smoother {
    /// The average is of use from the fourth price on.
    #[inline]
    fn push(&mut self, price: f64) -> f64 {
        let [one, two, three] = self.last;
        self.last = [price, one, two];
        self.sum += price;
        if self.seen < 3 {
            self.seen += 1;
            self.weighted_sum += price * f64::from(self.seen);
            return 0.0;
        }
        self.sum -= self.leaving;
        self.leaving = three;
        self.weighted_sum += price * 4.0;
        let smooth = self.weighted_sum * 0.1;
        self.weighted_sum -= self.sum;
        smooth
    }
}

/// Inputs of the four filters, 2, 4 and 6 candles ago.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Taps {
    two: [f64; 4],
    four: [f64; 4],
    six: [f64; 4],
}

impl Taps {
    /// Ehlers' Hilbert transform filter for the filter numbered `channel`, before the period's adjustment.
    #[inline]
    fn filter(&self, channel: usize, input: f64) -> f64 {
        0.0962 * input - 0.0962 * self.six[channel] - 0.5769 * self.four[channel] + 0.5769 * self.two[channel]
    }
}

#[inline]
fn at_most(value: f64, bound: f64) -> f64 {
    if value > bound { bound } else { value }
}

#[inline]
fn at_least(value: f64, bound: f64) -> f64 {
    if value < bound { bound } else { value }
}

/// Ehlers' homodyne discriminator: the phasor of the smoothed price and the period of its dominant cycle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Transform {
    /// By parity of the candle: the filters look back on every second candle only.
    taps: [Taps; 2],
    /// The detrended price one, two and three candles ago.
    detrended: [f64; 3],
    in_phase: f64,
    quadrature: f64,
    real: f64,
    imaginary: f64,
    period: f64,
    smooth_period: f64,
}

impl Transform {
    /// Takes a smoothed price; gives the phasor's in-phase and quadrature component.
    #[inline]
    fn push(&mut self, smooth: f64, parity: usize) -> [f64; 2] {
        let adjustment = 0.075 * self.period + 0.54;
        let taps = &mut self.taps[parity & 1];
        let [one, two, in_phase] = self.detrended;
        let detrended = taps.filter(0, smooth) * adjustment;
        let quadrature = taps.filter(1, detrended) * adjustment;
        let advanced_in_phase = taps.filter(2, in_phase) * adjustment;
        let advanced_quadrature = taps.filter(3, quadrature) * adjustment;
        taps.six = taps.four;
        taps.four = taps.two;
        taps.two = [smooth, detrended, in_phase, quadrature];
        self.detrended = [detrended, one, two];

        let smooth_quadrature = 0.2 * (quadrature + advanced_in_phase) + 0.8 * self.quadrature;
        let smooth_in_phase = 0.2 * (in_phase - advanced_quadrature) + 0.8 * self.in_phase;
        self.real =
            0.8 * self.real + 0.2 * (smooth_in_phase * self.in_phase + smooth_quadrature * self.quadrature);
        self.imaginary = 0.8 * self.imaginary
            + 0.2 * (smooth_in_phase * self.quadrature - smooth_quadrature * self.in_phase);
        self.quadrature = smooth_quadrature;
        self.in_phase = smooth_in_phase;

        let before = self.period;
        let mut period = before;
        if self.imaginary != 0.0 && self.real != 0.0 {
            period = 360.0 / ((self.imaginary / self.real).atan() * DEGREES_PER_RADIAN);
        }
        period = at_least(at_most(period, 1.5 * before), 0.67 * before);
        period = at_most(at_least(period, 6.0), LONGEST_CYCLE as f64);
        self.period = 0.2 * period + 0.8 * before;
        self.smooth_period = 0.67 * self.smooth_period + 0.33 * self.period;
        [in_phase, quadrature]
    }
}

/// Sine and cosine of an angle in degrees, within 1e-15 for some turns. Without branches, unlike the
/// library's: the phase jumps about, so that they would be mispredicted.
#[inline]
fn sine_and_cosine(degrees: f64) -> [f64; 2] {
    // Adding and subtracting 1.5 * 2^52 rounds to a whole number.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// Sine and cosine at the quarters of a turn.
    const QUARTERS: [[f64; 2]; 4] = [[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]];
    let quarters = (degrees * (1.0 / 90.0) + ROUND) - ROUND;
    let angle = (degrees - quarters * 90.0) * RADIANS_PER_DEGREE;
    let square = angle * angle;
    let fourth = square * square;
    let eighth = fourth * fourth;
    // Taylor series, which on an eighth of a turn end below 1e-17; summed by pairs, so that the sums overlap.
    let low = (1.0 - square * (1.0 / 6.0)) + fourth * (1.0 / 120.0 - square * (1.0 / 5_040.0));
    let high = (1.0 / 362_880.0 - square * (1.0 / 39_916_800.0))
        + fourth * (1.0 / 6_227_020_800.0 - square * (1.0 / 1_307_674_368_000.0));
    let sine = angle * (low + eighth * high);
    let low = (1.0 - square * 0.5) + fourth * (1.0 / 24.0 - square * (1.0 / 720.0));
    let high = (1.0 / 40_320.0 - square * (1.0 / 3_628_800.0))
        + fourth
            * ((1.0 / 479_001_600.0 - square * (1.0 / 87_178_291_200.0))
                + fourth * (1.0 / 20_922_789_888_000.0));
    let cosine = low + eighth * high;
    let [quarter_sine, quarter_cosine] = QUARTERS[quarters as i64 as usize & 3];
    [sine * quarter_cosine + cosine * quarter_sine, cosine * quarter_cosine - sine * quarter_sine]
}

/// The last values, newest first in one piece: each is held twice, one length apart.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct NewestFirst {
    values: Vec<f64>,
    newest: usize,
}

impl NewestFirst {
    fn new() -> Self {
        Self { values: vec![0.0; 2 * CYCLE_ROOM], newest: CYCLE_ROOM }
    }

    #[inline]
    fn push(&mut self, value: f64) {
        self.newest = if self.newest == 0 { CYCLE_ROOM - 1 } else { self.newest - 1 };
        self.values[self.newest] = value;
        self.values[self.newest + CYCLE_ROOM] = value;
    }

    #[inline]
    fn chunks(&self) -> &[[f64; CHUNK]] {
        self.values[self.newest..self.newest + CYCLE_ROOM].as_chunks().0
    }
}

/// Where the price is in its dominant cycle, and whether it cycles at all.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Phase {
    smooth_prices: NewestFirst,
    prices: NewestFirst,
    degrees: f64,
    sine: f64,
    lead_sine: f64,
    /// Averages of the price over the dominant cycle, one, two and three candles ago.
    averages: [f64; 3],
    /// Candles since the sine and the lead sine crossed.
    since_crossing: u32,
}

impl Phase {
    fn new() -> Self {
        Self {
            smooth_prices: NewestFirst::new(),
            prices: NewestFirst::new(),
            degrees: 0.0,
            sine: 0.0,
            lead_sine: 0.0,
            averages: [0.0; 3],
            since_crossing: 0,
        }
    }

    /// Takes a smoothed price that has been kept in `smooth_prices`; gives phase, sine, lead sine and trend
    /// mode.
    #[inline]
    fn push(&mut self, smooth: f64, smooth_period: f64) -> [f64; 4] {
        self.smooth_prices.push(smooth);
        let candles = (smooth_period + 0.5) as usize;
        let mut real = 0.0;
        let mut imaginary = 0.0;
        let mut price_sum = 0.0;
        let chunks = self.smooth_prices.chunks().iter().zip(self.prices.chunks());
        for (waves, (smooth_prices, prices)) in CYCLE_WAVES[candles].iter().zip(chunks) {
            for (([sine, cosine, one], smooth_price), price) in waves.iter().zip(smooth_prices).zip(prices) {
                real += sine * smooth_price;
                imaginary += cosine * smooth_price;
                price_sum += one * price;
            }
        }

        let cycle_rate = 360.0 / smooth_period;
        let mut degrees = self.degrees;
        if imaginary != 0.0 {
            degrees = (real / imaginary).atan() * DEGREES_PER_RADIAN;
        } else if real < 0.0 {
            degrees -= 90.0;
        } else if real > 0.0 {
            degrees += 90.0;
        }
        degrees += 90.0;
        // The smoothed price is one candle late.
        degrees += cycle_rate;
        degrees += if imaginary < 0.0 { 180.0 } else { 0.0 };
        degrees -= if degrees > 315.0 { 360.0 } else { 0.0 };
        let [sine, cosine] = sine_and_cosine(degrees);
        // Rounding may lead above 1.
        let lead_sine = ((sine + cosine) * FRAC_1_SQRT_2).clamp(-1.0, 1.0);

        let average = if candles > 0 { price_sum / candles as f64 } else { price_sum };
        let [one, two, three] = self.averages;
        let trend_line = (4.0 * average + 3.0 * one + 2.0 * two + three) / 10.0;
        self.averages = [average, one, two];

        let crossed = ((sine > lead_sine) & (self.sine <= self.lead_sine))
            | ((sine < lead_sine) & (self.sine >= self.lead_sine));
        self.since_crossing = if crossed { 1 } else { self.since_crossing.saturating_add(1) };
        let turned = degrees - self.degrees;
        let cycles = crossed
            | (f64::from(self.since_crossing) < 0.5 * smooth_period)
            | ((turned > 0.67 * 360.0 / smooth_period) & (turned < 1.5 * 360.0 / smooth_period));
        let trends = !cycles | ((trend_line != 0.0) & (((smooth - trend_line) / trend_line).abs() >= 0.015));
        self.degrees = degrees;
        self.sine = sine;
        self.lead_sine = lead_sine;
        [degrees, sine, lead_sine, f64::from(u8::from(trends))]
    }
}

/// Dominant cycle period and phase (degrees), phasor, sine and lead sine, and trend mode.
///
/// Ehlers' Hilbert transform of the close, John F. Ehlers, *Rocket Science for Traders*, 2001; TA-Lib's
/// `HT_DCPERIOD`, `HT_DCPHASE`, `HT_PHASOR`, `HT_SINE` and `HT_TRENDMODE`. TA-Lib lets the filters of the
/// first and third of these begin at the 13th candle and those of the others at the 38th. The two recursions
/// forget where they began and, by rounding, come to agree to the last bit; until then both are carried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct HilbertCycle {
    seen: u64,
    smoother: Smoother,
    transform: Transform,
    /// The transform that began later, as long as it differs.
    late_transform: Option<Transform>,
    phase: Phase,
}

impl HilbertCycle {
    pub(crate) fn new() -> Self {
        Self {
            seen: 0,
            smoother: Smoother::default(),
            transform: Transform::default(),
            late_transform: Some(Transform::default()),
            phase: Phase::new(),
        }
    }
}

impl Indicator for HilbertCycle {
    /// Period, phase, in-phase, quadrature, sine, lead sine, trend mode.
    type Values = [f64; 7];

    #[inline]
    fn push(&mut self, bar: &Bar) -> [f64; 7] {
        let index = self.seen;
        let parity = (index & 1) as usize;
        self.seen = index + 1;
        let smooth = self.smoother.push(bar.close);
        self.phase.prices.push(bar.close);
        let mut values = [f64::NAN; 7];
        if index < PERIOD_START {
            return values;
        }
        let phasor = self.transform.push(smooth, parity);
        if index >= PERIOD_LOOKBACK as u64 {
            values[0] = self.transform.smooth_period;
            [values[2], values[3]] = phasor;
        }
        if index < PHASE_START {
            return values;
        }
        let smooth_period = if let Some(late) = &mut self.late_transform {
            late.push(smooth, parity);
            let smooth_period = late.smooth_period;
            if *late == self.transform {
                self.late_transform = None;
            }
            smooth_period
        } else {
            self.transform.smooth_period
        };
        let [degrees, sine, lead_sine, trend_mode] = self.phase.push(smooth, smooth_period);
        if index >= PHASE_LOOKBACK as u64 {
            values[1] = degrees;
            [values[4], values[5], values[6]] = [sine, lead_sine, trend_mode];
        }
        values
    }
}
