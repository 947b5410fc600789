//! Are the products with bits the sums that they stand for, at every level?

#[path = "support/guard.rs"]
mod guard;

use equilibria_kernels::binary::{
    ActiveList, PANEL, Phase, TILE, Tile, Tiles, Weights, add_rows, collect, collect_changes, pack_states,
    panel_units, panels, sample, transpose_states, transpose_tile, unpack_states, update_tile,
};
use equilibria_kernels::random::{Xoshiro256PlusPlusX8, bernoulli_in_place};
use equilibria_kernels::{Level, Scalar};
use guard::GuardedBuffer;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

fn noise<T: Scalar>(len: usize, seed: u64) -> Vec<T> {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    (0..len).map(|_| T::from_f64((generator.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)).collect()
}

/// Words whose first `units` bits are on with this probability.
fn words(len: usize, units: usize, probability: f64, seed: u64) -> Vec<u64> {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut bit = || u64::from((generator.next_u64() as f64) < probability * u64::MAX as f64);
    (0..len).map(|_| (0..units).fold(0, |word, place| word | bit() << place)).collect()
}

fn lists(words: &[u64]) -> Vec<ActiveList> {
    let mut lists = vec![ActiveList::EMPTY; words.len()];
    collect(words, &mut lists);
    lists
}

fn is_on(word: u64, place: usize) -> bool {
    word >> place & 1 == 1
}

#[test]
fn lists_hold_the_places_of_the_bits() {
    for word in [0, 1, 1 << 63, u64::MAX, 0x8000_0000_0000_0001, 0xdead_beef_0bad_f00d] {
        let places = |word: u64| (0..64).filter(|&i| is_on(word, i)).map(|i| i as u8).collect::<Vec<u8>>();
        let list = lists(&[word])[0];
        assert_eq!((list.places(), list.count()), (&places(word)[..], word.count_ones() as usize));
        let (mut on, mut off) = ([ActiveList::EMPTY; 1], [list; 1]);
        collect_changes(&[word], &[0xff], &mut on, &mut off);
        assert_eq!(on[0].places(), places(0xff & !word));
        assert_eq!(off[0].places(), places(word & !0xff));
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
                assert!(!pack_states(level, &states, units, &mut packed), "{other} taken for 0 or 1");
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
fn transposed_states_say_in_which_rows_a_unit_is_on() {
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

fn check_rows<T: Scalar>(level: Level, tiles: usize, rows: usize, columns: usize, probability: f64) {
    // Tiles at the end of the buffer, two others between them.
    let stride = 2 * TILE;
    let mut data = GuardedBuffer::<T>::at_end(3 + (tiles.max(1) - 1) * stride + TILE);
    let numbers = noise(data.len(), 1);
    data.copy_from_slice(&numbers);
    let view = Tiles { data: &data, first: 3, stride, count: tiles };
    let (on, off) = (words(tiles * rows, 64, probability, 2), words(tiles * rows, 64, probability, 3));
    let start = noise::<T>(rows * PANEL, 4);
    for (from_zero, with_off) in [(true, false), (false, false), (false, true)] {
        let mut sums = GuardedBuffer::copy_of(&start, true);
        let off_lists = if with_off { lists(&off) } else { Vec::new() };
        add_rows(level, view, &lists(&on), &off_lists, from_zero, columns, &mut sums);
        for row in 0..rows {
            for column in 0..PANEL {
                let at = row * PANEL + column;
                if column >= columns.div_ceil(16) * 16 {
                    assert!(sums[at] == start[at] || tiles == 0, "column {column} of {columns} was touched");
                    continue;
                }
                let (mut sum, mut size) =
                    if from_zero { (0.0, 0.0) } else { (start[at].to_f64(), start[at].to_f64().abs()) };
                for tile in 0..tiles {
                    for unit in 0..PANEL {
                        let weight = data[3 + tile * stride + unit * PANEL + column].to_f64();
                        let word = tile * rows + row;
                        let sign = f64::from(u8::from(is_on(on[word], unit)))
                            - f64::from(u8::from(with_off && is_on(off[word], unit)));
                        sum += sign * weight;
                        size += 2.0 * weight.abs();
                    }
                }
                let error = (sums[at].to_f64() - sum).abs();
                assert!(
                    error <= size * T::EPSILON.to_f64() * 4.0,
                    "{} tiles {tiles} rows {rows} columns {columns}, row {row} column {column}: off by {error}",
                    level.name()
                );
            }
        }
    }
}

#[test]
fn sums_of_rows_are_products_with_bits() {
    for level in Level::available() {
        for (tiles, rows, columns, probability) in [
            (0, 3, 64, 0.5),
            (1, 1, 1, 0.5),
            (1, 0, 64, 0.5),
            (2, 5, 16, 0.1),
            (3, 7, 17, 0.9),
            (5, 4, 36, 0.0),
            (4, 9, 52, 1.0),
            (13, 10, 64, 0.15),
        ] {
            check_rows::<f32>(level, tiles, rows, columns, probability);
            check_rows::<f64>(level, tiles, rows, columns, probability);
        }
    }
}

fn check_sampling<T: Scalar>(level: Level, units: usize, scale: f64, bias: &[T]) {
    let rows = 9;
    let sums: Vec<T> = noise::<T>(rows * PANEL, units as u64).iter().map(|&x| x * T::from_f64(6.0)).collect();
    let mut generator = Xoshiro256PlusPlusX8::from_seed_u64(level, 5);
    let (mut expected_generator, mut fresh) = (generator.clone(), generator.clone());
    let mut probabilities = vec![T::from_f64(-1.0); rows * PANEL];
    let (mut states, mut again) = (vec![0; rows], vec![u64::MAX; rows]);
    let scale_here = T::from_f64(scale);
    sample(level, &mut generator, &sums, scale_here, bias, Some(&mut probabilities), &mut states);
    sample(level, &mut fresh, &sums, scale_here, bias, None, &mut again);
    assert_eq!(states, again, "states depend on whether probabilities are asked for");
    for (row, &state) in states.iter().enumerate() {
        let logit = |j: usize| T::from_f64(sums[row * PANEL + j].to_f64() * scale + bias[j].to_f64());
        let mut p: Vec<T> = (0..units).map(logit).collect();
        let mut drawn = vec![T::ZERO; units];
        bernoulli_in_place(level, &mut expected_generator, &mut p, &mut drawn);
        for (j, (&p, drawn)) in p.iter().zip(drawn).enumerate() {
            let found = probabilities[row * PANEL + j];
            let error = (found.to_f64() - p.to_f64()).abs();
            assert!(error <= 8.0 * T::EPSILON.to_f64() * p.to_f64(), "{found}, not {p}");
            if found == p {
                assert_eq!(is_on(state, j), drawn == T::ONE, "row {row}, unit {j}");
            }
        }
        assert!(units == 64 || state >> units == 0, "a unit beyond the last is on");
    }
    assert_eq!(generator, expected_generator, "draws of {units} units");
}

#[test]
fn panels_are_sampled_as_slices_are() {
    for level in Level::available() {
        for units in [1, 5, 16, 17, 40, 63, 64] {
            for (scale, spread) in [(1.0, 0.0), (0.25, 1.0)] {
                let bias = |x: f64| noise::<f64>(units, 11).into_iter().map(move |b| b * x);
                let single: Vec<f32> = bias(spread).map(|b| b as f32).collect();
                check_sampling::<f32>(level, units, scale, &single);
                check_sampling::<f64>(level, units, scale, &bias(spread).collect::<Vec<f64>>());
            }
        }
    }
}

fn check_update<T: Scalar>(level: Level, rows: [usize; 2], units: usize, columns: usize, momentum: f64) {
    let values = rows.map(|rows| noise::<T>(rows * PANEL, rows as u64 + 1));
    let bits = |rows: usize, seed: u64| -> Vec<u64> {
        let in_block = |block: usize| (rows - block * 64).min(64);
        (0..panels(rows)).flat_map(|block| words(64, in_block(block), 0.3, seed + block as u64)).collect()
    };
    let (plus, minus, gone) = (bits(rows[0], 20), bits(rows[1], 30), bits(rows[1], 40));
    let (plus_lists, minus_lists, gone_lists) = (lists(&plus), lists(&minus), lists(&gone));
    let scales = [0.3, -0.7];
    let phases = [
        Phase { on: &plus_lists, off: &[], values: &values[0], scale: T::from_f64(scales[0]) },
        Phase { on: &minus_lists, off: &gone_lists, values: &values[1], scale: T::from_f64(scales[1]) },
    ];
    let (old_weight, old_velocity) = (noise::<T>(TILE, 50), noise::<T>(TILE, 51));
    let mut weight = GuardedBuffer::copy_of(&old_weight, true);
    let mut velocity = GuardedBuffer::copy_of(&old_velocity, true);
    if momentum == 0.0 {
        velocity.fill(T::from_f64(f64::NAN));
    }
    let mut transposed = GuardedBuffer::<T>::at_end(TILE);
    let shrink = 0.01;
    let step = Weights { momentum: T::from_f64(momentum), shrink: T::from_f64(shrink) };
    let tile = Tile { weight: &mut weight, velocity: &mut velocity, transposed: &mut transposed };
    assert!(update_tile(level, phases, step, units, columns, tile));
    for i in 0..units {
        for j in 0..columns {
            let at = i * PANEL + j;
            let sum = |bits: &[u64], values: &[T]| -> f64 {
                let rows = 0..values.len() / PANEL;
                let on = rows.filter(|row| is_on(bits[row / 64 * 64 + i], row % 64));
                on.map(|row| values[row * PANEL + j].to_f64()).sum()
            };
            let gradient = scales[0] * sum(&plus, &values[0])
                + scales[1] * (sum(&minus, &values[1]) - sum(&gone, &values[1]));
            let kept = if momentum == 0.0 { 0.0 } else { momentum * old_velocity[at].to_f64() };
            let right = kept + gradient - shrink * old_weight[at].to_f64();
            let bound = 64.0 * T::EPSILON.to_f64() * (1.0 + rows[0].max(rows[1]) as f64);
            assert!((velocity[at].to_f64() - right).abs() < bound, "velocity ({i}, {j}) {}", velocity[at]);
            let right = old_weight[at].to_f64() + right;
            assert!((weight[at].to_f64() - right).abs() < bound, "weight ({i}, {j})");
            assert_eq!(transposed[j * PANEL + i], weight[at], "transposed ({i}, {j})");
        }
    }
    assert_eq!(weight[units * PANEL..], old_weight[units * PANEL..], "rows beyond {units}");
}

#[test]
fn a_tile_learns_from_both_phases() {
    for level in Level::available() {
        for (rows, units, columns, momentum) in [
            ([1, 1], 1, 1, 0.0),
            ([10, 10], 64, 20, 0.5),
            ([100, 100], 64, 64, 0.9),
            ([65, 7], 16, 52, 0.0),
            ([128, 130], 33, 48, 0.5),
        ] {
            check_update::<f32>(level, rows, units, columns, momentum);
            check_update::<f64>(level, rows, units, columns, momentum);
        }
    }
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
                let nothing = Phase { on: &[], off: &[], values: &[], scale: 1.0 };
                let step = Weights { momentum: 0.0, shrink: 0.0 };
                assert!(!update_tile(level, [nothing; 2], step, 64, 64, tile), "{bad} at {place}");
            }
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

#[test]
#[should_panic = "a list leads beyond 10 rows"]
fn lists_that_lead_beyond_the_values_panic() {
    let lists = lists(&[1 << 10; 64]);
    let values = vec![0.0_f32; 10 * PANEL];
    let phase = Phase { on: &lists, off: &[], values: &values, scale: 1.0 };
    let (mut weight, mut velocity, mut transposed) = (vec![0.0; TILE], vec![0.0; TILE], vec![0.0; TILE]);
    let tile = Tile { weight: &mut weight, velocity: &mut velocity, transposed: &mut transposed };
    update_tile(Level::PORTABLE, [phase; 2], Weights { momentum: 0.0, shrink: 0.0 }, 64, 64, tile);
}

#[test]
#[should_panic = "2 tiles from 0 every 4096 in 4096 elements"]
fn tiles_that_are_too_short_panic() {
    let tiles = Tiles { data: &[0.0_f32; TILE], first: 0, stride: TILE, count: 2 };
    add_rows(Level::PORTABLE, tiles, &[ActiveList::EMPTY; 2], &[], true, 64, &mut [0.0; PANEL]);
}
