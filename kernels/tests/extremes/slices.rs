//! Cases of functions whose sizes are the lengths of their slices.

use super::{Case, LENGTHS, SIZES, Zeros, at_levels, attempt};
use equilibria_kernels::convert::Stored;
use equilibria_kernels::random::{self, Xoshiro256PlusPlusX8};
use equilibria_kernels::{
    Activation, Level, Scalar, activation, convert, elementwise, math, peak, reduce, threads, update,
};

pub fn cases() -> Vec<Case> {
    vec![
        (
            &[
                "activation: apply_in_place",
                "activation: times_slope_in_place",
                "activation: times_slope",
                "activation: tangent_and_curvature",
                "activation: Activation::is_piecewise_linear",
            ],
            || at_levels(|level| (activations::<f32>(level), activations::<f64>(level)).0),
        ),
        (&["array: array"], || assert_eq!(equilibria_kernels::array::<usize, 3>(|i| 2 * i), [0, 2, 4])),
        (
            &[
                "elementwise: scale",
                "elementwise: scale_in_place",
                "elementwise: axpy",
                "elementwise: add",
                "elementwise: add_in_place",
                "elementwise: sub",
                "elementwise: sub_in_place",
                "elementwise: mul",
                "elementwise: mul_in_place",
                "elementwise: is_finite",
            ],
            || at_levels(|level| (element_by_element::<f32>(level), element_by_element::<f64>(level)).0),
        ),
        (&["convert: widen", "convert: load", "convert: dot", "convert: axpy"], || at_levels(conversions)),
        (
            &[
                "math: exp",
                "math: exp_in_place",
                "math: ln",
                "math: ln_in_place",
                "math: sigmoid",
                "math: sigmoid_in_place",
                "math: log_sigmoid",
                "math: log_sigmoid_in_place",
                "math: softplus",
                "math: softplus_in_place",
                "math: tanh",
                "math: tanh_in_place",
            ],
            || at_levels(|level| (functions::<f32>(level), functions::<f64>(level)).0),
        ),
        (
            &[
                "random/bernoulli: bernoulli_from_logits",
                "random/bernoulli: bernoulli_from_logits_with_probabilities",
                "random/bernoulli: bernoulli_from_probabilities",
                "random/bernoulli: bernoulli_in_place",
                "random/normal: fill_normal",
                "random/uniform: fill_uniform",
                "random/uniform: fill_words",
                "random/xoshiro: Xoshiro256PlusPlusX8::from_seed_u64",
                "random/xoshiro: Xoshiro256PlusPlusX8::from_state",
                "random/xoshiro: Xoshiro256PlusPlusX8::state",
            ],
            || at_levels(|level| (numbers::<f32>(level), numbers::<f64>(level)).0),
        ),
        (
            &[
                "reduce/sum: sum",
                "reduce/sum: sum_f64",
                "reduce/sum: dot",
                "reduce/sum: squared_norm",
                "reduce/max: max",
                "reduce/max: log_sum_exp",
                "reduce/softplus: softplus_sum",
                "reduce/log_mixture: log_mixture",
            ],
            || at_levels(|level| (reductions::<f32>(level), reductions::<f64>(level)).0),
        ),
        (&["update: add_velocity", "update: average", "update/descent: descend"], || {
            at_levels(|level| (updates::<f32>(level), updates::<f64>(level)).0)
        }),
        (
            &[
                "level: Level::available",
                "level: Level::detect",
                "level: Level::from_environment",
                "level: Level::name",
                "level: Level::named",
            ],
            levels,
        ),
        (&["peak: multiply_add_chains"], peaks),
        (&["threads: count", "threads: for_each", "threads: for_each_chunk"], tasks),
    ]
}

/// Calls `run` with every combination of `N` lengths.
fn over_lengths<const N: usize>(mut run: impl FnMut([usize; N])) {
    let count = LENGTHS.len();
    for choice in 0..count.pow(N as u32) {
        run(std::array::from_fn(|i| LENGTHS[choice / count.pow(i as u32) % count]));
    }
}

fn activations<T: Scalar>(level: Level) {
    let [x, y] = [Zeros::<T>::new(), Zeros::new()];
    let [mut out, mut other] = [Zeros::<T>::new(), Zeros::new()];
    let slope = T::from_f64(0.2);
    for kind in [
        Activation::Identity,
        Activation::Relu,
        Activation::LeakyRelu { slope },
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Softplus,
    ] {
        attempt(|| kind.is_piecewise_linear());
        over_lengths(|[a, b]| {
            attempt(|| activation::apply_in_place(level, kind, out.last_mut(a)));
            attempt(|| activation::times_slope_in_place(level, kind, x.last(a), out.last_mut(b)));
        });
        over_lengths(|[a, b, c]| {
            attempt(|| activation::times_slope(level, kind, x.last(a), y.last(b), out.last_mut(c)));
        });
        over_lengths(|[a, b, c, d]| {
            let (x, y) = (x.last(a), y.last(b));
            attempt(|| {
                activation::tangent_and_curvature(level, kind, x, y, out.last_mut(c), other.last_mut(d))
            });
        });
    }
}

fn conversions(level: Level) {
    let (floats, halves, integers) = (Zeros::<[u8; 4]>::new(), Zeros::<[u8; 2]>::new(), Zeros::<i8>::new());
    let (x, mut out) = (Zeros::new(), Zeros::new());
    attempt(|| convert::widen(0));
    over_lengths(|[a, b]| {
        for stored in
            [Stored::F32(floats.last(a)), Stored::F16(halves.last(a)), Stored::I8(integers.last(a), 0.5)]
        {
            attempt(|| convert::load(level, stored, out.last_mut(b)));
            attempt(|| convert::dot(level, stored, x.last(b)));
            attempt(|| convert::axpy(level, 0.5, stored, out.last_mut(b)));
        }
    });
}

fn element_by_element<T: Scalar>(level: Level) {
    let ([x, y], mut out) = ([Zeros::<T>::new(), Zeros::new()], Zeros::<T>::new());
    over_lengths(|[a, b]| {
        attempt(|| elementwise::scale(level, T::ONE, x.last(a), out.last_mut(b)));
        attempt(|| elementwise::scale_in_place(level, T::ONE, out.last_mut(a)));
        attempt(|| elementwise::axpy(level, T::ONE, x.last(a), out.last_mut(b)));
        attempt(|| elementwise::add_in_place(level, out.last_mut(a), x.last(b)));
        attempt(|| elementwise::sub_in_place(level, out.last_mut(a), x.last(b)));
        attempt(|| elementwise::mul_in_place(level, out.last_mut(a), x.last(b)));
        attempt(|| elementwise::is_finite(level, x.last(a)));
    });
    over_lengths(|[a, b, c]| {
        attempt(|| elementwise::add(level, x.last(a), y.last(b), out.last_mut(c)));
        attempt(|| elementwise::sub(level, x.last(a), y.last(b), out.last_mut(c)));
        attempt(|| elementwise::mul(level, x.last(a), y.last(b), out.last_mut(c)));
    });
}

fn functions<T: Scalar>(level: Level) {
    let (x, mut out) = (Zeros::<T>::new(), Zeros::<T>::new());
    type Function<T> = fn(Level, &[T], &mut [T]);
    type InPlace<T> = fn(Level, &mut [T]);
    let functions: [(Function<T>, InPlace<T>); 6] = [
        (math::exp, math::exp_in_place),
        (math::ln, math::ln_in_place),
        (math::sigmoid, math::sigmoid_in_place),
        (math::log_sigmoid, math::log_sigmoid_in_place),
        (math::softplus, math::softplus_in_place),
        (math::tanh, math::tanh_in_place),
    ];
    for (function, in_place) in functions {
        over_lengths(|[a, b]| {
            attempt(|| function(level, x.last(a), out.last_mut(b)));
            attempt(|| in_place(level, out.last_mut(a)));
        });
    }
}

fn numbers<T: Scalar>(level: Level) {
    assert!(Xoshiro256PlusPlusX8::from_state([[0; 8]; 4]).is_none());
    let mut generator = Xoshiro256PlusPlusX8::from_seed_u64(level, u64::MAX);
    let again = Xoshiro256PlusPlusX8::from_state(generator.state());
    assert_eq!(again.as_ref(), Some(&generator));
    let (x, mut words) = (Zeros::<T>::new(), [0; 65]);
    let [mut out, mut other] = [Zeros::<T>::new(), Zeros::new()];
    over_lengths(|[a, b]| {
        let g = &mut generator;
        attempt(|| random::fill_words(level, g, &mut words[..a]));
        attempt(|| random::fill_uniform(level, g, out.last_mut(a)));
        attempt(|| random::fill_normal(level, g, out.last_mut(a)));
        attempt(|| random::bernoulli_from_logits(level, g, x.last(a), out.last_mut(b)));
        attempt(|| random::bernoulli_from_probabilities(level, g, x.last(a), out.last_mut(b)));
        attempt(|| random::bernoulli_in_place(level, g, out.last_mut(a), other.last_mut(b)));
    });
    over_lengths(|[a, b, c]| {
        let (x, p, states) = (x.last(a), out.last_mut(b), other.last_mut(c));
        attempt(|| {
            random::bernoulli_from_logits_with_probabilities(level, &mut generator, x, p, states);
        });
    });
}

fn reductions<T: Scalar>(level: Level) {
    let [x, y, z] = [Zeros::<T>::new(), Zeros::new(), Zeros::new()];
    over_lengths(|[a, b]| {
        attempt(|| reduce::sum(level, x.last(a)));
        attempt(|| reduce::sum_f64(level, x.last(a)));
        attempt(|| reduce::squared_norm(level, x.last(a)));
        attempt(|| reduce::max(level, x.last(a)));
        attempt(|| reduce::log_sum_exp(level, x.last(a)));
        attempt(|| reduce::dot(level, x.last(a), y.last(b)));
        attempt(|| reduce::softplus_sum(level, x.last(a), y.last(b)));
    });
    over_lengths(|[a, b, c]| {
        attempt(|| reduce::log_mixture(level, x.last(a), y.last(b), z.last(c)));
    });
}

fn updates<T: Scalar>(level: Level) {
    let x = Zeros::<T>::new();
    let [mut p, mut first, mut second] = [Zeros::<T>::new(), Zeros::new(), Zeros::new()];
    let (one, half) = (T::ONE, T::from_f64(0.5));
    over_lengths(|[a, b]| {
        attempt(|| update::add_velocity(level, half, first.last_mut(a), p.last_mut(b)));
        attempt(|| update::average(level, half, x.last(a), p.last_mut(b)));
    });
    over_lengths(|[a, b, c]| {
        let (x, p, state) = (x.last(a), p.last_mut(b), [first.last_mut(c)]);
        let rule = update::RmsProp { rate: one, decay: half, epsilon: one };
        attempt(|| update::descend(level, rule, one, x, state, p));
    });
    over_lengths(|[a, b, c, d]| {
        let (x, p, state) = (x.last(a), p.last_mut(b), [first.last_mut(c), second.last_mut(d)]);
        let rule = update::Adam { rate: one, mean_decay: half, square_decay: half, epsilon: one };
        attempt(|| update::descend(level, rule, one, x, state, p));
    });
}

fn levels() {
    attempt(Level::detect);
    attempt(Level::from_environment);
    for name in ["", "portable", "avx2", "avx512", "no such level"] {
        attempt(|| Level::named(name));
    }
    assert!(Level::available().all(|level| Level::named(level.name()) == Ok(level)));
}

/// The number of rounds is not limited: only counts that overflow are extreme.
fn peaks() {
    at_levels(|level| {
        for rounds in [0, 1, 100, usize::MAX] {
            attempt(|| peak::multiply_add_chains::<f32>(level, rounds, 1.0));
            attempt(|| peak::multiply_add_chains::<f64>(level, rounds, 1.0));
        }
    });
}

fn tasks() {
    attempt(threads::count);
    for count in [0, 1, 2, 65] {
        attempt(|| {
            threads::for_each(count, &|task, worker| assert!(task < count && worker < threads::count()))
        });
    }
    let mut x = Zeros::<f32>::new();
    let mut nothing = vec![(); usize::MAX];
    for length in SIZES {
        for total in LENGTHS {
            attempt(|| {
                threads::for_each_chunk(length, x.last_mut(total), &|range, chunk| {
                    assert!(chunk.len() == range.len() && range.end <= total);
                    chunk.fill(1.0);
                });
            });
        }
        // One chunk per element would take too long.
        if length > usize::MAX / 8 {
            attempt(|| {
                threads::for_each_chunk(length, &mut nothing, &|range, chunk| {
                    assert_eq!(chunk.len(), range.len());
                });
            });
        }
    }
}
