//! Dropout: in training each number becomes 0 with probability p, and the others are scaled so that the mean is
//! unchanged.
//!
//! ```text
//! forward:  y = m ⊙ x,   m = 0 with probability p, else 1 / (1 − p)
//! backward: ∂L/∂x = m ⊙ δ          tangent: ẏ = m ⊙ ẋ
//! ```
//!
//! In inference the layer is the identity.
//!
//! **Source** Srivastava et al. 2014, in PyTorch's inverted form.

use super::{ForwardPass, Input, Kept, Layer, Pass, Shape};
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;
use equilibria_kernels::{Level, elementwise, random, threads};

/// Number of examples whose masks one task draws.
const EXAMPLES: usize = 16;

/// y = m ⊙ x with a random m.
///
/// ```
/// use equilibria::nn::{Dropout, Sequential};
/// assert!(Sequential::<f32>::new(2, vec![Dropout::new(0.5).into()]).is_ok());
/// assert!(Sequential::<f32>::new(2, vec![Dropout::new(f64::NAN).into()]).is_err());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    probability: f64,
}

impl Dropout {
    /// A layer that drops each number with `probability`, at least 0 and below 1.
    pub fn new(probability: f64) -> Self {
        Self { probability }
    }
}

impl<T: Element> Layer<T> for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn output_shape(&self, input: Shape) -> Result<Shape> {
        if (0.0..1.0).contains(&self.probability) {
            return Ok(input);
        }
        let what = format!("dropout with probability {}", self.probability);
        Err(Error::invalid(what, "the probability must be at least 0 and below 1"))
    }

    /// Stores m.
    fn keeps(&self, input: Shape) -> Kept<usize> {
        Kept { per_example: [input.size(), 0], per_batch: 0 }
    }

    fn infer(&self, input: Input<'_, T>, y: &mut [T]) {
        y.copy_from_slice(input.x);
    }

    /// **Randomness** Example i uses substream i of the layer's stream.
    fn forward(
        &mut self,
        ForwardPass { input, training, kept }: ForwardPass<'_, T>,
        y: &mut [T],
    ) -> Result<()> {
        let (level, size, [mask, _]) = (Level::detect(), input.shape.size(), kept.per_example);
        let share = 1.0 - self.probability;
        let (share, scale) = (T::from_f64(share), T::from_f64(1.0 / share));
        threads::for_each_chunk(EXAMPLES * size, &mut *mask, &|range, masks| {
            for (mask, example) in masks.chunks_exact_mut(size).zip((range.start / size) as u64..) {
                random::fill_uniform(level, &mut training.stream.substream(example).bulk(), mask);
                mask.iter_mut().for_each(|m| *m = if *m < share { scale } else { T::ZERO });
            }
        });
        elementwise::mul(level, input.x, mask, y);
        Ok(())
    }

    // forward:  y = m ⊙ x
    // backward: ∂L/∂x = m ⊙ δ
    fn backward(&self, pass: Pass<'_, T>) {
        if let Some(grad_input) = pass.grad_input {
            elementwise::mul(Level::detect(), pass.delta, pass.kept.per_example[0], grad_input);
        }
    }

    // tangent: ẏ = m ⊙ ẋ
    fn tangent(&self, pass: Pass<'_, T>, x_dot: &[T], y_dot: &mut [T]) -> Result<()> {
        elementwise::mul(Level::detect(), x_dot, pass.kept.per_example[0], y_dot);
        Ok(())
    }
}
