//! The record of the data and the SIMD level in a checkpoint, so that a run is not resumed with other data unnoticed.
//!
//! ```text
//! training_images   200 of 28x28, crc32 0a1b2c3d
//! test_images       2000 of 28x28, crc32 4e5f6071
//! training_labels   200, crc32 8192a3b4            where training uses labels
//! test_labels       2000, crc32 c5d6e7f8           where training uses labels
//! simd              avx512
//! ```
//!
//! The check sums are CRC-32 of pixels and labels after the settings have been applied: inverted, only the first images.

use crate::checkpoint::Archive;
use crate::data::{Dataset, Images, Labelled};
use crate::{Error, Result};
use equilibria_kernels::Level;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const SIMD: &str = "simd";

/// The commit of this build, if the environment variable `EQUILIBRIA_COMMIT` gave it.
pub const COMMIT: Option<&str> = option_env!("EQUILIBRIA_COMMIT");

/// The data that this process has loaded: names and checksums.
static LOADED: Mutex<BTreeMap<String, BTreeMap<&'static str, String>>> = Mutex::new(BTreeMap::new());

/// Records that this process uses `digits`.
pub(crate) fn remember(digits: &Dataset) {
    let record = Record::of(digits, false);
    insert(record.data, record.entries.into_iter().collect());
}

/// Records that this process uses the samples at `path`.
pub(super) fn remember_samples(path: &Path, samples: &Images) {
    insert(path.display().to_string(), BTreeMap::from([("samples", described(samples))]));
}

/// Records that this process uses the content of a file.
pub(crate) fn remember_file(path: &Path) -> Result<()> {
    let bytes = std::fs::read(path).map_err(|error| Error::io("reading", path, error))?;
    let sum = format!("{} bytes, crc32 {:08x}", bytes.len(), crc32fast::hash(&bytes));
    insert(path.display().to_string(), BTreeMap::from([("file", sum)]));
    Ok(())
}

/// Records that this process uses a picture that it paints.
pub(super) fn remember_picture(name: &str, [height, width]: [usize; 2], bytes: &[u8]) {
    let sum = format!("{height}x{width}x3, crc32 {:08x}", crc32fast::hash(bytes));
    insert(name.into(), BTreeMap::from([("painted", sum)]));
}

fn insert(data: String, entries: BTreeMap<&'static str, String>) {
    LOADED.lock().unwrap_or_else(PoisonError::into_inner).insert(data, entries);
}

/// Number, size and checksum of images.
fn described(images: &Images) -> String {
    let sum = crc32fast::hash(images.pixels());
    let [height, width, channels] = images.shape();
    let channels = if channels == 1 { String::new() } else { format!("x{channels}") };
    format!("{} of {height}x{width}{channels}, crc32 {sum:08x}", images.len())
}

/// The program, the seed and the data behind the numbers of a summary.
#[derive(Debug, Clone, Serialize)]
pub struct Provenance {
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'static str>,
    simd_level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// For each source of data, their number, size and checksum.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    data: BTreeMap<String, BTreeMap<&'static str, String>>,
}

impl Provenance {
    /// The provenance of numbers from all data that this process has loaded.
    pub fn of_process(seed: Option<u64>) -> Self {
        Self::new(seed, LOADED.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn new(seed: Option<u64>, data: BTreeMap<String, BTreeMap<&'static str, String>>) -> Self {
        let (version, simd_level) = (env!("CARGO_PKG_VERSION"), Level::detect().name());
        Self { version, commit: COMMIT, simd_level, seed, data }
    }
}

/// A summary with its provenance, in one JSON object.
#[derive(Debug, Serialize)]
pub struct Recorded<'a, S> {
    /// The summary.
    #[serde(flatten)]
    pub summary: &'a S,
    /// The program, the seed and the data behind its numbers.
    pub provenance: Provenance,
}

/// The data of this process.
pub(super) struct Record {
    /// Name of the data.
    data: String,
    /// Keys and values of the metadata.
    entries: Vec<(&'static str, String)>,
}

impl Record {
    pub fn of(digits: &Dataset, with_labels: bool) -> Self {
        let images = |set: &Labelled| described(set.images());
        let labels = |set: &Labelled| format!("{}, crc32 {:08x}", set.len(), crc32fast::hash(set.labels()));
        if digits.train.is_empty() && digits.test.is_empty() {
            return Self { data: digits.name.clone(), entries: Vec::new() };
        }
        let mut entries =
            vec![("training_images", images(&digits.train)), ("test_images", images(&digits.test))];
        if with_labels {
            entries.push(("training_labels", labels(&digits.train)));
            entries.push(("test_labels", labels(&digits.test)));
        }
        Self { data: digits.name.clone(), entries }
    }

    /// A summary of training on these data with this seed.
    pub fn recorded<'a, S>(&self, summary: &'a S, seed: u64) -> Recorded<'a, S> {
        let data = BTreeMap::from([(self.data.clone(), self.entries.iter().cloned().collect())]);
        Recorded { summary, provenance: Provenance::new(Some(seed), data) }
    }

    /// Puts the record into a checkpoint.
    pub fn describe(&self, archive: &mut Archive) {
        for (key, value) in &self.entries {
            archive.set_metadata(key, value);
        }
        archive.set_metadata(SIMD, Level::detect().name());
    }

    /// Compares the data with those of the checkpoint in the run directory `run`. Returns notes for the user: the checkpoint
    /// has no record of its data, or has another SIMD level.
    ///
    /// **Errors** [`Error::Unusable`] if the data differ.
    pub fn check(&self, archive: &Archive, run: &Path) -> Result<Vec<String>> {
        let mut notes = Vec::new();
        for (key, now) in &self.entries {
            let Some(before) = archive.metadata(key) else {
                notes.push(format!(
                    "warning: {} has no record of its data, because an earlier version wrote it; check yourself that the \
                     run began with `{}`",
                    run.display(),
                    self.data,
                ));
                break;
            };
            if before != now {
                let name = key.replace('_', " ");
                let expected = format!(
                    "the {name} are not those that the run began with ({before}; now {now}): the files of `{}` have \
                     changed, or --data points elsewhere (`data` in config.toml); bring them back, or start a new run",
                    self.data,
                );
                return Err(Error::unusable(run.display(), expected));
            }
        }
        let level = Level::detect().name();
        if let Some(before) = archive.metadata(SIMD).filter(|&before| before != level) {
            notes.push(format!(
                "note: {} was trained at SIMD level {before} and continues at {level}, which rounds differently: the \
                 result will differ in its last bits from that of a run at one level",
                run.display(),
            ));
        }
        Ok(notes)
    }
}
