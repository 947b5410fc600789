//! Do training runs of every kind end with the same bytes after interruptions and resumptions with another number of
//! threads, for random options and odd sizes?
//!
//! `EQUILIBRIA_COMBINATIONS=5000` tests this number of combinations of each kind instead of the default.
//! `tests/boltzmann/combinations.rs` compares single updates with plain loops.

#![cfg(feature = "cli")]

use equilibria::adversarial::{Networks, Normalisation, dcgan};
use equilibria::boltzmann::learning::NegativePhase;
use equilibria::data::{Binarisation, Dataset, Images, Labelled};
use equilibria::nn::Shape;
use equilibria::rng::Stream;
use equilibria::run::{Progress, ProgressKind, RunDirectory, Trainable, dbm, gan, rbm, resume, train};
use equilibria::{Error, Result};
use rand::{Rng, RngExt};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Heights and widths of images: around the width of a vector and of a panel.
const IMAGES: [[usize; 2]; 6] = [[1, 1], [1, 3], [5, 8], [7, 9], [8, 8], [5, 13]];
/// Units of a layer.
const SIZES: [usize; 6] = [1, 3, 40, 63, 64, 65];
const UPDATES: usize = 100;

fn combinations(default_count: u64) -> u64 {
    std::env::var("EQUILIBRIA_COMBINATIONS")
        .map_or(default_count, |text| text.parse().expect("a number of combinations"))
}

fn one_of<T: Clone>(random: &mut impl Rng, choices: &[T]) -> T {
    choices[random.random_range(0..choices.len())].clone()
}

/// Images of two kinds whose pixels are correlated within rows.
fn data(random: &mut impl Rng, [height, width]: [usize; 2], train: usize, test: usize) -> Dataset {
    let mut draw = |count: usize| {
        let labels: Vec<u8> = (0..count).map(|i| (i % 2) as u8).collect();
        let mut pixels = Vec::new();
        for &label in &labels {
            for row in 0..height {
                let grey = if row % 2 == usize::from(label) { 220 } else { 30_u8 };
                pixels.extend((0..width).map(|_| grey.wrapping_add(random.random_range(0..36))));
            }
        }
        Labelled::new(Images::new(height, width, pixels).unwrap(), labels).unwrap()
    };
    Dataset { name: "stripes".into(), train: draw(train), test: draw(test) }
}

/// The bytes of the model and the bits of the checkpoint's tensors.
fn trace(path: &Path) -> (Vec<u8>, Vec<(String, Vec<u32>)>) {
    let model = fs::read(path.join("model.safetensors")).unwrap();
    let checkpoint = RunDirectory::open(path).unwrap().read_checkpoint().unwrap();
    let bits = |name: &str| {
        // The history of a game consists of bytes, and is also in the model.
        let values = checkpoint.tensor_f32(name, checkpoint.shape(name).ok()?).ok()?;
        assert!(values.iter().all(|x| x.is_finite()), "{name} is not finite");
        Some((name.to_owned(), values.iter().map(|value| value.to_bits()).collect()))
    };
    (model, checkpoint.names().filter_map(bits).collect())
}

/// Compares a whole run with a run that is interrupted once or twice and changes the number of threads.
fn check<S: Trainable + Sync + std::fmt::Debug>(settings: &S, digits: &Dataset, random: &mut impl Rng) {
    let folder = tempfile::tempdir().unwrap();
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    let mut threads = one_of(random, &[[1, 2, 3], [2, 1, 2], [3, 5, 1]]).into_iter();
    let mut within = |work: &(dyn Fn() -> Result<()> + Sync)| {
        let threads = threads.next().unwrap();
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
    };
    let after = |checks: usize| {
        let asked = AtomicUsize::new(0);
        move || asked.fetch_add(1, Ordering::Relaxed) == checks
    };
    let quiet = || Progress::new(ProgressKind::Quiet);
    let begin = |directory: &RunDirectory, stop: &(dyn Fn() -> bool + Sync)| {
        train(directory, settings, digits, &mut quiet(), stop).map(drop)
    };
    let go_on = |stop: &(dyn Fn() -> bool + Sync)| {
        resume::<S>(&RunDirectory::open(&parts)?, digits, &mut quiet(), stop).map(drop)
    };
    begin(&RunDirectory::create(&whole, true).unwrap(), &|| false).unwrap();
    let first = random.random_range(1..UPDATES / 2);
    let directory = RunDirectory::create(&parts, true).unwrap();
    let mut outcome = within(&|| begin(&directory, &after(first)));
    drop(directory);
    if random.random() && outcome.is_err() {
        let second = random.random_range(1..UPDATES / 4);
        outcome = within(&|| go_on(&after(second)));
    }
    if let Err(error) = outcome {
        assert!(matches!(error, Error::Interrupted { .. }), "{error}, {settings:?}");
        within(&|| go_on(&|| false)).unwrap();
    }
    assert!(trace(&parts) == trace(&whole), "interrupted after {first} checks: {settings:?}");
}

/// Numbers of images, images per mini-batch, and epochs: about a hundred updates, unless that needs many epochs.
fn amounts(random: &mut impl Rng) -> (usize, usize, usize) {
    let images = one_of(random, &[1, 2, 37, 64, 101]);
    let batch = one_of(random, &[1, 3, 7, 40, 64]).min(images);
    (images, batch, UPDATES.div_ceil(images.div_ceil(batch)).min(20))
}

#[test]
fn restricted_machines_end_with_the_same_bytes() {
    for seed in 0..combinations(50) {
        let mut random = Stream::named(seed, "rbm combination").generator();
        let (images, batch, epochs) = amounts(&mut random);
        let size = one_of(&mut random, &IMAGES);
        let digits = data(&mut random, size, images, 9);
        let tempered = NegativePhase::Tempered { temperatures: random.random_range(2..5) };
        let settings = rbm::Settings {
            binarise: one_of(
                &mut random,
                &[Binarisation::Threshold, Binarisation::Sampled, Binarisation::Grey],
            ),
            hidden: one_of(&mut random, &SIZES),
            epochs,
            batch,
            learning_rate: one_of(&mut random, &["0.01", "0.1", "0.1..0.001"]).parse().unwrap(),
            momentum: one_of(&mut random, &["0", "0.5", "0.5:0.9@2"]).parse().unwrap(),
            weight_decay: one_of(&mut random, &[0.0, 1e-3]),
            method: one_of(&mut random, &[NegativePhase::Contrastive, NegativePhase::Persistent, tempered]),
            steps: random.random_range(1..4),
            centred: random.random(),
            seed,
            ..rbm::Settings::default()
        };
        check(&settings, &digits, &mut random);
    }
}

#[test]
fn deep_machines_end_with_the_same_bytes() {
    for seed in 0..combinations(50) {
        let mut random = Stream::named(seed, "dbm combination").generator();
        let (images, batch, epochs) = amounts(&mut random);
        let size = one_of(&mut random, &IMAGES);
        let digits = data(&mut random, size, images, 9);
        let layers: Vec<usize> =
            (0..random.random_range(2..4)).map(|_| one_of(&mut random, &SIZES)).collect();
        let pretraining = if random.random() { epochs.div_ceil(4) } else { 0 };
        let is_sparse = random.random_bool(0.5);
        let settings = dbm::Settings {
            binarise: one_of(
                &mut random,
                &[Binarisation::Threshold, Binarisation::Sampled, Binarisation::Grey],
            ),
            pretraining_epochs: pretraining,
            epochs: (epochs - pretraining).max(1),
            batch,
            chains: one_of(&mut random, &[1, 7, 40, 64]),
            learning_rate: one_of(&mut random, &["0.01", "0.1", "0.1..0.001"]).parse().unwrap(),
            momentum: one_of(&mut random, &["0", "0.5", "0.5:0.9@2"]).parse().unwrap(),
            weight_decay: one_of(&mut random, &[0.0, 1e-3]),
            sweeps: random.random_range(1..4),
            tolerance: one_of(&mut random, &[0.0, 1e-3]),
            iterations: random.random_range(1..12),
            sparsity: layers.iter().filter(|_| is_sparse).map(|_| 0.2).collect(),
            sparsity_cost: one_of(&mut random, &[0.01, 0.5]),
            max_norm: one_of(&mut random, &[None, Some(0.5)]),
            centred: random.random(),
            hidden: dbm::Layers(layers),
            seed,
            ..dbm::Settings::default()
        };
        check(&settings, &digits, &mut random);
    }
}

#[test]
fn games_end_with_the_same_bytes() {
    for seed in 0..combinations(40) {
        let mut random = Stream::named(seed, "gan combination").generator();
        let size = one_of(&mut random, &IMAGES);
        let images = one_of(&mut random, &[2, 37, 64, 101]);
        let digits = data(&mut random, size, images, 70);
        let channels = one_of(&mut random, &[1, 1, 3]);
        let [train, test] = [&digits.train, &digits.test].map(|set| set.to_channels(channels));
        let digits = Dataset { train, test, ..digits };
        let kind = one_of(
            &mut random,
            &[&gan::ObjectiveName::ALL[..], &[gan::ObjectiveName::Relativistic]].concat(),
        );
        let widths = |random: &mut _, most: usize| {
            let layers: Vec<String> = (0..most).map(|_| one_of(random, &SIZES).to_string()).collect();
            layers.join("-")
        };
        let normalisation = match kind {
            gan::ObjectiveName::Penalty => one_of(&mut random, &["plain", "layer-norm"]),
            _ => one_of(&mut random, &["plain", "batch-norm", "layer-norm"]),
        };
        let latent = one_of(&mut random, &SIZES);
        let pixels = size[0] * size[1] * channels;
        let networks = format!(
            "generator {latent}-{}-{pixels}{} tanh, discriminator {pixels}-{}-1 {normalisation}",
            widths(&mut random, 2),
            one_of(&mut random, &[" plain", " batch-norm"]),
            widths(&mut random, 2),
        );
        let settings = gan::Settings {
            minimax: random.random(),
            label_smoothing: one_of(&mut random, &[0.0, 0.1]),
            critic_steps: random.random_range(1..4),
            networks: networks.parse::<Networks>().unwrap_or_else(|error| panic!("{networks}: {error}")),
            batch: one_of(&mut random, &[2, 7, 33, 64]).min(images),
            average: one_of(&mut random, &[None, Some(0.9)]),
            steps: UPDATES,
            every: one_of(&mut random, &[1, 7, 50]),
            duality_gap: one_of(&mut random, &[None, None, None, Some(2)]),
            flip: random.random(),
            seed,
            ..gan::Settings::of(kind)
        };
        check(&settings, &digits, &mut random);
    }
}

#[test]
fn convolutional_games_end_with_the_same_bytes() {
    use gan::{Change, ObjectiveName};
    for seed in 0..combinations(8) {
        let mut random = Stream::named(seed, "dcgan combination").generator();
        let image = Shape { height: 8, width: 8, channels: 1 };
        let digits = data(&mut random, [8, 8], 37, 40);
        let kind = one_of(
            &mut random,
            &[ObjectiveName::Standard, ObjectiveName::Penalty, ObjectiveName::Relativistic],
        );
        let mut normalisations = vec![Normalisation::None, Normalisation::Layer, Normalisation::Spectral];
        let penalty =
            |random: &mut _| one_of(random, &[None, Some(0.5)]).filter(|_| kind != ObjectiveName::Penalty);
        let [r1, r2] = [penalty(&mut random), penalty(&mut random)];
        if kind != ObjectiveName::Penalty && r1.or(r2).is_none() {
            normalisations.push(Normalisation::Batch);
        }
        let normalisation = one_of(&mut random, &normalisations);
        let changes = [Change::Translation, Change::Cutout, Change::Colour];
        let settings = gan::Settings {
            networks: dcgan(image, 5, random.random_range(1..5), normalisation).unwrap(),
            r1,
            r2,
            penalty_every: one_of(&mut random, &[None, Some(1), Some(3)]),
            augment: changes.into_iter().filter(|_| random.random()).collect(),
            critic_steps: 2,
            batch: one_of(&mut random, &[2, 7, 33]),
            average: one_of(&mut random, &[None, Some(0.9)]),
            steps: UPDATES,
            every: one_of(&mut random, &[25, 50]),
            duality_gap: one_of(&mut random, &[None, None, Some(2)]),
            seed,
            ..gan::Settings::of(kind)
        };
        check(&settings, &digits, &mut random);
    }
}
