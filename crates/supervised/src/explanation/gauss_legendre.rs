//! Gauss–Legendre quadrature.

/// Nodes and weights of the `points`-point rule on (0, 1): exact for polynomials up to degree `2 · points − 1`.
///
/// The nodes are the roots of the Legendre polynomial, found by Newton's method from Tricomi's approximation (Press et al.
/// 2007, "Numerical recipes", section 4.6.1).
pub(crate) fn gauss_legendre(points: usize) -> Vec<(f64, f64)> {
    let n = points as f64;
    let rule = |index: usize| {
        let mut x = (std::f64::consts::PI * (index as f64 + 0.75) / (n + 0.5)).cos();
        let mut slope = 1.0;
        // Converges quadratically from an error below 1/n²; six steps reach the last bit for any n.
        for _ in 0..6 {
            let value;
            (value, slope) = legendre(points, x);
            x -= value / slope;
        }
        (0.5 * (1.0 - x), 1.0 / ((1.0 - x * x) * slope * slope))
    };
    (0..points).map(rule).collect()
}

/// Value and derivative of the Legendre polynomial of degree `degree` inside (−1, 1), by Bonnet's recursion.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (0.0, 1.0);
    for k in 1..=degree {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
    }
    (value, degree as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_integrated_exactly() {
        for points in 1..=40 {
            let rule = gauss_legendre(points);
            for degree in 0..2 * points {
                let sum: f64 = rule.iter().map(|(t, weight)| weight * t.powi(degree as i32)).sum();
                let exact = 1.0 / (degree as f64 + 1.0);
                assert!((sum - exact).abs() < 1e-14, "{points} points, degree {degree}: {sum} for {exact}");
            }
        }
    }

    #[test]
    fn three_points_are_those_of_the_tables() {
        let rule = gauss_legendre(3);
        let edge = 0.6_f64.sqrt() / 2.0;
        for ((t, weight), expected) in
            rule.iter().zip([(0.5 - edge, 5.0 / 18.0), (0.5, 8.0 / 18.0), (0.5 + edge, 5.0 / 18.0)])
        {
            assert!((t - expected.0).abs() < 1e-15 && (weight - expected.1).abs() < 1e-15);
        }
    }
}
