//! Trained generators of images.

pub(crate) mod history;

use super::latent::fill_latents_from;
use super::networks::{Networks, pytorch_generator};
use crate::checkpoint::Archive;
use crate::checkpoint::image_shape::{describe_shape, shape_in};
use crate::data::Images;
use crate::nn::{Scratch, Sequential, Shape, check_usable};
use crate::rng::Stream;
use crate::{Error, Result, memory};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use history::{HISTORY, MOST_STEPS};

/// A trained generator of images, with samples from its training if its file has them.
///
/// Its file is `model.safetensors` of a run of `equilibria gan train`, or a state dictionary of PyTorch's DCGAN example.
/// [`Archive::read`] opens one, [`Archive::from_bytes`] takes its bytes. `embedded` reads such a file without memory
/// for the weights.
///
/// ```
/// use equilibria::adversarial::{Generator, Networks};
/// use equilibria::{checkpoint::Archive, rng::Stream};
/// // A file in memory: a generator of images of 2 by 2 pixels, without training.
/// let networks = Networks::points(4, 3, &[8]);
/// let [network, _] = networks.start::<f32>(Stream::named(1, "init"))?;
/// let mut archive = Archive::new();
/// for (key, value) in [("model", "gan"), ("image_height", "2"), ("image_width", "2")] {
///     archive.set_metadata(key, value);
/// }
/// archive.set_metadata("networks", &networks.to_string());
/// for (name, tensor) in network.state() {
///     archive.insert_f32(&format!("generator.{name}"), tensor.shape(), tensor.data())?;
/// }
///
/// let generator = Generator::from_archive(&Archive::from_bytes(&archive.to_bytes()?, "a model")?)?;
/// let images = generator.samples(5, Stream::named(1, "latent"))?;
/// assert_eq!((images.len(), images.shape()), (5, [2, 2, 1]));
/// # Ok::<(), equilibria::Error>(())
/// ```
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
    moments: Vec<u64>,
}

impl Generator {
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
            steps.parse().ok().filter(|&steps| steps <= MOST_STEPS).ok_or_else(|| {
                malformed(format!("metadata `steps` is `{steps}`, not a number up to {MOST_STEPS}"))
            })
        });
        let steps: Option<u64> = steps.transpose()?;
        let (history, moments) = match archive.names().any(|name| name == HISTORY) {
            true => history::read(archive, network.outputs(), steps)?,
            // A generator that was stored alone.
            false => {
                let [height, width, channels] = shape_in(archive, network.outputs())?;
                (Images::with_channels(height, width, channels, Vec::new())?, Vec::new())
            }
        };
        Ok(Self { networks, network, is_average, shape: history.shape(), steps, history, moments })
    }

    /// An archive with all that drawing samples needs: the parameters of the generator, or their average, and the size of
    /// the images. It has no samples from training.
    ///
    /// **Errors** As [`Archive::insert_f32`].
    pub fn to_archive(&self) -> Result<Archive> {
        let mut alone = Archive::new();
        alone.set_metadata("model", "gan");
        alone.set_metadata("networks", &self.networks.to_string());
        self.steps.into_iter().for_each(|steps| alone.set_metadata("steps", &steps.to_string()));
        for (name, tensor) in self.network.state() {
            alone.insert_f32(&format!("generator.{name}"), tensor.shape(), tensor.data())?;
        }
        describe_shape(&mut alone, self.shape);
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
        let mut samples = alloc::vec![0.0; rows * self.network.outputs()];
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
        let mut latents = alloc::vec![0.0; count * self.latent()];
        fill_latents_from(first, stream, self.latent(), &mut latents);
        self.images_of(&latents)
    }

    /// Samples of [`PICTURED`](history::PICTURED) latents over training, and their numbers of steps, the start first.
    ///
    /// **Shapes** (moments, [`PICTURED`](history::PICTURED)) images.
    pub fn history(&self) -> (&[u64], &Images) {
        (&self.moments, &self.history)
    }
}

/// Samples from -1 to 1 as images.
pub(crate) fn to_images(samples: &[f32], [height, width, channels]: [usize; 3]) -> Result<Images> {
    let pixels = samples.iter().map(|x| libm::roundf((x + 1.0) * 127.5).clamp(0.0, 255.0) as u8).collect();
    Images::with_channels(height, width, channels, pixels)
}
