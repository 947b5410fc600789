//! Runs that end early: diverged, killed, interrupted.

use super::{BINARY, equilibria, monitors, write_digits};
use equilibria::checkpoint::Archive;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn start(folder: &Path, arguments: &str) -> Child {
    Command::new(BINARY)
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The checkpoint of `run`, if there is one; it must be whole.
fn checkpoint(run: &Path) -> Option<Archive> {
    let bytes = fs::read(run.join("checkpoint.safetensors")).ok()?;
    let archive = Archive::from_bytes(&bytes, "checkpoint").unwrap();
    for name in ["weight", "visible_bias", "hidden_bias"] {
        assert!(archive.names().any(|found| found == name), "{name}");
    }
    Some(archive)
}

fn counted(archive: &Archive, key: &str) -> usize {
    archive.required_metadata(key).unwrap().parse().unwrap()
}

#[track_caller]
fn assert_same_end(run: &Path, reference: &Path) {
    let model = |run: &Path| fs::read(run.join("model.safetensors")).unwrap();
    assert!(model(run) == model(reference), "the models differ");
    assert_eq!(monitors(run), monitors(reference));
}

#[test]
fn divergence_names_place_and_cause_and_keeps_the_last_good_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let train =
        "rbm train --images 200 --hidden 8 --epochs 4 --batch 20 --learning-rate 0.05:1e30@3 --out run -q";
    let resume = "rbm train --resume run -q";
    for arguments in [train, resume] {
        let outcome = equilibria(folder.path(), arguments);
        assert_eq!((outcome.is_refused(), outcome.stdout.as_str()), (true, ""));
        let text = &outcome.stderr;
        assert!(text.starts_with("error: ") && text.lines().count() == 1, "{text}");
        for words in [
            "error: diverged in epoch 3, batch ",
            " is no longer finite; the likely cause is --learning-rate 1e30: take a tenth of it; ",
            "the last checkpoint is kept in run\n",
        ] {
            assert!(text.contains(words), "{text}");
        }
        let parameter = ["weight", "visible_bias", "hidden_bias"].iter().find(|&name| text.contains(name));
        assert!(parameter.is_some(), "{text}");
        assert_eq!(summary(&run)["epochs"].as_array().unwrap().len(), 2);
        let checkpoint = checkpoint(&run).unwrap();
        assert_eq!((counted(&checkpoint, "epoch"), counted(&checkpoint, "batch")), (2, 0));
        assert!(checkpoint.tensor_f32("weight", &[784, 8]).unwrap().iter().all(|x| x.is_finite()));
        assert_eq!(monitors(&run).len(), 3);
        assert!(!run.join("model.safetensors").exists());
    }
    let outcome = equilibria(folder.path(), "rbm sample run");
    let words = "summary.json says why the run left none; start it again with other settings";
    assert!(outcome.is_refused() && outcome.stderr.contains(words), "{outcome:?}");
    // With a rate that it can go on with, nothing is left of it.
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    let rate = config.lines().find(|line| line.starts_with("learning_rate = ")).unwrap();
    fs::write(run.join("config.toml"), config.replace(rate, "learning_rate = \"0.01\"")).unwrap();
    equilibria(folder.path(), resume).succeeded();
    let summary = summary(&run);
    assert!(summary["diverged"].is_null() && summary["epochs"].as_array().unwrap().len() == 4, "{summary}");
}

fn summary(run: &Path) -> Value {
    serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap()
}

/// The symptom, the option to blame and the command. Only the first three have numbers that f32 cannot hold.
const DIVERGING: [(&str, &str, &str); 13] = [
    (
        "weight is no longer finite",
        "--weight-decay 1e30: at a learning rate of 0.05 a decay of 60 alone makes weights grow; take far less",
        "rbm train --hidden 8 --epochs 2 --weight-decay 1e30",
    ),
    (
        "bias_1 is no longer finite",
        "--sparsity-cost 1e40",
        "dbm train --hidden 9-5 --epochs 9 --sparsity 0.1,0.1 --sparsity-cost 1e40",
    ),
    (
        "discriminator.2.weight is no longer finite after step ",
        "--generator-rate 1e20: take a tenth of it, or the usual 2e-4",
        "gan train --latent 4 --generator 16 --discriminator 16 --objective standard --generator-rate 1e20 --steps 20 --every 2",
    ),
    (
        "the pseudo-log-likelihood of training images is -",
        "--learning-rate 1e5",
        "rbm train --hidden 8 --epochs 1 --learning-rate 1e5",
    ),
    (
        "the pseudo-log-likelihood of training images is -",
        "--weight-decay 80",
        "rbm train --hidden 8 --epochs 9 --weight-decay 80",
    ),
    (
        "the pseudo-log-likelihood of training images is -",
        "--momentum 0.999999",
        "rbm train --hidden 8 --epochs 40 --learning-rate 0.9 --momentum 0.999999 --centred",
    ),
    (
        "the mean cross-entropy is ",
        "--learning-rate 10000",
        "classifier train --learning-rate 1e4 --epochs 1",
    ),
    (
        "the log-likelihood of reconstructed training images is -",
        "--learning-rate 1e5",
        "dbm train --hidden 20-10 --epochs 1 --learning-rate 1e5",
    ),
    (
        "the log-likelihood of reconstructed training images is -",
        "--pretraining-rate 10000",
        "dbm train --hidden 20-10 --epochs 1 --pretraining-epochs 1 --pretraining-rate 1e4",
    ),
    (
        "a loss of ",
        "--generator-rate 10",
        "gan train --latent 4 --generator 16 --discriminator 16 --objective standard --generator-rate 10 --steps 100 --every 2",
    ),
    (
        "a loss, score, gradient or slope is not finite",
        "--penalty 1e20",
        "gan train --latent 4 --generator 16 --discriminator 16 --objective penalty --penalty 1e20 --steps 40 --every 2",
    ),
    (
        "the critic's slope of ",
        "--generator-rate 1000",
        "gan train --latent 4 --generator 16 --discriminator 16 --objective penalty --generator-rate 1000 --steps 100 --every 2",
    ),
    (
        "the pseudo-log-likelihood of training images is -",
        "--learning-rate 1e5",
        "rbm sweep --hidden 8 --epochs 1 --steps 1 --learning-rate 1e5",
    ),
];

#[test]
fn numbers_that_no_sane_model_has_are_divergence() {
    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("digits"), 8, 300, 50);
    for (symptom, cause, command) in DIVERGING {
        let out = folder.path().join("run");
        let outcome =
            equilibria(folder.path(), &format!("{command} --data digits --batch 20 --out run --force -q"));
        assert_eq!((outcome.is_refused(), outcome.stdout.as_str()), (true, ""), "{command}: {outcome:?}");
        let text = &outcome.stderr;
        assert!(
            text.starts_with("error: diverged in epoch ") && text.lines().count() == 1,
            "{command}: {text}"
        );
        let cause = format!("; the likely cause is {cause}");
        assert!(text.contains(symptom) && text.contains(&cause), "{command}: {text}");
        let run = if command.contains("sweep") { out.join("hidden-8-steps-1") } else { out };
        assert!(!run.join("model.safetensors").exists());
        let archive =
            Archive::from_bytes(&fs::read(run.join("checkpoint.safetensors")).unwrap(), "checkpoint")
                .unwrap();
        for name in archive.names().filter(|&name| name != "history") {
            let values = archive.tensor_f32(name, archive.shape(name).unwrap()).unwrap();
            assert!(values.iter().all(|x| x.is_finite()), "{command}: {name}");
        }
        let summary = summary(&run);
        let told = summary["diverged"].as_str().or(summary["stability"]["reasons"][0].as_str()).unwrap();
        assert!(told.contains(symptom) && told.contains(&cause), "{command}: {told}");
        fs::remove_dir_all(folder.path().join("run")).unwrap();
    }
}

/// Rates hundreds of times too high, weights far from anything useful, and some that begin beyond the line and recover.
#[test]
fn models_that_learn_badly_have_not_diverged() {
    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("digits"), 8, 300, 50);
    for command in [
        "rbm train --hidden 30 --epochs 2 --learning-rate 30",
        "rbm train --hidden 30 --epochs 9 --learning-rate 30 --centred",
        "rbm train --hidden 30 --epochs 2 --weight-decay 55",
        "dbm train --hidden 20-10 --epochs 6 --learning-rate 10..0.01",
        "dbm train --hidden 20-10 --epochs 2 --pretraining-epochs 2 --pretraining-rate 30",
        "gan train --latent 4 --generator 16 --discriminator 16 --objective standard --generator-rate 0.1 --steps 100 --every 2",
        "gan train --latent 4 --generator 16 --discriminator 16 --objective penalty --generator-rate 0.1 --steps 100 --every 2",
        "gan train --latent 4 --generator 16 --discriminator 16 --objective clipping --clip 1e30 --steps 100 --every 2",
    ] {
        let outcome =
            equilibria(folder.path(), &format!("{command} --data digits --batch 20 --out run --force -q"));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{command}");
        let summary = summary(&folder.path().join("run"));
        assert!(
            summary["diverged"].is_null() && summary["stability"]["verdict"] != "diverged",
            "{command}: {summary}"
        );
    }
}

#[test]
fn a_kill_at_any_moment_leaves_a_run_that_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (run, reference) = (folder.path().join("run"), folder.path().join("reference"));
    write_digits(&folder.path().join("digits"), 6, 103, 20);
    let train = "rbm train --data digits --hidden 7 --epochs 250 --batch 10 --out";
    let clock = Instant::now();
    equilibria(folder.path(), &format!("{train} reference -q")).succeeded();
    let whole = clock.elapsed();

    let mut reached = vec![0];
    for kill in 0..8_u32 {
        let begun = checkpoint(&run).is_some();
        let mut child = match begun {
            true => start(folder.path(), "rbm train --resume run"),
            false => start(folder.path(), &format!("{train} run --force")),
        };
        // Fractions of the run without a pattern, from a twentieth to a seventh.
        std::thread::sleep(whole.mul_f64(0.05 + 0.09 * (f64::from(kill) * 0.618).fract()));
        child.kill().unwrap();
        child.wait().unwrap();
        let Some(checkpoint) = checkpoint(&run) else { continue };
        let epoch = counted(&checkpoint, "epoch");
        assert!(epoch >= *reached.last().unwrap(), "epoch {epoch} after {reached:?}");
        reached.push(epoch);
    }
    reached.dedup();
    assert!(reached.len() > 2, "no kill came amid the run: epochs {reached:?} of 250");
    equilibria(folder.path(), "rbm train --resume run -q").succeeded();
    assert_same_end(&run, &reference);
    let left = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = left.filter(|name| name.ends_with(".tmp")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Starts a run, presses Ctrl-C once epoch 1 is over, and returns what the run said after that.
#[cfg(unix)]
fn interrupt(folder: &Path, train: &str, delay: Duration) -> String {
    use std::io::{BufRead, BufReader, Read};

    let mut child = start(folder, train);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("epoch   1/") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "the run ended before its first epoch");
    }
    std::thread::sleep(delay);
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    said
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_batch_and_the_run_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (run, reference) = (folder.path().join("run"), folder.path().join("reference"));
    write_digits(&folder.path().join("digits"), 8, 12_001, 20);
    let train = "rbm train --data digits --hidden 24 --epochs 6 --batch 2 --binarise sampled --out";
    equilibria(folder.path(), &format!("{train} reference -q")).succeeded();

    // The signal may come between two epochs; then once more, at another moment.
    let mut last = None;
    for attempt in 0..6 {
        let delay = Duration::from_millis(5 + 7 * attempt);
        let said = interrupt(folder.path(), &format!("{train} run --force"), delay);
        let checkpoint = checkpoint(&run).unwrap();
        let (epoch, batch) = (counted(&checkpoint, "epoch"), counted(&checkpoint, "batch"));
        assert!((1..6).contains(&epoch) && batch <= 6_001, "epoch {epoch}, batch {batch}");
        assert!(!run.join("model.safetensors").exists() && !run.join("summary.json").exists());
        if batch > 0 {
            last = said.lines().last().map(str::to_owned);
            break;
        }
    }
    // The last line says what to type.
    let last = last.expect("no signal came amid an epoch");
    let resume = last.strip_prefix("error: interrupted; `equilibria ").and_then(|rest| rest.split_once('`'));
    equilibria(folder.path(), resume.unwrap_or_else(|| panic!("{last}")).0).succeeded();
    assert_same_end(&run, &reference);
}

/// Waits until the run has a checkpoint, which an interruption could lose.
#[cfg(unix)]
fn await_checkpoint(run: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while checkpoint(run).is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
fn signal(which: &str, child: &Child) {
    let status = Command::new("kill").args([which, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// `timeout` of GNU sends a signal to the process and one to its group, the process among them.
#[cfg(unix)]
#[test]
fn signals_within_a_second_count_as_one_and_lose_nothing() {
    use std::io::Read;

    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    write_digits(&folder.path().join("digits"), 8, 100, 20);
    let train = "rbm train --data digits --hidden 64 --epochs 2 --batch 50 --out run -q --steps";
    // A batch of a second or so: the first is not over when the second signal comes.
    let mut child = start(folder.path(), &format!("{train} 20000"));
    await_checkpoint(&run);
    std::thread::sleep(Duration::from_millis(100));
    ["-TERM", "-TERM", "-HUP"].into_iter().for_each(|which| signal(which, &child));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(
        said.ends_with("error: interrupted; `equilibria rbm train --resume run` continues the run\n"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
    // Unless they came before the first batch.
    assert!(counted(&checkpoint(&run).unwrap(), "batch") <= 1);

    // A batch that never ends: a second signal ends the process.
    let mut child = start(folder.path(), &format!("{train} 1000000000 --force"));
    std::thread::sleep(Duration::from_millis(300));
    await_checkpoint(&run);
    signal("-INT", &child);
    std::thread::sleep(Duration::from_millis(1_200));
    assert!(child.try_wait().unwrap().is_none());
    signal("-INT", &child);
    said.clear();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.ends_with("\nstopped at once; nothing since the last checkpoint is kept\n"), "{said}");
    assert_eq!(counted(&checkpoint(&run).unwrap(), "batch"), 0);
}

/// Ctrl-C is heard outside of training too: in Gibbs chains and while rows are filled in.
#[cfg(unix)]
#[test]
fn ctrl_c_stops_figures_and_sweeps_wherever_they_are() {
    use std::io::{BufRead, BufReader, Read};

    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("digits"), 28, 60, 20);
    let sweep = "rbm sweep --data digits --hidden 2 --epochs 100000 --steps 1 --batch 10";
    for (command, moment, told) in [
        (
            "reproduce figure2 --data digits",
            "trained 500 ",
            "the same command makes the figures from the start",
        ),
        (
            "reproduce figure3 --data digits",
            "trained 500 ",
            "the same command makes the figures from the start",
        ),
        (
            "reproduce figure4 --data digits",
            "measured 2",
            "the same command makes the figures from the start",
        ),
        (sweep, "epoch   1/", "the sweep starts again with --force"),
    ] {
        let mut child = start(folder.path(), command);
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with(moment) {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "`{command}` ended early");
        }
        let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "`{command}`: {said}");
        assert!(said.ends_with(&format!("error: interrupted; {told}\n")), "`{command}`: {said}");
        assert!(!folder.path().join("out/index.html").exists());
    }
}

/// In the steps of annealing and in the states of an enumeration.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_an_evaluation_with_a_sentence() {
    use std::io::Read;

    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("digits"), 28, 60, 20);
    let train = "rbm train --data digits --hidden 25 --batch 10 --epochs 1 --out run -q";
    equilibria(folder.path(), train).succeeded();
    for (method, out) in [("--schedule 1/0.000001", "annealed"), ("--exact", "exact")] {
        let mut child = start(folder.path(), &format!("rbm evaluate run {method} --out {out}"));
        // The folder is made when the work begins.
        let deadline = Instant::now() + Duration::from_secs(30);
        while !folder.path().join(out).exists() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(100));
        let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{method}: {said}");
        let last = said.lines().last().unwrap_or_default();
        assert_eq!(last, "error: interrupted; nothing is kept: the same command starts anew", "{method}");
        assert_eq!(said.lines().filter(|line| !line.contains("/s ")).count(), 1, "{method}: {said}");
        assert_eq!(fs::read_dir(folder.path().join(out)).unwrap().count(), 0, "{method}");
    }
}

#[test]
fn a_run_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("digits"), 6, 103, 20);
    let train = "rbm train --data digits --hidden 7 --epochs 1000000 --batch 10 --out run";
    let mut child = start(folder.path(), train);
    let deadline = Instant::now() + Duration::from_secs(30);
    while checkpoint(&folder.path().join("run")).is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let outcomes =
        ["rbm train --resume run", &format!("{train} --force")].map(|it| equilibria(folder.path(), it));
    child.kill().unwrap();
    child.wait().unwrap();
    for outcome in outcomes {
        assert!(outcome.is_refused() && outcome.stderr.contains("in use by another process"), "{outcome:?}");
    }
}
