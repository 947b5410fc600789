//! An axis: its range, its ticks, and the positions of values.

use super::svg::{self, TEXT};
use super::ticks::{self, Tick};

/// A range of values with ticks.
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    pub(super) ticks: Vec<Tick>,
}

/// Returns whether `value` can be drawn on an axis; the bound keeps the length of the axis finite.
pub(super) fn drawable(value: f64, logarithmic: bool) -> bool {
    value.is_finite() && value.abs() < 1e300 && (!logarithmic || value >= f64::MIN_POSITIVE)
}

/// Returns whether the tick labels fit side by side into `length`, assuming that the ticks are about evenly spaced.
pub(super) fn labels_fit(ticks: &[Tick], length: f64) -> bool {
    let widths = ticks.iter().map(|tick| svg::text_width(&tick.label, TEXT) + TEXT * 0.7);
    ticks.len() <= 8 && widths.sum::<f64>() <= length
}

impl Axis {
    /// The axis over `values` with a small margin at both ends and the largest number of ticks, up to seven, that `fit`
    /// accepts.
    ///
    /// All values must be [`drawable`], and there must be at least one.
    pub(super) fn over(
        values: impl Iterator<Item = f64> + Clone,
        logarithmic: bool,
        fit: impl Fn(&[Tick]) -> bool,
    ) -> Self {
        let whole = !logarithmic && values.clone().all(|value| value.fract() == 0.0);
        let scale = |value: f64| if logarithmic { value.log10() } else { value };
        let low = values.clone().map(scale).fold(f64::INFINITY, f64::min);
        let high = values.map(scale).fold(f64::NEG_INFINITY, f64::max);
        let magnitude = low.abs().max(high.abs());
        let span = high - low;
        let room = match span <= magnitude * 1e-9 {
            false => span * 0.04,
            // All values are equal.
            true if logarithmic => 0.35,
            true if whole => 1.0,
            true => (magnitude * 0.1).max(1e-290),
        };
        let room = if room > 0.0 { room } else { 0.5 };
        let mut axis = Self { low: low - room, high: high + room, logarithmic, ticks: Vec::new() };
        for target in (1..=7).rev() {
            axis.ticks = axis.choose_ticks(target, whole);
            if fit(&axis.ticks) {
                break;
            }
        }
        axis
    }

    fn choose_ticks(&self, target: usize, whole: bool) -> Vec<Tick> {
        if self.logarithmic {
            ticks::logarithmic(self.low, self.high, target)
        } else {
            ticks::linear(self.low, self.high, target, whole)
        }
    }

    /// The position of `value`: 0 at the low end, 1 at the high end.
    pub(super) fn share(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.log10() } else { value };
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// The width of the widest label.
    pub(super) fn widest_label(&self) -> f64 {
        self.ticks.iter().map(|tick| svg::text_width(&tick.label, TEXT)).fold(0.0, f64::max)
    }

    /// The width of the last label.
    pub(super) fn last_label(&self) -> f64 {
        self.ticks.last().map_or(0.0, |tick| svg::text_width(&tick.label, TEXT))
    }
}
