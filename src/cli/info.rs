//! `equilibria info`: properties of this binary and of the machine.

use super::output::{print, print_json};
use crate::Result;
use clap::Args;
use equilibria_kernels::{Level, level};
use serde::Serialize;

/// Show the SIMD level, threads, features and versions.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  equilibria info --json\n  EQUILIBRIA_SIMD=avx2 equilibria info")]
pub(super) struct Info {
    /// Print JSON on standard output.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    simd_level: &'static str,
    simd_levels_of_this_cpu: Vec<&'static str>,
    threads: usize,
    features: Vec<&'static str>,
    architecture: &'static str,
}

impl Info {
    pub(super) fn run(self) -> Result<()> {
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            simd_level: Level::detect().name(),
            simd_levels_of_this_cpu: Level::available().map(Level::name).collect(),
            threads: equilibria_kernels::threads::count(),
            features: features(),
            architecture: std::env::consts::ARCH,
        };
        if self.json {
            return print_json(&report);
        }
        print(&format!(
            "equilibria    {}\nSIMD level    {} (of {}; {} forces one)\nthreads       {}\nfeatures      {}\narchitecture  {}\n",
            report.version,
            report.simd_level,
            report.simd_levels_of_this_cpu.join(", "),
            level::VARIABLE,
            report.threads,
            report.features.join(", "),
            report.architecture,
        ))
    }
}

fn features() -> Vec<&'static str> {
    let features = [
        ("std", cfg!(feature = "std")),
        ("parallel", cfg!(feature = "parallel")),
        ("png", cfg!(feature = "png")),
        ("checkpoint", cfg!(feature = "checkpoint")),
        ("cli", cfg!(feature = "cli")),
    ];
    features.into_iter().filter_map(|(name, on)| on.then_some(name)).collect()
}
