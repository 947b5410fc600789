//! Errors of the argument parser as one sentence.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;
use std::ffi::OsString;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};

/// Accepts negative numbers as values of all options, so that the error for `--hidden -1` is about `--hidden`.
pub(super) fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let allow = |argument: clap::Arg| {
        let takes_value = argument.get_long().is_some() && argument.get_action().takes_values();
        argument.allow_negative_numbers(takes_value)
    };
    command.mut_args(allow).mut_subcommands(with_negative_numbers)
}

/// One line without the word `error`: the problem, the valid values, and the command for help.
pub(super) fn sentence(error: &clap::Error, root: &clap::Command) -> String {
    let problem = value(error).unwrap_or_else(|| collapse(&error.to_string()));
    format!("{problem}; see `{} --help`", path(root, std::env::args_os().skip(1)))
}

/// The sentence for a value that could not be parsed: the option, the value, and the valid values.
fn value(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::ValueValidation {
        return None;
    }
    let source = error.source()?;
    // The messages of the standard library do not name the valid values; those of our own parsers do.
    let expected = match source.downcast_ref::<ParseIntError>().map(ParseIntError::kind) {
        Some(IntErrorKind::PosOverflow) => "this number is too large".to_owned(),
        Some(_) => "a whole number of at least 0 is needed".to_owned(),
        None if source.is::<ParseFloatError>() => "a number is needed".to_owned(),
        None => source.to_string(),
    };
    let value = error.get(ContextKind::InvalidValue)?;
    Some(format!("{} {value}: {expected}", option(error)?))
}

/// The name of the option: `--hidden` from `--hidden <HIDDEN>`.
fn option(error: &clap::Error) -> Option<String> {
    let ContextValue::String(text) = error.get(ContextKind::InvalidArg)? else { return None };
    text.split(' ').next().map(str::to_owned)
}

/// The message of the parser without usage and heading, on one line.
fn collapse(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    message.fold(String::new(), |sentence, line| match (sentence.as_str(), sentence.ends_with(':')) {
        ("", _) => line.to_owned(),
        (_, true) => sentence + " " + line,
        (_, false) => sentence + "; " + line,
    })
}

/// The name of the command that the arguments belong to, such as `equilibria rbm train`.
fn path(root: &clap::Command, words: impl Iterator<Item = OsString>) -> String {
    let mut name = root.get_name().to_owned();
    let mut command = root;
    for word in words {
        let Some(found) = command.find_subcommand(&word) else { break };
        name = name + " " + found.get_name();
        command = found;
    }
    name
}
