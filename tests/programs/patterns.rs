//! A restricted Boltzmann machine on one's own bits: train and watch, stop, evaluate exactly, sample.
use core::ops::ControlFlow;
use equilibria::boltzmann::likelihood::{exact, log_likelihood};
use equilibria::boltzmann::{GibbsChains, Rbm, learning::Fit};
use equilibria::{Result, data::BinaryImages, rng::Stream};

pub fn main() -> Result<(usize, f64)> {
    let patterns = ["11110000", "00001111", "11001100", "00110011"];
    let bits = patterns.map(|pattern| pattern.chars().map(|bit| bit == '1').collect::<Vec<bool>>());
    let images = BinaryImages::from_rows(&bits)?;
    let (data, mut stopped) = (images.to_tensor::<f32>(), 0);
    let mut model = Rbm::new(&images.mean(), 8, Stream::named(1, "init"))?;
    let fit = Fit { epochs: 3000, ..Fit::default() };
    model.fit(&images, &fit, |epoch, learner| {
        stopped = epoch;
        let model = learner.model();
        let mean = exact::log_partition(&model).map(|log_z| log_likelihood(&model, data.data(), log_z));
        if mean.is_ok_and(|mean| mean < -1.6) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let mean = log_likelihood(&model, data.data(), exact::log_partition(&model)?);
    let mut chains = GibbsChains::new(&model, 3, Stream::named(1, "sample"));
    chains.walk(1000);
    println!("{mean:.3} nats per pattern after {stopped} epochs; {:?}", chains.visible_states());
    Ok((stopped, mean))
}
