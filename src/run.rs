//! Training runs: settings, training loops, the run directory, interruption and progress.
//!
//! These are parts of the program; they are public for its tests, and are not part of the library's interface.
//!
//! ```text
//! runs/a/
//!   config.toml              all settings, and the versions of program and checkpoint
//!   metrics.csv              header with units, a row per epoch or per number of steps
//!   checkpoint.safetensors   the state from which the run can be resumed
//!   model.safetensors        the trained model; image_height and image_width in the metadata, in pixels
//!   summary.json             the result
//!   .lock                    locked by the process that writes here
//! ```
//!
//! Files are replaced atomically ([`write_atomically`]), so a kill at any moment leaves the last complete version. Only
//! `metrics.csv` is extended row by row; a row reaches the disk before the checkpoint that counts it. [`Metrics::resume`]
//! removes the rows after the last checkpoint, which the resumed run writes again.
//!
//! The settings of a kind of run ([`rbm::Settings`], [`dbm::Settings`], [`gan::Settings`]) declare its options once, for the
//! command line and for `config.toml` ([`RunSettings`]). [`train`] and [`resume`] serve all kinds.
//!
//! A training loop stops when its argument `stop` returns true: [`interrupt::requested`] in a program that handles Ctrl-C,
//! `&|| false` or a flag elsewhere.

mod atomic;
pub mod classifier;
pub mod dbm;
mod directory;
pub(crate) mod divergence;
pub mod encoder;
mod epochs;
pub mod gan;
pub(crate) mod image_files;
mod images;
pub mod interrupt;
mod metrics;
pub mod pretrained;
mod progress;
pub mod rbm;
pub mod recolour;
mod record;
mod restore;
mod results;
pub mod samples;
mod settings;
mod source;
mod supervised;
mod text;
pub(crate) mod toys;
mod training;
pub(crate) mod unlabelled;

pub use atomic::write_atomically;
pub use directory::{RunDirectory, locate_model, read_archive};
pub use metrics::{Counter, Metrics, Row};
pub use progress::{Progress, ProgressKind};
pub(crate) use progress::{rounded, warn};
pub(crate) use record::{COMMIT, Provenance, Recorded, remember, remember_file};
pub(crate) use results::{check_range, create_folder_of, write_output, write_picture};
pub use settings::RunSettings;
pub use source::{SavedModel, StoredMachine, load};
pub(crate) use source::{Source, absolute, absolute_source, load_alone, source};
use source::{copy_settings, describe, settings_in, settings_of, trained_on};
pub(crate) use text::parse;
pub use training::{Trainable, TrainingRun, resume, train};
pub(crate) use training::{resume_with, train_in_memory, train_or_resume};
