//! Copies between images and patches.

use super::taps::Axis;
use crate::activation::Activation;
use crate::gemm::epilogue::{self, Slopes};
use crate::lanes::{Lanes, Operation, Scalar};
use core::ops::Range;

/// Copies between an image and the patches of some rows of output pixels.
pub struct Patches<T> {
    pub(super) axes: [Axis; 2],
    pub(super) channels: usize,
    pub(super) rows: Range<usize>,
    pub(super) image: *mut T,
    pub(super) patches: *mut T,
    pub(super) stride: usize,
    pub(super) step: Step<T>,
}

pub(super) enum Step<T> {
    /// Image to patches; padding is 0.
    Fill,
    /// Adds patches to the image.
    Add,
    /// Sets the image to 0.
    Clear,
    /// The epilogue of an image: bias, activation, slopes and their outputs.
    Finish { bias: *const T, activation: Activation<T>, slopes: Option<(Activation<T>, *const T)> },
}

impl<T: Scalar> Operation<T> for Patches<T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let [vertical, horizontal] = self.axes;
        let len = vertical.image * horizontal.image * self.channels;
        // SAFETY: the functions below pass an image, and room for the patches of these rows.
        unsafe {
            match self.step {
                Step::Fill => self.copy::<L, true>(lanes),
                Step::Add => self.copy::<L, false>(lanes),
                Step::Clear => self.image.write_bytes(0, len),
                Step::Finish { bias, activation, slopes } => {
                    let (identity, none) = (Activation::Identity, Slopes::NONE);
                    if !bias.is_null() {
                        let (pixels, channels) = (len / self.channels, self.channels);
                        epilogue::apply(lanes, bias, identity, none, self.image, channels, pixels, channels);
                    }
                    // The rest is the same for all channels: one row.
                    let slopes = slopes.map_or(none, |(activation, outputs)| Slopes {
                        activation,
                        outputs,
                        row_stride: len,
                    });
                    epilogue::apply(lanes, core::ptr::null(), activation, slopes, self.image, len, 1, len);
                }
            }
        }
    }
}

impl<T: Scalar> Patches<T> {
    /// Copies from the image to the patches, or adds in the other direction.
    ///
    /// # Safety
    /// The image and the patches are there.
    #[inline(always)]
    unsafe fn copy<L: Lanes<Scalar = T>, const FILL: bool>(&self, lanes: L) {
        let [vertical, horizontal] = self.axes;
        let kernel_row = horizontal.kernel * self.channels;
        let mut patch = self.patches;
        for i in self.rows.clone() {
            let inside = vertical.positions(i);
            for j in 0..horizontal.output {
                let columns = horizontal.positions(j);
                let (first, len) = (columns.start * self.channels, columns.len() * self.channels);
                let is_whole = inside.len() == vertical.kernel && len == kernel_row;
                // SAFETY: positions are inside the image, and the patch has kernel rows of `kernel_row` elements.
                unsafe {
                    if FILL && !is_whole {
                        patch.write_bytes(0, vertical.kernel * kernel_row);
                    }
                    for k in if len == 0 { 0..0 } else { inside.clone() } {
                        let row = vertical.input(i, k) * horizontal.image;
                        let pixel = row + horizontal.input(j, columns.start);
                        let image = self.image.add(pixel * self.channels);
                        let patch = patch.add(k * kernel_row + first);
                        let (from, to) = if FILL { (image, patch) } else { (patch, image) };
                        for place in (0..len).step_by(L::COUNT) {
                            let count = (len - place).min(L::COUNT);
                            let mut x = lanes.load_first(from.add(place), count);
                            if !FILL {
                                x = lanes.add(x, lanes.load_first(to.add(place), count));
                            }
                            lanes.store_first(to.add(place), x, count);
                        }
                    }
                    patch = patch.add(self.stride);
                }
            }
        }
    }
}
