//! Do all properties of a network follow from its plan?

use equilibria::adversarial::{Networks, Normalisation, Objective, mlp};
use equilibria::nn::{Plan, Shape, Spec};

/// A plan with one layer of each kind.
fn everything() -> Plan {
    let layers = vec![
        Spec::BatchNorm,
        Spec::Relu,
        Spec::Linear { outputs: 6, bias: false },
        Spec::LayerNorm,
        Spec::Softplus,
        Spec::Dropout(0.25),
        Spec::Linear { outputs: 5, bias: true },
        Spec::LeakyRelu(0.1),
        Spec::Sigmoid,
        Spec::Tanh,
    ];
    Plan { input: Shape { height: 2, width: 3, channels: 4 }, layers }
}

#[test]
fn does_a_network_match_its_plan() {
    let text = "2x3x4: batch-norm, relu, linear 6 no-bias, layer-norm, softplus, dropout 0.25, linear 5, leaky-relu 0.1, \
                sigmoid, tanh";
    let plan = everything();
    assert_eq!(plan.to_string(), text);
    for plan in [plan, Networks::digits(784).generator, Networks::digits(784).discriminator] {
        assert_eq!(plan.to_string().parse::<Plan>().unwrap(), plan);
        let network = plan.build::<f32>().unwrap();
        let parameters: usize = network.parameters().map(|parameter| parameter.len()).sum();
        assert_eq!(parameters as u128, plan.parameters(), "{plan}");
        assert_eq!([network.input_shape(), network.output_shape()], [plan.input, plan.output()], "{plan}");
        assert_eq!(network.mixes_examples(), plan.mixes_examples(), "{plan}");
        assert_eq!(network.layers().len(), plan.layers.len(), "{plan}");
    }
    // The numbers that PyTorch counts.
    assert_eq!(Networks::digits(784).generator.parameters(), 1_510_032);
    assert_eq!(Networks::digits(784).discriminator.parameters(), 533_505);
    // The input, two normalisations and two linear layers; an activation needs no separate memory.
    assert_eq!(everything().values(), 24 + 24 + 6 + 6 + 5);
}

#[test]
fn are_invalid_plans_refused() {
    let right = "4: linear 3, leaky-relu 0.2, tanh";
    assert!(right.parse::<Plan>().is_ok());
    for (from, to) in [
        ("4: ", ""),
        ("4: ", ": "),
        ("4: ", "4x4: "),
        ("4: ", "4x4x4x4: "),
        ("4: ", "-4: "),
        ("linear 3", "linear"),
        ("linear 3", "linear 3.5"),
        ("linear 3", "linear 3 bias"),
        ("linear 3", "linear 3 no-bias no-bias"),
        ("linear 3", "linear 99999999999999999999"),
        ("linear 3", "conv 3"),
        ("leaky-relu 0.2", "leaky-relu"),
        ("leaky-relu 0.2", "leaky-relu 0.2 0.2"),
        (", tanh", ", tanh 1"),
        (", tanh", ","),
    ] {
        let text = right.replacen(from, to, 1);
        let error = text.parse::<Plan>().unwrap_err().to_string();
        assert_eq!(error, format!("network '{text}': it is written as '100: linear 784, tanh'"));
    }
    // The text of a plan may describe an invalid network.
    for (text, words) in [
        ("4: linear 0", "0 outputs"),
        ("0: linear 3", "0 inputs"),
        ("4: dropout 1", "below 1"),
        ("4: leaky-relu -1", "not negative"),
    ] {
        let error = text.parse::<Plan>().unwrap().build::<f64>().unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn do_perceptrons_have_a_short_text_form() {
    let batch_critic = mlp(&[784, 512, 256, 1], Normalisation::Batch, None);
    let layer_critic = mlp(&[784, 512, 256, 1], Normalisation::Layer, None);
    let own = Plan { input: 784.into(), layers: vec![Spec::Linear { outputs: 1, bias: false }] };
    let of = |discriminator| Networks { discriminator, ..Networks::digits(784) };
    let generator = "generator 100-128-256-512-1024-784 batch-norm tanh";
    for (networks, text) in [
        (of(batch_critic), format!("{generator}, discriminator 784-512-256-1 batch-norm")),
        (of(layer_critic), format!("{generator}, discriminator 784-512-256-1 layer-norm")),
        (Networks::plane(3, &[]), "generator 3-2 plain unbounded, discriminator 2-1 plain".into()),
        (
            Networks::plane(3, &[5, 4]),
            "generator 3-5-4-2 plain unbounded, discriminator 2-5-4-1 plain".into(),
        ),
        (
            of(own),
            format!("generator {}; discriminator 784: linear 1 no-bias", Networks::digits(784).generator),
        ),
    ] {
        assert_eq!(networks.to_string(), text);
        assert_eq!(text.parse::<Networks>().unwrap(), networks);
    }
}

#[test]
fn are_invalid_texts_of_networks_refused() {
    let right = "generator 3-5-2 plain tanh, discriminator 2-4-1 plain";
    assert!(right.parse::<Networks>().is_ok());
    for (from, to) in [
        ("generator ", ""),
        (", discriminator", " discriminator"),
        (", discriminator", "; discriminator"),
        ("3-5-2", "3-5-3"),
        ("3-5-2", "3"),
        ("3-5-2", "3--2"),
        ("3-5-2", "3-5-2-"),
        ("3-5-2", "99999999999999999999-2"),
        ("2-4-1", "2-4-2"),
        ("2-4-1", "1"),
        ("plain tanh", "tanh"),
        ("plain tanh", "plain relu"),
        ("plain tanh", "plain"),
        ("1 plain", "1"),
        ("1 plain", "1 plain tanh"),
        ("1 plain", "1 plain "),
    ] {
        let text = right.replacen(from, to, 1);
        let error = text.parse::<Networks>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("networks '{text}': ")), "{error}");
    }
}

#[test]
fn are_networks_that_do_not_fit_the_game_refused() {
    let refused = |networks: &Networks, objective: Objective, words: &str| {
        let error = networks.validate(&objective).unwrap_err().to_string();
        assert_eq!(error, format!("{networks}: {words}"));
    };
    let digits = Networks::digits(784);
    assert!(digits.validate(&Objective::penalty()).is_ok());
    let empty = mlp(&[100, 8, 0, 784], Normalisation::Batch, Some(Spec::Tanh));
    let empty = Networks { generator: empty, ..Networks::digits(784) };
    refused(&empty, Objective::standard(), "every layer has at least 1 unit");
    let other = Networks { generator: Networks::plane(2, &[]).generator, ..Networks::digits(784) };
    refused(&other, Objective::standard(), "the discriminator goes from the generator's samples to 1 number");
}

#[cfg(feature = "cli")]
mod files {
    use super::*;
    use equilibria::adversarial::Generator;
    use equilibria::adversarial::fill_latents;
    use equilibria::checkpoint::Archive;
    use equilibria::nn::Scratch;
    use equilibria::rng::Stream;
    use equilibria::run::gan::Settings;

    /// A model from before networks were described by plans: a penalised game of 40 steps on 60 images of 4 x 4 pixels,
    /// with an average, written by `gan train --objective penalty --normalise layer --latent 3 --generator 5-6
    /// --discriminator 6-5 --batch 10 --steps 40 --every 10 --average 0.9`.
    const OLD: &[u8] = include_bytes!("../fixtures/gan-4x4.safetensors");

    #[test]
    fn does_a_file_from_before_plans_give_the_same_model() {
        let archive = Archive::from_bytes(OLD, "gan-4x4.safetensors").unwrap();
        let text = "generator 3-5-6-16 batch-norm tanh, discriminator 16-6-5-1 layer-norm";
        let model = Generator::from_archive(&archive).unwrap();
        assert_eq!((model.networks().to_string().as_str(), model.latent()), (text, 3));
        assert!(model.is_average() && model.shape() == [4, 4, 1] && model.steps() == Some(40));
        let settings: Settings = toml::from_str(archive.metadata("configuration").unwrap()).unwrap();
        assert_eq!(&settings.networks, model.networks());
        // Every tensor of every network has its old name and shape.
        let Networks { generator, discriminator } = model.networks();
        let mut names = vec!["history".to_string()];
        for (of, plan) in [("average", generator), ("generator", generator), ("discriminator", discriminator)]
        {
            let network = plan.read(&archive, &format!("{of}.")).unwrap();
            for (name, tensor) in network.state() {
                let name = format!("{of}.{name}");
                assert_eq!(archive.tensor_f32(&name, tensor.shape()).unwrap(), tensor.data(), "{name}");
                names.push(name);
            }
        }
        names.sort();
        assert!(archive.names().eq(names), "{:?}", archive.names().collect::<Vec<_>>());
        // The generator reproduces the last images that its run stored, up to the rounding of its arithmetic.
        let network = generator.read(&archive, "generator.").unwrap();
        let (mut latents, mut samples) = (vec![0.0; 10 * 3], vec![0.0; 10 * 16]);
        fill_latents(Stream::named(1, "latent").substream(u64::MAX), 3, &mut latents);
        network.infer(&latents, &mut Scratch::new(), &mut samples).unwrap();
        let kept = archive.tensor_u8("history", &[11, 10, 4, 4]).unwrap();
        for (sample, &kept) in samples.iter().zip(&kept[10 * 10 * 16..]) {
            assert!(((sample + 1.0) * 127.5 - f32::from(kept)).abs() < 0.51, "{sample}, not {kept}");
        }
    }

    #[test]
    fn is_a_file_that_does_not_match_its_plan_refused() {
        let plan = mlp(&[3, 4, 2], Normalisation::None, None);
        let network = plan.build::<f32>().unwrap();
        let refused = |plan: &str, change: &dyn Fn(&str, &mut Vec<f32>)| {
            let mut archive = Archive::new();
            for (name, tensor) in network.state() {
                let mut values = tensor.data().to_vec();
                change(&name, &mut values);
                archive.insert_f32(&format!("g.{name}"), tensor.shape(), &values).unwrap();
            }
            let archive = Archive::from_bytes(&archive.to_bytes().unwrap(), "a.st").unwrap();
            plan.parse::<Plan>().unwrap().read(&archive, "g.").unwrap_err().to_string()
        };
        let same = |_: &str, _: &mut Vec<f32>| ();
        for (plan, words) in [
            (
                "3: linear 4, leaky-relu 0.2, linear 3",
                "the network has 31 parameters, and the file holds 26 numbers",
            ),
            ("3: linear 99999999999, linear 2", "and the file holds 26 numbers"),
            ("2: linear 4, relu, linear 2", "tensor `g.0.weight` has shape (4, 3), expected (4, 2)"),
            ("3: linear 4, linear 2", "there is no tensor `g.1.weight`"),
            ("3: linear 0", "0 outputs"),
        ] {
            let error = refused(plan, &same);
            assert!(error.starts_with("a.st: ") && error.contains(words), "{plan}: {error}");
        }
        for value in [f32::NAN, f32::INFINITY] {
            let error = refused(&plan.to_string(), &|name, values| {
                if name == "2.bias" {
                    values[1] = value;
                }
            });
            assert!(
                error
                    .contains(&format!("tensor `g.2.bias` holds {value}; every number in it must be finite")),
                "{error}"
            );
        }
    }
}
