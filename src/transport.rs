//! Optimal transport: the cheapest way to move one distribution of mass to another.
//!
//! Given masses a (n) and b (m) with equal sums and the cost C_ij of moving a unit of mass from place i to place j,
//!
//! ```text
//! OT = min over P of the sum of P_ij C_ij     where P >= 0, the row sums of P are a, the column sums are b
//!    = max over f, g of the sum of a_i f_i + the sum of b_j g_j     where f_i + g_j <= C_ij          (Kantorovich 1942)
//! ```
//!
//! The second line is the *dual*. Any pair of potentials f, g that keeps its constraint is a lower bound of OT, and any
//! plan P with the right sums is an upper bound. Every [`Solution`] carries both, so that a caller can see how good it
//! is whatever algorithm made it.
//!
//! - [`Cost`] and [`Ground`]: the costs, as a matrix or computed from points when they are needed.
//! - [`Marginals`]: the masses of both sides, checked and divided by their sum.
//! - [`sinkhorn()`]: entropic transport, balanced or unbalanced, for a given ε or accuracy; [`mod@reference`] has its plain
//!   loop.
//! - [`sinkhorn_on_grid`]: histograms on a [`Grid`], by separable reductions; [`barycentre()`]: their barycentres.
//! - [`Gaussian`]: distance and map of normal distributions in closed form.
//! - [`on_a_line`]: exact transport in one dimension; [`sliced`]: distances along many directions, or the largest.
//! - [`sinkhorn_divergence`]: the debiased divergence of points and its gradient; [`barycentric_map`]: where the points go.
//! - [`exact()`]: the optimal plan with its proof; [`interpolate`]: the path of the masses along a plan.
//! - [`colour`]: the colours of one photograph given to another.
//! - [`Solution`]: the result of every solver, with its bounds; [`TransportPlan`]: the plan, dense or sparse.

pub mod barycentre;
pub mod colour;
pub mod cost;
pub mod divergence;
mod entropic_plan;
pub mod exact;
pub mod gaussian;
pub mod grid;
pub mod interpolation;
pub mod marginals;
pub mod one_dimensional;
mod pause;
pub mod reference;
pub mod result;
mod scores;
mod simple_bounds;
pub mod sinkhorn;
pub mod sliced;

pub use barycentre::{Barycentre, barycentre};
pub use cost::{Cost, Ground};
pub use divergence::{SinkhornDivergence, barycentric_map, sinkhorn_divergence};
pub use exact::{ExactOptions, ExactProgress, exact};
pub use gaussian::Gaussian;
pub use grid::{Grid, sinkhorn_on_grid};
pub use interpolation::{deposit, interpolate};
pub use marginals::Marginals;
pub use one_dimensional::on_a_line;
pub use result::{Flow, LowerBound, Solution, TransportPlan, lower_bound};
pub use sinkhorn::{Regularisation, SinkhornProgress, SinkhornSettings, sinkhorn};
