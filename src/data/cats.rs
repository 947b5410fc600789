//! Synthetic cats: faces in colour, drawn from simple shapes, in any size.
//!
//! A cat is chosen at random: its coat (twelve kinds), the proportions of its face, its pose and the light. Then layers are
//! painted over each other: the background, the body, the ears, the head, the muzzle, the eyes, nose and mouth, and the
//! whiskers. Each layer is a shape with a signed distance d to its edge, negative inside; it covers a point by
//!
//! ```text
//! cover = clamp(1/2 - d / step, 0, 1) opacity        colour = colour + cover (paint - colour)
//! ```
//!
//! on a grid of 2 by 2 points per pixel with the distance `step`, whose means are the pixels. The head is shaded as a ball.
//!
//! The same index gives the same image on every machine. The code uses only f32 additions, multiplications, divisions
//! and square roots, whose rounding IEEE 754 defines, and `libm` for the sine and cosine.
//!
//! **Randomness** Cat i depends only on `Stream::named(0, "cats").substream(i)`.

mod background;
pub(super) mod canvas;
mod coat;
mod face;
pub(super) mod luck;
pub(super) mod shape;

use super::{Images, Labelled};
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use background::Background;
use canvas::Canvas;
use face::Face;
use luck::Luck;

/// The default number of rows and of columns of a cat.
pub const SIDE: usize = 32;
/// The numbers of rows and of columns that can be drawn.
pub const SIDES: core::ops::RangeInclusive<usize> = 8..=512;
/// The index of the first test cat; training cats start at 0.
pub const FIRST_TEST: u64 = 1_000_000_000_000;

/// Draws cat `index` in colour, `side` by `side` pixels.
///
/// **Shapes** `pixels` (side, side, 3), row-major.
///
/// **Panics** if `pixels` has a different length, or `side` is not in [`SIDES`].
///
/// **Accuracy and cost** About 0.2 ms for 32 by 32 pixels.
///
/// ```
/// use equilibria::data::cats;
/// let mut pixels = [0; 32 * 32 * 3];
/// cats::cat(7, 32, &mut pixels);
/// assert!(pixels.iter().any(|&value| value > 100));
/// ```
#[track_caller]
pub fn cat(index: u64, side: usize, pixels: &mut [u8]) {
    assert!(SIDES.contains(&side), "a cat has 8 to 512 rows, not {side}");
    assert!(
        pixels.len() == side * side * 3,
        "a cat has {side}x{side}x3 values, but the slice has {}",
        pixels.len()
    );
    let mut luck = Luck(Stream::named(0, "cats").substream(index).generator());
    let mut canvas = Canvas::new(side);
    let background = Background::new(&mut luck);
    canvas.fill(|point| background.at(point));
    Face::new(&mut luck).paint(&mut canvas);
    let [gain, warmth] = [luck.between(0.88, 1.1), luck.around(0.05)];
    canvas.write(
        |[red, green, blue]| [gain * red * (1.0 + warmth), gain * green, gain * blue * (1.0 - warmth)],
        pixels,
    );
}

/// Draws the cats `first`, `first + 1`, …, all of class 0.
///
/// **Errors** [`Error::InvalidArgument`] if `count` is 0, the cats do not fit into memory, or `side` is not in [`SIDES`].
///
/// ```
/// let set = equilibria::data::cats::cats(0, 2, 32)?;
/// assert_eq!((set.len(), set.images().shape()), (2, [32, 32, 3]));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn cats(first: u64, count: usize, side: usize) -> Result<Labelled> {
    if !SIDES.contains(&side) {
        let expected = format!("{} to {} pixels can be drawn", SIDES.start(), SIDES.end());
        return Err(Error::invalid(format!("cats of {side}x{side} pixels"), expected));
    }
    let size = side * side * 3;
    let mut pixels = Vec::new();
    let reserved =
        count.checked_mul(size).is_some_and(|length| count > 0 && pixels.try_reserve_exact(length).is_ok());
    if !reserved {
        let expected = format!("at least 1 is needed, and no more than fit into memory ({size} bytes each)");
        return Err(Error::invalid(format!("{count} synthetic cats"), expected));
    }
    pixels.resize(count * size, 0);
    for_each_split(count, true, Chunks(&mut pixels, size), &|index, Chunks(pixels, _)| {
        cat(first.wrapping_add(index as u64), side, pixels);
    });
    Labelled::new(Images::with_channels(side, side, 3, pixels)?, vec![0; count])
}
