//! The one error type of the kernels.

/// Why a kernel refused its arguments. Nothing has been written when one of these comes back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// A slice does not have the length that the shape asks for.
    #[error("{name}: the shape asks for {expected} elements, the slice holds {found}")]
    Length {
        /// Which argument.
        name: &'static str,
        /// Elements that the shape asks for.
        expected: usize,
        /// Elements found.
        found: usize,
    },
    /// A size of the shape, or the chunk length, is zero.
    #[error("{name} must be at least 1")]
    Zero {
        /// Which size.
        name: &'static str,
    },
    /// A size of the shape does not divide into equal parts.
    #[error("{name} does not divide into parts of {part}: it is {size}")]
    Indivisible {
        /// Which size.
        name: &'static str,
        /// Its value.
        size: usize,
        /// What it should be a multiple of.
        part: usize,
    },
    /// The forward pass had an initial state and these inputs have none, or the reverse.
    #[error("saved values do not belong to these inputs: {name} differs")]
    ForeignSaved {
        /// What differs.
        name: &'static str,
    },
}

/// Checks one slice length.
pub(crate) fn expect_length(name: &'static str, expected: usize, found: usize) -> Result<(), KernelError> {
    if expected == found { Ok(()) } else { Err(KernelError::Length { name, expected, found }) }
}

/// Checks that `size` is a multiple of `part`, which is not zero.
pub(crate) fn expect_multiple(name: &'static str, size: usize, part: usize) -> Result<(), KernelError> {
    if size.is_multiple_of(part) { Ok(()) } else { Err(KernelError::Indivisible { name, size, part }) }
}

/// Checks that a size is not zero.
pub(crate) fn expect_positive(name: &'static str, size: usize) -> Result<(), KernelError> {
    if size == 0 { Err(KernelError::Zero { name }) } else { Ok(()) }
}
