//! Is centred learning the same when units exchange the names of their states, 0 and 1?
//!
//! The plain loops are tested here; the learners are compared with them elsewhere.

use equilibria::Tensor;
use equilibria::boltzmann::learning::Rates;
use equilibria::boltzmann::learning::deep::reference::Reference as DeepReference;
use equilibria::boltzmann::learning::reference::Reference;
use equilibria::boltzmann::{Dbm, Rbm, Stop};
use equilibria::rng::Stream;

const RATES: Rates = Rates { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.01 };
const ROWS: usize = 40;

fn noise(len: usize, seed: u64) -> Vec<f64> {
    let mut values = Tensor::<f64>::zeros(&[len]);
    values.fill_uniform(Stream::named(seed, "evaluate"));
    values.into_vec()
}

/// The units (rows, units) in which those of `flips` have exchanged 0 and 1.
fn flipped_units(units: &[f64], flips: &[bool]) -> Vec<f64> {
    let flip = |(x, &flip): (&f64, &bool)| if flip { 1.0 - x } else { *x };
    units.iter().zip(flips.iter().cycle()).map(flip).collect()
}

/// Weights W₁ to W_L, and biases b₀ to b_L.
type Parameters = [Vec<Tensor<f64>>; 2];

/// The machine in which the units in `flips` have exchanged 0 and 1.
fn flipped([weights, biases]: &Parameters, flips: &[Vec<bool>]) -> Parameters {
    let sign = |flip: bool| if flip { -1.0 } else { 1.0 };
    let (mut weights, mut biases) = (weights.clone(), biases.clone());
    for (bias, flips) in biases.iter_mut().zip(flips) {
        bias.data_mut().iter_mut().zip(flips).for_each(|(b, &flip)| *b *= sign(flip));
    }
    for (place, weight) in weights.iter_mut().enumerate() {
        let columns = flips[place + 1].len();
        for (at, w) in weight.data_mut().iter_mut().enumerate() {
            let (i, j) = (at / columns, at % columns);
            let (below, above) = (flips[place][i], flips[place + 1][j]);
            // x W y with x = 1 - x' and y = 1 - y'. The terms other than x' y' belong to the biases.
            let old = *w;
            *w = sign(below) * sign(above) * old;
            biases[place].data_mut()[i] += if above { sign(below) * old } else { 0.0 };
            biases[place + 1].data_mut()[j] += if below { sign(above) * old } else { 0.0 };
        }
    }
    [weights, biases]
}

/// Three updates by plain loops, from phases in which the units in `flips` have exchanged 0 and 1. A machine of two layers
/// is a restricted one.
fn learn([mut weights, mut biases]: Parameters, flips: &[Vec<bool>], is_centred: bool) -> Parameters {
    let layer = |seed| -> Vec<Vec<f64>> {
        let layers = (seed..).zip(flips);
        layers.map(|(seed, flips)| flipped_units(&noise(ROWS * flips.len(), seed), flips)).collect()
    };
    let start = |flips: &Vec<bool>| {
        let offsets: Vec<f64> = (0..flips.len()).map(|unit| 0.2 + unit as f64 / 300.0).collect();
        flipped_units(&offsets, flips)
    };
    let offsets = is_centred.then(|| flips.iter().map(start).collect::<Vec<_>>());
    let phases = (0..3).map(|update| [layer(100 + 20 * update), layer(110 + 20 * update)]);
    if weights.len() == 1 {
        let [hidden_bias, visible_bias] = [biases.pop(), biases.pop()].map(Option::unwrap);
        let model = Rbm::from_parameters(weights.remove(0), visible_bias, hidden_bias).unwrap();
        let mut reference = Reference::new(model, 1);
        reference.offsets = offsets.map(|offsets| offsets.try_into().unwrap());
        for [positive, negative] in phases {
            reference.ascend([&positive, &negative].map(|phase| (&phase[0][..], &phase[1][..])), RATES);
        }
        let model = reference.model;
        let biases = [model.visible_bias(), model.hidden_bias()].map(Tensor::clone);
        return [vec![model.weight().clone()], biases.into()];
    }
    let zeros = |tensors: &[Tensor<f64>]| tensors.iter().map(|x| vec![0.0; x.len()]).collect();
    let mut reference = DeepReference {
        sweeps: 1,
        stop: Stop { tolerance: 0.0, iterations: 1 },
        sparsity: None,
        max_norm: None,
        velocity: [zeros(&weights), zeros(&biases)],
        offsets,
        chains: Vec::new(),
        model: Dbm::from_parameters(weights, biases).unwrap(),
    };
    phases.for_each(|[positive, negative]| reference.ascend([&positive, &negative], RATES));
    [reference.model.weights().to_vec(), reference.model.biases().to_vec()]
}

#[test]
fn centred_learning_is_the_same_when_units_exchange_0_and_1() {
    for sizes in [&[15, 7][..], &[15, 7, 13], &[8, 6, 7, 2]] {
        let tensor = |shape: &[usize], seed| {
            let values = noise(shape.iter().product(), seed).iter().map(|x| x - 0.5).collect();
            Tensor::from_vec(shape, values).unwrap()
        };
        let model = [
            (50..).zip(sizes.windows(2)).map(|(seed, pair)| tensor(pair, seed)).collect(),
            (60..).zip(sizes).map(|(seed, &units)| tensor(&[units], seed)).collect(),
        ];
        let flips: Vec<Vec<bool>> = (20..)
            .zip(sizes)
            .map(|(seed, &units)| noise(units, seed).iter().map(|x| *x < 0.4).collect())
            .collect();
        let none: Vec<Vec<bool>> = sizes.iter().map(|&units| vec![false; units]).collect();
        let distance_from_twin = |is_centred| {
            let plain = flipped(&learn(model.clone(), &none, is_centred), &flips);
            let twin = learn(flipped(&model, &flips), &flips, is_centred);
            let pairs = plain.iter().flatten().zip(twin.iter().flatten());
            let pairs = pairs.flat_map(|(x, y)| x.data().iter().zip(y.data()));
            pairs.map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
        };
        let centred = distance_from_twin(true);
        assert!(centred < 1e-11, "{sizes:?}: {centred}");
        // Plain learning depends on the choice.
        let plain = distance_from_twin(false);
        assert!(plain > 0.1, "{sizes:?}: {plain}");
    }
}
