//! The command line: arguments, exit status, printing. One file per command.

mod bench;
mod classifier;
mod dbm;
mod filters;
mod gan;
mod info;
mod machine;
mod rbm;
mod reproduce;
mod training;
mod usage;

use crate::run::interrupt;
use crate::{Error, Result};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Generative models from scratch: Boltzmann machines, on hand-written kernels.
#[derive(Debug, Parser)]
#[command(name = "equilibria", version, max_term_width = 100, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // there is one value, and it lives as long as the process
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
    Reproduce(reproduce::Reproduce),
    Info(info::Info),
}

/// Status of a command that was given something wrong.
const BAD_INPUT: u8 = 2;
/// More are a slip of the finger.
const MOST_THREADS: usize = 1024;

/// Runs the command that the process's arguments name.
///
/// Returns 0; 2 after one sentence about bad input; 130 after an interruption. A signal that comes before there is anything
/// to lose, such as while data are loaded, ends the process as the system has it (in a shell, 130 or 143).
pub fn run() -> ExitCode {
    let mut command = usage::with_negative_numbers(Arguments::command());
    let parsed = command.try_get_matches_from_mut(std::env::args_os());
    let arguments = match parsed.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) if is_help(&error) => {
            // Status 0 where it was asked for. A closed pipe is nobody's error.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(BAD_INPUT));
        }
        Err(error) => {
            complain(&usage::sentence(&error, &command));
            return ExitCode::from(BAD_INPUT);
        }
    };
    let result = start().and_then(|()| match arguments.command {
        Command::Bench(command) => command.run(),
        Command::Rbm(command) => command.run(),
        Command::Dbm(command) => command.run(),
        Command::Gan(command) => command.run(),
        Command::Classifier(command) => command.run(),
        Command::Reproduce(command) => command.run(),
        Command::Info(command) => command.run(),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            match error {
                Error::Interrupted { .. } => ExitCode::from(interrupt::EXIT_STATUS as u8),
                _ => ExitCode::from(BAD_INPUT),
            }
        }
    }
}

/// Text that was asked for, or that stands in for a command that is missing.
fn is_help(error: &clap::Error) -> bool {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion, MissingSubcommand,
    };
    matches!(
        error.kind(),
        DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand | MissingSubcommand
    )
}

/// One line on standard error, whose absence is no reason to panic.
fn complain(sentence: &str) {
    let _ = writeln!(std::io::stderr(), "error: {sentence}");
}

/// What every command needs first.
fn start() -> Result<()> {
    // Rayon would start them all, which takes minutes or the memory.
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

/// Sets the number of threads of the process; `None` leaves it to rayon (one a core, or `RAYON_NUM_THREADS`).
///
/// # Errors
/// [`Error::InvalidArgument`] for 0 or more than [`MOST_THREADS`].
fn use_threads(threads: Option<usize>) -> Result<()> {
    let Some(threads) = threads else { return Ok(()) };
    if !(1..=MOST_THREADS).contains(&threads) {
        let expected = format!("1 to {MOST_THREADS} threads can be used");
        return Err(Error::invalid(format!("--threads {threads}"), expected));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| Error::invalid(format!("--threads {threads}"), error))
}

/// Writes to standard output; a closed pipe (`| head`) ends the printing quietly.
fn print(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("writing", "standard output", error))
        }
        _ => Ok(()),
    }
}

/// Prints `value` as indented JSON.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::invalid("summary", e))?;
    print(&(text + "\n"))
}

/// A path in JSON, which has no bytes outside UTF-8: they become U+FFFD, as on the terminal.
fn path_as_text<S: serde::Serializer>(path: &Path, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// A path for a command line to be pasted: in quotes where the shell would read it otherwise.
fn pasted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// `1 epoch`, `2 epochs`.
fn counted(number: usize, unit: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {unit}{plural}", thousands(number))
}

/// 10000 as `10,000`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
