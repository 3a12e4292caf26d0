//! The way of the price through one candle.

use market_data::{Candle, Timestamp};
use rust_decimal::Decimal;
use rust_decimal::prelude::FromPrimitive;
use trading::{Grid, InstrumentIndex};

use super::config::PathModel;
use crate::error::SimError;

/// A candle that a venue trades on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VenueCandle<'a> {
    /// Of what.
    pub instrument: InstrumentIndex,
    /// The candle; its volume is in base currency.
    pub candle: Candle,
    /// When it closes (ms UTC).
    pub close_time: Timestamp,
    /// Finer candles of the same time, oldest first, where there are some: they are walked one by one. They are used only where
    /// their extremes are those of the candle, else minutes are missing, and with them perhaps a stop.
    pub detail: &'a [Candle],
    /// Best ask minus best bid over the price in between, where known.
    pub relative_spread: Option<f64>,
}

/// One candle, or one of its finer candles, with prices on the grid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leg {
    pub open_time: Timestamp,
    pub close_time: Timestamp,
    pub open: Decimal,
    pub high: Decimal,
    pub low: Decimal,
    pub close: Decimal,
    /// What own orders may still trade in it; none for no limit.
    pub capacity: Option<Decimal>,
}

impl Leg {
    fn new(
        candle: &Candle,
        close_time: Timestamp,
        grid: &Grid,
        volume_share: Option<Decimal>,
    ) -> Option<Self> {
        let capacity = volume_share.map(|share| {
            let volume = Decimal::from_f64(candle.volume).unwrap_or(Decimal::MAX);
            grid.quantity_down(volume.checked_mul(share).unwrap_or(Decimal::MAX))
        });
        Some(Self {
            open_time: candle.open_time,
            close_time,
            open: grid.price_of(candle.open)?,
            high: grid.price_of(candle.high)?,
            low: grid.price_of(candle.low)?,
            close: grid.price_of(candle.close)?,
            capacity,
        })
    }

    /// Whether the low comes before the high where nothing is open: the extreme nearer to the open is first.
    fn low_is_nearer(&self) -> bool {
        self.open - self.low < self.high - self.open
    }
}

/// Where the walk through the candle of an instrument is.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    pub instrument: InstrumentIndex,
    pub grid: Grid,
    /// The whole candle, for slippage.
    pub candle: Candle,
    pub relative_spread: Option<f64>,
    pub legs: Vec<Leg>,
    /// Which leg.
    pub at: usize,
    /// Whether the price still stands at the open of the leg.
    pub at_open: bool,
    /// First extreme, second extreme, close.
    points: [Decimal; 3],
    segment: usize,
    /// Where the price is on its path.
    pub cursor: Decimal,
    /// Price of what happened last: the market for what is sent now.
    pub last: Decimal,
    /// Whether a position was opened or enlarged inside this leg, after the open.
    pub entered: bool,
    /// What own orders may still trade in the whole candle.
    capacity: Option<Decimal>,
}

impl Walk {
    pub(super) fn new(
        input: &VenueCandle<'_>,
        grid: Grid,
        volume_share: Option<Decimal>,
        mut legs: Vec<Leg>,
    ) -> Result<Option<Self>, SimError> {
        check(input)?;
        legs.clear();
        let Some(whole) = Leg::new(&input.candle, input.close_time, &grid, volume_share) else {
            return Ok(None);
        };
        if covers(input) {
            let ends = input.detail.iter().skip(1).map(|next| next.open_time).chain([input.close_time]);
            for (candle, end) in input.detail.iter().zip(ends) {
                legs.extend(Leg::new(candle, end, &grid, volume_share));
            }
        }
        if legs.is_empty() {
            legs.push(whole);
        }
        let first = legs.first().map_or(whole.open, |leg| leg.open);
        Ok(Some(Self {
            instrument: input.instrument,
            grid,
            candle: input.candle,
            relative_spread: input.relative_spread,
            legs,
            at: 0,
            at_open: true,
            points: [first; 3],
            segment: 0,
            cursor: first,
            last: first,
            entered: false,
            capacity: whole.capacity,
        }))
    }

    pub(super) fn leg(&self) -> Option<&Leg> {
        self.legs.get(self.at)
    }

    /// The next point that the price goes to; none at the close.
    pub(super) fn target(&self) -> Option<Decimal> {
        self.points.get(self.segment).copied()
    }

    /// Leaves the open: chooses which extreme comes first. `held` is the signed net quantity.
    pub(super) fn leave_open(&mut self, path: PathModel, held: Decimal) {
        let Some(leg) = self.leg().copied() else { return };
        let low_first = match path {
            PathModel::Pessimistic if !held.is_zero() => held > Decimal::ZERO,
            PathModel::Pessimistic | PathModel::Adaptive => leg.low_is_nearer(),
        };
        let (first, second) = if low_first { (leg.low, leg.high) } else { (leg.high, leg.low) };
        self.points = [first, second, leg.close];
        self.segment = 0;
        self.at_open = false;
    }

    /// Arrives at the next point. The price of what happened last goes along.
    pub(super) fn arrive(&mut self) {
        if let Some(target) = self.target() {
            self.cursor = target;
            self.last = target;
            self.segment += 1;
        }
    }

    /// Goes on to the next leg; whether there is one.
    pub(super) fn next_leg(&mut self) -> bool {
        self.at += 1;
        let Some(leg) = self.leg().copied() else { return false };
        self.at_open = true;
        self.entered = false;
        self.segment = 0;
        self.points = [leg.open; 3];
        self.cursor = leg.open;
        self.last = leg.open;
        true
    }

    /// The time of what happens now. Nobody knows it inside a candle: points are taken to lie a quarter of it apart.
    pub(super) fn time(&self) -> Timestamp {
        let Some(leg) = self.leg() else {
            return self.legs.last().map_or(Timestamp::MIN, |leg| leg.close_time);
        };
        if self.at_open {
            return leg.open_time;
        }
        let length = leg.close_time.since(leg.open_time);
        let part = i64::try_from(self.segment.min(2)).unwrap_or(2) + 1;
        leg.open_time.plus_millis((length / 4 * part).max(1))
    }

    /// What may still trade here; none for no limit.
    pub(super) fn capacity(&self) -> Option<Decimal> {
        let leg = self.leg().and_then(|leg| leg.capacity);
        self.capacity.map(|whole| leg.map_or(whole, |leg| leg.min(whole)))
    }

    pub(super) fn consume(&mut self, quantity: Decimal) {
        if let Some(whole) = &mut self.capacity {
            *whole -= quantity;
        }
        if let Some(leg) = self.legs.get_mut(self.at).and_then(|leg| leg.capacity.as_mut()) {
            *leg -= quantity;
        }
    }
}

pub(super) fn check(input: &VenueCandle<'_>) -> Result<(), SimError> {
    let name = |what: &str, candle: &Candle| {
        format!("{what} of instrument {} at {}", input.instrument.0, candle.open_time)
    };
    if let Some(fault) = input.candle.fault() {
        let problem = format!("it cannot have happened ({fault:?}); judge the data first");
        return Err(SimError::data(name("candle", &input.candle), problem));
    }
    if input.close_time <= input.candle.open_time {
        return Err(SimError::data(
            name("candle", &input.candle),
            "it closes before it opens; give its close time",
        ));
    }
    let mut earliest = input.candle.open_time;
    for candle in input.detail {
        if let Some(fault) = candle.fault() {
            let problem = format!("it cannot have happened ({fault:?}); judge the data first");
            return Err(SimError::data(name("finer candle", candle), problem));
        }
        if candle.open_time < earliest || candle.open_time >= input.close_time {
            let problem = "it lies outside its candle or out of order; give the finer candles of this candle, oldest first";
            return Err(SimError::data(name("finer candle", candle), problem));
        }
        earliest = candle.open_time.plus_millis(1);
    }
    Ok(())
}

fn covers(input: &VenueCandle<'_>) -> bool {
    let high = input.detail.iter().fold(f64::MIN, |high, candle| high.max(candle.high));
    let low = input.detail.iter().fold(f64::MAX, |low, candle| low.min(candle.low));
    let same = |one: f64, other: f64| (one - other).abs() <= other.abs() * 1e-12;
    same(high, input.candle.high) && same(low, input.candle.low)
}
