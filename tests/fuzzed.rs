//! Does every door take the inputs that fuzzing has found, without a panic? `tests/fuzz/run` looks for more.
#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "fuzz/src/doors.rs"]
mod doors;

use std::fs;
use std::path::Path;

#[test]
fn no_door_panics_at_a_stored_input() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz");
    for (name, door) in doors::DOORS {
        let entries = fs::read_dir(fixtures.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut count = 0;
        for entry in entries {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let entered = std::panic::catch_unwind(|| door(&bytes));
            assert!(entered.is_ok(), "{}", path.display());
            // What is cut short, too.
            let entered = std::panic::catch_unwind(|| door(&bytes[..bytes.len() / 2]));
            assert!(entered.is_ok(), "the first half of {}", path.display());
            count += 1;
        }
        assert!(count > 0, "{name} has no input");
    }
    assert!(doors::find("nowhere").is_none());
}
