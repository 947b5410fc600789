//! Mixing of Gibbs chains that start at test images, and the quality of the digits that they draw.
//!
//! A machine has good samples after 10,000 steps if two conditions hold. Its chains *mix*: the overlap with the start
//! decays and all classes stay about as frequent as they were. And the states that they reach are digits: their free
//! energies are those of test images, and training images are near them.

use super::autocorrelation::Time;
use super::modes::entropy;
use super::nearest::{NearestImages, pack};
use crate::boltzmann::{GibbsChains, Rbm};
use crate::rng::Stream;
use crate::tensor::Workspace;
use crate::{Error, Result};
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// Steps between two calls of the progress function.
const STRIDE: usize = 50;
/// Observations per chain for autocorrelation times, if the chains are long enough: every tenth of the report's 10,000
/// steps.
const OBSERVATIONS: usize = 1000;
/// Share of each chain, from its start, that is excluded from the observations.
const BURN_IN: f64 = 0.1;
/// Chains are blurred if they have more than this many times the grey pixels of what they are compared with.
const BLURRED: f64 = 1.5;
/// Chains have lost classes if the entropy of their classes, in nats, has fallen by more than this.
const LOST_ENTROPY: f64 = 0.2;
/// Pixels with a probability in this range are grey: neither ink nor background.
const GREY: Range<f32> = 0.1..0.9;

/// The start and the length of the chains, and the images that recognise digits.
///
/// See the example of [`mix`].
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// Images (chains, visible), each pixel 0 or 1; at least two.
    pub start: &'a [f32],
    /// Their classes.
    pub classes: &'a [u8],
    /// Numbers of Gibbs steps after which the chains are measured: rising, at least 1.
    pub steps: &'a [usize],
    /// Classifies images and decides which ones show a digit.
    pub nearest: &'a NearestImages,
}

/// Measurements of the chains after some number of steps; means are over all chains.
///
/// See the example of [`mix`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Measurements {
    /// Gibbs steps; 0 is the start.
    pub steps: usize,
    /// Share of pixels that are equal to the start of the same chain.
    pub agreement: f64,
    /// The agreement rescaled: 0 is the agreement with the start of another chain, 1 is the start itself.
    pub overlap: f64,
    /// Similarity of two chains: 0 if they agree as two starts do, 1 if their images are equal.
    pub likeness: f64,
    /// Mean free energy of the states, in nats.
    pub free_energy: f64,
    /// Standard deviation of the free energy over chains, in nats.
    pub free_energy_deviation: f64,
    /// Share of pixels whose probability is above 0.1 and below 0.9; `None` at the start, which has no probabilities.
    pub grey_pixels: Option<f64>,
    /// Number of chains that show a digit: see [`NearestImages::is_digit`].
    pub digits: usize,
    /// Number of chains whose nearest training image has each class, whether they show a digit or not. Chains without a
    /// pixel in common with any training image are excluded.
    pub classes: Vec<usize>,
    /// Entropy of [`Self::classes`], in nats.
    pub class_entropy: f64,
    /// Number of chains that still have the class of their start.
    pub same_class: usize,
    /// Mean distance to the nearest training image.
    pub nearest_distance: f64,
}

/// The measurements of all chains over time.
///
/// See the example of [`mix`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Mixing {
    /// Number of chains.
    pub chains: usize,
    /// The measurements at the start, then after each of [`Task::steps`].
    #[cfg_attr(feature = "cli", serde(rename = "looks"))]
    pub measurements: Vec<Measurements>,
    /// Autocorrelation time of the free energy, in steps; `None` if the free energy is constant.
    pub free_energy_time: Option<Time>,
    /// Autocorrelation time of the image (all pixels as one vector), in steps; `None` if the image is constant.
    pub image_time: Option<Time>,
    /// The start, then the probabilities from which each later state was sampled: (chains, visible) each.
    #[cfg_attr(feature = "cli", serde(skip))]
    pub pictures: Vec<Vec<f32>>,
}

impl Mixing {
    /// The measurements after exactly `steps` steps.
    pub fn after(&self, steps: usize) -> Option<&Measurements> {
        self.measurements.iter().find(|measured| measured.steps == steps)
    }

    /// The last measurements.
    pub fn last(&self) -> &Measurements {
        &self.measurements[self.measurements.len() - 1]
    }

    /// Returns whether at least half as many chains show a digit at the end as at the start.
    pub fn keeps_digits(&self) -> bool {
        2 * self.last().digits >= self.measurements[0].digits
    }

    /// Returns whether the entropy of the classes has fallen by more than 0.2 nats: the images have become more alike.
    pub fn loses_classes(&self) -> bool {
        self.last().class_entropy < self.measurements[0].class_entropy - LOST_ENTROPY
    }

    /// The mean free energy of `measured` minus that of the start, in nats. Free energies of two machines have different
    /// zeros, so only such differences can be compared.
    pub fn above_start(&self, measured: &Measurements) -> f64 {
        measured.free_energy - self.measurements[0].free_energy
    }

    /// Compares the grey pixels of these chains with those of a machine whose samples are sharp.
    pub fn blur(&self, sharp: &Self) -> Blur {
        let grey = |measured: Option<&Measurements>| measured.and_then(|m| m.grey_pixels).unwrap_or(f64::NAN);
        let [first, last] = [self.after(1), Some(self.last())].map(grey);
        if first > BLURRED * grey(Some(sharp.last())) {
            Blur::FromTheFirstStep
        } else if last > BLURRED * first {
            Blur::Growing
        } else {
            Blur::None
        }
    }
}

/// When chains become blurred: they then have 1.5 times the grey pixels of what they are compared with.
///
/// See the example of [`mix`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blur {
    /// After one step, compared with the sharp machine.
    FromTheFirstStep,
    /// Between the first and the last step.
    Growing,
    /// Not at all.
    None,
}

/// The share of probabilities above 0.1 and below 0.9: pixels that are neither ink nor background.
///
/// ```
/// use equilibria::evaluate::mixing::grey_pixels;
/// assert_eq!(grey_pixels(&[0.01, 0.5, 0.99, 1.0]), 0.25);
/// ```
pub fn grey_pixels(probabilities: &[f32]) -> f64 {
    let grey = probabilities.iter().filter(|&&p| GREY.start < p && p < GREY.end).count();
    grey as f64 / probabilities.len() as f64
}

/// The share of states that are equal to those at the start.
///
/// ```
/// use equilibria::evaluate::mixing::agreement;
/// assert_eq!(agreement(&[1.0, 0.0, 1.0, 1.0], &[1.0, 0.0, 1.0, 0.0]), 0.75);
/// ```
pub fn agreement(states: &[f32], start: &[f32]) -> f64 {
    let same = states.iter().zip(start).filter(|(now, then)| now == then).count();
    same as f64 / states.len() as f64
}

/// The numbers 1, 2, 5, 10, 20, 50, ... below `last`, followed by `last`.
///
/// ```
/// use equilibria::evaluate::mixing::rising_steps;
/// assert_eq!(rising_steps(30), [1, 2, 5, 10, 20, 30]);
/// ```
pub fn rising_steps(last: usize) -> Vec<usize> {
    let mut steps = Vec::new();
    let mut ten = 1_usize;
    'decades: loop {
        for factor in [1, 2, 5] {
            match ten.checked_mul(factor).filter(|&step| step < last) {
                Some(step) => steps.push(step),
                None => break 'decades,
            }
        }
        ten = ten.saturating_mul(10);
    }
    steps.push(last);
    steps
}

/// Runs the chains from their start and measures them after each of `task.steps`.
///
/// Calls `after` every few steps with the number of steps done since the last call; an error that it returns ends the
/// run.
///
/// **Errors** [`Error::ShapeMismatch`] if the start does not fit the model or its classes, or the images to compare with do
/// not; [`Error::InvalidArgument`] for fewer than two chains, steps that do not rise, or a pixel of the start that is neither
/// 0 nor 1; the errors of `after`.
///
/// **Randomness** The chains draw from `stream`; see [`GibbsChains`].
///
/// **Accuracy and cost** Agreements and counts are exact. In addition to the chains: a thousand products of all states
/// with the weights, and up to a million comparisons of a chain's states at two times.
///
/// ```
/// use equilibria::boltzmann::Rbm;
/// use equilibria::evaluate::mixing::{Blur, Task, mix};
/// use equilibria::{evaluate::nearest::NearestImages, rng::Stream};
/// let images = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0];
/// let nearest = NearestImages::new((&images, &[0, 1]), (&images, &[0, 1]), 4)?;
/// let task = Task { start: &images, classes: &[0, 1], steps: &[1, 10], nearest: &nearest };
/// let model = Rbm::new(&[0.5; 4], 2, Stream::named(1, "init"))?;
/// let mixing = mix(&model, &task, Stream::named(1, "chain"), |_| Ok(()))?;
/// assert_eq!((mixing.chains, mixing.last().steps), (2, 10));
/// // The measurements at the start: every pixel is the start's, and both images show their digit.
/// assert_eq!((mixing.measurements[0].agreement, mixing.measurements[0].same_class), (1.0, 2));
/// assert_eq!(mixing.blur(&mixing), Blur::None);
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn mix(
    model: &Rbm<f32>,
    task: &Task<'_>,
    stream: Stream,
    mut after: impl FnMut(usize) -> Result<()>,
) -> Result<Mixing> {
    check(model, task)?;
    let (visible, chains) = (model.visible(), task.classes.len());
    let mut gibbs = GibbsChains::new(model, chains, stream);
    gibbs.set_visible_states(task.start)?;
    let mut observer = Observer::new(model, task);
    let mut mixing = Mixing {
        chains,
        measurements: vec![observer.measure(0, task.start, None)],
        free_energy_time: None,
        image_time: None,
        pictures: vec![task.start.to_vec()],
    };
    let last = task.steps[task.steps.len() - 1];
    let every = (last / OBSERVATIONS).max(1);
    let burn_in = (last as f64 * BURN_IN) as usize;
    let mut trace = Trace { visible, chains, energies: Vec::new(), states: Vec::new() };
    let mut done = 0;
    for &target in task.steps {
        while done < target {
            let to_observation = every - done % every;
            let stride = to_observation.min(target - done).min(STRIDE);
            gibbs.walk(stride);
            done += stride;
            if done.is_multiple_of(every) && done > burn_in {
                let states = gibbs.visible_states();
                trace.energies.extend(model.free_energies(&states, &mut observer.workspace));
                trace.states.extend(pack(&states, visible));
            }
            after(stride)?;
        }
        let probabilities = gibbs.visible_probabilities();
        mixing.measurements.push(observer.measure(done, &gibbs.visible_states(), Some(&probabilities)));
        mixing.pictures.push(probabilities);
    }
    (mixing.free_energy_time, mixing.image_time) = trace.times(every);
    Ok(mixing)
}

fn check(model: &Rbm<f32>, task: &Task<'_>) -> Result<()> {
    let chains = task.classes.len();
    if task.start.len() != chains * model.visible() {
        return Err(Error::ShapeMismatch {
            operation: "images that chains start from",
            expected: vec![chains, model.visible()],
            found: vec![task.start.len()],
        });
    }
    if task.nearest.pixels() != model.visible() {
        return Err(Error::ShapeMismatch {
            operation: "pixels of images to compare chains with",
            expected: vec![model.visible()],
            found: vec![task.nearest.pixels()],
        });
    }
    if chains < 2 {
        return Err(Error::invalid(format!("{chains} chains"), "at least 2 are needed for a comparison"));
    }
    if task.steps.first().is_none_or(|&first| first == 0) || !task.steps.is_sorted_by(|a, b| a < b) {
        return Err(Error::invalid(
            format!("steps {:?}", task.steps),
            "rising numbers of at least 1 are needed",
        ));
    }
    Ok(())
}

/// The start of the chains, and what measuring them needs.
struct Observer<'a> {
    model: &'a Rbm<f32>,
    task: &'a Task<'a>,
    /// For each pixel, the number of starts in which it is on.
    start_counts: Vec<u64>,
    /// Mean agreement of two different starts.
    agreement_of_starts: f64,
    workspace: Workspace<f32>,
}

impl<'a> Observer<'a> {
    fn new(model: &'a Rbm<f32>, task: &'a Task<'a>) -> Self {
        let start_counts = counts(task.start, model.visible());
        let agreement_of_starts = agreement_of_pairs(&start_counts, task.classes.len());
        Self { model, task, start_counts, agreement_of_starts, workspace: Workspace::new() }
    }

    fn measure(&mut self, steps: usize, states: &[f32], probabilities: Option<&[f32]>) -> Measurements {
        let (start, chains, visible) = (self.task.start, self.task.classes.len(), self.model.visible());
        let agreement = agreement(states, start);
        let counts = counts(states, visible);
        // All pairs (state, start) except those of the same chain.
        let with_all = agreement_of_counts(&counts, &self.start_counts, chains);
        let others = (with_all * chains as f64 - agreement) / (chains - 1) as f64;
        let free_energies: Vec<f64> =
            self.model.free_energies(states, &mut self.workspace).into_iter().map(f64::from).collect();
        let (free_energy, free_energy_deviation) = mean_and_deviation(&free_energies);
        let neighbours = self.task.nearest.find(states);
        let mut classes = vec![0; self.task.nearest.classes()];
        let mut same_class = 0;
        for (neighbour, &class) in neighbours.iter().zip(self.task.classes) {
            if neighbour.distance < 1.0 {
                classes[usize::from(neighbour.class)] += 1;
                same_class += usize::from(neighbour.class == class);
            }
        }
        let digits = neighbours.iter().filter(|&&neighbour| self.task.nearest.is_digit(neighbour)).count();
        Measurements {
            steps,
            agreement,
            overlap: share(agreement, others),
            likeness: share(agreement_of_pairs(&counts, chains), self.agreement_of_starts),
            free_energy,
            free_energy_deviation,
            grey_pixels: probabilities.map(grey_pixels),
            digits,
            class_entropy: entropy(&classes),
            classes,
            same_class,
            nearest_distance: neighbours.iter().map(|neighbour| neighbour.distance).sum::<f64>()
                / chains as f64,
        }
    }
}

/// Rescales `agreement` so that `chance` becomes 0 and full agreement (1) stays 1.
fn share(agreement: f64, chance: f64) -> f64 {
    // If all starts are equal, no state can differ from chance.
    if chance < 1.0 { (agreement - chance) / (1.0 - chance) } else { 0.0 }
}

/// For each pixel, the number of rows in which it is on.
fn counts(states: &[f32], pixels: usize) -> Vec<u64> {
    let mut counts = vec![0; pixels];
    for row in states.chunks_exact(pixels) {
        for (count, &pixel) in counts.iter_mut().zip(row) {
            *count += u64::from(pixel > 0.0);
        }
    }
    counts
}

/// Mean share of equal pixels over all pairs of a row of one set and a row of the other; both sets have `rows` rows.
fn agreement_of_counts(a: &[u64], b: &[u64], rows: usize) -> f64 {
    let rows = rows as u64;
    let equal: u64 = a.iter().zip(b).map(|(&a, &b)| a * b + (rows - a) * (rows - b)).sum();
    equal as f64 / (rows * rows) as f64 / a.len() as f64
}

/// Mean share of equal pixels over all pairs of different rows of one set.
fn agreement_of_pairs(counts: &[u64], rows: usize) -> f64 {
    let rows = rows as u64;
    let equal: u64 = counts.iter().map(|&on| on * on + (rows - on) * (rows - on) - rows).sum();
    equal as f64 / (rows * (rows - 1)) as f64 / counts.len() as f64
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, libm::sqrt(squares / (values.len() - 1) as f64))
}

/// Observations of the chains at equal intervals.
struct Trace {
    visible: usize,
    chains: usize,
    /// (observations, chains)
    energies: Vec<f32>,
    /// (observations, chains, words)
    states: Vec<u64>,
}

impl Trace {
    /// Autocorrelation times of the free energy and of the image; two observations are `every` steps apart.
    fn times(&self, every: usize) -> (Option<Time>, Option<Time>) {
        let observations = self.energies.len() / self.chains;
        if observations < 2 {
            return (None, None);
        }
        let chain =
            |chain: usize| (0..observations).map(move |i| f64::from(self.energies[i * self.chains + chain]));
        let energies: Vec<f64> = (0..self.chains).flat_map(chain).collect();
        (Time::of(&energies, observations, every), self.image_time(observations, every))
    }

    /// rho(t) = sum over pixels of cov(v(s), v(s + t)) / sum over pixels of var(v), the mean taken over chains and s.
    fn image_time(&self, observations: usize, every: usize) -> Option<Time> {
        let words = self.visible.div_ceil(64);
        let rows = (observations * self.chains) as f64;
        let mut counts = vec![0_u64; words * 64];
        for row in self.states.chunks_exact(words) {
            for (word, counts) in row.iter().zip(counts.chunks_exact_mut(64)) {
                for (bit, count) in counts.iter_mut().enumerate() {
                    *count += word >> bit & 1;
                }
            }
        }
        let means = counts.iter().map(|&count| count as f64 / rows);
        let square: f64 = means.clone().map(|mean| mean * mean).sum();
        let variance = means.sum::<f64>() - square;
        if variance <= 0.0 {
            return None;
        }
        let correlation = |lag: usize| {
            let later = &self.states[lag * self.chains * words..];
            let both: u64 = self.states.iter().zip(later).map(|(a, b)| u64::from((a & b).count_ones())).sum();
            (both as f64 / ((observations - lag) * self.chains) as f64 - square) / variance
        };
        Some(Time::integrated(observations / 2, every, correlation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    /// Mean share of equal pixels over pairs of rows of four pixels, computed pair by pair.
    fn by_pairs(a: &[f32], b: &[f32], take: impl Fn(usize, usize) -> bool) -> f64 {
        let (mut equal, mut pairs) = (0, 0);
        for (i, a) in a.chunks(4).enumerate() {
            for (_, b) in b.chunks(4).enumerate().filter(|(j, _)| take(i, *j)) {
                equal += a.iter().zip(b).filter(|(a, b)| a == b).count();
                pairs += 4;
            }
        }
        f64::from(equal as u32) / f64::from(pairs)
    }

    #[test]
    fn agreements_equal_those_computed_pair_by_pair() {
        let start = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0];
        let states = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0];
        let zeros = |shape: &[usize]| Tensor::<f32>::zeros(shape);
        let bias = Tensor::from_vec(&[4], vec![1.0, 2.0, 3.0, -4.0]).unwrap();
        let model = Rbm::from_parameters(zeros(&[4, 2]), bias, zeros(&[2])).unwrap();
        let nearest = NearestImages::new((&start, &[0, 3, 2]), (&start, &[0, 3, 2]), 4).unwrap();
        let task = Task { start: &start, classes: &[0, 3, 3], steps: &[1], nearest: &nearest };
        let probabilities = [0.05, 0.1, 0.2, 0.5, 0.9, 0.95, 0.89, 1.0, 0.0, 0.0, 0.0, 0.0];
        let measured = Observer::new(&model, &task).measure(7, &states, Some(&probabilities));

        let own = by_pairs(&states, &start, |i, j| i == j);
        let others = by_pairs(&states, &start, |i, j| i != j);
        let alike = by_pairs(&states, &states, |i, j| i != j);
        let agreement_of_starts = by_pairs(&start, &start, |i, j| i != j);
        let close = |found: f64, exact: f64| assert!((found - exact).abs() < 1e-12, "{found}, not {exact}");
        close(measured.agreement, own);
        close(measured.overlap, (own - others) / (1.0 - others));
        close(measured.likeness, (alike - agreement_of_starts) / (1.0 - agreement_of_starts));
        close(measured.grey_pixels.unwrap(), 3.0 / 12.0);
        // Free energies -1, 1 and -1, minus ln 2 for each of the two hidden units.
        assert!((measured.free_energy + 1.0 / 3.0 + 2.0 * libm::log(2.0)).abs() < 1e-6, "{measured:?}");
        assert!((measured.free_energy_deviation - libm::sqrt(4.0 / 3.0)).abs() < 1e-6, "{measured:?}");
        // The first state is half of the first start, the second is two thirds of the second; the third is half of
        // either.
        assert_eq!((measured.classes, measured.same_class, measured.digits), (vec![2, 0, 0, 1], 2, 0));
        close(measured.class_entropy, libm::log(3.0) - libm::log(2.0) * 2.0 / 3.0);
        close(measured.nearest_distance, (0.5 + 1.0 / 3.0 + 0.5) / 3.0);
    }

    #[test]
    fn chains_are_compared_with_their_start_and_with_sharp_ones() {
        let measured = |steps, digits, class_entropy, grey_pixels| Measurements {
            steps,
            agreement: 0.9,
            overlap: 0.5,
            likeness: 0.0,
            free_energy: 0.0,
            free_energy_deviation: 0.0,
            grey_pixels,
            digits,
            classes: Vec::new(),
            class_entropy,
            same_class: 0,
            nearest_distance: 0.4,
        };
        let mixing = |digits, entropy, [first, last]: [f64; 2]| Mixing {
            chains: 100,
            measurements: vec![
                measured(0, 92, 2.3, None),
                measured(1, 92, 2.3, Some(first)),
                measured(9, digits, entropy, Some(last)),
            ],
            free_energy_time: None,
            image_time: None,
            pictures: Vec::new(),
        };
        let sharp = mixing(46, 2.11, [0.3, 0.08]);
        assert!(sharp.keeps_digits() && !sharp.loses_classes());
        let poor = mixing(45, 2.09, [0.13, 0.13]);
        assert!(!poor.keeps_digits() && poor.loses_classes());
        assert_eq!(poor.blur(&sharp), Blur::FromTheFirstStep);
        assert_eq!(mixing(92, 2.3, [0.11, 0.17]).blur(&sharp), Blur::Growing);
        assert_eq!(mixing(92, 2.3, [0.11, 0.16]).blur(&sharp), Blur::None);
    }
}
