//! Where the chains of the negative phase come from.

use crate::{Error, Result};
use core::fmt;
use core::str::FromStr;

/// Where the negative phase's chains start. Written `cd` and `pcd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegativePhase {
    /// At the images of the mini-batch.
    Contrastive,
    /// Where the last update left them.
    Persistent,
}

impl fmt::Display for NegativePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Contrastive => "cd",
            Self::Persistent => "pcd",
        })
    }
}

impl FromStr for NegativePhase {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "cd" => Ok(Self::Contrastive),
            "pcd" => Ok(Self::Persistent),
            _ => Err(Error::invalid(
                alloc::format!("method '{text}'"),
                "the methods are cd (contrastive divergence) and pcd (persistent)",
            )),
        }
    }
}
