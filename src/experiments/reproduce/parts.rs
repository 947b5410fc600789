//! Finished parts of a page on disk, so that a killed or repeated command goes on where it was.
//!
//! A part is reused if the program, the data, the budget and the seed are the same, and its files are still there. So are
//! the trained machines.

use crate::report::SectionHtml;
use crate::run::{RunDirectory, write_atomically};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Folders inside folders of the data that are looked into.
const DEPTH: usize = 4;
/// The folder of the models that the figures train. `runs` would be the default of the training commands: with `--out .`, their
/// runs must stay.
pub(super) const TRAINED: &str = "trained";
/// The file with the inputs of all parts.
const INPUTS: &str = "inputs.txt";

/// A figure on the page and in the summary.
#[derive(Serialize, Deserialize)]
pub(super) struct Part {
    pub section: SectionHtml,
    pub summary: Value,
    /// The time that it took.
    pub seconds: f64,
}

/// The folder with the finished parts of the inputs of this command.
pub(super) struct Parts {
    folder: PathBuf,
}

impl Parts {
    /// Opens the folder in `out`. Parts and runs of other inputs are removed from `out` first. `inputs` names data, budget and
    /// seed; `data` is the path of the data if they are files.
    pub fn open(out: &Path, inputs: &str, data: Option<&Path>) -> Result<Self> {
        let mut inputs = format!("equilibria {}\n{inputs}\n", env!("CARGO_PKG_VERSION"));
        let program = std::env::current_exe().map_err(|error| Error::io("finding", "the program", error))?;
        describe(&program, 0, &mut inputs);
        if let Some(data) = data {
            describe(data, DEPTH, &mut inputs);
        }
        let folder = out.join("parts");
        let file = folder.join(INPUTS);
        if fs::read_to_string(&file).ok().as_ref() != Some(&inputs) {
            for path in
                entries(&folder).iter().filter(|path| path.extension().is_some_and(|end| end == "json"))
            {
                fs::remove_file(path).map_err(|error| Error::io("removing", path, error))?;
            }
            for path in entries(&out.join(TRAINED)).iter().filter(|path| RunDirectory::is_at(path)) {
                RunDirectory::create(path, true)?;
            }
            fs::create_dir_all(&folder).map_err(|error| Error::io("creating", &folder, error))?;
            write_atomically(&file, inputs.as_bytes())?;
        }
        Ok(Self { folder })
    }

    /// The part of this name, if it is finished and its files are in `out`.
    pub fn find(&self, name: &str, out: &Path, files: &[&str]) -> Option<Part> {
        let is_there = files.iter().all(|file| out.join(file).is_file());
        let bytes = fs::read(self.file(name)).ok().filter(|_| is_there)?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Stores a finished part.
    pub fn store(&self, name: &str, part: &Part) -> Result<()> {
        let bytes = serde_json::to_vec(part).map_err(|error| Error::invalid("part", error))?;
        write_atomically(&self.file(name), &bytes)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }
}

/// Removes the finished runs in `out`, and nothing else.
pub(super) fn remove_runs(out: &Path) -> Result<()> {
    let runs = out.join(TRAINED);
    for run in entries(&runs).iter().filter(|path| RunDirectory::is_at(path)) {
        RunDirectory::remove(run)?;
    }
    let _ = fs::remove_dir(runs);
    Ok(())
}

/// The bytes of all files in a folder.
pub(super) fn size_of(folder: &Path) -> u64 {
    let size = |path: &PathBuf| match path.is_dir() {
        true => size_of(path),
        false => fs::metadata(path).map_or(0, |file| file.len()),
    };
    entries(folder).iter().map(size).sum()
}

/// The files and folders in `folder` by name; none if it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Writes names, sizes and times of change of a file, or of the files in a folder.
fn describe(path: &Path, depth: usize, text: &mut String) {
    if path.is_dir() && depth > 0 {
        return entries(path).iter().for_each(|path| describe(path, depth - 1, text));
    }
    let Ok(file) = fs::metadata(path) else { return };
    let changed = file.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let _ = writeln!(text, "{} {} {}", path.display(), file.len(), changed.map_or(0, |time| time.as_nanos()));
}
