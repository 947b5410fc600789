//! The masses of both sides of a transport problem, checked and divided by their sum.

use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::Scalar;

/// Two sums of masses that differ by less than this share of the larger one count as equal. Masses in f32, or written
/// with seven digits, differ by rounding alone.
const ROUNDING: f64 = 1e-6;

/// The masses of both sides, each divided by its sum.
///
/// A cost is therefore always the cost of a unit of mass, as for probabilities. A mass may be 0.
///
/// ```
/// use equilibria::transport::Marginals;
/// let masses = Marginals::new(&[1.0, 3.0], &[2.0, 2.0])?;
/// assert_eq!(masses.a(), [0.25, 0.75]);
/// let error = Marginals::new(&[1.0, 3.0], &[2.0, 3.0]).unwrap_err().to_string();
/// assert!(error.contains("sum of 4") && error.contains("sum of 5"));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Marginals {
    a: Vec<f64>,
    b: Vec<f64>,
}

impl Marginals {
    /// Takes masses with equal sums.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a side is empty, a mass is negative or not finite, a sum is 0, or the
    /// sums differ by more than rounding (1e-6 of the larger one). The error names both sums.
    pub fn new<T: Scalar>(a: &[T], b: &[T]) -> Result<Self> {
        let (sum_a, sum_b) = (sum("source", a)?, sum("target", b)?);
        if (sum_a - sum_b).abs() > ROUNDING * sum_a.max(sum_b) {
            return Err(Error::invalid(
                format!("source masses with a sum of {sum_a} and target masses with a sum of {sum_b}"),
                "the sums must be equal; normalise the masses to compare their shapes alone",
            ));
        }
        Ok(Self { a: divided(a, sum_a), b: divided(b, sum_b) })
    }

    /// Takes masses whose sums may differ.
    ///
    /// **Errors** As [`Marginals::new`], apart from the sums.
    pub fn normalised<T: Scalar>(a: &[T], b: &[T]) -> Result<Self> {
        let (sum_a, sum_b) = (sum("source", a)?, sum("target", b)?);
        Ok(Self { a: divided(a, sum_a), b: divided(b, sum_b) })
    }

    /// `n` equal masses on one side and `m` on the other.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a side is empty.
    pub fn uniform(n: usize, m: usize) -> Result<Self> {
        Self::normalised(&vec![1.0; n], &vec![1.0; m])
    }

    /// The masses of the source (n).
    pub fn a(&self) -> &[f64] {
        &self.a
    }

    /// The masses of the target (m).
    pub fn b(&self) -> &[f64] {
        &self.b
    }

    /// Returns an error unless there are `n` and `m` masses.
    pub(super) fn check(&self, n: usize, m: usize) -> Result<()> {
        let found = [self.a.len(), self.b.len()];
        if found == [n, m] {
            return Ok(());
        }
        Err(Error::ShapeMismatch {
            operation: "masses of a transport problem",
            expected: vec![n, m],
            found: found.to_vec(),
        })
    }

    /// Exchanges source and target.
    #[must_use]
    pub fn swapped(self) -> Self {
        Self { a: self.b, b: self.a }
    }
}

/// The sum of the masses of one side, if they are masses.
fn sum<T: Scalar>(side: &str, masses: &[T]) -> Result<f64> {
    if masses.is_empty() {
        return Err(Error::invalid(format!("{side} without points"), "at least 1 point is needed"));
    }
    for (i, mass) in masses.iter().enumerate() {
        let mass = mass.to_f64();
        if !(mass >= 0.0 && mass.is_finite()) {
            let given = format!("mass {mass} of {side} point {i}");
            return Err(Error::invalid(given, "a mass is a finite number of at least 0"));
        }
    }
    let sum: f64 = masses.iter().map(|mass| mass.to_f64()).sum();
    if !(sum > 0.0 && sum.is_finite()) {
        return Err(Error::invalid(
            format!("{side} masses with a sum of {sum}"),
            "the sum must be positive and finite",
        ));
    }
    Ok(sum)
}

fn divided<T: Scalar>(masses: &[T], sum: f64) -> Vec<f64> {
    masses.iter().map(|mass| mass.to_f64() / sum).collect()
}
