//! Does every setting that a caller of the library gives have its range checked, NaN included, before anything changes?

use core::fmt::Debug;
use core::ops::ControlFlow;
use equilibria::adversarial::{Game, Networks, Objective, Recipe};
use equilibria::boltzmann::learning::{
    DeepLearner, Fit, Learner, NegativePhase, Rates, Sparsity, sample_preference,
};
use equilibria::boltzmann::{Dbm, MeanField, Rbm, Stop};
use equilibria::data::BinaryImages;
use equilibria::rng::Stream;
use equilibria::{Error, Tensor};

const NOT_RATES: [f64; 3] = [f64::NAN, -0.1, f64::INFINITY];

fn stream() -> Stream {
    Stream::named(1, "test")
}

fn restricted() -> Rbm<f32> {
    Rbm::new(&[0.5; 3], 2, stream()).unwrap()
}

fn deep() -> Dbm<f32> {
    Dbm::new(&[0.5; 3], &[2, 2], stream()).unwrap()
}

#[track_caller]
fn refused<T: Debug>(result: Result<T, Error>, begin: &str) {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(begin), "{text}");
    assert!(matches!(error, Error::InvalidArgument { .. } | Error::ShapeMismatch { .. }), "{error:?}");
}

#[test]
fn rates_of_an_update() {
    let mut learner = Learner::new(restricted(), NegativePhase::Contrastive, 1, 1, stream()).unwrap();
    let mut both = DeepLearner::new(deep(), 1, 1, 1, stream()).unwrap();
    for bad in NOT_RATES {
        let usual = Rates::default();
        for (rates, name) in [
            (Rates { learning_rate: bad, ..usual }, "learning rate"),
            (Rates { momentum: bad, ..usual }, "momentum"),
            (Rates { weight_decay: bad, ..usual }, "weight decay"),
        ] {
            refused(learner.update(rates, stream()), &format!("{name} {bad}: "));
            refused(both.update(rates, stream()), &format!("{name} {bad}: "));
        }
    }
    refused(Rates { momentum: 1.0, ..Rates::default() }.validate(), "momentum 1: ");
    assert!(learner.model() == restricted() && *both.model() == deep(), "a refused update changes nothing");
}

#[test]
fn settings_of_learners() {
    let new = |phase, steps, batch| Learner::new(restricted(), phase, steps, batch, stream());
    refused(new(NegativePhase::Persistent, 0, 1), "a mini-batch of 1 images and 0 Gibbs steps: ");
    refused(new(NegativePhase::Persistent, 1, 0), "a mini-batch of 0 images and 1 Gibbs steps: ");
    refused(new(NegativePhase::Tempered { temperatures: 1 }, 1, 1), "tempering with 1 temperatures: ");
    let tempered = new(NegativePhase::Tempered { temperatures: 3 }, 1, 1).unwrap();
    refused(tempered.with_input_factors([2.0, 1.0]), "input factors 2 and 1: ");
    let factor = new(NegativePhase::Persistent, 1, 1).unwrap().with_input_factors([f64::NAN, 1.0]);
    refused(factor, "input factors NaN and 1: ");
    let new = |batch, chains, sweeps| DeepLearner::new(deep(), batch, chains, sweeps, stream());
    for [batch, chains, sweeps] in [[0, 1, 1], [1, 0, 1], [1, 1, 0]] {
        refused(new(batch, chains, sweeps), "a mini-batch of ");
    }
    let sparse = |targets: &[f64], cost| {
        new(1, 1, 1).unwrap().with_sparsity(Sparsity { targets: targets.to_vec(), cost })
    };
    refused(sparse(&[0.1], 1.0), "1 targets of sparsity: ");
    refused(sparse(&[0.1, f64::NAN], 1.0), "a target of sparsity of NaN: ");
    for bad in NOT_RATES {
        refused(sparse(&[0.1, 0.2], bad), &format!("cost of sparsity {bad}: "));
    }
    for bad in [f64::NAN, 0.0, -1.0] {
        refused(new(1, 1, 1).unwrap().with_max_norm(bad), &format!("max-norm {bad}: "));
    }
}

#[test]
fn tolerances_of_inference() {
    let (model, mut posterior) = (deep(), MeanField::new(&deep(), 1));
    for bad in [f64::NAN, -1.0] {
        let stop = Stop { tolerance: bad, ..Stop::default() };
        refused(posterior.infer(&model, &[1.0; 3], stop), &format!("a tolerance of {bad}: "));
        refused(posterior.infer_from_logits(&model, &[1.0; 2], stop), &format!("a tolerance of {bad}: "));
    }
    assert!(posterior.infer(&model, &[1.0; 3], Stop { tolerance: 0.0, iterations: 3 }).is_ok());
}

#[test]
fn bits_and_fits() {
    refused(BinaryImages::from_rows(&[vec![true; 3], vec![true; 2]]), "row 1 of 2 bits: row 0 has 3");
    refused(BinaryImages::from_rows::<Vec<bool>>(&[]), "images without bits: ");
    let images = BinaryImages::from_rows(&[[true, false, true, false]]).unwrap();
    let go_on = |_: usize, _: &_| ControlFlow::Continue(());
    refused(restricted().fit(&images, &Fit::default(), go_on), "pixels of an image and visible units: ");
    let images = BinaryImages::from_rows(&[[true, false, true]]).unwrap();
    let contrastive = Fit { method: NegativePhase::Contrastive, ..Fit::default() };
    refused(
        deep().fit(&images, &contrastive, |_, _| ControlFlow::Continue(())),
        "method cd for a deep machine: ",
    );
    let mut model = restricted();
    let rate =
        Fit { learning_rate: "1e38".parse().unwrap(), momentum: "0.9".parse().unwrap(), ..Fit::default() };
    let error = model.fit(&images, &Fit { epochs: 1000, ..rate }, |_, _| ControlFlow::Continue(()));
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("diverged in epoch ") && text.contains("is no longer finite"), "{text}");
    assert!(model == restricted(), "the machine is unchanged after a divergence");
    refused(sample_preference(&model, &[1.0, 0.5, 0.0], stream()), "a unit of an image of 0.5: ");
    refused(sample_preference(&model, &[1.0, 0.0], stream()), "images: ");
}

#[test]
fn samples_of_games() {
    let [generator, critic] = Networks::points(3, 2, &[4]).start::<f64>(stream()).unwrap();
    let mut game = Game::new(generator, critic, Recipe::of(Objective::penalty())).unwrap();
    let go_on = |_: &_, _: &_| ControlFlow::Continue(());
    refused(game.fit(&Tensor::zeros(&[5, 2]), 1, 1, go_on), "samples of a game: ");
    refused(
        game.fit(&Tensor::zeros(&[0, 3]), 1, 1, |_, _| ControlFlow::Continue(())),
        "a game about 0 samples: ",
    );
    refused(
        game.fit(&Tensor::filled(&[5, 3], f64::NAN), 1, 1, |_, _| ControlFlow::Continue(())),
        "real samples of mini-batch 0",
    );
    refused(game.samples(0, stream()), "0 samples: ");
}

#[test]
fn rows_of_tensors() {
    refused(
        Tensor::from_rows(&[vec![1.0_f32, 2.0], vec![3.0]]),
        "rows of a matrix: expected shape (2), found (1)",
    );
    refused(Tensor::<f64>::from_rows::<[f64; 2]>(&[]), "a matrix of 0 rows: ");
    let a = Tensor::from_rows(&[[1.0, 2.0]]).unwrap();
    refused(a.matmul(&a), "right operand of a matrix product: ");
}
