//! The fur of a cat: its colours and its pattern.

use super::canvas::{Colour, mix, scaled};
use super::luck::{Luck, Noise};
use super::shape::{Point, length, smooth};
use rand::Rng;

/// Red, green and blue as bytes, for tables.
const fn rgb(red: u8, green: u8, blue: u8) -> Colour {
    [red as f32 / 255.0, green as f32 / 255.0, blue as f32 / 255.0]
}

const GINGER: Colour = rgb(222, 138, 62);
const RUST: Colour = rgb(160, 82, 30);
const CREAM: Colour = rgb(240, 218, 184);
const WHITE: Colour = rgb(242, 239, 233);
const SILVER: Colour = rgb(168, 166, 162);
const SLATE: Colour = rgb(118, 124, 136);
const CHARCOAL: Colour = rgb(70, 66, 64);
const BLACK: Colour = rgb(40, 37, 40);
const BROWN: Colour = rgb(154, 120, 82);
const UMBER: Colour = rgb(66, 48, 36);
const SEAL: Colour = rgb(74, 54, 46);
const PINK: Colour = rgb(226, 160, 150);
const BRICK: Colour = rgb(176, 106, 92);

const GREEN: Colour = rgb(150, 190, 74);
const YELLOW: Colour = rgb(226, 196, 62);
const AMBER: Colour = rgb(222, 150, 44);
const BLUE: Colour = rgb(104, 164, 224);

/// The pattern of the fur.
#[derive(Clone, Copy)]
enum Pattern {
    /// One colour.
    Solid,
    /// Dark stripes on forehead and cheeks, and a light muzzle.
    Tabby,
    /// White from the forehead down over muzzle and chest.
    Bicolour,
    /// Patches of two colours on the base.
    Patches,
    /// A dark mask around the nose, and dark ears.
    Mask,
}

/// A kind of cat: pattern, base, second and third colour, colours of eyes and of the nose.
struct Kind(Pattern, Colour, Colour, Colour, &'static [Colour], Colour);

const KINDS: [Kind; 12] = [
    Kind(Pattern::Tabby, GINGER, RUST, CREAM, &[AMBER, GREEN, YELLOW], PINK),
    Kind(Pattern::Tabby, SILVER, CHARCOAL, WHITE, &[GREEN, YELLOW], BRICK),
    Kind(Pattern::Tabby, BROWN, UMBER, CREAM, &[GREEN, AMBER, YELLOW], BRICK),
    Kind(Pattern::Solid, BLACK, BLACK, BLACK, &[YELLOW, AMBER, GREEN], CHARCOAL),
    Kind(Pattern::Solid, SLATE, SLATE, SLATE, &[AMBER, YELLOW], CHARCOAL),
    Kind(Pattern::Solid, WHITE, WHITE, WHITE, &[BLUE, GREEN, AMBER], PINK),
    Kind(Pattern::Solid, CREAM, CREAM, WHITE, &[AMBER, BLUE], PINK),
    Kind(Pattern::Bicolour, BLACK, WHITE, WHITE, &[GREEN, YELLOW], PINK),
    Kind(Pattern::Bicolour, SLATE, WHITE, WHITE, &[AMBER, GREEN], PINK),
    Kind(Pattern::Bicolour, GINGER, WHITE, WHITE, &[AMBER, GREEN], PINK),
    Kind(Pattern::Patches, WHITE, GINGER, BLACK, &[GREEN, AMBER], PINK),
    Kind(Pattern::Mask, CREAM, SEAL, SEAL, &[BLUE], UMBER),
];

/// The coat of one cat.
pub(super) struct Coat {
    pattern: Pattern,
    base: Colour,
    second: Colour,
    third: Colour,
    /// Colour of the iris.
    pub eyes: Colour,
    /// Colour of the nose.
    pub nose: Colour,
    /// Stripes per unit of length, and their shift.
    stripes: [f32; 2],
    /// Half the width of the white blaze at the height of the eyes.
    blaze: f32,
    noise: Noise,
    texture: Noise,
}

impl Coat {
    /// Chooses a kind of cat and varies it.
    pub fn new(luck: &mut Luck<impl Rng>) -> Self {
        let Kind(pattern, base, second, third, eyes, nose) = &KINDS[luck.below(KINDS.len())];
        let shade = luck.between(0.88, 1.1);
        let warmth = luck.around(0.06);
        let varied = |colour: Colour| scaled([colour[0] + warmth, colour[1], colour[2] - warmth], shade);
        let eyes = eyes[luck.below(eyes.len())];
        Self {
            pattern: *pattern,
            base: varied(*base),
            second: varied(*second),
            third: varied(*third),
            eyes: scaled(eyes, luck.between(0.85, 1.12)),
            nose: scaled(*nose, luck.between(0.85, 1.1)),
            stripes: [luck.between(2.1, 3.2), luck.uniform()],
            blaze: luck.between(0.05, 0.3),
            noise: Noise::new(luck),
            texture: Noise::new(luck),
        }
    }

    /// The colour of the fur at a point of the head; `seen` is the same point as features see it, shifted with the pose.
    pub fn head(&self, point: Point, [x, y]: Point) -> Colour {
        let side = x.abs();
        // The light muzzle that most cats have.
        let muzzle = 1.0 - smooth(0.28, 0.5, length([0.85 * x, y - 0.5]));
        let colour = match self.pattern {
            Pattern::Solid => mix(self.base, scaled(self.third, 1.25), 0.5 * muzzle),
            Pattern::Tabby => {
                let forehead = smooth(-0.2, -0.42, y) * (1.0 - smooth(0.5, 0.75, side));
                let cheek = smooth(0.5, 0.66, side) * smooth(-0.3, -0.1, y);
                let wobble = 0.12 * self.noise.at([2.0 * x, 2.0 * y]);
                let bars =
                    self.bars(x + wobble) * forehead + self.bars(0.8 * (y - 0.35 * side) + wobble) * cheek;
                let brow = smooth(0.28, 0.06, (side - 0.42).abs()) * smooth(0.16, 0.05, (y + 0.34).abs());
                mix(
                    mix(self.base, self.second, bars.min(1.0)),
                    self.third,
                    (0.9 * muzzle + 0.5 * brow).min(1.0),
                )
            }
            Pattern::Bicolour => {
                // The blaze widens from a point on the forehead down to the muzzle.
                let half = self.blaze * smooth(-0.75, -0.2, y) + 0.62 * smooth(-0.02, 0.42, y);
                mix(
                    self.base,
                    self.second,
                    smooth(0.04, -0.04, side - half + 0.04 * self.noise.at([3.0 * x, 3.0 * y])),
                )
            }
            Pattern::Patches => self.patches(point),
            Pattern::Mask => {
                mix(self.base, self.second, 1.0 - smooth(0.3, 0.85, length([x, 0.9 * (y - 0.22)])))
            }
        };
        self.textured(colour, point)
    }

    /// The colour of an ear.
    pub fn ear(&self, point: Point) -> Colour {
        let colour = match self.pattern {
            Pattern::Mask => self.second,
            Pattern::Patches => self.patches(point),
            Pattern::Tabby => mix(self.base, self.second, 0.35),
            Pattern::Solid | Pattern::Bicolour => self.base,
        };
        self.textured(colour, point)
    }

    /// The inside of an ear.
    pub fn inner_ear(&self) -> Colour {
        mix(PINK, self.base, 0.25)
    }

    /// The colour of chest and shoulders.
    pub fn body(&self, point @ [x, y]: Point) -> Colour {
        let chest = 1.0 - smooth(0.3, 0.55, x.abs());
        let colour = match self.pattern {
            Pattern::Tabby => {
                let bars = self.bars(0.7 * y + 0.1 * self.noise.at(point)) * smooth(0.25, 0.6, x.abs());
                mix(mix(self.base, self.second, bars), self.third, 0.5 * chest)
            }
            Pattern::Bicolour => mix(self.base, self.second, chest),
            Pattern::Patches => self.patches([x + 3.0, y]),
            Pattern::Solid | Pattern::Mask => self.base,
        };
        self.textured(colour, point)
    }

    /// Dark stripes: 1 in the middle of each, 0 between them.
    fn bars(&self, place: f32) -> f32 {
        let phase = self.stripes[0] * place + self.stripes[1];
        // The fraction of a number that the shift keeps above 0; its distance to a half is from 0 to 0.5.
        let phase = phase + 64.0;
        let off = (phase - (phase as u32) as f32 - 0.5).abs();
        smooth(0.2, 0.34, off)
    }

    fn patches(&self, [x, y]: Point) -> Colour {
        let value = self.noise.at([1.1 * x + 0.3, 1.1 * y]);
        let colour = mix(self.base, self.second, smooth(0.12, 0.22, value));
        mix(colour, self.third, smooth(-0.12, -0.22, value))
    }

    /// Fine variations of brightness, as of hairs.
    fn textured(&self, colour: Colour, [x, y]: Point) -> Colour {
        scaled(colour, 1.0 + 0.1 * self.texture.at([9.0 * x, 6.0 * y]))
    }
}
