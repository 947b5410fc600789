//! Games of a generator against a discriminator.

pub mod dirac;
