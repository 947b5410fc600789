//! `equilibria gan evaluate`.

use crate::Result;
use crate::cli::machine::is_missing_name;
use crate::cli::output::{
    OutputArguments, beside, check_range, create_folder_of, note, summary_path, thousands, warn, write_json,
};
use crate::data::Digits;
use crate::run::interrupt::{self, Work};
use crate::run::samples::{
    JudgeSettings, Judgement, Measures, Samples, choose_classifier, given_classifier, judge,
};
use crate::run::{Progress, classifier};
use clap::Args;
use std::path::{Path, PathBuf};

/// Measure the quality, the variety and the novelty of generated digits.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria gan evaluate runs/gan\n  \
    equilibria gan evaluate samples-idx3-ubyte --data mnist\n  \
    equilibria gan evaluate pictures/ --data mnist --json\n\n\
    Samples of any program can be measured: an IDX file of images, or a folder of PNG files with one image each. They are \
    compared with the test images, in the features of a classifier. The same measures of as many training images show the \
    best values that a generator can reach. Distances depend on the number of samples: compare models at equal numbers, if \
    possible 10,000.")]
pub(in crate::cli) struct Evaluate {
    /// A run directory or safetensors file of a generator, an IDX file of images, or a folder of PNG files.
    #[arg(value_name = "MODEL_OR_SAMPLES")]
    samples: PathBuf,
    /// `synthetic`, or a folder with MNIST's four files (or its parent): the images to compare with [default: the training
    /// data of the generator, if its file names them; synthetic].
    #[arg(long)]
    data: Option<String>,
    /// A file that `classifier train` wrote [default: the one that comes with the program, or a new one if its
    /// accuracy on the test images is below 97 %].
    #[arg(long)]
    classifier: Option<PathBuf>,
    /// Samples to draw, or the largest number to use from the files, chosen at random.
    #[arg(long, default_value_t = JudgeSettings::default().images)]
    images: usize,
    /// Swap background and ink of the samples.
    #[arg(long)]
    invert: bool,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    output: OutputArguments,
    /// The folder for summary.json, or a file that ends with .json [default: `evaluation` beside the samples].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Show no progress.
    #[arg(long, short)]
    quiet: bool,
}

impl Evaluate {
    pub(in crate::cli) fn run(self) -> Result<()> {
        self.output.start()?;
        check_range("--images", self.images, 6..=MOST_IMAGES, "samples can be judged")?;
        let how = JudgeSettings { images: self.images, seed: self.seed, ..JudgeSettings::default() };
        let given = Samples::at(&self.samples)?;
        let digits = self.digits(&given)?;
        let mut samples = given.load(digits.test.images().shape(), &how)?;
        if self.invert {
            samples.invert();
        }
        // An error must come before the work, not after it.
        let path = summary_path(self.out.as_deref(), &beside(&self.samples).join("evaluation"));
        create_folder_of(&path)?;
        let classifier = self.classifier.as_deref().map(classifier::load).transpose()?;
        interrupt::install(Work::Unsaved)?;
        let mut progress = Progress::choose(self.quiet);
        let eye = match classifier {
            Some(classifier) => given_classifier(classifier, &digits)?,
            None => choose_classifier(&digits, &mut progress, &interrupt::requested)?,
        };
        let judgement = judge(&samples, &digits, &eye, &how, &mut progress, &interrupt::requested)?;
        write_json(&path, &judgement)?;
        judgement.warnings.iter().for_each(|warning| warn(warning));
        self.output.print(&judgement, |judgement| describe(judgement, &path))
    }

    /// The images to compare with.
    fn digits(&self, given: &Samples) -> Result<Digits> {
        if let Some(data) = &self.data {
            return Digits::load(data, None);
        }
        match given.trained_on() {
            Some(data) if is_missing_name(data) => {
                note(&format!(
                    "the generator learned from `{data}`, which is not here; its samples are compared with built-in digits \
                     unless --data says where it is"
                ));
                Digits::load("synthetic", None)
            }
            data => Digits::load(data.unwrap_or("synthetic"), None),
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
    text += &format!("{:24}{:>18}{:>18}\n", "", "samples", "training images");
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
        text += &format!("{name:<24}{:>18}{:>18}   {meaning}\n", value(measures), value(real));
    }
    let newness = match nearest.z {
        z if z > 3.0 => "nearer than new images; the generator may copy",
        z if z < -3.0 => "farther than new images",
        _ => "as new as test images",
    };
    text + &format!(
        "\ndistance to the nearest training image: {:.3} for samples, {:.3} for test images (0 equal, 1 no common \
         pixel);\n\
         samples are nearer than test images in {:.1} % of all pairs ({:+.1} sigma from 50 %): {newness}\n\
         wrote {}\n",
        nearest.samples,
        nearest.test_images,
        100.0 * nearest.nearer,
        nearest.z,
        path.display()
    )
}
