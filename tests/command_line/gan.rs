//! Does `equilibria gan` train, resume and draw adversarial networks, and say what is wrong with its input?

use super::{assert_png, equilibria, monitors};
use equilibria::Error;
use equilibria::adversarial::{Networks, Normalisation, fill_latents, mlp};
use equilibria::checkpoint::Archive;
use equilibria::data::Dataset;
use equilibria::evaluate::kernel_distance::kernel_distance;
use equilibria::nn::Spec;
use equilibria::rng::Stream;
use equilibria::run::gan::{self, ObjectiveName, Settings};
use equilibria::run::{Progress, ProgressKind, RunDirectory, resume, train};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

const TRAIN: &str = "gan train --images 200 --latent 8 --generator 16-24 --discriminator 16-12 --batch 20 -q";

/// A finished run of each objective in the folder of its name.
fn trained() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for objective in ["standard", "clipping", "penalty"] {
        let command = format!("{TRAIN} --objective {objective} --steps 12 --every 3 --out {objective}");
        equilibria(folder.path(), &command).succeeded();
    }
    folder
}

fn archive(path: &Path) -> Archive {
    Archive::from_bytes(&fs::read(path).unwrap(), "archive").unwrap()
}

#[test]
fn a_run_leaves_networks_readings_and_a_verdict() {
    let folder = trained();
    for (objective, discriminator_steps) in [("standard", 12), ("clipping", 60), ("penalty", 60)] {
        let run = folder.path().join(objective);
        let summary: Value = serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
        assert_eq!(summary["objective"], objective);
        assert_eq!(summary["discriminator_steps"], discriminator_steps);
        // Four readings.
        assert_eq!(summary["stability"]["verdict"], "unsettled", "{summary}");
        let last = &summary["last"];
        let there = |name: &str| last[name].is_f64();
        assert_eq!(there("real_accuracy"), objective == "standard", "{last}");
        assert_eq!(there("wasserstein"), objective != "standard", "{last}");
        assert_eq!(there("slope"), objective == "penalty", "{last}");
        assert_eq!(there("clipped"), objective == "clipping", "{last}");
        assert!(there("spread") && there("class_entropy"), "{last}");

        let rows = monitors(&run);
        let steps: Vec<&str> = rows.iter().map(|row| row.split(',').next().unwrap()).collect();
        assert_eq!(steps, ["step", "3", "6", "9", "12"]);
        let unit = if objective == "standard" { "generator_loss [nats]" } else { "generator_loss [score]" };
        assert!(rows[0].contains(unit), "{}", rows[0]);

        let plots = ["losses", "generator-gradient", "discriminator-gradient", "classes", "spread"];
        let own: &[&str] =
            if objective == "standard" { &["accuracy", "scores"] } else { &["critic", "bounds"] };
        for plot in plots.iter().chain(own) {
            let svg = fs::read_to_string(run.join(format!("plots/{plot}.svg"))).unwrap();
            assert!(svg.starts_with("<svg"), "{plot}");
        }

        // (out, in), as PyTorch has it.
        let model = archive(&run.join("model.safetensors"));
        assert_eq!(model.shape("generator.0.weight").unwrap(), [16, 8]);
        assert_eq!(model.shape("discriminator.0.weight").unwrap(), [16, 784]);
        assert_eq!(model.shape("history").unwrap(), [11, 10, 28, 28]);
        assert!(!model.names().any(|name| name.contains("optimiser")));
        if objective == "clipping" {
            let weight = model.tensor_f32("discriminator.0.weight", &[16, 784]).unwrap();
            assert!(weight.iter().all(|x| x.abs() <= 0.01));
        }
    }
}

#[test]
fn the_same_command_gives_the_same_bytes_at_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    for options in [
        "--objective penalty --normalise layer --duality-gap 2",
        "--objective clipping --average 0.9",
        "--minimax --plain",
    ] {
        let run = |threads: usize| {
            let command =
                format!("{TRAIN} {options} --steps 6 --every 2 --threads {threads} --out run --force");
            equilibria(folder.path(), &command).succeeded();
            let run = folder.path().join("run");
            (fs::read(run.join("model.safetensors")).unwrap(), monitors(&run))
        };
        assert!(run(1) == run(2), "{options}");
    }
}

/// Stopped before given steps, each time a new process as it were; steps between two readings and epochs' ends among them.
#[test]
fn stopped_anywhere_a_run_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let digits = Dataset::synthetic(70, 40).unwrap();
    for (index, kind) in ObjectiveName::ALL.into_iter().enumerate() {
        let networks = Networks {
            generator: mlp(&[8, 16, 24, 784], Normalisation::Batch, Some(Spec::Tanh)),
            discriminator: mlp(&[784, 16, 12, 1], Normalisation::None, None),
        };
        let settings = Settings {
            networks,
            batch: 20,
            steps: 24,
            // A duality gap after 20 readings, and at the end.
            every: if index == 1 { 4 } else { 1 },
            duality_gap: Some(2),
            average: (index > 0).then_some(0.9),
            head_start: kind == ObjectiveName::Clipping,
            critic_steps: 2,
            ..Settings::of(kind)
        };
        let mut quiet = Progress::new(ProgressKind::Quiet);
        let whole = folder.path().join(format!("whole-{kind}"));
        train(&RunDirectory::create(&whole, false).unwrap(), &settings, &digits, &mut quiet, &|| false)
            .unwrap();
        let parts = folder.path().join(format!("parts-{kind}"));
        // Steps in each process.
        for (turn, steps) in [0, 3, 1, 7, 10].into_iter().enumerate() {
            let asked = AtomicUsize::new(0);
            let stop = || asked.fetch_add(1, Ordering::Relaxed) == steps;
            let outcome = match turn {
                0 => train(
                    &RunDirectory::create(&parts, false).unwrap(),
                    &settings,
                    &digits,
                    &mut quiet,
                    &stop,
                ),
                _ => resume::<Settings>(&RunDirectory::open(&parts).unwrap(), &digits, &mut quiet, &stop),
            };
            assert!(matches!(outcome, Err(Error::Interrupted { .. })));
        }
        resume::<Settings>(&RunDirectory::open(&parts).unwrap(), &digits, &mut quiet, &|| false).unwrap();
        for file in ["model.safetensors", "best.safetensors"] {
            let model = |run: &Path| fs::read(run.join(file)).unwrap();
            assert!(model(&parts) == model(&whole), "{kind}, {file}");
        }
        assert_eq!(monitors(&parts), monitors(&whole), "{kind}");
        let checkpoint = |run: &Path| {
            let archive = archive(&run.join("checkpoint.safetensors"));
            let names: Vec<String> =
                archive.names().filter(|name| *name != "history").map(Into::into).collect();
            names
                .iter()
                .map(|name| archive.tensor_f32(name, archive.shape(name).unwrap()).unwrap().to_vec())
                .collect::<Vec<Vec<f32>>>()
        };
        assert!(checkpoint(&parts) == checkpoint(&whole), "{kind}");
    }
}

/// Distances are computed again here from runs that end where the long one compares its samples.
#[test]
fn the_generator_whose_samples_are_nearest_to_training_images_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let digits = Dataset::synthetic(200, 40).unwrap();
    let networks = Networks {
        generator: mlp(&[8, 16, 24, 784], Normalisation::Batch, Some(Spec::Tanh)),
        discriminator: mlp(&[784, 16, 12, 1], Normalisation::None, None),
    };
    let play = |steps: usize, (average, generator_rate): (Option<f64>, f64)| {
        let usual = Settings::of(ObjectiveName::Standard);
        let settings = Settings {
            networks: networks.clone(),
            batch: 20,
            steps,
            every: 1,
            generator_rate,
            average,
            ..usual
        };
        let path = folder.path().join(format!("{steps}-{}", average.is_some()));
        let directory = RunDirectory::create(&path, true).unwrap();
        let mut quiet = Progress::new(ProgressKind::Quiet);
        (train(&directory, &settings, &digits, &mut quiet, &|| false).unwrap(), path)
    };
    let classifier = equilibria::pretrained::classifier().unwrap();
    let features = classifier.features_of(digits.train.images()).unwrap();
    let mut latents = vec![0.0_f32; 500 * 8];
    fill_latents(Stream::named(1, "latent").substream(u64::MAX), 8, &mut latents);
    // The first plays worse and worse, the second better and better.
    for recipe in [(None, 0.01), (Some(0.5), 1e-3)] {
        let average = recipe.0;
        let ((_, summary), path) = play(15, recipe);
        let all: Vec<_> = [5, 10, 15]
            .into_iter()
            .map(|steps| {
                let ((generator, _), _) = play(steps, recipe);
                let samples = generator.images_of(&latents).unwrap();
                let found = kernel_distance(&classifier.features_of(&samples).unwrap(), &features).unwrap();
                (steps, found.value, samples)
            })
            .collect();
        let (step, distance, samples) = all.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        let best = summary.best.unwrap();
        assert_eq!((best.step, best.distance), (*step as u64, *distance));
        assert_eq!(best.measure, "kernel distance of features");
        let (kept, settings) = gan::load(&path.join("best.safetensors")).unwrap();
        assert_eq!((kept.steps(), kept.is_average()), (Some(*step as u64), average.is_some()));
        assert!(kept.images_of(&latents).unwrap().pixels() == samples.pixels());
        // Tenths of the run, rounded down: 4 and 10 are among them, 5 is not.
        assert_eq!(kept.history().0.last(), Some(&(if *step == 5 { 4 } else { *step as u64 })));
        assert_eq!(settings.unwrap().steps, 15);
    }
    // As any model.
    equilibria(folder.path(), "gan sample 15-true/best.safetensors --count 4 --out sheet.png").succeeded();
    let judged = equilibria(folder.path(), "gan evaluate 15-true/best.safetensors --images 60 -q --json");
    assert_eq!(judged.succeeded().json()["samples"], 60);
    // Replaced by a run that is too short for a comparison.
    equilibria(folder.path(), &format!("{TRAIN} --steps 4 --every 1 --out 15-true --force")).succeeded();
    assert!(!folder.path().join("15-true/best.safetensors").exists());
}

#[test]
fn a_diverging_game_is_stopped_and_its_last_good_checkpoint_kept() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = equilibria(
        folder.path(),
        &format!("{TRAIN} --objective clipping --generator-rate 1e38 --steps 40 --every 1 --out run"),
    );
    assert_eq!((outcome.is_refused(), outcome.stdout.as_str()), (true, ""));
    let text = &outcome.stderr;
    assert!(text.starts_with("error: diverged in epoch 1, batch ") && text.lines().count() == 1, "{text}");
    assert!(
        text.contains("a parameter of the discriminator is no longer finite after step 0 of the generator"),
        "{text}"
    );
    assert!(
        text.contains("the likely cause is --generator-rate 1e38: take a tenth of it, or the usual 5e-5;"),
        "{text}"
    );
    let checkpoint = archive(&folder.path().join("run/checkpoint.safetensors"));
    assert_eq!(checkpoint.required_metadata("steps").unwrap(), "0");
    let weight = checkpoint.tensor_f32("generator.0.weight", &[16, 8]).unwrap();
    assert!(weight.iter().all(|x| x.is_finite()));
    assert!(!folder.path().join("run/model.safetensors").exists());
    let summary: Value =
        serde_json::from_slice(&fs::read(folder.path().join("run/summary.json")).unwrap()).unwrap();
    assert_eq!(summary["stability"]["verdict"], "diverged", "{summary}");
    let reason = summary["stability"]["reasons"][0].as_str().unwrap();
    assert!(
        reason.starts_with("a parameter of the discriminator ") && reason.contains("after step"),
        "{reason}"
    );
    let outcome = equilibria(folder.path(), "gan sample run");
    assert!(outcome.stderr.contains("summary.json says why the run left none"), "{}", outcome.stderr);
}

#[test]
fn the_duality_gap_is_looked_for_every_twentieth_reading_and_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    equilibria(folder.path(), &format!("{TRAIN} --steps 45 --every 1 --duality-gap 3 --out run")).succeeded();
    let rows = monitors(&folder.path().join("run"));
    let column = rows[0].split(',').position(|name| name == "duality_gap [nats]").unwrap();
    let gaps: Vec<(usize, f64)> = rows[1..]
        .iter()
        .map(|row| row.split(',').nth(column).unwrap().parse().unwrap())
        .enumerate()
        .filter(|(_, gap): &(usize, f64)| !gap.is_nan())
        .collect();
    assert_eq!(gaps.iter().map(|(row, _)| row + 1).collect::<Vec<_>>(), [20, 40, 45]);
    assert!(gaps.iter().all(|(_, gap)| *gap > 0.0 && *gap < 100.0), "{gaps:?}");
    let summary: Value =
        serde_json::from_slice(&fs::read(folder.path().join("run/summary.json")).unwrap()).unwrap();
    assert_eq!(summary["last"]["duality_gap"], gaps[2].1);
}

#[test]
fn a_generator_is_judged_as_samples_of_any_program_are() {
    let folder = trained();
    let judge = |options: &str| {
        let outcome = equilibria(folder.path(), &format!("gan evaluate {options} --images 60 -q --json"));
        outcome.succeeded().json()
    };
    let found = judge("penalty");
    assert_eq!((&found["samples"], &found["data"]), (&60.into(), &"synthetic".into()));
    assert!(folder.path().join("penalty/evaluation/summary.json").is_file());
    assert_eq!(judge("penalty/model.safetensors --out file"), found);
    assert_ne!(judge("clipping")["frechet_distance"], found["frechet_distance"]);
    assert_ne!(judge("penalty --seed 2")["frechet_distance"], found["frechet_distance"]);

    // One that learned inverted digits is judged by what it was to draw.
    equilibria(folder.path(), &format!("{TRAIN} --invert --steps 60 --out inverted")).succeeded();
    let swapped = judge("inverted --invert")["sliced_wasserstein"].as_f64().unwrap();
    assert!(swapped > judge("inverted")["sliced_wasserstein"].as_f64().unwrap(), "{swapped}");

    let refused = |command: &str, words: &str| {
        let outcome = equilibria(folder.path(), command);
        assert!(outcome.is_refused() && outcome.stderr.contains(words), "{}", outcome.stderr);
    };
    equilibria(folder.path(), "rbm train --images 100 --hidden 4 --epochs 1 -q --out rbm").succeeded();
    refused("gan evaluate rbm", "a model of kind 'rbm', not 'gan'");
    refused("gan evaluate nowhere.safetensors", "not found in nowhere");
    // A folder of pictures with another program's files among them is a folder of pictures.
    fs::create_dir(folder.path().join("pictures")).unwrap();
    fs::write(folder.path().join("pictures/config.toml"), "rate = 1\n").unwrap();
    refused("gan evaluate pictures", "a picture (.png, .jpg or .jpeg) not found in pictures");
}

/// Without a penalty and a bound, a deep critic's gradients grow at every step, and all numbers stay finite.
#[test]
fn a_finished_run_with_the_verdict_diverged_ends_with_status_2_and_keeps_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let train = "gan train --images 200 --batch 20 --latent 8 --generator 16 --discriminator 8-8-8-8-8-8-8-8 \
        --objective penalty --penalty 0 --discriminator-rate 0.01 --steps 40 --every 1 --out run -q --json";
    let outcome = equilibria(folder.path(), train);
    let text = &outcome.stderr;
    assert!(outcome.is_refused(), "{text}");
    assert!(
        text.starts_with("error: diverged in epoch 20, batch 10: the generator's last gradients"),
        "{text}"
    );
    assert!(text.ends_with("; model and summary are in run\n"), "{text}");
    assert_eq!(outcome.json()["stability"]["verdict"], "diverged");
    equilibria(folder.path(), "gan sample run").succeeded();
    assert!(folder.path().join("run/plots/losses.svg").is_file());
}

#[test]
fn toys_are_played_counted_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let toys = |options: &str| {
        let small = "gan toys --steps 50 --seeds 2 --width 8 --depth 1 --batch 8 -q";
        equilibria(folder.path(), &format!("{small} {options}")).succeeded()
    };
    // Other runs in the folder of the games are left.
    let other = folder.path().join("out/toys/runs/rbm/model.safetensors");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::write(&other, "of the user").unwrap();
    let found = toys("--json").json();
    assert_eq!(fs::read_dir(folder.path().join("out/toys/runs")).unwrap().count(), 1);
    assert_eq!(fs::read(&other).unwrap(), b"of the user");
    for (task, name, modes) in [(0, "ring", 8), (1, "grid", 25)] {
        let task = &found["tasks"][task];
        assert_eq!((&task["name"], &task["modes"]), (&name.into(), &modes.into()));
        let games = task["games"].as_array().unwrap();
        let ways: Vec<&str> = games.iter().map(|game| game["way"].as_str().unwrap()).collect();
        let each_twice = ["standard", "minimax", "clipping", "penalty"].map(|way| [way, way]).concat();
        assert_eq!(ways, each_twice);
        for game in games {
            let looks = game["looks"].as_array().unwrap();
            assert_eq!((looks.len(), &looks[50]["step"]), (51, &50.into()));
            assert_eq!(looks[50]["counts"].as_array().unwrap().len(), modes);
            assert!(game["stability"]["verdict"].is_string());
        }
        assert_png(&folder.path().join(format!("out/toys/{name}.png")));
    }
    assert_eq!(found["dirac"].as_array().unwrap().len(), 8);
    let read = || fs::read(folder.path().join("out/toys/summary.json")).unwrap();
    let (first, picture) = (read(), fs::read(folder.path().join("out/toys/ring.png")).unwrap());
    let text = toys("--threads 1").stdout;
    assert!(read() == first && fs::read(folder.path().join("out/toys/ring.png")).unwrap() == picture);
    for words in [
        "ring of 8 Gaussians: 2,500 points after 50 steps, 2 seeds a game",
        "published: ",
        "spirals outwards",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert!(!text.contains("NOT"), "{text}");

    // One game alone leaves its own files.
    let alone = toys("--only dirac --out alone").stdout;
    assert!(
        !alone.contains("ring") && alone.ends_with("wrote dirac.svg, summary.json in alone\n"),
        "{alone}"
    );
    for (options, words) in [
        ("--seeds 0", "--seeds 0: 1 to 100 games of each kind can be played"),
        ("--steps 49", "--steps 49: "),
        ("--batch 0", "--batch 0: "),
        ("--depth 0", "--depth 0: "),
        ("--seed 18446744073709551615", "there are not 3 seeds from there on"),
        ("--only dice", "dice"),
    ] {
        let outcome = equilibria(folder.path(), &format!("gan toys {options} --out refused"));
        let text = &outcome.stderr;
        assert!(outcome.is_refused() && text.lines().count() == 1 && text.contains(words), "{text}");
        assert!(!folder.path().join("refused").exists());
    }
}

#[test]
fn samples_ways_and_the_course_of_training_are_drawn() {
    let folder = trained();
    for (options, name, images) in [
        ("--count 7", "samples.png", 7),
        ("--count 3 --interpolate 4", "interpolation.png", 12),
        ("--training", "training.png", 110),
    ] {
        let outcome = equilibria(folder.path(), &format!("gan sample penalty {options} --json")).succeeded();
        assert_eq!((&outcome.json()["images"], &outcome.json()["latent"]), (&images.into(), &8.into()));
        assert_png(&folder.path().join("penalty").join(name));
    }
    // The same seed, the same latents.
    let picture = |command: &str| {
        equilibria(folder.path(), &format!("gan sample penalty --count 7 --out p.png {command}")).succeeded();
        fs::read(folder.path().join("p.png")).unwrap()
    };
    assert!(picture("--seed 1") == fs::read(folder.path().join("penalty/samples.png")).unwrap());
    assert!(picture("--seed 2") != picture("--seed 1"));
}

#[test]
fn what_no_game_can_be_played_with_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    for (options, words) in [
        (
            "--objective minimax",
            "--objective minimax: the possible values are standard, clipping, penalty, relativistic",
        ),
        ("--batch 1", "--batch 1: batch normalisation compares the images of a mini-batch"),
        ("--batch 0", "--batch 0: "),
        ("--batch 201", "--batch 201: a mini-batch can have at most all 200 training images"),
        ("--steps 0", "--steps 0: "),
        ("--every 0", "--every 0: "),
        ("--duality-gap 0", "--duality-gap 0: 1 to 1048576 steps of each player"),
        (
            "--objective penalty --critic-steps 0",
            "--critic-steps 0: 1 to 1048576 critic steps per step of the generator",
        ),
        ("--objective clipping --clip 0", "--clip 0: a number above 0 is needed"),
        ("--objective clipping --clip NaN", "--clip NaN: "),
        ("--objective penalty --penalty -1", "--penalty -1: "),
        ("--objective penalty --normalise batch", "batch normalisation in a penalised critic: "),
        ("--objective penalty --clip 0.1", "--clip: goes with --objective clipping, not penalty"),
        ("--critic-steps 5", "--critic-steps: goes with --objective clipping or penalty, not standard"),
        ("--label-smoothing 0.5", "--label-smoothing 0.5: a number of at least 0 and below 0.5 is needed"),
        ("--average 1", "--average 1: "),
        ("--latent 0", "--latent 0: 1 to 1048576 latent numbers are possible"),
        ("--latent 99999999999999", "--latent 99999999999999: 1 to 1048576 latent numbers are possible"),
        ("--discriminator 900000000", "training needs about"),
        ("--generator-rate -1", "--generator-rate -1: a number of at least 0 is needed"),
        ("--discriminator-rate inf", "--discriminator-rate inf: "),
        ("--batch 1 --plain --normalise batch", "--batch 1: batch normalisation compares"),
        ("--data nowhere", "nowhere"),
    ] {
        let mut train = TRAIN.to_string();
        // An option is given once.
        for option in options.split_whitespace().filter(|word| word.starts_with("--")) {
            let words: Vec<&str> = train.split_whitespace().collect();
            if let Some(place) = words.iter().position(|word| *word == option) {
                train = [&words[..place], &words[place + 2..]].concat().join(" ");
            }
        }
        let train = if options.contains("--data") { train.replace("--images 200", "") } else { train };
        let outcome = equilibria(folder.path(), &format!("{train} {options} --out run"));
        let text = &outcome.stderr;
        assert!(outcome.is_refused(), "{options}: {text}");
        assert!(text.starts_with("error: ") && text.lines().count() == 1, "{text}");
        assert!(text.contains(words), "{options}: {text}");
        assert!(!folder.path().join("run").exists(), "{options}");
    }
}

#[test]
fn a_finished_run_survives_what_is_wrong_with_the_next() {
    let folder = tempfile::tempdir().unwrap();
    equilibria(folder.path(), &format!("{TRAIN} --steps 2 --out run")).succeeded();
    let model = || fs::read(folder.path().join("run/model.safetensors")).unwrap();
    let before = model();
    let large = TRAIN.replace("--batch 20", "--batch 2500").replace("--images 200", "--images 2500");
    let lone = TRAIN.replace("--batch 20", "--batch 1");
    for (command, words) in [
        (
            format!("{large} --duality-gap"),
            "--duality-gap: it is measured on mini-batches of 2500 test images",
        ),
        (format!("{lone} --plain --normalise batch"), "--batch 1: "),
        (format!("{TRAIN} --seed 18446744073709551615"), "--seed "),
    ] {
        let outcome = equilibria(folder.path(), &format!("{command} --force --out run"));
        assert!(outcome.is_refused() && outcome.stderr.contains(words), "{}", outcome.stderr);
        assert!(model() == before, "{command}");
    }
}

#[test]
fn models_and_checkpoints_that_do_not_fit_are_refused() {
    let folder = trained();
    let refused = |command: &str, words: &str| {
        let outcome = equilibria(folder.path(), command);
        let text = &outcome.stderr;
        assert!(outcome.is_refused() && text.lines().count() == 1, "{command}: {text}");
        assert!(text.contains(words), "{command}: {text}");
    };
    refused("gan sample nowhere", "model not found in nowhere");
    refused("gan sample penalty --count 0", "--count 0: ");
    let model = fs::read(folder.path().join("penalty/model.safetensors")).unwrap();
    refused(
        "gan sample penalty --count 1 --out penalty/model.safetensors",
        "the picture penalty/model.safetensors: a file that is no such picture has this name; choose another one",
    );
    assert!(model == fs::read(folder.path().join("penalty/model.safetensors")).unwrap());
    refused("gan sample penalty --count 2501", "at most 2,500 images fit a sheet");
    refused("gan sample penalty --interpolate 1", "--interpolate 1: a path has at least 2 images");
    refused("gan train --resume nowhere", "config.toml not found in nowhere");
    for option in ["--latent 9", "--minimax", "--out other", "--force"] {
        let words = format!("'--resume <RUN>' cannot be used with '{}", option.split(' ').next().unwrap());
        refused(&format!("gan train --resume penalty {option}"), &words);
    }

    let edit = |path: &str, from: &str, to: &str| {
        let path = folder.path().join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    };
    edit("standard/config.toml", "generator 8-16", "generator 9-16");
    refused("gan train --resume standard", "the networks are `generator 8-16-24-784");
    // A model whose text promises other latents, and one that promises more than its file holds.
    for (from, to, words) in [
        (
            "generator 8-16-24-784",
            "generator 9-16-24-784",
            "tensor `generator.0.weight` has shape (16, 8), expected (16, 9)",
        ),
        ("generator 8-16-24-784", "generator 8-16-99999-784", "parameters, and the file holds"),
        ("generator 8-16-24-784 batch-norm", "generator 8-16-24 batch-norm", "networks"),
    ] {
        let mut model = archive(&folder.path().join("clipping/model.safetensors"));
        let networks = model.required_metadata("networks").unwrap().replace(from, to);
        model.set_metadata("networks", &networks);
        fs::write(folder.path().join("edited.safetensors"), model.to_bytes().unwrap()).unwrap();
        refused("gan sample edited.safetensors", words);
    }
    equilibria(folder.path(), "rbm train --images 100 --hidden 4 --epochs 1 -q --out rbm").succeeded();
    refused("gan sample rbm", "a model of kind 'rbm', not 'gan'");
    refused("gan train --resume rbm", "is a run of 'rbm'");
}

/// A copy in which one number of a tensor is another.
fn changed(archive: &Archive, tensor: &str, value: f32) -> Archive {
    let mut copy = Archive::new();
    for name in archive.names() {
        let shape = archive.shape(name).unwrap();
        if name == "history" {
            copy.insert_u8(name, shape, archive.tensor_u8(name, shape).unwrap()).unwrap();
            continue;
        }
        let mut values = archive.tensor_f32(name, shape).unwrap().to_vec();
        if name == tensor {
            *values.last_mut().unwrap() = value;
        }
        copy.insert_f32(name, shape, &values).unwrap();
    }
    for key in ["model", "networks", "steps", "discriminator_steps", "seconds", "configuration"] {
        archive.metadata(key).into_iter().for_each(|text| copy.set_metadata(key, text));
    }
    copy
}

#[test]
fn networks_of_numbers_that_none_learns_are_refused_with_file_and_tensor() {
    let folder = tempfile::tempdir().unwrap();
    for (name, average) in [("plain", ""), ("averaged", "--average 0.9")] {
        let train = format!("{TRAIN} {average} --steps 2 --every 1 --out {name}");
        equilibria(folder.path(), &train).succeeded();
    }
    let refused = |command: &str, file: &str, words: &str| {
        let outcome = equilibria(folder.path(), command);
        let text = &outcome.stderr;
        assert_eq!((outcome.is_refused(), outcome.stdout.as_str()), (true, ""), "{command}: {text}");
        assert!(
            text.starts_with(&format!("error: {file}: ")) && text.lines().count() == 1,
            "{command}: {text}"
        );
        assert!(text.contains(words), "{command}: {text}");
    };
    for (run, tensor, value, words) in [
        ("plain", "generator.0.weight", f32::NAN, "holds NaN; every number in it must be finite"),
        ("plain", "generator.5.bias", f32::INFINITY, "holds inf; every number in it must be finite"),
        ("plain", "generator.3.running_mean", f32::NEG_INFINITY, "holds -inf; "),
        ("plain", "generator.3.running_var", f32::NAN, "holds NaN; "),
        ("plain", "generator.3.running_var", -0.5, "holds -0.5; a variance is at least 0"),
        ("averaged", "average.2.weight", f32::NAN, "holds NaN; "),
    ] {
        let model = archive(&folder.path().join(run).join("model.safetensors"));
        let edited = changed(&model, tensor, value).to_bytes().unwrap();
        fs::write(folder.path().join("edited.safetensors"), edited).unwrap();
        let words = format!("tensor `{tensor}` {words}");
        for command in ["gan sample edited.safetensors", "gan evaluate edited.safetensors --images 10"] {
            refused(command, "edited.safetensors", &words);
        }
    }
    let model = archive(&folder.path().join("plain/model.safetensors"));
    let mut zeros = Archive::new();
    for name in model.names() {
        let shape = model.shape(name).unwrap();
        match name {
            "history" => zeros.insert_u8(name, shape, model.tensor_u8(name, shape).unwrap()).unwrap(),
            _ => zeros.insert_f32(name, shape, &vec![0.0; shape.iter().product()]).unwrap(),
        }
    }
    for key in ["model", "networks", "steps"] {
        zeros.set_metadata(key, model.metadata(key).unwrap());
    }
    fs::write(folder.path().join("zeros.safetensors"), zeros.to_bytes().unwrap()).unwrap();
    refused("gan sample zeros.safetensors", "zeros.safetensors", "a generator whose weights are all 0");
    // Neither does a run go on from them.
    let checkpoint = folder.path().join("plain/checkpoint.safetensors");
    for (tensor, value) in [("discriminator.0.weight", f32::NAN), ("generator.3.running_var", -1.0)] {
        let good = fs::read(&checkpoint).unwrap();
        let edited = changed(&archive(&checkpoint), tensor, value).to_bytes().unwrap();
        fs::write(&checkpoint, edited).unwrap();
        refused(
            "gan train --resume plain",
            "plain/checkpoint.safetensors",
            &format!("tensor `{tensor}` holds"),
        );
        fs::write(&checkpoint, good).unwrap();
    }
    equilibria(folder.path(), "gan train --resume plain -q").succeeded();
}
