//! What a thread keeps from head to head in the backward pass.

use super::Geometry;
use super::chunk::{Gates, PaddedState};
use crate::kernel::math::Real;
use crate::kernel::product::padded;

/// The gradient of the state between two chunks, and what a thread keeps from head to head.
pub(crate) struct Scratch<T> {
    pub(super) gates: Gates<T>,
    pub(super) entering: PaddedState<T>,
    pub(super) carried: PaddedState<T>,
    /// Whether `carried` holds anything: false at the end and across a reset.
    pub(super) carries: bool,
    /// Gradient that reaches the stabiliser of the leaving state beyond what C and n account for.
    pub(super) stabiliser_gradient: f64,
    pub(super) rows: Rows<T>,
    pub(super) sums: Sums,
    pub(super) transposed_memory: Vec<T>,
    /// A normaliser rounded to T and padded.
    pub(super) normaliser: Vec<T>,
    pub(super) copies: Copies<T>,
}

/// Padded copies of a chunk's inputs, used where the head size is no multiple of the vector width.
pub(crate) struct Copies<T> {
    pub(super) queries: Vec<T>,
    pub(super) keys: Vec<T>,
    pub(super) values: Vec<T>,
    pub(super) hidden: Vec<T>,
}

impl<T> Default for Copies<T> {
    fn default() -> Self {
        Self { queries: Vec::new(), keys: Vec::new(), values: Vec::new(), hidden: Vec::new() }
    }
}

/// `[time, dim]` and `[time, time]` matrices of one chunk.
pub(crate) struct Rows<T> {
    pub(super) numerators: Vec<T>,
    pub(super) keys_transposed: Vec<T>,
    pub(super) values_transposed: Vec<T>,
    pub(super) scores: Vec<T>,
    pub(super) products: Vec<T>,
    pub(super) query_out: Vec<T>,
    pub(super) key_out: Vec<T>,
    pub(super) value_out: Vec<T>,
    pub(super) weights: Vec<T>,
    pub(super) normaliser_gradient: Vec<T>,
    pub(super) inverse: Vec<T>,
    pub(super) ones: Vec<T>,
    pub(super) scaled: Vec<T>,
}

/// Per-step sums of the gate gradients, f64.
pub(crate) struct Sums {
    pub(super) row: Vec<f64>,
    pub(super) column: Vec<f64>,
    pub(super) entering: Vec<f64>,
    pub(super) leaving: Vec<f64>,
    /// db.
    pub(super) normaliser: Vec<f64>,
    pub(super) stabiliser: Vec<f64>,
}

impl<T: Real> Scratch<T> {
    pub(crate) fn new(geometry: Geometry, longest: usize) -> Self {
        let (time, dim) = (padded(longest), geometry.dim_padded);
        let reals = |length: usize| vec![T::ZERO; length];
        let zeros = || vec![0.0; time];
        Self {
            gates: Gates::new(longest),
            entering: PaddedState::new(geometry),
            carried: PaddedState::new(geometry),
            carries: false,
            stabiliser_gradient: 0.0,
            rows: Rows {
                numerators: reals(time * dim),
                keys_transposed: reals(geometry.dim * time),
                values_transposed: reals(geometry.dim * time),
                scores: reals(time * time),
                products: reals(time * time),
                query_out: reals(time * dim),
                key_out: reals(time * dim),
                value_out: reals(time * dim),
                weights: reals(time),
                normaliser_gradient: reals(time),
                inverse: reals(time),
                ones: vec![T::ONE; time],
                scaled: reals(time * dim),
            },
            sums: Sums {
                row: zeros(),
                column: zeros(),
                entering: zeros(),
                leaving: zeros(),
                normaliser: zeros(),
                stabiliser: zeros(),
            },
            transposed_memory: reals(geometry.dim * dim),
            normaliser: reals(dim),
            copies: Copies {
                queries: reals(time * dim),
                keys: reals(time * dim),
                values: reals(time * dim),
                hidden: reals(time * dim),
            },
        }
    }
}
