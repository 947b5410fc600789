//! Transcendental functions over slices in L1, compared with a loop over those of the standard library.

use super::context::{Context, noise};
use super::entry::{Add, Entry, Unit};
use super::slices::Kernel;
use crate::Result;
use equilibria_kernels::{Level, Scalar, math};
use std::hint::black_box;

const ELEMENTS: usize = 4096;

macro_rules! functions {
    ($context:ident, $add:ident, $type:ident) => {
        let softplus = |x: $type| x.max(0.0) + (-x.abs()).exp().ln_1p();
        $add(one::<$type>($context, "exp", math::exp, $type::exp, f64::exp)?)?;
        $add(one::<$type>($context, "ln", math::ln, $type::ln, f64::ln)?)?;
        $add(one::<$type>($context, "sigmoid", math::sigmoid, |x| 1.0 / (1.0 + (-x).exp()), sigmoid)?)?;
        $add(one::<$type>($context, "log_sigmoid", math::log_sigmoid, |x| -softplus(-x), log_sigmoid)?)?;
        $add(one::<$type>($context, "softplus", math::softplus, softplus, |x| -log_sigmoid(-x))?)?;
        $add(one::<$type>($context, "tanh", math::tanh, $type::tanh, f64::tanh)?)?;
    };
}

pub(super) fn run(context: &Context, add: Add<'_>) -> Result<()> {
    functions!(context, add, f32);
    functions!(context, add, f64);
    Ok(())
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

/// Checks a function against `exact` and measures it against `plain`.
fn one<T: Scalar>(
    context: &Context,
    name: &'static str,
    ours: fn(Level, &[T], &mut [T]),
    plain: impl Fn(T) -> T + Sync,
    exact: impl Fn(f64) -> f64,
) -> Result<Entry> {
    let (r#type, unit) = (std::any::type_name::<T>(), Unit::NanosecondsPerElement);
    let kernel = Kernel { name, r#type, rows: 1, columns: ELEMENTS, bytes: 2 * size_of::<T>(), unit };
    let range = if name == "ln" { 0.01..8.0 } else { -8.0..8.0 };
    let x: Vec<T> = noise(context.level, ELEMENTS, range);
    let (mut out, mut plain_out) = (vec![T::ZERO; ELEMENTS], vec![T::ZERO; ELEMENTS]);
    ours(context.level, &x, &mut out);
    for (x, found) in x.iter().zip(&out) {
        let right = exact(x.to_f64());
        kernel.expect(found.to_f64(), right, right.abs(), 16.0 * T::EPSILON.to_f64())?;
    }
    let ours = || ours(context.level, black_box(&x), black_box(&mut out));
    let plain = || {
        for (out, &x) in black_box(&mut *plain_out).iter_mut().zip(black_box(&x)) {
            *out = plain(x);
        }
    };
    Ok(kernel.measure(context, ours, plain, None))
}
