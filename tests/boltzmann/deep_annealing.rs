//! Compares annealed estimates of deep machines with brute force, by their own error bars.

use super::rows;
use crate::deep_likelihood::{Enumeration, LONG, all_images, machine};
use crate::likelihood::{Progress, annealed_model, are_standard};
use equilibria::boltzmann::likelihood::annealed::{Forward, Schedule};
use equilibria::boltzmann::likelihood::deep::{self, Annealing, Reverse};
use equilibria::boltzmann::{Dbm, MeanField, Stop};
use equilibria::rng::Stream;
use equilibria::tensor::Element;
use equilibria::{Error, Result};

/// P(v) for every v.
fn marginal(brute: &Enumeration) -> Vec<f64> {
    let log_partition = brute.log_partition();
    (0..brute.images()).map(|v| (brute.minus_free_energy(v) - log_partition).exp()).collect()
}

/// Images of the machine, with frequencies equal to their probabilities.
fn drawn<T: Element>(brute: &Enumeration, count: usize) -> Vec<T> {
    let marginal = marginal(brute);
    let (mut states, mut sum) = (Vec::new(), 0.0);
    for (v, p) in marginal.iter().enumerate() {
        sum += p;
        while states.len() < count && (states.len() as f64 + 0.5) / (count as f64) < sum {
            states.push(v);
        }
    }
    rows(states.into_iter(), brute.sizes[0])
}

fn annealing<'a, T: Element>(model: &'a Dbm<T>, images: &[T], steps: usize) -> Annealing<'a, T> {
    Annealing::new(model, images, LONG, &Schedule::even(steps).unwrap()).unwrap()
}

/// Deviations of the estimates of several seeds from `log_partition`, each in units of its own standard error.
fn deviations<T: Element>(annealing: &Annealing<'_, T>, log_partition: f64) -> Vec<f64> {
    let deviation = |seed| {
        let found = forward(annealing, seed);
        assert!((1.0..=150.0 + 1e-9).contains(&found.effective_samples), "{found:?}");
        assert!(found.interval[0] < found.log_partition && found.log_partition < found.interval[1]);
        (found.log_partition - log_partition) / found.standard_error
    };
    (0..12).map(deviation).collect()
}

fn forward<T: Element>(annealing: &Annealing<'_, T>, seed: u64) -> Forward {
    annealing.forward(150, Stream::named(seed, "chain"), |_| Ok(())).unwrap()
}

/// The same machine with one bias of its first hidden layer changed by `by`.
fn perturbed<T: Element>(model: &Dbm<T>, by: f64) -> Dbm<T> {
    let mut biases = model.biases().to_vec();
    biases[1].data_mut()[0] += T::from_f64(by);
    Dbm::from_parameters(model.weights().to_vec(), biases).unwrap()
}

fn check_forward<T: Element>() {
    let machines: [(&[usize], f64, usize); 4] =
        [(&[4, 3, 3], 1.0, 30), (&[3, 5, 2], 0.7, 10), (&[3, 2, 3, 2], 0.7, 10), (&[2, 3, 2, 2, 2], 0.3, 1)];
    for (seed, (sizes, scale, steps)) in (300..).zip(machines) {
        let model = machine::<T>(sizes, scale, seed);
        let brute = Enumeration::of(&model);
        let annealing = annealing(&model, &drawn(&brute, 200), steps);
        let what = format!("{sizes:?}, {steps} steps");
        let found = deviations(&annealing, brute.log_partition());
        assert!(are_standard(&found), "{what}: {found:?}");
        // Another machine, whose ln Z differs by a few standard errors, is detected.
        let error = forward(&annealing, 0).standard_error;
        let other = Enumeration::of(&perturbed(&model, 8.0 * error)).log_partition();
        assert!(
            (other - brute.log_partition()).abs() < 8.0 * error,
            "{what}: the other machine is too different for a meaningful test"
        );
        let found = deviations(&annealing, other);
        assert!(!are_standard(&found), "{what}: another machine is not detected: {found:?}");
    }
}

#[test]
fn forward_estimates_agree_with_enumeration_within_their_error_bars() {
    check_forward::<f64>();
    check_forward::<f32>();
}

#[test]
fn the_error_vanishes_with_many_steps() {
    for (seed, sizes) in (310..).zip([&[5, 4, 5][..], &[4, 3, 3, 4]]) {
        let model = machine::<f32>(sizes, 1.0, seed);
        let brute = Enumeration::of(&model);
        let found = forward(&annealing(&model, &drawn(&brute, 100), 4000), 1);
        assert!(found.standard_error < 0.01 && found.effective_samples > 140.0, "{sizes:?}: {found:?}");
        let off = found.log_partition - brute.log_partition();
        assert!(off.abs() < 4.0 * found.standard_error, "{sizes:?}: {found:?}, off by {off}");
    }
}

#[test]
fn estimates_are_right_for_several_panels_and_batches() {
    for (seed, sizes) in (320..).zip([&[90, 12, 70][..], &[8, 150, 2], &[70, 6, 70, 6]]) {
        let model = machine::<f32>(sizes, 0.3, seed);
        let right = deep::log_partition(&model).unwrap();
        let images = vec![1.0; sizes[0]].into_iter().chain(vec![0.0; sizes[0]]).collect::<Vec<f32>>();
        let annealing = annealing(&model, &images, 400);
        let stream = Stream::named(seed, "chain");
        let found = annealing.forward(300, stream, |_| Ok(())).unwrap();
        let (error, off) = (found.standard_error, found.log_partition - right);
        assert!(error < 0.03 && off.abs() < 4.0 * error, "{sizes:?}: off by {off}, {found:?}");
        let found = annealing.reverse_log_partition(&images.repeat(150), 300, stream, |_| Ok(()));
        let (implied, error) = found.unwrap();
        let off = implied - right;
        assert!(error < 0.03 && (-4.0 * error..0.1).contains(&off), "{sizes:?}: off by {off} +- {error}");
    }
}

/// The estimates for every image, `copies` times each.
fn reverse(annealing: &Annealing<'_, f64>, visible: usize, copies: usize, chains: usize) -> Reverse {
    let images = all_images::<f64>(visible);
    let images: Vec<f64> = images.chunks(visible).flat_map(|v| v.repeat(copies)).collect();
    annealing.reverse(&images, chains, Stream::named(chains as u64, "evaluate"), |_| Ok(())).unwrap()
}

/// The mean over images drawn from the machine of estimate - truth, and its standard error over `copies`.
fn excess(probabilities: &[f64], truth: &[f64], estimates: &[f64], copies: usize) -> (f64, f64) {
    let (mut mean, mut variance) = (0.0, 0.0);
    for ((p, truth), estimates) in probabilities.iter().zip(truth).zip(estimates.chunks(copies)) {
        let count = copies as f64;
        let centre = estimates.iter().sum::<f64>() / count;
        let spread = estimates.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / (count - 1.0);
        mean += p * (centre - truth);
        variance += p * p * spread / count;
    }
    (mean, variance.sqrt())
}

#[test]
fn reverse_estimates_are_too_low_and_converge_with_more_steps_and_chains() {
    for (seed, sizes) in (330..).zip([&[5, 4, 3][..], &[4, 3, 4, 2]]) {
        let model = machine::<f64>(sizes, 1.2, seed);
        let brute = Enumeration::of(&model);
        let p = marginal(&brute);
        let right: Vec<f64> = p.iter().map(|p| p.ln()).collect();
        let images = drawn(&brute, 200);
        let mut last = f64::NEG_INFINITY;
        for steps in [1, 8, 64] {
            let annealing = annealing(&model, &images, steps);
            let estimate = |copies, chains| {
                let found = reverse(&annealing, sizes[0], copies, chains);
                excess(&p, &right, &found.log_likelihoods, copies)
            };
            let (one, error) = estimate(1000, 1);
            let (eight, eights_error) = estimate(500, 8);
            assert!(one < -3.0 * error && one < eight, "{sizes:?}: {one} +- {error}, then {eight}");
            assert!(eight < 3.0 * eights_error, "{sizes:?}: {eight} +- {eights_error} is not below");
            assert!(eight > last, "{sizes:?}: {eight} in {steps} steps, {last} in fewer");
            last = eight;
        }
        let found = reverse(&annealing(&model, &images, 200), sizes[0], 4, 800);
        let (mean, error) = excess(&p, &right, &found.log_likelihoods, 4);
        assert!(mean.abs() < 0.02 + 4.0 * error && error < 0.02, "{sizes:?}: {mean} +- {error}");
        // The bounds need no annealing, and imply the same ln Z.
        let truth: Vec<f64> = (0..p.len()).map(|v| brute.minus_free_energy(v)).collect();
        let (mean, error) = excess(&p, &truth, &found.lower_bounds, 4);
        assert!(mean.abs() < 0.02 + 4.0 * error && error < 0.02, "bounds of {sizes:?}: {mean} +- {error}");
        let off = found.log_partition().0 - brute.log_partition();
        assert!(off.abs() < 0.02, "{sizes:?}: implied ln Z off by {off}");
    }
}

#[test]
fn many_chains_per_image_give_the_annealed_model() {
    let model = machine::<f64>(&[3, 3, 2], 1.0, 340);
    let images = all_images::<f64>(3);
    let mut posterior = MeanField::new(&model, 8);
    posterior.infer(&model, &images, LONG).unwrap();
    let mean_of = |units: &[f64], width| {
        let mean = |j| units.iter().skip(j).step_by(width).sum::<f64>() / 8.0;
        (0..width).map(mean).collect::<Vec<f64>>()
    };
    let mean = [mean_of(&images, 3), mean_of(posterior.means(2), 2)].concat();
    let mean: Vec<f32> = mean.into_iter().map(|m| m as f32).collect();
    let exact = marginal(&Enumeration::of(&model));
    for steps in [1, 2, 5] {
        let joint = annealed_model(&deep::sides(&model).unwrap(), &mean, steps);
        let expected: Vec<f64> = (0..8).map(|v| joint[v..].iter().step_by(8).sum()).collect();
        let found = reverse(&annealing(&model, &images, steps), 3, 1, 40_000);
        let largest_distance = |exact: &[f64]| {
            let off = |(x, p): (&f64, &f64)| (x - p.ln()).abs();
            found.log_likelihoods.iter().zip(exact).map(off).fold(0.0, f64::max)
        };
        let (near, other) = (largest_distance(&expected), largest_distance(&exact));
        assert!(near < 0.03, "{near} nats from the annealed model of {steps} steps");
        assert!(other > 2.0 * near, "p itself is as near: {other} nats in {steps} steps");
    }
}

#[test]
fn forward_and_reverse_estimates_bracket_the_exact_partition_function() {
    let model = machine::<f64>(&[5, 4, 4], 1.5, 350);
    let brute = Enumeration::of(&model);
    let right = brute.log_partition();
    let images = drawn::<f64>(&brute, 3000);
    let off = |steps, gibbs_steps, images: &[f64]| {
        let annealing = annealing(&model, images, steps);
        let stream = Stream::named(1, "evaluate");
        let (implied, error) =
            annealing.reverse_log_partition(images, gibbs_steps, stream, |_| Ok(())).unwrap();
        (implied - right, error)
    };
    let mut last = f64::INFINITY;
    for steps in [1, 3, 10] {
        let (above, error) = off(steps, 100, &images);
        assert!(above > 4.0 * error && above < last, "{above} +- {error} in {steps} steps, {last} in fewer");
        last = above;
    }
    let (above, error) = off(500, 100, &images);
    assert!(above.abs() < 4.0 * error + 0.01 && error < 0.01, "{above} +- {error} in 500 steps");
    let found = forward(&annealing(&model, &images, 500), 1);
    assert!(found.interval[0] < right && right < found.interval[1], "{found:?}, not {right}");
    // Gibbs steps turn any states into states of the machine: starting from an improbable image, the implied ln Z is
    // the same.
    let rare = (0..32).min_by(|&a, &b| brute.minus_free_energy(a).total_cmp(&brute.minus_free_energy(b)));
    let rare = rows::<f64>(std::iter::repeat_n(rare.unwrap(), 3000), 5);
    let annealing = annealing(&model, &images, 3);
    let implied = |images: &[f64], gibbs_steps, seed| {
        let stream = Stream::named(seed, "evaluate");
        annealing.reverse_log_partition(images, gibbs_steps, stream, |_| Ok(())).unwrap()
    };
    let (usual, error) = implied(&images, 100, 2);
    let off = |(found, its_error): (f64, f64)| (found - usual).abs() / (error + its_error);
    let (at_once, later) = (off(implied(&rare, 0, 3)), off(implied(&rare, 100, 3)));
    assert!(at_once > 4.0 && later < 3.0, "{at_once} errors from {usual} at once, {later} later");
}

#[cfg(feature = "parallel")]
#[test]
fn estimates_are_bit_identical_for_every_number_of_threads() {
    let model = machine::<f32>(&[200, 140, 90], 0.1, 360);
    let images: Vec<f32> = (0..200 * 40).map(|i| f32::from(u8::from(i * i % 7 < 2))).collect();
    let stream = Stream::named(1, "chain");
    super::likelihood::assert_independent_of_threads(|| {
        let schedule = Schedule::even(10).unwrap();
        let annealing =
            Annealing::new(&model, &images, Stop { tolerance: 1e-3, iterations: 20 }, &schedule).unwrap();
        (
            annealing.forward(131, stream, |_| Ok(())).unwrap(),
            annealing.reverse(&images, 3, stream, |_| Ok(())).unwrap(),
            annealing.reverse_log_partition(&images, 5, stream, |_| Ok(())).unwrap(),
        )
    });
}

#[test]
fn an_images_chains_depend_on_their_stream_alone() {
    let model = machine::<f64>(&[6, 5, 4], 0.5, 361);
    let annealing = annealing(&model, &all_images(6), 7);
    let run =
        |images: &[f64], stream| annealing.reverse(images, 700, stream, |_| Ok(())).unwrap().log_likelihoods;
    let (images, stream) = (all_images::<f64>(6), Stream::named(2, "evaluate"));
    // One image per block; the last estimate does not depend on the number of images.
    let three = run(&images[..18], stream);
    assert_eq!(run(&images[..12], stream), three[..2]);
    assert_ne!(run(&images[..12], Stream::named(3, "evaluate")), three[..2]);
    let twice = run(&images[..6].repeat(2), stream);
    assert!(twice[0] == three[0] && twice[1] != three[0], "{twice:?}");
}

#[test]
fn progress_counts_every_step_and_its_error_ends_an_estimate() {
    let model = machine::<f64>(&[5, 3, 2], 1.0, 362);
    let annealing = annealing(&model, &all_images(5), 11);
    let stream = Stream::named(0, "chain");
    let images = [1.0; 5 * 70];
    let check = |expected: u64, estimate: &dyn Fn(Progress<'_>) -> Result<()>| {
        let mut count = 0;
        estimate(&mut |done| {
            count += done;
            Ok(())
        })
        .unwrap();
        assert_eq!(count, expected);
        let stop = || Error::Interrupted { resume: "by the fourth call".into() };
        let mut calls = 0;
        let outcome = estimate(&mut |_| {
            calls += 1;
            if calls < 4 { Ok(()) } else { Err(stop()) }
        });
        assert_eq!((calls, outcome.unwrap_err().to_string()), (4, stop().to_string()));
    };
    check(300 * 11, &|progress| annealing.forward(300, stream, progress).map(drop));
    check(70 * 40 * 11, &|progress| annealing.reverse(&images, 40, stream, progress).map(drop));
    check(70 * 11, &|progress| annealing.reverse_log_partition(&images, 3, stream, progress).map(drop));
}

#[test]
fn invalid_annealing_arguments_give_errors() {
    let model = machine::<f64>(&[5, 3, 2], 1.0, 363);
    let (schedule, stream) = (Schedule::even(3).unwrap(), Stream::named(0, "chain"));
    let words = |images: &[f64]| Annealing::new(&model, images, LONG, &schedule).unwrap_err().to_string();
    assert!(words(&[0.5; 4]).contains("images to anneal from"), "{}", words(&[0.5; 4]));
    assert!(words(&[]).contains("at least 1"), "{}", words(&[]));
    for bad in [-0.1, 1.1, f64::NAN] {
        assert!(words(&[0.5, 0.5, bad, 0.5, 0.5]).contains("a number from 0 to 1 is needed"));
    }
    // The base rates may be 0 or 1, and the images of the base-rate model may be grey.
    for image in [[0.0, 1.0, 0.0, 1.0, 0.0], [0.5; 5]] {
        let annealing = annealing(&model, &image, 3);
        assert!(annealing.forward(2, stream, |_| Ok(())).unwrap().log_partition.is_finite());
        for chains in [0, 1] {
            let error = annealing.forward(chains, stream, |_| Ok(())).unwrap_err().to_string();
            assert!(error.contains("at least 2"), "{error}");
        }
        let reverse = |images: &[f64], chains| {
            annealing.reverse(images, chains, stream, |_| Ok(())).unwrap_err().to_string()
        };
        assert!(reverse(&[0.0; 7], 1).contains("images to anneal from"));
        assert!(reverse(&[], 1).contains("at least 1 image") && reverse(&[0.0; 5], 0).contains("1 chain"));
        assert!(reverse(&[1.0, 0.0, 0.5, 1.0, 0.0], 1).contains("0 or 1 is needed"));
        let implied = |images: &[f64]| {
            annealing.reverse_log_partition(images, 1, stream, |_| Ok(())).unwrap_err().to_string()
        };
        assert!(implied(&[0.0; 7]).contains("images to anneal from"));
        assert!(implied(&[]).contains("at least 1"));
        assert!(implied(&[1.0, 0.0, 0.5, 1.0, 0.0]).contains("0 or 1 is needed"));
    }
}
