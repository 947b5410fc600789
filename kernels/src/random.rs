//! Bulk random numbers: words, uniforms, normals, Bernoulli states.
//!
//! The generator is eight xoshiro256++ side by side ([`Xoshiro256PlusPlusX8`]). A *step* advances all eight and
//! gives eight words, in the order of the lanes: word `8 s + i` of the stream is word `s` of lane `i`. From
//! words to numbers:
//!
//! | kernel | f32 | f64 |
//! |---|---|---|
//! | words | | one each, 8 a step |
//! | uniform, Bernoulli | the low half of a word, then its high half: 16 a step | one word each: 8 a step |
//! | normal | two steps give 32 | two steps give 16 |
//!
//! A call starts with a fresh step and drops what its last step has left over, so what it draws depends on
//! the lengths of the calls before it alone. An empty call draws nothing.
//!
//! Words and uniforms are the same bit for bit at every level. Normals and Bernoulli probabilities pass
//! through transcendental functions, whose last bits differ between levels; so may, then, a state whose
//! uniform falls between two such values (about once in 10^7 draws of f32).

mod bernoulli;
mod normal;
pub(crate) mod step;
mod uniform;
mod xoshiro;

pub use bernoulli::{
    bernoulli_from_logits, bernoulli_from_logits_with_probabilities, bernoulli_from_probabilities,
    bernoulli_in_place,
};
pub use normal::fill_normal;
pub use uniform::{fill_uniform, fill_words};
pub(crate) use xoshiro::Running;
pub use xoshiro::Xoshiro256PlusPlusX8;
