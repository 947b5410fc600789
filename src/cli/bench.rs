//! `equilibria bench`: the speed of the kernels compared with the limits of the machine and with other crates.
//!
//! Inputs are random, and every result is checked before it is measured. [`measure`] explains the measurement and its
//! numbers. Everything runs inside a rayon pool, so that no call pays for entering it; measurements on one thread run in a
//! pool of one.
//!
//! `matrixmultiply` reads its number of threads once per process. So this process replaces itself by one in which it is
//! set, and a child process measures the products on one thread.
//!
//! To add a kernel: call [`slices::Kernel::measure`] in a group, or add a function that makes an [`Entry`] to [`BENCHES`].

mod boltzmann;
mod context;
mod conv;
mod convolutions;
mod entry;
mod game;
mod gemm;
mod limits;
mod math;
mod measure;
mod peer;
mod products;
mod random;
mod reduce;
mod slices;

use super::output::{print, print_json, use_threads};
use crate::Result;
use clap::{Args, ValueEnum};
use context::{Context, noise};
use entry::{Add, Entry, HEAD};
use limits::{copy, multiply_adds, multiply_adds_here, multiply_adds_operations};
use measure::{measure_interleaved, repeat};
use serde::Serialize;
use serde_json::{Map, Value};

/// Measure the kernels, and compare them with the limits of the machine and with other crates.
#[derive(Debug, Args)]
#[command(after_help = "\
The result of every kernel is checked before it is measured. Slices of a few milliseconds of the machine's
limit, the kernel and the peer take turns, and the upper decile of each is shown. All groups take about
a minute.

Examples:
  equilibria bench
  equilibria bench --only gemm,math --json
  EQUILIBRIA_SIMD=avx2 equilibria bench --only gemm --quick")]
pub(super) struct Bench {
    /// Run only these groups.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "GROUP,...")]
    only: Vec<Group>,
    /// Measure for a few seconds; the numbers are rough.
    #[arg(long)]
    quick: bool,
    /// Threads to use [default: one a core].
    #[arg(long)]
    threads: Option<usize>,
    /// Print JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Used by the child process.
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
    /// Convolutions of a DCGAN
    Conv,
    /// Steps of adversarial games
    Game,
}

/// Makes the measurements of one list.
type Measure = fn(&Context, Add<'_>) -> Result<()>;

/// The measurements: group, key in JSON, function.
const BENCHES: [(Group, &str, Measure); 11] = [
    (Group::Gemm, "gemm", gemm::all_threads),
    (Group::Gemm, "gemm_one_thread", gemm::one_thread),
    (Group::Gemm, "gemm_transposed", gemm::transposed),
    (Group::Gemm, "gemm_f64", gemm::double),
    (Group::Math, "math", math::run),
    (Group::Reduce, "reduce", reduce::run),
    (Group::Random, "random", random::run),
    (Group::Boltzmann, "binary_products", boltzmann::products),
    (Group::Boltzmann, "contrastive_divergence", boltzmann::training),
    (Group::Conv, "conv", conv::run),
    (Group::Game, "game", game::run),
];

#[derive(Serialize)]
struct Report {
    level: &'static str,
    threads: usize,
    /// Absent if `matrixmultiply` chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    matrixmultiply_threads: Option<usize>,
    fma_peak_gflops: Peak,
    copy_gb_per_s: f64,
    #[serde(flatten)]
    results: Map<String, Value>,
}

/// The multiply-add peak in f32.
#[derive(Clone, Copy, Serialize)]
struct Peak {
    one_thread: f64,
    all_threads: f64,
}

impl Bench {
    pub(super) fn run(self) -> Result<()> {
        use_threads(self.threads)?;
        let threads = rayon::current_num_threads();
        let has = |group| self.only.is_empty() || self.only.contains(&group);
        if has(Group::Gemm) {
            peer::set_threads(threads);
        }
        let context = Context::new(self.quick)?;
        if self.one_thread_products {
            let mut products: Vec<Entry> = Vec::new();
            gemm::one_thread(&context, &mut |entry| {
                products.push(entry);
                Ok(())
            })?;
            return print_json(&products);
        }
        let mut report = Report {
            level: context.level.name(),
            threads,
            matrixmultiply_threads: peer::threads(),
            fma_peak_gflops: peak(&context),
            copy_gb_per_s: copy_speed(&context),
            results: Map::new(),
        };
        if !self.json {
            print(&heading(&report))?;
        }
        for (group, key, measure) in BENCHES {
            let mut results = Vec::new();
            let mut add = |entry: Entry| {
                if !self.json {
                    print(&format!("{entry}\n"))?;
                }
                results.push(entry.into_json());
                Ok(())
            };
            if has(group) {
                measure(&context, &mut add)?;
            }
            report.results.insert(key.into(), results.into());
        }
        if self.json { print_json(&report) } else { Ok(()) }
    }
}

/// The text above the table.
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
share  of the multiply-add peak on as many threads, or of the speed of a copy in memory
peer   speed relative to the peer: gemm, {peer};
       math and reduce, plain loops with the standard library; random, rand_xoshiro;
       bits, the dense product (GFLOP/s and share count the operations of the dense product);
       conv, a product of materialised patches

{HEAD}
{line}
",
        one = peak.one_thread,
        all = peak.all_threads,
        line = "-".repeat(HEAD.len()),
    )
}

/// Measures the multiply-add peak in f32.
fn peak(context: &Context) -> Peak {
    let level = context.level;
    let operations = multiply_adds_operations::<f32>(level);
    let mut one = repeat(|| multiply_adds_here::<f32>(level));
    let mut all = multiply_adds::<f32>(level);
    let seconds = context.on_all(|| measure_interleaved(context.effort, &mut [&mut one, &mut all]));
    Peak { one_thread: operations / seconds[0] / 1e9, all_threads: operations / seconds[1] / 1e9 }
}

/// Measures a copy of 256 MiB on all threads; GB/s, read plus written.
fn copy_speed(context: &Context) -> f64 {
    let from: Vec<f32> = noise(context.level, 64 << 20, -1.0..1.0);
    let mut to = from.clone();
    let bytes = 2.0 * size_of_val(&from[..]) as f64;
    let seconds = context.on_all(|| measure_interleaved(context.effort, &mut [&mut copy(&from, &mut to)]));
    bytes / seconds[0] / 1e9
}
