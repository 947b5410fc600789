//! Activation functions y = φ(x) of a layer, and the derivatives that a backward pass needs, all computed from the
//! output y.
//!
//! | φ | φ′ from y | ρ = φ″ / φ′ from y |
//! |---|---|---|
//! | identity | 1 | 0 |
//! | ReLU | 1 if y > 0, else 0 | 0 |
//! | leaky ReLU | 1 if y > 0, else the slope | 0 |
//! | sigmoid | y (1 − y) | 1 − 2 y |
//! | tanh | 1 − y² | −2 y |
//! | softplus | 1 − e^−y | e^−y |
//!
//! Pre-activations are therefore not stored. The second derivative is written as φ′ ρ, because its cofactor already
//! contains the factor φ′, and ρ is bounded for each of these functions.

use crate::dispatch::dispatch;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::{Function, Function2, Map, Map2, check_equal};
use crate::math::{Sigmoid, Softplus, Tanh, exp_m1_lanes};
use crate::threads;
use core::ops::Range;

/// An activation function, applied element by element.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation<T> {
    /// x
    Identity,
    /// max(x, 0)
    Relu,
    /// x if positive, else `slope * x`
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
    /// Returns whether φ″ is 0 wherever it exists.
    pub fn is_piecewise_linear(&self) -> bool {
        matches!(self, Self::Identity | Self::Relu | Self::LeakyRelu { .. })
    }
}

/// An activation on vectors, with its derivatives computed from the output.
pub(crate) trait Smooth<T: Scalar>: Function<T> {
    /// φ′.
    fn slope<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector;

    /// φ″ / φ′.
    fn curvature_ratio<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector;
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
    fn curvature_ratio<L: Lanes<Scalar = T>>(self, lanes: L, _: L::Vector) -> L::Vector {
        lanes.zero()
    }
}

/// ReLU; leaky if `slope` is not 0.
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
    fn curvature_ratio<L: Lanes<Scalar = T>>(self, lanes: L, _: L::Vector) -> L::Vector {
        lanes.zero()
    }
}

impl<T: Scalar> Smooth<T> for Sigmoid {
    #[inline(always)]
    fn slope<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        lanes.mul(y, lanes.sub(lanes.splat(T::ONE), y))
    }

    #[inline(always)]
    fn curvature_ratio<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        lanes.sub(lanes.splat(T::ONE), lanes.add(y, y))
    }
}

impl<T: Scalar> Smooth<T> for Tanh {
    #[inline(always)]
    fn slope<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        // (1 - y)(1 + y): as accurate near 1 as y itself.
        let one = lanes.splat(T::ONE);
        lanes.mul(lanes.sub(one, y), lanes.add(one, y))
    }

    #[inline(always)]
    fn curvature_ratio<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        lanes.neg(lanes.add(y, y))
    }
}

impl<T: Scalar> Smooth<T> for Softplus {
    #[inline(always)]
    fn slope<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        lanes.neg(exp_m1_lanes(lanes, lanes.neg(y)))
    }

    #[inline(always)]
    fn curvature_ratio<L: Lanes<Scalar = T>>(self, lanes: L, y: L::Vector) -> L::Vector {
        lanes.add(lanes.splat(T::ONE), exp_m1_lanes(lanes, lanes.neg(y)))
    }
}

/// Evaluates `$body` with `$function` bound to the activation's [`Smooth`] type.
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

/// Elements per task: some microseconds of work.
const CHUNK: usize = 1 << 14;

/// `x = φ(x)`.
pub fn apply_in_place<T: Scalar>(level: Level, activation: Activation<T>, x: &mut [T]) {
    if activation != Activation::Identity {
        threads::for_each_chunk(CHUNK, x, &|_, x| {
            with_activation!(activation, f => dispatch(level, Map::in_place(f, x)));
        });
    }
}

/// d φ′(y), or 0 if its size is below [`Scalar::TINY`].
#[derive(Clone, Copy)]
pub(crate) struct Slope<F>(pub F);

impl<T: Scalar, F: Smooth<T>> Function2<T> for Slope<F> {
    #[inline(always)]
    fn apply<L: Lanes<Scalar = T>>(self, lanes: L, d: L::Vector, y: L::Vector) -> L::Vector {
        lanes.flush_below(T::TINY, lanes.mul(d, self.0.slope(lanes, y)))
    }
}

/// `gradient = gradient φ′(x)`, where `y = φ(x)`.
///
/// Turns the gradient with respect to the output into the gradient with respect to the input. The same product carries
/// a tangent from input to output. Products below [`Scalar::TINY`] in size become 0. The identity leaves the gradient
/// unchanged.
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

/// Like [`times_slope_in_place`], but writes to `out`; with the identity, too, sizes below [`Scalar::TINY`] become 0.
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

/// Carries a tangent `v` through φ, and computes the gradient contribution of the curvature of φ:
///
/// ```text
/// curvature <- delta v φ″(x) / φ′(x)
/// tangent   <- v φ′(x)                    (tangent holds v before)
/// ```
///
/// where `y = φ(x)` and `delta` is a gradient with respect to x, which already contains a factor φ′(x). Results below
/// [`Scalar::TINY`] in size become 0.
///
/// **Panics** if the lengths differ.
#[track_caller]
pub fn tangent_and_curvature<T: Scalar>(
    level: Level,
    activation: Activation<T>,
    y: &[T],
    delta: &[T],
    tangent: &mut [T],
    curvature: &mut [T],
) {
    check_equal("y", y.len(), "delta", delta.len());
    check_equal("y", y.len(), "tangent", tangent.len());
    check_equal("y", y.len(), "curvature", curvature.len());
    with_activation!(activation, function => {
        dispatch(level, TangentAndCurvature { function, y, delta, tangent, curvature });
    });
}

struct TangentAndCurvature<'a, T, F> {
    function: F,
    y: &'a [T],
    delta: &'a [T],
    tangent: &'a mut [T],
    curvature: &'a mut [T],
}

impl<T: Scalar, F: Smooth<T>> Operation<T> for TangentAndCurvature<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(self, lanes: L) {
        let length = self.y.len().min(self.delta.len()).min(self.tangent.len()).min(self.curvature.len());
        for first in (0..length).step_by(L::COUNT) {
            let count = (length - first).min(L::COUNT);
            // SAFETY: first + count <= length, which the four slices have.
            unsafe {
                let y = lanes.load_first(self.y.as_ptr().add(first), count);
                let delta = lanes.load_first(self.delta.as_ptr().add(first), count);
                let tangent = self.tangent.as_mut_ptr().add(first);
                let v = lanes.load_first(tangent, count);
                let curvature = lanes.mul(lanes.mul(delta, v), self.function.curvature_ratio(lanes, y));
                let curvature = lanes.flush_below(T::TINY, curvature);
                lanes.store_first(self.curvature.as_mut_ptr().add(first), curvature, count);
                lanes.store_first(tangent, Slope(self.function).apply(lanes, v, y), count);
            }
        }
    }
}
