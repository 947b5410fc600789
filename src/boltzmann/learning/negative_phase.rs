//! The methods of the negative phase.

use crate::{Error, Result};
use core::fmt;
use core::str::FromStr;

/// The start of the negative phase's chains, and their transitions. Written `cd`, `pcd` and `tempering:10`.
///
/// ```
/// use equilibria::boltzmann::learning::NegativePhase;
/// assert_eq!("cd".parse::<NegativePhase>()?, NegativePhase::Contrastive);
/// assert_eq!("tempering:20".parse::<NegativePhase>()?.temperatures(), 20);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegativePhase {
    /// Chains start at the images of the mini-batch.
    Contrastive,
    /// Chains continue from their states after the last update.
    Persistent,
    /// Chains continue from their states after the last update, each with replicas at other temperatures to swap with.
    Tempered {
        /// Number of inverse temperatures, evenly spaced from 1 (the machine) to 0; at least 2.
        temperatures: usize,
    },
}

impl NegativePhase {
    /// The number of replicas of each chain; 1 without tempering.
    pub fn temperatures(self) -> usize {
        match self {
            Self::Contrastive | Self::Persistent => 1,
            Self::Tempered { temperatures } => temperatures,
        }
    }
}

/// The number of temperatures of `tempering` without a number.
const TEMPERATURES: usize = 10;
/// The largest number of temperatures that can be parsed.
const MAX_TEMPERATURES: usize = 1000;

impl fmt::Display for NegativePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contrastive => f.pad("cd"),
            Self::Persistent => f.pad("pcd"),
            Self::Tempered { temperatures } => write!(f, "tempering:{temperatures}"),
        }
    }
}

impl FromStr for NegativePhase {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let problem = || {
            let expected = alloc::format!(
                "the methods are cd (contrastive divergence), pcd (persistent) and tempering:N with N of 2 to \
                 {MAX_TEMPERATURES} temperatures (persistent, with replicas)"
            );
            Error::invalid(alloc::format!("method '{text}'"), expected)
        };
        match text.to_ascii_lowercase().as_str() {
            "cd" | "cd-1" | "cd1" => Ok(Self::Contrastive),
            "pcd" | "sml" => Ok(Self::Persistent),
            "tempering" | "pt" => Ok(Self::Tempered { temperatures: TEMPERATURES }),
            text => {
                let number = text.strip_prefix("tempering:").and_then(|number| number.parse().ok());
                let temperatures = number.filter(|number| (2..=MAX_TEMPERATURES).contains(number));
                Ok(Self::Tempered { temperatures: temperatures.ok_or_else(problem)? })
            }
        }
    }
}
