//! The integrated autocorrelation time: the number of steps after which a chain's values are effectively independent.
//!
//! Let rho(t) be the correlation of an observable with itself t steps later. The mean of N successive values has the
//! variance of the mean of N / tau independent values, where
//!
//! ```text
//! tau = 1 + 2 sum over t >= 1 of rho(t)
//! ```
//!
//! The sum ends at the first W with W >= 5 tau(W), where less than 1 % of an exponential decay is left; beyond W,
//! estimates of rho are noise (Sokal 1997, "Monte Carlo methods in statistical mechanics", section 3). Mean and
//! variance are taken over all chains together. So a chain that stays near its own mean counts as correlated for ever;
//! with a mean of its own it would seem to mix fast.

use alloc::vec;

/// The window is at least this many times tau.
const WINDOW: f64 = 5.0;
/// Fewest observations; half of them is the shortest window.
const FEWEST: usize = 10;
/// If the correlation of successive observations is below this, tau is shorter than the time between two observations.
const FORGOTTEN: f64 = 0.1;

/// An estimate of an autocorrelation time, or a bound on it.
///
/// ```
/// use equilibria::evaluate::autocorrelation::Time;
/// // 2, 2, 4, 4, ... around a mean of 3: a correlation of 0.9^lag has a time of (1 + 0.9) / (1 - 0.9) = 19.
/// let time = Time::integrated(1000, 1, |lag| 0.9_f64.powi(lag as i32));
/// assert!((time.steps - 19.0).abs() < 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Time {
    /// The time, in steps.
    pub steps: f64,
    /// The relation of the true time to [`Self::steps`].
    pub bound: Bound,
}

/// The relation of a true value to a stated number.
///
/// ```
/// use equilibria::evaluate::autocorrelation::{Bound, Time};
/// // The correlation has not fallen after 20 lags.
/// assert_eq!(Time::integrated(20, 1, |_| 1.0).bound, Bound::Above);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Bound {
    /// The value is the number.
    Equal,
    /// The value is larger than the number: the chains are too short to measure it.
    Above,
    /// The value is smaller than the number: the observations are too far apart to measure it.
    Below,
}

impl Time {
    /// Computes the time from a function that returns the correlation at a lag of 1, 2, ... observations.
    ///
    /// Lags go up to `longest`; two observations are `every` steps apart. If the window does not end by then, the
    /// result is [`Bound::Above`] a fifth of `longest`, the longest time that could have been measured.
    pub fn integrated(longest: usize, every: usize, mut correlation: impl FnMut(usize) -> f64) -> Self {
        let mut tau = 1.0;
        let scaled = |tau: f64, bound| Self { steps: tau * every as f64, bound };
        for lag in 1..=longest {
            let rho = correlation(lag);
            if lag == 1 && rho < FORGOTTEN && every > 1 {
                return scaled(1.0, Bound::Below);
            }
            tau += 2.0 * rho;
            if lag as f64 >= WINDOW * tau {
                // Gibbs chains are reversible, so never anticorrelated; a negative estimate becomes 0.
                return scaled(tau.max(0.0), Bound::Equal);
            }
        }
        scaled(longest as f64 / WINDOW, Bound::Above)
    }

    /// Computes the time of an observable of several chains, observed every `every` steps.
    ///
    /// Lags go up to half of the chains' length. `None` if the observable is constant, or if there are fewer than ten
    /// observations, too few for the shortest window.
    ///
    /// **Shapes** `values` (chains, observations): `observations` observations of each chain.
    ///
    /// **Panics** if the length of `values` is not a multiple of `observations`.
    ///
    /// **Accuracy and cost** Sums in f64; O(values x window).
    ///
    /// ```
    /// use equilibria::evaluate::autocorrelation::{Bound, Time};
    /// // Values that alternate are anticorrelated: the time is 0.
    /// let flips: Vec<f64> = (0..1000).map(|i| f64::from(i % 2)).collect();
    /// assert!(Time::of(&flips, 1000, 1).unwrap().steps < 0.01);
    /// assert_eq!(Time::of(&[3.0; 1000], 1000, 1), None);
    /// ```
    #[track_caller]
    pub fn of(values: &[f64], observations: usize, every: usize) -> Option<Self> {
        assert!(
            observations > 0 && values.len().is_multiple_of(observations),
            "{} values cannot be divided into chains of {observations} observations",
            values.len()
        );
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let mut centred = vec![0.0; values.len()];
        for (to, from) in centred.iter_mut().zip(values) {
            *to = from - mean;
        }
        let covariance = |lag: usize| {
            let products =
                centred.chunks_exact(observations).flat_map(|chain| chain.iter().zip(&chain[lag..]));
            let sum: f64 = products.map(|(now, later)| now * later).sum();
            sum / ((values.len() / observations) * (observations - lag)) as f64
        };
        let variance = covariance(0);
        // A variance this small is rounding error of the mean. A series that is not finite has no time either.
        if observations < FEWEST || !(variance > 1e-20 * mean * mean && variance.is_finite()) {
            return None;
        }
        Some(Self::integrated(observations / 2, every, |lag| covariance(lag) / variance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use alloc::vec::Vec;
    use equilibria_kernels::{Level, random};

    #[test]
    fn too_few_observations_give_no_time() {
        let values: Vec<f64> = (0..20).map(|i| f64::from(i * i % 7)).collect();
        assert_eq!(Time::of(&values[..9], 9, 1), None);
        assert!(Time::of(&values, 10, 1).is_some());
    }

    /// `chains` stationary chains x' = rho x + noise, `observations` observations each.
    fn autoregression(rho: f64, chains: usize, observations: usize, seed: u64) -> Vec<f64> {
        let mut values = Vec::new();
        for chain in 0..chains {
            let mut noise = vec![0.0; observations];
            let mut generator = Stream::named(seed, "chain").substream(chain as u64).bulk();
            random::fill_normal(Level::detect(), &mut generator, &mut noise);
            let mut x = noise[0] / libm::sqrt(1.0 - rho * rho);
            for noise in noise {
                values.push(x);
                x = rho * x + noise;
            }
        }
        values
    }

    #[test]
    fn an_autoregression_has_the_time_of_the_formula() {
        for rho in [0.0, 0.5, 0.9, 0.99] {
            let exact = (1.0 + rho) / (1.0 - rho);
            let found = Time::of(&autoregression(rho, 100, 4000, 3), 4000, 1).unwrap();
            assert_eq!(found.bound, Bound::Equal);
            // The window cuts off a share exp(-10) of the sum; the remaining error is statistical: tau sqrt(2 (2 W + 1)
            // / N).
            let error = exact * libm::sqrt(2.0 * (2.0 * WINDOW * exact + 1.0) / 400_000.0);
            assert!(
                (found.steps - exact).abs() < 4.0 * error,
                "rho {rho}: {found:?}, not {exact} +- {error}"
            );
            let other = 1.5 * exact;
            assert!((found.steps - other).abs() > 4.0 * error, "rho {rho}: the test accepts a wrong time");
        }
    }

    #[test]
    fn every_second_observation_gives_the_same_time() {
        let values = autoregression(0.95, 100, 4000, 4);
        let thin: Vec<f64> = values.iter().step_by(2).copied().collect();
        let (all, half) = (Time::of(&values, 4000, 1).unwrap(), Time::of(&thin, 2000, 2).unwrap());
        assert!((all.steps - half.steps).abs() < 0.02 * all.steps, "{all:?}, {half:?}");
        // Observations too far apart to measure tau = 39.
        let seldom: Vec<f64> = values.iter().step_by(100).copied().collect();
        let expected = Time { steps: 100.0, bound: Bound::Below };
        assert_eq!(Time::of(&seldom, 40, 100), Some(expected));
    }

    #[test]
    fn chains_that_are_too_short_or_stuck_give_lower_bounds() {
        // tau is 199.
        let short = Time::of(&autoregression(0.99, 100, 200, 5), 200, 1).unwrap();
        assert_eq!(short, Time { steps: 20.0, bound: Bound::Above });
        // Each chain moves fast around its own mean and never leaves it.
        let mut stuck = autoregression(0.0, 20, 400, 6);
        for (chain, values) in stuck.chunks_mut(400).enumerate() {
            values.iter_mut().for_each(|x| *x += 10.0 * (chain % 2) as f64);
        }
        let found = Time::of(&stuck, 400, 1).unwrap();
        assert_eq!(found, Time { steps: 40.0, bound: Bound::Above });
        // A single chain by itself seems fast.
        assert!(Time::of(&stuck[..400], 400, 1).unwrap().steps < 2.0);
    }

    #[test]
    fn a_two_state_chain_has_the_time_given_by_its_rates() {
        // Goes up with probability a and down with probability b: rho(t) = (1 - a - b)^t.
        let (a, b) = (0.1, 0.3);
        let mut values = Vec::new();
        for chain in 0..100 {
            let mut chances = vec![0.0_f64; 4000];
            let mut generator = Stream::named(7, "chain").substream(chain).bulk();
            random::fill_uniform(Level::detect(), &mut generator, &mut chances);
            let mut up = chances[0] < a / (a + b);
            for chance in chances {
                values.push(f64::from(up));
                up = if up { chance >= b } else { chance < a };
            }
        }
        let found = Time::of(&values, 4000, 1).unwrap();
        assert!((found.steps - 4.0).abs() < 0.1 && found.bound == Bound::Equal, "{found:?}");
    }
}
