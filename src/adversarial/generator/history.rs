//! Samples of the same latents over training.

use crate::checkpoint::Archive;
use crate::data::Images;
use crate::{Error, Result};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Number of latents whose samples are kept over training.
pub const PICTURED: usize = 10;
/// The tensor of samples over training: (moments, [`PICTURED`], height, width), and channels in colour.
pub(crate) const HISTORY: &str = "history";
/// Metadata: the numbers of steps after which these samples were taken, with spaces between. Without it they are the
/// [`moments`] of the run.
pub(crate) const HISTORY_STEPS: &str = "history_steps";
/// The most steps of the generator in a run.
pub(crate) const MOST_STEPS: u64 = 1 << 40;
/// Samples are kept at the start and after each of this many equal parts of the run.
const MOMENTS: u64 = 10;

/// The steps after which samples are kept: the start and ten more, or every step if there are fewer.
pub(crate) fn moments(steps: u64) -> Vec<u64> {
    let mut moments: Vec<u64> = (0..=MOMENTS).map(|part| steps * part / MOMENTS).collect();
    moments.dedup();
    moments
}

/// The numbers of steps of the samples in the archive of a run of `length` steps, of which `steps` are done. `None` if they do
/// not rise, or the run has not reached them.
pub(crate) fn kept_steps(archive: &Archive, length: u64, steps: u64) -> Option<Vec<u64>> {
    let kept: Vec<u64> = match archive.metadata(HISTORY_STEPS) {
        Some(text) => text.split(' ').map(|step| step.parse().ok()).collect::<Option<_>>()?,
        None => moments(length).into_iter().filter(|&moment| moment <= steps).collect(),
    };
    let is_reached = kept.last().is_some_and(|&last| last <= steps);
    (is_reached && kept.is_sorted_by(|a, b| a < b)).then_some(kept)
}

/// Reads the samples of a generator of `outputs` numbers, and the numbers of `steps` after which they were taken.
///
/// **Errors** [`Error::Malformed`] if they do not fit the generator or the length of its run.
pub(crate) fn read(archive: &Archive, outputs: usize, steps: Option<u64>) -> Result<(Images, Vec<u64>)> {
    let malformed = |problem: String| Err(Error::malformed(archive.place(), 8, problem));
    let shape = archive.shape(HISTORY)?;
    let (height, width, channels) = match *shape {
        [_, PICTURED, height, width] => (height, width, 1),
        [_, PICTURED, height, width, 3] => (height, width, 3),
        _ => {
            return malformed(format!(
                "tensor `{HISTORY}` has the shape {shape:?}, expected (moments, {PICTURED}, height, width) or \
                 (moments, {PICTURED}, height, width, 3)"
            ));
        }
    };
    if height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels)) != Some(outputs) {
        return malformed(format!(
            "images of {height}x{width} pixels and {channels} channels do not fit {outputs} outputs"
        ));
    }
    let images = Images::with_channels(height, width, channels, archive.tensor_u8(HISTORY, shape)?.to_vec())?;
    let Some(steps) = steps else { return malformed("metadata `steps` is missing".into()) };
    let kept = images.len() / PICTURED;
    let mut moments = kept_steps(archive, steps, steps).unwrap_or_default();
    if images.is_empty() || kept > moments.len() {
        return malformed(format!("samples of {kept} moments do not fit a run of {steps} steps"));
    }
    moments.truncate(kept);
    Ok((images, moments))
}

#[cfg(test)]
mod tests {
    use super::moments;

    #[test]
    fn samples_are_kept_at_both_ends_and_between() {
        assert_eq!(moments(1000), [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
        assert_eq!(moments(3), [0, 1, 2, 3]);
        assert_eq!(moments(1), [0, 1]);
    }
}
