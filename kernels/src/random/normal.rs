//! Standard normals in pairs, by the Box-Muller transform.
//!
//! A point of the plane whose coordinates are independent standard normals has a uniform direction, and half its
//! squared radius is exponential with mean 1. So with v uniform in (0, 1],
//!
//! ```text
//! r = √(−2 ln v),   x = r cos φ,   y = r sin φ.
//! ```
//!
//! The direction is drawn as an angle uniform in (−π/4, π/4), an optional exchange of x and y, and a sign for each.
//! Together they cover the circle once, and no range reduction is needed.
//!
//! Box & Muller, *A note on the generation of random normal deviates*, 1958.

use super::xoshiro::{Running, Xoshiro256PlusPlusX8};
use crate::dispatch::dispatch;
use crate::lanes::words::Words;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::math::ln_lanes;

/// Fills `out` with independent standard normals.
///
/// Two steps give a block of 32 (f32) or 16 (f64) numbers: the first step gives the radii, the second the directions.
/// The block holds the x of all points, then their y.
///
/// **Randomness** Two steps per block, including a partial last block.
///
/// **Accuracy and cost** Always finite; at most 6.66 (f32) or 8.58 (f64) in size, which a normal exceeds with
/// probability 3e-11 or 1e-17. v has 31 bits (f32, rounded to 24 significant ones) or 53, the direction 26 or 55.
/// Within 4 ULP of the exact transform of these.
pub fn fill_normal<T: Scalar>(level: Level, generator: &mut Xoshiro256PlusPlusX8, out: &mut [T]) {
    dispatch(level, FillNormal { generator, out });
}

struct FillNormal<'a, T> {
    generator: &'a mut Xoshiro256PlusPlusX8,
    out: &'a mut [T],
}

impl<T: Scalar> Operation<T> for FillNormal<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let half = L::COUNT * L::PARTS;
        let mut running = Running::load(lanes.words(), self.generator);
        let mut blocks = self.out.chunks_exact_mut(2 * half);
        for block in &mut blocks {
            let (radii, directions) = (running.next(), running.next());
            for part in 0..L::PARTS {
                let (x, y) = pair(lanes, radii, directions, part);
                // SAFETY: the block has 2 * half elements, and the part lies within a half.
                unsafe {
                    lanes.store(block.as_mut_ptr().add(part * L::COUNT), x);
                    lanes.store(block.as_mut_ptr().add(half + part * L::COUNT), y);
                }
            }
        }
        let tail = blocks.into_remainder();
        if !tail.is_empty() {
            let (radii, directions) = (running.next(), running.next());
            for part in 0..L::PARTS {
                let (x, y) = pair(lanes, radii, directions, part);
                store_within(lanes, tail, part * L::COUNT, x);
                store_within(lanes, tail, half + part * L::COUNT, y);
            }
        }
        running.store(self.generator);
    }
}

/// Stores the lanes of `x` that fit into `out[at..]`.
#[inline(always)]
fn store_within<L: Lanes>(lanes: L, out: &mut [L::Scalar], at: usize, x: L::Vector) {
    if at < out.len() {
        let count = (out.len() - at).min(L::COUNT);
        // SAFETY: at + count <= out.len().
        unsafe { lanes.store_up_to(out.as_mut_ptr().add(at), x, count) };
    }
}

/// The normals x and y of vector `part` of the points.
#[inline(always)]
fn pair<L: Lanes>(
    lanes: L,
    radii: <L::Words as Words>::Vector,
    directions: <L::Words as Words>::Vector,
    part: usize,
) -> (L::Vector, L::Vector) {
    let v = lanes.unit_above_zero(lanes.bits(radii, part));
    let radius = lanes.sqrt(lanes.mul(lanes.constant(-2.0), ln_lanes(lanes, v)));

    // Fractions of a quarter turn: unit - 1/2 + 2^-25 (f32), an odd multiple of 2^-25, exactly.
    let middle = 0.5 - L::Scalar::EPSILON.to_f64() / 4.0;
    let turn = lanes.sub(lanes.unit(lanes.bits(directions, part)), lanes.constant(middle));
    let (sine, cosine) = sine_cosine(lanes, lanes.mul(turn, lanes.constant(core::f64::consts::FRAC_PI_2)));

    // The highest bits that `unit` does not use, 7 and 6 of each half word (f32) or 10 and 9 of the word (f64), moved
    // to the sign.
    let radius = lanes.bit_or(radius, sign(lanes, directions, L::Scalar::FRACTION_BITS + 1, part));
    let signed_one =
        lanes.bit_or(lanes.constant(1.0), sign(lanes, directions, L::Scalar::FRACTION_BITS + 2, part));
    let exchange = lanes.less(signed_one, lanes.zero());
    (
        lanes.mul(radius, lanes.select(exchange, sine, cosine)),
        lanes.mul(radius, lanes.select(exchange, cosine, sine)),
    )
}

/// The sign bits of vector `part` after the words are shifted left.
#[inline(always)]
fn sign<L: Lanes>(lanes: L, words: <L::Words as Words>::Vector, shift: u32, part: usize) -> L::Vector {
    lanes.bit_and(lanes.bits(lanes.words().shift_left(words, shift), part), lanes.sign_bit())
}

/// Sine and cosine for |x| <= π/4, by the minimax polynomials of Cephes (Moshier 1989).
#[inline(always)]
fn sine_cosine<L: Lanes>(lanes: L, x: L::Vector) -> (L::Vector, L::Vector) {
    let square = lanes.mul(x, x);
    // sin x = x + x³ S(x²),  cos x = 1 - x²/2 + x⁴ C(x²)
    let (s, c) = if L::Scalar::FRACTION_BITS == 23 {
        (
            polynomial(lanes, square, [-1.951_529_589_1e-4, 8.332_160_873_6e-3, -1.666_666_546_1e-1]),
            polynomial(
                lanes,
                square,
                [2.443_315_711_809_948e-5, -1.388_731_625_493_765e-3, 4.166_664_568_298_827e-2],
            ),
        )
    } else {
        (
            polynomial(
                lanes,
                square,
                [
                    1.589_623_015_765_465_7e-10,
                    -2.505_074_776_285_780_7e-8,
                    2.755_731_362_138_572_5e-6,
                    -1.984_126_982_958_954e-4,
                    8.333_333_333_322_118e-3,
                    -1.666_666_666_666_663e-1,
                ],
            ),
            polynomial(
                lanes,
                square,
                [
                    -1.135_853_652_138_768e-11,
                    2.087_570_084_197_473e-9,
                    -2.755_731_417_929_674e-7,
                    2.480_158_728_885_170_5e-5,
                    -1.388_888_888_887_305_6e-3,
                    4.166_666_666_666_659e-2,
                ],
            ),
        )
    };
    let sine = lanes.mul_add(lanes.mul(square, x), s, x);
    let one_less = lanes.mul_add(square, lanes.constant(-0.5), lanes.constant(1.0));
    let cosine = lanes.mul_add(lanes.mul(square, square), c, one_less);
    (sine, cosine)
}

/// Horner's rule, highest degree first.
#[inline(always)]
fn polynomial<L: Lanes, const N: usize>(lanes: L, x: L::Vector, coefficients: [f64; N]) -> L::Vector {
    let mut sum = lanes.constant(coefficients[0]);
    for coefficient in &coefficients[1..] {
        sum = lanes.mul_add(sum, x, lanes.constant(*coefficient));
    }
    sum
}
