//! The guidelines of Radford, Metz & Chintala 2016 for stable convolutional networks, as checks of plans.

use super::Networks;
use crate::nn::{Plan, Spec};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A guideline, and the first layer that breaks it.
///
/// ```
/// use equilibria::adversarial::{Networks, Normalisation, dcgan};
/// use equilibria::nn::Shape;
/// let broken = |networks: &Networks| networks.guidelines().iter().filter(|it| it.broken_by.is_some()).count();
/// let shape = Shape { height: 32, width: 32, channels: 3 };
/// assert_eq!(broken(&dcgan(shape, 100, 64, Normalisation::Batch)?), 0);
/// assert!(broken(&Networks::digits(784)) > 0);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guideline {
    /// The guideline as a sentence without a stop.
    pub text: &'static str,
    /// The layer that breaks it, counted from 0, for instance `layer 3 of the discriminator, layer-norm`; `None` if the
    /// networks follow the guideline.
    pub broken_by: Option<String>,
}

/// A player in messages, its plan, and whether it is the generator.
type Player<'a> = (&'static str, &'a Plan, bool);

impl Networks {
    /// The five guidelines, each with the first layer that breaks it.
    ///
    /// ```
    /// use equilibria::adversarial::{Networks, Normalisation, dcgan};
    /// use equilibria::nn::Shape;
    /// let image = Shape { height: 32, width: 32, channels: 3 };
    /// let all_hold = |networks: &Networks| networks.guidelines().iter().all(|guideline| guideline.broken_by.is_none());
    /// assert!(all_hold(&dcgan(image, 100, 64, Normalisation::Batch)?));
    /// assert!(!all_hold(&Networks::digits(784)));
    /// # Ok::<(), equilibria::Error>(())
    /// ```
    pub fn guidelines(&self) -> [Guideline; 5] {
        let players: [Player<'_>; 2] =
            [("generator", &self.generator, true), ("discriminator", &self.discriminator, false)];
        let check = |text, broken: fn(&Plan, bool) -> Option<String>| {
            let broken_by = players.iter().find_map(|(name, plan, is_generator)| {
                broken(plan, *is_generator).map(|what| what.replace("{player}", name))
            });
            Guideline { text, broken_by }
        };
        [
            check("strided convolutions, transposed in the generator, change the size of images", resampling),
            check(
                "batch normalisation follows every layer but the generator's last and the discriminator's first and last",
                normalisation,
            ),
            check("no hidden layer is fully connected", fully_connected),
            check(
                "the generator has ReLU after every layer, and tanh after its last",
                |plan, is_generator| {
                    if is_generator {
                        activations(plan, |spec| *spec == Spec::Relu, Some(Spec::Tanh))
                    } else {
                        None
                    }
                },
            ),
            check("the discriminator has leaky ReLU after every layer but its last", |plan, is_generator| {
                if is_generator {
                    None
                } else {
                    activations(plan, |spec| matches!(spec, Spec::LeakyRelu(_)), None)
                }
            }),
        ]
    }
}

/// A layer in messages.
fn layer(index: usize, spec: &Spec) -> String {
    format!("layer {index} of the {{player}}, {spec}")
}

/// The layers with weights, by index, each with the layers up to the next one.
fn blocks(plan: &Plan) -> Vec<(usize, &Spec, &[Spec])> {
    let has_weights = |spec: &Spec| {
        use Spec::{Conv, ConvTranspose, Linear, SpectralConv, SpectralLinear};
        matches!(spec, Linear { .. } | SpectralLinear { .. } | Conv(_) | SpectralConv(_) | ConvTranspose(_))
    };
    let starts: Vec<usize> =
        (0..plan.layers.len()).filter(|&index| has_weights(&plan.layers[index])).collect();
    let ends = starts.iter().skip(1).copied().chain([plan.layers.len()]);
    let block = |(start, end): (&usize, usize)| (*start, &plan.layers[*start], &plan.layers[start + 1..end]);
    starts.iter().zip(ends).map(block).collect()
}

/// The first layer that changes the size of an image in another way, or a player that never does.
fn resampling(plan: &Plan, is_generator: bool) -> Option<String> {
    let sides: Vec<[usize; 2]> = plan.shapes().map(|shape| [shape.height, shape.width]).collect();
    let mut is_strided = false;
    for (index, spec) in plan.layers.iter().enumerate() {
        let is_right = match spec {
            Spec::Conv(_) | Spec::SpectralConv(_) => !is_generator,
            Spec::ConvTranspose(_) => is_generator,
            _ => false,
        };
        let is_resampled = sides[index] != sides[index + 1];
        if is_resampled && !is_right {
            return Some(layer(index, spec));
        }
        let is_large = |sides: [usize; 2]| sides != [1, 1];
        is_strided |= is_resampled && is_large(sides[index]) && is_large(sides[index + 1]);
    }
    (!is_strided).then(|| "no layer of the {player} does".into())
}

/// The first layer that lacks batch normalisation, or has it where it should not.
fn normalisation(plan: &Plan, is_generator: bool) -> Option<String> {
    let blocks = blocks(plan);
    let broken = blocks.iter().enumerate().find(|(place, (.., after))| {
        let is_exempt = place + 1 == blocks.len() || (!is_generator && *place == 0);
        after.contains(&Spec::BatchNorm) == is_exempt
    });
    broken.map(|(_, (index, spec, _))| layer(*index, spec))
}

/// The first linear layer between the first and the last layer with weights.
fn fully_connected(plan: &Plan, is_generator: bool) -> Option<String> {
    let blocks = blocks(plan);
    // A projection of the latent vector and a sum of the last features to one number are no hidden layers.
    let is_exempt =
        |place: usize| if is_generator { place == 0 } else { place + 1 == blocks.len() } && blocks.len() > 1;
    let broken = blocks.iter().enumerate().find(|(place, (_, spec, _))| {
        matches!(spec, Spec::Linear { .. } | Spec::SpectralLinear { .. }) && !is_exempt(*place)
    });
    broken.map(|(_, (index, spec, _))| layer(*index, spec))
}

/// The first layer that is not followed by such an activation, or the last one if it is not followed by `last`.
fn activations(plan: &Plan, is_right: fn(&Spec) -> bool, last: Option<Spec>) -> Option<String> {
    let is_activation = |spec: &&Spec| {
        matches!(spec, Spec::LeakyRelu(_) | Spec::Relu | Spec::Sigmoid | Spec::Softplus | Spec::Tanh)
    };
    let blocks = blocks(plan);
    let broken = blocks.iter().enumerate().find(|(place, (.., after))| {
        let mut found = after.iter().filter(is_activation);
        let found = [found.next(), found.next()];
        if place + 1 == blocks.len() {
            found != [last.as_ref(), None]
        } else {
            !found[0].is_some_and(is_right) || found[1].is_some()
        }
    });
    broken.map(|(_, (index, spec, _))| layer(*index, spec))
}
