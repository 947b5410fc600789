//! Trained generators.

use super::history::{self, HISTORY};
use super::observer::to_images;
use super::settings::{MOST_STEPS, Settings};
use crate::adversarial::networks::pytorch_generator;
use crate::adversarial::{Networks, fill_latents_from};
use crate::checkpoint::Archive;
use crate::data::Images;
use crate::nn::{Scratch, Sequential, Shape, check_usable};
use crate::rng::Stream;
use crate::{Error, Result, memory};
use std::path::Path;

/// A trained generator of images, with samples from its training.
#[derive(Debug, Clone)]
pub struct Generator {
    networks: Networks,
    network: Sequential<f32>,
    is_average: bool,
    /// Height, width and channels.
    shape: [usize; 3],
    steps: Option<u64>,
    history: Images,
    /// The numbers of steps of the samples in `history`.
    moments: Vec<usize>,
}

impl Generator {
    /// Loads a generator from a run directory or a safetensors file, with the settings of its run if they are known.
    ///
    /// **Errors** [`Error::NotFound`], [`Error::Malformed`], [`Error::Io`].
    pub fn load(path: &Path) -> Result<(Self, Option<Settings>)> {
        let archive = crate::run::read_archive(&crate::run::locate_model(path)?)?;
        let generator = Self::from_archive(&archive)?;
        Ok((generator, crate::run::settings_of(path, &archive)?))
    }

    /// The generator in the archive of a run, with averaged parameters if there are any; or the generator of a DCGAN in a state
    /// dictionary of PyTorch, without samples from its training.
    ///
    /// **Errors** [`Error::Malformed`] if it is of another kind of model, its tensors do not fit its metadata, a number in them
    /// is not finite, a running variance is negative, or all weights are 0.
    pub fn from_archive(archive: &Archive) -> Result<Self> {
        let malformed = |problem: String| Error::malformed(archive.place(), 8, problem);
        if archive.metadata("model").is_none()
            && let Some((networks, network)) = pytorch_generator(archive)?
        {
            check_usable("generator", &network).map_err(|error| malformed(error.to_string()))?;
            let Shape { height, width, channels } = network.output_shape();
            let history = Images::with_channels(height, width, channels, Vec::new())?;
            return Ok(Self {
                networks,
                network,
                is_average: false,
                shape: [height, width, channels],
                steps: None,
                history,
                moments: Vec::new(),
            });
        }
        let kind = archive.required_metadata("model")?;
        if kind != "gan" {
            return Err(malformed(format!("a model of kind '{kind}', not 'gan'")));
        }
        let networks: Networks = archive
            .required_metadata("networks")?
            .parse()
            .map_err(|error: Error| malformed(format!("metadata `networks`: {error}")))?;
        let is_average = archive.names().any(|name| name.starts_with("average."));
        let name = if is_average { "average" } else { "generator" };
        let network = networks.generator.read(archive, &format!("{name}."))?;
        check_usable("generator", &network).map_err(|error| Error::malformed(archive.place(), 8, error))?;
        let steps = archive.metadata("steps").map(|steps| {
            steps.parse().ok().filter(|&steps| steps <= MOST_STEPS as u64).ok_or_else(|| {
                malformed(format!("metadata `steps` is `{steps}`, not a number up to {MOST_STEPS}"))
            })
        });
        let steps: Option<u64> = steps.transpose()?;
        let (history, moments) = match archive.names().any(|name| name == HISTORY) {
            true => history::read(archive, network.outputs(), steps)?,
            // A generator that was stored alone.
            false => {
                let [height, width, channels] = crate::run::shape_in(archive, network.outputs())?;
                (Images::with_channels(height, width, channels, Vec::new())?, Vec::new())
            }
        };
        Ok(Self { networks, network, is_average, shape: history.shape(), steps, history, moments })
    }

    /// The file or run at `path` without all that drawing samples does not need: the parameters of the generator, or their
    /// average, with the size of the images and the settings if they are known.
    ///
    /// **Errors** As [`Generator::load`].
    pub fn load_alone(path: &Path) -> Result<Archive> {
        let archive = crate::run::read_archive(&crate::run::locate_model(path)?)?;
        let generator = Self::from_archive(&archive)?;
        let mut alone = Archive::new();
        alone.set_metadata("model", "gan");
        alone.set_metadata("networks", &generator.networks.to_string());
        generator.steps.into_iter().for_each(|steps| alone.set_metadata("steps", &steps.to_string()));
        for (name, tensor) in generator.network.state() {
            alone.insert_f32(&format!("generator.{name}"), tensor.shape(), tensor.data())?;
        }
        crate::run::describe_shape(&mut alone, generator.shape);
        crate::run::copy_settings::<Settings>(path, &archive, &mut alone)?;
        Ok(alone)
    }

    /// Generator and discriminator, as plans.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// Returns true if its parameters are averages over training.
    pub fn is_average(&self) -> bool {
        self.is_average
    }

    /// Height, width and channels of an image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The state dictionary of the generator as PyTorch's example of a DCGAN names it, for `load_state_dict`.
    ///
    /// **Errors** As [`Plan::write_pytorch`](crate::nn::Plan::write_pytorch).
    pub fn to_pytorch(&self) -> Result<Archive> {
        let mut archive = Archive::new();
        self.networks.generator.write_pytorch(&self.network, "main.", &mut archive)?;
        Ok(archive)
    }

    /// Steps of the generator in training, if they are known.
    pub fn steps(&self) -> Option<u64> {
        self.steps
    }

    /// Size of a latent vector.
    pub fn latent(&self) -> usize {
        self.network.inputs()
    }

    /// Generates images from latents.
    ///
    /// **Shapes** `latents` (rows, latent size).
    ///
    /// **Errors** [`Error::ShapeMismatch`] if they are not whole rows.
    pub fn images_of(&self, latents: &[f32]) -> Result<Images> {
        let rows = latents.len() / self.latent();
        let mut samples = vec![0.0; rows * self.network.outputs()];
        self.network.infer(latents, &mut Scratch::new(), &mut samples)?;
        to_images(&samples, self.shape)
    }

    /// Generates `count` samples.
    ///
    /// **Errors** [`Error::InvalidArgument`] if they do not fit the memory.
    ///
    /// **Randomness** Row r from the substream r of `stream`.
    pub fn samples(&self, count: usize, stream: Stream) -> Result<Images> {
        self.samples_from(0, count, stream)
    }

    /// Generates `count` samples, from number `first` on of those that [`Generator::samples`] would generate.
    ///
    /// **Errors** As [`Generator::samples`].
    pub fn samples_from(&self, first: u64, count: usize, stream: Stream) -> Result<Images> {
        let numbers = count.checked_mul(self.latent().max(self.network.outputs()));
        if !numbers.is_some_and(memory::fits::<f32>) {
            return Err(Error::invalid(format!("{count} samples"), "they do not fit the memory; take fewer"));
        }
        let mut latents = vec![0.0; count * self.latent()];
        fill_latents_from(first, stream, self.latent(), &mut latents);
        self.images_of(&latents)
    }

    /// Samples of [`PICTURED`](history::PICTURED) latents over training, and their numbers of steps, the start first.
    ///
    /// **Shapes** (moments, [`PICTURED`](history::PICTURED)) images.
    pub fn history(&self) -> (Vec<usize>, &Images) {
        (self.moments.clone(), &self.history)
    }
}
