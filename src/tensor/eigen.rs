//! Eigenvalues and eigenvectors of a symmetric matrix: A = V^T diag(values) V, the rows of V orthonormal.
//!
//! **1. Reduction to three diagonals** (Householder 1958). Reflections H_k = I - b v v^T set the elements below and
//! right of the three diagonals to zero, from the first row to the last but two. The vector v of H_k is nonzero only in
//! the coordinates after k.
//!
//! ```text
//! T = H_{n-3} ... H_0 A H_0 ... H_{n-3}
//! ```
//!
//! Let x be the part of row k right of its diagonal. Then H_k maps x to -sign(x_0) |x| e_0 (this sign avoids
//! cancellation), and the part C of the matrix beyond k becomes H C H:
//!
//! ```text
//! v = x + sign(x_0) |x| e_0,   b = 2 / v^T v
//! H C H = C - v w^T - w v^T,   w = p - (b/2) (p^T v) v,   p = b C v
//! ```
//!
//! which costs one dot product and two multiples of a row for each row.
//!
//! **2. From three diagonals to one** (QL with implicit shifts: Francis 1961, Dubrulle 1970). Plane rotations chase a
//! bulge from the lower end of a block of T to its upper end. Together they are one step of T - shift I = Q L,
//! T <- L Q + shift I, without forming Q or L. With Wilkinson's shift (the eigenvalue of the upper 2x2 block that is nearer to
//! its corner) the uppermost off-diagonal element converges cubically, and always (Wilkinson 1968). A block is split at
//! an off-diagonal element below the rounding error of the whole matrix; step 1 has larger errors than that.
//!
//! V starts as the product of the reflections. Each rotation mixes two of its rows, which are contiguous in memory.

use crate::tensor::Tensor;
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, elementwise, reduce};

/// Most steps of QL per eigenvalue. The average is about 1.7, and no more than a handful have been needed.
const MOST_STEPS: usize = 60;

/// The eigenvalues of a symmetric matrix, rising, and their eigenvectors.
///
/// ```
/// use equilibria::{Tensor, tensor::eigen::decompose};
/// let found = decompose(&Tensor::from_vec(&[2, 2], vec![2.0, 1.0, 1.0, 2.0])?)?;
/// let mut values = found.values;
/// values.sort_by(f64::total_cmp);
/// assert!((values[0] - 1.0).abs() < 1e-12 && (values[1] - 3.0).abs() < 1e-12);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Eigen {
    /// The eigenvalues, rising (n).
    pub values: Vec<f64>,
    /// (n, n): row i is the eigenvector of `values[i]`, of length 1.
    pub vectors: Tensor<f64>,
}

/// Decomposes a symmetric matrix.
///
/// **Shapes** `matrix` (n, n), n at least 1. Only its lower triangle is read.
///
/// **Errors** [`Error::ShapeMismatch`] if the matrix is not square; [`Error::InvalidArgument`] if it is empty or not
/// finite.
///
/// **Accuracy and cost** Backward stable: each element of V A V^T - diag is below 4 n ε |A|, and each of V V^T - I is
/// below 4 n ε. So each eigenvalue has an error of at most 4 n ε |A|; small eigenvalues may have large relative
/// errors. 8/3 n³ operations for the reduction with V, about 5 n³ for QL; 2 ms at n = 128, 0.1 s at 512, on one core.
///
/// **Source** Golub & Van Loan, *Matrix Computations*, 4th edition, 8.3.
///
/// ```
/// use equilibria::{Tensor, tensor::eigen::decompose};
/// let matrix = Tensor::from_vec(&[2, 2], vec![2.0, 1.0, 1.0, 2.0])?;
/// let eigen = decompose(&matrix)?;
/// assert!((eigen.values[0] - 1.0).abs() < 1e-15 && (eigen.values[1] - 3.0).abs() < 1e-15);
/// assert!((eigen.vectors.row(1)[0] - eigen.vectors.row(1)[1]).abs() < 1e-15);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn decompose(matrix: &Tensor<f64>) -> Result<Eigen> {
    let n = matrix.rows();
    if matrix.columns() != n {
        return Err(Error::ShapeMismatch {
            operation: "eigenvalues of a matrix",
            expected: vec![n, n],
            found: matrix.shape().to_vec(),
        });
    }
    if n == 0 || !matrix.is_finite() {
        return Err(Error::invalid(
            format!("eigenvalues of a matrix ({n}, {n})"),
            "at least 1 row of finite numbers is needed",
        ));
    }
    // Scaling the largest element to about 1 keeps squares from overflow and underflow; a power of 2 adds no
    // rounding.
    let largest = matrix.data().iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    let exponent = if largest > 0.0 { libm::ilogb(largest) } else { 0 };
    let mut vectors = Tensor::zeros(&[n, n]);
    for i in 0..n {
        for j in 0..=i {
            let x = libm::scalbn(matrix.row(i)[j], -exponent);
            vectors.row_mut(i)[j] = x;
            vectors.row_mut(j)[i] = x;
        }
    }
    let mut t = Tridiagonal::reduce(&mut vectors);
    if !t.diagonalise(&mut vectors) {
        return Err(Error::invalid(
            format!("eigenvalues of a matrix ({n}, {n})"),
            format!("not found in {MOST_STEPS} steps each; a symmetric matrix of finite numbers is needed"),
        ));
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| t.diagonal[i].total_cmp(&t.diagonal[j]));
    let mut sorted = Tensor::zeros(&[n, n]);
    for (to, &from) in order.iter().enumerate() {
        sorted.row_mut(to).copy_from_slice(vectors.row(from));
    }
    let values = order.iter().map(|&i| libm::scalbn(t.diagonal[i], exponent)).collect();
    Ok(Eigen { values, vectors: sorted })
}

/// A symmetric tridiagonal matrix.
struct Tridiagonal {
    /// (n)
    diagonal: Vec<f64>,
    /// (n): element i is next to the diagonal elements i and i + 1; the last is 0.
    beside: Vec<f64>,
}

impl Tridiagonal {
    /// Step 1. Replaces A in `a` by V, with V A V^T = T, and returns T.
    fn reduce(a: &mut Tensor<f64>) -> Self {
        let (n, level) = (a.rows(), Level::detect());
        let (mut beside, mut factors) = (vec![0.0; n], vec![0.0; n]);
        let mut w = vec![0.0; n];
        for k in 0..n.saturating_sub(1) {
            let (done, rest) = a.data_mut().split_at_mut((k + 1) * n);
            let v = &mut done[k * n + k + 1..];
            (beside[k], factors[k]) = reflector(v);
            // The rest of row k of A is no longer needed; v stays there until `accumulate` builds V.
            if factors[k] == 0.0 {
                continue;
            }
            let w = &mut w[k + 1..];
            for (w, row) in w.iter_mut().zip(rest.chunks_exact(n)) {
                *w = factors[k] * reduce::dot(level, &row[k + 1..], v);
            }
            let half = 0.5 * factors[k] * reduce::dot(level, w, v);
            elementwise::axpy(level, -half, v, w);
            for (i, row) in rest.chunks_exact_mut(n).enumerate() {
                elementwise::axpy(level, -v[i], w, &mut row[k + 1..]);
                elementwise::axpy(level, -w[i], v, &mut row[k + 1..]);
            }
        }
        let diagonal = (0..n).map(|i| a.row(i)[i]).collect();
        accumulate(a, &factors);
        Self { diagonal, beside }
    }

    /// Step 2. Leaves the eigenvalues on the diagonal and turns the rows of `vectors` into their eigenvectors. Returns
    /// false if an eigenvalue took too many steps.
    fn diagonalise(&mut self, vectors: &mut Tensor<f64>) -> bool {
        let largest =
            self.diagonal.iter().chain(&self.beside).fold(0.0_f64, |largest, x| largest.max(x.abs()));
        let rounding = f64::EPSILON * largest;
        for first in 0..self.diagonal.len() {
            let mut steps = 0;
            loop {
                let last = self.end_of_block(first, rounding);
                if last == first {
                    break;
                }
                if steps == MOST_STEPS {
                    return false;
                }
                steps += 1;
                self.step(first, last, vectors);
            }
        }
        true
    }

    /// The last row of the block that begins at `first`: the off-diagonal element after it is negligible.
    fn end_of_block(&self, first: usize, rounding: f64) -> usize {
        let last = self.beside.len() - 1;
        (first..last).find(|&i| self.beside[i].abs() <= rounding).unwrap_or(last)
    }

    /// One step of QL with Wilkinson's shift on the rows `first` to `last`.
    fn step(&mut self, first: usize, last: usize, vectors: &mut Tensor<f64>) {
        let (d, e) = (&mut self.diagonal, &mut self.beside);
        // The eigenvalue of [d_0 e_0; e_0 d_1] nearer to d_0 is d_0 - e_0 / (q + sign(q) sqrt(q² + 1)).
        let q = (d[first + 1] - d[first]) / (2.0 * e[first]);
        let shift = d[first] - e[first] / (q + libm::copysign(libm::hypot(q, 1.0), q));
        // `corner` is the diagonal element being rotated, minus the shift; `bulge` is the element outside the three
        // diagonals; `carried` is the amount that earlier rotations moved along the diagonal.
        let (mut sine, mut cosine, mut carried) = (1.0, 1.0, 0.0);
        let mut corner = d[last] - shift;
        for i in (first..last).rev() {
            let bulge = sine * e[i];
            let along = cosine * e[i];
            let length = libm::hypot(bulge, corner);
            e[i + 1] = length;
            if length == 0.0 {
                // No rotation is needed: the block splits here.
                d[i + 1] -= carried;
                e[last] = 0.0;
                return;
            }
            (sine, cosine) = (bulge / length, corner / length);
            let before = d[i + 1] - carried;
            let mixed = (d[i] - before) * sine + 2.0 * cosine * along;
            carried = sine * mixed;
            d[i + 1] = before + carried;
            corner = cosine * mixed - along;
            rotate(vectors, i, sine, cosine);
        }
        d[first] -= carried;
        e[first] = corner;
        e[last] = 0.0;
    }
}

/// Turns `x` into v; returns the first element of the reflected x, and b of the reflection I - b v v^T. b is 0 if all
/// elements of x after the first are 0.
fn reflector(x: &mut [f64]) -> (f64, f64) {
    let largest = x[1..].iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    if largest == 0.0 {
        return (x[0], 0.0);
    }
    // v may have any length; near 1 its square neither overflows nor underflows.
    let scale = largest.max(x[0].abs());
    x.iter_mut().for_each(|x| *x /= scale);
    let norm = libm::sqrt(reduce::squared_norm(Level::detect(), x));
    let signed = libm::copysign(norm, x[0]);
    x[0] += signed;
    // v^T v = 2 (|x|² + |x_0| |x|)
    (-signed * scale, 1.0 / (norm * x[0].abs()))
}

/// Forms V = H_{n-3} ... H_0 from the vectors v, which the rows of `a` hold right of the diagonal.
///
/// Multiplies from the right, starting with the last rows, where V is still I.
fn accumulate(a: &mut Tensor<f64>, factors: &[f64]) {
    let (n, level) = (a.rows(), Level::detect());
    let mut v = vec![0.0; n];
    for k in (0..n).rev() {
        v[k + 1..].copy_from_slice(&a.row(k)[k + 1..]);
        let row = a.row_mut(k);
        row.fill(0.0);
        row[k] = 1.0;
        if factors[k] == 0.0 {
            continue;
        }
        for row in a.data_mut()[(k + 1) * n..].chunks_exact_mut(n) {
            let along = factors[k] * reduce::dot(level, &row[k + 1..], &v[k + 1..]);
            elementwise::axpy(level, -along, &v[k + 1..], &mut row[k + 1..]);
        }
    }
}

/// Rotates rows i and i + 1.
fn rotate(vectors: &mut Tensor<f64>, i: usize, sine: f64, cosine: f64) {
    let n = vectors.columns();
    let (upper, lower) = vectors.data_mut()[i * n..(i + 2) * n].split_at_mut(n);
    for (a, b) in upper.iter_mut().zip(lower) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    /// The largest elements of (V A V^T - diag) / |A| and of V V^T - I, both in units of n ε.
    fn residuals(matrix: &Tensor<f64>, eigen: &Eigen) -> (f64, f64) {
        let n = matrix.rows();
        let v = &eigen.vectors;
        let product = Tensor::product(v.view(), matrix.view()).unwrap();
        let mut rotated = Tensor::product(product.view(), v.view().transposed()).unwrap();
        let mut gram = Tensor::product(v.view(), v.view().transposed()).unwrap();
        for i in 0..n {
            rotated.row_mut(i)[i] -= eigen.values[i];
            gram.row_mut(i)[i] -= 1.0;
        }
        let largest = |t: &Tensor<f64>| t.data().iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
        let norm = eigen.values[0].abs().max(eigen.values[n - 1].abs()).max(f64::MIN_POSITIVE);
        let unit = n as f64 * f64::EPSILON;
        (largest(&rotated) / norm / unit, largest(&gram) / unit)
    }

    #[track_caller]
    fn check(name: &str, matrix: &Tensor<f64>) -> Eigen {
        let eigen = decompose(matrix).unwrap();
        let (residual, skew) = residuals(matrix, &eigen);
        assert!(
            residual < 4.0 && skew < 4.0,
            "{name}: residual {residual} n ε, not orthogonal by {skew} n ε"
        );
        assert!(eigen.values.is_sorted(), "{name}: {:?}", eigen.values);
        eigen
    }

    fn symmetric(n: usize, element: impl Fn(usize, usize) -> f64) -> Tensor<f64> {
        let values = (0..n * n).map(|at| element((at / n).max(at % n), (at / n).min(at % n))).collect();
        Tensor::from_vec(&[n, n], values).unwrap()
    }

    fn normals(n: usize, m: usize, seed: u64) -> Tensor<f64> {
        let mut x = Tensor::zeros(&[n, m]);
        x.fill_normal(Stream::named(seed, "evaluate"), 1.0);
        x
    }

    #[test]
    fn known_eigenvalues_are_found() {
        // Second differences: 2 - 2 cos(k pi / (n + 1)).
        for n in [1, 2, 3, 10, 101] {
            let differences = symmetric(n, |i, j| match i - j {
                0 => 2.0,
                1 => -1.0,
                _ => 0.0,
            });
            let eigen = check("second differences", &differences);
            for (k, value) in eigen.values.iter().enumerate() {
                let angle = (k + 1) as f64 * core::f64::consts::PI / (n + 1) as f64;
                let exact = 2.0 - 2.0 * libm::cos(angle);
                assert!(
                    (value - exact).abs() < 8.0 * n as f64 * f64::EPSILON,
                    "{n}, {k}: {value}, not {exact}"
                );
            }
        }
        // min(i, j) counted from 1: 1 / (4 sin²((2k - 1) pi / (4n + 2))), over 5 orders of magnitude; no element is 0.
        let n = 150;
        let eigen = check("least indices", &symmetric(n, |_, j| (j + 1) as f64));
        for (k, value) in eigen.values.iter().rev().enumerate() {
            let half = libm::sin((2 * k + 1) as f64 * core::f64::consts::PI / (4 * n + 2) as f64);
            let exact = 0.25 / (half * half);
            assert!(
                (value - exact).abs() < n as f64 * f64::EPSILON * eigen.values[n - 1],
                "{value}, not {exact}"
            );
        }
    }

    #[test]
    fn random_matrices_are_reconstructed() {
        for (n, seed) in [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (17, 6), (64, 7), (200, 8)] {
            let x = normals(n, n, seed);
            let matrix = symmetric(n, |i, j| x.row(i)[j]);
            let eigen = check("random", &matrix);
            let trace: f64 = (0..n).map(|i| matrix.row(i)[i]).sum();
            let sum: f64 = eigen.values.iter().sum();
            assert!((trace - sum).abs() < 1e-12 * (n as f64), "{n}: {sum}, not {trace}");
        }
    }

    #[test]
    fn only_the_lower_triangle_counts() {
        let x = normals(20, 20, 3);
        let (lower, both) = (decompose(&x).unwrap(), decompose(&symmetric(20, |i, j| x.row(i)[j])).unwrap());
        assert_eq!(lower.values, both.values);
    }

    #[test]
    fn equal_zero_and_widely_spread_eigenvalues_are_handled() {
        check("zeros", &Tensor::zeros(&[7, 7]));
        assert_eq!(check("the identity", &symmetric(9, |i, j| f64::from(i == j))).values, [1.0; 9]);
        // Only the eigenvalues 0 and n.
        let ones = check("ones", &symmetric(30, |_, _| 1.0));
        assert!(ones.values[28].abs() < 1e-13 && (ones.values[29] - 30.0).abs() < 1e-13);
        // X X^T of a (40, 5) matrix: rank 5.
        let x = normals(40, 5, 9);
        let low = Tensor::product(x.view(), x.view().transposed()).unwrap();
        let rank_5 = check("rank 5", &low);
        assert!(rank_5.values[34].abs() < 1e-12 && rank_5.values[35] > 1.0, "{:?}", rank_5.values);
        // Eigenvalues from 1 to 1e-30: rotated randomly, and graded along the diagonal.
        let turn = check("random", &symmetric(16, |i, j| x.data()[i * 10 + j])).vectors;
        let power = |i: usize| libm::pow(10.0, -2.0 * i as f64);
        check(
            "graded",
            &symmetric(16, |i, j| (0..16).map(|k| turn.row(k)[i] * turn.row(k)[j] * power(k)).sum()),
        );
        check("graded by rows", &symmetric(16, |i, j| x.data()[i * 10 + j] * power(i)));
        check("graded the other way", &symmetric(16, |i, j| x.data()[i * 10 + j] * power(15 - j)));
    }

    #[test]
    fn the_scale_of_the_matrix_does_not_matter() {
        let x = normals(12, 12, 4);
        let matrix = symmetric(12, |i, j| x.row(i)[j]);
        let plain = check("plain", &matrix);
        for exponent in [-1000, -300, 300, 1000] {
            let scaled = symmetric(12, |i, j| libm::scalbn(x.row(i)[j], exponent));
            let found = decompose(&scaled).unwrap();
            let expected: Vec<f64> = plain.values.iter().map(|&x| libm::scalbn(x, exponent)).collect();
            assert_eq!(
                (found.values, found.vectors.data()),
                (expected, plain.vectors.data()),
                "2^{exponent}"
            );
        }
    }

    #[test]
    fn invalid_matrices_are_refused() {
        let error = decompose(&Tensor::zeros(&[2, 3])).unwrap_err().to_string();
        assert_eq!(error, "eigenvalues of a matrix: expected shape (2, 2), found (2, 3)");
        assert!(decompose(&Tensor::zeros(&[0, 0])).is_err());
        for wrong in [f64::NAN, f64::INFINITY] {
            assert!(decompose(&Tensor::filled(&[3, 3], wrong)).is_err());
        }
    }
}
