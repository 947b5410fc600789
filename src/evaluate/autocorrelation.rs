//! How many steps of a chain it takes to draw anew: the integrated autocorrelation time.
//!
//! With rho(t) the correlation of an observable with itself t steps later, the mean of N successive values has the
//! variance of N / tau independent ones:
//!
//! ```text
//! tau = 1 + 2 sum over t >= 1 of rho(t)
//! ```
//!
//! The sum ends at the first W with W >= 5 tau(W), where less than a hundredth of an exponential decay is left; farther
//! out, an estimate is noise (Sokal 1997, "Monte Carlo methods in statistical mechanics", section 3). Mean and variance
//! are those of all chains together: a chain that never leaves its place then counts as correlated for ever, where its
//! own mean would make it look as if it moved fast.

use alloc::vec;

/// The window is so many times tau.
const WINDOW: f64 = 5.0;
/// Looks of which half are as long as the shortest window.
const FEWEST: usize = 10;
/// A correlation below this after one look says that tau is shorter than the time between two looks.
const FORGOTTEN: f64 = 0.1;

/// What is known of an autocorrelation time.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Time {
    /// Steps.
    pub steps: f64,
    /// Whether this is the time or a bound of it.
    pub bound: Bound,
}

/// On which side of a number something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Bound {
    /// It is the number.
    Equal,
    /// The chains are too short to see more.
    Above,
    /// The chains were looked at too seldom to see less.
    Below,
}

impl Time {
    /// From the correlation after 1, 2, ... looks, asked for up to `longest`; `every` steps lie between two looks.
    ///
    /// Where the window does not end by then, the time is [`Bound::Above`] a fifth of `longest`: the longest that could
    /// have been told.
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
                // Gibbs chains, there and back, are never anticorrelated; what is has no negative time either.
                return scaled(tau.max(0.0), Bound::Equal);
            }
        }
        scaled(longest as f64 / WINDOW, Bound::Above)
    }

    /// The time of an observable that was looked at in several chains, `every` steps apart; lags up to half of the
    /// chains' length are used. `None` if it never changes, or there are fewer than ten looks, within which no window ends.
    ///
    /// **Shapes** `values` (chains, looks).
    /// **Panics** if `values` is not whole chains of `looks` looks.
    /// **Accuracy and cost** Sums in f64; O(values times the window).
    ///
    /// ```
    /// use equilibria::evaluate::autocorrelation::{Bound, Time};
    /// // A coin that is turned over at every look is anticorrelated: no time at all.
    /// let flips: Vec<f64> = (0..1000).map(|i| f64::from(i % 2)).collect();
    /// assert!(Time::of(&flips, 1000, 1).unwrap().steps < 0.01);
    /// assert_eq!(Time::of(&[3.0; 1000], 1000, 1), None);
    /// ```
    #[track_caller]
    pub fn of(values: &[f64], looks: usize, every: usize) -> Option<Self> {
        assert!(
            looks > 0 && values.len().is_multiple_of(looks),
            "{} values are no chains of {looks}",
            values.len()
        );
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let mut centred = vec![0.0; values.len()];
        for (to, from) in centred.iter_mut().zip(values) {
            *to = from - mean;
        }
        let covariance = |lag: usize| {
            let products = centred.chunks_exact(looks).flat_map(|chain| chain.iter().zip(&chain[lag..]));
            let sum: f64 = products.map(|(now, later)| now * later).sum();
            sum / ((values.len() / looks) * (looks - lag)) as f64
        };
        let variance = covariance(0);
        // Rounding of the mean is no change.
        if looks < FEWEST || variance <= 1e-20 * mean * mean || variance == 0.0 {
            return None;
        }
        Some(Self::integrated(looks / 2, every, |lag| covariance(lag) / variance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;
    use alloc::vec::Vec;
    use equilibria_kernels::{Level, random};

    #[test]
    fn a_few_looks_tell_nothing() {
        let values: Vec<f64> = (0..20).map(|i| f64::from(i * i % 7)).collect();
        assert_eq!(Time::of(&values[..9], 9, 1), None);
        assert!(Time::of(&values, 10, 1).is_some());
    }

    /// `chains` stationary chains x' = rho x + noise of `looks` looks.
    fn autoregression(rho: f64, chains: usize, looks: usize, seed: u64) -> Vec<f64> {
        let mut values = Vec::new();
        for chain in 0..chains {
            let mut noise = vec![0.0; looks];
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
            // The window leaves out exp(-10) of the sum; the rest is chance: tau sqrt(2 (2 W + 1) / N).
            let error = exact * libm::sqrt(2.0 * (2.0 * WINDOW * exact + 1.0) / 400_000.0);
            assert!(
                (found.steps - exact).abs() < 4.0 * error,
                "rho {rho}: {found:?}, not {exact} +- {error}"
            );
            let other = 1.5 * exact;
            assert!((found.steps - other).abs() > 4.0 * error, "rho {rho}: a wrong time goes unnoticed");
        }
    }

    #[test]
    fn every_second_look_sees_the_same_time() {
        let values = autoregression(0.95, 100, 4000, 4);
        let thin: Vec<f64> = values.iter().step_by(2).copied().collect();
        let (all, half) = (Time::of(&values, 4000, 1).unwrap(), Time::of(&thin, 2000, 2).unwrap());
        assert!((all.steps - half.steps).abs() < 0.02 * all.steps, "{all:?}, {half:?}");
        // Too seldom to see anything: tau is 39.
        let seldom: Vec<f64> = values.iter().step_by(100).copied().collect();
        let expected = Time { steps: 100.0, bound: Bound::Below };
        assert_eq!(Time::of(&seldom, 40, 100), Some(expected));
    }

    #[test]
    fn chains_that_are_too_short_or_stuck_say_so() {
        // tau is 199.
        let short = Time::of(&autoregression(0.99, 100, 200, 5), 200, 1).unwrap();
        assert_eq!(short, Time { steps: 20.0, bound: Bound::Above });
        // Each chain moves fast about a place of its own that it never leaves.
        let mut stuck = autoregression(0.0, 20, 400, 6);
        for (chain, values) in stuck.chunks_mut(400).enumerate() {
            values.iter_mut().for_each(|x| *x += 10.0 * (chain % 2) as f64);
        }
        let found = Time::of(&stuck, 400, 1).unwrap();
        assert_eq!(found, Time { steps: 40.0, bound: Bound::Above });
        // Each by itself is fast.
        assert!(Time::of(&stuck[..400], 400, 1).unwrap().steps < 2.0);
    }

    #[test]
    fn two_states_that_swap_now_and_then_have_the_time_of_their_rates() {
        // Up with probability a, down with b: rho(t) = (1 - a - b)^t.
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
