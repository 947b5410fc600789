//! Does the first signal ask for a stop, and a later one end the process?

use equilibria::run::interrupt::{EXIT_STATUS, Work, install, requested};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Signals within this time of the first count as one.
const ONE_SIGNAL: Duration = Duration::from_secs(1);
/// Set in the process that the test signals, to the work it is at.
const CHILD: &str = "EQUILIBRIA_TEST_INTERRUPT_CHILD";

/// The signalled process: prints "ready", waits for the first signal, prints "asked", waits for the last one.
fn child(work: Work) {
    install(work).unwrap();
    install(work).unwrap();
    assert!(!requested());
    eprintln!("ready");
    let deadline = Instant::now() + Duration::from_secs(10);
    while !requested() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(requested(), "the first signal was not noticed");
    // After the line of the handler.
    std::thread::sleep(Duration::from_millis(50));
    eprintln!("asked");
    std::thread::sleep(Duration::from_secs(10));
    panic!("the last signal did not end the process");
}

#[test]
fn the_first_signal_asks_and_one_after_a_second_ends_the_process() {
    if let Some(work) = std::env::var_os(CHILD) {
        return child(if work == "Training" { Work::Training } else { Work::Unsaved });
    }
    let name = "interrupt::the_first_signal_asks_and_one_after_a_second_ends_the_process";
    for (work, first, second) in [
        (
            Work::Training,
            "stopping after this batch; Ctrl-C again, after a second, stops at once, without a checkpoint\n",
            "stopped at once; nothing since the last checkpoint is kept\n",
        ),
        (Work::Unsaved, "", "stopped at once; nothing is kept\n"),
    ] {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, format!("{work:?}"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        // Reads standard error up to `text`.
        let mut until = |text: &str| {
            let mut said = String::new();
            while !said.ends_with(text) {
                assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said} and not {text:?}");
            }
            said.truncate(said.len() - text.len());
            said
        };
        let id = process.id().to_string();
        let signal = |which: &str| {
            let status = Command::new("kill").args([which, &id]).status();
            assert!(status.unwrap().success());
        };
        until("ready\n");
        signal("-INT");
        assert_eq!(until("asked\n"), first, "{work:?}");
        let asked = Instant::now();
        // As one with the first.
        signal("-TERM");
        signal("-HUP");
        std::thread::sleep(ONE_SIGNAL);
        assert!(
            process.try_wait().unwrap().is_none(),
            "{work:?}: ended {:?} after the first",
            asked.elapsed()
        );
        signal("-TERM");
        assert_eq!(until(second), "", "{work:?}");
        assert_eq!(process.wait().unwrap().code(), Some(EXIT_STATUS));
    }
}
