//! Kernels over slices: what the groups math, reduce and random have in common.

use super::measure::{Action, measure_interleaved};
use super::table::{Row, Speed};
use super::{Context, Entry};
use crate::{Error, Result};
use serde::Serialize;

/// What a kernel is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unit {
    /// Time an element.
    Nanoseconds,
    /// Bytes read or written a second.
    Gigabytes,
}

/// A kernel and the work of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel {
    pub name: &'static str,
    pub r#type: &'static str,
    pub rows: usize,
    pub columns: usize,
    /// Bytes of input that an element stands for.
    pub bytes: usize,
    pub unit: Unit,
}

impl Kernel {
    fn elements(self) -> usize {
        self.rows * self.columns
    }

    /// An error about a wrong answer.
    pub(super) fn wrong(self, found: impl std::fmt::Display, right: impl std::fmt::Display) -> Error {
        let Self { name, r#type, .. } = self;
        Error::invalid(format!("{name} {}", r#type), format!("gives {found} where {right} is right"))
    }

    /// Fails unless `found` is `right` but for `tolerance` times `size`.
    pub(super) fn expect(self, found: f64, right: f64, size: f64, tolerance: f64) -> Result<()> {
        // Written so that NaN fails.
        if (found - right).abs() <= tolerance * size { Ok(()) } else { Err(self.wrong(found, right)) }
    }
}

#[derive(Serialize)]
pub(super) struct Slice {
    kernel: &'static str,
    r#type: &'static str,
    rows: usize,
    columns: usize,
    threads: usize,
    ns_per_element: f64,
    gb_per_s: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fraction_of_copy: Option<f64>,
    peer_ns_per_element: f64,
    #[serde(skip)]
    unit: Unit,
}

impl Entry for Slice {
    fn row(&self) -> Row {
        Row {
            kernel: format!("{} {}", self.kernel, self.r#type),
            shape: match self.rows {
                1 => self.columns.to_string(),
                rows => format!("{rows}x{}", self.columns),
            },
            threads: self.threads,
            speed: match self.unit {
                Unit::Nanoseconds => Speed::NanosecondsPerElement(self.ns_per_element),
                Unit::Gigabytes => Speed::GbPerSecond(self.gb_per_s),
            },
            share: self.fraction_of_copy,
            ratio: Some(self.peer_ns_per_element / self.ns_per_element),
        }
    }
}

/// Times a kernel whose answer has been checked against its peer, and against a copy of so many bytes (read
/// plus written) where one is given. On one thread.
pub(super) fn measure<'a>(
    context: &Context,
    kernel: Kernel,
    ours: Action<'a>,
    peer: Action<'a>,
    copy: Option<(Action<'a>, usize)>,
) -> Slice {
    let elements = kernel.elements() as f64;
    let gigabytes = kernel.bytes as f64 * elements / 1e9;
    let (mut actions, mut copied) = (vec![ours, peer], None);
    if let Some((copy, bytes)) = copy {
        actions.push(copy);
        copied = Some(bytes as f64 / 1e9);
    }
    let seconds = context.on_one(|| measure_interleaved(context.effort.part(2), &mut actions));
    Slice {
        kernel: kernel.name,
        r#type: kernel.r#type,
        rows: kernel.rows,
        columns: kernel.columns,
        threads: 1,
        ns_per_element: seconds[0] / elements * 1e9,
        gb_per_s: gigabytes / seconds[0],
        fraction_of_copy: copied.map(|copied| (gigabytes / seconds[0]) / (copied / seconds[2])),
        peer_ns_per_element: seconds[1] / elements * 1e9,
        unit: kernel.unit,
    }
}
