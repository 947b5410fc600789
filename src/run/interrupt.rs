//! Ctrl-C: the first signal requests a stop, a later one ends the process.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::progress;
use crate::{Error, Result};

/// Exit status of a process that the user stopped: 128 + SIGINT.
pub const EXIT_STATUS: i32 = 130;

/// Signals within this time of the first count as one: GNU `timeout` sends two, to the process and to its group, and a
/// terminal that closes may send SIGHUP after SIGTERM.
const ONE_SIGNAL: Duration = Duration::from_secs(1);

static REQUESTED: AtomicBool = AtomicBool::new(false);
static FIRST: OnceLock<Instant> = OnceLock::new();
static INSTALLED: OnceLock<Result<()>> = OnceLock::new();

/// The kind of work that a signal interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Training with checkpoints.
    Training,
    /// Short steps; nothing is kept before the end.
    Unsaved,
}

/// Handles Ctrl-C, SIGTERM and SIGHUP from now on; further calls change nothing.
///
/// The first signal makes [`requested`] true; in training, a line on standard error says that the batch is completed first.
/// A signal more than a second later ends the process at once with status 130. Signals in between count as one with the
/// first.
///
/// Call this once there is something to lose. Before, a signal ends the process as usual, also while it waits for data.
///
/// **Errors** [`Error::Io`] if the system refuses, or the process already handles Ctrl-C elsewhere.
pub fn install(work: Work) -> Result<()> {
    let install = || {
        ctrlc::set_handler(move || on_signal(work)).map_err(|reason| Error::io("handling", "Ctrl-C", reason))
    };
    INSTALLED.get_or_init(install).clone()
}

/// Returns true after the first signal.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Returns [`Error::Interrupted`] once `stop` returns true, for work that keeps nothing.
pub(super) fn check(stop: &(dyn Fn() -> bool + Sync)) -> Result<()> {
    match stop() {
        true => Err(Error::Interrupted { resume: "nothing is kept: the same command starts anew".into() }),
        false => Ok(()),
    }
}

/// Runs in a thread of its own, not in signal context: printing is safe.
fn on_signal(work: Work) {
    let now = Instant::now();
    let first = *FIRST.get_or_init(|| now);
    if !REQUESTED.swap(true, Ordering::Relaxed) {
        // In other work the loop stops before a sentence could be read.
        if work == Work::Training {
            progress::print_above_bar(
                "stopping after this batch; Ctrl-C again, after a second, stops at once, without a checkpoint",
            );
        }
    } else if now.duration_since(first) > ONE_SIGNAL {
        progress::print_instead_of_bar(match work {
            Work::Training => "stopped at once; nothing since the last checkpoint is kept",
            Work::Unsaved => "stopped at once; nothing is kept",
        });
        std::process::exit(EXIT_STATUS);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

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
        let name = "run::interrupt::tests::the_first_signal_asks_and_one_after_a_second_ends_the_process";
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
}
