//! The curves of games: what the report could not plot.

use crate::adversarial::Reading;
use crate::report::{LinePlot, Series};
use crate::run::gan::Kind;

/// A game over its steps.
pub(in crate::cli) struct Course<'a> {
    /// What legends call it.
    pub name: &'a str,
    pub kind: Kind,
    pub readings: &'a [Reading],
}

/// A plot, the name of its file, and what it shows.
pub(in crate::cli) struct Drawn {
    pub file: String,
    pub plot: LinePlot,
    pub caption: &'static str,
}

/// All that the games have readings of: the losses of each, and of all together what they have in common.
pub(in crate::cli) fn all(courses: &[Course<'_>]) -> Vec<Drawn> {
    let mut drawn: Vec<Drawn> = courses.iter().map(|course| losses(course, courses.len() > 1)).collect();
    let common = [
        accuracies(courses),
        scores(courses),
        estimates(courses),
        bounds(courses),
        gradients(courses, true),
        gradients(courses, false),
        classes(courses),
        spreads(courses),
        gaps(courses),
    ];
    drawn.extend(common);
    // What no game has is not drawn; a level alone says nothing.
    drawn.retain(|drawn| drawn.plot.series.iter().any(|series| !series.dashed && !series.points.is_empty()));
    for Drawn { plot, .. } in &mut drawn {
        plot.series.retain(|series| !series.points.is_empty());
    }
    drawn
}

fn draw(
    file: &str,
    title: impl Into<String>,
    y_label: &str,
    series: Vec<Series>,
    caption: &'static str,
) -> Drawn {
    let plot = LinePlot {
        title: title.into(),
        x_label: "steps of the generator".into(),
        y_label: y_label.into(),
        series,
        ..LinePlot::default()
    };
    Drawn { file: format!("{file}.svg"), plot, caption }
}

fn curve(name: impl Into<String>, course: &Course<'_>, value: impl Fn(&Reading) -> Option<f64>) -> Series {
    let points = course.readings.iter();
    Series::new(name, points.filter_map(|reading| Some((reading.step as f64, value(reading)?))))
}

/// A curve a game, as a share of its value that is farthest from 0.
fn shares(courses: &[Course<'_>], value: impl Fn(&Reading) -> Option<f64>) -> Vec<Series> {
    let share = |course: &Course<'_>| {
        let sizes = course.readings.iter().filter_map(&value).map(f64::abs);
        let largest = sizes.filter(|size| size.is_finite()).fold(0.0, f64::max);
        // Where all are 0, so are their shares.
        let unit = if largest > 0.0 { largest } else { 1.0 };
        curve(course.name, course, |reading| Some(value(reading)? / unit))
    };
    courses.iter().map(share).collect()
}

/// A dashed line at a height, over the steps of the games.
fn level(name: &str, course: &Course<'_>, height: f64) -> Series {
    let ends = [course.readings.first(), course.readings.last()].into_iter().flatten();
    Series::new(name, ends.map(|reading| (reading.step as f64, height))).dashed()
}

fn of_kind<'a, 'b>(courses: &'a [Course<'b>], kind: Kind) -> impl Iterator<Item = &'a Course<'b>> {
    courses.iter().filter(move |course| course.kind == kind)
}

fn losses(course: &Course<'_>, is_one_of_many: bool) -> Drawn {
    let is_standard = course.kind == Kind::Standard;
    let adversary = if is_standard { "discriminator" } else { "critic" };
    let mut series = vec![
        curve("generator", course, |reading| Some(reading.generator_loss)),
        curve(adversary, course, |reading| Some(reading.discriminator_loss)),
    ];
    if is_standard {
        let bit = std::f64::consts::LN_2;
        series.push(level("generator at the equilibrium", course, bit));
        series.push(level("discriminator there", course, 2.0 * bit));
    }
    let file = if is_one_of_many { format!("{}-losses", course.kind) } else { "losses".into() };
    let unit = if is_standard { "loss (nats)" } else { "loss (score)" };
    let caption = match course.kind {
        Kind::Standard => {
            "Each loss is measured against an opponent that moves: neither says how good samples are."
        }
        Kind::Clipping => {
            "The critic's loss is minus its estimate of the Wasserstein distance; the generator's has no zero of its own."
        }
        Kind::Penalty => "The critic's loss includes the penalty; the generator's has no zero of its own.",
    };
    draw(&file, format!("Losses: {}", course.name), unit, series, caption)
}

fn accuracies(courses: &[Course<'_>]) -> Drawn {
    let series = of_kind(courses, Kind::Standard).flat_map(|course| {
        [
            curve("real images", course, |reading| reading.real_accuracy),
            curve("generated images", course, |reading| reading.fake_accuracy),
            level("at the equilibrium", course, 0.5),
        ]
    });
    draw(
        "accuracy",
        "The standard GAN's discriminator",
        "share that it is right about",
        series.collect(),
        "Of each mini-batch. A critic gives scores without a threshold and has no accuracy.",
    )
}

fn scores(courses: &[Course<'_>]) -> Drawn {
    let series = of_kind(courses, Kind::Standard).flat_map(|course| {
        [
            curve("D(x), real images", course, |reading| Some(reading.real_score)),
            curve("D(G(z)), generated images", course, |reading| Some(reading.fake_score)),
            level("at the equilibrium", course, 0.5),
        ]
    });
    draw(
        "scores",
        "How probably real the discriminator finds images",
        "mean probability",
        series.collect(),
        "Where both curves move together the discriminator only shifts its threshold; their distance is what it knows.",
    )
}

fn estimates(courses: &[Course<'_>]) -> Drawn {
    draw(
        "critic",
        "The critics' estimates of the distance to the data",
        "share of the run's largest (without sign)",
        shares(courses, |reading| reading.wasserstein),
        "Mean score of real images less that of generated ones, up to the critic's steepness, which differs. Below 0 the \
         critic takes generated images for real ones.",
    )
}

fn bounds(courses: &[Course<'_>]) -> Drawn {
    let clipped = of_kind(courses, Kind::Clipping)
        .map(|course| curve("parameters at the bound, clipping (share)", course, |reading| reading.clipped));
    let slopes = of_kind(courses, Kind::Penalty).flat_map(|course| {
        [
            curve("slope, penalty", course, |reading| reading.slope),
            level("where the penalty pulls the slope", course, 1.0),
        ]
    });
    draw(
        "bounds",
        "What holds the critics",
        "share, or score per unit of distance",
        clipped.chain(slopes).collect(),
        "How many of a clipped critic's parameters stand at the bound, and how steep a penalised one is.",
    )
}

fn gradients(courses: &[Course<'_>], of_generators: bool) -> Drawn {
    let norm = |reading: &Reading| match of_generators {
        true => reading.generator_gradient,
        false => reading.discriminator_gradient,
    };
    let series = courses
        .iter()
        .map(|course| curve(course.name, course, |reading| Some(norm(reading)).filter(|norm| *norm > 0.0)));
    let (file, who) = match of_generators {
        true => ("generator-gradient", "generators"),
        false => ("discriminator-gradient", "discriminators and critics"),
    };
    let mut drawn = draw(
        file,
        format!("How hard the {who} are pushed"),
        "Euclidean norm of the gradient by all parameters",
        series.collect(),
        "An explosion is a hundred times the usual; Adam and RMSProp step as far whatever the norm.",
    );
    drawn.plot.log_y = true;
    drawn
}

fn classes(courses: &[Course<'_>]) -> Drawn {
    let mut series: Vec<Series> =
        courses.iter().map(|course| curve(course.name, course, |reading| reading.class_entropy)).collect();
    series.extend(courses.first().map(|course| level("the data", course, 1.0)));
    draw(
        "classes",
        "How many digits the samples show",
        "entropy of the classes, share of the data's",
        series,
        "Classes by the classifier, of 500 samples of the same latents; below 0.65 the samples have collapsed.",
    )
}

fn spreads(courses: &[Course<'_>]) -> Drawn {
    let mut series: Vec<Series> =
        courses.iter().map(|course| curve(course.name, course, |reading| reading.spread)).collect();
    series.extend(courses.first().map(|course| level("the data", course, 1.0)));
    draw(
        "spread",
        "How much the samples differ",
        "standard deviation of a pixel, share of the data's",
        series,
        "Of 500 samples of the same latents; below 0.3 the samples have collapsed.",
    )
}

fn gaps(courses: &[Course<'_>]) -> Drawn {
    draw(
        "duality-gap",
        "What either player could still gain",
        "duality gap, share of the run's largest (without sign)",
        shares(courses, |reading| reading.duality_gap),
        "By some steps of one player while the other waits; 0 at an equilibrium. Nats or scores: shares can be compared.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(courses: &[Course<'_>]) -> Vec<String> {
        let drawn = all(courses);
        assert!(drawn.iter().all(|drawn| drawn.plot.to_svg().is_ok()));
        drawn.into_iter().map(|drawn| drawn.file.replace(".svg", "")).collect()
    }

    #[test]
    fn a_game_is_drawn_by_what_it_has_readings_of() {
        let reading = |step| Reading {
            step,
            real_accuracy: Some(0.6),
            fake_accuracy: Some(0.5),
            generator_gradient: 1.0,
            discriminator_gradient: 2.0,
            spread: Some(0.5),
            ..Reading::default()
        };
        let readings = [reading(1), reading(2)];
        let standard = || Course { name: "a", kind: Kind::Standard, readings: &readings };
        let own = ["losses", "accuracy", "scores", "generator-gradient", "discriminator-gradient", "spread"];
        assert_eq!(files(&[standard()]), own);
        let critic = Reading {
            wasserstein: Some(1.0),
            slope: Some(1.1),
            class_entropy: Some(0.9),
            duality_gap: Some(0.1),
            real_accuracy: None,
            fake_accuracy: None,
            ..reading(2)
        };
        let penalty = Course { name: "b", kind: Kind::Penalty, readings: &[critic] };
        let both = [
            "standard-losses",
            "penalty-losses",
            "accuracy",
            "scores",
            "critic",
            "bounds",
            "generator-gradient",
            "discriminator-gradient",
            "classes",
            "spread",
            "duality-gap",
        ];
        assert_eq!(files(&[standard(), penalty]), both);
    }

    #[test]
    fn estimates_that_are_never_positive_have_a_chart() {
        for estimates in
            [[-3.0, -1.5], [0.0, 0.0], [-1.0, f64::NAN], [f64::NAN; 2], [f64::NEG_INFINITY, -2.0]]
        {
            let reading =
                |(step, wasserstein)| Reading { step, wasserstein: Some(wasserstein), ..Reading::default() };
            let readings: Vec<Reading> = (1..).zip(estimates).map(reading).collect();
            let course = Course { name: "c", kind: Kind::Clipping, readings: &readings };
            let drawn = all(&[course]);
            let critic = drawn.iter().find(|drawn| drawn.file == "critic.svg").unwrap();
            let shares: Vec<f64> = critic.plot.series[0].points.iter().map(|point| point.1).collect();
            assert!(
                shares.iter().all(|share| !share.is_finite() || (-1.0..=0.0).contains(share)),
                "{shares:?}"
            );
            assert!(critic.plot.to_svg().is_ok(), "{estimates:?}");
        }
    }
}
