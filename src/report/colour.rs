//! Colour scales, by linear interpolation between anchors in sRGB.

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];

/// ColorBrewer's seven-class RdBu, reversed: blue for negative, near-white for zero, red for positive.
const BLUE_WHITE_RED: [Rgb; 7] = [
    [0x21, 0x66, 0xac],
    [0x67, 0xa9, 0xcf],
    [0xd1, 0xe5, 0xf0],
    [0xf7, 0xf7, 0xf7],
    [0xfd, 0xdb, 0xc7],
    [0xef, 0x8a, 0x62],
    [0xb2, 0x18, 0x2b],
];

/// Nine samples of viridis (van der Walt & Smith 2015): its lightness rises evenly, for every kind of colour vision.
#[cfg(feature = "cli")]
const VIRIDIS: [Rgb; 9] = [
    [0x44, 0x01, 0x54],
    [0x47, 0x2d, 0x7b],
    [0x3b, 0x52, 0x8b],
    [0x2c, 0x72, 0x8e],
    [0x21, 0x91, 0x8c],
    [0x28, 0xae, 0x80],
    [0x5e, 0xc9, 0x62],
    [0xad, 0xdc, 0x30],
    [0xfd, 0xe7, 0x25],
];

/// Colours of marked pixel rows of a tile, from value 0 to value 1: distinct from black, grey and white.
const AMBER: [Rgb; 2] = [[0xb4, 0x5f, 0x06], [0xff, 0xf2, 0xd6]];

/// Blue at -1, near-white at 0, red at 1.
pub(super) fn diverging(value: f64) -> Rgb {
    interpolate(&BLUE_WHITE_RED, (value + 1.0) / 2.0)
}

/// Dark violet at 0, yellow at 1.
#[cfg(feature = "cli")]
pub(super) fn viridis(value: f64) -> Rgb {
    interpolate(&VIRIDIS, value)
}

/// Dark amber at 0, cream at 1.
pub(super) fn amber(value: f64) -> Rgb {
    interpolate(&AMBER, value)
}

/// The colour at `value` of a scale whose anchors are spread evenly over 0..=1; clamped, NaN as 0.
fn interpolate(anchors: &[Rgb], value: f64) -> Rgb {
    let last = anchors.len() - 1;
    let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    let position = value * last as f64;
    let left = (position as usize).min(last - 1);
    let weight = position - left as f64;
    core::array::from_fn(|i| {
        let (from, to) = (f64::from(anchors[left][i]), f64::from(anchors[left + 1][i]));
        (from + (to - from) * weight).round() as u8
    })
}

/// Relative luminance as WCAG 2 defines it, 0 for black to 1 for white.
#[cfg(feature = "cli")]
pub(super) fn luminance(colour: Rgb) -> f64 {
    let linear = colour.map(|c| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_meet_their_anchors_and_clamp() {
        assert_eq!(diverging(0.0), [0xf7; 3]);
        assert_eq!(diverging(-7.0), [0x21, 0x66, 0xac]);
        assert_eq!(diverging(f64::INFINITY), [0xb2, 0x18, 0x2b]);
        assert_eq!(amber(f64::NAN), amber(0.0));
        assert!(diverging(-0.5)[2] > diverging(-0.5)[0], "negative is blue");
    }

    #[cfg(feature = "cli")]
    #[test]
    fn viridis_only_grows_lighter() {
        let lightness: Vec<f64> = (0..=64).map(|i| luminance(viridis(f64::from(i) / 64.0))).collect();
        assert!(lightness.windows(2).all(|pair| pair[0] < pair[1]), "{lightness:?}");
    }
}
