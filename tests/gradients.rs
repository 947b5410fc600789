//! Are the hand-derived derivatives those of the functions that are computed?
//!
//! [`equilibria::nn::gradient_check`] compares them with central differences in f64.

#[path = "gradients/first_order.rs"]
mod first_order;
#[path = "gradients/losses.rs"]
mod losses;
#[path = "gradients/networks.rs"]
mod networks;
#[path = "gradients/pytorch.rs"]
#[cfg(feature = "checkpoint")]
mod pytorch;
#[path = "gradients/second_order.rs"]
mod second_order;
