//! Do `equilibria dbm filters` and figure 4 show filters side by side, and say of them what the numbers say?

use super::{assert_png, assert_svg, equilibria, write_digits};
use equilibria::run::pretrained;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A deep machine of 784-23-10 units in `run`.
fn trained() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let train = "dbm train --images 200 --hidden 23-10 --batch 20 --chains 15 --epochs 2 --out run -q";
    equilibria(folder.path(), train).succeeded();
    folder
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Width and height of a PNG file in colour, and its samples.
fn decode(path: &Path) -> (usize, usize, Vec<u8>) {
    let file = std::io::BufReader::new(fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut samples).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    (info.width as usize, info.height as usize, samples)
}

/// Asserts that each verdict is what its intervals say.
fn check_verdicts(claims: &[Value]) {
    for claim in claims {
        let evidence = claim["evidence"].as_array().unwrap();
        let says = |evidence: &Value| {
            let [low, high] = ["low", "high"].map(|key| number(&evidence["chance"][key]));
            assert!((0.0..=1.0).contains(&low) && (low..=1.0).contains(&high), "{claim}");
            if low > 0.5 {
                "holds"
            } else if high < 0.5 {
                "does_not_hold"
            } else {
                "cannot_be_told"
            }
        };
        let first = says(&evidence[0]);
        let all =
            if evidence.iter().all(|evidence| says(evidence) == first) { first } else { "cannot_be_told" };
        assert_eq!(claim["verdict"], all, "{claim}");
    }
}

#[test]
fn layers_stand_beside_a_restricted_machine_on_one_scale() {
    let folder = trained();
    let run = folder.path().join("run");
    let found = equilibria(folder.path(), "dbm filters run --count 6 --json").succeeded().json();
    assert_eq!(found["beside"], "rbm-784-500, which comes with the program");
    let sheets = found["sheets"].as_array().unwrap();
    let beside: Vec<usize> = sheets.iter().map(|sheet| sheet["beside"].as_array().unwrap().len()).collect();
    assert_eq!(beside, [6, 6, 0], "the weights between layers stand alone");
    // Two groups of six columns of 28 pixels, three by three each, 8 between columns, 24 more between groups.
    let [first, second] = ["filters-1.png", "filters-2-projected.png"].map(|name| decode(&run.join(name)));
    let (width, height, _) = first;
    assert_eq!((width, second.0), (16 + 6 * 92 + 24 + 6 * 92 - 8 + 16, width));
    assert!(height > 84 && height < 250 && height == second.1, "one row, title and keys: {height}");
    // On one scale the same machine looks the same beside either layer, below the title.
    let beside = |(_, _, samples): &(usize, usize, Vec<u8>)| {
        let rows = samples.chunks_exact(3 * width).skip(50);
        rows.flat_map(|row| row[3 * (16 + 6 * 92 + 20)..].to_vec()).collect::<Vec<u8>>()
    };
    assert!(beside(&first) == beside(&second) && first.2 != second.2);
    let names: Vec<&str> =
        found["filters"].as_array().unwrap().iter().map(|set| set["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["DBM, layer 1", "DBM, layer 2", "RBM"]);
    let area = |set: usize| number(&found["filters"][set]["measures"]["area"]["median"]);
    assert!((1.0..=784.0).contains(&area(0)) && (1.0..=784.0).contains(&area(2)), "{found}");
    assert!((1.0..=23.0).contains(&number(&found["filters"][1]["mixture"]["filters_used"]["median"])));
    assert!(found["filters"][0]["mixture"].is_null());
    let claims = found["claims"].as_array().unwrap();
    assert_eq!(claims.len(), 8);
    check_verdicts(claims);
    // The same at any number of threads, and in words.
    let command = "dbm filters run --count 6 --threads";
    assert_eq!(equilibria(folder.path(), &format!("{command} 1 --json")).succeeded().json(), found);
    let text = equilibria(folder.path(), &format!("{command} 2")).succeeded().stdout;
    for words in [
        "the RBM is rbm-784-500",
        "concentration, % of energy",
        "An RBM's filters are noisier: ",
        "units below used, of 23",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn the_restricted_machine_is_one_that_sees_as_many_pixels() {
    let folder = trained();
    let path = folder.path();
    let train = "rbm train --images 200 --hidden 5 --epochs 1 --batch 20 --out shallow -q";
    equilibria(path, train).succeeded();
    let found = equilibria(path, "dbm filters run --beside shallow --layer 1 --json").succeeded().json();
    assert_eq!((&found["beside"], &found["filters"][2]["units"]), (&"shallow".into(), &5.into()));
    assert_eq!(found["sheets"].as_array().unwrap().len(), 1);
    assert_eq!(found["sheets"][0]["beside"].as_array().unwrap().len(), 5);
    // 23 filters of layer 1 in ten columns; of five, the other places stay empty.
    assert_png(&path.join("run/filters-1.png"));

    write_digits(&path.join("small"), 4, 60, 20);
    for train in ["rbm train --hidden 4 --out tiny", "dbm train --hidden 6-4 --out deep"] {
        equilibria(path, &format!("{train} --data small --batch 20 --epochs 1 -q")).succeeded();
    }
    for (arguments, words) in [
        (
            "dbm filters run --beside tiny",
            "--beside tiny: has 16 visible units; machines side by side need as many, here 784",
        ),
        ("dbm filters run --beside run", "a restricted Boltzmann machine is needed"),
        ("dbm filters run --beside nowhere", "model not found in nowhere"),
        (
            "reproduce figure4 --data small",
            "machines of figure 4 learned from: expected shape (28, 28), found (4, 4)",
        ),
    ] {
        let outcome = equilibria(path, arguments);
        assert!(outcome.is_refused() && outcome.stderr.contains(words), "{words}: {outcome:?}");
    }
    // No machine comes with the program that sees 16 pixels.
    let found = equilibria(path, "dbm filters deep --json").succeeded().json();
    assert!(found["beside"].is_null(), "{found}");
    assert_eq!(
        (found["filters"].as_array().unwrap().len(), found["claims"].as_array().unwrap().len()),
        (2, 3)
    );
}

/// The figure with a small folder of digits, so that the report's machine learns fast.
#[test]
fn figure_4_holds_the_report_s_claims_against_numbers() {
    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("digits"), 28, 200, 30);
    let command = "reproduce figure4 --data digits --json -q";
    let outcome = equilibria(folder.path(), command).succeeded();
    let found = outcome.json();
    let out = folder.path().join("out");
    let listed = equilibria(folder.path(), "reproduce figure4 --list").succeeded().stdout;
    for file in listed.lines() {
        match file.rsplit_once('.').unwrap().1 {
            "png" => assert_png(&out.join(file)),
            "svg" => assert_svg(&out.join(file)),
            _ => assert!(out.join(file).is_file(), "{file}"),
        }
    }
    let figure = &found["figure4"];
    let units = |set: usize| figure["filters"][set]["units"].as_u64().unwrap() as usize;
    let deep: Vec<usize> = pretrained::deep().unwrap().0.sizes().collect();
    assert_eq!([units(0), units(1), units(2), units(3)], [20, 500, deep[1], deep[2]]);
    let claims = figure["claims"].as_array().unwrap();
    // Five of filters, two of samples, beside each restricted machine; three of the second layer.
    assert_eq!(claims.len(), 2 * (5 + 2) + 3);
    check_verdicts(claims);
    let samples = figure["samples"].as_array().unwrap();
    let starts: Vec<&str> = samples.iter().map(|walk| walk["from"].as_str().unwrap()).collect();
    assert_eq!(starts, ["test images", "test images", "test images", "noise", "noise", "noise"]);
    let grey = |walk: usize| number(&samples[walk]["grey_pixels"]["median"]);
    let less_noise = [(2, "RBM, 20 units"), (1, "RBM, 500 units")].map(|(walk, name)| {
        let is_this =
            |claim: &&Value| claim["more"] == name && claim["claim"] == "A DBM's samples have less noise";
        let claim = claims.iter().find(is_this).unwrap();
        assert_eq!(claim["evidence"][0]["medians"], Value::from(vec![grey(walk), grey(0)]));
        claim["verdict"] == "holds"
    });
    let words = match less_noise {
        [true, true] => "both restricted machines",
        [true, false] => "but not clearly less than",
        [false, true] => "only than those of the larger",
        [false, false] => "do not clearly have less noise",
    };
    assert!(figure["answer"][2]["text"].as_str().unwrap().contains(words), "{words}: {}", figure["answer"]);
    let outcome_of_two = match less_noise {
        [true, true] => "confirmed",
        [false, false] => "not-confirmed",
        _ => "partly-confirmed",
    };
    assert_eq!(figure["answer"][2]["outcome"], outcome_of_two);
    let cells = |machine: &str| figure["reconstruction"][machine]["cells"].as_array().unwrap().len();
    assert!(cells("deep") > 50 && cells("deep") == cells("restricted"));

    // The page has the answer, a line for each measure of a claim, and every picture.
    let page = fs::read_to_string(out.join("index.html")).unwrap();
    for (measure, count) in
        [("grey pixels", 2), ("distance to a digit", 2), ("fine power", 3), ("dark inside", 1)]
    {
        assert_eq!(page.matches(&format!(">{measure}</td>")).count(), count, "{measure}");
    }
    assert!(page.contains("<h1>Three kinds of equilibrium"));
    assert_eq!((page.matches("class=\"sheet\"").count(), page.matches("<svg ").count()), (6, 3));
    let answer = figure["answer"].as_array().unwrap();
    assert_eq!(answer.len(), 3);
    for paragraph in answer {
        let start: String =
            paragraph["text"].as_str().unwrap().chars().take_while(|&c| c != '\'' && c != '`').collect();
        assert!(start.len() > 20 && page.contains(&start), "{start} is not in the page");
    }
    assert_eq!(outcome.stdout, fs::read_to_string(out.join("summary.json")).unwrap());
}
