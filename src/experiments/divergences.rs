//! Divergences between two Gaussians and their gradients, as functions of the distance, and descents on each.

use crate::evaluate::divergences::{DEVIATIONS, Divergence, SHIFTS, ShiftDivergence, descend};
use crate::report::numbers::{counted, short};
use crate::report::{LinePlot, Series};
use crate::run::check_range;
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::f64::consts::LN_2;
use std::fmt::Write as _;

/// The generator and its training.
#[derive(Debug, Clone, Args, Serialize)]
pub(crate) struct Settings {
    /// Standard deviation of the generator; that of the data is 1.
    #[arg(long, default_value = "1")]
    pub deviation: f64,
    /// The largest shift of the table and the plots.
    #[arg(long, default_value = "10")]
    pub to: f64,
    /// The shift at which the descents start.
    #[arg(long, default_value = "8")]
    pub start: f64,
    /// Learning rate of the descents.
    #[arg(long, default_value = "0.1")]
    pub rate: f64,
    /// Steps of the descents.
    #[arg(long, default_value = "200")]
    pub steps: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { deviation: 1.0, to: 10.0, start: 8.0, rate: 0.1, steps: 200 }
    }
}

/// Intervals between the shifts of the plots.
const INTERVALS: usize = 200;

/// Intervals between two rows of the table.
const ROWS: usize = 20;

/// Colours of the divergences, the same in all plots.
const COLOURS: [usize; 5] = [0, 1, 2, 3, 4];

/// Everything that is drawn and printed.
#[derive(Serialize)]
pub(crate) struct Study {
    pub settings: Settings,
    pub shifts: Vec<f64>,
    pub divergences: Vec<Studied>,
}

/// A divergence at each shift, and the descent on it.
#[derive(Serialize)]
pub(crate) struct Studied {
    name: String,
    #[serde(skip)]
    pub divergence: Divergence,
    /// By shift.
    pub curve: Vec<ShiftDivergence>,
    /// The shift after each step, from the start; shorter if the descent diverged.
    pub descent: Vec<f64>,
}

impl Study {
    /// Computes all curves and descents.
    pub fn new(settings: Settings) -> Result<Self> {
        let Settings { deviation, to, start, rate, steps } = settings;
        for (option, value, is_legal, expected) in [
            ("--deviation", deviation, DEVIATIONS.contains(&deviation), "it lies between 0.01 and 100"),
            ("--to", to, to > 0.0 && SHIFTS.contains(&to), "it is above 0 and at most 1000"),
            ("--start", start, SHIFTS.contains(&start.abs()), "it lies between -1000 and 1000"),
            ("--rate", rate, rate > 0.0 && rate.is_finite(), "it must be positive and finite"),
        ] {
            if !is_legal {
                return Err(Error::invalid(format!("{option} {value}"), expected));
            }
        }
        check_range("--steps", steps, 1..=100_000, "steps can be taken")?;
        let shifts: Vec<f64> = (0..=INTERVALS).map(|i| to * i as f64 / INTERVALS as f64).collect();
        let study = |divergence: Divergence| {
            let curve = shifts.iter().map(|&shift| divergence.of_shift(shift, deviation));
            Ok(Studied {
                name: divergence.to_string(),
                divergence,
                curve: curve.collect::<Result<_>>()?,
                descent: descend(divergence, start, deviation, rate, steps)?,
            })
        };
        let divergences = Divergence::ALL.into_iter().map(study).collect::<Result<_>>()?;
        Ok(Self { settings, shifts, divergences })
    }

    /// A line for each divergence through the points that `points` gives.
    fn lines(&self, points: impl Fn(&Studied) -> Vec<(f64, f64)>) -> Vec<Series> {
        let line = |(studied, colour): (&Studied, usize)| {
            let line = Series::new(studied.name.as_str(), points(studied)).colour(colour);
            // With equal variances W₁ and W₂ are the same line.
            if studied.divergence == Divergence::Wasserstein2 { line.dashed() } else { line }
        };
        self.divergences.iter().zip(COLOURS).map(line).collect()
    }

    fn along(&self, curve: &Studied, value: impl Fn(&ShiftDivergence) -> f64) -> Vec<(f64, f64)> {
        self.shifts.iter().copied().zip(curve.curve.iter().map(value)).collect()
    }

    /// The largest W₂: the top of the plot of values, which KL leaves.
    fn top(&self) -> f64 {
        let last = |studied: &Studied| studied.curve.last().map_or(0.0, |there| there.value);
        self.divergences
            .iter()
            .filter(|studied| studied.divergence == Divergence::Wasserstein2)
            .map(last)
            .sum()
    }

    /// The plots of the values and of the gradients.
    pub fn curves(&self) -> [LinePlot; 2] {
        let top = self.top();
        let below = |there: &ShiftDivergence| if there.value <= top { there.value } else { f64::NAN };
        let deviation = self.settings.deviation;
        let values = LinePlot {
            title: format!("Divergences between N(0, 1) and N(τ, {})", square(deviation)),
            x_label: "shift τ of the generator (standard deviations of the data)".into(),
            y_label: "value (KL and JS: nats; W₁ and W₂: unit of τ)".into(),
            series: self.lines(|studied| self.along(studied, below)),
            ..LinePlot::default()
        };
        let gradients = LinePlot {
            title: format!("Their gradients in τ, N(τ, {})", square(deviation)),
            y_label: "size of the gradient, logarithmic".into(),
            log_y: true,
            series: self.lines(|studied| self.along(studied, |there| there.gradient.abs())),
            ..values.clone()
        };
        [values, gradients]
    }

    /// The shift after the last step, or None if the descent diverged.
    fn end(&self, studied: &Studied) -> Option<f64> {
        studied.descent.get(self.settings.steps).copied()
    }

    /// The plot of the descents.
    pub fn descents(&self) -> LinePlot {
        let steps = |studied: &Studied| {
            // A descent that diverged leaves the plot early, so that the others stay visible.
            let diverged = self.end(studied).is_none();
            let most = if diverged { 2.0 * self.settings.start.abs() } else { f64::INFINITY };
            let shown = studied.descent.iter().take_while(|shift| shift.abs() <= most);
            shown.enumerate().map(|(step, shift)| (step as f64, *shift)).collect()
        };
        LinePlot {
            title: format!("A generator that only shifts, from τ = {}", self.settings.start),
            x_label: format!("step of gradient descent (learning rate {})", self.settings.rate),
            y_label: "shift τ".into(),
            series: self.lines(steps),
            ..LinePlot::default()
        }
    }

    /// A sentence about the ends of the descents, and up to two conclusions that the numbers permit.
    pub fn meaning(&self) -> Vec<String> {
        let Settings { start, deviation, steps, .. } = self.settings;
        let [kl, js, tv, w1, w2] = [0, 1, 2, 3, 4].map(|i: usize| &self.divergences[i]);
        let ends = [js, tv, w1, w2, kl].map(|studied| match self.end(studied) {
            // A rounding error around 0 is shown as 0, without a sign.
            Some(end) => format!("{} by {}", short((1000.0 * end).round() / 1000.0 + 0.0), studied.name),
            None => format!("beyond {} by {} (diverged)", SHIFTS.end(), studied.name),
        });
        let steps = counted(steps, "step");
        let mut sentences = vec![format!("After {steps} from τ = {start} the shift is {}.", ends.join(", "))];
        let loss = js.divergence.of_shift(start, deviation).map_or(0.0, |there| there.value);
        // A loss near its ceiling, ln 2, makes the generator a distant one.
        if loss > 0.9 * LN_2 && self.end(js).is_some_and(|end| end / start > 0.9) {
            sentences.push(
                "A distant generator that is trained by JS, as in a standard GAN with a perfect discriminator, stays where \
                 it is: its loss is high, but flat."
                    .into(),
            );
        }
        if deviation == 1.0 && w1.descent.windows(2).any(|pair| pair[0] * pair[1] < 0.0) {
            sentences.push(
                "By W₁ the generator moves at the same speed from any distance, and in the end steps to and fro around \
                 the data."
                    .into(),
            );
        }
        sentences
    }

    /// Values and gradients at some shifts, and the ends of the descents, as text.
    pub fn table(&self) -> String {
        let mut text = format!("N(0, 1) against N(τ, {})\n\n", square(self.settings.deviation));
        let titles = self.divergences.iter().flat_map(|studied| [studied.name.clone(), "d/dτ".into()]);
        row(&mut text, "τ", titles);
        for i in (0..=INTERVALS).step_by(ROWS) {
            let cells = self.divergences.iter().flat_map(|studied| {
                let there = studied.curve[i];
                [short(there.value), short(there.gradient)]
            });
            row(&mut text, &short(self.shifts[i]), cells);
        }
        let _ =
            write!(text, "\nτ after {} from {}:", counted(self.settings.steps, "step"), self.settings.start);
        for studied in &self.divergences {
            let end = self.end(studied).map_or("diverged".into(), short);
            let _ = write!(text, " {} {end}", studied.name);
        }
        text + "\n"
    }
}

fn row(text: &mut String, first: &str, cells: impl Iterator<Item = String>) {
    let _ = write!(text, "{first:>6}");
    cells.for_each(|cell| {
        let _ = write!(text, "{cell:>9}");
    });
    text.push('\n');
}

/// A variance: 4, or 2.25.
fn square(deviation: f64) -> String {
    let text = format!("{:.4}", deviation * deviation);
    text.trim_end_matches('0').trim_end_matches('.').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conclusions_are_those_that_the_descents_permit() {
        let meaning = |settings| Study::new(settings).unwrap().meaning();
        let usual = Settings::default;
        assert_eq!(meaning(usual()).len(), 3);
        // (settings, JS stays, W₁ steps to and fro)
        for (settings, stays, steps) in [
            (usual(), true, true),
            (Settings { start: 1.0, ..usual() }, false, true),
            (Settings { start: 0.0, ..usual() }, false, false),
            (Settings { start: 0.1, steps: 1, ..usual() }, false, false),
            (Settings { deviation: 2.0, ..usual() }, true, false),
            (Settings { steps: 5, ..usual() }, true, false),
        ] {
            let text = meaning(settings.clone()).join(" ");
            assert_eq!(
                [text.contains("stays"), text.contains("to and fro")],
                [stays, steps],
                "{settings:?}: {text}"
            );
        }
        let diverged = meaning(Settings { deviation: 0.2, ..usual() });
        assert!(diverged[0].ends_with("beyond 1000 by KL (diverged)."), "{diverged:?}");
        let at_zero = meaning(Settings { start: 0.0, ..usual() });
        assert!(at_zero[0].contains("the shift is 0.000 by JS, 0.000 by TV"), "{at_zero:?}");
    }

    #[test]
    fn a_descent_that_diverges_ends_and_leaves_the_others() {
        let study = Study::new(Settings { deviation: 0.2, ..Settings::default() }).unwrap();
        let lengths: Vec<usize> = study.divergences.iter().map(|studied| studied.descent.len()).collect();
        assert_eq!(lengths, [12, 201, 201, 201, 201]);
        assert!(study.table().contains("KL diverged"), "{}", study.table());
        assert!(study.descents().series[0].points.iter().all(|point| point.1.abs() <= 16.0));
    }

    #[test]
    fn numbers_out_of_range_are_refused_by_the_name_of_their_option() {
        let usual = Settings::default;
        for bad in [f64::NAN, f64::INFINITY] {
            for (option, settings) in [
                ("--deviation", Settings { deviation: bad, ..usual() }),
                ("--to", Settings { to: bad, ..usual() }),
                ("--start", Settings { start: bad, ..usual() }),
                ("--rate", Settings { rate: bad, ..usual() }),
            ] {
                let error = Study::new(settings).err().unwrap().to_string();
                assert!(error.contains(option), "{error}");
            }
        }
    }
}
