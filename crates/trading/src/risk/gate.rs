//! The gate.

use market_data::Timestamp;
use rust_decimal::Decimal;

use super::approved::RiskApproved;
use super::correlation::Correlations;
use super::exposure::{Effect, Exposure, effect_of, initial_margin, value, worst_price};
use super::limits::{OversizedReduction, RiskLimits};
use super::order_rate::OrderRate;
use super::refusal::{RiskLimit, RiskRefusal};
use super::state::{KillReason, RiskEvent, RiskRecord, RiskState, StateChange};
use super::view::{InstrumentRisk, RiskView};
use crate::error::TradingError;
use crate::money::{LARGEST_AMOUNT, amount};
use crate::order::{OrderIntent, OrderKind, PositionSide, Purpose, Side};

/// The only door to a venue: it turns an [`OrderIntent`] into a [`RiskApproved`] order, or says why not.
///
/// It never enlarges an order. It makes one smaller only where it may not be larger than the position. Entries can be cut to
/// the limits beforehand with [`RiskGate::largest_approvable`]. Cancelling an order needs no approval.
///
/// What makes a position smaller is held only against the state, the grid of the venue and a collar on what it gives away. The
/// venue's minimum notional does not hold for reduce-only orders (Bybit closes a position of any worth); on spot, where there
/// are none, it holds for all.
#[derive(Clone, Debug)]
pub struct RiskGate {
    limits: RiskLimits,
    instruments: usize,
    record: RiskRecord,
    rate: OrderRate,
    correlations: Option<Correlations>,
    last_order: Timestamp,
    /// Day and equity that were seen last, where no limit of loss was reached.
    quiet: Option<(i64, [u8; 16])>,
}

impl RiskGate {
    /// A gate for an account that nothing is known of.
    ///
    /// # Errors
    /// [`TradingError::Config`] for limits that make no sense or groups with instruments that are not there.
    pub fn new(limits: RiskLimits, instruments: usize) -> Result<Self, TradingError> {
        Self::restored(limits, instruments, RiskRecord::default())
    }

    /// A gate that goes on from what one before it remembered. The window of orders and correlations begin anew.
    ///
    /// # Errors
    /// As [`RiskGate::new`].
    pub fn restored(
        limits: RiskLimits,
        instruments: usize,
        record: RiskRecord,
    ) -> Result<Self, TradingError> {
        limits.validate()?;
        for group in &limits.correlated_groups {
            if group.instruments.iter().any(|instrument| instrument.get() >= instruments) {
                let remedy = "name instruments by their place in the list, from 0";
                return Err(TradingError::config("risk.correlated_groups", &group.name, remedy));
            }
        }
        let rate = OrderRate::new(limits.orders_per_window);
        let correlations = limits.correlation.map(|settings| Correlations::new(settings, instruments));
        Ok(Self { limits, instruments, record, rate, correlations, last_order: Timestamp::MIN, quiet: None })
    }

    /// Whether the account may trade.
    #[inline]
    #[must_use]
    pub const fn state(&self) -> RiskState {
        self.record.state
    }

    /// What must be kept over a restart.
    #[must_use]
    pub const fn record(&self) -> &RiskRecord {
        &self.record
    }

    /// What is allowed.
    #[must_use]
    pub const fn limits(&self) -> &RiskLimits {
        &self.limits
    }

    /// Sees the account after each moment at which candles closed, in order of time.
    pub fn observe(&mut self, time: Timestamp, equity: Decimal) -> Option<StateChange> {
        let (day, bits) = (RiskRecord::day_of(time), equity.serialize());
        if self.quiet == Some((day, bits)) {
            return None;
        }
        let from = self.record.state;
        let lost = self.record.observe(time, equity, &self.limits);
        // Seen again on the same day, what has lost nothing changes nothing.
        self.quiet = (!lost).then_some((day, bits));
        self.change_from(from)
    }

    /// Cash was put in, or taken out where it is negative: the start of the day and the peak move in proportion, so that the
    /// loss of the day and the drawdown stay the fractions that they were.
    pub fn transfer(&mut self, cash: Decimal) {
        self.quiet = None;
        if let Some(account) = &mut self.record.account {
            account.transfer(cash);
        }
    }

    /// Sees the log returns of one moment, one per instrument and not a number where there was no candle. Without
    /// [`RiskLimits::correlation`] it does nothing.
    ///
    /// # Errors
    /// [`TradingError::Report`] where there are more or fewer than instruments.
    pub fn observe_log_returns(&mut self, log_returns: &[f64]) -> Result<(), TradingError> {
        if log_returns.len() != self.instruments {
            let problem = format!("{} for {} instruments", log_returns.len(), self.instruments);
            return Err(TradingError::report("log returns", problem));
        }
        if let Some(correlations) = &mut self.correlations {
            correlations.push(log_returns);
        }
        Ok(())
    }

    /// Pulls the kill switch.
    pub fn kill(&mut self, reason: KillReason) -> Option<StateChange> {
        self.quiet = None;
        let from = self.record.state;
        self.record.state = from.after(RiskEvent::Kill(reason), &self.limits);
        self.change_from(from)
    }

    /// The operator lets it trade again: losses of the day and from the peak are measured from `equity` on. While active it does
    /// nothing, so that nobody forgets a peak by accident.
    pub fn resume(&mut self, time: Timestamp, equity: Decimal) -> Option<StateChange> {
        let from = self.record.state;
        if from == RiskState::Active {
            return None;
        }
        self.quiet = None;
        self.record.resume(time, equity, &self.limits);
        self.change_from(from)
    }

    fn change_from(&self, from: RiskState) -> Option<StateChange> {
        let to = self.record.state;
        (from != to).then_some(StateChange { from, to })
    }

    /// Lets an order pass, or says why not. What passes counts in the window of orders.
    ///
    /// # Errors
    /// [`RiskRefusal`] with the first thing found: state, sense, grid, then limits.
    pub fn approve(
        &mut self,
        intent: OrderIntent,
        view: &RiskView<'_>,
    ) -> Result<RiskApproved<OrderIntent>, RiskRefusal> {
        let order = self.judge(intent, view)?;
        self.last_order = self.last_order.max(view.time);
        self.rate.count(self.last_order);
        Ok(RiskApproved::new(order))
    }

    /// The largest quantity up to the intent's own that passes now: on the grid, zero where none does.
    #[must_use]
    pub fn largest_approvable(&self, intent: OrderIntent, view: &RiskView<'_>) -> Decimal {
        let passing = |quantity: Decimal| self.judge(OrderIntent { quantity, ..intent }, view);
        let Some(lot) = view.instruments.get(intent.instrument.get()).map(|risk| risk.grid.lot) else {
            return Decimal::ZERO;
        };
        let Some(lots) = intent.quantity.checked_div(lot).map(|lots| lots.trunc()) else {
            return Decimal::ZERO;
        };
        match passing(lots * lot) {
            Ok(order) => return order.quantity,
            Err(RiskRefusal::Limit { limit, .. }) if limit.is_size() => {}
            Err(RiskRefusal::Magnitude { .. }) => {}
            Err(_) => return Decimal::ZERO,
        }
        // Limits of size only grow with the quantity, so the largest that passes them lies by bisection between none and all.
        let (mut fits, mut too_many) = (Decimal::ZERO, lots);
        while too_many - fits > Decimal::ONE {
            let middle = (fits + (too_many - fits) / Decimal::TWO).trunc();
            match passing(middle * lot) {
                Err(RiskRefusal::Limit { limit, .. }) if limit.is_size() => too_many = middle,
                Err(RiskRefusal::Magnitude { .. }) => too_many = middle,
                Ok(_) | Err(_) => fits = middle,
            }
        }
        passing(fits * lot).map_or(Decimal::ZERO, |order| order.quantity)
    }

    /// The order as it may pass.
    fn judge(&self, mut order: OrderIntent, view: &RiskView<'_>) -> Result<OrderIntent, RiskRefusal> {
        let index = order.instrument.get();
        let risk = view.instruments.get(index).filter(|_| index < self.instruments).ok_or(
            RiskRefusal::UnknownInstrument { instrument: order.instrument, known: self.instruments },
        )?;
        check_sense(&order, risk)?;
        check_grid(&order, risk)?;
        let effect = effect_of(&order, risk);
        if order.purpose == Purpose::Entry && matches!(effect, Effect::MustReduce { .. }) {
            return Err(RiskRefusal::Contradiction {
                problem: "an entry could only make a position smaller",
                remedy: "order a reduction, or without reduce-only; spot cannot be sold short",
            });
        }
        if order.purpose != Purpose::Entry && effect.opening() > Decimal::ZERO {
            return Err(RiskRefusal::Contradiction {
                problem: "an order that is not an entry could open a position",
                remedy: "make it reduce-only, or order at most the position less what works against it",
            });
        }
        self.check_state(&order, effect)?;
        if let Effect::MustReduce { closable } = effect {
            order.quantity = self.cut(order.quantity, closable, risk)?;
        }
        check_size(&order, risk)?;
        match effect {
            Effect::MustReduce { .. } | Effect::Reduces => self.check_giveaway(&order, risk, view)?,
            Effect::Opens { opening } => self.check_entry(&order, opening, risk, view)?,
        }
        Ok(order)
    }

    fn check_state(&self, order: &OrderIntent, effect: Effect) -> Result<(), RiskRefusal> {
        let opens = matches!(effect, Effect::Opens { .. });
        let protects = matches!(order.purpose, Purpose::StopLoss | Purpose::TakeProfit(_) | Purpose::Close);
        let passes = match self.record.state {
            RiskState::Active => true,
            RiskState::Reducing(_) => !opens,
            RiskState::Halted(_) => !opens && protects && self.limits.halted_allows_protection,
        };
        let refusal = RiskRefusal::Restricted { state: self.record.state, purpose: order.purpose };
        if passes { Ok(()) } else { Err(refusal) }
    }

    /// What of a reduction there is to reduce.
    fn cut(
        &self,
        quantity: Decimal,
        closable: Decimal,
        risk: &InstrumentRisk,
    ) -> Result<Decimal, RiskRefusal> {
        if quantity <= closable {
            return Ok(quantity);
        }
        // Fees paid in coins leave holdings on spot that are no multiple of a lot.
        let rest = closable.checked_rem(risk.grid.lot).unwrap_or(closable);
        let whole = closable - rest;
        if whole <= Decimal::ZERO {
            return Err(RiskRefusal::NothingToReduce);
        }
        match self.limits.oversized_reduction {
            OversizedReduction::Cut => Ok(whole),
            OversizedReduction::Refuse => {
                Err(RiskRefusal::ReductionTooLarge { quantity, position: closable })
            }
        }
    }

    /// A reduction may stand anywhere, but not give away more than the collar. Without a fresh price there is no measure, and
    /// getting out is worth more.
    fn check_giveaway(
        &self,
        order: &OrderIntent,
        risk: &InstrumentRisk,
        view: &RiskView<'_>,
    ) -> Result<(), RiskRefusal> {
        let Some(limit) = order.kind.limit() else { return Ok(()) };
        if order.kind.trigger().is_none() && self.age(risk, view).is_err() {
            return Ok(());
        }
        let (lowest, highest) = self.collar(order.kind.trigger().unwrap_or(risk.last_price))?;
        match order.side {
            Side::Buy => at_most(RiskLimit::PriceCollar, limit, highest),
            Side::Sell => at_least(RiskLimit::PriceCollar, limit, lowest),
        }
    }

    fn collar(&self, price: Decimal) -> Result<(Decimal, Decimal), RiskRefusal> {
        let refusal = RiskRefusal::View { what: "last_price", value: price };
        let width = price.checked_mul(self.limits.price_collar).ok_or(refusal)?;
        Ok((price.checked_sub(width).ok_or(refusal)?, price.checked_add(width).ok_or(refusal)?))
    }

    fn age(&self, risk: &InstrumentRisk, view: &RiskView<'_>) -> Result<(), RiskRefusal> {
        let age = view.time.since(risk.last_time);
        if age < 0 {
            return Err(RiskRefusal::View { what: "age of the last candle", value: Decimal::from(age) });
        }
        let most = risk.timeframe_ms.saturating_mul(i64::from(self.limits.stale_candles));
        at_most(RiskLimit::StaleCandles, Decimal::from(age), Decimal::from(most))
    }

    fn check_entry(
        &self,
        order: &OrderIntent,
        opening: Decimal,
        risk: &InstrumentRisk,
        view: &RiskView<'_>,
    ) -> Result<(), RiskRefusal> {
        check_view(view, self.instruments, self.last_order)?;
        if view.tail_exceeded {
            return Err(RiskRefusal::TailRisk);
        }
        self.age(risk, view)?;
        let (lowest, highest) = self.collar(risk.last_price)?;
        for price in [order.kind.limit(), order.kind.trigger()].into_iter().flatten() {
            at_least(RiskLimit::PriceCollar, price, lowest)?;
            at_most(RiskLimit::PriceCollar, price, highest)?;
        }
        let open = u64::from(risk.open_orders) + 1;
        let most = self.limits.open_orders_per_instrument;
        at_most(RiskLimit::OpenOrdersPerInstrument, Decimal::from(open), Decimal::from(most))?;
        if self.rate.is_full(view.time, self.limits.order_window_ms) {
            let count = self.rate.within(view.time, self.limits.order_window_ms) + 1;
            let threshold = Decimal::from(self.limits.orders_per_window);
            let value = Decimal::from(count);
            return Err(RiskRefusal::Limit { limit: RiskLimit::OrdersPerWindow, value, threshold });
        }
        let notional = value(worst_price(order, risk), order.quantity)?;
        at_most(RiskLimit::MaximumOrderNotional, notional, self.limits.maximum_order_notional)?;
        self.check_exposure(order, notional, risk, view)?;
        self.check_correlated(order, notional, view)?;
        let free = view.free - initial_margin(order, opening, risk)?;
        let least = amount(view.equity * self.limits.minimum_free_margin);
        at_least(RiskLimit::MinimumFreeMargin, free, least)
    }

    fn check_exposure(
        &self,
        order: &OrderIntent,
        notional: Decimal,
        risk: &InstrumentRisk,
        view: &RiskView<'_>,
    ) -> Result<(), RiskRefusal> {
        let limits = &self.limits;
        let allowed = |share: Decimal| amount(view.equity * share);
        let before = Exposure::of(risk, None)?;
        let after = Exposure::of(risk, Some((order.side, notional)))?;
        let (mut others, mut margined) = (Exposure::default(), Decimal::ZERO);
        for (index, other) in view.instruments.iter().enumerate() {
            if index != order.instrument.get() {
                let exposure = Exposure::of(other, None)?;
                others = others.plus(exposure);
                margined += if other.is_spot { Decimal::ZERO } else { exposure.gross };
            }
        }
        let symbol = allowed(limits.symbol_exposure);
        no_growth(RiskLimit::SymbolExposure, before.gross, after.gross, symbol)?;
        let (total_before, total) = (others.plus(before), others.plus(after));
        let gross = allowed(limits.gross_exposure);
        no_growth(RiskLimit::GrossExposure, total_before.gross, total.gross, gross)?;
        let (net_before, net) = (total_before.towards(order.side), total.towards(order.side));
        no_growth(RiskLimit::NetExposure, net_before, net, allowed(limits.net_exposure))?;
        if risk.is_spot {
            return Ok(());
        }
        at_most(RiskLimit::MaximumLeverage, risk.leverage, limits.maximum_leverage)?;
        let leverage = allowed(limits.maximum_leverage);
        no_growth(RiskLimit::MaximumLeverage, margined + before.gross, margined + after.gross, leverage)
    }

    /// Every group, and every instrument with those that move with it, that the order belongs to.
    fn check_correlated(
        &self,
        order: &OrderIntent,
        notional: Decimal,
        view: &RiskView<'_>,
    ) -> Result<(), RiskRefusal> {
        let own = order.instrument.get();
        let threshold = amount(view.equity * self.limits.correlated_exposure);
        // What one member holds in a direction, before and after the order.
        let member = |index: usize, side: Side| -> Result<(Decimal, Decimal), RiskRefusal> {
            let Some(risk) = view.instruments.get(index) else { return Ok(Default::default()) };
            let before = Exposure::of(risk, None)?.one_sided(side);
            if index != own {
                return Ok((before, before));
            }
            Ok((before, Exposure::of(risk, Some((order.side, notional)))?.one_sided(side)))
        };
        let add = |sum: (Decimal, Decimal), one: (Decimal, Decimal)| (sum.0 + one.0, sum.1 + one.1);
        for group in &self.limits.correlated_groups {
            if group.instruments.contains(&order.instrument) {
                let mut sum = (Decimal::ZERO, Decimal::ZERO);
                for instrument in &group.instruments {
                    sum = add(sum, member(instrument.get(), order.side)?);
                }
                no_growth(RiskLimit::CorrelatedExposure, sum.0, sum.1, threshold)?;
            }
        }
        let Some(correlations) = &self.correlations else { return Ok(()) };
        for centre in 0..self.instruments {
            let Some(same) = correlations.moves_together(centre, own) else { continue };
            let side = if same { order.side } else { order.side.opposite() };
            let mut sum = (Decimal::ZERO, Decimal::ZERO);
            for index in 0..self.instruments {
                if let Some(same) = correlations.moves_together(centre, index) {
                    sum = add(sum, member(index, if same { side } else { side.opposite() })?);
                }
            }
            no_growth(RiskLimit::CorrelatedExposure, sum.0, sum.1, threshold)?;
        }
        Ok(())
    }
}

fn at_most(limit: RiskLimit, value: Decimal, threshold: Decimal) -> Result<(), RiskRefusal> {
    if value <= threshold { Ok(()) } else { Err(RiskRefusal::Limit { limit, value, threshold }) }
}

fn at_least(limit: RiskLimit, value: Decimal, threshold: Decimal) -> Result<(), RiskRefusal> {
    if value >= threshold { Ok(()) } else { Err(RiskRefusal::Limit { limit, value, threshold }) }
}

/// Refuses what goes beyond the limit by this order. What is beyond it already, by a move of the price, does not forbid an order
/// that leaves it as it is.
fn no_growth(limit: RiskLimit, before: Decimal, after: Decimal, most: Decimal) -> Result<(), RiskRefusal> {
    if after <= before { Ok(()) } else { at_most(limit, after, most) }
}

fn check_sense(order: &OrderIntent, risk: &InstrumentRisk) -> Result<(), RiskRefusal> {
    let refuse = |problem, remedy| Err(RiskRefusal::Contradiction { problem, remedy });
    if order.purpose == Purpose::Liquidation {
        return refuse("only the venue liquidates", "order a close");
    }
    if (order.position_side == PositionSide::Net) == risk.hedged {
        let problem = "the position side does not fit the mode of the instrument";
        return refuse(problem, "order `net` in one-way mode, `long` or `short` in hedge mode");
    }
    for (what, value) in [("long", risk.long), ("short", risk.short)] {
        if value < Decimal::ZERO {
            return Err(RiskRefusal::View { what, value });
        }
    }
    if !risk.hedged && risk.long > Decimal::ZERO && risk.short > Decimal::ZERO {
        return Err(RiskRefusal::View { what: "short beside a long position", value: risk.short });
    }
    Ok(())
}

/// Whether the venue takes the numbers as they are written.
fn check_grid(order: &OrderIntent, risk: &InstrumentRisk) -> Result<(), RiskRefusal> {
    let lies_on = |limit, value: Decimal, step: Decimal| {
        let fits = value > Decimal::ZERO && value.checked_rem(step).is_some_and(|rest| rest.is_zero());
        if fits { Ok(()) } else { Err(RiskRefusal::Limit { limit, value, threshold: step }) }
    };
    lies_on(RiskLimit::VenueLot, order.quantity, risk.grid.lot)?;
    for price in [order.kind.limit(), order.kind.trigger()].into_iter().flatten() {
        lies_on(RiskLimit::VenueTick, price, risk.grid.tick)?;
    }
    Ok(())
}

/// Whether the venue takes the size. Market orders are measured at the last price.
fn check_size(order: &OrderIntent, risk: &InstrumentRisk) -> Result<(), RiskRefusal> {
    let grid = &risk.grid;
    if let Some(most) = grid.maximum_quantity {
        at_most(RiskLimit::VenueMaximumQuantity, order.quantity, most)?;
    }
    // What is left of a position can be closed however little it is; what is left of coins cannot be sold.
    let held = match order.side {
        Side::Buy => risk.short,
        Side::Sell => risk.long,
    };
    if !(order.reduce_only && !risk.is_spot && order.quantity == held) {
        at_least(RiskLimit::VenueMinimumQuantity, order.quantity, grid.minimum_quantity)?;
    }
    if order.reduce_only {
        return Ok(());
    }
    if let Some(most) = grid.maximum_quantity {
        // What is larger than the largest order could be neither closed nor protected by one.
        let (held, works) = match order.side {
            Side::Buy => (risk.long, risk.working_buy),
            Side::Sell => (risk.short, risk.working_sell),
        };
        at_most(RiskLimit::VenueMaximumQuantity, held + works + order.quantity, most)?;
    }
    let price = match order.kind {
        OrderKind::Market => risk.last_price,
        OrderKind::Limit { price } | OrderKind::StopLimit { price, .. } => price,
        OrderKind::Stop { trigger } | OrderKind::TakeProfit { trigger } => trigger,
    };
    at_least(RiskLimit::VenueMinimumNotional, value(price, order.quantity)?, grid.minimum_notional)
}

/// Whether exposures can be computed at all.
fn check_view(view: &RiskView<'_>, instruments: usize, last_order: Timestamp) -> Result<(), RiskRefusal> {
    let refuse = |what, value| Err(RiskRefusal::View { what, value });
    if view.time < last_order {
        return refuse("time, which ran backwards", Decimal::from(view.time.as_millis()));
    }
    if view.instruments.len() != instruments {
        return refuse("instruments", Decimal::from(view.instruments.len()));
    }
    if view.equity <= Decimal::ZERO || view.equity >= LARGEST_AMOUNT {
        return refuse("equity", view.equity);
    }
    if view.free.abs() >= LARGEST_AMOUNT {
        return refuse("free", view.free);
    }
    for risk in view.instruments {
        let held = risk.long > Decimal::ZERO || risk.short > Decimal::ZERO;
        let works = risk.working_buy > Decimal::ZERO || risk.working_sell > Decimal::ZERO;
        if risk.last_price < Decimal::ZERO || (risk.last_price.is_zero() && (held || works)) {
            return refuse("last_price", risk.last_price);
        }
        for (what, value) in [
            ("long", risk.long),
            ("short", risk.short),
            ("working_buy", risk.working_buy),
            ("working_sell", risk.working_sell),
        ] {
            if value < Decimal::ZERO {
                return refuse(what, value);
            }
        }
        if risk.leverage < Decimal::ONE {
            return refuse("leverage", risk.leverage);
        }
    }
    Ok(())
}
