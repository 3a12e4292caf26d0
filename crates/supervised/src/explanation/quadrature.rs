//! Nodes and weights of Gauss-Legendre quadrature.

/// Newton steps: from the starting points below four reach the last bit, for any order.
const NEWTON_STEPS: usize = 10;

/// A rule `∫₀¹ f(a) da ≈ Σ weight f(node)`, exact for polynomials up to degree `2 nodes − 1`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct QuadratureRule {
    /// Within `(0, 1)`, ascending.
    pub(super) nodes: Vec<f64>,
    /// They add up to 1.
    pub(super) weights: Vec<f64>,
}

/// The Gauss-Legendre rule of `order` nodes: roots of the Legendre polynomial by Newton's method from
/// Tricomi's approximation, weights `2 / ((1 − x²) P'(x)²)` (Abramowitz and Stegun 1964, 22.16.6 and
/// 25.4.29), moved from `[−1, 1]` to `[0, 1]`.
pub(super) fn gauss_legendre(order: usize) -> QuadratureRule {
    let (mut nodes, mut weights) = (Vec::with_capacity(order), Vec::with_capacity(order));
    let count = order as f64;
    for index in (0..order).rev() {
        let mut root = (std::f64::consts::PI * (index as f64 + 0.75) / (count + 0.5)).cos();
        for _ in 0..NEWTON_STEPS {
            let (value, slope) = legendre(order, root);
            root -= value / slope;
        }
        let (_, slope) = legendre(order, root);
        nodes.push(0.5 * (1.0 + root));
        weights.push(1.0 / ((1.0 - root * root) * slope * slope));
    }
    QuadratureRule { nodes, weights }
}

/// The Legendre polynomial of that order and its derivative, by the three-term recurrence (Abramowitz and
/// Stegun 1964, 22.7.10 and 22.8.5).
fn legendre(order: usize, at: f64) -> (f64, f64) {
    let (mut before, mut value) = (0.0, 1.0);
    for degree in 1..=order {
        let degree = degree as f64;
        (before, value) = (value, ((2.0 * degree - 1.0) * at * value - (degree - 1.0) * before) / degree);
    }
    (value, order as f64 * (at * value - before) / (at * at - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_those_of_numpy() {
        // numpy.polynomial.legendre.leggauss(5) of NumPy 2.4.6, moved to [0, 1].
        let five = gauss_legendre(5);
        let nodes = [0.04691007703066802, 0.23076534494715845, 0.5, 0.7692346550528415, 0.9530899229693319];
        let weights = [0.11846344252809464, 0.23931433524968315, 0.28444444444444433];
        for (seen, wanted) in five.nodes.iter().zip(nodes) {
            assert!((seen - wanted).abs() < 1e-15, "{seen} {wanted}");
        }
        for (index, seen) in five.weights.iter().enumerate() {
            assert!((seen - weights[index.min(4 - index)]).abs() < 1e-15);
        }
    }

    #[test]
    fn polynomials_are_integrated_exactly() {
        for order in [1_usize, 2, 3, 8, 17, 64] {
            let rule = gauss_legendre(order);
            assert!(rule.nodes.is_sorted() && rule.nodes[0] > 0.0 && rule.nodes[order - 1] < 1.0);
            for degree in 0..2 * order {
                let seen: f64 =
                    rule.nodes.iter().zip(&rule.weights).map(|(a, w)| w * a.powi(degree as i32)).sum();
                assert!((seen * (degree + 1) as f64 - 1.0).abs() < 2e-13, "order {order}, degree {degree}");
            }
            let degree = 2 * order as i32;
            let beyond: f64 = rule.nodes.iter().zip(&rule.weights).map(|(a, w)| w * a.powi(degree)).sum();
            // The error of the first degree beyond; it falls below rounding from about 12 nodes.
            assert!(order > 8 || (beyond - 1.0 / f64::from(degree + 1)).abs() > 1e-11, "order {order}");
        }
    }
}
