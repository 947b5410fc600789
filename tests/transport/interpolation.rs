//! The path of masses along the optimal plan.

use crate::support::{assert_close, masses, uniform};
use equilibria::Tensor;
use equilibria::transport::{
    Cost, ExactOptions, Ground, Marginals, TransportPlan, deposit, exact, interpolate, on_a_line,
};

#[test]
fn distances_along_the_path_are_proportional_to_time() {
    let (x, y) = (uniform(25, 2, 1), uniform(20, 2, 2));
    let marginals = Marginals::normalised(&masses(25, 3), &masses(20, 4)).unwrap();
    let solve = |x: &Tensor<f64>, y: &Tensor<f64>, marginals: &Marginals| {
        let cost = Cost::points(x, y, Ground::SquaredEuclidean).unwrap();
        exact(&cost, marginals, ExactOptions { plan: true, ..Default::default() }).unwrap()
    };
    let whole = solve(&x, &y, &marginals);
    let plan = whole.plan.unwrap();
    let at = |t: f64| {
        let (places, masses) = interpolate(&x, &y, &plan, t);
        (Tensor::from_vec(&[masses.len(), 2], places).unwrap(), masses)
    };
    for (s, t) in [(0.0, 1.0), (0.25, 0.75), (0.6, 0.9)] {
        let ((from, a), (to, b)) = (at(s), at(t));
        let found = solve(&from, &to, &Marginals::new(&a, &b).unwrap()).cost.sqrt();
        assert_close(found, (t - s) * whole.cost.sqrt(), 1e-9, &format!("{s} to {t}"));
    }
}

#[test]
fn quantiles_on_a_line_are_interpolated() {
    let (x, y) = (uniform(30, 1, 5), uniform(17, 1, 6));
    let marginals = Marginals::uniform(30, 17).unwrap();
    let plan = on_a_line(x.data(), y.data(), &marginals, 2.0).unwrap().plan.unwrap();
    let quantile = |places: &[f64], masses: &[f64], share: f64| {
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by(|&i, &j| places[i].total_cmp(&places[j]));
        let mut sum = 0.0;
        *order
            .iter()
            .find(|&&i| {
                sum += masses[i];
                sum > share
            })
            .map(|&i| &places[i])
            .unwrap()
    };
    let (places, masses) = interpolate(&x, &y, &plan, 0.3);
    for k in 0..100 {
        let share = (f64::from(k) + 0.37) / 100.0;
        let exact =
            0.7 * quantile(x.data(), marginals.a(), share) + 0.3 * quantile(y.data(), marginals.b(), share);
        assert_close(quantile(&places, &masses, share), exact, 1e-12, &format!("quantile {share}"));
    }
}

#[test]
fn deposits_keep_totals_and_means_and_whole_cells() {
    let sizes = [5, 7];
    let raw = uniform(40, 2, 7);
    let places: Vec<f64> = raw.data().chunks(2).flat_map(|x| [4.0 * x[0], 6.0 * x[1]]).collect();
    let weights = masses(40, 8);
    let cells = deposit(&places, &weights, &sizes);
    let moments = |each: &mut dyn Iterator<Item = ([f64; 2], f64)>| {
        each.fold([0.0; 3], |[m, x, y], (place, mass)| [m + mass, x + mass * place[0], y + mass * place[1]])
    };
    let found = moments(&mut cells.iter().enumerate().map(|(k, m)| ([(k / 7) as f64, (k % 7) as f64], *m)));
    let right = moments(&mut places.chunks(2).zip(&weights).map(|(x, m)| ([x[0], x[1]], *m)));
    for (found, right) in found.iter().zip(right) {
        assert_close(*found, right, 1e-12, "total and means");
    }
    assert!(cells.iter().all(|mass| *mass >= 0.0));
    // A place on a cell, also the last one, and a grid of one cell.
    let mut last = vec![0.0; 35];
    (last[34], last[9]) = (2.0, 1.0);
    assert_eq!(deposit(&[4.0, 6.0, 1.0, 2.0], &[2.0, 1.0], &sizes), last);
    assert_eq!(deposit(&[0.0, 0.0], &[3.0], &[1, 1]), [3.0]);
}

#[test]
fn a_plan_of_one_entry_moves_straight() {
    let plan = TransportPlan::Dense(Tensor::from_vec(&[1, 1], vec![1.0]).unwrap());
    let point = |x: [f64; 3]| Tensor::from_vec(&[1, 3], x.to_vec()).unwrap();
    let (places, masses) = interpolate(&point([0.0, 1.0, 2.0]), &point([4.0, 1.0, 0.0]), &plan, 0.25);
    assert_eq!((places, masses), (vec![1.0, 1.0, 1.5], vec![1.0]));
}
