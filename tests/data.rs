//! Are images from files and drawn images right, and are wrong files refused with a clear message?
#![cfg(feature = "cli")]

#[path = "data/cats.rs"]
mod cats;
#[path = "data/cifar.rs"]
mod cifar;
#[path = "data/commands.rs"]
mod commands;
#[path = "data/pictures.rs"]
mod pictures;
#[path = "support/real_data.rs"]
mod real_data;

use equilibria::data::Dataset;
use std::path::Path;

/// The text of the error of loading `class` from `source`.
#[track_caller]
fn refused(source: &Path, class: Option<&str>) -> String {
    Dataset::load_any(source, class, None).expect_err("wrong data were accepted").to_string()
}
