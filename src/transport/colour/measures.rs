//! Measures of a colour transfer: distance from the target's colours, structure kept, colours lost.
//!
//! *Distance.* The sliced distance W₂ and the debiased divergence between the colours of all pixels of the result and of the
//! target, in encoded values.
//!
//! *Structure.* With x and y the lumas of source and result in a window of 8 x 8 pixels, means μ, deviations σ and covariance
//! σ_xy, the structural similarity is the mean over windows of
//!
//! ```text
//! SSIM = (2 μ_x μ_y + c₁) (2 σ_xy + c₂) / ((μ_x² + μ_y² + c₁) (σ_x² + σ_y² + c₂)),    c₁ = 0.01², c₂ = 0.03²
//! ```
//!
//! (Wang et al. 2004), and the gradient similarity is the mean over pixels of (2 g_x g_y + c) / (g_x² + g_y² + c) with the lengths
//! g of the gradients and c = 0.0026 (Xue et al. 2014). Both are 1 for equal images.
//!
//! *Colours lost.* A smooth gradient that becomes bands has fewer colours: 1 minus the number of different colours of 8 bits in
//! the result, divided by that in the source, at least 0.

use super::area::Area;
use super::cells::Cells;
use super::domain::DISPLAYED;
use super::finish::luma;
use super::image::ColourImage;
use super::space::ColourSpace;
use crate::rng::Stream;
use crate::transport::cost::Ground;
use crate::transport::divergence::sinkhorn_divergence;
use crate::transport::marginals::Marginals;
use crate::transport::sliced::weighted_sliced_wasserstein;
use crate::{Error, Result};
use alloc::vec;

/// Directions of the sliced distance.
const DIRECTIONS: usize = 32;
/// Colours and ε of the divergence.
const COLOURS: usize = 512;
const EPSILON: f64 = 0.01;
/// The side of a window and the distance of windows.
const WINDOW: usize = 8;
const STEP: usize = 4;

/// Measures of a colour transfer.
///
/// See the example of [`measure`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct TransferMeasures {
    /// The sliced distance W₂ from the target's colours, in encoded values.
    pub sliced_distance: f64,
    /// The debiased Sinkhorn divergence from the target's colours with ε = 0.01, in squared encoded values.
    pub divergence: f64,
    /// The structural similarity of the lumas of source and result: 1 for equal images.
    pub luminance_ssim: f64,
    /// The gradient similarity of the lumas of source and result: 1 for equal images.
    pub gradient_similarity: f64,
    /// The share of the source's colours (of 8 bits) that are lost, at least 0.
    pub colours_lost: f64,
}

/// Measures the transfer of the colours of `target` to `source` that gave `result`.
///
/// White and black frames do not count as colours.
///
/// **Errors** [`Error::ShapeMismatch`] if source and result differ in size.
///
/// **Randomness** The directions of the sliced distance are those of one fixed stream.
///
/// **Accuracy and cost** Distances are between the mean colours of 64 x 64 x 64 cells, with all pixels counted. About a second
/// for photographs.
///
/// ```
/// use equilibria::transport::colour::{ColourImage, measure};
/// let grey = ColourImage::new(1, 2, vec![0.2, 0.2, 0.2, 0.6, 0.6, 0.6])?;
/// let found = measure(&grey, &grey, &grey)?;
/// assert!(found.sliced_distance < 1e-9 && found.luminance_ssim == 1.0 && found.colours_lost == 0.0);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn measure(source: &ColourImage, target: &ColourImage, result: &ColourImage) -> Result<TransferMeasures> {
    let shape = |image: &ColourImage| vec![image.height(), image.width(), 3];
    if shape(source) != shape(result) {
        let (expected, found) = (shape(source), shape(result));
        return Err(Error::ShapeMismatch { operation: "measures of a colour transfer", expected, found });
    }
    let found = Cells::of(result, None, &Area::content(source), DISPLAYED, "weights")?;
    let wanted = Cells::of(target, None, &Area::content(target), DISPLAYED, "weights")?;
    let points = |cells: &Cells| cells.points(ColourSpace::Srgb);
    let masses = Marginals::normalised(&found.masses, &wanted.masses)?;
    let stream = Stream::named(1, "evaluate");
    let sliced =
        weighted_sliced_wasserstein(&points(&found), &points(&wanted), &masses, 2, DIRECTIONS, stream)?;
    let [found, wanted] = [found, wanted].map(|cells| cells.palette(COLOURS, ColourSpace::Srgb));
    let masses = Marginals::normalised(&found.masses, &wanted.masses)?;
    let divergence = sinkhorn_divergence(
        &points(&found),
        &points(&wanted),
        &masses,
        Ground::SquaredEuclidean,
        EPSILON,
        1e-4,
    )?;
    let before = colours(source);
    Ok(TransferMeasures {
        sliced_distance: sliced.distance,
        divergence: divergence.value,
        luminance_ssim: similarity(source, result),
        gradient_similarity: gradient_similarity(source, result),
        colours_lost: (before - colours(result)).max(0.0) / before,
    })
}

fn luma_at(image: &ColourImage, row: usize, column: usize) -> f64 {
    let at = &image.values()[3 * (row * image.width() + column)..][..3];
    f64::from(luma([at[0], at[1], at[2]]))
}

/// The mean structural similarity.
fn similarity(source: &ColourImage, result: &ColourImage) -> f64 {
    let (height, width) = (WINDOW.min(source.height()), WINDOW.min(source.width()));
    let count = (height * width) as f64;
    let (mut sum, mut windows) = (0.0, 0.0);
    for top in (0..=source.height() - height).step_by(STEP) {
        for left in (0..=source.width() - width).step_by(STEP) {
            let [mut x, mut y, mut xx, mut yy, mut xy] = [0.0; 5];
            for row in top..top + height {
                for column in left..left + width {
                    let (a, b) = (luma_at(source, row, column), luma_at(result, row, column));
                    x += a / count;
                    y += b / count;
                    xx += a * a / count;
                    yy += b * b / count;
                    xy += a * b / count;
                }
            }
            let (c1, c2) = (1e-4, 9e-4);
            let (variances, covariance) = (xx - x * x + yy - y * y, xy - x * y);
            sum += (2.0 * x * y + c1) * (2.0 * covariance + c2) / ((x * x + y * y + c1) * (variances + c2));
            windows += 1.0;
        }
    }
    sum / windows
}

/// The mean gradient similarity.
fn gradient_similarity(source: &ColourImage, result: &ColourImage) -> f64 {
    const C: f64 = 0.0026;
    let (height, width) = (source.height(), source.width());
    let length = |image: &ColourImage, row: usize, column: usize| {
        let down = luma_at(image, (row + 1).min(height - 1), column) - luma_at(image, row.max(1) - 1, column);
        let right = luma_at(image, row, (column + 1).min(width - 1)) - luma_at(image, row, column.max(1) - 1);
        libm::sqrt(down * down + right * right)
    };
    let mut sum = 0.0;
    for row in 0..height {
        for column in 0..width {
            let (x, y) = (length(source, row, column), length(result, row, column));
            sum += (2.0 * x * y + C) / (x * x + y * y + C);
        }
    }
    sum / source.pixels() as f64
}

/// The number of different colours of 8 bits.
fn colours(image: &ColourImage) -> f64 {
    let mut seen = vec![0_u64; 1 << 18];
    for pixel in image.values().chunks_exact(3) {
        let colour = pixel.iter().fold(0, |colour, x| colour << 8 | (x * 255.0 + 0.5) as usize);
        seen[colour >> 6] |= 1 << (colour & 63);
    }
    seen.iter().map(|word| f64::from(word.count_ones())).sum()
}
