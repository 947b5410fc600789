//! Look-up tables of colours.
//!
//! A table holds a colour for each node of a regular lattice in the cube of encoded colours. Between nodes, each cube of the
//! lattice is cut into six tetrahedra that share its grey diagonal. The map is affine in each of them. So a colour needs 4
//! nodes rather than 8, and greys stay grey where the nodes of the diagonal are.

use super::image::ColourImage;
use crate::parallel::{Chunks, for_each_split};
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;
use equilibria_kernels::array;

/// The largest number of nodes along an axis.
const MOST: usize = 256;

/// Pixels of a task.
const TASK: usize = 1 << 14;

/// A look-up table from sRGB-encoded colours to sRGB-encoded colours.
///
/// ```
/// use equilibria::transport::colour::ColourLut;
/// let inverted = ColourLut::from_fn(2, |colour| colour.map(|x| 1.0 - x))?;
/// let [r, g, b] = inverted.at([0.25, 0.5, 1.0]);
/// assert!((r - 0.75).abs() < 1e-6 && (g - 0.5).abs() < 1e-6 && b.abs() < 1e-6);
/// let text = inverted.to_cube("inverted");
/// assert_eq!(ColourLut::from_cube(&text)?, inverted);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ColourLut {
    size: usize,
    /// (blue, green, red), as in a `.cube` file: red varies fastest.
    values: Vec<[f32; 3]>,
}

impl ColourLut {
    /// Creates a table from the colours of its nodes, red varying fastest, then green, then blue.
    ///
    /// **Errors** [`Error::InvalidArgument`] for fewer than 2 or more than 256 nodes along an axis, another number of colours than
    /// the cube of `size`, or a value that is not finite.
    pub fn new(size: usize, values: Vec<[f32; 3]>) -> Result<Self> {
        if !(2..=MOST).contains(&size) || values.len() != size * size * size {
            let given = format!("a look-up table of size {size} with {} colours", values.len());
            return Err(Error::invalid(given, "a size from 2 to 256 and its cube of colours are needed"));
        }
        if let Some(wrong) = values.iter().position(|colour| !colour.iter().all(|x| x.is_finite())) {
            let given = format!("colour {wrong} of a look-up table, {:?}", values[wrong]);
            return Err(Error::invalid(given, "three finite numbers are needed"));
        }
        Ok(Self { size, values })
    }

    /// Creates a table by calling `map` for the colour of each node.
    ///
    /// **Errors** As [`ColourLut::new`].
    pub fn from_fn(size: usize, map: impl FnMut([f32; 3]) -> [f32; 3]) -> Result<Self> {
        let nodes = if (2..=MOST).contains(&size) { size * size * size } else { 0 };
        Self::new(size, (0..nodes).map(|node| Self::node(size, node)).map(map).collect())
    }

    /// The encoded colour of a node.
    pub(super) fn node(size: usize, node: usize) -> [f32; 3] {
        [node % size, node / size % size, node / size / size].map(|x| x as f32 / (size - 1) as f32)
    }

    /// The number of nodes along each axis.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The colours of the nodes, red varying fastest, then green, then blue.
    pub fn values(&self) -> &[[f32; 3]] {
        &self.values
    }

    /// The value for a colour, by tetrahedral interpolation. Values outside 0 to 1 count as the nearest end.
    #[inline]
    pub fn at(&self, colour: [f32; 3]) -> [f32; 3] {
        let last = (self.size - 1) as f32;
        // NaN counts as 0: `max` returns the other operand.
        let scaled: [f32; 3] = array(|i| (colour[i] * last).max(0.0).min(last));
        let cell: [usize; 3] = array(|i| (scaled[i] as usize).min(self.size - 2));
        let [r, g, b]: [f32; 3] = array(|i| scaled[i] - cell[i] as f32);
        let (red, green, blue) = (1, self.size, self.size * self.size);
        let first = cell[0] + green * cell[1] + blue * cell[2];
        // From the first corner to the last along the axes in falling order of the fractions.
        let (steps, [x, y, z]) = if r >= g {
            if g >= b {
                ([red, green], [r, g, b])
            } else if r >= b {
                ([red, blue], [r, b, g])
            } else {
                ([blue, red], [b, r, g])
            }
        } else if r >= b {
            ([green, red], [g, r, b])
        } else if g >= b {
            ([green, blue], [g, b, r])
        } else {
            ([blue, green], [b, g, r])
        };
        let corner = |offset: usize| &self.values[first + offset];
        let (a, p, q, d) =
            (corner(0), corner(steps[0]), corner(steps[0] + steps[1]), corner(red + green + blue));
        let weights = [1.0 - x, x - y, y - z, z];
        array(|i| weights[0] * a[i] + weights[1] * p[i] + weights[2] * q[i] + weights[3] * d[i])
    }

    /// Replaces colours, three values each.
    pub(super) fn move_all(&self, values: &mut [f32]) {
        for pixel in values.chunks_exact_mut(3) {
            pixel.copy_from_slice(&self.at([pixel[0], pixel[1], pixel[2]]));
        }
    }

    /// Replaces the colour of every pixel. Values outside 0 to 1 are clipped.
    ///
    /// **Accuracy and cost** About 10 ns a pixel. The result does not depend on the number of threads.
    pub fn apply(&self, image: &ColourImage) -> ColourImage {
        let mut values = image.values().to_vec();
        let tasks = image.pixels().div_ceil(TASK);
        for_each_split(tasks, true, Chunks(&mut values, 3 * TASK), &|_, pixels| {
            self.move_all(pixels.0);
            pixels.0.iter_mut().for_each(|x| *x = x.clamp(0.0, 1.0));
        });
        image.with_values(values)
    }
}
