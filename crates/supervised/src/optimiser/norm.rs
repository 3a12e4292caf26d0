//! The Euclidean norm.

/// Sums kept side by side, so that the loop fills a vector register; part of the result's definition.
const LANES: usize = 8;

/// ‖values‖₂. The squares are summed in f64 and in an order that depends on the length only, so the result is
/// the same everywhere; no square of an f32 is too large for f64, so it is finite where all values are.
pub(super) fn norm(values: &[f32]) -> f64 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0_f64; LANES];
    for chunk in chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(value) * f64::from(value);
        }
    }
    let rest: f64 = rest.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    (sums.iter().sum::<f64>() + rest).sqrt()
}

/// Multiplies every value.
pub(super) fn scale(values: &mut [f32], factor: f64) {
    let factor = factor as f32;
    for value in values {
        *value *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_norm_of_known_vectors() {
        assert_eq!(norm(&[]), 0.0);
        assert_eq!(norm(&[3.0, -4.0]), 5.0);
        // 1² + … + 24² = 4900.
        let steps: Vec<f32> = (1..=24_u8).map(f32::from).collect();
        assert_eq!(norm(&steps), 70.0);
        // Squares beyond f32.
        assert!((norm(&[3e38; 20]) / (3e38 * 20.0_f64.sqrt()) - 1.0).abs() < 1e-6);
        assert!(norm(&[1e-30, f32::NAN]).is_nan());
        assert_eq!(norm(&[f32::NEG_INFINITY; 9]), f64::INFINITY);
    }
}
