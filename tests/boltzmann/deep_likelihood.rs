//! Compares a deep machine's energy, mean-field posterior, bound and partition function with brute force over all
//! layers.

use super::{assert_near, rows};
use crate::enumeration::{log_sum_exp, units};
use equilibria::boltzmann::likelihood::deep;
use equilibria::boltzmann::{Convergence, Dbm, MeanField, Stop};
use equilibria::rng::Stream;
use equilibria::tensor::Element;
use equilibria::{Error, Tensor};

/// A machine whose weights and biases are normal numbers times `scale`.
pub fn machine<T: Element>(sizes: &[usize], scale: f64, seed: u64) -> Dbm<T> {
    let tensor = |shape: &[usize], index: usize| {
        let mut tensor = Tensor::<T>::zeros(shape);
        tensor.fill_normal(Stream::named(seed, "init").substream(index as u64), T::from_f64(scale));
        tensor
    };
    let weights = sizes.windows(2).enumerate().map(|(l, sizes)| tensor(sizes, l)).collect();
    let biases = sizes.iter().enumerate().map(|(l, &size)| tensor(&[size], 100 + l)).collect();
    Dbm::from_parameters(weights, biases).unwrap()
}

/// All energies of a machine, summed term by term. Bit i of a joint state is unit i, the visible units first.
pub struct Enumeration {
    pub sizes: Vec<usize>,
    minus_energy: Vec<f64>,
}

impl Enumeration {
    pub fn of<T: Element>(model: &Dbm<T>) -> Self {
        let sizes: Vec<usize> = model.sizes().collect();
        let wide = |tensor: &Tensor<T>| tensor.data().iter().map(|x| x.to_f64()).collect::<Vec<f64>>();
        let weights: Vec<_> = model.weights().iter().map(wide).collect();
        let biases: Vec<_> = model.biases().iter().map(wide).collect();
        let minus_energy = |state: usize| {
            let layers = layers(&sizes, state);
            let mut sum = 0.0;
            for (bias, units) in biases.iter().zip(&layers) {
                sum += bias.iter().zip(units).map(|(b, h)| b * h).sum::<f64>();
            }
            for (weight, pair) in weights.iter().zip(layers.windows(2)) {
                for (i, below) in pair[0].iter().enumerate() {
                    for (j, above) in pair[1].iter().enumerate() {
                        sum += below * weight[i * pair[1].len() + j] * above;
                    }
                }
            }
            sum
        };
        let states = 1 << sizes.iter().sum::<usize>();
        Self { minus_energy: (0..states).map(minus_energy).collect(), sizes }
    }

    pub fn log_partition(&self) -> f64 {
        log_sum_exp(self.minus_energy.iter().copied())
    }

    pub fn images(&self) -> usize {
        1 << self.sizes[0]
    }

    /// ln P(v) + ln Z.
    pub fn minus_free_energy(&self, v: usize) -> f64 {
        log_sum_exp(self.minus_energy[v..].iter().step_by(self.images()).copied())
    }
}

/// The units of each layer in a joint state.
fn layers(sizes: &[usize], state: usize) -> Vec<Vec<f64>> {
    let begin = |layer: usize| sizes[..layer].iter().sum::<usize>();
    (0..sizes.len()).map(|layer| units(state >> begin(layer), sizes[layer])).collect()
}

/// Layers and scale: two to four hidden layers, with fewer units in the odd or in the even layers.
const MACHINES: [(&[usize], f64); 7] = [
    (&[4, 3, 5], 1.0),
    (&[3, 7, 2], 0.7),
    (&[1, 1, 1], 2.0),
    (&[4, 3, 2, 4], 1.0),
    (&[2, 5, 3, 3], 0.5),
    (&[3, 2, 3, 2, 3], 1.0),
    (&[5, 3, 4], 10.0),
];

fn machines<T: Element>() -> impl Iterator<Item = (Dbm<T>, String)> {
    (200..)
        .zip(MACHINES)
        .map(|(seed, (sizes, scale))| (machine(sizes, scale, seed), format!("{sizes:?} at scale {scale}")))
}

pub fn all_images<T: Element>(visible: usize) -> Vec<T> {
    rows(0..1 << visible, visible)
}

pub const LONG: Stop = Stop { tolerance: 1e-12, iterations: 10_000 };

#[test]
fn energies_agree_with_their_definition() {
    for (model, what) in machines::<f64>() {
        let brute = Enumeration::of(&model);
        for (state, &minus_energy) in brute.minus_energy.iter().enumerate().step_by(7) {
            let layers = layers(&brute.sizes, state);
            let layers: Vec<&[f64]> = layers.iter().map(Vec::as_slice).collect();
            assert_near(&[model.energy(&layers)], &[-minus_energy], 1e-13, &format!("E of {what}"));
        }
    }
}

fn check_exact<T: Element>(tolerance: f64) {
    for (model, what) in machines::<T>() {
        let right = Enumeration::of(&model).log_partition();
        let mut states = 0;
        let found = deep::log_partition_with(&model, |done| {
            states += done;
            Ok(())
        })
        .unwrap();
        assert_near(&[found], &[right], tolerance, &format!("ln Z of {what}"));
        let units = |parity| model.sizes().skip(parity).step_by(2).sum::<usize>();
        assert_eq!(states, 1 << units(0).min(units(1)), "{what}");
    }
}

#[test]
fn the_exact_partition_function_agrees_with_brute_force() {
    check_exact::<f64>(1e-13);
    check_exact::<f32>(2e-6);
}

#[test]
fn layers_too_large_to_enumerate_give_an_error() {
    // The larger of the two may have any size.
    assert!(deep::log_partition(&machine::<f32>(&[300, 7, 200, 2], 0.1, 1)).is_ok());
    for sizes in [&[784, 500, 1000][..], &[20, 20, 6, 6]] {
        let error = deep::log_partition(&machine::<f32>(sizes, 0.01, 1)).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::InvalidArgument { .. }) && text.contains("annealed"), "{text}");
        let odd: usize = sizes.iter().skip(1).step_by(2).sum();
        assert!(text.contains(&format!("and {odd} in the odd ones")), "{text}");
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The largest difference between a mean and its mean-field equation.
fn residual(model: &Dbm<f64>, image: &[f64], means: &[&[f64]]) -> f64 {
    let layers: Vec<&[f64]> = [image].into_iter().chain(means.iter().copied()).collect();
    let mut largest = 0.0_f64;
    for l in 1..layers.len() {
        for j in 0..layers[l].len() {
            let mut x = model.biases()[l].data()[j];
            for (i, below) in layers[l - 1].iter().enumerate() {
                x += below * model.weights()[l - 1].row(i)[j];
            }
            if let Some(above) = layers.get(l + 1) {
                x += above.iter().zip(model.weights()[l].row(j)).map(|(h, w)| h * w).sum::<f64>();
            }
            largest = largest.max((layers[l][j] - sigmoid(x)).abs());
        }
    }
    largest
}

/// The means of all hidden layers for one of several images.
fn means_of<'a>(posterior: &'a MeanField<f64>, model: &Dbm<f64>, row: usize) -> Vec<&'a [f64]> {
    let units: Vec<usize> = model.sizes().skip(1).collect();
    (1..).zip(units).map(|(l, units)| &posterior.means(l)[row * units..(row + 1) * units]).collect()
}

#[test]
fn inferred_means_are_a_fixed_point() {
    for (model, what) in machines::<f64>() {
        let images = all_images::<f64>(model.visible());
        let mut posterior = MeanField::new(&model, images.len() / model.visible());
        let found = posterior.infer(&model, &images, LONG).unwrap();
        assert!(found.change < LONG.tolerance && found.iterations < LONG.iterations, "{what}: {found:?}");
        let far = posterior.infer(&model, &images, Stop { tolerance: 0.0, iterations: 1 }).unwrap();
        for (row, image) in images.chunks(model.visible()).enumerate() {
            // The error after one iteration is of the order of its change.
            let early = residual(&model, image, &means_of(&posterior, &model, row));
            assert!(early <= far.change.max(1e-12) * 20.0, "{what}: {early} after {far:?}");
        }
        posterior.infer(&model, &images, LONG).unwrap();
        for (row, image) in images.chunks(model.visible()).enumerate() {
            let left = residual(&model, image, &means_of(&posterior, &model, row));
            assert!(left < 1e-10, "{what}, image {row}: {left}");
        }
    }
}

#[test]
fn the_bound_rises_with_every_iteration_and_stays_below() {
    for (model, what) in machines::<f64>() {
        let brute = Enumeration::of(&model);
        let images = all_images::<f64>(model.visible());
        let mut last = vec![f64::NEG_INFINITY; brute.images()];
        let mut rise = 0.0;
        for most in 0..12 {
            let (bounds, found) =
                deep::lower_bounds(&model, &images, Stop { tolerance: 0.0, iterations: most }).unwrap();
            assert_eq!(found.iterations, most);
            for (v, (bound, last)) in bounds.iter().zip(&last).enumerate() {
                assert!(*bound >= last - 1e-12, "{what}, image {v}: {bound} after {last}, iteration {most}");
                let exact = brute.minus_free_energy(v);
                assert!(*bound <= exact + 1e-12, "{what}, image {v}: {bound} is above {exact}");
                rise += if most > 0 { bound - last } else { 0.0 };
            }
            last = bounds;
        }
        assert!(rise > 1e-3, "{what}: a rise of {rise} is too small for the test");
    }
}

#[test]
fn the_bound_is_close_only_if_units_are_nearly_independent() {
    let gap = |scale| {
        let model = machine::<f64>(&[4, 3, 5], scale, 210);
        let brute = Enumeration::of(&model);
        let (bounds, _) = deep::lower_bounds(&model, &all_images(4), LONG).unwrap();
        let gap = |(v, bound): (usize, &f64)| brute.minus_free_energy(v) - bound;
        bounds.iter().enumerate().map(gap).fold(0.0, f64::max)
    };
    let (near, far) = (gap(0.1), gap(2.0));
    assert!(near < 0.01 && far > 0.2, "{near}, {far}");
}

/// The machine with W_2 to W_L set to 0.
fn without_upper_weights<T: Element>(model: &Dbm<T>) -> Dbm<T> {
    let mut weights = model.weights().to_vec();
    weights[1..].iter_mut().for_each(|weight| weight.data_mut().fill(T::ZERO));
    Dbm::from_parameters(weights, model.biases().to_vec()).unwrap()
}

fn check_equality<T: Element>(tolerance: f64) {
    for (model, what) in machines::<T>() {
        let model = without_upper_weights(&model);
        let brute = Enumeration::of(&model);
        let (bounds, found) = deep::lower_bounds(
            &model,
            &all_images::<T>(model.visible()),
            Stop { tolerance: 1e-6, iterations: 9 },
        )
        .unwrap();
        assert!(found.iterations < 4, "{what}: {found:?}");
        let right: Vec<f64> = (0..brute.images()).map(|v| brute.minus_free_energy(v)).collect();
        assert_near(&bounds, &right, tolerance, &format!("bound of {what}"));
    }
}

#[test]
fn the_bound_is_exact_if_the_posterior_has_independent_units() {
    check_equality::<f64>(1e-13);
    check_equality::<f32>(2e-6);
}

#[test]
fn iterations_end_at_the_tolerance_or_the_maximum() {
    let model = machine::<f64>(&[4, 3, 2, 4], 1.0, 220);
    let images = all_images::<f64>(4);
    let mut posterior = MeanField::new(&model, 16);
    let mut infer =
        |tolerance, most| posterior.infer(&model, &images, Stop { tolerance, iterations: most }).unwrap();
    assert_eq!(infer(0.0, 0), Convergence { iterations: 0, change: f64::INFINITY });
    let mut last = f64::INFINITY;
    for most in 1..20 {
        let found = infer(0.0, most);
        assert!(found.iterations == most && found.change < last, "{found:?} after {last}");
        // The first iteration whose change is below the tolerance is the last one.
        let stopped = infer(found.change * 1.001, 100);
        assert_eq!(stopped, found);
        assert_eq!(infer(found.change * 0.999, 100).iterations, most + 1);
        last = found.change;
    }
    assert_eq!(infer(1e-300, 7).iterations, 7);
}

#[test]
fn an_image_converges_independently_of_the_others() {
    // Some images converge in a few iterations, others in dozens.
    let model = machine::<f64>(&[4, 3, 2, 4], 2.0, 225);
    let images = all_images::<f64>(4);
    let stop = Stop { tolerance: 1e-7, iterations: 200 };
    let (mut together, mut alone) = (MeanField::new(&model, 16), MeanField::new(&model, 1));
    let found = together.infer(&model, &images, stop).unwrap();
    let mut counts = Vec::new();
    let mut largest = 0.0_f64;
    for (row, image) in images.chunks(4).enumerate() {
        let own = alone.infer(&model, image, stop).unwrap();
        assert_eq!(means_of(&together, &model, row), means_of(&alone, &model, 0), "image {row}");
        counts.push(own.iterations);
        largest = largest.max(own.change);
    }
    assert_eq!(found, Convergence { iterations: *counts.iter().max().unwrap(), change: largest });
    assert!(counts.iter().min().unwrap() * 2 < found.iterations && found.iterations < 200, "{counts:?}");
}

/// Layers so large that products are split into blocks and over threads, in f32.
#[test]
fn an_image_converges_independently_of_the_others_in_large_layers() {
    const ROWS: usize = 130;
    let model = machine::<f32>(&[300, 540, 610], 0.12, 226);
    // The number of active pixels grows from image to image, so that some images converge more slowly.
    let is_on = |i: usize| (i * i % 97) * ROWS < 97 * (i / 300);
    let images: Vec<f32> = (0..ROWS * 300).map(|i| f32::from(u8::from(is_on(i)))).collect();
    let stop = Stop { tolerance: 1e-4, iterations: 100 };
    let mut together = MeanField::new(&model, ROWS);
    let found = together.infer(&model, &images, stop).unwrap();
    let mut alone = MeanField::new(&model, 1);
    let mut counts = Vec::new();
    for (row, image) in images.chunks(300).enumerate() {
        counts.push(alone.infer(&model, image, stop).unwrap().iterations);
        for (layer, units) in [(1, 540), (2, 610)] {
            let own = &together.means(layer)[row * units..(row + 1) * units];
            assert!(own == alone.means(layer), "image {row}, layer {layer}");
        }
    }
    assert_eq!(found.iterations, *counts.iter().max().unwrap());
    assert!(counts.iter().min().unwrap() < &found.iterations, "{counts:?}");
}

#[test]
fn inference_accepts_logits_and_smaller_batches() {
    let model = machine::<f64>(&[6, 3, 5], 1.0, 230);
    let stop = Stop { tolerance: 0.0, iterations: 5 };
    let images = all_images::<f64>(6);
    let mut posterior = MeanField::new(&model, 64);
    posterior.infer(&model, &images, stop).unwrap();
    let all = [posterior.means(1).to_vec(), posterior.means(2).to_vec()];
    let (few, width) = (&images[..6 * 7], 3);
    posterior.infer(&model, few, stop).unwrap();
    assert_eq!(posterior.rows(), 7);
    assert_near(posterior.means(1), &all[0][..7 * 3], 1e-14, "mu_1 of a few");
    assert_near(posterior.means(2), &all[1][..7 * 5], 1e-14, "mu_2 of a few");
    let mut logits = Tensor::<f64>::zeros(&[64, width]);
    for (image, logits) in images.chunks(6).zip(logits.data_mut().chunks_mut(width)) {
        for (j, x) in logits.iter_mut().enumerate() {
            let sum: f64 = image.iter().enumerate().map(|(i, v)| v * model.weights()[0].row(i)[j]).sum();
            *x = sum + model.biases()[1].data()[j];
        }
    }
    posterior.infer_from_logits(&model, logits.data(), stop).unwrap();
    assert_near(posterior.means(1), &all[0], 1e-14, "mu_1 from logits");
    assert_near(posterior.means(2), &all[1], 1e-14, "mu_2 from logits");
}

#[cfg(feature = "parallel")]
#[test]
fn means_and_bounds_are_bit_identical_for_every_number_of_threads() {
    let model = machine::<f32>(&[300, 140, 210, 90], 0.1, 240);
    let images: Vec<f32> = (0..130 * 300).map(|i| f32::from(u8::from(i * i % 7 < 2))).collect();
    let stop = Stop { tolerance: 1e-4, iterations: 30 };
    super::likelihood::assert_independent_of_threads(|| {
        let mut posterior = MeanField::new(&model, 130);
        let found = posterior.infer(&model, &images, stop).unwrap();
        assert!(found.iterations > 2, "{found:?}");
        let bounds = deep::lower_bounds_at(&model, &images, &posterior);
        (posterior.means(1).to_vec(), posterior.means(3).to_vec(), bounds)
    });
}

#[test]
fn images_of_the_wrong_size_panic() {
    let model = machine::<f64>(&[4, 3, 2], 1.0, 250);
    let stop = Stop { tolerance: 0.0, iterations: 1 };
    let words = |work: &dyn Fn(&mut MeanField<f64>)| {
        let mut posterior = MeanField::new(&model, 2);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&mut posterior)));
        *caught.unwrap_err().downcast::<String>().unwrap()
    };
    let partial = words(&|posterior| _ = posterior.infer(&model, &[0.0; 7], stop));
    assert!(partial.contains("7 units in rows of 4"), "{partial}");
    let many = words(&|posterior| _ = posterior.infer(&model, &[0.0; 12], stop));
    assert!(many.contains("3 images do not fit into buffers for 2"), "{many}");
    let layer = words(&|posterior| drop(posterior.means(3).to_vec()));
    assert!(layer.contains("layer 3 of 2"), "{layer}");
    let other = machine::<f64>(&[4, 3, 2, 2], 1.0, 251);
    let deeper = words(&|posterior| _ = posterior.infer(&other, &[0.0; 4], stop));
    assert!(deeper.contains("3 hidden layers do not match buffers for 2"), "{deeper}");
    let unmatched = words(&|posterior| drop(deep::lower_bounds_at(&model, &[0.0; 4], posterior)));
    assert!(unmatched.contains("means of 0 images"), "{unmatched}");
}
