//! A measurement: one line of the table, at most 100 characters wide, and one object in JSON.

use crate::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// A measurement.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    /// Kernel and type, for instance `gemm f32`.
    pub kernel: String,
    pub shape: String,
    pub threads: usize,
    pub speed: f64,
    pub unit: Unit,
    /// Speed relative to the limit of the machine.
    pub share: Option<f64>,
    /// Speed relative to the peer.
    pub ratio: Option<f64>,
    /// The object in JSON.
    pub json: Value,
}

/// Receives measurements one by one.
pub(super) type Add<'a> = &'a mut dyn FnMut(Entry) -> Result<()>;

/// The unit of a speed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Unit {
    Gflops,
    Gigabytes,
    NanosecondsPerElement,
    MillionsOfStates,
    Milliseconds,
}

/// The head of the table.
pub(super) const HEAD: &str = "\
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

#[cfg(test)]
mod tests {
    use super::{Entry, HEAD, Unit};
    use serde_json::json;

    fn entry(kernel: &str, shape: &str, (speed, unit): (f64, Unit), share: Option<f64>) -> Entry {
        let (kernel, shape, ratio) = (kernel.into(), shape.into(), share.map(|share| 1.5 * share));
        Entry { kernel, shape, threads: 64, speed, unit, share, ratio, json: json!({ "a": 1, "b": share }) }
    }

    #[test]
    fn columns_line_up_and_fit_the_width() {
        let shape = "100x784x500 (B transposed)";
        let lines = [
            entry("gemm f32", shape, (12345.678, Unit::Gflops), Some(0.9149)),
            entry("log_sum_exp f32", "16777216", (3.21, Unit::Gigabytes), Some(80.0)),
            entry("exp f64", "4096", (0.1234, Unit::NanosecondsPerElement), None),
        ]
        .map(|entry| entry.to_string());
        assert!(
            lines[0].contains(" 12345.7 GFLOP/s ") && lines[0].ends_with("   91.5 %    1.37 x"),
            "{}",
            lines[0]
        );
        assert!(
            lines[2].contains(" 0.123 ns/element ") && lines[2].ends_with("        -         -"),
            "{}",
            lines[2]
        );
        for line in &lines {
            assert!(line.len() == HEAD.len() && line.len() <= 100, "\n{HEAD}\n{line}");
            let ends = [line.find(" 64 ").map(|i| i + 3), HEAD.find("threads").map(|i| i + 7)];
            assert_eq!(ends[0], ends[1], "\n{HEAD}\n{line}");
        }
    }

    #[test]
    fn json_leaves_out_what_was_not_measured() {
        let json = |share| entry("", "", (1.0, Unit::Gflops), share).into_json();
        assert_eq!((json(Some(0.5)), json(None)), (json!({ "a": 1, "b": 0.5 }), json!({ "a": 1 })));
    }
}
