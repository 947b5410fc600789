//! A program without the standard library: does it link, sample without allocation, and stay small?

use std::path::Path;
use std::process::Command;

/// Bytes of an ELF file of 64 bits that are loaded and not written: code and constants.
fn read_only_bytes(elf: &[u8]) -> usize {
    let number = |place: usize, size: usize| -> usize {
        elf[place..place + size].iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte))
    };
    let (headers, size, count) = (number(0x20, 8), number(0x36, 2), number(0x38, 2));
    let is_loaded_and_not_written = |place: &usize| number(*place, 4) == 1 && number(place + 4, 4) & 2 == 0;
    let segments = (0..count).map(|index| headers + index * size).filter(is_loaded_and_not_written);
    segments.map(|place| number(place + 0x20, 8)).sum()
}

#[test]
fn the_firmware_needs_less_than_64_kib_of_code_8_kib_of_memory_and_no_allocator() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/firmware");
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) || !folder.exists() {
        println!("skipped: the firmware is built in the repository, on Linux on x86-64");
        return;
    }
    if Command::new("cc").arg("--version").output().is_err() {
        println!("skipped: there is no C linker");
        return;
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("firmware");
    let build = Command::new(env!("CARGO"))
        .args(["build", "-q", "--release", "--locked"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("FIRMWARE_MODEL")
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
    let program = target.join("release/firmware");
    let model = std::fs::metadata("fixtures/rbm-784-500.safetensors").unwrap().len() as usize;
    let code = read_only_bytes(&std::fs::read(&program).unwrap()) - model;
    assert!(code < 64 << 10, "{code} bytes of code and constants");

    let output = Command::new(&program).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    let value = |line: &str, key: &str| -> String {
        let word = line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        word.unwrap_or_else(|| panic!("no {key} in {text}")).to_string()
    };
    let levels: Vec<String> = text.lines().map(|line| value(line, "level")).collect();
    let expected: Vec<&str> = equilibria_kernels::Level::available().map(|level| level.name()).collect();
    assert_eq!(levels, expected, "{text}");
    for line in text.lines() {
        assert_eq!(value(line, "requests"), "0", "{line}");
    }
    // The memory of a small device: the plain level.
    let line = text.lines().next().unwrap();
    let [buffers, stack] = ["buffers", "stack"].map(|key| value(line, key).parse::<usize>().unwrap());
    assert!(buffers == 4 * (784 + 500) && buffers + stack < 8 << 10, "{line}");
}
