//! Do lists and packed words contain the states from which they are made?

use super::{Lists, is_on, noise, words};
use crate::guard::GuardedBuffer;
use equilibria_kernels::binary::{
    Occurrences, SparseMut, count_rows, list_changes, list_minority, list_occurrences, list_states,
    pack_states, panel_units, panels, transpose_states, unpack_states,
};
use equilibria_kernels::{Level, Scalar};

fn check_state_lists<T: Scalar>(level: Level) {
    for (panels, stride, first, rows) in
        [(1, 1, 0, 1), (3, 5, 0, 5), (2, 7, 3, 4), (4, 6, 5, 1), (0, 3, 0, 0), (2, 40, 1, 39)]
    {
        let (from, to) = (words(panels * stride, 64, 0.3, 1), words(panels * stride, 64, 0.6, 2));
        let (from, to) = (from.get(first..).unwrap_or(&[]), to.get(first..).unwrap_or(&[]));
        let mut lists = Lists::<T>::new(rows, panels * 64);
        let check = |lists: &Lists<T>, factor: &dyn Fn(u64, u64, usize) -> f64| {
            for row in 0..rows {
                let mut expected = Vec::new();
                for panel in 0..panels {
                    let (then, now) = (from[panel * stride + row], to[panel * stride + row]);
                    for sign in [1.0, -1.0] {
                        let places = (0..64).filter(|&j| factor(then, now, j) == sign);
                        expected.extend(places.map(|j| ((panel * 10_000 + 64 * j) as u32, sign)));
                    }
                }
                assert_eq!(lists.row(row), expected, "{}, row {row} of {rows}", level.name());
            }
            assert!(lists.is_ordered(), "{:?}", lists.order);
        };
        list_states(level, to, stride, rows, 10_000, lists.write());
        let factors = std::mem::take(&mut lists.factors);
        assert!(factors.iter().all(|factor| factor.to_f64().is_nan()), "factors that are not read");
        check(&lists, &|_, now, j| f64::from(u8::from(is_on(now, j))));
        if panels > 0 {
            // The last panel is only partly used.
            let units = panels * 64 - 27;
            let mut states = to.to_vec();
            let last = &mut states[(panels - 1) * stride..];
            last.iter_mut().for_each(|word| *word &= (1 << 37) - 1);
            // Some rows have few active units, others many.
            states.iter_mut().step_by(2).for_each(|word| *word &= 0x5555_5555);
            let mut are_off = vec![false; rows];
            list_minority(level, &states, units, stride, 10_000, lists.write(), &mut are_off);
            for row in 0..rows {
                let all = (0..panels).flat_map(|panel| (0..64).map(move |j| (panel, j)));
                let all = all.filter(|(panel, j)| panel * 64 + j < units);
                let [on, off] = [true, false].map(|which| {
                    let units = all.clone().filter(|&(p, j)| is_on(states[p * stride + row], j) == which);
                    units.map(|(panel, j)| ((panel * 10_000 + 64 * j) as u32, 1.0)).collect::<Vec<_>>()
                });
                assert_eq!(are_off[row], on.len() > off.len());
                let expected = if on.len() > off.len() { off } else { on };
                assert_eq!(lists.row(row), expected, "{}, row {row} of {rows}", level.name());
            }
        }
        lists.factors = factors;
        list_changes(level, [from, to], stride, rows, 10_000, lists.write());
        check(&lists, &|then, now, j| {
            f64::from(u8::from(is_on(now, j))) - f64::from(u8::from(is_on(then, j)))
        });
    }
}

#[test]
fn lists_contain_the_active_units_and_the_changes() {
    for level in Level::available() {
        check_state_lists::<f32>(level);
        check_state_lists::<f64>(level);
    }
}

fn check_occurrence_lists<T: Scalar>(level: Level, rows: [usize; 2], differ: bool) {
    let bits = |rows: usize, seed: u64| -> Vec<u64> {
        let in_block = |block: usize| (rows - block * 64).min(64);
        (0..panels(rows)).flat_map(|block| words(64, in_block(block), 0.3, seed + block as u64)).collect()
    };
    let (positive, negative) = (bits(rows[0], 20), bits(rows[1], 30));
    let since = if differ { &positive[..] } else { &[] };
    let mut lists = Lists::<T>::new(64, positive.len() + negative.len());
    let factors = [T::from_f64(0.25), T::from_f64(-0.5)];
    let occurrences = Occurrences { positive: &positive, negative: &negative, since, rows, factors };
    list_occurrences(level, occurrences, lists.write());
    let mut counts = [1; 64];
    count_rows(level, &positive, !2, &mut counts);
    for unit in 0..64 {
        let on = |bits: &[u64], row: usize| f64::from(u8::from(is_on(bits[row / 64 * 64 + unit], row % 64)));
        let counted = (0..rows[0]).filter(|row| row % 64 != 1);
        let count: f64 = counted.map(|row| on(&positive, row)).sum();
        assert_eq!(f64::from(counts[unit]), count, "{} {rows:?}, unit {unit}", level.name());
        let mut expected: Vec<(u32, f64)> = Vec::new();
        expected.extend((0..rows[0]).map(|row| ((row * 64) as u32, 0.25 * on(&positive, row))));
        expected.extend((0..rows[1]).map(|row| {
            let then = if differ { on(&positive, row) } else { 0.0 };
            (((rows[0] + row) * 64) as u32, -0.5 * (on(&negative, row) - then))
        }));
        expected.retain(|&(_, factor)| factor != 0.0);
        let mut found = lists.row(unit);
        found.sort_by_key(|&(offset, _)| offset);
        assert_eq!(found, expected, "{} {rows:?} {differ}, unit {unit}", level.name());
    }
    assert!(lists.is_ordered(), "{:?}", lists.order);
}

#[test]
fn lists_contain_the_rows_in_which_a_unit_is_on() {
    for level in Level::available() {
        for (rows, differ) in
            [([1, 1], true), ([10, 64], false), ([65, 65], true), ([100, 3], false), ([0, 130], false)]
        {
            check_occurrence_lists::<f32>(level, rows, differ);
            check_occurrence_lists::<f64>(level, rows, differ);
        }
    }
}

fn check_packing<T: Scalar>(level: Level) {
    for units in [1, 7, 16, 63, 64, 65, 130, 784] {
        for rows in [1, 3] {
            let mut states = GuardedBuffer::<T>::at_end(rows * units);
            for (state, x) in states.iter_mut().zip(noise::<f64>(rows * units, units as u64)) {
                *state = if x > 0.2 { T::ONE } else { T::ZERO };
            }
            let mut packed = vec![u64::MAX; panels(units) * rows];
            assert!(pack_states(level, &states, units, &mut packed));
            for (i, &state) in states.iter().enumerate() {
                let (row, unit) = (i / units, i % units);
                assert_eq!(is_on(packed[unit / 64 * rows + row], unit % 64), state == T::ONE);
            }
            let last = (panels(units) - 1) * rows;
            let used = panel_units(units, panels(units) - 1);
            assert!(
                packed[last..].iter().all(|word| used == 64 || word >> used == 0),
                "bits beyond the last"
            );
            let mut back = vec![T::from_f64(7.0); rows * units];
            unpack_states(&packed, units, &mut back);
            assert_eq!(back[..], states[..]);
            for other in [0.5, -1.0, 1e-30, f64::NAN, f64::INFINITY] {
                states[units / 2] = T::from_f64(other);
                assert!(!pack_states(level, &states, units, &mut packed), "{other} is accepted as 0 or 1");
                assert_eq!(is_on(packed[units / 2 / 64 * rows], units / 2 % 64), other > 0.0);
            }
        }
    }
}

#[test]
fn states_pack_and_unpack() {
    for level in Level::available() {
        check_packing::<f32>(level);
        check_packing::<f64>(level);
    }
}

#[test]
fn transposed_states_contain_the_rows_in_which_a_unit_is_on() {
    for rows in [1, 10, 63, 64, 65, 100, 200] {
        let states = words(rows, 64, 0.4, rows as u64);
        let mut transposed = vec![u64::MAX; panels(rows) * 64];
        transpose_states(&states, &mut transposed);
        for (block, units) in transposed.chunks(64).enumerate() {
            for (unit, &word) in units.iter().enumerate() {
                for place in 0..64 {
                    let expected = states.get(block * 64 + place).is_some_and(|&row| is_on(row, unit));
                    assert_eq!(
                        is_on(word, place),
                        expected,
                        "{rows} rows, block {block}, unit {unit}, {place}"
                    );
                }
            }
        }
    }
}

#[test]
#[should_panic = "2 starts, an order of 1, 79 offsets and 80 factors for 1 rows of up to 64 entries"]
fn lists_without_room_panic() {
    let lists = SparseMut {
        starts: &mut [0; 2],
        order: &mut [0],
        offsets: &mut [0; 79],
        factors: &mut [0.0_f32; 80],
    };
    list_changes(Level::PORTABLE, [&[0], &[0]], 1, 1, 64, lists);
}
