//! Rows of stored numbers, read in place: their conversion to `f32`, their products with vectors, and their multiples.
//!
//! 16-bit floats are those of IEEE 754 (binary16):
//!
//! ```text
//! f16   1 sign   5 exponent, biased by 15    10 fraction
//! f32   1 sign   8 exponent, biased by 127   23 fraction
//! ```
//!
//! The conversions have no branches and no intrinsics: the compiler vectorises them with the instructions of each level.
//! All functions are compiled here and not in the crate that calls them, which may be compiled for size.

use crate::dispatch::dispatch;
use crate::elementwise::Axpy;
use crate::lanes::{Lanes, Operation};
use crate::level::Level;
use crate::map::{Map2, check_equal};
use crate::reduce::Dot;

/// The number of fraction bits of f32 that f16 does not have.
const DROPPED: u32 = 23 - 10;
/// The difference of the exponent biases, at the position of f32's exponent.
const REBIAS: u32 = (127 - 15) << 23;
const INFINITY: u16 = 0x7c00;
/// 2^-14, the smallest normal f16, as an f32.
const SMALLEST_NORMAL: u32 = (127 - 14) << 23;

/// Numbers that are converted at once, on the stack.
const PART: usize = 128;

/// Numbers in a block: a loop of this length is vectorised without branches.
const BLOCK: usize = 16;

/// Converts a 16-bit float exactly.
#[inline(always)]
pub fn widen(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let exponent = u32::from(half & INFINITY);
    let magnitude = u32::from(half & 0x7fff) << DROPPED;
    let normal = magnitude + if exponent == u32::from(INFINITY) { 2 * REBIAS } else { REBIAS };
    // The fraction becomes that of a number from 2^-14 on, which is subtracted again.
    let subnormal = (f32::from_bits(magnitude + SMALLEST_NORMAL) - f32::from_bits(SMALLEST_NORMAL)).to_bits();
    f32::from_bits(sign | if exponent == 0 { subnormal } else { normal })
}

/// Numbers in memory, at any alignment.
#[derive(Debug, Clone, Copy)]
pub enum Stored<'a> {
    /// The little-endian bytes of 32-bit floats.
    F32(&'a [[u8; 4]]),
    /// The little-endian bytes of 16-bit floats.
    F16(&'a [[u8; 2]]),
    /// Integers, and the scale by which they are multiplied.
    I8(&'a [i8], f32),
}

impl Stored<'_> {
    /// The number of numbers.
    #[inline(always)]
    fn count(&self) -> usize {
        match self {
            Self::F32(bytes) => bytes.len(),
            Self::F16(bytes) => bytes.len(),
            Self::I8(integers, _) => integers.len(),
        }
    }

    /// `out` = the numbers from place `start` on.
    #[inline(always)]
    fn convert(&self, start: usize, out: &mut [f32]) {
        let range = start..start + out.len();
        match *self {
            Self::F32(bytes) => Read.convert_all(&bytes[range], out),
            Self::F16(bytes) => Widen.convert_all(&bytes[range], out),
            Self::I8(integers, scale) => Scale(scale).convert_all(&integers[range], out),
        }
    }
}

/// A conversion of numbers. A trait rather than a closure: closures are not `#[inline(always)]`.
trait Convert: Copy {
    type From: Copy;

    fn convert(self, from: Self::From) -> f32;

    #[inline(always)]
    fn convert_all(self, from: &[Self::From], out: &mut [f32]) {
        let (blocks, rest) = from.as_chunks::<BLOCK>();
        let (out_blocks, out_rest) = out.as_chunks_mut::<BLOCK>();
        for (out, block) in out_blocks.iter_mut().zip(blocks) {
            for (i, out) in out.iter_mut().enumerate() {
                *out = self.convert(block[i]);
            }
        }
        for (out, &from) in out_rest.iter_mut().zip(rest) {
            *out = self.convert(from);
        }
    }
}

#[derive(Clone, Copy)]
struct Read;

impl Convert for Read {
    type From = [u8; 4];

    #[inline(always)]
    fn convert(self, bytes: [u8; 4]) -> f32 {
        f32::from_le_bytes(bytes)
    }
}

#[derive(Clone, Copy)]
struct Widen;

impl Convert for Widen {
    type From = [u8; 2];

    #[inline(always)]
    fn convert(self, bytes: [u8; 2]) -> f32 {
        widen(u16::from_le_bytes(bytes))
    }
}

#[derive(Clone, Copy)]
struct Scale(f32);

impl Convert for Scale {
    type From = i8;

    #[inline(always)]
    fn convert(self, integer: i8) -> f32 {
        f32::from(integer) * self.0
    }
}

/// A use of the converted numbers. It gets them part by part.
trait Visit {
    type Output;

    /// The numbers from place `start` on.
    fn part<L: Lanes<Scalar = f32>>(&mut self, lanes: L, start: usize, part: &[f32]);

    fn output(self) -> Self::Output;
}

struct Visited<'a, V> {
    stored: Stored<'a>,
    visit: V,
}

impl<V: Visit> Operation<f32> for Visited<'_, V> {
    type Output = V::Output;

    #[inline(always)]
    fn run<L: Lanes<Scalar = f32>>(mut self, lanes: L) -> V::Output {
        let (mut buffer, count) = ([0.0; PART], self.stored.count());
        for start in (0..count).step_by(PART) {
            let part = &mut buffer[..PART.min(count - start)];
            self.stored.convert(start, part);
            self.visit.part(lanes, start, part);
        }
        self.visit.output()
    }
}

struct Load<'a>(&'a mut [f32]);

impl Visit for Load<'_> {
    type Output = ();

    #[inline(always)]
    fn part<L: Lanes<Scalar = f32>>(&mut self, _: L, start: usize, part: &[f32]) {
        self.0[start..][..part.len()].copy_from_slice(part);
    }

    #[inline(always)]
    fn output(self) {}
}

struct DotWith<'a>(&'a [f32], f32);

impl Visit for DotWith<'_> {
    type Output = f32;

    #[inline(always)]
    fn part<L: Lanes<Scalar = f32>>(&mut self, lanes: L, start: usize, part: &[f32]) {
        self.1 += Dot(part, &self.0[start..][..part.len()]).run(lanes);
    }

    #[inline(always)]
    fn output(self) -> f32 {
        self.1
    }
}

struct AddTo<'a>(f32, &'a mut [f32]);

impl Visit for AddTo<'_> {
    type Output = ();

    #[inline(always)]
    fn part<L: Lanes<Scalar = f32>>(&mut self, lanes: L, start: usize, part: &[f32]) {
        Map2::in_place(Axpy(self.0), &mut self.1[start..][..part.len()], part).run(lanes);
    }

    #[inline(always)]
    fn output(self) {}
}

/// `out` = the numbers.
///
/// **Panics** if the lengths differ.
///
/// ```
/// use equilibria_kernels::{Level, convert};
/// let mut out = [0.0; 3];
/// convert::load(Level::detect(), convert::Stored::F16(&[[0, 0x3c], [0, 0xc0], [1, 0]]), &mut out);
/// assert_eq!(out, [1.0, -2.0, 2.0_f32.powi(-24)]);
/// ```
#[inline(never)]
#[track_caller]
pub fn load(level: Level, stored: Stored<'_>, out: &mut [f32]) {
    check_equal("stored", stored.count(), "out", out.len());
    dispatch(level, Visited { stored, visit: Load(out) });
}

/// The sum of the products with the elements of `x`; 0 for empty slices.
///
/// **Panics** if the lengths differ.
///
/// **Accuracy and cost** Parts of 128 products are summed as [`reduce::dot`](crate::reduce::dot) does, and added in order.
#[must_use]
#[inline(never)]
#[track_caller]
pub fn dot(level: Level, stored: Stored<'_>, x: &[f32]) -> f32 {
    check_equal("stored", stored.count(), "x", x.len());
    dispatch(level, Visited { stored, visit: DotWith(x, 0.0) })
}

/// `y += alpha` times the numbers.
///
/// **Panics** if the lengths differ.
#[inline(never)]
#[track_caller]
pub fn axpy(level: Level, alpha: f32, stored: Stored<'_>, y: &mut [f32]) {
    check_equal("stored", stored.count(), "y", y.len());
    dispatch(level, Visited { stored, visit: AddTo(alpha, y) });
}
