//! Situations in which other libraries failed.

use crate::support::{assert_close, masses, solve, uniform};
use equilibria::Tensor;
use equilibria::transport::{
    Cost, Ground, Marginals, SinkhornSettings, TransportPlan, lower_bound, on_a_line,
};

#[test]
fn single_precision_fifths_beside_double_precision_fifths_move_all_mass() {
    let a: Vec<f64> = [0.2_f32; 5].iter().map(|&x| f64::from(x)).collect();
    let x = uniform(5, 2, 1);
    let cost = Cost::points(&x, &x, Ground::SquaredEuclidean).unwrap();
    let settings = SinkhornSettings { plan: true, ..SinkhornSettings::epsilon(0.01) };
    let found = solve(&cost, &Marginals::new(&a, &[0.2; 5]).unwrap(), &settings);
    let mut total = 0.0;
    found.plan.unwrap().for_each(|_, _, mass| total += mass);
    assert_close(total, 1.0, 1e-6, "total mass");
}

#[test]
fn costs_of_all_magnitudes_give_finite_results_and_bounds() {
    let base = uniform(8, 6, 2);
    for scale in [1e-300, 1e-20, 1.0, 1e20, 1e32, 1e300] {
        let mut matrix = base.clone();
        matrix.data_mut().iter_mut().for_each(|x| *x *= scale);
        let cost = Cost::matrix(&matrix).unwrap();
        let mean = cost.mean();
        let marginals = Marginals::uniform(8, 6).unwrap();
        let best = solve(&cost, &marginals, &SinkhornSettings::accuracy(1e-3));
        assert!(best.converged, "scale {scale}: {best:?}");
        for factor in [1e-6, 1e-4, 1e-2, 1.0, 1e3] {
            for memory in [0, 1 << 30] {
                let settings = SinkhornSettings { memory, ..SinkhornSettings::epsilon(factor * mean) };
                let found = solve(&cost, &marginals, &settings);
                let context =
                    format!("scale {scale}, epsilon {factor} of the mean, memory {memory}: {found:?}");
                let numbers = [found.cost, found.lower_bound, found.upper_bound, found.marginal_error];
                assert!(numbers.iter().all(|x| x.is_finite()), "{context}");
                let rounding = 1e-12 * scale;
                assert!(found.lower_bound <= best.upper_bound + rounding, "{context}");
                assert!(best.lower_bound <= found.upper_bound + rounding, "{context}");
                assert!(found.converged || factor < 1e-3, "{context}");
            }
        }
    }
}

#[test]
fn one_enormous_cost_among_others_is_avoided() {
    let mut matrix = uniform(5, 5, 3);
    for i in 0..5 {
        matrix.row_mut(i)[(i + 1) % 5] = 1e32;
    }
    let cost = Cost::matrix(&matrix).unwrap();
    let found = solve(&cost, &Marginals::uniform(5, 5).unwrap(), &SinkhornSettings::epsilon(0.01));
    assert!(found.converged && found.cost < 1.0 && found.lower_bound <= found.cost, "{found:?}");
}

#[test]
fn equal_costs_and_unequal_shapes_converge_at_once() {
    let matrix = Tensor::filled(&[292, 2], 1.0);
    let found = solve(
        &Cost::matrix(&matrix).unwrap(),
        &Marginals::uniform(292, 2).unwrap(),
        &SinkhornSettings::epsilon(0.1),
    );
    assert!(found.converged && found.iterations < 5, "{found:?}");
    assert_close(found.lower_bound, 1.0, 1e-12, "lower bound");
    assert_close(found.upper_bound, 1.0, 1e-12, "upper bound");
}

#[test]
fn weights_of_a_sharp_softmax_are_balanced() {
    let sharp = |seed| -> Vec<f64> {
        let logits: Vec<f64> = uniform(625, 1, seed).data().iter().map(|x| 1000.0 * x).collect();
        let top = logits.iter().copied().fold(f64::MIN, f64::max);
        let total: f64 = logits.iter().map(|x| (x - top).exp()).sum();
        logits.iter().map(|x| (x - top).exp() / total).collect()
    };
    let grid = uniform(625, 2, 4);
    let cost = Cost::points(&grid, &grid, Ground::SquaredEuclidean).unwrap();
    let marginals = Marginals::new(&sharp(5), &sharp(6)).unwrap();
    for memory in [0, 1 << 30] {
        let found = solve(&cost, &marginals, &SinkhornSettings { memory, ..SinkhornSettings::epsilon(0.01) });
        assert!(found.converged && found.lower_bound <= found.upper_bound + 1e-12, "{found:?}");
    }
}

#[test]
fn images_of_many_pixels_converge_for_every_epsilon() {
    let (x, y) = (uniform(100, 784, 7), uniform(100, 784, 8));
    let cost = Cost::points(&x, &y, Ground::SquaredEuclidean).unwrap();
    for epsilon in [1.0, 10.0, 100.0] {
        let found = solve(&cost, &Marginals::uniform(100, 100).unwrap(), &SinkhornSettings::epsilon(epsilon));
        assert!(found.converged, "epsilon {epsilon}: error {}", found.marginal_error);
    }
}

#[test]
fn few_points_against_many_in_high_dimension_keep_all_mass() {
    let (x, y) = (uniform(60, 95, 21), uniform(2_000, 95, 22));
    let (x, y) = (x.cast::<f32>(), y.cast::<f32>());
    let cost = Cost::points(&x, &y, Ground::Euclidean).unwrap();
    let settings = SinkhornSettings { plan: true, ..SinkhornSettings::epsilon(0.05) };
    let found = solve(&cost, &Marginals::uniform(60, 2_000).unwrap(), &settings);
    let mut total = 0.0;
    found.plan.as_ref().unwrap().for_each(|_, _, mass| total += mass);
    assert_close(total, 1.0, 1e-6, "total mass");
    assert!(
        found.converged && found.lower_bound <= found.cost + 1e-6 && found.cost < 1.5 * found.lower_bound
    );
}

#[test]
fn thousands_of_bins_at_a_small_epsilon_converge() {
    let bins = 1_500;
    let x = Tensor::from_vec(&[bins, 1], (0..bins).map(|i| i as f32 / bins as f32).collect()).unwrap();
    let cost = Cost::points(&x, &x, Ground::Euclidean).unwrap();
    let peak = |centre: f64| -> Vec<f64> {
        (0..bins).map(|i| (-((i as f64 / bins as f64 - centre) / 0.05).powi(2)).exp()).collect()
    };
    let marginals = Marginals::normalised(&peak(0.3), &peak(0.7)).unwrap();
    let found = solve(&cost, &marginals, &SinkhornSettings::epsilon(0.01));
    assert!(found.converged, "{}", found.marginal_error);
    assert!(found.lower_bound <= 0.400_001 && 0.399_999 <= found.upper_bound && found.relative_gap() < 0.05);
}

#[test]
fn parts_of_the_mass_can_be_moved_without_nan() {
    let (x, y) = (uniform(40, 2, 23), uniform(30, 2, 24));
    let cost = Cost::points(&x, &y, Ground::SquaredEuclidean).unwrap();
    let marginals = Marginals::normalised(&masses(40, 25), &masses(30, 26)).unwrap();
    let mut last = 0.0;
    for penalty in [1e-3, 1e-2, 0.1, 1.0, 100.0] {
        let settings = SinkhornSettings {
            plan: true,
            penalty: Some(penalty),
            tolerance: 1e-9,
            ..SinkhornSettings::epsilon(0.1)
        };
        let found = solve(&cost, &marginals, &settings);
        let mut total = 0.0;
        found.plan.as_ref().unwrap().for_each(|_, _, mass| total += mass);
        assert!(found.converged && total > last && total < 1.0 + 1e-9, "penalty {penalty}: {total}");
        assert_close(found.lower_bound, found.upper_bound, 1e-7, "primal and dual value");
        last = total;
    }
    assert!(last > 0.99, "{last}");
}

#[test]
fn half_a_million_points_on_a_line_have_a_sparse_plan() {
    let n = 500_000;
    let x = uniform(n, 1, 27).into_vec();
    let y: Vec<f64> = x.iter().rev().map(|x| 2.0 * x + 1.0).collect();
    let found = on_a_line(&x, &y, &Marginals::uniform(n, n).unwrap(), 1.0).unwrap();
    // Every point moves by x + 1.
    let exact = x.iter().sum::<f64>() / n as f64 + 1.0;
    assert_close(found.cost, exact, 1e-10, "cost");
    assert_close(found.lower_bound, exact, 1e-10, "lower bound");
    let mut entries = 0;
    found.plan.unwrap().for_each(|_, _, _| entries += 1);
    assert!(entries < 2 * n, "{entries}");
}

#[test]
fn points_without_mass_change_nothing() {
    let (x, y) = (uniform(12, 2, 9), uniform(15, 2, 10));
    let (mut a, mut b) = (masses(12, 11), masses(15, 12));
    for i in [0, 5, 11] {
        a[i] = 0.0;
        b[i + 3] = 0.0;
    }
    let kept = |x: &Tensor<f64>, masses: &[f64]| {
        let rows: Vec<f64> =
            (0..x.rows()).filter(|&i| masses[i] > 0.0).flat_map(|i| x.row(i).to_vec()).collect();
        Tensor::from_vec(&[rows.len() / 2, 2], rows).unwrap()
    };
    let (small_x, small_y) = (kept(&x, &a), kept(&y, &b));
    let positive = |masses: &[f64]| masses.iter().copied().filter(|x| *x > 0.0).collect::<Vec<f64>>();
    for memory in [0, 1 << 30] {
        let settings = SinkhornSettings { memory, tolerance: 1e-10, ..SinkhornSettings::epsilon(0.02) };
        let all = Cost::points(&x, &y, Ground::SquaredEuclidean).unwrap();
        let all = solve(&all, &Marginals::normalised(&a, &b).unwrap(), &settings);
        let few = Cost::points(&small_x, &small_y, Ground::SquaredEuclidean).unwrap();
        let few = solve(&few, &Marginals::normalised(&positive(&a), &positive(&b)).unwrap(), &settings);
        assert_close(all.cost, few.cost, 1e-9, "cost");
        assert_close(all.lower_bound, few.lower_bound, 1e-9, "lower bound");
        assert_close(all.upper_bound, few.upper_bound, 1e-9, "upper bound");
        assert!(all.potential_f.iter().chain(&all.potential_g).all(|x| x.is_finite()));
    }
    // The potentials of the lower bound keep every constraint, also those of places without mass.
    let (cost, marginals) =
        (Cost::points(&x, &y, Ground::SquaredEuclidean).unwrap(), Marginals::normalised(&a, &b).unwrap());
    let bound = lower_bound(&cost, &marginals, &uniform(12, 1, 13).into_vec());
    for (i, f) in bound.f.iter().enumerate() {
        for (j, g) in bound.g.iter().enumerate() {
            assert!(f + g <= cost.at(i, j) + 1e-14, "({i}, {j}): {f} + {g} > {}", cost.at(i, j));
        }
    }
}

#[test]
fn unbalanced_plans_follow_the_stated_convention() {
    let matrix = Tensor::from_vec(&[2, 2], vec![0.0, 1.0, 1.0, 0.0]).unwrap();
    let cost = Cost::matrix(&matrix).unwrap();
    let plan = |a: [f64; 2], b: [f64; 2], epsilon, rho| {
        let settings = SinkhornSettings {
            penalty: Some(rho),
            plan: true,
            tolerance: 1e-12,
            ..SinkhornSettings::epsilon(epsilon)
        };
        let found = solve(&cost, &Marginals::new(&a, &b).unwrap(), &settings);
        assert!(found.converged, "{found:?}");
        // Strong duality.
        assert_close(found.lower_bound, found.upper_bound, 1e-10, "primal and dual value");
        let Some(TransportPlan::Dense(plan)) = found.plan else { panic!("a plan was requested") };
        plan.into_vec()
    };
    // Masses of 1/2, epsilon = rho = 1: f = g = -ln((1 + 1/e)/2) / 3.
    let f = -((1.0 + (-1_f64).exp()) / 2.0).ln() / 3.0;
    let exact = [0.25 * (2.0 * f).exp(), 0.25 * (2.0 * f - 1.0).exp()];
    for (found, at) in plan([0.5; 2], [0.5; 2], 1.0, 1.0).into_iter().zip([0, 1, 1, 0]) {
        assert_close(found, exact[at], 1e-11, "epsilon = rho = 1");
    }
    assert_close(exact[0], 0.322, 5e-4, "the convention: entropy relative to the product of the masses");
    // Against a plain loop of the two lines.
    let (a, b, epsilon, rho) = ([0.3, 0.7], [0.7, 0.3], 0.01, 100.0);
    let (mut f, mut g) = ([0.0; 2], [0.0; 2]);
    let line = |mass: [f64; 2], potential: [f64; 2]| -> [f64; 2] {
        [0, 1].map(|i| {
            let c = |j: usize| if i == j { 0.0 } else { 1.0 };
            let least = (0..2).map(|j| c(j) - potential[j]).fold(f64::MAX, f64::min);
            let sum: f64 = (0..2).map(|j| mass[j] * ((least - c(j) + potential[j]) / epsilon).exp()).sum();
            (least - epsilon * sum.ln()) * rho / (rho + epsilon)
        })
    };
    for _ in 0..400_000 {
        f = line(b, g);
        g = line(a, f);
    }
    for (at, found) in plan(a, b, epsilon, rho).into_iter().enumerate() {
        let (i, j) = (at / 2, at % 2);
        let exact = a[i] * b[j] * ((f[i] + g[j] - if i == j { 0.0 } else { 1.0 }) / epsilon).exp();
        assert_close(found, exact, 1e-6, "epsilon 0.01, rho 100");
    }
}

#[test]
fn translation_scaling_and_exchange_do_what_they_must() {
    let (x, y) = (uniform(30, 3, 13), uniform(25, 3, 14));
    let marginals = Marginals::normalised(&masses(30, 15), &masses(25, 16)).unwrap();
    let settings = |epsilon| SinkhornSettings { tolerance: 1e-11, ..SinkhornSettings::epsilon(epsilon) };
    let run = |x: &Tensor<f64>, y: &Tensor<f64>, marginals: &Marginals, epsilon| {
        solve(&Cost::points(x, y, Ground::SquaredEuclidean).unwrap(), marginals, &settings(epsilon))
    };
    let plain = run(&x, &y, &marginals, 0.05);
    let exchanged = run(&y, &x, &marginals.clone().swapped(), 0.05);
    let moved = |x: &Tensor<f64>, scale: f64, by: f64| {
        let mut x = x.clone();
        x.data_mut().iter_mut().for_each(|x| *x = scale * *x + by);
        x
    };
    let far = run(&moved(&x, 1.0, 1e6), &moved(&y, 1.0, 1e6), &marginals, 0.05);
    let large = run(&moved(&x, 1e3, 0.0), &moved(&y, 1e3, 0.0), &marginals, 0.05 * 1e6);
    for (name, other, scale, bound) in
        [("exchange", exchanged, 1.0, 1e-9), ("translation", far, 1.0, 1e-8), ("scaling", large, 1e6, 1e-9)]
    {
        assert_close(other.cost / scale, plain.cost, bound, name);
        assert_close(other.lower_bound / scale, plain.lower_bound, bound, name);
        assert_close(other.upper_bound / scale, plain.upper_bound, bound, name);
    }
}

#[test]
fn single_precision_agrees_with_double_precision() {
    let (x, y) = (uniform(60, 3, 17), uniform(50, 3, 18));
    let marginals = Marginals::uniform(60, 50).unwrap();
    let wide = Cost::points(&x, &y, Ground::SquaredEuclidean).unwrap();
    let (x, y) = (x.cast::<f32>(), y.cast());
    let narrow = Cost::points(&x, &y, Ground::SquaredEuclidean).unwrap();
    for (memory, tolerance, bound) in [(1 << 30, 1e-6, 1e-6), (0, 1e-4, 1e-4), (0, 1e-9, 1e-6)] {
        let settings = SinkhornSettings { memory, tolerance, ..SinkhornSettings::epsilon(0.01) };
        let (narrow, wide) = (solve(&narrow, &marginals, &settings), solve(&wide, &marginals, &settings));
        assert!(narrow.converged && wide.converged, "{narrow:?}");
        assert_close(narrow.cost, wide.cost, bound, "cost");
        assert_close(narrow.upper_bound, wide.upper_bound, 10.0 * bound, "upper bound");
    }
}

#[test]
fn duplicates_and_single_points_are_allowed() {
    let one = Tensor::from_vec(&[1, 2], vec![0.0, 0.0]).unwrap();
    let same = Tensor::filled(&[7, 2], 3.0);
    let cost = Cost::points(&one, &same, Ground::Euclidean).unwrap();
    let found = solve(&cost, &Marginals::uniform(1, 7).unwrap(), &SinkhornSettings::epsilon(0.1));
    assert_close(found.cost, 18_f64.sqrt(), 1e-12, "from one point");
    let cost = Cost::points(&same, &same, Ground::SquaredEuclidean).unwrap();
    for settings in [SinkhornSettings::epsilon(1e-3), SinkhornSettings::accuracy(0.01)] {
        let found = solve(&cost, &Marginals::uniform(7, 7).unwrap(), &settings);
        assert!(found.converged, "{found:?}");
        assert_eq!((found.cost, found.lower_bound, found.upper_bound), (0.0, 0.0, 0.0));
    }
}

#[test]
fn impossible_inputs_are_refused_with_both_sums() {
    let message = |a: &[f64], b: &[f64]| Marginals::new(a, b).unwrap_err().to_string();
    let text = message(&[1.0, 2.0], &[4.0]);
    assert!(text.contains("sum of 3") && text.contains("sum of 4"), "{text}");
    assert!(message(&[1.0, -1.0], &[1.0]).starts_with("mass -1 of source point 1"));
    assert!(message(&[1.0], &[f64::NAN]).contains("target point 0"));
    assert!(message(&[0.0], &[0.0]).contains("sum of 0"));
    assert!(message(&[], &[1.0]).contains("without points"));
    let matrix = Tensor::from_vec(&[1, 2], vec![1.0, f64::NAN]).unwrap();
    assert_eq!(
        Cost::matrix(&matrix).unwrap_err().to_string(),
        "cost NaN in row 0, column 1: a cost is a finite number"
    );
    let far = Tensor::from_vec(&[1, 1], vec![1e30_f32]).unwrap();
    let error =
        Cost::points(&far, &Tensor::zeros(&[1, 1]), Ground::SquaredEuclidean).unwrap_err().to_string();
    assert!(error.contains("scale the points down"), "{error}");
    assert!(
        Cost::points(&Tensor::<f64>::zeros(&[2, 3]), &Tensor::zeros(&[2, 2]), Ground::Euclidean).is_err()
    );
}
