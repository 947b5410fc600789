//! Finds out what a source of images is, and loads it: one class or all, with images for testing.

use super::cifar::{CLASSES, files as cifar};
use super::{CATS, Digits, Labelled, SYNTHETIC_TEST, SYNTHETIC_TRAIN, cats, mnist};
use crate::{Error, Result};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::path::Path;

/// The class of the official CIFAR-10 that is used without another choice.
const USUAL_CLASS: &str = "cat";
/// The choice of all classes.
const ALL: &str = "all";

impl Digits {
    /// Loads grey images from `source`; [`Digits::load_any`] names the sources.
    ///
    /// `images` limits the training set to its first images; the test set is always complete. Without `images`,
    /// `synthetic` gives [`SYNTHETIC_TRAIN`] and [`SYNTHETIC_TEST`] digits.
    ///
    /// **Errors** As [`Digits::load_any`]; [`Error::InvalidArgument`] for colour images.
    pub fn load(source: impl AsRef<Path>, images: Option<usize>) -> Result<Self> {
        Self::load_any(source, None, images)?.grey()
    }

    /// Loads images, grey or in colour, from `source`:
    ///
    /// - the word `synthetic`: digits; the word `cats`, or `cats:64` for a size other than 32: [`cats`];
    /// - a folder with MNIST's four files, gzipped or not, or with a subfolder `mnist` that has them;
    /// - a folder with CIFAR-10's six files, or with a subfolder `cifar-10-batches-bin` that has them; or the same with
    ///   `data_batch_cats.bin` and `test_batch_cats.bin` and the subfolder `cifar10-cats`;
    /// - a file of CIFAR-10's records whose name ends with `.bin`;
    /// - a folder of [pictures](crate::data::pictures), or one with the subfolders `train` and `test`.
    ///
    /// If there are no test images, the last sixth of the images of each class are. (Write `./cats` for a folder named
    /// `cats`.)
    ///
    /// `class` selects one class, by its name or number; `all` or `None` selects all, except that `None` selects the
    /// cats of the complete CIFAR-10. `images` limits the training set to its first images, after this selection.
    ///
    /// **Errors** [`Error::NotFound`] says which files to fetch and how, [`Error::Malformed`] which file is wrong and
    /// where; [`Error::InvalidArgument`] if `images` is 0 or more than there are, if there is no such class, or if
    /// `source` is not of these kinds; [`Error::ShapeMismatch`] if training and test images differ in size.
    pub fn load_any(source: impl AsRef<Path>, class: Option<&str>, images: Option<usize>) -> Result<Self> {
        load_noted(source.as_ref(), class, images).map(|(digits, _)| digits)
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

/// Loads images as [`Digits::load_any`] does, with a note for the user if test images were taken from the others.
pub(crate) fn load_noted(
    source: &Path,
    class: Option<&str>,
    images: Option<usize>,
) -> Result<(Digits, Option<String>)> {
    if let Some(drawn) = source.to_str().filter(|source| is_built_in(source)) {
        return Ok((draw(drawn, class, images)?, None));
    }
    let Found { mut digits, classes, is_held_out } = find(source, class)?;
    if is_built_in(&digits.name) {
        digits.name.insert_str(0, "./");
    }
    let note = is_held_out.then(|| {
        let test = digits.test.len();
        format!(
            "{} has no test images: {test} images, the last sixth of each class, are taken",
            source.display()
        )
    });
    if let Some(class) = class.filter(|&class| class != ALL) {
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
    Ok((digits, note))
}

/// Draws digits or cats.
fn draw(source: &str, class: Option<&str>, images: Option<usize>) -> Result<Digits> {
    if images == Some(0) {
        return Err(Error::invalid("--images 0", "at least 1 training image is needed"));
    }
    let class = class.filter(|&class| class != ALL);
    let side = side_of_cats(source);
    let count = images.unwrap_or(if side.is_some() { CATS[0] } else { SYNTHETIC_TRAIN });
    let drawn = match side {
        Some(side) => Digits::cats(count, CATS[1], side),
        // Each class is a tenth of the digits.
        None if class.is_some() && images.is_some() => {
            Digits::synthetic(count.saturating_mul(10), SYNTHETIC_TEST)
        }
        None => Digits::synthetic(count, SYNTHETIC_TEST),
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
    digits: Digits,
    classes: Vec<String>,
    is_held_out: bool,
}

/// Finds out what `source` is, and reads it.
fn find(source: &Path, class: Option<&str>) -> Result<Found> {
    let is_records = source.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("bin"));
    if is_records && source.is_file() {
        let (set, test) = cifar::read_alone(source)?;
        return found(source, set, test, cifar_classes());
    }
    // If a folder has two sets, the class decides which one is read.
    let is_cifar = class.is_some_and(|class| CLASSES.iter().any(|name| name.eq_ignore_ascii_case(class)));
    let has_mnist = source.is_dir() && mnist::is_in(source)?;
    if source.is_dir()
        && (is_cifar || !has_mnist)
        && let Some(files) = cifar::find(source)?
    {
        let [train, test] = cifar::read_sets(&files)?;
        let mut found = found(source, train, Some(test), cifar_classes())?;
        if files.train.len() > 1 && class.is_none() {
            keep_class(&mut found.digits, USUAL_CLASS, &found.classes)?;
        }
        return Ok(found);
    }
    #[cfg(feature = "png")]
    if source.is_dir()
        && !has_mnist
        && let Some(found) = find_pictures(source)?
    {
        return Ok(found);
    }
    Ok(Found { digits: mnist::load(source)?, classes: Vec::new(), is_held_out: false })
}

fn cifar_classes() -> Vec<String> {
    CLASSES.map(String::from).to_vec()
}

/// Pictures in a folder, or in its subfolders `train` and `test`, if there are any.
#[cfg(feature = "png")]
fn find_pictures(source: &Path) -> Result<Option<Found>> {
    use super::pictures::{are_in, list, read};
    let [train, test] = ["train", "test"].map(|name| source.join(name));
    if train.is_dir() && test.is_dir() && are_in(&train)? && are_in(&test)? {
        let [listed, other] = [list(&train)?, list(&test)?];
        if listed.classes != other.classes {
            let expected = format!("it needs the same subfolders as {}, one for each class", train.display());
            return Err(Error::invalid(test.display(), expected));
        }
        let set = read(&train, &listed, None)?;
        let size = [set.images().height(), set.images().width()];
        let test = read(&test, &other, Some(size))?;
        return found(source, set, Some(test), listed.classes).map(Some);
    }
    if !are_in(source)? {
        return Ok(None);
    }
    let listed = list(source)?;
    found(source, read(source, &listed, None)?, None, listed.classes).map(Some)
}

/// Puts the sets together; without a test set, some of the images are held out.
fn found(source: &Path, train: Labelled, test: Option<Labelled>, classes: Vec<String>) -> Result<Found> {
    let name = mnist::name_of(source);
    let is_held_out = test.is_none();
    let digits = match test {
        None => hold_out(name, &train)?,
        Some(test) => {
            // Grey only if both are.
            let channels = train.images().channels().max(test.images().channels());
            let [train, test] = [train, test].map(|set| set.to_channels(channels));
            Digits { name, train, test }
        }
    };
    Ok(Found { digits, classes, is_held_out })
}

/// The last sixth of the images of each class for testing, the others for training.
///
/// If no class has 6 images, the last image of all is the only one for testing.
fn hold_out(name: String, set: &Labelled) -> Result<Digits> {
    let mut counts = [0_usize; 256];
    set.labels().iter().for_each(|&label| counts[usize::from(label)] += 1);
    let mut seen = [0_usize; 256];
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (index, &label) in set.labels().iter().enumerate() {
        let (count, place) = (counts[usize::from(label)], &mut seen[usize::from(label)]);
        if *place < count - count / 6 {
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
        return Err(Error::invalid(format!("{} image in {name}", set.len()), expected));
    }
    Ok(Digits { name, train: set.select(&train), test: set.select(&test) })
}

/// Keeps the images of one class, by its name in `names` or its number.
fn keep_class(digits: &mut Digits, class: &str, names: &[String]) -> Result<()> {
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
