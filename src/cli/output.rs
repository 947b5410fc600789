//! Output of the commands: standard output, notes and warnings, files, and numbers as text.

pub(super) use crate::report::numbers::{counted, short, thousands};
use crate::run::{Progress, Provenance, Recorded};
pub(super) use crate::run::{check_range, create_folder_of, warn, write_output, write_picture};
use crate::{Error, Result};
use clap::{ArgMatches, Args};
use equilibria_kernels::Level;
use serde::{Serialize, Serializer};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// The largest number of threads that the program starts; a larger number is probably a typing error.
pub(super) const MOST_THREADS: usize = 1024;

/// The options of all commands that compute something and print a summary.
#[derive(Debug, Args)]
pub(super) struct OutputArguments {
    /// Threads to use [default: all].
    #[arg(long)]
    threads: Option<usize>,
    /// Print the summary as JSON on standard output.
    #[arg(long)]
    pub json: bool,
    /// Show neither progress nor notes.
    #[arg(long, short)]
    pub quiet: bool,
    /// Say on standard error what computes: version, SIMD level, threads.
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
}

/// True if notes are not wanted.
static IS_QUIET: AtomicBool = AtomicBool::new(false);
/// The seed that the user gave, or its default, for the record in summaries.
static SEED: Mutex<Option<u64>> = Mutex::new(None);

/// Remembers the value of `--seed` of the command that `matches` name.
pub(super) fn remember_seed(matches: &ArgMatches) {
    let mut innermost = matches;
    while let Some((_, matches)) = innermost.subcommand() {
        innermost = matches;
    }
    let seed = innermost.try_get_one::<u64>("seed").ok().flatten().copied();
    *SEED.lock().unwrap_or_else(PoisonError::into_inner) = seed;
}

impl OutputArguments {
    /// Sets the number of threads, and whether there are notes. Returns the progress display.
    pub fn start(&self) -> Result<Progress> {
        IS_QUIET.store(self.quiet, Ordering::Relaxed);
        use_threads(self.threads)?;
        if self.verbose {
            let (version, level) = (env!("CARGO_PKG_VERSION"), Level::detect().name());
            let threads = counted(equilibria_kernels::threads::count(), "thread");
            note(&format!("equilibria {version} at SIMD level {level} on {threads}"));
        }
        Ok(self.progress())
    }

    /// The progress display.
    pub fn progress(&self) -> Progress {
        Progress::choose(self.quiet)
    }

    /// Prints the summary as JSON, or `text` about it.
    pub fn print<S: Serialize>(&self, summary: &S, text: impl FnOnce(&S) -> String) -> Result<()> {
        if self.json { print_summary(summary) } else { print(&text(summary)) }
    }
}

/// Sets the number of threads of the process. `None` leaves the number to rayon: one per core, or `RAYON_NUM_THREADS`.
///
/// **Errors** [`Error::InvalidArgument`] for 0 or more than [`MOST_THREADS`]; [`Error::Io`] if the system refuses them.
pub(super) fn use_threads(threads: Option<usize>) -> Result<()> {
    if let Some(threads) = threads.filter(|threads| !(1..=MOST_THREADS).contains(threads)) {
        let expected = format!("1 to {MOST_THREADS} threads can be used");
        return Err(Error::invalid(format!("--threads {threads}"), expected));
    }
    // Rayon takes 0 as its own choice.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0)).build_global();
    pool.map_err(|reason| Error::Io {
        action: "starting",
        place: "the threads".into(),
        reason: reason.to_string(),
    })
}

/// Writes to standard output. A closed pipe (`| head`) is not an error.
pub(super) fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// As [`print`], for bytes.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("writing", "standard output", error))
        }
        _ => Ok(()),
    }
}

/// Writes one line to standard error. A closed standard error is not an error.
fn say(kind: &str, text: &str) {
    let _ = writeln!(std::io::stderr(), "{kind}: {text}");
}

/// Writes an error to standard error.
pub(super) fn complain(text: &str) {
    say("error", text);
}

/// Writes a note to standard error, unless the user wants silence.
pub(super) fn note(text: &str) {
    if !IS_QUIET.load(Ordering::Relaxed) {
        say("note", text);
    }
}

fn to_json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::invalid("summary", error))?;
    Ok(text + "\n")
}

/// A summary with its provenance.
fn recorded<S: Serialize>(summary: &S) -> Recorded<'_, S> {
    let seed = *SEED.lock().unwrap_or_else(PoisonError::into_inner);
    Recorded { summary, provenance: Provenance::of_process(seed) }
}

/// Prints a summary and its provenance as JSON.
pub(super) fn print_summary(summary: &impl Serialize) -> Result<()> {
    print_json(&recorded(summary))
}

/// Writes a summary and its provenance as JSON into a file.
pub(super) fn write_summary(path: &Path, summary: &impl Serialize) -> Result<()> {
    write_json(path, &recorded(summary))
}

/// Prints `value` as indented JSON.
pub(super) fn print_json(value: &impl Serialize) -> Result<()> {
    print(&to_json(value)?)
}

/// Writes `value` as indented JSON into a file.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    write_output(path, to_json(value)?.as_bytes())
}

/// The file for a summary: `out` itself if its name ends with .json, or summary.json in the folder `out`, or in
/// `folder` without `out`.
pub(super) fn summary_path(out: Option<&Path>, folder: &Path) -> PathBuf {
    let out = out.unwrap_or(folder);
    if out.extension().is_some_and(|extension| extension == "json") {
        out.to_owned()
    } else {
        out.join("summary.json")
    }
}

/// The folder `place` for a summary or, if it has one already, the first of `place-2`, `place-3`, ... without.
pub(super) fn without_summary(place: PathBuf) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_owned();
    let numbered = (2..).map(|number| {
        let mut name = name.clone();
        name.push(format!("-{number}"));
        place.with_file_name(name)
    });
    let mut places = [place.clone()].into_iter().chain(numbered);
    places.find(|place| !place.join("summary.json").exists()).unwrap_or(place.clone())
}

/// Serializes a path. JSON has no bytes outside UTF-8: they become U+FFFD, as on the terminal.
pub(super) fn path_as_text<S: Serializer>(
    path: &Path,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// The folder for files that belong to `path`: a folder itself, or the folder of a file.
pub(super) fn beside(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) }
}

/// Returns an error if there is a file of this name that the program did not write: `is_own` looks at its beginning. It also
/// protects the files `inputs` of the command.
pub(super) fn check_own(path: &Path, inputs: &[&Path], is_own: impl Fn(&[u8]) -> bool) -> Result<()> {
    let refused = |reason: &str| {
        Err(Error::invalid(path.display(), format!("{reason}, and nothing was written; choose another name")))
    };
    let is = |input: &&Path| matches!((path.canonicalize(), input.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if inputs.iter().any(is) {
        return refused("this file is an input of the command");
    }
    if path.is_dir() {
        return refused("this is a folder");
    }
    if !path.is_file() {
        return Ok(());
    }
    let mut start = Vec::new();
    let file = std::fs::File::open(path).and_then(|file| file.take(256).read_to_end(&mut start));
    file.map_err(|error| Error::io("reading", path, error))?;
    if start.is_empty() || is_own(&start) {
        return Ok(());
    }
    refused("a file that this program did not write has this name")
}

/// A path that can be pasted into a shell: in quotes if it has special characters.
pub(super) fn pasted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
