//! The Dirac game: the smallest adversarial game. It shows why adversaries circle around the equilibrium, and what
//! makes them converge.
//!
//! The data are a single point at 0, the generator puts its point at theta, and the discriminator is a line of slope
//! psi: D(x) = psi x. Its logit on the data is always 0, so the value of the game is
//!
//! ```text
//! L(theta, psi) = f(psi theta) + f(0),      f(t) = - ln(1 + exp(-t)),   f'(t) = sigmoid(-t)
//! ```
//!
//! psi maximises L and theta minimises it; the only equilibrium is (0, 0). With a critic, f(t) = t.
//!
//! **Source** Mescheder, Geiger & Nowozin 2018, "Which training methods for GANs do actually converge?". The signs are
//! theirs: the discriminator should give theta a high score. The game with a low score is its mirror image.
//!
//! Known results, which [`known`] and the tests check:
//!
//! | game | updates | result |
//! |---|---|---|
//! | minimax | continuous time | a circle: d(theta^2 + psi^2)/dt = 0 |
//! | minimax | simultaneous, rate h | an outward spiral: each step multiplies theta^2 + psi^2 by exactly 1 + h^2 f'(psi theta)^2 |
//! | non-saturating | continuous time | inwards, ever more slowly: d(theta^2 + psi^2)/dt = - 2 t tanh(t / 2), t = psi theta |
//! | non-saturating | simultaneous, rate h | a circle of radius about sqrt(2 h) |
//! | critic without bounds | simultaneous, rate h | an outward spiral: each step multiplies theta^2 + psi^2 by 1 + h^2 |
//! | critic without bounds | alternating, rate h | an ellipse: theta^2 + psi^2 + h theta psi is constant |
//! | clipping at c | small steps | does not converge: ends on the circle of radius c |
//! | penalty towards slope 1 | small steps | does not converge: at (0, 0) it pushes psi away; [`known`] gives the amplitude of theta |
//! | penalty towards slope 0, gamma | small steps | an inward spiral to (0, 0); linearised, with simultaneous updates, with the factor abs(1 - h gamma/2 + h sqrt(gamma^2/4 - f'(0)^2)) per step |
//!
//! The gradient penalty that stabilises Wasserstein GANs does not make this game converge. In practice, noise, many
//! dimensions and a decreasing rate add what this game lacks.

mod known;

pub use known::{Known, known};

use alloc::vec::Vec;

/// The objective of a Dirac game.
///
/// ```
/// use equilibria::adversarial::dirac::{Objective, Players, Updates, play};
/// let start = Players { theta: 1.0, psi: 0.0 };
/// let path = play(Objective::Clipping { bound: 0.5 }, Updates::Alternating, start, 0.1, 100);
/// assert!(path.iter().all(|players| players.psi.abs() <= 0.5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Objective {
    /// The generator minimises what the discriminator maximises.
    Minimax,
    /// The generator maximises f(- psi theta), whose gradient does not vanish where the discriminator recognises the
    /// samples.
    NonSaturating,
    /// A critic whose slope is clipped to `[-bound, bound]`.
    Clipping {
        /// The bound, not negative.
        bound: f64,
    },
    /// A critic with the penalty `weight (abs(psi) - 1)^2`.
    Penalty {
        /// The weight lambda.
        weight: f64,
    },
    /// A discriminator with the penalty `gamma / 2 psi^2`, where psi^2 is the squared slope on the data.
    ZeroCentred {
        /// The weight gamma.
        gamma: f64,
    },
}

/// The order of the updates of both players.
///
/// ```
/// use equilibria::adversarial::dirac::{Objective, Players, Updates, play};
/// let start = Players { theta: 1.0, psi: 1.0 };
/// let end = |updates| play(Objective::Minimax, updates, start, 0.1, 1000)[1000].squared_norm();
/// // Simultaneous updates spiral outwards; alternating ones stay on their circle.
/// assert!(end(Updates::Simultaneous) > 2.0 * end(Updates::Alternating));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updates {
    /// Simultaneous updates: both use the other's last parameter.
    Simultaneous,
    /// Alternating updates: the discriminator first; the generator uses its new parameter.
    Alternating,
}

/// The parameters of both players.
///
/// ```
/// use equilibria::adversarial::dirac::Players;
/// assert_eq!(Players { theta: 3.0, psi: 4.0 }.squared_norm(), 25.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Players {
    /// The generator's point.
    pub theta: f64,
    /// The discriminator's slope.
    pub psi: f64,
}

impl Players {
    /// Squared distance from the equilibrium.
    pub fn squared_norm(self) -> f64 {
        self.theta * self.theta + self.psi * self.psi
    }
}

impl Objective {
    /// The ascent direction of psi.
    fn gradient_psi(self, Players { theta, psi }: Players) -> f64 {
        match self {
            Self::Minimax | Self::NonSaturating => sigmoid(-psi * theta) * theta,
            Self::Clipping { .. } => theta,
            Self::Penalty { weight } => theta - 2.0 * weight * (psi.abs() - 1.0) * sign(psi),
            Self::ZeroCentred { gamma } => sigmoid(-psi * theta) * theta - gamma * psi,
        }
    }

    /// The ascent direction of theta.
    fn gradient_theta(self, Players { theta, psi }: Players) -> f64 {
        match self {
            Self::Minimax | Self::ZeroCentred { .. } => -sigmoid(-psi * theta) * psi,
            Self::NonSaturating => -sigmoid(psi * theta) * psi,
            Self::Clipping { .. } | Self::Penalty { .. } => -psi,
        }
    }

    fn bound(self, psi: f64) -> f64 {
        match self {
            Self::Clipping { bound } => psi.clamp(-bound, bound),
            _ => psi,
        }
    }
}

/// The trajectory of a game with gradient steps, including the start.
///
/// **Shapes** `steps` + 1 points.
///
/// **Panics** if a clipping bound is negative or not a number.
///
/// ```
/// use equilibria::adversarial::dirac::{Updates, Objective, Players, play};
/// let start = Players { theta: 1.0, psi: 1.0 };
/// let without = play(Objective::Minimax, Updates::Simultaneous, start, 0.1, 500);
/// let with = play(Objective::ZeroCentred { gamma: 1.0 }, Updates::Simultaneous, start, 0.1, 500);
/// assert!(without[500].squared_norm() > 2.0 && with[500].squared_norm() < 1e-6);
/// ```
pub fn play(objective: Objective, updates: Updates, start: Players, rate: f64, steps: usize) -> Vec<Players> {
    let mut trajectory = Vec::with_capacity(steps + 1);
    let mut now = start;
    trajectory.push(now);
    for _ in 0..steps {
        let psi = objective.bound(now.psi + rate * objective.gradient_psi(now));
        let current = match updates {
            Updates::Simultaneous => now,
            Updates::Alternating => Players { psi, ..now },
        };
        now = Players { theta: now.theta + rate * objective.gradient_theta(current), psi };
        trajectory.push(now);
    }
    trajectory
}

fn sigmoid(t: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-t))
}

/// The sign of x; 0 at 0, where the penalty has no gradient.
fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Players = Players { theta: 0.8, psi: 0.3 };

    #[test]
    fn minimax_spirals_outwards_by_the_known_factor() {
        let rate = 0.3;
        let trajectory = play(Objective::Minimax, Updates::Simultaneous, START, rate, 300);
        for step in trajectory.windows(2) {
            let slope = sigmoid(-step[0].psi * step[0].theta);
            let expected = 1.0 + rate * rate * slope * slope;
            let found = step[1].squared_norm() / step[0].squared_norm();
            assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
        }
        assert!(trajectory[300].squared_norm() > 4.0 * START.squared_norm());
    }

    #[test]
    fn small_steps_follow_a_circle() {
        // Over a time of 20 the radius grows at most by exp(20 h / 2).
        let trajectory = play(Objective::Minimax, Updates::Simultaneous, START, 1e-4, 200_000);
        assert!(
            trajectory.iter().all(|point| (point.squared_norm() / START.squared_norm() - 1.0).abs() < 2e-3)
        );
        assert!(trajectory.iter().any(|point| point.theta < -0.8), "theta never reached the other side");
    }

    #[test]
    fn a_critic_with_alternating_updates_stays_on_an_ellipse() {
        let rate = 0.2;
        let energy = |point: &Players| point.squared_norm() + rate * point.theta * point.psi;
        let free = Objective::Clipping { bound: f64::INFINITY };
        let trajectory = play(free, Updates::Alternating, START, rate, 10_000);
        assert!(trajectory.iter().all(|point| (energy(point) / energy(&START) - 1.0).abs() < 1e-10));
        // With simultaneous updates, it spirals outwards.
        let trajectory = play(free, Updates::Simultaneous, START, rate, 100);
        assert!(energy(&trajectory[100]) > 10.0 * energy(&START));
    }

    #[test]
    fn clipping_and_a_penalty_towards_one_do_not_converge() {
        for objective in [Objective::Clipping { bound: 0.5 }, Objective::Penalty { weight: 0.5 }] {
            let trajectory = play(objective, Updates::Alternating, START, 0.05, 20_000);
            let end = &trajectory[10_000..];
            let farthest = end.iter().map(|point| point.theta.abs()).fold(0.0, f64::max);
            assert!((0.05..3.0).contains(&farthest), "{objective:?}: {farthest}");
            let changes = end.windows(2).filter(|pair| pair[0].theta * pair[1].theta < 0.0).count();
            assert!(changes > 10, "{objective:?}: theta crossed 0 {changes} times");
        }
        let clipped = play(Objective::Clipping { bound: 0.5 }, Updates::Simultaneous, START, 0.05, 1000);
        assert!(clipped.iter().all(|point| point.psi.abs() <= 0.5));
    }

    #[test]
    fn a_penalty_towards_zero_converges_at_the_rate_of_its_eigenvalues() {
        // I + h J, J = [[0, -f'(0)], [f'(0), -gamma]] on (theta, psi), f'(0) = 1/2.
        let (rate, gamma): (f64, f64) = (0.1, 0.4);
        let discriminant = 0.25 - gamma * gamma / 4.0;
        let real = 1.0 - rate * gamma / 2.0;
        let modulus_squared = real * real + rate * rate * discriminant;
        let trajectory = play(Objective::ZeroCentred { gamma }, Updates::Simultaneous, START, rate, 1000);
        let found = libm::pow(trajectory[1000].squared_norm() / trajectory[600].squared_norm(), 1.0 / 400.0);
        // The spiral is not round: the angles of the two points change the factor by some tenths of 1 / 400.
        assert!((found - modulus_squared).abs() < 1e-3, "{found}, {modulus_squared}");
        assert!(trajectory[1000].squared_norm() < 1e-10);
    }

    #[test]
    fn the_non_saturating_game_moves_inwards_but_does_not_converge() {
        let rate = 0.02;
        let trajectory = play(Objective::NonSaturating, Updates::Simultaneous, START, rate, 200_000);
        for step in trajectory.windows(2).take(1000) {
            let [Players { theta, psi }, after] = [step[0], step[1]];
            let (t, squared) = (psi * theta, |x: f64| x * x);
            let inwards = 2.0 * rate * t * libm::tanh(t / 2.0);
            let outwards = squared(rate * sigmoid(t) * psi) + squared(rate * sigmoid(-t) * theta);
            let change = after.squared_norm() - step[0].squared_norm();
            assert!((change - (outwards - inwards)).abs() < 1e-14, "{change}, {outwards} - {inwards}");
        }
        for point in &trajectory[150_000..] {
            let radius = libm::sqrt(point.squared_norm());
            assert!((radius / libm::sqrt(2.0 * rate) - 1.0).abs() < 0.15, "{radius}");
        }
    }

    #[test]
    fn a_saturated_generator_moves_only_with_the_non_saturating_loss() {
        let far = Players { theta: 3.0, psi: 2.0 };
        let [saturated, moved] = [Objective::Minimax, Objective::NonSaturating]
            .map(|objective| far.theta - play(objective, Updates::Simultaneous, far, 0.05, 1)[1].theta);
        assert!(moved > 100.0 * saturated, "{moved}, {saturated}");
    }
}
