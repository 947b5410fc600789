//! Spaces in which distances of colours are measured.
//!
//! ```text
//! sRGB      the encoded values of a file
//! linear    l = s / 12.92 up to s = 0.04045, ((s + 0.055) / 1.055)^2.4 above: proportional to light
//! OKLab     (L, a, b) = N cbrt(M l): distances are roughly those that people see (Ottosson 2020)
//! ```
//!
//! M adapts linear red, green and blue to the three kinds of cones; N forms lightness and two opponent colours.

use super::finish::LUMA;
use equilibria_kernels::array;

/// A space in which distances of colours are measured.
///
/// ```
/// use equilibria::transport::colour::ColourSpace;
/// let [lightness, a, b] = ColourSpace::OkLab.from_srgb([1.0, 1.0, 1.0]);
/// assert!((lightness - 1.0).abs() < 1e-3 && a.abs() < 1e-3 && b.abs() < 1e-3, "white has no hue");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColourSpace {
    /// The encoded values of a file.
    Srgb,
    /// Amounts of red, green and blue light.
    Linear,
    /// Lightness and two opponent colours, with distances close to perceived ones.
    OkLab,
}

/// Linear red, green and blue to the cones, and the inverse.
const CONES: [[f64; 3]; 3] = [
    [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
    [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
    [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
];
const FROM_CONES: [[f64; 3]; 3] = [
    [4.076_741_662_1, -3.307_711_591_3, 0.230_969_929_2],
    [-1.268_438_004_6, 2.609_757_401_1, -0.341_319_396_5],
    [-0.004_196_086_3, -0.703_418_614_7, 1.707_614_701_0],
];

/// Cube roots of the cones to lightness and opponent colours, and the inverse.
const OPPONENTS: [[f64; 3]; 3] = [
    [0.210_454_255_3, 0.793_617_785_0, -0.004_072_046_8],
    [1.977_998_495_1, -2.428_592_205_0, 0.450_593_709_9],
    [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766_0],
];
const FROM_OPPONENTS: [[f64; 3]; 3] = [
    [1.0, 0.396_337_777_4, 0.215_803_757_3],
    [1.0, -0.105_561_345_8, -0.063_854_172_8],
    [1.0, -0.089_484_177_5, -1.291_485_548_0],
];

impl ColourSpace {
    /// All spaces.
    pub const ALL: [Self; 3] = [Self::Srgb, Self::Linear, Self::OkLab];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Srgb => "srgb",
            Self::Linear => "linear",
            Self::OkLab => "oklab",
        }
    }

    /// Converts an sRGB-encoded colour to this space.
    ///
    /// ```
    /// use equilibria::transport::colour::ColourSpace;
    /// let [lightness, a, b] = ColourSpace::OkLab.from_srgb([1.0, 1.0, 1.0]);
    /// assert!((lightness - 1.0).abs() < 1e-6 && a.abs() < 1e-6 && b.abs() < 1e-6);
    /// ```
    #[allow(clippy::wrong_self_convention)] // the space is the receiver, the colour is what is converted
    pub fn from_srgb(self, colour: [f64; 3]) -> [f64; 3] {
        match self {
            Self::Srgb => colour,
            Self::Linear => colour.map(decoded),
            Self::OkLab => product(&OPPONENTS, product(&CONES, colour.map(decoded)).map(libm::cbrt)),
        }
    }

    /// Multiplies the lightness of a colour of this space by `factor`, and keeps its chroma: the luma, the luminance, or L.
    pub(super) fn stretched(self, mut colour: [f64; 3], factor: f64) -> [f64; 3] {
        match self {
            Self::Srgb | Self::Linear => {
                let light: f64 = LUMA.iter().zip(colour).map(|(&weight, x)| f64::from(weight) * x).sum();
                colour.map(|x| x + (factor - 1.0) * light)
            }
            Self::OkLab => {
                colour[0] *= factor;
                colour
            }
        }
    }

    /// Converts a colour of this space to sRGB-encoded values, which are outside 0 to 1 for a colour that no display shows.
    pub fn to_srgb(self, colour: [f64; 3]) -> [f64; 3] {
        match self {
            Self::Srgb => colour,
            Self::Linear => colour.map(encoded),
            Self::OkLab => {
                let cones = product(&FROM_OPPONENTS, colour).map(|x| x * x * x);
                product(&FROM_CONES, cones).map(encoded)
            }
        }
    }
}

fn product(matrix: &[[f64; 3]; 3], x: [f64; 3]) -> [f64; 3] {
    array(|k| matrix[k][0] * x[0] + matrix[k][1] * x[1] + matrix[k][2] * x[2])
}

/// The light of an encoded value; odd, so that values outside 0 to 1 are defined.
fn decoded(value: f64) -> f64 {
    let size = value.abs();
    let light = if size <= 0.04045 { size / 12.92 } else { libm::pow((size + 0.055) / 1.055, 2.4) };
    libm::copysign(light, value)
}

/// The inverse of [`decoded`].
fn encoded(light: f64) -> f64 {
    let size = light.abs();
    let value = if size <= 0.003_130_8 { 12.92 * size } else { 1.055 * libm::pow(size, 1.0 / 2.4) - 0.055 };
    libm::copysign(value, light)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_space_converts_there_and_back() {
        for space in ColourSpace::ALL {
            for code in 0..125 {
                let colour = [code / 25, code / 5 % 5, code % 5].map(|x| f64::from(x) / 4.0);
                let back = space.to_srgb(space.from_srgb(colour));
                let error = colour.iter().zip(back).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
                assert!(error < 2e-6, "{space:?}: {colour:?} becomes {back:?}");
            }
        }
        // A grey is its lightness, and a stretch keeps the differences of channels.
        for space in [ColourSpace::Srgb, ColourSpace::Linear] {
            let found = space.stretched([0.5, 0.4, 0.3], 3.0);
            let luma = |c: [f64; 3]| 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
            assert!((luma(found) - 3.0 * luma([0.5, 0.4, 0.3])).abs() < 1e-7, "{found:?}");
            assert!((found[0] - found[1] - 0.1).abs() < 1e-7 && (found[1] - found[2] - 0.1).abs() < 1e-7);
        }
        assert_eq!(ColourSpace::OkLab.stretched([0.5, 0.1, -0.1], 3.0), [1.5, 0.1, -0.1]);
        // Published values: red is (0.62796, 0.22486, 0.12585).
        let red = ColourSpace::OkLab.from_srgb([1.0, 0.0, 0.0]);
        let error = red.iter().zip([0.62796, 0.22486, 0.12585]).map(|(x, y)| (x - y).abs());
        assert!(error.fold(0.0, f64::max) < 1e-5, "{red:?}");
    }
}
