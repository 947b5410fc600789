//! Figure 2: Gibbs samples from test images after 1 to 10,000 steps, of three machines, and why they blur.

use super::workbench::{ByBudget, LARGE, ReportFigure, SMALL, Workbench, table};
use crate::Result;
use crate::boltzmann::learning::NegativePhase::{Contrastive, Persistent};
use crate::data::{Binarisation, balanced};
use crate::evaluate::autocorrelation::Time;
use crate::evaluate::mixing::{Blur, Measurements, Mixing};
use crate::experiments::mixing::{Machine, Walk, plots, sheet, time};
use crate::report::numbers::thousands;
use crate::report::{Answer, Outcome, Section, Table};
use serde_json::{Value, json};

pub(super) const FIGURE: ReportFigure = ReportFigure {
    name: "figure2",
    about: "Gibbs samples after 1 to 10,000 steps, of machines trained in two ways",
    files: &[
        "figure2.png",
        "figure2-hidden-20.png",
        "figure2-overlap.svg",
        "figure2-free-energy.svg",
        "figure2-digits.svg",
        "figure2-classes.svg",
    ],
    seconds: ByBudget { quick: 30, full: 55 },
    needs_digits: true,
    check: |_| Ok(()),
    make,
};

const STEPS: usize = 10_000;
const CHAINS: ByBudget = ByBudget { quick: 50, full: 100 };

fn make(bench: &mut Workbench<'_>) -> Result<(Section, Value)> {
    let models = [
        (format!("{SMALL} hidden units, PCD-1"), bench.small()?.0),
        (format!("{LARGE} hidden units, CD-1"), bench.large(Contrastive)?),
        (format!("{LARGE} hidden units, PCD-1"), bench.large(Persistent)?),
    ];
    let (digits, seed, steps) = (bench.digits, bench.seed, thousands(STEPS));
    let labels = digits.test.labels();
    let indices = balanced(labels, CHAINS.at(bench.budget));
    let walk = Walk { digits, indices: &indices, steps: STEPS, seed };
    bench.progress.start((STEPS * models.len()) as u64, "steps");
    let mut machines = Vec::new();
    for (name, model) in &models {
        let states = (Binarisation::Threshold, seed);
        machines.push(walk.machine(name.clone(), model, states, |steps| bench.advance(steps))?);
    }
    let chains = thousands(indices.len());
    bench.progress.finish(&format!("sampled {chains} chains of {} machines for {steps} steps", models.len()));

    let [small, contrastive, persistent] = [0, 1, 2].map(|i: usize| &machines[i].walked);
    let answer = answer(small, contrastive, persistent);
    let name = |&i: &usize| match digits.test.has_labels() {
        true => format!("a {}", labels[i]),
        false => format!("test {i}"),
    };
    let names: Vec<String> = indices.iter().map(name).collect();
    let size = (digits.test.images().height(), digits.test.images().width());
    let sheet = |machines: &[Machine]| sheet("Number of Gibbs steps", machines, size, &names);
    let large = bench.contact_sheet(
        "figure2.png",
        sheet(&machines[1..])?,
        "Ten test images, and the samples of two machines that start there, after 1, 10, 100, 1,000 and 10,000 Gibbs steps.",
        "Two machines that differ only in the training: CD-1 takes its negative samples one Gibbs step from the data, PCD-1 \
         from chains that run through the whole training. Each picture shows the probabilities from which the state is \
         sampled.",
    )?;
    let small = bench.contact_sheet(
        "figure2-hidden-20.png",
        sheet(&machines[..1])?,
        "Ten test images, and the samples of the report's machine that start there.",
        "The report's machine, trained by PCD-1 as in scikit-learn.",
    )?;
    let captions = [
        "Agreement with the pixels of the chain's own start: 1 is full agreement, 0 is the agreement with another start.",
        "Mean free energy minus that of the test images. A lower free energy is a higher probability.",
        "A chain shows a digit if it is as near to a training image as 95 % of the test images are.",
        "Entropy of the classes of the chains. The class is that of the nearest training image.",
    ];
    let mut charts = Vec::new();
    for ((plot, name), caption) in plots(&machines).iter().zip(captions) {
        charts.push(bench.chart(&format!("figure2-{name}"), plot.to_svg()?, caption));
    }
    let section = Section::new("Figure 2: Gibbs samples, and why they blur")
        .paragraph(
            "Each chain starts at a test image. One Gibbs step samples the hidden units given the image, then the image \
             given the hidden units. In the report the pictures become less clear and more alike with the number of steps; \
             it does not know why.",
        )
        .answers(
            [
                "With more Gibbs steps the samples become less clear. Why?",
                "With more Gibbs steps the samples become more alike. Why?",
                "Does the training matter for long chains? (Left open.)",
            ],
            &answer,
        )
        .figures([large])
        .figures([small])
        .figures(charts)
        .table(measures(&machines))
        .paragraph(
            "A negative free energy above the test images means that the machine finds its own samples more probable than \
             the test images, whether they are digits or not. The autocorrelation time is the number of steps after which two \
             states of a chain are as good as independent.",
        );
    Ok((section, json!({ "steps": STEPS, "machines": machines, "answer": answer })))
}

/// The chains at the end, beside the test images where they start.
fn measures(machines: &[Machine]) -> Table {
    fn percent(count: usize, mixing: &Mixing) -> String {
        format!("{:.0}", 100.0 * count as f64 / mixing.chains as f64)
    }
    /// An autocorrelation time; the test images have none.
    fn at_end((mixing, measured): &(&Mixing, &Measurements), of: fn(&Mixing) -> Option<Time>) -> String {
        if measured.steps > 0 { time(of(mixing)) } else { "-".into() }
    }
    let start = &machines[0].walked;
    let test_images = ("test images", (start, &start.measurements[0]));
    let ends = machines.iter().map(|machine| (&*machine.name, (&machine.walked, machine.walked.last())));
    let columns: Vec<(&str, (&Mixing, &Measurements))> = [test_images].into_iter().chain(ends).collect();
    let caption = format!(
        "{} chains after {} steps, and the test images where they start",
        start.chains,
        thousands(STEPS)
    );
    table(
        caption,
        &columns,
        &[
            ("overlap with the start", &|(_, measured)| format!("{:.2}", measured.overlap)),
            ("free energy above test images, nats", &|(mixing, measured)| {
                signed(mixing.above_start(measured))
            }),
            ("chains that show a digit, %", &|(mixing, measured)| percent(measured.digits, mixing)),
            ("chains with the class of their start, %", &|(mixing, measured)| {
                percent(measured.same_class, mixing)
            }),
            ("entropy of the classes, nats", &|(_, measured)| format!("{:.2}", measured.class_entropy)),
            ("grey pixels, %", &|(_, measured)| {
                grey(Some(measured)).map_or("-".into(), |grey| format!("{grey:.0}"))
            }),
            ("autocorrelation time of the free energy, steps", &|end| {
                at_end(end, |mixing| mixing.free_energy_time)
            }),
            ("autocorrelation time of the image, steps", &|end| at_end(end, |mixing| mixing.image_time)),
        ],
    )
}

/// A whole number with a typographic minus.
fn signed(number: f64) -> String {
    format!("{number:.0}").replace("-0", "0").replace('-', "\u{2212}")
}

/// Grey pixels in percent.
fn grey(measured: Option<&Measurements>) -> Option<f64> {
    Some(100.0 * measured?.grey_pixels?)
}

fn answer(small: &Mixing, contrastive: &Mixing, persistent: &Mixing) -> [Answer; 3] {
    let shares = [small.after(1), Some(small.last()), Some(persistent.last())];
    let [first, last, sharp] = shares.map(|measured| grey(measured).unwrap_or(f64::NAN));
    let (start, end, steps) = (&small.measurements[0], small.last(), thousands(STEPS));
    let keeps_digits = [contrastive, persistent].map(Mixing::keeps_digits);
    let [blur, alike, training] = findings(small.blur(persistent), small.loses_classes(), keeps_digits);
    let is_blurred = small.blur(persistent) != Blur::None;
    let [contrastive, persistent] = [contrastive, persistent].map(|mixing| mixing.last().digits);
    let does = |holds| if holds { Outcome::Answered } else { Outcome::NotConfirmed };
    [
        Answer::new(
            does(is_blurred),
            format!(
                "{blur}: {first:.0} % of its pixels are grey after 1 step and {last:.0} % after {steps}, against {sharp:.0} % with \
             {LARGE} hidden units."
            ),
        ),
        Answer::new(
            does(small.loses_classes()),
            format!(
                "{alike}: the entropy of the classes is {:.2} nats at the start and {:.2} at the end.",
                start.class_entropy, end.class_entropy
            ),
        ),
        Answer::new(
            Outcome::Answered,
            format!(
                "{training}: of {} chains, {contrastive} of CD-1 and {persistent} of PCD-1 show a digit at the end, and {} at the \
             start.",
                small.chains, start.digits
            ),
        ),
    ]
}

/// Why do the samples of the report's machine blur, why do they grow alike, and does the training matter? `keeps_digits` is
/// that of CD-1 and of PCD-1.
fn findings(blur: Blur, loses_classes: bool, keeps_digits: [bool; 2]) -> [&'static str; 3] {
    [
        match blur {
            Blur::FromTheFirstStep => {
                "The report's machine is blurred from the first step, because few hidden units describe an image only roughly"
            }
            Blur::Growing => "The report's machine blurs with the number of steps",
            Blur::None => "The report's machine does not blur here",
        },
        match loses_classes {
            true => "Its samples become more alike, because its chains gather in a few classes",
            false => "Its samples do not become more alike here",
        },
        match keeps_digits {
            [false, true] => {
                "Long chains show digits only after PCD-1, which trains on long chains and corrects their states"
            }
            [true, true] => "Long chains show digits here after CD-1 and after PCD-1",
            [true, false] => "Long chains show digits here after CD-1 but not after PCD-1",
            [false, false] => "Long chains show digits here neither after CD-1 nor after PCD-1",
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_sentence() {
        for (blur, loses_classes, keeps_digits, words) in [
            (
                Blur::FromTheFirstStep,
                true,
                [false, true],
                ["from the first step", "become more alike", "only after PCD-1"],
            ),
            (
                Blur::Growing,
                false,
                [true, true],
                ["with the number", "do not become", "after CD-1 and after PCD-1"],
            ),
            (Blur::None, false, [true, false], ["does not blur", "do not become", "but not after PCD-1"]),
            (
                Blur::None,
                true,
                [false, false],
                ["does not blur", "become more alike", "neither after CD-1 nor"],
            ),
        ] {
            let found = findings(blur, loses_classes, keeps_digits);
            assert!(found.iter().zip(words).all(|(finding, words)| finding.contains(words)), "{found:?}");
        }
    }

    #[test]
    fn a_number_that_rounds_to_zero_has_no_sign() {
        assert_eq!([signed(-0.3), signed(-107.2), signed(12.0)], ["0", "\u{2212}107", "12"]);
    }
}
