//! A record of speeds to compare later ones with.
//!
//! Machines differ, and the speed of one varies from minute to minute. A record therefore holds ratios alone: to the machine's
//! limit, to a peer, or else to the multiply-add peak, each measured in the same run.

use super::entry::{Entry, Unit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A figure that falls below this share of its recorded value has fallen.
pub const FALLEN: f64 = 0.9;

/// The figures of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The SIMD level.
    pub level: String,
    /// Number of threads.
    pub threads: usize,
    /// The ratios by kernel, shape, threads and yardstick; higher is faster.
    pub figures: BTreeMap<String, f64>,
}

/// A figure that has fallen.
#[derive(Debug, Clone, PartialEq)]
pub struct Fallen {
    /// Its name.
    pub name: String,
    /// The recorded value.
    pub before: f64,
    /// The present value.
    pub now: f64,
}

impl Record {
    /// A record without figures.
    pub fn new(level: &str, threads: usize) -> Self {
        Self { level: level.into(), threads, figures: BTreeMap::new() }
    }

    /// Adds the figures of a measurement; `peak` is the multiply-add peak in GFLOP/s.
    pub fn add(&mut self, entry: &Entry, peak: f64) {
        let rate = match entry.unit {
            Unit::NanosecondsPerElement | Unit::Milliseconds => 1.0 / entry.speed,
            Unit::Gflops | Unit::Gigabytes | Unit::MillionsOfStates => entry.speed,
        };
        let own = [("of the limit", entry.share), ("of the peer", entry.ratio)];
        let has_none = own.iter().all(|(_, figure)| figure.is_none());
        let others = ("per GFLOP/s of the peak", has_none.then_some(rate / peak));
        for (yardstick, figure) in own.into_iter().chain([others]) {
            if let Some(figure) = figure {
                let Entry { kernel, shape, threads, .. } = entry;
                self.figures.insert(format!("{kernel}, {shape}, threads {threads}, {yardstick}"), figure);
            }
        }
    }

    /// The figures of `now` that are below [`FALLEN`] of those in this record; those that `now` lacks are left out.
    pub fn fallen(&self, now: &Self) -> Vec<Fallen> {
        let both =
            self.figures.iter().filter_map(|(name, &before)| Some((name, before, *now.figures.get(name)?)));
        let fallen = both.filter(|(_, before, now)| *now < FALLEN * before || now.is_nan());
        fallen.map(|(name, before, now)| Fallen { name: name.clone(), before, now }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn entry(speed: f64, unit: Unit, share: Option<f64>, ratio: Option<f64>) -> Entry {
        Entry {
            kernel: "k".into(),
            shape: "s".into(),
            threads: 2,
            speed,
            unit,
            share,
            ratio,
            json: Value::Null,
        }
    }

    fn record(entries: &[Entry]) -> Record {
        let mut record = Record::new("avx2", 2);
        entries.iter().for_each(|entry| record.add(entry, 100.0));
        record
    }

    #[test]
    fn figures_are_ratios_and_higher_is_faster() {
        let both = record(&[entry(50.0, Unit::Gflops, Some(0.5), Some(2.0))]);
        let names = ["k, s, threads 2, of the limit", "k, s, threads 2, of the peer"];
        assert_eq!(
            both.figures.into_iter().collect::<Vec<_>>(),
            [(names[0].to_string(), 0.5), (names[1].to_string(), 2.0)]
        );
        let time = record(&[entry(4.0, Unit::Milliseconds, None, None)]);
        assert_eq!(time.figures.into_values().collect::<Vec<_>>(), [0.0025]);
    }

    #[test]
    fn only_figures_that_fell_by_more_than_a_tenth_are_reported() {
        let before = record(&[entry(50.0, Unit::Gflops, Some(0.5), Some(2.0))]);
        for (share, ratio, count) in [(0.46, 1.81, 0), (0.44, 1.81, 1), (0.44, 1.7, 2), (0.9, f64::NAN, 1)] {
            let now = record(&[entry(50.0, Unit::Gflops, Some(share), Some(ratio))]);
            assert_eq!(before.fallen(&now).len(), count, "{share}, {ratio}");
        }
        assert_eq!(before.fallen(&Record::new("avx2", 2)), []);
    }
}
