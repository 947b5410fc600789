//! Do the measures of samples find typical faults, on drawn digits and on MNIST?

#![cfg(feature = "cli")]

use equilibria::data::{Dataset, Images, Labelled};
use equilibria::rng::Stream;
use equilibria::run::samples::{JudgeSettings, Judgement, choose_classifier, judge};
use equilibria::run::{Progress, ProgressKind};
use equilibria::{Error, Tensor};
use std::sync::atomic::{AtomicUsize, Ordering};

#[path = "support/real_data.rs"]
mod real_data;

/// Number of images in each set.
const COUNT: usize = 1500;
const HOW: JudgeSettings = JudgeSettings { images: COUNT, nearest: 150, directions: 100, seed: 1 };

fn quiet() -> Progress {
    Progress::new(ProgressKind::Quiet)
}

/// Digits to compare with, and as many other images as the samples of a perfect generator.
struct Data {
    digits: Dataset,
    fresh: Labelled,
}

/// `COUNT` random training images, `COUNT` random test images, and further random training images.
fn split(digits: &Dataset) -> Data {
    let part = |from: &Labelled, first: usize| {
        let mut rows = vec![0; from.len()];
        Stream::named(1, "shuffle").permutation(&mut rows);
        let rows = &rows[first..first + COUNT];
        let labels = rows.iter().map(|&row| from.labels()[row]).collect();
        Labelled::new(from.images().select(rows), labels).unwrap()
    };
    let (train, test) = (part(&digits.train, 0), part(&digits.test, 0));
    Data { digits: Dataset { name: digits.name.clone(), train, test }, fresh: part(&digits.train, COUNT) }
}

fn judged(data: &Data, samples: &Images) -> Judgement {
    let eye = choose_classifier(&data.digits, &mut quiet(), &|| false).unwrap();
    assert_eq!(eye.1.source, "shipped");
    judge(samples, &data.digits, &eye, &HOW, &mut quiet(), &|| false).unwrap()
}

/// Applies `change` to the pixels of each image.
fn changed(images: &Images, change: impl Fn(&mut [u8])) -> Images {
    let mut pixels = images.pixels().to_vec();
    pixels.chunks_exact_mut(images.values_per_image()).for_each(change);
    Images::new(images.height(), images.width(), pixels).unwrap()
}

fn noisy(images: &Images) -> Images {
    let mut noise = Tensor::<f32>::zeros(&[images.pixels().len()]);
    noise.fill_normal(Stream::named(3, "evaluate"), 64.0);
    let pixels =
        images.pixels().iter().zip(noise.data()).map(|(&pixel, noise)| (f32::from(pixel) + noise) as u8);
    Images::new(images.height(), images.width(), pixels.collect()).unwrap()
}

/// The mean of each pixel and its neighbours.
fn blurred(images: &Images) -> Images {
    changed(images, |image| {
        let sharp = image.to_vec();
        for row in 1..27 {
            for column in 1..27 {
                let near = |row: usize| &sharp[row * 28 + column - 1..][..3];
                let sum: u32 = (row - 1..=row + 1).flat_map(near).map(|&pixel| u32::from(pixel)).sum();
                image[row * 28 + column] = (sum / 9) as u8;
            }
        }
    })
}

/// Applies all measures to fresh images, and to samples with one fault each.
fn the_right_measures_find_each_fault(data: &Data) {
    let fresh = data.fresh.images();
    let good = judged(data, fresh);
    let (ours, real) = (&good.measures, &good.real);
    // As good as training images within statistical error, and no copies.
    assert!(ours.frechet_distance < 1.3 * good.frechet_floor, "{good:?}");
    assert!(ours.frechet_extrapolated < ours.frechet_distance, "{good:?}");
    let apart = (ours.kernel_distance - real.kernel_distance).abs();
    assert!(
        apart < 4.0 * (ours.kernel_distance_standard_error + real.kernel_distance_standard_error),
        "{good:?}"
    );
    for (ours, real) in [
        (ours.precision, real.precision),
        (ours.recall, real.recall),
        (ours.density, real.density),
        (ours.coverage, real.coverage),
    ] {
        assert!(ours > 0.6 && (ours - real).abs() < 0.06, "{good:?}");
    }
    assert!(ours.class_entropy > 2.29 && ours.modes == 10, "{good:?}");
    assert!(ours.sliced_wasserstein < 1.5 * real.sliced_wasserstein, "{good:?}");
    assert!(good.nearest.z.abs() < 3.5 && good.nearest.suspicious < 0.07, "{good:?}");

    let noise = judged(data, &noisy(fresh));
    let (worse, floor) = (&noise.measures, good.frechet_floor);
    assert!(worse.frechet_distance > 10.0 * floor && worse.recall < 0.7 * real.recall, "{noise:?}");
    assert!(worse.sliced_wasserstein > 3.0 * real.sliced_wasserstein, "{noise:?}");

    let blur = judged(data, &blurred(fresh));
    let worse = &blur.measures;
    assert!(worse.frechet_distance > 5.0 * floor && worse.coverage < real.coverage - 0.1, "{blur:?}");
    assert!(
        worse.kernel_distance > real.kernel_distance + 5.0 * worse.kernel_distance_standard_error,
        "{blur:?}"
    );

    // Without threes: the samples are good, and one class is missing.
    let others: Vec<usize> = (0..fresh.len()).filter(|&row| data.fresh.labels()[row] != 3).collect();
    let missing = judged(data, &fresh.select(&others));
    let worse = &missing.measures;
    assert!(worse.modes == 9 && worse.class_entropy < 2.23, "{missing:?}");
    assert!(worse.frechet_distance > 3.0 * floor, "{missing:?}");
    assert!((worse.precision - real.precision).abs() < 0.05, "{missing:?}");
    assert!(worse.coverage < real.coverage - 0.05 && worse.recall < real.recall - 0.04, "{missing:?}");

    // One good image, repeated.
    let same = judged(data, &fresh.select(&vec![7; COUNT]));
    let worse = &same.measures;
    assert!((worse.modes, worse.class_entropy, worse.recall) == (1, 0.0, 0.0), "{same:?}");
    assert!(worse.coverage < 0.05 && worse.frechet_distance > 100.0 * floor, "{same:?}");

    // The training images themselves: perfect, but copies.
    let copies = judged(data, data.digits.train.images());
    assert!(copies.measures.frechet_distance < 1.3 * floor, "{copies:?}");
    assert!(
        copies.nearest.samples == 0.0 && copies.nearest.nearer == 1.0 && copies.nearest.z > 10.0,
        "{copies:?}"
    );
    assert_eq!(copies.nearest.suspicious, 1.0);
}

#[test]
fn the_right_measures_find_faults_in_drawn_digits() {
    the_right_measures_find_each_fault(&split(&Dataset::synthetic(2 * COUNT, COUNT).unwrap()));
}

#[test]
fn the_right_measures_find_faults_in_mnist() {
    let Some(folder) = real_data::folder() else { return };
    the_right_measures_find_each_fault(&split(&Dataset::load(folder, None).unwrap()));
}

#[test]
fn the_shipped_classifier_is_accurate_on_mnist() {
    let Some(folder) = real_data::folder() else { return };
    let digits = Dataset::load(folder, None).unwrap();
    let accuracy = equilibria::pretrained::classifier().unwrap().accuracy(&digits.test).unwrap();
    assert!(accuracy.all >= 0.992, "{accuracy:?}");
    assert!(accuracy.by_class.iter().flatten().all(|&share| share > 0.98), "{accuracy:?}");
}

fn small() -> (Dataset, Images) {
    let samples = equilibria::data::synthetic::digits(5000, 200).unwrap();
    (Dataset::synthetic(300, 250).unwrap(), samples.images().clone())
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let (digits, samples) = small();
    let how = JudgeSettings { images: 180, nearest: 40, directions: 20, seed: 3 };
    let found = [1, 2, 5].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let eye = choose_classifier(&digits, &mut quiet(), &|| false).unwrap();
            judge(&samples, &digits, &eye, &how, &mut quiet(), &|| false).unwrap()
        })
    });
    assert!(found[0] == found[1] && found[0] == found[2], "{found:#?}");
    assert_eq!((found[0].samples, found[0].samples_found, found[0].test_images), (180, 200, 180));
    assert_eq!((found[0].train_images, found[0].nearest_samples), (180, 40));
}

#[test]
fn inverted_data_get_a_classifier_of_their_own() {
    // Inverted digits and samples.
    let (mut digits, mut samples) = small();
    digits.invert();
    samples.invert();
    let eye = choose_classifier(&digits, &mut quiet(), &|| false).unwrap();
    assert!(eye.1.source == "trained" && eye.1.accuracy > 0.7, "{:?}", eye.1);
    let found = judge(&samples, &digits, &eye, &HOW, &mut quiet(), &|| false).unwrap();
    assert!(found.measures.frechet_distance < 3.0 * found.frechet_floor, "{found:?}");
    // Samples that are not inverted, compared with inverted digits.
    samples.invert();
    let wrong = judge(&samples, &digits, &eye, &HOW, &mut quiet(), &|| false).unwrap();
    assert!(wrong.warnings.iter().any(|warning| warning.contains("--invert")), "{:?}", wrong.warnings);
    assert!(!found.warnings.iter().any(|warning| warning.contains("--invert")), "{:?}", found.warnings);
}

#[test]
fn judging_stops_when_asked_to_and_refuses_too_few() {
    let (digits, samples) = small();
    let eye = choose_classifier(&digits, &mut quiet(), &|| false).unwrap();
    let how = JudgeSettings { images: 50, nearest: 10, directions: 5, seed: 1 };
    for steps in [0, 3, 9] {
        let asked = AtomicUsize::new(0);
        let stop = || asked.fetch_add(1, Ordering::Relaxed) == steps;
        let error = judge(&samples, &digits, &eye, &how, &mut quiet(), &stop).unwrap_err();
        assert!(matches!(error, Error::Interrupted { .. }), "{steps}: {error}");
    }
    let few = samples.select(&[0, 1, 2, 3, 4]);
    let error = judge(&few, &digits, &eye, &how, &mut quiet(), &|| false).unwrap_err().to_string();
    assert_eq!(error, "5 samples: at least 6 are needed, so that each has 5 neighbours");
    assert!(judge(&samples.select(&[0; 6]), &digits, &eye, &how, &mut quiet(), &|| false).is_ok());
}
