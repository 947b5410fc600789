//! The cube of colours that a table covers.

use super::lut::ColourLut;
use equilibria_kernels::array;

/// A cube of encoded colours with a lattice of `size` nodes along each axis. It reaches `margin` beyond black and white.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Domain {
    pub size: usize,
    pub margin: f32,
}

/// Colours that a display shows.
pub(super) const DISPLAYED: Domain = Domain { size: 33, margin: 0.0 };
/// These and the colours just outside, to which a filter may move bright and dark details. The nodes are as dense.
pub(super) const WIDE: Domain = Domain { size: 49, margin: 0.25 };

impl Domain {
    /// The place of an encoded value, from 0 to 1 along the axis of the cube.
    #[inline]
    pub fn place(self, value: f32) -> f32 {
        (value + self.margin) / (1.0 + 2.0 * self.margin)
    }

    /// The encoded value at a place, the inverse of [`Domain::place`].
    pub fn value(self, place: f32) -> f32 {
        place * (1.0 + 2.0 * self.margin) - self.margin
    }

    /// The value of a table over this cube.
    #[inline]
    pub fn at(self, table: &ColourLut, colour: [f32; 3]) -> [f32; 3] {
        table.at(array(|i| self.place(colour[i])))
    }
}
