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

/// Blocks SIGXFSZ in this thread and in those that it starts. Without it, the signal ends the process without a word at a
/// limit of the size of files (`ulimit -f`); now the write fails, and its error names the file.
pub fn block_file_size_signal() {
    #[cfg(unix)]
    {
        // A set of one signal; its type has no name in `ctrlc`.
        #[allow(clippy::eq_op)]
        let signals = ctrlc::Signal::SIGXFSZ | ctrlc::Signal::SIGXFSZ;
        // Linux and macOS refuse no set.
        let _ = signals.thread_block();
    }
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
