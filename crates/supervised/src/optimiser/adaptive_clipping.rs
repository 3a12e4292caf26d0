//! Clipping of each unit's gradient by the size of its weights.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::{ParameterInfo, ParameterLayout, UnitOrder};
use super::norm::{norm, scale};
use crate::error::SupervisedError;

/// Adaptive gradient clipping (Brock et al. 2021, arXiv 2102.06171, equation 3): where a unit's gradient G is
/// large beside its weights W it is shrunk,
///
/// ```text
/// G ← λ max(‖W‖, ε) / ‖G‖ · G     if ‖G‖ > λ max(‖W‖, ε)
/// ```
///
/// A unit is one output of a matrix: a column or a row, as [`UnitOrder`] says, of each trailing matrix of a
/// parameter with more dimensions. A parameter with at most one dimension above 1 (a bias, a scale, a single
/// number) is one unit as a whole, as in the authors' code (`nfnets/agc_optax.py`). That code takes the first
/// dimension of three for the inputs, which would be another order of storage, so here it is told.
///
/// Parameters that start at zero are held to gradients of λ ε; Adam divides by their size and moves them all
/// the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveClippingConfig {
    /// Whether it is done. Off by default: Adam already divides by the size of the gradients.
    pub enabled: bool,
    /// λ, the largest ratio of the norms of gradient and weights, above 0. The paper takes 0.01 for batches
    /// of 4096 and finds that smaller batches want it larger, hence 0.02.
    pub threshold: f64,
    /// ε, the least norm of weights that is reckoned with, above 0, so that weights of zero can leave zero.
    /// The paper's 0.001.
    pub epsilon: f64,
    /// Parameters whose names start with one of these are left alone. `head.` by default: the paper leaves
    /// the last linear layer out.
    pub exclude: Vec<String>,
}

impl Default for AdaptiveClippingConfig {
    fn default() -> Self {
        Self { enabled: false, threshold: 0.02, epsilon: 1e-3, exclude: vec!["head.".to_owned()] }
    }
}

impl AdaptiveClippingConfig {
    pub(super) fn validate(&self) -> Result<(), SupervisedError> {
        for (field, value) in [("threshold", self.threshold), ("epsilon", self.epsilon)] {
            if !(value.is_finite() && value > 0.0) {
                let field = format!("optimiser.adaptive_clipping.{field}");
                return Err(SupervisedError::config(&field, value, "give a number above 0"));
            }
        }
        Ok(())
    }
}

/// How the units of one part lie in its slice.
#[derive(Clone, Copy, Debug)]
enum Units {
    /// One after another, each of so many numbers.
    Rows(usize),
    /// The columns of one or more matrices of so many rows and columns.
    Columns(usize, usize),
}

/// The clipping of one network, with room for the sums.
#[derive(Clone, Debug)]
pub(super) struct AdaptiveClipping {
    threshold: f64,
    epsilon: f64,
    parts: Vec<(Range<usize>, Units)>,
    weight_squares: Vec<f64>,
    gradient_squares: Vec<f64>,
    factors: Vec<f32>,
}

impl AdaptiveClipping {
    /// Refuses a prefix that no parameter's name starts with: it would leave out nothing.
    pub(super) fn new(
        config: &AdaptiveClippingConfig,
        layout: &ParameterLayout,
    ) -> Result<Self, SupervisedError> {
        for prefix in &config.exclude {
            if !layout.parts().iter().any(|part| part.name.starts_with(prefix)) {
                let remedy = "no parameter's name starts with it; give the beginning of a name";
                return Err(SupervisedError::config("optimiser.adaptive_clipping.exclude", prefix, remedy));
            }
        }
        let excluded = |name: &str| config.exclude.iter().any(|prefix| name.starts_with(prefix));
        let included = layout.parts().iter().filter(|part| !excluded(&part.name));
        let parts: Vec<_> = included.map(|part| (part.range.clone(), units(part))).collect();
        let columns = |(_, units): &(Range<usize>, Units)| match units {
            Units::Rows(_) => 0,
            Units::Columns(_, columns) => *columns,
        };
        let widest = parts.iter().map(columns).max().unwrap_or(0);
        Ok(Self {
            threshold: config.threshold,
            epsilon: config.epsilon,
            parts,
            weight_squares: vec![0.0; widest],
            gradient_squares: vec![0.0; widest],
            factors: vec![1.0; widest],
        })
    }

    /// Clips every unit of `gradients` by its `weights` and counts the units that it shrank; what is below
    /// the bound stays as it is, to the bit.
    pub(super) fn clip(&mut self, weights: &[f32], gradients: &mut [f32]) -> usize {
        let mut clipped = 0;
        for index in 0..self.parts.len() {
            let (range, units) = self.parts[index].clone();
            let (weights, gradients) = (&weights[range.clone()], &mut gradients[range]);
            clipped += match units {
                Units::Rows(length) => self.clip_rows(length, weights, gradients),
                Units::Columns(rows, columns) => {
                    let matrices = weights.chunks_exact(rows * columns);
                    let matrices = matrices.zip(gradients.chunks_exact_mut(rows * columns));
                    matrices.map(|(weights, gradients)| self.clip_columns(columns, weights, gradients)).sum()
                }
            };
        }
        clipped
    }

    fn clip_rows(&self, length: usize, weights: &[f32], gradients: &mut [f32]) -> usize {
        let mut clipped = 0;
        for (weights, gradients) in weights.chunks_exact(length).zip(gradients.chunks_exact_mut(length)) {
            if let Some(factor) = self.factor(norm(weights), norm(gradients)) {
                scale(gradients, factor);
                clipped += 1;
            }
        }
        clipped
    }

    fn clip_columns(&mut self, columns: usize, weights: &[f32], gradients: &mut [f32]) -> usize {
        sum_squares(weights, &mut self.weight_squares[..columns]);
        sum_squares(gradients, &mut self.gradient_squares[..columns]);
        let mut clipped = 0;
        for column in 0..columns {
            let (weight, gradient) = (self.weight_squares[column], self.gradient_squares[column]);
            let factor = self.factor(weight.sqrt(), gradient.sqrt());
            clipped += usize::from(factor.is_some());
            self.factors[column] = factor.unwrap_or(1.0) as f32;
        }
        if clipped > 0 {
            for row in gradients.chunks_exact_mut(columns) {
                for (gradient, factor) in row.iter_mut().zip(&self.factors) {
                    *gradient *= factor;
                }
            }
        }
        clipped
    }

    /// What the gradient of a unit is multiplied by, where it is above the bound.
    fn factor(&self, weight_norm: f64, gradient_norm: f64) -> Option<f64> {
        let maximum = self.threshold * weight_norm.max(self.epsilon);
        (gradient_norm > maximum).then(|| maximum / gradient_norm)
    }
}

fn units(part: &ParameterInfo) -> Units {
    let shape = &part.shape;
    match (part.order, shape.as_slice()) {
        _ if shape.iter().filter(|&&size| size > 1).count() <= 1 => Units::Rows(part.range.len()),
        (UnitOrder::OutputsLast, &[.., rows, columns]) => Units::Columns(rows, columns),
        (_, &[.., length]) => Units::Rows(length),
        (_, []) => Units::Rows(1),
    }
}

/// Sums of squares per column, in f64, row after row.
fn sum_squares(matrix: &[f32], sums: &mut [f64]) {
    sums.fill(0.0);
    for row in matrix.chunks_exact(sums.len()) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum += f64::from(value) * f64::from(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::layout::layout_of;
    use super::*;

    fn clipping(layout: &ParameterLayout, exclude: &[&str]) -> AdaptiveClipping {
        let exclude = exclude.iter().map(|&prefix| prefix.to_owned()).collect();
        AdaptiveClipping::new(&AdaptiveClippingConfig { exclude, ..Default::default() }, layout).unwrap()
    }

    /// Weights ((5 i) mod 13 − 6) / 8 and gradients ((11 i) mod 17 − 8) / 1024, eightfold at multiples of 5.
    fn weights_and_gradients() -> (Vec<f32>, Vec<f32>) {
        let gradient =
            |i: u16| (f32::from(i * 11 % 17) - 8.0) / 1024.0 * if i.is_multiple_of(5) { 8.0 } else { 1.0 };
        ((0..24_u16).map(|i| (f32::from(i * 5 % 13) - 6.0) / 8.0).collect(), (0..24).map(gradient).collect())
    }

    /// NumPy on the authors' formulas (`unitwise_norm`, `my_clip`), λ = 0.02, ε = 0.001: over the first axis
    /// of `[4, 6]`, the last of `[2, 3, 4]`, the whole.
    const COLUMNS: [f64; 24] = [
        -2.213_751e-2,
        2.929_687_5e-3,
        -8.285_337e-4,
        4.495_861e-3,
        1.953_125e-3,
        -1.968_204_2e-2,
        2.421_290_3e-3,
        9.765_625e-4,
        -1.380_889_5e-3,
        3.371_895_7e-3,
        0.0,
        -3.690_383e-3,
        1.729_493e-3,
        -9.765_625e-4,
        -1.933_245_2e-3,
        1.798_344_4e-2,
        -1.953_125e-3,
        -4.920_510_5e-3,
        1.037_695_8e-3,
        -2.929_687_5e-3,
        1.767_538_5e-2,
        1.123_965_2e-3,
        -3.906_25e-3,
        4.305_447e-3,
    ];
    const ROWS: [f64; 24] = [
        -2.056_176e-2,
        9.638_325_5e-4,
        -9.638_325_5e-4,
        2.570_220_1e-3,
        1.076_826_2e-3,
        -1.722_922e-2,
        3.768_891_8e-3,
        5.384_131e-4,
        -4.882_812_5e-3,
        5.859_375e-3,
        0.0,
        -5.859_375e-3,
        2.846_745_2e-3,
        -5.693_490_4e-4,
        -3.985_443_3e-3,
        1.821_916_9e-2,
        -1.953_125e-3,
        -7.812_5e-3,
        2.929_687_5e-3,
        -2.929_687_5e-3,
        1.904_313_7e-2,
        5.950_98e-4,
        -1.190_196e-3,
        2.082_843e-3,
    ];
    const WHOLE: [f64; 4] = [-2.897_482_2e-2, 1.358_194_8e-3, -1.358_194_8e-3, 3.621_852_8e-3];

    #[test]
    fn units_are_clipped_as_by_the_authors() {
        let assert_near = |seen: &[f32], expected: &[f64]| {
            for (&seen, expected) in seen.iter().zip(expected) {
                assert!((f64::from(seen) - expected).abs() <= 1e-6 * expected.abs(), "{seen} {expected}");
            }
        };
        for (name, shape, expected, units) in [
            ("up.weight", &[4, 6][..], &COLUMNS[..], 4),
            ("query", &[2, 3, 4], &ROWS, 4),
            ("convolution_weight", &[6, 4], &ROWS, 4),
            ("gates", &[2, 1, 3, 4], &ROWS, 4),
            ("bias", &[24], &WHOLE, 1),
            ("up.weight", &[1, 24], &WHOLE, 1),
        ] {
            let (weights, mut gradients) = weights_and_gradients();
            let mut clipping = clipping(&layout_of(&[(name, shape)]), &[]);
            assert_eq!(clipping.clip(&weights, &mut gradients), units, "{name} {shape:?}");
            assert_near(&gradients, expected);
        }
    }

    #[test]
    fn excluded_parameters_are_left_alone_and_prefixes_must_fit() {
        let layout = layout_of(&[("up.weight", &[2, 2]), ("head.linear.weight", &[2, 2])]);
        let weights = [1.0; 8];
        let mut gradients = [1.0; 8];
        assert_eq!(clipping(&layout, &["head."]).clip(&weights, &mut gradients), 2);
        assert_eq!(gradients[4..], [1.0; 4]);
        assert!((gradients[0] - 0.02).abs() < 1e-8);
        let wrong = AdaptiveClippingConfig { exclude: vec!["tail.".to_owned()], ..Default::default() };
        let error = AdaptiveClipping::new(&wrong, &layout).unwrap_err().to_string();
        assert!(error.contains("adaptive_clipping.exclude` is tail."), "{error}");
    }

    #[test]
    fn weights_of_zero_keep_a_gradient() {
        let layout = layout_of(&[("recurrent", &[1, 2, 2, 2])]);
        let mut gradients = [3.0, 4.0, 0.0, 0.0, 1e-6, 0.0, 0.0, 1.0];
        assert_eq!(clipping(&layout, &[]).clip(&[0.0; 8], &mut gradients), 2);
        // λ ε = 0.00002, along 3 : 4; nothing becomes NaN; what is small stays.
        let expected = [1.2e-5, 1.6e-5, 0.0, 0.0, 1e-6, 0.0, 0.0, 2e-5];
        for (seen, expected) in gradients.iter().zip(expected) {
            assert!((seen - expected).abs() < 1e-11, "{gradients:?}");
        }
    }

    /// The values of a unit, by the definition.
    fn unit(values: &[f32], layout: &ParameterLayout, index: usize) -> Vec<f32> {
        let [leading, rows, columns] = layout.parts()[0].shape[..] else { return Vec::new() };
        if layout.parts()[0].order == UnitOrder::OutputsLast {
            assert!(index < leading * columns);
            let (matrix, column) = (index / columns, index % columns);
            (0..rows).map(|row| values[(matrix * rows + row) * columns + column]).collect()
        } else {
            values[index * columns..(index + 1) * columns].to_vec()
        }
    }

    proptest! {
        #[test]
        fn every_unit_keeps_to_its_ratio_and_small_gradients_stay(
            shape in prop::array::uniform3(2..5_usize), outputs_last: bool, size in 1e-3..10.0_f32,
            numbers in prop::collection::vec((-1.0..1.0_f32, -1.0..1.0_f32), 64),
        ) {
            let mut part = layout_of(&[("part", &shape)]).parts()[0].clone();
            part.order = if outputs_last { UnitOrder::OutputsLast } else { UnitOrder::InputsLast };
            let layout = ParameterLayout::new(vec![part]).unwrap();
            let total = layout.total();
            let weights: Vec<f32> = numbers[..total].iter().map(|pair| pair.0).collect();
            let given: Vec<f32> = numbers[..total].iter().map(|pair| pair.1 * size).collect();
            let mut seen = given.clone();
            let count = clipping(&layout, &[]).clip(&weights, &mut seen);
            let units = shape[0] * if outputs_last { shape[2] } else { shape[1] };
            let mut above = 0;
            for index in 0..units {
                let [weights, given, seen] = [&weights, &given, &seen].map(|all| unit(all, &layout, index));
                let maximum = 0.02 * norm(&weights).max(1e-3);
                if norm(&given) > maximum * (1.0 + 1e-9) {
                    above += 1;
                    prop_assert!((norm(&seen) / maximum - 1.0).abs() < 1e-5);
                } else {
                    prop_assert_eq!(seen, given);
                }
            }
            prop_assert_eq!(count, above);
        }
    }
}
