//! Solvers that are stopped, and the bounds that they know meanwhile.

use crate::support::{assert_close, masses, uniform};
use equilibria::Tensor;
use equilibria::tensor::Element;
use equilibria::transport::{
    Cost, ExactOptions, Grid, Ground, Marginals, Regularisation, SinkhornProgress, SinkhornSettings, exact,
    on_a_line, sinkhorn, sinkhorn_on_grid,
};

/// Fails unless all states of the solver bracket the optimum.
fn assert_brackets<T: Element>(cost: &Cost<T>, marginals: &Marginals, best: f64, rounding: f64) {
    let mean = cost.mean();
    for (epsilon, memory) in [(0.5, 0), (0.05, 1 << 30), (0.005, 0), (0.005, 1 << 30)] {
        let settings = SinkhornSettings { memory, ..SinkhornSettings::epsilon(epsilon * mean) };
        let mut last = (f64::NEG_INFINITY, f64::INFINITY);
        let mut watch = |state: &SinkhornProgress| {
            let (lower, upper) = state.bounds;
            assert!(lower <= best + rounding && best <= upper + rounding, "{best} outside {state:?}");
            assert!(lower >= last.0 && upper <= last.1, "{state:?} after {last:?}");
            last = state.bounds;
            true
        };
        let found = sinkhorn(cost, marginals, &settings, &mut watch).unwrap();
        // Without a pass of its own: the entropy's part remains.
        assert!(found.converged && last.1 - last.0 < (4.0 * epsilon + 1e-3) * mean, "{epsilon}: {last:?}");
    }
}

#[test]
fn every_sweep_brackets_the_optimum() {
    let (mut a, mut b) = (masses(40, 1), masses(30, 2));
    (a[3], b[7]) = (0.0, 0.0);
    let marginals = Marginals::normalised(&a, &b).unwrap();
    let (x, y) = (uniform(40, 2, 3), uniform(30, 2, 4));
    let optimum = |cost: &Cost<f64>| exact(cost, &marginals, ExactOptions::default()).unwrap().cost;
    for ground in [Ground::SquaredEuclidean, Ground::Euclidean, Ground::CityBlock] {
        let cost = Cost::points(&x, &y, ground).unwrap();
        assert_brackets(&cost, &marginals, optimum(&cost), 1e-12);
        let (x, y) = (x.cast::<f32>(), y.cast::<f32>());
        let narrow = Cost::points(&x, &y, ground).unwrap();
        let best = exact(&narrow, &marginals, ExactOptions::default()).unwrap().cost;
        assert_brackets(&narrow, &marginals, best, 1e-12);
    }
    // Costs of both signs.
    let mut costs = uniform(40, 30, 5);
    costs.data_mut().iter_mut().for_each(|x| *x -= 0.3);
    let cost = Cost::matrix(&costs).unwrap();
    assert_brackets(&cost, &marginals, optimum(&cost), 1e-12);
}

/// Points on a line for which a pass over all pairs takes several questions, and the optimal cost.
fn long_problem(count: usize) -> (Cost<'static, f64>, Marginals, f64) {
    let (x, y) = (uniform(count, 1, 6), uniform(count, 1, 7));
    let square: Vec<f64> = y.data().iter().map(|y| y * y).collect();
    let y = Tensor::from_vec(&[count, 1], square).unwrap();
    let marginals = Marginals::uniform(count, count).unwrap();
    let best = on_a_line(x.data(), y.data(), &marginals, 2.0).unwrap().cost;
    (Cost::points(&x, &y, Ground::SquaredEuclidean).unwrap(), marginals, best)
}

#[test]
fn sinkhorn_stops_within_a_sweep_and_returns_bounds() {
    let (cost, marginals, best) = long_problem(9_000);
    for settings in [SinkhornSettings::epsilon(0.01), SinkhornSettings::accuracy(0.01)] {
        let mut asked = 0;
        let mut watch = |state: &SinkhornProgress| {
            asked += 1;
            assert_eq!(state.iteration, 0, "the first question comes within the first sweep");
            false
        };
        let settings = SinkhornSettings { memory: 0, ..settings };
        let found = sinkhorn(&cost, &marginals, &settings, &mut watch).unwrap();
        assert!(asked >= 1 && !found.converged && found.iterations == 0, "{asked}");
        assert!(found.lower_bound <= best && best <= found.upper_bound && found.upper_bound < 1.0);
        assert_eq!(found.cost, found.upper_bound);
        assert_close(found.upper_bound, cost.mean(), 1e-9, "the cost of the plan a b^T");
    }
}

#[test]
fn the_exact_solver_stops_before_its_first_round() {
    let (cost, marginals, best) = long_problem(9_000);
    let mut rounds = Vec::new();
    let mut watch = |state: &equilibria::transport::ExactProgress| {
        rounds.push(state.round);
        assert!(state.lower_bound <= best && best <= state.upper_bound, "{state:?}");
        false
    };
    let options = ExactOptions { plan: true, start: None, watch: Some(&mut watch) };
    let found = exact(&cost, &marginals, options).unwrap();
    assert_eq!(rounds, [0]);
    assert!(!found.converged && found.marginal_error < 1e-12, "{}", found.marginal_error);
    assert!(found.lower_bound <= best && best <= found.upper_bound, "{best}");
    // A plan in the order of the points is not a bad one.
    assert!(found.upper_bound < 2.0 * best, "{} for {best}", found.upper_bound);
}

#[test]
fn a_grid_reaches_the_accuracy_by_its_bounds() {
    let grid = Grid::new(&[12, 9], &[1.0, 1.0]).unwrap();
    let marginals = Marginals::normalised(&masses(108, 8), &masses(108, 9)).unwrap();
    let settings = SinkhornSettings::accuracy(0.02);
    assert!(matches!(settings.regularisation, Regularisation::Accuracy(_)));
    let mut epsilons = Vec::new();
    let found = sinkhorn_on_grid(&grid, &marginals, &settings, &mut |state| {
        epsilons.push(state.epsilon);
        true
    })
    .unwrap();
    epsilons.dedup();
    assert!(found.converged && found.relative_gap() <= 0.02 && epsilons.len() > 2, "{found:?}");
    let points: Vec<f64> = (0..108).flat_map(|k| [f64::from(k / 9), f64::from(k % 9)]).collect();
    let points = Tensor::from_vec(&[108, 2], points).unwrap();
    let cost = Cost::points(&points, &points, Ground::SquaredEuclidean).unwrap();
    let best = exact(&cost, &marginals, ExactOptions::default()).unwrap().cost;
    assert!(found.lower_bound <= best + 1e-9 && best <= found.upper_bound + 1e-9, "{best}: {found:?}");
}
