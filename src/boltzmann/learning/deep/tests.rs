use super::{DeepLearner, Rates, Sparsity};
use crate::boltzmann::{Dbm, Stop};
use crate::rng::Stream;
use crate::tensor::Tensor;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, random};

/// Some layers have several panels, others one.
const SIZES: [&[usize]; 2] = [&[150, 70, 130], &[80, 66, 70, 20]];
/// Iterates until the fixed point, which does not depend on the start.
const TIGHT: Stop = Stop { tolerance: 1e-15, iterations: 500 };

fn noise(len: usize, seed: u64) -> Vec<f64> {
    let mut values = vec![0.0; len];
    random::fill_uniform(Level::detect(), &mut Stream::named(seed, "evaluate").bulk(), &mut values);
    values
}

fn on(share: f64) -> impl Fn(&f64) -> f64 {
    move |x| f64::from(u8::from(*x < share))
}

fn machine(sizes: &[usize]) -> Dbm<f64> {
    let model = Dbm::new(&vec![0.3; sizes[0]], &sizes[1..], Stream::named(1, "init")).unwrap();
    let stir = |(place, tensor): (usize, &Tensor<f64>)| {
        let mut tensor = tensor.clone();
        let noise = noise(tensor.len(), 50 + place as u64);
        tensor.data_mut().iter_mut().zip(noise).for_each(|(x, noise)| *x += 0.1 * (noise - 0.5));
        tensor
    };
    let weights = model.weights().iter().enumerate().map(stir).collect();
    Dbm::from_parameters(weights, model.biases().iter().enumerate().map(stir).collect()).unwrap()
}

/// All parameters: W_1 to W_L, then b_0 to b_L.
fn parameters(model: &Dbm<f64>) -> Vec<f64> {
    model.weights().iter().chain(model.biases()).flat_map(|tensor| tensor.data().iter().copied()).collect()
}

/// x' y / rows for each pair of neighbouring layers, then the means of the layers (rows, units).
fn statistics(layers: &[Vec<f64>], rows: usize) -> Vec<f64> {
    let units = |layer: &Vec<f64>| layer.len() / rows;
    let mut all = Vec::new();
    for pair in layers.windows(2) {
        let mut products = vec![0.0; units(&pair[0]) * units(&pair[1])];
        for (below, above) in pair[0].chunks(units(&pair[0])).zip(pair[1].chunks(units(&pair[1]))) {
            for (row, x) in products.chunks_mut(above.len()).zip(below) {
                row.iter_mut().zip(above).for_each(|(sum, y)| *sum += x * y / rows as f64);
            }
        }
        all.extend(products);
    }
    for layer in layers {
        let mean = |unit| layer.iter().skip(unit).step_by(units(layer)).sum::<f64>() / rows as f64;
        all.extend((0..units(layer)).map(mean));
    }
    all
}

fn images(rows: usize, visible: usize, are_binary: bool, seed: u64) -> Vec<f64> {
    let images = noise(rows * visible, seed);
    if are_binary { images.iter().map(on(0.3)).collect() } else { images }
}

/// The layers from which the two phases of the last update were computed.
fn phases(learner: &DeepLearner<f64>, images: &[f64]) -> [Vec<Vec<f64>>; 2] {
    let mut positive = vec![images.to_vec()];
    positive.extend((1..learner.packed.biases.len()).map(|layer| learner.posterior.means(layer).to_vec()));
    let walkers = learner.chains.layers.iter().zip(&learner.packed.biases).enumerate();
    let negative = walkers.map(|(place, (layer, bias))| {
        let mut units = vec![0.0; layer.rows() * bias.len()];
        if place % 2 == 0 {
            layer.unpack(&mut units)
        } else {
            layer.unpack_probabilities(&mut units)
        }
        units
    });
    [positive, negative.collect()]
}

fn check(sizes: &[usize], [batch, rows, chains]: [usize; 3], are_binary: bool) {
    let mut learner = DeepLearner::new(machine(sizes), batch, chains, 2, Stream::named(2, "chain"));
    let rates = Rates { learning_rate: 0.5, momentum: 0.0, weight_decay: 0.01 };
    for update in 0..3 {
        let v0 = images(rows, sizes[0], are_binary, update);
        learner.images_mut(rows).copy_from_slice(&v0);
        let before = learner.model().clone();
        assert!(learner.update(rates, Stream::named(update, "chain")).unwrap());
        let [positive, negative] = phases(&learner, &v0);
        let right = statistics(&positive, rows).into_iter().zip(statistics(&negative, chains));
        let weights: usize = before.weights().iter().map(Tensor::len).sum();
        let new = parameters(learner.model());
        let parameters = parameters(&before).into_iter().zip(new).enumerate();
        for ((at, (old, new)), (positive, negative)) in parameters.zip(right) {
            let decay = if at < weights { 0.01 * old } else { 0.0 };
            let (found, right) = (new - old, 0.5 * (positive - negative - decay));
            let what = (sizes, batch, rows, chains, are_binary, update);
            assert!((found - right).abs() < 1e-13, "{what:?}, parameter {at}: {found}, not {right}");
        }
    }
}

#[test]
fn sums_of_rows_and_dense_products_give_the_gradient_by_its_definition() {
    for sizes in SIZES {
        for are_binary in [true, false] {
            // As many chains as images, fewer, and more; in the last case so few of both that tables are used instead
            // of lists.
            for rows in [[40, 40, 40], [70, 40, 33], [20, 10, 65], [5, 3, 4]] {
                check(sizes, rows, are_binary);
            }
        }
    }
}

/// The machine in which the states 0 and 1 of the units in `flips` are exchanged.
fn flipped(model: &Dbm<f64>, flips: &[Vec<bool>]) -> Dbm<f64> {
    let sign = |flip: bool| if flip { -1.0 } else { 1.0 };
    let mut model = model.clone();
    let (weights, biases) = model.parameters_mut();
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
    model
}

/// The largest difference between the parameters of a machine and of its flipped twin after three updates from the same
/// states of the chains.
fn distance_from_twin(sizes: &[usize], is_centred: bool, are_binary: bool) -> f64 {
    const ROWS: usize = 40;
    let flips: Vec<Vec<bool>> = (20..)
        .zip(sizes)
        .map(|(seed, &units)| noise(units, seed).iter().map(|x| *x < 0.4).collect())
        .collect();
    let none: Vec<Vec<bool>> = sizes.iter().map(|&units| vec![false; units]).collect();
    let apply_flips = |values: &[f64], flips: &[bool]| -> Vec<f64> {
        let flip = |(value, &flip): (&f64, &bool)| if flip { 1.0 - value } else { *value };
        values.iter().zip(flips.iter().cycle()).map(flip).collect()
    };
    let twins = [&none, &flips].map(|flips| {
        let model = flipped(&machine(sizes), flips);
        let stream = Stream::named(2, "chain");
        let mut learner = DeepLearner::new(model, ROWS, ROWS, 1, stream).with_stop(TIGHT);
        if is_centred {
            learner = learner.centred();
        }
        if let Some(centring) = &mut learner.centring {
            for (offsets, flips) in centring.offsets.iter_mut().zip(flips) {
                let start: Vec<f64> = (0..flips.len()).map(|unit| 0.2 + unit as f64 / 300.0).collect();
                offsets[..flips.len()].copy_from_slice(&apply_flips(&start, flips));
            }
        }
        for update in 0..3 {
            let v0 = apply_flips(&images(ROWS, sizes[0], are_binary, update), &flips[0]);
            learner.images_mut(ROWS).copy_from_slice(&v0);
            let DeepLearner { images, packed, model, posterior, workspace, chains, .. } = &mut learner;
            assert_eq!(images.compute_logits(packed, model, workspace), Ok(are_binary));
            posterior.infer_from_logits(model, images.logits(), TIGHT).unwrap();
            for (place, (layer, flips)) in chains.layers.iter_mut().zip(flips).enumerate() {
                let numbers = noise(ROWS * flips.len(), 40 + 10 * update + place as u64);
                if place % 2 == 0 {
                    let states: Vec<f64> = numbers.iter().map(on(0.4)).collect();
                    layer.set(&apply_flips(&states, flips));
                } else {
                    crate::boltzmann::layer::pack_rows(
                        &apply_flips(&numbers, flips),
                        flips.len(),
                        &mut layer.probabilities,
                    );
                }
            }
            let rates = Rates { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.01 };
            assert!(learner.ascend(rates, are_binary));
        }
        learner.into_model()
    });
    let [plain, twin] = twins;
    let (plain, twin) = (parameters(&flipped(&plain, &flips)), parameters(&twin));
    plain.iter().zip(&twin).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
}

#[test]
fn centred_deep_learning_is_the_same_when_units_exchange_0_and_1() {
    for sizes in SIZES {
        for are_binary in [true, false] {
            let distance_from_twin = |is_centred| distance_from_twin(sizes, is_centred, are_binary);
            assert!(
                distance_from_twin(true) < 1e-11,
                "{sizes:?}, binary {are_binary}: {}",
                distance_from_twin(true)
            );
            // Plain learning depends on the choice.
            assert!(
                distance_from_twin(false) > 0.1,
                "{sizes:?}, binary {are_binary}: {}",
                distance_from_twin(false)
            );
        }
    }
}

#[test]
fn sparsity_moves_biases_by_means_and_norms_are_limited() {
    let sizes = SIZES[1];
    let rates = Rates { learning_rate: 0.5, momentum: 0.0, weight_decay: 0.0 };
    let v0 = images(30, sizes[0], true, 3);
    let learn = |sparsity: Option<Sparsity>, most: Option<f64>, is_centred: bool| {
        let mut learner = DeepLearner::new(machine(sizes), 30, 20, 1, Stream::named(2, "chain"));
        if let Some(sparsity) = sparsity {
            learner = learner.with_sparsity(sparsity);
        }
        if let Some(most) = most {
            learner = learner.with_max_norm(most);
        }
        if is_centred {
            learner = learner.centred();
        }
        learner.images_mut(30).copy_from_slice(&v0);
        assert!(learner.update(rates, Stream::named(4, "chain")).unwrap());
        learner
    };
    for is_centred in [false, true] {
        let plain = learn(None, None, is_centred);
        let targets = vec![0.1, 0.2, 0.3];
        let sparse = learn(Some(Sparsity { targets: targets.clone(), cost: 0.4 }), None, is_centred);
        assert_eq!(plain.model().weights(), sparse.model().weights());
        assert_eq!(plain.model().biases()[0], sparse.model().biases()[0]);
        for (layer, target) in (1..).zip(targets) {
            let means = plain.posterior.means(layer);
            let biases = [&plain, &sparse].map(|learner| learner.model().biases()[layer].data());
            for (unit, (plain, sparse)) in biases[0].iter().zip(biases[1]).enumerate() {
                let mean = means.iter().skip(unit).step_by(sizes[layer]).sum::<f64>() / 30.0;
                let (found, right) = (sparse - plain, 0.5 * 0.4 * (target - mean));
                assert!((found - right).abs() < 1e-14, "layer {layer}, unit {unit}: {found}, not {right}");
            }
        }
    }

    let most = 0.25;
    let (free, limited) = (learn(None, None, false), learn(None, Some(most), false));
    let (mut above, mut below) = (0, 0);
    for (place, (free, limited)) in free.model().weights().iter().zip(limited.model().weights()).enumerate() {
        let columns = sizes[place + 1];
        for unit in 0..columns {
            let column = |weight: &Tensor<f64>| -> Vec<f64> {
                weight.data().iter().skip(unit).step_by(columns).copied().collect()
            };
            let (free, limited) = (column(free), column(limited));
            let norm = libm::sqrt(free.iter().map(|w| w * w).sum());
            let factor = if norm > most { most / norm } else { 1.0 };
            if norm > most {
                above += 1
            } else {
                below += 1
            }
            for (free, limited) in free.iter().zip(limited) {
                assert!((factor * free - limited).abs() < 1e-15, "W_{}, unit {unit}", place + 1);
            }
        }
    }
    assert!(above > 10 && below > 10, "{above} units above the limit and {below} below it");
    // The chains use the transposed weights, which must be equal.
    let mut again = limited.packed.clone();
    again.read(limited.model());
    for (one, two) in limited.packed.weights.iter().zip(&again.weights) {
        let in_use = |tiles: &crate::boltzmann::packed::Tiles<f64>| {
            let mut matrices = [vec![0.0; tiles.rows * tiles.columns], vec![0.0; tiles.rows * tiles.columns]];
            tiles.write(&mut matrices[0]);
            tiles.write_transposed(&mut matrices[1]);
            matrices
        };
        assert_eq!(in_use(one), in_use(two));
    }
}
