//! Folders of pictures of one size: PNG and JPEG files, grey or in colour.
//!
//! Files are taken in the order of their names; hidden files, and files whose names do not end with `.png`, `.jpg` or
//! `.jpeg`, are ignored. If a folder has no pictures but subfolders with pictures, then each subfolder is a class. The
//! images are grey if the red, the green and the blue of every pixel are equal.

use super::picture::Picture;
use super::{Images, Labelled, png};
use crate::{Error, Result};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::path::{Path, PathBuf};

/// Names that are listed in an error at most.
const LISTED: usize = 3;

/// Reads the pictures in `folder`, or in its subfolders, which all have `size` (height, width) if it is given.
///
/// Transparent pictures are laid on white. Values of 16 bits are rounded to 8.
///
/// **Errors** [`Error::NotFound`] if there is no picture; [`Error::Malformed`] with the name of the file if a picture is
/// damaged, or has another size than `size` or the first; [`Error::Io`] if the folder or a file cannot be read.
pub fn read_folder(folder: &Path, size: Option<[usize; 2]>) -> Result<Images> {
    Ok(read(folder, &list(folder)?, size)?.images().clone())
}

/// The pictures in a folder, before they are read.
pub(super) struct Listing {
    /// Each file with its class.
    files: Vec<(PathBuf, u8)>,
    /// The names of the classes: those of the subfolders. None if the files are in the folder itself.
    pub classes: Vec<String>,
}

/// Lists the pictures of a folder, or of its subfolders.
///
/// **Errors** as [`read_folder`]; [`Error::InvalidArgument`] for more than 256 subfolders.
pub(super) fn list(folder: &Path) -> Result<Listing> {
    let [files, folders] = entries(folder)?;
    let pictures: Vec<(PathBuf, u8)> =
        files.iter().filter(|path| is_picture(path)).map(|path| (path.clone(), 0)).collect();
    if !pictures.is_empty() {
        return Ok(Listing { files: pictures, classes: Vec::new() });
    }
    let mut listing = Listing { files: Vec::new(), classes: Vec::new() };
    for path in &folders {
        let [inside, _] = entries(path)?;
        let mut pictures = inside.into_iter().filter(|path| is_picture(path)).peekable();
        if pictures.peek().is_none() {
            continue;
        }
        let class = u8::try_from(listing.classes.len()).map_err(|_| {
            Error::invalid(folder.display(), "pictures can be in at most 256 subfolders, one for each class")
        })?;
        listing.classes.push(last_part(path));
        listing.files.extend(pictures.map(|path| (path, class)));
    }
    if listing.files.is_empty() {
        let mut names: Vec<String> = files.iter().take(LISTED).map(|path| last_part(path)).collect();
        if files.len() > LISTED {
            names.push("…".into());
        }
        let found = match names.is_empty() {
            true => String::new(),
            false => format!("it has {}; ", names.join(", ")),
        };
        return Err(Error::NotFound {
            what: "a picture (.png, .jpg or .jpeg)".into(),
            place: folder.display().to_string(),
            remedy: format!(
                "{found}give a folder of pictures of one size, or of one folder of pictures for each class"
            ),
        });
    }
    Ok(listing)
}

/// Returns whether there are pictures in `folder` or in its subfolders.
pub(super) fn are_in(folder: &Path) -> Result<bool> {
    match list(folder) {
        Ok(_) => Ok(true),
        Err(Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads listed pictures.
pub(super) fn read(folder: &Path, listing: &Listing, size: Option<[usize; 2]>) -> Result<Labelled> {
    let count = listing.files.len();
    let mut first: Option<([usize; 2], &Path)> = None;
    let (mut pixels, mut channels) = (Vec::new(), 1);
    for (path, _) in &listing.files {
        let mut is_right = |found| match (size, first) {
            (Some(expected), _) if found != expected => Err(other_size(path, found, expected, None)),
            (None, Some((expected, before))) if found != expected => {
                Err(other_size(path, found, expected, Some(before)))
            }
            _ => Ok(()),
        };
        let picture = without_colour(decode(path, &mut is_right)?);
        let [height, width] = picture.size;
        if first.is_none() {
            pixels = room(folder, count, height * width)?;
            first = Some((picture.size, path));
        }
        if picture.channels > channels {
            let mut more = room(folder, count, height * width * 3)?;
            more.extend(coloured(&pixels));
            (pixels, channels) = (more, 3);
        }
        match picture.channels < channels {
            true => pixels.extend(coloured(&picture.values)),
            false => pixels.extend(picture.values),
        }
    }
    let ([height, width], _) =
        first.ok_or_else(|| Error::invalid(folder.display(), "there are no pictures"))?;
    let labels = listing.files.iter().map(|&(_, class)| class).collect();
    Labelled::new(Images::with_channels(height, width, channels, pixels)?, labels)
}

/// Room for `count` pictures of `size` values.
fn room(folder: &Path, count: usize, size: usize) -> Result<Vec<u8>> {
    let mut pixels = Vec::new();
    match count.checked_mul(size).map(|length| pixels.try_reserve_exact(length)) {
        Some(Ok(())) => Ok(pixels),
        _ => {
            let expected = format!("its {count} pictures of {size} values each do not fit into memory");
            Err(Error::invalid(folder.display(), expected))
        }
    }
}

fn other_size(path: &Path, found: [usize; 2], expected: [usize; 2], before: Option<&Path>) -> Error {
    let [[height, width], [right, wide]] = [found, expected];
    let problem = match before {
        Some(before) => format!(
            "the picture has {height}x{width} pixels, and {} has {right}x{wide}; all pictures need one size",
            last_part(before)
        ),
        None => {
            format!(
                "the picture has {height}x{width} pixels; one image of {right}x{wide} to a file is needed"
            )
        }
    };
    Error::malformed(path.display(), 0, problem)
}

/// Decodes a file. `is_right` checks height and width before anything of that size is allocated.
fn decode(path: &Path, is_right: &mut dyn FnMut([usize; 2]) -> Result<()>) -> Result<Picture> {
    if ends_with(path, &["png"]) {
        return png::read(path, is_right);
    }
    #[cfg(feature = "cli")]
    return super::jpeg::read(path, is_right);
    #[cfg(not(feature = "cli"))]
    Err(Error::invalid(path.display(), "JPEG files are read only with the feature `cli`"))
}

/// The same picture in grey, if every pixel is grey.
fn without_colour(picture: Picture) -> Picture {
    let (parts, _) = picture.values.as_chunks::<3>();
    match picture.channels == 3 && parts.iter().all(|[red, green, blue]| red == green && green == blue) {
        true => Picture { channels: 1, values: parts.iter().map(|parts| parts[0]).collect(), ..picture },
        false => picture,
    }
}

/// Grey values as red, green and blue.
fn coloured(grey: &[u8]) -> impl Iterator<Item = u8> {
    grey.iter().flat_map(|&value| [value; 3])
}

pub(super) fn is_picture(path: &Path) -> bool {
    ends_with(path, &["png", "jpg", "jpeg"])
}

fn ends_with(path: &Path, names: &[&str]) -> bool {
    path.extension().is_some_and(|extension| names.iter().any(|name| extension.eq_ignore_ascii_case(name)))
}

/// The last part of a path, for captions.
pub(super) fn last_part(path: &Path) -> String {
    path.file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The files and the folders in `folder` that are not hidden, each sorted by name.
pub(super) fn entries(folder: &Path) -> Result<[Vec<PathBuf>; 2]> {
    let failed = |error| Error::io("reading", folder, error);
    let (mut files, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        match last_part(&path).starts_with('.') {
            true => {}
            false if path.is_dir() => folders.push(path),
            false => files.push(path),
        }
    }
    files.sort_unstable();
    folders.sort_unstable();
    Ok([files, folders])
}
