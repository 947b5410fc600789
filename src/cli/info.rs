//! `equilibria info`: properties of this binary and of the machine.

use super::output::{print, print_json, use_threads};
use crate::Result;
use crate::run::COMMIT;
use clap::Args;
use equilibria_kernels::{Level, level};
use serde::Serialize;
use std::sync::LazyLock;

/// Show the SIMD level, threads, features and versions.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  equilibria info --json\n  EQUILIBRIA_SIMD=avx2 equilibria info")]
pub(super) struct Info {
    /// Print JSON on standard output.
    #[arg(long)]
    json: bool,
}

/// The version, the commit if the build knew it, and the features.
///
/// A build knows its commit from the environment variable `EQUILIBRIA_COMMIT`, so that it needs no git.
pub(super) fn long_version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let commit = COMMIT.map_or_else(String::new, |commit| format!(" (commit {commit})"));
        format!("{}{commit}\nfeatures: {}", env!("CARGO_PKG_VERSION"), features().join(", "))
    });
    &TEXT
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    commit: Option<&'static str>,
    simd_level: &'static str,
    simd_levels_of_this_cpu: Vec<&'static str>,
    threads: usize,
    features: Vec<&'static str>,
    architecture: &'static str,
}

impl Info {
    pub(super) fn run(self) -> Result<()> {
        use_threads(None)?;
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            commit: COMMIT,
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
            "equilibria    {}\ncommit        {}\nSIMD level    {} (of {}; {} forces one)\nthreads       {}\nfeatures      {}\narchitecture  {}\n",
            report.version,
            report.commit.unwrap_or("unknown"),
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
        ("pretrained", cfg!(feature = "pretrained")),
        ("cli", cfg!(feature = "cli")),
    ];
    features.into_iter().filter_map(|(name, on)| on.then_some(name)).collect()
}
