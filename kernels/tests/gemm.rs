//! Is the matrix product correct at every level, for every path, shape, stride and number of threads?

#[path = "support/guard.rs"]
mod guard;

use equilibria_kernels::gemm::workspace_len;
use equilibria_kernels::{
    Activation, Epilogue, Level, MatrixMut, MatrixRef, MatrixScalar, Scalar, activation, gemm,
    gemm_times_slope,
};
use guard::GuardedBuffer;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Irregular numbers in [-1, 1), so that a wrong index is detected.
fn noise<T: Scalar>(len: usize, seed: u64) -> Vec<T> {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    (0..len).map(|_| T::from_f64((generator.next_u64() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0)).collect()
}

/// Strides of a rows x columns matrix, and the length that holds it.
fn layout(kind: usize, rows: usize, columns: usize) -> (usize, usize, usize) {
    let (row, column) = match kind {
        0 => (columns, 1),
        1 => (1, rows),
        2 => (columns + 3, 1),
        3 => (1, rows + 5),
        _ => (3 * columns + 7, 3),
    };
    let span = if rows * columns == 0 { 0 } else { (rows - 1) * row + (columns - 1) * column + 1 };
    (row, column, span)
}

struct Case {
    m: usize,
    n: usize,
    k: usize,
    layouts: [usize; 3],
    alpha: f64,
    beta: f64,
    bias: bool,
    activation: fn(f64) -> f64,
    kernel: Activation<f64>,
}

fn convert<T: Scalar>(activation: Activation<f64>) -> Activation<T> {
    match activation {
        Activation::Relu => Activation::Relu,
        Activation::LeakyRelu { slope } => Activation::LeakyRelu { slope: T::from_f64(slope) },
        Activation::Sigmoid => Activation::Sigmoid,
        Activation::Tanh => Activation::Tanh,
        _ => Activation::Identity,
    }
}

/// Compares a case with the textbook's three loops in f64; operands end next to unmapped pages.
fn check<T: MatrixScalar>(level: Level, case: &Case) {
    let &Case { m, n, k, layouts, .. } = case;
    let (a_row, a_column, a_len) = layout(layouts[0], m, k);
    let (b_row, b_column, b_len) = layout(layouts[1], k, n);
    let (c_row, c_column, c_len) = layout(layouts[2], m, n);
    let guarded = |values: Vec<T>| {
        let mut buffer = GuardedBuffer::at_end(values.len());
        buffer.copy_from_slice(&values);
        buffer
    };
    let (a, b) = (guarded(noise::<T>(a_len, 1)), guarded(noise::<T>(b_len, 2)));
    let old = noise::<T>(c_len, 3);
    let bias = noise::<T>(n, 4);
    let mut c = guarded(old.clone());
    if case.beta == 0.0 {
        c.fill(T::from_f64(f64::NAN));
    }
    let mut workspace = vec![T::from_f64(f64::NAN); workspace_len::<T>(level, m, n, k)];
    gemm(
        level,
        T::from_f64(case.alpha),
        MatrixRef::with_strides(&a, m, k, a_row, a_column),
        MatrixRef::with_strides(&b, k, n, b_row, b_column),
        T::from_f64(case.beta),
        MatrixMut::with_strides(&mut c, m, n, c_row, c_column),
        Epilogue { bias: case.bias.then_some(&bias), activation: convert(case.kernel) },
        &mut workspace,
    );
    let mut touched = vec![false; c_len];
    for i in 0..m {
        for j in 0..n {
            let (mut sum, mut magnitude) = (0.0, 0.0);
            for d in 0..k {
                let term = a[i * a_row + d * a_column].to_f64() * b[d * b_row + j * b_column].to_f64();
                sum += term;
                magnitude += term.abs();
            }
            let place = i * c_row + j * c_column;
            touched[place] = true;
            let mut expected = case.alpha * sum;
            if case.beta != 0.0 {
                expected += case.beta * old[place].to_f64();
            }
            if case.bias {
                expected += bias[j].to_f64();
            }
            let expected = (case.activation)(expected);
            let found = c[place].to_f64();
            // The rounding error of a chain of k grows like sqrt(k).
            let chain = (2.0 + 0.2 * (k as f64).sqrt()) * case.alpha.abs() * magnitude;
            let bound = T::EPSILON.to_f64() * (chain + 8.0);
            assert!(
                (found - expected).abs() <= bound,
                "{} {} x {} x {} layouts {:?} alpha {} beta {} at ({i}, {j}): {found}, not {expected}",
                level.name(),
                m,
                n,
                k,
                layouts,
                case.alpha,
                case.beta
            );
        }
    }
    for (place, &touched) in touched.iter().enumerate() {
        let was = if case.beta == 0.0 { f64::NAN } else { old[place].to_f64() };
        let is = c[place].to_f64();
        assert!(touched || is == was || is.is_nan() && was.is_nan(), "a gap of C was written");
    }
}

fn check_all(case: &Case) {
    for level in Level::available() {
        check::<f32>(level, case);
        check::<f64>(level, case);
    }
}

fn plain(m: usize, n: usize, k: usize) -> Case {
    Case {
        m,
        n,
        k,
        layouts: [0, 0, 0],
        alpha: 1.0,
        beta: 0.0,
        bias: false,
        activation: |x| x,
        kernel: Activation::Identity,
    }
}

#[test]
fn every_small_shape_gives_the_textbook_product() {
    for m in [0, 1, 2, 3, 5, 6, 7, 11, 12, 13, 25] {
        for n in [0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 49, 65] {
            for k in [0, 1, 2, 5, 8, 17, 33] {
                check_all(&plain(m, n, k));
            }
        }
    }
}

#[test]
fn every_combination_of_strides_gives_the_textbook_product() {
    for (m, n, k) in [(7, 19, 11), (13, 33, 40), (30, 70, 20)] {
        for a in 0..5 {
            for b in 0..5 {
                for c in 0..5 {
                    check_all(&Case { layouts: [a, b, c], alpha: 0.5, beta: -1.5, ..plain(m, n, k) });
                }
            }
        }
    }
}

#[test]
fn blocked_shapes_give_the_textbook_product() {
    // More than one block of k and of m, and more than one panel of n; edges on each side.
    for (m, n, k) in [(49, 133, 600), (261, 65, 300), (30, 1100, 40), (530, 40, 270)] {
        check_all(&plain(m, n, k));
        check_all(&Case { layouts: [1, 1, 0], beta: 1.0, ..plain(m, n, k) });
        check_all(&Case { layouts: [0, 1, 4], beta: 2.0, ..plain(m, n, k) });
    }
}

/// Rows of A that are whole pages apart compete for one set of L1, and are copied if C is wide.
#[test]
fn rows_that_share_a_cache_set_give_the_textbook_product() {
    for n in [500, 1100] {
        check_all(&plain(13, n, 1024));
    }
}

#[test]
fn the_epilogue_is_applied_once_on_every_path() {
    type Pair = (Activation<f64>, fn(f64) -> f64);
    let activations: [Pair; 5] = [
        (Activation::Identity, |x| x),
        (Activation::Relu, |x| x.max(0.0)),
        (Activation::LeakyRelu { slope: 0.2 }, |x| if x < 0.0 { 0.2 * x } else { x }),
        (Activation::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        (Activation::Tanh, f64::tanh),
    ];
    for (kernel, activation) in activations {
        for (m, n, k) in [(3, 37, 5), (9, 20, 700), (40, 150, 30), (26, 90, 600)] {
            for c in [0, 1, 2, 4] {
                let case = Case { bias: true, kernel, activation, layouts: [0, 0, c], ..plain(m, n, k) };
                check_all(&case);
                check_all(&Case { bias: false, beta: 0.5, alpha: 2.0, layouts: [1, 1, c], ..case });
            }
        }
    }
}

/// Compares a product times slopes with the product followed by the slopes, which are tested elsewhere.
fn check_slopes<T: MatrixScalar>(
    level: Level,
    (m, n, k): (usize, usize, usize),
    activation: Activation<T>,
    wide: usize,
) {
    let (a, b) = (noise::<T>(m * k, 1), noise::<T>(k * n, 2));
    // Outputs in rows of their own width; C contiguous along its rows or its columns.
    let outputs = noise::<T>(m * (n + wide), 3);
    let y = MatrixRef::with_strides(&outputs, m, n, n + wide, 1);
    let mut workspace = vec![T::from_f64(f64::NAN); workspace_len::<T>(level, m, n, k)];
    let mut plain = vec![T::from_f64(f64::NAN); m * n];
    let (a, b) = (MatrixRef::new(&a, m, k), MatrixRef::with_strides(&b, k, n, 1, k));
    let c = MatrixMut::new(&mut plain, m, n);
    gemm(level, T::from_f64(0.5), a, b, T::ZERO, c, Epilogue::NONE, &mut workspace);
    for i in 0..m {
        let y = &outputs[i * (n + wide)..][..n];
        activation::times_slope_in_place(level, activation, y, &mut plain[i * n..(i + 1) * n]);
    }
    for (row, column) in [(n, 1), (1, m)] {
        let mut times_slope = vec![T::from_f64(f64::NAN); m * n];
        let c = MatrixMut::with_strides(&mut times_slope, m, n, row, column);
        gemm_times_slope(level, T::from_f64(0.5), a, b, c, activation, y, &mut workspace);
        for i in 0..m {
            for j in 0..n {
                let (found, expected) = (times_slope[i * row + j * column], plain[i * n + j]);
                let what = format!("{} {m} x {n} x {k} {activation:?} strides {row} {column}", level.name());
                // If C is contiguous along its columns, the chain of additions may differ.
                let bound = 1e-5_f64.min(8.0 * T::EPSILON.to_f64() * k as f64);
                assert!(
                    (found.to_f64() - expected.to_f64()).abs() <= if column == 1 { 0.0 } else { bound },
                    "{what} at ({i}, {j}): {found}, not {expected}"
                );
            }
        }
    }
}

#[test]
fn slopes_multiply_a_product_once_on_every_path() {
    for shape in
        [(1, 1, 1), (2, 37, 5), (3, 37, 5), (9, 20, 700), (40, 150, 30), (26, 90, 600), (64, 512, 256)]
    {
        for level in Level::available() {
            for wide in [0, 3] {
                check_slopes::<f32>(level, shape, Activation::Identity, wide);
                check_slopes::<f32>(level, shape, Activation::LeakyRelu { slope: 0.2 }, wide);
                check_slopes::<f64>(level, shape, Activation::Tanh, wide);
                check_slopes::<f64>(level, shape, Activation::Relu, wide);
            }
        }
    }
}

#[test]
#[should_panic(expected = "outputs (2, 2) for a product (3, 2)")]
fn outputs_of_another_shape_are_refused() {
    let (a, b, mut c) = ([0.0_f32; 12], [0.0; 8], [0.0; 6]);
    let (a, b, c) = (MatrixRef::new(&a, 3, 4), MatrixRef::new(&b, 4, 2), MatrixMut::new(&mut c, 3, 2));
    let y = MatrixRef::new(&[0.0; 4], 2, 2);
    gemm_times_slope(Level::PORTABLE, 1.0, a, b, c, Activation::Relu, y, &mut []);
}

#[cfg(feature = "parallel")]
#[test]
fn every_number_of_threads_gives_the_same_bits() {
    for (m, n, k) in [(100, 500, 784), (64, 3000, 48), (700, 90, 300), (2, 5000, 300), (5000, 3, 300)] {
        let (a, b) = (noise::<f32>(m * k, 5), noise::<f32>(k * n, 6));
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                let level = Level::detect();
                let mut c = vec![0.0; m * n];
                let mut workspace = vec![0.0; workspace_len::<f32>(level, m, n, k)];
                let (a, b) = (MatrixRef::new(&a, m, k), MatrixRef::new(&b, k, n));
                let c_view = MatrixMut::new(&mut c, m, n);
                gemm(level, 1.0, a, b, 0.0, c_view, Epilogue::NONE, &mut workspace);
                c
            })
        };
        let one = run(1);
        for threads in [2, 3, 4, 7, 16] {
            assert!(run(threads) == one, "{m} x {n} x {k} differs on {threads} threads");
        }
    }
}

#[test]
#[should_panic(expected = "(3, 4) times (5, 2) does not give (3, 2)")]
fn shapes_that_do_not_match_are_refused_with_both_sizes() {
    let (a, b, mut c) = ([0.0_f32; 12], [0.0; 10], [0.0; 6]);
    let (a, b) = (MatrixRef::new(&a, 3, 4), MatrixRef::new(&b, 5, 2));
    gemm(Level::PORTABLE, 1.0, a, b, 0.0, MatrixMut::new(&mut c, 3, 2), Epilogue::NONE, &mut []);
}

#[test]
#[should_panic(expected = "overlaps itself")]
fn an_output_that_overlaps_itself_is_refused() {
    MatrixMut::with_strides(&mut [0.0_f32; 12], 3, 4, 1, 1);
}
