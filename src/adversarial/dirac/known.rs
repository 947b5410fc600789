//! Dirac games whose results are known, and their comparison with theory.

use super::{Objective, Players, Updates, play, sigmoid};
use alloc::vec::Vec;
use core::f64::consts::PI;

/// A game whose result is known from theory, with the result of playing it.
///
/// ```
/// use equilibria::adversarial::dirac::known;
/// assert!(known().iter().all(|known| (known.found - known.expected).abs() <= known.tolerance));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Known {
    /// The objective, and the order of the updates.
    pub game: &'static str,
    /// The result, in words.
    pub outcome: &'static str,
    /// The quantity that is compared.
    pub quantity: &'static str,
    /// Its value from theory.
    pub expected: f64,
    /// Its value in the game.
    pub found: f64,
    /// The relative difference that is allowed, because theory assumes infinitely many or infinitely small steps.
    pub tolerance: f64,
    /// The trajectory, including the start.
    #[cfg_attr(feature = "cli", serde(skip))]
    pub trajectory: Vec<Players>,
}

impl Known {
    /// Returns whether the game agrees with theory.
    pub fn agrees(&self) -> bool {
        (self.found - self.expected).abs() <= self.tolerance * self.expected.abs()
    }
}

/// The starting point of all games.
const START: Players = Players { theta: 1.0, psi: 0.5 };

/// Plays the games of the table in [`dirac`](super).
///
/// Two trajectories end on closed curves. That of clipping ends on the circle of radius `bound`: along psi = bound,
/// theta falls until it is 0, and there psi starts to fall.
///
/// The trajectory of the penalty alternates between two damped oscillations, one for each sign of psi:
///
/// ```text
/// psi'' = - psi - 2 lambda psi'
/// psi leaves 0 with the speed     v = theta + 2 lambda
/// psi returns with the speed      v q,    q = exp(-lambda pi / omega),    omega^2 = 1 - lambda^2
/// ```
///
/// At 0 the pull changes its direction, and the speed grows by 4 lambda. So v = q v + 4 lambda. theta is largest where
/// psi is 0, and reaches 2 lambda (1 + q) / (1 - q).
///
/// ```
/// use equilibria::adversarial::dirac::known;
/// assert!(known().iter().all(|known| known.agrees()));
/// ```
pub fn known() -> [Known; 8] {
    [circle(), spiral(), not_saturating(), ellipse(), critic(), clipping(), penalty(), zero_centred()]
}

fn circle() -> Known {
    let trajectory = play(Objective::Minimax, Updates::Simultaneous, START, 1e-3, 20_000);
    Known {
        game: "minimax, small steps",
        outcome: "goes round a circle",
        quantity: "last distance / first",
        expected: 1.0,
        found: libm::sqrt(last(&trajectory) / START.squared_norm()),
        tolerance: 0.01,
        trajectory,
    }
}

fn spiral() -> Known {
    let rate = 0.2;
    let trajectory = play(Objective::Minimax, Updates::Simultaneous, START, rate, 200);
    // The factor of a step follows from the slope at its start.
    let factor = |point: &Players| {
        let slope = sigmoid(-point.psi * point.theta);
        1.0 + rate * rate * slope * slope
    };
    let grown: f64 = trajectory[..200].iter().map(factor).product();
    Known {
        game: "minimax, at once",
        outcome: "spirals outwards",
        quantity: "last distance / first",
        expected: libm::sqrt(grown),
        found: libm::sqrt(last(&trajectory) / START.squared_norm()),
        tolerance: 1e-9,
        trajectory,
    }
}

fn not_saturating() -> Known {
    let rate = 0.02;
    let trajectory = play(Objective::NonSaturating, Updates::Simultaneous, START, rate, 100_000);
    Known {
        game: "not saturating, at once",
        outcome: "goes round a small circle",
        quantity: "last distance",
        expected: libm::sqrt(2.0 * rate),
        found: libm::sqrt(last(&trajectory)),
        tolerance: 0.15,
        trajectory,
    }
}

/// A critic with unbounded slope.
const FREE: Objective = Objective::Clipping { bound: f64::INFINITY };
const RATE: f64 = 0.1;

fn ellipse() -> Known {
    let trajectory = play(FREE, Updates::Alternating, START, RATE, 1_000);
    let energy = |point: &Players| point.squared_norm() + RATE * point.theta * point.psi;
    Known {
        game: "critic without bounds, in turns",
        outcome: "goes round an ellipse",
        quantity: "last energy / first",
        expected: 1.0,
        found: energy(&trajectory[1_000]) / energy(&START),
        tolerance: 1e-9,
        trajectory,
    }
}

fn critic() -> Known {
    let trajectory = play(FREE, Updates::Simultaneous, START, RATE, 200);
    Known {
        game: "critic without bounds, at once",
        outcome: "spirals outwards",
        quantity: "last distance / first",
        expected: libm::pow(1.0 + RATE * RATE, 100.0),
        found: libm::sqrt(last(&trajectory) / START.squared_norm()),
        tolerance: 1e-9,
        trajectory,
    }
}

fn clipping() -> Known {
    let bound = 0.5;
    let trajectory = play(Objective::Clipping { bound }, Updates::Alternating, START, 1e-3, 40_000);
    Known {
        game: "clipping at 0.5, small steps",
        outcome: "never rests",
        quantity: "farthest theta in the end",
        expected: bound,
        found: farthest(&trajectory),
        tolerance: 0.01,
        trajectory,
    }
}

fn penalty() -> Known {
    let weight = 0.3;
    let trajectory = play(Objective::Penalty { weight }, Updates::Alternating, START, 1e-3, 60_000);
    let q = libm::exp(-weight * PI / libm::sqrt(1.0 - weight * weight));
    Known {
        game: "penalty towards slope 1, small steps",
        outcome: "never rests",
        quantity: "farthest theta in the end",
        expected: 2.0 * weight * (1.0 + q) / (1.0 - q),
        found: farthest(&trajectory),
        tolerance: 0.01,
        trajectory,
    }
}

fn zero_centred() -> Known {
    // I + h J, J = [[0, -f'(0)], [f'(0), -gamma]] on (theta, psi), f'(0) = 1/2.
    let gamma = 0.4;
    let trajectory = play(Objective::ZeroCentred { gamma }, Updates::Simultaneous, START, RATE, 1_000);
    let real = 1.0 - RATE * gamma / 2.0;
    let modulus = libm::sqrt(real * real + RATE * RATE * (0.25 - gamma * gamma / 4.0));
    Known {
        game: "penalty towards slope 0, at once",
        outcome: "comes to rest at the equilibrium",
        quantity: "distance after a step / before",
        expected: modulus,
        found: libm::pow(trajectory[1_000].squared_norm() / trajectory[600].squared_norm(), 1.0 / 800.0),
        tolerance: 1e-3,
        trajectory,
    }
}

/// The squared distance of the last point from the equilibrium.
fn last(trajectory: &[Players]) -> f64 {
    trajectory[trajectory.len() - 1].squared_norm()
}

/// The largest theta in the second half.
fn farthest(trajectory: &[Players]) -> f64 {
    trajectory[trajectory.len() / 2..].iter().map(|point| point.theta.abs()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_agree_with_theory() {
        for known in known() {
            assert!(
                known.agrees(),
                "{}: {} {}, not {}",
                known.game,
                known.quantity,
                known.found,
                known.expected
            );
        }
    }

    #[test]
    fn larger_differences_do_not_agree() {
        let known = Known { expected: 2.0, found: 2.1, tolerance: 0.04, ..circle() };
        assert!(!known.agrees());
        assert!(Known { found: 2.07, ..known }.agrees());
    }
}
