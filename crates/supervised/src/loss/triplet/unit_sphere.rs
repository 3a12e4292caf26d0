//! Embeddings on the unit sphere.

/// Added to the squared norm. A network's embeddings have norms near √width, where this changes nothing in
/// `f32`; at zero it bounds the derivative by 1000.
const SQUARED_NORM_FLOOR: f64 = 1e-6;

/// u = x / √(‖x‖² + 10⁻⁶) of every row that counts, zeros elsewhere.
#[derive(Debug)]
pub(super) struct UnitVectors {
    width: usize,
    values: Vec<f64>,
    /// √(‖x‖² + 10⁻⁶).
    norms: Vec<f64>,
    /// ‖u‖², below 1 by the constant's share.
    squares: Vec<f64>,
}

impl UnitVectors {
    /// Of `embeddings`, `[rows, width]`; a row without a class does not count.
    pub(super) fn of(embeddings: &[f32], width: usize, classes: &[Option<u8>]) -> Self {
        let mut units = Self {
            width,
            values: vec![0.0; embeddings.len()],
            norms: vec![1.0; classes.len()],
            squares: vec![0.0; classes.len()],
        };
        let rows = embeddings.chunks_exact(width).zip(units.values.chunks_exact_mut(width));
        for (row, (embedding, values)) in rows.enumerate() {
            if classes[row].is_none() {
                continue;
            }
            let square: f64 = embedding.iter().map(|value| f64::from(*value).powi(2)).sum();
            units.norms[row] = (square + SQUARED_NORM_FLOOR).sqrt();
            for (unit, value) in values.iter_mut().zip(embedding) {
                *unit = f64::from(*value) / units.norms[row];
            }
            units.squares[row] = square / (square + SQUARED_NORM_FLOOR);
        }
        units
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// ‖u_anchor − u_row‖² for every row.
    pub(super) fn squared_distances(&self, anchor: usize) -> Vec<f64> {
        let from = self.row(anchor);
        let rows = self.values.chunks_exact(self.width).zip(&self.squares);
        rows.map(|(unit, square)| (self.squares[anchor] + square - 2.0 * dot(from, unit)).max(0.0)).collect()
    }

    /// Adds `scale` (u_to − u_from) to `into`.
    pub(super) fn add_difference(&self, into: &mut [f64], to: usize, from: usize, scale: f64) {
        for ((into, to), from) in into.iter_mut().zip(self.row(to)).zip(self.row(from)) {
            *into += scale * (to - from);
        }
    }

    /// Adds the gradient with respect to the row's embedding, given that with respect to its unit vector:
    /// ∂u/∂x = (I − u uᵀ) / √(‖x‖² + 10⁻⁶).
    pub(super) fn add_gradient(&self, row: usize, of_unit: &[f64], into: &mut [f32]) {
        let unit = self.row(row);
        let along = dot(unit, of_unit);
        for ((into, of_unit), unit) in into.iter_mut().zip(of_unit).zip(unit) {
            *into += ((of_unit - along * unit) / self.norms[row]) as f32;
        }
    }
}

/// Scalar product in four sums, which the processor adds side by side.
fn dot(left: &[f64], right: &[f64]) -> f64 {
    const LANES: usize = 4;
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_on_the_sphere_and_zero_stays_finite() {
        // 3-4-5 in six dimensions, zero, and a row that does not count.
        let mut embeddings = vec![0.0_f32; 18];
        (embeddings[0], embeddings[5], embeddings[14]) = (3.0, -4.0, f32::NAN);
        let units = UnitVectors::of(&embeddings, 6, &[Some(0), Some(1), None]);
        assert!((units.row(0)[0] - 0.6).abs() < 1e-7 && (units.row(0)[5] + 0.8).abs() < 1e-7);
        assert!(units.values[6..].iter().all(|value| *value == 0.0));
        let distances = units.squared_distances(0);
        assert!(distances[0].abs() < 1e-15 && (distances[1] - 1.0).abs() < 1e-7, "{distances:?}");
        let mut gradient = [0.0_f32; 6];
        units.add_gradient(1, &[1.0, 0.0, 0.0, 0.0, 0.0, -2.0], &mut gradient);
        for (seen, expected) in gradient.into_iter().zip([1000.0, 0.0, 0.0, 0.0, 0.0, -2000.0]) {
            assert!((seen - expected).abs() < 1e-3, "{gradient:?}");
        }
    }
}
