//! Are the sums of lists the sums of the listed weight rows?

use super::{Lists, noise, random_lists};
use crate::guard::GuardedBuffer;
use equilibria_kernels::binary::{PANEL, SparseRows, add_minority_rows, add_rows};
use equilibria_kernels::{Level, Scalar};

fn check_rows<T: Scalar>(level: Level, rows: usize, most: usize, columns: usize, has_factors: bool) {
    let mut weights = GuardedBuffer::<T>::at_end(5000);
    weights.copy_from_slice(&noise(5000, 1));
    let mut lists = random_lists::<T>(rows, most, 5000, 2);
    if !has_factors {
        lists.factors.clear();
    }
    let start = noise::<T>(rows * PANEL, 4);
    let all = GuardedBuffer::copy_of(&noise::<T>(PANEL, 5), true);
    let are_off: Vec<bool> = (0..rows).map(|row| row % 3 != 1).collect();
    for (from_zero, subtracts) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut sums = GuardedBuffer::copy_of(&start, true);
        if subtracts {
            add_minority_rows(level, (&all, &are_off), &weights, lists.read(), from_zero, columns, &mut sums);
        } else {
            add_rows(level, &weights, lists.read(), from_zero, columns, &mut sums);
        }
        for (at, (&found, &start)) in sums.iter().zip(&start).enumerate() {
            let (row, column) = (at / PANEL, at % PANEL);
            if column >= columns.div_ceil(16) * 16 {
                assert_eq!(found, start, "column {column} of {columns} was changed");
                continue;
            }
            let start = if from_zero { 0.0 } else { start.to_f64() };
            let subtracts = subtracts && are_off[row];
            let start = start + if subtracts { all[column].to_f64() } else { 0.0 };
            let sign = if subtracts { -1.0 } else { 1.0 };
            let terms = lists.row(row).into_iter();
            let terms =
                terms.map(|(offset, factor)| sign * factor * weights[offset as usize + column].to_f64());
            let (sum, size) = terms.fold((start, start.abs()), |(sum, size), x| (sum + x, size + x.abs()));
            let (error, bound) = ((found.to_f64() - sum).abs(), size * T::EPSILON.to_f64() * 8.0);
            assert!(
                error <= bound,
                "{} rows {rows} columns {columns}, row {row} column {column}: off by {error}",
                level.name()
            );
        }
    }
}

#[test]
fn listed_rows_are_summed() {
    for level in Level::available() {
        for (rows, most, columns) in [
            (0, 3, 64),
            (1, 0, 64),
            (1, 1, 1),
            (5, 40, 16),
            (7, 9, 17),
            (4, 3, 36),
            (9, 70, 52),
            (10, 200, 64),
        ] {
            for has_factors in [true, false] {
                check_rows::<f32>(level, rows, most, columns, has_factors);
                check_rows::<f64>(level, rows, most, columns, has_factors);
            }
        }
    }
}

#[test]
fn offsets_beyond_the_weights_are_clamped() {
    for level in Level::available() {
        let mut weights = GuardedBuffer::<f32>::at_end(PANEL);
        weights.fill(2.0);
        let lists = Lists { starts: vec![0, 1], order: vec![0], offsets: vec![u32::MAX], factors: vec![1.5] };
        let mut sums = [0.0; PANEL];
        add_rows(level, &weights, lists.read(), true, PANEL, &mut sums);
        assert_eq!(sums, [3.0; PANEL]);
    }
}

#[test]
#[should_panic = "lists of 2 entries in 2 offsets and 1 factors"]
fn lists_that_end_beyond_their_entries_panic() {
    let lists = SparseRows { starts: &[0, 2], order: &[0], offsets: &[0, 0], factors: &[1.0_f32] };
    add_rows(Level::PORTABLE, &[0.0; PANEL], lists, true, 64, &mut [0.0; PANEL]);
}

#[test]
#[should_panic = "an order of 1 for 1 rows"]
fn an_order_with_rows_that_do_not_exist_panics() {
    let lists = SparseRows { starts: &[0, 0], order: &[1], offsets: &[], factors: &[0.0_f32; 0] };
    add_rows(Level::PORTABLE, &[0.0; PANEL], lists, true, 64, &mut [0.0; PANEL]);
}
