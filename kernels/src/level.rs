//! SIMD levels and their detection: the only place that detects CPU features.

use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering};

/// A set of instructions that this CPU has.
///
/// A value is a proof: apart from [`Level::PORTABLE`], values come only from detection. Kernels that take a `Level` are
/// therefore safe functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(Kind);

/// The levels by name, in ascending order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Portable,
    Avx2,
    Avx512,
}

const KINDS: [Kind; 3] = [Kind::Portable, Kind::Avx2, Kind::Avx512];

/// The requested level does not exist, or this CPU lacks it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LevelError {
    /// No level has this name.
    Unknown,
    /// The CPU or the operating system lacks the level.
    Unavailable {
        /// The requested level.
        wanted: &'static str,
        /// The best level of this machine.
        best: &'static str,
    },
}

impl fmt::Display for LevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not a SIMD level; the levels are portable, avx2 and avx512"),
            Self::Unavailable { wanted, best } => {
                write!(f, "this CPU lacks the level {wanted}; the best it has is {best}")
            }
        }
    }
}

impl core::error::Error for LevelError {}

/// The environment variable that forces a level.
pub const VARIABLE: &str = "EQUILIBRIA_SIMD";

/// The detected level plus 1; 0 before the first detection.
static DETECTED: AtomicU8 = AtomicU8::new(0);

impl Level {
    /// Plain Rust; runs on every CPU.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// Returns the level to run at: the one that `EQUILIBRIA_SIMD` forces (feature `std`), else the best one.
    ///
    /// The level is detected once per process.
    ///
    /// **Panics** if `EQUILIBRIA_SIMD` names a level that does not exist or that the CPU lacks. To report this as an
    /// error instead, call [`Level::from_environment`] first.
    #[inline]
    pub fn detect() -> Self {
        match DETECTED.load(Ordering::Relaxed) {
            0 => Self::detect_once(),
            kind => Self(KINDS[usize::from(kind) - 1]),
        }
    }

    #[cold]
    fn detect_once() -> Self {
        match Self::from_environment() {
            Ok(level) => level,
            Err(error) => panic!("{VARIABLE}: {error}"),
        }
    }

    /// Like [`Level::detect`], but returns the error.
    ///
    /// **Errors** [`LevelError`] if `EQUILIBRIA_SIMD` names a level that does not exist or that the CPU lacks.
    pub fn from_environment() -> Result<Self, LevelError> {
        #[cfg(feature = "std")]
        let level = match std::env::var_os(VARIABLE) {
            Some(name) if !name.is_empty() => Self::named(name.to_str().unwrap_or("?"))?,
            _ => Self::best(),
        };
        #[cfg(not(feature = "std"))]
        let level = Self::best();
        DETECTED.store(level.0 as u8 + 1, Ordering::Relaxed);
        Ok(level)
    }

    /// Returns the level called `portable`, `avx2` or `avx512`.
    ///
    /// **Errors** [`LevelError`] if no level has this name or this CPU lacks it.
    pub fn named(name: &str) -> Result<Self, LevelError> {
        let kind = KINDS.into_iter().find(|&kind| Self(kind).name() == name).ok_or(LevelError::Unknown)?;
        let best = Self::best();
        if kind > best.0 {
            return Err(LevelError::Unavailable { wanted: Self(kind).name(), best: best.name() });
        }
        Ok(Self(kind))
    }

    /// The levels of this CPU, in ascending order.
    pub fn available() -> impl Iterator<Item = Self> {
        let best = Self::best();
        KINDS.into_iter().map(Self).filter(move |&level| level <= best)
    }

    /// The name of the level, as `EQUILIBRIA_SIMD` takes it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            Kind::Avx2 => "avx2",
            Kind::Avx512 => "avx512",
        }
    }

    pub(crate) fn kind(self) -> Kind {
        self.0
    }

    fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        return Self(x86::best());
        #[cfg(not(target_arch = "x86_64"))]
        Self::PORTABLE
    }
}

/// Replaces `std::is_x86_feature_detected!`, which needs `std`.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Kind;
    use core::arch::x86_64::{__cpuid_count, _xgetbv, CpuidResult};

    /// Bits of CPUID leaf 1, register ECX.
    const FMA: u32 = 1 << 12;
    const XSAVE_ENABLED: u32 = 1 << 27;
    const AVX: u32 = 1 << 28;
    /// Bits of CPUID leaf 7, register EBX.
    const AVX2: u32 = 1 << 5;
    const AVX512F: u32 = 1 << 16;
    /// Bits of XCR0: register files that the operating system saves.
    const YMM_SAVED: u64 = 0b110;
    const ZMM_SAVED: u64 = 0b1110_0110;

    /// Subleaf 0 of a leaf of CPUID.
    #[allow(unused_unsafe)] // a safe function in newer compilers than the oldest supported one
    fn cpuid(leaf: u32) -> CpuidResult {
        // SAFETY: every x86-64 CPU has CPUID.
        unsafe { __cpuid_count(leaf, 0) }
    }

    pub(super) fn best() -> Kind {
        if cpuid(0).eax < 7 {
            return Kind::Portable;
        }
        let first = cpuid(1).ecx;
        if first & (FMA | XSAVE_ENABLED | AVX) != (FMA | XSAVE_ENABLED | AVX) {
            return Kind::Portable;
        }
        // SAFETY: XSAVE_ENABLED was checked above, so XGETBV exists and may be used.
        let saved_registers = unsafe { xcr0() };
        let seventh = cpuid(7).ebx;
        if seventh & AVX2 == 0 || saved_registers & YMM_SAVED != YMM_SAVED {
            return Kind::Portable;
        }
        if seventh & AVX512F == 0 || saved_registers & ZMM_SAVED != ZMM_SAVED {
            return Kind::Avx2;
        }
        Kind::Avx512
    }

    /// # Safety
    /// The CPU has XGETBV and the operating system enabled it.
    #[target_feature(enable = "xsave")]
    unsafe fn xcr0() -> u64 {
        // SAFETY: the caller guarantees what `_xgetbv` requires; register 0 always exists.
        unsafe { _xgetbv(0) }
    }
}
