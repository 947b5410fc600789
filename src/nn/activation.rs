//! An activation as a layer: y = φ(x), element by element.
//!
//! With δ = ∂L/∂y, and ρ = φ″/φ′, which is computed from y, like φ′ ([`equilibria_kernels::activation`]),
//!
//! ```text
//! backward: ∂L/∂x = δ ⊙ φ′
//! tangent:  ẏ = ẋ ⊙ φ′,     ∂S/∂x = δ ⊙ ẋ ⊙ φ″ = φ′ ⊙ (δ ⊙ ẋ ⊙ ρ)
//! ```
//!
//! These passes run only if no layer absorbs the activation: see [the interface of layers](super::layer#activations).

use super::{Input, Layer, Pass, Properties, Shape};
use crate::tensor::{Activation, Element};
use crate::{Error, Result};
use alloc::format;
use equilibria_kernels::activation::{
    apply_in_place, tangent_and_curvature, times_slope, times_slope_in_place,
};
use equilibria_kernels::{Level, elementwise};

impl<T: Element> Layer<T> for Activation<T> {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn output_shape(&self, input: Shape) -> Result<Shape> {
        match self {
            Self::LeakyRelu { slope } if !(0.0..f64::INFINITY).contains(&slope.to_f64()) => {
                Err(Error::invalid(
                    format!("leaky ReLU of slope {slope}"),
                    "the slope must be finite and not negative",
                ))
            }
            _ => Ok(input),
        }
    }

    fn properties(&self) -> Properties {
        Properties { has_curvature: !self.is_piecewise_linear(), ..Properties::default() }
    }

    fn activation(&self) -> Option<Activation<T>> {
        Some(*self)
    }

    fn infer(&self, input: Input<'_, T>, y: &mut [T]) {
        y.copy_from_slice(input.x);
        apply_in_place(Level::detect(), *self, y);
    }

    // forward:  y = φ(x)
    // backward: ∂L/∂x = δ ⊙ φ′
    fn backward(&self, pass: Pass<'_, T>) {
        if let Some(grad_input) = pass.grad_input {
            times_slope(Level::detect(), *self, pass.y, pass.delta, grad_input);
        }
    }

    // tangent: ẏ = ẋ ⊙ φ′
    fn tangent(&self, pass: Pass<'_, T>, x_dot: &[T], y_dot: &mut [T]) -> Result<()> {
        times_slope(Level::detect(), *self, pass.y, x_dot, y_dot);
        Ok(())
    }

    // ∂/∂x of S + Σ e · y = φ′ ⊙ (e + δ ⊙ ẋ ⊙ ρ)
    fn tangent_backward(&self, pass: Pass<'_, T>, x_dot: &[T], e: Option<&[T]>) {
        let Some(grad_input) = pass.grad_input else { return };
        let (level, y_dot) = (Level::detect(), pass.scratch.numbers(x_dot.len()));
        y_dot.copy_from_slice(x_dot);
        tangent_and_curvature(level, *self, pass.y, pass.delta, y_dot, grad_input);
        if let Some(e) = e {
            elementwise::add_in_place(level, grad_input, e);
        }
        times_slope_in_place(level, *self, pass.y, grad_input);
    }
}
