//! Sinkhorn's algorithm against its plain loop and closed forms.

use crate::support::{assert_close, masses, solve, uniform};
use equilibria::Tensor;
use equilibria::transport::{
    Cost, Gaussian, Ground, Marginals, Regularisation, SinkhornSettings, TransportPlan, reference, sinkhorn,
};

/// Settings that solve in the log domain.
fn on_the_fly(settings: SinkhornSettings) -> SinkhornSettings {
    SinkhornSettings { memory: 0, ..settings }
}

#[test]
fn two_points_have_the_plan_of_the_closed_form() {
    // a = b = 1/2, C = [[0, 1], [1, 0]], epsilon = 1: by symmetry P_11 / P_12 = e.
    let matrix = Tensor::from_vec(&[2, 2], vec![0.0, 1.0, 1.0, 0.0]).unwrap();
    let (cost, masses) = (Cost::matrix(&matrix).unwrap(), Marginals::uniform(2, 2).unwrap());
    let e = 1_f64.exp();
    for settings in [SinkhornSettings::epsilon(1.0), on_the_fly(SinkhornSettings::epsilon(1.0))] {
        let found = solve(&cost, &masses, &SinkhornSettings { plan: true, tolerance: 1e-12, ..settings });
        let Some(TransportPlan::Dense(plan)) = &found.plan else { panic!("a plan was requested") };
        for (at, exact) in [e, 1.0, 1.0, e].into_iter().map(|x| 0.5 * x / (e + 1.0)).enumerate() {
            assert_close(plan.data()[at], exact, 1e-12, "plan");
        }
        assert!(found.converged && found.lower_bound == 0.0 && found.upper_bound >= 0.0, "{found:?}");
    }
}

#[test]
fn every_path_finds_the_potentials_of_the_plain_loop() {
    let (x, y) = (uniform(23, 3, 1), uniform(17, 3, 2));
    let marginals = Marginals::normalised(&masses(23, 3), &masses(17, 4)).unwrap();
    let mut matrix = Tensor::zeros(&[23, 17]);
    for ground in [Ground::SquaredEuclidean, Ground::Euclidean, Ground::CityBlock] {
        let points = Cost::points(&x, &y, ground).unwrap();
        (0..23).for_each(|i| points.row(i, matrix.row_mut(i)));
        for epsilon in [1.0, 0.1] {
            let (f, g) = reference::sinkhorn(&points, &marginals, epsilon, 4000);
            let plan = reference::plan(&points, &marginals, epsilon, &f, &g);
            let fast =
                SinkhornSettings { tolerance: 1e-11, plan: true, ..SinkhornSettings::epsilon(epsilon) };
            for (name, cost) in [("points", &points), ("matrix", &Cost::matrix(&matrix).unwrap())] {
                for (path, settings) in [("absorbed", fast), ("log domain", on_the_fly(fast))] {
                    let context = format!("{ground:?}, epsilon {epsilon}, {name}, {path}");
                    let found = solve(cost, &marginals, &settings);
                    assert!(found.converged, "{context}: {found:?}");
                    let shift = found.potential_f[0] - f[0];
                    for (found, f) in found.potential_f.iter().zip(&f) {
                        assert_close(found - shift, *f, 1e-7, &context);
                    }
                    for (found, g) in found.potential_g.iter().zip(&g) {
                        assert_close(found + shift, *g, 1e-7, &context);
                    }
                    let Some(TransportPlan::Dense(of_solver)) = &found.plan else { panic!("{context}") };
                    let error: f64 = of_solver.data().iter().zip(&plan).map(|(x, y)| (x - y).abs()).sum();
                    assert!(error < 1e-9, "{context}: the plans differ by {error:e}");
                    let plan = found.plan.as_ref().unwrap();
                    assert_close(plan.cost(cost), found.cost, 1e-12, &context);
                    assert_close(plan.marginal_error(&marginals), found.marginal_error, 1e-13, &context);
                }
            }
        }
    }
}

#[test]
fn gaussians_have_the_entropic_cost_of_the_closed_form() {
    // Janati 2020: epsilon = 2 s^2, one dimension, variances A and B, KL to the product of the marginals.
    let (shift, a, b, epsilon) = (0.7_f64, 0.8_f64, 0.5_f64, 0.3_f64);
    let s2 = epsilon / 2.0;
    let d = (4.0 * a * b + s2 * s2).sqrt();
    let exact = shift * shift + a + b - d + s2 * (1.0 - (2.0 * s2).ln()) + s2 * (d + s2).ln();
    // Histograms on a fine grid: the rectangle rule for smooth functions that vanish at the ends is exact to rounding.
    let grid: Vec<f64> = (0..400).map(|i| -8.0 + 0.04 * i as f64).collect();
    let normal = |mean: f64, variance: f64| -> Vec<f64> {
        grid.iter().map(|x| (-(x - mean) * (x - mean) / (2.0 * variance)).exp()).collect()
    };
    let points = Tensor::from_vec(&[400, 1], grid.clone()).unwrap();
    let cost = Cost::points(&points, &points, Ground::SquaredEuclidean).unwrap();
    let marginals = Marginals::normalised(&normal(0.0, a), &normal(shift, b)).unwrap();
    let settings = SinkhornSettings { tolerance: 1e-10, ..SinkhornSettings::epsilon(epsilon) };
    let found = solve(&cost, &marginals, &settings);
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let value = dot(marginals.a(), &found.potential_f) + dot(marginals.b(), &found.potential_g);
    assert_close(value, exact, 1e-9, "entropic cost");
    // The unregularised W2^2 lies between the bounds.
    let w2 = shift * shift + (a.sqrt() - b.sqrt()).powi(2);
    assert!(
        found.lower_bound <= w2 + 1e-9 && w2 <= found.upper_bound + 1e-9,
        "{w2} outside the bounds: {found:?}"
    );
}

#[test]
fn bounds_bracket_the_exact_cost_and_close_as_epsilon_falls() {
    // On a line, the plan that sorts both sides is optimal.
    let (x, y) = (uniform(60, 1, 5), uniform(60, 1, 6));
    let sorted = |x: &Tensor<f64>| {
        let mut x = x.data().to_vec();
        x.sort_by(f64::total_cmp);
        x
    };
    let exact: f64 = sorted(&x).iter().zip(sorted(&y)).map(|(x, y)| (x - y) * (x - y)).sum::<f64>() / 60.0;
    let (cost, masses) =
        (Cost::points(&x, &y, Ground::SquaredEuclidean).unwrap(), Marginals::uniform(60, 60).unwrap());
    let mut gap = f64::INFINITY;
    for epsilon in [1.0, 0.1, 0.01, 0.001] {
        let found = solve(&cost, &masses, &SinkhornSettings::epsilon(epsilon));
        let (lower, upper) = (found.lower_bound, found.upper_bound);
        assert!(lower <= exact + 1e-14 && exact <= upper + 1e-14, "{lower} {exact} {upper} at {epsilon}");
        // The plan's entropy is at most ln n more than that of the optimal plan.
        assert!(found.cost - exact <= epsilon * 60_f64.ln(), "{} {exact} at {epsilon}", found.cost);
        assert!(upper - lower < gap, "gap {} after {gap}", upper - lower);
        gap = upper - lower;
    }
    assert!(gap < 0.001, "{gap}");
    for iterations in [1, 2, 5] {
        let settings = SinkhornSettings { most_iterations: iterations, ..SinkhornSettings::epsilon(0.003) };
        let found = solve(&cost, &masses, &settings);
        assert!(!found.converged && found.iterations == iterations);
        assert!(found.lower_bound <= exact && exact <= found.upper_bound, "{found:?}");
    }
}

#[test]
fn an_accuracy_is_kept_without_a_choice_of_epsilon() {
    for (n, m, scale) in [(50, 50, 1.0), (40, 90, 1e-3), (70, 20, 1e4)] {
        let (mut x, mut y) = (uniform(n, 2, 7), uniform(m, 2, 8));
        x.data_mut().iter_mut().for_each(|x| *x *= scale);
        y.data_mut().iter_mut().for_each(|y| *y = scale * (*y + 0.3));
        let cost = Cost::points(&x, &y, Ground::Euclidean).unwrap();
        for accuracy in [0.1, 0.01] {
            let found =
                solve(&cost, &Marginals::uniform(n, m).unwrap(), &SinkhornSettings::accuracy(accuracy));
            assert!(found.converged && found.relative_gap() <= accuracy, "{n} {m} {accuracy}: {found:?}");
            assert!(found.lower_bound > 0.0 && found.lower_bound <= found.upper_bound);
        }
    }
}

#[test]
fn progress_is_reported_and_stopping_keeps_the_bounds() {
    let (x, y) = (uniform(40, 2, 9), uniform(40, 2, 10));
    let cost = Cost::points(&x, &y, Ground::SquaredEuclidean).unwrap();
    let marginals = Marginals::uniform(40, 40).unwrap();
    let mut seen = Vec::new();
    let found = sinkhorn(&cost, &marginals, &SinkhornSettings::epsilon(0.001), &mut |state| {
        seen.push(*state);
        state.iteration < 7
    });
    let found = found.unwrap();
    assert_eq!((found.iterations, found.converged), (7, false));
    assert!(seen.windows(2).all(|pair| pair[0].epsilon >= pair[1].epsilon), "{seen:?}");
    let exact = solve(&cost, &marginals, &SinkhornSettings::accuracy(0.001));
    assert!(found.lower_bound <= exact.upper_bound && exact.lower_bound <= found.upper_bound);
}

#[test]
fn settings_outside_their_range_are_refused() {
    let matrix = Tensor::from_vec(&[1, 1], vec![1.0]).unwrap();
    let cost = Cost::matrix(&matrix).unwrap();
    let good = SinkhornSettings::epsilon(1.0);
    let accuracy = |x| SinkhornSettings { regularisation: Regularisation::Accuracy(x), ..good };
    for (settings, part) in [
        (SinkhornSettings::epsilon(0.0), "epsilon is a positive finite number"),
        (SinkhornSettings::epsilon(f64::NAN), "epsilon is a positive finite number"),
        (accuracy(1.0), "an accuracy is between 0 and 1"),
        (SinkhornSettings { tolerance: -1.0, ..good }, "a tolerance is a positive"),
        (SinkhornSettings { most_iterations: 0, ..good }, "at least 1 is needed"),
        (SinkhornSettings { penalty: Some(0.0), ..good }, "a penalty is a positive"),
        (SinkhornSettings { penalty: Some(1.0), ..accuracy(0.1) }, "needs an epsilon"),
    ] {
        let error = sinkhorn(&cost, &Marginals::uniform(1, 1).unwrap(), &settings, &mut |_| true);
        let message = error.unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    }
    let error = sinkhorn(&cost, &Marginals::uniform(1, 2).unwrap(), &good, &mut |_| true).unwrap_err();
    assert_eq!(error.to_string(), "masses of a transport problem: expected shape (1, 1), found (1, 2)");
}

#[test]
fn the_map_between_gaussians_moves_one_to_the_other_at_the_cost_of_their_distance() {
    for (d, seed) in [(1, 1), (3, 2), (8, 3)] {
        let covariance = |seed| {
            let x = uniform(3 * d, d, seed);
            Tensor::product(x.view().transposed(), x.view()).unwrap()
        };
        let gaussian = |seed| Gaussian::new(uniform(d, 1, seed).into_vec(), covariance(seed + 10)).unwrap();
        let (source, target) = (gaussian(seed), gaussian(seed + 1));
        let map = source.transport_map(&target).unwrap();
        let moved = Tensor::product(map.view(), source.covariance().view()).unwrap();
        let image = Tensor::product(moved.view(), map.view()).unwrap();
        for (found, exact) in image.data().iter().zip(target.covariance().data()) {
            assert_close(*found, *exact, 1e-10, "A S1 A");
        }
        // E |x - T(x)|^2 = |m1 - m2|^2 + tr (S1 + S2 - 2 A S1), and no other map is cheaper.
        let trace = |x: &Tensor<f64>| (0..d).map(|i| x.row(i)[i]).sum::<f64>();
        let apart: f64 = source.mean().iter().zip(target.mean()).map(|(x, y)| (x - y) * (x - y)).sum();
        let cost = apart + trace(source.covariance()) + trace(target.covariance()) - 2.0 * trace(&moved);
        assert_close(cost, source.squared_wasserstein(&target).unwrap(), 1e-10, "cost of the map");
        for i in 0..d {
            for j in 0..i {
                assert_close(map.row(i)[j], map.row(j)[i], 1e-12, "symmetry");
            }
        }
    }
    let flat =
        Gaussian::new(vec![0.0; 2], Tensor::from_vec(&[2, 2], vec![1.0, 0.0, 0.0, 0.0]).unwrap()).unwrap();
    let message = flat.transport_map(&flat).unwrap_err().to_string();
    assert!(message.contains("positive eigenvalues"), "{message}");
}
