//! Do generators that PyTorch has saved give PyTorch's images, and can PyTorch read ours?

#![cfg(feature = "checkpoint")]

use equilibria::adversarial::Normalisation;
use equilibria::adversarial::networks::{dcgan, pytorch_generator};
use equilibria::checkpoint::Archive;
use equilibria::nn::{Plan, Scratch, Sequential, Shape};
use equilibria::rng::Stream;

const STATE: &[u8] = include_bytes!("../fixtures/torch-dcgan.safetensors");
const CHECKS: &[u8] = include_bytes!("../fixtures/torch-dcgan-checks.safetensors");

fn state() -> Archive {
    Archive::from_bytes(STATE, "torch-dcgan.safetensors").unwrap()
}

fn images(network: &Sequential<f32>, latents: &[f32]) -> Vec<f32> {
    let mut images = vec![0.0; latents.len() / network.inputs() * network.outputs()];
    network.infer(latents, &mut Scratch::new(), &mut images).unwrap();
    images
}

/// Latents, and the images that PyTorch makes of them, channels last.
fn checks() -> (Vec<f32>, Vec<f32>) {
    let checks = Archive::from_bytes(CHECKS, "torch-dcgan-checks.safetensors").unwrap();
    let images = checks.tensor_f32("images", &[2, 3, 32, 32]).unwrap();
    let places = (0..2 * 1024).flat_map(|pixel| (0..3).map(move |channel| (pixel, channel)));
    let place = |(pixel, channel): (usize, usize)| (pixel / 1024 * 3 + channel) * 1024 + pixel % 1024;
    let images = places.map(|at| images[place(at)]).collect();
    (checks.tensor_f32("z", &[2, 8]).unwrap().to_vec(), images)
}

#[test]
fn a_generator_of_pytorch_gives_the_same_images() {
    let (networks, network) = pytorch_generator(&state()).unwrap().unwrap();
    let image = Shape { height: 32, width: 32, channels: 3 };
    assert_eq!(networks, dcgan(image, 8, 8, Normalisation::Batch).unwrap());
    let (z, right) = checks();
    let worst = images(&network, &z).iter().zip(&right).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-5, "{worst:e}");
}

#[test]
fn a_state_dictionary_survives_the_way_there_and_back() {
    let (networks, network) = pytorch_generator(&state()).unwrap().unwrap();
    let mut written = Archive::new();
    networks.generator.write_pytorch(&network, "main.", &mut written).unwrap();
    let torch = state();
    for name in torch.names().filter(|name| !name.ends_with("num_batches_tracked")) {
        let shape = torch.shape(name).unwrap();
        assert_eq!(
            written.tensor_f32(name, shape).unwrap(),
            torch.tensor_f32(name, shape).unwrap(),
            "{name}"
        );
    }
    assert_eq!(written.names().count(), 3 * 5 + 1);
    // With another prefix, or none, and another size.
    let networks = dcgan(Shape { height: 28, width: 28, channels: 1 }, 5, 3, Normalisation::Batch).unwrap();
    let [generator, _] = networks.start::<f32>(Stream::named(1, "init")).unwrap();
    for prefix in ["", "module.net."] {
        let mut written = Archive::new();
        networks.generator.write_pytorch(&generator, prefix, &mut written).unwrap();
        let (found, network) = pytorch_generator(&written).unwrap().unwrap();
        assert_eq!(found, networks);
        assert!(network.state().eq(generator.state()));
    }
}

/// Another name and shape for a tensor, or none to leave it out.
type Change<'a> = &'a dyn Fn(&str, &[usize]) -> Option<(String, Vec<usize>)>;

#[test]
fn other_state_dictionaries_are_refused_in_one_sentence() {
    let with = |change: Change<'_>| {
        let (torch, mut archive) = (state(), Archive::new());
        for name in torch.names().filter(|name| !name.ends_with("num_batches_tracked")) {
            let Some((name, shape)) = change(name, torch.shape(name).unwrap()) else { continue };
            let count = shape.iter().product();
            archive.insert_f32(&name, &shape, &vec![0.5; count]).unwrap();
        }
        pytorch_generator(&archive).map(|found| found.is_some()).map_err(|error| error.to_string())
    };
    let same = |name: &str, shape: &[usize]| Some((name.to_string(), shape.to_vec()));
    assert_eq!(with(&same), Ok(true));
    assert_eq!(with(&|name, shape| same(&name.replace("main.", "main"), shape)), Ok(false));
    let missing = with(&|name, shape| same(name, shape).filter(|_| name != "main.4.bias"));
    assert!(missing.unwrap_err().contains("there is no tensor `main.4.bias`"));
    let extra = with(&|name, shape| {
        let name = if name == "main.1.bias" { "main.0.bias" } else { name };
        same(name, shape)
    });
    assert!(extra.unwrap_err().contains("main.1.bias"));
    let larger = with(&|name, shape| match name {
        "main.3.weight" => same(name, &[32, 16, 5, 5]),
        _ => same(name, shape),
    });
    assert!(
        larger
            .unwrap_err()
            .contains("tensor `main.3.weight` has shape (32, 16, 5, 5), expected (32, 16, 4, 4)")
    );
    let kernel = with(&|name, shape| match name {
        "main.0.weight" => same(name, &[8, 32, 9, 9]),
        _ => same(name, shape),
    });
    assert!(kernel.unwrap_err().contains("72x72 pixels"));
    let mut archive = Archive::new();
    let (networks, network) = pytorch_generator(&state()).unwrap().unwrap();
    networks.generator.write_pytorch(&network, "main.", &mut archive).unwrap();
    archive.insert_f32("main.0.bias", &[32], &[0.0; 32]).unwrap();
    let error = pytorch_generator(&archive).unwrap_err().to_string();
    assert!(error.contains("tensor `main.0.bias` does not belong"), "{error}");
    // A linear layer after an image has the values in another order.
    let plan: Plan = "4x4x2: linear 3".parse().unwrap();
    let error = plan.read_pytorch(&archive, "").unwrap_err().to_string();
    assert!(error.contains("in another order"), "{error}");
}

#[cfg(feature = "cli")]
#[test]
fn a_generator_of_pytorch_can_be_sampled() {
    let generator = equilibria::adversarial::Generator::from_archive(&state()).unwrap();
    let (z, right) = checks();
    let found = generator.images_of(&z).unwrap();
    for (pixel, x) in found.pixels().iter().zip(&right) {
        assert!((f32::from(*pixel) - (x + 1.0) * 127.5).abs() < 0.502, "{pixel}, {x}");
    }
    assert_eq!(generator.to_pytorch().unwrap().names().count(), 16);
    assert_eq!(generator.steps(), None);
    let mut zeros = Archive::new();
    for name in generator.to_pytorch().unwrap().names() {
        let shape = state().shape(name).unwrap().to_vec();
        zeros.insert_f32(name, &shape, &vec![0.0; shape.iter().product()]).unwrap();
    }
    equilibria::adversarial::Generator::from_archive(&zeros).unwrap_err();
}
