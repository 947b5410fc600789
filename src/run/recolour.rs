//! Colour transfer between photographs: reading them, weights from opacity and mask, the transfer, and its measures.
//!
//! The weight of a pixel is its opacity times the mask, so that transparent and masked pixels neither count as colours of the
//! source nor change.

mod folder;
mod mass;
mod memory;
mod sheets;

use super::record::{remember_file, remember_picture};
use crate::data::photograph::Photograph;
use crate::data::scenes::{SIZE, Scene};
use crate::transport::colour::{
    ColourImage, ColourMethod, ColourSettings, ColourTransfer, TransferMeasures, measure,
};
use crate::{Error, Result};
use serde::{Serialize, Serializer};
use std::path::Path;
use std::time::Instant;

pub use folder::{Applied, Failed, apply_to, plan};
pub use mass::{Origin, origin};
pub use sheets::{COMPARED, comparison, fitted, histograms, scatter};

/// The painted scenes, by the names that stand for a file.
const SCENES: [(&str, Scene); 2] = [("seaside", Scene::Seaside), ("jungle", Scene::Jungle)];

/// A photograph as the source or the target of colour transfer.
#[derive(Debug, Clone)]
pub struct Side {
    name: String,
    image: ColourImage,
    /// The photograph without its colours.
    frame: Photograph,
}

impl Side {
    /// Reads a photograph; `seaside` and `jungle` are painted by the program. The summary of the process records the checksum.
    ///
    /// **Errors** Those of [`Photograph::read`].
    pub fn read(path: &Path) -> Result<Self> {
        match SCENES.iter().find(|(name, _)| Path::new(name) == path) {
            Some((name, scene)) => {
                let bytes = scene.paint();
                remember_picture(name, SIZE, &bytes);
                Self::new(name, Photograph::from_bytes(SIZE, &bytes)?)
            }
            None => Self::read_file(path),
        }
    }

    /// Reads a photograph from a file, whatever its name.
    fn read_file(path: &Path) -> Result<Self> {
        let photograph = Photograph::read(path)?;
        remember_file(path)?;
        Self::new(&path.display().to_string(), photograph)
    }

    fn new(name: &str, mut frame: Photograph) -> Result<Self> {
        let [height, width] = frame.size();
        let image = ColourImage::new(height, width, frame.take_colours())?;
        Ok(Self { name: name.into(), image, frame })
    }

    /// The path as it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The colours.
    pub fn image(&self) -> &ColourImage {
        &self.image
    }

    /// Notes on properties of the file that were not applied, for instance a colour profile.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.frame.notes().iter().map(|note| format!("{}: {note}", self.name))
    }

    /// A small copy with other colours, opaque, as a PNG file of 8 bits and at most `width` columns.
    pub fn small_png(&self, colours: &ColourImage, width: usize) -> Result<Vec<u8>> {
        let size = [colours.height(), colours.width()];
        Photograph::new(size, colours.values().to_vec())?.at_most(width).to_png()
    }

    /// The photograph with other colours, as a PNG file of the depth and with the opacity of its own file.
    pub fn to_png(&self, colours: ColourImage) -> Result<Vec<u8>> {
        self.frame.clone().with_colours(colours.into_values())?.to_png()
    }

    /// The weight of each pixel as a colour. `None` if all are 1.
    ///
    /// **Errors** [`Error::InvalidArgument`] if all are 0.
    fn weights(&self, mask: Option<&[f32]>) -> Result<Option<Vec<f32>>> {
        let weights = match (self.frame.opacity(), mask) {
            (None, None) => return Ok(None),
            (Some(weights), None) | (None, Some(weights)) => weights.to_vec(),
            (Some(opacity), Some(mask)) => {
                opacity.iter().zip(mask).map(|(opacity, mask)| opacity * mask).collect()
            }
        };
        if weights.iter().all(|&weight| weight == 0.0) {
            let problem = match mask {
                None => "the picture is fully transparent: it has no colours",
                Some(_) => "the mask leaves no pixel: at least one that is opaque needs a mask above black",
            };
            return Err(Error::invalid(&self.name, problem));
        }
        Ok(Some(weights))
    }
}

/// Reads a mask for `side`: the lightness of a picture of the same size, 1 where it is white.
///
/// **Errors** Those of [`Photograph::read`]; [`Error::Malformed`] if the sizes differ.
pub fn read_mask(path: &Path, side: &Side) -> Result<Vec<f32>> {
    let mask = Photograph::read(path)?;
    let ([height, width], [rows, columns]) = (mask.size(), side.frame.size());
    if [height, width] != [rows, columns] {
        let problem = format!("the mask has {height}x{width} pixels, and {} has {rows}x{columns}", side.name);
        return Err(Error::malformed(path.display(), 0, problem));
    }
    remember_file(path)?;
    Ok(mask.to_mask())
}

/// Measures of a transfer.
#[derive(Debug, Clone, Serialize)]
pub struct Recoloured {
    /// The method, by its name on the command line.
    #[serde(serialize_with = "as_name")]
    pub method: ColourMethod,
    /// Time to find the map.
    pub fit_seconds: f64,
    /// Time to move all pixels.
    pub apply_seconds: f64,
    /// The largest memory of the whole program meanwhile, pictures included, in MB of 2^20 bytes. `None` where the system does not
    /// tell.
    pub peak_megabytes: Option<f64>,
    /// The distance of the colours from the target's, and the share of the source's structure that is kept.
    pub measures: TransferMeasures,
}

impl Recoloured {
    /// The memory as text in MB, or a dash where it is unknown.
    pub fn memory(&self) -> String {
        self.peak_megabytes.map_or_else(|| "-".into(), |megabytes| format!("{megabytes:.0}"))
    }
}

fn as_name<S: Serializer>(method: &ColourMethod, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(method.name())
}

/// Numbers per pixel that the change needs: the colours before and after, and the filter's sums.
const FLOATS: usize = 8;

/// Gives `source` the colours of `target`, and measures the result. Returns the source with its new colours, and the map.
///
/// **Shapes** `mask` (height, width) of the source: the part of the change that is made, 0 to 1.
///
/// **Errors** Those of [`ColourTransfer::fit`]; [`Error::InvalidArgument`] if a picture is fully transparent or masked, or if the memory
/// does not suffice.
pub fn recolour(
    source: &Side,
    target: &Side,
    mask: Option<&[f32]>,
    settings: &ColourSettings,
) -> Result<(Recoloured, ColourImage, ColourTransfer)> {
    let (rows, columns) = (source.image.height(), source.image.width());
    if !crate::memory::fits::<[f32; FLOATS]>(rows * columns) {
        let expected = "there is not enough memory to change its colours; make it smaller";
        return Err(Error::invalid(format!("a photograph of {rows}x{columns} pixels"), expected));
    }
    let weights = [source.weights(mask)?, target.weights(None)?];
    let transferred = || {
        let started = Instant::now();
        let transfer = ColourTransfer::fit(
            &source.image,
            &target.image,
            [weights[0].as_deref(), weights[1].as_deref()],
            settings,
        )?;
        let fit_seconds = started.elapsed().as_secs_f64();
        let image = transfer.apply(&source.image, mask)?;
        let apply_seconds = started.elapsed().as_secs_f64() - fit_seconds;
        Ok::<_, Error>((transfer, image, [fit_seconds, apply_seconds]))
    };
    let (transferred, peak_megabytes) = memory::with_peak(transferred);
    let (transfer, image, [fit_seconds, apply_seconds]) = transferred?;
    let measures = measure(&source.image, &target.image, &image)?;
    let result = Recoloured { method: settings.method, fit_seconds, apply_seconds, peak_megabytes, measures };
    Ok((result, image, transfer))
}
