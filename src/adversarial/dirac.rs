//! The smallest game: why adversaries go round, and what stops them.
//!
//! Data are a single point at 0, the generator puts its point at theta, and the discriminator is a line of slope psi:
//! D(x) = psi x. Its logit is 0 on the data whatever it does, so that all there is to play for is
//!
//! ```text
//! L(theta, psi) = f(psi theta) + f(0),      f(t) = - ln(1 + exp(-t)),   f'(t) = sigmoid(-t)
//! ```
//!
//! which psi climbs and theta descends; the only equilibrium is (0, 0). (Mescheder, Geiger & Nowozin 2018, "Which
//! training methods for GANs do actually converge?"; signs as there: the discriminator is to score theta high, which is
//! the same game as scoring it low, mirrored.) With a critic, f(t) = t.
//!
//! What is known of it, and what [`known`] and `tests` below check:
//!
//! | game | moves | becomes of it |
//! |---|---|---|
//! | minimax | in continuous time | a circle: d(theta^2 + psi^2)/dt = 0 |
//! | minimax | both at once, rate h | a spiral outwards: each step multiplies theta^2 + psi^2 by exactly 1 + h^2 f'(psi theta)^2 |
//! | not saturating | in continuous time | inwards, ever more slowly: d(theta^2 + psi^2)/dt = - 2 t tanh(t / 2), t = psi theta |
//! | not saturating | both at once, rate h | round a circle of radius about sqrt(2 h) |
//! | critic without bounds | both at once, rate h | a spiral outwards: each step multiplies theta^2 + psi^2 by 1 + h^2 |
//! | critic without bounds | in turns | an ellipse: theta^2 + psi^2 + h theta psi stays |
//! | clipping at c | in small steps | never rests: ends on the circle of radius c |
//! | penalty towards slope 1 | in small steps | never rests: at (0, 0) it pushes psi away; theta goes round as far as [`known`] says |
//! | penalty towards slope 0, gamma | in small steps | a spiral into (0, 0); linearised, both at once, with the factor abs(1 - h gamma/2 + h sqrt(gamma^2/4 - f'(0)^2)) a step |
//!
//! The gradient penalty that steadies Wasserstein GANs does not make this game converge: in practice noise, many
//! dimensions and a falling rate do what is missing here.

mod known;

pub use known::{Known, known};

use alloc::vec::Vec;

/// What the two play for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Objective {
    /// The generator descends what the discriminator climbs.
    Minimax,
    /// The generator climbs f(- psi theta), whose gradient does not vanish where it loses.
    NonSaturating,
    /// A critic whose slope is kept within `[-bound, bound]`.
    Clipping {
        /// Not negative.
        bound: f64,
    },
    /// A critic that pays `weight (abs(psi) - 1)^2`.
    Penalty {
        /// lambda.
        weight: f64,
    },
    /// A discriminator that pays `gamma / 2 psi^2`, the squared slope on the data.
    ZeroCentred {
        /// gamma.
        gamma: f64,
    },
}

/// Who moves when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moves {
    /// Both see the other's last place.
    AtOnce,
    /// The discriminator first, the generator sees where it went.
    InTurns,
}

/// Where the two are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// The generator's point.
    pub theta: f64,
    /// The discriminator's slope.
    pub psi: f64,
}

impl Place {
    /// Squared distance from the equilibrium.
    pub fn squared_norm(self) -> f64 {
        self.theta * self.theta + self.psi * self.psi
    }
}

impl Objective {
    /// What psi climbs along.
    fn by_psi(self, Place { theta, psi }: Place) -> f64 {
        match self {
            Self::Minimax | Self::NonSaturating => sigmoid(-psi * theta) * theta,
            Self::Clipping { .. } => theta,
            Self::Penalty { weight } => theta - 2.0 * weight * (psi.abs() - 1.0) * sign(psi),
            Self::ZeroCentred { gamma } => sigmoid(-psi * theta) * theta - gamma * psi,
        }
    }

    /// What theta climbs along.
    fn by_theta(self, Place { theta, psi }: Place) -> f64 {
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

/// The places of a game of gradient steps, the start first.
///
/// **Shapes** `steps` + 1 places.
///
/// **Panics** if a clipping bound is negative or not a number.
///
/// ```
/// use equilibria::adversarial::dirac::{Moves, Objective, Place, play};
/// let start = Place { theta: 1.0, psi: 1.0 };
/// let without = play(Objective::Minimax, Moves::AtOnce, start, 0.1, 500);
/// let with = play(Objective::ZeroCentred { gamma: 1.0 }, Moves::AtOnce, start, 0.1, 500);
/// assert!(without[500].squared_norm() > 2.0 && with[500].squared_norm() < 1e-6);
/// ```
pub fn play(objective: Objective, moves: Moves, start: Place, rate: f64, steps: usize) -> Vec<Place> {
    let mut places = Vec::with_capacity(steps + 1);
    let mut now = start;
    places.push(now);
    for _ in 0..steps {
        let psi = objective.bound(now.psi + rate * objective.by_psi(now));
        let seen = match moves {
            Moves::AtOnce => now,
            Moves::InTurns => Place { psi, ..now },
        };
        now = Place { theta: now.theta + rate * objective.by_theta(seen), psi };
        places.push(now);
    }
    places
}

fn sigmoid(t: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-t))
}

/// 0 at 0, where the penalty has no gradient to follow.
fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Place = Place { theta: 0.8, psi: 0.3 };

    #[test]
    fn minimax_spirals_outwards_by_the_factor_of_the_book() {
        let rate = 0.3;
        let places = play(Objective::Minimax, Moves::AtOnce, START, rate, 300);
        for step in places.windows(2) {
            let slope = sigmoid(-step[0].psi * step[0].theta);
            let expected = 1.0 + rate * rate * slope * slope;
            let found = step[1].squared_norm() / step[0].squared_norm();
            assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
        }
        assert!(places[300].squared_norm() > 4.0 * START.squared_norm());
    }

    #[test]
    fn small_steps_go_round_a_circle() {
        // Over a time of 20 the radius grows by exp(h/2 times at most 20).
        let places = play(Objective::Minimax, Moves::AtOnce, START, 1e-4, 200_000);
        assert!(places.iter().all(|place| (place.squared_norm() / START.squared_norm() - 1.0).abs() < 2e-3));
        assert!(places.iter().any(|place| place.theta < -0.8), "it never came round");
    }

    #[test]
    fn a_critic_in_turns_keeps_to_an_ellipse() {
        let rate = 0.2;
        let energy = |place: &Place| place.squared_norm() + rate * place.theta * place.psi;
        let free = Objective::Clipping { bound: f64::INFINITY };
        let places = play(free, Moves::InTurns, START, rate, 10_000);
        assert!(places.iter().all(|place| (energy(place) / energy(&START) - 1.0).abs() < 1e-10));
        // At once, it spirals out.
        let places = play(free, Moves::AtOnce, START, rate, 100);
        assert!(energy(&places[100]) > 10.0 * energy(&START));
    }

    #[test]
    fn clipping_and_a_penalty_towards_one_never_rest() {
        for objective in [Objective::Clipping { bound: 0.5 }, Objective::Penalty { weight: 0.5 }] {
            let places = play(objective, Moves::InTurns, START, 0.05, 20_000);
            let end = &places[10_000..];
            let farthest = end.iter().map(|place| place.theta.abs()).fold(0.0, f64::max);
            assert!((0.05..3.0).contains(&farthest), "{objective:?}: {farthest}");
            let changes = end.windows(2).filter(|pair| pair[0].theta * pair[1].theta < 0.0).count();
            assert!(changes > 10, "{objective:?}: theta crossed 0 {changes} times");
        }
        let clipped = play(Objective::Clipping { bound: 0.5 }, Moves::AtOnce, START, 0.05, 1000);
        assert!(clipped.iter().all(|place| place.psi.abs() <= 0.5));
    }

    #[test]
    fn a_penalty_towards_zero_converges_at_the_rate_of_its_eigenvalues() {
        // I + h J, J = [[0, -f'(0)], [f'(0), -gamma]] on (theta, psi), f'(0) = 1/2.
        let (rate, gamma): (f64, f64) = (0.1, 0.4);
        let discriminant = 0.25 - gamma * gamma / 4.0;
        let real = 1.0 - rate * gamma / 2.0;
        let modulus_squared = real * real + rate * rate * discriminant;
        let places = play(Objective::ZeroCentred { gamma }, Moves::AtOnce, START, rate, 1000);
        let found = libm::pow(places[1000].squared_norm() / places[600].squared_norm(), 1.0 / 400.0);
        // The spiral is not round: where on it the two places lie is worth some tenths of 1 / 400.
        assert!((found - modulus_squared).abs() < 1e-3, "{found}, {modulus_squared}");
        assert!(places[1000].squared_norm() < 1e-10);
    }

    #[test]
    fn not_saturating_pulls_inwards_but_never_rests() {
        let rate = 0.02;
        let places = play(Objective::NonSaturating, Moves::AtOnce, START, rate, 200_000);
        for step in places.windows(2).take(1000) {
            let [Place { theta, psi }, after] = [step[0], step[1]];
            let (t, squared) = (psi * theta, |x: f64| x * x);
            let inwards = 2.0 * rate * t * libm::tanh(t / 2.0);
            let outwards = squared(rate * sigmoid(t) * psi) + squared(rate * sigmoid(-t) * theta);
            let change = after.squared_norm() - step[0].squared_norm();
            assert!((change - (outwards - inwards)).abs() < 1e-14, "{change}, {outwards} - {inwards}");
        }
        for place in &places[150_000..] {
            let radius = libm::sqrt(place.squared_norm());
            assert!((radius / libm::sqrt(2.0 * rate) - 1.0).abs() < 0.15, "{radius}");
        }
    }

    #[test]
    fn where_the_generator_loses_only_the_other_loss_moves_it() {
        let far = Place { theta: 3.0, psi: 2.0 };
        let [saturated, moved] = [Objective::Minimax, Objective::NonSaturating]
            .map(|objective| far.theta - play(objective, Moves::AtOnce, far, 0.05, 1)[1].theta);
        assert!(moved > 100.0 * saturated, "{moved}, {saturated}");
    }
}
