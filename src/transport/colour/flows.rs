//! A picture of a plan of colours: small palettes of both images, and the mass that moves between them.

use super::cells::Cells;
use super::space::ColourSpace;
use crate::Result;
use crate::transport::{Cost, ExactOptions, Flow, Ground, Marginals, TransportPlan, exact};
use alloc::vec::Vec;

/// A colour of a palette.
///
/// See the example of [`ColourFlows`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaletteColour {
    /// sRGB-encoded red, green and blue.
    pub colour: [f32; 3],
    /// The share of the image, 0 to 1.
    pub mass: f64,
}

/// The palettes of both images, and the mass that moves between them.
///
/// ```
/// use equilibria::transport::colour::{ColourImage, ColourSettings, ColourTransfer};
/// let image = |level: f32| ColourImage::new(1, 1, vec![level; 3]);
/// let transfer = ColourTransfer::fit(&image(0.2)?, &image(0.8)?, [None, None], &ColourSettings::default())?;
/// let flows = transfer.flows(4)?;
/// assert_eq!((flows.source.len(), flows.source[0].mass, flows.flows.len()), (1, 1.0, 1));
/// assert!((flows.target[0].colour[0] - 0.8).abs() < 0.02);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ColourFlows {
    /// The source's colours, in falling order of mass.
    pub source: Vec<PaletteColour>,
    /// The target's colours, in falling order of mass.
    pub target: Vec<PaletteColour>,
    /// The optimal plan: rows are colours of the source, columns of the target.
    pub flows: Vec<Flow>,
}

impl ColourFlows {
    /// The optimal plan between palettes of at most `count` colours.
    ///
    /// **Errors** Those of [`exact()`].
    pub(super) fn between(source: &Cells, target: &Cells, count: usize, space: ColourSpace) -> Result<Self> {
        let [source, target] = [source, target].map(|cells| {
            let palette = cells.palette(count, space);
            let mut order: Vec<usize> = (0..palette.masses.len()).collect();
            order.sort_by(|&i, &j| palette.masses[j].total_cmp(&palette.masses[i]));
            Cells {
                colours: order.iter().map(|&i| palette.colours[i]).collect(),
                masses: order.iter().map(|&i| palette.masses[i]).collect(),
            }
        });
        let (x, y) = (source.points(space), target.points(space));
        let cost = Cost::points(&x, &y, Ground::SquaredEuclidean)?;
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
        Ok(Self { source: listed(source), target: listed(target), flows })
    }
}
