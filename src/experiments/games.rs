//! Charts of games over their steps.

use crate::adversarial::Reading;
use crate::report::{LinePlot, Series};
use crate::run::gan::ObjectiveName;

/// A game to draw.
pub(crate) struct PlayedGame<'a> {
    /// The name in titles and legends.
    pub name: &'a str,
    pub kind: ObjectiveName,
    pub readings: &'a [Reading],
}

/// A plot, the name of its file, and its caption.
pub(crate) struct Chart {
    pub file: String,
    pub plot: LinePlot,
    pub caption: &'static str,
}

impl Chart {
    /// Returns whether the games have readings of the quantity; reference lines do not count.
    pub fn has_readings(&self) -> bool {
        self.plot.series.iter().any(|series| !series.dashed)
    }
}

// Colours, the same in all charts: one for each game, player and kind of image. Generated images have the generator's.
const GENERATOR: usize = 3;
const DISCRIMINATOR: usize = 4;
const REAL_IMAGES: usize = 5;

fn colour_of(kind: ObjectiveName) -> usize {
    match kind {
        ObjectiveName::Standard => 0,
        ObjectiveName::Clipping => 1,
        ObjectiveName::Penalty => 2,
        ObjectiveName::Relativistic => 6,
    }
}

/// All charts: the losses of each game, then the quantities that games have in common.
pub(crate) fn charts(games: &[PlayedGame<'_>]) -> Vec<Chart> {
    let mut charts: Vec<Chart> = games.iter().map(|game| losses(game, games.len() > 1)).collect();
    charts.extend([
        discriminator(
            games,
            (
                "accuracy",
                &of_discriminator("Accuracy", games),
                "share of images classified correctly",
            ),
            [|reading| reading.real_accuracy, |reading| reading.fake_accuracy],
            "One mini-batch per reading. A critic has no accuracy, because its scores have no threshold.",
        ),
        discriminator(
            games,
            (
                "scores",
                &of_discriminator("Probability of being real", games),
                "mean probability",
            ),
            [|reading| Some(reading.real_score), |reading| Some(reading.fake_score)],
            "The discriminator separates real from generated images by the distance between the curves.",
        ),
        estimates(games),
        constraints(games),
        gradients(games, "generator-gradient", "Gradient norms of the generators", |reading| {
            reading.generator_gradient
        }),
        gradients(
            games,
            "discriminator-gradient",
            "Gradient norms of the discriminators and critics",
            |reading| reading.discriminator_gradient,
        ),
        shares_of_data(
            games,
            "classes",
            "Entropy of the classes of the samples",
            "The classes of 500 samples of the same latents, by a classifier. Below 0.65 the samples have collapsed.",
            |reading| reading.class_entropy,
        ),
        shares_of_data(
            games,
            "spread",
            "Standard deviation of a pixel over the samples",
            "500 samples of the same latents. Below 0.3 the samples have collapsed.",
            |reading| reading.spread,
        ),
        duality_gaps(games),
    ]);
    for Chart { plot, .. } in &mut charts {
        plot.series.retain(|series| !series.points.is_empty());
    }
    charts
}

fn chart(
    file: &str,
    title: impl Into<String>,
    y_label: &str,
    series: Vec<Series>,
    caption: &'static str,
) -> Chart {
    let plot = LinePlot {
        title: title.into(),
        x_label: "steps of the generator".into(),
        y_label: y_label.into(),
        series,
        ..LinePlot::default()
    };
    Chart { file: format!("{file}.svg"), plot, caption }
}

fn curve(name: impl Into<String>, game: &PlayedGame<'_>, value: impl Fn(&Reading) -> Option<f64>) -> Series {
    let points = game.readings.iter();
    Series::new(name, points.filter_map(|reading| Some((reading.step as f64, value(reading)?))))
}

/// A curve for each game, in its colour.
fn curves(games: &[PlayedGame<'_>], value: impl Fn(&Reading) -> Option<f64>) -> Vec<Series> {
    games.iter().map(|game| curve(game.name, game, &value).colour(colour_of(game.kind))).collect()
}

/// A curve for each game, divided by the value that is farthest from 0.
fn scaled_curves(games: &[PlayedGame<'_>], value: impl Fn(&Reading) -> Option<f64>) -> Vec<Series> {
    let mut curves = curves(games, value);
    for Series { points, .. } in &mut curves {
        let sizes = points.iter().map(|point| point.1.abs()).filter(|size| size.is_finite());
        let largest = sizes.fold(0.0, f64::max);
        // If all values are 0, they stay 0.
        let unit = if largest > 0.0 { largest } else { 1.0 };
        points.iter_mut().for_each(|point| point.1 /= unit);
    }
    curves
}

/// A dashed line at a height, over the steps of a game.
fn level(name: &str, game: &PlayedGame<'_>, height: f64) -> Series {
    let ends = [game.readings.first(), game.readings.last()].into_iter().flatten();
    Series::new(name, ends.map(|reading| (reading.step as f64, height))).dashed()
}

fn losses(game: &PlayedGame<'_>, is_one_of_many: bool) -> Chart {
    let has_critic = game.kind.objective().has_critic();
    let (adversary, unit) =
        if has_critic { ("critic", "loss (score)") } else { ("discriminator", "loss (nats)") };
    let mut series = vec![
        curve("generator", game, |reading| Some(reading.generator_loss)).colour(GENERATOR),
        curve(adversary, game, |reading| Some(reading.discriminator_loss)).colour(DISCRIMINATOR),
    ];
    if !has_critic {
        let bit = std::f64::consts::LN_2;
        let of_discriminator = if game.kind == ObjectiveName::Relativistic { bit } else { 2.0 * bit };
        series.push(level("generator at the equilibrium", game, bit).colour(GENERATOR));
        series.push(level("discriminator at the equilibrium", game, of_discriminator).colour(DISCRIMINATOR));
    }
    let file = if is_one_of_many { format!("{}-losses", game.kind) } else { "losses".into() };
    let caption = match game.kind {
        ObjectiveName::Standard => {
            "Each loss is measured against an opponent that changes. Neither tells the quality of the samples."
        }
        ObjectiveName::Clipping => {
            "The critic's loss is minus its estimate of the Wasserstein distance. The zero of the generator's has no meaning."
        }
        ObjectiveName::Penalty => {
            "The critic's loss includes the penalty. The zero of the generator's loss has no meaning."
        }
        ObjectiveName::Relativistic => {
            "Each loss compares real with generated images in pairs; at the equilibrium both are ln 2."
        }
    };
    chart(&file, format!("Losses: {}", game.name), unit, series, caption)
}

/// The title of a plot that only a game with a discriminator has.
fn of_discriminator(quantity: &str, games: &[PlayedGame<'_>]) -> String {
    match games {
        [game] => format!("{quantity}: {}", game.name),
        _ => format!("{quantity}: the standard GAN"),
    }
}

/// A quantity of the discriminators of games without a critic, on real and on generated images.
fn discriminator(
    games: &[PlayedGame<'_>],
    (file, title, y_label): (&str, &str, &str),
    [real, generated]: [fn(&Reading) -> Option<f64>; 2],
    caption: &'static str,
) -> Chart {
    let games = games.iter().filter(|game| !game.kind.objective().has_critic());
    let series = games.flat_map(|game| {
        [
            curve("real images", game, real).colour(REAL_IMAGES),
            curve("generated images", game, generated).colour(GENERATOR),
            level("at the equilibrium", game, 0.5),
        ]
    });
    chart(file, title, y_label, series.collect(), caption)
}

fn estimates(games: &[PlayedGame<'_>]) -> Chart {
    chart(
        "critic",
        "Wasserstein distance estimated by the critics",
        "share of the largest magnitude",
        scaled_curves(games, |reading| reading.wasserstein),
        "Mean score of real images minus that of generated ones, up to the critic's Lipschitz constant. Below 0 the critic \
         prefers generated images.",
    )
}

fn constraints(games: &[PlayedGame<'_>]) -> Chart {
    let series = games.iter().flat_map(|game| {
        let of_game = |quantity, value: fn(&Reading) -> Option<f64>| {
            curve(format!("{quantity}, {}", game.kind), game, value).colour(colour_of(game.kind))
        };
        // The zero-centred penalties of the other games have no target.
        let target = (game.kind == ObjectiveName::Penalty).then(|| level("target of the slope", game, 1.0));
        let clipped = of_game("parameters at the bound", |reading| reading.clipped);
        [Some(clipped), Some(of_game("slope", |reading| reading.slope)), target].into_iter().flatten()
    });
    chart(
        "bounds",
        "Lipschitz constraints of the discriminators and critics",
        "share of parameters, or slope (score per unit of distance)",
        series.collect(),
        "Share of a clipped critic's parameters at the bound, and mean slope of a penalised critic or discriminator.",
    )
}

fn gradients(games: &[PlayedGame<'_>], file: &str, title: &str, norm: fn(&Reading) -> f64) -> Chart {
    let mut chart = chart(
        file,
        title,
        "Euclidean norm over all parameters",
        curves(games, |reading| Some(norm(reading)).filter(|norm| *norm > 0.0)),
        "More than 100 times the median is an explosion. Adam and RMSProp take equal steps for any norm.",
    );
    chart.plot.log_y = true;
    chart
}

/// A quantity of samples as a share of that of the data.
fn shares_of_data(
    games: &[PlayedGame<'_>],
    file: &str,
    title: &str,
    caption: &'static str,
    share: fn(&Reading) -> Option<f64>,
) -> Chart {
    let mut series = curves(games, share);
    series.extend(games.first().map(|game| level("data", game, 1.0)));
    chart(file, title, "share of the data's", series, caption)
}

fn duality_gaps(games: &[PlayedGame<'_>]) -> Chart {
    chart(
        "duality-gap",
        "Duality gap",
        "share of the largest magnitude",
        scaled_curves(games, |reading| reading.duality_gap),
        "The gain of either player after some steps while the other one waits. It is 0 at an equilibrium.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(games: &[PlayedGame<'_>]) -> Vec<String> {
        let charts = charts(games).into_iter().filter(Chart::has_readings).collect::<Vec<_>>();
        assert!(charts.iter().all(|chart| chart.plot.to_svg().is_ok()));
        charts.into_iter().map(|chart| chart.file.replace(".svg", "")).collect()
    }

    #[test]
    fn a_game_has_charts_of_the_quantities_that_it_has_readings_of() {
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
        let standard = || PlayedGame { name: "a", kind: ObjectiveName::Standard, readings: &readings };
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
        let penalty = PlayedGame { name: "b", kind: ObjectiveName::Penalty, readings: &[critic] };
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
    fn a_relativistic_game_has_the_charts_of_a_discriminator() {
        let reading =
            |step| Reading { step, real_accuracy: Some(0.6), fake_accuracy: Some(0.6), ..Reading::default() };
        let readings = [reading(1), reading(2)];
        let games = [PlayedGame { name: "r", kind: ObjectiveName::Relativistic, readings: &readings }];
        assert_eq!(files(&games), ["losses", "accuracy", "scores"]);
        let losses = &charts(&games)[0].plot;
        assert_eq!(losses.series[1].name, "discriminator");
        assert_eq!(losses.y_label, "loss (nats)");
        let levels = [2, 3].map(|i: usize| losses.series[i].points[0].1);
        assert_eq!(levels, [std::f64::consts::LN_2; 2]);
    }

    #[test]
    fn only_the_penalised_critics_slope_has_a_target() {
        let reading = Reading { slope: Some(0.5), ..Reading::default() };
        for kind in [
            ObjectiveName::Standard,
            ObjectiveName::Clipping,
            ObjectiveName::Penalty,
            ObjectiveName::Relativistic,
        ] {
            let game = PlayedGame { name: "s", kind, readings: std::slice::from_ref(&reading) };
            let charts = charts(&[game]);
            let bounds = charts.iter().find(|chart| chart.file == "bounds.svg").unwrap();
            let dashed: Vec<bool> = bounds.plot.series.iter().map(|series| series.dashed).collect();
            let expected: &[bool] = if kind == ObjectiveName::Penalty { &[false, true] } else { &[false] };
            assert_eq!(dashed, expected, "{kind}");
        }
    }

    #[test]
    fn estimates_that_are_never_positive_have_a_chart() {
        for estimates in
            [[-3.0, -1.5], [0.0, 0.0], [-1.0, f64::NAN], [f64::NAN; 2], [f64::NEG_INFINITY, -2.0]]
        {
            let reading =
                |(step, wasserstein)| Reading { step, wasserstein: Some(wasserstein), ..Reading::default() };
            let readings: Vec<Reading> = (1..).zip(estimates).map(reading).collect();
            let game = PlayedGame { name: "c", kind: ObjectiveName::Clipping, readings: &readings };
            let charts = charts(&[game]);
            let critic = charts.iter().find(|chart| chart.file == "critic.svg").unwrap();
            let shares: Vec<f64> = critic.plot.series[0].points.iter().map(|point| point.1).collect();
            assert!(
                shares.iter().all(|share| !share.is_finite() || (-1.0..=0.0).contains(share)),
                "{shares:?}"
            );
            assert!(critic.plot.to_svg().is_ok(), "{estimates:?}");
        }
    }

    #[test]
    fn a_game_has_one_colour_in_all_charts_that_compare_games() {
        let reading = Reading {
            spread: Some(0.5),
            class_entropy: Some(0.9),
            wasserstein: Some(1.0),
            duality_gap: Some(0.1),
            generator_gradient: 1.0,
            discriminator_gradient: 1.0,
            slope: Some(1.0),
            clipped: Some(0.1),
            ..Reading::default()
        };
        let game = |(kind, name)| PlayedGame { name, kind, readings: std::slice::from_ref(&reading) };
        let games = [
            (ObjectiveName::Penalty, "penalty"),
            (ObjectiveName::Clipping, "clipping"),
            (ObjectiveName::Standard, "standard"),
        ]
        .map(game);
        let colours: Vec<(String, Option<usize>)> = charts(&games)
            .into_iter()
            .flat_map(|chart| chart.plot.series)
            .filter(|series| !series.dashed)
            .map(|series| (series.name, series.colour))
            .collect();
        for (name, colour) in [("standard", 0), ("clipping", 1), ("penalty", 2)] {
            let found = colours.iter().filter(|(series, _)| series.ends_with(name));
            assert!(
                found.clone().count() >= 6 && found.clone().all(|(_, found)| *found == Some(colour)),
                "{colours:?}"
            );
        }
        assert!(colours.iter().all(|(_, colour)| colour.is_some()), "no colour by place: {colours:?}");
    }
}
