//! Synthetic handwritten digits: pen strokes with random distortions, drawn anti-aliased into 28x28 pixels.
//!
//! A digit starts as a skeleton, the points of the pen's path in one of several ways to write it. Then
//!
//! 1. every point is shifted at random, and the frame is tapered, slanted, squeezed and rotated;
//! 2. the result is scaled so that its longer side is about 20 pixels, and moved so that its centre of mass is near the
//!    centre of the image, as in MNIST;
//! 3. a smooth curve (Catmull-Rom, one-sided at corners) through the points is cut into segments;
//! 4. each pixel gets ink from 0 to 1, according to how far its centre is inside the stroke, within one pixel of the
//!    edge.
//!
//! The same index gives the same image on every machine: the code uses only f32 additions, multiplications, divisions
//! and square roots, whose rounding IEEE 754 defines, and `libm` for the sine and cosine.
//!
//! **Randomness** Digit i depends only on `Stream::named(0, "synthetic").substream(i)`.

use alloc::format;
use alloc::vec::Vec;

use rand::Rng;

use super::{Images, Labelled};
use crate::rng::Stream;
use crate::{Error, Result};

mod skeletons;

use skeletons::{GLYPHS, Point};

/// Number of rows and of columns of a digit.
pub const SIDE: usize = 28;
/// Number of pixels of a digit.
pub const PIXELS: usize = SIDE * SIDE;
/// The index of the first test digit; training digits start at 0.
pub const FIRST_TEST: u64 = 1_000_000_000_000;

/// Segments between two points of a skeleton.
const CUTS: usize = 4;
/// Capacity for the segments of the longest skeleton.
const SEGMENTS: usize = 64;
/// Width of the empty border of the image, in pixels.
const MARGIN: f32 = 1.0;

/// Draws digit `index` and returns its label.
///
/// The label is `index % 10`, so ten successive digits have ten different classes.
///
/// **Shapes** `pixels` ([`PIXELS`]), row-major.
///
/// **Panics** if `pixels` has a different length.
///
/// **Accuracy and cost** About 10 µs; no allocation.
///
/// ```
/// use equilibria::data::synthetic;
/// let mut pixels = [0; synthetic::PIXELS];
/// assert_eq!(synthetic::digit(1234, &mut pixels), 4);
/// ```
#[track_caller]
pub fn digit(index: u64, pixels: &mut [u8]) -> u8 {
    assert!(pixels.len() == PIXELS, "a digit has {PIXELS} pixels, but the slice has {}", pixels.len());
    let label = index % 10;
    let mut hand = Hand(Stream::named(0, "synthetic").substream(index).generator());
    let mut pen = Pen::new();
    write(label as usize, &mut hand, &mut pen);
    pen.place(&mut hand);
    pen.draw(pixels);
    label as u8
}

/// Draws the digits `first`, `first + 1`, … with their labels.
///
/// **Errors** [`Error::InvalidArgument`] if `count` is 0 or the digits do not fit into memory.
///
/// ```
/// use equilibria::data::synthetic::digits;
/// let set = digits(0, 20)?;
/// assert_eq!((set.len(), set.images().shape()), (20, [28, 28, 1]));
/// assert_eq!(digits(5, 1)?.images().image(0), set.images().image(5), "an index is an image");
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn digits(first: u64, count: usize) -> Result<Labelled> {
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    let reserved = count.checked_mul(PIXELS).is_some_and(|size| {
        count > 0 && pixels.try_reserve_exact(size).is_ok() && labels.try_reserve_exact(count).is_ok()
    });
    if !reserved {
        let expected = "at least 1 is needed, and no more than fit into memory (784 bytes each)";
        return Err(Error::invalid(format!("{count} synthetic digits"), expected));
    }
    pixels.resize(count * PIXELS, 0);
    labels.extend(
        pixels.chunks_exact_mut(PIXELS).zip(0..).map(|(pixels, at)| digit(first.wrapping_add(at), pixels)),
    );
    Labelled::new(Images::new(SIDE, SIDE, pixels)?, labels)
}

/// The random variations of a handwriting.
struct Hand<R>(R);

impl<R: Rng> Hand<R> {
    /// Uniform in [0, 1), a multiple of 2⁻²⁴.
    fn uniform(&mut self) -> f32 {
        (self.0.next_u64() >> 40) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in the range from `low` to `high`.
    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// Triangular distribution around 0, with magnitude at most `reach`.
    fn around(&mut self, reach: f32) -> f32 {
        reach * (self.uniform() + self.uniform() - 1.0)
    }

    /// Uniform in 0 to `count` - 1.
    fn below(&mut self, count: usize) -> usize {
        (self.uniform() * count as f32) as usize
    }
}

/// A straight piece of a stroke.
#[derive(Clone, Copy)]
struct Segment {
    from: [f32; 2],
    to: [f32; 2],
}

/// The segments of one digit.
struct Pen {
    segments: [Segment; SEGMENTS],
    count: usize,
    /// Half the width of the stroke, in pixels.
    radius: f32,
}

/// Adds the distorted strokes of a digit to the pen, in the units of the skeleton.
fn write(label: usize, hand: &mut Hand<impl Rng>, pen: &mut Pen) {
    let ways = GLYPHS[label];
    let glyph = ways[hand.below(ways.len())];
    let turn = hand.around(0.18);
    let (sine, cosine) = (libm::sinf(turn), libm::cosf(turn));
    let slant = 0.10 + hand.around(0.34);
    let squeeze = hand.between(0.85, 1.32);
    let taper = hand.around(0.35);
    let waist = hand.around(0.30);
    let wobble = hand.between(0.02, 0.065);
    for stroke in glyph {
        let mut points = [Point { x: 0.0, y: 0.0, corner: false }; 16];
        let points = &mut points[..stroke.len()];
        for (point, &Point { x, y, corner }) in points.iter_mut().zip(*stroke) {
            let (x, y) = (x - 0.3 + hand.around(wobble), y + hand.around(wobble));
            // Taper, shift of the waist, slant and squeeze; then the rotation.
            let x = x * (1.0 + taper * (y - 0.5));
            let y = y + waist * y * (1.0 - y);
            let x = (x + slant * (0.5 - y)) * squeeze;
            *point = Point { x: cosine * x - sine * y, y: sine * x + cosine * y, corner };
        }
        pen.stroke(points);
    }
}

impl Pen {
    fn new() -> Self {
        Self { segments: [Segment { from: [0.0; 2], to: [0.0; 2] }; SEGMENTS], count: 0, radius: 0.0 }
    }

    /// Adds a smooth curve through `points`.
    fn stroke(&mut self, points: &[Point]) {
        for (at, pair) in points.windows(2).enumerate() {
            let (start, end) = (pair[0], pair[1]);
            // Tangents: half the difference of the neighbours, or the difference of this segment at an end or corner.
            let before = if at == 0 || start.corner { None } else { points.get(at - 1) };
            let after = if end.corner { None } else { points.get(at + 2) };
            let tangent = |axis: fn(&Point) -> f32| {
                let own = axis(&end) - axis(&start);
                let leaving = before.map_or(own, |point| 0.5 * (axis(&end) - axis(point)));
                let arriving = after.map_or(own, |point| 0.5 * (axis(point) - axis(&start)));
                (leaving, arriving)
            };
            let (x, y) = (tangent(|point| point.x), tangent(|point| point.y));
            let mut from = [start.x, start.y];
            for cut in 1..=CUTS {
                let time = cut as f32 / CUTS as f32;
                let to = [hermite(start.x, x, end.x, time), hermite(start.y, y, end.y, time)];
                self.segments[self.count] = Segment { from, to };
                self.count += 1;
                from = to;
            }
        }
    }

    /// Scales and moves the digit to its position in the image, and chooses the pen's radius.
    fn place(&mut self, hand: &mut Hand<impl Rng>) {
        self.radius = hand.between(0.85, 1.55);
        let size = hand.between(18.0, 20.5) - 2.0 * self.radius + 1.0;
        let shift = [hand.around(1.2), hand.around(1.2)];
        let (low, high) = self.extent();
        let scale = size / (high[0] - low[0]).max(high[1] - low[1]);
        let mass = self.centre_of_mass();
        let reach = self.radius + 0.5;
        let offset: [f32; 2] = core::array::from_fn(|axis| {
            let centred = SIDE as f32 / 2.0 + shift[axis] - scale * mass[axis];
            let least = MARGIN + reach - scale * low[axis];
            let most = SIDE as f32 - MARGIN - reach - scale * high[axis];
            centred.max(least).min(most)
        });
        let placed = |[x, y]: [f32; 2]| [scale * x + offset[0], scale * y + offset[1]];
        for segment in &mut self.segments[..self.count] {
            *segment = Segment { from: placed(segment.from), to: placed(segment.to) };
        }
    }

    /// The smallest and the largest coordinates of the strokes.
    fn extent(&self) -> ([f32; 2], [f32; 2]) {
        let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        for end in self.segments[..self.count].iter().flat_map(|segment| [segment.from, segment.to]) {
            for axis in 0..2 {
                low[axis] = low[axis].min(end[axis]);
                high[axis] = high[axis].max(end[axis]);
            }
        }
        (low, high)
    }

    /// The centre of mass of the strokes, as lines without width.
    fn centre_of_mass(&self) -> [f32; 2] {
        let (mut sum, mut total) = ([0.0; 2], 0.0);
        for Segment { from, to } in &self.segments[..self.count] {
            let (x, y) = (to[0] - from[0], to[1] - from[1]);
            let length = libm::sqrtf(x * x + y * y);
            total += length;
            for axis in 0..2 {
                sum[axis] += 0.5 * length * (from[axis] + to[axis]);
            }
        }
        [sum[0] / total, sum[1] / total]
    }

    /// Draws into `pixels`: ink falls from full to none within half a pixel on either side of the stroke's edge.
    fn draw(&self, pixels: &mut [u8]) {
        let reach = self.radius + 0.5;
        let mut nearest = [reach * reach; PIXELS];
        for segment in &self.segments[..self.count] {
            segment.lower(&mut nearest, reach);
        }
        for (pixel, &square) in pixels.iter_mut().zip(&nearest) {
            *pixel = if square < reach * reach {
                // Adding 0.5 before truncation rounds to the nearest integer.
                ((reach - libm::sqrtf(square)).min(1.0) * 255.0 + 0.5) as u8
            } else {
                0
            };
        }
    }
}

impl Segment {
    /// Lowers each entry of `nearest` (squared distance of a pixel's centre to the strokes) to the distance to this
    /// segment, if that is smaller.
    fn lower(&self, nearest: &mut [f32; PIXELS], reach: f32) {
        let Self { from, to } = *self;
        let way = [to[0] - from[0], to[1] - from[1]];
        let inverse = 1.0 / (way[0] * way[0] + way[1] * way[1]).max(1e-12);
        // The pixels whose centres may be within reach; casting a negative number to usize gives 0.
        let span = |axis: usize| {
            let (low, high) = (from[axis].min(to[axis]) - reach, from[axis].max(to[axis]) + reach);
            (low as usize)..((high + 1.0) as usize).min(SIDE)
        };
        for row in span(1) {
            let y = row as f32 + 0.5 - from[1];
            for column in span(0) {
                let x = column as f32 + 0.5 - from[0];
                let along = ((x * way[0] + y * way[1]) * inverse).clamp(0.0, 1.0);
                let (x, y) = (x - along * way[0], y - along * way[1]);
                let place = &mut nearest[row * SIDE + column];
                *place = place.min(x * x + y * y);
            }
        }
    }
}

/// The cubic from `start` to `end` with the given tangents at both ends, at `time` from 0 to 1.
fn hermite(start: f32, (leaving, arriving): (f32, f32), end: f32, time: f32) -> f32 {
    let square = time * time;
    let cube = square * time;
    start
        + leaving * (cube - 2.0 * square + time)
        + arriving * (cube - square)
        + (end - start) * (3.0 * square - 2.0 * cube)
}

#[cfg(test)]
mod tests;
