//! Figure 2: test images and their Gibbs samples after 1 to 10,000 steps.

use super::{Outcome, Workbench};
use crate::Result;
use crate::cli::rbm::sample::{Walk, side};
use crate::cli::rbm::test_images;
use crate::report::{Figure, Section, Table};
use crate::rng::Stream;
use serde_json::json;

const STEPS: [usize; 5] = [1, 10, 100, 1000, 10_000];

pub(super) fn make(bench: &mut Workbench<'_>) -> Result<Outcome> {
    let (model, _) = bench.large()?;
    let indices = one_of_each(bench.digits.test.labels());
    let binarise = crate::data::Binarisation::Threshold;
    let images = test_images(bench.digits, &indices, binarise, bench.seed)?;
    bench.progress.start(STEPS[STEPS.len() - 1] as u64, "steps");
    let stream = Stream::named(bench.seed, "evaluate");
    let walk = Walk::new(&model, &images, &STEPS, stream, |steps| bench.advance(steps))?;
    bench.say(&format!(
        "sampled {} chains for {} steps",
        indices.len(),
        crate::cli::thousands(STEPS[STEPS.len() - 1])
    ));
    let labels: Vec<String> =
        indices.iter().map(|&i| format!("a {}", bench.digits.test.labels()[i])).collect();
    let title = format!("After so many Gibbs steps, {} hidden units", model.hidden());
    let png = walk.sheet(&title, side(&model)?, &STEPS, &labels)?.to_png()?;
    bench.write("figure2.png", &png)?;

    let agreement = walk.agreement_with_start();
    let strangers = agreement_of_strangers(&images, model.visible());
    let mut table = Table::new("Pixels that still are what they were at the start, mean over the ten images")
        .number_column("Gibbs steps", "")
        .number_column("same pixels", "%");
    for (steps, share) in STEPS.iter().zip(&agreement) {
        table = table.row([crate::cli::thousands(*steps), format!("{:.1}", 100.0 * share)]);
    }
    table = table.row(["two different digits".to_string(), format!("{:.1}", 100.0 * strangers)]);
    let section = Section::new("Figure 2: Gibbs samples")
        .paragraph(
            "Each row starts at a test image and alternates between sampling the hidden units given the image \
             and the image given the hidden units. Shown is the probability from which the last image was drawn.",
        )
        .figure(Figure::png(
            png,
            "A grid of digits: ten test images and what the Gibbs chain has made of them after 1, 10, 100, 1,000 \
             and 10,000 steps.",
            "Start, then the state after 1, 10, 100, 1,000 and 10,000 Gibbs steps.",
        ))
        .table(table)
        .paragraph(
            "One step is a reconstruction; later ones are draws that know less and less of where they started. \
             Once a chain agrees with its start no more than two different digits agree with each other, it has \
             forgotten it, and what is seen is the machine's own idea of a digit.",
        );
    let summary = json!({
        "steps": STEPS,
        "agreement_with_start": agreement,
        "agreement_of_different_digits": strangers,
    });
    Ok(Outcome { section, summary })
}

/// The first test image of each digit.
fn one_of_each(labels: &[u8]) -> Vec<usize> {
    (0..10).filter_map(|digit| labels.iter().position(|&label| label == digit)).collect()
}

/// Mean share of equal pixels over pairs of different images.
fn agreement_of_strangers(images: &[f32], size: usize) -> f64 {
    let images: Vec<&[f32]> = images.chunks_exact(size).collect();
    let mut shares = Vec::new();
    for (i, a) in images.iter().enumerate() {
        for b in &images[i + 1..] {
            shares.push(a.iter().zip(*b).filter(|(a, b)| a == b).count() as f64 / size as f64);
        }
    }
    shares.iter().sum::<f64>() / shares.len().max(1) as f64
}
