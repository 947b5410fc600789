//! The background of a cat: a gradient, a wall and a floor, or things out of focus.

use super::canvas::{Colour, mix};
use super::luck::Luck;
use super::shape::{Point, length, smooth};
use rand::Rng;

/// Soft discs at most.
const BLOBS: usize = 5;

/// A background.
pub(super) struct Background {
    colours: [Colour; 2],
    /// Direction from the first to the second colour.
    direction: Point,
    /// Place of the middle along the direction, and the width of the transition.
    transition: [f32; 2],
    /// Centre, radius and colour of soft discs.
    blobs: [(Point, f32, Colour); BLOBS],
    count: usize,
}

impl Background {
    pub fn new(luck: &mut Luck<impl Rng>) -> Self {
        let kind = luck.below(3);
        let first = colour(luck);
        let second = mix(colour(luck), first, 0.3);
        let angle = match kind {
            // A wall above a floor, slightly turned.
            1 => core::f32::consts::FRAC_PI_2 + luck.around(0.3),
            _ => luck.between(0.0, core::f32::consts::TAU),
        };
        let transition = match kind {
            1 => [luck.between(-0.1, 0.6), luck.between(0.05, 0.2)],
            _ => [luck.around(0.4), luck.between(1.0, 2.2)],
        };
        let blobs = core::array::from_fn(|_| {
            let centre = [luck.between(-1.1, 1.1), luck.between(-1.1, 1.1)];
            (centre, luck.between(0.25, 0.7), mix(colour(luck), first, 0.2))
        });
        let count = if kind == 2 { 3 + luck.below(BLOBS - 2) } else { 0 };
        Self {
            colours: [first, second],
            direction: [libm::cosf(angle), libm::sinf(angle)],
            transition,
            blobs,
            count,
        }
    }

    /// The colour at a point of the image.
    pub fn at(&self, [x, y]: Point) -> Colour {
        let along = self.direction[0] * x + self.direction[1] * y;
        let [middle, width] = self.transition;
        let mut colour = mix(self.colours[0], self.colours[1], smooth(-width, width, along - middle));
        for &(centre, radius, blob) in &self.blobs[..self.count] {
            let distance = length([x - centre[0], y - centre[1]]);
            colour = mix(colour, blob, 0.8 * smooth(1.3 * radius, 0.5 * radius, distance));
        }
        colour
    }
}

/// A colour of rooms and gardens: mostly pale or muted, seldom vivid.
fn colour(luck: &mut Luck<impl Rng>) -> Colour {
    let hue = 6.0 * luck.uniform();
    let saturation = 0.08 + 0.5 * luck.uniform() * luck.uniform();
    let value = luck.between(0.22, 0.92);
    // Red, green and blue are the same function of the hue, a third of the circle apart.
    [5.0_f32, 3.0, 1.0].map(|shift| {
        let place = shift + hue;
        let place = if place >= 6.0 { place - 6.0 } else { place };
        value * (1.0 - saturation * place.min(4.0 - place).clamp(0.0, 1.0))
    })
}
