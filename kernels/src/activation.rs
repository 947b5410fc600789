//! Activations of a layer: y = φ(x), and what a backward pass needs of φ, all from the output y.
//!
//! | φ | φ′ from y | ρ = φ″ / φ′ from y |
//! |---|---|---|
//! | identity | 1 | 0 |
//! | ReLU | 1 where y > 0, else 0 | 0 |
//! | leaky ReLU | 1 where y > 0, else the slope | 0 |
//! | sigmoid | y (1 − y) | 1 − 2 y |
//! | tanh | 1 − y² | −2 y |
//! | softplus | 1 − e^−y | e^−y |
//!
//! No pre-activation is stored, then. The second derivative is written as φ′ ρ, as what it multiplies has gone
//! through φ′ already, and ρ is bounded for each of these.

use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::{Function, Function2, Map, Map2, check_equal};
use crate::math::{Sigmoid, Softplus, Tanh, exp_m1_lanes};
use crate::threads;
use core::ops::Range;

/// A function of one scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation<T> {
    /// x
    Identity,
    /// max(x, 0)
    Relu,
    /// x where positive, `slope * x` elsewhere
    LeakyRelu {
        /// Usually 0.2; not negative, so that the output has the sign of x.
        slope: T,
    },
    /// 1 / (1 + exp(-x))
    Sigmoid,
    /// Hyperbolic tangent
    Tanh,
    /// ln(1 + exp(x)), the smooth ReLU
    Softplus,
}

impl<T: PartialEq> Activation<T> {
    /// Whether φ″ is 0 wherever it exists.
    pub fn is_piecewise_linear(&self) -> bool {
        matches!(self, Self::Identity | Self::Relu | Self::LeakyRelu { .. })
    }
}

/// φ on lanes, with its derivatives from the output.
pub(crate) trait Smooth<T: Scalar>: Function<T> {
    /// φ′.
    fn slope<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector;

    /// φ″ / φ′.
    fn bend<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector;
}

#[derive(Clone, Copy)]
pub(crate) struct Identity;

impl<T: Scalar> Function<T> for Identity {
    #[inline(always)]
    fn apply<L: Lanes<Scalar = T>>(self, _: L, x: L::Vector) -> L::Vector {
        x
    }
}

impl<T: Scalar> Smooth<T> for Identity {
    #[inline(always)]
    fn slope<L: Lanes<Scalar = T>>(self, lanes: L, _: L::Vector) -> L::Vector {
        lanes.splat(T::ONE)
    }

    #[inline(always)]
    fn bend<L: Lanes<Scalar = T>>(self, lanes: L, _: L::Vector) -> L::Vector {
        lanes.zero()
    }
}

/// Leaky where `slope` is not 0.
#[derive(Clone, Copy)]
pub(crate) struct Relu<T> {
    pub slope: T,
}

impl<T: Scalar> Function<T> for Relu<T> {
    #[inline(always)]
    fn apply<L: Lanes<Scalar = T>>(self, lanes: L, x: L::Vector) -> L::Vector {
        let negative = lanes.less(x, lanes.zero());
        lanes.select(negative, lanes.mul(x, lanes.splat(self.slope)), x)
    }
}

impl<T: Scalar> Smooth<T> for Relu<T> {
    #[inline(always)]
    fn slope<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        lanes.select(lanes.less(lanes.zero(), y), lanes.splat(T::ONE), lanes.splat(self.slope))
    }

    #[inline(always)]
    fn bend<L: Lanes<Scalar = T>>(self, lanes: L, _: L::Vector) -> L::Vector {
        lanes.zero()
    }
}

impl<T: Scalar> Smooth<T> for Sigmoid {
    #[inline(always)]
    fn slope<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        lanes.mul(y, lanes.sub(lanes.splat(T::ONE), y))
    }

    #[inline(always)]
    fn bend<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        lanes.sub(lanes.splat(T::ONE), lanes.add(y, y))
    }
}

impl<T: Scalar> Smooth<T> for Tanh {
    #[inline(always)]
    fn slope<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        // (1 - y)(1 + y): as exact near 1 as y is.
        let one = lanes.splat(T::ONE);
        lanes.mul(lanes.sub(one, y), lanes.add(one, y))
    }

    #[inline(always)]
    fn bend<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        lanes.neg(lanes.add(y, y))
    }
}

impl<T: Scalar> Smooth<T> for Softplus {
    #[inline(always)]
    fn slope<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        lanes.neg(exp_m1_lanes(lanes, lanes.neg(y)))
    }

    #[inline(always)]
    fn bend<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        lanes.add(lanes.splat(T::ONE), exp_m1_lanes(lanes, lanes.neg(y)))
    }
}

/// Evaluates `$body` with `$function` the activation's [`Smooth`].
macro_rules! with_activation {
    ($activation:expr, $function:ident => $body:expr) => {
        match $activation {
            $crate::activation::Activation::Identity => {
                let $function = $crate::activation::Identity;
                $body
            }
            $crate::activation::Activation::Relu => {
                let $function = $crate::activation::Relu { slope: Scalar::ZERO };
                $body
            }
            $crate::activation::Activation::LeakyRelu { slope } => {
                let $function = $crate::activation::Relu { slope };
                $body
            }
            $crate::activation::Activation::Sigmoid => {
                let $function = $crate::math::Sigmoid;
                $body
            }
            $crate::activation::Activation::Tanh => {
                let $function = $crate::math::Tanh;
                $body
            }
            $crate::activation::Activation::Softplus => {
                let $function = $crate::math::Softplus;
                $body
            }
        }
    };
}
pub(crate) use with_activation;

/// Elements of a task: some microseconds of work.
const CHUNK: usize = 1 << 14;

/// `x = φ(x)`.
pub fn apply_in_place<T: Scalar>(level: Level, activation: Activation<T>, x: &mut [T]) {
    if activation != Activation::Identity {
        threads::for_each_chunk(CHUNK, x, &|_, x| {
            with_activation!(activation, f => dispatch(level, Map::in_place(f, x)));
        });
    }
}

/// d φ′(y), or 0 if that is below [`Scalar::TINY`].
#[derive(Clone, Copy)]
pub(crate) struct Slope<F>(pub F);

impl<T: Scalar, F: Smooth<T>> Function2<T> for Slope<F> {
    #[inline(always)]
    fn apply<L: Lanes<Scalar = T>>(self, lanes: L, d: L::Vector, y: L::Vector) -> L::Vector {
        lanes.unless_below(T::TINY, lanes.mul(d, self.0.slope(lanes, y)))
    }
}

/// `gradient = gradient φ′(x)`, where `y = φ(x)`: from the gradient with respect to the output to the one with respect
/// to the input, and a tangent the other way.
///
/// Products below [`Scalar::TINY`] in size become 0. The identity leaves the gradient as it is.
///
/// **Panics** if the lengths differ.
#[track_caller]
pub fn times_slope_in_place<T: Scalar>(level: Level, activation: Activation<T>, y: &[T], gradient: &mut [T]) {
    check_equal("y", y.len(), "gradient", gradient.len());
    if activation != Activation::Identity {
        threads::for_each_chunk(CHUNK, gradient, &|range: Range<usize>, gradient| {
            let y = &y[range];
            with_activation!(activation, f => dispatch(level, Map2::in_place(Slope(f), gradient, y)));
        });
    }
}

/// As [`times_slope_in_place`], written to `out`; for the identity, too, sizes below [`Scalar::TINY`] become 0.
///
/// **Panics** if the lengths differ.
#[track_caller]
pub fn times_slope<T: Scalar>(
    level: Level,
    activation: Activation<T>,
    y: &[T],
    gradient: &[T],
    out: &mut [T],
) {
    check_equal("y", y.len(), "gradient", gradient.len());
    check_equal("y", y.len(), "out", out.len());
    threads::for_each_chunk(CHUNK, out, &|range: Range<usize>, out| {
        let (y, gradient) = (&y[range.clone()], &gradient[range]);
        with_activation!(activation, f => dispatch(level, Map2::new(Slope(f), gradient, y, out)));
    });
}

/// The step of a tangent `v` through φ, and what the curvature of φ gives:
///
/// ```text
/// bent    <- delta v φ″(x) / φ′(x)
/// tangent <- v φ′(x)                    (tangent holds v before)
/// ```
///
/// where `y = φ(x)` and `delta` is a gradient with respect to x, which has a factor φ′(x) already. Results below
/// [`Scalar::TINY`] in size become 0.
///
/// **Panics** if the lengths differ.
#[track_caller]
pub fn bend<T: Scalar>(
    level: Level,
    activation: Activation<T>,
    y: &[T],
    delta: &[T],
    tangent: &mut [T],
    bent: &mut [T],
) {
    check_equal("y", y.len(), "delta", delta.len());
    check_equal("y", y.len(), "tangent", tangent.len());
    check_equal("y", y.len(), "bent", bent.len());
    with_activation!(activation, function => {
        dispatch(level, Bend { function, y, delta, tangent, bent });
    });
}

struct Bend<'a, T, F> {
    function: F,
    y: &'a [T],
    delta: &'a [T],
    tangent: &'a mut [T],
    bent: &'a mut [T],
}

impl<T: Scalar, F: Smooth<T>> Operation<T> for Bend<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let length = self.y.len().min(self.delta.len()).min(self.tangent.len()).min(self.bent.len());
        for first in (0..length).step_by(L::COUNT) {
            let count = (length - first).min(L::COUNT);
            // SAFETY: first + count <= length, which the four slices have.
            unsafe {
                let y = lanes.load_first(self.y.as_ptr().add(first), count);
                let delta = lanes.load_first(self.delta.as_ptr().add(first), count);
                let tangent = self.tangent.as_mut_ptr().add(first);
                let v = lanes.load_first(tangent, count);
                let bent = lanes.mul(lanes.mul(delta, v), self.function.bend(lanes, y));
                let bent = lanes.unless_below(T::TINY, bent);
                lanes.store_first(self.bent.as_mut_ptr().add(first), bent, count);
                lanes.store_first(tangent, Slope(self.function).apply(lanes, v, y), count);
            }
        }
    }
}
