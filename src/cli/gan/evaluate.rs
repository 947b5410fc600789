//! `equilibria gan evaluate`.

use crate::cli::machine::is_missing_name;
use crate::cli::output::{beside, create_folder_of, note, write_output};
use crate::cli::{print, print_json, thousands, use_threads};
use crate::data::Digits;
use crate::run::interrupt::{self, Work};
use crate::run::samples::{How, Judgement, Measures, Samples, eye_for, given_eye, judge};
use crate::run::{Progress, classifier};
use crate::{Error, Result};
use clap::Args;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Tell how good samples of digits are: as good as images, as varied, and new.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria gan evaluate runs/gan\n  \
    equilibria gan evaluate samples-idx3-ubyte --data mnist\n  \
    equilibria gan evaluate pictures/ --data mnist --json\n\n\
    Samples may be of any program: an IDX file of images, or a folder of PNG files, one image each. They are judged \
    against the test images, in the features of a classifier; so are as many training images, whose numbers stand \
    beside them as what is to be reached. Distances depend on how many samples there are: compare models at equal \
    numbers, 10,000 where possible.")]
pub(in crate::cli) struct Evaluate {
    /// A run directory or safetensors file of a generator, an IDX file of images, or a folder of PNG files.
    #[arg(value_name = "MODEL_OR_SAMPLES")]
    samples: PathBuf,
    /// `synthetic`, or a folder with MNIST's four files (or its parent): what the samples are meant to be like [default:
    /// what the generator was trained on, if it says so; synthetic].
    #[arg(long)]
    data: Option<String>,
    /// A file that `classifier train` wrote [default: the one that comes with the program, or, where it is right about
    /// less than 97 % of the test images, one that is trained now].
    #[arg(long)]
    classifier: Option<PathBuf>,
    /// Samples to draw, or to use at most, chosen at random.
    #[arg(long, default_value_t = How::default().images)]
    images: usize,
    /// Swap background and ink of the samples.
    #[arg(long)]
    invert: bool,
    /// Seed of all random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads to use [default: all].
    #[arg(long)]
    threads: Option<usize>,
    /// The folder for summary.json, or a file that ends with .json [default: `evaluation` beside the samples].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Show no progress.
    #[arg(long, short)]
    quiet: bool,
}

impl Evaluate {
    pub(in crate::cli) fn run(self) -> Result<()> {
        use_threads(self.threads)?;
        if !(6..=MOST_IMAGES).contains(&self.images) {
            let expected = format!("6 to {} samples can be judged", thousands(MOST_IMAGES));
            return Err(Error::invalid(format!("--images {}", self.images), expected));
        }
        let how = How { images: self.images, seed: self.seed, ..How::default() };
        let given = Samples::at(&self.samples)?;
        let digits = self.digits(&given)?;
        let (height, width) = (digits.test.images().height(), digits.test.images().width());
        let mut samples = given.load(height, width, &how)?;
        if self.invert {
            samples.invert();
        }
        // A folder that cannot be made shows before the work, not after.
        let path = self.summary_path();
        create_folder_of(&path)?;
        let classifier = self.classifier.as_deref().map(classifier::load).transpose()?;
        interrupt::install(Work::Unsaved)?;
        let mut progress = Progress::choose(self.quiet);
        let eye = match classifier {
            Some(classifier) => given_eye(classifier, &digits)?,
            None => eye_for(&digits, &mut progress, &interrupt::requested)?,
        };
        let judgement = judge(&samples, &digits, &eye, &how, &mut progress, &interrupt::requested)?;
        let text =
            serde_json::to_string_pretty(&judgement).map_err(|error| Error::invalid("summary", error))?;
        write_output(&path, (text + "\n").as_bytes())?;
        for warning in &judgement.warnings {
            // A closed standard error is no reason to fail.
            let _ = writeln!(std::io::stderr(), "warning: {warning}");
        }
        if self.json {
            return print_json(&judgement);
        }
        print(&describe(&judgement, &path))
    }

    /// The images that samples are judged against.
    fn digits(&self, given: &Samples) -> Result<Digits> {
        if let Some(data) = &self.data {
            return Digits::load(data, None);
        }
        match given.trained_on() {
            Some(data) if is_missing_name(data) => {
                note(&format!(
                    "the generator learned from `{data}`, which is not here; its samples are judged against built-in digits \
                     unless --data says where it is"
                ));
                Digits::load("synthetic", None)
            }
            data => Digits::load(data.unwrap_or("synthetic"), None),
        }
    }

    fn summary_path(&self) -> PathBuf {
        match &self.out {
            Some(file) if file.extension().is_some_and(|extension| extension == "json") => file.clone(),
            Some(folder) => folder.join("summary.json"),
            None => beside(&self.samples).join("evaluation").join("summary.json"),
        }
    }
}

/// All pairs of more would take hours.
const MOST_IMAGES: usize = 100_000;

/// A table with the training images' numbers beside the samples'.
fn describe(judgement: &Judgement, path: &Path) -> String {
    let Judgement { measures, real, nearest, .. } = judgement;
    let mut text = format!(
        "{} samples and, beside them, {} training images of {}, both against {} test images\n\
         seen by the {} classifier, which is right about {:.2} % of the test images\n\n",
        thousands(judgement.samples),
        thousands(judgement.train_images),
        judgement.data,
        thousands(judgement.test_images),
        judgement.classifier.source,
        100.0 * judgement.classifier.accuracy,
    );
    let _ = writeln!(text, "{:24}{:>18}{:>18}", "", "samples", "training images");
    let mut row = |name: &str, samples: String, real: String, meaning: &str| {
        let _ = writeln!(text, "{name:<24}{samples:>18}{real:>18}   {meaning}");
    };
    let number = |value: f64| format!("{value:.3}");
    let mut both = |name: &str, value: &dyn Fn(&Measures) -> String, meaning: &str| {
        row(name, value(measures), value(real), meaning);
    };
    both("Fréchet distance", &|of| number(of.frechet_distance), "of features; small is good");
    both("  of sets without end", &|of| number(of.frechet_extrapolated), "extrapolated");
    let kernel =
        |of: &Measures| format!("{:.4} ± {:.4}", of.kernel_distance, of.kernel_distance_standard_error);
    both("kernel distance", &kernel, "of features; small is good");
    both("precision", &|of| number(of.precision), "share that looks like images");
    both("recall", &|of| number(of.recall), "share of images within reach");
    both("density", &|of| number(of.density), "as precision, 1 is good");
    both("coverage", &|of| number(of.coverage), "as recall");
    both("class entropy, nats", &|of| number(of.class_entropy), "of ten equal classes 2.303");
    let modes = |of: &Measures| format!("{} of {}", of.modes, of.class_counts.len());
    both("classes found", &modes, "a tenth of an equal share is enough");
    both("sliced Wasserstein", &|of| format!("{:.4}", of.sliced_wasserstein), "of pixels; small is good");
    let _ = writeln!(
        text,
        "\nnearest training image: at {:.3} from a sample, at {:.3} from a test image (0 the same, 1 nothing in \
         common);\n\
         a sample is nearer than a test image in {:.1} % of all pairs ({:+.1} sigma from 50 %): {}",
        nearest.samples,
        nearest.test_images,
        100.0 * nearest.nearer,
        nearest.z,
        newness(judgement),
    );
    text + &format!("wrote {}\n", path.display())
}

/// What the nearest training images say.
fn newness(judgement: &Judgement) -> &'static str {
    match judgement.nearest.z {
        z if z > 3.0 => "nearer than new images are; does it copy?",
        z if z < -3.0 => "farther than new images are",
        _ => "as new as test images",
    }
}
