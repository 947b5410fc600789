//! What happens to denormal numbers, those too small for a full fraction.
//!
//! A processor takes over a hundred cycles for each, and training makes them by itself: moments and gradients of units that
//! are off halve from step to step until they are denormal, and stay so for long. While a thread flushes them, results
//! that would be denormal are 0, and so are denormal operands.
//!
//! ```
//! use equilibria_kernels::denormals;
//! use std::hint::black_box;
//! let smallest = black_box(f32::MIN_POSITIVE);
//! if cfg!(target_arch = "x86_64") {
//!     let flush = denormals::flush();
//!     assert_eq!(smallest * black_box(0.5), 0.0);
//!     drop(flush);
//! }
//! assert_ne!(smallest * black_box(0.5), 0.0);
//! ```
//!
//! It is a setting of a thread. The kernels' tasks take it over from the thread that calls the kernel
//! ([`threads`](crate::threads)), so that results do not depend on which thread ran a task. Elsewhere than on x86-64
//! denormal numbers are as they are.

use core::marker::PhantomData;

/// A treatment of denormal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denormals {
    are_flushed: bool,
}

/// How this thread treats denormal numbers.
#[inline]
pub fn current() -> Denormals {
    Denormals { are_flushed: control::read() & control::FLUSH == control::FLUSH }
}

/// Flushes denormal numbers on this thread until the result is dropped.
#[must_use = "denormal numbers are flushed until this is dropped"]
#[inline]
pub fn flush() -> Treatment {
    Denormals { are_flushed: true }.enter()
}

impl Denormals {
    /// Treats denormal numbers so on this thread until the result is dropped.
    #[must_use = "denormal numbers are treated so until this is dropped"]
    #[inline]
    pub fn enter(self) -> Treatment {
        let before = control::read();
        let wanted = if self.are_flushed { before | control::FLUSH } else { before & !control::FLUSH };
        if wanted != before {
            control::write(wanted);
        }
        Treatment { before, wanted, of_thread: PhantomData }
    }
}

/// Until it is dropped, this thread treats denormal numbers in a certain way.
#[derive(Debug)]
pub struct Treatment {
    before: u32,
    wanted: u32,
    /// Stays on its thread.
    of_thread: PhantomData<*const ()>,
}

impl Drop for Treatment {
    #[inline]
    fn drop(&mut self) {
        if self.wanted != self.before {
            let now = control::read();
            control::write(now & !control::FLUSH | self.before & control::FLUSH);
        }
    }
}

/// The control and status register of SSE and all later vector instructions.
#[cfg(target_arch = "x86_64")]
mod control {
    use core::arch::asm;

    /// Results that would be denormal are 0, and denormal operands count as 0. Every 64-bit processor has both bits.
    pub(super) const FLUSH: u32 = 1 << 15 | 1 << 6;

    #[inline]
    pub(super) fn read() -> u32 {
        let mut register = 0_u32;
        // SAFETY: writes the register to four bytes of this function, and touches nothing else.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) &raw mut register, options(nostack, preserves_flags));
        }
        register
    }

    /// `register` is one that was read, with other bits of [`FLUSH`].
    #[inline]
    pub(super) fn write(register: u32) {
        // SAFETY: reads four bytes of this function. The reserved bits are those that were read, so that nothing faults;
        // no exception is unmasked and the rounding is not changed, so that every instruction still does what the
        // compiler counts on, denormal numbers aside, which is what the caller asks for: arithmetic that the compiler
        // has folded or moved past this line rounds them as without. No address or length is computed in floating point.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const register, options(nostack, preserves_flags, readonly));
        }
    }
}

/// Nothing to set.
#[cfg(not(target_arch = "x86_64"))]
mod control {
    pub(super) const FLUSH: u32 = 1;

    pub(super) fn read() -> u32 {
        0
    }

    pub(super) fn write(_: u32) {}
}
