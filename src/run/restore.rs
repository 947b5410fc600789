//! Reads the progress of a run from a checkpoint. Numbers that the run cannot have reached are refused before use.

use crate::checkpoint::Archive;
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

/// The error for a checkpoint of another run.
pub(super) fn not_reached(archive: &Archive, key: &str) -> Error {
    let problem = format!("'{key}' is not what this run can have reached; the checkpoint is another run's");
    Error::malformed(archive.place(), 8, problem)
}
