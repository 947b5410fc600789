//! The linear layer, y = x Wᵀ + b, with W (outputs, inputs) as PyTorch keeps it.
//!
//! With δ = ∂L/∂y, a row an example,
//!
//! ```text
//! forward:  y = x Wᵀ + b
//! backward: ∂L/∂W = δᵀ x,   ∂L/∂b = Σ_rows δ,   ∂L/∂x = δ W
//! ```
//!
//! Along a direction ẋ the output moves by ẏ = ẋ Wᵀ, which holds W and not b, so that with the seed δ on ẏ
//!
//! ```text
//! tangent:  ẏ = ẋ Wᵀ,   ∂/∂W Σ δ · ẏ = δᵀ ẋ,   ∂/∂b Σ δ · ẏ = 0
//! ```
//!
//! and the gradient with respect to ẋ is δ W: the backward pass has computed it.

use super::Initialisation;
use super::passes::Slot;
use crate::rng::Stream;
use crate::tensor::{Activation, Element, Epilogue, MatrixMut, MatrixRef, Tensor, Workspace};

/// y = x Wᵀ + b.
#[derive(Debug, Clone)]
pub struct Linear<T: Element> {
    weight: Tensor<T>,
    bias: Option<Tensor<T>>,
}

impl<T: Element> Linear<T> {
    /// A layer of zeros; see [`Sequential::initialise`](super::Sequential::initialise).
    ///
    /// **Panics** if the two sizes are more than can be addressed.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self { weight: Tensor::zeros(&[outputs, inputs]), bias: Some(Tensor::zeros(&[outputs])) }
    }

    /// As [`Linear::new`], without a bias: for a layer that batch normalisation follows.
    ///
    /// **Panics** as [`Linear::new`].
    pub fn without_bias(inputs: usize, outputs: usize) -> Self {
        Self { bias: None, ..Self::new(inputs, outputs) }
    }

    /// W (outputs, inputs).
    pub fn weight(&self) -> &Tensor<T> {
        &self.weight
    }

    /// W, writable.
    pub fn weight_mut(&mut self) -> &mut Tensor<T> {
        &mut self.weight
    }

    /// b (outputs), if there is one.
    pub fn bias(&self) -> Option<&Tensor<T>> {
        self.bias.as_ref()
    }

    /// b, writable.
    pub fn bias_mut(&mut self) -> Option<&mut Tensor<T>> {
        self.bias.as_mut()
    }

    /// Weight and bias, by PyTorch's names.
    pub(super) fn state(&self) -> [Option<(&'static str, &Tensor<T>)>; 2] {
        [Some(("weight", &self.weight)), self.bias.as_ref().map(|bias| ("bias", bias))]
    }

    /// As [`Linear::state`], writable.
    pub(super) fn state_mut(&mut self) -> [Option<(&'static str, &mut Tensor<T>)>; 2] {
        [Some(("weight", &mut self.weight)), self.bias.as_mut().map(|bias| ("bias", bias))]
    }

    pub(super) fn inputs(&self) -> usize {
        self.weight.columns()
    }

    pub(super) fn outputs(&self) -> usize {
        self.weight.rows()
    }

    pub(super) fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        let fans = (self.inputs(), self.outputs());
        initialisation.draw(fans, &mut self.weight, self.bias.as_mut(), stream);
    }

    /// y = φ(x Wᵀ + b), bias and activation in the product's epilogue.
    pub(super) fn forward(
        &self,
        x: &[T],
        activation: Activation<T>,
        y: &mut [T],
        workspace: &mut Workspace<T>,
    ) {
        let rows = y.len() / self.outputs();
        let epilogue = Epilogue { bias: self.bias.as_ref().map(Tensor::data), activation };
        let (x, y) = (MatrixRef::new(x, rows, self.inputs()), MatrixMut::new(y, rows, self.outputs()));
        workspace.gemm(T::ONE, x, self.weight.view().transposed(), T::ZERO, y, epilogue);
    }

    /// Adds δᵀ x to the weight's gradient and Σ δ to the bias's.
    pub(super) fn add_gradients(
        &self,
        x: &[T],
        delta: &[T],
        mut gradients: Slot<'_, T>,
        workspace: &mut Workspace<T>,
    ) {
        if self.bias.is_some() {
            gradients.add_column_sums(1, delta);
        }
        self.add_weight_gradient(x, delta, gradients, workspace);
    }

    /// Adds δᵀ x to the weight's gradient.
    pub(super) fn add_weight_gradient(
        &self,
        x: &[T],
        delta: &[T],
        mut gradients: Slot<'_, T>,
        workspace: &mut Workspace<T>,
    ) {
        let rows = delta.len() / self.outputs();
        let x = MatrixRef::new(x, rows, self.inputs());
        let delta_t = MatrixRef::new(delta, rows, self.outputs()).transposed();
        gradients.add(0, |beta, gradient| {
            workspace.gemm(T::ONE, delta_t, x, beta, gradient.view_mut(), Epilogue::NONE);
        });
    }

    /// (δ W) ⊙ φ′: ∂L/∂x, times the slope of the activation of which x are the outputs.
    pub(super) fn input_gradient(
        &self,
        delta: &[T],
        (activation, x): (Activation<T>, &[T]),
        grad_input: &mut [T],
        workspace: &mut Workspace<T>,
    ) {
        let rows = delta.len() / self.outputs();
        let delta = MatrixRef::new(delta, rows, self.outputs());
        let x = MatrixRef::new(x, rows, self.inputs());
        let grad_input = MatrixMut::new(grad_input, rows, self.inputs());
        workspace.gemm_times_slope(delta, self.weight.view(), grad_input, (activation, x));
    }

    /// (ẋ Wᵀ) ⊙ φ′, the slope being that of the activation of which y are the outputs.
    pub(super) fn tangent(
        &self,
        x_dot: &[T],
        (activation, y): (Activation<T>, &[T]),
        y_dot: &mut [T],
        workspace: &mut Workspace<T>,
    ) {
        let rows = y_dot.len() / self.outputs();
        let x_dot = MatrixRef::new(x_dot, rows, self.inputs());
        let y = MatrixRef::new(y, rows, self.outputs());
        let y_dot = MatrixMut::new(y_dot, rows, self.outputs());
        workspace.gemm_times_slope(x_dot, self.weight.view().transposed(), y_dot, (activation, y));
    }
}
