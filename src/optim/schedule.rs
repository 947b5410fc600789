//! A number that changes with the epoch.

use crate::{Error, Result};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// A rate or momentum over the epochs of a run.
///
/// Written as a number (`0.01`), as values with the epochs from which they hold (`0.5:0.9@5`: 0.5, and 0.9 from
/// epoch 5 on; more changes follow after further colons), or as a straight line from the first epoch to the last
/// (`0.05..0.001`).
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
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    /// Values with the epochs from which they hold, rising; the first from epoch 1.
    Steps(Vec<(usize, f64)>),
    /// First and last value.
    Line(f64, f64),
}

impl Schedule {
    /// The same value in every epoch.
    pub fn constant(value: f64) -> Self {
        Self { shape: Shape::Steps(Vec::from([(1, value)])) }
    }

    /// A straight line from the first epoch to the last.
    pub fn line(first: f64, last: f64) -> Self {
        Self { shape: Shape::Line(first, last) }
    }

    /// The value in `epoch` of `epochs`, counted from 1.
    pub fn at(&self, epoch: usize, epochs: usize) -> f64 {
        match &self.shape {
            Shape::Steps(steps) => {
                steps.iter().take_while(|step| step.0 <= epoch).last().map_or(0.0, |step| step.1)
            }
            Shape::Line(first, last) => {
                let way = epoch.saturating_sub(1) as f64 / epochs.saturating_sub(1).max(1) as f64;
                first + (last - first) * way.min(1.0)
            }
        }
    }

    /// Whether each value that the schedule is written with satisfies `test`.
    pub fn all(&self, test: impl Fn(f64) -> bool) -> bool {
        match &self.shape {
            Shape::Steps(steps) => steps.iter().all(|step| test(step.1)),
            Shape::Line(first, last) => test(*first) && test(*last),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shape {
            Shape::Steps(steps) => {
                for (i, (epoch, value)) in steps.iter().enumerate() {
                    if i == 0 { write!(f, "{value}")? } else { write!(f, ":{value}@{epoch}")? }
                }
                Ok(())
            }
            Shape::Line(first, last) => write!(f, "{first}..{last}"),
        }
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |part: &str| part.trim().parse::<f64>().ok().filter(|x| x.is_finite());
        let parse = || {
            if let Some((first, last)) = text.split_once("..") {
                return Some(Shape::Line(number(first)?, number(last)?));
            }
            let mut parts = text.split(':');
            let mut steps = Vec::from([(1, number(parts.next()?)?)]);
            for part in parts {
                let (value, epoch) = part.split_once('@')?;
                let epoch: usize = epoch.trim().parse().ok()?;
                if epoch <= steps.last()?.0 {
                    return None;
                }
                steps.push((epoch, number(value)?));
            }
            Some(Shape::Steps(steps))
        };
        parse().map(|shape| Self { shape }).ok_or_else(|| {
            Error::invalid(
                format!("schedule '{text}'"),
                "write a number (0.01), changes at rising epochs (0.5:0.9@5) or a line (0.05..0.001)",
            )
        })
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;
    use alloc::string::ToString;

    #[test]
    fn what_is_written_is_what_is_read() {
        for text in ["0.01", "0.5:0.9@5", "0.1:0.01@10:0.001@20", "0.05..0.001", "-1..1"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_schedule_is_refused() {
        for text in
            ["", "x", "0.5:0.9", "0.5:0.9@", "0.5:0.9@1", "0.5:0.9@7:0.1@7", "nan", "inf", "1..", "1@2"]
        {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_line_reaches_its_ends() {
        let line: Schedule = "2..1".parse().unwrap();
        assert_eq!((line.at(1, 5), line.at(3, 5), line.at(5, 5)), (2.0, 1.5, 1.0));
        assert_eq!(line.at(1, 1), 2.0);
    }
}
