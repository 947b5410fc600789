//! Colour transfer: a photograph with the colours of another one.
//!
//! The pixels of an image are a distribution of colours, points in three dimensions with equal masses. Optimal transport moves
//! the colours of a source image to those of a target image at the least total squared distance: every colour goes to a place
//! that is near in *colour*, wherever its pixels are in the image.
//!
//! - [`ColourImage`]: an image; [`ColourSpace`]: the spaces of distances.
//! - [`ColourMethod`] and [`ColourSettings`]: the methods, from the textbook's to ours.
//! - [`ColourTransfer`]: fits a map to two images and applies it.
//! - [`ColourLut`]: a look-up table, and its `.cube` file.
//! - [`measure`]: distance from the target's colours, structure kept, colours lost.

mod affine;
mod area;
mod cells;
mod cube;
mod domain;
mod finish;
mod flows;
mod guided;
mod image;
mod lines;
mod lut;
mod map;
mod measures;
mod palette;
mod regrain;
mod report;
mod settings;
mod space;
mod transfer;

pub use flows::{ColourFlows, PaletteColour};
pub use image::ColourImage;
pub use lut::ColourLut;
pub use measures::{TransferMeasures, measure};
pub use settings::{ColourMethod, ColourSettings};
pub use space::ColourSpace;
pub use transfer::ColourTransfer;
