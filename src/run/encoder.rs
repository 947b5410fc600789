//! Training an encoder of images without labels: see [`crate::evaluate::encoder`].

use super::supervised::{Supervised, decaying_rate};
use super::{Progress, interrupt};
use crate::data::{Dataset, Images};
use crate::evaluate::encoder::{Encoder, TURNS, View, shape_of};
use crate::nn::Initialisation;
use crate::rng::Stream;
use crate::{Error, Result};
use std::path::Path;

/// Metadata of an encoder: the name and the number of its training images.
const IMAGES: [&str; 2] = ["data", "train_images"];

/// The settings of the training of an encoder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EncoderSettings {
    /// Number of mini-batches.
    pub steps: usize,
    /// Images in a mini-batch, each in four orientations; fewer if the training set is smaller.
    pub batch: usize,
    /// Adam's rate at the start; it decreases linearly to 0.
    pub learning_rate: f64,
    /// Seed of all random numbers.
    pub seed: u64,
}

impl Default for EncoderSettings {
    fn default() -> Self {
        Self { steps: 4000, batch: 32, learning_rate: 1e-3, seed: 1 }
    }
}

/// Trains an encoder on images alone; its parameters are rounded to 16 bits, as files store them.
///
/// **Errors** [`Error::InvalidArgument`] for no images or no steps, or as [`Encoder::plan`]; [`Error::Interrupted`] soon after
/// `stop` returns true.
///
/// **Randomness** Parameters from the stream `init` of the seed; orders from the substreams of `shuffle` by epoch; views from
/// those of `augment` by step and image of the mini-batch. The result is the same for any number of threads.
///
/// **Accuracy and cost** By default 4,000 steps of 32 images, about 2 minutes for images of 32x32x3 on 2 AVX-512 cores.
///
/// **Source** Gidaris, Singh & Komodakis 2018; Kingma & Ba 2015.
pub fn train(
    settings: &EncoderSettings,
    images: &Images,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<Encoder> {
    let batch = settings.batch.min(images.len());
    if batch == 0 || settings.steps == 0 {
        let given = format!("an encoder from {} images in {} steps", images.len(), settings.steps);
        return Err(Error::invalid(given, "at least 1 image, 1 image in a mini-batch and 1 step are needed"));
    }
    let shape = shape_of(images);
    let plan = Encoder::plan(shape)?;
    let mut network = plan.build()?;
    let named = |name| Stream::named(settings.seed, name);
    network.initialise(Initialisation::He { slope: 0.0 }, named("init"));
    let mut training = Supervised::new(network)?;
    let mut order = vec![0; images.len()];
    let per_epoch = images.len() / batch;
    progress.start(settings.steps as u64, "steps of the encoder");
    for step in 0..settings.steps {
        interrupt::check(stop)?;
        let (epoch, first) = (step / per_epoch, step % per_epoch * batch);
        if first == 0 {
            named("shuffle").substream(epoch as u64).permutation(&mut order);
        }
        let stream = named("augment").substream(step as u64);
        let rate = decaying_rate(settings.learning_rate, step, settings.steps);
        let loss = training.step(TURNS * batch, rate, stream, |inputs, labels| {
            let rows = inputs.chunks_exact_mut(shape.size()).zip(labels).enumerate();
            for (row, (input, label)) in rows {
                let (image, turns) = (row / TURNS, row % TURNS);
                let view = View { turns, ..View::random(shape, stream.substream(image as u64)) };
                view.fill(shape, images.image(order[first + image]), input);
                *label = turns as u8;
            }
        })?;
        progress.advance(1);
        if step % 50 == 0 {
            progress.message(&format!("cross-entropy {loss:.3} nats"));
        }
    }
    progress.finish("");
    Encoder::from_archive(&Encoder::new(plan, &training.network)?.to_archive()?)
}

/// An encoder for an evaluation, and where it comes from.
#[derive(Debug, Clone)]
pub struct ChosenEncoder {
    /// The encoder.
    pub encoder: Encoder,
    /// `trained` on the training images now, or `given` as a file.
    pub source: &'static str,
    /// A warning, if the file names other training images.
    pub warning: Option<String>,
}

/// Reads the encoder in `file`. Without a file, or if it does not exist yet, trains one on the training images, and writes it
/// to the file.
///
/// **Errors** those of [`train`]; [`Error::Io`] if the file cannot be read or written; [`Error::Malformed`] if it is not an
/// encoder.
pub fn choose(
    file: Option<&Path>,
    digits: &Dataset,
    seed: u64,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<ChosenEncoder> {
    let images = [digits.name.clone(), digits.train.len().to_string()];
    if let Some(file) = file.filter(|file| file.exists()) {
        let archive = super::read_archive(file)?;
        let warning = IMAGES.iter().zip(&images).any(|(key, own)| archive.metadata(key) != Some(own)).then(|| {
            let [name, count] = IMAGES.map(|key| archive.metadata(key).unwrap_or("unknown"));
            format!(
                "the encoder in {} learned from {count} images of {name}, the generator from {} of {}: compare models by one \
                 encoder only",
                file.display(),
                images[1],
                images[0],
            )
        });
        return Ok(ChosenEncoder { encoder: Encoder::from_archive(&archive)?, source: "given", warning });
    }
    let settings = EncoderSettings { seed, ..EncoderSettings::default() };
    let encoder = train(&settings, digits.train.images(), progress, stop)?;
    if let Some(file) = file {
        let mut archive = encoder.to_archive()?;
        IMAGES.iter().zip(&images).for_each(|(key, value)| archive.set_metadata(key, value));
        archive.set_metadata("seed", &seed.to_string());
        super::write_atomically(file, &archive.to_bytes()?)?;
    }
    Ok(ChosenEncoder { encoder, source: "trained", warning: None })
}
