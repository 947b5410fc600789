//! The update of all parameters, from the mean-field means and the chains.

use super::DeepLearner;
use super::buffers::{DeepCentring, LayerGradient, Velocity};
use super::norm::limit;
use crate::boltzmann::dbm::packed::even_and_odd;
use crate::boltzmann::layer::pack_rows;
use crate::boltzmann::learning::centring::{TileOffsets, slide};
use crate::boltzmann::learning::gradient::PhaseStates;
use crate::boltzmann::learning::learner::{PARALLEL_FROM, Rates};
use crate::boltzmann::learning::weights::{WeightPlaces, WeightStep};
use crate::tensor::Element;
use equilibria_kernels::binary::{PANEL, Step, TILE, panels};
use equilibria_kernels::{Epilogue, Level, MatrixMut, MatrixRef, elementwise, reduce, update};

impl<T: Element> DeepLearner<T> {
    /// Updates all parameters. Returns true if they are finite.
    pub(super) fn ascend(&mut self, rates: Rates, are_binary: bool) -> bool {
        let has_momentum = T::from_f64(rates.momentum) != T::ZERO;
        if has_momentum && !self.has_velocity {
            let Velocity { weights, biases } = &mut self.velocity;
            weights.iter_mut().chain(biases).for_each(|velocity| velocity.fill(T::ZERO));
        }
        self.has_velocity = has_momentum;
        self.compute_gradients(rates, are_binary);
        let mut are_finite = true;
        for place in 0..self.packed.weights.len() {
            are_finite &= self.step_weights(place, rates, are_binary);
        }
        for layer in 0..self.packed.biases.len() {
            are_finite &= self.step_bias(layer, rates);
        }
        if let Some(most) = self.max_norm {
            for (place, tiles) in self.packed.weights.iter_mut().enumerate() {
                limit(tiles, place.is_multiple_of(2), most, &mut self.norms);
            }
        }
        self.packed.write(&mut self.model);
        are_finite
    }

    /// The learning rate over the number of rows, for the data and (negative) for the chains.
    fn factors(&self, rates: Rates) -> [T; 2] {
        let rows = [self.images.rows(), self.chains.layers[0].rows()];
        let [positive, negative] = rows.map(|rows| T::from_f64(rates.learning_rate / rows as f64));
        [positive, -negative]
    }

    /// The rows of both phases that the gradient with respect to matrix `place` adds up by lists. The positive phase
    /// has none above the first layer, nor for grey data: it takes a dense product instead.
    fn listed(&self, place: usize, are_binary: bool) -> [usize; 2] {
        let positive = if place == 0 && are_binary { self.images.rows() } else { 0 };
        [positive, self.chains.layers[0].rows()]
    }

    fn works_in_parallel(&self, tiles: usize) -> bool {
        (self.images.rows() + self.chains.layers[0].rows()) * tiles >= PARALLEL_FROM
    }

    /// Computes the lists of even layers, the gradients with respect to the biases and the means of the data. Also
    /// moves the offsets.
    fn compute_gradients(&mut self, rates: Rates, are_binary: bool) {
        let level = Level::detect();
        let (rows, [plus, minus]) = (self.images.rows(), self.factors(rates));
        let rate = T::from_f64(rates.learning_rate);
        for layer in 0..self.packed.biases.len() {
            let is_listed = layer == 0 && are_binary;
            let [positive_rows, chains] = self.listed(layer, are_binary);
            let in_parallel = self.works_in_parallel(4 * panels(self.packed.biases[layer].len()));
            let gradient = &mut self.gradients[layer];
            match layer {
                0 if is_listed => {}
                0 => gradient.read(self.images.numbers(), rows, rate),
                _ => gradient.read(self.posterior.means(layer), rows, rate),
            }
            let walkers = &self.chains.layers[layer];
            if layer.is_multiple_of(2) {
                let lists = &mut self.lists[layer / 2];
                let states = if is_listed { self.images.states() } else { &[] };
                let positive = PhaseStates { states, stride: rows, rows: positive_rows, factor: plus };
                let states = &*walkers.states;
                let negative = PhaseStates { states, stride: chains, rows: chains, factor: minus };
                lists.list(positive, negative, false, in_parallel);
                if is_listed {
                    gradient.bias_gradient.copy_from_slice(&lists.visible);
                    gradient.means.copy_from_slice(&lists.means[0]);
                } else {
                    elementwise::add_in_place(level, &mut gradient.bias_gradient, &lists.visible);
                }
            } else {
                let numbers = walkers.probabilities.chunks_exact(chains * PANEL);
                for (gradient, numbers) in
                    gradient.bias_gradient.panels_mut().chunks_exact_mut(PANEL).zip(numbers)
                {
                    reduce::add_column_sums(level, minus, numbers, chains, PANEL, gradient);
                }
                let units = gradient.means.len();
                pack_rows(self.posterior.means(layer), units, &mut self.means[layer / 2]);
            }
            if let Some(centring) = &mut self.centring {
                slide(&mut centring.offsets[layer], &gradient.means);
            }
        }
    }

    /// Updates velocity and weights of matrix `place`. Returns true if the weights are finite.
    fn step_weights(&mut self, place: usize, rates: Rates, are_binary: bool) -> bool {
        let [even, odd] = even_and_odd(place);
        let factors = self.factors(rates);
        let phases = self.listed(place, are_binary);
        let chains = phases[1];
        let shrink = T::from_f64(rates.learning_rate * rates.weight_decay);
        let mut step = Step { momentum: T::from_f64(rates.momentum), shrink };
        if phases[0] == 0 {
            self.add_dense(place, factors[0], step.momentum, are_binary);
            step.momentum = T::ONE;
        }
        let tiles = panels(self.packed.biases[even].len()) * panels(self.packed.biases[odd].len());
        let in_parallel = self.works_in_parallel(tiles);
        let gradients = &self.gradients;
        let (offsets, products) = match &mut self.centring {
            Some(DeepCentring { offsets, products }) => {
                let offsets = TileOffsets {
                    visible: offsets[even].panels(),
                    hidden: offsets[odd].panels(),
                    visible_gradient: gradients[even].bias_gradient.panels(),
                    hidden_gradient: gradients[odd].bias_gradient.panels(),
                };
                (Some(offsets), &mut *products[place])
            }
            None => (None, &mut [][..]),
        };
        let (means, walkers) = (&*self.means[odd / 2], &*self.chains.layers[odd].probabilities);
        let places = WeightPlaces {
            tiles: &mut self.packed.weights[place],
            velocity: &mut self.velocity.weights[place],
            values: &mut self.values,
            tables: &mut self.tables,
            products,
        };
        let gradient = &self.lists[even / 2];
        let phases = [(phases[0], factors[0]), (chains, factors[1])];
        let step = WeightStep { gradient, phases, step, offsets, in_parallel };
        step.run(places, &|q, values| {
            let (first, second) = values.split_at_mut(phases[0].0 * PANEL);
            first.copy_from_slice(&means[q * first.len()..][..first.len()]);
            second.copy_from_slice(&walkers[q * second.len()..][..second.len()]);
        })
    }

    /// velocity <- momentum velocity + factor mu_even' mu_odd
    fn add_dense(&mut self, place: usize, factor: T, momentum: T, are_binary: bool) {
        let [even, odd] = even_and_odd(place);
        let rows = self.images.rows();
        let below = match even {
            0 => {
                debug_assert!(!are_binary);
                self.images.numbers()
            }
            _ => self.posterior.means(even),
        };
        let units = self.packed.biases[even].len();
        let below = MatrixRef::new(below, rows, units).transposed();
        let panel = panels(units) * TILE;
        for (q, tiles) in self.velocity.weights[place].chunks_exact_mut(panel).enumerate() {
            let means = &self.means[odd / 2][q * rows * PANEL..][..rows * PANEL];
            let means = MatrixRef::new(means, rows, PANEL);
            let tiles = MatrixMut::with_strides(tiles, units, PANEL, PANEL, 1);
            self.workspace.gemm(factor, below, means, momentum, tiles, Epilogue::NONE);
        }
    }

    /// Updates velocity and biases of a layer, after all weights. Returns true if the biases are finite.
    fn step_bias(&mut self, layer: usize, rates: Rates) -> bool {
        let momentum = T::from_f64(rates.momentum);
        let velocity = &mut *self.velocity.biases[layer];
        let LayerGradient { bias_gradient, means } = &mut self.gradients[layer];
        if let (Some(sparsity), Some(place)) = (&self.sparsity, layer.checked_sub(1)) {
            let rate = T::from_f64(rates.learning_rate * sparsity.cost);
            let target = T::from_f64(sparsity.targets[place]);
            let pairs = bias_gradient.iter_mut().zip(means.iter());
            pairs.for_each(|(gradient, &mean)| *gradient -= rate * (mean - target));
        }
        for (velocity, &gradient) in velocity.iter_mut().zip(bias_gradient.iter()) {
            *velocity = momentum * *velocity + gradient;
        }
        // The gradient is not needed any more: its buffer takes the step of the plain biases.
        bias_gradient.copy_from_slice(velocity);
        if let Some(centring) = &self.centring {
            for place in layer.saturating_sub(1)..=layer.min(centring.products.len() - 1) {
                let is_even = even_and_odd(place)[0] == layer;
                let row_panels = panels(self.packed.weights[place].rows);
                let of_panels = centring.products[place].chunks_exact((row_panels + 1) * PANEL);
                for (q, products) in of_panels.enumerate() {
                    let (of_rows, of_columns) = products.split_at(row_panels * PANEL);
                    let (first, products) = if is_even { (0, of_rows) } else { (q * PANEL, of_columns) };
                    let steps = bias_gradient[first..].iter_mut().zip(products);
                    steps.for_each(|(step, &product)| *step -= product);
                }
            }
        }
        let bias = &mut *self.packed.biases[layer];
        update::add_velocity(Level::detect(), T::ZERO, bias_gradient, bias)
    }
}
