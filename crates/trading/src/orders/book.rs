//! The book of own orders.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use market_data::Timestamp;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::{OrderRecord, Question};
use super::report::{ExecutionId, Fill, OrderReport};
use super::status::OrderStatus;
use crate::client_order_id::ClientOrderId;
use crate::error::TradingError;
use crate::money::{LARGEST_AMOUNT, notional};
use crate::order::{InstrumentIndex, OrderIntent};

/// How much of the past is remembered to recognise late and repeated reports. What is still open is never
/// forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OrdersConfig {
    /// Ended orders, 1 to 1,000,000. A report about an older one is refused as one about an order that nobody
    /// knows, so that nothing is accounted twice; its name is free again here, though not at the venue.
    pub remembered_orders: usize,
    /// Executions of all ended orders together, 1 to 10,000,000. Beyond that the oldest ended orders are
    /// forgotten as above, apart from the newest one.
    pub remembered_executions: usize,
    /// Executions that no own order made (liquidations), 1 to 1,000,000. Beyond that the oldest is forgotten,
    /// and from then on executions that are not newer than it are refused, since nothing tells whether they
    /// were accounted.
    pub remembered_venue_executions: usize,
}

impl Default for OrdersConfig {
    fn default() -> Self {
        Self { remembered_orders: 4096, remembered_executions: 65_536, remembered_venue_executions: 1024 }
    }
}

impl OrdersConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field that is out of range.
    pub fn validate(&self) -> Result<(), TradingError> {
        let fields = [
            ("orders.remembered_orders", self.remembered_orders, 1_000_000, "give 1 to 1000000"),
            ("orders.remembered_executions", self.remembered_executions, 10_000_000, "give 1 to 10000000"),
            (
                "orders.remembered_venue_executions",
                self.remembered_venue_executions,
                1_000_000,
                "give 1 to 1000000",
            ),
        ];
        for (field, value, most, remedy) in fields {
            if value < 1 || value > most {
                return Err(TradingError::config(field, value, remedy));
            }
        }
        Ok(())
    }
}

/// What became new with a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied<'a> {
    /// Executions that were not known before: each is handed out once, here, and must be accounted now.
    pub executions: &'a [Fill],
    /// The status of the order, where it changed.
    pub status: Option<OrderStatus>,
    /// What is open about the order after this report and must be asked.
    pub question: Option<Question>,
}

impl Applied<'_> {
    /// Whether the venue must be asked about the order.
    #[must_use]
    pub const fn needs_query(&self) -> bool {
        self.question.is_some()
    }
}

/// All own orders that are open, and the last ones that ended.
///
/// It never loses what is open: an order leaves the open ones only when it has ended and nothing is left to
/// be asked about it, and only then can it be forgotten (see [`OrdersConfig`]).
#[derive(Clone, Debug)]
pub struct Orders {
    config: OrdersConfig,
    open: BTreeMap<ClientOrderId, OrderRecord>,
    ended: BTreeMap<ClientOrderId, OrderRecord>,
    /// Names of `ended`, the oldest first.
    ended_order: VecDeque<ClientOrderId>,
    /// Executions of `ended`.
    ended_executions: usize,
    venue_executions: BTreeSet<(InstrumentIndex, ExecutionId)>,
    /// `venue_executions` with their times, the first seen first.
    venue_order: VecDeque<(Timestamp, InstrumentIndex, ExecutionId)>,
    /// The latest time among forgotten venue executions.
    venue_forgotten: Option<Timestamp>,
    /// Executions of the last report, kept for its memory.
    new_fills: Vec<Fill>,
}

impl Orders {
    /// An empty book.
    ///
    /// # Errors
    /// As [`OrdersConfig::validate`].
    pub fn new(config: OrdersConfig) -> Result<Self, TradingError> {
        config.validate()?;
        Ok(Self {
            config,
            open: BTreeMap::new(),
            ended: BTreeMap::new(),
            ended_order: VecDeque::new(),
            ended_executions: 0,
            venue_executions: BTreeSet::new(),
            venue_order: VecDeque::new(),
            venue_forgotten: None,
            new_fills: Vec::new(),
        })
    }

    /// Notes an order as sent; call it before sending, so that no answer comes too early.
    ///
    /// # Errors
    /// [`TradingError::Order`] where the name was used before, as far as remembered, or the quantity is none.
    pub fn submit(&mut self, intent: OrderIntent) -> Result<(), TradingError> {
        let id = intent.client_order_id;
        if self.get(id).is_some() {
            let remedy = "give each wish its own name, and each new try a new attempt number";
            return Err(TradingError::order(id, "its name was used before", remedy));
        }
        if intent.quantity <= Decimal::ZERO || intent.quantity >= LARGEST_AMOUNT {
            let problem = format!("its quantity is {}", intent.quantity);
            return Err(TradingError::order(id, problem, "give more than zero and less than 10^14"));
        }
        self.open.insert(id, OrderRecord::new(intent));
        Ok(())
    }

    /// An order that is open or remembered.
    #[must_use]
    pub fn get(&self, id: ClientOrderId) -> Option<&OrderRecord> {
        self.open.get(&id).or_else(|| self.ended.get(&id))
    }

    /// Orders of an instrument that may still trade, those with unknown outcome included, in the order of
    /// their names.
    pub fn working(&self, instrument: InstrumentIndex) -> impl Iterator<Item = &OrderRecord> {
        self.open
            .values()
            .filter(move |record| record.intent.instrument == instrument && !record.status.is_terminal())
    }

    /// Orders that the venue must be asked about, with what is open, in the order of their names.
    pub fn unresolved(&self) -> impl Iterator<Item = (&OrderRecord, Question)> {
        self.open.values().filter_map(|record| Some((record, record.question()?)))
    }

    /// Notes the wish to cancel an order; whether a cancellation is to be sent. None is where the order has
    /// ended or one is on its way.
    ///
    /// # Errors
    /// [`TradingError::Order`] where the order is not known.
    pub fn request_cancel(&mut self, id: ClientOrderId) -> Result<bool, TradingError> {
        match self.open.get_mut(&id) {
            Some(record) => Ok(record.request_cancel()),
            None if self.ended.contains_key(&id) => Ok(false),
            None => Err(TradingError::order(
                id,
                "it is not known here",
                "cancel by the names of submitted orders",
            )),
        }
    }

    /// Takes a report. Duplicates and reordered reports are harmless; nothing changes where it fails.
    ///
    /// # Errors [`TradingError::Report`] names the order where it is not known, where it would fill more than
    /// its quantity, or where an execution is of another order, instrument or side;
    /// [`TradingError::Magnitude`] where a notional is too large.
    pub fn apply(&mut self, report: &OrderReport<'_>) -> Result<Applied<'_>, TradingError> {
        self.new_fills.clear();
        let id = report.client_order_id;
        let was_open = self.open.contains_key(&id);
        let shelf = if was_open { &mut self.open } else { &mut self.ended };
        let Some(record) = shelf.get_mut(&id) else {
            let most = self.config.remembered_orders;
            let problem = format!("it was not submitted here, or is older than the last {most} that ended");
            return Err(TradingError::report(format!("order {id}"), problem));
        };
        let before = record.status;
        // A failure leaves the executions that it has read here; the next report clears them.
        record.apply(report, &mut self.new_fills)?;
        let (status, question, settled) = (record.status, record.question(), record.is_settled());
        if was_open && settled {
            self.shelve(id);
        } else if !was_open && settled {
            self.ended_executions += self.new_fills.len();
        } else if !was_open {
            self.reopen(id);
        }
        Ok(Applied { executions: &self.new_fills, status: (status != before).then_some(status), question })
    }

    /// Takes an execution that no own order made, as of a liquidation.
    ///
    /// # Errors [`TradingError::Report`] where it bears the name of an order (see [`Orders::apply`]), has no
    /// quantity or price, or is too old to tell whether it was accounted; [`TradingError::Magnitude`] where
    /// its notional is too large.
    pub fn apply_venue_fill(&mut self, fill: &Fill) -> Result<Applied<'_>, TradingError> {
        self.new_fills.clear();
        let subject = || format!("execution {} of the venue", fill.execution_id);
        if let Some(id) = fill.client_order_id {
            return Err(TradingError::report(
                subject(),
                format!("it belongs to order {id} and must come as its report"),
            ));
        }
        if fill.quantity <= Decimal::ZERO || fill.price <= Decimal::ZERO {
            let problem = format!("its quantity is {} and its price {}", fill.quantity, fill.price);
            return Err(TradingError::report(subject(), problem));
        }
        notional(fill.price, fill.quantity)?;
        let key = (fill.instrument, fill.execution_id);
        if self.venue_executions.contains(&key) {
            return Ok(Applied::default());
        }
        if self.venue_forgotten.is_some_and(|forgotten| fill.time <= forgotten) {
            let most = self.config.remembered_venue_executions;
            let problem =
                format!("it is not newer than the last {most}, so it may have been accounted already");
            return Err(TradingError::report(subject(), problem));
        }
        self.venue_executions.insert(key);
        self.venue_order.push_back((fill.time, fill.instrument, fill.execution_id));
        if self.venue_order.len() > self.config.remembered_venue_executions
            && let Some((time, instrument, execution)) = self.venue_order.pop_front()
        {
            self.venue_executions.remove(&(instrument, execution));
            self.venue_forgotten = self.venue_forgotten.max(Some(time));
        }
        self.new_fills.push(*fill);
        Ok(Applied { executions: &self.new_fills, status: None, question: None })
    }

    /// Puts an order that is settled to the ended ones, and forgets those that are too many.
    fn shelve(&mut self, id: ClientOrderId) {
        let Some(record) = self.open.remove(&id) else { return };
        self.ended_executions += record.execution_count();
        self.ended.insert(id, record);
        self.ended_order.push_back(id);
        while self.ended_order.len() > 1
            && (self.ended_order.len() > self.config.remembered_orders
                || self.ended_executions > self.config.remembered_executions)
        {
            let Some(oldest) = self.ended_order.pop_front() else { return };
            if let Some(record) = self.ended.remove(&oldest) {
                self.ended_executions -= record.execution_count();
            }
        }
    }

    /// Puts an ended order back to the open ones: something must be asked about it.
    fn reopen(&mut self, id: ClientOrderId) {
        let Some(record) = self.ended.remove(&id) else { return };
        self.ended_order.retain(|other| *other != id);
        // The executions of the last report were not counted yet.
        self.ended_executions -= record.execution_count() - self.new_fills.len();
        self.open.insert(id, record);
    }
}
