//! Errors of the argument parser as one sentence.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;
use std::ffi::OsString;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};

/// Options by the heading under which `--help` of a long command lists them. Others stay under `Options`, or under the
/// heading of their declaration.
const HEADINGS: [(&str, &[&str]); 4] = [
    (
        "Data",
        &[
            "data",
            "class",
            "flip",
            "images",
            "invert",
            "binarise",
            "augment",
            "test_share",
            "shape",
            "transpose",
            "range",
            "grey",
            "strict",
        ],
    ),
    ("Model", &["network", "latent", "normalise", "objective", "hidden", "method", "start", "centred"]),
    (
        "Training",
        &[
            "epochs",
            "steps",
            "batch",
            "learning_rate",
            "momentum",
            "weight_decay",
            "chains",
            "sweeps",
            "pretraining_epochs",
            "pretraining_rate",
            "generator_rate",
            "discriminator_rate",
            "average",
            "every",
            "duality_gap",
            "sparsity",
            "sparsity_cost",
            "max_norm",
            "tolerance",
            "iterations",
            "seed",
        ],
    ),
    ("Run and output", &["out", "resume", "force", "threads", "json", "quiet", "verbose"]),
];

/// Options that `-h` of a long command lists; `--help` lists all.
const ESSENTIAL: [&str; 17] = [
    "data",
    "images",
    "network",
    "objective",
    "hidden",
    "method",
    "epochs",
    "steps",
    "batch",
    "learning_rate",
    "seed",
    "out",
    "resume",
    "cost",
    "accuracy",
    "json",
    "quiet",
];

/// A command with more options than this is long.
const LONG: usize = 14;

/// Names that people type for an option: hidden aliases.
const ALIASES: [(&str, &[&str]); 12] = [
    ("batch", &["batch-size", "batchsize"]),
    ("learning_rate", &["lr"]),
    ("generator_rate", &["lr", "learning-rate"]),
    ("binarise", &["binarize"]),
    ("normalise", &["normalize"]),
    ("centred", &["centered"]),
    ("invert", &["inverted"]),
    ("out", &["output", "out-dir"]),
    ("data", &["dataset"]),
    ("critic_steps", &["n-critic"]),
    ("hidden", &["hidden-units", "n-hidden"]),
    ("threads", &["jobs", "num-threads"]),
];

/// Completes the declaration of a command and its subcommands with hidden aliases, headings, and a short `-h` for long
/// commands. Negative numbers are values of all options, so that the error for `--hidden -1` is about `--hidden`.
pub(super) fn prepared(command: clap::Command) -> clap::Command {
    let is_long = command.get_arguments().filter(|argument| !argument.is_positional()).count() > LONG;
    let examples = command.get_after_help().map(ToString::to_string);
    let mut command = command.mut_args(|argument| completed(argument, is_long)).mut_subcommands(prepared);
    if let Some((first, _)) = examples.as_deref().and_then(|text| text.split_once("\n\n")) {
        command = command.after_help(first.to_owned());
    }
    match examples {
        Some(text) => command.after_long_help(text),
        None => command,
    }
}

fn completed(argument: clap::Arg, is_long: bool) -> clap::Arg {
    let id = argument.get_id().to_string();
    let takes_value = argument.get_long().is_some() && argument.get_action().takes_values();
    let aliases =
        ALIASES.iter().filter(|(name, _)| *name == id).flat_map(|(_, aliases)| aliases.iter().copied());
    let mut argument = argument.allow_negative_numbers(takes_value).aliases(aliases);
    if takes_value && !argument.get_possible_values().is_empty() {
        argument = argument.ignore_case(true);
    }
    if !is_long || argument.is_positional() {
        return argument;
    }
    let heading = HEADINGS.iter().find(|(_, names)| names.contains(&id.as_str()));
    if let (Some((heading, _)), None) = (heading, argument.get_help_heading()) {
        argument = argument.help_heading(*heading);
    }
    argument.hide_short_help(!ESSENTIAL.contains(&id.as_str()))
}

/// One line without the word `error`: the problem, the valid values, and the command for help.
pub(super) fn sentence(error: &clap::Error, root: &clap::Command) -> String {
    let problem = match error.kind() {
        ErrorKind::ValueValidation => value(error),
        ErrorKind::InvalidValue => choice(error),
        ErrorKind::InvalidSubcommand => subcommand(error, root),
        ErrorKind::UnknownArgument => argument(error),
        ErrorKind::MissingRequiredArgument => {
            text(error, ContextKind::InvalidArg).map(|names| format!("missing: {names}"))
        }
        _ => None,
    };
    let mut problem = problem.unwrap_or_else(|| collapse(&error.to_string()));
    let command = path(root, std::env::args_os().skip(1));
    if command == root.get_name() && problem.starts_with("this command has no option") {
        problem += "; options come after the command, as in `equilibria rbm train -q`";
    }
    let see = if problem.ends_with('?') { " See" } else { "; see" };
    format!("{problem}{see} `{command} --help`")
}

/// A part of an error, as text.
fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(", ")),
        _ => None,
    }
}

/// The sentence for a value that is not one of a list; a missing value has its usual message.
fn choice(error: &clap::Error) -> Option<String> {
    let value = text(error, ContextKind::InvalidValue).filter(|value| !value.is_empty())?;
    let values = text(error, ContextKind::ValidValue)?;
    Some(format!("{}: the possible values are {values}", given(error, &value)?))
}

/// The sentence for an option or a word that the command does not take.
fn argument(error: &clap::Error) -> Option<String> {
    let name = text(error, ContextKind::InvalidArg)?;
    let found = match name.starts_with('-') {
        true => format!("this command has no option '{name}'"),
        false => format!("this command does not take '{name}'"),
    };
    let similar = text(error, ContextKind::SuggestedArg);
    Some(found + &similar.map_or_else(String::new, |similar| format!("; did you mean '{similar}'?")))
}

/// The sentence for a word that is no command here, with the commands of this name elsewhere or a similar one.
fn subcommand(error: &clap::Error, root: &clap::Command) -> Option<String> {
    let word = text(error, ContextKind::InvalidSubcommand)?;
    let below = |command: &&clap::Command| command.find_subcommand(&word).is_some();
    let elsewhere = root.get_subcommands().filter(below);
    let elsewhere = elsewhere.map(|command| format!("`equilibria {} {word}`", command.get_name()));
    let meant = match &elsewhere.collect::<Vec<_>>()[..] {
        [] => text(error, ContextKind::SuggestedSubcommand).map(|similar| {
            // A list of several is joined by commas.
            format!("'{}'", similar.replace(", ", "' or '"))
        }),
        [one] => Some(one.clone()),
        [others @ .., last] => Some(format!("{} or {last}", others.join(", "))),
    };
    let meant = if word == "version" { Some("`equilibria --version`".into()) } else { meant };
    let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
    Some(format!("no command is called '{word}'{meant}"))
}

/// The sentence for a value that could not be parsed: the option, the value, and the valid values.
fn value(error: &clap::Error) -> Option<String> {
    let source = error.source()?;
    // The messages of the standard library do not name the valid values; those of our own parsers do.
    let expected = match source.downcast_ref::<ParseIntError>().map(ParseIntError::kind) {
        Some(IntErrorKind::PosOverflow) => "this number is too large".to_owned(),
        Some(_) => "a whole number without a sign is needed".to_owned(),
        None if source.is::<ParseFloatError>() => "a number is needed".to_owned(),
        None => source.to_string(),
    };
    Some(format!("{}: {expected}", given(error, &text(error, ContextKind::InvalidValue)?)?))
}

/// A value with its option, `--hidden 5` from `--hidden <HIDDEN>`; a word that belongs to no option in quotes.
fn given(error: &clap::Error, value: &str) -> Option<String> {
    let name = text(error, ContextKind::InvalidArg)?;
    let option = name.split(' ').next().filter(|name| name.starts_with('-'));
    Some(option.map_or_else(|| format!("'{value}'"), |option| format!("{option} {value}")))
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
