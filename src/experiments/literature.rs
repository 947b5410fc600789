//! Machines whose log-likelihood on MNIST is published, trained here.

use crate::Result;
use crate::boltzmann::learning::NegativePhase;
use crate::data::{Binarisation, Dataset};
use crate::optim::Schedule;
use crate::run::rbm::{Anneal, Estimates, Evaluation, Method, Settings, evaluate};
use crate::run::{Progress, interrupt, train_or_resume};
use clap::ValueEnum;
use serde::Serialize;
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Name {
    /// 16 hidden units, persistent contrastive divergence, centred.
    #[value(name = "centred-16")]
    Centred16,
    /// The same, not centred.
    #[value(name = "normal-16")]
    Normal16,
    /// 16 hidden units, centred, on inverted images.
    #[value(name = "centred-16-inverted")]
    Centred16Inverted,
    /// The same, not centred.
    #[value(name = "normal-16-inverted")]
    Normal16Inverted,
    /// 500 hidden units, pixels on above 127.
    Large,
    /// 500 hidden units, pixels sampled anew each epoch.
    LargeSampled,
}

/// Published values of a machine; log-likelihoods in nats per image.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Published {
    pub source: &'static str,
    pub log_partition: Option<f64>,
    pub train: Option<f64>,
    /// Exact, or the forward estimate.
    pub test: f64,
    /// The reverse estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_reverse: Option<f64>,
}

impl Name {
    fn text(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().into())
    }

    fn published(self) -> Published {
        let value = |source, log_partition, train, test, test_reverse| Published {
            source,
            log_partition,
            train,
            test,
            test_reverse,
        };
        let small = |log_partition, train, test| {
            value("PyDeep, RBM_MNIST_small, PCD-1", Some(log_partition), Some(train), test, None)
        };
        let large = |source, test, reverse| value(source, None, None, test, reverse);
        match self {
            Self::Centred16 => small(310.18, -143.15, -142.56),
            Self::Normal16 => small(190.95, -149.61, -149.05),
            Self::Centred16Inverted => small(310.25, -142.81, -142.09),
            Self::Normal16Inverted => small(3495.27, -183.26, -183.36),
            Self::Large => large("PyDeep, RBM_MNIST_big, PCD-1, centred", -84.86, Some(-96.61)),
            Self::LargeSampled => large("Salakhutdinov & Murray 2008, CD-25", -86.34, None),
        }
    }

    fn is_small(self) -> bool {
        !matches!(self, Self::Large | Self::LargeSampled)
    }

    /// The settings of training. Small machines are trained as in the literature, large ones longer.
    pub fn settings(self, common: Settings) -> Settings {
        let (hidden, epochs, learning_rate, weight_decay) = match self {
            Self::Large => (500, 120, Schedule::line(0.05, 0.0003), 1e-4),
            Self::LargeSampled => (500, 450, Schedule::line(0.1, 0.0002), 1e-4),
            _ => (16, 50, Schedule::constant(0.01), 0.0),
        };
        Settings {
            hidden,
            epochs,
            learning_rate,
            weight_decay,
            momentum: Schedule::constant(0.0),
            method: NegativePhase::Persistent,
            steps: 1,
            batch: 100,
            centred: !matches!(self, Self::Normal16 | Self::Normal16Inverted),
            invert: matches!(self, Self::Centred16Inverted | Self::Normal16Inverted),
            binarise: if self == Self::LargeSampled { Binarisation::Sampled } else { common.binarise },
            ..common
        }
    }
}

/// Tolerance of a small machine below the published value, in nats.
const TOLERANCE: f64 = 1.5;
/// The target of machines with 500 hidden units, better than published; nats per image.
const GOAL: f64 = -84.0;

#[derive(Serialize)]
pub(crate) struct Machine {
    pub name: String,
    pub published: Published,
    pub settings: Settings,
    /// Seconds of training, without monitoring.
    pub seconds: f64,
    pub evaluation: Evaluation,
    #[serde(skip)]
    pub id: Name,
}

#[derive(Serialize)]
pub(crate) struct Finding {
    pub question: String,
    pub holds: bool,
}

impl Machine {
    /// Trains a machine in a folder of `out` with its name, or continues there, and evaluates it.
    ///
    /// **Errors** those of [`train_or_resume`] and [`evaluate`].
    pub fn train(
        id: Name,
        settings: Settings,
        digits: &Dataset,
        (out, force): (&Path, bool),
        seed: u64,
        progress: &mut Progress,
    ) -> Result<Self> {
        let inverted = settings.invert.then(|| {
            let mut copy = digits.clone();
            copy.invert();
            copy
        });
        let (digits, stop) = (inverted.as_ref().unwrap_or(digits), &interrupt::requested);
        let name = id.text();
        let path = out.join(&name);
        let (model, summary) = train_or_resume(&path, force, &settings, digits, progress, stop)?;
        let method = if id.is_small() { Method::Exact } else { Method::Annealed(Anneal::default()) };
        let evaluation = evaluate(&model, &settings, digits, &method, seed, progress, stop)?;
        let seconds = summary.seconds_per_epoch.iter().sum();
        let value = first(evaluation.log_likelihood.test).unwrap_or(f64::NAN);
        progress.finish(&format!("{name}: {value:.2} nats, trained in {seconds:.0} s"));
        Ok(Self { name, published: id.published(), settings, seconds, evaluation, id })
    }
}

/// The exact value, or the forward estimate.
pub(crate) fn first(estimates: Estimates) -> Option<f64> {
    estimates.exact.or(estimates.forward)
}

/// The tests of the trained machines.
pub(crate) fn findings(machines: &[Machine]) -> Vec<Finding> {
    let test = |machine: &Machine| first(machine.evaluation.log_likelihood.test).unwrap_or(f64::NAN);
    let find = |name| machines.iter().find(|machine| machine.id == name).map(test);
    let mut findings = Vec::new();
    let mut add = |question: String, holds| findings.push(Finding { question, holds });
    for machine in machines {
        let (name, value, published) = (&machine.name, test(machine), machine.published.test);
        if machine.id.is_small() {
            add(
                format!("{name}: within {TOLERANCE} nats of the published test value, or better"),
                value >= published - TOLERANCE,
            );
        } else {
            let reverse = machine.evaluation.log_likelihood.test.reverse.unwrap_or(f64::NAN);
            let within = (value - reverse).abs() <= 2.0;
            add(format!("{name}: forward and reverse estimate within 2 nats"), within);
            add(format!("{name}: better than published, by both estimates"), value.min(reverse) > published);
            add(format!("{name}: at least {GOAL} nats, by the forward estimate"), value >= GOAL);
        }
    }
    let [plain, inverted] = [Name::Centred16, Name::Centred16Inverted].map(find);
    for (images, centred, normal) in
        [("images", plain, Name::Normal16), ("inverted images", inverted, Name::Normal16Inverted)]
    {
        if let (Some(centred), Some(normal)) = (centred, find(normal)) {
            add(format!("centred learning is better than plain learning, on {images}"), centred > normal);
        }
    }
    if let (Some(plain), Some(inverted)) = (plain, inverted) {
        add(
            format!("centred learning is as good on inverted images (within {TOLERANCE} nats)"),
            (plain - inverted).abs() <= TOLERANCE,
        );
    }
    findings
}
