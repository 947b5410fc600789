//! Does every door take the inputs that fuzzing has found, without a panic? `tests/fuzz/run` looks for more.
#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "fuzz/src/doors.rs"]
mod doors;

use flate2::read::GzDecoder;
use std::fs;
use std::io::Read;
use std::path::Path;

/// The files of a tar archive without folders: name and content.
fn files(archive: &[u8]) -> Vec<(String, &[u8])> {
    const BLOCK: usize = 512;
    let text =
        |field: &[u8]| String::from_utf8(field.split(|&byte| byte == 0).next().unwrap().into()).unwrap();
    let (mut files, mut rest) = (Vec::new(), archive);
    while rest.first().is_some_and(|&byte| byte != 0) {
        let (header, content) = rest.split_at(BLOCK);
        let size = usize::from_str_radix(text(&header[124..136]).trim(), 8).unwrap();
        let is_file = header[156] == b'0';
        is_file.then(|| files.push((text(&header[..100]), &content[..size])));
        rest = &content[size.next_multiple_of(BLOCK)..];
    }
    files
}

#[test]
fn no_door_panics_at_a_stored_input() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz");
    for (name, door) in doors::DOORS {
        let path = fixtures.join(format!("{name}.tar.gz"));
        let packed = fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut archive = Vec::new();
        GzDecoder::new(packed).read_to_end(&mut archive).unwrap();
        let files = files(&archive);
        assert!(!files.is_empty(), "{name} has no input");
        for (file, bytes) in files {
            let entered = std::panic::catch_unwind(|| door(bytes));
            assert!(entered.is_ok(), "{name}: {file}");
            // The same input, cut short.
            let entered = std::panic::catch_unwind(|| door(&bytes[..bytes.len() / 2]));
            assert!(entered.is_ok(), "{name}: the first half of {file}");
        }
    }
    assert!(doors::find("nowhere").is_none());
}
