//! Gradient descent steps with optimiser state for each parameter, which is read and written once.
//!
//! A gradient below [`Scalar::TINY`] in size counts as 0, and a state below the smallest normal number becomes 0. No
//! state is therefore ever denormal. Otherwise the moment of a parameter whose gradient has become 0 would shrink to a
//! denormal number and stay there: the product of the smallest number and 0.9 is rounded to the smallest number.

use crate::dispatch::dispatch;
use crate::lanes::constants::Constants;
use crate::lanes::{Lanes, Operation, Scalar};
use crate::level::Level;
use crate::map::check_equal;

/// A step of gradient descent with momentum:
///
/// ```text
/// velocity  <- momentum velocity + gradient
/// parameter <- parameter - rate velocity
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Momentum<T> {
    /// Not negative.
    pub rate: T,
    /// Below 1; with 0 the velocity is the gradient.
    pub momentum: T,
}

/// A step of RMSProp (Tieleman & Hinton 2012), in PyTorch's form:
///
/// ```text
/// square    <- decay square + (1 - decay) gradient²
/// parameter <- parameter - rate gradient / (√square + epsilon)
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsProp<T> {
    /// Not negative.
    pub rate: T,
    /// Below 1.
    pub decay: T,
    /// Above 0.
    pub epsilon: T,
}

/// A step of Adam (Kingma & Ba 2015, end of section 2, where the bias corrections are moved into rate and epsilon):
///
/// ```text
/// mean      <- mean_decay mean + (1 - mean_decay) gradient
/// square    <- square_decay square + (1 - square_decay) gradient²
/// parameter <- parameter - rate mean / (√square + epsilon)
/// ```
///
/// At step t, counted from 1, with the paper's rate α and epsilon ε, pass α √(1 - square_decay^t) / (1 - mean_decay^t)
/// as `rate` and ε √(1 - square_decay^t) as `epsilon`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam<T> {
    /// Not negative, bias-corrected.
    pub rate: T,
    /// Below 1; the paper's β₁.
    pub mean_decay: T,
    /// Below 1; the paper's β₂.
    pub square_decay: T,
    /// Above 0, bias-corrected.
    pub epsilon: T,
}

/// An update rule with `N` state values per parameter. Sealed.
pub trait UpdateRule<T: Scalar, const N: usize>: sealed::Formula<T, N> {}

mod sealed {
    use crate::lanes::{Lanes, Scalar};

    pub trait Formula<T: Scalar, const N: usize>: Copy {
        /// Updates the state and returns the amount to subtract from the parameter.
        fn step<L: Lanes<Scalar = T>>(
            self,
            lanes: L,
            gradient: L::Vector,
            state: &mut [L::Vector; N],
        ) -> L::Vector;
    }
}

impl<T: Scalar> UpdateRule<T, 1> for Momentum<T> {}
impl<T: Scalar> UpdateRule<T, 1> for RmsProp<T> {}
impl<T: Scalar> UpdateRule<T, 2> for Adam<T> {}

impl<T: Scalar> sealed::Formula<T, 1> for Momentum<T> {
    #[inline(always)]
    fn step<L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        gradient: L::Vector,
        [velocity]: &mut [L::Vector; 1],
    ) -> L::Vector {
        *velocity = normal(lanes, lanes.mul_add(lanes.splat(self.momentum), *velocity, gradient));
        lanes.mul(lanes.splat(self.rate), *velocity)
    }
}

impl<T: Scalar> sealed::Formula<T, 1> for RmsProp<T> {
    #[inline(always)]
    fn step<L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        gradient: L::Vector,
        [square]: &mut [L::Vector; 1],
    ) -> L::Vector {
        *square = average(lanes, self.decay, *square, lanes.mul(gradient, gradient));
        let size = lanes.add(lanes.sqrt(*square), lanes.splat(self.epsilon));
        lanes.div(lanes.mul(lanes.splat(self.rate), gradient), size)
    }
}

impl<T: Scalar> sealed::Formula<T, 2> for Adam<T> {
    #[inline(always)]
    fn step<L: Lanes<Scalar = T>>(
        self,
        lanes: L,
        gradient: L::Vector,
        [mean, square]: &mut [L::Vector; 2],
    ) -> L::Vector {
        *mean = average(lanes, self.mean_decay, *mean, gradient);
        *square = average(lanes, self.square_decay, *square, lanes.mul(gradient, gradient));
        let size = lanes.add(lanes.sqrt(*square), lanes.splat(self.epsilon));
        lanes.div(lanes.mul(lanes.splat(self.rate), *mean), size)
    }
}

/// decay old + (1 - decay) new
#[inline(always)]
fn average<L: Lanes>(lanes: L, decay: L::Scalar, old: L::Vector, new: L::Vector) -> L::Vector {
    let fresh = lanes.mul(lanes.splat(L::Scalar::ONE - decay), new);
    normal(lanes, lanes.mul_add(lanes.splat(decay), old, fresh))
}

/// Replaces denormal numbers by 0.
#[inline(always)]
fn normal<L: Lanes>(lanes: L, state: L::Vector) -> L::Vector {
    lanes.flush_below(L::Scalar::SMALLEST_NORMAL, state)
}

/// Updates every parameter by `rule`, in one pass over memory, then clips it to ± `bound`, which may be infinite.
///
/// A gradient below [`Scalar::TINY`] in size counts as 0, and a state below the smallest normal number becomes 0. The
/// square of [`Scalar::TINY`] is 2^14 times that number. A gradient that counts therefore changes its mean square if
/// the decay is at most 1 - 2^-14.
///
/// Returns whether every parameter was finite before it was clipped.
///
/// **Panics** if the lengths differ.
#[track_caller]
pub fn descend<T: Scalar, R: UpdateRule<T, N>, const N: usize>(
    level: Level,
    rule: R,
    bound: T,
    gradient: &[T],
    state: [&mut [T]; N],
    parameter: &mut [T],
) -> bool {
    check_equal("gradient", gradient.len(), "parameter", parameter.len());
    for state in &state {
        check_equal("state", state.len(), "parameter", parameter.len());
    }
    dispatch(level, Descent { rule, bound, gradient, state, parameter })
}

struct Descent<'a, T, R, const N: usize> {
    rule: R,
    bound: T,
    gradient: &'a [T],
    state: [&'a mut [T]; N],
    parameter: &'a mut [T],
}

impl<T: Scalar, R: UpdateRule<T, N>, const N: usize> Operation<T> for Descent<'_, T, R, N> {
    type Output = bool;

    #[inline(always)]
    fn run<L: Lanes<Scalar = T>>(mut self, lanes: L) -> bool {
        let shortest = self.state.iter().map(|state| state.len()).min().unwrap_or(0);
        let length = self.parameter.len().min(self.gradient.len()).min(shortest);
        let (low, high) = (lanes.splat(-self.bound), lanes.splat(self.bound));
        // x * 0 is 0 for finite x and NaN otherwise; a NaN stays in every sum.
        let mut nan_check = lanes.zero();
        for first in (0..length).step_by(L::COUNT) {
            let count = (length - first).min(L::COUNT);
            // SAFETY: first + count <= length, which every slice has.
            unsafe {
                let parameters = self.parameter.as_mut_ptr().add(first);
                let mut state = [lanes.zero(); N];
                for (n, state) in state.iter_mut().enumerate() {
                    *state = lanes.load_up_to(self.state[n].as_ptr().add(first), count);
                }
                let gradient = lanes.load_up_to(self.gradient.as_ptr().add(first), count);
                let gradient = lanes.flush_below(T::TINY, gradient);
                let step = self.rule.step(lanes, gradient, &mut state);
                let parameter = lanes.sub(lanes.load_up_to(parameters, count), step);
                nan_check = lanes.mul_add(parameter, lanes.zero(), nan_check);
                for (n, to) in self.state.iter_mut().enumerate() {
                    lanes.store_up_to(to.as_mut_ptr().add(first), state[n], count);
                }
                lanes.store_up_to(parameters, lanes.max(low, lanes.min(high, parameter)), count);
            }
        }
        lanes.sum(nan_check) == T::ZERO
    }
}
