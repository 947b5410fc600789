//! The convolutions that minimal filtering computes.

use crate::conv::sizes::{Convolution, ConvolutionError, Sizes};

/// The images with even or odd rows and even or odd columns.
pub(super) const PHASES: usize = 4;
/// Channels are multiples of this number, which is a whole number of vectors at every level.
pub(super) const CHANNELS: usize = 16;
const MOST_CHANNELS: usize = 1 << 16;
const MOST_PIXELS: usize = 1 << 24;

/// A convolution that is computed by minimal filtering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinimalFiltering {
    convolution: Convolution,
    /// Outputs of a tile along each axis: 2 or 4.
    tile: usize,
}

impl MinimalFiltering {
    /// Computes `convolution` by tiles of `tile`×`tile` outputs: 2 for F(2, 2), 4 for F(4, 2).
    ///
    /// **Errors** [`ConvolutionError::NotMinimal`] unless the kernel is 4×4 with stride 2 and padding 1, the tiles divide the
    /// output, and both numbers of channels are multiples of 16. [`ConvolutionError::TileTooLarge`] for other tiles: with 8
    /// outputs, errors are 300 times those of the definition. [`ConvolutionError::TooLarge`] beyond 2^16 channels or 2^24
    /// pixels of an output.
    ///
    /// **Accuracy and cost** 0.56 and 0.39 of the multiplications. Rounding errors, root mean square, are at most 2.5 and 5 times
    /// those of the direct path.
    pub fn new(convolution: Convolution, tile: usize) -> Result<Self, ConvolutionError> {
        if tile != 2 && tile != 4 {
            return Err(ConvolutionError::TileTooLarge);
        }
        let Sizes { channels_in, channels_out, kernel, stride, padding, .. } = convolution.sizes();
        let divides = convolution.output().iter().all(|output| output.is_multiple_of(tile))
            && [channels_in, channels_out].iter().all(|&n| n > 0 && n.is_multiple_of(CHANNELS));
        if !divides || kernel != [4; 2] || stride != [2; 2] || padding != [1; 2] {
            return Err(ConvolutionError::NotMinimal);
        }
        // No length below overflows.
        let pixels = convolution.output()[0].saturating_mul(convolution.output()[1]);
        if channels_in.max(channels_out) > MOST_CHANNELS || pixels > MOST_PIXELS {
            return Err(ConvolutionError::TooLarge);
        }
        Ok(Self { convolution, tile })
    }

    /// The filter that is faster than the direct path, if there is one: F(4, 2) where its tiles divide the output, else
    /// F(2, 2), from 32 channels on both sides.
    pub fn usual(convolution: Convolution) -> Option<Self> {
        let Sizes { batch, channels_in, channels_out, .. } = convolution.sizes();
        let is_worth_it = batch > 0 && channels_in.min(channels_out) >= 32;
        [4, 2].iter().filter(|_| is_worth_it).find_map(|&tile| Self::new(convolution, tile).ok())
    }

    /// The convolution.
    pub fn convolution(&self) -> Convolution {
        self.convolution
    }

    /// Outputs of a tile along each axis.
    pub fn tile(&self) -> usize {
        self.tile
    }

    /// Tiles of an image.
    pub(super) fn tiles(&self) -> [usize; 2] {
        self.convolution.output().map(|output| output / self.tile)
    }

    pub(super) fn tiles_per_image(&self) -> usize {
        self.tiles()[0] * self.tiles()[1]
    }

    pub(super) fn points(&self) -> usize {
        (self.tile + 1) * (self.tile + 1)
    }

    /// Channels of all phases, and of the output.
    pub(super) fn channels(&self) -> [usize; 2] {
        let Sizes { channels_in, channels_out, .. } = self.convolution.sizes();
        [PHASES * channels_in, channels_out]
    }

    /// Elements between two points of the transformed weights: an odd number of cache lines, as powers of 2 would compete for
    /// the same sets of a cache.
    pub(super) fn points_of_weights<T>(&self, width: usize) -> [usize; 2] {
        let ([k, n], line) = (self.channels(), 64 / size_of::<T>());
        [(n, k), (k, n)].map(|(columns, depth)| {
            let len = columns.next_multiple_of(width) * depth;
            (len.div_ceil(line) | 1) * line
        })
    }
}
