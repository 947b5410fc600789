//! Keeps a pool's threads awake.
//!
//! A thread without work falls asleep within some microseconds, and to wake it takes longer than many a kernel runs:
//! an update of a Boltzmann machine is half a dozen parallel kernels of 20 to 100 microseconds with a little serial
//! work in between. Threads that keep watch look for work until the whole of it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Threads that keep watch at most: the kernels split into few tasks, and who looks for work disturbs those who have it.
const KEEPERS: usize = 7;

/// What others are given to begin.
const PATIENCE: Duration = Duration::from_micros(200);

/// Looks for work without success before the operating system may give the core to another thread.
const SPINS: u32 = 64;

/// Runs `work`, which is many small parallel kernels, on a thread of the current pool, whose other threads stay awake
/// meanwhile: for loops over updates or steps. Its own cost is some ten microseconds and a few allocations.
pub fn within_awake<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| {
        let watch = Arc::new(Watch::default());
        let here = rayon::current_thread_index();
        let others = rayon::current_num_threads() - 1;
        if others > 0 {
            let watch = Arc::clone(&watch);
            // Not of the scope: that would wait for threads that are busy elsewhere.
            rayon::spawn_broadcast(move |_| {
                if rayon::current_thread_index() != here {
                    watch.keep();
                }
            });
        }
        watch.begin(others.min(KEEPERS));
        let _end = End(&watch);
        work()
    })
}

#[derive(Default)]
struct Watch {
    keepers: AtomicUsize,
    has_begun: AtomicBool,
    is_over: AtomicBool,
}

/// Ends the watch, also when the work panics.
struct End<'a>(&'a Watch);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
    }
}

impl Watch {
    /// Waits for others; who comes later does not keep watch.
    fn begin(&self, others: usize) {
        let start = Instant::now();
        while self.keepers.load(Ordering::Acquire) < others && start.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        self.has_begun.store(true, Ordering::SeqCst);
    }

    /// Does whatever work there is until the watch is over.
    ///
    /// A thread may come here while it waits for a piece of work that itself started. If that piece were part of what
    /// is watched, each would wait for the other: so the watch is closed before its work begins.
    fn keep(&self) {
        let place = self.keepers.fetch_add(1, Ordering::SeqCst);
        if place >= KEEPERS || self.has_begun.load(Ordering::SeqCst) {
            return;
        }
        let mut spins = 0;
        while !self.is_over.load(Ordering::Acquire) {
            if rayon::yield_now() == Some(rayon::Yield::Executed) {
                spins = 0;
            } else if spins < SPINS {
                spins += 1;
                std::hint::spin_loop();
            } else {
                spins = 0;
                std::thread::yield_now();
            }
        }
    }
}
