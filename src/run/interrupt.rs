//! Ctrl-C: the first asks the loop to stop after its batch, the second ends the process.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use super::progress;
use crate::{Error, Result};

/// Exit status of a process that the user stopped: 128 + SIGINT.
pub const EXIT_STATUS: i32 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);
static INSTALLED: OnceLock<Result<()>> = OnceLock::new();

/// Handles Ctrl-C and the polite signals (SIGTERM, SIGHUP) from now on; further calls change nothing.
///
/// The first signal makes [`requested`] true and says so on standard error. The second ends the process at
/// once with status 130.
///
/// **Errors** [`Error::Io`] if the system refuses, or someone else in the process handles Ctrl-C.
pub fn install() -> Result<()> {
    let install = || ctrlc::set_handler(on_signal).map_err(|reason| Error::io("handling", "Ctrl-C", reason));
    INSTALLED.get_or_init(install).clone()
}

/// Whether the user asked to stop.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// Runs in a thread of its own, not in signal context: printing is safe.
fn on_signal() {
    if REQUESTED.swap(true, Ordering::Relaxed) {
        progress::print_instead_of_bar("stopped at once; nothing since the last checkpoint is kept");
        std::process::exit(EXIT_STATUS);
    }
    progress::print_above_bar("stopping after this batch; Ctrl-C again stops at once, without a checkpoint");
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    /// Set in the process that the test signals.
    const CHILD: &str = "EQUILIBRIA_TEST_INTERRUPT_CHILD";

    /// What the signalled process does: say when it is ready, wait to be asked, wait to be ended.
    fn child() {
        install().unwrap();
        install().unwrap();
        assert!(!requested());
        eprintln!("ready");
        let deadline = Instant::now() + Duration::from_secs(10);
        while !requested() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(requested(), "the first signal was not noticed");
        std::thread::sleep(Duration::from_secs(10));
        panic!("the second signal did not end the process");
    }

    #[test]
    fn the_first_signal_asks_and_the_second_ends_the_process() {
        if std::env::var_os(CHILD).is_some() {
            return child();
        }
        let name = "run::interrupt::tests::the_first_signal_asks_and_the_second_ends_the_process";
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut wait_for = |text: &str| {
            let mut line = String::new();
            while !line.contains(text) {
                line.clear();
                assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "the process ended before {text:?}");
            }
        };
        let signal = |which: &str| {
            let status = Command::new("kill").args([which, &process.id().to_string()]).status();
            assert!(status.unwrap().success());
        };
        wait_for("ready");
        signal("-INT");
        wait_for("stopping after this batch");
        signal("-TERM");
        wait_for("nothing since the last checkpoint is kept");
        assert_eq!(process.wait().unwrap().code(), Some(EXIT_STATUS));
    }
}
