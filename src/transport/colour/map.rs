//! A map of colours, of any method.

use super::affine::Affine;
use super::lines::Lines;
use super::lut::ColourLut;
use super::report::Samples;
use super::space::ColourSpace;
use crate::Result;
use alloc::vec::Vec;

/// A map of colours.
#[derive(Debug, Clone)]
pub(super) enum Map {
    Identity,
    Affine(Affine),
    Lines(Lines),
    Samples(Samples),
    Tables(Tables),
}

/// The tables of [`ColourMethod::Palette`](super::settings::ColourMethod::Palette).
#[derive(Debug, Clone)]
pub(super) struct Tables {
    /// The map of colours by themselves.
    pub first: ColourLut,
    /// The map that follows the edge-aware filter of an image, over the larger cube, once it is known.
    pub second: Option<ColourLut>,
}

impl Map {
    /// Moves encoded colours, three values each, through a map that works in `space`.
    ///
    /// **Errors** Those of [`Samples::shift`].
    pub fn move_all(&self, space: ColourSpace, values: &mut [f32]) -> Result<()> {
        match self {
            Self::Identity => {}
            Self::Affine(map) => through(space, values, |colour| map.at(colour)),
            Self::Lines(map) => through(space, values, |colour| map.at(colour)),
            Self::Samples(samples) => {
                let from = |x: &[f32]| space.from_srgb([x[0], x[1], x[2]].map(f64::from));
                let mut colours: Vec<[f64; 3]> = values.chunks_exact(3).map(from).collect();
                samples.shift(&mut colours)?;
                for (pixel, colour) in values.chunks_exact_mut(3).zip(colours) {
                    pixel.copy_from_slice(&space.to_srgb(colour).map(|x| x as f32));
                }
            }
            Self::Tables(tables) => tables.first.move_all(values),
        }
        Ok(())
    }
}

fn through(space: ColourSpace, values: &mut [f32], map: impl Fn([f64; 3]) -> [f64; 3]) {
    for pixel in values.chunks_exact_mut(3) {
        let colour = space.from_srgb([pixel[0], pixel[1], pixel[2]].map(f64::from));
        pixel.copy_from_slice(&space.to_srgb(map(colour)).map(|x| x as f32));
    }
}
