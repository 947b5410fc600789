//! Where the chains of the negative phase come from.

use crate::{Error, Result};
use core::fmt;
use core::str::FromStr;

/// Where the negative phase's chains start, and how they walk. Written `cd`, `pcd` and `tempering:10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NegativePhase {
    /// At the images of the mini-batch.
    Contrastive,
    /// Where the last update left them.
    Persistent,
    /// Where the last update left them, each with replicas at other temperatures to swap with.
    Tempered {
        /// Inverse temperatures, evenly from 1, the machine, to 0: at least 2.
        temperatures: usize,
    },
}

impl NegativePhase {
    /// Replicas of each chain; 1 without tempering.
    pub fn temperatures(self) -> usize {
        match self {
            Self::Contrastive | Self::Persistent => 1,
            Self::Tempered { temperatures } => temperatures,
        }
    }
}

/// Temperatures of `tempering` without a number.
const TEMPERATURES: usize = 10;
/// Temperatures that a text may ask for.
const MOST_TEMPERATURES: usize = 1000;

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
                 {MOST_TEMPERATURES} temperatures (persistent, with replicas)"
            );
            Error::invalid(alloc::format!("method '{text}'"), expected)
        };
        match text {
            "cd" => Ok(Self::Contrastive),
            "pcd" => Ok(Self::Persistent),
            "tempering" => Ok(Self::Tempered { temperatures: TEMPERATURES }),
            _ => {
                let number = text.strip_prefix("tempering:").and_then(|number| number.parse().ok());
                let temperatures = number.filter(|number| (2..=MOST_TEMPERATURES).contains(number));
                Ok(Self::Tempered { temperatures: temperatures.ok_or_else(problem)? })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NegativePhase;
    use alloc::string::ToString;

    #[test]
    fn texts_are_read_as_they_are_written() {
        for phase in [
            NegativePhase::Contrastive,
            NegativePhase::Persistent,
            NegativePhase::Tempered { temperatures: 2 },
            NegativePhase::Tempered { temperatures: 37 },
        ] {
            assert_eq!(phase.to_string().parse(), Ok(phase));
        }
        assert_eq!("tempering".parse(), Ok(NegativePhase::Tempered { temperatures: 10 }));
        for bad in ["", "CD", "tempering:", "tempering:1", "tempering:1001", "tempering:x", "tempering10"] {
            let error = bad.parse::<NegativePhase>().unwrap_err().to_string();
            assert!(error.contains("tempering:N"), "{bad}: {error}");
        }
    }
}
