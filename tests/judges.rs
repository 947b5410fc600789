//! Do the judges of images without labels find typical faults, on tinted digits and on real cats?

#![cfg(feature = "cli")]

use equilibria::data::{Images, synthetic};
use equilibria::evaluate::encoder::Encoder;
use equilibria::evaluate::unlabelled::{ImageSets, STEPS, UnlabelledJudgement, UnlabelledSettings, judge};
use equilibria::rng::Stream;
use equilibria::run::encoder::{EncoderSettings, train};
use equilibria::run::{Progress, ProgressKind};
use equilibria::{Error, Tensor};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

#[path = "support/real_data.rs"]
mod real_data;

const SMALL: EncoderSettings = EncoderSettings { steps: 120, batch: 16, learning_rate: 2e-3, seed: 1 };
const HOW: UnlabelledSettings = UnlabelledSettings { images: 1000, nearest: 100, directions: 40 };

fn trained(settings: &EncoderSettings, images: &Images) -> Encoder {
    train(settings, images, &mut Progress::new(ProgressKind::Quiet), &|| false).unwrap()
}

/// Drawn digits in a colour of their own on a background of their own.
fn tinted(first: u64, count: usize) -> Images {
    let digits = synthetic::digits(first, count).unwrap();
    let mut colours = Tensor::<f32>::zeros(&[count, 6]);
    colours.fill_uniform(Stream::named(first, "synthetic"));
    let mut pixels = Vec::new();
    for i in 0..count {
        for &ink in digits.images().image(i) {
            let ink = f32::from(ink) / 255.0;
            for channel in 0..3 {
                let colour = |of: usize| colours.row(i)[3 * of + channel];
                pixels.push((ink * (128.0 + 127.0 * colour(0)) + (1.0 - ink) * 100.0 * colour(1)) as u8);
            }
        }
    }
    Images::with_channels(28, 28, 3, pixels).unwrap()
}

/// The sets of the tests, and an encoder.
struct Tinted {
    train: Images,
    test: Images,
    fresh: Images,
    encoder: Encoder,
}

impl Tinted {
    fn get() -> &'static Self {
        static SETS: OnceLock<Tinted> = OnceLock::new();
        SETS.get_or_init(|| {
            let train = tinted(0, 500);
            let encoder = trained(&SMALL, &train);
            Self { test: tinted(synthetic::FIRST_TEST, 400), fresh: tinted(50_000, 400), encoder, train }
        })
    }

    fn judged(&self, samples: &Images) -> UnlabelledJudgement {
        let sets = ImageSets { train: &self.train, test: &self.test, samples };
        judge(&self.encoder, sets, &HOW, Stream::named(1, "evaluate"), &mut || Ok(())).unwrap()
    }
}

/// Applies `change` to the bytes of each image.
fn changed(images: &Images, change: impl Fn(usize, &mut [u8])) -> Images {
    let mut pixels = images.pixels().to_vec();
    let each = pixels.chunks_exact_mut(images.values_per_image()).enumerate();
    each.for_each(|(index, image)| change(index, image));
    Images::with_channels(images.height(), images.width(), images.channels(), pixels).unwrap()
}

fn noisy(images: &Images, deviation: f32) -> Images {
    changed(images, |index, image| {
        let mut noise = Tensor::<f32>::zeros(&[image.len()]);
        noise.fill_normal(Stream::named(3, "evaluate").substream(index as u64), deviation);
        image.iter_mut().zip(noise.data()).for_each(|(x, noise)| *x = (f32::from(*x) + noise) as u8);
    })
}

/// Moves each value by the share `weight` towards the mean of the values beside, above and below.
fn blurred(images: &Images, weight: f32) -> Images {
    let [height, width, channels] = images.shape();
    changed(images, |_, image| {
        let sharp = image.to_vec();
        for (index, x) in image.iter_mut().enumerate() {
            let (row, column) = (index / channels / width, index / channels % width);
            let at = |row: usize, column: usize| {
                let place = row.min(height - 1) * width + column.min(width - 1);
                f32::from(sharp[place * channels + index % channels])
            };
            let near = at(row + 1, column)
                + at(row.saturating_sub(1), column)
                + at(row, column + 1)
                + at(row, column.saturating_sub(1));
            *x = (f32::from(*x) * (1.0 - weight) + weight * near / 4.0).round() as u8;
        }
    })
}

/// Turns the first `share` of every 8 images upside down.
fn turned(images: &Images, share: usize) -> Images {
    let channels = images.channels();
    changed(images, |index, image| {
        if index % 8 < share {
            let upright = image.to_vec();
            let pixels = upright.chunks_exact(channels).rev().flatten();
            image.iter_mut().zip(pixels).for_each(|(to, from)| *to = *from);
        }
    })
}

/// Moves colours by the share `weight` towards grey.
fn greyed(images: &Images, weight: f32) -> Images {
    changed(images, |_, image| {
        for pixel in image.chunks_exact_mut(3) {
            let mean = pixel.iter().map(|&x| f32::from(x)).sum::<f32>() / 3.0;
            pixel.iter_mut().for_each(|x| *x = (f32::from(*x) * (1.0 - weight) + weight * mean) as u8);
        }
    })
}

/// The first `count` images, again and again.
fn repeated(images: &Images, count: usize) -> Images {
    images.select(&(0..images.len()).map(|index| index % count).collect::<Vec<_>>())
}

/// Asserts that a measure rises from each set to the next, and returns its values.
fn rises(
    name: &str,
    judged: &[UnlabelledJudgement],
    measure: impl Fn(&UnlabelledJudgement) -> f64,
) -> Vec<f64> {
    let values: Vec<f64> = judged.iter().map(measure).collect();
    assert!(values.is_sorted_by(|a, b| a < b), "{name}: {values:?}");
    values
}

fn kernel(judged: &UnlabelledJudgement) -> f64 {
    judged.measures.kernel_distance
}

#[test]
fn each_fault_raises_the_distances_that_see_it() {
    let sets = Tinted::get();
    let faults = |fault: &dyn Fn(f32) -> Images, strengths: [f32; 3]| -> Vec<UnlabelledJudgement> {
        let faulty = strengths.iter().map(|&strength| sets.judged(&fault(strength)));
        core::iter::once(sets.judged(&sets.fresh)).chain(faulty).collect()
    };
    let sliced = |judged: &UnlabelledJudgement| judged.measures.sliced_wasserstein_bands[0].distance;
    let noise = faults(&|deviation| noisy(&sets.fresh, deviation), [10.0, 30.0, 90.0]);
    rises("noise, kernel distance", &noise[1..], kernel);
    rises("noise, sliced distance", &noise, sliced);
    // The floor belongs to the data alone.
    assert!(noise[3].real == noise[0].real && noise[0].real != noise[0].measures);
    let blur = faults(&|weight| blurred(&blurred(&sets.fresh, weight), weight), [0.2, 0.5, 1.0]);
    rises("blur, sliced distance", &blur, sliced);
    let upside_down = faults(&|share| turned(&sets.fresh, share as usize), [2.0, 4.0, 8.0]);
    rises("turned, kernel distance", &upside_down, kernel);
    rises("turned, Fréchet distance", &upside_down, |judged| judged.measures.frechet_distance);
    let few = faults(&|count| repeated(&sets.fresh, count as usize), [40.0, 10.0, 3.0]);
    rises("few images, Fréchet distance", &few, |judged| judged.measures.frechet_distance);
    let grey = faults(&|weight| greyed(&sets.fresh, weight), [0.3, 0.6, 1.0]);
    let colours = rises("grey, colour distance", &grey, |judged| judged.measures.colour_distance);
    assert!(colours[3] > 3.0 * colours[0], "{colours:?}");
}

#[test]
fn samples_of_the_data_reach_the_floor_and_copies_are_caught() {
    let sets = Tinted::get();
    let good = sets.judged(&sets.fresh);
    assert_eq!((good.samples, good.train_images, good.test_images), (400, 400, 400));
    assert!(good.orientations_recognised > 0.5, "{good:?}");
    for measures in [&good.measures, &good.real] {
        let errors = measures.kernel_distance / measures.kernel_distance_standard_error;
        assert!(errors.abs() < 4.0, "{measures:?}");
        // A few hundred images with a colour of their own do not fill the histogram.
        assert!(measures.sliced_wasserstein < 0.05 && measures.colour_distance < 0.25, "{measures:?}");
    }
    let ratio = good.measures.frechet_distance / good.real.frechet_distance;
    assert!((0.6..1.7).contains(&ratio), "{good:?}");
    assert!(good.nearest_pixels.z.abs() < 4.0 && good.nearest_features.z.abs() < 4.0, "{good:?}");
    // Copies, every second of them mirrored.
    let copies = changed(&sets.train, |index, image| {
        if index % 2 == 0 {
            let plain = image.to_vec();
            for (to, from) in image.chunks_exact_mut(28 * 3).zip(plain.chunks_exact(28 * 3)) {
                let pixels = from.chunks_exact(3).rev().flatten();
                to.iter_mut().zip(pixels).for_each(|(to, from)| *to = *from);
            }
        }
    });
    let caught = sets.judged(&copies);
    assert_eq!(caught.samples, 500);
    for nearest in [caught.nearest_pixels, caught.nearest_features] {
        assert!(nearest.samples < 1e-6 && nearest.nearer == 1.0 && nearest.z > 10.0, "{nearest:?}");
    }
}

#[test]
fn the_order_of_samples_does_not_matter() {
    let sets = Tinted::get();
    let samples = noisy(&sets.fresh, 20.0);
    let order: Vec<usize> = (0..samples.len()).rev().collect();
    let [one, other] = [sets.judged(&samples), sets.judged(&samples.select(&order))].map(|j| j.measures);
    assert!((one.kernel_distance - other.kernel_distance).abs() < 1e-9, "{one:?}, {other:?}");
    assert!((one.frechet_distance / other.frechet_distance - 1.0).abs() < 1e-6, "{one:?}, {other:?}");
    assert_eq!(one.colour_distance, other.colour_distance);
}

#[test]
fn a_seed_gives_one_encoder_and_one_judgement_at_any_number_of_threads() {
    let settings = EncoderSettings { steps: 12, ..SMALL };
    let (train, test) = (tinted(0, 60), tinted(synthetic::FIRST_TEST, 40));
    let how = UnlabelledSettings { images: 30, nearest: 10, directions: 10 };
    let run = |seed: u64| {
        let encoder = trained(&EncoderSettings { seed, ..settings }, &train);
        let sets = ImageSets { train: &train, test: &test, samples: &train };
        let judged = judge(&encoder, sets, &how, Stream::named(1, "evaluate"), &mut || Ok(())).unwrap();
        (encoder.to_archive().unwrap().to_bytes().unwrap(), judged)
    };
    let found = [1, 2, 5].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(1))
    });
    assert!(found[0] == found[1] && found[0] == found[2]);
    assert_ne!(found[0].0, run(2).0);
    assert_eq!((found[0].1.samples, found[0].1.samples_found, found[0].1.nearest_samples), (30, 60, 10));
}

#[test]
fn judging_stops_when_asked_to_and_refuses_too_few_images() {
    let sets = Tinted::get();
    let judged = |samples: &Images, calls: u64| {
        let mut left = calls;
        let sets = ImageSets { train: &sets.train, test: &sets.test, samples };
        judge(&Tinted::get().encoder, sets, &HOW, Stream::named(1, "evaluate"), &mut || {
            left = left.checked_sub(1).ok_or(Error::invalid("a step", "there are no more"))?;
            Ok(())
        })
    };
    let few = sets.fresh.select(&(0..10).collect::<Vec<_>>());
    assert!(judged(&few, STEPS).is_ok());
    for calls in 0..STEPS {
        assert_eq!(judged(&few, calls).unwrap_err().to_string(), "a step: there are no more");
    }
    let error = judged(&few.select(&[0, 1, 2]), STEPS).unwrap_err().to_string();
    assert_eq!(error, "3 samples: at least 4 are needed");
    let grey = Images::new(28, 28, vec![0; 784 * 5]).unwrap();
    let error = judged(&grey, STEPS).unwrap_err().to_string();
    assert!(error.contains("expected shape (28, 28, 3), found (28, 28, 1)"), "{error}");
    let refused = |settings: EncoderSettings, images: &Images| {
        let mut quiet = Progress::new(ProgressKind::Quiet);
        train(&settings, images, &mut quiet, &|| false).unwrap_err().to_string()
    };
    let none = sets.train.select(&[]);
    assert!(refused(SMALL, &none).starts_with("an encoder from 0 images in 120 steps"));
    assert!(refused(EncoderSettings { steps: 0, ..SMALL }, &sets.train).contains("in 0 steps"));
    let wide = Images::new(8, 16, vec![0; 256]).unwrap();
    assert!(refused(SMALL, &wide).ends_with("they must be square, and at least 8 pixels high"));
    let stopped = train(&SMALL, &sets.train, &mut Progress::new(ProgressKind::Quiet), &|| true);
    assert!(matches!(stopped, Err(Error::Interrupted { .. })), "{stopped:?}");
}

/// Images in MNIST's format, all of class 3.
fn write_set(folder: &Path, name: &str, images: &Images) {
    let header =
        |words: &[usize]| -> Vec<u8> { words.iter().flat_map(|&word| (word as u32).to_be_bytes()).collect() };
    let mut bytes = header(&[0x0803, images.len(), images.height(), images.width()]);
    bytes.extend(images.pixels());
    fs::write(folder.join(format!("{name}-images-idx3-ubyte")), bytes).unwrap();
    let mut labels = header(&[0x0801, images.len()]);
    labels.extend(vec![3; images.len()]);
    fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), labels).unwrap();
}

#[test]
fn the_command_judges_images_of_one_class_by_an_encoder() {
    let folder = tempfile::tempdir().unwrap();
    let grey = |first, count| synthetic::digits(first, count).unwrap().images().clone();
    write_set(folder.path(), "train", &grey(0, 60));
    write_set(folder.path(), "t10k", &grey(synthetic::FIRST_TEST, 30));
    fs::create_dir(folder.path().join("samples")).unwrap();
    write_set(&folder.path().join("samples"), "x", &grey(7000, 20));
    let encoder = trained(&EncoderSettings { steps: 5, ..SMALL }, &grey(0, 60));
    fs::write(folder.path().join("encoder.st"), encoder.to_archive().unwrap().to_bytes().unwrap()).unwrap();
    let run = |words: &str| {
        let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_equilibria"))
            .args(words.split(' '))
            .current_dir(folder.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let samples = "gan evaluate samples/x-images-idx3-ubyte -q --data .";
    let (ok, json, warnings) = run(&format!("{samples} --encoder encoder.st --json"));
    assert!(ok, "{warnings}");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for key in [
        "kernel_distance",
        "kernel_distance_standard_error",
        "frechet_distance",
        "frechet_extrapolated",
        "sliced_wasserstein",
        "colour_distance",
    ] {
        assert!(json[key].is_f64() && json["real"][key].is_f64(), "{key}: {json}");
    }
    let sizes: Vec<_> =
        json["sliced_wasserstein_bands"].as_array().unwrap().iter().map(|band| &band["size"]).collect();
    assert_eq!(sizes, [28, 14]);
    assert_eq!((&json["encoder"], &json["samples"]), (&"given".into(), &20.into()));
    assert!(json["nearest_pixels"]["z"].is_f64() && json["nearest_features"]["nearer"].is_f64());
    // The file does not say what the encoder learned from, there are few images, and it has hardly learned.
    for words in
        ["learned from unknown images of unknown", "20 samples, 30 test and 20 training", "orientations"]
    {
        assert!(warnings.contains(words), "{words}: {warnings}");
    }
    let (ok, table, _) = run(&format!("{samples} --encoder encoder.st"));
    assert!(ok && table.contains("\n  at 14 pixels") && table.contains("\n  features "), "{table}");
    for (words, expected) in [
        (format!("{samples} --classifier encoder.st"), "a classifier is needed"),
        (
            "gan evaluate samples/x-images-idx3-ubyte -q --encoder encoder.st".into(),
            "--encoder: an encoder is for",
        ),
        (format!("{samples} --encoder samples"), "samples"),
    ] {
        let (ok, _, error) = run(&words);
        assert!(!ok && error.contains(expected) && error.lines().count() == 1, "{words}: {error}");
    }
}

/// CIFAR-10's records as images.
fn records(bytes: &[u8]) -> Images {
    let mut pixels = Vec::new();
    for record in bytes.chunks_exact(3073) {
        pixels.extend((0..3072).map(|value| record[1 + value % 3 * 1024 + value / 3]));
    }
    Images::with_channels(32, 32, 3, pixels).unwrap()
}

#[test]
fn faults_of_real_cats_are_found() {
    let Some(folder) = real_data::folder().map(|folder| folder.join("cifar10-cats")) else { return };
    let [Ok(train), Ok(test)] =
        ["data_batch_cats.bin", "test_batch_cats.bin"].map(|name| fs::read(folder.join(name)))
    else {
        real_data::skipped("EQUILIBRIA_DATA has no CIFAR-10 cats");
        return;
    };
    let (all, test) = (records(&train), records(&test).select(&(0..500).collect::<Vec<_>>()));
    let part = |from: usize, to: usize| all.select(&(from..to).collect::<Vec<_>>());
    let (train, fresh) = (part(0, 1000), part(1000, 1500));
    let sets = Tinted { encoder: trained(&SMALL, &train), train, test, fresh };
    let good = sets.judged(&sets.fresh);
    assert!(good.measures.kernel_distance < 4.0 * good.measures.kernel_distance_standard_error, "{good:?}");
    let limit = good.measures.kernel_distance.max(good.measures.kernel_distance_standard_error);
    for (fault, samples) in [
        ("noise", noisy(&sets.fresh, 40.0)),
        ("blur", blurred(&blurred(&sets.fresh, 1.0), 1.0)),
        ("few", repeated(&sets.fresh, 5)),
        ("grey", greyed(&sets.fresh, 1.0)),
    ] {
        let found = sets.judged(&samples);
        let sees = [
            kernel(&found) > 4.0 * limit,
            found.measures.sliced_wasserstein > 2.0 * good.measures.sliced_wasserstein,
            found.measures.colour_distance > 2.0 * good.measures.colour_distance,
        ];
        assert!(sees.contains(&true), "{fault}: {found:?}, unlike {good:?}");
    }
}
