//! The layers of a generator, read one after another from the text in the metadata.

use crate::adversarial::networks::mlp;
use crate::nn::{Shape, Spec};

/// The input of the generator in the text of a pair of networks, and its layers; `None` in place of a layer that cannot be
/// read.
pub(super) fn generator(text: &str) -> Option<(Shape, impl Iterator<Item = Option<Spec>>)> {
    let text = text.strip_prefix("generator ")?;
    let (input, plan, perceptron) = match text.split_once("; discriminator ") {
        Some((plan, _)) => {
            let (input, layers) = plan.split_once(": ")?;
            (Shape::parse(input)?, Some(layers), None)
        }
        None => {
            let (short, _) = text.split_once(", discriminator ")?;
            let (chain, normalisation, last) = mlp::split(short, true)?;
            let (input, outputs) = chain.split_once('-')?;
            let is_chain = outputs.split('-').all(|width| width.parse::<usize>().is_ok());
            let widths = outputs.split('-').filter_map(|width| width.parse().ok());
            let layers = is_chain.then(|| mlp::layers(widths, normalisation, last))?;
            (input.parse::<usize>().ok()?.into(), None, Some(layers))
        }
    };
    let plan = plan.into_iter().flat_map(|plan| plan.split(", ").map(Spec::parse));
    Some((input, plan.chain(perceptron.into_iter().flatten().map(Some))))
}
