//! Figure 2: Gibbs samples from test images after 1 to 10,000 steps, of three machines, and why they blur.

use super::{LARGE, Outcome, SMALL, Workbench};
use crate::Result;
use crate::boltzmann::Rbm;
use crate::cli::rbm::mixing::{Machine, Walk, above_start, balanced, plots, sheet, shown, time};
use crate::cli::thousands;
use crate::data::Binarisation;
use crate::evaluate::mixing::{Measurements, Mixing};
use crate::report::{ContactSheet, Figure, Section, Table};
use serde_json::json;

const STEPS: usize = 10_000;
/// A machine is blurred if it has so many times the grey pixels of another.
const BLURRED: f64 = 1.5;
/// Classes whose entropy has fallen by so many nats are no longer as mixed as they were.
const UNMIXED: f64 = 0.2;

pub(super) fn make(bench: &mut Workbench<'_>) -> Result<Outcome> {
    let models = [
        (format!("{SMALL} hidden units, PCD-1"), bench.small()?.0),
        (format!("{LARGE} hidden units, CD-1"), bench.contrastive()?.0),
        (format!("{LARGE} hidden units, PCD-1"), bench.large()?.0),
    ];
    let machines = walk(bench, &models)?;
    let [small, contrastive, persistent] = [0, 1, 2].map(|i: usize| &machines[i]);
    let labels = bench.digits.test.labels();
    let labels: Vec<String> =
        balanced(labels, bench.budget.chains).iter().map(|&i| format!("a {}", labels[i])).collect();
    let images = bench.digits.test.images();
    let sides = (images.height(), images.width());
    let title = "After so many Gibbs steps";
    let large_png = sheet(title, &machines[1..], sides, &labels)?.to_png()?;
    let small_png = flat_sheet(small, sides, &labels)?.to_png()?;
    bench.write("figure2.png", &large_png);
    bench.write(&format!("figure2-hidden-{SMALL}.png"), &small_png);
    let mut svgs = Vec::new();
    for (plot, name) in plots(&machines) {
        let svg = plot.to_svg()?;
        bench.write(&format!("figure2-{name}"), svg.as_bytes());
        svgs.push(svg);
    }
    let answer = [
        of_small(&small.walked, &persistent.walked),
        of_contrastive(&contrastive.walked),
        of_persistent(&persistent.walked),
    ];
    let [overlap, energy, digits, classes]: [String; 4] = svgs.try_into().expect("four plots were asked for");
    let section = Section::new("Figure 2: Gibbs samples, and why they blur")
        .paragraph(
            "Each chain starts at a test image and alternates between sampling the hidden units given the image \
             and the image given the hidden units. The report saw its pictures become less clear and more alike \
             with the number of steps, and did not know why.",
        )
        .paragraph(&answer[0])
        .paragraph(&answer[1])
        .paragraph(&answer[2])
        .figure(Figure::png(
            large_png,
            "Ten test images, and what Gibbs chains of two machines have made of them after 1, 10, 100, 1,000 and \
             10,000 steps.",
            format!(
                "Two machines that differ in one thing: whether training took its samples one step from the data \
                 (CD-1) or from chains that never stop (PCD-1). {LARGE} hidden units each, the same rates and \
                 epochs. Shown is the probability from which the image was drawn."
            ),
        ))
        .figure(Figure::png(
            small_png,
            "Ten test images, and what Gibbs chains of the report's machine have made of them.",
            format!("The report's machine: {SMALL} hidden units, PCD-1 as in scikit-learn."),
        ))
        .figures([
            Figure::svg(overlap, "Pixels as at the chain's own start; 0 is how far it agrees with another's."),
            Figure::svg(energy, "Mean free energy less that of the test images; the lower, the more probable."),
            Figure::svg(
                digits,
                "Chains that show a digit: a training image is as near to them as to 95 % of the test images.",
            ),
            Figure::svg(classes, "Entropy of the chains' classes, by the nearest training image."),
        ])
        .table(table(&machines));
    let summary = json!({ "steps": STEPS, "machines": machines, "answer": answer });
    Ok(Outcome { section, summary })
}

/// Chains of each machine, from the same test images.
fn walk(bench: &mut Workbench<'_>, models: &[(String, Rbm<f32>); 3]) -> Result<Vec<Machine>> {
    let digits = bench.digits;
    let indices = balanced(digits.test.labels(), bench.budget.chains);
    let walk = Walk { digits, indices: &indices, steps: STEPS, seed: bench.seed };
    bench.progress.start((STEPS * models.len()) as u64, "steps");
    let mut machines = Vec::new();
    for (name, model) in models {
        let how = (Binarisation::Threshold, bench.seed);
        machines.push(walk.machine(name.clone(), model, how, |steps| bench.advance(steps))?);
    }
    let chains = thousands(indices.len());
    bench.say(&format!(
        "sampled {chains} chains of {} machines for {} steps",
        models.len(),
        thousands(STEPS)
    ));
    Ok(machines)
}

/// The start and what a machine made of it, a row a number of steps: as wide as the page, and low.
fn flat_sheet(machine: &Machine, (height, width): (usize, usize), labels: &[String]) -> Result<ContactSheet> {
    let columns = &labels[..labels.len().min(10)];
    let start = &machine.walked.pictures[0];
    let mut rows = vec![("start".to_string(), start)];
    rows.extend(shown(machine).map(|(look, picture)| (thousands(look.steps), picture)));
    let names: Vec<&str> = rows.iter().map(|(name, _)| name.as_str()).collect();
    let mut sheet = ContactSheet::new(height, width)
        .title(format!("After so many Gibbs steps, {}", machine.name))
        .column_labels(columns)
        .row_labels(&names);
    for (_, picture) in &rows {
        picture.chunks_exact(height * width).take(columns.len()).try_for_each(|image| sheet.push(image))?;
    }
    Ok(sheet)
}

fn table(machines: &[Machine]) -> Table {
    let chains = machines[0].walked.chains;
    let caption = format!(
        "Where {chains} chains are after {} steps; {chains} test images for comparison",
        thousands(STEPS)
    );
    let mut table = Table::new(caption)
        .text_column("machine")
        .number_column("overlap with the start", "")
        .number_column("free energy above test images", "nats")
        .number_column("digits", "%")
        .number_column("class of the start", "%")
        .number_column("entropy of classes", "nats")
        .number_column("grey pixels", "%")
        .number_column("autocorrelation time", "steps: energy, image");
    let mut row = |name: &str, walked: &Mixing, look: &Measurements, times: String| {
        table = core::mem::take(&mut table).row([
            name.to_string(),
            format!("{:.2}", look.overlap),
            signed(above_start(walked, look)),
            percent(look.digits, walked),
            percent(look.same_class, walked),
            format!("{:.2}", look.class_entropy),
            look.grey_pixels.map_or(String::new(), |grey| format!("{:.0}", 100.0 * grey)),
            times,
        ]);
    };
    row("test images", &machines[0].walked, &machines[0].walked.measurements[0], String::new());
    for Machine { name, walked, .. } in machines {
        let times = format!("{}, {}", time(walked.free_energy_time), time(walked.image_time));
        row(name, walked, walked.last(), times);
    }
    table
}

fn percent(count: usize, walked: &Mixing) -> String {
    format!("{:.0}", 100.0 * count as f64 / walked.chains as f64)
}

/// With a true minus.
fn signed(number: f64) -> String {
    format!("{number:.0}").replace("-0", "0").replace('-', "\u{2212}")
}

fn grey(look: Option<&Measurements>) -> f64 {
    100.0 * look.and_then(|look| look.grey_pixels).unwrap_or(f64::NAN)
}

/// The report's machine beside one that is large enough: is it blurred from the start, and do its samples grow alike?
fn of_small(small: &Mixing, large: &Mixing) -> String {
    let [first, last, sharp] = [grey(small.after(1)), grey(Some(small.last())), grey(Some(large.last()))];
    let numbers = format!(
        "{first:.0} % of its pixels are grey after 1 step and {last:.0} % after {} ({LARGE} units: {sharp:.0} %)",
        thousands(STEPS)
    );
    let blur = if first > BLURRED * sharp {
        format!(
            "The report's machine is blurred from the first step, as {SMALL} hidden units say little of an image"
        )
    } else if last > BLURRED * first {
        "The report's machine blurs as it walks".to_string()
    } else {
        format!("The report's machine of {SMALL} hidden units does not blur here")
    };
    let (before, after) = (small.measurements[0].class_entropy, small.last().class_entropy);
    let alike = if after < before - UNMIXED {
        "its samples grow alike, as its chains gather in few classes"
    } else {
        "its classes stay as mixed as they were"
    };
    format!("{blur}: {numbers}; and {alike} (entropy {before:.2} nats at the start, {after:.2} at the end).")
}

/// Do chains of the machine that saw one step alone leave the digits?
fn of_contrastive(walked: &Mixing) -> String {
    let (chains, start, last) = (walked.chains, &walked.measurements[0], walked.last());
    let fact = format!(
        "CD-1 never sees where chains of more than one step go: with {LARGE} hidden units, {} of {chains} show a digit \
         after {} steps",
        last.digits,
        thousands(STEPS)
    );
    if 2 * last.digits > start.digits {
        return format!("{fact}, of the test images {}: here it does them little harm.", start.digits);
    }
    let is_lost = |look: &&Measurements| 2 * look.digits <= start.digits;
    let lost = walked.measurements.iter().find(is_lost).map_or(STEPS, |look| look.steps);
    let below = -above_start(walked, last);
    let squares = last.free_energy_deviation.powi(2) + start.free_energy_deviation.powi(2);
    let why = if below > 2.0 * (squares / chains as f64).sqrt() {
        format!(
            "the others are none, yet to this machine more probable than digits, as the mean free energy is {below:.0} \
             nats below the test images'"
        )
    } else {
        "the others are none".to_string()
    };
    format!("{fact}, half of them lost by step {}; {why}.", thousands(lost))
}

/// Does the machine that learned from chains that never stop draw digits, and does it mix?
fn of_persistent(walked: &Mixing) -> String {
    let (chains, start, last) = (walked.chains, &walked.measurements[0], walked.last());
    let but = if 10 * last.digits >= 9 * start.digits { "" } else { "only " };
    let kept = last.same_class as f64 > 0.2 * chains as f64;
    let fewer = last.class_entropy < start.class_entropy - UNMIXED;
    let mixing = if kept || fewer { "they mix slowly, though" } else { "they mix, too" };
    format!(
        "PCD-1 goes where its own chains gather and unlearns what is there: {but}{} of {chains} chains show a digit \
         after {} steps, of the test images {}; {mixing}: {} have the class that they started with (entropy {:.2} nats \
         at the start, {:.2} at the end).",
        last.digits,
        thousands(STEPS),
        start.digits,
        last.same_class,
        start.class_entropy,
        last.class_entropy
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chains that end like this: digits, free energy above the start's, class entropy, grey pixels at 1 and the end.
    fn walked(digits: usize, energy: f64, entropy: f64, grey: [f64; 2]) -> Mixing {
        let look = |steps, digits, free_energy, class_entropy, grey_pixels| Measurements {
            steps,
            agreement: 0.9,
            overlap: 0.5,
            likeness: 0.0,
            free_energy,
            free_energy_deviation: 20.0,
            grey_pixels,
            digits,
            classes: vec![digits],
            class_entropy,
            same_class: digits / 2,
            nearest_distance: 0.4,
        };
        Mixing {
            chains: 100,
            measurements: vec![
                look(0, 92, -300.0, 2.3, None),
                look(1, 92, -300.0, 2.3, Some(grey[0])),
                look(500, digits.min(46), -300.0 + energy, entropy, Some(grey[1])),
                look(STEPS, digits, -300.0 + energy, entropy, Some(grey[1])),
            ],
            free_energy_time: None,
            image_time: None,
            pictures: Vec::new(),
        }
    }

    #[test]
    fn the_answer_follows_the_numbers() {
        let sharp = walked(95, -10.0, 2.25, [0.08, 0.08]);
        let mixed = Measurements { same_class: 9, ..sharp.last().clone() };
        let mixed = Mixing { measurements: vec![sharp.measurements[0].clone(), mixed], ..sharp.clone() };
        let small = |entropy, grey| of_small(&walked(70, 0.0, entropy, grey), &sharp);
        let contrastive = |digits, energy| of_contrastive(&walked(digits, energy, 1.3, [0.05; 2]));
        let persistent = |digits| of_persistent(&walked(digits, -36.0, 1.7, [0.08; 2]));
        for (text, words) in [
            (small(1.1, [0.24, 0.29]), "is blurred from the first step, as 20 hidden units"),
            (
                small(1.1, [0.24, 0.29]),
                "24 % of its pixels are grey after 1 step and 29 % after 10,000 (500 units: 8 %)",
            ),
            (small(1.1, [0.24, 0.29]), "grow alike, as its chains gather in few classes (entropy 2.30 nats"),
            (small(2.2, [0.08, 0.29]), "The report's machine blurs as it walks: 8 %"),
            (small(2.2, [0.08, 0.09]), "does not blur here: 8 %"),
            (
                small(2.2, [0.08, 0.09]),
                "classes stay as mixed as they were (entropy 2.30 nats at the start, 2.20 at",
            ),
            (
                contrastive(27, -107.0),
                "27 of 100 show a digit after 10,000 steps, half of them lost by step 500; the",
            ),
            (
                contrastive(27, -107.0),
                "; the others are none, yet to this machine more probable than digits, as the mean free energy is 107 nats below",
            ),
            (contrastive(27, -5.0), "; the others are none."),
            (contrastive(27, 50.0), "; the others are none."),
            (
                contrastive(80, -107.0),
                "80 of 100 show a digit after 10,000 steps, of the test images 92: here it does",
            ),
            (
                persistent(100),
                "there: 100 of 100 chains show a digit after 10,000 steps, of the test images 92; they mix slowly",
            ),
            (persistent(40), "there: only 40 of 100 chains"),
            (
                of_persistent(&mixed),
                "they mix, too: 9 have the class that they started with (entropy 2.30 nats",
            ),
        ] {
            assert!(text.contains(words), "{words}: {text}");
            assert_eq!(
                text.matches(". ").count() + usize::from(text.ends_with('.')),
                1,
                "one sentence: {text}"
            );
        }
    }

    #[test]
    fn a_number_that_rounds_to_zero_has_no_sign() {
        assert_eq!([signed(-0.3), signed(-107.2), signed(12.0)], ["0", "\u{2212}107", "12"]);
    }
}
