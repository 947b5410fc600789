//! The recipe of a game: objective, batch size and optimisers.

use crate::adversarial::penalty::ZeroCentred;
use crate::adversarial::{Augmentation, Objective};
use crate::optim::Rule;
use crate::{Error, Result};

/// The objective, the batch size and the optimisers of a game.
///
/// ```
/// use equilibria::adversarial::{Objective, Recipe};
/// let recipe = Recipe { batch: 128, average: Some(0.999), ..Recipe::of(Objective::penalty()) };
/// assert!(recipe.validate().is_ok());
/// assert!(Recipe { batch: 0, ..recipe }.validate().is_err());
/// ```
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
    /// Random changes of all images before the discriminator.
    pub augmentation: Augmentation,
    /// Penalties on the discriminator's slope at real and at generated samples.
    pub zero_centred: ZeroCentred,
}

impl Recipe {
    /// The usual recipe for this objective, with mini-batches of 64, without augmentation and zero-centred penalties.
    ///
    /// **Source** Standard and relativistic: Adam, 2e-4 (0.5, 0.999), Radford et al. 2016. Clipping: RMSProp, 5e-5, Arjovsky et al.
    /// 2017. Penalty: Adam, 1e-4 (0.5, 0.9), the published code of Gulrajani et al. 2017 for images.
    pub fn of(objective: Objective) -> Self {
        let rule = match objective {
            Objective::Standard { .. } | Objective::Relativistic => Rule::adam(2e-4, [0.5, 0.999]),
            Objective::Clipping { .. } => Rule::rms_prop(5e-5),
            Objective::Penalty { .. } => Rule::adam(1e-4, [0.5, 0.9]),
        };
        let (augmentation, zero_centred) = (Augmentation::default(), ZeroCentred::NONE);
        Self {
            objective,
            batch: 64,
            generator: rule,
            discriminator: rule,
            average: None,
            augmentation,
            zero_centred,
        }
    }

    /// Returns whether the discriminator's slope at single samples is penalised, which batch normalisation does not permit.
    pub fn penalises_slopes(&self) -> bool {
        matches!(self.objective, Objective::Penalty { .. }) || !self.zero_centred.rows(1).is_empty()
    }

    /// Checks the ranges of all numbers.
    ///
    /// **Errors** [`Error::InvalidArgument`], with the correct range, if a number is outside its range.
    pub fn validate(&self) -> Result<()> {
        self.objective.validate()?;
        self.zero_centred.validate()?;
        self.generator.validate()?;
        self.discriminator.validate()?;
        if self.batch == 0 {
            return Err(Error::invalid("batch 0", "a mini-batch needs at least 1 sample"));
        }
        Ok(())
    }
}
