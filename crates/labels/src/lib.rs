//! What happened next, and how to learn from it without looking ahead.
//!
//! This crate labels the candles of a series by what the price did after them, divides time into training
//! and test sets that share no information, and finds the thresholds that give a wanted ratio of classes.
//!
//! Invariants:
//! - A [`Label`] knows **when it became known**: [`LabelRow::known_at_index`] is later than its own candle, and
//!   nothing after the close of that candle changes it.
//! - A threshold or volatility used for candle *i* is known at the close of candle *i*.
//! - No label reaches across a gap or past the end of a series: there it is absent, and the reason
//!   ([`Absence`]) is counted.
//! - No training label's window overlaps a test interval or its embargo, whether the label needed the whole
//!   window or not: what is admitted does not depend on the outcome.
//! - What is fitted can be given only a [`splits::TrainView`] or [`splits::TrainCandles`], which only
//!   [`splits`] makes.
//! - The class order is `[Sell, Hold, Buy]` everywhere.
//!
//! It never sees a feature, a model, an order or a fee, draws no random number, reads no file and no
//! clock, prints nothing, fills no gap, and balances no classes by leaving candles out.
//!
//! ```
//! use labels::{class_shares, splits::{LastDays, SplitPlan, TimeRange}, HorizonReturn, Label};
//! use market_data::synthetic::{MarketShape, SyntheticModel};
//!
//! let market = SyntheticModel::default().generate(&MarketShape { candles: 5_000, ..Default::default() })?;
//! let series = &market.series[0];
//! let labels = HorizonReturn::default().label(series)?;
//! assert!(labels.get(0).is_some_and(|row| row.known_at_index == 12));
//! assert!((class_shares(&labels).iter().sum::<f64>() - 1.0).abs() < 1e-12);
//! let range = TimeRange::covering(&market.series).ok_or("no candles")?;
//! let plans: Vec<SplitPlan> = LastDays { validation_days: 3 }.plan(range)?;
//! let split = plans[0].apply(&labels);
//! assert_eq!((split.purged(), split.train().indices().len() + split.test().len()), (12, 5_000 - 2 * 12));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod horizon_return;
mod label;
mod label_series;
mod label_table;
mod labeler;
pub mod splits;
pub mod threshold_search;
mod trend_scanning;
mod triple_barrier;
mod volatility;

pub use error::LabelError;
pub use horizon_return::{AdaptiveThreshold, FixedThreshold, HorizonReturn, Threshold, Thresholds};
pub use label::Label;
pub use label_series::{Absence, AbsenceCounts, LabelRow, LabelSeries, class_shares};
pub use label_table::LabelTable;
pub use labeler::Labeler;
pub use trend_scanning::TrendScanning;
pub use triple_barrier::{Ambiguous, BarrierUnit, OnTimeout, TripleBarrier};
