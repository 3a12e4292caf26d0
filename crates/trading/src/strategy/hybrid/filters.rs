//! What forbids new positions, and what it remembers of candles and positions.

use market_data::Candle;

use super::config::{
    ConfirmationFilter, CoolDownFilter, HybridFilters, Regime, RegimeFilter, SpreadFilter, TrendFilter,
    UnknownSpread, VolatilityFilter, VolatilityMeasure,
};
use super::model_vote::Direction;
use crate::market::PositionView;
use crate::strategy::Stance;

/// Stands for a spread that is not known and for a pause where no position was closed yet.
pub(super) const UNKNOWN: f64 = -1.0;

/// What a filter says, the number behind it and what that was held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judgement {
    pub(super) stance: Stance,
    pub(super) value: f64,
    pub(super) threshold: f64,
}

impl Judgement {
    pub(super) const fn new(allows: bool, value: f64, threshold: f64) -> Self {
        Self { stance: if allows { Stance::Allows } else { Stance::Vetoes }, value, threshold }
    }

    fn warming(seen: u32, needed: u32) -> Self {
        Self { stance: Stance::Abstains, value: f64::from(seen), threshold: f64::from(needed) }
    }

    /// Whether nothing may be opened: also while a filter knows too little.
    pub(super) fn blocks(&self) -> bool {
        self.stance != Stance::Allows
    }
}

/// The last values, oldest first.
#[derive(Clone, Debug)]
struct Ring {
    slots: Box<[f64]>,
    head: usize,
    seen: u32,
}

impl Ring {
    fn new(length: u32) -> Self {
        Self { slots: vec![0.0; length as usize].into_boxed_slice(), head: 0, seen: 0 }
    }

    /// Remembers a value; once full, gives back the one that came `length` values before.
    fn push(&mut self, value: f64) -> Option<f64> {
        let full = self.seen as usize >= self.slots.len();
        let oldest = self.slots.get_mut(self.head).map(|slot| std::mem::replace(slot, value));
        self.head = (self.head + 1) % self.slots.len().max(1);
        self.seen = self.seen.saturating_add(1);
        oldest.filter(|_| full)
    }

    fn in_order(&self) -> impl Iterator<Item = f64> + '_ {
        let (newer, older) = self.slots.split_at(self.head);
        older.iter().chain(newer).copied()
    }

    fn reset(&mut self) {
        self.head = 0;
        self.seen = 0;
    }
}

/// An exponential average that begins with the mean of its first `period` values.
#[derive(Clone, Copy, Debug)]
struct Average {
    period: u32,
    weight: f64,
    seen: u32,
    value: f64,
}

impl Average {
    fn new(period: u32, weight: f64) -> Self {
        Self { period, weight, seen: 0, value: 0.0 }
    }

    fn push(&mut self, value: f64) -> Option<f64> {
        if self.seen < self.period {
            self.seen += 1;
            // Not a sum divided in the end: of a price that stands still, the mean is to be that price exactly.
            self.value += (value - self.value) / f64::from(self.seen);
            if self.seen < self.period {
                return None;
            }
        } else {
            self.value += self.weight * (value - self.value);
        }
        Some(self.value)
    }

    fn reset(&mut self) {
        self.seen = 0;
        self.value = 0.0;
    }
}

/// 2 / (n + 1), the weight of an average of span n.
fn span_weight(period: u32) -> f64 {
    2.0 / (f64::from(period) + 1.0)
}

#[derive(Clone, Debug)]
struct TrendFold {
    average: Average,
    averages: Ring,
    /// Distance of the close from the average, and whether the average rose; relative.
    now: Option<(f64, f64)>,
}

#[derive(Clone, Debug)]
struct EfficiencyFold {
    closes: Ring,
    now: Option<f64>,
}

impl EfficiencyFold {
    fn push(&mut self, close: f64) {
        self.now = self.closes.push(close).map(|first| {
            let (path, _) = self
                .closes
                .in_order()
                .fold((0.0, first), |(path, before), close| (path + (close - before).abs(), close));
            if path > 0.0 { (close - first).abs() / path } else { 0.0 }
        });
    }
}

#[derive(Clone, Debug)]
struct VolatilityFold {
    measure: VolatilityMeasure,
    average: Average,
    previous_close: Option<f64>,
    now: Option<f64>,
}

impl VolatilityFold {
    fn push(&mut self, candle: &Candle) {
        let previous = self.previous_close.replace(candle.close);
        self.now = previous.and_then(|previous| match self.measure {
            VolatilityMeasure::Atr => {
                let range = candle.high.max(previous) - candle.low.min(previous);
                self.average.push(range).map(|range| range / candle.close)
            }
            VolatilityMeasure::Ewma => {
                let log_return = (candle.close / previous).ln();
                self.average.push(log_return * log_return).map(f64::sqrt)
            }
        });
    }
}

/// What the filters remember of the candles of one instrument since the last gap.
#[derive(Clone, Debug)]
pub(super) struct Folds {
    seen: u32,
    trend: Option<TrendFold>,
    efficiency: Option<EfficiencyFold>,
    volatility: Option<VolatilityFold>,
}

impl Folds {
    pub(super) fn new(filters: &HybridFilters) -> Self {
        Self {
            seen: 0,
            trend: filters.trend.map(|trend| TrendFold {
                average: Average::new(trend.period, span_weight(trend.period)),
                averages: Ring::new(trend.slope_candles),
                now: None,
            }),
            efficiency: filters
                .regime
                .map(|regime| EfficiencyFold { closes: Ring::new(regime.period), now: None }),
            volatility: filters.volatility.map(|volatility| {
                let weight = match volatility.measure {
                    VolatilityMeasure::Atr => 1.0 / f64::from(volatility.period),
                    VolatilityMeasure::Ewma => span_weight(volatility.period),
                };
                VolatilityFold {
                    measure: volatility.measure,
                    average: Average::new(volatility.period, weight),
                    previous_close: None,
                    now: None,
                }
            }),
        }
    }

    /// A candle that cannot have happened is as good as a gap.
    pub(super) fn push(&mut self, candle: &Candle, after_gap: bool) {
        let sound = candle.fault().is_none();
        if after_gap || !sound {
            self.reset();
        }
        if !sound {
            return;
        }
        self.seen = self.seen.saturating_add(1);
        if let Some(trend) = &mut self.trend {
            trend.now = trend.average.push(candle.close).and_then(|average| {
                let before = trend.averages.push(average)?;
                Some((candle.close / average - 1.0, average - before))
            });
        }
        if let Some(efficiency) = &mut self.efficiency {
            efficiency.push(candle.close);
        }
        if let Some(volatility) = &mut self.volatility {
            volatility.push(candle);
        }
    }

    fn reset(&mut self) {
        self.seen = 0;
        if let Some(trend) = &mut self.trend {
            trend.average.reset();
            trend.averages.reset();
            trend.now = None;
        }
        if let Some(efficiency) = &mut self.efficiency {
            efficiency.closes.reset();
            efficiency.now = None;
        }
        if let Some(volatility) = &mut self.volatility {
            volatility.average.reset();
            volatility.previous_close = None;
            volatility.now = None;
        }
    }

    /// The value is close / EMA - 1, or 0 where the slope of the EMA contradicts it; the threshold has the sign of what is
    /// wanted. Where nothing is wanted, nothing is forbidden.
    pub(super) fn trend(&self, filter: &TrendFilter, wanted: Option<Direction>) -> Judgement {
        let Some((distance, slope)) = self.trend.as_ref().and_then(|trend| trend.now) else {
            return Judgement::warming(self.seen, filter.period + filter.slope_candles);
        };
        let agreed = if distance * slope > 0.0 { distance } else { 0.0 };
        let sign = wanted.map_or(1.0, Direction::sign);
        let allows = wanted.is_none() || sign * agreed > filter.minimum_distance;
        Judgement::new(allows, agreed, sign * filter.minimum_distance)
    }

    /// The value is the efficiency ratio.
    pub(super) fn regime(&self, filter: &RegimeFilter) -> Judgement {
        let Some(ratio) = self.efficiency.as_ref().and_then(|efficiency| efficiency.now) else {
            return Judgement::warming(self.seen, filter.period + 1);
        };
        let trending = ratio >= filter.trending_from;
        Judgement::new(trending == (filter.trade == Regime::Trending), ratio, filter.trending_from)
    }

    /// The value is the volatility, the threshold the bound that it broke; the upper one where it broke none.
    pub(super) fn volatility(&self, filter: &VolatilityFilter) -> Judgement {
        let Some(volatility) = self.volatility.as_ref().and_then(|volatility| volatility.now) else {
            return Judgement::warming(self.seen, filter.period + 1);
        };
        if volatility < filter.minimum {
            return Judgement::new(false, volatility, filter.minimum);
        }
        Judgement::new(volatility <= filter.maximum, volatility, filter.maximum)
    }
}

/// The value is the spread over the price, [`UNKNOWN`] where it is not known.
pub(super) fn spread(filter: &SpreadFilter, relative_spread: Option<f64>) -> Judgement {
    match relative_spread.filter(|spread| *spread >= 0.0 && spread.is_finite()) {
        Some(spread) => Judgement::new(spread <= filter.maximum, spread, filter.maximum),
        None => Judgement::new(filter.unknown == UnknownSpread::Passes, UNKNOWN, filter.maximum),
    }
}

/// For how many candles the same direction was wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Streak {
    direction: Option<Direction>,
    candles: u32,
}

impl Streak {
    pub(super) fn push(&mut self, direction: Option<Direction>, after_gap: bool) {
        let goes_on = direction.is_some() && direction == self.direction && !after_gap;
        self.candles = if goes_on { self.candles.saturating_add(1) } else { u32::from(direction.is_some()) };
        self.direction = direction;
    }

    /// The value is the number of candles, this one included. Where nothing is wanted, nothing is forbidden.
    pub(super) fn confirmation(&self, filter: &ConfirmationFilter) -> Judgement {
        let allows = self.direction.is_none() || self.candles >= filter.candles;
        Judgement::new(allows, f64::from(self.candles), f64::from(filter.candles))
    }
}

/// What was last seen of a position, and when the last one went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PositionWatch {
    held: Option<PositionView>,
    /// Candles since a position was first seen to be gone, and whether it lost.
    closed: Option<(u32, bool)>,
}

impl PositionWatch {
    pub(super) fn push(&mut self, position: Option<&PositionView>, close: f64) {
        if let Some((candles, _)) = &mut self.closed {
            *candles = candles.saturating_add(1);
        }
        if let Some(held) = &self.held
            && !position.is_some_and(|position| is_same(held, position))
        {
            let gained = (close - held.entry_price) * held.quantity.signum();
            self.closed = Some((0, held.unrealised < 0.0 || gained < 0.0));
        }
        self.held = position.copied();
    }

    /// The value is the number of candles since, [`UNKNOWN`] where no position was closed yet.
    pub(super) fn cool_down(&self, filter: &CoolDownFilter) -> Judgement {
        let Some((candles, lost)) = self.closed else {
            return Judgement::new(true, UNKNOWN, f64::from(filter.candles));
        };
        let pause = if lost { filter.candles_after_loss } else { filter.candles };
        Judgement::new(candles >= pause, f64::from(candles), f64::from(pause))
    }
}

/// A position on the other side, or younger than it was, is another one.
fn is_same(before: &PositionView, now: &PositionView) -> bool {
    (before.quantity > 0.0) == (now.quantity > 0.0) && now.candles_held >= before.candles_held
}
