//! The figures of the report, and a page that shows them.

mod dcgan;
mod figure1;
mod figure2;
mod figure3;
mod figure4;
mod figure5;
mod figure6;
mod figure7;
mod figure8;
mod panels;
mod parts;
mod restoration;
mod workbench;

use crate::data::{Dataset, Reading, is_built_in};
use crate::report::numbers::thousands;
use crate::report::{Page, Section, SectionHtml};
use crate::run::{Progress, Source, absolute, interrupt, rounded, warn, write_output};
use crate::{Error, Result};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use parts::{Part, Parts};
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Instant;
use workbench::{Budget, ByBudget, ReportFigure, Workbench};

/// All figures. A new one is its file and a line here.
const FIGURES: [ReportFigure; 9] = [
    figure1::FIGURE,
    figure2::FIGURE,
    figure3::FIGURE,
    figure4::FIGURE,
    dcgan::FIGURE,
    figure5::FIGURE,
    figure6::FIGURE,
    figure7::FIGURE,
    figure8::FIGURE,
];
/// The file of the page.
const PAGE: &str = "index.html";
/// The literature that the sections name.
const REFERENCES: [&str; 14] = [
    "Arjovsky, Chintala & Bottou 2017, Wasserstein generative adversarial networks.",
    "Cuturi 2013, Sinkhorn distances: lightspeed computation of optimal transport.",
    "Ferradans, Papadakis, Peyré & Aujol 2014, Regularized discrete optimal transport.",
    "Fischer & Igel 2012, An introduction to restricted Boltzmann machines.",
    "Goodfellow 2016, NIPS 2016 tutorial: generative adversarial networks.",
    "Gulrajani, Ahmed, Arjovsky, Dumoulin & Courville 2017, Improved training of Wasserstein GANs.",
    "Hinton 2012, A practical guide to training restricted Boltzmann machines.",
    "Peyré & Cuturi 2019, Computational optimal transport.",
    "Radford, Metz & Chintala 2016, Unsupervised representation learning with deep convolutional generative adversarial networks.",
    "Salakhutdinov & Larochelle 2010, Efficient learning of deep Boltzmann machines.",
    "Salakhutdinov & Murray 2008, On the quantitative analysis of deep belief networks.",
    "Salimans, Goodfellow, Zaremba, Cheung, Radford & Chen 2016, Improved techniques for training GANs.",
    "Tieleman 2008, Training restricted Boltzmann machines using approximations to the likelihood gradient.",
    "Zhao, Liu, Lin, Zhu & Han 2020, Differentiable augmentation for data-efficient GAN training.",
];
/// Training images at most.
const IMAGES: ByBudget = ByBudget { quick: 10_000, full: usize::MAX };

/// The options of the command: the figures to make, and the place of the results.
#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Figures to make [default: all].
    #[arg(value_parser = parser())]
    figures: Vec<ReportFigure>,
    /// `synthetic`, or a folder with MNIST's four files (or its parent); `dcgan` uses the cats of CIFAR-10's binary files if they
    /// are there too, and drawn cats otherwise; figures 5 and 6 use two photographs of the subfolder images, and painted scenes otherwise.
    #[arg(long, default_value = "synthetic", value_parser = crate::run::source())]
    data: String,
    /// quick: 10,000 images at most and fewer epochs, about 4 minutes on 2 cores; full: all images.
    #[arg(long, default_value = "quick")]
    budget: Budget,
    /// The folder for the figures, the page and the trained machines.
    #[arg(long, default_value = "out")]
    pub out: PathBuf,
    /// Seed of all random numbers.
    #[arg(long, default_value = "1")]
    seed: u64,
    /// Keep the run directories of the trained machines and networks in OUT/trained.
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    reading: Reading,
}

/// A page that was made.
pub(crate) struct Made {
    /// The summaries of the parts by their names, and of the whole.
    pub summary: Map<String, Value>,
    pub seconds: f64,
    /// The size of the output folder on the disk.
    pub megabytes: f64,
    /// The file of the page.
    pub page: PathBuf,
    /// The first error of the parts and of the page; the rest was made.
    pub result: Result<()>,
}

/// Parses the name of a figure.
fn parser() -> impl TypedValueParser<Value = ReportFigure> {
    let values = FIGURES.map(|figure| PossibleValue::new(figure.name).help(figure.about));
    let find = |name: String| FIGURES.into_iter().find(|figure| figure.name == name);
    PossibleValuesParser::new(values)
        .map(move |name| find(name).expect("a possible value is a figure's name"))
}

impl Settings {
    /// The names of the files that [`make`](Self::make) writes into the output folder, without the summary.
    pub fn files(&self) -> Vec<&'static str> {
        let figures = self.figures();
        figures.iter().flat_map(|figure| figure.files).copied().chain([PAGE]).collect()
    }

    /// Makes the figures and the page.
    ///
    /// **Errors** before the work: those of the data and of the checks of the figures; [`Error::Interrupted`] after Ctrl-C. An
    /// error of one part leaves the others: it is in [`Made::result`].
    pub fn make(&self, progress: Progress) -> Result<Made> {
        let figures = self.figures();
        let started = Instant::now();
        let mut digits = match figures.iter().any(|figure| figure.needs_digits) {
            true => {
                Source { data: &self.data, images: None, invert: false, reading: &self.reading }.load()?
            }
            false => Dataset::synthetic(1, 1)?,
        };
        interrupt::install(interrupt::Work::Training)?;
        digits.train.truncate(IMAGES.at(self.budget));
        figures.iter().try_for_each(|figure| (figure.check)(&digits))?;
        let mut bench = Workbench {
            digits: &digits,
            budget: self.budget,
            out: &self.out,
            data: absolute(&self.data)?,
            reading: &self.reading,
            seed: self.seed,
            progress,
            machines: Vec::new(),
            files: Vec::new(),
        };
        let data = (!is_built_in(&self.data)).then(|| PathBuf::from(&bench.data));
        let inputs = format!("{} {} {} {:?}", bench.data, value_name(self.budget), self.seed, self.reading);
        let parts = Parts::open(&self.out, &inputs, data.as_deref())?;
        let mut sections = Vec::new();
        let mut summary = Map::new();
        let mut failed = None;
        // Seconds that were expected and that were needed so far, which give the pace of this machine.
        let mut pace = [1.0; 2];
        for (i, figure) in figures.iter().enumerate() {
            let expected = |figure: &ReportFigure| figure.seconds.at(self.budget) as f64;
            let left = figures[i..].iter().map(expected).sum::<f64>() * pace[1] / pace[0];
            bench.progress.part_of([i + 1, figures.len()], left);
            bench.progress.finish(&format!(
                "{} ({} of {}), about {} left",
                figure.name,
                i + 1,
                figures.len(),
                rounded(left)
            ));
            match part(&mut bench, figure, &parts) {
                Ok(part) => {
                    pace = [pace[0] + expected(figure), pace[1] + part.seconds];
                    sections.push(part.section);
                    summary.insert(figure.name.into(), part.summary);
                }
                Err(error @ Error::Interrupted { .. }) => return Err(error),
                Err(error) => {
                    warn(&format!("{} was not made: {error}", figure.name));
                    let section = Section::new(format!("{}: failed", figure.about)).id(figure.name);
                    sections.push(section.paragraph(format!("This part failed: {error}")).to_html()?);
                    failed.get_or_insert(error);
                }
            }
        }
        let seconds = started.elapsed().as_secs_f64();
        let page = self.out.join(PAGE);
        let html = self.page(&figures, sections, &digits, seconds).to_html();
        let drawn = html.and_then(|html| write_output(&page, html.as_bytes()));
        summary.insert("data".into(), digits.name.as_str().into());
        summary.insert("budget".into(), value_name(self.budget).into());
        summary.insert("seconds".into(), seconds.into());
        summary.insert("page".into(), page.display().to_string().into());
        if !self.keep {
            parts::remove_runs(&self.out)?;
        }
        let megabytes = parts::size_of(&self.out) as f64 / 1e6;
        let result = drawn.and(failed.map_or(Ok(()), Err));
        Ok(Made { summary, seconds, megabytes, page, result })
    }

    /// The figures to make, in the order of the page, each once.
    fn figures(&self) -> Vec<ReportFigure> {
        let is_chosen = |figure: &ReportFigure| {
            self.figures.is_empty() || self.figures.iter().any(|chosen| chosen.name == figure.name)
        };
        FIGURES.into_iter().filter(is_chosen).collect()
    }

    fn page(
        &self,
        figures: &[ReportFigure],
        sections: Vec<SectionHtml>,
        digits: &Dataset,
        seconds: f64,
    ) -> Page {
        let page = Page::new("Three kinds of equilibrium: Boltzmann machines, adversarial networks, optimal transport")
            .lead(
                "A course report trained Boltzmann machines and adversarial networks and moved colours between images by optimal \
                 transport. It left questions open. This page makes its figures again, with machines that this program has just \
                 trained, and answers them. Panels let you try the trained machines.",
            )
            .command(self.command(figures));
        let data = match digits.name.as_str() {
            "synthetic" => "synthetic digits, drawn as pen strokes by this program".to_string(),
            name => name.to_string(),
        };
        let mut page = sections.into_iter().fold(page, Page::section);
        if figures.iter().any(|figure| figure.needs_digits) {
            page = page
                .setting("data", data)
                .setting("training images", thousands(digits.train.len()))
                .setting("test images", thousands(digits.test.len()));
        }
        let page = REFERENCES.into_iter().fold(page, Page::reference);
        page.setting("budget", value_name(self.budget))
            .setting("seed", self.seed.to_string())
            .setting("SIMD level", equilibria_kernels::Level::detect().name())
            .setting("threads", equilibria_kernels::threads::count().to_string())
            .setting("version", env!("CARGO_PKG_VERSION"))
            .setting("time", format!("{seconds:.0} s"))
    }

    /// The command that makes the same page.
    fn command(&self, figures: &[ReportFigure]) -> String {
        let mut line = String::from("equilibria reproduce");
        if figures.len() < FIGURES.len() {
            line.extend(figures.iter().map(|figure| format!(" {}", figure.name)));
        }
        if self.data != "synthetic" {
            line += " --data DIR";
        }
        if self.budget != Budget::Quick {
            line += &format!(" --budget {}", value_name(self.budget));
        }
        if self.seed != 1 {
            line += &format!(" --seed {}", self.seed);
        }
        line
    }
}

/// Returns the part of a figure: a finished one, or a new one.
fn part(bench: &mut Workbench<'_>, figure: &ReportFigure, parts: &Parts) -> Result<Part> {
    if let Some(part) = parts.find(figure.name, bench.out, figure.files) {
        bench.progress.finish(&format!("{} is there already", figure.name));
        if matches!(figure.name, "figure5" | "figure6") {
            // The summary records the photographs that this process has read.
            figure5::pair(bench)?;
        }
        return Ok(part);
    }
    let started = Instant::now();
    let (section, summary) = bench.make(figure)?;
    let section = section.id(figure.name).to_html()?;
    let part = Part { section, summary, seconds: started.elapsed().as_secs_f64() };
    parts.store(figure.name, &part)?;
    Ok(part)
}

/// The name of a value on the command line.
fn value_name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_string())
}
