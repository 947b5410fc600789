//! The kernel distance (KID): the squared maximum mean discrepancy of two sets of features, for the cubic polynomial
//! kernel.
//!
//! ```text
//! k(x, y) = (x y / d + 1)³
//! MMD² = mean of k(x, x') + mean of k(y, y') - 2 mean of k(x, y)
//! ```
//!
//! with means over pairs of different x in the first set, pairs of different y in the second set, and pairs (x, y). It
//! compares the first three moments of the two distributions. In one dimension, with D_p the difference of their p-th
//! moments, it equals `D_3² + 3 D_2² + 3 D_1²`. Unlike the Fréchet distance it is unbiased: for two sets from one
//! distribution its mean is 0 at any size, so negative values are as frequent as positive ones. It therefore needs an
//! error estimate.
//!
//! **The standard error** comes from the jackknife: with t_i the estimate without element i of a set of m,
//!
//! ```text
//! variance = (m - 1) / m sum over i of (t_i - mean t)²
//! ```
//!
//! summed over both sets. Removing x_i removes the row of x_i from the sums over pairs, so all t_i follow from the sums
//! of rows at no cost. On average the jackknife does not underestimate (Efron & Stein 1981). For two sets from one
//! distribution, where the first-order variance vanishes, it gives up to twice the variance.

use super::pairs::{check, for_each_products};
use crate::Result;
use crate::tensor::{Element, Tensor};
use alloc::vec;
use alloc::vec::Vec;

/// A kernel distance and its standard error.
///
/// ```
/// use equilibria::{Tensor, evaluate::kernel_distance::kernel_distance};
/// let [near, far] = [0.0, 5.0].map(|shift| Tensor::from_vec(&[4, 1], vec![shift, shift + 1.0, shift + 2.0, shift + 3.0]));
/// let (near, far) = (near?, far?);
/// assert!(kernel_distance(&near, &far)?.value > kernel_distance(&near, &near)?.value);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct KernelDistance {
    /// The unbiased estimate of MMD².
    pub value: f64,
    /// Its standard error.
    pub standard_error: f64,
}

/// The kernel distance of the rows of `a` and of `b`.
///
/// **Shapes** `a` (m, d), `b` (n, d), at least 3 rows each.
///
/// **Errors** [`Error::ShapeMismatch`](crate::Error::ShapeMismatch) if the numbers of columns differ;
/// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if there are fewer rows, no columns, or an element is not
/// finite.
///
/// **Accuracy and cost** In f64; rounding errors are about 1e-15 of the mean of k. All pairs of both sets are used (no
/// subsets are drawn): 2 d (m + n)² operations as matrix products; memory for copies of the sets in f64 and 32 MB. The
/// result does not depend on the number of threads.
///
/// **Source** Bińkowski, Sutherland, Arbel & Gretton 2018.
///
/// ```
/// use equilibria::{Tensor, evaluate::kernel_distance::kernel_distance};
/// let zeros = Tensor::from_vec(&[3, 1], vec![0.0_f32; 3])?;
/// let ones = Tensor::from_vec(&[3, 1], vec![1.0_f32; 3])?;
/// // k = 1 among zeros, 8 among ones, 1 between.
/// assert_eq!(kernel_distance(&zeros, &ones)?.value, 1.0 + 8.0 - 2.0);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn kernel_distance<T: Element>(a: &Tensor<T>, b: &Tensor<T>) -> Result<KernelDistance> {
    check("kernel distance", [("vectors of the first set", a), ("vectors of the second set", b)], 3)?;
    let (a, b): (Tensor<f64>, Tensor<f64>) = (a.cast(), b.cast());
    let (first, second) = (Sums::of(&a, &b), Sums::of(&b, &a));
    let value = first.within() + second.within() - 2.0 * first.across();
    let variance = first.jackknife() + second.jackknife();
    Ok(KernelDistance { value, standard_error: libm::sqrt(variance) })
}

/// Sums of the kernel for each element of a set.
struct Sums {
    /// For each element, k summed over the other elements of its set.
    own: Vec<f64>,
    /// For each element, the mean of k over the other set.
    other: Vec<f64>,
}

impl Sums {
    fn of(set: &Tensor<f64>, other: &Tensor<f64>) -> Self {
        let per_feature = 1.0 / set.columns() as f64;
        let kernel = |product: f64| {
            let base = product * per_feature + 1.0;
            base * base * base
        };
        let mut sums = Self { own: vec![0.0; set.rows()], other: vec![0.0; set.rows()] };
        for_each_products(set, set, &mut sums.own, |i, products, sum| {
            let (before, after) = (&products[..i], &products[i + 1..]);
            *sum = before.iter().chain(after).map(|&product| kernel(product)).sum();
        });
        for_each_products(set, other, &mut sums.other, |_, products, mean| {
            *mean = products.iter().map(|&product| kernel(product)).sum::<f64>() / products.len() as f64;
        });
        sums
    }

    /// The mean of k over pairs of different elements.
    fn within(&self) -> f64 {
        let m = self.own.len() as f64;
        self.own.iter().sum::<f64>() / (m * (m - 1.0))
    }

    /// The mean of k over pairs with the other set.
    fn across(&self) -> f64 {
        self.other.iter().sum::<f64>() / self.other.len() as f64
    }

    /// The variance contributed by this set.
    fn jackknife(&self) -> f64 {
        let m = self.own.len() as f64;
        let (own, other): (f64, f64) = (self.own.iter().sum(), self.other.iter().sum());
        // A pair within the set is counted in two rows.
        let without = |(&row, &mean): (&f64, &f64)| {
            (own - 2.0 * row) / ((m - 1.0) * (m - 2.0)) - 2.0 * (other - mean) / (m - 1.0)
        };
        let estimates: Vec<f64> = self.own.iter().zip(&self.other).map(without).collect();
        let mean = estimates.iter().sum::<f64>() / m;
        (m - 1.0) / m * estimates.iter().map(|estimate| (estimate - mean) * (estimate - mean)).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::normals;
    use super::*;
    use crate::rng::Stream;

    fn stream(seed: u64) -> Stream {
        Stream::named(seed, "evaluate")
    }

    /// MMD² by its definition, computed pair by pair.
    fn by_pairs(a: &[&[f64]], b: &[&[f64]]) -> f64 {
        let kernel = |x: &[f64], y: &[f64]| {
            let product: f64 = x.iter().zip(y).map(|(x, y)| x * y).sum();
            libm::pow(product / x.len() as f64 + 1.0, 3.0)
        };
        let mean = |a: &[&[f64]], b: &[&[f64]], take: fn(usize, usize) -> bool| {
            let (mut sum, mut pairs) = (0.0, 0);
            for (i, x) in a.iter().enumerate() {
                for (_, y) in b.iter().enumerate().filter(|(j, _)| take(i, *j)) {
                    sum += kernel(x, y);
                    pairs += 1;
                }
            }
            sum / f64::from(pairs)
        };
        mean(a, a, |i, j| i != j) + mean(b, b, |i, j| i != j) - 2.0 * mean(a, b, |_, _| true)
    }

    #[test]
    fn distance_and_error_equal_those_computed_pair_by_pair() {
        for (m, n, d) in [(3, 3, 1), (4, 9, 2), (30, 17, 5)] {
            let (a, b) = (normals(m, d, stream(1)), normals(n, d, stream(2)));
            let found = kernel_distance(&a, &b).unwrap();
            let rows = |x: &Tensor<f64>| (0..x.rows()).map(|i| x.row(i).to_vec()).collect::<Vec<_>>();
            let (a, b) = (rows(&a), rows(&b));
            let all = |x: &[Vec<f64>], without: usize| {
                x.iter()
                    .enumerate()
                    .filter(|(i, _)| *i != without)
                    .map(|(_, x)| x.clone())
                    .collect::<Vec<_>>()
            };
            let exact = |a: &[Vec<f64>], b: &[Vec<f64>]| {
                let (a, b): (Vec<&[f64]>, Vec<&[f64]>) =
                    (a.iter().map(Vec::as_slice).collect(), b.iter().map(Vec::as_slice).collect());
                by_pairs(&a, &b)
            };
            let value = exact(&a, &b);
            assert!((found.value - value).abs() < 1e-12 * (1.0 + value.abs()), "{found:?}, not {value}");
            let spread = |estimates: Vec<f64>| {
                let m = estimates.len() as f64;
                let mean = estimates.iter().sum::<f64>() / m;
                (m - 1.0) / m * estimates.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>()
            };
            let variance = spread((0..m).map(|i| exact(&all(&a, i), &b)).collect())
                + spread((0..n).map(|i| exact(&a, &all(&b, i))).collect());
            let error = libm::sqrt(variance);
            assert!((found.standard_error - error).abs() < 1e-10 * error, "{found:?}, not {error}");
        }
    }

    /// Mean estimate, standard deviation of the estimates and mean standard error over repetitions.
    fn repeated(
        times: u64,
        a: impl Fn(Stream) -> Tensor<f64>,
        b: impl Fn(Stream) -> Tensor<f64>,
    ) -> [f64; 3] {
        let found: Vec<KernelDistance> = (0..times)
            .map(|i| kernel_distance(&a(stream(i).substream(0)), &b(stream(i).substream(1))).unwrap())
            .collect();
        let count = times as f64;
        let mean = found.iter().map(|found| found.value).sum::<f64>() / count;
        let squares: f64 = found.iter().map(|found| (found.value - mean) * (found.value - mean)).sum();
        let error = found.iter().map(|found| found.standard_error).sum::<f64>() / count;
        [mean, libm::sqrt(squares / (count - 1.0)), error]
    }

    #[test]
    fn sets_of_one_distribution_have_distance_0_on_average() {
        let [mean, deviation, error] =
            repeated(2000, |stream| normals(20, 4, stream), |stream| normals(30, 4, stream));
        assert!(mean.abs() < 4.0 * deviation / libm::sqrt(2000.0), "{mean} +- {deviation}/44");
        // Pairs of equal elements would add a bias.
        assert!(deviation / libm::sqrt(2000.0) < 0.02, "{deviation}: too imprecise to detect a bias of 0.3");
        assert!((0.9..2.0).contains(&(error / deviation)), "standard error {error}, deviation {deviation}");
    }

    #[test]
    fn distance_and_error_of_shifted_normals_follow_from_their_moments() {
        // Moments of N(m, 1): m, 1 + m², m³ + 3 m.
        let shift: f64 = 0.7;
        let exact = libm::pow(shift * shift * shift + 3.0 * shift, 2.0)
            + 3.0 * libm::pow(shift, 4.0)
            + 3.0 * shift * shift;
        let [mean, deviation, error] = repeated(
            400,
            |stream| normals(150, 1, stream),
            |stream| {
                let mut x = normals(200, 1, stream);
                x.data_mut().iter_mut().for_each(|x| *x += shift);
                x
            },
        );
        assert!((mean - exact).abs() < 4.0 * deviation / 20.0, "{mean} +- {deviation}/20, not {exact}");
        assert!((0.9..1.2).contains(&(error / deviation)), "standard error {error}, deviation {deviation}");
    }

    #[test]
    fn too_few_vectors_are_refused() {
        let (two, three) = (Tensor::<f32>::zeros(&[2, 4]), Tensor::<f32>::zeros(&[3, 4]));
        let message = kernel_distance(&three, &two).unwrap_err().to_string();
        assert_eq!(message, "kernel distance: 2 vectors of the second set: at least 3 are needed");
        assert!(kernel_distance(&three, &Tensor::zeros(&[3, 5])).is_err());
    }
}
