//! Do stored models that are read in place compute what the library computes, and are damaged files refused?

#![cfg(feature = "checkpoint")]

#[path = "embedded/faults.rs"]
mod faults;
#[path = "embedded/firmware.rs"]
mod firmware;

use equilibria::adversarial::{Networks, Normalisation, dcgan, mlp};
use equilibria::boltzmann::{Dbm, Rbm};
use equilibria::checkpoint::Archive;
use equilibria::embedded::{StoredGenerator, StoredMachine, fill_latent};
use equilibria::nn::{Scratch, Shape, Spec};
use equilibria::rng::Stream;
use equilibria::tensor::{Tensor, Workspace};
use equilibria_kernels::{Level, random};
use rand::Rng;

fn normals(count: usize, name: &str) -> Vec<f32> {
    let mut numbers = vec![0.0; count];
    random::fill_normal(Level::detect(), &mut Stream::named(3, name).bulk(), &mut numbers);
    numbers
}

fn tensor(shape: &[usize], name: &str) -> Tensor<f32> {
    Tensor::from_vec(shape, normals(shape.iter().product(), name)).unwrap()
}

fn rbm(visible: usize, hidden: usize) -> Rbm<f32> {
    let weight = tensor(&[visible, hidden], "weight");
    Rbm::from_parameters(weight, tensor(&[visible], "b"), tensor(&[hidden], "c")).unwrap()
}

fn dbm(sizes: &[usize]) -> Dbm<f32> {
    let weights = sizes.windows(2).enumerate().map(|(l, sizes)| tensor(sizes, &format!("w{l}"))).collect();
    let biases = sizes.iter().enumerate().map(|(l, &size)| tensor(&[size], &format!("b{l}"))).collect();
    Dbm::from_parameters(weights, biases).unwrap()
}

fn states(count: usize) -> Vec<f32> {
    normals(count, "states").into_iter().map(|x| f32::from(u8::from(x > 0.3))).collect()
}

fn assert_near(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "{what}: {found} and {expected} at {place}");
    }
}

/// An archive in each type of weights.
fn types(archive: &Archive) -> [Archive; 3] {
    [archive.clone(), archive.halved().unwrap(), archive.quantised().unwrap()]
}

/// Calls `check` with the bytes of a file at each alignment.
fn at_each_alignment(bytes: &[u8], mut check: impl FnMut(&[u8])) {
    let mut buffer = vec![0_u64; bytes.len() / 8 + 2];
    for offset in 0..4 {
        let place = &mut bytemuck::cast_slice_mut::<u64, u8>(&mut buffer)[offset..][..bytes.len()];
        place.copy_from_slice(bytes);
        check(place);
    }
}

#[test]
fn a_restricted_machine_has_the_probabilities_of_the_library_in_every_type_and_at_every_alignment() {
    for (visible, hidden) in [(1, 1), (7, 5), (130, 300), (33, 128)] {
        for archive in types(&rbm(visible, hidden).to_archive().unwrap()) {
            let bytes = archive.to_bytes().unwrap();
            let same = Rbm::from_archive(&Archive::from_bytes(&bytes, "here").unwrap()).unwrap();
            let mut state = states(visible + hidden);
            let (mut up, mut down) = (vec![0.0; hidden], vec![0.0; visible]);
            same.hidden_probabilities(&state[..visible], &mut up, &mut Workspace::new());
            same.visible_probabilities(&state[visible..], &mut down, &mut Workspace::new());
            at_each_alignment(&bytes, |bytes| {
                for level in Level::available() {
                    let machine = StoredMachine::from_bytes(bytes).unwrap().at_level(level);
                    assert_eq!(machine.sizes().collect::<Vec<_>>(), [visible, hidden]);
                    let mut found = state.clone();
                    machine.probabilities(1, 0..hidden, &mut found).unwrap();
                    assert_near(&found[visible..], &up, 1e-5, "P(h | v)");
                    found.copy_from_slice(&state);
                    machine.probabilities(0, 0..visible, &mut found).unwrap();
                    assert_near(&found[..visible], &down, 1e-5, "P(v | h)");
                }
            });
            // A part of a layer, and mean inputs instead of states.
            state[0] = 0.25;
            same.hidden_probabilities(&state[..visible], &mut up, &mut Workspace::new());
            let part = hidden / 3..hidden / 2 + 1;
            let before = state.clone();
            StoredMachine::from_bytes(&bytes).unwrap().probabilities(1, part.clone(), &mut state).unwrap();
            assert_near(&state[visible..][part.clone()], &up[part.clone()], 1e-5, "a part");
            assert_eq!(state[..visible + part.start], before[..visible + part.start]);
            assert_eq!(state[visible + part.end..], before[visible + part.end..]);
        }
    }
}

#[test]
fn a_deep_machine_has_the_probabilities_of_its_formula_in_every_layer() {
    let sizes = [40, 30, 20, 10];
    let machine = dbm(&sizes);
    let bytes = machine.to_archive().unwrap().to_bytes().unwrap();
    let stored = StoredMachine::from_bytes(&bytes).unwrap();
    assert_eq!((stored.sizes().collect::<Vec<_>>(), stored.state_len()), (sizes.to_vec(), 100));
    let state = states(100);
    let starts = [0, 40, 70, 90];
    let layers: Vec<&[f32]> =
        starts.iter().zip(sizes).map(|(&start, size)| &state[start..][..size]).collect();
    for (layer, size) in sizes.into_iter().enumerate() {
        let logit = |unit: usize| {
            let mut sum = f64::from(machine.biases()[layer].data()[unit]);
            if layer > 0 {
                let weight = machine.weights()[layer - 1].data();
                let terms = layers[layer - 1].iter().enumerate();
                sum += terms.map(|(i, &x)| f64::from(x * weight[i * size + unit])).sum::<f64>();
            }
            if layer + 1 < sizes.len() {
                let row = &machine.weights()[layer].data()[unit * sizes[layer + 1]..];
                sum += layers[layer + 1].iter().zip(row).map(|(x, w)| f64::from(x * w)).sum::<f64>();
            }
            sum
        };
        let expected: Vec<f32> = (0..size).map(|unit| (1.0 / (1.0 + (-logit(unit)).exp())) as f32).collect();
        let mut found = state.clone();
        stored.probabilities(layer, 0..size, &mut found).unwrap();
        assert_near(&found[starts[layer]..][..size], &expected, 1e-5, &format!("layer {layer}"));
    }
}

/// The probability of each state of the visible units, by enumeration.
fn exact(machine: &Rbm<f32>) -> Vec<f64> {
    let visible = machine.visible();
    let all: Vec<f32> =
        (0..1 << visible).flat_map(|v| (0..visible).map(move |i| f32::from((v >> i & 1) as u8))).collect();
    let weights: Vec<f64> = machine
        .free_energies(&all, &mut Workspace::new())
        .into_iter()
        .map(|energy| f64::from(-energy).exp())
        .collect();
    weights.iter().map(|weight| weight / weights.iter().sum::<f64>()).collect()
}

#[test]
fn gibbs_steps_sample_the_exact_distribution_and_completions_its_conditional() {
    let machine = rbm(4, 3);
    let bytes = machine.to_archive().unwrap().to_bytes().unwrap();
    let stored = StoredMachine::from_bytes(&bytes).unwrap();
    let exact = exact(&machine);
    let mut generator = Stream::named(1, "chain").generator();
    // Units 2 and 3 keep the values 1 and 0.
    let is_kept = |state: usize| state >> 2 == 0b01;
    let conditional: f64 = (0..16).filter(|&state| is_kept(state)).map(|state| exact[state]).sum();
    for (unknown, start) in [(0..4, 0.0), (0..2, 1.0)] {
        let steps = 60_000;
        let mut counts = [0.0; 16];
        let mut state = [0.0; 7];
        state[2] = start;
        for _ in 0..steps {
            stored.step(unknown.clone(), &mut state, || generator.next_u64()).unwrap();
            counts[(0..4).map(|i| (state[i] as usize) << i).sum::<usize>()] += 1.0 / f64::from(steps);
        }
        for (state, (count, exact)) in counts.into_iter().zip(&exact).enumerate() {
            let expected = match unknown.end {
                4 => *exact,
                _ if is_kept(state) => exact / conditional,
                _ => 0.0,
            };
            assert!((count - expected).abs() < 0.015, "{unknown:?}, state {state}: {count} for {expected}");
        }
    }
}

#[test]
fn a_deep_step_samples_odd_layers_before_even_ones_with_one_draw_per_unit() {
    let machine = dbm(&[6, 5, 4]);
    let bytes = machine.to_archive().unwrap().to_bytes().unwrap();
    let stored = StoredMachine::from_bytes(&bytes).unwrap();
    let (mut state, mut expected) = (states(15), states(15));
    let (mut draws, mut generator) = (0, Stream::named(2, "chain").generator());
    stored
        .step(0..6, &mut state, || {
            draws += 1;
            generator.next_u64()
        })
        .unwrap();
    let mut generator = Stream::named(2, "chain").generator();
    for (layer, size) in [(1, 5), (0, 6), (2, 4)] {
        stored.sample(layer, 0..size, &mut expected, || generator.next_u64()).unwrap();
    }
    assert_eq!((draws, &state), (15, &expected));
    assert!(state.iter().all(|&unit| unit == 0.0 || unit == 1.0));
}

/// The file of a game with random parameters, and the output of its generator for a latent vector.
fn game(networks: &Networks, prefix: &str, latent: &[f32]) -> (Archive, Vec<f32>) {
    let [mut generator, _] = networks.start::<f32>(Stream::named(5, "init")).unwrap();
    for (index, (name, tensor)) in generator.state_mut().enumerate() {
        let numbers = normals(tensor.len(), &format!("{index}"));
        let of = |x: f32| if name.ends_with("running_var") { 0.5 + x * x } else { 0.3 * x };
        tensor.data_mut().iter_mut().zip(numbers).for_each(|(to, x)| *to = of(x));
    }
    let mut archive = Archive::new();
    archive.set_metadata("model", "gan");
    archive.set_metadata("networks", &networks.to_string());
    for (name, tensor) in generator.state() {
        archive.insert_f32(&format!("{prefix}{name}"), tensor.shape(), tensor.data()).unwrap();
    }
    // What the file of a run has beside its generator.
    archive.insert_u8("history", &[1, 1, 2, 2, 3], &[7; 12]).unwrap();
    let stored = networks.generator.read(&archive, prefix).unwrap();
    let mut image = vec![0.0; stored.outputs()];
    stored.infer(latent, &mut Scratch::new(), &mut image).unwrap();
    (archive, image)
}

/// Generators of each kind of layer.
fn generators() -> Vec<Networks> {
    let perceptron = |normalisation, last| Networks {
        generator: mlp(&[6, 20, 200, 30, 49], normalisation, last),
        discriminator: mlp(&[49, 5, 1], Normalisation::None, None),
    };
    let grey = Shape { height: 28, width: 28, channels: 1 };
    let colour = Shape { height: 20, width: 20, channels: 3 };
    let plan = "generator 4: linear 6 no-bias, softplus, dropout 0.5, linear 5, sigmoid, conv-transpose 3 kernel 2 stride 3 \
                padding 0, relu, conv-transpose 2 kernel 3 stride 1 padding 1; discriminator 2x2x2: linear 1";
    vec![
        perceptron(Normalisation::None, None),
        perceptron(Normalisation::Batch, Some(Spec::Tanh)),
        perceptron(Normalisation::Layer, Some(Spec::Tanh)),
        dcgan(grey, 10, 8, Normalisation::Batch).unwrap(),
        dcgan(colour, 7, 3, Normalisation::Batch).unwrap(),
        plan.parse().unwrap(),
    ]
}

#[test]
fn a_generator_has_the_images_of_the_library_for_every_kind_of_layer() {
    for (networks, prefix) in generators().iter().zip(["generator.", "average."].into_iter().cycle()) {
        let latent = normals(networks.generator.input.size(), "latent");
        let (archive, expected) = game(networks, prefix, &latent);
        assert!(expected.iter().any(|x| x.abs() > 0.01), "{networks}: the image is empty");
        let bytes = archive.to_bytes().unwrap();
        at_each_alignment(&bytes, |bytes| {
            for level in Level::available() {
                let stored = StoredGenerator::from_bytes(bytes).unwrap().at_level(level);
                assert_eq!(stored.latent_len(), latent.len());
                assert_eq!(stored.image_shape(), networks.generator.output());
                let mut workspace = vec![f32::NAN; stored.workspace_len()];
                let mut image = vec![f32::NAN; expected.len()];
                stored.generate(&latent, &mut workspace, &mut image).unwrap();
                assert_near(&image, &expected, 1e-5, &networks.to_string());
            }
        });
        for stored in types(&archive) {
            let bytes = stored.to_bytes().unwrap();
            let read =
                networks.generator.read(&Archive::from_bytes(&bytes, "here").unwrap(), prefix).unwrap();
            let (mut expected, mut image) = (vec![0.0; expected.len()], vec![0.0; expected.len()]);
            read.infer(&latent, &mut Scratch::new(), &mut expected).unwrap();
            let stored = StoredGenerator::from_bytes(&bytes).unwrap();
            stored.generate(&latent, &mut vec![0.0; stored.workspace_len()], &mut image).unwrap();
            assert_near(&image, &expected, 1e-5, &format!("{networks}, rounded"));
        }
    }
}

#[test]
fn latent_vectors_are_standard_normal() {
    let mut generator = Stream::named(1, "latent").generator();
    let mut latent = vec![0.0; 40_001];
    fill_latent(&mut latent, || generator.next_u64());
    let mean = |f: &dyn Fn(f64) -> f64| latent.iter().map(|&x| f(f64::from(x))).sum::<f64>() / 40_001.0;
    for (power, expected) in [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)] {
        let found = mean(&|x: f64| x.powi(power));
        assert!((found - expected).abs() < 0.15, "moment {power}: {found}");
    }
    let pairs: f64 = latent.chunks_exact(2).map(|pair| f64::from(pair[0] * pair[1])).sum::<f64>() / 20_000.0;
    assert!(pairs.abs() < 0.03, "{pairs}");
    let within = mean(&|x| f64::from(u8::from(x.abs() < 1.0)));
    assert!((within - 0.6827).abs() < 0.01, "{within}");
}

#[test]
fn eight_bit_weights_are_as_near_as_their_scale_allows() {
    let archive = rbm(20, 30).to_archive().unwrap();
    let bytes = archive.quantised().unwrap().to_bytes().unwrap();
    assert!(bytes.len() < 20 * 30 + 4 * (20 + 20 + 30) + 800, "{} bytes", bytes.len());
    let read = Archive::from_bytes(&bytes, "here").unwrap();
    assert_eq!(read.names().collect::<Vec<_>>(), ["hidden_bias", "visible_bias", "weight"]);
    let [before, after] = [&archive, &read].map(|archive| archive.tensor_f32("weight", &[20, 30]).unwrap());
    for (before, after) in before.chunks(30).zip(after.chunks(30)) {
        let largest = before.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let error = before.iter().zip(after).fold(0.0_f32, |error, (x, y)| error.max((x - y).abs()));
        assert!(error <= largest / 254.0 * 1.0001 && error > 0.0, "{error} with {largest}");
        assert!(before.iter().zip(after).any(|(x, y)| x.abs() == largest && (x - y).abs() < 1e-6 * largest));
    }
    // Rows of zeros remain zeros, and a second rounding changes nothing.
    let mut zeros = Archive::new();
    zeros.insert_f32("w", &[2, 2], &[0.0, -0.0, 1.0, -0.5]).unwrap();
    let zeros = Archive::from_bytes(&zeros.quantised().unwrap().to_bytes().unwrap(), "here").unwrap();
    assert_eq!(zeros.tensor_f32("w", &[2, 2]).unwrap()[..3], [0.0, 0.0, 1.0]);
    assert_eq!(read.quantised().unwrap().to_bytes().unwrap(), bytes);
    let mut infinite = Archive::new();
    infinite.insert_f32("w", &[1, 1], &[f32::NAN]).unwrap();
    assert!(infinite.quantised().is_err());
}
