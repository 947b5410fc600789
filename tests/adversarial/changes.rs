//! Are images changed as published, the same for real and generated ones, and is the backward pass the transpose?

use crate::normals;
use equilibria::adversarial::Augmentation;
use equilibria::nn::Shape;
use equilibria::rng::Stream;
use std::collections::BTreeSet;

const NONE: Augmentation = Augmentation { translation: false, cutout: false, colour: false };

fn stream() -> Stream {
    Stream::named(1, "augmentation")
}

fn image(height: usize, width: usize, channels: usize) -> Shape {
    Shape { height, width, channels }
}

fn changed(augmentation: Augmentation, shape: Shape, images: &[f64]) -> Vec<f64> {
    let mut images = images.to_vec();
    augmentation.apply(shape, stream(), &mut images);
    images
}

#[test]
fn is_the_backward_pass_the_transpose_of_the_linear_part() {
    for shape in [image(8, 8, 3), image(9, 5, 1), image(1, 7, 3), image(32, 16, 3)] {
        for bits in 1..8 {
            let augmentation =
                Augmentation { translation: bits & 1 > 0, cutout: bits & 2 > 0, colour: bits & 4 > 0 };
            let count = 11 * shape.size();
            let (x, y) = (normals::<f64>(count, 1), normals::<f64>(count, 2));
            let (moved, origin) =
                (changed(augmentation, shape, &x), changed(augmentation, shape, &vec![0.0; count]));
            let mut back = y.clone();
            augmentation.backward(shape, stream(), &mut back);
            // Image by image, so that an image with the numbers of another one shows.
            for i in 0..11 {
                let part = i * shape.size()..(i + 1) * shape.size();
                let forward: f64 = part.clone().map(|j| (moved[j] - origin[j]) * y[j]).sum();
                let backward: f64 = part.map(|j| x[j] * back[j]).sum();
                assert!(
                    (forward - backward).abs() < 1e-10,
                    "{shape}, {augmentation:?}: {forward}, {backward}"
                );
            }
        }
    }
}

#[test]
fn are_images_moved_by_up_to_an_eighth_with_zeros_coming_in() {
    let (shape, images) = (image(16, 24, 2), 400);
    let x = normals::<f64>(images * shape.size(), 3);
    let moved = changed(Augmentation { translation: true, ..NONE }, shape, &x);
    let at = |image: &[f64], row: i64, column: i64, channel: usize| {
        let inside = (0..16).contains(&row) && (0..24).contains(&column);
        if inside { image[((row * 24 + column) * 2) as usize + channel] } else { 0.0 }
    };
    let mut shifts = BTreeSet::new();
    for (x, moved) in x.chunks(shape.size()).zip(moved.chunks(shape.size())) {
        let is_moved_by = |down: i64, right: i64| {
            let mut places = (0..16).flat_map(|row| (0..24).map(move |column| (row, column)));
            places.all(|(row, column)| {
                (0..2).all(|channel| {
                    at(moved, row, column, channel) == at(x, row - down, column - right, channel)
                })
            })
        };
        let all = (-3..=3).flat_map(|down| (-4..=4).map(move |right| (down, right)));
        let found: Vec<_> = all.filter(|&(down, right)| is_moved_by(down, right)).collect();
        assert_eq!(found.len(), 1);
        shifts.insert(found[0]);
    }
    let all: BTreeSet<_> = (-2..=2).flat_map(|down| (-3..=3).map(move |right| (down, right))).collect();
    assert_eq!(shifts, all);
}

#[test]
fn is_a_rectangle_of_half_the_sides_cut_out_anywhere() {
    for (height, width) in [(8, 12), (9, 7)] {
        let (shape, images) = (image(height, width, 3), 2000);
        let cut = changed(Augmentation { cutout: true, ..NONE }, shape, &vec![1.0; images * shape.size()]);
        let half = |side: usize| side.div_ceil(2);
        let (mut tops, mut sizes) = (BTreeSet::new(), BTreeSet::new());
        for image in cut.chunks(shape.size()) {
            let is_cut = |row: usize, column: usize| {
                let pixel = &image[(row * width + column) * 3..][..3];
                assert!(pixel.iter().all(|x| *x == pixel[0]));
                pixel[0] == 0.0
            };
            let rows: Vec<usize> =
                (0..height).filter(|&row| (0..width).any(|column| is_cut(row, column))).collect();
            let columns: Vec<usize> =
                (0..width).filter(|&column| (0..height).any(|row| is_cut(row, column))).collect();
            let area = (0..height * width).filter(|i| is_cut(i / width, i % width)).count();
            assert_eq!(area, rows.len() * columns.len(), "not a rectangle");
            tops.insert(rows[0]);
            sizes.insert((rows.len(), columns.len()));
        }
        // At the edge, at least half of the rectangle is inside.
        let smallest = |side: usize| half(side) / 2;
        let (first, last) = (sizes.first().unwrap(), sizes.last().unwrap());
        assert!(first.0 >= smallest(height) && last.0 == half(height), "{sizes:?}");
        assert!(
            sizes.iter().any(|size| size.1 == half(width))
                && sizes.iter().all(|size| size.1 >= smallest(width))
        );
        let last = height - smallest(height).max(half(height) - half(height) / 2);
        assert!(tops.contains(&0) && tops.iter().all(|&top| top <= last.max(height - 1)), "{tops:?}");
    }
}

#[test]
fn do_changes_of_colour_keep_what_they_should() {
    let (shape, images) = (image(4, 4, 3), 2000);
    let x = normals::<f64>(images * shape.size(), 4);
    let changed = changed(Augmentation { colour: true, ..NONE }, shape, &x);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mut bright, mut saturation, mut contrast) = (Vec::new(), Vec::new(), Vec::new());
    for (x, y) in x.chunks(48).zip(changed.chunks(48)) {
        bright.push(mean(y) - mean(x));
        // Grey levels of pixels around the mean are scaled by the contrast, differences of channels also by saturation.
        let grey = |image: &[f64], pixel: usize| mean(&image[pixel * 3..pixel * 3 + 3]) - mean(image);
        let c = grey(y, 5) / grey(x, 5);
        let s = (y[15] - y[16]) / (x[15] - x[16]) / c;
        for pixel in 0..16 {
            assert!((grey(y, pixel) - c * grey(x, pixel)).abs() < 1e-9);
            let differences = [0, 1].map(|channel| {
                let at = |image: &[f64]| image[pixel * 3 + channel] - image[pixel * 3 + channel + 1];
                (at(y) - s * c * at(x)).abs()
            });
            assert!(differences.iter().all(|difference| *difference < 1e-9), "{differences:?}");
        }
        saturation.push(s);
        contrast.push(c);
    }
    for (values, low, high) in [(bright, -0.5, 0.5), (saturation, 0.0, 2.0), (contrast, 0.5, 1.5)] {
        let [least, most] = [f64::min, f64::max].map(|of| values.iter().copied().fold(values[0], of));
        let width = high - low;
        assert!(least >= low - 1e-9 && least < low + 0.01 * width, "{least}");
        assert!(most <= high + 1e-9 && most > high - 0.01 * width, "{most}");
        assert!((mean(&values) - (low + high) / 2.0).abs() < 0.03 * width);
    }
}

#[test]
fn do_changes_depend_only_on_the_stream_and_the_place_in_the_batch() {
    let shape = image(8, 8, 3);
    let x = normals::<f64>(9 * shape.size(), 5);
    let all = Augmentation { translation: true, cutout: true, colour: true };
    let whole = changed(all, shape, &x);
    assert_eq!(changed(all, shape, &x[..2 * shape.size()]), whole[..2 * shape.size()]);
    assert_eq!(changed(NONE, shape, &x), x);
    let mut other = x.clone();
    all.apply(shape, stream().substream(1), &mut other);
    assert_ne!(other, whole);
    // The same changes of images in f32.
    let mut single: Vec<f32> = x.iter().map(|x| *x as f32).collect();
    all.apply(shape, stream(), &mut single);
    assert!(single.iter().zip(&whole).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5));
}
