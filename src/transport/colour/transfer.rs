//! A fitted transfer: from two images to a map of colours, and from the map to a new image.

use super::affine::{Affine, gaussian_of};
use super::area::Area;
use super::cells::{Cells, check_weights};
use super::domain::{DISPLAYED, WIDE};
use super::finish::Finish;
use super::flows::ColourFlows;
use super::guided::Field;
use super::image::ColourImage;
use super::lines::Lines;
use super::lut::ColourLut;
use super::map::{Map, Tables};
use super::palette::{self, FINE_SCALES, SCALES};
use super::regrain::regrain;
use super::report::Samples;
use super::settings::{ColourMethod, ColourSettings};
use crate::parallel::{Chunks, for_each_split};
use crate::rng::Stream;
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::array;

/// ε of the report's entropic plan.
const REPORT_EPSILON: f64 = 0.1;

/// A map from the colours of a source image to those of a target image.
///
/// ```
/// use equilibria::transport::colour::{ColourImage, ColourSettings, ColourTransfer};
/// let source = ColourImage::new(1, 2, vec![0.2, 0.2, 0.2, 0.4, 0.4, 0.4])?;
/// let target = ColourImage::new(1, 2, vec![0.5, 0.5, 0.5, 0.9, 0.9, 0.9])?;
/// let transfer = ColourTransfer::fit(&source, &target, [None, None], &ColourSettings::default())?;
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
    /// **Randomness** The report's samples and the directions of iterative transfer, from the stream `colours` of
    /// `settings.seed`; the other methods draw nothing.
    ///
    /// **Accuracy and cost** All pixels count, in any number. 12 bytes of memory a pixel beside the images for
    /// [`ColourMethod::Palette`], none for the others. The result does not depend on the number of threads.
    pub fn fit(
        source: &ColourImage,
        target: &ColourImage,
        weights: [Option<&[f32]>; 2],
        settings: &ColourSettings,
    ) -> Result<Self> {
        settings.check()?;
        let areas = [source, target].map(|image| area(settings, image));
        // Both maps of the palette method divide the colours in the same way, so that equal images stay equal.
        let domain = if settings.method == ColourMethod::Palette { WIDE } else { DISPLAYED };
        let of_source = Cells::of(source, weights[0], &areas[0], domain, "weights of the source")?;
        let of_target = Cells::of(target, weights[1], &areas[1], domain, "weights of the target")?;
        let space = settings.space();
        let stream = Stream::named(settings.seed, "colours");
        let gaussian = |side: usize| gaussian_of([source, target][side], weights[side], &areas[side], space);
        let map = match settings.method {
            ColourMethod::Identity => Map::Identity,
            ColourMethod::MeanVariance => Map::Affine(Affine::mean_variance(&gaussian(0)?, &gaussian(1)?)),
            ColourMethod::Linear => Map::Affine(Affine::monge(&gaussian(0)?, &gaussian(1)?)?),
            ColourMethod::HistogramMatching => Map::Lines(Lines::matching(&of_source, &of_target, space)?),
            ColourMethod::Iterative => Map::Lines(Lines::iterative(&of_source, &of_target, space, stream)),
            ColourMethod::ReportExact | ColourMethod::ReportEntropic => {
                let is_entropic = settings.method == ColourMethod::ReportEntropic;
                let epsilon = is_entropic.then(|| settings.epsilon.unwrap_or(REPORT_EPSILON));
                let (images, count) = ([source, target], settings.samples);
                Map::Samples(Samples::fit(images, weights, count, epsilon, (space, stream))?)
            }
            ColourMethod::Palette => {
                let solver = (settings.epsilon, settings.mass_relaxation);
                let first = palette::fit(&of_source, &of_target, space, (DISPLAYED, &SCALES), solver)?;
                Map::Tables(Tables { first, second: None })
            }
        };
        let mut transfer = Self { map, settings: *settings, source: of_source, target: of_target };
        if settings.filter {
            transfer.refine(source, weights[0], &areas[0])?;
        }
        Ok(transfer)
    }

    /// Adds the second table of [`ColourMethod::Palette`], from the colours of the filtered source to the target's.
    fn refine(&mut self, source: &ColourImage, weights: Option<&[f32]>, area: &Area) -> Result<()> {
        let Map::Tables(Tables { first, second: None }) = &self.map else { return Ok(()) };
        let field = filter(first, source, area);
        let mut values = source.values().to_vec();
        let (width, columns) = (source.width(), &area.columns);
        let content = &mut values[3 * width * area.rows.start..3 * width * area.rows.end];
        for_each_split(area.rows.len(), true, Chunks(content, 3 * width), &|row, pixels| {
            field.shift_row(row, &mut pixels.0[3 * columns.start..3 * columns.end]);
        });
        let filtered = source.with_values(values);
        let cells = Cells::of(&filtered, weights, area, WIDE, "weights of the source")?;
        let solver = (self.settings.epsilon, self.settings.mass_relaxation);
        let second = palette::fit(&cells, &self.target, self.settings.space(), (WIDE, &FINE_SCALES), solver)?;
        self.map = Map::Tables(Tables { first: first.clone(), second: Some(second) });
        Ok(())
    }

    /// Applies the map to an image, usually the source.
    ///
    /// **Shapes** `mask` (height, width): the part of the change that is made, 0 to 1, for each pixel; `None` is 1 everywhere.
    ///
    /// **Errors** [`Error::ShapeMismatch`] or [`Error::InvalidArgument`] if the mask does not fit.
    ///
    /// **Accuracy and cost** Rows in parallel. The result does not depend on the number of threads.
    pub fn apply(&self, image: &ColourImage, mask: Option<&[f32]>) -> Result<ColourImage> {
        check_weights(image, mask, 1.0, "mask")?;
        let area = area(&self.settings, image);
        let mover = self.mover(image, &area)?;
        let (width, columns, finish) = (image.width(), area.columns.clone(), self.finish());
        let mut values = image.values().to_vec();
        let mut outcomes = vec![Ok(()); area.rows.len()];
        let content = &mut values[3 * width * area.rows.start..3 * width * area.rows.end];
        let pieces = (Chunks(content, 3 * width), Chunks(&mut outcomes, 1));
        for_each_split(area.rows.len(), true, pieces, &|row, (out, outcome)| {
            let content = &mut out.0[3 * columns.start..3 * columns.end];
            let mut moved = content.to_vec();
            outcome.0[0] = self.move_row(&mover, row, &mut moved);
            let pixels = content.chunks_exact_mut(3).zip(moved.chunks_exact(3));
            for (column, (pixel, moved)) in columns.clone().zip(pixels) {
                let index = (area.rows.start + row) * width + column;
                let share = self.settings.strength * mask.map_or(1.0, |mask| mask[index]);
                let (from, to) = ([pixel[0], pixel[1], pixel[2]], [moved[0], moved[1], moved[2]]);
                pixel.copy_from_slice(&finish.pixel(from, to, share));
            }
        });
        outcomes.into_iter().collect::<Result<()>>()?;
        Ok(image.with_values(values))
    }

    /// The way in which the pixels of this image are moved.
    fn mover(&self, image: &ColourImage, area: &Area) -> Result<Mover> {
        if let (Map::Tables(Tables { first, .. }), true) = (&self.map, self.settings.filter) {
            return Ok(Mover::Filter(filter(first, image, area)));
        }
        if self.settings.method != ColourMethod::Iterative {
            return Ok(Mover::Colour);
        }
        let (height, width) = (area.rows.len(), area.columns.len());
        let row = |row: usize| &image.values()[3 * (row * image.width() + area.columns.start)..][..3 * width];
        let original: Vec<f32> = area.rows.clone().flat_map(row).copied().collect();
        let mut moved = original.clone();
        let mut outcomes = vec![Ok(()); height];
        let pieces = (Chunks(&mut moved, 3 * width), Chunks(&mut outcomes, 1));
        for_each_split(height, true, pieces, &|_, (row, outcome)| {
            outcome.0[0] = self.map.move_all(self.settings.space(), row.0);
        });
        outcomes.into_iter().collect::<Result<()>>()?;
        Ok(Mover::Image(regrain(&original, moved, height, width)))
    }

    /// Moves the pixels of a row of the area, before the finish.
    fn move_row(&self, mover: &Mover, row: usize, pixels: &mut [f32]) -> Result<()> {
        match (mover, &self.map) {
            (Mover::Filter(field), Map::Tables(tables)) => {
                field.shift_row(row, pixels);
                if let Some(second) = &tables.second {
                    for pixel in pixels.as_chunks_mut::<3>().0 {
                        *pixel = WIDE.at(second, *pixel);
                    }
                }
            }
            (Mover::Image(image), _) => pixels.copy_from_slice(&image[row * pixels.len()..][..pixels.len()]),
            _ => self.map.move_all(self.settings.space(), pixels)?,
        }
        Ok(())
    }

    /// The map as a look-up table with `size` nodes along each axis, strength and luma lock included.
    ///
    /// A table cannot filter the displacement over an image: it gives what [`ColourTransfer::apply`] gives with
    /// [`ColourSettings::filter`] off.
    ///
    /// **Accuracy and cost** [`ColourMethod::Palette`] with 33 nodes: rounding alone, without the luma lock. The affine methods
    /// differ where colours are compressed to the gamut, by up to 9 steps of 8 bits for the images of the tests.
    ///
    /// **Errors** [`Error::InvalidArgument`] for a method that is not a smooth map of the colour alone, or a size outside 2 to
    /// 256.
    pub fn lut(&self, size: usize) -> Result<ColourLut> {
        let method = self.settings.method;
        if method.is_report() || matches!(method, ColourMethod::Iterative | ColourMethod::HistogramMatching) {
            return Err(Error::invalid(
                format!("a look-up table of method {}", method.name()),
                "its map is not smooth; choose palette, linear or mean-variance",
            ));
        }
        let (finish, mut outcome) = (self.finish(), Ok(()));
        let table = ColourLut::from_fn(size, |colour| {
            let mut moved = colour;
            if let Err(error) = self.map.move_all(self.settings.space(), &mut moved) {
                outcome = Err(error);
            }
            finish.pixel(colour, moved, self.settings.strength)
        });
        outcome.and(table)
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
        ColourFlows::between(&self.source, &self.target, count, self.settings.space())
    }

    /// The finish. The colours of a table are displayable as they are.
    fn finish(&self) -> Finish {
        let ColourSettings { method, keep_luminance, .. } = self.settings;
        let is_table = method == ColourMethod::Palette && !keep_luminance;
        Finish { keep_luminance, clip: method.is_report() || is_table }
    }
}

/// The way in which the pixels of an image are moved.
enum Mover {
    /// The map, each colour by itself.
    Colour,
    /// The filtered displacement of the first table, then the second table.
    Filter(Field),
    /// An image that is moved already (rows and columns of the area, 3).
    Image(Vec<f32>),
}

/// The filtered displacement of a table over an image.
fn filter(table: &ColourLut, image: &ColourImage, area: &Area) -> Field {
    let shift = |colour: [f32; 3]| {
        let moved = table.at(colour);
        array(|k| moved[k] - colour[k])
    };
    Field::fit(image, area, shift)
}

/// The pixels that count.
fn area(settings: &ColourSettings, image: &ColourImage) -> Area {
    if settings.method.is_report() { Area::whole(image) } else { Area::content(image) }
}
