//! Displacement interpolation: each piece of mass travels along a straight line at constant speed.
//!
//! With an optimal plan P for squared distances, the masses
//!
//! ```text
//! μ_t = Σ P_ij δ((1 - t) x_i + t y_j)     0 <= t <= 1
//! ```
//!
//! are the shortest path from the source to the target: W₂(μ_s, μ_t) = |t - s| W₂(μ_0, μ_1). On a line they are the
//! interpolation of quantiles.

use super::result::TransportPlan;
use crate::tensor::Tensor;
use alloc::vec;
use alloc::vec::Vec;

/// The places (entries, d) and masses of the interpolation at time `t`, one for each entry of the plan.
///
/// **Shapes** `x` (n, d), `y` (m, d); the plan (n, m).
///
/// **Panics** if the points have different numbers of coordinates, or the plan is of other points.
///
/// **Source** McCann 1997.
///
/// ```
/// use equilibria::{Tensor, transport::{Marginals, interpolate, on_a_line}};
/// let (x, y) = ([0.0, 1.0], [4.0, 7.0]);
/// let found = on_a_line(&x, &y, &Marginals::uniform(2, 2)?, 2.0)?;
/// let points = |x: &[f64]| Tensor::from_vec(&[2, 1], x.to_vec());
/// let (places, masses) = interpolate(&points(&x)?, &points(&y)?, &found.plan.unwrap(), 0.5);
/// assert_eq!((places, masses), (vec![2.0, 4.0], vec![0.5, 0.5]));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn interpolate(x: &Tensor<f64>, y: &Tensor<f64>, plan: &TransportPlan, t: f64) -> (Vec<f64>, Vec<f64>) {
    assert_eq!(x.columns(), y.columns(), "coordinates of the points");
    let (mut places, mut masses) = (Vec::new(), Vec::new());
    plan.for_each(|i, j, mass| {
        places.extend(x.row(i).iter().zip(y.row(j)).map(|(x, y)| (1.0 - t) * x + t * y));
        masses.push(mass);
    });
    (places, masses)
}

/// Masses on the cells of a grid from masses at any places within it: each is divided among the nearest cells, linearly
/// along every axis, so that totals and means are kept.
///
/// **Shapes** `places` (entries, axes), `masses` (entries); the result has the last axis varying fastest.
///
/// **Units** Cells: the centre of the first one is at 0.
///
/// **Panics** if a length does not match.
///
/// ```
/// use equilibria::transport::deposit;
/// // Halfway between the first two of three cells.
/// assert_eq!(deposit(&[0.5], &[2.0], &[3]), [1.0, 1.0, 0.0]);
/// ```
pub fn deposit(places: &[f64], masses: &[f64], sizes: &[usize]) -> Vec<f64> {
    assert_eq!(places.len(), masses.len() * sizes.len(), "coordinates of {} places", masses.len());
    let mut cells = vec![0.0; sizes.iter().product()];
    for (place, mass) in places.chunks_exact(sizes.len()).zip(masses) {
        // The corners of the cell that the place is in: a bit for each axis.
        for corner in 0..1 << sizes.len() {
            let (mut index, mut share) = (0, *mass);
            for (axis, (&x, &size)) in place.iter().zip(sizes).enumerate() {
                let lower = (x as usize).min(size.saturating_sub(2));
                let (is_upper, upper_share) = (corner >> axis & 1 == 1, x - lower as f64);
                share *= if is_upper { upper_share } else { 1.0 - upper_share };
                index = index * size + (lower + usize::from(is_upper)).min(size - 1);
            }
            cells[index] += share;
        }
    }
    cells
}
