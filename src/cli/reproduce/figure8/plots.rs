//! The curves of the three games.

use super::{Played, name};
use crate::evaluate::stability::Reading;
use crate::report::{LinePlot, Series};
use crate::run::gan::Kind;

/// File, plot and caption.
type Drawn = (&'static str, LinePlot, &'static str);

pub(super) fn all(played: &[Played]) -> Vec<Drawn> {
    let mut drawn: Vec<Drawn> = played.iter().map(losses).collect();
    drawn.extend([accuracies(played), estimates(played), bounds(played), classes(played)]);
    drawn
}

fn plot(title: impl Into<String>, y_label: &str, series: Vec<Series>) -> LinePlot {
    LinePlot {
        title: title.into(),
        x_label: "steps of the generator".into(),
        y_label: y_label.into(),
        series,
        ..LinePlot::default()
    }
}

fn curve(name: impl Into<String>, played: &Played, value: impl Fn(&Reading) -> Option<f64>) -> Series {
    let points = played.summary.readings.iter();
    Series::new(name, points.filter_map(|reading| Some((reading.step as f64, value(reading)?))))
}

/// A dashed line at a height, over the steps of the games.
fn level(name: &str, played: &Played, height: f64) -> Series {
    let readings = &played.summary.readings;
    let ends = [readings.first(), readings.last()].into_iter().flatten();
    Series::new(name, ends.map(|reading| (reading.step as f64, height))).dashed()
}

fn losses(played: &Played) -> Drawn {
    let adversary = if played.kind == Kind::Standard { "discriminator" } else { "critic" };
    let mut series = vec![
        curve("generator", played, |reading| Some(reading.generator_loss)),
        curve(adversary, played, |reading| Some(reading.discriminator_loss)),
    ];
    if played.kind == Kind::Standard {
        let bit = std::f64::consts::LN_2;
        series.push(level("generator at the equilibrium", played, bit));
        series.push(level("discriminator there", played, 2.0 * bit));
    }
    let unit = if played.kind == Kind::Standard { "loss (nats)" } else { "loss (score)" };
    let title = format!("Losses: {}", name(played.kind));
    let (file, caption) = match played.kind {
        Kind::Standard => (
            "figure8-standard-losses.svg",
            "Each loss is measured against an opponent that moves: neither says how good samples are.",
        ),
        Kind::Clipping => (
            "figure8-clipping-losses.svg",
            "The critic's loss is minus its estimate of the Wasserstein distance; the generator's has no zero of its own.",
        ),
        Kind::Penalty => ("figure8-penalty-losses.svg", "As before; the critic's loss includes the penalty."),
    };
    (file, plot(title, unit, series), caption)
}

fn accuracies(played: &[Played]) -> Drawn {
    let standard = &played[0];
    let series = vec![
        curve("real images", standard, |reading| reading.real_accuracy),
        curve("generated images", standard, |reading| reading.fake_accuracy),
        level("at the equilibrium", standard, 0.5),
    ];
    let plot = plot("The standard GAN's discriminator", "share that it is right about", series);
    (
        "figure8-accuracy.svg",
        plot,
        "Of each mini-batch. A critic gives scores without a threshold and has no accuracy.",
    )
}

fn estimates(played: &[Played]) -> Drawn {
    let series = played[1..].iter().map(|played| {
        let estimates = || played.summary.readings.iter().filter_map(|reading| reading.wasserstein);
        let largest = estimates().fold(f64::MIN_POSITIVE, f64::max);
        curve(name(played.kind), played, |reading| Some(reading.wasserstein? / largest))
    });
    let plot = plot(
        "The critics' estimates of the distance to the data",
        "share of the run's largest",
        series.collect(),
    );
    (
        "figure8-critic.svg",
        plot,
        "Mean score of real images less that of generated ones, up to the critic's steepness, which differs.",
    )
}

fn bounds(played: &[Played]) -> Drawn {
    let series = vec![
        curve("parameters at the bound, clipping (share)", &played[1], |reading| reading.clipped),
        curve("slope, penalty", &played[2], |reading| reading.slope),
        level("where the penalty pulls the slope", &played[2], 1.0),
    ];
    let plot = plot("What holds the critics", "share, or score per unit of distance", series);
    (
        "figure8-bounds.svg",
        plot,
        "How many of the clipped critic's parameters stand at ±0.01, and how steep the penalised one is.",
    )
}

fn classes(played: &[Played]) -> Drawn {
    let of_samples: fn(&Reading) -> Option<f64> = |reading| reading.class_entropy;
    let has_classes = played[0].summary.readings.iter().any(|reading| reading.class_entropy.is_some());
    let value = if has_classes { of_samples } else { |reading: &Reading| reading.spread };
    let mut series: Vec<Series> =
        played.iter().map(|played| curve(name(played.kind), played, value)).collect();
    series.push(level("the data", &played[0], 1.0));
    let (title, label, caption) = if has_classes {
        (
            "How many digits the samples show",
            "entropy of the classes, share of the data's",
            "Classes by the classifier, of 500 samples of the same latents; below 0.65 the samples have collapsed.",
        )
    } else {
        (
            "How much the samples differ",
            "standard deviation of a pixel, share of the data's",
            "Of 500 samples of the same latents; below 0.3 the samples have collapsed.",
        )
    };
    ("figure8-classes.svg", plot(title, label, series), caption)
}
