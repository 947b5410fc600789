//! Keeps a pool's threads awake.
//!
//! An idle thread of rayon sleeps after some microseconds, and waking it takes longer than many kernels run: an update of
//! a Boltzmann machine is half a dozen parallel kernels of 20 to 100 microseconds with short serial sections between them.
//! Here the idle threads keep polling for work until all of it is done.

use super::erased::result_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Maximum number of polling threads: the kernels split into few tasks, and polling disturbs the threads that work.
const MAX_POLLING: usize = 7;

/// Time that the other threads have to begin polling.
const START_LIMIT: Duration = Duration::from_micros(200);

/// Unsuccessful polls before the operating system may give the core to another thread.
const SPINS: u32 = 64;

/// Runs `work` on a thread of the current pool and keeps the pool's other threads awake meanwhile.
///
/// For loops over many small parallel kernels, such as updates or training steps.
///
/// **Accuracy and cost** About ten microseconds and a few allocations per call.
///
/// ```
/// let sum = equilibria::parallel::within_awake(|| (1..=10).sum::<i32>());
/// assert_eq!(sum, 55);
/// ```
pub fn within_awake<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    result_of(work, run_awake)
}

fn run_awake(work: &mut (dyn FnMut() + Send)) {
    rayon::scope(|_| {
        let watch = Arc::new(Watch::default());
        let here = rayon::current_thread_index();
        let others = rayon::current_num_threads() - 1;
        if others > 0 {
            let watch = Arc::clone(&watch);
            // Outside the scope, which would wait for threads that are busy elsewhere.
            rayon::spawn_broadcast(move |_| {
                if rayon::current_thread_index() != here {
                    watch.poll();
                }
            });
        }
        watch.begin(others.min(MAX_POLLING));
        let _end = End(&watch);
        work();
    });
}

#[derive(Default)]
struct Watch {
    polling: AtomicUsize,
    has_begun: AtomicBool,
    is_over: AtomicBool,
}

/// Ends the polling, even if the work panics.
struct End<'a>(&'a Watch);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
    }
}

impl Watch {
    /// Waits for `others` threads; a thread that arrives later does not poll.
    fn begin(&self, others: usize) {
        let start = Instant::now();
        while self.polling.load(Ordering::Acquire) < others && start.elapsed() < START_LIMIT {
            std::thread::yield_now();
        }
        self.has_begun.store(true, Ordering::SeqCst);
    }

    /// Executes any available task until the work is done.
    ///
    /// A thread may call this while it waits for a task that it has started. If that task belonged to the watched work,
    /// the two would wait for each other. Therefore no thread can join after the work has begun.
    fn poll(&self) {
        let position = self.polling.fetch_add(1, Ordering::SeqCst);
        if position >= MAX_POLLING || self.has_begun.load(Ordering::SeqCst) {
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
