//! The simulator: a venue that does not flatter, backtests over it, and the statistics that tell luck from skill.
//!
//! A [`backtest`] drives the engine of `trading`, the one that trades live, through candles and the simulated [`venue`]; [`metrics`]
//! measure the result, [`regime`] says in which markets it was made, [`walk_forward`] whether it held fold by fold, [`luck`] how
//! much of it could be chance, [`monte_carlo`] what else could have come out, and [`report`] writes it down. The [`market_environment`]
//! is the market for reinforcement learning. With the feature `models` (on by default) `model_signals` are what a trained model says
//! of candles, `retraining` trains it anew for each stretch of time, and `policy` trains, keeps and judges policies over it.
//!
//! Invariants:
//! - What is decided at the close of a candle can trade in the next one at the earliest.
//! - A price that the candle did not reach never fills, but for what a taker slips and a liquidation costs.
//! - The account is that of `trading`: nothing is accounted a second time here.
//! - The same data, settings and seed give the same bytes, on any number of threads.
//!
//! It opens no connection, no file but policies and their models, reads no clock, and draws no random number without a seed.
//!
//! ```
//! use sim::metrics::{EquityCurve, Metrics, MetricsConfig, OrderCounts};
//!
//! let day = |day: i64| market_data::Timestamp::from_millis(day * 86_400_000);
//! let curve = EquityCurve {
//!     times: (0..4).map(day).collect(), equity: vec![100.0, 110.0, 99.0, 120.0], exposure: vec![1.0; 4],
//! };
//! let metrics = Metrics::of(&curve, &[], &OrderCounts::default(), &MetricsConfig::default())?;
//! assert!((metrics.total_return - 0.2).abs() < 1e-12);
//! assert!((metrics.drawdown.maximum.unwrap() - 0.1).abs() < 1e-12);
//! # Ok::<(), sim::SimError>(())
//! ```

pub mod backtest;
mod error;
pub mod funding;
pub mod luck;
pub mod market_environment;
pub mod metrics;
#[cfg(feature = "models")]
pub mod model_signals;
pub mod monte_carlo;
#[cfg(feature = "models")]
pub mod policy;
pub mod regime;
pub mod report;
#[cfg(feature = "models")]
pub mod retraining;
pub mod venue;
pub mod walk_forward;

pub use error::SimError;
