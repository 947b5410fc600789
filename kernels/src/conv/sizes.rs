//! The sizes of a convolution, and the conditions that they fulfil.

use super::taps::Axis;
use core::fmt;

/// The sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Images.
    pub batch: usize,
    /// Pixels of an image, in height and width.
    pub image: [usize; 2],
    /// Numbers in a pixel of x.
    pub channels_in: usize,
    /// Numbers in a pixel of y.
    pub channels_out: usize,
    /// Pixels of the kernel, in height and width.
    pub kernel: [usize; 2],
    /// Pixels of x between neighbouring pixels of y, in height and width.
    pub stride: [usize; 2],
    /// Zeros before the first and after the last pixel of x, in height and width.
    pub padding: [usize; 2],
}

/// A convolution whose sizes fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    sizes: Sizes,
    /// Pixels of y, in height and width.
    output: [usize; 2],
}

/// The reason for which [`Sizes`] make no convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConvolutionError {
    /// A stride or a side of the kernel is 0.
    Zero,
    /// The kernel is larger than the padded image.
    KernelTooLarge,
    /// A tensor has more numbers than can be addressed.
    TooLarge,
    /// Minimal filtering does not compute such a convolution.
    NotMinimal,
    /// Tiles of minimal filtering that lose accuracy.
    TileTooLarge,
}

impl fmt::Display for ConvolutionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zero => "kernel and stride of a convolution are at least 1",
            Self::KernelTooLarge => "the kernel of a convolution fits into the padded image",
            Self::TooLarge => "the tensors of a convolution have at most as many numbers as can be addressed",
            Self::NotMinimal => {
                "minimal filtering needs a 4x4 kernel, stride 2, padding 1, channels that are multiples of 16, and tiles that \
                 divide the output"
            }
            Self::TileTooLarge => "minimal filtering has tiles of 2x2 or 4x4 outputs; larger ones lose accuracy",
        })
    }
}

impl core::error::Error for ConvolutionError {}

impl Convolution {
    /// Checks the sizes.
    pub fn new(sizes: Sizes) -> Result<Self, ConvolutionError> {
        let Sizes { batch, image, channels_in, channels_out, kernel, stride, padding } = sizes;
        if kernel.contains(&0) || stride.contains(&0) {
            return Err(ConvolutionError::Zero);
        }
        let mut output = [0; 2];
        for axis in 0..2 {
            let padded = padding[axis].checked_mul(2).and_then(|both| both.checked_add(image[axis]));
            let padded = padded.ok_or(ConvolutionError::TooLarge)?;
            let last = padded.checked_sub(kernel[axis]).ok_or(ConvolutionError::KernelTooLarge)?;
            output[axis] = last / stride[axis] + 1;
        }
        let is_addressable = |factors: [usize; 4]| {
            let product = factors.into_iter().try_fold(1_usize, usize::checked_mul);
            product.is_some_and(|length| length <= isize::MAX as usize / size_of::<f64>())
        };
        let tensors = [
            [batch, image[0], image[1], channels_in],
            [batch, output[0], output[1], channels_out],
            [kernel[0], kernel[1], channels_in, channels_out],
        ];
        // A factor of 0 must not hide others that overflow.
        if !tensors.iter().all(|factors| is_addressable(factors.map(|factor| factor.max(1)))) {
            return Err(ConvolutionError::TooLarge);
        }
        Ok(Self { sizes, output })
    }

    /// The sizes.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// The pixels of y, in height and width.
    pub fn output(&self) -> [usize; 2] {
        self.output
    }

    /// The numbers in x (batch, height, width, in).
    pub fn x_len(&self) -> usize {
        let Sizes { batch, image, channels_in, .. } = self.sizes;
        batch * image[0] * image[1] * channels_in
    }

    /// The numbers in y (batch, height, width, out).
    pub fn y_len(&self) -> usize {
        self.sizes.batch * self.output[0] * self.output[1] * self.sizes.channels_out
    }

    /// The numbers in w (kernel height, kernel width, in, out).
    pub fn w_len(&self) -> usize {
        let Sizes { kernel, channels_in, channels_out, .. } = self.sizes;
        kernel[0] * kernel[1] * channels_in * channels_out
    }

    pub(super) fn axes(&self) -> [Axis; 2] {
        [0, 1].map(|axis| Axis {
            image: self.sizes.image[axis],
            output: self.output[axis],
            kernel: self.sizes.kernel[axis],
            stride: self.sizes.stride[axis],
            padding: self.sizes.padding[axis],
        })
    }
}
