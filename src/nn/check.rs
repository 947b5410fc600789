//! Checks that a network is usable.

use super::Sequential;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;

/// Returns an error if a number of `network`, called `what` in the message, is not finite, or if all of its weights are
/// 0. With all weights 0, no gradient passes through it and its output is the same for every input.
pub(crate) fn check_usable<T: Element>(what: &str, network: &Sequential<T>) -> Result<()> {
    if let Some((name, _)) = network.state().find(|(_, tensor)| !tensor.is_finite()) {
        return Err(Error::invalid(format!("{what}.{name}"), "all of its numbers must be finite"));
    }
    let mut weights = network.parameters().filter(|parameter| parameter.rank() > 1);
    if weights.any(|weight| weight.data().iter().any(|&x| x != T::ZERO)) {
        return Ok(());
    }
    Err(Error::invalid(
        format!("a {what} whose weights are all 0"),
        "its output never changes and no gradient passes through it; initialise it first with `Sequential::initialise`",
    ))
}
