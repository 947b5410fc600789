//! Random choices, and smooth noise in the plane.

use super::shape::Point;
use rand::Rng;

/// The random choices of one image.
pub(in crate::data) struct Luck<R>(pub R);

impl<R: Rng> Luck<R> {
    /// Uniform in [0, 1), a multiple of 2⁻²⁴.
    pub fn uniform(&mut self) -> f32 {
        (self.0.next_u64() >> 40) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in the range from `low` to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// Triangular distribution around 0, with magnitude at most `reach`.
    pub fn around(&mut self, reach: f32) -> f32 {
        reach * (self.uniform() + self.uniform() - 1.0)
    }

    /// Uniform in 0 to `count` - 1.
    pub fn below(&mut self, count: usize) -> usize {
        (self.uniform() * count as f32) as usize
    }
}

/// Smooth noise: random values from -1 to 1 on a lattice of step 1, interpolated.
///
/// The lattice has `LATTICE` points along each axis, a power of 2; the noise repeats after this distance.
pub(in crate::data) struct Noise<const LATTICE: usize = 8>([[f32; LATTICE]; LATTICE]);

impl<const LATTICE: usize> Noise<LATTICE> {
    pub fn new(luck: &mut Luck<impl Rng>) -> Self {
        Self(core::array::from_fn(|_| core::array::from_fn(|_| luck.between(-1.0, 1.0))))
    }

    /// The noise at a point.
    pub fn at(&self, [x, y]: Point) -> f32 {
        // The shift keeps coordinates above 0, where the cast rounds down.
        let (x, y) = (x + 1024.0, y + 1024.0);
        let (column, row) = (x as usize, y as usize);
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (right, down) = (ease(x - column as f32), ease(y - row as f32));
        let value = |row: usize, column: usize| self.0[row % LATTICE][column % LATTICE];
        let line = |row| value(row, column) + right * (value(row, column + 1) - value(row, column));
        line(row) + down * (line(row + 1) - line(row))
    }
}
