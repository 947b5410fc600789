//! A deep Boltzmann machine and the lower bound on its log-likelihood.
use core::ops::ControlFlow;
use equilibria::boltzmann::likelihood::deep;
use equilibria::boltzmann::{Dbm, Stop, learning::Fit};
use equilibria::{Result, data::BinaryImages, rng::Stream};

pub fn main() -> Result<f64> {
    let patterns = ["11110000", "00001111", "11001100", "00110011"];
    let bits = patterns.map(|pattern| pattern.chars().map(|bit| bit == '1').collect::<Vec<bool>>());
    let images = BinaryImages::from_rows(&bits)?;
    let mut model = Dbm::<f64>::new(&images.mean(), &[6, 4], Stream::named(1, "init"))?;
    let fit = Fit { epochs: 1000, learning_rate: "0.2..0".parse()?, ..Fit::default() };
    model.fit(&images, &fit, |_, _| ControlFlow::Continue(()))?;
    let stop = Stop { tolerance: 1e-8, iterations: 1000 };
    let (bounds, convergence) = deep::lower_bounds(&model, images.to_tensor().data(), stop)?;
    let bound = bounds.iter().sum::<f64>() / 4.0 - deep::log_partition(&model)?;
    println!("at least {bound:.3} nats per pattern; {} iterations", convergence.iterations);
    Ok(bound)
}
