//! A jungle: light between leaves far away, leaves in the middle, a branch with a parrot, and large leaves in front.

use super::super::cats::canvas::{Colour, mix, scaled};
use super::super::cats::luck::Luck;
use super::super::cats::shape::{Point, length, smooth};
use super::brush::{Place, Ribbon, Texture, cover, leaf_width, over, rgb, wave};
use super::parrot::Parrot;
use crate::rng::Stream;
use alloc::vec::Vec;
use rand::Rng;

/// Leaves in the middle, and discs of light out of focus.
const LEAVES: usize = 90;
const LIGHTS: usize = 46;

/// A leaf: its outline, its colour, and the width of its soft edge.
struct Leaf {
    ribbon: Ribbon,
    colour: Colour,
    blur: f32,
    /// Side veins from the stem to the tip.
    veins: f32,
}

pub(super) struct Jungle {
    mist: Texture<5>,
    grain: Texture<5>,
    lights: Vec<(Point, f32, f32)>,
    far: Vec<Leaf>,
    front: Vec<Leaf>,
    branch: Ribbon,
    twig: Ribbon,
    vines: Vec<Ribbon>,
    parrot: Parrot,
}

impl Jungle {
    pub fn new() -> Self {
        let mut luck = Luck(Stream::named(0, "jungle").substream(0).generator());
        let (mist, grain) = (Texture::new(&mut luck), Texture::new(&mut luck));
        let (lights, far) = (lights(&mut luck), far(&mut luck));
        let leaf = |(stem, bend, tip, wide, code, veins): (Point, Point, Point, f32, u32, f32)| Leaf {
            ribbon: Ribbon::new([stem, bend, tip], |t| 0.003 + wide * leaf_width(t)),
            colour: rgb(code),
            blur: 0.0008,
            veins,
        };
        let front = [
            ([-0.12, 0.62], [0.02, 0.1], [0.34, -0.02], 0.1, 0x4b9136, 20.0),
            ([-0.1, 0.75], [0.16, 0.3], [0.4, 0.42], 0.085, 0x3b8434, 18.0),
            ([-0.06, 1.1], [0.02, 0.72], [0.3, 0.66], 0.09, 0x2f7431, 16.0),
            ([1.62, 0.5], [1.5, 0.02], [1.2, 0.04], 0.085, 0x57993a, 20.0),
            ([1.6, 0.72], [1.38, 0.3], [1.18, 0.42], 0.08, 0x357c33, 18.0),
            ([1.58, 1.1], [1.45, 0.72], [1.12, 0.84], 0.1, 0x2c6c30, 18.0),
            ([0.2, 1.12], [0.3, 0.85], [0.44, 0.8], 0.06, 0x3f8a36, 14.0),
            ([1.0, 1.14], [1.02, 0.9], [0.86, 0.86], 0.055, 0x3a8034, 14.0),
        ];
        let branch = [[-0.1, 0.86], [0.7, 0.66], [1.65, 0.66]];
        let vine = |(x, sway, end): (f32, f32, f32)| {
            Ribbon::new([[x, -0.05], [x + sway, 0.5 * end], [x - 0.3 * sway, end]], |_| 0.0045)
        };
        Self {
            mist,
            grain,
            lights,
            far,
            front: front.into_iter().map(leaf).collect(),
            branch: Ribbon::new(branch, |t| 0.05 - 0.018 * t),
            twig: Ribbon::new([[1.16, 0.665], [1.24, 0.58], [1.31, 0.56]], |t| 0.014 - 0.009 * t),
            vines: [(0.47, 0.05, 0.78), (1.12, -0.06, 0.7), (1.17, 0.04, 0.5)]
                .into_iter()
                .map(vine)
                .collect(),
            parrot: Parrot::new(),
        }
    }

    pub fn at(&self, point: Point) -> Colour {
        let mut colour = self.background(point);
        self.far.iter().for_each(|leaf| self.leaf(&mut colour, leaf, point));
        self.shafts(&mut colour, point);
        self.vines(&mut colour, point);
        self.parrot.tail(&mut colour, point);
        self.branch(&mut colour, point);
        self.parrot.paint(&mut colour, point, &self.grain);
        self.front.iter().for_each(|leaf| self.leaf(&mut colour, leaf, point));
        self.flowers(&mut colour, point);
        // Darker corners.
        let far = length([(point[0] - 0.78) / 1.5, point[1] - 0.45]);
        scaled(colour, 1.0 - 0.45 * smooth(0.4, 0.85, far))
    }

    fn background(&self, [x, y]: Point) -> Colour {
        let mist = self.mist.at([2.2 * x, 2.6 * y]);
        let mut colour = mix(rgb(0x6fae5a), rgb(0x0f3322), smooth(-0.1, 0.95, y + 0.22 * mist));
        over(
            &mut colour,
            rgb(0xdff0a8),
            0.75 * smooth(0.55, -0.05, length([x - 1.02, y + 0.02]) + 0.25 * mist),
        );
        over(&mut colour, rgb(0x14402c), 0.5 * smooth(0.1, 0.55, self.mist.at([5.0 * x + 2.0, 5.0 * y])));
        for &([right, down], radius, strength) in &self.lights {
            let far = length([x - right, y - down]);
            let disc =
                smooth(radius, 0.8 * radius, far) * (0.75 + 0.25 * smooth(0.5 * radius, 0.9 * radius, far));
            over(&mut colour, rgb(0xe6f2a0), strength * disc);
        }
        colour
    }

    fn leaf(&self, colour: &mut Colour, leaf: &Leaf, point @ [x, y]: Point) {
        let Some(Place { edge, along, across }) = leaf.ribbon.at(point) else { return };
        let inside = smooth(leaf.blur, -leaf.blur, edge);
        if inside == 0.0 {
            return;
        }
        let vein = smooth(0.78, 0.97, wave(leaf.veins * along - 1.5 * across.abs()));
        let middle = smooth(0.12, 0.03, across.abs());
        let fold = if across < 0.0 { 0.14 } else { -0.1 };
        let gloss = 0.3
            * smooth(0.45, 0.0, (across + 0.5).abs())
            * smooth(0.15, 0.5, along)
            * smooth(0.95, 0.6, along);
        let texture = 0.1 * self.grain.at([26.0 * x, 26.0 * y]) + 0.05 * self.grain.at([90.0 * x, 90.0 * y]);
        let light = 0.92 + fold + texture - 0.2 * vein + 0.15 * (1.0 - across * across) - 0.2 * along * along;
        let mut paint = scaled(leaf.colour, light);
        over(&mut paint, rgb(0xeaf7c0), gloss * (0.35 + 0.4 * (1.0 - vein)) * 0.6);
        over(&mut paint, mix(leaf.colour, rgb(0xd9e58c), 0.6), 0.75 * middle);
        // A shadow below the leaf.
        over(colour, rgb(0x041208), 0.25 * smooth(0.01, 0.0, edge));
        over(colour, paint, inside);
    }

    /// Rays of light from the upper right.
    fn shafts(&self, colour: &mut Colour, [x, y]: Point) {
        let ray = self.mist.at([3.2 * (x + 0.55 * y), 0.4 * y + 9.0]);
        let strength = 0.3 * smooth(0.1, 0.5, ray) * smooth(0.85, 0.1, y);
        over(colour, rgb(0xe9f5b4), strength);
    }

    fn vines(&self, colour: &mut Colour, point: Point) {
        for vine in &self.vines {
            let Some(Place { edge, along, across }) = vine.at(point) else { continue };
            let light = 0.8 - 0.35 * across + 0.2 * wave(40.0 * along + across);
            over(colour, scaled(rgb(0x5d5a30), light), cover(edge));
        }
    }

    fn branch(&self, colour: &mut Colour, point @ [x, y]: Point) {
        for (ribbon, light) in [(&self.twig, 0.9), (&self.branch, 1.0)] {
            let Some(Place { edge, along, across }) = ribbon.at(point) else { continue };
            let rough = edge + 0.004 * self.grain.at([30.0 * x, 30.0 * y]);
            let inside = cover(rough);
            if inside == 0.0 {
                continue;
            }
            let bark =
                self.grain.at([9.0 * along * 4.0, 3.2 * across + 0.6 * self.grain.at([12.0 * x, 12.0 * y])]);
            let shade = 0.72 - 0.5 * across - 0.22 * across * across + 0.4 * bark;
            let mut paint =
                scaled(mix(rgb(0x7a5a3c), rgb(0x9a7b58), 0.5 + 0.5 * bark), light * shade.clamp(0.2, 1.25));
            over(&mut paint, rgb(0x2a1b12), 0.6 * smooth(0.35, 0.6, -bark));
            // Moss on the upper side.
            let moss = self.grain.at([14.0 * x, 14.0 * y + 4.0]) - 0.5 - 0.9 * across;
            let fine = self.grain.at([90.0 * x, 90.0 * y]);
            over(&mut paint, scaled(rgb(0x6f9436), 0.9 + 0.5 * fine), 0.85 * smooth(0.0, 0.35, moss));
            over(colour, paint, inside);
        }
    }

    /// An orchid on the twig: five petals and a lip, three times.
    fn flowers(&self, colour: &mut Colour, [x, y]: Point) {
        for ([right, down], size) in [([1.31, 0.565], 0.062), ([1.235, 0.6], 0.05), ([1.375, 0.61], 0.046)] {
            let off = [(x - right) / size, (y - down) / size];
            let far = length(off);
            if far > 1.2 {
                continue;
            }
            let angle = libm::atan2f(off[1], off[0]) * (5.0 / core::f32::consts::TAU) + 0.25;
            let petal = 0.42 + 0.58 * libm::sqrtf(wave(angle + 0.5));
            let vein = wave(6.0 * angle);
            let mut paint = mix(rgb(0xf6c3e6), rgb(0xc447a8), smooth(0.9, 0.1, far) * 0.75 + 0.12 * vein);
            paint = scaled(paint, 1.0 - 0.3 * (1.0 - wave(angle + 0.5)) + 0.08 * (off[0] - off[1]));
            over(colour, paint, cover((far - petal) * size));
            over(colour, rgb(0xf7d84a), cover((far - 0.2) * size));
            over(colour, rgb(0x8c1d4f), cover((length([off[0], off[1] - 0.14]) - 0.13) * size));
        }
    }
}

/// Places, radii and strengths of the discs of light.
fn lights(luck: &mut Luck<impl Rng>) -> Vec<(Point, f32, f32)> {
    let mut lights = Vec::new();
    for _ in 0..LIGHTS {
        let place = [luck.between(0.0, 1.5), luck.between(-0.05, 0.75)];
        lights.push((place, luck.between(0.012, 0.05), luck.between(0.1, 0.5) * (0.9 - 0.8 * place[1])));
    }
    lights
}

/// The leaves in the middle, the farthest first.
fn far(luck: &mut Luck<impl Rng>) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    for index in 0..LEAVES {
        // From far, blurred and pale to near, sharp and dark.
        let near = index as f32 / LEAVES as f32;
        let stem = [luck.between(-0.1, 1.6), luck.between(0.05, 1.15)];
        let angle = luck.between(0.15, 2.99);
        let long = luck.between(0.1, 0.2) * (0.8 + 0.9 * near);
        let tip = [stem[0] + long * libm::cosf(angle), stem[1] + 0.75 * long * libm::sinf(angle)];
        let bend = [0.5 * (stem[0] + tip[0]), 0.5 * (stem[1] + tip[1]) - 0.3 * long];
        let wide = long * luck.between(0.13, 0.24);
        let fresh = mix(rgb(0x2c6b3a), rgb(0x86b23c), luck.uniform());
        let depth = mix(rgb(0x5b9a63), rgb(0x123d25), near);
        let light = smooth(1.1, 0.1, stem[1]);
        leaves.push(Leaf {
            ribbon: Ribbon::new([stem, bend, tip], |t| 0.002 + wide * leaf_width(t)),
            colour: scaled(mix(depth, fresh, 0.5), 0.45 + 0.6 * light),
            blur: 0.012 * (1.0 - near) + 0.0012,
            veins: 7.0,
        });
    }
    leaves
}
