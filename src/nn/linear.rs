//! The linear layer, y = x Wᵀ + b, with W (outputs, inputs) as in PyTorch.
//!
//! With δ = ∂L/∂y, one example per row,
//!
//! ```text
//! forward:  y = x Wᵀ + b
//! backward: ∂L/∂W = δᵀ x,   ∂L/∂b = Σ_rows δ,   ∂L/∂x = δ W
//! ```
//!
//! Along a direction ẋ the output changes by ẏ = ẋ Wᵀ, which depends on W but not on b, so that S = Σ δ · ẏ has
//!
//! ```text
//! tangent:  ẏ = ẋ Wᵀ,   ∂S/∂W = δᵀ ẋ,   ∂S/∂b = 0,   ∂S/∂x = 0
//! ```

use super::{Initialisation, Input, Layer, LayerGradients, Pass, Properties, Shape};
use crate::Result;
use crate::rng::Stream;
use crate::tensor::{Element, Epilogue, MatrixMut, MatrixRef, Tensor, Workspace};
use alloc::vec;
use alloc::vec::Vec;

/// y = x Wᵀ + b. An image is one row of `height * width * channels` numbers.
///
/// ```
/// use equilibria::nn::{Linear, Sequential};
/// let network = Sequential::<f64>::new(784, vec![Linear::new(784, 100).into(), Linear::new(100, 10).into()])?;
/// assert_eq!((network.inputs(), network.outputs()), (784, 10));
/// assert!(Sequential::<f64>::new(784, vec![Linear::new(100, 10).into()]).is_err(), "sizes must match");
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Linear<T: Element> {
    /// W (outputs, inputs); b (outputs), if there is a bias.
    parameters: Vec<Tensor<T>>,
}

impl<T: Element> Linear<T> {
    /// A layer with all parameters 0; see [`Sequential::initialise`](super::Sequential::initialise).
    ///
    /// **Panics** if `inputs * outputs` overflows the address space.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Self { parameters: vec![Tensor::zeros(&[outputs, inputs]), Tensor::zeros(&[outputs])] }
    }

    /// Like [`Linear::new`], but without a bias: for a layer that is followed by batch normalisation.
    ///
    /// **Panics** Same as [`Linear::new`].
    pub fn without_bias(inputs: usize, outputs: usize) -> Self {
        Self { parameters: vec![Tensor::zeros(&[outputs, inputs])] }
    }

    fn weight(&self) -> &Tensor<T> {
        &self.parameters[0]
    }

    fn inputs(&self) -> usize {
        self.weight().columns()
    }

    fn outputs(&self) -> usize {
        self.weight().rows()
    }

    /// Adds δᵀ x to the gradient of W.
    fn add_weight_gradient(
        &self,
        x: &[T],
        delta: &[T],
        mut gradients: LayerGradients<'_, T>,
        workspace: &mut Workspace<T>,
    ) {
        let rows = delta.len() / self.outputs();
        let x = MatrixRef::new(x, rows, self.inputs());
        let delta_t = MatrixRef::new(delta, rows, self.outputs()).transposed();
        gradients.accumulate(0, |beta, gradient| {
            workspace.gemm(T::ONE, delta_t, x, beta, gradient.view_mut(), Epilogue::NONE);
        });
    }
}

impl<T: Element> Layer<T> for Linear<T> {
    fn name(&self) -> &'static str {
        "linear layer"
    }

    fn output_shape(&self, input: Shape) -> Result<Shape> {
        input.expect("input of a linear layer", self.inputs())?;
        Ok(Shape::from(self.outputs()))
    }

    fn tensors(&self) -> [&[Tensor<T>]; 2] {
        [&self.parameters, &[]]
    }

    fn tensors_mut(&mut self) -> [&mut [Tensor<T>]; 2] {
        [&mut self.parameters, &mut []]
    }

    fn names(&self) -> &'static [&'static str] {
        &["weight", "bias"][..self.parameters.len()]
    }

    fn initialise(&mut self, initialisation: Initialisation, stream: Stream) {
        let fans = (self.inputs(), self.outputs());
        let [weight, bias @ ..] = &mut self.parameters[..] else { return };
        initialisation.draw(fans, weight, bias.first_mut(), stream);
    }

    /// Activations and slopes are applied in the epilogues of the products.
    fn properties(&self) -> Properties {
        Properties {
            is_affine: true,
            absorbs_activation: true,
            absorbs_slopes: true,
            ..Properties::default()
        }
    }

    // y = φ(x Wᵀ + b)
    fn infer(&self, Input { x, activation, scratch, .. }: Input<'_, T>, y: &mut [T]) {
        let rows = y.len() / self.outputs();
        let epilogue = Epilogue { bias: self.parameters.get(1).map(Tensor::data), activation };
        let (x, y) = (MatrixRef::new(x, rows, self.inputs()), MatrixMut::new(y, rows, self.outputs()));
        scratch.workspace().gemm(T::ONE, x, self.weight().view().transposed(), T::ZERO, y, epilogue);
    }

    // forward:  y = x Wᵀ + b
    // backward: ∂L/∂W = δᵀ x,   ∂L/∂b = Σ_rows δ,   ∂L/∂x = (δ W) ⊙ φ′(x)     φ of the layer before
    fn backward(&self, pass: Pass<'_, T>) {
        let (rows, workspace) = (pass.delta.len() / self.outputs(), pass.scratch.workspace());
        if let Some(mut gradients) = pass.gradients {
            if self.parameters.len() > 1 {
                gradients.add_column_sums(1, pass.delta);
            }
            self.add_weight_gradient(pass.x, pass.delta, gradients, workspace);
        }
        if let Some(grad_input) = pass.grad_input {
            let delta = MatrixRef::new(pass.delta, rows, self.outputs());
            let slopes = (pass.before, MatrixRef::new(pass.x, rows, self.inputs()));
            let grad_input = MatrixMut::new(grad_input, rows, self.inputs());
            workspace.gemm_times_slope(delta, self.weight().view(), grad_input, slopes);
        }
    }

    // tangent: ẏ = (ẋ Wᵀ) ⊙ φ′(y),   ∂S/∂W = δᵀ ẋ
    fn tangent(&self, pass: Pass<'_, T>, x_dot: &[T], y_dot: &mut [T]) -> Result<()> {
        let (rows, workspace) = (y_dot.len() / self.outputs(), pass.scratch.workspace());
        let slopes = (pass.activation, MatrixRef::new(pass.y, rows, self.outputs()));
        let (x, y) =
            (MatrixRef::new(x_dot, rows, self.inputs()), MatrixMut::new(y_dot, rows, self.outputs()));
        workspace.gemm_times_slope(x, self.weight().view().transposed(), y, slopes);
        if let Some(gradients) = pass.gradients {
            self.add_weight_gradient(x_dot, pass.delta, gradients, workspace);
        }
        Ok(())
    }
}
