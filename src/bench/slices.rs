//! Kernels over slices, for the groups math, reduce and random.

use super::entry::{Entry, Unit};
use super::limits::copy;
use super::measure::repeat;
use super::workload::{self, Workload};
use crate::Result;
use serde_json::json;
use std::fmt;

/// A kernel, and the work of one call.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// The kernel's name.
    pub name: &'static str,
    /// The type of its elements.
    pub r#type: &'static str,
    /// Rows of the data.
    pub rows: usize,
    /// Elements of a row.
    pub columns: usize,
    /// Bytes that are read or written for each element.
    pub bytes: usize,
    /// The unit of its speed.
    pub unit: Unit,
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.r#type)
    }
}

impl Kernel {
    /// Returns an error unless `found` is `right` within `tolerance` times `size`.
    pub fn expect(self, found: f64, right: f64, size: f64, tolerance: f64) -> Result<()> {
        workload::expect(self, found, right, tolerance * size)
    }

    /// The workload of a kernel, compared with its peer, and with a copy of `copied` in memory if it is given.
    pub fn workload<R, P>(
        self,
        ours: impl FnMut() -> R + Send + 'static,
        (peer, theirs): (&'static str, impl FnMut() -> P + Send + 'static),
        copied: Option<Vec<f32>>,
    ) -> Workload {
        let elements = (self.rows * self.columns) as f64;
        let gigabytes = self.bytes as f64 * elements / 1e9;
        // Read and written.
        let gigabytes_copied = copied.as_ref().map(|from| 2.0 * size_of_val(&from[..]) as f64 / 1e9);
        let shape = match self.rows {
            1 => self.columns.to_string(),
            rows => format!("{rows}x{}", self.columns),
        };
        let entry = move |(kernel, shape, threads): workload::Naming, seconds: &[f64]| {
            let nanoseconds = seconds[0] / elements * 1e9;
            let speed = gigabytes / seconds[0];
            let share = gigabytes_copied.map(|copied| speed / (copied / seconds[2]));
            Entry {
                kernel,
                shape,
                threads,
                speed: if self.unit == Unit::Gigabytes { speed } else { nanoseconds },
                unit: self.unit,
                share,
                ratio: Some(seconds[1] / seconds[0]),
                json: json!({
                    "kernel": self.name,
                    "type": self.r#type,
                    "rows": self.rows,
                    "columns": self.columns,
                    "threads": threads,
                    "ns_per_element": nanoseconds,
                    "gb_per_s": speed,
                    "fraction_of_copy": share,
                    "peer_ns_per_element": seconds[1] / elements * 1e9,
                }),
            }
        };
        Workload {
            kernel: self.to_string(),
            shape,
            work: elements,
            divisor: 2,
            ours: repeat(ours),
            peer: Some((peer, repeat(theirs))),
            limit: copied.map(copy),
            entry: Box::new(entry),
        }
    }
}
