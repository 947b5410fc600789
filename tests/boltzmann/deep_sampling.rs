//! Do chains of a deep machine visit states with the model's frequencies?

use crate::assert_near;
use crate::deep_states::{DeepStates, deep_machine};
use crate::sampling::{assert_differ, excess};
use equilibria::Tensor;
use equilibria::boltzmann::reconstruct::{Effort, reconstruct};
use equilibria::boltzmann::{Dbm, DbmChains};
use equilibria::rng::Stream;
use equilibria::tensor::Element;
use equilibria_kernels::binary::pack_states;
use equilibria_kernels::{Level, random};

const CHAINS: usize = 1000;
/// Samples per chain.
const SAMPLES: usize = 20;
/// Sweeps before the first sample and between two samples.
const SPACING: usize = 12;

/// The number of visits of each joint state.
fn visits<T: Element>(model: &Dbm<T>, exact: &DeepStates, seed: u64) -> Vec<f64> {
    let mut chains = DbmChains::new(model, CHAINS, Stream::named(seed, "chain"));
    let mut visits = vec![0.0; exact.joint.len()];
    chains.walk(40);
    for _ in 0..SAMPLES {
        chains.walk(SPACING);
        let states: Vec<Vec<T>> = (0..exact.sizes.len()).map(|layer| chains.states(layer)).collect();
        for chain in 0..CHAINS {
            let of_chain = |(states, &size): (_, &usize)| {
                let states: &Vec<T> = states;
                states[chain * size..(chain + 1) * size].to_vec()
            };
            let layers: Vec<Vec<T>> = states.iter().zip(&exact.sizes).map(of_chain).collect();
            let layers: Vec<&[T]> = layers.iter().map(Vec::as_slice).collect();
            visits[exact.state_of(&layers)] += 1.0;
        }
    }
    visits
}

#[test]
fn frequencies_of_all_layers_agree_with_enumeration() {
    for (seed, sizes) in (70..).zip([&[3, 3, 2][..], &[3, 2, 2, 2]]) {
        let model = deep_machine::<f64>(sizes, 0.8, seed);
        let exact = DeepStates::of(&model);
        let cast = |tensors: &[Tensor<f64>]| tensors.iter().map(Tensor::cast::<f32>).collect();
        let single = Dbm::from_parameters(cast(model.weights()), cast(model.biases())).unwrap();
        for found in [visits(&model, &exact, seed), visits(&single, &exact, seed + 10)] {
            let off = excess(&found, &exact.joint);
            assert!(off < 5.0, "{sizes:?}: {off} standard deviations");
            // A slightly different machine is detected.
            let other = DeepStates::of(&deep_machine::<f64>(sizes, 0.7, seed));
            let off = excess(&found, &other.joint);
            assert!(off > 10.0, "{sizes:?}: {off} standard deviations from another machine");
        }
    }
}

/// sigmoid(b + below W + above W') of one row, by its definition.
fn expected(model: &Dbm<f64>, layers: &[Vec<f64>], layer: usize, row: usize) -> Vec<f64> {
    let sizes: Vec<usize> = model.sizes().collect();
    let units = |layer: usize| &layers[layer][row * sizes[layer]..(row + 1) * sizes[layer]];
    let logit = |j: usize| {
        let mut sum = model.biases()[layer].data()[j];
        if layer > 0 {
            let weight = model.weights()[layer - 1].data();
            let below = units(layer - 1).iter().enumerate();
            sum += below.map(|(i, x)| x * weight[i * sizes[layer] + j]).sum::<f64>();
        }
        if layer + 1 < sizes.len() {
            let weight = &model.weights()[layer].data()[j * sizes[layer + 1]..];
            sum += units(layer + 1).iter().zip(weight).map(|(x, w)| x * w).sum::<f64>();
        }
        sum
    };
    (0..sizes[layer]).map(|j| 1.0 / (1.0 + (-logit(j)).exp())).collect()
}

/// Layers of several panels, over more sweeps than sums are corrected, with states set and clamped in between.
#[test]
fn probabilities_given_both_neighbours_are_those_of_dense_products() {
    const ROWS: usize = 40;
    let sizes = [300, 70, 150, 65];
    let model = deep_machine::<f64>(&sizes, 0.15, 80);
    let mut chains = DbmChains::new(&model, ROWS, Stream::named(81, "chain"));
    let mut noise = vec![0.0; ROWS * sizes[0]];
    random::fill_uniform(Level::detect(), &mut Stream::named(82, "data").bulk(), &mut noise);
    let set: Vec<f64> = noise.iter().map(|&x| f64::from(u8::from(x < 0.3))).collect();
    let [mut known, mut values] = [(); 2].map(|()| vec![0; ROWS * sizes[0].div_ceil(64)]);
    let is_known: Vec<f64> = noise.iter().map(|&x| f64::from(u8::from(x > 0.5))).collect();
    pack_states(Level::detect(), &is_known, sizes[0], &mut known);
    pack_states(Level::detect(), &set, sizes[0], &mut values);
    let all = |chains: &DbmChains<f64>| (0..4).map(|layer| chains.states(layer)).collect::<Vec<_>>();
    for sweep in 0..20 {
        match sweep {
            3 => chains.set_states(0, &set).unwrap(),
            // So few units change that the sums are corrected rather than recomputed.
            4..9 => chains.clamp_visible(&known, &values),
            _ => {}
        }
        for parity in [1, 0] {
            let before = all(&chains);
            if parity == 1 {
                chains.sample_odd()
            } else {
                chains.sample_even()
            }
            for layer in (parity..4).step_by(2) {
                let found = chains.probabilities(layer);
                for (row, found) in found.chunks(sizes[layer]).enumerate() {
                    let right = expected(&model, &before, layer, row);
                    assert_near(found, &right, 1e-12, &format!("sweep {sweep}, layer {layer}, row {row}"));
                }
            }
        }
    }
    let states = chains.states(0);
    chains.clamp_visible(&known, &values);
    for (place, clamped) in chains.states(0).into_iter().enumerate() {
        assert_eq!(clamped, if is_known[place] == 1.0 { set[place] } else { states[place] });
    }
}

#[test]
fn a_deep_chain_does_not_depend_on_the_number_of_chains_or_threads() {
    let sizes = [200, 130, 70];
    let model = deep_machine::<f32>(&sizes, 0.2, 83);
    let walk = |chains: usize, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut walkers = DbmChains::new(&model, chains, Stream::named(84, "chain"));
            assert_eq!((walkers.len(), walkers.is_empty()), (chains, false));
            walkers.walk(20);
            (0..3).map(|layer| [walkers.states(layer), walkers.probabilities(layer)]).collect::<Vec<_>>()
        })
    };
    let all = walk(70, 1);
    assert!(walk(70, 2) == all && walk(70, 3) == all, "on several threads");
    for chains in [1, 2, 64] {
        for (layer, (few, all)) in walk(chains, 2).iter().zip(&all).enumerate() {
            assert!(few[0] == all[0][..chains * sizes[layer]], "layer {layer} of {chains} chains");
        }
    }
    assert_differ(&all[0][0], sizes[0]);
    let mut walkers = DbmChains::new(&model, 70, Stream::named(85, "chain"));
    walkers.draw_from(Stream::named(84, "chain"));
    walkers.walk(20);
    assert!(walkers.states(2) == all[2][0], "after draw_from");
}

#[test]
fn missing_pixels_take_their_mean_given_the_known_ones_in_deep_machines_too() {
    const EACH: usize = 100;
    for sizes in [&[4, 3, 2][..], &[4, 2, 3, 2]] {
        let model = deep_machine::<f64>(sizes, 1.5, 74);
        let exact = DeepStates::of(&model);
        let missing = [true, false, true, false];
        let kinds = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]];
        // The missing pixels have arbitrary values, which must not be read.
        let image = |row: usize| [f64::NAN, kinds[row % 4][0], f64::NAN, kinds[row % 4][1]];
        let images: Vec<f64> = (0..4 * EACH).flat_map(image).collect();
        let effort = Effort { burn_in: 30, average: 60 };
        let filled = reconstruct(&model, &images, &missing, effort, Stream::named(75, "evaluate")).unwrap();
        let mut expected_of_kinds = Vec::new();
        for (kind, known) in kinds.into_iter().enumerate() {
            let of_kind = || filled.chunks(4).skip(kind).step_by(4);
            assert!(of_kind().all(|image| [image[1], image[3]] == known), "known pixels changed");
            for pixel in [0, 2] {
                let (mut mass, mut on) = (0.0, 0.0);
                for (state, probability) in exact.joint.iter().enumerate() {
                    let visible = &exact.layers(state)[0];
                    if [visible[1], visible[3]] == known {
                        mass += probability;
                        on += probability * visible[pixel];
                    }
                }
                let expected = on / mass;
                let mean = of_kind().map(|image| image[pixel]).sum::<f64>() / EACH as f64;
                let squares = of_kind().map(|image| (image[pixel] - mean).powi(2)).sum::<f64>();
                let error = (squares / (EACH * (EACH - 1)) as f64).sqrt();
                assert!(
                    (mean - expected).abs() < 5.0 * error && error < 0.02,
                    "{sizes:?}, pixel {pixel} given {known:?}: {mean}, not {expected} +- {error}"
                );
                expected_of_kinds.push(expected);
            }
        }
        let first: Vec<f64> = expected_of_kinds.iter().step_by(2).copied().collect();
        let spread =
            first.iter().copied().fold(f64::MIN, f64::max) - first.iter().copied().fold(f64::MAX, f64::min);
        assert!(spread > 0.05, "{sizes:?}: the missing pixels hardly depend on the known ones: {spread}");
    }
}
