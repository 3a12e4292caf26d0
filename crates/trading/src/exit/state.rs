//! The exits of one open position.

use market_data::Candle;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::ladder::{Ladder, Rung};
use super::level::{Scale, at_least, best, better, product, stop_behind, usable};
use super::plan::{ExitPlan, ProfitRule};
use crate::error::TradingError;
use crate::grid::Grid;
use crate::money::{LARGEST_AMOUNT, amount, notional};
use crate::order::Side;

/// Why a position is closed at market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloseReason {
    /// The stop would have moved to or beyond the close, where it would trade at once.
    Stop,
    /// The position is too old.
    Time,
    /// A signal for the other direction.
    OppositeSignal,
    /// The strategy wants it no more. Said by the engine.
    Decision,
    /// The risk gate halted. Said by the engine.
    Halt,
    /// Its protective orders cannot be placed. Said by the engine.
    Unprotected,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitAction {
    /// Nothing.
    None,
    /// The stop now lies here; it counts from the next candle on.
    MoveStop(Decimal),
    /// Close the whole position at market. It is asked for again after each candle for which the reason still
    /// holds.
    Close(CloseReason),
}

/// The exits of one open position: where its stop and its rungs lie, and when it is closed otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitState {
    plan: ExitPlan,
    side: Side,
    entry_price: Decimal,
    quantity: Decimal,
    /// At the entry or the last addition: profits are measured by it.
    entry_atr: Option<f64>,
    /// The last one known: the trailing distance is measured by it.
    atr: Option<f64>,
    risk: Option<Decimal>,
    stop: Option<Decimal>,
    /// Most favourable price since the position was opened; the trailing stop follows it.
    best: Decimal,
    /// Most favourable price since the entry price last changed; profits count from there.
    best_since_entry: Decimal,
    trailing: bool,
    candles_held: u32,
    ladder: Ladder,
}

/// What a candle did, seen from the position, on the grid.
struct Seen {
    favourable: Decimal,
    adverse: Decimal,
    close: Decimal,
}

impl Seen {
    fn of(candle: &Candle, side: Side, grid: &Grid) -> Option<Self> {
        if candle.fault().is_some() {
            return None;
        }
        let (high, low) = (grid.price_of(candle.high)?, grid.price_of(candle.low)?);
        let (favourable, adverse) = match side {
            Side::Buy => (high, low),
            Side::Sell => (low, high),
        };
        Some(Self { favourable, adverse, close: grid.price_of(candle.close)? })
    }
}

impl ExitState {
    /// Begins to follow a position that `side` opened with `quantity` at `entry_price`.
    ///
    /// `atr` is the average true range known at that time; rules that use one need it. A short target at or
    /// below a price of zero is left out, and what it would have taken stays with the stop.
    ///
    /// # Errors
    /// [`TradingError::Config`] where the plan makes no sense, needs an ATR that is missing, or its stop has
    /// no place on the grid; [`TradingError::Report`] where price or quantity is not above zero;
    /// [`TradingError::Magnitude`].
    pub fn open(
        plan: &ExitPlan,
        side: Side,
        entry_price: Decimal,
        quantity: Decimal,
        atr: Option<f64>,
        grid: &Grid,
    ) -> Result<Self, TradingError> {
        plan.validate()?;
        positive("entry price", entry_price)?;
        positive("quantity", quantity)?;
        notional(entry_price, quantity)?;
        let mut state = Self {
            plan: *plan,
            side,
            entry_price,
            quantity,
            entry_atr: usable(atr),
            atr: usable(atr),
            risk: None,
            stop: None,
            best: entry_price,
            best_since_entry: entry_price,
            trailing: false,
            candles_held: 0,
            ladder: Ladder::new(plan, quantity),
        };
        state.measure(entry_price, grid)?;
        Ok(state)
    }

    /// Puts stop and rungs where the plan wants them for the present entry price, while the market is at
    /// `price`.
    fn measure(&mut self, price: Decimal, grid: &Grid) -> Result<(), TradingError> {
        if let Some(rule) = self.plan.stop {
            let distance = self.scale().stop("exits.stop", rule)?;
            let place = stop_behind(self.side, self.entry_price, distance, grid).ok_or_else(|| {
                let remedy = "the grid has no price that near zero: leave the stop out, or do not trade this";
                TradingError::config("exits.stop", self.entry_price, remedy)
            })?;
            self.risk = Some((self.entry_price - place).abs());
            self.tighten(place, price);
        }
        // Each rule is measured once, so that none can fail later, when a position depends on it.
        if let Some(rule) = self.plan.break_even {
            self.scale().profit("exits.break_even.activation", rule.activation)?;
            product(self.entry_price, rule.offset)?;
        }
        if let Some(rule) = self.plan.trailing {
            if let Some(activation) = rule.activation {
                self.scale().profit("exits.trailing.activation", activation)?;
            }
            self.scale().stop("exits.trailing.distance", rule.distance)?;
            if let Some(place) = self.trailing_stop(grid) {
                self.tighten(place, price);
            }
        }
        let scale = self.scale();
        self.ladder.place(&self.plan, self.side, &scale, grid)?;
        self.ladder.share_out(self.quantity, grid);
        Ok(())
    }

    fn scale(&self) -> Scale {
        Scale { price: self.entry_price, atr: self.entry_atr, risk: self.risk }
    }

    /// The stop never loosens, and it is not put where it would trade at once.
    fn tighten(&mut self, place: Decimal, price: Decimal) {
        if !better(self.side, price, place) {
            return;
        }
        self.stop = Some(self.stop.map_or(place, |stop| best(self.side, stop, place)));
    }

    /// Whether the profit of `rule` has been seen since the entry price last changed.
    fn has_seen(&self, rule: ProfitRule) -> bool {
        // Measured without error when the position was opened.
        let Ok(distance) = self.scale().profit("exits", rule) else { return false };
        self.side.signed(self.best_since_entry - self.entry_price) >= distance
    }

    fn trailing_stop(&mut self, grid: &Grid) -> Option<Decimal> {
        let rule = self.plan.trailing?;
        self.trailing |= rule.activation.is_none_or(|activation| self.has_seen(activation));
        if !self.trailing {
            return None;
        }
        let scale = Scale { price: self.best, atr: self.atr, risk: None };
        let distance = scale.stop("exits.trailing.distance", rule.distance).ok()?;
        stop_behind(self.side, self.best, distance, grid)
    }

    fn break_even_stop(&self, grid: &Grid) -> Option<Decimal> {
        let rule = self.plan.break_even.filter(|rule| self.has_seen(rule.activation))?;
        at_least(self.side, self.entry_price, product(self.entry_price, rule.offset).ok()?, grid)
    }

    /// Follows a candle that closed while the position was open.
    ///
    /// The candle is held against the stop that lay there while it formed; where it touched that stop,
    /// nothing moves: the fill and its price are the venue's affair. Otherwise the trailing and the
    /// break-even stop follow its favourable extreme and count from the next candle on, for the extreme may
    /// have come after the other one. Where such a stop would lie at or beyond the close, the position is
    /// closed instead and the stop stays. Then the age counts.
    ///
    /// `atr` is the average true range including this candle; the last one known stays where it is none. A
    /// candle that cannot have happened moves no stop, but counts as time. Of the candle in which the
    /// position was opened pass only what traded since, or extremes from before the entry move the stop.
    pub fn on_candle(&mut self, candle: &Candle, atr: Option<f64>, grid: &Grid) -> ExitAction {
        if self.quantity.is_zero() {
            return ExitAction::None;
        }
        self.candles_held = self.candles_held.saturating_add(1);
        self.atr = usable(atr).or(self.atr);
        let Some(seen) = Seen::of(candle, self.side, grid) else { return self.close_by_age(None) };
        if self.stop.is_some_and(|stop| !better(self.side, seen.adverse, stop)) {
            return ExitAction::None;
        }
        self.best = best(self.side, self.best, seen.favourable);
        self.best_since_entry = best(self.side, self.best_since_entry, seen.favourable);
        let wanted = match (self.trailing_stop(grid), self.break_even_stop(grid)) {
            (Some(trailing), Some(break_even)) => Some(best(self.side, trailing, break_even)),
            (trailing, break_even) => trailing.or(break_even),
        };
        let tighter = wanted.filter(|place| self.stop.is_none_or(|stop| better(self.side, *place, stop)));
        if tighter.is_some_and(|place| !better(self.side, seen.close, place)) {
            return ExitAction::Close(CloseReason::Stop);
        }
        match (self.close_by_age(Some(seen.close)), tighter) {
            (ExitAction::None, Some(place)) => {
                self.stop = Some(place);
                ExitAction::MoveStop(place)
            }
            (action, _) => action,
        }
    }

    fn close_by_age(&self, close: Option<Decimal>) -> ExitAction {
        let due = self.plan.time_stop.is_some_and(|rule| {
            let spared =
                rule.unless_in_profit && close.is_none_or(|close| better(self.side, close, self.entry_price));
            self.candles_held >= rule.candles && !spared
        });
        if due { ExitAction::Close(CloseReason::Time) } else { ExitAction::None }
    }

    /// A signal for the other direction came.
    #[must_use]
    pub fn on_opposite_signal(&self) -> ExitAction {
        if self.plan.opposite_signal && !self.quantity.is_zero() {
            ExitAction::Close(CloseReason::OppositeSignal)
        } else {
            ExitAction::None
        }
    }

    /// A rung filled, in part or whole. The other rungs stay as they are.
    ///
    /// # Errors
    /// [`TradingError::Report`] where the rung is unknown or more filled than the position had; nothing is
    /// changed then.
    pub fn on_rung_filled(&mut self, number: u8, filled: Decimal, grid: &Grid) -> Result<(), TradingError> {
        self.check_reduction(filled)?;
        if !self.ladder.fill(number, filled) {
            return Err(TradingError::report(format!("rung {number}"), "the ladder has no such rung"));
        }
        self.quantity -= filled;
        self.ladder.share_out(self.quantity, grid);
        Ok(())
    }

    /// The position became smaller, but not by a rung. The rungs shrink in proportion, and what becomes too
    /// small goes on to the next one. Stop and risk stay.
    ///
    /// # Errors
    /// [`TradingError::Report`] where it is more than the position had; nothing is changed then.
    pub fn on_reduction(&mut self, filled: Decimal, grid: &Grid) -> Result<(), TradingError> {
        self.check_reduction(filled)?;
        let left = self.quantity - filled;
        self.ladder.rescale(self.quantity, left);
        self.quantity = left;
        self.ladder.share_out(left, grid);
        Ok(())
    }

    fn check_reduction(&self, filled: Decimal) -> Result<(), TradingError> {
        positive("quantity", filled)?;
        if filled > self.quantity {
            let problem = format!("{filled} filled, but only {} was held", self.quantity);
            return Err(TradingError::report("a reduction of a position", problem));
        }
        Ok(())
    }

    /// The position grew by `quantity` at `price`.
    ///
    /// The entry price becomes the average by quantity (of a linear contract or spot). Stop, initial risk and
    /// the rungs that are not done are measured anew from it, by `atr` where there is one and else by the
    /// last one known; but the stop never loosens, and it stays where the new one would lie at or beyond
    /// `price`. The rungs grow in proportion. Break-even has to be earned anew by a profit on the new entry
    /// price; a trailing stop that runs goes on. The position does not become younger.
    ///
    /// # Errors
    /// As [`ExitState::open`]; nothing is changed then.
    pub fn on_addition(
        &mut self,
        price: Decimal,
        quantity: Decimal,
        atr: Option<f64>,
        grid: &Grid,
    ) -> Result<(), TradingError> {
        positive("price of an addition", price)?;
        positive("quantity of an addition", quantity)?;
        if self.quantity.is_zero() {
            let problem = "it was closed before; open new exits";
            return Err(TradingError::report("an addition to a position", problem));
        }
        let total = self.quantity + quantity;
        positive("quantity", total)?;
        let cost = notional(self.entry_price, self.quantity)? + notional(price, quantity)?;
        let mut next = *self;
        next.entry_price = amount(cost / total);
        notional(next.entry_price, total)?;
        next.quantity = total;
        next.atr = usable(atr).or(self.atr);
        next.entry_atr = next.atr;
        next.best_since_entry = best(self.side, next.entry_price, price);
        next.ladder.rescale(self.quantity, total);
        next.measure(price, grid)?;
        *self = next;
        Ok(())
    }

    /// Where the stop lies, for the whole position; none where there is none or the position is closed.
    #[must_use]
    pub fn stop(&self) -> Option<Decimal> {
        self.stop.filter(|_| !self.quantity.is_zero())
    }

    /// The rungs that should lie at the venue, nearest first; together never more than the position.
    pub fn rungs(&self) -> impl Iterator<Item = Rung> + '_ {
        self.ladder.rungs()
    }

    /// The plan that is followed.
    #[must_use]
    pub const fn plan(&self) -> &ExitPlan {
        &self.plan
    }

    /// The side that opened the position.
    #[must_use]
    pub const fn side(&self) -> Side {
        self.side
    }

    /// Average entry price, in quote currency.
    #[must_use]
    pub const fn entry_price(&self) -> Decimal {
        self.entry_price
    }

    /// What is held, in base currency, without sign.
    #[must_use]
    pub const fn quantity(&self) -> Decimal {
        self.quantity
    }

    /// The initial risk R: distance from the entry price to the first stop, in quote currency; none without a
    /// stop rule.
    #[must_use]
    pub const fn initial_risk(&self) -> Option<Decimal> {
        self.risk
    }

    /// Candles that closed since the position was opened.
    #[must_use]
    pub const fn candles_held(&self) -> u32 {
        self.candles_held
    }
}

/// Above zero, and small enough that no product in this module overflows.
fn positive(what: &'static str, value: Decimal) -> Result<(), TradingError> {
    if value >= LARGEST_AMOUNT {
        return Err(TradingError::Magnitude { what, value });
    }
    if value > Decimal::ZERO {
        return Ok(());
    }
    Err(TradingError::report(format!("{what} of a position"), format!("it is {value}, not above zero")))
}
