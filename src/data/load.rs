//! Finds out what a source of images is, and loads it: one class or all, with images for testing.

use super::cifar::{CLASSES, RECORD, files as cifar};
use super::{
    CATS, Dataset, Labelled, Reading, SYNTHETIC_TEST, SYNTHETIC_TRAIN, cats, file, kind, mnist, sets, stream,
};
use crate::{Error, Result, memory};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The class of the official CIFAR-10 that is used without another choice.
const USUAL_CLASS: &str = "cat";
/// The choice of all classes.
const ALL: &str = "all";

impl Dataset {
    /// Loads grey images from `source`; [`Dataset::load_any`] names the sources.
    ///
    /// `images` limits the training set to its first images; the test set is always complete. Without `images`,
    /// `synthetic` gives [`SYNTHETIC_TRAIN`] and [`SYNTHETIC_TEST`] digits.
    ///
    /// **Errors** As [`Dataset::load_any`]; [`Error::InvalidArgument`] for colour images.
    pub fn load(source: impl AsRef<Path>, images: Option<usize>) -> Result<Self> {
        Self::load_any(source, None, images)?.grey()
    }

    /// Loads images, grey or in colour, from `source`:
    ///
    /// - the word `synthetic`: digits; the word `cats`, or `cats:64` for a size other than 32: [`cats`];
    /// - a folder with files of images and perhaps labels: MNIST's four files and others with such names, as IDX, `.npy` or
    ///   `.npz`, plain or gzipped; or a folder with a subfolder `mnist`, `MNIST`, `raw` or `*/raw` that has them;
    /// - one file of images of these formats, which is read with the files beside it that belong to it by their names;
    /// - a folder with CIFAR-10's six files, or with a subfolder `cifar-10-batches-bin` that has them; or the same with
    ///   `data_batch_cats.bin` and `test_batch_cats.bin` and the subfolder `cifar10-cats`;
    /// - a folder with CIFAR-100's `train.bin` and `test.bin`, or with a subfolder `cifar-100-binary` that has them;
    /// - a file of CIFAR-10's or CIFAR-100's records whose name ends with `.bin`;
    /// - a folder of [pictures](crate::data::pictures), or one with the subfolders `train` and `test` (or `val`).
    ///
    /// If there are no test images, the last sixth of the images of each class are. (Write `./cats` for a folder named
    /// `cats`.) Labels that are missing or damaged are an error only where they are used: [`Labelled::check_labels`].
    ///
    /// `class` selects one class, by its name or number; `all` or `None` selects all, except that `None` selects the
    /// cats of the complete CIFAR-10. `images` limits the training set to its first images, after this selection.
    ///
    /// **Errors** [`Error::NotFound`] says which files to fetch and how, [`Error::Malformed`] which file is wrong and
    /// where; [`Error::InvalidArgument`] if `images` is 0 or more than there are, if there is no such class, or if
    /// `source` is not of these kinds.
    pub fn load_any(source: impl AsRef<Path>, class: Option<&str>, images: Option<usize>) -> Result<Self> {
        Self::load_with(source, class, images, &Reading::default()).map(|(digits, _)| digits)
    }

    /// Loads images as [`Dataset::load_any`] does, with options. Also returns warnings and notes for the user.
    ///
    /// **Errors** As [`Dataset::load_any`]; also for pixels outside the range of `reading`.
    pub fn load_with(
        source: impl AsRef<Path>,
        class: Option<&str>,
        images: Option<usize>,
        reading: &Reading,
    ) -> Result<(Self, Vec<String>)> {
        load(source.as_ref(), class, images, reading)
    }
}

/// Returns whether the data `source` come with the program.
pub(crate) fn is_built_in(source: &str) -> bool {
    source == "synthetic" || side_of_cats(source).is_some()
}

/// The size in `cats` or `cats:64`.
fn side_of_cats(source: &str) -> Option<usize> {
    match source.strip_prefix("cats")? {
        "" => Some(cats::SIDE),
        rest => rest.strip_prefix(':')?.parse().ok(),
    }
}

fn load(
    source: &Path,
    class: Option<&str>,
    images: Option<usize>,
    reading: &Reading,
) -> Result<(Dataset, Vec<String>)> {
    if let Some(drawn) = source.to_str().filter(|source| is_built_in(source)) {
        let mut digits = draw(drawn, class, images)?;
        if reading.grey {
            [&mut digits.train, &mut digits.test].into_iter().for_each(|set| *set = set.to_channels(1));
        }
        return Ok((digits, Vec::new()));
    }
    let mut notes = Vec::new();
    let Found { train, test, place, classes, usual } = find(source, class, reading, &mut notes)?;
    let mut name = name_of(&place);
    if is_built_in(&name) {
        name.insert_str(0, "./");
    }
    let mut digits = match test {
        None => {
            let digits = hold_out(name, &train, reading.test_share)?;
            let (test, share) = (digits.test.len(), reading.test_share);
            let share =
                share.map_or("the last sixth".into(), |share| format!("the last {:.0} %", 100.0 * share));
            let of = if train.has_labels() { " of each class" } else { "" };
            let place = source.display();
            let (images, are) = if test == 1 { ("image", "is") } else { ("images", "are") };
            notes
                .push(format!("note: {place} has no test images: {test} {images}, {share}{of}, {are} taken"));
            digits
        }
        Some(test) => {
            // Grey only if both are.
            let channels = train.images().channels().max(test.images().channels());
            let [train, test] = [train, test].map(|set| set.to_channels(channels));
            Dataset { name, train, test }
        }
    };
    if let Some(class) = class.or(usual).filter(|&class| class != ALL) {
        keep_class(&mut digits, class, &classes)?;
    }
    if let Some(count) = images {
        let held = digits.train.len();
        if count == 0 || count > held {
            let expected = format!("it must be 1 to {held}, the training images of {}", source.display());
            return Err(Error::invalid(format!("--images {count}"), expected));
        }
        digits.train.truncate(count);
    }
    Ok((digits, notes))
}

/// Draws digits or cats.
fn draw(source: &str, class: Option<&str>, images: Option<usize>) -> Result<Dataset> {
    if images == Some(0) {
        return Err(Error::invalid("--images 0", "at least 1 training image is needed"));
    }
    let class = class.filter(|&class| class != ALL);
    let side = side_of_cats(source);
    let count = images.unwrap_or(if side.is_some() { CATS[0] } else { SYNTHETIC_TRAIN });
    let drawn = match side {
        Some(side) => Dataset::cats(count, CATS[1], side),
        // Each class is a tenth of the digits.
        None if class.is_some() && images.is_some() => {
            Dataset::synthetic(count.saturating_mul(10), SYNTHETIC_TEST)
        }
        None => Dataset::synthetic(count, SYNTHETIC_TEST),
    };
    let mut digits = drawn.map_err(|error| match (images, error) {
        (Some(count), Error::InvalidArgument { argument, expected }) if !argument.contains("pixels") => {
            Error::invalid(format!("--images {count}"), expected)
        }
        (_, error) => error,
    })?;
    if let Some(class) = class {
        let cat = ["cat".to_string()];
        keep_class(&mut digits, class, if side.is_some() { &cat } else { &[] })?;
    }
    Ok(digits)
}

/// Images with the names of their classes; numbers if there are no names.
struct Found {
    train: Labelled,
    test: Option<Labelled>,
    /// The file or the folder.
    place: PathBuf,
    classes: Vec<String>,
    /// The class that is used without another choice.
    usual: Option<&'static str>,
}

/// Finds out what `source` is, and reads it.
fn find(source: &Path, class: Option<&str>, reading: &Reading, notes: &mut Vec<String>) -> Result<Found> {
    let found = |train, test, place: &Path| Found {
        train,
        test,
        place: place.into(),
        classes: Vec::new(),
        usual: None,
    };
    check_exists(source)?;
    if !source.is_dir() {
        if is_records(source)? {
            return Found::of_cifar(source, &cifar::alone(source), class, reading, notes);
        }
        let (train, test) = sets::of_file(source)?.read(reading, notes)?;
        return Ok(found(train, test, source));
    }
    // If a folder has two sets, the class decides which one is read.
    let is_cifar = class.is_some_and(|class| CLASSES.iter().any(|name| name.eq_ignore_ascii_case(class)));
    let arrays = sets::find(source)?;
    let has_named = arrays.as_ref().is_some_and(|(_, files)| files.is_named());
    if (is_cifar || !has_named)
        && let Some(files) = cifar::find(source)?
    {
        return Found::of_cifar(source, &files, class, reading, notes);
    }
    #[cfg(feature = "png")]
    if !has_named && let Some(found) = find_pictures(source, class, reading, notes)? {
        return Ok(found);
    }
    match arrays {
        Some((place, files)) => {
            let (train, test) = files.read(reading, notes)?;
            Ok(found(train, test, &place))
        }
        None => Err(not_found(source)),
    }
}

impl Found {
    fn of_cifar(
        source: &Path,
        files: &cifar::Files,
        class: Option<&str>,
        reading: &Reading,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let (mut train, mut test, classes) = files.read(class)?;
        let place = source.display().to_string();
        for set in [Some(&mut train), test.as_mut()].into_iter().flatten() {
            set.images_mut().finish(&place, reading, notes)?;
        }
        // Only the complete CIFAR-10 has several files.
        let usual = (files.train.len() > 1).then_some(USUAL_CLASS);
        Ok(Self { train, test, place: source.into(), classes, usual })
    }
}

/// Returns whether a file holds records of CIFAR-10 or CIFAR-100.
fn is_records(file: &Path) -> Result<bool> {
    let has_name = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("bin"));
    let length = file.metadata().map_err(|error| Error::io("reading", file, error))?.len();
    // A file with the name of records is one, unless its content is another.
    if !has_name {
        return Ok(false);
    }
    let start = stream::start_of(file)?;
    let is_whole = length > 0 && [RECORD, RECORD + 1].iter().any(|&size| length.is_multiple_of(size as u64));
    Ok(!file::is_array(&start) && (is_whole || kind::describe(&start) == kind::UNKNOWN))
}

/// The error for a folder without images. It advises to fetch MNIST only for an empty folder: any other may hold the user's
/// own files.
fn not_found(folder: &Path) -> Error {
    let names = |folder: &Path| -> Vec<String> {
        let [files, folders] = stream::entries(folder).unwrap_or_default();
        files.iter().chain(&folders).map(|path| stream::last_part(path)).collect()
    };
    let found = names(folder);
    let place = folder.display().to_string();
    let remedy = match found.is_empty() {
        true => format!("`fixtures/fetch-mnist {place}` downloads MNIST ({})", mnist::FILES.join(", ")),
        false => {
            let some = found.iter().take(3).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if found.len() > 3 { ", \u{2026}" } else { "" };
            let kind = kind_of_first(folder);
            format!(
                "it has {some}{more}{kind}; give a folder of pictures of one size, perhaps in one subfolder for each class, or of \
                 IDX, .npy, .npz or CIFAR-10 files, or `synthetic`"
            )
        }
    };
    Error::NotFound {
        what: "images (files of arrays, or pictures: .png, .jpg or .jpeg)".into(),
        place,
        remedy,
    }
}

/// The kind of the first file in `folder` in brackets, if it is known.
fn kind_of_first(folder: &Path) -> String {
    let [files, _] = stream::entries(folder).unwrap_or_default();
    let Some(first) = files.first() else { return String::new() };
    match stream::start_of(first).map(|start| kind::describe(&start)) {
        Ok(kind) if kind != kind::UNKNOWN => format!(" ({} is {kind})", stream::last_part(first)),
        _ => String::new(),
    }
}

/// Checks that there is `source`; if not, the error names the longest part of the path that is there.
fn check_exists(source: &Path) -> Result<()> {
    if source.as_os_str().is_empty() {
        return Err(Error::invalid("an empty path", "give a folder or a file of images, or `synthetic`"));
    }
    match source.metadata() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let whole = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
            let there = whole.ancestors().find(|ancestor| ancestor.is_dir());
            Err(Error::NotFound {
                what: format!("the folder or file {}", source.display()),
                place: there.unwrap_or(source).display().to_string(),
                remedy: "give `synthetic`, `cats` (or `cats:SIDE`, such as `cats:64`), or a folder or a file of images; \
                         `fixtures/fetch-mnist FOLDER` downloads MNIST"
                    .into(),
            })
        }
        Err(error) => Err(Error::io("looking for", source, error)),
    }
}

/// The last part of the path, for captions; for a folder `raw`, that of the folder above.
fn name_of(place: &Path) -> String {
    let whole = place.canonicalize().unwrap_or_else(|_| place.to_owned());
    let named = whole.ancestors().find(|place| place.file_name().is_none_or(|name| name != "raw"));
    stream::last_part(named.unwrap_or(&whole))
}

/// The subfolder with the first of `names` that there is, in capitals or not.
#[cfg(feature = "png")]
fn subfolder(folder: &Path, names: &[&str]) -> Option<PathBuf> {
    let [_, folders] = stream::entries(folder).ok()?;
    let find =
        |name: &&str| folders.iter().find(|path| stream::last_part(path).eq_ignore_ascii_case(name)).cloned();
    names.iter().find_map(find)
}

/// Pictures in a folder, or in its subfolders `train` and `test`, if there are any.
#[cfg(feature = "png")]
fn find_pictures(
    source: &Path,
    class: Option<&str>,
    reading: &Reading,
    notes: &mut Vec<String>,
) -> Result<Option<Found>> {
    use super::pictures::{are_in, list, read};
    let [train, test] = [&["train", "training"][..], &["test", "testing", "val", "valid", "validation"]]
        .map(|names| subfolder(source, names).unwrap_or_default());
    let has_sets = train.is_dir() && test.is_dir() && are_in(&train)? && are_in(&test)?;
    if !has_sets && !are_in(source)? {
        return Ok(None);
    }
    let mut listed = list(if has_sets { &train } else { source })?;
    class.into_iter().for_each(|class| listed.choose(class));
    let set = read(if has_sets { &train } else { source }, &listed, None, reading, notes)?;
    let mut found =
        Found { train: set, test: None, place: source.into(), classes: listed.classes, usual: None };
    if has_sets {
        let mut other = list(&test)?;
        class.into_iter().for_each(|class| other.choose(class));
        if found.classes != other.classes {
            let expected = format!("it needs the same subfolders as {}, one for each class", train.display());
            return Err(Error::unusable(test.display(), expected));
        }
        let [mut height, mut width, _] = found.train.images().shape();
        if reading.transpose {
            (height, width) = (width, height);
        }
        found.test = Some(read(&test, &other, Some([height, width]), reading, &mut Vec::new())?);
    }
    Ok(Some(found))
}

/// The last `share` of the images of each class for testing, a sixth if it is not given, and the others for training.
///
/// If no class has enough images, the last image of all is the only one for testing.
fn hold_out(name: String, set: &Labelled, share: Option<f64>) -> Result<Dataset> {
    if !memory::fits::<u8>(set.images().pixels().len()) {
        let expected = "there is no memory to split them into those for training and those for testing";
        return Err(Error::unusable(format!("the {} images in {name}", set.len()), expected));
    }
    let mut counts = [0_usize; 256];
    set.labels().iter().for_each(|&label| counts[usize::from(label)] += 1);
    let held = |count: usize| share.map_or(count / 6, |share| (share * count as f64) as usize);
    let mut seen = [0_usize; 256];
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (index, &label) in set.labels().iter().enumerate() {
        let (count, place) = (counts[usize::from(label)], &mut seen[usize::from(label)]);
        if *place < count - held(count) {
            train.push(index)
        } else {
            test.push(index)
        }
        *place += 1;
    }
    if test.is_empty() {
        test.extend(train.pop());
    }
    if train.is_empty() {
        let expected = "at least 2 images are needed, one for training and one for testing";
        return Err(Error::unusable(format!("{} image in {name}", set.len()), expected));
    }
    Ok(Dataset { name, train: set.select(&train), test: set.select(&test) })
}

/// Keeps the images of one class, by its name in `names` or its number.
fn keep_class(digits: &mut Dataset, class: &str, names: &[String]) -> Result<()> {
    for set in [&digits.train, &digits.test] {
        set.check_labels().map_err(|error| Error::unusable(format!("--class {class}"), error))?;
    }
    let by_name = names.iter().position(|name| name.eq_ignore_ascii_case(class));
    let label = by_name.or_else(|| class.parse().ok());
    let has = |set: &Labelled, label: usize| set.labels().iter().any(|&found| usize::from(found) == label);
    if let Some(label) = label.filter(|&label| has(&digits.train, label) && has(&digits.test, label)) {
        for set in [&mut digits.train, &mut digits.test] {
            let order: Vec<usize> =
                (0..set.len()).filter(|&index| usize::from(set.labels()[index]) == label).collect();
            *set = set.select(&order);
        }
        return Ok(());
    }
    let named = |label: usize| names.get(label).cloned().unwrap_or_else(|| label.to_string());
    let present: Vec<String> =
        (0..256).filter(|&label| has(&digits.train, label) && has(&digits.test, label)).map(named).collect();
    let present = match present.is_empty() {
        true => "no class both for training and for testing".into(),
        false => present.join(", "),
    };
    Err(Error::invalid(format!("--class {class}"), format!("the classes of {} are {present}", digits.name)))
}
