//! An arc of a transportation problem.

/// An arc from a source to a target, both by their node number: target j of a problem with n sources is node n + j.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Arc {
    pub source: u32,
    pub target: u32,
    pub cost: f64,
}
