//! The normal law: complementary error function, distribution function and quantile.
//!
//! [`erfc`] follows `s_erf.c` of FreeBSD's msun:
//!
//! ```text
//! Copyright (C) 1993 by Sun Microsystems, Inc. All rights reserved.
//!
//! Developed at SunPro, a Sun Microsystems, Inc. business.
//! Permission to use, copy, modify, and distribute this
//! software is freely granted, provided that this notice
//! is preserved.
//! ```

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// erf(1) rounded to 24 bits, so that `1 - ERF_AT_1` is exact.
const ERF_AT_1: f64 = 8.450_629_115_104_675e-1;

/// Numerator and denominator of (erf(x) − x)/x in x² on [0, 0.84375].
const NEAR_ZERO: ([f64; 5], [f64; 6]) = (
    [
        1.283_791_670_955_125_6e-1,
        -3.250_421_072_470_015e-1,
        -2.848_174_957_559_851e-2,
        -5.770_270_296_489_442e-3,
        -2.376_301_665_665_016_3e-5,
    ],
    [
        1.0,
        3.979_172_239_591_553_5e-1,
        6.502_224_998_876_73e-2,
        5.081_306_281_875_766e-3,
        1.324_947_380_043_216_4e-4,
        -3.960_228_278_775_368e-6,
    ],
);
/// erf(1 + s) − [`ERF_AT_1`] in s on [0.84375, 1.25].
const NEAR_ONE: ([f64; 7], [f64; 7]) = (
    [
        -2.362_118_560_752_659_4e-3,
        4.148_561_186_837_483_3e-1,
        -3.722_078_760_357_013e-1,
        3.183_466_199_011_617_5e-1,
        -1.108_946_942_823_966_8e-1,
        3.547_830_432_561_823_6e-2,
        -2.166_375_594_868_791e-3,
    ],
    [
        1.0,
        1.064_208_804_008_442_3e-1,
        5.403_979_177_021_71e-1,
        7.182_865_441_419_627e-2,
        1.261_712_198_087_616_4e-1,
        1.363_708_391_202_905e-2,
        1.198_449_984_679_910_7e-2,
    ],
);
/// ln(x·erfc(x)) + x² + 0.5625 in 1/x² on [1.25, 1/0.35].
const MIDDLE: ([f64; 8], [f64; 9]) = (
    [
        -9.864_944_034_847_148e-3,
        -6.938_585_727_071_818e-1,
        -1.055_862_622_532_329_1e1,
        -6.237_533_245_032_600_6e1,
        -1.623_966_694_625_734_7e2,
        -1.846_050_929_067_110_4e2,
        -8.128_743_550_630_66e1,
        -9.814_329_344_169_145,
    ],
    [
        1.0,
        1.965_127_166_743_925_7e1,
        1.376_577_541_435_190_4e2,
        4.345_658_774_752_292_3e2,
        6.453_872_717_332_679e2,
        4.290_081_400_275_678_3e2,
        1.086_350_055_417_794_4e2,
        6.570_249_770_319_282,
        -6.042_441_521_485_81e-2,
    ],
);
/// The same on [1/0.35, 28].
const TAIL: ([f64; 7], [f64; 8]) = (
    [
        -9.864_942_924_700_1e-3,
        -7.992_832_376_805_23e-1,
        -1.775_795_491_775_475_2e1,
        -1.606_363_848_558_219_2e2,
        -6.375_664_433_683_896e2,
        -1.025_095_131_611_077_2e3,
        -4.835_191_916_086_514e2,
    ],
    [
        1.0,
        3.033_806_074_348_246e1,
        3.257_925_129_965_739e2,
        1.536_729_586_084_437e3,
        3.199_858_219_508_595_5e3,
        2.553_050_406_433_164_4e3,
        4.745_285_412_069_553_7e2,
        -2.244_095_244_658_582e1,
    ],
);

/// The complementary error function 2/√π · ∫ₓ^∞ exp(−t²) dt, to about one unit in the last place.
pub fn erfc(x: f64) -> f64 {
    let size = x.abs();
    if size < 0.84375 {
        let ratio = rational(size * size, &NEAR_ZERO.0, &NEAR_ZERO.1);
        // Beyond 1/4 the sum is arranged around 1/2, where 1 - (…) would lose a bit.
        return if x < 0.25 { 1.0 - (x + x * ratio) } else { 0.5 - (x - 0.5 + x * ratio) };
    }
    let upper = if size < 1.25 {
        1.0 - ERF_AT_1 - rational(size - 1.0, &NEAR_ONE.0, &NEAR_ONE.1)
    } else if size < 28.0 {
        let inverse_square = 1.0 / (size * size);
        let exponent = if size < 1.0 / 0.35 {
            rational(inverse_square, &MIDDLE.0, &MIDDLE.1)
        } else {
            rational(inverse_square, &TAIL.0, &TAIL.1)
        };
        // x² is split as z² + (x - z)(x + z) with z short enough that z² is exact.
        let short = f64::from_bits(size.to_bits() & 0xffff_ffff_0000_0000);
        (-short * short - 0.5625).exp() * ((short - size) * (short + size) + exponent).exp() / size
    } else if size.is_nan() {
        return x;
    } else {
        0.0
    };
    if x < 0.0 { 2.0 - upper } else { upper }
}

fn rational(x: f64, numerator: &[f64], denominator: &[f64]) -> f64 {
    let polynomial = |coefficients: &[f64]| coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c);
    polynomial(numerator) / polynomial(denominator)
}

/// The standard normal distribution function Φ(x) = erfc(−x/√2)/2.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * erfc(-x * FRAC_1_SQRT_2)
}

/// The standard normal quantile Φ⁻¹(p); ∓∞ at 0 and 1, NaN outside.
///
/// A rational start (Abramowitz and Stegun 26.2.23, error below 4.5e-4) is refined by three of
/// Halley's steps on Φ(x) = p, each of which triples the correct digits.
pub fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p > 0.5 {
        // The lower tail keeps its relative precision, so the upper one is mirrored.
        return -normal_quantile(1.0 - p);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    let t = (-2.0 * p.ln()).sqrt();
    let numerator = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let denominator = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = numerator / denominator - t;
    for _ in 0..3 {
        let density = (-0.5 * x * x).exp() / TAU.sqrt();
        if density <= 0.0 {
            break;
        }
        let step = (normal_cdf(x) - p) / density;
        x -= step / (1.0 + 0.5 * x * step);
    }
    x
}

/// Probabilities `[sell, hold, buy]` of a normal return: below `-threshold`, between, above `threshold`.
pub(super) fn class_probabilities(mean: f64, deviation: f64, threshold: f64) -> [f64; 3] {
    let sell = normal_cdf((-threshold - mean) / deviation);
    let buy = normal_cdf((mean - threshold) / deviation);
    [sell, (1.0 - sell - buy).max(0.0), buy]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erfc_agrees_with_known_values() {
        // Values of an independent implementation (glibc 2.36 through Python's math.erfc).
        for (x, expected) in [
            (0.0, 1.0),
            (0.1, 8.875_370_839_817_152e-1),
            (0.5, 4.795_001_221_869_535e-1),
            (0.84375, 2.327_743_387_676_583_5e-1),
            (1.0, 1.572_992_070_502_851_3e-1),
            (1.5, 3.389_485_352_468_927_4e-2),
            (2.0, 4.677_734_981_047_266e-3),
            (3.0, 2.209_049_699_858_544e-5),
            (5.0, 1.537_459_794_428_035e-12),
            (10.0, 2.088_487_583_762_545e-45),
            (-0.5, 1.520_499_877_813_046_5),
            (-1.0, 1.842_700_792_949_715),
            (-3.0, 1.999_977_909_503_001_5),
        ] {
            let relative = (erfc(x) - expected).abs() / expected;
            assert!(relative < 1e-14, "erfc({x}) = {:e}, expected {expected:e}", erfc(x));
        }
        assert_eq!((erfc(f64::INFINITY), erfc(f64::NEG_INFINITY)), (0.0, 2.0));
        assert!(erfc(f64::NAN).is_nan());
    }

    #[test]
    fn erfc_is_smooth_across_its_pieces() {
        for edge in [0.25, 0.84375, 1.25, 1.0 / 0.35] {
            let (below, above) = (erfc(edge - 1e-9), erfc(edge + 1e-9));
            let slope = -2.0 / std::f64::consts::PI.sqrt() * (-edge * edge).exp();
            assert!((above - below - slope * 2e-9).abs() < 1e-15, "{edge}");
        }
    }

    #[test]
    fn the_quantile_inverts_the_distribution() {
        for p in [1e-300, 1e-12, 0.001, 0.2, 1.0 / 3.0, 0.5, 0.7, 0.975, 0.999_999] {
            let x = normal_quantile(p);
            let back = normal_cdf(x);
            // One unit in the last place of x moves Φ by about x² units, relatively.
            assert!((back - p).abs() < 1e-15 * (1.0 + x * x) * p, "{p:e} came back as {back:e}");
        }
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-13);
        assert!((normal_quantile(2.0 / 3.0) - 0.430_727_299_295_457_6).abs() < 1e-13);
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        assert!(normal_quantile(1.1).is_nan());
    }

    #[test]
    fn classes_share_the_line() {
        let [sell, hold, buy] = class_probabilities(0.3, 2.0, 1.0);
        assert!((sell + hold + buy - 1.0).abs() < 1e-15);
        assert!(buy > sell);
        let mirrored = class_probabilities(-0.3, 2.0, 1.0);
        assert!((mirrored[0] - buy).abs() < 1e-15);
    }
}
