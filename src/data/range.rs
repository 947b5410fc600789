//! The range of pixels and means that come from outside as numbers.

use crate::tensor::Element;
use crate::{Error, Result};
use alloc::format;

/// `Err` unless every value is from 0 to 1, with the first that is not; `what` names one of them, for instance `a pixel`.
pub(crate) fn check_unit_interval<T: Element>(what: &str, values: &[T]) -> Result<()> {
    check(what, values, "a number from 0 to 1", |x| (x >= T::ZERO) & (x <= T::ONE))
}

/// `Err` unless every value is 0 or 1, with the first that is not.
pub(crate) fn check_states<T: Element>(what: &str, values: &[T]) -> Result<()> {
    check(what, values, "0 or 1", |x| (x == T::ZERO) | (x == T::ONE))
}

fn check<T: Element>(what: &str, values: &[T], right: &str, is_right: impl Fn(T) -> bool) -> Result<()> {
    // To the end in any case: the compiler takes many at once, which a search for the first does not allow.
    if values.iter().fold(true, |all, &x| all & is_right(x)) {
        return Ok(());
    }
    let wrong = values.iter().copied().find(|&x| !is_right(x)).unwrap_or(T::ZERO);
    Err(Error::invalid(format!("{what} of {wrong}"), format!("{right} is needed")))
}
