//! The last step for each pixel: luma lock, gamut compression, strength.
//!
//! The *luma* of an encoded colour c is Y = w · c with the weights w of Rec. 709, which add up to 1. Adding the same number to
//! red, green and blue shifts the luma by that number, and mixing c with the grey of its luma keeps it:
//!
//! ```text
//! c(r) = Y + (r / R) (c - Y),    R = max over channels of (c - Y) / (1 - Y) if c > Y, (Y - c) / Y if c < Y
//! ```
//!
//! R is the *reach*: the colour is displayable if R <= 1. A reach above the knee k is compressed with slope 1 at k,
//!
//! ```text
//! r = k + (1 - k) x / (1 + x),    x = (R - k) / (1 - k)
//! ```
//!
//! so that different colours stay different, where clipping would give them one value and another hue. The knee is at least the
//! reach of the pixel before the transfer: an image that does not change is not compressed.

use equilibria_kernels::array;

/// The knee of the compression.
const KNEE: f32 = 0.96;

/// The weights of red, green and blue in the luma (Rec. 709).
pub(super) const LUMA: [f32; 3] = [0.2126, 0.7152, 0.0722];

/// The luma of an encoded colour.
pub(super) fn luma(colour: [f32; 3]) -> f32 {
    LUMA[0] * colour[0] + LUMA[1] * colour[1] + LUMA[2] * colour[2]
}

/// The treatment of each pixel after its colour has moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Finish {
    pub keep_luminance: bool,
    /// Clips instead of compressing, as the report did.
    pub clip: bool,
}

impl Finish {
    /// The final colour of a pixel: `share` of the way from its source colour to the moved one.
    #[inline]
    pub fn pixel(self, source: [f32; 3], mut moved: [f32; 3], share: f32) -> [f32; 3] {
        if self.keep_luminance {
            let shift = luma(source) - luma(moved);
            moved = array(|i| moved[i] + shift);
        }
        if !self.clip {
            moved = compressed(source, moved);
        }
        array(|i| (source[i] + share * (moved[i] - source[i])).clamp(0.0, 1.0))
    }
}

/// The distance of a colour from the grey of its luma, relative to the largest distance that is displayable.
fn reach(colour: [f32; 3], luma: f32) -> f32 {
    // A colour without chroma has reach 0, also where a bound is 0.
    let of = |x: f32| {
        if x > luma {
            (x - luma) / (1.0 - luma)
        } else if x < luma {
            (luma - x) / luma
        } else {
            0.0
        }
    };
    of(colour[0]).max(of(colour[1])).max(of(colour[2]))
}

#[inline]
fn compressed(source: [f32; 3], moved: [f32; 3]) -> [f32; 3] {
    let is_inside = |low: f32, high: f32| moved.iter().all(|x| (low..=high).contains(x));
    // Inside this cube no reach exceeds the knee: a channel at distance 1 - k from a bound of size 1 or less.
    if is_inside(1.0 - KNEE, KNEE) {
        return moved;
    }
    let grey = luma(moved);
    let bounded = grey.clamp(0.0, 1.0);
    let chroma: [f32; 3] = array(|i| moved[i] - grey);
    let found = reach(array(|i| chroma[i] + bounded), bounded);
    let knee = KNEE.max(reach(source, luma(source)).min(1.0));
    if found <= knee {
        return if bounded == grey { moved } else { array(|i| chroma[i] + bounded) };
    }
    let allowed = if found.is_finite() && knee < 1.0 {
        let excess = (found - knee) / (1.0 - knee);
        knee + (1.0 - knee) * excess / (1.0 + excess)
    } else {
        1.0
    };
    let scale = if found.is_finite() { allowed / found } else { 0.0 };
    array(|i| bounded + scale * chroma[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINISH: Finish = Finish { keep_luminance: false, clip: false };

    #[test]
    fn compression_keeps_luma_and_order_and_gives_displayable_colours() {
        let source = [0.5, 0.5, 0.5];
        let mut last = -1.0;
        for step in 0..200 {
            // A direction without luma.
            let length = 0.005 * step as f32;
            let moved = [0.5 + length, 0.5 - 0.2 * length, 0.5 - 0.963_4 * length];
            let found = FINISH.pixel(source, moved, 1.0);
            assert!(found.iter().all(|x| (0.0..=1.0).contains(x)), "{moved:?} becomes {found:?}");
            assert!((luma(found) - luma(moved)).abs() < 1e-6, "{moved:?} becomes {found:?}");
            assert!(found[0] - found[2] > last, "{moved:?} is compressed to the colour before it");
            last = found[0] - found[2];
        }
        assert!(last > 0.9, "the chroma {last} of the last colour");
    }

    #[test]
    fn black_white_and_unchanged_colours_stay() {
        for code in 0..125 {
            let colour = [code / 25, code / 5 % 5, code % 5].map(|x| x as f32 / 4.0);
            let found = FINISH.pixel(colour, colour, 1.0);
            let error = colour.iter().zip(found).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(error < 1e-6, "{colour:?} becomes {found:?}");
        }
        for (bright, ends) in [(-0.2, 0.0), (1.3, 1.0)] {
            assert_eq!(FINISH.pixel([0.5; 3], [bright; 3], 1.0), [ends; 3]);
        }
        let locked = Finish { keep_luminance: true, ..FINISH };
        for end in [0.0, 1.0] {
            let found = locked.pixel([end; 3], [0.9, 0.2, 0.3], 1.0);
            assert!(found.iter().all(|x| (x - end).abs() < 1e-6), "{end} becomes {found:?}");
        }
    }
}
