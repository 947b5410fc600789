//! The tangent pass; [the derivation](crate::nn#second-order) defines the symbols.

use super::{Cache, Deltas, Gradients, Pass, Scratch, Sequential, Tangents};
use crate::tensor::{Activation, Element};
use crate::{Error, Result};
use alloc::format;
use equilibria_kernels::activation::{tangent_and_curvature, times_slope_in_place};
use equilibria_kernels::{Level, elementwise};

impl<T: Element> Sequential<T> {
    /// Carries the direction u in `tangents` forward along a forward pass, and adds the second-order gradient
    /// ∂/∂θ Σ ∂L/∂x · u, with u and ∂L/∂y constant, to `gradients`.
    ///
    /// `deltas` are those of a backward pass over all rows of the direction; its ∂L/∂y is the seed, 1 for a critic's
    /// penalty.
    ///
    /// **Errors** [`Error::InvalidArgument`] if a value was made for another network, the cache or the deltas do not
    /// have the direction's rows, or a layer has no second-order pass, such as batch normalisation, whose output for a
    /// row depends on the other rows. `gradients` may be incomplete in this case.
    ///
    /// **Accuracy and cost** Two products per linear layer with piecewise linear activations; up to four with others.
    pub fn tangent(
        &self,
        cache: &Cache<T>,
        deltas: &Deltas<T>,
        tangents: &mut Tangents<T>,
        gradients: &mut Gradients<T>,
        scratch: &mut Scratch<T>,
    ) -> Result<()> {
        self.expect_filled(cache, &tangents.rows)?;
        self.expect_own("the tangents", &tangents.values.layout)?;
        self.expect_own("the deltas", &deltas.values.layout)?;
        gradients.check(self.parameters().count())?;
        if let Some(layer) = self.layers.iter().find(|layer| layer.properties().mixes_examples) {
            return Err(Error::invalid(
                format!("{} in a penalised critic", layer.name()),
                "its score for a row depends on the other rows, so the slope of a row is undefined; use layer \
                 normalisation or none",
            ));
        }
        let (rows, covered) = (&tangents.rows, &deltas.rows);
        if rows.start < covered.start || rows.end > covered.end {
            let what = format!("rows {} to {}", rows.start, rows.end);
            return Err(Error::invalid(
                what,
                format!("the backward pass had rows {} to {}", covered.start, covered.end),
            ));
        }
        self.tangent_forward(cache, deltas, tangents, gradients, scratch)?;
        self.tangent_back(cache, deltas, tangents, gradients, scratch);
        Ok(())
    }

    /// Computes ẏ of each step from that of the preceding step, adds ∂S/∂θ with ẋ constant, and computes s.
    fn tangent_forward(
        &self,
        cache: &Cache<T>,
        deltas: &Deltas<T>,
        Tangents { rows, values, e, .. }: &mut Tangents<T>,
        gradients: &mut Gradients<T>,
        scratch: &mut Scratch<T>,
    ) -> Result<()> {
        let (level, count) = (Level::detect(), rows.len());
        for step in 0..self.steps.len() {
            let (delta, y) = (deltas.values.rows(step + 1, rows), cache.values.rows(step + 1, rows));
            let (activation, has_s) = (self.steps[step].activation, self.has_s(step));
            let (layer, pass) = self.pass((step, rows), cache, delta, Some(gradients), scratch);
            // s is computed from ż, so the slope is not yet applied.
            let slope = if has_s { Activation::Identity } else { pass.activation };
            let (x_dot, y_dot) = values.resize(step + 1, count);
            layer.tangent(Pass { activation: slope, ..pass }, x_dot, y_dot)?;
            if has_s {
                // s = δ ⊙ ż ⊙ φ″/φ′,   ẏ = ż ⊙ φ′
                tangent_and_curvature(level, activation, y, delta, y_dot, e.resize(step + 1, count).1);
            } else if !layer.properties().absorbs_slopes {
                times_slope_in_place(level, activation, y, y_dot);
            }
        }
        Ok(())
    }

    /// Carries e back from the last step with curvature, and adds its part of the gradients.
    fn tangent_back(
        &self,
        cache: &Cache<T>,
        deltas: &Deltas<T>,
        Tangents { rows, values, e: kept, spare }: &mut Tangents<T>,
        gradients: &mut Gradients<T>,
        scratch: &mut Scratch<T>,
    ) {
        let has_curvature = |step: &usize| {
            self.has_s(*step) || self.layers[self.steps[*step].layer].properties().has_curvature
        };
        let Some(last) = (0..self.steps.len()).rev().find(has_curvature) else { return };
        let count = rows.len();
        kept.resize(last + 1, count);
        for step in (0..=last).rev() {
            let (delta, x_dot) = (deltas.values.rows(step + 1, rows), values.all(step));
            let (layer, pass) = self.pass((step, rows), cache, delta, Some(gradients), scratch);
            // Beyond the last step, e is 0.
            let has_e = step < last || self.has_s(step);
            if step == 0 {
                layer.tangent_backward(pass, x_dot, has_e.then_some(kept.all(1)));
                return;
            }
            // e_{l−1} = φ_{l−1}′ ⊙ (∂/∂x of S_l + Σ e_l · z_l) + s_{l−1}
            let has_s = self.has_s(step - 1);
            kept.resize(step, count);
            let (before, e) = kept.adjacent_rows_mut(step, &(0..count));
            spare.resize(if has_s { before.len() } else { 0 });
            let to = if has_s { &mut **spare } else { &mut *before };
            let pass = Pass { grad_input: Some(&mut *to), ..pass };
            layer.tangent_backward(pass, x_dot, has_e.then_some(e));
            self.times_slope_before((step, rows), cache, to);
            if has_s {
                elementwise::add_in_place(Level::detect(), before, spare);
            }
        }
    }

    /// Returns whether s of a step can differ from 0.
    fn has_s(&self, step: usize) -> bool {
        !self.steps[step].activation.is_piecewise_linear()
    }
}
