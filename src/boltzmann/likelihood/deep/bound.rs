//! The variational lower bound on ln P(v) + ln Z.
//!
//! ```text
//! - E(v, mu) + sum of H(mu)
//!     = b_0 v + sum over hidden layers l of [(b_l + mu_(l-1) W_l) mu_l + sum of H(mu_l)],   mu_0 = v
//! ```
//!
//! This is ln P(v) + ln Z minus the divergence of Q, the distribution with independent units and means mu, from the
//! posterior. It is a lower bound for any means. It is exact if the posterior has independent units, and the closer Q
//! is to the posterior, the tighter it is.

use crate::Result;
use crate::boltzmann::{Convergence, Dbm, MeanField, Stop};
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::{Element, Workspace};
use alloc::vec;
use alloc::vec::Vec;
use equilibria_kernels::{Epilogue, MatrixMut, MatrixRef};

/// Images whose means are computed at once.
const BLOCK: usize = 512;

/// The variational lower bound on ln P(v) + ln Z of each image at its mean-field means, and the convergence of the
/// slowest block of images.
///
/// The bound minus ln Z is a lower bound on the log-likelihood. If ln Z is replaced by an estimate that is too low, the
/// result is too high.
///
/// **Shapes** `images` (rows, visible), each 0 or 1; returns (rows).
///
/// **Units** nats.
///
/// **Errors** [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a unit outside [0, 1].
///
/// **Panics** if `images` is not whole rows.
///
/// **Accuracy and cost** As accurate as the logits in the type of the model, summed in f64: within about 1e-4 nats in
/// f32. Takes mean-field inference in blocks of 512 images, each with its own stopping time, and one product per
/// weight. Bit-identical for every number of threads.
///
/// **Source** Salakhutdinov & Hinton 2009, eq. 5.
///
/// ```
/// use equilibria::boltzmann::{Dbm, Stop, likelihood::deep::{log_partition, lower_bounds}};
/// use equilibria::rng::Stream;
/// let model = Dbm::<f64>::new(&[0.5; 4], &[3, 2], Stream::named(1, "init"))?;
/// let (bounds, _) = lower_bounds(&model, &[1.0, 0.0, 1.0, 0.0], Stop::default())?;
/// // ln P(v) of a machine that has learned nothing is about -4 ln 2.
/// assert!((bounds[0] - log_partition(&model)? + 4.0 * 2_f64.ln()).abs() < 0.1);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[track_caller]
pub fn lower_bounds<T: Element>(model: &Dbm<T>, images: &[T], stop: Stop) -> Result<(Vec<f64>, Convergence)> {
    let visible = model.visible();
    let rows = images.len() / visible;
    assert!(rows * visible == images.len(), "{} units in rows of {visible}", images.len());
    let mut posterior = MeanField::new(model, rows.min(BLOCK));
    let mut bounds = Vec::with_capacity(rows);
    let mut slowest = Convergence { iterations: 0, change: 0.0 };
    for images in images.chunks(BLOCK * visible) {
        let found = posterior.infer(model, images, stop)?;
        slowest.iterations = slowest.iterations.max(found.iterations);
        slowest.change = slowest.change.max(found.change);
        bounds.extend(lower_bounds_at(model, images, &posterior));
    }
    Ok((bounds, slowest))
}

/// The variational lower bounds of [`lower_bounds`] at the means that `posterior` holds for these images.
///
/// **Panics** if `posterior` holds the means of another number of images.
///
/// ```
/// use equilibria::boltzmann::{Dbm, MeanField, Stop, likelihood::deep::{lower_bounds, lower_bounds_at}};
/// use equilibria::rng::Stream;
/// let model = Dbm::<f64>::new(&[0.5; 4], &[3, 2], Stream::named(1, "init"))?;
/// let (image, mut posterior) = ([1.0, 0.0, 1.0, 0.0], MeanField::new(&model, 1));
/// posterior.infer(&model, &image, Stop::default())?;
/// assert_eq!(lower_bounds_at(&model, &image, &posterior), lower_bounds(&model, &image, Stop::default())?.0);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[track_caller]
pub fn lower_bounds_at<T: Element>(model: &Dbm<T>, images: &[T], posterior: &MeanField<T>) -> Vec<f64> {
    let (visible, rows) = (model.visible(), posterior.rows());
    assert!(rows * visible == images.len(), "{} units for the means of {rows} images", images.len());
    let mut workspace = Workspace::new();
    let bias = model.biases()[0].data();
    let of_image = |v: &[T]| v.iter().zip(bias).map(|(v, b)| v.to_f64() * b.to_f64()).sum();
    let mut bounds: Vec<f64> = images.chunks_exact(visible).map(of_image).collect();
    let mut logits = vec![T::ZERO; rows * model.sizes().skip(1).max().unwrap_or(0)];
    for (layer, weight) in (1..).zip(model.weights()) {
        let below = if layer == 1 { images } else { posterior.means(layer - 1) };
        let units = weight.columns();
        let logits = &mut logits[..rows * units];
        let epilogue = Epilogue { bias: Some(model.biases()[layer].data()), ..Epilogue::NONE };
        workspace.gemm(
            T::ONE,
            MatrixRef::new(below, rows, weight.rows()),
            weight.view(),
            T::ZERO,
            MatrixMut::new(logits, rows, units),
            epilogue,
        );
        let (logits, means) = (&*logits, posterior.means(layer));
        for_each_split(rows, true, Chunks(&mut bounds, 1), &|row, bound| {
            let of_row = row * units..(row + 1) * units;
            bound.0[0] += layer_terms(&logits[of_row.clone()], &means[of_row]);
        });
    }
    bounds
}

/// The sum over units of x m + H(m).
fn layer_terms<T: Element>(logits: &[T], means: &[T]) -> f64 {
    let term = |(&x, &m): (&T, &T)| {
        let (x, m) = (x.to_f64(), m.to_f64());
        x * m + entropy(m)
    };
    logits.iter().zip(means).map(term).sum()
}

/// - m ln m - (1 - m) ln(1 - m).
fn entropy(m: f64) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * libm::log(p) } else { 0.0 };
    term(m) + term(1.0 - m)
}
