//! A trained network as a feature extractor: the outputs of its last layer but one are the features of an image.
//!
//! A distance between sets of images needs a space in which similar images are near each other. The last hidden layer of a
//! network that solves a task on these images is such a space if the task depends on their content:
//! [`classifier`](super::classifier) for digits with classes, [`encoder`](super::encoder) for images without.

use crate::nn::{Plan, Scratch, Sequential, Shape, check_usable};
use crate::tensor::Tensor;
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use core::ops::Range;

/// Images per call of the network.
const BLOCK: usize = 500;

/// A network, split before its last layer.
///
/// ```
/// use equilibria::evaluate::features::FeatureNetwork;
/// use equilibria::{nn::{Initialisation, Plan}, rng::Stream};
/// let plan: Plan = "4: linear 3, relu, linear 2".parse()?;
/// let mut network = plan.build()?;
/// network.initialise(Initialisation::Uniform, Stream::named(1, "init"));
/// let network = FeatureNetwork::new("example", plan, &network)?;
/// let features = network.features_of(5, |_, pixels| pixels.fill(1.0))?;
/// assert_eq!(features.shape(), [5, 3]);
/// assert_eq!(network.outputs_of(&features)?.shape(), [5, 2]);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FeatureNetwork {
    plan: Plan,
    body: Sequential<f32>,
    head: Sequential<f32>,
}

impl FeatureNetwork {
    /// Splits a trained network; all layers before the last compute the features. `name` is what messages call it.
    ///
    /// **Errors** [`Error::InvalidArgument`] if it has fewer than two layers or other layers than `plan`, a parameter is not
    /// finite, or all weights are 0.
    pub fn new(name: &str, plan: Plan, network: &Sequential<f32>) -> Result<Self> {
        match network.layers() {
            [body @ .., last] if !body.is_empty() => {
                check_usable(name, network)?;
                if plan.layers.len() != network.layers().len() || plan.input != network.input_shape() {
                    return Err(Error::invalid(format!("the {name}"), format!("its plan is '{plan}'")));
                }
                let body = Sequential::new(network.input_shape(), body.to_vec())?;
                let head = Sequential::new(body.output_shape(), vec![last.clone()])?;
                Ok(Self { plan, body, head })
            }
            _ => Err(Error::invalid(
                format!("a {name} of fewer than 2 layers"),
                "the last but one makes the features",
            )),
        }
    }

    /// The architecture.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The shape of an image.
    pub fn input(&self) -> Shape {
        self.body.input_shape()
    }

    /// The number of features.
    pub fn features(&self) -> usize {
        self.head.inputs()
    }

    /// The number of outputs of the last layer.
    pub fn outputs(&self) -> usize {
        self.head.outputs()
    }

    /// Computes the features of `count` images; `fill(images, pixels)` writes the pixels of some of them.
    ///
    /// **Shapes** Returns (count, features).
    ///
    /// **Errors** Those of [`Sequential::infer`].
    pub fn features_of(
        &self,
        count: usize,
        mut fill: impl FnMut(Range<usize>, &mut [f32]),
    ) -> Result<Tensor<f32>> {
        let (size, width) = (self.body.inputs(), self.features());
        let mut features = Tensor::zeros(&[count, width]);
        let mut inputs = vec![0.0; BLOCK.min(count) * size];
        let mut scratch = Scratch::new();
        for (block, features) in features.data_mut().chunks_mut(BLOCK * width).enumerate() {
            let (first, images) = (block * BLOCK, features.len() / width);
            let inputs = &mut inputs[..images * size];
            fill(first..first + images, inputs);
            self.body.infer(inputs, &mut scratch, features)?;
        }
        Ok(features)
    }

    /// Computes the outputs of the last layer from features.
    ///
    /// **Shapes** `features` (images, features); returns (images, outputs).
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the number of features differs.
    pub fn outputs_of(&self, features: &Tensor<f32>) -> Result<Tensor<f32>> {
        if features.columns() != self.features() {
            return Err(Error::ShapeMismatch {
                operation: "logits of features",
                expected: vec![features.rows(), self.features()],
                found: features.shape().to_vec(),
            });
        }
        let mut outputs = Tensor::zeros(&[features.rows(), self.outputs()]);
        self.head.infer(features.data(), &mut Scratch::new(), outputs.data_mut())?;
        Ok(outputs)
    }
}

#[cfg(feature = "checkpoint")]
mod archive {
    use super::*;
    use crate::checkpoint::Archive;
    use crate::nn::Spec;
    use alloc::vec::Vec;

    impl FeatureNetwork {
        /// Writes parameters and running statistics to an archive, in 16 bits. The metadata hold `kind` as `model`, and the
        /// text of the plan as `network`.
        ///
        /// The relative rounding error is up to about 1e-3. The names are those of PyTorch's `Sequential`: `0.weight`,
        /// `0.bias`, `2.weight`, ... The weights of a linear layer have the shape (outputs, inputs), those of a convolution
        /// (height, width, inputs, outputs).
        ///
        /// **Errors** [`Error::InvalidArgument`] for numbers beyond the range of 16-bit floats.
        pub fn to_archive(&self, kind: &str) -> Result<Archive> {
            let mut archive = Archive::new();
            archive.set_metadata("model", kind);
            archive.set_metadata("network", &format!("{}", self.plan));
            for (index, layer) in self.body.layers().iter().chain(self.head.layers()).enumerate() {
                for (name, tensor) in layer.names().iter().zip(layer.tensors().into_iter().flatten()) {
                    archive.insert_f16(&format!("{index}.{name}"), tensor.shape(), tensor.data())?;
                }
            }
            Ok(archive)
        }

        /// Reads a network of this kind from an archive. Without `network` in the metadata, it consists of linear layers with
        /// ReLU between them.
        ///
        /// **Errors** [`Error::Malformed`] if the archive holds another kind of model, or if tensors are missing, have the
        /// wrong shape or are not finite.
        pub fn from_archive(kind: &str, archive: &Archive) -> Result<Self> {
            let malformed = |problem| Error::malformed(archive.place(), 8, problem);
            if let Some(found) = archive.metadata("model").filter(|&found| found != kind) {
                let article = if kind.starts_with('e') { "an" } else { "a" };
                let problem = format!("this is a model of kind '{found}'; {article} {kind} is needed");
                return Err(malformed(problem));
            }
            let plan = match archive.metadata("network") {
                Some(text) => text.parse().map_err(|error: Error| malformed(format!("{error}")))?,
                None => linear_plan(archive)?,
            };
            let network = plan.read(archive, "")?;
            Self::new(kind, plan, &network).map_err(|error| malformed(format!("{error}")))
        }
    }

    /// The plan of linear layers `0`, `2`, `4`, ... with ReLU between, from the shapes of their weights.
    fn linear_plan(archive: &Archive) -> Result<Plan> {
        let (mut input, mut layers) = (Shape::from(0), Vec::new());
        for index in 0.. {
            let weight = format!("{}.weight", 2 * index);
            if index > 0 && !archive.names().any(|name| name == weight) {
                break;
            }
            let &[outputs, inputs] = archive.shape(&weight)? else {
                let problem = format!("tensor '{weight}' must have two axes (outputs, inputs)");
                return Err(Error::malformed(archive.place(), 8, problem));
            };
            if index == 0 {
                input = inputs.into();
            } else {
                layers.push(Spec::Relu);
            }
            layers.push(Spec::Linear { outputs, bias: true });
        }
        Ok(Plan { input, layers })
    }
}
