//! Samples of the machines after 100 Gibbs steps, from test images and from noise.

use crate::Result;
use crate::boltzmann::{Dbm, DbmChains, GibbsChains, ImageChains, Rbm, coin_flips};
use crate::data::{Binarisation, balanced};
use crate::evaluate::filters::claims::{Claim, Evidence, Kind};
use crate::evaluate::filters::compare::Quartiles;
use crate::evaluate::mixing::grey_pixels;
use crate::evaluate::nearest::NearestImages;
use crate::experiments::reconstruction::test_images;
use crate::experiments::reproduce::workbench::{ByBudget, SMALL, Workbench};
use crate::report::numbers::thousands;
use crate::report::{ContactSheet, Figure};
use crate::rng::Stream;
use crate::run::dbm::Settings;
use crate::run::pretrained;
use serde_json::{Value, json};

/// Gibbs steps, as in the report.
const STEPS: usize = 100;
const CHAINS: ByBudget = ByBudget { quick: 50, full: 100 };
/// Chains on the sheet.
const SHOWN: usize = 8;
/// Steps between two updates of the progress.
const STRIDE: usize = 20;
const STARTS: [&str; 2] = ["test images", "noise"];

/// The chains of one machine from one start.
struct Sampled {
    machine: String,
    start: &'static str,
    /// P(v = 1 | h) of the last step (chains, visible).
    pictures: Vec<f32>,
    /// Share of grey pixels of each chain.
    grey: Vec<f64>,
    /// Distance of each chain to the nearest training image, if the machines learned from such images.
    distances: Option<Vec<f64>>,
}

/// The chains of the deep machine, the restricted one and the report's, from each start.
pub(super) struct Samples {
    /// (chains, visible) for each of [`STARTS`].
    starts: [Vec<f32>; 2],
    visible: usize,
    sampled: Vec<Sampled>,
}

impl Samples {
    /// Runs all chains. With `shows_training_data`, the machines learned from the data of this page, so distances to training images
    /// are measured.
    ///
    /// **Randomness** Noise from stream `init`, chains from stream `evaluate`.
    pub fn new(
        bench: &mut Workbench<'_>,
        (deep, settings): &(Dbm<f32>, Settings),
        restricted: [&Rbm<f32>; 2],
        shows_training_data: bool,
    ) -> Result<Self> {
        let digits = bench.digits;
        let indices = balanced(digits.test.labels(), CHAINS.at(bench.budget));
        let visible = deep.visible();
        let images = test_images(digits, &indices, Binarisation::Threshold, bench.seed)?;
        let starts = [images, coin_flips(indices.len(), visible, Stream::named(bench.seed, "init"))];
        let training_images = match shows_training_data {
            true => Some(NearestImages::of_digits(digits, Binarisation::Threshold, bench.seed)?),
            false => None,
        };
        let distances = |pictures: &[f32]| {
            let ink: Vec<f32> = pictures.iter().map(|&p| f32::from(u8::from(p > 0.5))).collect();
            let found = training_images.as_ref()?.find(&ink);
            Some(found.iter().map(|neighbour| neighbour.distance).collect())
        };
        let stream = Stream::named(bench.seed, "evaluate");
        let mut sampled = Vec::new();
        bench.progress.start((3 * STARTS.len() * STEPS) as u64, "steps");
        for (start, images) in STARTS.into_iter().zip(&starts) {
            let mut add = |machine: String, pictures: Vec<f32>| {
                let grey = pictures.chunks_exact(visible).map(grey_pixels).collect();
                sampled.push(Sampled { machine, start, grey, distances: distances(&pictures), pictures });
            };
            let stop = (start != STARTS[1]).then(|| settings.stop());
            add("DBM".into(), finish(bench, DbmChains::at(deep, images, stop, stream)?)?);
            for model in restricted {
                let chains = GibbsChains::at(model, images, stream)?;
                add(format!("RBM, {}", model.hidden()), finish(bench, chains)?);
            }
        }
        let chains = thousands(indices.len());
        bench.progress.finish(&format!(
            "sampled {chains} chains of 3 machines for {STEPS} steps, from images and from noise"
        ));
        Ok(Self { starts, visible, sampled })
    }

    /// The chains of machine `machine`: 0 is the deep one, 1 the restricted one, 2 the report's.
    fn of(&self, start: usize, machine: usize) -> &Sampled {
        &self.sampled[3 * start + machine]
    }

    /// Tests the report's claims about samples of the deep machine, against machine `machine`, which is called `name`.
    ///
    /// **Randomness** Substreams 200 and 201 of `stream`.
    pub fn claims(&self, machine: usize, name: &str, stream: Stream) -> Vec<Claim> {
        let [deep, other] = [self.of(0, 0), self.of(0, machine)];
        let names = (name, &*deep.machine);
        let measure = ("grey pixels", "share of pixels");
        let grey = Evidence::of_larger(measure, &other.grey, &deep.grey, stream.substream(200));
        let mut claims = vec![Claim::new(Kind::Clean, "A DBM's samples have less noise", names, [grey])];
        if let (Some(far), Some(near)) = (&other.distances, &deep.distances) {
            let measure = ("distance to a digit", "Jaccard");
            let distance = Evidence::of_larger(measure, far, near, stream.substream(201));
            claims.push(Claim::new(Kind::Quality, "A DBM's samples are nearer to digits", names, [distance]));
        }
        claims
    }

    pub fn to_json(&self) -> Value {
        let chains = |chains: &Sampled| {
            json!({
                "machine": chains.machine,
                "from": chains.start,
                "steps": STEPS,
                "chains": chains.grey.len(),
                "grey_pixels": Quartiles::of(&chains.grey),
                "distance_to_a_digit": chains.distances.as_ref().map(|distances| Quartiles::of(distances)),
            })
        };
        self.sampled.iter().map(chains).collect()
    }

    /// The sheet of samples: a row for each machine below each start.
    pub fn figure(&self, bench: &mut Workbench<'_>) -> Result<Figure> {
        let mut rows: Vec<(&str, &[f32])> = Vec::new();
        for (start, name) in STARTS.into_iter().enumerate() {
            rows.push((name, &self.starts[start]));
            rows.extend([0, 1, 2].map(|machine| {
                let chains = self.of(start, machine);
                (chains.machine.as_str(), &chains.pictures[..])
            }));
        }
        let labels: Vec<&str> = rows.iter().map(|(label, _)| *label).collect();
        let [height, width] = pretrained::IMAGE_SIZE;
        let chains = SHOWN.min(self.starts[0].len() / self.visible);
        let mut sheet = ContactSheet::new(height, width)
            .title(format!("After {STEPS} Gibbs steps"))
            .columns(chains)
            .row_labels(&labels);
        for (_, pictures) in &rows {
            pictures.chunks_exact(self.visible).take(chains).try_for_each(|picture| sheet.push(picture))?;
        }
        bench.contact_sheet(
            "figure4-samples.png",
            sheet,
            "Test images and noise, and the samples of three machines that start there.",
            &format!(
                "Chains after {STEPS} steps: three machines from test images, then three from noise. The number after RBM is \
                 that of hidden units; {SMALL} is the report's. Each picture shows the probabilities from which the state is \
                 sampled."
            ),
        )
    }
}

/// Runs all steps of the chains and returns their last probabilities.
fn finish(bench: &mut Workbench<'_>, mut chains: impl ImageChains<f32>) -> Result<Vec<f32>> {
    for _ in 0..STEPS / STRIDE {
        chains.walk(STRIDE);
        bench.advance(STRIDE)?;
    }
    Ok(chains.visible_probabilities())
}
