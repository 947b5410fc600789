//! A classifier of digits, also used as a feature extractor.
//!
//! A distance between sets of images needs a space in which similar images are near each other. Pixels do not give such
//! a space: a digit shifted by one pixel is far from the original. The last hidden layer of a network trained to
//! classify digits does, because linear functions of it separate the classes:
//!
//! ```text
//! image (784) -> 512 -> 256 -> 128 features -> 10 logits       ReLU after each layer except the last
//! ```
//!
//! For photographs the field uses the Inception network, trained on a million photographs (Heusel et al. 2017).
//! Inception features do not separate digits; these features do, as in earlier work that measured generators on MNIST.
//! Distances computed with different classifiers are not comparable.

use super::modes::largest;
use crate::data::{Images, Labelled};
use crate::nn::{Plan, Scratch, Sequential, Spec, check_usable};
use crate::tensor::Tensor;
use crate::{Error, Result};
use alloc::vec;
use alloc::vec::Vec;

/// Units of the hidden layers; the last hidden layer gives the features.
const HIDDEN: [usize; 3] = [512, 256, 128];
/// Images per call of the network.
const BLOCK: usize = 1000;

/// A trained network, split before its last layer.
#[derive(Debug, Clone)]
pub struct Classifier {
    body: Sequential<f32>,
    head: Sequential<f32>,
}

impl Classifier {
    /// Creates an untrained network with all parameters 0: see [`Sequential::initialise`].
    ///
    /// **Errors** [`Error::InvalidArgument`] if there are no inputs or no classes.
    pub fn network(inputs: usize, classes: usize) -> Result<Sequential<f32>> {
        plan(&[&[inputs][..], &HIDDEN, &[classes]].concat()).build()
    }

    /// Creates a classifier from a trained network; all layers before the last compute the features.
    ///
    /// **Errors** [`Error::InvalidArgument`] if it has fewer than two layers, a parameter is not finite, or all weights are 0.
    pub fn new(network: &Sequential<f32>) -> Result<Self> {
        match network.layers() {
            [body @ .., last] if !body.is_empty() => {
                check_usable("classifier", network)?;
                let body = Sequential::new(network.inputs(), body.to_vec())?;
                let head = Sequential::new(body.outputs(), vec![last.clone()])?;
                Ok(Self { body, head })
            }
            _ => Err(Error::invalid(
                "a classifier of fewer than 2 layers",
                "the last but one makes the features",
            )),
        }
    }

    /// The number of pixels of an image.
    pub fn inputs(&self) -> usize {
        self.body.inputs()
    }

    /// The number of features.
    pub fn features(&self) -> usize {
        self.head.inputs()
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.head.outputs()
    }

    /// Computes the features of images.
    ///
    /// **Shapes** Returns (images, features).
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the images have a different size.
    pub fn features_of(&self, images: &Images) -> Result<Tensor<f32>> {
        let (size, width) = (self.inputs(), self.features());
        if images.values_per_image() != size {
            return Err(Error::ShapeMismatch {
                operation: "pixels of an image and inputs of a classifier",
                expected: vec![size],
                found: vec![images.values_per_image()],
            });
        }
        let mut features = Tensor::zeros(&[images.len(), width]);
        let mut inputs = vec![0.0; BLOCK.min(images.len()) * size];
        let mut scratch = Scratch::new();
        let outputs = features.data_mut().chunks_mut(BLOCK * width);
        for (pixels, features) in images.pixels().chunks(BLOCK * size).zip(outputs) {
            let inputs = &mut inputs[..pixels.len()];
            inputs.iter_mut().zip(pixels).for_each(|(input, &pixel)| *input = intensity(pixel));
            self.body.infer(inputs, &mut scratch, features)?;
        }
        Ok(features)
    }

    /// Computes the logits of the classes: ln P(class) plus a constant for each image.
    ///
    /// **Shapes** `features` (images, features); returns (images, classes).
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the number of features differs.
    pub fn logits(&self, features: &Tensor<f32>) -> Result<Tensor<f32>> {
        if features.columns() != self.features() {
            return Err(Error::ShapeMismatch {
                operation: "logits of features",
                expected: vec![features.rows(), self.features()],
                found: features.shape().to_vec(),
            });
        }
        let mut logits = Tensor::zeros(&[features.rows(), self.classes()]);
        self.head.infer(features.data(), &mut Scratch::new(), logits.data_mut())?;
        Ok(logits)
    }

    /// Computes the share of correctly classified images, of all and of each class.
    ///
    /// **Errors** Those of [`Classifier::features_of`]; [`Error::InvalidArgument`] if there are no images, or a label
    /// is not one of the classes.
    pub fn accuracy(&self, digits: &Labelled) -> Result<Accuracy> {
        if digits.is_empty() {
            return Err(Error::invalid("accuracy on 0 images", "at least 1 is needed"));
        }
        let logits = self.logits(&self.features_of(digits.images())?)?;
        let (mut right, mut counts) = (vec![0; self.classes()], vec![0; self.classes()]);
        for (i, &label) in digits.labels().iter().enumerate() {
            let class = usize::from(label);
            if class >= counts.len() {
                let expected = alloc::format!("the classifier knows {} classes", counts.len());
                return Err(Error::invalid(alloc::format!("class {label}"), expected));
            }
            counts[class] += 1;
            right[class] += usize::from(largest(logits.row(i)) == class);
        }
        let share = |right: usize, count: usize| right as f64 / count as f64;
        Ok(Accuracy {
            all: share(right.iter().sum(), digits.len()),
            by_class: right
                .iter()
                .zip(&counts)
                .map(|(&right, &count)| (count > 0).then(|| share(right, count)))
                .collect(),
        })
    }
}

/// The accuracy of a classifier.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Accuracy {
    /// Share of all images that are classified correctly.
    pub all: f64,
    /// Share of each class that is classified correctly; `None` for a class without images.
    pub by_class: Vec<Option<f64>>,
}

/// Converts a pixel to an input of the network: from 0 (background) to 1 (full ink).
pub fn intensity(pixel: u8) -> f32 {
    f32::from(pixel) / 255.0
}

/// Linear layers of these widths, the input first, with ReLU between.
fn plan(widths: &[usize]) -> Plan {
    let outputs = widths.iter().skip(1);
    let layers = outputs.flat_map(|&outputs| [Spec::Relu, Spec::Linear { outputs, bias: true }]);
    Plan { input: widths.first().map_or(0, |&inputs| inputs).into(), layers: layers.skip(1).collect() }
}

#[cfg(feature = "checkpoint")]
mod archive {
    use super::*;
    use crate::checkpoint::Archive;
    use alloc::format;

    impl Classifier {
        /// The value of the metadata key `model` in archives of a classifier.
        pub const KIND: &'static str = "classifier";

        /// Writes the parameters to an archive, in 16 bits.
        ///
        /// The relative rounding error is up to about 1e-3; one image in some thousands changes its class. Names and
        /// shapes are those of PyTorch's `Sequential`: `0.weight` (outputs, inputs), `0.bias`, `2.weight`, ...
        ///
        /// **Errors** [`Error::InvalidArgument`] for parameters beyond the range of 16-bit floats.
        pub fn to_archive(&self) -> Result<Archive> {
            let mut archive = Archive::new();
            archive.set_metadata("model", Self::KIND);
            let layers = self.body.layers().iter().chain(self.head.layers());
            for (index, layer) in layers.enumerate() {
                for (name, tensor) in layer.names().iter().zip(layer.tensors()[0]) {
                    archive.insert_f16(&format!("{index}.{name}"), tensor.shape(), tensor.data())?;
                }
            }
            Ok(archive)
        }

        /// Reads a classifier from an archive: linear layers with ReLU between them.
        ///
        /// **Errors** [`Error::Malformed`] if the archive holds another kind of model, or if tensors are missing, have the
        /// wrong shape or are not finite.
        pub fn from_archive(archive: &Archive) -> Result<Self> {
            if let Some(kind) = archive.metadata("model").filter(|&kind| kind != Self::KIND) {
                let problem = format!("this is a model of kind '{kind}'; a classifier is needed");
                return Err(Error::malformed(archive.place(), 8, problem));
            }
            let malformed = |problem| Error::malformed(archive.place(), 8, problem);
            let mut widths = Vec::new();
            for index in 0.. {
                let weight = format!("{}.weight", 2 * index);
                if index > 0 && !archive.names().any(|name| name == weight) {
                    break;
                }
                let &[outputs, inputs] = archive.shape(&weight)? else {
                    return Err(malformed(format!("tensor '{weight}' must have two axes (outputs, inputs)")));
                };
                widths.extend([inputs].into_iter().filter(|_| index == 0).chain([outputs]));
            }
            Self::new(&plan(&widths).read(archive, "")?).map_err(|error| malformed(format!("{error}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic;
    use crate::nn::Initialisation;
    use crate::rng::Stream;

    fn untrained() -> Classifier {
        let mut network = Classifier::network(synthetic::PIXELS, 10).unwrap();
        network.initialise(Initialisation::Uniform, Stream::named(1, "init"));
        Classifier::new(&network).unwrap()
    }

    #[test]
    fn features_and_logits_are_those_of_the_whole_network() {
        let mut network = Classifier::network(synthetic::PIXELS, 10).unwrap();
        network.initialise(Initialisation::Uniform, Stream::named(1, "init"));
        let classifier = Classifier::new(&network).unwrap();
        assert_eq!((classifier.inputs(), classifier.features(), classifier.classes()), (784, 128, 10));
        // More than one block.
        let digits = synthetic::digits(0, BLOCK + 20).unwrap();
        let features = classifier.features_of(digits.images()).unwrap();
        assert!(features.data().iter().all(|&x| x >= 0.0) && features.data().iter().any(|&x| x > 0.0));
        let logits = classifier.logits(&features).unwrap();
        let pixels: Vec<f32> =
            digits.images().pixels().iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
        let mut whole = vec![0.0; logits.len()];
        network.infer(&pixels, &mut Scratch::new(), &mut whole).unwrap();
        for (found, exact) in logits.data().iter().zip(&whole) {
            assert!((found - exact).abs() < 1e-5, "{found}, not {exact}");
        }
    }

    #[test]
    fn accuracy_counts_what_is_right_by_class() {
        // Logit j is the ink of pixel j, passed through the features.
        let mut network = Classifier::network(2, 2).unwrap();
        for parameter in network.parameters_mut().filter(|parameter| parameter.rank() == 2) {
            (0..2).for_each(|i| parameter.row_mut(i)[i] = 1.0);
        }
        let classifier = Classifier::new(&network).unwrap();
        let images = Images::new(1, 2, vec![9, 0, 0, 9, 8, 7, 5, 6]).unwrap();
        let accuracy =
            classifier.accuracy(&Labelled::new(images.clone(), vec![0, 1, 1, 1]).unwrap()).unwrap();
        assert_eq!((accuracy.all, accuracy.by_class), (0.75, vec![Some(1.0), Some(2.0 / 3.0)]));
        let accuracy = classifier.accuracy(&Labelled::new(images.clone(), vec![1; 4]).unwrap()).unwrap();
        assert_eq!(accuracy.by_class, [None, Some(0.5)]);
        let error = classifier.accuracy(&Labelled::new(images, vec![0, 1, 1, 2]).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "class 2: the classifier knows 2 classes");
    }

    #[test]
    fn images_of_another_size_are_refused() {
        let images = Images::new(8, 8, vec![0; 64]).unwrap();
        let error = untrained().features_of(&images).unwrap_err().to_string();
        assert_eq!(error, "pixels of an image and inputs of a classifier: expected shape (784), found (64)");
        assert!(untrained().logits(&Tensor::zeros(&[3, 100])).is_err());
        assert!(Classifier::network(0, 10).is_err() && Classifier::network(784, 0).is_err());
    }

    #[cfg(feature = "checkpoint")]
    #[test]
    fn an_archive_gives_the_classifier_back_to_16_bits() {
        use crate::checkpoint::Archive;
        let classifier = untrained();
        let bytes = classifier.to_archive().unwrap().to_bytes().unwrap();
        let read = |bytes: &[u8]| {
            Archive::from_bytes(bytes, "a.st").and_then(|archive| Classifier::from_archive(&archive))
        };
        let same = read(&bytes).unwrap();
        // Rounding a second time changes nothing.
        assert_eq!(same.to_archive().unwrap().to_bytes().unwrap(), bytes);
        let images = synthetic::digits(0, 10).unwrap();
        let logits = |of: &Classifier| of.logits(&of.features_of(images.images()).unwrap()).unwrap();
        let (a, b) = (logits(&classifier), logits(&same));
        assert!(a.data().iter().zip(b.data()).all(|(a, b)| (a - b).abs() < 1e-3) && a != b, "{a:?}, {b:?}");

        let refused = |change: &dyn Fn(&mut Archive)| {
            let mut archive = Archive::new();
            change(&mut archive);
            read(&archive.to_bytes().unwrap()).unwrap_err().to_string()
        };
        let layer = |archive: &mut Archive, index: usize, [outputs, inputs]: [usize; 2], value: f32| {
            let name = |what| alloc::format!("{index}.{what}");
            archive.insert_f32(&name("weight"), &[outputs, inputs], &vec![value; outputs * inputs]).unwrap();
            archive.insert_f32(&name("bias"), &[outputs], &vec![value; outputs]).unwrap();
        };
        assert!(refused(&|archive| archive.set_metadata("model", "rbm")).contains("kind 'rbm'"));
        assert!(refused(&|_| {}).contains("0.weight"));
        assert!(refused(&|archive| layer(archive, 0, [2, 3], 0.0)).contains("fewer than 2 layers"));
        let unlike = refused(&|archive| {
            layer(archive, 0, [2, 3], 0.0);
            layer(archive, 2, [2, 3], 0.0);
        });
        assert!(
            unlike.contains("a.st") && unlike.contains("(2, 3)") && unlike.contains("(2, 2)"),
            "{unlike}"
        );
        let infinite = refused(&|archive| {
            layer(archive, 0, [2, 3], f32::INFINITY);
            layer(archive, 2, [1, 2], 0.0);
        });
        assert!(infinite.contains("must be finite"), "{infinite}");
        let zeros = refused(&|archive| {
            layer(archive, 0, [2, 3], 0.0);
            layer(archive, 2, [1, 2], 0.0);
        });
        assert!(zeros.contains("a.st") && zeros.contains("weights are all 0"), "{zeros}");
        let flat = refused(&|archive| archive.insert_f32("0.weight", &[3], &[0.0; 3]).unwrap());
        assert!(flat.contains("two axes"), "{flat}");
        assert!(refused(&|archive| layer(archive, 0, [0, 3], 0.0)).contains("a.st"));
    }
}
