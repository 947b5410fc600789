//! Deep convolutional networks (DCGAN) for square images.
//!
//! A generator turns a latent vector into an image of 4 to 7 pixels a side, then doubles the side with each layer. The
//! discriminator mirrors it. With width w and 32x32 pixels:
//!
//! ```text
//! generator      latent -> 4x4 x 4w -> 8x8 x 2w -> 16x16 x w -> 32x32 x channels
//! discriminator  32x32 x channels -> 16x16 x w -> 8x8 x 2w -> 4x4 x 4w -> 1
//! ```
//!
//! Layers that change the side have 4x4 kernels, stride 2 and padding 1. The generator's first layer and the
//! discriminator's last have a kernel as large as the smallest image, stride 1 and no padding. The generator has batch
//! normalisation and ReLU between its layers and tanh at its end; the discriminator has leaky ReLUs of slope 0.2. An image
//! of 64x64 pixels takes one more layer, of 8w channels; one of 28x28 starts at 7x7 and takes one less.
//!
//! Images are channels-last, so the discriminator's last layer and a linear layer read them as they are; a layer that
//! flattens them is not needed.
//!
//! **Source** Radford, Metz & Chintala 2016; the layers are those of PyTorch's example.

use super::mlp::{Normalisation, SLOPE};
use super::{Networks, Plan};
use crate::nn::{ConvSpec, Shape, Spec};
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;

/// The usual number of channels of the layer beside the image.
pub const WIDTH: usize = 64;

/// The smallest side at which an image is no longer halved is between this number and twice this number.
const SMALLEST: usize = 4;

/// A DCGAN for square images of this shape.
///
/// `width` is the number of channels of the layer beside the image, 64 in the original. `normalisation` is that of the
/// discriminator's layers between the first and the last; spectral normalisation is that of all its layers.
///
/// **Errors** [`Error::InvalidArgument`] if the images are not square or their side cannot be halved to 4, 5, 6 or 7; if they
/// have neither 1 nor 3 channels; if `latent` or `width` is 0 or too large.
///
/// ```
/// use equilibria::adversarial::{Normalisation, dcgan};
/// use equilibria::nn::Shape;
/// let digits = Shape { height: 28, width: 28, channels: 1 };
/// let networks = dcgan(digits, 100, 64, Normalisation::Batch)?;
/// let text = "100: conv-transpose 128 kernel 7 stride 1 padding 0 no-bias, batch-norm, relu, conv-transpose 64 kernel 4 \
///             stride 2 padding 1 no-bias, batch-norm, relu, conv-transpose 1 kernel 4 stride 2 padding 1 no-bias, tanh";
/// assert_eq!(networks.generator.to_string(), text);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn dcgan(image: Shape, latent: usize, width: usize, normalisation: Normalisation) -> Result<Networks> {
    let (start, halvings) = halve(image)?;
    if !matches!(image.channels, 1 | 3) {
        let what = format!("a DCGAN for images of {} channels", image.channels);
        return Err(Error::invalid(what, "images have 1 channel (grey) or 3 (colour)"));
    }
    let most = 1_usize.checked_shl(halvings - 1).and_then(|factor| width.checked_mul(factor));
    let (Some(most), 1..) = (most.filter(|&most| most > 0 && most <= LARGEST), latent) else {
        let what = format!("a DCGAN of width {width} with latents of {latent} numbers");
        return Err(Error::invalid(what, "both are at least 1, and no layer has more than 2^24 channels"));
    };
    // From the smallest image to the largest.
    let channels: Vec<usize> = (0..halvings).map(|layer| most >> layer).collect();
    let generator = generator(start, latent, &channels, image.channels);
    Ok(Networks { generator, discriminator: discriminator(image, start, &channels, normalisation) })
}

/// The most channels of a layer: beyond any use, and small enough that sizes can be computed.
const LARGEST: usize = 1 << 24;

/// The side of the smallest image, and the number of halvings that lead to it.
fn halve(image: Shape) -> Result<(usize, u32)> {
    let (mut side, mut halvings) = (image.height, 0);
    while side.is_multiple_of(2) && side >= 2 * SMALLEST {
        side /= 2;
        halvings += 1;
    }
    if image.height != image.width || halvings == 0 || side >= 2 * SMALLEST {
        return Err(Error::invalid(
            format!("a DCGAN for images of {}x{} pixels", image.height, image.width),
            "images are square, with a side of 4, 5, 6 or 7 pixels times a power of 2, such as 28, 32 or 64",
        ));
    }
    Ok((side, halvings))
}

/// A layer that halves or doubles the side of an image.
fn strided(channels: usize, bias: bool) -> ConvSpec {
    ConvSpec { channels, kernel: 4, stride: 2, padding: 1, bias }
}

/// A layer between an image of this side and a single pixel.
fn whole(channels: usize, side: usize, bias: bool) -> ConvSpec {
    ConvSpec { channels, kernel: side, stride: 1, padding: 0, bias }
}

fn generator(start: usize, latent: usize, channels: &[usize], image_channels: usize) -> Plan {
    let mut layers = Vec::new();
    for (index, &channels) in channels.iter().enumerate() {
        let spec = if index == 0 { whole(channels, start, false) } else { strided(channels, false) };
        layers.extend([Spec::ConvTranspose(spec), Spec::BatchNorm, Spec::Relu]);
    }
    layers.extend([Spec::ConvTranspose(strided(image_channels, false)), Spec::Tanh]);
    Plan { input: latent.into(), layers }
}

fn discriminator(image: Shape, start: usize, channels: &[usize], normalisation: Normalisation) -> Plan {
    // Normalised layers need no bias, and the original has none at all.
    let bias = normalisation.layer().is_none();
    let conv = if normalisation == Normalisation::Spectral { Spec::SpectralConv } else { Spec::Conv };
    let mut layers = Vec::new();
    for (index, &channels) in channels.iter().rev().enumerate() {
        layers.push(conv(strided(channels, bias)));
        layers.extend(normalisation.layer().filter(|_| index > 0));
        layers.push(Spec::LeakyRelu(SLOPE));
    }
    layers.push(conv(whole(1, start, bias)));
    Plan { input: image, layers }
}
