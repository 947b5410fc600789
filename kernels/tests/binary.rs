//! Are the products with bits the sums that they stand for, at every level?

#[path = "support/guard.rs"]
mod guard;

use equilibria_kernels::binary::{
    GROUP, Occurrences, PANEL, SparseMut, SparseRows, Step, Sums, TILE, TabledRows, Tile, add_fewer_rows,
    add_rows, count_rows, dot_states, list_changes, list_fewer, list_occurrences, list_states, pack_states,
    panel_units, panels, sample, softplus_rises, subtract_outer_products, tables_len, tabulate,
    tile_products, transpose_states, transpose_tile, unpack_states, update_tile,
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

fn is_on(word: u64, place: usize) -> bool {
    word >> place & 1 == 1
}

/// Owned lists.
struct Lists<T> {
    starts: Vec<u32>,
    order: Vec<u32>,
    offsets: Vec<u32>,
    factors: Vec<T>,
}

impl<T: Scalar> Lists<T> {
    /// Room for `rows` rows of `most` entries, filled with what must not be read.
    fn new(rows: usize, most: usize) -> Self {
        let room = SparseMut::<T>::room(rows, most);
        Self {
            starts: vec![u32::MAX; rows + 1],
            order: vec![u32::MAX; rows],
            offsets: vec![u32::MAX; room],
            factors: vec![T::from_f64(f64::NAN); room],
        }
    }

    fn write(&mut self) -> SparseMut<'_, T> {
        SparseMut {
            starts: &mut self.starts,
            order: &mut self.order,
            offsets: &mut self.offsets,
            factors: &mut self.factors,
        }
    }

    fn read(&self) -> SparseRows<'_, T> {
        SparseRows {
            starts: &self.starts,
            order: &self.order,
            offsets: &self.offsets,
            factors: &self.factors,
        }
    }

    /// Whether `order` has all rows, many of them by rising length.
    fn is_ordered(&self) -> bool {
        let length = |&row: &u32| self.row(row as usize).len();
        let mut rows = self.order.clone();
        rows.sort_unstable();
        (self.order.len() < 32 || self.order.iter().map(length).is_sorted())
            && rows.iter().enumerate().all(|(i, &row)| i == row as usize)
    }

    /// Offset and factor of the entries of a row.
    fn row(&self, row: usize) -> Vec<(u32, f64)> {
        let entries = self.starts[row] as usize..self.starts[row + 1] as usize;
        let factor = |e: usize| self.factors.get(e).map_or(1.0, |factor| factor.to_f64());
        entries.map(|e| (self.offsets[e], factor(e))).collect()
    }
}

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
            // The last panel has only some units.
            let units = panels * 64 - 27;
            let mut states = to.to_vec();
            let last = &mut states[(panels - 1) * stride..];
            last.iter_mut().for_each(|word| *word &= (1 << 37) - 1);
            // Some rows have few units on, some many.
            states.iter_mut().step_by(2).for_each(|word| *word &= 0x5555_5555);
            let mut are_off = vec![false; rows];
            list_fewer(level, &states, units, stride, 10_000, lists.write(), &mut are_off);
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
fn lists_hold_the_active_units_and_the_changes() {
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
fn lists_hold_the_rows_in_which_a_unit_is_on() {
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

/// Lists with entries all over `weights` weights.
fn random_lists<T: Scalar>(rows: usize, most: usize, weights: usize, seed: u64) -> Lists<T> {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut below = |limit: usize| (generator.next_u64() % limit as u64) as usize;
    let order = (0..rows as u32).rev().collect();
    let mut lists = Lists { starts: vec![0], order, offsets: Vec::new(), factors: Vec::new() };
    for _ in 0..rows {
        for _ in 0..below(most + 1) {
            lists.offsets.push(below(weights - PANEL + 1) as u32);
            lists.factors.push(T::from_f64([1.0, -1.0, 0.375][below(3)]));
        }
        lists.starts.push(lists.offsets.len() as u32);
    }
    // The last 64 weights, too.
    lists.offsets.push((weights - PANEL) as u32);
    lists.factors.push(T::ONE);
    *lists.starts.last_mut().unwrap() += u32::from(rows > 0);
    lists
}

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
            add_fewer_rows(level, (&all, &are_off), &weights, lists.read(), from_zero, columns, &mut sums);
        } else {
            add_rows(level, &weights, lists.read(), from_zero, columns, &mut sums);
        }
        for (at, (&found, &start)) in sums.iter().zip(&start).enumerate() {
            let (row, column) = (at / PANEL, at % PANEL);
            if column >= columns.div_ceil(16) * 16 {
                assert_eq!(found, start, "column {column} of {columns} was touched");
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
fn lists_are_added_up() {
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
fn offsets_beyond_the_weights_are_not_followed() {
    for level in Level::available() {
        let mut weights = GuardedBuffer::<f32>::at_end(PANEL);
        weights.fill(2.0);
        let lists = Lists { starts: vec![0, 1], order: vec![0], offsets: vec![u32::MAX], factors: vec![1.5] };
        let mut sums = [0.0; PANEL];
        add_rows(level, &weights, lists.read(), true, PANEL, &mut sums);
        assert_eq!(sums, [3.0; PANEL]);
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
        let beyond = &probabilities[row * PANEL + units..(row + 1) * PANEL];
        assert!(beyond.iter().all(|&p| p == T::ZERO || p == -T::ONE), "units beyond the last");
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

/// ln(1 + e^x).
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// softplus(to x) - softplus(from x) to the last digits: the integral of x sigmoid(b x) over b by Gauss's rule on
/// pieces, where a difference would cancel.
fn exact_rise(from: f64, to: f64, x: f64) -> f64 {
    if (to - from) * x.abs() > 0.25 {
        return softplus(to * x) - softplus(from * x);
    }
    // Gauss-Legendre, 5 points: exact to 1e-17 of the value over so short a piece.
    let (near, far) = (0.538_469_310_105_683_1, 0.906_179_845_938_664);
    let (centre, inner, outer) = (0.568_888_888_888_888_9, 0.478_628_670_499_366_47, 0.236_926_885_056_189_1);
    let points = [(0.0, centre), (-near, inner), (near, inner), (-far, outer), (far, outer)];
    let half = (to - from) / 2.0;
    let sigmoid = |t: f64| 1.0 / (1.0 + (-(from + half + half * t) * x).exp());
    half * x * points.iter().map(|&(t, weight)| weight * sigmoid(t)).sum::<f64>()
}

/// Ranges from which `to` - `from` is exact: none, tiny, about as long as the limit between the two formulas, long.
const RANGES: [[f64; 2]; 8] = [
    [0.5, 0.5],
    [0.0, 1.0],
    [0.0, 0.001],
    [0.99999, 1.0],
    [0.5, 0.5001],
    [0.875, 0.88],
    [0.9375, 1.0],
    [0.25, 0.75],
];

fn check_rises<T: Scalar>(level: Level, units: usize, scale: f64) {
    const ROWS: usize = 7;
    let scaled = |x: Vec<T>| x.into_iter().map(|x| x * T::from_f64(scale)).collect::<Vec<T>>();
    let mut sums = GuardedBuffer::copy_of(&scaled(noise(ROWS * PANEL, units as u64)), true);
    // Not read: NaN would show.
    for row in sums.chunks_exact_mut(PANEL) {
        row[units..].fill(T::from_f64(f64::NAN));
    }
    let bias = GuardedBuffer::copy_of(&scaled(noise(units, 21)), true);
    for range in RANGES {
        let [from, to] = range.map(T::from_f64);
        let mut rises = GuardedBuffer::copy_of(&[T::from_f64(f64::NAN); ROWS], true);
        softplus_rises(level, [from, to], &sums, &bias, &mut rises);
        for (row, &found) in sums.chunks_exact(PANEL).zip(rises.iter()) {
            let (mut right, mut bound) = (0.0, 0.0);
            for (&sum, &bias) in row.iter().zip(bias.iter()) {
                let x = (sum + bias).to_f64();
                let term = exact_rise(from.to_f64(), to.to_f64(), x);
                right += term;
                bound += (27.0 + to.to_f64() * x.abs()) * T::EPSILON.to_f64() * term.abs();
            }
            let error = (found.to_f64() - right).abs();
            assert!(
                error <= bound,
                "{} {units} units times {scale}, from {from} to {to}: {found} is {error:e} from {right}, the \
                 bound is {bound:e}",
                level.name()
            );
        }
    }
}

#[test]
fn rises_of_softplus_do_not_cancel() {
    for level in Level::available() {
        for units in [1, 5, 16, 17, 40, 63, 64] {
            for scale in [0.01, 1.0, 6.0, 40.0] {
                check_rises::<f32>(level, units, scale);
                check_rises::<f64>(level, units, scale);
            }
        }
    }
}

#[test]
fn rises_of_softplus_go_to_their_limits() {
    for level in Level::available() {
        let of = |x: f32| {
            let mut rise = [0.0; 1];
            softplus_rises(level, [0.0, 1.0], &[x; PANEL], &[0.0; 1], &mut rise);
            rise[0]
        };
        assert!((of(1e6) - 1e6).abs() < 1.0 && (of(-1e6) + 2.0_f32.ln()).abs() < 1e-6, "{}", level.name());
        assert!(of(f32::NAN).is_nan(), "level {}", level.name());
        let mut none = [1.0; 2];
        softplus_rises(level, [0.0, 1.0], &[7.0; 2 * PANEL], &[], &mut none);
        assert_eq!(none, [0.0; 2], "no unit, level {}", level.name());
    }
}

#[test]
#[should_panic(expected = "must rise")]
fn a_softplus_that_falls_panics() {
    softplus_rises(Level::PORTABLE, [0.5, 0.4], &[1.0_f32; PANEL], &[0.0], &mut [0.0]);
}

fn check_dots<T: Scalar>(level: Level) {
    for units in [0, 1, 5, 16, 17, 40, 63, 64] {
        // Units beyond the last one do not count, even if they are on.
        let states = words(9, 64, 0.4, 70 + units as u64);
        let values = GuardedBuffer::copy_of(&noise::<T>(units, 71), true);
        let mut sums = GuardedBuffer::copy_of(&[T::from_f64(f64::NAN); 9], true);
        dot_states(level, &states, &values, &mut sums);
        for (&state, &found) in states.iter().zip(sums.iter()) {
            let on = values.iter().enumerate().filter(|&(j, _)| is_on(state, j));
            let right: f64 = on.map(|(_, value)| value.to_f64()).sum();
            let error = (found.to_f64() - right).abs();
            assert!(
                error < 64.0 * T::EPSILON.to_f64(),
                "{} {units} units: {found}, not {right}",
                level.name()
            );
        }
    }
}

#[test]
fn values_of_active_units_are_added_up() {
    for level in Level::available() {
        check_dots::<f32>(level);
        check_dots::<f64>(level);
    }
}

/// `gradient(i, j)` is what `sums` are.
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
fn a_tile_learns_what_its_lists_say() {
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
    // Bits beyond the last group of rows do not count.
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

/// Elements of the tables that are not written: columns that are not in use, and entries that have rows beyond the last.
fn expected_unused(rows: usize, columns: usize) -> usize {
    let entries: usize = (0..rows.div_ceil(GROUP)).map(|group| 1 << (rows - group * GROUP).min(GROUP)).sum();
    tables_len(rows) - entries * columns
}

#[test]
fn a_tile_learns_what_its_tables_say() {
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
fn tables_of_more_rows_than_a_word_has_panic() {
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
    // What is not kept is not read.
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

#[test]
#[should_panic = "lists of 2 entries in 2 offsets and 1 factors"]
fn lists_that_end_beyond_their_entries_panic() {
    let lists = SparseRows { starts: &[0, 2], order: &[0], offsets: &[0, 0], factors: &[1.0_f32] };
    add_rows(Level::PORTABLE, &[0.0; PANEL], lists, true, 64, &mut [0.0; PANEL]);
}

#[test]
#[should_panic = "2 starts, 1 places, 79 offsets and 80 factors for 1 rows of up to 64 entries"]
fn lists_without_room_panic() {
    let lists = SparseMut {
        starts: &mut [0; 2],
        order: &mut [0],
        offsets: &mut [0; 79],
        factors: &mut [0.0_f32; 80],
    };
    list_changes(Level::PORTABLE, [&[0], &[0]], 1, 1, 64, lists);
}

#[test]
#[should_panic = "an order of 1 for 1 rows"]
fn orders_that_lead_beyond_the_rows_panic() {
    let lists = SparseRows { starts: &[0, 0], order: &[1], offsets: &[], factors: &[0.0_f32; 0] };
    add_rows(Level::PORTABLE, &[0.0; PANEL], lists, true, 64, &mut [0.0; PANEL]);
}
