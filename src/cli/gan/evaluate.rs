//! `equilibria gan evaluate`.

mod unlabelled;

use crate::cli::machine::is_missing_name;
use crate::cli::output::{
    OutputArguments, beside, check_range, create_folder_of, note, summary_path, thousands, warn,
    without_summary, write_summary,
};
use crate::data::{Dataset, Reading};
use crate::run::interrupt::{self, Work};
use crate::run::samples::{
    JudgeSettings, Judgement, Measures, Samples, choose_classifier, given_classifier, judge,
};
use crate::run::unlabelled::are_unlabelled;
use crate::run::{Source, classifier, encoder};
use crate::{Error, Result, run};
use clap::Args;
use std::path::{Path, PathBuf};
use unlabelled::novelty;

/// Measure the quality, the variety and the novelty of generated images.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria gan evaluate runs/gan\n  \
    equilibria gan evaluate samples-idx3-ubyte --data mnist\n  \
    equilibria gan evaluate pictures/ --data mnist --json\n\n\
    Samples of any program can be measured: an IDX file of images, or a folder of PNG files with one image each. They are \
    compared with the test images, in the features of a classifier. The same measures of as many training images show the \
    best values that a generator can reach. Distances depend on the number of samples: compare models at equal numbers, if \
    possible 10,000.\n\n\
    Images in colour, or of a single class, are compared in the features of an encoder that has learned from the training \
    images which way up an image is. Its training takes about 2 minutes for 32x32 pixels; with --encoder it is done once.")]
pub(in crate::cli) struct Evaluate {
    /// A run directory or safetensors file (such as best.safetensors) of a generator, an IDX file of images, or a folder of PNG files.
    #[arg(value_name = "MODEL_OR_SAMPLES")]
    samples: PathBuf,
    /// The images to compare with, as for `gan train` [default: the training data of the generator, if its file names them;
    /// synthetic, or cats for a generator in colour].
    #[arg(long, value_parser = crate::run::source())]
    data: Option<String>,
    /// Compare with the images of this class only, by its name or number [default: that of the generator's training].
    #[arg(long)]
    class: Option<String>,
    /// A file that `classifier train` wrote [default: the one that comes with the program, or a new one if its
    /// accuracy on the test images is below 97 %].
    #[arg(long)]
    classifier: Option<PathBuf>,
    /// A file of an encoder for images in colour or of a single class; if it does not exist, it is written after the training
    /// of an encoder [default: an encoder is trained and not stored].
    #[arg(long, conflicts_with = "classifier")]
    encoder: Option<PathBuf>,
    /// Samples to draw, or the largest number to use from the files, chosen at random.
    #[arg(long, default_value_t = JudgeSettings::default().images)]
    images: usize,
    /// Swap background and ink of the samples.
    #[arg(long)]
    invert: bool,
    /// Seed of all random numbers.
    #[arg(long, default_value = "1")]
    seed: u64,
    #[command(flatten)]
    output: OutputArguments,
    /// The folder for summary.json, or a file that ends with .json [default: a new folder `evaluation`
    /// in the run directory, or `NAME-evaluation` beside the samples].
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
}

impl Evaluate {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let mut progress = self.output.start()?;
        check_range("--images", self.images, 6..=MOST_IMAGES, "samples can be judged")?;
        let how = JudgeSettings { images: self.images, seed: self.seed, ..JudgeSettings::default() };
        let given = Samples::at(&self.samples)?;
        let digits = self.digits(&given)?;
        // Shape and transposition are those of the data.
        let reading = Reading { transpose: false, shape: None, ..self.reading.clone() };
        let mut samples = given.load(digits.test.images().shape(), &reading, &how)?;
        if self.invert {
            samples.invert();
        }
        // An error must come before the work, not after it.
        let path = summary_path(self.out.as_deref(), &self.folder(&given));
        create_folder_of(&path)?;
        let classifier = self.classifier.as_deref().map(classifier::load).transpose()?;
        interrupt::install(Work::Unsaved)?;
        if are_unlabelled(&digits) {
            if self.classifier.is_some() {
                let expected = "a classifier is for grey images of several classes; these need an --encoder";
                return Err(Error::invalid("--classifier", expected));
            }
            let file = self.encoder.as_deref();
            let chosen = encoder::choose(file, &digits, self.seed, &mut progress, &interrupt::requested)?;
            let judged = run::unlabelled::judge(
                &samples,
                &digits,
                &chosen,
                &how,
                &mut progress,
                &interrupt::requested,
            )?;
            write_summary(&path, &judged)?;
            judged.warnings.iter().for_each(|warning| warn(warning));
            return self.output.print(&judged, |judged| unlabelled::describe(judged, &path));
        }
        if self.encoder.is_some() {
            let expected =
                "an encoder is for images in colour or of a single class; these need a --classifier";
            return Err(Error::invalid("--encoder", expected));
        }
        let eye = match classifier {
            Some(classifier) => given_classifier(classifier, &digits)?,
            None => choose_classifier(&digits, &mut progress, &interrupt::requested)?,
        };
        let judgement = judge(&samples, &digits, &eye, &how, &mut progress, &interrupt::requested)?;
        write_summary(&path, &judgement)?;
        judgement.warnings.iter().for_each(|warning| warn(warning));
        self.output.print(&judgement, |judgement| describe(judgement, &path))
    }

    /// The default folder for the summary, which has none yet: in a run directory, or else beside the samples with their name.
    fn folder(&self, given: &Samples) -> PathBuf {
        let place = match given {
            Samples::Generator(_) => beside(&self.samples).join("evaluation"),
            Samples::File(_) | Samples::Pictures(_) => {
                let whole = std::path::absolute(&self.samples).unwrap_or_else(|_| self.samples.clone());
                let mut name = whole.file_name().unwrap_or_default().to_owned();
                name.push("-evaluation");
                self.samples.parent().map_or_else(|| whole.with_file_name(&name), |folder| folder.join(&name))
            }
        };
        without_summary(place)
    }

    /// The images to compare with.
    fn digits(&self, given: &Samples) -> Result<Dataset> {
        let (shape, settings) = match given {
            Samples::Generator(trained) => (Some(trained.0.shape()), trained.1.as_ref()),
            Samples::File(_) | Samples::Pictures(_) => (None, None),
        };
        let learned = settings.and_then(|settings| settings.class.as_deref());
        let class = self.class.as_deref().or(learned);
        let learned = settings.map(|settings| &settings.reading).filter(|_| self.reading.is_default());
        let reading = learned.unwrap_or(&self.reading);
        let load = |data, images| Source { data, images, invert: false, reading }.load_any(class);
        if let Some(data) = &self.data {
            return load(data, None);
        }
        let built_in = if shape.is_some_and(|[.., channels]| channels > 1) { "cats" } else { "synthetic" };
        match settings {
            Some(settings) if is_missing_name(&settings.data) => {
                note(&format!(
                    "the generator learned from `{}`, which is not here; its samples are compared with the built-in images \
                     `{built_in}` unless --data says where it is",
                    settings.data
                ));
                load(built_in, None)
            }
            // Copies are searched among the images that the generator saw.
            Some(settings) => load(&settings.data, settings.images),
            None => load(built_in, None),
        }
    }
}

/// A measure as text.
type Cell = fn(&Measures) -> String;

/// The largest number of samples: the time grows with its square.
const MOST_IMAGES: usize = 100_000;

/// A table with the training images' numbers beside the samples'.
fn describe(judgement: &Judgement, path: &Path) -> String {
    let Judgement { measures, real, nearest, .. } = judgement;
    let mut text = format!(
        "{} samples, and for comparison {} training images of {}, against {} test images\n\
         in the features of the {} classifier, which is right about {:.2} % of the test images\n\n",
        thousands(judgement.samples),
        thousands(judgement.train_images),
        judgement.data,
        thousands(judgement.test_images),
        judgement.classifier.source,
        100.0 * judgement.classifier.accuracy,
    );
    text += &format!("{:24} {:>17} {:>17}\n", "", "samples", "training images");
    let rows: [(&str, Cell, &str); 10] = [
        ("Fréchet distance", |of| format!("{:.3}", of.frechet_distance), "of features; lower is better"),
        ("  extrapolated", |of| format!("{:.3}", of.frechet_extrapolated), "to infinitely many samples"),
        (
            "kernel distance",
            |of| format!("{:.4} ± {:.4}", of.kernel_distance, of.kernel_distance_standard_error),
            "of features; lower is better",
        ),
        ("precision", |of| format!("{:.3}", of.precision), "share of samples near images"),
        ("recall", |of| format!("{:.3}", of.recall), "share of images near samples"),
        ("density", |of| format!("{:.3}", of.density), "like precision; 1 is good"),
        ("coverage", |of| format!("{:.3}", of.coverage), "like recall; 1 is good"),
        ("class entropy, nats", |of| format!("{:.3}", of.class_entropy), "2.303 for ten equal classes"),
        (
            "classes found",
            |of| format!("{} of {}", of.modes, of.class_counts.len()),
            "with a tenth of an equal share",
        ),
        ("sliced Wasserstein", |of| format!("{:.4}", of.sliced_wasserstein), "of pixels; lower is better"),
    ];
    for (name, value, meaning) in rows {
        text += &format!("{name:<24} {:>17} {:>17}   {meaning}\n", value(measures), value(real));
    }
    text + &format!(
        "\ndistance to the nearest training image: {:.3} for samples, {:.3} for test images (0 equal, 1 no common \
         pixel);\n\
         samples are nearer than test images in {:.1} % of all pairs ({:+.1} sigma from 50 %): {}\n\
         wrote {}\n",
        nearest.samples,
        nearest.test_images,
        100.0 * nearest.nearer,
        nearest.z,
        novelty(nearest.z),
        path.display()
    )
}
