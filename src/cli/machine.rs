//! Trained Boltzmann machines as the commands load them, and the images to use with them.

use super::output::{OutputArguments, note};
use crate::boltzmann::ImageChains;
use crate::data::{Binarisation, Dataset, Reading, is_built_in};
use crate::experiments::reconstruction::test_images;
use crate::rng::Stream;
use crate::run::{SavedModel, Source, StoredMachine, load, pretrained};
pub(super) use crate::run::{absolute, parse};
use crate::{Error, Result};
use clap::Args;
use std::path::{Path, PathBuf};

pub(super) use super::output::{beside, write_output};

/// A kind of Boltzmann machine, as the commands that serve all kinds need it.
pub(super) trait MachineKind: StoredMachine<Settings: Default> {
    /// The name of the machine that comes with the program.
    const SHIPPED: &str;

    /// Returns the machine that comes with the program.
    fn shipped() -> Result<(Self, Self::Settings)>;

    /// The sizes of the hidden layers, such as `500-1000`.
    fn hidden_sizes(&self) -> String;

    /// The images that the machine learned from.
    fn training_images(settings: &Self::Settings) -> TrainingImages<'_>;

    /// The hidden features of `images` (images, visible): the probability of each hidden unit, layer by layer; (images,
    /// features).
    fn features(&self, settings: &Self::Settings, images: &[f32]) -> Result<Vec<f32>>;

    /// Creates one Gibbs chain for each of `images` (chains, visible), which may be noise.
    fn chains(
        &self,
        settings: &Self::Settings,
        images: &[f32],
        is_noise: bool,
        stream: Stream,
    ) -> Result<impl ImageChains<f32>>;
}

/// The images that a machine learned from.
pub(super) struct TrainingImages<'a> {
    pub source: Source<'a>,
    pub binarise: Binarisation,
    /// The seed of training, which the binarisation draws from.
    pub seed: u64,
}

/// The machine that a command uses.
#[derive(Debug, Args)]
pub(super) struct ModelArguments {
    /// A run directory or a safetensors file [default: the machine that comes with the program and learned MNIST; its
    /// pictures go to `out`].
    model: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputArguments,
}

impl ModelArguments {
    /// Sets the number of threads, and loads the machine.
    pub fn load<M: MachineKind>(&self) -> Result<Loaded<M>> {
        self.output.start()?;
        match &self.model {
            Some(path) => Loaded::new(path),
            None => Loaded::shipped(),
        }
    }
}

/// A loaded machine.
pub(super) struct Loaded<M: MachineKind> {
    pub model: M,
    /// The settings of training; the defaults if they are not known.
    pub settings: M::Settings,
    /// Height and width of the images that it learned from, if its file contains them.
    pub image_size: Option<[usize; 2]>,
    /// The default folder for its pictures: its run directory, or the folder of its file.
    pub folder: PathBuf,
    is_shipped: bool,
}

impl<M: MachineKind> Loaded<M> {
    /// Loads the machine at `path`. A note on standard error says if its settings are not known.
    pub fn new(path: &Path) -> Result<Self> {
        let SavedModel { model, settings, image_size } = load::<M>(path)?;
        let settings = settings.unwrap_or_else(|| {
            note(&format!(
                "{} does not say how it was trained; images are taken as they are, on above 127",
                path.display()
            ));
            M::Settings::default()
        });
        Ok(Self { model, settings, image_size, folder: beside(path).to_owned(), is_shipped: false })
    }

    /// Returns the machine that comes with the program. A note on standard error says so.
    fn shipped() -> Result<Self> {
        let (model, settings) = M::shipped()?;
        let name = M::SHIPPED;
        note(&format!("without MODEL, this is {name}, which comes with the program and learned MNIST"));
        let image_size = Some(pretrained::IMAGE_SIZE);
        Ok(Self { model, settings, image_size, folder: Path::new("out").join(name), is_shipped: true })
    }

    /// The images to use with the machine by default: those that it learned from, or built-in digits for the machine that
    /// comes with the program.
    pub fn images(&self) -> TrainingImages<'_> {
        let images = M::training_images(&self.settings);
        let source = if self.is_shipped { built_in(images.source) } else { images.source };
        TrainingImages { source, ..images }
    }

    /// The images that `arguments` choose, checked against the machine.
    pub fn digits(&self, arguments: &ImageArguments) -> Result<Dataset> {
        arguments.load(self.model.visible(), self.image_size, self.images().source)
    }

    /// Height and width for pictures of the machine: see [`picture_size`].
    pub fn picture_size(&self, digits: Option<&Dataset>) -> (usize, usize) {
        picture_size(self.image_size, digits, self.model.visible())
    }

    /// Test images with these indices, binarised as in training.
    pub fn test_images(&self, digits: &Dataset, indices: &[usize]) -> Result<Vec<f32>> {
        let TrainingImages { binarise, seed, .. } = self.images();
        test_images(digits, indices, binarise, seed)
    }
}

/// Built-in digits, in their default number.
fn built_in(source: Source<'_>) -> Source<'_> {
    Source { data: "synthetic", images: None, ..source }
}

/// Returns whether `data` is a bare name, perhaps after `./`, that is no folder here. Settings outside a run directory store
/// the name of the data without the path.
pub(super) fn is_missing_name(data: &str) -> bool {
    let path = Path::new(data);
    let name = Path::new(data.strip_prefix("./").unwrap_or(data));
    !is_built_in(data) && name.file_name() == Some(name.as_os_str()) && !path.exists()
}

/// The images to use with a machine, and the seed.
#[derive(Debug, Args)]
pub(super) struct ImageArguments {
    /// `synthetic` or a folder with MNIST's four files [default: what the model was trained on; synthetic, if it does not
    /// say where that is].
    #[arg(long, value_parser = crate::run::source())]
    pub data: Option<String>,
    /// Seed of all random numbers.
    #[arg(long, default_value = "1")]
    pub seed: u64,
    #[command(flatten)]
    reading: Reading,
}

impl ImageArguments {
    /// Loads the images and checks them against the number of visible units and, if known, the size of the machine's
    /// images. `source` is the default.
    pub fn load(
        &self,
        visible: usize,
        image_size: Option<[usize; 2]>,
        source: Source<'_>,
    ) -> Result<Dataset> {
        let reading = if self.reading.is_default() { source.reading } else { &self.reading };
        let source = Source { reading, ..source };
        let digits = match &self.data {
            // If these are the images that it learned from, use as many as in training.
            Some(data) if (data == "synthetic") == (source.data == "synthetic") => {
                Source { data, ..source }.load()?
            }
            Some(data) => Source { data, images: None, ..source }.load()?,
            None if is_missing_name(source.data) => {
                note(&format!(
                    "the machine learned from `{}`, which is not here; built-in digits stand in for it unless --data \
                     says where it is",
                    source.data
                ));
                built_in(source).load()?
            }
            None => source.load()?,
        };
        let images = digits.test.images();
        let (pixels, size) = (images.values_per_image(), [images.height(), images.width()]);
        if pixels != visible {
            return Err(Error::ShapeMismatch {
                operation: "pixels of an image and visible units of the model",
                expected: vec![visible],
                found: vec![pixels],
            });
        }
        match image_size.filter(|&expected| expected != size) {
            Some(expected) => Err(Error::ShapeMismatch {
                operation: "height and width of an image and of those that the model learned from",
                expected: expected.into(),
                found: size.into(),
            }),
            None => Ok(digits),
        }
    }
}

/// Height and width for pictures of a machine: from its file, or else from the loaded images. If neither is known, a square;
/// or one row of pixels and a note on standard error, if the number of pixels is not a square.
pub(super) fn picture_size(
    in_file: Option<[usize; 2]>,
    digits: Option<&Dataset>,
    visible: usize,
) -> (usize, usize) {
    let loaded = || digits.map(|digits| [digits.test.images().height(), digits.test.images().width()]);
    if let Some(size) = in_file.or_else(loaded) {
        return size.into();
    }
    let side = visible.isqrt();
    if side * side == visible {
        return (side, side);
    }
    note(&format!(
        "the model's file does not say how high and wide its images are, and {visible} pixels are no square: they are drawn \
         as one row"
    ));
    (1, visible)
}

/// The name of a test image in a picture, with its class if that is known.
pub(super) fn caption(digits: &Dataset, index: usize) -> String {
    match digits.test.has_labels() {
        true => format!("test {index}: {}", digits.test.labels()[index]),
        false => format!("test {index}"),
    }
}
