//! Is nothing lost when a full disk, a failing disk or a kill strikes at any call that changes a file?
//!
//! A preloaded library (`tests/faults/shim.rs`) lets one such call of the program fail, or ends the process there. After
//! that, the run must go on, or start again, and end with the bytes of an undisturbed one.
//!
//! # Faults tried and what was lost
//! Every row holds for all four kinds of training, except where it names one. "Steps" are those since the last checkpoint;
//! a resumed run repeats them and ends with the same bytes. The tests of the lower half are in `tests/limits.rs`.
//!
//! | fault | how it is tried | what is lost |
//! |---|---|---|
//! | kill | at each call: `..._loses_nothing_by_a_fault_at_any_call`; at random moments: `tests/command_line/stopping.rs` | steps |
//! | full disk (ENOSPC) | at each call, as above | steps; one sentence |
//! | failing disk (EIO) | at each call, as above | steps; one sentence |
//! | torn write | half of the bytes, then a kill; at each call, as above | steps |
//! | signal while data are loaded | `a_signal_ends_the_wait_for_data_that_never_come` | nothing: no file is written |
//! | limit of the size of files (SIGXFSZ) | `a_limit_of_file_sizes_keeps_the_last_checkpoint` | steps; one sentence that names the file |
//! | too little memory | `little_memory_ends_in_a_result_or_a_sentence`, `a_run_without_memory_goes_on_from_its_checkpoint` | steps; one sentence, or Rust's `memory allocation of N bytes failed` and SIGABRT where an allocation of less than 16 MB fails |
//! | no memory for threads | `threads_that_the_system_refuses_are_an_error` | nothing; one sentence |
//! | small stacks | `small_stacks_suffice` | nothing, from 128 KB on; with less, Rust's `stack overflow` and SIGABRT |
//! | clock that goes back | `a_clock_that_goes_back_changes_nothing` | nothing |
#![cfg(all(feature = "cli", target_os = "linux", target_env = "gnu"))]

#[path = "faults/setting.rs"]
mod setting;

use setting::{shim, write_digits};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const KINDS: [&str; 4] = ["enospc", "eio", "torn", "kill"];
/// Status of a process that the shim ended.
const KILLED: i32 = 137;

/// Runs the program in `folder`, with a fault at a call if one is given.
fn equilibria(folder: &Path, shim: &Path, arguments: &str, fault: Option<(usize, &str)>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_equilibria"));
    command
        .current_dir(folder)
        .args(arguments.split(' '))
        .env("RAYON_NUM_THREADS", "1")
        .env("LD_PRELOAD", shim);
    match fault {
        Some((at, kind)) => command.env("FAULT_AT", at.to_string()).env("FAULT_KIND", kind),
        None => command.env("FAULT_COUNT", folder.join("count")),
    };
    command.output().expect("the program starts")
}

/// Lets each call of a training run meet one kind of fault; the calls beside it meet the others.
fn try_faults(kind: &str, options: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let Some(shim) = shim(path) else {
        println!("skipped the faults of {kind}: there is no rustc");
        return;
    };
    write_digits(path);
    let train = format!("{kind} train --data few {options} --out run -q");
    let (run, model) = (path.join("run"), path.join("run/model.safetensors"));
    let whole = equilibria(path, &shim, &train, None);
    assert!(whole.status.success(), "{train}: {whole:?}");
    let (expected, calls) = (fs::read(&model).unwrap(), fs::read_to_string(path.join("count")).unwrap());
    let calls: usize = calls.parse().unwrap();
    assert!(calls > 15, "{train}: only {calls} calls");
    let mut survived = 0;
    for at in 1..=calls {
        let fault = KINDS[at % KINDS.len()];
        fs::remove_dir_all(&run).unwrap();
        let struck = equilibria(path, &shim, &train, Some((at, fault)));
        let text = String::from_utf8_lossy(&struck.stderr).into_owned();
        let case = format!("{train}, {fault} at call {at}: {text}");
        match struck.status.code() {
            // Only a file that the result does not depend on.
            Some(0) => survived += 1,
            Some(1) => {
                let errors = text.lines().filter(|line| line.starts_with("error: ")).count();
                assert_eq!(errors, 1, "{case}");
            }
            Some(KILLED) => assert!(fault == "torn" || fault == "kill", "{case}"),
            other => panic!("status {other:?}: {case}"),
        }
        let again = match run.join("checkpoint.safetensors").exists() {
            true => format!("{kind} train --resume run -q"),
            false => format!("{train} --force"),
        };
        let resumed = equilibria(path, &shim, &again, None);
        let text = String::from_utf8_lossy(&resumed.stderr);
        assert!(resumed.status.success(), "{case}\n{again}: {text}");
        assert!(fs::read(&model).unwrap() == expected, "{case}\n{again}: another model");
        let names = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name());
        let left: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".tmp")).collect();
        assert!(left.is_empty(), "{case}: {left:?}");
    }
    // With --nocapture, a row of the table of the faults that were tried.
    println!("{kind}: {calls} calls, each with a fault, {survived} without effect, nothing lost");
}

#[test]
fn a_restricted_machine_loses_nothing_by_a_fault_at_any_call() {
    try_faults("rbm", "--hidden 5 --epochs 2 --batch 30");
}

#[test]
fn a_deep_machine_loses_nothing_by_a_fault_at_any_call() {
    try_faults("dbm", "--hidden 5-4 --epochs 1 --pretraining-epochs 1 --batch 30 --chains 5");
}

#[test]
fn a_game_loses_nothing_by_a_fault_at_any_call() {
    try_faults("gan", "--latent 2 --generator 4 --discriminator 4 --steps 4 --every 2 --batch 20");
}

#[test]
fn a_classifier_loses_nothing_by_a_fault_at_any_call() {
    try_faults("classifier", "--epochs 1 --batch 30");
}

/// Nothing is lost before work begins, so that a signal ends the process as it ends any other.
#[test]
fn a_signal_ends_the_wait_for_data_that_never_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let Some(shim) = shim(path) else {
        println!("skipped a_signal_ends_the_wait_for_data_that_never_come: there is no rustc");
        return;
    };
    write_digits(path);
    for train in ["rbm train --hidden 4", "dbm train --hidden 5-4", "gan train --generator 4 --steps 1"] {
        let kind = train.split(' ').next().unwrap();
        let epochs = if kind == "gan" { "" } else { "--epochs 1" };
        let command = format!("{train} {epochs} --batch 20 --data few --out {kind} -q");
        let command: Vec<&str> = command.split_whitespace().collect();
        let made = equilibria(path, &shim, &command.join(" "), None);
        assert!(made.status.success(), "{made:?}");
    }
    fs::remove_file(path.join("count")).unwrap();
    let files = || {
        let mut files: Vec<_> = ["rbm", "dbm", "gan"]
            .iter()
            .flat_map(|run| fs::read_dir(path.join(run)).unwrap())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (fs::read(&path).unwrap(), path))
            .collect();
        files.sort();
        files
    };
    let (before, entries) = (files(), fs::read_dir(path).unwrap().count());
    let mut waiting: Vec<(&str, Child)> = [
        "rbm train --data few --out new",
        "rbm train --resume rbm",
        "rbm sweep --data few --out new",
        "rbm evaluate rbm --out new",
        "rbm reproduce-literature --data few --out new",
        "dbm train --data few --out new",
        "dbm train --resume dbm",
        "dbm evaluate dbm --out new",
        "gan train --data few --out new",
        "gan train --resume gan",
        "gan evaluate gan --data few --out new",
        "classifier train --data few --out new",
        "reproduce figure2 --data few --out new",
    ]
    .map(|command| {
        let mut started = Command::new(env!("CARGO_BIN_EXE_equilibria"));
        started.current_dir(path).args(command.split(' ')).env("LD_PRELOAD", &shim);
        started.env("FAULT_WAIT", "images-idx3-ubyte").stdout(Stdio::null()).stderr(Stdio::null());
        (command, started.spawn().unwrap())
    })
    .into();
    // Long enough for each to be at the file.
    std::thread::sleep(Duration::from_millis(1_000));
    for (command, child) in &mut waiting {
        assert!(child.try_wait().unwrap().is_none(), "`{command}` did not wait for data");
        let sent = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status();
        assert!(sent.unwrap().success());
        let deadline = Instant::now() + Duration::from_secs(5);
        while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(15), "`{command}`");
    }
    assert!(files() == before, "a run changed");
    assert_eq!(fs::read_dir(path).unwrap().count(), entries, "something new is there");
}
