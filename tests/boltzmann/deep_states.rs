//! Small deep machines, by brute force over every state of every layer.

use crate::enumeration::{log_sum_exp, unit};
use equilibria::Tensor;
use equilibria::boltzmann::Dbm;
use equilibria::rng::Stream;
use equilibria::tensor::Element;

/// A deep machine whose weights and biases are normal numbers times `scale`.
pub fn deep_machine<T: Element>(sizes: &[usize], scale: f64, seed: u64) -> Dbm<T> {
    let tensor = |shape: &[usize], index: usize| {
        let mut tensor = Tensor::<T>::zeros(shape);
        tensor.fill_normal(Stream::named(seed, "init").substream(index as u64), T::from_f64(scale));
        tensor
    };
    let weights = sizes.windows(2).enumerate().map(|(l, pair)| tensor(pair, l)).collect();
    let biases = sizes.iter().enumerate().map(|(l, &size)| tensor(&[size], 100 + l)).collect();
    Dbm::from_parameters(weights, biases).unwrap()
}

/// The probability of every joint state. A joint state is a number whose bits are the units, the lowest layer first.
pub struct DeepStates {
    pub sizes: Vec<usize>,
    pub joint: Vec<f64>,
}

impl DeepStates {
    /// Computes the probabilities from the energies, which are summed term by term.
    pub fn of<T: Element>(model: &Dbm<T>) -> Self {
        let sizes: Vec<usize> = model.sizes().collect();
        let minus_energy: Vec<f64> = (0..1 << sizes.iter().sum::<usize>())
            .map(|state| {
                let layers = layers_of(&sizes, state);
                let mut sum = 0.0;
                for (bias, units) in model.biases().iter().zip(&layers) {
                    sum += bias.data().iter().zip(units).map(|(b, x)| b.to_f64() * x).sum::<f64>();
                }
                for (weight, pair) in model.weights().iter().zip(layers.windows(2)) {
                    for (i, below) in pair[0].iter().enumerate() {
                        for (j, above) in pair[1].iter().enumerate() {
                            sum += below * weight.data()[i * pair[1].len() + j].to_f64() * above;
                        }
                    }
                }
                sum
            })
            .collect();
        let log_partition = log_sum_exp(minus_energy.iter().copied());
        Self { sizes, joint: minus_energy.iter().map(|x| (x - log_partition).exp()).collect() }
    }

    /// The units of each layer in a joint state.
    pub fn layers(&self, state: usize) -> Vec<Vec<f64>> {
        layers_of(&self.sizes, state)
    }

    /// The joint state with these units of each layer.
    pub fn state_of<T: Element>(&self, layers: &[&[T]]) -> usize {
        let units = layers.iter().flat_map(|layer| layer.iter());
        units.enumerate().map(|(place, &x)| usize::from(x.to_f64() == 1.0) << place).sum()
    }

    /// Means over all states of the statistics that the parameters multiply.
    pub fn phase(&self) -> Vec<f64> {
        let mut sum = Vec::new();
        for (state, &mass) in self.joint.iter().enumerate() {
            let terms = statistics(&self.layers(state));
            sum.resize(terms.len(), 0.0);
            sum.iter_mut().zip(terms).for_each(|(sum, term)| *sum += mass * term);
        }
        sum
    }
}

fn layers_of(sizes: &[usize], state: usize) -> Vec<Vec<f64>> {
    let mut first = 0;
    let layer = |&size: &usize| {
        let units = (first..first + size).map(|place| unit(state, place)).collect();
        first += size;
        units
    };
    sizes.iter().map(layer).collect()
}

/// The statistics h_(l-1)' h_l for l = 1 to L, row by row, then h_0 to h_L.
pub fn statistics(layers: &[Vec<f64>]) -> Vec<f64> {
    let products = layers.windows(2).flat_map(|pair| {
        pair[0].iter().flat_map(|below| pair[1].iter().map(move |above| below * above)).collect::<Vec<_>>()
    });
    products.chain(layers.iter().flatten().copied()).collect()
}
