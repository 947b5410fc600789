//! Does `equilibria transport colours` write the pictures that its options promise, and refuse the rest in one sentence?

use super::{Outcome, equilibria, snapshot};
use equilibria::data::photograph::Photograph;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn colours(folder: &Path, arguments: &str) -> Outcome {
    equilibria(folder, &format!("transport colours {arguments} --quiet"))
}

#[track_caller]
fn summary(folder: &Path, arguments: &str) -> Value {
    colours(folder, &format!("{arguments} --json")).succeeded().json()
}

/// Fails with one line that has `words`, and leaves the folder as it is.
#[track_caller]
fn refused(folder: &Path, arguments: &str, words: &str) {
    let before = snapshot(folder);
    let outcome = colours(folder, arguments);
    assert!(outcome.is_refused() && outcome.stdout.is_empty(), "{arguments}: {outcome:?}");
    assert!(
        outcome.stderr.contains(words) && outcome.stderr.lines().count() == 1,
        "{arguments}: {outcome:?}"
    );
    assert!(snapshot(folder) == before, "{arguments} changed a file");
}

/// Writes a PNG file.
fn write(path: &Path, [height, width]: [u32; 2], color: png::ColorType, depth: png::BitDepth, values: &[u8]) {
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    encoder.write_header().unwrap().write_image_data(values).unwrap();
}

/// A picture of 24 by 32 pixels around a colour, with gradients to the right and down.
fn gradients(path: &Path, colour: [i32; 3]) {
    let pixels = (0..24 * 32).flat_map(|i| {
        let (row, column) = (i / 32, i % 32);
        [colour[0] + 2 * column, colour[1] + 2 * row, colour[2] + row - column]
            .map(|part| part.clamp(0, 255) as u8)
    });
    write(path, [24, 32], png::ColorType::Rgb, png::BitDepth::Eight, &pixels.collect::<Vec<u8>>());
}

/// A folder with a bluish and a reddish picture.
fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    gradients(&folder.path().join("blue.png"), [40, 80, 180]);
    gradients(&folder.path().join("red.png"), [170, 60, 50]);
    folder
}

fn read(path: &Path) -> Photograph {
    Photograph::read(path).unwrap()
}

fn mean(photograph: &Photograph, part: usize) -> f32 {
    let values = photograph.colours().iter().skip(part).step_by(3);
    values.clone().sum::<f32>() / values.count() as f32
}

/// The largest difference of two photographs of one size.
fn difference(first: &Photograph, second: &Photograph) -> f32 {
    assert_eq!(first.size(), second.size());
    first.colours().iter().zip(second.colours()).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

#[test]
fn both_pictures_get_the_colours_of_the_other_and_the_summary_has_the_measures() {
    let folder = files();
    let at = |name: &str| folder.path().join(name);
    let found = summary(folder.path(), "blue.png red.png --both --out made");
    for (file, other) in [("made/result.png", "red.png"), ("made/back.png", "blue.png")] {
        for part in 0..3 {
            let (is, wanted) = (mean(&read(&at(file)), part), mean(&read(&at(other)), part));
            assert!((is - wanted).abs() < 0.03, "{file}, part {part}: {is}, {wanted}");
        }
    }
    let written: Value = serde_json::from_str(&fs::read_to_string(at("made/summary.json")).unwrap()).unwrap();
    // The file also tells where it comes from.
    for key in ["result", "back", "before", "files"] {
        assert_eq!(written[key], found[key], "{key}");
    }
    assert_eq!(found["pixels"], serde_json::json!([[24, 32], [24, 32]]));
    let distance = |of: &Value| of["sliced_distance"].as_f64().unwrap();
    assert!(distance(&found["result"]["measures"]) < 0.2 * distance(&found["before"]), "{found}");
    assert_eq!(found["result"]["method"], "palette");
    let files: Vec<&str> =
        found["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert_eq!(files, ["made/result.png", "made/back.png", "made/summary.json"]);
    // The same bytes again, over the files that the program wrote itself.
    let before = fs::read(at("made/result.png")).unwrap();
    let text = colours(folder.path(), "blue.png red.png --both --out made --threads 1").succeeded().stdout;
    assert!(text.contains("sliced W2") && text.contains("wrote made/result.png"), "{text}");
    assert!(fs::read(at("made/result.png")).unwrap() == before);
}

#[test]
fn options_do_what_they_say() {
    let folder = files();
    let at = |name: &str| folder.path().join(name);
    let blue = read(&at("blue.png"));
    let result = |options: &str| {
        summary(folder.path(), &format!("blue.png red.png {options}"));
        read(&at("out/result.png"))
    };
    let full = result("");
    assert!(difference(&result("--strength 0"), &blue) < 1e-6);
    assert!(difference(&result("--method identity"), &blue) < 1e-6);
    let half = result("--strength 0.5");
    assert!(difference(&half, &blue) > 0.05 && difference(&half, &full) > 0.05);
    let lightness = |of: &Photograph| of.to_mask();
    let kept = result("--keep-luminance");
    let off = lightness(&kept).iter().zip(lightness(&blue)).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
    assert!(off < 0.02, "{off}");
    for options in [
        "--method linear --space srgb",
        "--method mean-variance --space linear",
        "--method report-exact --samples 50 --seed 2",
        "--method report-entropic --epsilon 0.05 --samples 60",
        "--method histogram-matching",
        "--method iterative",
        "--mass-relaxation 0.5 --space oklab",
    ] {
        assert!(difference(&result(options), &blue) > 0.1, "{options}");
    }
    let sampled = |options: &str| result(&format!("--method report-exact {options}"));
    let few = sampled("--samples 50");
    assert!(difference(&sampled("--samples 50 --seed 2"), &few) > 1e-3);
    assert!(difference(&sampled("--samples 400"), &few) > 1e-3);
    let other = result("--method mean-variance");
    assert!(difference(&result("--method mean-variance --space linear"), &other) > 1e-3);
    // The left half of the mask is black: nothing changes there.
    let mask: Vec<u8> = (0..24 * 32).map(|i| if i % 32 < 16 { 0 } else { 255 }).collect();
    write(&at("mask.png"), [24, 32], png::ColorType::Grayscale, png::BitDepth::Eight, &mask);
    let masked = result("--mask mask.png");
    let pixel =
        |of: &Photograph, row: usize, column: usize| of.colours()[(row * 32 + column) * 3..][..3].to_vec();
    for row in 0..24 {
        assert_eq!(pixel(&masked, row, 3), pixel(&blue, row, 3));
        assert!(pixel(&masked, row, 28) != pixel(&blue, row, 28));
    }
}

#[test]
fn opacity_and_16_bits_are_kept_and_transparent_pixels_have_no_colour() {
    let folder = files();
    let at = |name: &str| folder.path().join(name);
    // Half of the pixels are opaque; the others are green, and nobody sees it.
    let values: Vec<u8> = (0..24 * 32_u16)
        .flat_map(|i| match i % 2 {
            0 => [20_000 + 20 * i, 30_000 + 7 * i, 50_000, 65_535],
            _ => [0, 65_535, 0, 0],
        })
        .flat_map(u16::to_be_bytes)
        .collect();
    write(&at("deep.png"), [24, 32], png::ColorType::Rgba, png::BitDepth::Sixteen, &values);
    summary(folder.path(), "deep.png red.png --method linear");
    let (source, result) = (read(&at("deep.png")), read(&at("out/result.png")));
    assert!(result.is_deep() && result.opacity() == source.opacity());
    let opaque = result.colours().as_chunks::<3>().0.iter().step_by(2);
    let red = opaque.clone().map(|pixel| pixel[0]).sum::<f32>() / opaque.count() as f32;
    assert!((red - mean(&read(&at("red.png")), 0)).abs() < 0.03, "{red}");
    // Not multiples of 1 / 255.
    let is_fine = |part: &&f32| (*part * 255.0 - (*part * 255.0).round()).abs() > 0.01;
    assert!(result.colours().iter().filter(is_fine).count() > 500);
    write(&at("empty.png"), [1, 2], png::ColorType::Rgba, png::BitDepth::Eight, &[9, 9, 9, 0, 5, 5, 5, 0]);
    refused(folder.path(), "empty.png red.png", "fully transparent: it has no colours");
    refused(folder.path(), "red.png empty.png", "fully transparent: it has no colours");
}

#[test]
fn single_pixels_and_single_colours_are_photographs_too() {
    let folder = files();
    let at = |name: &str| folder.path().join(name);
    write(&at("dot.png"), [1, 1], png::ColorType::Rgb, png::BitDepth::Eight, &[10, 200, 90]);
    write(&at("flat.png"), [9, 9], png::ColorType::Grayscale, png::BitDepth::Eight, &[128; 81]);
    for pair in
        ["dot.png red.png", "red.png dot.png", "flat.png dot.png", "red.png flat.png", "dot.png dot.png"]
    {
        for method in ["palette", "linear", "report-exact", "iterative"] {
            summary(folder.path(), &format!("{pair} --method {method}"));
            assert!(read(&at("out/result.png")).colours().iter().all(|part| (0.0..=1.0).contains(part)));
        }
    }
    summary(folder.path(), "flat.png dot.png");
    let [red, green, blue] = [0, 1, 2].map(|part| mean(&read(&at("out/result.png")), part) * 255.0);
    assert!(
        (red - 10.0).abs() < 4.0 && (green - 200.0).abs() < 4.0 && (blue - 90.0).abs() < 4.0,
        "{red} {green} {blue}"
    );
}

#[test]
fn the_sheet_of_all_methods_has_their_measures() {
    let folder = files();
    let found = summary(folder.path(), "blue.png red.png --compare --both --samples 100");
    for (file, key) in [("compare.png", "methods"), ("compare-back.png", "methods_back")] {
        super::assert_png(&folder.path().join("out").join(file));
        let names: Vec<&str> =
            found[key].as_array().unwrap().iter().map(|of| of["method"].as_str().unwrap()).collect();
        assert_eq!(names.len(), 8, "{names:?}");
        assert!(names.contains(&"palette") && names.contains(&"report-entropic"), "{names:?}");
        // Every method has every measure.
        for method in found[key].as_array().unwrap() {
            let measures = method["measures"].as_object().unwrap();
            assert!(measures.len() == 5 && measures.values().all(Value::is_number), "{method}");
            assert!(method["fit_seconds"].is_number() && method["apply_seconds"].is_number(), "{method}");
            assert!(!cfg!(target_os = "linux") || method["peak_megabytes"].is_number(), "{method}");
        }
    }
    // Source, target and seven results in three rows of three.
    let (height, width, _) = super::read_png(&folder.path().join("out/compare.png"));
    assert!(
        width > 3 * 360 && width < 1200 && (3 * 240..4 * 240 + 300).contains(&height),
        "{height}x{width}"
    );
    let text = colours(folder.path(), "blue.png red.png --compare --samples 100").succeeded().stdout;
    assert!(text.contains("histogram-matching") && text.contains("SSIM"), "{text}");
}

#[test]
fn a_table_gives_a_folder_the_colours_and_a_bad_file_is_named_and_counted() {
    let folder = files();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("series")).unwrap();
    for name in ["a.png", "b.PNG", "c.png"] {
        fs::copy(at("blue.png"), at("series").join(name)).unwrap();
    }
    fs::write(at("series/bad.jpg"), "text").unwrap();
    fs::write(at("series/notes.txt"), "no picture").unwrap();
    let outcome = colours(folder.path(), "blue.png red.png --method linear --lut look.cube --apply series");
    assert!(outcome.is_refused(), "{outcome:?}");
    assert!(
        outcome.stderr.contains("bad.jpg") && outcome.stderr.contains("1 of 4 photographs failed"),
        "{outcome:?}"
    );
    for name in ["a", "b", "c"] {
        let applied = read(&at("out/applied").join(name).with_extension("png"));
        assert!(difference(&applied, &read(&at("out/result.png"))) < 1e-6, "{name}");
    }
    assert!(!at("out/applied/notes.png").exists());
    let found: Value = serde_json::from_str(&fs::read_to_string(at("out/summary.json")).unwrap()).unwrap();
    assert_eq!(found["applied"]["files"].as_array().unwrap().len(), 3, "{found}");
    assert!(found["applied"]["failed"][0]["file"].as_str().unwrap().ends_with("bad.jpg"), "{found}");

    // The table alone is within two levels of the map: one of the table, one of rounding.
    let text = fs::read_to_string(at("look.cube")).unwrap();
    assert!(text.contains("LUT_3D_SIZE 33"), "{}", &text[..80]);
    fs::remove_file(at("series/bad.jpg")).unwrap();
    summary(folder.path(), "look.cube --apply series --out second");
    let by_table = read(&at("second/applied/a.png"));
    assert!(difference(&by_table, &read(&at("out/result.png"))) <= 2.0 / 255.0 + 1e-6);
    assert!(!at("second/result.png").exists());

    // Depth, opacity and values between those of 8 bits are kept.
    fs::create_dir(at("deep")).unwrap();
    let values: Vec<u8> = (0..64 * 4).flat_map(|i: u16| (20_000 + 61 * i).to_be_bytes()).collect();
    write(&at("deep/a.png"), [8, 8], png::ColorType::Rgba, png::BitDepth::Sixteen, &values);
    for (arguments, out) in [
        ("look.cube --apply deep --out third", "third"),
        ("blue.png red.png --apply deep --out fourth", "fourth"),
    ] {
        summary(folder.path(), arguments);
        let applied = read(&at(out).join("applied/a.png"));
        assert!(applied.is_deep() && applied.opacity() == read(&at("deep/a.png")).opacity(), "{arguments}");
        let colours = applied.colours();
        let between =
            colours.iter().filter(|part| (*part * 255.0).fract().min(1.0 - (*part * 255.0).fract()) > 0.1);
        assert!(between.count() > colours.len() / 2, "{arguments}: the values are those of 8 bits");
    }
}

#[test]
fn files_that_the_program_did_not_write_are_never_replaced() {
    let folder = files();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("out/applied")).unwrap();
    fs::copy(at("red.png"), at("out/result.png")).unwrap();
    refused(folder.path(), "blue.png red.png", "out/result.png: a file that this program did not write");
    refused(folder.path(), "out/result.png red.png", "an input of the command");
    fs::remove_file(at("out/result.png")).unwrap();
    fs::write(at("table.cube"), "TITLE \"mine\"\n").unwrap();
    refused(
        folder.path(),
        "blue.png red.png --method linear --lut table.cube",
        "table.cube: a file that this program did not write",
    );
    refused(folder.path(), "blue.png red.png --method linear --lut blue.png", "an input of the command");
    fs::create_dir(at("series")).unwrap();
    fs::copy(at("red.png"), at("series/a.png")).unwrap();
    fs::copy(at("red.png"), at("out/applied/a.png")).unwrap();
    refused(
        folder.path(),
        "blue.png red.png --apply series",
        "applied/a.png: a file that this program did not write",
    );
    refused(folder.path(), "blue.png red.png --apply out/applied", "would replace the photographs");
    fs::copy(at("red.png"), at("series/a.jpg")).unwrap();
    refused(folder.path(), "blue.png red.png --apply series --out other", "both would become");
}

#[test]
fn wrong_options_and_files_are_refused_in_one_sentence() {
    let folder = files();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("bad.cube"), "LUT_3D_SIZE 2\n1 2\n").unwrap();
    fs::write(at("text.png"), "text").unwrap();
    fs::create_dir(at("empty")).unwrap();
    write(&at("small.png"), [2, 2], png::ColorType::Grayscale, png::BitDepth::Eight, &[255; 4]);
    write(&at("black.png"), [24, 32], png::ColorType::Grayscale, png::BitDepth::Eight, &[0; 24 * 32]);
    for (arguments, words) in [
        ("blue.png", "a second photograph, TARGET, is needed"),
        ("blue.png text.png", "text.png: at byte 0: the file is no picture; PNG and JPEG files can be read"),
        ("bad.cube red.png", "without TARGET"),
        ("bad.cube", "needs --apply FOLDER"),
        ("bad.cube --apply empty", "not found in empty"),
        ("bad.cube --apply . --strength 0.5", "--strength with bad.cube: a .cube file is applied as it is"),
        ("bad.cube --apply . --out other", "bad.cube: cube file, line 2"),
        ("blue.png red.png --strength 2", "--strength 2: a number from 0 to 1"),
        ("blue.png red.png --strength NaN", "a number from 0 to 1"),
        ("blue.png red.png --method nothing", "nothing"),
        ("blue.png red.png --space cmyk", "cmyk"),
        (
            "blue.png red.png --samples 100",
            "--samples with --method palette: it belongs to --method report-exact or",
        ),
        ("blue.png red.png --samples 0 --method report-exact", "--samples 0: 1 to 100,000 pixels"),
        ("blue.png red.png --epsilon 1 --method linear", "it belongs to --method report-entropic or palette"),
        ("blue.png red.png --epsilon 0", "--epsilon 0: a positive finite number"),
        ("blue.png red.png --mass-relaxation -1", "--mass-relaxation -1: a positive finite number"),
        (
            "blue.png red.png --mask small.png",
            "small.png: at byte 0: the mask has 2x2 pixels, and blue.png has 24x32",
        ),
        (
            "blue.png red.png --method iterative --lut a.cube",
            "method iterative: its map is not smooth; choose palette",
        ),
        ("blue.png red.png --mask black.png", "the mask leaves no pixel"),
        (
            "blue.png red.png --mask black.png --apply empty",
            "--mask with --apply: a mask belongs to one photograph",
        ),
    ] {
        refused(folder.path(), arguments, words);
    }
    let missing = colours(folder.path(), "none.png red.png");
    assert!(missing.status == Some(1) && missing.stderr.contains("opening none.png"), "{missing:?}");
}

#[test]
#[cfg(unix)]
fn an_interrupted_folder_leaves_whole_pictures_and_says_how_many() {
    let folder = files();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("series")).unwrap();
    let values: Vec<u8> = (0..600 * 600 * 3_u32).map(|i| (i * 7 % 251) as u8).collect();
    write(&at("large.png"), [600, 600], png::ColorType::Rgb, png::BitDepth::Eight, &values);
    for i in 0..60 {
        fs::copy(at("large.png"), at("series").join(format!("{i}.png"))).unwrap();
    }
    let child = std::process::Command::new(super::BINARY)
        .args("transport colours blue.png red.png --method linear --apply series -q".split(' '))
        .current_dir(folder.path())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let first = at("out/applied/0.png");
    let started = std::time::Instant::now();
    while !first.exists() && started.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let made: Vec<_> = fs::read_dir(at("out/applied")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert!(text.contains(&format!("{} of 60 photographs are written", made.len())), "{text}");
    assert!((1..60).contains(&made.len()));
    made.iter().for_each(|path| assert_eq!(read(path).size(), [600, 600]));
}

#[test]
fn the_painted_scenes_need_no_file() {
    let folder = tempfile::tempdir().unwrap();
    summary(folder.path(), "seaside jungle --method linear");
    assert_eq!(read(&folder.path().join("out/result.png")).size(), [320, 480]);
}
