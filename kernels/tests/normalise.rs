//! Do batch and layer normalisation, and their backward passes, agree with loops in f64 at every level, shape and
//! alignment?

#[path = "support/guard.rs"]
mod guard;
#[path = "support/samples.rs"]
mod samples;

use equilibria_kernels::normalise::{
    Batches, batch_backward, batch_forward, batch_infer, layer_curvature, layer_forward, layer_jacobian,
};
use equilibria_kernels::{Activation, Level, Scalar};
use guard::GuardedBuffer;
use samples::{lengths, uneven};

const EPSILON: f64 = 1e-5;

/// Widths around every multiple of the lanes and of the strips; the last one uses several tasks.
fn widths() -> impl Iterator<Item = usize> {
    lengths().filter(|width| (1..=600).contains(width)).chain([1030])
}

/// Numbers of some size around `mean`.
fn numbers<T: Scalar>(length: usize, seed: u64, mean: f64) -> Vec<T> {
    uneven::<T>(length, seed).iter().map(|x| T::from_f64(mean + x.to_f64())).collect()
}

fn wide<T: Scalar>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.to_f64()).collect()
}

/// Fails unless each of `found` is within `factor` EPSILON times its `size` of `exact`.
#[track_caller]
fn assert_close<T: Scalar>(found: &[T], exact: &[(f64, f64)], factor: f64, context: &str) {
    assert_eq!(found.len(), exact.len());
    for (i, (found, &(exact, size))) in found.iter().zip(exact).enumerate() {
        let (error, bound) = ((found.to_f64() - exact).abs(), factor * T::EPSILON.to_f64() * size);
        assert!(error <= bound, "{i} of {context}: {found} is {error:e} from {exact}, more than {bound:e}");
    }
}

fn over_batches(run: impl Fn(Level, Batches, bool, &str)) {
    for columns in widths() {
        for (batches, rows) in [(1, 2), (3, 5), (2, 64)] {
            for (level, at_end) in Level::available().flat_map(|level| [(level, false), (level, true)]) {
                let shape = Batches::new(batches, rows, columns);
                run(level, shape, at_end, &format!("{shape:?} at level {}", level.name()));
            }
        }
    }
}

/// The mean of `term` over the rows of a mini-batch.
fn mean(rows: usize, term: impl Fn(usize) -> f64) -> f64 {
    (0..rows).map(term).sum::<f64>() / rows as f64
}

fn check_batch_forward<T: Scalar>() {
    over_batches(|level, shape, at_end, context| {
        let [batches, rows, columns] = [shape.batches(), shape.rows(), shape.columns()];
        let length = batches * rows * columns;
        // The mean is large compared with the deviation.
        let x = GuardedBuffer::copy_of(&numbers::<T>(length, 1, 10.0), at_end);
        let gamma = GuardedBuffer::copy_of(&numbers::<T>(columns, 2, 1.0), at_end);
        let beta = GuardedBuffer::copy_of(&numbers::<T>(columns, 3, 0.0), at_end);
        let mut statistics = GuardedBuffer::<T>::at_end(batches * 3 * columns);
        let mut y = GuardedBuffer::<T>::at_end(length);
        let (epsilon, activation) = (T::from_f64(EPSILON), Activation::Tanh);
        batch_forward(level, &x, shape, (&gamma, &beta), epsilon, activation, &mut statistics, &mut y);
        let (x, gamma, beta) = (wide(&x), wide(&gamma), wide(&beta));
        let (mut of_columns, mut of_x) = (vec![(0.0, 0.0); statistics.len()], vec![(0.0, 0.0); length]);
        for batch in 0..batches {
            for j in 0..columns {
                let at = |i: usize| (batch * rows + i) * columns + j;
                let mu = mean(rows, |i| x[at(i)]);
                let v = mean(rows, |i| (x[at(i)] - mu).powi(2));
                let r = 1.0 / (v + EPSILON).sqrt();
                // The error of the mean is a few EPSILON of numbers around 10, and the differences from the mean have
                // the same error.
                let error_of_differences = 10.0 * r;
                for (which, value, size) in
                    [(0, mu, 10.0), (1, v, v + 10.0 * v.sqrt()), (2, r, r * error_of_differences)]
                {
                    of_columns[(3 * batch + which) * columns + j] = (value, size);
                }
                for i in 0..rows {
                    let normal = (x[at(i)] - mu) * r;
                    let size = 1.0 + gamma[j].abs() * error_of_differences * (1.0 + normal.abs());
                    of_x[at(i)] = ((gamma[j] * normal + beta[j]).tanh(), size);
                }
            }
        }
        assert_close(&statistics, &of_columns, 8.0 + rows as f64, &format!("statistics of {context}"));
        assert_close(&y, &of_x, 8.0 + rows as f64, &format!("y of {context}"));
    });
}

#[test]
fn columns_are_normalised_over_each_mini_batch() {
    check_batch_forward::<f32>();
    check_batch_forward::<f64>();
}

fn check_batch_infer<T: Scalar>() {
    over_batches(|level, shape, at_end, context| {
        let [batches, rows, columns] = [shape.batches(), shape.rows(), shape.columns()];
        let length = batches * rows * columns;
        let x = GuardedBuffer::copy_of(&numbers::<T>(length, 1, 0.0), at_end);
        let [gamma, beta, mean, variance] = [(2, 1.0), (3, 0.0), (4, 0.0), (5, 1.0)]
            .map(|(seed, middle)| GuardedBuffer::copy_of(&numbers::<T>(columns, seed, middle), at_end));
        let mut y = GuardedBuffer::<T>::at_end(length);
        let (epsilon, statistics) = (T::from_f64(EPSILON), (&mean[..], &variance[..]));
        batch_infer(level, &x, (&gamma, &beta), statistics, epsilon, Activation::Relu, &mut y);
        let exact: Vec<_> = (0..length)
            .map(|i| {
                let [x, gamma, beta, mean, variance] =
                    [x[i], gamma[i % columns], beta[i % columns], mean[i % columns], variance[i % columns]]
                        .map(Scalar::to_f64);
                let z = gamma * (x - mean) / (variance + EPSILON).sqrt() + beta;
                (z.max(0.0), 1.0 + (z - beta).abs())
            })
            .collect();
        assert_close(&y, &exact, 8.0, context);
    });
}

#[test]
fn columns_are_normalised_by_given_statistics() {
    check_batch_infer::<f32>();
    check_batch_infer::<f64>();
}

fn check_batch_backward<T: Scalar>() {
    over_batches(|level, shape, at_end, context| {
        let [batches, rows, columns] = [shape.batches(), shape.rows(), shape.columns()];
        let length = batches * rows * columns;
        let x = GuardedBuffer::copy_of(&numbers::<T>(length, 1, 0.0), at_end);
        let delta = GuardedBuffer::copy_of(&numbers::<T>(length, 2, 0.1), at_end);
        let gamma = GuardedBuffer::copy_of(&numbers::<T>(columns, 3, 1.0), at_end);
        // Any mean and r are possible.
        let statistics = GuardedBuffer::copy_of(&numbers::<T>(batches * 3 * columns, 4, 0.5), at_end);
        let mut sums = GuardedBuffer::<T>::at_end(batches * 2 * columns);
        let mut dx = GuardedBuffer::<T>::at_end(length);
        batch_backward(level, &x, &delta, shape, &gamma, &statistics, &mut sums, Some(&mut dx));
        let (x, delta, gamma, statistics) = (wide(&x), wide(&delta), wide(&gamma), wide(&statistics));
        let (mut of_sums, mut of_x) = (vec![(0.0, 0.0); sums.len()], vec![(0.0, 0.0); length]);
        for batch in 0..batches {
            for j in 0..columns {
                let at = |i: usize| (batch * rows + i) * columns + j;
                let (mu, r) =
                    (statistics[3 * batch * columns + j], statistics[(3 * batch + 2) * columns + j]);
                let normal = |i: usize| (x[at(i)] - mu) * r;
                let (all, along) = (mean(rows, |i| delta[at(i)]), mean(rows, |i| delta[at(i)] * normal(i)));
                let sizes =
                    (mean(rows, |i| delta[at(i)].abs()), mean(rows, |i| (delta[at(i)] * normal(i)).abs()));
                let n = rows as f64;
                of_sums[2 * batch * columns + j] = (n * all, n * sizes.0);
                of_sums[(2 * batch + 1) * columns + j] = (n * along, n * sizes.1);
                for i in 0..rows {
                    let value = gamma[j] * r * (delta[at(i)] - all - normal(i) * along);
                    let size = delta[at(i)].abs() + sizes.0 + normal(i).abs() * sizes.1;
                    of_x[at(i)] = (value, (gamma[j] * r).abs() * size);
                }
            }
        }
        assert_close(&sums, &of_sums, 4.0 + rows as f64, &format!("sums of {context}"));
        assert_close(&dx, &of_x, 8.0 + rows as f64, &format!("dx of {context}"));
        // The sums are the same if no dx is requested.
        let mut alone = GuardedBuffer::<T>::at_end(sums.len());
        let [x, delta, gamma, statistics] =
            [&x, &delta, &gamma, &statistics].map(|x| x.iter().map(|&x| T::from_f64(x)).collect::<Vec<_>>());
        batch_backward(level, &x, &delta, shape, &gamma, &statistics, &mut alone, None);
        assert!(alone.iter().eq(sums.iter()), "{context}");
    });
}

#[test]
fn the_backward_pass_includes_the_statistics_of_each_mini_batch() {
    check_batch_backward::<f32>();
    check_batch_backward::<f64>();
}

/// Rows of one width for layer normalisation: x^, r, and the numbers that they are computed from.
struct Rows<T: Scalar> {
    columns: usize,
    x: GuardedBuffer<T>,
    gamma: GuardedBuffer<T>,
    beta: GuardedBuffer<T>,
    normal: GuardedBuffer<T>,
    scales: GuardedBuffer<T>,
    y: GuardedBuffer<T>,
}

fn over_rows<T: Scalar>(run: impl Fn(Level, &Rows<T>, bool, &str)) {
    for columns in widths() {
        for (level, at_end) in Level::available().flat_map(|level| [(level, false), (level, true)]) {
            for rows in [0, 1, 13] {
                let x = GuardedBuffer::copy_of(&numbers::<T>(rows * columns, 1, 10.0), at_end);
                let gamma = GuardedBuffer::copy_of(&numbers::<T>(columns, 2, 1.0), at_end);
                let beta = GuardedBuffer::copy_of(&numbers::<T>(columns, 3, 0.0), at_end);
                let (mut normal, mut y) = (GuardedBuffer::at_end(x.len()), GuardedBuffer::at_end(x.len()));
                let mut scales = GuardedBuffer::at_end(rows);
                let (epsilon, activation) = (T::from_f64(EPSILON), Activation::Softplus);
                let of_columns = (&gamma[..], &beta[..]);
                layer_forward(level, &x, of_columns, epsilon, activation, &mut normal, &mut scales, &mut y);
                let context = format!("{rows} rows of {columns} at level {}", level.name());
                run(level, &Rows { columns, x, gamma, beta, normal, scales, y }, at_end, &context);
            }
        }
    }
}

fn check_layer_forward<T: Scalar>() {
    over_rows::<T>(|_, rows, _, context| {
        let columns = rows.columns;
        let (x, gamma, beta) = (wide(&rows.x), wide(&rows.gamma), wide(&rows.beta));
        let (mut normal, mut scales, mut y) = (Vec::new(), Vec::new(), Vec::new());
        for x in x.chunks(columns) {
            let mu = mean(columns, |j| x[j]);
            let r = 1.0 / (mean(columns, |j| (x[j] - mu).powi(2)) + EPSILON).sqrt();
            let error_of_differences = 10.0 * r;
            scales.push((r, r * error_of_differences));
            for j in 0..columns {
                let of_normal = ((x[j] - mu) * r, error_of_differences * (1.0 + ((x[j] - mu) * r).abs()));
                let z = gamma[j] * of_normal.0 + beta[j];
                normal.push(of_normal);
                y.push((z.max(0.0) + (-z.abs()).exp().ln_1p(), 1.0 + z.abs() + gamma[j].abs() * of_normal.1));
            }
        }
        for (found, exact) in [(&rows.normal, normal), (&rows.scales, scales), (&rows.y, y)] {
            assert_close(found, &exact, 32.0, context);
        }
    });
}

#[test]
fn rows_are_normalised() {
    check_layer_forward::<f32>();
    check_layer_forward::<f64>();
}

/// J d, with the size of its terms.
fn jacobian(normal: &[f64], r: f64, d: &[f64]) -> Vec<(f64, f64)> {
    let n = d.len();
    let (all, along) = (mean(n, |j| d[j]), mean(n, |j| d[j] * normal[j]));
    let sizes = (mean(n, |j| d[j].abs()), mean(n, |j| (d[j] * normal[j]).abs()));
    let of = |j: usize| {
        let size = d[j].abs() + sizes.0 + normal[j].abs() * sizes.1;
        (r * (d[j] - all - normal[j] * along), r * size)
    };
    (0..n).map(of).collect()
}

fn check_layer_jacobian<T: Scalar>() {
    over_rows::<T>(|level, rows, at_end, context| {
        let columns = rows.columns;
        let d = GuardedBuffer::copy_of(&numbers::<T>(rows.x.len(), 5, 0.1), at_end);
        for gamma in [None, Some(&rows.gamma[..])] {
            let mut out = GuardedBuffer::<T>::at_end(d.len());
            layer_jacobian(level, (&rows.normal, &rows.scales), gamma, &d, &mut out);
            let (normal, scales, d) = (wide(&rows.normal), wide(&rows.scales), wide(&d));
            let gamma = gamma.map_or(vec![1.0; columns], wide);
            let exact: Vec<_> = (0..scales.len())
                .flat_map(|row| {
                    let of_row = row * columns..(row + 1) * columns;
                    let d: Vec<_> =
                        d[of_row.clone()].iter().zip(&gamma).map(|(d, gamma)| d * gamma).collect();
                    jacobian(&normal[of_row], scales[row], &d)
                })
                .collect();
            assert_close(&out, &exact, 32.0, context);
        }
    });
}

#[test]
fn rows_are_multiplied_by_their_jacobian() {
    check_layer_jacobian::<f32>();
    check_layer_jacobian::<f64>();
}

fn check_layer_curvature<T: Scalar>() {
    over_rows::<T>(|level, rows, at_end, context| {
        let columns = rows.columns;
        let [delta, tangent, e] =
            [5, 6, 7].map(|seed| GuardedBuffer::copy_of(&numbers::<T>(rows.x.len(), seed, 0.1), at_end));
        for e in [None, Some(&e[..])] {
            let mut out = GuardedBuffer::<T>::at_end(delta.len());
            let normal = (&rows.normal[..], &rows.scales[..]);
            layer_curvature(level, normal, &rows.gamma, &delta, &tangent, e, &mut out);
            let (normal, scales, gamma) = (wide(&rows.normal), wide(&rows.scales), wide(&rows.gamma));
            let (delta, t) = (wide(&delta), wide(&tangent));
            let e = e.map_or(vec![0.0; delta.len()], wide);
            let mut exact = Vec::new();
            for (row, &r) in scales.iter().enumerate() {
                let at = |j: usize| row * columns + j;
                let normal = &normal[row * columns..(row + 1) * columns];
                let dot = |x: &dyn Fn(usize) -> f64, y: &dyn Fn(usize) -> f64| {
                    (0..columns).map(|j| x(j) * y(j)).sum::<f64>()
                };
                let a = |j: usize| gamma[j] * delta[at(j)];
                let (t, x) = (|j: usize| t[at(j)], |j: usize| normal[j]);
                let through: Vec<f64> = jacobian(normal, r, &(0..columns).map(t).collect::<Vec<_>>())
                    .iter()
                    .map(|value| value.0)
                    .collect();
                let s = dot(&a, &|j| through[j]);
                let share = r / columns as f64;
                let w: Vec<f64> = (0..columns)
                    .map(|j| gamma[j] * e[at(j)] - share * (dot(&t, &x) * a(j) + dot(&a, &x) * t(j)))
                    .collect();
                let size = |j: usize| {
                    // Sums of products of numbers around 0.
                    let products = share * columns as f64 * 12.0;
                    r * (1.0 + products) * (1.0 + products) * (1.0 + x(j).abs())
                };
                let through = jacobian(normal, r, &w);
                exact.extend((0..columns).map(|j| (through[j].0 - share * s * x(j), size(j))));
            }
            assert_close(&out, &exact, 64.0, context);
        }
    });
}

#[test]
fn the_curvature_is_the_gradient_of_a_jacobian_product() {
    check_layer_curvature::<f32>();
    check_layer_curvature::<f64>();
}

#[test]
#[should_panic(expected = "gamma has length 4, a row of x has length 5")]
fn a_scale_of_another_width_panics() {
    let shape = Batches::new(1, 2, 5);
    let gammas = (&[1.0_f32; 4][..], &[0.0; 5][..]);
    let (mut statistics, mut y) = ([0.0; 15], [0.0; 10]);
    batch_forward(
        Level::PORTABLE,
        &[0.0; 10],
        shape,
        gammas,
        1e-5,
        Activation::Identity,
        &mut statistics,
        &mut y,
    );
}
