//! What training minimises, and its gradient.
//!
//! Every loss works on plain slices and gives its value together with the gradient with respect to its input,
//! so that a trainer can inject the gradient where its network's backward pass begins. Rows are computed in
//! `f64` and stored in `f32`. Classes are `[Sell, Hold, Buy]`, targets are 0, 1, 2.
//!
//! The loss of a row with logits z, p = softmax(z), true class c and share s of the cross-entropy is
//!
//! ```text
//! s · CE(p, c) + (1 − s) · focal(p, c) + λ · (ln 3 − H(p))
//! CE(p, c)    = −Σ_j y_j ln p_j          y_j = (1 − ε)·[j = c] + ε/3
//! focal(p, c) = α_c (1 − p_c)^γ_c (−ln p_c)
//! H(p)        = −Σ_j p_j ln p_j
//! ```
//!
//! where [`LossConfig`] gives ε, α, γ, λ and the schedule of s. The [triplet loss](triplet_loss) acts on
//! embeddings instead of logits and stands beside this sum.
//!
//! A row of weight 0 does not count: neither its logits nor its target are looked at.

mod asymmetric_focal;
mod confidence_penalty;
mod config;
mod cross_entropy;
mod epoch_loss;
#[cfg(test)]
mod row_tests;
mod softmax;
mod triplet;

pub use config::LossConfig;
pub use epoch_loss::{EpochLoss, LossValue};
pub use triplet::{TripletBatch, TripletConfig, TripletValue, triplet_loss};

use crate::SupervisedError;
use crate::dataset::CLASSES;

/// The loss of one row and its derivative with respect to the row's three logits.
#[derive(Clone, Copy, Debug)]
struct RowLoss {
    value: f64,
    gradient: [f64; CLASSES],
}

/// Refuses a configuration value that `sound` does not hold for.
fn require(sound: bool, field: &str, value: impl ToString, remedy: &str) -> Result<(), SupervisedError> {
    if sound { Ok(()) } else { Err(SupervisedError::config(field, value, remedy)) }
}

/// Refuses a slice of the wrong length.
fn require_length(what: &str, length: usize, wanted: usize) -> Result<(), SupervisedError> {
    if length == wanted {
        return Ok(());
    }
    Err(SupervisedError::data(what, format!("{length} values where {wanted} are needed")))
}

/// Refuses a weight that is negative or not finite, and a row that counts but has no class or whose inputs
/// (logits, or an embedding) are not finite.
fn require_row(row: usize, weight: f32, target: u8, inputs: &[f32]) -> Result<(), SupervisedError> {
    let refuse = |what, reason: String| Err(SupervisedError::data(format!("{what} of row {row}"), reason));
    if !(weight.is_finite() && weight >= 0.0) {
        return refuse("weight", format!("{weight} is not a number of 0 or more"));
    }
    if weight > 0.0 && usize::from(target) >= CLASSES {
        return refuse("target", format!("{target} is no class: 0, 1 or 2"));
    }
    if weight > 0.0
        && let Some(value) = inputs.iter().find(|value| !value.is_finite())
    {
        return refuse("network output", format!("{value} is not finite; the training has diverged"));
    }
    Ok(())
}
