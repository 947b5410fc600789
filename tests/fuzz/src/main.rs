//! The fuzzer: the environment variable DOOR names the door; the other arguments are libFuzzer's.
#![no_main]

mod doors;

use std::sync::OnceLock;

static DOOR: OnceLock<doors::Door> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let door = DOOR.get_or_init(|| {
        let name = std::env::var("DOOR").unwrap_or_default();
        let names = doors::DOORS.map(|(name, _)| name).join(", ");
        doors::find(&name).unwrap_or_else(|| panic!("DOOR is one of {names}, not `{name}`"))
    });
    door(bytes);
});
