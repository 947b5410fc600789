//! The canvas of a cat: twice as fine as the image, painted in layers.

use super::shape::Point;
use alloc::vec;
use alloc::vec::Vec;

/// Red, green and blue from 0 to 1, as a screen shows them.
pub(in crate::data) type Colour = [f32; 3];

/// Points of the canvas per pixel of the image, along each side.
const FINE: usize = 2;

/// The mixture of two colours with the weight `share` of the second.
pub(in crate::data) fn mix(first: Colour, second: Colour, share: f32) -> Colour {
    core::array::from_fn(|part| first[part] + share * (second[part] - first[part]))
}

/// All parts of a colour times `factor`.
pub(in crate::data) fn scaled(colour: Colour, factor: f32) -> Colour {
    colour.map(|part| part * factor)
}

/// The position of the face in the image. Its own coordinates have the centre of the head as origin and half the width of
/// the head as unit; y points down.
pub(super) struct Frame {
    /// Centre of the head; the image is the square from -1 to 1.
    pub centre: Point,
    /// Half the width of the head.
    pub scale: f32,
    /// Sine and cosine of the tilt.
    pub turn: [f32; 2],
}

impl Frame {
    /// The point of the image at a point of the face.
    fn outwards(&self, [x, y]: Point) -> Point {
        let [sine, cosine] = self.turn;
        [
            self.centre[0] + self.scale * (cosine * x - sine * y),
            self.centre[1] + self.scale * (sine * x + cosine * y),
        ]
    }

    /// The point of the face at a point of the image.
    fn inwards(&self, [x, y]: Point) -> Point {
        let [sine, cosine] = self.turn;
        let (x, y) = ((x - self.centre[0]) / self.scale, (y - self.centre[1]) / self.scale);
        [cosine * x + sine * y, cosine * y - sine * x]
    }
}

/// Colours (side, side) on a grid of `FINE` by `FINE` points per pixel.
pub(super) struct Canvas {
    side: usize,
    colours: Vec<Colour>,
}

impl Canvas {
    /// The canvas of an image of `side` by `side` pixels.
    pub fn new(side: usize) -> Self {
        let side = FINE * side;
        Self { side, colours: vec![[0.0; 3]; side * side] }
    }

    /// Distance of two points of the grid, where the image is the square from -1 to 1.
    fn step(&self) -> f32 {
        2.0 / self.side as f32
    }

    /// The place of a point of the grid along one axis.
    fn place(&self, index: usize) -> f32 {
        (index as f32 + 0.5) * self.step() - 1.0
    }

    /// Paints the whole canvas; `colour` gets a point of the square from -1 to 1.
    pub fn fill(&mut self, colour: impl Fn(Point) -> Colour) {
        for row in 0..self.side {
            for column in 0..self.side {
                let point = [self.place(column), self.place(row)];
                self.colours[row * self.side + column] = colour(point);
            }
        }
    }

    /// Paints a part of the face that is in the rectangle of half the width and height `reach` around `centre`. At a point
    /// of the face, `distance` is the signed distance to the edge of the part, and `paint` a colour and its opacity.
    ///
    /// The edge is blurred over one step of the grid.
    pub fn paint(
        &mut self,
        frame: &Frame,
        (centre, reach): (Point, Point),
        distance: impl Fn(Point) -> f32,
        paint: impl Fn(Point) -> (Colour, f32),
    ) {
        let step = self.step();
        let sharpness = frame.scale / step;
        let middle = frame.outwards(centre);
        let [sine, cosine] = frame.turn.map(f32::abs);
        let reach = [cosine * reach[0] + sine * reach[1], sine * reach[0] + cosine * reach[1]];
        // Casting a negative number to usize gives 0.
        let span = |axis: usize| {
            let reach = reach[axis] * frame.scale + step;
            let (low, high) = ((middle[axis] - reach + 1.0) / step, (middle[axis] + reach + 1.0) / step);
            (low as usize)..((high + 1.0) as usize).min(self.side)
        };
        for row in span(1) {
            for column in span(0) {
                let point = frame.inwards([self.place(column), self.place(row)]);
                let cover = (0.5 - distance(point) * sharpness).clamp(0.0, 1.0);
                if cover > 0.0 {
                    let (colour, opacity) = paint(point);
                    let under = &mut self.colours[row * self.side + column];
                    *under = mix(*under, colour, cover * opacity);
                }
            }
        }
    }

    /// Writes the image: the mean of the points of each pixel, `toned`, as bytes.
    pub fn write(&self, toned: impl Fn(Colour) -> Colour, pixels: &mut [u8]) {
        let side = self.side / FINE;
        for (index, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            let (row, column) = (FINE * (index / side), FINE * (index % side));
            let mut sum = [0.0; 3];
            for point in (0..FINE * FINE).map(|at| (row + at / FINE) * self.side + column + at % FINE) {
                for (sum, part) in sum.iter_mut().zip(self.colours[point]) {
                    *sum += part;
                }
            }
            let mean = sum.map(|sum| sum * (1.0 / (FINE * FINE) as f32));
            for (byte, part) in pixel.iter_mut().zip(toned(mean)) {
                // Adding 0.5 before truncation rounds to the nearest integer.
                *byte = (part.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
            }
        }
    }
}
