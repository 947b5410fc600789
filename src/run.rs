//! What a training run keeps on disk and shows on the terminal.
//!
//! ```text
//! runs/a/
//!   config.toml              the whole effective configuration, seed and versions included
//!   metrics.csv              header with units, a row an epoch or every so many steps
//!   checkpoint.safetensors   everything needed to go on
//!   model.safetensors        the trained model; in its metadata image_height and image_width, in pixels
//!   summary.json             the outcome
//!   .lock                    held by the process that writes here
//! ```
//!
//! Every file but `metrics.csv` is replaced as a whole ([`write_atomically`]), so a kill at any moment leaves
//! the last complete version. Rows of `metrics.csv` are appended and reach the disk before the checkpoint that
//! counts them; [`Metrics::resume`] drops the rows after the last checkpoint, which the resumed run writes anew.
//!
//! A training loop asks a `&(dyn Fn() -> bool + Sync)` whether to stop: [`interrupt::requested`] in a program that
//! handles Ctrl-C, `&|| false` or a flag of its own elsewhere.

mod atomic;
pub mod classifier;
pub mod dbm;
mod directory;
pub mod divergence;
mod epochs;
pub mod gan;
mod images;
pub mod interrupt;
mod metrics;
pub mod pretrained;
mod progress;
pub mod rbm;
mod record;
mod restore;
pub mod samples;
mod settings;
mod source;
mod text;
pub mod toys;
mod training;

pub use atomic::write_atomically;
pub use directory::{RunDirectory, locate_model, read_archive};
pub use metrics::{Counter, Metrics, Row};
pub use progress::{Progress, ProgressKind};
pub use settings::RunSettings;
pub use source::SavedModel;
pub(crate) use source::{Source, absolute};
use source::{copy_description, describe, describe_size, settings_in, settings_of, size_in, trained_on};
pub(crate) use text::parse;
pub use training::{Trainable, Training, resume, train, train_or_resume};
