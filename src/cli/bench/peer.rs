//! The number of threads of `matrixmultiply`, which reads it (1, 2 or 4) from an environment variable, once per process.

use std::process::Command;

/// The environment variable that `matrixmultiply` reads.
const VARIABLE: &str = "MATMUL_NUM_THREADS";

/// The number of threads that `matrixmultiply` uses; `None` if it chooses by itself.
pub(super) fn threads() -> Option<usize> {
    match std::env::var(VARIABLE).ok()?.parse().ok()? {
        0 | 1 => Some(1),
        2 | 3 => Some(2),
        _ => Some(4),
    }
}

/// Replaces this process by the same command, in which `matrixmultiply` uses `threads` threads.
///
/// Does nothing if the variable is set. If the process cannot be replaced, `matrixmultiply` uses one thread per physical
/// core.
pub(super) fn set_threads(threads: usize) {
    #[cfg(unix)]
    if std::env::var_os(VARIABLE).is_none() {
        use std::os::unix::process::CommandExt;
        if let Ok(mut command) = this_program(threads) {
            // Returns only if it fails.
            let _ = command.args(std::env::args_os().skip(1)).exec();
        }
    }
    #[cfg(not(unix))]
    let _ = threads;
}

/// This program, with `threads` threads for `matrixmultiply`.
pub(super) fn this_program(threads: usize) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(VARIABLE, threads.to_string());
    Ok(command)
}
