//! Synthetic cats.

use equilibria::data::{Dataset, cats};
use std::collections::HashSet;

#[test]
fn an_index_always_gives_the_same_cat_in_any_set() {
    let set = cats::cats(0, 40, cats::SIDE).unwrap();
    let later = cats::cats(30, 10, cats::SIDE).unwrap();
    assert_eq!(set.images().shape(), [32, 32, 3]);
    for index in 0..10 {
        assert_eq!(later.images().image(index), set.images().image(30 + index), "cat {}", 30 + index);
    }
}

#[test]
fn training_and_test_cats_differ_and_all_are_of_one_class() {
    let digits = Dataset::cats(300, 100, 16).unwrap();
    let all: HashSet<&[u8]> = [&digits.train, &digits.test]
        .iter()
        .flat_map(|set| (0..set.len()).map(|index| set.images().image(index)))
        .collect();
    assert_eq!(all.len(), 400, "some cats are equal");
    assert!(digits.train.labels().iter().chain(digits.test.labels()).all(|&label| label == 0));
}

/// A cat of twice the size is the same cat: the means of four pixels are close to the pixels of the smaller one.
#[test]
fn a_cat_looks_the_same_in_every_size() {
    for index in 0..40 {
        let [mut small, mut large] = [vec![0; 32 * 32 * 3], vec![0; 64 * 64 * 3]];
        cats::cat(index, 32, &mut small);
        cats::cat(index, 64, &mut large);
        let mean = |row: usize, column: usize, part: usize| {
            let at = |down, right| f64::from(large[((2 * row + down) * 64 + 2 * column + right) * 3 + part]);
            (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4.0
        };
        let mut sum = 0.0;
        for (place, &value) in small.iter().enumerate() {
            let found = mean(place / 96, place / 3 % 32, place % 3);
            sum += (found - f64::from(value)).abs();
        }
        let mean = sum / small.len() as f64;
        assert!(mean < 2.0, "cat {index} differs by {mean} of 255 on average");
    }
}

/// Every pixel varies, in every colour, and so do brightness and colour of whole images.
#[test]
fn cats_vary_in_place_and_in_colour() {
    let set = cats::cats(0, 400, 16).unwrap();
    let size = set.images().values_per_image();
    let deviation = |values: &mut dyn Iterator<Item = f64>| {
        let values: Vec<f64> = values.collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / values.len() as f64).sqrt()
    };
    let images = || (0..set.len()).map(|index| set.images().image(index));
    for place in 0..size {
        let found = deviation(&mut images().map(|image| f64::from(image[place])));
        assert!(found > 25.0, "value {place} has a standard deviation of {found}");
    }
    let part = |image: &[u8], part: usize| {
        image.iter().skip(part).step_by(3).map(|&value| f64::from(value)).sum::<f64>() * 3.0 / size as f64
    };
    let brightness = deviation(&mut images().map(|image| part(image, 1)));
    let warmth = deviation(&mut images().map(|image| part(image, 0) - part(image, 2)));
    assert!(brightness > 20.0 && warmth > 15.0, "brightness {brightness}, red minus blue {warmth}");
}

#[test]
fn the_source_draws_the_default_number_in_the_given_size() {
    let few = Dataset::load_any("cats:16", Some("cat"), Some(5)).unwrap();
    assert_eq!((few.name.as_str(), few.train.len(), few.test.len()), ("cats", 5, 1000));
    assert_eq!(few.train.images().shape(), [16, 16, 3]);
    for (source, class, images, words) in [
        ("cats:7", None, None, "cats of 7x7 pixels: 8 to 512 pixels can be drawn"),
        ("cats:513", None, None, "8 to 512"),
        ("cats:16", None, Some(0), "--images 0: at least 1 training image is needed"),
        ("cats:16", Some("dog"), Some(5), "--class dog: the classes of cats are cat"),
        ("synthetic", Some("10"), Some(5), "the classes of synthetic are 0, 1, 2, 3"),
    ] {
        let text = Dataset::load_any(source, class, images).unwrap_err().to_string();
        assert!(text.contains(words), "{text}");
    }
    let text = Dataset::load("cats:16", Some(5)).unwrap_err().to_string();
    assert!(text.contains("colour images (cats): this model is for grey images"), "{text}");
    let sevens = Dataset::load_any("synthetic", Some("7"), Some(30)).unwrap();
    assert!(sevens.train.labels() == [7; 30] && sevens.test.labels().iter().all(|&label| label == 7));
}

#[test]
fn a_size_without_pixels_or_a_number_beyond_memory_is_refused() {
    for (count, side) in [(0, 32), (1, 0), (1, usize::MAX), (usize::MAX, 32), (usize::MAX / 3072, 32)] {
        assert!(cats::cats(0, count, side).is_err(), "{count} of {side}");
    }
}
