//! Networks of layers with hand-derived backward passes.
//!
//! A [`Sequential`] is a list of [`Layer`]s. It holds parameters and nothing of a pass: what a pass leaves behind is in
//! values that the caller owns, so that a discriminator can see two batches before either goes backwards.
//!
//! | pass | reads | fills | computes |
//! |---|---|---|---|
//! | [`infer`](Sequential::infer) | input | an output | y, with running statistics and without dropout |
//! | [`forward`](Sequential::forward) | [`Cache::input_mut`] | [`Cache`] | y, with statistics of the batch and dropout |
//! | [`backward`](Sequential::backward) | `Cache`, ∂L/∂y | [`Deltas`], [`Gradients`] | ∂L/∂x and ∂L/∂θ |
//! | [`tangent`](Sequential::tangent) | `Cache`, `Deltas`, a direction u | [`Tangents`], `Gradients` | ẏ = (∂y/∂x) u, and ∂/∂θ of Σ ∂L/∂y · ẏ |
//!
//! # Rows
//! All four work on rows, one an example, that do not know of one another (batch normalisation aside). So one forward
//! pass serves real, fake and interpolated examples, and each later pass takes the rows it needs: see [`Wanted`].
//!
//! # Second order
//! A gradient penalty P(θ) = Σ p(‖g_i‖), where g_i = ∂D(x_i)/∂x_i, has the gradient
//!
//! ```text
//! ∂P/∂θ = Σ p′(‖g_i‖)/‖g_i‖ g_i · ∂g_i/∂θ = ∂/∂θ Σ g_i · u_i      at fixed u_i = p′(‖g_i‖) g_i / ‖g_i‖,
//! ```
//!
//! and g_i · u_i is the derivative of D along u_i: what a tangent ẋ = u becomes at the output when it is carried forwards
//! beside x. So the second-order gradient is the first-order gradient of a *forward* pass of tangents:
//! [`Sequential::tangent`] has the derivation. Three calls make a penalised step: `forward`; `backward` with the seed
//! ∂L/∂y = 1 for g; `tangent` along u.
//!
//! # Memory
//! Buffers take their sizes on first use and follow a changed number of rows; a pass in steady state allocates nothing.
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
//! // Parameters learn from the first two rows; the last two give the slope of the critic at their inputs.
//! let wanted = Wanted::both(&mut gradients, 0..2, 2..4);
//! critic.backward(&cache, &[-0.5, -0.5, 1.0, 1.0], wanted, &mut deltas, &mut scratch)?;
//! assert_eq!(deltas.input(2..4).len(), 2 * 784);
//! # Ok::<(), equilibria::Error>(())
//! ```

mod batch_norm;
mod check;
mod dropout;
mod initialisation;
mod layer;
mod layer_norm;
mod linear;
pub mod losses;
mod passes;
mod sequential;

pub use crate::tensor::Activation;
pub use batch_norm::BatchNorm;
pub(crate) use check::check_usable;
pub use dropout::Dropout;
pub use initialisation::Initialisation;
pub use layer::Layer;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use passes::{Cache, Deltas, Gradients, Scratch, Tangents, Training, Wanted};
pub use sequential::{Sequential, interpolate};
