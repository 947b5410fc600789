//! The pixels of the source that get one colour of the target.
//!
//! The plan P between the palettes of both images says how much of the mass of source colour i becomes target colour j. For a set B
//! of target colours, the part of a source pixel with colour i that gets one of them is
//!
//! ```text
//! w_i = Σ_{j in B} P_ij / Σ_j P_ij
//! ```

use super::Side;
use crate::Result;
use crate::transport::colour::{ColourFlows, ColourImage, ColourSpace, ColourTransfer, PaletteColour};
use serde::Serialize;

/// Colours of each palette at most.
const COLOURS: usize = 96;
/// Blue colours have a b of OKLab below this, and a lightness above that.
const BLUE: f64 = -0.075;
const DARK: f64 = 0.2;

/// The pixels of the source that get one colour of the target.
#[derive(Debug, Clone, Serialize)]
pub struct Origin {
    /// The colour is blue; otherwise it is the most colourful one of a target without blue.
    pub is_blue: bool,
    /// Its share of the target.
    pub share: f64,
    /// Mean colours: of the target's pixels that have it, and of the source's that get it. sRGB.
    pub colours: [[f32; 3]; 2],
    /// The mean distance in OKLab between these pixels under the plan, and if they were paired at random with any pixel of the
    /// source.
    pub distances: [f64; 2],
    /// Mean places: of the target's pixels that have it, and of the source's that get it; to the right and down, from 0 to 1.
    pub places: [[f64; 2]; 2],
    /// The target and the source, with everything else pale and grey.
    #[serde(skip)]
    pub images: [ColourImage; 2],
}

/// Finds the pixels of `source` that get the blue of `target` by the plan of `transfer`.
///
/// **Errors** Those of [`ColourTransfer::flows`].
pub fn origin(source: &Side, target: &Side, transfer: &ColourTransfer) -> Result<Origin> {
    let flows = transfer.flows(COLOURS)?;
    let (chosen, is_blue) = chosen(&flows.target);
    let received = received(&flows, &chosen);
    let chosen: Vec<f32> = chosen.iter().map(|&is| if is { 1.0 } else { 0.0 }).collect();
    let [of_target, of_source] = [
        Marked::new(&target.image, &flows.target, &chosen)?,
        Marked::new(&source.image, &flows.source, &received)?,
    ];
    let blue = oklab(of_target.colour);
    let distances = |weight: &dyn Fn(usize) -> f64| {
        let (mut sum, mut all) = (0.0, 0.0);
        for (index, colour) in flows.source.iter().enumerate() {
            let off: f64 = oklab(colour.colour).iter().zip(blue).map(|(x, y)| (x - y) * (x - y)).sum();
            sum += weight(index) * colour.mass * off.sqrt();
            all += weight(index) * colour.mass;
        }
        sum / all
    };
    Ok(Origin {
        is_blue,
        share: of_target.share,
        colours: [of_target.colour, of_source.colour],
        distances: [distances(&|index| received[index].into()), distances(&|_| 1.0)],
        places: [of_target.place, of_source.place],
        images: [of_target.image, of_source.image],
    })
}

fn oklab(colour: [f32; 3]) -> [f64; 3] {
    ColourSpace::OkLab.from_srgb(colour.map(f64::from))
}

/// Marks the blue colours of a palette, and returns true. Without blue it marks the most colourful one, and returns false.
fn chosen(palette: &[PaletteColour]) -> (Vec<bool>, bool) {
    let places: Vec<[f64; 3]> = palette.iter().map(|entry| oklab(entry.colour)).collect();
    let blue: Vec<bool> =
        places.iter().map(|[light, a, b]| *light > DARK && *b < BLUE && a.abs() < 0.9 * b.abs()).collect();
    if blue.contains(&true) {
        return (blue, true);
    }
    let chroma = |index: &usize| places[*index][1].hypot(places[*index][2]);
    let most = (0..palette.len()).max_by(|x, y| chroma(x).total_cmp(&chroma(y)));
    ((0..palette.len()).map(|index| Some(index) == most).collect(), false)
}

/// The part of each source colour that becomes one of the chosen target colours.
fn received(flows: &ColourFlows, chosen: &[bool]) -> Vec<f32> {
    let mut parts = vec![[0.0_f64; 2]; flows.source.len()];
    for flow in &flows.flows {
        let part = &mut parts[flow.row as usize];
        part[0] += if chosen[flow.column as usize] { flow.mass } else { 0.0 };
        part[1] += flow.mass;
    }
    parts.iter().map(|[part, all]| if *all > 0.0 { (part / all) as f32 } else { 0.0 }).collect()
}

/// The pixels of an image by weights of their palette colours.
struct Marked {
    share: f64,
    colour: [f32; 3],
    place: [f64; 2],
    /// Other pixels are pale and grey.
    image: ColourImage,
}

impl Marked {
    fn new(image: &ColourImage, palette: &[PaletteColour], weights: &[f32]) -> Result<Self> {
        let places: Vec<[f64; 3]> = palette.iter().map(|entry| oklab(entry.colour)).collect();
        let (height, width) = (image.height(), image.width());
        let mut values = Vec::with_capacity(image.values().len());
        let (mut total, mut colour, mut place) = (0.0, [0.0; 3], [0.0; 2]);
        for (pixel, &parts) in image.values().as_chunks::<3>().0.iter().enumerate() {
            let here = oklab(parts);
            let off = |at: &[f64; 3]| at.iter().zip(here).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
            let nearest = (0..places.len()).min_by(|&x, &y| off(&places[x]).total_cmp(&off(&places[y])));
            let weight = nearest.map_or(0.0, |nearest| weights[nearest]);
            let grey = 0.62 + 0.3 * (0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]);
            values.extend(parts.map(|part| grey + weight * (part - grey)));
            let mass = f64::from(weight);
            total += mass;
            colour.iter_mut().zip(parts).for_each(|(sum, part)| *sum += mass * f64::from(part));
            let at = [(pixel % width) as f64 / width as f64, (pixel / width) as f64 / height as f64];
            place.iter_mut().zip(at).for_each(|(sum, at)| *sum += mass * at);
        }
        let mean = |sum: f64| if total > 0.0 { sum / total } else { 0.0 };
        Ok(Self {
            share: total / image.pixels() as f64,
            colour: colour.map(|sum| mean(sum) as f32),
            place: place.map(mean),
            image: ColourImage::new(height, width, values)?,
        })
    }
}
