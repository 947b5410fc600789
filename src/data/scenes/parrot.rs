//! A scarlet macaw: tail, feet, body, wing and head, from the back to the front.

use super::super::cats::canvas::{Colour, mix, scaled};
use super::super::cats::shape::{Point, ellipse, length, smooth, stroke, union};
use super::brush::{Place, Ribbon, Texture, cover, over, rgb, wave};
use alloc::vec::Vec;

const RED: Colour = rgb(0xd3201f);
const DARK_RED: Colour = rgb(0x7c0f1a);
const YELLOW: Colour = rgb(0xf4bf26);
const GREEN: Colour = rgb(0x3f8f3a);
const BLUE: Colour = rgb(0x1f55c4);
const DARK_BLUE: Colour = rgb(0x14235f);

/// The centres of body, head and eye.
const BODY: Point = [0.775, 0.475];
const HEAD: Point = [0.868, 0.225];
const EYE: Point = [0.897, 0.205];
/// The axis of the wing, from the shoulder to the tip.
const SHOULDER: Point = [0.8, 0.345];
const WING_TIP: Point = [0.605, 0.865];

pub(super) struct Parrot {
    tail: Vec<(Ribbon, Colour, Colour)>,
    toes: Vec<Ribbon>,
    beak: Ribbon,
    lower_beak: Ribbon,
}

/// A feather of a coat of feathers: its centre, and the place of the point on it.
struct Feather {
    centre: Point,
    /// From 0 at its root to 1 at its end.
    along: f32,
    /// From -1 to 1.
    across: f32,
    /// From 0 at the rim to 1.
    inside: f32,
}

/// The feather at a place (along, across) of a coat whose feathers are `size` long and `wide` wide. Rows that are nearer to
/// the root lie above the others.
fn feather([along, across]: Point, size: f32, wide: f32) -> Feather {
    let row = libm::floorf(along / size);
    for row in [row - 1.0, row] {
        let shift = if (row as i32).rem_euclid(2) == 0 { 0.0 } else { 0.5 };
        let column = libm::floorf(across / wide + shift + 0.5) - shift;
        let centre = [row * size, column * wide];
        let [u, v] = [(along - centre[0]) / (1.75 * size), (across - centre[1]) / (0.56 * wide)];
        // A straight shaft with a round end.
        let rim = if u < 0.6 { v.abs() } else { length([(u - 0.6) / 0.4, v]) };
        if rim < 1.0 && u < 1.0 {
            return Feather { centre, along: u, across: v, inside: 1.0 - rim };
        }
    }
    Feather { centre: [row * size, across], along: 0.1, across: 0.0, inside: 0.5 }
}

impl Parrot {
    pub fn new() -> Self {
        let root = [0.7, 0.62];
        let feather = |(to, bend, radius, inner, outer): (Point, f32, f32, Colour, Colour)| {
            let middle = [0.5 * (root[0] + to[0]) + bend, 0.5 * (root[1] + to[1])];
            let shape = move |t: f32| radius * (0.55 + 0.9 * t) * libm::sqrtf((1.0 - t * t * t * t).max(0.0));
            (Ribbon::new([root, middle, to], shape), inner, outer)
        };
        let tail = [
            ([0.43, 0.99], -0.01, 0.021, BLUE, DARK_BLUE),
            ([0.60, 1.06], 0.01, 0.021, BLUE, DARK_BLUE),
            ([0.46, 1.06], -0.005, 0.023, RED, BLUE),
            ([0.56, 1.1], 0.005, 0.023, RED, BLUE),
            ([0.51, 1.14], 0.0, 0.026, RED, DARK_RED),
        ];
        let toe = |[x, y]: Point| {
            Ribbon::new([[x, y - 0.045], [x + 0.008, y - 0.018], [x + 0.012, y + 0.03]], |t| {
                0.015 - 0.006 * t
            })
        };
        Self {
            tail: tail.into_iter().map(feather).collect(),
            toes: [[0.745, 0.715], [0.772, 0.712], [0.81, 0.705], [0.835, 0.702]]
                .into_iter()
                .map(toe)
                .collect(),
            beak: Ribbon::new([[0.952, 0.222], [1.055, 0.196], [1.012, 0.338]], |t| {
                0.042 * libm::powf(1.0 - t, 0.7) + 0.003
            }),
            lower_beak: Ribbon::new([[0.938, 0.276], [0.972, 0.306], [0.992, 0.284]], |t| 0.025 - 0.014 * t),
        }
    }

    /// Paints the tail, which is behind the branch.
    pub fn tail(&self, colour: &mut Colour, point: Point) {
        for (feather, inner, outer) in &self.tail {
            let Some(Place { edge, along, across }) = feather.at(point) else { continue };
            let barbs = 0.93 + 0.12 * wave(60.0 * along - 2.0 * across.abs());
            let paint = mix(*inner, *outer, smooth(0.35, 0.9, across.abs()));
            let light = barbs * (0.72 + 0.3 * smooth(0.9, -0.9, across)) * (0.85 + 0.25 * along);
            over(colour, scaled(paint, light), cover(edge));
            over(colour, rgb(0x2a0a14), 0.6 * cover(across.abs() * 0.03 - 0.0016) * cover(edge));
        }
    }

    /// Paints the bird without its tail.
    pub fn paint(&self, colour: &mut Colour, point: Point, grain: &Texture<5>) {
        if (0..2).any(|axis| point[axis] < [0.5, 0.05][axis] || point[axis] > [1.1, 0.95][axis]) {
            return;
        }
        self.body(colour, point, grain);
        for toe in &self.toes {
            let Some(Place { edge, along, across }) = toe.at(point) else { continue };
            let ring = 0.8 + 0.25 * wave(9.0 * along);
            over(colour, scaled(rgb(0x6a6468), ring * (0.95 - 0.4 * across)), cover(edge));
        }
        self.wing(colour, point, grain);
        self.head(colour, point, grain);
    }

    fn body(&self, colour: &mut Colour, [x, y]: Point, grain: &Texture<5>) {
        let (sine, cosine) = (0.33, 0.944);
        let turned = |centre: Point| {
            let (x, y) = (x - centre[0], y - centre[1]);
            [cosine * x + sine * y, cosine * y - sine * x]
        };
        let [u, v] = turned(BODY);
        let shape =
            union(ellipse([u, v], [0.125, 0.225]), ellipse([x - HEAD[0], y - HEAD[1]], [0.098, 0.1]), 0.12);
        let inside = cover(shape);
        if inside == 0.0 {
            return;
        }
        let size = 0.021 + 0.02 * smooth(0.2, 0.6, y);
        let coat = feather(
            [v + 0.03 * grain.at([5.0 * x, 5.0 * y]), u],
            if y < 0.33 { 0.018 } else { 0.03 },
            if y < 0.33 { 0.024 } else { 0.04 },
        );
        let barbs = 0.04 * grain.at([70.0 * u + 40.0 * v, 25.0 * v]);
        let tip = 0.2 * coat.along - 0.2 * (1.0 - smooth(0.0, 0.3, coat.inside)) - 0.06 * coat.across.abs();
        // Light comes from the upper right; the belly and the left side are in the shade.
        let ball = 0.74 + 0.42 * smooth(-0.13, 0.12, u - 0.25 * v)
            - 0.28 * smooth(0.06, 0.135, u)
            - 0.22 * smooth(0.05, 0.25, v);
        let mut paint = mix(DARK_RED, RED, (ball + tip + 2.0 * barbs - 0.04).clamp(0.0, 1.0));
        over(&mut paint, rgb(0xff6a3c), 0.55 * (ball + tip + 2.0 * barbs - 0.82).max(0.0) / size * 0.05);
        over(&mut paint, rgb(0xffb070), 0.22 * smooth(-0.012, -0.002, shape) * smooth(-0.2, 0.3, u));
        over(colour, paint, inside);
    }

    fn wing(&self, colour: &mut Colour, [x, y]: Point, grain: &Texture<5>) {
        let axis = [WING_TIP[0] - SHOULDER[0], WING_TIP[1] - SHOULDER[1]];
        let long = length(axis);
        let off = [x - SHOULDER[0], y - SHOULDER[1]];
        let s = (off[0] * axis[0] + off[1] * axis[1]) / (long * long);
        // To the right, where the belly is.
        let n = (off[0] * axis[1] - off[1] * axis[0]) / long + 0.05 * s * (1.0 - s);
        if !(-0.2..1.05).contains(&s) {
            return;
        }
        let round = libm::sqrtf(((s + 0.16) / 0.34).clamp(0.0, 1.0));
        let half = 0.098 * round * libm::powf((1.02 - s).clamp(0.0, 1.0), 0.62);
        let shape = n.abs() - half;
        // A soft shadow on the body.
        over(colour, rgb(0x25060c), 0.45 * smooth(0.03, -0.005, shape) * smooth(-0.1, 0.1, n));
        let inside = cover(0.8 * shape);
        if inside == 0.0 {
            return;
        }
        let long_feathers = s > 0.5;
        let (size, wide) = match s {
            ..0.27 => (0.032, 0.036),
            ..0.5 => (0.055, 0.042),
            _ => (0.2, 0.032),
        };
        let spread = if long_feathers { n / (0.35 + 0.65 * (1.0 - s)) } else { n };
        let coat = feather([s * long, spread], size, wide);
        let place = coat.centre[0] / long + 0.35 * coat.centre[1] + 0.05;
        // The long feathers grow from below the others, and are all blue.
        let place = if long_feathers { 1.0 } else { place };
        let barbs = 0.05 * grain.at([30.0 * s + 60.0 * n, 80.0 * n])
            + 0.05 * wave(55.0 * s + 14.0 * coat.across.abs());
        let light = 0.7 + 0.3 * coat.along + barbs - 0.3 * (1.0 - smooth(0.0, 0.3, coat.inside))
            + 0.16 * smooth(-0.09, 0.05, n)
            - 0.1 * coat.across;
        let mut paint = RED;
        over(&mut paint, YELLOW, smooth(0.2, 0.25, place));
        over(&mut paint, GREEN, smooth(0.33, 0.37, place) * (0.35 + 0.65 * coat.along));
        over(&mut paint, BLUE, smooth(0.40, 0.44, place));
        over(&mut paint, DARK_BLUE, smooth(0.5, 0.9, s) * 0.55);
        if s < 0.5 && place > 0.2 && place < 0.36 {
            over(&mut paint, GREEN, 0.8 * smooth(0.75, 0.95, coat.along));
        }
        over(
            &mut paint,
            rgb(0x7db4ff),
            0.25 * smooth(0.42, 0.46, place) * smooth(0.5, 1.0, coat.along) * coat.inside,
        );
        over(colour, scaled(paint, light.clamp(0.25, 1.15)), inside);
        // Shafts of the long feathers.
        if long_feathers {
            over(colour, rgb(0x0b1130), 0.6 * smooth(0.14, 0.05, coat.across.abs()) * inside);
        }
    }

    fn head(&self, colour: &mut Colour, point @ [x, y]: Point, grain: &Texture<5>) {
        // Bare white skin around the eye, with fine lines of red feathers.
        let patch = union(
            ellipse([x - 0.907, y - 0.22], [0.052, 0.044]),
            ellipse([x - 0.915, y - 0.262], [0.036, 0.046]),
            0.03,
        );
        let edge = patch + 0.006 * grain.at([60.0 * x, 60.0 * y]);
        let skin = scaled(
            rgb(0xf7efe6),
            0.86 + 0.16 * smooth(0.28, 0.18, y) + 0.05 * grain.at([80.0 * x, 80.0 * y]),
        );
        over(colour, skin, smooth(0.005, -0.004, edge));
        for line in 0..4 {
            let level = 0.24 + 0.014 * line as f32;
            let bend = level + 0.5 * (x - 0.905) * (x - 0.905) / 0.05 + 0.003 * libm::sinf(200.0 * x);
            let dashes = smooth(0.3, 0.6, wave(60.0 * x + 0.37 * line as f32));
            over(
                colour,
                rgb(0xb8343a),
                0.8 * dashes * smooth(0.0028, 0.001, (y - bend).abs()) * smooth(0.0, -0.012, patch),
            );
        }
        self.beak(colour, point);
        for (radius, paint) in [(0.0185, rgb(0x3a302c)), (0.0155, rgb(0xf0e2a0)), (0.0085, rgb(0x0c0a0a))] {
            over(colour, paint, cover(length([x - EYE[0], y - EYE[1]]) - radius));
        }
        over(colour, rgb(0xffffff), cover(length([x - EYE[0] - 0.004, y - EYE[1] + 0.005]) - 0.0032));
        over(
            colour,
            rgb(0x5c4a44),
            0.7 * cover(stroke(
                point,
                [EYE[0] - 0.02, EYE[1] - 0.006],
                [EYE[0] + 0.012, EYE[1] - 0.019],
                0.0022,
            )),
        );
    }

    fn beak(&self, colour: &mut Colour, point @ [x, y]: Point) {
        if let Some(Place { edge, across, .. }) = self.lower_beak.at(point) {
            over(colour, scaled(rgb(0x2b2626), 1.0 + 0.7 * smooth(0.2, -0.7, across)), cover(edge));
        }
        let Some(Place { edge, along, across }) = self.beak.at(point) else { return };
        // Dark below and at the tip, ivory above, with a gleam.
        let mut paint = scaled(rgb(0xe9dcc0), 1.04 - 0.2 * smooth(-0.3, 0.9, across));
        over(&mut paint, rgb(0x2d2625), smooth(0.45, 0.85, across + 0.25 * along));
        over(&mut paint, rgb(0x4a3f3a), 0.75 * smooth(0.72, 1.0, along));
        over(
            &mut paint,
            rgb(0xffffff),
            0.6 * smooth(0.22, 0.0, (across + 0.45).abs()) * smooth(0.75, 0.2, along),
        );
        over(&mut paint, rgb(0xb9a98c), 0.3 * wave(12.0 * along));
        over(colour, paint, cover(edge));
        over(colour, rgb(0x3a2f2c), 0.8 * cover(ellipse([x - 0.966, y - 0.2], [0.006, 0.004])));
    }
}
