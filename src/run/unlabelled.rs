//! The evaluation of samples of images without labels: see [`crate::evaluate::unlabelled`].

use super::encoder::ChosenEncoder;
use super::samples::JudgeSettings;
use super::{Progress, interrupt};
use crate::Result;
use crate::data::{Dataset, Images};
use crate::evaluate::unlabelled::{self, ImageSets, UnlabelledJudgement, UnlabelledSettings};
use crate::rng::Stream;
use serde::Serialize;

/// With fewer images the distances are mostly noise.
const FEW: usize = 1000;
/// The features of an encoder that recognises a smaller share of the orientations are hardly better than random ones.
const LEAST_RECOGNISED: f64 = 0.5;

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgedImages {
    /// Name of the data.
    pub data: String,
    /// The origin of the encoder: `trained` or `given`.
    pub encoder: &'static str,
    /// The measures.
    #[serde(flatten)]
    pub judgement: UnlabelledJudgement,
    /// Reasons to distrust these numbers.
    pub warnings: Vec<String>,
}

/// Returns whether a classifier of digits is useless for these images: they are in colour, or all of one class.
pub fn are_unlabelled(digits: &Dataset) -> bool {
    let labels = digits.test.labels();
    digits.test.images().channels() > 1 || labels.iter().all(|label| Some(label) == labels.first())
}

/// Compares samples, and as many training images, with the test images.
///
/// **Errors** as [`unlabelled::judge`]; [`Error::Interrupted`](crate::Error::Interrupted) soon after `stop` returns true.
///
/// **Randomness** The substream 7 of the stream `evaluate` of the seed; [`super::samples::draw`] takes another one.
pub fn judge(
    samples: &Images,
    digits: &Dataset,
    chosen: &ChosenEncoder,
    settings: &JudgeSettings,
    progress: &mut Progress,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<JudgedImages> {
    let sets = ImageSets { train: digits.train.images(), test: digits.test.images(), samples };
    let &JudgeSettings { images, nearest, directions, seed } = settings;
    let how = UnlabelledSettings { images, nearest, directions };
    progress.start(unlabelled::STEPS, "measures");
    let mut step = || {
        progress.advance(1);
        interrupt::check(stop)
    };
    let stream = Stream::named(seed, "evaluate").substream(7);
    let judgement = unlabelled::judge(&chosen.encoder, sets, &how, stream, &mut step)?;
    progress.finish("");
    let mut warnings: Vec<String> = chosen.warning.iter().cloned().collect();
    let counts = [judgement.samples, judgement.test_images, judgement.train_images];
    if counts.iter().any(|&count| count < FEW) {
        let [samples, test, train] = counts;
        warnings.push(format!(
            "{samples} samples, {test} test and {train} training images: with fewer than {FEW} of each, distances are \
             mostly noise; the kernel distance suffers least"
        ));
    }
    if judgement.orientations_recognised < LEAST_RECOGNISED {
        warnings.push(format!(
            "the encoder recognises only {:.0} % of the orientations of test images: its features may miss important \
             differences",
            100.0 * judgement.orientations_recognised
        ));
    }
    Ok(JudgedImages { data: digits.name.clone(), encoder: chosen.source, judgement, warnings })
}
