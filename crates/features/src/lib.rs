//! Features of candles that cannot look ahead.
//!
//! A [`FeatureSpec`] (TOML) says what to compute; a [`FeaturePipeline`] made from it is a fold: one closed candle
//! in, one [`FeatureRow`] out. A whole series gives a [`FeatureFrame`] by the same fold. What is fitted on frames
//! ([`Scaler`], [`Selection`]) takes training rows only ([`TrainingFrame`]).
//!
//! Invariants:
//! - **Live equals batch to the bit.** There is no second implementation for whole series.
//! - **A row is known when its candle closes** and uses nothing later: an indicator never holds a later candle; a
//!   longer timeframe counts when its candle is complete, an exogenous value when it was known. The module
//!   [`audit`] proves it on any candles.
//! - **Nothing is filled.** A gap begins a new run; rows in the warm-up of a run, or with an unknown value, are
//!   masked.
//! - **Every unmasked value is finite.**
//! - Where TA-Lib defines an indicator, its raw value is TA-Lib's from TA-Lib's first value on.
//! - A state that was saved and restored goes on to the bit.
//!
//! It never sees a label, a model or an order, reads no file and no clock, prints nothing, and fits nothing on rows
//! that were not named as training rows.
//!
//! ```
//! use features::{FeaturePipeline, FeatureSpec, Outside};
//! use market_data::synthetic::{MarketShape, SyntheticModel};
//!
//! let market = SyntheticModel::default().generate(&MarketShape { candles: 2_000, ..Default::default() })?;
//! let series = &market.series[0];
//! let spec = FeatureSpec::from_toml("[trend]\nema = [20, 50]")?;
//! let frame = spec.frame(series, Outside::default())?;
//! let mut pipeline = FeaturePipeline::new(&spec, series.key().timeframe)?;
//! for (index, candle) in series.iter().enumerate() {
//!     let row = pipeline.push(&candle)?;
//!     assert_eq!(row.is_some(), frame.is_valid(index));
//!     if let Some(row) = row {
//!         assert_eq!(row.values[0], frame.values()[0][index]);
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod audit;
mod bar;
mod buffer;
mod column;
mod error;
mod fit;
mod frame;
mod group;
mod indicator;
mod pipeline;
mod plan;
pub mod reference;
mod rolling;
mod smoothing;
mod spec;

pub use buffer::ColumnBuffer;
pub use column::{ColumnInfo, Group, Unit};
pub use error::FeatureError;
pub use fit::{
    ColumnScale, DropReason, Dropped, ScaledFrame, Scaler, ScalerOptions, Selection, SelectionOptions,
    TrainingFrame,
};
pub use frame::{FeatureFrame, MaskedRows};
pub use group::*;
pub use pipeline::{FeaturePipeline, FeatureRow, Outside};
pub use spec::{FeatureSpec, PriceScale};

/// The guide's Rust code, compiled and run with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/features.md")]
struct Guide;
