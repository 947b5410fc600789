//! Transport on a line, divergences and maps of points.

use crate::support::{assert_close, masses, solve, uniform};
use equilibria::Tensor;
use equilibria::transport::{
    Cost, Ground, Marginals, SinkhornSettings, barycentric_map, on_a_line, sinkhorn_divergence,
};

#[test]
fn the_plan_on_a_line_is_feasible_and_proves_itself_optimal() {
    for (n, m, seed) in [(1, 1, 1), (1, 9, 2), (30, 30, 3), (40, 17, 4), (5, 100, 5)] {
        let (mut x, y) = (uniform(n, 1, seed).into_vec(), uniform(m, 1, seed + 10).into_vec());
        x[n / 2] = y[m / 2]; // a tie
        let (mut a, b) = (masses(n, seed + 20), masses(m, seed + 30));
        a[n / 3] = if n > 1 { 0.0 } else { 1.0 };
        let marginals = Marginals::normalised(&a, &b).unwrap();
        for p in [1.0, 1.5, 2.0, 4.0] {
            let found = on_a_line(&x, &y, &marginals, p).unwrap();
            assert!(found.marginal_error < 1e-14, "{found:?}");
            assert_close(found.lower_bound, found.cost, 1e-13, "bounds");
            for (i, f) in found.potential_f.iter().enumerate() {
                for (j, g) in found.potential_g.iter().enumerate() {
                    let cost = (x[i] - y[j]).abs().powf(p);
                    assert!(f + g <= cost + 1e-13, "({i}, {j}) at p = {p}: {f} + {g} > {cost}");
                }
            }
        }
    }
}

#[test]
fn a_line_refuses_concave_costs_and_infinite_points() {
    let one = Marginals::uniform(1, 1).unwrap();
    assert!(on_a_line(&[0.0], &[1.0], &one, 0.5).unwrap_err().to_string().contains("convex"));
    assert!(on_a_line(&[f64::NAN], &[1.0], &one, 1.0).is_err());
    assert!(on_a_line(&[1e200], &[1.0], &one, 2.0).is_err());
    assert!(on_a_line(&[1.0, 2.0], &[1.0], &one, 2.0).is_err());
}

#[test]
fn the_gradient_of_the_divergence_is_that_of_finite_differences() {
    let (x, y) = (uniform(7, 2, 6), uniform(5, 2, 7));
    let marginals = Marginals::normalised(&masses(7, 8), &masses(5, 9)).unwrap();
    for ground in [Ground::SquaredEuclidean, Ground::Euclidean, Ground::CityBlock] {
        let value = |x: &Tensor<f64>| sinkhorn_divergence(x, &y, &marginals, ground, 0.2, 1e-12).unwrap();
        let found = value(&x);
        assert!(found.converged);
        for k in 0..x.len() {
            let at = |by: f64| {
                let mut x = x.clone();
                x.data_mut()[k] += by;
                value(&x).value
            };
            let difference = (at(1e-4) - at(-1e-4)) / 2e-4;
            // The diagonal of the distances of the set to itself has a corner, which the difference rounds off.
            assert_close(found.gradient.data()[k], difference, 1e-6, &format!("{ground:?}, coordinate {k}"));
        }
    }
}

#[test]
fn the_divergence_is_zero_for_equal_sets_and_positive_for_close_ones() {
    let x = uniform(50, 160, 10);
    let mut y = x.clone();
    y.data_mut().iter_mut().zip(uniform(50, 160, 11).data()).for_each(|(y, by)| *y += 1e-4 * by);
    let marginals = Marginals::uniform(50, 50).unwrap();
    for epsilon in [0.01, 1.0, 100.0] {
        let of =
            |y| sinkhorn_divergence(&x, y, &marginals, Ground::SquaredEuclidean, epsilon, 1e-10).unwrap();
        assert_close(of(&x).value, 0.0, 1e-12, "equal sets");
        // The nearest assignment, which small moves cannot beat, is an upper bound; the mean's shift is a lower one.
        let moved: f64 = x.data().iter().zip(y.data()).map(|(x, y)| (x - y) * (x - y)).sum::<f64>() / 50.0;
        let found = of(&y);
        assert!(
            found.converged && found.value > 0.5 * moved && found.value < 1.01 * moved,
            "{found:?} {moved}"
        );
    }
}

#[test]
fn the_barycentric_map_of_a_translation_is_the_translation() {
    let x = uniform(40, 2, 12);
    let mut y = x.clone();
    y.data_mut().iter_mut().for_each(|y| *y += 5.0);
    let cost = Cost::points(&x, &y, Ground::SquaredEuclidean).unwrap();
    let marginals = Marginals::uniform(40, 40).unwrap();
    let epsilon = 1e-4;
    let found = solve(&cost, &marginals, &SinkhornSettings::epsilon(epsilon));
    let map = barycentric_map(&cost, &marginals, epsilon, &found, &y).unwrap();
    for (found, exact) in map.data().iter().zip(y.data()) {
        assert_close(*found, *exact, 0.02, "map");
    }
}
