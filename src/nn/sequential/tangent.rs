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
//! Layer normalisation is an f that bends itself: [`LayerNorm`](crate::nn::LayerNorm) has what it adds. A linear f adds δᵀ ẏ_{l−1} to its weight's gradient by ż_l, and eᵀ y_{l−1} and Σ e to those of weight and bias by z_l.
//! Where every φ is piecewise linear, s and with it e is 0, and the pass forwards is all: one product for the tangents and
//! one for the weights each layer.

use super::{Cache, Deltas, Gradients, Scratch, Sequential, Tangents};
use crate::nn::Layer;
use crate::tensor::{Activation, Element};
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
        mut gradients: Option<&mut Gradients<T>>,
        scratch: &mut Scratch<T>,
    ) -> Result<()> {
        self.expect_filled(cache, &tangents.rows)?;
        self.expect_own("the tangents", &tangents.widths)?;
        if self.layers.iter().any(|layer| matches!(layer, Layer::BatchNorm(_))) {
            return Err(Error::invalid(
                "batch normalisation in a penalised critic",
                "its score of a row depends on the other rows, so that no slope belongs to one row; take layer \
                 normalisation or none",
            ));
        }
        if let Some(gradients) = &gradients {
            gradients.check(self.parameters().count())?;
            self.expect_own("the deltas", &deltas.widths)?;
            let (rows, had) = (&tangents.rows, &deltas.rows);
            if rows.start < had.start || rows.end > had.end {
                let what = format!("rows {} to {}", rows.start, rows.end);
                return Err(Error::invalid(
                    what,
                    format!("the backward pass had rows {} to {}", had.start, had.end),
                ));
            }
        }
        for step in 0..self.steps.len() {
            self.tangent_step(step, cache, deltas, tangents, gradients.as_deref_mut(), scratch);
        }
        if let Some(gradients) = gradients {
            self.tangent_back(cache, deltas, tangents, gradients, scratch);
        }
        Ok(())
    }

    /// ẏ of a step from that of the one before it. With gradients, what ż adds to those of the step's parameters, and s.
    fn tangent_step(
        &self,
        step: usize,
        cache: &Cache<T>,
        deltas: &Deltas<T>,
        tangents: &mut Tangents<T>,
        gradients: Option<&mut Gradients<T>>,
        scratch: &mut Scratch<T>,
    ) {
        let (rows, activation) = (tangents.rows.clone(), self.steps[step].activation);
        let (x_dot, y_dot) = tangents.either_side(step);
        y_dot.resize(rows.len() * self.steps[step].outputs);
        let y = cache.step_output(step, rows.clone());
        let second_order = gradients.map(|gradients| {
            (deltas.step(step, rows.clone()), gradients.slot(self.steps[step].first_parameter))
        });
        let bends = second_order.is_some() && !activation.is_piecewise_linear();
        let mut slope_is_due = true;
        match &self.layers[self.steps[step].layer] {
            Layer::Linear(layer) => {
                slope_is_due = bends;
                let slope = if bends { Activation::Identity } else { activation };
                layer.tangent(x_dot, (slope, y), y_dot, &mut scratch.workspace);
                if let Some((delta, slot)) = second_order {
                    layer.add_weight_gradient(x_dot, delta, slot, &mut scratch.workspace);
                }
            }
            Layer::LayerNorm(layer) => {
                layer.tangent(cache.normal(step, rows.clone()), x_dot, second_order, y_dot);
            }
            Layer::Dropout(layer) => layer.carry(cache.mask(step, rows.clone()), x_dot, y_dot),
            Layer::BatchNorm(_) | Layer::Activation(_) => y_dot.copy_from_slice(x_dot),
        }
        if bends {
            let (delta, bent) = (deltas.step(step, rows), &mut tangents.bent[step]);
            bent.resize(y.len());
            activation::bend(Level::detect(), activation, y, delta, &mut tangents.steps[step], bent);
        } else if slope_is_due {
            activation::times_slope_in_place(Level::detect(), activation, y, y_dot);
        }
    }

    /// Carries e back from the last step that bends.
    fn tangent_back(
        &self,
        cache: &Cache<T>,
        deltas: &Deltas<T>,
        tangents: &mut Tangents<T>,
        gradients: &mut Gradients<T>,
        scratch: &mut Scratch<T>,
    ) {
        let rows = tangents.rows.clone();
        let has_s = |step: usize| !self.steps[step].activation.is_piecewise_linear();
        let bends = |step: &usize| {
            has_s(*step) || matches!(self.layers[self.steps[*step].layer], Layer::LayerNorm(_))
        };
        let Some(last) = (0..self.steps.len()).rev().find(bends) else { return };
        for step in (0..=last).rev() {
            // Only the layer normalisation that is the last to bend has no e.
            let has_e = step < last || has_s(step);
            let x_dot = if step == 0 { &tangents.direction } else { &tangents.steps[step - 1] };
            let (before, here) = tangents.bent.split_at_mut(step);
            let e: Option<&[T]> = has_e.then_some(&here[0]);
            if let Some(e) = e {
                self.add_gradients(step, cache, e, rows.clone(), gradients, scratch);
            }
            let Some(before) = before.last_mut() else { return };
            let to = if has_s(step - 1) { &mut scratch.between[0] } else { &mut *before };
            to.resize(rows.len() * tangents.widths[step]);
            match (&self.layers[self.steps[step].layer], e) {
                (Layer::LayerNorm(layer), e) => {
                    let delta = deltas.step(step, rows.clone());
                    layer.curvature(cache.normal(step, rows.clone()), (delta, x_dot), e, to);
                }
                (_, None) => return,
                (Layer::Linear(layer), Some(e)) => {
                    let before = (Activation::Identity, cache.step_input(step, rows.clone()));
                    layer.input_gradient(e, before, to, &mut scratch.workspace);
                }
                (Layer::Dropout(layer), Some(e)) => layer.carry(cache.mask(step, rows.clone()), e, to),
                (Layer::BatchNorm(_) | Layer::Activation(_), Some(e)) => to.copy_from_slice(e),
            }
            self.times_slope_before(step, cache, rows.clone(), to);
            if has_s(step - 1) {
                elementwise::add_in_place(Level::detect(), before, &scratch.between[0]);
            }
        }
    }
}
