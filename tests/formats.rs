//! Are valid files read correctly, and invalid files refused with a clear message?

use equilibria::Error;
use equilibria::data::{Images, Labelled, idx};
use proptest::prelude::*;

#[cfg(feature = "std")]
#[path = "support/real_data.rs"]
mod real_data;

/// An IDX file of images with these sizes in its header and with this content.
fn images_file(sizes: [u32; 3], content: &[u8]) -> Vec<u8> {
    let header = [0x0803, sizes[0], sizes[1], sizes[2]];
    header.iter().flat_map(|word| word.to_be_bytes()).chain(content.iter().copied()).collect()
}

fn labels_file(count: u32, content: &[u8]) -> Vec<u8> {
    [0x0801, count].iter().flat_map(|word| word.to_be_bytes()).chain(content.iter().copied()).collect()
}

/// Asserts that `result` is [`Error::Malformed`] at `offset` in a file whose name ends in `name`, with a message that
/// contains `words`.
#[track_caller]
fn assert_malformed<T: std::fmt::Debug>(result: equilibria::Result<T>, name: &str, offset: u64, words: &str) {
    let error = result.expect_err("malformed input was accepted");
    let text = error.to_string();
    let Error::Malformed { place, offset: found, .. } = error else {
        panic!("another kind of error: {text}")
    };
    assert!(place.ends_with(name) && found == offset && text.contains(words), "{text}");
}

/// Malformed files of images: the bytes, the offset of the fault, and words of the error message.
fn wrong_images() -> Vec<(Vec<u8>, u64, &'static str)> {
    let good = images_file([2, 1, 3], &[1, 2, 3, 4, 5, 6]);
    vec![
        (vec![], 0, "the file is empty"),
        (vec![0, 0, 8], 3, "ends within its header"),
        (good[..15].to_vec(), 15, "ends within its header"),
        (b"<!DOCTYPE html><html>".to_vec(), 0, "this is an HTML page"),
        (labels_file(2, &[1, 2]), 0, "a file of labels"),
        (good[..21].to_vec(), 16, "promises 2 images of 1x3 (6 bytes), the file holds 5"),
        (good[..16].to_vec(), 16, "the file holds 0"),
        ([good.as_slice(), &[7]].concat(), 22, "promises 2 images of 1x3 (6 bytes), more data follows"),
        (images_file([0, 28, 28], &[]), 4, "promises 0 images"),
        (images_file([1, 0, 28], &[]), 8, "promises 0 rows"),
        (images_file([1, 28, 0], &[]), 12, "promises 0 columns"),
        (images_file([u32::MAX; 3], &[0; 9]), 4, "which no file holds"),
    ]
}

fn wrong_labels() -> Vec<(Vec<u8>, u64, &'static str)> {
    vec![
        (vec![0, 0, 8, 1, 0, 0], 6, "ends within its header of 8 bytes"),
        (images_file([1, 1, 1], &[1]), 0, "a file of images"),
        (labels_file(3, &[1, 2]), 8, "promises 3 labels (3 bytes), the file holds 2"),
        (labels_file(1, &[1, 2]), 9, "promises 1 labels (1 bytes), more data follows"),
        (labels_file(0, &[]), 4, "promises 0 labels"),
    ]
}

#[test]
fn valid_bytes_are_read() {
    let images = idx::images("flash", &images_file([2, 1, 3], &[1, 2, 3, 4, 5, 6])).unwrap();
    assert_eq!((images.len(), images.height(), images.width()), (2, 1, 3));
    assert_eq!(images.image(1), [4, 5, 6]);
    assert_eq!(idx::labels("flash", &labels_file(3, &[0, 9, 4])).unwrap(), [0, 9, 4]);
}

#[test]
fn malformed_bytes_are_refused_with_the_offset_of_the_fault() {
    for (bytes, offset, words) in wrong_images() {
        assert_malformed(idx::images("flash", &bytes), "flash", offset, words);
    }
    for (bytes, offset, words) in wrong_labels() {
        assert_malformed(idx::labels("flash", &bytes), "flash", offset, words);
    }
    let terabytes = images_file([u32::MAX, 28, 28], &[0; 9]);
    assert_malformed(idx::images("flash", &terabytes), "flash", 16, "the file holds 9");
}

#[test]
fn counts_and_sizes_that_do_not_match_are_refused() {
    let images = Images::new(1, 2, vec![0; 4]).unwrap();
    assert!(matches!(Labelled::new(images, vec![1; 3]), Err(Error::ShapeMismatch { .. })));
    assert!(matches!(Images::new(2, 2, vec![0; 5]), Err(Error::ShapeMismatch { .. })));
    assert!(matches!(Images::new(0, 2, vec![]), Err(Error::InvalidArgument { .. })));
    assert!(matches!(Images::new(usize::MAX, 2, vec![]), Err(Error::InvalidArgument { .. })));
    let colour = Images::with_channels(1, 2, 3, (0..12).collect()).unwrap();
    assert_eq!((colour.len(), colour.shape(), colour.values_per_image()), (2, [1, 2, 3], 6));
    assert_eq!(colour.select(&[1]).pixels(), [6, 7, 8, 9, 10, 11]);
    for channels in [0, 2, 4, usize::MAX] {
        let refused = Images::with_channels(1, 2, channels, vec![0; 8]).unwrap_err();
        assert!(refused.to_string().contains("grey images have 1 channel, colour images 3"), "{refused}");
    }
    assert!(Images::with_channels(usize::MAX / 2, 2, 3, vec![]).is_err());
    assert!(Images::with_channels(1, 2, 3, vec![0; 8]).is_err());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = idx::images("random", &bytes);
        let _ = idx::labels("random", &bytes);
    }

    #[test]
    fn no_sizes_panic(sizes in prop::array::uniform3(prop_oneof![0..5_u32, any::<u32>()]), held in 0..80_usize) {
        let promised = sizes.iter().map(|&size| u128::from(size)).product::<u128>();
        let result = idx::images("random", &images_file(sizes, &vec![0; held]));
        prop_assert_eq!(result.is_ok(), promised == held as u128 && promised > 0);
        let _ = idx::labels("random", &labels_file(sizes[0], &vec![3; held]));
    }
}

#[cfg(feature = "std")]
mod files {
    use std::fs;
    use std::path::Path;

    use equilibria::data::{Dataset, mnist};

    use super::*;

    /// Writes four valid files of tiny digits, with names changed by `rename`.
    fn write_set(folder: &Path, rename: impl Fn(&str) -> String) {
        fs::create_dir_all(folder).unwrap();
        let contents = [
            images_file([3, 1, 2], &[1, 2, 3, 4, 5, 6]),
            labels_file(3, &[7, 8, 9]),
            images_file([1, 1, 2], &[9, 9]),
            labels_file(1, &[0]),
        ];
        for (name, content) in mnist::FILES.iter().zip(contents) {
            fs::write(folder.join(rename(name)), content).unwrap();
        }
    }

    #[test]
    fn the_files_may_be_in_the_folder_or_in_its_subfolder_and_in_either_spelling() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("mnist");
        write_set(&below, |name| name.replace("-idx", ".idx"));
        for source in [folder.path(), &below] {
            let digits = Dataset::load(source, Some(2)).unwrap();
            assert_eq!((digits.name.as_str(), digits.train.labels()), ("mnist", &[7, 8][..]));
            assert_eq!(digits.train.images().pixels(), [1, 2, 3, 4]);
            assert_eq!((digits.test.images().image(0), digits.test.labels()), (&[9, 9][..], &[0][..]));
        }
        for images in [0, 4] {
            let text = Dataset::load(&below, Some(images)).unwrap_err().to_string();
            assert!(text.contains(&format!("--images {images}")) && text.contains("1 to 3"), "{text}");
        }
    }

    #[test]
    fn each_file_may_be_in_a_folder_of_its_own_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in mnist::FILES {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        write_set(folder.path(), |name| format!("{name}/{name}"));
        assert_eq!(Dataset::load(folder.path(), None).unwrap().train.labels(), [7, 8, 9]);
    }

    #[test]
    fn the_error_for_missing_files_names_them_and_the_place_and_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let text = Dataset::load(folder.path(), None).unwrap_err().to_string();
        let place = folder.path().display().to_string();
        for words in [mnist::FILES[0], mnist::FILES[3], &place, &format!("fixtures/fetch-mnist {place}")] {
            assert!(text.contains(words), "{text}");
        }

        write_set(folder.path(), str::to_owned);
        // Labels are missed only where they are used.
        fs::remove_file(folder.path().join(mnist::FILES[1])).unwrap();
        fs::create_dir(folder.path().join(mnist::FILES[1])).unwrap();
        let digits = Dataset::load(folder.path(), None).unwrap();
        let error = digits.train.check_labels().unwrap_err().to_string();
        assert!(error.contains("train-images-idx3-ubyte has no file of labels beside it"), "{error}");
        assert!(!error.contains("fetch-mnist"), "MNIST's labels would stand beside other images: {error}");
        digits.test.check_labels().unwrap();
        fs::remove_file(folder.path().join(mnist::FILES[0])).unwrap();
        fs::remove_file(folder.path().join(mnist::FILES[2])).unwrap();
        let error = Dataset::load(folder.path(), None).unwrap_err();
        let Error::NotFound { what, place: found, remedy } = &error else { panic!("{error}") };
        assert!(what.starts_with("a file of training images") && found == &place, "{error}");
        assert!(remedy.contains("it has t10k-labels-idx1-ubyte; add the images"), "{error}");

        let error = Dataset::load(folder.path().join("no/such"), None).unwrap_err();
        let Error::NotFound { what, place: found, .. } = &error else { panic!("{error}") };
        assert!(what.starts_with("the folder or file ") && found == &place, "{error}");
    }

    #[test]
    fn fetching_is_advised_for_an_empty_or_missing_folder_alone() {
        let folder = tempfile::tempdir().unwrap();
        let advice = |place: &std::path::Path| {
            let error = Dataset::load(place, None).unwrap_err();
            let Error::NotFound { remedy, .. } = &error else { panic!("{error}") };
            remedy.contains("fetch-mnist")
        };
        assert!(advice(folder.path()), "the folder is empty");
        assert!(advice(&folder.path().join("missing")));
        for name in ["notes.txt", "train-images.gz", "mnist/t10k-labels-idx1-ubyte"] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, b"the user's own").unwrap();
            assert!(!advice(folder.path()), "the folder holds {name}");
        }
    }

    #[test]
    fn malformed_files_are_refused_with_the_offset_of_the_fault() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wrong");
        for (bytes, offset, words) in wrong_images() {
            fs::write(&path, bytes).unwrap();
            assert_malformed(idx::read_images(&path), "wrong", offset, words);
        }
        for (bytes, offset, words) in wrong_labels() {
            fs::write(&path, bytes).unwrap();
            assert_malformed(idx::read_labels(&path), "wrong", offset, words);
        }
        fs::write(&path, images_file([u32::MAX, 28, 28], &[0; 9])).unwrap();
        assert_malformed(idx::read_images(&path), "wrong", 4, "more than the limit of 1073741824");
        assert!(matches!(idx::read_images(folder.path()), Err(Error::Io { .. })));
    }

    #[test]
    fn sets_whose_files_do_not_match_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path(), str::to_owned);
        fs::write(folder.path().join(mnist::FILES[1]), labels_file(2, &[7, 8])).unwrap();
        let words = "2 labels for the 3 images";
        let error = Dataset::load(folder.path(), None).unwrap().train.check_labels().unwrap_err();
        assert!(error.to_string().contains(words), "{error}");

        write_set(folder.path(), str::to_owned);
        fs::write(folder.path().join(mnist::FILES[2]), images_file([1, 2, 1], &[9, 9])).unwrap();
        let error = Dataset::load(folder.path(), None).unwrap_err();
        let (file, words) = (mnist::FILES[2], "they need one size");
        assert!(error.to_string().contains(file) && error.to_string().contains(words), "{error}");
    }

    #[cfg(not(feature = "cli"))]
    #[test]
    fn gzip_without_the_feature_is_refused_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.gz");
        fs::write(&path, [0x1f, 0x8b, 8, 0]).unwrap();
        assert_malformed(idx::read_images(&path), "file.gz", 0, "gunzip");
    }

    #[test]
    fn the_published_mnist_files_are_read_completely() {
        let Some(data) = real_data::folder() else { return };
        if cfg!(not(feature = "cli")) {
            return real_data::skipped("gzip needs feature `cli`");
        }
        let digits = Dataset::load(data, None).unwrap();
        assert_eq!((digits.name.as_str(), digits.train.len(), digits.test.len()), ("mnist", 60_000, 10_000));
        assert_eq!(digits.train.labels()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
        assert_eq!(digits.test.labels()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
        assert_eq!(digits.train.images().values_per_image(), 784);
        let sum: u64 = digits.train.images().pixels().iter().map(|&pixel| u64::from(pixel)).sum();
        let mean = sum as f64 / 47_040_000.0 / 255.0;
        assert!((mean - 0.1307).abs() < 5e-5, "mean grey value {mean}");
    }
}

#[cfg(feature = "checkpoint")]
mod deep_machines {
    use equilibria::Tensor;
    use equilibria::boltzmann::Dbm;
    use equilibria::checkpoint::Archive;
    use equilibria::rng::Stream;

    use super::*;

    fn machine() -> Dbm<f32> {
        Dbm::new(&[0.5; 5], &[4, 3, 2], Stream::named(1, "init")).unwrap()
    }

    /// An archive with the machine's tensors after `change`, which returns a new shape and values, or `None` to omit
    /// the tensor.
    fn changed(
        kind: &str,
        change: impl Fn(&str, &[usize], &[f32]) -> Option<(Vec<usize>, Vec<f32>)>,
    ) -> Archive {
        let right = machine().to_archive().unwrap();
        let mut archive = Archive::new();
        archive.set_metadata("model", kind);
        for name in right.names() {
            let shape = right.shape(name).unwrap();
            if let Some((shape, values)) = change(name, shape, right.tensor_f32(name, shape).unwrap()) {
                archive.insert_f32(name, &shape, &values).unwrap();
            }
        }
        Archive::from_bytes(&archive.to_bytes().unwrap(), "model.safetensors").unwrap()
    }

    #[test]
    fn a_written_machine_is_read_back() {
        let same = |_: &str, shape: &[usize], values: &[f32]| Some((shape.to_vec(), values.to_vec()));
        assert_eq!(Dbm::from_archive(&changed("dbm", same)).unwrap(), machine());
        let archive = machine().to_archive().unwrap();
        assert_eq!(archive.metadata("sizes"), Some("5-4-3-2"));
        assert_eq!(Dbm::from_archive(&archive).unwrap(), machine());
    }

    #[test]
    fn machines_in_16_bits_are_read_with_rounded_parameters() {
        let bytes = machine().to_archive().unwrap().halved().unwrap().to_bytes().unwrap();
        let archive = Archive::from_bytes(&bytes, "model.safetensors").unwrap();
        let read = Dbm::from_archive(&archive).unwrap();
        assert_eq!(read.to_archive().unwrap().halved().unwrap().to_bytes().unwrap(), bytes);
        let (right, found) = (machine().weights()[0].clone(), read.weights()[0].clone());
        assert!(right != found, "nothing was rounded");
        for (before, after) in right.data().iter().zip(found.data()) {
            assert!((before - after).abs() <= before.abs() / 2048.0 + 3e-8, "{before}: {after}");
        }
        // A changed byte in a weight, and in a bias.
        for place in [bytes.len() - 1, bytes.len() - 60] {
            let mut changed = bytes.clone();
            changed[place] ^= 0x40;
            let result = Archive::from_bytes(&changed, "model.safetensors");
            assert_malformed(result, "model.safetensors", 8, "the check sum `crc32` is");
        }
    }

    #[test]
    fn archives_that_do_not_hold_a_deep_machine_are_refused_with_the_reason() {
        let refuse = |archive: Archive, words: &str| {
            assert_malformed(Dbm::from_archive(&archive), "model.safetensors", 8, words);
        };
        let same = |shape: &[usize], values: &[f32]| Some((shape.to_vec(), values.to_vec()));
        refuse(changed("rbm", |_, shape, values| same(shape, values)), "a model of kind 'rbm'");
        for name in ["weight_1", "weight_2", "bias_0", "bias_2", "bias_3"] {
            let without = |here: &str, shape: &[usize], values: &[f32]| {
                if here == name { None } else { same(shape, values) }
            };
            refuse(changed("dbm", without), name);
        }
        let first_only = |name: &str, shape: &[usize], values: &[f32]| {
            if ["weight_1", "bias_0", "bias_1"].contains(&name) { same(shape, values) } else { None }
        };
        refuse(changed("dbm", first_only), "at least 2");
        let with = |name: &'static str, shape: &'static [usize], value: f32| {
            changed("dbm", move |here, its_shape, values| {
                let len = shape.iter().product();
                if here == name { Some((shape.to_vec(), vec![value; len])) } else { same(its_shape, values) }
            })
        };
        refuse(with("weight_2", &[5, 3], 0.0), "'weight_2' has 5 units below, but layer 1 has 4");
        refuse(with("weight_2", &[12], 0.0), "two axes");
        refuse(with("bias_1", &[5], 0.0), "bias_1");
        refuse(with("bias_3", &[2], f32::NAN), "bias_3");
        refuse(with("weight_3", &[3, 2], f32::INFINITY), "weight_3");
        refuse(with("weight_1", &[5, 0], 0.0), "layer 1");
    }

    #[test]
    fn parameters_that_do_not_form_a_deep_machine_are_refused() {
        let tensors = |shapes: &[&[usize]]| shapes.iter().map(|shape| Tensor::zeros(shape)).collect();
        let words = |weights: &[&[usize]], biases: &[&[usize]]| {
            Dbm::<f64>::from_parameters(tensors(weights), tensors(biases)).unwrap_err().to_string()
        };
        let right: &[&[usize]] = &[&[5], &[4], &[3]];
        assert!(Dbm::<f64>::from_parameters(tensors(&[&[5, 4], &[4, 3]]), tensors(right)).is_ok());
        for (weights, biases, expected) in [
            (&[&[5_usize, 4][..], &[3, 4]][..], right, "expected shape (4, 3), found (3, 4)"),
            (&[&[5, 4], &[5, 3]], right, "expected shape (4, 3), found (5, 3)"),
            (&[&[5, 4]], right, "1 matrices of weights and 3 biases"),
            (&[&[5, 4]], &[&[5], &[4]], "1 hidden layers"),
            (&[], &[], "0 hidden layers"),
            (&[&[5, 0], &[0, 3]], &[&[5], &[0], &[3]], "an empty layer 1"),
            (&[&[5, 4], &[4, 3]], &[&[5], &[4, 1], &[3]], "expected shape (4), found (4, 1)"),
        ] {
            let found = words(weights, biases);
            assert!(found.contains(expected), "{found}");
        }
        assert!(Dbm::<f32>::new(&[0.5; 3], &[2], Stream::named(1, "init")).is_err());
        assert!(Dbm::<f32>::new(&[], &[2, 2], Stream::named(1, "init")).is_err());
    }
}

#[cfg(feature = "cli")]
mod gzip {
    use std::fs;
    use std::io::Write;
    use std::path::PathBuf;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Writes a file into a temporary folder, which is deleted when the first value is dropped.
    fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.gz");
        fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzipped_files_are_read_and_the_same_faults_are_found() {
        let (_folder, path) = file(&pack(&images_file([2, 1, 3], &[1, 2, 3, 4, 5, 6])));
        assert_eq!(idx::read_images(&path).unwrap().image(1), [4, 5, 6]);
        for (bytes, offset, words) in wrong_images() {
            fs::write(&path, pack(&bytes)).unwrap();
            assert_malformed(idx::read_images(&path), "file.gz", offset, words);
        }
        let packed = pack(&[0]);
        assert_malformed(idx::images("flash", &packed), "flash", 0, "unpack it first");
    }

    #[test]
    fn truncated_and_damaged_streams_are_refused() {
        let content: Vec<u8> = (0..4000_u32).map(|at| ((at * at) >> 3) as u8).collect();
        let packed = pack(&images_file([4, 10, 100], &content));
        for length in 2..packed.len() {
            let (_folder, path) = file(&packed[..length]);
            assert!(matches!(idx::read_images(&path), Err(Error::Malformed { .. })), "cut to {length}");
        }
        let (_folder, path) = file(&packed[..packed.len() - 1]);
        assert_malformed(idx::read_images(&path), "file.gz", 4016, "ends too early");

        let mut damaged = packed.clone();
        *damaged.iter_mut().nth_back(6).unwrap() ^= 1;
        fs::write(&path, damaged).unwrap();
        assert_malformed(idx::read_images(&path), "file.gz", 4016, "is damaged");
    }

    /// 64 MiB of zeros after a header that promises 4 bytes: reading uses little memory and little time.
    #[test]
    fn a_gzip_bomb_is_not_unpacked() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&images_file([1, 2, 2], &[])).unwrap();
        for _ in 0..64 {
            encoder.write_all(&vec![0; 1 << 20]).unwrap();
        }
        let (_folder, path) = file(&encoder.finish().unwrap());
        assert_malformed(idx::read_images(&path), "file.gz", 20, "more data follows");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_damage_panics(at in 0..200_usize, value: u8) {
            let mut packed = pack(&images_file([1, 10, 10], &[5; 100]));
            let at = at % packed.len();
            packed[at] = value;
            let (_folder, path) = file(&packed);
            let _ = idx::read_images(&path);
        }
    }
}

/// Tests of the download script that the error about missing files recommends.
#[cfg(all(unix, feature = "std"))]
mod fetching {
    use std::fs;
    use std::path::Path;
    use std::process::{Command, Output};

    use equilibria::data::mnist;

    use super::real_data;

    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/fetch-mnist");

    /// A valid gzip stream without content.
    const EMPTY: [u8; 20] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    /// Fetches into `folder` from the folder `mirror`; returns `None` if there is no curl. `path` lists folders of programs
    /// to search first.
    fn fetch_with(folder: &Path, mirror: &Path, path: &str) -> Option<Output> {
        // Only curl reads `file:` addresses.
        if Command::new("curl").arg("--version").output().is_err() {
            real_data::skipped("there is no curl");
            return None;
        }
        let mirror = format!("file://{}", mirror.display());
        let path = format!("{path}{}", std::env::var("PATH").unwrap_or_default());
        Some(Command::new(SCRIPT).arg(folder).arg(mirror).env("PATH", path).output().unwrap())
    }

    fn fetch(folder: &Path, mirror: &Path) -> Option<Output> {
        fetch_with(folder, mirror, "")
    }

    /// The published files, gzipped, if they are here.
    fn published() -> Option<std::path::PathBuf> {
        let data = real_data::folder()?;
        let mirror = if data.join("mnist").is_dir() { data.join("mnist") } else { data.to_owned() };
        if mirror.join(format!("{}.gz", mnist::FILES[0])).is_file() {
            return Some(mirror);
        }
        real_data::skipped("the files are not gzipped");
        None
    }

    /// Names and contents of all that is in a folder.
    fn contents(folder: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let mut all: Vec<_> =
            entries.map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap())).collect();
        all.sort();
        all
    }

    #[test]
    fn files_other_than_the_published_ones_are_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (mirror, target) = (folder.path().join("mirror"), folder.path().join("target"));
        fs::create_dir(&mirror).unwrap();
        for name in mnist::FILES {
            fs::write(mirror.join(format!("{name}.gz")), EMPTY).unwrap();
        }
        let Some(output) = fetch(&target, &mirror) else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("is not the published file"), "{said}");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 0, "something was kept");
    }

    /// In every spelling that the program reads: beside the user's files, MNIST's would make a mixture.
    #[test]
    fn a_file_of_the_users_own_stops_the_fetching_before_it_begins() {
        // Without the published files nothing would be kept of the mirror anyway.
        let mirror = published();
        for name in [
            "train-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte",
            "train-labels.idx1-ubyte",
            "t10k-images.idx3-ubyte.gz",
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(name), EMPTY).unwrap();
            let before = contents(folder.path());
            let Some(output) = fetch(folder.path(), mirror.as_deref().unwrap_or(folder.path())) else {
                return;
            };
            let said = String::from_utf8_lossy(&output.stderr);
            let words =
                format!("{name} is not MNIST's file; it was left as it is and nothing was downloaded");
            assert!(output.status.code() == Some(1) && said.contains(&words), "{said}");
            assert!(contents(folder.path()) == before, "{name}: the folder is not as it was");
        }
    }

    #[test]
    fn the_published_files_are_fetched_once() {
        let Some(mirror) = published() else { return };
        let folder = tempfile::tempdir().unwrap();
        let Some(output) = fetch(folder.path(), &mirror) else { return };
        assert!(output.status.success(), "{output:?}");
        let whole = contents(folder.path());
        assert_eq!(whole.len(), 4);
        fs::remove_file(folder.path().join(format!("{}.gz", mnist::FILES[3]))).unwrap();
        let said = String::from_utf8(fetch(folder.path(), &mirror).unwrap().stdout).unwrap();
        assert_eq!((said.matches("is there").count(), said.matches("is written").count()), (3, 1), "{said}");
        assert!(contents(folder.path()) == whole);
        // A damaged download may as well be a file of the user's own.
        let damaged = folder.path().join(format!("{}.gz", mnist::FILES[3]));
        fs::write(&damaged, &fs::read(&damaged).unwrap()[..100]).unwrap();
        let before = contents(folder.path());
        let output = fetch(folder.path(), &mirror).unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(contents(folder.path()) == before);
    }

    #[test]
    fn a_file_that_appears_during_the_download_is_left_alone() {
        use std::os::unix::fs::PermissionsExt;
        let Some(mirror) = published() else { return };
        let folder = tempfile::tempdir().unwrap();
        let (programs, target) = (folder.path().join("programs"), folder.path().join("target"));
        fs::create_dir(&programs).unwrap();
        let curl = programs.join("curl");
        // The file to write is its last argument but one, and in the folder of the target.
        let text = format!(
            "#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done\necho own >\"{0}/{1}.gz\"\ncp \"{2}/{1}.gz\" \"$1\"\n",
            target.display(),
            mnist::FILES[0],
            mirror.display()
        );
        fs::write(&curl, text).unwrap();
        fs::set_permissions(&curl, fs::Permissions::from_mode(0o755)).unwrap();
        let output = fetch_with(&target, &mirror, &format!("{}:", programs.display())).unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("was left as it is"), "{said}");
        let left = [(format!("{}.gz", mnist::FILES[0]).into(), b"own\n".to_vec())];
        assert!(contents(&target) == left, "{:?}", fs::read_dir(&target).unwrap().collect::<Vec<_>>());
    }
}
