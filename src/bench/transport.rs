//! Optimal transport: the exact solver, Sinkhorn's algorithm, and the half-step that its sweeps consist of.
//!
//! Colours are the pixels of synthetic cats, many of them equal; uniform points fill the unit cube. Masses are equal.

use super::entry::{Entry, Unit};
use super::limits::copy;
use super::measure::{Action, repeat};
use super::workload::{Add, Context, Place, Workload, expect, noise, wrong};
use crate::Result;
use crate::data::cats::cats;
use crate::rng::Stream;
use crate::tensor::Tensor;
use crate::transport::{
    Cost, ExactOptions, Grid, Ground, Marginals, SinkhornSettings, Solution, exact, sinkhorn,
    sinkhorn_on_grid,
};
use equilibria_kernels::softmin::{Pairs, Source, log_sum_exp};
use equilibria_kernels::{Level, math};
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;

/// Points of a side of the half-step.
const POINTS: usize = 4000;
/// Elements of the bare exponential, in L1.
const BARE: usize = 4096;

/// All workloads; the large ones on all threads.
pub fn list(context: &Context, add: Add<'_>) -> Result<()> {
    for count in [1000, 2000] {
        for (name, clouds) in [("colours", colours(count)?), ("uniform", uniform(context.level, count)?)] {
            let clouds = Arc::new(clouds);
            let solve = move || {
                let cost = Cost::points(&clouds[0], &clouds[1], Ground::SquaredEuclidean)?;
                exact(&cost, &Marginals::uniform(count, count)?, ExactOptions::default())
            };
            let shape = format!("{name}, {count} + {count}");
            add(context.within(Place::All, || solver("exact", &shape, None, solve))?, Place::All)?;
        }
    }
    let clouds = Arc::new(uniform(context.level, 1000)?);
    let best = optimum(&clouds)?;
    for epsilon in [0.01, 0.001] {
        let clouds = Arc::clone(&clouds);
        let solve = move || {
            let cost = Cost::points(&clouds[0], &clouds[1], Ground::SquaredEuclidean)?;
            sinkhorn(
                &cost,
                &Marginals::uniform(1000, 1000)?,
                &SinkhornSettings::epsilon(epsilon),
                &mut |_| true,
            )
        };
        let shape = format!("1000 + 1000, eps {epsilon}");
        let workload = context.within(Place::All, || solver("sinkhorn f64", &shape, Some(best), solve))?;
        add(workload, Place::All)?;
    }
    let shift = 4;
    let solve = move || histograms(32, shift);
    let best = (shift * shift) as f64;
    let shape = "32x32x32, eps (2 bins)^2";
    add(context.within(Place::All, || solver("sinkhorn, grid", shape, Some(best), solve))?, Place::All)?;
    add(context.within(Place::One, || on_the_fly(context.level))?, Place::One)?;
    add(context.within(Place::All, || from_memory(context.level))?, Place::All)
}

/// Clouds of uniform points in the cube.
fn uniform(level: Level, count: usize) -> Result<[Tensor<f64>; 2]> {
    let points = noise(level, 6 * count, 0.0..1.0);
    let side = |points: &[f64]| Tensor::from_vec(&[count, 3], points.to_vec());
    Ok([side(&points[..3 * count])?, side(&points[3 * count..])?])
}

/// Clouds of colours of random pixels of two synthetic cats.
fn colours(count: usize) -> Result<[Tensor<f64>; 2]> {
    let (side, pictures) = (64, cats(0, 2, 64)?);
    let cloud = |picture: usize| {
        let mut order = vec![0; side * side];
        Stream::named(2, "bench").substream(picture as u64).permutation(&mut order);
        let pixels = pictures.images().image(picture);
        let colours = order[..count].iter().flat_map(|&i| &pixels[3 * i..][..3]);
        Tensor::from_vec(&[count, 3], colours.map(|&x| f64::from(x) / 255.0).collect())
    };
    Ok([cloud(0)?, cloud(1)?])
}

fn optimum(clouds: &[Tensor<f64>; 2]) -> Result<f64> {
    let cost = Cost::points(&clouds[0], &clouds[1], Ground::SquaredEuclidean)?;
    let marginals = Marginals::uniform(clouds[0].rows(), clouds[1].rows())?;
    Ok(exact(&cost, &marginals, ExactOptions::default())?.cost)
}

/// Two colour histograms on a cube of `size` cells a side: a Gaussian, and the same shifted along the first axis.
fn histograms(size: usize, shift: usize) -> Result<Solution> {
    let grid = Grid::new(&[size; 3], &[1.0; 3])?;
    let (centre, deviation) = (0.5 * (size - shift) as f64, 0.12 * size as f64);
    let masses = |shift: f64| -> Vec<f64> {
        let at = |cell: usize| {
            let places = [cell / (size * size), cell / size % size, cell % size];
            let x = places.map(|x| x as f64 - centre);
            ((x[0] - shift).powi(2) + x[1] * x[1] + x[2] * x[2]) / (2.0 * deviation * deviation)
        };
        // Cut off, so that the shifted one is the same.
        (0..size.pow(3)).map(at).map(|x| if x < 4.0 { (-x).exp() } else { 0.0 }).collect()
    };
    let marginals = Marginals::normalised(&masses(0.0), &masses(shift as f64))?;
    sinkhorn_on_grid(&grid, &marginals, &SinkhornSettings::epsilon(4.0), &mut |_| true)
}

/// A solver, whose bounds hold `best`, or agree without it.
fn solver(
    name: &'static str,
    shape: &str,
    best: Option<f64>,
    solve: impl Fn() -> Result<Solution> + Send + 'static,
) -> Result<Workload> {
    let what = format!("{name}, {shape}");
    let found = solve()?;
    if !found.converged {
        return Err(wrong(what, "no convergence", "a converged solution"));
    }
    let (lower, upper) = (found.lower_bound, found.upper_bound);
    match best {
        Some(best) => expect(&what, best, best.clamp(lower, upper), 1e-9 * best)?,
        None => expect(&what, lower, upper, 1e-9 * upper)?,
    }
    Ok(Workload {
        kernel: name.into(),
        shape: shape.into(),
        work: 1.0,
        divisor: 1,
        ours: repeat(move || solve().map(|found| found.cost)),
        peer: None,
        limit: None,
        entry: Box::new(move |(kernel, shape, threads), seconds| {
            let (speed, unit) = (1e3 * seconds[0], Unit::Milliseconds);
            let json = json!({
                "solver": kernel,
                "problem": shape,
                "milliseconds": speed,
                "iterations": found.iterations,
                "relative_gap": found.relative_gap(),
                "threads": threads,
            });
            Entry { kernel, shape, threads, speed, unit, share: None, ratio: None, json }
        }),
    })
}

/// Half a step with costs from points, compared with exponentials of numbers in L1.
fn on_the_fly(level: Level) -> Result<Workload> {
    let (x, y, bias) = (
        noise::<f32>(level, 3 * POINTS, -8.0..8.0),
        noise::<f32>(level, 3 * POINTS, -1.0..1.0),
        noise::<f32>(level, POINTS, -1.0..1.0),
    );
    let numbers = noise::<f32>(level, BARE, -8.0..8.0);
    let mut values = numbers.clone();
    let bare = repeat(move || math::exp(level, black_box(&numbers), black_box(&mut values)));
    let score = |x: &[f32], y: &[f32], bias: f32, i: usize, j: usize| -> f64 {
        let product = |k: usize| f64::from(x[3 * i + k]) * f64::from(y[k * POINTS + j]);
        f64::from(bias) + (0..3).map(product).sum::<f64>()
    };
    let exact = (0..POINTS).map(|j| score(&x, &y, bias[j], 0, j).exp()).sum::<f64>().ln();
    let mut out = vec![0.0; POINTS];
    let mut run = move || {
        let pairs = Pairs { source: Source::Products { x: &x, y: &y, d: 3 }, bias: &bias, rows: POINTS };
        log_sum_exp(level, black_box(&pairs), &mut out);
        out[0]
    };
    expect("half-step, on the fly", run(), exact, 1e-4)?;
    half_step("half-step, points", run, bare, |seconds| {
        (seconds[1] / BARE as f64) / (seconds[0] / (POINTS * POINTS) as f64)
    })
}

/// Half a step with costs from a matrix in memory, compared with a copy.
fn from_memory(level: Level) -> Result<Workload> {
    let costs = noise::<f32>(level, POINTS * POINTS, 0.0..16.0);
    let bias = noise::<f32>(level, POINTS, -1.0..1.0);
    let terms = costs.iter().zip(&bias).take(POINTS).map(|(cost, bias)| f64::from(bias - cost).exp());
    let exact = terms.sum::<f64>().ln();
    let (bytes, from) = (size_of_val(&costs[..]) as f64, costs.clone());
    let mut out = vec![0.0; POINTS];
    let mut run = move || {
        let pairs = Pairs { source: Source::Matrix { costs: &costs, scale: 1.0 }, bias: &bias, rows: POINTS };
        log_sum_exp(level, black_box(&pairs), &mut out);
        out[0]
    };
    expect("half-step, from memory", run(), exact, 1e-4)?;
    // A copy reads and writes.
    half_step("half-step, matrix", run, copy(from), move |seconds| {
        (bytes / seconds[0]) / (2.0 * bytes / seconds[1])
    })
}

/// A half-step, whose share of the machine's limit is a function of both times.
fn half_step(
    name: &'static str,
    run: impl FnMut() -> f64 + Send + 'static,
    limit: Action<'static>,
    share: impl Fn(&[f64]) -> f64 + Send + 'static,
) -> Result<Workload> {
    let pairs = (POINTS * POINTS) as f64;
    Ok(Workload {
        kernel: format!("{name} f32"),
        shape: format!("{POINTS}x{POINTS}"),
        work: pairs,
        divisor: 2,
        ours: repeat(run),
        peer: None,
        limit: Some(limit),
        entry: Box::new(move |(kernel, shape, threads), seconds| {
            let speed = 1e9 * seconds[0] / pairs;
            let share = share(seconds);
            let json = json!({
                "kernel": name,
                "rows": POINTS,
                "columns": POINTS,
                "ns_per_exponential": speed,
                "fraction_of_limit": share,
                "threads": threads,
            });
            let unit = Unit::NanosecondsPerElement;
            Entry { kernel, shape, threads, speed, unit, share: Some(share), ratio: None, json }
        }),
    })
}
