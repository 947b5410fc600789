//! The settings of Sinkhorn's algorithm, and their check.

use crate::{Error, Result};
use alloc::format;

/// The strength of the entropy.
///
/// ```
/// use equilibria::transport::{Regularisation, SinkhornSettings};
/// assert_eq!(SinkhornSettings::epsilon(0.01).regularisation, Regularisation::Epsilon(0.01));
/// assert_eq!(SinkhornSettings::accuracy(0.01).regularisation, Regularisation::Accuracy(0.01));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Regularisation {
    /// ε, in the unit of the cost.
    Epsilon(f64),
    /// Lowers ε until the two bounds of the unregularised cost differ by at most this share of the upper one: 0.01 for 1 %.
    Accuracy(f64),
}

/// The settings of [`sinkhorn()`](super::sinkhorn()).
///
/// ```
/// use equilibria::transport::SinkhornSettings;
/// let settings = SinkhornSettings { plan: true, ..SinkhornSettings::epsilon(0.05) };
/// assert!(settings.plan && settings.penalty.is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SinkhornSettings {
    /// The strength of the entropy.
    pub regularisation: Regularisation,
    /// The L1 distance of the sums of the plan from the masses (of a total of 1) at which the solver stops.
    pub tolerance: f64,
    /// The largest number of sweeps, over all values of ε.
    pub most_iterations: usize,
    /// ρ, in the unit of the cost, for unbalanced transport; `None` keeps the masses.
    pub penalty: Option<f64>,
    /// Returns the plan, which takes 8 n m bytes.
    pub plan: bool,
    /// Memory for a kernel of n m numbers, in bytes. Larger problems are solved in the log domain, on the fly.
    pub memory: usize,
}

impl SinkhornSettings {
    /// Settings for this ε: tolerance 1e-6, 10,000 iterations, balanced, no plan, 1 GB of memory.
    pub fn epsilon(epsilon: f64) -> Self {
        Self {
            regularisation: Regularisation::Epsilon(epsilon),
            tolerance: 1e-6,
            most_iterations: 10_000,
            penalty: None,
            plan: false,
            memory: 1 << 30,
        }
    }

    /// The same settings for this accuracy, with tolerance 1e-3: the bounds hold for any marginal error.
    pub fn accuracy(accuracy: f64) -> Self {
        let regularisation = Regularisation::Accuracy(accuracy);
        Self { regularisation, tolerance: 1e-3, ..Self::epsilon(1.0) }
    }

    /// Returns an error if a setting is outside its range.
    pub(in crate::transport) fn check(&self) -> Result<()> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let invalid = |given, expected| Err(Error::invalid(given, expected));
        match self.regularisation {
            Regularisation::Epsilon(x) if !positive(x) => {
                return invalid(
                    format!("epsilon {x}"),
                    "epsilon is a positive finite number in the unit of the cost",
                );
            }
            Regularisation::Accuracy(x) if !(positive(x) && x < 1.0) => {
                return invalid(format!("accuracy {x}"), "an accuracy is between 0 and 1, for instance 0.01");
            }
            _ => {}
        }
        if !positive(self.tolerance) {
            return invalid(
                format!("tolerance {}", self.tolerance),
                "a tolerance is a positive finite number",
            );
        }
        if self.most_iterations == 0 {
            return invalid("0 iterations".into(), "at least 1 is needed");
        }
        if let Some(penalty) = self.penalty {
            if !positive(penalty) {
                return invalid(format!("penalty {penalty}"), "a penalty is a positive finite number");
            }
            if matches!(self.regularisation, Regularisation::Accuracy(_)) {
                return invalid("an accuracy and a penalty".into(), "unbalanced transport needs an epsilon");
            }
        }
        Ok(())
    }
}
