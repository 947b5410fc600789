//! Spectral normalisation of a linear layer or a convolution: its weight is divided by its largest singular value.
//!
//! Let W be the weight as a matrix whose columns are numbered by the last axis, (pixels and channels of the kernel, out) for a
//! convolution. With σ the largest singular value of W and f the layer, which is linear in W and x,
//!
//! ```text
//! forward:  y = f(x; W/σ) = f(x/σ; W)
//! ```
//!
//! apart from the bias, which stays as it is. The Lipschitz constant of a linear layer is then 1. Power iteration estimates σ
//! from the vector u of the last pass, one step a training pass:
//!
//! ```text
//! v ← W u / ‖W u‖,   u ← Wᵀ v / ‖Wᵀ v‖,   σ = vᵀ W u
//! ```
//!
//! u is saved as a running statistic, `weight_u`, and inference uses σ = ‖W u‖. With u and v constant, ∂σ/∂W = v uᵀ, and for
//! a loss L with the gradient G′ = ∂L/∂W at constant σ (the layer's own, computed from x/σ)
//!
//! ```text
//! backward: ∂L/∂W = G′ − ⟨G′, W⟩/σ · v uᵀ,   ∂L/∂x = 1/σ · (∂L/∂(x/σ))
//! ```
//!
//! because L depends on W/σ alone, so that ∂L/∂σ = −⟨G′, W⟩/σ. The tangent is that of the layer at ẋ/σ, and S = Σ δ · ẏ
//! depends on W in the same way. At the singular vectors σ does not change with u and v to first order, so this is then
//! also the derivative of the true σ.
//!
//! **Source** Miyato et al. 2018.

use super::{
    ForwardPass, Initialisation, Input, Kept, Layer, LayerGradients, Pass, Properties, Scratch, Shape,
};
use crate::Result;
use crate::aligned::Aligned;
use crate::rng::Stream;
use crate::tensor::{Element, Epilogue, MatrixMut, MatrixRef, Tensor};
use equilibria_kernels::{Level, elementwise, reduce};

/// Steps of power iteration after initialisation.
const START: usize = 15;

/// The least σ, against a division by 0.
const EPSILON: f64 = 1e-12;

/// A layer whose first parameter, its weight, is divided by its largest singular value.
///
/// ```
/// use equilibria::nn::{Initialisation, Linear, Scratch, Sequential, Spectral};
/// use equilibria::rng::Stream;
/// let mut network = Sequential::<f64>::new(3, vec![Spectral::new(Linear::without_bias(3, 1)).into()])?;
/// network.initialise(Initialisation::Uniform, Stream::named(1, "init"));
/// // The weight of one output has one singular value, its length.
/// let weight = network.parameters().next().unwrap().data().to_vec();
/// let mut y = [0.0];
/// network.infer(&weight, &mut Scratch::new(), &mut y)?;
/// let length = weight.iter().map(|w| w * w).sum::<f64>().sqrt();
/// assert!((y[0] - length).abs() < 1e-9); // w · w / ‖w‖
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Spectral<T: Element, L> {
    layer: L,
    /// u (last axis of the weight), of length 1.
    u: [Tensor<T>; 1],
}

/// v, u and σ of a pass.
struct Singular<'a, T> {
    v: &'a [T],
    u: &'a [T],
    sigma: T,
}

impl<'a, T: Element> Singular<'a, T> {
    /// From the data that the forward pass kept, which are the same for each mini-batch.
    fn of(kept: &'a [T], rows: usize, columns: usize) -> Self {
        let (v, rest) = kept.split_at(rows);
        Self { v, u: &rest[..columns], sigma: rest[columns] }
    }
}

impl<T: Element, L: Layer<T>> Spectral<T, L> {
    /// Normalises the weight of a linear layer or a convolution.
    ///
    /// **Panics** if the layer has no parameters.
    pub fn new(layer: L) -> Self {
        let columns = layer.tensors()[0][0].shape().last().copied().unwrap_or(1);
        let u = Tensor::filled(&[columns], T::from_f64(1.0 / libm::sqrt(columns.max(1) as f64)));
        Self { layer, u: [u] }
    }

    fn weight(&self) -> &Tensor<T> {
        &self.layer.tensors()[0][0]
    }

    /// Rows and columns of the weight.
    fn sides(&self) -> [usize; 2] {
        let columns = self.u[0].len();
        [self.weight().len() / columns.max(1), columns]
    }

    /// W u in `v`; returns its length.
    fn forth(&self, v: &mut [T], scratch: &mut Scratch<T>) -> T {
        let [rows, columns] = self.sides();
        let w = MatrixRef::new(self.weight().data(), rows, columns);
        let (u, out) = (MatrixRef::new(self.u[0].data(), columns, 1), MatrixMut::new(&mut *v, rows, 1));
        scratch.workspace().gemm(T::ONE, w, u, T::ZERO, out, Epilogue::NONE);
        length(v)
    }

    /// One step of power iteration, which fills v and changes u. Returns σ.
    fn iterate(&mut self, v: &mut [T], scratch: &mut Scratch<T>) -> T {
        let (level, [rows, columns]) = (Level::detect(), self.sides());
        let norm = self.forth(v, scratch);
        elementwise::scale_in_place(level, T::ONE / norm, v);
        let w = MatrixRef::new(self.layer.tensors()[0][0].data(), rows, columns).transposed();
        let u = self.u[0].data_mut();
        let (v, out) = (MatrixRef::new(v, rows, 1), MatrixMut::new(&mut *u, columns, 1));
        scratch.workspace().gemm(T::ONE, w, v, T::ZERO, out, Epilogue::NONE);
        // vᵀ W u = ‖Wᵀ v‖ for the new u.
        let sigma = length(u);
        elementwise::scale_in_place(level, T::ONE / sigma, u);
        sigma
    }

    /// Calls `run` with the layer and the gradients, and turns the G′ that it adds to them into ∂L/∂W.
    fn differentiate(
        &self,
        singular: &Singular<'_, T>,
        mut gradients: Option<LayerGradients<'_, T>>,
        run: impl FnOnce(&L, Option<LayerGradients<'_, T>>) -> Result<()>,
    ) -> Result<()> {
        let Some(gradients) = &mut gradients else { return run(&self.layer, None) };
        let (level, w) = (Level::detect(), self.weight().data());
        let before = reduce::dot(level, gradients.tensor(0).data(), w);
        run(&self.layer, Some(gradients.reborrow()))?;
        let gradient = gradients.tensor(0).data_mut();
        let share = (reduce::dot(level, gradient, w) - before) / singular.sigma;
        for (row, &v) in gradient.chunks_exact_mut(singular.u.len()).zip(singular.v) {
            elementwise::axpy(level, T::ZERO - share * v, singular.u, row);
        }
        Ok(())
    }
}

/// ‖x‖, not 0.
fn length<T: Element>(x: &[T]) -> T {
    let squared = reduce::squared_norm(Level::detect(), x).to_f64();
    T::from_f64(libm::sqrt(squared).max(EPSILON))
}

/// Calls `run` with spare memory for `count` numbers and the rest of `scratch`.
fn with_spare<T: Element, R>(
    scratch: &mut Scratch<T>,
    count: usize,
    run: impl FnOnce(&mut [T], &mut Scratch<T>) -> R,
) -> R {
    let mut spare = core::mem::replace(&mut scratch.spare, Aligned::from_vec(alloc::vec::Vec::new()));
    spare.resize(count);
    let result = run(&mut spare, scratch);
    scratch.spare = spare;
    result
}

impl<T: Element, L: Layer<T> + Clone + 'static> Layer<T> for Spectral<T, L> {
    fn name(&self) -> &'static str {
        self.layer.name()
    }

    fn output_shape(&self, input: Shape) -> Result<Shape> {
        self.layer.output_shape(input)
    }

    fn tensors(&self) -> [&[Tensor<T>]; 2] {
        [self.layer.tensors()[0], &self.u]
    }

    fn tensors_mut(&mut self) -> [&mut [Tensor<T>]; 2] {
        let [parameters, _] = self.layer.tensors_mut();
        [parameters, &mut self.u]
    }

    fn names(&self) -> &'static [&'static str] {
        match self.layer.names() {
            [_] => &["weight", "weight_u"],
            _ => &["weight", "bias", "weight_u"],
        }
    }

    /// **Randomness** That of the layer, and substream 2 for u.
    fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        self.layer.initialise(initialisation, stream);
        let u = &mut self.u[0];
        u.fill_normal(stream.substream(2), T::ONE);
        let norm = length(u.data());
        u.scale_in_place(T::ONE / norm);
        let (mut v, mut scratch) = (Aligned::zeros(self.sides()[0]), Scratch::new());
        for _ in 0..START {
            self.iterate(&mut v, &mut scratch);
        }
    }

    fn properties(&self) -> Properties {
        Properties { absorbs_activation: true, ..Properties::default() }
    }

    /// x/σ; v, u and σ.
    fn keeps(&self, input: Shape) -> Kept<usize> {
        let [rows, columns] = self.sides();
        Kept { per_example: [input.size(), 0], per_batch: rows + columns + 1 }
    }

    fn infer(&self, Input { shape, x, activation, scratch }: Input<'_, T>, y: &mut [T]) {
        let [rows, _] = self.sides();
        with_spare(scratch, rows + x.len(), |spare, scratch| {
            let (v, scaled) = spare.split_at_mut(rows);
            let sigma = self.forth(v, scratch);
            elementwise::scale(Level::detect(), T::ONE / sigma, x, scaled);
            self.layer.infer(Input { shape, x: scaled, activation, scratch }, y);
        });
    }

    // forward: y = φ(f(x/σ; W))
    fn forward(
        &mut self,
        ForwardPass { input, training, kept }: ForwardPass<'_, T>,
        y: &mut [T],
    ) -> Result<()> {
        let Input { shape, x, activation, scratch } = input;
        let ([rows, columns], [scaled, _]) = (self.sides(), kept.per_example);
        let (first, others) = kept.per_batch.split_at_mut(rows + columns + 1);
        let (v, rest) = first.split_at_mut(rows);
        let sigma = self.iterate(v, scratch);
        rest[..columns].copy_from_slice(self.u[0].data());
        rest[columns] = sigma;
        others.chunks_exact_mut(first.len()).for_each(|other| other.copy_from_slice(first));
        elementwise::scale(Level::detect(), T::ONE / sigma, x, scaled);
        let input = Input { shape, x: scaled, activation, scratch };
        self.layer.forward(ForwardPass { input, training, kept: Kept::default() }, y)
    }

    // forward:  y = f(x/σ; W)
    // backward: ∂L/∂W = G′ − ⟨G′, W⟩/σ · v uᵀ,   ∂L/∂x = 1/σ · ∂L/∂(x/σ)
    fn backward(&self, mut pass: Pass<'_, T>) {
        let [rows, columns] = self.sides();
        let singular = Singular::of(pass.kept.per_batch, rows, columns);
        let (gradients, mut grad_input) = (pass.gradients.take(), pass.grad_input.take());
        let x = pass.kept.per_example[0];
        let run = |layer: &L, gradients: Option<LayerGradients<'_, T>>| {
            layer.backward(Pass { x, gradients, grad_input: grad_input.as_deref_mut(), ..pass });
            Ok(())
        };
        // A backward pass does not fail.
        let _ = self.differentiate(&singular, gradients, run);
        if let Some(grad_input) = grad_input {
            elementwise::scale_in_place(Level::detect(), T::ONE / singular.sigma, grad_input);
        }
    }

    // tangent: ẏ = f′(ẋ/σ; W),   ∂S/∂W = G′ − ⟨G′, W⟩/σ · v uᵀ
    fn tangent(&self, mut pass: Pass<'_, T>, x_dot: &[T], y_dot: &mut [T]) -> Result<()> {
        let [rows, columns] = self.sides();
        let singular = Singular::of(pass.kept.per_batch, rows, columns);
        let (gradients, x) = (pass.gradients.take(), pass.kept.per_example[0]);
        let Pass { shape, y, batches, kept, before, activation, delta, scratch, .. } = pass;
        with_spare(scratch, x_dot.len(), |scaled, scratch| {
            elementwise::scale(Level::detect(), T::ONE / singular.sigma, x_dot, scaled);
            self.differentiate(&singular, gradients, |layer, gradients| {
                let grad_input = None;
                let pass = Pass {
                    shape,
                    x,
                    y,
                    batches,
                    kept,
                    before,
                    activation,
                    delta,
                    gradients,
                    grad_input,
                    scratch,
                };
                layer.tangent(pass, scaled, y_dot)
            })
        })
    }
}
