//! The common parts of the settings of all training runs, and the check of their ranges.

use crate::data::Dataset;
use crate::optim::Schedule;
use crate::{Error, Result, memory as available};
use clap::{Args, Command};
use core::ops::{Range, RangeInclusive};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The settings of a run: each field is at once an option of the command line (name, default and help), and a key of
/// `config.toml`.
///
/// A new option is a field, a line in [`RunSettings::check`] that gives its range, and the code that uses it.
pub trait RunSettings: Args + Serialize + DeserializeOwned + Clone + PartialEq {
    /// Name or folder of the data.
    fn data_mut(&mut self) -> &mut String;

    /// The option of the length of training, without the hyphens.
    const LENGTH: &'static str;

    /// The length of training, in epochs or in steps of the generator.
    fn length_mut(&mut self) -> &mut usize;

    /// The options whose values at an epoch depend on the length.
    fn depends_on_length(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// The number of images in a mini-batch.
    fn batch_mut(&mut self) -> &mut usize;

    /// The seed of all random numbers.
    fn seed(&self) -> u64;

    /// Loads the images to learn from.
    ///
    /// **Errors** as [`Dataset::load`].
    fn load(&self) -> Result<Dataset>;

    /// Derives defaults from other options, and refuses options without effect. `is_given` returns true for the field of an
    /// option that the user gave.
    ///
    /// **Errors** [`Error::InvalidArgument`] for an option that needs another value of another option.
    fn complete(self, is_given: &dyn Fn(&str) -> bool) -> Result<Self> {
        let _ = is_given;
        Ok(self)
    }

    /// Checks each setting against its range.
    ///
    /// **Errors** [`Error::InvalidArgument`] with the name of the option.
    fn check(&self) -> Result<()>;

    /// Checks the settings against the data, and asks the system whether there is enough memory. Some systems promise more
    /// than they have.
    ///
    /// **Errors** [`Error::InvalidArgument`] with the name of the option; [`Error::ShapeMismatch`] if the model is for images
    /// of another size.
    fn check_data(&self, digits: &Dataset) -> Result<()>;
}

/// The accessors of [`RunSettings`] for fields of the usual names, and of the length.
macro_rules! usual_fields {
    ($length:ident) => {
        const LENGTH: &'static str = stringify!($length);

        fn seed(&self) -> u64 {
            self.seed
        }

        fn data_mut(&mut self) -> &mut String {
            &mut self.data
        }

        fn length_mut(&mut self) -> &mut usize {
            &mut self.$length
        }

        fn batch_mut(&mut self) -> &mut usize {
            &mut self.batch
        }
    };
}
pub(super) use usual_fields;

/// The options among `schedules` whose values at an epoch depend on the length.
pub(super) fn changing(schedules: &[(&'static str, &Schedule)]) -> Vec<&'static str> {
    let changing = schedules.iter().filter(|(_, schedule)| schedule.depends_on_length());
    changing.map(|(option, _)| *option).collect()
}

/// The settings that the command line makes of `arguments`; with none, the defaults.
///
/// **Panics** if the command line refuses them.
pub(super) fn from_arguments<S: Args>(arguments: &[&str]) -> S {
    let command = S::augment_args(Command::new("settings").no_binary_name(true));
    let matches = command.try_get_matches_from(arguments);
    matches.and_then(|matches| S::from_arg_matches(&matches)).unwrap_or_else(|error| panic!("{error}"))
}

pub(super) const NOT_NEGATIVE: Range<f64> = 0.0..f64::INFINITY;
pub(super) const POSITIVE: Range<f64> = f64::MIN_POSITIVE..f64::INFINITY;
pub(super) const BELOW_1: Range<f64> = 0.0..1.0;

/// Checks whole numbers: option, value, range and unit.
pub(super) fn whole(table: &[(&str, usize, RangeInclusive<usize>, &str)]) -> Result<()> {
    for (option, value, range, unit) in table {
        if !range.contains(value) {
            let expected = match *range.end() {
                usize::MAX => format!("at least {} {unit} is needed", range.start()),
                most => format!("{} to {most} {unit} are possible", range.start()),
            };
            return Err(Error::invalid(format!("{option} {value}"), expected));
        }
    }
    Ok(())
}

/// Checks finite numbers: option, value and range.
pub(super) fn real(table: &[(&str, f64, Range<f64>)]) -> Result<()> {
    table.iter().try_for_each(|(option, value, range)| schedule(option, &Schedule::constant(*value), range))
}

/// Checks every value of a schedule.
pub(super) fn schedule(option: &str, schedule: &Schedule, range: &Range<f64>) -> Result<()> {
    if schedule.all(|value| range.contains(&value)) {
        return Ok(());
    }
    let least = if *range == POSITIVE { "above 0".into() } else { format!("of at least {}", range.start) };
    let most = if range.end == f64::INFINITY { String::new() } else { format!(" and below {}", range.end) };
    Err(Error::invalid(format!("{option} {schedule}"), format!("a number {least}{most} is needed")))
}

/// Checks that a mini-batch is not larger than the training set.
pub(super) fn batch(batch: usize, digits: &Dataset) -> Result<()> {
    let images = digits.train.len();
    if batch > images {
        let images = crate::report::numbers::counted(images, "training image");
        let expected = format!("a mini-batch can have at most all {images}");
        return Err(Error::invalid(format!("--batch {batch}"), expected));
    }
    Ok(())
}

/// Checks that TOML can hold the seed and the next one, which monitors use: its integers end at 2⁶³ - 1.
pub(super) fn seed(seed: u64) -> Result<()> {
    if seed > i64::MAX as u64 - 1 {
        return Err(Error::invalid(format!("--seed {seed}"), "a seed is at most 9223372036854775806"));
    }
    Ok(())
}

/// Bytes that a run needs beside its model and its mini-batches: monitors, files, the display.
const BESIDES: u128 = 32 << 20;

/// Asks the system whether there are `bytes` of memory, and those beside them, for settings that `argument` names.
pub(super) fn memory(bytes: u128, argument: impl FnOnce() -> String) -> Result<()> {
    let bytes = bytes.saturating_add(BESIDES);
    if usize::try_from(bytes).is_ok_and(available::fits::<u8>) {
        return Ok(());
    }
    let size = match bytes.div_ceil(1_000_000) {
        megabytes @ ..1_000 => format!("{megabytes} MB"),
        megabytes => format!("{} GB", megabytes.div_ceil(1_000)),
    };
    let expected = format!("training needs about {size} of memory, more than there is; take fewer of any");
    Err(Error::invalid(argument(), expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_outside_their_range_are_refused_with_option_and_range() {
        let whole =
            |value, range| whole(&[("--units", value, range, "units")]).map_err(|error| error.to_string());
        assert_eq!(whole(0, 1..=9).unwrap_err(), "--units 0: 1 to 9 units are possible");
        assert_eq!(whole(10, 1..=9).unwrap_err(), "--units 10: 1 to 9 units are possible");
        assert_eq!(whole(0, 1..=usize::MAX).unwrap_err(), "--units 0: at least 1 units is needed");
        assert_eq!([1, 9].map(|value| whole(value, 1..=9)), [Ok(()), Ok(())]);
        for (range, good, bad, words) in [
            (NOT_NEGATIVE, 0.0, -1e-300, "a number of at least 0 is needed"),
            (NOT_NEGATIVE, 1e300, f64::INFINITY, "a number of at least 0 is needed"),
            (POSITIVE, 1e-300, 0.0, "a number above 0 is needed"),
            (BELOW_1, 0.999, 1.0, "a number of at least 0 and below 1 is needed"),
            (BELOW_1, 0.0, f64::NAN, "a number of at least 0 and below 1 is needed"),
        ] {
            real(&[("--rate", good, range.clone())]).unwrap();
            let error = real(&[("--rate", bad, range)]).unwrap_err().to_string();
            assert_eq!(error, format!("--rate {bad}: {words}"));
        }
    }
}
