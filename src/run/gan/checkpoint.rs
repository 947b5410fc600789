//! The checkpoint of a run between any two steps of the generator, and its model.

use super::best::{BEST, Best};
use super::{Run, Settings};
use crate::adversarial::generator::history::{HISTORY, HISTORY_STEPS, kept_steps};
use crate::adversarial::{Networks, PICTURED};
use crate::checkpoint::Archive;
use crate::checkpoint::image_shape::describe_shape;
use crate::run::restore::{self, not_reached, restore_game};
use crate::tensor::Tensor;
use crate::{Error, Result};

impl Run<'_> {
    /// Parameters, running statistics, the average and the settings, without the state that only training needs.
    pub(super) fn to_model(&self) -> Result<Archive> {
        let tensors = self.game.state().filter(|(name, _)| !name.contains("_optimiser."));
        self.described(self.archive(self.game.steps(), tensors)?)
    }

    /// The model of the best generator, without a discriminator.
    pub(super) fn best_model(&self) -> Result<Option<Archive>> {
        let Some(best) = &self.best else { return Ok(None) };
        let name = if self.settings.average.is_some() { "average" } else { "generator" };
        let archive = self.archive(best.step, best.tensors(name))?;
        self.described(archive).map(Some)
    }

    fn described(&self, mut archive: Archive) -> Result<Archive> {
        let data = self.digits.name.clone();
        crate::run::describe(&mut archive, Settings { data, ..self.settings.clone() })?;
        Ok(archive)
    }

    pub(super) fn build_checkpoint(&self) -> Result<Archive> {
        let best = self.best.iter().flat_map(|best| best.tensors(BEST));
        let mut archive = self.archive(self.game.steps(), self.game.state().chain(best))?;
        self.best.iter().for_each(|best| best.describe(&mut archive));
        archive.set_metadata("discriminator_steps", &self.game.discriminator_steps().to_string());
        archive.set_metadata("seconds", &self.seconds.to_string());
        Ok(archive)
    }

    /// These tensors, and the samples over the first `steps` steps.
    fn archive<'a>(
        &self,
        steps: u64,
        tensors: impl Iterator<Item = (String, &'a Tensor<f32>)>,
    ) -> Result<Archive> {
        let mut archive = Archive::new();
        archive.set_metadata("model", "gan");
        archive.set_metadata("networks", &self.settings.networks.to_string());
        archive.set_metadata("steps", &steps.to_string());
        for (name, tensor) in tensors {
            archive.insert_f32(&name, tensor.shape(), tensor.data())?;
        }
        let kept = self.history_steps.iter().filter(|&&step| step <= steps);
        let kept: Vec<String> = kept.map(ToString::to_string).collect();
        archive.set_metadata(HISTORY_STEPS, &kept.join(" "));
        let shape = history_shape(kept.len(), self.shape);
        archive.insert_u8(HISTORY, &shape, &self.history[..shape.iter().product()])?;
        describe_shape(&mut archive, self.shape);
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
        self.seconds = restore::seconds(archive)?;
        restore_game(&mut self.game, archive, steps)?;
        self.best = Best::restore(archive, steps, self.game.generator())?;
        let kept = kept_steps(archive, self.settings.steps as u64, steps);
        self.history_steps = kept.ok_or_else(|| not_reached(archive, HISTORY_STEPS))?;
        let shape = history_shape(self.history_steps.len(), self.shape);
        self.history = archive.tensor_u8(HISTORY, &shape)?.to_vec();
        Ok(())
    }
}

/// The shape of [`HISTORY`] for images of this height, width and number of channels.
fn history_shape(moments: usize, [height, width, channels]: [usize; 3]) -> Vec<usize> {
    let grey = vec![moments, PICTURED, height, width];
    if channels == 1 { grey } else { [grey, vec![channels]].concat() }
}
