//! Gibbs chains of several machines from the same test images: their measurements, sheets and plots.

use super::reconstruction::test_images;
use crate::Result;
use crate::boltzmann::Rbm;
use crate::data::{Binarisation, Dataset};
use crate::evaluate::autocorrelation::{Bound, Time};
use crate::evaluate::mixing::{Measurements, Mixing as Walked, Task, mix, rising_steps};
use crate::evaluate::nearest::NearestImages;
use crate::report::numbers::thousands;
use crate::report::{ContactSheet, LinePlot, Series};
use crate::rng::Stream;
use serde::Serialize;

/// A machine and the measurements of its chains.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// The name in legends and headings.
    pub name: String,
    pub hidden: usize,
    /// Share of test images whose nearest training image has their class.
    pub nearest_accuracy: f64,
    #[serde(flatten)]
    pub walked: Walked,
}

/// Chains on a contact sheet.
const SHOWN: usize = 10;

/// The start and the length of the chains, the same for all machines.
pub(crate) struct Walk<'a> {
    pub digits: &'a Dataset,
    /// Test images that chains start from.
    pub indices: &'a [usize],
    pub steps: usize,
    pub seed: u64,
}

impl Walk<'_> {
    /// Runs the chains of `model` on images that are binarised with `binarise` and `seed`.
    pub(crate) fn machine(
        &self,
        name: String,
        model: &Rbm<f32>,
        (binarise, seed): (Binarisation, u64),
        after: impl FnMut(usize) -> Result<()>,
    ) -> Result<Machine> {
        let nearest = NearestImages::of_digits(self.digits, binarise, seed)?;
        let start = test_images(self.digits, self.indices, binarise, seed)?;
        let classes: Vec<u8> = self.indices.iter().map(|&index| self.digits.test.labels()[index]).collect();
        let steps = rising_steps(self.steps);
        let task = Task { start: &start, classes: &classes, steps: &steps, nearest: &nearest };
        let walked = mix(model, &task, Stream::named(self.seed, "evaluate"), after)?;
        Ok(Machine { name, hidden: model.hidden(), nearest_accuracy: nearest.accuracy(), walked })
    }
}

/// Returns whether tables and sheets show a measurement: after a power of ten, or the last.
pub(crate) fn is_shown(measured: &Measurements, walked: &Walked) -> bool {
    let is_power = measured.steps > 0 && measured.steps == 10_usize.pow(measured.steps.ilog10());
    is_power || measured.steps == walked.last().steps
}

/// The measurements that are shown, each with its picture.
pub(crate) fn shown(machine: &Machine) -> impl Iterator<Item = (&Measurements, &Vec<f32>)> {
    let walked = &machine.walked;
    walked.measurements.iter().zip(&walked.pictures).filter(|(measured, _)| is_shown(measured, walked))
}

/// A sheet with a row for each chain: the start, then a group of columns for each machine.
pub(crate) fn sheet(
    title: &str,
    machines: &[Machine],
    (height, width): (usize, usize),
    labels: &[String],
) -> Result<ContactSheet> {
    let labels = &labels[..labels.len().min(SHOWN)];
    let mut columns = vec!["start".to_string()];
    let mut groups = vec![(String::new(), 1)];
    for machine in machines {
        let steps: Vec<String> = shown(machine).map(|(measured, _)| thousands(measured.steps)).collect();
        groups.push((machine.name.clone(), steps.len()));
        columns.extend(steps);
    }
    let mut sheet = ContactSheet::new(height, width)
        .title(title)
        .column_groups(&groups)
        .column_labels(&columns)
        .row_labels(labels);
    let start = std::iter::once(&machines[0].walked.pictures[0]);
    let pictures = || start.clone().chain(machines.iter().flat_map(shown).map(|(_, picture)| picture));
    for chain in 0..labels.len() {
        for picture in pictures() {
            sheet.push(&picture[chain * height * width..(chain + 1) * height * width])?;
        }
    }
    Ok(sheet)
}

/// Plots of overlap, free energy, digits and classes against steps with a line for each machine, and their file names.
pub(crate) fn plots(machines: &[Machine]) -> [(LinePlot, &'static str); 4] {
    let plot = |title: &str, y_label: &str, value: fn(&Walked, &Measurements) -> f64| {
        let line = |machine: &Machine| {
            let measurements = machine.walked.measurements.iter().filter(|measured| measured.steps > 0);
            let points =
                measurements.map(|measured| (measured.steps as f64, value(&machine.walked, measured)));
            Series::new(machine.name.clone(), points.collect::<Vec<_>>())
        };
        let last = machines.iter().map(|machine| machine.walked.last().steps).max().unwrap_or(1);
        let start = value(&machines[0].walked, &machines[0].walked.measurements[0]);
        let mut series: Vec<Series> = machines.iter().map(line).collect();
        series.push(Series::new("at the start", [(1.0, start), (last as f64, start)]).dashed());
        LinePlot {
            title: title.into(),
            x_label: "Gibbs steps".into(),
            y_label: y_label.into(),
            log_x: true,
            series,
            ..LinePlot::default()
        }
    };
    let digits =
        |walked: &Walked, measured: &Measurements| 100.0 * measured.digits as f64 / walked.chains as f64;
    let overlap = "overlap with the start (0 = another chain's)";
    let classes = "entropy of the classes (nats; 2.30 = ten alike)";
    [
        (plot("Overlap with the start", overlap, |_, measured| measured.overlap), "overlap.svg"),
        (
            plot("Free energy of the samples", "free energy above test images (nats)", Walked::above_start),
            "free-energy.svg",
        ),
        (plot("Samples that are digits", "chains that show a digit (%)", digits), "digits.svg"),
        (plot("Balance of the classes", classes, |_, measured| measured.class_entropy), "classes.svg"),
    ]
}

/// An autocorrelation time as text: `520`, `> 900`, `< 10`, or `unknown`.
pub(crate) fn time(time: Option<Time>) -> String {
    let Some(Time { steps, bound }) = time else { return "unknown".into() };
    let sign = match bound {
        Bound::Equal => "",
        Bound::Above => "> ",
        Bound::Below => "< ",
    };
    let number = if steps < 10.0 { format!("{steps:.1}") } else { thousands(steps.round() as usize) };
    format!("{sign}{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_on_times_are_marked() {
        let text = |steps, bound| time(Some(Time { steps, bound }));
        assert_eq!(text(1234.4, Bound::Equal), "1,234");
        assert_eq!((text(900.0, Bound::Above), text(10.0, Bound::Below)), ("> 900".into(), "< 10".into()));
        assert_eq!((text(2.04, Bound::Equal), time(None)), ("2.0".into(), "unknown".into()));
    }
}
