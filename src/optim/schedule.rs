//! Schedules: numbers that change with the epoch.

use crate::{Error, Result};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// A rate or momentum as a function of the epoch.
///
/// The text form is a sequence of pieces, separated by colons. A piece is a number (`0.01`) or a straight line
/// (`0.05..0.001`); all pieces but the first end with `@` and their first epoch. `0.5:0.9@5` is 0.5, and 0.9 from epoch
/// 5 on; `0.05..0.001:0.01..0.0001@41` falls to 0.001 in epoch 40 and falls again from 0.01 in epoch 41. A line ends in
/// the epoch before the next piece; the last line ends in the last epoch.
///
/// ```
/// use equilibria::optim::Schedule;
/// let momentum: Schedule = "0.5:0.9@5".parse()?;
/// assert_eq!(momentum.at(4, 30), 0.5);
/// assert_eq!(momentum.at(5, 30), 0.9);
/// assert_eq!("1..0".parse::<Schedule>()?.at(6, 11), 0.5);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The pieces with their first epochs, ascending from 1.
    pieces: Vec<Piece>,
}

/// A piece and its first epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    start: usize,
    first: f64,
    /// The last value of a line, which may be equal to the first; `None` for a constant.
    last: Option<f64>,
}

impl Schedule {
    /// The same value in every epoch.
    pub fn constant(value: f64) -> Self {
        Self { pieces: Vec::from([Piece { start: 1, first: value, last: None }]) }
    }

    /// A straight line from the first epoch to the last.
    pub fn line(first: f64, last: f64) -> Self {
        Self { pieces: Vec::from([Piece { start: 1, first, last: Some(last) }]) }
    }

    /// The value in `epoch` of `epochs`, counted from 1.
    pub fn at(&self, epoch: usize, epochs: usize) -> f64 {
        let next = self.pieces.partition_point(|piece| piece.start <= epoch.max(1));
        let Piece { start, first, last } = self.pieces[next - 1];
        let end = self.pieces.get(next).map_or(epochs, |piece| piece.start - 1);
        let fraction = epoch.saturating_sub(start) as f64 / end.saturating_sub(start).max(1) as f64;
        last.map_or(first, |last| first + (last - first) * fraction.min(1.0))
    }

    /// Returns whether values depend on the number of epochs: the last piece is a line.
    pub fn depends_on_length(&self) -> bool {
        self.pieces.last().is_some_and(|piece| piece.last.is_some_and(|last| last != piece.first))
    }

    /// Returns whether `test` is true for every value in the schedule's text.
    pub fn all(&self, test: impl Fn(f64) -> bool) -> bool {
        self.pieces.iter().all(|piece| test(piece.first) && piece.last.is_none_or(&test))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Piece { start, first, last }) in self.pieces.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ":" })?;
            write!(f, "{first}")?;
            last.map_or(Ok(()), |last| write!(f, "..{last}"))?;
            if i == 0 { Ok(()) } else { write!(f, "@{start}") }?;
        }
        Ok(())
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |part: &str| part.trim().parse::<f64>().ok().filter(|x| x.is_finite());
        let piece = |start, text: &str| {
            let (first, last) = match text.split_once("..") {
                Some((first, last)) => (first, Some(number(last)?)),
                None => (text, None),
            };
            Some(Piece { start, first: number(first)?, last })
        };
        let parse = || {
            let mut parts = text.split(':');
            let mut pieces = Vec::from([piece(1, parts.next()?)?]);
            for part in parts {
                let (values, start) = part.split_once('@')?;
                let start: usize = start.trim().parse().ok()?;
                if start <= pieces.last()?.start {
                    return None;
                }
                pieces.push(piece(start, values)?);
            }
            Some(Self { pieces })
        };
        parse().ok_or_else(|| {
            Error::invalid(
                format!("schedule '{text}'"),
                "write a number (0.01) or a line (0.05..0.001), and further pieces with ascending first epochs (0.5:0.9@5)",
            )
        })
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.to_string()
    }
}
