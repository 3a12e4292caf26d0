//! What the engine keeps of one instrument.

use market_data::{Instrument, InstrumentRules, Timestamp};
use rust_decimal::Decimal;

use crate::account::Position;
use crate::client_order_id::ClientOrderId;
use crate::error::TradingError;
use crate::exit::{CloseReason, ExitPlan, ExitState};
use crate::grid::Grid;
use crate::indicator::AverageTrueRange;
use crate::market::MarketUpdate;
use crate::money::to_float;
use crate::order::{PositionSide, Side};
use crate::risk::Volatility;
use crate::strategy::{Target, Vote};

/// What the engine keeps of one instrument.
#[derive(Debug)]
pub(super) struct Slot {
    /// Name in client order ids.
    pub name: String,
    /// Open time of the last candle's close.
    pub last_time: Timestamp,
    /// Last close; 0 before the first candle.
    pub last_price: f64,
    pub atr: AverageTrueRange,
    pub atr_value: Option<f64>,
    /// Where sizes depend on it.
    pub volatility: Option<Volatility>,
    grid: Option<Grid>,
    grid_until: Option<Timestamp>,
    grid_from: Timestamp,
    /// The positions by [`place`]: the net or long one, and the short one of hedge mode.
    pub held: [Option<Held>; 2],
    /// The same positions as floats.
    pub floats: [PositionFloats; 2],
    /// How the next opened position is to be left, and what was said when it was wanted.
    pub wanted: [Option<Wanted>; 2],
    /// A flip: what is to be entered once the position of the other direction is gone, so that its margin is free by then.
    pub flip: Option<(Target, Decimal)>,
    /// Orders made at this moment, so that each has a name of its own.
    pub attempt: u32,
}

/// An amount as a float, converted anew only where it changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FloatOf {
    amount: Decimal,
    float: f64,
}

impl FloatOf {
    pub(super) fn of(&mut self, amount: Decimal) -> f64 {
        if amount.serialize() != self.amount.serialize() {
            *self = Self { amount, float: to_float(amount) };
        }
        self.float
    }
}

/// What strategies see of the account as floats.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AccountFloats {
    pub equity: FloatOf,
    pub free: FloatOf,
}

/// Quantity and average entry price of a position as floats, for as long as nothing trades.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PositionFloats {
    quantity: Decimal,
    cost: Decimal,
    floats: (f64, f64),
}

impl PositionFloats {
    pub(super) fn of(&mut self, position: &Position) -> (f64, f64) {
        let (quantity, cost) = (position.quantity, position.cost);
        let bits = |quantity: Decimal, cost: Decimal| (quantity.serialize(), cost.serialize());
        if bits(quantity, cost) != bits(self.quantity, self.cost) {
            let entry_price = position.entry_price().map_or(0.0, to_float);
            *self = Self { quantity, cost, floats: (to_float(quantity), entry_price) };
        }
        self.floats
    }
}

/// What was wanted of a position that is being opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub exits: Option<ExitPlan>,
    pub votes: Vec<Vote>,
    /// Candles since the entry was sent.
    pub candles: u32,
}

/// An open position with its exits and its story.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub side: Side,
    pub exits: Option<ExitState>,
    pub stop_order: Option<ClientOrderId>,
    /// Price and quantity of the stop that was sent last.
    pub stop_sent: Option<(Decimal, Decimal)>,
    pub rung_orders: [Option<(ClientOrderId, Decimal)>; crate::exit::LARGEST_LADDER],
    pub closing: Option<CloseReason>,
    pub protection_refused: u32,
    pub opened: Timestamp,
    pub candles: u32,
    pub entered: Decimal,
    pub entered_notional: Decimal,
    pub left: Decimal,
    pub left_notional: Decimal,
    pub gross: Decimal,
    pub fees: Decimal,
    pub funding: Decimal,
    pub votes: Vec<Vote>,
}

/// Where a position lies in the arrays of a slot.
pub(super) const fn place(position_side: PositionSide) -> usize {
    match position_side {
        PositionSide::Net | PositionSide::Long => 0,
        PositionSide::Short => 1,
    }
}

impl Held {
    pub(super) fn new(side: Side, opened: Timestamp, votes: Vec<Vote>) -> Self {
        Self {
            side,
            exits: None,
            stop_order: None,
            stop_sent: None,
            rung_orders: [None; crate::exit::LARGEST_LADDER],
            closing: None,
            protection_refused: 0,
            opened,
            candles: 0,
            entered: Decimal::ZERO,
            entered_notional: Decimal::ZERO,
            left: Decimal::ZERO,
            left_notional: Decimal::ZERO,
            gross: Decimal::ZERO,
            fees: Decimal::ZERO,
            funding: Decimal::ZERO,
            votes,
        }
    }
}

impl Slot {
    pub(super) fn new(name: String, atr: AverageTrueRange, volatility: Option<Volatility>) -> Self {
        Self {
            name,
            last_time: Timestamp::from_millis(0),
            last_price: 0.0,
            atr,
            atr_value: None,
            volatility,
            grid: None,
            grid_until: None,
            grid_from: Timestamp::from_millis(i64::MAX),
            held: [None, None],
            floats: [PositionFloats::default(); 2],
            wanted: [None, None],
            flip: None,
            attempt: 0,
        }
    }

    /// The rules change by date: the grid of `time`, looked up again only where the date left their stretch.
    pub(super) fn grid_at(&mut self, instrument: &Instrument, time: Timestamp) -> Option<Grid> {
        let known = self.grid_from <= time && self.grid_until.is_none_or(|until| time < until);
        if !known {
            let rules: Option<&InstrumentRules> = instrument.rules_at(time);
            self.grid = rules.map(Grid::new);
            self.grid_from = rules.map_or(Timestamp::from_millis(i64::MAX), |rules| rules.valid_from);
            self.grid_until = rules.and_then(|rules| rules.valid_until);
        }
        self.grid
    }

    /// The grid that was valid last, or the first there is: for limits on what cannot be traded today.
    pub(super) fn any_grid(&self, instrument: &Instrument) -> Grid {
        self.grid.unwrap_or_else(|| Grid::new(&instrument.rules()[0]))
    }

    /// Takes a candle into the folds.
    #[inline]
    pub(super) fn observe(&mut self, time: Timestamp, update: &MarketUpdate) -> Result<(), TradingError> {
        if update.after_gap {
            self.atr.reset();
        } else if let Some(volatility) = &mut self.volatility
            && self.last_price > 0.0
        {
            volatility.push((update.candle.close / self.last_price).ln())?;
        }
        self.last_time = time;
        self.last_price = update.candle.close;
        self.atr_value = self.atr.push(&update.candle);
        self.attempt = 0;
        Ok(())
    }

    /// Whether nothing is open and nothing on its way.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        self.held[0].is_none()
            && self.held[1].is_none()
            && self.wanted[0].is_none()
            && self.wanted[1].is_none()
    }
}
