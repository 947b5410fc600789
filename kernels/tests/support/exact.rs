//! The elementary functions with about 100 bits, as unevaluated sums of two `f64`.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `high + low`, with `low` at most half an ULP of `high`.
#[derive(Clone, Copy, Debug)]
pub struct Double {
    pub high: f64,
    pub low: f64,
}

/// The exact sum, where |a| >= |b|.
fn fast_sum(a: f64, b: f64) -> Double {
    let high = a + b;
    Double { high, low: b - (high - a) }
}

/// The exact sum (Knuth).
fn exact_sum(a: f64, b: f64) -> Double {
    let high = a + b;
    let b_part = high - a;
    Double { high, low: (a - (high - b_part)) + (b - b_part) }
}

impl From<f64> for Double {
    fn from(high: f64) -> Self {
        Self { high, low: 0.0 }
    }
}

impl Add for Double {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let (high, low) = (exact_sum(self.high, other.high), exact_sum(self.low, other.low));
        let sum = fast_sum(high.high, high.low + low.high);
        fast_sum(sum.high, sum.low + low.low)
    }
}

impl Neg for Double {
    type Output = Self;
    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

impl Sub for Double {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for Double {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let high = self.high * other.high;
        let low = self.high.mul_add(other.high, -high);
        fast_sum(high, low + (self.high * other.low + self.low * other.high))
    }
}

impl Div for Double {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let first = Self::from(self.high / other.high);
        let rest = self - first * other;
        let second = Self::from(rest.high / other.high);
        let rest = rest - second * other;
        first + second + Self::from(rest.high / other.high)
    }
}

const LN_2: Double = Double { high: std::f64::consts::LN_2, low: 2.319_046_813_846_299_6e-17 };

/// `value * 2^exponent`, so that results beyond the range of `f64` keep their digits.
#[derive(Clone, Copy, Debug)]
pub struct Scaled {
    pub value: Double,
    pub exponent: i32,
}

impl From<Double> for Scaled {
    fn from(value: Double) -> Self {
        Self { value, exponent: 0 }
    }
}

impl Scaled {
    /// The distance from `y` in units of the last place of `self` as an `f64`.
    pub fn ulp_from(self, y: f64) -> f64 {
        // 2^-exponent as two factors that are normal numbers; y may be denormal, the product is not.
        let half = self.exponent / 2;
        let y = y * power(-half) * power(half - self.exponent);
        let place = (self.value.high.abs().to_bits() >> 52) as i32 - 1023;
        let last = (place + self.exponent - 52).max(-1074) - self.exponent;
        (Double::from(y) - self.value).high.abs() * power(-last)
    }

    /// Returns whether this rounds to an infinity.
    pub fn overflows(self) -> bool {
        let half = self.exponent / 2;
        (self.value.high * power(half) * power(self.exponent - half)).is_infinite()
    }
}

fn power(n: i32) -> f64 {
    f64::from_bits(u64::try_from(n + 1023).expect("a normal power of 2") << 52)
}

/// e^x - 1 for |x| < 1.
fn expm1_small(x: Double) -> Double {
    // Taylor series at x / 64, then (1 + m)^2 - 1 = m (2 + m) six times.
    let x = x * (1.0 / 64.0).into();
    let mut term = x;
    let mut sum = x;
    for n in 2..14 {
        term = term * x / f64::from(n).into();
        sum = sum + term;
    }
    for _ in 0..6 {
        sum = sum * (sum + 2.0.into());
    }
    sum
}

/// e^x as 2^n (1 + m): n and m.
fn exp_parts(x: Double) -> (i32, Double) {
    let n = (x.high / std::f64::consts::LN_2).round();
    (n as i32, expm1_small(x - Double::from(n) * LN_2))
}

/// e^x.
pub fn exp(x: f64) -> Scaled {
    let (exponent, m) = exp_parts(x.into());
    Scaled { value: m + 1.0.into(), exponent }
}

/// ln(1 + x) for -1/2 < x < 2.
fn ln_1p(x: Double) -> Double {
    let first = Double::from(x.high.ln_1p());
    // 1 + x = e^first (1 + d) with a tiny d.
    let (n, m) = exp_parts(first);
    let scale = Double::from(power(n));
    let m = m * scale + (scale - 1.0.into());
    let d = (x - m) / (m + 1.0.into());
    first + d - d * d * 0.5.into()
}

/// ln x, x > 0.
pub fn ln(x: f64) -> Scaled {
    let (x, moved) = if x < f64::MIN_POSITIVE { (x * power(54), 54) } else { (x, 0) };
    let mut exponent = (x.to_bits() >> 52) as i32 - 1023;
    let mut fraction =
        f64::from_bits(x.to_bits() & (power(0).to_bits() - 1) & !(0x7ff << 52) | power(0).to_bits());
    if fraction > std::f64::consts::SQRT_2 {
        fraction *= 0.5;
        exponent += 1;
    }
    (Double::from(f64::from(exponent - moved)) * LN_2 + ln_1p((fraction - 1.0).into())).into()
}

/// ln(1 + e^-x), x >= 0.
fn ln_tail(x: f64) -> Scaled {
    let e = exp(-x);
    // ln(1 + e) = e beyond 100 bits.
    if e.exponent < -110 { e } else { ln_1p(e.value * power(e.exponent).into()).into() }
}

/// 1 / (1 + e^-x).
pub fn sigmoid(x: f64) -> Scaled {
    let Scaled { value, exponent } = exp(-x.abs());
    let e = if exponent < -110 { 0.0.into() } else { value * power(exponent).into() };
    let denominator = e + 1.0.into();
    if x < 0.0 {
        Scaled { value: value / denominator, exponent }
    } else {
        (Double::from(1.0) / denominator).into()
    }
}

/// ln(1 + e^x).
pub fn softplus(x: f64) -> Scaled {
    let tail = ln_tail(x.abs());
    match x > 0.0 {
        true if tail.exponent < 0 => Double::from(x).into(), // beyond 100 bits
        true => (tail.value + x.into()).into(),
        false => tail,
    }
}

/// -ln(1 + e^-x).
pub fn log_sigmoid(x: f64) -> Scaled {
    let Scaled { value, exponent } = softplus(-x);
    Scaled { value: -value, exponent }
}

/// tanh x.
pub fn tanh(x: f64) -> Scaled {
    if x.abs() < 1e-30 {
        // The next term is beyond 100 bits. The value is scaled up, so that denormal numbers keep their digits.
        return Scaled { value: (x * power(600)).into(), exponent: -600 };
    }
    let (n, m) = exp_parts((-2.0 * x.abs().min(50.0)).into());
    let scale = Double::from(power(n));
    let m = m * scale + (scale - 1.0.into());
    let y = -m / (m + 2.0.into());
    if x < 0.0 { (-y).into() } else { y.into() }
}
