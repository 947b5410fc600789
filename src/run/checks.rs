//! What every training run asks of its settings, in the words of the command line.

use crate::optim::Schedule;
use crate::{Error, Result};

/// Names, values and what is needed.
pub fn at_least_1(given: &[(&str, usize, &str)]) -> Result<()> {
    match given.iter().find(|(_, value, _)| *value == 0) {
        Some((name, _, expected)) => Err(Error::invalid(format!("{name} 0"), expected)),
        None => Ok(()),
    }
}

/// Names, values, the most there can be, and of what.
pub fn at_most(given: &[(&str, usize, usize, &str)]) -> Result<()> {
    match given.iter().find(|(_, value, most, _)| value > most) {
        Some((name, value, most, expected)) => {
            Err(Error::invalid(format!("{name} {value}"), format!("at most {most} {expected}")))
        }
        None => Ok(()),
    }
}

pub fn batch(batch: usize, images: usize) -> Result<()> {
    if batch > images {
        let expected = format!("a mini-batch can have at most all {images} training images");
        return Err(Error::invalid(format!("--batch {batch}"), expected));
    }
    Ok(())
}

/// Integers of TOML end there, and monitors take the next seed as well.
pub fn seed(seed: u64) -> Result<()> {
    if seed > i64::MAX as u64 - 1 {
        return Err(Error::invalid(format!("--seed {seed}"), "a seed is at most 9223372036854775806"));
    }
    Ok(())
}

pub fn learning_rate(rate: &Schedule) -> Result<()> {
    if !rate.all(|rate| rate >= 0.0) {
        let argument = format!("--learning-rate {rate}");
        return Err(Error::invalid(argument, "a learning rate is a number of at least 0"));
    }
    Ok(())
}

pub fn momentum(momentum: &Schedule) -> Result<()> {
    if !momentum.all(|momentum| (0.0..1.0).contains(&momentum)) {
        return Err(Error::invalid(format!("--momentum {momentum}"), "momentum is at least 0 and below 1"));
    }
    Ok(())
}

pub fn weight_decay(decay: f64) -> Result<()> {
    if !(decay >= 0.0 && decay.is_finite()) {
        let argument = format!("--weight-decay {decay}");
        return Err(Error::invalid(argument, "weight decay is a number of at least 0"));
    }
    Ok(())
}

/// Asks the system whether it would give `bytes`, for settings that `argument` names.
pub fn memory(bytes: u128, argument: impl FnOnce() -> String) -> Result<()> {
    let given = usize::try_from(bytes).is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok());
    if given {
        return Ok(());
    }
    let gigabytes = bytes.div_ceil(1_000_000_000);
    let expected =
        format!("training needs about {gigabytes} GB of memory, more than there is; take fewer of any");
    Err(Error::invalid(argument(), expected))
}
