//! Are the convolutional networks those of Radford et al., and are departures from their guidelines found?

use equilibria::adversarial::{Networks, Normalisation, dcgan};
use equilibria::nn::{Initialisation, Plan, Shape, Spec};
use equilibria::rng::Stream;

fn image(side: usize, channels: usize) -> Shape {
    Shape { height: side, width: side, channels }
}

fn colour() -> Networks {
    dcgan(image(32, 3), 100, 64, Normalisation::Batch).unwrap()
}

/// The shapes between the layers with weights.
fn shapes(plan: &Plan) -> Vec<String> {
    let mut shapes: Vec<String> = plan.shapes().map(|shape| shape.to_string()).collect();
    shapes.dedup();
    shapes
}

#[test]
fn each_layer_doubles_or_halves_the_side() {
    let networks = colour();
    assert_eq!(shapes(&networks.generator), ["100", "4x4x256", "8x8x128", "16x16x64", "32x32x3"]);
    assert_eq!(shapes(&networks.discriminator), ["32x32x3", "16x16x64", "8x8x128", "4x4x256", "1"]);
    // 16 weights per pair of channels, and two numbers per normalised channel.
    let weights = 16 * (100 * 256 + 256 * 128 + 128 * 64 + 64 * 3) + 2 * (256 + 128 + 64);
    assert_eq!(networks.generator.parameters(), weights);
    assert_eq!(
        networks.discriminator.parameters(),
        16 * (3 * 64 + 64 * 128 + 128 * 256 + 256) + 2 * (128 + 256)
    );
    let large = dcgan(image(64, 1), 7, 64, Normalisation::Batch).unwrap();
    assert_eq!(shapes(&large.generator), ["7", "4x4x512", "8x8x256", "16x16x128", "32x32x64", "64x64x1"]);
    let digits = dcgan(image(28, 1), 100, 8, Normalisation::Layer).unwrap();
    assert_eq!(shapes(&digits.generator), ["100", "7x7x16", "14x14x8", "28x28x1"]);
    assert_eq!(shapes(&digits.discriminator), ["28x28x1", "14x14x8", "7x7x16", "1"]);
    for networks in [networks, large, digits] {
        assert_eq!(networks.to_string().parse::<Networks>().unwrap(), networks);
        let [generator, discriminator] = networks.start::<f32>(Stream::named(1, "init")).unwrap();
        assert_eq!(generator.output_shape(), discriminator.input_shape());
    }
}

#[test]
fn images_that_cannot_be_halved_are_refused_in_one_sentence() {
    let refused =
        |shape, latent, width| dcgan(shape, latent, width, Normalisation::Batch).unwrap_err().to_string();
    for side in [0, 1, 4, 7, 9, 22, 30, 33] {
        let error = refused(image(side, 3), 100, 64);
        let expected =
            format!("a DCGAN for images of {side}x{side} pixels: images are square, with a side of");
        assert!(error.starts_with(&expected), "{error}");
    }
    assert!(refused(Shape { height: 32, width: 64, channels: 3 }, 100, 64).contains("32x64"));
    for channels in [0, 2, 4] {
        let error = refused(image(32, channels), 100, 64);
        assert!(error.starts_with(&format!("a DCGAN for images of {channels} channels")), "{error}");
    }
    for (latent, width) in [(0, 64), (100, 0), (100, usize::MAX), (100, 1 << 40)] {
        let error = refused(image(32, 3), latent, width);
        assert!(error.contains("at least 1"), "{error}");
    }
    for side in [8, 10, 12, 14, 20, 24, 40, 48, 56, 128] {
        dcgan(image(side, 1), 1, 1, Normalisation::None).unwrap();
    }
}

#[test]
fn initial_parameters_follow_from_the_plans() {
    let networks = dcgan(image(32, 3), 100, 32, Normalisation::Batch).unwrap();
    for player in networks.start::<f64>(Stream::named(1, "init")).unwrap() {
        for (name, tensor) in player.state() {
            let count = tensor.len() as f64;
            let mean = tensor.data().iter().sum::<f64>() / count;
            let deviation = (tensor.data().iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
            let (right_mean, right_deviation) = match (tensor.rank(), name.rsplit('.').next().unwrap()) {
                (4, _) => (0.0, 0.02),
                (1, "weight") => (1.0, 0.02),
                (_, "running_var") => (1.0, 0.0),
                _ => (0.0, 0.0),
            };
            // Five standard errors.
            let tolerance = 5.0 * 0.02 / count.sqrt();
            assert!((mean - right_mean).abs() <= tolerance, "{name}: mean {mean}");
            assert!((deviation - right_deviation).abs() <= tolerance, "{name}: deviation {deviation}");
        }
    }
    assert_eq!(Networks::digits(784).initialisation(), Initialisation::Uniform);
}

/// The numbers of the guidelines that are broken, and the layers that break them.
fn broken(networks: &Networks) -> Vec<(usize, String)> {
    let guidelines = networks.guidelines().into_iter().enumerate();
    guidelines.filter_map(|(number, guideline)| Some((number, guideline.broken_by?))).collect()
}

#[test]
fn each_guideline_names_the_layer_that_breaks_it() {
    assert_eq!(broken(&colour()), []);
    assert_eq!(broken(&dcgan(image(28, 1), 100, 64, Normalisation::Batch).unwrap()), []);
    let discriminator = |from: &str, to: &str| {
        let text = colour().discriminator.to_string();
        assert!(text.contains(from), "{text}");
        Networks { discriminator: text.replacen(from, to, 1).parse().unwrap(), ..colour() }
    };
    let generator = |from: &str, to: &str| {
        let text = colour().generator.to_string();
        assert!(text.contains(from), "{text}");
        Networks { generator: text.replacen(from, to, 1).parse().unwrap(), ..colour() }
    };
    let none = dcgan(image(32, 3), 100, 64, Normalisation::None).unwrap();
    let second = "layer 2 of the discriminator, conv 128 kernel 4 stride 2 padding 1";
    assert_eq!(broken(&none), [(1, second.into())]);
    let relu = discriminator("leaky-relu 0.2", "relu");
    assert_eq!(broken(&relu)[0].0, 4);
    assert!(broken(&relu)[0].1.starts_with("layer 0 of the discriminator, conv 64"));
    let first = discriminator("no-bias, leaky-relu", "no-bias, batch-norm, leaky-relu");
    assert_eq!(broken(&first)[0].0, 1);
    assert!(broken(&first)[0].1.starts_with("layer 0 of the discriminator"));
    let sigmoid = generator("tanh", "sigmoid");
    assert_eq!(broken(&sigmoid)[0].0, 3);
    assert!(broken(&sigmoid)[0].1.starts_with("layer 9 of the generator, conv-transpose 3"));
    let leaky = generator("relu", "leaky-relu 0.2");
    assert_eq!(broken(&leaky).iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3]);
    let normalised_end = generator("no-bias, tanh", "no-bias, batch-norm, tanh");
    assert_eq!(broken(&normalised_end)[0].0, 1);
    let hidden = generator("100: ", "100: linear 200, batch-norm, relu, linear 100, batch-norm, relu, ");
    assert_eq!(broken(&hidden), [(2, "layer 3 of the generator, linear 100".into())]);
    // A linear layer as the discriminator's last is no hidden layer, but it does change the size of the image.
    let sum = discriminator("conv 1 kernel 4 stride 1 padding 0 no-bias", "linear 1");
    assert_eq!(broken(&sum), [(0, "layer 8 of the discriminator, linear 1".into())]);
    let perceptrons = broken(&Networks::digits(784));
    assert_eq!(perceptrons[0], (0, "no layer of the generator does".into()));
    assert_eq!(perceptrons.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn a_normalisation_other_than_that_of_the_mini_batch_is_in_every_layer_between_the_ends() {
    for (normalisation, spec, has_bias) in [
        (Normalisation::Batch, Some(Spec::BatchNorm), false),
        (Normalisation::Layer, Some(Spec::LayerNorm), false),
        (Normalisation::None, None, true),
    ] {
        let Plan { layers, .. } = dcgan(image(32, 3), 100, 16, normalisation).unwrap().discriminator;
        let normalised = layers.iter().filter(|layer| Some(**layer) == spec).count();
        assert_eq!(normalised, if spec.is_some() { 2 } else { 0 }, "{normalisation:?}");
        let biases = layers.iter().filter_map(|layer| match layer {
            Spec::Conv(spec) => Some(spec.bias),
            _ => None,
        });
        assert_eq!(biases.collect::<Vec<_>>(), [has_bias; 4], "{normalisation:?}");
    }
}
