//! Are the reductions over pairs those of a plain loop, at every level, shape and alignment, and for extreme scores?

#[path = "support/guard.rs"]
mod guard;
#[path = "support/samples.rs"]
mod samples;

use equilibria_kernels::softmin::{
    Largest, Pairs, Source, exponentials, largest, largest_of_blocks, log_sum_exp,
};
use equilibria_kernels::{Level, Scalar};
use guard::GuardedBuffer;
use samples::uneven;

const KINDS: [&str; 5] = ["matrix", "products", "squared", "euclidean", "cityblock"];

/// The operands of a problem, next to unmapped pages.
struct Problem<T> {
    rows: usize,
    columns: usize,
    d: usize,
    scale: f64,
    costs: GuardedBuffer<T>,
    x: GuardedBuffer<T>,
    y: GuardedBuffer<T>,
    bias: GuardedBuffer<T>,
}

impl<T: Scalar> Problem<T> {
    fn new([rows, columns, d]: [usize; 3], scale: f64, at_end: bool) -> Self {
        let new = |length, seed| GuardedBuffer::copy_of(&uneven::<T>(length, seed), at_end);
        let mut bias = new(columns, 4);
        bias.iter_mut().for_each(|x| *x *= T::from_f64(scale));
        let (costs, x, y) = (new(rows * columns, 1), new(rows * d, 2), new(d * columns, 3));
        Self { rows, columns, d, scale, costs, x, y, bias }
    }

    fn pairs(&self, kind: &str) -> Pairs<'_, T> {
        let (x, y, d, scale) = (&*self.x, &*self.y, self.d, T::from_f64(self.scale));
        let source = match kind {
            "matrix" => Source::Matrix { costs: &self.costs, scale },
            "products" => Source::Products { x, y, d },
            "squared" => Source::SquaredEuclidean { x, y, d, scale },
            "euclidean" => Source::Euclidean { x, y, d, scale },
            _ => Source::CityBlock { x, y, d, scale },
        };
        Pairs { source, bias: &self.bias, rows: self.rows }
    }

    /// The score in f64.
    fn score(&self, kind: &str, i: usize, j: usize) -> f64 {
        let coordinates =
            || (0..self.d).map(|k| (self.x[i * self.d + k].to_f64(), self.y[k * self.columns + j].to_f64()));
        let term = match kind {
            "matrix" => -self.scale * self.costs[i * self.columns + j].to_f64(),
            "products" => coordinates().map(|(x, y)| x * y).sum(),
            "squared" => -self.scale * coordinates().map(|(x, y)| (x - y) * (x - y)).sum::<f64>(),
            "euclidean" => -self.scale * coordinates().map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt(),
            _ => -self.scale * coordinates().map(|(x, y)| (x - y).abs()).sum::<f64>(),
        };
        self.bias[j].to_f64() + term
    }
}

fn check<T: Scalar>(level: Level, shape: [usize; 3], scale: f64, at_end: bool) {
    let problem = Problem::<T>::new(shape, scale, at_end);
    let [rows, columns, d] = shape;
    for kind in KINDS {
        let context = format!("{kind} {shape:?}, scale {scale}, level {}", level.name());
        let pairs = problem.pairs(kind);
        // The rounding of a score in T.
        let rounding = T::EPSILON.to_f64() * (scale * (2.0 + 4.0 * d as f64) + d as f64);
        let mut sums = vec![0.0; rows];
        log_sum_exp(level, &pairs, &mut sums);
        let mut best = GuardedBuffer::copy_of(&vec![Largest::<T>::default(); rows], at_end);
        largest(level, &pairs, &mut best);
        for i in 0..rows {
            let scores: Vec<f64> = (0..columns).map(|j| problem.score(kind, i, j)).collect();
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let exact = top + scores.iter().map(|s| (s - top).exp()).sum::<f64>().ln();
            let bound = 2.0 * rounding + 8.0 * T::EPSILON.to_f64();
            let is_close = sums[i] == exact || (sums[i] - exact).abs() <= bound;
            assert!(is_close, "{context}: row {i} is {}, not {exact}", sums[i]);
            let (score, column) = (best[i].score.to_f64(), best[i].column as usize);
            let is_close = score == top || (score - top).abs() <= rounding;
            assert!(is_close, "{context}: largest of row {i} is {score}, not {top}");
            let is_there = columns == 0 || scores[column] >= top - 2.0 * rounding;
            assert!(is_there, "{context}: column {column} of row {i}");
        }
        for block in [1, 3, 16, 64] {
            let blocks = columns.div_ceil(block);
            let mut of_blocks = GuardedBuffer::copy_of(&vec![T::ZERO; rows * blocks], at_end);
            largest_of_blocks(level, &pairs, block, &mut of_blocks);
            for (at, found) in of_blocks.iter().enumerate() {
                let (i, first) = (at / blocks, at % blocks * block);
                let scores = (first..columns.min(first + block)).map(|j| problem.score(kind, i, j));
                let top = scores.fold(f64::NEG_INFINITY, f64::max);
                let is_close = (found.to_f64() - top).abs() <= rounding;
                assert!(is_close, "{context}: block {at} of {block} is {found:?}, not {top}");
            }
        }
        // A plan: e^(s - the sum of its row) has row sums of 1.
        let row: Vec<T> = sums.iter().map(|&x| T::from_f64(if x.is_finite() { -x } else { 0.0 })).collect();
        let mut plan = GuardedBuffer::copy_of(&vec![T::from_f64(f64::NAN); rows * columns], at_end);
        exponentials(level, &pairs, &row, &mut plan);
        for i in 0..rows {
            for j in 0..columns {
                let exact = (problem.score(kind, i, j) + row[i].to_f64()).exp();
                let found = plan[i * columns + j].to_f64();
                let bound = (2.0 * rounding + 4.0 * T::EPSILON.to_f64()) * exact + 2e-38;
                assert!((found - exact).abs() <= bound, "{context}: ({i}, {j}) is {found}, not {exact}");
            }
        }
    }
}

fn check_type<T: Scalar>() {
    for level in Level::available() {
        for at_end in [false, true] {
            for columns in (0..20).chain([31, 33, 130]) {
                for rows in [0, 1, 3, 4, 6] {
                    check::<T>(level, [rows, columns, columns % 5], 30.0, at_end);
                }
            }
            check::<T>(level, [5, 2100, 3], 500.0, at_end);
        }
    }
}

#[test]
fn sums_maxima_and_plans_are_those_of_a_plain_loop() {
    check_type::<f32>();
    check_type::<f64>();
}

fn row_of<T: Scalar>(level: Level, scores: &[f64]) -> (f64, Largest<T>) {
    let bias: Vec<T> = scores.iter().map(|&x| T::from_f64(x)).collect();
    let pairs = Pairs { source: Source::Products { x: &[], y: &[], d: 0 }, bias: &bias, rows: 1 };
    let (mut sum, mut best) = ([0.0], [Largest::default()]);
    log_sum_exp(level, &pairs, &mut sum);
    largest(level, &pairs, &mut best);
    (sum[0], best[0])
}

fn check_extremes<T: Scalar>() {
    let (infinity, big) = (f64::INFINITY, if T::FRACTION_BITS == 23 { 1e38 } else { 1e308 });
    for level in Level::available() {
        let name = level.name();
        let (sum, best) = row_of::<T>(level, &[-infinity; 7]);
        assert_eq!((sum, best.score.to_f64(), best.column), (-infinity, -infinity, 0), "{name}");
        for place in 0..40 {
            // Equal scores, also far from 0, beside places without mass.
            for top in [-big, -1000.0, 0.0, 1000.0, big] {
                let mut scores = [-infinity; 40];
                scores[place] = top;
                let (sum, best) = row_of::<T>(level, &scores);
                let top = T::from_f64(top).to_f64();
                assert_eq!((sum, best.score.to_f64(), best.column as usize), (top, top, place), "{name}");
            }
            // Rising and falling scores move the shift every time or never.
            let rising: Vec<f64> = (0..=place).map(|i| 40.0 * i as f64).collect();
            let falling: Vec<f64> = rising.iter().rev().copied().collect();
            for scores in [&rising, &falling] {
                let sum = row_of::<T>(level, scores).0;
                let exact = rising[place];
                assert!((sum - exact).abs() < 1e-15 + T::EPSILON.to_f64(), "{name}: {sum}, not {exact}");
            }
            let mut scores = [1.0; 40];
            scores[place] = f64::NAN;
            let (sum, best) = row_of::<T>(level, &scores);
            assert!(sum.is_nan(), "{name}");
            assert_eq!((best.score.to_f64(), best.column as usize), (1.0, usize::from(place == 0)), "{name}");
        }
    }
}

#[test]
fn infinite_huge_and_missing_scores_have_their_limits() {
    check_extremes::<f32>();
    check_extremes::<f64>();
}

fn check_flush<T: Scalar>() {
    // The exponents around that of the smallest normal number; far below, and without mass.
    let (least, infinity) = (T::LN_SMALLEST_NORMAL.to_f64(), f64::INFINITY);
    let exponents = [0.999 * least, least - 0.01, 1.001 * least, 1.1 * least, 2.0 * least, -1e30, -infinity];
    let bias: Vec<T> = exponents.iter().cycle().take(40).map(|&x| T::from_f64(x)).collect();
    let pairs = Pairs { source: Source::Products { x: &[], y: &[], d: 0 }, bias: &bias, rows: 1 };
    for level in Level::available() {
        let mut plan = vec![T::from_f64(f64::NAN); 40];
        exponentials(level, &pairs, &[T::ZERO], &mut plan);
        for (j, (found, x)) in plan.iter().zip(exponents.iter().cycle()).enumerate() {
            let exact = if *x < least { 0.0 } else { x.exp() };
            let error = (found.to_f64() - exact).abs();
            let bound = exact * 200.0 * T::EPSILON.to_f64();
            assert!(error <= bound, "{}: e^{x} at {j} is {found:?}, not {exact:e}", level.name());
        }
    }
}

#[test]
fn exponentials_below_the_smallest_normal_number_are_zero() {
    check_flush::<f32>();
    check_flush::<f64>();
}

#[test]
fn many_equal_terms_do_not_drift() {
    // Summed in f32 in one chain a lane, 2^21 terms would be off by about 1e-3, unless each is exactly 1.
    let count = 1 << 21;
    for (rest, tolerance) in [(0.25_f32, 1e-6), (-0.45, 1e-5)] {
        let mut bias = vec![rest; count];
        bias[0] = 0.25;
        let pairs = Pairs { source: Source::Products { x: &[], y: &[], d: 0 }, bias: &bias, rows: 1 };
        for level in Level::available() {
            let mut sum = [0.0];
            log_sum_exp(level, &pairs, &mut sum);
            let exact = 0.25 + (1.0 + (count - 1) as f64 * (f64::from(rest) - 0.25).exp()).ln();
            assert!((sum[0] - exact).abs() < tolerance, "{}: {sum:?}, not {exact}", level.name());
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (x, y, bias) = (uneven::<f32>(301 * 3, 1), uneven(3 * 1700, 2), uneven(1700, 3));
    let source = Source::Euclidean { x: &x, y: &y, d: 3, scale: 100.0 };
    let pairs = Pairs { source, bias: &bias, rows: 301 };
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let (mut sums, mut plan) = (vec![0.0; 301], vec![0.0; 301 * 1700]);
            let mut best = vec![Largest::default(); 301];
            log_sum_exp(Level::detect(), &pairs, &mut sums);
            largest(Level::detect(), &pairs, &mut best);
            exponentials(Level::detect(), &pairs, &[0.0; 301], &mut plan);
            (sums, best, plan)
        })
    };
    let right = run(1);
    assert!([2, 3, 5].iter().all(|&threads| run(threads) == right));
}

#[test]
#[should_panic(expected = "costs has length 5, a matrix of 2 rows and 3 columns does not")]
fn a_matrix_of_another_length_panics() {
    let pairs =
        Pairs { source: Source::Matrix { costs: &[0.0_f32; 5], scale: 1.0 }, bias: &[0.0; 3], rows: 2 };
    log_sum_exp(Level::PORTABLE, &pairs, &mut [0.0; 2]);
}
