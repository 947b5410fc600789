//! Constants of `f32` and `f64` for the kernels, above all for the elementary functions.
//!
//! The polynomials are minimax fits (Remez exchange, coefficients rounded to the type). They are weighted so that the
//! stated error is relative to the function that they approximate.

/// The constants of one scalar type. Not public: it seals [`crate::Scalar`].
pub trait Constants: Sized + 'static {
    /// 1.5 * 2^(fraction bits) + exponent bias. Adding it rounds `n` to an integer and leaves `n + bias` in the low
    /// bits; shifting the sum into the exponent then gives 2^n.
    const ROUND: Self;
    /// 2^(fraction bits). An integer placed in the fraction bits of this number is added to its value.
    const INTEGER: Self;
    /// `INTEGER` + exponent bias.
    const INTEGER_BIASED: Self;
    /// Mask of the fraction bits.
    const FRACTION: Self;
    /// The smallest normal number.
    const SMALLEST_NORMAL: Self;
    /// A power of two that scales every denormal number to a normal one, and its exponent + `INTEGER_BIASED`.
    const NORMALISE: (Self, Self);
    const INFINITY: Self;
    /// The smallest finite number.
    const LOWEST: Self;
    const NAN: Self;
    const LOG2_E: Self;
    const SQRT_2: Self;
    /// ln 2 as a sum of two parts. The first has so few bits that its product with any exponent is exact.
    const LN_2: (Self, Self);
    /// exp is 0 at and below the first and infinite at and above the second.
    const EXP_RANGE: (Self, Self);
    /// The logarithm of the smallest normal number, rounded up.
    const LN_SMALLEST_NORMAL: Self;
    /// 1 - tanh is less than half an ULP at and above half of this.
    const TANH_RANGE: Self;
    /// q in e^r - 1 = r + r^2 q(r), |r| <= ln 2 / 2: within 0.12 ULP of e^r - 1. Lowest power first.
    const EXP: &'static [Self];
    /// q in 2 artanh(s) = 2 s + s z q(z), z = s^2, |s| <= 3 - 2 sqrt 2: within 0.01 ULP. Lowest power first.
    const LN: &'static [Self];
}

impl Constants for f32 {
    const ROUND: f32 = 12_583_039.0;
    const INTEGER: f32 = 8_388_608.0;
    const INTEGER_BIASED: f32 = 8_388_735.0;
    const FRACTION: f32 = f32::from_bits(0x007f_ffff);
    const SMALLEST_NORMAL: f32 = f32::MIN_POSITIVE;
    const NORMALISE: (f32, f32) = (16_777_216.0, 8_388_735.0 + 24.0);
    const INFINITY: f32 = f32::INFINITY;
    const LOWEST: f32 = f32::MIN;
    const NAN: f32 = f32::NAN;
    const LOG2_E: f32 = core::f32::consts::LOG2_E;
    const SQRT_2: f32 = core::f32::consts::SQRT_2;
    const LN_2: (f32, f32) = (0.693_145_75, 1.428_606_8e-6);
    const EXP_RANGE: (f32, f32) = (-104.0, 89.0);
    const LN_SMALLEST_NORMAL: f32 = -87.336_54;
    const TANH_RANGE: f32 = 20.0;
    const EXP: &[f32] = &[0.499_999_97, 0.166_665_43, 0.041_667_2, 0.008_366_534_5, 0.001_388_251_8];
    const LN: &[f32] = &[0.666_667_76, 0.399_775_4, 0.298_718_4];
}

impl Constants for f64 {
    const ROUND: f64 = 6_755_399_441_056_767.0;
    const INTEGER: f64 = 4_503_599_627_370_496.0;
    const INTEGER_BIASED: f64 = 4_503_599_627_371_519.0;
    const FRACTION: f64 = f64::from_bits(0x000f_ffff_ffff_ffff);
    const SMALLEST_NORMAL: f64 = f64::MIN_POSITIVE;
    const NORMALISE: (f64, f64) = (18_014_398_509_481_984.0, 4_503_599_627_371_519.0 + 54.0);
    const INFINITY: f64 = f64::INFINITY;
    const LOWEST: f64 = f64::MIN;
    const NAN: f64 = f64::NAN;
    const LOG2_E: f64 = core::f64::consts::LOG2_E;
    const SQRT_2: f64 = core::f64::consts::SQRT_2;
    const LN_2: (f64, f64) = (0.693_147_180_559_208_2, 7.371_002_565_167_799e-13);
    const EXP_RANGE: (f64, f64) = (-746.0, 710.0);
    const LN_SMALLEST_NORMAL: f64 = -708.396_418_532_264;
    const TANH_RANGE: f64 = 40.0;
    const EXP: &[f64] = &[
        0.5000000000000006,
        0.16666666666666588,
        0.041666666666576604,
        0.008333333333389639,
        0.0013888888931617512,
        0.0001984126971887127,
        2.4801505206261972e-05,
        2.7557407599713336e-06,
        2.762606620868791e-07,
        2.5053781189166727e-08,
    ];
    const LN: &[f64] = &[
        0.6666666666666734,
        0.39999999999414376,
        0.28571428742460575,
        0.22222198565094708,
        0.18183564776276845,
        0.15314038309786393,
        0.1479607915211613,
    ];
}
