//! Stored numbers at every level, compared with the standard's formula and with plain products.

use equilibria_kernels::convert::{self, Stored};
use equilibria_kernels::{Level, elementwise, reduce};

#[path = "support/guard.rs"]
mod guard;
use guard::GuardedBuffer;

/// The value of the bits by the formula of the standard.
fn value(half: u16) -> f64 {
    let sign = if half >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(half >> 10 & 0x1f), f64::from(half & 0x3ff) / 1024.0);
    sign * match exponent {
        0 => fraction * 2_f64.powi(-14),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1.0 + fraction) * 2_f64.powi(exponent - 15),
    }
}

#[test]
fn all_halves_are_widened_exactly_at_every_level() {
    let halves: Vec<[u8; 2]> = (0..=u16::MAX).map(u16::to_le_bytes).collect();
    for level in Level::available() {
        let mut out = vec![0.0; halves.len()];
        convert::load(level, Stored::F16(&halves), &mut out);
        for (half, &found) in (0..=u16::MAX).zip(&out) {
            let exact = value(half);
            let is_equal = f64::from(found) == exact || found.is_nan() && exact.is_nan();
            assert!(
                is_equal && found.is_sign_negative() == (half >> 15 == 1),
                "{half:#06x}, {level:?}: {found}"
            );
            assert_eq!(found.to_bits(), convert::widen(half).to_bits());
        }
    }
}

/// Lengths around those of blocks, of parts and of vectors.
#[test]
fn stored_rows_of_any_length_are_loaded_multiplied_and_added() {
    for level in Level::available() {
        for length in (0..=300).chain([511, 512, 513]) {
            let indices = || 0..length as u16;
            let integer = |i: u16| (i as i8).wrapping_sub(100);
            let floats: Vec<f32> = indices().map(|i| f32::from(i) - 7.5).collect();
            let bytes: Vec<[u8; 4]> = floats.iter().map(|x| x.to_le_bytes()).collect();
            check(level, Stored::F32(&GuardedBuffer::copy_of(&bytes, true)), &floats);
            // From 1 on, the distance of 16-bit floats is 1 / 1024.
            let floats: Vec<f32> = indices().map(|i| 1.0 + f32::from(i) / 1024.0).collect();
            let bytes: Vec<[u8; 2]> = indices().map(|i| (0x3c00 + i).to_le_bytes()).collect();
            check(level, Stored::F16(&GuardedBuffer::copy_of(&bytes, true)), &floats);
            let floats: Vec<f32> = indices().map(|i| f32::from(integer(i)) / 2.0).collect();
            let integers: Vec<i8> = indices().map(integer).collect();
            check(level, Stored::I8(&GuardedBuffer::copy_of(&integers, true), 0.5), &floats);
        }
    }
}

#[track_caller]
fn check(level: Level, stored: Stored<'_>, expected: &[f32]) {
    let mut out = GuardedBuffer::<f32>::at_end(expected.len());
    convert::load(level, stored, &mut out);
    assert_eq!(&*out, expected, "{level:?}");

    let x: Vec<f32> = (0..expected.len()).map(|i| (i * 37 % 11) as f32 - 5.0).collect();
    let x = GuardedBuffer::copy_of(&x, true);
    let sum: f64 = x.iter().zip(expected).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
    let size: f64 = x.iter().zip(expected).map(|(&x, &y)| f64::from(x * y).abs()).sum();
    let found = f64::from(convert::dot(level, stored, &x));
    assert!((found - sum).abs() <= 1e-6 * size, "{level:?}, {}: {found}, not {sum}", expected.len());
    let whole = f64::from(reduce::dot(level, expected, &x));
    assert!((found - whole).abs() <= 1e-6 * size);

    let mut exact = x.to_vec();
    elementwise::axpy(level, -0.7, expected, &mut exact);
    out.copy_from_slice(&x);
    convert::axpy(level, -0.7, stored, &mut out);
    assert_eq!(*out, *exact, "{level:?}");
}
