//! An encoder of images without labels: a network that has learned which way up an image is.
//!
//! Each training image is shown in four orientations, and the network classifies the quarter turns:
//!
//! ```text
//! image 32x32x3 -> 16x16x32 -> 8x8x64 -> 4x4x128 -> 128 features -> 4 logits of 0, 90, 180 and 270 degrees
//!                4x4 kernels, stride 2              linear
//! ```
//!
//! To tell a cat from a cat on its side, the network must find the ears, the eyes and the ground. Its last hidden layer
//! therefore describes the content of images of this kind. No labels are needed, and no images but the training images
//! are used. The encoder never sees a generated image, so that no generator is favoured. Random shifts, flips and changes
//! of brightness and colour remove what is not content. Rotations also serve well to find images that do not belong to a
//! class (Golan & El-Yaniv 2018), which is what a judge of samples needs.
//!
//! Features of two encoders are not comparable; a seed and training images give the same encoder at any number of threads.
//!
//! **Source** Gidaris, Singh & Komodakis 2018.

use super::features::FeatureNetwork;
use super::modes::largest;
use crate::data::Images;
use crate::nn::{ConvSpec, Plan, Sequential, Shape, Spec};
use crate::rng::Stream;
use crate::tensor::Tensor;
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;
use rand::Rng;

/// Orientations of an image: quarter turns.
pub const TURNS: usize = 4;
/// Number of features.
const FEATURES: usize = 128;
/// Channels of the first convolution; each further one has twice as many, up to [`MOST_CHANNELS`].
const CHANNELS: usize = 32;
const MOST_CHANNELS: usize = 128;
/// Convolutions halve the image until it has at most this many pixels in height.
const LAST_SIZE: usize = 4;

/// A trained encoder.
///
/// ```
/// use equilibria::{data::Images, evaluate::encoder::Encoder, rng::Stream};
/// use equilibria::nn::{Initialisation, Shape};
/// let plan = Encoder::plan(Shape { height: 8, width: 8, channels: 1 })?;
/// let mut network = plan.build()?; // not trained
/// network.initialise(Initialisation::Uniform, Stream::named(1, "init"));
/// let encoder = Encoder::new(plan, &network)?;
/// let features = encoder.features_of(&Images::new(8, 8, vec![7; 2 * 64])?)?;
/// assert_eq!(features.shape(), [2, encoder.features()]);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Encoder {
    network: FeatureNetwork,
}

impl Encoder {
    /// The architecture for images of this shape.
    ///
    /// **Errors** [`Error::InvalidArgument`] unless images are square and at least 8 pixels high.
    pub fn plan(shape: Shape) -> Result<Plan> {
        if shape.height != shape.width || shape.height < 2 * LAST_SIZE {
            return Err(Error::invalid(
                format!("an encoder of {shape} images"),
                format!("they must be square, and at least {} pixels high", 2 * LAST_SIZE),
            ));
        }
        let (mut layers, mut channels, mut size) = (Vec::new(), CHANNELS, shape.height);
        while size > LAST_SIZE {
            let spec = ConvSpec { channels, kernel: 4, stride: 2, padding: 1, bias: false };
            layers.extend([Spec::Conv(spec), Spec::BatchNorm, Spec::Relu]);
            (channels, size) = ((2 * channels).min(MOST_CHANNELS), size / 2);
        }
        layers.extend([Spec::Linear { outputs: FEATURES, bias: false }, Spec::BatchNorm, Spec::Relu]);
        layers.push(Spec::Linear { outputs: TURNS, bias: true });
        Ok(Plan { input: shape, layers })
    }

    /// Creates an encoder from a trained network.
    ///
    /// **Errors** Those of [`FeatureNetwork::new`].
    pub fn new(plan: Plan, network: &Sequential<f32>) -> Result<Self> {
        Ok(Self { network: FeatureNetwork::new("encoder", plan, network)? })
    }

    /// The shape of an image.
    pub fn input(&self) -> Shape {
        self.network.input()
    }

    /// The number of features.
    pub fn features(&self) -> usize {
        self.network.features()
    }

    /// Computes the features of images.
    ///
    /// **Shapes** Returns (images, features).
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the images have a different size.
    pub fn features_of(&self, images: &Images) -> Result<Tensor<f32>> {
        self.features_of_views(images, View::PLAIN)
    }

    fn features_of_views(&self, images: &Images, view: View) -> Result<Tensor<f32>> {
        let shape = self.input();
        let expected = [shape.height, shape.width, shape.channels];
        if images.shape() != expected {
            let (expected, found) = (expected.to_vec(), images.shape().to_vec());
            return Err(Error::ShapeMismatch {
                operation: "images and inputs of an encoder",
                expected,
                found,
            });
        }
        self.network.features_of(images.len(), |range, inputs| {
            for (image, input) in range.zip(inputs.chunks_exact_mut(shape.size())) {
                view.fill(shape, images.image(image), input);
            }
        })
    }

    /// Computes the share of images, each in its four orientations, whose orientation is recognised.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the images have a different size; [`Error::InvalidArgument`] for no images.
    pub fn accuracy(&self, images: &Images) -> Result<f64> {
        if images.is_empty() {
            return Err(Error::invalid("orientations of 0 images", "at least 1 is needed"));
        }
        let mut right = 0;
        for turns in 0..TURNS {
            let turned = self.features_of_views(images, View { turns, ..View::PLAIN })?;
            let outputs = self.network.outputs_of(&turned)?;
            right += (0..images.len()).filter(|&i| largest(outputs.row(i)) == turns).count();
        }
        Ok(right as f64 / (TURNS * images.len()) as f64)
    }
}

/// The shape of images, as networks take it.
///
/// ```
/// use equilibria::{data::Images, evaluate::encoder::shape_of};
/// assert_eq!(shape_of(&Images::new(2, 3, vec![0; 6])?).size(), 6);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn shape_of(images: &Images) -> Shape {
    let [height, width, channels] = images.shape();
    Shape { height, width, channels }
}

/// The value of a pixel as an input of the encoder: from -1 to 1.
///
/// ```
/// use equilibria::evaluate::encoder::signed;
/// assert_eq!([0, 255].map(signed), [-1.0, 1.0]);
/// ```
pub fn signed(pixel: u8) -> f32 {
    f32::from(pixel) / 127.5 - 1.0
}

/// A transformation of an image.
///
/// ```
/// use equilibria::{evaluate::encoder::View, nn::Shape};
/// let (shape, mut out) = (Shape { height: 1, width: 2, channels: 1 }, [0.0; 2]);
/// View { is_flipped: true, ..View::PLAIN }.fill(shape, &[0, 255], &mut out);
/// assert_eq!(out, [1.0, -1.0]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Quarter turns, counterclockwise.
    pub turns: usize,
    /// Pixels by which the image is moved down and to the right; the image is reflected at its borders.
    pub shift: [isize; 2],
    /// True if left and right are swapped.
    pub is_flipped: bool,
    /// Factor of all pixels.
    pub contrast: f32,
    /// Added to each channel; the channel of a grey image is the first.
    pub offsets: [f32; 3],
}

impl View {
    /// The unchanged image.
    pub const PLAIN: Self =
        Self { turns: 0, shift: [0; 2], is_flipped: false, contrast: 1.0, offsets: [0.0; 3] };

    /// A random view. The image is shifted by up to an eighth of its size, and flipped in half of the cases. Contrast is from
    /// 0.75 to 1.25; brightness changes by up to 0.2 and each channel by another 0.1, where pixels are from -1 to 1.
    ///
    /// **Randomness** Eight words of [`Stream::generator`].
    pub fn random(shape: Shape, stream: Stream) -> Self {
        let mut generator = stream.generator();
        // Uniform from -1 to 1.
        let mut uniform = || (f64::from(generator.next_u32()) + 0.5) / f64::from(1_u32 << 31) - 1.0;
        let shift = [shape.height, shape.width].map(|size| {
            let most = (size / 8) as f64;
            libm::round(uniform() * (most + 0.5)).clamp(-most, most) as isize
        });
        let is_flipped = uniform() < 0.0;
        let (contrast, brightness) = ((1.0 + 0.25 * uniform()) as f32, 0.2 * uniform());
        let offsets = [(); 3].map(|()| (brightness + 0.1 * uniform()) as f32);
        Self { turns: 0, shift, is_flipped, contrast, offsets }
    }

    /// Writes the transformed image: first moved and flipped, then turned. Pixels become numbers from -1 to 1 first.
    ///
    /// **Shapes** `image` and `out` (height, width, channels), where height and width are equal if `turns` is odd.
    pub fn fill(&self, shape: Shape, image: &[u8], out: &mut [f32]) {
        let Shape { height, width, channels } = shape;
        for (at, out) in out.chunks_exact_mut(channels).enumerate() {
            let (row, column) = (at / width, at % width);
            let (row, column) = match self.turns % TURNS {
                0 => (row, column),
                1 => (column, height - 1 - row),
                2 => (height - 1 - row, width - 1 - column),
                _ => (width - 1 - column, row),
            };
            let column = if self.is_flipped { width - 1 - column } else { column };
            let from = [(row, self.shift[0], height), (column, self.shift[1], width)]
                .map(|(place, shift, size)| reflected(place as isize - shift, size));
            let pixel = &image[(from[0] * width + from[1]) * channels..][..channels];
            for ((out, &value), offset) in out.iter_mut().zip(pixel).zip(self.offsets) {
                *out = signed(value) * self.contrast + offset;
            }
        }
    }
}

/// The place of a pixel in an axis of `size` pixels, which is reflected at its first and last pixel.
pub(super) fn reflected(place: isize, size: usize) -> usize {
    let last = size as isize - 1;
    let period = (2 * last).max(1);
    let place = place.rem_euclid(period);
    place.min(period - place).min(last) as usize
}

#[cfg(feature = "checkpoint")]
mod archive {
    use super::*;
    use crate::checkpoint::Archive;

    impl Encoder {
        /// The value of the metadata key `model` in archives of an encoder.
        pub const KIND: &'static str = "encoder";

        /// Writes the encoder to an archive; see [`FeatureNetwork::to_archive`].
        ///
        /// **Errors** [`Error::InvalidArgument`] for parameters beyond the range of 16-bit floats.
        pub fn to_archive(&self) -> Result<Archive> {
            self.network.to_archive(Self::KIND)
        }

        /// Reads an encoder from an archive.
        ///
        /// **Errors** Those of [`FeatureNetwork::from_archive`].
        pub fn from_archive(archive: &Archive) -> Result<Self> {
            Ok(Self { network: FeatureNetwork::from_archive(Self::KIND, archive)? })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image of 3x3 pixels with the values 0 to 8.
    fn turned(view: View) -> Vec<f32> {
        let image: Vec<u8> = (0..9).collect();
        let mut out = vec![f32::NAN; 9];
        view.fill(Shape { height: 3, width: 3, channels: 1 }, &image, &mut out);
        // Back to bytes, exactly up to rounding.
        out.iter().map(|x| ((x + 1.0) * 127.5 * 16.0).round() / 16.0).collect()
    }

    #[test]
    fn views_turn_shift_flip_and_recolour_images() {
        let turns = |turns| turned(View { turns, ..View::PLAIN });
        assert_eq!(turns(0), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(turns(1), [2.0, 5.0, 8.0, 1.0, 4.0, 7.0, 0.0, 3.0, 6.0]);
        assert_eq!(turns(2), [8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
        assert_eq!(turns(3), [6.0, 3.0, 0.0, 7.0, 4.0, 1.0, 8.0, 5.0, 2.0]);
        // Down by 1: the row above the first is its reflection, the second.
        let shifted = turned(View { shift: [1, 0], ..View::PLAIN });
        assert_eq!(shifted, [3.0, 4.0, 5.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let flipped = turned(View { is_flipped: true, ..View::PLAIN });
        assert_eq!(flipped, [2.0, 1.0, 0.0, 5.0, 4.0, 3.0, 8.0, 7.0, 6.0]);
        // Grey value 0 is -1.
        let recoloured = turned(View { contrast: 2.0, offsets: [1.0; 3], ..View::PLAIN });
        assert_eq!(recoloured, [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0]);
        assert_eq!((-4..6).map(|at| reflected(at, 3)).collect::<Vec<_>>(), [0, 1, 2, 1, 0, 1, 2, 1, 0, 1]);
        assert_eq!((reflected(-3, 1), reflected(7, 1)), (0, 0));
    }

    #[test]
    fn random_views_reach_the_whole_range_and_nothing_beyond() {
        let shape = Shape { height: 32, width: 16, channels: 3 };
        let views: Vec<View> =
            (0..4000).map(|i| View::random(shape, Stream::named(1, "augment").substream(i))).collect();
        for (axis, most) in [4_isize, 2].into_iter().enumerate() {
            for shift in -most..=most {
                let count = views.iter().filter(|view| view.shift[axis] == shift).count();
                let expected = 4000 / (2 * most as usize + 1);
                assert!(count.abs_diff(expected) < expected / 4, "{count} shifts by {shift}, not {expected}");
            }
        }
        let flipped = views.iter().filter(|view| view.is_flipped).count();
        assert!(flipped.abs_diff(2000) < 200, "{flipped}");
        assert!(views.iter().all(|view| (0.75..=1.25).contains(&view.contrast) && view.turns == 0));
        assert!(views.iter().flat_map(|view| view.offsets).all(|offset| offset.abs() <= 0.3));
    }

    #[test]
    fn images_that_cannot_be_encoded_are_refused() {
        let shape = |height, width| Shape { height, width, channels: 3 };
        for (height, width) in [(32, 16), (7, 7), (0, 0)] {
            let error = Encoder::plan(shape(height, width)).unwrap_err().to_string();
            assert!(error.ends_with("they must be square, and at least 8 pixels high"), "{error}");
        }
        for size in [8, 9, 28, 33, 64] {
            let network = Encoder::plan(shape(size, size)).unwrap().build::<f32>().unwrap();
            assert_eq!(network.outputs(), TURNS);
            let zeros = Encoder::new(Encoder::plan(shape(size, size)).unwrap(), &network).unwrap_err();
            assert!(zeros.to_string().contains("encoder whose weights are all 0"), "{zeros}");
        }
    }
}
