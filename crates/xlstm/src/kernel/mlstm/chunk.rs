//! One chunk's gates, and the scratch memory that a thread keeps while it walks through heads.

use super::rows::{exponentials, softplus_tails};
use super::{Geometry, HeadState};
use crate::kernel::gate::ForgetGate;
use crate::kernel::math::Real;
use crate::kernel::product::{copy_padded, copy_short, padded, transpose_padded};

/// `arg_max` of a row whose maximum is the entering state's stabiliser.
pub(crate) const FROM_STATE: usize = usize::MAX;

/// The gates of one chunk of L steps: sums and maxima in f64, rounded once to T, then exponentiated.
pub(crate) struct Gates<T> {
    /// F_t: sum of the logarithms of the forget gates from the chunk's start.
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
    /// The same in f64, for n: weights rounded to f32 are seen in h where q·n cancels.
    pub leaving_exact: Vec<f64>,
    /// exp(m0 + F_L - m'): how much of the entering state leaves.
    pub decay: T,
    /// The same in f64, for n.
    pub decay_exact: f64,
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
            leaving_exact: zeros(),
            decay: T::ZERO,
            decay_exact: 0.0,
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
        forget: ForgetGate,
        entering: Option<T>,
    ) {
        let length = input_gate.len();
        let level = geometry.level;
        self.length = length;
        if forget == ForgetGate::Sigmoid {
            softplus_tails(level, forget_gate, &mut self.tails[..length]);
        }
        let start = entering.map_or(f64::NEG_INFINITY, Real::to_f64);
        let (mut sum, mut maximum, mut arg_max) = (0.0, start, FROM_STATE);
        for step in 0..length {
            let pre_activation = forget_gate[step].to_f64();
            sum += match forget {
                // log sigmoid(f) = min(f, 0) - log1p(exp(-|f|)): the linear part is exact, the rest small.
                ForgetGate::Sigmoid => pre_activation.smaller(0.0) - self.tails[step].to_f64(),
                ForgetGate::Exponential => pre_activation,
            };
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
            let weight = exact_exponential(self.alpha[step] + shift) * geometry.scale;
            self.leaving_exact[step] = weight;
            self.leaving[step] = T::from_f64(weight);
        }
        self.decay_exact = entering.map_or(0.0, |start| exact_exponential(start.to_f64() + shift));
        self.decay = T::from_f64(self.decay_exact);
    }
}

/// e^argument in f64 for a weight of n; zero below −87, as the weights of C are in f32.
pub(crate) fn exact_exponential(argument: f64) -> f64 {
    if argument < -87.0 { 0.0 } else { argument.exp() }
}

/// A state in scratch memory: rows of C padded to whole vectors.
pub(crate) struct PaddedState<T> {
    /// `[dim, dim_padded]`.
    pub memory: Vec<T>,
    /// `[dim]`.
    pub normaliser: Vec<f64>,
    /// m.
    pub stabiliser: T,
}

impl<T: Real> PaddedState<T> {
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self {
            memory: vec![T::ZERO; geometry.dim * geometry.dim_padded],
            normaliser: vec![0.0; geometry.dim],
            stabiliser: T::ZERO,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.memory.fill(T::ZERO);
        self.normaliser.fill(0.0);
        self.stabiliser = T::ZERO;
    }

    pub(crate) fn load(&mut self, geometry: Geometry, state: HeadState<'_, T>) {
        copy_padded(state.memory, geometry.dim, &mut self.memory, geometry.dim_padded);
        self.normaliser.copy_from_slice(state.normaliser);
        self.stabiliser = *state.stabiliser;
    }

    pub(crate) fn store(
        &self,
        geometry: Geometry,
        memory: &mut [T],
        normaliser: &mut [f64],
        stabiliser: &mut T,
    ) {
        copy_rows_out(&self.memory, geometry.dim_padded, memory, geometry.dim);
        normaliser.copy_from_slice(&self.normaliser);
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

/// Numbers of one kept state that are of the kernel's own type: C and m. Its n is kept apart, `dim` numbers in f64.
pub(crate) fn kept_state_len(dim: usize) -> usize {
    dim * dim + 1
}

/// Reads the kept state number `index` of one recurrence.
pub(crate) fn kept_state<'a, T>(
    kept: &'a [T],
    normalisers: &'a [f64],
    index: usize,
    dim: usize,
) -> HeadState<'a, T> {
    let length = kept_state_len(dim);
    let (memory, stabiliser) = kept[index * length..(index + 1) * length].split_at(dim * dim);
    HeadState { memory, normaliser: &normalisers[index * dim..(index + 1) * dim], stabiliser: &stabiliser[0] }
}
