//! Products with bits compared with dense products, and updates of contrastive divergence.

use super::context::{Context, expect, noise};
use super::entry::{Add, Entry, Unit};
use super::limits::{multiply_adds_here, multiply_adds_operations};
use super::measure::{measure_interleaved, repeat};
use crate::boltzmann::Rbm;
use crate::boltzmann::learning::{Learner, NegativePhase, Rates};
use crate::data::{Binarisation, BinaryImages};
use crate::rng::Stream;
use crate::tensor::{Epilogue, MatrixMut, MatrixRef, Workspace};
use crate::{Error, Result};
use equilibria_kernels::Level;
use equilibria_kernels::binary::{
    PANEL, SparseMut, SparseRows, TILE, add_rows, list_states, pack_states, panels,
};
use serde_json::json;

const ROWS: usize = 100;
const VISIBLE: usize = 784;
const HIDDEN: usize = 512;
/// Shares of units that are on: the pixels of digits, their hidden units, and denser states.
const DENSITIES: [f64; 4] = [0.13, 0.19, 0.3, 0.5];
/// Images in an epoch of MNIST.
const EPOCH: usize = 60_000;

pub(super) fn products(context: &Context, add: Add<'_>) -> Result<()> {
    DENSITIES.iter().try_for_each(|&density| add(context.on_one(|| product(context, density))?))
}

/// States (rows, units), each 1 with probability `density`.
fn states(level: Level, rows: usize, units: usize, density: f64) -> Vec<f32> {
    let mut states: Vec<f32> = noise(level, rows * units, 0.0..1.0);
    states.iter_mut().for_each(|x| *x = f32::from(u8::from(f64::from(*x) < density)));
    states
}

/// Tiles that are added together, as in `Layer`.
const TOGETHER: usize = 2;

fn product(context: &Context, density: f64) -> Result<Entry> {
    let level = context.level;
    let states = states(level, ROWS, VISIBLE, density);
    // The columns of W, one hidden panel after the other; rows beyond the last unit are padding.
    let padded = panels(VISIBLE) * PANEL;
    let weights: Vec<f32> = noise(level, panels(HIDDEN) * padded * PANEL, -1.0..1.0);
    let mut words = vec![0; panels(VISIBLE) * ROWS];
    pack_states(level, &states, VISIBLE, &mut words);
    let mut sums = vec![0.0_f32; panels(HIDDEN) * ROWS * PANEL];
    let mut dense = sums.clone();

    let room = SparseMut::<f32>::room(ROWS, TOGETHER * PANEL);
    let (mut starts, mut order) = (vec![0; ROWS + 1], vec![0; ROWS]);
    let mut offsets = vec![0; room];
    let mut by_rows = || {
        for (block, words) in words.chunks(TOGETHER * ROWS).enumerate() {
            let (factors, offsets) = (&mut [0.0_f32; 0][..], &mut offsets[..]);
            let lists = SparseMut { starts: &mut starts, order: &mut order, offsets, factors };
            list_states(level, words, ROWS, ROWS, TILE as u32, lists);
            let lists = SparseRows { starts: &starts, order: &order, offsets, factors: &[] };
            for (weights, sums) in
                weights.chunks_exact(padded * PANEL).zip(sums.chunks_exact_mut(ROWS * PANEL))
            {
                add_rows(level, &weights[block * TOGETHER * TILE..], lists, block == 0, PANEL, sums);
            }
        }
    };
    let mut workspace = Workspace::new();
    let mut by_gemm = || {
        let states = MatrixRef::new(&states, ROWS, VISIBLE);
        for (weights, sums) in weights.chunks_exact(padded * PANEL).zip(dense.chunks_exact_mut(ROWS * PANEL))
        {
            let weights = MatrixRef::new(&weights[..VISIBLE * PANEL], VISIBLE, PANEL);
            let sums = MatrixMut::new(sums, ROWS, PANEL);
            workspace.gemm(1.0, states, weights, 0.0, sums, Epilogue::NONE);
        }
    };
    by_rows();
    by_gemm();
    let seconds = measure_interleaved(
        context.effort,
        &mut [
            &mut repeat(|| multiply_adds_here::<f32>(level)),
            &mut repeat(&mut by_rows),
            &mut repeat(&mut by_gemm),
        ],
    );
    for (place, (&found, &right)) in sums.iter().zip(&dense).enumerate() {
        // Sums of 784 numbers below 1.
        expect(format_args!("bits x weights, sum {place}"), found.into(), right.into(), 1e-3)?;
    }
    let speed = (2 * ROWS * VISIBLE * HIDDEN) as f64 / seconds[1];
    let share = speed / (multiply_adds_operations::<f32>(level) / seconds[0]);
    Ok(Entry {
        kernel: "bits x weights f32".into(),
        shape: format!("{ROWS}x{HIDDEN}x{VISIBLE}, {:.0} % on", 100.0 * density),
        threads: 1,
        speed: speed / 1e9,
        unit: Unit::Gflops,
        share: Some(share),
        ratio: Some(seconds[2] / seconds[1]),
        json: json!({
            "rows": ROWS,
            "visible": VISIBLE,
            "hidden": HIDDEN,
            "density": density,
            "threads": 1,
            "seconds": seconds[1],
            "dense_seconds": seconds[2],
            "dense_fraction_of_peak": share,
        }),
    })
}

pub(super) fn training(context: &Context, add: Add<'_>) -> Result<()> {
    for (hidden, batch, steps) in [(500, 100, 1), (500, 100, 25), (20, 10, 1)] {
        add(context.on_all(|| train(context, hidden, batch, steps))?)?;
    }
    Ok(())
}

/// Synthetic digits to learn from.
const DIGITS: usize = 2_000;
/// Updates before the measurement, after which the density of the hidden units is that of training.
const WARM_UP: u64 = 300;

fn train(context: &Context, hidden: usize, batch: usize, steps: usize) -> Result<Entry> {
    let rates = Rates { learning_rate: 0.05, momentum: 0.0, weight_decay: 0.0 };
    let stream = Stream::named(3, "bench");
    let digits = crate::data::Digits::synthetic(DIGITS, 1)?;
    let images = digits.train.images();
    let mean = Binarisation::Threshold.mean(images);
    let mut states = BinaryImages::new(images);
    states.fill(Binarisation::Threshold, images, stream);
    let model = Rbm::<f32>::new(&mean, hidden, stream.substream(0))?;
    let mut learner = Learner::new(model, NegativePhase::Contrastive, steps, batch, stream.substream(1));
    let order: Vec<usize> = (0..DIGITS).collect();
    let (mut updates, mut finite) = (0, true);
    let mut batches = order.chunks_exact(batch).cycle();
    let mut update = || {
        states.gather(batches.next().unwrap_or_default(), learner.states_mut(batch));
        finite &= learner.update(rates, stream.substream(2 + updates)).is_ok_and(|finite| finite);
        updates += 1;
    };
    (0..WARM_UP).for_each(|_| update());
    let seconds = measure_interleaved(context.effort, &mut [&mut repeat(&mut update)])[0];
    if !finite {
        return Err(Error::invalid("CD", "a parameter is not finite"));
    }
    let states = (batch * (hidden + steps * (VISIBLE + hidden))) as f64 / seconds;
    let epoch = seconds * EPOCH as f64 / batch as f64;
    let threads = rayon::current_num_threads();
    Ok(Entry {
        kernel: format!("CD-{steps}, {VISIBLE}-{hidden}"),
        shape: format!("batch {batch}: {epoch:.2} s an epoch"),
        threads,
        speed: states / 1e6,
        unit: Unit::MillionsOfStates,
        share: None,
        ratio: None,
        json: json!({
            "visible": VISIBLE,
            "hidden": hidden,
            "batch": batch,
            "steps": steps,
            "density": mean.iter().map(|&mean| f64::from(mean)).sum::<f64>() / VISIBLE as f64,
            "threads": threads,
            "seconds_per_epoch": epoch,
            "states_per_second": states,
        }),
    })
}
