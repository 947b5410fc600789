//! Conversion of 16-bit floating-point numbers (IEEE 754 binary16) by their bits.
//!
//! ```text
//! f16   1 sign   5 exponent, biased by 15    10 fraction
//! f32   1 sign   8 exponent, biased by 127   23 fraction
//! ```
//!
//! Numbers of magnitude 2⁻¹⁴ to 65504 have 11 significant bits; smaller ones are multiples of 2⁻²⁴.

/// The number of fraction bits of f32 that f16 does not have.
const DROPPED: u32 = 23 - 10;
/// The difference of the exponent biases, at the position of f32's exponent.
const REBIAS: u32 = (127 - 15) << 23;
const INFINITY: u16 = 0x7c00;

/// Rounds to the nearest f16, ties to even; infinity from 65520 on.
pub(super) fn narrow(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    // Adding just under half a unit of the last kept bit rounds up by a carry. Adding the last bit itself breaks ties.
    let rounded = |bits: u32, dropped: u32| {
        let last = bits >> dropped & 1;
        ((bits + (1 << (dropped - 1)) - 1 + last) >> dropped) as u16
    };
    let is_nan = magnitude > f32::INFINITY.to_bits();
    sign | match (magnitude >> 23) as i32 - 127 {
        // Keep the leading bits of the payload; set one bit if they are 0, so that the result is not infinity.
        _ if is_nan => {
            let payload = (magnitude >> DROPPED) as u16 & 0x3ff;
            INFINITY | payload | u16::from(payload == 0)
        }
        16.. => INFINITY,
        // A carry out of the fraction correctly increments the exponent, up to infinity.
        -14..16 => rounded(magnitude - REBIAS, DROPPED),
        // A multiple of 2⁻²⁴: the implicit leading 1 becomes part of the fraction.
        exponent @ -25..-14 => rounded(magnitude & 0x7f_ffff | 0x80_0000, (-1 - exponent) as u32),
        _ => 0,
    }
}

/// True if a finite `value` rounds to infinity.
pub(super) fn overflows(value: f32) -> bool {
    value.is_finite() && narrow(value) & 0x7fff == INFINITY
}

/// Converts to f32 exactly.
pub(super) fn widen(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let magnitude = u32::from(half & 0x7fff) << DROPPED;
    f32::from_bits(
        sign | match half >> 10 & 0x1f {
            // The fraction times 2⁻²⁴, which is a normal number in f32.
            0 => (f32::from(half & 0x3ff) / 16_777_216.0).to_bits(),
            0x1f => magnitude | f32::INFINITY.to_bits(),
            _ => magnitude + REBIAS,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::{narrow, widen};

    /// The value of the bits by the formula of the standard, in f64.
    fn value(half: u16) -> f64 {
        let sign = if half >> 15 == 1 { -1.0 } else { 1.0 };
        let (exponent, fraction) = (i32::from(half >> 10 & 0x1f), f64::from(half & 0x3ff));
        sign * match exponent {
            0 => fraction * libm::exp2(-24.0),
            0x1f if fraction == 0.0 => f64::INFINITY,
            0x1f => f64::NAN,
            _ => (1.0 + fraction / 1024.0) * libm::exp2(f64::from(exponent - 15)),
        }
    }

    #[test]
    fn does_every_bit_pattern_survive_the_conversion_to_f32_and_back() {
        for half in 0..=u16::MAX {
            let (wide, exact) = (widen(half), value(half));
            assert!(f64::from(wide) == exact || wide.is_nan() && exact.is_nan(), "{half:#06x}: {wide}");
            assert_eq!(wide.is_sign_negative(), half >> 15 == 1, "{half:#06x}");
            assert_eq!(narrow(wide), half, "{wide}");
        }
    }

    /// Tests the midpoint between each two neighbours, which f32 represents exactly, and the numbers of f32 next to it.
    #[test]
    fn does_rounding_go_to_nearest_with_ties_to_even() {
        for half in 0..0x7bff_u16 {
            let (low, high) = (widen(half), widen(half + 1));
            let middle = low + (high - low) / 2.0;
            let even = half + (half & 1);
            for (value, nearest) in [
                (low.next_up(), half),
                (middle.next_down(), half),
                (middle, even),
                (middle.next_up(), half + 1),
                (high.next_down(), half + 1),
            ] {
                assert_eq!(narrow(value), nearest, "{value:e}");
                assert_eq!(narrow(-value), nearest | 0x8000, "{:e}", -value);
            }
        }
    }

    #[test]
    fn do_the_limits_of_the_range_round_as_the_standard_says() {
        let tiny = widen(1);
        for (value, half) in [
            (65504.0, 0x7bff),
            (65520_f32.next_down(), 0x7bff),
            (65520.0, 0x7c00),
            (f32::MAX, 0x7c00),
            (f32::INFINITY, 0x7c00),
            (tiny / 2.0, 0),
            ((tiny / 2.0).next_up(), 1),
            (tiny * 1.5, 2),
            (tiny / 4.0, 0),
            (f32::MIN_POSITIVE, 0),
            (f32::from_bits(1), 0),
            (0.0, 0),
        ] {
            assert_eq!((narrow(value), narrow(-value)), (half, half | 0x8000), "{value:e}");
        }
        // Payloads of NaN lose their last bits, and the result is still NaN.
        for nan in [0x7fc0_0000, 0x7f80_0001, 0x7fff_ffff, 0xff80_1fff] {
            let narrowed = narrow(f32::from_bits(nan));
            assert!(widen(narrowed).is_nan() && narrowed >> 15 == (nan >> 31) as u16, "{nan:#x}");
        }
    }
}
