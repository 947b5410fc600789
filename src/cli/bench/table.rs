//! The table: aligned columns for a person, at most 100 wide.

use std::fmt;

/// One line of the table.
pub(super) struct Row {
    /// Kernel and type, for instance `gemm f32`.
    pub kernel: String,
    pub shape: String,
    pub threads: usize,
    pub speed: Speed,
    /// Of the machine's limit.
    pub share: Option<f64>,
    /// Times as fast as the peer.
    pub ratio: Option<f64>,
}

/// A speed in the unit that its kernel is judged by.
#[derive(Clone, Copy)]
pub(super) enum Speed {
    GflopPerSecond(f64),
    GbPerSecond(f64),
    NanosecondsPerElement(f64),
    MillionsOfStatesPerSecond(f64),
    Milliseconds(f64),
}

/// What stands above the rows.
pub(super) const HEAD: &str = "\
kernel              shape                       threads                 speed    share      peer";

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.speed {
            Speed::GflopPerSecond(value) => (format!("{value:.1}"), "GFLOP/s"),
            Speed::GbPerSecond(value) => (format!("{value:.1}"), "GB/s"),
            Speed::NanosecondsPerElement(value) => (format!("{value:.3}"), "ns/element"),
            Speed::MillionsOfStatesPerSecond(value) => (format!("{value:.0}"), "Mstates/s"),
            Speed::Milliseconds(value) => (format!("{value:.2}"), "ms"),
        };
        let share = self.share.map_or("-".into(), |share| format!("{:.1} %", 100.0 * share));
        let ratio = self.ratio.map_or("-".into(), |ratio| format!("{ratio:.2} x"));
        write!(
            f,
            "{:<19} {:<27} {:>7} {value:>10} {unit:<10} {share:>8} {ratio:>9}",
            self.kernel, self.shape, self.threads
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{HEAD, Row, Speed};

    #[test]
    fn columns_line_up_and_fit_the_width() {
        let row = |kernel: &str, shape: &str, speed, share, ratio| {
            Row { kernel: kernel.into(), shape: shape.into(), threads: 64, speed, share, ratio }.to_string()
        };
        let rows = [
            row(
                "gemm f32",
                "100x784x500 (B transposed)",
                Speed::GflopPerSecond(12345.678),
                Some(0.9149),
                Some(1.256),
            ),
            row("log_sum_exp f32", "16777216", Speed::GbPerSecond(3.21), None, Some(123.4)),
            row("exp f64", "4096", Speed::NanosecondsPerElement(0.1234), None, None),
        ];
        assert!(
            rows[0].contains(" 12345.7 GFLOP/s ") && rows[0].ends_with("   91.5 %    1.26 x"),
            "{}",
            rows[0]
        );
        assert!(
            rows[2].contains(" 0.123 ns/element ") && rows[2].ends_with("        -         -"),
            "{}",
            rows[2]
        );
        for row in &rows {
            assert_eq!(row.len(), HEAD.len(), "\n{HEAD}\n{row}");
            assert!(row.len() <= 100);
            assert_eq!(
                row.find(" 64 ").map(|i| i + 3),
                HEAD.find("threads").map(|i| i + 7),
                "\n{HEAD}\n{row}"
            );
        }
    }
}
