//! The pass of tangents, for gradients of gradients.
//!
//! # What it computes
//! Let δ_l = ∂L/∂z_l be the deltas of a backward pass from some seed ∂L/∂y, and ẋ a direction at the input. Carried
//! forwards it becomes
//!
//! ```text
//! ż_l = f_l′ ẏ_{l−1},   ẏ_l = φ_l′(z_l) ⊙ ż_l,   ẏ_0 = ẋ,
//! ```
//!
//! and S = Σ ∂L/∂y · ẏ_L = Σ ∂L/∂x · ẋ is what is differentiated, at fixed seed and direction. In reverse, S is a function
//! of the pair (z_l, ż_l), and needs two gradients:
//!
//! ```text
//! with respect to ż_l:  δ_l itself, as ẏ is linear in ẋ with the Jacobians that the backward pass transposed
//! with respect to z_l:  e_l = φ_l′ ⊙ (f_{l+1}′ᵀ e_{l+1} + what f_{l+1} adds) + s_l,   e beyond the last step 0
//!                       s_l = ∂L/∂y_l ⊙ ż_l ⊙ φ_l″(z_l) = δ_l ⊙ ż_l ⊙ φ_l″/φ_l′
//! ```
//!
//! A linear f adds δᵀ ẏ_{l−1} to its weight's gradient by ż_l, and eᵀ y_{l−1} and Σ e to those of weight and bias by z_l.
//! Where every φ is piecewise linear, s and with it e is 0, and the pass forwards is all: one product for the tangents and
//! one for the weights each layer.

use super::{Cache, Deltas, Gradients, Scratch, Sequential, Tangents};
use crate::nn::Layer;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;
use equilibria_kernels::{Level, activation, elementwise};

impl<T: Element> Sequential<T> {
    /// Carries the direction u in `tangents` forwards beside a forward pass, and adds the second-order gradient
    /// ∂/∂θ Σ ∂L/∂x · u, at fixed u and ∂L/∂y, to `gradients`.
    ///
    /// `deltas` are those of a backward pass through all rows of the direction; its ∂L/∂y is the seed, 1 for a critic's
    /// penalty. Without `gradients`, only [`Tangents::output`] is computed, and `deltas` are not looked at.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a value was made for another network, the cache or the deltas do not have
    /// the direction's rows, or a layer cannot sit in a penalised critic: batch normalisation, whose output of a row
    /// depends on the other rows.
    /// **Accuracy and cost** For piecewise linear activations two products a linear layer; up to four for others.
    pub fn tangent(
        &self,
        cache: &Cache<T>,
        deltas: &Deltas<T>,
        tangents: &mut Tangents<T>,
        gradients: Option<&mut Gradients<T>>,
        scratch: &mut Scratch<T>,
    ) -> Result<()> {
        let rows = tangents.rows.clone();
        self.expect_filled(cache, &rows)?;
        self.expect_own("the tangents", &tangents.widths)?;
        let Some(gradients) = gradients else {
            for step in 0..self.steps.len() {
                self.tangent_step(step, cache, tangents, scratch);
                let y = cache.step_output(step, rows.clone());
                let activation = self.steps[step].activation;
                activation::times_slope_in_place(Level::detect(), activation, y, &mut tangents.steps[step]);
            }
            return Ok(());
        };
        self.expect_own("the deltas", &deltas.widths)?;
        gradients.check(self.parameters().count())?;
        if rows.start < deltas.rows.start || rows.end > deltas.rows.end {
            let (what, had) = (format!("rows {} to {}", rows.start, rows.end), &deltas.rows);
            return Err(Error::invalid(
                what,
                format!("the backward pass had rows {} to {}", had.start, had.end),
            ));
        }
        for step in 0..self.steps.len() {
            self.tangent_step(step, cache, tangents, scratch);
            self.add_tangent_gradients(step, deltas, tangents, gradients, scratch);
            self.bend(step, cache, deltas, tangents);
        }
        self.tangent_backward(cache, tangents, gradients, scratch);
        Ok(())
    }

    /// ż of a step from ẏ of the one before it.
    fn tangent_step(
        &self,
        step: usize,
        cache: &Cache<T>,
        tangents: &mut Tangents<T>,
        scratch: &mut Scratch<T>,
    ) {
        let width = self.steps[step].outputs;
        let (before, here) = tangents.steps.split_at_mut(step);
        let x_dot: &[T] = before.last().map_or(&tangents.direction, |step| step);
        let z_dot = &mut here[0];
        z_dot.resize(tangents.rows.len() * width);
        match &self.layers[self.steps[step].layer] {
            Layer::Linear(layer) => layer.tangent(x_dot, z_dot, &mut scratch.workspace),
            Layer::Dropout(layer) => layer.carry(cache.mask(step, tangents.rows.clone()), x_dot, z_dot),
            Layer::Activation(_) => z_dot.copy_from_slice(x_dot),
        }
    }

    /// What a step's ż adds to the gradients of its parameters.
    fn add_tangent_gradients(
        &self,
        step: usize,
        deltas: &Deltas<T>,
        tangents: &Tangents<T>,
        gradients: &mut Gradients<T>,
        scratch: &mut Scratch<T>,
    ) {
        let delta = deltas.step(step, tangents.rows.clone());
        let slot = gradients.slot(self.steps[step].first_parameter);
        match &self.layers[self.steps[step].layer] {
            Layer::Linear(layer) => {
                layer.add_gradients(tangents.before(step), delta, false, slot, &mut scratch.workspace);
            }
            Layer::Dropout(_) | Layer::Activation(_) => {}
        }
    }

    /// ẏ of a step from its ż, and s where φ is not piecewise linear.
    fn bend(&self, step: usize, cache: &Cache<T>, deltas: &Deltas<T>, tangents: &mut Tangents<T>) {
        let (level, activation) = (Level::detect(), self.steps[step].activation);
        let y = cache.step_output(step, tangents.rows.clone());
        let z_dot = &mut tangents.steps[step];
        if activation.is_piecewise_linear() {
            activation::times_slope_in_place(level, activation, y, z_dot);
        } else {
            let bent = &mut tangents.bent[step];
            bent.resize(z_dot.len());
            activation::bend(level, activation, y, deltas.step(step, tangents.rows.clone()), z_dot, bent);
        }
    }

    /// Carries e back from the last step that has an s.
    fn tangent_backward(
        &self,
        cache: &Cache<T>,
        tangents: &mut Tangents<T>,
        gradients: &mut Gradients<T>,
        scratch: &mut Scratch<T>,
    ) {
        let rows = tangents.rows.clone();
        let is_bent = |step: usize| !self.steps[step].activation.is_piecewise_linear();
        let Some(last) = (0..self.steps.len()).rev().find(|&step| is_bent(step)) else { return };
        for step in (0..=last).rev() {
            let x = cache.step_input(step, rows.clone());
            let slot = gradients.slot(self.steps[step].first_parameter);
            let (before, here) = tangents.bent_beside(step);
            match &self.layers[self.steps[step].layer] {
                Layer::Linear(layer) => layer.add_gradients(x, here, true, slot, &mut scratch.workspace),
                Layer::Dropout(_) | Layer::Activation(_) => {}
            }
            let Some(before) = before else { return };
            let [between, _] = &mut scratch.between;
            let grad_input = if is_bent(step - 1) { between } else { &mut *before };
            grad_input.resize(x.len());
            match &self.layers[self.steps[step].layer] {
                Layer::Linear(layer) => layer.input_gradient(here, grad_input, &mut scratch.workspace),
                Layer::Dropout(layer) => layer.carry(cache.mask(step, rows.clone()), here, grad_input),
                Layer::Activation(_) => grad_input.copy_from_slice(here),
            }
            let (level, activation) = (Level::detect(), self.steps[step - 1].activation);
            activation::times_slope_in_place(level, activation, x, grad_input);
            if is_bent(step - 1) {
                elementwise::add_in_place(level, before, &scratch.between[0]);
            }
        }
    }
}
