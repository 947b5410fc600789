//! `equilibria bench`: the speed of the kernels compared with the limits of the machine and with other crates.
//!
//! `matrixmultiply` reads its number of threads once per process. So this process replaces itself by one in which it is
//! set, and a child process measures the products on one thread.

mod peer;

use super::output::{print, print_json, print_summary, use_threads, write_json};
use crate::bench::{Context, Effort, Entry, Fallen, LISTS, Record, entry::HEAD, gemm, limits, noise};
use crate::bench::{Place, measure_interleaved, repeat};
use crate::{Error, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Measure the kernels, and compare them with the limits of the machine and with other crates.
#[derive(Debug, Args)]
#[command(after_help = "\
The result of every kernel is checked before it is measured. Slices of a few milliseconds of the machine's
limit, the kernel and the peer take turns, and the upper decile of each is shown. All groups take about
a minute.

Examples:
  equilibria bench
  equilibria bench --only gemm,math --json
  EQUILIBRIA_SIMD=avx2 equilibria bench --only gemm --quick
  equilibria bench --compare benches/record/FILE.json")]
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
    /// Write the ratios to limits and peers into a JSON file.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Compare with a file of `--record`: print what is slower by more than 10 %, and exit with status 1 if anything is.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
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
    /// Exact and entropic optimal transport, transfer of colours
    Transport,
}

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
    /// Returns the exit status 1 if a figure is slower than its record.
    pub(super) fn run(self) -> Result<ExitCode> {
        use_threads(self.threads)?;
        let threads = rayon::current_num_threads();
        let has = |group: &str| {
            let is_named =
                |chosen: &Group| chosen.to_possible_value().is_some_and(|it| it.get_name() == group);
            self.only.is_empty() || self.only.iter().any(is_named)
        };
        if has("gemm") {
            peer::set_threads(threads);
        }
        let context = Context::new()?;
        let effort = if self.quick { Effort::QUICK } else { Effort::FULL };
        if self.one_thread_products {
            let mut products = Vec::new();
            gemm::one_thread(&context, &mut |workload, place| {
                products.push(context.measure(workload, place, effort));
                Ok(())
            })?;
            return print_json(&products).map(|()| ExitCode::SUCCESS);
        }
        let mut report = Report {
            level: context.level.name(),
            threads,
            matrixmultiply_threads: peer::threads(),
            fma_peak_gflops: peak(&context, effort),
            copy_gb_per_s: copy_speed(&context, effort),
            results: Map::new(),
        };
        let mut record = Record::new(report.level, threads);
        let before = self.compare.as_deref().map(|file| read_record(file, &record)).transpose()?;
        if !self.json {
            print(&heading(&report))?;
        }
        for (group, key, list) in LISTS {
            let mut results = Vec::new();
            let mut add = |entry: Entry| {
                if !self.json {
                    print(&format!("{entry}\n"))?;
                }
                record.add(&entry, report.fma_peak_gflops.all_threads);
                results.push(entry.into_json());
                Ok(())
            };
            if !has(group) {
            } else if key == "gemm_one_thread" && peer::threads() != Some(1) {
                self.products_on_one_thread()?.into_iter().try_for_each(add)?;
            } else {
                list(&context, &mut |workload, place| add(context.measure(workload, place, effort)))?;
            }
            report.results.insert(key.into(), results.into());
        }
        if self.json {
            print_summary(&report)?;
        }
        if let Some(file) = &self.record {
            write_json(file, &record)?;
        }
        before.map_or(Ok(ExitCode::SUCCESS), |before| compare(&before, &record))
    }

    /// The products on one thread, measured by a child process.
    fn products_on_one_thread(&self) -> Result<Vec<Entry>> {
        let failed = |reason: String| Error::io("running", "equilibria bench on one thread", reason);
        let output = peer::this_program(1)
            .and_then(|mut command| {
                command.args(["bench", "--threads", "1", "--one-thread-products"]);
                command.args(self.quick.then_some("--quick")).output()
            })
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            return Err(failed(words.trim().trim_start_matches("error: ").to_string()));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))
    }
}

/// Reads a record, which must be of the same level and number of threads as `now`.
fn read_record(file: &Path, now: &Record) -> Result<Record> {
    let text = std::fs::read_to_string(file).map_err(|error| Error::io("reading", file, error))?;
    let record: Record = serde_json::from_str(&text).map_err(|error| {
        Error::malformed(file.display(), 0, format!("no record of `bench --record`: {error}"))
    })?;
    if (&record.level, record.threads) != (&now.level, now.threads) {
        let given = format!("--compare {}", file.display());
        let expected = format!(
            "it was made at level {} with {} threads, and this run is at level {} with {}",
            record.level, record.threads, now.level, now.threads
        );
        return Err(Error::invalid(given, expected));
    }
    Ok(record)
}

/// Prints what has fallen, and returns the exit status 1 if anything has.
fn compare(before: &Record, now: &Record) -> Result<ExitCode> {
    let fallen = before.fallen(now);
    for Fallen { name, before, now } in &fallen {
        print(&format!(
            "slower: {name}: {before:.3} before, {now:.3} now ({:+.0} %)\n",
            100.0 * (now / before - 1.0)
        ))?;
    }
    if fallen.is_empty() {
        print("no figure has fallen by more than 10 %\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let (fallen, all) = (fallen.len(), now.figures.len());
    print(&format!(
        "{fallen} of {all} figures are slower; repeat the run, as a busy machine is slower too\n"
    ))?;
    Ok(ExitCode::FAILURE)
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
fn peak(context: &Context, effort: Effort) -> Peak {
    let level = context.level;
    let operations = limits::multiply_adds_operations::<f32>(level);
    let one = repeat(|| limits::multiply_adds_here::<f32>(level));
    let all = limits::multiply_adds::<f32>(level);
    let seconds = context.within(Place::All, || measure_interleaved(effort, &mut [one, all]));
    Peak { one_thread: operations / seconds[0] / 1e9, all_threads: operations / seconds[1] / 1e9 }
}

/// Measures a copy of 256 MiB on all threads; GB/s, read plus written.
fn copy_speed(context: &Context, effort: Effort) -> f64 {
    let from: Vec<f32> = noise(context.level, 64 << 20, -1.0..1.0);
    let bytes = 2.0 * size_of_val(&from[..]) as f64;
    let copy = limits::copy(from);
    let seconds = context.within(Place::All, || measure_interleaved(effort, &mut [copy]));
    bytes / seconds[0] / 1e9
}
