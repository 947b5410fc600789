//! Dropout: in training each number is dropped with probability p, and the others grow so that the mean stays.
//!
//! ```text
//! forward:  y = m ⊙ x,   m = 0 with probability p, else 1 / (1 − p)
//! backward: ∂L/∂x = m ⊙ δ          tangent: ẏ = m ⊙ ẋ
//! ```
//!
//! In use the layer is the identity. Source: Srivastava et al. 2014, in the inverted form of PyTorch.

use crate::rng::Stream;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;
use equilibria_kernels::{Level, elementwise, random, threads};

/// Rows of masks that a task draws.
const ROWS: usize = 16;

/// y = m ⊙ x with a random m.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    probability: f64,
}

impl Dropout {
    /// Drops each number with `probability`, at least 0 and below 1.
    pub fn new(probability: f64) -> Self {
        Self { probability }
    }

    pub(super) fn check(self) -> Result<()> {
        if (0.0..1.0).contains(&self.probability) {
            return Ok(());
        }
        let what = format!("dropout with probability {}", self.probability);
        Err(Error::invalid(what, "a probability of at least 0 and below 1"))
    }

    /// y = m ⊙ x; m, of the shape of x, is drawn.
    ///
    /// **Randomness** Row i takes `stream.substream(i)`.
    pub(super) fn forward<T: Element>(
        self,
        x: &[T],
        width: usize,
        stream: Stream,
        mask: &mut [T],
        y: &mut [T],
    ) {
        let level = Level::detect();
        let (kept, scale) =
            (T::from_f64(1.0 - self.probability), T::from_f64(1.0 / (1.0 - self.probability)));
        threads::for_each_chunk(ROWS * width, mask, &|range, masks| {
            let first = range.start / width;
            for (row, mask) in masks.chunks_exact_mut(width).enumerate() {
                random::fill_uniform(level, &mut stream.substream((first + row) as u64).bulk(), mask);
                for m in mask {
                    *m = if *m < kept { scale } else { T::ZERO };
                }
            }
        });
        elementwise::mul(level, x, mask, y);
    }

    /// `to` = m ⊙ `from`: a gradient backwards, a tangent forwards.
    pub(super) fn carry<T: Element>(self, mask: &[T], from: &[T], to: &mut [T]) {
        elementwise::mul(Level::detect(), from, mask, to);
    }
}
