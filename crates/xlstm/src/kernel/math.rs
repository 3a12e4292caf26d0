//! Elementary functions that the compiler can vectorise, and the number types that the kernels run on.
//!
//! For `f32` the functions are branch-free polynomials (argument reduction and coefficients after Cephes,
//! S. L. Moshier, `expf`, `tanhf`; the logarithm through `log1p(y) = 2 artanh(y / (2 + y))`), so that a loop
//! over a slice becomes vector code. Their maximum errors, measured over a stride through *all* bit patterns
//! (`tests` below), in units of the last place of the result:
//!
//! | function | domain | error |
//! |---|---|---|
//! | [`Real::exp`] | −87 … 88.72 | 2 |
//! | [`Real::exp`] | below −87 (−∞ too) | exact 0 is returned (true value below 1.7e-38) |
//! | [`Real::exp`] | above 88.7228 | +∞ |
//! | [`Real::tanh`] | all | 3 |
//! | [`Real::sigmoid`] | −87 and above | 3; exact 0 below −87 |
//! | [`Real::softplus_tail`] | up to 87 from zero | 4; exact 0 beyond |
//! | [`Real::normal`] | all | absolute 5e-7 (Φ), 5e-7 (density) |
//!
//! NaN comes back as NaN. For `f64` the standard library's functions are used: that type serves finite
//! differences and golden checks, not speed.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// How `a * b + c` is computed.
pub trait Arithmetic: Copy {
    /// True: one rounding, by the processor's fused instruction.
    const FUSED: bool;
}

/// One rounding: for code compiled with FMA.
#[derive(Debug, Clone, Copy)]
pub struct Fused;
/// Two roundings: for processors without FMA, where a fused operation would be a slow library call.
#[derive(Debug, Clone, Copy)]
pub struct Separate;

impl Arithmetic for Fused {
    const FUSED: bool = true;
}
impl Arithmetic for Separate {
    // 64-bit ARM always has the fused instruction.
    const FUSED: bool = cfg!(target_arch = "aarch64");
}

/// A floating-point type that the kernels are compiled for: `f32` (use) and `f64` (checks).
pub trait Real:
    Copy
    + Send
    + Sync
    + PartialOrd
    + Default
    + Debug
    + Display
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// −∞: the stabiliser of an empty state.
    const NEGATIVE_INFINITY: Self;

    /// Rounds to nearest.
    #[must_use]
    fn from_f64(value: f64) -> Self;
    /// Exact.
    fn to_f64(self) -> f64;
    /// Absolute value.
    fn abs(self) -> Self;
    /// `self * factor + term`.
    fn multiply_add<A: Arithmetic>(self, factor: Self, term: Self) -> Self;
    /// e^self; see the module's table of errors.
    fn exp<A: Arithmetic>(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh<A: Arithmetic>(self) -> Self;
    /// `log1p(self)` for self in 0 ..= 1.
    fn log1p_unit<A: Arithmetic>(self) -> Self;

    /// Φ(self), the distribution function of the standard normal, and its density.
    fn normal<A: Arithmetic>(self) -> (Self, Self);

    /// `log1p(exp(-|self|))`, the part of softplus that is not linear: in (0, log 2].
    #[inline(always)]
    fn softplus_tail<A: Arithmetic>(self) -> Self {
        (-self.abs()).exp::<A>().log1p_unit::<A>()
    }

    /// `(log sigmoid(self), sigmoid(-self))`, the forget gate and its derivative, from one exponential.
    #[inline(always)]
    fn log_sigmoid_and_slope<A: Arithmetic>(self) -> (Self, Self) {
        let small = (-self.abs()).exp::<A>();
        let large_side = Self::ONE / (Self::ONE + small);
        let slope = if self < Self::ZERO { large_side } else { small * large_side };
        (self.smaller(Self::ZERO) - small.log1p_unit::<A>(), slope)
    }

    /// The transpose of a block of four by four.
    #[inline(always)]
    fn transpose_block(block: [[Self; 4]; 4]) -> [[Self; 4]; 4] {
        std::array::from_fn(|r| std::array::from_fn(|c| block[c][r]))
    }

    /// The larger one; `other` where `self` is NaN.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    /// The smaller one; `other` where `self` is NaN.
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        if self < other { self } else { other }
    }

    /// Logistic function `1 / (1 + exp(-self))`, with a small relative error on both sides.
    #[inline(always)]
    fn sigmoid<A: Arithmetic>(self) -> Self {
        let small = (-self.abs()).exp::<A>();
        let large_side = Self::ONE / (Self::ONE + small);
        if self < Self::ZERO { small * large_side } else { large_side }
    }

    /// `log(sigmoid(self)) = min(self, 0) - log1p(exp(-|self|))`.
    #[inline(always)]
    fn log_sigmoid<A: Arithmetic>(self) -> Self {
        self.smaller(Self::ZERO) - self.softplus_tail::<A>()
    }
}

const EXP_UNDERFLOW: f32 = -87.0;
const EXP_OVERFLOW: f32 = 88.722_84;
/// 1.5 * 2^23: adding it rounds to the nearest integer, which then sits in the low bits.
const ROUND: f32 = 12_582_912.0;
const LOG2_HIGH: f32 = 355.0 / 512.0;
const LOG2_LOW: f32 = -2.121_944_4e-4;
/// 1 / sqrt(2 π), the standard normal density at 0.
const NORMAL_PEAK: f32 = 0.398_942_3;

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NEGATIVE_INFINITY: Self = Self::NEG_INFINITY;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as Self
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        self.abs()
    }
    #[inline(always)]
    fn multiply_add<A: Arithmetic>(self, factor: Self, term: Self) -> Self {
        if A::FUSED { self.mul_add(factor, term) } else { self * factor + term }
    }

    /// By shuffles: 2 to 4 % of mLSTM forward + backward (T = 60, D = 24 to 96) against what LLVM makes of the plain form.
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "vector registers have no safe conversion from arrays")]
    #[inline(always)]
    fn transpose_block(block: [[Self; 4]; 4]) -> [[Self; 4]; 4] {
        use std::arch::x86_64::{__m128, _mm_movehl_ps, _mm_movelh_ps, _mm_unpackhi_ps, _mm_unpacklo_ps};
        // SAFETY: [[f32; 4]; 4] and [__m128; 4] are the same 64 bytes, every bit pattern is valid in both, and
        // every x86-64 processor has SSE.
        unsafe {
            let [a, b, c, d] = std::mem::transmute::<[[Self; 4]; 4], [__m128; 4]>(block);
            let (low, high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
            let (low_next, high_next) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
            std::mem::transmute::<[__m128; 4], [[Self; 4]; 4]>([
                _mm_movelh_ps(low, low_next),
                _mm_movehl_ps(low_next, low),
                _mm_movelh_ps(high, high_next),
                _mm_movehl_ps(high_next, high),
            ])
        }
    }

    #[inline(always)]
    fn exp<A: Arithmetic>(self) -> Self {
        let shifted = self.multiply_add::<A>(std::f32::consts::LOG2_E, ROUND);
        let whole = shifted - ROUND;
        let rest = whole.multiply_add::<A>(-LOG2_HIGH, self);
        let rest = whole.multiply_add::<A>(-LOG2_LOW, rest);
        let mut series = 1.987_569_1e-4_f32;
        series = series.multiply_add::<A>(rest, 1.398_199_9e-3);
        series = series.multiply_add::<A>(rest, 8.333_452e-3);
        series = series.multiply_add::<A>(rest, 4.166_579_6e-2);
        series = series.multiply_add::<A>(rest, 0.166_666_66);
        series = series.multiply_add::<A>(rest, 0.5);
        let mantissa = (rest * rest).multiply_add::<A>(series, rest) + 1.0;
        // Multiplies by 2^whole: the integer in the low bits of `shifted` moves into the exponent.
        let value = Self::from_bits(mantissa.to_bits().wrapping_add(shifted.to_bits() << 23));
        let value = if self < EXP_UNDERFLOW { 0.0 } else { value };
        let value = if self >= EXP_OVERFLOW { Self::INFINITY } else { value };
        if self.is_nan() { self } else { value }
    }

    #[inline(always)]
    fn tanh<A: Arithmetic>(self) -> Self {
        let square = self * self;
        let mut series = -5.704_988_7e-3_f32;
        series = series.multiply_add::<A>(square, 2.063_909e-2);
        series = series.multiply_add::<A>(square, -5.373_971_6e-2);
        series = series.multiply_add::<A>(square, 0.133_314_42);
        series = series.multiply_add::<A>(square, -0.333_332_8);
        let near_zero = (series * square).multiply_add::<A>(self, self);
        let size = self.abs();
        let tail = 2.0 / (Real::exp::<A>(size + size) + 1.0);
        let far = (1.0 - tail).copysign(self);
        if size < 0.625 { near_zero } else { far }
    }

    #[inline(always)]
    fn log1p_unit<A: Arithmetic>(self) -> Self {
        let ratio = self / (2.0 + self);
        let square = ratio * ratio;
        let mut series = 1.0_f32 / 13.0;
        series = series.multiply_add::<A>(square, 1.0 / 11.0);
        series = series.multiply_add::<A>(square, 1.0 / 9.0);
        series = series.multiply_add::<A>(square, 1.0 / 7.0);
        series = series.multiply_add::<A>(square, 1.0 / 5.0);
        series = series.multiply_add::<A>(square, 1.0 / 3.0);
        let double = ratio + ratio;
        (series * square).multiply_add::<A>(double, double)
    }

    #[inline(always)]
    fn normal<A: Arithmetic>(self) -> (Self, Self) {
        // Abramowitz and Stegun 1964, 7.1.26, whose exponential is that of the density.
        let size = self.abs();
        let small = Real::exp::<A>(size * size * -0.5);
        let ratio = 1.0 / (0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2).multiply_add::<A>(size, 1.0);
        let mut series = 1.061_405_4_f32;
        series = series.multiply_add::<A>(ratio, -1.453_152);
        series = series.multiply_add::<A>(ratio, 1.421_413_8);
        series = series.multiply_add::<A>(ratio, -0.284_496_73);
        series = series.multiply_add::<A>(ratio, 0.254_829_6);
        let tail = 0.5 * series * ratio * small;
        (if self < 0.0 { tail } else { 1.0 - tail }, small * NORMAL_PEAK)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NEGATIVE_INFINITY: Self = Self::NEG_INFINITY;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn abs(self) -> Self {
        self.abs()
    }
    #[inline(always)]
    fn multiply_add<A: Arithmetic>(self, factor: Self, term: Self) -> Self {
        if A::FUSED { self.mul_add(factor, term) } else { self * factor + term }
    }
    #[inline(always)]
    fn exp<A: Arithmetic>(self) -> Self {
        self.exp()
    }
    #[inline(always)]
    fn tanh<A: Arithmetic>(self) -> Self {
        self.tanh()
    }
    #[inline(always)]
    fn log1p_unit<A: Arithmetic>(self) -> Self {
        self.ln_1p()
    }
    #[inline(always)]
    fn normal<A: Arithmetic>(self) -> (Self, Self) {
        let density = (-0.5 * self * self).exp() / std::f64::consts::TAU.sqrt();
        (0.5 * libm::erfc(-self * std::f64::consts::FRAC_1_SQRT_2), density)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units in the last place of `exact`, rounded to f32, by which `found` is off.
    fn ulps(found: f32, exact: f64) -> f64 {
        let nearest = exact as f32;
        if nearest.is_infinite() {
            return if found == nearest { 0.0 } else { f64::INFINITY };
        }
        let unit = f64::from(f32::from_bits(nearest.abs().to_bits() + 1)) - f64::from(nearest.abs());
        (f64::from(found) - exact).abs() / unit
    }

    /// A prime stride through all bit patterns: both signs, denormals, infinities and NaN included.
    fn every_kind_of_number() -> impl Iterator<Item = f32> {
        let special = [
            0.0,
            -0.0,
            f32::MIN_POSITIVE,
            -f32::MIN_POSITIVE,
            1e-45,
            -1e-45,
            f32::MAX,
            f32::MIN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            -87.0,
            -87.000_01,
            88.722_83,
            88.722_84,
            88.73,
            -86.99,
            0.625,
            -0.625,
            0.624_999_94,
        ];
        special.into_iter().chain((0..=u32::MAX).step_by(3001).map(f32::from_bits)).chain(
            // The part of the line where the functions vary, densely.
            (-880_000..890_000).map(|step| step as f32 * 1e-4),
        )
    }

    fn worst(name: &str, bound: f64, pair: impl Fn(f32) -> Option<(f32, f64)>) {
        let (mut error, mut at) = (0.0, 0.0);
        for x in every_kind_of_number().filter(|x| !x.is_nan()) {
            if let Some((found, exact)) = pair(x) {
                let off = ulps(found, exact);
                assert!(!off.is_nan(), "{name}({x:e}) = {found:e}, exact {exact:e}");
                if off > error {
                    (error, at) = (off, x);
                }
            }
        }
        println!("{name}: worst {error:.3} ulp at {at:e}");
        assert!(error <= bound, "{name}: {error} ulp at {at:e}");
    }

    fn all_functions<A: Arithmetic>(name: &str) {
        worst(&format!("exp {name}"), 2.0, |x| (x >= -87.0).then(|| (Real::exp::<A>(x), f64::from(x).exp())));
        worst(&format!("tanh {name}"), 3.0, |x| Some((Real::tanh::<A>(x), f64::from(x).tanh())));
        let exact_sigmoid = |x: f32| {
            let small = (-f64::from(x).abs()).exp();
            if x < 0.0 { small / (1.0 + small) } else { 1.0 / (1.0 + small) }
        };
        worst(&format!("sigmoid {name}"), 3.0, |x| {
            (x >= -87.0).then(|| (x.sigmoid::<A>(), exact_sigmoid(x)))
        });
        worst(&format!("softplus_tail {name}"), 4.0, |x| {
            (x.abs() <= 87.0).then(|| (x.softplus_tail::<A>(), (-f64::from(x).abs()).exp().ln_1p()))
        });
        for x in every_kind_of_number().filter(|x| *x < -87.0) {
            assert_eq!(Real::exp::<A>(x), 0.0, "exp({x:e})");
            assert_eq!(x.sigmoid::<A>(), 0.0, "sigmoid({x:e})");
            assert_eq!(x.softplus_tail::<A>(), 0.0, "softplus_tail({x:e})");
            assert_eq!(x.log_sigmoid::<A>(), x, "log_sigmoid({x:e})");
        }
    }

    #[test]
    fn f32_functions_keep_their_stated_errors() {
        all_functions::<Fused>("fused");
        all_functions::<Separate>("separate");
    }

    #[test]
    fn the_normal_distribution_is_within_its_stated_error() {
        for x in every_kind_of_number().filter(|x| !x.is_nan()) {
            for (cumulative, density) in [Real::normal::<Fused>(x), Real::normal::<Separate>(x)] {
                let (exact, slope) = f64::from(x).normal::<Fused>();
                assert!(
                    (f64::from(cumulative) - exact).abs() <= 5e-7,
                    "Φ({x:e}) = {cumulative:e}, exact {exact:e}"
                );
                assert!(
                    (f64::from(density) - slope).abs() <= 5e-7,
                    "density({x:e}) = {density:e}, exact {slope:e}"
                );
            }
        }
        assert!((1.0_f64.normal::<Fused>().0 - 0.841_344_746_068_542_9).abs() < 1e-15);
    }

    #[test]
    fn fixed_points_are_exact() {
        assert_eq!(Real::exp::<Fused>(0.0_f32), 1.0);
        assert_eq!(Real::exp::<Separate>(0.0_f32), 1.0);
        assert_eq!(Real::exp::<Fused>(-0.0_f32), 1.0);
        assert_eq!(Real::tanh::<Fused>(0.0_f32), 0.0);
        assert_eq!(Real::tanh::<Fused>(f32::INFINITY), 1.0);
        assert_eq!(Real::tanh::<Fused>(f32::NEG_INFINITY), -1.0);
        assert_eq!(f32::INFINITY.sigmoid::<Fused>(), 1.0);
        assert_eq!(Real::exp::<Fused>(f32::INFINITY), f32::INFINITY);
        assert_eq!(Real::exp::<Fused>(f32::NEG_INFINITY), 0.0);
        for nan in [f32::NAN, -f32::NAN] {
            assert!(Real::exp::<Fused>(nan).is_nan());
            assert!(Real::tanh::<Fused>(nan).is_nan());
            assert!(nan.sigmoid::<Fused>().is_nan());
            assert!(nan.softplus_tail::<Fused>().is_nan());
        }
    }
}
