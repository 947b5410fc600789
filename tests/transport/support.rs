//! Problems that several tests share.

use equilibria::Tensor;
use equilibria::rng::Stream;
use equilibria::tensor::Element;
use equilibria::transport::{Cost, Marginals, SinkhornSettings, Solution, sinkhorn};

/// Random points (n, d), uniform in the cube.
pub fn uniform(n: usize, d: usize, seed: u64) -> Tensor<f64> {
    let mut x = Tensor::zeros(&[n, d]);
    x.fill_uniform(Stream::named(seed, "evaluate"));
    x
}

/// Random masses, some of which are much smaller than others.
pub fn masses(n: usize, seed: u64) -> Vec<f64> {
    uniform(n, 1, seed).data().iter().map(|x| x * x * x + 1e-6).collect()
}

pub fn solve<T: Element>(cost: &Cost<T>, masses: &Marginals, settings: &SinkhornSettings) -> Solution {
    sinkhorn(cost, masses, settings, &mut |_| true).unwrap()
}

/// Fails unless the numbers differ by at most `bound`.
#[track_caller]
pub fn assert_close(found: f64, exact: f64, bound: f64, context: &str) {
    assert!((found - exact).abs() <= bound, "{context}: {found:.12e} is not {exact:.12e} within {bound:e}");
}
