//! Does `equilibria transport` find costs that are known by hand, from every kind of file, and draw what it should?

use super::{Outcome, equilibria};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn distance(folder: &Path, arguments: &str) -> Outcome {
    equilibria(folder, &format!("transport distance {arguments} --quiet"))
}

#[track_caller]
fn summary(folder: &Path, arguments: &str) -> Value {
    distance(folder, &format!("{arguments} --json")).succeeded().json()
}

#[track_caller]
fn assert_near(summary: &Value, key: &str, right: f64, tolerance: f64) {
    let found = summary[key].as_f64().unwrap_or_else(|| panic!("{key}: {summary}"));
    assert!((found - right).abs() <= tolerance, "{key} {found}, {right} is right: {summary}");
}

/// A folder with a square, the square shifted by (3, 4), and weighted points on a line.
fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("square.csv", "x,y\n0,0\n1,0\n0,1\n1,1\n"),
        ("shifted.csv", "4,5\n3,4\n4,4\n3,5\n"),
        ("line.csv", "x,weight\n0,1\n1,3\n"),
        ("other.csv", "x,weight\n1,2\n3,2\n"),
        ("heavy.csv", "x,weight\n1,4\n3,4\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn a_shift_costs_the_square_of_its_length_by_every_method() {
    let folder = files();
    let of = |options: &str| summary(folder.path(), &format!("square.csv shifted.csv {options}"));
    let exact = of("");
    assert_near(&exact, "cost", 25.0, 1e-9);
    assert_near(&exact, "w2", 5.0, 1e-9);
    assert_near(&exact, "lower_bound", 25.0, 1e-9);
    assert_near(&exact, "upper_bound", 25.0, 1e-9);
    assert_near(&exact, "marginal_error", 0.0, 1e-12);
    assert_eq!(
        [&exact["converged"], &exact["method"], &exact["dimension"]],
        [&Value::from(true), &"exact".into(), &2.into()]
    );
    assert_eq!(exact["points"], serde_json::json!([4, 4]));
    assert_near(&of("--cost euclidean"), "cost", 5.0, 1e-9);
    assert_near(&of("--cost cityblock"), "cost", 7.0, 1e-9);

    for options in ["--method sinkhorn", "--method sinkhorn --accuracy 0.5%"] {
        let found = of(options);
        let [lower, upper] = ["lower_bound", "upper_bound"].map(|key| found[key].as_f64().unwrap());
        let share = if options.contains("0.5%") { 0.005 } else { 0.01 };
        assert!(lower <= 25.0 + 1e-9 && upper >= 25.0 - 1e-9, "{found}");
        assert!(upper - lower <= share * upper, "{found}");
        assert_near(&found, "cost", 25.0, 25.0 * share);
    }
    // The divergence of a shift is its squared length, whatever epsilon is.
    assert_near(&of("--method divergence"), "cost", 25.0, 1e-3);
    // E (v . u)² = |v|² / d, up to the random directions.
    let sliced = of("--method sliced --directions 2000");
    let error = sliced["standard_error"].as_f64().unwrap();
    assert!(error > 0.0 && error < 0.5, "{sliced}");
    assert_near(&sliced, "cost", 12.5, 5.0 * error);
    assert_eq!(sliced["lower_bound"], Value::Null);
    assert_eq!(sliced, {
        let mut again = of("--method sliced --directions 2000 --threads 1");
        again["seconds"] = sliced["seconds"].clone();
        again
    });
}

#[test]
fn weights_are_shares_of_the_mass() {
    let folder = files();
    // A quarter moves from 0 to 1, a quarter stays at 1, and half moves from 1 to 3: 1/4 + 4/2.
    for (options, right, tolerance) in [
        ("", 2.25, 1e-12),
        ("--cost euclidean", 1.25, 1e-12),
        ("--method sliced", 2.25, 1e-9),
        ("--method sinkhorn --epsilon 0.01", 2.25, 1e-3),
        ("--method sinkhorn", 2.25, 0.0225),
    ] {
        let found = summary(folder.path(), &format!("line.csv other.csv {options}"));
        assert_near(&found, "cost", right, tolerance);
    }
    let refused = distance(folder.path(), "line.csv heavy.csv");
    assert!(refused.is_refused());
    assert!(
        refused.stderr.contains("sums of 4 and 8") && refused.stderr.contains("--normalise"),
        "{refused:?}"
    );
    assert_near(&summary(folder.path(), "line.csv heavy.csv --normalise"), "cost", 2.25, 1e-12);
}

#[test]
fn the_sums_of_the_plan_are_the_weights() {
    let folder = files();
    fs::write(folder.path().join("a.csv"), "x,y,weight\n0,0,1\n1,0,3\n").unwrap();
    fs::write(folder.path().join("b.csv"), "x,y,weight\n1,0,2\n3,0,2\n").unwrap();
    for files in ["line.csv other.csv", "a.csv b.csv"] {
        let found = summary(folder.path(), &format!("{files} --plan out/plan.csv --out out"));
        let written = fs::read_to_string(folder.path().join("out/summary.json")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), found);
        let text = fs::read_to_string(folder.path().join("out/plan.csv")).unwrap();
        let mut sums = [[0.0; 2]; 2];
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("i,j,mass"));
        for line in lines {
            let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
            sums[0][cells[0] as usize] += cells[2];
            sums[1][cells[1] as usize] += cells[2];
        }
        for (sum, weight) in sums.concat().iter().zip([0.25, 0.75, 0.5, 0.5]) {
            assert!((sum - weight).abs() < 1e-12, "{files}: {text}");
        }
    }
}

/// A picture of these pixels, in one row.
fn write_png(path: &Path, color: png::ColorType, values: &[u8]) {
    let width = (values.len() / color.samples()) as u32;
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), width, 1);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(values).unwrap();
}

#[test]
fn pictures_arrays_and_idx_files_are_points() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Half of the grey pixels get brighter by 51 of 255 levels: a cost of 0.2² / 2.
    write_png(&at("a.png"), png::ColorType::Grayscale, &[0, 102]);
    write_png(&at("b.png"), png::ColorType::Grayscale, &[0, 0, 153, 153]);
    let grey = summary(folder.path(), "a.png b.png");
    assert_near(&grey, "cost", 0.02, 1e-12);
    assert_eq!([&grey["points"], &grey["dimension"]], [&serde_json::json!([256, 256]), &1.into()]);
    // One pixel of two loses its red.
    write_png(&at("c.png"), png::ColorType::Rgb, &[255, 0, 0, 0, 255, 0]);
    write_png(&at("d.png"), png::ColorType::Rgb, &[0, 255, 0, 0, 0, 0]);
    assert_near(&summary(folder.path(), "c.png d.png"), "cost", 0.5, 1e-12);
    let sampled = summary(folder.path(), "c.png d.png --samples 1 --seed 3");
    assert_eq!(sampled["points"], serde_json::json!([1, 1]));

    let idx = |pixels: &[u8]| [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3][..], pixels].concat();
    fs::write(at("images"), idx(&[255, 0, 0, 0, 255, 0])).unwrap();
    assert_near(&summary(folder.path(), "images d.png"), "cost", 0.5, 1e-12);

    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
    let values = [1.0_f32, 0.0, 0.0, 0.0, 1.0, 0.0].map(f32::to_le_bytes).concat();
    let length = (header.len() as u16).to_le_bytes();
    let array = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &values].concat();
    fs::write(at("array.npy"), array).unwrap();
    assert_near(&summary(folder.path(), "array.npy images"), "cost", 0.0, 1e-12);
}

#[test]
fn plans_are_drawn_for_lines_and_planes() {
    let folder = files();
    let plan = |arguments: &str| equilibria(folder.path(), &format!("transport plan {arguments} --quiet"));
    for (files, entries, shape) in
        [("square.csv shifted.csv", 4, "<polyline"), ("line.csv other.csv", 3, "<rect")]
    {
        let found = plan(&format!("{files} --out out/plan.svg --json")).succeeded().json();
        assert_eq!(found["entries"], entries, "{found}");
        let text = fs::read_to_string(folder.path().join("out/plan.svg")).unwrap();
        assert!(text.starts_with("<svg") && text.contains(shape), "{files}");
    }
    let lines = fs::read_to_string(folder.path().join("out/plan.svg")).unwrap();
    assert!(!lines.contains("<circle"), "a matrix replaces the lines");
    fs::write(folder.path().join("cube.csv"), "0,0,0\n1,1,1\n").unwrap();
    let refused = plan("cube.csv cube.csv --out plan.svg");
    assert_eq!(refused.status, Some(2));
    assert!(refused.stderr.contains("1 or 2 coordinates; these have 3"), "{refused:?}");
}

#[test]
fn interpolations_are_strips_of_pictures() {
    let folder = files();
    let run = |arguments: &str| {
        equilibria(folder.path(), &format!("transport interpolate {arguments} --out out --quiet"))
    };
    let found = run("square.csv shifted.csv --steps 3 --json").succeeded().json();
    assert_near(&found, "cost", 25.0, 1e-9);
    let text = fs::read_to_string(folder.path().join("out/strip.svg")).unwrap();
    assert!(text.matches("<circle").count() == 12 && text.contains("t = 0.5"), "{text}");
    run("line.csv other.csv").succeeded();
    let write =
        |name: &str, values: &[u8]| write_png(&folder.path().join(name), png::ColorType::Grayscale, values);
    write("left.png", &[255, 0, 0, 0, 0]);
    write("right.png", &[0, 0, 0, 0, 128]);
    let found = run("left.png right.png --steps 5 --json").succeeded().json();
    assert_near(&found, "cost", 16.0, 1e-12);
    assert!(fs::read(folder.path().join("out/strip.png")).unwrap().starts_with(b"\x89PNG"));
    write("short.png", &[0, 255]);
    write("black.png", &[0, 0]);
    for (arguments, words) in [
        ("left.png short.png", "1x5 and 1x2 pixels; the sizes must be equal"),
        ("short.png black.png", "a sum of 0"),
        ("left.png right.png --steps 1", "--steps 1: 2 to 100"),
        ("none.png right.png", "none.png"),
    ] {
        let refused = run(arguments);
        assert!(refused.is_refused(), "{refused:?}");
        assert!(refused.stderr.contains(words) && refused.stderr.lines().count() == 1, "{refused:?}");
    }
}

#[test]
fn the_barycentre_of_pictures_is_drawn_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, color, values: &[u8]| write_png(&folder.path().join(name), color, values);
    write("a.png", png::ColorType::Grayscale, &[255, 0, 0, 0, 0, 0, 0]);
    write("b.png", png::ColorType::Grayscale, &[0, 0, 0, 0, 0, 0, 255]);
    write("c.png", png::ColorType::Grayscale, &[0, 255]);
    write("d.png", png::ColorType::Rgb, &[255, 0, 0, 0, 0, 0]);
    let run = |arguments: &str| {
        equilibria(folder.path(), &format!("transport barycentre {arguments} --out out/mean.png --quiet"))
    };
    let found = run("a.png b.png --json").succeeded().json();
    assert_eq!(found["converged"], true, "{found}");
    assert!(fs::read(folder.path().join("out/mean.png")).unwrap().starts_with(b"\x89PNG"));
    for (arguments, words) in [
        ("a.png c.png", "c.png: the picture has 1x2 pixels, the first one 1x7"),
        ("d.png", "d.png: a grey PNG or JPEG picture is needed"),
        ("a.png b.png --weights 1", "2 histograms with 1 weights"),
        ("a.png b.png --epsilon 0", "epsilon 0"),
    ] {
        let refused = run(arguments);
        assert!(refused.is_refused(), "{refused:?}");
        assert!(refused.stderr.contains(words) && refused.stderr.lines().count() == 1, "{refused:?}");
    }
}

#[test]
fn bad_input_gets_one_sentence_about_its_place() {
    let folder = files();
    for (name, text) in [
        ("nan.csv", "x,y\n0,0\nNaN,1\n"),
        ("ragged.csv", "0,0\n1\n"),
        ("negative.csv", "x,y,weight\n0,0,-1\n"),
        ("empty.csv", ""),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("cut.npy"), b"\x93NUMPY\x01\x00\x40\x00{").unwrap();
    for (arguments, words) in [
        ("nan.csv square.csv", "nan.csv, line 3, column 1: NaN is not finite"),
        ("square.csv ragged.csv", "ragged.csv, line 2: 1 columns; line 1 has 2"),
        ("negative.csv square.csv", "negative.csv, line 2, column 3: the weight -1 is negative"),
        ("empty.csv square.csv", "empty.csv: at byte 0: the file is empty"),
        ("cut.npy square.csv", "cut.npy: at byte 11: the file ends within its header"),
        ("none.csv square.csv", "none.csv"),
        ("square.csv line.csv", "2 and 1 coordinates"),
        (
            "square.csv shifted.csv --accuracy 1%",
            "--accuracy with --method exact: it belongs to --method sinkhorn",
        ),
        ("square.csv shifted.csv --method sinkhorn --accuracy 2", "--accuracy 2: a share between 0 and 1"),
        ("square.csv shifted.csv --method sinkhorn --epsilon 0", "--epsilon 0: a positive finite number"),
        ("square.csv shifted.csv --method sinkhorn --plan p.csv", "--plan with --method sinkhorn"),
        ("square.csv shifted.csv --method sliced --cost cityblock", "sqeuclidean and euclidean"),
        ("square.csv shifted.csv --samples 0", "--samples 0: 1 to"),
    ] {
        let outcome = distance(folder.path(), arguments);
        assert_eq!((outcome.is_refused(), outcome.stdout.as_str()), (true, ""), "{arguments}: {outcome:?}");
        assert!(
            outcome.stderr.starts_with("error: ") && outcome.stderr.contains(words),
            "{arguments}: {outcome:?}"
        );
        assert_eq!(outcome.stderr.lines().count(), 1, "{arguments}: {outcome:?}");
    }
}

#[test]
fn the_text_has_the_cost_its_bounds_the_method_and_the_time() {
    let folder = files();
    let text = distance(folder.path(), "square.csv shifted.csv").succeeded().stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..3],
        ["cost    25; W2 = 5", "bounds  25 to 25", "method  exact; 4 and 4 points of dimension 2"]
    );
    assert!(lines.len() == 4 && lines[3].starts_with("time    ") && lines[3].ends_with(" s"), "{text}");
}
