//! Products with bits, the states of a Boltzmann machine, compared with dense products.

use super::workload::{Add, Context, Place, Workload, expect, noise};
use crate::Result;
use crate::tensor::{Epilogue, MatrixMut, MatrixRef, Workspace};
use equilibria_kernels::Level;
use equilibria_kernels::binary::{
    PANEL, SparseMut, SparseRows, TILE, add_rows, list_states, pack_states, panels,
};
use serde_json::json;
use std::sync::Arc;

const ROWS: usize = 100;
const VISIBLE: usize = 784;
const HIDDEN: usize = 512;
/// Shares of units that are on: the pixels of digits, their hidden units, and denser states.
const DENSITIES: [f64; 4] = [0.13, 0.19, 0.3, 0.5];
/// Tiles that are added together, as in `Layer`.
const TOGETHER: usize = 2;

/// A product for each density, on one thread. Operations and share count those of the dense product.
pub fn list(context: &Context, add: Add<'_>) -> Result<()> {
    for density in DENSITIES {
        add(context.within(Place::One, || product(context.level, density))?, Place::One)?;
    }
    Ok(())
}

fn product(level: Level, density: f64) -> Result<Workload> {
    let mut states: Vec<f32> = noise(level, ROWS * VISIBLE, 0.0..1.0);
    states.iter_mut().for_each(|x| *x = f32::from(u8::from(f64::from(*x) < density)));
    // The columns of W, one hidden panel after the other; rows beyond the last unit are padding.
    let padded = panels(VISIBLE) * PANEL;
    let weights: Arc<Vec<f32>> = noise(level, panels(HIDDEN) * padded * PANEL, -1.0..1.0).into();
    let mut words = vec![0; panels(VISIBLE) * ROWS];
    pack_states(level, &states, VISIBLE, &mut words);

    let room = SparseMut::<f32>::room(ROWS, TOGETHER * PANEL);
    let (mut starts, mut order, mut offsets) = (vec![0; ROWS + 1], vec![0; ROWS], vec![0; room]);
    let columns = Arc::clone(&weights);
    let mut by_rows = move |sums: &mut [f32]| {
        for (block, words) in words.chunks(TOGETHER * ROWS).enumerate() {
            let (factors, offsets) = (&mut [0.0_f32; 0][..], &mut offsets[..]);
            let lists = SparseMut { starts: &mut starts, order: &mut order, offsets, factors };
            list_states(level, words, ROWS, ROWS, TILE as u32, lists);
            let lists = SparseRows { starts: &starts, order: &order, offsets, factors: &[] };
            for (weights, sums) in
                columns.chunks_exact(padded * PANEL).zip(sums.chunks_exact_mut(ROWS * PANEL))
            {
                add_rows(level, &weights[block * TOGETHER * TILE..], lists, block == 0, PANEL, sums);
            }
        }
    };
    let mut workspace = Workspace::new();
    let mut by_gemm = move |sums: &mut [f32]| {
        let states = MatrixRef::new(&states, ROWS, VISIBLE);
        for (weights, sums) in weights.chunks_exact(padded * PANEL).zip(sums.chunks_exact_mut(ROWS * PANEL)) {
            let weights = MatrixRef::new(&weights[..VISIBLE * PANEL], VISIBLE, PANEL);
            workspace.gemm(1.0, states, weights, 0.0, MatrixMut::new(sums, ROWS, PANEL), Epilogue::NONE);
        }
    };
    let mut sums = vec![0.0_f32; panels(HIDDEN) * ROWS * PANEL];
    let mut dense = sums.clone();
    by_rows(&mut sums);
    by_gemm(&mut dense);
    for (place, (&found, &right)) in sums.iter().zip(&dense).enumerate() {
        // Sums of 784 numbers below 1.
        expect(format_args!("bits x weights, sum {place}"), found.into(), right.into(), 1e-3)?;
    }
    let operations = (2 * ROWS * VISIBLE * HIDDEN) as f64;
    Ok(Workload::flops::<f32>(
        level,
        ["bits x weights f32".into(), format!("{ROWS}x{HIDDEN}x{VISIBLE}, {:.0} % on", 100.0 * density)],
        operations,
        move || by_rows(&mut sums),
        ("dense product", move || by_gemm(&mut dense)),
        move |[speed, dense, share], threads| {
            json!({
                "rows": ROWS,
                "visible": VISIBLE,
                "hidden": HIDDEN,
                "density": density,
                "threads": threads,
                "seconds": operations / speed / 1e9,
                "dense_seconds": operations / dense / 1e9,
                "dense_fraction_of_peak": share,
            })
        },
    ))
}
