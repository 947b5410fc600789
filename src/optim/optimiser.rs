//! Optimisers: the update rules that turn gradients into parameter updates.

use crate::nn::{Gradients, Sequential};
use crate::parallel::{Chunks, for_each_split};
use crate::tensor::{Element, Tensor};
use crate::{Error, Result};
use alloc::format;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use equilibria_kernels::{Level, update};

/// An update rule. The formulas are in [`equilibria_kernels::update`]; all are those of PyTorch.
///
/// ```
/// use equilibria::optim::Rule;
/// let rule = Rule::adam(1e-3, [0.9, 0.999]);
/// assert!(rule.validate().is_ok());
/// assert!(rule.with_rate(f64::NAN).validate().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// Learning rate.
        rate: f64,
        /// The decay factor of the velocity; 0 for plain descent.
        momentum: f64,
    },
    /// RMSProp.
    RmsProp {
        /// Learning rate.
        rate: f64,
        /// The decay factor of the average of squared gradients, often 0.99.
        decay: f64,
        /// Added to the square root of that average, often 1e-8.
        epsilon: f64,
    },
    /// Adam.
    Adam {
        /// Learning rate.
        rate: f64,
        /// The decay factors of the averages of gradients and of their squares, for instance 0.9 and 0.999.
        betas: [f64; 2],
        /// Added to the square root of the latter, often 1e-8.
        epsilon: f64,
    },
}

impl Rule {
    /// RMSProp with PyTorch's defaults.
    pub const fn rms_prop(rate: f64) -> Self {
        Self::RmsProp { rate, decay: 0.99, epsilon: 1e-8 }
    }

    /// Adam with PyTorch's epsilon.
    pub const fn adam(rate: f64, betas: [f64; 2]) -> Self {
        Self::Adam { rate, betas, epsilon: 1e-8 }
    }

    /// The same rule with another learning rate.
    #[must_use]
    pub const fn with_rate(mut self, new: f64) -> Self {
        match &mut self {
            Self::Sgd { rate, .. } | Self::RmsProp { rate, .. } | Self::Adam { rate, .. } => *rate = new,
        }
        self
    }

    /// Checks the ranges of all numbers.
    ///
    /// **Errors** [`Error::InvalidArgument`], with the correct range, if a number is outside its range.
    pub fn validate(&self) -> Result<()> {
        let (Self::Sgd { rate, .. } | Self::RmsProp { rate, .. } | Self::Adam { rate, .. }) = *self;
        if !(rate >= 0.0 && rate.is_finite()) {
            return Err(Error::invalid(format!("learning rate {rate}"), "a rate is a number of at least 0"));
        }
        let (kept, epsilon) = match *self {
            Self::Sgd { momentum, .. } => ([momentum; 2], 1.0),
            Self::RmsProp { decay, epsilon, .. } => ([decay; 2], epsilon),
            Self::Adam { betas, epsilon, .. } => (betas, epsilon),
        };
        if let Some(kept) = kept.into_iter().find(|kept| !(0.0..1.0).contains(kept)) {
            let what = match self {
                Self::Sgd { .. } => "momentum",
                Self::RmsProp { .. } => "decay",
                Self::Adam { .. } => "beta",
            };
            return Err(Error::invalid(format!("{what} {kept}"), "it must be at least 0 and below 1"));
        }
        if !(epsilon > 0.0 && epsilon.is_finite()) {
            return Err(Error::invalid(
                format!("epsilon {epsilon}"),
                "epsilon is a number above 0, often 1e-8",
            ));
        }
        Ok(())
    }

    /// Number of state values per parameter.
    const fn states(&self) -> usize {
        match self {
            Self::Sgd { .. } | Self::RmsProp { .. } => 1,
            Self::Adam { .. } => 2,
        }
    }
}

/// An update rule with its state for a network.
///
/// **Accuracy and cost** A step is one fused pass over parameters, gradients and state: with Adam 28 bytes per f32
/// parameter. The result does not depend on the number of threads.
///
/// ```
/// use equilibria::nn::{Cache, Deltas, Gradients, Linear, Scratch, Sequential, Training, Wanted};
/// use equilibria::optim::{Optimiser, Rule};
/// use equilibria::rng::Stream;
///
/// // Fits y = 3 x: the loss (y - 3 x)² / 2 has the gradient y - 3 x.
/// let mut model = Sequential::<f64>::new(1, vec![Linear::new(1, 1).into()])?;
/// let mut optimiser = Optimiser::new(Rule::Sgd { rate: 0.1, momentum: 0.5 }, &model)?;
/// let (mut cache, mut deltas) = (Cache::new(&model), Deltas::new(&model));
/// let (mut gradients, mut scratch) = (Gradients::new(&model), Scratch::new());
/// for _ in 0..200 {
///     cache.input_mut(2).copy_from_slice(&[1.0, -1.0]);
///     model.forward(&mut cache, Training::new(Stream::named(1, "dropout")), &mut scratch)?;
///     let slopes = [cache.output()[0] - 3.0, cache.output()[1] + 3.0];
///     gradients.clear();
///     model.backward(&cache, &slopes, Wanted::parameters(&mut gradients, 0..2), &mut deltas, &mut scratch)?;
///     optimiser.step(&mut model, &mut gradients)?;
/// }
/// assert!((model.parameters().next().unwrap().data()[0] - 3.0).abs() < 1e-6);
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Optimiser<T: Element> {
    rule: Rule,
    clip: Option<f64>,
    steps: u64,
    /// The state of each parameter, in order: velocity; or mean square; or mean and mean square.
    state: Vec<Tensor<T>>,
}

/// Parameters per task.
const CHUNK: usize = 1 << 14;

impl<T: Element> Optimiser<T> {
    /// An optimiser with zero state for networks with the architecture of `model`.
    ///
    /// **Errors** Those of [`Rule::validate`].
    pub fn new(rule: Rule, model: &Sequential<T>) -> Result<Self> {
        rule.validate()?;
        let zeros = |parameter: &Tensor<T>| Tensor::zeros(parameter.shape());
        let state =
            model.parameters().flat_map(|parameter| (0..rule.states()).map(move |_| zeros(parameter)));
        Ok(Self { rule, clip: None, steps: 0, state: state.collect() })
    }

    /// Clips every parameter to ± `bound` at the end of each step.
    ///
    /// **Errors** [`Error::InvalidArgument`] unless `bound` is above 0 and finite.
    pub fn with_clip(self, bound: f64) -> Result<Self> {
        if !(bound > 0.0 && bound.is_finite()) {
            return Err(Error::invalid(format!("clip {bound}"), "the bound must be above 0 and finite"));
        }
        Ok(Self { clip: Some(bound), ..self })
    }

    /// Number of steps so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The state of each parameter, in order: velocity; or mean square; or mean and mean square of its gradients.
    pub fn state(&self) -> &[Tensor<T>] {
        &self.state
    }

    /// Like [`Optimiser::state`], but mutable and with the number of steps: for resuming from a checkpoint.
    pub fn state_mut(&mut self) -> (&mut u64, &mut [Tensor<T>]) {
        (&mut self.steps, &mut self.state)
    }

    /// The rule, with the learning rate of the next step.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Sets the learning rate of the next steps.
    ///
    /// **Errors** [`Error::InvalidArgument`] unless it is at least 0 and finite.
    pub fn set_rate(&mut self, rate: f64) -> Result<()> {
        let rule = self.rule.with_rate(rate);
        rule.validate()?;
        self.rule = rule;
        Ok(())
    }

    /// Updates the parameters of `model`.
    ///
    /// **Errors** [`Error::Diverged`] if one of them was not finite after the update and before clipping.
    ///
    /// **Panics** if `model` or `gradients` belong to a network with another architecture.
    pub fn step(&mut self, model: &mut Sequential<T>, gradients: &mut Gradients<T>) -> Result<()> {
        self.steps += 1;
        let is_finite = match self.rule {
            Rule::Sgd { rate, momentum } => {
                let [rate, momentum] = [rate, momentum].map(T::from_f64);
                self.descend(update::Momentum { rate, momentum }, model, gradients)
            }
            Rule::RmsProp { rate, decay, epsilon } => {
                let [rate, decay, epsilon] = [rate, decay, epsilon].map(T::from_f64);
                self.descend(update::RmsProp { rate, decay, epsilon }, model, gradients)
            }
            Rule::Adam { rate, betas, epsilon } => {
                let steps = self.steps as f64;
                let corrected = 1.0 - libm::pow(betas[0], steps);
                let root = libm::sqrt(1.0 - libm::pow(betas[1], steps));
                let [mean_decay, square_decay] = betas.map(T::from_f64);
                let [rate, epsilon] = [rate * root / corrected, epsilon * root].map(T::from_f64);
                self.descend(update::Adam { rate, mean_decay, square_decay, epsilon }, model, gradients)
            }
        };
        if is_finite {
            return Ok(());
        }
        let name = model.state().find(|(_, tensor)| !tensor.is_finite()).map(|(name, _)| name);
        Err(Error::not_finite(name.as_deref().unwrap_or("a parameter")))
    }

    /// An update by a kernel with `N` state values per parameter.
    fn descend<const N: usize>(
        &mut self,
        rule: impl update::UpdateRule<T, N> + Sync,
        model: &mut Sequential<T>,
        gradients: &mut Gradients<T>,
    ) -> bool {
        let (gradients, (states, _)) = (gradients.tensors(), self.state.as_chunks_mut::<N>());
        assert!(gradients.len() == states.len(), "{} gradients, {} states", gradients.len(), states.len());
        let bound = T::from_f64(self.clip.unwrap_or(f64::INFINITY));
        let is_finite = AtomicBool::new(true);
        for ((parameter, gradient), state) in model.parameters_mut().zip(gradients).zip(states) {
            let (tasks, gradient) = (parameter.len().div_ceil(CHUNK), gradient.data());
            let state = state.each_mut().map(|state| Chunks(state.data_mut(), CHUNK));
            let pieces = (Chunks(parameter.data_mut(), CHUNK), state);
            for_each_split(tasks, true, pieces, &|task, (Chunks(parameter, _), state)| {
                let gradient = &gradient[task * CHUNK..][..parameter.len()];
                let state = state.map(|Chunks(state, _)| state);
                if !update::descend(Level::detect(), rule, bound, gradient, state, parameter) {
                    is_finite.store(false, Ordering::Relaxed);
                }
            });
        }
        is_finite.into_inner()
    }
}
