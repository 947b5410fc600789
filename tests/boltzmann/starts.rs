//! Do chains start where they should, and are negative phases and schedules of annealing read as they are written?

use equilibria::Tensor;
use equilibria::boltzmann::learning::NegativePhase;
use equilibria::boltzmann::likelihood::annealed::Schedule;
use equilibria::boltzmann::{Dbm, DbmChains, GibbsChains, ImageChains, Rbm, Stop, coin_flips};
use equilibria::rng::Stream;

#[test]
fn coin_flips_of_a_chain_do_not_depend_on_the_number_of_chains() {
    let stream = Stream::named(3, "init");
    let (few, many) = (coin_flips(2, 1000, stream), coin_flips(5, 1000, stream));
    assert_eq!(few, many[..2000]);
    let ones = many.iter().sum::<f32>();
    assert!((2300.0..2700.0).contains(&ones), "{ones} of 5000");
    assert!(many.iter().all(|&state| state == 0.0 || state == 1.0));
}

/// A machine of 4-3-5 units without weights, with biases that fix the states of the second hidden layer to 1.
fn fixed_top() -> Dbm<f32> {
    let weights = vec![Tensor::zeros(&[4, 3]), Tensor::zeros(&[3, 5])];
    let biases = [0.0, 0.0, 50.0].into_iter().zip([4, 3, 5]);
    let biases = biases.map(|(bias, units)| Tensor::from_vec(&[units], vec![bias; units]).unwrap());
    Dbm::from_parameters(weights, biases.collect()).unwrap()
}

#[test]
fn chains_start_at_their_images_and_deep_ones_at_the_states_of_inference() {
    let (model, stream) = (fixed_top(), Stream::named(1, "evaluate"));
    let images = [1.0, 0.0, 0.0, 1.0].repeat(50);
    let stop = Stop { tolerance: 1e-4, iterations: 10 };
    let inferred = DbmChains::at(&model, &images, Some(stop), stream).unwrap();
    let noise = DbmChains::at(&model, &images, None, stream).unwrap();
    assert_eq!((inferred.visible_states(), noise.visible_states()), (images.clone(), images.clone()));
    assert!(inferred.states(2).iter().all(|&state| state == 1.0));
    let ones = noise.states(2).iter().sum::<f32>();
    assert!((90.0..160.0).contains(&ones), "{ones} of 250");
    let flat =
        Rbm::from_parameters(Tensor::zeros(&[4, 2]), Tensor::zeros(&[4]), Tensor::zeros(&[2])).unwrap();
    assert_eq!(GibbsChains::at(&flat, &images, stream).unwrap().visible_states(), images);
    assert!(GibbsChains::at(&flat, &[0.5; 4], stream).is_err());
}

#[test]
fn a_written_negative_phase_is_read_back() {
    for phase in [
        NegativePhase::Contrastive,
        NegativePhase::Persistent,
        NegativePhase::Tempered { temperatures: 2 },
        NegativePhase::Tempered { temperatures: 37 },
    ] {
        assert_eq!(phase.to_string().parse(), Ok(phase));
    }
    assert_eq!("tempering".parse(), Ok(NegativePhase::Tempered { temperatures: 10 }));
    for bad in ["", "C D", "tempering:", "tempering:1", "tempering:1001", "tempering:x", "tempering10"] {
        let error = bad.parse::<NegativePhase>().unwrap_err().to_string();
        assert!(error.contains("tempering:N"), "{bad}: {error}");
    }
}

#[test]
fn the_default_is_that_of_the_paper() {
    let schedule = Schedule::default();
    let all = schedule.inverse_temperatures();
    assert_eq!((all.len(), all[500], all[4500], all[14_500]), (14_501, 0.5, 0.9, 1.0));
    let close = |i: usize, step: f64| assert!((all[i + 1] - all[i] - step).abs() < 1e-12);
    [(0, 1e-3), (499, 1e-3), (500, 1e-4), (4499, 1e-4), (4500, 1e-5), (14_499, 1e-5)]
        .into_iter()
        .for_each(|(i, step)| close(i, step));
    assert_eq!("0.5/0.001,0.9/0.0001,1/0.00001".parse(), Ok(schedule));
}

#[test]
fn schedules_that_do_not_rise_from_0_to_1_give_errors() {
    for bad in [
        vec![],
        vec![0.0],
        vec![1.0],
        vec![0.0, 0.5],
        vec![0.1, 1.0],
        vec![0.0, 0.5, 0.5, 1.0],
        vec![0.0, 0.6, 0.5, 1.0],
        vec![0.0, f64::NAN, 1.0],
        vec![0.0, 2.0, 1.0],
        vec![1.0, 0.0],
    ] {
        let error = Schedule::new(bad.clone()).unwrap_err().to_string();
        assert!(error.contains("rise from 0 to 1"), "{bad:?}: {error}");
    }
    assert!(Schedule::even(0).is_err());
    assert_eq!(Schedule::even(2), Schedule::new(vec![0.0, 0.5, 1.0]));
}

#[test]
fn parsing_schedules_that_do_not_rise_from_0_to_1_gives_errors() {
    let short =
        ["", "1", "1/", "x/0.1", "0.5/0.1", "1.5/0.1", "0.5/0.1,0.4/0.1,1/0.1", "1/-0.1", "1/0", "1/NaN"];
    for text in short.into_iter().chain(["1/3", "nan/0.1", "inf/0.1"]) {
        let error = text.parse::<Schedule>().unwrap_err().to_string();
        assert!(error.contains("END/STEP"), "{text}: {error}");
    }
    let error = "1/1e-12".parse::<Schedule>().unwrap_err().to_string();
    assert!(error.contains("at most 1e7 steps"), "{error}");
}
