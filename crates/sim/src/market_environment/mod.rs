//! The market as an environment of reinforcement learning: many accounts at once, in plain floats.
//!
//! The order of things is that of [`crate::backtest`] with market orders. What is decided at the close of candle `t` trades at the
//! open of `t + 1`, as a taker, with slippage against the order and rounded to the tick against it. In candle `t + 1`:
//!
//! 1. funding is exchanged at the open, on what is held,
//! 2. what is due at the open is liquidated, otherwise the orders trade,
//! 3. the worst price of the candle comes next: liquidation, stops, and last profit targets,
//! 4. equity is marked at the close, and the reward follows from it.
//!
//! Invariants:
//! - Accounts are those of linear perpetuals in cross margin. Equity agrees with `trading::account::Account` given the same fills
//!   to 1e-9 relative (property test), and with [`crate::backtest::run_backtest`] given the same targets.
//! - No window and no trade reaches across a gap or a row that is not valid: an episode lives within one run of rows.
//! - Nothing crosses the end of an episode, and what an episode draws depends on seed, environment and number of the episode only.
//! - An observation holds rows up to the decision's own; features are the caller's, and are not copied before they are observed.

mod account;
mod action;
mod checkpoint;
mod clairvoyant;
mod config;
mod domain;
mod environment;
mod episode;
mod frame;
mod observation;
mod reward;
#[cfg(test)]
mod tests;

pub use account::{EnvironmentFill, FillReason};
pub use action::ActionScheme;
pub use clairvoyant::{OptimalPath, optimal_path};
pub use config::{
    Augmentation, CostConfig, CostCurriculum, CostRange, EpisodeConfig, MarginConfig,
    MarketEnvironmentConfig, ObservedAccount, Sizing,
};
pub use domain::DomainRandomisation;
pub use environment::MarketEnvironment;
pub use frame::{MarketFrame, MarketFrames, Prices};
pub use reward::{RewardTerm, WeightedReward};
