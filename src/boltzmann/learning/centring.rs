//! Centring (Montavon & Müller 2012; Melchior, Fischer & Wiskott 2016): the units enter the gradient less their means.
//!
//! A centred machine has the energy
//!
//! ```text
//! E(v, h) = - b' (v - mu) - c' (h - lambda) - (v - mu)' W (h - lambda),
//! ```
//!
//! mu and lambda being offsets near the means of the units over the data. Multiplied out, that is a plain machine with
//! the biases b - W lambda and c - W' mu, so centring changes how a machine learns and not what it is. With g_b and g_c
//! the plain gradient by the biases, data less model, the centred gradient is
//!
//! ```text
//! by W:  E_data[v h'] - E_model[v h']  -  mu g_c'  -  g_b lambda'        by b: g_b        by c: g_c
//! ```
//!
//! and a step (dW, db, dc) of the centred parameters moves the plain biases by db - dW lambda and dc - dW' mu. That is
//! all there is to it: the model and its file stay plain, and moving the offsets moves nothing else.
//!
//! What it is for: the step does not depend on which of its two states a unit calls 1. Learning from inverted images,
//! which costs a plain machine tens of nats, is then the same as learning from the images themselves
//! (`learner.rs` tests it for any set of flipped units).

use crate::aligned::Aligned;
use crate::boltzmann::units::UnitValues;
use crate::tensor::Element;
use equilibria_kernels::Level;
use equilibria_kernels::binary::{PANEL, panels, subtract_outer_products, tile_products};

/// The share of the distance to a mini-batch's means by which the offsets move.
pub(super) const SLIDE: f64 = 0.01;

/// Moves the offsets of a layer towards the means of a mini-batch.
pub(super) fn slide<T: Element>(offsets: &mut UnitValues<T>, means: &[T]) {
    let share = T::from_f64(SLIDE);
    offsets.iter_mut().zip(means).for_each(|(offset, &mean)| *offset += share * (mean - *offset));
}

/// The offsets, and room for what a step of W does to the biases.
#[derive(Debug, Clone)]
pub(super) struct Centring<T: Element> {
    /// mu
    pub visible: UnitValues<T>,
    /// lambda
    pub hidden: UnitValues<T>,
    /// For each hidden panel: the parts of dW lambda (visible panels, 64) that its weights contribute, and dW' mu (64).
    pub products: Aligned<T>,
}

impl<T: Element> Centring<T> {
    /// Offsets that start at `visible`, and at a half.
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

    /// The steps of the biases of the plain machine, by the steps of those of the centred one. `up` and `down` multiply the
    /// hidden and the visible units' inputs, and so what a step of W does to their biases.
    pub fn uncentre(&self, [up, down]: [T; 2], visible: &mut [T], hidden: &mut [T]) {
        let of_panel = self.visible.panels().len() + PANEL;
        for (products, hidden) in self.products.chunks_exact(of_panel).zip(hidden.chunks_mut(PANEL)) {
            let (of_visible, of_hidden) = products.split_at(of_panel - PANEL);
            visible.iter_mut().zip(of_visible).for_each(|(step, &product)| *step -= down * product);
            hidden.iter_mut().zip(of_hidden).for_each(|(step, &product)| *step -= up * product);
        }
    }
}

/// Centring as the weights between two layers see it, (panels, 64) each; or as one of their tiles does, (64) each.
#[derive(Clone, Copy)]
pub(super) struct TileOffsets<'a, T> {
    /// mu
    pub visible: &'a [T],
    /// lambda
    pub hidden: &'a [T],
    /// g_b, times the learning rate
    pub visible_gradient: &'a [T],
    /// g_c, times the learning rate
    pub hidden_gradient: &'a [T],
}

impl<'a, T: Element> TileOffsets<'a, T> {
    /// What the tile between visible panel p and hidden panel q sees of it.
    pub fn of_tile(&self, p: usize, q: usize) -> Self {
        let panel = |of_layer: &'a [T], panel: usize| &of_layer[panel * PANEL..][..PANEL];
        Self {
            visible: panel(self.visible, p),
            hidden: panel(self.hidden, q),
            visible_gradient: panel(self.visible_gradient, p),
            hidden_gradient: panel(self.hidden_gradient, q),
        }
    }

    /// `velocity` <- `keep velocity - mu g_c' - g_b lambda'`.
    pub fn centre(&self, level: Level, keep: T, velocity: &mut [T]) {
        let products = [[self.visible, self.hidden_gradient], [self.visible_gradient, self.hidden]];
        subtract_outer_products(level, keep, products, velocity);
    }

    /// What the step of a tile does to the biases: `of_visible` <- dW lambda, `of_hidden` <- `of_hidden` + dW' mu.
    pub fn products(&self, level: Level, step: &[T], of_visible: &mut [T], of_hidden: &mut [T]) {
        tile_products(level, step, [self.visible, self.hidden], of_visible, of_hidden);
    }
}
