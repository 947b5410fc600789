//! Does the command do what its help says: files, printing, exit status, on good input, bad input and sudden ends?

#![cfg(feature = "cli")]

use equilibria::checkpoint::Archive;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

#[path = "command_line/bad_input.rs"]
mod bad_input;
#[path = "command_line/colours.rs"]
mod colours;
#[path = "command_line/dcgan.rs"]
mod dcgan;
#[path = "command_line/deep.rs"]
mod deep;
#[path = "command_line/drawing.rs"]
mod drawing;
#[path = "command_line/evaluating.rs"]
mod evaluating;
#[path = "command_line/filters.rs"]
mod filters;
#[path = "command_line/gan.rs"]
mod gan;
#[path = "command_line/mixing.rs"]
mod mixing;
#[path = "command_line/page.rs"]
mod page;
#[path = "support/real_data.rs"]
mod real_data;
#[path = "command_line/reproducing.rs"]
mod reproducing;
#[path = "command_line/resuming.rs"]
mod resuming;
#[path = "command_line/samples.rs"]
mod samples;
#[path = "command_line/shapes.rs"]
mod shapes;
#[path = "command_line/stopping.rs"]
mod stopping;
#[path = "command_line/storing.rs"]
mod storing;
#[path = "command_line/transport.rs"]
mod transport;

const BINARY: &str = env!("CARGO_BIN_EXE_equilibria");

/// The result of a finished process.
#[derive(Debug)]
struct Outcome {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Outcome {
    #[track_caller]
    fn succeeded(self) -> Self {
        assert_eq!(self.status, Some(0), "{self:?}");
        self
    }

    /// True if the command ended with an error: wrong usage or a failure. `tests/usage.rs` tells them apart.
    fn is_refused(&self) -> bool {
        matches!(self.status, Some(1 | 2))
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs `equilibria` with the words of `arguments` in `folder`.
fn equilibria(folder: &Path, arguments: &str) -> Outcome {
    equilibria_with(folder, arguments, &[])
}

fn equilibria_with(folder: &Path, arguments: &str, environment: &[(&str, &str)]) -> Outcome {
    let output = assert_cmd::Command::new(BINARY)
        .args(arguments.split_whitespace())
        .envs(environment.iter().copied())
        .current_dir(folder)
        .timeout(Duration::from_secs(120))
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A tiny training run; its directory is `run`.
const TRAIN: &str = "rbm train --images 200 --hidden 8 --epochs 2 --batch 20 --out run";

/// A folder with a finished run in `run` and a copy of its model, alone in a folder, as `loose/digits.st`.
fn trained() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    equilibria(folder.path(), &format!("{TRAIN} --quiet")).succeeded();
    fs::create_dir(folder.path().join("loose")).unwrap();
    fs::copy(folder.path().join("run/model.safetensors"), folder.path().join("loose/digits.st")).unwrap();
    folder
}

/// Every file and folder below `folder`, with the files' content.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_owned()];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            found.insert(path, None);
        } else {
            let content = fs::read(&path).unwrap();
            found.insert(path, Some(content));
        }
    }
    found
}

/// Writes MNIST's four files into `folder`: `train` and `test` images of `side` by `side` pixels, half of them on.
fn write_digits(folder: &Path, side: u32, train: u32, test: u32) {
    write_images(folder, [side, side], train, test);
}

/// As [`write_digits`], of images of this height and width.
fn write_images(folder: &Path, [height, width]: [u32; 2], train: u32, test: u32) {
    fs::create_dir_all(folder).unwrap();
    let header = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let mut state = 1_u32;
    let mut pixel = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if state >> 31 == 1 { 255 } else { 0 }
    };
    for (name, count) in [("train", train), ("t10k", test)] {
        let mut images = header(&[0x0803, count, height, width]);
        images.extend((0..count * height * width).map(|_| pixel()));
        fs::write(folder.join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        let mut labels = header(&[0x0801, count]);
        labels.extend((0..count).map(|i| (i % 10) as u8));
        fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), labels).unwrap();
    }
}

/// `metrics.csv` without its last column, the seconds, which no two runs share.
fn monitors(run: &Path) -> Vec<String> {
    let text = fs::read_to_string(run.join("metrics.csv")).unwrap();
    text.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned()).collect()
}

/// The file of a machine that comes with the program.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name).with_extension("safetensors")
}

#[track_caller]
fn assert_png(path: &Path) {
    let bytes = fs::read(path).unwrap();
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "{}", path.display());
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    assert!(pixels.iter().any(|&byte| byte != pixels[0]), "{} is blank", path.display());
}

/// Height, width and first channel of a PNG.
fn read_png(path: &Path) -> (usize, usize, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(fs::read(path).unwrap())).read_info().unwrap();
    let channels = reader.output_color_type().0.samples();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    (frame.height as usize, frame.width as usize, pixels.into_iter().step_by(channels).collect())
}

/// Asserts that every tag of an SVG closes the one that is open.
#[track_caller]
fn assert_svg(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let mut open = Vec::new();
    let mut roots = 0;
    for part in text.split('<').skip(1) {
        let (tag, content) = part.split_once('>').unwrap_or_else(|| panic!("`<{part}` has no end"));
        assert!(!content.contains('>'), "a bare > in {content:?}");
        assert!(tag.matches('"').count().is_multiple_of(2), "an open quote in {tag:?}");
        if tag.starts_with(['?', '!']) || tag.ends_with('/') {
            continue;
        }
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name.trim())),
            None => {
                roots += usize::from(open.is_empty());
                open.push(tag.split_whitespace().next().unwrap());
            }
        }
    }
    assert!(
        open.is_empty() && roots == 1 && text.contains("<svg"),
        "{} still open: {open:?}",
        path.display()
    );
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let folder = tempfile::tempdir().unwrap();
    let mut todo = vec![String::new()];
    let mut examples = 0;
    while let Some(command) = todo.pop() {
        let help = equilibria(folder.path(), &format!("{command} --help")).succeeded();
        assert_eq!(help.stderr, "");
        match help.stdout.split_once("\nCommands:\n") {
            Some((_, list)) => {
                let names = list.lines().take_while(|line| !line.is_empty());
                // A description that was wrapped is indented further.
                let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
                let names = names.map(|line| line.split_whitespace().next().unwrap());
                // The parser's own command.
                let names = names.filter(|name| *name != "help");
                todo.extend(names.map(|name| format!("{command} {name}")));
            }
            None => {
                let example = format!("\n  equilibria{command}");
                assert!(
                    help.stdout.contains("\nExample") && help.stdout.contains(&example),
                    "{}",
                    help.stdout
                );
                examples += 1;
            }
        }
    }
    assert!(examples >= 6, "{examples} commands");
    assert!(equilibria(folder.path(), "--version").succeeded().stdout.starts_with("equilibria "));
}

#[test]
fn training_leaves_configuration_metrics_summary_and_model() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let outcome = equilibria(folder.path(), TRAIN).succeeded();
    assert_eq!(outcome.stderr.lines().count(), 2, "a line an epoch: {}", outcome.stderr);
    assert!(outcome.stdout.contains("equilibria rbm sample run"), "{}", outcome.stdout);

    let config: toml::Table = fs::read_to_string(run.join("config.toml")).unwrap().parse().unwrap();
    for key in [
        "data",
        "images",
        "invert",
        "binarise",
        "hidden",
        "epochs",
        "batch",
        "learning_rate",
        "momentum",
        "weight_decay",
        "method",
        "steps",
        "centred",
        "seed",
        "versions",
    ] {
        assert!(config.contains_key(key), "{key}");
    }
    assert_eq!((config["hidden"].as_integer(), config["seed"].as_integer()), (Some(8), Some(1)));
    assert_eq!(config["versions"]["equilibria"].as_str(), Some(env!("CARGO_PKG_VERSION")));

    let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
    let header: Vec<&str> = metrics.lines().next().unwrap().split(',').collect();
    assert_eq!(header[0], "epoch");
    assert!(header[1..].iter().all(|column| column.contains(" [") && column.ends_with(']')), "{header:?}");
    assert_eq!(metrics.lines().count(), 3);

    let summary = fs::read_to_string(run.join("summary.json")).unwrap();
    check_summary(&serde_json::from_str(&summary).unwrap());
    check_model(&run.join("model.safetensors"));
}

fn check_summary(summary: &Value) {
    for (key, value) in [("visible", 784), ("hidden", 8), ("train_images", 200)] {
        assert_eq!(summary[key], value, "{key}");
    }
    let seconds = summary["seconds_per_epoch"].as_array().unwrap();
    assert!(seconds.len() == 2 && seconds.iter().all(|s| s.as_f64().unwrap() > 0.0), "{seconds:?}");
    let epochs = summary["epochs"].as_array().unwrap();
    assert_eq!(epochs.len(), 2);
    for (epoch, number) in epochs.iter().zip(1..) {
        assert_eq!(epoch["epoch"], number);
        assert!((0.0..0.3).contains(&epoch["reconstruction_error"].as_f64().unwrap()));
        for key in ["pseudo_log_likelihood", "stochastic_pseudo_log_likelihood"] {
            assert!((-400.0..-50.0).contains(&epoch[key].as_f64().unwrap()), "{key}: {epoch}");
        }
        assert!(epoch["free_energy_gap"].as_f64().unwrap().abs() < 50.0);
    }
}

/// As the library reads it, and as anyone would: 8 bytes of length, that much JSON, then the numbers.
fn check_model(path: &Path) {
    let bytes = fs::read(path).unwrap();
    let archive = Archive::from_bytes(&bytes, "model").unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..][..length]).unwrap();
    let numbers = &bytes[8 + length..];
    let mut described = 0;
    for (name, shape) in [("weight", &[784, 8][..]), ("visible_bias", &[784]), ("hidden_bias", &[8])] {
        let tensor = &header[name];
        assert_eq!(
            (tensor["dtype"].as_str(), &tensor["shape"]),
            (Some("F32"), &Value::from(shape)),
            "{name}"
        );
        let end = |i: usize| tensor["data_offsets"][i].as_u64().unwrap() as usize;
        let by_hand = numbers[end(0)..end(1)].chunks_exact(4);
        let by_hand: Vec<f32> = by_hand.map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect();
        assert_eq!(archive.tensor_f32(name, shape).unwrap(), by_hand, "{name}");
        assert!(by_hand.iter().any(|&x| x != 0.0) && by_hand.iter().all(|x| x.is_finite()), "{name}");
        described += end(1) - end(0);
    }
    assert_eq!(described, numbers.len());
}

#[test]
fn json_is_all_of_standard_output_and_quiet_is_quiet() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = equilibria(folder.path(), &format!("{TRAIN} --json --quiet")).succeeded();
    assert_eq!(outcome.stdout, fs::read_to_string(folder.path().join("run/summary.json")).unwrap());
    check_summary(&outcome.json());
    assert_eq!(outcome.stderr, "");
    // Progress has standard error; JSON stays alone.
    let outcome = equilibria(folder.path(), &format!("{TRAIN} --json --force")).succeeded();
    check_summary(&outcome.json());
    assert!(outcome.stderr.contains("epoch   2/2"), "{}", outcome.stderr);
}

#[test]
fn a_run_is_replaced_by_force_alone() {
    let folder = trained();
    let before = snapshot(folder.path());
    let outcome = equilibria(folder.path(), &format!("{TRAIN} --seed 2"));
    assert_eq!((outcome.is_refused(), outcome.stdout.as_str()), (true, ""));
    assert!(outcome.stderr.contains("run: exists already; --force"), "{}", outcome.stderr);
    assert_eq!(snapshot(folder.path()), before);

    // Bad input does not cost the old run, forced or not.
    let outcome = equilibria(folder.path(), &format!("{TRAIN} --force --momentum 2"));
    assert_eq!((outcome.is_refused(), snapshot(folder.path())), (true, before.clone()));

    fs::write(folder.path().join("run/notes.txt"), "mine").unwrap();
    equilibria(folder.path(), &format!("{TRAIN} --seed 2 --force -q")).succeeded();
    let path = folder.path().join("run/model.safetensors");
    assert_ne!(Some(fs::read(&path).unwrap()), before[&path]);
    assert_eq!(fs::read_to_string(folder.path().join("run/notes.txt")).unwrap(), "mine");

    // A folder that is not a run is never replaced.
    fs::create_dir(folder.path().join("thesis")).unwrap();
    fs::write(folder.path().join("thesis/chapter.tex"), "years").unwrap();
    let before = snapshot(folder.path());
    let outcome =
        equilibria(folder.path(), "rbm train --images 200 --epochs 1 --hidden 2 --out thesis --force");
    assert!(outcome.is_refused() && outcome.stderr.contains("not a run directory"), "{outcome:?}");
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn resuming_what_is_complete_changes_nothing() {
    let folder = trained();
    let before = snapshot(folder.path());
    let outcome = equilibria(folder.path(), "rbm train --resume run --json --quiet").succeeded();
    check_summary(&outcome.json());
    assert_eq!(snapshot(folder.path()), before);
}

/// The share of unchanged pixels of synthetic test images after each number of Gibbs steps of the model in `run`.
fn agreement(run: &Path, images: &[usize], steps: &[usize]) -> Vec<f64> {
    use equilibria::boltzmann::GibbsChains;
    use equilibria::rng::Stream;

    let model = equilibria::run::load::<equilibria::boltzmann::Rbm<f32>>(run).unwrap().model;
    let digits = equilibria::data::Dataset::load("synthetic", Some(1)).unwrap();
    let ink = |&pixel: &u8| f32::from(u8::from(pixel > 127));
    let start: Vec<f32> = images.iter().flat_map(|&i| digits.test.images().image(i)).map(ink).collect();
    let mut chains = GibbsChains::new(&model, images.len(), Stream::named(1, "evaluate"));
    chains.set_visible_states(&start).unwrap();
    let mut done = 0;
    let mut after = |target: usize| {
        chains.walk(target - done);
        done = target;
        let same = start.iter().zip(&chains.visible_states()).filter(|(a, b)| a == b).count();
        same as f64 / start.len() as f64
    };
    steps.iter().map(|&target| after(target)).collect()
}

#[test]
fn models_are_looked_at_from_a_run_and_from_a_file() {
    let folder = trained();
    let at = |path: &str| folder.path().join(path);
    for (model, place) in [("run", "run"), ("loose/digits.st", "loose")] {
        let run = |words: &str| equilibria(folder.path(), &words.replace("MODEL", model)).succeeded();
        let sample = run("rbm sample MODEL --from test:3,1 --steps 1,5 --json").json();
        assert_eq!((&sample["chains"], &sample["steps"]), (&Value::from(2), &Value::from([1, 5].as_slice())));
        assert_eq!(sample["agreement_with_start"], Value::from(agreement(&at("run"), &[3, 1], &[1, 5])));
        assert_png(&at(&format!("{place}/samples.png")));
        let said = run("rbm sample MODEL --from noise --chains 3 --steps 2 --out pictures/noise.png").stdout;
        assert!(said.contains("wrote pictures/noise.png"), "{said}");
        assert_png(&at("pictures/noise.png"));

        let summary = run("rbm reconstruct MODEL --rows 10..16 --images 12 --json").json();
        let cells = summary["cells"].as_array().unwrap();
        assert_eq!((cells.len(), &cells[0]["rows"], &cells[0]["first_row"]), (1, &7.into(), &10.into()));
        assert_png(&at(&format!("{place}/reconstruction.png")));

        let filters = run("rbm filters MODEL --count 5 --json").json();
        let norms: Vec<f64> =
            filters["norms"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
        assert!(norms.len() == 5 && norms.is_sorted_by(|a, b| a >= b), "{filters}");
        assert_png(&at(&format!("{place}/filters.png")));
    }
    // A stranger's configuration beside a loose model is not the model's.
    fs::write(at("loose/config.toml"), "theme = 'dark'").unwrap();
    equilibria(folder.path(), "rbm sample loose/digits.st --steps 1").succeeded();
}

#[test]
fn a_sweep_of_removed_rows_is_compared_with_the_mean_image() {
    let folder = trained();
    let summary =
        equilibria(folder.path(), "rbm reconstruct run --sweep --images 4 --json").succeeded().json();
    let cells = summary["cells"].as_array().unwrap();
    assert!(cells.len() > 50, "{} cells", cells.len());
    // The mean image's errors, from the images that the command takes.
    let digits = equilibria::data::Dataset::load("synthetic", Some(200)).unwrap();
    let ink = |pixel: u8| f64::from(u8::from(pixel > 127));
    let (train, test) = (digits.train.images(), digits.test.images());
    let mean = |pixel: usize| (0..200).map(|i| ink(train.image(i)[pixel])).sum::<f64>() / 200.0;
    let mean: Vec<f64> = (0..784).map(mean).collect();
    let baseline = |rows: u64, first: u64| {
        let pixels = first as usize * 28..(first + rows) as usize * 28;
        let error = |i| pixels.clone().map(move |pixel| (i, pixel));
        let errors =
            (0..4).flat_map(error).map(|(i, pixel)| (ink(test.image(i)[pixel]) - mean[pixel]).powi(2));
        errors.sum::<f64>() / (4 * pixels.len()) as f64
    };
    for cell in cells {
        let (rows, first) = (cell["rows"].as_u64().unwrap(), cell["first_row"].as_u64().unwrap());
        assert!(rows >= 1 && first + rows <= 28, "{cell}");
        for key in ["mean_squared_error", "baseline_mean_squared_error"] {
            assert!((0.0..=1.0).contains(&cell[key].as_f64().unwrap()), "{cell}");
        }
        let found = cell["baseline_mean_squared_error"].as_f64().unwrap();
        assert!((found - baseline(rows, first)).abs() < 1e-6, "{cell}: {}", baseline(rows, first));
    }
    assert_svg(&folder.path().join("run/reconstruction.svg"));
}

#[test]
fn a_sweep_of_machines_draws_one_chart() {
    let folder = tempfile::tempdir().unwrap();
    let sweep = "rbm sweep --images 200 --batch 50 --hidden 3,6 --epochs 1,2 --steps 1,2 --out sweep";
    let outcome = equilibria(folder.path(), &format!("{sweep} --json --quiet")).succeeded();
    assert_eq!(outcome.stderr, "");
    let summary = outcome.json();
    let cells = summary["cells"].as_array().unwrap();
    let keys = |cell: &Value| ["hidden", "steps", "epoch"].map(|key| cell[key].as_u64().unwrap());
    let expected = [[3, 1, 1], [3, 1, 2], [3, 2, 1], [3, 2, 2], [6, 1, 1], [6, 1, 2], [6, 2, 1], [6, 2, 2]];
    assert_eq!(cells.iter().map(keys).collect::<Vec<_>>(), expected);
    assert_svg(&folder.path().join("sweep/sweep.svg"));
    let model = fs::read(folder.path().join("sweep/hidden-6-steps-2/model.safetensors")).unwrap();
    assert!(Archive::from_bytes(&model, "model").unwrap().tensor_f32("weight", &[784, 6]).is_ok());

    // One machine in the way: nothing is trained.
    fs::remove_dir_all(folder.path().join("sweep/hidden-3-steps-1")).unwrap();
    let before = snapshot(folder.path());
    let outcome = equilibria(folder.path(), sweep);
    assert!(outcome.is_refused() && outcome.stderr.contains("hidden-3-steps-2: exists"), "{outcome:?}");
    assert_eq!(snapshot(folder.path()), before);
}

#[test]
fn info_tells_level_threads_features_and_version() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("EQUILIBRIA_SIMD", "portable"), ("RAYON_NUM_THREADS", "3")];
    let info = equilibria_with(folder.path(), "info --json", &environment).succeeded().json();
    assert_eq!((&info["simd_level"], &info["threads"]), (&"portable".into(), &3.into()));
    assert_eq!(info["version"], env!("CARGO_PKG_VERSION"));
    assert!(info["features"].as_array().unwrap().contains(&"cli".into()), "{info}");
    let text = equilibria(folder.path(), "info").succeeded().stdout;
    assert!(text.contains("SIMD level") && text.contains("threads"), "{text}");
}

#[test]
fn real_digits_train_from_their_folder_and_from_its_parent() {
    let Some(data) = real_data::folder() else { return };
    let data = std::path::absolute(data).unwrap();
    let (parent, own) = if data.ends_with("mnist") {
        (data.parent().unwrap(), data.clone())
    } else {
        (&*data, data.join("mnist"))
    };
    let folder = tempfile::tempdir().unwrap();
    let mut models = Vec::new();
    for (source, out) in [(parent, "a"), (&own, "b")] {
        let train = format!(
            "rbm train --data {} --images 1000 --hidden 20 --epochs 1 --out {out} --json -q",
            source.display()
        );
        let summary = equilibria(folder.path(), &train).succeeded().json();
        assert_eq!((&summary["data"], &summary["train_images"]), (&"mnist".into(), &1000.into()));
        let likelihood = summary["epochs"][0]["pseudo_log_likelihood"].as_f64().unwrap();
        assert!((-230.0..-120.0).contains(&likelihood), "{likelihood}");
        models.push(fs::read(folder.path().join(out).join("model.safetensors")).unwrap());
    }
    assert!(models[0] == models[1], "the two ways to the data differ");
    // The model knows where its data is, from any folder.
    equilibria(&folder.path().join("a"), "rbm sample . --from test:9999 --steps 1").succeeded();
    assert_png(&folder.path().join("a/samples.png"));
}
