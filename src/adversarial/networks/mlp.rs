//! Multilayer perceptrons: linear layers with leaky ReLUs between them, with or without normalisation.
//!
//! The pair for digits is the generator and discriminator of many public repositories.

use crate::nn::{Plan, Spec};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Slope of the leaky ReLUs below 0.
pub const SLOPE: f64 = 0.2;
/// Size of the latent vectors of the generator of digits.
pub const LATENT: usize = 100;
/// Units of the hidden layers of the generator of digits.
pub const GENERATOR: [usize; 4] = [128, 256, 512, 1024];
/// Units of the hidden layers of the discriminator of digits.
pub const DISCRIMINATOR: [usize; 2] = [512, 256];

/// The normalisation of all hidden layers but the first.
///
/// ```
/// use equilibria::adversarial::{Normalisation, mlp};
/// let [plain, normalised] = [Normalisation::None, Normalisation::Layer].map(|it| mlp(&[2, 8, 8, 1], it, None));
/// assert!(normalised.layers.len() > plain.layers.len());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalisation {
    /// No normalisation.
    None,
    /// Over the mini-batch, separately for real and generated samples; not possible in a penalised critic.
    Batch,
    /// Over the units of each sample.
    Layer,
    /// The weights of all layers, the first and the last included, are divided by their largest singular value.
    Spectral,
}

impl Normalisation {
    /// The layer that normalises, if it is a layer of its own.
    pub(super) fn layer(self) -> Option<Spec> {
        NORMALISATIONS.iter().find(|(_, own, _)| *own == self).and_then(|(.., spec)| *spec)
    }
}

/// The words of the short text form.
const NORMALISATIONS: [(&str, Normalisation, Option<Spec>); 3] = [
    ("plain", Normalisation::None, None),
    ("batch-norm", Normalisation::Batch, Some(Spec::BatchNorm)),
    ("layer-norm", Normalisation::Layer, Some(Spec::LayerNorm)),
];

/// A multilayer perceptron with linear layers of these widths, the input first. Each layer but the last is followed by
/// a leaky ReLU of slope 0.2; all of these but the first have `normalisation` before them, if it is a layer. `last` comes at the end.
///
/// ```
/// use equilibria::adversarial::{Normalisation, mlp};
/// let plan = mlp(&[784, 512, 256, 1], Normalisation::Layer, None);
/// let text = "784: linear 512, leaky-relu 0.2, linear 256, layer-norm, leaky-relu 0.2, linear 1";
/// assert_eq!(plan.to_string(), text);
/// ```
pub fn mlp(widths: &[usize], normalisation: Normalisation, last: Option<Spec>) -> Plan {
    let (input, outputs) = widths.split_first().unwrap_or((&0, &[]));
    Plan { input: (*input).into(), layers: layers(outputs.iter().copied(), normalisation, last).collect() }
}

/// The layers of [`mlp`] with these widths, the input's excepted.
pub(crate) fn layers(
    outputs: impl Iterator<Item = usize>,
    normalisation: Normalisation,
    last: Option<Spec>,
) -> impl Iterator<Item = Spec> {
    let layers = move |(index, outputs)| {
        let normalised = normalisation.layer().filter(|_| index > 1);
        let activation = (index > 0).then_some(Spec::LeakyRelu(SLOPE));
        let linear = match normalisation {
            Normalisation::Spectral => Spec::SpectralLinear { outputs },
            _ => Spec::Linear { outputs, bias: true },
        };
        [normalised, activation, Some(linear)].into_iter().flatten()
    };
    outputs.enumerate().flat_map(layers).chain(last)
}

/// The short text of a perceptron, such as `100-128-784 batch-norm tanh`; that of a discriminator has no word for an
/// output activation.
pub(super) fn short(plan: &Plan, is_generator: bool) -> Option<String> {
    let outputs = plan.layers.iter().filter_map(|spec| match spec {
        Spec::Linear { outputs, .. } => Some(*outputs),
        _ => None,
    });
    let widths: Vec<usize> = [plan.input.size()].into_iter().chain(outputs).collect();
    let is_normalised =
        |(.., spec): &&(_, _, Option<Spec>)| spec.is_some_and(|spec| plan.layers.contains(&spec));
    let (word, normalisation, _) = NORMALISATIONS.iter().find(is_normalised).unwrap_or(&NORMALISATIONS[0]);
    let last = plan.layers.last().copied().filter(|last| is_generator && *last == Spec::Tanh);
    let range = match (is_generator, last) {
        (false, _) => "",
        (true, None) => " unbounded",
        (true, Some(_)) => " tanh",
    };
    let chain = widths.iter().map(ToString::to_string).collect::<Vec<_>>().join("-");
    (mlp(&widths, *normalisation, last) == *plan).then(|| format!("{chain} {word}{range}"))
}

/// The perceptron described by a short text.
pub(super) fn parse(text: &str, is_generator: bool) -> Option<Plan> {
    let (chain, normalisation, last) = split(text, is_generator)?;
    let widths = chain.split('-').map(|width| width.parse().ok()).collect::<Option<Vec<usize>>>()?;
    (widths.len() > 1).then(|| mlp(&widths, normalisation, last))
}

/// The chain of widths of a short text, and the meaning of its words.
pub(crate) fn split(text: &str, is_generator: bool) -> Option<(&str, Normalisation, Option<Spec>)> {
    let (chain, words) = text.split_once(' ')?;
    let (word, last) = match words.split_once(' ') {
        Some((word, "tanh")) if is_generator => (word, Some(Spec::Tanh)),
        Some((word, "unbounded")) if is_generator => (word, None),
        None if !is_generator => (words, None),
        _ => return None,
    };
    let (_, normalisation, _) = NORMALISATIONS.iter().find(|(own, ..)| *own == word)?;
    Some((chain, *normalisation, last))
}
