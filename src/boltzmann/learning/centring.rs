//! Centring (Montavon & Müller 2012; Melchior, Fischer & Wiskott 2016): the gradient is computed from each unit's state
//! minus its mean.
//!
//! A centred machine has the energy
//!
//! ```text
//! E(v, h) = - b' (v - mu) - c' (h - lambda) - (v - mu)' W (h - lambda),
//! ```
//!
//! The offsets mu and lambda are close to the means of the units over the data. Multiplying out gives a plain machine
//! with the biases b - W lambda and c - W' mu. Centring therefore changes the learning and not the set of models. Let
//! g_b and g_c be the plain gradients with respect to the biases, data minus model. The centred gradients are
//!
//! ```text
//! with respect to W:  E_data[v h'] - E_model[v h']  -  mu g_c'  -  g_b lambda'
//! with respect to b:  g_b
//! with respect to c:  g_c
//! ```
//!
//! and a step (dW, db, dc) of the centred parameters changes the plain biases by db - dW lambda and dc - dW' mu. The
//! model and its file stay plain, and a change of the offsets does not change the model.
//!
//! The purpose: the step does not depend on which of a unit's two states is called 1. Inverted images cost a plain
//! machine tens of nats; a centred machine learns from them exactly as from the original images (`learner/tests.rs`
//! tests it for arbitrary sets of flipped units).

use crate::aligned::Aligned;
use crate::boltzmann::units::UnitValues;
use crate::tensor::Element;
use equilibria_kernels::Level;
use equilibria_kernels::binary::{PANEL, panels, subtract_outer_products, tile_products};

/// The rate at which the offsets approach the means of each mini-batch.
pub(super) const SLIDING_FACTOR: f64 = 0.01;

/// Moves the offsets of a layer towards the means of a mini-batch.
pub(super) fn slide<T: Element>(offsets: &mut UnitValues<T>, means: &[T]) {
    let share = T::from_f64(SLIDING_FACTOR);
    offsets.iter_mut().zip(means).for_each(|(offset, &mean)| *offset += share * (mean - *offset));
}

/// The offsets, and a buffer for the effect of a step of W on the biases.
#[derive(Debug, Clone)]
pub(super) struct Centring<T: Element> {
    /// mu
    pub visible: UnitValues<T>,
    /// lambda
    pub hidden: UnitValues<T>,
    /// For each hidden panel: its weights' parts of dW lambda (visible panels, 64), and dW' mu (64).
    pub products: Aligned<T>,
}

impl<T: Element> Centring<T> {
    /// Creates offsets that start at `visible` and, for the hidden units, at 0.5.
    pub fn new(visible: &[T], hidden: usize) -> Self {
        let (visible_panels, hidden_panels) = (panels(visible.len()), panels(hidden));
        let mut centring = Self {
            visible: UnitValues::new(visible.len()),
            hidden: UnitValues::new(hidden),
            products: Aligned::zeros(hidden_panels * (visible_panels + 1) * PANEL),
        };
        centring.visible.copy_from_slice(visible);
        centring.hidden.fill(T::from_f64(0.5));
        centring
    }

    /// Moves the offsets towards the means of a mini-batch.
    pub fn slide(&mut self, visible_mean: &[T], hidden_mean: &[T]) {
        slide(&mut self.visible, visible_mean);
        slide(&mut self.hidden, hidden_mean);
    }

    /// Converts the bias steps of the centred machine to those of the plain one. `up` and `down` multiply the inputs of
    /// the hidden and the visible units, and therefore the effect of a step of W on their biases.
    pub fn uncentre(&self, [up, down]: [T; 2], visible: &mut [T], hidden: &mut [T]) {
        let of_panel = self.visible.panels().len() + PANEL;
        for (products, hidden) in self.products.chunks_exact(of_panel).zip(hidden.chunks_mut(PANEL)) {
            let (of_visible, of_hidden) = products.split_at(of_panel - PANEL);
            visible.iter_mut().zip(of_visible).for_each(|(step, &product)| *step -= down * product);
            hidden.iter_mut().zip(of_hidden).for_each(|(step, &product)| *step -= up * product);
        }
    }
}

/// The centring terms of the weights between two layers, (panels, 64) each, or of one of their tiles, (64) each.
#[derive(Clone, Copy)]
pub(super) struct TileOffsets<'a, T> {
    /// mu
    pub visible: &'a [T],
    /// lambda
    pub hidden: &'a [T],
    /// g_b times the learning rate
    pub visible_gradient: &'a [T],
    /// g_c times the learning rate
    pub hidden_gradient: &'a [T],
}

impl<'a, T: Element> TileOffsets<'a, T> {
    /// The terms of the tile between visible panel p and hidden panel q.
    #[must_use]
    pub fn of_tile(&self, p: usize, q: usize) -> Self {
        let panel = |of_layer: &'a [T], panel: usize| &of_layer[panel * PANEL..][..PANEL];
        Self {
            visible: panel(self.visible, p),
            hidden: panel(self.hidden, q),
            visible_gradient: panel(self.visible_gradient, p),
            hidden_gradient: panel(self.hidden_gradient, q),
        }
    }

    /// `velocity` <- `keep velocity - mu g_c' - g_b lambda'`
    pub fn centre(&self, level: Level, keep: T, velocity: &mut [T]) {
        let products = [[self.visible, self.hidden_gradient], [self.visible_gradient, self.hidden]];
        subtract_outer_products(level, keep, products, velocity);
    }

    /// The effect of a tile's step on the biases: `of_visible` <- dW lambda, `of_hidden` <- `of_hidden` + dW' mu.
    pub fn products(&self, level: Level, step: &[T], of_visible: &mut [T], of_hidden: &mut [T]) {
        tile_products(level, step, [self.visible, self.hidden], of_visible, of_hidden);
    }
}
