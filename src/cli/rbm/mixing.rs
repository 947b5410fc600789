//! `equilibria rbm mixing`.

use crate::boltzmann::Rbm;
use crate::cli::filters::check_size;
use crate::cli::machine::{ImageArguments, Loaded, caption, picture_size};
use crate::cli::output::{OutputArguments, check_range, thousands, write_picture, write_summary};
use crate::data::{Dataset, balanced};
use crate::experiments::mixing::{Machine, Walk, is_shown, plots, sheet, time};
use crate::run::rbm::Settings;
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Run Gibbs chains from test images, and measure how fast they mix and whether they still show digits.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  equilibria rbm mixing runs/rbm\n  \
    equilibria rbm mixing runs/cd runs/pcd --data mnist --images 100 --steps 10000 --out runs/mixing\n\n\
    A chain shows a digit if its distance to the nearest training image is not larger than that of 95 % of the test \
    images. Several machines are drawn side by side.")]
pub(in crate::cli) struct Mixing {
    /// Run directories or safetensors files.
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<PathBuf>,
    #[command(flatten)]
    source: ImageArguments,
    /// Test images that chains start from, balanced over the classes [default: 100, or all if there are fewer].
    #[arg(long)]
    images: Option<usize>,
    /// Gibbs steps. The chains are measured after 1, 2, 5, 10, 20, ... steps.
    #[arg(long, default_value = "10000")]
    steps: usize,
    /// The folder for pictures and summary.json [default: `mixing` beside the first model].
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Serialize)]
struct Summary<'a> {
    #[serde(serialize_with = "crate::cli::output::path_as_text")]
    out: PathBuf,
    data: &'a str,
    machines: &'a [Machine],
}

/// The largest number of chains; each takes 0.1 MB, and time.
const MOST_CHAINS: usize = 1_000;
const MOST_STEPS: usize = 1 << 30;
impl Mixing {
    pub(in crate::cli) fn run(self) -> Result<()> {
        self.output.start()?;
        check_range("--steps", self.steps, 1..=MOST_STEPS, "Gibbs steps can be walked")?;
        let loaded = self.models.iter().map(|path| Loaded::new(path)).collect::<Result<Vec<_>>>()?;
        let image_size = loaded.iter().find_map(|loaded| loaded.image_size);
        let digits = self.digits(&loaded, image_size)?;
        let size = picture_size(image_size, Some(&digits), loaded[0].model.visible());
        let most = digits.test.len().min(MOST_CHAINS);
        let count = self.images.unwrap_or(most.min(100));
        check_range("--images", count, 2..=most, "test images can be used")?;
        // An error must come before the work, not after it.
        let out = self.out.clone().unwrap_or_else(|| loaded[0].folder.join("mixing"));
        std::fs::create_dir_all(&out).map_err(|error| Error::io("creating", &out, error))?;

        let indices = balanced(digits.test.labels(), count);
        let mut progress = self.output.progress();
        progress.start((self.steps as u64).saturating_mul(loaded.len() as u64), "steps");
        // All machines start from the same states: those of the first machine's binarisation.
        let Settings { binarise, seed, .. } = loaded[0].settings;
        let walk = Walk { digits: &digits, indices: &indices, steps: self.steps, seed: self.source.seed };
        let mut machines = Vec::new();
        for (name, loaded) in names(&self.models).into_iter().zip(&loaded) {
            machines.push(walk.machine(name, &loaded.model, (binarise, seed), |steps| {
                progress.advance(steps as u64);
                Ok(())
            })?);
        }
        progress.finish("");

        let label = |&i: &usize| caption(&digits, i);
        let labels: Vec<String> = indices.iter().map(label).collect();
        let png =
            sheet("After so many Gibbs steps", &machines, size, &labels).and_then(|sheet| sheet.to_png());
        write_picture(&out.join("samples.png"), png);
        for (plot, name) in plots(&machines) {
            write_picture(&out.join(name), plot.to_svg());
        }
        let summary = Summary { out, data: &digits.name, machines: &machines };
        let written = write_summary(&summary.out.join("summary.json"), &summary);
        self.output.print(&summary, describe)?;
        written
    }

    /// The digits for all machines. Returns an error if the machines cannot be compared on the same images.
    fn digits(&self, loaded: &[Loaded<Rbm<f32>>], image_size: Option<[usize; 2]>) -> Result<Dataset> {
        let (first, first_path) = (&loaded[0], self.models[0].display());
        let (visible, trained) = (first.model.visible(), &first.settings);
        for (path, Loaded { model, settings, .. }) in self.models.iter().zip(loaded) {
            let expected = if model.visible() != visible {
                format!(
                    "machines side by side see images of one size; this one has {} visible units and {first_path} has \
                     {visible}",
                    model.visible(),
                )
            } else if settings.invert != trained.invert {
                format!(
                    "either this machine or {first_path} was trained on inverted images; they cannot be compared"
                )
            } else if self.source.data.is_none()
                && (&settings.data, settings.images) != (&trained.data, trained.images)
            {
                format!("was trained on other data than {first_path}; say with --data which images to use")
            } else {
                continue;
            };
            return Err(Error::invalid(path.display(), expected));
        }
        for (path, other) in self.models.iter().zip(loaded) {
            let check = |size| check_size(&path.display().to_string(), other.image_size, size);
            image_size.map_or(Ok(()), check)?;
        }
        self.source.load(visible, image_size, trained.source())
    }
}

/// The last part of each path, or the whole path if two are equal.
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

fn describe(summary: &Summary<'_>) -> String {
    let first = &summary.machines[0];
    let mut text = format!(
        "{} chains from test images of {}; the nearest training image has the class of {:.0} % of them\n",
        thousands(first.walked.chains),
        summary.data,
        100.0 * first.nearest_accuracy,
    );
    for machine in summary.machines {
        let walked = &machine.walked;
        let percent = |count: usize| format!("{:.0} %", 100.0 * count as f64 / walked.chains as f64);
        let _ = writeln!(text, "\n{}, {} hidden units", machine.name, thousands(machine.hidden));
        text += "     steps  overlap  free energy  digits  own class  class entropy  grey pixels\n";
        for measured in
            walked.measurements.iter().filter(|measured| measured.steps == 0 || is_shown(measured, walked))
        {
            let grey = measured.grey_pixels.map_or("-".into(), |grey| format!("{:.0} %", 100.0 * grey));
            let _ = writeln!(
                text,
                "{:>10}  {:>7.2}  {:>11.1}  {:>6}  {:>9}  {:>13.2}  {grey:>11}",
                thousands(measured.steps),
                measured.overlap,
                measured.free_energy,
                percent(measured.digits),
                percent(measured.same_class),
                measured.class_entropy,
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
        "\noverlap: share of pixels equal to the start, scaled: 1 is all, 0 is the agreement with another chain's start\n\
         free energy: in nats; lower is more probable for this machine\n\
         digits: as near to a training image as 95 % of the test images; own class: the class of the start\n\
         class entropy: in nats; grey pixels: probability 0.1 to 0.9\n\
         wrote samples.png, overlap.svg, free-energy.svg, digits.svg, classes.svg and summary.json in {}\n",
        summary.out.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_where_they_can_be() {
        let names = |paths: &[&str]| names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(names(&["runs/cd.st", "runs/pcd"]), ["cd", "pcd"]);
        assert_eq!(
            names(&["a/model.safetensors", "b/model.safetensors", "c"]),
            ["a/model.safetensors", "b/model.safetensors", "c"]
        );
    }
}
