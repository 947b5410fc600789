//! Are transport costs, plans and bounds those of closed forms and plain loops, in every situation that users meet?

#[path = "transport/closed_forms.rs"]
mod closed_forms;
#[path = "transport/grids.rs"]
mod grids;
#[path = "transport/interpolation.rs"]
mod interpolation;
#[path = "transport/peer.rs"]
mod peer;
#[path = "transport/points.rs"]
mod points;
#[path = "transport/situations.rs"]
mod situations;
#[path = "transport/stopping.rs"]
mod stopping;
#[path = "transport/support.rs"]
mod support;
