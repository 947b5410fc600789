//! Random numbers in bulk: words, uniforms, normals, Bernoulli states.
//!
//! The generator consists of eight xoshiro256++ generators side by side ([`Xoshiro256PlusPlusX8`]). A *step* advances
//! all eight and gives eight words, in the order of the lanes: word `8 s + i` of the stream is word `s` of lane `i`.
//! The words become numbers as follows:
//!
//! | kernel | f32 | f64 |
//! |---|---|---|
//! | words | | one each, 8 per step |
//! | uniform, Bernoulli | the low half of a word, then its high half: 16 per step | one word each: 8 per step |
//! | normal | two steps give 32 | two steps give 16 |
//!
//! Each call starts with a new step and discards the unused words of its last step, so the numbers it draws depend only
//! on the lengths of the previous calls. An empty call draws nothing.
//!
//! Words and uniforms are identical at every level. Normals and Bernoulli probabilities use transcendental functions,
//! whose last bits differ between levels. A state may therefore differ between levels if its uniform falls between two
//! such values (about once in 10^7 draws of f32).

pub mod bernoulli;
pub mod normal;
pub(crate) mod step;
mod uniform;
pub mod xoshiro;

pub use bernoulli::{
    bernoulli_from_logits, bernoulli_from_logits_with_probabilities, bernoulli_from_probabilities,
    bernoulli_in_place,
};
pub use normal::fill_normal;
pub use uniform::{fill_uniform, fill_words};
pub(crate) use xoshiro::Running;
pub use xoshiro::Xoshiro256PlusPlusX8;
