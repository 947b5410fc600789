//! Matrix products compared with `matrixmultiply` and with the multiply-add peak.

use super::workload::{Add, Context, Place, Workload, wrong};
use crate::Result;
use crate::aligned::Aligned;
use equilibria_kernels::gemm::workspace_len;
use equilibria_kernels::random::{Xoshiro256PlusPlusX8, fill_uniform};
use equilibria_kernels::{Epilogue, Level, MatrixMut, MatrixRef, MatrixScalar, gemm, peer};
use serde_json::json;
use std::fmt;
use std::sync::Arc;

/// Products in f32 on all threads.
pub fn all_threads(context: &Context, add: Add<'_>) -> Result<()> {
    LARGE.iter().chain(&LAYERS).try_for_each(|&shape| product::<f32>(context, shape, Place::All, add))
}

/// The large products on one thread. `matrixmultiply` fixes its number of threads once per process, by an environment variable.
pub fn one_thread(context: &Context, add: Add<'_>) -> Result<()> {
    LARGE.iter().try_for_each(|&shape| product::<f32>(context, shape, Place::One, add))
}

/// Products in f32 with an operand that is stored column by column, on all threads.
pub fn transposed(context: &Context, add: Add<'_>) -> Result<()> {
    TRANSPOSED.iter().try_for_each(|&shape| product::<f32>(context, shape, Place::All, add))
}

/// A product in f64 on all threads.
pub fn double(context: &Context, add: Add<'_>) -> Result<()> {
    product::<f64>(context, LARGE[0], Place::All, add)
}

/// Checks a product and adds it.
fn product<T: MatrixScalar>(context: &Context, shape: Shape, place: Place, add: Add<'_>) -> Result<()> {
    let workload = context.within(place, || -> Result<Workload> {
        let operands = Arc::new(Operands::<T>::new(context.level, shape));
        let [(mut ours, mut c), (mut theirs, mut peer_c)] = [true, false].map(|ours| operands.product(ours));
        ours(&mut c);
        theirs(&mut peer_c);
        operands.check(&c, &peer_c)?;
        let r#type = std::any::type_name::<T>();
        Ok(Workload::flops::<T>(
            context.level,
            [format!("gemm {type}"), shape.to_string()],
            shape.operations(),
            move || ours(&mut c),
            ("matrixmultiply", move || theirs(&mut peer_c)),
            move |[speed, peer, share], threads| {
                json!({
                    "m": shape.m,
                    "n": shape.n,
                    "k": shape.k,
                    "threads": threads,
                    "transposed": match shape.transposed {
                        Transposed::Neither => None,
                        Transposed::A => Some("a"),
                        Transposed::B => Some("b"),
                    },
                    "type": r#type,
                    "gflops": speed,
                    "fraction_of_peak": share,
                    "matrixmultiply_gflops": peer,
                })
            },
        ))
    })?;
    add(workload, place)
}

/// The operand that is stored column by column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transposed {
    Neither,
    A,
    B,
}

/// C (m x n) = A (m x k) B (k x n).
#[derive(Clone, Copy, Debug)]
struct Shape {
    m: usize,
    n: usize,
    k: usize,
    transposed: Transposed,
}

/// C = A B, both stored row by row.
const fn shape(m: usize, n: usize, k: usize) -> Shape {
    Shape { m, n, k, transposed: Transposed::Neither }
}

/// Shapes that are also measured on one thread.
const LARGE: [Shape; 2] = [shape(1024, 1024, 1024), shape(2048, 2048, 2048)];

/// Layers of models: those of an RBM, of convolutions, and tiny ones.
const LAYERS: [Shape; 8] = [
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
const TRANSPOSED: [Shape; 2] = [
    Shape { transposed: Transposed::B, ..shape(100, 784, 500) },
    Shape { transposed: Transposed::A, ..shape(784, 500, 100) },
];

impl Shape {
    /// Floating-point operations.
    fn operations(self) -> f64 {
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

/// Random matrices A and B without zeros.
struct Operands<T> {
    level: Level,
    shape: Shape,
    a: Aligned<T>,
    b: Aligned<T>,
}

impl<T: MatrixScalar> Operands<T> {
    fn new(level: Level, shape: Shape) -> Self {
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
    fn check(&self, ours: &[T], peer: &[T]) -> Result<()> {
        let Shape { m, n, k, .. } = self.shape;
        let tolerance = 4.0 * (k as f64).sqrt() * T::EPSILON.to_f64();
        let places = [0, m * n - 1].into_iter().chain((0..62).map(|i| (i * 7919 + 13) * 104_729 % (m * n)));
        for place in places {
            let (i, j) = (place / n, place % n);
            let right: f64 = self.terms(i, j).sum();
            let size: f64 = self.terms(i, j).map(f64::abs).sum();
            let found = ours[place].to_f64();
            if (found - right).abs() > tolerance * size || found.is_nan() {
                return Err(wrong(format!("gemm {}, element ({i}, {j})", self.shape), found, right));
            }
        }
        for (place, (ours, peer)) in ours.iter().zip(peer).enumerate() {
            let difference = (ours.to_f64() - peer.to_f64()).abs();
            if difference > 2.0 * tolerance * k as f64 || difference.is_nan() {
                let (i, j) = (place / n, place % n);
                let what = format!("gemm {}, element ({i}, {j})", self.shape);
                return Err(wrong(what, ours, format!("{peer}, by matrixmultiply,")));
            }
        }
        Ok(())
    }

    /// The product by our kernels or by `matrixmultiply`, and room for it. Call it in the thread pool in which the product is
    /// computed.
    fn product(self: &Arc<Self>, ours: bool) -> (impl FnMut(&mut [T]) + Send + use<T>, Aligned<T>) {
        let operands = Arc::clone(self);
        let Shape { m, n, k, .. } = self.shape;
        let mut workspace = ours.then(|| vec![T::ZERO; workspace_len::<T>(self.level, m, n, k)]);
        let product = move |c: &mut [T]| {
            let (a, b, c) = (operands.a(), operands.b(), MatrixMut::new(c, m, n));
            match &mut workspace {
                Some(workspace) => gemm(operands.level, T::ONE, a, b, T::ZERO, c, Epilogue::NONE, workspace),
                None => peer::matrixmultiply(T::ONE, a, b, T::ZERO, c),
            }
        };
        (product, Aligned::zeros(m * n))
    }
}

#[cfg(test)]
mod tests {
    use super::{Operands, Shape, TRANSPOSED, shape};
    use equilibria_kernels::Level;
    use std::sync::Arc;

    #[test]
    fn a_single_wrong_element_is_found() {
        let small = [shape(12, 10, 50), shape(1, 1, 1)];
        for shape in small.into_iter().chain(TRANSPOSED.map(|s| Shape { m: 12, n: 10, k: 50, ..s })) {
            let operands = Arc::new(Operands::<f32>::new(Level::detect(), shape));
            let [(mut ours, mut c), (mut theirs, mut peer)] =
                [true, false].map(|ours| operands.product(ours));
            ours(&mut c);
            theirs(&mut peer);
            operands.check(&c, &peer).unwrap();
            for place in 0..c.len() {
                for wrong in [c[place] + 0.1, f32::NAN] {
                    let right = std::mem::replace(&mut c[place], wrong);
                    assert!(operands.check(&c, &peer).is_err(), "{shape}: element {place} of {wrong}");
                    c[place] = right;
                }
            }
            let zeros = vec![0.0; c.len()];
            assert!(operands.check(&zeros, &zeros).is_err(), "{shape}: both wrong");
        }
    }
}
