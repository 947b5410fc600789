//! The checkpoint of a run between any two steps of the generator, and its model.

use super::history::{HISTORY, HISTORY_STEPS, history_shape, kept_steps};
use super::{Run, Settings};
use crate::adversarial::Networks;
use crate::checkpoint::Archive;
use crate::nn::plan::read_tensor;
use crate::run::restore::{self, not_reached};
use crate::{Error, Result};

impl Run<'_> {
    /// Parameters, running statistics, the average and the settings, without the state that only training needs.
    pub(super) fn to_model(&self) -> Result<Archive> {
        let mut archive = self.archive(|name| !name.contains("_optimiser."))?;
        let data = self.digits.name.clone();
        crate::run::describe(&mut archive, Settings { data, ..self.settings.clone() })?;
        Ok(archive)
    }

    pub(super) fn build_checkpoint(&self) -> Result<Archive> {
        let mut archive = self.archive(|_| true)?;
        archive.set_metadata("discriminator_steps", &self.game.discriminator_steps().to_string());
        archive.set_metadata("seconds", &self.seconds.to_string());
        Ok(archive)
    }

    fn archive(&self, is_wanted: impl Fn(&str) -> bool) -> Result<Archive> {
        let mut archive = Archive::new();
        archive.set_metadata("model", "gan");
        archive.set_metadata("networks", &self.settings.networks.to_string());
        archive.set_metadata("steps", &self.game.steps().to_string());
        for (name, tensor) in self.game.state().filter(|(name, _)| is_wanted(name)) {
            archive.insert_f32(&name, tensor.shape(), tensor.data())?;
        }
        let kept: Vec<String> = self.history_steps.iter().map(ToString::to_string).collect();
        archive.set_metadata(HISTORY_STEPS, &kept.join(" "));
        archive.insert_u8(HISTORY, &history_shape(kept.len(), self.shape), &self.history)?;
        crate::run::describe_shape(&mut archive, self.shape);
        Ok(archive)
    }

    pub(super) fn restore_checkpoint(&mut self, archive: &Archive) -> Result<()> {
        let malformed = |problem: String| Error::malformed(archive.place(), 8, problem);
        let networks = &self.settings.networks;
        let is_other = |found: &&str| found.parse::<Networks>().as_ref() != Ok(networks);
        if let Some(found) = archive.metadata("networks").filter(is_other) {
            return Err(malformed(format!("the networks are `{found}`, the settings say `{networks}`")));
        }
        let steps = restore::number(archive, "steps", self.settings.steps as u64)?;
        let discriminator_steps = restore::number(archive, "discriminator_steps", u64::MAX)?;
        if discriminator_steps != self.settings.recipe().objective.all_discriminator_steps(steps) {
            return Err(not_reached(archive, "discriminator_steps"));
        }
        self.seconds = restore::seconds(archive)?;
        for (name, tensor) in self.game.state_mut(steps, discriminator_steps) {
            // Mean squares of gradients may overflow while the parameters are finite.
            let values = match name.contains("_optimiser.") {
                true => archive.tensor_f32(&name, tensor.shape())?,
                false => read_tensor(archive, &name, tensor.shape())?,
            };
            tensor.data_mut().copy_from_slice(values);
        }
        let kept = kept_steps(archive, self.settings.steps, steps);
        self.history_steps = kept.ok_or_else(|| not_reached(archive, HISTORY_STEPS))?;
        let shape = history_shape(self.history_steps.len(), self.shape);
        self.history = archive.tensor_u8(HISTORY, &shape)?.to_vec();
        Ok(())
    }
}
