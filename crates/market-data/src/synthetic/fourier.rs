//! A small fast Fourier transform, enough for circulant embedding.

use std::f64::consts::TAU;

/// In-place forward transform X_k = Σ_j x_j exp(−2πi jk/n) of a complex vector, radix 2 (Cooley and
/// Tukey 1965, decimation in time).
///
/// `real` and `imaginary` must have the same length, a power of two (the callers in this module round up);
/// other lengths are left untouched, which a debug build reports.
pub(super) fn transform(real: &mut [f64], imaginary: &mut [f64]) {
    let len = real.len();
    debug_assert!(len.is_power_of_two() && imaginary.len() == len);
    if !len.is_power_of_two() || imaginary.len() != len || len == 1 {
        return;
    }
    let shift = usize::BITS - len.trailing_zeros();
    for index in 0..len {
        let mirrored = index.reverse_bits() >> shift;
        if mirrored > index {
            real.swap(index, mirrored);
            imaginary.swap(index, mirrored);
        }
    }
    // Each root is computed directly; a recurrence would lose digits over long vectors.
    let roots: Vec<(f64, f64)> = (0..len / 2).map(|k| (-TAU * k as f64 / len as f64).sin_cos()).collect();
    let mut half = 1;
    while half < len {
        let stride = len / (2 * half);
        let blocks = real.chunks_exact_mut(2 * half).zip(imaginary.chunks_exact_mut(2 * half));
        for (real_block, imaginary_block) in blocks {
            let (real_low, real_high) = real_block.split_at_mut(half);
            let (imaginary_low, imaginary_high) = imaginary_block.split_at_mut(half);
            for k in 0..half {
                let (sin, cos) = roots[k * stride];
                let (re, im) = (real_high[k], imaginary_high[k]);
                let (turned_re, turned_im) = (re * cos - im * sin, re * sin + im * cos);
                real_high[k] = real_low[k] - turned_re;
                imaginary_high[k] = imaginary_low[k] - turned_im;
                real_low[k] += turned_re;
                imaginary_low[k] += turned_im;
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::synthetic::generator;

    #[test]
    fn agrees_with_the_sum_it_stands_for() {
        for len in [1_usize, 2, 4, 8, 64, 128] {
            let mut rng = generator(1, "fourier-test", len as u64);
            let mut real: Vec<f64> = (0..len).map(|_| rng.random()).collect();
            let mut imaginary: Vec<f64> = (0..len).map(|_| rng.random()).collect();
            let direct: Vec<(f64, f64)> = (0..len)
                .map(|k| {
                    (0..len).fold((0.0, 0.0), |(re, im), j| {
                        let (sin, cos) = (-TAU * ((j * k) % len) as f64 / len as f64).sin_cos();
                        (re + real[j] * cos - imaginary[j] * sin, im + real[j] * sin + imaginary[j] * cos)
                    })
                })
                .collect();
            transform(&mut real, &mut imaginary);
            for k in 0..len {
                assert!((real[k] - direct[k].0).abs() < 1e-12 * len as f64, "{len} {k}");
                assert!((imaginary[k] - direct[k].1).abs() < 1e-12 * len as f64, "{len} {k}");
            }
        }
    }
}
