//! The smooth map between weighted palettes.
//!
//! Source and target are palettes: at most 512 weighted colours, from all pixels. The map is a displacement D on a
//! lattice in the cube of encoded colours. It grows from coarse to fine. At each scale σ, with the palette colours x_i of
//! masses m_i where they are now, y_i = x_i + D(x_i):
//!
//! ```text
//! 1:  u_i = T_yz(y_i) - T_yy(y_i)              the debiased entropic displacement towards the target z, with ε = max(σ²/4, 0.0005)
//! 2:  M = G_σ * m,  U = G_σ * (m u)            smoothed over the lattice with a Gaussian kernel of width σ
//! 3:  D <- D + M / (M + τ) U / M
//! ```
//!
//! T_yz is the barycentric map of the entropic plan from y to z, which contracts; T_yy, the map from y to itself,
//! contracts by as much. Their difference is minus half the gradient of the debiased divergence (`super::super::divergence`): 0 for equal
//! palettes, and a descent of the divergence otherwise. Line 3 interpolates. Where the palette has mass, D follows it down to the
//! finest scale. In gaps between colours it stays as smooth as at the coarse scale where mass was near. So colours between two
//! palette colours, at the edges of things, move between them.
//!
//! With mass relaxation the plans are unbalanced (`super::super::sinkhorn`).
//!
//! The cost of the plans is the squared distance with the lightness stretched by [`LIGHTNESS`]. For every stretch the result has the
//! colours of the target. With a large one the lightness moves by an increasing function of itself alone, and the chroma follows
//! (Knothe 1957, Rosenblatt 1952; Carlier, Galichon & Santambrogio 2010). Brighter parts of the source stay brighter, which
//! keeps the structure.
//!
//! The edge-aware filter (`super::guided`) takes some of the displacement back. A second map, from the colours of the filtered
//! source to the target, starts at a finer scale and makes up for it. The filter may move bright and dark details to values outside
//! 0 to 1: the second map covers a larger cube (`super::domain`), so that they stay different.

use super::cells::Cells;
use super::domain::Domain;
use super::finish::Finish;
use super::lut::ColourLut;
use super::space::ColourSpace;
use crate::transport::{Cost, Ground, Marginals, SinkhornSettings, barycentric_map, sinkhorn};
use crate::{Result, Tensor};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::array;

/// Colours of a palette.
const COLOURS: usize = 512;
/// The lightness counts this many times as much as the other two directions of the space.
const LIGHTNESS: f64 = 2.0;
/// σ of the first map, in encoded values.
pub(super) const SCALES: [f64; 8] = [1.0, 0.5, 0.25, 0.125, 0.0625, 0.04, 0.03, 0.03];
/// σ of the second map.
pub(super) const FINE_SCALES: [f64; 5] = [0.25, 0.125, 0.06, 0.04, 0.04];
/// ε / σ², while it is above the smallest ε.
const RATIO: f64 = 0.25;
/// The smallest ε, in squared units of the space.
const FINEST: f64 = 5e-4;
/// τ: the mass near a node at which D takes half of what is missing.
const TRUST: f64 = 1e-3;
/// The marginal error of the plans.
const TOLERANCE: f64 = 1e-3;

/// A displacement for each node, red varying fastest, in a space.
type Lattice = Vec<[f64; 3]>;

/// The colour that each colour of a domain moves to, as a table.
///
/// **Errors** Those of [`sinkhorn()`].
pub(super) fn fit(
    source: &Cells,
    target: &Cells,
    space: ColourSpace,
    (domain, scales): (Domain, &[f64]),
    (epsilon, penalty): (Option<f64>, Option<f64>),
) -> Result<ColourLut> {
    let finest = epsilon.unwrap_or(FINEST);
    let [from, to] = [source, target].map(|cells| cells.palette(COLOURS, space));
    let (x, z) = (from.points(space), to.points(space));
    let places: Vec<Place> = from.colours.iter().map(|&colour| Place::of(colour, domain)).collect();
    let nodes = domain.size * domain.size * domain.size;
    let mut lattice: Lattice = vec![[0.0; 3]; nodes];
    for &scale in scales {
        let mut y = x.clone();
        for (y, place) in y.data_mut().chunks_exact_mut(3).zip(&places) {
            let shift = place.mean(&lattice);
            y.iter_mut().zip(shift).for_each(|(y, shift)| *y += shift);
        }
        let epsilon = (RATIO * scale * scale).max(finest);
        let towards = map(&y, &z, space, [&from.masses, &to.masses], (epsilon, penalty))?;
        let own = map(&y, &y, space, [&from.masses, &from.masses], (epsilon, penalty))?;
        let mut sums = vec![[0.0; 4]; nodes];
        for (i, (place, &mass)) in places.iter().zip(&from.masses).enumerate() {
            let u = |k: usize| mass * (towards.row(i)[k] - own.row(i)[k]);
            place.add([mass, u(0), u(1), u(2)], &mut sums);
        }
        blur(&mut sums, domain, scale);
        for (shift, sum) in lattice.iter_mut().zip(&sums) {
            shift.iter_mut().zip(&sum[1..]).for_each(|(shift, u)| *shift += u / (sum[0] + TRUST));
        }
    }
    let finish = Finish { keep_luminance: false, clip: false };
    let mut shifts = lattice.into_iter();
    ColourLut::from_fn(domain.size, |place| {
        let colour = place.map(|place| domain.value(place));
        let (from, shift) = (space.from_srgb(colour.map(f64::from)), shifts.next().unwrap_or_default());
        let moved = space.to_srgb(array(|k| from[k] + shift[k]));
        finish.pixel(colour.map(|x| x.clamp(0.0, 1.0)), moved.map(|x| x as f32), 1.0)
    })
}

/// The barycentric map of the entropic plan.
fn map(
    x: &Tensor<f64>,
    y: &Tensor<f64>,
    space: ColourSpace,
    masses: [&[f64]; 2],
    (epsilon, penalty): (f64, Option<f64>),
) -> Result<Tensor<f64>> {
    let stretched = |points: &Tensor<f64>| {
        let mut points = points.clone();
        for point in points.data_mut().as_chunks_mut::<3>().0 {
            *point = space.stretched(*point, LIGHTNESS);
        }
        points.cast::<f32>()
    };
    let (stretched_x, stretched_y) = (stretched(x), stretched(y));
    let cost = Cost::points(&stretched_x, &stretched_y, Ground::SquaredEuclidean)?;
    let marginals = Marginals::normalised(masses[0], masses[1])?;
    let settings = SinkhornSettings {
        tolerance: TOLERANCE,
        penalty,
        most_iterations: 300,
        ..SinkhornSettings::epsilon(epsilon)
    };
    let solution = sinkhorn(&cost, &marginals, &settings, &mut |_| true)?;
    barycentric_map(&cost, &marginals, epsilon, &solution, y)
}

/// The eight nodes around a colour, and their weights.
struct Place([(usize, f64); 8]);

impl Place {
    fn of(colour: [f64; 3], domain: Domain) -> Self {
        let size = domain.size;
        let place = |x: f64| f64::from(domain.place(x as f32)).clamp(0.0, 1.0) * (size - 1) as f64;
        let scaled = colour.map(place);
        let cell = scaled.map(|x| (x as usize).min(size - 2));
        Self(core::array::from_fn(|corner| {
            let (mut node, mut weight, mut stride) = (0, 1.0, 1);
            for k in 0..3 {
                let (up, part) = (corner >> k & 1, scaled[k] - cell[k] as f64);
                node += (cell[k] + up) * stride;
                weight *= if up == 1 { part } else { 1.0 - part };
                stride *= size;
            }
            (node, weight)
        }))
    }

    fn mean(&self, lattice: &[[f64; 3]]) -> [f64; 3] {
        let mut mean = [0.0; 3];
        for &(node, weight) in &self.0 {
            mean = array(|k| mean[k] + weight * lattice[node][k]);
        }
        mean
    }

    fn add(&self, values: [f64; 4], sums: &mut [[f64; 4]]) {
        for &(node, weight) in &self.0 {
            sums[node] = array(|k| sums[node][k] + weight * values[k]);
        }
    }
}

/// Convolves with e^(-d²/2σ²) along each axis, d in encoded values, up to 5 σ.
fn blur(sums: &mut Vec<[f64; 4]>, domain: Domain, scale: f64) {
    let size = domain.size;
    let width = scale * (size - 1) as f64 / f64::from(1.0 + 2.0 * domain.margin);
    let reach = ((5.0 * width) as usize).clamp(1, size - 1);
    let weight = |steps: usize| libm::exp(-0.5 * (steps as f64 / width) * (steps as f64 / width));
    let kernel: Vec<f64> = (0..=reach).map(weight).collect();
    for _ in 0..3 {
        // Along the fastest axis, which becomes the slowest.
        let mut turned = vec![[0.0; 4]; sums.len()];
        for (line, values) in sums.chunks_exact(size).enumerate() {
            for (from, value) in values.iter().enumerate().filter(|(_, value)| value[0] > 0.0) {
                for to in from.saturating_sub(reach)..=(from + reach).min(size - 1) {
                    let weight = kernel[to.abs_diff(from)];
                    let sum = &mut turned[to * size * size + line];
                    *sum = array(|k| sum[k] + weight * value[k]);
                }
            }
        }
        *sums = turned;
    }
}
