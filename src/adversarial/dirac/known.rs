//! The smallest game, played, beside what is known of it.

use super::{Moves, Objective, Place, play, sigmoid};
use alloc::vec::Vec;
use core::f64::consts::PI;

/// A game whose end theory knows.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Known {
    /// Objective, and who moves when.
    pub game: &'static str,
    /// What becomes of it.
    pub outcome: &'static str,
    /// The number that tells.
    pub quantity: &'static str,
    /// By theory.
    pub expected: f64,
    /// By the game.
    pub found: f64,
    /// How far apart the two may be, as a share: theory is of steps without end, or without length.
    pub tolerance: f64,
    /// The way, the start first.
    #[cfg_attr(feature = "cli", serde(skip))]
    pub places: Vec<Place>,
}

impl Known {
    /// Whether the game does what theory says.
    pub fn agrees(&self) -> bool {
        (self.found - self.expected).abs() <= self.tolerance * self.expected.abs()
    }
}

/// Where all games start.
const START: Place = Place { theta: 1.0, psi: 0.5 };

/// The games of the table at the head of [`dirac`](super).
///
/// Two ways end on closed ones. That of clipping on the circle of radius `bound`: along psi = bound, theta falls until it
/// is 0, and there psi begins to fall. That of the penalty between two damped oscillations, psi'' = - psi - 2 lambda psi',
/// one a sign of psi: psi leaves 0 with the speed v = theta + 2 lambda and comes back with v q, q = exp(-lambda pi / omega),
/// omega^2 = 1 - lambda^2; there the pull turns round, and the speed grows by 4 lambda. So v = q v + 4 lambda, and theta,
/// which turns where psi is 0, goes as far as 2 lambda (1 + q) / (1 - q).
pub fn known() -> [Known; 8] {
    [circle(), spiral(), not_saturating(), ellipse(), critic(), clipping(), penalty(), zero_centred()]
}

fn circle() -> Known {
    let places = play(Objective::Minimax, Moves::AtOnce, START, 1e-3, 20_000);
    Known {
        game: "minimax, small steps",
        outcome: "goes round a circle",
        quantity: "last distance / first",
        expected: 1.0,
        found: libm::sqrt(last(&places) / START.squared_norm()),
        tolerance: 0.01,
        places,
    }
}

fn spiral() -> Known {
    let rate = 0.2;
    let places = play(Objective::Minimax, Moves::AtOnce, START, rate, 200);
    // Each step by the slope where it begins.
    let factor = |place: &Place| {
        let slope = sigmoid(-place.psi * place.theta);
        1.0 + rate * rate * slope * slope
    };
    let grown: f64 = places[..200].iter().map(factor).product();
    Known {
        game: "minimax, at once",
        outcome: "spirals outwards",
        quantity: "last distance / first",
        expected: libm::sqrt(grown),
        found: libm::sqrt(last(&places) / START.squared_norm()),
        tolerance: 1e-9,
        places,
    }
}

fn not_saturating() -> Known {
    let rate = 0.02;
    let places = play(Objective::NonSaturating, Moves::AtOnce, START, rate, 100_000);
    Known {
        game: "not saturating, at once",
        outcome: "goes round a small circle",
        quantity: "last distance",
        expected: libm::sqrt(2.0 * rate),
        found: libm::sqrt(last(&places)),
        tolerance: 0.15,
        places,
    }
}

/// A critic whose slope nothing bounds.
const FREE: Objective = Objective::Clipping { bound: f64::INFINITY };
const RATE: f64 = 0.1;

fn ellipse() -> Known {
    let places = play(FREE, Moves::InTurns, START, RATE, 1_000);
    let energy = |place: &Place| place.squared_norm() + RATE * place.theta * place.psi;
    Known {
        game: "critic without bounds, in turns",
        outcome: "goes round an ellipse",
        quantity: "last energy / first",
        expected: 1.0,
        found: energy(&places[1_000]) / energy(&START),
        tolerance: 1e-9,
        places,
    }
}

fn critic() -> Known {
    let places = play(FREE, Moves::AtOnce, START, RATE, 200);
    Known {
        game: "critic without bounds, at once",
        outcome: "spirals outwards",
        quantity: "last distance / first",
        expected: libm::pow(1.0 + RATE * RATE, 100.0),
        found: libm::sqrt(last(&places) / START.squared_norm()),
        tolerance: 1e-9,
        places,
    }
}

fn clipping() -> Known {
    let bound = 0.5;
    let places = play(Objective::Clipping { bound }, Moves::InTurns, START, 1e-3, 40_000);
    Known {
        game: "clipping at 0.5, small steps",
        outcome: "never rests",
        quantity: "farthest theta in the end",
        expected: bound,
        found: farthest(&places),
        tolerance: 0.01,
        places,
    }
}

fn penalty() -> Known {
    let weight = 0.3;
    let places = play(Objective::Penalty { weight }, Moves::InTurns, START, 1e-3, 60_000);
    let q = libm::exp(-weight * PI / libm::sqrt(1.0 - weight * weight));
    Known {
        game: "penalty towards slope 1, small steps",
        outcome: "never rests",
        quantity: "farthest theta in the end",
        expected: 2.0 * weight * (1.0 + q) / (1.0 - q),
        found: farthest(&places),
        tolerance: 0.01,
        places,
    }
}

fn zero_centred() -> Known {
    // I + h J, J = [[0, -f'(0)], [f'(0), -gamma]] on (theta, psi), f'(0) = 1/2.
    let gamma = 0.4;
    let places = play(Objective::ZeroCentred { gamma }, Moves::AtOnce, START, RATE, 1_000);
    let real = 1.0 - RATE * gamma / 2.0;
    let modulus = libm::sqrt(real * real + RATE * RATE * (0.25 - gamma * gamma / 4.0));
    Known {
        game: "penalty towards slope 0, at once",
        outcome: "comes to rest at the equilibrium",
        quantity: "distance after a step / before",
        expected: modulus,
        found: libm::pow(places[1_000].squared_norm() / places[600].squared_norm(), 1.0 / 800.0),
        tolerance: 1e-3,
        places,
    }
}

/// Squared distance of the last place from the equilibrium.
fn last(places: &[Place]) -> f64 {
    places[places.len() - 1].squared_norm()
}

/// How far theta goes in the second half.
fn farthest(places: &[Place]) -> f64 {
    places[places.len() / 2..].iter().map(|place| place.theta.abs()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn games_end_as_theory_says() {
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
    fn what_is_farther_off_does_not_agree() {
        let known = Known { expected: 2.0, found: 2.1, tolerance: 0.04, ..circle() };
        assert!(!known.agrees());
        assert!(Known { found: 2.07, ..known }.agrees());
    }
}
