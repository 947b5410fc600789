//! The filters of a machine as pictures, with their measures: of a restricted machine, or of all layers of a deep one.

use super::compare::Quartiles;
use super::{Measured, best_match, inputs_used};
use crate::Result;
use crate::boltzmann::{Dbm, Rbm};
use crate::tensor::Tensor;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Units, sorted by the norm of their weights.
///
/// ```
/// use equilibria::{Tensor, evaluate::filters::sets::ByNorm};
/// let weight = Tensor::from_vec(&[2, 3], vec![1.0_f32, 3.0, 0.0, 0.0, 0.0, 2.0])?;
/// assert_eq!(ByNorm::largest(&weight, 2).units, [1, 2]);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ByNorm {
    /// The indices of the units.
    pub units: Vec<usize>,
    /// The Euclidean norms of their weights, falling.
    pub norms: Vec<f64>,
}

impl ByNorm {
    /// All columns of `weight`, the largest norm first.
    fn all(weight: &Tensor<f32>) -> Self {
        let norm =
            |unit| libm::sqrt(weights_of(weight, unit).map(|w| f64::from(w) * f64::from(w)).sum::<f64>());
        let mut units: Vec<(usize, f64)> = (0..weight.columns()).map(|unit| (unit, norm(unit))).collect();
        units.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (units, norms) = units.into_iter().unzip();
        Self { units, norms }
    }

    /// The `count` columns of `weight` with the largest norms, or all if there are fewer.
    pub fn largest(weight: &Tensor<f32>, count: usize) -> Self {
        let mut all = Self::all(weight);
        all.units.truncate(count);
        all.norms.truncate(count);
        all
    }

    /// `count` columns of `weight`, evenly spread from the largest norm to the smallest, or all if there are fewer.
    pub fn spread(weight: &Tensor<f32>, count: usize) -> Self {
        let all = Self::all(weight);
        let (len, count) = (all.units.len(), count.min(all.units.len()));
        let places = (0..count).map(|i| i * (len - 1) / (count - 1).max(1));
        let (units, norms) = places.map(|place| (all.units[place], all.norms[place])).unzip();
        Self { units, norms }
    }
}

/// The weights of one unit: a column of `weight`.
///
/// ```
/// use equilibria::{Tensor, evaluate::filters::sets::weights_of};
/// let weight = Tensor::from_vec(&[2, 2], vec![1.0_f32, 2.0, 3.0, 4.0])?;
/// assert!(weights_of(&weight, 1).eq([2.0, 4.0]));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn weights_of(weight: &Tensor<f32>, unit: usize) -> impl Iterator<Item = f32> {
    weight.data().iter().skip(unit).step_by(weight.columns()).copied()
}

/// The 99th percentile of |w| over all `weights`: the end of the scale of their pictures, which a few large weights must not
/// stretch.
///
/// ```
/// use equilibria::{Tensor, evaluate::filters::sets::scale_limit};
/// let weight = Tensor::from_vec(&[1, 200], (1..=200).map(|w| -(w as f32)).collect())?;
/// assert_eq!(scale_limit([&weight]), 199.0);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn scale_limit<'a>(weights: impl IntoIterator<Item = &'a Tensor<f32>>) -> f32 {
    let mut sizes: Vec<f32> = weights.into_iter().flat_map(|weight| weight.data()).map(|w| w.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    sizes.get(sizes.len() * 99 / 100).copied().unwrap_or_default().max(f32::MIN_POSITIVE)
}

/// The filters of one layer as weights to pixels, and their measures.
///
/// ```
/// use equilibria::{boltzmann::Dbm, evaluate::filters::sets::FilterSet, rng::Stream};
/// let model = Dbm::new(&[0.5; 81], &[8, 4], Stream::named(1, "init"))?;
/// let sets = FilterSet::of_deep("a machine", &model, (9, 9))?;
/// assert_eq!((sets[1].name.as_str(), sets[1].weight.shape()), ("a machine, layer 2", &[81, 4][..]));
/// let mixture = sets[1].mixture.as_ref().expect("the second layer combines the first");
/// assert_eq!((mixture.below, mixture.used.len(), mixture.best_match.len()), (8, 4, 4));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FilterSet {
    /// The name for tables.
    pub name: String,
    /// The weights (pixels, units). Those of a layer above the first are projected: multiplied by all weights below.
    pub weight: Tensor<f32>,
    /// The measures of the filters.
    pub measured: Measured,
    /// The combination of the filters below, for a layer above the first.
    pub mixture: Option<Mixture>,
}

/// The combination of the units of one layer by the units of the next.
///
/// See the example of [`FilterSet`].
#[derive(Debug, Clone)]
pub struct Mixture {
    /// The number of units of the layer below.
    pub below: usize,
    /// For each unit, the number of units below that it uses: see [`inputs_used`].
    pub used: Vec<f64>,
    /// For each unit, the largest share of its projection's energy that one filter of the first layer explains: see
    /// [`best_match`].
    pub best_match: Vec<f64>,
}

impl Mixture {
    /// The medians of the numbers of units used and of the best matches.
    pub fn medians(&self) -> (f64, f64) {
        (Quartiles::of(&self.used).median, Quartiles::of(&self.best_match).median)
    }
}

impl FilterSet {
    /// Measures the filters of a restricted machine of images of `height` by `width` pixels.
    ///
    /// **Errors** As [`Measured::new`].
    pub fn of_restricted(name: &str, model: &Rbm<f32>, (height, width): (usize, usize)) -> Result<Self> {
        let weight = model.weight().clone();
        let measured = Measured::new(&weight, height, width)?;
        Ok(Self { name: name.into(), weight, measured, mixture: None })
    }

    /// Measures the filters of all layers of a deep machine, the lowest first.
    ///
    /// **Errors** As [`Measured::new`].
    pub fn of_deep(name: &str, model: &Dbm<f32>, (height, width): (usize, usize)) -> Result<Vec<Self>> {
        let weights = model.weights();
        let mut sets = Vec::<Self>::new();
        for (layer, own) in (1..).zip(weights) {
            let (weight, mixture) = match sets.last() {
                None => (own.clone(), None),
                Some(below) => {
                    let projected = Tensor::product(below.weight.view(), own.view())?;
                    let best_match = best_match(&projected, &weights[0])?;
                    (projected, Some(Mixture { below: own.rows(), used: inputs_used(own), best_match }))
                }
            };
            let measured = Measured::new(&weight, height, width)?;
            sets.push(Self { name: format!("{name}, layer {layer}"), weight, measured, mixture });
        }
        Ok(sets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Three units of two weights, of norms 1, 5 and 2.
    fn weight() -> Tensor<f32> {
        Tensor::from_vec(&[2, 3], vec![1.0, 3.0, 0.0, 0.0, -4.0, 2.0]).unwrap()
    }

    #[test]
    fn units_are_sorted_by_norm_and_spread_evenly() {
        let ByNorm { units, norms } = ByNorm::largest(&weight(), 2);
        assert_eq!((units, norms), (vec![1, 2], vec![5.0, 2.0]));
        assert_eq!(ByNorm::spread(&weight(), 2).units, [1, 0], "the largest and the smallest");
        assert_eq!(ByNorm::spread(&weight(), 9).units, [1, 2, 0], "no more than there are");
        assert_eq!(ByNorm::spread(&weight(), 1).units, [1]);
        let many = Tensor::from_vec(&[1, 100], (0..100).map(|i| i as f32).collect()).unwrap();
        assert_eq!(ByNorm::spread(&many, 4).units, [99, 66, 33, 0]);
    }

    #[test]
    fn one_unit_with_large_weights_does_not_change_the_scale_of_many() {
        let weight = |unit: usize| if unit == 7 { -50.0 } else { 0.5 };
        let weights = Tensor::from_vec(&[4, 200], (0..800).map(|i| weight(i % 200)).collect()).unwrap();
        assert_eq!(scale_limit([&weights]), 0.5);
        let few = Tensor::from_vec(&[1, 10], (0..10).map(weight).collect()).unwrap();
        assert_eq!(scale_limit([&few]), 50.0);
    }

    #[test]
    fn a_second_layer_is_projected_through_the_first() {
        let first = Tensor::from_vec(&[9, 2], (0..18).map(|i| i as f32).collect()).unwrap();
        let second = Tensor::from_vec(&[2, 1], vec![1.0, -2.0]).unwrap();
        let biases = [9, 2, 1].map(|units| Tensor::zeros(&[units])).to_vec();
        let model = Dbm::from_parameters(vec![first, second], biases).unwrap();
        let sets = FilterSet::of_deep("deep", &model, (3, 3)).unwrap();
        assert_eq!(sets[1].name, "deep, layer 2");
        // Pixel p has the weights 2p and 2p + 1 to the first layer.
        let expected: Vec<f32> = (0..9).map(|p| (2 * p - 2 * (2 * p + 1)) as f32).collect();
        assert_eq!(sets[1].weight.data(), expected);
        assert_eq!(sets[1].mixture.as_ref().unwrap().below, 2);
        assert!(sets[0].mixture.is_none());
    }
}
