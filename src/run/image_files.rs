//! Images as files for other programs: single pictures, IDX or `.npy`.

use super::write_atomically;
use crate::data::{Images, idx, npy};
use crate::report::picture;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// A place for images.
#[derive(Debug)]
pub(crate) enum ImageFiles {
    /// A folder of PNG files, 000000.png and so on.
    Folder(PathBuf),
    Idx(PathBuf),
    Npy(PathBuf),
}

impl ImageFiles {
    /// Prepares `path`, before the work: a file that ends with `.npy`, one that ends with `.idx` or `-ubyte`, or a folder.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a file of this name is there, or another thing than an empty folder, or if the
    /// name is that of another format.
    pub fn new(path: &Path) -> Result<Self> {
        let refused = |expected: &str| Err(Error::invalid(format!("--images {}", path.display()), expected));
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let is = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        let [is_npy, is_idx] = [is(&[".npy"]), is(&[".idx", "-ubyte"])];
        if is(&[".png", ".jpg", ".jpeg", ".gz", ".npz", ".csv", ".safetensors"]) {
            return refused("give a new folder for PNG files, or a file that ends with .npy or .idx");
        }
        if is_npy || is_idx {
            if path.exists() {
                return refused("exists already; give another name");
            }
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder).map_err(|error| Error::io("creating", folder, error))?;
            }
            return Ok(if is_npy { Self::Npy(path.into()) } else { Self::Idx(path.into()) });
        }
        std::fs::create_dir_all(path).map_err(|error| Error::io("creating", path, error))?;
        let mut entries = std::fs::read_dir(path).map_err(|error| Error::io("reading", path, error))?;
        match entries.next() {
            None => Ok(Self::Folder(path.into())),
            Some(_) => {
                refused("the folder is not empty, and its files are kept; choose a new or an empty one")
            }
        }
    }

    /// Writes the images.
    pub fn write(&self, images: &Images) -> Result<()> {
        match self {
            Self::Npy(path) => write_atomically(path, &npy::of_images(images)),
            Self::Idx(path) => write_atomically(path, &idx::to_bytes(images)?),
            Self::Folder(folder) => (0..images.len()).try_for_each(|index| {
                let path = folder.join(format!("{index:06}.png"));
                let bytes = picture(images.shape(), images.image(index))?;
                std::fs::write(&path, bytes).map_err(|error| Error::io("writing", &path, error))
            }),
        }
    }
}
