//! Does colour transfer give a photograph the colours of another one, and keep everything else?

use equilibria::rng::Stream;
use equilibria::tensor::Tensor;
use equilibria::transport::colour::{
    ColourImage, ColourLut, ColourMethod, ColourSettings, ColourSpace, ColourTransfer, TransferMeasures,
    measure,
};

/// Noise of this size on an image that `colour` paints from a place (down, right), each 0 to 1.
fn painted(height: usize, width: usize, noise: f32, colour: impl Fn(f32, f32) -> [f32; 3]) -> ColourImage {
    let mut grain = Tensor::<f32>::zeros(&[height * width, 3]);
    grain.fill_uniform(Stream::named(1, "synthetic"));
    let mut values = Vec::with_capacity(height * width * 3);
    for row in 0..height {
        for column in 0..width {
            let place = [row as f32 / height as f32, column as f32 / width as f32];
            let grain = grain.row(row * width + column);
            let colour = colour(place[0], place[1]);
            values.extend((0..3).map(|k| (colour[k] + noise * (grain[k] - 0.5)).clamp(0.0, 1.0)));
        }
    }
    ColourImage::new(height, width, values).unwrap()
}

/// A blue sky above a green sea, with a white cloud.
fn noon(height: usize, width: usize) -> ColourImage {
    painted(height, width, 0.04, |down, right| {
        let cloud = 1.0 - 20.0 * ((down - 0.3).powi(2) + (right - 0.5).powi(2));
        if cloud > 0.0 {
            [0.8 + 0.15 * cloud, 0.8 + 0.15 * cloud, 0.85 + 0.1 * cloud]
        } else if down < 0.6 {
            [0.1 + 0.3 * down, 0.3 + 0.5 * down, 0.7 + 0.2 * down]
        } else {
            [0.05, 0.45 - 0.3 * (down - 0.6) + 0.05 * (40.0 * right).sin(), 0.4]
        }
    })
}

/// A red sky above a dark sea, with a yellow sun.
fn dusk(height: usize, width: usize) -> ColourImage {
    painted(height, width, 0.04, |down, right| {
        let sun = 1.0 - 40.0 * ((down - 0.5).powi(2) + (right - 0.3).powi(2));
        if sun > 0.0 {
            [0.95, 0.8 + 0.1 * sun, 0.3 + 0.4 * sun]
        } else if down < 0.65 {
            [0.4 + 0.8 * down, 0.15 + 0.5 * down, 0.3 - 0.2 * down]
        } else {
            [0.25 + 0.1 * (30.0 * right).sin(), 0.12, 0.2 - 0.2 * (down - 0.65)]
        }
    })
}

fn transferred(source: &ColourImage, target: &ColourImage, settings: &ColourSettings) -> ColourImage {
    let transfer = ColourTransfer::fit(source, target, [None, None], settings).unwrap();
    transfer.apply(source, None).unwrap()
}

/// The largest difference of two images.
fn apart(a: &ColourImage, b: &ColourImage) -> f32 {
    assert_eq!((a.height(), a.width()), (b.height(), b.width()));
    a.values().iter().zip(b.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn mean_difference(a: &ColourImage, b: &ColourImage) -> f32 {
    let sum: f32 = a.values().iter().zip(b.values()).map(|(a, b)| (a - b).abs()).sum();
    sum / a.values().len() as f32
}

fn luma(pixel: &[f32]) -> f32 {
    0.2126 * pixel[0] + 0.7152 * pixel[1] + 0.0722 * pixel[2]
}

#[test]
fn every_method_moves_the_colours_to_the_target_and_ours_is_on_the_pareto_front() {
    let (source, target) = (noon(90, 120), dusk(100, 80));
    let found = ColourMethod::ALL.map(|method| {
        let result = transferred(&source, &target, &ColourSettings::of(method));
        measure(&source, &target, &result).unwrap()
    });
    let [identity, .., exact, entropic, ours] = &found;
    for (method, found) in ColourMethod::ALL.iter().zip(&found).skip(1) {
        let shares =
            [found.sliced_distance / identity.sliced_distance, found.divergence / identity.divergence];
        assert!(shares[0] < 0.5 && shares[1] < 0.3, "{method:?}: {found:?}, not changed: {identity:?}");
        let beats = |a: &TransferMeasures, b: &TransferMeasures| {
            a.sliced_distance <= b.sliced_distance && a.luminance_ssim >= b.luminance_ssim
        };
        assert!(std::ptr::eq(found, ours) || !beats(found, ours), "{method:?} {found:?} beats ours {ours:?}");
    }
    let better = ours.sliced_distance < exact.sliced_distance && ours.divergence < exact.divergence;
    assert!(better && ours.luminance_ssim > exact.luminance_ssim, "ours {ours:?}, the report's {exact:?}");
    assert!(ours.sliced_distance < 0.2 * entropic.sliced_distance, "ours {ours:?}, entropic {entropic:?}");
    assert_eq!(
        (identity.luminance_ssim, identity.gradient_similarity, identity.colours_lost),
        (1.0, 1.0, 0.0)
    );
}

#[test]
fn what_is_brighter_stays_brighter_although_its_hue_is_farther() {
    // By hue alone the darker half of the source would get the colour of the brighter half of the target.
    let halves =
        |first, second| painted(20, 40, 0.02, move |_, right| if right < 0.5 { first } else { second });
    let source = halves([0.25, 0.35, 0.7], [0.85, 0.75, 0.35]);
    let target = halves([0.8, 0.2, 0.15], [0.45, 0.55, 0.75]);
    let (darker, brighter) = (luma(&[0.8, 0.2, 0.15]), luma(&[0.45, 0.55, 0.75]));
    let result = transferred(&source, &target, &ColourSettings::default());
    let mean = |columns: std::ops::Range<usize>| {
        let rows = result.values().chunks_exact(3 * 40);
        let lumas = rows.flat_map(|row| row.chunks_exact(3).take(columns.end).skip(columns.start).map(luma));
        lumas.sum::<f32>() / (20 * columns.len()) as f32
    };
    let found = [mean(0..18), mean(22..40)];
    assert!((found[0] - darker).abs() < 0.02 && (found[1] - brighter).abs() < 0.02, "{found:?}");
}

#[test]
fn details_of_bright_things_survive_a_target_that_ends_in_white() {
    // Fine stripes on a bright field: the filter keeps their size and moves some of them beyond white.
    let source = painted(80, 80, 0.02, |down, right| {
        let stripe = if (40.0 * right).fract() < 0.5 { 0.0 } else { 0.1 };
        [if down < 0.5 { 0.2 } else { 0.7 } + stripe; 3]
    });
    let target = painted(80, 80, 0.02, |down, _| [if down < 0.5 { 0.1 } else { 0.97 }; 3]);
    let result = transferred(&source, &target, &ColourSettings::default());
    let at = |column: usize| {
        let rows = (45..80).map(|row| luma(&result.values()[3 * (row * 80 + column)..][..3]));
        rows.sum::<f32>() / 35.0
    };
    let stripes: Vec<f32> = (10..70).step_by(2).map(|column| at(column + 1) - at(column)).collect();
    let least = stripes.iter().map(|step| step.abs()).fold(1.0, f32::min);
    assert!(least > 0.004, "a stripe of 0.1 becomes one of {least}");
}

#[test]
fn an_image_keeps_its_own_colours() {
    let image = noon(40, 60);
    use ColourMethod::{HistogramMatching, Identity, Linear, MeanVariance, Palette};
    for (method, most) in
        [(Identity, 0.0), (MeanVariance, 1e-5), (Linear, 1e-5), (HistogramMatching, 0.01), (Palette, 1e-6)]
    {
        for space in ColourSpace::ALL {
            let settings = ColourSettings { space: Some(space), ..ColourSettings::of(method) };
            let error = apart(&image, &transferred(&image, &image, &settings));
            assert!(error <= most, "{method:?} in {space:?}: {error}");
        }
    }
}

#[test]
fn the_transfer_back_roughly_restores_the_image() {
    let (source, target) = (noon(60, 80), dusk(60, 80));
    let there = transferred(&source, &target, &ColourSettings::default());
    let back = transferred(&there, &source, &ColourSettings::default());
    let (moved, left) = (mean_difference(&source, &there), mean_difference(&source, &back));
    assert!(left < 0.1 * moved, "moved by {moved}, {left} is left after the way back");
}

#[test]
fn the_linear_map_gives_the_mean_and_covariance_and_the_other_gives_mean_and_variance() {
    // Far from black and white, so that nothing is compressed.
    let paint = |a: f32, b: f32| {
        painted(50, 40, 0.1, move |down, right| {
            [0.5 + a * (down - 0.5), 0.45 + b * (right - 0.5), 0.5 + a * (right - 0.5) - b * (down - 0.5)]
        })
    };
    let (source, target) = (paint(0.2, 0.1), paint(-0.1, 0.25));
    let moments = |image: &ColourImage| {
        let pixels = || image.values().chunks_exact(3).map(|x| [x[0], x[1], x[2]].map(f64::from));
        let count = image.pixels() as f64;
        let mean: [f64; 3] = std::array::from_fn(|k| pixels().map(|x| x[k]).sum::<f64>() / count);
        let covariance: [[f64; 3]; 3] = std::array::from_fn(|k| {
            std::array::from_fn(|l| {
                pixels().map(|x| (x[k] - mean[k]) * (x[l] - mean[l])).sum::<f64>() / count
            })
        });
        (mean, covariance)
    };
    let (mean, covariance) = moments(&target);
    for method in [ColourMethod::Linear, ColourMethod::MeanVariance] {
        let settings = ColourSettings { space: Some(ColourSpace::Srgb), ..ColourSettings::of(method) };
        let (found_mean, found) = moments(&transferred(&source, &target, &settings));
        for k in 0..3 {
            assert!((mean[k] - found_mean[k]).abs() < 1e-6, "{method:?}: {found_mean:?}, not {mean:?}");
            for l in 0..3 {
                let error = (covariance[k][l] - found[k][l]).abs();
                let counts = method == ColourMethod::Linear || k == l;
                assert!(!counts || error < 1e-6, "{method:?}: {found:?}, not {covariance:?}");
            }
        }
    }
}

#[test]
fn a_look_up_table_is_the_map_within_one_step_of_8_bits() {
    let (source, target) = (noon(60, 80), dusk(60, 80));
    // Any colours, which the map only extends to.
    let any = painted(20, 20, 1.0, |_, _| [0.5; 3]);
    let half = ColourSettings { strength: 0.5, ..ColourSettings::default() };
    for settings in [ColourSettings::default(), half] {
        let settings = ColourSettings { filter: false, ..settings };
        let transfer = ColourTransfer::fit(&source, &target, [None, None], &settings).unwrap();
        let table = ColourLut::from_cube(&transfer.lut(33).unwrap().to_cube("dusk")).unwrap();
        for image in [&source, &any] {
            let error = 255.0 * apart(&table.apply(image), &transfer.apply(image, None).unwrap());
            assert!(error <= 1.0, "{settings:?}: {error} steps");
        }
    }
    let transfer = |method| ColourTransfer::fit(&source, &target, [None, None], &ColourSettings::of(method));
    let error = transfer(ColourMethod::ReportExact).unwrap().lut(33).unwrap_err().to_string();
    assert_eq!(
        error,
        "a look-up table of method report-exact: its map is not smooth; choose palette, linear or mean-variance"
    );
}

#[test]
fn cube_files_are_read_as_they_were_written_and_faults_name_their_line() {
    let wavy = |colour: [f32; 3]| [colour[0] * colour[1], 0.1 + 0.8 * colour[2], 1.0 - colour[0] / 3.0];
    let table = ColourLut::from_fn(5, wavy).unwrap();
    let text = table.to_cube("a \"quoted\"\nname");
    assert!(text.starts_with("TITLE \"a quotedname\"\nLUT_3D_SIZE 5\n"), "{text}");
    assert_eq!(ColourLut::from_cube(&text).unwrap(), table);
    let comments = format!("# made by hand\r\n\n{}", text.replace('\n', "\r\n"));
    assert_eq!(ColourLut::from_cube(&comments).unwrap(), table);
    // Affine maps are exact between nodes.
    let affine =
        |c: [f32; 3]| [0.5 * c[0] + 0.2 * c[1], 0.9 - 0.4 * c[2], 0.3 * c[0] + 0.3 * c[1] + 0.3 * c[2]];
    let table = ColourLut::from_fn(4, affine).unwrap();
    for code in 0..216 {
        let colour = [code / 36, code / 6 % 6, code % 6].map(|x| x as f32 / 5.0);
        let error =
            table.at(colour).iter().zip(affine(colour)).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        assert!(error < 1e-6, "{colour:?}: {error}");
    }
    let eight = "0 0 0\n".repeat(8);
    for (text, wrong) in [
        ("".into(), "cube file, line 0: at byte 0: the file ends without LUT_3D_SIZE"),
        (format!("LUT_1D_SIZE 4\n{eight}"), "line 1: at byte 0: a table for each channel"),
        (format!("LUT_3D_SIZE 1\n{eight}"), "line 1: at byte 0: LUT_3D_SIZE needs a number from 2 to 256"),
        (format!("LUT_3D_SIZE 2\nLUT_3D_SIZE 2\n{eight}"), "line 2: at byte 14: a second LUT_3D_SIZE"),
        (eight.clone(), "line 1: at byte 0: colours before LUT_3D_SIZE"),
        (format!("LUT_3D_SIZE 2\n{eight}0 0 0\n"), "line 10: at byte 62: more than the 8 colours of size 2"),
        ("LUT_3D_SIZE 2\n0 0 0\n".into(), "line 2: at byte 20: the file ends after 1 of 8 colours"),
        (format!("LUT_3D_SIZE 2\n0 NaN 0\n{eight}"), "line 2: at byte 14: '0' is neither a keyword nor"),
        (format!("LUT_3D_SIZE 2\n0 0\n{eight}"), "line 2: at byte 14: '0' is neither a keyword nor"),
        (format!("DOMAIN_MAX 2 2 2\nLUT_3D_SIZE 2\n{eight}"), "line 1: at byte 0: DOMAIN_MAX must be 1 1 1"),
    ] {
        let error = ColourLut::from_cube(&text).unwrap_err().to_string();
        assert!(error.contains(wrong), "{text:?}: {error}");
    }
}

#[test]
fn tiny_and_uniform_images_have_a_result() {
    let uniform = |height, width, colour: [f32; 3]| painted(height, width, 0.0, move |_, _| colour);
    let (grey, red, photograph) = (uniform(3, 4, [0.4; 3]), uniform(1, 1, [0.8, 0.2, 0.1]), dusk(30, 20));
    let (black, white) = (uniform(2, 2, [0.0; 3]), uniform(5, 1, [1.0; 3]));
    let images = [&grey, &red, &photograph, &black, &white];
    for method in ColourMethod::ALL {
        for source in images {
            for target in [&red, &photograph] {
                let settings = ColourSettings { samples: 50, ..ColourSettings::of(method) };
                let result = transferred(source, target, &settings);
                // `new` checks all values.
                let (height, width) = (result.height(), result.width());
                ColourImage::new(height, width, result.into_values()).unwrap();
            }
        }
        if method != ColourMethod::Identity {
            let result = transferred(&grey, &red, &ColourSettings::of(method));
            let error = apart(&result, &uniform(3, 4, [0.8, 0.2, 0.1]));
            assert!(error < 0.02, "{method:?}: grey becomes {:?}", &result.values()[..3]);
        }
    }
}

#[test]
fn frames_stay_as_they_are_and_do_not_count_as_colours() {
    let (source, target) = (noon(50, 60), dusk(40, 40));
    let framed = |image: &ColourImage, colour: f32, (down, right): (usize, usize)| {
        let (height, width) = (image.height() + 2 * down, image.width() + 2 * right);
        let mut values = vec![colour; height * width * 3];
        for row in 0..image.height() {
            let at = 3 * ((row + down) * width + right);
            let length = 3 * image.width();
            values[at..at + length].copy_from_slice(&image.values()[row * length..][..length]);
        }
        ColourImage::new(height, width, values).unwrap()
    };
    let plain = transferred(&source, &target, &ColourSettings::default());
    for (colour, border) in [(1.0, (7, 5)), (0.0, (9, 0)), (0.995, (0, 4))] {
        let result = transferred(
            &framed(&source, colour, border),
            &framed(&target, 1.0 - colour, border),
            &ColourSettings::default(),
        );
        let error = apart(&result, &framed(&plain, colour, border));
        assert!(error < 1e-6, "a frame of {colour}, {border:?}: {error}");
    }
}

#[test]
fn black_and_white_are_not_washed_out() {
    let ramp = painted(40, 256, 0.0, |_, right| [right; 3]);
    let colourful =
        painted(64, 64, 0.0, |down, right| [right * right, right, right.sqrt() * (1.0 - 0.2 * down)]);
    let result = transferred(&ramp, &colourful, &ColourSettings::default());
    let lumas = |image: &ColourImage| {
        let all = image.values().chunks_exact(3).map(luma);
        (all.clone().fold(1.0, f32::min), all.fold(0.0, f32::max))
    };
    let ((darkest, brightest), (black, white)) = (lumas(&result), lumas(&colourful));
    assert!(
        (darkest - black).abs() < 0.03 && (brightest - white).abs() < 0.03,
        "{darkest} to {brightest}, not {black} to {white}"
    );
}

#[test]
fn strength_goes_from_the_source_to_the_full_transfer() {
    let (source, target) = (noon(40, 50), dusk(40, 50));
    let with =
        |strength| transferred(&source, &target, &ColourSettings { strength, ..ColourSettings::default() });
    let (none, half, full) = (with(0.0), with(0.5), with(1.0));
    assert_eq!(none, source);
    let ends = source.values().iter().zip(full.values());
    for ((from, to), half) in ends.zip(half.values()) {
        assert!((half - 0.5 * (from + to)).abs() < 1e-6, "{half} between {from} and {to}");
    }
    assert!(mean_difference(&source, &full) > 0.1);
}

#[test]
fn the_luma_lock_keeps_the_luma_of_every_pixel() {
    let (source, target) = (noon(40, 50), dusk(40, 50));
    for method in [ColourMethod::Linear, ColourMethod::Palette, ColourMethod::Iterative] {
        let settings = ColourSettings { keep_luminance: true, ..ColourSettings::of(method) };
        let result = transferred(&source, &target, &settings);
        for (from, to) in source.values().chunks_exact(3).zip(result.values().chunks_exact(3)) {
            assert!((luma(from) - luma(to)).abs() < 1e-5, "{method:?}: {from:?} becomes {to:?}");
        }
        assert!(mean_difference(&source, &result) > 0.05, "{method:?} changes nothing");
    }
}

#[test]
fn a_mask_and_weights_select_pixels() {
    let (source, target) = (noon(40, 50), dusk(40, 50));
    let transfer = ColourTransfer::fit(&source, &target, [None, None], &ColourSettings::default()).unwrap();
    let mask: Vec<f32> = (0..2000).map(|i| if i % 50 < 20 { 0.0 } else { 1.0 }).collect();
    let (all, masked) =
        (transfer.apply(&source, None).unwrap(), transfer.apply(&source, Some(&mask)).unwrap());
    for (i, (found, share)) in masked.values().chunks_exact(3).zip(&mask).enumerate() {
        let right = if *share == 0.0 { &source } else { &all };
        assert_eq!(found, &right.values()[3 * i..][..3], "pixel {i}");
    }
    // Weights of 0 are the same as other pixels that are not there.
    let half = ColourImage::new(20, 50, target.values()[..3000].to_vec()).unwrap();
    let weights: Vec<f32> = (0..2000).map(|i| if i < 1000 { 0.5 } else { 0.0 }).collect();
    for method in [ColourMethod::Linear, ColourMethod::Palette] {
        let settings = ColourSettings::of(method);
        let fit = |target, weights| ColourTransfer::fit(&source, target, [None, weights], &settings).unwrap();
        let weighted = fit(&target, Some(&weights[..])).apply(&source, None).unwrap();
        let cut = fit(&half, None).apply(&source, None).unwrap();
        assert!(apart(&weighted, &cut) < 1e-4, "{method:?}: {}", apart(&weighted, &cut));
    }
}

#[test]
fn relaxed_masses_do_not_paint_the_sky_with_a_small_patch() {
    // Half of the source is sky. The target has little sky and much meadow, which is what balanced transport has to use.
    let (sky, meadow) = ([0.3, 0.5, 0.9], [0.3, 0.6, 0.2]);
    let source = painted(40, 40, 0.05, |down, _| if down < 0.5 { sky } else { meadow });
    let target =
        painted(40, 40, 0.05, |down, _| if down < 0.1 { [0.3, 0.45, 0.85] } else { [0.35, 0.6, 0.15] });
    let blue = |mass_relaxation| {
        let result =
            transferred(&source, &target, &ColourSettings { mass_relaxation, ..ColourSettings::default() });
        let sky = result.values()[..3 * 800].chunks_exact(3);
        sky.map(|x| x[2]).sum::<f32>() / 800.0
    };
    let (balanced, relaxed) = (blue(None), blue(Some(0.02)));
    assert!(balanced < 0.5 && relaxed > 0.75, "the blue of the sky: {balanced} balanced, {relaxed} relaxed");
}

#[test]
fn results_are_the_same_bits_for_every_number_of_threads() {
    // More than one part of a sum.
    let (large, source, target) = (noon(1500, 1500), noon(60, 50), dusk(50, 60));
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut results: Vec<Vec<f32>> = ColourMethod::ALL
                .map(|method| transferred(&source, &target, &ColourSettings::of(method)).into_values())
                .into();
            results
                .push(transferred(&large, &target, &ColourSettings::of(ColourMethod::Linear)).into_values());
            let transfer =
                ColourTransfer::fit(&target, &large, [None, None], &ColourSettings::default()).unwrap();
            results.push(transfer.apply(&source, None).unwrap().into_values());
            results
        })
    };
    let one = with(1);
    for threads in [2, 7] {
        let others = with(threads);
        let differ: Vec<_> = (0..one.len()).filter(|&i| one[i] != others[i]).collect();
        assert!(differ.is_empty(), "results {differ:?} differ with {threads} threads");
    }
}

#[test]
fn flows_are_a_plan_between_both_palettes() {
    let (source, target) = (noon(40, 50), dusk(40, 50));
    let transfer =
        ColourTransfer::fit(&source, &target, [None, None], &ColourSettings::of(ColourMethod::Identity));
    let found = transfer.unwrap().flows(12).unwrap();
    assert!(found.source.len() == 12 && found.target.len() == 12, "{found:?}");
    let (mut from, mut to) = (vec![0.0; 12], vec![0.0; 12]);
    for flow in &found.flows {
        from[flow.row as usize] += flow.mass;
        to[flow.column as usize] += flow.mass;
    }
    for (palette, sums) in [(&found.source, from), (&found.target, to)] {
        assert!(palette.windows(2).all(|pair| pair[0].mass >= pair[1].mass));
        for (colour, sum) in palette.iter().zip(sums) {
            assert!((colour.mass - sum).abs() < 1e-9, "{colour:?} has the sum {sum}");
        }
    }
}

#[test]
fn grain_is_not_amplified_where_the_map_is_steep() {
    // The target has eight times the contrast of the source.
    let ramp =
        |low: f32, high: f32, noise| painted(60, 120, noise, move |_, right| [low + (high - low) * right; 3]);
    let (source, target) = (ramp(0.45, 0.55, 0.01), ramp(0.1, 0.9, 0.0));
    // Differences of neighbours along a column, where the ramp is level.
    let grain = |image: &ColourImage| {
        let lumas: Vec<f32> = image.values().chunks_exact(3).map(luma).collect();
        let steps = (0..lumas.len() - 120).map(|i| (lumas[i + 120] - lumas[i]).abs());
        steps.sum::<f32>() / (lumas.len() - 120) as f32
    };
    let with = |settings: &ColourSettings| grain(&transferred(&source, &target, settings)) / grain(&source);
    let filtered = with(&ColourSettings::default());
    let plain = with(&ColourSettings { filter: false, ..ColourSettings::default() });
    let regrained = with(&ColourSettings::of(ColourMethod::Iterative));
    assert!(plain > 4.0, "the map amplifies grain by {plain}");
    assert!(filtered < 0.6 * plain, "{filtered} filtered, {plain} without the filter");
    assert!(regrained < 0.6 * plain, "{regrained} regrained, {plain} without");
}

#[test]
fn the_border_of_an_image_changes_as_its_middle_does() {
    let source = painted(60, 70, 0.0, |down, _| [0.2 + 0.3 * down, 0.4 + 0.2 * down, 0.6 - 0.2 * down]);
    let target = painted(60, 70, 0.0, |down, _| [0.8 - 0.3 * down, 0.3, 0.1 + 0.4 * down * down]);
    let result = transferred(&source, &target, &ColourSettings::default());
    for row in result.values().chunks_exact(3 * 70) {
        for pixel in row.chunks_exact(3) {
            let error = pixel.iter().zip(&row[3 * 35..]).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(error < 1e-4, "{pixel:?} in a row with {:?} in the middle", &row[105..108]);
        }
    }
}

#[test]
fn measures_have_known_values() {
    let uniform = |colour: [f32; 3]| painted(20, 20, 0.0, move |_, _| colour);
    let (dark, bright) = (uniform([0.3; 3]), uniform([0.3, 0.3, 0.6]));
    let found = measure(&dark, &bright, &dark).unwrap();
    // A shift by t along random directions: |t| / sqrt(3) with an error of the choice of 32 of them.
    assert!((found.sliced_distance - 0.3 / 3.0_f64.sqrt()).abs() < 0.03, "{found:?}");
    assert!((found.divergence - 0.09).abs() < 1e-4, "{found:?}");
    // A ramp of one step a row, or a column, against one colour.
    let level = uniform([0.5; 3]);
    let tilted = [painted(20, 20, 0.0, |down, _| [down; 3]), painted(20, 20, 0.0, |_, right| [right; 3])];
    for tilted in tilted {
        let similarity = |length: f64| 0.0026 / (length * length + 0.0026);
        let right = 0.9 * similarity(0.1) + 0.1 * similarity(0.05);
        let found = measure(&tilted, &level, &level).unwrap().gradient_similarity;
        assert!((found - right).abs() < 1e-6, "{found}, not {right}");
    }
    let ramp = painted(4, 256, 0.0, |_, right| [right; 3]);
    let bands = painted(4, 256, 0.0, |_, right| [(right * 16.0).floor() / 16.0; 3]);
    let found = measure(&ramp, &ramp, &bands).unwrap();
    assert!(
        (found.colours_lost - (1.0 - 16.0 / 256.0)).abs() < 0.01 && found.luminance_ssim < 0.9,
        "{found:?}"
    );
}

#[test]
fn wrong_arguments_are_one_sentence() {
    let image = noon(4, 5);
    let error = |result: equilibria::Result<ColourImage>| result.unwrap_err().to_string();
    assert_eq!(
        error(ColourImage::new(0, 5, vec![])),
        "an image of 0x5 pixels: at least 1 pixel is needed, and no more than can be addressed"
    );
    assert_eq!(
        error(ColourImage::new(1, 2, vec![0.0, 0.5, 1.0, 0.0, f32::NAN, 0.0])),
        "value NaN in row 0, column 1 of an image: the values of a colour are between 0 and 1"
    );
    assert!(error(ColourImage::new(2, 2, vec![0.5; 11])).contains("expected shape (2, 2, 3), found (11)"));
    let fit = |settings: ColourSettings, weights: Option<&[f32]>| {
        ColourTransfer::fit(&image, &image, [weights, None], &settings).unwrap_err().to_string()
    };
    let default = ColourSettings::default();
    for (settings, right) in [
        (ColourSettings { strength: 1.5, ..default }, "strength 1.5: a strength is between 0 and 1"),
        (ColourSettings { samples: 0, ..default }, "0 sampled pixels: between 1 and 100000 are needed"),
        (
            ColourSettings { epsilon: Some(0.0), ..default },
            "epsilon 0: it is a positive finite number in squared units of the colour space",
        ),
        (
            ColourSettings { mass_relaxation: Some(f64::NAN), ..default },
            "mass relaxation NaN: it is a positive finite number in squared units of the colour space",
        ),
    ] {
        assert_eq!(fit(settings, None), right);
    }
    assert!(fit(default, Some(&[1.0; 19])).contains("expected shape (4, 5), found (19)"));
    let negative = "weights of the source -1: it is a finite number of at least 0";
    assert_eq!(fit(default, Some(&[-1.0; 20])), negative);
    let empty = "weights of the source with a sum of 0: at least 1 pixel with a positive weight is needed";
    assert_eq!(fit(default, Some(&[0.0; 20])), empty);
    let transfer = ColourTransfer::fit(&image, &image, [None, None], &default).unwrap();
    assert_eq!(error(transfer.apply(&image, Some(&[2.0; 20]))), "mask value 2: it is between 0 and 1");
    assert!(measure(&image, &image, &noon(5, 4)).is_err());
    let wrong =
        "a look-up table of size 1 with 0 colours: a size from 2 to 256 and its cube of colours are needed";
    assert_eq!(transfer.lut(1).unwrap_err().to_string(), wrong);
    assert!(transfer.flows(0).is_err());
}
