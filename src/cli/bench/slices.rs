//! Kernels over slices, for the groups math, reduce and random.

use super::context::{self, Context};
use super::entry::{Entry, Unit};
use super::measure::{Action, measure_interleaved, repeat};
use crate::Result;
use serde_json::json;
use std::fmt;

/// A kernel, and the work of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    pub name: &'static str,
    pub r#type: &'static str,
    pub rows: usize,
    pub columns: usize,
    /// Bytes that are read or written for each element.
    pub bytes: usize,
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
        context::expect(self, found, right, tolerance * size)
    }

    /// Measures a kernel, its peer, and a copy with its number of bytes (read and written) if there is one, on one thread.
    pub fn measure<R, P>(
        self,
        context: &Context,
        ours: impl FnMut() -> R + Send,
        peer: impl FnMut() -> P + Send,
        copy: Option<(Action<'_>, usize)>,
    ) -> Entry {
        let elements = (self.rows * self.columns) as f64;
        let gigabytes = self.bytes as f64 * elements / 1e9;
        let (mut ours, mut peer) = (repeat(ours), repeat(peer));
        let mut actions: Vec<Action<'_>> = vec![&mut ours, &mut peer];
        let copied = copy.map(|(copy, bytes)| {
            actions.push(copy);
            bytes as f64 / 1e9
        });
        let seconds = context.on_one(|| measure_interleaved(context.effort.part(2), &mut actions));
        let nanoseconds = seconds[0] / elements * 1e9;
        let speed = gigabytes / seconds[0];
        let share = copied.map(|copied| speed / (copied / seconds[2]));
        Entry {
            kernel: self.to_string(),
            shape: match self.rows {
                1 => self.columns.to_string(),
                rows => format!("{rows}x{}", self.columns),
            },
            threads: 1,
            speed: if matches!(self.unit, Unit::Gigabytes) { speed } else { nanoseconds },
            unit: self.unit,
            share,
            ratio: Some(seconds[1] / seconds[0]),
            json: json!({
                "kernel": self.name,
                "type": self.r#type,
                "rows": self.rows,
                "columns": self.columns,
                "threads": 1,
                "ns_per_element": nanoseconds,
                "gb_per_s": speed,
                "fraction_of_copy": share,
                "peer_ns_per_element": seconds[1] / elements * 1e9,
            }),
        }
    }
}
