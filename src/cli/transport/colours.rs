//! `equilibria transport colours`: a photograph with the colours of another one.

use super::super::output::{
    OutputArguments, check_own, check_range, counted, note, warn, write_output, write_summary,
};
use crate::data::photograph::is_written_here;
use crate::run::interrupt::{self, Work};
use crate::run::recolour::{
    Applied, COMPARED, Recoloured, Side, apply_to, comparison, fitted, plan, read_mask, recolour,
};
use crate::run::{Progress, remember_file};
use crate::transport::colour::{
    ColourImage, ColourLut, ColourMethod, ColourSettings, ColourSpace, TransferMeasures, measure,
};
use crate::{Error, Result};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Nodes of an exported look-up table along each axis, and the start of its file.
const LUT_SIZE: usize = 33;
const LUT_MARK: &str = "TITLE \"equilibria";

/// Give a photograph the colours of another one, by optimal transport between their colours.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria transport colours beach.jpg parrot.jpg --both\n  \
    equilibria transport colours seaside jungle --compare\n  \
    equilibria transport colours day.jpg sunset.jpg --lut sunset.cube --apply holiday --out evening\n  \
    equilibria transport colours sunset.cube --apply holiday --out evening\n\n\
    Photographs: PNG files of every kind, with opacity and 16 bits kept, and JPEG files, turned upright; at most 67,108,864 \
    pixels each. The words seaside and jungle are pictures that the program paints.\n\n\
    Methods:\n\
    palette             a smooth map between palettes of all pixels, and an edge-aware filter\n\
    report-exact        the report's: an exact plan between sampled pixels; others move with the nearest one\n\
    report-entropic     the same with an entropic plan\n\
    linear              the optimal map between normal distributions\n\
    mean-variance       mean and variance of each coordinate\n\
    histogram-matching  histograms of each coordinate, before and after the linear map\n\
    iterative           histograms along random directions, then regraining\n\
    identity            no change\n\n\
    Files in DIR: result.png (SOURCE with the colours of TARGET), back.png with --both, compare.png with --compare (and \
    compare-back.png), applied/NAME.png with --apply, and summary.json. The command replaces only pictures and tables that the \
    program wrote.")]
pub(in crate::cli) struct Colours {
    /// The photograph to change; or a .cube file, with --apply.
    source: PathBuf,
    /// The photograph whose colours it gets.
    target: Option<PathBuf>,
    /// The folder for the pictures and summary.json.
    #[arg(long, default_value = "out", value_name = "DIR")]
    out: PathBuf,
    /// The method.
    #[arg(long, value_parser = named(ColourMethod::ALL, ColourMethod::name), default_value = ColourSettings::default().method.name())]
    method: ColourMethod,
    /// The space of distances between colours [default: that of the method].
    #[arg(long, value_parser = named(ColourSpace::ALL, ColourSpace::name))]
    space: Option<ColourSpace>,
    /// The part of the change that is made, 0 to 1. About 0.5 is natural for pictures of different things.
    #[arg(long, default_value_t = ColourSettings::default().strength)]
    strength: f32,
    /// Keep the lightness of every pixel, and change its hue and saturation only.
    #[arg(long)]
    keep_luminance: bool,
    /// A picture of the size of SOURCE: only what is white in it changes, and counts as a colour.
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,
    /// Write the map as a .cube file with 33 nodes along each axis, for other programs and for --apply.
    #[arg(long, value_name = "FILE")]
    lut: Option<PathBuf>,
    /// Report's methods: pixels that are sampled of each picture [default: 1000].
    #[arg(long)]
    samples: Option<usize>,
    /// Entropic methods: strength of the entropy, in squared units of the space [default: 0.1 for the report's].
    #[arg(long)]
    epsilon: Option<f64>,
    /// palette: how much of the target's mass must be used, in squared units of the space; a small value leaves colours out
    /// that are far from all others [default: all mass].
    #[arg(long)]
    mass_relaxation: Option<f64>,
    /// Also give TARGET the colours of SOURCE.
    #[arg(long)]
    both: bool,
    /// Lay the results of all methods on one sheet, with their measures.
    #[arg(long)]
    compare: bool,
    /// Apply the map from SOURCE to TARGET to every photograph of this folder.
    #[arg(long, value_name = "FOLDER")]
    apply: Option<PathBuf>,
    /// Seed of sampled pixels and random directions.
    #[arg(long, default_value_t = ColourSettings::default().seed)]
    seed: u64,
    #[command(flatten)]
    output: OutputArguments,
}

/// A parser of the names of a list of values.
fn named<T: Copy + Send + Sync + 'static, const N: usize>(
    values: [T; N],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    let find = move |given: String| values.into_iter().find(|&value| name(value) == given);
    PossibleValuesParser::new(values.map(name))
        .map(move |given| find(given).expect("a possible value is the name of a value"))
}

/// The result, as summary.json has it.
#[derive(Default, Serialize)]
struct ColoursSummary {
    source: String,
    target: Option<String>,
    space: Option<&'static str>,
    strength: f32,
    keep_luminance: bool,
    /// Source and target, height and width.
    pixels: Vec<[usize; 2]>,
    /// The source as it is, against the target.
    before: Option<TransferMeasures>,
    result: Option<Recoloured>,
    back: Option<Recoloured>,
    methods: Vec<Recoloured>,
    methods_back: Vec<Recoloured>,
    applied: Option<Applied>,
    notes: Vec<String>,
    files: Vec<String>,
    seconds: f64,
}

impl Colours {
    pub(super) fn run(self) -> Result<()> {
        self.check()?;
        let mut progress = self.output.start()?;
        let pairs = match &self.apply {
            Some(folder) => plan(folder, &self.out.join("applied"))?,
            None => Vec::new(),
        };
        self.check_outputs(&pairs)?;
        let started = Instant::now();
        let mut summary = ColoursSummary {
            source: self.source.display().to_string(),
            target: self.target.as_ref().map(|target| target.display().to_string()),
            strength: self.strength,
            keep_luminance: self.keep_luminance,
            ..ColoursSummary::default()
        };
        let map: ColourMap = match &self.target {
            Some(target) => self.transfer(target, &mut summary, &mut progress)?,
            None => {
                let lut = self.read_lut()?;
                interrupt::install(Work::Unsaved)?;
                Box::new(move |image| Ok(lut.apply(image)))
            }
        };
        if !pairs.is_empty() {
            let folder = self.out.join("applied");
            std::fs::create_dir_all(&folder).map_err(|error| Error::io("creating", &folder, error))?;
            progress.start(pairs.len() as u64, "photographs");
            let mut before = |done: &Applied| {
                progress.advance(u64::from(!done.files.is_empty() || !done.failed.is_empty()));
                stop_if_interrupted(&format!(
                    "{} of {} photographs are written",
                    done.files.len(),
                    pairs.len()
                ))
            };
            summary.applied = Some(apply_to(&pairs, &*map, &mut before)?);
            progress.finish("");
        }
        summary.seconds = started.elapsed().as_secs_f64();
        let path = self.out.join("summary.json");
        summary.files.push(path.display().to_string());
        write_summary(&path, &summary)?;
        self.output.print(&summary, |summary| summary.text())?;
        self.report_failures(&summary)
    }

    /// Checks the options.
    fn check(&self) -> Result<()> {
        use ColourMethod::{Palette, ReportEntropic, ReportExact};
        let of_methods: [(&str, bool, &[ColourMethod]); 3] = [
            ("--samples", self.samples.is_some(), &[ReportExact, ReportEntropic]),
            ("--epsilon", self.epsilon.is_some(), &[ReportEntropic, Palette]),
            ("--mass-relaxation", self.mass_relaxation.is_some(), &[Palette]),
        ];
        self.check_pair(of_methods.map(|(option, is_given, _)| (option, is_given)))?;
        if self.mask.is_some() && self.apply.is_some() {
            return Err(Error::invalid(
                "--mask with --apply",
                "a mask belongs to one photograph, and the map of --apply changes whole ones; leave one of them out",
            ));
        }
        for (option, is_given, methods) in of_methods {
            if is_given && !self.compare && !methods.contains(&self.method) {
                let names: Vec<&str> = methods.iter().map(|method| method.name()).collect();
                let argument = format!("{option} with --method {}", self.method.name());
                return Err(Error::invalid(
                    argument,
                    format!("it belongs to --method {}", names.join(" or ")),
                ));
            }
        }
        if !(0.0..=1.0).contains(&self.strength) {
            return Err(Error::invalid(
                format!("--strength {}", self.strength),
                "a number from 0 to 1 is needed",
            ));
        }
        for (option, value) in [("--epsilon", self.epsilon), ("--mass-relaxation", self.mass_relaxation)] {
            if let Some(value) = value.filter(|value| !(*value > 0.0 && value.is_finite())) {
                return Err(Error::invalid(
                    format!("{option} {value}"),
                    "a positive finite number is needed",
                ));
            }
        }
        check_range("--samples", self.samples.unwrap_or(1), 1..=100_000, "pixels can be sampled")
    }

    /// Checks that there are two photographs, or a table without options that change it: those `of_methods` or others.
    fn check_pair(&self, of_methods: [(&str, bool); 3]) -> Result<()> {
        let is_table = is_cube(&self.source);
        let problem = match (is_table, &self.target) {
            (false, None) => {
                "a second photograph, TARGET, is needed; only a .cube file is used alone, with --apply"
            }
            (true, Some(_)) => "a .cube file is used without TARGET, with --apply FOLDER",
            (true, None) if self.apply.is_none() => {
                "a .cube file needs --apply FOLDER, the photographs to change"
            }
            _ => "",
        };
        if !problem.is_empty() {
            return Err(Error::invalid(self.source.display(), problem));
        }
        let settings = ColourSettings::default();
        let others = [
            ("--method", self.method != settings.method),
            ("--space", self.space.is_some()),
            ("--strength", self.strength != settings.strength),
            ("--keep-luminance", self.keep_luminance),
            ("--mask", self.mask.is_some()),
            ("--lut", self.lut.is_some()),
            ("--both", self.both),
            ("--compare", self.compare),
            ("--seed", self.seed != settings.seed),
        ];
        match others.into_iter().chain(of_methods).find(|&(_, is_given)| is_table && is_given) {
            Some((option, _)) => Err(Error::invalid(
                format!("{option} with {}", self.source.display()),
                "a .cube file is applied as it is",
            )),
            None => Ok(()),
        }
    }

    /// The picture files of a run, without those of --apply.
    fn pictures(&self) -> Vec<PathBuf> {
        let names = [
            ("result.png", !is_cube(&self.source)),
            ("back.png", self.both),
            ("compare.png", self.compare),
            ("compare-back.png", self.compare && self.both),
        ];
        names.into_iter().filter(|name| name.1).map(|name| self.out.join(name.0)).collect()
    }

    /// Checks before any work that no file of others would be replaced.
    fn check_outputs(&self, pairs: &[(PathBuf, PathBuf)]) -> Result<()> {
        let mut inputs: Vec<&Path> = vec![&self.source];
        inputs.extend(self.target.iter().chain(&self.mask).map(PathBuf::as_path));
        inputs.extend(pairs.iter().map(|pair| pair.0.as_path()));
        for path in self.pictures().iter().chain(pairs.iter().map(|pair| &pair.1)) {
            check_own(path, &inputs, is_written_here)?;
        }
        match &self.lut {
            Some(path) => check_own(path, &inputs, |start| start.starts_with(LUT_MARK.as_bytes())),
            None => Ok(()),
        }
    }

    /// Reads the table of a .cube file.
    fn read_lut(&self) -> Result<ColourLut> {
        let bytes = std::fs::read(&self.source).map_err(|error| Error::io("reading", &self.source, error))?;
        remember_file(&self.source)?;
        let text = String::from_utf8_lossy(&bytes);
        ColourLut::from_cube(&text).map_err(|error| match error {
            Error::Malformed { place, offset, problem } => {
                Error::malformed(format!("{}: {place}", self.source.display()), offset, problem)
            }
            error => error,
        })
    }

    fn settings(&self, method: ColourMethod) -> ColourSettings {
        let defaults = ColourSettings::of(method);
        ColourSettings {
            space: self.space,
            strength: self.strength,
            keep_luminance: self.keep_luminance,
            samples: self.samples.unwrap_or(defaults.samples),
            epsilon: self.epsilon,
            mass_relaxation: self.mass_relaxation,
            seed: self.seed,
            ..defaults
        }
    }

    /// Makes all pictures of two photographs, and the table. Returns the map for other photographs.
    fn transfer(
        &self,
        target: &Path,
        summary: &mut ColoursSummary,
        progress: &mut Progress,
    ) -> Result<ColourMap> {
        let (source, target) = (Side::read(&self.source)?, Side::read(target)?);
        let mask = self.mask.as_ref().map(|path| read_mask(path, &source)).transpose()?;
        summary.notes = source.notes().chain(target.notes()).collect();
        summary.notes.iter().for_each(|text| note(text));
        summary.pixels =
            [&source, &target].map(|side| [side.image().height(), side.image().width()]).to_vec();
        interrupt::install(Work::Unsaved)?;
        let settings = self.settings(self.method);
        summary.space = Some(settings.space().name());
        summary.before = Some(measure(source.image(), target.image(), source.image())?);
        let (result, image, transfer) = recolour(&source, &target, mask.as_deref(), &settings)?;
        // A method without a table is refused before anything is written.
        let title = format!("equilibria: {} with the colours of {}", source.name(), target.name());
        let cube = match &self.lut {
            Some(_) => Some(transfer.lut(LUT_SIZE)?.to_cube(&title)),
            None => None,
        };
        stop_if_interrupted("nothing is written")?;
        summary.write(&self.out.join("result.png"), &source.to_png(image)?)?;
        summary.result = Some(result);
        if let (Some(path), Some(cube)) = (&self.lut, cube) {
            summary.write(path, cube.as_bytes())?;
        }
        if self.both {
            let (back, image, _) = recolour(&target, &source, None, &settings)?;
            summary.write(&self.out.join("back.png"), &target.to_png(image)?)?;
            summary.back = Some(back);
        }
        if self.compare {
            let results = self.all_methods(&source, &target, mask.as_deref(), progress)?;
            summary
                .write(&self.out.join("compare.png"), &comparison(&source, &target, &results)?.to_png()?)?;
            summary.methods = results.into_iter().map(|result| result.0).collect();
        }
        if self.compare && self.both {
            let results = self.all_methods(&target, &source, None, progress)?;
            summary.write(
                &self.out.join("compare-back.png"),
                &comparison(&target, &source, &results)?.to_png()?,
            )?;
            summary.methods_back = results.into_iter().map(|result| result.0).collect();
        }
        Ok(Box::new(move |image| transfer.apply(image, None)))
    }

    /// The results of all methods, each with a small picture.
    fn all_methods(
        &self,
        source: &Side,
        target: &Side,
        mask: Option<&[f32]>,
        progress: &mut Progress,
    ) -> Result<Vec<(Recoloured, Vec<u8>)>> {
        progress.start(ColourMethod::ALL.len() as u64, "methods");
        let mut results = Vec::new();
        for method in ColourMethod::ALL {
            progress.message(method.name());
            let (result, image, _) = recolour(source, target, mask, &self.settings(method))?;
            results.push((result, fitted(&image, COMPARED)?));
            progress.advance(1);
            stop_if_interrupted("the other pictures are written, the sheet is not")?;
        }
        progress.finish("");
        Ok(results)
    }

    /// Names the photographs that failed on standard error, and returns an error that counts them.
    fn report_failures(&self, summary: &ColoursSummary) -> Result<()> {
        let Some(Applied { files, failed }) =
            summary.applied.as_ref().filter(|applied| !applied.failed.is_empty())
        else {
            return Ok(());
        };
        failed.iter().for_each(|failed| warn(&failed.reason));
        let folder = self.apply.as_deref().unwrap_or(Path::new(""));
        let count = failed.len() + files.len();
        Err(Error::invalid(
            format!("--apply {}", folder.display()),
            format!(
                "{} of {} failed, see above; the others are written",
                failed.len(),
                counted(count, "photograph")
            ),
        ))
    }
}

/// A map of the colours of any photograph.
type ColourMap = Box<dyn Fn(&ColourImage) -> Result<ColourImage>>;

fn is_cube(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("cube"))
}

/// **Errors** [`Error::Interrupted`] after Ctrl-C.
fn stop_if_interrupted(done: &str) -> Result<()> {
    match interrupt::requested() {
        true => Err(Error::Interrupted { resume: format!("{done}; the same command starts anew") }),
        false => Ok(()),
    }
}

impl ColoursSummary {
    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        write_output(path, bytes)?;
        self.files.push(path.display().to_string());
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (name, result) in [("result", &self.result), ("back", &self.back)] {
            let Some(Recoloured { method, fit_seconds, apply_seconds, measures, .. }) = result else {
                continue;
            };
            let _ = writeln!(
                text,
                "{name}  {} in {}: fitted in {fit_seconds:.2} s, applied in {apply_seconds:.2} s",
                method.name(),
                self.space.unwrap_or_default(),
            );
            let before = self.before.as_ref().filter(|_| name == "result");
            let from = before.map_or_else(String::new, |before| format!("{:.4} -> ", before.sliced_distance));
            let _ = writeln!(
                text,
                "  distance to the colours of the other (sliced W2)  {from}{:.4}\n  \
                 structure kept: SSIM {:.3}, gradients {:.3}; colours lost {:.0} %",
                measures.sliced_distance,
                measures.luminance_ssim,
                measures.gradient_similarity,
                100.0 * measures.colours_lost,
            );
        }
        for result in &self.methods {
            let of = &result.measures;
            let _ = writeln!(
                text,
                "{:<18}  W2 {:.4}  divergence {:.5}  SSIM {:.3}  gradients {:.3}  colours lost {:>3.0} %  {:.2} s  {:>4} MB",
                result.method.name(),
                of.sliced_distance,
                of.divergence,
                of.luminance_ssim,
                of.gradient_similarity,
                100.0 * of.colours_lost,
                result.fit_seconds + result.apply_seconds,
                result.memory(),
            );
        }
        if let Some(applied) = &self.applied {
            let _ = writeln!(text, "applied to {}", counted(applied.files.len(), "photograph"));
        }
        let _ = writeln!(text, "wrote {}", self.files.join(", "));
        text
    }
}
