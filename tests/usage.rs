//! Is the command line easy to pick up: help, version, completions, pages, aliases, suggestions, status, silence, records?

#![cfg(feature = "cli")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// All commands without subcommands.
const COMMANDS: [&str; 27] = [
    "bench",
    "rbm train",
    "rbm sample",
    "rbm reconstruct",
    "rbm filters",
    "rbm evaluate",
    "rbm mixing",
    "rbm store",
    "rbm sweep",
    "rbm reproduce-literature",
    "dbm train",
    "dbm sample",
    "dbm reconstruct",
    "dbm filters",
    "dbm evaluate",
    "dbm store",
    "gan train",
    "gan sample",
    "gan evaluate",
    "gan export",
    "gan toys",
    "classifier train",
    "classifier evaluate",
    "divergences",
    "transport distance",
    "reproduce",
    "info",
];

/// The most lines of `-h`, at 100 columns.
const SCREEN: usize = 40;

fn run(folder: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_equilibria"));
    command.args(arguments.split_whitespace()).current_dir(folder).env("COLUMNS", "100");
    command.output().unwrap()
}

/// Standard output of a command that succeeds.
fn printed(arguments: &str) -> String {
    let output = run(Path::new("."), arguments);
    assert!(output.status.success(), "{arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Exit status and error of a command that fails.
fn refused(arguments: &str) -> (i32, String) {
    let output = run(Path::new("."), arguments);
    assert!(output.stdout.is_empty() && !output.status.success(), "{arguments}: {output:?}");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn short_help_fits_a_screen_and_long_help_has_every_option() {
    for command in COMMANDS {
        let (short, long) = (printed(&format!("{command} -h")), printed(&format!("{command} --help")));
        assert!(short.lines().count() <= SCREEN, "{command}: {} lines", short.lines().count());
        for option in short.split_whitespace().filter(|word| word.starts_with("--")) {
            assert!(long.contains(option.trim_end_matches([',', '.', ')', '\''])), "{command}: {option}");
        }
        assert_eq!(printed(&format!("help {command}")), long);
    }
    let long = printed("gan train --help");
    for heading in ["Data:", "Model:", "Training:", "Run and output:", "Only with --objective penalty:"] {
        assert!(long.lines().any(|line| line == heading), "{heading}");
    }
    assert!(!printed("gan train -h").contains("--label-smoothing") && long.contains("--label-smoothing"));
}

#[test]
fn the_version_has_the_features() {
    assert_eq!(printed("-V").trim(), format!("equilibria {}", env!("CARGO_PKG_VERSION")));
    let long = printed("--version");
    assert!(long.contains(env!("CARGO_PKG_VERSION")) && long.contains("features: std, parallel"), "{long}");
}

#[test]
fn completions_and_pages_cover_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(&format!("completions {shell}"));
        assert!(script.contains("reproduce-literature") && script.contains("learning-rate"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), "man share/man1");
    assert!(output.status.success(), "{output:?}");
    for command in COMMANDS {
        let name = format!("equilibria-{}.1", command.replace(' ', "-"));
        let page = std::fs::read_to_string(folder.path().join("share/man1").join(&name));
        assert!(page.unwrap_or_default().contains("OPTIONS"), "{name}");
    }
}

#[test]
fn names_that_people_type_are_understood() {
    // The error is about the last option, so the others were understood.
    for (arguments, option) in [
        ("gan train --objective wgan-gp --steps x", "--steps"),
        ("gan train --objective WGAN --dataset cats --lr 1 --steps x", "--steps"),
        ("rbm train --method CD --binarize gray --lr 0.1 --batch-size 10 --centered --hidden x", "--hidden"),
        ("rbm train --method PCD --output run --epochs x", "--epochs"),
        ("dbm train --binarise Grey --seed x", "--seed"),
    ] {
        let (status, error) = refused(arguments);
        assert!(status == 2 && error.starts_with(&format!("error: {option} x: ")), "{arguments}: {error}");
    }
    let (status, error) = refused("train --hidden 5");
    let right = "error: no command is called 'train'; did you mean `equilibria rbm train`, `equilibria dbm train`, \
        `equilibria gan train` or `equilibria classifier train`?";
    assert!(status == 2 && error.starts_with(right), "{error}");
    assert!(refused("toys").1.contains("did you mean `equilibria gan toys`?"));
    assert!(refused("rbm trian").1.contains("'train'"));
}

#[test]
fn wrong_usage_has_status_2_and_a_failure_status_1() {
    for arguments in
        ["rbm train --hidden 0", "rbm train --no-such-option", "nonsense", "info --threads", "rbm"]
    {
        let output = run(Path::new("."), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {output:?}");
    }
    for arguments in ["rbm evaluate missing-file", "rbm train --data missing-folder", "gan sample missing"] {
        assert_eq!(refused(arguments).0, 1, "{arguments}");
    }
}

#[test]
fn quiet_commands_say_nothing_and_verbose_ones_what_computes() {
    let folder = tempfile::tempdir().unwrap();
    let train = "rbm train --images 100 --hidden 4 --epochs 1 --batch 20 --out run";
    let output = run(folder.path(), &format!("{train} -q"));
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    // Without -q, there is a note about the shipped machine.
    for (option, notes) in [("-q", 0), ("", 1)] {
        let output = run(folder.path(), &format!("rbm filters {option}"));
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(text.matches("note: ").count(), notes, "{option}: {text}");
    }
    let output = run(folder.path(), "rbm sample run --from noise -v --steps 1");
    let notes = String::from_utf8(output.stderr).unwrap();
    assert!(notes.contains("at SIMD level"), "{notes}");
}

#[test]
fn summaries_record_version_level_seed_and_data() {
    let folder = tempfile::tempdir().unwrap();
    let train = "rbm train --images 100 --hidden 4 --epochs 1 --batch 20 --seed 5 --out run --json -q";
    for arguments in [
        train,
        "rbm evaluate run --json -q --seed 5",
        "rbm sample run --from test:0 --steps 1 --json -q --seed 5",
        "rbm reconstruct run --rows 3..5 --images 5 --json -q --seed 5",
    ] {
        let output = run(folder.path(), arguments);
        assert!(output.status.success(), "{arguments}: {output:?}");
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        let provenance = &summary["provenance"];
        assert_eq!(provenance["version"], env!("CARGO_PKG_VERSION"), "{arguments}");
        assert!(provenance["simd_level"].is_string() && provenance["seed"] == 5, "{arguments}: {provenance}");
        let sum = provenance["data"]["synthetic"]["training_images"].as_str().unwrap_or_default();
        assert!(sum.contains(" of 28x28, crc32 "), "{arguments}: {provenance}");
    }
    let file = std::fs::read_to_string(folder.path().join("run/summary.json")).unwrap();
    assert!(file.contains("\"seed\": 5") && file.contains("crc32"), "{file}");
}

#[test]
fn fit_gives_the_machine_of_the_command() {
    use core::ops::ControlFlow;
    use equilibria::boltzmann::{Rbm, learning::Fit};
    use equilibria::data::{Binarisation, BinaryImages, Dataset};
    use equilibria::{checkpoint::Archive, optim::Schedule, rng::Stream};

    let folder = tempfile::tempdir().unwrap();
    let train =
        "rbm train --images 90 --hidden 6 --epochs 2 --batch 20 --weight-decay 0 --seed 3 --out run -q";
    assert!(run(folder.path(), train).status.success());
    let bytes = std::fs::read(folder.path().join("run/model.safetensors")).unwrap();
    let of_command = Rbm::from_archive(&Archive::from_bytes(&bytes, "run").unwrap()).unwrap();

    let digits = Dataset::load("synthetic", Some(90)).unwrap();
    let (images, binarise) = (digits.train.images(), Binarisation::Threshold);
    let states = BinaryImages::of(images, binarise, Stream::named(3, "binarise"));
    let mut model = Rbm::new(&binarise.mean(images), 6, Stream::named(3, "init")).unwrap();
    let rates = Schedule::constant(0.05);
    let fit = Fit { epochs: 2, batch: 20, learning_rate: rates, centred: false, seed: 3, ..Fit::default() };
    model.fit(&states, &fit, |_, _| ControlFlow::Continue(())).unwrap();
    assert!(model == of_command, "the parameters differ");
}
