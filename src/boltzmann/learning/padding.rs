//! The padding of panels stays 0 through updates of both learners: their products run over it.

use super::deep::DeepLearner;
use super::{Learner, NegativePhase, Rates};
use crate::boltzmann::{Dbm, Rbm};
use crate::rng::Stream;
use alloc::vec;
use alloc::vec::Vec;

const RATES: Rates = Rates { learning_rate: 0.2, momentum: 0.5, weight_decay: 1e-3 };
/// Units around the width of a vector and of a panel.
const SIZES: [usize; 7] = [1, 3, 40, 63, 64, 65, 130];
const BATCH: usize = 7;

/// Images (rows, visible), grey or binary; the last mini-batch is short.
fn images(update: u64, visible: usize, is_grey: bool) -> Vec<f32> {
    let rows = if update == 3 { 2 } else { BATCH };
    let grey = |place: usize| (place * 37 % 11) as f32 / 10.0;
    let value = |place| if is_grey { grey(place) } else { f32::from(u8::from(grey(place) > 0.5)) };
    (0..rows * visible).map(value).collect()
}

#[test]
fn padding_is_zero_after_every_update() {
    let stream = Stream::named(1, "chain");
    for (place, &visible) in SIZES.iter().enumerate() {
        let (hidden, is_grey) = (SIZES[(place + 3) % SIZES.len()], place % 2 == 0);
        let mean = vec![0.3; visible];
        for phase in [
            NegativePhase::Contrastive,
            NegativePhase::Persistent,
            NegativePhase::Tempered { temperatures: 3 },
        ] {
            let model = Rbm::<f32>::new(&mean, hidden, stream).unwrap();
            let mut learner = Learner::new(model, phase, 2, BATCH, stream).unwrap().centred();
            for update in 0..4 {
                let images = images(update, visible, is_grey);
                learner.images_mut(images.len() / visible).copy_from_slice(&images);
                learner.update(RATES, stream.substream(update)).unwrap();
                assert!(learner.has_zero_padding(), "{visible} x {hidden}, {phase}, update {update}");
            }
        }
        let model = Dbm::<f32>::new(&mean, &[hidden, 65, 3], stream).unwrap();
        let mut learner =
            DeepLearner::new(model, BATCH, 5, 2, stream).unwrap().centred().with_max_norm(0.5).unwrap();
        for update in 0..4 {
            let images = images(update, visible, is_grey);
            learner.images_mut(images.len() / visible).copy_from_slice(&images);
            learner.update(RATES, stream.substream(update)).unwrap();
            assert!(learner.has_zero_padding(), "{visible}-{hidden}-65-3, update {update}");
        }
    }
}
