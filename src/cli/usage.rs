//! What the argument parser has to complain about, as one sentence.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;
use std::ffi::OsString;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};

/// Has every option take a negative number as its value, so that `--hidden -1` is about `--hidden`.
pub(super) fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let allow = |argument: clap::Arg| {
        let takes_value = argument.get_long().is_some() && argument.get_action().takes_values();
        argument.allow_negative_numbers(takes_value)
    };
    command.mut_args(allow).mut_subcommands(with_negative_numbers)
}

/// One line without the word `error`: what is wrong, what would be right, and where to read on.
pub(super) fn sentence(error: &clap::Error, root: &clap::Command) -> String {
    let problem = value(error).unwrap_or_else(|| collapse(&error.to_string()));
    format!("{problem}; see `{} --help`", path(root, std::env::args_os().skip(1)))
}

/// A value that could not be read: the option, the value, and what would be right.
fn value(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::ValueValidation {
        return None;
    }
    let source = error.source()?;
    // The standard library's words do not say what would be right; our own parsers' do.
    let expected = match source.downcast_ref::<ParseIntError>().map(ParseIntError::kind) {
        Some(IntErrorKind::PosOverflow) => "this number is too large".to_owned(),
        Some(_) => "a whole number of at least 0 is needed".to_owned(),
        None if source.is::<ParseFloatError>() => "a number is needed".to_owned(),
        None => source.to_string(),
    };
    let value = error.get(ContextKind::InvalidValue)?;
    Some(format!("{} {value}: {expected}", option(error)?))
}

/// `--hidden` of `--hidden <HIDDEN>`.
fn option(error: &clap::Error) -> Option<String> {
    let ContextValue::String(text) = error.get(ContextKind::InvalidArg)? else { return None };
    text.split(' ').next().map(str::to_owned)
}

/// The parser's text without its usage and its heading.
fn collapse(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    told.fold(String::new(), |sentence, line| match (sentence.as_str(), sentence.ends_with(':')) {
        ("", _) => line.to_owned(),
        (_, true) => sentence + " " + line,
        (_, false) => sentence + "; " + line,
    })
}

/// The command whose arguments these were, as far as its words are known: `equilibria rbm train`.
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
