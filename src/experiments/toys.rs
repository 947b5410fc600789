//! Pictures of games in the plane: points of each generator, modes over the steps, trajectories of the smallest game.

use crate::Result;
use crate::adversarial::dirac::Known;
use crate::report::numbers::{counted, thousands};
use crate::report::{ContactSheet, LinePlot, Series};
use crate::rng::Stream;
use crate::run::toys::{POINTS, PlayedGame, SNAPSHOTS, Task, Variant};
use crate::tensor::Tensor;

/// Snapshots that are drawn, in tenths of a game.
const SHOWN: [usize; 4] = [1, 3, 6, 10];
/// Side of a picture of points, in pixels.
const SIDE: usize = 132;

/// A row per variant, with the first seed: the data, then the points after some numbers of steps.
pub(crate) fn sheet(task: &Task, steps: usize, games: &[PlayedGame]) -> Result<ContactSheet> {
    let first: Vec<&PlayedGame> = by_variant(games).map(|games| &games[0]).collect();
    let shown = SHOWN.map(|tenths| tenths * SNAPSHOTS / 10);
    // As planned: a game that diverged has fewer.
    let steps = shown.map(|snapshot| thousands((snapshot * steps).div_ceil(SNAPSHOTS)));
    let columns: Vec<String> = ["data".to_string()].into_iter().chain(steps).collect();
    let names: Vec<&str> = first.iter().map(|game| game.variant).collect();
    let mut sheet = ContactSheet::new(SIDE, SIDE)
        .title(format!("{} points of each generator, after so many steps", thousands(POINTS)))
        .columns(columns.len())
        .column_labels(&columns)
        .row_labels(&names)
        .magnify(1);
    let mut data = Tensor::zeros(&[POINTS, 2]);
    task.mixture.fill(Stream::named(first[0].seed, "evaluate"), data.data_mut());
    for game in &first {
        sheet.push(&picture(&data, task.extent))?;
        for &snapshot in &shown {
            match game.points.get(snapshot) {
                Some(points) => sheet.push(&picture(points, task.extent))?,
                // The game had diverged.
                None => sheet.push_blank(),
            }
        }
    }
    Ok(sheet)
}

/// The games of each variant.
pub(crate) fn by_variant(games: &[PlayedGame]) -> impl Iterator<Item = &[PlayedGame]> {
    games.chunk_by(|a, b| a.variant == b.variant)
}

/// A picture (side, side) of points in the square from -`extent` to `extent` in both directions.
fn picture(points: &Tensor<f32>, extent: f64) -> Vec<f32> {
    const INK: f32 = 0.35;
    let mut paper = vec![1.0_f32; SIDE * SIDE];
    let place = |x: f32| {
        let share = (f64::from(x) + extent) / (2.0 * extent);
        (share * SIDE as f64) as isize
    };
    for point in points.data().chunks_exact(2).filter(|point| point.iter().all(|x| x.is_finite())) {
        // The second coordinate points up.
        let (column, row) = (place(point[0]), SIDE as isize - 1 - place(point[1]));
        for (row, column) in
            [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(down, right)| (row + down, column + right))
        {
            let is_on = |place: isize| (0..SIDE as isize).contains(&place);
            if is_on(row) && is_on(column) {
                let pixel = &mut paper[row as usize * SIDE + column as usize];
                *pixel = (*pixel - INK).max(0.0);
            }
        }
    }
    paper
}

/// Modes against steps, a line per variant: the mean over seeds.
pub(crate) fn modes_plot(task: &Task, games: &[PlayedGame]) -> LinePlot {
    let all = task.mixture.centres().len();
    let mut series: Vec<Series> = by_variant(games)
        .map(|games| {
            let points = (0..=SNAPSHOTS).filter_map(|i| {
                let snapshots: Vec<_> = games.iter().filter_map(|game| game.snapshots.get(i)).collect();
                let modes: usize = snapshots.iter().map(|snapshot| snapshot.modes.found).sum();
                Some((snapshots.first()?.step as f64, modes as f64 / snapshots.len() as f64))
            });
            Series::new(games[0].variant, points.collect::<Vec<_>>())
        })
        .collect();
    let last = games.iter().map(|game| game.end().step).max().unwrap_or(1);
    series.push(Series::new("the data", [(0.0, all as f64), (last as f64, all as f64)]).dashed());
    LinePlot {
        title: format!("Modes of the {} that are found", task.name),
        x_label: "steps of the generator".into(),
        y_label: format!("modes of {all}, mean of {}", counted(games.len() / Variant::all().len(), "seed")),
        series,
        ..LinePlot::default()
    }
}

/// The trajectories of both players in the smallest game.
pub(crate) fn trajectories(known: &[Known]) -> LinePlot {
    // The largest number of points of a line, and the smallest distance between two of them.
    const DRAWN: usize = 1_500;
    const APART: f64 = 0.03;
    let line = |known: &Known| {
        let mut points: Vec<(f64, f64)> = Vec::new();
        for place in &known.trajectory {
            let is_far = |&(theta, psi): &(f64, f64)| (place.theta - theta).hypot(place.psi - psi) > APART;
            if points.len() < DRAWN && points.last().is_none_or(is_far) {
                points.push((place.theta, place.psi));
            }
        }
        Series::new(known.game, points)
    };
    // One of each kind: the trajectories of the others look alike.
    let drawn = [1, 2, 5, 6, 7].map(|i| line(&known[i]));
    LinePlot {
        title: "The smallest game: where the two players go".into(),
        x_label: "theta, the generator's point; the data are at 0".into(),
        y_label: "psi, the discriminator's slope".into(),
        series: drawn.into(),
        ..LinePlot::default()
    }
}
