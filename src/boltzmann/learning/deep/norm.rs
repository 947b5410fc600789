//! A limit on the norm of a unit's incoming weights (Hinton et al. 2012, "Improving neural networks by preventing
//! co-adaptation of feature detectors").

use crate::boltzmann::packed::Tiles;
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::Element;
use equilibria_kernels::binary::{PANEL, TILE, panel_units, panels};

/// Scales the weights of each column unit (or row unit) down to the norm `most` if their norm is larger.
///
/// **Shapes** `norms` (panels of those units, 64) or longer; overwritten.
pub(super) fn limit<T: Element>(tiles: &mut Tiles<T>, of_columns: bool, most: f64, norms: &mut [T]) {
    let [row_panels, column_panels] = [tiles.rows, tiles.columns].map(panels);
    // In this orientation the columns of a tile are the units.
    let (data, count, others, other_units) = match of_columns {
        true => (&*tiles.forward, column_panels, row_panels, tiles.rows),
        false => (&*tiles.backward, row_panels, column_panels, tiles.columns),
    };
    let norms = &mut norms[..count * PANEL];
    for_each_split(count, true, Chunks(norms, PANEL), &|panel, norms: Chunks<'_, T>| {
        norms.0.fill(T::ZERO);
        for other in 0..others {
            let (q, p) = if of_columns { (panel, other) } else { (other, panel) };
            let tile = &data[(q * row_panels + p) * TILE..];
            // The padding is skipped.
            for row in tile.chunks_exact(PANEL).take(panel_units(other_units, other)) {
                norms.0.iter_mut().zip(row).for_each(|(norm, &weight)| *norm += weight * weight);
            }
        }
    });
    let largest = T::from_f64(most * most);
    if !norms.iter().any(|&norm| norm > largest) {
        return;
    }
    for norm in &mut *norms {
        *norm = if *norm > largest { T::from_f64(most / libm::sqrt(norm.to_f64())) } else { T::ONE };
    }
    let (factors, chunk) = (&*norms, row_panels * TILE);
    let pieces = (Chunks(&mut tiles.forward, chunk), Chunks(&mut tiles.backward, chunk));
    for_each_split(column_panels, true, pieces, &|q, (forward, backward): (Chunks<'_, T>, Chunks<'_, T>)| {
        let pairs = forward.0.chunks_exact_mut(TILE).zip(backward.0.chunks_exact_mut(TILE));
        for (p, (forward, backward)) in pairs.enumerate() {
            // The units are the columns of one orientation and the rows of the other.
            let (panel, by_columns, by_rows) =
                if of_columns { (q, forward, backward) } else { (p, backward, forward) };
            let factors = &factors[panel * PANEL..][..PANEL];
            for row in by_columns.chunks_exact_mut(PANEL) {
                row.iter_mut().zip(factors).for_each(|(weight, &factor)| *weight *= factor);
            }
            for (row, &factor) in by_rows.chunks_exact_mut(PANEL).zip(factors) {
                row.iter_mut().for_each(|weight| *weight *= factor);
            }
        }
    });
}
