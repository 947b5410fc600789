//! Files of arrays: which format they have, and what they hold.

use super::array::{Array, idx_header};
use super::idx::{self, Kind, LARGEST};
use super::stream::{START, fill, open};
#[cfg(feature = "cli")]
use super::zip;
use super::{kind, npy};
use crate::{Error, Result};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::io::Read;
use std::path::Path;

/// Returns whether a file that begins with `start` holds arrays.
pub(super) fn is_array(start: &[u8]) -> bool {
    start.starts_with(npy::MAGIC) || is_archive(start) || idx_header(start).is_some()
}

/// Returns whether a file that begins with `start` is an archive of arrays (`.npz`), or another zip archive.
pub(super) fn is_archive(start: &[u8]) -> bool {
    cfg!(feature = "cli") && start.starts_with(b"PK\x03\x04")
}

/// Reads the array of a file, or that of the member of an archive.
///
/// **Errors** [`Error::Malformed`] if the file is damaged or of another format, which it names; [`Error::Io`].
pub(super) fn array(kind: Kind, path: &Path, member: Option<&str>) -> Result<Array> {
    #[cfg(feature = "cli")]
    if let Some(member) = member {
        return member_of(path, member);
    }
    let _ = member;
    let mut source = open(path)?;
    let mut start = Vec::new();
    fill(path, 0, &mut start, &mut source, START as u64)?;
    let mut whole = (&start[..]).chain(source);
    if !start.starts_with(npy::MAGIC) {
        return idx::read_from(kind, path, &mut whole);
    }
    npy::parse(&path.display().to_string(), &rest(path, &mut whole)?)
}

/// All bytes of `source`.
fn rest(path: &Path, source: &mut dyn Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fill(path, 0, &mut bytes, source, LARGEST + 1)?;
    if bytes.len() as u64 > LARGEST {
        let problem = format!("the file is longer than the limit of {LARGEST} bytes");
        return Err(Error::malformed(path.display(), LARGEST, problem));
    }
    Ok(bytes)
}

/// All bytes of a file, behind gzip if it is that; at most [`LARGEST`].
///
/// **Errors** [`Error::Malformed`] for damaged gzip and for a longer file; [`Error::Io`].
#[cfg(feature = "cli")]
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>> {
    rest(path, &mut open(path)?)
}

/// The names of the arrays in an archive, without `.npy`.
///
/// **Errors** [`Error::Malformed`] for a damaged archive, or one without arrays.
#[cfg(feature = "cli")]
pub(super) fn members(path: &Path) -> Result<Vec<String>> {
    let place = path.display().to_string();
    let names: Vec<String> = zip::members(&place, &bytes(path)?)?
        .iter()
        .filter_map(|member| member.name.strip_suffix(".npy").map(ToString::to_string))
        .collect();
    match names.is_empty() {
        true => {
            Err(Error::malformed(place, 0, "this is a zip archive without arrays (.npy); unpack it first"))
        }
        false => Ok(names),
    }
}

#[cfg(not(feature = "cli"))]
pub(super) fn members(path: &Path) -> Result<Vec<String>> {
    Err(Error::malformed(path.display(), 0, "archives need the feature `cli`"))
}

#[cfg(feature = "cli")]
fn member_of(path: &Path, member: &str) -> Result<Array> {
    let (place, bytes) = (format!("{}: {member}", path.display()), bytes(path)?);
    let members = zip::members(&place, &bytes)?;
    let found = members.iter().find(|found| found.name.strip_suffix(".npy") == Some(member));
    let found = found.ok_or_else(|| Error::malformed(&place, 0, "there is no such array"))?;
    npy::parse(&place, &zip::unpack(&place, &bytes, found, LARGEST)?)
}

/// The error for a file that holds no images.
pub(super) fn other_kind(path: &Path, start: &[u8]) -> Error {
    let problem = format!(
        "this is {}; images are needed: IDX, .npy or .npz, CIFAR-10's records, or a folder of PNG or JPEG pictures",
        kind::describe(start)
    );
    Error::malformed(path.display(), 0, problem)
}
