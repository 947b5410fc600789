//! Bad input: one sentence, status 2, and nothing on the disk is other than before.

use super::{BINARY, equilibria, equilibria_with, snapshot, trained, write_digits, write_images};
use std::fs;
use std::path::Path;

/// Beside [`trained`]'s: damaged models, and folders of digits of which something is wrong.
fn write_bad_files(folder: &Path) {
    let model = fs::read(folder.join("run/model.safetensors")).unwrap();
    fs::write(folder.join("cut.st"), &model[..model.len() - 1]).unwrap();
    fs::write(folder.join("stub.st"), &model[..100]).unwrap();
    fs::write(folder.join("empty.st"), "").unwrap();
    fs::write(folder.join("text.st"), "Dear reader, this is not a model. ".repeat(20)).unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    write_digits(&folder.join("small"), 4, 30, 5);
    for (place, file, keep) in
        [("no-magic", "train-images-idx3-ubyte", 0), ("cut", "t10k-labels-idx1-ubyte", 11)]
    {
        let folder = folder.join(place);
        write_digits(&folder, 4, 30, 5);
        let mut bytes = fs::read(folder.join(file)).unwrap();
        if keep > 0 {
            bytes.truncate(keep)
        } else {
            bytes[2] = 9
        }
        fs::write(folder.join(file), bytes).unwrap();
    }
    // As many pixels as 4x4, and no square.
    write_images(&folder.join("wide"), [2, 8], 30, 5);
    equilibria(folder, "rbm train --data wide --hidden 2 --epochs 1 --batch 5 --out wide-run -q").succeeded();
    fs::rename(folder.join("wide-run/model.safetensors"), folder.join("wide.st")).unwrap();
    fs::remove_dir_all(folder.join("wide-run")).unwrap();
    // A run whose data was called something else.
    fs::create_dir(folder.join("elsewhere")).unwrap();
    fs::copy(folder.join("run/model.safetensors"), folder.join("elsewhere/model.safetensors")).unwrap();
    let config = fs::read_to_string(folder.join("run/config.toml")).unwrap();
    let config = config.replace("data = \"synthetic\"", "data = \"/digits\"");
    fs::write(folder.join("elsewhere/config.toml"), config).unwrap();
    write_digits(&folder.join("part"), 4, 30, 5);
    fs::remove_file(folder.join("part/train-labels-idx1-ubyte")).unwrap();
}

/// The sentence about images of 4x4 pixels beside a machine that learned from 2x8.
const OTHER_SIZE: &str = "height and width of an image and of those that the model learned from: expected shape (2, 8), found (4, 4)";

/// Arguments, and words of the sentence that they should get.
const BAD: &[(&str, &str)] = &[
    ("rbm train --hidden 0", "--hidden 0: 1 to 1048576 hidden units"),
    ("rbm train --hidden abc", "--hidden abc: a whole number"),
    ("rbm train --hidden -3", "--hidden -3: a whole number"),
    ("rbm train --hidden 99999999999", "--hidden 99999999999: 1 to 1048576 hidden units"),
    ("rbm train --hidden 99999999999999999999999", "this number is too large"),
    ("rbm train --epochs 0", "--epochs 0: 1 to 1073741824 epochs"),
    ("rbm train --epochs 18446744073709551615", "--epochs 18446744073709551615: 1 to 1073741824 epochs"),
    ("rbm train --batch 0", "--batch 0: at least 1 image in a mini-batch"),
    ("rbm train --images 50 --batch 51", "--batch 51: a mini-batch can have at most all 50"),
    ("rbm train --images 0", "--images 0: at least 1"),
    ("rbm train --images 18446744073709551615", "--images 18446744073709551615: "),
    ("rbm train --data small --images 31 --batch 5", "--images 31: it must be 1 to 30"),
    ("rbm train --learning-rate abc", "--learning-rate abc: write a number (0.01)"),
    ("rbm train --learning-rate -1", "--learning-rate -1: a number of at least 0 is needed"),
    ("rbm train --learning-rate NaN", "--learning-rate NaN: write a number"),
    ("rbm train --learning-rate inf", "--learning-rate inf: write a number"),
    ("rbm train --momentum 1.5", "--momentum 1.5: a number of at least 0 and below 1 is needed"),
    ("rbm train --momentum 0.5:0.9", "--momentum 0.5:0.9: write a number"),
    ("rbm train --weight-decay nan", "--weight-decay NaN: a number of at least 0 is needed"),
    ("rbm train --weight-decay x", "--weight-decay x: a number is needed"),
    ("rbm train --method x", "--method x: the methods are cd"),
    ("rbm train --binarise x", "--binarise x: it must be threshold, sampled or grey"),
    ("rbm train --steps 0", "--steps 0: 1 to 1073741824 Gibbs steps per update"),
    ("rbm train --steps 18446744073709551615", "--steps 18446744073709551615: 1 to 1073741824 Gibbs steps"),
    ("rbm train --seed -1", "--seed -1: a whole number"),
    ("rbm train --seed 18446744073709551615", "a seed is at most"),
    ("rbm train --threads 0", "--threads 0: 1 to 1024"),
    ("rbm train --threads 1000000", "--threads 1000000: 1 to 1024"),
    ("rbm train --data nowhere", "nowhere not found in"),
    ("rbm train --data empty", "fixtures/fetch-mnist"),
    ("rbm train --data no-magic --batch 5", "train-images-idx3-ubyte: at byte "),
    ("rbm train --data empty.st", "empty.st: at byte 0: this is an empty file; images are needed"),
    ("rbm train --out empty.st --images 200", "empty.st: is a file; a run needs a folder"),
    ("rbm train --resume nowhere", "config.toml not found in nowhere"),
    ("rbm train --resume small", "config.toml not found in small"),
    ("rbm train --resume run --hidden 3", "'--resume <RUN>' cannot be used with '--hidden <HIDDEN>'"),
    ("rbm train --hiden 3", "this command has no option '--hiden'; did you mean '--hidden'?"),
    ("rbm train extra", "this command does not take 'extra'"),
    ("rbm train --hidden", "a value is required for '--hidden <HIDDEN>'"),
    ("rbm sample nowhere", "model not found in nowhere"),
    ("rbm sample empty", "model.safetensors not found in empty"),
    ("rbm sample cut.st", "cut.st: at byte "),
    ("rbm filters stub.st", "stub.st: at byte 0: "),
    ("rbm reconstruct text.st", "text.st: at byte 0: this is text; a safetensors file is needed"),
    ("rbm sample empty.st", "empty.st: at byte 0: this is an empty file; a safetensors file is needed"),
    ("rbm sample run --from test:99999", "test:99999: the test images are 0 to 1999"),
    ("rbm sample run --from foo", "--from foo: write test:INDEX"),
    ("rbm sample run --from test:", "--from test:: write test:INDEX"),
    ("rbm sample run --steps 10,1", "write rising numbers of at least 1"),
    ("rbm sample run --steps 1,x", "--steps x: a whole number"),
    ("rbm sample run --from noise --chains 0", "--chains 0: 1 to 1,000"),
    ("rbm sample run --data small", "expected shape (784), found (16)"),
    ("rbm reconstruct run --rows 5..40", "rows 5..40: an image has the rows 0 to 27"),
    ("rbm reconstruct run --rows 9..2", "--rows 9..2: write FIRST..LAST"),
    ("rbm reconstruct run --rows x", "--rows x: write FIRST..LAST"),
    ("rbm reconstruct run --rows 18446744073709551615..18446744073709551615", "write FIRST..LAST"),
    ("rbm reconstruct wide.st --data small --images 2", OTHER_SIZE),
    ("rbm sample wide.st --data small", OTHER_SIZE),
    ("rbm evaluate wide.st --data small", OTHER_SIZE),
    ("rbm reconstruct run --images 0", "--images 0: 1 to 2,000 test images"),
    ("rbm reconstruct run --images 2001", "--images 2001: 1 to 2,000 test images"),
    ("rbm filters run --count 0", "--count 0: at least 1 filter"),
    ("rbm filters run --out run", "writing run: "),
    (
        "rbm evaluate run --data small",
        "pixels of an image and visible units of the model: expected shape (784), found (16)",
    ),
    ("rbm evaluate nowhere", "model not found in nowhere"),
    ("rbm evaluate run --exact --annealed", "'--exact' cannot be used with '--annealed'"),
    ("rbm evaluate run --exact --chains 5", "'--exact' cannot be used with '--chains <CHAINS>'"),
    ("rbm evaluate run --chains 1", "--chains 1: 2 to 100,000 chains can be annealed"),
    ("rbm evaluate run --image-chains 0", "--image-chains 0: 1 to 10,000 chains can be annealed"),
    ("rbm evaluate run --images 0", "--images 0: 1 to 2,000 test images can be used"),
    ("rbm evaluate run --images 2001", "--images 2001: 1 to 2,000 test images can be used"),
    (
        "rbm evaluate run --schedule 0.5/0.1",
        "--schedule 0.5/0.1: write END/STEP[,END/STEP...] that rises from 0 to 1",
    ),
    ("rbm evaluate run --schedule 0.5/0.1,0.4/0.1,1/0.1", "rises from 0 to 1"),
    ("rbm evaluate run --threads 0", "--threads 0: 1 to 1024"),
    ("rbm evaluate run --out run/model.safetensors", "run/model.safetensors"),
    ("rbm mixing", "missing: <MODEL>...; see `equilibria rbm mixing --help`"),
    ("rbm mixing nowhere", "model not found in nowhere"),
    ("rbm mixing run cut.st", "cut.st: at byte "),
    ("rbm mixing run wide.st --data synthetic", "wide.st: machines side by side see images of one size"),
    ("rbm mixing wide.st --data small", OTHER_SIZE),
    ("rbm mixing run --data small", "expected shape (784), found (16)"),
    ("rbm mixing run elsewhere", "elsewhere: was trained on other data than run; say with --data"),
    ("rbm mixing run --images 1", "--images 1: 2 to 1,000 test images can be used"),
    ("rbm mixing run --images 1001", "--images 1001: 2 to 1,000 test images can be used"),
    ("rbm mixing run --steps 0", "--steps 0: 1 to 1,073,741,824 Gibbs steps can be walked"),
    ("rbm mixing run --threads 0", "--threads 0: 1 to 1024"),
    ("rbm mixing run --out run/model.safetensors", "creating run/model.safetensors: "),
    ("rbm sweep --hidden 5,5", "--hidden 5,5: write numbers of at least 1, each once"),
    ("rbm sweep --steps 0", "--steps 0: write numbers of at least 1"),
    ("rbm sweep --images 200 --batch 201", "--batch 201: a mini-batch can have at most"),
    ("rbm samp run", "no command is called 'samp'; did you mean 'sample'?"),
    ("nonsense", "no command is called 'nonsense'; see `equilibria --help`"),
    ("info --threads 2", "this command has no option '--threads'"),
];

#[test]
fn bad_input_gets_one_sentence_and_changes_nothing() {
    let folder = trained();
    write_bad_files(folder.path());
    let before = snapshot(folder.path());
    for (arguments, words) in BAD {
        check(folder.path(), arguments, words, &[]);
        assert!(snapshot(folder.path()) == before, "`{arguments}` left something behind");
    }
    let simd = [("EQUILIBRIA_SIMD", "nonsense")];
    for arguments in ["info", "rbm train", "rbm sample run"] {
        check(folder.path(), arguments, "EQUILIBRIA_SIMD=nonsense: not a SIMD level", &simd);
    }
    let threads = [("RAYON_NUM_THREADS", "100000")];
    check(folder.path(), "info", "RAYON_NUM_THREADS=100000: at most 1024 threads", &threads);
    assert!(snapshot(folder.path()) == before);
}

/// Words that are empty or not in UTF-8, which the table above cannot hold.
#[cfg(unix)]
#[test]
fn words_that_are_no_text_get_a_sentence_too() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    let run = |words: &[&[u8]]| {
        let words = words.iter().map(|word| OsStr::from_bytes(word));
        let output =
            assert_cmd::Command::new(BINARY).args(words).current_dir(folder.path()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    for (words, told) in [
        (&[&b"n\xffu"[..]][..], "see `equilibria --help`"),
        (&[b"rbm", b"train", b"--n\xffu"], "see `equilibria rbm train --help`"),
        (&[b"rbm", b"train", b"--data", b"n\xffu"], "not found in"),
        (&[b"rbm", b"train", b"--data", b""], "an empty path: give a folder"),
        (&[b"reproduce", b"--data", b""], "an empty path: give a folder"),
    ] {
        let (status, _, stderr) = run(words);
        assert!(
            matches!(status, Some(1 | 2)) && stderr.starts_with("error: ") && stderr.contains(told),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }

    // A folder may be called anything; what is printed about it is text, and can be pasted.
    let name = b"n\xffu 'n";
    let train = b"rbm train --images 50 --batch 10 --hidden 2 --epochs 1 --out";
    let train: Vec<&[u8]> = train.split(|&byte| byte == b' ').chain([&name[..]]).collect();
    let (status, stdout, stderr) = run(&train);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stdout.ends_with("equilibria rbm sample 'n\u{fffd}u '\\''n'\n"), "{stdout}");
    for command in ["sample", "reconstruct", "filters"] {
        let (status, stdout, stderr) = run(&[b"rbm", command.as_bytes(), name, b"--json"]);
        assert_eq!(status, Some(0), "{command}: {stderr}");
        let summary: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert!(summary["picture"].as_str().unwrap().starts_with("n\u{fffd}u 'n/"), "{summary}");
    }
}

#[track_caller]
fn check(folder: &Path, arguments: &str, words: &str, environment: &[(&str, &str)]) {
    let outcome = equilibria_with(folder, arguments, environment);
    let text = &outcome.stderr;
    assert_eq!((outcome.is_refused(), outcome.stdout.as_str()), (true, ""), "`{arguments}`: {text}");
    assert!(text.starts_with("error: ") && text.ends_with('\n'), "`{arguments}`: {text}");
    assert_eq!(text.lines().count(), 1, "`{arguments}`: {text}");
    assert!(text.contains(words) && !text.contains("panicked"), "`{arguments}`: {text}");
}

/// Each number is within its bounds; together they are more than 47 bits can address.
#[test]
fn more_memory_than_there_is_ends_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    write_digits(&folder.path().join("points"), 1, 12_000_000, 5);
    let before = fs::read_dir(folder.path()).unwrap().count();
    let words = "--hidden 1048576 --batch 12000000: training needs about 704";
    for command in ["train", "sweep"] {
        let arguments = format!("rbm {command} --data points --hidden 1048576 --batch 12000000 --out run");
        check(folder.path(), &arguments, words, &[]);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}

#[test]
fn damaged_runs_are_not_continued() {
    let folder = trained();
    let damage = |file: &str, content: &[u8], words: &str| {
        let path = folder.path().join("run").join(file);
        let good = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        check(folder.path(), "rbm train --resume run", words, &[]);
        fs::write(&path, good).unwrap();
    };
    let checkpoint = fs::read(folder.path().join("run/checkpoint.safetensors")).unwrap();
    let config = fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    let changed = |from: &str, to: &str| config.replace(from, to).into_bytes();
    damage("checkpoint.safetensors", &checkpoint[..checkpoint.len() - 4], "checkpoint.safetensors: at byte ");
    let model = fs::read(folder.path().join("run/model.safetensors")).unwrap();
    damage("checkpoint.safetensors", &model, "checkpoint.safetensors: at byte 8: ");
    damage("config.toml", b"hidden = [", "config.toml: at byte ");
    damage("config.toml", b"hidden = 8", "config.toml: at byte ");
    damage("config.toml", &changed("hidden = 8", "hidden = 9"), "has shape (784, 8), expected (784, 9)");
    damage("config.toml", &changed("hidden = 8", "hidden = 0"), "--hidden 0: ");
    damage(
        "config.toml",
        &changed("epochs = 2", "epochs = 1"),
        "'epoch' is not what this run can have reached",
    );
    damage("config.toml", &changed("\"pcd\"", "\"dcp\""), "the methods are cd");
    damage("config.toml", &changed("seed = 1", "seed = 1\ncolour = 3"), "unknown field `colour`");
    damage("metrics.csv", b"epoch,loss\n1,2\n", "metrics.csv: at byte 0: the header is");
    equilibria(folder.path(), "rbm train --resume run -q").succeeded();
}

#[test]
fn help_stands_in_for_a_command_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in ["", "rbm"] {
        let outcome = equilibria(folder.path(), arguments);
        assert_eq!((outcome.is_refused(), outcome.stdout.as_str()), (true, ""));
        assert!(outcome.stderr.contains("Commands:"), "{}", outcome.stderr);
    }
}

#[test]
fn a_benchmark_is_compared_with_a_record_of_the_same_kind() {
    let folder = tempfile::tempdir().unwrap();
    let bench = "bench --only reduce --quick --threads 1";
    equilibria(folder.path(), &format!("{bench} --record now.json")).succeeded();
    let record = std::fs::read_to_string(folder.path().join("now.json")).unwrap();
    let mut faster: serde_json::Value = serde_json::from_str(&record).unwrap();
    let figures = faster["figures"].as_object_mut().unwrap();
    assert!(figures.len() > 4);
    figures.values_mut().for_each(|figure| *figure = (1e6).into());
    std::fs::write(folder.path().join("faster.json"), faster.to_string()).unwrap();
    let slower = equilibria(folder.path(), &format!("{bench} --compare faster.json"));
    assert_eq!(slower.status, Some(1));
    assert!(
        slower.stdout.contains("slower: ") && slower.stdout.contains("figures are slower"),
        "{}",
        slower.stdout
    );
    std::fs::write(folder.path().join("other.json"), record.replace("\"threads\": 1", "\"threads\": 3"))
        .unwrap();
    let refused = equilibria(folder.path(), &format!("{bench} --compare other.json"));
    assert!(refused.is_refused());
    assert!(refused.stderr.contains("with 3 threads"), "{}", refused.stderr);
}
