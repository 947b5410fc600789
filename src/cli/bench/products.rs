//! The matrix products to measure: shapes, inputs, and the check of the results.
//!
//! Shared by `equilibria bench` and the criterion benchmark `gemm`, so it imports nothing from either.

use equilibria_kernels::gemm::workspace_len;
use equilibria_kernels::random::{Xoshiro256PlusPlusX8, fill_uniform};
use equilibria_kernels::{Epilogue, Level, MatrixMut, MatrixRef, MatrixScalar, Scalar, gemm, peer};
use std::fmt;
use std::ops::{Deref, DerefMut};

/// The operand that is stored column by column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transposed {
    Neither,
    A,
    B,
}

/// C (m x n) = A (m x k) B (k x n).
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub transposed: Transposed,
}

/// C = A B, both stored row by row.
pub(super) const fn shape(m: usize, n: usize, k: usize) -> Shape {
    Shape { m, n, k, transposed: Transposed::Neither }
}

/// Shapes that are also measured on one thread.
pub(super) const LARGE: [Shape; 2] = [shape(1024, 1024, 1024), shape(2048, 2048, 2048)];

/// Layers of models: those of an RBM, of convolutions, and tiny ones.
pub(super) const LAYERS: [Shape; 8] = [
    shape(100, 500, 784),
    shape(784, 500, 100),
    shape(128, 4096, 1024),
    shape(64, 16384, 48),
    shape(64, 512, 784),
    shape(10, 20, 784),
    shape(1, 500, 784),
    shape(16, 16, 16),
];

/// Products of an RBM: visible units from hidden ones with W^T, and the gradient V^T H.
pub(super) const TRANSPOSED: [Shape; 2] = [
    Shape { transposed: Transposed::B, ..shape(100, 784, 500) },
    Shape { transposed: Transposed::A, ..shape(784, 500, 100) },
];

impl Shape {
    /// Floating-point operations.
    pub(super) fn operations(self) -> f64 {
        2.0 * self.m as f64 * self.n as f64 * self.k as f64
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { m, n, k, transposed } = self;
        let suffix = match transposed {
            Transposed::Neither => "",
            Transposed::A => " (A transposed)",
            Transposed::B => " (B transposed)",
        };
        f.pad(&format!("{m}x{n}x{k}{suffix}"))
    }
}

/// Numbers that start at a cache line, so that the allocation favours neither product.
pub(super) struct Aligned<T> {
    buffer: Vec<T>,
    first: usize,
    len: usize,
}

impl<T: Scalar> Aligned<T> {
    fn zeros(len: usize) -> Self {
        let line = 64 / size_of::<T>();
        let buffer = vec![T::ZERO; len + line];
        let first = buffer.as_ptr().align_offset(64).min(line);
        Self { buffer, first, len }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.buffer[self.first..self.first + self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.buffer[self.first..self.first + self.len]
    }
}

/// Random matrices A and B without zeros.
pub(super) struct Operands<T> {
    level: Level,
    shape: Shape,
    a: Aligned<T>,
    b: Aligned<T>,
}

impl<T: MatrixScalar> Operands<T> {
    pub(super) fn new(level: Level, shape: Shape) -> Self {
        let mut generator = Xoshiro256PlusPlusX8::from_seed_u64(level, 2);
        let mut random = |length| {
            let mut values = Aligned::zeros(length);
            fill_uniform(level, &mut generator, &mut values);
            for x in values.iter_mut() {
                *x = *x + *x - T::ONE;
                if *x == T::ZERO {
                    *x = T::ONE;
                }
            }
            values
        };
        Self { level, shape, a: random(shape.m * shape.k), b: random(shape.k * shape.n) }
    }

    fn a(&self) -> MatrixRef<'_, T> {
        let Shape { m, k, transposed, .. } = self.shape;
        match transposed {
            Transposed::A => MatrixRef::new(&self.a, k, m).transposed(),
            _ => MatrixRef::new(&self.a, m, k),
        }
    }

    fn b(&self) -> MatrixRef<'_, T> {
        let Shape { n, k, transposed, .. } = self.shape;
        match transposed {
            Transposed::B => MatrixRef::new(&self.b, n, k).transposed(),
            _ => MatrixRef::new(&self.b, k, n),
        }
    }

    /// The terms of the product of row `i` of A and column `j` of B.
    fn terms(&self, i: usize, j: usize) -> impl Iterator<Item = f64> {
        let Shape { m, n, k, transposed } = self.shape;
        (0..k).map(move |p| {
            let a = self.a[if transposed == Transposed::A { p * m + i } else { i * k + p }];
            let b = self.b[if transposed == Transposed::B { j * k + p } else { p * n + j }];
            a.to_f64() * b.to_f64()
        })
    }

    /// Checks a few elements of `ours` against sums in f64, and all elements against `peer`.
    ///
    /// The rounding error of a sum of k products is at most about sqrt(k) EPSILON times the sum of their sizes.
    pub(super) fn check(&self, ours: &[T], peer: &[T]) -> Result<(), String> {
        let Shape { m, n, k, .. } = self.shape;
        let tolerance = 4.0 * (k as f64).sqrt() * T::EPSILON.to_f64();
        let places = [0, m * n - 1].into_iter().chain((0..62).map(|i| (i * 7919 + 13) * 104_729 % (m * n)));
        for place in places {
            let (i, j) = (place / n, place % n);
            let right: f64 = self.terms(i, j).sum();
            let size: f64 = self.terms(i, j).map(f64::abs).sum();
            let found = ours[place].to_f64();
            if (found - right).abs() > tolerance * size || found.is_nan() {
                return Err(format!("{}: element ({i}, {j}) is {found} where {right} is right", self.shape));
            }
        }
        for (place, (ours, peer)) in ours.iter().zip(peer).enumerate() {
            let difference = (ours.to_f64() - peer.to_f64()).abs();
            if difference > 2.0 * tolerance * k as f64 || difference.is_nan() {
                let (i, j) = (place / n, place % n);
                return Err(format!(
                    "{}: element ({i}, {j}) is {ours}, but {peer} by matrixmultiply",
                    self.shape
                ));
            }
        }
        Ok(())
    }
}

/// A product of the operands, by our kernels or by `matrixmultiply`.
pub(super) struct Product<'a, T> {
    operands: &'a Operands<T>,
    pub c: Aligned<T>,
    /// The workspace of our kernels; `None` for `matrixmultiply`.
    workspace: Option<Vec<T>>,
}

impl<'a, T: MatrixScalar> Product<'a, T> {
    /// The product by our kernels. Create it in the thread pool in which it is called.
    pub(super) fn ours(operands: &'a Operands<T>) -> Self {
        let Shape { m, n, k, .. } = operands.shape;
        let workspace = vec![T::ZERO; workspace_len::<T>(operands.level, m, n, k)];
        Self { workspace: Some(workspace), ..Self::peer(operands) }
    }

    /// The product by `matrixmultiply`.
    pub(super) fn peer(operands: &'a Operands<T>) -> Self {
        Self { operands, c: Aligned::zeros(operands.shape.m * operands.shape.n), workspace: None }
    }

    pub(super) fn call(&mut self) {
        let Operands { level, shape, .. } = *self.operands;
        let (a, b) = (self.operands.a(), self.operands.b());
        let c = MatrixMut::new(&mut self.c, shape.m, shape.n);
        match &mut self.workspace {
            Some(workspace) => gemm(level, T::ONE, a, b, T::ZERO, c, Epilogue::NONE, workspace),
            None => peer::matrixmultiply(T::ONE, a, b, T::ZERO, c),
        }
    }
}
