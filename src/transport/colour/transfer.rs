//! A fitted transfer: from two images to a map of colours, and from the map to a new image.

use super::affine::{Affine, gaussian_of};
use super::area::Area;
use super::cells::{Cells, check_weights};
use super::finish::Finish;
use super::image::ColourImage;
use super::lut::ColourLut;
use super::settings::{ColourMethod, ColourSettings};
use crate::parallel::{Chunks, for_each_split};
use crate::transport::{Cost, ExactOptions, Flow, Ground, Marginals, TransportPlan, exact};
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;

/// A map of colours.
#[derive(Debug, Clone)]
enum Map {
    Identity,
    Affine(Affine),
}

/// A map from the colours of a source image to those of a target image.
///
/// ```
/// use equilibria::transport::colour::{ColourImage, ColourMethod, ColourSettings, ColourTransfer};
/// let source = ColourImage::new(1, 2, vec![0.2, 0.2, 0.2, 0.4, 0.4, 0.4])?;
/// let target = ColourImage::new(1, 2, vec![0.5, 0.5, 0.5, 0.9, 0.9, 0.9])?;
/// let settings = ColourSettings::of(ColourMethod::Palette);
/// let transfer = ColourTransfer::fit(&source, &target, [None, None], &settings)?;
/// let result = transfer.apply(&source, None)?;
/// assert!(result.values()[0] > 0.4 && result.values()[3] > 0.7);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ColourTransfer {
    map: Map,
    settings: ColourSettings,
    source: Cells,
    target: Cells,
}

/// A colour of a palette.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaletteColour {
    /// sRGB-encoded red, green and blue.
    pub colour: [f32; 3],
    /// The share of the image, 0 to 1.
    pub mass: f64,
}

/// The palettes of both images, and the mass that moves between them.
#[derive(Debug, Clone, PartialEq)]
pub struct ColourFlows {
    /// The source's colours, in falling order of mass.
    pub source: Vec<PaletteColour>,
    /// The target's colours, in falling order of mass.
    pub target: Vec<PaletteColour>,
    /// The optimal plan: rows are colours of the source, columns of the target.
    pub flows: Vec<Flow>,
}

impl ColourTransfer {
    /// Finds the map from the colours of `source` to those of `target`.
    ///
    /// The images may differ in size. White or black frames and bars are left out, except by the report's methods.
    ///
    /// **Shapes** Each weight, of the source and of the target: one for each pixel, (height, width); `None` is 1 everywhere.
    ///
    /// **Errors** [`Error::InvalidArgument`] for a setting outside its range, weights that are negative or not finite, or
    /// without a positive one; [`Error::ShapeMismatch`] if weights do not fit.
    ///
    /// **Randomness** The report's samples and the directions of iterative transfer, from `settings.seed`; nothing else.
    ///
    /// **Accuracy and cost** All pixels count, in any number. The result does not depend on the number of threads.
    pub fn fit(
        source: &ColourImage,
        target: &ColourImage,
        weights: [Option<&[f32]>; 2],
        settings: &ColourSettings,
    ) -> Result<Self> {
        settings.check()?;
        let [of_source, of_target] = [source, target].map(|image| area(settings, image));
        let source_cells = Cells::of(source, weights[0], &of_source, "weights of the source")?;
        let target_cells = Cells::of(target, weights[1], &of_target, "weights of the target")?;
        let space = settings.space();
        let gaussians = || -> Result<_> {
            Ok((
                gaussian_of(source, weights[0], &of_source, space)?,
                gaussian_of(target, weights[1], &of_target, space)?,
            ))
        };
        let map = match settings.method {
            ColourMethod::Identity => Map::Identity,
            ColourMethod::MeanVariance => {
                let (source, target) = gaussians()?;
                Map::Affine(Affine::mean_variance(&source, &target))
            }
            _ => {
                let (source, target) = gaussians()?;
                Map::Affine(Affine::monge(&source, &target)?)
            }
        };
        Ok(Self { map, settings: *settings, source: source_cells, target: target_cells })
    }

    /// Applies the map to an image, usually the source.
    ///
    /// **Shapes** `mask` (height, width): the part of the change that is made, 0 to 1, for each pixel; `None` is 1 everywhere.
    ///
    /// **Errors** [`Error::ShapeMismatch`] or [`Error::InvalidArgument`] if the mask does not fit.
    pub fn apply(&self, image: &ColourImage, mask: Option<&[f32]>) -> Result<ColourImage> {
        check_weights(image, mask, 1.0, "mask")?;
        let area = area(&self.settings, image);
        let finish = self.finish();
        let mut values = image.values().to_vec();
        let width = image.width();
        for_each_split(image.height(), true, Chunks(&mut values, 3 * width), &|row, out| {
            if !area.rows.contains(&row) {
                return;
            }
            for column in area.columns.clone() {
                let pixel = &mut out.0[3 * column..][..3];
                let colour = [pixel[0], pixel[1], pixel[2]];
                let share = self.settings.strength * mask.map_or(1.0, |mask| mask[row * width + column]);
                pixel.copy_from_slice(&finish.pixel(colour, self.moved(colour), share));
            }
        });
        Ok(image.with_values(values))
    }

    /// The map as a look-up table with `size` nodes along each axis, strength and luma lock included.
    ///
    /// **Errors** [`Error::InvalidArgument`] for a method that is not a smooth map of the colour alone, or a size outside 2 to
    /// 256.
    pub fn lut(&self, size: usize) -> Result<ColourLut> {
        let finish = self.finish();
        ColourLut::from_fn(size, |colour| finish.pixel(colour, self.moved(colour), self.settings.strength))
    }

    /// Palettes of at most `count` colours of both images and the optimal plan between them: a picture of where the mass of a
    /// colour goes.
    ///
    /// **Errors** [`Error::InvalidArgument`] if `count` is not between 1 and 4096.
    pub fn flows(&self, count: usize) -> Result<ColourFlows> {
        if !(1..=4096).contains(&count) {
            return Err(Error::invalid(
                format!("palettes of {count} colours"),
                "between 1 and 4096 are needed",
            ));
        }
        let space = self.settings.space();
        let [source, target] = [&self.source, &self.target].map(|cells| {
            let palette = cells.palette(count, space);
            let mut order: Vec<usize> = (0..palette.masses.len()).collect();
            order.sort_by(|&i, &j| palette.masses[j].total_cmp(&palette.masses[i]));
            Cells {
                colours: order.iter().map(|&i| palette.colours[i]).collect(),
                masses: order.iter().map(|&i| palette.masses[i]).collect(),
            }
        });
        let cost = Cost::points(&source.points(space), &target.points(space), Ground::SquaredEuclidean)?;
        let marginals = Marginals::normalised(&source.masses, &target.masses)?;
        let solution = exact(&cost, &marginals, ExactOptions { plan: true, ..ExactOptions::default() })?;
        let flows = match solution.plan {
            Some(TransportPlan::Sparse(flows)) => flows,
            _ => Vec::new(),
        };
        let listed = |cells: Cells| -> Vec<PaletteColour> {
            let colours = cells.colours.iter().zip(cells.masses);
            colours.map(|(colour, mass)| PaletteColour { colour: colour.map(|x| x as f32), mass }).collect()
        };
        Ok(ColourFlows { source: listed(source), target: listed(target), flows })
    }

    fn finish(&self) -> Finish {
        Finish { keep_luminance: self.settings.keep_luminance, clip: self.settings.method.is_report() }
    }

    /// The colour that a colour moves to, before the finish.
    fn moved(&self, colour: [f32; 3]) -> [f32; 3] {
        match &self.map {
            Map::Identity => colour,
            Map::Affine(map) => {
                let space = self.settings.space();
                space.to_srgb(map.at(space.from_srgb(colour.map(f64::from)))).map(|x| x as f32)
            }
        }
    }
}

/// The pixels that count.
fn area(settings: &ColourSettings, image: &ColourImage) -> Area {
    if settings.method.is_report() { Area::whole(image) } else { Area::content(image) }
}
