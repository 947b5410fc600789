//! The operands that finish a gradient of data.

use crate::activation::Activation;

/// An activation and its outputs, from which its slopes are computed.
pub type ActivationOutputs<'a, T> = (Activation<T>, &'a [T]);
