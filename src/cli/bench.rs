//! `equilibria bench`: the kernels' speed against the machine's limits and other crates.
//!
//! Inputs are random and no answer is timed before it has been checked. How numbers are taken on a machine
//! that is shared, and what they mean, is told in [`measure`]. Everything runs inside a rayon pool, so that no
//! call pays for entering it; what is timed on one thread runs in a pool of one.
//!
//! `matrixmultiply` reads its number of threads (1, 2 or 4) from an environment variable, once a process. So
//! this process starts itself anew with the variable set to what it is to be compared at, and the products on
//! one thread are measured by a child that has it at 1.
//!
//! To add a kernel: one call of [`slices::measure`] in a group, or a group with an [`Entry`] of its own.

mod boltzmann;
mod game;
mod gemm;
mod limits;
mod math;
mod measure;
mod products;
mod random;
mod reduce;
mod slices;
mod table;

use super::{print, print_json, use_threads};
use crate::rng::Stream;
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use equilibria_kernels::{Level, Scalar, random::fill_uniform};
use limits::{copy, multiply_adds, multiply_adds_here, multiply_adds_operations};
use measure::{Effort, measure_interleaved, repeat};
use serde::Serialize;
use std::ops::Range;
use std::process::Command;

/// Measure the kernels against the machine's limits and other crates.
#[derive(Debug, Args)]
#[command(after_help = "\
Every kernel's answer is checked before it is timed. Slices of a few milliseconds of the machine's
limit, the kernel and the peer take turns, and the upper decile of each is shown: all of it in about
a minute.

Examples:
  equilibria bench
  equilibria bench --only gemm,math --json
  EQUILIBRIA_SIMD=avx2 equilibria bench --only gemm --quick")]
pub(super) struct Bench {
    /// Run these groups alone.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "GROUP,...")]
    only: Vec<Group>,
    /// Measure for a few seconds; numbers are rough.
    #[arg(long)]
    quick: bool,
    /// Threads to use [default: one a core].
    #[arg(long)]
    threads: Option<usize>,
    /// Print JSON on standard output.
    #[arg(long)]
    json: bool,
    /// What the child measures.
    #[arg(long, hide = true)]
    one_thread_products: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Group {
    /// Matrix products
    Gemm,
    /// exp, ln, sigmoid, log-sigmoid, softplus, tanh
    Math,
    /// Sums, dot products, largest elements, log-sum-exp
    Reduce,
    /// Words, uniforms, normals, Bernoulli states
    Random,
    /// Products with bits, contrastive divergence
    Boltzmann,
    /// Steps of adversarial games
    Game,
}

/// What all groups share.
struct Context {
    level: Level,
    effort: Effort,
    quick: bool,
    one: rayon::ThreadPool,
}

impl Context {
    fn on_one<R: Send>(&self, run: impl FnOnce() -> R + Send) -> R {
        self.one.install(run)
    }

    fn on_all<R: Send>(&self, run: impl FnOnce() -> R + Send) -> R {
        rayon::scope(|_| run())
    }
}

/// A measurement, in JSON and in the table.
trait Entry: Serialize {
    fn row(&self) -> table::Row;
}

/// Takes measurements as they come.
type Add<'a, E> = &'a mut dyn FnMut(E) -> Result<()>;

#[derive(Serialize)]
struct Report {
    level: &'static str,
    threads: usize,
    /// Absent where it was left to `matrixmultiply`.
    #[serde(skip_serializing_if = "Option::is_none")]
    matrixmultiply_threads: Option<usize>,
    fma_peak_gflops: Peak,
    copy_gb_per_s: f64,
    gemm: Vec<gemm::Gemm>,
    gemm_one_thread: Vec<gemm::Gemm>,
    gemm_transposed: Vec<gemm::Gemm>,
    gemm_f64: Vec<gemm::Gemm>,
    math: Vec<slices::Slice>,
    reduce: Vec<slices::Slice>,
    random: Vec<slices::Slice>,
    binary_products: Vec<boltzmann::Product>,
    contrastive_divergence: Vec<boltzmann::Training>,
    game: Vec<game::Step>,
}

/// Of f32.
#[derive(Clone, Copy, Serialize)]
struct Peak {
    one_thread: f64,
    all_threads: f64,
}

impl Bench {
    pub(super) fn run(self) -> Result<()> {
        use_threads(self.threads)?;
        let threads = rayon::current_num_threads();
        if self.has(Group::Gemm) {
            tell_peer(threads);
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let context = Context {
            level: Level::detect(),
            effort: if self.quick { Effort::QUICK } else { Effort::FULL },
            quick: self.quick,
            one: pool.map_err(|error| Error::io("starting", "a thread", error))?,
        };
        if self.one_thread_products {
            let mut products = Vec::new();
            gemm::one_thread(&context, &mut |entry| {
                products.push(entry);
                Ok(())
            })?;
            return print_json(&products);
        }
        let (fma_peak_gflops, copy_gb_per_s) = (peak(&context), copy_speed(&context));
        let mut report = Report {
            level: context.level.name(),
            threads,
            matrixmultiply_threads: peer_threads(),
            fma_peak_gflops,
            copy_gb_per_s,
            gemm: Vec::new(),
            gemm_one_thread: Vec::new(),
            gemm_transposed: Vec::new(),
            gemm_f64: Vec::new(),
            math: Vec::new(),
            reduce: Vec::new(),
            random: Vec::new(),
            binary_products: Vec::new(),
            contrastive_divergence: Vec::new(),
            game: Vec::new(),
        };
        if !self.json {
            print(&heading(&report))?;
        }
        self.measure(&context, &mut report)?;
        if self.json { print_json(&report) } else { Ok(()) }
    }

    fn has(&self, group: Group) -> bool {
        self.only.is_empty() || self.only.contains(&group)
    }

    /// Runs the groups; the table's rows appear as they are measured.
    fn measure(&self, context: &Context, report: &mut Report) -> Result<()> {
        if self.has(Group::Gemm) {
            gemm::all_threads(context, &mut self.add(&mut report.gemm))?;
            gemm::one_thread(context, &mut self.add(&mut report.gemm_one_thread))?;
            gemm::transposed(context, &mut self.add(&mut report.gemm_transposed))?;
            gemm::double(context, &mut self.add(&mut report.gemm_f64))?;
        }
        if self.has(Group::Math) {
            math::run(context, &mut self.add(&mut report.math))?;
        }
        if self.has(Group::Reduce) {
            reduce::run(context, &mut self.add(&mut report.reduce))?;
        }
        if self.has(Group::Random) {
            random::run(context, &mut self.add(&mut report.random))?;
        }
        if self.has(Group::Boltzmann) {
            boltzmann::products(context, &mut self.add(&mut report.binary_products))?;
            boltzmann::training(context, &mut self.add(&mut report.contrastive_divergence))?;
        }
        if self.has(Group::Game) {
            game::run(context, &mut self.add(&mut report.game))?;
        }
        Ok(())
    }

    fn add<E: Entry>(&self, to: &mut Vec<E>) -> impl FnMut(E) -> Result<()> {
        let json = self.json;
        move |entry| {
            if !json {
                print(&format!("{}\n", entry.row()))?;
            }
            to.push(entry);
            Ok(())
        }
    }
}

/// What stands above the table.
fn heading(report: &Report) -> String {
    let Report { level, threads, fma_peak_gflops: peak, copy_gb_per_s: copy, .. } = report;
    let peer = match report.matrixmultiply_threads {
        Some(threads) => format!("matrixmultiply (all threads: up to {threads})"),
        None => "matrixmultiply".into(),
    };
    format!(
        "\
SIMD level {level}, threads {threads}; f32 multiply-add peak {one:.1} GFLOP/s on one thread and
{all:.1} GFLOP/s on all; copy (read + written) {copy:.1} GB/s on all

speed  upper decile of interleaved slices
share  of the multiply-add peak on as many threads, or of a copy where the slice is in memory
peer   times as fast as the peer: gemm, {peer};
       math and reduce, plain loops with the standard library; random, rand_xoshiro;
       bits, the dense product (their GFLOP/s and share are those of a dense product as fast)

{head}
{line}
",
        one = peak.one_thread,
        all = peak.all_threads,
        head = table::HEAD,
        line = "-".repeat(table::HEAD.len()),
    )
}

/// The f32 multiply-add peak.
fn peak(context: &Context) -> Peak {
    let level = context.level;
    let operations = multiply_adds_operations::<f32>(level);
    let mut one = repeat(|| multiply_adds_here::<f32>(level));
    let mut all = multiply_adds::<f32>(level);
    let seconds = context.on_all(|| measure_interleaved(context.effort, &mut [&mut one, &mut all]));
    Peak { one_thread: operations / seconds[0] / 1e9, all_threads: operations / seconds[1] / 1e9 }
}

/// GB/s of a copy of 256 MiB, read plus written, on all threads.
fn copy_speed(context: &Context) -> f64 {
    let from: Vec<f32> = noise(context.level, 64 << 20, -1.0..1.0);
    let mut to = from.clone();
    let bytes = 2.0 * size_of_val(&from[..]) as f64;
    let seconds = context.on_all(|| measure_interleaved(context.effort, &mut [&mut copy(&from, &mut to)]));
    bytes / seconds[0] / 1e9
}

/// Random numbers from `range`.
fn noise<T: Scalar>(level: Level, length: usize, range: Range<f64>) -> Vec<T> {
    let mut values = vec![T::ZERO; length];
    let seed = Stream::named(2, "bench").substream(length as u64).substream(range.start.to_bits());
    fill_uniform(level, &mut seed.bulk(), &mut values);
    let (start, width) = (T::from_f64(range.start), T::from_f64(range.end - range.start));
    for x in &mut values {
        *x = *x * width + start;
    }
    values
}

/// `f32` or `f64`.
fn type_name<T: Scalar>() -> &'static str {
    std::any::type_name::<T>()
}

/// Where `matrixmultiply` looks for its number of threads.
const PEER_THREADS: &str = "MATMUL_NUM_THREADS";

/// The threads that `matrixmultiply` was told to use.
fn peer_threads() -> Option<usize> {
    match std::env::var(PEER_THREADS).ok()?.parse().ok()? {
        0 | 1 => Some(1),
        2 | 3 => Some(2),
        _ => Some(4),
    }
}

/// Starts this program anew with `matrixmultiply` told to use as many threads as we do, unless it has been told
/// something. Where that fails, `matrixmultiply` chooses: a thread a physical core.
fn tell_peer(threads: usize) {
    #[cfg(unix)]
    if std::env::var_os(PEER_THREADS).is_none() {
        use std::os::unix::process::CommandExt;
        if let Ok(mut command) = again(threads) {
            // Returns only if it fails.
            let _ = command.args(std::env::args_os().skip(1)).exec();
        }
    }
    #[cfg(not(unix))]
    let _ = threads;
}

/// This program, with `matrixmultiply` told how many threads to use.
fn again(threads: usize) -> std::io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.env(PEER_THREADS, threads.to_string());
    Ok(command)
}
