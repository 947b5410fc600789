//! Transcendental functions over slices in L1, compared with a loop over those of the standard library.

use super::entry::Unit;
use super::slices::Kernel;
use super::workload::{Add, Context, Place, Workload, noise};
use crate::Result;
use equilibria_kernels::{Level, Scalar, math};
use std::hint::black_box;

const ELEMENTS: usize = 4096;

macro_rules! functions {
    ($level:expr, $add:ident, $type:ident) => {
        let softplus = |x: $type| x.max(0.0) + (-x.abs()).exp().ln_1p();
        let mut add = |made: Result<Workload>| $add(made?, Place::One);
        add(one::<$type>($level, "exp", math::exp, $type::exp, f64::exp))?;
        add(one::<$type>($level, "ln", math::ln, $type::ln, f64::ln))?;
        add(one::<$type>($level, "sigmoid", math::sigmoid, |x| 1.0 / (1.0 + (-x).exp()), sigmoid))?;
        add(one::<$type>($level, "log_sigmoid", math::log_sigmoid, move |x| -softplus(-x), log_sigmoid))?;
        add(one::<$type>($level, "softplus", math::softplus, softplus, |x| -log_sigmoid(-x)))?;
        add(one::<$type>($level, "tanh", math::tanh, $type::tanh, f64::tanh))?;
    };
}

/// All functions in f32 and f64, on one thread.
pub fn list(context: &Context, add: Add<'_>) -> Result<()> {
    functions!(context.level, add, f32);
    functions!(context.level, add, f64);
    Ok(())
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

/// Checks a function against `exact`; it is compared with `plain`.
fn one<T: Scalar>(
    level: Level,
    name: &'static str,
    ours: fn(Level, &[T], &mut [T]),
    plain: impl Fn(T) -> T + Send + 'static,
    exact: impl Fn(f64) -> f64,
) -> Result<Workload> {
    let (r#type, unit) = (std::any::type_name::<T>(), Unit::NanosecondsPerElement);
    let kernel = Kernel { name, r#type, rows: 1, columns: ELEMENTS, bytes: 2 * size_of::<T>(), unit };
    let x: Vec<T> = noise(level, ELEMENTS, if name == "ln" { 0.01..8.0 } else { -8.0..8.0 });
    let mut out = vec![T::ZERO; ELEMENTS];
    ours(level, &x, &mut out);
    for (x, found) in x.iter().zip(&out) {
        let right = exact(x.to_f64());
        kernel.expect(found.to_f64(), right, right.abs(), 16.0 * T::EPSILON.to_f64())?;
    }
    let (copy, mut plain_out) = (x.clone(), out.clone());
    let ours = move || ours(level, black_box(&copy), black_box(&mut out));
    let plain = move || {
        for (out, &x) in black_box(&mut *plain_out).iter_mut().zip(black_box(&x)) {
            *out = plain(x);
        }
    };
    Ok(kernel.workload(ours, ("standard library", plain), None))
}
