//! The recipe of a game: objective, batch size and optimisers.

use crate::adversarial::Objective;
use crate::optim::Rule;
use crate::{Error, Result};
use alloc::format;

/// The objective, the batch size and the optimisers of a game.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// The losses of both players.
    pub objective: Objective,
    /// Number of samples in a mini-batch.
    pub batch: usize,
    /// The optimiser of the generator.
    pub generator: Rule,
    /// The optimiser of the discriminator.
    pub discriminator: Rule,
    /// The decay factor of a moving average of the generator's parameters, for instance 0.999, if there is one.
    pub average: Option<f64>,
}

impl Recipe {
    /// The usual recipe for this objective, with mini-batches of 64.
    ///
    /// **Source** Standard: Adam, 2e-4 (0.5, 0.999), Radford et al. 2016. Clipping: RMSProp, 5e-5, Arjovsky et al.
    /// 2017. Penalty: Adam, 1e-4 (0.5, 0.9), the published code of Gulrajani et al. 2017 for images.
    pub fn of(objective: Objective) -> Self {
        let rule = match objective {
            Objective::Standard { .. } => Rule::adam(2e-4, [0.5, 0.999]),
            Objective::Clipping { .. } => Rule::rms_prop(5e-5),
            Objective::Penalty { .. } => Rule::adam(1e-4, [0.5, 0.9]),
        };
        Self { objective, batch: 64, generator: rule, discriminator: rule, average: None }
    }

    /// Checks the ranges of all numbers.
    ///
    /// **Errors** [`Error::InvalidArgument`], with the correct range, if a number is outside its range.
    pub fn validate(&self) -> Result<()> {
        self.objective.validate()?;
        self.generator.validate()?;
        self.discriminator.validate()?;
        if self.batch == 0 {
            return Err(Error::invalid("batch 0", "a mini-batch needs at least 1 sample"));
        }
        if let Some(kept) = self.average
            && !(0.0..1.0).contains(&kept)
        {
            return Err(Error::invalid(format!("average {kept}"), "it must be at least 0 and below 1"));
        }
        Ok(())
    }
}
