//! Are tiles of weights updated with the sums over the states?

use super::{is_on, noise, random_lists, words};
use crate::guard::GuardedBuffer;
use equilibria_kernels::binary::{
    GROUP, PANEL, SparseRows, Step, Sums, TILE, TabledRows, Tile, subtract_outer_products, tables_len,
    tabulate, tile_products, transpose_tile, update_tile,
};
use equilibria_kernels::{Level, Scalar};

/// `gradient(i, j)` is the expected value of `sums`.
fn check_update<T: Scalar>(
    level: Level,
    sums: Sums<'_, T>,
    [units, columns]: [usize; 2],
    momentum: f64,
    gradient: &dyn Fn(usize, usize) -> f64,
) {
    let (old_weight, old_velocity) = (noise::<T>(TILE, 50), noise::<T>(TILE, 51));
    let mut weight = GuardedBuffer::copy_of(&old_weight, true);
    let mut velocity = GuardedBuffer::copy_of(&old_velocity, true);
    if momentum == 0.0 {
        velocity.fill(T::from_f64(f64::NAN));
    }
    let mut transposed = GuardedBuffer::<T>::at_end(TILE);
    let shrink = 0.01;
    let step = Step { momentum: T::from_f64(momentum), shrink: T::from_f64(shrink) };
    let tile = Tile { weight: &mut weight, velocity: &mut velocity, transposed: &mut transposed };
    assert!(update_tile(level, sums, step, units, columns, tile));
    for i in 0..units {
        for j in 0..columns {
            let at = i * PANEL + j;
            let kept = if momentum == 0.0 { 0.0 } else { momentum * old_velocity[at].to_f64() };
            let right = kept + gradient(i, j) - shrink * old_weight[at].to_f64();
            let bound = 256.0 * T::EPSILON.to_f64();
            let is_kept = momentum != 0.0;
            assert!(is_kept || velocity[at].to_f64().is_nan(), "velocity ({i}, {j}) is written");
            assert!(
                !is_kept || (velocity[at].to_f64() - right).abs() < bound,
                "velocity ({i}, {j}) {}",
                velocity[at]
            );
            let right = old_weight[at].to_f64() + right;
            assert!((weight[at].to_f64() - right).abs() < bound, "weight ({i}, {j})");
            assert_eq!(transposed[j * PANEL + i], weight[at], "transposed ({i}, {j})");
        }
    }
    assert_eq!(weight[units * PANEL..], old_weight[units * PANEL..], "rows beyond {units}");
}

fn check_listed<T: Scalar>(level: Level, rows: usize, sizes: [usize; 2], momentum: f64) {
    let values = noise::<T>(rows * PANEL, 7);
    let lists = random_lists::<T>(64, 30, rows * PANEL, 8);
    let sums = Sums::Listed { lists: lists.read(), values: &values };
    check_update(level, sums, sizes, momentum, &|i, j| {
        let terms = lists.row(i).into_iter();
        terms.map(|(offset, x)| x * values[offset as usize + j].to_f64()).sum()
    });
}

#[test]
fn a_tile_is_updated_with_the_sums_of_its_lists() {
    for level in Level::available() {
        for (rows, units, columns, momentum) in
            [(1, 1, 1, 0.0), (10, 64, 20, 0.5), (100, 64, 64, 0.9), (65, 16, 52, 0.0), (200, 33, 48, 0.5)]
        {
            check_listed::<f32>(level, rows, [units, columns], momentum);
            check_listed::<f64>(level, rows, [units, columns], momentum);
        }
    }
}

fn check_tabled<T: Scalar>(level: Level, rows: [usize; 2], sizes: [usize; 2], momentum: f64) {
    let all = rows[0] + rows[1];
    let values = GuardedBuffer::copy_of(&noise::<T>(all * PANEL, 7), true);
    let mut tables = GuardedBuffer::<T>::at_end(tables_len(all));
    let [plus, minus] = [0.25, -0.5];
    let parts = [(rows[0], T::from_f64(plus)), (rows[1], T::from_f64(minus))];
    tables.fill(T::from_f64(f64::NAN));
    tabulate(level, &values, parts, sizes[1], &mut tables);
    let columns = sizes[1].div_ceil(16) * 16;
    let unused = |table: &&T| table.to_f64().is_nan();
    assert_eq!(tables.iter().filter(unused).count(), expected_unused(all, columns), "{rows:?} {columns}");
    // Bits beyond the last group of rows are ignored.
    let states: Vec<u64> = words(64, 64, 0.5, 9);
    let in_use = |word: u64| if all.is_multiple_of(GROUP) { word } else { word & ((1 << all) - 1) };
    let states: Vec<u64> = states.into_iter().map(in_use).collect();
    let sums = Sums::Tabled(TabledRows { words: &states, tables: &tables });
    check_update(level, sums, sizes, momentum, &|i, j| {
        let row = |r: usize| if is_on(states[i], r) { values[r * PANEL + j].to_f64() } else { 0.0 };
        let sum = |rows: std::ops::Range<usize>| rows.map(row).sum::<f64>();
        plus * sum(0..rows[0]) + minus * sum(rows[0]..all)
    });
}

/// Number of table elements that are not written: unused columns, and entries that include rows beyond the last.
fn expected_unused(rows: usize, columns: usize) -> usize {
    let entries: usize = (0..rows.div_ceil(GROUP)).map(|group| 1 << (rows - group * GROUP).min(GROUP)).sum();
    tables_len(rows) - entries * columns
}

#[test]
fn a_tile_is_updated_with_the_sums_of_its_tables() {
    for level in Level::available() {
        for (rows, sizes, momentum) in [
            ([1, 0], [1, 1], 0.0),
            ([0, 3], [5, 16], 0.0),
            ([10, 10], [64, 20], 0.5),
            ([4, 9], [33, 48], 0.0),
            ([32, 32], [64, 64], 0.9),
            ([0, 0], [64, 64], 0.9),
        ] {
            check_tabled::<f32>(level, rows, sizes, momentum);
            check_tabled::<f64>(level, rows, sizes, momentum);
        }
    }
}

#[test]
#[should_panic(expected = "tables of 28672 elements")]
fn tables_of_more_rows_than_bits_in_a_word_panic() {
    let tables = vec![0.0_f32; tables_len(66)];
    let sums = Sums::Tabled(TabledRows { words: &[0; 64], tables: &tables });
    let step = Step { momentum: 0.0, shrink: 0.0 };
    let mut tiles = [vec![0.0; TILE], vec![0.0; TILE], vec![0.0; TILE]];
    let [weight, velocity, transposed] = &mut tiles;
    update_tile(Level::detect(), sums, step, 64, 64, Tile { weight, velocity, transposed });
}

#[test]
fn a_weight_that_is_not_finite_is_reported() {
    for level in Level::available() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for place in [0, 63, 64, TILE - 1] {
                let (mut weight, mut velocity, mut transposed) =
                    (vec![0.0; TILE], vec![0.0; TILE], vec![0.0; TILE]);
                weight[place] = bad;
                let tile = Tile { weight: &mut weight, velocity: &mut velocity, transposed: &mut transposed };
                let order: [u32; 64] = std::array::from_fn(|i| i as u32);
                let nothing = SparseRows { starts: &[0; 65], order: &order, offsets: &[], factors: &[] };
                let step = Step { momentum: 0.0, shrink: 0.0 };
                let finite =
                    update_tile(level, Sums::Listed { lists: nothing, values: &[] }, step, 64, 64, tile);
                assert!(!finite, "{bad} at {place}");
            }
        }
    }
}

fn check_centring<T: Scalar>(level: Level, keep: f64) {
    let value = |x: &[T], i: usize| x[i].to_f64();
    let vector = |seed| GuardedBuffer::<T>::copy_of(&noise(64, seed), true);
    let vectors: Vec<_> = (0..4).map(vector).collect();
    let [x, y, z, w] = [0, 1, 2, 3].map(|i| &vectors[i][..]);
    let old: Vec<T> = noise(TILE, 5);
    // Values that are not kept must not be read.
    let unread = vec![T::from_f64(f64::NAN); TILE];
    let mut tile = GuardedBuffer::copy_of(if keep == 0.0 { &unread } else { &old }, true);
    subtract_outer_products(level, T::from_f64(keep), [[x, y], [z, w]], &mut tile);
    let tolerance = 16.0 * T::EPSILON.to_f64();
    for (place, found) in tile.iter().enumerate() {
        let (i, j) = (place / 64, place % 64);
        let outer = value(x, i) * value(y, j) + value(z, i) * value(w, j);
        let right = if keep == 0.0 { 0.0 } else { keep * value(&old, place) } - outer;
        assert!((found.to_f64() - right).abs() < tolerance, "{}, {i}, {j}", level.name());
    }

    let start: Vec<T> = noise(64, 6);
    let (mut rows, mut columns) =
        (GuardedBuffer::copy_of(&[T::ZERO; 64], true), GuardedBuffer::copy_of(&start, true));
    tile_products(level, &tile, [x, y], &mut rows, &mut columns);
    for i in 0..64 {
        let row: f64 = (0..64).map(|j| value(&tile, 64 * i + j) * value(y, j)).sum();
        let column: f64 = (0..64).map(|j| value(&tile, 64 * j + i) * value(x, j)).sum();
        let found = [value(&rows, i), value(&columns, i) - value(&start, i)];
        for (found, right) in found.into_iter().zip([row, column]) {
            assert!((found - right).abs() < 64.0 * tolerance, "{}, {i}: {found}, not {right}", level.name());
        }
    }
}

#[test]
fn a_tile_is_centred() {
    for level in Level::available() {
        for keep in [0.0, 1.0, 0.25] {
            check_centring::<f32>(level, keep);
            check_centring::<f64>(level, keep);
        }
    }
}

#[test]
fn tiles_are_transposed() {
    for level in Level::available() {
        let from = noise::<f32>(TILE, 60);
        let mut to = vec![0.0; TILE];
        transpose_tile(level, &from, &mut to);
        assert!((0..TILE).all(|at| to[at % 64 * 64 + at / 64] == from[at]));
    }
}
