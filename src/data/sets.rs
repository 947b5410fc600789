//! Finds the files of a set of images by their names: images and labels, for training and for testing.
//!
//! A name is split into words. `train` or no such word means training, `t10k` or `test` testing; `labels`, `y` or `targets`
//! mean labels, everything else images. The remaining words tell sets in one folder apart: `emnist-letters` and
//! `emnist-digits`. The members of an `.npz` archive are named in the same way: `x_train`, `y_train`, `x_test`, `y_test`.
//!
//! Each file may be in a folder of its own name. It may be gzipped, with or without `.gz` in its name, and its name may be
//! spelt with a dot (`train-images.idx3-ubyte`). If a file has several spellings, the first of these is read: hyphen, hyphen
//! with `.gz`, dot, dot with `.gz`.

use super::array::Array;
use super::file;
use super::idx::Kind;
use super::stream::{check_counts, entries, last_part, start_of};
use super::{Labelled, Reading};
use crate::{Error, Result};
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::path::{Path, PathBuf};

/// An array in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// Spellings that are read first come first.
    rank: u8,
    path: PathBuf,
    /// The name within an archive.
    member: Option<String>,
}

impl Place {
    fn read(&self, kind: Kind) -> Result<Array> {
        file::array(kind, &self.path, self.member.as_deref())
    }
}

/// The files of a set. The order of the parts: training images, training labels, test images, test labels.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    parts: [Option<Place>; 4],
    /// One of the names says what the file holds.
    is_named: bool,
}

/// The parts of a file's name that tell its content.
struct Name {
    /// The words that tell sets apart.
    set: String,
    /// The index of the part.
    part: usize,
    is_named: bool,
}

const TEST: [&str; 6] = ["t10k", "test", "testing", "xtest", "ytest", "tests"];
const TRAIN: [&str; 5] = ["train", "training", "xtrain", "ytrain", "trainset"];
const LABELS: [&str; 10] =
    ["labels", "label", "y", "targets", "target", "classes", "class", "ytrain", "ytest", "lbls"];
const IMAGES: [&str; 9] = ["images", "image", "imgs", "img", "x", "data", "pixels", "xtrain", "xtest"];
/// Words of sets that are neither for training nor for testing.
const OTHER: [&str; 5] = ["val", "valid", "validation", "dev", "extra"];

/// `None` for a set that is neither for training nor for testing.
fn parse(name: &str) -> Option<Name> {
    let name = name.to_lowercase();
    let stem = name.strip_suffix(".gz").unwrap_or(&name);
    let stem = [".npy", ".npz", ".idx", ".bin", ".dat"]
        .iter()
        .find_map(|end| stem.strip_suffix(end))
        .unwrap_or(stem);
    let mut parsed = Name { set: String::new(), part: 0, is_named: false };
    let mut is_images = false;
    for word in stem.split(|c: char| !c.is_alphanumeric()) {
        let is = |words: &[&str]| words.contains(&word);
        if is(&OTHER) {
            return None;
        }
        let [is_test, is_train, is_label, is_image] = [is(&TEST), is(&TRAIN), is(&LABELS), is(&IMAGES)];
        parsed.part |= 2 * usize::from(is_test) + usize::from(is_label);
        is_images |= is_image;
        parsed.is_named |= is_test || is_train || is_image || is_label;
        let is_format = word.starts_with("idx") || ["", "ubyte", "uint8", "float", "int"].contains(&word);
        if !(is_format || is_test || is_train || is_label || is_image) {
            parsed.set += if parsed.set.is_empty() { "" } else { "-" };
            parsed.set += word;
        }
    }
    // `class_images` are images.
    parsed.part &= if is_images { 2 } else { 3 };
    Some(parsed)
}

/// Sets by the words that tell them apart.
type Sets = BTreeMap<String, Files>;

fn add(sets: &mut Sets, name: Name, place: Place) {
    let files = sets.entry(name.set).or_default();
    files.is_named |= name.is_named;
    let part = &mut files.parts[name.part];
    if part.as_ref().is_none_or(|known| place < *known) {
        *part = Some(place);
    }
}

/// The sets in a folder, without its subfolders, except those that hold a file of their own name.
fn sets_in(folder: &Path) -> Result<Sets> {
    let mut sets = Sets::new();
    let [files, folders] = entries(folder)?;
    let inside = folders.into_iter().filter_map(|path| {
        let inside = path.join(path.file_name()?);
        inside.is_file().then_some(inside)
    });
    for path in files.into_iter().chain(inside) {
        let name = last_part(&path);
        let lower = name.to_lowercase();
        let is_told = ["-idx", ".idx", "_idx", ".npy", ".npz"].iter().any(|part| lower.contains(part));
        // The other files are opened, except pictures, of which there may be very many.
        let is_picture = [".png", ".jpg", ".jpeg"].iter().any(|end| lower.ends_with(end));
        let is_array = is_told || (!is_picture && start_of(&path).is_ok_and(|start| file::is_array(&start)));
        // Another zip archive says nothing about its content.
        if !is_array || lower.ends_with(".zip") {
            continue;
        }
        if let Some(parsed) = parse(&name) {
            let rank = 2 * u8::from(lower.contains(".idx")) + u8::from(lower.ends_with(".gz"));
            add(&mut sets, parsed, Place { rank, path, member: None });
        }
    }
    Ok(sets)
}

/// The sets in an archive.
fn sets_of_archive(path: &Path) -> Result<Sets> {
    let mut sets = Sets::new();
    for member in file::members(path)? {
        if let Some(name) = parse(&member) {
            add(&mut sets, name, Place { rank: 0, path: path.to_owned(), member: Some(member) });
        }
    }
    Ok(sets)
}

/// The set of images in a folder, or in one of its usual subfolders; `None` if there are no files of images or labels.
///
/// **Errors** [`Error::InvalidArgument`] if there are several sets.
pub(super) fn find(folder: &Path) -> Result<Option<(PathBuf, Files)>> {
    let mut places = [folder.to_owned()].to_vec();
    places
        .extend(["mnist", "MNIST", "raw"].map(|name| folder.join(name)).into_iter().filter(|it| it.is_dir()));
    // The folder that torchvision calls `root`.
    let [_, folders] = entries(folder)?;
    places.extend(folders.into_iter().map(|folder| folder.join("raw")).filter(|raw| raw.is_dir()));
    for place in places {
        if let Some(files) = choose(&place, sets_in(&place)?)? {
            return Ok(Some((place, files)));
        }
    }
    Ok(None)
}

/// The only set of `sets`, from `place`.
fn choose(place: &Path, mut sets: Sets) -> Result<Option<Files>> {
    // Sets whose names say so come before others, such as features beside images.
    if sets.values().any(|files| files.is_named) {
        sets.retain(|_, files| files.is_named);
    }
    let has_images = |files: &Files| files.parts[0].is_some() || files.parts[2].is_some();
    if sets.values().any(has_images) {
        sets.retain(|_, files| has_images(files));
    }
    let mut all = sets.into_iter();
    match (all.next(), all.next()) {
        (None, _) => Ok(None),
        (Some((_, files)), None) => files.opened().map(Some),
        (Some(first), Some(second)) => {
            let names = [first, second].into_iter().chain(all).map(|(set, files)| match set.as_str() {
                set if !set.is_empty() && place.is_dir() => set.into(),
                _ => files.name(),
            });
            let names = names.collect::<Vec<_>>().join(", ");
            let expected = match place.is_dir() {
                true => format!(
                    "it holds several sets ({names}); give the file of training images of one of them"
                ),
                false => format!(
                    "it holds several arrays ({names}), and no name says which are the images; save them as x_train, \
                     y_train, x_test, y_test"
                ),
            };
            Err(Error::invalid(place.display(), expected))
        }
    }
}

/// The set to which a file of images belongs: the files beside it with the same words.
pub(super) fn of_file(path: &Path) -> Result<Files> {
    let start = start_of(path)?;
    if file::is_archive(&start) {
        let files = choose(path, sets_of_archive(path)?)?;
        return files.ok_or_else(|| file::other_kind(path, &start));
    }
    if !file::is_array(&start) {
        return Err(file::other_kind(path, &start));
    }
    let place = Place { rank: 0, path: path.to_owned(), member: None };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut files = Files::default();
    if let Some(name) = parse(&last_part(path)).filter(|name| name.is_named) {
        files = sets_in(folder)?.remove(&name.set).unwrap_or_default();
        // A file of test images is the whole set, if it is given.
        if name.part & 2 > 0 {
            let [_, _, _, labels] = files.parts;
            files.parts = [None, labels, None, None];
        }
    }
    files.parts[0] = Some(place);
    Ok(files)
}

impl Files {
    /// Returns whether there are training images, and a name says so.
    pub fn is_named(&self) -> bool {
        self.is_named && self.parts[0].is_some()
    }

    /// Opens an archive. Images for testing alone become those for training.
    fn opened(mut self) -> Result<Self> {
        if let Some(Place { path, member: None, .. }) = &self.parts[0]
            && self.parts[2].is_none()
            && start_of(path).is_ok_and(|start| file::is_archive(&start))
        {
            let path = path.clone();
            // An archive of arrays is named well enough.
            let chosen = choose(&path, sets_of_archive(&path)?)?;
            return Ok(Self { is_named: true, ..chosen.unwrap_or(self) });
        }
        let [images, labels, test, test_labels] = &mut self.parts;
        if images.is_none() && labels.is_none() {
            // Images for testing alone are all that there is.
            (*images, *labels) = (test.take(), test_labels.take());
        }
        Ok(self)
    }

    /// The name of the first file, or of the first array of an archive.
    fn name(&self) -> String {
        let first = self.parts.iter().flatten().next();
        first.map_or_else(String::new, |place| place.member.clone().unwrap_or_else(|| last_part(&place.path)))
    }

    /// The error for labels without images.
    fn without_images(&self) -> Error {
        let paths = || self.parts.iter().flatten().map(|place| &place.path);
        let names = paths().map(|path| last_part(path)).collect::<Vec<_>>().join(", ");
        let place = paths().next().and_then(|path| path.parent()).unwrap_or(Path::new(""));
        Error::NotFound {
            what: "a file of training images (such as train-images-idx3-ubyte, plain or with .gz)".into(),
            place: place.display().to_string(),
            remedy: format!("it has {names}; add the images for training"),
        }
    }

    /// Reads the training set, and the test set if there is one.
    ///
    /// **Errors** [`Error::NotFound`] for labels without images; as [`Array::images`] and [`file::array`];
    /// [`Error::Malformed`] if the sets differ in shape. Labels that cannot be read are an error only where they are used.
    pub fn read(&self, reading: &Reading, notes: &mut Vec<String>) -> Result<(Labelled, Option<Labelled>)> {
        let [images, labels, test, test_labels] = &self.parts;
        let images = images.as_ref().ok_or_else(|| self.without_images())?;
        let train = labelled(images, labels.as_ref(), reading, notes)?;
        let Some(test_images) = test else { return Ok((train, None)) };
        // Warnings about the training images hold for the test images too.
        let test = labelled(test_images, test_labels.as_ref(), reading, &mut Vec::new())?;
        let [ours, theirs] = [&train, &test].map(|set| set.images().shape());
        if ours[..2] != theirs[..2] {
            let [[height, width, _], [high, wide, _]] = [ours, theirs];
            let problem = format!(
                "the test images have {high}x{wide} pixels, the training images {height}x{width}; they need one size"
            );
            return Err(Error::malformed(test_images.path.display(), 0, problem));
        }
        Ok((train, Some(test)))
    }
}

/// Reads images, and their labels if there are any.
fn labelled(
    images: &Place,
    labels: Option<&Place>,
    reading: &Reading,
    notes: &mut Vec<String>,
) -> Result<Labelled> {
    let pixels = images.read(Kind::Images)?.images(reading, notes)?;
    let Some(labels) = labels else {
        let reason = format!("{} has no file of labels beside it", images.path.display());
        return Ok(Labelled::unlabelled(pixels, reason));
    };
    let read = || {
        let found = labels.read(Kind::Labels)?.labels()?;
        check_counts(&images.path, pixels.len(), &labels.path, found.len())?;
        Ok::<_, Error>(found)
    };
    match read() {
        Ok(found) => Labelled::new(pixels, found),
        Err(error) => Ok(Labelled::unlabelled(pixels, error.to_string())),
    }
}

/// Reads the images of a file or of the only set in an archive, without labels.
///
/// **Errors** As [`Files::read`].
#[cfg(feature = "cli")]
pub(crate) fn read_images(path: &Path, reading: &Reading, notes: &mut Vec<String>) -> Result<super::Images> {
    let mut files = of_file(path)?;
    files.parts = [files.parts[0].take(), None, None, None];
    Ok(files.read(reading, notes)?.0.into_images())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_which_part_of_which_set_a_file_is() {
        for (name, set, part) in [
            ("train-images-idx3-ubyte", "", 0),
            ("train-labels.idx1-ubyte.gz", "", 1),
            ("t10k-images-idx3-ubyte.gz", "", 2),
            ("emnist-letters-test-labels-idx1-ubyte", "emnist-letters", 3),
            ("kmnist-train-imgs.npz", "kmnist", 0),
            ("k49-test-labels.npz", "k49", 3),
            ("x_train", "", 0),
            ("Y_TEST.npy", "", 3),
            ("test_images", "", 2),
            ("arr_0", "arr-0", 0),
            ("class_images.npy", "", 0),
        ] {
            let found = parse(name).unwrap();
            assert_eq!((found.set.as_str(), found.part), (set, part), "{name}");
        }
        assert!(parse("val_images").is_none());
    }
}
