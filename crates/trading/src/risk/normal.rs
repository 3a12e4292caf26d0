//! The normal distribution and chi-squared with one and two degrees of freedom.

use std::f64::consts::PI;

const CENTRAL_NUMERATOR: [f64; 8] = [
    2509.0809287301227,
    33430.57558358813,
    67265.7709270087,
    45921.95393154987,
    13731.69376550946,
    1971.5909503065513,
    133.14166789178438,
    3.3871328727963665,
];
const CENTRAL_DENOMINATOR: [f64; 8] = [
    5226.495278852854,
    28729.085735721943,
    39307.89580009271,
    21213.794301586597,
    5394.196021424751,
    687.1870074920579,
    42.31333070160091,
    1.0,
];
const MIDDLE_NUMERATOR: [f64; 8] = [
    0.0007745450142783414,
    0.022723844989269184,
    0.2417807251774506,
    1.2704582524523684,
    3.6478483247632045,
    5.769497221460691,
    4.630337846156546,
    1.4234371107496835,
];
const MIDDLE_DENOMINATOR: [f64; 8] = [
    1.0507500716444169e-09,
    0.0005475938084995345,
    0.015198666563616457,
    0.14810397642748008,
    0.6897673349851,
    1.6763848301838038,
    2.053191626637759,
    1.0,
];
const FAR_NUMERATOR: [f64; 8] = [
    2.0103343992922881e-07,
    2.7115555687434876e-05,
    0.0012426609473880784,
    0.026532189526576124,
    0.29656057182850487,
    1.7848265399172913,
    5.463784911164114,
    6.657904643501103,
];
const FAR_DENOMINATOR: [f64; 8] = [
    2.0442631033899397e-15,
    1.421511758316446e-07,
    1.8463183175100548e-05,
    0.0007868691311456133,
    0.014875361290850615,
    0.1369298809227358,
    0.599832206555888,
    1.0,
];

/// Density of the standard normal distribution at `z`.
#[must_use]
pub fn normal_density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// Quantile of the standard normal distribution: the `z` below which a share `probability` of it lies.
///
/// Wichura (1988), algorithm AS 241 (PPND16), Applied Statistics 37 (3), relative error about 1e-16. Minus
/// and plus infinity at 0 and 1; not a number outside.
#[must_use]
pub fn normal_quantile(probability: f64) -> f64 {
    if !(0.0..=1.0).contains(&probability) {
        return f64::NAN;
    }
    let q = probability - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        return q * polynomial(&CENTRAL_NUMERATOR, r) / polynomial(&CENTRAL_DENOMINATOR, r);
    }
    let tail = if q < 0.0 { probability } else { 1.0 - probability };
    if tail <= 0.0 {
        return f64::INFINITY.copysign(q);
    }
    let r = (-tail.ln()).sqrt();
    let z = if r <= 5.0 {
        polynomial(&MIDDLE_NUMERATOR, r - 1.6) / polynomial(&MIDDLE_DENOMINATOR, r - 1.6)
    } else {
        polynomial(&FAR_NUMERATOR, r - 5.0) / polynomial(&FAR_DENOMINATOR, r - 5.0)
    };
    z.copysign(q)
}

/// Probability that chi-squared with one degree of freedom exceeds `statistic`: erfc(√(x / 2)).
#[must_use]
pub fn chi_squared_survival_1(statistic: f64) -> f64 {
    libm::erfc((0.5 * statistic.max(0.0)).sqrt())
}

/// Probability that chi-squared with two degrees of freedom exceeds `statistic`: exp(−x / 2).
#[must_use]
pub fn chi_squared_survival_2(statistic: f64) -> f64 {
    (-0.5 * statistic.max(0.0)).exp()
}

/// Horner's scheme, the highest power first.
fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    // scipy 1.x: for p in (...): print(repr(scipy.stats.norm.ppf(p)))
    #[test]
    fn quantiles_agree_with_scipy() {
        for (probability, expected) in [
            (1e-300, -37.0470962993612),
            (1e-12, -7.034483825301131),
            (0.001, -3.090232306167813),
            (0.01, -2.3263478740408408),
            (0.05, -1.6448536269514729),
            (0.074, -1.4466320671589785),
            (0.3, -0.5244005127080409),
            (0.5, 0.0),
            (0.9, 1.2815515655446004),
            (0.95, 1.6448536269514722),
            (0.99, 2.3263478740408408),
            (0.999, 3.090232306167813),
        ] {
            let z = normal_quantile(probability);
            assert!((z - expected).abs() <= 4e-15 * (1.0 + expected.abs()), "{probability}: {z} {expected}");
        }
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        for outside in [-0.1, 1.1, f64::NAN] {
            assert!(normal_quantile(outside).is_nan());
        }
    }

    // for x in (...): print(scipy.stats.chi2.sf(x, 1), scipy.stats.chi2.sf(x, 2))
    #[test]
    fn chi_squared_agrees_with_scipy() {
        for (statistic, one, two) in [
            (0.001, 0.9747728793699604, 0.9995001249791693),
            (0.5, 0.47950012218695337, 0.7788007830714049),
            (1.0, 0.31731050786291115, 0.6065306597126334),
            (3.841458820694124, 0.04999999999999989, 0.1465000644860843),
            (5.991464547107979, 0.014375262424643724, 0.05000000000000007),
            (10.0, 0.001565402258002549, 0.006737946999085468),
            (60.0, 9.485737571073857e-15, 9.357622968840163e-14),
            (300.0, 3.2943623833139784e-67, 7.175095973164448e-66),
        ] {
            assert!((chi_squared_survival_1(statistic) / one - 1.0).abs() < 1e-12, "{statistic}");
            assert!((chi_squared_survival_2(statistic) / two - 1.0).abs() < 1e-12, "{statistic}");
        }
        // Rounding may leave a likelihood ratio a hair below zero.
        assert_eq!(chi_squared_survival_1(-1e-15), 1.0);
        assert_eq!(chi_squared_survival_2(-1e-15), 1.0);
    }
}
