//! Against plain loops and finite differences.

use super::*;
use crate::kernel::level::Level;
use proptest::prelude::*;

/// Numbers from −1 to 1.
fn numbers(count: usize, state: &mut u64) -> Vec<f64> {
    let draw = |_| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    };
    (0..count).map(draw).collect()
}

#[derive(Clone)]
struct Case {
    shape: NormShape,
    x: Vec<f64>,
    w: Vec<f64>,
    dy: Vec<f64>,
}

impl Case {
    fn new((rows, groups, dim): (usize, usize, usize), mut seed: u64) -> Self {
        let width = groups * dim;
        let (input_stride, output_stride) = (width + (seed % 5) as usize, width + (seed % 3) as usize);
        Self {
            shape: NormShape { rows, groups, dim, input_stride, output_stride, epsilon: 1e-5 },
            x: numbers(rows * input_stride, &mut seed),
            w: numbers(width, &mut seed),
            dy: numbers(rows * output_stride, &mut seed),
        }
    }

    fn plain(&self) -> Vec<f64> {
        let NormShape { rows, groups, dim, input_stride, output_stride, epsilon } = self.shape;
        let mut y = vec![0.0; rows * output_stride];
        for row in 0..rows {
            for group in 0..groups {
                let x = &self.x[row * input_stride + group * dim..][..dim];
                let mean = x.iter().sum::<f64>() / dim as f64;
                let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / dim as f64;
                for (channel, x) in x.iter().enumerate() {
                    let at = row * output_stride + group * dim + channel;
                    y[at] = (x - mean) / (variance + epsilon).sqrt() * (1.0 + self.w[group * dim + channel]);
                }
            }
        }
        y
    }

    fn loss(&self) -> f64 {
        self.plain().iter().zip(&self.dy).map(|(y, dy)| y * dy).sum()
    }
}

fn cast<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|v| T::from_f64(*v)).collect()
}

/// y, dx, dw.
fn run<T: Real>(case: &Case, level: Level) -> [Vec<T>; 3] {
    let shape = case.shape;
    let (x, w, dy) = (cast::<T>(&case.x), cast::<T>(&case.w), cast::<T>(&case.dy));
    let mut statistics = vec![T::ZERO; shape.statistics_len()];
    let mut y = vec![T::ZERO; shape.rows * shape.output_stride];
    normalise(level, shape, &x, &w, &mut y, &mut []);
    let without = y.clone();
    normalise(level, shape, &x, &w, &mut y, &mut statistics);
    assert_eq!(y, without);
    let (mut dx, mut dw) = (vec![T::ZERO; x.len()], vec![T::ZERO; w.len()]);
    let forward = Normed { input: &x, weight: &w, statistics: &statistics };
    normalise_backward(level, shape, forward, &dy, &mut dx, &mut dw);
    [y, dx, dw]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn norm_is_plain_loops_and_finite_differences(
        sizes in (1_usize..6, 1_usize..5, prop_oneof![Just(24_usize), 2_usize..50]),
        seed in any::<u64>(),
    ) {
        let case = Case::new(sizes, seed);
        let exact = case.plain();
        for level in Level::available() {
            let [y, dx, dw] = run::<f64>(&case, level);
            let [y_single, dx_single, dw_single] = run::<f32>(&case, level);
            for ((found, single), exact) in y.iter().zip(&y_single).zip(&exact) {
                prop_assert!((found - exact).abs() < 1e-11);
                // Two channels that nearly agree make the largest error.
                prop_assert!((f64::from(*single) - exact).abs() < 2e-4, "{single} {exact}");
            }
            let scale = dx.iter().fold(1.0_f64, |scale, d| scale.max(d.abs()));
            for (found, single) in dx.iter().zip(&dx_single).chain(dw.iter().zip(&dw_single)) {
                prop_assert!((found - f64::from(*single)).abs() < 1e-3 * scale, "{found} {single}");
            }
            for pick in 0..6 {
                let (i, j) = ((seed as usize / (pick + 1)) % case.x.len(), (seed as usize / (pick + 2)) % case.w.len());
                let mut moved = case.clone();
                moved.x[i] += 1e-6;
                let up = moved.loss();
                moved.x[i] -= 2e-6;
                let numeric = (up - moved.loss()) / 2e-6;
                prop_assert!((numeric - dx[i]).abs() < 1e-5 * scale, "dx {numeric} {}", dx[i]);
                let mut moved = case.clone();
                moved.w[j] += 1e-6;
                let up = moved.loss();
                moved.w[j] -= 2e-6;
                let numeric = (up - moved.loss()) / 2e-6;
                prop_assert!((numeric - dw[j]).abs() < 1e-6, "dw {numeric} {}", dw[j]);
            }
        }
    }

    /// A constant group has no direction: zero out, finite gradients.
    #[test]
    fn constant_rows_stay_finite(dim in 1_usize..40, value in -1e3_f64..1e3, seed in any::<u64>()) {
        let mut case = Case::new((2, 2, dim), seed);
        case.x.fill(f64::from(value as f32));
        for level in Level::available() {
            let [y, dx, dw] = run::<f32>(&case, level);
            prop_assert!(y.iter().chain(&dx).chain(&dw).all(|v| v.is_finite()));
            prop_assert!(y.iter().all(|y| y.abs() < 0.2), "{y:?}");
        }
    }
}
