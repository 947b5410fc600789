//! Is the exact solver right: against other algorithms, by its own certificates, and where other programs failed?

use equilibria::rng::Stream;
use equilibria::transport::{
    Cost, ExactOptions, ExactProgress, Ground, Marginals, Solution, TransportPlan, exact,
};
use equilibria::{Error, Tensor};
use oracle::{best_permutation, on_the_line, shortest_paths};
use proptest::prelude::*;
use rand::RngExt;

#[path = "exact_transport/oracle.rs"]
mod oracle;

const GROUNDS: [Ground; 3] = [Ground::SquaredEuclidean, Ground::Euclidean, Ground::CityBlock];

/// Random numbers in [0, 1).
fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut generator = Stream::named(seed, "evaluate").generator();
    (0..count).map(|_| generator.random()).collect()
}

/// Random points in the unit cube.
fn cloud(seed: u64, count: usize, d: usize) -> Tensor<f64> {
    Tensor::from_vec(&[count, d], numbers(seed, count * d)).unwrap()
}

fn matrix(n: usize, m: usize, costs: Vec<f64>) -> Tensor<f64> {
    Tensor::from_vec(&[n, m], costs).unwrap()
}

fn optimum(cost: &Cost<f64>, marginals: &Marginals) -> Solution {
    let solution = exact(cost, marginals, ExactOptions { plan: true, ..Default::default() }).unwrap();
    check(cost, marginals, &solution);
    assert!(solution.converged);
    solution
}

/// Checks the certificate: the plan has the right marginals and the stated cost, the potentials keep every constraint and
/// have the stated value, and the two bounds meet.
fn check(cost: &Cost<f64>, marginals: &Marginals, solution: &Solution) {
    let plan = solution.plan.as_ref().unwrap();
    let TransportPlan::Sparse(flows) = plan else { panic!("the plan is sparse") };
    let places = |masses: &[f64]| masses.iter().filter(|mass| **mass > 0.0).count();
    assert!(flows.len() < places(marginals.a()) + places(marginals.b()), "{} entries", flows.len());
    assert!(flows.iter().all(|flow| flow.mass > 0.0));
    assert!(flows.is_sorted_by_key(|flow| (flow.row, flow.column)));
    let error = plan.marginal_error(marginals);
    assert!(error < 1e-13 && error == solution.marginal_error, "marginal error {error}");
    let close = |x: f64, y: f64, scale: f64| (x - y).abs() <= 1e-12 * scale;
    let (f, g) = (&solution.potential_f, &solution.potential_g);
    let scale = f.iter().chain(g).fold(1e-300, |largest: f64, x| largest.max(x.abs()));
    for (i, f) in f.iter().enumerate() {
        for (j, g) in g.iter().enumerate() {
            let slack = cost.at(i, j) - f - g;
            assert!(
                slack >= -1e-13 * scale.max(cost.at(i, j).abs()),
                "pair ({i}, {j}) violates by {slack:e}"
            );
        }
    }
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    assert!(close(solution.lower_bound, dot(marginals.a(), f) + dot(marginals.b(), g), scale));
    assert!(close(solution.cost, plan.cost(cost), scale));
    assert_eq!(solution.cost, solution.upper_bound);
    let gap = solution.upper_bound - solution.lower_bound;
    assert!(!solution.converged || gap.abs() <= 1e-12 * scale, "gap {gap:e} at potentials up to {scale:e}");
}

#[test]
fn no_permutation_is_cheaper() {
    for n in 1..=8 {
        for (seed, ground) in GROUNDS.into_iter().enumerate() {
            let (x, y) = (cloud(seed as u64, n, 2), cloud(seed as u64 + 10, n, 2));
            let cost = Cost::points(&x, &y, ground).unwrap();
            let found = optimum(&cost, &Marginals::uniform(n, n).unwrap()).cost;
            let expected = best_permutation(n, &|i, j| cost.at(i, j));
            assert!((found - expected).abs() < 1e-14, "{ground:?}, n = {n}: {found} against {expected}");
        }
    }
}

/// A random problem as a matrix, with integer masses.
#[derive(Debug)]
struct Case {
    a: Vec<i64>,
    b: Vec<i64>,
    costs: Vec<f64>,
}

/// Shapes up to 9 x 9; real costs of both signs, or small integers with many ties; masses of which some are 0.
fn cases() -> impl Strategy<Value = Case> {
    (1..10_usize, 1..10_usize, any::<bool>(), any::<u64>()).prop_map(|(n, m, integers, seed)| {
        let draw = numbers(seed, n * m + n + m);
        let costs = draw[..n * m].iter().map(|x| if integers { (x * 4.0).floor() } else { x * 3.0 - 1.0 });
        let mass = |x: &f64| ((x * 6.0) as i64 - 1).max(0);
        let mut a: Vec<i64> = draw[n * m..][..n].iter().map(mass).collect();
        let mut b: Vec<i64> = draw[n * m + n..].iter().map(mass).collect();
        a[0] += 1;
        let missing = a.iter().sum::<i64>() - b.iter().sum::<i64>();
        if missing > 0 {
            b[m - 1] += missing
        } else {
            a[n - 1] -= missing
        }
        Case { a, b, costs: costs.collect() }
    })
}

fn wide(masses: &[i64]) -> Vec<f64> {
    masses.iter().map(|&mass| mass as f64).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn successive_shortest_paths_find_the_same_cost(case in cases()) {
        let (n, m) = (case.a.len(), case.b.len());
        let costs = matrix(n, m, case.costs.clone());
        let cost = Cost::matrix(&costs).unwrap();
        let found = optimum(&cost, &Marginals::new(&wide(&case.a), &wide(&case.b)).unwrap()).cost;
        let expected = shortest_paths(&case.a, &case.b, &|i, j| case.costs[i * m + j]);
        prop_assert!((found - expected).abs() < 1e-11, "{found} against {expected}");
    }

    #[test]
    fn certificates_hold_for_points_of_every_kind(
        n in 1..40_usize, m in 1..40_usize, d in 1..6_usize, kind in 0..4, ground in 0..3_usize, seed: u64,
    ) {
        // Spread points; a few places many times; all equal; two far clusters.
        let place = |x: f64| match kind { 0 => x, 1 => (x * 2.0).floor(), 2 => 7.0, _ => x + 1e6 * (x * 2.0).floor() };
        let points = |seed, count| matrix(count, d, numbers(seed, count * d).into_iter().map(place).collect());
        let cost = Cost::points(&points(seed, n), &points(seed ^ 1, m), GROUNDS[ground]).unwrap();
        let mass = |seed, count| numbers(seed, count).into_iter().map(|x| (x - 0.3).max(0.0) + 1e-9).collect::<Vec<_>>();
        let _ = optimum(&cost, &Marginals::normalised(&mass(seed ^ 2, n), &mass(seed ^ 3, m)).unwrap());
    }
}

#[test]
fn many_points_on_the_line_move_in_order() {
    for (n, m, kind) in [(600, 600, 0), (500, 700, 0), (400, 900, 1)] {
        let (x, y) = (numbers(1, n), numbers(2, m));
        let weights = |seed, count| match kind {
            0 => vec![1.0; count],
            _ => numbers(seed, count).iter().map(|x| x * x * x).collect(),
        };
        let marginals = Marginals::normalised(&weights(3, n), &weights(4, m)).unwrap();
        let (points_x, points_y) = (matrix(n, 1, x.clone()), matrix(m, 1, y.clone()));
        for (ground, of) in GROUNDS.into_iter().zip([|z: f64| z * z, f64::abs, f64::abs]) {
            let cost = Cost::points(&points_x, &points_y, ground).unwrap();
            let found = optimum(&cost, &marginals).cost;
            let expected = on_the_line(&x, marginals.a(), &y, marginals.b(), &of);
            assert!((found - expected).abs() < 1e-13, "{ground:?} ({n}, {m}): {found} against {expected}");
        }
    }
}

#[test]
fn equal_prices_in_many_blocks_do_not_hide_a_violation() {
    let (x, y) = (numbers(1, 700), numbers(2, 700));
    let levels = |x: &[f64]| x.iter().map(|x| (x * x * 6.0).floor()).collect::<Vec<_>>();
    let (x, y) = (
        levels(&x),
        numbers(3, 700).iter().zip(levels(&y)).map(|(z, y)| y + (z * 2.0).floor()).collect::<Vec<_>>(),
    );
    let costs = matrix(700, 700, x.iter().flat_map(|x| y.iter().map(move |y| (x - y) * (x - y))).collect());
    let (cost, marginals) = (Cost::matrix(&costs).unwrap(), Marginals::uniform(700, 700).unwrap());
    let expected = on_the_line(&x, marginals.a(), &y, marginals.b(), &|z| z * z);
    let zeros = [0.0; 700];
    for start in [None, Some((&zeros[..], &zeros[..]))] {
        let solution = exact(&cost, &marginals, ExactOptions { plan: true, start, watch: None }).unwrap();
        check(&cost, &marginals, &solution);
        assert!(
            solution.converged && (solution.cost - expected).abs() < 1e-12,
            "{}, {expected}",
            solution.cost
        );
    }
}

#[test]
fn a_matrix_of_distances_costs_as_much_as_its_points() {
    let (n, m) = (450, 380);
    let cost = |d| Cost::points(&cloud(1, n, d), &cloud(2, m, d), Ground::SquaredEuclidean).unwrap();
    for d in [2, 20] {
        let points = cost(d);
        let mut costs = vec![0.0; n * m];
        costs.chunks_exact_mut(m).enumerate().for_each(|(i, row)| points.row(i, row));
        let costs = matrix(n, m, costs);
        let marginals = Marginals::uniform(n, m).unwrap();
        let [from_points, from_matrix] =
            [&points, &Cost::matrix(&costs).unwrap()].map(|cost| optimum(cost, &marginals).cost);
        assert!((from_points - from_matrix).abs() < 1e-13, "{d}: {from_points} against {from_matrix}");
    }
}

#[test]
fn a_random_matrix_without_geometry_is_solved() {
    let costs = matrix(400, 400, numbers(5, 160_000));
    let solution = optimum(&Cost::matrix(&costs).unwrap(), &Marginals::uniform(400, 400).unwrap());
    // The mean cost of a random assignment tends to π² / 6n (Aldous 2001).
    assert!((solution.cost * 400.0 - 1.645).abs() < 0.3, "{}", solution.cost);
}

#[test]
fn a_start_from_any_potentials_gives_the_same_cost() {
    let cost = Cost::points(&cloud(1, 500, 3), &cloud(2, 500, 3), Ground::SquaredEuclidean).unwrap();
    let marginals = Marginals::uniform(500, 500).unwrap();
    let cold = optimum(&cost, &marginals);
    let from = |f: &[f64], g: &[f64]| {
        let options = ExactOptions { plan: true, start: Some((f, g)), watch: None };
        let solution = exact(&cost, &marginals, options).unwrap();
        check(&cost, &marginals, &solution);
        assert!(solution.converged && (solution.cost - cold.cost).abs() < 1e-14);
        solution.iterations
    };
    let warm = from(&cold.potential_f, &cold.potential_g);
    // Candidates and a first basis that are chosen badly would cost several times as many pivots.
    assert!(warm * 2 < cold.iterations && cold.iterations < 6000, "{warm}, {} pivots", cold.iterations);
    from(&numbers(3, 500), &numbers(4, 500));
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let cost = Cost::points(&cloud(1, 700, 3), &cloud(2, 400, 3), Ground::Euclidean).unwrap();
    let marginals = Marginals::uniform(700, 400).unwrap();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| optimum(&cost, &marginals))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn a_solver_that_is_stopped_returns_a_plan_and_bounds() {
    let cost = Cost::points(&cloud(1, 600, 3), &cloud(2, 600, 3), Ground::SquaredEuclidean).unwrap();
    let marginals = Marginals::uniform(600, 600).unwrap();
    let best = optimum(&cost, &marginals).cost;
    for stop in [1, 2] {
        let mut seen = Vec::new();
        let mut watch = |progress: &ExactProgress| {
            seen.push(*progress);
            seen.len() < stop
        };
        // A start without information makes rounds of pricing necessary.
        let zeros = [0.0; 600];
        let options = ExactOptions { plan: true, start: Some((&zeros, &zeros)), watch: Some(&mut watch) };
        let stopped = exact(&cost, &marginals, options).unwrap();
        assert_eq!(seen.len(), stop);
        assert!(!stopped.converged);
        check(&cost, &marginals, &stopped);
        assert!(stopped.lower_bound < best && best < stopped.upper_bound, "{best} outside {stopped:?}");
        for progress in seen {
            assert!(progress.lower_bound < best && best < progress.upper_bound, "{progress:?}");
        }
    }
}

#[test]
fn costs_in_single_precision_are_exact_for_their_points() {
    let (x, y) = (numbers(1, 900), numbers(2, 900));
    let narrow = |x: &[f64]| Tensor::from_vec(&[300, 3], x.iter().map(|x| *x as f32).collect()).unwrap();
    let single = Cost::points(&narrow(&x), &narrow(&y), Ground::SquaredEuclidean).unwrap();
    let double = Cost::points(&matrix(300, 3, x), &matrix(300, 3, y), Ground::SquaredEuclidean).unwrap();
    let marginals = Marginals::uniform(300, 300).unwrap();
    let single = exact(&single, &marginals, ExactOptions::default()).unwrap();
    let gap = single.upper_bound - single.lower_bound;
    assert!(single.converged && single.plan.is_none() && gap.abs() < 1e-15, "{gap:e}");
    let difference = (single.cost - optimum(&double, &marginals).cost).abs();
    assert!(difference < 1e-7, "{difference:e}");
}

#[test]
fn wrong_input_is_refused_with_a_sentence() {
    let costs = matrix(2, 2, vec![0.0, 1.0, f64::NAN, 0.0]);
    assert!(matches!(Cost::matrix(&costs), Err(Error::InvalidArgument { .. })));
    let cost = Cost::points(&cloud(1, 3, 1), &cloud(2, 2, 1), Ground::Euclidean).unwrap();
    let attempt = |marginals: Marginals, start| {
        exact(&cost, &marginals, ExactOptions { start, ..Default::default() }).unwrap_err().to_string()
    };
    let uniform = |n, m| Marginals::uniform(n, m).unwrap();
    assert!(attempt(uniform(2, 3), None).contains("expected shape (3, 2), found (2, 3)"));
    assert!(attempt(uniform(3, 2), Some((&[0.0; 3], &[0.0; 3]))).contains("potentials to start from"));
    assert!(attempt(uniform(3, 2), Some((&[0.0; 3], &[0.0, f64::NAN]))).contains("a potential of NaN"));
}

/// Situations in which other programs failed: the numbers in brackets are issues of POT unless another is named.
mod elsewhere {
    use super::*;

    /// (#342) A zero plan, for weights whose sums differ by rounding.
    #[test]
    fn weights_in_single_and_double_precision() {
        let marginals = Marginals::new(&[f64::from(0.2_f32); 5], &[0.2; 5]).unwrap();
        let cost = Cost::points(&cloud(1, 5, 2), &cloud(2, 5, 2), Ground::SquaredEuclidean).unwrap();
        let expected = best_permutation(5, &|i, j| cost.at(i, j));
        assert!((optimum(&cost, &marginals).cost - expected).abs() < 1e-15);
    }

    /// (#229) A plan that is not optimal, with costs of 1e32 for pairs that must not be used.
    #[test]
    fn forbidden_pairs_with_an_enormous_cost() {
        for seed in 0..50 {
            let draw = numbers(seed, 50);
            let allowed = |i: usize, j: usize| i == j || draw[25 + i * 5 + j] < 0.4;
            let at = |i: usize, j: usize| if allowed(i, j) { draw[i * 5 + j] } else { 1e32 };
            let costs = matrix(5, 5, (0..25).map(|k| at(k / 5, k % 5)).collect());
            let solution = optimum(&Cost::matrix(&costs).unwrap(), &Marginals::uniform(5, 5).unwrap());
            let expected = best_permutation(5, &at);
            assert!((solution.cost - expected).abs() < 1e-15, "{} against {expected}", solution.cost);
            assert!((solution.lower_bound - expected).abs() < 1e-13);
        }
    }

    /// A cost of 1e32 that every plan must use.
    #[test]
    fn an_enormous_cost_that_no_plan_avoids() {
        let costs = matrix(2, 2, vec![1e32, 1.0, 1e32, 2.0]);
        let solution = optimum(&Cost::matrix(&costs).unwrap(), &Marginals::uniform(2, 2).unwrap());
        assert_eq!(solution.cost, 5e31);
    }

    /// (#93) "Infeasible" for masses of 1 each, 292 against 2.
    #[test]
    fn masses_of_one_on_sides_of_different_size() {
        let marginals = Marginals::normalised(&[1.0; 292], &[1.0; 2]).unwrap();
        let costs = matrix(292, 2, vec![1.0; 584]);
        assert!((optimum(&Cost::matrix(&costs).unwrap(), &marginals).cost - 1.0).abs() < 1e-14);
    }

    /// (#126) "Infeasible" for histograms with masses over hundreds of orders of magnitude.
    #[test]
    fn masses_that_are_a_softmax_of_large_numbers() {
        let softmax = |seed| {
            let logits: Vec<f64> = numbers(seed, 625).into_iter().map(|x| 1000.0 * x).collect();
            let largest = logits.iter().copied().fold(0.0, f64::max);
            logits.into_iter().map(|x| (x - largest).exp()).collect::<Vec<f64>>()
        };
        let grid: Vec<f64> = (0..625).flat_map(|k| [f64::from(k / 25), f64::from(k % 25)]).collect();
        let grid = matrix(625, 2, grid);
        let cost = Cost::points(&grid, &grid, Ground::SquaredEuclidean).unwrap();
        let _ = optimum(&cost, &Marginals::normalised(&softmax(1), &softmax(2)).unwrap());
    }

    /// (#24) A plan with a mass of 0 or 0.716, for sides of very different size in 95 dimensions.
    #[test]
    fn few_points_against_many_in_high_dimension() {
        let cost = Cost::points(&cloud(1, 60, 95), &cloud(2, 2000, 95), Ground::Euclidean).unwrap();
        let _ = optimum(&cost, &Marginals::uniform(60, 2000).unwrap());
    }

    /// (#117, #397) An overflow for 62,332 x 53,526 pairs. Few places differ, so that the test is quick.
    #[test]
    fn more_pairs_than_a_signed_integer_counts() {
        let (n, m) = (62_332, 53_526);
        let points = |count: usize, step: usize| {
            matrix(count, 1, (0..count).map(|i| (i * step % 64) as f64).collect::<Vec<_>>())
        };
        let cost = Cost::points(&points(n, 1), &points(m, 7), Ground::Euclidean).unwrap();
        let marginals = Marginals::uniform(n, m).unwrap();
        let solution = exact(&cost, &marginals, ExactOptions { plan: true, ..Default::default() }).unwrap();
        let line = |points: Tensor<f64>| points.data().to_vec();
        let (x, y) = (line(points(n, 1)), line(points(m, 7)));
        let expected = on_the_line(&x, marginals.a(), &y, marginals.b(), &f64::abs);
        assert!((solution.cost - expected).abs() < 1e-12, "{} against {expected}", solution.cost);
        assert!(solution.converged && solution.marginal_error < 1e-12, "{}", solution.marginal_error);
    }

    /// (#34) Masses of 0, on both sides. Their potentials keep all constraints.
    #[test]
    fn masses_of_zero() {
        let cost = Cost::points(&cloud(1, 4, 2), &cloud(2, 3, 2), Ground::SquaredEuclidean).unwrap();
        let solution = optimum(&cost, &Marginals::new(&[0.0, 2.0, 0.0, 1.0], &[0.0, 3.0, 0.0]).unwrap());
        assert!((solution.cost - (2.0 * cost.at(1, 1) + cost.at(3, 1)) / 3.0).abs() < 1e-15);
    }

    /// (ott#651) A power of the cost in the wrong place: a shift by t costs |t|² or |t|, and no root is taken.
    #[test]
    fn a_shift_costs_its_length_or_its_square() {
        let x = cloud(1, 300, 2);
        let moved: Vec<f64> = x.data().chunks_exact(2).flat_map(|p| [p[0] + 3.0, p[1] - 4.0]).collect();
        let y = matrix(300, 2, moved);
        for (ground, expected) in GROUNDS.into_iter().zip([25.0, 5.0, 7.0]) {
            let cost = Cost::points(&x, &y, ground).unwrap();
            let found = optimum(&cost, &Marginals::uniform(300, 300).unwrap()).cost;
            assert!((found - expected).abs() < 1e-12, "{ground:?}: {found}");
        }
    }
}
