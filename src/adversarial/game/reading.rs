//! The measurements of a game at one step, and the table of their names and units.

use crate::adversarial::Objective;
use crate::tensor::Element;
use alloc::format;
use alloc::string::String;

/// Measurements of a game at a step of its generator; `None` for a quantity that the objective does not have or that was not
/// measured.
///
/// The discriminator is measured in its last step before the generator's, before its parameters change. [`Game`](super::Game)
/// fills in the quantities of a step; the last three need samples or a search, which the caller adds.
///
/// ```
/// use equilibria::adversarial::Reading;
/// let reading = Reading { step: 3, discriminator_loss: 1.4, spread: Some(0.9), ..Reading::default() };
/// assert_eq!(Reading::from_row(3, &reading.to_row()), reading);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Reading {
    /// Steps of the generator so far, including this one.
    pub step: u64,
    /// The generator's loss.
    pub generator_loss: f64,
    /// The discriminator's or critic's loss, including its penalties; one that is computed lazily counts at every reading,
    /// with its own weight.
    pub discriminator_loss: f64,
    /// Share of real samples that the discriminator calls real; a critic has no threshold.
    pub real_accuracy: Option<f64>,
    /// Share of generated samples that the discriminator calls generated.
    pub fake_accuracy: Option<f64>,
    /// Mean of D(x): a probability, or a critic's score. In a relativistic game, the mean probability of the real sample of
    /// each pair to be the real one; [`Reading::fake_score`] is then that of the generated sample, and the accuracies are the
    /// share of pairs that are told apart.
    pub real_score: f64,
    /// Mean of D(G(z)).
    pub fake_score: f64,
    /// Euclidean norm of the gradient with respect to all parameters of the generator.
    pub generator_gradient: f64,
    /// Euclidean norm of the gradient with respect to all parameters of the discriminator.
    pub discriminator_gradient: f64,
    /// A critic's estimate of the Wasserstein distance, mean D(x) - mean D(G(z)), up to its Lipschitz constant.
    pub wasserstein: Option<f64>,
    /// Mean Euclidean norm of the discriminator's gradient with respect to its input, which the gradient penalty pulls to 1,
    /// and zero-centred penalties to 0.
    pub slope: Option<f64>,
    /// Share of the critic's weights that are at the clipping bound.
    pub clipped: Option<f64>,
    /// Standard deviation of a pixel over the generator's samples, divided by that over data; mean over pixels. 0 if all
    /// samples are equal; `None` if they differ and the data do not.
    pub spread: Option<f64>,
    /// Entropy of the classes of the generator's samples, divided by that of the data's classes.
    pub class_entropy: Option<f64>,
    /// Lower bound on what either player could still gain while the other stays fixed: 0 at an equilibrium.
    pub duality_gap: Option<f64>,
}

/// A quantity of a [`Reading`] as a column of a table.
///
/// ```
/// use equilibria::adversarial::METRICS;
/// let columns: Vec<String> = METRICS.iter().map(|metric| metric.column(false)).collect();
/// assert!(columns.iter().any(|column| column.starts_with("generator_loss")));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    name: &'static str,
    /// The units in a game of a discriminator and of a critic.
    units: [&'static str; 2],
    get: fn(&Reading) -> Option<f64>,
    set: fn(&mut Reading, f64),
}

/// The [`Metric`] of a field of [`Reading`].
macro_rules! metric {
    ($field:ident, $of_discriminator:literal, $of_critic:literal) => {
        Metric {
            name: stringify!($field),
            units: [$of_discriminator, $of_critic],
            get: |reading| Measured::number(reading.$field),
            set: |reading, number| reading.$field = Measured::from_number(number),
        }
    };
}

/// All quantities after the step, in the order of the columns of `metrics.csv`.
pub const METRICS: [Metric; 14] = [
    metric!(generator_loss, "nats", "score"),
    metric!(discriminator_loss, "nats", "score"),
    metric!(real_accuracy, "share", "share"),
    metric!(fake_accuracy, "share", "share"),
    metric!(real_score, "probability", "score"),
    metric!(fake_score, "probability", "score"),
    metric!(generator_gradient, "Euclidean norm", "Euclidean norm"),
    metric!(discriminator_gradient, "Euclidean norm", "Euclidean norm"),
    metric!(wasserstein, "score", "score"),
    metric!(slope, "score per unit of distance", "score per unit of distance"),
    metric!(clipped, "share of parameters", "share of parameters"),
    metric!(spread, "share of the data's", "share of the data's"),
    metric!(class_entropy, "nats", "nats"),
    metric!(duality_gap, "nats", "score"),
];

/// A field of [`Reading`]; NaN stands for `None` in a table.
trait Measured {
    fn number(self) -> Option<f64>;
    fn from_number(number: f64) -> Self;
}

impl Measured for f64 {
    fn number(self) -> Option<f64> {
        Some(self)
    }

    fn from_number(number: f64) -> Self {
        number
    }
}

impl Measured for Option<f64> {
    fn number(self) -> Option<f64> {
        self
    }

    fn from_number(number: f64) -> Self {
        Some(number).filter(|number| !number.is_nan())
    }
}

impl Metric {
    /// The name and the unit, for instance `generator_loss [nats]`.
    pub fn column(&self, has_critic: bool) -> String {
        format!("{} [{}]", self.name, self.units[usize::from(has_critic)])
    }
}

impl Reading {
    /// The reading of a row of a table, with one number for each of [`METRICS`].
    pub fn from_row(step: u64, numbers: &[f64]) -> Self {
        let mut reading = Self { step, ..Self::default() };
        METRICS.iter().zip(numbers).for_each(|(metric, &number)| (metric.set)(&mut reading, number));
        reading
    }

    /// One number for each of [`METRICS`], NaN where there is none.
    pub fn to_row(&self) -> [f64; METRICS.len()] {
        METRICS.map(|metric| (metric.get)(self).unwrap_or(f64::NAN))
    }

    /// True if every quantity that was measured is finite.
    pub fn is_finite(&self) -> bool {
        METRICS.iter().filter_map(|metric| (metric.get)(self)).all(f64::is_finite)
    }

    /// The difference between the mean scores of data and of samples.
    pub fn gap(&self) -> f64 {
        self.real_score - self.fake_score
    }

    /// Sets the quantities that follow from the discriminator's outputs.
    pub(super) fn set_outputs<T: Element>(&mut self, real: &[T], fake: &[T], objective: &Objective) {
        if *objective == Objective::Relativistic {
            let pairs = || real.iter().zip(fake).map(|(x, other)| x.to_f64() - other.to_f64());
            let mean = |sum: f64| sum / real.len() as f64;
            let accuracy = mean(pairs().filter(|difference| *difference > 0.0).count() as f64);
            (self.real_accuracy, self.fake_accuracy) = (Some(accuracy), Some(accuracy));
            self.real_score = mean(pairs().map(|difference| 1.0 / (1.0 + libm::exp(-difference))).sum());
            self.fake_score = 1.0 - self.real_score;
            return;
        }
        let has_critic = objective.has_critic();
        let mean = |outputs: &[T], of: fn(f64) -> f64| {
            outputs.iter().map(|output| of(output.to_f64())).sum::<f64>() / outputs.len() as f64
        };
        let score = if has_critic { |d| d } else { |logit: f64| 1.0 / (1.0 + libm::exp(-logit)) };
        (self.real_score, self.fake_score) = (mean(real, score), mean(fake, score));
        if has_critic {
            self.wasserstein = Some(self.gap());
        } else {
            self.real_accuracy = Some(mean(real, |d| f64::from(u8::from(d > 0.0))));
            self.fake_accuracy = Some(mean(fake, |d| f64::from(u8::from(d < 0.0))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{METRICS, Reading};

    #[test]
    fn a_reading_survives_the_way_through_a_row() {
        // A different number for each column, so that two columns that are swapped show.
        let numbers: [f64; METRICS.len()] = core::array::from_fn(|column| column as f64 + 0.5);
        let reading = Reading::from_row(50, &numbers);
        assert_eq!((reading.step, reading.slope, reading.fake_score), (50, Some(9.5), 5.5));
        assert_eq!(reading.to_row(), numbers);
        let none = Reading::from_row(50, &[f64::NAN; METRICS.len()]);
        assert_eq!((none.spread, none.duality_gap), (None, None));
        assert!(none.to_row().iter().all(|number| number.is_nan()));
    }

    #[test]
    fn columns_have_units_of_the_objective() {
        let columns = METRICS.map(|metric| [metric.column(false), metric.column(true)]);
        assert_eq!(columns[0], ["generator_loss [nats]", "generator_loss [score]"]);
        assert_eq!(columns[13], ["duality_gap [nats]", "duality_gap [score]"]);
    }
}
