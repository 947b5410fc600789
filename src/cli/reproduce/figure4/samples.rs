//! What chains of the machines show after 100 Gibbs steps, from test images and from noise.

use super::super::{SMALL, Workbench};
use super::Machines;
use crate::Result;
use crate::boltzmann::{DbmChains, GibbsChains, ImageChains, coin_flips};
use crate::cli::filters::claims::{Claim, Evidence, Kind};
use crate::cli::machine::test_images;
use crate::cli::rbm::mixing::balanced;
use crate::data::Binarisation;
use crate::evaluate::filters::compare::Quartiles;
use crate::evaluate::mixing::grey_pixels;
use crate::evaluate::nearest::NearestImages;
use crate::report::{ContactSheet, Figure};
use crate::rng::Stream;
use crate::run::pretrained;
use serde_json::{Value, json};

/// As in the report.
pub(super) const STEPS: usize = 100;
/// Chains on the sheet.
const SHOWN: usize = 8;
/// Steps between two looks at the clock and at Ctrl-C.
const STRIDE: usize = 20;
const STARTS: [&str; 2] = ["test images", "noise"];

/// Chains of one machine from one start.
struct Walk {
    machine: String,
    start: &'static str,
    /// P(v = 1 | h) of the last step (chains, visible).
    pictures: Vec<f32>,
    /// The share of grey pixels of each chain.
    grey: Vec<f64>,
    /// How far each chain is from a training image, if the machine learned from these.
    distances: Option<Vec<f64>>,
}

/// All of them: of each start, those of the deep machine, of the restricted one and of the report's.
pub(in crate::cli::reproduce) struct Walks {
    /// (chains, visible) of each of [`STARTS`].
    starts: [Vec<f32>; 2],
    visible: usize,
    walks: Vec<Walk>,
}

pub(super) fn walk(bench: &mut Workbench<'_>, machines: &Machines) -> Result<Walks> {
    let digits = bench.digits;
    let indices = balanced(digits.test.labels(), bench.budget.chains);
    let visible = machines.deep.visible();
    let images = test_images(digits, &indices, Binarisation::Threshold, bench.seed)?;
    let starts = [images, coin_flips(indices.len(), visible, Stream::named(bench.seed, "init"))];
    let judge = match machines.is_home {
        true => Some(NearestImages::of_digits(digits, Binarisation::Threshold, bench.seed)?),
        false => None,
    };
    let distances = |pictures: &[f32]| {
        let ink: Vec<f32> = pictures.iter().map(|&p| f32::from(u8::from(p > 0.5))).collect();
        judge.as_ref().map(|judge| judge.find(&ink).iter().map(|neighbour| neighbour.distance).collect())
    };
    let stream = Stream::named(bench.seed, "evaluate");
    let mut walks = Vec::new();
    bench.progress.start((3 * STARTS.len() * STEPS) as u64, "steps");
    for (start, images) in STARTS.into_iter().zip(&starts) {
        let mut add = |machine: String, pictures: Vec<f32>| {
            let grey = pictures.chunks_exact(visible).map(grey_pixels).collect();
            walks.push(Walk { machine, start, grey, distances: distances(&pictures), pictures });
        };
        let stop = (start != STARTS[1]).then(|| machines.deep_settings.stop());
        let chains = DbmChains::at(&machines.deep, images, stop, stream)?;
        add("DBM".into(), finish(bench, chains)?);
        for (model, units) in [(&machines.restricted, machines.restricted.hidden()), (&machines.small, SMALL)]
        {
            add(format!("RBM, {units}"), finish(bench, GibbsChains::at(model, images, stream)?)?);
        }
    }
    let chains = crate::cli::thousands(indices.len());
    bench
        .say(&format!("sampled {chains} chains of 3 machines for {STEPS} steps, from images and from noise"));
    Ok(Walks { starts, visible, walks })
}

/// Walks all steps; the last probabilities.
fn finish(bench: &mut Workbench<'_>, mut chains: impl ImageChains) -> Result<Vec<f32>> {
    for _ in 0..STEPS / STRIDE {
        chains.walk(STRIDE);
        bench.advance(STRIDE)?;
    }
    Ok(chains.visible_probabilities())
}

impl Walks {
    /// The walk of machine `machine`, in their order, from start `start`.
    fn of(&self, start: usize, machine: usize) -> &Walk {
        &self.walks[3 * start + machine]
    }

    /// Median share of grey pixels: of the deep, the restricted and the report's machine, from test images.
    pub fn grey(&self) -> [f64; 3] {
        [0, 1, 2].map(|machine: usize| Quartiles::of(&self.of(0, machine).grey).median)
    }

    /// The same of the distances to a training image, where these are known.
    pub fn distances(&self) -> Option<[f64; 3]> {
        let median = |machine| Some(Quartiles::of(self.of(0, machine).distances.as_ref()?).median);
        Some([median(0)?, median(1)?, median(2)?])
    }

    /// "The quality is markedly better and there is less noise" than in samples of restricted machine `machine`, 1 or 2, which
    /// is called `name`.
    ///
    /// **Randomness** From substreams 200 and 201 of `stream`.
    pub fn claims(&self, machine: usize, name: &str, stream: Stream) -> Vec<Claim> {
        let [deep, other] = [self.of(0, 0), self.of(0, machine)];
        let names = (name, &*deep.machine);
        let grey = Evidence::of_larger(
            ("grey pixels", "share of pixels"),
            &other.grey,
            &deep.grey,
            stream.substream(200),
        );
        let mut claims = vec![Claim::new(Kind::Clean, "A DBM's samples have less noise", names, [grey])];
        if let (Some(far), Some(near)) = (&other.distances, &deep.distances) {
            let distance =
                Evidence::of_larger(("distance to a digit", "Jaccard"), far, near, stream.substream(201));
            claims.push(Claim::new(Kind::Quality, "A DBM's samples are nearer to digits", names, [distance]));
        }
        claims
    }

    pub fn to_json(&self) -> Value {
        let walk = |walk: &Walk| {
            json!({
                "machine": walk.machine,
                "from": walk.start,
                "steps": STEPS,
                "chains": walk.grey.len(),
                "grey_pixels": Quartiles::of(&walk.grey),
                "distance_to_a_digit": walk.distances.as_ref().map(|distances| Quartiles::of(distances)),
            })
        };
        self.walks.iter().map(walk).collect()
    }

    /// A row a machine, under the start.
    pub fn figure(&self, bench: &Workbench<'_>) -> Result<Figure> {
        let mut rows: Vec<(&str, &[f32])> = Vec::new();
        for (start, name) in STARTS.into_iter().enumerate() {
            rows.push((name, &self.starts[start]));
            rows.extend((0..3).map(|machine| {
                let walk = self.of(start, machine);
                (walk.machine.as_str(), &walk.pictures[..])
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
        let png = sheet.to_png()?;
        bench.write("figure4-samples.png", &png);
        Ok(Figure::png(
            png,
            "Test images and noise, and what Gibbs chains of three machines have made of each.",
            format!(
                "Chains of each machine after {STEPS} steps: four rows that start at test images, then four that start \
                 at noise. Shown is the probability from which the image was drawn; numbers are hidden units."
            ),
        ))
    }
}
