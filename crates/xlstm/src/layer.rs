//! The recurrent layers: what lies between the projections of a block.

mod mlstm;
mod slstm;

pub use mlstm::MlstmLayer;
pub use slstm::SlstmLayer;

/// Added to variances before the root.
pub const NORM_EPSILON: f64 = 1e-5;
