//! How a game is played.

use crate::adversarial::Objective;
use crate::optim::Rule;
use crate::{Error, Result};
use alloc::format;

/// How a game is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// What for.
    pub objective: Objective,
    /// Samples in a mini-batch.
    pub batch: usize,
    /// How the generator moves.
    pub generator: Rule,
    /// How the discriminator moves.
    pub discriminator: Rule,
    /// What a step keeps of a running average of the generator's parameters, for instance 0.999, if there is one.
    pub average: Option<f64>,
}

impl Recipe {
    /// The usual one for this objective, with mini-batches of 64.
    ///
    /// **Source** Standard: Adam, 2e-4 (0.5, 0.999), Radford et al. 2016. Clipping: RMSProp, 5e-5, Arjovsky et al. 2017.
    /// Penalty: Adam, 1e-4 (0.5, 0.9), the published code of Gulrajani et al. 2017 for images.
    pub fn of(objective: Objective) -> Self {
        let rule = match objective {
            Objective::Standard { .. } => Rule::adam(2e-4, [0.5, 0.999]),
            Objective::Clipping { .. } => Rule::rms_prop(5e-5),
            Objective::Penalty { .. } => Rule::adam(1e-4, [0.5, 0.9]),
        };
        Self { objective, batch: 64, generator: rule, discriminator: rule, average: None }
    }

    /// **Errors** [`Error::InvalidArgument`] with what would be right, if a number is outside its range.
    pub fn validate(&self) -> Result<()> {
        self.objective.validate()?;
        self.generator.validate()?;
        self.discriminator.validate()?;
        if self.batch == 0 {
            return Err(Error::invalid("batch 0", "a mini-batch has at least 1 sample"));
        }
        if let Some(kept) = self.average
            && !(0.0..1.0).contains(&kept)
        {
            return Err(Error::invalid(format!("average {kept}"), "what is kept is at least 0 and below 1"));
        }
        Ok(())
    }
}
