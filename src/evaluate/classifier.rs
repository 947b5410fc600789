//! A classifier of digits, also used as a feature extractor.
//!
//! A distance between sets of images needs a space in which similar images are near each other. Pixels do not give such
//! a space: a digit shifted by one pixel is far from the original. The last hidden layer of a network trained to
//! classify digits does, because linear functions of it separate the classes:
//!
//! ```text
//! image 28x28 -> 14x14x32 -> 7x7x64 -> 4x4x128 -> 128 features -> 10 logits       ReLU after each layer except the last
//!              5x5 kernel   3x3       3x3      all pixels
//! ```
//!
//! Each convolution moves in steps of 2 pixels, which halves the image and takes the place of pooling (Springenberg et
//! al. 2015). A kernel is the same at every place of the image, so that a stroke is recognised wherever it is.
//!
//! For photographs the field uses the Inception network, trained on a million photographs (Heusel et al. 2017).
//! Inception features do not separate digits; these features do, as in earlier work that measured generators on MNIST.
//! Distances computed with different classifiers are not comparable.

use super::features::FeatureNetwork;
use super::modes::largest;
use crate::data::{Images, Labelled};
use crate::nn::{ConvSpec, Plan, Sequential, Shape, Spec};
use crate::tensor::Tensor;
use crate::{Error, Result};
use alloc::vec;
use alloc::vec::Vec;

/// Channels and kernel of each convolution; its stride is 2, and its padding keeps half of the image, rounded up.
const CONVOLUTIONS: [(usize, usize); 3] = [(32, 5), (64, 3), (128, 3)];
/// Number of features.
const FEATURES: usize = 128;

/// A trained network whose last hidden layer gives the features.
///
/// ```
/// # #[cfg(feature = "pretrained")] {
/// use equilibria::{data::Dataset, pretrained};
/// let digits = Dataset::synthetic(20, 20)?;
/// let classifier = pretrained::classifier()?;
/// let accuracy = classifier.accuracy(&digits.test)?;
/// assert!(accuracy.all > 0.9 && accuracy.by_class.len() == 10);
/// assert_eq!(classifier.features_of(digits.test.images())?.shape(), [20, 128]);
/// # }
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Classifier {
    network: FeatureNetwork,
}

impl Classifier {
    /// The architecture for images of `height` by `width` pixels.
    pub fn plan(height: usize, width: usize, classes: usize) -> Plan {
        let mut layers = Vec::new();
        for (channels, kernel) in CONVOLUTIONS {
            let spec = ConvSpec { channels, kernel, stride: 2, padding: kernel / 2, bias: true };
            layers.extend([Spec::Conv(spec), Spec::Relu]);
        }
        let linear = |outputs| Spec::Linear { outputs, bias: true };
        layers.extend([linear(FEATURES), Spec::Relu, linear(classes)]);
        Plan { input: Shape { height, width, channels: 1 }, layers }
    }

    /// Creates a classifier from a trained network; all layers before the last compute the features.
    ///
    /// **Errors** Those of [`FeatureNetwork::new`].
    pub fn new(plan: Plan, network: &Sequential<f32>) -> Result<Self> {
        Ok(Self { network: FeatureNetwork::new("classifier", plan, network)? })
    }

    /// Returns whether images of this size can be classified.
    pub fn fits(&self, images: &Images) -> bool {
        let Shape { height, width, channels } = self.network.input();
        // A network of linear layers alone does not know how its inputs are arranged.
        let is_row = height == 1 && width == 1 && channels == images.values_per_image();
        is_row || ([height, width] == [images.height(), images.width()] && channels == 1)
    }

    /// The number of pixels of an image.
    pub fn inputs(&self) -> usize {
        self.network.input().size()
    }

    /// The number of features.
    pub fn features(&self) -> usize {
        self.network.features()
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.network.outputs()
    }

    /// Computes the features of images.
    ///
    /// **Shapes** Returns (images, features).
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the images have a different size.
    pub fn features_of(&self, images: &Images) -> Result<Tensor<f32>> {
        if !self.fits(images) {
            let Shape { height, width, channels } = self.network.input();
            return Err(Error::ShapeMismatch {
                operation: "pixels of an image and inputs of a classifier",
                expected: if height * width > 1 { vec![height, width] } else { vec![channels] },
                found: vec![images.height(), images.width()],
            });
        }
        let size = self.inputs();
        self.network.features_of(images.len(), |range, inputs| {
            let pixels = &images.pixels()[range.start * size..range.end * size];
            inputs.iter_mut().zip(pixels).for_each(|(input, &pixel)| *input = intensity(pixel));
        })
    }

    /// Computes the logits of the classes: ln P(class) plus a constant for each image.
    ///
    /// **Shapes** `features` (images, features); returns (images, classes).
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the number of features differs.
    pub fn logits(&self, features: &Tensor<f32>) -> Result<Tensor<f32>> {
        self.network.outputs_of(features)
    }

    /// Computes the share of correctly classified images, of all and of each class.
    ///
    /// **Errors** Those of [`Classifier::features_of`]; [`Error::InvalidArgument`] if there are no images or no labels, or a
    /// label is not one of the classes.
    pub fn accuracy(&self, digits: &Labelled) -> Result<Accuracy> {
        if digits.is_empty() {
            return Err(Error::invalid("accuracy on 0 images", "at least 1 is needed"));
        }
        digits.check_labels()?;
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
///
/// The example of [`Classifier`] measures it on 20 digits.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Accuracy {
    /// Share of all images that are classified correctly.
    pub all: f64,
    /// Share of each class that is classified correctly; `None` for a class without images.
    pub by_class: Vec<Option<f64>>,
}

/// Converts a pixel to an input of the network: from 0 (background) to 1 (full ink).
///
/// ```
/// use equilibria::evaluate::classifier::intensity;
/// assert_eq!([0, 255].map(intensity), [0.0, 1.0]);
/// ```
pub fn intensity(pixel: u8) -> f32 {
    f32::from(pixel) / 255.0
}

#[cfg(feature = "checkpoint")]
mod archive {
    use super::*;
    use crate::checkpoint::Archive;

    impl Classifier {
        /// The value of the metadata key `model` in archives of a classifier.
        pub const KIND: &'static str = "classifier";

        /// Writes the classifier to an archive; see [`FeatureNetwork::to_archive`]. One image in some thousands changes its
        /// class.
        ///
        /// **Errors** [`Error::InvalidArgument`] for parameters beyond the range of 16-bit floats.
        pub fn to_archive(&self) -> Result<Archive> {
            self.network.to_archive(Self::KIND)
        }

        /// Reads a classifier from an archive.
        ///
        /// **Errors** Those of [`FeatureNetwork::from_archive`].
        pub fn from_archive(archive: &Archive) -> Result<Self> {
            Ok(Self { network: FeatureNetwork::from_archive(Self::KIND, archive)? })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic;
    use crate::nn::{Initialisation, Scratch};
    use crate::rng::Stream;

    fn untrained() -> (Classifier, Sequential<f32>) {
        let plan = Classifier::plan(28, 28, 10);
        let mut network = plan.build().unwrap();
        network.initialise(Initialisation::Uniform, Stream::named(1, "init"));
        (Classifier::new(plan, &network).unwrap(), network)
    }

    #[test]
    fn features_and_logits_are_those_of_the_whole_network() {
        let (classifier, network) = untrained();
        assert_eq!((classifier.inputs(), classifier.features(), classifier.classes()), (784, 128, 10));
        // More than one block.
        let digits = synthetic::digits(0, 520).unwrap();
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
        let plan: Plan = "2: linear 2, relu, linear 2".parse().unwrap();
        let mut network = plan.build().unwrap();
        for parameter in network.parameters_mut().filter(|parameter| parameter.rank() == 2) {
            (0..2).for_each(|i| parameter.row_mut(i)[i] = 1.0);
        }
        let classifier = Classifier::new(plan, &network).unwrap();
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
        let (classifier, _) = untrained();
        // The same number of pixels, arranged otherwise, is another size too.
        let images = Images::new(14, 56, vec![0; 784]).unwrap();
        let error = classifier.features_of(&images).unwrap_err().to_string();
        let words = "pixels of an image and inputs of a classifier: expected shape (28, 28), found (14, 56)";
        assert_eq!(error, words);
        assert!(classifier.logits(&Tensor::zeros(&[3, 100])).is_err());
        // Every size has a network.
        assert!((1..20).all(|size| Classifier::plan(size, 20 - size, 2).build::<f32>().is_ok()));
        assert!(Classifier::plan(0, 28, 10).build::<f32>().is_err());
        assert!(Classifier::plan(28, 28, 0).build::<f32>().is_err());
    }

    #[cfg(feature = "checkpoint")]
    #[test]
    fn an_archive_gives_the_classifier_back_to_16_bits() {
        use crate::checkpoint::Archive;
        let (classifier, _) = untrained();
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
