//! Networks of layers with hand-derived backward passes.
//!
//! A [`Sequential`] is a list of layers. Each layer is one file with one implementation of the trait [`Layer`], which
//! other crates can implement too: [`linear`], [`convolution`], [`spectral`], [`batch_norm`], [`layer_norm`], [`dropout`], [`activation`]. A network
//! holds only parameters. The caller owns the results of passes, so that a discriminator can process two batches before
//! the backward pass of either.
//!
//! | pass | reads | fills | computes |
//! |---|---|---|---|
//! | [`infer`](Sequential::infer) | input | an output | y, with running statistics and without dropout |
//! | [`forward`](Sequential::forward) | [`Cache::input_mut`] | [`Cache`] | y, with statistics of the batch and dropout |
//! | [`backward`](Sequential::backward) | `Cache`, ∂L/∂y | [`Deltas`], [`Gradients`] | ∂L/∂x and ∂L/∂θ |
//! | [`tangent`](Sequential::tangent) | `Cache`, `Deltas`, a direction u | [`Tangents`], `Gradients` | ẏ = (∂y/∂x) u, and ∂/∂θ of Σ ∂L/∂y · ẏ |
//!
//! [`gradient_check`] compares these derivatives with differences, for any network and any layer.
//!
//! # Rows
//! A row of a network is one example. Rows are independent of one another (except in batch normalisation). One forward
//! pass can therefore process real, fake and interpolated examples, and each later pass selects the rows it needs: see
//! [`Wanted`].
//!
//! # Second order
//! A gradient penalty P(θ) = Σ p(‖g_i‖), where g_i = ∂D(x_i)/∂x_i, has the gradient
//!
//! ```text
//! ∂P/∂θ = Σ p′(‖g_i‖)/‖g_i‖ g_i · ∂g_i/∂θ = ∂/∂θ Σ g_i · u_i      at fixed u_i = p′(‖g_i‖) g_i / ‖g_i‖,
//! ```
//!
//! and g_i · u_i is the derivative of D along u_i. The second-order gradient is therefore the first-order gradient of a
//! *forward* pass that carries the direction ẋ = u along with x. Let step l be z_l = f_l(y_{l−1}), y_l = φ_l(z_l), and
//! let δ_l = ∂L/∂z_l be the deltas of a backward pass from a given ∂L/∂y, the seed. Then
//!
//! ```text
//! ż_l = f_l′ ẏ_{l−1},   ẏ_l = φ_l′(z_l) ⊙ ż_l,   ẏ_0 = u,
//! ```
//!
//! and S = Σ ∂L/∂y · ẏ_L = Σ ∂L/∂x · u is to be differentiated with seed and direction constant. In reverse order, S is
//! a function of the pair (z_l, ż_l), and has two gradients:
//!
//! ```text
//! with respect to ż_l:  δ_l itself, as ẏ is linear in u with the Jacobians that the backward pass transposed
//! with respect to z_l:  e_l = φ_l′ ⊙ (f_{l+1}′ᵀ e_{l+1} + ∂/∂y_l of δ_{l+1} · f_{l+1}′ ẏ_l) + s_l,   e beyond the last step 0
//!                       s_l = ∂L/∂y_l ⊙ ż_l ⊙ φ_l″(z_l) = δ_l ⊙ ż_l ⊙ φ_l″/φ_l′
//! ```
//!
//! For the parameters of step l, S is δ_l · f_l′ ẏ_{l−1} + e_l · f_l(y_{l−1}) with δ, e, ẏ and y constant: a linear
//! layer adds δᵀ ẏ_{l−1} and eᵀ y_{l−1} to the gradient of its weight. If every φ is piecewise linear and every f is
//! linear, e is 0 and the forward pass is sufficient: two products per linear layer. `tests/gradients.rs` compares the
//! result with differences, and `tests/adversarial.rs` compares it with PyTorch's double backward.
//!
//! A penalised step takes three calls: `forward`; `backward` with the seed ∂L/∂y = 1 for g; `tangent` along u.
//!
//! # Memory
//! Buffers get their sizes on first use and follow the number of rows; in steady state a pass allocates nothing.
//!
//! ```
//! use equilibria::nn::{Activation, Cache, Deltas, Gradients, Initialisation, Linear, Scratch, Sequential, Training, Wanted};
//! use equilibria::rng::Stream;
//!
//! let stream = Stream::named(1, "init");
//! let mut critic = Sequential::<f32>::new(
//!     784,
//!     vec![
//!         Linear::new(784, 512).into(),
//!         Activation::LeakyRelu { slope: 0.2 }.into(),
//!         Linear::new(512, 1).into(),
//!     ],
//! )?;
//! critic.initialise(Initialisation::Uniform, stream);
//!
//! let (mut cache, mut deltas) = (Cache::new(&critic), Deltas::new(&critic));
//! let (mut gradients, mut scratch) = (Gradients::new(&critic), Scratch::new());
//! cache.input_mut(4).fill(0.5);
//! critic.forward(&mut cache, Training::new(stream), &mut scratch)?;
//! assert_eq!(cache.output().len(), 4);
//! // Rows 0 and 1 give the gradients of the parameters; rows 2 and 3 give the critic's slope at their inputs.
//! let wanted = Wanted::both(&mut gradients, 0..2, 2..4);
//! critic.backward(&cache, &[-0.5, -0.5, 1.0, 1.0], wanted, &mut deltas, &mut scratch)?;
//! assert_eq!(deltas.input(2..4).len(), 2 * 784);
//! # Ok::<(), equilibria::Error>(())
//! ```

pub mod activation;
pub mod batch_norm;
mod check;
pub mod convolution;
pub mod dropout;
pub mod gradient_check;
mod initialisation;
pub mod layer;
pub mod layer_norm;
pub mod linear;
pub mod losses;
mod passes;
pub mod plan;
#[cfg(feature = "checkpoint")]
mod pytorch;
pub mod sequential;
mod shape;
pub mod spectral;

pub use crate::tensor::Activation;
pub use batch_norm::BatchNorm;
pub(crate) use check::check_usable;
pub use convolution::{Conv2d, ConvTranspose2d, ConvolutionLayer, Window};
pub use dropout::Dropout;
pub use initialisation::Initialisation;
pub use layer::{CloneLayer, ForwardPass, Input, Layer, Pass, Properties};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use passes::{Cache, Deltas, Gradients, Kept, LayerGradients, Scratch, Tangents, Training, Wanted};
pub use plan::{ConvSpec, Plan, Spec};
pub use sequential::{Sequential, interpolate};
pub use shape::Shape;
pub use spectral::Spectral;
