//! Every command that writes results, with its files for several numbers of threads.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The commands in the order in which they run; each writes the file or folder of its last word.
const COMMANDS: &[&str] = &[
    "rbm train --data few --hidden 70 --epochs 2 --batch 40 --out rbm",
    "rbm sample rbm --steps 20 --out rbm-sample",
    "rbm reconstruct rbm --out rbm-reconstruct",
    "rbm filters rbm --out rbm-filters",
    "rbm transform rbm --out rbm-transform.npy",
    "rbm evaluate rbm --schedule 1/0.1 --chains 20 --images 5 --out rbm-evaluate",
    "rbm mixing rbm --images 10 --steps 30 --out rbm-mixing",
    "rbm sweep --data few --hidden 5,9 --epochs 1 --steps 1 --out rbm-sweep",
    "rbm store rbm --bits 8 --out rbm.st",
    "dbm train --data few --hidden 70-30 --epochs 1 --pretraining-epochs 1 --batch 40 --chains 20 --out dbm",
    "dbm sample dbm --steps 20 --out dbm-sample",
    "dbm reconstruct dbm --out dbm-reconstruct",
    "dbm filters dbm --out dbm-filters",
    "dbm transform dbm --out dbm-transform.npy",
    "dbm evaluate dbm --schedule 1/0.1 --gibbs-steps 5 --chains 20 --images 5 --out dbm-evaluate",
    "dbm store dbm --out dbm.st",
    "gan train --data few --latent 8 --generator 64-64 --discriminator 64 --steps 4 --every 2 --batch 32 --out gan",
    "gan train --data few --objective penalty --generator 64 --discriminator 64 --steps 2 --every 2 --batch 32 --out gan-penalty",
    "gan train --data cats --images 40 --network dcgan --width 8 --steps 2 --every 1 --batch 16 --out dcgan",
    "gan sample gan --out gan-sample",
    "gan evaluate gan --data few --images 50 --out gan-evaluate",
    "gan store gan --out gan.st",
    "gan toys --steps 50 --seeds 1 --width 32 --only ring --out toys",
    "classifier train --data few --epochs 1 --batch 30 --out classifier",
    "transport distance a.csv b.csv --plan exact.csv --out exact.json",
    "transport distance a.csv b.csv --method sinkhorn --out sinkhorn.json",
    "transport distance a.csv b.csv --method sliced --out sliced.json",
    "transport distance a.csv b.csv --method divergence --out divergence.json",
    "transport plan a.csv b.csv --out plan",
    "transport interpolate a.csv b.csv --out interpolate",
    "transport barycentre a.png b.png --out barycentre",
    "transport colours seaside.png jungle.png --out colours",
    "transport colours seaside.png jungle.png --method report-exact --samples 100 --out colours-exact",
    "transport colours seaside.png jungle.png --method report-entropic --samples 100 --out colours-entropic",
    "transport colours seaside.png jungle.png --method iterative --out colours-iterative",
    "divergences --out divergences",
    "reproduce figure7 --out figure7",
];

fn write_png(path: &Path, [width, height]: [usize; 2], color: png::ColorType, factor: usize) {
    let bytes: Vec<u8> =
        (0..width * height * color.samples()).map(|at| (at * at * factor / 31) as u8).collect();
    let file = fs::File::create(path).unwrap();
    let mut encoder = png::Encoder::new(file, width as u32, height as u32);
    encoder.set_color(color);
    encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
}

fn write_inputs(folder: &Path) {
    let digits = equilibria::data::synthetic::digits(0, 90).unwrap();
    fs::create_dir(folder.join("few")).unwrap();
    let images = equilibria::data::idx::to_bytes(digits.images()).unwrap();
    fs::write(folder.join("few/images-idx3-ubyte"), images).unwrap();
    let labels = [&[0, 0, 8, 1, 0, 0, 0, 90], digits.labels()].concat();
    fs::write(folder.join("few/labels-idx1-ubyte"), labels).unwrap();
    for (name, factor) in [("a", 7919_u32), ("b", 7907)] {
        let point = |i: u32| format!("{},{}\n", i * factor % 101, i * i * factor % 97);
        fs::write(folder.join(format!("{name}.csv")), (0..150).map(point).collect::<String>()).unwrap();
        write_png(&folder.join(format!("{name}.png")), [8, 6], png::ColorType::Grayscale, factor as usize);
    }
    write_png(&folder.join("seaside.png"), [24, 16], png::ColorType::Rgb, 3);
    write_png(&folder.join("jungle.png"), [24, 16], png::ColorType::Rgb, 5);
}

/// Removes the numbers that a clock or the system measured.
fn without_measurements(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| {
                !["seconds", "megabytes", "threads"].iter().any(|part| name.contains(part))
            });
            fields.values_mut().for_each(without_measurements);
        }
        Value::Array(values) => values.iter_mut().for_each(without_measurements),
        _ => {}
    }
}

/// The part of a file that the settings determine.
fn determined(name: &str, bytes: Vec<u8>) -> Vec<u8> {
    if name.ends_with(".json") {
        let mut value = serde_json::from_slice(&bytes).unwrap();
        without_measurements(&mut value);
        return value.to_string().into_bytes();
    }
    if name.ends_with("metrics.csv") {
        let text = String::from_utf8(bytes).unwrap();
        let rows = text.lines().map(|row| row.rsplit_once(',').unwrap().0);
        return rows.collect::<Vec<_>>().join("\n").into_bytes();
    }
    if name.ends_with("checkpoint.safetensors") {
        // Its metadata have the seconds.
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        return bytes[8 + header..].to_vec();
    }
    bytes
}

/// The determined part of every file below `folder` but pages, which show seconds, and locks.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut todo) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".html") && !name.ends_with(".lock") {
            let bytes = determined(&name, fs::read(&path).unwrap());
            found.insert(name, bytes);
        }
    }
    found
}

#[test]
fn every_command_writes_the_same_bytes_for_any_threads() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("work");
    let with = |threads: &str| {
        // The same folder again, as some files name it.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        write_inputs(&path);
        for command in COMMANDS {
            let output = Command::new(env!("CARGO_BIN_EXE_equilibria"))
                .args(command.split(' ').chain(["--threads", threads, "-q"]))
                .current_dir(&path)
                .output()
                .unwrap();
            assert!(output.status.success(), "{command}: {output:?}");
            let out = command.rsplit(' ').next().unwrap();
            assert!(path.join(out).exists(), "{command} wrote no {out}");
        }
        files(&path)
    };
    let one = with("1");
    for threads in ["2", "7"] {
        let found = with(threads);
        assert!(found.keys().eq(one.keys()), "{threads} threads: other files");
        let different: Vec<_> = one.iter().filter(|(name, bytes)| found[*name] != **bytes).collect();
        let names: Vec<_> = different.iter().map(|(name, _)| name).collect();
        assert!(names.is_empty(), "{threads} threads: {names:?} differ");
    }
}
