//! A workload, the pools that it runs in, random inputs, and the check of results.

use super::entry::{Entry, Unit};
use super::limits::{multiply_adds, multiply_adds_operations};
use super::measure::{Action, Effort, measure_interleaved, repeat};
use crate::parallel::within_awake;
use crate::rng::Stream;
use crate::{Error, Result};
use equilibria_kernels::{Level, Scalar, random::fill_uniform};
use serde_json::Value;
use std::fmt::{self, Debug, Display, Formatter};
use std::ops::Range;

/// A workload: actions to measure in turn, and the meaning of their times.
pub struct Workload {
    /// Kernel and type, for instance `gemm f32`.
    pub kernel: String,
    /// Shape of the data.
    pub shape: String,
    /// Floating-point operations, elements, states or samples of a call.
    pub work: f64,
    /// The part of the usual time that a measurement needs: 1 / `divisor`.
    pub divisor: u32,
    /// The action to measure.
    pub ours: Action<'static>,
    /// The same by other means: a name and an action.
    pub peer: Option<(&'static str, Action<'static>)>,
    /// The limit of the machine.
    pub limit: Option<Action<'static>>,
    /// The meaning of the times.
    pub entry: MakeEntry,
}

impl Debug for Workload {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Workload({} {})", self.kernel, self.shape)
    }
}

/// Makes a line of the table from the seconds per call of the action, then of its peer and of the limit if it has them.
pub type MakeEntry = Box<dyn FnOnce(Naming, &[f64]) -> Entry + Send>;

/// The kernel, the shape and the number of threads of an entry.
pub type Naming = (String, String, usize);

/// Receives workloads one by one.
pub type Add<'a> = &'a mut dyn FnMut(Workload, Place) -> Result<()>;

/// The thread pool that a workload runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a pool of one thread.
    One,
    /// In the global pool.
    All,
    /// In the global pool, whose threads stay awake as in a run.
    Awake,
}

/// The SIMD level, and the thread pools.
#[derive(Debug)]
pub struct Context {
    /// The SIMD level of all workloads.
    pub level: Level,
    one: rayon::ThreadPool,
}

impl Context {
    /// Detects the SIMD level and starts a pool of one thread.
    ///
    /// **Errors** [`Error::Io`] if no thread can be started.
    pub fn new() -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let one = pool.map_err(|error| Error::io("starting", "a thread", error))?;
        Ok(Self { level: Level::detect(), one })
    }

    /// Runs `work` inside a pool.
    pub fn within<R: Send>(&self, place: Place, work: impl FnOnce() -> R + Send) -> R {
        match place {
            Place::One => self.one.install(work),
            Place::All => rayon::scope(|_| work()),
            Place::Awake => within_awake(work),
        }
    }

    /// Measures a workload in its place.
    pub fn measure(&self, workload: Workload, place: Place, effort: Effort) -> Entry {
        let Workload { kernel, shape, divisor, ours, peer, limit, entry, .. } = workload;
        let mut actions: Vec<_> =
            [Some(ours), peer.map(|(_, peer)| peer), limit].into_iter().flatten().collect();
        let (seconds, threads) = self.within(place, || {
            (measure_interleaved(effort.part(divisor), &mut actions), rayon::current_num_threads())
        });
        entry((kernel, shape, threads), &seconds)
    }
}

impl Workload {
    /// A workload of `operations` floating-point operations, compared with a peer and with the multiply-add peak. `json` makes
    /// the object from its speed and that of the peer in GFLOP/s, the share of the peak, and the number of threads.
    pub(super) fn flops<T: Scalar>(
        level: Level,
        [kernel, shape]: [String; 2],
        operations: f64,
        ours: impl FnMut() + Send + 'static,
        (peer, theirs): (&'static str, impl FnMut() + Send + 'static),
        json: impl FnOnce([f64; 3], usize) -> Value + Send + 'static,
    ) -> Self {
        Self {
            kernel,
            shape,
            work: operations,
            divisor: 1,
            ours: repeat(ours),
            peer: Some((peer, repeat(theirs))),
            limit: Some(multiply_adds::<T>(level)),
            entry: Box::new(move |(kernel, shape, threads), seconds| {
                let [speed, peer] = [0, 1].map(|i: usize| operations / seconds[i] / 1e9);
                let share = speed / (multiply_adds_operations::<T>(level) / seconds[2] / 1e9);
                let json = json([speed, peer, share], threads);
                let (share, ratio) = (Some(share), Some(speed / peer));
                Entry { kernel, shape, threads, speed, unit: Unit::Gflops, share, ratio, json }
            }),
        }
    }
}

/// Uniform random numbers from `range`.
pub fn noise<T: Scalar>(level: Level, length: usize, range: Range<f64>) -> Vec<T> {
    let mut values = vec![T::ZERO; length];
    let seed = Stream::named(2, "bench").substream(length as u64).substream(range.start.to_bits());
    fill_uniform(level, &mut seed.bulk(), &mut values);
    let (start, width) = (T::from_f64(range.start), T::from_f64(range.end - range.start));
    for x in &mut values {
        *x = *x * width + start;
    }
    values
}

/// Returns an error unless `found` is `right` within `tolerance`; NaN is an error.
pub(super) fn expect(what: impl Display, found: f64, right: f64, tolerance: f64) -> Result<()> {
    if (found - right).abs() <= tolerance { Ok(()) } else { Err(wrong(what, found, right)) }
}

/// The error for a wrong result.
pub(super) fn wrong(what: impl Display, found: impl Display, right: impl Display) -> Error {
    Error::invalid(what, format!("gives {found} where {right} is right"))
}
