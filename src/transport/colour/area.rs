//! The part of an image that is content, and loops over its pixels.
//!
//! A photograph may have a white or black frame, or black bars. Its colour has a large mass, but it is not a colour of the scene.
//! A frame here is: whole rows at the top and at the bottom, or whole columns at the left and at the right, of one extreme
//! colour. Such pixels are not counted, and they do not change.

use super::image::ColourImage;
use crate::parallel::{Chunks, for_each_split};
use alloc::vec::Vec;
use core::ops::Range;

/// Values within this of an end count as black or white: two steps of 8 bits, which JPEG adds.
const NEARLY: f32 = 2.5 / 255.0;

/// Pixels of a part of a sum, at most [`MOST_PARTS`] parts.
const PART: usize = 1 << 20;
const MOST_PARTS: usize = 4;

/// A rectangle of pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Area {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl Area {
    /// All pixels.
    pub fn whole(image: &ColourImage) -> Self {
        Self { rows: 0..image.height(), columns: 0..image.width() }
    }

    /// The pixels inside a white or black frame or between bars; all pixels if there is none, or nothing is inside.
    pub fn content(image: &ColourImage) -> Self {
        [0.0, 1.0].into_iter().fold(Self::whole(image), |area, end| area.inside(image, end))
    }

    fn inside(self, image: &ColourImage, end: f32) -> Self {
        let width = image.width();
        let is_end = |row: usize, column: usize| {
            image.values()[3 * (row * width + column)..][..3].iter().all(|x| (x - end).abs() <= NEARLY)
        };
        let row_is = |row: usize| self.columns.clone().all(|column| is_end(row, column));
        let rows = trimmed(self.rows.clone(), row_is);
        let column_is = |column: usize| rows.clone().all(|row| is_end(row, column));
        let columns = trimmed(self.columns.clone(), column_is);
        if rows.is_empty() || columns.is_empty() { self } else { Self { rows, columns } }
    }

    pub fn pixels(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// Accumulates all pixels of the area: `add(sum, index of the pixel, colour)`. The parts of the sum, from top to bottom,
    /// depend on the shape alone.
    pub fn fold<A: Send>(
        &self,
        image: &ColourImage,
        zero: impl Fn() -> A,
        add: impl Fn(&mut A, usize, [f32; 3]) + Sync,
    ) -> Vec<A> {
        let count = (self.pixels() / PART).clamp(1, MOST_PARTS).min(self.rows.len());
        let mut parts: Vec<A> = (0..count).map(|_| zero()).collect();
        for_each_split(count, true, Chunks(&mut parts, 1), &|part, sum| {
            let at = |part: usize| self.rows.start + self.rows.len() * part / count;
            for row in at(part)..at(part + 1) {
                for column in self.columns.clone() {
                    let index = row * image.width() + column;
                    let at = &image.values()[3 * index..][..3];
                    add(&mut sum.0[0], index, [at[0], at[1], at[2]]);
                }
            }
        });
        parts
    }
}

/// The range without the places at both ends for which `is_frame` holds; all of it unless both ends have such places.
fn trimmed(range: Range<usize>, is_frame: impl Fn(usize) -> bool) -> Range<usize> {
    let start = range.clone().find(|&at| !is_frame(at)).unwrap_or(range.end);
    let end = range.clone().rev().find(|&at| !is_frame(at)).map_or(range.start, |at| at + 1);
    if start > range.start && end < range.end { start..end } else { range }
}
