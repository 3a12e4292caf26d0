//! What can go wrong outside the kernels.

use crate::kernel::KernelError;
use std::path::PathBuf;

/// An error of configuration, input or weights.
#[derive(Debug, thiserror::Error)]
pub enum XlstmError {
    /// The sizes of a configuration do not fit together.
    #[error("the network's configuration is faulty: {}", .faults.join("; "))]
    Config {
        /// Every fault found.
        faults: Vec<String>,
    },
    /// A tensor does not have the shape that the network needs.
    #[error("{what} has the shape {found:?}, but the network needs {expected}")]
    Shape {
        /// Which tensor.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that it should have, in words.
        expected: String,
    },
    /// A state belongs to another network.
    #[error("the state does not fit the network: {reason}; start from `Xlstm::empty_state`")]
    State {
        /// What differs.
        reason: String,
    },
    /// A tensor is of a number type that the kernels do not have.
    #[error("{what} is of type {found}, but the fused kernels take f32 (on CPUs f64 too); convert it")]
    NumberType {
        /// Which tensor.
        what: &'static str,
        /// Its type.
        found: String,
    },
    /// A head cannot be made or used like this.
    #[error("the head is faulty: {reason}")]
    Head {
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Slices of a single step do not fit.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// A file of weights cannot be read or written.
    #[error("{}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// Weights in a file are not those of the network.
    #[error("the weights in {} do not fit the network:\n  {}", .path.display(), .mismatches.join("\n  "))]
    Weights {
        /// The file.
        path: PathBuf,
        /// Every mismatch: missing, unknown, of another shape, of another type.
        mismatches: Vec<String>,
    },
}
