//! Which vector instructions a kernel may use, decided once at run time.
//!
//! Every kernel body is written once, generic over the arithmetic, and compiled three times: for the
//! build's own baseline, for AVX2 + FMA and for AVX-512. Results are bit-identical for any number of
//! threads and for any cut of the batch, but *not* between levels: fused multiply-adds round once where
//! the baseline rounds twice.

/// A vector instruction level that this machine is known to have.
///
/// A value can only be made by [`Level::detect`] and [`Level::available`], both of which ask the
/// processor: holding one is the proof that the `unsafe` calls of the dispatcher rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The best level of this machine.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx512() {
                return Self(Kind::Avx512);
            }
            if has_avx2() {
                return Self(Kind::Avx2);
            }
        }
        Self(Kind::Baseline)
    }

    /// Every level of this machine, plainest first: tests walk through all of them.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Self(Kind::Baseline)];
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx2() {
                levels.push(Self(Kind::Avx2));
            }
            if has_avx512() {
                levels.push(Self(Kind::Avx512));
            }
        }
        levels
    }

    /// The level's name, for reports: `baseline`, `avx2` or `avx512`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Baseline => "baseline",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
        }
    }

    pub(crate) fn kind(self) -> Kind {
        self.0
    }
}

impl Default for Level {
    fn default() -> Self {
        Self::detect()
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
}

/// Makes `fn name<T: Real>(level, arguments…)`, which runs `body::<T, Arithmetic, TILE_ROWS, LANES>` compiled
/// for the level. The body must be `#[inline(always)]`, and so must all that it calls in its loops.
macro_rules! dispatched {
    ($(#[$attribute:meta])* fn $name:ident($($argument:ident : $kind:ty),* $(,)?) = $body:ident;) => {
        $(#[$attribute])*
        #[cfg_attr(
            target_arch = "x86_64",
            expect(unsafe_code, reason = "a function for instructions beyond the baseline can be entered in no other way")
        )]
        pub(crate) fn $name<T: $crate::kernel::math::Real>(level: $crate::kernel::level::Level, $($argument: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn avx512<T: $crate::kernel::math::Real>($($argument: $kind),*) {
                    $body::<T, $crate::kernel::math::Fused, 8, 16>($($argument),*);
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2<T: $crate::kernel::math::Real>($($argument: $kind),*) {
                    $body::<T, $crate::kernel::math::Fused, 4, 8>($($argument),*);
                }
                match level.kind() {
                    // SAFETY: a `Level` of this kind exists only where the processor reported these features.
                    $crate::kernel::level::Kind::Avx512 => return unsafe { avx512($($argument),*) },
                    // SAFETY: as above.
                    $crate::kernel::level::Kind::Avx2 => return unsafe { avx2($($argument),*) },
                    $crate::kernel::level::Kind::Baseline => {}
                }
            }
            let _ = level.kind();
            $body::<T, $crate::kernel::math::Separate, 4, 4>($($argument),*);
        }
    };
}
pub(crate) use dispatched;
