//! Pictures of colour transfer: all methods on one sheet, and the scatter of an image's colours.

use super::{Recoloured, Side};
use crate::Result;
use crate::data::photograph::Photograph;
use crate::report::ContactSheet;
use crate::transport::colour::{ColourImage, ColourMethod};

/// Height and width of a picture on the sheet of all methods.
pub const COMPARED: [usize; 2] = [240, 360];
/// Pictures in a row of it.
const COLUMNS: usize = 3;
/// Cells of a scatter along each axis, and the colour of empty ones.
const CELLS: usize = 100;
const EMPTY: [u8; 3] = [236, 238, 241];

/// An image as a tile of bytes (height, width, 3): made smaller where it is too large, in the middle of white.
pub fn fitted(image: &ColourImage, [height, width]: [usize; 2]) -> Result<Vec<u8>> {
    let photograph = Photograph::new([image.height(), image.width()], image.values().to_vec())?;
    // The width at which the height fits too.
    let small = photograph.at_most(width.min((height * image.width() / image.height()).max(1)));
    let mut tile = vec![255; height * width * 3];
    let [rows, columns] = small.size();
    // A picture of one column may still be too high.
    let (top, left) = (height.saturating_sub(rows) / 2, (width - columns) / 2);
    for (row, pixels) in small.to_bytes().chunks_exact(3 * columns).take(height).enumerate() {
        tile[((top + row) * width + left) * 3..][..pixels.len()].copy_from_slice(pixels);
    }
    Ok(tile)
}

/// The colours of an image as a tile (height, width, 3): red to the right, blue upwards. A cell has the mean colour of the
/// pixels whose red and blue are in it.
pub fn scatter(image: &ColourImage, [height, width]: [usize; 2]) -> Vec<u8> {
    let mut cells = vec![[0.0_f32; 4]; CELLS * CELLS];
    let cell = |value: f32| ((value * CELLS as f32) as usize).min(CELLS - 1);
    for &[red, green, blue] in image.values().as_chunks::<3>().0 {
        let sums = &mut cells[(CELLS - 1 - cell(blue)) * CELLS + cell(red)];
        sums.iter_mut().zip([red, green, blue, 1.0]).for_each(|(sum, part)| *sum += part);
    }
    let side = height.min(width);
    let (top, left) = ((height - side) / 2, (width - side) / 2);
    let mut tile = vec![255; height * width * 3];
    for row in 0..side {
        for column in 0..side {
            let [red, green, blue, count] = cells[row * CELLS / side * CELLS + column * CELLS / side];
            let colour = match count > 0.0 {
                true => [red, green, blue].map(|sum| (sum / count * 255.0 + 0.5) as u8),
                false => EMPTY,
            };
            tile[((top + row) * width + left + column) * 3..][..3].copy_from_slice(&colour);
        }
    }
    tile
}

/// The shares of the pixels of an image whose red, green and blue are in each of `bins` equal parts of 0 to 1.
pub fn histograms(image: &ColourImage, bins: usize) -> [Vec<f64>; 3] {
    let mut counts = [(); 3].map(|()| vec![0.0; bins]);
    let share = 1.0 / image.pixels() as f64;
    for pixel in image.values().as_chunks::<3>().0 {
        for (counts, value) in counts.iter_mut().zip(pixel) {
            counts[((value * bins as f32) as usize).min(bins - 1)] += share;
        }
    }
    counts
}

/// A sheet of the source, the target, and the result of every method with its measures. Each result comes with its picture as a
/// tile of the size [`COMPARED`]. The picture of the method without a change stands for the source.
///
/// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if a tile has another size.
pub fn comparison(source: &Side, target: &Side, results: &[(Recoloured, Vec<u8>)]) -> Result<ContactSheet> {
    let (mut labels, mut tiles) = (Vec::new(), Vec::new());
    for (result, tile) in results {
        let (of, method) = (&result.measures, result.method);
        let name = match method {
            ColourMethod::Identity => format!("source {}", last(source)),
            _ => method.name().into(),
        };
        // No spaces within a measure, where a line could break.
        labels.push(format!(
            "{name}: W2={:.3} divergence={:.4} SSIM={:.3} gradients={:.3} lost={:.0}% {:.2}s {}MB",
            of.sliced_distance,
            of.divergence,
            of.luminance_ssim,
            of.gradient_similarity,
            100.0 * of.colours_lost,
            result.fit_seconds + result.apply_seconds,
            result.memory(),
        ));
        tiles.push(&tile[..]);
    }
    let target_tile = fitted(&target.image, COMPARED)?;
    labels.insert(1.min(labels.len()), format!("target {}", last(target)));
    tiles.insert(1.min(tiles.len()), &target_tile);
    let mut sheet = ContactSheet::new(COMPARED[0], COMPARED[1])
        .title(
            "W2 and divergence: distance from the target's colours, lower is better. SSIM and gradients: structure kept, \
             higher is better. Lost: colours that became one with others. MB: largest memory of the program meanwhile.",
        )
        .columns(COLUMNS)
        .magnify(1)
        .tile_labels(&labels);
    tiles.into_iter().try_for_each(|tile| sheet.push_u8(tile))?;
    Ok(sheet)
}

/// The last part of the path of a photograph.
fn last(side: &Side) -> &str {
    side.name.rsplit(['/', '\\']).next().unwrap_or(&side.name)
}
