//! Chains that walk along the path together, and all that a step needs: stepping allocates nothing.

use crate::boltzmann::Rbm;
use crate::boltzmann::likelihood::products::Products;
use crate::parallel::for_each_row;
use crate::rng::{Stream, Xoshiro256PlusPlusX8};
use crate::tensor::Element;
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Level, elementwise, random, reduce};

/// A change of the inverse temperature, and whether the weight gains by it or loses.
#[derive(Clone, Copy)]
pub(super) struct Rise<T> {
    pub(super) from: T,
    pub(super) to: T,
    /// 1 or -1.
    pub(super) sign: f64,
}

impl<T: Element> Rise<T> {
    /// sign * (ln q_to(v) - ln q_from(v)), by the x of v; `bias_rise` is b - a.
    fn of(self, v: &[T], x: &[T], bias_rise: &[T]) -> f64 {
        let level = Level::detect();
        let biases = (self.to.to_f64() - self.from.to_f64()) * reduce::dot(level, v, bias_rise).to_f64();
        self.sign * (biases + reduce::softplus_rise(level, self.from, self.to, x).to_f64())
    }
}

/// Chains at their images.
pub(super) struct Walkers<'a, T: Element> {
    model: &'a Rbm<T>,
    products: Products<'a, T>,
    /// a.
    base_rate: &'a [T],
    /// b - a.
    bias_rise: Vec<T>,
    /// (1 - beta) a + beta b = a + beta (b - a).
    bias: Vec<T>,
    chains: Vec<Chain>,
    /// v (chains, visible).
    visible_states: Vec<T>,
    /// Room for h W' (chains, visible).
    visible_inputs: Vec<T>,
    /// h (chains, hidden).
    hidden_states: Vec<T>,
    /// x = c + v W (chains, hidden).
    hidden_inputs: Vec<T>,
}

struct Chain {
    generator: Xoshiro256PlusPlusX8,
    log_weight: f64,
}

impl<'a, T: Element> Walkers<'a, T> {
    /// Room for up to `most` chains.
    pub(super) fn new(model: &'a Rbm<T>, base_rate: &'a [T], most: usize) -> Self {
        let (visible, hidden) = (model.visible(), model.hidden());
        let mut bias_rise = model.visible_bias().data().to_vec();
        elementwise::sub_in_place(Level::detect(), &mut bias_rise, base_rate);
        Self {
            model,
            products: Products::new(model),
            base_rate,
            bias_rise,
            bias: vec![T::ZERO; visible],
            chains: Vec::with_capacity(most),
            visible_states: vec![T::ZERO; most * visible],
            visible_inputs: vec![T::ZERO; most * visible],
            hidden_states: vec![T::ZERO; most * hidden],
            hidden_inputs: vec![T::ZERO; most * hidden],
        }
    }

    /// Begins with a chain for each stream, of weight 1.
    pub(super) fn start(&mut self, streams: impl Iterator<Item = Stream>) {
        self.chains.clear();
        self.chains.extend(streams.map(|stream| Chain { generator: stream.bulk(), log_weight: 0.0 }));
    }

    /// Chains that walk.
    pub(super) fn len(&self) -> usize {
        self.chains.len()
    }

    /// ln w of each chain.
    pub(super) fn log_weights(&self) -> impl Iterator<Item = f64> {
        self.chains.iter().map(|chain| chain.log_weight)
    }

    /// Puts each chain at its image.
    pub(super) fn place<'b>(&mut self, images: impl Iterator<Item = &'b [T]>) {
        for (states, image) in self.visible_states.chunks_exact_mut(self.model.visible()).zip(images) {
            states.copy_from_slice(image);
        }
    }

    /// v ~ p_0(v).
    pub(super) fn sample_base_rate(&mut self) {
        self.visible_inputs.fill(T::ZERO);
        self.sample_visible(T::ZERO);
    }

    /// Computes x = c + v W. Then, where they are asked for, the weights' rise, by v and x, and h ~ p_beta(h | v).
    pub(super) fn see_visible(&mut self, rise: Option<Rise<T>>, beta: Option<T>) {
        let level = Level::detect();
        let (visible, hidden) = self.spans();
        self.products.hidden_inputs(&self.visible_states[..visible], &mut self.hidden_inputs[..hidden]);
        let (bias, bias_rise) = (self.model.hidden_bias().data(), &*self.bias_rise);
        let all_states = &*self.visible_states;
        for_each_row(
            (&mut self.hidden_inputs, bias.len()),
            (&mut self.hidden_states, bias.len()),
            &mut self.chains,
            |i, x, h, chain| {
                elementwise::add_in_place(level, x, bias);
                if let Some(rise) = rise {
                    let v = &all_states[i * bias_rise.len()..][..bias_rise.len()];
                    chain.log_weight += rise.of(v, x, bias_rise);
                }
                if let Some(beta) = beta {
                    elementwise::scale_in_place(level, beta, x);
                    random::bernoulli_from_logits(level, &mut chain.generator, x, h);
                }
            },
        );
    }

    /// v ~ p_beta(v | h).
    pub(super) fn see_hidden(&mut self, beta: T) {
        let (visible, hidden) = self.spans();
        self.products.visible_inputs(&self.hidden_states[..hidden], &mut self.visible_inputs[..visible]);
        self.sample_visible(beta);
    }

    /// v ~ p_beta(v | h), by the h W' in `visible_inputs`, which is spent.
    fn sample_visible(&mut self, beta: T) {
        let level = Level::detect();
        self.bias.copy_from_slice(self.base_rate);
        elementwise::axpy(level, beta, &self.bias_rise, &mut self.bias);
        let (bias, width) = (&*self.bias, self.bias.len());
        for_each_row(
            (&mut self.visible_inputs, width),
            (&mut self.visible_states, width),
            &mut self.chains,
            |_, inputs, v, chain| {
                elementwise::scale_in_place(level, beta, inputs);
                elementwise::add_in_place(level, inputs, bias);
                random::bernoulli_from_logits(level, &mut chain.generator, inputs, v);
            },
        );
    }

    /// Lengths of the chains' visible and hidden units.
    fn spans(&self) -> (usize, usize) {
        (self.chains.len() * self.model.visible(), self.chains.len() * self.model.hidden())
    }
}
