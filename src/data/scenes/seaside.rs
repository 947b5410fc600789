//! A beach at noon: sky with clouds, a headland, the sea with a sail, the shore, a parasol, and a palm in front.

use super::super::cats::canvas::{Colour, mix, scaled};
use super::super::cats::luck::Luck;
use super::super::cats::shape::{Point, convex, ellipse, length, smooth, stroke};
use super::brush::{Place, Ribbon, Texture, cover, leaf_width, over, rgb, wave};
use crate::rng::Stream;
use alloc::vec::Vec;

/// The height of the horizon, and the place of the sun.
const HORIZON: f32 = 0.43;
const SUN: Point = [1.2, 0.075];
/// The top of the palm.
const CROWN: Point = [0.3, 0.25];
/// The tip and the foot of the parasol.
const TIP: Point = [1.03, 0.56];
const FOOT: Point = [1.05, 0.83];

pub(super) struct Seaside {
    clouds: Texture<6>,
    water: Texture<4>,
    grain: Texture<5>,
    trunk: Ribbon,
    fronds: Vec<(Ribbon, f32)>,
}

impl Seaside {
    pub fn new() -> Self {
        let mut luck = Luck(Stream::named(0, "seaside").substream(0).generator());
        let (clouds, water, grain) =
            (Texture::new(&mut luck), Texture::new(&mut luck), Texture::new(&mut luck));
        let trunk = Ribbon::new([[0.07, 1.03], [0.13, 0.55], CROWN], |t| 0.034 - 0.017 * t);
        // Direction and length of each frond, the farthest first.
        let fronds = [
            (-0.35, -0.26, 0.8),
            (0.17, -0.26, 0.75),
            (0.4, -0.2, 0.85),
            (-0.48, -0.06, 0.9),
            (0.52, -0.02, 1.0),
            (-0.42, 0.17, 0.85),
            (-0.22, -0.2, 1.1),
            (0.44, 0.2, 1.0),
            (-0.26, 0.3, 0.95),
            (0.2, 0.3, 0.9),
        ];
        let frond = |(x, y, light): (f32, f32, f32)| {
            let far = [CROWN[0] + x, CROWN[1] + y + 0.1];
            let bend = [CROWN[0] + 0.6 * x, CROWN[1] + 0.55 * y - 0.13];
            (Ribbon::new([CROWN, bend, far], |t| 0.005 + 0.048 * leaf_width(0.06 + 0.94 * t)), light)
        };
        Self { clouds, water, grain, trunk, fronds: fronds.into_iter().map(frond).collect() }
    }

    pub fn at(&self, point: Point) -> Colour {
        let mut colour = if point[1] < HORIZON { self.sky(point) } else { self.sea(point) };
        self.headland(&mut colour, point);
        self.beach(&mut colour, point);
        self.boat(&mut colour, point);
        self.parasol(&mut colour, point);
        self.palm(&mut colour, point);
        colour
    }

    fn sky(&self, point @ [x, y]: Point) -> Colour {
        let height = y / HORIZON;
        let mut colour = mix(rgb(0x2667b8), rgb(0x8ccbee), smooth(-0.2, 1.05, height));
        over(&mut colour, rgb(0xd9eef3), smooth(0.65, 1.05, height) * 0.8);
        // The sun and its halo.
        let far = length([x - SUN[0], y - SUN[1]]);
        let halo = 1.0 / (1.0 + (far / 0.085) * (far / 0.085));
        over(&mut colour, rgb(0xfffbe6), 0.85 * halo);
        let (body, light) = self.cloud(point);
        let shade = mix(rgb(0x9db3cb), rgb(0xffffff), light);
        over(&mut colour, shade, body * smooth(1.08, 0.75, height));
        over(&mut colour, rgb(0xfffff4), smooth(0.036, 0.026, far));
        colour
    }

    /// The share of the sky that a cloud hides, and the light on it.
    fn cloud(&self, point: Point) -> (f32, f32) {
        let density = |[x, y]: Point| {
            let flat = 1.0 + 1.1 * (y / HORIZON);
            let far = self.clouds.at([2.6 * x * flat + 5.3, 5.2 * y * flat + 2.1]);
            // Less around the sun, and three banks.
            let bank = 0.16 * libm::sinf(5.0 * x + 1.2) + 0.1 * libm::sinf(11.0 * y + 2.0 * x);
            far + bank - 0.3 * smooth(0.3, 0.0, length([x - SUN[0], y - SUN[1]]))
        };
        let here = density(point);
        let to_sun = [point[0] + 0.012, point[1] - 0.026];
        let light = (0.62 + 1.6 * (here - density(to_sun)) - 0.25 * smooth(0.3, 0.7, here)).clamp(0.0, 1.0);
        (smooth(0.02, 0.34, here), light)
    }

    /// The height of the far land above the horizon.
    fn land(&self, x: f32) -> f32 {
        let hill = smooth(0.62, 0.1, x) * 0.085 + smooth(0.3, 0.05, (x - 0.43).abs()) * 0.03;
        hill * (1.0 + 0.35 * self.grain.at([7.0 * x, 3.0])) - 0.004
    }

    fn headland(&self, colour: &mut Colour, [x, y]: Point) {
        let top = HORIZON - self.land(x);
        if y > HORIZON + 0.003 || y < top - 0.01 {
            return;
        }
        let texture = self.grain.at([22.0 * x, 45.0 * y]);
        let rock = smooth(0.0, 0.5, self.grain.at([9.0 * x + 3.0, 16.0 * y]) + 12.0 * (y - HORIZON) + 0.45);
        let paint = mix(scaled(rgb(0x4e7a52), 1.0 + 0.35 * texture), rgb(0xb9a98c), 0.55 * rock);
        // Air makes far things blue.
        over(colour, mix(paint, rgb(0x9cc4de), 0.42), cover(top - y));
    }

    /// The edge of the water: further down on the left.
    fn shore(&self, x: f32) -> f32 {
        0.735 + 0.075 * libm::cosf(2.0 * x + 0.3) + 0.018 * self.water.at([3.4 * x, 0.5])
    }

    fn sea(&self, [x, y]: Point) -> Colour {
        let near = 1.0 / (y - HORIZON + 0.012);
        let depth = smooth(HORIZON, self.shore(x) + 0.02, y);
        let mut colour = mix(rgb(0x15609f), rgb(0x1d8fb3), smooth(0.0, 0.45, depth));
        over(&mut colour, rgb(0x3fc3bd), smooth(0.35, 0.85, depth));
        over(&mut colour, rgb(0xa5e3d3), smooth(0.78, 1.0, depth));
        // Waves are seen from the side: they are wide and low, and smaller at a distance.
        let waves = self.water.at([0.55 * (x - 0.75) * near + 40.0, 2.1 * libm::logf(near) * 4.0]);
        let small = self.water.at([1.7 * (x - 0.75) * near + 90.0, 9.0 * libm::logf(near) * 4.0]);
        let crest = 0.65 * waves + 0.45 * small;
        colour = scaled(colour, 1.0 + 0.28 * crest);
        over(&mut colour, rgb(0xe9fbff), 0.5 * smooth(0.4, 0.75, crest) * smooth(0.0, 0.2, depth));
        // Reefs under shallow water.
        let reef = self.grain.at([3.0 * x + 1.0, 10.0 * y]);
        over(
            &mut colour,
            rgb(0x176f8a),
            0.45 * smooth(0.1, 0.5, reef) * smooth(0.2, 0.5, depth) * smooth(0.95, 0.7, depth),
        );
        // The sun on the water.
        let below = smooth(0.34, 0.0, (x - SUN[0]).abs()) * smooth(0.5, 0.0, depth);
        over(&mut colour, rgb(0xfffdf0), below * (0.25 + 0.9 * smooth(0.1, 0.5, small)));
        over(&mut colour, rgb(0xb9dcee), 0.5 * smooth(HORIZON + 0.03, HORIZON, y));
        colour
    }

    fn beach(&self, colour: &mut Colour, [x, y]: Point) {
        let shore = self.shore(x);
        // Two lines of foam before the edge, and one on the sand.
        for (line, off, strength) in [(0.0, 0.075, 0.6), (1.0, 0.036, 0.85), (2.0, 0.0, 1.0)] {
            let ragged =
                0.016 * self.grain.at([9.0 * x, 7.0 * line]) + 0.01 * self.grain.at([34.0 * x, 40.0 * y]);
            let from = y - (shore - off + ragged);
            let holes = 0.55 + 0.7 * self.grain.at([60.0 * x, 90.0 * y]);
            let open = smooth(-0.35, 0.25, self.water.at([2.0 * x + 9.0 * line, 4.4]));
            let foam =
                smooth(0.014, 0.0, from.abs()) * holes.clamp(0.0, 1.0) + smooth(0.006, 0.0, from.abs());
            over(colour, rgb(0xf8fdfb), strength * (open + line * 0.4).min(1.0) * foam);
        }
        let on_sand = cover(shore + 0.004 + 0.008 * self.grain.at([16.0 * x, 3.3]) - y);
        if on_sand > 0.0 {
            over(colour, self.sand([x, y], shore), on_sand);
        }
    }

    fn sand(&self, [x, y]: Point, shore: f32) -> Colour {
        let near = 1.0 / (y - HORIZON);
        let dune = self.grain.at([2.4 * x * near, 1.3 * libm::logf(near) * 9.0]);
        let grain = self.grain.at([190.0 * x, 190.0 * y]);
        let ripple = libm::sinf(150.0 * y + 9.0 * self.grain.at([4.0 * x, 5.0 * y]) + 12.0 * x);
        let mut sand = mix(rgb(0xe9cf9a), rgb(0xf7e6bf), 0.5 + 0.55 * dune);
        sand = scaled(sand, 1.0 + 0.085 * grain + 0.022 * ripple);
        // Wet sand is dark, and the sky is seen in it.
        let wet = smooth(0.075, 0.01, y - shore + 0.02 * dune);
        over(&mut sand, scaled(rgb(0xb08f63), 1.0 + 0.06 * grain), 0.85 * wet);
        over(&mut sand, rgb(0xbfdcea), 0.42 * smooth(0.03, 0.0, y - shore));
        // Small shells.
        let shell = self.grain.at([47.0 * x + 5.0, 61.0 * y + 7.0]);
        over(&mut sand, rgb(0xfff6ea), smooth(0.62, 0.7, shell));
        over(&mut sand, rgb(0x8a6f52), 0.7 * smooth(-0.62, -0.72, shell));
        // Shadows of the parasol and of the palm.
        let shadow = ellipse([x - FOOT[0] + 0.075, y - FOOT[1] - 0.012], [0.175, 0.032]);
        let palm = self.fronds.iter().fold(1.0, |least: f32, (frond, _)| {
            // The palm lies on the sand: low and to the left.
            let up = [0.9 * (x + 0.12), CROWN[1] + 2.2 * (0.93 - y)];
            frond.at(up).map_or(least, |place| least.min(leaflets(&place)))
        });
        let dark = cover(0.4 * shadow).max(0.8 * cover(0.3 * palm));
        mix(sand, rgb(0x6d6076), 0.5 * dark)
    }

    fn boat(&self, colour: &mut Colour, [x, y]: Point) {
        let at = [x - 0.8, y - 0.475];
        if at[0].abs() > 0.09 || at[1] < -0.15 || at[1] > 0.08 {
            return;
        }
        // Its mirror image, broken by waves.
        let broken = 0.006 * libm::sinf(420.0 * y);
        let mirrored = convex([at[0] + broken, at[1]], &[[-0.045, 0.004], [0.045, 0.004], [0.008, 0.06]]);
        over(colour, rgb(0xe8f4f6), 0.4 * cover(mirrored));
        let sails = [
            ([[0.004, -0.115], [0.052, -0.012], [0.004, -0.012]], rgb(0xffffff)),
            ([[-0.004, -0.1], [-0.004, -0.012], [-0.045, -0.012]], rgb(0xf3ead8)),
        ];
        for (sail, paint) in sails {
            let shade = 1.0 - 1.6 * (0.0 - at[1]).max(0.0) * at[0].abs() * 12.0;
            over(colour, scaled(paint, shade.clamp(0.8, 1.0)), cover(convex(at, &sail)));
        }
        over(colour, rgb(0x5b4632), cover(stroke(at, [0.0, -0.12], [0.0, 0.0], 0.0022)));
        let hull = convex(at, &[[-0.055, -0.008], [0.062, -0.008], [0.044, 0.009], [-0.042, 0.009]]);
        over(colour, mix(rgb(0xc8402f), rgb(0x7d241f), smooth(-0.006, 0.009, at[1])), cover(hull));
        over(colour, rgb(0xffffff), cover(stroke(at, [-0.052, -0.007], [0.059, -0.007], 0.0022)));
    }

    fn parasol(&self, colour: &mut Colour, point @ [x, y]: Point) {
        if (x - TIP[0]).abs() > 0.4 || !(0.5..=0.93).contains(&y) {
            return;
        }
        // A towel with stripes, and a ball.
        let towel = [[1.16, 0.845], [1.33, 0.83], [1.4, 0.87], [1.21, 0.89]];
        let stripe = smooth(0.42, 0.58, wave(14.0 * (x - 0.9 * (y - 0.83))));
        let cloth = mix(rgb(0x2b63b5), rgb(0xf4f1e4), stripe);
        over(
            colour,
            scaled(cloth, 0.94 + 0.08 * self.grain.at([90.0 * x, 90.0 * y])),
            cover(convex(point, &towel)),
        );
        over(colour, rgb(0x6b4a2c), cover(stroke(point, TIP, FOOT, 0.0055)));
        over(
            colour,
            rgb(0xb98a58),
            cover(stroke(point, [TIP[0] - 0.0015, TIP[1]], [FOOT[0] - 0.0015, FOOT[1]], 0.002)),
        );
        // The canopy: the upper half of an ellipse with a scalloped edge, tilted to the left.
        let (sine, cosine) = (-0.15, 0.989);
        let off = [x - TIP[0], y - TIP[1] - 0.11];
        let [u, v] = [cosine * off[0] + sine * off[1], cosine * off[1] - sine * off[0]];
        let dome = ellipse([u, v], [0.205, 0.115]);
        // The sectors run from the tip to the edge.
        let sector = libm::asinf(
            (u / (0.206 * libm::sqrtf((1.0 - (v / 0.12) * (v / 0.12)).max(0.02)))).clamp(-1.0, 1.0),
        ) * 2.55
            + 0.5;
        let scallop = v - 0.012 + 0.02 * (1.0 - wave(sector + 0.5)) * (1.0 - wave(sector + 0.5));
        let is_red = (libm::floorf(sector) as i32).rem_euclid(2) == 0;
        let light =
            0.74 + 0.42 * smooth(-0.2, 0.2, u) - 0.14 * (1.0 - wave(sector)) - 0.3 * smooth(-0.02, 0.02, v);
        let paint = if is_red { rgb(0xe0402c) } else { rgb(0xfdf6e6) };
        over(colour, scaled(paint, light.min(1.05)), cover(dome.max(scallop)));
        over(colour, rgb(0xd9d2c2), cover(length([x - TIP[0], y - TIP[1] + 0.006]) - 0.008));
        let ball = [x - 0.83, y - 0.862];
        let round = length(ball) - 0.026;
        let slice = smooth(0.45, 0.55, wave(1.2 * libm::atan2f(ball[1] + 0.012, ball[0] - 0.006) + 0.3));
        let paint = mix(
            mix(rgb(0xf2c12e), rgb(0xffffff), slice),
            rgb(0x6e4c3a),
            0.55 * smooth(-0.01, 0.05, ball[1] - 0.5 * ball[0]),
        );
        over(
            colour,
            rgb(0x8a7460),
            0.5 * cover(0.5 * ellipse([ball[0] + 0.02, ball[1] - 0.024], [0.034, 0.008])),
        );
        over(colour, paint, cover(round));
    }

    fn palm(&self, colour: &mut Colour, point @ [x, y]: Point) {
        if let Some(Place { edge, along, across }) = self.trunk.at(point) {
            let ring = smooth(0.55, 0.95, wave(26.0 * along + 0.25 * across * across));
            let bark = 0.2 * self.grain.at([60.0 * x, 18.0 * y]);
            let light = 0.62 + 0.42 * across - 0.22 * across * across - 0.25 * ring + bark;
            over(colour, scaled(rgb(0xa68a64), light.clamp(0.3, 1.2)), cover(edge));
        }
        for (index, (frond, light)) in self.fronds.iter().enumerate() {
            if index == 6 {
                self.coconuts(colour, point);
            }
            let Some(place) = frond.at(point) else { continue };
            let Place { along, across, .. } = place;
            let strand = wave(34.0 * along - 5.0 * across.abs());
            let sunny = mix(rgb(0x2c6b2a), rgb(0xa9c64a), 0.5 - 0.45 * across + 0.25 * strand - 0.2 * along);
            let paint = scaled(sunny, light * (0.85 + 0.2 * self.grain.at([30.0 * x, 30.0 * y])));
            over(colour, paint, cover(leaflets(&place)));
            over(colour, rgb(0xc9c878), cover(across.abs() * 0.035 - 0.0028) * cover(place.edge));
        }
    }

    fn coconuts(&self, colour: &mut Colour, [x, y]: Point) {
        for [right, down] in [[-0.03, 0.012], [0.022, 0.02], [-0.004, 0.034]] {
            let off = [x - CROWN[0] - right, y - CROWN[1] - down];
            let shade = 0.9 - 12.0 * (off[1] - 0.6 * off[0]);
            over(colour, scaled(rgb(0x6f4a26), shade.clamp(0.4, 1.5)), cover(length(off) - 0.021));
        }
    }
}

/// The signed distance to the leaflets of a frond: long teeth along both of its sides, which point to its end.
fn leaflets(&Place { edge, along, across }: &Place) -> f32 {
    let tooth = wave(34.0 * along - 5.0 * across.abs());
    // Between two leaflets the frond is open, more so near its sides.
    let gap = 0.016 * (across.abs() - 0.15 - 1.25 * tooth);
    edge.max(gap)
}
