//! Whether the account may trade, and who can let it again.

use market_data::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::limits::{HaltAction, RiskLimits};
use crate::money::amount;

/// Who pulled the kill switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KillReason {
    /// A person.
    Operator,
    /// The books and the venue disagree.
    Reconciliation,
    /// The venue cannot be reached.
    Connection,
    /// A defect of the program.
    Defect,
}

/// Why trading is restricted. In the order of how hard it is to lift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HaltReason {
    /// The loss since the start of the UTC day.
    DailyLoss,
    /// The loss since the peak of equity.
    Drawdown,
    /// The kill switch.
    Kill(KillReason),
}

impl std::fmt::Display for HaltReason {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::DailyLoss => "the loss of the day",
            Self::Drawdown => "the drawdown from the peak",
            Self::Kill(KillReason::Operator) => "the kill switch, by the operator",
            Self::Kill(KillReason::Reconciliation) => "the kill switch, by a mismatch with the venue",
            Self::Kill(KillReason::Connection) => "the kill switch, by a lost connection",
            Self::Kill(KillReason::Defect) => "the kill switch, by a defect",
        })
    }
}

/// What may change the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RiskEvent {
    /// A UTC day began.
    NewDay,
    /// The loss of the day reached its limit.
    DailyLoss,
    /// The drawdown reached its limit.
    Drawdown,
    /// Somebody pulled the kill switch.
    Kill(KillReason),
    /// The operator lets it trade again.
    Resume,
}

/// Whether the account may trade.
///
/// | state \ event   | new day    | daily loss     | drawdown       | kill         | resume |
/// |-----------------|------------|----------------|----------------|--------------|--------|
/// | active          | active     | by setting (1) | by setting (1) | halted, kill | active |
/// | reducing, daily | active (2) | by setting     | by setting     | halted, kill | active |
/// | reducing, other | same       | by setting (3) | by setting (3) | halted, kill | active |
/// | halted, daily   | active (2) | same           | halted, drawdown | halted, kill | active |
/// | halted, drawdown| same       | same           | same           | halted, kill | active |
/// | halted, kill    | same       | same           | same           | same (4)     | active |
///
/// (1) reducing or halted with that reason, by `daily_loss_action` and `drawdown_action`.
/// (2) where `lift_daily_loss_at_midnight` is set; otherwise the same.
/// (3) the level by setting; the reason that is harder to lift stays, so that midnight never lifts a drawdown.
/// (4) the first reason stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RiskState {
    /// Everything within the limits passes.
    #[default]
    Active,
    /// Only what makes positions smaller passes.
    Reducing(HaltReason),
    /// Only closes and protective orders pass, and these only where `halted_allows_protection` is set. Cancelling an order
    /// never needs approval.
    Halted(HaltReason),
}

impl RiskState {
    /// The state after an event, as in the table above.
    #[must_use]
    pub fn after(self, event: RiskEvent, limits: &RiskLimits) -> Self {
        let lifts = limits.lift_daily_loss_at_midnight;
        match (self, event) {
            (Self::Active | Self::Reducing(_) | Self::Halted(_), RiskEvent::Resume) => Self::Active,
            (Self::Active, RiskEvent::NewDay) => Self::Active,
            (
                Self::Reducing(HaltReason::DailyLoss) | Self::Halted(HaltReason::DailyLoss),
                RiskEvent::NewDay,
            ) => {
                if lifts {
                    Self::Active
                } else {
                    self
                }
            }
            (
                Self::Reducing(HaltReason::Drawdown | HaltReason::Kill(_))
                | Self::Halted(HaltReason::Drawdown | HaltReason::Kill(_)),
                RiskEvent::NewDay,
            ) => self,
            (Self::Active, RiskEvent::DailyLoss) => by(limits.daily_loss_action, HaltReason::DailyLoss),
            (Self::Active, RiskEvent::Drawdown) => by(limits.drawdown_action, HaltReason::Drawdown),
            (Self::Reducing(reason), RiskEvent::DailyLoss) => {
                by(limits.daily_loss_action, reason.max(HaltReason::DailyLoss))
            }
            (Self::Reducing(reason), RiskEvent::Drawdown) => {
                by(limits.drawdown_action, reason.max(HaltReason::Drawdown))
            }
            (Self::Halted(reason), RiskEvent::DailyLoss) => Self::Halted(reason.max(HaltReason::DailyLoss)),
            (Self::Halted(reason), RiskEvent::Drawdown) => Self::Halted(reason.max(HaltReason::Drawdown)),
            (Self::Halted(HaltReason::Kill(_)), RiskEvent::Kill(_)) => self,
            (
                Self::Active | Self::Reducing(_) | Self::Halted(HaltReason::DailyLoss | HaltReason::Drawdown),
                RiskEvent::Kill(reason),
            ) => Self::Halted(HaltReason::Kill(reason)),
        }
    }
}

const fn by(action: HaltAction, reason: HaltReason) -> RiskState {
    match action {
        HaltAction::Reduce => RiskState::Reducing(reason),
        HaltAction::Halt => RiskState::Halted(reason),
    }
}

/// A change of state, to be journalled and told to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChange {
    /// Before.
    pub from: RiskState,
    /// After.
    pub to: RiskState,
}

/// What the gate remembers of the account. A live program keeps it over restarts, or a drawdown would be forgotten by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskRecord {
    /// Whether the account may trade.
    pub state: RiskState,
    /// The account as it was seen, where it was.
    pub account: Option<AccountRecord>,
}

/// Equities that losses are measured from, in settlement currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountRecord {
    /// The UTC day, counted from the epoch.
    pub day: i64,
    /// Equity at its start.
    pub day_start: Decimal,
    /// Highest equity.
    pub peak: Decimal,
    /// Last equity.
    pub last: Decimal,
}

const DAY_MS: i64 = 86_400_000;

impl AccountRecord {
    pub(super) fn transfer(&mut self, cash: Decimal) {
        let before = self.last;
        self.last += cash;
        let moved = |value: Decimal, last: Decimal| {
            let moved = value.checked_mul(last).and_then(|value| value.checked_div(before));
            moved.map_or(last, amount)
        };
        // An account that was empty begins anew with what came in.
        self.day_start = moved(self.day_start, self.last);
        self.peak = moved(self.peak, self.last);
    }
}

impl RiskRecord {
    /// The UTC day of a time, counted from the epoch.
    pub(super) const fn day_of(time: Timestamp) -> i64 {
        time.as_millis().div_euclid(DAY_MS)
    }

    /// Sees the account, and what follows from it.
    ///
    /// Equity at the start of a day is what was seen at midnight UTC, or else last before it. Answers whether a limit of loss is
    /// reached.
    pub(super) fn observe(&mut self, time: Timestamp, equity: Decimal, limits: &RiskLimits) -> bool {
        let day = Self::day_of(time);
        let mut account =
            self.account.unwrap_or(AccountRecord { day, day_start: equity, peak: equity, last: equity });
        if day > account.day {
            let at_midnight = time.as_millis().rem_euclid(DAY_MS) == 0;
            account.day_start = if at_midnight { equity } else { account.last };
            account.day = day;
            self.state = self.state.after(RiskEvent::NewDay, limits);
        }
        account.peak = account.peak.max(equity);
        account.last = equity;
        let lost_today = is_lost(account.day_start, equity, limits.daily_loss);
        if lost_today {
            self.state = self.state.after(RiskEvent::DailyLoss, limits);
        }
        let lost_from_peak = is_lost(account.peak, equity, limits.drawdown);
        if lost_from_peak {
            self.state = self.state.after(RiskEvent::Drawdown, limits);
        }
        self.account = Some(account);
        lost_today || lost_from_peak
    }

    /// Lets it trade again, with losses measured from now on.
    pub(super) fn resume(&mut self, time: Timestamp, equity: Decimal, limits: &RiskLimits) {
        let day = time.as_millis().div_euclid(DAY_MS);
        self.account = Some(AccountRecord { day, day_start: equity, peak: equity, last: equity });
        self.state = self.state.after(RiskEvent::Resume, limits);
    }
}

/// Whether the share `limit` of `start` is lost, or everything. `limit` is at most 1, so the product cannot overflow.
fn is_lost(start: Decimal, equity: Decimal, limit: Decimal) -> bool {
    if equity > start && start > Decimal::ZERO {
        return false;
    }
    equity <= Decimal::ZERO || start.checked_sub(equity).is_none_or(|loss| loss >= amount(start * limit))
}
