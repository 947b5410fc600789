#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod error;
#[cfg(feature = "png")]
pub mod report;
pub mod rng;

pub use error::{Error, Result};
