//! Positions of the ticks of an axis, and the format of their numbers.

use super::numbers::thousands;

/// A tick: its value and its label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) label: String,
}

/// Ticks at multiples of 1, 2 or 5 times a power of ten within `low..=high`, about `target` of them.
///
/// With `whole`, ticks are at integers only. The range must be finite, with `low < high`.
pub(super) fn linear(low: f64, high: f64, target: usize, whole: bool) -> Vec<Tick> {
    let step = nice_step((high - low) / target.max(1) as f64);
    let step = if whole { step.max(1.0) } else { step };
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    // Multiples of the step, so that rounding errors do not add up; the clamp bounds the number of ticks.
    let values = (0..=(last - first).clamp(0.0, 100.0) as usize).map(|i| (first + i as f64) * step);
    values.map(|value| Tick { value, label: number(value, step) }).collect()
}

/// Ticks of a logarithmic axis from 10^`low` to 10^`high`.
///
/// Ticks are at 1, 2 and 5 times the powers of ten if there are no more than `target` of them. Otherwise they are at
/// powers of ten, of which some are skipped to keep about `target`.
pub(super) fn logarithmic(low: f64, high: f64, target: usize) -> Vec<Tick> {
    // The margins at the ends of an axis may extend beyond the range of floating-point numbers.
    let (low, high) = (low.max(-307.0), high.min(308.0));
    let decades = (low.floor() as i32, high.floor() as i32);
    let inside = |value: &f64| (low - 1e-9..=high + 1e-9).contains(&value.log10());
    let at = |mantissas: &[f64], stride: usize| -> Vec<f64> {
        let powers = (decades.0..=decades.1).step_by(stride).map(power);
        powers.flat_map(|power| mantissas.iter().map(move |m| m * power)).filter(inside).collect()
    };
    let mut values = at(&[1.0, 2.0, 5.0], 1);
    if values.len() > target {
        values = at(&[1.0], 1);
    }
    let stride = values.len().div_ceil(target.max(2));
    if stride > 1 {
        values = at(&[1.0], stride);
    }
    if values.len() < 2 {
        return linear(10f64.powf(low), 10f64.powf(high), target.min(4), false);
    }
    let label = |value: f64| match value.log10() {
        exponent if (-4.0..6.0).contains(&exponent) => number(value, power((exponent + 1e-9).floor() as i32)),
        _ => scientific(value, 0),
    };
    values.into_iter().map(|value| Tick { value, label: label(value) }).collect()
}

/// A power of ten, rounded correctly: `powi` may be off by an ULP, parsing is not.
fn power(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().unwrap_or(f64::NAN)
}

/// The smallest number among 1, 2 and 5 times a power of ten that is not below `step`.
fn nice_step(step: f64) -> f64 {
    let magnitude = power(step.log10().floor() as i32);
    let nice = [1.0, 2.0, 5.0].into_iter().find(|m| m * magnitude >= step * (1.0 - 1e-9));
    nice.unwrap_or(10.0) * magnitude
}

/// Formats `value` to the precision of `step`, with commas between thousands; very large and very small numbers as
/// 2×10⁻⁶.
pub(super) fn number(value: f64, step: f64) -> String {
    let digits_after = -(step.abs().log10() + 1e-9).floor();
    if value != 0.0 && (digits_after > 5.0 || value.abs() >= 1e7) {
        let significant = (value.abs().log10() + 1e-9).floor() + digits_after;
        return scientific(value, significant.clamp(0.0, 6.0) as usize);
    }
    let decimals = digits_after.clamp(0.0, 5.0) as usize;
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) =
        text.split_once('.').map_or((text.as_str(), ""), |(whole, fraction)| (whole, fraction));
    let mut out = String::new();
    if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        out.push('\u{2212}');
    }
    out.push_str(&thousands(whole.parse().unwrap_or(0)));
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// Formats `value` as a mantissa with `decimals` digits and a power of ten in superscript; a mantissa of 1 is omitted.
fn scientific(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let mut out = String::from(if value < 0.0 { "\u{2212}" } else { "" });
    if mantissa.trim_end_matches(['0', '.']) != "1" {
        out.push_str(mantissa);
        out.push('\u{d7}');
    }
    out.push_str("10");
    out.extend(exponent.chars().map(|c| match c {
        '-' => '\u{207b}',
        '1' => '\u{b9}',
        '2' => '\u{b2}',
        '3' => '\u{b3}',
        digit => char::from_u32(0x2070 + digit.to_digit(10).unwrap_or(0)).unwrap_or(digit),
    }));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Vec<Tick>) -> Vec<String> {
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn numbers_have_the_usual_format() {
        assert_eq!(number(1234567.0, 1.0), "1,234,567");
        assert_eq!(number(-0.25, 0.05), "\u{2212}0.25");
        assert_eq!(number(-0.001, 0.5), "0.0");
        assert_eq!(number(100.0, 10.0), "100");
        assert_eq!(number(2e-6, 1e-6), "2\u{d7}10\u{207b}\u{2076}");
        assert_eq!(number(2.5e7, 5e6), "2.5\u{d7}10\u{2077}");
    }

    #[test]
    fn linear_ticks_are_round_and_inside() {
        assert_eq!(labels(linear(0.0, 30.0, 6, true)), ["0", "5", "10", "15", "20", "25", "30"]);
        assert_eq!(labels(linear(0.0, 2.0, 6, true)), ["0", "1", "2"]);
        assert_eq!(
            labels(linear(-0.13, 0.11, 5, false)),
            ["\u{2212}0.10", "\u{2212}0.05", "0.00", "0.05", "0.10"]
        );
        for (low, high) in [(-1e300, 1e300), (1e-300, 3e-300), (1e15, 1e15 + 8.0)] {
            let ticks = linear(low, high, 6, false);
            assert!((2..=8).contains(&ticks.len()), "{low}..{high}: {ticks:?}");
        }
    }

    #[test]
    fn wide_ranges_have_fewer_logarithmic_ticks_per_decade() {
        let over = |low: f64, high: f64, target| logarithmic(low.log10(), high.log10(), target);
        assert_eq!(labels(over(10.0, 500.0, 7)), ["10", "20", "50", "100", "200", "500"]);
        assert_eq!(labels(over(1.0, 1e4, 7)), ["1", "10", "100", "1,000", "10,000"]);
        assert_eq!(labels(over(0.001, 0.1, 3)), ["0.001", "0.01", "0.1"]);
        assert!(logarithmic(-330.0, 330.0, 7).len() <= 8, "the ends are beyond the floating-point range");
        assert!(over(1e-300, 1e300, 7).len() <= 8);
        assert!(over(2.1, 2.4, 7).len() >= 2, "a narrow range has linear ticks");
    }
}
