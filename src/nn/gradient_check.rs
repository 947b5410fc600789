//! Gradient checks: compares derivatives with central differences.
//!
//! In f64 and with a step h of 1e-6 (relative to the coordinate if it is above 1), the difference (f(x + h) − f(x − h))
//! / 2h has an error of about 1e-10 of f, so that it agrees with a correct derivative within [`TOLERANCE`]. A piecewise
//! linear activation has no derivative at a kink: coordinates whose activation mask flips within the step are skipped.
//!
//! ```
//! use equilibria::nn::{Activation, LayerNorm, Linear, Sequential, Training, gradient_check};
//! use equilibria::rng::Stream;
//!
//! let layers = vec![Linear::new(3, 5).into(), LayerNorm::new(5).into(), Activation::Tanh.into()];
//! let mut network = Sequential::<f64>::new(3, layers)?;
//! network.initialise(equilibria::nn::Initialisation::Uniform, Stream::named(1, "init"));
//! let (input, training) = ([0.5, -1.0, 2.0, 0.1, 0.2, 0.3], Training::new(Stream::named(1, "dropout")));
//! assert!(gradient_check::first_order(&network, &input, training)?.passes());
//! assert!(gradient_check::second_order(&network, &input, training)?.passes());
//! # Ok::<(), equilibria::Error>(())
//! ```

use super::{Activation, Cache, Deltas, Gradients, Scratch, Sequential, Tangents, Training, Wanted};
use crate::Result;
use crate::rng::Stream;
use crate::tensor::Tensor;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// The largest relative error at which a derivative counts as correct.
pub const TOLERANCE: f64 = 1e-6;

/// The step for coordinates of at most 1; larger coordinates use a relative step.
const STEP: f64 = 1e-6;

/// The worst coordinate of a comparison, and the number of compared coordinates.
///
/// ```
/// use equilibria::nn::gradient_check::loss;
/// // A loss whose gradient is wrong by a factor of 2.
/// let wrong = |logits: &[f64], gradient: &mut [f64]| {
///     gradient[0] = 4.0 * logits[0];
///     Ok(logits[0].powi(2))
/// };
/// let report = loss(&[1.0], wrong)?;
/// assert!(!report.passes() && (report.error - 0.5).abs() < 1e-6);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use = "a wrong gradient is only in the report"]
pub struct Report {
    /// The tensor and the index of the worst coordinate, for instance `2.weight[7]`.
    pub coordinate: String,
    /// The derivative that was checked.
    pub analytic: f64,
    /// The central difference.
    pub numeric: f64,
    /// Their difference, relative to the largest of these three: the larger of the two, a hundredth of the largest
    /// derivative of the tensor, and 0.01. (The derivative with respect to a bias before batch normalisation is 0, which
    /// differences give only up to rounding.)
    pub error: f64,
    /// Number of coordinates compared.
    pub compared: usize,
    /// Number of coordinates skipped because a kink lies within the step.
    pub skipped: usize,
}

impl Report {
    /// Returns whether the error is at most [`TOLERANCE`] and at most one coordinate in 20 was skipped.
    pub fn passes(&self) -> bool {
        self.error <= TOLERANCE && self.compared > 0 && 19 * self.skipped <= self.compared
    }

    /// Includes the coordinates of another tensor.
    fn include(&mut self, other: Self) {
        let (compared, skipped) = (self.compared + other.compared, self.skipped + other.skipped);
        // NaN counts as the worst error.
        let is_worse = self.coordinate.is_empty() || other.error > self.error || other.error.is_nan();
        if is_worse && !self.error.is_nan() && !other.coordinate.is_empty() {
            *self = other;
        }
        (self.compared, self.skipped) = (compared, skipped);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { coordinate, analytic, numeric, error, compared, skipped } = self;
        write!(
            f,
            "{coordinate}: derivative {analytic:e}, difference {numeric:e}, relative error {error:.1e}; "
        )?;
        write!(f, "{compared} coordinates compared, {skipped} skipped at kinks")
    }
}

/// Compares the derivatives of `function` with respect to the numbers that `tensor` selects in `subject`.
///
/// `function` returns its value and the activation masks of its units; coordinates at which a mask flips are skipped.
///
/// **Shapes** `analytic` as the tensor.
///
/// **Errors** Those of `function`.
///
/// **Panics** if the lengths differ.
///
/// ```
/// use equilibria::nn::gradient_check::compare;
/// // The derivatives of x^2 + 3 y at (2, 1).
/// let square = |point: &[f64; 2]| Ok((point[0].powi(2) + 3.0 * point[1], Vec::new()));
/// let report = compare("point", &[2.0, 1.0], |point| &mut point[..], &[4.0, 3.0], square)?;
/// assert!(report.passes() && report.compared == 2);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn compare<S: Clone>(
    name: &str,
    subject: &S,
    tensor: impl Fn(&mut S) -> &mut [f64],
    analytic: &[f64],
    function: impl Fn(&S) -> Result<(f64, Vec<bool>)>,
) -> Result<Report> {
    let mut moved = subject.clone();
    let count = tensor(&mut moved).len();
    assert!(
        analytic.len() == count,
        "{} derivatives with respect to {name}, which has {count} numbers",
        analytic.len()
    );
    let mut numeric = vec![None; count];
    for (i, numeric) in numeric.iter_mut().enumerate() {
        let x = tensor(&mut moved)[i];
        let h = STEP * x.abs().max(1.0);
        let mut at = |x| {
            tensor(&mut moved)[i] = x;
            function(&moved)
        };
        let ((above, masks_above), (below, masks_below)) = (at(x + h)?, at(x - h)?);
        tensor(&mut moved)[i] = x;
        *numeric = (masks_above == masks_below).then(|| (above - below) / ((x + h) - (x - h)));
    }
    let pairs = || analytic.iter().zip(&numeric).enumerate().filter_map(|(i, (a, n))| Some((i, *a, (*n)?)));
    let largest = pairs().fold(1.0_f64, |largest, (_, a, n)| largest.max(a.abs()).max(n.abs()));
    let mut report = Report { skipped: numeric.iter().filter(|n| n.is_none()).count(), ..Report::default() };
    for (i, analytic, numeric) in pairs() {
        let scale = analytic.abs().max(numeric.abs()).max(0.01 * largest);
        let (coordinate, error) = (format!("{name}[{i}]"), (analytic - numeric).abs() / scale);
        report.include(Report { coordinate, analytic, numeric, error, compared: 1, skipped: 0 });
    }
    Ok(report)
}

/// Checks the gradient that a loss writes, at these logits.
///
/// **Errors** Those of the loss.
///
/// ```
/// use equilibria::nn::{gradient_check, losses::non_saturating};
/// let report = gradient_check::loss(&[-1.0, 0.5], |logits, gradient| Ok(non_saturating(logits, gradient)))?;
/// assert!(report.passes());
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn loss(logits: &[f64], loss: impl Fn(&[f64], &mut [f64]) -> Result<f64>) -> Result<Report> {
    let mut analytic = vec![f64::NAN; logits.len()];
    loss(logits, &mut analytic)?;
    compare(
        "logits",
        &logits.to_vec(),
        |logits| &mut logits[..],
        &analytic,
        |logits| Ok((loss(logits, &mut vec![0.0; logits.len()])?, Vec::new())),
    )
}

/// Checks [`Sequential::backward`] with respect to every parameter and the input, for a random weighted sum of the
/// outputs of a training pass.
///
/// **Shapes** `input` (rows, inputs).
///
/// **Errors** Those of [`Sequential::forward`] and [`Sequential::backward`].
///
/// ```
/// use equilibria::nn::{Activation, Initialisation, Linear, Sequential, Training, gradient_check};
/// use equilibria::rng::Stream;
/// let mut network = Sequential::<f64>::new(2, vec![Linear::new(2, 3).into(), Activation::Tanh.into()])?;
/// network.initialise(Initialisation::Uniform, Stream::named(1, "init"));
/// let training = Training::new(Stream::named(1, "dropout"));
/// let report = gradient_check::first_order(&network, &[0.5, -1.0], training)?;
/// assert!(report.passes() && report.compared == 2 * 3 + 3 + 2, "{report}");
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn first_order(network: &Sequential<f64>, input: &[f64], training: Training) -> Result<Report> {
    let seed = normals(1, input.len() / network.inputs() * network.outputs());
    let mut pass = Pass::new(network, input, training)?;
    let analytic = pass.backward(network, &seed)?;
    let value = |(network, input): &(Sequential<f64>, Vec<f64>)| {
        let pass = Pass::new(network, input, training)?;
        Ok((dot(pass.cache.output(), &seed), network.activation_masks(&pass.cache)))
    };
    let subject = (network.clone(), input.to_vec());
    let mut report = compare_parameters(&subject, |subject| &mut subject.0, &analytic, value)?;
    let grad_input = pass.deltas.input(0..pass.cache.rows());
    report.include(compare("input", &subject, |subject| &mut subject.1[..], grad_input, value)?);
    Ok(report)
}

/// Checks [`Sequential::tangent`] with respect to every parameter, for a random weighted sum of the input gradients of
/// the second half of the rows, and as a directional derivative of the output.
///
/// **Shapes** `input` (rows, inputs).
///
/// **Errors** Those of [`Sequential::forward`], [`Sequential::backward`] and [`Sequential::tangent`].
///
/// The example of [the module](self) checks a network with layer normalisation.
pub fn second_order(network: &Sequential<f64>, input: &[f64], training: Training) -> Result<Report> {
    let (rows, inputs) = (input.len() / network.inputs(), network.inputs());
    let (chosen, seed) = (rows / 2..rows, normals(1, rows * network.outputs()));
    let direction = normals(2, chosen.len() * inputs);
    let mut pass = Pass::new(network, input, training)?;
    pass.backward(network, &seed)?;
    let (mut tangents, mut gradients) = (Tangents::new(network), Gradients::new(network));
    tangents.direction_mut(chosen.clone()).copy_from_slice(&direction);
    network.tangent(&pass.cache, &pass.deltas, &mut tangents, &mut gradients, &mut Scratch::new())?;
    let slope_along = |network: &Sequential<f64>| {
        let mut pass = Pass::new(network, input, training)?;
        pass.backward(network, &seed)?;
        Ok((dot(pass.deltas.input(chosen.clone()), &direction), network.activation_masks(&pass.cache)))
    };
    let mut report = compare_parameters(network, |network| network, gradients.tensors(), slope_along)?;
    let seed = &seed[chosen.start * network.outputs()..];
    let output = |step: &[f64; 1]| {
        let mut moved = input.to_vec();
        moved[chosen.start * inputs..].iter_mut().zip(&direction).for_each(|(x, u)| *x += step[0] * u);
        let pass = Pass::new(network, &moved, training)?;
        Ok((dot(pass.cache.output_rows(chosen.clone()), seed), network.activation_masks(&pass.cache)))
    };
    let along = [dot(tangents.output(), seed)];
    report.include(compare("direction", &[0.0], |step| &mut step[..], &along, output)?);
    Ok(report)
}

/// Calls [`compare`] for every parameter of the network in a subject.
///
/// **Errors** Those of `function`.
///
/// **Panics** if `analytic` does not have the shapes of the parameters.
///
/// ```
/// use equilibria::nn::{Initialisation, Linear, Scratch, Sequential, gradient_check};
/// use equilibria::{Tensor, rng::Stream};
/// let mut network = Sequential::<f64>::new(2, vec![Linear::new(2, 1).into()])?;
/// network.initialise(Initialisation::Uniform, Stream::named(1, "init"));
/// let value = |network: &Sequential<f64>| {
///     let mut y = [0.0];
///     network.infer(&[3.0, -1.0], &mut Scratch::new(), &mut y)?;
///     Ok((y[0], Vec::new()))
/// };
/// // The derivatives of y = w x + b with respect to w and b are x and 1.
/// let expected = [Tensor::from_vec(&[2, 1], vec![3.0, -1.0])?, Tensor::filled(&[1], 1.0)];
/// assert!(gradient_check::compare_parameters(&network, |network| network, &expected, value)?.passes());
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn compare_parameters<S: Clone>(
    subject: &S,
    network: impl Fn(&mut S) -> &mut Sequential<f64>,
    analytic: &[Tensor<f64>],
    function: impl Fn(&S) -> Result<(f64, Vec<bool>)>,
) -> Result<Report> {
    let mut report = Report::default();
    for (index, analytic) in analytic.iter().enumerate() {
        let name = format!("parameter {index}");
        let found =
            compare(&name, subject, |subject| nth(network(subject), index), analytic.data(), &function)?;
        report.include(found);
    }
    Ok(report)
}

fn nth(network: &mut Sequential<f64>, index: usize) -> &mut [f64] {
    network.parameters_mut().nth(index).map_or(&mut [], Tensor::data_mut)
}

/// A forward pass, with the deltas of a backward pass.
struct Pass {
    cache: Cache<f64>,
    deltas: Deltas<f64>,
}

impl Pass {
    fn new(network: &Sequential<f64>, input: &[f64], training: Training) -> Result<Self> {
        let mut cache = Cache::new(network);
        cache.input_mut(input.len() / network.inputs()).copy_from_slice(input);
        network.clone().forward(&mut cache, training, &mut Scratch::new())?;
        Ok(Self { cache, deltas: Deltas::new(network) })
    }

    /// The gradients of Σ `seed` · y with respect to the parameters; those with respect to the input are in the deltas.
    fn backward(&mut self, network: &Sequential<f64>, seed: &[f64]) -> Result<Vec<Tensor<f64>>> {
        let (rows, mut gradients) = (0..self.cache.rows(), Gradients::new(network));
        let wanted = Wanted::both(&mut gradients, rows.clone(), rows);
        network.backward(&self.cache, seed, wanted, &mut self.deltas, &mut Scratch::new())?;
        Ok(gradients.tensors().to_vec())
    }
}

impl Sequential<f64> {
    /// The activation masks: for each unit of a piecewise linear activation, whether it is above its kink.
    pub fn activation_masks(&self, cache: &Cache<f64>) -> Vec<bool> {
        let mut activation_masks = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let activations = [Some(step.activation), self.layers()[step.layer].activation()];
            let is_kinked = |a: &Activation<f64>| a.is_piecewise_linear() && *a != Activation::Identity;
            if activations.iter().flatten().any(is_kinked) {
                activation_masks.extend(cache.values.all(index + 1).iter().map(|y| *y > 0.0));
            }
        }
        activation_masks
    }
}

/// Numbers of both signs; the same `name` gives the same numbers.
fn normals(name: u64, count: usize) -> Vec<f64> {
    let mut numbers = Tensor::zeros(&[count]);
    numbers.fill_normal(Stream::named(name, "gradient_check"), 1.0);
    numbers.into_vec()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
