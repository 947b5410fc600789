//! Trained models on small devices: samples from the bytes of a file, without allocation.
//!
//! A model is a safetensors file, in flash memory for instance. It is checked once and read in place, at any alignment. The
//! caller passes buffers and random words; nothing is allocated, and the only state is in the caller's buffers.
//!
//! ```text
//! StoredMachine    P(h = 1 | v) = sigmoid(c + v W),  P(v = 1 | h) = sigmoid(b + W h); deep machines likewise
//! StoredGenerator  image = G(latent), a perceptron or a DCGAN
//! ```
//!
//! Weights are 32-bit floats, 16-bit floats, or 8-bit integers with a scale for each row: w = q s, with q from −127 to 127
//! and s = max |w| / 127. `equilibria rbm store`, `dbm store` and `gan store` write such files, and so does
//! [`Archive`](crate::checkpoint::Archive) (`halved`, `quantised`).
//!
//! | model | buffers of the caller, in numbers of f32 |
//! |---|---|
//! | [`StoredMachine`] | [`state_len`](StoredMachine::state_len): one per unit, 1284 for 784-500 |
//! | [`StoredGenerator`] | [`workspace_len`](StoredGenerator::workspace_len), a latent vector and an image |
//!
//! Four digits from 100 Gibbs steps each, then the lower half of the last one drawn again:
//!
//! ```
//! use equilibria::embedded::StoredMachine;
//! use equilibria::rng::Stream;
//! use rand::Rng;
//!
//! static MODEL: &[u8] = include_bytes!("../fixtures/rbm-784-500.safetensors");
//! let machine = StoredMachine::from_bytes(MODEL)?;
//! let mut state = [0.0; 784 + 500];
//! assert_eq!(machine.state_len(), state.len());
//! let mut generator = Stream::named(1, "chain").generator();
//! for _ in 0..4 {
//!     for _ in 0..100 {
//!         machine.step(0..784, &mut state, || generator.next_u64())?;
//!     }
//!     assert!(state[..784].iter().filter(|&&pixel| pixel == 1.0).count() > 20);
//! }
//! for _ in 0..10 {
//!     machine.step(392..784, &mut state, || generator.next_u64())?;
//! }
//! machine.probabilities(0, 392..784, &mut state)?; // grey values for a display
//! # Ok::<(), equilibria::embedded::ModelError>(())
//! ```
//!
//! `tests/embedded.rs` compares every path with the library, and builds and runs `tests/firmware`, a program without the
//! standard library.

mod checksum;
mod error;
mod file;
mod generator;
mod json;
mod machine;
mod matrix;
mod plan;
mod step;

pub use error::{ModelError, TensorName};
pub use generator::{StoredGenerator, fill_latent};
pub use machine::StoredMachine;
