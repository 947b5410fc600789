//! The posterior of a deep machine, as far as independent units go.
//!
//! Given an image v, the hidden units of a deep machine depend on one another: exp(- E) / Z has products of units of
//! neighbouring layers that no unit's state fixes. The nearest distribution with independent units, Q with means mu, is
//! the one with the highest **variational lower bound**
//!
//! ```text
//! ln P(v) >= - E(v, mu_1, ..., mu_L) + sum over units of H(mu) - ln Z,   H(m) = - m ln m - (1 - m) ln(1 - m),
//! ```
//!
//! whose two sides differ by the divergence of Q from the posterior. The bound's derivative by the mean of a unit is 0 at
//!
//! ```text
//! mu_l = sigmoid(b_l + mu_(l-1) W_l + W_(l+1) mu_(l+1)),   mu_0 = v,
//! ```
//!
//! and as a function of that mean alone the bound is concave. Units of one layer do not meet in E, nor do those of layers
//! that are not neighbours: so setting all odd layers to this at once is the exact maximum given the even ones, and the
//! reverse. **Each half of an iteration raises the bound**, which setting all layers at once need not. (Salakhutdinov &
//! Hinton 2009, section 3.1.) `each_half_of_an_iteration_raises_the_bound` below and `tests/boltzmann/deep_likelihood.rs`
//! check both.
//!
//! The start is a pass from the bottom to the top that doubles what comes from below, as what will come from above is
//! not there yet (their section 3.2); the last layer has nothing above it.
//!
//! v W_1 + b_1 is the same in all iterations. What is left are the products with W_2 to W_L, once in each direction; and
//! only of those images whose means still move: most come to rest long before the slowest, and leave the products.

use super::Dbm;
use crate::parallel::{for_each_row, within};
use crate::tensor::{Element, Workspace};
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use equilibria_kernels::{Activation, Epilogue, Level, MatrixMut, MatrixRef, elementwise, math, threads};

/// When mean-field iterations end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stop {
    /// For each image, where the largest change of its means in an iteration is below this; never, if 0.
    pub tolerance: f64,
    /// After so many iterations in any case.
    pub most: usize,
}

/// How mean-field iterations ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convergence {
    /// Iterations that were done for the slowest image.
    pub iterations: usize,
    /// The largest change of a mean in its image's last iteration; infinite without any.
    pub change: f64,
}

/// Means of the hidden units given images, and the room to find them: in steady state, finding them allocates nothing.
///
/// ```
/// use equilibria::boltzmann::{Dbm, MeanField, Stop};
/// use equilibria::rng::Stream;
/// let model = Dbm::<f32>::new(&[0.2, 0.5, 0.9], &[4, 2], Stream::named(1, "init"))?;
/// let mut posterior = MeanField::new(&model, 10);
/// let found = posterior.infer(&model, &[0.0, 1.0, 1.0], Stop { tolerance: 1e-6, most: 50 });
/// assert!(found.change < 1e-6);
/// assert_eq!((posterior.means(1).len(), posterior.means(2).len()), (4, 2));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MeanField<T: Element> {
    /// Images that there is room for.
    room: usize,
    /// Images that the means are of.
    rows: usize,
    /// b_1 + v W_1 (rows, units of layer 1).
    logits: Vec<T>,
    /// mu_1 to mu_L (rows, units).
    means: Vec<Vec<T>>,
    /// A layer's means before the last update.
    before: Vec<T>,
    /// Logits, in the order of the rows while some of them still move; which images these are, and how far they moved.
    held: Vec<T>,
    order: Vec<usize>,
    changes: Vec<f64>,
    /// The number of threads that the workspace is large enough for.
    reserved: usize,
    workspace: Workspace<T>,
}

impl<T: Element> MeanField<T> {
    /// Room for up to `rows` images of a machine with the sizes of `model`.
    pub fn new(model: &Dbm<T>, rows: usize) -> Self {
        let means: Vec<Vec<T>> = model.sizes().skip(1).map(|units| vec![T::ZERO; rows * units]).collect();
        let largest = means.iter().map(Vec::len).max().unwrap_or(0);
        Self {
            room: rows,
            rows: 0,
            logits: vec![T::ZERO; means[0].len()],
            means,
            before: vec![T::ZERO; largest],
            held: vec![T::ZERO; rows * width(model, 1)],
            order: vec![0; rows],
            changes: vec![0.0; rows],
            reserved: 0,
            workspace: Workspace::new(),
        }
    }

    /// Finds the means given images.
    ///
    /// **Shapes** `visible` (rows, visible), as many rows as there is room for or fewer; from 0 to 1.
    /// **Panics** if the lengths do not fit or the machine has other sizes.
    /// **Accuracy and cost** For each image 2 multiply-adds a weight above W_1 in each of its own iterations, as matrix
    /// products, and before that one a weight. Bit-identical for every number of threads, and an image's means do not
    /// depend on the others.
    /// **Source** Salakhutdinov & Hinton 2009, sections 3.1 and 3.2.
    #[track_caller]
    pub fn infer(&mut self, model: &Dbm<T>, visible: &[T], stop: Stop) -> Convergence {
        let rows = whole_rows(visible.len(), model.visible());
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
        found
    }

    /// As [`MeanField::infer`], where b_1 + v W_1 is there already.
    ///
    /// **Shapes** `logits` (rows, units of layer 1).
    #[track_caller]
    pub fn infer_from_logits(&mut self, model: &Dbm<T>, logits: &[T], stop: Stop) -> Convergence {
        self.resize(model, whole_rows(logits.len(), width(model, 1)));
        within(|| self.iterate(model, logits, stop))
    }

    /// mu_l, of the images last given.
    ///
    /// **Shapes** (rows, units of layer `layer`).
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

    /// Number of hidden layers, L.
    pub fn layers(&self) -> usize {
        self.means.len()
    }

    /// Images that the means are of.
    pub fn rows(&self) -> usize {
        self.rows
    }

    #[track_caller]
    fn resize(&mut self, model: &Dbm<T>, rows: usize) {
        assert!(rows <= self.room, "{rows} images where there is room for {}", self.room);
        let (layers, held) = (model.hidden_layers(), self.means.len());
        assert!(layers == held, "{layers} hidden layers where there is room for {held}");
        self.rows = rows;
        for (layer, means) in (1..).zip(&mut self.means) {
            means.resize(rows * width(model, layer), T::ZERO);
        }
        // Images leave one after the other, and a product of fewer may be split so that it needs more.
        let threads = threads::count();
        if self.reserved != threads {
            self.reserved = threads;
            for weight in model.weights() {
                for rows in 1..=self.room {
                    self.workspace.reserve(rows, weight.columns(), weight.rows());
                    self.workspace.reserve(rows, weight.rows(), weight.columns());
                }
            }
        }
    }

    fn iterate(&mut self, model: &Dbm<T>, logits: &[T], stop: Stop) -> Convergence {
        self.start(model, logits);
        let rows = self.rows;
        let mut held = mem::take(&mut self.held);
        held[..logits.len()].copy_from_slice(logits);
        self.order[..rows].iter_mut().enumerate().for_each(|(i, image)| *image = i);
        let mut moving = rows;
        let mut found = Convergence { iterations: 0, change: f64::INFINITY };
        // Of the images that have come to rest.
        let mut rested = 0.0_f64;
        while found.iterations < stop.most && moving > 0 {
            // Nobody asks for the change of an iteration that another one follows in any case.
            let is_compared = stop.tolerance > 0.0 || found.iterations + 1 == stop.most;
            self.changes[..moving].fill(0.0);
            let layers = self.means.len();
            for layer in (1..=layers).step_by(2).chain((2..=layers).step_by(2)) {
                self.update(model, &held, layer, moving, is_compared);
            }
            found.iterations += 1;
            if is_compared {
                found.change = self.changes[..moving].iter().copied().fold(rested, f64::max);
                for row in (0..moving).rev() {
                    if self.changes[row] < stop.tolerance {
                        rested = rested.max(self.changes[row]);
                        moving -= 1;
                        self.exchange(&mut held, row, moving);
                    }
                }
            }
        }
        for row in 0..rows {
            while self.order[row] != row {
                self.exchange(&mut held, row, self.order[row]);
            }
        }
        self.held = held;
        found
    }

    /// Exchanges two images in everything that has a row for each.
    fn exchange(&mut self, held: &mut [T], row: usize, other: usize) {
        if row == other {
            return;
        }
        let exchange = |values: &mut [T], width: usize| {
            let (first, second) = (row.min(other), row.max(other));
            let (head, tail) = values.split_at_mut(second * width);
            head[first * width..(first + 1) * width].swap_with_slice(&mut tail[..width]);
        };
        for means in &mut self.means {
            let width = means.len() / self.rows;
            exchange(means, width);
        }
        exchange(held, self.means[0].len() / self.rows);
        self.order.swap(row, other);
        self.changes.swap(row, other);
    }

    /// mu_1 = sigmoid(b_1 + 2 v W_1), mu_l = sigmoid(b_l + 2 mu_(l-1) W_l), the last layer's with factor 1.
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

    /// Sets a layer to what its neighbours say, in the first `rows` rows. How far that moves each is added to its largest
    /// change, if it is asked for.
    fn update(&mut self, model: &Dbm<T>, logits: &[T], layer: usize, rows: usize, is_compared: bool) {
        let Self { means, before, changes, workspace, .. } = self;
        let (below, rest) = means.split_at_mut(layer - 1);
        let (out, above) = rest.split_first_mut().expect("the layer is there");
        let units = width(model, layer);
        let (out, before) = (&mut out[..rows * units], &mut before[..rows * units]);
        if is_compared {
            before.copy_from_slice(out);
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
            // b_1 is in the logits already.
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
        if is_compared {
            let changes = &mut changes[..rows];
            for_each_row((out, units), (before, units), changes, |_, out, before, change| {
                *change = change.max(largest_difference(out, before));
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
    // Several maxima at a time, which the compiler keeps in a vector.
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
    fn the_largest_difference_is_found_wherever_it_is() {
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
