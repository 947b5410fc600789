//! What commands that look at a trained machine have in common.

use crate::data::{Binarisation, Digits};
use crate::run::{SavedModel, Source, pretrained, write_atomically};
pub(super) use crate::run::{absolute, parse};
use crate::{Error, Result};
use clap::Args;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// A trained machine to look at.
#[derive(Debug, Args)]
pub(super) struct ModelArguments {
    /// A run directory or a safetensors file [default: the machine that comes with the program and learned MNIST; its
    /// pictures go to `out`].
    pub model: Option<PathBuf>,
    /// Threads to use [default: all].
    #[arg(long)]
    pub threads: Option<usize>,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    pub json: bool,
}

impl ModelArguments {
    /// Sets the number of threads, and names the model to load, if it is not the shipped one.
    pub fn start(&self) -> Result<Option<&Path>> {
        super::use_threads(self.threads)?;
        Ok(self.model.as_deref())
    }
}

/// A machine to look at, and the settings it was trained with.
pub(super) struct Loaded<M, S> {
    pub model: M,
    pub settings: S,
    /// Height and width of the images that it learned from, if its file says so.
    pub image_size: Option<[usize; 2]>,
    /// Where pictures of it go unless the user says otherwise: its run directory, or its file's folder.
    pub folder: PathBuf,
    is_shipped: bool,
}

impl<M, S: Default> Loaded<M, S> {
    /// The machine at `path` with the settings that are known, or their defaults and a word about it.
    pub fn new(path: &Path, SavedModel { model, settings, image_size }: SavedModel<M, S>) -> Self {
        let settings = settings.unwrap_or_else(|| {
            note(&format!(
                "{} does not say how it was trained; images are taken as they are, on above 127",
                path.display()
            ));
            S::default()
        });
        Self { model, settings, image_size, folder: beside(path).to_owned(), is_shipped: false }
    }

    /// The machine that comes with the program under this name, and a word about it.
    pub fn shipped(name: &str, (model, settings): (M, S)) -> Self {
        note(&format!("without MODEL, this is {name}, which comes with the program and learned MNIST"));
        let image_size = Some(pretrained::IMAGE_SIZE);
        Self { model, settings, image_size, folder: Path::new("out").join(name), is_shipped: true }
    }

    /// The images to look at it with, unless the user says otherwise: those that it learned from, as `settings` have
    /// them, or built-in digits where these do not come with it.
    pub fn source<'a>(&self, learned: Source<'a>) -> Source<'a> {
        if self.is_shipped { built_in(learned) } else { learned }
    }
}

/// Where what is made of `path` goes unless the user says otherwise: into a folder, or into a file's.
pub(super) fn beside(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) }
}

/// Built-in digits, as many as there are by default.
fn built_in(source: Source<'_>) -> Source<'_> {
    Source { data: "synthetic", images: None, ..source }
}

/// Whether settings outside a run directory, which name the data but not its place, name a folder that is not here.
pub(super) fn is_missing_name(data: &str) -> bool {
    let path = Path::new(data);
    data != "synthetic" && path.file_name() == Some(path.as_os_str()) && !path.exists()
}

/// The images to look at a machine with, and the chance in it.
#[derive(Debug, Args)]
pub(super) struct ImageArguments {
    /// `synthetic` or a folder with MNIST's four files [default: what the model was trained on; synthetic, if it does not
    /// say where that is].
    #[arg(long)]
    pub data: Option<String>,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Show no progress.
    #[arg(long, short)]
    pub quiet: bool,
}

impl ImageArguments {
    /// The data, checked against the number of the machine's visible units and the size of its images, if that is known;
    /// `source` is what it was trained on.
    pub fn load(&self, visible: usize, image_size: Option<[usize; 2]>, source: Source<'_>) -> Result<Digits> {
        let digits = match &self.data {
            // As many as the machine has seen, if these are the images that it learned from.
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
            // Their mean is that of the images which the machine has seen.
            None => source.load()?,
        };
        let images = digits.test.images();
        let (pixels, size) = (images.pixels_per_image(), [images.height(), images.width()]);
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

/// Height and width to draw a machine's images with: those in its file, or else those of the images at hand. If neither is
/// known, a square. If their number is no square, one row of pixels, and a note on standard error.
pub(super) fn picture_size(
    in_file: Option<[usize; 2]>,
    digits: Option<&Digits>,
    visible: usize,
) -> (usize, usize) {
    let at_hand = || digits.map(|digits| [digits.test.images().height(), digits.test.images().width()]);
    if let Some([height, width]) = in_file.or_else(at_hand) {
        return (height, width);
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

/// A line on data that the machine did not learn from, if it did not.
pub(super) fn learned_elsewhere(trained_on: Option<&str>) -> String {
    trained_on.map_or_else(String::new, |data| {
        format!("the machine learned from other images ({data}), which --data can name\n")
    })
}

/// Test images of these indices as the machine sees them.
pub(super) fn test_images(
    digits: &Digits,
    indices: &[usize],
    binarise: Binarisation,
    seed: u64,
) -> Result<Vec<f32>> {
    let images = digits.test.images();
    if let Some(index) = indices.iter().find(|&&index| index >= images.len()) {
        let expected = format!("the test images are 0 to {}", images.len().saturating_sub(1));
        return Err(Error::invalid(format!("test:{index}"), expected));
    }
    let fixed = if binarise == Binarisation::Sampled { binarise } else { Binarisation::Threshold };
    let mut out = vec![0.0; indices.len() * images.pixels_per_image()];
    fixed.fill(images, indices, crate::rng::Stream::named(seed, "binarise"), &mut out)?;
    Ok(out)
}

/// Writes a picture or page, its folder first. A picture takes the place of a picture of its kind and of nothing else: not of
/// a model whose name was meant to be read.
pub(super) fn write_output(path: &Path, bytes: &[u8]) -> Result<()> {
    let kind = [b"\x89PNG", b"<svg"].into_iter().find(|kind| bytes.starts_with(*kind));
    if let Some(kind) = kind.filter(|_| path.is_file()) {
        let mut first = Vec::new();
        let file = std::fs::File::open(path).and_then(|file| file.take(4).read_to_end(&mut first));
        file.map_err(|error| Error::io("reading", path, error))?;
        if !first.is_empty() && first != kind {
            return Err(Error::invalid(
                format!("the picture {}", path.display()),
                "a file that is no such picture has this name; choose another one",
            ));
        }
    }
    create_folder_of(path)?;
    write_atomically(path, bytes)
}

/// Writes a picture that stands beside the results of a command. Returns whether it was written: if not, a warning says why,
/// and the command goes on, as its results do not depend on it.
pub(super) fn write_picture(path: &Path, picture: Result<impl AsRef<[u8]>>) -> bool {
    let written = picture.and_then(|bytes| write_output(path, bytes.as_ref()));
    if let Err(error) = &written {
        // A closed standard error is no reason to fail.
        let _ = writeln!(std::io::stderr(), "warning: {} was not drawn: {error}", path.display());
    }
    written.is_ok()
}

/// Makes the folder in which a file is to be.
pub(super) fn create_folder_of(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder).map_err(|error| Error::io("creating", folder, error)),
        None => Ok(()),
    }
}

/// A word beside the results.
pub(super) fn note(text: &str) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(std::io::stderr(), "note: {text}");
}
