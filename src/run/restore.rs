//! Reads the progress of a run from a checkpoint. Numbers that the run cannot have reached are refused before use.

use crate::adversarial::Game;
use crate::checkpoint::Archive;
use crate::nn::plan::read_tensor;
use crate::{Error, Result};

/// The number under `key`.
///
/// **Errors** [`Error::Malformed`] if there is none, or it is above `most`.
pub(super) fn number(archive: &Archive, key: &str, most: u64) -> Result<u64> {
    let value = archive.required_metadata(key)?.parse().ok().filter(|&value| value <= most);
    value.ok_or_else(|| not_reached(archive, key))
}

/// The time since the last row of metrics; seconds.
///
/// **Errors** [`Error::Malformed`] if there is none, or it is no duration.
pub(super) fn seconds(archive: &Archive) -> Result<f64> {
    let value = archive.required_metadata("seconds")?.parse().ok();
    let value = value.filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
    value.ok_or_else(|| not_reached(archive, "seconds"))
}

/// Continues a game after `steps` steps of the generator.
///
/// **Errors** [`Error::Malformed`] if the discriminator cannot have taken as many steps as the checkpoint says, or a tensor is
/// missing, has another shape, or has a parameter that is not finite.
pub(super) fn restore_game(game: &mut Game<f32>, archive: &Archive, steps: u64) -> Result<()> {
    let discriminator_steps = number(archive, "discriminator_steps", u64::MAX)?;
    if discriminator_steps != game.recipe().objective.all_discriminator_steps(steps) {
        return Err(not_reached(archive, "discriminator_steps"));
    }
    for (name, tensor) in game.state_mut(steps, discriminator_steps) {
        // Mean squares of gradients may overflow while the parameters are finite.
        let values = match name.contains("_optimiser.") {
            true => archive.tensor_f32(&name, tensor.shape())?,
            false => read_tensor(archive, &name, tensor.shape())?,
        };
        tensor.data_mut().copy_from_slice(values);
    }
    Ok(())
}

/// The error for a checkpoint of another run.
pub(super) fn not_reached(archive: &Archive, key: &str) -> Error {
    let problem = format!("'{key}' is not what this run can have reached; the checkpoint is another run's");
    Error::malformed(archive.place(), 8, problem)
}
