//! Layer normalisation: normalises each example to mean 0 and variance 1, then applies a scale γ and a shift β to each
//! of its numbers.
//!
//! With n numbers in an example, separately for each example,
//!
//! ```text
//! forward:  μ = mean x,   v = mean (x − μ)²,   r = 1 / √(v + ε),   x̂ = (x − μ) r,   y = γ ⊙ x̂ + β
//! ```
//!
//! As in batch normalisation, with the example instead of the channel, x̂ has the symmetric Jacobian J with J d = r (d
//! − mean d − x̂ mean(x̂ ⊙ d)), so that with δ = ∂L/∂y
//!
//! ```text
//! backward: ∂L/∂x = J (γ ⊙ δ),   ∂L/∂γ = Σ_examples δ ⊙ x̂,   ∂L/∂β = Σ_examples δ
//! tangent:  ẏ = γ ⊙ J ẋ,         ∂S/∂γ = Σ_examples δ ⊙ J ẋ
//! ```
//!
//! Examples are independent of one another, so a penalised critic may contain this layer. S = δ · ẏ = a · J ẋ, with a =
//! γ ⊙ δ, also depends on x, because J depends on x through r and x̂. Expanded, S = r (a · ẋ − n mean a mean ẋ − (a ·
//! x̂)(ẋ · x̂)/n), and with ∂r = −r² x̂ · ∂x/n and ∂x̂ = J ∂x
//!
//! ```text
//! ∂S/∂x = −r/n (S x̂ + J ((ẋ · x̂) a + (a · x̂) ẋ)).
//! ```
//!
//! **Source** Ba, Kiros & Hinton 2016. ε is PyTorch's.

use super::{ForwardPass, Initialisation, Input, Kept, Layer, LayerGradients, Pass, Properties, Shape};
use crate::Result;
use crate::rng::Stream;
use crate::tensor::{Activation, Element, Tensor};
use equilibria_kernels::normalise::{layer_curvature, layer_forward, layer_jacobian};
use equilibria_kernels::{Level, elementwise, reduce};

/// The constant added to variances.
const EPSILON: f64 = 1e-5;

/// y = γ ⊙ x̂ + β, with x̂ normalised over the example.
///
/// ```
/// use equilibria::nn::{LayerNorm, Scratch, Sequential};
/// let network = Sequential::<f64>::new(2, vec![LayerNorm::new(2).into()])?;
/// let mut y = [0.0; 2];
/// network.infer(&[10.0, 30.0], &mut Scratch::new(), &mut y)?;
/// assert!((y[0] + 1.0).abs() < 1e-6 && (y[1] - 1.0).abs() < 1e-6);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct LayerNorm<T: Element> {
    /// γ and β (size of an example).
    scales: [Tensor<T>; 2],
}

impl<T: Element> LayerNorm<T> {
    /// A layer for examples of `size` numbers, with γ = 1 and β = 0.
    ///
    /// **Panics** if `size` exceeds the address space.
    pub fn new(size: usize) -> Self {
        Self { scales: [Tensor::filled(&[size], T::ONE), Tensor::zeros(&[size])] }
    }

    /// Computes y = φ(γ ⊙ x̂ + β), and stores x̂ and r.
    fn normalise(&self, x: &[T], activation: Activation<T>, [normal, r]: [&mut [T]; 2], y: &mut [T]) {
        let [gamma, beta] = self.scales.each_ref().map(Tensor::data);
        layer_forward(Level::detect(), x, (gamma, beta), T::from_f64(EPSILON), activation, normal, r, y);
    }

    /// Adds Σ δ ⊙ `x` to the gradient of γ.
    fn add_products(&self, x: &[T], delta: &[T], gradients: &mut LayerGradients<'_, T>) {
        let gradient = gradients.tensor(0).data_mut();
        let (size, level) = (gradient.len(), Level::detect());
        reduce::add_column_dots(level, x, delta, delta.len() / size, size, gradient);
    }

    /// Adds Σ δ ⊙ x̂ and Σ δ to the gradients, if requested.
    fn add_gradients(&self, pass: &mut Pass<'_, T>, delta: &[T]) {
        if let Some(gradients) = &mut pass.gradients {
            self.add_products(pass.kept.per_example[0], delta, gradients);
            gradients.add_column_sums(1, delta);
        }
    }
}

impl<T: Element> Layer<T> for LayerNorm<T> {
    fn name(&self) -> &'static str {
        "layer normalisation"
    }

    fn output_shape(&self, input: Shape) -> Result<Shape> {
        input.expect("input of layer normalisation", self.scales[0].len())
    }

    fn tensors(&self) -> [&[Tensor<T>]; 2] {
        [&self.scales, &[]]
    }

    fn tensors_mut(&mut self) -> [&mut [Tensor<T>]; 2] {
        [&mut self.scales, &mut []]
    }

    fn names(&self) -> &'static [&'static str] {
        &["weight", "bias"]
    }

    /// Sets γ to 1 and β to 0 for every `initialisation`.
    fn initialise(&mut self, _initialisation: Initialisation, _stream: Stream) {
        *self = Self::new(self.scales[0].len());
    }

    fn properties(&self) -> Properties {
        Properties { has_curvature: true, absorbs_activation: true, ..Properties::default() }
    }

    /// x̂ and r.
    fn keeps(&self, input: Shape) -> Kept<usize> {
        Kept { per_example: [input.size(), 1], per_batch: 0 }
    }

    fn infer(&self, Input { x, activation, scratch, .. }: Input<'_, T>, y: &mut [T]) {
        let kept = scratch.numbers(x.len() + x.len() / self.scales[0].len());
        self.normalise(x, activation, kept.split_at_mut(x.len()).into(), y);
    }

    fn forward(&mut self, ForwardPass { input, kept, .. }: ForwardPass<'_, T>, y: &mut [T]) -> Result<()> {
        self.normalise(input.x, input.activation, kept.per_example, y);
        Ok(())
    }

    // forward:  y = γ ⊙ x̂ + β,   x̂ = (x − μ) r
    // backward: ∂L/∂γ = Σ δ ⊙ x̂,   ∂L/∂β = Σ δ,   ∂L/∂x = J (γ ⊙ δ)
    fn backward(&self, mut pass: Pass<'_, T>) {
        let delta = pass.delta;
        self.add_gradients(&mut pass, delta);
        if let Some(grad_input) = pass.grad_input {
            let (level, kept, gamma) = (Level::detect(), pass.kept.per_example.into(), self.scales[0].data());
            layer_jacobian(level, kept, Some(gamma), delta, grad_input);
        }
    }

    // tangent: ẏ = γ ⊙ J ẋ,   ∂S/∂γ = Σ δ ⊙ J ẋ
    fn tangent(&self, pass: Pass<'_, T>, x_dot: &[T], y_dot: &mut [T]) -> Result<()> {
        let (level, gamma) = (Level::detect(), self.scales[0].data());
        layer_jacobian(level, pass.kept.per_example.into(), None, x_dot, y_dot);
        if let Some(mut gradients) = pass.gradients {
            self.add_products(y_dot, pass.delta, &mut gradients);
        }
        y_dot.chunks_exact_mut(gamma.len()).for_each(|y| elementwise::mul_in_place(level, y, gamma));
        Ok(())
    }

    // ∂/∂x of S + Σ e · y = J (γ ⊙ e) − r/n (S x̂ + J ((ẋ · x̂) a + (a · x̂) ẋ)),   a = γ ⊙ δ
    fn tangent_backward(&self, mut pass: Pass<'_, T>, x_dot: &[T], e: Option<&[T]>) {
        if let Some(e) = e {
            self.add_gradients(&mut pass, e);
        }
        if let Some(grad_input) = pass.grad_input {
            let (level, kept, gamma) = (Level::detect(), pass.kept.per_example.into(), self.scales[0].data());
            layer_curvature(level, kept, gamma, pass.delta, x_dot, e, grad_input);
        }
    }
}
