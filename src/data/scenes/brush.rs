//! The tools of the painter: textures, ribbons, leaves, and layers over layers.

use super::super::cats::canvas::{Colour, mix};
use super::super::cats::luck::{Luck, Noise};
use super::super::cats::shape::{Point, length};
use alloc::vec::Vec;
use rand::Rng;

/// Red, green and blue from 0xRRGGBB.
pub(super) const fn rgb(code: u32) -> Colour {
    [(code >> 16) as f32 / 255.0, (code >> 8 & 255) as f32 / 255.0, (code & 255) as f32 / 255.0]
}

/// The share of a point that a shape covers, from its signed distance to the edge: blurred over half a pixel.
pub(super) fn cover(distance: f32) -> f32 {
    (0.5 - 640.0 * distance).clamp(0.0, 1.0)
}

/// Lays `paint` over a colour.
pub(super) fn over(under: &mut Colour, paint: Colour, cover: f32) {
    if cover > 0.0 {
        *under = mix(*under, paint, cover.min(1.0));
    }
}

/// Steps after which a noise repeats.
const STEPS: usize = 32;

/// A number of smooth noises, each of half the step and half the weight of the one before.
pub(super) struct Texture<const OCTAVES: usize>([Noise<STEPS>; OCTAVES]);

impl<const OCTAVES: usize> Texture<OCTAVES> {
    pub fn new(luck: &mut Luck<impl Rng>) -> Self {
        Self(core::array::from_fn(|_| Noise::new(luck)))
    }

    /// The texture at a point, from about -1 to 1; its largest features have the size 1.
    pub fn at(&self, [mut x, mut y]: Point) -> f32 {
        let (mut sum, mut weight) = (0.0, 0.6);
        // The noise repeats, and is only for places that are not far from the origin.
        let near = |x: f32| x - STEPS as f32 * libm::floorf(x / STEPS as f32);
        for noise in &self.0 {
            sum += weight * noise.at([near(x), near(y)]);
            weight *= 0.5;
            // Twice as fine, and turned, so that the lattices are not seen.
            (x, y) = (1.6 * x + 1.2 * y + 3.7, 1.6 * y - 1.2 * x + 1.3);
        }
        sum
    }
}

/// A place of a ribbon.
pub(super) struct Place {
    /// Signed distance to the edge.
    pub edge: f32,
    /// From 0 at its start to 1 at its end.
    pub along: f32,
    /// From -1 at its left side to 1 at its right side, seen from its start.
    pub across: f32,
}

/// A band along a curve, with a width that changes.
pub(super) struct Ribbon {
    /// Points of the middle line with half the width.
    nodes: Vec<(Point, f32)>,
    /// The corners of the rectangle that has the band.
    corners: [Point; 2],
}

impl Ribbon {
    /// The band along the quadratic Bézier curve of three points; `radius` is half the width from start (0) to end (1).
    pub fn new([from, over, to]: [Point; 3], radius: impl Fn(f32) -> f32) -> Self {
        const PIECES: usize = 14;
        let node = |index: usize| {
            let t = index as f32 / PIECES as f32;
            let weights = [(1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t];
            let point = core::array::from_fn(|axis| {
                weights[0] * from[axis] + weights[1] * over[axis] + weights[2] * to[axis]
            });
            (point, radius(t))
        };
        let nodes: Vec<(Point, f32)> = (0..=PIECES).map(node).collect();
        let mut corners = [[f32::INFINITY; 2], [f32::NEG_INFINITY; 2]];
        for (point, radius) in &nodes {
            for axis in 0..2 {
                corners[0][axis] = corners[0][axis].min(point[axis] - radius - 0.01);
                corners[1][axis] = corners[1][axis].max(point[axis] + radius + 0.01);
            }
        }
        Self { nodes, corners }
    }

    /// The place of a point on the ribbon. `None` if it is far outside.
    pub fn at(&self, point: Point) -> Option<Place> {
        let [low, high] = self.corners;
        if (0..2).any(|axis| point[axis] < low[axis] || point[axis] > high[axis]) {
            return None;
        }
        let mut best = Place { edge: f32::INFINITY, along: 0.0, across: 0.0 };
        let pieces = (self.nodes.len() - 1) as f32;
        for (index, pair) in self.nodes.windows(2).enumerate() {
            let ((from, thick), (to, thin)) = (pair[0], pair[1]);
            let way = [to[0] - from[0], to[1] - from[1]];
            let off = [point[0] - from[0], point[1] - from[1]];
            let square = way[0] * way[0] + way[1] * way[1];
            let share = ((off[0] * way[0] + off[1] * way[1]) / square).clamp(0.0, 1.0);
            let radius = thick + share * (thin - thick);
            let edge = length([off[0] - share * way[0], off[1] - share * way[1]]) - radius;
            if edge < best.edge {
                let side = (way[0] * off[1] - way[1] * off[0]) / libm::sqrtf(square);
                let along = (index as f32 + share) / pieces;
                best = Place { edge, along, across: (side / radius.max(1e-4)).clamp(-1.0, 1.0) };
            }
        }
        Some(best)
    }
}

/// Half the width of a leaf along its length: round at the stem, pointed at the tip.
pub(super) fn leaf_width(along: f32) -> f32 {
    1.75 * libm::sqrtf(along.max(0.0)) * (1.0 - along).max(0.0) * (1.0 + 0.6 * along)
}

/// A wave from 0 to 1 with a pointed top: the distance to the nearest whole number, doubled.
pub(super) fn wave(x: f32) -> f32 {
    let off = x - libm::floorf(x);
    2.0 * off.min(1.0 - off)
}
