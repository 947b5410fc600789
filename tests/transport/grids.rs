//! Histograms on grids.

use crate::support::{assert_close, masses, solve};
use equilibria::Tensor;
use equilibria::transport::{Cost, Grid, Ground, Marginals, SinkhornSettings, barycentre, sinkhorn_on_grid};

/// The centres of the cells as points.
fn centres(sizes: &[usize], spacing: &[f64]) -> Tensor<f64> {
    let cells: usize = sizes.iter().product();
    let mut points = Tensor::zeros(&[cells, sizes.len()]);
    for cell in 0..cells {
        let mut rest = cell;
        for axis in (0..sizes.len()).rev() {
            points.row_mut(cell)[axis] = (rest % sizes[axis]) as f64 * spacing[axis];
            rest /= sizes[axis];
        }
    }
    points
}

#[test]
fn separable_sweeps_find_the_solution_of_the_points() {
    for (sizes, spacing) in [(&[30][..], &[0.1][..]), (&[5, 7], &[0.3, 0.2]), (&[3, 4, 5], &[0.5, 0.3, 0.2])]
    {
        let (grid, points) = (Grid::new(sizes, spacing).unwrap(), centres(sizes, spacing));
        let (mut a, mut b) = (masses(grid.cells(), 1), masses(grid.cells(), 2));
        a[3] = 0.0;
        b[8] = 0.0;
        let marginals = Marginals::normalised(&a, &b).unwrap();
        let cost = Cost::points(&points, &points, Ground::SquaredEuclidean).unwrap();
        for epsilon in [0.5, 0.02] {
            let settings = SinkhornSettings { tolerance: 1e-11, ..SinkhornSettings::epsilon(epsilon) };
            let plain = solve(&cost, &marginals, &settings);
            let found = sinkhorn_on_grid(&grid, &marginals, &settings, &mut |_| true).unwrap();
            let context = format!("{sizes:?}, epsilon {epsilon}");
            assert!(found.converged && plain.converged, "{context}: {found:?}");
            assert_close(found.cost, plain.cost, 1e-9, &context);
            assert_close(found.lower_bound, plain.lower_bound, 1e-8, &context);
            assert_close(found.upper_bound, plain.upper_bound, 1e-8, &context);
        }
        // Unconverged: the corrections of the upper bound count.
        let settings = SinkhornSettings { most_iterations: 1, ..SinkhornSettings::epsilon(0.02) };
        let plain = solve(&cost, &marginals, &settings);
        let found = sinkhorn_on_grid(&grid, &marginals, &settings, &mut |_| true).unwrap();
        assert!(!found.converged);
        assert_close(found.upper_bound, plain.upper_bound, 1e-10, "upper bound");
        assert_close(found.marginal_error, plain.marginal_error, 1e-10, "marginal error");
    }
}

#[test]
fn far_histograms_on_a_fine_grid_do_not_underflow() {
    // e^(-C/epsilon) = e^-2500 between the two.
    let grid = Grid::new(&[101], &[1.0]).unwrap();
    let at = |cell: usize| {
        let mut masses = vec![0.0; 101];
        masses[cell] = 1.0;
        masses
    };
    let marginals = Marginals::new(&at(0), &at(100)).unwrap();
    let found = sinkhorn_on_grid(&grid, &marginals, &SinkhornSettings::epsilon(4.0), &mut |_| true).unwrap();
    assert_close(found.cost, 10_000.0, 1e-6, "cost");
    assert_close(found.lower_bound, 10_000.0, 1e-6, "lower bound");
    assert_close(found.upper_bound, 10_000.0, 1e-6, "upper bound");
}

#[test]
fn the_barycentre_of_two_gaussians_lies_between_them_and_is_not_blurred() {
    let grid = Grid::new(&[200], &[0.05]).unwrap();
    let normal = |mean: f64, deviation: f64| -> Vec<f64> {
        (0..200).map(|i| (-((0.05 * i as f64 - mean) / deviation).powi(2) / 2.0).exp()).collect()
    };
    let (a, b) = (normal(3.0, 0.5), normal(6.0, 0.5));
    for weights in [[0.5, 0.5], [1.0, 3.0]] {
        let found = barycentre(&grid, &[&a, &b], &weights, 0.05, (1e-9, 2000), &mut |_, _| true).unwrap();
        assert!(found.converged, "{} {}", found.iterations, found.change);
        let mean: f64 = found.masses.iter().enumerate().map(|(i, p)| 0.05 * i as f64 * p).sum();
        let variance: f64 =
            found.masses.iter().enumerate().map(|(i, p)| (0.05 * i as f64 - mean).powi(2) * p).sum();
        assert_close(mean, 3.0 + 3.0 * weights[1] / (weights[0] + weights[1]), 1e-6, "mean");
        assert_close(variance, 0.25, 1e-4, "variance");
    }
    let of_one = barycentre(&grid, &[&a], &[2.0], 0.05, (1e-10, 5000), &mut |_, _| true).unwrap();
    let total: f64 = a.iter().sum();
    let error: f64 = of_one.masses.iter().zip(&a).map(|(p, a)| (p - a / total).abs()).sum();
    assert!(error < 1e-6, "{error}");
}

#[test]
fn impossible_grids_and_histograms_are_refused() {
    assert!(Grid::new(&[], &[]).unwrap_err().to_string().contains("1 to 3 axes"));
    assert!(Grid::new(&[2, 0], &[1.0, 1.0]).is_err() && Grid::new(&[2], &[0.0]).is_err());
    assert!(Grid::new(&[usize::MAX, 3], &[1.0, 1.0]).is_err());
    let grid = Grid::new(&[2], &[1.0]).unwrap();
    let marginals = Marginals::uniform(2, 2).unwrap();
    let run = |settings: &SinkhornSettings, marginals: &Marginals| {
        sinkhorn_on_grid(&grid, marginals, settings, &mut |_| true).map_err(|error| error.to_string())
    };
    let plan = SinkhornSettings { plan: true, ..SinkhornSettings::epsilon(1.0) };
    assert!(run(&plan, &marginals).unwrap_err().contains("returns no plan"));
    assert!(run(&SinkhornSettings::epsilon(1.0), &Marginals::uniform(3, 2).unwrap()).is_err());
    assert!(barycentre(&grid, &[], &[], 1.0, (1e-6, 10), &mut |_, _| true).is_err());
    assert!(barycentre(&grid, &[&[1.0]], &[1.0], 1.0, (1e-6, 10), &mut |_, _| true).is_err());
    assert!(barycentre(&grid, &[&[1.0, -1.0]], &[1.0], 1.0, (1e-6, 10), &mut |_, _| true).is_err());
    assert!(barycentre(&grid, &[&[1.0, 1.0]], &[1.0], 0.0, (1e-6, 10), &mut |_, _| true).is_err());
}
