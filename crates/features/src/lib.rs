//! Features of candles that cannot look ahead.

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

pub use bar::Bar;
pub use buffer::ColumnBuffer;
pub use column::{ColumnInfo, Group, Unit};
pub use error::FeatureError;
pub use fit::{
    ColumnScale, DropReason, Dropped, Scaler, ScalerOptions, Selection, SelectionOptions, TrainingFrame,
};
pub use frame::{FeatureFrame, MaskedRows};
pub use group::*;
pub use indicator::{Indicator, Values};
pub use pipeline::{FeaturePipeline, FeatureRow, Outside};
pub use spec::{FeatureSpec, PriceScale};
