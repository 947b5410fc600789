//! Comparison with PyTorch: `fixtures/torch-gradients.py`.

use equilibria::checkpoint::Archive;
use equilibria::nn::losses::{
    binary_cross_entropy, minimax, non_saturating, softmax_cross_entropy, wasserstein,
};
use equilibria::nn::{
    Activation, BatchNorm, Cache, Deltas, Gradients, Layer, LayerNorm, Linear, Scratch, Sequential, Wanted,
};
use equilibria::optim::{Optimiser, Rule};

use super::networks::{LEAKY, training};

/// The allowed difference between two orders of the same arithmetic, relative to the largest number or to a tenth.
const ROUNDING: f64 = 1e-12;

fn torch() -> Archive {
    let bytes = include_bytes!("../../fixtures/torch-gradients.safetensors");
    Archive::from_bytes(bytes, "torch-gradients.safetensors").unwrap()
}

/// Fails unless `found` is the tensor `name`.
#[track_caller]
fn assert_is(torch: &Archive, name: &str, found: &[f64]) {
    let expected = torch.tensor_f64(name, torch.shape(name).unwrap()).unwrap();
    assert_eq!(found.len(), expected.len(), "{name}");
    let largest = expected.iter().fold(0.1_f64, |largest, x| largest.max(x.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= ROUNDING * largest, "{name}, {i}: {found}, not {expected}");
    }
}

/// Layers by the name of their network.
type Named = (&'static str, Vec<Box<dyn Layer<f64>>>);

fn networks() -> [Named; 2] {
    let generator = vec![
        Linear::new(4, 6).into(),
        LEAKY.into(),
        Linear::new(6, 9).into(),
        BatchNorm::new(9).into(),
        LEAKY.into(),
        Linear::without_bias(9, 7).into(),
        BatchNorm::new(7).into(),
        Activation::Relu.into(),
        Linear::new(7, 5).into(),
        Activation::Tanh.into(),
    ];
    let mixed = vec![
        Linear::without_bias(5, 8).into(),
        LayerNorm::new(8).into(),
        Activation::Softplus.into(),
        Linear::new(8, 6).into(),
        Activation::Sigmoid.into(),
        LayerNorm::new(6).into(),
        Linear::new(6, 2).into(),
    ];
    [("generator", generator), ("mixed", mixed)]
}

#[test]
fn are_outputs_gradients_and_running_statistics_those_of_pytorch() {
    let torch = torch();
    for (name, layers) in networks() {
        let read = |key: &str| {
            let key = format!("{name}.{key}");
            torch.tensor_f64(&key, torch.shape(&key).unwrap()).unwrap()
        };
        let x = read("x");
        let mut model = Sequential::new(x.len() / 8, layers).unwrap();
        let mut keys = Vec::new();
        for (key, tensor) in model.state_mut() {
            assert_eq!(tensor.shape(), torch.shape(&format!("{name}.{key}")).unwrap(), "{name}.{key}");
            tensor.data_mut().copy_from_slice(read(&key));
            keys.push(key);
        }
        let (mut cache, mut deltas, mut scratch) = (Cache::new(&model), Deltas::new(&model), Scratch::new());
        let mut gradients = Gradients::new(&model);
        cache.input_mut(8).copy_from_slice(x);
        model.forward(&mut cache, training(), &mut scratch).unwrap();
        assert_is(&torch, &format!("{name}.y"), cache.output());
        let wanted = Wanted::both(&mut gradients, 0..8, 0..8);
        model.backward(&cache, read("seed"), wanted, &mut deltas, &mut scratch).unwrap();
        assert_is(&torch, &format!("{name}.x.gradient"), deltas.input(0..8));
        let (learned, kept): (Vec<_>, Vec<_>) = keys.iter().partition(|key| !key.contains("running"));
        assert_eq!(learned.len(), gradients.tensors().len());
        for (key, gradient) in learned.iter().zip(gradients.tensors()) {
            assert_is(&torch, &format!("{name}.{key}.gradient"), gradient.data());
        }
        for (key, tensor) in model.state().filter(|(key, _)| kept.contains(&key)) {
            assert_is(&torch, &format!("{name}.{key}.after"), tensor.data());
        }
        let mut inferred = vec![f64::NAN; cache.output().len()];
        model.infer(x, &mut scratch, &mut inferred).unwrap();
        assert_is(&torch, &format!("{name}.inferred"), &inferred);
    }
}

#[test]
fn are_losses_and_their_gradients_those_of_pytorch() {
    let torch = torch();
    let logits = torch.tensor_f64("logits", &[9]).unwrap();
    let mut gradient = vec![f64::NAN; 9];
    type Loss = fn(&[f64], &mut [f64]) -> f64;
    let losses: [(&str, Loss); 5] = [
        ("binary_0", |d, g| binary_cross_entropy(d, 0.0, g)),
        ("binary_0.9", |d, g| binary_cross_entropy(d, 0.9, g)),
        ("binary_1", |d, g| binary_cross_entropy(d, 1.0, g)),
        ("minimax", minimax),
        ("non_saturating", non_saturating),
    ];
    for (name, loss) in losses {
        assert_is(&torch, &format!("{name}.loss"), &[loss(logits, &mut gradient)]);
        assert_is(&torch, &format!("{name}.gradient"), &gradient);
    }
    let mean = logits.iter().sum::<f64>() / 9.0;
    assert!((wasserstein(logits, -1.0, &mut gradient) + mean).abs() < 1e-14 && gradient == [-1.0 / 9.0; 9]);
    let (scores, labels) =
        (torch.tensor_f64("scores", &[4, 5]).unwrap(), torch.tensor_u8("labels", &[4]).unwrap());
    let mut gradient = vec![f64::NAN; 20];
    let loss = softmax_cross_entropy(scores, labels, &mut gradient).unwrap();
    assert_is(&torch, "softmax.loss", &[loss]);
    assert_is(&torch, "softmax.gradient", &gradient);
}

#[test]
fn are_the_steps_of_optimisers_those_of_pytorch() {
    let torch = torch();
    let gradients = torch.tensor_f64("gradients", &[5, 3, 5]).unwrap();
    for (name, rule) in [
        ("sgd", Rule::Sgd { rate: 0.1, momentum: 0.9 }),
        ("sgd_plain", Rule::Sgd { rate: 0.1, momentum: 0.0 }),
        ("rms_prop", Rule::rms_prop(0.01)),
        ("adam", Rule::adam(0.02, [0.5, 0.9])),
    ] {
        let mut model = Sequential::new(5, vec![Linear::without_bias(5, 3).into()]).unwrap();
        let start = torch.tensor_f64("parameter", &[3, 5]).unwrap();
        model.parameters_mut().next().unwrap().data_mut().copy_from_slice(start);
        let (mut optimiser, mut of_model) = (Optimiser::new(rule, &model).unwrap(), Gradients::new(&model));
        let mut steps = Vec::new();
        for gradient in gradients.chunks(15) {
            of_model.tensors()[0].data_mut().copy_from_slice(gradient);
            optimiser.step(&mut model, &mut of_model).unwrap();
            steps.extend_from_slice(model.parameters().next().unwrap().data());
        }
        assert_is(&torch, &format!("{name}.steps"), &steps);
    }
}
