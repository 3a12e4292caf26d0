//! One chunk's gates, and the scratch memory that a thread keeps while it walks through heads.

use super::rows::{exponentials, softplus_tails};
use super::{Geometry, HeadState};
use crate::kernel::math::Real;
use crate::kernel::product::{copy_padded, copy_short, padded, transpose_padded};

/// `arg_max` of a row whose maximum is the entering state's stabiliser.
pub(crate) const FROM_STATE: usize = usize::MAX;

/// The gates of one chunk of L steps: sums and maxima in f64, rounded once to T, then exponentiated.
pub(crate) struct Gates<T> {
    /// F_t: sum of log sigmoid(f) from the chunk's start.
    cumulative: Vec<f64>,
    /// alpha_t = i_t - F_t.
    alpha: Vec<f64>,
    /// M_t = max(m0, max over s <= t of alpha_s).
    maximum: Vec<f64>,
    /// The step at which M_t was reached, or [`FROM_STATE`].
    pub arg_max: Vec<usize>,
    /// exp(alpha_t - M_t).
    diagonal: Vec<T>,
    /// e_t = exp(m0 - M_t).
    pub entering: Vec<T>,
    /// exp(-m_t) = exp(-F_t - M_t), the denominator's floor; may be +inf.
    pub floor: Vec<T>,
    /// exp(alpha_s + F_L - m') / sqrt(D): what step s adds to the leaving state.
    pub leaving: Vec<T>,
    /// exp(m0 + F_L - m'): how much of the entering state leaves.
    pub decay: T,
    /// m', the stabiliser that leaves: F_L + M_L rounded to T.
    pub stabiliser: T,
    tails: Vec<T>,
    arguments: Vec<f64>,
    length: usize,
}

/// What the rows of D are made from.
#[derive(Clone, Copy)]
pub(crate) struct GateView<'a, T> {
    pub alpha: &'a [f64],
    pub maximum: &'a [f64],
    pub diagonal: &'a [T],
}

impl<T: Real> Gates<T> {
    pub(crate) fn new(longest: usize) -> Self {
        let length = padded(longest);
        let zeros = || vec![0.0; length];
        let reals = || vec![T::ZERO; length];
        Self {
            cumulative: zeros(),
            alpha: zeros(),
            maximum: zeros(),
            arg_max: vec![FROM_STATE; length],
            diagonal: reals(),
            entering: reals(),
            floor: reals(),
            leaving: reals(),
            decay: T::ZERO,
            stabiliser: T::ZERO,
            tails: reals(),
            arguments: zeros(),
            length: 0,
        }
    }

    pub(crate) fn view(&self) -> GateView<'_, T> {
        GateView { alpha: &self.alpha, maximum: &self.maximum, diagonal: &self.diagonal }
    }

    /// Fills everything but the leaving weights. `entering`: the stabiliser m0 of the state that enters.
    pub(crate) fn prepare(
        &mut self,
        geometry: Geometry,
        input_gate: &[T],
        forget_gate: &[T],
        entering: Option<T>,
    ) {
        let length = input_gate.len();
        let level = geometry.level;
        self.length = length;
        softplus_tails(level, forget_gate, &mut self.tails[..length]);
        let start = entering.map_or(f64::NEG_INFINITY, Real::to_f64);
        let (mut sum, mut maximum, mut arg_max) = (0.0, start, FROM_STATE);
        for step in 0..length {
            // log sigmoid(f) = min(f, 0) - log1p(exp(-|f|)): the linear part is exact, the rest small.
            sum += forget_gate[step].to_f64().smaller(0.0) - self.tails[step].to_f64();
            let alpha = input_gate[step].to_f64() - sum;
            if alpha > maximum {
                (maximum, arg_max) = (alpha, step);
            }
            self.cumulative[step] = sum;
            self.alpha[step] = alpha;
            self.maximum[step] = maximum;
            self.arg_max[step] = arg_max;
        }
        // Beyond the end: any finite number, its weight is replaced by zero.
        self.alpha[length..padded(length)].fill(0.0);
        for step in 0..length {
            self.arguments[step] = self.alpha[step] - self.maximum[step];
        }
        exponentials(level, &self.arguments[..length], &mut self.diagonal[..length]);
        for step in 0..length {
            self.arguments[step] = -self.cumulative[step] - self.maximum[step];
        }
        exponentials(level, &self.arguments[..length], &mut self.floor[..length]);
        if entering.is_some() {
            for step in 0..length {
                self.arguments[step] = start - self.maximum[step];
            }
            exponentials(level, &self.arguments[..length], &mut self.entering[..length]);
        }
    }

    /// Fills `leaving`, `decay` and `stabiliser`; after [`Self::prepare`] of the same chunk.
    pub(crate) fn prepare_leaving(&mut self, geometry: Geometry, entering: Option<T>) {
        let length = self.length;
        let last = length - 1;
        // Rounded to T before it is used, so that C' and m' belong together to the last bit and a sequence that
        // is cut into several calls gives the same numbers as one call.
        self.stabiliser = T::from_f64(self.cumulative[last] + self.maximum[last]);
        let shift = self.cumulative[last] - self.stabiliser.to_f64();
        for step in 0..length {
            self.arguments[step] = self.alpha[step] + shift;
        }
        exponentials(geometry.level, &self.arguments[..length], &mut self.leaving[..length]);
        let scale = T::from_f64(geometry.scale);
        for weight in &mut self.leaving[..length] {
            *weight *= scale;
        }
        let mut decay = [T::ZERO];
        if let Some(start) = entering {
            exponentials(geometry.level, &[start.to_f64() + shift], &mut decay);
        }
        self.decay = decay[0];
    }
}

/// A state in scratch memory: rows of C padded to whole vectors.
pub(crate) struct PaddedState<T> {
    /// `[dim, dim_padded]`.
    pub memory: Vec<T>,
    /// `[dim_padded]`.
    pub normaliser: Vec<T>,
    /// m.
    pub stabiliser: T,
}

impl<T: Real> PaddedState<T> {
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self {
            memory: vec![T::ZERO; geometry.dim * geometry.dim_padded],
            normaliser: vec![T::ZERO; geometry.dim_padded],
            stabiliser: T::ZERO,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.memory.fill(T::ZERO);
        self.normaliser.fill(T::ZERO);
        self.stabiliser = T::ZERO;
    }

    pub(crate) fn load(&mut self, geometry: Geometry, state: HeadState<'_, T>) {
        copy_padded(state.memory, geometry.dim, &mut self.memory, geometry.dim_padded);
        self.normaliser[..geometry.dim].copy_from_slice(state.normaliser);
        self.stabiliser = *state.stabiliser;
    }

    pub(crate) fn store(
        &self,
        geometry: Geometry,
        memory: &mut [T],
        normaliser: &mut [T],
        stabiliser: &mut T,
    ) {
        copy_rows_out(&self.memory, geometry.dim_padded, memory, geometry.dim);
        normaliser.copy_from_slice(&self.normaliser[..geometry.dim]);
        *stabiliser = self.stabiliser;
    }

    /// C^T as `[dim, dim_padded]`.
    pub(crate) fn transpose_memory(&self, geometry: Geometry, target: &mut [T]) {
        transpose_padded(
            &self.memory,
            geometry.dim,
            geometry.dim,
            geometry.dim_padded,
            target,
            geometry.dim_padded,
        );
    }
}

/// Copies padded rows to contiguous rows of `columns` elements.
pub(crate) fn copy_rows_out<T: Real>(source: &[T], stride: usize, target: &mut [T], columns: usize) {
    if columns == stride {
        target.copy_from_slice(&source[..target.len()]);
        return;
    }
    for (from, to) in source.chunks_exact(stride).zip(target.chunks_exact_mut(columns)) {
        copy_short(from, to);
    }
}

/// Elements of one kept state: C, n and m.
pub(crate) fn kept_state_len(dim: usize) -> usize {
    dim * dim + dim + 1
}

/// Reads a kept state.
pub(crate) fn kept_state<T>(kept: &[T], dim: usize) -> HeadState<'_, T> {
    let (memory, rest) = kept.split_at(dim * dim);
    let (normaliser, stabiliser) = rest.split_at(dim);
    HeadState { memory, normaliser, stabiliser: &stabiliser[0] }
}
