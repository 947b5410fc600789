#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

pub mod adversarial;
mod aligned;
#[cfg(feature = "cli")]
pub mod bench;
pub mod boltzmann;
#[cfg(feature = "checkpoint")]
pub mod checkpoint;
#[cfg(feature = "cli")]
pub mod cli;
pub mod data;
pub mod error;
pub mod evaluate;
pub mod nn;
pub mod optim;
pub mod parallel;
#[cfg(feature = "pretrained")]
pub mod pretrained;
#[cfg(feature = "png")]
pub mod report;
pub mod rng;
#[cfg(feature = "cli")]
pub mod run;
pub mod tensor;
pub mod transport;

pub use error::{Error, Result};
pub use tensor::Tensor;
