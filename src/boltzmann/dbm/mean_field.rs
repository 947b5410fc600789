//! The mean-field approximation of a deep machine's posterior.
//!
//! Given an image v, the hidden units of a deep machine are dependent: exp(- E) / Z contains products of units of
//! neighbouring layers. The closest distribution with independent units, Q with means mu, maximises the **variational
//! lower bound**
//!
//! ```text
//! ln P(v) >= - E(v, mu_1, ..., mu_L) + sum over units of H(mu) - ln Z,   H(m) = - m ln m - (1 - m) ln(1 - m),
//! ```
//!
//! The two sides differ by the divergence of Q from the posterior. The derivative of the bound with respect to the mean
//! of a unit is 0 at
//!
//! ```text
//! mu_l = sigmoid(b_l + mu_(l-1) W_l + W_(l+1) mu_(l+1)),   mu_0 = v,
//! ```
//!
//! and the bound is concave as a function of that mean alone. E has no products of two units of the same layer, nor of
//! layers that are not neighbours. Setting all odd layers to these values at once is therefore the exact maximum given
//! the even ones, and vice versa. **Each half of an iteration raises the bound**, which setting all layers at once need
//! not do (Salakhutdinov & Hinton 2009, section 3.1). `each_half_of_an_iteration_raises_the_bound` below and
//! `tests/boltzmann/deep_likelihood.rs` check both.
//!
//! The initial means come from one pass from the bottom to the top. It doubles the input from below, since the layer
//! above has no means yet (their section 3.2). The last layer has no layer above it, and its input is not doubled.
//!
//! v W_1 + b_1 is the same in all iterations. Each iteration needs only the products with W_2 to W_L, once in each
//! direction. Converged images are dropped from these products; most images converge long before the slowest one.

use super::Dbm;
use crate::data::check_unit_interval;
use crate::parallel::{for_each_row, within};
use crate::tensor::{Element, Workspace};
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use equilibria_kernels::{Activation, Epilogue, Level, MatrixMut, MatrixRef, elementwise, math, threads};

/// The stopping rule of mean-field iterations.
///
/// ```
/// use equilibria::boltzmann::Stop;
/// let stop = Stop { iterations: 100, ..Stop::default() };
/// assert_eq!(stop.tolerance, 1e-3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stop {
    /// An image has converged once the largest change of its means in an iteration is below this. With 0 no image
    /// converges early.
    pub tolerance: f64,
    /// The largest number of iterations.
    pub iterations: usize,
}

impl Stop {
    /// Checks the tolerance.
    ///
    /// **Errors** [`Error::InvalidArgument`] unless it is a number of at least 0.
    pub fn validate(&self) -> Result<()> {
        match self.tolerance >= 0.0 {
            true => Ok(()),
            false => {
                let found = format!("a tolerance of {}", self.tolerance);
                Err(Error::invalid(found, "a number of at least 0 is needed"))
            }
        }
    }
}

/// A tolerance of 1e-3, which is enough for learning, and at most 30 iterations.
impl Default for Stop {
    fn default() -> Self {
        Self { tolerance: 1e-3, iterations: 30 }
    }
}

/// The outcome of mean-field iterations.
///
/// ```
/// use equilibria::boltzmann::{Dbm, MeanField, Stop};
/// use equilibria::rng::Stream;
/// let model = Dbm::<f64>::new(&[0.5; 4], &[3, 2], Stream::named(1, "init"))?;
/// let found = MeanField::new(&model, 1).infer(&model, &[1.0, 0.0, 1.0, 0.0], Stop::default())?;
/// assert!(found.change <= Stop::default().tolerance && found.iterations > 0);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convergence {
    /// Iterations of the slowest image.
    pub iterations: usize,
    /// The largest change of a mean in its image's last iteration; infinite if there was no iteration.
    pub change: f64,
}

/// The mean-field means of the hidden units given images, with reusable buffers: repeated inference allocates nothing.
///
/// ```
/// use equilibria::boltzmann::{Dbm, MeanField, Stop};
/// use equilibria::rng::Stream;
/// let model = Dbm::<f32>::new(&[0.2, 0.5, 0.9], &[4, 2], Stream::named(1, "init"))?;
/// let mut posterior = MeanField::new(&model, 10);
/// let found = posterior.infer(&model, &[0.0, 1.0, 1.0], Stop { tolerance: 1e-6, iterations: 50 })?;
/// assert!(found.change < 1e-6);
/// assert_eq!((posterior.means(1).len(), posterior.means(2).len()), (4, 2));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MeanField<T: Element> {
    /// The largest number of images.
    capacity: usize,
    /// The number of images of the current means.
    rows: usize,
    /// b_1 + v W_1 (rows, units of layer 1).
    logits: Vec<T>,
    /// mu_1 to mu_L (rows, units).
    means: Vec<Vec<T>>,
    /// A layer's means before the last update.
    previous: Vec<T>,
    /// The logits in the current order of the rows, the image of each row, and the largest change of its means. Images
    /// that have not converged come first.
    active_logits: Vec<T>,
    order: Vec<usize>,
    changes: Vec<f64>,
    /// The number of threads that the workspace is large enough for.
    reserved: usize,
    workspace: Workspace<T>,
}

impl<T: Element> MeanField<T> {
    /// Allocates buffers for up to `rows` images of a machine with the sizes of `model`.
    pub fn new(model: &Dbm<T>, rows: usize) -> Self {
        let means: Vec<Vec<T>> = model.sizes().skip(1).map(|units| vec![T::ZERO; rows * units]).collect();
        let largest = means.iter().map(Vec::len).max().unwrap_or(0);
        Self {
            capacity: rows,
            rows: 0,
            logits: vec![T::ZERO; means[0].len()],
            means,
            previous: vec![T::ZERO; largest],
            active_logits: vec![T::ZERO; rows * width(model, 1)],
            order: vec![0; rows],
            changes: vec![0.0; rows],
            reserved: 0,
            workspace: Workspace::new(),
        }
    }

    /// Computes the means given images.
    ///
    /// **Shapes** `visible` (rows, visible), each in [0, 1], with at most as many rows as [`MeanField::new`] was given.
    ///
    /// **Errors** [`Error::InvalidArgument`] for a number outside [0, 1], and those of [`Stop::validate`].
    ///
    /// **Panics** if the lengths do not fit or the machine has other sizes.
    ///
    /// **Accuracy and cost** Each image takes 2 multiply-adds per weight above W_1 in each of its own iterations, as
    /// matrix products, and before that 1 per weight. Bit-identical for every number of threads; an image's means do
    /// not depend on the other images.
    ///
    /// **Source** Salakhutdinov & Hinton 2009, sections 3.1 and 3.2.
    #[track_caller]
    pub fn infer(&mut self, model: &Dbm<T>, visible: &[T], stop: Stop) -> Result<Convergence> {
        let rows = whole_rows(visible.len(), model.visible());
        stop.validate()?;
        check_unit_interval("a visible unit", visible)?;
        self.resize(model, rows);
        let mut logits = mem::take(&mut self.logits);
        let found = within(|| {
            let used = &mut logits[..rows * width(model, 1)];
            let epilogue =
                Epilogue { bias: Some(model.biases()[1].data()), activation: Activation::Identity };
            self.workspace.gemm(
                T::ONE,
                MatrixRef::new(visible, rows, model.visible()),
                model.weights()[0].view(),
                T::ZERO,
                MatrixMut::new(used, rows, width(model, 1)),
                epilogue,
            );
            self.iterate(model, used, stop)
        });
        self.logits = logits;
        Ok(found)
    }

    /// Computes the means from given logits b_1 + v W_1.
    ///
    /// **Shapes** `logits` (rows, units of layer 1).
    /// **Errors** [`Error::InvalidArgument`] for a logit that is not finite.
    #[track_caller]
    pub fn infer_from_logits(&mut self, model: &Dbm<T>, logits: &[T], stop: Stop) -> Result<Convergence> {
        self.resize(model, whole_rows(logits.len(), width(model, 1)));
        stop.validate()?;
        if !elementwise::is_finite(Level::detect(), logits) {
            return Err(Error::invalid("logits of a mini-batch", "every number in them must be finite"));
        }
        Ok(within(|| self.iterate(model, logits, stop)))
    }

    /// The means mu_l of the last images.
    ///
    /// **Shapes** (rows, units of layer `layer`).
    ///
    /// **Panics** unless `layer` is from 1 to L.
    #[track_caller]
    pub fn means(&self, layer: usize) -> &[T] {
        assert!(
            (1..=self.means.len()).contains(&layer),
            "layer {layer} of {} hidden layers",
            self.means.len()
        );
        &self.means[layer - 1]
    }

    /// The number of hidden layers, L.
    pub fn layers(&self) -> usize {
        self.means.len()
    }

    /// The number of images of the current means.
    pub fn rows(&self) -> usize {
        self.rows
    }

    #[track_caller]
    fn resize(&mut self, model: &Dbm<T>, rows: usize) {
        assert!(rows <= self.capacity, "{rows} images do not fit into buffers for {}", self.capacity);
        let (layers, held) = (model.hidden_layers(), self.means.len());
        assert!(layers == held, "{layers} hidden layers do not match buffers for {held}");
        self.rows = rows;
        for (layer, means) in (1..).zip(&mut self.means) {
            means.resize(rows * width(model, layer), T::ZERO);
        }
        // Converged images are dropped, and a smaller product may be split in a way that needs more memory.
        let threads = threads::count();
        if self.reserved != threads {
            self.reserved = threads;
            for weight in model.weights() {
                for rows in 1..=self.capacity {
                    self.workspace.reserve(rows, weight.columns(), weight.rows());
                    self.workspace.reserve(rows, weight.rows(), weight.columns());
                }
            }
        }
    }

    fn iterate(&mut self, model: &Dbm<T>, logits: &[T], stop: Stop) -> Convergence {
        self.start(model, logits);
        let rows = self.rows;
        let mut active_logits = mem::take(&mut self.active_logits);
        active_logits[..logits.len()].copy_from_slice(logits);
        self.order[..rows].iter_mut().enumerate().for_each(|(i, image)| *image = i);
        let mut active = rows;
        let mut found = Convergence { iterations: 0, change: f64::INFINITY };
        // The largest last change among the converged images.
        let mut converged_change = 0.0_f64;
        while found.iterations < stop.iterations && active > 0 {
            // The change is needed for the tolerance and for the last iteration.
            let measures_change = stop.tolerance > 0.0 || found.iterations + 1 == stop.iterations;
            self.changes[..active].fill(0.0);
            let layers = self.means.len();
            for layer in (1..=layers).step_by(2).chain((2..=layers).step_by(2)) {
                self.update(model, &active_logits, layer, active, measures_change);
            }
            found.iterations += 1;
            if measures_change {
                found.change = self.changes[..active].iter().copied().fold(converged_change, f64::max);
                for row in (0..active).rev() {
                    if self.changes[row] < stop.tolerance {
                        converged_change = converged_change.max(self.changes[row]);
                        active -= 1;
                        self.swap_images(&mut active_logits, row, active);
                    }
                }
            }
        }
        for row in 0..rows {
            while self.order[row] != row {
                self.swap_images(&mut active_logits, row, self.order[row]);
            }
        }
        self.active_logits = active_logits;
        found
    }

    /// Swaps two images in every buffer that has one row per image.
    fn swap_images(&mut self, active_logits: &mut [T], row: usize, other: usize) {
        if row == other {
            return;
        }
        let swap_rows = |values: &mut [T], width: usize| {
            let (first, second) = (row.min(other), row.max(other));
            let (head, tail) = values.split_at_mut(second * width);
            head[first * width..(first + 1) * width].swap_with_slice(&mut tail[..width]);
        };
        for means in &mut self.means {
            let width = means.len() / self.rows;
            swap_rows(means, width);
        }
        swap_rows(active_logits, self.means[0].len() / self.rows);
        self.order.swap(row, other);
        self.changes.swap(row, other);
    }

    /// Initialises mu_1 = sigmoid(b_1 + 2 v W_1) and mu_l = sigmoid(b_l + 2 mu_(l-1) W_l); the last layer has factor 1.
    fn start(&mut self, model: &Dbm<T>, logits: &[T]) {
        let level = Level::detect();
        let first = &mut self.means[0];
        elementwise::scale(level, T::from_f64(2.0), logits, first);
        let bias = model.biases()[1].data();
        for row in first.chunks_exact_mut(bias.len()) {
            elementwise::axpy(level, -T::ONE, bias, row);
            math::sigmoid_in_place(level, row);
        }
        let layers = self.means.len();
        for layer in 2..=layers {
            let factor = if layer < layers { T::from_f64(2.0) } else { T::ONE };
            let (below, means) = self.means.split_at_mut(layer - 1);
            let (below, out) = (&below[layer - 2], &mut means[0]);
            let bias = Some(model.biases()[layer].data());
            let epilogue = Epilogue { bias, activation: Activation::Sigmoid };
            self.workspace.gemm(
                factor,
                MatrixRef::new(below, self.rows, width(model, layer - 1)),
                model.weights()[layer - 1].view(),
                T::ZERO,
                MatrixMut::new(out, self.rows, width(model, layer)),
                epilogue,
            );
        }
    }

    /// Updates the means of a layer from its neighbours in the first `rows` rows. If `measures_change`, also updates
    /// each row's largest change.
    fn update(&mut self, model: &Dbm<T>, logits: &[T], layer: usize, rows: usize, measures_change: bool) {
        let Self { means, previous, changes, workspace, .. } = self;
        let (below, rest) = means.split_at_mut(layer - 1);
        let (out, above) = rest.split_first_mut().expect("the layer is there");
        let units = width(model, layer);
        let (out, previous) = (&mut out[..rows * units], &mut previous[..rows * units]);
        if measures_change {
            previous.copy_from_slice(out);
        }
        let sigmoid = |bias| Epilogue { bias, activation: Activation::Sigmoid };
        let bias = Some(model.biases()[layer].data());
        if let Some(below) = below.last() {
            let epilogue = if above.is_empty() { sigmoid(bias) } else { Epilogue::NONE };
            workspace.gemm(
                T::ONE,
                first_rows(below, rows, width(model, layer - 1)),
                model.weights()[layer - 1].view(),
                T::ZERO,
                MatrixMut::new(out, rows, units),
                epilogue,
            );
        } else {
            out.copy_from_slice(&logits[..rows * units]);
        }
        if let Some(above) = above.first() {
            // The logits already contain b_1.
            let epilogue = sigmoid(bias.filter(|_| layer > 1));
            workspace.gemm(
                T::ONE,
                first_rows(above, rows, width(model, layer + 1)),
                model.weights()[layer].view().transposed(),
                T::ONE,
                MatrixMut::new(out, rows, units),
                epilogue,
            );
        }
        if measures_change {
            let changes = &mut changes[..rows];
            for_each_row((out, units), (previous, units), changes, |_, out, previous, change| {
                *change = change.max(largest_difference(out, previous));
            });
        }
    }
}

fn first_rows<T: Element>(means: &[T], rows: usize, width: usize) -> MatrixRef<'_, T> {
    MatrixRef::new(&means[..rows * width], rows, width)
}

fn width<T: Element>(model: &Dbm<T>, layer: usize) -> usize {
    model.biases()[layer].len()
}

#[track_caller]
fn whole_rows(len: usize, width: usize) -> usize {
    assert!(len.is_multiple_of(width), "{len} units in rows of {width}");
    len / width
}

/// The largest |x - y|.
fn largest_difference<T: Element>(x: &[T], y: &[T]) -> f64 {
    // Several maxima at a time, which the compiler keeps in a vector register.
    const LANES: usize = 16;
    let mut largest = [T::ZERO; LANES];
    for (x, y) in x.chunks(LANES).zip(y.chunks(LANES)) {
        for ((largest, &x), &y) in largest.iter_mut().zip(x).zip(y) {
            let difference = if x > y { x - y } else { y - x };
            *largest = if difference > *largest { difference } else { *largest };
        }
    }
    largest.into_iter().map(T::to_f64).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::{MeanField, largest_difference};
    use crate::boltzmann::Dbm;
    use crate::boltzmann::likelihood::deep::lower_bounds_at;
    use crate::rng::Stream;
    use crate::tensor::Tensor;
    use alloc::vec::Vec;

    #[test]
    fn each_half_of_an_iteration_raises_the_bound() {
        let sizes = [5, 4, 6, 3, 4];
        let tensor = |shape: &[usize], index| {
            let mut tensor = Tensor::<f64>::zeros(shape);
            tensor.fill_normal(Stream::named(1, "init").substream(index), 2.0);
            tensor
        };
        let weights = (0..).zip(sizes.windows(2)).map(|(l, sizes)| tensor(sizes, l)).collect();
        let biases: Vec<_> = (10..).zip(sizes).map(|(l, size)| tensor(&[size], l)).collect();
        let images: Vec<f64> = (0..32 * 5).map(|i| f64::from(((i / 5) >> (i % 5)) & 1)).collect();
        let mut logits = Vec::new();
        let model = Dbm::from_parameters(weights, biases).unwrap();
        for image in images.chunks(5) {
            for (j, bias) in model.biases()[1].data().iter().enumerate() {
                let weights = model.weights()[0].data().iter().skip(j).step_by(4);
                logits.push(bias + image.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>());
            }
        }
        let mut posterior = MeanField::new(&model, 32);
        posterior.resize(&model, 32);
        posterior.start(&model, &logits);
        let mut last = lower_bounds_at(&model, &images, &posterior);
        let first = last.clone();
        for half in 0..20 {
            for layer in [[1, 3], [2, 4]][half % 2] {
                posterior.update(&model, &logits, layer, 32, false);
            }
            let bounds = lower_bounds_at(&model, &images, &posterior);
            for (bound, last) in bounds.iter().zip(&last) {
                assert!(*bound > last - 1e-12, "{bound} after {last}, half {half}");
            }
            last = bounds;
        }
        assert!(last.iter().zip(&first).all(|(last, first)| *last > first + 1e-3));
    }

    #[test]
    fn the_largest_difference_is_found_at_every_position() {
        let x: Vec<f32> = (0..37).map(|i| i as f32 * 0.25).collect();
        for place in 0..x.len() {
            for by in [-2.0, 3.0] {
                let mut y = x.clone();
                y[place] += by;
                y[(place + 5) % 37] += 1.0;
                assert_eq!(largest_difference(&x, &y), f64::from(by.abs()), "at {place}");
            }
        }
        assert_eq!(largest_difference::<f64>(&[], &[]), 0.0);
    }
}
