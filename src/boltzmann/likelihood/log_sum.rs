//! The logarithm of a sum of exponentials, accumulated term by term.

/// The sum of e^x over the x that were added, stored as e^`largest` * `scaled`, so that nothing overflows.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogSum {
    largest: f64,
    scaled: f64,
}

impl LogSum {
    /// The empty sum.
    pub(super) const EMPTY: Self = Self { largest: f64::NEG_INFINITY, scaled: 0.0 };

    /// Adds e^x.
    pub(super) fn add(&mut self, x: f64) {
        self.merge(Self { largest: x, scaled: 1.0 });
    }

    /// Adds all terms of another sum.
    pub(super) fn merge(&mut self, other: Self) {
        if other.largest == f64::NEG_INFINITY {
            return; // The other sum is empty or 0.
        }
        let largest = if other.largest > self.largest { other.largest } else { self.largest };
        let scaled = |sum: &Self| sum.scaled * libm::exp(sum.largest - largest);
        *self = Self { largest, scaled: scaled(self) + scaled(&other) };
    }

    /// The logarithm of the sum; -inf for the empty sum.
    pub(super) fn ln(self) -> f64 {
        self.largest + libm::log(self.scaled)
    }

    /// The logarithm of the sum of e^x over `terms`.
    pub(super) fn of(terms: impl IntoIterator<Item = f64>) -> f64 {
        let mut sum = Self::EMPTY;
        terms.into_iter().for_each(|x| sum.add(x));
        sum.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::LogSum;

    #[test]
    fn terms_beyond_the_range_of_exp_are_summed_in_any_order() {
        let terms = [-2000.0, 1000.0, 999.0, f64::NEG_INFINITY, 1001.0];
        let exact = 1001.0 + libm::log(1.0 + libm::exp(-1.0) + libm::exp(-2.0));
        for first in 0..terms.len() {
            let rotated = terms[first..].iter().chain(&terms[..first]).copied();
            assert!((LogSum::of(rotated) - exact).abs() < 1e-12);
            let (left, right) = terms.split_at(first);
            let mut sum = LogSum::EMPTY;
            for part in [left, right] {
                let mut other = LogSum::EMPTY;
                part.iter().for_each(|&x| other.add(x));
                sum.merge(other);
            }
            assert!((sum.ln() - exact).abs() < 1e-12);
        }
        assert_eq!(LogSum::of([]), f64::NEG_INFINITY);
        assert!(LogSum::of([1.0, f64::NAN]).is_nan() && LogSum::of([f64::NAN, 1.0]).is_nan());
    }
}
