#![doc = include_str!("../README.md")]
//!
//! # A reading path
//! Twelve stops, each with the test that checks it and the experiment that shows it. Read the module beside its paper.
//!
//! | stop | module | test | experiment |
//! |---|---|---|---|
//! | 1. numbers: a tensor, a matrix product | [`tensor`], [`equilibria_kernels::gemm`](mod@equilibria_kernels::gemm) | `tests/tensor.rs`, `kernels/tests/gemm.rs` | `equilibria bench --only gemm` |
//! | 2. randomness that does not depend on threads | [`rng`] | `tests/streams.rs`, `tests/determinism.rs` | `equilibria bench --only random` |
//! | 3. an energy and its probabilities | [`boltzmann::rbm`] | `tests/boltzmann/enumeration.rs` | `equilibria rbm evaluate` |
//! | 4. contrastive divergence, plain and then fast | [`boltzmann::learning::reference`], [`boltzmann::learning::learner`] | `tests/boltzmann/learning.rs` | `equilibria reproduce figure1 figure2` |
//! | 5. a likelihood that cannot be summed | [`boltzmann::likelihood::annealed`] | `tests/boltzmann/likelihood.rs` | `equilibria rbm reproduce-literature` |
//! | 6. a second hidden layer | [`boltzmann::dbm`], [`boltzmann::learning::deep`] | `tests/boltzmann/deep_learning.rs` | `equilibria reproduce figure4` |
//! | 7. a layer: forward, backward, directional derivative | [`nn::layer`], [`nn::linear`], [`nn::batch_norm`] | `tests/gradients/first_order.rs` | [`nn::gradient_check`] |
//! | 8. convolution and its transpose | [`nn::convolution`], [`equilibria_kernels::conv`] | `tests/convolution.rs`, `kernels/tests/conv.rs` | `equilibria reproduce dcgan` |
//! | 9. a game of two networks, plain and then fast | [`adversarial::reference`], [`adversarial::game`], [`adversarial::dirac`] | `tests/adversarial/plain.rs` | `equilibria gan toys` |
//! | 10. double backpropagation: the gradient penalty | [`adversarial::penalty`] | `tests/gradients/second_order.rs` | `equilibria reproduce figure8` |
//! | 11. optimal transport with a certificate | [`transport::reference`], [`transport::sinkhorn`](mod@transport::sinkhorn), [`transport::exact`](mod@transport::exact) | `tests/transport.rs`, `tests/exact_transport.rs` | `equilibria reproduce figure7` |
//! | 12. is it good? | [`evaluate::frechet`], [`evaluate::stability`], [`evaluate::memorisation`] | `tests/evaluate.rs`, `tests/judges.rs` | `equilibria gan evaluate` |
#![warn(missing_debug_implementations)]
#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

pub mod adversarial;
mod aligned;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod bench;
pub mod boltzmann;
#[cfg(feature = "checkpoint")]
pub mod checkpoint;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod data;
pub mod embedded;
pub mod error;
pub mod evaluate;
#[cfg(feature = "cli")]
mod experiments;
#[cfg(feature = "checkpoint")]
mod half;
mod memory;
pub mod nn;
pub mod optim;
pub mod parallel;
#[cfg(feature = "pretrained")]
pub mod pretrained;
#[cfg(feature = "png")]
pub mod report;
pub mod rng;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod run;
pub mod tensor;
pub mod transport;

pub use error::{Error, Result};
pub use tensor::Tensor;
