//! Differentiable augmentation: random changes of real and generated images before the discriminator sees them.
//!
//! A discriminator of few images remembers them, unless it sees each image differently every time. Generated images are
//! changed in the same way, so that the generator does not learn to draw the changes (Zhao et al. 2020).
//!
//! | change | of an image x, with uniform random numbers |
//! |---|---|
//! | brightness | x + b,   b from −1/2 to 1/2 |
//! | saturation | m + s (x − m), m the mean of the channels of each pixel,   s from 0 to 2 |
//! | contrast | M + c (x − M), M the mean of the image,   c from 1/2 to 3/2 |
//! | translation | moved by up to 1/8 of its height and width; 0 comes in |
//! | cutout | 0 in a rectangle of half its height and width, whose centre is anywhere in the image |
//!
//! They follow one another in this order; the first three are the change of colour. Pixels are from −1 to 1, so 0 is grey.
//!
//! Each change is x ↦ A x + constant. [`Augmentation::backward`] therefore multiplies the gradient with respect to the changed
//! image by Aᵀ, in the reverse order. Saturation and contrast are symmetric: with P the projection
//! on the mean, s + (1 − s) P is its own transpose. Cutout is symmetric too, and the transpose of a translation is the
//! translation back.
//!
//! **Source** Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training", and its published code.

use crate::nn::Shape;
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;
use rand::RngExt;

/// The kinds of changes; with none, images stay as they are.
///
/// ```
/// use equilibria::{adversarial::Augmentation, nn::Shape, rng::Stream};
/// let change = Augmentation { translation: true, ..Augmentation::default() };
/// let shape = Shape { height: 8, width: 8, channels: 1 };
/// let mut images = [1.0_f32; 64];
/// change.apply(shape, Stream::named(1, "augment"), &mut images);
/// assert!(images.iter().all(|&pixel| pixel == 0.0 || pixel == 1.0), "moved pixels, and a border");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Augmentation {
    /// Translation.
    pub translation: bool,
    /// Cutout.
    pub cutout: bool,
    /// Brightness, saturation and contrast.
    pub colour: bool,
}

/// The random numbers of an image.
struct Draw {
    /// b, s and c.
    colour: [f64; 3],
    /// Pixels down and to the right.
    shift: [i64; 2],
    /// The first row and column of the rectangle, and those after its last, inside the image.
    hole: [[usize; 2]; 2],
}

/// Images per task, some tens of microseconds of work.
const TASK: usize = 4;

impl Augmentation {
    /// Returns whether images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that samples of this shape are images.
    ///
    /// **Errors** [`Error::InvalidArgument`] if there are changes and the samples are a single pixel.
    pub(crate) fn expect_images(&self, shape: Shape) -> Result<()> {
        if self.is_none() || shape.height * shape.width > 1 {
            return Ok(());
        }
        Err(Error::invalid(
            format!("augmentation of samples of {shape} numbers"),
            "it changes images, whose height and width a convolutional discriminator knows",
        ))
    }

    /// Changes images in place.
    ///
    /// **Shapes** `images` (images, `shape`).
    ///
    /// **Randomness** Image i uses `stream.substream(i)`. The numbers do not depend on the kinds of changes.
    pub fn apply<T: Element>(self, shape: Shape, stream: Stream, images: &mut [T]) {
        self.for_each_image(shape, stream, images, |image, draw| {
            if self.colour {
                let [brightness, saturation, contrast] = draw.colour;
                saturate(image, shape.channels, saturation);
                let whole = image.len();
                saturate(image, whole, contrast);
                // The mean is not changed by saturation and contrast, so brightness can be last.
                image.iter_mut().for_each(|x| *x += T::from_f64(brightness));
            }
            if self.translation {
                translate(image, shape, draw.shift);
            }
            if self.cutout {
                cut(image, shape, draw.hole);
            }
        });
    }

    /// Turns gradients with respect to the changed images into those with respect to the images, in place.
    ///
    /// **Shapes** and **Randomness** Same as [`Augmentation::apply`].
    pub fn backward<T: Element>(self, shape: Shape, stream: Stream, gradients: &mut [T]) {
        self.for_each_image(shape, stream, gradients, |gradient, draw| {
            if self.cutout {
                cut(gradient, shape, draw.hole);
            }
            if self.translation {
                translate(gradient, shape, draw.shift.map(|shift| -shift));
            }
            if self.colour {
                let [_, saturation, contrast] = draw.colour;
                let whole = gradient.len();
                saturate(gradient, whole, contrast);
                saturate(gradient, shape.channels, saturation);
            }
        });
    }

    /// Calls `change` for each image.
    fn for_each_image<T: Element>(
        self,
        shape: Shape,
        stream: Stream,
        images: &mut [T],
        change: impl Fn(&mut [T], &Draw) + Sync,
    ) {
        let size = shape.size();
        if self.is_none() || size == 0 {
            return;
        }
        let tasks = images.len().div_ceil(TASK * size);
        for_each_split(tasks, true, Chunks(images, TASK * size), &|task, Chunks(images, _)| {
            for (image, index) in images.chunks_exact_mut(size).zip((task * TASK) as u64..) {
                change(image, &Draw::new(shape, stream.substream(index)));
            }
        });
    }
}

impl Draw {
    fn new(shape: Shape, stream: Stream) -> Self {
        let mut random = stream.generator();
        let colour = [-0.5..0.5, 0.0..2.0, 0.5..1.5].map(|range| random.random_range(range));
        let sides = [shape.height, shape.width];
        let shift = sides.map(|side| {
            // An eighth, rounded to the nearest.
            let most = ((side + 4) / 8) as i64;
            random.random_range(-most..=most)
        });
        let [rows, columns] = sides.map(|side| {
            let hole = side.div_ceil(2);
            // With an even hole, the centre may also be on the far edge of the image.
            let centre = random.random_range(0..(side + 1 - hole % 2) as u64) as usize;
            let start = centre.saturating_sub(hole / 2);
            [start, (centre + hole - hole / 2).min(side)]
        });
        Self { colour, shift, hole: [[rows[0], columns[0]], [rows[1], columns[1]]] }
    }
}

/// Turns each part x of `size` numbers into m + factor (x − m), where m is its mean.
fn saturate<T: Element>(image: &mut [T], size: usize, factor: f64) {
    let (factor, other) = (T::from_f64(factor), (1.0 - factor) / size as f64);
    for part in image.chunks_exact_mut(size) {
        let shift = T::from_f64(other * part.iter().map(|x| x.to_f64()).sum::<f64>());
        part.iter_mut().for_each(|x| *x = factor * *x + shift);
    }
}

/// Moves an image down and to the right; 0 comes in.
fn translate<T: Element>(image: &mut [T], shape: Shape, [down, right]: [i64; 2]) {
    let (height, row) = (shape.height, shape.width * shape.channels);
    // An image is one long line: both movements together move it by one distance.
    let distance = down * row as i64 + right * shape.channels as i64;
    let (length, by) = (image.len(), (distance.unsigned_abs() as usize).min(image.len()));
    if distance >= 0 {
        image.copy_within(..length - by, by);
    } else {
        image.copy_within(by.., 0);
    }
    let edge = |moved: i64, pixels: usize| {
        let by = (moved.unsigned_abs() as usize).min(pixels);
        if moved >= 0 { 0..by } else { pixels - by..pixels }
    };
    let empty_rows = edge(down, height);
    image[empty_rows.start * row..empty_rows.end * row].fill(T::ZERO);
    let empty_columns = edge(right, shape.width);
    let empty = empty_columns.start * shape.channels..empty_columns.end * shape.channels;
    image.chunks_exact_mut(row).for_each(|pixels| pixels[empty.clone()].fill(T::ZERO));
}

/// Fills a rectangle with 0.
fn cut<T: Element>(image: &mut [T], shape: Shape, [[top, left], [bottom, right]]: [[usize; 2]; 2]) {
    let rows = image.chunks_exact_mut(shape.width * shape.channels).take(bottom).skip(top);
    rows.for_each(|row| row[left * shape.channels..right * shape.channels].fill(T::ZERO));
}
