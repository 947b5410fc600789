//! One map of colours for all photographs of a folder.

use super::Side;
use crate::data::photograph::list;
use crate::run::write_atomically;
use crate::transport::colour::ColourImage;
use crate::{Error, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The photographs of a folder after [`apply_to`].
#[derive(Debug, Clone, Default, Serialize)]
pub struct Applied {
    /// The files that were written.
    pub files: Vec<String>,
    /// The photographs that were not, with the reason.
    pub failed: Vec<Failed>,
}

/// A photograph that could not be read or written.
#[derive(Debug, Clone, Serialize)]
pub struct Failed {
    /// The file.
    pub file: String,
    /// One sentence.
    pub reason: String,
}

/// The photographs of `folder`, each with the PNG file of its name in `out`.
///
/// **Errors** [`Error::NotFound`] if there is none; [`Error::InvalidArgument`] if two would have the same result, or results would
/// replace photographs; [`Error::Io`].
pub fn plan(folder: &Path, out: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    let mut taken = BTreeMap::new();
    let mut pairs = Vec::new();
    for from in list(folder)? {
        let mut name = from.file_stem().unwrap_or_default().to_owned();
        name.push(".png");
        let to = out.join(name);
        if to.canonicalize().is_ok_and(|to| from.canonicalize().is_ok_and(|from| from == to)) {
            return Err(Error::invalid(
                out.display(),
                "the results would replace the photographs; choose another folder",
            ));
        }
        if let Some(other) = taken.insert(to.clone(), from.clone()) {
            let both = format!("{} and {}", other.display(), from.display());
            return Err(Error::invalid(both, format!("both would become {}; rename one", to.display())));
        }
        pairs.push((from, to));
    }
    Ok(pairs)
}

/// Applies `map` to each photograph of a [`plan`]. One that fails does not stop the others. `before` is called before each with
/// what is done so far.
///
/// **Errors** Those of `before`.
pub fn apply_to(
    pairs: &[(PathBuf, PathBuf)],
    map: &dyn Fn(&ColourImage) -> Result<ColourImage>,
    before: &mut dyn FnMut(&Applied) -> Result<()>,
) -> Result<Applied> {
    let mut applied = Applied::default();
    for (from, to) in pairs {
        before(&applied)?;
        let done = Side::read_file(from)
            .and_then(|side| side.to_png(map(side.image())?))
            .and_then(|png| write_atomically(to, &png));
        match done {
            Ok(()) => applied.files.push(to.display().to_string()),
            Err(error) => {
                let (file, reason) = (from.display().to_string(), error.to_string());
                applied.failed.push(Failed { file, reason });
            }
        }
    }
    Ok(applied)
}
