//! Folders of pictures of one size: PNG and JPEG files, grey or in colour.
//!
//! Files are taken in the order of their names; hidden files, and files whose names do not end with `.png`, `.jpg` or
//! `.jpeg`, are ignored. The content decides the format. If a folder has no pictures but subfolders with pictures, then each subfolder is a class. The
//! images are grey if the red, the green and the blue of every pixel are equal.

use super::picture::Picture;
use super::png::{self, Depth, Flat};
use super::stream::{entries, last_part, start_of};
use super::{Images, Labelled, Reading, kind};
use crate::{Error, Result};
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
///
/// ```
/// use equilibria::{data::pictures::read_folder, report::picture};
/// let folder = tempfile::tempdir().unwrap();
/// std::fs::write(folder.path().join("a.png"), picture([2, 2, 3], &[9; 12])?).unwrap();
/// let images = read_folder(folder.path(), Some([2, 2]))?;
/// assert_eq!((images.len(), images.shape()), (1, [2, 2, 1]));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn read_folder(folder: &Path, size: Option<[usize; 2]>) -> Result<Images> {
    read_images(folder, size, &Reading::default(), &mut Vec::new())
}

/// Reads the pictures in `folder` as [`read_folder`] does. Adds warnings and notes about them to `notes`.
pub(crate) fn read_images(
    folder: &Path,
    size: Option<[usize; 2]>,
    reading: &Reading,
    notes: &mut Vec<String>,
) -> Result<Images> {
    Ok(read(folder, &list(folder)?, size, reading, notes)?.images().clone())
}

/// The pictures in a folder, before they are read.
pub(super) struct Listing {
    /// Each file with its class.
    files: Vec<(PathBuf, usize)>,
    /// The names of the classes: those of the subfolders. None if the files are in the folder itself.
    pub classes: Vec<String>,
}

impl Listing {
    /// The largest number of classes that have labels.
    const MOST_CLASSES: usize = 256;

    /// Keeps the class called `class`, if it exists, where more than 256 classes leave no labels.
    pub fn choose(&mut self, class: &str) {
        let label = self.classes.iter().position(|name| name.eq_ignore_ascii_case(class));
        if let Some(label) = label.filter(|_| self.classes.len() > Self::MOST_CLASSES) {
            self.files.retain(|&(_, found)| found == label);
            self.files.iter_mut().for_each(|(_, label)| *label = 0);
            self.classes = [self.classes.swap_remove(label)].into();
        }
    }
}

/// Lists the pictures of a folder, or of its subfolders.
///
/// **Errors** as [`read_folder`].
pub(super) fn list(folder: &Path) -> Result<Listing> {
    let [files, folders] = entries(folder)?;
    let pictures: Vec<(PathBuf, usize)> =
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
        listing.classes.push(last_part(path));
        let label = listing.classes.len() - 1;
        listing.files.extend(pictures.map(|path| (path, label)));
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

/// Reads listed pictures. Adds warnings and notes about them to `notes`.
///
/// In a folder of at least 100 pictures, up to 1 % that are damaged or have another size are left out, unless
/// [`Reading::strict`] is set.
pub(super) fn read(
    folder: &Path,
    listing: &Listing,
    size: Option<[usize; 2]>,
    reading: &Reading,
    notes: &mut Vec<String>,
) -> Result<Labelled> {
    let count = listing.files.len();
    let mut spare = if reading.strict || count < FEW { 0 } else { count / FEW };
    let size = size.or_else(|| if spare > 0 { common_size(&listing.files) } else { None });
    let mut set =
        Set { folder, count, size, first: None, pixels: Vec::new(), channels: 1, doubtful: Vec::new() };
    let (mut labels, mut left_out) = (Vec::new(), Vec::new());
    let (mut is_wide, mut is_transparent) = (false, false);
    for (path, class) in &listing.files {
        match set.decode(path) {
            Ok(Flat { picture, depth, has_opacity }) => {
                set.add(path, picture, depth == Depth::Doubtful)?;
                labels.push(*class);
                is_wide |= depth == Depth::Sixteen;
                is_transparent |= has_opacity;
            }
            Err(error @ Error::Malformed { .. }) if spare > 0 => {
                spare -= 1;
                left_out.push(error);
            }
            Err(error) => return Err(error),
        }
    }
    let mut set = set.images(is_wide, notes)?;
    if let Some(first) = left_out.first() {
        notes.push(format!(
            "warning: {} of {count} pictures in {} cannot be used and are left out, the first: {first}; --strict makes this \
             an error",
            left_out.len(),
            folder.display()
        ));
    }
    if is_transparent {
        notes.push(format!(
            "note: {} has transparent pictures; they are laid on white, or on black if all that is visible is white",
            folder.display()
        ));
    }
    set.finish(&folder.display().to_string(), reading, notes)?;
    let classes = listing.classes.len();
    if classes > Listing::MOST_CLASSES {
        let reason = format!("{} has {classes} subfolders; labels are for at most 256", folder.display());
        return Ok(Labelled::unlabelled(set, reason));
    }
    Labelled::new(set, labels.into_iter().map(|label| label as u8).collect())
}

/// With fewer pictures, a damaged one is an error.
const FEW: usize = 100;

/// The size that two of the first three pictures have.
fn common_size(files: &[(PathBuf, usize)]) -> Option<[usize; 2]> {
    let mut sizes = Vec::new();
    for (path, _) in files.iter().take(3) {
        let mut found = None;
        // Stops after the header.
        let mut note_size = |size| {
            found = Some(size);
            Err(Error::invalid("a size", "that is all"))
        };
        let _ = decode(path, &mut note_size);
        if let Some(found) = found {
            if sizes.contains(&found) {
                return Some(found);
            }
            sizes.push(found);
        }
    }
    None
}

/// Pictures of one size.
struct Set<'a> {
    folder: &'a Path,
    /// The number of pictures to expect.
    count: usize,
    /// The size that all pictures need, if it is known.
    size: Option<[usize; 2]>,
    first: Option<([usize; 2], &'a Path)>,
    pixels: Vec<u8>,
    channels: usize,
    /// Indices of pictures of 16 bits whose values are all below 256.
    doubtful: Vec<usize>,
}

impl<'a> Set<'a> {
    /// Decodes a picture of the size of the others.
    fn decode(&self, path: &Path) -> Result<Flat> {
        let mut is_right = |found| match (self.size, self.first) {
            (Some(expected), _) if found != expected => Err(other_size(path, found, expected, None)),
            (None, Some((expected, before))) if found != expected => {
                Err(other_size(path, found, expected, Some(before)))
            }
            _ => Ok(()),
        };
        let decoded = decode(path, &mut is_right)?;
        Ok(Flat { picture: without_colour(decoded.picture), ..decoded })
    }

    fn add(&mut self, path: &'a Path, picture: Picture, is_doubtful: bool) -> Result<()> {
        let [height, width] = picture.size;
        if self.first.is_none() {
            self.pixels = room(self.folder, self.count, height * width)?;
            self.first = Some((picture.size, path));
        }
        if is_doubtful {
            self.doubtful.push(self.pixels.len() / (height * width * self.channels));
        }
        if picture.channels > self.channels {
            let mut more = room(self.folder, self.count, height * width * 3)?;
            more.extend(coloured(&self.pixels));
            (self.pixels, self.channels) = (more, 3);
        }
        match picture.channels < self.channels {
            true => self.pixels.extend(coloured(&picture.values)),
            false => self.pixels.extend(picture.values),
        }
        Ok(())
    }

    /// The images. Values of 16 bits that are all below 256 were values of 8 bits, unless other pictures of the set have
    /// larger ones (`is_wide`).
    fn images(mut self, is_wide: bool, notes: &mut Vec<String>) -> Result<Images> {
        let folder = self.folder.display();
        let Some(([height, width], _)) = self.first else {
            return Err(Error::unusable(folder, "there are no pictures"));
        };
        let size = height * width * self.channels;
        if is_wide {
            for &index in &self.doubtful {
                let pixels = &mut self.pixels[index * size..][..size];
                pixels.iter_mut().for_each(|pixel| *pixel = png::rounded((*pixel).into()));
            }
        } else if !self.doubtful.is_empty() {
            notes.push(format!(
                "warning: pictures in {folder} have 16 bits, up to 65535, but no value above 255: they are taken as values \
                 of 8 bits"
            ));
        }
        Images::with_channels(height, width, self.channels, self.pixels)
    }
}

/// Room for `count` pictures of `size` values.
fn room(folder: &Path, count: usize, size: usize) -> Result<Vec<u8>> {
    let mut pixels = Vec::new();
    match count.checked_mul(size).map(|length| pixels.try_reserve_exact(length)) {
        Some(Ok(())) => Ok(pixels),
        _ => {
            let expected = format!("its {count} pictures of {size} values each do not fit into memory");
            Err(Error::unusable(folder.display(), expected))
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

/// Decodes a file, whose content decides the format. `is_right` checks height and width before anything of that size is
/// allocated.
fn decode(path: &Path, is_right: &mut dyn FnMut([usize; 2]) -> Result<()>) -> Result<Flat> {
    let start = start_of(path)?;
    if start.starts_with(b"\x89PNG") {
        return png::read_any(path, is_right);
    }
    if !start.starts_with(&[0xff, 0xd8]) {
        let problem = format!("this is {}; a PNG or JPEG picture is needed", kind::describe(&start));
        return Err(Error::malformed(path.display(), 0, problem));
    }
    #[cfg(feature = "cli")]
    return super::jpeg::read(path, is_right).map(Flat::of_bytes);
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
    let is = |name: &&str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(name));
    ["png", "jpg", "jpeg"].iter().any(is)
}
