//! Are the divergences of figure 7 right: against quadrature, finite differences, limits and the exact transport solver?

use equilibria::Tensor;
use equilibria::evaluate::divergences::{Divergence, descend};
use equilibria::transport::{Cost, ExactOptions, Ground, Marginals, exact};
use std::f64::consts::{LN_2, PI};

/// Shifts and standard deviations, equal and unequal.
const CASES: [(f64, f64); 9] = [
    (0.0, 1.0),
    (0.7, 1.0),
    (-3.0, 1.0),
    (8.0, 1.0),
    (0.0, 2.0),
    (1.5, 2.0),
    (-4.0, 0.5),
    (6.0, 3.0),
    (2.0, 0.1),
];

fn value(divergence: Divergence, (shift, deviation): (f64, f64)) -> f64 {
    divergence.of_shift(shift, deviation).unwrap().value
}

fn density(x: f64, mean: f64, deviation: f64) -> f64 {
    (-0.5 * ((x - mean) / deviation).powi(2)).exp() / (deviation * (2.0 * PI).sqrt())
}

/// The integral of an integrand of both densities, by midpoints.
fn integral((shift, deviation): (f64, f64), integrand: impl Fn(f64, f64) -> f64) -> f64 {
    let (low, high, count) = (-40.0, 50.0, 200_000);
    let step = (high - low) / f64::from(count);
    let at = |i| low + (f64::from(i) + 0.5) * step;
    (0..count).map(|i| integrand(density(at(i), 0.0, 1.0), density(at(i), shift, deviation)) * step).sum()
}

/// p ln(p / q), by its limit if p is 0.
fn relative(p: f64, q: f64) -> f64 {
    if p < 1e-290 { 0.0 } else { p * (p / q.max(1e-300)).ln() }
}

#[test]
fn values_are_the_integrals_that_define_them() {
    for case in CASES {
        for (divergence, expected) in [
            (
                Divergence::JensenShannon,
                integral(case, |p, q| 0.5 * (relative(p, 0.5 * (p + q)) + relative(q, 0.5 * (p + q)))),
            ),
            (Divergence::TotalVariation, integral(case, |p, q| 0.5 * (p - q).abs())),
        ] {
            let found = value(divergence, case);
            assert!((found - expected).abs() < 1e-7, "{divergence} {case:?}: {found} against {expected}");
        }
        // The ratio of a wide p to a narrow q is too large for this integral.
        if case.1 >= 1.0 {
            let expected = integral(case, relative);
            let found = value(Divergence::KullbackLeibler, case);
            assert!((found - expected).abs() < 1e-7, "KL {case:?}: {found} against {expected}");
        }
    }
}

#[test]
fn the_transport_solver_finds_the_same_distances() {
    // Both distributions on the same quantiles, with the mass of the density at each.
    let count = 1500;
    let at = |i: usize| 9.0 * (2.0 * i as f64 / (count - 1) as f64 - 1.0);
    let masses: Vec<f64> = (0..count).map(|i| density(at(i), 0.0, 1.0)).collect();
    let marginals = Marginals::normalised(&masses, &masses).unwrap();
    let points = |place: &dyn Fn(f64) -> f64| {
        Tensor::from_vec(&[count, 1], (0..count).map(|i| place(at(i))).collect()).unwrap()
    };
    for case in [(8.0, 1.0), (1.5, 2.0), (-4.0, 0.5), (0.0, 2.0)] {
        let (x, y) = (points(&|z| z), points(&|z| case.0 + case.1 * z));
        let cost = |ground| {
            let cost = Cost::points(&x, &y, ground).unwrap();
            exact(&cost, &marginals, ExactOptions::default()).unwrap().cost
        };
        for (divergence, found) in [
            (Divergence::Wasserstein1, cost(Ground::Euclidean)),
            (Divergence::Wasserstein2, cost(Ground::SquaredEuclidean).sqrt()),
        ] {
            let expected = value(divergence, case);
            // The trapezoidal rule has an error of order 1e-5 at the kink of |x|, where it carries mass.
            let tolerance =
                if divergence == Divergence::Wasserstein1 && case.0.abs() < 2.0 { 2e-5 } else { 1e-6 };
            assert!(
                (found - expected).abs() < tolerance,
                "{divergence} {case:?}: {found} against {expected}"
            );
        }
    }
}

#[test]
fn gradients_are_finite_differences_of_the_values() {
    for (shift, deviation) in CASES {
        for divergence in Divergence::ALL {
            let h = 1e-4;
            let at = |step: f64| value(divergence, (shift + step * h, deviation));
            // This difference is of fourth order. It is 0 at the kink of an even function, as the gradient is.
            let expected = (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * h);
            let found = divergence.of_shift(shift, deviation).unwrap().gradient;
            let tolerance = 1e-9 * (1.0 + expected.abs());
            assert!(
                (found - expected).abs() < tolerance,
                "{divergence} ({shift}, {deviation}): {found}, {expected}"
            );
        }
    }
}

#[test]
fn a_vanishing_gradient_keeps_its_relative_accuracy() {
    // For equal variances TV = erf(τ / √8), with the derivative e^(-τ²/8) / √(2π).
    for shift in [2.0_f64, 8.0, 20.0, 50.0] {
        let total = Divergence::TotalVariation.of_shift(shift, 1.0).unwrap();
        let expected = (-shift * shift / 8.0).exp() / (2.0 * PI).sqrt();
        assert!((total.gradient / expected - 1.0).abs() < 1e-9, "{shift}: {:e}", total.gradient);
    }
    // JS: with u = τ (x - τ/2) the integral becomes φ(τ/2) / 2 ∫ e^(u/2) ln(1 + e^-u) du / 2 = φ(τ/2) π/2, up to order 1/τ².
    for shift in [20.0_f64, 40.0, 60.0] {
        let density = (-shift * shift / 8.0).exp() / (2.0 * PI).sqrt();
        let slope = Divergence::JensenShannon.of_shift(shift, 1.0).unwrap().gradient;
        let ratio = slope / (density * PI / 2.0);
        assert!((ratio - 1.0).abs() < 10.0 / (shift * shift), "{shift}: {slope:e}, ratio {ratio}");
    }
}

#[test]
fn divergences_have_their_ceilings_and_are_zero_at_equality() {
    for divergence in Divergence::ALL {
        let equal = divergence.of_shift(0.0, 1.0).unwrap();
        assert!(equal.value.abs() < 1e-14 && equal.gradient == 0.0, "{divergence}: {equal:?}");
        for case in CASES {
            let (there, mirrored) = (value(divergence, case), value(divergence, (-case.0, case.1)));
            assert!((there - mirrored).abs() < 1e-13 * (1.0 + there), "{divergence} {case:?}");
        }
    }
    assert!((value(Divergence::JensenShannon, (60.0, 1.0)) - LN_2).abs() < 1e-15);
    assert!((value(Divergence::TotalVariation, (60.0, 1.0)) - 1.0).abs() < 1e-15);
    for (shift, deviation) in [(f64::NAN, 1.0), (2000.0, 1.0), (0.0, 0.0), (0.0, f64::INFINITY)] {
        let error = Divergence::JensenShannon.of_shift(shift, deviation).unwrap_err().to_string();
        assert!(error.contains("it must lie between"), "{error}");
    }
}

#[test]
fn a_generator_that_starts_far_away_arrives_only_by_kl_and_wasserstein() {
    let end = |divergence| *descend(divergence, 8.0, 1.0, 0.1, 200).unwrap().last().unwrap();
    assert!(end(Divergence::KullbackLeibler).abs() < 1e-7);
    assert!(end(Divergence::Wasserstein1).abs() <= 0.1 + 1e-9);
    assert!(end(Divergence::Wasserstein2).abs() <= 0.1 + 1e-9);
    assert!(end(Divergence::JensenShannon) > 7.9, "{}", end(Divergence::JensenShannon));
    assert!(end(Divergence::TotalVariation) > 7.9);
    assert!(descend(Divergence::Wasserstein1, 8.0, 1.0, 0.0, 1).is_err());
}

#[test]
fn a_descent_that_diverges_ends_where_it_leaves_the_range() {
    // Each step multiplies the shift by 1 - 0.1 / 0.2² = -1.5: 8 · 1.5¹¹ = 692.
    let path = descend(Divergence::KullbackLeibler, 8.0, 0.2, 0.1, 200).unwrap();
    assert_eq!(path.len(), 12);
    assert!((path[11] + 692.0).abs() < 1.0, "{}", path[11]);
    assert!(descend(Divergence::KullbackLeibler, 1000.5, 1.0, 0.1, 1).is_err());
}
