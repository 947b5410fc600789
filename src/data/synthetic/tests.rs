use super::*;
use crate::data::{Dataset, mean_image};

/// The FNV-1a hash.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn an_index_always_gives_the_same_digit() {
    let set = digits(0, 100).unwrap();
    let found = checksum(set.images().pixels());
    assert_eq!(found, 0x3d0f_bbc0_3346_7073, "{found:#x}");
    let mut pixels = [0; PIXELS];
    assert_eq!(digit(57, &mut pixels), 7);
    assert_eq!(pixels, set.images().image(57));
    assert_eq!(digit(u64::MAX, &mut pixels), 5);
}

#[test]
fn classes_are_balanced_and_training_and_test_digits_differ() {
    let digits = Dataset::synthetic(1000, 500).unwrap();
    for (set, each) in [(&digits.train, 100), (&digits.test, 50)] {
        for class in 0..10 {
            assert_eq!(set.labels().iter().filter(|&&label| label == class).count(), each, "class {class}");
        }
    }
    let mut images: Vec<&[u8]> = [&digits.train, &digits.test]
        .iter()
        .flat_map(|set| set.images().pixels().chunks_exact(PIXELS))
        .collect();
    images.sort_unstable();
    images.dedup();
    assert_eq!(images.len(), 1500, "some digits are equal");
}

#[test]
fn sets_that_do_not_fit_into_memory_are_refused() {
    assert!(matches!(digits(0, 0), Err(Error::InvalidArgument { .. })));
    assert!(matches!(digits(0, usize::MAX), Err(Error::InvalidArgument { .. })));
    assert!(matches!(digits(0, usize::MAX / PIXELS), Err(Error::InvalidArgument { .. })));
}

/// MNIST for comparison: 19.1 % of pixels above 0, 13.2 % above 127, mean 0.1307.
#[test]
fn the_amount_of_ink_is_similar_to_mnist() {
    let set = digits(0, 2000).unwrap();
    let pixels = set.images().pixels();
    let share =
        |least: u8| pixels.iter().filter(|&&pixel| pixel >= least).count() as f64 / pixels.len() as f64;
    let mean = mean_image(set.images()).iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / PIXELS as f64;
    let (inked, on) = (share(1), share(128));
    assert!((0.17..0.21).contains(&inked) && (0.12..0.145).contains(&on), "{inked} above 0, {on} above 127");
    assert!((0.12..0.145).contains(&mean), "mean {mean}");
}

#[test]
fn every_digit_is_inside_the_frame_and_near_its_centre() {
    let set = digits(0, 3000).unwrap();
    for (at, image) in set.images().pixels().chunks_exact(PIXELS).enumerate() {
        let on = image.iter().filter(|&&pixel| pixel > 127).count();
        assert!((20..300).contains(&on), "digit {at} has {on} pixels on");
        let mut mass = [0.0; 3];
        for (place, &pixel) in image.iter().enumerate() {
            let (row, column) = (place / SIDE, place % SIDE);
            let edge = row.min(column).min(SIDE - 1 - row).min(SIDE - 1 - column);
            assert!(pixel == 0 || edge > 0, "digit {at} touches the edge at ({row}, {column})");
            let ink = f64::from(pixel);
            mass = [mass[0] + ink, mass[1] + ink * row as f64, mass[2] + ink * column as f64];
        }
        let off = [mass[1] / mass[0] - 13.5, mass[2] / mass[0] - 13.5];
        assert!(off.iter().all(|off| off.abs() < 3.5), "the centre of digit {at} is off by {off:?}");
    }
}

/// Classification by the nearest class mean, which is 82 % accurate on MNIST.
#[test]
fn class_means_classify_unseen_digits() {
    let digits = Dataset::synthetic(2000, 500).unwrap();
    let (train, test) = (&digits.train, &digits.test);
    let mut means = [[0.0_f64; PIXELS]; 10];
    for (image, &label) in train.images().pixels().chunks_exact(PIXELS).zip(train.labels()) {
        for (mean, &pixel) in means[usize::from(label)].iter_mut().zip(image) {
            *mean += f64::from(pixel) / 200.0;
        }
    }
    let distance = |image: &[u8], class: usize| -> f64 {
        image
            .iter()
            .zip(&means[class])
            .map(|(&pixel, mean)| (f64::from(pixel) - mean) * (f64::from(pixel) - mean))
            .sum()
    };
    let mut right = [0; 10];
    for (image, &label) in test.images().pixels().chunks_exact(PIXELS).zip(test.labels()) {
        let nearest = (0..10).min_by(|&a, &b| distance(image, a).total_cmp(&distance(image, b)));
        right[usize::from(label)] += u32::from(nearest == Some(usize::from(label)));
    }
    assert!(
        right.iter().sum::<u32>() > 425 && right.iter().all(|&right| right > 35),
        "correct of 50 in each class: {right:?}"
    );
}

/// No pixel is on in nearly every digit, so every pixel has some variation to learn.
#[test]
fn digits_vary() {
    let mean = mean_image(digits(0, 2000).unwrap().images());
    let most = mean.iter().fold(0.0_f32, |most, &pixel| most.max(pixel));
    assert!(most < 0.8, "a pixel has mean {most}");
}
