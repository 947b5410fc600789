//! The annealing schedule.

use crate::{Error, Result};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::str::FromStr;

/// The inverse temperatures of annealing, which rise strictly from 0 (the base-rate model) to 1 (the machine).
///
/// Written as pieces `END/STEP`. Each piece starts at the end of the one before, the first at 0. The default is that of
/// Salakhutdinov & Murray 2008, `0.5/0.001,0.9/0.0001,1/0.00001`: 14,500 steps, most of them close to the machine,
/// where its modes separate.
///
/// ```
/// use equilibria::boltzmann::likelihood::annealed::Schedule;
/// assert_eq!(Schedule::default().steps(), 14_500);
/// let schedule: Schedule = "0.5/0.25,1/0.1".parse()?;
/// assert_eq!(schedule.inverse_temperatures()[..4], [0.0, 0.25, 0.5, 0.6]);
/// assert!("0.5/0.1".parse::<Schedule>().is_err()); // does not reach 1
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    inverse_temperatures: Vec<f64>,
}

/// The pieces of Salakhutdinov & Murray 2008: end and step.
const DEFAULT: [(f64, f64); 3] = [(0.5, 1e-3), (0.9, 1e-4), (1.0, 1e-5)];

/// The largest number of steps that can be parsed.
const MAX_STEPS: f64 = 1e7;

impl Schedule {
    /// Creates a schedule from its inverse temperatures.
    ///
    /// **Errors** [`Error::InvalidArgument`] unless they rise strictly from 0 to 1.
    pub fn new(inverse_temperatures: Vec<f64>) -> Result<Self> {
        let ends = (inverse_temperatures.first(), inverse_temperatures.last());
        if ends != (Some(&0.0), Some(&1.0)) {
            let end = |end: Option<&f64>| end.map_or("nothing".to_string(), ToString::to_string);
            return Err(Error::invalid(
                alloc::format!("a schedule from {} to {}", end(ends.0), end(ends.1)),
                "inverse temperatures rise from 0 to 1",
            ));
        }
        let rises = |pair: &[f64]| pair[0].partial_cmp(&pair[1]) == Some(Ordering::Less);
        match inverse_temperatures.windows(2).find(|pair| !rises(pair)) {
            None => Ok(Self { inverse_temperatures }),
            Some(pair) => Err(Error::invalid(
                alloc::format!("a schedule in which {} follows {}", pair[1], pair[0]),
                "inverse temperatures rise from 0 to 1, each above the one before",
            )),
        }
    }

    /// Creates a schedule of `steps` equal steps.
    ///
    /// **Errors** [`Error::InvalidArgument`] for 0 steps.
    pub fn even(steps: usize) -> Result<Self> {
        if steps == 0 {
            return Err(Error::invalid("a schedule of 0 steps", "annealing takes at least 1 step"));
        }
        Self::new((0..=steps).map(|i| i as f64 / steps as f64).collect())
    }

    /// The inverse temperatures, including 0 and 1.
    pub fn inverse_temperatures(&self) -> &[f64] {
        &self.inverse_temperatures
    }

    /// The number of steps from one inverse temperature to the next.
    pub fn steps(&self) -> usize {
        self.inverse_temperatures.len() - 1
    }

    /// Creates a schedule from pieces of equal steps, given as (end, approximate step).
    fn from_pieces(pieces: &[(f64, f64)]) -> Result<Self> {
        let mut all = [0.0].to_vec();
        let mut start = 0.0;
        for &(end, step) in pieces {
            let count = libm::round((end - start) / step);
            if !(count >= 1.0 && count + all.len() as f64 <= MAX_STEPS) {
                return Err(Error::invalid(
                    alloc::format!("{end}/{step} after {start}"),
                    alloc::format!("a piece rises by 1 to {MAX_STEPS} steps"),
                ));
            }
            let place = |i: usize| start + (end - start) * (i as f64 / count);
            all.extend((1..=count as usize).map(place));
            // Store the end itself, without rounding errors.
            all.pop();
            all.push(end);
            start = end;
        }
        Self::new(all)
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::from_pieces(&DEFAULT).expect("the pieces rise from 0 to 1")
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let piece = |piece: &str| {
            let (end, step) = piece.split_once('/')?;
            Some((end.trim().parse().ok()?, step.trim().parse().ok()?))
        };
        let pieces: Option<Vec<(f64, f64)>> = text.split(',').map(piece).collect();
        let problem = || {
            let expected = "write END/STEP[,END/STEP...] that rises from 0 to 1, such as 0.9/0.001,1/0.0001";
            Error::invalid(alloc::format!("schedule '{text}'"), expected)
        };
        let pieces = pieces.ok_or_else(problem)?;
        let steps: f64 = pieces.iter().map(|&(end, step)| end / step).sum();
        if steps.is_finite() && steps > MAX_STEPS {
            let expected = alloc::format!("a schedule takes at most {MAX_STEPS:e} steps");
            return Err(Error::invalid(alloc::format!("schedule '{text}'"), expected));
        }
        Self::from_pieces(&pieces).map_err(|_| problem())
    }
}
