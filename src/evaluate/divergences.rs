//! Divergences between P = N(0, 1), the data, and Q = N(τ, σ²), a generator whose only parameter is its shift τ.
//!
//! With p and q the densities, m = (p + q) / 2 and s = |σ - 1|:
//!
//! ```text
//! KL(P || Q)  = ln σ + (1 + τ²) / 2σ² - 1/2                d/dτ = τ / σ²
//! JS          = KL(P || M) / 2 + KL(Q || M) / 2 <= ln 2    d/dτ = 1/2 ∫ q (x - τ) / σ² ln(q / m) dx
//! TV          = 1/2 ∫ |p - q| dx <= 1                      d/dτ = 1/2 ∫ sign(q - p) dq/dτ dx
//! W₁          = E |τ + s Z| = s √(2/π) e^(-τ²/2s²) + τ erf(τ / s√2)      d/dτ = erf(τ / s√2)
//! W₂          = √(τ² + s²)                                 d/dτ = τ / W₂
//! ```
//!
//! On the line the optimal plan moves the quantile z of P to the quantile τ + σ z of Q, from which W₁ and W₂ follow. JS is
//! a quadrature; all others are closed forms, TV from the points where the densities cross. Far away, JS and TV reach their
//! ceilings and their gradients vanish like e^(-τ²/8). The gradients of W₁ and W₂ stay at 1.

use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;
use core::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LN_2, PI};
use core::fmt;
use core::ops::RangeInclusive;

/// Range of the shift, of either sign.
pub(crate) const SHIFTS: RangeInclusive<f64> = 0.0..=1000.0;

/// Range of the standard deviation.
pub const DEVIATIONS: RangeInclusive<f64> = 0.01..=100.0;

/// Tails beyond this many standard deviations are left out: e^-72 of the density's peak.
const REACH: f64 = 12.0;

/// Points of the quadrature per standard deviation. The trapezoidal rule converges exponentially for these integrands.
const POINTS: f64 = 32.0;

/// A divergence between two distributions.
///
/// ```
/// use equilibria::evaluate::divergences::Divergence;
/// // Of two unit Gaussians at a distance of 2.
/// let found = Divergence::KullbackLeibler.of_shift(2.0, 1.0)?;
/// assert!((found.value - 2.0).abs() < 1e-6);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Divergence {
    /// KL(P || Q), which maximum likelihood minimises.
    KullbackLeibler,
    /// JS(P, Q), which the generator of a standard GAN minimises against a perfect discriminator.
    JensenShannon,
    /// TV(P, Q), half the L1 distance of the densities.
    TotalVariation,
    /// W₁(P, Q), which the generator of a Wasserstein GAN minimises against a perfect critic.
    Wasserstein1,
    /// W₂(P, Q).
    Wasserstein2,
}

/// A divergence and its derivative with respect to the shift.
///
/// ```
/// use equilibria::evaluate::divergences::Divergence;
/// // Far apart, the Jensen-Shannon divergence is ln 2, and its gradient vanishes.
/// let found = Divergence::JensenShannon.of_shift(20.0, 1.0)?;
/// assert!((found.value - 2_f64.ln()).abs() < 1e-6 && found.gradient.abs() < 1e-6);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct ShiftDivergence {
    /// The divergence: in nats (KL, JS), between 0 and 1 (TV), or in the unit of x (W₁, W₂).
    pub value: f64,
    /// Its derivative with respect to τ; 0 at a kink.
    pub gradient: f64,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::KullbackLeibler => "KL",
            Self::JensenShannon => "JS",
            Self::TotalVariation => "TV",
            Self::Wasserstein1 => "W₁",
            Self::Wasserstein2 => "W₂",
        })
    }
}

impl Divergence {
    /// All divergences.
    pub const ALL: [Self; 5] = [
        Self::KullbackLeibler,
        Self::JensenShannon,
        Self::TotalVariation,
        Self::Wasserstein1,
        Self::Wasserstein2,
    ];

    /// The divergence of N(τ, σ²) from N(0, 1), and its derivative with respect to τ.
    ///
    /// **Errors** [`Error::InvalidArgument`] if |τ| is above 1000 or σ is outside [`DEVIATIONS`].
    ///
    /// **Accuracy and cost** 1e-14 of the value plus 1e-15 for closed forms; JS to 1e-13, with up to 10^7 points for
    /// extreme arguments and about 1000 otherwise.
    ///
    /// **Source** Arjovsky, Chintala & Bottou 2017, section 2. Checked by `tests/divergences.rs`.
    ///
    /// ```
    /// use equilibria::evaluate::divergences::Divergence;
    /// let far = Divergence::JensenShannon.of_shift(8.0, 1.0)?;
    /// assert!((far.value - core::f64::consts::LN_2).abs() < 1e-3 && far.gradient < 1e-3);
    /// assert_eq!(Divergence::Wasserstein1.of_shift(8.0, 1.0)?.gradient, 1.0);
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    pub fn of_shift(self, shift: f64, deviation: f64) -> Result<ShiftDivergence> {
        check("shift", shift.abs(), SHIFTS)?;
        check("standard deviation", deviation, DEVIATIONS)?;
        let (value, gradient) = match self {
            Self::KullbackLeibler => {
                let precision = 1.0 / (deviation * deviation);
                let value = libm::log(deviation) + 0.5 * (1.0 + shift * shift) * precision - 0.5;
                (value, shift * precision)
            }
            Self::JensenShannon => jensen_shannon(shift, deviation),
            Self::TotalVariation => total_variation(shift, deviation),
            Self::Wasserstein1 => {
                let spread = (deviation - 1.0).abs();
                if spread == 0.0 {
                    (shift.abs(), shift.signum())
                } else {
                    let z = shift / spread;
                    let at_zero = spread * FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * libm::exp(-0.5 * z * z);
                    let gradient = libm::erf(z * FRAC_1_SQRT_2);
                    (at_zero + shift * gradient, gradient)
                }
            }
            Self::Wasserstein2 => {
                let value = libm::hypot(shift, deviation - 1.0);
                (value, shift / value)
            }
        };
        // Even functions of τ: rounding errors alone differ from 0 at 0.
        Ok(ShiftDivergence { value: value.max(0.0), gradient: if shift == 0.0 { 0.0 } else { gradient } })
    }
}

/// The shift after each step of gradient descent, from `start` on: `steps` + 1 numbers, or fewer if it diverges.
///
/// ```text
/// τ <- τ - rate dD/dτ
/// ```
///
/// A path ends before the step at which |τ| would exceed 1000. On KL the descent diverges if rate / σ² > 2.
///
/// **Errors** [`Error::InvalidArgument`] if the rate is not positive and finite, or as [`Divergence::of_shift`] at the
/// start.
///
/// ```
/// use equilibria::evaluate::divergences::{Divergence, descend};
/// // The derivative of W₁ is 1 at any distance.
/// assert_eq!(descend(Divergence::Wasserstein1, 1.0, 1.0, 0.25, 3)?, [1.0, 0.75, 0.5, 0.25]);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn descend(
    divergence: Divergence,
    start: f64,
    deviation: f64,
    rate: f64,
    steps: usize,
) -> Result<Vec<f64>> {
    if !(rate > 0.0 && rate.is_finite()) {
        return Err(Error::invalid(format!("a learning rate of {rate}"), "it is positive and finite"));
    }
    let mut shift = start;
    let mut path = Vec::with_capacity(steps + 1);
    path.push(shift);
    for _ in 0..steps {
        shift -= rate * divergence.of_shift(shift, deviation)?.gradient;
        if !SHIFTS.contains(&shift.abs()) {
            break;
        }
        path.push(shift);
    }
    Ok(path)
}

fn check(what: &str, value: f64, range: RangeInclusive<f64>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let expected = format!("it must lie between {} and {}", range.start(), range.end());
    Err(Error::invalid(format!("a {what} of {value}"), expected))
}

fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

/// ln of the density of N(mean, deviation²).
fn log_density(x: f64, mean: f64, deviation: f64) -> f64 {
    let z = (x - mean) / deviation;
    -0.5 * z * z - libm::log(deviation) - 0.5 * libm::log(2.0 * PI)
}

/// ln(1 + e^x)
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

/// With ln(q / m) = ln 2 - softplus(ln p - ln q):
///
/// ```text
/// JS       = ln 2 - 1/2 ∫ p softplus(ln q - ln p) + q softplus(ln p - ln q) dx
/// d/dτ JS  = -1/2 ∫ q (x - τ) / σ² softplus(ln p - ln q) dx
/// ```
fn jensen_shannon(shift: f64, deviation: f64) -> (f64, f64) {
    let reach = REACH * deviation;
    let (low, high) = ((-REACH).min(shift - reach), REACH.max(shift + reach));
    let intervals = libm::ceil((high - low) * POINTS / deviation.min(1.0));
    let step = (high - low) / intervals;
    let (mut overlap, mut slope) = (0.0, 0.0);
    for i in 0..=intervals as usize {
        let x = low + step * i as f64;
        let (p, q) = (log_density(x, 0.0, 1.0), log_density(x, shift, deviation));
        let (of_p, of_q) = (libm::exp(p) * softplus(q - p), libm::exp(q) * softplus(p - q));
        overlap += of_p + of_q;
        slope += of_q * (x - shift);
    }
    (LN_2 - 0.5 * step * overlap, -0.5 * step * slope / (deviation * deviation))
}

/// Between the points where the densities cross, the sign of q - p is constant. An interval (a, b) contributes
///
/// ```text
/// to 2 TV:       |∫ q - ∫ p|                      (differences of cumulative distributions)
/// to 2 dTV/dτ:   sign(q - p) (q(a) - q(b))        (since dq/dτ = -dq/dx)
/// ```
fn total_variation(shift: f64, deviation: f64) -> (f64, f64) {
    let edges = crossings(shift, deviation);
    let density = |x: f64| libm::exp(log_density(x, shift, deviation));
    let (mut value, mut gradient) = (0.0, 0.0);
    for edge in edges.windows(2) {
        let (a, b) = (edge[0], edge[1]);
        let excess = mass((a - shift) / deviation, (b - shift) / deviation) - mass(a, b);
        value += 0.5 * excess.abs();
        gradient += 0.5 * sign(excess) * (density(a) - density(b));
    }
    (value, gradient)
}

/// The mass of N(0, 1) between a and b, without cancellation in a tail.
fn mass(a: f64, b: f64) -> f64 {
    let beyond = |x: f64| 0.5 * libm::erfc(x * FRAC_1_SQRT_2);
    if a > 0.0 { beyond(a) - beyond(b) } else { beyond(-b) - beyond(-a) }
}

/// The points where the densities are equal, between minus and plus infinity. They solve
///
/// ```text
/// (σ² - 1) x² + 2 τ x - τ² - 2 σ² ln σ = 0
/// ```
fn crossings(shift: f64, deviation: f64) -> Vec<f64> {
    let variance = deviation * deviation;
    let (a, half_b) = (variance - 1.0, shift);
    let c = -shift * shift - 2.0 * variance * libm::log(deviation);
    let mut edges = Vec::from([f64::NEG_INFINITY, f64::INFINITY]);
    if a == 0.0 {
        if shift != 0.0 {
            edges.push(0.5 * shift);
        }
    } else {
        // The discriminant is σ² (τ² + 2 (σ² - 1) ln σ): positive. The sum avoids cancellation.
        let root = deviation * libm::sqrt(shift * shift + 2.0 * a * libm::log(deviation));
        let sum = -(half_b + if half_b < 0.0 { -root } else { root });
        edges.extend([sum / a, c / sum]);
    }
    edges.sort_by(f64::total_cmp);
    edges
}
