//! Layer normalisation: each row is normalised separately.

use crate::activation::{Activation, with_activation};
use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::{Function, Map2, check_equal, check_matrix};
use crate::reduce::{Dot, Sum};
use crate::threads::{self, SharedMut};
use core::ops::Range;

/// Elements per task: some microseconds of work.
const TASK: usize = 1 << 13;

/// Calls `run(rows)` for blocks of the rows, in parallel. Does nothing if there are no columns.
fn over_rows(rows: usize, columns: usize, run: &(impl Fn(Range<usize>) + Sync)) {
    if columns == 0 {
        return;
    }
    let block = (TASK / columns).max(1);
    threads::for_each(rows.div_ceil(block), &|task, _| run(task * block..rows.min((task + 1) * block)));
}

/// Normalises each row, scales, shifts and activates: y = φ(gamma x^ + beta).
///
/// **Shapes** `x`, `normal` (becomes x^) and `y` (rows, columns); `gamma`, `beta` (columns); `scales` (rows; becomes
/// r).
///
/// **Panics** if the lengths do not match.
///
/// **Accuracy and cost** Sums as [`reduce::sum`](crate::reduce::sum). One pass over memory.
#[allow(clippy::too_many_arguments)]
#[track_caller]
pub fn layer_forward<T: Scalar>(
    level: Level,
    x: &[T],
    (gamma, beta): (&[T], &[T]),
    epsilon: T,
    activation: Activation<T>,
    normal: &mut [T],
    scales: &mut [T],
    y: &mut [T],
) {
    let (rows, columns) = (scales.len(), gamma.len());
    check_equal("beta", beta.len(), "gamma", columns);
    check_matrix("x", x.len(), rows, columns);
    check_equal("x", x.len(), "normal", normal.len());
    check_equal("x", x.len(), "y", y.len());
    let (normal, scales) = (SharedMut(normal.as_mut_ptr()), SharedMut(scales.as_mut_ptr()));
    let y = SharedMut(y.as_mut_ptr());
    over_rows(rows, columns, &|rows| {
        let (normal, scales, y) = (&normal, &scales, &y);
        let elements = rows.start * columns..rows.end * columns;
        // SAFETY: each task has its own rows, in slices whose lengths were checked.
        let (normal, scales, y) =
            unsafe { (normal.slice(elements.clone()), scales.slice(rows), y.slice(elements.clone())) };
        let x = &x[elements];
        with_activation!(activation, function => {
            dispatch(level, Forward { x, gamma, beta, epsilon, function, normal, scales, y });
        });
    });
}

struct Forward<'a, T, F> {
    x: &'a [T],
    gamma: &'a [T],
    beta: &'a [T],
    epsilon: T,
    function: F,
    normal: &'a mut [T],
    scales: &'a mut [T],
    y: &'a mut [T],
}

impl<T: Scalar, F: Function<T>> Operation<T> for Forward<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let columns = self.gamma.len();
        let share = T::from_f64(1.0 / columns as f64);
        let rows = self.x.chunks_exact(columns).zip(self.normal.chunks_exact_mut(columns));
        for (((x, normal), y), scale) in rows.zip(self.y.chunks_exact_mut(columns)).zip(self.scales) {
            let mean = Sum(x).run(lanes) * share;
            let squares = {
                let mean = lanes.splat(mean);
                let mut squares = [lanes.zero(); 2];
                for (i, first) in (0..columns).step_by(L::COUNT).enumerate() {
                    let count = (columns - first).min(L::COUNT);
                    // SAFETY: first + count <= columns.
                    unsafe {
                        let d = lanes.sub(lanes.load_first(x.as_ptr().add(first), count), mean);
                        lanes.store_first(normal.as_mut_ptr().add(first), d, count);
                        // Lanes beyond the row would hold -mean, so the stored values are read back.
                        let d = lanes.load_first(normal.as_ptr().add(first), count);
                        squares[i % 2] = lanes.mul_add(d, d, squares[i % 2]);
                    }
                }
                lanes.sum(lanes.add(squares[0], squares[1]))
            };
            let deviation = lanes.sqrt(lanes.splat(squares * share + self.epsilon));
            let r = lanes.div(lanes.splat(T::ONE), deviation);
            *scale = lanes.to_array(r)[0];
            for first in (0..columns).step_by(L::COUNT) {
                let count = (columns - first).min(L::COUNT);
                // SAFETY: first + count <= columns, which gamma, beta and every row have.
                unsafe {
                    let address = normal.as_mut_ptr().add(first);
                    let x = lanes.mul(lanes.load_first(address, count), r);
                    let gamma = lanes.load_first(self.gamma.as_ptr().add(first), count);
                    let beta = lanes.load_first(self.beta.as_ptr().add(first), count);
                    lanes.store_first(address, x, count);
                    let z = lanes.mul_add(x, gamma, beta);
                    lanes.store_first(y.as_mut_ptr().add(first), self.function.apply(lanes, z), count);
                }
            }
        }
    }
}

/// Multiplies each row by the Jacobian of x^: out = J (gamma d), or J d without a gamma.
///
/// With gamma and d = dL/dz, this is dL/dx, because J is symmetric; without gamma, it carries a tangent forward.
/// Elements below [`Scalar::TINY`] in size become 0.
///
/// **Shapes** `normal` and `scales` as [`layer_forward`] wrote them; `d` and `out` (rows, columns).
///
/// **Panics** if the lengths do not match.
#[track_caller]
pub fn layer_jacobian<T: Scalar>(
    level: Level,
    (normal, scales): (&[T], &[T]),
    gamma: Option<&[T]>,
    d: &[T],
    out: &mut [T],
) {
    let rows = scales.len();
    check_equal("normal", normal.len(), "d", d.len());
    check_equal("normal", normal.len(), "out", out.len());
    let columns = normal.len() / rows.max(1);
    check_equal("normal", normal.len(), "its rows", rows * columns);
    if let Some(gamma) = gamma
        && rows > 0
    {
        check_equal("gamma", gamma.len(), "a row", columns);
    }
    let out = SharedMut(out.as_mut_ptr());
    over_rows(rows, columns, &|rows| {
        let (shared, elements) = (&out, rows.start * columns..rows.end * columns);
        // SAFETY: each task has its own rows, in a slice whose length was checked.
        let out = unsafe { shared.slice(elements.clone()) };
        let (normal, d) = (&normal[elements.clone()], &d[elements]);
        dispatch(level, Jacobian { columns, normal, scales: &scales[rows], gamma, d, out });
    });
}

struct Jacobian<'a, T> {
    columns: usize,
    normal: &'a [T],
    scales: &'a [T],
    gamma: Option<&'a [T]>,
    d: &'a [T],
    out: &'a mut [T],
}

/// x y.
#[derive(Clone, Copy)]
struct Product;

impl<T: Scalar> crate::map::Function2<T> for Product {
    #[inline(always)]
    fn apply<L: Lanes<Scalar = T>>(self, lanes: L, x: L::Vector, y: L::Vector) -> L::Vector {
        lanes.mul(x, y)
    }
}

impl<T: Scalar> Operation<T> for Jacobian<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let columns = self.columns;
        let share = T::from_f64(1.0 / columns as f64);
        let rows = self.normal.chunks_exact(columns).zip(self.d.chunks_exact(columns));
        for (((normal, d), out), &r) in rows.zip(self.out.chunks_exact_mut(columns)).zip(self.scales) {
            match self.gamma {
                Some(gamma) => Map2::new(Product, d, gamma, out).run(lanes),
                None => out.copy_from_slice(d),
            }
            let mean = lanes.splat(Sum(out).run(lanes) * share);
            let along = lanes.splat(Dot(out, normal).run(lanes) * share);
            let r = lanes.splat(r);
            for first in (0..columns).step_by(L::COUNT) {
                let count = (columns - first).min(L::COUNT);
                // SAFETY: first + count <= columns, which every row has.
                unsafe {
                    let address = out.as_mut_ptr().add(first);
                    let x = lanes.load_first(normal.as_ptr().add(first), count);
                    let rest = lanes.mul_add(x, along, mean);
                    let value = lanes.mul(r, lanes.sub(lanes.load_first(address, count), rest));
                    lanes.store_first(address, lanes.flush_below(T::TINY, value), count);
                }
            }
        }
    }
}

/// The gradient with respect to x of (gamma delta) . J(x) t + e . z(x), where z = gamma x^(x) + beta, with delta, t and
/// e constant.
///
/// This is the backward pass through x^ and through its Jacobian together. With a = gamma delta and S = a . J t,
///
/// ```text
/// out = J (gamma e - r/n ((t . x^) a + (a . x^) t)) - r/n S x^
/// ```
///
/// Elements below [`Scalar::TINY`] in size become 0.
///
/// **Shapes** `normal` and `scales` as [`layer_forward`] wrote them; `gamma` (columns); `delta`, `tangent` (t), `e` and
/// `out` (rows, columns). `None` for `e` means 0.
///
/// **Panics** if the lengths do not match.
#[track_caller]
pub fn layer_curvature<T: Scalar>(
    level: Level,
    (normal, scales): (&[T], &[T]),
    gamma: &[T],
    delta: &[T],
    tangent: &[T],
    e: Option<&[T]>,
    out: &mut [T],
) {
    let (rows, columns) = (scales.len(), gamma.len());
    check_matrix("normal", normal.len(), rows, columns);
    check_equal("normal", normal.len(), "delta", delta.len());
    check_equal("normal", normal.len(), "tangent", tangent.len());
    check_equal("normal", normal.len(), "out", out.len());
    if let Some(e) = e {
        check_equal("normal", normal.len(), "e", e.len());
    }
    let out = SharedMut(out.as_mut_ptr());
    over_rows(rows, columns, &|rows| {
        let shared = &out;
        for row in rows {
            let range = row * columns..(row + 1) * columns;
            // SAFETY: each task has its own rows, in a slice whose length was checked.
            let out = unsafe { shared.slice(range.clone()) };
            let [normal, delta, tangent] = [normal, delta, tangent].map(|x| &x[range.clone()]);
            let e = e.map(|e| &e[range]);
            dispatch(level, Curvature { normal, scale: scales[row], gamma, delta, tangent, e, out });
        }
    });
}

/// The computation of one row.
struct Curvature<'a, T> {
    normal: &'a [T],
    scale: T,
    gamma: &'a [T],
    delta: &'a [T],
    tangent: &'a [T],
    e: Option<&'a [T]>,
    out: &'a mut [T],
}

/// x^, a = gamma delta, t and c = gamma e.
struct Quartet<V> {
    x: V,
    a: V,
    t: V,
    c: V,
}

impl<T: Scalar> Curvature<'_, T> {
    /// Loads `count` columns starting at `first`.
    ///
    /// # Safety
    /// They exist.
    #[inline(always)]
    unsafe fn quartet<L: Lanes<Scalar = T>>(
        &self,
        lanes: L,
        first: usize,
        count: usize,
    ) -> Quartet<L::Vector> {
        // SAFETY: the caller guarantees the columns, which every row has.
        unsafe {
            let gamma = lanes.load_first(self.gamma.as_ptr().add(first), count);
            let delta = lanes.load_first(self.delta.as_ptr().add(first), count);
            let c = match self.e {
                Some(e) => lanes.mul(gamma, lanes.load_first(e.as_ptr().add(first), count)),
                None => lanes.zero(),
            };
            Quartet {
                x: lanes.load_first(self.normal.as_ptr().add(first), count),
                a: lanes.mul(gamma, delta),
                t: lanes.load_first(self.tangent.as_ptr().add(first), count),
                c,
            }
        }
    }
}

impl<T: Scalar> Operation<T> for Curvature<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let columns = self.normal.len();
        // Sums of a, t and c; sums of their products with x^; sum of a t.
        let mut sums = [lanes.zero(); 7];
        for first in (0..columns).step_by(L::COUNT) {
            let count = (columns - first).min(L::COUNT);
            // SAFETY: first + count <= columns.
            let Quartet { x, a, t, c } = unsafe { self.quartet(lanes, first, count) };
            for (i, y) in [a, t, c].into_iter().enumerate() {
                sums[i] = lanes.add(sums[i], y);
                sums[3 + i] = lanes.mul_add(x, y, sums[3 + i]);
            }
            sums[6] = lanes.mul_add(a, t, sums[6]);
        }
        let mut total = [T::ZERO; 7];
        for (total, sum) in total.iter_mut().zip(sums) {
            *total = lanes.sum(sum);
        }
        let [a, t, c, a_x, t_x, c_x, a_t] = total;
        let (r, share) = (self.scale, T::from_f64(1.0 / columns as f64));
        // w = c - factor_a a - factor_t t;  out = r (w - mean w - x^ mean(x^ w)) - r/n S x^
        let (factor_a, factor_t) = (t_x * r * share, a_x * r * share);
        let s = r * (a_t - share * (a * t + a_x * t_x));
        let mean = share * (c - factor_a * a - factor_t * t);
        let along = share * (c_x - factor_a * a_x - factor_t * t_x + s);
        let (factor_a, factor_t, r) = (lanes.splat(factor_a), lanes.splat(factor_t), lanes.splat(r));
        let (mean, along) = (lanes.splat(mean), lanes.splat(along));
        for first in (0..columns).step_by(L::COUNT) {
            let count = (columns - first).min(L::COUNT);
            // SAFETY: first + count <= columns.
            unsafe {
                let Quartet { x, a, t, c } = self.quartet(lanes, first, count);
                let subtracted = lanes.mul_add(factor_a, a, lanes.mul(factor_t, t));
                let rest = lanes.add(subtracted, lanes.mul_add(x, along, mean));
                let value = lanes.flush_below(T::TINY, lanes.mul(r, lanes.sub(c, rest)));
                lanes.store_first(self.out.as_mut_ptr().add(first), value, count);
            }
        }
    }
}
