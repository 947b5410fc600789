//! The Fréchet distance between two folders of images of digits, with the features `pretrained` and `png`.
use equilibria::data::pictures::read_folder;
use equilibria::evaluate::frechet::Frechet;
use equilibria::{Result, pretrained, rng::Stream};
use std::path::Path;

pub fn main(real: &Path, generated: &Path) -> Result<f64> {
    let classifier = pretrained::classifier()?;
    let [real, generated] = [read_folder(real, None)?, read_folder(generated, None)?];
    let features = [classifier.features_of(&real)?, classifier.features_of(&generated)?];
    let found = Frechet::of(&features[0], &features[1], Stream::named(1, "evaluate"))?;
    println!(
        "distance {:.2}, extrapolated to infinitely many images {:.2}",
        found.distance, found.extrapolated
    );
    Ok(found.distance)
}
