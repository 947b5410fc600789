//! What a network must be to be of any use.

use super::Sequential;
use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;

/// `Err` if a number of `network`, which the message calls `what`, is not finite, or if all of its weights are 0: then no
/// gradient gets through it, and whatever it is shown it gives the same.
pub(crate) fn check_usable<T: Element>(what: &str, network: &Sequential<T>) -> Result<()> {
    if let Some((name, _)) = network.state().find(|(_, tensor)| !tensor.is_finite()) {
        return Err(Error::invalid(format!("{what}.{name}"), "every number in it must be finite"));
    }
    let mut weights = network.parameters().filter(|parameter| parameter.rank() > 1);
    if weights.any(|weight| weight.data().iter().any(|&x| x != T::ZERO)) {
        return Ok(());
    }
    Err(Error::invalid(
        format!("a {what} whose weights are all 0"),
        "nothing can be learned or told by it; draw its parameters first, by `Sequential::initialise`",
    ))
}
