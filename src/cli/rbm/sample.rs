//! `equilibria rbm sample`.

use super::{ImageArguments, ModelArguments, test_images, write_output};
use crate::boltzmann::{GibbsChains, Rbm};
use crate::cli::{print, print_json};
use crate::report::ContactSheet;
use crate::rng::Stream;
use crate::run::Progress;
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Draw Gibbs samples from a machine, as one contact sheet.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria rbm sample runs/rbm --from test:0,1,2 --steps 1,10,100\n  \
    equilibria rbm sample runs/rbm --from noise --chains 5")]
pub(in crate::cli) struct Sample {
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    images: ImageArguments,
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

impl Sample {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let start: Start = self.from.parse()?;
        if self.steps.is_empty() || !self.steps.is_sorted_by(|a, b| a < b) || self.steps[0] == 0 {
            return Err(Error::invalid("--steps", "write rising numbers of at least 1, such as 1,10,100"));
        }
        if !(1..=1000).contains(&self.chains) {
            return Err(Error::invalid(format!("--chains {}", self.chains), "1 to 1000 chains can be drawn"));
        }
        let (model, settings) = super::load(self.model.start()?)?;
        let (height, width) = side(&model)?;
        let seed = self.images.seed;
        let (images, labels) = match &start {
            Start::Test(indices) => {
                let digits = self.images.digits(model.visible(), settings.source())?;
                let images = test_images(&digits, indices, settings.binarise, settings.seed)?;
                let label = |&i: &usize| format!("test {i}: {}", digits.test.labels()[i]);
                (images, indices.iter().map(label).collect::<Vec<_>>())
            }
            Start::Noise => {
                let stream = Stream::named(seed, "init");
                let coins = |chain| {
                    let mut row = vec![0.0_f32; model.visible()];
                    let level = equilibria_kernels::Level::detect();
                    let mut generator = stream.substream(chain as u64).bulk();
                    equilibria_kernels::random::fill_uniform(level, &mut generator, &mut row);
                    row.into_iter().map(|u| f32::from(u < 0.5))
                };
                (
                    (0..self.chains).flat_map(coins).collect(),
                    (0..self.chains).map(|i| format!("noise {i}")).collect(),
                )
            }
        };
        let mut progress = Progress::choose(self.images.quiet);
        progress.start(self.steps.iter().copied().max().unwrap_or(0) as u64, "steps");
        let tick = |steps| {
            progress.advance(steps as u64);
            Ok(())
        };
        let walk = Walk::new(&model, &images, &self.steps, Stream::named(seed, "evaluate"), tick)?;
        progress.finish("");
        let title = format!("After so many Gibbs steps, {} hidden units", model.hidden());
        let sheet = walk.sheet(&title, (height, width), &self.steps, &labels)?;
        let picture = self.out.clone().unwrap_or_else(|| self.model.beside("samples.png"));
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

/// Height and width of the images of a machine: they are square.
pub(in crate::cli) fn side(model: &Rbm<f32>) -> Result<(usize, usize)> {
    let side = model.visible().isqrt();
    if side * side == model.visible() {
        return Ok((side, side));
    }
    Err(Error::invalid(
        format!("a model of {} visible units", model.visible()),
        "only models of square images can be shown as pictures",
    ))
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
    /// Walks from `images` (chains, visible), looking after each of `steps` (rising). `after` is told of every
    /// [`STRIDE`] steps; its error ends the walk.
    pub(in crate::cli) fn new(
        model: &Rbm<f32>,
        images: &[f32],
        steps: &[usize],
        stream: Stream,
        mut after: impl FnMut(usize) -> Result<()>,
    ) -> Result<Self> {
        let chains = images.len() / model.visible();
        let mut gibbs = GibbsChains::new(model, chains, stream);
        gibbs.set_visible_states(images);
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
