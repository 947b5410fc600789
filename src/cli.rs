//! The command line: arguments, exit status, printing. One file per command.
//!
//! These are parts of the program; they are public for its binary, and are not part of the library's interface.

mod bench;
mod classifier;
mod dbm;
mod divergences;
mod documents;
mod evaluate;
mod filters;
mod gan;
mod info;
mod machine;
mod output;
mod rbm;
mod reconstruct;
mod reproduce;
mod sample;
mod store;
mod training;
mod transform;
mod transport;
mod usage;

use crate::run::interrupt;
use crate::{Error, Result};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use output::{MOST_THREADS, complain};
use std::process::ExitCode;

/// Boltzmann machines, adversarial networks and optimal transport, from scratch.
#[derive(Debug, Parser)]
#[command(
    name = "equilibria", version, long_version = info::long_version(), max_term_width = 100,
    after_help = "Examples:\n  equilibria reproduce\n  equilibria rbm train --data mnist --out runs/rbm\n  \
        equilibria help gan train\n\nExit status: 0 after success, 1 after a failure, 2 after wrong usage, 130 after an \
        interruption."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // the process has a single value
enum Command {
    Bench(bench::Bench),
    #[command(subcommand)]
    Rbm(rbm::Command),
    #[command(subcommand)]
    Dbm(dbm::Command),
    #[command(subcommand)]
    Gan(gan::Command),
    #[command(subcommand)]
    Classifier(classifier::Command),
    Divergences(divergences::Divergences),
    #[command(subcommand)]
    Transport(transport::Command),
    Reproduce(reproduce::Reproduce),
    Info(info::Info),
    Completions(documents::Completions),
    Man(documents::Pages),
}

/// Exit status after a failure: a file is missing or damaged, training diverged, a benchmark is slower than its record.
const FAILURE: u8 = 1;
/// Exit status after wrong usage: an unknown option, or a value out of range.
const WRONG_USAGE: u8 = 2;

/// Runs the command that the process's arguments name.
///
/// Returns 0 on success; after one sentence about the error 1 for a failure and 2 for wrong usage; and 130 after an
/// interruption. A signal that arrives before there are results to save, for instance while data are loaded, ends the
/// process in the system's way (in a shell, status 130 or 143).
pub fn run() -> ExitCode {
    interrupt::block_file_size_signal();
    let declaration = || usage::prepared(Arguments::command());
    let mut command = declaration();
    let parsed = command.try_get_matches_from_mut(std::env::args_os());
    let read = |matches: clap::ArgMatches| {
        output::remember_seed(&matches);
        Arguments::from_arg_matches(&matches)
    };
    let arguments = match parsed.and_then(read) {
        Ok(arguments) => arguments,
        Err(error) if is_help(&error) => {
            // A closed pipe is not an error.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(WRONG_USAGE));
        }
        Err(error) => {
            complain(&usage::sentence(&error, &command));
            return ExitCode::from(WRONG_USAGE);
        }
    };
    let success = |()| ExitCode::SUCCESS;
    let result = check_environment().and_then(|()| match arguments.command {
        Command::Bench(command) => command.run(),
        Command::Rbm(command) => command.run().map(success),
        Command::Dbm(command) => command.run().map(success),
        Command::Gan(command) => command.run().map(success),
        Command::Classifier(command) => command.run().map(success),
        Command::Divergences(command) => command.run().map(success),
        Command::Transport(command) => command.run().map(success),
        Command::Reproduce(command) => command.run().map(success),
        Command::Info(command) => command.run().map(success),
        Command::Completions(completions) => completions.run(declaration()).map(success),
        Command::Man(pages) => pages.run(declaration()).map(success),
    });
    match result {
        Ok(status) => status,
        Err(error) => {
            complain(&error.to_string());
            match error {
                Error::Interrupted { .. } => ExitCode::from(interrupt::EXIT_STATUS as u8),
                Error::InvalidArgument { .. } => ExitCode::from(WRONG_USAGE),
                _ => ExitCode::from(FAILURE),
            }
        }
    }
}

/// Returns whether the text is the version or the help, which is also shown if the command is missing.
fn is_help(error: &clap::Error) -> bool {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion, MissingSubcommand,
    };
    matches!(
        error.kind(),
        DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand | MissingSubcommand
    )
}

/// Checks the environment variables that every command reads.
fn check_environment() -> Result<()> {
    // Rayon would start any number of threads, which takes minutes or all memory.
    let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|text| text.parse::<usize>().ok());
    if let Some(threads) = threads.filter(|&threads| threads > MOST_THREADS) {
        let expected = format!("at most {MOST_THREADS} threads can be used");
        return Err(Error::invalid(format!("RAYON_NUM_THREADS={threads}"), expected));
    }
    use equilibria_kernels::{Level, level::VARIABLE};
    Level::from_environment().map(drop).map_err(|error| {
        let value = std::env::var_os(VARIABLE).unwrap_or_default();
        Error::invalid(format!("{VARIABLE}={}", value.display()), error)
    })
}
