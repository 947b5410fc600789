//! Stored values of POT, written by `fixtures/pot-transport.py`.

use crate::support::{assert_close, solve};
use equilibria::Tensor;
use equilibria::transport::{Cost, Ground, Marginals, SinkhornSettings, on_a_line};

/// The cloud of the script.
fn cloud(n: usize, d: usize, seed: usize) -> (Tensor<f64>, Vec<f64>) {
    let point = |i: usize, k: usize| {
        let number = i * i * 7919 + i * 104_729 + (k + 1) * (seed + 1) * 3571 * (i + 1);
        (number % 10_007) as f64 / 10_007.0
    };
    let points = (0..n).flat_map(|i| (0..d).map(move |k| point(i, k))).collect();
    (
        Tensor::from_vec(&[n, d], points).unwrap(),
        (0..n).map(|i| ((i * 31 + seed * 17) % 11) as f64 + 1.0).collect(),
    )
}

#[test]
fn costs_agree_with_those_of_pot() {
    let text = include_str!("../../fixtures/pot-transport.txt");
    let mut lines = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let ground = match words[0] {
            "sqeuclidean" => Ground::SquaredEuclidean,
            "euclidean" => Ground::Euclidean,
            _ => Ground::CityBlock,
        };
        let [n, m, d, seed] = [1, 2, 3, 4].map(|word| words[word].parse::<usize>().unwrap());
        let [epsilon, value] = [5, 6].map(|word| words[word].parse::<f64>().unwrap());
        let ((x, a), (y, b)) = (cloud(n, d, seed), cloud(m, d, seed + 10));
        let marginals = Marginals::normalised(&a, &b).unwrap();
        let cost = Cost::points(&x, &y, ground).unwrap();
        if epsilon > 0.0 {
            let settings = SinkhornSettings { tolerance: 1e-11, ..SinkhornSettings::epsilon(epsilon) };
            let found = solve(&cost, &marginals, &settings);
            assert!(found.converged, "{line}: {found:?}");
            assert_close(found.cost, value, 1e-8, line);
        } else {
            let found = solve(&cost, &marginals, &SinkhornSettings::accuracy(0.01));
            let is_inside = found.lower_bound <= value + 1e-9 && value <= found.upper_bound + 1e-9;
            assert!(found.converged && is_inside, "{line}: {found:?}");
            if d == 1 {
                let p = if ground == Ground::SquaredEuclidean { 2.0 } else { 1.0 };
                assert_close(on_a_line(x.data(), y.data(), &marginals, p).unwrap().cost, value, 1e-12, line);
            }
        }
        lines += 1;
    }
    assert_eq!(lines, 72);
}
