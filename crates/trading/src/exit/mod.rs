//! How one position is left: stop, trailing stop, break-even, a ladder of targets, age and opposite signals.
//!
//! [`ExitPlan`] says what is wanted, [`ExitState`] follows one position with it. Neither knows a venue: the
//! state says where the stop and the rungs should lie, and whoever drives it keeps orders there.
//!
//! Rounding: every price lies on the grid, rounded in favour of the position (long: up, short: down). So a
//! stop is never farther away than asked for and a target never nearer. Both lie at least one tick away from
//! the entry price, which for a stop that was asked to be nearer than a tick is the one exception.

mod ladder;
mod level;
mod plan;
#[cfg(test)]
mod properties;
mod state;
#[cfg(test)]
mod tests;

pub use ladder::Rung;
pub use plan::{
    BreakEven, ExitPlan, LARGEST_LADDER, ProfitRule, ProfitTarget, StopRule, TimeStop, TrailingStop,
};
pub use state::{CloseReason, ExitAction, ExitState};
