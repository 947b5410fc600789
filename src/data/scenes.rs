//! Two painted scenes: a seaside at noon, and a parrot in a jungle.
//!
//! They are a pair for colour transfer that needs no file: one is blue, turquoise and sand, the other green, red and yellow.
//! A scene is a function from the points of the plane to colours. Layers of shapes with signed distances d to their edges
//! are laid over each other, and smooth noise of several octaves gives them their texture:
//!
//! ```text
//! texture(p) = Σ 2^-k noise_k(2^k R^k p), with a rotation R        colour = colour + cover(d) (paint - colour)
//! ```
//!
//! A pixel is the mean of 2 by 2 points. The same scene has the same bytes on every machine: as for [`cats`](super::cats),
//! only operations that IEEE 754 rounds, and `libm`.
//!
//! **Randomness** Each scene depends only on its own named stream of seed 0.

mod brush;
mod jungle;
mod parrot;
mod seaside;

use super::cats::canvas::Colour;
use super::cats::shape::Point;
use crate::parallel::{Chunks, for_each_split};
use alloc::vec;
use alloc::vec::Vec;

/// Rows and columns of a scene.
pub const SIZE: [usize; 2] = [320, 480];

/// A painted scene.
///
/// ```no_run
/// use equilibria::data::scenes::Scene;
/// assert_ne!(Scene::Seaside.paint(), Scene::Jungle.paint());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// A beach with a palm, a parasol and a sail, under clouds at noon.
    Seaside,
    /// A scarlet macaw on a branch, in front of leaves.
    Jungle,
}

impl Scene {
    /// Paints the scene as red, green and blue in sRGB.
    ///
    /// **Shapes** (320, 480, 3), row-major; see [`SIZE`].
    ///
    /// **Accuracy and cost** About half a second on one core.
    ///
    /// ```no_run
    /// use equilibria::data::scenes::Scene;
    /// assert_eq!(Scene::Jungle.paint().len(), 320 * 480 * 3);
    /// ```
    pub fn paint(self) -> Vec<u8> {
        match self {
            Self::Seaside => {
                let scene = seaside::Seaside::new();
                paint(&|point| scene.at(point))
            }
            Self::Jungle => {
                let scene = jungle::Jungle::new();
                paint(&|point| scene.at(point))
            }
        }
    }
}

/// Paints a function of points: the height is 1, the width 1.5, and y points down.
fn paint(colour: &(dyn Fn(Point) -> Colour + Sync)) -> Vec<u8> {
    let [rows, columns] = SIZE;
    let mut bytes = vec![0; rows * columns * 3];
    for_each_split(rows, true, Chunks(&mut bytes, columns * 3), &|row, Chunks(bytes, _)| {
        for (column, pixel) in bytes.chunks_exact_mut(3).enumerate() {
            let mut sum = [0.0; 3];
            for (right, down) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                let point = [column as f32 + right, row as f32 + down].map(|place| place / rows as f32);
                sum.iter_mut().zip(colour(point)).for_each(|(sum, part)| *sum += part.clamp(0.0, 1.0));
            }
            // Adding 0.5 before truncation rounds to the nearest integer.
            pixel.iter_mut().zip(sum).for_each(|(byte, sum)| *byte = (sum * (255.0 / 4.0) + 0.5) as u8);
        }
    });
    bytes
}
