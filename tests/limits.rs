//! Does the program hold at the limits of a process: little memory, small files, small stacks, more threads than cores, and
//! a clock that goes back?
//!
//! The program asks first for memory whose size the caller chose: a limit then gives one sentence. Elsewhere Rust ends a process whose
//! allocation fails by SIGABRT (`src/memory.rs`); these tests permit that for less than [`SMALL`] bytes.
//!
//! The seconds of runs come from `std::time::Instant`, which is monotonic and whose differences are at least 0. No
//! file of `src` reads the time of day. The table of all faults is in `tests/faults.rs`.
#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "faults/setting.rs"]
mod setting;

use setting::{shim, write_digits};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

/// Bytes of an allocation that may end the process.
const SMALL: usize = 16 << 20;
const SIGABRT: i32 = 6;

/// A short run of each kind of training, without `--out`.
const TRAINING: [&str; 4] = [
    "rbm train --data few --hidden 20 --epochs 2 --batch 30",
    "dbm train --data few --hidden 20-10 --epochs 1 --pretraining-epochs 1 --batch 30 --chains 5",
    "gan train --data few --latent 2 --generator 20 --discriminator 20 --steps 4 --every 2 --batch 20",
    "classifier train --data few --epochs 1 --batch 30",
];

/// Runs the program with a limit of `ulimit`, if any. `None` if the shell refuses the limit.
fn limited(folder: &Path, limit: &str, arguments: &str) -> Option<Output> {
    const REFUSED: i32 = 99;
    let set = if limit.is_empty() { String::new() } else { format!("ulimit {limit} || exit {REFUSED}; ") };
    let output = Command::new("sh")
        .args(["-c", &format!("{set}exec \"$0\" {arguments}"), env!("CARGO_BIN_EXE_equilibria")])
        .current_dir(folder)
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("there is a shell");
    if output.status.code() == Some(REFUSED) {
        println!("skipped `{arguments}`: the shell cannot set `ulimit {limit}`");
        return None;
    }
    Some(output)
}

#[track_caller]
fn succeeds(folder: &Path, arguments: &str) {
    let output = limited(folder, "", arguments).unwrap();
    assert!(output.status.success(), "{arguments}: {output:?}");
}

/// The sentence of a failure, if the program ended with exactly one.
fn sentence(output: &Output) -> Option<String> {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut errors = text.lines().filter_map(|line| line.strip_prefix("error: "));
    let first = errors.next()?.to_owned();
    (matches!(output.status.code(), Some(1 | 2)) && errors.next().is_none()).then_some(first)
}

/// The bytes of the allocation that ended the process.
fn failed_allocation(output: &Output) -> Option<usize> {
    let text = String::from_utf8_lossy(&output.stderr);
    let after = text.split_once("memory allocation of ")?.1;
    (output.status.signal() == Some(SIGABRT)).then(|| after.split(' ').next()?.parse().ok())?
}

/// Writes points in the plane, one to a line.
fn write_points(path: &Path, count: u32) {
    let line =
        |i: u32| format!("{},{}\n", f64::from(i * 7919 % 1000) / 1e3, f64::from(i * 104_729 % 997) / 1e3);
    fs::write(path, (0..count).map(line).collect::<String>()).unwrap();
}

/// A file that begins with `header` and has `content` further bytes of 0, which take no place on the disk.
fn write_sparse(path: &Path, header: &[u8], content: u64) {
    fs::write(path, header).unwrap();
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(header.len() as u64 + content).unwrap();
}

fn write_inputs(folder: &Path) {
    write_digits(folder);
    write_points(&folder.join("few.csv"), 200);
    write_points(&folder.join("many.csv"), 3_000);
    let sizes = [1_000_000_u32, 28, 28].map(u32::to_be_bytes).concat();
    write_sparse(&folder.join("huge-idx3-ubyte"), &[&[0, 0, 8, 3], &sizes[..]].concat(), 784_000_000);
    let header = format!("{:<117}\n", "{'descr': '<f8', 'fortran_order': False, 'shape': (40000000, 2), }");
    let header = [&b"\x93NUMPY\x01\x00"[..], &[118, 0], header.as_bytes()].concat();
    write_sparse(&folder.join("huge.npy"), &header, 640_000_000);
    for (name, side) in [("small.png", 40), ("large.png", 4_000)] {
        let file = fs::File::create(folder.join(name)).unwrap();
        let mut encoder = png::Encoder::new(std::io::BufWriter::new(file), side, side);
        encoder.set_color(png::ColorType::Rgb);
        let bytes: Vec<u8> =
            (0..side * side * 3).map(|at| (at.wrapping_mul(at) / 977) as u8 / (side / 40) as u8).collect();
        encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
    }
}

#[test]
fn little_memory_ends_in_a_result_or_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_inputs(path);
    let large = [
        "rbm train --data few --hidden 200000 --epochs 1 --batch 30",
        "dbm train --data few --hidden 20000-20000 --epochs 1 --batch 30",
        "gan train --data few --steps 2 --batch 20 --generator 9000-9000",
        "gan train --data cats --images 60 --network dcgan --width 256 --steps 1 --batch 20",
        "rbm train --data huge-idx3-ubyte --hidden 5 --epochs 1",
        "transport distance huge.npy few.csv --method sliced",
        "transport distance huge-idx3-ubyte huge-idx3-ubyte --method sliced",
        "transport colours large.png small.png",
        "rbm train --images 2000000 --hidden 5 --epochs 1",
        "classifier train --data few --epochs 1 --batch 75",
    ];
    let usual = [
        "transport distance few.csv few.csv --plan plan.csv",
        "transport distance many.csv many.csv",
        "transport distance many.csv few.csv --method sliced",
        "transport colours small.png small.png",
        "reproduce figure7",
    ];
    let [mut results, mut sentences, mut aborts] = [0; 3];
    for kilobytes in [60_000, 600_000, 1_000_000] {
        for (number, command) in large.iter().chain(&usual).chain(&TRAINING).enumerate() {
            let out = if command.contains("distance") { "" } else { "--out out" };
            let force = if command.contains("train") { "--force" } else { "" };
            let _ = fs::remove_dir_all(path.join("out"));
            let Some(output) =
                limited(path, &format!("-v {kilobytes}"), &format!("{command} {out} {force} -q"))
            else {
                return;
            };
            let case = format!("{kilobytes} KB, {command}: {output:?}");
            match (sentence(&output), failed_allocation(&output)) {
                (Some(_), _) => sentences += 1,
                _ if output.status.success() => results += 1,
                (_, Some(bytes)) if bytes < SMALL && number >= large.len() => aborts += 1,
                _ => panic!("{case}"),
            }
            // The large commands can never fit into 60 MB.
            assert!(kilobytes > 60_000 || number >= large.len() || sentence(&output).is_some(), "{case}");
        }
    }
    // With --nocapture, evidence for the table of faults.
    println!("{results} results, {sentences} sentences, {aborts} failed allocations of less than 16 MB");
}

/// Its kernel of 8 million numbers does not fit, the points do.
#[test]
fn sinkhorns_algorithm_needs_no_matrix() {
    let folder = tempfile::tempdir().unwrap();
    write_points(&folder.path().join("many.csv"), 3_000);
    let distance = |limit: &str| {
        let command =
            "transport distance many.csv many.csv --method sinkhorn --epsilon 0.5 --tolerance 1e-5 --json -q";
        let output = limited(folder.path(), limit, command)?;
        assert!(output.status.success(), "{output:?}");
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        Some(summary["cost"].as_f64().unwrap())
    };
    let Some(found) = distance("-v 60000") else { return };
    let expected = distance("").unwrap();
    assert!((found - expected).abs() < 1e-4 * expected, "{found} and {expected}");
}

#[test]
fn a_run_without_memory_goes_on_from_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_digits(path);
    let train = "rbm train --data few --hidden 500 --batch 30 -q";
    succeeds(path, &format!("{train} --epochs 3 --out whole"));
    let model = |run: &str| fs::read(path.join(run).join("model.safetensors")).unwrap();
    let mut ends = Vec::new();
    for megabytes in [20, 30, 45, 60, 75] {
        succeeds(path, &format!("{train} --epochs 1 --out run --force"));
        let limit = format!("-v {megabytes}000");
        let Some(output) = limited(path, &limit, "rbm train --resume run --epochs 3 -q") else { return };
        let end = (output.status.code(), output.status.signal());
        assert!(output.status.success() || end.1.is_some() || sentence(&output).is_some(), "{output:?}");
        ends.push(end);
        assert!(!output.status.success() || model("run") == model("whole"), "{megabytes} MB: another model");
        succeeds(path, "rbm train --resume run --epochs 3 -q");
        assert!(model("run") == model("whole"), "{megabytes} MB, then enough: another model");
    }
    assert!(ends.iter().any(|end| end.0 != Some(0)), "no limit was too small: {ends:?}");
}

#[test]
fn threads_that_the_system_refuses_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    write_points(&folder.path().join("few.csv"), 200);
    for (command, threads) in [("transport distance few.csv few.csv --threads 64", ""), ("info", "64")] {
        let limit = format!("-v 60000; export RAYON_NUM_THREADS={threads}");
        let limit = limit.trim_end_matches("; export RAYON_NUM_THREADS=");
        let Some(output) = limited(folder.path(), limit, command) else { return };
        let sentence = sentence(&output).unwrap_or_else(|| panic!("{command}: {output:?}"));
        assert!(sentence.starts_with("starting the threads: "), "{sentence}");
    }
}

#[test]
fn a_limit_of_file_sizes_keeps_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_digits(path);
    for train in TRAINING {
        let kind = train.split(' ').next().unwrap();
        let [model, checkpoint] =
            ["model", "checkpoint"].map(|name| path.join(kind).join(format!("{name}.safetensors")));
        succeeds(path, &format!("{train} --out {kind} -q"));
        let (whole, before) = (fs::read(&model).unwrap(), fs::read(&checkpoint).unwrap());
        // The checkpoint of a finished run, as if it had been stopped before its model was written.
        fs::remove_file(&model).unwrap();
        let Some(output) = limited(path, "-f 2", &format!("{kind} train --resume {kind} -q")) else { return };
        let sentence = sentence(&output).unwrap_or_else(|| panic!("{train}: {output:?}"));
        let is_named = sentence.starts_with(&format!("writing {kind}/"));
        assert!(is_named && sentence.contains("File too large"), "{train}: {sentence}");
        assert!(fs::read(&checkpoint).unwrap() == before, "{train}: the checkpoint changed");
        succeeds(path, &format!("{kind} train --resume {kind} -q"));
        assert!(fs::read(&model).unwrap() == whole, "{train}: another model");
        // From the start, with no room for a checkpoint.
        let output = limited(path, "-f 2", &format!("{train} --out {kind}-small -q")).unwrap();
        assert_eq!(output.status.code(), Some(1), "{train}: {output:?}");
        succeeds(path, &format!("{train} --out {kind}-small --force -q"));
        let small = fs::read(path.join(format!("{kind}-small/model.safetensors"))).unwrap();
        assert!(small == whole, "{train}: another model after the limit");
    }
}

#[test]
fn small_stacks_suffice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_inputs(path);
    let others = [
        "transport distance few.csv few.csv",
        "transport distance few.csv few.csv --method divergence",
        "transport colours small.png small.png",
        "reproduce figure7",
        "gan toys --steps 50 --seeds 1 --width 8",
    ];
    for (number, command) in TRAINING.iter().chain(&others).enumerate() {
        // The main thread's stack, and those of the others.
        let limit = "-s 128; export RUST_MIN_STACK=131072";
        let out = if command.contains("distance") { String::new() } else { format!("--out out{number}") };
        let Some(output) = limited(path, limit, &format!("{command} {out} -q")) else { return };
        assert!(output.status.success(), "{command}: {output:?}");
    }
}

#[test]
fn one_thread_and_many_more_than_cores_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write_digits(path);
    for train in TRAINING {
        let with = |threads: &str| {
            succeeds(path, &format!("{train} --out {threads} --force --threads {threads} -q"));
            fs::read(path.join(threads).join("model.safetensors")).unwrap()
        };
        assert!(with("1") == with("64"), "{train}");
    }
}

#[test]
fn a_clock_that_goes_back_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let Some(shim) = shim(path) else {
        println!("skipped a_clock_that_goes_back_changes_nothing: there is no rustc");
        return;
    };
    write_digits(path);
    for train in TRAINING {
        let [model, metrics] = ["run/model.safetensors", "run/metrics.csv"].map(|name| path.join(name));
        succeeds(path, &format!("{train} --out run --force -q"));
        let expected = fs::read(&model).unwrap();
        let preload = format!("-n 64; export FAULT_CLOCK=1 LD_PRELOAD={}", shim.display());
        let Some(output) = limited(path, &preload, &format!("{train} --out run --force -q")) else { return };
        assert!(output.status.success(), "{train}: {output:?}");
        assert!(fs::read(&model).unwrap() == expected, "{train}: another model");
        let metrics = fs::read_to_string(&metrics).unwrap();
        for row in metrics.lines().skip(1) {
            let seconds: f64 = row.rsplit_once(',').unwrap().1.parse().unwrap();
            assert!(seconds == 0.0, "{train}: {row}");
        }
    }
}
