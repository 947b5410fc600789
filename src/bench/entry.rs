//! A measurement: one line of the table, at most 100 characters wide, and one object in JSON.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// A measurement.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Kernel and type, for instance `gemm f32`.
    pub kernel: String,
    /// Shape of the data.
    pub shape: String,
    /// Number of threads.
    pub threads: usize,
    /// The speed, in `unit`.
    pub speed: f64,
    /// The unit of the speed.
    pub unit: Unit,
    /// Speed relative to the limit of the machine.
    pub share: Option<f64>,
    /// Speed relative to the peer.
    pub ratio: Option<f64>,
    /// The object in JSON.
    pub json: Value,
}

/// The unit of a speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum Unit {
    Gflops,
    Gigabytes,
    NanosecondsPerElement,
    MillionsOfStates,
    Milliseconds,
}

/// The head of the table.
pub const HEAD: &str = "\
kernel              shape                       threads                 speed    share      peer";

impl Entry {
    /// The object in JSON, without the keys that have no value.
    pub fn into_json(self) -> Value {
        let Value::Object(object) = self.json else { return self.json };
        object.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, unit) = match self.unit {
            Unit::Gflops => (1, "GFLOP/s"),
            Unit::Gigabytes => (1, "GB/s"),
            Unit::NanosecondsPerElement => (3, "ns/element"),
            Unit::MillionsOfStates => (0, "Mstates/s"),
            Unit::Milliseconds => (2, "ms"),
        };
        let share = self.share.map_or("-".into(), |share| format!("{:.1} %", 100.0 * share));
        let ratio = self.ratio.map_or("-".into(), |ratio| format!("{ratio:.2} x"));
        write!(
            f,
            "{:<19} {:<27} {:>7} {:>10.digits$} {unit:<10} {share:>8} {ratio:>9}",
            self.kernel, self.shape, self.threads, self.speed
        )
    }
}
