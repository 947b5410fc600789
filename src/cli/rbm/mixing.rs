//! `equilibria rbm mixing`.

use crate::boltzmann::Rbm;
use crate::cli::filters::check_size;
use crate::cli::machine::{ImageArguments, Loaded, picture_size, test_images, write_output, write_picture};
use crate::cli::output::{print, print_json, thousands, use_threads};
use crate::data::{Binarisation, Digits};
use crate::evaluate::autocorrelation::{Bound, Time};
use crate::evaluate::mixing::{Look, Mixing as Walked, Task, mix, rising_steps};
use crate::evaluate::nearest::NearestImages;
use crate::report::{ContactSheet, LinePlot, Series};
use crate::rng::Stream;
use crate::run::Progress;
use crate::run::rbm::{Settings, binary_images};
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Follow Gibbs chains from test images: what they forget, where they go, whether they still draw digits.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria rbm mixing runs/rbm\n  \
    equilibria rbm mixing runs/cd runs/pcd --data mnist --images 100 --steps 10000 --out runs/mixing\n\n\
    A chain shows a digit if a training image is as near to it as to 95 % of the test images. Several machines \
    are drawn side by side.")]
pub(in crate::cli) struct Mixing {
    /// Run directories or safetensors files.
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<PathBuf>,
    #[command(flatten)]
    source: ImageArguments,
    /// Test images to start from, a chain each; as many of each class as there are.
    #[arg(long, default_value_t = 100)]
    images: usize,
    /// Gibbs steps; looked at after 1, 2, 5, 10, 20, ... of them.
    #[arg(long, default_value_t = 10_000)]
    steps: usize,
    /// The folder for pictures and summary.json [default: `mixing` beside the first model].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Threads to use [default: all].
    #[arg(long)]
    threads: Option<usize>,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Summary<'a> {
    #[serde(serialize_with = "crate::cli::output::path_as_text")]
    out: PathBuf,
    data: &'a str,
    machines: &'a [Machine],
}

/// A machine and what became of its chains.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Machine {
    /// What legends and headings call it.
    pub name: String,
    pub hidden: usize,
    /// Share of test images whose nearest training image is of their class.
    pub nearest_accuracy: f64,
    #[serde(flatten)]
    pub walked: Walked,
}

/// Training images that neighbours are looked for among.
const COMPARED: usize = 10_000;
/// Test images that say how near a digit has a neighbour.
const JUDGED: usize = 1_000;
/// Most chains: each takes 0.1 MB, and time.
const MOST_CHAINS: usize = 1_000;
const MOST_STEPS: usize = 1 << 30;
/// Chains on a contact sheet.
const SHOWN: usize = 10;

impl Mixing {
    pub(in crate::cli) fn run(self) -> Result<()> {
        use_threads(self.threads)?;
        if !(1..=MOST_STEPS).contains(&self.steps) {
            let expected = format!("1 to {} Gibbs steps can be walked", thousands(MOST_STEPS));
            return Err(Error::invalid(format!("--steps {}", self.steps), expected));
        }
        let loaded = self.models.iter().map(|path| Loaded::new(path)).collect::<Result<Vec<_>>>()?;
        let digits = self.digits(&loaded)?;
        let sides = picture_size(image_size(&loaded), Some(&digits), loaded[0].model.visible());
        let most = digits.test.len().min(MOST_CHAINS);
        if !(2..=most).contains(&self.images) {
            let expected = format!("2 to {} test images can be used", thousands(most));
            return Err(Error::invalid(format!("--images {}", self.images), expected));
        }
        // A folder that cannot be made shows before the work, not after.
        let out = self.out.clone().unwrap_or_else(|| loaded[0].folder.join("mixing"));
        std::fs::create_dir_all(&out).map_err(|error| Error::io("creating", &out, error))?;

        let indices = balanced(digits.test.labels(), self.images);
        let mut progress = Progress::choose(self.source.quiet);
        progress.start((self.steps as u64).saturating_mul(loaded.len() as u64), "steps");
        let mut machines = Vec::new();
        // All start from the same states: those that the first machine saw.
        let binarise = (loaded[0].settings.binarise, loaded[0].settings.seed);
        for (name, loaded) in names(&self.models).into_iter().zip(&loaded) {
            let walk = Walk { digits: &digits, indices: &indices, steps: self.steps, seed: self.source.seed };
            machines.push(walk.machine(name, &loaded.model, binarise, |steps| {
                progress.advance(steps as u64);
                Ok(())
            })?);
        }
        progress.finish("");

        let labels: Vec<String> =
            indices.iter().map(|&i| format!("test {i}: {}", digits.test.labels()[i])).collect();
        let title = "After so many Gibbs steps";
        let png = sheet(title, &machines, sides, &labels).and_then(|sheet| sheet.to_png());
        write_picture(&out.join("samples.png"), png);
        for (plot, name) in plots(&machines) {
            write_picture(&out.join(name), plot.to_svg());
        }
        let summary = Summary { out, data: &digits.name, machines: &machines };
        let text =
            serde_json::to_string_pretty(&summary).map_err(|error| Error::invalid("summary", error))?;
        let written = write_output(&summary.out.join("summary.json"), (text + "\n").as_bytes());
        match self.json {
            true => print_json(&summary)?,
            false => print(&describe(&summary))?,
        }
        written
    }

    /// The digits that all machines are judged by.
    fn digits(&self, loaded: &[Loaded<Rbm<f32>>]) -> Result<Digits> {
        let Loaded { model: first, settings: first_settings, .. } = &loaded[0];
        for (path, Loaded { model, settings, .. }) in self.models.iter().zip(loaded) {
            if model.visible() != first.visible() {
                let expected = format!(
                    "machines side by side see images of one size; this one has {} visible units and {} has {}",
                    model.visible(),
                    self.models[0].display(),
                    first.visible()
                );
                return Err(Error::invalid(path.display(), expected));
            }
            if settings.invert != first_settings.invert {
                let expected = format!(
                    "of this one and {} one was trained on inverted images; they cannot be judged by the same",
                    self.models[0].display()
                );
                return Err(Error::invalid(path.display(), expected));
            }
            let data = |settings: &Settings| (settings.data.clone(), settings.images);
            if self.source.data.is_none() && data(settings) != data(first_settings) {
                let expected = format!(
                    "was trained on other data than {}; say with --data what both are to be judged by",
                    self.models[0].display()
                );
                return Err(Error::invalid(path.display(), expected));
            }
        }
        let size = image_size(loaded);
        for (path, other) in self.models.iter().zip(loaded) {
            size.map_or(Ok(()), |size| check_size(&path.display().to_string(), other.image_size, size))?;
        }
        self.source.load(first.visible(), size, first_settings.source())
    }
}

/// Height and width of the images that the machines learned from, as the first file has it that says so.
fn image_size(loaded: &[Loaded<Rbm<f32>>]) -> Option<[usize; 2]> {
    loaded.iter().find_map(|loaded| loaded.image_size)
}

/// The last part of each path, or the whole where two are the same.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let short = |path: &Path| {
        // `runs/cd/.` is called `cd`, and `.` by the folder's own name.
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let part = if path.is_dir() { whole.file_name() } else { whole.file_stem() };
        part.map_or_else(|| path.display().to_string(), |part| part.to_string_lossy().into_owned())
    };
    let names: Vec<String> = paths.iter().map(|path| short(path)).collect();
    let is_unique = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
    let name = |(name, path): (&String, &PathBuf)| match is_unique(name) {
        true => name.clone(),
        false => path.display().to_string(),
    };
    names.iter().zip(paths).map(name).collect()
}

/// Test images, the first of each class, then the second of each, and so on: `count` of them, if there are.
pub(in crate::cli) fn balanced(labels: &[u8], count: usize) -> Vec<usize> {
    let mut seen = [0_usize; 256];
    let mut places: Vec<(usize, u8, usize)> = Vec::new();
    for (index, &label) in labels.iter().enumerate() {
        places.push((seen[usize::from(label)], label, index));
        seen[usize::from(label)] += 1;
    }
    places.sort_unstable();
    places.into_iter().take(count).map(|(_, _, index)| index).collect()
}

/// What chains of every machine have in common.
pub(in crate::cli) struct Walk<'a> {
    pub digits: &'a Digits,
    /// Test images that chains start from.
    pub indices: &'a [usize],
    pub steps: usize,
    pub seed: u64,
}

impl Walk<'_> {
    /// Walks with `model`, which sees images binarised in this way and with this seed.
    pub(in crate::cli) fn machine(
        &self,
        name: String,
        model: &Rbm<f32>,
        (binarise, seed): (Binarisation, u64),
        after: impl FnMut(usize) -> Result<()>,
    ) -> Result<Machine> {
        let test = &self.digits.test;
        let nearest = nearest(self.digits, binarise, seed)?;
        let start = test_images(self.digits, self.indices, binarise, seed)?;
        let classes: Vec<u8> = self.indices.iter().map(|&index| test.labels()[index]).collect();
        let steps = rising_steps(self.steps);
        let task = Task { start: &start, classes: &classes, steps: &steps, nearest: &nearest };
        let walked = mix(model, &task, Stream::named(self.seed, "evaluate"), after)?;
        Ok(Machine { name, hidden: model.hidden(), nearest_accuracy: nearest.accuracy(), walked })
    }
}

/// What knows digits: the first of the training images, judged by the first of the test images.
pub(in crate::cli) fn nearest(digits: &Digits, binarise: Binarisation, seed: u64) -> Result<NearestImages> {
    let Digits { train, test, .. } = digits;
    let pixels = test.images().pixels_per_image();
    let train_images = binary_images(train.images(), COMPARED, binarise, seed)?;
    let test_images = binary_images(test.images(), JUDGED, binarise, seed)?;
    let labels = |labels: &'_ [u8], images: &[f32]| labels[..images.len() / pixels].to_vec();
    NearestImages::new(
        (&train_images, &labels(train.labels(), &train_images)),
        (&test_images, &labels(test.labels(), &test_images)),
        pixels,
    )
}

/// A power of ten, or the last: what tables and sheets show.
fn is_shown(look: &Look, walked: &Walked) -> bool {
    let is_power = look.steps > 0 && look.steps == 10_usize.pow(look.steps.ilog10());
    is_power || look.steps == walked.last().steps
}

/// The looks that are shown, each with its picture.
pub(in crate::cli) fn shown(machine: &Machine) -> impl Iterator<Item = (&Look, &Vec<f32>)> {
    let walked = &machine.walked;
    walked.looks.iter().zip(&walked.pictures).filter(|(look, _)| is_shown(look, walked))
}

/// A row a chain; the start, then a group of columns for each machine.
pub(in crate::cli) fn sheet(
    title: &str,
    machines: &[Machine],
    (height, width): (usize, usize),
    labels: &[String],
) -> Result<ContactSheet> {
    let labels = &labels[..labels.len().min(SHOWN)];
    let mut columns = vec!["start".to_string()];
    let mut groups = vec![(String::new(), 1)];
    for machine in machines {
        let steps: Vec<String> = shown(machine).map(|(look, _)| thousands(look.steps)).collect();
        groups.push((machine.name.clone(), steps.len()));
        columns.extend(steps);
    }
    let mut sheet = ContactSheet::new(height, width)
        .title(title)
        .column_groups(&groups)
        .column_labels(&columns)
        .row_labels(labels);
    for chain in 0..labels.len() {
        let row = chain * height * width..(chain + 1) * height * width;
        sheet.push(&machines[0].walked.pictures[0][row.clone()])?;
        for (_, picture) in machines.iter().flat_map(shown) {
            sheet.push(&picture[row.clone()])?;
        }
    }
    Ok(sheet)
}

/// Overlap, free energy, digits and classes against steps, a line a machine, each with its file's name.
pub(in crate::cli) fn plots(machines: &[Machine]) -> [(LinePlot, &'static str); 4] {
    let plot = |title: &str, y_label: &str, start: f64, value: &dyn Fn(&Walked, &Look) -> f64| {
        let line = |machine: &Machine| {
            let looks = machine.walked.looks.iter().filter(|look| look.steps > 0);
            let points = looks.map(|look| (look.steps as f64, value(&machine.walked, look)));
            Series::new(machine.name.clone(), points.collect::<Vec<_>>())
        };
        let last = machines.iter().map(|machine| machine.walked.last().steps).max().unwrap_or(1);
        let ends = [(1.0, start), (last as f64, start)];
        let mut series: Vec<Series> = machines.iter().map(line).collect();
        series.push(Series::new("at the start", ends).dashed());
        LinePlot {
            title: title.into(),
            x_label: "Gibbs steps".into(),
            y_label: y_label.into(),
            log_x: true,
            series,
            ..LinePlot::default()
        }
    };
    let start = &machines[0].walked.looks[0];
    let digits = |look: &Look, walked: &Walked| 100.0 * look.digits as f64 / walked.chains as f64;
    [
        (
            plot(
                "How much of the start is left",
                "overlap with the start (0 = another chain's)",
                1.0,
                &|_, look| look.overlap,
            ),
            "overlap.svg",
        ),
        (
            plot(
                "How probable the machine finds its samples",
                "free energy above test images (nats)",
                0.0,
                &above_start,
            ),
            "free-energy.svg",
        ),
        (
            plot(
                "Whether the samples are digits",
                "chains that show a digit (%)",
                digits(start, &machines[0].walked),
                &|walked, look| digits(look, walked),
            ),
            "digits.svg",
        ),
        (
            plot(
                "How mixed their classes are",
                "entropy of the classes (nats; 2.30 = ten alike)",
                start.class_entropy,
                &|_, look| look.class_entropy,
            ),
            "classes.svg",
        ),
    ]
}

/// Mean free energy after a look's steps minus that of the start: free energies of two machines have no common zero.
pub(in crate::cli) fn above_start(walked: &Walked, look: &Look) -> f64 {
    look.free_energy - walked.looks[0].free_energy
}

/// `520`, `> 900`, `< 10`, or `unknown` of what never changed in too few steps to tell.
pub(in crate::cli) fn time(time: Option<Time>) -> String {
    let Some(Time { steps, bound }) = time else { return "unknown".into() };
    let sign = match bound {
        Bound::Equal => "",
        Bound::Above => "> ",
        Bound::Below => "< ",
    };
    let number = if steps < 10.0 { format!("{steps:.1}") } else { thousands(steps.round() as usize) };
    format!("{sign}{number}")
}

fn describe(summary: &Summary<'_>) -> String {
    let first = &summary.machines[0];
    let mut text = format!(
        "{} chains from test images of {}; nearest training images tell the class of {:.0} % of these\n",
        thousands(first.walked.chains),
        summary.data,
        100.0 * first.nearest_accuracy,
    );
    for machine in summary.machines {
        let walked = &machine.walked;
        let percent = |count: usize| format!("{:.0} %", 100.0 * count as f64 / walked.chains as f64);
        // Writing into a String cannot fail.
        let _ = writeln!(text, "\n{}, {} hidden units", machine.name, thousands(machine.hidden));
        text += "     steps  overlap  free energy  digits  own class  class entropy  grey pixels\n";
        for look in walked.looks.iter().filter(|look| look.steps == 0 || is_shown(look, walked)) {
            let grey = look.grey_pixels.map_or("-".into(), |grey| format!("{:.0} %", 100.0 * grey));
            let _ = writeln!(
                text,
                "{:>10}  {:>7.2}  {:>11.1}  {:>6}  {:>9}  {:>13.2}  {grey:>11}",
                thousands(look.steps),
                look.overlap,
                look.free_energy,
                percent(look.digits),
                percent(look.same_class),
                look.class_entropy,
            );
        }
        let _ = writeln!(
            text,
            "autocorrelation time in steps: free energy {}, image {}",
            time(walked.free_energy_time),
            time(walked.image_time)
        );
    }
    text + &format!(
        "\noverlap: pixels as at the start, 0 as at the start of another chain, 1 all\n\
         free energy: in nats; the lower, the more probable to this machine\n\
         digits: as near to a training image as 95 % of the test images are; own class: the start's\n\
         class entropy: in nats; grey pixels: of probability 0.1 to 0.9\n\
         wrote samples.png, overlap.svg, free-energy.svg, digits.svg, classes.svg and summary.json in {}\n",
        summary.out.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_take_turns_as_long_as_they_last() {
        let labels = [7, 2, 7, 7, 0, 2, 9];
        assert_eq!(balanced(&labels, 4), [4, 1, 0, 6]);
        assert_eq!(balanced(&labels, 9), [4, 1, 0, 6, 5, 2, 3]);
    }

    #[test]
    fn names_are_short_where_they_can_be() {
        let names = |paths: &[&str]| names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(names(&["runs/cd.st", "runs/pcd"]), ["cd", "pcd"]);
        assert_eq!(
            names(&["a/model.safetensors", "b/model.safetensors", "c"]),
            ["a/model.safetensors", "b/model.safetensors", "c"]
        );
    }

    #[test]
    fn times_say_on_which_side_they_are() {
        let told = |steps, bound| time(Some(Time { steps, bound }));
        assert_eq!(told(1234.4, Bound::Equal), "1,234");
        assert_eq!((told(900.0, Bound::Above), told(10.0, Bound::Below)), ("> 900".into(), "< 10".into()));
        assert_eq!((told(2.04, Bound::Equal), time(None)), ("2.0".into(), "unknown".into()));
    }
}
