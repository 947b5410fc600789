//! Files with results, and the check of the numbers that a command is given.

use super::progress::warn;
use super::write_atomically;
use crate::report::numbers::thousands;
use crate::{Error, Result};
use std::io::Read as _;
use std::ops::RangeInclusive;
use std::path::Path;

/// Returns an error if the value of an option is out of `range`; `what` says what the numbers are for.
pub(crate) fn check_range(
    option: &str,
    value: usize,
    range: RangeInclusive<usize>,
    what: &str,
) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let [least, most] = [*range.start(), *range.end()].map(thousands);
    Err(Error::invalid(format!("{option} {value}"), format!("{least} to {most} {what}")))
}

/// Creates the folder of a file.
pub(crate) fn create_folder_of(path: &Path) -> Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => std::fs::create_dir_all(folder).map_err(|error| Error::io("creating", folder, error)),
        None => Ok(()),
    }
}

/// Writes a picture or another file, and creates its folder.
///
/// A picture replaces only a picture of the same format, so that a mistyped option does not overwrite a model.
pub(crate) fn write_output(path: &Path, bytes: &[u8]) -> Result<()> {
    let format = [b"\x89PNG", b"<svg"].into_iter().find(|format| bytes.starts_with(*format));
    if let Some(format) = format.filter(|_| path.is_file()) {
        let mut first = Vec::new();
        let file = std::fs::File::open(path).and_then(|file| file.take(4).read_to_end(&mut first));
        file.map_err(|error| Error::io("reading", path, error))?;
        if !first.is_empty() && first != format {
            return Err(Error::invalid(
                format!("the picture {}", path.display()),
                "a file that is no such picture has this name; choose another one",
            ));
        }
    }
    create_folder_of(path)?;
    write_atomically(path, bytes)
}

/// Writes a picture that the results of a command do not depend on. Returns whether it was written; if not, a warning
/// says why.
pub(crate) fn write_picture(path: &Path, picture: Result<impl AsRef<[u8]>>) -> bool {
    let written = picture.and_then(|bytes| write_output(path, bytes.as_ref()));
    if let Err(error) = &written {
        warn(&format!("{} was not drawn: {error}", path.display()));
    }
    written.is_ok()
}
