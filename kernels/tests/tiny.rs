//! Do gradients, velocities and optimiser states stay free of denormal numbers, for all inputs?

#[path = "support/samples.rs"]
mod samples;

use equilibria_kernels::binary::{SparseRows, Step, Sums, TILE, Tile, update_tile};
use equilibria_kernels::gemm::workspace_len;
use equilibria_kernels::normalise::{
    Batches, batch_backward, batch_forward, layer_curvature, layer_forward, layer_jacobian,
};
use equilibria_kernels::{
    Activation, Level, MatrixMut, MatrixRef, MatrixScalar, Scalar, activation, gemm_times_slope, update,
};
use samples::uneven;

/// The exponents of a type: of the smallest denormal number, the smallest normal number, and `TINY`.
fn exponents<T: Scalar>() -> [i32; 3] {
    if T::FRACTION_BITS == 23 { [-149, -126, -56] } else { [-1074, -1022, -504] }
}

/// 2^n, exact even if denormal.
fn power(n: i32) -> f64 {
    let half = n / 2;
    2_f64.powi(half) * 2_f64.powi(n - half)
}

/// Numbers of both signs and of every size from the smallest denormal number to 1.
fn of_every_size<T: Scalar>(length: usize, seed: u64) -> Vec<T> {
    let [smallest, ..] = exponents::<T>();
    let fractions = uneven::<T>(length, seed);
    let size = |i: usize| power(smallest + (i as i32 * 37 + seed as i32) % (1 - smallest));
    fractions.iter().enumerate().map(|(i, x)| T::from_f64(x.to_f64() * size(i))).collect()
}

fn is_denormal<T: Scalar>(x: T) -> bool {
    x != T::ZERO && x.to_f64().abs() < power(exponents::<T>()[1])
}

/// Fails if a nonzero element is smaller than `TINY`.
#[track_caller]
fn assert_no_tiny<T: Scalar>(x: &[T], context: &str) {
    for (i, &x) in x.iter().enumerate() {
        let size = x.to_f64().abs();
        assert!(size == 0.0 || size >= T::TINY.to_f64(), "{i} of {context}: {x:e}", x = x.to_f64());
    }
    // Otherwise the test would check nothing.
    assert!(x.contains(&T::ZERO) && x.iter().any(|&x| x != T::ZERO), "{context}");
}

const KINDS: [fn(f64) -> Activation<f64>; 6] = [
    |_| Activation::Identity,
    |_| Activation::Relu,
    |slope| Activation::LeakyRelu { slope },
    |_| Activation::Sigmoid,
    |_| Activation::Tanh,
    |_| Activation::Softplus,
];

fn of_type<T: Scalar>(activation: Activation<f64>) -> Activation<T> {
    match activation {
        Activation::Relu => Activation::Relu,
        Activation::LeakyRelu { slope } => Activation::LeakyRelu { slope: T::from_f64(slope) },
        Activation::Sigmoid => Activation::Sigmoid,
        Activation::Tanh => Activation::Tanh,
        Activation::Softplus => Activation::Softplus,
        _ => Activation::Identity,
    }
}

/// Calls `run` with every level and activation, for either type.
fn over_activations<T: Scalar>(run: impl Fn(Level, Activation<T>, &str)) {
    for level in Level::available() {
        for kind in KINDS.map(|kind| kind(0.2)) {
            run(level, of_type(kind), &format!("{kind:?} at level {}", level.name()));
        }
    }
}

/// Lengths of whole vectors, partial vectors, and several tasks.
const LENGTHS: [usize; 3] = [61, 512, 40_003];

fn check_slopes<T: Scalar>() {
    over_activations::<T>(|level, kind, context| {
        for length in LENGTHS {
            let (y, gradient) = (uneven::<T>(length, 1), of_every_size::<T>(length, 2));
            let y: Vec<T> = y.iter().map(|y| T::from_f64(y.to_f64().abs())).collect();
            let mut out = vec![T::ONE; length];
            activation::times_slope(level, kind, &y, &gradient, &mut out);
            assert_no_tiny(&out, context);
            for (i, &out) in out.iter().enumerate() {
                assert!(gradient[i] != T::ONE || out != T::ZERO, "{i} of {context}");
            }
            if kind != Activation::Identity {
                let mut in_place = gradient.clone();
                activation::times_slope_in_place(level, kind, &y, &mut in_place);
                assert_eq!(in_place, out, "{context}");
            }
            let (mut tangent, mut curvature) = (gradient.clone(), vec![T::ONE; length]);
            activation::tangent_and_curvature(
                level,
                kind,
                &y,
                &of_every_size(length, 5),
                &mut tangent,
                &mut curvature,
            );
            assert_no_tiny(&tangent, context);
            if !kind.is_piecewise_linear() {
                assert_no_tiny(&curvature, context);
            }
        }
    });
}

#[test]
fn gradients_through_an_activation_are_zero_or_not_tiny() {
    check_slopes::<f32>();
    check_slopes::<f64>();
}

fn check_products<T: MatrixScalar>() {
    over_activations::<T>(|level, kind, context| {
        // One row, a tile, and several tasks; C contiguous by rows, by columns, and with gaps.
        for (m, n) in [(1, 100), (13, 37), (70, 600)] {
            for (row, column) in [(n, 1), (1, m), (2 * n, 2)] {
                // The elements of each row of B are equal, with a different size for each row.
                let k = 9;
                let sizes = of_every_size::<T>(n, 3);
                let a = vec![T::from_f64(0.5); m * k];
                let b: Vec<T> = sizes.iter().copied().cycle().take(k * n).collect();
                let y: Vec<T> = uneven::<T>(m * n, 4).iter().map(|y| T::from_f64(y.to_f64().abs())).collect();
                let mut c = vec![T::ZERO; 2 * m * n];
                let mut workspace = vec![T::ZERO; workspace_len::<T>(level, m, n, k)];
                gemm_times_slope(
                    level,
                    T::ONE,
                    MatrixRef::new(&a, m, k),
                    MatrixRef::new(&b, k, n),
                    MatrixMut::with_strides(&mut c, m, n, row, column),
                    kind,
                    MatrixRef::new(&y, m, n),
                    &mut workspace,
                );
                let places = (0..m).flat_map(|i| (0..n).map(move |j| i * row + j * column));
                let c: Vec<T> = places.map(|place| c[place]).collect();
                assert_no_tiny(&c, &format!("{m} x {n} with strides {row}, {column}, {context}"));
            }
        }
    });
}

#[test]
fn gradients_through_a_product_are_zero_or_not_tiny() {
    check_products::<f32>();
    check_products::<f64>();
}

/// Rows that each have gradients of one size.
fn rows_of_every_size<T: Scalar>(rows: usize, columns: usize) -> Vec<T> {
    let sizes = of_every_size::<T>(rows, 6);
    let numbers = uneven::<T>(rows * columns, 7);
    numbers.iter().enumerate().map(|(i, x)| T::from_f64(x.to_f64() * sizes[i / columns].to_f64())).collect()
}

fn check_normalisation<T: Scalar>() {
    for level in Level::available() {
        let (rows, columns) = (100, 37);
        let context = format!("at level {}", level.name());
        let (x, gradient) = (uneven::<T>(rows * columns, 8), rows_of_every_size::<T>(rows, columns));
        let epsilon = T::from_f64(1e-5);
        let (gamma, beta) = (vec![T::ONE; columns], vec![T::ZERO; columns]);
        let mut y = x.clone();

        // Transposed, so that each column of a mini-batch has one size.
        let shape = Batches::new(1, columns, rows);
        let delta: Vec<T> = (0..rows * columns).map(|i| gradient[i % rows * columns + i / rows]).collect();
        let (ones, zeros) = (vec![T::ONE; rows], vec![T::ZERO; rows]);
        let (mut statistics, mut sums) = (vec![T::ZERO; 3 * rows], vec![T::ZERO; 2 * rows]);
        let identity = Activation::Identity;
        batch_forward(level, &x, shape, (&ones, &zeros), epsilon, identity, &mut statistics, &mut y);
        let mut dx = vec![T::ONE; x.len()];
        batch_backward(level, &x, &delta, shape, &ones, &statistics, &mut sums, Some(&mut dx));
        assert_no_tiny(&dx, &format!("batch normalisation {context}"));

        let (mut normal, mut scales) = (x.clone(), vec![T::ZERO; rows]);
        layer_forward(level, &x, (&gamma, &beta), epsilon, identity, &mut normal, &mut scales, &mut y);
        let normal = (&normal[..], &scales[..]);
        for gamma in [None, Some(&gamma[..])] {
            layer_jacobian(level, normal, gamma, &gradient, &mut dx);
            assert_no_tiny(&dx, &format!("layer normalisation {context}"));
        }
        layer_curvature(level, normal, &gamma, &gradient, &x, Some(&gradient), &mut dx);
        assert_no_tiny(&dx, &format!("layer normalisation's curvature {context}"));
    }
}

#[test]
fn gradients_through_a_normalisation_are_zero_or_not_tiny() {
    check_normalisation::<f32>();
    check_normalisation::<f64>();
}

/// A step of a rule: gradient, two states, parameter.
type Kernel<T> = fn(Level, &[T], &mut [T], &mut [T], &mut [T]) -> bool;

fn rules<T: Scalar>() -> [(&'static str, Kernel<T>); 3] {
    let momentum: Kernel<T> = |level, g, velocity, _, p| {
        let [rate, momentum, infinity] = [0.1, 0.9, f64::INFINITY].map(T::from_f64);
        update::descend(level, update::Momentum { rate, momentum }, infinity, g, [velocity], p)
    };
    let rms_prop: Kernel<T> = |level, g, square, _, p| {
        let [rate, decay, epsilon, infinity] = [1e-3, 0.9, 1e-8, f64::INFINITY].map(T::from_f64);
        update::descend(level, update::RmsProp { rate, decay, epsilon }, infinity, g, [square], p)
    };
    let adam: Kernel<T> = |level, g, mean, square, p| {
        let [rate, mean_decay, square_decay, epsilon] = [1e-3, 0.5, 0.9, 1e-8].map(T::from_f64);
        let rule = update::Adam { rate, mean_decay, square_decay, epsilon };
        update::descend(level, rule, T::from_f64(f64::INFINITY), g, [mean, square], p)
    };
    [("momentum", momentum), ("RMSProp", rms_prop), ("Adam", adam)]
}

fn check_states<T: Scalar>() {
    let length = 150;
    // 0.9 to this power is below the smallest number.
    let steps = (-f64::from(exponents::<T>()[0]) / -0.9_f64.log2()) as usize + 50;
    for level in Level::available() {
        for (name, kernel) in rules::<T>() {
            let gradient = of_every_size::<T>(length, 9);
            let [mut first, mut second] = [(); 2].map(|()| vec![T::ZERO; length]);
            let mut parameter = uneven::<T>(length, 10);
            let none = vec![T::ZERO; length];
            for step in 0..steps {
                let context = format!("{name}, step {step} at level {}", level.name());
                let gradient = if step < 3 { &gradient } else { &none };
                assert!(kernel(level, gradient, &mut first, &mut second, &mut parameter), "{context}");
                let denormal = first.iter().chain(&second).filter(|&&x| is_denormal(x)).count();
                assert_eq!(denormal, 0, "{context}");
            }
            let left = first.iter().chain(&second).filter(|&&x| x != T::ZERO).count();
            assert_eq!(left, 0, "{name} at level {}: states that do not become 0", level.name());
        }
    }
}

#[test]
fn states_shrink_to_zero_and_are_never_denormal() {
    check_states::<f32>();
    check_states::<f64>();
}

/// The velocities of a Boltzmann machine; the gradient sums of pixels that are never on are 0.
fn check_velocities<T: Scalar>() {
    let velocities = of_every_size::<T>(TILE, 12);
    for level in Level::available() {
        let context = format!("at level {}", level.name());
        let (mut velocity, mut parameter) = (velocities.clone(), uneven::<T>(TILE, 13));
        assert!(update::add_velocity(level, T::ZERO, &mut velocity, &mut parameter), "{context}");
        assert!(!velocity.iter().any(|&x| is_denormal(x)), "{context}");

        let (mut velocity, mut weight, mut transposed) =
            (velocities.clone(), uneven::<T>(TILE, 13), vec![T::ZERO; TILE]);
        let order: Vec<u32> = (0..64).collect();
        let none = SparseRows { starts: &[0; 65], offsets: &[], factors: &[], order: &order };
        let sums = Sums::Listed { lists: none, values: &[] };
        let step = Step { momentum: T::from_f64(0.9), shrink: T::ZERO };
        let tile = Tile { weight: &mut weight, velocity: &mut velocity, transposed: &mut transposed };
        assert!(update_tile(level, sums, step, 64, 64, tile), "{context}");
        assert!(!velocity.iter().any(|&x| is_denormal(x)), "{context}");
        assert!(velocity.iter().any(|&x| x != T::ZERO), "{context}");
    }
}

#[test]
fn velocities_are_never_denormal() {
    check_velocities::<f32>();
    check_velocities::<f64>();
}

/// If a mean square became 0 while its gradient counts, a step could have any size.
fn check_steps<T: Scalar>() {
    for level in Level::available() {
        for (name, kernel) in rules::<T>() {
            let gradient = of_every_size::<T>(300, 11);
            let [mut first, mut second, mut parameter] = [(); 3].map(|()| vec![T::ZERO; 300]);
            for _ in 0..3 {
                kernel(level, &gradient, &mut first, &mut second, &mut parameter);
            }
            // For a rule that divides by the root, a step is at most the rate over √(1 - decay), 0.0032.
            let most = if name == "momentum" { 1.0 } else { 0.0096 };
            for (i, (p, g)) in parameter.iter().zip(&gradient).enumerate() {
                let (p, g) = (p.to_f64(), g.to_f64());
                let context = format!("{name}, {i} at level {}", level.name());
                assert!(p.abs() <= most, "{context}: {p} by the gradient {g}");
                assert!((p == 0.0) == (g.abs() < T::TINY.to_f64()), "{context}: {p} by the gradient {g}");
            }
        }
    }
}

#[test]
fn steps_with_small_gradients_are_no_larger_than_others() {
    check_steps::<f32>();
    check_steps::<f64>();
}
