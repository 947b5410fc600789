//! `equilibria rbm sample`.

use super::{ImageArguments, ModelArguments, test_images, write_output};
use crate::boltzmann::GibbsChains;
use crate::cli::machine::picture_size;
use crate::cli::{print, print_json};
use crate::data::Binarisation;
use crate::report::ContactSheet;
use crate::rng::Stream;
use crate::run::{Progress, Source};
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Draw Gibbs samples from a machine, as one contact sheet.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria rbm sample runs/rbm --from test:0,1,2 --steps 1,10,100\n  \
    equilibria rbm sample --from noise --chains 5")]
pub(in crate::cli) struct Sample {
    #[command(flatten)]
    sampling: Sampling,
}

impl Sample {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let start = self.sampling.start()?;
        let loaded = super::load(self.sampling.model.start()?)?;
        let model = &loaded.model;
        self.sampling.run(&start, &super::subject(&loaded), |images, stream| {
            let mut chains = GibbsChains::new(model, images.len() / model.visible(), stream);
            chains.set_visible_states(images)?;
            Ok(chains)
        })
    }
}

/// What to draw, from any kind of machine.
#[derive(Debug, Args)]
pub(in crate::cli) struct Sampling {
    #[command(flatten)]
    pub model: ModelArguments,
    #[command(flatten)]
    pub images: ImageArguments,
    /// Where chains start: test:INDEX[,INDEX...] or noise.
    #[arg(long, default_value = "test:0,1,2,3,4,5,6,7,8,9")]
    from: String,
    /// Chains that start from noise.
    #[arg(long, default_value_t = 10)]
    chains: usize,
    /// Gibbs steps after which to look, rising.
    #[arg(long, default_value = "1,10,100,1000,10000", value_delimiter = ',')]
    steps: Vec<usize>,
    /// Where to write the picture [default: beside the model].
    #[arg(long)]
    out: Option<PathBuf>,
}

/// What has to be known of a machine to draw from it.
pub(in crate::cli) struct Subject<'a> {
    pub visible: usize,
    /// Height and width of the images that it learned from, if its file says so.
    pub image_size: Option<[usize; 2]>,
    /// Hidden units, in words of the title.
    pub hidden: String,
    pub source: Source<'a>,
    pub binarise: Binarisation,
    /// Of the images' states.
    pub seed: u64,
    /// Where pictures go by default.
    pub folder: &'a Path,
}

/// Chains that walk from image to image.
pub(in crate::cli) trait Walker {
    fn walk(&mut self, steps: usize);
    /// (chains, visible)
    fn visible_states(&self) -> Vec<f32>;
    /// P(v = 1 | h) that they were sampled from.
    fn visible_probabilities(&self) -> Vec<f32>;
}

impl Walker for GibbsChains<f32> {
    fn walk(&mut self, steps: usize) {
        self.walk(steps);
    }

    fn visible_states(&self) -> Vec<f32> {
        self.visible_states()
    }

    fn visible_probabilities(&self) -> Vec<f32> {
        self.visible_probabilities()
    }
}

#[derive(Serialize)]
struct Summary {
    #[serde(serialize_with = "crate::cli::path_as_text")]
    picture: PathBuf,
    from: String,
    steps: Vec<usize>,
    chains: usize,
    /// Share of pixels of the start image that still have their value, mean over chains, for each of `steps`.
    agreement_with_start: Vec<f64>,
}

/// Steps between two looks at the clock and at Ctrl-C.
const STRIDE: usize = 50;

/// Where chains start.
pub(in crate::cli) enum Start {
    /// Test images of these indices.
    Test(Vec<usize>),
    /// Tosses of a coin.
    Noise,
}

impl std::str::FromStr for Start {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let problem = || Error::invalid(format!("--from {text}"), "write test:INDEX[,INDEX...] or noise");
        if text == "noise" {
            return Ok(Self::Noise);
        }
        let indices = text.strip_prefix("test:").ok_or_else(problem)?;
        let indices = indices.split(',').map(|index| index.trim().parse().map_err(|_| problem()));
        Ok(Self::Test(indices.collect::<Result<_>>()?))
    }
}

impl Sampling {
    /// Where chains start; the other options are checked as well.
    pub(in crate::cli) fn start(&self) -> Result<Start> {
        let start: Start = self.from.parse()?;
        if self.steps.is_empty() || !self.steps.is_sorted_by(|a, b| a < b) || self.steps[0] == 0 {
            return Err(Error::invalid("--steps", "write rising numbers of at least 1, such as 1,10,100"));
        }
        if !(1..=1000).contains(&self.chains) {
            return Err(Error::invalid(format!("--chains {}", self.chains), "1 to 1000 chains can be drawn"));
        }
        Ok(start)
    }

    /// Draws and reports; `walker` begins chains at images (chains, visible).
    pub(in crate::cli) fn run<W: Walker>(
        self,
        start: &Start,
        subject: &Subject<'_>,
        walker: impl FnOnce(&[f32], Stream) -> Result<W>,
    ) -> Result<()> {
        let Subject { visible, image_size, .. } = *subject;
        let seed = self.images.seed;
        let (size, images, labels) = match start {
            Start::Test(indices) => {
                let digits = self.images.load(visible, image_size, subject.source)?;
                let size = picture_size(image_size, Some(&digits), visible);
                let images = test_images(&digits, indices, subject.binarise, subject.seed)?;
                let label = |&i: &usize| format!("test {i}: {}", digits.test.labels()[i]);
                (size, images, indices.iter().map(label).collect::<Vec<_>>())
            }
            Start::Noise => {
                let labels = (0..self.chains).map(|i| format!("noise {i}")).collect();
                let images = coins(self.chains, visible, Stream::named(seed, "init"));
                (picture_size(image_size, None, visible), images, labels)
            }
        };
        let mut progress = Progress::choose(self.images.quiet);
        progress.start(self.steps.iter().copied().max().unwrap_or(0) as u64, "steps");
        let tick = |steps| {
            progress.advance(steps as u64);
            Ok(())
        };
        let chains = walker(&images, Stream::named(seed, "evaluate"))?;
        let walk = Walk::new(chains, labels.len(), &images, &self.steps, tick)?;
        progress.finish("");
        let title = format!("After so many Gibbs steps, {} hidden units", subject.hidden);
        let sheet = walk.sheet(&title, size, &self.steps, &labels)?;
        let picture = self.out.clone().unwrap_or_else(|| subject.folder.join("samples.png"));
        write_output(&picture, &sheet.to_png()?)?;
        let summary = Summary {
            picture,
            from: self.from,
            agreement_with_start: walk.agreement_with_start(),
            chains: labels.len(),
            steps: self.steps,
        };
        if self.model.json {
            return print_json(&summary);
        }
        let mut text = String::from("     steps  pixels as at the start\n");
        for (steps, agreement) in summary.steps.iter().zip(&summary.agreement_with_start) {
            text += &format!("{steps:>10}  {:>6.1} %\n", 100.0 * agreement);
        }
        print(&format!("{text}wrote {}\n", summary.picture.display()))
    }
}

/// A toss of a coin for each unit of each chain, chain c from `stream.substream(c)`.
pub(in crate::cli) fn coins(chains: usize, units: usize, stream: Stream) -> Vec<f32> {
    let mut coins = vec![0.0_f32; chains * units];
    for (chain, row) in coins.chunks_exact_mut(units).enumerate() {
        let mut generator = stream.substream(chain as u64).bulk();
        equilibria_kernels::random::fill_uniform(equilibria_kernels::Level::detect(), &mut generator, row);
        row.iter_mut().for_each(|u| *u = f32::from(*u < 0.5));
    }
    coins
}

/// Chains at the start and after given numbers of steps.
pub(in crate::cli) struct Walk {
    chains: usize,
    /// States (chains, visible): at the start, then after each number of steps.
    states: Vec<Vec<f32>>,
    /// P(v = 1 | h) that they were sampled from; the start itself first.
    probabilities: Vec<Vec<f32>>,
}

impl Walk {
    /// Walks with chains that are at `images` (chains, visible), looking after each of `steps` (rising). `after` is told of
    /// every [`STRIDE`] steps; its error ends the walk.
    pub(in crate::cli) fn new(
        mut gibbs: impl Walker,
        chains: usize,
        images: &[f32],
        steps: &[usize],
        mut after: impl FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        let mut walk = Self { chains, states: vec![images.to_vec()], probabilities: vec![images.to_vec()] };
        let mut done = 0;
        for &target in steps {
            while done < target {
                let stride = STRIDE.min(target - done);
                gibbs.walk(stride);
                done += stride;
                after(stride)?;
            }
            walk.states.push(gibbs.visible_states());
            walk.probabilities.push(gibbs.visible_probabilities());
        }
        Ok(walk)
    }

    /// Share of pixels that have the value they had at the start, after each number of steps.
    pub(in crate::cli) fn agreement_with_start(&self) -> Vec<f64> {
        let share = |states: &Vec<f32>| {
            let same = states.iter().zip(&self.states[0]).filter(|(now, then)| now == then).count();
            same as f64 / states.len() as f64
        };
        self.states[1..].iter().map(share).collect()
    }

    /// A row a chain, a column a number of steps; probabilities rather than states are shown.
    pub(in crate::cli) fn sheet(
        &self,
        title: &str,
        (height, width): (usize, usize),
        steps: &[usize],
        labels: &[String],
    ) -> Result<ContactSheet> {
        let mut columns = vec!["start".to_string()];
        columns.extend(steps.iter().map(|&steps| crate::cli::thousands(steps)));
        let mut sheet = ContactSheet::new(height, width)
            .title(title)
            .columns(columns.len())
            .column_labels(&columns)
            .row_labels(labels);
        for chain in 0..self.chains {
            let row = chain * height * width..(chain + 1) * height * width;
            for picture in &self.probabilities {
                sheet.push(&picture[row.clone()])?;
            }
        }
        Ok(sheet)
    }
}
