//! The face of a cat, and the body below it.

use super::canvas::{Canvas, Colour, Frame, mix, scaled};
use super::coat::Coat;
use super::luck::Luck;
use super::shape::{Point, convex, ellipse, length, smooth, stroke, union};
use rand::Rng;

const DARK: Colour = [0.09, 0.07, 0.08];
const LIGHT: Colour = [0.97, 0.97, 0.96];

/// A face: proportions in units of half the width of the head.
pub(super) struct Face {
    frame: Frame,
    coat: Coat,
    /// Shift of the features on the head: the cat looks aside, up or down.
    look: Point,
    /// Direction towards the light.
    light: Point,
    /// Half the height of the head.
    height: f32,
    cheeks: f32,
    /// Tip of an ear, and how far its base reaches down the side.
    ear: Point,
    base: f32,
    /// Distance of an eye from the middle, half its width and height, and its slant.
    eye: f32,
    opening: [f32; 2],
    slant: f32,
    /// Half the width of the pupil.
    pupil: f32,
    muzzle: f32,
    /// The ends of the whiskers are raised by this.
    whiskers: f32,
}

impl Face {
    pub fn new(luck: &mut Luck<impl Rng>) -> Self {
        let turn = luck.around(0.42);
        let scale = luck.between(0.5, 0.72);
        let angle = luck.between(-2.9, -0.24);
        let opening = [luck.between(0.23, 0.29), luck.between(0.17, 0.25)];
        // A third of all cats have wide pupils.
        let pupil = match luck.below(3) {
            0 => luck.between(0.55, 0.75) * opening[1],
            _ => luck.between(0.05, 0.08),
        };
        Self {
            frame: Frame {
                centre: [luck.around(0.22), 0.16 + luck.around(0.2)],
                scale,
                turn: [libm::sinf(turn), libm::cosf(turn)],
            },
            coat: Coat::new(luck),
            look: [luck.around(0.24), luck.around(0.1)],
            light: [libm::cosf(angle), libm::sinf(angle)],
            height: luck.between(0.8, 0.92),
            cheeks: luck.between(0.44, 0.58),
            ear: [luck.between(0.66, 0.95), -luck.between(1.2, 1.5)],
            base: luck.between(-0.42, -0.15),
            eye: luck.between(0.4, 0.47),
            opening,
            slant: luck.between(0.0, 0.3),
            pupil,
            muzzle: luck.between(0.22, 0.3),
            whiskers: luck.around(0.25),
        }
    }

    /// Paints body and face.
    pub fn paint(&self, canvas: &mut Canvas) {
        self.body(canvas);
        for side in [-1.0, 1.0] {
            self.ear(canvas, side);
        }
        self.head(canvas);
        self.muzzle(canvas);
        for side in [-1.0, 1.0] {
            self.eye(canvas, side);
        }
        self.nose_and_mouth(canvas);
        self.whiskers(canvas);
    }

    /// Brightness of a ball at the point `[x, y]` of its disc of radius 1: towards the light, away from it, and at the rim.
    fn shade(&self, [x, y]: Point) -> f32 {
        let facing = x * self.light[0] + y * self.light[1];
        let square = (x * x + y * y).min(1.3);
        1.0 + 0.2 * facing - 0.2 * square * square
    }

    fn body(&self, canvas: &mut Canvas) {
        let (centre, size) = ([-0.25 * self.look[0], 1.75], [1.12, 1.25]);
        let off = |[x, y]: Point| [x - centre[0], y - centre[1]];
        let distance = |point| ellipse(off(point), size);
        canvas.paint(&self.frame, (centre, size), distance, |point| {
            let [x, y] = off(point);
            // The head throws a shadow on the chest.
            let shadow = 0.62 + 0.38 * smooth(0.85, 1.4, point[1]);
            let shade = shadow * self.shade([x / size[0], 0.5 * y / size[1]]);
            (scaled(self.coat.body([x, y]), shade), 1.0)
        });
    }

    fn ear(&self, canvas: &mut Canvas, side: f32) {
        // The ear on the side that the cat looks to is seen from the edge.
        let aside = side * self.look[0];
        let tip = [
            side * (self.ear[0] - 0.3 * aside.max(0.0)) - 0.2 * self.look[0],
            self.ear[1] + 0.3 * self.look[1],
        ];
        let (outer, inner) = ([side * 0.97, self.base], [side * 0.14, -0.72]);
        let corners = [outer, tip, inner];
        let order =
            |corners: [Point; 3]| if side < 0.0 { corners } else { [corners[2], corners[1], corners[0]] };
        let outline = order(corners);
        let bounds = ([side * 0.56, -0.85], [0.65, 0.8]);
        canvas.paint(
            &self.frame,
            bounds,
            |point| convex(point, &outline) - 0.04,
            |point| {
                let shade = 0.86 + 0.14 * smooth(-0.2, -1.2, point[1]) + 0.12 * side * self.light[0];
                (scaled(self.coat.ear(point), shade), 1.0)
            },
        );
        // The inside: the same triangle, smaller and nearer to the tip.
        let heart = [side * 0.66 - 0.1 * self.look[0], -0.76];
        let smaller = order(corners.map(|corner| {
            core::array::from_fn(|axis| {
                heart[axis] + (0.56 - 0.3 * aside.max(0.0)) * (corner[axis] - heart[axis])
            })
        }));
        let colour = self.coat.inner_ear();
        canvas.paint(
            &self.frame,
            bounds,
            |point| convex(point, &smaller),
            |point| (scaled(colour, 0.78 + 0.3 * smooth(-0.55, -1.0, point[1])), 0.9),
        );
    }

    fn head(&self, canvas: &mut Canvas) {
        let distance = |point @ [x, y]: Point| {
            let skull = ellipse(point, [1.0, self.height]);
            union(skull, ellipse([x.abs() - 0.5, y - 0.3], [self.cheeks, 0.46]), 0.15)
        };
        canvas.paint(&self.frame, ([0.0, 0.0], [1.12, 1.0]), distance, |point @ [x, y]| {
            let colour = self.coat.head(point, [x - self.look[0], y - self.look[1]]);
            (scaled(colour, self.shade([x, y / self.height])), 1.0)
        });
    }

    fn muzzle(&self, canvas: &mut Canvas) {
        for side in [-1.0, 1.0] {
            let centre = [self.look[0] * 1.15 + side * 0.17, self.look[1] + 0.46];
            let size = [self.muzzle, 0.8 * self.muzzle];
            let off = |[x, y]: Point| [x - centre[0], y - centre[1]];
            // Lighter towards the middle; the pattern below is seen.
            canvas.paint(
                &self.frame,
                (centre, size),
                |point| ellipse(off(point), size),
                |point| {
                    let [x, y] = off(point);
                    (LIGHT, 0.22 * smooth(1.0, 0.2, length([x / size[0], y / size[1]])))
                },
            );
        }
    }

    fn eye(&self, canvas: &mut Canvas, side: f32) {
        let aside = side * self.look[0];
        let centre = [self.look[0] + side * (self.eye - 0.15 * aside.max(0.0)), self.look[1] - 0.1];
        let opening = [self.opening[0] * (1.0 - 0.5 * aside.max(0.0)), self.opening[1]];
        let (sine, cosine) = (side * self.slant * 0.9, 1.0 - 0.4 * self.slant * self.slant);
        let turned = |[x, y]: Point| {
            let (x, y) = (x - centre[0], y - centre[1]);
            [cosine * x + sine * y, cosine * y - sine * x]
        };
        let rim = opening.map(|half| half + 0.05);
        let bounds = (centre, [rim[0] + 0.03, rim[0] + 0.03]);
        canvas.paint(&self.frame, bounds, |point| ellipse(turned(point), rim), |_| (DARK, 0.9));
        canvas.paint(
            &self.frame,
            bounds,
            |point| ellipse(turned(point), opening),
            |point| {
                // Brighter below, where light falls into the eye, and darker at the rim.
                let [x, y] = turned(point);
                let (x, y) = (x / opening[0], y / opening[1]);
                (scaled(self.coat.eyes, 0.95 + 0.35 * y - 0.3 * (x * x + y * y)), 1.0)
            },
        );
        let pupil = [self.pupil, (0.92 * opening[1]).max(self.pupil).min(opening[1])];
        let off = |[x, y]: Point| [x - centre[0], y - centre[1]];
        canvas.paint(&self.frame, (centre, pupil), |point| ellipse(off(point), pupil), |_| (DARK, 1.0));
        let glint = [centre[0] + 0.3 * opening[0] * self.light[0], centre[1] - 0.4 * opening[1]];
        let distance = |[x, y]: Point| length([x - glint[0], y - glint[1]]) - 0.065;
        canvas.paint(&self.frame, (glint, [0.065; 2]), distance, |_| (LIGHT, 0.95));
    }

    fn nose_and_mouth(&self, canvas: &mut Canvas) {
        let [across, down] = [1.2 * self.look[0], self.look[1] + 0.25];
        let corners = [[across - 0.13, down], [across, down + 0.14], [across + 0.13, down]];
        let corners = [corners[2], corners[1], corners[0]];
        let bounds = ([across, down + 0.06], [0.2, 0.14]);
        canvas.paint(
            &self.frame,
            bounds,
            |point| convex(point, &corners) - 0.03,
            |point| (scaled(self.coat.nose, 1.0 - 0.6 * (point[1] - down)), 1.0),
        );
        let bottom = [across, down + 0.26];
        let line = [
            ([across, down + 0.15], bottom),
            (bottom, [across - 0.11, down + 0.32]),
            ([across - 0.11, down + 0.32], [across - 0.22, down + 0.29]),
            (bottom, [across + 0.11, down + 0.32]),
            ([across + 0.11, down + 0.32], [across + 0.22, down + 0.29]),
        ];
        let ink = mix(DARK, self.coat.nose, 0.25);
        let distance =
            |point| line.iter().map(|&(from, to)| stroke(point, from, to, 0.025)).fold(1.0, f32::min);
        canvas.paint(&self.frame, (bottom, [0.26, 0.15]), distance, |_| (ink, 0.75));
    }

    fn whiskers(&self, canvas: &mut Canvas) {
        let [across, down] = [1.15 * self.look[0], self.look[1] + 0.45];
        for (side, level) in [(-1.0, -1.0), (-1.0, 0.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 0.0), (1.0, 1.0)] {
            let from = [across + side * 0.24, down + 0.05 * level];
            let to = [across + side * 1.18, down + 0.2 * level - self.whiskers + 0.06];
            let middle = [0.5 * (from[0] + to[0]), 0.5 * (from[1] + to[1])];
            let reach = [0.5 * (to[0] - from[0]).abs() + 0.014, 0.5 * (to[1] - from[1]).abs() + 0.014];
            canvas.paint(
                &self.frame,
                (middle, reach),
                |point| stroke(point, from, to, 0.014),
                |_| (LIGHT, 0.7),
            );
        }
    }
}
