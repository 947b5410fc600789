//! Updates of a restricted Boltzmann machine by contrastive divergence on synthetic digits.

use super::entry::{Entry, Unit};
use super::measure::repeat;
use super::workload::{Add, Context, Place, Workload};
use crate::Result;
use crate::boltzmann::Rbm;
use crate::boltzmann::learning::{Learner, NegativePhase, Rates};
use crate::data::{Binarisation, BinaryImages, Dataset};
use crate::rng::Stream;
use serde_json::json;

const DIGITS: usize = 2_000;
/// Images in an epoch of MNIST.
const EPOCH: usize = 60_000;
/// Updates before the measurement, after which the density of the hidden units is that of training.
const WARM_UP: u64 = 300;
const RATES: Rates = Rates { learning_rate: 0.05, momentum: 0.0, weight_decay: 0.0 };

/// CD-1 and CD-25 of the usual machine, and a tiny one.
pub fn list(context: &Context, add: Add<'_>) -> Result<()> {
    for (hidden, batch, steps) in [(500, 100, 1), (500, 100, 25), (20, 10, 1)] {
        add(context.within(Place::All, || updates(hidden, batch, steps))?, Place::All)?;
    }
    Ok(())
}

fn updates(hidden: usize, batch: usize, steps: usize) -> Result<Workload> {
    let stream = Stream::named(3, "bench");
    let digits = Dataset::synthetic(DIGITS, 1)?;
    let images = digits.train.images();
    let mean = Binarisation::Threshold.mean(images);
    let mut states = BinaryImages::new(images);
    states.fill(Binarisation::Threshold, images, stream);
    let model = Rbm::<f32>::new(&mean, hidden, stream.substream(0))?;
    let mut learner = Learner::new(model, NegativePhase::Contrastive, steps, batch, stream.substream(1))?;
    let order: Vec<usize> = (0..DIGITS).collect();
    let mut updates = 0;
    let mut update = move || {
        let first = updates as usize % (DIGITS / batch) * batch;
        states.gather(&order[first..first + batch], learner.states_mut(batch));
        updates += 1;
        learner.update(RATES, stream.substream(1 + updates))
    };
    for _ in 0..WARM_UP {
        update()?;
    }
    let visible = mean.len();
    let density = mean.iter().map(|&mean| f64::from(mean)).sum::<f64>() / visible as f64;
    let states = (batch * (hidden + steps * (visible + hidden))) as f64;
    Ok(Workload {
        kernel: format!("CD-{steps}, {visible}-{hidden}"),
        shape: format!("batch {batch}"),
        work: states,
        divisor: 1,
        ours: repeat(update),
        peer: None,
        limit: None,
        entry: Box::new(move |(kernel, shape, threads), seconds| {
            let (speed, epoch) = (states / seconds[0], seconds[0] * EPOCH as f64 / batch as f64);
            Entry {
                kernel,
                shape: format!("{shape}: {epoch:.2} s an epoch"),
                threads,
                speed: speed / 1e6,
                unit: Unit::MillionsOfStates,
                share: None,
                ratio: None,
                json: json!({
                    "visible": visible,
                    "hidden": hidden,
                    "batch": batch,
                    "steps": steps,
                    "density": density,
                    "threads": threads,
                    "seconds_per_epoch": epoch,
                    "states_per_second": speed,
                }),
            }
        }),
    })
}
