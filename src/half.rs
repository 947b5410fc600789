//! Rounding to 16-bit floating-point numbers by their bits, which [`equilibria_kernels::convert`] describes.
//!
//! Numbers of magnitude 2⁻¹⁴ to 65504 have 11 significant bits; smaller ones are multiples of 2⁻²⁴.

/// The number of fraction bits of f32 that f16 does not have.
const DROPPED: u32 = 23 - 10;
/// The difference of the exponent biases, at the position of f32's exponent.
const REBIAS: u32 = (127 - 15) << 23;
const INFINITY: u16 = 0x7c00;

/// Rounds to the nearest f16, ties to even; infinity from 65520 on.
pub(crate) fn narrow(value: f32) -> u16 {
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
pub(crate) fn overflows(value: f32) -> bool {
    value.is_finite() && narrow(value) & 0x7fff == INFINITY
}
