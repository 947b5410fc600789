//! The data of the page's live panels, small enough for a page: a machine in 4 bits a weight, some images, some curves.

use crate::Result;
use crate::boltzmann::Rbm;
use crate::data::{Binarisation, Dataset, Images, balanced};
use crate::experiments::divergences::Study;
use crate::nn::{Scratch, Sequential};
use crate::report::base64::encode as base64;
use crate::rng::Stream;
use crate::tensor::{Tensor, Workspace};
use serde_json::{Value, json};

/// Digits to choose from.
const DIGITS: usize = 10;
/// Hidden units whose probabilities the test of the page compares.
const CHECKED: usize = 8;
/// Pixels that are on in a smaller share of the training images are left out: they stay off.
const RARE: f32 = 0.002;
/// The largest code of a weight, and the offset of its sign.
const LARGEST: f32 = 7.0;

/// A machine and test images, so that the reader can remove pixels and watch the machine fill them in.
///
/// A weight w of a unit with the largest magnitude s is stored as the number k from -7 to 7 for which k |k| / 49 s is nearest
/// in the square root: weights near 0 get finer steps.
pub(super) fn restore(model: &Rbm<f32>, digits: &Dataset) -> Result<Value> {
    let images = digits.test.images();
    let mean = Binarisation::Threshold.mean(digits.train.images());
    let pixels: Vec<usize> = (0..model.visible()).filter(|&i| mean[i] >= RARE).collect();
    let (codes, scales) = quantise(model, &pixels);
    let weights: Vec<u8> =
        codes.chunks(2).map(|pair| pair.iter().rev().fold(0, |byte, code| byte << 4 | code)).collect();
    let visible_bias: Vec<f32> = pixels.iter().map(|&i| model.visible_bias().data()[i]).collect();
    let chosen = balanced(digits.test.labels(), DIGITS.min(images.len()));
    let small = dequantised(model, &pixels, &codes, &scales)?;
    let first: Vec<f32> =
        chosen.first().map_or(Vec::new(), |&i| images.image(i).iter().map(|&x| f32::from(x > 127)).collect());
    let mut hidden = vec![0.0; small.hidden() * usize::from(!first.is_empty())];
    small.hidden_probabilities(&first, &mut hidden, &mut Workspace::new());
    hidden.truncate(CHECKED);
    Ok(json!({
        "height": images.height(),
        "width": images.width(),
        "hidden": model.hidden(),
        "pixels": pixels,
        "weights": base64(&weights),
        "scales": floats(&scales),
        "visible_bias": floats(&visible_bias),
        "hidden_bias": floats(model.hidden_bias().data()),
        "mean": mean.iter().map(|mean| (1000.0 * mean).round() / 1000.0).collect::<Vec<f32>>(),
        "images": chosen.iter().map(|&i| base64(images.image(i))).collect::<Vec<_>>(),
        "check": hidden,
    }))
}

/// The codes of the weights to `pixels` (hidden, pixels), and the largest magnitude of each hidden unit.
fn quantise(model: &Rbm<f32>, pixels: &[usize]) -> (Vec<u8>, Vec<f32>) {
    let hidden = model.hidden();
    let weight = |j: usize, i: usize| model.weight().data()[i * hidden + j];
    let scale = |j: usize| pixels.iter().fold(f32::MIN_POSITIVE, |most, &i| most.max(weight(j, i).abs()));
    let scales: Vec<f32> = (0..hidden).map(scale).collect();
    let code = |j: usize, i: usize| {
        let share = weight(j, i) / scales[j];
        (LARGEST + (LARGEST * share.abs().sqrt()).round().copysign(share)) as u8
    };
    let codes = (0..hidden).flat_map(|j| pixels.iter().map(move |&i| code(j, i))).collect();
    (codes, scales)
}

/// The machine whose weights the codes stand for; pixels that were left out have no weights, and stay off.
fn dequantised(model: &Rbm<f32>, pixels: &[usize], codes: &[u8], scales: &[f32]) -> Result<Rbm<f32>> {
    let mut weight = Tensor::zeros(&[model.visible(), model.hidden()]);
    for (j, codes) in codes.chunks(pixels.len().max(1)).enumerate() {
        for (&i, &code) in pixels.iter().zip(codes) {
            let code = f32::from(code) - LARGEST;
            weight.row_mut(i)[j] = code * code.abs() / (LARGEST * LARGEST) * scales[j];
        }
    }
    Rbm::from_parameters(weight, model.visible_bias().clone(), model.hidden_bias().clone())
}

/// Images to tell apart, real and generated in a random order, with the discriminator's probability that each is real.
///
/// **Shapes** Equal numbers of `real` and `generated` images; `discriminator` has one output, a logit.
pub(super) fn judge(real: &Images, generated: &Images, discriminator: &Sequential<f32>) -> Result<Value> {
    let count = real.len() + generated.len();
    let mut order = vec![0; count];
    Stream::named(1, "panel").permutation(&mut order);
    let of = |i: usize| if i < real.len() { real.image(i) } else { generated.image(i - real.len()) };
    let scaled: Vec<f32> = order.iter().flat_map(|&i| of(i)).map(|&x| f32::from(x) / 127.5 - 1.0).collect();
    let mut logits = vec![0.0; count];
    discriminator.infer(&scaled, &mut Scratch::new(), &mut logits)?;
    let probability = |logit: &f32| (1000.0 / (1.0 + (-logit).exp())).round() / 1000.0;
    Ok(json!({
        "height": real.height(),
        "width": real.width(),
        "images": order.iter().map(|&i| base64(of(i))).collect::<Vec<_>>(),
        "real": order.iter().map(|&i| i < real.len()).collect::<Vec<_>>(),
        "probability": logits.iter().map(probability).collect::<Vec<f32>>(),
    }))
}

/// The divergences of figure 7 and their gradients for each shift.
pub(super) fn shift(study: &Study) -> Value {
    let divergences = study.divergences.iter().map(|studied| {
        let [values, gradients]: [Vec<f64>; 2] = [
            studied.curve.iter().map(|there| there.value).collect(),
            studied.curve.iter().map(|there| there.gradient).collect(),
        ];
        json!({ "name": studied.divergence.to_string(), "values": values, "gradients": gradients })
    });
    json!({ "shifts": study.shifts, "divergences": divergences.collect::<Vec<_>>() })
}

fn floats(values: &[f32]) -> String {
    base64(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::pretrained;

    #[test]
    fn four_bits_a_weight_change_the_probabilities_of_hidden_units_little() {
        let digits = Dataset::synthetic(200, 50).unwrap();
        let (model, _) = pretrained::restricted().unwrap();
        let mean = Binarisation::Threshold.mean(digits.train.images());
        let pixels: Vec<usize> = (0..model.visible()).filter(|&i| mean[i] >= RARE).collect();
        let (codes, scales) = quantise(&model, &pixels);
        let small = dequantised(&model, &pixels, &codes, &scales).unwrap();
        let images: Vec<f32> = digits.test.images().pixels().iter().map(|&x| f32::from(x > 127)).collect();
        let probabilities = |model: &Rbm<f32>| {
            let mut out = vec![0.0; digits.test.len() * model.hidden()];
            model.hidden_probabilities(&images, &mut out, &mut Workspace::new());
            out
        };
        let (exact, found) = (probabilities(&model), probabilities(&small));
        let error: f32 =
            exact.iter().zip(&found).map(|(a, b)| (a - b).abs()).sum::<f32>() / exact.len() as f32;
        assert!(error < 0.03, "mean difference {error}");
    }
}
