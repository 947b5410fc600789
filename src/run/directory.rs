//! The folder of one run: its files and its lock.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::atomic::{remove_if_present, temporary_path, write_atomically};
use super::text;
use crate::checkpoint::Archive;
use crate::data::describe_kind;
use crate::{Error, Result};

const BEST: &str = "best.safetensors";
const CHECKPOINT: &str = "checkpoint.safetensors";
const CONFIG: &str = "config.toml";
const LOCK: &str = ".lock";
const METRICS: &str = "metrics.csv";
const MODEL: &str = "model.safetensors";
const SUMMARY: &str = "summary.json";

/// All files of a run. `config.toml` is removed last: as long as it exists, the folder is recognised as a run directory.
const WRITTEN: [&str; 6] = [CHECKPOINT, MODEL, BEST, METRICS, SUMMARY, CONFIG];

/// The table of `config.toml` with the versions of the program and of the checkpoint.
const VERSIONS: &str = "versions";

/// The folder of one run, locked against other processes as long as the value lives.
///
/// The lock is one of the operating system on the file `.lock`, so it ends with a killed process. On file systems without
/// locks, two processes in one folder are not detected.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    lock: Option<File>,
}

impl RunDirectory {
    /// Checks that [`RunDirectory::create`] can use the folder; changes nothing.
    ///
    /// **Errors** as [`RunDirectory::create`], except for use by another process, which only the lock detects.
    pub fn check(path: &Path, force: bool) -> Result<()> {
        let refuse = |why: String| Err(Error::invalid(path.display(), why));
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(reason) if reason.kind() == io::ErrorKind::NotADirectory => {
                return refuse("is a file; a run needs a folder".to_string());
            }
            Err(reason) => return Err(Error::io("reading", path, reason)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(|reason| Error::io("reading", path, reason))?.file_name());
        }
        names.retain(|name| name != LOCK);
        if names.is_empty() {
            return Ok(());
        }
        let foreign = names.iter().filter(|name| !is_written(name)).min();
        match foreign {
            Some(foreign) if !names.iter().any(|name| name == CONFIG) => refuse(format!(
                "is not a run directory (it holds {} and no {CONFIG}); choose another folder",
                foreign.display()
            )),
            _ if !force => refuse("exists already; --force replaces it, --resume continues it".to_string()),
            _ => Ok(()),
        }
    }

    /// Creates the folder of a new run.
    ///
    /// With `force`, the files of an earlier run are removed, and no others. A folder with other files and without
    /// `config.toml` is not a run directory and is refused.
    ///
    /// **Errors** [`Error::InvalidArgument`] if the folder is not empty (without `force`), is not a run directory, is
    /// a file, or is in use by another process; [`Error::Io`].
    pub fn create(path: &Path, force: bool) -> Result<Self> {
        Self::check(path, force)?;
        fs::create_dir_all(path).map_err(|reason| Error::io("creating", path, reason))?;
        let directory = Self { path: path.to_owned(), lock: lock(path)? };
        // Another process may have used the folder between the check and the lock.
        Self::check(path, force)?;
        for name in WRITTEN {
            let file = path.join(name);
            remove_if_present(&temporary_path(&file))?;
            remove_if_present(&file)?;
        }
        Ok(directory)
    }

    /// Removes the files of the run at `path`, and its folder if it holds no others.
    ///
    /// **Errors** as [`RunDirectory::create`].
    pub fn remove(path: &Path) -> Result<()> {
        drop(Self::create(path, true)?);
        let _ = fs::remove_file(path.join(LOCK));
        let _ = fs::remove_dir(path);
        Ok(())
    }

    /// Returns true if a run of this program was begun in the folder `path`.
    pub fn is_at(path: &Path) -> bool {
        let is_ours =
            |table: toml::Table| table.get(VERSIONS).is_some_and(|all| all.get("equilibria").is_some());
        read_table(&path.join(CONFIG)).is_ok_and(is_ours)
    }

    /// Opens the folder of an earlier run to continue it.
    ///
    /// **Errors** [`Error::NotFound`] if the folder, its `config.toml` or its checkpoint is not there;
    /// [`Error::InvalidArgument`] if it is in use by another process; [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        let missing = |name: &str, remedy: &str| Error::NotFound {
            what: name.to_string(),
            place: path.display().to_string(),
            remedy: remedy.to_string(),
        };
        if !path.join(CONFIG).is_file() {
            return Err(missing(CONFIG, "a run directory has one; start the run before continuing it"));
        }
        let directory = Self { path: path.to_owned(), lock: lock(path)? };
        if !path.join(CHECKPOINT).is_file() {
            let remedy = "the run ended before its first checkpoint; start it again with --force";
            return Err(missing(CHECKPOINT, remedy));
        }
        for name in WRITTEN {
            remove_if_present(&temporary_path(&path.join(name)))?;
        }
        Ok(directory)
    }

    /// Opens the run at `path` and returns true if it has these settings; otherwise creates a new run and returns false. With
    /// `force`, replaces a run with other settings.
    ///
    /// **Errors** as [`RunDirectory::open`] and [`RunDirectory::create`].
    pub fn open_or_create<S: DeserializeOwned + PartialEq>(
        path: &Path,
        force: bool,
        settings: &S,
    ) -> Result<(Self, bool)> {
        match Self::config_of::<S>(path) {
            Some(Ok(config)) if config == *settings => Ok((Self::open(path)?, true)),
            Some(Ok(_)) if !force => {
                let expected =
                    "holds a run with other settings; --force replaces it, --out takes another folder";
                Err(Error::invalid(path.display(), expected))
            }
            _ => Ok((Self::create(path, force)?, false)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file of [`Metrics`](super::Metrics).
    pub fn metrics_path(&self) -> PathBuf {
        self.path.join(METRICS)
    }

    /// Writes `config.toml`: the configuration, then a table `versions` with this crate's version and the caller's (name,
    /// version).
    ///
    /// **Errors** [`Error::InvalidArgument`] if TOML cannot represent the configuration (integers end at 2⁶³ − 1), or if it has
    /// a key `versions`; [`Error::Io`].
    pub fn write_config(&self, config: &impl Serialize, versions: &[(&str, &str)]) -> Result<()> {
        let path = self.path.join(CONFIG);
        let unfit = |reason: &dyn std::fmt::Display| Error::invalid(path.display(), reason);
        let own = [("equilibria", env!("CARGO_PKG_VERSION"))];
        let all: BTreeMap<_, _> = own.iter().chain(versions).copied().collect();
        let config = toml::to_string(config).map_err(|reason| unfit(&reason))?;
        let versions =
            toml::to_string(&BTreeMap::from([(VERSIONS, all)])).map_err(|reason| unfit(&reason))?;
        let header = "# The whole effective configuration of this run; resuming reads it.";
        let text = format!("{header}\n\n{config}\n{versions}");
        // Checks that the text can be read back.
        toml::from_str::<toml::Table>(&text).map_err(|reason| unfit(&reason.message()))?;
        write_atomically(&path, text.as_bytes())
    }

    /// Reads `config.toml` without its table of versions.
    ///
    /// **Errors** [`Error::Malformed`] if it is not TOML or not this configuration; [`Error::Io`].
    pub fn read_config<T: DeserializeOwned>(&self) -> Result<T> {
        read_config(&self.path.join(CONFIG))
    }

    /// Reads the configuration of the run to which `model` belongs, a run directory or a file in it, without opening the run.
    /// `None` if the file has another name than those of a run, or if there is no `config.toml` in its folder.
    ///
    /// **Errors** as [`RunDirectory::read_config`].
    pub fn config_of<T: DeserializeOwned>(model: &Path) -> Option<Result<T>> {
        let is_of_run = |name: &OsStr| [MODEL, BEST, CHECKPOINT].iter().any(|own| name == *own);
        let folder = match model.is_dir() {
            true => model,
            false if model.file_name().is_some_and(is_of_run) => model.parent()?,
            false => return None,
        };
        let path = folder.join(CONFIG);
        path.is_file().then(|| read_config(&path))
    }

    /// Writes `summary.json`; numbers that are not finite become `null`.
    ///
    /// **Errors** [`Error::InvalidArgument`] if JSON cannot represent the summary; [`Error::Io`].
    pub fn write_summary(&self, summary: &impl Serialize) -> Result<()> {
        let path = self.path.join(SUMMARY);
        let mut text =
            serde_json::to_string_pretty(summary).map_err(|reason| Error::invalid(path.display(), reason))?;
        text.push('\n');
        write_atomically(&path, text.as_bytes())
    }

    /// Reads `summary.json`.
    ///
    /// **Errors** [`Error::Io`].
    pub fn read_summary(&self) -> Result<String> {
        let path = self.path.join(SUMMARY);
        std::fs::read_to_string(&path).map_err(|error| Error::io("reading", &path, error))
    }

    /// Removes the summary of a divergence before the run continues: without a model, a summary reports a divergence.
    ///
    /// **Errors** [`Error::Io`].
    pub fn forget_divergence(&self) -> Result<()> {
        if self.path.join(MODEL).exists() { Ok(()) } else { remove_if_present(&self.path.join(SUMMARY)) }
    }

    /// Writes `model.safetensors`.
    ///
    /// **Errors** as [`Archive::to_bytes`]; [`Error::Io`].
    pub fn write_model(&self, model: &Archive) -> Result<()> {
        write_atomically(&self.path.join(MODEL), &model.to_bytes()?)
    }

    /// Writes `best.safetensors`.
    ///
    /// **Errors** as [`Archive::to_bytes`]; [`Error::Io`].
    pub fn write_best(&self, model: &Archive) -> Result<()> {
        write_atomically(&self.path.join(BEST), &model.to_bytes()?)
    }

    /// Writes `checkpoint.safetensors`.
    ///
    /// **Errors** as [`Archive::to_bytes`]; [`Error::Io`].
    pub fn write_checkpoint(&self, checkpoint: &Archive) -> Result<()> {
        write_atomically(&self.path.join(CHECKPOINT), &checkpoint.to_bytes()?)
    }

    /// Reads `checkpoint.safetensors`.
    ///
    /// **Errors** as [`read_archive`].
    pub fn read_checkpoint(&self) -> Result<Archive> {
        read_archive(&self.path.join(CHECKPOINT))
    }

    /// Checks that the checkpoint is of a model of this kind; one without a kind passes.
    ///
    /// **Errors** [`Error::InvalidArgument`] for another kind; as [`read_archive`].
    pub fn check_kind(&self, kind: &str) -> Result<()> {
        match self.read_checkpoint()?.metadata("model").filter(|&found| found != kind) {
            Some(found) => {
                let place = self.path.display();
                let expected =
                    format!("is a run of '{found}'; `equilibria {found} train --resume` continues it");
                Err(Error::invalid(place, expected))
            }
            None => Ok(()),
        }
    }
}

/// The configuration in `path`, without its table of versions.
fn read_config<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let mut table = read_table(path)?;
    table.remove(VERSIONS);
    table.try_into().map_err(|reason: toml::de::Error| malformed_toml(path, &reason))
}

fn read_table(path: &Path) -> Result<toml::Table> {
    let bytes = fs::read(path).map_err(|reason| Error::io("reading", path, reason))?;
    let text = text::of_bytes(path, &bytes)?;
    // Some editors put a byte order mark before it.
    toml::from_str(text.strip_prefix('\u{feff}').unwrap_or(text))
        .map_err(|reason| malformed_toml(path, &reason))
}

/// Closing the file is not enough: a child process that another thread is starting may still have it open.
impl Drop for RunDirectory {
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            // The end of the process unlocks as well.
            let _ = lock.unlock();
        }
    }
}

/// The safetensors file at `path`: a file, or `model.safetensors` of a run directory.
///
/// **Errors** [`Error::NotFound`] if there is neither.
pub fn locate_model(path: &Path) -> Result<PathBuf> {
    let missing = |name: &str, remedy: &str| {
        let (what, place, remedy) = (name.to_string(), path.display().to_string(), remedy.to_string());
        Err(Error::NotFound { what, place, remedy })
    };
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let model = path.join(MODEL);
    if model.is_file() {
        Ok(model)
    } else if path.join(CHECKPOINT).is_file() && path.join(SUMMARY).is_file() {
        missing(MODEL, "summary.json says why the run left none; start it again with other settings")
    } else if path.join(CHECKPOINT).is_file() {
        missing(MODEL, "the run has not ended yet; continue it with --resume")
    } else if path.is_dir() {
        missing(MODEL, "give a run directory or a safetensors file")
    } else {
        missing("model", "give a run directory or a safetensors file")
    }
}

/// Reads a safetensors file. Tensors of f64, which other programs write, are rounded to f32 ([`Archive::narrowed`]).
///
/// **Errors** [`Error::Io`] if it cannot be read; [`Error::Malformed`] as [`Archive::from_bytes`].
pub fn read_archive(path: &Path) -> Result<Archive> {
    let bytes = fs::read(path).map_err(|reason| Error::io("reading", path, reason))?;
    let archive = Archive::from_bytes(&bytes, &path.display().to_string());
    archive.map(Archive::narrowed).map_err(|error| match error {
        // The length at the start is wrong, so this is another format.
        Error::Malformed { offset: 0, .. } => {
            let kind = match bytes.starts_with(b"PK") {
                true => {
                    "a zip archive, perhaps of torch.save; safetensors.torch.save_file writes another".into()
                }
                false => describe_kind(&bytes[..bytes.len().min(64)]),
            };
            let damaged = if kind.contains("unknown") { ", or this one is damaged" } else { "" };
            let problem = format!("this is {kind}; a safetensors file is needed{damaged}");
            Error::malformed(path.display(), 0, problem)
        }
        error => error,
    })
}

fn malformed_toml(path: &Path, reason: &toml::de::Error) -> Error {
    let mut problem = reason.message().to_string();
    // Without a place, the text names the key.
    if reason.span().is_none() {
        problem = reason.to_string().trim().replace('\n', ", ");
    }
    for (name, plain) in [("usize", "a whole number"), ("u64", "a whole number"), ("f64", "a number")] {
        problem = problem.replace(&format!("expected {name}"), &format!("expected {plain}"));
    }
    let offset = reason.span().map_or(0, |span| span.start as u64);
    Error::malformed(path.display(), offset, problem)
}

/// Returns true if a run writes a file of this name, or may leave it when it is killed.
fn is_written(name: &OsStr) -> bool {
    WRITTEN.iter().any(|written| name == *written || name == temporary_path(Path::new(written)))
}

fn lock(folder: &Path) -> Result<Option<File>> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|reason| Error::io("creating", &path, reason))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(Error::invalid(
            folder.display(),
            "is in use by another process; wait for it to end, or choose another folder",
        )),
        Err(TryLockError::Error(reason)) if reason.kind() == io::ErrorKind::Unsupported => Ok(None),
        Err(TryLockError::Error(reason)) => Err(Error::io("locking", &path, reason)),
    }
}
